/* What the commands of `cairn dfsadmin` share. One thread. */
#ifndef CAIRN_CLIENT_ADMIN_ADMIN_H
#define CAIRN_CLIENT_ADMIN_ADMIN_H

#include "client/lib/dfs_path.h"
#include "common/config.h"

#include <protobuf-c/protobuf-c.h>

struct admin {
    const struct config *config;
    struct dfs *fs;
    struct arena arena;
    bool misused; /* the error is about usage: it is shown */
};

/* argv holds what follows the command's name. Returns 0, or a negative ERR_* that is told after "name: ". */
typedef int (*admin_run)(struct admin *a, int argc, char **argv, struct err *reterr);

int report_run(struct admin *a, int argc, char **argv, struct err *reterr);
int topology_run(struct admin *a, int argc, char **argv, struct err *reterr);
int set_quota_run(struct admin *a, int argc, char **argv, struct err *reterr);
int clear_quota_run(struct admin *a, int argc, char **argv, struct err *reterr);
int set_space_quota_run(struct admin *a, int argc, char **argv, struct err *reterr);
int clear_space_quota_run(struct admin *a, int argc, char **argv, struct err *reterr);
int allow_snapshot_run(struct admin *a, int argc, char **argv, struct err *reterr);
int disallow_snapshot_run(struct admin *a, int argc, char **argv, struct err *reterr);
int provision_snapshot_trash_run(struct admin *a, int argc, char **argv, struct err *reterr);
int datanode_info_run(struct admin *a, int argc, char **argv, struct err *reterr);

int admin_misuse(struct admin *a, struct err *reterr, const char *format, ...) PRINTF_LIKE(3, 4);
/* ClientProtocol; NULL response: not looked at. */
int admin_call(struct admin *a, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *response_type, ProtobufCMessage **ret, struct err *reterr) MUST_CHECK;
/* One call of another protocol; address NULL: the namenode's. */
int admin_call_protocol(struct admin *a, const struct net_address *address, const char *protocol, const char *method,
                        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                        ProtobufCMessage **ret, struct err *reterr) MUST_CHECK;

/* DIR/.Trash: made if the namenode wants one; gone if it is empty, refused if it is not. */
int snapshot_trash_for_allowed(struct admin *a, const char *dir, struct err *reterr) MUST_CHECK;
int snapshot_trash_remove(struct admin *a, const char *dir, struct err *reterr) MUST_CHECK;

#endif
