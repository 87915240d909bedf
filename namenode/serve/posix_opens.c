/* What mounts say about files that they have open (namenode/namespace/opens.h). */
#include "namenode/namespace/opens.h"
#include "namenode/serve/posix_calls.h"

#define RELEASED_AT_ONCE 100

void posix_opened(struct op *op, uint64_t session, const Cairn__HandlesProto *h, const struct inode *n)
{
    if (h && h->has_opened && inode_is_file(n) && sessions_find(op->nn->sessions, session))
        opens_add(op->nn->dir->opens, session, n->id, h->opened);
}

/* In steps: what goes with the last hold may be large. */
int posix_let_go(struct op *op, struct session *s, const uint64_t *ids, size_t count)
{
    int rc = 0;
    for (size_t at = 0, end; !rc && at < count; at = end) {
        end = count - at > RELEASED_AT_ONCE ? at + RELEASED_AT_ONCE : count;
        bool any = false;
        for (size_t i = at; !rc && i < end; i++) {
            if (!session_holds(s, ids[i]))
                continue;
            opens_close(op->nn->dir->opens, s->id, ids[i], UINT64_MAX); /* or it would be held again */
            rc = session_drop_hold(op->nn->sessions, &op->t, s, ids[i], &op->err);
            any = true;
        }
        rc = rc || !any ? rc : file_commit(&op->file, &op->err);
        for (size_t i = at; !rc && any && i < end; i++)
            session_released(s, ids[i]);
    }
    return rc;
}

int posix_closed(struct op *op, uint64_t session, const Cairn__HandlesProto *h)
{
    struct opens *opens = op->nn->dir->opens;
    struct session *s = h && h->n_closed_id ? sessions_find(op->nn->sessions, session) : NULL;
    if (!s)
        return 0;
    uint64_t *closed = arena_array(op->arena, uint64_t, h->n_closed_id);
    size_t count = 0;
    for (size_t i = 0; i < h->n_closed_id; i++) {
        opens_close(opens, s->id, h->closed_id[i], h->until);
        if (!opens_has(opens, s->id, h->closed_id[i]))
            closed[count++] = h->closed_id[i];
    }
    return posix_let_go(op, s, closed, count);
}

int posix_opens_anew(struct op *op, struct session *s, const Cairn__OpenedFilesProto *opened)
{
    struct opens *opens = op->nn->dir->opens;
    if (!opened)
        return 0;
    opens_end_session(opens, s->id, opened->until);
    for (size_t i = 0; i < opened->n_id; i++)
        opens_add(opens, s->id, opened->id[i], opened->until);
    uint64_t *closed = arena_array(op->arena, uint64_t, s->held_count + 1);
    size_t count = 0;
    for (size_t i = 0; opened->all && i < s->held_count; i++)
        if (!opens_has(opens, s->id, s->held[i]))
            closed[count++] = s->held[i];
    return posix_let_go(op, s, closed, count);
}
