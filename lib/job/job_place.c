/* SPDX-License-Identifier: MIT */
/*
 * The files of a forked job in their directory.  Beside it lies a note, which
 * is locked by whoever is working on the directory and says what is in it: the
 * state's id and, if the state is not complete there, " " and the ranks whose
 * parts are present.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../checkout/checkout.h"
#include "../os/lock.h"
#include "../slurm/ranks.h"
#include "job.h"

enum { NOTE_MAX = 64 * 1024 };

struct note {
	int fd;			/* locked */
	char *text;		/* "": there was none */
	struct ranks ranks;	/* none: of all */
};

static void note_close(struct note *n)
{
	if (n->fd >= 0)
		close(n->fd);
	free(n->text);
	ranks_release(&n->ranks);
}

/* Where locks are not available, the rename still decides. */
static int note_lock(struct dsv *d, int fd, struct dsv_err *err)
{
	if (file_lock(fd, true, d->options.interrupted) < 0 && errno == EINTR)
		return repo_poll(d, err);
	return 0;
}

static int note_open(struct dsv *d, const char *dir, struct note *n,
		     struct dsv_err *err)
{
	char *path = str_format("%s.dsv", dir);
	ssize_t len;

	n->text = calloc(1, NOTE_MAX);
	if (!path || !n->text) {
		free(path);
		return dsv_fail_nomem(err);
	}
	n->fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (n->fd < 0)
		dsv_fail_errno(err, "create '%s'", path);
	free(path);
	if (n->fd < 0)
		return DSV_ESYS;
	if (note_lock(d, n->fd, err) < 0)
		return DSV_EINTERRUPTED;
	len = pread_full(n->fd, n->text, NOTE_MAX - 1, 0);
	if (len < 0)
		n->text[0] = '\0';
	if (len > HASH_HEX_SIZE && n->text[HASH_HEX_SIZE - 1] == ' ')
		ranks_parse(n->text + HASH_HEX_SIZE, &n->ranks, NULL);
	return 0;
}

/* Writes the note; an id of "" means that the files are being changed. */
static int note_write(struct note *n, const char *id,
		      const struct ranks *ranks, struct dsv_err *err)
{
	struct str text = STR_INIT;
	int ret = 0;

	str_printf(&text, "%-*s", HASH_HEX_SIZE - 1, *id ? id : "?");
	if (ranks->count > 0)
		str_putc(&text, ' ');
	ranks_print(ranks, &text);
	if (str_failed(&text))
		ret = dsv_fail_nomem(err);
	else if (ftruncate(n->fd, 0) < 0 ||
		 pwrite_all(n->fd, text.data, text.len, 0) < 0)
		ret = dsv_fail_errno(err, "note what was placed");
	str_release(&text);
	return ret;
}

/* Writes all files, or only the parts of ranks. */
static int write_files(struct dsv *d, int64_t seq, const char *dir, bool force,
		       const struct ranks *ranks, struct dsv_err *err)
{
	struct dsv_checkout_result result = { .files = 0 };
	struct dsv_checkout_options o = {
		.dir = dir, .rank = -1, .force = force
	};
	size_t i = 0;
	int ret;

	do {
		if (ranks->count > 0)
			o.rank = ranks->items[i];
		ret = checkout_seq(d, seq, &o, &result, err);
	} while (ret == 0 && ++i < ranks->count);
	return ret;
}

/* Places the files into a temporary directory, which is then renamed. */
static int place_new(struct dsv *d, int64_t seq, const char *dir,
		     const struct ranks *ranks, struct dsv_err *err)
{
	char *tmp = str_format("%s.dsv-tmp", dir);
	int ret;

	if (!tmp)
		return dsv_fail_nomem(err);
	ret = fs_remove_tree(tmp, err);
	if (ret == 0)
		ret = write_files(d, seq, tmp, false, ranks, err);
	if (ret == 0 && rename(tmp, dir) < 0)
		ret = dsv_fail_errno(err, "make '%s'", dir);
	if (ret < 0)
		fs_remove_tree(tmp, NULL);
	free(tmp);
	return ret;
}

/*
 * Places the files into an existing directory, which may be ours from an
 * earlier start.
 */
static int place_over(struct dsv *d, const struct job_placement *p,
		      struct note *n, const struct ranks *ranks,
		      struct dsv_err *err)
{
	/* The user's files must not be overwritten. */
	bool ours = n->text[0];
	int ret = ours ? note_write(n, "", &(struct ranks)RANKS_INIT, err) : 0;

	return ret < 0 ? ret :
	       write_files(d, p->seq, p->dir, ours, ranks, err);
}

/* Lists the missing ranks, and makes wanted all that will then be present. */
static int add_missing(const struct note *n, struct ranks *wanted,
		       struct ranks *missing, struct dsv_err *err)
{
	size_t i;
	int ret = 0;

	for (i = 0; ret == 0 && i < wanted->count; i++) {
		if (!ranks_has(&n->ranks, wanted->items[i]))
			ret = ranks_add(missing, wanted->items[i], err);
	}
	for (i = 0; ret == 0 && i < n->ranks.count; i++)
		ret = ranks_add(wanted, n->ranks.items[i], err);
	return ret;
}

static int place_locked(struct dsv *d, const struct job_placement *p,
			struct note *n, struct ranks *wanted,
			struct dsv_err *err)
{
	struct ranks missing = RANKS_INIT;
	unsigned char id[HASH_BYTES];
	char hex[HASH_HEX_SIZE];
	struct stat st;
	bool there = stat(p->dir, &st) == 0;
	bool same;
	int ret;

	ret = catalog_id(d->catalog, p->seq, id, err);
	if (ret < 0)
		return ret;
	hash_to_hex(id, hex);
	same = there && !strncmp(n->text, hex, HASH_HEX_SIZE - 1);
	if (same && n->ranks.count == 0)
		return 0;
	if (same && wanted->count > 0) {
		ret = add_missing(n, wanted, &missing, err);
		if (ret == 0 && missing.count > 0)
			ret = place_over(d, p, n, &missing, err);
		else if (ret == 0)
			return 0;
	} else {
		ret = there ? place_over(d, p, n, wanted, err) :
			place_new(d, p->seq, p->dir, wanted, err);
	}
	if (ret == 0)
		ret = note_write(n, hex, wanted, err);
	ranks_release(&missing);
	return ret;
}

/*
 * Determines the ranks to place.  A step with other tasks than the state has
 * parts, "srun -n1 tool" in a job whose steps have placed theirs, uses what is
 * present.
 */
static int which_ranks(struct dsv *d, const struct job_placement *p,
		       const struct note *n, struct ranks *out, bool *as_is,
		       struct dsv_err *err)
{
	struct stat st;
	int ret = p->parts > 0 ? ranks_here(d, p->parts, out, err) : 0;

	*as_is = ret == DSV_EREFUSED && n->text[0] && n->text[0] != '?' &&
		 stat(p->dir, &st) == 0;
	return *as_is ? 0 : ret;
}

int job_place_files(struct dsv *d, const struct job_placement *p,
		    struct dsv_err *err)
{
	const char *slash = strrchr(p->dir, '/');
	char *parent = slash && slash > p->dir ?
		strndup(p->dir, (size_t)(slash - p->dir)) : strdup(".");
	struct note note = { .fd = -1 };
	struct ranks wanted = RANKS_INIT;
	bool as_is = false;
	int ret;

	ret = parent ? fs_make_dirs(parent, 0, err) : dsv_fail_nomem(err);
	if (ret == 0)
		ret = note_open(d, p->dir, &note, err);
	if (ret == 0)
		ret = which_ranks(d, p, &note, &wanted, &as_is, err);
	if (ret == 0 && !as_is)
		ret = place_locked(d, p, &note, &wanted, err);
	note_close(&note);
	ranks_release(&wanted);
	free(parent);
	return ret;
}
