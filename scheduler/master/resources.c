#include "scheduler/master/resources.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

static void worker_free(struct worker *w)
{
    free(w->name);
    free(w->ip);
    free(w->datanode_host);
    free(w->rack);
    free(w);
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
    w->name = mem_strdup(d->name);
    w->ip = mem_strdup(d->ip);
    w->datanode_host = d->datanode_host && d->datanode_host[0] ? mem_strdup(d->datanode_host) : NULL;
    w->http_port = d->http_port;
    w->slots = d->slots;
    w->registered_at_ms = w->last_seen_ms = now_ms;
    r->workers[r->count++] = w;
    return w;
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
            return;
        }
}

uint32_t resources_live_count(const struct resources *r)
{
    uint32_t live = 0;
    for (size_t i = 0; i < r->count; i++)
        live += !r->workers[i]->lost;
    return live;
}

bool worker_is_sick(const struct worker *w)
{
    return w->failures_in_a_row >= WORKER_SICK_FAILURES;
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
