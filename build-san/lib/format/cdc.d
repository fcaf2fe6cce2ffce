build-san/lib/format/cdc.o: lib/format/cdc.c lib/format/cdc.h \
 lib/format/../dsv.h lib/format/../base/str.h
lib/format/cdc.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
