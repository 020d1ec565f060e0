#include "pack_input.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "hotfix_files.h"

static uint32_t block_size_of(const struct up_pack_part *part)
{
    uint32_t otherwise = part->from ? UP_DELTA_BLOCK_SIZE : UP_BLOCK_DEFAULT;

    return part->block_size ? part->block_size : otherwise;
}

/* The part's sizes, as far as they are known before it is encoded. */
static int size_part(struct up_pack_input *in, struct up_part *part, const struct up_pack_part *from,
                     struct up_error *err)
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
    return in->index ? 0 : up_fail(err, UP_INTERNAL, "%s: out of memory", from->path);
}

/* A folder, or an archive of one. */
static int open_files(struct up_pack_input *in, const struct up_pack_part *from, const char *unpack_to,
                      struct up_error *err)
{
    const char *path = from->path;
    struct up_stat st;

    in->blanks.remove = from->trim;
    if (in->storage->ops->stat(in->storage, path, &st) < 0 || st.kind != UP_NODE_FILE)
        return up_files_folder_open(&in->tree, in->storage, path, path, &in->blanks, err);
    if (up_bare_files_open(&in->tree, in->storage, path, unpack_to, &in->blanks, err) < 0)
        return err->code;
    in->unpacked = unpack_to;
    return 0;
}

/* What a device would refuse of the files of a hotfix. */
static int check_hotfix_files(struct up_pack_input *in, const char *folder, struct up_error *err)
{
    struct up_hotfix_files files;
    int rc = up_hotfix_files_open(&files, in->storage, folder, err);

    if (rc == 0)
        up_hotfix_files_close(&files);
    return rc == UP_UNTRUSTED ? (err->code = UP_USAGE) : rc;
}

static int open_content(struct up_pack_input *in, enum up_part_kind kind, const struct up_pack_part *from,
                        const char *unpack_to, struct up_error *err)
{
    if (kind == UP_SCRIPT || kind == UP_HOTFIX)
        return up_tree_tar_open(&in->tree, in->storage, from->path, err);
    if (kind == UP_FILES)
        return open_files(in, from, unpack_to, err);
    if (from->from)
        return up_delta_blocks_open(&in->delta, in->storage, from->from, from->path, from->encoding,
                                    block_size_of(from), err);
    return up_source_file(&in->source, in->storage, from->path, err);
}

int up_pack_input_open(struct up_pack_input *in, struct up_manifest *m, enum up_part_kind kind,
                       const struct up_pack_part *from, struct up_storage *storage, const char *unpack_to,
                       struct up_error *err)
{
    struct up_part *part = &m->part[m->part_count++];

    part->kind = kind;
    in->storage = storage;
    in->encoding = from->encoding;
    if (from->encoding != UP_RAW && from->encoding != UP_ZSTD && from->encoding != UP_LZMA)
        return up_fail(err, UP_USAGE, "%s: the encoding must be raw, zstd or lzma", from->path);
    if (from->from && kind != UP_CORE)
        return up_fail(err, UP_USAGE, "%s: only a core can be a delta; other parts are always packed whole",
                       from->path);
    if (open_content(in, kind, from, unpack_to, err) < 0)
        return err->code;
    part->delta = in->delta != NULL;
    part->source_size = in->delta ? up_delta_blocks_old_size(in->delta) : 0;
    part->source_version = in->delta ? from->from_version : 0;
    if (kind == UP_SCRIPT && !up_tree_tar_has(in->tree, "main.lua"))
        return up_fail(err, UP_USAGE, "%s: has no main.lua", from->path);
    if (kind == UP_HOTFIX && up_tree_tar_has(in->tree, "files/" UP_UPDATE_INI)) {
        m->hotfix_files = true;
        if (check_hotfix_files(in, from->path, err) < 0)
            return err->code;
    }
    if (size_part(in, part, from, err) < 0)
        return err->code;
    if (kind == UP_HOTFIX)
        up_script_archive_begin(&in->hotfix, UP_ARCHIVE_OF_HOTFIX, part->size);
    return 0;
}

int up_pack_input_prepare(struct up_pack_input *in, struct up_part *part, struct up_error *err)
{
    uint64_t done, total;
    int rc;

    if (!in->delta || in->ready)
        return 0;
    rc = up_delta_blocks_step(in->delta, err);
    if (rc < 0 && rc != UP_AGAIN)
        return rc;
    up_delta_blocks_progress(in->delta, &done, &total);
    in->compared = rc == 0 ? part->size : part->size / total * done;
    in->ready = rc == 0;
    if (rc == 0)
        memcpy(part->source_digest, up_delta_blocks_old_digest(in->delta), sizeof part->source_digest);
    return rc;
}

static int read_core(struct up_pack_input *in, uint64_t offset, uint8_t *out, size_t len,
                     struct up_error *err)
{
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

int up_pack_input_read(struct up_pack_input *in, const struct up_part *part, uint64_t offset, uint8_t *out,
                       size_t len, struct up_error *err)
{
    int rc = in->tree ? up_tree_tar_read(in->tree, out, len, err) : read_core(in, offset, out, len, err);

    if (rc < 0 || part->kind != UP_HOTFIX)
        return rc;
    rc = up_script_archive_feed(&in->hotfix, out, len, err);
    if (rc == 0 && offset + len == part->size)
        rc = up_script_archive_end(&in->hotfix, err);
    return rc == UP_UNTRUSTED ? (err->code = UP_USAGE) : rc;
}

void up_pack_input_end(struct up_pack_input *in)
{
    up_delta_blocks_close(in->delta);
    in->delta = NULL;
}

void up_pack_input_close(struct up_pack_input *in)
{
    struct up_error ignored;

    up_tree_tar_close(in->tree);
    if (in->source)
        in->source->ops->close(in->source);
    up_pack_input_end(in);
    free(in->index);
    if (in->unpacked)
        (void)!up_storage_remove_tree(in->storage, in->unpacked, &ignored);
}
