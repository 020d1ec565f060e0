/*
 * host_commands.h -- commands that a script waits for: os.execute(), and pipes
 * of io.popen() that it reads from or closes.
 *
 * It cannot beat meanwhile, so that is noted (waits.h). The functions stay what
 * they are in Lua's manual.
 */
#ifndef UP_HOST_COMMANDS_H
#define UP_HOST_COMMANDS_H

#include <lua.h>

/* For a state with the standard libraries. May raise: no memory. */
void up_host_note_commands(lua_State *L);

#endif
