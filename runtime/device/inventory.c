#include "inventory.h"

#include <stdlib.h>

#include "blocks.h"
#include "error.h"
#include "slot.h"

struct up_inventory {
    uint32_t count;
    uint8_t bits[];
};

int up_inventory_new(struct up_inventory **out, uint32_t count, struct up_error *err)
{
    struct up_inventory *v = calloc(1, sizeof *v + count / 8 + 1);

    if (!v)
        return up_fail(err, UP_INTERNAL, "transfer: out of memory");
    v->count = count;
    *out = v;
    return 0;
}

void up_inventory_free(struct up_inventory *v)
{
    free(v);
}

bool up_inventory_has(const struct up_inventory *v, uint32_t block)
{
    return v->bits[block / 8] >> (block % 8) & 1;
}

void up_inventory_set(struct up_inventory *v, uint32_t block, bool has)
{
    uint8_t bit = (uint8_t)(1u << (block % 8));

    v->bits[block / 8] = (uint8_t)(has ? v->bits[block / 8] | bit : v->bits[block / 8] & ~bit);
}

uint32_t up_inventory_front(const struct up_inventory *v)
{
    uint32_t n = 0;

    while (n < v->count && up_inventory_has(v, n))
        n++;
    return n;
}

/* Continue from block `first` until one does not match or reaches past `end`. */
static int match_on(struct up_inventory *v, struct up_blocks *blocks, struct up_slot *target, uint32_t first,
                    uint64_t end, struct up_error *err)
{
    for (uint32_t i = first; i < v->count; i++) {
        uint64_t until =
            i + 1 == v->count ? up_blocks_content(blocks) : (i + UINT64_C(1)) * up_blocks_size(blocks);
        int match = until <= end ? up_blocks_match(blocks, i, target, err) : 0;

        if (match < 0)
            return match;
        if (!match)
            return 0;
        up_inventory_set(v, i, true);
    }
    return 0;
}

static int find_from_front(struct up_inventory *v, struct up_blocks *blocks, struct up_slot *target, bool cut,
                           struct up_error *err)
{
    bool volume = up_slot_traits(target)->atomic;
    uint64_t block_size = up_blocks_size(blocks), end, from;
    uint32_t front, first;

    if (match_on(v, blocks, target, 0, UINT64_MAX, err) < 0)
        return err->code;
    front = first = up_inventory_front(v);
    end = from = front == v->count ? up_blocks_content(blocks) : front * block_size;
    if (volume)
        first = front < v->count ? 0 : front;
    else if (cut && up_slot_refresh(target, &end, &from, err) < 0)
        return err->code;
    if (!volume && from < front * block_size)
        first = (uint32_t)(from / block_size);
    for (uint32_t i = first; i < front; i++)
        up_inventory_set(v, i, false);
    return volume ? 0 : match_on(v, blocks, target, first, end, err);
}

int up_inventory_find(struct up_inventory *v, struct up_blocks *blocks, struct up_slot *target, uint32_t sure,
                      uint32_t until, bool cut, struct up_error *err)
{
    if (up_slot_traits(target)->in_order)
        return find_from_front(v, blocks, target, cut, err);
    for (uint32_t i = 0; i < until; i++) {
        int match = i < sure ? 1 : up_blocks_match(blocks, i, target, err);

        if (match < 0)
            return match;
        up_inventory_set(v, i, match);
    }
    return 0;
}
