/*
 * sandbox.h -- the policy process: read one question, answer it, end.
 *
 * Called by the host as `moult --policy` with the question on descriptor 0 and
 * the answer expected on 1, nothing else open. See policy.h for the side that asks.
 */
#ifndef UP_SANDBOX_H
#define UP_SANDBOX_H

/* `lua` is the folder of our Lua modules; `user` whom to become, NULL: nobody
 * else. Never returns to Lua or user code with more rights than before. Exit
 * code 0 if an answer was written. */
int up_sandbox_main(const char *lua, const char *user);

#endif
