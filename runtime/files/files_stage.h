/*
 * files_stage.h -- how far a plan has been carried out: a record of two files
 * (record.h), which also names the plan, what was found, and what ran.
 */
#ifndef UP_FILES_STAGE_H
#define UP_FILES_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "error.h"
#include "record.h"
#include "storage.h"

enum up_files_step {
    UP_FILES_NONE,
    UP_FILES_STAGING,      /* .new files are being made; nothing live has changed */
    UP_FILES_STAGED,       /* all of them are complete */
    UP_FILES_SWITCHING,    /* what was there is on record; the tree is being changed */
    UP_FILES_SWITCHED,     /* the tree is new */
    UP_FILES_UNDOING,      /* the tree is being put back */
    UP_FILES_SWEEPING_NEW, /* the new tree stays; what is kept of the old one goes */
    UP_FILES_SWEEPING_OLD, /* the old tree stays */
    UP_FILES_STEPS
};

struct up_files_stage {
    enum up_files_step step;
    uint8_t plan[UP_SHA256_SIZE];  /* zeros at UP_FILES_NONE */
    uint8_t found[UP_SHA256_SIZE]; /* from UP_FILES_SWITCHING on */
    uint8_t ran[UP_SHA256_SIZE];   /* which programs ran before the first stop; zeros: nothing was stopped */
    char boot_id[37];              /* of the boot that stopped them, or else began to switch; "" before */
};

struct up_files_record {
    struct up_record record;
    char path[UP_PATH_SIZE];
};

/* `folder` is <state>/files, `name` that of the record in it. Errors: UP_USAGE path too long. */
UP_MUST_CHECK int up_files_stage_init(struct up_files_record *r, struct up_storage *s, const char *folder,
                                      const char *name, struct up_error *err);
/* UP_FILES_NONE when there is no record. Errors: those of up_record_read(). */
UP_MUST_CHECK int up_files_stage_read(struct up_files_record *r, struct up_files_stage *out,
                                      struct up_error *err);
/* Make both files of the record complete: later writes go over them, which needs no further space on
 * most file systems. Errors: those of up_record_tend() and up_record_create(). */
UP_MUST_CHECK int up_files_stage_prepare(struct up_files_record *r, struct up_error *err);
/* Durable when it returns 0. Errors: those of up_record_write(). */
UP_MUST_CHECK int up_files_stage_write(struct up_files_record *r, const struct up_files_stage *stage,
                                       struct up_error *err);
/* The same in both files, because a reader who finds only one file must not be misled by the step before:
 * before the tree is changed or put back, and before the traces of a plan are removed. */
UP_MUST_CHECK int up_files_stage_write_both(struct up_files_record *r, const struct up_files_stage *stage,
                                            struct up_error *err);
/* At or past the first change of the tree, and without a verdict. */
bool up_files_stage_is_between(enum up_files_step step);
/* "none", "staging", ... */
const char *up_files_stage_step_name(enum up_files_step step);

#endif
