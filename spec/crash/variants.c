#include "variants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "error.h"
#include "minisign.h"
#include "pack.h"

#define BLOCK 4096u
#define CORE_SIZE (4 * BLOCK + 700)

static void must(int rc, const struct up_error *err)
{
    if (rc >= 0 || rc == UP_AGAIN)
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

/* A key pair in a file system of its own; the simulator's randomness is the
 * same each time, so the key is too. */
static struct sim *key_store(void)
{
    static struct sim *store;
    struct up_error err;

    if (!store) {
        store = sim_new();
        must(up_keygen(sim_storage(store), "/release", &err), &err);
        sim_settle(store);
    }
    return store;
}

const char *variant_public_key(void)
{
    static char *text;

    if (!text)
        text = sim_get(key_store(), "/release.pub", NULL);
    return text;
}

static void script_files(unsigned n, char main_lua[256], char module[256])
{
    snprintf(main_lua, 256,
             "PROJECT, VERSION, PRODUCT_KEY = \"" VARIANT_PROJECT "\", \"1.0.%u\", \"k-123\"\nrequire \"lib.meter\"\n", n);
    snprintf(module, 256, "return { variant = %u }\n", n);
}

/* Noise, text that compresses, zeros, noise, and the beginning of a block. */
static void core_image(unsigned n, uint8_t image[CORE_SIZE])
{
    uint32_t state = 2463534242u + n;

    for (size_t i = 0; i < CORE_SIZE; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        image[i] = (uint8_t)state;
    }
    for (size_t i = BLOCK; i < 2 * BLOCK; i++)
        image[i] = (uint8_t)("core variant "[i % 13] + n);
    memset(image + 2 * BLOCK, 0, BLOCK);
}

void *variant_package(unsigned sequence, unsigned script, unsigned core, size_t *len)
{
    struct up_manifest m = {.sequence = sequence, .core_version = core};
    struct up_pack_part script_part = {.path = "/script", .encoding = UP_ZSTD, .block_size = BLOCK};
    struct up_pack_part core_part = {.path = "/core.img", .encoding = UP_LZMA, .block_size = BLOCK};
    struct up_pack_options options = {.manifest = &m};
    struct up_secret *key = NULL;
    struct up_pack *pack = NULL;
    char main_lua[256], module[256];
    uint8_t image[CORE_SIZE];
    struct sim *sim = sim_clone(key_store());
    struct up_error err;
    void *bytes;
    int rc;

    strcpy(m.project, VARIANT_PROJECT);
    strcpy(m.product_key, variant_product_key());
    snprintf(m.release, sizeof m.release, "%u", sequence);
    if (script) {
        script_files(script, main_lua, module);
        sim_put_text(sim, "/script/main.lua", main_lua);
        sim_put_text(sim, "/script/lib/meter.lua", module);
        snprintf(m.script_version, sizeof m.script_version, "1.0.%u", script);
        options.script = &script_part;
    }
    if (core) {
        core_image(core, image);
        sim_put(sim, "/core.img", image, sizeof image, 0644);
        strcpy(m.core_name, "core");
        options.core = &core_part;
    }
    must(up_secret_load(&key, sim_storage(sim), "/release.key", &err), &err);
    options.key = key;
    must(up_pack_open(&pack, sim_storage(sim), &options, "/out.upd", &err), &err);
    do {
        rc = up_pack_step(pack, &err);
        must(rc, &err);
    } while (rc == UP_AGAIN);
    up_pack_close(pack);
    up_secret_free(key);
    bytes = sim_get(sim, "/out.upd", len);
    sim_free(sim);
    return bytes;
}

static bool is_file(struct sim *sim, const char *dir, const char *name, const char *text)
{
    char path[512], *content;
    bool same;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    content = sim_get(sim, path, NULL);
    same = content && strcmp(content, text) == 0;
    free(content);
    return same;
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
    char main_lua[256], module[256];

    script_files(n, main_lua, module);
    return is_file(sim, dir, "main.lua", main_lua) && is_file(sim, dir, "lib/meter.lua", module) &&
           nodes(sim, dir) == 4;
}

bool variant_is_core(struct sim *sim, const char *path, unsigned n)
{
    static uint8_t images[4][CORE_SIZE]; /* asked thousands of times: made once */
    static bool made[4];
    size_t len = 0;
    char *content = sim_get(sim, path, &len);
    bool same;

    if (!made[n % 4])
        core_image(n % 4, images[n % 4]);
    made[n % 4] = true;
    same = content && len == CORE_SIZE && memcmp(content, images[n % 4], CORE_SIZE) == 0;
    free(content);
    return same;
}
