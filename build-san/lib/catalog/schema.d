build-san/lib/catalog/schema.o: lib/catalog/schema.c lib/catalog/schema.h
lib/catalog/schema.h:
