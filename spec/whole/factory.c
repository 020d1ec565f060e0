/*
 * Devices before their first history, and the packages that there are: made
 * once, cloned for each history.
 */
#include "stage.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "factory.h"
#include "fixture.h"
#include "host.h"
#include "variants.h"
#include "world.h"

#define NUMBERS 8
#define KINDS 32 /* bits: script, core, files, forged, of a device without a script */
#define SCRIPT_PART 1
#define FORGED 8
#define ALONE 16

/* Of the releases; 3 is one of the crash enumeration's. */
static const unsigned numbers[PARCELS] = {1, 2, 4, 5, 6, 7};

static struct {
    char *bytes;
    size_t len;
} packages[NUMBERS][KINDS];

static struct {
    uint8_t *image;
    size_t len;
} cores[NUMBERS];

enum kind { PLAIN, WITH_FILES, WITHOUT_SCRIPT, DEVICE_KINDS };

/* By boot driver, by how a trial is confirmed, and with a tree of files or without. */
static struct {
    struct sim *sim;
    struct up_config config;
} devices[2][2][DEVICE_KINDS];

static const char *config_text(bool uboot, bool script, enum kind kind, char out[1024])
{
    snprintf(
        out, 1024,
        "return { project = \"METER\", product_key = \"k-123\", hardware = \"rev-a\", id = \"1\",\n"
        "  state = \"/device/state\", keys = \"/device/keys\",\n"
        "  core = { slots = { a = \"/device/slot-a.img\", b = \"/device/slot-b.img\" }, boot = \"%s\"%s },\n"
        "  cloud = { kind = \"luat\", url = \"http://cloud/api\", period = 20 },\n"
        "%s%s"
        "  confirm = \"%s\", confirm_after = 4, deadline = 25, heartbeat = 20,\n"
        "  backoff = { least = 5, most = 60 } }\n",
        uboot ? "uboot" : "file",
        uboot ? ", fw_env = \"/device/fw_env.config\", cmdline = \"/device/cmdline\"" : "",
        kind != PLAIN ? "  files = { roots = { \"/app\", \"/card\" } },\n" : "",
        kind == WITHOUT_SCRIPT ? "  script = false,\n" : "", script ? "script" : "auto");
    return out;
}

static void must(int rc, const char *what, const struct up_error *err)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "whole: %s: %s\n", what, err->message);
    exit(1);
}

const char *factory_package(const struct parcel *p, size_t *len)
{
    unsigned kind = p->script | p->core << 1 | p->files << 2 | p->forged << 3 | (stage.alone ? ALONE : 0);

    *len = packages[p->number][kind].len;
    return packages[p->number][kind].bytes;
}

/* The signature, and nothing else: a character in the midst of its text, which
 * stands in the member after the manifest. */
static void forge(char *package)
{
    size_t manifest = strtoul(package + 124, NULL, 8);
    char *text = package + 512 + (manifest + 511) / 512 * 512 + 512, *line = strchr(text, '\n') + 41;

    *line = *line == 'A' ? 'B' : 'A';
}

static void make_packages(unsigned n)
{
    struct up_fixture f = {.core_version = n, .seed = n};

    cores[n].image = up_fixture_core(&f, &cores[n].len);
    for (unsigned kind = 0; kind < KINDS; kind++) {
        unsigned script = kind & 1 ? n : 0, core = kind & 2 ? n : 0;

        if (kind % FORGED == 0 || (kind & ALONE && kind & SCRIPT_PART))
            continue;
        packages[n][kind].bytes =
            kind & 4 ? variant_files(n, script, core, files_ini(n, kind & ALONE), &packages[n][kind].len)
                     : variant_package(n, script, core, &packages[n][kind].len);
        if (kind & FORGED)
            forge(packages[n][kind].bytes);
    }
}

unsigned script_number(struct sim *sim, const char *dir)
{
    for (int i = 0; i < PARCELS; i++)
        if (variant_is_script(sim, dir, numbers[i]))
            return numbers[i];
    return 0;
}

unsigned core_number(struct sim *sim, int slot)
{
    size_t len = 0;
    char *content = sim_get(sim, slot ? "/device/slot-b.img" : "/device/slot-a.img", &len);
    unsigned found = 0;

    for (int i = 0; i < PARCELS && content; i++) {
        unsigned n = numbers[i];

        if (len == cores[n].len && memcmp(content, cores[n].image, len) == 0)
            found = n;
    }
    free(content);
    return found;
}

static void provision(struct sim *sim, const struct up_config *config)
{
    struct up_storage *storage = sim_storage(sim);
    struct up_device *device;
    struct up_error err;

    must(up_device_provision(&device, storage, config, &err), "provision", &err);
    must(world_install(device, storage, "/packages/1", &err), "provision", &err);
    up_device_close(device);
}

static void make_device(bool uboot, bool script, enum kind kind)
{
    const unsigned package = kind == WITHOUT_SCRIPT ? ALONE | 2 | 4 : 3;
    struct sim *sim = sim_new();
    struct up_config *config = &devices[uboot][script][kind].config;
    struct up_error err;
    char text[1024];

    devices[uboot][script][kind].sim = sim;
    sim_put_text(sim, "/device/config.lua", config_text(uboot, script, kind, text));
    if (kind != PLAIN)
        files_put(sim);
    sim_put_text(sim, "/device/cmdline", "console=ttyS0\n");
    sim_put(sim, "/packages/1", packages[1][package].bytes, packages[1][package].len, 0644);
    variant_put_key(sim, "/device/keys");
    stage.sim = sim;
    stage.current = &stage.player[SUPERVISOR]; /* whose storage the simulator is */
    up_config_init(config);
    must(up_host_config(config, "/device/config.lua", &err), "configuration", &err);
    stage.current = NULL;
    stage.sim = NULL;
    provision(sim, config);
    sim_settle(sim);
}

void factory_prepare(void)
{
    hotfixes_prepare();
    for (int i = 0; i < PARCELS; i++)
        make_packages(numbers[i]);
    for (int i = 0; i < 4 * DEVICE_KINDS; i++)
        make_device(i & 1, i & 2, (enum kind)(i / 4));
}

static enum manner some_manner(void)
{
    return pick(2) == 0 ? GOOD : (enum manner)pick(MANNERS);
}

static void choose_parcel(struct parcel *p, int i)
{
    unsigned kind = pick(4);
    bool last = i == PARCELS - 1;

    p->number = numbers[i];
    p->script = i == 0 || last || kind != 1;
    p->core = i == 0 || kind == 1 || kind == 2;
    p->files = stage.files && i > 0 && pick(3) > 0;
    if (p->files && !last && pick(5) == 0)
        p->script = p->core = false;
    if (i > 0 && !last) { /* the last one is the one that must succeed */
        p->manner = some_manner();
        p->forged = pick(10) == 0;
        p->dead = p->core && pick(6) == 0;
    }
    if (stage.alone) {
        p->script = false;
        p->files = p->files || !p->core;
    }
    snprintf(p->path, sizeof p->path, "/packages/%u", p->number);
}

void factory_stage(void)
{
    bool script = pick(2) && !stage.outage; /* whose trial lacks the cloud alone, policy confirms */
    enum kind kind;
    size_t len;

    stage.uboot = pick(2);
    stage.files = pick(3) == 0;
    stage.settles = stage.files && pick(2);
    stage.alone = stage.files && !stage.outage && pick(3) == 0;
    kind = stage.alone ? WITHOUT_SCRIPT : (enum kind)stage.files;
    stage.sim = sim_clone(devices[stage.uboot][script][kind].sim);
    stage.config = &devices[stage.uboot][script][kind].config;
    for (int i = 0; i < PARCELS; i++) {
        const char *bytes;

        choose_parcel(&stage.parcel[i], i);
        bytes = factory_package(&stage.parcel[i], &len);
        sim_put(stage.sim, stage.parcel[i].path, bytes, len, 0644);
    }
    hotfixes_stage();
}
