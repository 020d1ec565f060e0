/*
 * What a policy returned, as its process tells: any JSON in place of the two
 * values. The first byte picks the function, then come the texts, each up to a
 * zero byte: first value, second value, question.
 */
#include "fuzz.h"
#include "sandbox_answer.h"

#include <stdlib.h>
#include <string.h>

static json_t *value(struct fuzz *in)
{
    char *text = fuzz_text(in);
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);

    free(text);
    return v ? v : json_null();
}

static void check_decision(const json_t *answer, const json_t *tree)
{
    const char *action = json_string_value(json_object_get(answer, "action"));
    const json_t *retry = json_object_get(answer, "retry_after");

    FUZZ_REQUIRE(action && (strcmp(action, "install") == 0 || strcmp(action, "defer") == 0 ||
                            strcmp(action, "refuse") == 0));
    FUZZ_REQUIRE(json_string_length(json_object_get(answer, "reason")) >= 1);
    FUZZ_REQUIRE(!retry || (json_is_integer(retry) && json_integer_value(retry) >= 0 &&
                            json_integer_value(retry) <= UP_SANDBOX_RETRY_MAX));
    FUZZ_REQUIRE(json_is_array(tree));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"decide", "choose", "healthy"};
    struct fuzz in = {data, size};
    uint8_t bits = fuzz_u8(&in);
    const char *word = words[bits % 3], *name = bits & 128 ? "owner" : NULL;
    json_t *first = value(&in), *second = value(&in), *question = value(&in), *answer = NULL, *tree = NULL;
    char why[256], *text;
    bool good;

    memset(why, 'x', sizeof why);
    good = up_sandbox_answer_check(word, name, question, first, second, &answer, &tree, why, sizeof why);
    if (good) {
        FUZZ_REQUIRE(answer && tree);
        if (bits % 3 == 0)
            check_decision(answer, tree);
        text = json_dumps(answer, JSON_COMPACT);
        FUZZ_REQUIRE(text);
        free(text);
    } else {
        FUZZ_REQUIRE(memchr(why, 0, sizeof why));
    }
    json_decref(answer);
    json_decref(tree);
    json_decref(question);
    return 0;
}
