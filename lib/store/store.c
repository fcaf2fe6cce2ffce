/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "../base/list.h"
#include "../os/fs.h"
#include "../os/paths.h"

#define THREADS_BY_DEFAULT 8
#define THREADS_AT_MOST 32	/* each has a segment of OPEN_SEGMENTS */

int store_open(const struct store_options *options, struct store **out,
	       struct dsv_err *err)
{
	struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return dsv_fail_nomem(err);
	s->dir = strdup(options->dir);
	if (!s->dir) {
		free(s);
		return dsv_fail_nomem(err);
	}
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->lookup_lock, NULL);
	s->file_mode = options->file_mode;
	s->dir_mode = options->dir_mode;
	s->fsync = options->fsync;
	s->threads = options->threads > 0 ? options->threads :
		     pool_processors(THREADS_BY_DEFAULT);
	if (s->threads > THREADS_AT_MOST)
		s->threads = THREADS_AT_MOST;
	s->lookup = options->lookup;
	s->lookup_arg = options->lookup_arg;
	s->statcache = options->statcache;
	s->remember = options->remember && !options->statcache;
	s->progress = options->progress;
	s->progress_arg = options->progress_arg;
	s->interrupted = options->interrupted;
	*out = s;
	return 0;
}

void store_forget(struct store *s)
{
	store_lookup_anew(s);
	segment_close_all(s);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	segment_close_all(s);
	statcache_close(s->own_statcache);
	while (s->buffer_count > 0)
		free(s->buffers[--s->buffer_count]);
	free(s->buffers);
	pthread_mutex_destroy(&s->lookup_lock);
	pthread_mutex_destroy(&s->lock);
	free(s->dir);
	free(s);
}

int store_poll(const struct store *s, struct dsv_err *err)
{
	/* A handler that runs in another thread may set it. */
	if (s->interrupted &&
	    __atomic_load_n(s->interrupted, __ATOMIC_RELAXED))
		return dsv_fail(err, DSV_EINTERRUPTED, "interrupted");
	return 0;
}

void store_count(struct store *s, int64_t bytes)
{
	pthread_mutex_lock(&s->lock);
	s->done_bytes += bytes;
	pthread_mutex_unlock(&s->lock);
}

void store_begin(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	s->done_bytes = 0;
	pthread_mutex_unlock(&s->lock);
}

void store_tell(struct store *s)
{
	int64_t done;

	if (!s->progress)
		return;
	pthread_mutex_lock(&s->lock);
	done = s->done_bytes;
	pthread_mutex_unlock(&s->lock);
	s->progress(s->progress_arg, done);
}

void store_remember_open(struct store *s)
{
	char host[256];
	char *path;

	if (!s->remember)
		return;
	s->remember = false;
	if (gethostname(host, sizeof(host)) < 0)
		return;
	host[sizeof(host) - 1] = '\0';
	path = strchr(host, '/') ? NULL :
	       str_format("%s/" DIR_TMP "/statcache-%s-%lu", s->dir, host,
			  (unsigned long)geteuid());
	if (path && statcache_open(path, &s->own_statcache, NULL) == 0)
		s->statcache = s->own_statcache;
	free(path);
}

void store_remember_save(struct store *s)
{
	if (s->own_statcache)
		statcache_save(s->own_statcache, 0600, NULL);
}

void *store_buffer_get(struct store *s)
{
	void *buffer = NULL;

	pthread_mutex_lock(&s->lock);
	if (s->buffer_count > 0)
		buffer = s->buffers[--s->buffer_count];
	pthread_mutex_unlock(&s->lock);
	return buffer ? buffer : malloc(CHUNK_LIMIT_BYTES);
}

void store_buffer_put(struct store *s, void *buffer)
{
	if (!buffer)
		return;
	pthread_mutex_lock(&s->lock);
	if (list_grow((void **)&s->buffers, s->buffer_count, sizeof(buffer),
		      NULL) == 0) {
		s->buffers[s->buffer_count++] = buffer;
		buffer = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	free(buffer);
}

bool segment_name_is_valid(const char *name)
{
	return strnlen(name, SEGMENT_NAME_SIZE) == SEGMENT_NAME_SIZE - 1 &&
	       strspn(name, "0123456789abcdef") == SEGMENT_NAME_SIZE - 1;
}

bool is_zero(const void *data, size_t len)
{
	const unsigned char *p = data;

	return len == 0 || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

int store_seal(const struct store *s, int fd)
{
	struct stat st;

	/* In a shared repository any member may free its bytes. */
	if (s->file_mode)
		return fchmod(fd, s->file_mode);
	if (fstat(fd, &st) < 0)
		return -1;
	return fchmod(fd, st.st_mode & 0444);
}
