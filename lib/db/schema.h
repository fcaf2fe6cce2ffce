/* SPDX-License-Identifier: MIT */
#ifndef DSV_DB_SCHEMA_H
#define DSV_DB_SCHEMA_H

/* PRAGMA application_id of catalog.db: "dsv1". */
#define SCHEMA_APPLICATION_ID 0x64737631

extern const char *const schema_migrations[];
extern const int schema_version;
/* Whether they may run: 0 or 1. */
extern const int schema_has_triggers;

/*
 * state.status.  Of a forgotten state only id and edges are left: neither log
 * nor find shows it.
 */
enum state_status {
	STATE_DURABLE = 0,
	STATE_PENDING = 1,
	STATE_LOST = 2,
	STATE_FORGOTTEN = 3
};

/* chunk.status */
enum chunk_status { CHUNK_OK = 0, CHUNK_CONDEMNED = 1, CHUNK_BAD = 2 };

#endif
