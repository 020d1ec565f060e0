#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "error.h"
#include "program.h"

#define COST 32768 /* N */
#define BLOCK 8    /* r */
#define MEMORY (UINT64_C(64) << 20)

struct up_password {
    pid_t pid;
    int fd; /* read end of the pipe */
    size_t got;
    uint8_t hash[UP_PASSWORD_HASH];
};

/* The child: it never returns, and runs no exit handler of the server. */
static void compute(int fd, const void *text, size_t len, const void *salt, size_t salt_len)
{
    uint8_t hash[UP_PASSWORD_HASH];
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpriority(PRIO_PROCESS, 0, 10);
    if (EVP_PBE_scrypt(text, len, salt, salt_len, COST, BLOCK, 1, MEMORY, hash, sizeof hash) != 1)
        _exit(1);
    _exit(write(fd, hash, sizeof hash) == (ssize_t)sizeof hash ? 0 : 1);
}

int up_password_start(struct up_password **out, const void *text, size_t len, const void *salt,
                      size_t salt_len, struct up_error *err)
{
    struct up_password *p = calloc(1, sizeof *p);
    int ends[2];

    if (!p || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        free(p);
        return up_fail(err, UP_INTERNAL, "password: no pipe: %s", strerror(errno));
    }
    p->fd = ends[0];
    p->pid = fork();
    if (p->pid == 0)
        compute(ends[1], text, len, salt, salt_len);
    close(ends[1]);
    if (p->pid < 0) {
        up_fail(err, UP_INTERNAL, "password: no process: %s", strerror(errno));
        close(p->fd);
        free(p);
        return err->code;
    }
    *out = p;
    return 0;
}

int up_password_fd(const struct up_password *p)
{
    return p->fd;
}

int up_password_poll(struct up_password *p, uint8_t out[UP_PASSWORD_HASH], struct up_error *err)
{
    ssize_t n = 1;

    while (p->got < sizeof p->hash && n != 0) {
        n = read(p->fd, p->hash + p->got, sizeof p->hash - p->got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return UP_AGAIN;
        if (n < 0)
            return up_fail(err, UP_INTERNAL, "password: %s", strerror(errno));
        p->got += (size_t)n;
    }
    if (p->got < sizeof p->hash)
        return up_fail(err, UP_INTERNAL, "password: the process that hashes it has failed");
    memcpy(out, p->hash, sizeof p->hash);
    return 0;
}

void up_password_close(struct up_password *p)
{
    int status;

    if (!p)
        return;
    close(p->fd);
    up_program_kill(p->pid, false, &status);
    OPENSSL_cleanse(p->hash, sizeof p->hash);
    free(p);
}
