/*
 * sim.h -- a storage in memory whose power can be cut at every operation.
 *
 * It stands where the operating system stands behind runtime/storage/storage.h. What
 * the running system sees is what it wrote (the cache), until drop_cache has it
 * look at the medium: there, what a failed sync left behind may be missing, and
 * what was stored wrong is seen. What a power cut
 * leaves is built afterwards from the last durable state and the log of all
 * that happened since, under one of two models and a choice:
 *
 *   SIM_ORDERED      like a journaling file system. Changes of names, modes and
 *                    explicit truncations survive as a prefix of the order in
 *                    which they were made, at least up to the last sync of any
 *                    file or directory. Content and growth of files that were
 *                    not synced survive or not, independently of that.
 *   SIM_INDEPENDENT  nothing orders anything. Each change of an entry survives
 *                    for sure only after a sync of its directory, else by
 *                    chance; content, size and mode of a file only after a sync
 *                    of that file, which does nothing for its name.
 *
 * There may be several file systems: each is ordered by itself, and a sync makes
 * nothing of another durable.
 *
 * In both, rename is atomic, and of writes since the last sync of their file
 * each 512-byte sector survives on its own, in one of the versions it had; one
 * may hold garbage, and with it all of the unit of 4 or 16 KiB in which the
 * medium programs. A rename into another directory is durable after a sync of
 * either. A block device is synced by itself and orders no names.
 *
 * The boot loader's environment is redundant: setting variables is atomic, and
 * durable when it returns. One that the power cut short happened or did not,
 * whatever became of all else.
 *
 * Enumeration of a flow, recovery cuts left out:
 *
 *     static void each(void *user, const struct sim *s)
 *     {
 *         for (i = 0; i < sim_choices(s); i++) {
 *             struct sim_choice c = sim_choice(s, i);
 *             struct sim *r = sim_reboot(s, &c);
 *             recover(sim_storage(r));               check r here
 *             sim_free(r);
 *         }
 *     }
 *
 *     sim_watch_cuts(s, each, user);
 *     flow(sim_storage(s));
 *     each(user, s);                                 the power goes when all is done
 *
 * Where the flow itself is to meet the cut, sim_cut_at() cuts one operation, and
 * all that follows fails with EIO.
 *
 * The operation at which the power goes may or may not have happened: its
 * effect is one more that nothing made durable. A sync cut short is covered by
 * the choices; one that was completed is the cut one operation later.
 *
 * Everything is deterministic. A simulator is single-threaded; those cloned
 * from one another share memory and must stay in one thread. Running out of
 * memory aborts.
 */
#ifndef SIM_H
#define SIM_H

#include "storage.h"

#include <stdio.h>

struct sim; /* opaque; released with sim_free() */

/* An empty root directory, the power on, clocks at 1700000000 s and 1000 ms. */
struct sim *sim_new(void);
/* Same content, pending changes, open files, counters, faults and clocks. */
struct sim *sim_clone(const struct sim *sim);
void sim_free(struct sim *sim);
/* Valid as long as the simulator. */
struct up_storage *sim_storage(struct sim *sim);

/* Fixtures: durable at once, not counted, never cut or failed. They may only be
 * used while nothing is pending: after sim_new(), sim_settle() or a reboot.
 * Missing parent directories are made (mode 0755); what is there is replaced,
 * never a directory. sim_put_block() makes a block device of zeros. */
void sim_put(struct sim *sim, const char *path, const void *data, size_t len, unsigned mode);
void sim_put_text(struct sim *sim, const char *path, const char *text);
void sim_put_dir(struct sim *sim, const char *path, unsigned mode);
void sim_put_link(struct sim *sim, const char *path, const char *target);
/* What is there says of itself that it is immutable. */
void sim_put_fixed(struct sim *sim, const char *path);
/* A directory that is the root of file system `fs`, 0 to 3; 0 is that of the root, of which it is
 * a bind mount then. What is made below lies on it. Without links it renames in two steps, as FAT. */
void sim_put_mount(struct sim *sim, const char *path, unsigned fs, bool no_links);
/* This directory lies in the lower layer of an overlay. */
void sim_put_lower(struct sim *sim, const char *path);
/* From now on a and A are one name in this directory, and in those that are made below it. */
void sim_put_folding(struct sim *sim, const char *path);
/* `xattrs` stands for all extended attributes of it. */
void sim_put_owner(struct sim *sim, const char *path, uint32_t owner, uint32_t group, uint64_t xattrs);
void sim_put_block(struct sim *sim, const char *path, uint64_t size);
/* A variable of the boot loader's environment; "" removes it. */
void sim_put_variable(struct sim *sim, const char *name, const char *value);
/* What storage->mounted() answers for this file or device; survives reboots. */
void sim_set_mounted(struct sim *sim, const char *path, enum up_mounted mounted);
/* What storage->medium() tells of it: what it lies on besides itself (NULL: nothing), and its
 * identity, a text that outlives the simulator. Survives reboots. */
void sim_set_medium(struct sim *sim, const char *path, const char *on, const char *identity);
/* It is a loop device, and shows these bytes of what it lies on. Survives reboots. */
void sim_set_range(struct sim *sim, const char *path, uint64_t from, uint64_t to);
/* All that happened until now becomes durable; sim_reset_counters(). */
void sim_settle(struct sim *sim);

/* Inspection, as the running system sees it; neither counted nor failed. */

/* Content of a file, a block device or a flash (its good blocks) into a fresh NUL-terminated buffer that the
 * caller frees; NULL when there is no such file. len may be NULL. */
char *sim_get(const struct sim *sim, const char *path, size_t *len);
/* Of what is there, links followed; UP_NODE_OTHER when there is nothing. */
enum up_node_kind sim_kind(const struct sim *sim, const char *path);
bool sim_exists(const struct sim *sim, const char *path);
/* A variable of the boot loader's environment, "" when there is none. */
void sim_variable(const struct sim *sim, const char *name, char out[UP_BOOT_VALUE_SIZE]);
/* The tree at path (may be "/") in canonical text, one line a node in the order
 * of names: kind, mode, owner (unless it is root's and has no extended attributes), size, digest or target,
 * path. The caller frees it. */
char *sim_dump(const struct sim *sim, const char *path);
/* Equal for equal trees and boot variables. Names, kinds, modes, sizes, content,
 * targets, and how pages and blocks of flash are. */
uint64_t sim_fingerprint(const struct sim *sim);
/* Equal when a power cut would leave the same: the durable state, what happened
 * since, and how sure each of it is. */
uint64_t sim_cut_fingerprint(const struct sim *sim);
/* Equal for equal calls, in their order, since the trail began. */
void sim_begin_trail(struct sim *sim);
uint64_t sim_trail(const struct sim *sim);
/* Files that were opened and not closed. */
unsigned sim_open_files(const struct sim *sim);
/* How often storage->restart() was called since the counters were reset. */
unsigned sim_restarts(const struct sim *sim);

/* The power. */

/* Cut it at the k-th operation with a durable effect, counted from 1 since the
 * counters were reset: open that creates, pwrite, sync, sync_dir, rename, link,
 * unlink, mkdir, rmdir, symlink, chmod, truncate, zero_range, boot_set. Calls that fail
 * do not count. From then on every call that can fail does, with EIO. 0: never. */
void sim_cut_at(struct sim *sim, unsigned k);
bool sim_is_cut(const struct sim *sim);
/* Call fn after each operation at which sim_cut_at() could have cut, with the
 * state that it would have been cut in. Not kept by clones; fn NULL stops it. */
typedef void sim_cut_fn(void *user, const struct sim *sim);
void sim_watch_cuts(struct sim *sim, sim_cut_fn *fn, void *user);
/* Operations with a durable effect, and syncs (of files and directories, those
 * ignored too) among them, since the counters were reset. */
unsigned sim_ops(const struct sim *sim);
unsigned sim_syncs(const struct sim *sim);
void sim_reset_counters(struct sim *sim);

enum sim_model { SIM_ORDERED, SIM_INDEPENDENT };

enum sim_loss {
    SIM_NONE,   /* of what is pending, nothing survives */
    SIM_ALL,    /* all of it */
    SIM_NAMES,  /* names, modes and sizes, but no content */
    SIM_DATA,   /* content, but no names, modes or sizes */
    SIM_FRONT,  /* what came first, up to a sector that `seed` picks */
    SIM_BACK,   /* what came last; SIM_ORDERED: of the content, names by seed */
    SIM_RANDOM, /* each change and each sector by a coin */
    SIM_BITS    /* the i-th pending change whole when bit i of `seed` is set */
};

/* What else the medium does. 512, 4096, 16384: a unit of so many bytes that
 * holds a pending sector is left half-erased, with all that its file has in it. */
enum sim_harm {
    SIM_HARMLESS,
    SIM_TORN = 1,   /* as 512 */
    SIM_PAIRED = 2, /* the page that was made durable last is lost with the write that was cut: NAND
                       with several bits a cell */
    SIM_LYING = 4   /* the last changes may be lost whatever was synced: flushes that were not done */
};

struct sim_choice {
    enum sim_model model;
    enum sim_loss loss;
    uint64_t seed;
    unsigned harm; /* 0, 512, 4096, 16384 or an enum sim_harm */
};

/* What the device finds when the power returns, as a new simulator; `sim` stays
 * as it is. Nothing is pending, no file is open or locked, the boot id is
 * another, counters and faults are reset, the power stays; what was told by
 * sim_ignore_sync_of(), sim_set_free() and the system clock are kept, the
 * monotonic clock starts anew. Works without a cut too: an unclean restart. */
struct sim *sim_reboot(const struct sim *sim, const struct sim_choice *choice);
/* An orderly restart in place: what is dirty is written, and the cache is empty
 * afterwards, so that what a failed sync left behind is gone. Counters, faults
 * and the power stay. */
void sim_shutdown(struct sim *sim);
/* Remove one regular file below `dir` as fsck does with one it cannot mend: the
 * n-th in the order of names. Only while nothing is pending. Returns its path,
 * which the caller frees; NULL when there are fewer. */
char *sim_lose_file(struct sim *sim, const char *dir, unsigned n);
/* What a new process finds after the old one was killed at the cut (which had
 * happened): pending changes stay pending and visible, same boot. */
struct sim *sim_respawn(const struct sim *sim);

/* The standard choices for this state, at least one: all of the above in both
 * models, and every subset of the pending changes when they are few. One when
 * nothing is pending. */
unsigned sim_choices(const struct sim *sim);
struct sim_choice sim_choice(const struct sim *sim, unsigned i);
/* How many changes could be lost under a model. */
unsigned sim_pending(const struct sim *sim, enum sim_model model);
/* "independent random 7 garbage", for messages. */
const char *sim_choice_text(const struct sim_choice *choice, char out[64]);

/* Mutants: a sync that was forgotten. It reports success and does nothing. */

/* The n-th sync or sync_dir, counted from 1 since the counters were reset; 0: none. */
void sim_ignore_sync(struct sim *sim, unsigned n);
/* Every sync of a file or directory whose path, as it was opened, matches the
 * fnmatch(3) pattern, in clones and after reboots too. NULL: none. The pattern
 * must outlive them. */
void sim_ignore_sync_of(struct sim *sim, const char *pattern);
/* "sync /state/journal.0" of the n-th sync, NULL when there was none. Valid
 * until the counters are reset. */
const char *sim_sync_name(const struct sim *sim, unsigned n);

/* Faults. */

enum sim_op {
    SIM_OPEN,
    SIM_PREAD,
    SIM_PWRITE,
    SIM_SYNC,
    SIM_SYNC_DIR,
    SIM_RENAME,
    SIM_LINK,
    SIM_UNLINK,
    SIM_MKDIR,
    SIM_RMDIR,
    SIM_SYMLINK,
    SIM_READLINK,
    SIM_CHMOD,
    SIM_STAT,
    SIM_SPACE,
    SIM_LIST,
    SIM_TRUNCATE,
    SIM_ZERO_RANGE,
    SIM_DROP_CACHE,
    SIM_START_WRITEBACK,
    SIM_LOCK,
    SIM_MOUNTED,
    SIM_MEDIUM,
    SIM_BOOT_GET,
    SIM_BOOT_SET,
    SIM_BOOT_ID,
    SIM_GET_RANDOM,
    SIM_RESTART,
    SIM_FLASH_INFO,
    SIM_FLASH_BAD,
    SIM_FLASH_ERASE,
    SIM_FLASH_MARK_BAD,
    SIM_FLASH_UPDATE,
    SIM_OPEN_DIR,
    SIM_SET_ATTRIBUTES,
    SIM_COPY_ATTRIBUTES,
    SIM_OPS,    /* how many there are */
    SIM_CHANGES /* any that changes something: counts all those listed at sim_cut_at() */
};

/* The n-th call of `op` (counted from 1 since the counters were reset, failed
 * ones too) fails with `error`, and when `forever` all later ones. One fault
 * at a time; n = 0 takes it back. Reboots take it back, too. */
void sim_fail(struct sim *sim, enum sim_op op, unsigned n, int error, bool forever);
/* The same, but a call that changes something has done so when it fails; others
 * do not fail. What was not durable when it returned may be lost still. */
void sim_fail_late(struct sim *sim, enum sim_op op, unsigned n, int error, bool forever);
/* So many calls after the n-th fail, too. Taken back by sim_fail(). */
void sim_fail_more(struct sim *sim, unsigned more);
/* Of SIM_CHANGES, only those of paths that begin with this fail: one file system
 * of several. NULL: all. Taken back by sim_fail(); must outlive the fault. */
void sim_fail_below(struct sim *sim, const char *path);
/* No call meets the fault, as long as it is paused: another program is at work. */
void sim_pause_fault(struct sim *sim, bool paused);
/* How often the fault was met since it was asked for, and how many operations
 * had been done when it was met first. */
unsigned sim_fault_hits(const struct sim *sim);
unsigned sim_fault_at(const struct sim *sim);

/* What a sync that fails does to the pages that it should have written. Kept by
 * clones and reboots; SIM_CLEAN_UNSURE unless told. */
enum sim_failed_sync {
    SIM_CLEAN_UNSURE, /* clean in the cache, as of ext4: a later sync succeeds and does nothing for
                         them; the medium has none of them when it is looked at, any when the
                         power is cut before */
    SIM_CLEAN_TORN,   /* the same, but the medium has some sectors of them */
    SIM_STAYS_DIRTY   /* a later sync writes them */
};
void sim_set_failed_sync(struct sim *sim, enum sim_failed_sync what);
/* Reads after drop_cache pass the cache by, through that file alone, and others
 * still see what it calls clean; else it is empty for all. Kept likewise; off
 * unless told. */
void sim_set_direct(struct sim *sim, bool direct);
unsigned sim_calls(const struct sim *sim, enum sim_op op);
const char *sim_op_name(enum sim_op op);
/* The n-th pwrite stores one flipped bit and reports success; 0: none. */
void sim_flip_write(struct sim *sim, unsigned n);
/* The same, but the cache has it right: only who drops it first reads the flipped bit. */
void sim_flip_medium(struct sim *sim, unsigned n);
/* The other way round, of a page that is clean: until it is dropped, a bit of it reads flipped. */
void sim_flip_cache(struct sim *sim, const char *path, uint64_t at);
/* Room for new blocks of 4096 bytes; writes that need more store what fits and
 * fail with ENOSPC. Removing and truncating give back. UINT64_MAX: no limit. */
void sim_set_free(struct sim *sim, uint64_t bytes);
/* Overwriting needs room for new blocks, too, as on a file system that copies on write. */
void sim_set_copy_on_write(struct sim *sim, bool copies);

/* Call fn before each call that can fail, whoever makes it: what it returns,
 * unless 0, is the error that the call fails with. It may let time pass and let
 * others call. Kept by clones and reboots; fn NULL stops it. */
typedef int sim_watch_fn(void *user, enum sim_op op);
void sim_watch_calls(struct sim *sim, sim_watch_fn *fn, void *user);

/* Clocks: seconds since 1970, milliseconds. */
void sim_set_now(struct sim *sim, uint64_t seconds);
/* Whether the kernel says that the system clock is right; at first it does not. */
void sim_set_synchronised(struct sim *sim, bool synchronised);
void sim_advance(struct sim *sim, uint64_t milliseconds);
/* The system sleeps: of its clocks, monotonic() stands still. */
void sim_suspend(struct sim *sim, uint64_t milliseconds);

/* Print every counted operation to f; NULL stops. Kept by clones and reboots. */
void sim_trace(struct sim *sim, FILE *f);

#endif
