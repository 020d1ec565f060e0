/*
 * update.native.database -- a server's data, in SQLite.
 *
 *     local db = assert(database.open("packages/depot.db"))    -- made when absent; write-ahead log
 *     assert(db:execute("CREATE TABLE IF NOT EXISTS t (name TEXT PRIMARY KEY, n INTEGER)"))
 *     local put = assert(db:prepare("INSERT INTO t VALUES (?, ?)"))
 *     assert(put:run("a", 1))                                  -- rows changed
 *     for _, row in ipairs(assert(db:prepare("SELECT * FROM t"):all())) do print(row.name, row.n) end
 *
 * Statements are prepared once and run often. nil is NULL, and NULL an absent
 * field; integers are exact; true and false are 1 and 0; strings may hold any
 * byte. Statements that SQLite cannot parse and wrong counts of values raise;
 * "busy" means that another process held the lock longer than the timeout.
 *
 * Not for a device's state, whose effects pass storage.h.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <string.h>

#include "database.h"
#include "error.h"
#include "helpers.h"
#include "preload.h"

#define DATABASE "update.native.database"
#define STATEMENT "update.native.database.statement"
#define TIMEOUT_MS 5000

struct statement {
    sqlite3_stmt *stmt;      /* NULL once closed, and while preparing; its database is user value 1 */
    struct statement *next;  /* of the same database */
    struct statement **link; /* what points to it; NULL: it is in no list */
};

struct handle {
    struct up_database database; /* its db is NULL once closed, and while opening */
    struct statement *first;     /* those that are not closed */
};

/* nil, message, code */
static int push_failure(lua_State *L, sqlite3 *db, int rc)
{
    struct up_error err;

    if (rc == SQLITE_NOMEM)
        return luaL_error(L, "not enough memory");
    up_database_failed(db, rc, &err);
    return up_push_fail(L, &err);
}

static sqlite3 *check_open(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DATABASE);

    if (!h->database.db)
        luaL_error(L, "attempt to use a closed database");
    return h->database.db;
}

/* open(path [, {readonly = boolean, wal = boolean (true), timeout = ms (5000)}]) -> db | nil, message, code
 * Created if missing, unless read-only, with mode 0600. Every commit is
 * durable. The path ":memory:" is a database that ends with its handle. */
static int f_open(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    bool readonly = false, wal = true;
    uint64_t timeout = TIMEOUT_MS;
    struct up_error err;
    struct handle *h;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        readonly = up_field_boolean(L, 2, "readonly", 0);
        wal = up_field_boolean(L, 2, "wal", 1);
        timeout = up_field_integer(L, 2, "timeout", TIMEOUT_MS);
        luaL_argcheck(L, timeout <= 3600000, 2, "timeout is at most an hour");
    }
    h = lua_newuserdatauv(L, sizeof *h, 0);
    memset(h, 0, sizeof *h);
    h->database.timeout = (int)timeout;
    luaL_setmetatable(L, DATABASE);
    if (up_database_open(&h->database, path, readonly, wal, &err) < 0)
        return up_push_fail(L, &err);
    return 1;
}

/* Raises for mistakes in the SQL, not for states of the world. */
static int fail_sql(lua_State *L, sqlite3 *db, int rc)
{
    if (rc == SQLITE_ERROR)
        return luaL_error(L, "sql: %s", sqlite3_errmsg(db));
    return push_failure(L, db, rc);
}

/* db:execute(sql) -> true | nil, message, code; one statement or several, without values */
static int m_execute(lua_State *L)
{
    sqlite3 *db = check_open(L);
    int rc = sqlite3_exec(db, luaL_checkstring(L, 2), NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return fail_sql(L, db, rc);
    lua_pushboolean(L, 1);
    return 1;
}

/* db:changing() -> whether a transaction is open: SQLite ends one by itself when the disk is full */
static int m_changing(lua_State *L)
{
    lua_pushboolean(L, !sqlite3_get_autocommit(check_open(L)));
    return 1;
}

/* db:has_moved() -> whether its file is gone, or another one is in its place */
static int m_has_moved(lua_State *L)
{
    int moved = 0;

    sqlite3_file_control(check_open(L), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    lua_pushboolean(L, moved);
    return 1;
}

static void keep_statement(struct handle *h, struct statement *s)
{
    s->next = h->first;
    s->link = &h->first;
    if (s->next)
        s->next->link = &s->next;
    h->first = s;
}

static void close_statement(struct statement *s)
{
    sqlite3_finalize(s->stmt);
    s->stmt = NULL;
    if (!s->link)
        return;
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    s->link = NULL;
}

/* db:prepare(sql) -> statement | nil, message, code; one statement, with ? where values go */
static int m_prepare(lua_State *L)
{
    sqlite3 *db = check_open(L);
    size_t len;
    const char *sql = luaL_checklstring(L, 2, &len), *rest = NULL;
    struct statement *s = lua_newuserdatauv(L, sizeof *s, 1);
    int rc;

    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, STATEMENT);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    rc = sqlite3_prepare_v3(db, sql, (int)len, SQLITE_PREPARE_PERSISTENT, &s->stmt, &rest);
    keep_statement(lua_touserdata(L, 1), s);
    if (rc != SQLITE_OK)
        return fail_sql(L, db, rc);
    luaL_argcheck(L, s->stmt && rest[strspn(rest, " \t\r\n;")] == '\0', 2, "must be one statement");
    return 1;
}

/* db:close(), also __gc and __close. Safe to call twice; its statements are closed with it. */
static int m_close(lua_State *L)
{
    struct handle *h = luaL_checkudata(L, 1, DATABASE);

    /* A statement that is left would keep the file and its locks. */
    while (h->first)
        close_statement(h->first);
    up_database_close(&h->database);
    return 0;
}

static sqlite3_stmt *check_statement(lua_State *L)
{
    struct statement *s = luaL_checkudata(L, 1, STATEMENT);
    struct handle *h;

    lua_getiuservalue(L, 1, 1);
    h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (!h->database.db)
        luaL_error(L, "attempt to use a statement of a closed database");
    if (!s->stmt)
        luaL_error(L, "attempt to use a closed statement");
    return s->stmt;
}

static int bind_value(lua_State *L, sqlite3_stmt *stmt, int at, int arg)
{
    const char *text;
    size_t len;

    switch (lua_type(L, arg)) {
    case LUA_TNIL:
        return sqlite3_bind_null(stmt, at);
    case LUA_TBOOLEAN:
        return sqlite3_bind_int(stmt, at, lua_toboolean(L, arg));
    case LUA_TNUMBER:
        return lua_isinteger(L, arg) ? sqlite3_bind_int64(stmt, at, lua_tointeger(L, arg))
                                     : sqlite3_bind_double(stmt, at, lua_tonumber(L, arg));
    case LUA_TSTRING:
        text = lua_tolstring(L, arg, &len);
        return sqlite3_bind_text64(stmt, at, text, len, SQLITE_TRANSIENT, SQLITE_UTF8);
    default:
        return luaL_argerror(L, arg, "a value is nil, a boolean, a number or a string");
    }
}

/* The statement with the arguments from 2 on as its values, ready to step. */
static sqlite3_stmt *check_values(lua_State *L)
{
    sqlite3_stmt *stmt = check_statement(L);
    int count = lua_gettop(L) - 1;

    if (count != sqlite3_bind_parameter_count(stmt))
        luaL_error(L, "the statement takes %d values, %d are given", sqlite3_bind_parameter_count(stmt),
                   count);
    sqlite3_reset(stmt);
    for (int i = 1; i <= count; i++)
        if (bind_value(L, stmt, i, i + 1) != SQLITE_OK)
            luaL_error(L, "not enough memory");
    return stmt;
}

static void push_value(lua_State *L, sqlite3_stmt *stmt, int i)
{
    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
        lua_pushinteger(L, sqlite3_column_int64(stmt, i));
        break;
    case SQLITE_FLOAT:
        lua_pushnumber(L, sqlite3_column_double(stmt, i));
        break;
    case SQLITE_NULL:
        lua_pushnil(L);
        break;
    default:
        lua_pushlstring(L, sqlite3_column_blob(stmt, i), (size_t)sqlite3_column_bytes(stmt, i));
    }
}

static void push_row(lua_State *L, sqlite3_stmt *stmt)
{
    int count = sqlite3_column_count(stmt);

    lua_createtable(L, 0, count);
    for (int i = 0; i < count; i++) {
        push_value(L, stmt, i);
        lua_setfield(L, -2, sqlite3_column_name(stmt, i));
    }
}

/* 0, or push_failure's count. The reset ends the statement's own transaction. */
static int finish(lua_State *L, sqlite3_stmt *stmt, int rc)
{
    int pushed = rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : push_failure(L, sqlite3_db_handle(stmt), rc);

    sqlite3_reset(stmt);
    return pushed;
}

/* statement:run([value, ...]) -> rows changed | nil, message, code */
static int m_run(lua_State *L)
{
    sqlite3_stmt *stmt = check_values(L);
    int rc, pushed;

    do
        rc = sqlite3_step(stmt);
    while (rc == SQLITE_ROW);
    pushed = finish(L, stmt, rc);
    if (pushed)
        return pushed;
    lua_pushinteger(L, sqlite3_changes64(sqlite3_db_handle(stmt)));
    return 1;
}

/* statement:first([value, ...]) -> row = {column = value} | false: there is none | nil, message, code */
static int m_first(lua_State *L)
{
    sqlite3_stmt *stmt = check_values(L);
    int rc = sqlite3_step(stmt), pushed;

    if (rc == SQLITE_ROW)
        push_row(L, stmt);
    else
        lua_pushboolean(L, 0);
    pushed = finish(L, stmt, rc);
    return pushed ? pushed : 1;
}

/* statement:all([value, ...]) -> array of rows | nil, message, code */
static int m_all(lua_State *L)
{
    sqlite3_stmt *stmt = check_values(L);
    lua_Integer n = 0;
    int rc = sqlite3_step(stmt), pushed;

    lua_newtable(L);
    for (; rc == SQLITE_ROW; rc = sqlite3_step(stmt)) {
        push_row(L, stmt);
        lua_rawseti(L, -2, ++n);
    }
    pushed = finish(L, stmt, rc);
    return pushed ? pushed : 1;
}

/* statement:close(), also __gc and __close. Safe to call twice. */
static int m_close_statement(lua_State *L)
{
    close_statement(luaL_checkudata(L, 1, STATEMENT));
    return 0;
}

static const luaL_Reg metamethods[] = {
    {"__gc", m_close},
    {"__close", m_close},
    {NULL, NULL},
};

static const luaL_Reg methods[] = {
    {"execute", m_execute}, {"changing", m_changing}, {"has_moved", m_has_moved},
    {"prepare", m_prepare}, {"close", m_close},       {NULL, NULL},
};

static const luaL_Reg statement_metamethods[] = {
    {"__gc", m_close_statement},
    {"__close", m_close_statement},
    {NULL, NULL},
};

static const luaL_Reg statement_methods[] = {
    {"run", m_run}, {"first", m_first}, {"all", m_all}, {"close", m_close_statement}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"open", f_open},
    {NULL, NULL},
};

int luaopen_update_native_database(lua_State *L)
{
    up_new_type(L, DATABASE, metamethods, methods);
    up_new_type(L, STATEMENT, statement_metamethods, statement_methods);
    luaL_newlib(L, functions);
    return 1;
}
