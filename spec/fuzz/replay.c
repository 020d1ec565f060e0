/*
 * replay.c -- run a target over kept inputs, without libFuzzer.
 *
 *     fuzz_TARGET FILE|DIRECTORY...
 *
 * Each input is handed over in memory of exactly its size, so that a sanitizer
 * sees a read past its end; then cut short at a few places. Prints one line.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CUTS 16

static unsigned inputs, runs;

static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_memory(size);

    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    runs++;
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0, n;

    if (!file) {
        perror(path);
        exit(1);
    }
    do {
        data = realloc(data, size + 65536);
        if (!data)
            abort();
        n = fread(data + size, 1, 65536, file);
        size += n;
    } while (n > 0);
    fclose(file);
    inputs++;
    run(data, size);
    for (size_t i = 0; i < CUTS && i < size; i++)
        run(data, size * i / CUTS);
    free(data);
}

static void replay(const char *path)
{
    struct dirent **list;
    struct stat st;
    int count;

    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    count = scandir(path, &list, NULL, alphasort);
    if (count < 0) {
        perror(path);
        exit(1);
    }
    for (int i = 0; i < count; i++) {
        char name[4096];

        snprintf(name, sizeof name, "%s/%s", path, list[i]->d_name);
        if (list[i]->d_name[0] != '.')
            replay_file(name);
        free(list[i]);
    }
    free(list);
}

int main(int argc, char **argv)
{
    const char *target = strrchr(argv[0], '/');

    target = target ? target + 1 : argv[0];
    if (strncmp(target, "fuzz_", 5) == 0)
        target += 5;
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("fuzz: %s %u kept inputs, %u runs, 0 findings\n", target, inputs, runs);
    return inputs == 0;
}
