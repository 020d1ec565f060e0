/*
 * device.h -- one device: its journal, slots, generations and boot loader,
 * and the transactions on them.
 *
 * Whatever of it is broken, a confirmed pair runs: what cannot be done is the
 * device's trouble, said and tried again, and never the end of the application.
 *
 * Every step can be repeated; intent is journaled before its effect. Who may
 * write is decided by the phase: idle, fetching, installing and arming belong
 * to the agent (or to a verb that holds the lock); armed, trial, confirming
 * and rolling_back to the supervisor (or that verb).
 *
 *   install:  begin -> [blocks, by transfer.h] -> finish -> armed
 *   boot:     come_up -> what to run; trial_start before each start of the script;
 *             retry now and then while there is trouble
 *   verdict:  confirm | rollback
 */
#ifndef UP_DEVICE_H
#define UP_DEVICE_H

#include <stdbool.h>

#include "config.h"
#include "error.h"
#include "gates.h"
#include "journal.h"
#include "manifest.h"
#include "storage.h"

struct up_device;
struct up_keyring;
struct up_package;
struct up_part;
struct up_slot;

enum up_device_open_flags {
    UP_DEVICE_READ = 0, /* status, history, explain, doctor: writes and repairs nothing */
    UP_DEVICE_LOCK = 1, /* take <state>/lock */
    UP_DEVICE_CHILD = 2 /* the parent holds the lock for us */
};

/* Errors: UP_BUSY another process holds the lock; UP_USAGE not provisioned
 * ("run moult provision"); UP_STATELOST; UP_WRITE. Boot variables that cannot
 * be read are an error with UP_DEVICE_LOCK only; else they are trouble. */
UP_MUST_CHECK int up_device_open(struct up_device **out, struct up_storage *storage,
                                 const struct up_config *config, unsigned flags, struct up_error *err);
void up_device_close(struct up_device *d);

/* What is wrong with a device that is open. */
struct up_trouble {
    bool updates;          /* they work all the same: only leftovers, or what is for people */
    struct up_error cause; /* code UP_OK: nothing is wrong */
};
/* Of what this process tried last; valid until the next call on d. */
const struct up_trouble *up_device_trouble(const struct up_device *d);

/* The journal's newest record; valid until the next call on d. */
const struct up_journal_state *up_device_state(const struct up_device *d);
/* Read the journal again: after the other owner of the phases wrote it. The
 * state stays as it was when it cannot be read. */
UP_MUST_CHECK int up_device_reload(struct up_device *d, struct up_error *err);
const struct up_config *up_device_config(const struct up_device *d);
struct up_storage *up_device_storage(const struct up_device *d);
/* Running slot by the boot driver: 0 or 1; 0 without slots. When the driver
 * cannot tell, the slot of the confirmed pair by the journal. */
int up_device_running(const struct up_device *d);

/*
 * Seconds since 1970: the system clock, never earlier than this program was
 * built; nor, as long as the clock is not trusted, than the time floor that
 * confirmed releases left by `issued`.
 */
uint64_t up_device_time(const struct up_device *d);
/* Whether the clock is known to be right: the kernel says that it is
 * synchronised, or a witness agreed with it and it was not set since. */
bool up_device_time_trusted(const struct up_device *d);
/* Whether the clock shows the time; false when it is behind what is known, so that it was never set. */
bool up_device_time_set(const struct up_device *d);
/* A TLS peer whose certificate was verified says that it is `date`. Whether the
 * clock agrees; if so it is trusted until it is set or this handle is closed. */
bool up_device_witness(struct up_device *d, uint64_t date);
/*
 * The earliest time that it can be, for judging certificates (fetch_options.h);
 * 0 when the clock is trusted and judges itself. No `issued` counts here: a
 * wrong one must not take the way to whoever could put it right.
 */
uint64_t up_device_time_floor(const struct up_device *d);

/* <state>/<name> into buf; name may be "tx", "control", ... Aborts when it does not fit. */
const char *up_device_path(const struct up_device *d, const char *name, char *buf, size_t len);
/* <state>/script/<n>: the directory of a generation. */
const char *up_device_generation_path(const struct up_device *d, uint32_t n, char *buf, size_t len);
/* The generation to run now: the trial's while on trial and counted, else the running slot's. */
uint32_t up_device_generation(const struct up_device *d);

/*
 * Verify the permit file at `path` (permit.h) by the release keys and have the
 * gates look at it from now on; NULL drops it. A transaction that begins with
 * it keeps it: after a restart the file is not needed again.
 * Errors: up_permit_load()'s; the permit at hand is dropped then, too.
 */
UP_MUST_CHECK int up_device_permit(struct up_device *d, const char *path, struct up_error *err);

/* What the gates say of a manifest, one line each, in *report. 0 when all are
 * open, else the code of the first closed one with its sentence in err. */
UP_MUST_CHECK int up_device_gates(const struct up_device *d, const struct up_manifest *m,
                                  struct up_gate_report *report, struct up_error *err);

/* Whether both slots are what they have to be, by whatever names: up_slot_check()
 * of slot.h. Asked by the gates, and before each opening of a slot to write. */
UP_MUST_CHECK int up_device_check_slots(const struct up_device *d, struct up_error *err);

/* <state>/tx, made when it is missing: where the head of a package is spooled
 * before up_device_begin(). */
UP_MUST_CHECK int up_device_spool(struct up_device *d, char *buf, size_t len, struct up_error *err);

/* Which parts of m this device would take, a bit each of enum up_part_kind: a
 * part of the version that runs is left out, unless that leaves nothing. */
unsigned up_device_parts(const struct up_device *d, const struct up_manifest *m);

/*
 * Read the running slot and learn its digest, which the gate of a delta
 * compares. UP_AGAIN: call again, nothing to wait for; 0: known, or not asked
 * for. begin() does what is left of it at one go, which may take long.
 * Errors: UP_INCOMPATIBLE the slot cannot be read; UP_INTERNAL.
 */
UP_MUST_CHECK int up_device_learn_source(struct up_device *d, const struct up_manifest *m,
                                         struct up_error *err);
/* The enum up_mounted of the running slot, or -1 with errno: one that can be
 * written is no source of a delta. UP_NOT_MOUNTED without slots. */
int up_device_source_mounted(const struct up_device *d);

/*
 * Open a transaction for the package whose verified head lies in <state>/tx,
 * or continue the one that is open for the same manifest. Another manifest
 * replaces one that is not yet armed. Gates are asked again here.
 * Errors: gates; UP_BUSY armed or on trial; UP_NOSPACE; UP_WRITE.
 */
UP_MUST_CHECK int up_device_begin(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/*
 * Every block is in place (transfer.h): sync, read back past the cache,
 * compare, extract, ask the gates, arm. Takes long: UP_AGAIN means call again,
 * nothing to wait for; 0 means armed, or provisioned.
 * Errors: UP_CORRUPT or UP_WRITE the medium gave something else back;
 * UP_UNTRUSTED the script archive, or the head as it reads back; gates; UP_NOSPACE. None arms anything.
 */
UP_MUST_CHECK int up_device_finish(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/* How the last finish() read back what was written: of its parts, the least
 * sure way. */
enum up_read_back up_device_read_back(const struct up_device *d);
/*
 * A release may bring a policy that lets nothing in, or a script that drops all
 * that comes. So the days are counted on which a package passed every gate and
 * the release kept it out; when they are too many, whoever asks policy leaves that
 * one out, and the script is ignored. A trial of what that policy let in begins
 * the count anew, and so does a confirmed release.
 *
 * Due: a count would be written now; at most once a day, but that the first
 * day is written again when the clock is set in its course.
 */
bool up_device_kept_out_due(const struct up_device *d);
/* One day more, if it is due. Errors: UP_WRITE. */
UP_MUST_CHECK int up_device_count_kept_out(struct up_device *d, struct up_error *err);
/* Before begin(): whether the release's own policy let this package in. */
void up_device_let_in(struct up_device *d, bool by_release);

/*
 * Drop a transaction that is not armed, and remember why. From arming it is
 * over when the boot loader's variables, read back, start the old slot; else
 * it stays rolling_back, which up_device_start() and up_device_retry() go on with.
 * Errors: UP_NOTHING without one; UP_WRITE, ...
 */
UP_MUST_CHECK int up_device_abandon(struct up_device *d, int code, const char *why, struct up_error *err);

/*
 * The factory: a device over an empty state, on which begin, blocks and finish
 * make the first confirmed pair. <state>/provisioning is there meanwhile; the
 * journal is written last, and its first whole file makes the device. A power
 * cut before that leaves a state that may be provisioned again.
 * Errors: UP_USAGE there is a device already; UP_STATELOST there was one;
 * UP_BUSY; UP_WRITE, also when a file of the journal could not be read, and may
 * hold a device; UP_NOSPACE.
 */
UP_MUST_CHECK int up_device_provision(struct up_device **out, struct up_storage *storage,
                                      const struct up_config *config, struct up_error *err);

enum up_start_action {
    UP_START_RUN,    /* run up_device_generation() */
    UP_START_RESTART /* the boot loader must choose again: restart first */
};

/*
 * One boot of the device: repair, clean, decide. With the boot driver `file`
 * this plays the boot loader, so it is called once a start of `moult run`.
 * Errors: UP_WRITE, UP_STATELOST, ...: the device runs without updates until
 * up_device_retry() succeeds; *action and up_device_generation() hold all the same.
 */
UP_MUST_CHECK int up_device_start(struct up_device *d, enum up_start_action *action, struct up_error *err);
/* Whether up_device_retry() has something to do. */
bool up_device_unfinished(const struct up_device *d);
/* Once more what up_device_start() or a later step could not do. As up_device_start(). */
UP_MUST_CHECK int up_device_retry(struct up_device *d, enum up_start_action *action, struct up_error *err);

/*
 * Open with the lock, and start: what `moult run` begins with. 0: *out is the
 * device, in whatever trouble, or NULL when it cannot be opened: then *trouble
 * says why, and up_device_last_resort() is what runs.
 * Errors: UP_BUSY; UP_USAGE not provisioned, or a path too long. Nothing else
 * ends a device.
 */
UP_MUST_CHECK int up_device_come_up(struct up_device **out, struct up_storage *storage,
                                    const struct up_config *config, enum up_start_action *action,
                                    struct up_trouble *trouble, struct up_error *err);
/* The directory of the script that runs when no device can be opened, into buf.
 * Errors: UP_STATELOST there is none. */
UP_MUST_CHECK int up_device_last_resort(struct up_storage *storage, const struct up_config *config, char *buf,
                                        size_t len, struct up_error *err);
/* Whether the pair is on trial (or its confirmation is under way). */
bool up_device_on_trial(const struct up_device *d);
/* Without restarting the device: begin the trial of an armed script-only
 * release. Errors: UP_NOTHING not armed; UP_RESTART it needs a restart;
 * UP_UNTRUSTED, UP_INCOMPATIBLE as by up_device_inspect(): it was withdrawn. */
UP_MUST_CHECK int up_device_begin_trial(struct up_device *d, struct up_error *err);
/* Whether what is armed or on trial came with a core, so that changing to it,
 * or back, takes a restart. */
bool up_device_has_core(const struct up_device *d);
#define UP_TRIAL_STARTS 3

/*
 * Count one start of the script on trial, before it is started. When three are
 * spent this rolls back and returns UP_ROLLEDBACK; *action then says whether
 * a restart is needed.
 * Errors: the start could not be counted, so it is none of the trial. With a
 * core the boot loader is told to forget the slot; *action says whether a
 * restart follows. Otherwise up_device_generation() runs without updates,
 * nothing is confirmed, and up_device_retry() finds out when the trial can go on.
 */
UP_MUST_CHECK int up_device_trial_start(struct up_device *d, enum up_start_action *action,
                                        struct up_error *err);
/*
 * After a start on trial was counted, and before it is made: is what was armed
 * still what it was? Its manifest must be signed by a key that is trusted now,
 * the slot must be who it was, and the script what was signed; a script that is
 * not is made again from its archive. Otherwise, when the pair is confirmed: is
 * its script what was signed? One that is not is made again, for the next start
 * (up_device_put_script()); it may go on meanwhile, and whenever it likes.
 * UP_AGAIN: call again, nothing to wait for. 0: all is well, or will be.
 * Errors: UP_UNTRUSTED, UP_INCOMPATIBLE, UP_CORRUPT: not to be started on trial,
 * see up_device_withdraw(); of a confirmed one, `status` says it from now on;
 * UP_WRITE, UP_INTERNAL it cannot be told.
 */
UP_MUST_CHECK int up_device_inspect(struct up_device *d, struct up_error *err);
/* What up_device_inspect() found wrong with the script that is to run; "" when nothing. */
void up_device_damage(const struct up_device *d, char *out, size_t len);
/* Before a start of a confirmed script: put what was made again in its place.
 * Nothing may run it. What goes wrong is not an error: the old one is started. */
void up_device_put_script(struct up_device *d);
/* A pair of a journal of before form 3: read its script once, while the device is
 * idle, and remember its digest. UP_AGAIN: call again; 0: known, or not now. */
UP_MUST_CHECK int up_device_learn_script(struct up_device *d, struct up_error *err);
/*
 * Give up what is armed or on trial, for `code` and `why`, which are not the
 * release's fault: it is not quarantined, and may be installed again. Else as
 * up_device_rollback().
 */
UP_MUST_CHECK int up_device_withdraw(struct up_device *d, int code, const char *why,
                                     enum up_start_action *action, struct up_error *err);

/* Remember that the current trial start failed for a reason we saw (crash,
 * hang, wrong globals), so that it is not taken for a power loss. */
UP_MUST_CHECK int up_device_trial_failed(struct up_device *d, const char *why, struct up_error *err);
/* Its script ended for the n-th time, not on trial, and is started again in `pause`
 * seconds: one event of the history for all of them, as long as nothing else happens. */
void up_device_script_ended(struct up_device *d, unsigned times, unsigned pause, const char *why);
/* Whether what runs now was started while its start could not be counted. */
bool up_device_uncounted(const struct up_device *d);
/* The pair on trial becomes the confirmed one. Errors: UP_NOTHING without a
 * trial; UP_DEFERRED its start was not counted; UP_WRITE: up_device_retry() goes on. */
UP_MUST_CHECK int up_device_confirm(struct up_device *d, struct up_error *err);
/*
 * Back to the old pair: from armed (disarm) or trial (quarantined when
 * `failed`). *action says whether a restart is needed to get there.
 * Errors: UP_NOTHING nothing armed or on trial; UP_REFUSED it is being
 * confirmed; UP_WRITE: up_device_retry() goes on.
 */
UP_MUST_CHECK int up_device_rollback(struct up_device *d, bool failed, const char *why,
                                     enum up_start_action *action, struct up_error *err);

/*
 * Back to the old pair from trial, because all that the release lacked was an
 * answer of a cloud. It is not known yet whose fault that is: the old pair has
 * to find out (up_device_judge()). Else, and when a start failed for a reason we
 * saw, as up_device_rollback() with `failed`.
 */
UP_MUST_CHECK int up_device_unreached(struct up_device *d, const char *why, enum up_start_action *action,
                                      struct up_error *err);
/* Whether such a release waits to be judged. */
bool up_device_unjudged(const struct up_device *d);
/*
 * By the phase's owner, before anything is armed: did a cloud answer the old
 * pair soon after its start? Then the release failed, and is quarantined; else it
 * is tried once more. Errors: UP_NOTHING none waits; UP_BUSY armed or on trial; UP_WRITE.
 */
UP_MUST_CHECK int up_device_judge(struct up_device *d, bool reached, struct up_error *err);
/* Whether what went back last is to be tried once more, because no cloud answered either pair. */
bool up_device_spared(const struct up_device *d);

/* Remove what no longer belongs to anything: spools, unnamed generations, and
 * make <state>/script/current for people. Called by start, confirm and
 * rollback; safe at any time by the phase's owner. What fails is trouble that
 * stands in nobody's way, and is tried again by up_device_retry(). */
void up_device_clean(struct up_device *d);
/* Whether the state looks as if it could be written; writes nothing itself.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_device_writable(const struct up_device *d, struct up_error *err);
/* The same, now and then, by the owner of the lock: if not, that is trouble. */
void up_device_check(struct up_device *d);
/* Make, sync and remove a file in the state, and in journal_dir if it is there.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_device_try_write(struct up_storage *storage, const struct up_config *config,
                                      struct up_error *err);

/* Where a part's decoded blocks go: the target slot, or the spool of the
 * script archive. Meaningful while a transaction is open. */
const char *up_device_target(const struct up_device *d, enum up_part_kind kind, char *buf, size_t len);

/* Open it: 0 to be written; 1 it is adopted, and open for reading alone. Errors:
 * those of up_slot_open() and up_slot_check(). */
UP_MUST_CHECK int up_device_open_target(struct up_slot **out, const struct up_device *d,
                                        const struct up_part *part, struct up_error *err);

/* The factory found its slot running or mounted: it is compared and adopted, never written. */
bool up_device_adopts(const struct up_device *d);
bool up_device_provisioning(const struct up_device *d);
/* Whether the open transaction was begun by this process and no transfer was
 * opened for it yet; only the first call says so. */
bool up_device_take_fresh(struct up_device *d);

/*
 * What a transfer of the open transaction leaves for the next one of this
 * process, and for the read-back: what it found elsewhere on the device, and
 * the seals of what it wrote. The device owns them meanwhile. NULL: none.
 */
struct up_reuse;
struct up_block_mac;
void up_device_keep_reuse(struct up_device *d, struct up_reuse *found);
struct up_reuse *up_device_take_reuse(struct up_device *d);
void up_device_keep_seal(struct up_device *d, enum up_part_kind kind, struct up_block_mac *seal);
struct up_block_mac *up_device_take_seal(struct up_device *d, enum up_part_kind kind);

/* The hint that resumes a transfer: blocks in place, in package order. */
UP_MUST_CHECK int up_device_hint(struct up_device *d, uint64_t blocks, struct up_error *err);

/* Tries that the boot loader still gives the slot on trial; 0 when none is. */
unsigned up_device_tries(const struct up_device *d);

#endif
