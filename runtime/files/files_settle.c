#include "files_settle.h"

#include <stddef.h>

/* clang-format off */
#define NOTHING    UP_FILES_NOTHING
#define LEAVE      UP_FILES_LEAVE
#define SWEEP_NEW  UP_FILES_SWEEP_NEW
#define SWEEP_OLD  UP_FILES_SWEEP_OLD
#define BACK       UP_FILES_GO_BACK
#define FINISH     UP_FILES_FINISH
#define TRY        UP_FILES_TRY
#define TRY_SWITCH UP_FILES_TRY_SWITCH
#define TRY_STAY   UP_FILES_TRY_STAY
#define VERDICT    UP_FILES_VERDICT
#define WITHOUT    UP_FILES_WITHOUT

#define EACH(a) {a, a, a}

static const char no_plan_yet[] = "a transaction that is not armed switches nothing";
static const char no_fill[] = "armed is written when everything is staged; the stage lost its newest half";
static const char verdict_first[] = "a new tree is swept after the verdict; the journal lost its newest half";
static const char old_again[] = "an old tree is swept after going back; the journal lost its newest half";
static const char tried[] = "a trial that was switched is confirmed; the stage lost its newest half";

/* A column for each thing that the pair that runs may name: old files, new files; or it fell back to the old ones.
 * `why` is for the reader: why it cannot happen; NULL: it can. */
static const struct row {
    enum up_files_action action[UP_FILES_RUNS];
    const char *why;
} table[UP_FILES_PHASES][UP_FILES_STEPS] = {
    [UP_FILES_IDLE] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {{SWEEP_OLD, SWEEP_NEW, SWEEP_OLD}, NULL},
        [UP_FILES_STAGED]       = {{SWEEP_OLD, FINISH, SWEEP_OLD}, NULL},
        [UP_FILES_SWITCHING]    = {{BACK, FINISH, BACK}, NULL},
        [UP_FILES_SWITCHED]     = {{BACK, SWEEP_NEW, BACK}, NULL},
        [UP_FILES_UNDOING]      = {EACH(BACK), NULL},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), NULL},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_FETCHING] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {{LEAVE, LEAVE, SWEEP_OLD}, NULL},
        [UP_FILES_STAGED]       = {{LEAVE, LEAVE, SWEEP_OLD}, NULL},
        [UP_FILES_SWITCHING]    = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWITCHED]     = {EACH(BACK), no_plan_yet},
        [UP_FILES_UNDOING]      = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_INSTALLING] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {{LEAVE, LEAVE, SWEEP_OLD}, NULL},
        [UP_FILES_STAGED]       = {{LEAVE, LEAVE, SWEEP_OLD}, NULL},
        [UP_FILES_SWITCHING]    = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWITCHED]     = {EACH(BACK), no_plan_yet},
        [UP_FILES_UNDOING]      = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_ARMING] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {{LEAVE, LEAVE, SWEEP_OLD}, no_fill},
        [UP_FILES_STAGED]       = {{LEAVE, LEAVE, SWEEP_OLD}, NULL},
        [UP_FILES_SWITCHING]    = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWITCHED]     = {EACH(BACK), no_plan_yet},
        [UP_FILES_UNDOING]      = {EACH(BACK), no_plan_yet},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_ARMED] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {EACH(BACK), no_fill},
        [UP_FILES_STAGED]       = {{NOTHING, NOTHING, BACK}, NULL},
        [UP_FILES_SWITCHING]    = {EACH(BACK), NULL},
        [UP_FILES_SWITCHED]     = {EACH(BACK), NULL},
        [UP_FILES_UNDOING]      = {EACH(BACK), NULL},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), old_again},
    },
    [UP_FILES_TRIAL] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {{BACK, NOTHING, BACK}, no_fill},
        [UP_FILES_STAGED]       = {{BACK, TRY, BACK}, NULL},
        [UP_FILES_SWITCHING]    = {{BACK, TRY_SWITCH, BACK}, NULL},
        [UP_FILES_SWITCHED]     = {{BACK, TRY_STAY, BACK}, NULL},
        [UP_FILES_UNDOING]      = {EACH(BACK), NULL},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_CONFIRMING] = {
        [UP_FILES_NONE]         = {{VERDICT, VERDICT, BACK}, NULL},
        [UP_FILES_STAGING]      = {EACH(BACK), no_fill},
        [UP_FILES_STAGED]       = {EACH(BACK), tried},
        [UP_FILES_SWITCHING]    = {EACH(BACK), tried},
        [UP_FILES_SWITCHED]     = {{BACK, VERDICT, BACK}, NULL},
        [UP_FILES_UNDOING]      = {EACH(BACK), tried},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), NULL},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), old_again},
    },
    [UP_FILES_ROLLING_BACK] = {
        [UP_FILES_NONE]         = {EACH(BACK), NULL},
        [UP_FILES_STAGING]      = {EACH(BACK), NULL},
        [UP_FILES_STAGED]       = {EACH(BACK), NULL},
        [UP_FILES_SWITCHING]    = {EACH(BACK), NULL},
        [UP_FILES_SWITCHED]     = {EACH(BACK), NULL},
        [UP_FILES_UNDOING]      = {EACH(BACK), NULL},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), verdict_first},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
    [UP_FILES_UNREADABLE] = {
        [UP_FILES_NONE]         = {EACH(NOTHING), NULL},
        [UP_FILES_STAGING]      = {EACH(SWEEP_OLD), NULL},
        [UP_FILES_STAGED]       = {EACH(SWEEP_OLD), NULL},
        [UP_FILES_SWITCHING]    = {EACH(WITHOUT), NULL},
        [UP_FILES_SWITCHED]     = {EACH(WITHOUT), NULL},
        [UP_FILES_UNDOING]      = {EACH(WITHOUT), NULL},
        [UP_FILES_SWEEPING_NEW] = {EACH(SWEEP_NEW), NULL},
        [UP_FILES_SWEEPING_OLD] = {EACH(SWEEP_OLD), NULL},
    },
};
/* clang-format on */

enum up_files_action up_files_settle_decide(const struct up_files_facts *f)
{
    enum up_files_action action = table[f->phase][f->step].action[f->runs];

    if (f->lost && up_files_stage_is_between(f->step) && action != UP_FILES_SWEEP_NEW)
        return UP_FILES_MIXED;
    if (action == UP_FILES_LEAVE && !f->of_transaction)
        return UP_FILES_SWEEP_OLD;
    if (f->phase == UP_FILES_ARMED && f->step == UP_FILES_STAGED && action == UP_FILES_NOTHING &&
        f->restart && f->other_boot)
        return UP_FILES_TRY_SWITCH;
    if (action == UP_FILES_TRY && f->restart)
        return UP_FILES_TRY_SWITCH;
    return action;
}
