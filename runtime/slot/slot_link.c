#include "slot_link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

#define MOST_LINKS 16

/* Remove "name/..", "." and empty names from the path. */
static void tidy(char *path)
{
    char *out = path, *save = NULL, copy[UP_PATH_SIZE];

    snprintf(copy, sizeof copy, "%s", path);
    for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            while (out > path && *--out != '/')
                ;
            continue;
        }
        *out++ = '/';
        memcpy(out, name, strlen(name));
        out += strlen(name);
    }
    *out = '\0';
}

/* The shorter name of the same node. After a link to a directory, ".." cannot be removed. */
static void shorten(struct up_storage *storage, char node[UP_PATH_SIZE], const struct up_stat *st)
{
    char shorter[UP_PATH_SIZE];
    struct up_stat found;

    snprintf(shorter, sizeof shorter, "%s", node);
    tidy(shorter);
    if (storage->ops->stat(storage, shorter, &found) == 0 && found.device == st->device &&
        found.inode == st->inode && found.kind == st->kind)
        snprintf(node, UP_PATH_SIZE, "%s", shorter);
}

/* Follow one link; a relative target starts at the link's directory. */
static int step(struct up_storage *storage, const char *path, char node[UP_PATH_SIZE], struct up_error *err)
{
    char target[UP_PATH_SIZE], *slash;
    int n = storage->ops->readlink(storage, node, target, sizeof target);
    size_t dir = 0;

    if (n < 0)
        return up_fail(err, UP_WRITE, "slot %s: link %s: %s", path, node, strerror(errno));
    slash = strrchr(node, '/');
    if (target[0] != '/' && slash)
        dir = (size_t)(slash - node) + 1;
    if ((size_t)n + 1 >= sizeof target || dir + (size_t)n + 1 > UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "slot %s: the link %s is too long", path, node);
    memcpy(node + dir, target, (size_t)n + 1);
    return 0;
}

int up_slot_link_follow(struct up_storage *storage, const char *path, char node[UP_PATH_SIZE],
                        struct up_stat *st, struct up_error *err)
{
    if (snprintf(node, UP_PATH_SIZE, "%s", path) >= UP_PATH_SIZE)
        return up_fail(err, UP_USAGE, "slot %.200s...: path too long", path);
    for (int links = 0; links <= MOST_LINKS; links++) {
        if (storage->ops->stat(storage, node, st) < 0) {
            if (errno != ENOENT)
                return up_fail(err, UP_WRITE, "slot %s: %s", path, strerror(errno));
            return links == 0
                       ? 0
                       : up_fail(err, UP_MISSING, "slot %s: leads to %s, which is not there", path, node);
        }
        if (st->kind != UP_NODE_LINK) {
            if (links > 0)
                shorten(storage, node, st);
            return 1;
        }
        if (step(storage, path, node, err) < 0)
            return err->code;
    }
    return up_fail(err, UP_USAGE, "slot %s: more than %d links one after another", path, MOST_LINKS);
}
