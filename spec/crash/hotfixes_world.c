#include "hotfixes_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bare_package.h"
#include "config.h"
#include "device.h"
#include "error.h"
#include "fixture.h"
#include "hotfix.h"
#include "hotfix_private.h"
#include "minisign.h"
#include "note.h"
#include "package.h"
#include "source.h"
#include "transfer.h"
#include "world.h"
#include "world_files.h"

#define STATE "/device/state"
#define KEYS "/device/keys"
#define BASE "1.0.1" /* the script of the factory */
#define BOOTS 12
#define RESTART 2 /* the device starts anew */

const struct hotfixes_flow hotfixes_flows[] = {
    {"applied", .end = HOTFIXES_APPLIED},
    {"applied, a release on its way", .end = HOTFIXES_APPLIED, .fetching = true},
    {"failed", .end = HOTFIXES_FAILED},
    {"undone", .end = HOTFIXES_UNDONE},
    {"higher", .end = HOTFIXES_HIGHER},
    {"spent", .end = HOTFIXES_SPENT},
    {"dropped", .end = HOTFIXES_DROPPED},
    {"higher, and back", .end = HOTFIXES_BACK},
    {"opaque", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_OPAQUE},
    {"opaque, a release on its way", .end = HOTFIXES_APPLIED, .fetching = true, .parts = HOTFIXES_OPAQUE},
    {"opaque, failed", .end = HOTFIXES_FAILED, .parts = HOTFIXES_OPAQUE},
    {"opaque, undone", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_OPAQUE},
    {"opaque, higher", .end = HOTFIXES_HIGHER, .parts = HOTFIXES_OPAQUE},
    {"opaque, dropped", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_OPAQUE},
    {"files", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_BOTH},
    {"files, a release on its way", .end = HOTFIXES_APPLIED, .fetching = true, .parts = HOTFIXES_BOTH},
    {"files alone", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_FILES},
    {"files, failed", .end = HOTFIXES_FAILED, .parts = HOTFIXES_BOTH},
    {"files, undone", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_BOTH},
    {"files, higher", .end = HOTFIXES_HIGHER, .parts = HOTFIXES_BOTH},
    {"files alone, higher", .end = HOTFIXES_HIGHER, .parts = HOTFIXES_FILES},
    {"files, spent", .end = HOTFIXES_SPENT, .parts = HOTFIXES_BOTH},
    {"files, higher, and back", .end = HOTFIXES_BACK, .parts = HOTFIXES_BOTH},
    {"files, dropped", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_BOTH},
    {"files, dropped by files", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_BOTH, .release_files = true},
    {"files, stay", .end = HOTFIXES_STAYS, .parts = HOTFIXES_BOTH},
    {"files, stay under files", .end = HOTFIXES_STAYS, .parts = HOTFIXES_FILES, .release_files = true},
    {"files, dropped by a core", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_BOTH, .core = true},
    {"files, dropped by a core with files", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_FILES, .core = true,
     .release_files = true},
    {"files, stay under a core", .end = HOTFIXES_STAYS, .parts = HOTFIXES_BOTH, .core = true},
    {"files without links", .end = HOTFIXES_APPLIED, .parts = HOTFIXES_FILES, .weak = true},
    {"files without links, failed", .end = HOTFIXES_FAILED, .parts = HOTFIXES_FILES, .weak = true},
    {"files without links, undone", .end = HOTFIXES_UNDONE, .parts = HOTFIXES_FILES, .weak = true},
    {"files without links, higher", .end = HOTFIXES_HIGHER, .parts = HOTFIXES_FILES, .weak = true},
    {"files without links, dropped by files", .end = HOTFIXES_DROPPED, .parts = HOTFIXES_FILES,
     .release_files = true, .weak = true},
    {"files without links, stay under files", .end = HOTFIXES_STAYS, .parts = HOTFIXES_FILES,
     .release_files = true, .weak = true},
};
const unsigned hotfixes_flow_count = sizeof hotfixes_flows / sizeof *hotfixes_flows;

struct life {
    struct sim *sim;
    struct up_storage *storage;
    const struct hotfixes_flow *flow;
    struct hotfixes_log *log;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
};

#define bad(log, ...) note_bad((log)->bad, sizeof((log)->bad), __VA_ARGS__)

/* Whether version 2 comes over version 1. */
static bool is_higher(const struct hotfixes_flow *flow)
{
    return flow->end == HOTFIXES_HIGHER || flow->end == HOTFIXES_BACK;
}

/* Whether the flow begins with version 1 applied. */
static bool begins_applied(const struct hotfixes_flow *flow)
{
    return flow->end == HOTFIXES_UNDONE || is_higher(flow) || flow->end == HOTFIXES_DROPPED ||
           flow->end == HOTFIXES_STAYS;
}

/* The release deletes /app/data and /app/gone, and puts its own conf and image in place. */
static const char *const fix_ini[] = {"conf\t/app/etc\t4\t4\n"
                                      "gone\t/app\t2\t4\n"
                                      "tool\t/app\t1\t2\n"
                                      "more\t/app/data\t1\t4\n"
                                      "image\t/card\t4\t4\n",
                                      "conf\t/app/etc\t4\t4\n"
                                      "a\t/app/data\t2\t4\n"
                                      "other\t/card\t1\t4\n"};

static void drop(struct sim *sim, const char *path)
{
    if (sim_storage(sim)->ops->unlink(sim_storage(sim), path) < 0)
        abort();
    sim_settle(sim);
}

/* As a version changes the tree; its files hold their name and this seed. */
static void change(struct sim *sim, unsigned version)
{
    world_files_file(sim, "/app/etc/conf", 10 + version, 0640);
    sim_put_owner(sim, "/app/etc/conf", 5, 6, 7);
    if (version == 1) {
        drop(sim, "/app/gone");
        world_files_file(sim, "/app/tool", 11, 0755);
        world_files_file(sim, "/app/data/more", 11, 0644);
        world_files_file(sim, "/card/image", 11, 0644);
    } else {
        drop(sim, "/app/data/a");
        world_files_file(sim, "/card/other", 12, 0644);
        sim_put_owner(sim, "/card/other", 40, 41, 0);
    }
}

/* What the roots have to hold: release 1 or 2, and a version of the hotfix, or 0. */
static const char *expected(unsigned release, unsigned version)
{
    static _Thread_local char *text[3][3];

    if (!text[release][version]) {
        struct sim *sim = sim_new();

        if (release == 1)
            world_files_put(sim, false);
        else
            world_files_after(sim, release);
        if (version > 0)
            change(sim, version);
        text[release][version] = world_files_dump(sim, true);
        sim_free(sim);
    }
    return text[release][version];
}

static void check_tree(const struct sim *sim, unsigned release, unsigned version, bool ours,
                       struct hotfixes_log *log)
{
    char *now = world_files_dump(sim, ours);

    if (strcmp(now, expected(release, version)) != 0)
        bad(log, "the tree is not that of release %u with version %u of the hotfix: %.120s", release, version,
            now);
    free(now);
}

/* The version that leads, by the ledger. */
static unsigned leads(const struct up_hotfix_ledger *ledger)
{
    for (uint32_t i = ledger->count; i > 0; i--)
        if (up_hotfix_ledger_is_in_force(&ledger->entry[i - 1]))
            return (unsigned)(ledger->entry[i - 1].version[0] - '0');
    return 0;
}

/* The version that it is about. */
static const char *version_of(const struct hotfixes_flow *flow)
{
    return is_higher(flow) ? "2" : "1";
}

static void configure(struct up_config *config, const struct hotfixes_flow *flow)
{
    world_configure(config);
    if (flow && hotfixes_has_files(flow))
        world_files_configure(config, flow->weak);
}

/* Head and blocks, as the agent brings them; `all`: to the complete folder, or a release that stays open. */
static int bring(struct life *l, const char *path, bool all, char id[UP_HOTFIX_ID_SIZE])
{
    struct up_package *package = NULL;
    struct up_transfer *transfer = NULL;
    struct up_keyring *ring = NULL;
    struct up_source *source = NULL;
    const struct up_manifest *m;
    char spool[256];
    int rc = up_keyring_load(&ring, l->storage, KEYS, &l->err);

    if (rc == 0)
        rc = up_source_file(&source, l->storage, path, &l->err);
    if (rc == 0)
        rc = up_device_spool(l->device, spool, sizeof spool, &l->err);
    if (rc == 0)
        rc = up_package_open(&package, source, l->storage, ring, spool, &l->err);
    if (rc == 0)
        rc = up_package_step(package, &l->err);
    m = package ? up_package_manifest(package) : NULL;
    if (rc == 0)
        rc = all ? up_hotfix_begin(l->device, m, &l->err) : up_device_begin(l->device, m, &l->err);
    if (rc == 0)
        rc = up_transfer_open(&transfer, l->device, package, source, &l->err);
    if (rc == 0)
        do
            rc = up_transfer_step(transfer, &l->err);
        while (rc == 1);
    up_transfer_close(transfer);
    if (rc == 0 && all)
        rc = up_hotfix_finish(l->device, m, id, &l->err);
    up_package_free(package);
    if (source)
        source->ops->close(source);
    up_keyring_free(ring);
    return rc;
}

/* Where the bytes come to that nobody signed. */
static int put_bytes(struct life *l, const char *from, const char *to)
{
    char *bytes;
    size_t len;
    int rc = up_storage_read_file(l->storage, from, UP_HOTFIX_MAX, &bytes, &len, &l->err);

    if (rc < 0)
        return rc;
    rc = up_storage_write_file(l->storage, to, bytes, len, 0600, &l->err);
    free(bytes);
    return rc;
}

/* The package that they make. */
static int make_opaque(struct life *l, const char *path, struct up_package **out)
{
    char folder[UP_PATH_SIZE], archive[UP_PATH_SIZE + 16], dir[UP_PATH_SIZE + 16], spool[UP_PATH_SIZE + 16];
    struct up_bare_options o = {.archive = archive,
                                .dir = dir,
                                .spool = spool,
                                .project = l->config.project,
                                .product_key = l->config.product_key,
                                .hotfix_name = "clock",
                                .hotfix_version = version_of(l->flow),
                                .base = {[UP_SCRIPT] = BASE},
                                .opaque = true};
    struct up_bare_package *bare;
    int rc = up_hotfix_bare(l->device, folder, sizeof folder, &l->err);

    if (rc < 0)
        return rc;
    snprintf(archive, sizeof archive, "%s/archive", folder);
    snprintf(dir, sizeof dir, "%s/content", folder);
    snprintf(spool, sizeof spool, "%s/spool", folder);
    if (put_bytes(l, path, archive) < 0 || up_bare_package_open(&bare, l->storage, &o, &l->err) < 0)
        return l->err.code;
    do
        rc = up_bare_package_step(bare, &l->err);
    while (rc == UP_AGAIN);
    if (rc == 0)
        *out = up_bare_package_take(bare);
    up_bare_package_close(bare);
    return rc;
}

/* What nobody signed, as the agent brings it. */
static int bring_opaque(struct life *l, const char *path, char id[UP_HOTFIX_ID_SIZE])
{
    struct up_package *package = NULL;
    int rc = make_opaque(l, path, &package);

    if (rc == 0)
        rc = up_hotfix_begin(l->device, up_package_manifest(package), &l->err);
    if (rc == 0)
        rc = up_hotfix_finish(l->device, up_package_manifest(package), id, &l->err);
    up_package_free(package);
    return rc < 0 ? rc : up_hotfix_bare_end(l->device, &l->err);
}

/* Onto test: what waits for it, or what is fetched. */
static int put_on_test(struct life *l, const char *path)
{
    char id[UP_HOTFIX_ID_SIZE];
    bool failed;

    up_hotfix_waiting(l->device, id);
    if (!id[0] &&
        (l->flow->parts == HOTFIXES_OPAQUE ? bring_opaque(l, path, id) : bring(l, path, true, id)) < 0)
        return l->err.code;
    l->log->tests++;
    if (up_hotfix_test(l->device, id, &l->err) < 0 || up_hotfix_switch(l->device, &failed, &l->err) < 0)
        return l->err.code;
    if (hotfixes_has_files(l->flow))
        check_tree(l->sim, 1, (unsigned)(version_of(l->flow)[0] - '0'), false, l->log);
    return 0;
}

static int pass(struct life *l)
{
    l->log->passing = true;
    if (up_hotfix_passed(l->device, false, &l->err) < 0)
        return l->err.code;
    l->log->passed = true;
    return 0;
}

static int end(struct life *l, int (*how)(struct life *))
{
    l->log->undoing = true;
    if (how(l) < 0)
        return l->err.code;
    l->log->undone = true;
    return 0;
}

static int fail(struct life *l)
{
    return up_hotfix_failed(l->device, "it says no", &l->err);
}

static int undo(struct life *l)
{
    return up_hotfix_undo(l->device, "clock", false, &l->err);
}

/* Starts of the script that do not live. */
static int spend(struct life *l)
{
    for (int i = 0; i <= UP_HOTFIX_STARTS; i++)
        if (up_hotfix_settle(l->device, false, &l->err) < 0 || up_hotfix_count_start(l->device, &l->err) < 0)
            return l->err.code;
    return 0;
}

static int confirm(struct life *l)
{
    char lead[UP_PATH_SIZE];

    up_hotfix_overlays(l->device, NULL, true, lead, sizeof lead);
    if (lead[0])
        bad(l->log, "%s leads a release on trial that it is not for", lead);
    if (hotfixes_has_files(l->flow))
        check_tree(l->sim, l->flow->release_files ? 2 : 1, 0, false, l->log);
    return up_device_confirm(l->device, &l->err) < 0 ? l->err.code
                                                     : up_hotfix_settle(l->device, true, &l->err);
}

/* The release goes back, and the hotfix is there again. */
static int go_back(struct life *l)
{
    enum up_start_action action;

    check_tree(l->sim, l->flow->release_files ? 2 : 1, 0, false, l->log);
    if (up_device_rollback(l->device, true, "it says no", &action, &l->err) < 0)
        return l->err.code;
    return action == UP_START_RESTART ? RESTART : up_hotfix_settle(l->device, true, &l->err);
}

/* Whether the journal says that the release has gone back. */
static bool went_back(const struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);

    return s->phase == UP_IDLE && s->has_last && s->last.code == UP_ROLLEDBACK;
}

static const char *release_path(const struct hotfixes_flow *flow)
{
    if (hotfixes_has_files(flow) && !flow->release_files)
        return "/packages/plain.upd";
    return flow->core ? "/packages/both.upd" : "/packages/script.upd";
}

/* The release, from where it is. */
static int release(struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);
    enum up_start_action action;

    if (s->phase < UP_ARMED && strcmp(s->slot[up_device_running(l->device)].script_version, BASE) != 0)
        return up_hotfix_settle(l->device, true, &l->err);
    if (s->phase < UP_ARMED && world_install(l->device, l->storage, release_path(l->flow), &l->err) < 0)
        return l->err.code;
    if (up_device_state(l->device)->phase == UP_ARMED && up_device_has_core(l->device))
        return RESTART;
    if (up_device_state(l->device)->phase == UP_ARMED && up_device_begin_trial(l->device, &l->err) < 0)
        return l->err.code;
    if (up_device_state(l->device)->phase != UP_TRIAL)
        return up_fail(&l->err, UP_INTERNAL, "not on trial");
    if (up_device_trial_start(l->device, &action, &l->err) < 0)
        return action == UP_START_RESTART ? RESTART : l->err.code;
    if (l->flow->end == HOTFIXES_STAYS)
        return go_back(l);
    return end(l, confirm);
}

/* What is to be done with an entry in this state, once. 1: there is more. */
static int go_on(struct life *l, const struct up_hotfix *h)
{
    enum hotfixes_end goal = l->flow->end;

    if (goal == HOTFIXES_STAYS)
        return went_back(l) ? 0 : release(l);
    if (goal == HOTFIXES_DROPPED)
        return h && h->state == UP_HOTFIX_DROPPED && up_device_state(l->device)->phase == UP_IDLE
                   ? 0
                   : release(l);
    if (!h || (h->state == UP_HOTFIX_UNDONE && !h->by_owner))
        return put_on_test(l, is_higher(l->flow) ? "/packages/fix2.upd" : "/packages/fix1.upd") < 0
                   ? l->err.code
                   : 1;
    if (h->state == UP_HOTFIX_TESTING)
        return (goal == HOTFIXES_FAILED ? end(l, fail) : pass(l)) < 0 ? l->err.code : 1;
    if (h->state == UP_HOTFIX_FRESH && (goal == HOTFIXES_SPENT || goal == HOTFIXES_BACK))
        return end(l, spend) < 0 ? l->err.code : 1;
    if (h->state == UP_HOTFIX_FRESH)
        return up_hotfix_count_start(l->device, &l->err) < 0 || up_hotfix_lived(l->device, &l->err) < 0
                   ? l->err.code
                   : 1;
    if (h->state == UP_HOTFIX_APPLIED && goal == HOTFIXES_UNDONE)
        return end(l, undo) < 0 ? l->err.code : 1;
    return 0;
}

/* Which tree of a release the device has. */
static unsigned release_of(const struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);

    return l->flow->release_files && strcmp(s->slot[up_device_running(l->device)].script_version, BASE) != 0
               ? 2
               : 1;
}

/* What must hold whenever a device came up. */
static void check_start(struct life *l)
{
    struct up_hotfix_ledger ledger;

    if (up_hotfix_ledger(l->device, &ledger, &l->err) < 0) {
        if (!sim_is_cut(l->sim) && !l->log->excused)
            bad(l->log, "the ledger: %s", l->err.message);
        return;
    }
    if (l->log->passed && !l->log->undoing) {
        const struct up_hotfix *h = up_hotfix_ledger_find(&ledger, "clock", version_of(l->flow));

        if (!h || (h->state != UP_HOTFIX_FRESH && h->state != UP_HOTFIX_APPLIED))
            bad(l->log, "it passed, and is out of force: %s", h ? h->why : "no entry");
    }
    /* On a mixture nothing starts, and it may wait for a package that replaces it. */
    if (l->log->excused && up_device_mixed(l->device))
        return;
    if (hotfixes_has_files(l->flow) && up_device_state(l->device)->phase <= UP_FETCHING &&
        !sim_is_cut(l->sim))
        check_tree(l->sim, release_of(l), leads(&ledger), false, l->log);
}

/* 0: nothing is left to do; or RESTART. */
static int boot(struct life *l, bool online)
{
    enum up_start_action action;
    struct up_hotfix_ledger ledger;
    int rc;

    if (up_device_open(&l->device, l->storage, &l->config, UP_DEVICE_LOCK, &l->err) < 0)
        return l->err.code;
    rc = up_device_start(l->device, &action, &l->err);
    if (rc == 0 && action == UP_START_RESTART)
        rc = RESTART;
    if (rc == 0)
        rc = up_hotfix_settle(l->device, true, &l->err);
    if (rc == 0)
        check_start(l);
    if (rc == 0 && online) /* the agent's start */
        rc = up_hotfix_bare_end(l->device, &l->err);
    for (rc = rc == 0 ? 1 : rc; rc == 1 && online && !l->log->bad[0];) {
        rc = up_hotfix_ledger(l->device, &ledger, &l->err);
        if (rc == 0)
            rc = go_on(l, up_hotfix_ledger_find(&ledger, "clock", version_of(l->flow)));
    }
    if (rc == 0 && online) /* what it left is removed at the next start at the latest */
        rc = up_hotfix_settle(l->device, true, &l->err);
    up_device_close(l->device);
    return rc == 1 ? 0 : rc;
}

void hotfixes_live(struct sim *sim, const struct hotfixes_flow *flow, bool online, struct hotfixes_log *log)
{
    unsigned limit = log->boots + BOOTS;

    while (!sim_is_cut(sim) && !log->bad[0] && log->boots < limit) {
        struct life l = {.sim = sim, .storage = sim_storage(sim), .flow = flow, .log = log};
        int rc;

        configure(&l.config, flow);
        log->boots++;
        rc = boot(&l, online);
        up_config_free(&l.config);
        if (sim_is_cut(sim) || rc == 0)
            return;
        if (!log->excused && rc != RESTART)
            bad(log, "start %u: %s", log->boots, l.err.message);
        sim_shutdown(sim);
    }
}

static bool holds(const struct sim *sim, const char *path, const char *bytes, size_t size)
{
    size_t len;
    char *text = sim_get(sim, path, &len);
    bool same = text && len == size && memcmp(text, bytes, len) == 0;

    free(text);
    return same;
}

/* The same of what nobody signed: the bytes as they came. */
static bool is_whole_opaque(const struct sim *sim, const struct up_hotfix *h)
{
    char path[256];
    size_t len;
    char *bytes = sim_get(sim, h->version[0] == '1' ? "/packages/fix1.upd" : "/packages/fix2.upd", &len);
    bool whole;

    snprintf(path, sizeof path, STATE "/hotfix/%s/tree/patch.bin", h->id);
    whole = bytes && holds(sim, path, bytes, len);
    free(bytes);
    return whole;
}

/* Whether the folder of a hotfix is whole. */
static bool is_whole(const struct sim *sim, const struct up_hotfix *h)
{
    char path[256], wanted[64];
    bool whole = true;

    if (up_hotfix_ledger_is_opaque(h))
        return is_whole_opaque(sim, h);
    snprintf(wanted, sizeof wanted, "return \"%s\"\n", h->version);
    for (int i = h->lua ? 0 : 1; i < 2; i++) {
        snprintf(path, sizeof path, STATE "/hotfix/%s/tree/%s", h->id, i ? "test.lua" : "lua/clock.lua");
        whole = whole && holds(sim, path, wanted, strlen(wanted));
    }
    return whole;
}

/* What the ledger says is so, and nothing else is there. */
static void check_folders(const struct sim *sim, const struct up_hotfix_ledger *ledger, bool online,
                          struct hotfixes_log *log)
{
    char *dump = sim_dump(sim, STATE "/hotfix"), *rest = NULL;

    for (char *line = dump ? strtok_r(dump, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
        const char *name = strstr(line, "/hotfix/");
        bool known =
            !name || strncmp(name + 8, "ledger.", 7) == 0 ||
            (!online && (strncmp(name + 8, "new", 3) == 0 || strncmp(name + 8, UP_HOTFIX_BARE, 4) == 0));
        bool entered = false;

        for (uint32_t i = 0; name && i < ledger->count; i++)
            if (strncmp(name + 8, ledger->entry[i].id, UP_HOTFIX_ID_SIZE - 1) == 0) {
                entered = true;
                known = up_hotfix_ledger_is_active(&ledger->entry[i]) ||
                        up_hotfix_ledger_is_below(ledger, &ledger->entry[i]) ||
                        (!online && ledger->entry[i].state == UP_HOTFIX_UNDONE && !ledger->entry[i].by_owner);
            }
        /* A complete folder that was not on test yet. */
        if (!known && !entered && !online && strspn(name + 8, "0123456789abcdef") >= UP_HOTFIX_ID_SIZE - 1)
            known = true;
        if (!known)
            bad(log, "left over: %s", line);
    }
    free(dump);
}

static void check_goal(const struct hotfixes_flow *flow, const struct up_hotfix *h, struct hotfixes_log *log)
{
    static const enum up_hotfix_state states[] = {
        [HOTFIXES_APPLIED] = UP_HOTFIX_APPLIED,   [HOTFIXES_FAILED] = UP_HOTFIX_QUARANTINED,
        [HOTFIXES_UNDONE] = UP_HOTFIX_UNDONE,     [HOTFIXES_HIGHER] = UP_HOTFIX_APPLIED,
        [HOTFIXES_SPENT] = UP_HOTFIX_QUARANTINED, [HOTFIXES_DROPPED] = UP_HOTFIX_DROPPED,
        [HOTFIXES_BACK] = UP_HOTFIX_QUARANTINED,  [HOTFIXES_STAYS] = UP_HOTFIX_APPLIED};
    bool spent_by_cuts = h && h->state == UP_HOTFIX_QUARANTINED && log->tests > 1 && !log->passed;

    /* A ledger that lost its newest half says fresh once more. */
    bool again = h && flow->end == HOTFIXES_STAYS && h->state == UP_HOTFIX_FRESH;

    if (!h || (h->state != states[flow->end] && !spent_by_cuts && !again))
        bad(log, "it ended %s", h ? up_hotfix_ledger_state_name(h->state) : "without an entry");
}

static void check_entry(const struct sim *sim, const struct hotfixes_flow *flow,
                        struct up_hotfix_ledger *ledger, struct hotfixes_log *log)
{
    struct up_hotfix *h = up_hotfix_ledger_find(ledger, "clock", version_of(flow));
    struct up_hotfix *lower = is_higher(flow) ? up_hotfix_ledger_find(ledger, "clock", "1") : NULL;
    bool in_force = h && up_hotfix_ledger_is_active(h);

    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger->entry[i].state == UP_HOTFIX_TESTING)
            bad(log, "still on test after a start");
        else if (up_hotfix_ledger_is_active(&ledger->entry[i]) && !is_whole(sim, &ledger->entry[i]))
            bad(log, "%s is in force, and not whole", ledger->entry[i].version);
    if (in_force && !begins_applied(flow) && !log->passing)
        bad(log, "in force without a test");
    if (in_force && log->undone)
        bad(log, "in force again");
    if (begins_applied(flow) && !is_higher(flow) && !in_force && !log->undoing)
        bad(log, "what was applied is out of force");
    if (lower && up_hotfix_ledger_is_active(lower) == (h && h->state == UP_HOTFIX_APPLIED))
        bad(log, "the lower version is %s", up_hotfix_ledger_state_name(lower->state));
}

void hotfixes_check(const struct sim *from, const struct hotfixes_flow *flow, bool online,
                    struct hotfixes_log *log)
{
    struct sim *sim = sim_clone(from);
    struct up_hotfix_ledger ledger;
    struct up_journal_state journal;
    struct up_journal *j;
    struct up_error err;

    if (up_hotfix_ledger_read(&ledger, sim_storage(sim), STATE, &err) < 0) {
        bad(log, "the ledger: %s", err.message);
    } else {
        check_entry(sim, flow, &ledger, log);
        check_folders(sim, &ledger, online, log);
        if (online)
            check_goal(flow, up_hotfix_ledger_find(&ledger, "clock", version_of(flow)), log);
    }
    if (flow->end == HOTFIXES_DROPPED || flow->end == HOTFIXES_STAYS) {
        /* The release moves it. */
    } else if (up_journal_open(&j, sim_storage(sim), STATE, &err) < 0) {
        bad(log, "the journal: %s", err.message);
    } else {
        if (up_journal_read(j, &journal, &err) < 0 ||
            journal.phase != (flow->fetching ? UP_FETCHING : UP_IDLE))
            bad(log, "the journal is not as it was");
        up_journal_close(j);
    }
    if (online && hotfixes_has_files(flow) && !log->bad[0])
        check_tree(sim, flow->end == HOTFIXES_DROPPED && flow->release_files ? 2 : 1, leads(&ledger), true,
                   log);
    sim_free(sim);
}

void hotfixes_bring(struct sim *sim, const char *path, bool opaque, char id[UP_HOTFIX_ID_SIZE])
{
    static const struct hotfixes_flow flow = {"brought", .end = HOTFIXES_APPLIED};
    static const struct hotfixes_flow with_files = {.parts = HOTFIXES_BOTH};
    struct hotfixes_log log = {0};
    struct life l = {.sim = sim, .storage = sim_storage(sim), .flow = &flow, .log = &log};

    configure(&l.config, sim_exists(sim, "/app") ? &with_files : NULL);
    if (up_device_open(&l.device, l.storage, &l.config, UP_DEVICE_CHILD, &l.err) < 0 ||
        (opaque ? bring_opaque(&l, path, id) : bring(&l, path, true, id)) < 0) {
        fprintf(stderr, "%s: %s\n", path, l.err.message);
        abort();
    }
    up_device_close(l.device);
    up_config_free(&l.config);
}

void hotfixes_make_opaque(struct sim *sim, struct up_device *device, const char *path,
                          struct up_manifest *out)
{
    static const struct hotfixes_flow flow = {.end = HOTFIXES_HIGHER, .parts = HOTFIXES_OPAQUE};
    struct life l = {.sim = sim, .storage = sim_storage(sim), .flow = &flow, .device = device};
    struct up_package *package;

    configure(&l.config, NULL);
    if (make_opaque(&l, path, &package) < 0) {
        fprintf(stderr, "%s: %s\n", path, l.err.message);
        abort();
    }
    *out = *up_package_manifest(package);
    up_package_free(package);
    up_config_free(&l.config);
}

static void put_package(struct sim *sim, const char *path, const struct up_fixture *f)
{
    struct up_error err;

    if (up_fixture_pack(sim_storage(sim), path, "/packages", f, &err) < 0) {
        fprintf(stderr, "%s: %s\n", path, err.message);
        abort();
    }
}

/* The past, which is not what is looked at. */
static void live_through(struct sim *sim, const struct hotfixes_flow *flow)
{
    const struct hotfixes_flow applied = {"applied", .end = HOTFIXES_APPLIED, .parts = flow->parts,
                                          .weak = flow->weak};
    struct hotfixes_log log = {0};
    char id[UP_HOTFIX_ID_SIZE];

    if (begins_applied(flow))
        hotfixes_live(sim, &applied, true, &log);
    if (flow->fetching) {
        struct life l = {.sim = sim, .storage = sim_storage(sim), .flow = flow, .log = &log};

        configure(&l.config, flow);
        if (up_device_open(&l.device, l.storage, &l.config, UP_DEVICE_LOCK, &l.err) < 0 ||
            bring(&l, "/packages/script.upd", false, id) < 0)
            bad(&log, "%s", l.err.message);
        up_device_close(l.device);
        up_config_free(&l.config);
    }
    if (log.bad[0]) {
        fprintf(stderr, "%s does not begin: %s\n", flow->name, log.bad);
        abort();
    }
    sim_settle(sim);
}

/* Version 1 or 2. */
static void put_fix(struct sim *sim, const struct hotfixes_flow *flow, unsigned n)
{
    struct up_fixture f = {.sequence = 10 + n, .hotfix = n == 1 ? "1" : "2", .base = BASE, .seed = 10 + n};

    if (hotfixes_has_files(flow))
        f.fix_files = fix_ini[n - 1];
    f.fix_plain = flow->parts == HOTFIXES_FILES;
    put_package(sim, n == 1 ? "/packages/fix1.upd" : "/packages/fix2.upd", &f);
}

struct sim *hotfixes_new(const struct hotfixes_flow *flow)
{
    const struct world_plan plan = {.name = "script",
                                    .provisioned = true,
                                    .package = flow->core ? WORLD_BOTH : WORLD_SCRIPT,
                                    .files = hotfixes_has_files(flow),
                                    .weak = flow->weak};
    const struct up_fixture plain = {.sequence = 20,
                                     .version = "1.0.2",
                                     .script = true,
                                     .core = flow->core,
                                     .core_version = 2,
                                     .encoding = UP_ZSTD,
                                     .seed = 2};
    struct sim *sim = world_new(&plan);

    put_fix(sim, flow, 1);
    put_fix(sim, flow, 2);
    put_package(sim, "/packages/plain.upd", &plain);
    sim_settle(sim);
    live_through(sim, flow);
    return sim;
}
