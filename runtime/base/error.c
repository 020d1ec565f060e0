#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "printable.h"

static const struct up_code_info table[] = {
    {UP_OK, "ok", 0, "It worked.", "Nothing to do."},
    {UP_INTERNAL, "internal", 1,
     "Moult itself failed: it ran out of memory, or met a case that it does not expect.",
     "Run the same command with -v, keep the output, and report it."},
    {UP_USAGE, "usage", 2, "The command, the configuration or a recipe has an error.",
     "Read the message; `moult help VERB` shows the form with an example."},
    {UP_NOTHING, "nothing", 3,
     "There is nothing to do: no newer release, or nothing under way that the verb applies to.",
     "None needed. `moult status` shows what runs."},
    {UP_RESTART, "restart", 4, "A release is armed; it runs after a restart.",
     "Restart the device; then the trial begins."},
    {UP_BUSY, "busy", 5,
     "Another transaction is open or armed, or another process holds the state directory.",
     "Wait for it, or `moult rollback` to drop what is armed."},
    {UP_NETWORK, "network", 10,
     "The server could not be reached, closed the connection, or sent a wrong answer.",
     "The device tries again by itself. Check the URL, the proxy and the route to the server."},
    {UP_MISSING, "missing", 11, "There is no such package on the server, or no such file.",
     "Check the name. On a depot, check that the package is in its folder."},
    {UP_EXPIRED, "expired", 12, "The link had expired, and so had three new ones.",
     "Check the clocks of server and device, and how long links are valid."},
    {UP_CORRUPT, "corrupt", 13,
     "The size or the digest is wrong, of what was received or of what was read back.",
     "Fetch it again. If that does not help, the file on the server is damaged: upload it again."},
    {UP_UNTRUSTED, "untrusted", 14, "No trusted key signed this, or it was changed after it was signed.",
     "Check that the public key is in the keys directory and that the package is intact (`moult verify`)."},
    {UP_INCOMPATIBLE, "incompatible", 15,
     "The package is signed, but not for this device: product, hardware, floor, requirement or delta base.",
     "`moult explain PKG` shows which check failed and why."},
    {UP_NOSPACE, "nospace", 16, "The slot or the file system is too small, or full.",
     "Free the space that the message names, or make the slot larger."},
    {UP_WRITE, "write", 17, "Flash or a file could not be read or written.",
     "Check the kernel log for I/O errors, and that the file system is mounted read-write."},
    {UP_ROLLEDBACK, "rolledback", 18, "The new release failed its trial. The old one runs again.",
     "`moult history` shows why. Fix the release and publish it with a higher sequence."},
    {UP_REFUSED, "refused", 19, "Policy refused the release.", "`moult explain PKG` shows the rule."},
    {UP_DEFERRED, "deferred", 20, "Policy waits for the battery, a time window or the data budget.",
     "None needed: policy is asked again. `moult explain PKG` shows the rule."},
    {UP_STATELOST, "statelost", 21, "Neither record of the journal can be read.",
     "What runs is left alone. Copy the state directory, then provision the device again."},
};

#define ROWS (sizeof table / sizeof table[0])

int up_fail(struct up_error *err, int code, const char *format, ...)
{
    char text[sizeof err->message + 4]; /* a character more */
    va_list args;

    if (!err)
        return code;
    err->code = code;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    text[up_printable_cut(text, strlen(text), sizeof err->message - 1)] = '\0';
    /* Names in messages come from packages and servers. */
    up_printable_escape(err->message, sizeof err->message, text);
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
