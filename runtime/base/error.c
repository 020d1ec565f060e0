#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "printable.h"

static const struct up_code_info table[] = {
    {UP_OK, "ok", 0, "It worked.", "Nothing to do."},
    {UP_INTERNAL, "internal", 1, "Moult itself failed: out of memory, or a case it does not expect.",
     "Run the same with -v, keep the output, and report it."},
    {UP_USAGE, "usage", 2, "The command, the configuration or a recipe is not of the form expected.",
     "Read the message; `moult help VERB` shows the form with an example."},
    {UP_NOTHING, "nothing", 3,
     "There is nothing to do: no newer release, or no transaction that the verb applies to.",
     "None needed. `moult status` shows what runs."},
    {UP_RESTART, "restart", 4, "A release is armed; it runs after a restart.",
     "Restart the device; the trial begins then."},
    {UP_BUSY, "busy", 5,
     "Another transaction is open or armed, or another process holds the state directory.",
     "Wait for it, or `moult rollback` to drop what is armed."},
    {UP_NETWORK, "network", 10, "The server could not be reached, broke off, or answered wrongly.",
     "It is tried again by itself. Check the URL, the proxy setting and the route to the server."},
    {UP_MISSING, "missing", 11, "The server, or the path, has no such package.",
     "Check the name; on a depot, that the package lies in its folder."},
    {UP_EXPIRED, "expired", 12, "The link was refused as expired, three renewed ones too.",
     "Check the clocks of server and device, and how long the links live."},
    {UP_CORRUPT, "corrupt", 13, "Size or digest of what came, or of what was read back, is wrong.",
     "Fetch again; if it stays so, the file on the server is damaged: pack or upload it again."},
    {UP_UNTRUSTED, "untrusted", 14, "No trusted key signed this, or it differs from what was signed.",
     "Check that the public key lies in the keys directory and that the package is whole (`moult verify`)."},
    {UP_INCOMPATIBLE, "incompatible", 15,
     "Validly signed, but not for this device: product, hardware, floor, requirement or delta source.",
     "`moult explain PKG` shows which gate closed and why."},
    {UP_NOSPACE, "nospace", 16, "The slot or the file system has too little room.",
     "Free the space that the message names, or make the slot larger."},
    {UP_WRITE, "write", 17, "Reading or writing flash or a file failed.",
     "Look at the kernel log for I/O errors; check that the file system is mounted read-write."},
    {UP_ROLLEDBACK, "rolledback", 18, "The new release failed its trial; the old one runs again.",
     "`moult history` shows why. Repair the release and publish it with a higher sequence."},
    {UP_REFUSED, "refused", 19, "Policy refused the release.",
     "`moult explain PKG` shows the rule that refused."},
    {UP_DEFERRED, "deferred", 20, "Policy wants to wait: battery, time window, data budget.",
     "None needed: it is asked again. `moult explain PKG` shows the rule."},
    {UP_STATELOST, "statelost", 21, "Both journal records are unreadable.",
     "The running pair is left as it is. Keep a copy of the state directory, then provision the device "
     "again."},
};

#define ROWS (sizeof table / sizeof table[0])

int up_fail(struct up_error *err, int code, const char *format, ...)
{
    va_list args;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    /* Names in messages come from packages and servers, and may have been cut
     * in the middle of a character. */
    err->message[up_printable(err->message, strlen(err->message))] = '\0';
    return code;
}

int up_fail_in(struct up_error *err, const char *prefix)
{
    char rest[sizeof err->message];

    memcpy(rest, err->message, sizeof rest);
    return up_fail(err, err->code, "%s: %s", prefix, rest);
}

int up_code_of_errno(int error, int otherwise)
{
    return error == ENOSPC || error == EDQUOT ? UP_NOSPACE : otherwise;
}

const struct up_code_info *up_code_info(int code)
{
    for (size_t i = 0; i < ROWS; i++)
        if (table[i].code == code)
            return &table[i];
    return NULL;
}

const struct up_code_info *up_code_find(const char *word)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(table[i].word, word) == 0)
            return &table[i];
    return NULL;
}

const struct up_code_info *up_code_row(size_t i)
{
    return i < ROWS ? &table[i] : NULL;
}

const char *up_code_word(int code)
{
    const struct up_code_info *info = up_code_info(code);

    return info ? info->word : "internal";
}
