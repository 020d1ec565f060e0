/*
 * moult_private.h -- the connection below moult.h, between moult.c and moult_calls.c.
 */
#ifndef MOULT_PRIVATE_H
#define MOULT_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "moult.h"

/* Ask, and wait for the answer: *result is a new reference, or NULL after a failure.
 * `fields` is stolen, and may be NULL. */
int moult_call(struct moult *m, const char *verb, json_t *fields, json_t **result, int timeout);

/* Whether the agent said how the last call ended: its "nothing" is not that there is no agent. */
bool moult_answered(const struct moult *m);

/* For calls of vendors, which name no socket: $MOULT_CONTROL, else that of the packages. NULL: no memory. */
struct moult *moult_open_usual(void);

/* Note a failure: returns code. */
int moult_fail(struct moult *m, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
