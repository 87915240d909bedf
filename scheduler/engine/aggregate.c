#include "scheduler/engine/aggregate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/sequence_file.h"

enum kind { LONG_SUM, LONG_MAX_, LONG_MIN_, DOUBLE_SUM, STRING_MAX, STRING_MIN, UNIQUE_COUNT };

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {{"LongValueSum", LONG_SUM},      {"LongValueMax", LONG_MAX_},    {"LongValueMin", LONG_MIN_},
             {"DoubleValueSum", DOUBLE_SUM},  {"StringValueMax", STRING_MAX}, {"StringValueMin", STRING_MIN},
             {"UniqValueCount", UNIQUE_COUNT}};

struct group {
    char *key; /* TYPE:id */
    const char *id;
    enum kind kind;
    bool any;
    long long whole;
    double floating;
    char *text;
    char **unique; /* sorted at the end */
    size_t unique_count, unique_capacity;
};

static void group_clear(struct group *g)
{
    for (size_t i = 0; i < g->unique_count; i++)
        free(g->unique[i]);
    free(g->unique);
    free(g->text);
    free(g->key);
    *g = (struct group){0};
}

static int group_begin(struct group *g, const char *key, struct err *reterr)
{
    const char *colon = strchr(key, ':');
    for (size_t i = 0; colon && i < ARRAY_COUNT(kinds); i++)
        if (strlen(kinds[i].name) == (size_t)(colon - key) && !strncmp(key, kinds[i].name, (size_t)(colon - key))) {
            g->key = mem_strdup(key);
            g->id = g->key + (colon - key) + 1;
            g->kind = kinds[i].kind;
            return 0;
        }
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                   "aggregate: '%.100s' is no key of the form TYPE:id with a type that is known (LongValueSum, ...)",
                   key);
}

static int add_whole(struct group *g, const char *value, struct err *reterr)
{
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (end == value || *end || errno)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "aggregate: '%.100s' of %.100s is no whole number", value, g->key);
    if (g->kind == LONG_SUM)
        g->whole = (long long)((unsigned long long)g->whole + (unsigned long long)n);
    else if (!g->any || (g->kind == LONG_MAX_ ? n > g->whole : n < g->whole))
        g->whole = n;
    return 0;
}

static int group_add(struct group *g, const char *value, struct err *reterr)
{
    char *end;
    int rc = 0;
    switch (g->kind) {
    case LONG_SUM:
    case LONG_MAX_:
    case LONG_MIN_: rc = add_whole(g, value, reterr); break;
    case DOUBLE_SUM:
        g->floating += strtod(value, &end);
        if (end == value || *end)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "aggregate: '%.100s' of %.100s is no number", value, g->key);
        break;
    case STRING_MAX:
    case STRING_MIN:
        if (!g->any || (g->kind == STRING_MAX ? strcmp(value, g->text) > 0 : strcmp(value, g->text) < 0)) {
            free(g->text);
            g->text = mem_strdup(value);
        }
        break;
    case UNIQUE_COUNT:
        if (g->unique_count == g->unique_capacity) {
            g->unique_capacity = g->unique_capacity ? 2 * g->unique_capacity : 16;
            g->unique = mem_realloc_array(g->unique, g->unique_capacity, sizeof *g->unique);
        }
        g->unique[g->unique_count++] = mem_strdup(value);
        break;
    }
    g->any = true;
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void unique_end(struct group *g, FILE *out, bool combine)
{
    size_t count = 0;
    qsort(g->unique, g->unique_count, sizeof *g->unique, by_text);
    for (size_t i = 0; i < g->unique_count; i++) {
        if (i && !strcmp(g->unique[i], g->unique[i - 1]))
            continue;
        count++;
        if (combine)
            fprintf(out, "%s\t%s\n", g->key, g->unique[i]);
    }
    if (!combine)
        fprintf(out, "%s\t%zu\n", g->id, count);
}

static void group_end(struct group *g, FILE *out, bool combine)
{
    const char *key = combine ? g->key : g->id;
    struct buf number = {0};
    if (!g->key)
        return;
    switch (g->kind) {
    case LONG_SUM:
    case LONG_MAX_:
    case LONG_MIN_: fprintf(out, "%s\t%lld\n", key, g->whole); break;
    case DOUBLE_SUM:
        java_double_append(&number, g->floating);
        fprintf(out, "%s\t%s\n", key, buf_cstr(&number));
        break;
    case STRING_MAX:
    case STRING_MIN: fprintf(out, "%s\t%s\n", key, g->text); break;
    case UNIQUE_COUNT: unique_end(g, out, combine); break;
    }
    buf_free(&number);
    group_clear(g);
}

int aggregate(FILE *in, FILE *out, bool combine, struct err *reterr)
{
    struct group g = {0};
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = getline(&line, &room, in)) > 0) {
        if (line[n - 1] == '\n')
            line[n - 1] = 0;
        char *tab = strchr(line, '\t');
        const char *value = tab ? tab + 1 : "";
        if (tab)
            *tab = 0;
        if (!g.key || strcmp(g.key, line)) {
            group_end(&g, out, combine);
            rc = group_begin(&g, line, reterr);
        }
        if (rc == 0)
            rc = group_add(&g, value, reterr);
    }
    if (rc == 0)
        group_end(&g, out, combine);
    group_clear(&g);
    free(line);
    if (rc == 0 && (ferror(in) || fflush(out)))
        rc = err_errno(reterr, errno, "aggregate");
    return rc;
}
