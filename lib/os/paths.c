/* SPDX-License-Identifier: MIT */
#include "paths.h"

#include "../base/str.h"

char *segment_path(const char *dir, const char *name, const char *suffix)
{
	return str_format("%s/" DIR_SEGMENTS "/%.2s/%s%s", dir, name, name,
			  suffix);
}

char *segment_dir_path(const char *dir, const char *digits)
{
	return str_format("%s/" DIR_SEGMENTS "/%.2s", dir, digits);
}

char *record_path(const char *dir, const char *hex)
{
	return str_format("%s/" DIR_STATES "/%.2s/%s", dir, hex, hex);
}

char *record_dir_path(const char *dir, const char *hex)
{
	return str_format("%s/" DIR_STATES "/%.2s", dir, hex);
}
