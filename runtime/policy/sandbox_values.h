/*
 * sandbox_values.h -- the question of a policy as Lua values, and its answer as JSON.
 */
#ifndef UP_SANDBOX_VALUES_H
#define UP_SANDBOX_VALUES_H

#include <jansson.h>

#define UP_SANDBOX_VALUES_DEPTH 8     /* nested tables in an answer */
#define UP_SANDBOX_VALUES_MAX 8192    /* values in an answer */
#define UP_SANDBOX_VALUES_BYTES 60000 /* bytes of text in an answer */

struct lua_State;

/* Push a JSON value: integers are exact, null and its keys are absent. Raises
 * if it is nested deeper than 32, or out of memory. */
void up_sandbox_values_push(struct lua_State *L, const json_t *value);

/* Convert the value at `index` to JSON (a new reference) without metamethods.
 * Raises with a sentence if it contains something other than plain values, or
 * more than the limits above. */
json_t *up_sandbox_values_get(struct lua_State *L, int index);

#endif
