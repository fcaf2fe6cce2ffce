build-san/lib/format/format.o: lib/format/format.c lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h lib/format/../base/str.h
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
