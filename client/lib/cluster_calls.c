/* ClientProtocol: the cluster as a whole, and where blocks are. */
#include <inttypes.h>

#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "common/clock.h"
#include "common/digest.h"
#include "hdfs/client_namenode.pb-c.h"
#include "proto/message.h"

#define SMALL_ANSWER_BYTES (1u << 20)
#define DEFAULTS_KEEP_MS   (60 * 60 * 1000)

int dfs_statfs(struct dfs *fs, struct dfs_stats *ret, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__GetFsStatusRequestProto request = HDFS__GET_FS_STATUS_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc =
        dfs_call(fs, "getFsStats", &request.base, &hdfs__get_fs_stats_response_proto__descriptor, &a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__GetFsStatsResponseProto *s = (Hdfs__GetFsStatsResponseProto *)answer;
    *ret = (struct dfs_stats){
        .capacity = (int64_t)s->capacity,
        .used = (int64_t)s->used,
        .remaining = (int64_t)s->remaining,
        .under_replicated = (int64_t)s->under_replicated,
        .corrupt_blocks = (int64_t)s->corrupt_blocks,
        .missing_blocks = (int64_t)s->missing_blocks,
        .missing_repl_one_blocks = (int64_t)s->missing_repl_one_blocks,
        .pending_deletion_blocks = (int64_t)s->pending_deletion_blocks,
    };
    return 0;
}

static int fetch_server_defaults(struct dfs *fs, struct dfs_server_defaults *ret, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__GetServerDefaultsRequestProto request = HDFS__GET_SERVER_DEFAULTS_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = dfs_call(fs, "getServerDefaults", &request.base, &hdfs__get_server_defaults_response_proto__descriptor, &a,
                      &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__FsServerDefaultsProto *d = ((Hdfs__GetServerDefaultsResponseProto *)answer)->serverdefaults;
    if (d->checksumtype > HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C || d->bytesperchecksum == 0 ||
        d->bytesperchecksum > 1u << 20 || d->blocksize > INT64_MAX)
        return err_set(reterr, ERR_PROTOCOL,
                       "server defaults: checksum type %d over %" PRIu32 " bytes, block size %" PRIu64,
                       (int)d->checksumtype, d->bytesperchecksum, d->blocksize);
    *ret = (struct dfs_server_defaults){
        .block_bytes = (int64_t)d->blocksize,
        .bytes_per_checksum = d->bytesperchecksum,
        .write_packet_bytes = d->writepacketsize,
        .replication = d->replication,
        .file_buffer_bytes = d->filebuffersize,
        .encrypt_data_transfer = d->encryptdatatransfer,
        .trash_interval_min = (int64_t)d->trashinterval,
        .snapshot_trash = d->snapshottrashrootenabled,
        .checksum_type = (int)d->checksumtype,
    };
    return 0;
}

int dfs_get_server_defaults(struct dfs *fs, struct dfs_server_defaults *ret, struct err *reterr)
{
    int64_t now_ms = clock_mono_ms();
    pthread_mutex_lock(&fs->lock);
    bool known = fs->defaults_known && now_ms - fs->defaults_at_ms < DEFAULTS_KEEP_MS;
    if (known)
        *ret = fs->defaults;
    pthread_mutex_unlock(&fs->lock);
    if (known)
        return 0;
    struct dfs_server_defaults d;
    int rc = fetch_server_defaults(fs, &d, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&fs->lock);
    fs->defaults = d;
    fs->defaults_known = true;
    fs->defaults_at_ms = now_ms;
    pthread_mutex_unlock(&fs->lock);
    *ret = d;
    return 0;
}

int dfs_snapshot_roots(struct dfs *fs, struct arena *a, const char *const **ret, size_t *ret_count, struct err *reterr)
{
    Hdfs__GetSnapshottableDirListingRequestProto request = HDFS__GET_SNAPSHOTTABLE_DIR_LISTING_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = dfs_call(fs, "getSnapshottableDirListing", &request.base,
                      &hdfs__get_snapshottable_dir_listing_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__SnapshottableDirectoryListingProto *list =
        ((Hdfs__GetSnapshottableDirListingResponseProto *)answer)->snapshottabledirlist;
    size_t count = list ? list->n_snapshottabledirlisting : 0;
    const char **roots = arena_array(a, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCBinaryData *parent = &list->snapshottabledirlisting[i]->parent_fullpath,
                                  *name = &list->snapshottabledirlisting[i]->dirstatus->path;
        bool in_root = parent->len <= 1; /* or is it */
        roots[i] = arena_printf(a, "%.*s/%.*s", in_root ? 0 : (int)parent->len, (const char *)parent->data,
                                (int)name->len, (const char *)name->data);
    }
    *ret = roots;
    *ret_count = count;
    return 0;
}

int dfs_datanode_report(struct dfs *fs, enum dfs_report_type type, struct arena *a, struct dfs_datanode **ret,
                        size_t *ret_count, struct err *reterr)
{
    Hdfs__GetDatanodeReportRequestProto request = HDFS__GET_DATANODE_REPORT_REQUEST_PROTO__INIT;
    request.type = (Hdfs__DatanodeReportTypeProto)type;
    ProtobufCMessage *answer;
    int rc = dfs_call(fs, "getDatanodeReport", &request.base, &hdfs__get_datanode_report_response_proto__descriptor, a,
                      &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__GetDatanodeReportResponseProto *report = (Hdfs__GetDatanodeReportResponseProto *)answer;
    struct dfs_datanode *nodes = arena_array(a, struct dfs_datanode, report->n_di);
    for (size_t i = 0; i < report->n_di; i++)
        convert_datanode(report->di[i], &nodes[i]);
    *ret = nodes;
    *ret_count = report->n_di;
    return 0;
}

int dfs_safemode(struct dfs *fs, enum dfs_safemode_action action, bool *ret_on, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__SetSafeModeRequestProto request = HDFS__SET_SAFE_MODE_REQUEST_PROTO__INIT;
    request.action = (Hdfs__SafeModeActionProto)action;
    ProtobufCMessage *answer;
    int rc = dfs_call(fs, "setSafeMode", &request.base, &hdfs__set_safe_mode_response_proto__descriptor, &a, &answer,
                      reterr);
    if (rc == 0)
        *ret_on = ((Hdfs__SetSafeModeResponseProto *)answer)->result;
    return rc;
}

int dfs_block_locations(struct dfs *fs, const char *path, int64_t offset, int64_t length, struct arena *a,
                        struct dfs_blocks *ret, struct err *reterr)
{
    if (offset < 0 || length < 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: negative offset or length", path);
    Hdfs__GetBlockLocationsRequestProto request = HDFS__GET_BLOCK_LOCATIONS_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.offset = (uint64_t)offset;
    request.length = (uint64_t)length;
    request.has_keepaccesstime = request.keepaccesstime = !config_bool(fs->config, "cairn.client.access-times");
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "getBlockLocations", &request.base, &request.src,
                           &hdfs__get_block_locations_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__LocatedBlocksProto *locations = ((Hdfs__GetBlockLocationsResponseProto *)answer)->locations;
    if (!locations)
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", path);
    if (locations->ecpolicy)
        return err_set(reterr, ERR_UNSUPPORTED, "%s is erasure coded; only replicated files can be read", path);
    if (locations->fileencryptioninfo)
        return err_set(reterr, ERR_UNSUPPORTED, "%s lies in an encryption zone, which is not supported", path);
    return convert_blocks(locations, a, ret, reterr);
}
