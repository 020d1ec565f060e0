#include "tar_reader.h"

#include <string.h>

#include "error.h"

void up_tar_reader_begin(struct up_tar_reader *r, const char *what, uint64_t size)
{
    memset(r, 0, sizeof *r);
    r->what = what;
    r->size = size;
}

/* A header is complete: of a member, or the first block of the end mark. */
static int take_header(struct up_tar_reader *r, struct up_error *err)
{
    int more = up_tar_get(&r->entry, r->header, err);

    r->filled = 0;
    if (more < 0)
        return more;
    if (more == 0) {
        r->ended = true;
        if (r->size - r->at != UP_TAR_END - UP_TAR_BLOCK)
            return up_fail(err, UP_UNTRUSTED, "%s: bytes after the end mark", r->what);
        return UP_TAR_FRAME;
    }
    if (r->size - r->at < up_tar_padded(r->entry.size))
        return up_fail(err, UP_UNTRUSTED, "%s: member %s is cut short", r->what, r->entry.name);
    r->content = r->entry.size;
    r->padding = up_tar_padded(r->entry.size) - r->entry.size;
    return UP_TAR_MEMBER;
}

static size_t least(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static int take_zeros(const struct up_tar_reader *r, const uint8_t *bytes, size_t len, struct up_error *err)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return up_fail(err, UP_UNTRUSTED, "%s: bytes where the archive must have zeros", r->what);
    return UP_TAR_FRAME;
}

int up_tar_reader_take(struct up_tar_reader *r, const uint8_t *bytes, size_t len, size_t *taken,
                       struct up_error *err)
{
    size_t n = len;
    int piece = UP_TAR_FRAME;

    if (r->content > 0) {
        n = least(r->content, len);
        r->content -= n;
        piece = UP_TAR_CONTENT;
    } else if (r->padding > 0) {
        n = least(r->padding, len);
        r->padding -= n;
        piece = take_zeros(r, bytes, n, err);
    } else if (r->ended) {
        piece = take_zeros(r, bytes, n, err);
    } else {
        n = least(sizeof r->header - r->filled, len);
        memcpy(r->header + r->filled, bytes, n);
        r->filled += n;
    }
    r->at += n;
    *taken = n;
    return piece >= 0 && r->filled == sizeof r->header ? take_header(r, err) : piece;
}

int up_tar_reader_end(const struct up_tar_reader *r, struct up_error *err)
{
    if (r->at != r->size || !r->ended)
        return up_fail(err, UP_UNTRUSTED, "%s: the archive ends without its end mark", r->what);
    return 0;
}
