/*
 * hotfix_ledger.h -- which hotfixes a device has, had, and will not take again:
 * one two-slot record (record.h) in <state>/hotfix, made with the first hotfix.
 *
 * Its entries stand in the order of application: a later one leads an earlier
 * one. A hotfix is led, that is, its Lua modules come before those of the
 * script, exactly while the ledger says so; a single write puts it in force or
 * out of it. So a cut leaves it in force or not, never in between:
 *
 *     testing -> fresh -> applied -> undone       by order, or after a cut
 *            \-> quarantined      \-> dropped     the release is none of its base
 *
 * An entry that was found `testing` when the device started lost its power: it is undone, and may
 * be tried once more. `fresh` is what no start of the script has shown yet.
 */
#ifndef UP_HOTFIX_LEDGER_H
#define UP_HOTFIX_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "manifest.h"

#define UP_HOTFIX_FORM 2
#define UP_HOTFIXES 64       /* entries, and names, at most */
#define UP_HOTFIX_ID_SIZE 17 /* of its folder: 16 hex digits of the manifest's digest, and NUL */
#define UP_HOTFIX_WHY_SIZE 120

/* Devices store these numbers. */
enum up_hotfix_state {
    UP_HOTFIX_TESTING = 2,
    UP_HOTFIX_FRESH = 3,
    UP_HOTFIX_APPLIED = 4,
    UP_HOTFIX_UNDONE = 6,
    UP_HOTFIX_DROPPED = 7,
    UP_HOTFIX_QUARANTINED = 8
};

struct up_hotfix {
    enum up_hotfix_state state;
    char id[UP_HOTFIX_ID_SIZE];
    char name[UP_HOTFIX_SIZE], version[UP_HOTFIX_SIZE];
    char base[UP_RELEASE_PARTS][UP_RANGE_SIZE];
    uint64_t sequence;
    uint64_t highest; /* highest sequence of that name that passed its test */
    uint64_t time;    /* of the last change, seconds since 1970 */
    uint8_t starts;   /* of the script while it is fresh */
    uint8_t cuts;     /* how often its test lost power */
    bool by_owner;    /* undone by order: it is not applied again */
    char why[UP_HOTFIX_WHY_SIZE];
    /* Form 2. */
    bool lua, files;              /* what it consists of; an older one has only Lua */
    bool ending;                  /* its files are being put back; the state says what it is until they are */
    char over[UP_HOTFIX_ID_SIZE]; /* the lower version whose files it replaced; "": none */
    bool ends;                    /* its files were put back by a release, on trial or confirmed: */
    uint8_t ends_with[32];        /* digest of its manifest; zeros: none */
};

struct up_hotfix_ledger {
    uint32_t form; /* the form read or written; 0: UP_HOTFIX_FORM */
    uint32_t count;
    uint8_t plan[32]; /* the last plan of files that the ledger accepted; form 2 */
    struct up_hotfix entry[UP_HOTFIXES];
};

struct up_storage;

/* "testing", "fresh", ... */
const char *up_hotfix_ledger_state_name(enum up_hotfix_state state);
/* Whether it is in force, or tried. */
static inline bool up_hotfix_ledger_is_active(const struct up_hotfix *h)
{
    return h->state <= UP_HOTFIX_APPLIED;
}

/* The tree of files is under way: a hotfix with files is on test, or files are being put back. */
bool up_hotfix_ledger_under_way(const struct up_hotfix_ledger *ledger);
/* The entry of that folder; NULL: there is none. */
struct up_hotfix *up_hotfix_ledger_find_id(struct up_hotfix_ledger *ledger, const char *id);
/* Whether its folder holds what a later one in force needs to be undone. */
bool up_hotfix_ledger_is_below(const struct up_hotfix_ledger *ledger, const struct up_hotfix *h);

/* Nobody signed it, and its bytes are for a handler of the script: there is nothing of ours to undo. */
static inline bool up_hotfix_ledger_is_opaque(const struct up_hotfix *h)
{
    return up_manifest_sequence_is_unsigned(h->sequence) && !h->lua && !h->files;
}

/* Whether it passed its test. */
static inline bool up_hotfix_ledger_is_in_force(const struct up_hotfix *h)
{
    return h->state == UP_HOTFIX_FRESH || h->state == UP_HOTFIX_APPLIED;
}

/* Without a record it is empty. Errors: UP_STATELOST; UP_INCOMPATIBLE a newer program wrote it; UP_WRITE. */
UP_MUST_CHECK int up_hotfix_ledger_read(struct up_hotfix_ledger *out, struct up_storage *s, const char *state,
                                        struct up_error *err);
/* Whether neither file holds a record: not one that only cannot be read at the moment. */
bool up_hotfix_ledger_is_lost(struct up_storage *s, const char *state);
/* The plan of files that it accepted last. A ledger that is lost for good accepted none. Errors: it cannot
 * be read now. */
UP_MUST_CHECK int up_hotfix_ledger_accepts(bool *accepts, bool *under_way, const uint8_t plan[32],
                                           struct up_storage *s, const char *state, struct up_error *err);
/* The same in both files, because a reader who finds only one must not be misled by what was before: before a plan of
 * files is staged, when it is accepted, and before a release puts files back. */
UP_MUST_CHECK int up_hotfix_ledger_write_both(const struct up_hotfix_ledger *ledger, struct up_storage *s,
                                              const char *state, struct up_error *err);
/* Write it to both again as it is: what was read may be a write that failed, and is on no medium. Errors: as
 * for the two. */
UP_MUST_CHECK int up_hotfix_ledger_repeat(struct up_storage *s, const char *state, struct up_error *err);
/* Durable when it returns 0. The folder <state>/hotfix exists. Errors: UP_WRITE, UP_NOSPACE, UP_STATELOST. */
UP_MUST_CHECK int up_hotfix_ledger_write(const struct up_hotfix_ledger *ledger, struct up_storage *s,
                                         const char *state, struct up_error *err);

/* See up_record_tend() and up_record_inspect(). Nothing is done, and both files are absent, without a hotfix ever. */
UP_MUST_CHECK int up_hotfix_ledger_tend(struct up_storage *s, const char *state, struct up_error *err);
struct up_record_view;
UP_MUST_CHECK int up_hotfix_ledger_inspect(struct up_storage *s, const char *state,
                                           struct up_record_view *out, struct up_error *err);

/* The newest entry with that name, and with that version unless it is NULL; NULL: there is none. */
struct up_hotfix *up_hotfix_ledger_find(struct up_hotfix_ledger *ledger, const char *name,
                                        const char *version);
/* The newest one of that name that is in force or tried; NULL: there is none. */
struct up_hotfix *up_hotfix_ledger_find_active(struct up_hotfix_ledger *ledger, const char *name);
/* The highest sequence of that name that ever passed; 0: none did. */
uint64_t up_hotfix_ledger_highest(const struct up_hotfix_ledger *ledger, const char *name);
/* Remove one. */
void up_hotfix_ledger_forget(struct up_hotfix_ledger *ledger, struct up_hotfix *h);
/* Make room for one more of that name: the last entry, zeroed. If all are taken, an ended one whose name has
 * another entry is removed. Errors: UP_NOSPACE. */
UP_MUST_CHECK int up_hotfix_ledger_add(struct up_hotfix_ledger *ledger, const char *name,
                                       struct up_hotfix **out, struct up_error *err);

#endif
