/* -rm, -rmr, -rmdir, -expunge */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "client/fs/trash.h"
#include "client/fs/walk.h"

#define SAFE_DELETE_FILES 100 /* hadoop.shell.delete.limit.num.files */

struct rm {
    bool ignore_missing, recursive, skip_trash, safely;
};

static bool user_agrees(int64_t files)
{
    char answer[16];
    fflush(stdout);
    for (;;) {
        fprintf(stderr, "Proceed deleting %" PRId64 " files? (Y or N) ", files);
        if (!fgets(answer, sizeof answer, stdin))
            return false;
        if (!strchr(answer, '\n')) /* the rest of a long line is no answer of its own */
            while (getchar() != '\n' && !feof(stdin))
                ;
        answer[strcspn(answer, "\r\n")] = '\0';
        for (char *c = answer; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        if (!strcmp(answer, "y") || !strcmp(answer, "yes"))
            return true;
        if (!strcmp(answer, "n") || !strcmp(answer, "no"))
            return false;
        fprintf(stderr, "Invalid input: %s\n", answer);
    }
}

static int safe_to_delete(struct walk *w, struct item *it, bool *ret, struct err *reterr)
{
    const char *text = config_get(w->sh->config, "hadoop.shell.delete.limit.num.files");
    long long limit = SAFE_DELETE_FILES;
    *ret = true;
    if (text && parse_number(text, INT64_MIN, INT64_MAX, &limit, reterr) < 0)
        return err_prefix(reterr, ERR_CONFIG, "hadoop.shell.delete.limit.num.files");
    if (limit <= 0)
        return 0;
    struct dfs_summary sum;
    int rc = it->fs->ops->summary(it->fs, it->path, &sum, reterr);
    if (rc == 0 && sum.file_count > limit && !user_agrees(sum.file_count)) {
        fputs("Delete aborted at user request.\n\n", stderr);
        *ret = false;
    }
    return rc;
}

static int rm_path(struct walk *w, struct item *it, struct err *reterr)
{
    const struct rm *rm = w->context;
    if (it->status.type == DFS_DIR && !rm->recursive)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    bool gone = false, go_on = true;
    int rc = rm->skip_trash ? 0 : trash_move(w->sh, it, &gone, reterr);
    if (rc == 0 && !gone && rm->safely)
        rc = safe_to_delete(w, it, &go_on, reterr);
    if (rc < 0 || gone || !go_on)
        return rc;
    rc = it->fs->ops->remove(it->fs, it->path, rm->recursive, &gone, reterr);
    if (rc < 0)
        return rc;
    if (!gone)
        return path_error(reterr, ERR_IO, it->text, "Input/output error");
    printf("Deleted %s\n", it->text);
    return 0;
}

static int rm_missing(struct walk *w, struct item *it, struct err *reterr)
{
    return ((const struct rm *)w->context)->ignore_missing ? 0 : path_not_found(reterr, it->text);
}

static int rm_with(struct shell *sh, struct args *args, bool recursive, struct err *reterr)
{
    struct option_flag f[] = {{"f"}, {"r"}, {"R"}, {"skipTrash"}, {"safely"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct rm rm = {f[0].on, recursive || f[1].on || f[2].on, f[3].on, f[4].on};
    struct walk w = {.sh = sh, .context = &rm, .on_path = rm_path, .on_missing = rm_missing};
    /* All patterns are expanded before the first delete; with -f one that matches nothing is fine. */
    struct item **found = arena_array(&sh->arena, struct item *, args->count);
    size_t *counts = arena_array(&sh->arena, size_t, args->count);
    for (size_t i = 0; i < args->count; i++) {
        struct err e;
        int glob_rc = item_glob(sh, args->v[i], &sh->arena, &found[i], &counts[i], &e);
        if (glob_rc < 0 && sh->misused)
            return err_set(reterr, glob_rc, "%s", e.text);
        if (glob_rc < 0 && !(rm.ignore_missing && glob_rc == ERR_NOT_FOUND))
            shell_report(sh, &e);
    }
    for (size_t i = 0; rc == 0 && i < args->count; i++)
        rc = walk_items(&w, found[i], counts[i], reterr);
    return rc;
}

int rm_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return rm_with(sh, args, false, reterr);
}

int rmr_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return rm_with(sh, args, true, reterr);
}

static int rmdir_path(struct walk *w, struct item *it, struct err *reterr)
{
    const bool *ignore_filled = w->context;
    if (it->status.type != DFS_DIR)
        return path_error(reterr, ERR_NOT_DIR, it->text, "Is not a directory");
    AUTO(arena_free) struct arena a;
    arena_init(&a, ARENA_NO_BOUND);
    struct dfs_listing listing;
    int rc = it->fs->ops->list(it->fs, it->path, NULL, &a, &listing, reterr);
    if (rc < 0)
        return rc;
    if (listing.count)
        return *ignore_filled ? 0 : path_error(reterr, ERR_NOT_EMPTY, it->text, "Directory is not empty");
    bool done;
    rc = it->fs->ops->remove(it->fs, it->path, false, &done, reterr);
    return rc == 0 && !done ? path_error(reterr, ERR_IO, it->text, "Input/output error") : rc;
}

int rmdir_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"-ignore-fail-on-non-empty"}, {0}};
    int rc = shell_options(sh, args, 1, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct walk w = {.sh = sh, .context = &f[0].on, .on_path = rmdir_path};
    return walk_args(&w, args, reterr);
}

int expunge_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"immediate"}, {"fs", true}, {0}};
    int rc = shell_options(sh, args, 0, 2, f, reterr);
    if (rc < 0)
        return rc;
    struct item root;
    rc = item_lookup(sh, f[1].value && *f[1].value ? f[1].value : "/", &sh->arena, &root, reterr);
    return rc < 0 ? rc : trash_expunge(sh, root.fs, f[0].on, reterr);
}
