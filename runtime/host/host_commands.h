/*
 * host_commands.h -- other programs: those that a script waits for, by
 * os.execute() and pipes of io.popen(), and one that takes our place.
 *
 * A script that waits cannot beat meanwhile, so that is noted (waits.h). The
 * functions stay what they are in Lua's manual.
 */
#ifndef UP_HOST_COMMANDS_H
#define UP_HOST_COMMANDS_H

#include <lua.h>

/* For a state with the standard libraries. May raise: no memory. */
void up_host_note_commands(lua_State *L);

/* become(program, words): run the program in the place of this process, with an
 * array of words as its arguments. Returns only when that fails: nil, message,
 * code. */
int up_host_become(lua_State *L);

#endif
