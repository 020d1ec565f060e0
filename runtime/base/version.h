/*
 * version.h -- compare two versions.
 *
 * The order is that of SemVer, extended to versions as people write them: any
 * number of dotted numbers, of which missing ones count as 0 ("1.0" equals
 * "1.0.0", "1.10" is above "1.9"); a leading v is ignored. After `-` comes a
 * pre-release, which sorts below the version itself; numbers in its words are
 * compared as numbers: 1.0-rc2, 1.0-rc10, 1.0. After `+` comes a build, which
 * is ignored. Words in place of numbers compare byte by byte, their digits as
 * numbers. lua/update/version.lua does the same in Lua; both are checked
 * against the cases in spec/versions.txt.
 */
#ifndef UP_VERSION_H
#define UP_VERSION_H

#include <stdbool.h>

/* -1: a is lower; 0: equal; 1: a is higher. */
int up_version_compare(const char *a, const char *b);

/* Equal, and of the same build. */
bool up_version_same(const char *a, const char *b);

/* A range of versions: "A" (that one), ">=A", "<B" or ">=A <B". */
bool up_version_is_range(const char *text);
/* Whether a version lies in a range; false for what is no range. */
bool up_version_in(const char *version, const char *range);

#endif
