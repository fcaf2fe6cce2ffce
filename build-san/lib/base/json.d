build-san/lib/base/json.o: lib/base/json.c lib/base/../dsv.h \
 lib/base/str.h lib/base/utf8.h lib/base/value.h
lib/base/../dsv.h:
lib/base/str.h:
lib/base/utf8.h:
lib/base/value.h:
