/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 (libcrypto), CRC-32C and hexadecimal.
 */
#ifndef DSV_BASE_HASH_H
#define DSV_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_BYTES 32
#define HASH_HEX_SIZE 65

/* SHA-256 of one piece; false when libcrypto fails (out of memory). */
bool hash_bytes(const void *data, size_t len, unsigned char out[HASH_BYTES]);

/* Of several pieces.  NULL when out of memory. */
struct hash;
struct hash *hash_new(void);
bool hash_add(struct hash *h, const void *data, size_t len);
bool hash_finish(struct hash *h, unsigned char out[HASH_BYTES]);
void hash_free(struct hash *h);

void hash_to_hex(const unsigned char hash[HASH_BYTES],
		 char out[HASH_HEX_SIZE]);
/* False unless text is 64 lower-case hexadecimal digits. */
bool hash_from_hex(const char *text, unsigned char out[HASH_BYTES]);

/* len bytes as 2 * len digits and a NUL. */
void hex_encode(const void *data, size_t len, char *out);
/* len bytes of twice as many lower-case digits; false: they are not. */
bool hex_decode(const char *text, size_t len, void *out);

/* CRC-32C (Castagnoli), as iSCSI has it; crc is 0 at first. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* len random bytes from the kernel; false when it has none. */
bool random_bytes(void *out, size_t len);

#endif
