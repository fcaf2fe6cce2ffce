/* SPDX-License-Identifier: MIT */
#ifndef DSV_PENDING_QUEUE_H
#define DSV_PENDING_QUEUE_H

#include "../repo/repo.h"

/* Mark pending states whose node died with their bytes; *lost: how many. */
int queue_find_lost(struct dsv *d, int64_t *lost, struct dsv_err *err);

/* A state that is pending and captured here is stored at once. */
int queue_flush_state(struct dsv *d, int64_t seq, struct dsv_err *err);

#endif
