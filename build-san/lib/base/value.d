build-san/lib/base/value.o: lib/base/value.c lib/base/value.h \
 lib/base/../dsv.h lib/base/str.h
lib/base/value.h:
lib/base/../dsv.h:
lib/base/str.h:
