#include "client/fs/chmod_parse.h"

#include <ctype.h>
#include <string.h>

static bool octal_parse(const char *text, struct chmod_change *c)
{
    while (isspace((unsigned char)*text))
        text++;
    text += *text == '+';
    size_t digits = strspn(text, "01234567");
    const char *end = text + digits;
    while (isspace((unsigned char)*end))
        end++;
    if (*end || (digits != 3 && !(digits == 4 && text[0] <= '1')))
        return false;
    unsigned sticky = digits == 4 ? (unsigned)(*text++ - '0') : 0;
    c->sticky = (struct chmod_part){'=', sticky};
    c->user = (struct chmod_part){'=', (unsigned)(text[0] - '0')};
    c->group = (struct chmod_part){'=', (unsigned)(text[1] - '0')};
    c->others = (struct chmod_part){'=', (unsigned)(text[2] - '0')};
    return true;
}

static unsigned bits_parse(const char *letters, size_t count, bool *sticky)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++)
        switch (letters[i]) {
        case 'r': bits |= 4; break;
        case 'w': bits |= 2; break;
        case 'x': bits |= 1; break;
        case 'X': bits |= 8; break;
        case 't': *sticky = true; break;
        }
    return bits;
}

/* One clause [ugoa]*[+=-]+[rwxXt]+; NULL if it is none, else what follows. A later clause replaces an earlier one for
 * the same class, as in Hadoop. */
static const char *clause_parse(const char *at, struct chmod_change *c)
{
    size_t who_len = strspn(at, "ugoa");
    size_t how_len = strspn(at + who_len, "+=-");
    const char *letters = at + who_len + how_len;
    size_t count = strspn(letters, "rwxXt");
    if (!how_len || !count)
        return NULL;
    bool u = memchr(at, 'u', who_len), g = memchr(at, 'g', who_len), o = memchr(at, 'o', who_len), sticky = false;
    if (!u && !g && !o)
        u = g = o = true;
    struct chmod_part part = {letters[-1], bits_parse(letters, count, &sticky)};
    if (u)
        c->user = part;
    if (g)
        c->group = part;
    if (o) {
        c->others = part;
        c->sticky = (struct chmod_part){part.how, sticky};
    }
    return letters + count;
}

bool chmod_parse(const char *text, struct chmod_change *ret)
{
    struct chmod_change c = {{'+', 0}, {'+', 0}, {'+', 0}, {'+', 0}};
    if (octal_parse(text, &c)) {
        *ret = c;
        return true;
    }
    const char *at = text;
    bool comma = true;
    do {
        at += strspn(at, " \t\n\r\f\v");
        if (!comma || !(at = clause_parse(at, &c)))
            return false;
        size_t between = strspn(at, ", \t\n\r\f\v");
        comma = memchr(at, ',', between) != NULL;
        at += between;
    } while (*at);
    *ret = c;
    return true;
}

static unsigned part_apply(struct chmod_part p, unsigned existing, bool may_execute)
{
    bool capital = p.bits & 8;
    unsigned bits = capital ? (p.bits & ~8u) | 1 : p.bits;
    if (p.how == '+')
        bits |= existing;
    else if (p.how == '-')
        bits = existing & ~bits;
    if (capital && !may_execute && !(existing & 1))
        bits &= ~1u;
    return bits;
}

uint16_t chmod_apply(const struct chmod_change *c, uint16_t mode, bool is_dir)
{
    bool may_execute = is_dir || (mode & 0111);
    return (uint16_t)(part_apply(c->sticky, mode >> 9 & 1, false) << 9 |
                      part_apply(c->user, mode >> 6 & 7, may_execute) << 6 |
                      part_apply(c->group, mode >> 3 & 7, may_execute) << 3 |
                      part_apply(c->others, mode & 7, may_execute));
}
