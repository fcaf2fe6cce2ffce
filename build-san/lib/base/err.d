build-san/lib/base/err.o: lib/base/err.c lib/base/../dsv.h
lib/base/../dsv.h:
