#include "loop.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "error.h"
#include "storage.h"

#define WAIT_MAX_MS 60000
#define WATCHES_MAX 1024
#define IDLE_CONNECTIONS 8

struct up_loop {
    CURLM *multi;
    size_t users; /* up_loop_new() and up_loop_keep() minus up_loop_free() */
    bool driven;  /* transfers ran since the last wait: not needed again before the next */
    bool stirred; /* data arrived that its owner may not have seen */
};

int up_loop_new(struct up_loop **out, struct up_error *err)
{
    struct up_loop *loop;

    /* libcurl counts its initialisations; each loop holds one. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return up_fail(err, UP_INTERNAL, "loop: cannot start libcurl");
    loop = calloc(1, sizeof *loop);
    if (loop)
        loop->multi = curl_multi_init();
    if (!loop || !loop->multi) {
        free(loop);
        curl_global_cleanup();
        return up_fail(err, UP_INTERNAL, "loop: out of memory");
    }
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    loop->users = 1;
    *out = loop;
    return 0;
}

void up_loop_keep(struct up_loop *loop)
{
    loop->users++;
}

void up_loop_free(struct up_loop *loop)
{
    if (!loop || --loop->users > 0)
        return;
    curl_multi_cleanup(loop->multi);
    free(loop);
    curl_global_cleanup();
}

int up_loop_add(struct up_loop *loop, void *easy, struct up_loop_transfer *t, struct up_error *err)
{
    CURLMcode rc;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    rc = curl_multi_add_handle(loop->multi, easy);
    if (rc != CURLM_OK)
        return up_fail(err, UP_INTERNAL, "loop: %s", curl_multi_strerror(rc));
    loop->driven = false;
    return 0;
}

void up_loop_remove(struct up_loop *loop, void *easy)
{
    curl_multi_remove_handle(loop->multi, easy);
}

int up_loop_drive(struct up_loop *loop, struct up_error *err)
{
    int running, left;
    CURLMcode rc = curl_multi_perform(loop->multi, &running);

    if (rc != CURLM_OK)
        return up_fail(err, UP_INTERNAL, "loop: %s", curl_multi_strerror(rc));
    loop->driven = true;
    for (CURLMsg *m = curl_multi_info_read(loop->multi, &left); m;
         m = curl_multi_info_read(loop->multi, &left)) {
        struct up_loop_transfer *t = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        loop->stirred = true;
        t->done(t, (int)m->data.result);
    }
    return 0;
}

void up_loop_stir(struct up_loop *loop)
{
    loop->stirred = true;
}

static short wanted(const struct up_watch *w)
{
    return (short)((w->read ? CURL_WAIT_POLLIN : 0) | (w->write ? CURL_WAIT_POLLOUT : 0));
}

int up_loop_poll(struct up_loop *loop, struct up_watch *watches, size_t count, int timeout_ms,
                 struct up_error *err)
{
    struct curl_waitfd fds[32], *all = fds;
    unsigned n = 0;
    CURLMcode rc;

    if (count > WATCHES_MAX)
        return up_fail(err, UP_INTERNAL, "loop: more than %d descriptors", WATCHES_MAX);
    /* A reader that just got UP_AGAIN has driven all transfers already. What
     * arrives while waiting is left to the next read, which takes it straight
     * into its own buffer, or to the next poll. */
    if (!loop->driven && up_loop_drive(loop, err) < 0)
        return err->code;
    if (count > sizeof fds / sizeof fds[0])
        all = calloc(count, sizeof *all);
    if (!all)
        return up_fail(err, UP_INTERNAL, "loop: out of memory");
    for (size_t i = 0; i < count; i++)
        if (watches[i].fd >= 0)
            all[n++] = (struct curl_waitfd){.fd = watches[i].fd, .events = wanted(&watches[i])};
    if (timeout_ms < 0 || timeout_ms > WAIT_MAX_MS)
        timeout_ms = WAIT_MAX_MS;
    if (loop->stirred)
        timeout_ms = 0;
    loop->stirred = false;
    rc = curl_multi_poll(loop->multi, all, n, timeout_ms, NULL);
    loop->driven = false;
    n = 0;
    for (size_t i = 0; i < count; i++)
        watches[i].ready = watches[i].fd >= 0 && all[n++].revents != 0;
    if (all != fds)
        free(all);
    if (rc != CURLM_OK)
        return up_fail(err, UP_INTERNAL, "loop: %s", curl_multi_strerror(rc));
    return 0;
}

double up_loop_now(void)
{
    struct up_storage *storage = up_storage_system();

    return (double)storage->ops->monotonic(storage) / 1000;
}

double up_loop_uptime(void)
{
    struct up_storage *storage = up_storage_system();

    return (double)storage->ops->uptime(storage) / 1000;
}
