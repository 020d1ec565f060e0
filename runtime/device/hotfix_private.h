/*
 * hotfix_private.h -- what hotfix.c, hotfix_stage.c, hotfix_signed.c and hotfix_overlap.c ask of each other.
 */
#ifndef UP_HOTFIX_PRIVATE_H
#define UP_HOTFIX_PRIVATE_H

#include "hotfix.h"

/* The folder that a manifest's hotfix has. */
void up_hotfix_name(const struct up_manifest *m, char id[UP_HOTFIX_ID_SIZE]);
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
/* Whether both have a module of the same name. Errors: UP_WRITE. */
UP_MUST_CHECK int up_hotfix_overlaps(const struct up_device *d, const struct up_hotfix *a,
                                     const struct up_hotfix *b, struct up_error *err);

#endif
