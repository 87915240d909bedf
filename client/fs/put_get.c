/* -put, -copyFromLocal, -moveFromLocal, -get, -copyToLocal, -cp, -mv, -getmerge, -appendToFile */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/fs/copy.h"
#include "client/lib/dfs_path.h"
#include "common/mem.h"

/* Local operands are names, not patterns. */
static int local_operands(struct shell *sh, struct args *args, struct item **ret, size_t *ret_count, struct err *reterr)
{
    struct item *items = arena_array(&sh->arena, struct item, args->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < args->count; i++) {
        struct err e;
        int rc = item_lookup_local(sh, args->v[i], &sh->arena, &items[count], &e);
        if (rc < 0 && sh->misused) {
            *reterr = e;
            return rc;
        }
        if (rc < 0)
            shell_report(sh, &e);
        else
            count++;
    }
    *ret = items;
    *ret_count = count;
    return 0;
}

static int copy_and_show(struct copy *c, struct item *items, size_t count, struct err *reterr)
{
    c->progress = progress_start();
    int rc = copy_run(c, items, count, reterr);
    progress_finish(c->progress);
    return rc;
}

static int put_stdin(struct copy *c, struct err *reterr)
{
    struct item in = {.fs = shell_fs_local(c->walk.sh), .text = "-", .path = "/-"}, target;
    int rc = copy_target(c, &in, &c->walk.sh->arena, &target, reterr);
    if (rc < 0)
        return rc;
    c->progress = progress_start();
    rc = copy_stream(c, source_stdin(), "standard input", -1, &target, reterr);
    progress_finish(c->progress);
    return rc;
}

static int put_options(struct copy *c, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"f"}, {"p"}, {"l"}, {"d"}, {"t", true}, {"q", true}, {0}};
    int rc = shell_options(c->walk.sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0 || (rc = copy_threads(c->walk.sh, f[4].value, &c->threads, reterr)) < 0)
        return rc;
    c->overwrite = f[0].on;
    c->keep_times = c->keep_owner = c->keep_permission = f[1].on;
    c->lazy = f[2].on;
    c->direct = f[3].on;
    c->walk.recursive = true;
    return copy_destination(c, args, reterr);
}

static int put_with(struct copy *c, struct args *args, struct err *reterr)
{
    int rc = put_options(c, args, reterr);
    if (rc < 0)
        return rc;
    if (args->count == 1 && !strcmp(args->v[0], "-"))
        return put_stdin(c, reterr);
    struct item *items;
    size_t count;
    rc = local_operands(c->walk.sh, args, &items, &count, reterr);
    return rc < 0 ? rc : copy_and_show(c, items, count, reterr);
}

int put_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct copy c;
    copy_init(&c, sh);
    return put_with(&c, args, reterr);
}

/* Unlike a copy, a move does not merge directories. */
static int move_pair(struct copy *c, struct item *src, struct item *target, struct err *reterr)
{
    if (item_is_dir(target))
        return path_error(reterr, ERR_EXISTS, target->text, "File exists");
    return copy_path(c, src, target, reterr);
}

static int move_remove_source(struct walk *w, struct item *src, struct err *reterr)
{
    bool done;
    int rc = src->fs->ops->remove(src->fs, src->path, false, &done, reterr);
    if (rc == 0 && !done)
        return err_set(reterr, ERR_IO, "remove `%s': Input/output error", src->text);
    return rc;
}

int move_from_local_run(struct shell *sh, struct args *args, struct err *reterr)
{
    for (size_t i = 0; i < args->count; i++)
        if (!strcmp(args->v[i], "-t"))
            return shell_misuse(sh, reterr, "Illegal option -t");
    struct copy c;
    copy_init(&c, sh);
    c.on_pair = move_pair;
    c.walk.after_path = move_remove_source;
    return put_with(&c, args, reterr);
}

int move_to_local_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return err_set(reterr, ERR_UNSUPPORTED, "Option '-moveToLocal' is not implemented yet.");
}

int get_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct copy c;
    copy_init(&c, sh);
    struct option_flag f[] = {{"crc"}, {"ignoreCrc"}, {"p"}, {"f"}, {"t", true}, {"q", true}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0 || (rc = copy_threads(sh, f[4].value, &c.threads, reterr)) < 0)
        return rc;
    /* -ignoreCrc is taken and changes nothing: damaged replicas are passed over, never handed out. */
    c.side_files = f[0].on;
    c.keep_times = c.keep_owner = c.keep_permission = f[2].on;
    c.overwrite = f[3].on;
    c.walk.recursive = true;
    bool to_stdout = args->count > 1 && !strcmp(args->v[args->count - 1], "-");
    if (to_stdout) {
        args->count--;
        return cat_run(sh, args, reterr);
    }
    rc = copy_local_destination(&c, args, reterr);
    if (rc < 0)
        return rc;
    struct item *items;
    size_t count;
    rc = walk_expand(sh, args, &items, &count, reterr);
    return rc < 0 ? rc : copy_and_show(&c, items, count, reterr);
}

static int keep_parse(struct copy *c, const char *letters, struct err *reterr)
{
    if (!*letters)
        c->keep_times = c->keep_owner = c->keep_permission = true;
    for (; *letters; letters++)
        switch (*letters) {
        case 't':
        case 'T': c->keep_times = true; break;
        case 'o':
        case 'O': c->keep_owner = true; break;
        case 'p':
        case 'P': c->keep_permission = true; break;
        case 'a':
        case 'A': c->keep_acl = true; break;
        case 'x':
        case 'X': c->keep_xattrs = true; break;
        default: return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "No attribute for %c", *letters);
        }
    return 0;
}

int cp_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct copy c;
    copy_init(&c, sh);
    int rc = 0;
    for (size_t i = 0; i < args->count && strcmp(args->v[i], "--"); i++)
        if (!strncmp(args->v[i], "-p", 2)) {
            rc = keep_parse(&c, args->v[i] + 2, reterr);
            args_remove(args, i);
            break;
        }
    if (rc == ERR_ILLEGAL_ARGUMENT)
        return shell_misuse(sh, reterr, "%s", reterr->text);
    if (rc < 0)
        return rc;
    struct option_flag f[] = {{"f"}, {"d"}, {"t", true}, {"q", true}, {0}};
    rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0 || (rc = copy_threads(sh, f[2].value, &c.threads, reterr)) < 0)
        return rc;
    c.overwrite = f[0].on;
    c.direct = f[1].on;
    c.walk.recursive = true;
    rc = copy_destination(&c, args, reterr);
    if (rc < 0)
        return rc;
    struct item *items;
    size_t count;
    rc = walk_expand(sh, args, &items, &count, reterr);
    return rc < 0 ? rc : copy_and_show(&c, items, count, reterr);
}

static int rename_pair(struct copy *c, struct item *src, struct item *target, struct err *reterr)
{
    if (src->fs != target->fs)
        return path_error(reterr, ERR_UNSUPPORTED, src->text, "Does not match target filesystem");
    if (target->exists)
        return path_error(reterr, ERR_EXISTS, target->text, "File exists");
    bool done;
    int rc = src->fs->ops->rename(src->fs, src->path, target->path, &done, reterr);
    if (rc == 0 && !done)
        return path_error(reterr, ERR_IO, src->text, "Input/output error");
    return rc;
}

int mv_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct copy c;
    copy_init(&c, sh);
    c.on_pair = rename_pair;
    int rc = shell_options(sh, args, 2, ARGS_ANY, NULL, reterr);
    if (rc < 0 || (rc = copy_destination(&c, args, reterr)) < 0)
        return rc;
    struct item *items;
    size_t count;
    rc = walk_expand(sh, args, &items, &count, reterr);
    return rc < 0 ? rc : copy_run(&c, items, count, reterr);
}

/* ---- -getmerge ---- */

struct merge {
    struct item *sources;
    size_t count, max;
    bool failed;
};

static int merge_missing(struct walk *w, struct item *it, struct err *reterr)
{
    ((struct merge *)w->context)->failed = true; /* a bad path must not leave half a merge */
    return path_not_found(reterr, it->text);
}

static int merge_collect(struct walk *w, struct item *it, struct err *reterr)
{
    struct merge *m = w->context;
    if (it->status.type == DFS_DIR)
        return w->depth == 0 ? walk_children(w, it, reterr) : 0;
    if (m->count == m->max) {
        m->max = m->max ? m->max * 2 : 64;
        m->sources = mem_realloc_array(m->sources, m->max, sizeof *m->sources);
    }
    struct item kept = *it; /* the listing it came from goes away */
    kept.text = arena_strdup(&w->sh->arena, it->text);
    kept.path = arena_strdup(&w->sh->arena, it->path);
    m->sources[m->count++] = kept;
    return 0;
}

static int merge_write(struct merge *m, const char *delimiter, bool skip_empty, struct sink *out, struct progress *p,
                       struct err *reterr)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < m->count; i++) {
        struct item *src = &m->sources[i];
        if (src->status.length) {
            struct source *in;
            rc = src->fs->ops->open(src->fs, src->path, &in, reterr);
            if (rc < 0)
                break;
            progress_expect(p, dfs_path_name(src->path), src->status.length);
            rc = copy_bytes(in, out, p, reterr);
            in->close(in);
        }
        if (rc == 0 && delimiter && (src->status.length || !skip_empty))
            rc = out->write(out, delimiter, strlen(delimiter), reterr);
    }
    return rc;
}

int getmerge_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"nl"}, {"skip-empty-file"}, {0}};
    int rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct item dst;
    rc = item_lookup_local(sh, args->v[--args->count], &sh->arena, &dst, reterr);
    if (rc < 0)
        return rc;
    if (item_is_dir(&dst))
        return path_error(reterr, ERR_IS_DIR, dst.text, "Is a directory");
    struct merge m = {0};
    struct walk w = {.sh = sh, .context = &m, .sorted = true, .on_path = merge_collect, .on_missing = merge_missing};
    rc = walk_args(&w, args, reterr);
    struct sink *out = NULL;
    if (rc == 0 && !m.failed)
        rc = dst.fs->ops->create(dst.fs, dst.path, &(struct sink_options){.overwrite = true, .side_file = true}, &out,
                                 reterr);
    if (rc == 0 && out) {
        struct progress *p = progress_start();
        rc = merge_write(&m, f[0].on ? "\n" : NULL, f[1].on, out, p, reterr);
        progress_finish(p);
        if (rc < 0)
            out->abort(out);
        else
            rc = out->close(out, reterr);
    }
    free(m.sources);
    return rc;
}

/* ---- -appendToFile ---- */

static int append_all(struct shell *sh, struct item *items, size_t count, bool from_stdin, struct sink *out,
                      struct err *reterr)
{
    if (from_stdin && count)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "stdin (-) must be the sole input argument when present");
    if (from_stdin)
        return copy_bytes(source_stdin(), out, NULL, reterr);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct source *in;
        if (!items[i].exists)
            return err_set(reterr, ERR_NOT_FOUND, "%s", items[i].path);
        rc = items[i].fs->ops->open(items[i].fs, items[i].path, &in, reterr);
        if (rc < 0)
            break;
        rc = copy_bytes(in, out, NULL, reterr);
        in->close(in);
    }
    return rc;
}

int append_run(struct shell *sh, struct args *args, struct err *reterr)
{
    if (args->count < 2)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "missing destination argument");
    struct copy c;
    copy_init(&c, sh);
    struct option_flag f[] = {{"n"}, {0}};
    int rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0 || (rc = copy_destination(&c, args, reterr)) < 0)
        return rc;
    bool from_stdin = args_pop(args, "-");
    struct item *items;
    size_t count;
    rc = local_operands(sh, args, &items, &count, reterr);
    if (rc < 0)
        return rc;
    struct sink *out;
    if (!c.dst.exists) {
        rc = c.dst.fs->ops->create(c.dst.fs, c.dst.path, &(struct sink_options){0}, &out, reterr);
        if (rc < 0 || (rc = out->close(out, reterr)) < 0)
            return rc;
    }
    rc = c.dst.fs->ops->append(c.dst.fs, c.dst.path, f[0].on, &out, reterr);
    if (rc < 0)
        return rc;
    rc = append_all(sh, items, count, from_stdin, out, reterr);
    struct err close_error;
    int close_rc = out->close(out, &close_error); /* what went in before a failure stays, as in Hadoop */
    if (rc == 0 && close_rc < 0)
        *reterr = close_error;
    return rc < 0 ? rc : close_rc;
}
