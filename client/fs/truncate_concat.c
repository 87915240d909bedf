/* -truncate, -concat */
#include <inttypes.h>
#include <stdlib.h>

#include "client/fs/walk.h"
#include "common/clock.h"

#define POLL_MS 200

struct truncate {
    long long length;
    bool wait;
    struct item waiting[1024]; /* a wait for more than these is a wait for these first */
    size_t count;
};

static int truncate_wait(struct truncate *t, struct err *reterr)
{
    for (size_t i = 0; i < t->count; i++) {
        struct item *it = &t->waiting[i];
        printf("Waiting for %s ...\n", it->text);
        fflush(stdout);
        do {
            AUTO(arena_free) struct arena a;
            arena_init(&a, 1 << 20);
            int rc = item_refresh(it, &a, reterr);
            if (rc < 0)
                return rc;
            if (it->status.length != t->length)
                clock_sleep_ms(POLL_MS);
        } while (it->status.length != t->length);
        printf("Truncated %s to length: %lld\n", it->text, t->length);
    }
    t->count = 0;
    return 0;
}

static int truncate_path(struct walk *w, struct item *it, struct err *reterr)
{
    struct truncate *t = w->context;
    if (it->status.type == DFS_DIR)
        return path_error(reterr, ERR_IS_DIR, it->text, "Is a directory");
    if (t->length > it->status.length)
        return shell_misuse(w->sh, reterr,
                            "Cannot truncate to a larger file size. Current size: %" PRId64 ", truncate size: %lld.",
                            it->status.length, t->length);
    bool done;
    int rc = it->fs->ops->truncate(it->fs, it->path, t->length, &done, reterr);
    if (rc < 0)
        return rc;
    if (done) {
        printf("Truncated %s to length: %lld\n", it->text, t->length);
        return 0;
    }
    if (!t->wait) {
        printf(
            "Truncating %s to length: %lld. Wait for block recovery to complete before further updating this file.\n",
            it->text, t->length);
        return 0;
    }
    if (t->count == ARRAY_COUNT(t->waiting) && (rc = truncate_wait(t, reterr)) < 0)
        return rc;
    t->waiting[t->count++] = *it; /* operands live as long as the command */
    return 0;
}

int truncate_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"w"}, {0}};
    int rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    struct truncate *t = arena_new(&sh->arena, struct truncate);
    t->wait = f[0].on;
    struct err why;
    if (parse_number(args_shift(args), INT64_MIN, INT64_MAX, &t->length, &why) < 0) {
        shell_warn(sh, "Illegal length, a non-negative integer expected");
        return shell_misuse(sh, reterr, "%s", why.text);
    }
    if (t->length < 0)
        return shell_misuse(sh, reterr, "length must be >= 0");
    struct walk w = {.sh = sh, .context = t, .on_path = truncate_path};
    rc = walk_args(&w, args, reterr);
    return rc < 0 ? rc : truncate_wait(t, reterr);
}

int concat_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct item *items;
    size_t count;
    int rc = walk_expand(sh, args, &items, &count, reterr);
    if (rc < 0)
        return rc;
    const char *usage = sh->command->usage;
    if (count < 1)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Target path not specified. %s", usage);
    if (count < 3)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "The number of source paths is less than 2. %s", usage);
    if (!items[0].exists || items[0].status.type != DFS_FILE)
        return err_set(reterr, ERR_NOT_FOUND, "Target path %s does not exist or is not file.",
                       item_qualified(&items[0], &sh->arena));
    const char **sources = arena_array(&sh->arena, const char *, count);
    for (size_t i = 1; i < count; i++) {
        if (!items[i].exists || items[i].status.type != DFS_FILE)
            return err_set(reterr, ERR_NOT_FOUND, "%s does not exist or is not file.",
                           item_qualified(&items[i], &sh->arena));
        if (items[i].fs != items[0].fs)
            return path_error(reterr, ERR_UNSUPPORTED, items[i].text, "Does not match target filesystem");
        sources[i - 1] = items[i].path;
    }
    return items[0].fs->ops->concat(items[0].fs, items[0].path, sources, count - 1, reterr);
}
