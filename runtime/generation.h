/*
 * generation.h -- a device's Lua tree, one directory a version:
 * <state>/script/<n>.
 *
 * A generation is made whole under another name, synced, and renamed; after
 * that it never changes. Making it again gives the same, so a power cut at
 * any point is repaired by repeating.
 */
#ifndef UP_GENERATION_H
#define UP_GENERATION_H

#include <stdint.h>

struct up_error;
struct up_storage;

/*
 * Extract the canonical tar `spool` (size bytes, verified) as generation n
 * below script_dir. Errors: UP_UNTRUSTED not canonical, or no main.lua;
 * UP_NOSPACE, UP_WRITE.
 */
int up_generation_extract(struct up_storage *storage, const char *spool, uint64_t size,
                          const char *script_dir, uint32_t n, struct up_error *err);

/* Remove every generation, and every unfinished one, whose number `keep` (of
 * `count`) does not name. What cannot be removed does not keep the others.
 * Errors: UP_WRITE. */
int up_generation_clean(struct up_storage *storage, const char *script_dir, const uint32_t *keep,
                        unsigned count, struct up_error *err);

/* Make <script_dir>/current point to generation n, for people. */
int up_generation_link(struct up_storage *storage, const char *script_dir, uint32_t n, struct up_error *err);

#endif
