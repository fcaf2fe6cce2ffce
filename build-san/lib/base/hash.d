build-san/lib/base/hash.o: lib/base/hash.c lib/base/hash.h
lib/base/hash.h:
