/*
 * The head of a package that somebody changed on its way: what comes out of it
 * is the manifest that was signed or an error, and nothing is spooled that is
 * not part of it.
 *
 * The input picks one of a few signed packages, then says what was changed:
 * bytes at places, a cut, a source that hesitates. Or it is the whole package.
 */
#include "package.h"

#include "digest.h"
#include "disk.h"
#include "error.h"
#include "fixture.h"
#include "fuzz.h"
#include "minisign.h"
#include "sim.h"
#include "tar.h"
#include "variants.h"

#include <stdlib.h>
#include <string.h>

#define PACKAGES 4
#define DELTA 3
#define READS_MAX 65536

static struct {
    struct disk *disk; /* where they are spooled */
    struct up_keyring *ring;
    uint8_t *data[PACKAGES];
    size_t size[PACKAGES];
    uint8_t digest[PACKAGES][UP_SHA256_SIZE]; /* of their manifests */
} world;

static void set_up(void)
{
    struct up_fixture f[PACKAGES] = {{.script = true, .encoding = UP_ZSTD},
                                     {.core = true, .encoding = UP_LZMA, .core_blocks = 9},
                                     {.script = true, .core = true, .hardware = "rev-a", .sequence = 77},
                                     {.core = true, .core_version = 3}};
    struct sim *sim = sim_new();
    struct up_storage *s = sim_storage(sim);
    struct up_error err;

    world.disk = disk_new();
    sim_put_dir(sim, "/keys", 0755);
    f[DELTA].image = variant_core(VARIANT_KIN, &f[DELTA].image_size);
    f[DELTA].old = variant_core(1, &f[DELTA].old_size);
    for (int i = 0; i < PACKAGES; i++) {
        FUZZ_REQUIRE(up_fixture_pack(s, "/package", "/keys", &f[i], &err) == 0);
        world.data[i] = (uint8_t *)sim_get(sim, "/package", &world.size[i]);
        up_sha256(world.data[i] + UP_TAR_BLOCK, strtoul((char *)world.data[i] + 124, NULL, 8),
                  world.digest[i]);
    }
    FUZZ_REQUIRE(up_fixture_keys(s, "/keys", false, &err) == 0);
    FUZZ_REQUIRE(up_keyring_load_file(&world.ring, s, "/keys/fixture.pub", &err) == 0);
    sim_free(sim);
}

struct memory {
    struct up_source base;
    const uint8_t *data;
    size_t size, piece;
    bool hesitant, turn;
    unsigned reads;
};

static long memory_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct memory *m = (struct memory *)s;

    FUZZ_REQUIRE(m->reads++ < READS_MAX);
    m->turn = !m->turn;
    if (m->hesitant && m->turn)
        return up_fail(err, UP_AGAIN, "nothing yet");
    if (offset >= m->size)
        return 0;
    if (len > m->size - offset)
        len = (size_t)(m->size - offset);
    if (len > m->piece)
        len = m->piece;
    memcpy(buf, m->data + offset, len);
    return (long)len;
}

static void read_head(struct memory *m, const uint8_t *digest)
{
    struct up_storage *s = disk_storage(world.disk);
    struct up_package *p;
    struct up_error err;
    int rc;

    disk_clear(world.disk);
    disk_put_dir(world.disk, "/spool");
    disk_fence(world.disk, "/spool/");
    FUZZ_REQUIRE(up_package_open(&p, &m->base, s, world.ring, "/spool", &err) == 0);
    do
        rc = up_package_step(p, &err);
    while (rc == UP_AGAIN);
    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED || rc == UP_INCOMPATIBLE || rc == UP_CORRUPT);
    if (up_package_has_manifest(p))
        FUZZ_REQUIRE(!digest || memcmp(up_package_manifest(p)->digest, digest, UP_SHA256_SIZE) == 0);
    else
        FUZZ_REQUIRE(!disk_exists(world.disk, "/spool/manifest.json"));
    if (rc == 0) {
        struct up_manifest m2;
        struct up_package_layout layout;

        FUZZ_REQUIRE(up_package_load(&m2, &layout, s, world.ring, "/spool", &err) == 0);
    }
    up_package_free(p);
    FUZZ_REQUIRE(disk_open_files(world.disk) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct up_source_ops ops = {memory_read, NULL, NULL};
    struct fuzz in = {data, size};
    uint8_t bits, *package;
    struct memory m = {.base = {.ops = &ops, .size = UINT64_MAX}};
    unsigned which;
    bool whole;

    if (!world.disk)
        set_up();
    bits = fuzz_u8(&in);
    which = bits % 4 == 1 && bits & 64 ? DELTA : bits % 4;
    whole = bits % 4 == 3;
    m.hesitant = bits & 4;
    m.piece = bits & 8 ? 7 + (size_t)fuzz_u8(&in) : SIZE_MAX;
    m.size = whole ? in.left : world.size[which];
    package = fuzz_memory(m.size);
    if (m.size)
        memcpy(package, whole ? in.at : world.data[which], m.size);
    if (!whole) {
        if (bits & 16)
            m.size = fuzz_u16(&in) % (m.size + 1);
        while (in.left && m.size) {
            size_t at = fuzz_u16(&in) % m.size;

            package[at] ^= fuzz_u8(&in);
        }
    }
    m.data = package;
    if (bits & 32)
        m.base.size = m.size;
    read_head(&m, whole ? NULL : world.digest[which]);
    free(package);
    return 0;
}
