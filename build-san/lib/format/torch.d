build-san/lib/format/torch.o: lib/format/torch.c lib/format/torch.h \
 lib/format/zip.h lib/format/parse.h lib/format/format.h \
 lib/format/../dsv.h
lib/format/torch.h:
lib/format/zip.h:
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
