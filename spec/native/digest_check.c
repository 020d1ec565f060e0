/*
 * digest_check.c -- digests against published values, contexts used again, hex;
 * and that none is given out that OpenSSL did not compute.
 */
#include "digest.h"

#include "error.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static const char abc_sha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
static const char empty_sha256[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct vector {
    enum up_digest_kind kind;
    const char *text, *hex;
};

/* FIPS 180-4, RFC 1321 and RFC 7693. */
static const struct vector vectors[] = {
    {UP_SHA256, "", empty_sha256},
    {UP_SHA256, "abc", abc_sha256},
    {UP_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {UP_MD5, "abc", "900150983cd24fb0d6963f7d28e17f72"},
    {UP_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
    {UP_BLAKE2B512, "abc",
     "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
     "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
};

static void digests_match_published_values(void **state)
{
    uint8_t out[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        struct up_digest *d;

        assert_int_equal(up_digest_new(&d, v->kind, &err), 0);
        for (const char *p = v->text; *p; p++)
            up_digest_update(d, p, 1);
        up_hex(out, up_digest_final(d, out), hex);
        assert_string_equal(hex, v->hex);
        up_digest_free(d);
    }
}

static void a_context_hashes_one_message_after_another(void **state)
{
    uint8_t out[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    struct up_digest *d;

    (void)state;
    assert_int_equal(up_digest_new(&d, UP_SHA256, NULL), 0);
    for (int round = 0; round < 3; round++) {
        up_digest_update(d, "abc", 3);
        assert_int_equal(up_digest_final(d, out), UP_SHA256_SIZE);
        up_hex(out, UP_SHA256_SIZE, hex);
        assert_string_equal(hex, abc_sha256);
    }
    up_digest_update(d, "something else", 14);
    up_digest_reset(d);
    up_digest_update(d, NULL, 0);
    up_digest_final(d, out);
    up_hex(out, UP_SHA256_SIZE, hex);
    assert_string_equal(hex, empty_sha256);
    up_digest_free(d);
    up_digest_free(NULL);
}

static void one_buffer_is_hashed_at_once(void **state)
{
    uint8_t out[UP_SHA256_SIZE];
    char hex[2 * UP_SHA256_SIZE + 1];

    (void)state;
    up_sha256("abc", 3, out);
    up_hex(out, sizeof out, hex);
    assert_string_equal(hex, abc_sha256);
    up_sha256(NULL, 0, out);
    up_hex(out, sizeof out, hex);
    assert_string_equal(hex, empty_sha256);
}

static void hex_is_read_exactly(void **state)
{
    static const char *const refused[] = {"", "0", "00f", "00fff", "00fg", "0 ff", "00ff ", "00ff00", "-0ff"};
    const uint8_t want[2] = {0x00, 0xff};
    uint8_t out[2];
    char hex[5];

    (void)state;
    assert_int_equal(up_unhex("00fF", out, 2), 0);
    assert_memory_equal(out, want, 2);
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        assert_int_equal(up_unhex(refused[i], out, 2), -1);
    assert_int_equal(up_unhex("", out, 0), 0);
    up_hex(want, 2, hex);
    assert_string_equal(hex, "00ff");
    up_hex(want, 0, hex);
    assert_string_equal(hex, "");
}

struct hmac_vector {
    enum up_hmac_kind kind;
    const char *key, *text, *hex;
};

/* RFC 4231 case 2 and RFC 2202 case 2. */
static const struct hmac_vector hmac_vectors[] = {
    {UP_HMAC_SHA256, "Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {UP_HMAC_SHA1, "Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {UP_HMAC_SHA256, "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
};

static void hmacs_match_published_values(void **state)
{
    static const char long_key[1025];
    uint8_t out[UP_DIGEST_MAX];
    char hex[2 * UP_DIGEST_MAX + 1];
    struct up_error err;

    (void)state;
    for (size_t i = 0; i < sizeof hmac_vectors / sizeof hmac_vectors[0]; i++) {
        const struct hmac_vector *v = &hmac_vectors[i];
        int size = up_hmac(v->kind, v->key, strlen(v->key), v->text, strlen(v->text), out, &err);

        assert_int_equal(size, strlen(v->hex) / 2);
        up_hex(out, (size_t)size, hex);
        assert_string_equal(hex, v->hex);
    }
    assert_true(up_hmac(UP_HMAC_SHA1, long_key, 1024, "", 0, out, &err) == 20);
    assert_int_equal(up_hmac(UP_HMAC_SHA1, long_key, 1025, "", 0, out, &err), UP_USAGE);
}

/* OpenSSL, of which one function fails, and what abort() does then. */
static const char *broken = "";
static jmp_buf aborted;

#define BREAKABLE(type, name, failure, parameters, arguments)                  \
    type __real_##name parameters;                                             \
    type __wrap_##name parameters;                                             \
    type __wrap_##name parameters                                              \
    {                                                                          \
        return strcmp(broken, #name) == 0 ? failure : __real_##name arguments; \
    }

BREAKABLE(int, EVP_DigestInit_ex2, 0, (EVP_MD_CTX * c, const EVP_MD *type, const OSSL_PARAM *p), (c, type, p))
BREAKABLE(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * c, const void *data, size_t len), (c, data, len))
BREAKABLE(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * c, unsigned char *out, unsigned *len), (c, out, len))
BREAKABLE(unsigned char *, HMAC, NULL,
          (const EVP_MD *type, const void *key, int key_len, const unsigned char *data, size_t len,
           unsigned char *out, unsigned *written),
          (type, key, key_len, data, len, out, written))

int __real_EVP_Digest(const void *data, size_t len, unsigned char *out, unsigned *written, const EVP_MD *type,
                      ENGINE *e);
int __wrap_EVP_Digest(const void *data, size_t len, unsigned char *out, unsigned *written, const EVP_MD *type,
                      ENGINE *e);

int __wrap_EVP_Digest(const void *data, size_t len, unsigned char *out, unsigned *written, const EVP_MD *type,
                      ENGINE *e)
{
    int rc = __real_EVP_Digest(data, len, out, written, type, e);

    if (strcmp(broken, "a short EVP_Digest") == 0)
        *written = 20;
    return strcmp(broken, "EVP_Digest") == 0 ? 0 : rc;
}

_Noreturn void __wrap_abort(void);

_Noreturn void __wrap_abort(void)
{
    longjmp(aborted, 1);
}

static void reset(struct up_digest *d)
{
    up_digest_reset(d);
}

static void update(struct up_digest *d)
{
    up_digest_update(d, "abc", 3);
}

static void final(struct up_digest *d)
{
    uint8_t out[UP_DIGEST_MAX];

    up_digest_final(d, out);
}

static void at_once(struct up_digest *d)
{
    uint8_t out[UP_SHA256_SIZE];

    (void)d;
    up_sha256("abc", 3, out);
}

static void what_was_not_computed_is_given_to_nobody(void **state)
{
    static const struct {
        const char *broken;
        void (*step)(struct up_digest *d);
    } cases[] = {
        {"EVP_DigestInit_ex2", reset}, {"EVP_DigestUpdate", update},    {"EVP_DigestFinal_ex", final},
        {"EVP_Digest", at_once},       {"a short EVP_Digest", at_once},
    };
    uint8_t out[UP_DIGEST_MAX];
    struct up_digest *d;
    struct up_error err;

    (void)state;
    assert_int_equal(up_digest_new(&d, UP_SHA256, &err), 0);
    for (volatile size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        volatile bool came_back = false;

        broken = cases[i].broken;
        if (setjmp(aborted) == 0) {
            cases[i].step(d);
            came_back = true;
        }
        broken = "";
        if (came_back)
            fail_msg("%s failed, and it went on", cases[i].broken);
    }
    up_digest_free(d);
    broken = "HMAC";
    assert_int_equal(up_hmac(UP_HMAC_SHA256, "key", 3, "text", 4, out, &err), UP_INTERNAL);
    broken = "";
    assert_int_equal(up_digest_new(&d, (enum up_digest_kind)99, &err), UP_INTERNAL);
    assert_non_null(strstr(err.message, "digest unknown"));
    assert_null(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_match_published_values),
        cmocka_unit_test(hmacs_match_published_values),
        cmocka_unit_test(a_context_hashes_one_message_after_another),
        cmocka_unit_test(one_buffer_is_hashed_at_once),
        cmocka_unit_test(hex_is_read_exactly),
        cmocka_unit_test(what_was_not_computed_is_given_to_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
