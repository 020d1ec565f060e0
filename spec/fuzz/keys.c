/*
 * A list of keys (first byte even): every name in it is that of a file, every
 * key a good one. The record of what lists decided (odd): understood and written
 * again the same, or nobody is trusted.
 */
#include "keys.h"

#include "disk.h"
#include "ed25519.h"
#include "error.h"
#include "fuzz.h"
#include "record.h"

#include <string.h>

static void fuzz_list(const uint8_t *data, size_t size)
{
    static struct up_key_list k;
    struct up_error err;
    int rc = up_keys_parse(&k, (const char *)data, size, &err);

    if (rc < 0) {
        FUZZ_REQUIRE(rc == UP_UNTRUSTED || rc == UP_INCOMPATIBLE);
        return;
    }
    FUZZ_REQUIRE(k.serial >= 1 && k.add_count + k.revoke_count > 0);
    FUZZ_REQUIRE(k.add_count <= UP_KEYS_ADD_MAX && k.revoke_count <= UP_KEYS_REVOKE_MAX);
    for (unsigned i = 0; i < k.add_count; i++) {
        const char *name = k.add[i].name;

        FUZZ_REQUIRE(name[0] && name[0] != '.' && name[0] != '-' && memchr(name, 0, UP_KEY_NAME_SIZE));
        FUZZ_REQUIRE(!strchr(name, '/') && !strchr(name, '\n'));
        FUZZ_REQUIRE(up_ed25519_good_point(k.add[i].raw + UP_KEY_RAW_SIZE - UP_ED25519_KEY));
    }
}

static void fuzz_record(const uint8_t *data, size_t size)
{
    static struct up_keyset set, again;
    static struct disk *disk;
    struct up_record r = {.path = "/keys/set", .magic = "MOULTKS1", .capacity = UP_RECORD_HEAD + 8192};
    struct up_error err;
    int rc;

    if (!disk)
        disk = disk_new();
    disk_clear(disk);
    disk_put_dir(disk, "/keys");
    r.storage = disk_storage(disk);
    FUZZ_REQUIRE(up_record_create(&r, data, size < 8192 ? size : 8192, &err) == 0);
    rc = up_keyset_read(&set, r.storage, "/keys", &err);
    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED || rc == UP_INTERNAL);
    if (rc == 0) {
        FUZZ_REQUIRE(set.revoked_count <= UP_KEYS_REVOKED_MAX && set.pending_count <= UP_KEYS_ADD_MAX);
        FUZZ_REQUIRE(up_keyset_write(&set, r.storage, "/keys", &err) == 0);
        FUZZ_REQUIRE(up_keyset_read(&again, r.storage, "/keys", &err) == 0);
        FUZZ_REQUIRE(memcmp(&set, &again, sizeof set) == 0);
        for (unsigned i = 0; i < set.revoked_count; i++)
            FUZZ_REQUIRE(up_keyset_revoked(&set, set.revoked[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};

    if (fuzz_u8(&in) & 1)
        fuzz_record(in.at, in.left);
    else
        fuzz_list(in.at, in.left);
    return 0;
}
