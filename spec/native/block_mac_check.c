/*
 * block_mac_check.c -- a MAC tells whatever a medium may do to a block; none is
 * given out that OpenSSL did not compute.
 */
#include "block_mac.h"

#include "error.h"
#include "sim.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LENGTH 70000u
#define BLOCKS 3u

static uint8_t *block_of(uint8_t first)
{
    uint8_t *block = malloc(LENGTH);

    assert_non_null(block);
    for (size_t i = 0; i < LENGTH; i++)
        block[i] = (uint8_t)(first + i * 7 + (i >> 8));
    return block;
}

static void a_block_fits_its_own_mac_only(void **state)
{
    struct sim *sim = sim_new();
    uint8_t *block = block_of(1), *other = block_of(2);
    struct up_block_mac *s;
    struct up_error err;

    (void)state;
    assert_int_equal(up_block_mac_new(&s, sim_storage(sim), BLOCKS, &err), 0);
    for (uint32_t i = 0; i < BLOCKS; i++)
        assert_false(up_block_mac_has(s, i));
    up_block_mac_put(s, 0, block, LENGTH);
    up_block_mac_put(s, 2, other, LENGTH);
    assert_true(up_block_mac_has(s, 0));
    assert_false(up_block_mac_has(s, 1));
    assert_true(up_block_mac_fits(s, 0, block, LENGTH));
    assert_true(up_block_mac_fits(s, 2, other, LENGTH));
    assert_false(up_block_mac_fits(s, 0, other, LENGTH)); /* changed places */
    assert_false(up_block_mac_fits(s, 0, block, LENGTH - 1));
    up_block_mac_put(s, 0, other, LENGTH); /* written anew */
    assert_true(up_block_mac_fits(s, 0, other, LENGTH));
    assert_false(up_block_mac_fits(s, 0, block, LENGTH));
    up_block_mac_free(s);
    up_block_mac_free(NULL);
    free(block);
    free(other);
    sim_free(sim);
}

static void any_bit_and_any_piece_counts(void **state)
{
    struct sim *sim = sim_new();
    uint8_t *block = block_of(1), *changed = block_of(1);
    struct up_block_mac *s;
    struct up_error err;

    (void)state;
    assert_int_equal(up_block_mac_new(&s, sim_storage(sim), 1, &err), 0);
    up_block_mac_put(s, 0, block, LENGTH);
    for (size_t bit = 0; bit < LENGTH * 8; bit += bit < 4096 ? 1 : 997) {
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(up_block_mac_fits(s, 0, changed, LENGTH));
        changed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t at = 0; at + 1024 <= LENGTH; at += 512) { /* two sectors that changed places */
        memcpy(changed + at, block + at + 512, 512);
        memcpy(changed + at + 512, block + at, 512);
        assert_false(up_block_mac_fits(s, 0, changed, LENGTH));
        memcpy(changed + at, block + at, 1024);
    }
    for (size_t at = 0; at + 512 <= LENGTH; at += 512) { /* one that was never written */
        memset(changed + at, 0xff, 512);
        assert_false(up_block_mac_fits(s, 0, changed, LENGTH));
        memcpy(changed + at, block + at, 512);
    }
    assert_true(up_block_mac_fits(s, 0, changed, LENGTH));
    up_block_mac_free(s);
    free(block);
    free(changed);
    sim_free(sim);
}

/* OpenSSL, of which one function fails, and what abort() does then. */
static const char *broken = "";
static jmp_buf aborted;

int __real_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t len, const OSSL_PARAM params[]);
int __wrap_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t len, const OSSL_PARAM params[]);
int __real_EVP_MAC_update(EVP_MAC_CTX *c, const unsigned char *data, size_t len);
int __wrap_EVP_MAC_update(EVP_MAC_CTX *c, const unsigned char *data, size_t len);
int __real_EVP_MAC_final(EVP_MAC_CTX *c, unsigned char *out, size_t *written, size_t size);
int __wrap_EVP_MAC_final(EVP_MAC_CTX *c, unsigned char *out, size_t *written, size_t size);
_Noreturn void __wrap_abort(void);

int __wrap_EVP_MAC_init(EVP_MAC_CTX *c, const unsigned char *key, size_t len, const OSSL_PARAM params[])
{
    return strcmp(broken, "init") == 0 ? 0 : __real_EVP_MAC_init(c, key, len, params);
}

int __wrap_EVP_MAC_update(EVP_MAC_CTX *c, const unsigned char *data, size_t len)
{
    return strcmp(broken, "update") == 0 ? 0 : __real_EVP_MAC_update(c, data, len);
}

int __wrap_EVP_MAC_final(EVP_MAC_CTX *c, unsigned char *out, size_t *written, size_t size)
{
    int rc = __real_EVP_MAC_final(c, out, written, size);

    if (strcmp(broken, "length") == 0)
        *written = size - 1;
    return strcmp(broken, "final") == 0 ? 0 : rc;
}

_Noreturn void __wrap_abort(void)
{
    longjmp(aborted, 1);
}

static void what_was_not_computed_fits_nothing(void **state)
{
    static const char *const parts[] = {"init", "update", "final", "length"};
    struct sim *sim = sim_new();
    struct up_error err;
    struct up_block_mac *s = NULL;

    (void)state;
    broken = "init";
    assert_int_equal(up_block_mac_new(&s, sim_storage(sim), 1, &err), UP_INTERNAL);
    assert_non_null(strstr(err.message, "OpenSSL refuses"));
    broken = "";
    sim_fail(sim, SIM_GET_RANDOM, 1, 5, false);
    assert_int_equal(up_block_mac_new(&s, sim_storage(sim), 1, &err), UP_INTERNAL);
    assert_non_null(strstr(err.message, "no random bytes"));
    assert_null(s);
    assert_int_equal(up_block_mac_new(&s, sim_storage(sim), 1, &err), 0);
    up_block_mac_put(s, 0, "block", 5);
    for (volatile size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        volatile bool came_back = false;

        broken = parts[i];
        if (setjmp(aborted) == 0) {
            (void)up_block_mac_fits(s, 0, "block", 5);
            came_back = true;
        }
        broken = "";
        if (came_back)
            fail_msg("%s failed, and it went on", parts[i]);
    }
    assert_true(up_block_mac_fits(s, 0, "block", 5));
    up_block_mac_free(s);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_fits_its_own_mac_only),
        cmocka_unit_test(any_bit_and_any_piece_counts),
        cmocka_unit_test(what_was_not_computed_fits_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
