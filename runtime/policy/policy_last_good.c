/*
 * policy_last_good.c -- the last text of a policy that loaded and answered.
 *
 * The file: a line "moult-policy-1 SHA-256", then the text.
 */
#include "policy.h"

#include "digest.h"
#include "error.h"
#include "storage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "moult-policy-1 "
#define HEAD (sizeof MAGIC - 1 + 2 * UP_SHA256_SIZE + 1)

static int path_of(char *path, size_t size, const char *state, const char *name, struct up_error *err)
{
    size_t len = strlen(name);

    if (len < 1 || len > UP_POLICY_NAME_MAX || strspn(name, "abcdefghijklmnopqrstuvwxyz") != len)
        return up_fail(err, UP_USAGE, "policy %s: not a valid name", name);
    if ((size_t)snprintf(path, size, "%s/policy/good/%s", state, name) >= size)
        return up_fail(err, UP_USAGE, "state %.100s...: the path is too long", state);
    return 0;
}

static void head_of(char head[HEAD + 1], const char *text, size_t len)
{
    uint8_t digest[UP_SHA256_SIZE];
    char hex[2 * UP_SHA256_SIZE + 1];

    up_sha256(text, len, digest);
    up_hex(digest, sizeof digest, hex);
    snprintf(head, HEAD + 1, MAGIC "%s\n", hex);
}

static int make_folder(struct up_storage *storage, const char *state, const char *name, struct up_error *err)
{
    char path[UP_PATH_SIZE];

    snprintf(path, sizeof path, "%s/%s", state, name);
    return up_storage_make_dir(storage, path, 0700, err);
}

int up_policy_keep(struct up_storage *storage, const char *state, const char *name, const char *text,
                   size_t len, struct up_error *err)
{
    char path[UP_PATH_SIZE], head[HEAD + 1];
    char *whole;
    int rc = path_of(path, sizeof path, state, name, err);

    if (rc < 0)
        return rc;
    if (len > UP_POLICY_TEXT_MAX)
        return up_fail(err, UP_USAGE, "policy %s: %zu bytes, at most %u", name, len, UP_POLICY_TEXT_MAX);
    rc = make_folder(storage, state, "policy", err);
    if (rc == 0)
        rc = make_folder(storage, state, "policy/good", err);
    if (rc < 0)
        return rc;
    whole = malloc(HEAD + len + 1);
    if (!whole)
        return up_fail(err, UP_INTERNAL, "policy %s: out of memory", name);
    head_of(head, text, len);
    memcpy(whole, head, HEAD);
    memcpy(whole + HEAD, text, len);
    rc = up_storage_write_file(storage, path, whole, HEAD + len, 0600, err);
    free(whole);
    return rc;
}

int up_policy_kept(struct up_storage *storage, const char *state, const char *name, char **text, size_t *len,
                   struct up_error *err)
{
    char path[UP_PATH_SIZE], head[HEAD + 1];
    char *whole;
    size_t size;
    int rc = path_of(path, sizeof path, state, name, err);

    *text = NULL;
    if (rc == 0)
        rc = up_storage_read_file(storage, path, HEAD + UP_POLICY_TEXT_MAX, &whole, &size, err);
    if (rc < 0)
        return rc;
    if (size >= HEAD)
        head_of(head, whole + HEAD, size - HEAD);
    if (size < HEAD || memcmp(whole, head, HEAD) != 0) {
        free(whole);
        return up_fail(err, UP_CORRUPT, "%s: differs from what was kept", path);
    }
    memmove(whole, whole + HEAD, size - HEAD + 1);
    *text = whole;
    *len = size - HEAD;
    return 0;
}
