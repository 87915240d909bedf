#include "scheduler/engine/aggregate.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/sequence_file.h"

enum kind { LONG_SUM, LONG_MAX_, LONG_MIN_, DOUBLE_SUM, STRING_MAX, STRING_MIN, UNIQUE_COUNT, HISTOGRAM };

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {{"LongValueSum", LONG_SUM},       {"LongValueMax", LONG_MAX_},    {"LongValueMin", LONG_MIN_},
             {"DoubleValueSum", DOUBLE_SUM},   {"StringValueMax", STRING_MAX}, {"StringValueMin", STRING_MIN},
             {"UniqValueCount", UNIQUE_COUNT}, {"ValueHistogram", HISTOGRAM}};

struct item {
    char *text;
    long long count;
};

struct group {
    char *key; /* TYPE:id */
    const char *id;
    enum kind kind;
    bool any;
    long long whole;
    double floating;
    char *text;
    struct item *items; /* of what is counted by value: sorted at the end */
    size_t item_count, item_capacity;
};

static void group_clear(struct group *g)
{
    for (size_t i = 0; i < g->item_count; i++)
        free(g->items[i].text);
    free(g->items);
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

/* As Java adds them. */
static long long sum(long long a, long long b)
{
    return (long long)((unsigned long long)a + (unsigned long long)b);
}

static int parse_whole(const struct group *g, const char *value, long long *ret, struct err *reterr)
{
    char *end;
    errno = 0;
    *ret = strtoll(value, &end, 10);
    if (end == value || *end || errno)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "aggregate: '%.100s' of %.100s is no whole number", value, g->key);
    return 0;
}

static int add_whole(struct group *g, const char *value, struct err *reterr)
{
    long long n;
    int rc = parse_whole(g, value, &n, reterr);
    if (rc)
        return rc;
    if (g->kind == LONG_SUM)
        g->whole = sum(g->whole, n);
    else if (!g->any || (g->kind == LONG_MAX_ ? n > g->whole : n < g->whole))
        g->whole = n;
    return 0;
}

static void add_item(struct group *g, const char *text, size_t len, long long count)
{
    if (g->item_count == g->item_capacity) {
        g->item_capacity = g->item_capacity ? 2 * g->item_capacity : 16;
        g->items = mem_realloc_array(g->items, g->item_capacity, sizeof *g->items);
    }
    g->items[g->item_count++] = (struct item){mem_strndup(text, len), count};
}

/* "value" or "value<TAB>how often" */
static int add_to_histogram(struct group *g, const char *value, struct err *reterr)
{
    const char *tab = strrchr(value, '\t');
    long long count = 1;
    int rc = tab ? parse_whole(g, tab + 1, &count, reterr) : 0;
    if (rc == 0)
        add_item(g, value, tab ? (size_t)(tab - value) : strlen(value), count);
    return rc;
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
    case UNIQUE_COUNT: add_item(g, value, strlen(value), 1); break;
    case HISTOGRAM: rc = add_to_histogram(g, value, reterr); break;
    }
    g->any = true;
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->text, ((const struct item *)b)->text);
}

static int by_count(const void *a, const void *b)
{
    long long x = ((const struct item *)a)->count, y = ((const struct item *)b)->count;
    return (x > y) - (x < y);
}

/* One item for each value, with its count. */
static void merge_items(struct group *g)
{
    size_t kept = 0;
    if (g->item_count)
        qsort(g->items, g->item_count, sizeof *g->items, by_text);
    for (size_t i = 0; i < g->item_count; i++)
        if (kept && !strcmp(g->items[kept - 1].text, g->items[i].text)) {
            g->items[kept - 1].count = sum(g->items[kept - 1].count, g->items[i].count);
            free(g->items[i].text);
        } else {
            g->items[kept++] = g->items[i];
        }
    g->item_count = kept;
}

/* Of how often values occur: how many there are, least, median, greatest, average, standard deviation. */
static void histogram_report(const struct group *g, FILE *out)
{
    struct buf text = {0};
    long long all = 0;
    double squares = 0, n = (double)g->item_count;
    qsort(g->items, g->item_count, sizeof *g->items, by_count);
    for (size_t i = 0; i < g->item_count; i++)
        all = sum(all, g->items[i].count);
    double average = (double)all / n;
    for (size_t i = 0; i < g->item_count; i++)
        squares += ((double)g->items[i].count - average) * ((double)g->items[i].count - average);
    java_double_append(&text, average);
    buf_append(&text, "\t", 1);
    java_double_append(&text, sqrt(squares / n));
    fprintf(out, "%s\t%zu\t%lld\t%lld\t%lld\t%s\n", g->id, g->item_count, g->items[0].count,
            g->items[g->item_count / 2].count, g->items[g->item_count - 1].count, buf_cstr(&text));
    buf_free(&text);
}

static void items_end(struct group *g, FILE *out, bool combine)
{
    merge_items(g);
    for (size_t i = 0; combine && i < g->item_count; i++)
        if (g->kind == HISTOGRAM)
            fprintf(out, "%s\t%s\t%lld\n", g->key, g->items[i].text, g->items[i].count);
        else
            fprintf(out, "%s\t%s\n", g->key, g->items[i].text);
    if (!combine && g->kind == HISTOGRAM)
        histogram_report(g, out);
    else if (!combine)
        fprintf(out, "%s\t%zu\n", g->id, g->item_count);
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
    case UNIQUE_COUNT:
    case HISTOGRAM: items_end(g, out, combine); break;
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
