/*
 * The two files of a record, each a whole one of which bytes were overwritten
 * or cut off: what is read was written once, and after a write it is what was
 * written. History, a ring of records, lies in the same directory.
 */
#include "record.h"

#include "disk.h"
#include "error.h"
#include "fuzz.h"
#include "history.h"

#include <string.h>

#define CAPACITY 128

static struct {
    struct disk *disk;
    uint8_t half[2][CAPACITY]; /* as they were written */
} world;

static const char old[] = "the first value", new[] = "the second one", fresh[] = "the third";
static const char *const paths[2] = {"/state/value.0", "/state/value.1"};

static void set_up(struct up_record *r)
{
    struct up_error err;
    size_t len;

    world.disk = disk_new();
    r->storage = disk_storage(world.disk);
    disk_put_dir(world.disk, "/state");
    FUZZ_REQUIRE(up_record_create(r, old, sizeof old, &err) == 0);
    FUZZ_REQUIRE(up_record_write(r, new, sizeof new, &err) == 0);
    for (int i = 0; i < 2; i++) {
        const uint8_t *bytes = disk_get(world.disk, paths[i], &len);

        FUZZ_REQUIRE(bytes && len >= CAPACITY);
        memcpy(world.half[i], bytes, CAPACITY);
    }
}

static void damage(int half, struct fuzz *in)
{
    uint8_t bytes[CAPACITY], changes = fuzz_u8(in);
    size_t len = CAPACITY;

    if (changes == 255) { /* the file is gone */
        if (disk_exists(world.disk, paths[half]))
            disk_remove(world.disk, paths[half]);
        return;
    }
    memcpy(bytes, world.half[half], CAPACITY);
    for (int i = 0; i < changes % 8; i++) {
        uint8_t at = fuzz_u8(in);

        bytes[at % CAPACITY] = fuzz_u8(in);
    }
    if (changes & 8)
        len = fuzz_u8(in) % (CAPACITY + 1);
    disk_put(world.disk, paths[half], bytes, len);
}

static void read_history(struct fuzz *in)
{
    static struct up_event events[UP_HISTORY_RECORDS];
    struct up_error err;
    int n;

    disk_put(world.disk, "/state/history", in->at, in->left);
    n = up_history_read(disk_storage(world.disk), "/state", events, &err);
    FUZZ_REQUIRE(n >= 0 ? n <= UP_HISTORY_RECORDS : n == UP_USAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    struct up_record r = {.path = "/state/value", .magic = "FUZZREC1", .capacity = CAPACITY};
    struct up_error err;
    char got[CAPACITY];
    size_t len;
    int rc;

    if (!world.disk)
        set_up(&r);
    r.storage = disk_storage(world.disk);
    damage(0, &in);
    damage(1, &in);
    rc = up_record_read(&r, got, sizeof got, &len, &err);
    FUZZ_REQUIRE(rc == UP_STATELOST || rc == UP_NOTHING || rc == 0);
    if (rc == 0)
        FUZZ_REQUIRE((len == sizeof old && memcmp(got, old, len) == 0) ||
                     (len == sizeof new &&memcmp(got, new, len) == 0));
    rc = up_record_write(&r, fresh, sizeof fresh, &err);
    if (rc == 0 && up_record_read(&r, got, sizeof got, &len, &err) == 0)
        FUZZ_REQUIRE(len == sizeof fresh && memcmp(got, fresh, len) == 0);
    FUZZ_REQUIRE(disk_open_files(world.disk) == 0);
    read_history(&in);
    return 0;
}
