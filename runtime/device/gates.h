/*
 * gates.h -- whether this package may be installed on this device at all.
 *
 * Checked on the signed manifest, before policy and again before arming. Pure:
 * everything that matters is an argument, so the answer can be explained
 * without a device. Policy can request this report but not change it.
 */
#ifndef UP_GATES_H
#define UP_GATES_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "journal.h"
#include "manifest.h"

struct up_hotfix_ledger;
struct up_permit;

struct up_gate_line {
    const char *gate; /* "project", "floor", ...; static */
    bool open;
    int code;       /* why closed; UP_OK when open */
    char text[256]; /* one clause: what was compared */
};

#define UP_GATES_MAX 14
struct up_gate_report {
    unsigned count;
    bool permitted;                 /* a permit holds: policy skips its rule `version` */
    bool repairs;                   /* it is the release that runs, whose script is damaged */
    const struct up_permit *permit; /* the one that applies; else NULL */
    struct up_gate_line line[UP_GATES_MAX];
};

struct up_gate_facts {
    const struct up_config *config;
    const struct up_journal_state *state;
    unsigned running;               /* slot */
    uint64_t time;                  /* seconds since 1970, see up_device_time() */
    const char *version;            /* of this program */
    uint64_t free_bytes;            /* in the file system of the state directory */
    uint64_t need_bytes;            /* up_gate_space() */
    uint64_t slot_size;             /* capacity of the slot that is not running; UINT64_MAX unbounded */
    const struct up_permit *permit; /* the verified current one; or NULL */
    bool core_left_out;             /* the core of the package is not taken */
    bool files_left_out;            /* its files are not taken */
    const char *files_root;         /* the root with the least room; NULL: there is none */
    uint64_t files_free;            /* bytes in its file system */
    int source_mounted;             /* for a delta: the enum up_mounted of the running slot, or -1 */
    const uint8_t *source_digest;   /* of as many bytes of it as the source has; NULL: not known */
    const struct up_hotfix_ledger *ledger; /* for a hotfix; NULL: it cannot be read ... */
    struct up_error ledger_why;            /* ... because of this */
    bool damaged;   /* it is the release that runs, and files of its script are not as signed */
    bool same_open; /* the open transaction is for this manifest: it does not block itself */
};

/* Bytes that an install takes in the state directory: spool, generation and head, plus a tenth. */
uint64_t up_gate_space(const struct up_manifest *m);

/* 0 if every gate is open, else the code of the first closed one, with its
 * sentence in err. *report has a line for every gate in any case. */
UP_MUST_CHECK int up_gates_ask(struct up_gate_report *report, const struct up_manifest *m,
                               const struct up_gate_facts *facts, struct up_error *err);

#endif
