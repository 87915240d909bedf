/* Fair sharing. Slots are shared among pools by weight, within a pool by priority, then among users, then among jobs:
 * who has least for its weight comes first. Nothing that runs is stopped for it: slots come free all the time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/master/sched_internal.h"

static struct party *party_get(struct party ***list, size_t *count, const char *name)
{
    for (size_t i = 0; i < *count; i++)
        if (!strcmp((*list)[i]->name, name))
            return (*list)[i];
    struct party *p = mem_new(struct party);
    *p = (struct party){.name = mem_strdup(name), .weight = 1};
    *list = mem_realloc_array(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = p;
    return p;
}

/* "etl=3" or "adhoc=1:4" */
static bool parse_pool(char *word, double *ret_weight, unsigned long *ret_slots)
{
    char *equals = strchr(word, '='), *end = NULL;
    *ret_slots = 0;
    if (!equals || equals == word)
        return false;
    *equals = 0;
    *ret_weight = strtod(equals + 1, &end);
    if (end == equals + 1 || !(*ret_weight > 0 && *ret_weight <= 1e6))
        return false;
    if (*end == ':') {
        char *slots = end + 1;
        *ret_slots = strtoul(slots, &end, 10);
        if (end == slots || *ret_slots == 0 || *ret_slots > 1000000)
            return false;
    }
    return *end == 0;
}

int sched_pools_check(const char *pools, struct err *reterr)
{
    char *text = mem_strdup(pools ? pools : ""), *save = NULL;
    int rc = 0;
    for (char *word = strtok_r(text, ", ", &save); rc == 0 && word; word = strtok_r(NULL, ", ", &save)) {
        double weight;
        unsigned long slots;
        if (!parse_pool(word, &weight, &slots))
            rc = err_set(reterr, ERR_CONFIG,
                         "cairn.scheduler.pools is '%s'; name=weight or name=weight:slots is wanted", pools);
    }
    free(text);
    return rc;
}

void share_init(struct sched *s)
{
    char *text = mem_strdup(s->limits.pools ? s->limits.pools : ""), *save = NULL;
    for (char *word = strtok_r(text, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        double weight;
        unsigned long slots;
        if (!parse_pool(word, &weight, &slots))
            continue; /* sched_pools_check has refused it */
        struct party *p = party_get(&s->pools, &s->pool_count, word);
        p->weight = weight;
        p->slots_max = (uint32_t)slots;
    }
    free(text);
}

static void parties_free(struct party **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(list[i]->name);
        free(list[i]);
    }
    free(list);
}

void share_free(struct sched *s)
{
    parties_free(s->pools, s->pool_count);
    parties_free(s->users, s->user_count);
}

void share_enter(struct sched *s, struct job *j)
{
    const char *pool = job_conf_get(j->spec, "mapreduce.job.queuename");
    j->pool = party_get(&s->pools, &s->pool_count, pool && pool[0] ? pool : "default");
    j->owner = party_get(&s->users, &s->user_count, j->spec->user);
    j->owner->slots_max = s->limits.user_slots_max;
}

static uint32_t job_running(const struct job *j)
{
    return (uint32_t)j->live_count;
}

static int compare(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_share(const void *left, const void *right)
{
    const struct job *a = *(struct job *const *)left, *b = *(struct job *const *)right;
    int c = compare(a->pool->running / a->pool->weight, b->pool->running / b->pool->weight);
    if (c == 0 && a->pool != b->pool)
        c = strcmp(a->pool->name, b->pool->name);
    if (c == 0)
        c = compare(b->priority, a->priority);
    if (c == 0 && a->owner != b->owner)
        c = compare(a->owner->running, b->owner->running);
    if (c == 0)
        c = compare(job_running(a), job_running(b));
    return c ? c : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static bool is_full(const struct party *p)
{
    return p->slots_max && p->running >= p->slots_max;
}

bool share_allows(const struct job *j)
{
    return !is_full(j->pool) && !is_full(j->owner);
}

static bool at_its_limit(struct job *j, const struct party *p, const char *what)
{
    if (!is_full(p))
        return false;
    if (job_running(j) == 0)
        snprintf(j->waiting_for, sizeof j->waiting_for, "%s %.60s to use fewer slots: %u of at most %u are taken", what,
                 p->name, p->running, p->slots_max);
    return true;
}

struct job **share_order(struct sched *s, size_t *ret_count)
{
    struct job **list = mem_calloc(s->job_count, sizeof *list);
    *ret_count = 0;
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || j->maps_pending + j->reduces_pending == 0)
            continue;
        if (!at_its_limit(j, j->pool, "pool") && !at_its_limit(j, j->owner, "user"))
            list[(*ret_count)++] = j;
    }
    qsort(list, *ret_count, sizeof *list, by_share);
    return list;
}
