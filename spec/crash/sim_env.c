/*
 * sim_env.c -- the boot loader's environment: a redundant one, written whole.
 */
#include "sim_ops.h"

#include <stdlib.h>
#include <string.h>

struct env *env_new(const char *text)
{
    size_t len = strlen(text);
    struct env *env = sim_alloc(sizeof *env + len + 1);

    env->refs = 1;
    memcpy(env->text, text, len + 1);
    return env;
}

struct env *env_ref(struct env *env)
{
    env->refs++;
    return env;
}

void env_drop(struct env *env)
{
    if (env && --env->refs == 0)
        free(env);
}

bool change_is_env(const struct logged *entry)
{
    return entry->change->kind == CHANGE_ENV;
}

/* The line NAME=VALUE of a variable, without its name; NULL when there is none. */
static const char *value_of(const char *line, const char *name, size_t *len)
{
    size_t n = strlen(name);

    while (*line) {
        const char *end = strchr(line, '\n');

        if (strncmp(line, name, n) == 0 && line[n] == '=') {
            *len = (size_t)(end - line) - n - 1;
            return line + n + 1;
        }
        line = end + 1;
    }
    return NULL;
}

/* The environment with one variable changed. */
static struct env *with(const struct env *env, const char *name, const char *value)
{
    size_t old_len, before = strlen(env->text);
    const char *old = value_of(env->text, name, &old_len), *rest = env->text + before;
    char *text = sim_alloc(before + strlen(name) + strlen(value) + 3);
    struct env *made;

    if (old) {
        before = (size_t)(old - env->text) - strlen(name) - 1;
        rest = old + old_len + 1;
    }
    memcpy(text, env->text, before);
    strcpy(text + before, rest);
    if (*value)
        sprintf(text + strlen(text), "%s=%s\n", name, value);
    made = env_new(text);
    free(text);
    return made;
}

static void change_env(struct sim *sim, const char *name, const char *value)
{
    struct env *old = sim->env;

    sim->env = with(old, name, value);
    env_drop(old);
}

void sim_put_variable(struct sim *sim, const char *name, const char *value)
{
    if (sim->log_count > 0)
        abort();
    change_env(sim, name, value);
    sim_rebase(sim);
}

void sim_variable(const struct sim *sim, const char *name, char out[UP_BOOT_VALUE_SIZE])
{
    size_t len = 0;
    const char *value = value_of(sim->env->text, name, &len);

    snprintf(out, UP_BOOT_VALUE_SIZE, "%.*s", (int)len, value ? value : "");
}

int sim_boot_get(struct up_storage *s, const char *config, struct up_boot_variable *variables, size_t count)
{
    struct sim *sim = op_sim(s);

    (void)config;
    if (op_begin(sim, SIM_BOOT_GET) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        sim_variable(sim, variables[i].name, variables[i].value);
    return 0;
}

int sim_boot_set(struct up_storage *s, const char *config, const struct up_boot_variable *variables,
                 size_t count)
{
    struct sim *sim = op_sim(s);
    struct change *c;
    bool failed;

    if (op_begin(sim, SIM_BOOT_SET) < 0 || op_step(sim, SIM_BOOT_SET, config) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        change_env(sim, variables[i].name, variables[i].value);
    c = change_new(CHANGE_ENV, 0, 0);
    c->env = env_ref(sim->env);
    log_add(sim, c);
    failed = op_done(sim) < 0;
    if (sim->cut)
        return -1;
    /* Also when it is reported as failed: it is read from the medium then. */
    sim->log[sim->log_count - 1].durable[SIM_ORDERED] = true;
    sim->log[sim->log_count - 1].durable[SIM_INDEPENDENT] = true;
    return failed ? -1 : 0;
}
