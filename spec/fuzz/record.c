/*
 * The two files of a record, each a whole one of which bytes were overwritten
 * or cut off: what is read was written once, and after a write it is what was
 * written. History, a ring of records, lies in the same directory.
 */
#include "record.h"

#include "error.h"
#include "fuzz.h"
#include "history.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 128

static void damage(struct sim *sim, const char *path, struct fuzz *in)
{
    size_t len;
    char *bytes = sim_get(sim, path, &len);
    uint8_t changes = fuzz_u8(in);

    if (changes == 255) { /* the file is gone */
        free(bytes);
        sim_storage(sim)->ops->unlink(sim_storage(sim), path);
        sim_settle(sim);
        return;
    }
    for (int i = 0; i < changes % 8; i++) {
        uint8_t at = fuzz_u8(in);

        bytes[at % len] = (char)fuzz_u8(in);
    }
    if (changes & 8)
        len = fuzz_u8(in) % (CAPACITY + 1);
    sim_put(sim, path, bytes, len, 0600);
    free(bytes);
}

static void read_history(struct sim *sim, struct fuzz *in)
{
    static struct up_event events[UP_HISTORY_RECORDS];
    struct up_error err;
    int n;

    sim_put(sim, "/state/history", in->at, in->left, 0600);
    n = up_history_read(sim_storage(sim), "/state", events, &err);
    FUZZ_REQUIRE(n >= 0 ? n <= UP_HISTORY_RECORDS : n == UP_USAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char old[] = "the first value", new[] = "the second one", fresh[] = "the third";
    struct fuzz in = {data, size};
    struct sim *sim = sim_new();
    struct up_record r = {sim_storage(sim), "/state/value", "FUZZREC1", CAPACITY};
    struct up_error err;
    char got[CAPACITY];
    size_t len;
    int rc;

    sim_put_dir(sim, "/state", 0755);
    FUZZ_REQUIRE(up_record_create(&r, old, sizeof old, &err) == 0);
    FUZZ_REQUIRE(up_record_write(&r, new, sizeof new, &err) == 0);
    sim_settle(sim);
    damage(sim, "/state/value.0", &in);
    damage(sim, "/state/value.1", &in);
    rc = up_record_read(&r, got, sizeof got, &len, &err);
    FUZZ_REQUIRE(rc == UP_STATELOST || rc == UP_NOTHING || rc == 0);
    if (rc == 0)
        FUZZ_REQUIRE((len == sizeof old && memcmp(got, old, len) == 0) ||
                     (len == sizeof new &&memcmp(got, new, len) == 0));
    rc = up_record_write(&r, fresh, sizeof fresh, &err);
    if (rc == 0 && up_record_read(&r, got, sizeof got, &len, &err) == 0)
        FUZZ_REQUIRE(len == sizeof fresh && memcmp(got, fresh, len) == 0);
    FUZZ_REQUIRE(sim_open_files(sim) == 0);
    sim_settle(sim);
    read_history(sim, &in);
    sim_free(sim);
    return 0;
}
