/* SPDX-License-Identifier: MIT */
#include "../dsv.h"

const char *dsv_version(void)
{
	return DSV_VERSION;
}
