/*
 * device_boot.c -- read, interpret and write the boot loader's variables.
 */
#include "device_private.h"
#include "error.h"

int up_device_set_boot(struct up_device *d, const struct up_boot_state *next, struct up_error *err)
{
    /* Variables that cannot be read must not be written by guess. */
    if (d->boot_lost || d->pending & UP_PENDING_LOCK)
        return up_fail(err, d->trouble.cause.code, "%s", d->trouble.cause.message);
    d->boot_unsure = up_boot_write(d->boot, next, err) < 0;
    if (d->boot_unsure)
        return err->code;
    d->boot_state = *next;
    return 0;
}

void up_device_repeat_boot(struct up_device *d)
{
    struct up_error ignored;

    (void)!up_boot_write(d->boot, &d->boot_state, &ignored);
}

int up_device_disarm(struct up_device *d, unsigned target, struct up_error *err)
{
    struct up_boot_state next = d->boot_state;

    if (!d->boot_unsure && next.count == 1 && next.order[0] != target && !next.good[target] &&
        next.tries[target] == 0)
        return 0;
    next.order[0] = (uint8_t)!target;
    next.count = 1;
    next.good[target] = false;
    next.tries[target] = 0;
    return up_device_set_boot(d, &next, err);
}

int up_device_arm_boot(struct up_device *d, struct up_error *err)
{
    struct up_boot_state next = d->boot_state;
    unsigned target = d->state.tx.target;

    next.order[0] = (uint8_t)target;
    next.order[1] = (uint8_t)!target;
    next.count = 2;
    next.tries[target] = UP_BOOT_TRIES;
    next.good[target] = false;
    return up_device_set_boot(d, &next, err);
}

/* The slot of the confirmed pair, from the journal alone: the transaction,
 * which stays there when it is over, shows what became of its target. */
static uint8_t confirmed_slot(const struct up_journal_state *s)
{
    const struct up_transaction *t = &s->tx;
    uint8_t other = !t->target;
    bool core = t->parts & 1u << UP_CORE;

    if (s->phase == UP_IDLE && s->slot[0].present != s->slot[1].present)
        return s->slot[1].present;
    if (s->phase == UP_IDLE && s->has_last && s->last.code == UP_OK && s->last.sequence == t->sequence)
        return t->target;
    return core ? other : t->target;
}

/* The variables cannot be read, or are empty. */
static void lose_boot(struct up_device *d, const struct up_boot_state *known)
{
    d->boot_lost = true;
    d->boot_state = *known;
    if (known->running >= UP_SLOTS)
        d->boot_state.running = confirmed_slot(&d->state);
    d->running_known = known->running < UP_SLOTS;
}

static void find_boot(struct up_device *d, const struct up_boot_state *found)
{
    d->boot_lost = false;
    d->running_known = true;
    d->boot_state = *found;
}

int up_device_read_boot(struct up_device *d, struct up_error *err)
{
    struct up_boot_state next;
    bool before = d->running_known;

    if (up_boot_read(d->boot, &next, err) == 0) {
        find_boot(d, &next);
        return 0;
    }
    if (before)
        return err->code;
    lose_boot(d, &next);
    up_device_has_trouble(d, 0, false, err);
    return 0;
}

/* Driver `file`: nobody else reads the record, so a lost one is created again
 * for the slot that the journal names. */
static int make_boot_anew(struct up_device *d, struct up_error *err)
{
    struct up_boot_state next = {.count = 1};
    uint8_t slot = confirmed_slot(&d->state);

    next.order[0] = slot;
    next.order[1] = !slot;
    next.good[slot] = true;
    next.running = slot;
    if (up_boot_create(d->boot, &next, err) < 0)
        return err->code;
    find_boot(d, &next);
    return 0;
}

/* Ask the boot loader, or act as one. */
int up_device_select_slot(struct up_device *d, struct up_error *err)
{
    struct up_boot_state next;
    struct up_error ignored;
    int rc = up_boot_select(d->boot, &next, err);

    if (rc == 0 || next.count > 0) {
        find_boot(d, &next); /* not recorded: the slot that counts as running all the same */
        return rc;
    }
    lose_boot(d, &next);
    if (d->config->boot != UP_BOOT_FILE || (rc != UP_STATELOST && rc != UP_NOTHING))
        return rc;
    return make_boot_anew(d, &ignored) < 0 ? rc : 0;
}
