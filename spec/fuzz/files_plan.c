/* A plan that is taken keeps its rules, and is written as it was read. */
#include "files_plan.h"

#include "error.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_op(const struct up_files_plan *plan, uint32_t n)
{
    const struct up_files_op *op = &plan->op[n];

    FUZZ_REQUIRE(op->root < plan->root_count && op->mode <= 07777);
    FUZZ_REQUIRE(op->name[0] && !strchr(op->name, '/') && strcmp(op->name, "..") != 0);
    FUZZ_REQUIRE(strncmp(op->name, ".moult-", 7) != 0);
    FUZZ_REQUIRE(op->dir[0] != '/' && !strstr(op->dir, "//") && strncmp(op->dir, "../", 3) != 0);
    FUZZ_REQUIRE(!strstr(op->dir, "/../") && strcmp(op->dir, "..") != 0);
    FUZZ_REQUIRE(up_files_plan_is_step(op) || plan->op[op->parent].kind == UP_FILES_MAKE_DIR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct up_files_plan plan;
    struct up_error err;
    uint8_t *again;
    size_t len;

    if (up_files_plan_decode(&plan, data, size, &err) < 0) {
        FUZZ_REQUIRE(err.code == UP_INCOMPATIBLE);
        return 0;
    }
    for (uint32_t n = 0; n < plan.op_count; n++)
        check_op(&plan, n);
    FUZZ_REQUIRE(up_files_plan_encode(&plan, &again, &len, &err) == 0);
    FUZZ_REQUIRE(len == size && memcmp(again, data, size) == 0);
    free(again);
    up_files_plan_free(&plan);
    return 0;
}
