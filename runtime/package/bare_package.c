#include "bare_package.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_unpack.h"
#include "digest.h"
#include "error.h"
#include "files_folder.h"
#include "index.h"
#include "manifest.h"
#include "package.h"
#include "script_archive.h"
#include "storage.h"
#include "tree_tar.h"

#define CHUNKS_A_CALL 16 /* of 64 KiB of the archive */
#define CHUNK 65536
#define SPOOL_ROOM 32 /* bytes for the names of what lies in it */

enum state { HASH, MOVE, UNPACK, FOLDER, BLOCKS, HEAD, DONE };

struct up_bare_package {
    struct up_storage *storage;
    enum state state;
    char archive[UP_PATH_SIZE], dir[UP_PATH_SIZE], spool[UP_PATH_SIZE];
    char program[UP_PATH_SIZE], user[UP_NAME_SIZE];
    bool lua;    /* see the options */
    int file;    /* the archive, then the content; -1: none */
    uint64_t at; /* in it */
    struct up_digest *digest;
    struct up_bare_unpack *unpack;
    struct up_tree_tar *tree;
    struct up_files_blanks blanks;
    struct up_index_head head;
    uint32_t block;
    uint8_t *index, *content; /* the content is one block */
    struct up_manifest manifest;
    uint64_t size; /* of the archive */
    struct up_package *package;
};

static int cannot(struct up_bare_package *b, const char *path, const char *what, struct up_error *err)
{
    (void)b;
    return up_fail(err, up_code_of_errno(errno, UP_WRITE), "%s: %s: %s", path, what, strerror(errno));
}

static int copy_text(char *out, size_t size, const char *text, const char *what, struct up_error *err)
{
    if ((size_t)snprintf(out, size, "%s", text ? text : "") >= size)
        return up_fail(err, UP_USAGE, "%s %.100s: too long", what, text);
    return 0;
}

static int copy_options(struct up_bare_package *b, const struct up_bare_options *o, struct up_error *err)
{
    struct up_manifest *m = &b->manifest;
    const struct {
        char *out;
        size_t size;
        const char *text, *what;
    } texts[] = {
        {b->archive, sizeof b->archive, o->archive, "archive"},
        {b->dir, sizeof b->dir, o->dir, "folder"},
        {b->spool, sizeof b->spool - SPOOL_ROOM, o->spool, "spool"},
        {b->program, sizeof b->program, o->program, "program"},
        {b->user, sizeof b->user, o->user, "user"},
        {m->project, sizeof m->project, o->project, "project"},
        {m->product_key, sizeof m->product_key, o->product_key, "product key"},
        {m->release, sizeof m->release, o->release, "release"},
        {m->files_version, sizeof m->files_version, o->files_version, "version"},
        {m->hotfix_name, sizeof m->hotfix_name, o->hotfix_name, "name"},
        {m->hotfix_version, sizeof m->hotfix_version, o->hotfix_version, "version"},
        {m->base[UP_SCRIPT], sizeof m->base[UP_SCRIPT], o->base[UP_SCRIPT], "version"},
        {m->base[UP_CORE], sizeof m->base[UP_CORE], o->base[UP_CORE], "version"},
        {m->base[UP_FILES], sizeof m->base[UP_FILES], o->base[UP_FILES], "version"},
    };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof texts / sizeof *texts; i++)
        rc = copy_text(texts[i].out, texts[i].size, texts[i].text, texts[i].what, err);
    b->blanks.remove = o->trim;
    b->lua = o->lua;
    m->hotfix_opaque = o->opaque;
    return rc;
}

int up_bare_package_open(struct up_bare_package **out, struct up_storage *storage,
                         const struct up_bare_options *options, struct up_error *err)
{
    struct up_bare_package *b = calloc(1, sizeof *b);
    int rc;

    if (!b)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", options->archive);
    b->storage = storage;
    b->file = -1;
    rc = copy_options(b, options, err);
    if (rc == 0)
        rc = up_digest_new(&b->digest, UP_SHA256, err);
    if (rc < 0)
        up_bare_package_close(b);
    else
        *out = b;
    return rc;
}

int up_bare_package_fd(const struct up_bare_package *b)
{
    return b->state == UNPACK ? up_bare_unpack_fd(b->unpack) : -1;
}

static bool is_hotfix(const struct up_bare_package *b)
{
    return b->manifest.hotfix_name[0];
}

static void close_file(struct up_bare_package *b)
{
    if (b->file >= 0)
        b->storage->ops->close(b->storage, b->file);
    b->file = -1;
}

static int start_unpack(struct up_bare_package *b, struct up_error *err)
{
    b->state = UNPACK;
    return up_bare_unpack_start(&b->unpack, b->storage, b->program, b->user[0] ? b->user : NULL, b->archive,
                                b->dir, is_hotfix(b), err);
}

/* Compute the SHA-256 of the archive, then start the process that unpacks it. */
static int step_hash(struct up_bare_package *b, struct up_error *err)
{
    uint8_t chunk[CHUNK], whole[UP_DIGEST_MAX];
    long long n = 1;

    if (b->file < 0)
        b->file = b->storage->ops->open(b->storage, b->archive, UP_READ, 0);
    if (b->file < 0)
        return up_fail(err, errno == ENOENT ? UP_MISSING : UP_WRITE, "%s: %s", b->archive, strerror(errno));
    for (int i = 0; n > 0 && i < CHUNKS_A_CALL; i++) {
        n = b->storage->ops->pread(b->storage, b->file, chunk, sizeof chunk, b->size);
        if (n < 0)
            return cannot(b, b->archive, "read", err);
        up_digest_update(b->digest, chunk, (size_t)n);
        b->size += (uint64_t)n;
        if (is_hotfix(b) && b->size > UP_HOTFIX_MAX)
            return up_fail(err, UP_UNTRUSTED, "more than the %u bytes that a hotfix may have", UP_HOTFIX_MAX);
    }
    if (n > 0)
        return UP_AGAIN;
    close_file(b);
    up_digest_final(b->digest, whole);
    memcpy(b->manifest.digest, whole, sizeof b->manifest.digest);
    b->manifest.sequence = up_manifest_sequence_unsigned(b->manifest.digest);
    if (!b->manifest.hotfix_opaque)
        return start_unpack(b, err);
    b->state = MOVE;
    return 0;
}

/* What is not unpacked is the only file of its folder. */
static int step_move(struct up_bare_package *b, struct up_error *err)
{
    char path[UP_PATH_SIZE + sizeof UP_OPAQUE_NAME];

    snprintf(path, sizeof path, "%s/%s", b->dir, UP_OPAQUE_NAME);
    if (up_storage_remove_tree(b->storage, b->dir, err) < 0 ||
        up_storage_make_dir(b->storage, b->dir, 0700, err) < 0)
        return err->code;
    if (b->storage->ops->rename(b->storage, b->archive, path) < 0)
        return cannot(b, path, "rename", err);
    b->state = FOLDER;
    return 0;
}

static int step_unpack(struct up_bare_package *b, struct up_error *err)
{
    int rc = up_bare_unpack_step(b->unpack, err);

    if (rc < 0)
        return rc;
    up_bare_unpack_close(b->unpack);
    b->unpack = NULL;
    b->state = FOLDER;
    return 0;
}

static const char *spool_path(const struct up_bare_package *b, const char *name, char path[UP_PATH_SIZE])
{
    snprintf(path, UP_PATH_SIZE, "%.*s/%s", (int)(UP_PATH_SIZE - SPOOL_ROOM), b->spool, name);
    return path;
}

/* The content, or its index. */
static const char *part_path(const struct up_bare_package *b, const char *end, char path[UP_PATH_SIZE])
{
    char name[SPOOL_ROOM - 1];

    snprintf(name, sizeof name, "%s%s", up_manifest_part_name(b->manifest.part[0].kind), end);
    return spool_path(b, name, path);
}

/* Remove the head of another package, which would be taken for this one's. */
static int clear_spool(struct up_bare_package *b, struct up_error *err)
{
    static const char *const names[] = {"manifest.json", "manifest.minisig", "script.idx",
                                        "core.idx",      "files.idx",        "files.tar"};
    char path[UP_PATH_SIZE];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (b->storage->ops->unlink(b->storage, spool_path(b, names[i], path)) < 0 && errno != ENOENT)
            return cannot(b, path, "unlink", err);
    return 0;
}

/* The content of a files part is checked like that of a signed package. */
static int open_files(struct up_bare_package *b, struct up_error *err)
{
    if (up_files_folder_open(&b->tree, b->storage, b->dir, "archive", &b->blanks, err) < 0)
        return err->code;
    return clear_spool(b, err);
}

/* Its files are checked when the device unpacks it (hotfix_files.h). */
static int open_hotfix(struct up_bare_package *b, struct up_error *err)
{
    bool modules = false, files = false;

    if (up_storage_remove_tree(b->storage, b->spool, err) < 0 ||
        up_storage_make_dir(b->storage, b->spool, 0700, err) < 0 ||
        up_tree_tar_open(&b->tree, b->storage, b->dir, err) < 0)
        return err->code;
    if (up_tree_tar_size(b->tree) > UP_HOTFIX_MAX)
        return up_fail(err, UP_UNTRUSTED, "more than the %u bytes that a hotfix may have", UP_HOTFIX_MAX);
    for (size_t i = 0; up_tree_tar_name(b->tree, i); i++) {
        modules = modules || strncmp(up_tree_tar_name(b->tree, i), "lua/", 4) == 0;
        files = files || strncmp(up_tree_tar_name(b->tree, i), "files/", 6) == 0;
    }
    if (!b->manifest.hotfix_opaque && !modules && !files)
        return up_fail(err, UP_UNTRUSTED, "has neither lua/ nor files/");
    if (!b->lua && (modules || up_tree_tar_has(b->tree, "test.lua")))
        return up_fail(
            err, UP_UNTRUSTED,
            "has Lua, and its entry in trust.unsigned of the configuration does not say lua = true");
    b->manifest.hotfix_files = files;
    return 0;
}

/* A fault here is the sender's. */
static int step_folder(struct up_bare_package *b, struct up_error *err)
{
    struct up_manifest *m = &b->manifest;
    struct up_part *part = &m->part[0];
    char path[UP_PATH_SIZE];
    int rc = is_hotfix(b) ? open_hotfix(b, err) : open_files(b, err);

    if (rc == UP_USAGE)
        err->code = rc = UP_UNTRUSTED;
    if (rc < 0)
        return rc;
    m->part_count = 1;
    part->kind = is_hotfix(b) ? UP_HOTFIX : UP_FILES;
    part->size = part->data_size = up_tree_tar_size(b->tree);
    part->block_size = UP_BLOCK_DEFAULT;
    b->head.block_size = part->block_size;
    b->head.content_size = part->size;
    b->head.block_count = (uint32_t)((part->size + part->block_size - 1) / part->block_size);
    part->index_size = UP_INDEX_HEAD + (uint64_t)UP_INDEX_ENTRY * b->head.block_count;
    b->index = malloc((size_t)part->index_size);
    b->content = malloc(part->block_size);
    if (!b->index || !b->content)
        return up_fail(err, UP_INTERNAL, "%s: out of memory", b->archive);
    b->file = b->storage->ops->open(b->storage, part_path(b, ".tar", path), UP_WRITE_ONLY_NEW, 0600);
    if (b->file < 0)
        return cannot(b, path, "create", err);
    b->state = BLOCKS;
    return 0;
}

static int step_block(struct up_bare_package *b, struct up_error *err)
{
    const struct up_part *part = &b->manifest.part[0];
    uint64_t offset = (uint64_t)b->block * part->block_size, left = part->size - offset;
    struct up_block block = {.encoding = UP_RAW};

    block.length = block.stored = left < part->block_size ? (uint32_t)left : part->block_size;
    if (up_tree_tar_read(b->tree, b->content, block.length, err) < 0)
        return err->code;
    if (b->storage->ops->pwrite(b->storage, b->file, b->content, block.length, offset) < 0)
        return cannot(b, b->spool, "write", err);
    up_sha256(b->content, block.length, block.digest);
    up_index_put_block(b->index + UP_INDEX_HEAD + (size_t)UP_INDEX_ENTRY * b->block, &block);
    b->block++;
    if (b->block < b->head.block_count)
        return UP_AGAIN;
    b->state = HEAD;
    return 0;
}

/* Write the content first, so that an index always has its content. */
static int step_head(struct up_bare_package *b, struct up_error *err)
{
    struct up_part *part = &b->manifest.part[0];
    char path[UP_PATH_SIZE];

    if (b->storage->ops->sync(b->storage, b->file) < 0)
        return cannot(b, b->spool, "sync", err);
    close_file(b);
    up_index_put_head(b->index, &b->head);
    up_sha256(b->index, (size_t)part->index_size, part->index_digest);
    if (up_storage_write_file(b->storage, part_path(b, ".idx", path), b->index, (size_t)part->index_size,
                              0644, err) < 0)
        return err->code;
    up_tree_tar_close(b->tree);
    b->tree = NULL;
    if (up_storage_remove_tree(b->storage, b->dir, err) < 0 ||
        up_package_unsigned(&b->package, &b->manifest, b->size, err) < 0)
        return err->code;
    b->state = DONE;
    return 0;
}

int up_bare_package_step(struct up_bare_package *b, struct up_error *err)
{
    static int (*const steps[])(struct up_bare_package *, struct up_error *) = {
        [HASH] = step_hash,     [MOVE] = step_move,    [UNPACK] = step_unpack,
        [FOLDER] = step_folder, [BLOCKS] = step_block, [HEAD] = step_head};
    int rc = b->state == DONE ? 0 : steps[b->state](b, err);

    if (rc < 0)
        return rc;
    return b->state == DONE ? 0 : UP_AGAIN;
}

struct up_package *up_bare_package_take(struct up_bare_package *b)
{
    struct up_package *package = b->package;

    b->package = NULL;
    return package;
}

unsigned up_bare_package_blanks(const struct up_bare_package *b)
{
    return b->blanks.lines;
}

void up_bare_package_close(struct up_bare_package *b)
{
    struct up_error ignored;

    if (!b)
        return;
    close_file(b);
    up_bare_unpack_close(b->unpack);
    up_tree_tar_close(b->tree);
    if (b->state > HASH && b->state != DONE)
        (void)!up_storage_remove_tree(b->storage, b->dir, &ignored);
    up_digest_free(b->digest);
    up_package_free(b->package);
    free(b->index);
    free(b->content);
    free(b);
}
