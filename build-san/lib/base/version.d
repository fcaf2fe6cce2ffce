build-san/lib/base/version.o: lib/base/version.c lib/base/../dsv.h
lib/base/../dsv.h:
