build-san/lib/base/fs.o: lib/base/fs.c lib/base/fs.h lib/base/../dsv.h \
 lib/base/str.h lib/base/hash.h
lib/base/fs.h:
lib/base/../dsv.h:
lib/base/str.h:
lib/base/hash.h:
