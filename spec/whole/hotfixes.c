/*
 * The hotfixes of a history: two versions of one, the process that tests them,
 * and what must hold of them: what leads a script was signed for it, is whole,
 * and passed its test or is on it; what failed is never in force again.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "factory.h"
#include "fixture.h"
#include "hotfix_ledger.h"

#define FOLDER "/device/state/hotfix/"
#define BASES 3
#define FIRST_SEQUENCE 100

/* Which scripts each is for: a range of numbers, and as the package says it. */
static const struct {
    unsigned least, most;
    const char *text;
} bases[BASES] = {{1, 99, ">=1.0.1"}, {1, 1, "1.0.1"}, {1, 4, ">=1.0.1 <1.0.5"}};

static struct {
    char *bytes;
    size_t len;
} packages[FIXES][BASES];

/* Of the history. */
static struct {
    enum fix_manner manner;
    unsigned base;
    bool quarantined; /* it was seen in quarantine */
} fixes[FIXES];

static const char *const versions[FIXES] = {"1", "2"};

void hotfixes_prepare(void)
{
    for (unsigned v = 0; v < FIXES; v++)
        for (unsigned b = 0; b < BASES; b++) {
            const struct up_fixture f = {
                .sequence = FIRST_SEQUENCE + v, .hotfix = versions[v], .base = bases[b].text};
            struct sim *scratch = sim_new();
            struct up_error err;

            sim_put_dir(scratch, "/work", 0755);
            if (up_fixture_pack(sim_storage(scratch), "/out.upd", "/work", &f, &err) < 0) {
                fprintf(stderr, "whole: hotfix: %s\n", err.message);
                exit(1);
            }
            packages[v][b].bytes = sim_get(scratch, "/out.upd", &packages[v][b].len);
            sim_free(scratch);
        }
}

void hotfixes_stage(void)
{
    memset(fixes, 0, sizeof fixes);
    for (unsigned v = 0; v < FIXES; v++) {
        char path[32];
        unsigned b = fixes[v].base = pick(BASES);

        fixes[v].manner = pick(2) == 0 ? FIX_GOOD : (enum fix_manner)pick(FIX_MANNERS);
        snprintf(path, sizeof path, "/packages/fix%s", versions[v]);
        sim_put(stage.sim, path, packages[v][b].bytes, packages[v][b].len, 0644);
    }
}

/* Which it is; FIXES: none of ours. */
static unsigned number_of(const struct up_hotfix *h)
{
    unsigned v = 0;

    while (v < FIXES && strcmp(h->version, versions[v]) != 0)
        v++;
    return strcmp(h->name, "clock") == 0 ? v : FIXES;
}

static bool is_whole(const struct sim *sim, const struct up_hotfix *h)
{
    char path[128], wanted[32];
    bool whole = true;

    snprintf(wanted, sizeof wanted, "return \"%s\"\n", h->version);
    for (int i = 0; i < 2; i++) {
        size_t len = 0;
        char *text;

        snprintf(path, sizeof path, FOLDER "%s/tree/%s", h->id, i ? "test.lua" : "lua/clock.lua");
        text = sim_get(sim, path, &len);
        whole = whole && text && len == strlen(wanted) && memcmp(text, wanted, len) == 0;
        free(text);
    }
    return whole;
}

/* What holds of the ledger at any time. */
static void check_ledger(const struct up_hotfix_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        const struct up_hotfix *h = &ledger->entry[i];
        unsigned v = number_of(h);

        if (v == FIXES) {
            bad("the ledger has a hotfix %s %s, which is nobody's", h->name, h->version);
            return;
        }
        fixes[v].quarantined |= h->state == UP_HOTFIX_QUARANTINED;
        if (up_hotfix_ledger_is_active(h) && fixes[v].quarantined)
            bad("hotfix %s is %s, and was in quarantine", h->version, up_hotfix_ledger_state_name(h->state));
        if ((h->state == UP_HOTFIX_FRESH || h->state == UP_HOTFIX_APPLIED) &&
            (fixes[v].manner == FIX_FAILS || fixes[v].manner == FIX_HANGS))
            bad("hotfix %s is %s, and fails its test", h->version, up_hotfix_ledger_state_name(h->state));
    }
}

static bool read_ledger(struct sim *sim, struct up_hotfix_ledger *out, const char *when)
{
    struct up_error err;

    if (up_hotfix_ledger_read(out, sim_storage(sim), "/device/state", &err) < 0) {
        bad("%s the ledger of hotfixes cannot be read: %s", when, err.message);
        return false;
    }
    check_ledger(out);
    return true;
}

/* The entry whose folder this path leads into. */
static const struct up_hotfix *entry_of(const struct up_hotfix_ledger *ledger, const char *path)
{
    const char *id = strstr(path, "/hotfix/");

    for (uint32_t i = 0; id && i < ledger->count; i++)
        if (strncmp(id + 8, ledger->entry[i].id, UP_HOTFIX_ID_SIZE - 1) == 0)
            return &ledger->entry[i];
    bad("%s leads, and the ledger does not know it", path);
    return NULL;
}

static bool is_for(const struct up_hotfix *h, unsigned script)
{
    unsigned b = fixes[number_of(h)].base;

    return script >= bases[b].least && script <= bases[b].most;
}

static void check_leading(struct sim *sim, const struct up_hotfix *h, unsigned script)
{
    if (!up_hotfix_ledger_is_active(h))
        bad("hotfix %s leads, and is %s", h->version, up_hotfix_ledger_state_name(h->state));
    if (!is_whole(sim, h))
        bad("hotfix %s leads, and is not whole", h->version);
    if (!is_for(h, script))
        bad("hotfix %s leads script %u, and is for %s", h->version, script,
            bases[fixes[number_of(h)].base].text);
}

void hotfixes_script_start(struct sim *sim, const char *overlays, struct player *p)
{
    static struct up_hotfix_ledger ledger;
    const char *path = overlays;

    p->ill = false;
    if (!read_ledger(sim, &ledger, "at a start"))
        return;
    while (*path) {
        const struct up_hotfix *h = entry_of(&ledger, path);

        if (!h)
            return;
        trace("hotfix %s leads, which is %s", h->version, up_hotfix_ledger_state_name(h->state));
        check_leading(sim, h, p->number);
        p->ill |= fixes[number_of(h)].manner == FIX_ILL;
        path += strcspn(path, ";");
        path += *path == ';';
    }
}

/* Of the hotfix whose folder is named: a script that takes it as it runs does not live with it. */
bool hotfixes_is_ill(const char *dir)
{
    static struct up_hotfix_ledger ledger;
    struct sim *copy = sim_clone(stage.sim);
    const struct up_hotfix *h = NULL;

    sim_watch_calls(copy, NULL, NULL);
    sim_fail(copy, SIM_OPS, 0, 0, false);
    if (read_ledger(copy, &ledger, "as one is taken"))
        h = entry_of(&ledger, dir);
    sim_free(copy);
    return h && fixes[number_of(h)].manner == FIX_ILL;
}

void hotfixes_test_start(const char *dir, struct player *p)
{
    static struct up_hotfix_ledger ledger;
    struct sim *copy = sim_clone(stage.sim);
    const struct up_hotfix *h = NULL;

    sim_watch_calls(copy, NULL, NULL);
    sim_fail(copy, SIM_OPS, 0, 0, false);
    if (read_ledger(copy, &ledger, "at a test"))
        h = entry_of(&ledger, dir);
    if (h && (!up_hotfix_ledger_is_active(h) || !is_whole(copy, h)))
        bad("hotfix %s is tested, and is %s or not whole", h->version, up_hotfix_ledger_state_name(h->state));
    p->fix = h ? fixes[number_of(h)].manner : FIX_FAILS;
    sim_free(copy);
}

void tester_run(struct player *p)
{
    static const enum who victims[] = {PLAYERS, SCRIPT, SUPERVISOR, AGENT};
    uint64_t takes = pick(8000);
    enum fix_manner manner = p->fix;

    endanger(victims);
    while (player_sleep(manner == FIX_HANGS ? 60000 : takes) && manner == FIX_HANGS)
        continue;
    if (!p->dead && manner == FIX_FAILS)
        p->status = 1 << 8;
}

/* Nothing is on its way, and nothing in force that is not for this script. */
bool hotfixes_settled(struct sim *sim, unsigned script)
{
    static struct up_hotfix_ledger ledger;

    if (!read_ledger(sim, &ledger, "in the end"))
        return true;
    for (uint32_t i = 0; i < ledger.count; i++)
        if (ledger.entry[i].state == UP_HOTFIX_TESTING ||
            (up_hotfix_ledger_is_active(&ledger.entry[i]) && !is_for(&ledger.entry[i], script)))
            return false;
    return true;
}

void hotfixes_end(struct sim *sim, unsigned script)
{
    static struct up_hotfix_ledger ledger;

    if (!read_ledger(sim, &ledger, "in the end"))
        return;
    for (uint32_t i = 0; i < ledger.count; i++) {
        if (ledger.entry[i].state == UP_HOTFIX_TESTING)
            bad("in the end hotfix %s is still on test", ledger.entry[i].version);
        if (up_hotfix_ledger_is_active(&ledger.entry[i]))
            check_leading(sim, &ledger.entry[i], script);
    }
}
