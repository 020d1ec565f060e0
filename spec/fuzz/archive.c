/* Archives of strangers: whatever passes has names that stay below the folder, none twice,
 * and no more bytes and entries than allowed. */
#include "archive_reader.h"

#include "error.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES 50
#define BYTES (1 << 20)

static void check_name(const char *name, bool any_charset)
{
    char framed[UP_ARCHIVE_NAME_MAX + 3];

    snprintf(framed, sizeof framed, "/%s/", name);
    FUZZ_REQUIRE(name[0] && name[0] != '/');
    FUZZ_REQUIRE(!strstr(framed, "//") && !strstr(framed, "/./") && !strstr(framed, "/../"));
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        FUZZ_REQUIRE(*p >= 0x20 && *p != 0x7f && *p != '\\' && (any_charset || *p != 0xff));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    struct up_archive_limits limits = {BYTES, ENTRIES, 8, 100, fuzz_u8(&in) & 1};
    struct up_archive_reader *a;
    struct up_archive_entry entry;
    struct up_error err;
    char *names[ENTRIES], buf[4096];
    size_t count = 0;
    uint64_t total = 0;
    long n;

    if (up_archive_reader_open_memory(&a, in.at, in.left, &limits, &err) < 0)
        return 0;
    while (up_archive_reader_next(a, &entry, &err) > 0) {
        check_name(entry.name, limits.any_charset);
        FUZZ_REQUIRE(entry.mode == 0755 || (entry.mode == 0644 && entry.kind == UP_ARCHIVE_FILE));
        FUZZ_REQUIRE(count < ENTRIES);
        for (size_t i = 0; i < count; i++)
            FUZZ_REQUIRE(strcmp(names[i], entry.name) != 0);
        names[count++] = strdup(entry.name);
        for (n = up_archive_reader_read(a, buf, sizeof buf, &err); n > 0;
             n = up_archive_reader_read(a, buf, sizeof buf, &err))
            total += (uint64_t)n;
        FUZZ_REQUIRE(total <= BYTES);
    }
    up_archive_reader_close(a);
    while (count > 0)
        free(names[--count]);
    return 0;
}
