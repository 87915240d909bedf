/* The trash of directories that snapshots may be taken of; dfsadmin -provisionSnapshotTrash. */
#include <stdio.h>
#include <string.h>

#include "client/admin/admin.h"

#define TRASH_MODE         01777 /* everybody has a folder in it */
#define FLAG_SNAPSHOTTABLE 8u

static const char *trash_of(struct admin *a, const char *dir)
{
    return arena_printf(&a->arena, "%s/.Trash", strcmp(dir, "/") ? dir : "");
}

static int check_existing(const char *dir, const char *trash, const struct dfs_status *s, struct err *reterr)
{
    if (s->type == DFS_DIR && s->mode == TRASH_MODE)
        return 0;
    return err_set(reterr, ERR_EXISTS,
                   "Can't provision trash for snapshottable directory %s because trash path %s already exists.", dir,
                   trash);
}

static int make_trash(struct admin *a, const char *dir, const char **ret_trash, struct err *reterr)
{
    struct dfs_status s;
    const char *trash = *ret_trash = trash_of(a, dir);
    int rc = dfs_stat(a->fs, dir, &a->arena, &s, reterr);
    if (rc == 0 && !(s.flags & FLAG_SNAPSHOTTABLE))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s is not a snapshottable directory.", dir);
    if (rc < 0)
        return rc;
    rc = dfs_stat(a->fs, trash, &a->arena, &s, reterr);
    if (rc != ERR_NOT_FOUND)
        return rc < 0 ? rc : check_existing(dir, trash, &s, reterr);
    rc = dfs_mkdirs(a->fs, trash, TRASH_MODE, false, reterr);
    return rc < 0 ? rc : dfs_set_permission(a->fs, trash, TRASH_MODE, reterr);
}

int snapshot_trash_for_allowed(struct admin *a, const char *dir, struct err *reterr)
{
    struct dfs_server_defaults defaults;
    const char *trash;
    int rc = dfs_get_server_defaults(a->fs, &defaults, reterr);
    return rc < 0 || !defaults.snapshot_trash ? rc : make_trash(a, dir, &trash, reterr);
}

int snapshot_trash_remove(struct admin *a, const char *dir, struct err *reterr)
{
    struct dfs_status s;
    bool done = false;
    const char *trash = trash_of(a, dir);
    int rc = dfs_lstat(a->fs, trash, &a->arena, &s, reterr);
    if (rc < 0 || s.type != DFS_DIR)
        return rc == ERR_NOT_FOUND || rc == ERR_ACCESS ? 0 : rc;
    struct dfs_listing listing;
    rc = dfs_list(a->fs, trash, NULL, false, &a->arena, &listing, reterr);
    if (rc < 0)
        return rc == ERR_NOT_FOUND || rc == ERR_ACCESS ? 0 : rc;
    if (listing.count)
        return err_set(reterr, ERR_IO, "Found non-empty trash root at %s. Rename or delete it, then try again.", trash);
    return dfs_delete(a->fs, trash, false, &done, reterr);
}

static int provision(struct admin *a, const char *dir, struct err *reterr)
{
    const char *trash;
    int rc = make_trash(a, dir, &trash, reterr);
    if (rc == 0)
        printf("Successfully provisioned snapshot trash at %s\n", trash);
    return rc;
}

int provision_snapshot_trash_run(struct admin *a, int argc, char **argv, struct err *reterr)
{
    const char *path, *uri, *const *roots = NULL;
    size_t count = 0;
    if (strcmp(argv[0], "-all") != 0) {
        int rc = dfs_resolve(a->fs, argv[0], &a->arena, &path, &uri, reterr);
        return rc < 0 ? rc : provision(a, path, reterr);
    }
    int rc = dfs_snapshot_roots(a->fs, &a->arena, &roots, &count, reterr);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = provision(a, roots[i], reterr);
    return rc;
}
