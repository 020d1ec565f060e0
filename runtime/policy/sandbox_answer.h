/*
 * sandbox_answer.h -- check that what a policy returned is a valid answer.
 *
 * A policy may return anything. What passes here has the shape documented at
 * the head of lua/update/policy.lua, on which the asking side may rely. Unknown
 * fields are kept and ignored.
 */
#ifndef UP_SANDBOX_ANSWER_H
#define UP_SANDBOX_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define UP_SANDBOX_RETRY_MAX (366 * 86400) /* seconds */

/* The names of the arguments of decide, choose or healthy in a question,
 * NULL-terminated; NULL: another word. */
const char *const *up_sandbox_answer_arguments(const char *word);

/*
 * Check the two values that the function `word` of policy `name` (NULL: the
 * default) returned (JSON null for nil; takes both references). *answer and
 * *tree are new references for the reply. False, with a sentence in why[len],
 * if they are not valid.
 */
bool up_sandbox_answer_check(const char *word, const char *name, const json_t *question, json_t *first,
                             json_t *second, json_t **answer, json_t **tree, char *why, size_t len);

#endif
