/*
 * update.native.channel -- lines over Unix sockets.
 *
 *     local listener = assert(channel.listen("state/control"))   -- mode 0600
 *     local peer = listener:accept()         -- channel | nil, text, "again"
 *     peer:send("hello")                     -- queued; sent at once if possible
 *     local line, why, code = peer:receive() -- line | nil, text, "again" | "nothing"
 *
 * Nothing waits: give fd() to loop:poll, and watch for writing while
 * wants_write().
 */
#include "channel.h"
#include "listener.h"

#include "error.h"
#include "helpers.h"
#include "peer.h"
#include "preload.h"
#include "rights.h"

#define LISTENER "update.native.channel.listener"
#define CHANNEL "update.native.channel"

struct listener_handle {
    struct up_listener *listener; /* NULL once closed, and while opening */
};

struct channel_handle {
    struct up_channel *channel; /* NULL once closed, and while opening */
};

static struct up_listener *check_listener(lua_State *L)
{
    struct listener_handle *h = luaL_checkudata(L, 1, LISTENER);

    if (!h->listener)
        luaL_error(L, "attempt to use a closed listener");
    return h->listener;
}

static struct up_channel *check_channel(lua_State *L)
{
    struct channel_handle *h = luaL_checkudata(L, 1, CHANNEL);

    if (!h->channel)
        luaL_error(L, "attempt to use a closed channel");
    return h->channel;
}

static struct channel_handle *new_channel(lua_State *L)
{
    struct channel_handle *h = lua_newuserdatauv(L, sizeof *h, 0);

    h->channel = NULL;
    luaL_setmetatable(L, CHANNEL);
    return h;
}

/* listen(path [, {user, group}]) -> listener | nil, message, code ("busy": somebody listens there)
 * Mode 0600; with `user`, a name, the socket belongs to that user; with `group`
 * to that group, mode 0660. */
static int f_listen(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    const char *user = NULL, *group = NULL;
    struct up_access access = {0};
    struct up_rights rights;
    struct listener_handle *h;
    struct up_error err;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        user = up_field_string(L, 2, "user", NULL);
        group = up_field_string(L, 2, "group", NULL);
    }
    h = lua_newuserdatauv(L, sizeof *h, 0);
    h->listener = NULL;
    luaL_setmetatable(L, LISTENER);
    access.has_user = user != NULL;
    access.has_group = group != NULL;
    if ((user && up_rights_find(&rights, user, NULL, &err) < 0) ||
        (group && up_rights_group(&access.group, group, &err) < 0))
        return up_push_fail(L, &err);
    access.user = user ? rights.uid : 0;
    if (up_listener_open(&h->listener, path, user || group ? &access : NULL, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* connect(path) -> channel | nil, message, code ("nothing": nobody listens; "refused": not for us;
 * "busy": try again) */
static int f_connect(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    struct channel_handle *h = new_channel(L);
    struct up_error err;

    if (up_channel_connect(&h->channel, path, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* descends(pid, ancestor) -> whether the process is that one, or was started by it or below it */
static int f_descends(lua_State *L)
{
    lua_pushboolean(L, up_peer_descends((pid_t)luaL_checkinteger(L, 1), (pid_t)luaL_checkinteger(L, 2)));
    return 1;
}

/* from_fd(descriptor) -> channel | nil, message, code
 * The descriptor, a connected stream socket, belongs to the channel then. */
static int f_from_fd(lua_State *L)
{
    lua_Integer fd = luaL_checkinteger(L, 1);
    struct channel_handle *h;
    struct up_error err;

    luaL_argcheck(L, fd >= 0 && fd <= 0xfffff, 1, "not a descriptor");
    h = new_channel(L);
    if (up_channel_from_fd(&h->channel, (int)fd, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* listener:fd() -> descriptor, for loop:poll */
static int m_listener_fd(lua_State *L)
{
    lua_pushinteger(L, up_listener_fd(check_listener(L)));
    return 1;
}

/* listener:accept() -> channel | nil, message, code ("again": nobody waits) */
static int m_accept(lua_State *L)
{
    struct up_listener *l = check_listener(L);
    struct channel_handle *h = new_channel(L);
    struct up_error err;
    int rc = up_listener_accept(l, &h->channel, &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    if (rc < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* listener:close(), also __gc and __close; removes the socket file. Safe to call twice. */
static int m_listener_close(lua_State *L)
{
    struct listener_handle *h = luaL_checkudata(L, 1, LISTENER);

    up_listener_close(h->listener);
    h->listener = NULL;
    return 0;
}

/* channel:fd() -> descriptor, for loop:poll */
static int m_fd(lua_State *L)
{
    lua_pushinteger(L, up_channel_fd(check_channel(L)));
    return 1;
}

/* channel:send(line) -> true | nil, message, code ("usage" too long or with an
 * end of line in it, "busy" the peer does not read, "network" the peer is gone) */
static int m_send(lua_State *L)
{
    struct up_channel *c = check_channel(L);
    size_t len;
    const char *line = luaL_checklstring(L, 2, &len);
    struct up_error err;

    return up_push_done(L, up_channel_send(c, line, len, &err), &err);
}

/* channel:receive() -> line | nil, message, code ("again" nothing yet,
 * "nothing" the peer has closed, "corrupt" a line longer than 65535 bytes) */
static int m_receive(lua_State *L)
{
    struct up_channel *c = check_channel(L);
    const char *line;
    struct up_error err;
    long n = up_channel_receive(c, &line, &err);

    if (n == UP_AGAIN)
        return up_push_again(L);
    if (n < 0)
        return up_push_fail(L, &err);
    lua_pushlstring(L, line, (size_t)n);
    return 1;
}

/* channel:wants_write() -> whether something waits to be sent */
static int m_wants_write(lua_State *L)
{
    lua_pushboolean(L, up_channel_wants_write(check_channel(L)));
    return 1;
}

/* channel:flush() -> true | nil, message, code ("again": some is still queued) */
static int m_flush(lua_State *L)
{
    struct up_channel *c = check_channel(L);
    struct up_error err;
    int rc = up_channel_flush(c, &err);

    if (rc == UP_AGAIN)
        return up_push_again(L);
    return up_push_done(L, rc, &err);
}

/* channel:queued() -> bytes that wait to be sent */
static int m_queued(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)up_channel_queued(check_channel(L)));
    return 1;
}

/* channel:peer([user [, group]]) -> {pid, uid, own, named, member} | nil, message, code
 * Who is at the other end of the socket, as they connected. own: root, or the
 * user that we are; named: they are `user`; member: of `group`. */
static int m_peer(lua_State *L)
{
    struct up_channel *c = check_channel(L);
    const char *user = luaL_optstring(L, 2, NULL), *group = luaL_optstring(L, 3, NULL);
    struct up_rights rights;
    struct up_peer peer;
    struct up_error err;
    gid_t gid;

    if (up_peer_of(up_channel_fd(c), &peer, &err) < 0)
        return up_push_fail(L, &err);
    lua_createtable(L, 0, 5);
    up_set_integer(L, "pid", (uint64_t)peer.pid);
    up_set_integer(L, "uid", peer.uid);
    lua_pushboolean(L, up_peer_is_own(&peer));
    lua_setfield(L, -2, "own");
    lua_pushboolean(L, user && up_rights_find(&rights, user, NULL, &err) == 0 && rights.uid == peer.uid);
    lua_setfield(L, -2, "named");
    lua_pushboolean(L, group && up_rights_group(&gid, group, &err) == 0 &&
                           up_peer_in_group(up_channel_fd(c), &peer, gid));
    lua_setfield(L, -2, "member");
    return 1;
}

/* channel:close(), also __gc and __close. Safe to call twice. */
static int m_close(lua_State *L)
{
    struct channel_handle *h = luaL_checkudata(L, 1, CHANNEL);

    up_channel_close(h->channel);
    h->channel = NULL;
    return 0;
}

static const luaL_Reg listener_metamethods[] = {
    {"__gc", m_listener_close},
    {"__close", m_listener_close},
    {NULL, NULL},
};

static const luaL_Reg listener_methods[] = {
    {"fd", m_listener_fd},
    {"accept", m_accept},
    {"close", m_listener_close},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"fd", m_fd},       {"send", m_send},     {"receive", m_receive}, {"wants_write", m_wants_write},
    {"flush", m_flush}, {"queued", m_queued}, {"peer", m_peer},       {"close", m_close},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"listen", f_listen},     {"connect", f_connect}, {"from_fd", f_from_fd},
    {"descends", f_descends}, {NULL, NULL},
};

int luaopen_update_native_channel(lua_State *L)
{
    up_new_type(L, LISTENER, listener_metamethods, listener_methods);
    up_new_type(L, CHANNEL, metamethods, methods);
    luaL_newlib(L, functions);
    return 1;
}
