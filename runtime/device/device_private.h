/*
 * device_private.h -- the device's state, for the files behind device.h:
 *
 *   device_state.c       where it stands, where its files lie, what is put on record
 *   device_start.c       one boot; device_boot.c the boot loader's variables
 *   device_gates.c       whether a release may come; device_quarantine.c, device_kept_out.c
 *   device_kept.c        what a transfer hands on
 *   device_armed.c, device_script.c   whether what was installed still is what it was
 *   device_time.c        the clock; running_image.c the running core, as a source
 *   device_clean.c, device_traces.c   what is left over; what a lost journal left
 *   device_tree_facts.c  what the tree of files is; device_tree.c what is done to it
 *   device_alone.c       the same without a journal
 *   install.c            begin, abandon; install_finish.c from verified blocks in place to armed
 *   install_files.c      from the verified content of a part files to files beside their targets
 *   device_counted.c     the start that settle counted; device_settle.c settle itself
 *   trial.c              boots, trial, confirmation; rollback.c the way back
 *   provision.c, provision_end.c      the factory
 */
#ifndef UP_DEVICE_PRIVATE_H
#define UP_DEVICE_PRIVATE_H

#include "boot.h"
#include "device.h"
#include "error.h"
#include "files_programs.h"
#include "files_settle.h"
#include "slot.h"

#define UP_PROVISIONING "provisioning" /* in the state while the factory makes a device */
#define UP_DEVICE_ANYHOW 4u            /* to open: without the lock or the boot variables if need be */

struct up_permit;
struct up_source_check; /* the running slot while it is hashed */
struct up_finish;       /* the progress of up_device_finish() */
struct up_script_check; /* the progress of up_device_inspect() */
struct up_image_check;

/* What the running slot held when it was hashed. */
struct up_known_source {
    uint64_t size; /* bytes from its start; 0: not known */
    uint8_t slot;
    uint8_t digest[32];
};

/* What a start still has to do; bits. */
enum up_pending {
    UP_PENDING_LOCK = 1,   /* the lock could not be taken: nothing is written */
    UP_PENDING_KEYS = 2,   /* the key files are behind the set of keys */
    UP_PENDING_SELECT = 4, /* the boot loader was not asked, or its answer not recorded */
    UP_PENDING_RESUME = 8, /* the phase is not the one that it should be */
    UP_PENDING_WRITE = 16, /* something of a phase that is ours was not written */
    UP_PENDING_CLEAN = 32  /* leftovers */
};

/* What transfers of the open transaction leave for later; each may be NULL. */
struct up_kept {
    uint32_t transaction;
    struct up_reuse *reuse;
    struct up_block_mac *macs[UP_PART_KINDS];
};

/* The tree of files, by the plan of the open transaction. */
enum up_tree {
    UP_TREE_NO_PLAN, /* it has none */
    UP_TREE_OLD,
    UP_TREE_NEW,
    UP_TREE_MIXED /* neither, or it cannot be told */
};

struct up_device {
    struct up_storage *storage;
    const struct up_config *config; /* the caller's; outlives the device */
    struct up_journal *journal;
    struct up_boot *boot;
    struct up_boot_state boot_state;      /* as last read or written */
    bool boot_unsure;                     /* a write of it failed, but may have taken effect */
    bool boot_lost;                       /* it cannot be read: `running` may be a guess, the rest is empty */
    bool running_known;                   /* the loader named the running slot, boot_lost or not */
    bool uncounted;                       /* see up_device_uncounted() */
    bool restart_counted;                 /* the restart that this process asked for is on record */
    const struct up_files_worker *worker; /* who works on the tree of files; NULL: this process */
    struct up_running_table *running;     /* see up_device_by_hand() */
    enum up_tree tree;                    /* as last seen, or made */
    bool fixing;                          /* the open plan is that of a hotfix on test, or being undone */
    bool plan_known;                      /* its operations can be read */
    bool traces;                          /* of the open plan: the tree is whole */
    bool suspended;                       /* under the open plan waits one that could not be ended */
    bool fix_unsure;                      /* whether the ledger accepts it is not known */
    bool settles;                         /* nothing else runs: it is ours to end */
    unsigned pending;                     /* enum up_pending */
    struct up_trouble trouble;
    struct up_journal_state state; /* as last read or written */
    bool provisioning;             /* nothing is recorded yet */
    bool runs_slot;                /* while provisioning: we were started from a slot */
    bool fresh;                    /* see up_device_take_fresh() */
    int lock;                      /* -1: not held by us */
    struct up_permit *permit;      /* the current one, verified; or NULL */
    struct up_finish *finish;      /* NULL when not under way */
    enum up_read_back read_back;   /* the least certain method among the parts */
    bool witnessed;                /* see up_device_witness() */
    uint64_t witnessed_origin;     /* system clock minus monotonic clock at that time */
    bool let_in;                   /* see up_device_let_in() */
    struct up_known_source source;
    struct up_source_check *source_check; /* NULL when not under way */
    struct up_kept kept;
    struct up_script_check *script_check; /* NULL when not under way */
    struct up_image_check *image_check;   /* NULL when not under way */
    uint32_t image_checked;               /* transaction whose image was read by this process; 0: none */
    uint32_t mended;                      /* generation whose <n>.mend is ready; 0: none */
    uint32_t broken, instead; /* generation that cannot be repaired, and which runs instead; 0: none */
};

/* A device of which nothing was read yet; must be closed even if this fails. */
UP_MUST_CHECK int up_device_allocate(struct up_device **out, struct up_storage *storage,
                                     const struct up_config *config, struct up_error *err);
/* Whether a file is in the state; and whether it certainly is not. */
bool up_device_has_file(const struct up_device *d, const char *name);
bool up_device_lacks_file(const struct up_device *d, const char *name);
/* The journal cannot be read, and err says so (UP_NOTHING, UP_STATELOST).
 * Returns UP_USAGE: no device yet; UP_STATELOST: there was one, and it is lost;
 * UP_WRITE: there may be a device, because a file of the journal could not be
 * read. */
UP_MUST_CHECK int up_device_without_journal(const struct up_device *d, struct up_error *err);
/* The end of provisioning: boot record, history, and last the first journal record. */
UP_MUST_CHECK int up_device_commit_provision(struct up_device *d, struct up_error *err);
/* While idle: recreate what is missing of the records, and finish what
 * provisioning left. Best effort; doctor shows what cannot be done. */
void up_device_tend(struct up_device *d);
/* Write `next` and adopt it; on failure the old state stays. While provisioning
 * it is only adopted. From armed to the verdict the record keeps its form: see
 * journal.h. */
UP_MUST_CHECK int up_device_save(struct up_device *d, const struct up_journal_state *next,
                                 struct up_error *err);
/* Append to the history; a failure is not an error. */
void up_device_note(struct up_device *d, const char *event, int code, const char *release, uint64_t sequence,
                    const char *message);
/* The same, but replaces the newest event if that has the same name and release. */
void up_device_note_again(struct up_device *d, const char *event, const char *release, const char *message);
/* One write of the boot variables, adopted if it succeeded. */
UP_MUST_CHECK int up_device_set_boot(struct up_device *d, const struct up_boot_state *next,
                                     struct up_error *err);
/* The same write again, so that both copies of the loader's variables hold a verdict; best effort. */
void up_device_repeat_boot(struct up_device *d);
/* <state>/lock. Errors: UP_BUSY; UP_USAGE no state; UP_WRITE, ... */
UP_MUST_CHECK int up_device_take_lock(struct up_device *d, struct up_error *err);
/* Read the boot loader's variables. If they cannot be read, that is trouble the
 * first time and later an error; what was read before stays valid. */
UP_MUST_CHECK int up_device_read_boot(struct up_device *d, struct up_error *err);
/* Ask the boot loader which slot it started, or act as the boot loader. */
UP_MUST_CHECK int up_device_select_slot(struct up_device *d, struct up_error *err);
/* Take `target` out of the order, not good, no tries; unless it is known to be so already. */
UP_MUST_CHECK int up_device_disarm(struct up_device *d, unsigned target, struct up_error *err);
/* One write: target first in the order, with all its tries. */
UP_MUST_CHECK int up_device_arm_boot(struct up_device *d, struct up_error *err);
/* Whether the running slot is the target of the transaction. */
bool up_device_on_target(const struct up_device *d);
/* Continue the phase: boots, verdicts. */
UP_MUST_CHECK int up_device_resume(struct up_device *d, enum up_start_action *action, struct up_error *err);
/*
 * From arming, armed, trial or confirming to the old pair, as far as this boot
 * can. code: UP_ROLLEDBACK the release failed; UP_OK it was requested; else
 * what prevented it. On failure the phase may be rolling_back; *action is
 * valid.
 */
UP_MUST_CHECK int up_device_give_up(struct up_device *d, int code, const char *why,
                                    enum up_start_action *action, struct up_error *err);
/* Continue from phase rolling_back as far as this boot can. */
UP_MUST_CHECK int up_device_resume_rollback(struct up_device *d, enum up_start_action *action,
                                            struct up_error *err);
/* Restarts requested of a boot loader that does not do what it was told; and requests in one boot. */
#define UP_RESTARTS_MAX 3
enum up_may_restart {
    UP_RESTART_NOW,
    UP_RESTART_LATER,  /* several processes of this boot requested it, and the device stays up */
    UP_RESTART_NO_MORE /* the boot loader had its chances */
};
/* Whether another restart may be requested; counts it, once for a boot, however many processes
 * request it. Where a boot cannot be told from another, once for a process. */
UP_MUST_CHECK int up_device_count_restart(struct up_device *d, enum up_may_restart *may,
                                          struct up_error *err);
/* How many processes of this boot requested the transaction's restart; 0: none, or not known. */
unsigned up_device_restarts_noted(const struct up_device *d);
/* So many did. Whether that is noted. */
bool up_device_note_restart(const struct up_device *d, unsigned number);
/* Nothing can be recorded about the slot on trial: take it out of the boot
 * loader's order. *action says whether a restart leaves it. */
void up_device_take_out(struct up_device *d, enum up_start_action *action);
/* Fill err with the reason why a start on trial is not counted: what cannot be
 * counted is never confirmed, and must not go on forever. Returns err->code. */
int up_device_not_counted(struct up_device *d, enum up_start_action *action, struct up_error *err);
/* Put in front of the cause in err that it keeps a start on trial from being counted. */
int up_device_say_uncounted(const struct up_device *d, struct up_error *err);
/*
 * The tree of files. Whether this device may have one: it has roots, or had one.
 */
bool up_device_has_tree(const struct up_device *d);
UP_MUST_CHECK int up_device_do_tree(struct up_device *d, enum up_files_task task, struct up_error *err);
/* The same, and *outcome says what failed. */
UP_MUST_CHECK int up_device_work_tree(struct up_device *d, enum up_files_task task,
                                      enum up_files_outcome *outcome, struct up_error *err);
/* End what is open of a plan that is not the transaction's; `ours`: also that of a hotfix on test, which is the
 * caller's. Errors: UP_BUSY a hotfix is on test; those of up_device_end_tree(). */
UP_MUST_CHECK int up_device_end_fixes(struct up_device *d, bool ours, struct up_error *err);
enum up_tree_outcome {
    UP_TREE_AS_PHASE_SAYS,
    UP_TREE_IS_OLD, /* the transaction is to be given up */
    UP_TREE_IS_NEW, /* it is to be confirmed */
    UP_TREE_IS_LOST /* the transaction is to be given up, and not for its own fault */
};
/* Before a phase is continued: what the stage of the plan says. Errors: the tree
 * is not whole, or that cannot be told. */
UP_MUST_CHECK int up_device_settle_tree(struct up_device *d, enum up_tree_outcome *outcome,
                                        struct up_error *err);
/* The same, and change the phase accordingly; *over says whether it changed. */
UP_MUST_CHECK int up_device_resume_tree(struct up_device *d, bool *over, enum up_start_action *action,
                                        struct up_error *err);
/* Finish what is left of a plan while the device is idle; if the transaction is `dropped`, of its plan.
 * *whole: the tree is whole, and only traces are left. */
UP_MUST_CHECK int up_device_end_tree(struct up_device *d, bool dropped, bool *whole, struct up_error *err);
/* Switch the tree for a start on trial that was counted. Does nothing if the transaction has no plan. If it
 * fails, *outcome says where. */
UP_MUST_CHECK int up_device_switch_tree(struct up_device *d, enum up_files_outcome *outcome,
                                        struct up_error *err);
/* Putting the tree back failed, and a package may come that replaces all of it; or the traces of a plan cannot be
 * removed, and one with files may come (up_files_suspend()). */
bool up_device_awaits_files(const struct up_device *d);
/* Whether the roots of the open plan are there: a partition may be mounted late, and nothing is decided before.
 * Errors: UP_MISSING. */
UP_MUST_CHECK int up_device_find_roots(const struct up_device *d, struct up_error *err);
UP_MUST_CHECK int up_device_undo_tree(struct up_device *d, struct up_error *err);
/* The journal cannot be read: put back a tree that was changed. *step says how far the plan was. Errors: the
 * tree is not whole, or that cannot be told. */
UP_MUST_CHECK int up_device_put_back_alone(struct up_storage *storage, const struct up_config *config,
                                           const struct up_files_worker *worker, enum up_files_step *step,
                                           struct up_error *err);
/* The same, and may a script start? UP_STATELOST: the tree is not the old one, and run_mixed does not say
 * that this does not matter. */
UP_MUST_CHECK int up_device_fits_alone(struct up_storage *storage, const struct up_config *config,
                                       struct up_error *err);
/* What the open transaction changed in it, for people (files_changes.h); "": nothing, or it cannot be told. */
void up_device_tell_changes(const struct up_device *d, char *out, size_t len);
/* Look at the tree, and change nothing: the facts; d->tree, d->fixing and what else is as last seen. */
UP_MUST_CHECK int up_device_tree_facts(struct up_device *d, struct up_files_facts *out, struct up_error *err);
void up_device_see_tree(struct up_device *d);
/* What is to be done to the tree now, and how far its plan has come. */
UP_MUST_CHECK int up_device_look_at_tree(struct up_device *d, enum up_files_action *action,
                                         enum up_files_step *step, struct up_error *err);
/* Count one more start on trial, or return UP_ROLLEDBACK when they are used up: see up_device_trial_start(). */
UP_MUST_CHECK int up_device_count_start(struct up_device *d, enum up_start_action *action,
                                        struct up_error *err);
/* Whether the last start that was counted is one of `moult settle` (device_settle.h) in this boot. */
bool up_device_is_counted(const struct up_device *d);
/* The same, and it is used up. */
bool up_device_take_count(struct up_device *d);
/* `moult settle` counted the last start. */
void up_device_remember_count(const struct up_device *d);
/* There is no trial any more, and no restart to wait for. */
void up_device_forget_count(const struct up_device *d);
/* Whether this is the boot of the kernel in which the transaction was armed. */
bool up_device_same_boot(const struct up_device *d);
/* `next` has a verdict. Both slots use one tree, so from now on the other pair has the confirmed script and
 * files, too. */
void up_device_confirm_tree(struct up_journal_state *next);
/* Put the content of the part `files`, which is verified and at `path`, beside its targets; in the factory,
 * into its place. Errors: UP_UNTRUSTED, UP_INCOMPATIBLE, UP_MISSING, UP_NOSPACE, UP_WRITE; nothing is left
 * of it then. */
UP_MUST_CHECK int up_device_stage_files(struct up_device *d, const char *path, struct up_error *err);
/* The same for a transaction without that part: hotfixes with files that it ends are put back with its switch. */
UP_MUST_CHECK int up_device_stage_ends(struct up_device *d, struct up_error *err);
/* Record trouble. `updates`: they work all the same. The first trouble that stops updates stays. */
void up_device_has_trouble(struct up_device *d, unsigned pending, bool updates, const struct up_error *cause);
/* What `status` shows as the last outcome. */
void up_device_set_last(const struct up_device *d, struct up_journal_state *next, int code, const char *why);
/* A release is confirmed in `next`, with its `issued`. The time floor rises: at
 * most to a trusted clock, else to a clock that is not behind the floor, and by
 * at most a year. A trusted clock that is behind the floor lowers it: some
 * release was dated wrongly. */
void up_device_learn_time(const struct up_device *d, struct up_journal_state *next, uint64_t issued);
/* A floor from before form 3 had no bound: it is treated as if one release had set it. */
void up_device_bound_time(const struct up_device *d, struct up_journal_state *next);
/* The transaction of `next` was rolled back because it failed: record the strike. */
void up_device_quarantine(struct up_journal_state *next);
/* Releases that wait for up_device_judge() get their verdict. */
void up_device_close_verdicts(struct up_journal_state *next, bool reached);
void up_device_finish_free(struct up_device *d);
void up_device_source_free(struct up_device *d);
void up_device_forget_kept(struct up_device *d);
/* The pair whose generation is to run. */
const struct up_pair *up_device_pair(const struct up_device *d);
/* Whether what is armed or on trial is still signed by a trusted key, and in
 * the slot that it was armed in. Takes no time. Errors: UP_UNTRUSTED,
 * UP_INCOMPATIBLE. */
UP_MUST_CHECK int up_device_check_armed(struct up_device *d, struct up_error *err);
/* The same for the image in that slot, if nothing else identifies it; reads a piece for each call. */
UP_MUST_CHECK int up_device_check_image(struct up_device *d, struct up_error *err);
void up_device_check_free(struct up_device *d);
void up_device_image_free(struct up_device *d);
/* Digest of the first `size` bytes of the running slot; NULL while it is not known. */
const uint8_t *up_device_source_digest(const struct up_device *d, uint64_t size);

#endif
