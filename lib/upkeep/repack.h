/* SPDX-License-Identifier: MIT */
#ifndef DSV_UPKEEP_REPACK_H
#define DSV_UPKEEP_REPACK_H

#include "../repo/repo.h"

/*
 * When small segments have piled up, or much in segments is dead.  A failure
 * is a warning: what was to be done before is done.
 */
void repack_if_it_pays(struct dsv *d);

#endif
