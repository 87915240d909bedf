#include "scheduler/engine/counters.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct named_counter {
    char *group, *name;
    int64_t value;
};
struct counters {
    _Atomic int64_t values[COUNTER_COUNT];
    pthread_mutex_t lock; /* guards what follows */
    struct named_counter named[COUNTERS_USER_MAX];
    size_t named_count;
};

static const struct {
    const char *group, *name;
} counter_names[] = {
#define COUNTER_NAME(name, group, text) {group, text},
    COUNTER_LIST(COUNTER_NAME)
#undef COUNTER_NAME
};

struct counters *counters_new(void)
{
    struct counters *c = mem_new(struct counters);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void counters_free(struct counters *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->named_count; i++) {
        free(c->named[i].group);
        free(c->named[i].name);
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
}

void counters_add(struct counters *c, enum counter_index which, int64_t delta)
{
    atomic_fetch_add_explicit(&c->values[which], delta, memory_order_relaxed);
}

int64_t counters_value(const struct counters *c, enum counter_index which)
{
    return atomic_load_explicit(&c->values[which], memory_order_relaxed);
}

static struct named_counter *counters_find(struct counters *c, const char *group, const char *name)
{
    for (size_t i = 0; i < c->named_count; i++)
        if (!strncmp(c->named[i].group, group, COUNTER_NAME_MAX) && !strncmp(c->named[i].name, name, COUNTER_NAME_MAX))
            return &c->named[i];
    return NULL;
}

int counters_add_named(struct counters *c, const char *group, const char *name, int64_t delta, struct err *reterr)
{
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    struct named_counter *n = counters_find(c, group, name);
    if (!n && c->named_count < COUNTERS_USER_MAX) {
        n = &c->named[c->named_count++];
        n->group = mem_strndup(group, strnlen(group, COUNTER_NAME_MAX));
        n->name = mem_strndup(name, strnlen(name, COUNTER_NAME_MAX));
    }
    if (n)
        n->value = (int64_t)((uint64_t)n->value + (uint64_t)delta);
    else
        rc = err_set(reterr, ERR_TOO_LARGE, "Too many counters: %d max=%d", COUNTERS_USER_MAX + 1, COUNTERS_USER_MAX);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static Cairn__CounterProto *counter_message(struct arena *a, const char *group, const char *name, int64_t value)
{
    Cairn__CounterProto *m = arena_new(a, Cairn__CounterProto);
    cairn__counter_proto__init(m);
    m->group = arena_strdup(a, group);
    m->name = arena_strdup(a, name);
    m->value = value;
    return m;
}

void counters_export(struct counters *c, struct arena *a, Cairn__CounterProto ***ret, size_t *ret_count)
{
    pthread_mutex_lock(&c->lock);
    Cairn__CounterProto **list = arena_array(a, Cairn__CounterProto *, COUNTER_COUNT + c->named_count);
    size_t count = 0;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        int64_t value = counters_value(c, (enum counter_index)i);
        if (value)
            list[count++] = counter_message(a, counter_names[i].group, counter_names[i].name, value);
    }
    for (size_t i = 0; i < c->named_count; i++)
        list[count++] = counter_message(a, c->named[i].group, c->named[i].name, c->named[i].value);
    pthread_mutex_unlock(&c->lock);
    *ret = list;
    *ret_count = count;
}
