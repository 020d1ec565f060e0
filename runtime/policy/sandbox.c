/*
 * sandbox.c -- the policy process: read one question, answer it, end.
 *
 *     read our modules -> lock down -> read the question -> for each source: a
 *     fresh Lua state, load, and if it defines the function: ask, check, write
 *
 * It always answers: a policy that fails, raises an error or gives a malformed
 * answer is reported as broken. A policy that does not end is ended here, first
 * by an instruction count, then (in C loops such as patterns, where the count
 * does not run) by a timer, and in any case by the kill from the asking side.
 * The first two write the prepared answer and exit at once; no Lua code runs
 * after them, so nothing could catch them.
 */
#include "sandbox.h"

#include "error.h"
#include "json_load.h"
#include "policy.h"
#include "sandbox_answer.h"
#include "sandbox_lock.h"
#include "sandbox_lua.h"
#include "sandbox_values.h"
#include "storage.h"

#include <errno.h>
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MODULE_MAX (256 << 10) /* bytes of one of our modules */
#define MESSAGE_MAX 400        /* bytes */
#define DEFAULT_NAME "default"

/* State for the signal handler: the answers in case a source does not end. */
static struct {
    char slow[512], busy[512];
    volatile sig_atomic_t answering;
} last_words;

static void write_all(const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(1, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(1);
        text += n;
        len -= (size_t)n;
    }
}

/* Writes the answer and exits; returns only if it is too long or there is no memory. */
static void answer(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    size_t len = text ? strlen(text) : 0;

    if (len == 0 || len > UP_POLICY_ANSWER_MAX) {
        free(text);
        return;
    }
    last_words.answering = 1;
    write_all(text, len);
    _exit(0);
}

static json_t *refusal(const char *source, const char *message)
{
    return json_pack("{s:b, s:s, s:[s]}", "ok", 0, "message", message, "broken", source);
}

_Noreturn static void refuse(const char *source, const char *message)
{
    char cut[MESSAGE_MAX];
    size_t len = strlen(message);

    /* The source may have made the message, so it is cut, and dropped if it is not UTF-8. */
    if (len >= sizeof cut) {
        for (len = sizeof cut - 1; len > 0 && ((unsigned char)message[len] & 0xc0) == 0x80;)
            len--;
    }
    memcpy(cut, message, len);
    cut[len] = '\0';
    if (len > 0)
        answer(refusal(source, cut));
    answer(refusal(source, "it failed, and its message is empty or not UTF-8"));
    _exit(1);
}

_Noreturn static void refuse_question(const char *message)
{
    answer(json_pack("{s:b, s:s, s:[]}", "ok", 0, "message", message, "broken"));
    _exit(1);
}

static void on_timer(int number)
{
    (void)number;
    if (last_words.answering)
        return;
    last_words.answering = 1;
    write_all(last_words.slow, strlen(last_words.slow));
    _exit(0);
}

static void on_count(void)
{
    last_words.answering = 1;
    write_all(last_words.busy, strlen(last_words.busy));
    _exit(0);
}

static void prepare(char *buf, size_t len, const char *source, const char *format, int number)
{
    char message[128];
    json_t *value;
    char *text;

    snprintf(message, sizeof message, format, number);
    value = refusal(source, message);
    text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    snprintf(buf, len, "%s",
             text && strlen(text) < len ? text : "{\"broken\":[],\"message\":\"\",\"ok\":false}");
    free(text);
    json_decref(value);
}

static void prepare_last_words(const char *source)
{
    prepare(last_words.busy, sizeof last_words.busy, source, "it ran more than %d instructions",
            UP_SANDBOX_LUA_INSTRUCTIONS);
    prepare(last_words.slow, sizeof last_words.slow, source, "it took more than %d ms", UP_SANDBOX_CPU_MS);
}

/* Processor time, so that a busy machine does not make a good policy fail. */
static void start_timer(void)
{
    struct sigaction action = {.sa_handler = on_timer};
    struct itimerval timer = {.it_value = {UP_SANDBOX_CPU_MS / 1000, UP_SANDBOX_CPU_MS % 1000 * 1000}};

    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPROF);
    if (sigprocmask(SIG_UNBLOCK, &set, NULL) < 0 || sigaction(SIGPROF, &action, NULL) < 0 ||
        setitimer(ITIMER_PROF, &timer, NULL) < 0)
        _exit(1);
}

/* A source and the question to it. */
struct ask {
    const char *word; /* decide, choose, healthy */
    const char *name; /* of the source */
    const char *text; /* NULL for the default policy */
    size_t len;
    const json_t *question;
    bool defined;           /* the source has that function, which returned: */
    json_t *first, *second; /* nil as JSON null */
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Load the source and push its table of functions. */
static void push_source(lua_State *L, const struct ask *ask)
{
    char chunk[72]; /* "=" makes messages begin with the plain name */

    if (!ask->text) {
        up_sandbox_lua_push_default(L);
        return;
    }
    snprintf(chunk, sizeof chunk, "=%s", ask->name);
    if (luaL_loadbufferx(L, ask->text, ask->len, chunk, "t") != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        luaL_error(L, "it must return a table of functions, not a %s", luaL_typename(L, -1));
}

/* Runs in protected mode, with a struct ask. */
static int put_question(lua_State *L)
{
    struct ask *ask = lua_touserdata(L, 1);
    const char *const *argument = up_sandbox_answer_arguments(ask->word);
    int count = 0;

    lua_settop(L, 0);
    push_source(L, ask);
    lua_pushstring(L, ask->word);
    /* The default's table is a read-only view of ours; a user's table is read without metamethods. */
    if (ask->text)
        lua_rawget(L, 1);
    else
        lua_gettable(L, 1);
    if (lua_isnil(L, -1))
        return 0;
    if (!lua_isfunction(L, -1))
        return luaL_error(L, "%s must be a function, not a %s", ask->word, luaL_typename(L, -1));
    ask->defined = true;
    for (; argument[count]; count++) {
        const json_t *value = json_object_get(ask->question, argument[count]);

        if (value && !json_is_null(value))
            up_sandbox_values_push(L, value);
        else
            lua_newtable(L);
    }
    lua_call(L, count, 2);
    ask->first = up_sandbox_values_get(L, -2);
    ask->second = up_sandbox_values_get(L, -1);
    return 0;
}

_Noreturn static void reply(const struct ask *ask)
{
    char why[256];
    json_t *value, *tree;

    if (!up_sandbox_answer_check(ask->word, ask->text ? ask->name : NULL, ask->question, ask->first,
                                 ask->second, &value, &tree, why, sizeof why))
        refuse(ask->name, why);
    answer(json_pack("{s:b, s:o, s:o, s:s}", "ok", 1, "answer", value, "tree", tree, "by", ask->name));
    refuse(ask->name, "its answer is longer than 64 KiB");
}

/* Ask one source; returns only if it does not define the function. */
static void ask_source(struct ask *ask, const struct up_sandbox_modules *modules)
{
    char why[256];
    lua_State *L;

    prepare_last_words(ask->name);
    L = up_sandbox_lua_new(modules, on_count, why, sizeof why);
    if (!L)
        refuse(ask->name, why);
    lua_pushcfunction(L, put_question);
    lua_pushlightuserdata(L, ask);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        /* Not lua_tostring() on an arbitrary error value: a string or nothing. */
        if (lua_type(L, -1) == LUA_TSTRING)
            refuse(ask->name, lua_tostring(L, -1));
        snprintf(why, sizeof why, "it threw a %s", luaL_typename(L, -1));
        refuse(ask->name, why);
    }
    if (ask->defined)
        reply(ask);
    lua_close(L);
}

_Noreturn static void ask_all(const json_t *question, const struct up_sandbox_modules *modules)
{
    struct ask ask = {.word = text_of(question, "ask"), .question = question};
    const json_t *sources = json_object_get(question, "sources");
    json_t *source;
    size_t i;

    if (!up_sandbox_answer_arguments(ask.word))
        refuse_question("invalid question: ask must be decide, choose or healthy");
    json_array_foreach(sources, i, source)
    {
        const json_t *text = json_object_get(source, "text");

        ask.name = text_of(source, "name");
        ask.text = json_string_value(text);
        ask.len = json_string_length(text);
        if (!ask.text || !*ask.name || strlen(ask.name) > 64)
            refuse_question("a source needs a text and a name of 1 to 64 bytes");
        ask_source(&ask, modules);
    }
    ask.name = DEFAULT_NAME;
    ask.text = NULL;
    ask_source(&ask, modules);
    _exit(1); /* the default policy defines everything */
}

/* Allocated; exits if the question cannot be read. */
static char *read_module(const char *lua, const char *name)
{
    char path[UP_PATH_SIZE];
    struct up_error err;
    char *text;

    snprintf(path, sizeof path, "%s/update/%s.lua", lua, name);
    if (up_storage_read_file(up_storage_system(), path, MODULE_MAX, &text, NULL, &err) < 0)
        refuse_question(err.message);
    return text;
}

static json_t *read_question(void)
{
    char *text = malloc(UP_POLICY_QUESTION_MAX + 1);
    size_t len = 0;
    json_error_t error;
    json_t *question;

    while (text && len <= UP_POLICY_QUESTION_MAX) {
        ssize_t n = read(0, text + len, UP_POLICY_QUESTION_MAX + 1 - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (!text || len > UP_POLICY_QUESTION_MAX)
        refuse_question("the question is too long");
    question = up_json_load(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    free(text);
    if (!question)
        refuse_question("the question is not JSON");
    return question;
}

int up_sandbox_main(const char *lua, const char *user)
{
    struct up_sandbox_modules modules = {read_module(lua, "version"), read_module(lua, "policy")};
    struct up_error err;

    /* jansson seeds its hash from a file that will be out of reach. */
    json_object_seed(0);
    start_timer();
    if (up_sandbox_lock(user, &err) < 0)
        refuse_question(err.message);
    ask_all(read_question(), &modules);
}
