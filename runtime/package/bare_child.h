/*
 * bare_child.h -- the confined process that unpacks a bare archive.
 *
 * Called by the host as `moult --unpack [USER]`, of a hotfix `--unpack-hotfix`, with the archive (a regular
 * file) on descriptor 0. libarchive runs here and nowhere else on a device. See
 * bare_unpack.h for the side that starts it.
 *
 * It writes records to descriptor 1: a letter, the number of bytes (32 bits,
 * little-endian, at most UP_BARE_RECORD), and those bytes.
 *
 *     N  a file begins: its name in the folder
 *     D  the next bytes of that file
 *     E  the end: the archive is valid
 *     X  it is not: the letter U (untrusted), C (corrupt) or I (internal), and a message
 */
#ifndef UP_BARE_CHILD_H
#define UP_BARE_CHILD_H

#include <stdbool.h>

#define UP_BARE_RECORD 65536u
#define UP_BARE_CPU 120 /* seconds of processor time */

/* `user`: the user to become, if run as root; NULL: stay. Exit code 0 after E. */
int up_bare_child_main(bool hotfix, const char *user);

#endif
