/*
 * The three files of minisign. The first byte says which one follows.
 *
 * A signature file that is accepted over these bytes is the one that was made
 * over them, but for its untrusted comment: nobody here has the key.
 */
#include "minisign.h"

#include "error.h"
#include "fixture.h"
#include "fuzz.h"
#include "sim.h"

#include <string.h>

static const char message[] = "what is signed";

static struct {
    struct sim *sim;
    struct up_keyring *ring;
    char good[UP_MINISIG_MAX];
    size_t good_len;
} world;

static void set_up(void)
{
    struct up_storage *s;
    struct up_secret *key;
    struct up_error err;

    world.sim = sim_new();
    s = sim_storage(world.sim);
    sim_put_dir(world.sim, "/keys", 0755);
    FUZZ_REQUIRE(up_fixture_keys(s, "/keys", false, &err) == 0);
    FUZZ_REQUIRE(up_keyring_load_file(&world.ring, s, "/keys/fixture.pub", &err) == 0);
    FUZZ_REQUIRE(up_signing_key_load(&key, s, "/keys/fixture.key", &err) == 0);
    FUZZ_REQUIRE(up_signing_key_sign(key, message, sizeof message, "a comment", world.good, &world.good_len,
                                     &err) == 0);
    up_signing_key_free(key);
    sim_settle(world.sim);
}

static void fuzz_public(void)
{
    struct up_keyring *ring;
    struct up_error err;
    char comment[UP_TRUSTED_COMMENT_MAX];
    int rc = up_keyring_load_file(&ring, sim_storage(world.sim), "/input", &err);

    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    if (rc < 0)
        return;
    FUZZ_REQUIRE(up_keyring_count(ring) == 1);
    rc = up_keyring_verify(ring, message, sizeof message, world.good, world.good_len, comment, &err);
    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    up_keyring_free(ring);
}

static void fuzz_secret(void)
{
    struct up_secret *key;
    struct up_error err;
    int rc = up_signing_key_load(&key, sim_storage(world.sim), "/input", &err);

    FUZZ_REQUIRE(rc == 0 || rc == UP_USAGE);
    if (rc == 0)
        up_signing_key_free(key);
}

/* The lines after the untrusted comment. */
static const char *trusted_lines(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);

    return end ? end + 1 : text + len;
}

static void fuzz_signature(const char *sig, size_t len)
{
    char comment[UP_TRUSTED_COMMENT_MAX];
    struct up_error err;
    int rc = up_keyring_verify(world.ring, message, sizeof message, sig, len, comment, &err);
    const char *lines = trusted_lines(sig, len), *good = trusted_lines(world.good, world.good_len);
    size_t left = len - (size_t)(lines - sig), good_left = world.good_len - (size_t)(good - world.good);

    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    if (rc == 0)
        FUZZ_REQUIRE(left == good_left && memcmp(lines, good, left) == 0 &&
                     strcmp(comment, "a comment") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    uint8_t kind = fuzz_u8(&in) % 3;

    if (!world.sim)
        set_up();
    if (kind == 2) {
        fuzz_signature((const char *)in.at, in.left);
        return 0;
    }
    sim_put(world.sim, "/input", in.at, in.left, 0600);
    if (kind == 0)
        fuzz_public();
    else
        fuzz_secret();
    return 0;
}
