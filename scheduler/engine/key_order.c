#include "scheduler/engine/key_order.h"

#include <ctype.h>
#include <string.h>

#include "scheduler/engine/job_conf.h"

static const char *either(const Cairn__JobSpecProto *job, const char *name, const char *old_name)
{
    const char *value = job_conf_get(job, name);
    return value ? value : job_conf_get(job, old_name);
}

int key_order_open(const Cairn__JobSpecProto *job, struct key_order *ret, struct err *reterr)
{
    *ret = (struct key_order){0};
    const char *class = either(job, "mapreduce.job.output.key.comparator.class", "mapred.output.key.comparator.class");
    if (!class)
        return 0;
    const char *dot = strrchr(class, '.');
    if (strcmp(dot ? dot + 1 : class, "KeyFieldBasedComparator"))
        return err_set(reterr, ERR_UNSUPPORTED, "key comparator %s is not known (known: KeyFieldBasedComparator)",
                       class);
    const char *separator = either(job, "mapreduce.map.output.key.field.separator", "map.output.key.field.separator");
    const char *options =
        either(job, "mapreduce.partition.keycomparator.options", "mapred.text.key.comparator.options");
    ret->by_fields = true;
    ret->fields.separator = separator_of(separator);
    return key_fields_parse(options ? options : "", "mapreduce.partition.keycomparator.options", &ret->fields, reterr);
}

void key_order_close(struct key_order *o)
{
    buf_free(&o->key);
    buf_free(&o->value);
}

/* ---- bytes that order as parts of keys do ---- */

static void put_byte(struct buf *to, uint8_t byte)
{
    *buf_reserve(to, 1) = byte;
    to->len++;
}

static void text_append(struct buf *to, struct slice part)
{
    for (size_t i = 0; i < part.len; i++) {
        put_byte(to, part.base[i]);
        if (part.base[i] == 0)
            put_byte(to, 0xff);
    }
    put_byte(to, 0); /* the end: before anything that goes on */
    put_byte(to, 0);
}

/* As sort -n: blanks, a minus, digits, a point, digits; what follows does not count. By sign, then by how many digits
 * there are before the point, then digit by digit; of negative numbers all that turned round. */
static void number_append(struct buf *to, struct slice part)
{
    const uint8_t *at = part.base, *end = part.base + part.len;
    while (at < end && isspace(*at))
        at++;
    bool negative = at < end && *at == '-';
    at += negative;
    while (at < end && *at == '0')
        at++;
    const uint8_t *whole = at;
    while (at < end && isdigit(*at))
        at++;
    size_t digits = (size_t)(at - whole);
    const uint8_t *fraction = at < end && *at == '.' ? at + 1 : end, *last = fraction;
    for (const uint8_t *d = fraction; d < end && isdigit(*d); d++)
        if (*d != '0')
            last = d + 1;
    if (digits == 0 && last == fraction)
        negative = false; /* -0 */
    put_byte(to, negative ? 1 : 2);
    size_t from = to->len;
    uint8_t *length = buf_reserve(to, 4);
    for (int i = 0; i < 4; i++)
        length[i] = (uint8_t)(digits >> (24 - 8 * i));
    to->len += 4;
    buf_append(to, whole, digits);
    for (const uint8_t *d = fraction; d < last; d++)
        put_byte(to, *d);
    put_byte(to, 0);
    for (size_t i = from; negative && i < to->len; i++)
        to->base[i] = (uint8_t)~to->base[i];
}

void sort_key_append(struct buf *to, struct slice part, bool numeric, bool reverse)
{
    size_t from = to->len;
    if (!part.base)
        part.base = (const uint8_t *)"";
    if (numeric)
        number_append(to, part);
    else
        text_append(to, part);
    for (size_t i = from; reverse && i < to->len; i++)
        to->base[i] = (uint8_t)~to->base[i];
}

struct record key_order_encode(struct key_order *o, const struct record *r)
{
    if (!o->by_fields)
        return *r;
    buf_clear(&o->key);
    buf_clear(&o->value);
    for (int i = 0; i < o->fields.count; i++) {
        const struct key_spec *spec = &o->fields.specs[i];
        struct slice part = key_part((struct slice){r->key, r->key_len}, o->fields.separator, spec);
        sort_key_append(&o->key, part, spec->numeric, spec->reverse);
    }
    uint32_t length = __builtin_bswap32((uint32_t)o->key.len);
    buf_append(&o->key, r->key, r->key_len);
    buf_append(&o->value, r->value, r->value_len);
    buf_append(&o->value, &length, sizeof length);
    return (struct record){o->key.base, o->value.base, (uint32_t)o->key.len, (uint32_t)o->value.len};
}

int key_order_decode(const struct key_order *o, struct record *r, struct err *reterr)
{
    if (!o->by_fields)
        return 0;
    uint32_t length = UINT32_MAX;
    if (r->value_len >= sizeof length) {
        memcpy(&length, r->value + r->value_len - sizeof length, sizeof length);
        length = __builtin_bswap32(length);
    }
    if (length > r->key_len)
        return err_set(reterr, ERR_CHECKSUM, "a record lacks its sort key");
    r->key += length;
    r->key_len -= length;
    r->value_len -= (uint32_t)sizeof length;
    return 0;
}
