#include "fixture.h"

#include "digest.h"
#include "error.h"
#include "minisign.h"
#include "pack.h"
#include "storage.h"
#include "update_ini.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Made once with `minisign -G -W`; they guard nothing. */
static const char secret_text[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAT1KF"
    "Z3LOeiQia045+cs/EuNxejf4GzbGpfg1Jf+7krALrmKHJvSrjFFcatoDJUvTqcmmd1ZvT2MORP8O"
    "sTfj6H6y980RoowFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char public_text[] = "untrusted comment: minisign public key 247ACE726785524F\n"
                                  "RWRPUoVncs56JFFcatoDJUvTqcmmd1ZvT2MORP8OsTfj6H6y980RoowF\n";
static const char other_text[] = "untrusted comment: minisign public key 16F202CDF2AFA717\n"
                                 "RWQXp6/yzQLyFs5uN5gVP6Sz9PfWECWEzB6oo4wYNrhzcUFaKDWyaWvR\n";

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static int put_file(struct up_storage *s, const char *dir, const char *name, const void *data, size_t len,
                    unsigned mode, struct up_error *err)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return up_storage_write_file(s, path, data, len, mode, err);
}

int up_fixture_keys(struct up_storage *s, const char *dir, bool other, struct up_error *err)
{
    int rc;

    if (other)
        return put_file(s, dir, "other.pub", other_text, strlen(other_text), 0644, err);
    rc = put_file(s, dir, "fixture.key", secret_text, strlen(secret_text), 0600, err);
    return rc < 0 ? rc : put_file(s, dir, "fixture.pub", public_text, strlen(public_text), 0644, err);
}

/* A stream of bytes that does not compress, from a seed. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Blocks in turn: noise, text that compresses, zeros. */
uint8_t *up_fixture_core(const struct up_fixture *f, size_t *size)
{
    unsigned blocks = f->core_blocks ? f->core_blocks : 4;
    uint32_t state = 2463534242u + 977 * (uint32_t)(f->core_version ? f->core_version : 1) + 31337 * f->seed;
    uint8_t *image;

    if (f->image) {
        *size = f->image_size;
        image = malloc(*size ? *size : 1);
        return image ? memcpy(image, f->image, *size) : NULL;
    }
    image = calloc(blocks, UP_FIXTURE_BLOCK);
    *size = (size_t)blocks * UP_FIXTURE_BLOCK - UP_FIXTURE_BLOCK / 2;
    for (size_t i = 0; image && i < *size; i++) {
        size_t kind = i / UP_FIXTURE_BLOCK % 3;

        if (kind == 0)
            image[i] = (uint8_t)(next_random(&state) >> 7);
        else if (kind == 1)
            image[i] = (uint8_t)("core image "[i % 11] + (i % 97 == 0 ? next_random(&state) % 8 : 0));
    }
    return image;
}

void up_fixture_file(const struct up_fixture *f, const char *name, char *out, size_t room)
{
    snprintf(out, room,
             "-- %s, seed %u\nPROJECT, VERSION, PRODUCT_KEY = \"%s\", \"%s\", \"%s\"\n"
             "local update = require \"update\"\nreturn update\n",
             name, f->seed, or_else(f->project, "METER"), or_else(f->version, "1.0.0"),
             or_else(f->product_key, "k-123"));
}

static void set_text(char *out, size_t room, const char *text)
{
    snprintf(out, room, "%s", text);
}

static void describe_hotfix(struct up_manifest *m, const struct up_fixture *f)
{
    set_text(m->hotfix_name, sizeof m->hotfix_name, "clock");
    set_text(m->hotfix_version, sizeof m->hotfix_version, f->hotfix);
    set_text(m->base[UP_SCRIPT], sizeof m->base[UP_SCRIPT], f->base);
}

static void describe(struct up_manifest *m, const struct up_fixture *f)
{
    const char *key = or_else(f->product_key, "k-123"), *version = or_else(f->version, "1.0.0");
    uint8_t digest[UP_SHA256_SIZE];

    memset(m, 0, sizeof *m);
    up_sha256(key, strlen(key), digest);
    up_hex(digest, sizeof digest, m->product_key);
    set_text(m->project, sizeof m->project, or_else(f->project, "METER"));
    if (f->hardware) {
        set_text(m->hardware[0], sizeof m->hardware[0], f->hardware);
        m->hardware_count = 1;
    }
    m->sequence = f->sequence ? f->sequence : 1;
    m->core_version = f->core ? (f->core_version ? f->core_version : 1) : 0;
    if (f->release)
        set_text(m->release, sizeof m->release, f->release);
    else if (f->hotfix)
        describe_hotfix(m, f);
    else if (f->script || f->files)
        set_text(m->release, sizeof m->release, version);
    else
        snprintf(m->release, sizeof m->release, "%.20s-V%u", version, (unsigned)m->core_version);
    if (f->script)
        set_text(m->script_version, sizeof m->script_version, version);
    if (f->files)
        set_text(m->files_version, sizeof m->files_version, "080507");
    if (f->core)
        set_text(m->core_name, sizeof m->core_name, or_else(f->core_name, "Luat_RDA8910"));
    m->issued = f->issued;
    m->not_after = f->not_after;
    m->deadline = f->deadline;
    set_text(m->requires_core, sizeof m->requires_core, or_else(f->requires_core, ""));
    m->requires_version = f->requires_version;
    set_text(m->min_moult, sizeof m->min_moult, or_else(f->min_moult, ""));
}

/* app/ with main.lua and a folder of modules. */
static int put_script(struct up_storage *s, const char *app, const struct up_fixture *f, struct up_error *err)
{
    char lib[1024], name[64], text[512];
    int rc;

    snprintf(lib, sizeof lib, "%s/lib", app);
    if (up_storage_make_dir(s, app, 0755, err) < 0 || up_storage_make_dir(s, lib, 0755, err) < 0)
        return err->code;
    up_fixture_file(f, "main.lua", text, sizeof text);
    rc = put_file(s, app, "main.lua", text, strlen(text), 0644, err);
    for (unsigned i = 1; rc == 0 && i <= (f->script_files ? f->script_files : 2); i++) {
        snprintf(name, sizeof name, "lib/part%u.lua", i);
        up_fixture_file(f, name, text, sizeof text);
        rc = put_file(s, app, name, text, strlen(text), i == 1 ? 0755 : 0644, err);
    }
    return rc;
}

static int put_core(struct up_storage *s, const char *path, const struct up_fixture *f, struct up_error *err)
{
    size_t size;
    uint8_t *image = up_fixture_core(f, &size);
    int rc = image ? up_storage_write_file(s, path, image, size, 0644, err)
                   : up_fail(err, UP_INTERNAL, "fixture: out of memory");

    free(image);
    return rc;
}

/* Each file holds its name and the seed. */
static int put_files(struct up_storage *s, const char *dir, const char *text_of_ini,
                     const struct up_fixture *f, struct up_error *err)
{
    struct up_update_ini ini = {.count = 0};
    char text[128];
    int rc = up_storage_make_dir(s, dir, 0755, err);

    if (rc == 0)
        rc = put_file(s, dir, UP_UPDATE_INI, text_of_ini, strlen(text_of_ini), 0644, err);
    /* A wrong one stays without files. */
    if (rc == 0 && up_update_ini_parse(&ini, text_of_ini, strlen(text_of_ini), NULL) < 0)
        ini.count = 0;
    for (size_t i = 0; rc == 0 && i < ini.count; i++) {
        snprintf(text, sizeof text, "%s, seed %u\n", ini.entry[i].name, f->seed);
        if (ini.entry[i].operation == UP_FILE_PUT)
            rc = put_file(s, dir, ini.entry[i].name, text, strlen(text), 0755, err);
    }
    up_update_ini_free(&ini);
    return rc;
}

/* fix/ with a module, which names the version, and test.lua. */
static int put_hotfix(struct up_storage *s, const char *dir, const struct up_fixture *f, struct up_error *err)
{
    char lua[600], files[600], text[64];
    int rc;

    snprintf(lua, sizeof lua, "%s/lua", dir);
    snprintf(text, sizeof text, "return \"%s\"\n", f->hotfix);
    snprintf(files, sizeof files, "%s/files", dir);
    rc = up_storage_make_dir(s, dir, 0755, err);
    if (rc == 0 && !f->fix_plain)
        rc = up_storage_make_dir(s, lua, 0755, err);
    if (rc == 0 && !f->fix_plain)
        rc = put_file(s, lua, "clock.lua", text, strlen(text), 0644, err);
    if (rc == 0 && f->fix_files)
        rc = put_files(s, files, f->fix_files, f, err);
    return rc < 0 ? rc : put_file(s, dir, "test.lua", text, strlen(text), 0644, err);
}

static int run_pack(struct up_storage *s, const char *path, const struct up_pack_options *options,
                    struct up_error *err)
{
    struct up_pack *pack;
    int rc = up_pack_open(&pack, s, options, path, err);

    if (rc < 0)
        return rc;
    do {
        rc = up_pack_step(pack, err);
    } while (rc == UP_AGAIN);
    up_pack_close(pack);
    return rc;
}

static int pack_in(struct up_storage *s, const char *path, const char *dir, const struct up_fixture *f,
                   struct up_error *err)
{
    enum up_encoding encoding = f->encoding == UP_ZEROS ? UP_RAW : f->encoding;
    char app[512], files_dir[512], fix[512], image[512], old[512], key_path[512];
    struct up_pack_part script = {.path = app, .encoding = encoding, .block_size = UP_FIXTURE_BLOCK},
                        files = {.path = files_dir, .encoding = encoding, .block_size = UP_FIXTURE_BLOCK},
                        hotfix = {.path = fix, .encoding = encoding, .block_size = UP_FIXTURE_BLOCK},
                        core = {.path = image,
                                .encoding = encoding,
                                .block_size = UP_FIXTURE_BLOCK,
                                .from = f->old ? old : NULL};
    struct up_manifest m;
    struct up_pack_options options = {.manifest = &m,
                                      .script = f->script ? &script : NULL,
                                      .files = f->files ? &files : NULL,
                                      .hotfix = f->hotfix ? &hotfix : NULL,
                                      .core = f->core ? &core : NULL};
    struct up_secret *key = NULL;
    int rc = 0;

    snprintf(app, sizeof app, "%s/app", dir);
    snprintf(files_dir, sizeof files_dir, "%s/files", dir);
    snprintf(fix, sizeof fix, "%s/fix", dir);
    snprintf(image, sizeof image, "%s/core.img", dir);
    snprintf(old, sizeof old, "%s/old.img", dir);
    snprintf(key_path, sizeof key_path, "%s/fixture.key", dir);
    describe(&m, f);
    if (up_fixture_keys(s, dir, false, err) < 0 || up_signing_key_load(&key, s, key_path, err) < 0)
        return err->code;
    options.key = key;
    if (f->script)
        rc = put_script(s, app, f, err);
    if (rc == 0 && f->files)
        rc = put_files(s, files_dir, f->files, f, err);
    if (rc == 0 && f->hotfix)
        rc = put_hotfix(s, fix, f, err);
    if (rc == 0 && f->core)
        rc = put_core(s, image, f, err);
    if (rc == 0 && f->old)
        rc = up_storage_write_file(s, old, f->old, f->old_size, 0644, err);
    if (rc == 0)
        rc = run_pack(s, path, &options, err);
    up_signing_key_free(key);
    return rc;
}

int up_fixture_pack(struct up_storage *s, const char *path, const char *work, const struct up_fixture *f,
                    struct up_error *err)
{
    char dir[400];
    struct up_error ignored;
    int rc;

    snprintf(dir, sizeof dir, "%s/fixture.tmp", work);
    if (up_storage_make_dir(s, dir, 0755, err) < 0)
        return err->code;
    rc = pack_in(s, path, dir, f, err);
    (void)!up_storage_remove_tree(s, dir, rc < 0 ? &ignored : err);
    return rc;
}
