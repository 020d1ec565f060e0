#include "orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "storage.h"

int up_orphans_adopt(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* The first line of /proc/<who>/<what>; false if the process is gone. */
static bool read_proc(const char *who, const char *what, char *line, int size)
{
    char path[64];
    FILE *file;
    bool got;

    snprintf(path, sizeof path, "/proc/%.20s/%s", who, what);
    file = fopen(path, "re");
    if (!file)
        return false;
    got = fgets(line, size, file) != NULL;
    fclose(file);
    return got;
}

static bool score_of(const char *who, long *score)
{
    char line[32];

    if (!read_proc(who, "oom_score_adj", line, sizeof line))
        return false;
    *score = strtol(line, NULL, 10);
    return true;
}

int up_orphans_mark(enum up_orphans_of of, struct up_error *err)
{
    FILE *file;
    long score;
    bool written;

    if (!score_of("self", &score))
        return up_fail(err, UP_INTERNAL, "/proc/self/oom_score_adj cannot be read");
    score += UP_ORPHAN_STEP * (long)of;
    file = fopen("/proc/self/oom_score_adj", "we");
    written = file && fprintf(file, "%ld\n", score) > 0;
    if (file && fclose(file) != 0) /* that writes it; the kernel takes none above 1000 */
        written = false;
    return written ? 0
                   : up_fail(err, UP_INTERNAL, "/proc/self/oom_score_adj: %ld is not taken: %s", score,
                             strerror(errno));
}

/* Whether it runs and its parent is `parent`. The line is "PID (NAME) STATE
 * PPID ...", and the name may contain anything. */
static bool is_child(const char *who, pid_t parent)
{
    char line[256];
    const char *rest;

    if (!read_proc(who, "stat", line, sizeof line))
        return false;
    rest = strrchr(line, ')');
    return rest && rest[1] == ' ' && rest[2] != 'Z' && rest[2] != 'X' &&
           strtol(rest + 3, NULL, 10) == (long)parent;
}

unsigned up_orphans_kill(enum up_orphans_of of, pid_t script, pid_t tester)
{
    pid_t self = getpid();
    unsigned count = 0;
    long least, score;
    DIR *dir;

    if (!score_of("self", &least))
        return 0;
    dir = opendir("/proc");
    if (!dir)
        return 0;
    least += UP_ORPHAN_STEP * (long)of;
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

        /* A child of ours keeps its number until we reap it. */
        if (!isdigit((unsigned char)entry->d_name[0]) || pid == script || pid == tester ||
            !is_child(entry->d_name, self) || !score_of(entry->d_name, &score) || score < least)
            continue;
        kill(pid, SIGKILL);
        count++;
    }
    closedir(dir);
    return count;
}

#define NAME "MOULT_SCRIPT_OF"

int up_orphans_name(const char *state)
{
    return setenv(NAME, state, 1);
}

/* Whether the environment with which its program began has this entry. */
static bool bears(const char *who, const char *entry)
{
    char path[64], *one = NULL;
    size_t size = 0;
    bool found = false;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%.20s/environ", who);
    file = fopen(path, "re");
    if (!file)
        return false;
    while (!found && getdelim(&one, &size, '\0', file) > 0)
        found = strcmp(one, entry) == 0;
    free(one);
    fclose(file);
    return found;
}

unsigned up_orphans_kill_left(const char *state)
{
    char entry[UP_PATH_SIZE + sizeof NAME + 1];
    unsigned count = 0;
    DIR *dir = opendir("/proc");

    if (!dir)
        return 0;
    snprintf(entry, sizeof entry, NAME "=%s", state);
    for (const struct dirent *found = readdir(dir); found; found = readdir(dir)) {
        pid_t pid = (pid_t)strtol(found->d_name, NULL, 10);

        if (!isdigit((unsigned char)found->d_name[0]) || pid == getpid() || !bears(found->d_name, entry))
            continue;
        kill(pid, SIGKILL);
        count++;
    }
    closedir(dir);
    return count;
}

void up_orphans_forget(pid_t agent, pid_t script, pid_t tester)
{
    siginfo_t info = {0};

    /* When there is none, Linux sets si_pid to 0. */
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
           info.si_pid != agent && info.si_pid != script && info.si_pid != tester)
        waitpid(info.si_pid, NULL, WNOHANG);
}
