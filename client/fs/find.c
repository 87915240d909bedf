/* -find: -name, -iname, -print, -print0, -a, -and and parentheses, as Hadoop has them. All operators are "and", so an
 * expression is a list of tests that ends at the first that fails. */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "client/fs/walk.h"
#include "client/lib/dfs_path.h"

struct find_test {
    enum { FIND_NAME, FIND_INAME, FIND_PRINT, FIND_PRINT0 } kind;
    const char *pattern;
};

struct find {
    struct find_test tests[64];
    size_t count;
};

/* Hadoop's GlobPattern has {a,b} beside * ? [a-z]: every alternative is tried with fnmatch. */
static bool glob_matches(const char *pattern, const char *name, int flags, struct arena *a)
{
    const char *open = NULL, *close = NULL;
    int depth = 0;
    for (const char *at = pattern; *at && !close; at++) {
        if (*at == '\\' && at[1])
            at++;
        else if (*at == '{' && !depth++)
            open = at;
        else if (*at == '}' && depth && !--depth)
            close = at;
    }
    if (!close)
        return fnmatch(pattern, name, flags) == 0;
    const char *from = open + 1;
    for (const char *at = from; at <= close; at++) {
        if (*at == '\\') {
            at++;
            continue;
        }
        depth += (*at == '{') - (*at == '}' && at != close);
        if (depth || (*at != ',' && at != close))
            continue;
        char *one = arena_printf(a, "%.*s%.*s%s", (int)(open - pattern), pattern, (int)(at - from), from, close + 1);
        if (glob_matches(one, name, flags, a))
            return true;
        from = at + 1;
    }
    return false;
}

static int find_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct find *find = w->context;
    for (size_t i = 0; i < find->count; i++) {
        const struct find_test *t = &find->tests[i];
        AUTO(arena_free) struct arena a;
        arena_init(&a, 16 << 20);
        switch (t->kind) {
        case FIND_NAME:
        case FIND_INAME:
            if (!glob_matches(t->pattern, dfs_path_name(it->path), t->kind == FIND_INAME ? FNM_CASEFOLD : 0, &a))
                return 0;
            break;
        case FIND_PRINT: puts(it->text); break;
        case FIND_PRINT0:
            fputs(it->text, stdout);
            putchar('\0');
            break;
        }
    }
    return 0;
}

static int find_parse(struct find *find, struct args *words, struct err *reterr)
{
    static const struct {
        const char *word;
        int kind; /* -1: means nothing by itself */
        bool has_pattern;
    } known[] = {{"-name", FIND_NAME, true},
                 {"-iname", FIND_INAME, true},
                 {"-print", FIND_PRINT},
                 {"-print0", FIND_PRINT0},
                 {"-a", -1},
                 {"-and", -1},
                 {"(", -1},
                 {")", -1}};
    bool acts = false;
    for (char *word; (word = args_shift(words));) {
        size_t k = 0;
        while (k < ARRAY_COUNT(known) && strcmp(word, known[k].word))
            k++;
        if (k == ARRAY_COUNT(known))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Unexpected argument: %s", word);
        if (known[k].kind < 0)
            continue;
        if (find->count == ARRAY_COUNT(find->tests) - 1)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "more than %zu expressions", ARRAY_COUNT(find->tests) - 1);
        struct find_test *t = &find->tests[find->count++];
        t->kind = known[k].kind;
        if (known[k].has_pattern && !(t->pattern = args_shift(words)))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: its pattern is missing", word);
        acts |= !known[k].has_pattern;
    }
    if (!acts)
        find->tests[find->count++].kind = FIND_PRINT;
    return 0;
}

int find_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"L"}, {"H"}, {0}};
    struct err why;
    if (options_parse(args, 1, ARGS_ANY, f, true, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    if (f[0].on || f[1].on)
        return err_set(reterr, ERR_UNSUPPORTED, "-%s: following symlinks is not supported", f[0].on ? "L" : "H");
    size_t paths = 0;
    while (paths < args->count && args->v[paths][0] != '-')
        paths++;
    struct args operands = {args->v, paths}, words = {args->v + paths, args->count - paths};
    char *here[] = {"."};
    if (!paths)
        operands = (struct args){here, 1};
    struct find find = {0};
    int rc = find_parse(&find, &words, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &find, .recursive = true, .on_path = find_path};
    return walk_args(&w, &operands, reterr);
}
