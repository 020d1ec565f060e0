/*
 * hotfix.h -- a device's hotfixes: how one comes in, is tried, kept, or undone.
 *
 *   agent:       begin -> [blocks, by transfer.h] -> finish      a verified folder, not in force
 *   supervisor:  settle                                          at each start
 *                test -> passed | failed | cancel
 *                count_start -> uncount_start | lived            starts of the script while one is fresh
 *                undo
 *
 * Every change is one write of the ledger (hotfix_ledger.h). The folders follow
 * it, and never lead: <state>/hotfix/new is what is being fetched, and
 * <state>/hotfix/<id> a hotfix: its head, and `tree` with lua/ and test.lua. It
 * appears and goes by rename. A folder that is not there puts its entry out of
 * force.
 *
 * A hotfix is no transaction: it neither replaces nor ends one, and needs a
 * journal that is idle or fetching. Which hotfixes lead the script follows from
 * the ledger and the pair that runs: one that is not made for it stays out, on
 * trial, too, and is dropped once the device is idle.
 */
#ifndef UP_HOTFIX_H
#define UP_HOTFIX_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "hotfix_ledger.h"

#define UP_HOTFIX_STARTS 3       /* failed starts of the script after which a fresh hotfix is undone */
#define UP_HOTFIX_LIVED_MS 60000 /* of a start after which no hotfix is fresh any more */

struct up_device;
struct up_manifest;

/* Errors: those of up_hotfix_ledger_read(). */
UP_MUST_CHECK int up_hotfix_ledger(const struct up_device *d, struct up_hotfix_ledger *out,
                                   struct up_error *err);

/* The verified head in <state>/tx, or in the folder of up_hotfix_bare(), is that of `m`, a hotfix: from now on
 * its blocks can be fetched. Goes on where an earlier one of the same manifest ended. Errors: gates; UP_WRITE,
 * UP_NOSPACE. */
UP_MUST_CHECK int up_hotfix_begin(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/* An empty folder to make one that nobody signed in (bare_package.h), with the spool `spool`; and its end. Only what
 * has an unsigned sequence is taken from there by up_hotfix_begin(). Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_hotfix_bare(const struct up_device *d, char *buf, size_t len, struct up_error *err);
UP_MUST_CHECK int up_hotfix_bare_end(const struct up_device *d, struct up_error *err);
/* 0 if that was done for this manifest. Errors: UP_NOTHING it was not. */
UP_MUST_CHECK int up_hotfix_is_begun(const struct up_device *d, const struct up_manifest *m,
                                     struct up_error *err);
/* Every block is in place: read back, unpack. Its folder has the name `id` then. Errors: UP_WRITE, UP_NOSPACE,
 * UP_UNTRUSTED the archive. */
UP_MUST_CHECK int up_hotfix_finish(struct up_device *d, const struct up_manifest *m,
                                   char id[UP_HOTFIX_ID_SIZE], struct up_error *err);
/* A folder that was complete before a cut and is not in force yet; "" if there is none. */
void up_hotfix_waiting(const struct up_device *d, char id[UP_HOTFIX_ID_SIZE]);

/* Put the hotfix in that folder in force, to be tested. Errors: gates; UP_UNTRUSTED, UP_MISSING; UP_WRITE. */
UP_MUST_CHECK int up_hotfix_test(struct up_device *d, const char *id, struct up_error *err);
/* Put its files in place, if it has any; a lower version's go in the same plan. Errors: those of
 * up_hotfix_set_stage() and up_files_program_go_on(); *failed: it is the hotfix's fault, because a program
 * did not start. Either way its test is to be ended. */
UP_MUST_CHECK int up_hotfix_switch(struct up_device *d, bool *failed, struct up_error *err);
/* The test was passed: with Lua it is fresh, without it is applied. It leads in the place of a lower
 * version, which comes back if a fresh one is undone. started: the script that runs was started with it,
 * which counts as its first start. Errors: UP_NOTHING none is tested; UP_WRITE. */
UP_MUST_CHECK int up_hotfix_passed(struct up_device *d, bool started, struct up_error *err);
/* It failed: out of force, and not tried again. */
UP_MUST_CHECK int up_hotfix_failed(struct up_device *d, const char *why, struct up_error *err);
/* Its files could not be put in place, which is not its fault: out of force, and it may come again. */
UP_MUST_CHECK int up_hotfix_not_switched(struct up_device *d, const char *why, struct up_error *err);
/* The test was stopped on purpose: out of force, as if it had never begun. */
UP_MUST_CHECK int up_hotfix_cancel(struct up_device *d, struct up_error *err);

/* Count a start before the script is started: 1 for a fresh hotfix; 0 there is none. A fresh one whose
 * starts are used up goes out of force. Errors: UP_WRITE: no fresh one may lead. */
UP_MUST_CHECK int up_hotfix_count_start(struct up_device *d, struct up_error *err);
/* That start was ended on purpose: take its count back. */
UP_MUST_CHECK int up_hotfix_uncount_start(struct up_device *d, struct up_error *err);
/* That start lived long enough: nothing is fresh any more, and lower versions are dropped. */
UP_MUST_CHECK int up_hotfix_lived(struct up_device *d, struct up_error *err);

/* 0 if the hotfix in that folder is fresh or applied. Errors: UP_NOTHING it is not. */
UP_MUST_CHECK int up_hotfix_check_in_force(const struct up_device *d, const char *id, struct up_error *err);
/* Undo a hotfix on the order of the owner. `all_above`: the oldest of that name, and with it all that lie on it.
 * Errors: UP_BUSY one is being tested, or a later one lies on it, and the message names it; UP_NOTHING no such
 * hotfix is applied; UP_WRITE. */
UP_MUST_CHECK int up_hotfix_undo(struct up_device *d, const char *name, bool all_above, struct up_error *err);

/* At the start of the device: undo what was being tested; while the device is idle, drop what is not made
 * for the pair that runs, and remove folders that nothing names. With `read`, the files of all that are in
 * force are read, and those that are not what was signed are dropped. Errors: UP_WRITE, UP_STATELOST: then only
 * what the ledger shows to be in force leads. */
UP_MUST_CHECK int up_hotfix_settle(struct up_device *d, bool read, struct up_error *err);

/* Read entry `n` of the ledger, from 0, and compare it with what was signed, if it is in force. 0: there is no
 * further one; UP_AGAIN: look at the next. Errors: UP_CORRUPT it is another; then up_hotfix_settle() drops it. */
UP_MUST_CHECK int up_hotfix_inspect(const struct up_device *d, uint32_t n, struct up_error *err);

/* The folders with modules that lead the script of the pair that runs, newest first, with a ';' between
 * them. The one that is tested only if `tested` is its id, those that are fresh only if `fresh`. What does
 * not fit into buf is left out. */
void up_hotfix_overlays(const struct up_device *d, const char *tested, bool fresh, char *buf, size_t len);
/* <state>/hotfix/<id>/tree/<name> into buf; name may be "". */
const char *up_hotfix_path(const struct up_device *d, const char *id, const char *name, char *buf,
                           size_t len);

#endif
