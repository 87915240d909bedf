#include "namenode/rpc_ports.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/net.h"
#include "namenode/namespace/tokens.h"
#include "namenode/serve/admin.h"
#include "namenode/serve/namenode_calls.h"
#include "namenode/serve/op.h"
#include "rpc/rpc_server.h"

#define TOKEN_ARENA_BYTES (1u << 20)
#define PORT_SERVICE      8040
#define PORT_LIFELINE     8050

static const char *const optional[] = {"dfs.namenode.servicerpc-address", "dfs.namenode.lifeline.rpc-address"};

/* 1: there is such an address; 0: it is not set. */
static int address_of(const struct config *c, const char *setting, uint16_t port, struct net_address *ret,
                      struct err *reterr)
{
    const char *text = config_str(c, setting);
    int rc = *text ? net_parse(text, port, ret, reterr) : 0;
    return rc ? err_prefix(reterr, rc, "%s", setting) : *text != 0;
}

int rpc_ports_check(const struct config *c, struct err *reterr)
{
    struct net_address ignored;
    for (size_t i = 0; i < ARRAY_COUNT(optional); i++) {
        int rc = address_of(c, optional[i], PORT_SERVICE, &ignored, reterr);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int token_login(void *context, struct slice identifier, struct rpc_token *ret, struct err *reterr)
{
    struct namenode *nn = context;
    struct arena a;
    struct token_id id = {0};
    const struct token *token = NULL;
    arena_init(&a, TOKEN_ARENA_BYTES);
    namenode_lock(nn);
    int rc = tokens_find(nn->tokens, identifier, clock_wall_ms(), &a, &id, &token, reterr);
    if (!rc && strlen(id.owner) >= sizeof ret->user)
        rc = err_set(reterr, ERR_INVALID_TOKEN, "the name of the token's owner is too long");
    if (!rc) {
        snprintf(ret->user, sizeof ret->user, "%s", id.owner);
        memcpy(ret->password, token->password, sizeof token->password);
        ret->password_len = sizeof token->password;
    }
    namenode_unlock(nn);
    arena_free(&a);
    return rc;
}

static void on_batch(void *context, int events)
{
    struct namenode *nn = context;
    if (events)
        journal_batch_begins(nn->journal, events == 1);
    else
        journal_batch_ends(nn->journal);
}

/* The rest is for metadata: a file of the store that cannot be opened ends all changes. */
static int connections_max(const struct config *c)
{
    int64_t given = config_int(c, "ipc.server.max.connections");
    return given ? (int)given : net_files_max() / 2;
}

static int start(struct namenode *nn, struct net_address address, const char *bind_setting, int threads,
                 const struct rpc_service *services, size_t count, struct rpc_server **ret, struct err *reterr)
{
    const char *bind = config_str(nn->config, bind_setting);
    struct rpc_server_options o = {
        .listen = address,
        .pool_threads = threads,
        .connections_max = connections_max(nn->config),
        .services = services,
        .service_count = count,
        .proxy_users = nn->proxy_users,
        .on_connection_closed = op_connection_closed,
        .on_connection_closed_context = nn,
        .token_login = nn->tokens->are_issued ? token_login : NULL,
        .token_context = nn,
        .on_batch = on_batch,
        .on_batch_context = nn,
    };
    if (*bind)
        snprintf(o.listen.host, sizeof o.listen.host, "%s", bind);
    rpc_server_queue_options(nn->config, &o);
    return rpc_server_start(&o, ret, reterr);
}

static void name_host(struct namenode *nn, const struct net_address *address)
{
    if (!net_name_of(address->host, nn->host_name, sizeof nn->host_name))
        snprintf(nn->host_name, sizeof nn->host_name, "%s", address->host);
}

static int start_optional(struct namenode *nn, const struct rpc_service *services, size_t count, struct rpc_ports *ret,
                          struct err *reterr)
{
    struct net_address address;
    struct rpc_service lifeline = datanode_lifeline_service(nn);
    int rc = address_of(nn->config, optional[0], PORT_SERVICE, &address, reterr);
    if (rc > 0) {
        int threads = (int)config_int(nn->config, "dfs.namenode.service.handler.count");
        rc = start(nn, address, "dfs.namenode.servicerpc-bind-host", threads, services, count, &ret->service, reterr);
        if (rc)
            return err_prefix(reterr, rc, "RPC (%s)", optional[0]);
        name_host(nn, &address);
        log_info("namenode", "listening servicerpc=%s:%u", address.host, rpc_server_port(ret->service));
    }
    rc = rc < 0 ? rc : address_of(nn->config, optional[1], PORT_LIFELINE, &address, reterr);
    if (rc > 0) {
        rc = start(nn, address, "dfs.namenode.lifeline.rpc-bind-host", 1, &lifeline, 1, &ret->lifeline, reterr);
        if (rc)
            return err_prefix(reterr, rc, "RPC (%s)", optional[1]);
        log_info("namenode", "listening lifeline=%s:%u", address.host, rpc_server_port(ret->lifeline));
    }
    return rc < 0 ? rc : 0;
}

int rpc_ports_start(struct namenode *nn, struct net_address address, struct rpc_ports *ret, struct err *reterr)
{
    admin_open(nn);
    name_host(nn, &address);
    struct rpc_service services[5 + ADMIN_SERVICES] = {client_calls_service(nn), datanode_calls_service(nn),
                                                       datanode_lifeline_service(nn), namenode_calls_service(nn),
                                                       posix_calls_service(nn)};
    admin_services(nn, services + 5);
    int threads = (int)config_int(nn->config, "dfs.namenode.handler.count");
    *ret = (struct rpc_ports){0};
    int rc = start(nn, address, "dfs.namenode.rpc-bind-host", threads, services, ARRAY_COUNT(services), &ret->client,
                   reterr);
    if (rc)
        return err_prefix(reterr, rc, "RPC (dfs.namenode.rpc-address)");
    nn->rpc = ret->client;
    address.port = rpc_server_port(ret->client);
    net_format(&address, nn->address);
    return start_optional(nn, services, ARRAY_COUNT(services), ret, reterr);
}

void rpc_ports_stop(struct rpc_ports *p)
{
    rpc_server_stop(p->lifeline);
    rpc_server_stop(p->service);
    rpc_server_stop(p->client);
}
