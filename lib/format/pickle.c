/* SPDX-License-Identifier: MIT */
#include "pickle_stack.h"

#include <stdlib.h>
#include <string.h>

#include "../base/list.h"

/*
 * Operations return whether to go on; if not, no_memory says whether lack of
 * memory or the pickle is the reason.  arg is from the table below.
 */
typedef bool operation(struct pickle *p, int arg);

static bool take(struct pickle *p, size_t len, const unsigned char **out)
{
	if (len > p->len - p->at)
		return false;
	*out = p->data + p->at;
	p->at += len;
	return true;
}

static bool take_number(struct pickle *p, int width, uint64_t *out)
{
	const unsigned char *b;
	int i;

	if (!take(p, (size_t)width, &b))
		return false;
	*out = 0;
	for (i = width; i-- > 0;)
		*out = *out << 8 | b[i];
	return true;
}

static bool push_text(struct pickle *p, enum pickle_type type,
		      const unsigned char *text, size_t len)
{
	struct pickle_value *v = pickle_new(p, type);

	if (!v)
		return false;
	if (type == PICKLE_STRING) {
		v->u.text = (const char *)text;
		v->len = (uint32_t)len;
	}
	return pickle_push(p, v);
}

static bool push_number(struct pickle *p, enum pickle_type type, int64_t n)
{
	struct pickle_value *v = pickle_new(p, type);

	if (v)
		v->u.number = n;
	return pickle_push(p, v);
}

/* Pushes a line without its newline. */
static bool push_line(struct pickle *p)
{
	const unsigned char *start = p->data + p->at;
	const unsigned char *end = memchr(start, '\n', p->len - p->at);

	if (!end)
		return false;
	p->at += (size_t)(end - start) + 1;
	return push_text(p, PICKLE_STRING, start, (size_t)(end - start));
}

static bool op_skip(struct pickle *p, int len)
{
	const unsigned char *b;

	return take(p, (size_t)len, &b);
}

static bool op_constant(struct pickle *p, int type)
{
	return push_number(p, (enum pickle_type)type, 0);
}

static bool op_true(struct pickle *p, int arg)
{
	return push_number(p, PICKLE_BOOL, arg);
}

static bool op_int(struct pickle *p, int width)
{
	uint64_t n;

	if (!take_number(p, width, &n))
		return false;
	return push_number(p, PICKLE_INT, width == 4 ? (int32_t)n : (int64_t)n);
}

static bool op_other(struct pickle *p, int len)
{
	return op_skip(p, len) && op_constant(p, PICKLE_OTHER);
}

/*
 * Reads a two's complement, little-endian number, whose length is a number too.
 */
static bool op_long(struct pickle *p, int width)
{
	const unsigned char *b;
	uint64_t len, n = 0, i;

	if (!take_number(p, width, &len) || !take(p, len, &b))
		return false;
	if (len > 8)
		return op_constant(p, PICKLE_OTHER);
	if (len && b[len - 1] & 0x80)
		n = ~(uint64_t)0;
	for (i = len; i-- > 0;)
		n = n << 8 | b[i];
	return push_number(p, PICKLE_INT, (int64_t)n);
}

static bool counted(struct pickle *p, int width, enum pickle_type type)
{
	const unsigned char *b;
	uint64_t len;

	return take_number(p, width, &len) && take(p, len, &b) &&
		push_text(p, type, b, len);
}

static bool op_string(struct pickle *p, int width)
{
	return counted(p, width, PICKLE_STRING);
}

static bool op_bytes(struct pickle *p, int width)
{
	return counted(p, width, PICKLE_OTHER);
}

static bool op_mark(struct pickle *p, int arg)
{
	(void)arg;
	if (p->marks_count == PICKLE_MARKS_MAX)
		return false;
	if (list_grow((void **)&p->marks, p->marks_count, sizeof(*p->marks),
		      NULL) < 0)
		return pickle_no_memory(p);
	p->marks[p->marks_count++] = p->stack.count;
	return true;
}

/* In Python, a POP on a mark removes the mark. */
static bool op_pop(struct pickle *p, int arg)
{
	(void)arg;
	if (pickle_pop(p))
		return true;
	return p->marks_count && p->marks_count--;
}

static bool op_pop_mark(struct pickle *p, int arg)
{
	(void)arg;
	if (!p->marks_count)
		return false;
	p->stack.count = p->marks[--p->marks_count];
	return true;
}

static bool op_dup(struct pickle *p, int arg)
{
	(void)arg;
	return pickle_push(p, pickle_top(p));
}

static bool op_collect(struct pickle *p, int arg)
{
	/* arg holds the type in its upper bits and the count below. */
	return pickle_collect(p, (enum pickle_type)(arg >> 4),
			      (size_t)(arg & 15));
}

static bool op_collect_mark(struct pickle *p, int type)
{
	size_t count = pickle_height(p);

	if (!p->marks_count || (type == PICKLE_DICT && count % 2))
		return false;
	return pickle_collect(p, (enum pickle_type)type, count) &&
		p->marks_count--;
}

/* Gives the last count values, and the mark with them, to the value below. */
static bool give(struct pickle *p, size_t count, bool marked,
		 enum pickle_type type)
{
	struct pickle_value **items, *to;

	if (count > pickle_height(p) || (marked && !p->marks_count))
		return false;
	p->stack.count -= count;
	if (marked)
		p->marks_count--;
	to = pickle_top(p);
	if (!to)
		return false;
	items = p->stack.items + p->stack.count;
	if (to->type == PICKLE_OBJECT)
		return true;
	if (to->type != type || (type == PICKLE_DICT && count % 2))
		return false;
	return pickle_extend(p, to, items, count);
}

static bool op_append(struct pickle *p, int arg)
{
	(void)arg;
	return give(p, 1, false, PICKLE_LIST);
}

static bool op_setitem(struct pickle *p, int arg)
{
	(void)arg;
	return give(p, 2, false, PICKLE_DICT);
}

static bool op_give_mark(struct pickle *p, int type)
{
	return give(p, pickle_height(p), true, (enum pickle_type)type);
}

static bool op_global(struct pickle *p, int arg)
{
	(void)arg;
	return push_line(p) && push_line(p) &&
		pickle_collect(p, PICKLE_GLOBAL, 2);
}

static bool op_stack_global(struct pickle *p, int arg)
{
	size_t n = p->stack.count;

	(void)arg;
	return pickle_height(p) >= 2 &&
		p->stack.items[n - 1]->type == PICKLE_STRING &&
		p->stack.items[n - 2]->type == PICKLE_STRING &&
		pickle_collect(p, PICKLE_GLOBAL, 2);
}

static bool op_persistent_id(struct pickle *p, int arg)
{
	struct pickle_value *id = pickle_pop(p), *v;

	(void)arg;
	if (!id || id->type != PICKLE_TUPLE)
		return false;
	v = pickle_new(p, PICKLE_STORAGE);
	return v && pickle_extend(p, v, id->u.items, id->len) &&
		pickle_push(p, v);
}

bool pickle_is_text(const struct pickle_value *v, const char *text)
{
	return v->type == PICKLE_STRING && v->len == strlen(text) &&
		!memcmp(v->u.text, text, v->len);
}

bool pickle_is_global(const struct pickle_value *v, const char *module,
		      const char *name)
{
	return v->type == PICKLE_GLOBAL &&
		pickle_is_text(v->u.items[0], module) &&
		pickle_is_text(v->u.items[1], name);
}

static bool is_rebuild(const struct pickle_value *v, const char *what)
{
	return pickle_is_global(v, "torch._utils", what);
}

static bool is_dict(const struct pickle_value *v)
{
	return pickle_is_global(v, "collections", "OrderedDict") ||
		pickle_is_global(v, "collections", "defaultdict") ||
		pickle_is_global(v, "builtins", "dict") ||
		pickle_is_global(v, "__builtin__", "dict");
}

/* Pushes what calling function with the tuple args would have made. */
static bool call(struct pickle *p, struct pickle_value *function,
		 struct pickle_value *args)
{
	struct pickle_value *v, *pair[2] = { function, args };

	if (args->type != PICKLE_TUPLE)
		return false;
	/*
	 * This rebuilds a subclass of Tensor: function, class, arguments,
	 * state.
	 */
	if (pickle_is_global(function, "torch._tensor",
			     "_rebuild_from_type_v2") && args->len == 4 &&
	    args->u.items[2]->type == PICKLE_TUPLE) {
		function = args->u.items[0];
		args = args->u.items[2];
	}
	if (is_dict(function))
		return pickle_push(p, pickle_new(p, PICKLE_DICT));
	if (args->len && (is_rebuild(function, "_rebuild_parameter") ||
	    is_rebuild(function, "_rebuild_parameter_with_state") ||
	    pickle_is_global(function, "torch", "Size")))
		return pickle_push(p, args->u.items[0]);
	if (is_rebuild(function, "_rebuild_tensor_v2") ||
	    is_rebuild(function, "_rebuild_tensor_v3") ||
	    is_rebuild(function, "_rebuild_tensor")) {
		v = pickle_new(p, PICKLE_TENSOR);
		return v && pickle_extend(p, v, args->u.items, args->len) &&
			pickle_push(p, v);
	}
	v = pickle_new(p, PICKLE_OBJECT);
	return v && pickle_extend(p, v, pair, 2) && pickle_push(p, v);
}

static bool op_call(struct pickle *p, int arg)
{
	struct pickle_value *args = pickle_pop(p), *function = pickle_pop(p);

	(void)arg;
	return args && function && call(p, function, args);
}

/* Calls with keyword arguments, which are ignored. */
static bool op_call_keywords(struct pickle *p, int arg)
{
	return pickle_pop(p) && op_call(p, arg);
}

static bool op_build(struct pickle *p, int arg)
{
	struct pickle_value *state = pickle_pop(p), *to = pickle_top(p);

	(void)arg;
	if (!state || !to)
		return false;
	return to->type != PICKLE_OBJECT || pickle_extend(p, to, &state, 1);
}

static bool remember(struct pickle *p, uint64_t index)
{
	struct pickle_value *v = pickle_top(p);
	size_t old = p->memo.capacity;

	if (!v || !pickle_reserve(p, &p->memo, index))
		return false;
	if (p->memo.capacity > old)
		memset(p->memo.items + old, 0, (p->memo.capacity - old) *
		       sizeof(*p->memo.items));
	if (index >= p->memo.count)
		p->memo.count = index + 1;
	p->memo.items[index] = v;
	return true;
}

static bool op_put(struct pickle *p, int width)
{
	uint64_t index;

	return take_number(p, width, &index) && remember(p, index);
}

static bool op_memoize(struct pickle *p, int arg)
{
	(void)arg;
	return remember(p, p->memo.count);
}

static bool op_get(struct pickle *p, int width)
{
	uint64_t index;

	return take_number(p, width, &index) && index < p->memo.count &&
		pickle_push(p, p->memo.items[index]);
}

#define COLLECT(type, count) ((type) << 4 | (count))

static const struct {
	operation *run;
	int arg;
} operations[256] = {
	[0x80] = { op_skip, 1 },	/* PROTO */
	[0x95] = { op_skip, 8 },	/* FRAME */
	['('] = { op_mark, 0 },
	['0'] = { op_pop, 0 },
	['1'] = { op_pop_mark, 0 },
	['2'] = { op_dup, 0 },
	['N'] = { op_constant, PICKLE_NONE },
	[0x88] = { op_true, 1 },
	[0x89] = { op_true, 0 },
	['K'] = { op_int, 1 },
	['M'] = { op_int, 2 },
	['J'] = { op_int, 4 },
	[0x8a] = { op_long, 1 },
	[0x8b] = { op_long, 4 },
	['G'] = { op_other, 8 },
	['X'] = { op_string, 4 },
	[0x8c] = { op_string, 1 },
	[0x8d] = { op_string, 8 },
	['U'] = { op_string, 1 },	/* in Python 2 */
	['T'] = { op_string, 4 },
	['C'] = { op_bytes, 1 },
	['B'] = { op_bytes, 4 },
	[0x8e] = { op_bytes, 8 },
	[0x96] = { op_bytes, 8 },
	['}'] = { op_collect, COLLECT(PICKLE_DICT, 0) },
	[']'] = { op_collect, COLLECT(PICKLE_LIST, 0) },
	[0x8f] = { op_collect, COLLECT(PICKLE_LIST, 0) },
	[')'] = { op_collect, COLLECT(PICKLE_TUPLE, 0) },
	[0x85] = { op_collect, COLLECT(PICKLE_TUPLE, 1) },
	[0x86] = { op_collect, COLLECT(PICKLE_TUPLE, 2) },
	[0x87] = { op_collect, COLLECT(PICKLE_TUPLE, 3) },
	['t'] = { op_collect_mark, PICKLE_TUPLE },
	['l'] = { op_collect_mark, PICKLE_LIST },
	[0x91] = { op_collect_mark, PICKLE_LIST },
	['d'] = { op_collect_mark, PICKLE_DICT },
	['a'] = { op_append, 0 },
	['e'] = { op_give_mark, PICKLE_LIST },
	[0x90] = { op_give_mark, PICKLE_LIST },
	['s'] = { op_setitem, 0 },
	['u'] = { op_give_mark, PICKLE_DICT },
	['c'] = { op_global, 0 },
	[0x93] = { op_stack_global, 0 },
	['R'] = { op_call, 0 },
	[0x81] = { op_call, 0 },
	[0x92] = { op_call_keywords, 0 },
	['b'] = { op_build, 0 },
	['Q'] = { op_persistent_id, 0 },
	['q'] = { op_put, 1 },
	['r'] = { op_put, 4 },
	[0x94] = { op_memoize, 0 },
	['h'] = { op_get, 1 },
	['j'] = { op_get, 4 },
};

/* Each step reads a byte, so the length bounds the steps. */
static bool run(struct pickle *p)
{
	unsigned char code;

	while (p->at < p->len) {
		code = p->data[p->at++];
		if (code == '.')
			return !p->marks_count && p->stack.count == 1;
		if (!operations[code].run ||
		    !operations[code].run(p, operations[code].arg))
			return false;
	}
	return false;
}

int pickle_read(const unsigned char *data, size_t len, struct pickle **out,
		struct dsv_err *err)
{
	struct pickle *p;
	bool failed;

	if (len < 2 || data[0] != 0x80)
		return FORMAT_NO;
	p = calloc(1, sizeof(*p));
	if (!p)
		return dsv_fail_nomem(err);
	p->data = data;
	p->len = len;
	if (run(p)) {
		*out = p;
		return FORMAT_YES;
	}
	failed = p->no_memory;
	pickle_free(p);
	return failed ? dsv_fail_nomem(err) : FORMAT_NO;
}

const struct pickle_value *pickle_root(const struct pickle *p)
{
	return p->stack.items[0];
}
