/*
 * factory.h -- the packages of the model.
 */
#ifndef FACTORY_H
#define FACTORY_H

#include <stddef.h>

struct parcel;

/* Its bytes; not to be freed. */
const char *factory_package(const struct parcel *p, size_t *len);

#endif
