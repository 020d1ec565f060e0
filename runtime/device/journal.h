/*
 * journal.h -- what a device knows about itself, in one record.
 *
 * One value holds everything that must change together: what each slot
 * contains, floors, quarantine, and the open transaction. It is written as one
 * two-slot record (record.h), so any change is atomic.
 *
 * The record has a version, its form. A new Moult reads all earlier forms, and
 * writes the form it found as long as the device may still fall back to the
 * Moult that wrote it: from armed to the verdict. When the device is idle or
 * begins a transaction (up_device_save), it writes the newest form that the
 * Moult of every present pair reads (up_journal_form()). A pair records that
 * from form 4 on; one from before reads what it was written in.
 *
 *     1  slots, floors, quarantine, transaction, last outcome
 *     2  also the permit of the transaction, and the permits that were used
 *     3  also what each pair can be recognised by later: digest of its script,
 *        which slot it was armed in; when the clock was trusted; on how many days the release kept packages out;
 *        whether a release went back because no cloud answered it
 *     4  also files: their floor (and that of hotfixes), what of them a pair names, the generation that
 *        belongs to the tree, the plan of the transaction; and the form that the Moult of each pair reads
 */
#ifndef UP_JOURNAL_H
#define UP_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "error.h"
#include "manifest.h"
#include "storage.h"

#define UP_JOURNAL_FORM 4
#define UP_JOURNAL_FORM_FILES 4 /* the first with files */
#define UP_QUARANTINE_MAX 16
#define UP_PERMITS_MAX 64
#define UP_JOURNAL_CAPACITY 12288
#define UP_LAST_SIZE 200

enum up_phase {
    UP_IDLE,
    UP_FETCHING,
    UP_INSTALLING,
    UP_ARMING,
    UP_ARMED,
    UP_TRIAL,
    UP_CONFIRMING,
    UP_ROLLING_BACK,
    UP_PHASES
};

/* A SHA-256 that may be unknown. */
struct up_known_digest {
    bool known;
    uint8_t bytes[32]; /* zeros: not known */
};

/* What a slot contains: the core, and the generation that belongs to it. */
struct up_pair {
    bool present;       /* false: nothing that may be started */
    uint8_t digest[32]; /* of the manifest that last changed the pair */
    char release[UP_VERSION_SIZE];
    char core_name[UP_NAME_SIZE];
    uint64_t core_version;
    uint64_t core_size; /* bytes of the image in the slot */
    char script_version[UP_VERSION_SIZE];
    uint32_t generation; /* 0: none */
    /* Form 3; a pair from an older form has none of these. */
    struct up_known_digest script;   /* of the generation as a canonical tar */
    char identity[UP_IDENTITY_SIZE]; /* of the slot it was armed in; "": unknown */
    /* Form 4. */
    struct up_known_digest
        files; /* of the part's index, which names all of its content; not known: there is none */
    char files_version[UP_VERSION_SIZE]; /* "": none */
    uint32_t reads;                      /* form that its Moult reads; 0: not known, it was not idle yet */
};

/* What is recorded against a release that was rolled back. */
enum up_strike {
    UP_STRIKE_POWER = 1, /* it only lost power: one more try */
    UP_STRIKE_FAILED,    /* it is not installed again */
    /* No cloud answered it. Form 3: */
    UP_STRIKE_UNJUDGED, /* does one answer the old pair? See up_device_judge(); one more try meanwhile */
    UP_STRIKE_OUTAGE    /* none did: one more try */
};

struct up_quarantined {
    uint64_t sequence; /* 0: free entry */
    uint8_t parts;     /* bit per enum up_part_kind */
    uint8_t strikes;   /* enum up_strike */
    char project[UP_NAME_SIZE];
};

/* A permit, by what a device has to remember of it. */
struct up_permit_mark {
    uint8_t digest[32]; /* of the permit's bytes */
    uint64_t not_after; /* seconds since 1970; 0: none, a free entry */
};

struct up_transaction {
    uint32_t id; /* rises by one with each transaction */
    uint8_t parts;
    uint8_t target;      /* slot that receives the core */
    uint32_t generation; /* the pair's generation when this is confirmed */
    uint64_t sequence, issued;
    uint32_t deadline;   /* seconds of a trial start */
    struct up_pair pair; /* the result of the transaction */
    char project[UP_NAME_SIZE];
    char boot_id[37];             /* of the boot loader's boot, at arming */
    char fetch_id[37];            /* of the kernel's boot for which `hint` was true */
    uint64_t hint;                /* blocks in place, all parts, in package order */
    uint8_t starts;               /* of the script on trial */
    uint8_t failures;             /* starts that failed for a known reason */
    uint8_t restarts;             /* requested without reaching the slot that the boot loader should choose */
    bool failed;                  /* rolling back because the release is bad */
    bool unreached;               /* or because no cloud answered it; form 3 */
    bool let_in;                  /* by the policy of the release that ran then; form 3 */
    struct up_permit_mark permit; /* what it began with; form 2 */
    char why[UP_LAST_SIZE];
    /* Form 4. */
    struct up_known_digest plan; /* of files; not known: it changes none */
    bool restart;                /* they are switched after a restart of the device ... */
    char armed_boot[37];         /* ... that is in another boot of the kernel than this one */
};

/* Days on which a package passed every gate and the running release kept it
 * out: its policy refused it, or its script dropped it. */
struct up_kept_out {
    uint32_t days;
    uint64_t day;     /* the last one counted, since 1970 in UTC; 0: the clock was not set */
    uint64_t uptime;  /* of the system at that time, seconds */
    char boot_id[37]; /* of the kernel's boot at that time */
};

struct up_last {
    int32_t code; /* UP_OK, UP_ROLLEDBACK, ... */
    uint64_t sequence, time;
    char message[UP_LAST_SIZE];
};

/* By enum up_part_kind; the last is for hotfixes. */
#define UP_FLOORS 4

struct up_journal_state {
    uint32_t form; /* the form read or written; 0: UP_JOURNAL_FORM */
    enum up_phase phase;
    struct up_pair slot[UP_SLOTS];
    uint64_t floor[UP_FLOORS]; /* by part kind */
    uint64_t issued;           /* the time floor: newest confirmed, bounded; see up_device_learn_time() */
    uint32_t next_generation, next_transaction;
    struct up_quarantined quarantine[UP_QUARANTINE_MAX]; /* newest first */
    struct up_transaction tx;                            /* valid unless idle */
    struct up_permit_mark used[UP_PERMITS_MAX];          /* by confirmed releases; form 2 */
    bool has_last;
    struct up_last last;
    /* Form 3. */
    uint64_t proven;       /* newest time shown by a trusted clock; 0: none */
    uint64_t permits_over; /* latest expiry among the used permits that were forgotten; 0: none */
    struct up_kept_out kept_out;
    /* Form 4. */
    uint32_t tree; /* generation that belongs to the tree of files; 0: the device has none */
};

struct up_storage;
struct up_journal; /* the open record; released with up_journal_close() */

const char *up_journal_phase_name(enum up_phase phase);

/*
 * The newest form that the Moult of every present pair reads. It never goes
 * back, and is at least 3: an older form would forget used permits.
 */
uint32_t up_journal_form(const struct up_journal_state *s);

/* Whether a release was confirmed by this permit before. */
bool up_journal_permit_used(const struct up_journal_state *s, const uint8_t digest[32]);
/* Whether one more can be remembered at `time`: an entry is free, or its permit has expired. */
bool up_journal_permit_room(const struct up_journal_state *s, uint64_t time);
/* Remember a used permit. If no entry is free, it replaces the one that expired
 * first (up_journal_permit_room()). `permits_over` keeps a clock that is set
 * back from making that one valid again. */
void up_journal_permit_remember(struct up_journal_state *s, const struct up_permit_mark *mark);

/* `state_dir` is copied. Does not open anything yet. Errors: UP_INTERNAL. */
UP_MUST_CHECK int up_journal_open(struct up_journal **out, struct up_storage *storage, const char *state_dir,
                                  struct up_error *err);
/* The record's second file is in `dir`, which is copied; NULL: beside the
 * first. A second file that is still beside the first is read, and moves when
 * it is written. Errors: UP_USAGE too long. */
UP_MUST_CHECK int up_journal_second(struct up_journal *j, const char *dir, struct up_error *err);
void up_journal_close(struct up_journal *j);
/* The last step of provisioning: see up_record_create(). Errors: UP_WRITE, UP_NOSPACE. */
UP_MUST_CHECK int up_journal_create(struct up_journal *j, const struct up_journal_state *first,
                                    struct up_error *err);
/* Errors: UP_NOTHING not provisioned; UP_STATELOST; UP_INCOMPATIBLE written by
 * a newer form; UP_WRITE. */
UP_MUST_CHECK int up_journal_read(struct up_journal *j, struct up_journal_state *out, struct up_error *err);
UP_MUST_CHECK int up_journal_write(struct up_journal *j, const struct up_journal_state *s,
                                   struct up_error *err);
/* See up_record_tend() and up_record_inspect(). */
UP_MUST_CHECK int up_journal_tend(struct up_journal *j, struct up_error *err);
struct up_record_view;
UP_MUST_CHECK int up_journal_inspect(struct up_journal *j, struct up_record_view *out, struct up_error *err);

/* Encode a state in the form that it names, and decode it. decode refuses what
 * encode cannot have written (UP_CORRUPT, or UP_INCOMPATIBLE for a newer form). */
size_t up_journal_encode(const struct up_journal_state *s, uint8_t out[UP_JOURNAL_CAPACITY]);
UP_MUST_CHECK int up_journal_decode(struct up_journal_state *s, const uint8_t *in, size_t len,
                                    struct up_error *err);

#endif
