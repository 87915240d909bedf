#include "common/config.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

#define CONFIG_SUBSTITUTE_DEPTH_MAX 20
#define CONFIG_VALUE_MAX            (1 << 20)

struct config_value {
    char *name, *value, *source;
    bool final;
};
struct config {
    struct config_value *values; /* sorted by name */
    size_t count, capacity;
};

static const struct config_key *config_known(const char *name)
{
    for (const struct config_key *key = config_keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

/* ---- parsing ---- */

static int parse_number(const char *text, int64_t *ret, const char **ret_end)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *text == ' ')
        return -1;
    *ret = n;
    *ret_end = end;
    return 0;
}

int config_parse_size(const char *text, int64_t *ret_bytes)
{
    static const char suffixes[] = "kmgtpe";
    const char *end;
    int64_t n;
    if (parse_number(text, &n, &end) < 0)
        return -1;
    if (*end) {
        const char *at = strchr(suffixes, *end | 0x20);
        if (!at || (end[1] && !((end[1] | 0x20) == 'b' && !end[2])))
            return -1;
        for (const char *p = suffixes; p <= at; p++)
            if (__builtin_mul_overflow(n, 1024, &n))
                return -1;
    }
    *ret_bytes = n;
    return 0;
}

int config_parse_duration_ms(const char *text, enum config_type unit, int64_t *ret_ms)
{
    static const struct {
        const char *suffix;
        int64_t ns;
    } units[] = {{"ns", 1},          {"us", 1000},         {"ms", 1000000},      {"s", 1000000000},
                 {"m", 60000000000}, {"h", 3600000000000}, {"d", 86400000000000}};
    const char *end;
    int64_t n, per_unit_ns = unit == CONFIG_MINUTES ? 60000000000 : unit == CONFIG_SECONDS ? 1000000000 : 1000000;
    if (parse_number(text, &n, &end) < 0)
        return -1;
    if (*end) {
        per_unit_ns = 0;
        for (size_t i = 0; i < ARRAY_COUNT(units); i++)
            if (strcasecmp(end, units[i].suffix) == 0)
                per_unit_ns = units[i].ns;
        if (!per_unit_ns)
            return -1;
    }
    if (per_unit_ns < 1000000) {
        *ret_ms = n / (1000000 / per_unit_ns);
        return 0;
    }
    return __builtin_mul_overflow(n, per_unit_ns / 1000000, ret_ms) ? -1 : 0;
}

/* The number a bound is compared with: in the key's own unit. */
static int config_check(const struct config_key *key, const char *value, const char **ret_want)
{
    static const char *const wants[] = {
        [CONFIG_STRING] = "text",
        [CONFIG_INT] = "a whole number",
        [CONFIG_SIZE] = "a size such as 65536 or 128m",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_FLOAT] = "a number",
        [CONFIG_MS] = "a duration such as 3000 (ms) or 3s",
        [CONFIG_SECONDS] = "a duration such as 3 (s) or 500ms",
        [CONFIG_MINUTES] = "a duration such as 60 (min) or 2h",
    };
    *ret_want = wants[key->type];
    int64_t n = 0, per_unit = key->type == CONFIG_MINUTES ? 60000 : key->type == CONFIG_SECONDS ? 1000 : 1;
    const char *end = "";
    char *float_end;
    switch (key->type) {
    case CONFIG_STRING: return 0;
    case CONFIG_BOOL: return strcasecmp(value, "true") && strcasecmp(value, "false") ? -1 : 0;
    case CONFIG_FLOAT:
        (void)strtod(value, &float_end);
        float_end += float_end > value && strchr("fFdD", *float_end) && *float_end; /* 0.999f, as Java writes it */
        return float_end == value || *float_end ? -1 : 0;
    case CONFIG_INT:
        if (parse_number(value, &n, &end) < 0 || *end)
            return -1;
        break;
    case CONFIG_SIZE:
        if (config_parse_size(value, &n) < 0)
            return -1;
        break;
    default:
        if (config_parse_duration_ms(value, key->type, &n) < 0)
            return -1;
        if (key->min > 0 && n < key->min && n > 0)
            n = key->min; /* a fraction of the unit ("500ms" for seconds) is a legal short value */
        else
            n /= per_unit;
    }
    if (key->min == 0 && key->max == 0)
        return n < 0 && key->type >= CONFIG_MS ? -1 : 0;
    return n < key->min || (key->max && n > key->max) ? -1 : 0;
}

/* ---- the table ---- */

static size_t config_find(const struct config *c, const char *name, bool *ret_found)
{
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(c->values[middle].name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

static struct config_value *config_value(struct config *c, const char *name)
{
    bool found;
    size_t at = config_find(c, name, &found);
    if (!found) {
        if (c->count == c->capacity) {
            c->capacity = c->capacity ? c->capacity * 2 : 32;
            c->values = mem_realloc_array(c->values, c->capacity, sizeof *c->values);
        }
        memmove(c->values + at + 1, c->values + at, (c->count - at) * sizeof *c->values);
        c->values[at] = (struct config_value){.name = mem_strdup(name)};
        c->count++;
    }
    return &c->values[at];
}

struct config *config_new(void)
{
    return mem_new(struct config);
}

struct config *config_copy(const struct config *c)
{
    struct config *copy = config_new();
    for (size_t i = 0; i < c->count; i++) {
        struct config_value *v = config_value(copy, c->values[i].name);
        v->value = mem_strdup(c->values[i].value);
        v->source = mem_strdup(c->values[i].source);
        v->final = c->values[i].final;
    }
    return copy;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++) {
        free(c->values[i].name);
        free(c->values[i].value);
        free(c->values[i].source);
    }
    free(c->values);
    free(c);
}

void config_freep(struct config **c)
{
    config_free(*c);
}

/* Appends text with every ${name} replaced. */
static int config_substitute(const struct config *c, const char *text, int depth, char **ret)
{
    char *out = NULL;
    size_t out_len = 0;
    FILE *f = open_memstream(&out, &out_len);
    int rc = f && depth <= CONFIG_SUBSTITUTE_DEPTH_MAX ? 0 : -1;
    for (const char *p = text; rc == 0 && *p;) {
        const char *close_brace = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
        if (!close_brace) {
            fputc(*p++, f);
            continue;
        }
        AUTO(mem_freep) char *name = mem_strndup(p + 2, (size_t)(close_brace - p) - 2);
        const char *found = strncmp(name, "env.", 4) == 0 ? getenv(name + 4) : config_get(c, name);
        AUTO(mem_freep) char *inner = NULL;
        if (found)
            rc = config_substitute(c, found, depth + 1, &inner);
        if (rc == 0 && found)
            fputs(inner, f);
        else if (rc == 0)
            fprintf(f, "${%s}", name); /* as Hadoop: an unknown name stays */
        if (ftell(f) > CONFIG_VALUE_MAX)
            rc = -1;
        p = close_brace + 1;
    }
    if (f)
        fclose(f);
    if (rc < 0) {
        free(out);
        return rc;
    }
    *ret = out;
    return 0;
}

static int config_put(struct config *c, const char *name, const char *value, const char *source, bool final,
                      struct err *reterr)
{
    AUTO(mem_freep) char *text = NULL;
    if (config_substitute(c, value, 0, &text) < 0)
        return err_set(reterr, ERR_CONFIG, "%s: the value of %s refers to itself or grows without end", source, name);
    const struct config_key *key = config_known(name);
    const char *want;
    if (key && *text && config_check(key, text, &want) < 0) {
        char bounds[64] = "";
        if (key->max)
            snprintf(bounds, sizeof bounds, " from %" PRId64 " to %" PRId64, key->min, key->max);
        else if (key->min)
            snprintf(bounds, sizeof bounds, ", at least %" PRId64, key->min);
        return err_set(reterr, ERR_CONFIG, "%s: '%s' is not a value for %s: want %s%s", source, value, name, want,
                       bounds);
    }
    struct config_value *v = config_value(c, name);
    if (v->final)
        return 0;
    free(v->value);
    free(v->source);
    v->value = STEAL(text);
    v->source = mem_strdup(source);
    v->final = final;
    return 0;
}

int config_set(struct config *c, const char *name, const char *value, const char *source, struct err *reterr)
{
    if (!*name)
        return err_set(reterr, ERR_CONFIG, "%s: a setting needs a name (name=value)", source);
    return config_put(c, name, value, source, false, reterr);
}

int config_set_final(struct config *c, const char *name, const char *value, const char *source, bool final,
                     struct err *reterr)
{
    return config_put(c, name, value, source, final, reterr);
}

void config_forget(struct config *c, const char *name, const char *source)
{
    bool found;
    size_t at = config_find(c, name, &found);
    if (!found || !strcmp(c->values[at].source, source))
        return;
    free(c->values[at].name);
    free(c->values[at].value);
    free(c->values[at].source);
    memmove(c->values + at, c->values + at + 1, (--c->count - at) * sizeof *c->values);
}

/* ---- getters ---- */

bool config_is_set(const struct config *c, const char *name)
{
    bool found;
    (void)config_find(c, name, &found);
    return found;
}

const char *config_get(const struct config *c, const char *name)
{
    bool found;
    size_t at = config_find(c, name, &found);
    if (found)
        return c->values[at].value;
    const struct config_key *key = config_known(name);
    return key ? key->fallback : NULL;
}

/* Value text of a known key; an empty value means the default. */
static const char *config_text(const struct config *c, const char *name, const struct config_key **ret_key)
{
    const struct config_key *key = config_known(name);
    assert(key && "a setting without a row in config_keys.c");
    const char *value = config_get(c, name);
    *ret_key = key;
    return value && *value ? value : key->fallback;
}

const char *config_str(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key);
    return value ? value : "";
}

int64_t config_int(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key), *end;
    int64_t n = 0;
    assert(key->type == CONFIG_INT);
    return value && parse_number(value, &n, &end) == 0 ? n : 0;
}

int64_t config_size(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key);
    int64_t n = 0;
    assert(key->type == CONFIG_SIZE);
    return value && config_parse_size(value, &n) == 0 ? n : 0;
}

int64_t config_ms(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key);
    int64_t ms = 0;
    assert(key->type >= CONFIG_MS);
    return value && config_parse_duration_ms(value, key->type, &ms) == 0 ? ms : 0;
}

bool config_bool(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key);
    assert(key->type == CONFIG_BOOL);
    return value && strcasecmp(value, "true") == 0;
}

double config_float(const struct config *c, const char *name)
{
    const struct config_key *key;
    const char *value = config_text(c, name, &key);
    assert(key->type == CONFIG_FLOAT);
    return value ? strtod(value, NULL) : 0;
}

void config_each(const struct config *c, void (*fn)(const char *, const char *, const char *, void *), void *arg)
{
    for (size_t i = 0; i < c->count; i++)
        fn(c->values[i].name, c->values[i].value, c->values[i].source, arg);
    for (const struct config_key *key = config_keys; key->name; key++)
        if (!config_is_set(c, key->name) && key->fallback)
            fn(key->name, key->fallback, "default", arg);
}
