build-san/lib/base/human.o: lib/base/human.c lib/base/../dsv.h
lib/base/../dsv.h:
