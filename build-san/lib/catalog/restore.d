build-san/lib/catalog/restore.o: lib/catalog/restore.c \
 lib/catalog/content.h lib/catalog/internal.h lib/catalog/catalog.h \
 lib/catalog/../base/hash.h lib/catalog/../dsv.h \
 lib/catalog/../store/store.h lib/catalog/../store/../base/hash.h \
 lib/catalog/../store/../base/str.h lib/catalog/../store/../dsv.h \
 lib/catalog/../store/manifest.h lib/catalog/../store/recipe.h \
 lib/catalog/db.h lib/catalog/guard.h lib/catalog/schema.h \
 lib/catalog/prune.h
lib/catalog/content.h:
lib/catalog/internal.h:
lib/catalog/catalog.h:
lib/catalog/../base/hash.h:
lib/catalog/../dsv.h:
lib/catalog/../store/store.h:
lib/catalog/../store/../base/hash.h:
lib/catalog/../store/../base/str.h:
lib/catalog/../store/../dsv.h:
lib/catalog/../store/manifest.h:
lib/catalog/../store/recipe.h:
lib/catalog/db.h:
lib/catalog/guard.h:
lib/catalog/schema.h:
lib/catalog/prune.h:
