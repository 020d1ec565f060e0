#include "files_tree_fixture.h"

#include <stdlib.h>
#include <string.h>

#define APP "/app"
#define CARD "/card"
#define LARGEST 9000

/* Content of the package, by number. */
static const size_t sizes[] = {LARGEST, 300, 50, 100, 5000, 4096, 700};

static void fill(uint32_t content, uint8_t *out)
{
    for (size_t i = 0; i < sizes[content]; i++)
        out[i] = (uint8_t)(content * 31 + i * 7 + i / 256);
}

static void put_new(struct sim *sim, const char *path, uint32_t content, unsigned mode)
{
    uint8_t bytes[LARGEST];

    fill(content, bytes);
    sim_put(sim, path, bytes, sizes[content], mode);
}

static struct sim *bare(const struct files_flow *flow)
{
    struct sim *sim = sim_new();

    if (flow->one_disk) {
        sim_put_dir(sim, APP, 0755);
        sim_put_dir(sim, CARD, 0755);
    } else {
        sim_put_mount(sim, APP, 1, flow->no_links);
        sim_put_mount(sim, CARD, 2, flow->no_links);
    }
    sim_put_owner(sim, CARD, 40, 41, 0);
    sim_put_dir(sim, APP "/bin", 0755);
    sim_put_dir(sim, APP "/etc", 0750);
    sim_put_owner(sim, APP "/etc", 3, 4, 0);
    sim_put_text(sim, APP "/etc/stays", "nobody touches this");
    return sim;
}

void tree_written(struct sim *sim)
{
    sim_put(sim, APP "/etc/conf", "written meanwhile", 17, 0600);
    sim_put_owner(sim, APP "/etc/conf", 50, 60, 70);
}

static void put_old(struct sim *sim, const struct files_flow *flow)
{
    sim_put(sim, APP "/bin/main", "old program", 11, 04755);
    sim_put_owner(sim, APP "/bin/main", 7, 8, 9);
    sim_put(sim, APP "/etc/conf", "old configuration", 17, 0640);
    sim_put_owner(sim, APP "/etc/conf", 5, 6, 0);
    if (!flow->no_links)
        sim_put_link(sim, APP "/etc/link", "conf");
    sim_put_text(sim, APP "/data/a", "data");
    sim_put_text(sim, APP "/data/sub/b", "more data");
    if (flow->overlay) {
        sim_put(sim, APP "/data/sub/own", "another's", 9, 0600);
        sim_put_owner(sim, APP "/data/sub/own", 11, 12, 13);
        sim_put_link(sim, APP "/data/sub/link", "b");
        sim_put_owner(sim, APP "/data/sub", 14, 15, 16);
        sim_put_lower(sim, APP "/data");
        sim_put_lower(sim, APP "/data/sub");
    }
    sim_put_text(sim, APP "/gone", "to be deleted");
    sim_put_text(sim, CARD "/image", "an old image");
}

static void put_after(struct sim *sim, const struct files_flow *flow)
{
    put_new(sim, APP "/bin/main", 0, 04755);
    sim_put_owner(sim, APP "/bin/main", 7, 8, 9);
    put_new(sim, APP "/etc/conf", 1, flow->writer ? 0600 : 0640);
    sim_put_owner(sim, APP "/etc/conf", flow->writer ? 50 : 5, flow->writer ? 60 : 6, flow->writer ? 70 : 0);
    if (!flow->no_links) { /* a file where a link was belongs to whom the folder belongs */
        put_new(sim, APP "/etc/link", 2, 0644);
        sim_put_owner(sim, APP "/etc/link", 3, 4, 0);
    }
    put_new(sim, APP "/new/x", 3, 0600);
    put_new(sim, APP "/new/deep/y", 4, 0755);
    put_new(sim, CARD "/image", 5, 0644);
    put_new(sim, CARD "/fresh", 6, 0755);
    sim_put_owner(sim, CARD "/fresh", 40, 41, 0);
}

struct sim *tree_before(const struct files_flow *flow)
{
    struct sim *sim = bare(flow);

    put_old(sim, flow);
    return sim;
}

/* Without the lines that have `part` in them. */
static char *without(char *text, const char *part)
{
    char *to = text;

    for (char *line = text; *line;) {
        size_t len = strcspn(line, "\n") + 1;
        const char *has = strstr(line, part);

        if (!has || has >= line + len) {
            memmove(to, line, len);
            to += len;
        }
        line += len;
    }
    *to = '\0';
    return text;
}

char *tree_whole(const struct sim *sim)
{
    char *app = sim_dump(sim, APP), *card = sim_dump(sim, CARD);

    app = realloc(app, strlen(app) + strlen(card) + 1);
    if (!app)
        abort();
    strcat(app, card);
    free(card);
    return without(app, ".foreign");
}

char *tree_visible(const struct sim *sim)
{
    return without(tree_whole(sim), "/.moult-");
}

char *tree_text(const struct files_flow *flow, bool after)
{
    struct sim *sim = bare(flow);
    char *text;

    if (after)
        put_after(sim, flow);
    else
        put_old(sim, flow);
    if (!after && flow->writer)
        tree_written(sim);
    text = tree_whole(sim);
    sim_free(sim);
    return text;
}

static struct up_files_op ops[] = {
    {.kind = UP_FILES_PUT, .dir = "bin", .name = "main", .content = 0, .mode = 0644},
    {.kind = UP_FILES_PUT, .dir = "etc", .name = "conf", .content = 1, .mode = 0644},
    {.kind = UP_FILES_DELETE, .dir = "", .name = "data"},
    {.kind = UP_FILES_DELETE, .dir = "", .name = "gone"},
    {.kind = UP_FILES_DELETE, .dir = "", .name = "never"},
    {.kind = UP_FILES_MAKE_DIR, .dir = "", .name = "new", .mode = 0755},
    {.kind = UP_FILES_INSIDE, .parent = 5, .dir = "", .name = "x", .content = 3, .mode = 0600},
    {.kind = UP_FILES_INSIDE_DIR, .parent = 5, .dir = "", .name = "deep", .mode = 0755},
    {.kind = UP_FILES_INSIDE, .parent = 5, .dir = "deep", .name = "y", .content = 4, .mode = 0755},
    {.kind = UP_FILES_PUT, .root = 1, .dir = "", .name = "image", .content = 5, .mode = 0600},
    {.kind = UP_FILES_PUT, .root = 1, .dir = "", .name = "fresh", .content = 6, .mode = 0755},
    {.kind = UP_FILES_PUT, .dir = "etc", .name = "link", .content = 2, .mode = 0644},
};

static struct up_files_program programs[] = {
    {.dir = "bin", .name = "main", .stop = true, .start = true},
    {.root = 1, .dir = "", .name = "fresh", .start = true},
};

void tree_plan(const struct files_flow *flow, struct up_files_plan *plan)
{
    uint8_t bytes[LARGEST];

    *plan = (struct up_files_plan){.id = {0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88},
                                   .root_count = 2,
                                   .root = {{.path = APP, .weak = flow->no_links, .here = {1, 2, 3}},
                                            {.path = CARD, .weak = flow->no_links, .here = {4, 5, 6}}},
                                   .op_count = sizeof ops / sizeof ops[0],
                                   .op = ops,
                                   .program_count = 2,
                                   .program = programs};
    if (flow->no_links)
        plan->op_count--;
    for (uint32_t i = 0; i < plan->op_count; i++) {
        struct up_files_op *op = &ops[i];

        if (op->kind != UP_FILES_PUT && op->kind != UP_FILES_INSIDE)
            continue;
        fill(op->content, bytes);
        op->size = sizes[op->content];
        up_sha256(bytes, op->size, op->digest);
    }
}

void tree_plan_digest(const struct files_flow *flow, uint8_t out[UP_SHA256_SIZE])
{
    struct up_files_plan plan;
    struct up_error err;
    uint8_t *bytes;
    size_t len;

    tree_plan(flow, &plan);
    if (up_files_plan_encode(&plan, &bytes, &len, &err) < 0)
        abort();
    up_sha256(bytes, len, out);
    free(bytes);
}

long long tree_content(void *user, uint32_t content, void *buf, size_t len, uint64_t offset,
                       struct up_error *err)
{
    uint8_t bytes[LARGEST];

    (void)user;
    (void)err;
    fill(content, bytes);
    if (offset + len > sizes[content])
        len = sizes[content] - (size_t)offset;
    memcpy(buf, bytes + offset, len);
    return (long long)len;
}

#define OVER "somebody else wrote this over it"
#define ANEW "and made this anew"

static int write_at(struct up_storage *s, const char *path, const char *text)
{
    int file = s->ops->open(s, path, UP_CREATE, 0644), rc;
    struct up_error err;

    if (file < 0)
        return -1;
    rc = s->ops->truncate(s, file, 0);
    if (rc == 0)
        rc = s->ops->pwrite(s, file, text, strlen(text), 0);
    if (rc == 0)
        rc = s->ops->sync(s, file);
    s->ops->close(s, file);
    return rc < 0 ? -1 : up_storage_sync_parent(s, path, &err);
}

int tree_disturb(struct up_storage *s)
{
    return write_at(s, CARD "/fresh", OVER) < 0 || write_at(s, APP "/gone", ANEW) < 0 ? -1 : 0;
}

static bool holds(const struct sim *sim, const char *path, const char *content)
{
    char *text = sim_get(sim, path, NULL);
    bool same = text && strcmp(text, content) == 0;

    free(text);
    return same;
}

static bool kept(const struct sim *sim, const char *folder, const char *root, unsigned op,
                 const char *content)
{
    char path[128], aside[128];

    snprintf(path, sizeof path, "%s/1122334455667788-%u", folder, op);
    snprintf(aside, sizeof aside, "%s/.moult-1122334455667788-%u.foreign", root, op);
    return holds(sim, path, content) || holds(sim, aside, content);
}

bool tree_kept_what_disturbed(const struct sim *sim, const char *folder)
{
    return kept(sim, folder, CARD, 10, OVER) && kept(sim, folder, APP, 3, ANEW);
}
