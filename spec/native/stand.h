/*
 * stand.h -- a device in the simulator that is on: opened with the lock, and
 * started. For checks of what it does between a start and the next.
 */
#ifndef STAND_H
#define STAND_H

#include <stdlib.h>

#include "device.h"
#include "error.h"
#include "journal.h"
#include "world.h"

struct stand {
    struct sim *sim;
    struct up_storage *storage;
    struct up_config config;
    struct up_device *device;
    struct up_error err;
};

static inline void power_on(struct stand *s)
{
    enum up_start_action action;

    world_configure(&s->config);
    if (up_device_open(&s->device, s->storage, &s->config, UP_DEVICE_LOCK, &s->err) < 0 ||
        up_device_start(s->device, &action, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

static inline void power_off(struct stand *s)
{
    up_device_close(s->device);
    up_config_free(&s->config);
}

/* The simulator is the stand's from here on. */
static inline void stand_up(struct stand *s, struct sim *sim)
{
    s->sim = sim;
    s->storage = sim_storage(sim);
    power_on(s);
}

static inline void stand_free(struct stand *s)
{
    power_off(s);
    assert_int_equal(sim_open_files(s->sim), 0);
    sim_free(s->sim);
}

/* As far as armed. */
static inline void install(struct stand *s, const char *path)
{
    if (world_install(s->device, s->storage, path, &s->err) < 0)
        fail_msg("%s", s->err.message);
}

/* A script, as far as its first start on trial. */
static inline void enter_trial(struct stand *s, const char *path)
{
    enum up_start_action action;

    install(s, path);
    assert_int_equal(up_device_begin_trial(s->device, &s->err), 0);
    assert_int_equal(up_device_trial_start(s->device, &action, &s->err), 0);
}

/* Change the record behind the device's back. */
static inline void change(struct stand *s, void (*how)(struct up_journal_state *j))
{
    struct up_journal_state *j = malloc(sizeof *j);
    struct up_journal *journal;

    *j = *up_device_state(s->device);
    how(j);
    assert_int_equal(up_journal_open(&journal, s->storage, s->config.state, &s->err), 0);
    assert_int_equal(up_journal_write(journal, j, &s->err), 0);
    up_journal_close(journal);
    free(j);
    assert_int_equal(up_device_reload(s->device, &s->err), 0);
}

#endif
