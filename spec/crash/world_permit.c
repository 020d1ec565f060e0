/*
 * world_permit.c -- the world of an install by permit.
 */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "fixture.h"
#include "journal.h"
#include "minisign.h"
#include "permit.h"
#include "variants.h"

static void must(int rc, const struct up_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "the world: %s\n", err->message);
    abort();
}

void world_put_permit(struct sim *sim, const char *path)
{
    struct sim *scratch = sim_new();
    struct up_storage *s = sim_storage(scratch);
    char text[512], sig[UP_MINISIG_MAX], hex[65];
    char *package = sim_get(sim, path, NULL);
    uint8_t digest[UP_SHA256_SIZE];
    struct up_secret *key;
    struct up_error err;
    size_t len;

    up_sha256(package + 512, strtoul(package + 124, NULL, 8), digest); /* of the manifest */
    up_hex(digest, sizeof digest, hex);
    snprintf(text, sizeof text,
             "{\"format\":\"moult-permit-1\",\"project\":\"" VARIANT_PROJECT
             "\",\"devices\":\"*\",\"manifest\":\"%s\",\"not_after\":4000000000}",
             hex);
    must(up_fixture_keys(s, "/", false, &err), &err);
    must(up_signing_key_load(&key, s, "/fixture.key", &err), &err);
    must(up_signing_key_sign(key, text, strlen(text), UP_PERMIT_COMMENT, sig, &len, &err), &err);
    up_signing_key_free(key);
    sim_put_text(sim, WORLD_PERMIT, text);
    sim_put(sim, WORLD_PERMIT ".minisig", sig, len, 0644);
    sim_free(scratch);
    free(package);
}

void world_raise_floor(struct sim *sim, const char *state)
{
    struct up_journal_state *s = malloc(sizeof *s);
    struct up_journal *j;
    struct up_error err;

    if (!s)
        abort();
    must(up_journal_open(&j, sim_storage(sim), state, &err), &err);
    must(up_journal_read(j, s, &err), &err);
    s->floor[UP_SCRIPT] = s->floor[UP_CORE] = 2;
    must(up_journal_write(j, s, &err), &err);
    must(up_journal_write(j, s, &err), &err); /* both halves */
    up_journal_close(j);
    free(s);
    sim_settle(sim);
}

bool world_permit_used(struct sim *sim, const struct up_journal_state *s)
{
    uint8_t digest[UP_SHA256_SIZE];
    size_t len;
    char *permit = sim_get(sim, WORLD_PERMIT, &len);

    up_sha256(permit, len, digest);
    free(permit);
    return up_journal_permit_used(s, digest);
}
