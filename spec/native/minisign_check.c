/* Keys and signatures: ours and the stock tool's, and what is refused. */
#include "scratch.h"

#include "ed25519.h"
#include "minisign.h"
#include "sim.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char data[] = "the signed bytes";
static const char comment_text[] = "moult manifest sequence 7";

/* Run a shell command in the scratch directory; its exit code. */
static int run(const struct scratch *s, const char *command)
{
    char line[1024];

    snprintf(line, sizeof line, "cd %s && { %s; } >out.txt 2>&1 </dev/null", s->dir, command);
    return WEXITSTATUS(system(line));
}

static bool have_minisign(const struct scratch *s)
{
    bool have = run(s, "command -v minisign") == 0;

    if (!have)
        print_message("stock minisign is not installed: interoperation not checked\n");
    return have;
}

static void keygen(const struct scratch *s, const char *name)
{
    char path[512];
    struct up_error err;

    must(up_signing_key_generate(s->storage, scratch_path(s, name, path), &err), &err);
}

static struct up_keyring *ring_of(const struct scratch *s, const char *name)
{
    struct up_keyring *ring;
    char path[512];
    struct up_error err;

    must(up_keyring_open(&ring, s->storage, scratch_path(s, name, path), &err), &err);
    return ring;
}

static size_t sign(const struct scratch *s, const char *key_name, char sig[UP_MINISIG_MAX])
{
    struct up_secret *key;
    struct up_error err;
    char path[512];
    size_t len;

    must(up_signing_key_load(&key, s->storage, scratch_path(s, key_name, path), &err), &err);
    must(up_signing_key_sign(key, data, sizeof data - 1, comment_text, sig, &len, &err), &err);
    up_signing_key_free(key);
    return len;
}

static int verify(const struct up_keyring *ring, const char *sig, size_t len, struct up_error *err)
{
    char comment[UP_TRUSTED_COMMENT_MAX];
    int rc = up_keyring_verify(ring, data, sizeof data - 1, sig, len, comment, err);

    if (rc == 0)
        assert_string_equal(comment, comment_text);
    return rc;
}

static void test_round_trip(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], again[UP_MINISIG_MAX], path[512], comment[UP_TRUSTED_COMMENT_MAX];
    struct up_keyring *ring;
    struct up_error err;
    struct stat st;
    size_t len;

    keygen(s, "release");
    assert_int_equal(stat(scratch_path(s, "release.key", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    len = sign(s, "release.key", sig);
    assert_int_equal(sign(s, "release.key", again), len);
    assert_memory_equal(sig, again, len); /* the same each time */
    ring = ring_of(s, "release.pub");
    must(verify(ring, sig, len, &err), &err);
    must_fail(up_keyring_verify(ring, data, 3, sig, len, comment, &err), UP_UNTRUSTED, "did not sign", &err);
    up_keyring_free(ring);
}

static void test_keygen_overwrites_nothing(void **state)
{
    struct scratch *s = *state;
    char path[512], *before, *after;
    struct up_error err;
    size_t len;

    keygen(s, "release");
    before = scratch_read(s, "release.key", &len);
    scratch_path(s, "release", path);
    must_fail(up_signing_key_generate(s->storage, path, &err), UP_USAGE, "already", &err);
    after = scratch_read(s, "release.key", NULL);
    assert_string_equal(before, after);
    free(after);
    /* The public file alone, and the secret one alone, stop it too. */
    assert_int_equal(run(s, "mv release.key kept"), 0);
    must_fail(up_signing_key_generate(s->storage, path, &err), UP_USAGE, "release.pub", &err);
    assert_int_equal(run(s, "test -e release.key"), 1);
    assert_int_equal(run(s, "mv kept release.key; rm release.pub"), 0);
    must_fail(up_signing_key_generate(s->storage, path, &err), UP_USAGE, "release.key", &err);
    assert_int_equal(run(s, "test -e release.pub"), 1);
    free(before);
}

/* Whatever fails while a key is made: it is said, and half a key is not left. */
static void test_keygen_leaves_all_or_nothing(void **state)
{
    static const enum sim_op ops[] = {SIM_GET_RANDOM, SIM_OPEN, SIM_PWRITE, SIM_SYNC};
    char name[4100];
    struct up_error err;
    struct sim *sim = sim_new();

    (void)state;
    memset(name, 'k', sizeof name);
    name[0] = '/';
    for (size_t len = 4090; len < 4093; len++) { /* ".key" would fit, ".pub" would not; neither does */
        name[len] = '\0';
        if (len < 4092)
            assert_int_not_equal(up_signing_key_generate(sim_storage(sim), name, &err), 0);
        else
            must_fail(up_signing_key_generate(sim_storage(sim), name, &err), UP_USAGE, "too long", &err);
        name[len] = 'k';
    }
    sim_free(sim);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        bool met = true;

        for (unsigned n = 1; met; n++) {
            int rc;

            sim = sim_new();
            sim_fail(sim, ops[i], n, ENOSPC, false);
            rc = up_signing_key_generate(sim_storage(sim), "/key", &err);
            met = sim_calls(sim, ops[i]) >= n;
            if (met)
                must_fail(rc, ops[i] == SIM_GET_RANDOM ? UP_INTERNAL : UP_NOSPACE, strerror(ENOSPC), &err);
            else
                must(rc, &err);
            assert_int_equal(sim_exists(sim, "/key.key"), !met);
            assert_int_equal(sim_exists(sim, "/key.pub"), !met);
            assert_int_equal(sim_open_files(sim), 0);
            sim_free(sim);
        }
    }
}

static void test_every_byte_of_a_signature(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX];
    struct up_keyring *ring;
    struct up_error err;
    size_t len, first;

    keygen(s, "release");
    len = sign(s, "release.key", sig);
    ring = ring_of(s, "release.pub");
    first = strlen("untrusted comment: ");
    for (size_t i = 0; i < len; i++) {
        /* The text of the untrusted comment is covered by nothing. */
        bool free_text = i >= first && sig[i] != '\n' && i < strlen(UP_UNTRUSTED_COMMENT);

        for (int bit = 0; bit < 8; bit++) {
            sig[i] ^= (char)(1 << bit);
            if (verify(ring, sig, len, &err) != UP_UNTRUSTED && !free_text)
                fail_msg("bit %d of byte %zu is not covered", bit, i);
            sig[i] ^= (char)(1 << bit);
        }
        must_fail(verify(ring, sig, i, &err), UP_UNTRUSTED, "signature", &err);
    }
    sig[len] = '\n';
    must_fail(verify(ring, sig, len + 1, &err), UP_UNTRUSTED, "not a minisign signature", &err);
    must(verify(ring, sig, len, &err), &err);
    up_keyring_free(ring);
}

/* No comment is one, too: of a signature as of a key. */
static void test_an_empty_comment(void **state)
{
    static const char empty[] = "untrusted comment: \n";
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], text[UP_MINISIG_MAX], path[512], *pub;
    struct up_keyring *ring;
    struct up_error err;

    keygen(s, "release");
    sign(s, "release.key", sig);
    pub = scratch_read(s, "release.pub", NULL);
    snprintf(text, sizeof text, "%s%s", empty, strchr(pub, '\n') + 1);
    free(pub);
    scratch_write(s, "empty.pub", text, strlen(text));
    must(up_keyring_load_file(&ring, s->storage, scratch_path(s, "empty.pub", path), &err), &err);
    snprintf(text, sizeof text, "%s%s", empty, strchr(sig, '\n') + 1);
    must(verify(ring, text, strlen(text), &err), &err);
    up_keyring_free(ring);
}

static void test_rings(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], path[512];
    struct up_keyring *ring;
    struct up_error err;
    size_t len;

    scratch_path(s, "", path);
    must_fail(up_keyring_load(&ring, s->storage, path, &err), UP_UNTRUSTED, "no .pub file", &err);
    keygen(s, "one");
    keygen(s, "two");
    len = sign(s, "two.key", sig);
    ring = ring_of(s, "one.pub");
    must_fail(verify(ring, sig, len, &err), UP_UNTRUSTED, "not trusted", &err);
    up_keyring_free(ring);
    scratch_write(s, "broken.pub", "nonsense", 8);
    scratch_write(s, "notes.txt", "nonsense", 8);
    ring = ring_of(s, "");
    assert_int_equal(up_keyring_count(ring), 2);
    must(verify(ring, sig, len, &err), &err);
    up_keyring_free(ring);
    assert_int_equal(run(s, "mv two.pub elsewhere && ln -s elsewhere two.pub && mkdir three.pub"), 0);
    ring = ring_of(s, "");
    assert_int_equal(up_keyring_count(ring), 2);
    up_keyring_free(ring);
    assert_int_equal(run(s, "rmdir three.pub"), 0);
    assert_int_equal(run(s, "rm one.pub two.pub"), 0);
    must_fail(up_keyring_load(&ring, s->storage, path, &err), UP_UNTRUSTED, "not a minisign public key",
              &err);
    scratch_path(s, "absent", path);
    must_fail(up_keyring_load(&ring, s->storage, path, &err), UP_UNTRUSTED, "absent", &err);
}

/* What editors do to a key file: another end of lines, a mark in front. */
static void test_edited_key(void **state)
{
    static const char *const marks[] = {"", "\xef\xbb\xbf"};
    struct scratch *s = *state;
    char path[512], line[UP_PUBLIC_KEY_TEXT], edited[UP_PUBLIC_KEY_TEXT + 16];
    uint8_t raw[UP_KEY_RAW_SIZE], again[UP_KEY_RAW_SIZE];
    struct up_error err;

    keygen(s, "one");
    must(up_public_key_load(raw, s->storage, scratch_path(s, "one.pub", path), &err), &err);
    up_public_key_format(raw, line);
    line[strlen(line) - 1] = '\0';
    for (size_t i = 0; i < 2; i++) {
        snprintf(edited, sizeof edited, "%s%s\r\n", marks[i], line);
        scratch_write(s, "edited.pub", edited, strlen(edited));
        must(up_public_key_load(again, s->storage, scratch_path(s, "edited.pub", path), &err), &err);
        assert_memory_equal(again, raw, sizeof raw);
    }
    scratch_write(s, "edited.pub", "\xff\xfeu\0n\0", 6);
    must_fail(up_public_key_load(again, s->storage, path, &err), UP_UNTRUSTED, "is UTF-16 text", &err);
    scratch_write(s, "edited.pub", "\xfe\xff\0u\0n", 6);
    must_fail(up_public_key_load(again, s->storage, path, &err), UP_UNTRUSTED, "is UTF-16 text", &err);
    scratch_write(s, "edited.pub", "no key", 6);
    must_fail(up_public_key_load(again, s->storage, path, &err), UP_UNTRUSTED, "not a minisign public key",
              &err);
    assert_null(strstr(err.message, "UTF-16"));
}

/* As many keys as there is room for; one more is left out and said. */
static void test_full_ring(void **state)
{
    struct scratch *s = *state;
    char path[512], name[32], line[UP_PUBLIC_KEY_TEXT];
    uint8_t raw[UP_KEY_RAW_SIZE];
    struct up_keyring *ring;
    struct up_error err;

    keygen(s, "one");
    must(up_public_key_load(raw, s->storage, scratch_path(s, "one.pub", path), &err), &err);
    assert_int_equal(run(s, "rm one.pub && mkdir ring"), 0);
    for (unsigned i = 0; i <= UP_KEYRING_MAX; i++) {
        raw[2] = (uint8_t)i; /* of the id */
        up_public_key_format(raw, line);
        snprintf(name, sizeof name, "ring/%u.pub", i);
        scratch_write(s, name, line, strlen(line));
        if (i + 1 < UP_KEYRING_MAX)
            continue;
        must(up_keyring_open(&ring, s->storage, scratch_path(s, "ring", path), &err), &err);
        assert_int_equal(up_keyring_count(ring), UP_KEYRING_MAX);
        up_keyring_free(ring);
    }
}

/* The key id of one key over the bytes of another: ids prove nothing. */
static void test_borrowed_id(void **state)
{
    struct scratch *s = *state;
    uint8_t one[64], two[64];
    char sig[UP_MINISIG_MAX], text[160], line[80], *pub;
    struct up_keyring *ring;
    struct up_error err;
    size_t len;

    keygen(s, "one");
    keygen(s, "two");
    pub = scratch_read(s, "one.pub", NULL);
    EVP_DecodeBlock(one, (uint8_t *)strchr(pub, '\n') + 1, 56);
    free(pub);
    pub = scratch_read(s, "two.pub", NULL);
    EVP_DecodeBlock(two, (uint8_t *)strchr(pub, '\n') + 1, 56);
    free(pub);
    memcpy(two + 2, one + 2, 8);
    EVP_EncodeBlock((uint8_t *)line, two, 42);
    snprintf(text, sizeof text, "untrusted comment: borrowed\n%s\n", line);
    scratch_write(s, "two.pub", text, strlen(text));
    len = sign(s, "one.key", sig);
    ring = ring_of(s, "two.pub");
    must_fail(verify(ring, sig, len, &err), UP_UNTRUSTED, "did not sign", &err);
    up_keyring_free(ring);
    ring = ring_of(s, ""); /* with both keys of that id, the right one is found */
    must(verify(ring, sig, len, &err), &err);
    up_keyring_free(ring);
}

static void test_small_order_keys(void **state)
{
    /* y coordinates of the points of small order, and encodings beyond the field. */
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct scratch *s = *state;
    uint8_t raw[42] = "Ed12345678";
    char line[80], text[160], path[512];
    struct up_keyring *ring;
    struct up_error err;

    for (size_t i = 0; i < 2 * sizeof points / sizeof points[0]; i++) {
        for (int k = 0; k < 32; k++) {
            unsigned byte;

            sscanf(points[i / 2] + 2 * k, "%2x", &byte);
            raw[10 + k] = (uint8_t)byte;
        }
        raw[41] |= i % 2 ? 0x80 : 0; /* either sign */
        assert_false(up_ed25519_good_point(raw + 10));
        EVP_EncodeBlock((uint8_t *)line, raw, sizeof raw);
        snprintf(text, sizeof text, "untrusted comment: small\n%s\n", line);
        scratch_write(s, "small.pub", text, strlen(text));
        must_fail(up_keyring_load_file(&ring, s->storage, scratch_path(s, "small.pub", path), &err),
                  UP_UNTRUSTED, "small order", &err);
    }
}

/* 2^255 - 20: the largest number below the prime that is no small point. */
static void test_the_largest_number_below_the_prime_is_good(void **state)
{
    uint8_t point[32];

    (void)state;
    memset(point, 0xff, sizeof point);
    point[0] = 0xeb;
    point[31] = 0x7f;
    assert_true(up_ed25519_good_point(point));
    point[0] = 0xed;
    assert_false(up_ed25519_good_point(point));
}

/* S plus the order of the group is the same number to a careless verifier. */
static void test_signature_is_canonical(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t seed[32] = {7}, signature[64];
    struct up_error err;
    unsigned carry = 0;

    (void)state;
    must(up_ed25519_sign(seed, data, sizeof data, signature, &err), &err);
    assert_true(up_ed25519_good_signature(signature));
    for (int i = 0; i < 32; i++) {
        carry += (unsigned)signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(up_ed25519_good_signature(signature));
    must(up_ed25519_sign(seed, data, sizeof data, signature, &err), &err);
    memcpy(signature + 32, order, 32);
    assert_false(up_ed25519_good_signature(signature));
    memset(signature, 0, 32); /* R of small order */
    signature[32] = 0;
    assert_false(up_ed25519_good_signature(signature));
}

static void test_comments(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], path[512], got[UP_TRUSTED_COMMENT_MAX], text[UP_TRUSTED_COMMENT_MAX + 1], *at;
    struct up_secret *key;
    struct up_keyring *ring;
    struct up_error err;
    size_t len;

    keygen(s, "release");
    must(up_signing_key_load(&key, s->storage, scratch_path(s, "release.key", path), &err), &err);
    ring = ring_of(s, "release.pub");
    memset(text, 'c', sizeof text);
    text[UP_TRUSTED_COMMENT_MAX - 1] = 0;
    must(up_signing_key_sign(key, data, 0, text, sig, &len, &err), &err);
    must(up_keyring_verify(ring, data, 0, sig, len, got, &err), &err);
    assert_string_equal(got, text);
    at = strstr(sig, "ccc");
    *at = 0;
    must_fail(up_keyring_verify(ring, data, 0, sig, len, got, &err), UP_UNTRUSTED, "not text", &err);
    *at = 'c';
    memmove(at + 1, at, len - (size_t)(at - sig)); /* one more than there is room for */
    must_fail(up_keyring_verify(ring, data, 0, sig, len + 1, got, &err), UP_UNTRUSTED, "too long", &err);
    text[UP_TRUSTED_COMMENT_MAX - 1] = 'c';
    text[UP_TRUSTED_COMMENT_MAX] = 0;
    must_fail(up_signing_key_sign(key, data, 0, text, sig, &len, &err), UP_USAGE, "longer", &err);
    must_fail(up_signing_key_sign(key, data, 0, "two\nlines", sig, &len, &err), UP_USAGE, "control", &err);
    must_fail(up_signing_key_sign(key, data, 0, "a\x7f", sig, &len, &err), UP_USAGE, "control", &err);
    up_keyring_free(ring);
    up_signing_key_free(key);
}

static void test_secret_files(void **state)
{
    struct scratch *s = *state;
    struct up_secret *key;
    struct up_error err;
    char path[512], *text, *line;
    size_t len;

    keygen(s, "release");
    text = scratch_read(s, "release.key", &len);
    scratch_path(s, "bad.key", path);
    must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_MISSING, "bad.key", &err);
    for (size_t cut = 0; cut < len - 1; cut++) {
        scratch_write(s, "bad.key", text, cut);
        must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_USAGE, "not a minisign secret key",
                  &err);
    }
    line = strchr(text, '\n') + 1;
    line[100] = line[100] == 'A' ? 'B' : 'A'; /* in the seed */
    scratch_write(s, "bad.key", text, len);
    must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_USAGE, "halves", &err);
    line[2] = 'R'; /* the key derivation: scrypt */
    line[3] = 'T';
    scratch_write(s, "bad.key", text, len);
    must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_USAGE, "minisign -C -W -s", &err);
    line[0] = 'S'; /* another algorithm */
    scratch_write(s, "bad.key", text, len);
    must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_USAGE, "not a minisign secret key", &err);
    free(text);
}

/* Whatever the caller's room held before. */
static void test_a_key_has_its_length(void **state)
{
    struct scratch *s = *state;
    uint8_t raw[UP_KEY_RAW_SIZE];
    char *text, *base64;
    struct up_error err;
    size_t len;

    keygen(s, "whole");
    text = scratch_read(s, "whole.pub", &len);
    base64 = strchr(text, '\n') + 1;
    base64[strcspn(base64, "\n")] = '\0';
    must(up_public_key_parse(raw, base64, &err), &err);
    base64[strlen(base64) - 4] = '\0';
    must_fail(up_public_key_parse(raw, base64, &err), UP_UNTRUSTED, "not a minisign public key", &err);
    must_fail(up_public_key_parse(raw, "", &err), UP_UNTRUSTED, "not a minisign public key", &err);
    free(text);
}

/* The comment that is not signed fills it up. */
static void test_a_signature_has_its_limit(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], longer[UP_MINISIG_MAX + 2];
    struct up_keyring *ring;
    struct up_error err;

    keygen(s, "long");
    ring = ring_of(s, "long.pub");
    for (size_t size = UP_MINISIG_MAX; size <= UP_MINISIG_MAX + 1; size++) {
        size_t len = sign(s, "long.key", sig), more = size - len;
        char *end = memchr(sig, '\n', len);

        memcpy(longer, sig, (size_t)(end - sig));
        memset(longer + (end - sig), 'x', more);
        memcpy(longer + (end - sig) + more, end, len - (size_t)(end - sig));
        if (size > UP_MINISIG_MAX)
            must_fail(verify(ring, longer, size, &err), UP_UNTRUSTED, "larger than", &err);
        else
            must(verify(ring, longer, size, &err), &err);
    }
    up_keyring_free(ring);
}

static void test_stock_tool(void **state)
{
    struct scratch *s = *state;
    char sig[UP_MINISIG_MAX], *text;
    struct up_keyring *ring;
    struct up_error err;
    size_t len;

    if (!have_minisign(s))
        return;
    scratch_write(s, "data", data, sizeof data - 1);
    keygen(s, "ours");
    len = sign(s, "ours.key", sig);
    scratch_write(s, "data.minisig", sig, len);
    assert_int_equal(run(s, "minisign -Vm data -p ours.pub"), 0);
    assert_int_equal(run(s, "minisign -R -s ours.key -p again.pub"), 0);
    assert_int_equal(run(s, "tail -1 ours.pub >a; tail -1 again.pub >b; cmp a b"), 0);
    assert_int_equal(run(s, "minisign -S -s ours.key -m data -x theirs.sig -t 'moult manifest sequence 7'"),
                     0);
    text = scratch_read(s, "theirs.sig", &len);
    ring = ring_of(s, "ours.pub");
    must(verify(ring, text, len, &err), &err);
    free(text);
    up_keyring_free(ring);

    assert_int_equal(run(s, "minisign -G -W -p stock.pub -s stock.key"), 0);
    len = sign(s, "stock.key", sig);
    scratch_write(s, "data.minisig", sig, len);
    assert_int_equal(run(s, "minisign -Vm data -p stock.pub"), 0);
    ring = ring_of(s, "stock.pub");
    must(verify(ring, sig, len, &err), &err);
    assert_int_equal(run(s, "minisign -S -l -s stock.key -m data -x old.sig"), 0);
    text = scratch_read(s, "old.sig", &len);
    must_fail(verify(ring, text, len, &err), UP_UNTRUSTED, "legacy format", &err);
    free(text);
    up_keyring_free(ring);
}

/* The hint that an encrypted key's refusal gives is one that works. */
static void test_stock_conversion(void **state)
{
    struct scratch *s = *state;
    struct up_secret *key;
    char path[512], sig[UP_MINISIG_MAX];
    struct up_error err;

    if (!have_minisign(s))
        return;
    assert_int_equal(run(s, "printf 'pw\\npw\\n' | minisign -G -p e.pub -s e.key"), 0);
    scratch_path(s, "e.key", path);
    must_fail(up_signing_key_load(&key, s->storage, path, &err), UP_USAGE, "encrypted", &err);
    assert_non_null(strstr(err.message, "minisign -C -W -s"));
    assert_int_equal(run(s, "echo pw | minisign -C -W -s e.key"), 0);
    assert_true(sign(s, "e.key", sig) > 0);
}

#define CHECK(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHECK(test_round_trip),
        CHECK(test_keygen_overwrites_nothing),
        CHECK(test_keygen_leaves_all_or_nothing),
        CHECK(test_every_byte_of_a_signature),
        CHECK(test_an_empty_comment),
        CHECK(test_rings),
        CHECK(test_edited_key),
        CHECK(test_full_ring),
        CHECK(test_borrowed_id),
        CHECK(test_small_order_keys),
        CHECK(test_the_largest_number_below_the_prime_is_good),
        CHECK(test_signature_is_canonical),
        CHECK(test_comments),
        CHECK(test_secret_files),
        CHECK(test_a_key_has_its_length),
        CHECK(test_a_signature_has_its_limit),
        CHECK(test_stock_tool),
        CHECK(test_stock_conversion),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
