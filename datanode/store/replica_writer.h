/* The exclusive right to write one replica, from its creation or reopening to finalize or release. One thread uses it.
 */
#ifndef CAIRN_DATANODE_STORE_REPLICA_WRITER_H
#define CAIRN_DATANODE_STORE_REPLICA_WRITER_H

#include "datanode/store/block_store.h"

/* A packet's data with the writer's checksums, which are per meta.bytes_per_checksum counted from the packet's start.
 */
struct write_piece {
    uint64_t offset; /* in the block */
    const uint8_t *data;
    size_t data_bytes;
    const uint8_t *checksums; /* NULL: none came */
};

/* Sockets to shut down when somebody wants this writer to stop; -1 = none. They must stay open until the release. */
void replica_writer_watch(struct replica_writer *w, int upstream_fd, int mirror_fd);

/* Verifies against the checksums that came, whose kind is `sent`; no I/O. ERR_CHECKSUM, ERR_PROTOCOL. */
int write_piece_verify(const struct write_piece *p, const struct meta_header *sent, struct err *reterr) MUST_CHECK;

/* Stores the part that is not on disk yet (a writer may send bytes again) and shows it to readers of disk_bytes.
 * ERR_PROTOCOL: begins past the end. ERR_NO_SPACE, ERR_IO: the replica is as it was before. ERR_CANCELLED. */
int replica_writer_write(struct replica_writer *w, const struct write_piece *p, const struct meta_header *sent,
                         struct err *reterr) MUST_CHECK;
/* A replica that may turn out to be a small one is held in memory until it is finalized, synced, released or too large:
 * nobody sees what came, and it ends with this process. Is there any such? */
bool replica_writer_holds(const struct replica_writer *w);
/* What came so far outlives this process, and readers see it. On failure all is as before. */
int replica_writer_keep(struct replica_writer *w, struct err *reterr) MUST_CHECK;
/* Every node behind us has the first acked_bytes too. */
void replica_writer_acked(struct replica_writer *w, uint64_t acked_bytes);
/* What is written goes to the disk soon and then leaves the page cache: it will not be read soon. */
void replica_writer_drop_behind(struct replica_writer *w);
/* What is written so far survives power loss. */
int replica_writer_sync(struct replica_writer *w, struct err *reterr) MUST_CHECK;
/* Ends the writing; on success the writer is gone and *ret is what to report. sync: as with replica_writer_sync, for
 * the folders too. */
int replica_writer_finalize(struct replica_writer *w, bool sync, struct replica_view *ret,
                            struct err *reterr) MUST_CHECK;
/* TEMPORARY only: it becomes a replica being written, with visible_bytes acknowledged, for its client to go on with. */
int replica_writer_become_rbw(struct replica_writer *w, uint64_t visible_bytes, struct replica_view *ret,
                              struct err *reterr) MUST_CHECK;
/* Without finishing: RBW stays for recovery, TEMPORARY is deleted. NULL is fine. */
void replica_writer_release(struct replica_writer *w);
/* The replica is no good: it is deleted. */
void replica_writer_drop(struct replica_writer *w);

void replica_writer_view(const struct replica_writer *w, struct replica_view *ret);
const struct meta_header *replica_writer_meta(const struct replica_writer *w);
size_t replica_writer_storage(const struct replica_writer *w);

#endif
