/* Everything this datanode tells its namenode, and what the namenode answers: registration, heartbeats, block reports,
 * commands. It goes on for ever: a namenode that is away is waited for.
 *
 * Two threads: one for heartbeats, full reports and commands, one for incremental reports, which must not wait behind a
 * heartbeat, since writers wait for them. Any thread may call. */
#ifndef CAIRN_DATANODE_REPORT_REPORTER_H
#define CAIRN_DATANODE_REPORT_REPORTER_H

#include "common/arena.h"
#include "datanode/datanode.h"
#include "hdfs/datanode_namenode.pb-c.h"

/* dn's store, ports and settings are set. Handlers may use *ret at once, so it is there after a failure, too: to be
 * stopped when they are. */
int reporter_start(struct datanode *dn, struct reporter *_Atomic *ret, struct err *reterr) MUST_CHECK;
void reporter_stop(struct reporter *r); /* NULL is fine */
/* Waits until the first registration and block report have gone through. ERR_TIMEOUT, or what makes it impossible. */
int reporter_wait_registered(struct reporter *r, int64_t timeout_ms, struct err *reterr) MUST_CHECK;
bool reporter_registered(struct reporter *r);

/* Replicas that changed. What was received is sent at once, anything else with it or within a heartbeat's time.
 * delete_hint: NULL, or the uuid of the datanode that shall lose its replica. */
void reporter_receiving(struct reporter *r, const struct replica_view *replica);
void reporter_received(struct reporter *r, const struct replica_view *replica, const char *delete_hint);
/* The same, where the writer does not wait for the report: it may be sent with what else comes in a moment. */
void reporter_received_unasked(struct reporter *r, const struct replica_view *replica);
void reporter_deleted(struct reporter *r, const struct replica_view *replica);
void reporter_bad_block(struct reporter *r, const struct replica_view *replica);
/* Bytes that came from another datanode's replica were not those of their checksums. */
void reporter_bad_source(struct reporter *r, const struct replica_view *copy, const Hdfs__DatanodeIDProto *source);
void reporter_disk_error(struct reporter *r, const char *text);
void reporter_trigger(struct reporter *r, bool full);
/* A writer is gone in the middle of a block: whoever wants its file next waits for a recovery, which the namenode can
 * ask for in an answer to a heartbeat only. So they come quickly for a while. */
void reporter_expect_commands(struct reporter *r);

/* Copies under way to other datanodes. */
void reporter_transfer_begin(struct reporter *r);
void reporter_transfer_end(struct reporter *r);

/* Where to connect to another datanode that a request names. ERR_PROTOCOL: that is no address. */
enum peer_port { PEER_TRANSFER, PEER_IPC };
int reporter_peer_address(struct reporter *r, const Hdfs__DatanodeIDProto *id, enum peer_port port,
                          struct net_address *ret, struct err *reterr) MUST_CHECK;

/* Who we are, as the namenode knows it; the strings are copied to the arena. */
void reporter_self(struct reporter *r, struct arena *a, Hdfs__DatanodeIDProto *ret);
int reporter_commit_recovery(struct reporter *r, const Hdfs__CommitBlockSynchronizationRequestProto *request,
                             struct err *reterr) MUST_CHECK;

struct reporter_status {
    char namenode[NET_ADDRESS_MAX];
    bool registered;
    int64_t last_heartbeat_ms, last_full_report_ms; /* monotonic; 0 = never */
    int transfers;
};
void reporter_status(struct reporter *r, struct reporter_status *ret);

#endif
