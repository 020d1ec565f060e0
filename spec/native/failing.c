#include "failing.h"

#include <errno.h>
#include <jansson.h>
#include <lzma.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define TABLE (1u << 16) /* blocks that live at once, far more than there are */

static unsigned long asked, victim;
static bool counting;

/* What lives: an open hash table of addresses. */
static void *live[TABLE];
static size_t live_count;

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __real_free(void *block);
void __wrap_free(void *block);

static size_t slot_of(const void *block)
{
    size_t i = (size_t)(((uintptr_t)block >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 48);

    while (live[i % TABLE] && live[i % TABLE] != block)
        i++;
    return i % TABLE;
}

static void *born(void *block)
{
    if (block && counting) {
        live[slot_of(block)] = block;
        live_count++;
    }
    return block;
}

static void died(const void *block)
{
    size_t i = slot_of(block);

    if (!block || !live[i])
        return;
    live[i] = NULL;
    live_count--;
    /* Those that had to go further find their places anew. */
    for (i = (i + 1) % TABLE; live[i]; i = (i + 1) % TABLE) {
        void *other = live[i];

        live[i] = NULL;
        live[slot_of(other)] = other;
    }
}

static int forced;

void failing_error(int error)
{
    forced = error;
}

bool failing_now(int error)
{
    if (!counting || ++asked != victim)
        return false;
    errno = forced ? forced : error;
    return true;
}

static bool fails(void)
{
    return failing_now(ENOMEM);
}

void failing_start(unsigned long n)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    asked = 0;
    victim = n;
    counting = true;
}

unsigned long failing_stop(void)
{
    counting = false;
    return asked;
}

size_t failing_live(void)
{
    return live_count;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : born(malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : born(calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    void *block;

    if (fails())
        return NULL;
    died(old);
    block = realloc(old, size);
    return born(block);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : born(strdup(text));
}

void __wrap_free(void *block)
{
    died(block);
    __real_free(block);
}

/* What libraries allocate for us: the calls that fail for want of memory. */

EVP_MD_CTX *__real_EVP_MD_CTX_new(void);
EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void);
EVP_MD *__real_EVP_MD_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties);
EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties);
int __real_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM params[]);
int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM params[]);
EVP_PKEY *__real_EVP_PKEY_new_raw_public_key(int type, ENGINE *e, const unsigned char *key, size_t len);
EVP_PKEY *__wrap_EVP_PKEY_new_raw_public_key(int type, ENGINE *e, const unsigned char *key, size_t len);
EVP_PKEY *__real_EVP_PKEY_new_raw_private_key(int type, ENGINE *e, const unsigned char *key, size_t len);
EVP_PKEY *__wrap_EVP_PKEY_new_raw_private_key(int type, ENGINE *e, const unsigned char *key, size_t len);
ZSTD_DCtx *__real_ZSTD_createDCtx(void);
ZSTD_DCtx *__wrap_ZSTD_createDCtx(void);
ZSTD_CCtx *__real_ZSTD_createCCtx(void);
ZSTD_CCtx *__wrap_ZSTD_createCCtx(void);
lzma_ret __real_lzma_raw_decoder(lzma_stream *stream, const lzma_filter *filters);
lzma_ret __wrap_lzma_raw_decoder(lzma_stream *stream, const lzma_filter *filters);
lzma_ret __real_lzma_raw_encoder(lzma_stream *stream, const lzma_filter *filters);
lzma_ret __wrap_lzma_raw_encoder(lzma_stream *stream, const lzma_filter *filters);

EVP_MAC *__real_EVP_MAC_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties);
EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties);
EVP_MAC_CTX *__real_EVP_MAC_CTX_new(EVP_MAC *algorithm);
EVP_MAC_CTX *__wrap_EVP_MAC_CTX_new(EVP_MAC *algorithm);

EVP_MAC *__wrap_EVP_MAC_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties)
{
    return fails() ? NULL : __real_EVP_MAC_fetch(context, name, properties);
}

EVP_MAC_CTX *__wrap_EVP_MAC_CTX_new(EVP_MAC *algorithm)
{
    return fails() ? NULL : __real_EVP_MAC_CTX_new(algorithm);
}

EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void)
{
    return fails() ? NULL : __real_EVP_MD_CTX_new();
}

EVP_MD *__wrap_EVP_MD_fetch(OSSL_LIB_CTX *context, const char *name, const char *properties)
{
    return fails() ? NULL : __real_EVP_MD_fetch(context, name, properties);
}

int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *context, const EVP_MD *type, const OSSL_PARAM params[])
{
    /* Starting anew with the same algorithm allocates nothing. */
    return type && fails() ? 0 : __real_EVP_DigestInit_ex2(context, type, params);
}

EVP_PKEY *__wrap_EVP_PKEY_new_raw_public_key(int type, ENGINE *e, const unsigned char *key, size_t len)
{
    return fails() ? NULL : __real_EVP_PKEY_new_raw_public_key(type, e, key, len);
}

EVP_PKEY *__wrap_EVP_PKEY_new_raw_private_key(int type, ENGINE *e, const unsigned char *key, size_t len)
{
    return fails() ? NULL : __real_EVP_PKEY_new_raw_private_key(type, e, key, len);
}

/* What the signatures ask of OpenSSL, which allocates below. */

int __real_EVP_DigestVerifyInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                                EVP_PKEY *key);
int __wrap_EVP_DigestVerifyInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                                EVP_PKEY *key);
int __real_EVP_DigestSignInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                              EVP_PKEY *key);
int __wrap_EVP_DigestSignInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                              EVP_PKEY *key);
int __real_EVP_DigestSign(EVP_MD_CTX *context, unsigned char *signature, size_t *size,
                          const unsigned char *data, size_t len);
int __wrap_EVP_DigestSign(EVP_MD_CTX *context, unsigned char *signature, size_t *size,
                          const unsigned char *data, size_t len);
int __real_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);
int __wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);

int __wrap_EVP_DigestVerifyInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                                EVP_PKEY *key)
{
    return fails() ? 0 : __real_EVP_DigestVerifyInit(context, out, type, e, key);
}

int __wrap_EVP_DigestSignInit(EVP_MD_CTX *context, EVP_PKEY_CTX **out, const EVP_MD *type, ENGINE *e,
                              EVP_PKEY *key)
{
    return fails() ? 0 : __real_EVP_DigestSignInit(context, out, type, e, key);
}

int __wrap_EVP_DigestSign(EVP_MD_CTX *context, unsigned char *signature, size_t *size,
                          const unsigned char *data, size_t len)
{
    return fails() ? 0 : __real_EVP_DigestSign(context, signature, size, data, len);
}

int __wrap_EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len)
{
    return fails() ? 0 : __real_EVP_PKEY_get_raw_public_key(key, out, len);
}

ZSTD_DCtx *__wrap_ZSTD_createDCtx(void)
{
    return fails() ? NULL : __real_ZSTD_createDCtx();
}

ZSTD_CCtx *__wrap_ZSTD_createCCtx(void)
{
    return fails() ? NULL : __real_ZSTD_createCCtx();
}

lzma_ret __wrap_lzma_raw_decoder(lzma_stream *stream, const lzma_filter *filters)
{
    return fails() ? LZMA_MEM_ERROR : __real_lzma_raw_decoder(stream, filters);
}

lzma_ret __wrap_lzma_raw_encoder(lzma_stream *stream, const lzma_filter *filters)
{
    return fails() ? LZMA_MEM_ERROR : __real_lzma_raw_encoder(stream, filters);
}
