build-san/lib/catalog/db.o: lib/catalog/db.c lib/catalog/db.h \
 lib/catalog/../base/hash.h lib/catalog/../dsv.h \
 lib/catalog/../base/str.h
lib/catalog/db.h:
lib/catalog/../base/hash.h:
lib/catalog/../dsv.h:
lib/catalog/../base/str.h:
