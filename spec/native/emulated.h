/*
 * emulated.h -- what an emulated processor (qemu-user, scripts/cross) cannot show.
 *
 * It starts no other program of its architecture, reports a missing program as one
 * that ended, and has another root directory than the kernel.
 */
#ifndef UP_EMULATED_H
#define UP_EMULATED_H

#include <stdbool.h>
#include <stdlib.h>

static inline bool is_emulated(void)
{
    return getenv("MOULT_EMULATED") != NULL;
}

#endif
