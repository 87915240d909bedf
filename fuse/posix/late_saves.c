#include "fuse/posix/late_saves.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"

#define FIRST_PAUSE_MS 100 /* a recovery takes a moment */
#define LAST_PAUSE_MS  30000

struct late_saves {
    struct node_store *store;
    struct node_table *nodes;
    pthread_t thread;
    _Atomic bool is_ending;
    size_t done; /* in this pass */
};

void late_saves_load(struct node_store *store, struct node_table *nodes)
{
    uint64_t *ids;
    size_t count = node_left(nodes, &ids);
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        struct node *n;
        int rc = node_need(nodes, ids[i], &n, &err);
        if (rc == ERR_STALE) /* there is no such file any more */
            node_drop_left(nodes, ids[i]);
        else if (rc < 0)
            break;
        else
            node_put(nodes, n);
    }
    free(ids);
}

/* What is open is saved when it is closed. */
static int save(struct late_saves *l, struct node *n, bool is_open, struct err *reterr)
{
    pthread_rwlock_wrlock(&n->lock);
    int rc = node_end_lost_stream(l->store, n, 0, reterr);
    pthread_rwlock_unlock(&n->lock);
    return is_open || node_is_busy(rc) ? rc : node_settle(l->nodes, n, reterr);
}

static void save_if_kept(struct node *n, void *arg)
{
    struct late_saves *l = arg;
    struct err err = {0};
    bool is_open;
    if (l->is_ending || !node_is_kept(l->nodes, n, &is_open))
        return;
    int rc = save(l, n, is_open, &err);
    if (rc < 0) {
        log_debug("mount", "not saved yet: inode=%" PRIu64 " err=%s", n->id, err.text);
        return;
    }
    log_info("mount", "what could not be saved before is %s: inode=%" PRIu64, is_open ? "back" : "saved", n->id);
    node_unkeep(l->nodes, n);
    l->done++;
}

static void *run(void *arg)
{
    struct late_saves *l = arg;
    int64_t pause_ms = FIRST_PAUSE_MS;
    size_t kept = 0;
    while (!l->is_ending) {
        size_t before = kept;
        l->done = 0;
        late_saves_load(l->store, l->nodes);
        node_each(l->nodes, save_if_kept, l);
        kept = node_kept(l->nodes);
        bool is_new = l->done || kept > before;
        pause_ms = is_new ? FIRST_PAUSE_MS : pause_ms < LAST_PAUSE_MS / 2 ? 2 * pause_ms : LAST_PAUSE_MS;
        node_wait_kept(l->nodes, &l->is_ending, kept, pause_ms);
    }
    return NULL;
}

struct late_saves *late_saves_start(struct node_store *store, struct node_table *nodes)
{
    struct late_saves *l = mem_new(struct late_saves);
    l->store = store;
    l->nodes = nodes;
    int errnum = pthread_create(&l->thread, NULL, run, l);
    if (errnum == 0)
        return l;
    log_warn("mount", "what cannot be saved at a close is not tried again: errno=%d", errnum);
    free(l);
    return NULL;
}

void late_saves_stop(struct late_saves *l)
{
    if (!l)
        return;
    node_wake_waiter(l->nodes, &l->is_ending);
    pthread_join(l->thread, NULL);
    free(l);
}
