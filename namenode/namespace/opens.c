#include "namenode/namespace/opens.h"

#include <stdlib.h>

#include "common/mem.h"
#include "namenode/blocks/id_map.h"

struct opened { /* one inode, by one session or more */
    uint64_t inode;
    struct opening *list;
    size_t count;
    struct opened *next, **link;
};
struct opens {
    struct id_map inodes; /* -> struct opened */
    struct opened *first;
    size_t count; /* of openings */
};

struct opens *opens_new(void)
{
    return mem_new(struct opens);
}

static void opened_free(struct opens *o, struct opened *n)
{
    id_map_remove(&o->inodes, n->inode);
    *n->link = n->next;
    if (n->next)
        n->next->link = n->link;
    free(n->list);
    free(n);
}

void opens_free(struct opens *o)
{
    if (!o)
        return;
    while (o->first)
        opened_free(o, o->first);
    id_map_free(&o->inodes, NULL);
    free(o);
}

size_t opens_count(const struct opens *o)
{
    return o->count;
}

static struct opened *find(const struct opens *o, uint64_t inode)
{
    return o ? id_map_get(&o->inodes, inode) : NULL;
}

static struct opening *find_in(struct opened *n, uint64_t session)
{
    for (size_t i = 0; n && i < n->count; i++)
        if (n->list[i].session == session)
            return &n->list[i];
    return NULL;
}

bool opens_any(const struct opens *o, uint64_t inode)
{
    return find(o, inode) != NULL;
}

bool opens_has(const struct opens *o, uint64_t session, uint64_t inode)
{
    return find_in(find(o, inode), session) != NULL;
}

size_t opens_of(const struct opens *o, uint64_t inode, const struct opening **ret)
{
    const struct opened *n = find(o, inode);
    *ret = n ? n->list : NULL;
    return n ? n->count : 0;
}

static struct opened *opened_new(struct opens *o, uint64_t inode)
{
    struct opened *n = mem_new(struct opened);
    n->inode = inode;
    n->next = o->first;
    n->link = &o->first;
    if (n->next)
        n->next->link = &n->next;
    o->first = n;
    id_map_put(&o->inodes, inode, n);
    return n;
}

void opens_add(struct opens *o, uint64_t session, uint64_t inode, uint64_t number)
{
    struct opened *n = find(o, inode);
    struct opening *there = find_in(n, session);
    if (there) {
        there->number = there->number > number ? there->number : number;
        return;
    }
    if (o->count >= OPENS_MAX)
        return;
    n = n ? n : opened_new(o, inode);
    n->list = mem_realloc_array(n->list, n->count + 1, sizeof *n->list);
    n->list[n->count++] = (struct opening){session, number};
    o->count++;
}

static void close_in(struct opens *o, struct opened *n, uint64_t session, uint64_t until)
{
    struct opening *there = find_in(n, session);
    if (!there || there->number > until)
        return;
    *there = n->list[--n->count];
    o->count--;
    if (!n->count)
        opened_free(o, n);
}

void opens_close(struct opens *o, uint64_t session, uint64_t inode, uint64_t until)
{
    close_in(o, find(o, inode), session, until);
}

void opens_end_session(struct opens *o, uint64_t session, uint64_t until)
{
    for (struct opened *n = o->first, *next; n; n = next) {
        next = n->next;
        close_in(o, n, session, until);
    }
}
