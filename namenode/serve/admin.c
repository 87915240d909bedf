#include "namenode/serve/admin.h"

#include <inttypes.h>
#include <string.h>

#include "common/cli.h"
#include "common/log.h"
#include "common/proxy_users.h"
#include "hdfs/admin.pb-c.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namespace/protected.h"
#include "namenode/serve/op.h"
#include "rpc/reconfigure.h"

static int check_super(struct namenode *nn, struct rpc_call *call, struct err *reterr)
{
    struct fs_user user;
    fs_user_load(&user, nn->dir, op_caller(call));
    return access_check_super(&user, reterr);
}

static void reply_if_super(struct namenode *nn, struct rpc_call *call, const ProtobufCMessage *response)
{
    struct err why = {0};
    if (check_super(nn, call, &why))
        rpc_call_fail(call, &why);
    else
        rpc_call_reply(call, response);
}

/* ---- HAServiceProtocol ---- */

static void get_service_status(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetServiceStatusResponseProto response = HDFS__GET_SERVICE_STATUS_RESPONSE_PROTO__INIT;
    response.state = HDFS__HASERVICE_STATE_PROTO__ACTIVE;
    response.has_readytobecomeactive = 1;
    response.readytobecomeactive = 1;
    rpc_call_reply(call, &response.base);
}

static void monitor_health(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    Hdfs__MonitorHealthResponseProto response = HDFS__MONITOR_HEALTH_RESPONSE_PROTO__INIT;
    struct err why = {0};
    namenode_lock(nn);
    if (*nn->dir->write_error)
        err_set(&why, ERR_IO, "%s", nn->dir->write_error);
    namenode_unlock(nn);
    if (why.code)
        rpc_call_fail(call, &why);
    else
        rpc_call_reply(call, &response.base);
}

static int check_requester(struct rpc_call *call, const Hdfs__HAStateChangeRequestInfoProto *info, struct err *reterr)
{
    if (info->reqsource != HDFS__HAREQUEST_SOURCE__REQUEST_BY_ZKFC)
        return 0;
    return err_set(reterr, ERR_ACCESS,
                   "Request from ZK failover controller at %s denied since automatic HA is not enabled",
                   rpc_call_client_ip(call));
}

/* There is one namenode, and it is the active one. */
static void refuse_transition(struct rpc_call *call, const Hdfs__HAStateChangeRequestInfoProto *info, void *context)
{
    struct err why = {0};
    int rc = check_requester(call, info, &why);
    rc = rc ? rc : check_super(context, call, &why);
    if (!rc)
        err_set(&why, ERR_SERVICE_FAILED, "HA for namenode is not enabled");
    rpc_call_fail(call, &why);
}

static void transition_to_active(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse_transition(call, ((const Hdfs__TransitionToActiveRequestProto *)message)->reqinfo, context);
}

static void transition_to_standby(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse_transition(call, ((const Hdfs__TransitionToStandbyRequestProto *)message)->reqinfo, context);
}

static void transition_to_observer(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse_transition(call, ((const Hdfs__TransitionToObserverRequestProto *)message)->reqinfo, context);
}

static const struct rpc_method ha_methods[] = {
    RPC_METHOD("transitionToActive", hdfs__transition_to_active, transition_to_active, RPC_MAY_BLOCK | RPC_REFUSES),
    RPC_METHOD("transitionToStandby", hdfs__transition_to_standby, transition_to_standby, RPC_MAY_BLOCK | RPC_REFUSES),
    RPC_METHOD("transitionToObserver", hdfs__transition_to_observer, transition_to_observer,
               RPC_MAY_BLOCK | RPC_REFUSES),
    RPC_METHOD("getServiceStatus", hdfs__get_service_status, get_service_status, 0),
    RPC_METHOD("monitorHealth", hdfs__monitor_health, monitor_health, 0),
};

/* ---- users ---- */

static void get_groups_for_user(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetGroupsForUserRequestProto *q = (const void *)message;
    struct user_groups found;
    Hdfs__GetGroupsForUserResponseProto response = HDFS__GET_GROUPS_FOR_USER_RESPONSE_PROTO__INIT;
    user_groups_load(&found, q->user);
    response.groups = arena_array(rpc_call_arena(call), char *, found.count);
    for (const char *name = NULL; (name = user_groups_next(&found, name));)
        response.groups[response.n_groups++] = (char *)(uintptr_t)name;
    rpc_call_reply(call, &response.base);
}

static void refresh_user_to_groups(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__RefreshUserToGroupsMappingsResponseProto response =
        HDFS__REFRESH_USER_TO_GROUPS_MAPPINGS_RESPONSE_PROTO__INIT;
    struct err why = {0};
    if (!check_super(context, call, &why)) /* nobody else makes us ask for all groups anew */
        user_groups_forget();
    reply_if_super(context, call, &response.base);
}

static void refresh_super_user_groups(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    Hdfs__RefreshSuperUserGroupsConfigurationResponseProto response =
        HDFS__REFRESH_SUPER_USER_GROUPS_CONFIGURATION_RESPONSE_PROTO__INIT;
    struct err why = {0};
    struct config *fresh = NULL;
    int rc = check_super(nn, call, &why);
    rc = rc ? rc : cli_reload_settings(&fresh, &why);
    if (rc) {
        rpc_call_fail(call, &why);
        return;
    }
    proxy_users_refresh(nn->proxy_users, fresh);
    config_free(fresh);
    log_info("admin", "proxy users refreshed user=%s", rpc_call_user(call));
    rpc_call_reply(call, &response.base);
}

static const struct rpc_method mapping_methods[] = {
    RPC_METHOD("getGroupsForUser", hdfs__get_groups_for_user, get_groups_for_user, RPC_MAY_BLOCK),
};
static const struct rpc_method refresh_user_methods[] = {
    RPC_METHOD("refreshUserToGroupsMappings", hdfs__refresh_user_to_groups_mappings, refresh_user_to_groups,
               RPC_MAY_BLOCK),
    RPC_METHOD("refreshSuperUserGroupsConfiguration", hdfs__refresh_super_user_groups_configuration,
               refresh_super_user_groups, RPC_MAY_BLOCK),
};

/* ---- the rest of the Refresh* family: nothing of ours is read from files at run time, so there is nothing to do ----
 */

static void refresh_service_acl(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__RefreshServiceAclResponseProto response = HDFS__REFRESH_SERVICE_ACL_RESPONSE_PROTO__INIT;
    struct namenode *nn = context;
    const char *enabled = config_get(nn->config, "hadoop.security.authorization");
    if (enabled && !strcmp(enabled, "true")) {
        reply_if_super(context, call, &response.base);
        return;
    }
    struct err why = {0};
    if (!check_super(nn, call, &why))
        err_set(&why, ERR_UNAUTHORIZED, "Service Level Authorization not enabled!");
    rpc_call_fail(call, &why);
}

static void refresh_call_queue(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__RefreshCallQueueResponseProto response = HDFS__REFRESH_CALL_QUEUE_RESPONSE_PROTO__INIT;
    reply_if_super(context, call, &response.base);
}

/* HDFS's own handlers there are registered by plug-ins; none is. */
static void generic_refresh(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GenericRefreshRequestProto *q = (const void *)message;
    struct err why = {0};
    if (!check_super(context, call, &why))
        err_set(&why, ERR_ILLEGAL_ARGUMENT,
                "Identifier '%.200s' does not exist in RefreshRegistry. Valid options are: ",
                q->identifier ? q->identifier : "");
    rpc_call_fail(call, &why);
}

static const struct rpc_method acl_methods[] = {
    RPC_METHOD("refreshServiceAcl", hdfs__refresh_service_acl, refresh_service_acl, RPC_MAY_BLOCK),
};
static const struct rpc_method queue_methods[] = {
    RPC_METHOD("refreshCallQueue", hdfs__refresh_call_queue, refresh_call_queue, RPC_MAY_BLOCK),
};
static const struct rpc_method generic_methods[] = {
    {"refresh", &hdfs__generic_refresh_request_proto__descriptor,
     &hdfs__generic_refresh_response_collection_proto__descriptor, generic_refresh, RPC_MAY_BLOCK | RPC_REFUSES},
};

/* ---- ReconfigurationProtocol ---- */

static const char *const reconfigurable[] = {
    "dfs.block.invalidate.limit",
    "dfs.heartbeat.interval",
    "dfs.namenode.heartbeat.recheck-interval",
    "dfs.namenode.reconstruction.pending.timeout-sec",
    "dfs.namenode.replication.max-streams",
    "dfs.namenode.replication.max-streams-hard-limit",
    "fs.protected.directories",
    NULL,
};

static void apply_setting(void *context, const char *name, const struct config *fresh)
{
    struct namenode *nn = context;
    const char *value = config_str(fresh, name);
    namenode_lock(nn);
    if (!strcmp(name, "fs.protected.directories")) {
        protected_free(nn->dir->protected);
        nn->dir->protected = protected_new(value, config_bool(nn->config, "dfs.protected.subdirectories.enable"));
    } else {
        blocks_reconfigure(nn->blocks, fresh);
    }
    namenode_unlock(nn);
    log_info("admin", "reconfigured name=%s value='%s'", name, value ? value : "");
}

void admin_open(struct namenode *nn)
{
    struct reconfiguration_options options = {reconfigurable, nn->config, apply_setting, nn};
    nn->reconfiguration = reconfiguration_new(&options);
}

static bool refused(struct namenode *nn, struct rpc_call *call)
{
    struct err why = {0};
    if (!check_super(nn, call, &why))
        return false;
    rpc_call_fail(call, &why);
    return true;
}

static void list_reconfigurable_properties(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    if (!refused(nn, call))
        reconfiguration_list(nn->reconfiguration, call);
}

static void start_reconfiguration(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    if (!refused(nn, call))
        reconfiguration_start(nn->reconfiguration, call);
}

static void get_reconfiguration_status(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    if (!refused(nn, call))
        reconfiguration_status(nn->reconfiguration, call);
}

static const struct rpc_method reconfiguration_methods[] = {
    RPC_METHOD("listReconfigurableProperties", hdfs__list_reconfigurable_properties, list_reconfigurable_properties,
               RPC_MAY_BLOCK),
    RPC_METHOD("startReconfiguration", hdfs__start_reconfiguration, start_reconfiguration, RPC_MAY_BLOCK),
    RPC_METHOD("getReconfigurationStatus", hdfs__get_reconfiguration_status, get_reconfiguration_status, RPC_MAY_BLOCK),
};

/* ---- TraceAdmin: there is nothing that receives spans, and no class could be loaded that does ---- */

static void list_span_receivers(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__ListSpanReceiversResponseProto response = HDFS__LIST_SPAN_RECEIVERS_RESPONSE_PROTO__INIT;
    reply_if_super(context, call, &response.base);
}

static void add_span_receiver(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AddSpanReceiverRequestProto *q = (const void *)message;
    struct err why = {0};
    if (refused(context, call))
        return;
    err_set(&why, ERR_IO, "Failed to load SpanReceiver %.200s", q->classname);
    rpc_call_fail(call, &why);
}

static void remove_span_receiver(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveSpanReceiverRequestProto *q = (const void *)message;
    struct err why = {0};
    if (refused(context, call))
        return;
    err_set(&why, ERR_IO, "There is no SpanReceiver with id %" PRId64, q->id);
    rpc_call_fail(call, &why);
}

static const struct rpc_method trace_methods[] = {
    RPC_METHOD("listSpanReceivers", hdfs__list_span_receivers, list_span_receivers, RPC_MAY_BLOCK),
    RPC_METHOD("addSpanReceiver", hdfs__add_span_receiver, add_span_receiver, RPC_MAY_BLOCK | RPC_REFUSES),
    RPC_METHOD("removeSpanReceiver", hdfs__remove_span_receiver, remove_span_receiver, RPC_MAY_BLOCK | RPC_REFUSES),
};

void admin_services(struct namenode *nn, struct rpc_service ret[ADMIN_SERVICES])
{
    const struct rpc_service all[ADMIN_SERVICES] = {
        {"org.apache.hadoop.ha.HAServiceProtocol", ha_methods, ARRAY_COUNT(ha_methods), nn},
        {"org.apache.hadoop.tools.GetUserMappingsProtocol", mapping_methods, ARRAY_COUNT(mapping_methods), nn},
        {"org.apache.hadoop.security.RefreshUserMappingsProtocol", refresh_user_methods,
         ARRAY_COUNT(refresh_user_methods), nn},
        {"org.apache.hadoop.security.authorize.RefreshAuthorizationPolicyProtocol", acl_methods,
         ARRAY_COUNT(acl_methods), nn},
        {"org.apache.hadoop.ipc.RefreshCallQueueProtocol", queue_methods, ARRAY_COUNT(queue_methods), nn},
        {"org.apache.hadoop.ipc.GenericRefreshProtocol", generic_methods, ARRAY_COUNT(generic_methods), nn},
        {"org.apache.hadoop.hdfs.protocol.ReconfigurationProtocol", reconfiguration_methods,
         ARRAY_COUNT(reconfiguration_methods), nn},
        {"org.apache.hadoop.tracing.TraceAdminPB", trace_methods, ARRAY_COUNT(trace_methods), nn},
    };
    memcpy(ret, all, sizeof all);
}
