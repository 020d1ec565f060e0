/*
 * manifest.h -- the signed description of a package: read in manifest.c,
 * written in manifest_format.c.
 *
 * Parsed once, after its signature was verified, by jansson: duplicate keys,
 * depth over 8, real numbers, unknown keys or part kinds are refused. Strings
 * are bounded and free of control characters.
 *
 * A later addition to the format comes with a word in `needs`: a device that
 * does not know the word refuses the package, and says so before it complains
 * about any field. `meta` is for people, policy and servers; here it is only
 * bounded and passed on.
 *
 * No value in a signed manifest locks out the next release forever, even if it
 * was mistyped. `sequence`: above UP_SEQUENCE_FREE only with a permit, so that
 * nobody uses up the last number by accident. `issued`: bounded by what is
 * known of the time (up_device_learn_time()). `deadline`: 1 s to 7 days; a
 * shorter trial fails, and `moult rollback` ends a longer one. `not_after`,
 * `min_moult`, `requires`, `hardware`, `project` and the sizes, each bounded,
 * close a gate for this package and leave nothing behind. A script or core
 * version that is too high outweighs lower ones only in policy; a later package
 * says `override` "version", or comes with a permit.
 */
#ifndef UP_MANIFEST_H
#define UP_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define UP_MANIFEST_MAX 65536
#define UP_NAME_SIZE 65    /* project, core name: 64 characters and NUL */
#define UP_VERSION_SIZE 33 /* release, script version: 32 and NUL */
#define UP_HOTFIX_SIZE 17  /* name and version of a hotfix: 16 and NUL */
#define UP_RANGE_SIZE 70   /* ">=A <B" (version.h) and NUL */
#define UP_HARDWARE_MAX 16
#define UP_TEXT_SIZE 1025
#define UP_NEEDS_MAX 16    /* words in `needs` */
#define UP_OVERRIDE_MAX 16 /* rules in `override` */
#define UP_META_MAX 16384  /* bytes of `meta` as compact JSON */
#define UP_INDEX_MAX (16u << 20)
#define UP_HOTFIX_MAX (16u << 20)       /* bytes of a hotfix's content */
#define UP_PART_MAX ((uint64_t)8 << 30) /* parts are smaller than this in format 1 */
#define UP_BLOCK_MIN 4096u
#define UP_BLOCK_MAX (1u << 20)
#define UP_BLOCK_DEFAULT (256u << 10)

/* A device accepts a higher sequence only with a permit: after a mistyped
 * number near the end, nothing could follow. */
#define UP_SEQUENCE_FREE ((uint64_t)1 << 62)

/* An unsigned payload has no sequence. Where a number is needed, on record and in
 * memory, it is made from the payload's digest and one that no signed package can have. */
#define UP_SEQUENCE_UNSIGNED ((uint64_t)1 << 63)
static inline bool up_manifest_sequence_is_unsigned(uint64_t sequence)
{
    return (sequence & UP_SEQUENCE_UNSIGNED) != 0;
}
uint64_t up_manifest_sequence_unsigned(const uint8_t digest[32]);
/* Whether a floor rises to it once it is confirmed. */
static inline bool up_manifest_sequence_raises(uint64_t sequence, uint64_t floor)
{
    return sequence > floor && !up_manifest_sequence_is_unsigned(sequence);
}

/* Devices store these numbers. In a package the parts have another order: script, files, hotfix, core. */
enum up_part_kind { UP_SCRIPT, UP_CORE, UP_FILES, UP_HOTFIX, UP_PART_KINDS };
#define UP_RELEASE_PARTS 3 /* those that make a release; a hotfix is made for one */

struct up_keyring;

struct up_part {
    enum up_part_kind kind;
    uint64_t size;       /* decoded content, bytes */
    uint32_t block_size; /* power of two, UP_BLOCK_MIN to UP_BLOCK_MAX */
    uint64_t index_size; /* bytes of <part>.idx */
    uint8_t index_digest[32];
    uint64_t data_size; /* bytes of <part>.dat */
    bool delta;         /* made against a source: */
    uint64_t source_size;
    uint8_t source_digest[32];
    uint64_t source_version; /* of the source core, for people and servers */
};

struct up_manifest {
    uint8_t digest[32]; /* SHA-256 of the manifest's bytes: names the package */
    char project[UP_NAME_SIZE];
    char product_key[65]; /* lower-case SHA-256 hex of the key */
    char hardware[UP_HARDWARE_MAX][UP_VERSION_SIZE];
    unsigned hardware_count;       /* 0: any hardware */
    uint64_t sequence;             /* 1 to 2^63 - 1 */
    char release[UP_VERSION_SIZE]; /* "": up_manifest_release(); of a hotfix: "", or that of its base */
    char script_version[UP_VERSION_SIZE]; /* with a script part; else "" */
    char core_name[UP_NAME_SIZE];         /* with a core part; else "" */
    uint64_t core_version;
    char files_version[UP_VERSION_SIZE]; /* with a files part; else "" */
    /* With a hotfix part, which is then the only one; else "". */
    char hotfix_name[UP_HOTFIX_SIZE], hotfix_version[UP_HOTFIX_SIZE];
    bool hotfix_files;  /* it changes files, too */
    bool hotfix_opaque; /* of what nobody signed, and not in the text: it is one file, for a handler */
    char base[UP_RELEASE_PARTS][UP_RANGE_SIZE]; /* versions that it is made for, by part; "": any */
    char requires_core[UP_NAME_SIZE];           /* "" when nothing is required */
    uint64_t requires_version;
    char min_moult[UP_VERSION_SIZE]; /* "" when any */
    uint64_t issued;                 /* seconds since 1970; 0: not given */
    uint64_t not_after;              /* 0: never expires */
    uint32_t deadline;               /* seconds of a trial start; 0: the default of 600 */
    char override[UP_OVERRIDE_MAX]
                 [UP_VERSION_SIZE]; /* rules of policy to skip, never gates; policy knows them */
    unsigned override_count;
    char text[UP_TEXT_SIZE];
    char meta[UP_META_MAX + 1]; /* a compact object with sorted keys; "": there is none */
    unsigned part_count;
    struct up_part part[UP_PART_KINDS]; /* in package order */
};

/* "script", "core", "files" and "hotfix", also the stem of the member names. */
const char *up_manifest_part_name(enum up_part_kind kind);
/* The part of that kind; NULL: the package has none. */
const struct up_part *up_manifest_part(const struct up_manifest *m, enum up_part_kind kind);

/*
 * What the release is called on a device whose script is of this VERSION: a package
 * of files without a script need not say. "1.0.0-F080507": VERSION and the version of
 * its files; without a script, for which version is "", "F080507". Errors: UP_INCOMPATIBLE too long.
 */
UP_MUST_CHECK int up_manifest_release(const struct up_manifest *m, const char *version,
                                      char out[UP_VERSION_SIZE], struct up_error *err);

/* For messages: what is known of its name without a device. */
const char *up_manifest_name(const struct up_manifest *m);

/* Parse and check; fills m->digest too. Errors: UP_UNTRUSTED malformed;
 * UP_INCOMPATIBLE the format is newer than this program. */
UP_MUST_CHECK int up_manifest_parse(struct up_manifest *m, const char *text, size_t len,
                                    struct up_error *err);

/* The same of text that came from outside: its signature is verified first, and
 * last that the trusted comment names its sequence. In manifest_verify.c. */
UP_MUST_CHECK int up_manifest_verify(struct up_manifest *m, const struct up_keyring *ring, const char *text,
                                     size_t size, const char *sig, size_t sig_size, struct up_error *err);

/* The canonical text of m (sorted keys), freshly allocated; m->digest is not
 * used. The inverse of parse: parse(format(m)) is m again. Errors: UP_USAGE a
 * field is out of bounds; UP_INTERNAL. */
UP_MUST_CHECK int up_manifest_format(const struct up_manifest *m, char **out, size_t *len,
                                     struct up_error *err);

#endif
