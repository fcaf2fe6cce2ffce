build-san/lib/format/torch_pickle.o: lib/format/torch_pickle.c \
 lib/format/torch.h lib/format/zip.h lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h lib/format/pickle.h
lib/format/torch.h:
lib/format/zip.h:
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/pickle.h:
