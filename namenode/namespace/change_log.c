#include "namenode/namespace/change_log.h"

#include <stdlib.h>
#include <string.h>

#include "common/compiler.h"
#include "common/mem.h"

struct slot {
    struct change change;
    char *name;
};
struct change_log {
    struct slot *slots;  /* of CHANGE_LOG_MAX, NULL while nobody listens */
    uint64_t begin, end; /* cursors: slot i is at i % CHANGE_LOG_MAX */
    size_t listeners;
    uint64_t *waiting; /* sessions, each as often as it waits */
    size_t waiting_count, waiting_capacity;
};

struct change_log *change_log_new(uint64_t first_cursor)
{
    struct change_log *c = mem_new(struct change_log);
    c->begin = c->end = first_cursor;
    return c;
}

static void forget_all(struct change_log *c)
{
    for (size_t i = 0; c->slots && i < CHANGE_LOG_MAX; i++)
        free(c->slots[i].name);
    free(STEAL(c->slots));
    c->begin = ++c->end; /* whoever comes back has missed something */
}

void change_log_free(struct change_log *c)
{
    if (!c)
        return;
    forget_all(c);
    free(c->waiting);
    free(c);
}

void change_log_listeners(struct change_log *c, size_t count)
{
    if (!count && c->slots)
        forget_all(c);
    if (count && !c->slots)
        c->slots = mem_calloc(CHANGE_LOG_MAX, sizeof *c->slots);
    c->listeners = count;
}

bool change_log_is_wanted(const struct change_log *c)
{
    return c && c->listeners;
}

static bool is_same(const struct change *a, uint64_t session, uint64_t id, const char *name)
{
    return a->session == session && a->id == id && (!a->name) == (!name) && (!name || !strcmp(a->name, name));
}

void change_log_add(struct change_log *c, uint64_t session, uint64_t id, const char *name, bool content)
{
    if (!change_log_is_wanted(c))
        return;
    struct slot *last = c->end > c->begin ? &c->slots[(c->end - 1) % CHANGE_LOG_MAX] : NULL;
    struct slot *s = &c->slots[c->end % CHANGE_LOG_MAX];
    /* Said again, since the last one may have been heard; what is less than that is said beside it. */
    if (last && is_same(&last->change, session, id, name) && (content || !last->change.content)) {
        free(STEAL(last->name));
        last->change = (struct change){0};
    }
    free(s->name);
    s->name = name ? mem_strdup(name) : NULL;
    s->change = (struct change){session, id, s->name, content};
    c->end++;
    if (c->end - c->begin > CHANGE_LOG_MAX)
        c->begin = c->end - CHANGE_LOG_MAX;
}

void change_log_wait(struct change_log *c, uint64_t session)
{
    if (c->waiting_count == c->waiting_capacity) {
        c->waiting_capacity = c->waiting_capacity ? 2 * c->waiting_capacity : 8;
        c->waiting = mem_realloc_array(c->waiting, c->waiting_capacity, sizeof *c->waiting);
    }
    c->waiting[c->waiting_count++] = session;
}

void change_log_wait_end(struct change_log *c, uint64_t session)
{
    for (size_t i = 0; i < c->waiting_count; i++)
        if (c->waiting[i] == session) {
            c->waiting[i] = c->waiting[--c->waiting_count];
            return;
        }
}

bool change_log_wakes(const struct change_log *c, uint64_t session)
{
    for (size_t i = 0; i < c->waiting_count; i++)
        if (c->waiting[i] != session)
            return true;
    return false;
}

uint64_t change_log_cursor(const struct change_log *c)
{
    return c->end;
}

static bool is_lost(const struct change_log *c, uint64_t cursor)
{
    return cursor < c->begin || cursor > c->end;
}

static bool is_news(const struct change *change, uint64_t session)
{
    return change->id && change->session != session;
}

bool change_log_any(const struct change_log *c, uint64_t *cursor, uint64_t session)
{
    if (is_lost(c, *cursor))
        return true;
    while (*cursor < c->end && !is_news(&c->slots[*cursor % CHANGE_LOG_MAX].change, session))
        ++*cursor;
    return *cursor < c->end;
}

size_t change_log_take(const struct change_log *c, uint64_t *cursor, uint64_t session, struct change *ret, size_t max,
                       bool *ret_lost)
{
    size_t count = 0;
    *ret_lost = is_lost(c, *cursor);
    if (*ret_lost) {
        *cursor = c->end;
        return 0;
    }
    for (; *cursor < c->end && count < max; ++*cursor) {
        const struct change *change = &c->slots[*cursor % CHANGE_LOG_MAX].change;
        if (is_news(change, session))
            ret[count++] = *change;
    }
    return count;
}
