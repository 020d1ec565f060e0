/*
 * device.h -- one device: its journal, slots, generations and boot loader, and
 * the transactions on them.
 *
 * Whatever is broken, a confirmed pair runs. What cannot be done is the
 * device's trouble: it is reported and retried, and never ends the application.
 * Every step can be repeated; intent is journaled before its effect. The phase
 * decides who may write: idle, fetching, installing and arming belong to the
 * agent (or to a verb that holds the lock); armed, trial, confirming and
 * rolling_back to the supervisor (or that verb).
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
struct up_files_worker;
struct up_running_table;

enum up_device_open_flags {
    UP_DEVICE_READ = 0, /* status, history, explain, doctor: writes and repairs nothing */
    UP_DEVICE_LOCK = 1, /* take <state>/lock */
    UP_DEVICE_CHILD = 2 /* the parent holds the lock for us */
};

/* Errors: UP_BUSY another process holds the lock; UP_USAGE not provisioned
 * ("run moult provision"); UP_STATELOST; UP_WRITE. Unreadable boot variables
 * are an error only with UP_DEVICE_LOCK; otherwise they are trouble. */
UP_MUST_CHECK int up_device_open(struct up_device **out, struct up_storage *storage,
                                 const struct up_config *config, unsigned flags, struct up_error *err);
void up_device_close(struct up_device *d);

/* What is wrong with an open device. */
struct up_trouble {
    bool updates;          /* updates still work: it affects only leftovers, or what is for people */
    struct up_error cause; /* code UP_OK: nothing is wrong */
};
/* Result of what this process tried last; valid until the next call on d. */
const struct up_trouble *up_device_trouble(const struct up_device *d);

/* The journal's newest record; valid until the next call on d. */
const struct up_journal_state *up_device_state(const struct up_device *d);
/* Read the journal again, after the other owner of the phases wrote it. If it
 * cannot be read, the state stays as it was. */
UP_MUST_CHECK int up_device_reload(struct up_device *d, struct up_error *err);
const struct up_config *up_device_config(const struct up_device *d);
struct up_storage *up_device_storage(const struct up_device *d);
/* The running slot according to the boot driver: 0 or 1; 0 without slots. If
 * the driver cannot tell, the slot of the confirmed pair in the journal. */
int up_device_running(const struct up_device *d);

/*
 * Seconds since 1970: the system clock, but never earlier than the build of
 * this program; and while the clock is not trusted, never earlier than the time
 * floor that `issued` of confirmed releases set.
 */
uint64_t up_device_time(const struct up_device *d);
/* Whether the clock is known to be right: the kernel says that it is
 * synchronised, or a witness agreed with it and it was not set since. */
bool up_device_time_trusted(const struct up_device *d);
/* Whether the clock was set; false if it is behind a time that is known to be past. */
bool up_device_time_set(const struct up_device *d);
/* A TLS peer with a verified certificate says that the time is `date`. Returns
 * whether the clock agrees; if so, it is trusted until it is set or this handle
 * is closed. */
bool up_device_witness(struct up_device *d, uint64_t date);
/*
 * The earliest time that it can be, for judging certificates (fetch_options.h);
 * 0 if the clock is trusted and judges itself. `issued` does not count here: a
 * wrong one must not cut off the server that could correct it.
 */
uint64_t up_device_time_floor(const struct up_device *d);

/* <state>/<name> into buf; name may be "tx", "control", ... Aborts when it does not fit. */
const char *up_device_path(const struct up_device *d, const char *name, char *buf, size_t len);
/* <state>/script/<n>: the directory of a generation. */
const char *up_device_generation_path(const struct up_device *d, uint32_t n, char *buf, size_t len);
/* The generation to run now: the trial's while on trial and counted, else the running slot's. */
uint32_t up_device_generation(const struct up_device *d);

/*
 * Verify the permit file at `path` (permit.h) with the release keys and let the
 * gates use it from now on; NULL drops it. A transaction that begins with it
 * keeps it, so after a restart the file is not needed again.
 * Errors: those of up_permit_load(); the current permit is dropped then, too.
 */
UP_MUST_CHECK int up_device_permit(struct up_device *d, const char *path, struct up_error *err);

/* Check a manifest against the gates, one line each in *report. 0 if all are
 * open, else the code of the first closed one with its sentence in err. */
UP_MUST_CHECK int up_device_gates(const struct up_device *d, const struct up_manifest *m,
                                  struct up_gate_report *report, struct up_error *err);

/* Check both slots, whatever their names: up_slot_check() of slot.h. Called by
 * the gates, and each time before a slot is opened for writing. */
UP_MUST_CHECK int up_device_check_slots(const struct up_device *d, struct up_error *err);

/* <state>/tx, created if it is missing: the spool for the head of a package before up_device_begin(). */
UP_MUST_CHECK int up_device_spool(struct up_device *d, char *buf, size_t len, struct up_error *err);

/* Which parts of m this device would take, one bit for each enum up_part_kind.
 * A part of the running version is left out, unless nothing would remain. */
unsigned up_device_parts(const struct up_device *d, const struct up_manifest *m);

/*
 * Read the running slot and compute its digest, which the gate of a delta
 * compares. UP_AGAIN: call again, there is nothing to wait for; 0: known, or
 * not needed. begin() does the rest in one go, which may take long. Errors:
 * UP_INCOMPATIBLE the slot cannot be read; UP_INTERNAL.
 */
UP_MUST_CHECK int up_device_learn_source(struct up_device *d, const struct up_manifest *m,
                                         struct up_error *err);
/* The enum up_mounted of the running slot, or -1 with errno. A slot that is
 * mounted writable cannot be the source of a delta. UP_NOT_MOUNTED without
 * slots. */
int up_device_source_mounted(const struct up_device *d);

/*
 * Open a transaction for the package whose verified head is in <state>/tx, or
 * continue the one that is open for the same manifest. Another manifest
 * replaces one that is not yet armed. Checks the gates again. Errors: gates;
 * UP_BUSY armed or on trial; UP_NOSPACE; UP_WRITE.
 */
UP_MUST_CHECK int up_device_begin(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/*
 * Call when every block is in place (transfer.h). Syncs, reads back past the
 * cache, compares, extracts, checks the gates and arms. Takes long: UP_AGAIN
 * means call again, there is nothing to wait for; 0 means armed, or
 * provisioned.
 * Errors: UP_CORRUPT or UP_WRITE the medium returned something else;
 * UP_UNTRUSTED the script archive, or the head as read back; gates; UP_NOSPACE.
 * None of them arms anything.
 */
UP_MUST_CHECK int up_device_finish(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/* The same up to the gates, for who arms later: 0 means that everything was read back and extracted, and the
 * phase stays installing; finish() then only arms, and begin() may still replace it. */
UP_MUST_CHECK int up_device_prepare(struct up_device *d, const struct up_manifest *m, struct up_error *err);
/* How the last finish() read back what was written: the least certain method among its parts. */
enum up_read_back up_device_read_back(const struct up_device *d);
/*
 * A release may bring a policy that lets nothing in, or a script that drops
 * every offer. So the device counts the days on which a package passed every
 * gate and the release kept it out. After too many of them, the caller that
 * asks policy leaves that policy out, and the script is ignored. The count
 * starts again with a trial of what that policy let in, and with a confirmed
 * release.
 *
 * Due: counting now would write. That is at most once a day, except that the
 * first day is written again if the clock is set during it.
 */
bool up_device_kept_out_due(const struct up_device *d);
/* Count one more day, if it is due. Errors: UP_WRITE. */
UP_MUST_CHECK int up_device_count_kept_out(struct up_device *d, struct up_error *err);
/* Before begin(): whether the release's own policy let this package in. */
void up_device_let_in(struct up_device *d, bool by_release);

/*
 * Drop a transaction that is not armed, and remember why. From phase arming it
 * is over once the boot loader's variables, read back, start the old slot; else
 * it stays rolling_back, which up_device_start() and up_device_retry()
 * continue. Errors: UP_NOTHING there is none; UP_WRITE, ...
 */
UP_MUST_CHECK int up_device_abandon(struct up_device *d, int code, const char *why, struct up_error *err);

/*
 * The factory: open a device on an empty state; begin, blocks and finish then
 * make the first confirmed pair. Meanwhile <state>/provisioning exists. The
 * journal is written last, and its first complete file makes the device. After
 * a power cut before that, the state can be provisioned again.
 * Errors: UP_USAGE there is a device already; UP_STATELOST there was one;
 * UP_BUSY; UP_WRITE, also if a file of the journal could not be read and may
 * hold a device; UP_NOSPACE.
 */
UP_MUST_CHECK int up_device_provision(struct up_device **out, struct up_storage *storage,
                                      const struct up_config *config, struct up_error *err);

enum up_start_action {
    UP_START_RUN,    /* run up_device_generation() */
    UP_START_RESTART /* the boot loader must choose again: restart first */
};

/*
 * One boot of the device: repair, clean up, decide. With the boot driver `file`
 * this acts as the boot loader, so it is called once for each start of `moult
 * run`. Errors: UP_WRITE, UP_STATELOST, ...: the device runs without updates
 * until up_device_retry() succeeds; *action and up_device_generation() are
 * valid all the same.
 */
UP_MUST_CHECK int up_device_start(struct up_device *d, enum up_start_action *action, struct up_error *err);
/* Whether up_device_retry() has something to do. */
bool up_device_unfinished(const struct up_device *d);
/* For an order by hand, without a supervisor: programs around a change of the tree of files are stopped
 * and started by this process. */
void up_device_by_hand(struct up_device *d, struct up_running_table *running);
/* Retry what up_device_start() or a later step could not do. Returns as up_device_start(). */
UP_MUST_CHECK int up_device_retry(struct up_device *d, enum up_start_action *action, struct up_error *err);

/*
 * Open with the lock and start: what `moult run` begins with. The tree of files is changed by
 * `worker`, which outlives the device, or if that is NULL in this process. 0: *out is the
 * device, with or without trouble, or NULL if it cannot be opened: then
 * *trouble says why, and up_device_last_resort() is what runs. Errors: UP_BUSY;
 * UP_USAGE not provisioned, or a path too long. Nothing else fails.
 */
UP_MUST_CHECK int up_device_come_up(struct up_device **out, struct up_storage *storage,
                                    const struct up_config *config, const struct up_files_worker *worker,
                                    enum up_start_action *action, struct up_trouble *trouble,
                                    struct up_error *err);
/* The directory of the script that runs when no device can be opened, into buf.
 * Errors: UP_STATELOST there is none, or the files that it works with are half old and half new. */
UP_MUST_CHECK int up_device_last_resort(struct up_storage *storage, const struct up_config *config, char *buf,
                                        size_t len, struct up_error *err);
/* Whether the pair is on trial (or its confirmation is under way). */
bool up_device_on_trial(const struct up_device *d);
/* Begin the trial of an armed script-only release without restarting the
 * device. Errors: UP_NOTHING not armed; UP_RESTART it needs a restart;
 * UP_UNTRUSTED, UP_INCOMPATIBLE from up_device_inspect(): it was withdrawn. */
UP_MUST_CHECK int up_device_begin_trial(struct up_device *d, struct up_error *err);
/* Whether what is armed or on trial came with a core, so that switching to it or back takes a restart. */
bool up_device_has_core(const struct up_device *d);
#define UP_TRIAL_STARTS 3

/*
 * Count one start of the script on trial, before it is started. After three
 * starts this rolls back and returns UP_ROLLEDBACK; *action then says whether a
 * restart is needed. Errors: the start could not be counted, so it does not
 * belong to the trial. With a core the boot loader is told to forget the slot;
 * *action says whether a restart follows. Otherwise up_device_generation() runs
 * without updates, nothing is confirmed, and up_device_retry() finds out when
 * the trial can continue.
 */
UP_MUST_CHECK int up_device_trial_start(struct up_device *d, enum up_start_action *action,
                                        struct up_error *err);
/*
 * Called after a start on trial was counted and before it is made: is what was
 * armed unchanged? Its manifest must be signed by a key that is trusted now,
 * the slot must be the same one, and the script what was signed; a changed
 * script is made again from its archive. If the pair is confirmed instead: is
 * its script what was signed? A changed one is made again for the next start
 * (up_device_put_script()); meanwhile it may run.
 * UP_AGAIN: call again, there is nothing to wait for. 0: all is well, or will
 * be. Errors: UP_UNTRUSTED, UP_INCOMPATIBLE, UP_CORRUPT: do not start it on
 * trial, see up_device_withdraw(); for a confirmed one `status` shows it from
 * now on; UP_WRITE, UP_INTERNAL: it cannot be determined.
 */
UP_MUST_CHECK int up_device_inspect(struct up_device *d, struct up_error *err);
/* What up_device_inspect() found wrong with the script that is to run; "": nothing. */
void up_device_damage(const struct up_device *d, char *out, size_t len);
/* Before a confirmed script is started: put the one that was made again in its
 * place. The old one must not be running. A failure is not an error: the old
 * one is started. */
void up_device_put_script(struct up_device *d);
/* For a pair from a journal before form 3: read its script once, while the
 * device is idle, and remember its digest. UP_AGAIN: call again; 0: known, or
 * not now. */
UP_MUST_CHECK int up_device_learn_script(struct up_device *d, struct up_error *err);
/*
 * Give up what is armed or on trial for a reason, `code` and `why`, that is not
 * the release's fault: it is not quarantined, and may be installed again.
 * Otherwise as up_device_rollback().
 */
UP_MUST_CHECK int up_device_withdraw(struct up_device *d, int code, const char *why,
                                     enum up_start_action *action, struct up_error *err);

/* Remember that the current trial start failed for a known reason (crash, hang,
 * wrong globals), so that it is not taken for a power loss. */
UP_MUST_CHECK int up_device_trial_failed(struct up_device *d, const char *why, struct up_error *err);
/* The script ended for the n-th time, not on trial, and is restarted in `pause`
 * seconds. One event of the history covers them all, as long as nothing else
 * happens. */
void up_device_script_ended(struct up_device *d, unsigned times, unsigned pause, const char *why);
/*
 * Whether the tree of files is neither the old nor the new one, or that cannot be
 * told: something could not be written, or a root is not there. Nothing of it may be
 * started then, and the script only if the configuration says so. What made it so is
 * trouble; up_device_retry() tries again.
 */
bool up_device_mixed(const struct up_device *d);
/* Whether what runs now was started although its start could not be counted. */
bool up_device_uncounted(const struct up_device *d);
/* Confirm the pair on trial. Errors: UP_NOTHING there is no trial; UP_DEFERRED
 * its start was not counted; UP_WRITE: up_device_retry() continues. */
UP_MUST_CHECK int up_device_confirm(struct up_device *d, struct up_error *err);
/*
 * Return to the old pair: from armed (disarm) or trial (quarantined if
 * `failed`). *action says whether that needs a restart. Errors: UP_NOTHING
 * nothing armed or on trial; UP_REFUSED it is being confirmed; UP_WRITE:
 * up_device_retry() continues.
 */
UP_MUST_CHECK int up_device_rollback(struct up_device *d, bool failed, const char *why,
                                     enum up_start_action *action, struct up_error *err);

/*
 * Return to the old pair from a trial that lacked nothing but an answer of a
 * cloud. Whose fault that is, is not known yet; the old pair has to find out
 * (up_device_judge()). In other cases, and if a start failed for a known
 * reason, the same as up_device_rollback() with `failed`.
 */
UP_MUST_CHECK int up_device_unreached(struct up_device *d, const char *why, enum up_start_action *action,
                                      struct up_error *err);
/* Whether such a release is waiting for its verdict. */
bool up_device_unjudged(const struct up_device *d);
/*
 * Called by the phase's owner, before anything is armed: did a cloud answer the
 * old pair soon after its start? Then the release failed and is quarantined;
 * otherwise it is tried once more. Errors: UP_NOTHING none waits; UP_BUSY armed
 * or on trial; UP_WRITE.
 */
UP_MUST_CHECK int up_device_judge(struct up_device *d, bool reached, struct up_error *err);
/* Whether the last release that was rolled back is tried once more, because no
 * cloud answered either pair. */
bool up_device_spared(const struct up_device *d);

/* Remove what is no longer used (spools, unnamed generations), and update
 * <state>/script/current for people. Called by start, confirm and rollback;
 * safe at any time for the phase's owner. Failures are trouble that does not
 * affect updates, and are retried by up_device_retry(). */
void up_device_clean(struct up_device *d);
/* Whether the state looks writable; writes nothing itself. Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_device_writable(const struct up_device *d, struct up_error *err);
/* The same, called now and then by the owner of the lock; failure is trouble. */
void up_device_check(struct up_device *d);
/* Create, sync and remove a file in the state, and in journal_dir if it exists.
 * Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_device_try_write(struct up_storage *storage, const struct up_config *config,
                                      struct up_error *err);

/* Where a part's decoded blocks go: the target slot, or the spool of the script
 * archive. Valid while a transaction is open. */
const char *up_device_target(const struct up_device *d, enum up_part_kind kind, char *buf, size_t len);

/* Open it. 0: for writing; 1: it is adopted, and open for reading only. Errors:
 * those of up_slot_open() and up_slot_check(). */
UP_MUST_CHECK int up_device_open_target(struct up_slot **out, const struct up_device *d,
                                        const struct up_part *part, struct up_error *err);

/* The factory found its slot running or mounted: it is compared and adopted, but never written. */
bool up_device_adopts(const struct up_device *d);
bool up_device_provisioning(const struct up_device *d);
/* Whether this process began the open transaction and no transfer was opened
 * for it yet; true only for the first call. */
bool up_device_take_fresh(struct up_device *d);

/*
 * What a transfer leaves for the next one of this process and for the
 * read-back: blocks found elsewhere on the device, and the MACs of what it
 * wrote. The device owns them meanwhile. NULL: none.
 */
struct up_reuse;
struct up_block_mac;
void up_device_keep_reuse(struct up_device *d, struct up_reuse *found);
struct up_reuse *up_device_take_reuse(struct up_device *d);
void up_device_keep_macs(struct up_device *d, enum up_part_kind kind, struct up_block_mac *macs);
struct up_block_mac *up_device_take_macs(struct up_device *d, enum up_part_kind kind);

/* The hint that resumes a transfer: blocks in place, in package order. */
UP_MUST_CHECK int up_device_hint(struct up_device *d, uint64_t blocks, struct up_error *err);

/* Tries that the boot loader still allows the slot on trial; 0: there is none. */
unsigned up_device_tries(const struct up_device *d);

#endif
