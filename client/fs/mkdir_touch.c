/* -mkdir, -touchz, -touch */
#include <string.h>
#include <time.h>

#include "client/fs/walk.h"
#include "client/lib/dfs_path.h"
#include "common/clock.h"

static int mkdir_there(struct walk *w, struct item *it, struct err *reterr)
{
    const bool *parents = w->context;
    if (it->status.type != DFS_DIR)
        return path_error(reterr, ERR_NOT_DIR, it->text, "Is not a directory");
    return *parents ? 0 : path_error(reterr, ERR_EXISTS, it->text, "File exists");
}

static int mkdir_missing(struct walk *w, struct item *it, struct err *reterr)
{
    const bool *parents = w->context;
    struct arena *a = &w->sh->arena;
    if (!*parents) {
        struct item parent = *it;
        parent.path = dfs_path_parent(a, it->path);
        if (!parent.path)
            return path_not_found(reterr, it->text);
        bool there;
        int rc = shell_fs_exists(it->fs, parent.path, &there, reterr);
        if (rc < 0)
            return rc;
        if (!there)
            return path_not_found(reterr, item_qualified(&parent, a));
    }
    uint16_t mode;
    int rc = shell_fs_mode(it->fs, 0777, &mode, reterr);
    return rc < 0 ? rc : it->fs->ops->mkdirs(it->fs, it->path, mode, reterr);
}

int mkdir_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"p"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &f[0].on, .on_path = mkdir_there, .on_missing = mkdir_missing};
    return walk_args(&w, args, reterr);
}

static int file_create_empty(struct item *it, struct err *reterr)
{
    struct sink *out;
    int rc = it->fs->ops->create(it->fs, it->path, &(struct sink_options){.overwrite = true}, &out, reterr);
    return rc < 0 ? rc : out->close(out, reterr);
}

static int parent_required(struct walk *w, struct item *it, struct err *reterr)
{
    bool there;
    int rc = item_parent_exists(it, &there, reterr);
    if (rc < 0 || there)
        return rc;
    return err_set(reterr, ERR_NOT_FOUND, "`%s': No such file or directory: `%s'", it->text,
                   item_qualified(it, &w->sh->arena));
}

static int touchz_there(struct walk *w, struct item *it, struct err *reterr)
{
    if (it->status.type == DFS_DIR)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    if (it->status.length)
        return path_error(reterr, ERR_IO, it->text, "Not a zero-length file");
    return file_create_empty(it, reterr);
}

static int touchz_missing(struct walk *w, struct item *it, struct err *reterr)
{
    int rc = parent_required(w, it, reterr);
    return rc < 0 ? rc : file_create_empty(it, reterr);
}

int touchz_run(struct shell *sh, struct args *args, struct err *reterr)
{
    int rc = shell_options(sh, args, 1, ARGS_ANY, NULL, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .on_path = touchz_there, .on_missing = touchz_missing};
    return walk_args(&w, args, reterr);
}

struct touch {
    const char *timestamp; /* NULL: now */
    bool access_only, modification_only, no_create;
};

static int touch_times(struct walk *w, struct item *it, struct err *reterr)
{
    const struct touch *t = w->context;
    int64_t now_ms = clock_wall_ms();
    if (t->timestamp) {
        struct tm tm = {.tm_isdst = -1};
        if (!strptime(t->timestamp, "%Y%m%d:%H%M%S", &tm))
            return shell_misuse(w->sh, reterr,
                                "Unable to parse the specified timestamp %s. The expected format is yyyyMMdd:HHmmss",
                                t->timestamp);
        now_ms = (int64_t)mktime(&tm) * 1000;
    }
    bool one = t->access_only != t->modification_only;
    return it->fs->ops->set_times(it->fs, it->path, one && t->access_only ? -1 : now_ms,
                                  one && t->modification_only ? -1 : now_ms, reterr);
}

static int touch_missing(struct walk *w, struct item *it, struct err *reterr)
{
    const struct touch *t = w->context;
    int rc = parent_required(w, it, reterr);
    if (rc < 0 || t->no_create)
        return rc;
    rc = file_create_empty(it, reterr);
    return rc == 0 && t->timestamp ? touch_times(w, it, reterr) : rc;
}

int touch_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct touch t = {0};
    struct err why;
    if (args_pop_value(args, "-t", &t.timestamp, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    struct option_flag f[] = {{"t"}, {"a"}, {"m"}, {"c"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    t.access_only = f[1].on;
    t.modification_only = f[2].on;
    t.no_create = f[3].on;
    struct walk w = {.sh = sh, .context = &t, .on_path = touch_times, .on_missing = touch_missing};
    return walk_args(&w, args, reterr);
}
