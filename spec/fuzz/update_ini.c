/* What is taken of an update.ini keeps its rules, and no path leads elsewhere. */
#include "update_ini.h"

#include "error.h"
#include "fuzz.h"

#include <string.h>

static void check_path(const struct up_update_ini_entry *entry)
{
    size_t directory = strlen(entry->directory), slash = directory > 1;

    FUZZ_REQUIRE(entry->path[0] == '/' && strlen(entry->path) <= UP_UPDATE_INI_PATH_MAX);
    FUZZ_REQUIRE(memcmp(entry->path, entry->directory, directory) == 0);
    FUZZ_REQUIRE(entry->name == entry->path + directory + slash && entry->name[-1] == '/');
    FUZZ_REQUIRE(entry->name[0] && !strchr(entry->name, '/') &&
                 strlen(entry->name) <= UP_UPDATE_INI_NAME_MAX);
    FUZZ_REQUIRE(!strstr(entry->path, "//") && !strstr(entry->path, "/../") && !strstr(entry->path, "/./"));
    FUZZ_REQUIRE(!strstr(entry->path, "/" UP_FILES_TEMPORARY));
    FUZZ_REQUIRE(strcmp(entry->name, "..") != 0 && strcmp(entry->name, ".") != 0);
    FUZZ_REQUIRE(strcmp(entry->name, UP_UPDATE_INI) != 0);
    FUZZ_REQUIRE(!strpbrk(entry->path, "\t\r\n\x7f"));
}

static void check_entry(const struct up_update_ini *ini, const struct up_update_ini_entry *entry)
{
    bool directory = entry->type == UP_FILE_DIRECTORY;

    check_path(entry);
    FUZZ_REQUIRE(entry->operation || entry->stop || entry->start);
    FUZZ_REQUIRE(!(entry->stop || entry->start) || entry->type == UP_FILE_EXECUTABLE);
    FUZZ_REQUIRE(!directory || entry->operation == UP_FILE_MKDIR || entry->operation == UP_FILE_DELETE);
    FUZZ_REQUIRE(directory || entry->operation != UP_FILE_MKDIR);
    FUZZ_REQUIRE(entry->operation != UP_FILE_PUT || up_update_ini_has_file(ini, entry->name));
    for (const struct up_update_ini_entry *other = ini->entry; other < entry; other++)
        FUZZ_REQUIRE(!entry->operation || !other->operation || strcmp(entry->path, other->path) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct up_update_ini ini;
    struct up_error err;
    int rc = up_update_ini_parse(&ini, (const char *)data, size, &err);

    FUZZ_REQUIRE(rc == 0 || rc == UP_UNTRUSTED);
    FUZZ_REQUIRE(rc < 0 || (ini.count >= 1 && ini.count <= UP_UPDATE_INI_LINES_MAX));
    for (size_t i = 0; rc == 0 && i < ini.count; i++)
        check_entry(&ini, &ini.entry[i]);
    up_update_ini_free(&ini);
    return 0;
}
