/*
 * policy_check.c -- the last good policy survives any power cut whole; a process
 * is asked from whatever descriptors.
 */
#include "scratch.h"

#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy.h"
#include "sim.h"

#define STATE "/state"
#define OLD "return { old = true }"

static char fresh[3000]; /* more than a sector, so that it can be torn */

static int keep(struct sim *sim, const char *text)
{
    return up_policy_keep(sim_storage(sim), STATE, "owner", text, strlen(text), NULL);
}

/* What the next process finds: allocated text, or NULL with its code. */
static char *kept(struct sim *sim, int *code)
{
    char *text = NULL;
    size_t len = 0;

    *code = up_policy_kept(sim_storage(sim), STATE, "owner", &text, &len, NULL);
    if (*code == 0)
        assert_int_equal(len, strlen(text));
    return text;
}

static struct sim *start(bool with_old)
{
    struct sim *sim = sim_new();

    sim_put_dir(sim, STATE, 0755);
    if (with_old)
        assert_int_equal(keep(sim, OLD), 0);
    sim_settle(sim);
    return sim;
}

/* Old or new and nothing else; new for sure once keep() said so. */
static void check_reboot(struct sim *after, bool with_old, bool done)
{
    int code;
    char *text = kept(after, &code);

    if (text && strcmp(text, fresh) == 0) {
        free(text);
        return;
    }
    assert_false(done);
    if (with_old) {
        assert_non_null(text);
        assert_string_equal(text, OLD);
    } else {
        assert_null(text);
        assert_int_equal(code, UP_MISSING);
    }
    free(text);
    /* And it can be kept now. */
    assert_int_equal(keep(after, fresh), 0);
    text = kept(after, &code);
    assert_non_null(text);
    assert_string_equal(text, fresh);
    free(text);
}

static void cut_everywhere(bool with_old)
{
    struct sim *begin = start(with_old);
    bool finished = false;

    for (unsigned k = 1; !finished; k++) {
        struct sim *sim = sim_clone(begin);
        int rc;

        sim_cut_at(sim, k);
        rc = keep(sim, fresh);
        finished = !sim_is_cut(sim);
        if (finished)
            assert_int_equal(rc, 0);
        for (unsigned i = 0; i < sim_choices(sim); i++) {
            struct sim_choice choice = sim_choice(sim, i);
            struct sim *after = sim_reboot(sim, &choice);

            check_reboot(after, with_old, rc == 0);
            sim_free(after);
        }
        sim_free(sim);
    }
    sim_free(begin);
}

static void test_first(void **state)
{
    (void)state;
    cut_everywhere(false);
}

static void test_another(void **state)
{
    (void)state;
    cut_everywhere(true);
}

static void test_nothing_open(void **state)
{
    struct sim *sim = start(true);
    int code;

    (void)state;
    free(kept(sim, &code));
    assert_int_equal(sim_open_files(sim), 0);
    sim_free(sim);
}

/* A service manager may start us with nothing at all, and then the pipes get
 * the numbers that the process is to find them under. */
static void test_without_standard_descriptors(void **state)
{
    struct up_policy *p;
    struct up_error err;
    const char *answer = NULL;
    static const char program[] = "#!/bin/sh\nread question; echo \"$question $2\"\n";
    int kept[2] = {dup(0), dup(1)};
    char path[512];
    long n;

    scratch_write(*state, "program", program, sizeof program - 1);
    assert_int_equal(chmod(scratch_path(*state, "program", path), 0700), 0);
    close(0);
    close(1);
    n = up_policy_start(&p, path, "nobody", "{}", 2, &err);
    dup2(kept[0], 0);
    dup2(kept[1], 1);
    close(kept[0]);
    close(kept[1]);
    assert_int_equal(n, 0);
    assert_true(up_policy_fd(p) > 2);
    for (n = up_policy_step(p, &answer, &err); n == UP_AGAIN; n = up_policy_step(p, &answer, &err))
        poll(&(struct pollfd){.fd = up_policy_fd(p), .events = POLLIN}, 1, up_policy_remaining(p));
    assert_int_equal(n, strlen("{} nobody\n"));
    assert_string_equal(answer, "{} nobody\n");
    assert_int_equal(up_policy_step(p, &answer, &err), UP_USAGE); /* once */
    up_policy_close(p);
}

static void test_a_text_has_its_limit(void **state)
{
    struct sim *sim = start(false);
    char *text = calloc(1, UP_POLICY_TEXT_MAX + 2);
    struct up_error err;

    (void)state;
    memset(text, ' ', UP_POLICY_TEXT_MAX + 1);
    assert_int_equal(up_policy_keep(sim_storage(sim), STATE, "owner", text, UP_POLICY_TEXT_MAX + 1, &err),
                     UP_USAGE);
    assert_int_equal(up_policy_keep(sim_storage(sim), STATE, "owner", text, UP_POLICY_TEXT_MAX, &err), 0);
    free(text);
    sim_free(sim);
}

/* It becomes the name of a file. */
static void test_a_name_is_a_few_small_letters(void **state)
{
    static const struct {
        const char *name;
        int code;
    } cases[] = {
        {"a", 0},
        {"abcdefghijklmnopqrstuvwxyzabcdef", 0},
        {"abcdefghijklmnopqrstuvwxyzabcdefg", UP_USAGE},
        {"", UP_USAGE},
        {"Owner", UP_USAGE},
        {"owner2", UP_USAGE},
        {"../owner", UP_USAGE},
    };
    struct sim *sim = start(false);
    struct up_error err;
    char *text;
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = cases[i].name;

        if (up_policy_keep(sim_storage(sim), STATE, name, OLD, strlen(OLD), &err) != cases[i].code ||
            up_policy_kept(sim_storage(sim), STATE, name, &text, &len, &err) != cases[i].code)
            fail_msg("'%s': not %d", name, cases[i].code);
        free(text);
    }
    sim_free(sim);
}

static void test_a_text_may_be_empty(void **state)
{
    struct sim *sim = start(true);
    char *text;
    int code;

    (void)state;
    assert_int_equal(keep(sim, ""), 0);
    text = kept(sim, &code);
    assert_int_equal(code, 0);
    assert_string_equal(text, "");
    free(text);
    sim_free(sim);
}

static void test_a_text_that_changed_is_not_taken(void **state)
{
    static const char path[] = STATE "/policy/good/owner";
    struct sim *sim = start(true);
    size_t len;
    char *whole = sim_get(sim, path, &len);
    int code;

    (void)state;
    for (size_t at = 0; at < len; at++) {
        whole[at] ^= 1;
        sim_put(sim, path, whole, len, 0600);
        assert_null(kept(sim, &code));
        assert_int_equal(code, UP_CORRUPT);
        whole[at] ^= 1;
    }
    free(whole);
    sim_free(sim);
}

/* Whether the program at this path still runs, or was not waited for. */
static bool lives(const char *path)
{
    char name[520];
    FILE *file;
    int pid;

    snprintf(name, sizeof name, "%s.pid", path);
    file = fopen(name, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return kill(pid, 0) == 0;
}

/* What a shell script answers to a long question: its length, or the code. */
static long ask(struct scratch *s, const char *script, char text[512])
{
    static char question[200000];
    char program[200], path[512];
    const char *answer = NULL;
    struct up_policy *p;
    struct up_error err;
    long n;

    memset(question, '.', sizeof question);
    snprintf(program, sizeof program, "#!/bin/sh\nPATH=/usr/bin:/bin\necho $$ >$0.pid\n%s\n", script);
    scratch_write(s, "program", program, strlen(program));
    assert_int_equal(chmod(scratch_path(s, "program", path), 0700), 0);
    assert_int_equal(up_policy_start(&p, path, NULL, question, sizeof question, &err), 0);
    for (n = up_policy_step(p, &answer, &err); n == UP_AGAIN; n = up_policy_step(p, &answer, &err)) {
        struct pollfd fds[2] = {{.fd = up_policy_fd(p), .events = POLLIN}, {.events = POLLOUT}};
        nfds_t count = up_policy_wants_write(p, &fds[1].fd) ? 2 : 1;

        poll(fds, count, up_policy_remaining(p));
    }
    snprintf(text, 512, "%s", n < 0 ? err.message : answer);
    if (n < 0)
        assert_false(lives(path)); /* nor when it is refused, before it is forgotten */
    up_policy_close(p);
    assert_false(lives(path));
    return n;
}

static void test_one_that_nobody_waits_for_ends(void **state)
{
    static const char program[] =
        "#!/bin/sh\nPATH=/usr/bin:/bin\necho $$ >$0.new; mv $0.new $0.pid\nexec sleep 1000\n";
    char path[512], number[512];
    struct up_policy *p;
    struct up_error err;

    scratch_write(*state, "program", program, strlen(program));
    assert_int_equal(chmod(scratch_path(*state, "program", path), 0700), 0);
    scratch_path(*state, "program.pid", number);
    assert_int_equal(up_policy_start(&p, path, NULL, "", 0, &err), 0);
    for (int i = 0; access(number, F_OK) < 0; i++) {
        assert_true(i < 6000);
        poll(NULL, 0, 10);
    }
    assert_true(lives(path));
    up_policy_close(p);
    assert_false(lives(path));
}

static void test_how_it_ended_is_told(void **state)
{
    static const struct {
        const char *script;
        long n;
        const char *text;
    } cases[] = {
        {"wc -c", 7, "200000\n"},
        {"exec <&-; printf enough", 6, "enough"},
        {"cat >/dev/null", UP_REFUSED, "policy process: it ended without an answer"},
        {"printf yes; exit 3", UP_REFUSED, "policy process: it ended without an answer"},
        {"printf yes; kill -SYS $$", UP_REFUSED, "policy process: killed by the system call filter"},
        {"kill -XCPU $$", UP_REFUSED, "policy process: killed for its use of processor time or memory"},
        {"kill -KILL $$", UP_REFUSED, "policy process: killed for its use of processor time or memory"},
        {"kill -USR1 $$", UP_REFUSED, "policy process: User defined signal 1"},
        {"head -c 65536 /dev/zero", 65536, ""},
        {"head -c 65537 /dev/zero", UP_REFUSED, "policy process: its answer is longer than 64 KiB"},
        {"head -c 65537 /dev/zero; exec sleep 1000", UP_REFUSED,
         "policy process: its answer is longer than 64 KiB"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        long n = ask(*state, cases[i].script, text);

        if (n != cases[i].n || strcmp(text, cases[i].text) != 0)
            fail_msg("%s: %ld, '%s'", cases[i].script, n, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_another),
        cmocka_unit_test(test_nothing_open),
        cmocka_unit_test(test_a_text_has_its_limit),
        cmocka_unit_test(test_a_name_is_a_few_small_letters),
        cmocka_unit_test(test_a_text_may_be_empty),
        cmocka_unit_test(test_a_text_that_changed_is_not_taken),
        cmocka_unit_test_setup_teardown(test_one_that_nobody_waits_for_ends, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_how_it_ended_is_told, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(test_without_standard_descriptors, scratch_set_up, scratch_tear_down),
    };

    signal(SIGPIPE, SIG_IGN); /* as the host does */
    memset(fresh, 'x', sizeof fresh - 1);
    memcpy(fresh, "return {} --", 12);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
