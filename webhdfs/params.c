#include "webhdfs/params.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Unless settings say something else. */
#define USER_PATTERN   "^[A-Za-z_][A-Za-z0-9._-]*[$]?$"
#define ACTION_PATTERN "[r-][w-][x-]"
#define ACL_ENTRY      "(default:)?(user|group|mask|other):[[A-Za-z_][A-Za-z0-9._-]]*:([rwx-]{3})?"
#define ACL_PATTERN    "^" ACL_ENTRY "(," ACL_ENTRY ")*$"
#define SHOWN_BYTES    200 /* of a wrong value */

enum param_kind {
    STRING,
    USER,
    PATH,
    ACL,
    ACTION,
    LONG,
    INT,
    SHORT,
    OCTAL,
    BOOL,
    RENAME_SET,
    XATTR_SET,
    CREATE_SET,
    CODEC
};

struct param_row {
    const char *name;
    enum param_kind kind;
    unsigned verbs;
    const char *fallback;
    int64_t min, max;
};
static const struct param_row rows[PARAM_COUNT] = {
#define PARAM_ROW(c_name, wire_name, kind, verbs, fallback, min, max) {wire_name, kind, verbs, fallback, min, max},
    WEBHDFS_PARAMS(PARAM_ROW)
#undef PARAM_ROW
};

const char *webhdfs_param_name(enum webhdfs_param p)
{
    return rows[p].name;
}

/* ---- texts with a pattern ---- */

static bool is_user(const char *t)
{
    if (!isalpha((unsigned char)*t) && *t != '_')
        return false;
    while (isalnum((unsigned char)*t) || (*t && strchr("._-", *t)))
        t++;
    return *t == 0 || (t[0] == '$' && t[1] == 0);
}

static bool is_action(const char *t)
{
    return strlen(t) == 3 && strchr("r-", t[0]) && strchr("w-", t[1]) && strchr("x-", t[2]);
}

/* One entry; NULL if there is none at t. */
static const char *acl_entry_end(const char *t)
{
    static const char *const types[] = {"user:", "group:", "mask:", "other:"};
    if (strncmp(t, "default:", 8) == 0)
        t += 8;
    size_t i = 0;
    while (i < ARRAY_COUNT(types) && strncmp(t, types[i], strlen(types[i])) != 0)
        i++;
    if (i == ARRAY_COUNT(types))
        return NULL;
    t += strlen(types[i]);
    while (isalnum((unsigned char)*t) || (*t && strchr("._-", *t)))
        t++;
    if (*t++ != ':')
        return NULL;
    return strspn(t, "rwx-") >= 3 ? t + 3 : t;
}

static bool is_acl(const char *t)
{
    for (;; t++) {
        t = acl_entry_end(t);
        if (!t || *t != ',')
            return t && *t == 0;
    }
}

/* The pattern that the text does not fit; NULL: it is fine. */
static const char *violated(enum param_kind kind, const struct webhdfs_patterns *given, const char *text)
{
    const struct pattern *set = kind == USER ? given->user : kind == ACL ? given->acl : NULL;
    if (set)
        return pattern_matches(set, text) ? NULL : pattern_text(set);
    return kind == USER     ? is_user(text) ? NULL : USER_PATTERN
           : kind == ACL    ? is_acl(text) ? NULL : ACL_PATTERN
           : kind == ACTION ? is_action(text) ? NULL : ACTION_PATTERN
                            : NULL;
}

static int parse_text(const struct param_row *row, const struct webhdfs_patterns *patterns, struct param_value *v,
                      struct err *reterr)
{
    const char *pattern = violated(row->kind, patterns, v->text);
    if (pattern)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Invalid value: \"%.*s\" does not belong to the domain %s",
                       SHOWN_BYTES, v->text, pattern);
    if (row->kind == PATH && v->text[0] != '/')
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Invalid parameter value: %s = \"%.*s\" is not an absolute path.",
                       row->name, SHOWN_BYTES, v->text);
    return 0;
}

/* ---- numbers ---- */

static int bad_number(const struct param_row *row, const char *text, struct err *reterr)
{
    const char *what = row->kind == LONG ? "long integer" : row->kind == INT ? "integer" : "short integer";
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Failed to parse \"%.*s\" as a radix-%d %s.", SHOWN_BYTES, text,
                   row->kind == OCTAL ? 8 : 10, what);
}

static int parse_number(const struct param_row *row, struct param_value *v, struct err *reterr)
{
    int radix = row->kind == OCTAL ? 8 : 10;
    int64_t type_max = row->kind == LONG ? INT64_MAX : row->kind == INT ? INT32_MAX : INT16_MAX;
    char *end;
    errno = 0;
    const char *digits = v->text + (*v->text == '-' || *v->text == '+');
    long long n = strtoll(v->text, &end, radix);
    if (!isdigit((unsigned char)*digits) || *end || errno || n > type_max || n < -type_max - 1)
        return bad_number(row, v->text, reterr);
    bool small = n < row->min;
    if (small || n > row->max) {
        const char *format = radix == 8 ? "Invalid parameter range: %s = %" PRIo64 " %s %" PRIo64
                                        : "Invalid parameter range: %s = %" PRId64 " %s %" PRId64;
        char text[200], value[32];
        int64_t bound = small ? row->min : row->max;
        if (radix == 8 && n < 0) {
            snprintf(value, sizeof value, "-%" PRIo64, (uint64_t)-n);
            snprintf(text, sizeof text, "Invalid parameter range: %s = %s < 0", row->name, value);
        } else {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(text, sizeof text, format, row->name, (int64_t)n, small ? "<" : ">", bound);
#pragma GCC diagnostic pop
        }
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s", text);
    }
    v->number = n;
    return 0;
}

static int parse_bool(struct param_value *v, struct err *reterr)
{
    v->number = strcasecmp(v->text, "true") == 0;
    if (v->number || strcasecmp(v->text, "false") == 0)
        return 0;
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Failed to parse \"%.*s\" to Boolean.", SHOWN_BYTES, v->text);
}

/* ---- words of an enumeration ---- */

struct words {
    const char *java_enum;
    struct {
        const char *name;
        int64_t value;
    } of[10];
};
static const struct words rename_words = {
    "org.apache.hadoop.fs.Options.Rename",
    {{"NONE", RENAME_NONE}, {"OVERWRITE", RENAME_OVERWRITE}, {"TO_TRASH", RENAME_TO_TRASH}}};
static const struct words xattr_words = {"org.apache.hadoop.fs.XAttrSetFlag", {{"CREATE", 1}, {"REPLACE", 2}}};
static const struct words create_words = {"org.apache.hadoop.fs.CreateFlag",
                                          {{"CREATE", 0x01},
                                           {"OVERWRITE", 0x02},
                                           {"APPEND", 0x04},
                                           {"SYNC_BLOCK", 0x08},
                                           {"LAZY_PERSIST", 0x10},
                                           {"NEW_BLOCK", 0x20},
                                           {"NO_LOCAL_WRITE", 0x40},
                                           {"SHOULD_REPLICATE", 0x80},
                                           {"IGNORE_CLIENT_LOCALITY", 0x100}}};
static const struct words codec_words = {"org.apache.hadoop.fs.XAttrCodec",
                                         {{"TEXT", CODEC_TEXT}, {"HEX", CODEC_HEX}, {"BASE64", CODEC_BASE64}}};

static int parse_word(const struct words *words, const char *word, size_t len, int64_t *ret, struct err *reterr)
{
    char upper[SHOWN_BYTES];
    size_t n = len < sizeof upper - 1 ? len : sizeof upper - 1;
    for (size_t i = 0; i < n; i++)
        upper[i] = (char)toupper((unsigned char)word[i]);
    upper[n] = 0;
    for (size_t i = 0; i < ARRAY_COUNT(words->of) && words->of[i].name; i++)
        if (n == len && strcmp(upper, words->of[i].name) == 0) {
            *ret = words->of[i].value;
            return 0;
        }
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "No enum constant %s.%s", words->java_enum, upper);
}

static int parse_set(const struct words *words, struct param_value *v, struct err *reterr)
{
    v->number = 0;
    for (const char *at = v->text; *v->text;) {
        size_t len = strcspn(at, ",");
        const char *word = at, *end = at + len;
        while (word < end && *word == ' ')
            word++;
        while (end > word && end[-1] == ' ')
            end--;
        int64_t bit;
        int rc = parse_word(words, word, (size_t)(end - word), &bit, reterr);
        if (rc < 0)
            return rc;
        v->number |= bit;
        if (!at[len])
            break;
        at += len + 1;
    }
    return 0;
}

/* ---- all of them ---- */

static int parse_value(const struct param_row *row, const struct webhdfs_patterns *patterns, struct param_value *v,
                       struct err *reterr)
{
    switch (row->kind) {
    case LONG:
    case INT:
    case SHORT:
    case OCTAL: v->is_set = strcmp(v->text, "null") != 0; return v->is_set ? parse_number(row, v, reterr) : 0;
    case BOOL: return parse_bool(v, reterr);
    case RENAME_SET: return parse_set(&rename_words, v, reterr);
    case XATTR_SET: return parse_set(&xattr_words, v, reterr);
    case CREATE_SET: return parse_set(&create_words, v, reterr);
    default: break;
    }
    v->is_set = *v->text && !((row->kind == ACTION || row == &rows[PARAM_RENEWER]) && strcmp(v->text, "null") == 0);
    if (!v->is_set)
        return 0;
    return row->kind == CODEC ? parse_word(&codec_words, v->text, strlen(v->text), &v->number, reterr)
                              : parse_text(row, patterns, v, reterr);
}

int webhdfs_params_parse(const struct webhdfs_url *u, enum webhdfs_verb verb, const struct webhdfs_patterns *patterns,
                         struct webhdfs_params *ret, struct err *reterr)
{
    for (size_t i = 0; i < PARAM_COUNT; i++) {
        const struct param_row *row = &rows[i];
        const char *given = webhdfs_url_get(u, row->name);
        struct param_value *v = &ret->of[i];
        *v = (struct param_value){0};
        if (!(row->verbs & verb))
            continue;
        v->text = given && *given ? given : row->fallback; /* an empty one is none */
        v->is_set = v->text != NULL;
        struct err why;
        if (v->is_set && parse_value(row, patterns, v, &why) < 0)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Invalid value for webhdfs parameter \"%s\": %s", row->name,
                           why.text);
    }
    return 0;
}
