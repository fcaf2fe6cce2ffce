build-san/lib/catalog/journal.o: lib/catalog/journal.c \
 lib/catalog/journal.h lib/catalog/../base/str.h lib/catalog/../dsv.h \
 lib/catalog/../base/fs.h lib/catalog/../base/../dsv.h \
 lib/catalog/../base/str.h lib/catalog/../base/hash.h
lib/catalog/journal.h:
lib/catalog/../base/str.h:
lib/catalog/../dsv.h:
lib/catalog/../base/fs.h:
lib/catalog/../base/../dsv.h:
lib/catalog/../base/str.h:
lib/catalog/../base/hash.h:
