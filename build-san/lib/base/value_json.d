build-san/lib/base/value_json.o: lib/base/value_json.c lib/base/value.h \
 lib/base/../dsv.h lib/base/str.h
lib/base/value.h:
lib/base/../dsv.h:
lib/base/str.h:
