/*
 * moult_private.h -- the connection below moult.h, between moult.c and moult_calls.c.
 */
#ifndef MOULT_PRIVATE_H
#define MOULT_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>

#include "moult.h"

/* Send a request and wait for the answer: *result is a new reference, or NULL after a failure.
 * The reference to `fields` is stolen; it may be NULL. */
int moult_call(struct moult *m, const char *verb, json_t *fields, json_t **result, int timeout);

/* Whether the agent answered the last call: MOULT_NOTHING may also mean that there is no agent. */
bool moult_answered(const struct moult *m);

/* For vendors' calls, which name no socket: $MOULT_CONTROL, else the default path. NULL: no memory. */
struct moult *moult_open_usual(void);

/* Set the message of a failure; returns code. */
int moult_fail(struct moult *m, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
