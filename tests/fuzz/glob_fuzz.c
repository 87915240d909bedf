/* What users and peers may hand in as a path or a pattern: pattern, newline, name. A path that resolves is absolute and
 * normal, and resolves to itself. */
#include "client/lib/dfs_path.h"
#include "client/lib/glob_match.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(glob)
{
    const char *const samples[] = {"/a/{b,c/{d,e}}/[^x-z]*\nbcd", "hdfs://h:8020/a/../b/./c\n.", "*a?\\*{,x}[]]\nüa*",
                                   "a/..//b\n"};
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++)
        fuzz_seed(seeds, (const uint8_t *)samples[i], strlen(samples[i]));
}

static void glob_fuzz_path(const char *text, struct arena *a)
{
    const char *path, *again, *uri;
    struct err err;
    if (dfs_path_resolve(text, "/user/ada", a, &path, &uri, &err) < 0)
        return;
    if (path[0] != '/' || strstr(path, "//") || (path[1] && path[strlen(path) - 1] == '/'))
        abort();
    if (dfs_path_resolve(path, "/user/ada", a, &again, &uri, &err) < 0 || strcmp(path, again) != 0 || uri)
        abort();
}

FUZZ_RUN(glob)
{
    if (in.len > 4096)
        return;
    struct arena a;
    struct err err;
    arena_init(&a, 64 << 20);
    char *pattern = arena_strndup(&a, in.base ? (const char *)in.base : "", in.len), *name = strchr(pattern, '\n');
    if (name)
        *name++ = 0;
    glob_fuzz_path(pattern, &a);
    if (glob_check(pattern, &err) == 0) {
        (void)glob_match(pattern, name ? name : "");
        (void)glob_unescape(&a, pattern);
        const char **expanded;
        size_t count;
        if (glob_expand(pattern, &a, &expanded, &count, &err) == 0)
            for (size_t i = 0; i < count; i++)
                (void)(glob_check(expanded[i], &err) == 0 && glob_match(expanded[i], name ? name : ""));
    }
    arena_free(&a);
}
