/* -ls, -lsr */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/fs/human.h"
#include "client/fs/quota.h"
#include "client/fs/walk.h"

#define GROUP 100 /* entries whose columns are aligned together when a listing streams */

struct ls {
    bool path_only, directory_itself, human, hide_nonprintable, by_time, by_size, reverse, access_time, erasure_coding;
    int replication_width, length_width, owner_width, group_width; /* they only grow */
    int policy_width;                                              /* of the group being printed */
};

static int64_t shown_time(const struct ls *ls, const struct item *it)
{
    return ls->access_time ? it->status.atime_ms : it->status.mtime_ms;
}

static int compare_shown(const void *a, const void *b, void *arg)
{
    const struct ls *ls = arg;
    const struct item *x = a, *y = b;
    int order;
    if (ls->by_time)
        order = (shown_time(ls, y) > shown_time(ls, x)) - (shown_time(ls, y) < shown_time(ls, x));
    else if (ls->by_size)
        order = (y->status.length > x->status.length) - (y->status.length < x->status.length);
    else
        order = item_compare(x, y);
    if (!order) /* Java's sort is stable over entries sorted by name */
        return item_compare(x, y);
    return ls->reverse ? -order : order;
}

static void widen(int *width, size_t len)
{
    if ((size_t)*width < len)
        *width = (int)len;
}

static size_t text_len(const char *text)
{
    return text ? strlen(text) : 0;
}

static void ls_group(struct walk *w, const struct item *parent, struct item *items, size_t count)
{
    struct ls *ls = w->context;
    if (parent && !w->recursive && count) {
        if (!ls->path_only)
            printf("Found %zu items\n", count);
        qsort_r(items, count, sizeof *items, compare_shown, ls);
    }
    ls->policy_width = 0;
    for (size_t i = 0; i < count; i++) {
        char number[HUMAN_MAX];
        const struct dfs_status *st = &items[i].status;
        widen(&ls->replication_width, (size_t)snprintf(number, sizeof number, "%u", st->replication));
        widen(&ls->length_width, (size_t)snprintf(number, sizeof number, "%" PRId64, st->length));
        widen(&ls->owner_width, text_len(st->owner));
        widen(&ls->group_width, text_len(st->group));
        struct quota_usage q;
        struct err ignored; /* told when the entry itself is printed */
        if (ls->erasure_coding && quota_usage_get(items[i].fs, items[i].path, false, &q, &ignored) == 0)
            widen(&ls->policy_width, strlen(q.erasure_coding));
    }
}

/* Control characters and bytes that are no UTF-8 become question marks. */
static void print_hidden(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int len = *at < 0x80                  ? 1
                  : *at >= 0xF0 && *at < 0xF5 ? 4
                  : *at >= 0xE0 && *at < 0xF0 ? 3
                  : *at >= 0xC2 && *at < 0xE0 ? 2
                                              : 0;
        bool good = len > 0;
        for (int i = 1; good && i < len; i++)
            good = (at[i] & 0xC0) == 0x80;
        bool control = *at < 0x20 || *at == 0x7F || (*at == 0xC2 && at[1] >= 0x80 && at[1] < 0xA0);
        if (!good)
            len = 1;
        if (!good || control)
            putchar('?');
        else
            fwrite(at, 1, (size_t)len, stdout);
        at += len;
    }
}

static int ls_path(struct walk *w, struct item *it, struct err *reterr)
{
    struct ls *ls = w->context;
    const struct dfs_status *st = &it->status;
    if (ls->path_only) {
        puts(it->text);
        return 0;
    }
    struct quota_usage q = {0};
    if (ls->erasure_coding) {
        int rc = quota_usage_get(it->fs, it->path, false, &q, reterr);
        if (rc < 0)
            return rc;
    }
    char mode[10], size[HUMAN_MAX], replication[16] = "-", date[32];
    if (st->type == DFS_FILE)
        snprintf(replication, sizeof replication, "%u", st->replication);
    time_t seconds = (time_t)(shown_time(ls, it) / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    strftime(date, sizeof date, "%Y-%m-%d %H:%M", &local);
    printf("%c%s%c%*s ", st->type == DFS_DIR ? 'd' : '-', mode_symbols(st->mode, mode), st->flags & 1 ? '+' : ' ',
           ls->replication_width, replication);
    if (ls->owner_width)
        printf("%-*s ", ls->owner_width, st->owner);
    if (ls->group_width)
        printf("%-*s ", ls->group_width, st->group);
    if (ls->policy_width)
        printf("%-*s ", ls->policy_width, q.erasure_coding);
    printf("%*s %s ", ls->length_width, human_size(st->length, ls->human, size), date);
    if (ls->hide_nonprintable)
        print_hidden(it->text);
    else
        fputs(it->text, stdout);
    putchar('\n');
    return 0;
}

static int ls_argument(struct walk *w, struct item *it, struct err *reterr)
{
    struct ls *ls = w->context;
    if (!ls->directory_itself && it->status.type == DFS_DIR)
        return walk_children(w, it, reterr);
    return walk_group(w, NULL, it, 1, reterr);
}

static int ls_with(struct shell *sh, struct args *args, bool recursive, struct err *reterr)
{
    struct option_flag f[] = {{"C"}, {"d"}, {"h"}, {"q"}, {"R"}, {"t"}, {"S"}, {"r"}, {"u"}, {"e"}, {0}};
    int rc = shell_options(sh, args, 0, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct ls ls = {
        .path_only = f[0].on,
        .directory_itself = f[1].on,
        .human = f[2].on,
        .hide_nonprintable = f[3].on,
        .by_time = f[5].on,
        .by_size = f[6].on && !f[5].on,
        .reverse = f[7].on,
        .access_time = f[8].on,
        .erasure_coding = f[9].on,
        .replication_width = 3,
        .length_width = 10,
    };
    recursive |= f[4].on;
    struct walk w = {
        .sh = sh,
        .context = &ls,
        .recursive = recursive && !ls.directory_itself,
        .sorted = !recursive || ls.directory_itself || ls.by_time || ls.by_size || ls.reverse,
        .group = ls.path_only ? 0 : GROUP,
        .on_argument = ls_argument,
        .on_group = ls_group,
        .on_path = ls_path,
    };
    char *here[] = {"."};
    struct args only_here = {here, 1};
    return walk_args(&w, args->count ? args : &only_here, reterr);
}

int ls_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return ls_with(sh, args, false, reterr);
}

int lsr_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return ls_with(sh, args, true, reterr);
}
