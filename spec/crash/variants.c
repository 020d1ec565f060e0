#include "variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "fixture.h"

#define VARIANTS 4

static void must(int rc, const struct up_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "variants: %s\n", err->message);
    abort();
}

const char *variant_product_key(void)
{
    static char hex[65];
    uint8_t digest[UP_SHA256_SIZE];

    up_sha256("k-123", 5, digest);
    up_hex(digest, sizeof digest, hex);
    return hex;
}

void variant_put_key(struct sim *sim, const char *dir)
{
    struct sim *scratch = sim_new();
    struct up_error err;
    char path[256], *text;

    must(up_fixture_keys(sim_storage(scratch), "/", false, &err), &err);
    text = sim_get(scratch, "/" VARIANT_KEY_FILE, NULL);
    snprintf(path, sizeof path, "%s/" VARIANT_KEY_FILE, dir);
    sim_put_text(sim, path, text);
    free(text);
    sim_free(scratch);
}

/* Script and core of the same number come from the same fixture. */
static struct up_fixture variant(unsigned sequence, unsigned n, char version[16])
{
    snprintf(version, 16, "1.0.%u", n);
    return (struct up_fixture){
        .sequence = sequence, .version = version, .core_version = n, .encoding = UP_ZSTD, .seed = n};
}

static void *make_package(unsigned sequence, unsigned script, unsigned from, unsigned core, const char *files,
                          size_t *len)
{
    struct sim *scratch = sim_new();
    struct up_error err;
    char version[16], release[16];
    struct up_fixture f = variant(sequence, script || core ? (script ? script : core) : sequence, version);
    void *bytes;

    if (core == VARIANT_KIN)
        f.image = variant_core(core, &f.image_size);
    if (from)
        f.old = variant_core(from, &f.old_size);
    snprintf(release, sizeof release, "%u", sequence);
    f.release = release;
    f.script = script != 0;
    f.core = core != 0;
    f.core_version = core;
    f.files = files;
    sim_put_dir(scratch, "/work", 0755);
    must(up_fixture_pack(sim_storage(scratch), "/out.upd", "/work", &f, &err), &err);
    bytes = sim_get(scratch, "/out.upd", len);
    sim_free(scratch);
    return bytes;
}

void *variant_package(unsigned sequence, unsigned script, unsigned core, size_t *len)
{
    return make_package(sequence, script, 0, core, NULL, len);
}

void *variant_files(unsigned sequence, unsigned script, unsigned core, const char *ini, size_t *len)
{
    return make_package(sequence, script, 0, core, ini, len);
}

void *variant_delta(unsigned sequence, unsigned script, unsigned from, unsigned core, size_t *len)
{
    return make_package(sequence, script, from, core, NULL, len);
}

static unsigned nodes(struct sim *sim, const char *dir)
{
    char *dump = sim_dump(sim, dir);
    unsigned count = 0;

    for (const char *p = dump; p && *p; p++)
        count += *p == '\n';
    free(dump);
    return count;
}

bool variant_is_script(struct sim *sim, const char *dir, unsigned n)
{
    static const char *const names[] = {"main.lua", "lib/part1.lua", "lib/part2.lua"};
    char version[16], path[512], text[512];
    struct up_fixture f = variant(n, n, version);

    for (int i = 0; i < 3; i++) {
        char *content;
        bool same;

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        content = sim_get(sim, path, NULL);
        up_fixture_file(&f, names[i], text, sizeof text);
        same = content && strcmp(content, text) == 0;
        free(content);
        if (!same)
            return false;
    }
    return nodes(sim, dir) == 5; /* the directory itself, lib, and the three */
}

/* VARIANT_KIN: what this image of noise, text and zeros becomes. */
static void derive(uint8_t *image, const uint8_t *old)
{
    memcpy(image, old + UP_FIXTURE_BLOCK, UP_FIXTURE_BLOCK);
    memcpy(image + UP_FIXTURE_BLOCK, old, UP_FIXTURE_BLOCK);
    memcpy(image + 2 * UP_FIXTURE_BLOCK, old + UP_FIXTURE_BLOCK / 2, UP_FIXTURE_BLOCK);
    for (size_t i = UP_FIXTURE_BLOCK; i < 2 * UP_FIXTURE_BLOCK; i += 500)
        image[i] = (uint8_t)(image[i] + 1);
}

const void *variant_core(unsigned n, size_t *len)
{
    static uint8_t *images[VARIANTS]; /* asked thousands of times */
    static size_t sizes[VARIANTS];
    char version[16];
    struct up_fixture f = variant(n, n, version);

    if (!images[n % VARIANTS]) {
        images[n % VARIANTS] = up_fixture_core(&f, &sizes[n % VARIANTS]);
        if (n == VARIANT_KIN) {
            size_t old_len;
            const uint8_t *old = variant_core(1, &old_len);

            derive(images[n], old);
        }
    }
    *len = sizes[n % VARIANTS];
    return images[n % VARIANTS];
}

bool variant_is_core(struct sim *sim, const char *path, unsigned n)
{
    size_t len = 0, size;
    const void *image = variant_core(n, &size);
    char *content = sim_get(sim, path, &len);
    /* A device goes on after the image. */
    bool same = content && (sim_kind(sim, path) == UP_NODE_FILE ? len == size : len >= size) &&
                memcmp(content, image, size) == 0;

    free(content);
    return same;
}
