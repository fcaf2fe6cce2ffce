build-san/lib/format/cut.o: lib/format/cut.c lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h lib/format/cdc.h
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/cdc.h:
