#include "hotfix_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "files_tree.h"

static int refuse(struct up_error *err, const struct up_update_ini_entry *entry, const char *why)
{
    return up_fail(err, UP_UNTRUSTED, "hotfix: files/" UP_UPDATE_INI " line %u: %s", entry->line, why);
}

static int read_ini(struct up_hotfix_files *f, struct up_error *err)
{
    char path[UP_PATH_SIZE + sizeof "/" UP_UPDATE_INI], *text;
    size_t len;
    int rc;

    snprintf(path, sizeof path, "%s/" UP_UPDATE_INI, f->folder);
    rc = up_storage_read_file(f->storage, path, UP_UPDATE_INI_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    rc = up_update_ini_parse(&f->ini, text, len, err);
    free(text);
    return rc;
}

static bool is_known(const struct up_hotfix_files *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->content[i].name, name) == 0)
            return true;
    return false;
}

static int add_content(struct up_hotfix_files *f, const struct up_files_place *place,
                       const struct up_update_ini_entry *entry, struct up_error *err)
{
    struct up_files_content *c = &f->content[f->count];
    struct up_stat st;
    int there;

    if (is_known(f, entry->name))
        return 0;
    there = up_files_tree_look(place, entry->name, &st, err);
    if (there < 0)
        return there;
    if (!there || st.kind != UP_NODE_FILE)
        return refuse(err, entry, "name: there is no such file in files/");
    c->name = entry->name;
    c->size = st.size;
    f->count++;
    return up_files_tree_digest(place, entry->name, c->digest, err);
}

static int add_all(struct up_hotfix_files *f, const struct up_files_place *place, struct up_error *err)
{
    for (const struct up_update_ini_entry *e = f->ini.entry; e < f->ini.entry + f->ini.count; e++) {
        if (e->type == UP_FILE_DIRECTORY)
            return refuse(err, e, "type: a hotfix adds and deletes no directory");
        if (e->type == UP_FILE_DRIVER)
            return refuse(err, e,
                          "type: a driver takes effect with a restart of the device; it needs a release");
        if (e->operation == UP_FILE_PUT && add_content(f, place, e, err) < 0)
            return err->code;
    }
    return 0;
}

struct look {
    const struct up_hotfix_files *files;
    struct up_error *err;
    int rc;
};

static int check_name(void *user, const char *name, enum up_node_kind kind)
{
    struct look *l = user;

    (void)kind;
    if (strcmp(name, UP_UPDATE_INI) != 0 && !is_known(l->files, name))
        l->rc = up_fail(l->err, UP_UNTRUSTED, "hotfix: files/%s: " UP_UPDATE_INI " does not name it", name);
    return l->rc;
}

static int check_names(const struct up_hotfix_files *f, struct up_error *err)
{
    struct look l = {.files = f, .err = err};

    if (f->storage->ops->list(f->storage, f->folder, check_name, &l) < 0 && l.rc == 0)
        return up_fail(err, UP_WRITE, "%s: %s", f->folder, strerror(errno));
    return l.rc;
}

static int read_all(struct up_hotfix_files *f, struct up_error *err)
{
    struct up_files_place place;
    int rc;

    if (read_ini(f, err) < 0)
        return err->code;
    f->content = calloc(f->ini.count, sizeof *f->content);
    if (!f->content)
        return up_fail(err, UP_INTERNAL, "hotfix: out of memory");
    if (up_files_tree_open_at(&place, f->storage, f->folder, "", err) < 0)
        return err->code;
    rc = add_all(f, &place, err);
    up_files_tree_close(&place);
    return rc < 0 ? rc : check_names(f, err);
}

int up_hotfix_files_open(struct up_hotfix_files *f, struct up_storage *s, const char *hotfix,
                         struct up_error *err)
{
    memset(f, 0, sizeof *f);
    f->storage = s;
    if (snprintf(f->folder, sizeof f->folder, "%s/files", hotfix) >= (int)sizeof f->folder)
        return up_fail(err, UP_USAGE, "%s: path too long", hotfix);
    if (read_all(f, err) == 0)
        return 0;
    up_hotfix_files_close(f);
    return err->code;
}

void up_hotfix_files_close(struct up_hotfix_files *f)
{
    up_update_ini_free(&f->ini);
    free(f->content);
    f->content = NULL;
    f->count = 0;
}

static long long read_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                              struct up_error *err)
{
    const struct up_hotfix_files *f = user;
    char path[UP_PATH_SIZE + UP_UPDATE_INI_NAME_MAX + 2];
    struct up_storage *s = f->storage;
    long long got = -1;
    int file;

    if (content >= f->count)
        return up_fail(err, UP_INTERNAL, "hotfix: there is no file %u in it", content);
    snprintf(path, sizeof path, "%s/%s", f->folder, f->content[content].name);
    file = s->ops->open(s, path, UP_READ, 0);
    if (file >= 0)
        got = s->ops->pread(s, file, buf, len, offset);
    if (got < 0)
        (void)!up_fail(err, UP_WRITE, "%s: %s", path, strerror(errno));
    if (file >= 0)
        s->ops->close(s, file);
    return got < 0 ? err->code : got;
}

struct up_files_source up_hotfix_files_source(struct up_hotfix_files *f)
{
    return (struct up_files_source){f, read_content, NULL};
}
