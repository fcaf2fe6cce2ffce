build-san/lib/format/npy.o: lib/format/npy.c lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h lib/format/../base/str.h \
 lib/format/zip.h
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
lib/format/zip.h:
