/*
 * generation.h -- a device's Lua trees, one directory for each version, and the
 * files beside each of them in <state>/script:
 *
 *     <n>/        the tree
 *     <n>.tar     the archive that it was made of, to make it again
 *     <n>.head/   manifest.json, manifest.minisig, script.idx: what was signed
 *     <n>.good    it was confirmed; the letters of the slots whose core ran with it
 *     <n>.bad     what is wrong with the tree, for people
 *     <n>.new/, <n>.mend/, <n>.old/   while it is made, repaired, exchanged
 *     current     a link to the tree that is to run, for people
 *
 * A generation is made complete under another name, synced, and renamed; after
 * that it never changes. Making it again gives the same result, so after a
 * power cut at any point the work is repeated, and what was made before the cut
 * is kept. All of it is removed when nothing names n. generation.c makes trees;
 * generation_kept.c handles what stays beside them.
 */
#ifndef UP_GENERATION_H
#define UP_GENERATION_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "storage.h"

/* <script_dir>/<n><suffix> into out; suffix may be "". Errors: UP_USAGE too long. */
UP_MUST_CHECK int up_generation_path(char out[UP_PATH_SIZE], const char *script_dir, uint32_t n,
                                     const char *suffix, struct up_error *err);

/*
 * Extract the canonical tar `spool` (size bytes, verified) as generation n
 * below script_dir: open, then step until 0. What an interrupted extraction
 * left is compared and kept; what a failed one left is removed. Errors:
 * UP_UNTRUSTED not canonical, or no main.lua; UP_NOSPACE, UP_WRITE.
 */
struct up_generation_maker; /* opaque; released with up_generation_maker_close() */
UP_MUST_CHECK int up_generation_maker_open(struct up_generation_maker **out, struct up_storage *storage,
                                           const char *spool, uint64_t size, const char *script_dir,
                                           uint32_t n, struct up_error *err);
/* UP_AGAIN there is more, call again; 0 it is there, and durable. */
UP_MUST_CHECK int up_generation_maker_step(struct up_generation_maker *m, struct up_error *err);
void up_generation_maker_close(struct up_generation_maker *m); /* NULL is allowed */

/* The tree of generation n is not what was signed: make it again from scratch. */
void up_generation_discard(struct up_storage *storage, const char *script_dir, uint32_t n);

/*
 * Keep beside generation n what it is made from: the archive and the head that
 * are in `spool` as script.tar, manifest.json, manifest.minisig and script.idx.
 * The archive is linked, which takes no space, or moved where there are no hard
 * links. The head is copied. The names <n>.tar and <n>.head are durable after a
 * sync of script_dir, with which extraction ends. Errors: UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_generation_keep(struct up_storage *storage, const char *spool, const char *script_dir,
                                     uint32_t n, struct up_error *err);

/* Replace <n> by <n>.mend. If the power fails during this, call settle().
 * Errors: UP_WRITE; the old tree is in place again then. */
UP_MUST_CHECK int up_generation_exchange(struct up_storage *storage, const char *script_dir, uint32_t n,
                                         struct up_error *err);
/* Before generation n is used: finish or undo an interrupted exchange, and
 * remove what a repair left. Errors: UP_WRITE. */
UP_MUST_CHECK int up_generation_settle(struct up_storage *storage, const char *script_dir, uint32_t n,
                                       struct up_error *err);

/* Mark it as confirmed with the core of the slots `letters`: "a", "b", "ab".
 * Writes nothing if the mark says so already. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_generation_mark(struct up_storage *storage, const char *script_dir, uint32_t n,
                                     const char *letters, struct up_error *err);

/*
 * Without a journal: the newest confirmed generation whose tree is signed by a
 * key in the directory `keys`; if `letter` is not 0, one that was confirmed
 * with the core of that slot ('a' or 'b'), if there is any. Takes as long as
 * reading the tree. 0, or an error that says why no tree could be proved: then
 * *n is the newest confirmed one, or 0 if none is marked (UP_MISSING).
 */
UP_MUST_CHECK int up_generation_newest(struct up_storage *storage, const char *script_dir, const char *keys,
                                       char letter, uint32_t *n, struct up_error *err);

/* Keep what is wrong with a confirmed tree for `status`, or forget it (text
 * NULL). A failure is not an error. */
void up_generation_note_damage(struct up_storage *storage, const char *script_dir, uint32_t n,
                               const char *text);
/* What was kept, NUL-terminated; "": nothing is wrong. */
void up_generation_damage(struct up_storage *storage, const char *script_dir, uint32_t n, char *out,
                          size_t len);

/* Remove every generation whose number is not in `keep` (of `count`), with
 * everything beside it, also unfinished ones. One that cannot be removed does
 * not stop the others. Errors: UP_WRITE. */
UP_MUST_CHECK int up_generation_clean(struct up_storage *storage, const char *script_dir,
                                      const uint32_t *keep, unsigned count, struct up_error *err);

/* Let <script_dir>/current point to generation n, for people. */
UP_MUST_CHECK int up_generation_link(struct up_storage *storage, const char *script_dir, uint32_t n,
                                     struct up_error *err);

#endif
