/* SPDX-License-Identifier: MIT */
#ifndef DSV_DB_SCHEMA_H
#define DSV_DB_SCHEMA_H

/* This is the PRAGMA application_id of catalog.db: "dsv1". */
#define SCHEMA_APPLICATION_ID 0x64737631

extern const char *const schema_migrations[];
extern const int schema_version;
/* This is 1 if triggers may run, else 0. */
extern const int schema_has_triggers;

/*
 * These numbers are stored as status.  C uses them as enums, and statements use
 * the same numbers as text.
 */
#define NUMBER_STATE_DURABLE 0
#define NUMBER_STATE_PENDING 1
#define NUMBER_STATE_LOST 2
#define NUMBER_STATE_FORGOTTEN 3
#define NUMBER_CHUNK_OK 0
#define NUMBER_CHUNK_CONDEMNED 1
#define NUMBER_CHUNK_BAD 2

/*
 * These are the values of state.status.  Only id and edges are left of a
 * forgotten state: neither log nor find shows it.
 */
enum state_status {
	STATE_DURABLE = NUMBER_STATE_DURABLE,
	STATE_PENDING = NUMBER_STATE_PENDING,
	STATE_LOST = NUMBER_STATE_LOST,
	STATE_FORGOTTEN = NUMBER_STATE_FORGOTTEN
};

/* These are the values of chunk.status. */
enum chunk_status {
	CHUNK_OK = NUMBER_CHUNK_OK,
	CHUNK_CONDEMNED = NUMBER_CHUNK_CONDEMNED,
	CHUNK_BAD = NUMBER_CHUNK_BAD
};

#define SQL_TEXT_OF(number) #number
#define SQL_TEXT(number) SQL_TEXT_OF(number)

#define SQL_STATE_DURABLE SQL_TEXT(NUMBER_STATE_DURABLE)
#define SQL_STATE_PENDING SQL_TEXT(NUMBER_STATE_PENDING)
#define SQL_STATE_LOST SQL_TEXT(NUMBER_STATE_LOST)
#define SQL_STATE_FORGOTTEN SQL_TEXT(NUMBER_STATE_FORGOTTEN)
#define SQL_CHUNK_OK SQL_TEXT(NUMBER_CHUNK_OK)
#define SQL_CHUNK_CONDEMNED SQL_TEXT(NUMBER_CHUNK_CONDEMNED)
#define SQL_CHUNK_BAD SQL_TEXT(NUMBER_CHUNK_BAD)

#endif
