/*
 * host_commands.h -- other programs: those that a script waits for, with
 * os.execute() and pipes of io.popen(), and one that replaces this process.
 *
 * A script that waits cannot send heartbeats meanwhile, so the wait is noted
 * (waits.h). The functions behave as in Lua's manual.
 */
#ifndef UP_HOST_COMMANDS_H
#define UP_HOST_COMMANDS_H

#include <lua.h>

/* For a state with the standard libraries. May raise if out of memory. */
void up_host_commands_note(lua_State *L);

/* become(program, words): execute the program in place of this process, with an
 * array of words as its arguments. Returns only on failure: nil, message, code. */
int up_host_commands_become(lua_State *L);

#endif
