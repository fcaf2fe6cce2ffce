/* SPDX-License-Identifier: MIT */
#ifndef DSV_CHECKOUT_CHECKOUT_H
#define DSV_CHECKOUT_CHECKOUT_H

#include "../repo/repo.h"

/* dsv_checkout() of a state that is known; rev, if_any, nearest: ignored. */
int checkout_seq(struct dsv *d, int64_t seq,
		 const struct dsv_checkout_options *options,
		 struct dsv_checkout_result *out, struct dsv_err *err);

/*
 * The state itself or the nearest first-parent ancestor whose bytes can be
 * had here.  DSV_ENOTFOUND: none.
 */
int checkout_nearest(struct dsv *d, int64_t seq, int64_t *out,
		     struct dsv_err *err);

#endif
