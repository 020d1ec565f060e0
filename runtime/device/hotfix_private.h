/*
 * hotfix_private.h -- what the files behind hotfix.h ask of each other:
 *
 *   hotfix_move.c      from one ledger to the next, with the tree of files
 *   hotfix_stage.c     the folders; hotfix_signed.c whether they are what was signed
 *   hotfix_unsigned.c  those that nobody signed
 *   hotfix_overlap.c   which lie on one another
 *   hotfix.c           a test, starts, undoing by order; hotfix_settle.c a start of the device
 */
#ifndef UP_HOTFIX_PRIVATE_H
#define UP_HOTFIX_PRIVATE_H

#include "hotfix.h"

#define UP_HOTFIX_SPENT "the script failed with it three times"

/* The folder that a manifest's hotfix has. */
void up_hotfix_name(const struct up_manifest *m, char id[UP_HOTFIX_ID_SIZE]);
/* The folder that those that nobody signed are made in. */
#define UP_HOTFIX_BARE "bare"
#define UP_HOTFIX_FOLDER_MODE 0711 /* the script's user finds its modules, and nothing else */
/* Write down what it is, in the place of a signed head; `folder`: a path. Not durable before a sync of the folder.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_hotfix_keep_unsigned(const struct up_device *d, const struct up_manifest *m,
                                          const char *folder, struct up_error *err);
/* 1, 0, or UP_WRITE: it cannot be told. */
UP_MUST_CHECK int up_hotfix_is_unsigned(const struct up_device *d, const char *folder, struct up_error *err);
/* Errors: UP_MISSING, UP_UNTRUSTED, UP_WRITE. */
UP_MUST_CHECK int up_hotfix_load_unsigned(const struct up_device *d, const char *folder,
                                          struct up_manifest *m, struct up_error *err);
/* The verified manifest of a folder, "new" included. Errors: UP_MISSING, UP_UNTRUSTED, UP_WRITE. */
UP_MUST_CHECK int up_hotfix_load(const struct up_device *d, const char *folder, struct up_manifest *m,
                                 struct up_error *err);
/* Whether the tree of a hotfix is there; if it is, it is complete. */
bool up_hotfix_is_there(const struct up_device *d, const char *id);
/* Whether it is certainly not there. */
bool up_hotfix_is_lost(const struct up_device *d, const char *id);
/* <state>/hotfix/<id>, with the head. */
const char *up_hotfix_head(const struct up_device *d, const char *id, char buf[UP_PATH_SIZE]);
/* Whether its files certainly are not what was signed; if they cannot be read, it is false. */
bool up_hotfix_is_changed(const struct up_device *d, const char *id);
/* Remove the folders of hotfixes that have ended; with `all`, also of those that wait to be tested. Errors:
 * UP_WRITE. */
UP_MUST_CHECK int up_hotfix_clean(struct up_device *d, const struct up_hotfix_ledger *ledger, bool all,
                                  struct up_error *err);
/* Whether its tree has something of that name: 1, 0, or UP_WRITE. */
UP_MUST_CHECK int up_hotfix_has(const struct up_device *d, const char *id, const char *name,
                                struct up_error *err);
/* Whether no start of the script lived with it, as often as it may fail. */
static inline bool up_hotfix_is_spent(const struct up_hotfix *h)
{
    return h->state == UP_HOTFIX_FRESH && h->starts >= UP_HOTFIX_STARTS;
}
/* Set the state of an entry, with why. */
void up_hotfix_mark(const struct up_device *d, struct up_hotfix *h, enum up_hotfix_state state,
                    const char *why);
/* Write the ledger, and a line of the history for what became of `h`, unless that is NULL. */
UP_MUST_CHECK int up_hotfix_record(struct up_device *d, struct up_hotfix_ledger *ledger,
                                   const struct up_hotfix *h, struct up_error *err);
/* The same in both files of the record: see up_hotfix_ledger_write_both(). */
UP_MUST_CHECK int up_hotfix_record_both(struct up_device *d, struct up_hotfix_ledger *ledger,
                                        const struct up_hotfix *h, struct up_error *err);
/* Whether the files of this entry are to be put back, if `next` becomes the entry. */
bool up_hotfix_goes_back(const struct up_hotfix *now, const struct up_hotfix *next);
/* From one ledger to the next, with the same entries; the files of those that go out of force are put back. What
 * becomes of `h`, one of `next`, is told. Errors: UP_BUSY; those of a plan of files: then `now` is on record. */
UP_MUST_CHECK int up_hotfix_move(struct up_device *d, struct up_hotfix_ledger *now,
                                 struct up_hotfix_ledger *next, const struct up_hotfix *h,
                                 struct up_error *err);
/* Record `next`, which accepts the plan of files that is open, if there is one. */
UP_MUST_CHECK int up_hotfix_accept(struct up_device *d, struct up_hotfix_ledger *now,
                                   struct up_hotfix_ledger *next, const struct up_hotfix *h,
                                   struct up_error *err);
/* End the plan that is open: as the ledger says, else the tree goes back. */
UP_MUST_CHECK int up_hotfix_tree_back(struct up_device *d, struct up_error *err);
/* Whether both have a module of the same name, or changed the same file. Errors: UP_WRITE. */
UP_MUST_CHECK int up_hotfix_overlaps(const struct up_device *d, const struct up_hotfix *a,
                                     const struct up_hotfix *b, struct up_error *err);

#endif
