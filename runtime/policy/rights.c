#include "rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "program.h"
#include "storage.h"

#define TRY_MOST 64 /* files of others that are tried, at most */
#define TRY_MS 5000 /* in which all of them are tried */
#define STATE_MODE 0711
#define SCRIPT_MODE 0755
#define KEYS_MODE 0700

int up_rights_group(gid_t *out, const char *name, struct up_error *err)
{
    const struct group *group = getgrnam(name);

    if (!group)
        return up_fail(err, UP_USAGE, "this system has no group %s", name);
    *out = group->gr_gid;
    return 0;
}

static int find_groups(struct up_rights *out, const char *const groups[], struct up_error *err)
{
    gid_t all[UP_RIGHTS_GROUPS + 1];
    int count = UP_RIGHTS_GROUPS + 1;

    for (; groups && groups[out->count]; out->count++) {
        if (out->count == UP_RIGHTS_GROUPS)
            return up_fail(err, UP_USAGE, "user %s: more than %d groups", out->user, UP_RIGHTS_GROUPS);
        if (up_rights_group(&out->groups[out->count], groups[out->count], err) < 0)
            return err->code;
    }
    if (groups)
        return 0;
    if (getgrouplist(out->user, out->gid, all, &count) < 0)
        return up_fail(err, UP_USAGE, "user %s: in more than %d groups; name those that the script needs",
                       out->user, UP_RIGHTS_GROUPS);
    for (int i = 0; i < count; i++)
        if (all[i] != out->gid)
            out->groups[out->count++] = all[i];
    return 0;
}

int up_rights_find(struct up_rights *out, const char *user, const char *const groups[], struct up_error *err)
{
    const struct passwd *pw = getpwnam(user);

    memset(out, 0, sizeof *out);
    if (!pw)
        return up_fail(err, UP_USAGE, "this system has no user %s", user);
    snprintf(out->user, sizeof out->user, "%s", user);
    snprintf(out->home, sizeof out->home, "%s", pw->pw_dir ? pw->pw_dir : "/");
    out->uid = pw->pw_uid;
    out->gid = pw->pw_gid;
    return find_groups(out, groups, err);
}

int up_rights_can_take(const struct up_rights *r, struct up_error *err)
{
    if (geteuid() == 0 || (r->uid == geteuid() && r->uid == getuid()))
        return 0;
    return up_fail(err, UP_USAGE,
                   "only root can run the script as another user, %s: start as root or leave out script.user",
                   r->user);
}

/* A successful setresuid() is not enough: nothing of root may be left. */
static bool is_taken(const struct up_rights *r)
{
    gid_t groups[UP_RIGHTS_GROUPS + 1], real_gid, effective_gid, saved_gid;
    uid_t real, effective, saved;
    int count = getgroups(UP_RIGHTS_GROUPS + 1, groups);

    if (getresuid(&real, &effective, &saved) < 0 || getresgid(&real_gid, &effective_gid, &saved_gid) < 0)
        return false;
    if (real != r->uid || effective != r->uid || saved != r->uid || real_gid != r->gid ||
        effective_gid != r->gid || saved_gid != r->gid || count != (int)r->count)
        return false;
    return r->uid == 0 || setuid(0) < 0;
}

int up_rights_take(const struct up_rights *r, struct up_error *err)
{
    pid_t parent = getppid();
    int rc = up_rights_can_take(r, err);

    if (rc < 0)
        return rc;
    if (geteuid() == 0) {
        if (setgroups(r->count, r->groups) < 0 || setresgid(r->gid, r->gid, r->gid) < 0 ||
            setresuid(r->uid, r->uid, r->uid) < 0)
            return up_fail(err, UP_INTERNAL, "become user %s: %s", r->user, strerror(errno));
        if (!is_taken(r))
            return up_fail(err, UP_INTERNAL, "become user %s: some of root's rights are left", r->user);
    }
    /* Changing the user cleared PR_SET_PDEATHSIG and made /proc/self inaccessible. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
        return up_fail(err, UP_INTERNAL, "become user %s: %s", r->user, strerror(errno));
    if (getppid() != parent)
        return up_fail(err, UP_INTERNAL, "become user %s: the supervisor is gone", r->user);
    setenv("USER", r->user, 1);
    setenv("LOGNAME", r->user, 1);
    setenv("HOME", r->home, 1);
    return 0;
}

static int set_mode(struct up_storage *s, const char *path, unsigned mode, struct up_error *err)
{
    struct up_stat st;

    if (s->ops->stat(s, path, &st) < 0 || (st.mode != mode && s->ops->chmod(s, path, mode) < 0))
        return up_fail(err, UP_WRITE, "%s: mode %04o: %s", path, mode, strerror(errno));
    return 0;
}

int up_rights_open_state(struct up_storage *storage, const char *state, struct up_error *err)
{
    char path[UP_PATH_SIZE];
    struct up_stat st;

    if ((size_t)snprintf(path, sizeof path, "%s/script", state) >= sizeof path)
        return up_fail(err, UP_USAGE, "state %s: path too long", state);
    snprintf(path, sizeof path, "%s/keys", state);
    if (storage->ops->stat(storage, path, &st) == 0 && set_mode(storage, path, KEYS_MODE, err) < 0)
        return err->code;
    snprintf(path, sizeof path, "%s/script", state);
    if (set_mode(storage, path, SCRIPT_MODE, err) < 0)
        return err->code;
    return set_mode(storage, state, STATE_MODE, err);
}

enum { TRIED_FINE = 0, TRIED_RIGHTS = 1, TRIED_CLOSED = 2, TRIED_READ = 32, TRIED_WRITTEN = 128 };

/* Runs in a process of its own and returns its exit code. */
static int try_all(const struct up_rights *r, const char *may, const char *const not_read[],
                   const char *const not_written[])
{
    if (up_rights_take(r, NULL) < 0)
        return TRIED_RIGHTS;
    if (access(may, R_OK) < 0)
        return TRIED_CLOSED;
    for (int i = 0; i < TRY_MOST && not_read[i]; i++)
        if (access(not_read[i], R_OK) == 0)
            return TRIED_READ + i;
    for (int i = 0; i < TRY_MOST && not_written[i]; i++)
        if (access(not_written[i], W_OK) == 0)
            return TRIED_WRITTEN + i;
    return TRIED_FINE;
}

int up_rights_try(const struct up_rights *r, const char *may, const char *const not_read[],
                  const char *const not_written[], const char **found, struct up_error *err)
{
    int status = 0;
    pid_t pid;

    *found = NULL;
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(try_all(r, may, not_read, not_written));
    if (pid < 0)
        return up_fail(err, UP_INTERNAL, "user %s: cannot try: %s", r->user, strerror(errno));
    if (up_program_wait(pid, TRY_MS, &status) < 0) {
        if (errno != ETIMEDOUT)
            return up_fail(err, UP_INTERNAL, "user %s: cannot try: %s", r->user, strerror(errno));
        up_program_kill(pid, false, &status);
        return up_fail(err, UP_INTERNAL,
                       "user %s: whether it can read %s was not known in %d s; its medium may not answer",
                       r->user, may, TRY_MS / 1000);
    }
    status = WIFEXITED(status) ? WEXITSTATUS(status) : TRIED_RIGHTS;
    if (status == TRIED_RIGHTS)
        return up_fail(err, UP_INTERNAL, "user %s: cannot become that user", r->user);
    if (status == TRIED_CLOSED)
        return up_fail(err, UP_REFUSED, "user %s cannot read %s", r->user, may);
    if (status >= TRIED_READ)
        *found = status < TRIED_WRITTEN ? not_read[status - TRIED_READ] : not_written[status - TRIED_WRITTEN];
    return 0;
}
