#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "device.h"
#include "device_settle.h"
#include "digest.h"
#include "generation.h"
#include "known.h"
#include "minisign.h"
#include "note.h"
#include "package.h"
#include "sim_flash.h"
#include "source.h"
#include "transfer.h"
#include "variants.h"
#include "world_files.h"

#define STATE "/device/state"
#define KEYS "/device/keys"
#define SLOT_A "/device/slot-a.img"
#define SLOT_B "/device/slot-b.img"
#define REMOTE "/packages/remote.upd" /* whose source has a want(), as one over a network */
#define BOOTS_MAX 8
#define DEAD_BOOTS (2 * UP_BOOT_TRIES)

static const char *const package_paths[WORLD_PACKAGES] = {
    "/packages/factory.upd",   "/packages/script.upd", "/packages/core.upd",       "/packages/both.upd",
    "/packages/same-core.upd", "/packages/delta.upd",  "/packages/both-delta.upd", REMOTE,
    "/packages/files.upd",     "/packages/interim.upd"};

/* One power-on. */
struct life {
    struct sim *sim;
    struct up_storage *storage;
    const struct world_plan *plan;
    struct world_log *log;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
};

/* U-Boot hands the kernel this; a fixture each, since it is no storage. */
static const char *cmdline(char slot)
{
    if (slot != 'a' && slot != 'b')
        return "/proc/cmdline-none";
    return slot == 'a' ? "/proc/cmdline-a" : "/proc/cmdline-b";
}

void world_configure(struct up_config *c)
{
    up_config_init(c);
    strcpy(c->project, VARIANT_PROJECT);
    strcpy(c->product_key, variant_product_key());
    strcpy(c->hardware, "rev-a");
    c->state = strdup(STATE);
    c->keys = strdup(KEYS);
    c->slot[0] = strdup(SLOT_A);
    c->slot[1] = strdup(SLOT_B);
    c->boot = UP_BOOT_FILE;
}

static bool has_files(const struct world_plan *plan)
{
    return plan->files || plan->package == WORLD_FILES;
}

/* The same with the plan's loader, after it started log->slot. */
static void configure(struct up_config *c, const struct world_plan *plan, const struct world_log *log)
{
    world_configure(c);
    c->no_script = plan->alone;
    if (has_files(plan))
        world_files_configure(c, plan->weak);
    if (plan->loader == WORLD_FILE)
        return;
    c->boot = UP_BOOT_UBOOT;
    c->fw_env = strdup("/etc/fw_env.config");
    c->cmdline = strdup(cmdline(log->slot));
}

#define bad(log, ...) note_bad((log)->bad, sizeof((log)->bad), __VA_ARGS__)

/* The number of the release whose script this is, 0 for none whole. */
static unsigned script_of(struct sim *sim, const char *dir)
{
    for (unsigned n = 1; n <= 2; n++)
        if (variant_is_script(sim, dir, n))
            return n;
    return 0;
}

static unsigned core_of(struct sim *sim, unsigned slot)
{
    for (unsigned n = 1; n <= VARIANT_KIN; n++)
        if (variant_is_core(sim, slot ? SLOT_B : SLOT_A, n))
            return n;
    return 0;
}

static bool has_script(const struct world_plan *plan, enum world_package package)
{
    return !plan->alone && package != WORLD_CORE && package != WORLD_DELTA && package != WORLD_REMOTE &&
           package != WORLD_INTERIM && package != WORLD_FILES;
}

static bool is_delta(enum world_package package)
{
    return package == WORLD_DELTA || package == WORLD_BOTH_DELTA;
}

unsigned world_new_core(enum world_package package)
{
    if (is_delta(package) || package == WORLD_REMOTE)
        return VARIANT_KIN;
    return package == WORLD_CORE || package == WORLD_BOTH ? 2 : 1;
}

static unsigned sequence_of(const struct world_plan *plan)
{
    return plan->second ? 3 : 2;
}

/* What would be started now: script and core must be a pair that somebody
 * released, and not the old one once the new one is confirmed, nor the new
 * one when the plan never installs it. */
static void check_pair(struct life *l, bool old_allowed, bool new_allowed)
{
    enum world_package package = l->plan->package;
    unsigned old_script = l->plan->alone ? 0 : 1, new_core = world_new_core(package);
    unsigned new_script = has_script(l->plan, package) ? 2 : old_script;
    char dir[256];
    unsigned script, core, tree;

    up_device_generation_path(l->device, up_device_generation(l->device), dir, sizeof dir);
    l->log->ran = true;
    script = script_of(l->sim, dir);
    core = core_of(l->sim, (unsigned)up_device_running(l->device));
    tree = has_files(l->plan) ? world_files_tree(l->sim, false) : WORLD_TREE_OLD;
    if (l->plan->alone && up_device_generation(l->device) != 0)
        bad(l->log, "would start a script, and there is none");
    if (old_allowed && script == old_script && core == 1 &&
        tree == (has_files(l->plan) && package == WORLD_FACTORY ? WORLD_TREE_NEW : WORLD_TREE_OLD))
        return;
    if (package != WORLD_FACTORY && new_allowed && script == new_script && core == new_core &&
        tree == (has_files(l->plan) ? WORLD_TREE_NEW : WORLD_TREE_OLD))
        return;
    /* The new core runs, and nothing can be recorded: then what belongs to the tree does. */
    if (has_files(l->plan) && up_device_state(l->device)->phase != UP_IDLE && script == old_script &&
        core == new_core && tree == WORLD_TREE_OLD)
        return;
    bad(l->log, "would start script %u with core %u and tree %u (0: broken)", script, core, tree);
}

static void count_bytes(struct world_log *log, const struct up_transfer *transfer)
{
    struct up_transfer_progress progress;

    if (!transfer || !log)
        return;
    up_transfer_progress(transfer, &progress);
    log->block_bytes += progress.done - progress.reused + progress.wasted;
    log->content_bytes = progress.total;
}

/* A file that is read as if it had to be fetched. */
struct remote {
    struct up_source base;
    struct up_source *file;
};

static long remote_read(struct up_source *s, uint64_t offset, void *buf, size_t len, struct up_error *err)
{
    struct up_source *file = ((struct remote *)s)->file;

    return file->ops->read(file, offset, buf, len, err);
}

static void remote_want(struct up_source *s, uint64_t offset, uint64_t len)
{
    (void)s, (void)offset, (void)len;
}

static void remote_close(struct up_source *s)
{
    struct up_source *file = ((struct remote *)s)->file;

    file->ops->close(file);
    free(s);
}

static int open_source(struct up_source **out, struct up_storage *storage, const char *path,
                       struct up_error *err)
{
    static const struct up_source_ops ops = {remote_read, remote_want, remote_close};
    struct remote *remote;

    if (up_source_file(out, storage, path, err) < 0)
        return err->code;
    if (strcmp(path, REMOTE) != 0)
        return 0;
    remote = calloc(1, sizeof *remote);
    remote->base = (struct up_source){.ops = &ops, .size = (*out)->size, .remote = true};
    remote->file = *out;
    *out = &remote->base;
    return 0;
}

/* Head, begin, blocks, finish: what the agent does. */
static int install_counted(struct up_device *device, struct up_storage *storage, const char *path,
                           struct world_log *log, struct up_error *err)
{
    struct up_package *package = NULL;
    struct up_transfer *transfer = NULL;
    struct up_keyring *ring = NULL;
    struct up_source *source = NULL;
    char spool[256];
    int rc;

    if (up_keyring_load(&ring, storage, KEYS, err) < 0)
        return err->code;
    rc = open_source(&source, storage, path, err);
    if (rc == 0)
        rc = up_device_spool(device, spool, sizeof spool, err);
    if (rc == 0)
        rc = up_package_open(&package, source, storage, ring, spool, err);
    if (rc == 0)
        rc = up_package_step(package, err);
    if (rc == 0)
        rc = up_device_begin(device, up_package_manifest(package), err);
    if (rc == 0)
        rc = up_transfer_open(&transfer, device, package, source, err);
    if (rc == 0)
        do
            rc = up_transfer_step(transfer, err);
        while (rc == 1);
    count_bytes(log, transfer);
    up_transfer_close(transfer);
    if (rc == 0)
        do
            rc = up_device_finish(device, up_package_manifest(package), err);
        while (rc == UP_AGAIN);
    up_package_free(package);
    if (source)
        source->ops->close(source);
    up_keyring_free(ring);
    return rc;
}

int world_install(struct up_device *device, struct up_storage *storage, const char *path,
                  struct up_error *err)
{
    return install_counted(device, storage, path, NULL, err);
}

/* A call that succeeded has done what it is for, in memory and on record. */
static void must_be(struct life *l, enum up_phase phase, const char *call)
{
    struct sim *sim;
    struct up_journal *journal = NULL;
    struct up_journal_state *s;
    struct up_error err;

    if (sim_is_cut(l->sim))
        return;
    sim = sim_clone(l->sim);
    s = calloc(1, sizeof *s);
    sim_cut_at(sim, 0);
    sim_fail(sim, 0, 0, 0, false);
    if (!s || up_journal_open(&journal, sim_storage(sim), STATE, &err) < 0 ||
        up_journal_read(journal, s, &err) < 0)
        bad(l->log, "%s succeeded, and the record cannot be read: %s", call, err.message);
    else if (up_device_state(l->device)->phase != phase || s->phase != phase)
        bad(l->log, "%s succeeded, and it is %s, on record %s", call,
            up_journal_phase_name(up_device_state(l->device)->phase), up_journal_phase_name(s->phase));
    up_journal_close(journal);
    free(s);
    sim_free(sim);
}

/* With a permit it is handed over once; what was begun with it goes on without. */
static int install(struct life *l, const char *path)
{
    if (l->plan->permit && up_device_state(l->device)->phase == UP_IDLE &&
        up_device_permit(l->device, WORLD_PERMIT, &l->err) < 0)
        return l->err.code;
    if (install_counted(l->device, l->storage, path, l->log, &l->err) < 0)
        return l->err.code;
    must_be(l, l->plan->provisioned ? UP_ARMED : UP_IDLE, "install");
    return 0;
}

static enum world_result failed(struct life *l, const char *what)
{
    l->log->code = l->err.code;
    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    if (l->log->faulty) {
        snprintf(l->log->cause, sizeof l->log->cause, "%s: %.180s", what, l->err.message);
        return WORLD_FAILED;
    }
    bad(l->log, "%s: %s", what, l->err.message);
    return WORLD_SETTLED;
}

/* A power-on before there is a device. */
static enum world_result factory(struct life *l)
{
    if (l->plan->provisioned || l->log->confirmed) {
        bad(l->log, "the device forgot that it was provisioned: %s", l->err.message);
        return WORLD_SETTLED;
    }
    if (up_device_provision(&l->device, l->storage, &l->config, &l->err) < 0 ||
        install(l, package_paths[WORLD_FACTORY]) < 0) {
        enum world_result result = failed(l, "provision");

        return result == WORLD_FAILED ? result : WORLD_CUT;
    }
    /* What is left to do when it is done may fail, and the power go meanwhile. */
    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    l->log->confirmed = true;
    return WORLD_RESTART;
}

/* Without a device: a whole script, of which nothing more is known; or, without a script, nothing of ours. */
static enum world_result last_resort(struct life *l)
{
    char dir[256];

    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    l->log->trouble = l->err;
    if (l->plan->alone) {
        l->log->ran = true;
        return failed(l, "no device");
    }
    if (up_device_last_resort(l->storage, &l->config, dir, sizeof dir, &l->err) < 0) {
        l->log->unsure = has_files(l->plan);
        l->log->mixed = l->log->unsure && world_files_tree(l->sim, false) != WORLD_TREE_OLD;
        return failed(l, "no script");
    }
    if (script_of(l->sim, dir) == 0)
        bad(l->log, "would start a broken script: %s", l->log->trouble.message);
    l->log->ran = true;
    return WORLD_DEGRADED;
}

static enum world_result after(enum up_start_action action)
{
    return action == UP_START_RESTART ? WORLD_RESTART : WORLD_SETTLED;
}

/* Whether the tree of files belongs to something that can run: the new one does not to the old core. */
static bool fits(const struct life *l)
{
    enum world_tree tree = world_files_tree(l->sim, false);

    return tree == WORLD_TREE_OLD ||
           (tree == WORLD_TREE_NEW &&
            core_of(l->sim, (unsigned)up_device_running(l->device)) == world_new_core(l->plan->package));
}

/* A pair starts, and nothing on a tree that the device takes for mixed: that may wait for a package that replaces
 * it. */
static void check_start(struct life *l)
{
    if (!up_device_mixed(l->device)) {
        check_pair(l, true, true);
        return;
    }
    l->log->mixed = !fits(l);
    l->log->unsure = true;
}

/* Something could not be done: what runs all the same is a pair, and the device
 * tries again, which comes to a power-on of its own. */
static enum world_result degraded(struct life *l, enum up_start_action action)
{
    l->log->code = l->err.code;
    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    if (action == UP_START_RESTART)
        return WORLD_RESTART;
    check_start(l);
    l->log->trouble = l->err;
    snprintf(l->log->cause, sizeof l->log->cause, "%.199s", l->err.message);
    return WORLD_DEGRADED;
}

static int check_script(struct life *l)
{
    int rc;

    do
        rc = up_device_inspect(l->device, &l->err);
    while (rc == UP_AGAIN);
    return rc;
}

/* What is on trial is not what was armed. */
static enum world_result withdraw(struct life *l, int code)
{
    enum up_start_action action;
    struct up_error why = l->err;

    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    l->log->withdrawn = true;
    if (up_device_withdraw(l->device, code, why.message, &action, &l->err) < 0)
        return degraded(l, action);
    return WORLD_RESTART; /* and it may be installed again */
}

/* The medium does this by itself, once. */
static void damage(struct life *l)
{
    struct up_storage *s = l->storage;
    char dir[200], path[256];
    int file;

    if (l->plan->damage == WORLD_WHOLE || l->log->damaged)
        return;
    l->log->damaged = true;
    up_device_generation_path(l->device, up_device_generation(l->device), dir, sizeof dir);
    snprintf(path, sizeof path, "%s/lib/part1.lua", dir);
    file = s->ops->open(s, path, UP_UPDATE, 0);
    if (file >= 0) {
        s->ops->pwrite(s, file, "~", 1, 3);
        s->ops->sync(s, file);
        s->ops->close(s, file);
    }
    snprintf(path, sizeof path, "%s.tar", dir);
    if (l->plan->damage == WORLD_LOST_TRIAL)
        s->ops->unlink(s, path);
}

/* In the background, and what follows from it at the next start of the script. */
static void look_after_script(struct life *l)
{
    if (l->plan->damage == WORLD_DAMAGED)
        damage(l);
    if (check_script(l) == 0)
        up_device_put_script(l->device);
    else if (!sim_is_cut(l->sim) && !l->log->faulty)
        bad(l->log, "the script cannot be mended: %s", l->err.message);
}

/* Whether the release of the plan went back before. */
static bool is_quarantined(const struct up_journal_state *s, const struct world_plan *plan)
{
    for (int i = 0; i < UP_QUARANTINE_MAX; i++)
        if (s->quarantine[i].sequence == sequence_of(plan))
            return true;
    return false;
}

static int give_up(struct life *l, enum up_start_action *action)
{
    return l->plan->verdict == WORLD_AWAY
               ? up_device_unreached(l->device, "no cloud answered", action, &l->err)
               : up_device_rollback(l->device, true, "not healthy", action, &l->err);
}

/* What comes of a start on trial. */
static enum world_verdict verdict_of(const struct life *l)
{
    if (l->plan->verdict == WORLD_AWAY && is_quarantined(up_device_state(l->device), l->plan))
        return WORLD_CONFIRM;
    return l->plan->verdict;
}

static enum world_result trial(struct life *l)
{
    enum up_start_action action = UP_START_RUN;
    int rc = up_device_trial_start(l->device, &action, &l->err);

    if (rc == UP_ROLLEDBACK) {
        if (action == UP_START_RUN && !sim_is_cut(l->sim))
            look_after_script(l);
        if (sim_is_cut(l->sim))
            return WORLD_CUT;
        if (action == UP_START_RUN)
            check_start(l);
        return after(action);
    }
    if (rc < 0)
        return degraded(l, action);
    if (l->plan->damage != WORLD_DAMAGED)
        damage(l);
    rc = check_script(l);
    if (rc < 0)
        return withdraw(l, rc);
    check_pair(l, true, true);
    if (has_files(l->plan) && world_files_tree(l->sim, false) != WORLD_TREE_NEW)
        bad(l->log, "on trial without its files");
    switch (verdict_of(l)) {
    case WORLD_CONFIRM:
        if (up_device_confirm(l->device, &l->err) < 0)
            return degraded(l, action);
        must_be(l, UP_IDLE, "confirm");
        l->log->confirmed = true;
        return WORLD_SETTLED;
    case WORLD_CRASH:
        /* The supervisor goes on whether or not it could be noted. */
        (void)(void)!up_device_trial_failed(l->device, "the script crashed", &l->err);
        return sim_is_cut(l->sim) ? WORLD_CUT : trial(l);
    default:
        if (give_up(l, &action) == 0) /* an agent goes on with what is tried once more */
            return l->plan->verdict == WORLD_AWAY ? WORLD_RESTART : after(action);
        if (sim_is_cut(l->sim) || action == UP_START_RESTART)
            return degraded(l, action);
        return up_device_state(l->device)->phase == UP_TRIAL ? trial(l) : degraded(l, action);
    }
}

/* Whether the release of the plan was confirmed: it raised the floor, or used
 * up the permit. */
static bool is_new(const struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);

    if (!l->plan->permit)
        return s->floor[UP_SCRIPT] == sequence_of(l->plan) || s->floor[UP_CORE] == sequence_of(l->plan) ||
               s->floor[UP_FILES] == sequence_of(l->plan);
    return world_permit_used(l->sim, s);
}

/* Whether the agent still has something to install. */
static bool wants_install(const struct life *l, bool online)
{
    const struct up_journal_state *s = up_device_state(l->device);

    if (!online || l->plan->package == WORLD_FACTORY || l->log->refused || l->log->disarmed)
        return false;
    return s->phase == UP_FETCHING || s->phase == UP_INSTALLING || (s->phase == UP_IDLE && !is_new(l));
}

static enum world_result armed(struct life *l)
{
    enum up_start_action action;

    l->log->armed = true;
    if (l->plan->verdict == WORLD_DISARM) {
        if (up_device_rollback(l->device, false, "by hand", &action, &l->err) < 0)
            return degraded(l, action);
        l->log->disarmed = true;
        return after(action);
    }
    if (up_device_has_core(l->device))
        return WORLD_RESTART;
    if (up_device_begin_trial(l->device, &l->err) < 0)
        return degraded(l, UP_START_RUN);
    must_be(l, UP_TRIAL, "begin_trial");
    return trial(l);
}

static enum world_result run(struct life *l, bool online)
{
    if (up_device_state(l->device)->phase != UP_TRIAL)
        look_after_script(l);
    if (sim_is_cut(l->sim))
        return WORLD_CUT;
    if (up_device_state(l->device)->phase != UP_TRIAL)
        check_start(l);
    if (online && up_device_unjudged(l->device) && up_device_judge(l->device, false, &l->err) < 0)
        return sim_is_cut(l->sim) ? WORLD_CUT : failed(l, "judge");
    if (wants_install(l, online) && install(l, package_paths[l->plan->package]) < 0) {
        if (sim_is_cut(l->sim))
            return WORLD_CUT;
        if (l->log->faulty || (l->err.code != UP_INCOMPATIBLE && !l->log->tampered))
            return failed(l, "install");
        l->log->refused = true;
        l->log->code = l->err.code;
        snprintf(l->log->cause, sizeof l->log->cause, "%.190s", l->err.message);
        return WORLD_RESTART; /* the next start sweeps the head away */
    }
    switch (up_device_state(l->device)->phase) {
    case UP_ARMED:
        return armed(l);
    case UP_TRIAL:
        return trial(l);
    default:
        return WORLD_SETTLED;
    }
}

/* What the supervisor does: up_device_come_up() has decided. */
static enum world_result came_up(struct life *l, bool online, enum up_start_action action,
                                 const struct up_trouble *trouble)
{
    if (trouble->cause.code != UP_OK)
        l->err = trouble->cause;
    if (!l->device)
        return last_resort(l);
    if (action == UP_START_RESTART)
        return sim_is_cut(l->sim) ? WORLD_CUT : WORLD_RESTART;
    if (trouble->updates)
        return run(l, online);
    if (up_device_state(l->device)->phase == UP_TRIAL && !sim_is_cut(l->sim))
        return trial(l);
    return degraded(l, action);
}

/* The boot script: the first slot of the order that is good or has a try left,
 * which is counted down durably before it is started. Returns whether it is on
 * trial. On a board without our variables, something else starts the factory. */
static bool u_boot(struct life *l)
{
    struct up_boot_variable left;
    char order[UP_BOOT_VALUE_SIZE], name[16];
    bool counted;

    l->log->slot = 0;
    sim_variable(l->sim, "BOOT_ORDER", order);
    for (const char *p = order; *p; p++) {
        if (*p == ' ')
            continue;
        snprintf(name, sizeof name, "BOOT_%c_LEFT", *p);
        left.name = name;
        sim_variable(l->sim, name, left.value);
        if (strcmp(left.value, "0") == 0)
            continue;
        l->log->slot = *p;
        if (left.value[0] == '\0')
            return false;
        left.value[0]--;
        sim_pause_fault(l->sim, !l->log->loader_fails);
        counted = l->storage->ops->boot_set(l->storage, "", &left, 1) == 0;
        sim_pause_fault(l->sim, false);
        if (counted)
            return true;
        if (sim_is_cut(l->sim))
            return false;
        /* What cannot be counted is not started. */
    }
    if (order[0])
        bad(l->log, "U-Boot has nothing to start: BOOT_ORDER=%s", order);
    return false;
}

/* The boot loader is about to choose a core on trial that hangs before it can
 * start anything: it counts the try down, and a watchdog resets the device. */
static bool dies(struct life *l)
{
    struct up_boot_state state;
    struct up_boot *boot;
    bool dead = false;

    if (l->plan->loader == WORLD_UBOOT)
        return u_boot(l) && l->plan->verdict == WORLD_DEAD;
    if (l->plan->verdict != WORLD_DEAD ||
        up_boot_open(&boot, l->storage, up_config_boot(&l->config), &l->err) < 0)
        return false;
    if (up_boot_read(boot, &state, &l->err) == 0 && !state.good[state.order[0]] &&
        state.tries[state.order[0]] > 0)
        dead = up_boot_select(boot, &state, &l->err) == 0 || sim_is_cut(l->sim);
    up_boot_close(boot);
    return dead;
}

/* `moult settle`: programs start when it returns 0, so the tree must be whole then. */
static bool settle(struct life *l)
{
    enum up_settled settled;
    int rc = up_device_settle(&settled, l->storage, &l->config, &l->err);

    if (sim_is_cut(l->sim))
        return false;
    /* A root that is not the one it was keeps programs from starting, not the device. */
    if (rc < 0 && rc != UP_USAGE && rc != UP_MISSING && !l->log->faulty)
        return failed(l, "settle"), false;
    if (rc == 0 && world_files_tree(l->sim, false) == WORLD_TREE_NEITHER)
        bad(l->log, "settled (%s), and the tree is neither old nor new", up_device_settled_name(settled));
    return true;
}

enum world_result world_boot(struct sim *sim, const struct world_plan *plan, bool online,
                             struct world_log *log)
{
    struct life l = {
        .sim = sim, .storage = sim_storage(sim), .plan = plan, .log = log, .err = {.code = UP_OK}};
    struct up_trouble trouble;
    enum up_start_action action;
    enum world_result result;
    int rc;

    log->boots++;
    log->ran = log->mixed = log->unsure = false;
    log->code = UP_OK;
    configure(&l.config, plan, log);
    if (dies(&l) || sim_is_cut(sim)) {
        up_config_free(&l.config);
        return sim_is_cut(sim) ? WORLD_CUT : WORLD_RESTART;
    }
    up_config_free(&l.config);
    configure(&l.config, plan, log);
    if (plan->settles && !settle(&l)) {
        up_config_free(&l.config);
        return sim_is_cut(sim) ? WORLD_CUT : WORLD_FAILED;
    }
    rc = up_device_come_up(&l.device, l.storage, &l.config, NULL, &action, &trouble, &l.err);
    if (rc == UP_USAGE)
        result = factory(&l);
    else if (rc < 0)
        result = failed(&l, "come up");
    else
        result = came_up(&l, online, action, &trouble);
    if (sim_is_cut(sim))
        result = WORLD_CUT;
    up_device_close(l.device);
    up_config_free(&l.config);
    return result;
}

/* Between the starts of one boot of the kernel its id counts, too. */
static bool is_known(struct sim *sim, bool online, unsigned start, unsigned left, struct world_log *log)
{
    char id[37] = "";

    if (!log->known)
        return false;
    if (start > 0)
        sim_storage(sim)->ops->boot_id(sim_storage(sim), id);
    log->shared = known_end(log->known, known_state(sim, log, id, online << 4 | log->part), left);
    return log->shared;
}

enum world_result world_live(struct sim *sim, const struct world_plan *plan, bool online,
                             struct world_log *log)
{
    unsigned most = BOOTS_MAX + (plan->verdict == WORLD_DEAD ? DEAD_BOOTS : 0), i;
    enum world_result result = WORLD_RESTART;

    for (i = 0; i < most && result == WORLD_RESTART; i++) {
        if (is_known(sim, online, i, most - i, log))
            return WORLD_SETTLED;
        result = world_boot(sim, plan, online, log);
    }
    if (log->known)
        known_settled(log->known, most - i);
    if (result == WORLD_RESTART)
        bad(log, "not settled after %u starts", most);
    if (result == WORLD_DEGRADED && !log->faulty)
        bad(log, "runs without updates: %.400s", log->trouble.message);
    return result;
}

static void live(struct sim *sim, const void *plan, void *log)
{
    world_live(sim, plan, true, log);
}

static uint64_t promised(const void *log)
{
    return known_promised(0, log);
}

const struct cuts_kind world_lives = {sizeof(struct world_log), live, promised};

/* Whether what follows a generation's number in a path may stand there. What was said of one
 * that could not be read then holds until it runs again, and is looked at. */
static bool belongs(const char *rest, bool runs)
{
    static const char *const beside[] = {
        "", ".tar", ".good", ".head", ".head/manifest.json", ".head/manifest.minisig", ".head/script.idx"};

    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++)
        if (strcmp(rest, beside[i]) == 0)
            return true;
    return rest[0] == '/' || (!runs && strcmp(rest, ".bad") == 0);
}

#define FOREIGN STATE "/files/foreign"

/* Names that may stand in the state directory once all is done. */
static void check_leftovers(struct sim *sim, struct life *l)
{
    const struct up_journal_state *s = up_device_state(l->device);
    uint32_t runs = up_device_generation(l->device);
    static const char *const allowed[] = {
        "",        "/boot.0",    "/boot.1", "/history",        "/journal.0",     "/lock",         "/policy",
        "/script", "/journal.1", "/files",  "/script/current", "/files/stage.0", "/files/stage.1"};
    char *dump = sim_dump(sim, STATE), *line, *rest = NULL, prefix[2][64] = {"", ""};

    for (int i = 0; i < UP_SLOTS; i++)
        if (s->slot[i].present)
            snprintf(prefix[i], sizeof prefix[i], STATE "/script/%u", s->slot[i].generation);
    for (line = strtok_r(dump, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = strstr(line, STATE);
        bool known = false;

        if (!path)
            continue;
        for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
            known = known || strcmp(path + strlen(STATE), allowed[i]) == 0;
        /* What could not be read is taken for another program's, and kept. */
        known = known || (l->log->was_faulty && strncmp(path, FOREIGN, strlen(FOREIGN)) == 0);
        for (int i = 0; i < UP_SLOTS; i++) {
            size_t n = strlen(prefix[i]);

            known = known || (n && strncmp(path, prefix[i], n) == 0 &&
                              belongs(path + n, s->slot[i].generation == runs));
        }
        if (!known)
            bad(l->log, "left over: %s", path);
    }
    free(dump);
}

static void check_outcome(struct life *l, bool online)
{
    const struct up_journal_state *s = up_device_state(l->device);
    enum world_package package = l->plan->package;
    bool taken = package != WORLD_FACTORY && is_new(l);
    bool good = l->plan->verdict == WORLD_CONFIRM || l->plan->verdict == WORLD_AWAY;

    check_pair(l, !taken, taken);
    if (good && package != WORLD_FACTORY && !taken) {
        if (l->log->confirmed)
            bad(l->log, "a confirmed update was lost");
        else if (online && !l->log->refused)
            bad(l->log, "settled on the old release although the new one is healthy");
        else if (online && !l->log->tampered &&
                 (!is_quarantined(s, l->plan) || (l->plan->verdict == WORLD_AWAY && !l->log->was_faulty)))
            bad(l->log, "refused a release that is not quarantined: %s", l->log->cause);
    }
    if (!good && taken)
        bad(l->log, "a release that was never confirmed %s",
            l->plan->permit ? "used up the permit" : "raised the floor");
    if (s->phase != UP_IDLE) {
        /* Alone, without a server, an open transfer waits for it. */
        if (online || (s->phase != UP_FETCHING && s->phase != UP_INSTALLING))
            bad(l->log, "settled in phase %s", up_journal_phase_name(s->phase));
        return;
    }
    check_leftovers(l->sim, l);
    /* Names of a plan that was lost are known to nobody. */
    if (has_files(l->plan) && world_files_tree(l->sim, !l->log->was_faulty) == WORLD_TREE_NEITHER)
        bad(l->log, "something of ours is left below the roots");
}

void world_check(struct sim *sim, const struct world_plan *plan, bool online, struct world_log *log)
{
    struct life l = {.sim = sim, .storage = sim_storage(sim), .plan = plan, .log = log};

    configure(&l.config, plan, log);
    if (up_device_open(&l.device, l.storage, &l.config, UP_DEVICE_READ, &l.err) < 0)
        bad(log, "settled, but cannot be opened: %s", l.err.message);
    else
        check_outcome(&l, online);
    up_device_close(l.device);
    up_config_free(&l.config);
}

static void check_archive(struct sim *sim, const struct up_pair *pair, struct world_log *log)
{
    uint8_t digest[UP_SHA256_SIZE];
    char path[256], *archive;
    size_t len;

    snprintf(path, sizeof path, STATE "/script/%u.tar", pair->generation);
    archive = sim_get(sim, path, &len);
    if (!archive)
        bad(log, "generation %u has no archive", pair->generation);
    else if (!pair->script.known)
        bad(log, "the digest of generation %u is not known", pair->generation);
    else {
        up_sha256(archive, len, digest);
        if (memcmp(digest, pair->script.bytes, sizeof digest) != 0)
            bad(log, "the archive of generation %u is another one", pair->generation);
    }
    free(archive);
}

void world_check_kept(struct sim *sim, const struct world_plan *plan, struct world_log *log)
{
    struct life l = {.sim = sim, .storage = sim_storage(sim), .plan = plan, .log = log};
    uint32_t newest;

    configure(&l.config, plan, log);
    if (!plan->alone && up_device_open(&l.device, l.storage, &l.config, UP_DEVICE_READ, &l.err) == 0 &&
        up_device_state(l.device)->phase == UP_IDLE) {
        for (int i = 0; i < UP_SLOTS; i++)
            if (up_device_state(l.device)->slot[i].present)
                check_archive(sim, &up_device_state(l.device)->slot[i], log);
        if (up_generation_newest(l.storage, STATE "/script", KEYS, (char)('a' + up_device_running(l.device)),
                                 &newest, &l.err) < 0)
            bad(log, "without its journal: %s", l.err.message);
        else if (newest != up_device_generation(l.device))
            bad(log, "without its journal it would run generation %u, not %u", newest,
                up_device_generation(l.device));
    }
    up_device_close(l.device);
    up_config_free(&l.config);
}

struct flash_slot {
    enum up_flash_kind kind;
    unsigned blocks;
    uint32_t erase_size, page;
    int bad, worn;  /* of slot b; -1: none */
    unsigned wrong; /* block of the new image in slot b */
};

static void put_flash(struct sim *sim, const char *path, const struct flash_slot *f, unsigned core,
                      bool second)
{
    size_t len;
    const uint8_t *image = variant_core(core, &len);
    uint8_t *old = malloc(len);

    sim_put_flash(sim, path, f->kind, f->blocks, f->erase_size, f->page);
    if (second && f->bad >= 0)
        sim_flash_make_bad(sim, path, (unsigned)f->bad);
    if (second && f->worn >= 0)
        sim_flash_wear(sim, path, (unsigned)f->worn, SIM_WEAR_PROGRAM);
    memcpy(old, image, len);
    old[f->wrong * 4096 + 77] ^= 1;
    if (second)
        sim_flash_fill(sim, path, old, len);
    free(old);
}

static void put_slots(struct sim *sim, enum world_medium medium, unsigned core)
{
    static const struct flash_slot flashes[] = {
        [WORLD_ON_NOR] = {UP_FLASH_NOR, 2, 8192, 1, -1, -1, 1},
        [WORLD_ON_NAND] = {UP_FLASH_NAND, 5, 8192, 4096, 0, 2, 1},
        [WORLD_ON_SMALL_NAND] = {UP_FLASH_NAND, 7, 4096, 512, 1, 0, 0},
        [WORLD_ON_UBI] = {UP_FLASH_UBI, 2, 8192, 1, -1, -1, 2},
    };

    for (int i = 0; i < UP_SLOTS; i++) {
        const char *path = i ? SLOT_B : SLOT_A;

        if (medium == WORLD_ON_BLOCK)
            sim_put_block(sim, path, 16384);
        else if (medium != WORLD_ON_FILES)
            put_flash(sim, path, &flashes[medium], core, i == 1);
    }
}

/* What an earlier try may have left in slot b: of the new image the first two
 * blocks in each other's place, so that one is overwritten before it can be
 * copied; the third where it belongs; and not the last. */
static void put_leftovers(struct sim *sim)
{
    const size_t block = 4096;
    uint8_t content[3 * 4096];
    size_t len;
    const uint8_t *image = variant_core(VARIANT_KIN, &len);

    memcpy(content, image + block, block);
    memcpy(content + block, image, block);
    memcpy(content + 2 * block, image + 2 * block, block);
    sim_put(sim, SLOT_B, content, sizeof content, 0600);
}

/* The same bytes each time; made once. */
static void put_package(struct sim *sim, const struct world_plan *plan, enum world_package package,
                        bool files, unsigned sequence)
{
    static void *made[2][2][2][WORLD_PACKAGES];
    static size_t sizes[2][2][2][WORLD_PACKAGES];
    unsigned version = package == WORLD_FACTORY ? 1 : 2, script = has_script(plan, package) ? version : 0;
    unsigned core = package == WORLD_SCRIPT || package == WORLD_FILES ? 0 : world_new_core(package);
    void **bytes = &made[plan->alone][files][sequence == 3][package];
    size_t *size = &sizes[plan->alone][files][sequence == 3][package];

    if (!*bytes && files)
        *bytes = variant_files(sequence, script, core, world_files_ini, size);
    else if (!*bytes)
        *bytes = is_delta(package) ? variant_delta(sequence, script, 1, core, size)
                                   : variant_package(sequence, script, core, size);
    sim_put(sim, package_paths[package], *bytes, *size, 0644);
}

/* Something of the device's past, which is not what is looked at. */
static void live_through(struct sim *sim, const struct world_plan *past, bool online)
{
    struct world_log log = {0};

    if (world_live(sim, past, online, &log) != WORLD_SETTLED || log.bad[0]) {
        fprintf(stderr, "the %s does not work: %s\n", past->name, log.bad);
        abort();
    }
    sim_settle(sim);
}

struct sim *world_new(const struct world_plan *plan)
{
    const struct world_plan factory_plan = {
        .name = "factory", .package = WORLD_FACTORY, .loader = plan->loader, .alone = plan->alone};
    const struct world_plan interim_plan = {.name = "first update",
                                            .provisioned = true,
                                            .package = WORLD_INTERIM,
                                            .loader = plan->loader,
                                            .alone = plan->alone};
    struct sim *sim = sim_new();

    sim_put_dir(sim, "/device", 0755);
    put_slots(sim, plan->medium, world_new_core(plan->package) == VARIANT_KIN ? VARIANT_KIN : 2);
    if (plan->package == WORLD_REMOTE && plan->medium == WORLD_ON_FILES)
        put_leftovers(sim);
    if (has_files(plan))
        world_files_put(sim, plan->weak);
    variant_put_key(sim, KEYS);
    sim_put_text(sim, cmdline('a'), "console=ttyS0 moult.slot=a\n");
    sim_put_text(sim, cmdline('b'), "console=ttyS0 moult.slot=b\n");
    sim_put_text(sim, cmdline(0), "console=ttyS0\n");
    for (int i = 0; i < WORLD_PACKAGES; i++) {
        if (plan->alone && i == WORLD_SCRIPT)
            continue; /* nothing would be left of it */
        put_package(sim, plan, (enum world_package)i,
                    i == WORLD_FILES || (plan->files && (enum world_package)i == plan->package),
                    i == WORLD_FACTORY ? 1 : 2);
    }
    if (plan->provisioned)
        live_through(sim, &factory_plan, false);
    if (plan->second) {
        live_through(sim, &interim_plan, true);
        put_package(sim, plan, plan->package, has_files(plan), 3);
    }
    if (plan->permit) {
        world_put_permit(sim, package_paths[plan->package]);
        world_raise_floor(sim, STATE);
    }
    return sim;
}
