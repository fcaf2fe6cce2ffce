/* SPDX-License-Identifier: MIT */
#ifndef DSV_DB_SCHEMA_H
#define DSV_DB_SCHEMA_H

/* PRAGMA application_id of catalog.db: "dsv1". */
#define SCHEMA_APPLICATION_ID 0x64737631

extern const char *const schema_migrations[];
extern const int schema_version;
/* They may run: 0 or 1. */
extern const int schema_has_triggers;

/*
 * What is stored as status: as enum in C, and as text in statements, of the
 * same number.
 */
#define NUMBER_STATE_DURABLE 0
#define NUMBER_STATE_PENDING 1
#define NUMBER_STATE_LOST 2
#define NUMBER_STATE_FORGOTTEN 3
#define NUMBER_CHUNK_OK 0
#define NUMBER_CHUNK_CONDEMNED 1
#define NUMBER_CHUNK_BAD 2

/*
 * state.status.  Of a forgotten state only id and edges are left: neither log
 * nor find shows it.
 */
enum state_status {
	STATE_DURABLE = NUMBER_STATE_DURABLE,
	STATE_PENDING = NUMBER_STATE_PENDING,
	STATE_LOST = NUMBER_STATE_LOST,
	STATE_FORGOTTEN = NUMBER_STATE_FORGOTTEN
};

/* chunk.status */
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
