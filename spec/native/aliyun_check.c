/* Aliyun's calls against an agent that is played: what each returns, and what becomes of the bytes. */
#include "played_agent.h"

#include "moult/aliyun.h"

/* How the job stands; what the agent says of it. */
static void answer(int fd, const char *request, const char *rest)
{
    const char *id = strstr(request, "\"id\":");
    char line[65536];

    snprintf(line, sizeof line, "{\"id\":%ld,%s}\n", id ? strtol(id + 5, NULL, 10) : 0L, rest);
    say(fd, line);
}

static bool is(const char *request, const char *call)
{
    char text[64];

    snprintf(text, sizeof text, "\"call\":\"%s\"", call);
    return strstr(request, text) != NULL;
}

#define JOB "\"version\":\"1.0.1\",\"size\":9,\"md5\":\"0123456789abcdef0123456789abcdef\""
#define IDLE "\"ok\":true,\"result\":{\"job\":1,\"fetching\":false,\"finished\":false}"
#define FETCHING "\"ok\":true,\"result\":{\"job\":2,\"fetching\":true,\"finished\":false," JOB
#define ARMED "\"ok\":true,\"result\":{\"job\":2,\"fetching\":false,\"finished\":true,\"armed\":true," JOB "}"
#define NO(code) "\"ok\":false,\"message\":\"no\",\"code\":\"" code "\""

/* One that offers nothing. */
static void idle_agent(int listener)
{
    int fd = greeted(listener);
    char *request;

    for (request = hear(fd); request; request = hear(fd)) {
        if (is(request, "state") || is(request, "yield"))
            answer(fd, request, IDLE);
        else if (is(request, "version") && !strstr(request, "\"version\":\"1.0.0\""))
            answer(fd, request, NO("incompatible"));
        else if (is(request, "progress"))
            answer(fd, request, NO("nothing"));
        else
            answer(fd, request, "\"ok\":true,\"result\":true");
    }
}

/* One that has no Aliyun cloud. */
static void refusing_agent(int listener)
{
    for (int i = 0; i < 2; i++) {
        int fd = greeted(listener);

        answer(fd, hear(fd), NO("nothing"));
        hear(fd);
        close(fd);
    }
}

/* A package of nine bytes in two pieces, and what becomes of it when all are known. */
static void serve(int fd, const char *known_all)
{
    char *request;

    for (request = hear(fd); request; request = hear(fd)) {
        bool all = strstr(request, "\"known\":9") != NULL, half = strstr(request, "\"known\":5") != NULL;

        if (!strstr(request, "\"copy\":true"))
            abort();
        if (!is(request, "yield") && !is(request, "state"))
            answer(fd, request, "\"ok\":true,\"result\":true");
        else if (all)
            answer(fd, request, known_all);
        else if (is(request, "state"))
            answer(fd, request, FETCHING "}");
        else
            answer(fd, request,
                   half ? FETCHING ",\"data\":\"Zm8/cg==\"}" : FETCHING ",\"data\":\"Zml2ZSs=\"}");
    }
}

static void whole_agent(int listener)
{
    serve(greeted(listener), ARMED);
}

static void failing_agent(int listener)
{
    serve(greeted(listener), NO("refused"));
}

/* One that went on without its program, which had not asked for too long. */
static void gone_on_agent(int listener)
{
    int fd = greeted(listener);
    char *request;

    for (request = hear(fd); request; request = hear(fd))
        if (is(request, "yield") && strstr(request, "\"known\":0"))
            answer(fd, request, FETCHING ",\"data\":\"Zml2ZSs=\"}");
        else if (is(request, "init") || is(request, "deinit"))
            answer(fd, request, "\"ok\":true,\"result\":true");
        else
            answer(fd, request, strstr(request, "\"known\":0") ? FETCHING "}" : ARMED);
}

static void corrupt_agent(int listener)
{
    serve(greeted(listener), FETCHING ",\"code\":\"corrupt\",\"message\":\"a block is wrong\"}");
}

static void another_job_agent(int listener)
{
    serve(greeted(listener),
          "\"ok\":true,\"result\":{\"job\":3,\"fetching\":true,\"finished\":false," JOB "}");
}

static void nonsense_agent(int listener)
{
    serve(greeted(listener), FETCHING ",\"data\":\"Z\"}");
}

static void *open_handle(agent_fn *agent, pid_t *pid)
{
    void *h;

    *pid = start(agent);
    h = IOT_OTA_Init("a1PK", "dev1", NULL);
    assert_non_null(h);
    return h;
}

static void close_handle(void *h, pid_t pid)
{
    assert_int_equal(IOT_OTA_Deinit(h), 0);
    stop(pid);
}

static void test_no_handle(void **state)
{
    char buf[8];

    (void)state;
    unlink(socket_path);
    assert_null(IOT_OTA_Init("a1PK", "dev1", NULL));
    assert_int_equal(IOT_OTA_Deinit(NULL), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_ReportVersion(NULL, "1"), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_ReportProgress(NULL, IOT_OTAP_FETCH_FAILED, NULL), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_FetchYield(NULL, buf, 8, 0), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_Ioctl(NULL, IOT_OTAG_VERSION, buf, 8), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_GetLastError(NULL), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_IsFetching(NULL), 0);
    assert_int_equal(IOT_OTA_IsFetchFinish(NULL), 0);
    assert_int_equal(IOT_MQTT_Yield(NULL, 1), 0);
    assert_int_equal(IOT_MQTT_Yield(NULL, -1), 0);
}

static void test_refused(void **state)
{
    pid_t pid = start(refusing_agent);

    (void)state;
    assert_null(IOT_OTA_Init(NULL, NULL, NULL));
    assert_null(IOT_OTA_Init("a1PK", NULL, NULL));
    stop(pid);
}

static void test_idle(void **state)
{
    pid_t pid;
    void *h = open_handle(idle_agent, &pid);
    char buf[8], text[300];
    uint32_t number;

    (void)state;
    assert_null(IOT_OTA_Init("a1PK", "dev1", NULL));
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_NONE);
    assert_int_equal(IOT_OTA_ReportVersion(h, "1.0.0"), 0);
    assert_int_equal(IOT_OTA_ReportVersion(h, "2.0.0"), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_GENERAL);
    memset(text, 'x', sizeof text);
    text[33] = '\0';
    assert_int_equal(IOT_OTA_ReportVersion(h, text), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_STR_TOO_LONG);
    assert_int_equal(IOT_OTA_ReportVersion(h, text + 1), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_GENERAL);
    assert_int_equal(IOT_OTA_ReportVersion(h, ""), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);

    assert_int_equal(IOT_OTA_ReportProgress(h, (IOT_OTA_Progress_t)5, NULL), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_STATE);
    assert_int_equal(IOT_OTA_ReportProgress(h, (IOT_OTA_Progress_t)101, NULL), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_ReportProgress(h, (IOT_OTA_Progress_t)-5, NULL), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
    text[33] = 'x';
    text[216] = '\0';
    assert_int_equal(IOT_OTA_ReportProgress(h, (IOT_OTA_Progress_t)5, text), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_STR_TOO_LONG);
    assert_int_equal(IOT_OTA_ReportProgress(h, (IOT_OTA_Progress_t)5, text + 1), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_STATE);

    assert_int_equal(IOT_OTA_IsFetching(h), 0);
    assert_int_equal(IOT_OTA_IsFetchFinish(h), 0);
    assert_int_equal(IOT_OTA_FetchYield(h, NULL, 8, 0), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_FetchYield(h, buf, 8, 0), IOT_OTAE_INVALID_STATE);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_STATE);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, &number, 4), IOT_OTAE_INVALID_STATE);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, NULL, 4), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_MQTT_Yield(h, 1), 0);
    close_handle(h, pid);
}

/* Fetch all that comes, `room` bytes at a time, up to what is no count. */
static int fetch(void *h, char *out, uint32_t room)
{
    int n;

    assert_int_equal(IOT_OTA_IsFetching(h), 1);
    for (n = IOT_OTA_FetchYield(h, out, room, 1); n > 0; n = IOT_OTA_FetchYield(h, out, room, 1))
        out += n;
    *out = '\0';
    return n;
}

static void check_ioctls(void *h)
{
    uint32_t numbers[2] = {7, 7};
    char text[40];

    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FETCHED_SIZE, numbers, 4), 0);
    assert_int_equal(numbers[0], 9);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, numbers, 4), 0);
    assert_int_equal(numbers[0], 9);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, numbers, 8), -1);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, (char *)numbers + 1, 4), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_MD5SUM, text, 33), 0);
    assert_string_equal(text, "0123456789abcdef0123456789abcdef");
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_VERSION, text, 4), 0);
    assert_string_equal(text, "1.0");
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_COTA_URL, text, 40), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_PARAM);
}

static void test_whole(void **state)
{
    const uint32_t rooms[] = {1, 4, 5000};
    char got[16];
    uint32_t valid;

    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t pid;
        void *h = open_handle(whole_agent, &pid);

        assert_int_equal(IOT_OTA_IsFetching(h), 1);
        assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_CHECK_FIRMWARE, &valid, 4), -1);
        assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_INVALID_STATE);
        assert_int_equal(IOT_OTA_FetchYield(h, got, 2, 1), 2);
        assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FETCHED_SIZE, &valid, 4), 0);
        assert_int_equal(valid, 2);
        assert_int_equal(IOT_OTA_IsFetchFinish(h), 0);
        assert_int_equal(fetch(h, got + 2, rooms[i]), 0);
        assert_string_equal(got, "five+fo?r");
        assert_int_equal(IOT_OTA_IsFetchFinish(h), 1);
        assert_int_equal(IOT_OTA_IsFetchFinish(h), 1);
        assert_int_equal(IOT_OTA_FetchYield(h, got, 8, 1), IOT_OTAE_INVALID_STATE);
        assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_CHECK_FIRMWARE, &valid, 4), 0);
        assert_int_equal(valid, 1);
        check_ioctls(h);
        assert_int_equal(IOT_OTA_IsFetching(h), 0);
        close_handle(h, pid);
    }
}

/* Whoever asks for nothing else before is told all the same. */
static void test_size_first(void **state)
{
    pid_t pid;
    void *h = open_handle(whole_agent, &pid);
    uint32_t size = 0;

    (void)state;
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FILE_SIZE, &size, 4), 0);
    assert_int_equal(size, 9);
    close_handle(h, pid);
}

/* The fetching ends, the program is told, and its size is nought. */
static void test_failures(void **state)
{
    agent_fn *agents[] = {failing_agent, corrupt_agent, nonsense_agent};
    char got[16];
    uint32_t number;

    (void)state;
    for (int i = 0; i < 3; i++) {
        pid_t pid;
        void *h = open_handle(agents[i], &pid);

        assert_int_equal(fetch(h, got, 16), -1);
        assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_FETCH_FAILED);
        assert_int_equal(IOT_OTA_IsFetchFinish(h), 1);
        assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FETCHED_SIZE, &number, 4), 0);
        assert_int_equal(number, 0);
        close_handle(h, pid);
    }
}

/* The copy has failed, and what is armed is sound all the same. */
static void test_gone_on(void **state)
{
    pid_t pid;
    void *h = open_handle(gone_on_agent, &pid);
    char got[16];
    uint32_t valid;

    (void)state;
    assert_int_equal(fetch(h, got, 16), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_FETCH_FAILED);
    assert_int_equal(IOT_OTA_IsFetchFinish(h), 1);
    assert_int_equal(IOT_OTA_IsFetching(h), 0);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_CHECK_FIRMWARE, &valid, 4), 0);
    assert_int_equal(valid, 1);
    close_handle(h, pid);
}

/* A job that comes in the middle ends the one before, and is begun anew. */
static void test_another_job(void **state)
{
    pid_t pid;
    void *h = open_handle(another_job_agent, &pid);
    char got[16];
    uint32_t number;

    (void)state;
    assert_int_equal(fetch(h, got, 16), -1);
    assert_int_equal(IOT_OTA_IsFetchFinish(h), 1);
    assert_int_equal(IOT_OTA_IsFetching(h), 1);
    assert_int_equal(IOT_OTA_IsFetchFinish(h), 0);
    assert_int_equal(IOT_OTA_Ioctl(h, IOT_OTAG_FETCHED_SIZE, &number, 4), 0);
    assert_int_equal(number, 0);
    close_handle(h, pid);
}

/* An agent that goes away is asked again. */
static void test_agent_goes(void **state)
{
    pid_t pid;
    void *h = open_handle(whole_agent, &pid);
    char got[16];

    (void)state;
    assert_int_equal(IOT_OTA_IsFetching(h), 1);
    assert_int_equal(IOT_OTA_FetchYield(h, got, 16, 1), 5);
    stop(pid);
    assert_int_equal(IOT_OTA_FetchYield(h, got + 5, 11, 0), 0);
    assert_int_equal(IOT_OTA_ReportVersion(h, "1.0.0"), -1);
    assert_int_equal(IOT_OTA_GetLastError(h), IOT_OTAE_OSC_FAILED);
    assert_int_equal(IOT_OTA_IsFetchFinish(h), 0);
    pid = start(whole_agent);
    assert_int_equal(fetch(h, got + 5, 11), 0);
    assert_string_equal(got, "five+fo?r");
    close_handle(h, pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_handle),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_idle),       cmocka_unit_test(test_whole),
        cmocka_unit_test(test_failures),   cmocka_unit_test(test_another_job),
        cmocka_unit_test(test_agent_goes), cmocka_unit_test(test_gone_on),
        cmocka_unit_test(test_size_first),
    };
    int failed;

    snprintf(socket_path, sizeof socket_path, "/tmp/moult-aliyun-%d", (int)getpid());
    setenv("MOULT_CONTROL", socket_path, 1);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(socket_path);
    return failed;
}
