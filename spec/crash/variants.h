/*
 * variants.h -- small signed packages for checks, and how to recognise what
 * they install.
 *
 * Script and core come in numbered variants. A script has main.lua and a
 * module in a folder; a core is a few blocks of 4096 bytes that exercise every
 * encoding, and ends within a block.
 */
#ifndef VARIANTS_H
#define VARIANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "sim.h"

#define VARIANT_PROJECT "METER"

/* SHA-256 hex of the product key, as manifests carry it. */
const char *variant_product_key(void);
/* The file that verifies them, text of a .pub. */
const char *variant_public_key(void);

/* A package with script variant `script` and core variant `core` (0: without
 * that part), release "<sequence>". The caller frees it. Aborts on failure. */
void *variant_package(unsigned sequence, unsigned script, unsigned core, size_t *len);

/* Whether the directory holds exactly script variant n. */
bool variant_is_script(struct sim *sim, const char *dir, unsigned n);
/* Whether the file holds exactly core variant n. */
bool variant_is_core(struct sim *sim, const char *path, unsigned n);

#endif
