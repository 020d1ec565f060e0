/*
 * A script archive extracted: whatever it is made of, nothing
 * appears outside of the generation's directory, and only a whole generation
 * appears under its number.
 *
 * The input is a list of blocks, so that mutations keep the archive's rhythm:
 * a byte of kind, then what that kind needs.
 */
#include "generation.h"

#include "disk.h"
#include "error.h"
#include "fuzz.h"
#include "tar.h"
#include "tar_sum.h"

#include <string.h>

#define BLOCKS_MAX 64

enum kind { CANONICAL, ODD, CONTENT, ZEROS, TAIL, KINDS };

/* A member's header as the writer makes it, when it makes one. */
static void put_canonical(uint8_t *block, struct fuzz *in)
{
    struct up_tar_entry entry = {0};
    uint8_t bits = fuzz_u8(in);
    const uint8_t *name;
    size_t n;

    entry.directory = bits & 1;
    entry.mode = bits & 1 || bits & 2 ? 0755 : 0644;
    entry.size = bits & 1 ? 0 : fuzz_u16(in) % 2048;
    n = fuzz_take(in, &name, fuzz_u8(in));
    if (n)
        memcpy(entry.name, name, n);
    (void)!up_tar_put(block, &entry, NULL);
}

/* The same with one field replaced and the checksum right. */
static void put_odd(uint8_t *block, struct fuzz *in)
{
    uint16_t at;
    const uint8_t *bytes;
    size_t n;

    put_canonical(block, in);
    at = fuzz_u16(in) % UP_TAR_BLOCK;
    n = fuzz_take(in, &bytes, fuzz_u8(in) % 16);
    if (n > (size_t)(UP_TAR_BLOCK - at))
        n = (size_t)(UP_TAR_BLOCK - at);
    if (n)
        memcpy(block + at, bytes, n);
    tar_sum(block);
}

static size_t build(uint8_t *out, struct fuzz *in)
{
    size_t size = 0;

    for (int i = 0; i < BLOCKS_MAX && in->left; i++) {
        uint8_t *block = out + size;
        const uint8_t *bytes;
        size_t n;

        memset(block, 0, UP_TAR_BLOCK);
        size += UP_TAR_BLOCK;
        switch (fuzz_u8(in) % KINDS) {
        case CANONICAL:
            put_canonical(block, in);
            break;
        case ODD:
            put_odd(block, in);
            break;
        case CONTENT:
            n = fuzz_take(in, &bytes, fuzz_u8(in));
            if (n)
                memcpy(block, bytes, n);
            break;
        case ZEROS:
            break;
        default: /* an archive that ends within a block */
            size -= UP_TAR_BLOCK - fuzz_u16(in) % UP_TAR_BLOCK;
        }
    }
    return size;
}

/* A device with generation 6 and the spool; from here on, only 7 may come. */
static void prepare(struct disk *disk, const uint8_t *archive, size_t len)
{
    disk_clear(disk);
    disk_put_dir(disk, "/state");
    disk_put(disk, "/state/secret", "not to be touched", 17);
    disk_put_dir(disk, "/state/script");
    disk_put_dir(disk, "/state/script/6");
    disk_put(disk, "/state/spool", archive, len);
    disk_fence(disk, "/state/script/7");
}

static int extract(struct up_storage *s, size_t len, struct up_error *err)
{
    struct up_generation_maker *maker;
    int rc = up_generation_maker_open(&maker, s, "/state/spool", len, "/state/script", 7, err);

    if (rc < 0)
        return rc;
    do
        rc = up_generation_maker_step(maker, err);
    while (rc == UP_AGAIN);
    up_generation_maker_close(maker);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t archive[(BLOCKS_MAX + 1) * UP_TAR_BLOCK];
    static struct disk *disk;
    struct fuzz in = {data, size};
    size_t len = build(archive, &in);
    struct up_storage *s;
    struct up_error err;
    int rc;

    if (!disk)
        disk = disk_new();
    prepare(disk, archive, len);
    s = disk_storage(disk);
    rc = extract(s, len, &err);
    FUZZ_REQUIRE(disk_open_files(disk) == 0);
    if (rc == 0) {
        uint64_t first = disk_fingerprint(disk);

        FUZZ_REQUIRE(disk_exists(disk, "/state/script/7/main.lua") &&
                     !disk_exists(disk, "/state/script/7.new"));
        FUZZ_REQUIRE(extract(s, len, &err) == 0);
        FUZZ_REQUIRE(disk_fingerprint(disk) == first);
    } else {
        FUZZ_REQUIRE(rc == UP_UNTRUSTED);
        FUZZ_REQUIRE(!disk_exists(disk, "/state/script/7") && !disk_exists(disk, "/state/script/7.new"));
    }
    return 0;
}
