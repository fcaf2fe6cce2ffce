build-san/t/unit/format_cdc_test: t/unit/format_cdc_test.c \
 t/unit/../../lib/format/cdc.h t/unit/../../lib/format/../dsv.h \
 t/unit/format_source.h t/unit/../../lib/base/str.h \
 t/unit/../../lib/format/format.h t/unit/tap.h
t/unit/../../lib/format/cdc.h:
t/unit/../../lib/format/../dsv.h:
t/unit/format_source.h:
t/unit/../../lib/base/str.h:
t/unit/../../lib/format/format.h:
t/unit/tap.h:
