build-san/lib/base/pool.o: lib/base/pool.c lib/base/pool.h \
 lib/base/../dsv.h
lib/base/pool.h:
lib/base/../dsv.h:
