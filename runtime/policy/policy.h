/*
 * policy.h -- ask the policy process one question.
 *
 * Policy runs in a fresh process of the host with nothing but two pipes
 * (runtime/policy/sandbox.c). This side starts it, writes the question, reads
 * the answer, and kills it after 2 s. It never waits: poll the fd.
 * policy_last_good.c keeps the text of each policy that last gave an answer.
 */
#ifndef UP_POLICY_H
#define UP_POLICY_H

#include <stddef.h>

#include "error.h"

#define UP_POLICY_ANSWER_MAX 65536
#define UP_POLICY_QUESTION_MAX (1u << 20)
#define UP_POLICY_WALL_MS 2000

struct up_storage;
struct up_policy; /* one running question */

/* The sources of a question, besides the default: named in its answer, and the
 * file names under which the last good text of each is kept. */
#define UP_POLICY_NAME_MAX 32 /* bytes; lower-case letters */
#define UP_POLICY_TEXT_MAX (256u << 10)

/*
 * Start `program` (the host) as the policy process under the user name `user`
 * (NULL, or if we are not root: unchanged) and pass it the question, one JSON
 * text. The caller must not let SIGPIPE end it. Errors: UP_INTERNAL cannot
 * start; UP_USAGE question too long.
 */
UP_MUST_CHECK int up_policy_start(struct up_policy **out, const char *program, const char *user,
                                  const char *question, size_t len, struct up_error *err);
int up_policy_fd(const struct up_policy *p);                   /* readable if there is something to do */
int up_policy_wants_write(const struct up_policy *p, int *fd); /* and the descriptor to watch for it */
/* Milliseconds until it is killed; 0: now. */
int up_policy_remaining(const struct up_policy *p);
/* The answer's length with *answer NUL-terminated and owned by p; UP_AGAIN; or
 * UP_REFUSED with the reason: killed for time, for memory (rlimit) or by the
 * system call filter, no answer, answer too long. */
UP_MUST_CHECK long up_policy_step(struct up_policy *p, const char **answer, struct up_error *err);
/* The process, for logs; step or close ends and reaps it. */
long up_policy_pid(const struct up_policy *p);
void up_policy_close(struct up_policy *p); /* kills and reaps */

/*
 * Keep the last text of a policy that loaded and answered, with its digest, in
 * <state>/policy/good/<name>, so that a text torn by a power cut is not taken
 * for a policy. It is kept complete and durable, or not at all. Errors:
 * UP_USAGE invalid name, text too long; UP_NOSPACE, UP_WRITE.
 */
UP_MUST_CHECK int up_policy_keep(struct up_storage *storage, const char *state, const char *name,
                                 const char *text, size_t len, struct up_error *err);
/* *text is allocated and NUL-terminated; the caller frees it.
 * Errors: UP_MISSING none kept; UP_CORRUPT; UP_USAGE; UP_INTERNAL. */
UP_MUST_CHECK int up_policy_kept(struct up_storage *storage, const char *state, const char *name, char **text,
                                 size_t *len, struct up_error *err);

#endif
