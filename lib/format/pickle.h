/* SPDX-License-Identifier: MIT */
/*
 * This reads a Python pickle (protocols 2 to 5) as data.  Nothing is imported
 * and nothing is called: a call becomes a value that names what it would have
 * called.  A few calls are known: OrderedDict is a dict, torch.Size a tuple,
 * _rebuild_tensor_v2 a tensor, Parameter its tensor.
 *
 * A pickle may refer to itself: whoever walks the values must bound depth and
 * steps.
 */
#ifndef DSV_FORMAT_PICKLE_H
#define DSV_FORMAT_PICKLE_H

#include "parse.h"

enum pickle_type {
	PICKLE_NONE,
	PICKLE_BOOL,
	PICKLE_INT,
	PICKLE_OTHER,	/* a float, large int, bytes: not needed here */
	PICKLE_STRING,
	PICKLE_TUPLE,
	PICKLE_LIST,	/* also sets */
	PICKLE_DICT,	/* key, value, key, value, ... */
	PICKLE_GLOBAL,	/* module, name: strings */
	PICKLE_STORAGE,	/* the items of the persistent id */
	PICKLE_TENSOR,	/* the arguments of _rebuild_tensor_v2 or _v3 */
	PICKLE_OBJECT	/* callable, arguments, states of BUILD */
};

struct pickle_value {
	enum pickle_type type;
	uint32_t len;		/* of text or items */
	uint32_t capacity;
	union {
		int64_t number;
		const char *text;	/* in the pickle, not NUL-terminated */
		struct pickle_value **items;
	} u;
};

struct pickle;

/*
 * Reads a pickle; data must outlive *out.  Returns FORMAT_NO if it is not a
 * pickle, or is larger or stranger than the bounds here allow.
 */
int pickle_read(const unsigned char *data, size_t len, struct pickle **out,
		struct dsv_err *err);
void pickle_free(struct pickle *p);

/* Never returns NULL. */
const struct pickle_value *pickle_root(const struct pickle *p);

bool pickle_is_text(const struct pickle_value *v, const char *text);
bool pickle_is_global(const struct pickle_value *v, const char *module,
		      const char *name);

#endif
