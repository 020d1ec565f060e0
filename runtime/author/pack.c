#include "pack.h"

#include "codec.h"
#include "digest.h"
#include "error.h"
#include "minisign.h"
#include "pack_input.h"
#include "package.h"
#include "storage.h"
#include "tar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COPY_SIZE ((size_t)UP_BLOCK_MAX)

struct up_pack {
    struct up_storage *storage;
    const struct up_secret *key;
    char out[UP_PATH_SIZE], fresh[UP_PATH_SIZE], data_path[UP_PATH_SIZE];
    char files_path[UP_PATH_SIZE]; /* OUT.files */
    int data, file;                /* OUT.data, OUT.new; -1 while not open */
    struct up_manifest manifest;
    struct up_package_layout layout;
    struct up_pack_input input[UP_PART_KINDS];
    unsigned part;  /* that is encoded, then copied */
    uint32_t block; /* of it */
    uint64_t data_end, done, total;
    uint64_t copied; /* bytes of the part's blocks in OUT.new */
    enum { ENCODE, HEAD, COPY, FINISH, DONE } state;
    struct up_codec *codec;
    uint8_t *content, *stored; /* a block each */
};

static int refuse_errno(struct up_error *err, const char *path)
{
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s", path, strerror(errno));
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

static int add_part(struct up_pack *p, enum up_part_kind kind, const struct up_pack_part *from,
                    struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->manifest.part_count];
    struct up_pack_input *in = &p->input[p->manifest.part_count];
    int rc;

    if (!from)
        return 0;
    rc = up_pack_input_open(in, &p->manifest, kind, from, p->storage, p->files_path, err);
    p->total += in->delta ? 2 * part->size : part->size;
    return rc;
}

static int set_up(struct up_pack *p, const struct up_pack_options *options, struct up_error *err)
{
    p->manifest = *options->manifest;
    p->manifest.part_count = 0;
    memset(p->manifest.part, 0, sizeof p->manifest.part);
    if (add_part(p, UP_SCRIPT, options->script, err) < 0 || add_part(p, UP_FILES, options->files, err) < 0 ||
        add_part(p, UP_HOTFIX, options->hotfix, err) < 0 || add_part(p, UP_CORE, options->core, err) < 0 ||
        check_manifest(&p->manifest, err) < 0 || up_codec_new(&p->codec, err) < 0)
        return err->code;
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

static void end_part(struct up_pack *p, struct up_pack_input *in, struct up_part *part)
{
    up_index_put_head(in->index, &in->head);
    up_sha256(in->index, (size_t)part->index_size, part->index_digest);
    part->data_size = p->data_end - in->data_at;
    up_pack_input_end(in);
    p->block = 0;
    p->part++;
    if (p->part == p->manifest.part_count)
        p->state = HEAD;
    else
        p->input[p->part].data_at = p->data_end;
}

/* Encode the current block by itself. */
static int encode_block(struct up_pack *p, struct up_pack_input *in, struct up_block *block,
                        struct up_error *err)
{
    const struct up_part *part = &p->manifest.part[p->part];
    uint64_t offset = (uint64_t)p->block * part->block_size, left = part->size - offset;
    size_t stored;

    block->length = left < part->block_size ? (uint32_t)left : part->block_size;
    if (up_pack_input_read(in, part, offset, p->content, block->length, err) < 0 ||
        up_codec_encode(p->codec, &block->encoding, p->content, block->length, p->stored, &stored, err) < 0)
        return err->code;
    block->stored = (uint32_t)stored;
    up_sha256(p->content, block->length, block->digest);
    up_sha256(p->stored, stored, block->stored_digest);
    return 0;
}

static int step_encode(struct up_pack *p, struct up_error *err)
{
    struct up_pack_input *in = &p->input[p->part];
    struct up_part *part = &p->manifest.part[p->part];
    struct up_block block = {.encoding = in->encoding};
    uint64_t compared = in->compared;
    int rc = up_pack_input_prepare(in, part, err);

    p->done += in->compared - compared;
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
    unsigned lines = 0;

    for (unsigned i = 0; i < p->manifest.part_count; i++)
        lines += p->input[i].blanks.lines;
    return lines;
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
    if (!p)
        return;
    drop(p->storage, p->data, p->data_path, true);
    drop(p->storage, p->file, p->fresh, p->state != DONE);
    for (unsigned i = 0; i < UP_PART_KINDS; i++)
        up_pack_input_close(&p->input[i]);
    up_codec_free(p->codec);
    free(p->content);
    free(p->stored);
    free(p);
}
