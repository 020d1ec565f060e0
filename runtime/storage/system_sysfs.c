#include "system_sysfs.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

bool up_system_sysfs_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    bool got;

    if (!f)
        return false;
    got = fgets(out, (int)size, f) != NULL;
    fclose(f);
    if (got)
        out[strcspn(out, "\n")] = '\0';
    return got && out[0];
}

bool up_system_sysfs_device(const char *dir, dev_t *device)
{
    char path[512], text[32];
    unsigned major_number, minor_number;

    if (snprintf(path, sizeof path, "%s/dev", dir) >= (int)sizeof path ||
        !up_system_sysfs_line(path, text, sizeof text) ||
        sscanf(text, "%u:%u", &major_number, &minor_number) != 2)
        return false;
    *device = makedev(major_number, minor_number);
    return true;
}

void up_system_sysfs_unescape(char *text)
{
    char *out = text;

    for (char *p = text; *p; p++) {
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' &&
            p[3] <= '7') {
            *out++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 3;
        } else {
            *out++ = *p;
        }
    }
    *out = '\0';
}
