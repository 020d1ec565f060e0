/*
 * plans.h -- every flow of a device: what it installs, from where, onto what,
 * and how that ends. The enumerations go through all of them.
 */
#ifndef PLANS_H
#define PLANS_H

#include "world.h"

#define WORLD_PLANS 113u

extern const struct world_plan world_plans[WORLD_PLANS];

/* The flow of that name, or NULL. */
const struct world_plan *world_plan_of(const char *name);

#endif
