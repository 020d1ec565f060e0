/*
 * bindings_check.c -- Lua's memory runs out at the n-th allocation, for every
 * n of a script that uses the bindings: it ends in "not enough memory", and
 * once the state is closed nothing is left, neither memory nor descriptors. So
 * it is with the states that the host and the policy process make.
 */
#include "scratch.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>

#include "config.h"
#include "failing.h"
#include "host.h"
#include "preload.h"
#include "sandbox_lua.h"

struct budget {
    unsigned long asked, victim;
    size_t blocks;
    bool cut_short; /* Lua had no memory to call a finalizer, and gave that object up */
};

static void *allocate(void *user, void *old, size_t old_size, size_t size)
{
    struct budget *b = user;
    void *block;

    (void)old_size;
    if (size == 0) {
        b->blocks -= old != NULL;
        free(old);
        return NULL;
    }
    /* Shrinking never fails: Lua relies on it. After a failure it collects garbage
     * and asks once more. */
    if ((!old || size > old_size) && ++b->asked >= b->victim && b->asked <= b->victim + 1 && b->victim > 0)
        return NULL;
    block = realloc(old, size);
    b->blocks += !old;
    return block;
}

static const char script[] =
    "local dir = ...\n"
    "local function need(name) return require('update.native.' .. name) end\n"
    "local json, digest, minisign = need 'json', need 'digest', need 'minisign'\n"
    "local text = json.encode { b = { 1, 2, 3 }, a = 'x', c = { d = true } }\n"
    "assert(json.decode(text).b[3] == 3)\n"
    "json.decode '{\"broken\": '\n"
    "assert(#digest.sha256 'abc' == 64)\n"
    "local d <close> = digest.new 'md5'\n"
    "d:update 'abc'\n"
    "d:final()\n"
    "assert(#digest.hmac('sha1', 'key', 'text') == 40)\n"
    "local record = need 'cloud_record'\n"
    "assert(record.keep(dir, 'c', 'text') and record.read(dir, 'c') == 'text' and record.forget(dir, 'c'))\n"
    "os.remove(dir .. '/k.key') os.remove(dir .. '/k.pub')\n"
    "assert(minisign.keygen(dir .. '/k'))\n"
    "assert(need('secret').check(dir .. '/k.key'))\n"
    "need('secret').read(dir .. '/k.key')\n" /* two lines: refused */
    "local signature = assert(minisign.sign(dir .. '/k.key', 'text', 'comment'))\n"
    "assert(minisign.verify(dir .. '/k.pub', 'text', signature) == 'comment')\n"
    "local pack, source, package = need 'pack', need 'source', need 'package'\n"
    "local packer <close> = assert(pack.open({ project = 'METER', product_key = 'k', sequence = 1,\n"
    "  release = '1', script = { dir = dir .. '/app', version = '1' } }, dir .. '/p.upd', dir .. '/k.key'))\n"
    "repeat local word = assert(packer:step()) until word == 'done'\n"
    "do\n"
    "  local chip <close> = assert(need('flash').open(dir .. '/chip', 4, { apart = { dir .. '/app' } }))\n"
    "  assert(chip:erase() and chip:write(0, 'text') and chip:sync() and chip:read(0, 9) == 'text')\n"
    "  assert(chip:digest() and chip:geometry().image == 4)\n"
    "  os.remove(dir .. '/chip')\n"
    "end\n"
    "local file <close> = assert(source.file(dir .. '/p.upd'))\n"
    "local head <close> = assert(package.open(file, dir .. '/k.pub'))\n"
    "repeat local done = head:step() until done\n"
    "assert(head:manifest().project == 'METER' and head:layout().size > 0)\n"
    "local verify = need 'verify'\n"
    "local loop <close> = need 'loop'.new()\n"
    "loop:poll(0, {})\n"
    "local channel = need 'channel'\n"
    "local listener <close> = assert(channel.listen(dir .. '/socket'))\n"
    "local ours <close> = assert(channel.connect(dir .. '/socket'))\n"
    "local theirs <close> = assert(listener:accept())\n"
    "ours:send 'hello'\n"
    "assert(theirs:receive() == 'hello')\n"
    "local fetch = need 'fetch'\n"
    "local f <close> = assert(fetch.open(loop, 'http://127.0.0.1:1/x', { headers = { a = 'b' } }))\n"
    "f:read()\n"
    "local mqtt = need 'mqtt'\n"
    "local m <close> = assert(mqtt.open { host = '127.0.0.1', port = 1, will = { topic = 'a' } })\n"
    "m:subscribe('a', 1)\n"
    "m:publish('a', 'b', 1)\n"
    "for event in m.step, m do assert(event.kind == 'disconnected') end\n"
    "assert(m:status().queued == 1)\n"
    "do\n"
    "  local db <close> = assert(need 'database'.open ':memory:')\n"
    "  assert(db:execute 'CREATE TABLE t (a, b)')\n"
    "  assert(db:prepare('INSERT INTO t VALUES (?, ?)'):run('text', 1))\n"
    "  assert(db:prepare('SELECT * FROM t'):all()[1].a == 'text')\n"
    "  assert(db:prepare('SELECT * FROM t WHERE a = ?'):first(1.5) == false)\n"
    "end\n"
    "need('error').codes()\n";

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    up_preload(L);
    return 0;
}

static int run(lua_State *L, const char *dir)
{
    int rc;

    lua_pushcfunction(L, open_all);
    rc = lua_pcall(L, 0, 0, 0);
    if (rc == LUA_OK)
        rc = luaL_loadbufferx(L, script, sizeof script - 1, "=script", "t");
    if (rc == LUA_OK) {
        lua_pushstring(L, dir); /* short: it fits what the state has, or raises outside of a call */
        rc = lua_pcall(L, 1, 0, 0);
    }
    return rc;
}

static void on_warning(void *user, const char *message, int more)
{
    struct budget *b = user;

    (void)message, (void)more;
    b->cut_short = true;
}

static jmp_buf panicked;

static int on_panic(lua_State *L)
{
    (void)L;
    longjmp(panicked, 1);
}

/* The first allocation outside of a protected call belongs to the caller. */
static int live(struct budget *b, const char *dir, bool *enough)
{
    lua_State *L = lua_newstate(allocate, b);
    volatile int rc = LUA_ERRMEM;

    *enough = false;
    if (!L)
        return rc;
    lua_atpanic(L, on_panic);
    lua_setwarnf(L, on_warning, b);
    if (setjmp(panicked) == 0) {
        rc = run(L, dir);
        *enough = rc == LUA_OK;
        if (rc != LUA_OK && rc != LUA_ERRMEM)
            print_message("%s\n", lua_tostring(L, -1));
    }
    b->victim = 0;
    lua_close(L);
    return rc;
}

static void lua_may_run_out_of_memory(void **state)
{
    const struct scratch *s = *state;
    unsigned long failed = 0, given_up = 0;
    size_t lost = 0;
    bool enough;
    char path[512];

    must(up_storage_make_dir(s->storage, scratch_path(s, "app", path), 0755, NULL), NULL);
    scratch_write(s, "app/main.lua", "return 1\n", 9);
    assert_int_equal(live(&(struct budget){0}, s->dir, &enough), LUA_OK);
    for (unsigned long n = 1;; n++) {
        struct budget b = {.victim = n};
        unsigned before = open_descriptors();
        int rc;

        failing_start(0);
        rc = live(&b, s->dir, &enough);
        failing_stop();
        if (b.cut_short) {
            given_up++;
            lost = failing_live();
            continue;
        }
        if (b.blocks > 0 || failing_live() > lost || open_descriptors() != before)
            fail_msg("allocation %lu failed: %zu blocks of Lua, %zu others, %d descriptors are left", n,
                     b.blocks, failing_live(), (int)open_descriptors() - (int)before);
        if (b.asked < n)
            break;
        if (enough) /* Lua can do without: a larger table of strings */
            continue;
        /* A binding that is handed a failure by Lua passes it on; it invents none. */
        if (rc != LUA_ERRMEM)
            fail_msg("allocation %lu failed, and it was no shortage of memory: %d", n, rc);
        failed++;
    }
    print_message("fail-nth-lua: %lu allocations of Lua failed, 0 bad; %lu in a finalizer's call\n", failed,
                  given_up);
}

/* The memory of the host's next states; NULL: as much as there is. */
static struct budget *host_memory;

lua_State *__real_luaL_newstate(void);
lua_State *__wrap_luaL_newstate(void);

lua_State *__wrap_luaL_newstate(void)
{
    return host_memory ? lua_newstate(allocate, host_memory) : __real_luaL_newstate();
}

static void a_state_of_the_host_is_whole_or_none(void **state)
{
    unsigned long failed = 0;

    (void)state;
    for (unsigned long n = 1;; n++) {
        struct budget b = {.victim = n};
        lua_State *L;

        host_memory = &b;
        L = up_host_new();
        host_memory = NULL;
        failed += L == NULL;
        if (L) {
            lua_getglobal(L, "require"); /* and not only half of it */
            assert_true(lua_isfunction(L, -1));
            up_host_close(L);
        }
        assert_int_equal(b.blocks, 0);
        if (b.asked < n)
            break;
    }
    assert_true(failed > 100);
}

static void without_memory_a_configuration_is_not_read(void **state)
{
    static const char text[] = "return { project = 'METER', product_key = 'k', hardware = 'a', id = '1',"
                               " state = 'state', keys = 'keys', files = { roots = { 'app' }, stop = { 'a' },"
                               " start = { 'b', 'c' }, run_mixed = true } }\n";
    const struct scratch *s = *state;
    struct budget none = {.victim = 1};
    struct up_config config;
    struct up_error err;
    lua_State *L = up_host_new();
    char path[512];

    failing_start(1);
    assert_int_equal(up_host_limit(L, 1 << 20), -1);
    failing_stop();
    up_host_close(L); /* as it was */
    scratch_write(s, "config.lua", text, sizeof text - 1);
    scratch_path(s, "config.lua", path);
    up_config_init(&config);
    host_memory = &none;
    must_fail(up_host_config(&config, path, &err), UP_INTERNAL, "not enough memory", &err);
    host_memory = NULL;
    failing_start(1); /* its budget */
    must_fail(up_host_config(&config, path, &err), UP_INTERNAL, "not enough memory", &err);
    failing_stop();
    assert_int_equal(failing_live(), 0);
    for (unsigned long n = 2; n < 200; n += 7) { /* and Lua tries again after a failure, having collected */
        failing_start(n);
        must(up_host_config(&config, path, &err), &err);
        assert_true(failing_stop() >= n);
        assert_string_equal(config.project, "METER");
        assert_int_equal(config.files.root_count, 1);
        assert_string_equal(strrchr(config.files.root[0].path, '/'), "/app");
        assert_string_equal(config.files.stop[0], "a");
        assert_string_equal(config.files.start[1], "c");
        assert_true(!config.files.stop[1] && !config.files.start[2] && !config.files.root[0].weak &&
                    !config.files.trim && config.files.run_mixed);
        up_config_free(&config);
        up_config_init(&config);
        assert_int_equal(failing_live(), 0);
    }
}

static void over(void)
{
    fail_msg("the budget of instructions is spent");
}

static void a_policy_state_is_whole_or_none(void **state)
{
    struct up_sandbox_modules modules = {"return {}", "return { decide = 1 }"};
    unsigned long refused = 0;
    char why[256];
    lua_State *L;
    bool met = true;

    (void)state;
    for (unsigned long n = 1; met; n++) {
        failing_start(n);
        *why = '\0';
        L = up_sandbox_lua_new(&modules, over, why, sizeof why);
        if (L) { /* Lua did without, or collected and asked again */
            up_sandbox_lua_push_default(L);
            assert_int_equal(lua_getfield(L, -1, "decide"), LUA_TNUMBER);
            lua_close(L);
        } else {
            assert_string_equal(why, "out of memory");
            refused++;
        }
        met = failing_stop() >= n;
        assert_int_equal(failing_live(), 0);
    }
    assert_true(refused > 0);
    modules.version = "return {"; /* what is installed is damaged */
    assert_null(up_sandbox_lua_new(&modules, over, why, sizeof why));
    assert_non_null(strstr(why, "update.version:1: "));
    modules.version = "error('not today')";
    assert_null(up_sandbox_lua_new(&modules, over, why, sizeof why));
    assert_non_null(strstr(why, "not today"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_of_the_host_is_whole_or_none),
        cmocka_unit_test_setup_teardown(without_memory_a_configuration_is_not_read, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test(a_policy_state_is_whole_or_none),
        cmocka_unit_test_setup_teardown(lua_may_run_out_of_memory, scratch_set_up, scratch_tear_down),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
