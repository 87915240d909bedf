/* Datanodes that leave for good or for a while: from what the host list wants to what each node's state is. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/internal.h"

#define CHECK_MS 10000

static const char *const names[] = {"normal", "decommissioning", "decommissioned", "entering-maintenance",
                                    "in-maintenance"};

/* The wall clock was read with the host list; between that and now only the monotonic one is asked. */
int64_t blocks_wall_ms(const struct blocks *b)
{
    return b->hosts_wall_ms + (int64_t)(b->now_ms - b->hosts_mono_ms);
}

static void set_state(struct blocks *b, struct datanode *node, enum datanode_admin_state state)
{
    if (node->info.admin == state)
        return;
    log_info("blocks", "datanode.admin dn=%s:%u state=%s was=%s", node->ip, node->info.xfer_port, names[state],
             names[node->info.admin]);
    node->info.admin = state;
    if (!node->info.alive && state != DATANODE_IN_MAINTENANCE)
        datanode_detach_all(b, node); /* nobody waits for its replicas any more */
    b->recheck_wanted = true;
    sweep_request(b);
}

static void set_upgrade_domain(struct datanode *node, const char *domain)
{
    if (domain && node->upgrade_domain && !strcmp(domain, node->upgrade_domain))
        return;
    free(node->upgrade_domain);
    node->info.upgrade_domain = node->upgrade_domain = domain ? mem_strdup(domain) : NULL;
}

void admin_apply(struct blocks *b, struct datanode *node)
{
    struct host_wish wish = host_list_wish(&b->hosts, &node->info, blocks_wall_ms(b));
    enum datanode_admin_state is = node->info.admin;
    set_upgrade_domain(node, wish.upgrade_domain);
    node->maintenance_until_wall_ms = wish.until_wall_ms;
    bool alive = node->info.alive;
    if (wish.wanted == DATANODE_NORMAL)
        set_state(b, node, DATANODE_NORMAL);
    else if (wish.wanted == DATANODE_DECOMMISSIONED && is != DATANODE_DECOMMISSIONED)
        set_state(b, node, alive ? DATANODE_DECOMMISSION_IN_PROGRESS : DATANODE_DECOMMISSIONED);
    else if (wish.wanted == DATANODE_IN_MAINTENANCE && is != DATANODE_IN_MAINTENANCE)
        set_state(b, node, alive ? DATANODE_ENTERING_MAINTENANCE : DATANODE_IN_MAINTENANCE);
}

/* A whole pass over the map has counted, per leaving node, the blocks that still need a copy elsewhere. */
void admin_after_recheck(struct blocks *b)
{
    for (size_t i = 0; i < b->node_count; i++) {
        struct datanode *node = b->nodes[i];
        if (node && datanode_is_leaving(node) && node->info.alive && node->was_counted && !node->insufficient &&
            !b->safe_mode_manual && b->tracking)
            set_state(b, node,
                      node->info.admin == DATANODE_ENTERING_MAINTENANCE ? DATANODE_IN_MAINTENANCE
                                                                        : DATANODE_DECOMMISSIONED);
    }
}

void admin_tick(struct blocks *b, uint64_t now_ms)
{
    bool any_leaving = false;
    int64_t now_wall_ms = blocks_wall_ms(b);
    for (size_t i = 0; i < b->node_count; i++) {
        struct datanode *node = b->nodes[i];
        if (!node)
            continue;
        bool is_away = node->info.admin == DATANODE_ENTERING_MAINTENANCE || node->info.admin == DATANODE_IN_MAINTENANCE;
        if (is_away && now_wall_ms >= node->maintenance_until_wall_ms)
            admin_apply(b, node);
        any_leaving |= node->info.alive && datanode_is_leaving(node);
    }
    if (any_leaving && now_ms >= b->admin_check_ms) {
        b->admin_check_ms = now_ms + CHECK_MS;
        b->recheck_wanted = true;
        sweep_request(b);
    }
}

void blocks_set_hosts(struct blocks *b, struct host_list *take, uint64_t now_ms, int64_t now_wall_ms)
{
    host_list_free(&b->hosts);
    b->hosts = *take;
    *take = (struct host_list){0};
    b->now_ms = now_ms > b->now_ms ? now_ms : b->now_ms;
    b->hosts_mono_ms = now_ms;
    b->hosts_wall_ms = now_wall_ms;
    for (size_t i = 0; i < b->node_count; i++) {
        struct datanode *node = b->nodes[i];
        if (!node)
            continue;
        if (host_list_wish(&b->hosts, &node->info, now_wall_ms).may_join) {
            admin_apply(b, node);
            continue;
        }
        if (node->info.alive) {
            log_info("blocks", "datanode.removed dn=%s:%u reason=not-in-dfs.hosts", node->ip, node->info.xfer_port);
            datanode_die(b, node);
        }
        datanode_detach_all(b, node);
    }
    racks_refresh(b);
}
