build-san/lib/format/pickle_stack.o: lib/format/pickle_stack.c \
 lib/format/pickle_stack.h lib/format/pickle.h lib/format/parse.h \
 lib/format/format.h lib/format/../dsv.h
lib/format/pickle_stack.h:
lib/format/pickle.h:
lib/format/parse.h:
lib/format/format.h:
lib/format/../dsv.h:
