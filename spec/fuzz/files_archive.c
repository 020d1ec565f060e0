/* Content of a part files that is taken holds what its update.ini puts in place and
 * nothing else, whatever the pieces that it came in. */
#include "files_archive.h"

#include "error.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

struct archive {
    uint8_t data[65536];
    size_t size;
};

static void put_member(struct archive *a, const char *name, const void *content, size_t size)
{
    struct up_tar_entry entry = {.mode = 0644, .size = size};
    size_t padded = (size_t)up_tar_padded(size);

    if (strlen(name) > UP_TAR_NAME_MAX || UP_TAR_BLOCK + padded > sizeof a->data - UP_TAR_END - a->size)
        return;
    strcpy(entry.name, name);
    if (up_tar_put(a->data + a->size, &entry, NULL) < 0)
        return;
    memcpy(a->data + a->size + UP_TAR_BLOCK, content, size);
    a->size += UP_TAR_BLOCK + padded;
}

/* An update.ini, members by name and size, and one byte of the whole that is another. */
static struct archive *archive_of(struct fuzz *in)
{
    static const uint8_t content[256];
    struct archive *a = fuzz_memory(sizeof *a);
    char *text = fuzz_text(in);
    uint16_t at = fuzz_u16(in);
    uint8_t flip = fuzz_u8(in);

    memset(a, 0, sizeof *a);
    put_member(a, UP_UPDATE_INI, text, strlen(text));
    free(text);
    while (in->left > 0) {
        uint8_t size = fuzz_u8(in);

        text = fuzz_text(in);
        put_member(a, text, content, size);
        free(text);
    }
    a->size += UP_TAR_END;
    a->data[at % a->size] ^= flip;
    return a;
}

static int feed(struct up_files_archive *check, const struct archive *a, size_t piece)
{
    struct up_error err;
    int rc = 0;

    up_files_archive_begin(check, a->size);
    for (size_t at = 0; rc == 0 && at < a->size; at += piece)
        rc = up_files_archive_feed(check, a->data + at, a->size - at < piece ? a->size - at : piece, &err);
    return rc < 0 ? rc : up_files_archive_end(check, &err);
}

static void check_members(const struct up_files_archive *check)
{
    for (size_t i = 0; i < check->ini.count; i++)
        FUZZ_REQUIRE(check->ini.entry[i].operation != UP_FILE_PUT ||
                     up_files_archive_find(check, check->ini.entry[i].name));
    for (size_t i = 0; i < check->members; i++) {
        FUZZ_REQUIRE(up_update_ini_has_file(&check->ini, check->member[i].name));
        FUZZ_REQUIRE(i == 0 || strcmp(check->member[i - 1].name, check->member[i].name) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz in = {data, size};
    struct archive *a = archive_of(&in);
    struct up_files_archive whole, pieces;
    int rc = feed(&whole, a, a->size);

    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    FUZZ_REQUIRE(feed(&pieces, a, 100) == rc);
    if (rc == 0)
        check_members(&whole);
    up_files_archive_free(&whole);
    up_files_archive_free(&pieces);
    free(a);
    return 0;
}
