/* -stat, -test */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/fs/human.h"
#include "client/fs/walk.h"
#include "client/lib/dfs_path.h"

static void print_utc(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
    fputs(text, stdout);
}

static void stat_field(char field, const struct item *it)
{
    const struct dfs_status *st = &it->status;
    char symbols[10];
    switch (field) {
    case 'a': printf("%o", st->mode); break;
    case 'A': fputs(mode_symbols(st->mode, symbols), stdout); break;
    case 'b': printf("%" PRId64, st->length); break;
    case 'F':
        fputs(st->type == DFS_DIR ? "directory" : st->type == DFS_FILE ? "regular file" : "symlink", stdout);
        break;
    case 'g': fputs(st->group, stdout); break;
    case 'n': fputs(dfs_path_name(it->path), stdout); break;
    case 'o': printf("%" PRId64, st->block_bytes); break;
    case 'r': printf("%u", st->replication); break;
    case 'u': fputs(st->owner, stdout); break;
    case 'x': print_utc(st->atime_ms); break;
    case 'X': printf("%" PRId64, st->atime_ms); break;
    case 'y': print_utc(st->mtime_ms); break;
    case 'Y': printf("%" PRId64, st->mtime_ms); break;
    default: putchar(field);
    }
}

static int stat_path(struct walk *w, struct item *it, struct err *reterr)
{
    for (const char *at = w->context; *at; at++) {
        if (*at != '%')
            putchar(*at);
        else if (at[1])
            stat_field(*++at, it);
    }
    putchar('\n');
    return 0;
}

int stat_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"R"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = "%y", .recursive = f[0].on, .on_path = stat_path};
    if (strchr(args->v[0], '%'))
        w.context = args_shift(args);
    rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    return rc < 0 ? rc : walk_args(&w, args, reterr);
}

/* ---- -test ---- */

static int test_access(struct item *it, unsigned rwx, bool *ret, struct err *reterr)
{
    int rc = it->fs->ops->check_access(it->fs, it->path, rwx, reterr);
    *ret = rc == 0;
    return rc == ERR_ACCESS || rc == ERR_NOT_FOUND ? 0 : rc;
}

static int test_path(struct walk *w, struct item *it, struct err *reterr)
{
    bool yes = true;
    int rc = 0;
    switch (*(const char *)w->context) {
    case 'd': yes = it->status.type == DFS_DIR; break;
    case 'f': yes = it->status.type == DFS_FILE; break;
    case 's': yes = it->status.length > 0; break;
    case 'z': yes = it->status.length == 0; break;
    case 'w': rc = test_access(it, 2, &yes, reterr); break;
    case 'r': rc = test_access(it, 4, &yes, reterr); break;
    }
    if (rc == 0 && !yes)
        w->sh->exit_code = 1;
    return rc;
}

static int test_missing(struct walk *w, struct item *it, struct err *reterr)
{
    w->sh->exit_code = 1;
    return 0;
}

int test_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"e"}, {"d"}, {"f"}, {"s"}, {"z"}, {"w"}, {"r"}, {0}};
    int rc = shell_options(sh, args, 1, 1, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .on_path = test_path, .on_missing = test_missing};
    for (struct option_flag *flag = f; flag->name; flag++) {
        if (flag->on && w.context)
            return shell_misuse(sh, reterr, "Only one test flag is allowed");
        if (flag->on)
            w.context = (void *)flag->name;
    }
    if (!w.context)
        return shell_misuse(sh, reterr, "No test flag given");
    return walk_args(&w, args, reterr);
}
