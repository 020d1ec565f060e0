#include "verify.h"

#include "codec.h"
#include "digest.h"
#include "error.h"
#include "files_archive.h"
#include "index_reader.h"
#include "script_archive.h"
#include "tar.h"

#include <stdlib.h>
#include <string.h>

struct up_verify {
    struct up_source *source;
    struct up_package *package;
    const struct up_manifest *manifest; /* once the head is verified */
    const struct up_package_layout *layout;
    unsigned part;
    uint32_t block;
    uint64_t stored_at;           /* of the block in the file */
    struct up_index_reader check; /* the index is read again, so it is checked again */
    struct up_verify_counts counts;
    struct up_script_archive script; /* of a script part */
    struct up_files_archive files;   /* of a part files */
    bool has_files;                  /* there is one, and it is complete */
    struct up_codec *codec;
    uint8_t *stored, *content; /* a block each */
    bool done;
};

int up_verify_open(struct up_verify **out, struct up_source *source, struct up_storage *storage,
                   const struct up_keyring *ring, struct up_error *err)
{
    struct up_verify *v = calloc(1, sizeof *v);
    int rc = 0;

    if (v) {
        v->source = source;
        v->stored = malloc(UP_BLOCK_MAX);
        v->content = malloc(UP_BLOCK_MAX);
    }
    if (!v || !v->stored || !v->content)
        rc = up_fail(err, UP_INTERNAL, "verify: out of memory");
    if (rc == 0)
        rc = up_codec_new(&v->codec, err);
    if (rc == 0)
        rc = up_package_open(&v->package, source, storage, ring, NULL, err);
    if (rc < 0) {
        up_verify_close(v);
        return rc;
    }
    *out = v;
    return 0;
}

void up_verify_close(struct up_verify *v)
{
    if (!v)
        return;
    up_index_reader_release(&v->check);
    up_package_free(v->package);
    up_files_archive_free(&v->files);
    up_codec_free(v->codec);
    free(v->stored);
    free(v->content);
    free(v);
}

static int read_all(struct up_verify *v, uint64_t offset, uint8_t *out, size_t len, struct up_error *err)
{
    while (len > 0) {
        long n = v->source->ops->read(v->source, offset, out, len, err);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return up_fail(err, UP_CORRUPT, "package: ends at byte %llu", (unsigned long long)offset);
        out += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* Compare the bytes in [from, to), which belong to no member, with what they must be. */
static int check_frame(struct up_verify *v, uint64_t from, uint64_t to, struct up_error *err)
{
    uint8_t expected[UP_TAR_END + UP_TAR_BLOCK], found[sizeof expected];
    size_t len = (size_t)(to - from);
    int rc = read_all(v, from, found, len, err);

    if (rc < 0)
        return rc;
    up_package_layout_fill(v->layout, v->manifest, from, expected, len);
    if (memcmp(expected, found, len) != 0)
        return up_fail(err, UP_UNTRUSTED, "package: bytes from %llu on differ from what was signed",
                       (unsigned long long)from);
    return 0;
}

static int begin_part(struct up_verify *v, struct up_error *err)
{
    uint64_t data = v->layout->data_offset[v->part];
    uint8_t head[UP_INDEX_HEAD];
    int rc = check_frame(v, data - UP_TAR_BLOCK, data, err);

    if (rc == 0)
        rc = read_all(v, v->layout->index_offset[v->part], head, sizeof head, err);
    if (rc == 0)
        rc = up_index_reader_begin(&v->check, &v->manifest->part[v->part], err);
    if (rc < 0)
        return rc;
    up_index_reader_feed(&v->check, head, sizeof head);
    /* The file may have changed since it was verified, and it bounds what is read next. */
    if (v->check.rc < 0)
        return up_fail(err, v->check.rc, "%s", v->check.why.message);
    v->stored_at = data;
    if (v->manifest->part[v->part].kind == UP_FILES)
        up_files_archive_begin(&v->files, v->manifest->part[v->part].size);
    else
        up_script_archive_begin(&v->script,
                                v->manifest->part[v->part].kind == UP_HOTFIX ? UP_ARCHIVE_OF_HOTFIX
                                                                             : UP_ARCHIVE_OF_SCRIPT,
                                v->manifest->part[v->part].size);
    return 0;
}

/* Check what a device would find out only after it fetched everything. */
static int feed_archive(struct up_verify *v, const uint8_t *bytes, size_t len, struct up_error *err)
{
    switch (v->manifest->part[v->part].kind) {
    case UP_SCRIPT:
    case UP_HOTFIX:
        return up_script_archive_feed(&v->script, bytes, len, err);
    case UP_FILES:
        return up_files_archive_feed(&v->files, bytes, len, err);
    default:
        return 0;
    }
}

static int end_archive(struct up_verify *v, struct up_error *err)
{
    enum up_part_kind kind = v->manifest->part[v->part].kind;
    int rc = 0;

    if (kind == UP_SCRIPT || kind == UP_HOTFIX)
        rc = up_script_archive_end(&v->script, err);
    if (rc == 0 && kind == UP_HOTFIX && v->script.has_files != v->manifest->hotfix_files)
        rc = up_fail(err, UP_UNTRUSTED, "hotfix: the manifest says that it %s files, but it %s",
                     v->manifest->hotfix_files ? "has" : "has no", v->script.has_files ? "does" : "does not");
    if (kind == UP_FILES)
        rc = up_files_archive_end(&v->files, err);
    v->has_files = v->has_files || (rc == 0 && kind == UP_FILES);
    return rc;
}

static int end_part(struct up_verify *v, struct up_error *err)
{
    const struct up_part *part = &v->manifest->part[v->part];
    uint64_t end = v->layout->data_offset[v->part] + part->data_size;
    int rc = up_index_reader_end(&v->check, err);

    up_index_reader_release(&v->check);
    if (rc == 0)
        rc = end_archive(v, err);
    if (rc == 0)
        rc = check_frame(v, end, v->layout->data_offset[v->part] + up_tar_padded(part->data_size), err);
    v->block = 0;
    v->part++;
    return rc;
}

static int check_digest(struct up_verify *v, const void *data, size_t len, const uint8_t *expected,
                        const char *what, struct up_error *err)
{
    uint8_t digest[UP_SHA256_SIZE];

    up_sha256(data, len, digest);
    if (memcmp(digest, expected, sizeof digest) != 0)
        return up_fail(err, UP_CORRUPT, "%s.dat: block %u: the %s bytes differ from the index",
                       up_manifest_part_name(v->manifest->part[v->part].kind), v->block, what);
    return 0;
}

/* A delta can only be checked as stored; its result is checked where the old image is. */
static int check_content(struct up_verify *v, const struct up_block *block, struct up_error *err)
{
    int rc;

    if (block->encoding == UP_COPY || block->encoding == UP_DELTA)
        return 0;
    rc = up_codec_decode(v->codec, block->encoding, v->stored, block->stored, v->content, block->length, err);
    if (rc == 0)
        rc = check_digest(v, v->content, block->length, block->digest, "decoded", err);
    return rc == 0 ? feed_archive(v, v->content, block->length, err) : rc;
}

static int check_block(struct up_verify *v, struct up_error *err)
{
    uint64_t at = v->layout->index_offset[v->part] + UP_INDEX_HEAD + (uint64_t)v->block * UP_INDEX_ENTRY;
    uint8_t entry[UP_INDEX_ENTRY];
    struct up_block block;
    int rc = read_all(v, at, entry, sizeof entry, err);

    if (rc < 0)
        return rc;
    up_index_reader_feed(&v->check, entry, sizeof entry);
    if (up_index_get_block(&block, entry, &v->check.head, v->block, err) < 0)
        return err->code;
    rc = read_all(v, v->stored_at, v->stored, block.stored, err);
    if (rc < 0)
        return rc;
    if (block.stored > 0 && check_digest(v, v->stored, block.stored, block.stored_digest, "stored", err) < 0)
        return err->code;
    if (check_content(v, &block, err) < 0)
        return err->code;
    v->stored_at += block.stored;
    v->counts.blocks[block.encoding]++;
    v->counts.done += block.length;
    v->block++;
    return 0;
}

static int check_end(struct up_verify *v, struct up_error *err)
{
    int rc = check_frame(v, v->layout->size - UP_TAR_END, v->layout->size, err);
    uint8_t byte;
    long n;

    if (rc < 0)
        return rc;
    n = v->source->ops->read(v->source, v->layout->size, &byte, 1, err);
    if (n != 0)
        return n < 0 ? (int)n : up_fail(err, UP_CORRUPT, "package: bytes after its end");
    v->done = true;
    return 0;
}

int up_verify_step(struct up_verify *v, struct up_error *err)
{
    int rc;

    if (!v->manifest) {
        rc = up_package_step(v->package, err);
        if (rc < 0)
            return rc;
        v->manifest = up_package_manifest(v->package);
        v->layout = up_package_layout(v->package);
        for (unsigned i = 0; i < v->manifest->part_count; i++)
            v->counts.total += v->manifest->part[i].size;
    } else if (v->part == v->manifest->part_count) {
        rc = v->done ? 0 : check_end(v, err);
    } else if (!v->check.digest) {
        rc = begin_part(v, err);
    } else if (v->block < v->check.head.block_count) {
        rc = check_block(v, err);
    } else {
        rc = end_part(v, err);
    }
    return rc < 0 || v->done ? rc : UP_AGAIN;
}

void up_verify_counts(const struct up_verify *v, struct up_verify_counts *out)
{
    *out = v->counts;
}

const struct up_manifest *up_verify_manifest(const struct up_verify *v)
{
    return up_package_has_manifest(v->package) ? up_package_manifest(v->package) : NULL;
}

const struct up_files_archive *up_verify_files(const struct up_verify *v)
{
    return v->has_files ? &v->files : NULL;
}

const struct up_package_layout *up_verify_layout(const struct up_verify *v)
{
    return up_package_layout(v->package);
}
