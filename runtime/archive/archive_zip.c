#include "archive_zip.h"

#include <string.h>

#include "archive_reader.h"
#include "bytes.h"
#include "error.h"

/* Offsets and lengths as in the format's description, APPNOTE 4.3.7, 4.3.12 and 4.3.16. */
#define LOCAL 30
#define CENTRAL 46
#define END 22
#define END_MAX (END + 65535) /* with a comment */
#define IN_DESCRIPTOR 8       /* flag: CRC and sizes follow the content */

static unsigned get16(const uint8_t *p)
{
    return p[0] | (unsigned)p[1] << 8;
}

struct directory {
    uint64_t place, end; /* bytes from the start of the archive */
    unsigned count;
};

static int differ(const char *what, struct up_error *err)
{
    return up_fail(err, UP_CORRUPT, "zip: %s", what);
}

/* Find the end record, whose comment must reach to the last byte. */
static int find_end(const struct up_archive_bytes *in, struct directory *d, struct up_error *err)
{
    uint64_t most = in->size < END_MAX ? in->size : END_MAX;
    uint8_t r[END];

    for (uint64_t back = END; back <= most; back++) {
        if (in->read(in->user, in->size - back, r, sizeof r, err) < 0)
            return err->code;
        if (up_get32(r) != 0x06054b50 || get16(r + 20) != back - END)
            continue;
        d->count = get16(r + 10);
        d->place = up_get32(r + 16);
        d->end = in->size - back;
        if (up_get32(r + 4) != 0 || get16(r + 8) != d->count)
            return differ("it is one of several volumes", err);
        if (d->place + up_get32(r + 12) != d->end)
            return differ("its directory is not where its end says", err);
        return 0;
    }
    return differ("it has no end", err);
}

/* Compare the local header with the entry in the central directory. */
static int check_local(const struct up_archive_bytes *in, const uint8_t central[CENTRAL], const char *name,
                       uint64_t *at, struct up_error *err)
{
    uint8_t l[LOCAL];
    char other[UP_ARCHIVE_NAME_MAX];
    size_t len = get16(central + 28);

    if (up_get32(central + 42) < *at)
        return differ("entries overlap", err);
    if (up_get32(central + 42) != *at)
        return differ("there is something between entries", err);
    if (in->read(in->user, *at, l, sizeof l, err) < 0)
        return err->code;
    if (up_get32(l) != 0x04034b50 || get16(l + 26) != len)
        return differ("an entry is not where the directory says", err);
    if (in->read(in->user, *at + LOCAL, other, len, err) < 0)
        return err->code;
    if (memcmp(name, other, len) != 0 || get16(l + 6) != get16(central + 8) ||
        get16(l + 8) != get16(central + 10))
        return differ("an entry is described in two ways", err);
    if (!(get16(l + 6) & IN_DESCRIPTOR) && memcmp(l + 14, central + 16, 12) != 0)
        return differ("an entry has two sizes or sums", err);
    *at += LOCAL + len + get16(l + 28) + up_get32(central + 20);
    return 0;
}

/* CRC and sizes behind the content: 12 bytes, or 16 with a signature. */
static int skip_descriptor(const struct up_archive_bytes *in, const uint8_t central[CENTRAL], uint64_t *at,
                           struct up_error *err)
{
    uint8_t d[16];
    size_t signed_by;

    if (!(get16(central + 8) & IN_DESCRIPTOR))
        return 0;
    if (in->read(in->user, *at, d, sizeof d, err) < 0)
        return err->code;
    signed_by = up_get32(d) == 0x08074b50 ? 4 : 0;
    if (memcmp(d + signed_by, central + 16, 12) != 0)
        return differ("an entry has two sizes or sums", err);
    *at += 12 + signed_by;
    return 0;
}

static int check_entry(const struct up_archive_bytes *in, uint64_t *directory, uint64_t *at,
                       struct up_error *err)
{
    uint8_t c[CENTRAL];
    char name[UP_ARCHIVE_NAME_MAX];
    size_t len;

    if (in->read(in->user, *directory, c, sizeof c, err) < 0)
        return err->code;
    len = get16(c + 28);
    if (up_get32(c) != 0x02014b50)
        return differ("its directory has fewer entries than its end says", err);
    if (up_get32(c + 20) == UINT32_MAX || up_get32(c + 24) == UINT32_MAX || up_get32(c + 42) == UINT32_MAX)
        return differ("more than 4 GiB", err);
    if (len == 0 || len > sizeof name)
        return differ("a name that is empty, or too long", err);
    if (in->read(in->user, *directory + CENTRAL, name, len, err) < 0 ||
        check_local(in, c, name, at, err) < 0 || skip_descriptor(in, c, at, err) < 0)
        return err->code;
    *directory += CENTRAL + len + get16(c + 30) + get16(c + 32);
    return 0;
}

int up_archive_zip_check(const struct up_archive_bytes *in, struct up_error *err)
{
    struct directory d = {0};
    uint64_t directory, at = 0;

    if (find_end(in, &d, err) < 0)
        return err->code;
    directory = d.place;
    for (unsigned i = 0; i < d.count; i++)
        if (check_entry(in, &directory, &at, err) < 0)
            return err->code;
    if (directory != d.end)
        return differ("its directory has more entries than its end says", err);
    if (at != d.place)
        return differ("there is something between entries and directory", err);
    return 0;
}
