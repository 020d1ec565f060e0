#include "hotfix_gate.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "version.h"

/* Whether a release consists of what the hotfix is made for; else the part that does not fit. */
static bool fits(const char base[UP_RELEASE_PARTS][UP_RANGE_SIZE], const struct up_pair *pair,
                 enum up_part_kind *wrong, char has[UP_VERSION_SIZE])
{
    char core[UP_VERSION_SIZE] = "";
    const char *version[UP_RELEASE_PARTS] = {
        [UP_SCRIPT] = pair->script_version, [UP_CORE] = core, [UP_FILES] = pair->files_version};

    if (pair->core_name[0])
        snprintf(core, sizeof core, "%" PRIu64, pair->core_version);
    for (int kind = 0; kind < UP_RELEASE_PARTS; kind++)
        if (base[kind][0] && (!version[kind][0] || !up_version_in(version[kind], base[kind]))) {
            *wrong = (enum up_part_kind)kind;
            snprintf(has, UP_VERSION_SIZE, "%s", version[kind][0] ? version[kind] : "none");
            return false;
        }
    return true;
}

bool up_hotfix_gate_fits(const struct up_hotfix *h, const struct up_pair *pair)
{
    char has[UP_VERSION_SIZE];
    enum up_part_kind wrong;

    return fits(h->base, pair, &wrong, has);
}

const struct up_hotfix *up_hotfix_gate_tested(const struct up_hotfix_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if (ledger->entry[i].state == UP_HOTFIX_TESTING)
            return &ledger->entry[i];
    return NULL;
}

/* What nobody signed is known by its bytes, and its version decides whether it is higher. */
static int gate_unsigned(const struct up_manifest *m, const struct up_hotfix *known,
                         const struct up_hotfix_ledger *ledger, struct up_error *err)
{
    char id[UP_HOTFIX_ID_SIZE];
    const struct up_hotfix *same, *leads;

    up_hex(m->digest, (UP_HOTFIX_ID_SIZE - 1) / 2, id);
    same = up_hotfix_ledger_find_id((struct up_hotfix_ledger *)ledger, id);
    if (same && same != known)
        return up_fail(err, up_hotfix_ledger_is_in_force(same) ? UP_NOTHING : UP_INCOMPATIBLE,
                       "the same bytes came as %s %s, which is %s", same->name, same->version,
                       up_hotfix_ledger_state_name(same->state));
    leads = up_hotfix_ledger_find_active((struct up_hotfix_ledger *)ledger, m->hotfix_name);
    if (leads && up_version_compare(m->hotfix_version, leads->version) <= 0)
        return up_fail(err, UP_INCOMPATIBLE, "version %s is not above %s, which is applied",
                       m->hotfix_version, leads->version);
    return 0;
}

/* The entry of that name and version. */
static int gate_known(const struct up_manifest *m, const struct up_hotfix_ledger *ledger,
                      struct up_error *err)
{
    const struct up_hotfix *known =
        up_hotfix_ledger_find((struct up_hotfix_ledger *)ledger, m->hotfix_name, m->hotfix_version);
    uint64_t highest = up_hotfix_ledger_highest(ledger, m->hotfix_name);

    if (known && (known->state == UP_HOTFIX_APPLIED || known->state == UP_HOTFIX_FRESH))
        return up_fail(err, UP_NOTHING, "%s %s is applied already", known->name, known->version);
    if (known && known->state == UP_HOTFIX_QUARANTINED)
        return up_fail(err, UP_INCOMPATIBLE, "%s %s failed on this device: %s", known->name, known->version,
                       known->why);
    if (known && known->state == UP_HOTFIX_UNDONE && known->by_owner)
        return up_fail(err, UP_INCOMPATIBLE, "%s %s was undone by the owner", known->name, known->version);
    if (up_manifest_sequence_is_unsigned(m->sequence))
        return gate_unsigned(m, known, ledger, err);
    if (m->sequence <= highest)
        return up_fail(err, UP_INCOMPATIBLE,
                       "sequence %" PRIu64 " is not above %" PRIu64 ", the highest of %s so far", m->sequence,
                       highest, m->hotfix_name);
    return 0;
}

int up_hotfix_gate(const struct up_manifest *m, const struct up_hotfix_ledger *ledger,
                   const struct up_journal_state *state, const struct up_pair *pair, struct up_error *err)
{
    const struct up_hotfix *tested = up_hotfix_gate_tested(ledger);
    char has[UP_VERSION_SIZE];
    enum up_part_kind wrong;

    if (state->phase > UP_FETCHING)
        return up_fail(err, UP_BUSY, "release %s is %s", state->tx.pair.release,
                       up_journal_phase_name(state->phase));
    if (tested)
        return up_fail(err, UP_BUSY, "%s %s is being tested", tested->name, tested->version);
    if (!fits(m->base, pair, &wrong, has))
        return up_fail(err, UP_INCOMPATIBLE, "it is for %s %s, this device has %s",
                       up_manifest_part_name(wrong), m->base[wrong], has);
    return gate_known(m, ledger, err);
}
