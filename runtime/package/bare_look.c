#include "bare_look.h"

#include <string.h>

#include "error.h"
#include "manifest.h"
#include "update_ini.h"

#define HOTFIX_DEPTH 10 /* components of a name, with the folder at the top */

void up_bare_look_limits(struct up_archive_limits *out, bool hotfix)
{
    up_archive_reader_limits(out);
    out->entries = UP_UPDATE_INI_LINES_MAX + 2; /* the folder and update.ini */
    out->depth = hotfix ? HOTFIX_DEPTH : 2;
    out->any_charset = true;
    if (hotfix)
        out->bytes = UP_HOTFIX_MAX;
}

/* Whether the entry lies in the one folder at the top, or is it. */
static bool is_in_folder(const struct up_bare_look *look, const char *name, size_t len)
{
    return strlen(look->folder) == len && memcmp(look->folder, name, len) == 0;
}

static int take_file(struct up_bare_look *look, const struct up_archive_entry *entry, const char **name,
                     struct up_error *err)
{
    const char *slash = strchr(entry->name, '/');
    size_t len = strcspn(entry->name, "/");

    if (!slash != (entry->kind == UP_ARCHIVE_DIR))
        return up_fail(err, UP_UNTRUSTED, "%s: it must hold one folder with files and nothing else",
                       entry->name);
    if (!look->folder[0])
        memcpy(look->folder, entry->name, len);
    if (!is_in_folder(look, entry->name, len))
        return up_fail(err, UP_UNTRUSTED, "%s: it must hold one folder, and has %s already", entry->name,
                       look->folder);
    look->has_any = look->has_any || (slash && strcmp(slash + 1, UP_UPDATE_INI) == 0);
    *name = slash ? slash + 1 : NULL;
    return 0;
}

/* Whether a name begins with what the folder of a hotfix has at its top. */
static bool is_of_hotfix(const char *name)
{
    return strncmp(name, "lua/", 4) == 0 || strncmp(name, "files/", 6) == 0 || strcmp(name, "test.lua") == 0;
}

static bool is_dir_of_hotfix(const char *name)
{
    return is_of_hotfix(name) || strcmp(name, "lua") == 0 || strcmp(name, "files") == 0;
}

bool up_bare_look_is_hotfix_name(const char *name)
{
    if (!is_of_hotfix(name) || strlen(name) > UP_BARE_NAME_MAX)
        return false;
    for (const char *at = name; at; at = strchr(at, '/')) {
        size_t len;

        at += *at == '/';
        len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return false;
    }
    return true;
}

/* The first entry shows whether there is a folder around it. */
static int take_hotfix(struct up_bare_look *look, const struct up_archive_entry *entry, const char **name,
                       struct up_error *err)
{
    const char *at = entry->name;
    size_t len = strcspn(at, "/");

    if (!look->begun && !is_dir_of_hotfix(at))
        memcpy(look->folder, at, len);
    look->begun = true;
    if (look->folder[0] && !is_in_folder(look, at, len))
        return up_fail(err, UP_UNTRUSTED, "%s: it must hold one folder, and has %s already", at,
                       look->folder);
    if (look->folder[0])
        at += at[len] ? len + 1 : len;
    if (entry->kind == UP_ARCHIVE_DIR ? *at && !is_dir_of_hotfix(at) : !up_bare_look_is_hotfix_name(at))
        return up_fail(err, UP_UNTRUSTED, "%s: a hotfix consists of lua/, files/ and test.lua", entry->name);
    look->has_any = look->has_any || entry->kind == UP_ARCHIVE_FILE;
    *name = entry->kind == UP_ARCHIVE_FILE ? at : NULL;
    return 0;
}

int up_bare_look_take(struct up_bare_look *look, const struct up_archive_entry *entry, const char **name,
                      struct up_error *err)
{
    return look->hotfix ? take_hotfix(look, entry, name, err) : take_file(look, entry, name, err);
}

int up_bare_look_end(const struct up_bare_look *look, struct up_error *err)
{
    if (look->has_any)
        return 0;
    return look->hotfix ? up_fail(err, UP_UNTRUSTED, "has nothing of a hotfix: lua/ or files/")
                        : up_fail(err, UP_UNTRUSTED, "has no folder with " UP_UPDATE_INI);
}
