#include "client/fs/trash.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/trash_names.h"

#define MKDIR_TRIES      100
#define CHECKPOINT_TRIES 1000

/* Scripts look for these lines where Hadoop's logger puts them. */
static void trash_log(const char *format, ...) PRINTF_LIKE(1, 2);
static void trash_log(const char *format, ...)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local);
    fflush(stdout);
    fprintf(stderr, "%s,%03d INFO fs.TrashPolicyDefault: ", date, (int)(now_ms % 1000));
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int trash_interval_ms(struct shell *sh, struct shell_fs *fs, int64_t *ret, struct err *reterr)
{
    *ret = config_ms(sh->config, "fs.trash.interval");
    if (!fs->dfs)
        return 0;
    struct dfs_server_defaults defaults;
    int rc = dfs_get_server_defaults(fs->dfs, &defaults, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "Failed to get server trash configuration");
    if (defaults.trash_interval_min)
        *ret = defaults.trash_interval_min * 60000;
    return 0;
}

static const char *home_trash(struct shell *sh, struct shell_fs *fs)
{
    if (fs->dfs)
        return arena_printf(&sh->arena, "%s/.Trash", dfs_home(fs->dfs, &sh->arena));
    const char *home = getenv("HOME");
    return arena_printf(&sh->arena, "%s/.Trash", home && *home ? home : "");
}

static bool path_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    return !strncmp(path, folder, len) && (!path[len] || path[len] == '/' || len == 1);
}

/* Directories with a trash of their own, as snapshots cannot be moved out of. */
static int trashed_roots(struct shell *sh, struct shell_fs *fs, const char *const **ret, size_t *ret_count,
                         struct err *reterr)
{
    struct dfs_server_defaults defaults = {0};
    *ret_count = 0;
    int rc = fs->dfs ? dfs_get_server_defaults(fs->dfs, &defaults, reterr) : 0;
    return rc < 0 || !defaults.snapshot_trash ? rc : dfs_snapshot_roots(fs->dfs, &sh->arena, ret, ret_count, reterr);
}

static const char *trash_in(struct shell *sh, struct shell_fs *fs, const char *folder)
{
    return arena_printf(&sh->arena, "%s/.Trash/%s", strcmp(folder, "/") ? folder : "", dfs_user(fs->dfs));
}

static int trash_root(struct shell *sh, struct shell_fs *fs, const char *path, const char **ret, struct err *reterr)
{
    const char *const *roots = NULL;
    size_t count;
    int rc = trashed_roots(sh, fs, &roots, &count, reterr);
    *ret = home_trash(sh, fs);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (path_below(path, roots[i]) && strcmp(path, roots[i]) != 0) {
            *ret = trash_in(sh, fs, roots[i]);
            break;
        }
    return rc;
}

static int trash_rename(struct shell_fs *fs, const char *from, const char *to, bool to_trash, struct err *reterr)
{
    if (fs->dfs)
        return dfs_rename2(fs->dfs, from, to, false, to_trash, reterr);
    bool done;
    return fs->ops->rename(fs, from, to, &done, reterr);
}

/* The part of `folder` that is a file gets the time appended, so that it can be a folder. */
static int folder_beside_file(struct shell *sh, struct shell_fs *fs, const char **folder, struct err *reterr)
{
    const char *existing = *folder;
    for (;;) {
        bool there;
        int rc = shell_fs_exists(fs, existing, &there, reterr);
        if (rc < 0 && rc != ERR_PARENT_NOT_DIR)
            return rc;
        const char *parent = dfs_path_parent(&sh->arena, existing);
        if ((rc == 0 && there) || !parent)
            break;
        existing = parent;
    }
    *folder = arena_printf(&sh->arena, "%s%" PRId64 "%s", existing, clock_wall_ms(), *folder + strlen(existing));
    return 0;
}

/* A view has no trash: what is removed goes into that of the file system in which it really is. */
static int leave_view(struct shell *sh, struct item *it, struct err *reterr)
{
    struct dfs *behind = it->fs->dfs;
    int rc = behind ? dfs_behind_view(behind, it->path, &sh->arena, &behind, &it->path, reterr) : 0;
    if (rc < 0 || behind == it->fs->dfs)
        return rc;
    return shell_fs_get(sh, "hdfs", dfs_uri(behind) + strlen("hdfs://"), &it->fs, reterr);
}

int trash_move(struct shell *sh, const struct item *given, bool *ret_moved, struct err *reterr)
{
    struct item found = *given, *it = &found;
    struct arena *a = &sh->arena;
    *ret_moved = false;
    int64_t interval_ms;
    int rc = leave_view(sh, it, reterr);
    struct shell_fs *fs = it->fs;
    rc = rc < 0 ? rc : trash_interval_ms(sh, fs, &interval_ms, reterr);
    if (rc < 0 || interval_ms <= 0)
        return rc;
    const char *root;
    rc = trash_root(sh, fs, it->path, &root, reterr);
    if (rc < 0)
        return rc;
    if (path_below(it->path, root))
        return 0;
    if (path_below(root, it->path))
        return err_set(reterr, ERR_INVALID_PATH,
                       "Cannot move \"%s\" to the trash, as it contains the trash. Consider using -skipTrash option",
                       item_qualified(it, a));
    const char *parent = dfs_path_parent(a, it->path);
    const char *folder = arena_printf(a, "%s/Current%s", root, parent && strcmp(parent, "/") ? parent : "");
    const char *name = dfs_path_name(it->path);
    rc = ERR_EXISTS;
    for (int i = 0; i < MKDIR_TRIES && (rc == ERR_EXISTS || rc == ERR_PARENT_NOT_DIR); i++) {
        rc = fs->ops->mkdirs(fs, folder, 0700, reterr);
        if (rc == ERR_EXISTS || rc == ERR_PARENT_NOT_DIR) {
            int moved = folder_beside_file(sh, fs, &folder, reterr);
            if (moved < 0)
                return moved;
        }
    }
    const char *target = dfs_path_join(a, folder, name), *wanted = target;
    bool there = true;
    while (rc == 0 && there) {
        rc = shell_fs_exists(fs, target, &there, reterr);
        if (rc == 0 && there)
            target = arena_printf(a, "%s%" PRId64, wanted, clock_wall_ms());
    }
    if (rc == 0)
        rc = trash_rename(fs, it->path, target, true, reterr);
    if (rc < 0)
        return err_set(reterr, rc, "Failed to move %s to trash %s%s: %.400s. Consider using -skipTrash option",
                       item_qualified(it, a), fs->qualifier, target, arena_strdup(a, reterr->text));
    trash_log("Moved: '%s' to trash at: %s%s", item_qualified(it, a), fs->qualifier, target);
    *ret_moved = true;
    return 0;
}

static int checkpoints_remove(struct shell_fs *fs, const char *root, int64_t older_than_ms, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, ARENA_NO_BOUND);
    struct dfs_listing listing;
    const char *start_after = NULL;
    do {
        int rc = fs->ops->list(fs, root, start_after, &a, &listing, reterr);
        if (rc == ERR_NOT_FOUND)
            return 0;
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < listing.count; i++) {
            const char *name = start_after = listing.entries[i].name, *path = dfs_path_join(&a, root, name);
            int64_t made_ms;
            if (!strcmp(name, "Current"))
                continue;
            if (!trash_checkpoint_made_ms(name, &made_ms)) {
                trash_log("Unexpected item in trash: %s. Ignoring.", path);
                continue;
            }
            bool done = false;
            if (made_ms >= older_than_ms)
                continue;
            rc = fs->ops->remove(fs, path, true, &done, reterr);
            if (rc < 0)
                return rc;
            trash_log(done ? "Deleted trash checkpoint: %s" : "Couldn't delete checkpoint: %s Ignoring.", path);
        }
    } while (listing.remaining && listing.count);
    return 0;
}

static int checkpoint_create(struct shell *sh, struct shell_fs *fs, const char *root, struct err *reterr)
{
    struct arena *a = &sh->arena;
    const char *current = dfs_path_join(a, root, "Current");
    bool there;
    int rc = shell_fs_exists(fs, current, &there, reterr);
    if (rc < 0 || !there)
        return rc;
    int64_t now_ms = clock_wall_ms();
    const char *checkpoint = root;
    for (int i = 0; i <= CHECKPOINT_TRIES; i++) {
        char name[TRASH_CHECKPOINT_BYTES];
        trash_checkpoint_name(now_ms, i, name);
        checkpoint = dfs_path_join(a, root, name);
        rc = trash_rename(fs, current, checkpoint, false, reterr);
        if (rc == 0)
            trash_log("Created trash checkpoint: %s", checkpoint);
        if (rc != ERR_EXISTS)
            return rc;
    }
    return err_set(reterr, ERR_EXISTS, "Failed to checkpoint trash: %s", checkpoint);
}

static int expunge(struct shell *sh, struct shell_fs *fs, const char *root, bool all, int64_t interval_ms,
                   struct err *reterr)
{
    int rc = all ? checkpoint_create(sh, fs, root, reterr) : 0;
    if (rc == 0)
        rc = checkpoints_remove(fs, root, all ? INT64_MAX : clock_wall_ms() - interval_ms, reterr);
    if (rc == 0 && !all)
        rc = checkpoint_create(sh, fs, root, reterr);
    return rc;
}

int trash_expunge(struct shell *sh, struct shell_fs *fs, bool all, struct err *reterr)
{
    int64_t interval_ms;
    const char *const *roots = NULL;
    size_t count = 0;
    int rc = trash_interval_ms(sh, fs, &interval_ms, reterr);
    rc = rc < 0 ? rc : trashed_roots(sh, fs, &roots, &count, reterr);
    rc = rc < 0 ? rc : expunge(sh, fs, home_trash(sh, fs), all, interval_ms, reterr);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = expunge(sh, fs, trash_in(sh, fs, roots[i]), all, interval_ms, reterr);
    return rc;
}
