/*
 * sandbox_answer.c -- check that what a policy returned is a valid answer.
 */
#include "sandbox_answer.h"

#include <stdio.h>
#include <string.h>

#define REASON_MAX 64 /* bytes */

/* Input and output of a check. */
struct result {
    const char *name;
    const json_t *question;
    json_t *first, *second;
    json_t *answer, *tree;
    char *why;
    size_t len;
};

static bool no(struct result *r, const char *why)
{
    snprintf(r->why, r->len, "%s", why);
    return false;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words;
}

/* A user's policy is a rule as well, and overrides the others. */
static void add_last_word(const struct result *r)
{
    const char *action = text_of(r->answer, "action"), *reason = text_of(r->answer, "reason");
    const char *result = strcmp(action, "install") == 0 ? "ok" : "stop";

    json_array_append_new(r->tree,
                          json_pack("{s:s, s:s, s:o}", "rule", "policy", "result", result, "text",
                                    json_sprintf("policy '%s' says %s: %s", r->name, action, reason)));
}

static bool check_tree(struct result *r)
{
    static const char *const results[] = {"ok", "skip", "stop", NULL};
    json_t *line;
    size_t i;

    if (json_is_null(r->second)) {
        r->tree = json_array();
        return true;
    }
    if (!json_is_array(r->second))
        return no(r, "decide: the reason tree must be an array of { rule, result, text }");
    json_array_foreach(r->second, i, line)
    {
        if (!is_one_of(text_of(line, "result"), results) || !json_is_string(json_object_get(line, "rule")) ||
            !json_is_string(json_object_get(line, "text"))) {
            snprintf(r->why, r->len,
                     "decide: line %zu of the reason tree is not { rule, result = \"ok\"|\"skip\"|\"stop\", "
                     "text }",
                     i + 1);
            return false;
        }
    }
    r->tree = json_incref(r->second);
    return true;
}

/* decide: {action, reason, retry_after, prefer} and the reason tree. */
static bool check_decision(struct result *r)
{
    static const char *const actions[] = {"install", "defer", "refuse", NULL};
    static const char *const wishes[] = {"delta", "full", NULL};
    json_t *decision = r->first;
    const json_t *retry = json_object_get(decision, "retry_after");
    double seconds = json_number_value(retry);
    size_t reason;

    if (!json_is_object(decision) || !is_one_of(text_of(decision, "action"), actions))
        return no(r, "decide must return a table with action = \"install\", \"defer\" or \"refuse\"");
    if (!json_object_get(decision, "reason"))
        json_object_set_new(decision, "reason", json_string(text_of(decision, "action")));
    reason = strlen(text_of(decision, "reason"));
    if (reason < 1 || reason > REASON_MAX)
        return no(r, "decide: reason must be a word of 1 to 64 bytes");
    if (retry && (!json_is_number(retry) || !(seconds >= 0 && seconds <= UP_SANDBOX_RETRY_MAX)))
        return no(r, "decide: retry_after must be 0 to 31622400 seconds");
    if (retry)
        json_object_set_new(decision, "retry_after", json_integer((json_int_t)seconds));
    if (json_object_get(decision, "prefer") && !is_one_of(text_of(decision, "prefer"), wishes))
        return no(r, "decide: prefer must be \"delta\" or \"full\"");
    r->answer = json_incref(decision);
    if (!check_tree(r))
        return false;
    if (r->name)
        add_last_word(r);
    return true;
}

static bool was_offered(const json_t *hotfixes, const char *name)
{
    json_t *fix;
    size_t i;

    json_array_foreach(hotfixes, i, fix)
    {
        if (strcmp(text_of(fix, "name"), name) == 0)
            return true;
    }
    return false;
}

/* choose: offered names, each once. */
static bool check_names(struct result *r)
{
    const json_t *hotfixes = json_object_get(r->question, "hotfixes");
    json_t *name;
    size_t i;

    if (!json_is_array(r->first))
        return no(r, "choose must return an array of names");
    json_array_foreach(r->first, i, name)
    {
        const char *text = json_string_value(name);

        if (!text || !was_offered(hotfixes, text))
            return no(r, "choose: a name that was not offered");
        for (size_t before = 0; before < i; before++) {
            if (json_equal(json_array_get(r->first, before), name))
                return no(r, "choose: a name comes twice");
        }
    }
    r->answer = json_pack("{s:O}", "names", r->first);
    r->tree = json_array();
    return true;
}

/* healthy: true, false or nil, and a string. */
static bool check_health(struct result *r)
{
    if (!json_is_null(r->first) && !json_is_boolean(r->first))
        return no(r, "healthy must return true, false or nil");
    if (!json_is_null(r->second) && !json_is_string(r->second))
        return no(r, "healthy: the reason must be text");
    r->answer = json_pack("{s:O, s:O}", "healthy", r->first, "reason", r->second);
    r->tree = json_array();
    return true;
}

static const struct {
    const char *word;
    const char *arguments[4];
    bool (*check)(struct result *r);
} functions[] = {
    {"decide", {"offer", "device", "limits", NULL}, check_decision},
    {"choose", {"hotfixes", "device", NULL}, check_names},
    {"healthy", {"facts", "limits", NULL}, check_health},
};
#define FUNCTIONS (sizeof functions / sizeof *functions)

const char *const *up_sandbox_answer_arguments(const char *word)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].word, word) == 0)
            return functions[i].arguments;
    }
    return NULL;
}

bool up_sandbox_answer_check(const char *word, const char *name, const json_t *question, json_t *first,
                             json_t *second, json_t **answer, json_t **tree, char *why, size_t len)
{
    struct result r = {.name = name, .question = question, .first = first, .second = second};
    bool good = false;

    r.why = why;
    r.len = len;
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strcmp(functions[i].word, word) == 0)
            good = functions[i].check(&r);
    }
    *answer = r.answer;
    *tree = r.tree;
    json_decref(first);
    json_decref(second);
    return good;
}
