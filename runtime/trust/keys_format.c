/*
 * keys_format.c -- read and check the text of a key list.
 */
#include "keys.h"

#include "digest.h"
#include "error.h"
#include "json_fields.h"
#include "minisign.h"

#include <string.h>

/* It becomes a file name: letters, digits, '-', '_' and '.', not hidden. */
static bool good_name(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    return len > 0 && name[len] == '\0' && name[0] != '.' && name[0] != '-';
}

static void take_add(struct up_json_fields *f, struct up_key_list *k, json_t *object)
{
    struct up_json_fields inner = {.object = object, .kind = f->kind, .where = "add: ", .err = f->err};
    struct up_key_add *add = &k->add[k->add_count];
    char key[64] = "";

    if (!json_is_object(object))
        up_json_fields_refuse(&inner, "must be objects of name and key");
    up_json_fields_string(&inner, "name", true, add->name, sizeof add->name);
    if (inner.rc == 0 && !good_name(add->name))
        up_json_fields_refuse(&inner, "the name \"%s\" is not one of letters, digits, '-', '_' and '.'",
                              add->name);
    up_json_fields_string(&inner, "key", true, key, sizeof key);
    up_json_fields_rest(&inner);
    if (inner.rc == 0 && up_public_key_parse(add->raw, key, f->err) < 0) {
        up_fail_in(f->err, "keys: add");
        inner.rc = f->err->code;
    }
    for (unsigned i = 0; inner.rc == 0 && i < k->add_count; i++)
        if (strcmp(k->add[i].name, add->name) == 0 ||
            memcmp(up_public_key_id(k->add[i].raw), up_public_key_id(add->raw), UP_KEY_ID_SIZE) == 0)
            up_json_fields_refuse(&inner, "%s: its name or its key id appears twice", add->name);
    k->add_count++;
    f->rc = inner.rc;
}

static void take_revoke(struct up_json_fields *f, struct up_key_list *k, const json_t *value)
{
    uint8_t *id = k->revoke[k->revoke_count];
    char text[17] = "";

    up_json_fields_copy(f, "revoke", value, text, sizeof text);
    if (f->rc < 0)
        return;
    if (strlen(text) != 16 || !up_minisign_id_parse(id, text)) {
        up_json_fields_refuse(f, "revoke: \"%s\" is not a key id of 16 hexadecimal digits", text);
        return;
    }
    for (unsigned i = 0; i < k->revoke_count; i++)
        if (memcmp(k->revoke[i], id, UP_KEY_ID_SIZE) == 0)
            up_json_fields_refuse(f, "revoke: %s appears twice", text);
    for (unsigned i = 0; i < k->add_count; i++)
        if (memcmp(up_public_key_id(k->add[i].raw), id, UP_KEY_ID_SIZE) == 0)
            up_json_fields_refuse(f, "%s is both added and revoked", text);
    k->revoke_count++;
}

static json_t *take_list(struct up_json_fields *f, const char *name, size_t most)
{
    json_t *list = up_json_fields_take(f, name);
    size_t count = json_array_size(list);

    if (list && (!json_is_array(list) || count == 0 || count > most))
        up_json_fields_refuse(f, "%s must be a list of 1 to %zu", name, most);
    return list;
}

int up_keys_parse(struct up_key_list *k, const char *text, size_t len, struct up_error *err)
{
    struct up_json_fields f;
    json_t *list;

    memset(k, 0, sizeof *k);
    if (len > UP_KEYS_MAX)
        return up_fail(err, UP_UNTRUSTED, "keys: larger than %d bytes", UP_KEYS_MAX);
    up_json_fields_open(&f, "keys", text, len, err);
    k->serial = up_json_fields_integer(&f, "serial", true, 1, INT64_MAX);
    list = take_list(&f, "add", UP_KEYS_ADD_MAX);
    for (size_t i = 0; f.rc == 0 && i < json_array_size(list); i++)
        take_add(&f, k, json_array_get(list, i));
    json_decref(list);
    list = take_list(&f, "revoke", UP_KEYS_REVOKE_MAX);
    for (size_t i = 0; f.rc == 0 && i < json_array_size(list); i++)
        take_revoke(&f, k, json_array_get(list, i));
    json_decref(list);
    up_json_fields_rest(&f);
    if (f.rc == 0 && k->add_count + k->revoke_count == 0)
        up_json_fields_refuse(&f, "must add or revoke a key");
    up_sha256(text, len, k->digest);
    return up_json_fields_close(&f);
}
