/*
 * A patch that somebody made up or changed: what comes out of it has the
 * digest that it names, or nothing comes out, and nothing else is touched.
 *
 * The input is the whole patch, or says which bytes of a good one to change;
 * digests of stored blocks are then made right, so that decoders see them.
 */
#include "patch.h"

#include "bytes.h"
#include "digest.h"
#include "disk.h"
#include "error.h"
#include "fuzz.h"
#include "patch_images.h"

#include <stdlib.h>
#include <string.h>

#define OLD "/w/old"
#define PATCH "/w/patch"
#define OUT "/w/out"
#define SIZE_MOST (8u << 20) /* of a new file: larger ones are slow and say nothing new */

static struct {
    struct disk *disk;
    uint8_t *patch;
    size_t size;
} world;

static void set_up(void)
{
    struct up_patch *p;
    struct up_error err;
    uint8_t old[PATCH_OLD_SIZE], fresh[PATCH_IMAGE_SIZE], *made;
    int rc;

    patch_images(old, fresh);
    world.disk = disk_new();
    disk_put_dir(world.disk, "/w");
    disk_put(world.disk, OLD, old, sizeof old);
    disk_put(world.disk, "/w/new", fresh, sizeof fresh);
    FUZZ_REQUIRE(up_patch_make(&p, disk_storage(world.disk), OLD, "/w/new", PATCH, UP_LZMA, &err) == 0);
    do
        rc = up_patch_step(p, &err);
    while (rc == UP_AGAIN);
    FUZZ_REQUIRE(rc == 0);
    up_patch_close(p);
    made = disk_get(world.disk, PATCH, &world.size);
    world.patch = fuzz_memory(world.size);
    memcpy(world.patch, made, world.size);
    disk_remove(world.disk, "/w/new");
}

/* Make the digest of each block that lies within the patch that of its stored bytes. */
static void fix_digests(uint8_t *patch, size_t size)
{
    size_t at = UP_PATCH_HEAD + UP_INDEX_HEAD, stored_at;
    uint32_t blocks;

    if (size < at)
        return;
    blocks = up_get32(patch + UP_PATCH_HEAD + 8);
    if (blocks > (size - at) / UP_INDEX_ENTRY)
        return;
    stored_at = at + (size_t)blocks * UP_INDEX_ENTRY;
    for (uint32_t i = 0; i < blocks; i++, at += UP_INDEX_ENTRY) {
        uint32_t encoding = up_get32(patch + at), stored = up_get32(patch + at + 4);

        if (stored > size - stored_at)
            return;
        up_sha256(patch + stored_at, stored, patch + at + (encoding == UP_RAW ? 48 : 16));
        stored_at += stored;
    }
}

static void apply(const uint8_t *patch, size_t size)
{
    uint8_t digest[UP_SHA256_SIZE], *out;
    struct up_patch *p = NULL;
    struct up_error err;
    size_t len;
    int rc;

    if (size >= UP_PATCH_HEAD && up_get64(patch + 48) > SIZE_MOST)
        return;
    disk_put(world.disk, PATCH, patch, size);
    disk_fence(world.disk, OUT);
    rc = up_patch_apply(&p, disk_storage(world.disk), OLD, PATCH, OUT, &err);
    if (rc == 0)
        do
            rc = up_patch_step(p, &err);
        while (rc == UP_AGAIN);
    up_patch_close(p);
    FUZZ_REQUIRE(rc == 0 || rc == UP_CORRUPT || rc == UP_INCOMPATIBLE);
    FUZZ_REQUIRE(disk_open_files(world.disk) == 0);
    FUZZ_REQUIRE(!disk_exists(world.disk, OUT ".new"));
    FUZZ_REQUIRE(disk_exists(world.disk, OUT) == (rc == 0));
    if (rc == 0) {
        out = disk_get(world.disk, OUT, &len);
        FUZZ_REQUIRE(len == up_get64(patch + 48));
        up_sha256(out, len, digest);
        FUZZ_REQUIRE(memcmp(digest, patch + 56, sizeof digest) == 0);
        disk_remove(world.disk, OUT);
    }
    disk_fence(world.disk, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    uint8_t bits, *patch;
    size_t len;

    if (!world.disk)
        set_up();
    bits = fuzz_u8(&in);
    len = bits & 1 ? in.left : world.size;
    patch = fuzz_memory(len);
    if (len)
        memcpy(patch, bits & 1 ? in.at : world.patch, len);
    if (!(bits & 1)) {
        if (bits & 2)
            len = fuzz_u16(&in) % (len + 1);
        while (in.left && len) {
            size_t at = fuzz_u16(&in) % len;

            patch[at] ^= fuzz_u8(&in);
        }
    }
    if (bits & 4)
        fix_digests(patch, len);
    apply(patch, len);
    free(patch);
    return 0;
}
