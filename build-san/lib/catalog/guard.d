build-san/lib/catalog/guard.o: lib/catalog/guard.c lib/catalog/guard.h \
 lib/catalog/../dsv.h lib/catalog/../base/fs.h \
 lib/catalog/../base/../dsv.h lib/catalog/../base/str.h \
 lib/catalog/../base/hash.h lib/catalog/../base/str.h
lib/catalog/guard.h:
lib/catalog/../dsv.h:
lib/catalog/../base/fs.h:
lib/catalog/../base/../dsv.h:
lib/catalog/../base/str.h:
lib/catalog/../base/hash.h:
lib/catalog/../base/str.h:
