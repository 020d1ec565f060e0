#include "update_ini.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADD = 1, DELETE = 2, UPGRADE = 4, STOP = 8, START = 16, CHANGES = ADD | DELETE | UPGRADE, ALL = 31 };
enum { NAME, DIRECTORY, OPERATION, TYPE, FIELDS };

/* The last one is for an error of the whole line. */
static const char *const field_names[] = {"name: ", "directory: ", "operation: ", "type: ", ""};

/* The current line, with each field as it stands there. */
struct line {
    unsigned number;
    const char *at[FIELDS];
    size_t len[FIELDS];
    struct up_error *err;
};

static int refuse(const struct line *line, int field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int refuse(const struct line *line, int field, const char *format, ...)
{
    char why[400];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return up_fail(line->err, UP_UNTRUSTED, UP_UPDATE_INI " line %u: %s%s", line->number, field_names[field],
                   why);
}

/* Find the four fields; refuse what shows that the file is of another form. */
static int split(struct line *line, const char *text, size_t len)
{
    int field = 0;

    line->at[0] = text;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\t') {
            line->len[field] = (size_t)(text + i - line->at[field]);
            if (++field == FIELDS)
                return refuse(line, FIELDS, "more than four fields");
            line->at[field] = text + i + 1;
        } else if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return refuse(line, field, "holds a control character");
        }
    }
    line->len[field] = (size_t)(text + len - line->at[field]);
    if (field < TYPE)
        return refuse(line, FIELDS, "%d of four fields, with a TAB between them", field + 1);
    return 0;
}

static bool is(const char *part, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(part, word, len) == 0;
}

/* Why it is not valid as a part of a path; NULL: it is valid. */
static const char *part_flaw(const char *part, size_t len)
{
    if (len == 0)
        return "has an empty part";
    if (is(part, len, ".") || is(part, len, ".."))
        return "\".\" and \"..\" are not allowed";
    if (len >= strlen(UP_FILES_TEMPORARY) &&
        memcmp(part, UP_FILES_TEMPORARY, strlen(UP_FILES_TEMPORARY)) == 0)
        return "names that begin with " UP_FILES_TEMPORARY " are Moult's own";
    return NULL;
}

static int check_name(const struct line *line)
{
    const char *name = line->at[NAME], *flaw;
    size_t len = line->len[NAME];

    if (len == 0)
        return refuse(line, NAME, "is empty");
    if (len > UP_UPDATE_INI_NAME_MAX)
        return refuse(line, NAME, "%zu bytes, at most %d", len, UP_UPDATE_INI_NAME_MAX);
    if (memchr(name, '/', len))
        return refuse(line, NAME, "must not be a path");
    if (is(name, len, UP_UPDATE_INI))
        return refuse(line, NAME, "it describes the package and cannot be installed");
    flaw = part_flaw(name, len);
    return flaw ? refuse(line, NAME, "%s", flaw) : 0;
}

static int check_directory(const struct line *line)
{
    const char *at = line->at[DIRECTORY], *end = at + line->len[DIRECTORY], *flaw = NULL;

    if (at == end || *at != '/')
        return refuse(line, DIRECTORY, "must be absolute");
    if (line->len[DIRECTORY] + 1 + line->len[NAME] > UP_UPDATE_INI_PATH_MAX)
        return refuse(line, DIRECTORY, "longer than %d bytes together with the name", UP_UPDATE_INI_PATH_MAX);
    if (end - at == 1)
        return 0;
    while (at < end && !flaw) {
        const char *part = at + 1, *slash = memchr(part, '/', (size_t)(end - part));

        at = slash ? slash : end;
        flaw = part_flaw(part, (size_t)(at - part));
    }
    return flaw ? refuse(line, DIRECTORY, "%s", flaw) : 0;
}

/* A number without sign and leading zeros; 0 if it is not one, or above 99. */
static unsigned number_of(const struct line *line, int field)
{
    unsigned value = 0;

    for (size_t i = 0; i < line->len[field]; i++) {
        char c = line->at[field][i];

        if (i > 1 || c < '0' || c > '9' || line->at[field][0] == '0')
            return 0;
        value = 10 * value + (unsigned)(c - '0');
    }
    return value;
}

/* A name that goes into the owner's command lines must be plain, and must not look like an option. */
static bool good_program_name(const char *name, size_t len)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@+-";

    for (size_t i = 0; i < len; i++)
        if (!memchr(plain, name[i], sizeof plain - 1))
            return false;
    return name[0] != '-';
}

static int check_operation(const struct line *line, struct up_update_ini_entry *entry, unsigned mask)
{
    unsigned change = mask & CHANGES;

    if (mask == 0 || mask > ALL)
        return refuse(line, OPERATION, "must be 1, 2, 4, 8 or 16, or a sum of them");
    if (change & (change - 1))
        return refuse(line, OPERATION, "at most one of 1 (add), 2 (delete) and 4 (upgrade)");
    entry->stop = mask & STOP;
    entry->start = mask & START;
    if (entry->type == UP_FILE_DIRECTORY && mask != ADD && mask != DELETE)
        return refuse(line, OPERATION, "of a directory must be 1 (add) or 2 (delete)");
    if ((entry->stop || entry->start) && entry->type != UP_FILE_EXECUTABLE)
        return refuse(line, OPERATION, "8 (stop) and 16 (start) are for executables only");
    if ((entry->stop || entry->start) && !good_program_name(line->at[NAME], line->len[NAME]))
        return refuse(line, NAME,
                      "of a program that is stopped or started must consist of letters, digits "
                      "and _.@+-, and must not begin with -");
    if (entry->start && change == DELETE)
        return refuse(line, OPERATION, "starts a file that it deletes");
    if (change == DELETE)
        entry->operation = UP_FILE_DELETE;
    else if (change)
        entry->operation = entry->type == UP_FILE_DIRECTORY ? UP_FILE_MKDIR : UP_FILE_PUT;
    return 0;
}

/* Write directory and path to `room`; returns the first byte behind them. */
static char *copy_names(const struct line *line, struct up_update_ini_entry *entry, char *room)
{
    int directory = (int)line->len[DIRECTORY], name = (int)line->len[NAME];

    entry->directory = room;
    room += sprintf(room, "%.*s", directory, line->at[DIRECTORY]) + 1;
    entry->path = room;
    room += sprintf(room, "%s%s", entry->directory, directory > 1 ? "/" : "");
    entry->name = room;
    return room + sprintf(room, "%.*s", name, line->at[NAME]) + 1;
}

static int take_line(struct line *line, struct up_update_ini_entry *entry, struct up_error *err)
{
    unsigned type, mask;
    int rc;

    line->err = err;
    rc = check_name(line);
    if (rc == 0)
        rc = check_directory(line);
    if (rc < 0)
        return rc;
    mask = number_of(line, OPERATION);
    type = number_of(line, TYPE);
    if (type != UP_FILE_DIRECTORY && type != UP_FILE_EXECUTABLE && type != UP_FILE_CONFIGURATION &&
        type != UP_FILE_DRIVER)
        return refuse(line, TYPE, "must be 1 (directory), 2 (executable), 4 (configuration) or 8 (driver)");
    entry->line = line->number;
    entry->type = (enum up_file_type)type;
    return check_operation(line, entry, mask);
}

/* Whether path `lower` lies below `upper`. */
static bool below(const char *lower, const char *upper)
{
    size_t len = strlen(upper);

    return strncmp(lower, upper, len) == 0 && lower[len] == '/';
}

/* Check two lines with the same target; `b` comes later. */
static const char *same_flaw(const struct up_update_ini_entry *a, const struct up_update_ini_entry *b)
{
    if (a->type != b->type)
        return "gives another type than";
    if (a->operation && b->operation)
        return "changes the same target as";
    if ((a->stop && b->stop) || (a->start && b->start))
        return "stops or starts the same program as";
    if ((a->operation == UP_FILE_DELETE && b->start) || (b->operation == UP_FILE_DELETE && a->start))
        return "starts a file that is deleted; see";
    return NULL;
}

/* Check two lines; the target of `low` lies below that of `high`. */
static const char *below_flaw(const struct up_update_ini_entry *low, const struct up_update_ini_entry *high)
{
    if (high->type != UP_FILE_DIRECTORY)
        return "lies below, or above, a target that is no directory:";
    if (high->operation == UP_FILE_DELETE)
        return low->operation || low->start ? "lies below, or above, a directory that is deleted:" : NULL;
    if (low->operation == UP_FILE_DELETE)
        return "deletes below a directory that is added:";
    if (low->line < high->line)
        return "adds a directory too late; what is to be in it comes first:";
    return NULL;
}

static int check_pair(const struct up_update_ini_entry *a, const struct up_update_ini_entry *b,
                      struct up_error *err)
{
    const char *flaw = NULL;

    if (strcmp(a->path, b->path) == 0)
        flaw = same_flaw(a, b);
    else if (below(b->path, a->path))
        flaw = below_flaw(b, a);
    else if (below(a->path, b->path))
        flaw = below_flaw(a, b);
    if (flaw)
        return up_fail(err, UP_UNTRUSTED, UP_UPDATE_INI " line %u: name: %s line %u", b->line, flaw, a->line);
    return 0;
}

static int take_entry(struct up_update_ini *ini, struct line *line, char **room, struct up_error *err)
{
    struct up_update_ini_entry *entry = &ini->entry[ini->count];
    int rc;

    if (ini->count == UP_UPDATE_INI_LINES_MAX)
        return refuse(line, FIELDS, "more than %d entries", UP_UPDATE_INI_LINES_MAX);
    rc = take_line(line, entry, err);
    if (rc < 0)
        return rc;
    *room = copy_names(line, entry, *room);
    for (size_t i = 0; rc == 0 && i < ini->count; i++)
        rc = check_pair(&ini->entry[i], entry, err);
    ini->count++;
    return rc;
}

static int take_lines(struct up_update_ini *ini, const char *text, size_t len, struct up_error *err)
{
    const char *at = text, *end = text + len;
    struct line line = {.err = err};
    char *room = ini->text;
    int rc = 0;

    if (len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (rc == 0 && at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at)), *stop = feed ? feed : end;
        size_t size = (size_t)(stop - at);

        line.number++;
        if (size > 0 && at[size - 1] == '\r')
            size--;
        if (size > 0)
            rc = split(&line, at, size);
        if (rc == 0 && size > 0)
            rc = take_entry(ini, &line, &room, err);
        at = feed ? feed + 1 : end;
    }
    if (rc == 0 && ini->count == 0)
        return up_fail(err, UP_UNTRUSTED, UP_UPDATE_INI ": has no entry");
    return rc;
}

int up_update_ini_parse(struct up_update_ini *ini, const char *text, size_t len, struct up_error *err)
{
    memset(ini, 0, sizeof *ini);
    if (len > UP_UPDATE_INI_MAX)
        return up_fail(err, UP_UNTRUSTED, UP_UPDATE_INI ": larger than %u bytes", UP_UPDATE_INI_MAX);
    /* Each line holds its directory once and three TABs, and is copied with it twice. */
    ini->text = malloc(2 * len + 2);
    ini->entry = calloc(UP_UPDATE_INI_LINES_MAX, sizeof *ini->entry);
    if (!ini->text || !ini->entry)
        return up_fail(err, UP_INTERNAL, UP_UPDATE_INI ": out of memory");
    return take_lines(ini, text, len, err);
}

unsigned up_update_ini_blanks(char *text, size_t *len, bool remove)
{
    unsigned lines = 0, field = 0;
    bool found = false;
    size_t to = 0;

    for (size_t i = 0; i < *len; i++) {
        /* A TAB came before it at least. */
        bool blank = field == DIRECTORY && text[i] == ' ' && text[to - 1] == '/';

        lines += blank && !found;
        found = (found || blank) && text[i] != '\n';
        field = text[i] == '\n' ? NAME : field + (text[i] == '\t');
        if (!blank || !remove)
            text[to++] = text[i];
    }
    *len = to;
    return lines;
}

bool up_update_ini_has_file(const struct up_update_ini *ini, const char *name)
{
    for (size_t i = 0; i < ini->count; i++)
        if (ini->entry[i].operation == UP_FILE_PUT && strcmp(ini->entry[i].name, name) == 0)
            return true;
    return false;
}

void up_update_ini_free(struct up_update_ini *ini)
{
    free(ini->text);
    free(ini->entry);
    memset(ini, 0, sizeof *ini);
}

const char *up_update_ini_operation_name(enum up_file_operation operation)
{
    static const char *const names[] = {"keep", "put", "delete", "mkdir"};

    return names[operation];
}

const char *up_update_ini_type_name(enum up_file_type type)
{
    switch (type) {
    case UP_FILE_DIRECTORY:
        return "directory";
    case UP_FILE_EXECUTABLE:
        return "executable";
    case UP_FILE_CONFIGURATION:
        return "configuration";
    default:
        return "driver";
    }
}
