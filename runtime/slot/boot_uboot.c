/*
 * boot_uboot.c -- boot driver `uboot`: variables in the U-Boot environment,
 * which a boot script reads and counts down.
 *
 * The meaning of the variables is in boot.h. They are interpreted exactly as
 * the boot script of examples/uboot interprets them, so that both always agree:
 * words in BOOT_ORDER that are not slots are skipped, an order without any slot
 * means "a b", and tries that are not a number mean none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot_private.h"
#include "error.h"
#include "storage.h"

#define CMDLINE_MOST 65536u
#define SLOT_WORD "moult.slot="

enum { ORDER, LEFT, VARIABLES = LEFT + UP_SLOTS };

static const char *const names[VARIABLES] = {"BOOT_ORDER", "BOOT_a_LEFT", "BOOT_b_LEFT"};

static int fail_env(const struct up_boot *b, struct up_error *err)
{
    switch (errno) {
    case ENODATA:
        return up_fail(err, UP_STATELOST,
                       "%s: no copy of the U-Boot environment is valid, so U-Boot runs on its built-in one; "
                       "run saveenv there",
                       b->fw_env);
    case EOPNOTSUPP:
        return up_fail(
            err, UP_USAGE,
            "%s: names one copy of the U-Boot environment; a power cut while it is written would lose "
            "it: build U-Boot with a redundant environment",
            b->fw_env);
    case ENOENT:
    case EINVAL:
        return up_fail(err, UP_USAGE, "%s: the U-Boot environment cannot be found: %s", b->fw_env,
                       strerror(errno));
    default:
        return up_fail(err, UP_WRITE, "%s: U-Boot environment: %s", b->fw_env, strerror(errno));
    }
}

/* The slot of a word on the command line; the last one counts, as for the kernel's own words. */
static int slot_of(const char *text)
{
    int slot = -1;

    for (const char *p = strstr(text, SLOT_WORD); p; p = strstr(p + sizeof SLOT_WORD - 1, SLOT_WORD)) {
        const char *value = p + sizeof SLOT_WORD - 1;

        if (p > text && !strchr(" \t", p[-1]))
            continue;
        slot = (*value == 'a' || *value == 'b') && strchr(" \t\n", value[1]) ? *value - 'a' : -1;
    }
    return slot;
}

static int uboot_started(struct up_boot *b, int *slot, struct up_error *err)
{
    char *text;

    if (up_storage_read_file(b->storage, b->cmdline, CMDLINE_MOST, &text, NULL, err) < 0)
        return err->code;
    *slot = slot_of(text);
    free(text);
    return 0;
}

static void add_to_order(struct up_boot_state *s, uint8_t slot)
{
    if (s->count > 0 && s->order[0] == slot)
        return;
    if (s->count < UP_SLOTS)
        s->order[s->count++] = slot;
}

static void decode_order(struct up_boot_state *s, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, " ");

        if (len == 1 && (*text == 'a' || *text == 'b'))
            add_to_order(s, (uint8_t)(*text - 'a'));
        text += len + (text[len] == ' ');
    }
    if (s->count == 0) {
        add_to_order(s, 0);
        add_to_order(s, 1);
    }
}

/* Tries are one digit: we never write more. */
static uint8_t decode_left(const char *text)
{
    return text[0] >= '0' && text[0] <= '9' && text[1] == '\0' ? (uint8_t)(text[0] - '0') : 0;
}

static void decode(struct up_boot_state *s, const struct up_boot_variable v[VARIABLES])
{
    *s = (struct up_boot_state){0};
    decode_order(s, v[ORDER].value);
    for (int i = 0; i < s->count; i++) {
        uint8_t slot = s->order[i];

        s->good[slot] = v[LEFT + slot].value[0] == '\0';
        s->tries[slot] = decode_left(v[LEFT + slot].value);
    }
}

static void encode(const struct up_boot_state *s, struct up_boot_variable v[VARIABLES])
{
    for (int i = 0; i < VARIABLES; i++)
        v[i] = (struct up_boot_variable){.name = names[i]};
    for (int i = 0; i < UP_SLOTS; i++)
        strcpy(v[LEFT + i].value, "0"); /* not in the order, so not good either */
    for (int i = 0; i < s->count; i++) {
        uint8_t slot = s->order[i];

        snprintf(v[ORDER].value + strlen(v[ORDER].value), 4, i ? " %c" : "%c", 'a' + slot);
        snprintf(v[LEFT + slot].value, 4, "%u", s->tries[slot] % 10u);
        if (s->good[slot])
            v[LEFT + slot].value[0] = '\0';
    }
}

static int uboot_read(struct up_boot *b, struct up_boot_state *out, struct up_error *err)
{
    struct up_boot_variable v[VARIABLES] = {{.name = names[0]}, {.name = names[1]}, {.name = names[2]}};
    int slot;

    *out = (struct up_boot_state){.running = UP_SLOTS};
    if (uboot_started(b, &slot, err) < 0)
        return err->code;
    if (slot < 0)
        return up_fail(err, UP_USAGE,
                       "%s: has no " SLOT_WORD "a or " SLOT_WORD
                       "b; the boot script has to add it to bootargs",
                       b->cmdline);
    out->running = (uint8_t)slot;
    if (b->storage->ops->boot_get(b->storage, b->fw_env, v, VARIABLES) < 0)
        return fail_env(b, err);
    decode(out, v);
    out->running = (uint8_t)slot;
    return 0;
}

static int uboot_write(struct up_boot *b, const struct up_boot_state *s, struct up_error *err)
{
    struct up_boot_variable v[VARIABLES];

    encode(s, v);
    if (b->storage->ops->boot_set(b->storage, b->fw_env, v, VARIABLES) < 0)
        return fail_env(b, err);
    return 0;
}

/* The boot script chose before we were started, so select only reads. */
static const struct up_boot_driver_ops ops = {uboot_started, uboot_write,   uboot_read,       uboot_write,
                                              uboot_read,    up_boot_stays, up_boot_kernel_id};

const struct up_boot_driver_ops *const up_boot_uboot_ops = &ops;
