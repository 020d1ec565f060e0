/*
 * The tree of files of a device that has one: on two file systems, what a release
 * makes of it, and the helper that changes it.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "files_helper.h"
#include "running.h"

#define APP "/app"
#define CARD "/card"
#define CONF APP "/etc/conf"
#define EXTRA APP "/extra"
#define IMAGE CARD "/image"

static bool has_extra(unsigned number)
{
    return number % 2 == 0;
}

/* Of number 4 nothing stops and starts it, so that the device restarts. */
static const char *program_line(unsigned number)
{
    return number == 4 ? "meter\t" APP "/bin\t4\t2\n" : "meter\t" APP "/bin\t28\t2\n";
}

const char *files_ini(unsigned number, bool alone)
{
    static char text[240];

    snprintf(text, sizeof text, "%sconf\t" APP "/etc\t4\t4\nimage\t" CARD "\t4\t%d\nextra\t" APP "\t%d\t4\n",
             alone ? program_line(number) : "", number == 6 ? 8 : 4, has_extra(number) ? 1 : 2);
    return text;
}

/* As the fixtures make content: by name and seed. */
static const char *content(const char *path, unsigned number)
{
    static char text[64];

    snprintf(text, sizeof text, "%s, seed %u\n", strrchr(path, '/') + 1, number);
    return text;
}

void files_put(struct sim *sim)
{
    sim_put_mount(sim, APP, 1, false);
    sim_put_mount(sim, CARD, 2, false);
    sim_put_dir(sim, APP "/etc", 0755);
    sim_put_text(sim, PROGRAM, content(PROGRAM, 1));
    sim_put_text(sim, CONF, content(CONF, 1));
    sim_put_text(sim, IMAGE, content(IMAGE, 1));
}

static bool holds(struct sim *sim, const char *path, unsigned number)
{
    char *found = sim_get(sim, path, NULL);
    bool same = found && strcmp(found, content(path, number)) == 0;

    free(found);
    return same;
}

static bool is_there(struct sim *sim, const char *path)
{
    char *found = sim_get(sim, path, NULL);

    free(found);
    return found != NULL;
}

unsigned files_number(struct sim *sim)
{
    for (int i = 0; i < PARCELS; i++) {
        unsigned n = stage.parcel[i].number;

        if ((!stage.alone || holds(sim, PROGRAM, n)) && holds(sim, CONF, n) && holds(sim, IMAGE, n) &&
            (has_extra(n) ? holds(sim, EXTRA, n) : !is_there(sim, EXTRA)))
            return n;
    }
    return 0;
}

bool files_left(const struct sim *sim)
{
    static const char *const roots[] = {APP, CARD};
    bool left = false;

    for (int i = 0; i < 2; i++) {
        char *dump = sim_dump(sim, roots[i]);

        left = left || strstr(dump, "/.moult-");
        free(dump);
    }
    return left;
}

void helper_run(struct player *p)
{
    static const enum who victims[] = {PLAYERS, HELPER, HELPER, SUPERVISOR};
    const struct up_files_helper helper = {stage.config, sim_storage(stage.sim), stage_running(),
                                           stage_processes(), INHERITED};
    struct up_error err;

    endanger(victims);
    if (up_files_helper(&helper, p->order, &err) < 0)
        trace("the helper ends: %s", err.message);
}
