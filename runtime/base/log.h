/*
 * log.h -- lines on stdout and stderr that never block.
 *
 * The reader may have stopped reading: a serial console after XOFF, a logger
 * that hangs, a full pipe, a reader that exited. What cannot be written at once
 * is dropped and counted; the number of lost lines is written to stderr with
 * the next line that gets through. A regular file is written as usual.
 */
#ifndef UP_LOG_H
#define UP_LOG_H

#include <stddef.h>

#define UP_LOG_LINE 4096 /* written at once: a pipe takes such a line whole or not at all */

/* Write a line, including its '\n', to descriptor 1 or 2; a line longer than
 * UP_LOG_LINE is cut. Never waits and never fails. The caller ignores SIGPIPE. */
void up_log_write(int descriptor, const char *line, size_t len);

/* A line on stderr, formatted as by printf, without '\n' at its end. */
void up_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
