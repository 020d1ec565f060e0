/*
 * generation.h -- a device's Lua trees, one directory a version, and what stays
 * beside each of them in <state>/script:
 *
 *     <n>/        the tree
 *     <n>.tar     the archive that it was made of, to make it again
 *     <n>.head/   manifest.json, manifest.minisig, script.idx: what was signed
 *     <n>.good    it was confirmed; the letters of the slots with whose core
 *     <n>.bad     what is wrong with the tree, for people
 *     <n>.new/, <n>.mend/, <n>.old/   while it is made, mended, exchanged
 *     current     a link to the tree that is to run, for people
 *
 * A generation is made whole under another name, synced, and renamed; after
 * that it never changes. Making it again gives the same, so a power cut at
 * any point is repaired by repeating, and what was made before the cut stays. All of it goes when nothing names n.
 * generation.c makes trees, generation_kept.c what stays beside them.
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
 * below script_dir: open, then step until 0. What an extraction that was cut
 * short has made is compared and kept; what one that failed has made is removed.
 * Errors: UP_UNTRUSTED not canonical, or no main.lua; UP_NOSPACE, UP_WRITE.
 */
struct up_generation_maker; /* opaque; released with up_generation_maker_close() */
UP_MUST_CHECK int up_generation_maker_open(struct up_generation_maker **out, struct up_storage *storage,
                                           const char *spool, uint64_t size, const char *script_dir,
                                           uint32_t n, struct up_error *err);
/* UP_AGAIN there is more, call again; 0 it is there, and durable. */
UP_MUST_CHECK int up_generation_maker_step(struct up_generation_maker *m, struct up_error *err);
void up_generation_maker_close(struct up_generation_maker *m); /* NULL is allowed */

/* The tree of generation n is not what was signed: it is made anew, from nothing. */
void up_generation_discard(struct up_storage *storage, const char *script_dir, uint32_t n);

/*
 * Keep beside generation n what it is made of: the archive and the head that
 * lie in `spool` as script.tar, manifest.json, manifest.minisig, script.idx.
 * The archive is linked, and takes no space again; where there are no hard
 * links it is moved. The head is copied. The names <n>.tar and <n>.head are
 * durable after a sync of script_dir, which extracting ends with.
 * Errors: UP_WRITE, UP_NOSPACE.
 */
UP_MUST_CHECK int up_generation_keep(struct up_storage *storage, const char *spool, const char *script_dir,
                                     uint32_t n, struct up_error *err);

/* Put <n>.mend in the place of <n>. After a power cut in it, settle() is
 * called. Errors: UP_WRITE; the old tree is back in its place then. */
UP_MUST_CHECK int up_generation_exchange(struct up_storage *storage, const char *script_dir, uint32_t n,
                                         struct up_error *err);
/* Before anything uses generation n: an exchange that was cut short is finished
 * or undone, and what mending left is removed. Errors: UP_WRITE. */
UP_MUST_CHECK int up_generation_settle(struct up_storage *storage, const char *script_dir, uint32_t n,
                                       struct up_error *err);

/* It was confirmed with the core of the slots `letters`: "a", "b", "ab".
 * Writes nothing when the mark says so already. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_generation_mark(struct up_storage *storage, const char *script_dir, uint32_t n,
                                     const char *letters, struct up_error *err);

/*
 * Without a journal: the newest generation that was confirmed and whose tree is
 * what a key of the directory `keys` signed. Of those confirmed with the core of
 * slot `letter` ('a' or 'b') when it is not 0 and there is any. Takes as long as
 * reading the tree. 0, or an error that says why no tree is proved: then *n is
 * the newest that was confirmed, or 0 when none is marked (UP_MISSING).
 */
UP_MUST_CHECK int up_generation_newest(struct up_storage *storage, const char *script_dir, const char *keys,
                                       char letter, uint32_t *n, struct up_error *err);

/* What is wrong with a tree that was confirmed: keep it for `status`, or forget
 * it (text NULL). What goes wrong with it is not an error. */
void up_generation_note_damage(struct up_storage *storage, const char *script_dir, uint32_t n,
                               const char *text);
/* What was kept, NUL-terminated; "" when nothing is wrong. */
void up_generation_damage(struct up_storage *storage, const char *script_dir, uint32_t n, char *out,
                          size_t len);

/* Remove every generation whose number `keep` (of `count`) does not name, with
 * all that lies beside it, also when it is unfinished. What cannot be removed does
 * not keep the others. Errors: UP_WRITE. */
UP_MUST_CHECK int up_generation_clean(struct up_storage *storage, const char *script_dir,
                                      const uint32_t *keep, unsigned count, struct up_error *err);

/* Make <script_dir>/current point to generation n, for people. */
UP_MUST_CHECK int up_generation_link(struct up_storage *storage, const char *script_dir, uint32_t n,
                                     struct up_error *err);

#endif
