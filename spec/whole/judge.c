/*
 * What must hold, whatever happens: only what is signed, and whole, is started;
 * outside of a trial only what was confirmed; floors never fall; the cloud hears
 * of nothing else; a script runs again soon; and in the end the device takes
 * the next good release.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "supervisor_private.h"

#define NUMBERS 8
#define GAP_MS 330000    /* the longest pause of a script, and some */
#define FIRST_MS 6000    /* from the start of the supervisor to that of a script */
#define MENDED_MS 65000  /* after a fault, until the supervisor has looked again */
#define SILENCE_MS 30000 /* of a script that is being confirmed */

static struct {
    /* Of script, core and tree of files those that may be on the device; ... */
    bool released[NUMBERS][NUMBERS][NUMBERS];
    /* ... the last one confirmed, and those whose confirmation was begun since; */
    bool confirmed[NUMBERS][NUMBERS][NUMBERS];
    bool ever[NUMBERS][NUMBERS]; /* pairs of script and core confirmed, and before */
    uint64_t floor[UP_FLOORS];
} truth;

/* A look at the device as a new process would have it, with nothing in its way. */
struct look {
    struct sim *sim;
    struct up_device *device;
    struct up_error err;
};

static const struct up_journal_state *look_at(struct look *l)
{
    l->sim = sim_clone(stage.sim);
    sim_watch_calls(l->sim, NULL, NULL);
    sim_fail(l->sim, SIM_OPS, 0, 0, false);
    l->device = NULL;
    if (up_device_open(&l->device, sim_storage(l->sim), stage.config, UP_DEVICE_READ, &l->err) < 0)
        return NULL;
    return up_device_state(l->device);
}

static void look_away(struct look *l)
{
    up_device_close(l->device);
    sim_free(l->sim);
}

/* On whatever is there before. */
static void release(const struct parcel *p)
{
    bool before[NUMBERS][NUMBERS][NUMBERS];

    memcpy(before, truth.released, sizeof before);
    for (unsigned s = 0; s < NUMBERS; s++)
        for (unsigned c = 0; c < NUMBERS; c++)
            for (unsigned f = 0; f < NUMBERS; f++)
                if (before[s][c][f])
                    truth.released[p->script ? p->number : s][p->core ? p->number : c]
                                  [p->files ? p->number : f] = true;
}

void judge_reset(void)
{
    unsigned script = stage.alone ? 0 : 1;

    memset(&truth, 0, sizeof truth);
    truth.released[script][1][1] = truth.confirmed[script][1][1] = truth.ever[script][1] = true;
    for (int i = 1; i < PARCELS; i++)
        if (!stage.parcel[i].forged)
            release(&stage.parcel[i]);
}

static void check_floors(const struct up_journal_state *s)
{
    for (int i = 0; i < UP_FLOORS; i++) {
        if (s->floor[i] < truth.floor[i])
            bad("a floor fell from %u to %u", (unsigned)truth.floor[i], (unsigned)s->floor[i]);
        truth.floor[i] = s->floor[i];
    }
}

static int running_slot(const struct up_device *d)
{
    return stage.uboot ? stage.slot == 'b' : up_device_running(d);
}

/* The storage fails, or did when the supervisor looked last. */
static bool troubled(void)
{
    return stage.fault_until > 0 && stage.now < stage.fault_until + MENDED_MS;
}

/* Of which release the tree is; 0: it is none's. */
static unsigned tree(void)
{
    return stage.files ? files_number(stage.sim) : 1;
}

/* With any core. */
static bool goes_with_files(unsigned script, unsigned files)
{
    for (unsigned c = 0; c < NUMBERS; c++)
        if (truth.confirmed[script][c][files])
            return true;
    return false;
}

/* Then nobody can ask for more than a script that is whole, and goes with a
 * core of this device. */
static bool may_run(unsigned script, unsigned core, bool verdict_open)
{
    unsigned files = tree();

    if (troubled())
        return truth.released[script][core][files] ||
               truth.released[script][core_number(stage.sim, 0)][files] ||
               truth.released[script][core_number(stage.sim, 1)][files];
    /* Until a new core is left, the script that runs is the one that belongs to the files. */
    if (stage.files && verdict_open && goes_with_files(script, files))
        return true;
    return truth.released[script][core][files] && (verdict_open || truth.confirmed[script][core][files]);
}

static void check_start(struct look *l, const struct up_journal_state *s, unsigned script)
{
    unsigned core = core_number(stage.sim, running_slot(l->device));
    bool verdict_open = s->phase >= UP_ARMED;

    trace("script %u on core %u and files %u, the device is %s", script, core, tree(),
          up_journal_phase_name(s->phase));
    if (!may_run(script, core, verdict_open))
        bad("script %u is started on core %u and files %u (0: broken), and the device is %s: %s", script,
            core, tree(), up_journal_phase_name(s->phase),
            truth.released[script][core][tree()] ? "never confirmed" : "no such pair was released");
    check_floors(s);
}

/* Where the link `current` leads. */
static void resolve(const char *link, char *out, size_t len)
{
    struct sim *copy = sim_clone(stage.sim);
    struct up_storage *storage = sim_storage(copy);
    char name[64] = "";

    sim_watch_calls(copy, NULL, NULL);
    sim_fail(copy, SIM_OPS, 0, 0, false);
    if (storage->ops->readlink(storage, link, name, sizeof name) < 0)
        *name = '\0';
    snprintf(out, len, "%s/script/%s", stage.config->state, name);
    sim_free(copy);
}

void judge_script_start(const char *dir, const char *overlays, struct player *p)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);

    char target[256];

    if (strstr(dir, "/script/current")) { /* a link beside the generations */
        resolve(dir, target, sizeof target);
        dir = target;
    }
    p->number = script_number(stage.sim, dir);
    outage_trial(p);
    if (s)
        check_start(&l, s, p->number);
    else if (p->number == 0 || !troubled())
        bad("the journal cannot be read: %s", l.err.message);
    hotfixes_script_start(l.sim, overlays, p);
    look_away(&l);
}

void judge_journal(void)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);

    if (s)
        check_floors(s);
    look_away(&l);
}

/* What a device says of itself was confirmed; a question may be late. One that
 * only wants to know whether the cloud is there says nothing. */
void judge_settle(const char *what)
{
    trace("settled: %s, files %u", what, tree());
    if (tree() == 0)
        bad("settled (%s), and the files are those of no release", what);
}

void judge_program(unsigned number)
{
    if (tree() == 0 || number != tree())
        bad("a program of release %u is started, and the files are those of %u (0: of none)", number, tree());
}

/* The release of a device without a script runs from now on. */
void __real_up_supervisor_alone_begin(struct up_supervisor *s);
void __wrap_up_supervisor_alone_begin(struct up_supervisor *s);

void __wrap_up_supervisor_alone_begin(struct up_supervisor *s)
{
    const struct up_journal_state *state;
    struct look l;

    if (stage.current->dead) /* it was killed on its way here: nothing begins */
        return;
    state = look_at(&l);
    if (state)
        check_start(&l, state, 0);
    else if (!troubled())
        bad("the journal cannot be read: %s", l.err.message);
    look_away(&l);
    stage.player[SCRIPT].started = stage.now;
    __real_up_supervisor_alone_begin(s);
    programs_boot();
}

/* A script runs, or without one what there is of the release. */
static bool something_runs(void)
{
    const struct player *p = &stage.player[SCRIPT], *s = &stage.player[SUPERVISOR];

    return stage.alone ? s->alive && !s->dead && p->started >= s->started : p->alive && !p->dead;
}

void judge_query(const char *url)
{
    const char *version = strstr(url, "&version=1.0."), *core = strstr(url, "core_version=");
    unsigned script = version ? (unsigned)atoi(version + 13) : 0, n = core ? (unsigned)atoi(core + 13) : 0;

    if (!version && !core)
        return;
    if (script >= NUMBERS || n >= NUMBERS || !truth.ever[script][n])
        bad("the cloud hears of script %u on core %u, which was never confirmed", script, n);
}

int __real_up_device_confirm(struct up_device *d, struct up_error *err);
int __wrap_up_device_confirm(struct up_device *d, struct up_error *err);

int __wrap_up_device_confirm(struct up_device *d, struct up_error *err)
{
    const struct player *p = &stage.player[SCRIPT];
    bool trial = up_device_state(d)->phase == UP_TRIAL && !stage.current->dead;
    unsigned script = p->number, core = 0, files = 0;
    int rc;

    if (trial) {
        core = core_number(stage.sim, running_slot(d));
        files = tree();
        truth.confirmed[script][core][files] = truth.ever[script][core] = true;
        /* It may be killed while the supervisor reads which files are in place. */
        if (!stage.alone && (((!p->alive || p->dead) && stage.now > p->beaten) || p->beaten == 0 ||
                             stage.now - p->beaten > SILENCE_MS))
            bad("script %u is confirmed, and gave no sign of life since %u ms", script,
                (unsigned)(stage.now - p->beaten));
    }
    rc = __real_up_device_confirm(d, err);
    if (rc == 0 && trial && !stage.current->dead && stage.reset != RESET_POWER) {
        trace("script %u on core %u is confirmed, with files %u", script, core, files);
        memset(truth.confirmed, 0, sizeof truth.confirmed);
        truth.confirmed[script][core][files] = true;
    }
    return rc;
}

/* Whatever fails, a supervisor that can run starts a script soon. */
static void judge_first_start(void)
{
    const struct player *s = &stage.player[SUPERVISOR];

    if (!s->alive || s->frozen > 0 || stage.player[HELPER].alive || stage.slow_until > s->started ||
        stage.reset != RESET_NOT || stage.now < s->started + FIRST_MS ||
        stage.player[SCRIPT].started >= s->started)
        return;
    bad("the supervisor runs since %u s, and has started no script",
        (unsigned)((stage.now - s->started) / 1000));
}

void judge_gap(void)
{
    /* While it cannot put the files back, nothing may start. */
    if (!stage.files || !troubled())
        judge_first_start();
    if (something_runs())
        stage.gone_since = FOREVER;
    else if (stage.gone_since == FOREVER)
        stage.gone_since = stage.now;
    if (stage.quiet && stage.gone_since != FOREVER && stage.now > stage.gone_since + GAP_MS) {
        bad("no script has run for %u s", (unsigned)((stage.now - stage.gone_since) / 1000));
        stage.gone_since = stage.now;
    }
}

static bool has(const struct up_journal_state *s, const struct parcel *p)
{
    return (!p->script || s->floor[UP_SCRIPT] == p->number) && (!p->core || s->floor[UP_CORE] == p->number) &&
           (!p->files || s->floor[UP_FILES] == p->number);
}

int judge_strikes(const struct parcel *p)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);
    int found = 0;

    for (int i = 0; s && i < UP_QUARANTINE_MAX; i++)
        if (s->quarantine[i].sequence == p->number)
            found = s->quarantine[i].strikes;
    look_away(&l);
    return found;
}

bool judge_has(const struct parcel *p)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);
    bool found = s && s->phase == UP_IDLE && has(s, p);

    look_away(&l);
    return found;
}

bool judge_idle(void)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);
    bool idle = s && s->phase == UP_IDLE;

    look_away(&l);
    return idle;
}

bool judge_settled(void)
{
    struct look l;
    bool settled;

    if (!judge_has(&stage.parcel[PARCELS - 1]) || !something_runs())
        return false;
    (void)look_at(&l);
    settled = hotfixes_settled(l.sim, stage.parcel[PARCELS - 1].number);
    look_away(&l);
    return settled;
}

void judge_end(void)
{
    struct look l;
    const struct up_journal_state *s = look_at(&l);

    if (!s) {
        bad("in the end the journal cannot be read: %s", l.err.message);
    } else {
        check_floors(s);
        if (s->phase != UP_IDLE)
            bad("in the end the device is %s: %s", up_journal_phase_name(s->phase), s->tx.why);
        else if (!has(s, &stage.parcel[PARCELS - 1]))
            bad("in the end the last release, a good one, is not installed: %s", s->last.message);
        if (!something_runs())
            bad("in the end no script runs");
        if (stage.files && files_number(stage.sim) == 0)
            bad("in the end the files are neither old nor new");
        if (stage.files && s->phase == UP_IDLE && files_left(stage.sim))
            bad("in the end something of ours is left below the roots");
        if (s->phase == UP_IDLE)
            hotfixes_end(l.sim, stage.parcel[PARCELS - 1].number);
    }
    look_away(&l);
}
