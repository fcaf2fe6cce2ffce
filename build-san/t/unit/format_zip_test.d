build-san/t/unit/format_zip_test: t/unit/format_zip_test.c \
 t/unit/format_source.h t/unit/../../lib/base/str.h \
 t/unit/../../lib/format/format.h t/unit/../../lib/format/../dsv.h \
 t/unit/tap.h
t/unit/format_source.h:
t/unit/../../lib/base/str.h:
t/unit/../../lib/format/format.h:
t/unit/../../lib/format/../dsv.h:
t/unit/tap.h:
