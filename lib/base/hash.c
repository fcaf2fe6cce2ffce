/* SPDX-License-Identifier: MIT */
#include "hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

struct hash {
	EVP_MD_CTX *ctx;
};

/*
 * Setting $OPENSSL_CONF must not get foreign code loaded into us.  The first
 * call decides; later ones cost nothing.
 */
static bool begin(void)
{
	return OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
}

bool hash_bytes(const void *data, size_t len, unsigned char out[HASH_BYTES])
{
	return begin() &&
	       EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) == 1;
}

struct hash *hash_new(void)
{
	struct hash *h = begin() ? malloc(sizeof(*h)) : NULL;

	if (!h)
		return NULL;
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
		hash_free(h);
		return NULL;
	}
	return h;
}

bool hash_add(struct hash *h, const void *data, size_t len)
{
	return EVP_DigestUpdate(h->ctx, data, len) == 1;
}

bool hash_finish(struct hash *h, unsigned char out[HASH_BYTES])
{
	return EVP_DigestFinal_ex(h->ctx, out, NULL) == 1;
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hex_encode(const void *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *p = data;
	size_t i;

	for (i = 0; i < len; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * len] = '\0';
}

void hash_to_hex(const unsigned char hash[HASH_BYTES],
		 char out[HASH_HEX_SIZE])
{
	hex_encode(hash, HASH_BYTES, out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_decode(const char *text, size_t len, void *out)
{
	unsigned char *bytes = out;
	size_t i;

	for (i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

bool hash_from_hex(const char *text, unsigned char out[HASH_BYTES])
{
	unsigned char hash[HASH_BYTES];

	if (strnlen(text, HASH_HEX_SIZE) != 2 * HASH_BYTES ||
	    !hex_decode(text, HASH_BYTES, hash))
		return false;
	memcpy(out, hash, HASH_BYTES);
	return true;
}

/* This goes bit by bit, for machines without the instruction only. */
static uint32_t crc_step_soft(uint32_t crc, const unsigned char *p, size_t len)
{
	size_t i;
	int bit;

	for (i = 0; i < len; i++) {
		crc ^= p[i];
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0x82f63b78u & (0u - (crc & 1)));
	}
	return crc;
}

#if defined(__x86_64__)
#define CRC_TARGET "sse4.2"
#define crc_word(crc, word) ((uint32_t)__builtin_ia32_crc32di(crc, word))
#define crc_byte(crc, byte) __builtin_ia32_crc32qi(crc, byte)

static bool has_crc_instruction(void)
{
	return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__)
#ifdef __clang__
#define CRC_TARGET "crc"
#define crc_word(crc, word) __builtin_arm_crc32cd(crc, word)
#define crc_byte(crc, byte) __builtin_arm_crc32cb(crc, byte)
#else
#define CRC_TARGET "+crc"
#define crc_word(crc, word) __builtin_aarch64_crc32cx(crc, word)
#define crc_byte(crc, byte) __builtin_aarch64_crc32cb(crc, byte)
#endif

static bool has_crc_instruction(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#endif

#ifdef CRC_TARGET
__attribute__((target(CRC_TARGET)))
static uint32_t crc_step_hard(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t word;

	for (; len >= sizeof(word); p += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		crc = crc_word(crc, word);
	}
	for (; len > 0; p++, len--)
		crc = crc_byte(crc, *p);
	return crc;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef CRC_TARGET
	if (has_crc_instruction())
		return ~crc_step_hard(~crc, data, len);
#endif
	return ~crc_step_soft(~crc, data, len);
}

bool random_bytes(void *out, size_t len)
{
	unsigned char *p = out;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = getrandom(p, len > 256 ? 256 : len, 0);
		if (n < 0)
			return false;
	}
	return true;
}
