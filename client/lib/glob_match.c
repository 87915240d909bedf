#include "client/lib/glob_match.h"

#include <stdint.h>
#include <string.h>

/* ---- pieces of a pattern; all pointers stay inside it ---- */

/* As in Hadoop, "[!a]" is "[^a]": any character but these. */
static bool is_negated(const char *p) /* p behind a '[' */
{
    return *p == '^' || *p == '!';
}

static const char *class_end(const char *p) /* p at '['; its ']' or NULL. The first character may be a ']' */
{
    p++;
    if (is_negated(p))
        p++;
    for (bool first = true; *p; first = false) {
        if (*p == ']' && !first)
            return p;
        if (*p == '\\' && p[1])
            p++;
        p++;
    }
    return NULL;
}

/* p behind a '{': the next ',' or the '}' of this group, or NULL. */
static const char *branch_end(const char *p)
{
    for (int depth = 0; *p; p++) {
        if (*p == '\\' && p[1]) {
            p++;
        } else if (*p == '[') {
            const char *end = class_end(p);
            if (end)
                p = end;
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}') {
            if (depth-- == 0)
                return p;
        } else if (*p == ',' && depth == 0) {
            return p;
        }
    }
    return NULL;
}

static const char *group_end(const char *p) /* p behind a '{'; its '}' or NULL */
{
    while ((p = branch_end(p)) && *p == ',')
        p++;
    return p;
}

int glob_check(const char *pattern, struct err *reterr)
{
    int depth = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\') {
            if (!*++p)
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal file pattern: %s ends in a single \\", pattern);
        } else if (*p == '[') {
            p = class_end(p);
            if (!p)
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal file pattern: %s has a [ that is not closed",
                               pattern);
        } else if (*p == '{') {
            depth++;
        } else if (*p == '}' && depth) {
            depth--;
        }
    }
    if (depth)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal file pattern: %s has a { that is not closed", pattern);
    return 0;
}

char *glob_unescape(struct arena *a, const char *pattern)
{
    char *out = arena_strdup(a, pattern), *to = out;
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        *to++ = *p;
    }
    *to = 0;
    return out;
}

/* ---- matching ---- */

/* One character of a name: UTF-8, so that ? takes a letter and not a byte. Broken sequences count bytewise. */
static size_t letter_at(const char *text, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1;
    *ret = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *ret = p[0];
            return 1;
        }
        *ret = *ret << 6 | (p[i] & 0x3f);
    }
    return n;
}

static const char *class_letter(const char *p, uint32_t *ret)
{
    if (*p == '\\' && p[1])
        p++;
    return p + letter_at(p, ret);
}

static bool class_has(const char *p, const char *end, uint32_t letter)
{
    bool negated = is_negated(++p), found = false;
    if (negated)
        p++;
    while (p < end) {
        uint32_t low, high;
        p = class_letter(p, &low);
        high = low;
        if (*p == '-' && p + 1 < end)
            p = class_letter(p + 1, &high);
        found |= low <= letter && letter <= high;
    }
    return found != negated;
}

/* What is left of a pattern after a group ended: a list on the stack of the callers. */
struct rest {
    const char *pattern, *end; /* end: NULL = to the end of the string */
    const struct rest *outer;
};

static bool match_here(const char *p, const char *end, const struct rest *rest, const char *name, int *budget);

static bool match_group(const char *p, const char *end, const struct rest *rest, const char *name, int *budget)
{
    const struct rest after = {group_end(p + 1) + 1, end, rest};
    for (const char *branch = p + 1;;) {
        const char *stop = branch_end(branch);
        if (match_here(branch, stop, &after, name, budget))
            return true;
        if (*stop == '}')
            return false;
        branch = stop + 1;
    }
}

static bool match_here(const char *p, const char *end, const struct rest *rest, const char *name, int *budget)
{
    if (--*budget < 0)
        return false; /* nobody means a pattern that needs so many tries */
    for (;;) {
        if (p == end || !*p) {
            if (!rest)
                return !*name;
            p = rest->pattern, end = rest->end, rest = rest->outer;
            continue;
        }
        uint32_t letter;
        size_t n = letter_at(name, &letter);
        if (*p == '*') {
            for (const char *from = name;; from += letter_at(from, &letter)) {
                if (match_here(p + 1, end, rest, from, budget))
                    return true;
                if (!*from)
                    return false;
            }
        }
        if (*p == '{')
            return match_group(p, end, rest, name, budget);
        if (!*name)
            return false;
        if (*p == '[') {
            const char *stop = class_end(p);
            if (!class_has(p, stop, letter))
                return false;
            p = stop + 1;
        } else if (*p == '?') {
            p++;
        } else {
            uint32_t wanted;
            p = class_letter(p, &wanted);
            if (wanted != letter)
                return false;
        }
        name += n;
    }
}

bool glob_match(const char *pattern, const char *name)
{
    int budget = 1 << 16;
    return match_here(pattern, NULL, NULL, name, &budget);
}

/* ---- braces across components ---- */

/* The first group with a slash in it, from its '{'; NULL if there is none. */
static const char *group_with_slash(const char *p)
{
    for (; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '[' && class_end(p))
            p = class_end(p);
        else if (*p == '{') {
            const char *end = group_end(p + 1);
            if (end && memchr(p, '/', (size_t)(end - p)))
                return p;
            if (end)
                p = end;
        }
    }
    return NULL;
}

int glob_expand(const char *pattern, struct arena *a, const char ***ret, size_t *ret_count, struct err *reterr)
{
    const char **out = arena_array(a, const char *, GLOB_EXPANDED_MAX);
    size_t count = 1, done = 0;
    out[0] = pattern;
    while (done < count) {
        const char *from = out[done], *group = group_with_slash(from);
        if (!group) {
            done++;
            continue;
        }
        const char *tail = group_end(group + 1) + 1, *branch = group + 1;
        const char *made[GLOB_EXPANDED_MAX];
        size_t n = 0;
        for (;; branch++) {
            const char *stop = branch_end(branch);
            if (count + n > GLOB_EXPANDED_MAX)
                return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s stands for more than %d patterns", pattern,
                               GLOB_EXPANDED_MAX);
            made[n++] = arena_printf(a, "%.*s%.*s%s", (int)(group - from), from, (int)(stop - branch), branch, tail);
            branch = stop;
            if (*stop == '}')
                break;
        }
        memmove(out + done + n, out + done + 1, (count - done - 1) * sizeof *out);
        memcpy(out + done, made, n * sizeof *out);
        count += n - 1;
    }
    *ret = out;
    *ret_count = count;
    return 0;
}
