/*
 * log.h -- lines on stdout and stderr that stop nobody.
 *
 * Whoever reads them may have stopped reading: a serial console after XOFF, a
 * logger that hangs, a full pipe, a reader that is gone. What cannot be
 * written at once is dropped and counted; how many lines that were is said on
 * stderr with the next one that can be. A regular file is written as usual.
 */
#ifndef UP_LOG_H
#define UP_LOG_H

#include <stddef.h>

#define UP_LOG_LINE 4096 /* bytes that are written at once: a pipe takes them whole or not at all */

/* Write a whole line, its '\n' with it, to descriptor 1 or 2; of a longer one
 * than UP_LOG_LINE the beginning. Never waits and never fails. The
 * caller ignores SIGPIPE. */
void up_log_write(int descriptor, const char *line, size_t len);

/* A line on stderr, formatted as by printf, without '\n' at its end. */
void up_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
