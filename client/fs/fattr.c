/* -getfattr, -setfattr */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/fs/walk.h"

static const char base64_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- the order in which Java's client lists attributes: that of a hash map ---- */

static uint32_t java_hash(const char *text)
{
    uint32_t hash = 0;
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        uint32_t rune = *at;
        int more = rune >= 0xF0 ? 3 : rune >= 0xE0 ? 2 : rune >= 0xC0 ? 1 : 0;
        rune &= more ? 0x3Fu >> more : 0x7Fu;
        for (at++; more && (*at & 0xC0) == 0x80; more--)
            rune = rune << 6 | (*at++ & 0x3Fu);
        if (rune > 0xFFFF) { /* two of Java's characters */
            hash = 31 * hash + 0xD800 + ((rune - 0x10000) >> 10);
            rune = 0xDC00 + ((rune - 0x10000) & 0x3FF);
        }
        hash = 31 * hash + rune;
    }
    return hash ^ hash >> 16;
}

struct placed {
    const struct dfs_xattr *x;
    uint32_t bucket;
    size_t nth;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->bucket != y->bucket)
        return x->bucket < y->bucket ? -1 : 1;
    return (x->nth > y->nth) - (x->nth < y->nth);
}

static struct placed *place_all(const struct dfs_xattr *list, size_t count, struct arena *a)
{
    uint32_t buckets = 16;
    while (count > buckets * 3 / 4)
        buckets *= 2;
    struct placed *all = arena_array(a, struct placed, count);
    for (size_t i = 0; i < count; i++)
        all[i] = (struct placed){&list[i], java_hash(list[i].name) & (buckets - 1), i};
    qsort(all, count, sizeof *all, compare_placed);
    return all;
}

/* ---- values ---- */

enum encoding { TEXT, HEX, BASE64 };

static void base64_print(struct slice value)
{
    for (size_t i = 0; i < value.len; i += 3) {
        size_t left = value.len - i;
        uint32_t bits = (uint32_t)value.base[i] << 16 | (uint32_t)(left > 1 ? value.base[i + 1] : 0) << 8 |
                        (left > 2 ? value.base[i + 2] : 0);
        putchar(base64_letters[bits >> 18]);
        putchar(base64_letters[bits >> 12 & 63]);
        putchar(left > 1 ? base64_letters[bits >> 6 & 63] : '=');
        putchar(left > 2 ? base64_letters[bits & 63] : '=');
    }
}

static void xattr_print(const struct dfs_xattr *x, enum encoding encoding)
{
    fputs(x->name, stdout);
    if (x->value.len) {
        fputs(encoding == TEXT ? "=\"" : encoding == HEX ? "=0x" : "=0s", stdout);
        if (encoding == BASE64)
            base64_print(x->value);
        else if (encoding == TEXT)
            fwrite(x->value.base, 1, x->value.len, stdout);
        for (size_t i = 0; encoding == HEX && i < x->value.len; i++)
            printf("%02x", x->value.base[i]);
        if (encoding == TEXT)
            putchar('"');
    }
    putchar('\n');
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

static int hex_decode(const char *text, struct arena *a, struct slice *ret, struct err *reterr)
{
    static const char thrown[] = "org.apache.commons.codec.DecoderException";
    size_t len = strlen(text);
    if (len % 2)
        return err_set(reterr, ERR_IO, "%s: Odd number of characters.", thrown);
    uint8_t *out = arena_alloc(a, len / 2 + 1);
    for (size_t i = 0; i < len; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return err_set(reterr, ERR_IO, "%s: Illegal hexadecimal character %c at index %zu", thrown, text[i], i);
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | digit : digit << 4);
    }
    *ret = (struct slice){out, len / 2};
    return 0;
}

/* What is no letter is skipped, and the padding ends it, as Hadoop's decoder does. */
static struct slice base64_decode(const char *text, struct arena *a)
{
    uint8_t *out = arena_alloc(a, strlen(text) + 1);
    size_t len = 0;
    uint32_t bits = 0, count = 0;
    for (; *text && *text != '='; text++) {
        char c = *text == '-' ? '+' : *text == '_' ? '/' : *text;
        const char *letter = strchr(base64_letters, c);
        if (!letter)
            continue;
        bits = bits << 6 | (uint32_t)(letter - base64_letters);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[len++] = (uint8_t)(bits >> count);
        }
    }
    return (struct slice){out, len};
}

static int value_decode(const char *text, struct arena *a, struct slice *ret, struct err *reterr)
{
    size_t len = strlen(text);
    *ret = (struct slice){(const uint8_t *)text, len};
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"')
        *ret = (struct slice){(const uint8_t *)text + 1, len - 2};
    else if (!strncasecmp(text, "0x", 2))
        return hex_decode(text + 2, a, ret, reterr);
    else if (!strncasecmp(text, "0s", 2))
        *ret = base64_decode(text + 2, a);
    return 0;
}

static int one_path(struct shell *sh, const struct args *args, struct err *reterr)
{
    return args->count == 1 ? 0 : shell_misuse(sh, reterr, args->count ? "Too many arguments." : "<path> is missing.");
}

static int no_xattrs(const struct item *it, struct err *reterr)
{
    return path_error(reterr, ERR_UNSUPPORTED, it->text, "this file system has no extended attributes");
}

/* ---- -getfattr ---- */

struct getfattr {
    const char *name; /* NULL with dump */
    bool dump;
    enum encoding encoding;
};

static int getfattr_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct getfattr *g = w->context;
    AUTO(arena_free) struct arena a;
    struct dfs_xattr *list;
    struct err why;
    size_t count;
    arena_init(&a, 64 << 20);
    printf("# file: %s\n", it->text);
    if (!it->fs->ops->get_xattrs)
        return no_xattrs(it, reterr);
    if (!g->dump && dfs_xattr_check_name(g->name, &why) < 0)
        return shell_misuse(w->sh, reterr, "%s", why.text);
    int rc = it->fs->ops->get_xattrs(it->fs, it->path, g->dump ? NULL : g->name, &a, &list, &count, reterr);
    if (rc < 0)
        return rc;
    struct placed *all = place_all(list, count, &a);
    for (size_t i = 0; i < count; i++) {
        struct dfs_xattr shown = *all[i].x;
        if (!g->dump)
            shown.name = g->name; /* as it was asked for */
        xattr_print(&shown, g->encoding);
    }
    return 0;
}

int getfattr_run(struct shell *sh, struct args *args, struct err *reterr)
{
    static const char *const encodings[] = {[TEXT] = "text", [HEX] = "hex", [BASE64] = "base64"};
    struct getfattr g = {.encoding = TEXT};
    const char *encoding = NULL;
    struct err why;
    if (args_pop_value(args, "-n", &g.name, &why) < 0 || args_pop_value(args, "-e", &encoding, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    if (encoding) {
        size_t i = 0;
        while (i < ARRAY_COUNT(encodings) && strcasecmp(encoding, encodings[i]))
            i++;
        if (i == ARRAY_COUNT(encodings))
            return shell_misuse(sh, reterr, "Invalid/unsupported encoding option specified: %s", encoding);
        g.encoding = (enum encoding)i;
    }
    bool recursive = args_pop(args, "-R");
    g.dump = args_pop(args, "-d");
    if (!g.dump && !g.name)
        return shell_misuse(sh, reterr, "Must specify '-n name' or '-d' option.");
    int rc = one_path(sh, args, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &g, .recursive = recursive, .on_path = getfattr_path};
    return walk_args(&w, args, reterr);
}

/* ---- -setfattr ---- */

struct setfattr {
    struct dfs_xattr x; /* name NULL: remove */
    const char *removed;
};

static int setfattr_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct setfattr *s = w->context;
    struct err why;
    if (!it->fs->ops->set_xattr)
        return no_xattrs(it, reterr);
    if (dfs_xattr_check_name(s->x.name ? s->x.name : s->removed, &why) < 0)
        return shell_misuse(w->sh, reterr, "%s", why.text);
    return s->x.name ? it->fs->ops->set_xattr(it->fs, it->path, &s->x, reterr)
                     : it->fs->ops->remove_xattr(it->fs, it->path, s->removed, reterr);
}

int setfattr_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct setfattr s = {0};
    const char *value = NULL;
    struct err why;
    if (args_pop_value(args, "-n", &s.x.name, &why) < 0 || args_pop_value(args, "-v", &value, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    s.x.has_value = value != NULL;
    int rc = value ? value_decode(value, &sh->arena, &s.x.value, reterr) : 0;
    if (rc < 0)
        return rc;
    if (args_pop_value(args, "-x", &s.removed, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    if (s.x.name && s.removed)
        return shell_misuse(sh, reterr, "Can not specify both '-n name' and '-x name' option.");
    if (!s.x.name && !s.removed)
        return shell_misuse(sh, reterr, "Must specify '-n name' or '-x name' option.");
    rc = one_path(sh, args, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &s, .on_path = setfattr_path};
    return walk_args(&w, args, reterr);
}
