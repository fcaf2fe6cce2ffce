/* SPDX-License-Identifier: MIT */
#include "find.h"

#include <string.h>

/* Sorted as in dsv(1).  "s" is the row of state. */
static const struct find_field fields[] = {
	{ "id", FIND_TEXT, false, "lower(hex(s.id))", NULL,
	  FIND_BY_ID, NULL },
	{ "id:short", FIND_TEXT, false, "lower(substr(hex(s.id), 1, 12))",
	  NULL, FIND_NO_INDEX, NULL },
	{ "parents", FIND_TEXT, true, "lower(hex(y.id))",
	  "FROM edge AS x JOIN state AS y ON y.seq = x.parent"
	  " WHERE x.child = s.seq", FIND_NO_INDEX, NULL },
	{ "kind", FIND_TEXT, false, "s.kind", NULL, FIND_BY_KIND, NULL },
	{ "branch", FIND_TEXT, false,
	  "(SELECT name FROM branch WHERE id = s.branch)", NULL, FIND_BY_VALUE,
	  "SELECT seq FROM state WHERE branch IN"
	  " (SELECT id FROM branch WHERE name" },
	{ "name", FIND_TEXT, true, "x.name",
	  "FROM name AS x WHERE x.state = s.seq", FIND_BY_VALUE,
	  "SELECT DISTINCT state FROM (SELECT state FROM name WHERE name" },
	{ "message", FIND_TEXT, true, "s.message", NULL, FIND_NO_INDEX, NULL },
	{ "author", FIND_TEXT, false, "s.author", NULL, FIND_NO_INDEX, NULL },
	{ "host", FIND_TEXT, false, "s.host", NULL, FIND_NO_INDEX, NULL },
	{ "created", FIND_TIME, false, "s.created", NULL, FIND_BY_VALUE,
	  "SELECT seq FROM state WHERE (created" },
	{ "created:relative", FIND_TIME, false, "s.created", NULL,
	  FIND_BY_VALUE, "SELECT seq FROM state WHERE (created" },
	{ "created:unix", FIND_NUMBER, false, "(s.created / 1000000000)", NULL,
	  FIND_NO_INDEX, NULL },
	{ "content", FIND_TEXT, true,
	  "(SELECT lower(hex(hash)) FROM manifest WHERE id = s.manifest)",
	  NULL, FIND_BY_CONTENT, NULL },
	{ "files", FIND_SIZE, false, "s.files", NULL, FIND_NO_INDEX, NULL },
	{ "size", FIND_SIZE, false, "s.size", NULL, FIND_BY_VALUE,
	  "SELECT seq FROM state WHERE (size" },
	{ "stored", FIND_SIZE, false, "s.stored", NULL, FIND_NO_INDEX, NULL },
	{ "scope", FIND_TEXT, true, "y.name",
	  "FROM scope_state AS x JOIN scope AS y ON y.id = x.scope"
	  " WHERE x.state = s.seq", FIND_BY_VALUE,
	  "SELECT DISTINCT x.state FROM scope AS y JOIN scope_state AS x"
	  " ON x.scope = y.id WHERE (y.name" },
	{ "scopes", FIND_TEXT, true, "y.name",
	  "FROM scope_state AS x JOIN scope AS y ON y.id = x.scope"
	  " WHERE x.state = s.seq", FIND_BY_VALUE,
	  "SELECT DISTINCT x.state FROM scope AS y JOIN scope_state AS x"
	  " ON x.scope = y.id WHERE (y.name" },
	{ "pinned", FIND_FLAG, false, "(s.pinned <> 0)", NULL, FIND_BY_FLAG,
	  "SELECT seq FROM state WHERE pinned" },
	{ "pruned", FIND_FLAG, false, "(s.pruned IS NOT NULL)", NULL,
	  FIND_BY_FLAG, "SELECT seq FROM state WHERE pruned IS NOT NULL" },
	{ "pending", FIND_FLAG, false, "(s.status = " SQL_STATE_PENDING ")",
	  NULL, FIND_BY_FLAG,
	  "SELECT seq FROM state WHERE status <> " SQL_STATE_DURABLE
	  " AND status = " SQL_STATE_PENDING },
	{ "job.id", FIND_TEXT, true,
	  "(SELECT job_id FROM job WHERE id = s.job)", NULL, FIND_BY_VALUE,
	  "SELECT y.seq FROM job AS x JOIN state AS y ON y.job = x.id"
	  " WHERE (x.job_id" },
	{ "job.state", FIND_TEXT, true,
	  "(SELECT state FROM job WHERE id = s.job)", NULL, FIND_NO_INDEX,
	  NULL },
	{ "job.nodes", FIND_TEXT, true,
	  "(SELECT nodes FROM job WHERE id = s.job)", NULL, FIND_NO_INDEX,
	  NULL },
	{ "job.exit", FIND_NUMBER, true,
	  "(SELECT exit_code FROM job WHERE id = s.job)", NULL, FIND_NO_INDEX,
	  NULL },
};

const struct find_field *find_field(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	}
	return NULL;
}
