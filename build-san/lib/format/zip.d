build-san/lib/format/zip.o: lib/format/zip.c lib/format/zip.h \
 lib/format/parse.h lib/format/format.h lib/format/../dsv.h \
 lib/format/../base/str.h
lib/format/zip.h:
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
