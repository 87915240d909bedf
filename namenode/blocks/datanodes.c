#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/advertised.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/internal.h"

#define NODES_MAX    65000
#define PAUSE_MIN_MS 30000 /* ticks come each second */

/* ---- finding ---- */

struct datanode *datanode_find(const struct blocks *b, const char *uuid)
{
    for (size_t i = 0; uuid && i < b->node_count; i++)
        if (b->nodes[i] && strcmp(b->nodes[i]->uuid, uuid) == 0)
            return b->nodes[i];
    return NULL;
}

/* Several datanodes may share an address: any live one will do. */
struct datanode *datanode_find_ip(const struct blocks *b, const char *ip)
{
    struct datanode *found = NULL;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i] && strcmp(b->nodes[i]->ip, ip) == 0 && (!found || !found->info.alive))
            found = b->nodes[i];
    return found;
}

static struct datanode *find_address(const struct blocks *b, const char *ip, uint16_t port)
{
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i] && b->nodes[i]->info.xfer_port == port && strcmp(b->nodes[i]->ip, ip) == 0)
            return b->nodes[i];
    return NULL;
}

const struct datanode_info *blocks_datanode_by_uuid(const struct blocks *b, const char *uuid)
{
    const struct datanode *node = datanode_find(b, uuid);
    return node ? &node->info : NULL;
}

const struct datanode_info *blocks_datanode_by_ip(const struct blocks *b, const char *ip, uint16_t xfer_port)
{
    const struct datanode *node = xfer_port ? find_address(b, ip, xfer_port) : datanode_find_ip(b, ip);
    return node ? &node->info : NULL;
}

const struct datanode_info *datanode_info(const struct datanode *node)
{
    return &node->info;
}

int blocks_datanode(struct blocks *b, const char *uuid, uint16_t xfer_port, struct datanode **ret_node,
                    struct err *reterr)
{
    struct datanode *node = datanode_find(b, uuid);
    if (!node)
        return err_set(reterr, ERR_UNREGISTERED_NODE, "datanode %s has not registered with this namenode", uuid);
    if (node->info.xfer_port != xfer_port)
        return err_set(reterr, ERR_UNREGISTERED_NODE,
                       "datanode %s (port %u): this identity now belongs to %s:%u, which is expected to serve it; two "
                       "datanodes run on copies of one data folder",
                       uuid, xfer_port, node->ip, node->info.xfer_port);
    *ret_node = node;
    return 0;
}

/* ---- storages ---- */

struct storage *datanode_storage_find(const struct datanode *node, const char *uuid)
{
    for (size_t i = 0; i < node->storage_count; i++)
        if (strcmp(node->storages[i]->uuid, uuid) == 0)
            return node->storages[i];
    return NULL;
}

struct storage *blocks_storage_find(const struct blocks *b, const char *storage_uuid)
{
    for (size_t i = 0; i < b->node_count; i++) {
        struct storage *s = b->nodes[i] ? datanode_storage_find(b->nodes[i], storage_uuid) : NULL;
        if (s)
            return s;
    }
    return NULL;
}

static size_t free_slot(void *slots_p, size_t *count, size_t max)
{
    void ***slots = slots_p;
    for (size_t i = 0; i < *count; i++)
        if (!(*slots)[i])
            return i;
    if (*count >= max)
        return SIZE_MAX;
    *slots = mem_realloc_array(*slots, *count + 1, sizeof **slots);
    (*slots)[*count] = NULL;
    return (*count)++;
}

struct storage *datanode_storage(struct blocks *b, struct datanode *node, const char *uuid, uint8_t type)
{
    struct storage *s = datanode_storage_find(node, uuid);
    if (s) {
        if (type)
            s->type = type;
        return s;
    }
    if (!*uuid || strlen(uuid) > NAME_MAX_BYTES || node->storage_count == STORAGES_PER_NODE_MAX)
        return NULL;
    size_t index = free_slot(&b->storages, &b->storage_count, STORAGES_MAX);
    if (index == SIZE_MAX)
        return NULL;
    s = mem_new(struct storage);
    *s = (struct storage){.node = node, .uuid = mem_strdup(uuid), .index = (uint16_t)index, .type = type ? type : 1};
    b->storages[index] = s;
    node->storages = mem_realloc_array(node->storages, node->storage_count + 1, sizeof *node->storages);
    node->storages[node->storage_count++] = s;
    node->info.storage_count = (uint32_t)node->storage_count;
    return s;
}

void storage_free(struct storage *s)
{
    free(s->uuid);
    free(s);
}

/* Its replicas count no more from now on; the sweep takes them out of the map, then the storage itself is freed. */
void storage_detach(struct blocks *b, struct storage *s)
{
    struct datanode *node = s->node;
    assert(node); /* detached once only */
    pending_cancel_storage(b, s);
    for (size_t i = 0; i < node->storage_count; i++)
        if (node->storages[i] == s) {
            node->storages[i] = node->storages[--node->storage_count];
            break;
        }
    node->info.storage_count = (uint32_t)node->storage_count;
    s->gone = true;
    s->node = NULL;
    sweep_request(b);
}

/* ---- life and death ---- */

void datanode_free(struct datanode *node)
{
    free(node->uuid);
    free(node->ip);
    free(node->own_ip);
    advertised_free(node->advertised);
    free(node->hostname);
    free(node->software_version);
    free(node->upgrade_domain);
    free(node->storages);
    free(node->invalidations.items);
    free(node->transfers.items);
    free(node->recoveries.items);
    free(node->cache_asks.items);
    free(node);
}

uint64_t blocks_peers_version(const struct blocks *b)
{
    return b->has_advertised ? b->peers_version : 0;
}

uint64_t datanode_dead_after_ms(const struct blocks *b)
{
    return 2 * b->options.recheck_ms + 10 * b->options.heartbeat_ms;
}

static void forget_work(struct datanode *node)
{
    node->invalidations.count = node->transfers.count = node->recoveries.count = node->cache_asks.count = 0;
    node->lease_id = 0;
}

void datanode_detach_all(struct blocks *b, struct datanode *node)
{
    while (node->storage_count)
        storage_detach(b, node->storages[0]);
}

void datanode_die(struct blocks *b, struct datanode *node)
{
    pending_cancel_node(b, node);
    if (node->info.admin != DATANODE_IN_MAINTENANCE) /* what is there comes back */
        datanode_detach_all(b, node);
    forget_work(node);
    cached_forget_node(b, node);
    node->info.cache_capacity_bytes = node->info.cache_used_bytes = 0;
    node->info.alive = false;
    node->info.block_count = 0;
    node->info.capacity_bytes = node->info.used_bytes = node->info.remaining_bytes = node->info.non_dfs_used_bytes = 0;
    node->info.pool_used_bytes = 0;
    node->info.xceivers = node->info.transfers = 0;
    if (node->info.admin == DATANODE_DECOMMISSION_IN_PROGRESS)
        node->info.admin = DATANODE_DECOMMISSIONED;
    if (node->info.admin == DATANODE_ENTERING_MAINTENANCE)
        node->info.admin = DATANODE_IN_MAINTENANCE; /* without its replicas: they may have been the only ones */
    racks_refresh(b);
}

static void node_wipe(struct blocks *b, struct datanode *node)
{
    log_info("blocks", "datanode.replaced dn=%s:%u uuid=%s", node->ip, node->info.xfer_port, node->uuid);
    datanode_die(b, node);
    datanode_detach_all(b, node);
    b->nodes[node->index] = NULL;
    datanode_free(node);
}

static void set_text(char **to, const char **view, const char *text)
{
    if (!*to || strcmp(*to, text) != 0) {
        free(*to);
        *to = mem_strdup(text);
    }
    *view = *to;
}

/* Two nodes seem to be one to us when both come through the same gateway; their own addresses tell them apart. */
static bool is_another_behind_gateway(const struct datanode *other, const struct datanode_registration *r)
{
    return r->own_ip && other->own_ip && strcmp(r->own_ip, r->ip) != 0 && strcmp(r->own_ip, other->own_ip) != 0;
}

/* The address this node is known by; a node of another uuid that had it before is gone. */
static const char *take_address(struct blocks *b, const struct datanode_registration *r, const struct datanode *node)
{
    const char *ip = r->ip;
    struct datanode *other = find_address(b, ip, r->xfer_port);
    if (other && other != node && is_another_behind_gateway(other, r)) {
        log_warn("blocks",
                 "datanode.hidden dn=%s:%u uuid=%s other=%s own=%s action=known-by-its-own-address "
                 "hint=cairn.datanode.advertised.addresses",
                 ip, r->xfer_port, r->uuid, other->uuid, r->own_ip);
        ip = r->own_ip;
        other = find_address(b, ip, r->xfer_port);
    }
    if (other && other != node)
        node_wipe(b, other);
    return ip;
}

int blocks_register(struct blocks *b, const struct datanode_registration *r, uint64_t now_ms,
                    struct datanode **ret_node, struct err *reterr)
{
    if (!*r->uuid)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "datanode %s:%u registered without a uuid", r->ip, r->xfer_port);
    if (strlen(r->uuid) > NAME_MAX_BYTES || strlen(r->hostname) > NAME_MAX_BYTES ||
        (r->software_version && strlen(r->software_version) > NAME_MAX_BYTES))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "datanode %s:%u registered with a uuid, host name or version of more than %d bytes", r->ip,
                       r->xfer_port, NAME_MAX_BYTES);
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    struct datanode_info candidate = {.ip = r->ip, .hostname = r->hostname, .xfer_port = r->xfer_port};
    if (!host_list_wish(&b->hosts, &candidate, blocks_wall_ms(b)).may_join)
        return err_set(
            reterr, ERR_DISALLOWED_NODE,
            "Datanode denied communication with namenode because the host is not in the include-list: %s (%s:%u)",
            r->hostname, r->ip, r->xfer_port);
    struct advertised *advertised = NULL;
    int rc = advertised_parse(r->advertised, &advertised, reterr);
    if (rc)
        return err_prefix(reterr, rc, "datanode %s:%u", r->ip, r->xfer_port);
    struct datanode *node = datanode_find(b, r->uuid);
    const char *ip = take_address(b, r, node);
    if (!node) {
        size_t index = free_slot(&b->nodes, &b->node_count, NODES_MAX);
        if (index == SIZE_MAX) {
            advertised_free(advertised);
            return err_set(reterr, ERR_BUSY, "datanode %s:%u: the namenode already knows %d datanodes", r->ip,
                           r->xfer_port, NODES_MAX);
        }
        node = mem_new(struct datanode);
        node->index = (uint16_t)index;
        b->nodes[index] = node;
    }
    bool was_alive = node->info.alive;
    set_text(&node->uuid, &node->info.uuid, r->uuid);
    set_text(&node->ip, &node->info.ip, ip);
    free(node->own_ip);
    node->own_ip = r->own_ip ? mem_strdup(r->own_ip) : NULL;
    advertised_free(node->advertised);
    node->info.advertised = node->advertised = advertised;
    b->has_advertised |= r->advertised && *r->advertised;
    b->peers_version++;
    set_text(&node->hostname, &node->info.hostname, r->hostname);
    set_text(&node->software_version, &node->info.software_version, r->software_version ? r->software_version : "");
    node->info.xfer_port = r->xfer_port;
    node->info.info_port = r->info_port;
    node->info.info_secure_port = r->info_secure_port;
    node->info.ipc_port = r->ipc_port;
    node->info.last_heartbeat_ms = now_ms;
    node->info.alive = true;
    node->must_register = false;
    node->bandwidth_told = false;
    forget_work(node); /* a restarted node knows nothing of what it was told; its full report brings the rest back */
    uc_ask_again(b, node);
    pending_cancel_node(b, node);
    if (!was_alive && node->info.admin == DATANODE_DECOMMISSIONED)
        node->info.admin = DATANODE_DECOMMISSION_IN_PROGRESS;
    node->rack = rack_of_node(b, node);
    node->info.rack = b->racks[node->rack].name;
    admin_apply(b, node);
    racks_refresh(b);
    log_info("blocks", "datanode.registered dn=%s:%u host=%s uuid=%s rack=%s again=%d", node->ip, node->info.xfer_port,
             node->hostname, node->uuid, node->info.rack, was_alive);
    if (ret_node)
        *ret_node = node;
    return 0;
}

/* When we were held up ourselves, by a machine that was suspended, say, heartbeats wait to be heard: the time counts
 * for nobody. */
static void forgive_pause(struct blocks *b, uint64_t now_ms)
{
    uint64_t pause_ms = now_ms > b->ticked_ms ? now_ms - b->ticked_ms : 0;
    bool is_first = !b->ticked_ms;
    b->ticked_ms = now_ms;
    if (is_first || pause_ms < PAUSE_MIN_MS || pause_ms < b->options.recheck_ms)
        return;
    log_warn("blocks", "pause ms=%llu action=wait-for-heartbeats", (unsigned long long)pause_ms);
    for (size_t i = 0; i < b->node_count; i++) {
        if (!b->nodes[i] || !b->nodes[i]->info.alive)
            continue;
        uint64_t *heard_ms = &b->nodes[i]->info.last_heartbeat_ms;
        *heard_ms = *heard_ms + pause_ms < now_ms ? *heard_ms + pause_ms : now_ms;
    }
}

void datanodes_tick(struct blocks *b, uint64_t now_ms)
{
    forgive_pause(b, now_ms);
    for (size_t i = 0; i < b->node_count; i++) {
        struct datanode *node = b->nodes[i];
        if (!node || !node->info.alive)
            continue;
        uint64_t silent_ms = now_ms > node->info.last_heartbeat_ms ? now_ms - node->info.last_heartbeat_ms : 0;
        node->info.stale = silent_ms > b->options.stale_ms;
        if (silent_ms > datanode_dead_after_ms(b)) {
            log_warn("blocks", "datanode.dead dn=%s:%u uuid=%s silent_ms=%llu action=replicate-its-blocks", node->ip,
                     node->info.xfer_port, node->uuid, (unsigned long long)silent_ms);
            datanode_die(b, node);
        }
    }
}

void blocks_set_balancer_bandwidth(struct blocks *b, uint64_t bytes_per_second)
{
    b->balancer_bytes_per_second = bytes_per_second;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i])
            b->nodes[i]->bandwidth_told = false;
}

void blocks_datanode_error(struct blocks *b, struct datanode *node, enum datanode_error error, uint64_t now_ms)
{
    /* A failed disk shows in the next heartbeat's storage reports; only the end of the whole node cannot wait. */
    if (error != DATANODE_FATAL_DISK_ERROR || !node->info.alive)
        return;
    log_warn("blocks", "datanode.dead dn=%s:%u uuid=%s reason=fatal-disk-error", node->ip, node->info.xfer_port,
             node->uuid);
    datanode_die(b, node);
    node->must_register = true;
}
