/*
 * A release on trial that no cloud answers. Either it breaks the network, as long
 * as it runs, and is quarantined; or the network is away until the device has
 * found out, and the release, which is good, is confirmed in the end. Power may
 * go once meanwhile, or a process, but not the script: that would be a failed start.
 */
#include "stage.h"

#include <signal.h>

#include "journal.h"

#define LOOK_MS 1000     /* between two looks at the journal */
#define PATIENCE 1800000 /* ms, until it has come out */

static struct parcel *release(void)
{
    return &stage.parcel[1];
}

void outage_stage(void)
{
    struct parcel *p = release();

    p->manner = pick(2) ? MODEST : BREAKS;
    p->forged = p->dead = false;
    if (!p->script) /* it is the script that breaks the network, or leaves it to policy */
        p->script = p->core = true;
}

void outage_trial(const struct player *p)
{
    if (stage.outage && !stage.quiet && p->number == release()->number && judge_strikes(release()) == 0)
        stage.gone = release()->manner == MODEST;
}

static void disturb(void)
{
    static const enum who killed[] = {SUPERVISOR, AGENT};

    if (pick(2))
        stage.reset = RESET_POWER;
    else
        player_kill(&stage.player[killed[pick(2)]], SIGKILL);
}

/* Whether it has come out; until then the network is away. */
static bool is_over(void)
{
    int strikes = judge_strikes(release());

    if (strikes == UP_STRIKE_OUTAGE)
        stage.gone = false;
    return release()->manner == BREAKS ? strikes == UP_STRIKE_FAILED : judge_has(release());
}

void outage_live(void)
{
    uint64_t till = stage.now + PATIENCE, look = 0, disturbed = pick(2) ? stage.now + pick(120000) : FOREVER;

    stage.offered = 1;
    trace("the cloud offers release %u, which %s", release()->number,
          release()->manner == BREAKS ? "breaks the network" : "is good, and the network goes away");
    while (stage.now < till && history_turn()) {
        if (stage.now >= disturbed) {
            disturb();
            disturbed = FOREVER;
        }
        if (stage.now < look)
            continue;
        look = stage.now + LOOK_MS;
        if (is_over())
            return;
    }
    bad("release %u, which %s, is not %s, but has strikes %d", release()->number,
        release()->manner == BREAKS ? "breaks the network" : "is good and had no network on trial",
        release()->manner == BREAKS ? "quarantined" : "confirmed in the end", judge_strikes(release()));
}
