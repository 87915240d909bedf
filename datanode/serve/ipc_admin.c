#include "datanode/serve/ipc_admin.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/user_groups.h"
#include "datanode/serve/xfer.h"
#include "hdfs/admin.pb-c.h"
#include "hdfs/client_datanode.pb-c.h"
#include "rpc/reconfigure.h"

#define LOOKUP_BYTES 16384

/* ---- who may ---- */

int ipc_check_super(const struct datanode *dn, const struct rpc_call *call, struct err *reterr)
{
    struct user_groups groups;
    struct passwd entry, *found = NULL;
    char memory[LOOKUP_BYTES], own[32];
    const char *caller = rpc_call_user(call);
    if (!dn->settings.permissions)
        return 0;
    snprintf(own, sizeof own, "%u", (unsigned)geteuid());
    bool named = !getpwuid_r(geteuid(), &entry, memory, sizeof memory, &found) && found;
    if (!strcmp(caller, named ? found->pw_name : own))
        return 0;
    user_groups_load(&groups, caller);
    if (user_groups_has(&groups, dn->settings.supergroup))
        return 0;
    return err_set(reterr, ERR_ACCESS,
                   "Access denied for user %.100s. Superuser privilege is required for this operation", caller);
}

/* true: the call has been answered. */
static bool refused(const struct datanode *dn, struct rpc_call *call)
{
    struct err why;
    if (!ipc_check_super(dn, call, &why))
        return false;
    rpc_call_fail(call, &why);
    return true;
}

static void refuse(const struct datanode *dn, struct rpc_call *call, int code, const char *text)
{
    struct err why;
    if (refused(dn, call))
        return;
    (void)err_set(&why, code, "%s", text);
    rpc_call_fail(call, &why);
}

/* ---- namenodes and pools ---- */

/* There is one namenode for the life of this process. */
void ipc_refresh_namenodes(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    Hdfs__RefreshNamenodesResponseProto response = HDFS__REFRESH_NAMENODES_RESPONSE_PROTO__INIT;
    if (!refused(context, call))
        rpc_call_reply(call, &response.base);
}

void ipc_delete_block_pool(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    const Hdfs__DeleteBlockPoolRequestProto *q = (const void *)request;
    Hdfs__DeleteBlockPoolResponseProto response = HDFS__DELETE_BLOCK_POOL_RESPONSE_PROTO__INIT;
    if (!strcmp(q->blockpool, block_store_pool_id(dn->store)))
        refuse(dn, call, ERR_IO,
               "The block pool is still running. First do a refreshNamenodes to shutdown the block pool service");
    else if (!refused(dn, call)) /* no other was ever kept here */
        rpc_call_reply(call, &response.base);
}

/* ---- its life ---- */

void ipc_shutdown_datanode(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    Hdfs__ShutdownDatanodeResponseProto response = HDFS__SHUTDOWN_DATANODE_RESPONSE_PROTO__INIT;
    if (refused(context, call))
        return;
    log_info("ipc", "shutdown user=%s upgrade=%d", rpc_call_user(call),
             ((const Hdfs__ShutdownDatanodeRequestProto *)request)->forupgrade);
    rpc_call_reply(call, &response.base);
    kill(getpid(), SIGTERM); /* the main thread waits for it, and stops everything in order */
}

void ipc_evict_writers(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    Hdfs__EvictWritersResponseProto response = HDFS__EVICT_WRITERS_RESPONSE_PROTO__INIT;
    if (refused(dn, call))
        return;
    log_info("ipc", "writers evicted user=%s count=%d", rpc_call_user(call), xfer_server_evict_writers(dn->xfer));
    rpc_call_reply(call, &response.base);
}

/* ---- settings ---- */

static const char *const reconfigurable[] = {"dfs.blockreport.intervalMsec", "dfs.datanode.max.transfer.threads", NULL};

static void apply_setting(void *context, const char *name, const struct config *fresh)
{
    struct datanode *dn = context;
    dn->settings.report_interval_ms = config_ms(fresh, "dfs.blockreport.intervalMsec");
    dn->settings.transfer_threads_max = (int)config_int(fresh, "dfs.datanode.max.transfer.threads");
    log_info("ipc", "reconfigured name=%s value='%s'", name, config_str(fresh, name));
}

struct reconfiguration *ipc_reconfiguration_new(struct datanode *dn, const struct config *started_with)
{
    struct reconfiguration_options options = {reconfigurable, started_with, apply_setting, dn};
    return reconfiguration_new(&options);
}

void ipc_list_reconfigurable_properties(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    if (!refused(dn, call))
        reconfiguration_list(dn->reconfiguration, call);
}

void ipc_start_reconfiguration(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    if (!refused(dn, call))
        reconfiguration_start(dn->reconfiguration, call);
}

void ipc_get_reconfiguration_status(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    if (!refused(dn, call))
        reconfiguration_status(dn->reconfiguration, call);
}

/* ---- balancing between this node's disks: there is no such thing, so no plan is ever there ---- */

void ipc_submit_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    refuse(context, call, ERR_DISK_BALANCER, "Disk Balancer is not enabled.");
}

void ipc_cancel_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    refuse(context, call, ERR_DISK_BALANCER, "No such plan.");
}

void ipc_query_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    Hdfs__QueryPlanStatusResponseProto response = HDFS__QUERY_PLAN_STATUS_RESPONSE_PROTO__INIT;
    response.has_result = 1; /* 0: no plan */
    response.planid = response.planfile = (char *)"";
    response.currentstatus = (char *)"[]";
    if (!refused(context, call))
        rpc_call_reply(call, &response.base);
}

void ipc_get_disk_balancer_setting(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const char *key = ((const Hdfs__DiskBalancerSettingRequestProto *)request)->key;
    bool is_known = !strcmp(key, "DiskBalancerVolumeName") || !strcmp(key, "DiskBalancerBandwidth");
    refuse(context, call, ERR_DISK_BALANCER, is_known ? "Disk Balancer is not enabled." : "Unknown key");
}
