/*
 * floor.c -- the least that an update over HTTP can cost.
 *
 * One process: libcurl's easy interface, SHA-256 by EVP, written into a file
 * that is there already, 64 KiB buffers, fdatasync. With --readback also
 * everything read once more past the cache and hashed. No signature, no
 * blocks, no resume, no journal: what Moult is measured against.
 *
 *     floor URL FILE [--readback]
 *
 * Prints the SHA-256. Exits 1 when anything fails.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER 65536

struct sink {
    int fd;
    uint64_t bytes;
    EVP_MD_CTX *digest;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "floor: %s: %s\n", what, why);
    exit(1);
}

static size_t receive(char *data, size_t one, size_t len, void *user)
{
    struct sink *sink = user;

    (void)one;
    EVP_DigestUpdate(sink->digest, data, len);
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(sink->fd, data + done, len - done, (off_t)(sink->bytes + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("write", strerror(errno));
        done += (size_t)n;
    }
    sink->bytes += len;
    return len;
}

static void finish(EVP_MD_CTX *digest, uint8_t out[32])
{
    EVP_DigestFinal_ex(digest, out, NULL);
    EVP_DigestInit_ex(digest, EVP_sha256(), NULL);
}

static void download(const char *url, struct sink *sink)
{
    CURL *curl = curl_easy_init();

    if (!curl)
        die("curl", "no memory");
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, (long)BUFFER);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, sink);
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK)
        die(url, curl_easy_strerror(code));
    curl_easy_cleanup(curl);
}

static void read_back(struct sink *sink)
{
    static char buffer[BUFFER];

    if (posix_fadvise(sink->fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        die("posix_fadvise", strerror(errno));
    for (uint64_t done = 0; done < sink->bytes;) {
        uint64_t left = sink->bytes - done;
        ssize_t n = pread(sink->fd, buffer, left < BUFFER ? (size_t)left : BUFFER, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            die("read back", n < 0 ? strerror(errno) : "the file is short");
        EVP_DigestUpdate(sink->digest, buffer, (size_t)n);
        done += (uint64_t)n;
    }
}

int main(int argc, char **argv)
{
    uint8_t sent[32], stored[32];
    struct sink sink = {.digest = EVP_MD_CTX_new()};

    if (argc < 3 || (argc == 4 && strcmp(argv[3], "--readback") != 0) || argc > 4)
        die("usage", "floor URL FILE [--readback]");
    sink.fd = open(argv[2], O_RDWR | O_CLOEXEC);
    if (sink.fd < 0)
        die(argv[2], strerror(errno));
    EVP_DigestInit_ex(sink.digest, EVP_sha256(), NULL);

    download(argv[1], &sink);
    finish(sink.digest, sent);
    if (fdatasync(sink.fd) < 0)
        die("fdatasync", strerror(errno));
    for (int i = 0; i < 32; i++)
        printf("%02x", sent[i]);
    printf("\n");

    if (argc == 4) {
        read_back(&sink);
        finish(sink.digest, stored);
        if (memcmp(sent, stored, sizeof sent) != 0)
            die(argv[2], "what was read back differs from what was received");
    }
    EVP_MD_CTX_free(sink.digest);
    close(sink.fd);
    return 0;
}
