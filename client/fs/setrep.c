/* -setrep */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/fs/walk.h"
#include "common/clock.h"
#include "common/mem.h"

#define POLL_MS 1000 /* Hadoop looks every 10 s */

struct setrep {
    uint32_t replication;
    bool wait;
    struct item *waiting;
    size_t count, max;
};

static void setrep_remember(struct walk *w, const struct item *it)
{
    struct setrep *s = w->context;
    if (s->count == s->max) {
        s->max = s->max ? s->max * 2 : 64;
        s->waiting = mem_realloc_array(s->waiting, s->max, sizeof *s->waiting);
    }
    s->waiting[s->count++] = (struct item){
        .fs = it->fs, .text = arena_strdup(&w->sh->arena, it->text), .path = arena_strdup(&w->sh->arena, it->path)};
}

static int setrep_path(struct walk *w, struct item *it, struct err *reterr)
{
    struct setrep *s = w->context;
    if (it->status.type == DFS_SYMLINK)
        return path_error(reterr, ERR_UNSUPPORTED, it->text, "Symlinks unsupported");
    if (it->status.type != DFS_FILE)
        return 0;
    if (it->status.flags & 4) {
        printf("Did not set replication for: %s, because it's an erasure coded file.\n", it->text);
        return 0;
    }
    bool done;
    int rc = it->fs->ops->set_replication(it->fs, it->path, s->replication, &done, reterr);
    if (rc < 0)
        return rc;
    if (!done)
        return err_set(reterr, ERR_IO, "Could not set replication for: %s", it->text);
    printf("Replication %u set: %s\n", s->replication, it->text);
    if (s->wait)
        setrep_remember(w, it);
    return 0;
}

/* *ret_more: some block has too many copies, which can take long. */
static int replication_reached(struct item *it, uint32_t wanted, bool *ret_reached, bool *ret_more, struct err *reterr)
{
    *ret_reached = true;
    if (!it->fs->dfs)
        return 0;
    AUTO(arena_free) struct arena a;
    arena_init(&a, ARENA_NO_BOUND);
    struct dfs_blocks blocks;
    int rc = dfs_block_locations(it->fs->dfs, it->path, 0, INT64_MAX, &a, &blocks, reterr);
    for (size_t i = 0; rc == 0 && *ret_reached && i < blocks.count; i++) {
        *ret_reached = blocks.blocks[i].node_count == wanted;
        *ret_more = blocks.blocks[i].node_count > wanted;
    }
    return rc;
}

static int setrep_wait(struct setrep *s, struct err *reterr)
{
    for (size_t i = 0; i < s->count; i++) {
        struct item *it = &s->waiting[i];
        printf("Waiting for %s ...", it->text);
        bool warned = false;
        int64_t dot_ms = clock_mono_ms() + 10 * POLL_MS;
        for (;;) {
            bool reached, more = false;
            fflush(stdout);
            int rc = replication_reached(it, s->replication, &reached, &more, reterr);
            if (rc < 0) {
                putchar('\n');
                return rc;
            }
            if (reached)
                break;
            if (more && !warned) {
                printf("\nWARNING: the waiting time may be long for DECREASING the number of replications.\n");
                warned = true;
            }
            if (clock_mono_ms() >= dot_ms) {
                putchar('.');
                dot_ms += 10 * POLL_MS;
            }
            clock_sleep_ms(POLL_MS);
        }
        puts(" done");
    }
    return 0;
}

int setrep_run(struct shell *sh, struct args *args, struct err *reterr)
{
    struct option_flag f[] = {{"R"}, {"w"}, {0}};
    int rc = shell_options(sh, args, 2, ARGS_ANY, f, reterr);
    if (rc < 0)
        return rc;
    long long n;
    struct err why;
    if (parse_number(args_shift(args), INT16_MIN, INT16_MAX, &n, &why) < 0) {
        shell_warn(sh, "Illegal replication, a positive integer expected");
        return shell_misuse(sh, reterr, "%s", why.text);
    }
    if (n < 1)
        return shell_misuse(sh, reterr, "replication must be >= 1");
    struct setrep s = {.replication = (uint32_t)n, .wait = f[1].on};
    struct walk w = {.sh = sh, .context = &s, .recursive = true, .on_path = setrep_path};
    rc = walk_args(&w, args, reterr);
    if (rc == 0 && s.wait)
        rc = setrep_wait(&s, reterr);
    free(s.waiting);
    return rc;
}
