#include "namenode/namespace/lost_streams.h"

#include <string.h>

static struct lost_stream *find(const struct inode *n, uint64_t session)
{
    for (size_t i = 0; i < n->lost_count; i++)
        if (n->lost[i].session == session)
            return &n->lost[i];
    return NULL;
}

const struct lost_stream *lost_stream_of(const struct inode *n, uint64_t session)
{
    return find(n, session);
}

static void drop(struct inode *n, struct lost_stream *s)
{
    size_t behind = n->lost_count - (size_t)(s - n->lost) - 1;
    memmove(s, s + 1, behind * sizeof *s);
    n->lost_count--;
    txn_dirty(n);
}

void lost_stream_forget(struct inode *n, uint64_t session)
{
    struct lost_stream *s = find(n, session);
    if (s)
        drop(n, s);
}

void lost_stream_add(struct txn *t, struct inode *n, uint64_t session, uint64_t length_bytes)
{
    lost_stream_forget(n, session);
    while (n->lost_count >= LOST_STREAMS_MAX)
        drop(n, n->lost);
    struct lost_stream *all = arena_array(&t->arena, struct lost_stream, n->lost_count + 1);
    if (n->lost_count)
        memcpy(all, n->lost, n->lost_count * sizeof *all);
    all[n->lost_count++] = (struct lost_stream){session, length_bytes, false};
    n->lost = all;
    txn_dirty(n);
}

void lost_stream_saved(struct inode *n, uint64_t session)
{
    struct lost_stream *s = find(n, session);
    if (!s)
        return;
    s->is_saved = true;
    txn_dirty(n);
}
