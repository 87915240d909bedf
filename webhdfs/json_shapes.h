/* HDFS's messages as WebHDFS's JSON objects. key as in common/json_out.h. */
#ifndef CAIRN_WEBHDFS_JSON_SHAPES_H
#define CAIRN_WEBHDFS_JSON_SHAPES_H

#include "common/arena.h"
#include "common/json_out.h"
#include "hdfs/client_namenode.pb-c.h"

void json_file_status(struct buf *b, const char *key, const Hdfs__HdfsFileStatusProto *s);
/* What FileSystem.getTrashRoots lists: the older, shorter form with the whole path. */
void json_trash_status(struct buf *b, const char *path, const Hdfs__HdfsFileStatusProto *s);
void json_located_blocks(struct buf *b, const char *key, const Hdfs__LocatedBlocksProto *l);
void json_block_locations(struct buf *b, const char *key, const Hdfs__LocatedBlocksProto *l); /* an array */
void json_content_summary(struct buf *b, const char *key, const Hdfs__ContentSummaryProto *s);
void json_quota_usage(struct buf *b, const char *key, const Hdfs__QuotaUsageProto *u);
/* The built-in policies travel as their number alone: this one, or what it stands for. */
const Hdfs__ErasureCodingPolicyProto *ec_policy_whole(const Hdfs__ErasureCodingPolicyProto *p);
void json_ec_policy(struct buf *b, const char *key, const Hdfs__ErasureCodingPolicyProto *p);
void json_storage_policy(struct buf *b, const char *key, const Hdfs__BlockStoragePolicyProto *p);

const char *storage_type_name(int type);   /* "DISK" */
int storage_type_number(const char *name); /* 0: no such type */

#endif
