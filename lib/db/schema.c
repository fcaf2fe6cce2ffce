/* SPDX-License-Identifier: MIT */
#include "schema.h"

/*
 * Step N takes a database from user_version N to N + 1.  Only append to these.
 */
const char *const schema_migrations[] = {
	/* These tables can be rebuilt from records and journal. */
	"CREATE TABLE meta ("
	"  key   TEXT PRIMARY KEY,"
	"  value INTEGER NOT NULL"
	") WITHOUT ROWID;"
	/*
	 * seq is the number of the last transaction, frees that of the last
	 * freeing.
	 */
	"INSERT INTO meta VALUES ('seq', 0), ('frees', 0);"

	/*
	 * A branch is a line of the lineage; a deleted one keeps its row for
	 * its states.
	 */
	"CREATE TABLE branch ("
	"  id      INTEGER PRIMARY KEY,"
	"  name    TEXT NOT NULL,"
	"  head    INTEGER,"			/* state.seq, NULL: none yet */
	"  deleted INTEGER NOT NULL DEFAULT 0"
	");"
	"CREATE UNIQUE INDEX branch_name ON branch (name) WHERE NOT deleted;"
	"CREATE INDEX branch_any ON branch (name);"
	"CREATE INDEX branch_head ON branch (head) WHERE NOT deleted;"

	/*
	 * This is an effective set of parameters, shared by all states that
	 * have it.
	 */
	"CREATE TABLE params ("
	"  id   INTEGER PRIMARY KEY,"
	"  hash BLOB NOT NULL UNIQUE"		/* SHA-256 of its JSON */
	");"
	"CREATE TABLE key ("
	"  id   INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE"
	");"
	"CREATE TABLE param ("
	"  params INTEGER NOT NULL,"
	"  key    INTEGER NOT NULL,"
	"  type   INTEGER NOT NULL,"		/* enum dsv_type */
	"  number REAL,"			/* NULL unless number, bool */
	"  text   TEXT NOT NULL,"
	"  PRIMARY KEY (params, key)"
	") WITHOUT ROWID;"
	"CREATE INDEX param_number ON param (key, type, number);"
	"CREATE INDEX param_text ON param (key, type, text);"

	"CREATE TABLE state ("
	"  seq        INTEGER PRIMARY KEY,"	/* commit order */
	"  id         BLOB NOT NULL UNIQUE,"	/* SHA-256 of the record */
	"  kind       TEXT NOT NULL,"
	"  branch     INTEGER NOT NULL REFERENCES branch,"
	"  manifest   INTEGER,"			/* NULL while pending */
	"  capture    BLOB,"			/* NULL: none was needed */
	"  params     INTEGER NOT NULL,"
	"  changed    TEXT,"			/* JSON {set, unset} or NULL */
	"  message    TEXT,"
	"  author     TEXT NOT NULL,"
	"  host       TEXT NOT NULL,"
	"  created    INTEGER NOT NULL,"	/* ns since 1970, UTC */
	"  files      INTEGER NOT NULL,"
	"  size       INTEGER NOT NULL,"	/* bytes of the files */
	"  stored     INTEGER NOT NULL,"	/* bytes it added */
	"  job        INTEGER,"
	"  generation INTEGER NOT NULL,"	/* > that of every parent */
	"  pinned     INTEGER NOT NULL DEFAULT 0,"
	"  status     INTEGER NOT NULL DEFAULT 0,"	/* enum state_status */
	"  pruned     INTEGER,"			/* ns, NULL: live */
	"  pruned_by  TEXT"			/* rule */
	");"
	"CREATE INDEX state_branch ON state (branch, seq);"
	"CREATE INDEX state_manifest ON state (manifest);"
	"CREATE INDEX state_params ON state (params, seq);"
	"CREATE INDEX state_created ON state (created);"
	"CREATE INDEX state_size ON state (size);"
	"CREATE INDEX state_kind ON state (kind, seq) WHERE kind <> 'tag';"
	"CREATE INDEX state_job ON state (job) WHERE job IS NOT NULL;"
	"CREATE INDEX state_pinned ON state (seq) WHERE pinned;"
	"CREATE INDEX state_pending ON state (seq) WHERE status <> 0;"
	"CREATE INDEX state_pruned ON state (pruned) WHERE pruned IS NOT NULL;"

	"CREATE TABLE edge ("
	"  child  INTEGER NOT NULL,"
	"  ordinal INTEGER NOT NULL,"		/* 0: the first parent */
	"  parent INTEGER NOT NULL,"
	"  PRIMARY KEY (child, ordinal)"
	") WITHOUT ROWID;"
	"CREATE INDEX edge_parent ON edge (parent, child);"

	/*
	 * These are the branches that a pruned state headed, for its restore.
	 */
	"CREATE TABLE pruned_head ("
	"  state  INTEGER NOT NULL,"
	"  branch INTEGER NOT NULL,"
	"  PRIMARY KEY (state, branch)"
	") WITHOUT ROWID;"

	"CREATE TABLE name ("
	"  name  TEXT PRIMARY KEY,"
	"  state INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX name_state ON name (state);"

	"CREATE TABLE scope ("
	"  id      INTEGER PRIMARY KEY,"
	"  name    TEXT NOT NULL UNIQUE,"
	"  created INTEGER NOT NULL,"		/* ns */
	"  closed  INTEGER"			/* ns, NULL: open */
	");"
	"CREATE TABLE scope_state ("
	"  scope INTEGER NOT NULL,"
	"  state INTEGER NOT NULL,"
	"  PRIMARY KEY (scope, state)"
	") WITHOUT ROWID;"
	"CREATE INDEX scope_of_state ON scope_state (state);"

	"CREATE TABLE attr ("
	"  state  INTEGER NOT NULL,"
	"  key    INTEGER NOT NULL,"
	"  type   INTEGER NOT NULL,"
	"  number REAL,"
	"  text   TEXT NOT NULL,"
	"  PRIMARY KEY (state, key)"
	") WITHOUT ROWID;"
	"CREATE INDEX attr_number ON attr (key, type, number, state)"
	"  WHERE type = 1;"
	"CREATE INDEX attr_text ON attr (key, type, text, state)"
	"  WHERE type <> 1;"
	"CREATE TABLE attr_history ("
	"  state  INTEGER NOT NULL,"
	"  seq    INTEGER NOT NULL,"
	"  key    INTEGER NOT NULL,"
	"  type   INTEGER,"			/* NULL: unset */
	"  text   TEXT,"
	"  time   INTEGER NOT NULL,"		/* ns */
	"  author TEXT NOT NULL,"
	"  PRIMARY KEY (state, seq, key)"
	") WITHOUT ROWID;"

	/*
	 * These are jobs that wait for, run or ran from a state, or tagged one.
	 */
	"CREATE TABLE job ("
	"  id        INTEGER PRIMARY KEY,"
	"  ticket    TEXT,"			/* 32 hex, NULL: no fork */
	"  task      INTEGER,"			/* of a sweep; NULL: none */
	"  job_id    TEXT,"			/* \"123\", \"120_3\" */
	"  cluster   TEXT,"
	"  state     TEXT NOT NULL,"		/* WAITING RUNNING ... */
	"  active    INTEGER NOT NULL,"		/* holds its state */
	"  branch    TEXT,"
	"  fork      INTEGER,"			/* state.seq it forked */
	"  fork_state INTEGER,"			/* state.seq made for it */
	"  request   TEXT,"			/* JSON of the submission */
	"  params    TEXT,"			/* JSON, effective */
	"  nodes     TEXT,"
	"  exit_code INTEGER,"
	"  signal    INTEGER,"
	"  attempt   INTEGER NOT NULL DEFAULT 0,"
	"  submitted INTEGER,"			/* ns, as the next two */
	"  started   INTEGER,"
	"  ended     INTEGER,"
	"  author    TEXT NOT NULL,"
	"  submitter TEXT"			/* JSON: its process */
	");"
	"CREATE INDEX job_ticket ON job (ticket) WHERE ticket IS NOT NULL;"
	"CREATE INDEX job_job_id ON job (job_id, cluster);"
	"CREATE INDEX job_fork ON job (fork) WHERE active;"
	"CREATE INDEX job_active ON job (active) WHERE active;"

	/* These can be rebuilt from segments and their indexes. */
	"CREATE TABLE manifest ("
	"  id   INTEGER PRIMARY KEY,"
	"  hash BLOB NOT NULL UNIQUE,"
	"  refs INTEGER NOT NULL"		/* live states */
	");"
	"CREATE TABLE recipe ("
	"  id   INTEGER PRIMARY KEY,"
	"  hash BLOB NOT NULL UNIQUE,"
	"  refs INTEGER NOT NULL"		/* live manifests */
	");"
	/* These segments hold a recipe, or a manifest, or their chunks. */
	"CREATE TABLE recipe_segment ("
	"  segment INTEGER NOT NULL,"
	"  recipe  INTEGER NOT NULL,"
	"  PRIMARY KEY (segment, recipe)"
	") WITHOUT ROWID;"
	"CREATE INDEX recipe_segment_recipe ON recipe_segment (recipe);"
	"CREATE TABLE manifest_segment ("
	"  segment  INTEGER NOT NULL,"
	"  manifest INTEGER NOT NULL,"
	"  PRIMARY KEY (segment, manifest)"
	") WITHOUT ROWID;"
	"CREATE INDEX manifest_segment_manifest ON manifest_segment (manifest);"
	/* These are the manifests of the parts that a manifest refers to. */
	"CREATE TABLE manifest_part ("
	"  hash     BLOB NOT NULL,"
	"  manifest INTEGER NOT NULL,"
	"  PRIMARY KEY (hash, manifest)"
	") WITHOUT ROWID;"
	"CREATE INDEX manifest_part_manifest ON manifest_part (manifest);"
	"CREATE TABLE segment ("
	"  id     INTEGER PRIMARY KEY,"
	"  name   TEXT NOT NULL UNIQUE,"
	"  kind   INTEGER NOT NULL,"
	"  staged INTEGER"			/* ns, NULL: committed */
	");"
	"CREATE INDEX segment_staged ON segment (staged)"
	"  WHERE staged IS NOT NULL;"
	"CREATE TABLE chunk ("
	"  hash     BLOB PRIMARY KEY,"
	"  segment  INTEGER NOT NULL,"
	"  offset   INTEGER NOT NULL,"
	"  length   INTEGER NOT NULL,"		/* plain bytes */
	"  stored   INTEGER NOT NULL,"		/* bytes in the segment */
	"  encoding INTEGER NOT NULL,"
	"  base     BLOB,"			/* of a delta */
	"  crc      INTEGER NOT NULL,"
	"  status   INTEGER NOT NULL DEFAULT 0,"	/* enum chunk_status */
	"  since    INTEGER"			/* ns, when condemned */
	") WITHOUT ROWID;"
	"CREATE INDEX chunk_segment ON chunk (segment, offset);"
	"CREATE INDEX chunk_condemned ON chunk (since) WHERE status = 1;"
	/*
	 * References were dropped; which chunks are dead is still to be found.
	 */
	"CREATE TABLE unswept ("
	"  segment INTEGER PRIMARY KEY,"
	"  since   INTEGER NOT NULL"		/* ns, 0: no grace */
	");"
	/* These bytes are being given back to the file system. */
	"CREATE TABLE freeing ("
	"  segment TEXT NOT NULL,"
	"  offset  INTEGER NOT NULL,"		/* -1: all of it */
	"  length  INTEGER NOT NULL,"
	"  PRIMARY KEY (segment, offset)"
	") WITHOUT ROWID;"

	/*
	 * These are committed, but perhaps not yet in states/ and the journal.
	 */
	"CREATE TABLE outbox ("
	"  seq     INTEGER PRIMARY KEY,"
	"  state   BLOB,"			/* id, NULL: no record */
	"  record  BLOB,"
	"  journal BLOB NOT NULL"		/* the line */
	");",
#ifdef DSV_SCHEMA_NEXT
	/* This is for t/fault: it is what a later version may do. */
	"ALTER TABLE state ADD COLUMN next INTEGER;"
	"CREATE TRIGGER state_next AFTER INSERT ON state BEGIN"
	"  UPDATE state SET next = size + 1 WHERE seq = new.seq;"
	"END;"
	"CREATE INDEX state_by_next ON state (next);"
	"UPDATE state SET next = size + 1;",
#endif
};

const int schema_version =
	sizeof(schema_migrations) / sizeof(schema_migrations[0]);

#ifdef DSV_SCHEMA_NEXT
const int schema_has_triggers = 1;
#else
const int schema_has_triggers = 0;
#endif
