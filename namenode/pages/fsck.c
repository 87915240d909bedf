/* The tree is walked on a snapshot, without the lock; the lock is taken for one file's blocks at a time. Files come in
 * the order of their names, depth first, as Hadoop lists them. Memory is one frame per level, and the text, which is
 * cut off where it grows too long (the summary always comes). */
#include "namenode/pages/fsck.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "namenode/namespace/history.h"
#include "namenode/pages/fsck_internal.h"

#define DEPTH_MAX 20000

/* ---- the walk ---- */

struct frame {
    uint64_t directory, as_of;
    size_t path_len;
    bool wants_snapshots, is_announced;
    char after[KEY_NAME_MAX + 1]; /* the child last looked at */
};
struct stack {
    struct frame *frames;
    size_t depth, capacity;
};

static void push(struct fsck *f, struct stack *s, const struct inode *dir)
{
    if (s->depth == s->capacity) {
        if (s->depth >= DEPTH_MAX)
            return;
        s->capacity = s->capacity ? s->capacity * 2 : 16;
        s->frames = mem_realloc_array(s->frames, s->capacity, sizeof *s->frames);
    }
    s->frames[s->depth++] = (struct frame){.directory = dir->id,
                                           .as_of = dir->as_of,
                                           .path_len = f->path.len,
                                           .wants_snapshots = f->o.snapshots && dir->is_snapshottable && !dir->as_of};
}

/* Hadoop's tool shows that it is alive. */
static void line_per_thousand(struct fsck *f)
{
    if (!f->o.list_corrupt && (f->sums.directories + f->sums.symlinks + f->sums.files) % 1000 == 0)
        buf_append_str(f->out, "\n");
}

static void announce(struct fsck *f)
{
    f->sums.directories++;
    if (f->o.files && !f->cut && !f->o.list_corrupt)
        buf_printf(f->out, "%s <dir>\n", f->path.len ? buf_cstr(&f->path) : "/");
}

static int check_directory(struct fsck *f, const struct inode *dir, struct err *reterr)
{
    const char *path = f->path.len ? buf_cstr(&f->path) : "/";
    return dir->as_of == AS_OF_LIST ? 0 : access_check(&f->user, dir, ACCESS_READ_EXECUTE, path, reterr);
}

static int visit(struct fsck *f, struct stack *s, const struct inode *n, struct err *reterr)
{
    line_per_thousand(f);
    if (n->is_other_link || inode_is_special(n)) { /* checked under its first name; has nothing to check */
        if (f->o.files && !f->cut && !f->o.list_corrupt)
            buf_printf(f->out, "%s <%s>\n", buf_cstr(&f->path), n->is_other_link ? "link" : "special file");
        return 0;
    }
    if (inode_is_file(n))
        return fsck_file(f, n->id, n->as_of, reterr);
    if (inode_is_dir(n)) {
        int rc = check_directory(f, n, reterr);
        if (!rc)
            push(f, s, n);
        return rc;
    }
    f->sums.symlinks++;
    if (f->o.files && !f->cut && !f->o.list_corrupt)
        buf_printf(f->out, "%s <symlink>\n", buf_cstr(&f->path));
    return 0;
}

/* Goes on in the directory on top until a subdirectory is met, which then is on top, or it ends. */
static int walk_on(struct fsck *f, struct stack *s, struct err *reterr)
{
    struct frame *at = &s->frames[s->depth - 1];
    struct inode dir = {.type = INODE_DIRECTORY, .id = at->directory, .as_of = at->as_of};
    size_t depth = s->depth;
    f->path.len = at->path_len;
    if (at->wants_snapshots) {
        at->wants_snapshots = false;
        dir.as_of = AS_OF_LIST;
        buf_append_str(&f->path, "/.snapshot");
        return visit(f, s, &dir, reterr);
    }
    if (!at->is_announced)
        announce(f);
    at->is_announced = true;
    struct dir_iter d;
    int rc = 0;
    dir_iter_open(&d, &f->t, &dir, at->after, strlen(at->after));
    while (!rc && s->depth == depth && dir_iter_next(&d)) {
        struct inode *n = NULL;
        snprintf(at->after, sizeof at->after, "%.*s", (int)d.name_len, d.name);
        txn_reset(&f->t);
        rc = dir_iter_inode(&d, &f->t, &n, reterr);
        f->path.len = at->path_len;
        buf_printf(&f->path, "/%s", at->after);
        rc = rc ? rc : visit(f, s, n, reterr);
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : reterr);
    if (s->depth == depth)
        s->depth--;
    return rc ? rc : close_rc;
}

static int walk_path(struct fsck *f, const char *path, struct err *reterr)
{
    struct path p;
    struct stack s = {0};
    int rc = path_resolve(&f->t, &f->user, path, PATH_NO_FOLLOW | PATH_SNAPSHOT | PATH_SNAPSHOT_LIST, &p, reterr);
    if (rc)
        return rc;
    if (p.count)
        buf_append_str(&f->path, p.text);
    rc = visit(f, &s, path_target(&p), reterr);
    while (!rc && s.depth)
        rc = walk_on(f, &s, reterr);
    free(s.frames);
    return rc;
}

/* ---- the request ---- */

static int check_super(const struct fsck *f, struct err *reterr)
{
    return f->user.is_super
               ? 0
               : err_set(reterr, ERR_ACCESS,
                         "Access denied for user %s. Superuser privilege is required for operation fsck", f->user.name);
}

/* All of them at once: who asks for those after the last one gets none. */
static int list_corrupt(struct fsck *f, const char *path, const char *cookie, struct err *reterr)
{
    AUTO(buf_free) struct buf list = {0};
    struct buf *out = f->out;
    bool is_first = !cookie || !strcmp(cookie, "0");
    int rc = check_super(f, reterr);
    f->out = &list;
    if (!rc && is_first)
        rc = walk_path(f, path, reterr);
    f->out = out;
    if (rc)
        return rc;
    char count[32] = "no";
    if (f->sums.listed)
        snprintf(count, sizeof count, "%" PRIu64, f->sums.listed);
    buf_printf(out, "Cookie:\t%s\n%s\n\nThe filesystem under path '%s' has %s CORRUPT files\n\n",
               f->sums.listed ? count
               : is_first     ? "0"
                              : cookie,
               list.len ? buf_cstr(&list) : "", path, is_first ? count : "no more");
    return 0;
}

static void count_nodes(struct fsck *f)
{
    struct arena a;
    const struct datanode_info **nodes = NULL;
    arena_init(&a, 64u << 20);
    namenode_lock(f->nn);
    f->live_nodes = blocks_datanodes(f->nn->blocks, DATANODES_LIVE, &a, &nodes);
    for (size_t i = 0; i < f->live_nodes; i++) {
        size_t j = 0;
        while (j < i && strcmp(nodes[i]->rack, nodes[j]->rack))
            j++;
        f->racks += j == i;
    }
    namenode_unlock(f->nn);
    arena_free(&a);
}

static struct fsck_options options_of(const struct http_request *request)
{
    return (struct fsck_options){
        .files = http_query(request, "files"),
        .blocks = http_query(request, "blocks"),
        .locations = http_query(request, "locations"),
        .racks = http_query(request, "racks"),
        .details = http_query(request, "replicadetails"),
        .upgrade_domains = http_query(request, "upgradedomains"),
        .open_files = http_query(request, "openforwrite"),
        .maintenance = http_query(request, "maintenance"),
        .policies = http_query(request, "storagepolicies"),
        .snapshots = http_query(request, "includeSnapshots"),
        .delete = http_query(request, "delete"),
        .move = http_query(request, "move"),
        .replicate = http_query(request, "replicate"),
        .list_corrupt = http_query(request, "listcorruptfileblocks"),
    };
}

static void answer(struct fsck *f, const struct http_request *request, const char *path)
{
    const char *ids = http_query(request, "blockId");
    struct err why = {0};
    char date[64];
    int64_t started_ms = clock_mono_ms();
    int rc = 0;
    if (http_query(request, "showprogress"))
        buf_append_str(f->out,
                       "The fsck switch -showprogress is deprecated and no longer has any effect. Progress is now "
                       "shown by default.\n");
    if (!ids || !(rc = check_super(f, &why)))
        buf_printf(f->out, "FSCK started by %s (auth:SIMPLE) from /%s%s%s at %s\n", f->user.name,
                   http_client_ip(request), ids ? "" : " for path ", ids ? "" : path, fsck_date(date));
    if (!rc && ids) {
        fsck_blocks(f, ids);
        return;
    }
    txn_begin_snapshot(&f->t, f->nn->dir);
    if (!rc)
        rc = f->o.list_corrupt ? list_corrupt(f, path, http_query(request, "startblockafter"), &why)
                               : walk_path(f, path, &why);
    txn_end(&f->t);
    if (rc == ERR_NOT_FOUND)
        buf_printf(f->out, "\n\nPath '%s' does not exist", path);
    else if (rc)
        buf_printf(f->out, "FSCK ended at %s in %lld milliseconds\n%s\n\n\nFsck on path '%s' FAILED", fsck_date(date),
                   (long long)(clock_mono_ms() - started_ms), why.text, path);
    else if (!f->o.list_corrupt)
        fsck_print_summary(f, path, started_ms);
}

void fsck_page(struct http_request *request, struct http_reply *reply, void *context)
{
    const char *path = http_query(request, "path"), *user = http_query(request, "ugi");
    struct fsck f = {.nn = context, .out = &reply->body, .o = options_of(request)};
    fs_user_load(&f.user, f.nn->dir, user && *user ? user : "dr.who");
    count_nodes(&f);
    answer(&f, request, path && *path ? path : "/");
    fsck_free_policies(&f);
    buf_free(&f.path);
}
