build-san/lib/format/gguf.o: lib/format/gguf.c lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h lib/format/../base/str.h
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
