/*
 * fixture.h -- small signed packages, made on any storage, for C checks.
 *
 * The same options give the same bytes: key, contents and sizes are functions
 * of them.
 */
#ifndef UP_FIXTURE_H
#define UP_FIXTURE_H

#include <stddef.h>

#include "index.h"
#include "manifest.h"

struct up_error;
struct up_storage;

#define UP_FIXTURE_BLOCK 4096u /* bytes of a block in every part */

struct up_fixture {
    const char *project;       /* NULL: "METER" */
    const char *product_key;   /* in clear; NULL: "k-123" */
    const char *hardware;      /* NULL: any */
    uint64_t sequence;         /* 0: 1 */
    const char *release;       /* NULL: the script's version, or VERSION-V<core> */
    const char *version;       /* the script's; NULL: "1.0.0" */
    bool script, core;         /* which parts there are */
    const char *files;         /* an update.ini: there is a part files; what it puts in place is made */
    const char *hotfix;        /* its version: the package is a hotfix "clock" for `base`, and nothing else */
    const char *fix_files;     /* the update.ini of a hotfix with files; what it puts in place is made */
    bool fix_plain;            /* a hotfix without Lua */
    const char *base;          /* range of versions of the script */
    const char *core_name;     /* NULL: "Luat_RDA8910" */
    uint64_t core_version;     /* 0: 1 */
    unsigned core_blocks;      /* 0: 4; the last one is short: half a block */
    unsigned script_files;     /* beside main.lua; 0: 2 */
    enum up_encoding encoding; /* UP_ZEROS: UP_RAW */
    unsigned seed;             /* other contents for the same versions */
    const void *image;         /* the core itself; NULL: made of the above */
    size_t image_size;
    const void *old; /* the core is packed as a delta against this; NULL: whole */
    size_t old_size;
    uint64_t not_after, issued;
    uint32_t deadline;
    const char *requires_core;
    uint64_t requires_version;
    const char *min_moult;
};

/* The key that signs every fixture: <dir>/fixture.key and <dir>/fixture.pub.
 * dir must exist. A second key, which signs nothing, has other = true:
 * <dir>/other.pub alone. */
int up_fixture_keys(struct up_storage *s, const char *dir, bool other, struct up_error *err);

/* Make the package at `path`. `work` is a directory that exists; what is made
 * in it is removed again. */
int up_fixture_pack(struct up_storage *s, const char *path, const char *work, const struct up_fixture *f,
                    struct up_error *err);

/* What lies in the core part of f: size in bytes, and content. The caller
 * frees it. NULL out of memory. */
uint8_t *up_fixture_core(const struct up_fixture *f, size_t *size);
/* The text of a file of the script: name is "main.lua" or "lib/partN.lua". */
void up_fixture_file(const struct up_fixture *f, const char *name, char *out, size_t room);

#endif
