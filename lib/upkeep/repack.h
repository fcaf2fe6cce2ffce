/* SPDX-License-Identifier: MIT */
#ifndef DSV_UPKEEP_REPACK_H
#define DSV_UPKEEP_REPACK_H

#include "../repo/repo.h"

/*
 * Repacks when small segments have piled up, or when much of the segments is
 * dead.  A failure is only a warning: the work before it is already done.
 */
void repack_if_it_pays(struct dsv *d);

#endif
