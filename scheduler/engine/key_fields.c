#include "scheduler/engine/key_fields.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct slice separator_of(const char *setting)
{
    const char *text = setting && setting[0] ? setting : "\t";
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

const uint8_t *separator_find(const uint8_t *from, const uint8_t *end, struct slice separator)
{
    if (from >= end)
        return NULL;
    size_t len = (size_t)(end - from);
    return separator.len == 1 ? memchr(from, separator.base[0], len) : memmem(from, len, separator.base, separator.len);
}

struct letters {
    bool numeric, reverse, any;
};

static const char *parse_letters(const char *at, struct letters *ret)
{
    for (; *at == 'n' || *at == 'r'; at++) {
        ret->numeric |= *at == 'n';
        ret->reverse |= *at == 'r';
        ret->any = true;
    }
    return at;
}

static const char *parse_position(const char *at, int *ret_field, int *ret_char, struct letters *ret_letters)
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
    return parse_letters(end, ret_letters);
}

static const char *parse_spec(const char *at, struct key_spec *ret, struct letters *letters)
{
    *ret = (struct key_spec){.begin_char = 1};
    at = parse_position(at, &ret->begin_field, &ret->begin_char, letters);
    if (at && *at == ',')
        at = parse_position(at + 1, &ret->end_field, &ret->end_char, letters);
    return ret->begin_char < 1 ? NULL : at;
}

int key_fields_parse(const char *text, const char *name, struct key_fields *ret, struct err *reterr)
{
    struct letters global = {0}, own[KEY_SPECS_MAX] = {0};
    ret->count = 0;
    for (const char *at = text; at && *at;) {
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        bool key = !strncmp(at, "-k", 2);
        if (key && ret->count == KEY_SPECS_MAX)
            return err_set(reterr, ERR_CONFIG, "%s '%s': more than %d times -k", name, text, KEY_SPECS_MAX);
        if (key) {
            at = parse_spec(at + 2, &ret->specs[ret->count], &own[ret->count]);
            ret->count++;
        } else {
            at = *at == '-' && (at[1] == 'n' || at[1] == 'r') ? parse_letters(at + 1, &global) : NULL;
        }
        if (!at || (*at && !isspace((unsigned char)*at)))
            return err_set(reterr, ERR_CONFIG, "%s '%s': -kPOS1[,POS2] is wanted, with n and r", name, text);
    }
    if (ret->count == 0) { /* the whole key */
        ret->specs[0] = (struct key_spec){.begin_field = 1, .begin_char = 1};
        ret->count = 1;
    }
    for (int i = 0; i < ret->count; i++) {
        ret->specs[i].numeric = own[i].any ? own[i].numeric : global.numeric;
        ret->specs[i].reverse = own[i].any ? own[i].reverse : global.reverse;
    }
    return 0;
}

/* Offset where field `number` (from 1) begins, or -1; *ret_end is just past its last byte. */
static int64_t field_at(struct slice key, struct slice separator, int number, size_t *ret_end)
{
    size_t begin = 0;
    for (int field = 1;; field++) {
        const uint8_t *sep = begin < key.len ? separator_find(key.base + begin, key.base + key.len, separator) : NULL;
        size_t end = sep ? (size_t)(sep - key.base) : key.len;
        if (field == number) {
            *ret_end = end;
            return (int64_t)begin;
        }
        if (!sep)
            return -1;
        begin = end + separator.len;
    }
}

struct slice key_part(struct slice key, struct slice separator, const struct key_spec *spec)
{
    size_t end = 0, last_end = key.len;
    int64_t begin = field_at(key, separator, spec->begin_field, &end);
    if (begin < 0)
        return (struct slice){0};
    begin += spec->begin_char - 1;
    if (spec->end_field) {
        int64_t last = field_at(key, separator, spec->end_field, &last_end);
        if (last < 0)
            last_end = key.len;
        else if (spec->end_char && (size_t)last + (size_t)spec->end_char < last_end)
            last_end = (size_t)last + (size_t)spec->end_char;
    }
    return (size_t)begin < last_end ? (struct slice){key.base + begin, last_end - (size_t)begin} : (struct slice){0};
}
