/*
 * version.h -- which of two versions is higher.
 *
 * The order is that of SemVer, for versions as people write them: any number
 * of dotted numbers, missing ones count as 0 ("1.0" equals "1.0.0", "1.10" is
 * above "1.9"), a leading v means nothing. What follows a `-` is a
 * pre-release, below the version itself, and numbers in its words count as
 * such: 1.0-rc2, 1.0-rc10, 1.0. What follows a `+` names a build and does not
 * count. Words in the place of numbers compare byte by byte, and their
 * numbers as numbers. lua/update/version.lua says the same in Lua;
 * spec/versions.txt is the table of cases that both are checked with.
 */
#ifndef UP_VERSION_H
#define UP_VERSION_H

#include <stdbool.h>

/* -1 a is lower, 0 neither, 1 a is higher. */
int up_version_compare(const char *a, const char *b);

/* Neither is higher, and they are of the same build. */
bool up_version_same(const char *a, const char *b);

#endif
