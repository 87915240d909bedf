/* Options of one shell command, read as Hadoop's CommandFormat does: single words after one dash, before the first
 * operand; "--" ends them; "-" alone is an operand. */
#ifndef CAIRN_CLIENT_FS_OPTIONS_H
#define CAIRN_CLIENT_FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct args {
    char **v;
    size_t count;
};
#define ARGS_ANY ((size_t)-1)

struct option_flag {
    const char *name; /* without the dash; NULL ends the list */
    bool takes_value;
    bool on;           /* result */
    const char *value; /* result, "" when the value is missing; NULL when the option was not given */
};

char *args_shift(struct args *a); /* takes the first away; NULL if none is left */
void args_remove(struct args *a, size_t index);
/* Takes "name value" away wherever it stands before "--". NULL value in *ret if absent. */
int args_pop_value(struct args *a, const char *name, const char **ret, struct err *reterr) MUST_CHECK;
bool args_pop(struct args *a, const char *name);

/* Takes the options out of `a`. skip_unknown: leaves unknown words that look like options where they are.
 * ERR_ILLEGAL_ARGUMENT: unknown option, too few or too many operands. */
int options_parse(struct args *a, size_t min, size_t max, struct option_flag *flags, bool skip_unknown,
                  struct err *reterr) MUST_CHECK;
/* A whole decimal number within the bounds; the text is what Java says of it. */
int parse_number(const char *text, long long min, long long max, long long *ret, struct err *reterr) MUST_CHECK;

#endif
