/*
 * tar_sum.h -- give a tar header that was changed the right sum again, so that
 * what is wrong is found in its fields.
 */
#ifndef TAR_SUM_H
#define TAR_SUM_H

#include <stdio.h>
#include <string.h>

static inline void tar_sum(void *header)
{
    unsigned char *bytes = header;
    unsigned sum = 0;
    char text[8];

    memset(bytes + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += bytes[i];
    snprintf(text, sizeof text, "%06o", sum & 0777777);
    memcpy(bytes + 148, text, 7);
}

#endif
