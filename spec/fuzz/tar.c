/* A header that is taken is the one that is written, and its name stays below
 * the directory it is extracted into. */
#include "tar.h"

#include "error.h"
#include "fuzz.h"
#include "tar_sum.h"

#include <stdio.h>
#include <string.h>

static void check_name(const char *name)
{
    char framed[UP_TAR_NAME_MAX + 3];

    snprintf(framed, sizeof framed, "/%s/", name);
    FUZZ_REQUIRE(name[0] && name[0] != '/');
    FUZZ_REQUIRE(!strstr(framed, "//") && !strstr(framed, "/./") && !strstr(framed, "/../"));
    for (const char *p = name; *p; p++)
        FUZZ_REQUIRE((unsigned char)*p >= 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    bool repair = fuzz_u8(&in) & 1;
    uint8_t header[UP_TAR_BLOCK] = {0}, again[UP_TAR_BLOCK];
    struct up_tar_entry entry;
    const uint8_t *from;
    size_t n = fuzz_take(&in, &from, sizeof header);
    int rc;

    if (n)
        memcpy(header, from, n);
    if (repair)
        tar_sum(header);
    rc = up_tar_get(&entry, header, NULL);
    FUZZ_REQUIRE(rc == 1 || rc == 0 || rc == UP_UNTRUSTED);
    if (rc != 1)
        return 0;
    check_name(entry.name);
    FUZZ_REQUIRE(entry.size < (uint64_t)8 << 30 && (!entry.directory || entry.size == 0));
    FUZZ_REQUIRE(entry.mode == 0755 || (entry.mode == 0644 && !entry.directory));
    FUZZ_REQUIRE(up_tar_put(again, &entry, NULL) == 0 && memcmp(again, header, sizeof again) == 0);
    return 0;
}
