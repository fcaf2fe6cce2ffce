build-san/lib/format/safetensors.o: lib/format/safetensors.c \
 lib/format/parse.h lib/format/format.h lib/format/../dsv.h \
 lib/format/../base/str.h
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
lib/format/../base/str.h:
