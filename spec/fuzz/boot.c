/* Whatever the boot record says, one of the two slots is chosen, and what was
 * chosen is what is read. */
#include "boot.h"
#include "config.h"

#include "disk.h"
#include "error.h"
#include "fuzz.h"
#include "record.h"

#include <string.h>

static void check(const struct up_boot_state *s)
{
    FUZZ_REQUIRE(s->count >= 1 && s->count <= UP_SLOTS && s->running < UP_SLOTS);
    for (int i = 0; i < UP_SLOTS; i++)
        FUZZ_REQUIRE(s->order[i] < UP_SLOTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct disk *disk;
    struct up_record r = {.path = "/state/boot", .magic = "MOULTBT1", .capacity = 512};
    struct up_config config;
    struct up_boot_state before, chosen, after;
    struct up_boot *boot;
    struct up_error err;
    char id[37];
    int rc;

    up_config_init(&config);
    config.state = (char[]){"/state"};
    config.boot = UP_BOOT_FILE;
    if (!disk)
        disk = disk_new();
    disk_clear(disk);
    disk_put_dir(disk, "/state");
    r.storage = disk_storage(disk);
    if (size > r.capacity - UP_RECORD_HEAD)
        size = r.capacity - UP_RECORD_HEAD;
    FUZZ_REQUIRE(up_record_create(&r, data, size, &err) == 0);
    FUZZ_REQUIRE(up_boot_open(&boot, r.storage, up_config_boot(&config), &err) == 0);
    rc = up_boot_read(boot, &before, &err);
    FUZZ_REQUIRE(rc == 0 || rc == UP_STATELOST || rc == UP_INTERNAL);
    if (rc == 0) {
        check(&before);
        FUZZ_REQUIRE(up_boot_select(boot, &chosen, &err) == 0);
        check(&chosen);
        up_boot_id(boot, &chosen, id);
        FUZZ_REQUIRE(memchr(id, 0, sizeof id));
        FUZZ_REQUIRE(up_boot_read(boot, &after, &err) == 0);
        FUZZ_REQUIRE(after.running == chosen.running && after.boots == before.boots + 1);
        /* Only a slot on trial is counted down, by one. */
        for (int i = 0; i < UP_SLOTS; i++)
            FUZZ_REQUIRE(after.tries[i] == before.tries[i] ||
                         (!before.good[i] && after.tries[i] + 1 == before.tries[i]));
    }
    up_boot_close(boot);
    FUZZ_REQUIRE(disk_open_files(disk) == 0);
    return 0;
}
