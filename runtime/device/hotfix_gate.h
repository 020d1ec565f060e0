/*
 * hotfix_gate.h -- whether a hotfix may be applied now, by the ledger and the
 * pair that runs. Pure.
 */
#ifndef UP_HOTFIX_GATE_H
#define UP_HOTFIX_GATE_H

#include <stdbool.h>

#include "error.h"
#include "hotfix_ledger.h"
#include "journal.h"

/* Whether the pair consists of what the hotfix is made for. */
bool up_hotfix_gate_fits(const struct up_hotfix *h, const struct up_pair *pair);
/* The one that is being tested; NULL: none. */
const struct up_hotfix *up_hotfix_gate_tested(const struct up_hotfix_ledger *ledger);

/* Whether the ledger allows this package now: 0, or the code with a clause in err. UP_BUSY a release is
 * being installed or is on trial, or another hotfix is tested; UP_NOTHING it is applied; UP_INCOMPATIBLE it
 * is for another release, failed, was undone by order, or its sequence is not above the highest of its name;
 * UP_NOSPACE. */
UP_MUST_CHECK int up_hotfix_gate(const struct up_manifest *m, const struct up_hotfix_ledger *ledger,
                                 const struct up_journal_state *state, const struct up_pair *pair,
                                 struct up_error *err);

#endif
