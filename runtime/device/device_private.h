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
 *   install.c            begin, abandon; install_finish.c from verified blocks in place to armed
 *   trial.c              boots, trial, confirmation; rollback.c the way back
 *   provision.c, provision_end.c      the factory
 */
#ifndef UP_DEVICE_PRIVATE_H
#define UP_DEVICE_PRIVATE_H

#include "boot.h"
#include "device.h"
#include "error.h"
#include "slot.h"

#define UP_PROVISIONING "provisioning" /* in the state while the factory makes a device */
#define UP_DEVICE_ANYHOW 4u            /* to open: without the lock or the boot variables if need be */

struct up_permit;
struct up_source_check; /* the running slot while it is hashed */
struct up_finish;       /* where up_device_finish() stands */
struct up_script_check; /* where up_device_inspect() stands */
struct up_image_check;

/* What the running slot held when it was hashed. */
struct up_known_source {
    uint64_t size; /* bytes from its start; 0: nothing is known */
    uint8_t slot;
    uint8_t digest[32];
};

/* What of a start is still to be done; bits. */
enum up_pending {
    UP_PENDING_LOCK = 1,   /* the lock could not be taken: nothing is written */
    UP_PENDING_KEYS = 2,   /* the files of the set of keys are behind */
    UP_PENDING_SELECT = 4, /* the boot loader was not asked, or its answer not noted */
    UP_PENDING_RESUME = 8, /* the phase is not where it should be */
    UP_PENDING_WRITE = 16, /* something of a phase that is ours was not written */
    UP_PENDING_CLEAN = 32  /* leftovers */
};

/* What transfers of the open transaction leave for later; each may be NULL. */
struct up_kept {
    uint32_t transaction;
    struct up_reuse *reuse;
    struct up_block_mac *seal[UP_PART_KINDS];
};

struct up_device {
    struct up_storage *storage;
    const struct up_config *config; /* the caller's, outlives the device */
    struct up_journal *journal;
    struct up_boot *boot;
    struct up_boot_state boot_state; /* as last read or written */
    bool boot_unsure;                /* a write of it failed, and may have happened all the same */
    bool boot_lost;                  /* it cannot be read: `running` may be a guess, the rest is nothing */
    bool running_known;              /* the loader said so, boot_lost or not */
    bool uncounted;                  /* see up_device_uncounted() */
    unsigned pending;                /* enum up_pending */
    struct up_trouble trouble;
    struct up_journal_state state; /* as last read or written */
    bool provisioning;             /* nothing is on record yet */
    bool runs_slot;                /* while provisioning: we were started from the running slot */
    bool fresh;                    /* see up_device_take_fresh() */
    int lock;                      /* -1 when not held by us */
    struct up_permit *permit;      /* at hand, verified; or NULL */
    struct up_finish *finish;      /* NULL when not under way */
    enum up_read_back read_back;   /* of the parts, the least sure way */
    bool witnessed;                /* see up_device_witness() */
    uint64_t witnessed_origin;     /* of the monotonic clock, by the system clock then */
    bool let_in;                   /* see up_device_let_in() */
    struct up_known_source source;
    struct up_source_check *source_check; /* NULL when not under way */
    struct up_kept kept;
    struct up_script_check *script_check; /* NULL when not under way */
    struct up_image_check *image_check;   /* NULL when not under way */
    uint32_t image_checked;               /* transaction whose image was read by this process */
    uint32_t mended;                      /* generation whose <n>.mend is ready; 0: none */
    uint32_t broken, instead; /* generation that cannot be mended, and which runs instead; 0: none */
};

/* A device that nothing was read of yet; to be closed even when this fails. */
UP_MUST_CHECK int up_device_allocate(struct up_device **out, struct up_storage *storage,
                                     const struct up_config *config, struct up_error *err);
/* Whether a file is in the state; whether it surely is not. */
bool up_device_has_file(const struct up_device *d, const char *name);
bool up_device_lacks_file(const struct up_device *d, const char *name);
/* The journal cannot be read, and err says so (UP_NOTHING, UP_STATELOST): no
 * device yet, UP_USAGE, or one that was lost, UP_STATELOST; UP_WRITE: a device may
 * be here all the same, since a file of the journal could not be read. */
UP_MUST_CHECK int up_device_without_journal(const struct up_device *d, struct up_error *err);
/* The factory's end: boot record, history, and the first journal record last. */
UP_MUST_CHECK int up_device_commit_provision(struct up_device *d, struct up_error *err);
/* While idle: make anew what is missing of the records, finish what
 * provisioning left. As well as can be; what cannot be done, doctor tells. */
void up_device_tend(struct up_device *d);
/* Write `next` and take it over; on failure the old state stays. While
 * provisioning it is only taken over. The record keeps its form from armed to
 * the verdict: see journal.h. */
UP_MUST_CHECK int up_device_save(struct up_device *d, const struct up_journal_state *next,
                                 struct up_error *err);
/* Append to the history; what goes wrong with it is not an error. */
void up_device_note(struct up_device *d, const char *event, int code, const char *release, uint64_t sequence,
                    const char *message);
/* The same in the place of the newest event, when that is one of this name and release. */
void up_device_note_again(struct up_device *d, const char *event, const char *release, const char *message);
/* One boot-variable write, taken over when it succeeded. */
UP_MUST_CHECK int up_device_set_boot(struct up_device *d, const struct up_boot_state *next,
                                     struct up_error *err);
/* The same once more, so that both copies of the loader's variables know a
 * verdict; as well as can be. */
void up_device_repeat_boot(struct up_device *d);
/* <state>/lock. Errors: UP_BUSY; UP_USAGE no state; UP_WRITE, ... */
UP_MUST_CHECK int up_device_take_lock(struct up_device *d, struct up_error *err);
/* Read the boot loader's variables. When they cannot be read: trouble the first
 * time, an error later, when what was read before still stands. */
UP_MUST_CHECK int up_device_read_boot(struct up_device *d, struct up_error *err);
/* Ask the boot loader which slot it started, or play it. */
UP_MUST_CHECK int up_device_select_slot(struct up_device *d, struct up_error *err);
/* Take `target` out of the order, not good, no tries; unless it is known to be so. */
UP_MUST_CHECK int up_device_disarm(struct up_device *d, unsigned target, struct up_error *err);
/* One write: target first in the order, with all its tries. */
UP_MUST_CHECK int up_device_arm_boot(struct up_device *d, struct up_error *err);
/* Whether the running slot is the one that the transaction is about. */
bool up_device_on_target(const struct up_device *d);
/* The phase goes on: boots, verdicts. */
UP_MUST_CHECK int up_device_resume(struct up_device *d, enum up_start_action *action, struct up_error *err);
/*
 * From arming, armed, trial or confirming to the old pair, as far as this boot
 * can. code: UP_ROLLEDBACK the release failed; UP_OK it was asked for; else what
 * stood in the way. On failure the phase may be rolling_back; *action holds.
 */
UP_MUST_CHECK int up_device_give_up(struct up_device *d, int code, const char *why,
                                    enum up_start_action *action, struct up_error *err);
/* From phase rolling_back: go on as far as this boot can. */
UP_MUST_CHECK int up_device_resume_rollback(struct up_device *d, enum up_start_action *action,
                                            struct up_error *err);
/* Whether another restart may be asked for; counts it. */
UP_MUST_CHECK int up_device_count_restart(struct up_device *d, bool *may, struct up_error *err);
/* Nothing can be noted of the slot on trial: take it out of the boot loader's
 * order; *action says whether a restart leads away from it. */
void up_device_take_out(struct up_device *d, enum up_start_action *action);
/* Why, in err, a start on trial is not counted: nothing is confirmed of what
 * cannot be counted, and it must not go on for ever. Returns err->code. */
int up_device_not_counted(struct up_device *d, enum up_start_action *action, struct up_error *err);
/* The cause in err becomes that of a start on trial that cannot be counted. */
int up_device_say_uncounted(const struct up_device *d, struct up_error *err);
/* Something did not work; updates: they do all the same. The first one that
 * stops updates stays. */
void up_device_has_trouble(struct up_device *d, unsigned pending, bool updates, const struct up_error *cause);
/* What `status` shows as the last outcome. */
void up_device_set_last(const struct up_device *d, struct up_journal_state *next, int code, const char *why);
/* A release is confirmed in `next`, issued as it says: the time floor rises, at
 * most to a clock that is trusted, else to one that is not behind the floor, and
 * by at most a year. A trusted clock that is behind the floor lowers it: some
 * release was dated wrongly. */
void up_device_learn_time(const struct up_device *d, struct up_journal_state *next, uint64_t issued);
/* A floor of before form 3 had no bound: it is taken for the word of one release. */
void up_device_bound_time(const struct up_device *d, struct up_journal_state *next);
/* The transaction of `next` went back because it failed: what is held against it. */
void up_device_quarantine(struct up_journal_state *next);
/* Releases that wait for up_device_judge() have their verdict. */
void up_device_close_verdicts(struct up_journal_state *next, bool reached);
void up_device_finish_free(struct up_device *d);
void up_device_source_free(struct up_device *d);
void up_device_forget_kept(struct up_device *d);
/* The pair whose generation is to run. */
const struct up_pair *up_device_pair(const struct up_device *d);
/* What is armed or on trial: still signed by a trusted key, in the slot that it
 * was armed in. Takes no time. Errors: UP_UNTRUSTED, UP_INCOMPATIBLE. */
UP_MUST_CHECK int up_device_check_armed(struct up_device *d, struct up_error *err);
/* And the image in that slot, when nothing else tells who it is; a piece a call. */
UP_MUST_CHECK int up_device_check_image(struct up_device *d, struct up_error *err);
void up_device_check_free(struct up_device *d);
void up_device_image_free(struct up_device *d);
/* Of the first `size` bytes of the running slot; NULL while that is not known. */
const uint8_t *up_device_source_digest(const struct up_device *d, uint64_t size);

#endif
