/*
 * pack_input.h -- one part of a package that is made: where its content comes from, and its index.
 *
 *     open -> prepare until 0 -> read, front to back -> close
 *
 * A delta is not read: once it is prepared, its blocks come from `delta`.
 */
#ifndef UP_PACK_INPUT_H
#define UP_PACK_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bare_files.h"
#include "delta_blocks.h"
#include "error.h"
#include "index.h"
#include "manifest.h"
#include "pack.h"
#include "script_archive.h"
#include "source.h"
#include "storage.h"
#include "tree_tar.h"

struct up_pack_input {
    struct up_storage *storage;
    enum up_encoding encoding;
    struct up_tree_tar *tree; /* for script, files or hotfix */
    struct up_source *source; /* for a whole core */
    struct up_delta_blocks *delta;
    bool ready;                      /* the delta's images are compared */
    uint64_t compared;               /* of a delta: content bytes, for progress */
    const char *unpacked;            /* the folder made of an archive with files, removed by close; or NULL */
    struct up_files_blanks blanks;   /* of files */
    struct up_script_archive hotfix; /* its content is checked as it is read */
    uint8_t *index;                  /* the whole .idx */
    struct up_index_head head;
    uint64_t data_at; /* of its blocks in OUT.data */
};

/* Add the next part to `m`, with what is known before it is encoded, and its `from` as `in`, which is zeroed
 * and is closed also after an error. An archive with files is unpacked as the folder `unpack_to`, which must
 * outlive `in`. Errors: those of up_pack_open(). */
UP_MUST_CHECK int up_pack_input_open(struct up_pack_input *in, struct up_manifest *m, enum up_part_kind kind,
                                     const struct up_pack_part *from, struct up_storage *storage,
                                     const char *unpack_to, struct up_error *err);

/* Compare the images of a delta, and set its source's digest: UP_AGAIN, or 0 when its blocks can be made. */
UP_MUST_CHECK int up_pack_input_prepare(struct up_pack_input *in, struct up_part *part, struct up_error *err);

/* The next `len` bytes of content, at `offset`. Errors: UP_USAGE a core became shorter, or a device would
 * refuse this content of a hotfix; those of the source. */
UP_MUST_CHECK int up_pack_input_read(struct up_pack_input *in, const struct up_part *part, uint64_t offset,
                                     uint8_t *out, size_t len, struct up_error *err);

/* Release what a delta was made from: its images are large. */
void up_pack_input_end(struct up_pack_input *in);
void up_pack_input_close(struct up_pack_input *in);

#endif
