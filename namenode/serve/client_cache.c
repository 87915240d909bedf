/* ClientProtocol: cache pools and cache directives. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "namenode/cache_scan.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

#define ENTRIES_PER_PAGE 100 /* dfs.namenode.list.cache.pools.num.responses, and of directives */

/* ---- pools ---- */

static struct cache_pool_args pool_args(const Hdfs__CachePoolInfoProto *q)
{
    return (struct cache_pool_args){.name = q->poolname,
                                    .owner = q->ownername,
                                    .group = q->groupname,
                                    .mode = q->has_mode ? q->mode & 0777 : -1,
                                    .has_limit = q->has_limit,
                                    .limit_bytes = q->limit,
                                    .has_max_relative_expiry = q->has_maxrelativeexpiry,
                                    .max_relative_expiry_ms = q->maxrelativeexpiry,
                                    .has_default_replication = q->has_defaultreplication,
                                    .default_replication = q->defaultreplication};
}

void client_add_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AddCachePoolRequestProto *q = (const void *)message;
    struct cache_pool_args args = pool_args(q->info);
    struct user_groups groups;
    struct op op;
    if (!args.group) { /* whom we let do everything is not asked for his groups otherwise */
        user_groups_load(&groups, op_caller(call));
        args.group = user_groups_next(&groups, NULL);
    }
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__add_cache_pool_response_proto, Hdfs__AddCachePoolResponseProto);
    int rc = op_check_super(&op);
    rc = rc ? rc : op_check_safe_mode(&op, "add cache pool", args.name ? args.name : "");
    rc = rc ? rc : cache_pool_add(op.nn->cache_pools, &op.t, &op.user, &args, &op.err);
    op_end(&op, rc, &response->base);
}

void client_modify_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ModifyCachePoolRequestProto *q = (const void *)message;
    struct cache_pool_args args = pool_args(q->info);
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__modify_cache_pool_response_proto, Hdfs__ModifyCachePoolResponseProto);
    int rc = op_check_super(&op);
    rc = rc ? rc : op_check_safe_mode(&op, "modify cache pool", args.name ? args.name : "");
    rc = rc ? rc : cache_pool_modify(op.nn->cache_pools, &op.t, &args, &op.err);
    op_end(&op, rc, &response->base);
}

void client_remove_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveCachePoolRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_cache_pool_response_proto, Hdfs__RemoveCachePoolResponseProto);
    int rc = op_check_super(&op);
    rc = rc ? rc : op_check_safe_mode(&op, "remove cache pool", q->poolname);
    rc = rc ? rc : cache_pool_remove(op.nn->cache_pools, &op.t, q->poolname, &op.err);
    op_end(&op, rc, &response->base);
}

static Hdfs__CachePoolEntryProto *pool_entry(struct op *op, const struct cache_pool *p)
{
    Hdfs__CachePoolEntryProto *e = arena_new(op->arena, Hdfs__CachePoolEntryProto);
    hdfs__cache_pool_entry_proto__init(e);
    e->info = arena_new(op->arena, Hdfs__CachePoolInfoProto);
    e->stats = arena_new(op->arena, Hdfs__CachePoolStatsProto);
    hdfs__cache_pool_info_proto__init(e->info);
    hdfs__cache_pool_stats_proto__init(e->stats);
    e->info->poolname = p->name;
    if (!cache_pool_allowed(p, &op->user, ACCESS_READ))
        return e; /* others learn that it is there */
    e->info->ownername = p->owner;
    e->info->groupname = p->group;
    e->info->has_mode = e->info->has_limit = e->info->has_maxrelativeexpiry = e->info->has_defaultreplication = 1;
    e->info->mode = p->mode;
    e->info->limit = p->limit_bytes;
    e->info->maxrelativeexpiry = p->max_relative_expiry_ms;
    e->info->defaultreplication = p->default_replication;
    e->stats->bytesneeded = p->stats.bytes_needed;
    e->stats->bytescached = p->stats.bytes_cached;
    e->stats->bytesoverlimit = p->stats.bytes_needed > p->limit_bytes ? p->stats.bytes_needed - p->limit_bytes : 0;
    e->stats->filesneeded = p->stats.files_needed;
    e->stats->filescached = p->stats.files_cached;
    return e;
}

void client_list_cache_pools(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ListCachePoolsRequestProto *q = (const void *)message;
    struct op op;
    cache_scan_changed(context); /* numbers that are shown are of after the last change */
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_cache_pools_response_proto, Hdfs__ListCachePoolsResponseProto);
    const struct cache_pools *c = op.nn->cache_pools;
    size_t at = cache_pools_after(c, q->prevpoolname);
    response->entries = arena_array(op.arena, Hdfs__CachePoolEntryProto *, ENTRIES_PER_PAGE);
    for (; at < c->pool_count && response->n_entries < ENTRIES_PER_PAGE; at++)
        response->entries[response->n_entries++] = pool_entry(&op, c->pools[at]);
    response->hasmore = at < c->pool_count;
    op_end_read(&op, 0, &response->base);
}

/* ---- directives ---- */

static struct cache_directive_args directive_args(const Hdfs__CacheDirectiveInfoProto *q, bool has_flags,
                                                  uint32_t flags)
{
    return (struct cache_directive_args){.has_id = q->has_id,
                                         .id = q->id,
                                         .path = q->path,
                                         .pool = q->pool,
                                         .has_replication = q->has_replication,
                                         .replication = (int64_t)q->replication,
                                         .has_expiry = q->expiration != NULL,
                                         .expiry_is_relative = q->expiration && q->expiration->isrelative,
                                         .expiry_ms = q->expiration ? q->expiration->millis : 0,
                                         .force = has_flags && (flags & HDFS__CACHE_FLAG_PROTO__FORCE)};
}

void client_add_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AddCacheDirectiveRequestProto *q = (const void *)message;
    struct cache_directive_args args = directive_args(q->info, q->has_cacheflags, q->cacheflags);
    struct cache_needed needed = {0};
    struct op op;
    uint64_t id = 0;
    if (args.path)
        cache_scan_path(context, args.path, &needed);
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__add_cache_directive_response_proto, Hdfs__AddCacheDirectiveResponseProto);
    int rc = op_check_safe_mode(&op, "add cache directive", "");
    rc = rc ? rc
            : cache_directive_add(op.nn->cache_pools, &op.t, &op.user, &args, &needed, clock_wall_ms(), &id, &op.err);
    response->id = (int64_t)id;
    op_end(&op, rc, &response->base);
}

void client_modify_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ModifyCacheDirectiveRequestProto *q = (const void *)message;
    struct cache_directive_args args = directive_args(q->info, q->has_cacheflags, q->cacheflags);
    struct namenode *nn = context;
    struct cache_needed needed = {0};
    struct op op;
    const char *path = args.path;
    namenode_lock(nn);
    const struct cache_directive *d = args.has_id ? cache_directive_find(nn->cache_pools, (uint64_t)args.id) : NULL;
    if (!path && d)
        path = arena_strdup(rpc_call_arena(call), d->path);
    namenode_unlock(nn);
    if (path)
        cache_scan_path(nn, path, &needed);
    op_begin(&op, nn, call);
    OP_RESPONSE(&op, hdfs__modify_cache_directive_response_proto, Hdfs__ModifyCacheDirectiveResponseProto);
    int rc = op_check_safe_mode(&op, "add cache directive", "");
    rc = rc ? rc : cache_directive_modify(nn->cache_pools, &op.t, &op.user, &args, &needed, clock_wall_ms(), &op.err);
    op_end(&op, rc, &response->base);
}

void client_remove_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveCacheDirectiveRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__remove_cache_directive_response_proto, Hdfs__RemoveCacheDirectiveResponseProto);
    int rc = op_check_safe_mode(&op, "remove cache directives", "");
    rc = rc ? rc : cache_directive_remove(op.nn->cache_pools, &op.t, &op.user, q->id, &op.err);
    op_end(&op, rc, &response->base);
}

static Hdfs__CacheDirectiveEntryProto *directive_entry(struct arena *a, const struct cache_directive *d)
{
    Hdfs__CacheDirectiveEntryProto *e = arena_new(a, Hdfs__CacheDirectiveEntryProto);
    hdfs__cache_directive_entry_proto__init(e);
    e->info = arena_new(a, Hdfs__CacheDirectiveInfoProto);
    e->stats = arena_new(a, Hdfs__CacheDirectiveStatsProto);
    hdfs__cache_directive_info_proto__init(e->info);
    hdfs__cache_directive_stats_proto__init(e->stats);
    e->info->has_id = e->info->has_replication = 1;
    e->info->id = (int64_t)d->id;
    e->info->path = d->path;
    e->info->replication = d->replication;
    e->info->pool = d->pool->name;
    e->info->expiration = arena_new(a, Hdfs__CacheDirectiveInfoExpirationProto);
    hdfs__cache_directive_info_expiration_proto__init(e->info->expiration);
    e->info->expiration->millis = d->expires_ms;
    e->stats->bytesneeded = d->stats.bytes_needed;
    e->stats->bytescached = d->stats.bytes_cached;
    e->stats->filesneeded = d->stats.files_needed;
    e->stats->filescached = d->stats.files_cached;
    e->stats->hasexpired = d->expires_ms <= clock_wall_ms();
    return e;
}

static int check_filter(struct op *op, const Hdfs__CacheDirectiveInfoProto *filter)
{
    if (filter->path && filter->path[0] != '/')
        return err_set(&op->err, ERR_INVALID_REQUEST, "Invalid path '%.300s'.", filter->path);
    if (filter->has_replication)
        return err_set(&op->err, ERR_INVALID_REQUEST, "Filtering by replication is unsupported.");
    if (filter->has_id && !cache_directive_find(op->nn->cache_pools, (uint64_t)filter->id))
        return err_set(&op->err, ERR_INVALID_REQUEST, "Did not find requested id %" PRId64, filter->id);
    return 0;
}

static bool is_meant(const struct op *op, const struct cache_directive *d, const Hdfs__CacheDirectiveInfoProto *filter)
{
    return (!filter->pool || !strcmp(filter->pool, d->pool->name)) &&
           (!filter->path || !strcmp(filter->path, d->path)) && cache_pool_allowed(d->pool, &op->user, ACCESS_READ);
}

void client_list_cache_directives(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ListCacheDirectivesRequestProto *q = (const void *)message;
    const Hdfs__CacheDirectiveInfoProto *filter = q->filter;
    struct op op;
    cache_scan_changed(context);
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__list_cache_directives_response_proto, Hdfs__ListCacheDirectivesResponseProto);
    const struct cache_pools *c = op.nn->cache_pools;
    int rc = check_filter(&op, filter);
    uint64_t from = filter->has_id ? (uint64_t)filter->id : q->previd < 0 ? 0 : (uint64_t)q->previd + 1;
    response->elements = arena_array(op.arena, Hdfs__CacheDirectiveEntryProto *, ENTRIES_PER_PAGE);
    for (size_t i = cache_directives_from(c, from); !rc && i < c->directive_count; i++) {
        if (filter->has_id && c->directives[i]->id != from)
            break;
        if (!is_meant(&op, c->directives[i], filter))
            continue;
        if (response->n_elements == ENTRIES_PER_PAGE) {
            response->hasmore = 1;
            break;
        }
        response->elements[response->n_elements++] = directive_entry(op.arena, c->directives[i]);
    }
    op_end_read(&op, rc, &response->base);
}
