#include "note.h"

#include <stdarg.h>
#include <stdio.h>

void note_bad(char *bad, size_t size, const char *format, ...)
{
    va_list args;

    if (bad[0])
        return;
    va_start(args, format);
    vsnprintf(bad, size, format, args);
    va_end(args);
}
