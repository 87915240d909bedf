#include "fuse/posix/opens.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"

struct opens_told {
    pthread_mutex_t lock;
    uint64_t closed[OPENS_CLOSED_MAX];
    size_t count;
    struct opens_telling *opening; /* a few: as many as there are threads */
};

struct opens_told *opens_told_new(void)
{
    struct opens_told *o = mem_new(struct opens_told);
    pthread_mutex_init(&o->lock, NULL);
    return o;
}

void opens_told_free(struct opens_told *o)
{
    if (o)
        pthread_mutex_destroy(&o->lock);
    free(o);
}

/* In this order: who is not opening it any more has a handle by then. */
static bool is_open(struct posix_mount *m, uint64_t inode)
{
    return (m->passages && passage_is_opening(m->passages, inode)) || node_has_handles(m->nodes, inode);
}

static size_t take_closed(struct opens_told *o, uint64_t ret[OPENS_CLOSED_MAX])
{
    pthread_mutex_lock(&o->lock);
    size_t count = o->count;
    memcpy(ret, o->closed, count * sizeof *ret);
    o->count = 0;
    pthread_mutex_unlock(&o->lock);
    return count;
}

static void begin_opening(struct posix_mount *m, struct opens_telling *t)
{
    pthread_mutex_lock(&m->opens->lock);
    t->handles.opened = ++m->store.memory->openings;
    t->next = m->opens->opening;
    m->opens->opening = t;
    pthread_mutex_unlock(&m->opens->lock);
}

void opens_tell_end(struct posix_mount *m, struct opens_telling *t)
{
    pthread_mutex_lock(&m->opens->lock);
    struct opens_telling **at = &m->opens->opening;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    pthread_mutex_unlock(&m->opens->lock);
}

/* The last number before those of what is just being opened. */
static uint64_t last_opened(struct posix_mount *m)
{
    if (!m->opens) /* this process has just begun */
        return m->store.memory->openings;
    pthread_mutex_lock(&m->opens->lock);
    uint64_t last = m->store.memory->openings;
    for (const struct opens_telling *t = m->opens->opening; t; t = t->next)
        last = t->handles.opened <= last ? t->handles.opened - 1 : last;
    pthread_mutex_unlock(&m->opens->lock);
    return last;
}

const struct posix_handles *opens_tell(struct posix_mount *m, bool opens, struct opens_telling *t)
{
    uint64_t until = m->store.memory->openings; /* whoever begins to open one from here on gets a higher one */
    size_t count = take_closed(m->opens, t->closed), kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_open(m, t->closed[i]))
            t->closed[kept++] = t->closed[i];
    t->handles = (struct posix_handles){.closed = t->closed, .closed_count = kept, .until = until};
    if (opens)
        begin_opening(m, t);
    return &t->handles;
}

void opens_tell_closed(struct posix_mount *m)
{
    struct opens_telling t;
    struct err err = {0};
    if (opens_tell(m, false, &t)->closed_count &&
        posix_tell_closed(m->store.fs, m->store.memory->session, &t.handles, &err) < 0)
        log_debug("mount", "closed files are told with the next session: err=%s", err.text);
}

static bool add_closed(struct opens_told *o, uint64_t inode)
{
    pthread_mutex_lock(&o->lock);
    bool has_room = o->count < OPENS_CLOSED_MAX;
    if (has_room)
        o->closed[o->count++] = inode;
    pthread_mutex_unlock(&o->lock);
    return has_room;
}

void opens_closed(struct posix_mount *m, uint64_t inode)
{
    if (is_open(m, inode))
        return;
    while (!add_closed(m->opens, inode))
        opens_tell_closed(m);
}

/* ---- all of them ---- */

static void add_id(uint64_t inode, void *arg)
{
    buf_append(arg, &inode, sizeof inode);
}

static void add_uncounted(struct node *n, void *arg)
{
    if (n->opens)
        add_id(n->id, arg);
}

void opens_list(struct posix_mount *m, struct posix_opened *ret)
{
    const struct keeper_memory *memory = m->store.memory;
    struct buf ids = {0};
    *ret = (struct posix_opened){.until = last_opened(m), .all = !memory->has_uncounted};
    if (m->passages)
        passage_each_opening(m->passages, add_id, &ids);
    for (size_t i = 0; i < KEEPER_OPENS_MAX; i++)
        if (memory->opens[i].opens)
            add_id(memory->opens[i].inode, &ids);
    if (m->nodes && memory->has_uncounted)
        node_each(m->nodes, add_uncounted, &ids);
    ret->count = ids.len / sizeof *ret->ids;
    ret->ids = (void *)buf_detach(&ids);
}

/* What was closed since the list was made may have been told before it. */
void opens_listed(struct posix_mount *m, struct posix_opened *opened)
{
    for (size_t i = 0; m->opens && i < opened->count; i++)
        opens_closed(m, opened->ids[i]);
    free((void *)(uintptr_t)opened->ids);
}
