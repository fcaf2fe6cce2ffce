/* SPDX-License-Identifier: MIT */
/* SHA-256 (by libcrypto), CRC-32C and hexadecimal. */
#ifndef DSV_BASE_HASH_H
#define DSV_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32
#define HASH_HEX_SIZE 65

/*
 * Hashes one piece of data; returns false when libcrypto fails (out of memory).
 */
bool hash_bytes(const void *data, size_t len, unsigned char out[HASH_BYTES]);

/*
 * Hashes several pieces of data.  hash_new() returns NULL when out of memory.
 */
struct hash;
struct hash *hash_new(void);
bool hash_add(struct hash *h, const void *data, size_t len);
bool hash_finish(struct hash *h, unsigned char out[HASH_BYTES]);
void hash_free(struct hash *h);

void hash_to_hex(const unsigned char hash[HASH_BYTES],
		 char out[HASH_HEX_SIZE]);
/* Returns false unless text is 64 lower-case hexadecimal digits. */
bool hash_from_hex(const char *text, unsigned char out[HASH_BYTES]);

/* Writes len bytes as 2 * len digits and a NUL. */
void hex_encode(const void *data, size_t len, char *out);
/*
 * Reads len bytes from 2 * len lower-case digits; returns false if the text is
 * anything else.
 */
bool hex_decode(const char *text, size_t len, void *out);

/* Computes CRC-32C (Castagnoli), as iSCSI does; crc is 0 in the first call. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* Gets len random bytes from the kernel; returns false if it cannot. */
bool random_bytes(void *out, size_t len);

#endif
