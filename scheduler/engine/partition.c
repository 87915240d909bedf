#include "scheduler/engine/partition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "scheduler/engine/job_conf.h"

/* "-k2.3,4" or "-k1,1n": one position, with flags that only matter for ordering. */
static const char *parse_position(const char *at, int *ret_field, int *ret_char)
{
    char *end;
    *ret_field = (int)strtol(at, &end, 10);
    if (end == at || *ret_field < 1)
        return NULL;
    if (*end == '.') {
        at = end + 1;
        *ret_char = (int)strtol(at, &end, 10);
        if (end == at || *ret_char < 0)
            return NULL;
    }
    while (*end == 'n' || *end == 'r')
        end++;
    return end;
}

static int parse_key_options(const char *text, struct partitioner *p, struct err *reterr)
{
    for (const char *at = text; *at;) {
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        struct key_spec spec = {.begin_char = 1};
        if (strncmp(at, "-k", 2) || p->spec_count == KEY_SPECS_MAX)
            return err_set(reterr, ERR_CONFIG, "partitioner options '%s': up to %d times -kPOS1[,POS2] is understood",
                           text, KEY_SPECS_MAX);
        at = parse_position(at + 2, &spec.begin_field, &spec.begin_char);
        if (at && *at == ',')
            at = parse_position(at + 1, &spec.end_field, &spec.end_char);
        if (!at || (*at && !isspace((unsigned char)*at)) || spec.begin_char < 1)
            return err_set(reterr, ERR_CONFIG, "partitioner options '%s': bad position", text);
        p->specs[p->spec_count++] = spec;
    }
    return 0;
}

int partitioner_open(const Cairn__JobSpecProto *job, struct partitioner *ret, struct err *reterr)
{
    struct partitioner p = {.partitions = job->reduces ? job->reduces : 1, .separator = '\t'};
    if (job->fieldpartitioner) {
        const char *separator = job_conf_get(job, "mapreduce.map.output.key.field.separator");
        separator = separator ? separator : job_conf_get(job, "map.output.key.field.separator");
        if (separator && separator[0])
            p.separator = separator[0];
        const char *fields = job_conf_get(job, "num.key.fields.for.partition");
        const char *options = job_conf_get(job, "mapreduce.partition.keypartitioner.options");
        options = options ? options : job_conf_get(job, "mapred.text.key.partitioner.options");
        int rc = 0;
        if (fields) {
            int count = atoi(fields);
            if (count < 1)
                return err_set(reterr, ERR_CONFIG, "num.key.fields.for.partition '%s' is not a positive number",
                               fields);
            p.specs[p.spec_count++] = (struct key_spec){1, 1, count, 0};
        } else if (options && (rc = parse_key_options(options, &p, reterr)) < 0) {
            return rc;
        }
    }
    *ret = p;
    return 0;
}

/* Offset where field `number` (from 1) begins, or -1; *ret_end is just past its last byte. */
static int64_t field_at(const uint8_t *key, uint32_t len, char separator, int number, uint32_t *ret_end)
{
    uint32_t begin = 0;
    for (int field = 1;; field++) {
        const uint8_t *sep = memchr(key + begin, separator, len - begin);
        uint32_t end = sep ? (uint32_t)(sep - key) : len;
        if (field == number) {
            *ret_end = end;
            return begin;
        }
        if (!sep)
            return -1;
        begin = end + 1;
    }
}

static struct slice key_part(const uint8_t *key, uint32_t len, char separator, const struct key_spec *spec)
{
    uint32_t end = 0, last_end = len;
    int64_t begin = field_at(key, len, separator, spec->begin_field, &end);
    if (begin < 0)
        return (struct slice){0};
    begin += spec->begin_char - 1;
    if (spec->end_field) {
        int64_t last = field_at(key, len, separator, spec->end_field, &last_end);
        if (last < 0)
            last_end = len;
        else if (spec->end_char && last + spec->end_char < last_end)
            last_end = (uint32_t)(last + spec->end_char);
    }
    return begin < last_end ? (struct slice){key + begin, last_end - (size_t)begin} : (struct slice){0};
}

uint32_t partition_of(const struct partitioner *p, const uint8_t *key, uint32_t key_len)
{
    if (p->partitions == 1)
        return 0;
    if (p->spec_count == 0)
        return (uint32_t)(xxh3_of(key, key_len) % p->partitions);
    uint64_t hash = 0;
    for (int i = 0; i < p->spec_count; i++) {
        struct slice part = key_part(key, key_len, p->separator, &p->specs[i]);
        hash = hash * 31 + xxh3_of(part.base ? part.base : (const uint8_t *)"", part.len);
    }
    return (uint32_t)(hash % p->partitions);
}
