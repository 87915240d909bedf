/* ClientProtocol's methods: X(name on the wire, name in C, flags). Each has a handler client_<name in C>, its messages
 * are hdfs__<name in C>_{request,response}_proto. Those whose messages are called otherwise are below. */
#ifndef CAIRN_NAMENODE_SERVE_CLIENT_CALLS_H
#define CAIRN_NAMENODE_SERVE_CLIENT_CALLS_H

#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_server.h"

// clang-format off
#define CLIENT_METHODS(X) \
    X(getFileInfo, get_file_info, 0) \
    X(getFileLinkInfo, get_file_link_info, 0) \
    X(getLocatedFileInfo, get_located_file_info, 0) \
    X(getListing, get_listing, 0) \
    X(getBatchedListing, get_batched_listing, RPC_MAY_BLOCK) \
    X(getBlockLocations, get_block_locations, 0) \
    X(isFileClosed, is_file_closed, 0) \
    X(getPreferredBlockSize, get_preferred_block_size, 0) \
    X(getLinkTarget, get_link_target, 0) \
    X(getEnclosingRoot, get_enclosing_root, 0) \
    X(checkAccess, check_access, 0) \
    X(getContentSummary, get_content_summary, RPC_MAY_BLOCK) \
    X(getQuotaUsage, get_quota_usage, RPC_MAY_BLOCK) \
    X(mkdirs, mkdirs, 0) \
    X(setPermission, set_permission, 0) \
    X(setOwner, set_owner, 0) \
    X(setTimes, set_times, 0) \
    X(setReplication, set_replication, 0) \
    X(addBlock, add_block, 0) \
    X(abandonBlock, abandon_block, 0) \
    X(complete, complete, 0) \
    X(fsync, fsync, 0) \
    X(truncate, truncate, 0) \
    X(getAdditionalDatanode, get_additional_datanode, 0) \
    X(updateBlockForPipeline, update_block_for_pipeline, 0) \
    X(reportBadBlocks, report_bad_blocks, 0) \
    X(renewLease, renew_lease, 0) \
    X(recoverLease, recover_lease, 0) \
    X(rename, rename, RPC_AT_MOST_ONCE) \
    X(rename2, rename2, RPC_AT_MOST_ONCE | RPC_MAY_BLOCK) \
    X(createSymlink, create_symlink, RPC_AT_MOST_ONCE) \
    X(concat, concat, RPC_AT_MOST_ONCE) \
    X(create, create, RPC_AT_MOST_ONCE) \
    X(append, append, RPC_AT_MOST_ONCE) \
    X(updatePipeline, update_pipeline, RPC_AT_MOST_ONCE) \
    X(delete, delete, RPC_AT_MOST_ONCE) \
    X(metaSave, meta_save, RPC_MAY_BLOCK) \
    X(getServerDefaults, get_server_defaults, 0) \
    X(getFsReplicatedBlockStats, get_fs_replicated_block_stats, 0) \
    X(getFsECBlockGroupStats, get_fs_ecblock_group_stats, 0) \
    X(getDatanodeReport, get_datanode_report, 0) \
    X(getDatanodeStorageReport, get_datanode_storage_report, 0) \
    X(getSlowDatanodeReport, get_slow_datanode_report, 0) \
    X(setSafeMode, set_safe_mode, 0) \
    X(saveNamespace, save_namespace, 0) \
    X(rollEdits, roll_edits, 0) \
    X(restoreFailedStorage, restore_failed_storage, 0) \
    X(refreshNodes, refresh_nodes, RPC_MAY_BLOCK) \
    X(finalizeUpgrade, finalize_upgrade, 0) \
    X(upgradeStatus, upgrade_status, 0) \
    X(rollingUpgrade, rolling_upgrade, 0) \
    X(listCorruptFileBlocks, list_corrupt_file_blocks, RPC_MAY_BLOCK) \
    X(setBalancerBandwidth, set_balancer_bandwidth, 0) \
    X(msync, msync, 0) \
    X(getDelegationToken, get_delegation_token, 0) \
    X(renewDelegationToken, renew_delegation_token, 0) \
    X(cancelDelegationToken, cancel_delegation_token, 0) \
    X(getDataEncryptionKey, get_data_encryption_key, 0) \
    X(getCurrentEditLogTxid, get_current_edit_log_txid, 0) \
    X(getEditsFromTxid, get_edits_from_txid, RPC_REFUSES) \
    X(listOpenFiles, list_open_files, 0) \
    X(getStoragePolicies, get_storage_policies, 0) \
    X(getStoragePolicy, get_storage_policy, 0) \
    X(setStoragePolicy, set_storage_policy, 0) \
    X(unsetStoragePolicy, unset_storage_policy, 0) \
    X(satisfyStoragePolicy, satisfy_storage_policy, RPC_REFUSES) \
    X(getAclStatus, get_acl_status, 0) \
    X(modifyAclEntries, modify_acl_entries, 0) \
    X(removeAclEntries, remove_acl_entries, 0) \
    X(removeDefaultAcl, remove_default_acl, 0) \
    X(removeAcl, remove_acl, 0) \
    X(setAcl, set_acl, 0) \
    X(getXAttrs, get_xattrs, 0) \
    X(listXAttrs, list_xattrs, 0) \
    X(setXAttr, set_xattr, RPC_AT_MOST_ONCE) \
    X(removeXAttr, remove_xattr, RPC_AT_MOST_ONCE) \
    X(getEZForPath, get_ezfor_path, 0) \
    X(listEncryptionZones, list_encryption_zones, 0) \
    X(createEncryptionZone, create_encryption_zone, RPC_REFUSES) \
    X(reencryptEncryptionZone, reencrypt_encryption_zone, RPC_REFUSES) \
    X(listReencryptionStatus, list_reencryption_status, 0) \
    X(listCachePools, list_cache_pools, RPC_MAY_BLOCK) \
    X(listCacheDirectives, list_cache_directives, RPC_MAY_BLOCK) \
    X(addCachePool, add_cache_pool, RPC_AT_MOST_ONCE) \
    X(modifyCachePool, modify_cache_pool, RPC_AT_MOST_ONCE) \
    X(removeCachePool, remove_cache_pool, RPC_AT_MOST_ONCE) \
    X(addCacheDirective, add_cache_directive, RPC_AT_MOST_ONCE | RPC_MAY_BLOCK) \
    X(modifyCacheDirective, modify_cache_directive, RPC_AT_MOST_ONCE | RPC_MAY_BLOCK) \
    X(removeCacheDirective, remove_cache_directive, RPC_AT_MOST_ONCE) \
    X(getErasureCodingPolicy, get_erasure_coding_policy, 0) \
    X(getErasureCodingPolicies, get_erasure_coding_policies, 0) \
    X(getErasureCodingCodecs, get_erasure_coding_codecs, 0) \
    X(getECTopologyResultForPolicies, get_ectopology_result_for_policies, 0) \
    X(setErasureCodingPolicy, set_erasure_coding_policy, RPC_AT_MOST_ONCE) \
    X(unsetErasureCodingPolicy, unset_erasure_coding_policy, RPC_AT_MOST_ONCE) \
    X(addErasureCodingPolicies, add_erasure_coding_policies, RPC_REFUSES) \
    X(removeErasureCodingPolicy, remove_erasure_coding_policy, RPC_REFUSES) \
    X(enableErasureCodingPolicy, enable_erasure_coding_policy, RPC_REFUSES) \
    X(disableErasureCodingPolicy, disable_erasure_coding_policy, 0) \
    X(getSnapshottableDirListing, get_snapshottable_dir_listing, 0) \
    X(getSnapshotListing, get_snapshot_listing, RPC_MAY_BLOCK) \
    X(getSnapshotDiffReport, get_snapshot_diff_report, RPC_MAY_BLOCK) \
    X(getSnapshotDiffReportListing, get_snapshot_diff_report_listing, RPC_MAY_BLOCK) \
    X(allowSnapshot, allow_snapshot, 0) \
    X(disallowSnapshot, disallow_snapshot, 0) \
    X(createSnapshot, create_snapshot, RPC_AT_MOST_ONCE) \
    X(renameSnapshot, rename_snapshot, RPC_AT_MOST_ONCE) \
    X(deleteSnapshot, delete_snapshot, RPC_AT_MOST_ONCE) \
    X(setQuota, set_quota, RPC_MAY_BLOCK)
// clang-format on

#define CLIENT_DECLARE(wire_name, c_name, flags)                                                                       \
    void client_##c_name(struct rpc_call *call, const ProtobufCMessage *message, void *context);
CLIENT_METHODS(CLIENT_DECLARE)
void client_get_fs_stats(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void client_get_ha_service_state(struct rpc_call *call, const ProtobufCMessage *message, void *context);

/* What append answers: the file, and the block that it goes on in, or behind (new_block), if there is one. */
struct op;
struct inode;
void append_answer(struct op *op, struct inode *n, bool new_block, Hdfs__AppendResponseProto *ret);

#endif
