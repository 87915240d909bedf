#include "rpc/reconfigure.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/admin.pb-c.h"

struct change {
    const char *name;
    char *old_value, *new_value; /* NULL: the built-in default */
};
struct reconfiguration {
    struct reconfiguration_options options;
    size_t name_count;
    pthread_mutex_t lock;
    /* under lock */
    struct config *current;       /* with what was applied so far */
    int64_t started_ms, ended_ms; /* wall clock; 0 = never */
    struct change *changes;       /* name_count of room */
    size_t change_count;
};

struct reconfiguration *reconfiguration_new(const struct reconfiguration_options *options)
{
    struct reconfiguration *r = mem_new(struct reconfiguration);
    r->options = *options;
    while (options->names[r->name_count])
        r->name_count++;
    r->current = config_copy(options->started_with);
    r->changes = mem_calloc(r->name_count + 1, sizeof *r->changes);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void changes_clear(struct reconfiguration *r)
{
    for (size_t i = 0; i < r->change_count; i++) {
        free(r->changes[i].old_value);
        free(r->changes[i].new_value);
    }
    r->change_count = 0;
}

void reconfiguration_free(struct reconfiguration *r)
{
    if (!r)
        return;
    changes_clear(r);
    free(r->changes);
    config_free(r->current);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void reconfiguration_list(struct reconfiguration *r, struct rpc_call *call)
{
    Hdfs__ListReconfigurablePropertiesResponseProto response =
        HDFS__LIST_RECONFIGURABLE_PROPERTIES_RESPONSE_PROTO__INIT;
    response.n_name = r->name_count;
    response.name = (char **)(uintptr_t)r->options.names;
    rpc_call_reply(call, &response.base);
}

static char *value_copy(const struct config *c, const char *name)
{
    return config_is_set(c, name) ? mem_strdup(config_get(c, name)) : NULL;
}

static void apply_changes(struct reconfiguration *r, struct config *fresh)
{
    changes_clear(r);
    for (size_t i = 0; i < r->name_count; i++) {
        const char *name = r->options.names[i], *before = config_get(r->current, name),
                   *after = config_get(fresh, name);
        if (!strcmp(before ? before : "", after ? after : ""))
            continue;
        r->options.apply(r->options.context, name, fresh);
        r->changes[r->change_count++] = (struct change){name, value_copy(r->current, name), value_copy(fresh, name)};
    }
    config_free(r->current);
    r->current = fresh;
}

void reconfiguration_start(struct reconfiguration *r, struct rpc_call *call)
{
    struct err why = {0};
    struct config *fresh = NULL;
    Hdfs__StartReconfigurationResponseProto response = HDFS__START_RECONFIGURATION_RESPONSE_PROTO__INIT;
    pthread_mutex_lock(&r->lock);
    int rc = cli_reload_settings(&fresh, &why);
    if (!rc) {
        r->started_ms = clock_wall_ms();
        apply_changes(r, fresh);
        r->ended_ms = clock_wall_ms();
    }
    pthread_mutex_unlock(&r->lock);
    if (rc)
        rpc_call_fail(call, &why);
    else
        rpc_call_reply(call, &response.base);
}

void reconfiguration_status(struct reconfiguration *r, struct rpc_call *call)
{
    struct arena *a = rpc_call_arena(call);
    Hdfs__GetReconfigurationStatusResponseProto response = HDFS__GET_RECONFIGURATION_STATUS_RESPONSE_PROTO__INIT;
    pthread_mutex_lock(&r->lock);
    response.starttime = r->started_ms;
    response.has_endtime = r->ended_ms != 0;
    response.endtime = r->ended_ms;
    response.changes = arena_array(a, Hdfs__GetReconfigurationStatusConfigChangeProto *, r->change_count + 1);
    for (size_t i = 0; i < r->change_count; i++) {
        Hdfs__GetReconfigurationStatusConfigChangeProto *c =
            arena_new(a, Hdfs__GetReconfigurationStatusConfigChangeProto);
        hdfs__get_reconfiguration_status_config_change_proto__init(c);
        c->name = (char *)(uintptr_t)r->changes[i].name;
        c->oldvalue = r->changes[i].old_value ? r->changes[i].old_value : (char *)"";
        c->newvalue = r->changes[i].new_value;
        response.changes[response.n_changes++] = c;
    }
    rpc_call_prepare(call, &response.base);
    pthread_mutex_unlock(&r->lock);
    rpc_call_send(call);
}
