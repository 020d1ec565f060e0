#include "files_part.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "tar_reader.h"

#define CHUNK 65536u

/* One pass over it. */
struct scan {
    struct up_files_part *part;
    struct up_tar_reader tar;
    struct up_digest *hash;
    size_t seen; /* members whose header was read */
};

static void finish_member(struct scan *s)
{
    uint8_t sum[UP_DIGEST_MAX];

    up_digest_final(s->hash, sum);
    if (s->seen > 0)
        memcpy(s->part->content[s->seen - 1].digest, sum, UP_SHA256_SIZE);
}

/* A header was read. The archive has accepted it as a member, unless it is update.ini's. */
static int begin_member(struct scan *s, struct up_error *err)
{
    struct up_files_archive *a = &s->part->archive;

    finish_member(s);
    if (a->members == 0)
        return 0;
    if (!s->part->content) {
        s->part->content = calloc(a->ini.count, sizeof *s->part->content);
        s->part->offset = calloc(a->ini.count, sizeof *s->part->offset);
        if (!s->part->content || !s->part->offset)
            return up_fail(err, UP_INTERNAL, "files: out of memory");
    }
    s->seen = a->members;
    s->part->content[s->seen - 1].name = a->member[s->seen - 1].name;
    s->part->content[s->seen - 1].size = a->member[s->seen - 1].size;
    s->part->offset[s->seen - 1] = s->tar.at;
    return 0;
}

static int take(struct scan *s, const uint8_t *bytes, size_t len, struct up_error *err)
{
    while (len > 0) {
        size_t n;
        int piece = up_tar_reader_take(&s->tar, bytes, len, &n, err);

        if (piece < 0 || up_files_archive_feed(&s->part->archive, bytes, n, err) < 0)
            return err->code;
        if (piece == UP_TAR_MEMBER && begin_member(s, err) < 0)
            return err->code;
        if (piece == UP_TAR_CONTENT)
            up_digest_update(s->hash, bytes, n);
        bytes += n;
        len -= n;
    }
    return 0;
}

static int read_all(struct scan *s, const char *path, uint64_t size, struct up_error *err)
{
    struct up_storage *storage = s->part->storage;
    uint8_t *buf = malloc(CHUNK);
    uint64_t at = 0;
    int rc = buf ? 0 : up_fail(err, UP_INTERNAL, "%s: out of memory", path);

    while (rc == 0 && at < size) {
        long long got = storage->ops->pread(storage, s->part->file, buf, CHUNK, at);

        if (got < 0)
            rc = up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
        else if (got == 0)
            rc = up_fail(err, UP_WRITE, "%s: ends before its end", path);
        else
            rc = take(s, buf, (size_t)got, err);
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(buf);
    return rc < 0 ? rc : up_files_archive_end(&s->part->archive, err);
}

static int scan(struct up_files_part *part, const char *path, struct up_error *err)
{
    struct scan s = {.part = part};
    struct up_stat st;
    int rc;

    if (part->storage->ops->stat_file(part->storage, part->file, &st) < 0)
        return up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (up_digest_new(&s.hash, UP_SHA256, err) < 0)
        return err->code;
    up_tar_reader_begin(&s.tar, "files", st.size);
    up_files_archive_begin(&part->archive, st.size);
    rc = read_all(&s, path, st.size, err);
    finish_member(&s);
    up_digest_free(s.hash);
    return rc;
}

int up_files_part_open(struct up_files_part *part, struct up_storage *s, const char *path,
                       struct up_error *err)
{
    memset(part, 0, sizeof *part);
    part->storage = s;
    part->file = s->ops->open(s, path, UP_READ, 0);
    if (part->file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", path, strerror(errno));
    if (scan(part, path, err) < 0)
        up_files_part_close(part);
    else
        return 0;
    return err->code;
}

void up_files_part_close(struct up_files_part *part)
{
    if (part->file >= 0)
        part->storage->ops->close(part->storage, part->file);
    part->file = -1;
    up_files_archive_free(&part->archive);
    free(part->content);
    free(part->offset);
    part->content = NULL;
    part->offset = NULL;
}

static long long read_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                              struct up_error *err)
{
    struct up_files_part *part = user;
    uint64_t size;
    long long got;

    if (content >= part->archive.members)
        return up_fail(err, UP_INTERNAL, "files: there is no file %u in the part", content);
    size = part->content[content].size;
    if (offset >= size)
        return 0;
    if (len > size - offset)
        len = (size_t)(size - offset);
    got = part->storage->ops->pread(part->storage, part->file, buf, len, part->offset[content] + offset);
    return got < 0 ? up_fail(err, UP_WRITE, "files: %s: %s", part->content[content].name, strerror(errno))
                   : got;
}

struct up_files_source up_files_part_source(struct up_files_part *part)
{
    return (struct up_files_source){part, read_content, NULL};
}
