/*
 * asked.h -- what a played kernel was asked for, a call a line; one call may be refused.
 */
#ifndef ASKED_H
#define ASKED_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
    const char *refused; /* the line that this begins fails */
    char lines[16384];
} asked;

/* Note a call; -1 when it is the one that is refused. */
__attribute__((format(printf, 1, 2))) static int ask(const char *format, ...)
{
    size_t len = strlen(asked.lines);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(asked.lines + len, sizeof asked.lines - len - 1, format, arguments);
    va_end(arguments);
    if (asked.refused && strncmp(asked.lines + len, asked.refused, strlen(asked.refused)) == 0) {
        errno = EPERM;
        return -1;
    }
    strcat(asked.lines, "\n");
    return 0;
}

#endif
