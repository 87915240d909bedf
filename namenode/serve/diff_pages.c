#include "namenode/serve/diff_pages.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define KEPT_MAX       4
#define KEPT_BYTES_MAX (64u << 20) /* a larger one is made anew for each page */
#define KEPT_MS        60000

struct diff_pages {
    pthread_mutex_t lock;
    struct diff_kept *first; /* the youngest */
};

struct diff_pages *diff_pages_new(void)
{
    struct diff_pages *p = mem_new(struct diff_pages);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

struct diff_kept *diff_kept_new(const char *key, size_t max_bytes)
{
    struct diff_kept *d = mem_new(struct diff_kept);
    d->key = mem_strdup(key);
    arena_init(&d->arena, max_bytes);
    return d;
}

void diff_kept_free(struct diff_kept *d)
{
    if (!d)
        return;
    arena_free(&d->arena);
    free(d->key);
    free(d);
}

static void list_free(struct diff_kept *list)
{
    while (list) {
        struct diff_kept *next = list->next;
        diff_kept_free(list);
        list = next;
    }
}

void diff_pages_free(struct diff_pages *p)
{
    if (!p)
        return;
    list_free(p->first);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct diff_kept *diff_pages_take(struct diff_pages *p, const char *key)
{
    struct diff_kept *found = NULL;
    if (!p)
        return NULL;
    pthread_mutex_lock(&p->lock);
    struct diff_kept **link = &p->first;
    while (*link && strcmp((*link)->key, key))
        link = &(*link)->next;
    found = *link;
    if (found)
        *link = found->next;
    pthread_mutex_unlock(&p->lock);
    return found;
}

/* Under the lock: takes off those that have no room, or no time, any more. They are in order, so from one on it is all.
 */
static struct diff_kept *cut(struct diff_pages *p, uint64_t now_ms)
{
    struct diff_kept **link = &p->first;
    size_t count = 0, bytes = 0;
    for (; *link; link = &(*link)->next) {
        bytes += (*link)->arena.total;
        if (++count > KEPT_MAX || bytes > KEPT_BYTES_MAX || now_ms > (*link)->put_ms + KEPT_MS)
            break;
    }
    struct diff_kept *rest = *link;
    *link = NULL;
    return rest;
}

void diff_pages_put(struct diff_pages *p, struct diff_kept *d, uint64_t now_ms)
{
    struct diff_kept *rest = d;
    d->next = NULL;
    if (p) {
        pthread_mutex_lock(&p->lock);
        d->put_ms = now_ms;
        d->next = p->first;
        p->first = d;
        rest = cut(p, now_ms);
        pthread_mutex_unlock(&p->lock);
    }
    list_free(rest);
}

void diff_pages_tick(struct diff_pages *p, uint64_t now_ms)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    struct diff_kept *rest = cut(p, now_ms);
    pthread_mutex_unlock(&p->lock);
    list_free(rest);
}
