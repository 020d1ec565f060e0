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

/* A volume is whole or of no use. */
static void whole_or_nothing(struct up_inventory *v)
{
    bool whole = true;

    for (uint32_t i = 0; i < v->count; i++)
        whole = whole && up_inventory_has(v, i);
    for (uint32_t i = 0; i < v->count && !whole; i++)
        up_inventory_set(v, i, false);
}

/* Where a run of blocks in place ends, its last erase block is written anew.
 * When the run ends within an erase block, that happens with the next block. */
static void doubt_ends(struct up_inventory *v, uint64_t block_size, uint64_t size, uint64_t erase_size)
{
    for (uint32_t i = 1; i <= v->count; i++) {
        uint64_t end = i == v->count ? size : i * block_size;

        if (!up_inventory_has(v, i - 1) ||
            (i < v->count && (up_inventory_has(v, i) || end % erase_size != 0)))
            continue;
        for (uint32_t b = i; b > 0 && b * block_size > (end - 1) / erase_size * erase_size; b--)
            up_inventory_set(v, b - 1, false);
    }
}

int up_inventory_find(struct up_inventory *v, struct up_blocks *blocks, struct up_slot *target, uint32_t sure,
                      uint32_t until, struct up_error *err)
{
    const struct up_flash *flash = &up_slot_traits(target)->flash;

    if (flash->kind != UP_FLASH_NONE)
        sure = 0;
    if (flash->kind == UP_FLASH_UBI)
        until = v->count;
    for (uint32_t i = 0; i < until && i < v->count; i++) {
        int match = i < sure ? 1 : up_blocks_match(blocks, i, target, err);

        if (match < 0)
            return match;
        up_inventory_set(v, i, match);
        if (!match && flash->kind == UP_FLASH_UBI)
            break;
    }
    if (flash->kind == UP_FLASH_UBI)
        whole_or_nothing(v);
    else if (flash->kind != UP_FLASH_NONE)
        doubt_ends(v, up_blocks_size(blocks), up_blocks_content(blocks), flash->erase_size);
    return 0;
}
