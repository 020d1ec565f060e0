/*
 * measure.c -- run a command and say what its whole process tree cost.
 *
 *     measure [--memory] [--kill MS] [--for MS] COMMAND ARGUMENTS...
 *
 *   --memory   sample the anonymous memory of the tree every 2 ms (the sum of
 *              Pss_Anon, so that a page shared after fork counts once); costs
 *              CPU, so times of such a run mean little
 *   --kill MS  SIGKILL to the whole tree after MS milliseconds
 *   --for MS   SIGTERM to the command after MS milliseconds
 *
 * The command's output goes where ours goes, except that our last line, on
 * stderr, is
 *
 *     measure: begun S wall S user S sys S rss KIB anon KIB pss KIB processes N exit CODE
 *
 * with seconds (begun: CLOCK_MONOTONIC at the start), the resident peak of the largest process, libraries
 * included, the peaks of the samples (anon and pss are 0 without --memory) and 128 + the signal for a killed command. Exit code 0 when the
 * command could be started. We are the subreaper of everything below, so no
 * grandchild escapes the sum.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TREE_MAX 64

struct tree {
    pid_t pid[TREE_MAX];
    int count;
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void usage(void)
{
    fprintf(stderr, "usage: measure [--memory] [--kill MS] [--for MS] COMMAND ARGUMENTS...\n");
    exit(2);
}

/* Parent of a process; 0 when it is gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    int parent = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return 0;
    if (fgets(text, sizeof text, f)) {
        const char *rest = strrchr(text, ')'); /* a name may contain anything else */
        if (rest)
            sscanf(rest + 1, " %*c %d", &parent);
    }
    fclose(f);
    return parent;
}

/* Every process below us, by repeated passes over /proc until none is new. */
static void find_tree(struct tree *tree)
{
    pid_t all[4096], parents[4096];
    int count = 0;
    struct dirent *entry;
    DIR *proc = opendir("/proc");

    tree->count = 0;
    if (!proc)
        return;
    for (entry = readdir(proc); entry && count < 4096; entry = readdir(proc)) {
        pid_t pid = (pid_t)atoi(entry->d_name);
        if (pid > 0) {
            all[count] = pid;
            parents[count++] = parent_of(pid);
        }
    }
    closedir(proc);
    for (bool grew = true; grew;) {
        grew = false;
        for (int i = 0; i < count; i++) {
            bool below = parents[i] == getpid();
            for (int k = 0; k < tree->count && !below; k++)
                below = parents[i] == tree->pid[k];
            if (all[i] && below && tree->count < TREE_MAX) {
                tree->pid[tree->count++] = all[i];
                all[i] = 0;
                grew = true;
            }
        }
    }
}

static void add_memory(pid_t pid, long *anon, long *pss)
{
    char path[64], line[256];
    long value;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "Pss_Anon: %ld", &value) == 1)
            *anon += value;
        else if (sscanf(line, "Pss: %ld", &value) == 1)
            *pss += value;
    }
    fclose(f);
}

static void sample(long *anon_peak, long *pss_peak, int *processes)
{
    struct tree tree;
    long anon = 0, pss = 0;

    find_tree(&tree);
    for (int i = 0; i < tree.count; i++)
        add_memory(tree.pid[i], &anon, &pss);
    if (anon > *anon_peak)
        *anon_peak = anon;
    if (pss > *pss_peak)
        *pss_peak = pss;
    if (tree.count > *processes)
        *processes = tree.count;
}

/* Stop the tree before killing it, so that none starts another meanwhile. */
static void kill_tree(void)
{
    struct tree tree;

    find_tree(&tree);
    for (int i = 0; i < tree.count; i++)
        kill(tree.pid[i], SIGSTOP);
    find_tree(&tree);
    for (int i = 0; i < tree.count; i++)
        kill(tree.pid[i], SIGKILL);
}

static pid_t start(char **argv)
{
    pid_t pid = fork();

    if (pid < 0) {
        perror("measure: fork");
        exit(1);
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execvp(argv[0], argv);
        fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    return pid;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    bool memory = false;
    double kill_after = 0, term_after = 0, ended = 0;
    long anon = 0, pss = 0;
    int processes = 0, status = 0, code = 0, i = 1;

    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--memory") == 0)
            memory = true;
        else if (strcmp(argv[i], "--kill") == 0 && i + 1 < argc)
            kill_after = atof(argv[++i]) / 1000;
        else if (strcmp(argv[i], "--for") == 0 && i + 1 < argc)
            term_after = atof(argv[++i]) / 1000;
        else
            usage();
    }
    if (i == argc)
        usage();

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    bool polling = memory || kill_after > 0 || term_after > 0;
    double begun = now();
    pid_t main_pid = start(argv + i);
    for (;;) {
        pid_t pid = waitpid(-1, &status, polling ? WNOHANG : 0);
        if (pid == main_pid) {
            code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
            ended = now();
        }
        if (pid < 0 && errno == ECHILD)
            break;
        if (pid != 0)
            continue;
        if (memory)
            sample(&anon, &pss, &processes);
        double elapsed = now() - begun;
        if (kill_after > 0 && elapsed >= kill_after) {
            kill_tree();
            kill_after = 0;
        }
        if (term_after > 0 && elapsed >= term_after) {
            kill(main_pid, SIGTERM);
            term_after = 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }

    struct rusage usage_all;
    getrusage(RUSAGE_CHILDREN, &usage_all);
    fprintf(
        stderr,
        "measure: begun %.6f wall %.6f user %.6f sys %.6f rss %ld anon %ld pss %ld processes %d exit %d\n",
        begun, ended - begun, seconds(usage_all.ru_utime), seconds(usage_all.ru_stime), usage_all.ru_maxrss,
        anon, pss, processes, code);
    return code == 127 ? 1 : 0;
}
