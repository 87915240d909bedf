#include "client/fs/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void args_remove(struct args *a, size_t index)
{
    memmove(a->v + index, a->v + index + 1, (a->count - index - 1) * sizeof *a->v);
    a->count--;
}

char *args_shift(struct args *a)
{
    if (!a->count)
        return NULL;
    char *first = a->v[0];
    a->v++;
    a->count--;
    return first;
}

int args_pop_value(struct args *a, const char *name, const char **ret, struct err *reterr)
{
    *ret = NULL;
    for (size_t i = 0; i < a->count && strcmp(a->v[i], "--"); i++) {
        if (strcmp(a->v[i], name))
            continue;
        args_remove(a, i);
        if (i == a->count)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "option %s requires 1 argument.", name);
        *ret = a->v[i];
        args_remove(a, i);
        break;
    }
    return 0;
}

bool args_pop(struct args *a, const char *name)
{
    for (size_t i = 0; i < a->count && strcmp(a->v[i], "--"); i++)
        if (!strcmp(a->v[i], name)) {
            args_remove(a, i);
            return true;
        }
    return false;
}

static struct option_flag *flag_find(struct option_flag *flags, const char *name)
{
    for (; flags && flags->name; flags++)
        if (!strcmp(flags->name, name))
            return flags;
    return NULL;
}

int options_parse(struct args *a, size_t min, size_t max, struct option_flag *flags, bool skip_unknown,
                  struct err *reterr)
{
    size_t at = 0;
    while (at < a->count && a->v[at][0] == '-' && a->v[at][1]) {
        const char *word = a->v[at];
        if (!strcmp(word, "--")) {
            args_remove(a, at);
            break;
        }
        struct option_flag *flag = flag_find(flags, word + 1);
        if (!flag) {
            if (!skip_unknown)
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal option %s", word);
            at++;
            continue;
        }
        args_remove(a, at);
        flag->on = true;
        if (flag->takes_value) {
            flag->value = "";
            if (at < a->count && a->count > min && a->v[at][0] != '-') {
                flag->value = a->v[at];
                args_remove(a, at);
            }
        }
    }
    if (a->count < min)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Not enough arguments: expected %zu but got %zu", min, a->count);
    if (a->count > max)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Too many arguments: expected %zu but got %zu", max, a->count);
    return 0;
}

int parse_number(const char *text, long long min, long long max, long long *ret, struct err *reterr)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || errno || *text == ' ')
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "For input string: \"%s\"", text);
    if (n < min || n > max)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Value out of range. Value:\"%s\" Radix:10", text);
    *ret = n;
    return 0;
}
