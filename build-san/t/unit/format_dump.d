build-san/t/unit/format_dump: t/unit/format_dump.c \
 t/unit/../../lib/format/format.h t/unit/../../lib/format/../dsv.h \
 t/unit/tap.h
t/unit/../../lib/format/format.h:
t/unit/../../lib/format/../dsv.h:
t/unit/tap.h:
