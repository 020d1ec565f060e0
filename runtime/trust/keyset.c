#include "keyset.h"

#include "bytes.h"
#include "error.h"
#include "record.h"
#include "storage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_SIZE (8 + 8 + 32 + 8 + 4 + 4) /* form, serial, digest, settled, counts */
#define ENTRY_SIZE (UP_KEY_NAME_SIZE + UP_KEY_RAW_SIZE)
#define CAPACITY (HEAD_SIZE + UP_KEYS_REVOKED_MAX * UP_KEY_ID_SIZE + UP_KEYS_ADD_MAX * ENTRY_SIZE)
#define FORM 1

/* The mark, which is also the stem of the record's two files. */
static int mark_of(char path[UP_PATH_SIZE], const char *dir, struct up_error *err)
{
    if (snprintf(path, UP_PATH_SIZE, "%s/set", dir) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "keys %s: path too long", dir);
    return 0;
}

static int record_of(struct up_record *r, char path[UP_PATH_SIZE], struct up_storage *storage,
                     const char *dir, struct up_error *err)
{
    *r = (struct up_record){
        .storage = storage, .path = path, .magic = "MOULTKS1", .capacity = UP_RECORD_HEAD + CAPACITY};
    return mark_of(path, dir, err);
}

/* Whether there was a record once, as far as can be seen. */
static bool is_marked(struct up_storage *storage, const char *dir)
{
    char path[UP_PATH_SIZE];
    struct up_error ignored;
    struct up_stat st;

    if (mark_of(path, dir, &ignored) < 0)
        return true;
    return storage->ops->stat(storage, path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static size_t encode(const struct up_keyset *set, uint8_t out[CAPACITY])
{
    uint8_t *at = out + HEAD_SIZE;

    up_put64(out, FORM);
    up_put64(out + 8, set->serial);
    memcpy(out + 16, set->digest, sizeof set->digest);
    up_put64(out + 48, set->settled);
    up_put32(out + 56, set->revoked_count);
    up_put32(out + 60, set->pending_count);
    memcpy(at, set->revoked, set->revoked_count * (size_t)UP_KEY_ID_SIZE);
    at += set->revoked_count * (size_t)UP_KEY_ID_SIZE;
    for (unsigned i = 0; i < set->pending_count; i++, at += ENTRY_SIZE) {
        memcpy(at, set->pending[i].name, UP_KEY_NAME_SIZE);
        memcpy(at + UP_KEY_NAME_SIZE, set->pending[i].raw, UP_KEY_RAW_SIZE);
    }
    return (size_t)(at - out);
}

static bool decode(struct up_keyset *set, const uint8_t *in, size_t len)
{
    const uint8_t *at = in + HEAD_SIZE;

    if (len < HEAD_SIZE || up_get64(in) != FORM)
        return false;
    set->serial = up_get64(in + 8);
    memcpy(set->digest, in + 16, sizeof set->digest);
    set->settled = up_get64(in + 48) == 1;
    set->revoked_count = up_get32(in + 56);
    set->pending_count = up_get32(in + 60);
    if (set->revoked_count > UP_KEYS_REVOKED_MAX || set->pending_count > UP_KEYS_ADD_MAX ||
        len !=
            HEAD_SIZE + set->revoked_count * (size_t)UP_KEY_ID_SIZE + set->pending_count * (size_t)ENTRY_SIZE)
        return false;
    memcpy(set->revoked, at, set->revoked_count * (size_t)UP_KEY_ID_SIZE);
    at += set->revoked_count * (size_t)UP_KEY_ID_SIZE;
    for (unsigned i = 0; i < set->pending_count; i++, at += ENTRY_SIZE) {
        memcpy(set->pending[i].name, at, UP_KEY_NAME_SIZE);
        memcpy(set->pending[i].raw, at + UP_KEY_NAME_SIZE, UP_KEY_RAW_SIZE);
        if (set->pending[i].name[UP_KEY_NAME_SIZE - 1])
            return false;
    }
    return true;
}

int up_keyset_read(struct up_keyset *set, struct up_storage *storage, const char *dir, struct up_error *err)
{
    uint8_t *bytes = malloc(CAPACITY);
    char path[UP_PATH_SIZE];
    struct up_error none;
    struct up_record r;
    size_t len;
    int rc;

    memset(set, 0, sizeof *set);
    if (!bytes)
        return up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    rc = record_of(&r, path, storage, dir, err);
    if (rc == 0)
        rc = up_record_read(&r, bytes, CAPACITY, &len, &none);
    if (rc == UP_NOTHING && is_marked(storage, dir))
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: the record of revoked keys, set.0 and set.1, is gone", dir);
    else if (rc == UP_NOTHING)
        rc = 0; /* not an error: err stays as it was */
    else if (rc == UP_INTERNAL)
        rc = up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    else if (rc == 0 && !decode(set, bytes, len))
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: the record of revoked keys has an unknown format", dir);
    else if (rc < 0)
        rc = up_fail(err, UP_UNTRUSTED, "keys %s: the record of revoked keys, set.0 and set.1, is unreadable",
                     dir);
    free(bytes);
    return rc;
}

int up_keyset_write(const struct up_keyset *set, struct up_storage *storage, const char *dir,
                    struct up_error *err)
{
    uint8_t *bytes = malloc(CAPACITY), *old = malloc(CAPACITY);
    char path[UP_PATH_SIZE];
    struct up_record r;
    size_t len, ignored;
    int rc = record_of(&r, path, storage, dir, err);

    if (!bytes || !old) {
        rc = up_fail(err, UP_INTERNAL, "keys %s: out of memory", dir);
    } else if (rc == 0) {
        len = encode(set, bytes);
        rc = up_record_read(&r, old, CAPACITY, &ignored, err);
        if (rc == 0)
            rc = up_record_write(&r, bytes, len, err);
        else if (rc == UP_NOTHING)
            rc = up_record_create(&r, bytes, len, err);
    }
    free(bytes);
    free(old);
    return rc;
}

int up_keyset_mark(struct up_storage *storage, const char *dir, struct up_error *err)
{
    static const char text[] =
        "Keys were revoked or added here by a signed list. What it said lies in set.0 and\n"
        "set.1: without them no key is trusted, so copy all three with the keys.\n";
    char path[UP_PATH_SIZE];

    if (is_marked(storage, dir))
        return 0;
    if (mark_of(path, dir, err) < 0)
        return err->code;
    return up_storage_write_file(storage, path, text, sizeof text - 1, 0644, err);
}

bool up_keyset_needs_tending(struct up_storage *storage, const char *dir)
{
    struct up_record_view view[2];
    struct up_error ignored;

    if (up_keyset_inspect(view, storage, dir, &ignored) < 0)
        return false;
    for (int i = 0; i < 2; i++)
        if (strcmp(view[i].state, "whole") != 0 || view[i].size < UP_RECORD_SPREAD || view[i].noted)
            return true;
    return !is_marked(storage, dir);
}

int up_keyset_tend(struct up_storage *storage, const char *dir, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_record r;

    if (record_of(&r, path, storage, dir, err) < 0 || up_record_tend(&r, err) < 0)
        return err->code;
    return up_keyset_mark(storage, dir, err);
}

int up_keyset_inspect(struct up_record_view *view, struct up_storage *storage, const char *dir,
                      struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_record r;

    if (record_of(&r, path, storage, dir, err) < 0)
        return err->code;
    return up_record_inspect(&r, view, err);
}

bool up_keyset_revoked(const struct up_keyset *set, const uint8_t id[UP_KEY_ID_SIZE])
{
    for (unsigned i = 0; i < set->revoked_count; i++)
        if (memcmp(set->revoked[i], id, UP_KEY_ID_SIZE) == 0)
            return true;
    return false;
}
