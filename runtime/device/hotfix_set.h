/*
 * hotfix_set.h -- what happens to the tree of files when hotfixes come and go, as one
 * plan: a hotfix that comes, those that are put back, and the release that ends some.
 *
 * What a hotfix replaced lies in <state>/hotfix/<id>/kept. A hotfix goes together with
 * those that changed the same names after it, and what it took the place of goes with it.
 */
#ifndef UP_HOTFIX_SET_H
#define UP_HOTFIX_SET_H

#include <stdbool.h>

#include "config.h"
#include "error.h"
#include "files_programs.h"
#include "files_reverse.h"
#include "hotfix_ledger.h"
#include "journal.h"

/* The ledger, what is kept of each entry in force, and which of them go. */
struct up_hotfix_set {
    struct up_storage *storage;
    const char *state;
    struct up_hotfix_ledger ledger;
    bool resolved; /* up_hotfix_set_resolve() changed it, and that is not on record */
    bool goes[UP_HOTFIXES];
    struct up_files_kept *kept[UP_HOTFIXES]; /* NULL: it has no files, or they are lost */
    struct up_files_reverse reverse;
};

/* What the hotfix replaced; see up_files_kept_open(). Errors: UP_NOTHING it has no files, or what is kept is lost or
 * damaged for good: its files stay as they are; UP_WRITE it cannot be read now. */
UP_MUST_CHECK int up_hotfix_set_open_kept(struct up_files_kept *out, struct up_storage *storage,
                                          const char *state, const struct up_hotfix *h, struct up_error *err);

/* What releases ended follows from `journal`, at `time`, unless it is NULL; a ledger that is lost is empty
 * then. Released with up_hotfix_set_close(), unless this fails; then `set` is NULL. Errors: those of the
 * ledger; UP_WRITE. */
UP_MUST_CHECK int up_hotfix_set_open(struct up_hotfix_set **set, struct up_storage *storage,
                                     const char *state, const struct up_journal_state *journal, uint64_t time,
                                     struct up_error *err);
void up_hotfix_set_close(struct up_hotfix_set *set);
/* Whether entry i is in force, has files, and they have not been put back. */
bool up_hotfix_set_has(const struct up_hotfix_set *set, uint32_t i);
/* What lies on what goes goes too; and what changed a name that `plan` (or NULL) changes. */
void up_hotfix_set_close_over(struct up_hotfix_set *set, const struct up_files_plan *plan);
/* Add the way back of all that go to the plan; see up_files_reverse(). `own`: content of the plan itself. */
UP_MUST_CHECK int up_hotfix_set_reverse(struct up_hotfix_set *set, struct up_files_plan *plan,
                                        const struct up_files_source *own, struct up_error *err);

/* Stage the plan for what the ledger says is under way: a hotfix on test that has files, and entries that are ending.
 * Without anything to do, no plan is begun. Errors: UP_BUSY another hotfix lies on the lower version; UP_INCOMPATIBLE,
 * UP_MISSING, UP_NOSPACE, UP_WRITE: nothing is left of it. */
UP_MUST_CHECK int up_hotfix_set_stage(struct up_storage *storage, const struct up_config *config,
                                      const struct up_files_hands *hands, struct up_error *err);

/* Entries that a release ended: dropped if it was confirmed; as they were if it went back. True: something changed. */
bool up_hotfix_set_resolve(struct up_hotfix_ledger *ledger, const struct up_journal_state *state,
                           uint64_t time);
/* Whether a release that runs has put its files back, and it leads no more. */
bool up_hotfix_set_is_ended(const struct up_hotfix *h, const struct up_pair *pair);
/* Write down which entries the plan that is open now ends, before it switches the tree for `state`. Errors: those of
 * the ledger. */
UP_MUST_CHECK int up_hotfix_set_mark_ends(struct up_storage *storage, const char *state_dir,
                                          const struct up_journal_state *state, uint64_t time,
                                          struct up_error *err);

#endif
