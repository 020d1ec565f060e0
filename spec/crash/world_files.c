#include "world_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "digest.h"
#include "error.h"
#include "files.h"

#define APP "/app"
#define CARD "/card"

const char world_files_ini[] = "conf\t/app/etc\t4\t4\n"
                               "gone\t/app\t2\t4\n"
                               "data\t/app\t2\t1\n"
                               "new\t/app\t1\t1\n"
                               "x\t/app/new\t1\t4\n"
                               "image\t/card\t4\t4\n"
                               "fresh\t/card\t1\t4\n";

static void put_common(struct sim *sim, bool no_links)
{
    sim_put_mount(sim, APP, 1, false);
    sim_put_mount(sim, CARD, 2, no_links);
    sim_put_owner(sim, CARD, 40, 41, 0);
    sim_put_dir(sim, APP "/etc", 0750);
    sim_put_text(sim, APP "/etc/stays", "nobody touches this");
}

void world_files_put(struct sim *sim, bool no_links)
{
    put_common(sim, no_links);
    sim_put(sim, APP "/etc/conf", "old configuration", 17, 0640);
    sim_put_owner(sim, APP "/etc/conf", 5, 6, 7);
    sim_put_text(sim, APP "/gone", "to be deleted");
    sim_put_text(sim, APP "/data/a", "data");
    sim_put_text(sim, APP "/data/sub/b", "more data");
    sim_put_text(sim, CARD "/image", "an old image");
}

/* As the fixtures make files: name and seed, which is that of the release. */
void world_files_file(struct sim *sim, const char *path, unsigned seed, unsigned mode)
{
    char text[64];

    snprintf(text, sizeof text, "%s, seed %u\n", strrchr(path, '/') + 1, seed);
    sim_put(sim, path, text, strlen(text), mode);
}

void world_files_after(struct sim *sim, unsigned seed)
{
    put_common(sim, false);
    world_files_file(sim, APP "/etc/conf", seed, 0640);
    sim_put_owner(sim, APP "/etc/conf", 5, 6, 7);
    sim_put_dir(sim, APP "/new", 0755);
    world_files_file(sim, APP "/new/x", seed, 0644);
    world_files_file(sim, CARD "/image", seed, 0644);
    world_files_file(sim, CARD "/fresh", seed, 0644);
    sim_put_owner(sim, CARD "/fresh", 40, 41, 0);
}

static void give_root(struct up_config *config, const char *path)
{
    config->files.root[config->files.root_count++].path = strdup(path);
}

void world_files_configure(struct up_config *config, bool no_links)
{
    give_root(config, APP);
    give_root(config, CARD);
    config->files.root[1].weak = no_links;
}

char *world_files_dump(const struct sim *sim, bool ours)
{
    char *app = sim_dump(sim, APP), *card = sim_dump(sim, CARD), *to, *line;
    size_t len;

    app = realloc(app, strlen(app) + strlen(card) + 1);
    if (!app)
        abort();
    strcat(app, card);
    free(card);
    for (to = line = app; *line; line += len) {
        const char *mark = strstr(line, "/.moult-");

        len = strcspn(line, "\n") + 1;
        if (!ours && mark && mark < line + len)
            continue;
        memmove(to, line, len);
        to += len;
    }
    *to = '\0';
    return app;
}

/* Of release 1, which the factory installs, or 2; 0: the tree before. Made once,
 * and asked for many thousand times. */
static const char *expected(unsigned release)
{
    static _Thread_local char *text[3];

    if (!text[release]) {
        struct sim *sim = sim_new();

        if (release > 0)
            world_files_after(sim, release);
        else
            world_files_put(sim, false);
        text[release] = world_files_dump(sim, true);
        sim_free(sim);
    }
    return text[release];
}

static int remove_found(void *user, const char *name, enum up_node_kind kind)
{
    const struct up_files *f = user;
    char path[256], hex[2 * UP_SHA256_SIZE + 1];

    (void)kind;
    up_hex(f->stage.found, UP_SHA256_SIZE, hex);
    if (strncmp(name, hex, strlen(hex)) != 0)
        return 0;
    snprintf(path, sizeof path, "/device/state/files/%s", name);
    return f->storage->ops->unlink(f->storage, path);
}

int world_files_lose_found(struct sim *sim)
{
    struct up_storage *s = sim_storage(sim);
    struct up_error ignored;
    struct up_files f;
    int rc = up_files_open(&f, s, "/device/state", &ignored);

    if (rc == 0)
        rc = s->ops->list(s, "/device/state/files", remove_found, &f);
    up_files_close(&f);
    sim_settle(sim);
    return rc;
}

enum world_tree world_files_tree(const struct sim *sim, bool ours)
{
    char *now = world_files_dump(sim, ours);
    enum world_tree tree = WORLD_TREE_NEITHER;

    if (strcmp(now, expected(0)) == 0)
        tree = WORLD_TREE_OLD;
    else if (strcmp(now, expected(1)) == 0 || strcmp(now, expected(2)) == 0)
        tree = WORLD_TREE_NEW;
    free(now);
    return tree;
}

struct change {
    struct up_storage *storage;
    const char *root;
    bool back, remove;
};

static int change_one(void *user, const char *name, enum up_node_kind kind)
{
    const struct change *c = user;
    const char *const from = c->back ? ".away" : ".here", *const to = c->back ? ".here" : ".away";
    size_t len = strlen(name), ends = strlen(from);
    char path[256], other[256];
    struct up_error err;

    (void)kind;
    snprintf(path, sizeof path, "%s/%s", c->root, name);
    if (c->remove)
        return up_storage_remove_tree(c->storage, path, &err);
    if (len < ends || strncmp(name, ".moult-", 7) != 0 || strcmp(name + len - ends, from) != 0)
        return 0;
    snprintf(other, sizeof other, "%s/%.*s%s", c->root, (int)(len - ends), name, to);
    return c->storage->ops->rename(c->storage, path, other);
}

static void change(struct sim *sim, struct change c)
{
    c.storage = sim_storage(sim);
    if (c.storage->ops->list(c.storage, c.root, change_one, &c) < 0)
        abort();
    sim_settle(sim);
}

void world_files_move_here(struct sim *sim, const char *root, bool back)
{
    change(sim, (struct change){.root = root, .back = back});
}

void world_files_format(struct sim *sim, const char *root)
{
    change(sim, (struct change){.root = root, .remove = true});
    if (strcmp(root, APP) == 0)
        sim_put_dir(sim, APP "/etc", 0750);
}
