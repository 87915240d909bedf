#include "scheduler/master/resources.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

static void worker_free(struct worker *w)
{
    free(w->instance);
    free(w->name);
    free(w->ip);
    free(w->datanode_host);
    free(w->rack);
    free(w);
}

static void set_text(char **where, const char *text)
{
    free(*where);
    *where = text ? mem_strdup(text) : NULL;
}

static void describe(struct worker *w, const struct worker_description *d, int64_t now_ms)
{
    set_text(&w->instance, d->instance ? d->instance : "");
    set_text(&w->name, d->name);
    set_text(&w->ip, d->ip);
    set_text(&w->datanode_host, d->datanode_host && d->datanode_host[0] ? d->datanode_host : NULL);
    w->http_port = d->http_port;
    w->slots = d->slots;
    w->room = d->room;
    w->running = 0;
    w->taken = (struct ask){0};
    w->expected = false;
    w->registered_at_ms = w->last_seen_ms = now_ms;
}

void resources_free(struct resources *r)
{
    for (size_t i = 0; i < r->count; i++)
        worker_free(r->workers[i]);
    free(r->workers);
    *r = (struct resources){0};
}

struct worker *resources_add(struct resources *r, const struct worker_description *d, int64_t now_ms)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 16;
        r->workers = mem_realloc_array(r->workers, r->capacity, sizeof *r->workers);
    }
    struct worker *w = mem_new(struct worker);
    w->id = ++r->next_id;
    describe(w, d, now_ms);
    r->workers[r->count++] = w;
    r->generation++;
    return w;
}

void resources_renew(struct resources *r, struct worker *w, const struct worker_description *d, int64_t now_ms)
{
    size_t i = 0;
    while (r->workers[i] != w)
        i++;
    memmove(&r->workers[i], &r->workers[i + 1], (r->count - i - 1) * sizeof *r->workers);
    r->workers[r->count - 1] = w; /* ids rise */
    w->id = ++r->next_id;
    describe(w, d, now_ms);
    r->generation++;
}

struct worker *resources_find_instance(const struct resources *r, const char *instance)
{
    for (size_t i = 0; instance && instance[0] && i < r->count; i++)
        if (!r->workers[i]->lost && !strcmp(r->workers[i]->instance, instance))
            return r->workers[i];
    return NULL;
}

struct worker *resources_find(const struct resources *r, uint64_t id)
{
    size_t low = 0, high = r->count; /* ids rise */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->workers[mid]->id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < r->count && r->workers[low]->id == id ? r->workers[low] : NULL;
}

struct worker *resources_find_address(const struct resources *r, const char *ip, uint16_t http_port)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->workers[i]->lost && r->workers[i]->http_port == http_port && !strcmp(r->workers[i]->ip, ip))
            return r->workers[i];
    return NULL;
}

void resources_remove(struct resources *r, uint64_t id)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->workers[i]->id == id) {
            worker_free(r->workers[i]);
            memmove(&r->workers[i], &r->workers[i + 1], (r->count - i - 1) * sizeof *r->workers);
            r->count--;
            r->generation++;
            return;
        }
}

uint32_t resources_live_count(const struct resources *r)
{
    uint32_t live = 0;
    for (size_t i = 0; i < r->count; i++)
        live += worker_is_live(r->workers[i]);
    return live;
}

bool worker_is_live(const struct worker *w)
{
    return !w->lost && !w->expected;
}

bool worker_is_sick(const struct worker *w, int64_t now_ms)
{
    return now_ms < w->sick_until_ms;
}

void worker_blame(struct worker *w, int64_t now_ms)
{
    if (worker_is_sick(w, now_ms) || ++w->failures_in_a_row < WORKER_SICK_FAILURES)
        return;
    int64_t for_ms = WORKER_SICK_MIN_MS << (w->sick_times < 10 ? w->sick_times : 10);
    w->sick_until_ms = now_ms + (for_ms < WORKER_SICK_MAX_MS ? for_ms : WORKER_SICK_MAX_MS);
    w->sick_times++;
    w->failures_in_a_row = WORKER_SICK_FAILURES - 1; /* afterwards it is on probation */
}

void worker_forgive(struct worker *w)
{
    w->failures_in_a_row = 0;
    w->sick_until_ms = 0;
    w->sick_times = 0;
}

bool worker_takes_tasks(const struct worker *w)
{
    return worker_is_live(w) && !w->draining;
}

static bool fits(uint32_t room, uint32_t taken, uint32_t ask)
{
    return room == 0 || (uint64_t)taken + ask <= room;
}

bool worker_has_room(const struct worker *w, struct ask ask)
{
    return worker_takes_tasks(w) && w->running < w->slots &&
           fits(w->room.memory_mb, w->taken.memory_mb, ask.memory_mb) &&
           fits(w->room.vcores, w->taken.vcores, ask.vcores);
}

bool worker_could_ever_run(const struct worker *w, struct ask ask)
{
    return worker_takes_tasks(w) && fits(w->room.memory_mb, 0, ask.memory_mb) && fits(w->room.vcores, 0, ask.vcores);
}

void worker_take(struct worker *w, struct ask ask)
{
    w->running++;
    w->taken.memory_mb += ask.memory_mb;
    w->taken.vcores += ask.vcores;
}

static uint32_t less(uint32_t from, uint32_t by)
{
    return from > by ? from - by : 0;
}

void worker_give_back(struct worker *w, struct ask ask)
{
    w->running = less(w->running, 1);
    w->taken.memory_mb = less(w->taken.memory_mb, ask.memory_mb);
    w->taken.vcores = less(w->taken.vcores, ask.vcores);
}

void worker_drain(struct resources *r, struct worker *w, bool drain)
{
    w->draining = drain;
    r->generation++;
}

const char *worker_state_name(const struct worker *w, int64_t now_ms)
{
    if (!worker_is_live(w))
        return "away";
    if (w->draining)
        return w->running ? "draining" : "drained";
    return worker_is_sick(w, now_ms) ? "failing" : "live";
}

bool worker_holds(const struct worker *w, const Cairn__HolderProto *holder)
{
    if (!strcmp(w->ip, holder->ip))
        return true;
    return w->datanode_host && holder->hostname && !strcasecmp(w->datanode_host, holder->hostname);
}

void resources_learn_racks(struct resources *r, Cairn__HolderProto *const *holders, size_t count)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t j = 0; j < count; j++)
            if (holders[j]->rack && worker_holds(r->workers[i], holders[j])) {
                free(r->workers[i]->rack);
                r->workers[i]->rack = mem_strdup(holders[j]->rack);
                break;
            }
}
