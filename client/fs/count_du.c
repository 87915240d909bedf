/* -count, -du, -dus, -df */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "client/fs/human.h"
#include "client/fs/quota.h"
#include "client/fs/walk.h"

struct usage {
    struct table table;
    bool human;
    bool summary;
    bool exclude_snapshots;
};

static int du_path(struct walk *w, struct item *it, struct err *reterr)
{
    struct usage *u = w->context;
    struct dfs_summary sum;
    int rc = it->fs->ops->summary(it->fs, it->path, &sum, reterr);
    if (rc < 0)
        return rc;
    if (u->exclude_snapshots) {
        sum.length -= sum.snapshot_length;
        sum.space_consumed -= sum.snapshot_space;
    }
    char length[HUMAN_MAX], space[HUMAN_MAX];
    const char *cells[] = {human_size(sum.length, u->human, length), human_size(sum.space_consumed, u->human, space),
                           it->text};
    table_row(&u->table, cells);
    return 0;
}

static int du_argument(struct walk *w, struct item *it, struct err *reterr)
{
    const struct usage *u = w->context;
    if (!u->summary && it->status.type == DFS_DIR)
        return walk_children(w, it, reterr);
    return walk_group(w, NULL, it, 1, reterr);
}

static int du_with(struct shell *sh, struct args *args, bool summary, struct err *reterr)
{
    struct option_flag f[] = {{"h"}, {"s"}, {"v"}, {"x"}, {0}};
    int rc = shell_options(sh, args, 0, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct usage u = {.human = f[0].on, .summary = summary || f[1].on, .exclude_snapshots = f[3].on};
    table_init(&u.table, 3);
    if (f[2].on) {
        static const char *const header[] = {"SIZE", "DISK_SPACE_CONSUMED_WITH_ALL_REPLICAS", "FULL_PATH_NAME"};
        u.table.header = true;
        table_row(&u.table, header);
    }
    struct walk w = {.sh = sh, .context = &u, .on_argument = du_argument, .on_path = du_path};
    char *here[] = {"."};
    struct args only_here = {here, 1};
    rc = walk_args(&w, args->count ? args : &only_here, reterr);
    table_print(&u.table, stdout);
    return rc;
}

int du_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return du_with(sh, args, false, reterr);
}

int dus_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return du_with(sh, args, true, reterr);
}

static int df_path(struct walk *w, struct item *it, struct err *reterr)
{
    struct usage *u = w->context;
    struct dfs_stats st;
    int rc = it->fs->ops->statfs(it->fs, it->path, &st, reterr);
    if (rc < 0)
        return rc;
    char size[HUMAN_MAX], used[HUMAN_MAX], free_space[HUMAN_MAX], percent[HUMAN_MAX];
    const char *cells[] = {
        it->fs->uri,
        human_size(st.capacity, u->human, size),
        human_size(st.used, u->human, used),
        human_size(st.remaining, u->human, free_space),
        human_percent(st.capacity ? (double)st.used / (double)st.capacity : NAN, 0, percent),
    };
    table_row(&u->table, cells);
    return 0;
}

int df_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"h"}, {0}};
    int rc = shell_options(sh, args, 0, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    static const char *const header[] = {"Filesystem", "Size", "Used", "Available", "Use%"};
    struct usage u = {.human = f[0].on};
    table_init(&u.table, ARRAY_COUNT(header));
    u.table.header = true;
    for (int i = 1; i <= 4; i++)
        u.table.right[i] = true;
    table_row(&u.table, header);
    struct walk w = {.sh = sh, .context = &u, .on_path = df_path};
    char *root[] = {"/"};
    struct args only_root = {root, 1};
    rc = walk_args(&w, args->count ? args : &only_root, reterr);
    table_print(&u.table, stdout);
    return rc;
}

/* ---- -count ---- */

struct count {
    bool quota, human, quota_only, exclude_snapshots, erasure_coding, snapshots;
    struct storage_types types; /* none: not asked for */
};

static void quota_print(const struct count *c, const struct quota_usage *q)
{
    char a[HUMAN_MAX] = "none", b[HUMAN_MAX] = "inf", d[HUMAN_MAX] = "none", e[HUMAN_MAX] = "inf";
    if (q->quota > 0) {
        human_size(q->quota, c->human, a);
        human_size(q->quota - q->names, c->human, b);
    }
    if (q->space_quota >= 0) {
        human_size(q->space_quota, c->human, d);
        human_size(q->space_quota - q->space, c->human, e);
    }
    printf("%12s %15s %15s %15s ", a, b, d, e);
}

static void types_print(const struct count *c, const struct quota_usage *q)
{
    for (size_t i = 0; i < c->types.count; i++) {
        char a[HUMAN_MAX] = "none", b[HUMAN_MAX] = "inf";
        const struct type_quota *t = &q->types[c->types.types[i]];
        if (t->quota >= 0) {
            human_size(t->quota, c->human, a);
            human_size(t->quota - t->consumed, c->human, b);
        }
        printf("%14s %18s ", a, b);
    }
}

static int count_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct count *c = w->context;
    struct quota_usage q;
    int rc = quota_usage_get(it->fs, it->path, (c->quota_only || c->types.count) && !c->erasure_coding && !c->snapshots,
                             &q, reterr);
    if (rc < 0)
        return rc;
    if (c->types.count)
        types_print(c, &q);
    else if (c->quota_only || c->quota)
        quota_print(c, &q);
    if (!c->types.count && !c->quota_only) {
        const struct snapshot_usage none = {0}, *minus = c->exclude_snapshots ? &q.snapshots : &none;
        char dirs[HUMAN_MAX], files[HUMAN_MAX], length[HUMAN_MAX];
        printf("%12s %12s %18s ", human_size(q.directories - minus->directories, c->human, dirs),
               human_size(q.files - minus->files, c->human, files),
               human_size(q.length - minus->length, c->human, length));
    }
    if (c->erasure_coding) {
        char policy[80];
        bool replicated = !strcmp(q.erasure_coding, "Replicated");
        snprintf(policy, sizeof policy, "%s%s", replicated ? "" : "EC:", q.erasure_coding);
        printf("%20s ", policy);
    }
    if (c->snapshots) {
        char a[HUMAN_MAX], b[HUMAN_MAX], d[HUMAN_MAX], e[HUMAN_MAX];
        printf("%18s %24s %24s %28s ", human_size(q.snapshots.length, c->human, a),
               human_size(q.snapshots.files, c->human, b), human_size(q.snapshots.directories, c->human, d),
               human_size(q.snapshots.space, c->human, e));
    }
    puts(it->text);
    return 0;
}

static void count_header(const struct count *c)
{
    for (size_t i = 0; i < c->types.count; i++) {
        char a[HUMAN_MAX], b[HUMAN_MAX];
        const char *name = storage_type_names[c->types.types[i]];
        snprintf(a, sizeof a, "%s_QUOTA", name);
        snprintf(b, sizeof b, "REM_%s_QUOTA", name);
        printf("%14s %18s ", a, b);
    }
    if (!c->types.count && (c->quota || c->quota_only))
        printf("%12s %15s %15s %15s ", "QUOTA", "REM_QUOTA", "SPACE_QUOTA", "REM_SPACE_QUOTA");
    if (!c->types.count && !c->quota_only)
        printf("%12s %12s %18s ", "DIR_COUNT", "FILE_COUNT", "CONTENT_SIZE");
    if (c->erasure_coding)
        printf("%20s ", "ERASURECODING_POLICY");
    if (c->snapshots)
        printf("%18s %24s %24s %28s ", "SNAPSHOT_LENGTH", "SNAPSHOT_FILE_COUNT", "SNAPSHOT_DIR_COUNT",
               "SNAPSHOT_SPACE_CONSUMED");
    puts("PATHNAME");
}

int count_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"q"}, {"h"}, {"v"}, {"u"}, {"x"}, {"e"}, {"s"}, {"t", true}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct count c = {.quota = f[0].on,
                      .human = f[1].on,
                      .quota_only = f[3].on,
                      .exclude_snapshots = f[4].on,
                      .erasure_coding = f[5].on,
                      .snapshots = f[6].on};
    if (c.quota || c.quota_only) {
        struct err why;
        if (f[7].value && storage_types_parse(f[7].value, &c.types, &why) < 0)
            return shell_misuse(sh, reterr, "%s", why.text);
        if (c.exclude_snapshots)
            puts("q or u option is given, the -x option is ignored.");
        c.exclude_snapshots = false;
    }
    if (f[2].on)
        count_header(&c);
    struct walk w = {.sh = sh, .context = &c, .on_path = count_path};
    return walk_args(&w, args, reterr);
}
