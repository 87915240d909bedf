/* Translated to a POSIX extended expression: what differs is how classes are written. */
#include "webhdfs/pattern.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"

struct pattern {
    char *java;
    regex_t compiled;
};

static const char *shorthand(char c) /* \d, within a class; NULL: c itself is meant, or what we do not know */
{
    return c == 'd' ? "0-9" : c == 'w' ? "A-Za-z0-9_" : NULL;
}

/* What a POSIX class can only say at its ends. */
struct class_ends {
    bool has_dash, has_bracket, is_negated;
};

static void add_member(struct class_ends *ends, char c, struct buf *members)
{
    if (c == '-')
        ends->has_dash = true;
    else if (c == ']')
        ends->has_bracket = true;
    else
        buf_append(members, &c, 1);
}

/* From behind the opening bracket to behind the closing one; NULL: it is not closed, or has more than members. */
static const char *read_class(const char *at, struct class_ends *ends, struct buf *members)
{
    const char *first = at;
    bool may_begin_range = false;
    for (int depth = 1; *at; at++) {
        bool is_range = *at == '-' && may_begin_range && at[1] && !strchr("[]", at[1]);
        may_begin_range = !is_range && !strchr("[]-", *at);
        if (*at == '[') {
            depth++;
            if (at[1] == '^')
                return NULL;
        } else if (*at == ']' && at > first) { /* as the first one it is a member */
            if (--depth == 0)
                return at + 1;
        } else if (*at == '&' && at[1] == '&') {
            return NULL;
        } else if (*at == '\\') {
            const char *set = at[1] ? shorthand(*++at) : NULL;
            may_begin_range = !set;
            if (set)
                buf_append_str(members, set);
            else if (*at >= 'a' && *at <= 'z')
                return NULL;
            else
                add_member(ends, *at, members);
        } else if (is_range) {
            buf_append(members, at, 1);
        } else {
            add_member(ends, *at, members);
        }
    }
    return NULL;
}

static const char *translate_class(const char *at, struct buf *to)
{
    AUTO(buf_free) struct buf members = {0};
    struct class_ends ends = {.is_negated = *at == '^'};
    at = read_class(at + ends.is_negated, &ends, &members);
    bool has_caret = members.len && members.base[0] == '^';
    buf_printf(to, "[%s%s", ends.is_negated ? "^" : "", ends.has_bracket ? "]" : "");
    buf_append(to, (const char *)members.base + has_caret, members.len - has_caret);
    buf_printf(to, "%s%s]", has_caret ? "^" : "", ends.has_dash ? "-" : "");
    return at;
}

/* false: there is something that is not translated. */
static bool translate(const char *java, struct buf *to)
{
    buf_append_str(to, "^(");
    for (const char *at = java; at && *at;) {
        const char *set = *at == '\\' ? shorthand(at[1]) : NULL;
        if (*at == '[') {
            at = translate_class(at + 1, to);
            if (!at)
                return false;
        } else if (set) {
            buf_printf(to, "[%s]", set);
            at += 2;
        } else if (*at == '\\') {
            if (!at[1] || (at[1] >= 'a' && at[1] <= 'z') || (at[1] >= '0' && at[1] <= '9'))
                return false;
            buf_append(to, at, 2);
            at += 2;
        } else if (!strncmp(at, "(?", 2)) {
            if (at[2] != ':')
                return false;
            buf_append_str(to, "(");
            at += 3;
        } else {
            buf_append(to, at++, 1);
        }
    }
    buf_append_str(to, ")$");
    return true;
}

int pattern_new(const char *java, struct pattern **ret, struct err *reterr)
{
    AUTO(buf_free) struct buf posix = {0};
    if (!translate(java, &posix))
        return err_set(reterr, ERR_CONFIG, "'%.200s' is no regular expression that is understood here", java);
    struct pattern *p = mem_new(struct pattern);
    int rc = regcomp(&p->compiled, buf_cstr(&posix), REG_EXTENDED | REG_NOSUB);
    if (rc) {
        char why[200];
        regerror(rc, &p->compiled, why, sizeof why);
        free(p);
        return err_set(reterr, ERR_CONFIG, "'%.200s' is no regular expression that is understood here: %s", java, why);
    }
    p->java = mem_strdup(java);
    *ret = p;
    return 0;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    regfree(&p->compiled);
    free(p->java);
    free(p);
}

bool pattern_matches(const struct pattern *p, const char *text)
{
    return regexec(&p->compiled, text, 0, NULL, 0) == 0;
}

const char *pattern_text(const struct pattern *p)
{
    return p->java;
}
