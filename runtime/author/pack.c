#include "pack.h"

#include "bare_files.h"
#include "codec.h"
#include "delta_blocks.h"
#include "digest.h"
#include "error.h"
#include "hotfix_files.h"
#include "minisign.h"
#include "package.h"
#include "script_archive.h"
#include "source.h"
#include "storage.h"
#include "tar.h"
#include "tree_tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_SIZE ((size_t)UP_BLOCK_MAX)

/* One part while it is encoded. */
struct input {
    enum up_encoding encoding;
    struct up_tree_tar *tree; /* for script, files or hotfix */
    struct up_source *source; /* for a whole core */
    struct up_delta_blocks *delta;
    bool ready;        /* the delta's images are compared */
    uint8_t *index;    /* the whole .idx */
    uint64_t data_at;  /* of its blocks in OUT.data */
    uint64_t compared; /* of a delta: content bytes, for progress */
    struct up_index_head head;
};

struct up_pack {
    struct up_storage *storage;
    const struct up_secret *key;
    char out[UP_PATH_SIZE], fresh[UP_PATH_SIZE], data_path[UP_PATH_SIZE];
    char files_path[UP_PATH_SIZE]; /* OUT.files */
    bool unpacked;                 /* it is there */
    struct up_files_blanks blanks;
    int data, file; /* OUT.data, OUT.new; -1 while not open */
    struct up_manifest manifest;
    struct up_package_layout layout;
    struct input input[UP_PART_KINDS];
    unsigned part;  /* that is encoded, then copied */
    uint32_t block; /* of it */
    uint64_t data_end, done, total;
    uint64_t copied; /* bytes of the part's blocks in OUT.new */
    enum { ENCODE, HEAD, COPY, FINISH, DONE } state;
    struct up_script_archive hotfix; /* its content is checked as it is read */
    struct up_codec *codec;
    uint8_t *content, *stored; /* a block each */
};

static int refuse_errno(struct up_error *err, const char *path)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
}

static uint32_t block_size_of(const struct up_pack_part *part)
{
    uint32_t otherwise = part->from ? UP_DELTA_BLOCK_SIZE : UP_BLOCK_DEFAULT;

    return part->block_size ? part->block_size : otherwise;
}

/* The part's sizes, as far as they are known before it is encoded. */
static int size_part(struct up_pack *p, struct input *in, struct up_part *part,
                     const struct up_pack_part *from, struct up_error *err)
{
    uint64_t blocks;

    if (in->tree)
        part->size = up_tree_tar_size(in->tree);
    else
        part->size = in->delta ? up_delta_blocks_size(in->delta) : in->source->size;
    part->block_size = block_size_of(from);
    if (part->size == 0 || part->size >= UP_PART_MAX)
        return up_fail(err, UP_USAGE, "%s: %llu bytes; a part has 1 byte to less than 8 GiB", from->path,
                       (unsigned long long)part->size);
    if (part->block_size < UP_BLOCK_MIN || part->block_size > UP_BLOCK_MAX ||
        (part->block_size & (part->block_size - 1)))
        return up_fail(err, UP_USAGE, "%s: block size %u must be a power of two from %u to %u", from->path,
                       part->block_size, UP_BLOCK_MIN, UP_BLOCK_MAX);
    blocks = (part->size + part->block_size - 1) / part->block_size;
    part->index_size = UP_INDEX_HEAD + UP_INDEX_ENTRY * blocks;
    if (part->index_size > UP_INDEX_MAX)
        return up_fail(err, UP_USAGE, "%s: too many blocks; take a larger block size than %u", from->path,
                       part->block_size);
    in->head.block_count = (uint32_t)blocks;
    in->head.block_size = part->block_size;
    in->head.content_size = part->size;
    in->index = malloc((size_t)part->index_size);
    p->total += in->delta ? 2 * part->size : part->size;
    return in->index ? 0 : up_fail(err, UP_INTERNAL, "%s: out of memory", from->path);
}

/* A folder, or an archive of one. */
static int open_files(struct up_pack *p, struct input *in, const struct up_pack_part *from,
                      struct up_error *err)
{
    const char *path = from->path;
    struct up_stat st;

    p->blanks.remove = from->trim;
    if (p->storage->ops->stat(p->storage, path, &st) < 0 || st.kind != UP_NODE_FILE)
        return up_files_folder_open(&in->tree, p->storage, path, path, &p->blanks, err);
    if (up_bare_files_open(&in->tree, p->storage, path, p->files_path, &p->blanks, err) < 0)
        return err->code;
    p->unpacked = true;
    return 0;
}

/* What a device would refuse of the files of a hotfix. */
static int check_hotfix_files(struct up_pack *p, const char *folder, struct up_error *err)
{
    struct up_hotfix_files files;
    int rc = up_hotfix_files_open(&files, p->storage, folder, err);

    p->manifest.hotfix_files = true;
    if (rc == 0)
        up_hotfix_files_close(&files);
    return rc == UP_UNTRUSTED ? (err->code = UP_USAGE) : rc;
}

static int add_part(struct up_pack *p, enum up_part_kind kind, const struct up_pack_part *from,
                    struct up_error *err)
{
    struct up_part *part = &p->manifest.part[p->manifest.part_count];
    struct input *in = &p->input[p->manifest.part_count];
    int rc;

    if (from->encoding != UP_RAW && from->encoding != UP_ZSTD && from->encoding != UP_LZMA)
        return up_fail(err, UP_USAGE, "%s: the encoding must be raw, zstd or lzma", from->path);
    part->kind = kind;
    in->encoding = from->encoding;
    p->manifest.part_count++;
    if (from->from && kind != UP_CORE)
        return up_fail(err, UP_USAGE, "%s: only a core can be a delta; other parts are always packed whole",
                       from->path);
    if (kind == UP_SCRIPT || kind == UP_HOTFIX)
        rc = up_tree_tar_open(&in->tree, p->storage, from->path, err);
    else if (kind == UP_FILES)
        rc = open_files(p, in, from, err);
    else if (from->from)
        rc = up_delta_blocks_open(&in->delta, p->storage, from->from, from->path, from->encoding,
                                  block_size_of(from), err);
    else
        rc = up_source_file(&in->source, p->storage, from->path, err);
    if (rc < 0)
        return rc;
    part->delta = in->delta != NULL;
    part->source_size = in->delta ? up_delta_blocks_old_size(in->delta) : 0;
    part->source_version = in->delta ? from->from_version : 0;
    if (kind == UP_SCRIPT && !up_tree_tar_has(in->tree, "main.lua"))
        return up_fail(err, UP_USAGE, "%s: has no main.lua", from->path);
    if (kind == UP_HOTFIX && up_tree_tar_has(in->tree, "files/" UP_UPDATE_INI) &&
        check_hotfix_files(p, from->path, err) < 0)
        return err->code;
    return size_part(p, in, part, from, err);
}

/* Check the given fields by the reader's rules before any work begins. */
static int check_manifest(const struct up_manifest *m, struct up_error *err)
{
    size_t len;
    char *text;
    int rc = up_manifest_format(m, &text, &len, err);

    if (rc == 0)
        free(text);
    return rc;
}

static int set_up(struct up_pack *p, const struct up_pack_options *options, struct up_error *err)
{
    int rc = 0;

    p->manifest = *options->manifest;
    p->manifest.part_count = 0;
    memset(p->manifest.part, 0, sizeof p->manifest.part);
    if (options->script)
        rc = add_part(p, UP_SCRIPT, options->script, err);
    if (rc == 0 && options->files)
        rc = add_part(p, UP_FILES, options->files, err);
    if (rc == 0 && options->hotfix)
        rc = add_part(p, UP_HOTFIX, options->hotfix, err);
    if (rc == 0 && options->hotfix)
        up_script_archive_begin(&p->hotfix, UP_ARCHIVE_OF_HOTFIX,
                                p->manifest.part[p->manifest.part_count - 1].size);
    if (rc == 0 && options->core)
        rc = add_part(p, UP_CORE, options->core, err);
    if (rc == 0)
        rc = check_manifest(&p->manifest, err);
    if (rc == 0)
        rc = up_codec_new(&p->codec, err);
    if (rc < 0)
        return rc;
    p->content = malloc(COPY_SIZE);
    p->stored = malloc(COPY_SIZE);
    if (!p->content || !p->stored)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", p->out);
    p->data = p->storage->ops->open(p->storage, p->data_path, UP_CREATE, 0644);
    if (p->data < 0 || p->storage->ops->truncate(p->storage, p->data, 0) < 0)
        return refuse_errno(err, p->data_path);
    return 0;
}

int up_pack_open(struct up_pack **out, struct up_storage *storage, const struct up_pack_options *options,
                 const char *path, struct up_error *err)
{
    struct up_pack *p = calloc(1, sizeof *p);
    int rc;

    if (!p)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", path);
    p->storage = storage;
    p->key = options->key;
    p->data = p->file = -1;
    if ((size_t)snprintf(p->out, sizeof p->out, "%s", path) >= sizeof p->out ||
        (size_t)snprintf(p->fresh, sizeof p->fresh, "%s.new", path) >= sizeof p->fresh ||
        (size_t)snprintf(p->data_path, sizeof p->data_path, "%s.data", path) >= sizeof p->data_path ||
        (size_t)snprintf(p->files_path, sizeof p->files_path, "%s.files", path) >= sizeof p->files_path)
        rc = up_fail(err, UP_USAGE, "%.100s...: the path is too long", path);
    else
        rc = set_up(p, options, err);
    if (rc < 0) {
        up_pack_close(p);
        return rc;
    }
    *out = p;
    return 0;
}

static int read_content(struct input *in, uint64_t offset, uint8_t *out, size_t len, struct up_error *err)
{
    if (in->tree)
        return up_tree_tar_read(in->tree, out, len, err);
    while (len > 0) {
        long n = in->source->ops->read(in->source, offset, out, len, err);

        if (n < 0)
            return (int)n;
        if (n == 0)
            return up_fail(err, UP_USAGE, "core image: became shorter while it was read");
        out += n;
        offset += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

static void end_part(struct up_pack *p, struct input *in, struct up_part *part)
{
    up_index_put_head(in->index, &in->head);
    up_sha256(in->index, (size_t)part->index_size, part->index_digest);
    part->data_size = p->data_end - in->data_at;
    /* Read in steps, because the images are large. */
    up_delta_blocks_close(in->delta);
    in->delta = NULL;
    p->block = 0;
    p->part++;
    if (p->part == p->manifest.part_count)
        p->state = HEAD;
    else
        p->input[p->part].data_at = p->data_end;
}

/* What a device would refuse is not signed. */
static int check_content(struct up_pack *p, size_t len, struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->part];
    int rc;

    if (part->kind != UP_HOTFIX)
        return 0;
    rc = up_script_archive_feed(&p->hotfix, p->content, len, err);
    if (rc == 0 && (uint64_t)p->block * part->block_size + len == part->size)
        rc = up_script_archive_end(&p->hotfix, err);
    return rc == UP_UNTRUSTED ? (err->code = UP_USAGE) : rc;
}

/* Encode the current block by itself. */
static int encode_block(struct up_pack *p, struct input *in, struct up_block *block, struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->part];
    uint64_t offset = (uint64_t)p->block * part->block_size, left = part->size - offset;
    size_t stored;

    block->length = left < part->block_size ? (uint32_t)left : part->block_size;
    if (read_content(in, offset, p->content, block->length, err) < 0 ||
        check_content(p, block->length, err) < 0 ||
        up_codec_encode(p->codec, &block->encoding, p->content, block->length, p->stored, &stored, err) < 0)
        return err->code;
    block->stored = (uint32_t)stored;
    up_sha256(p->content, block->length, block->digest);
    up_sha256(p->stored, stored, block->stored_digest);
    return 0;
}

/* Prepare a delta: UP_AGAIN, or 0 when blocks can be made. */
static int compare_images(struct up_pack *p, struct input *in, struct up_part *part, struct up_error *err)
{
    uint64_t done, total, before = p->done - in->compared;
    int rc;

    if (!in->delta || in->ready)
        return 0;
    rc = up_delta_blocks_step(in->delta, err);
    if (rc < 0 && rc != UP_AGAIN)
        return rc;
    up_delta_blocks_progress(in->delta, &done, &total);
    in->compared = rc == 0 ? part->size : part->size / total * done;
    p->done = before + in->compared;
    in->ready = rc == 0;
    if (rc == 0)
        memcpy(part->source_digest, up_delta_blocks_old_digest(in->delta), sizeof part->source_digest);
    return rc;
}

static int step_encode(struct up_pack *p, struct up_error *err)
{
    struct input *in = &p->input[p->part];
    struct up_part *part = &p->manifest.part[p->part];
    struct up_block block = {.encoding = in->encoding};
    int rc = compare_images(p, in, part, err);

    if (rc != 0)
        return rc;
    rc = in->delta ? up_delta_blocks_get(in->delta, p->block, &block, p->stored, err)
                   : encode_block(p, in, &block, err);
    if (rc < 0)
        return rc;
    if (block.encoding != UP_RAW && block.stored > 0)
        in->head.window = part->block_size;
    up_index_put_block(in->index + UP_INDEX_HEAD + (size_t)p->block * UP_INDEX_ENTRY, &block);
    if (p->storage->ops->pwrite(p->storage, p->data, p->stored, block.stored, p->data_end) < 0)
        return refuse_errno(err, p->data_path);
    p->data_end += block.stored;
    p->done += block.length;
    if (++p->block == in->head.block_count)
        end_part(p, in, part);
    return 0;
}

static int put(struct up_pack *p, const void *data, size_t len, uint64_t offset, struct up_error *err)
{
    if (p->storage->ops->pwrite(p->storage, p->file, data, len, offset) < 0)
        return refuse_errno(err, p->fresh);
    return 0;
}

/* Write a member's header, and its content unless that is copied later. The
 * file has its full size by then, so all padding is zero. */
static int put_member(struct up_pack *p, uint64_t offset, const void *data, uint64_t size,
                      struct up_error *err)
{
    uint8_t header[UP_TAR_BLOCK];
    int rc;

    up_package_layout_fill(&p->layout, &p->manifest, offset - UP_TAR_BLOCK, header, sizeof header);
    rc = put(p, header, sizeof header, offset - UP_TAR_BLOCK, err);
    return rc < 0 || !data ? rc : put(p, data, (size_t)size, offset, err);
}

static int open_fresh(struct up_pack *p, struct up_error *err)
{
    const struct up_storage_ops *ops = p->storage->ops;

    p->file = ops->open(p->storage, p->fresh, UP_CREATE, 0644);
    if (p->file < 0 || ops->truncate(p->storage, p->file, 0) < 0 ||
        ops->truncate(p->storage, p->file, p->layout.size) < 0)
        return refuse_errno(err, p->fresh);
    return 0;
}

/* Write every member except the blocks. */
static int put_head(struct up_pack *p, const char *text, size_t size, const char *sig, size_t sig_size,
                    struct up_error *err)
{
    const struct up_manifest *m = &p->manifest;

    up_package_layout_of(&p->layout, m, size, sig_size);
    if (open_fresh(p, err) < 0 || put_member(p, UP_TAR_BLOCK, text, size, err) < 0 ||
        put_member(p, 2 * UP_TAR_BLOCK + up_tar_padded(size), sig, sig_size, err) < 0)
        return err->code;
    for (unsigned i = 0; i < m->part_count; i++)
        if (put_member(p, p->layout.index_offset[i], p->input[i].index, m->part[i].index_size, err) < 0)
            return err->code;
    for (unsigned i = 0; i < m->part_count; i++)
        if (put_member(p, p->layout.data_offset[i], NULL, 0, err) < 0)
            return err->code;
    return 0;
}

static int step_head(struct up_pack *p, struct up_error *err)
{
    char sig[UP_MINISIG_MAX], comment[64], *text;
    size_t size, sig_size;
    int rc = up_manifest_format(&p->manifest, &text, &size, err);

    if (rc < 0)
        return rc;
    up_sha256(text, size, p->manifest.digest);
    snprintf(comment, sizeof comment, "moult manifest sequence %llu",
             (unsigned long long)p->manifest.sequence);
    rc = up_signing_key_sign(p->key, text, size, comment, sig, &sig_size, err);
    if (rc == 0)
        rc = put_head(p, text, size, sig, sig_size, err);
    free(text);
    p->part = 0;
    p->state = COPY;
    return rc;
}

static int step_copy(struct up_pack *p, struct up_error *err)
{
    struct up_part *part = &p->manifest.part[p->part];
    uint64_t left = part->data_size - p->copied;
    size_t len = left < COPY_SIZE ? (size_t)left : COPY_SIZE;

    if (p->storage->ops->pread(p->storage, p->data, p->content, len, p->input[p->part].data_at + p->copied) !=
        (long long)len)
        return up_fail(err, UP_WRITE, "%s: cannot be read back", p->data_path);
    if (put(p, p->content, len, p->layout.data_offset[p->part] + p->copied, err) < 0)
        return err->code;
    p->copied += len;
    if (p->copied == part->data_size) {
        p->copied = 0;
        if (++p->part == p->manifest.part_count)
            p->state = FINISH;
    }
    return 0;
}

static int step_finish(struct up_pack *p, struct up_error *err)
{
    const struct up_storage_ops *ops = p->storage->ops;

    if (ops->sync(p->storage, p->file) < 0 || ops->rename(p->storage, p->fresh, p->out) < 0)
        return refuse_errno(err, p->fresh);
    p->state = DONE;
    return up_storage_sync_parent(p->storage, p->out, err);
}

int up_pack_step(struct up_pack *p, struct up_error *err)
{
    static int (*const steps[])(struct up_pack *, struct up_error *) = {
        [ENCODE] = step_encode, [HEAD] = step_head, [COPY] = step_copy, [FINISH] = step_finish};
    int rc = p->state == DONE ? 0 : steps[p->state](p, err);

    return rc < 0 || p->state == DONE ? rc : UP_AGAIN;
}

void up_pack_progress(const struct up_pack *p, uint64_t *done, uint64_t *total)
{
    *done = p->done;
    *total = p->total;
}

unsigned up_pack_blanks(const struct up_pack *p)
{
    return p->blanks.lines;
}

const struct up_manifest *up_pack_manifest(const struct up_pack *p)
{
    return &p->manifest;
}

uint64_t up_pack_size(const struct up_pack *p)
{
    return p->state == DONE ? p->layout.size : 0;
}

/* Close and remove an unfinished file. */
static void drop(struct up_storage *storage, int file, const char *path, bool remove)
{
    if (file < 0)
        return;
    storage->ops->close(storage, file);
    if (remove)
        storage->ops->unlink(storage, path);
}

void up_pack_close(struct up_pack *p)
{
    struct up_error ignored;

    if (!p)
        return;
    drop(p->storage, p->data, p->data_path, true);
    drop(p->storage, p->file, p->fresh, p->state != DONE);
    for (int i = 0; i < UP_PART_KINDS; i++) {
        up_tree_tar_close(p->input[i].tree);
        if (p->input[i].source)
            p->input[i].source->ops->close(p->input[i].source);
        up_delta_blocks_close(p->input[i].delta);
        free(p->input[i].index);
    }
    if (p->unpacked)
        (void)!up_storage_remove_tree(p->storage, p->files_path, &ignored);
    up_codec_free(p->codec);
    free(p->content);
    free(p->stored);
    free(p);
}
