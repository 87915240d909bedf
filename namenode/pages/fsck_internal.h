/* What the files of fsck share.
 *
 *   fsck.c  the request and the walk        fsck_file.c  one file's blocks      fsck_sums.c  the summary
 *   fsck_block.c  -blockId                  fsck_mend.c  -delete and -move      fsck_policies.c  -storagepolicies */
#ifndef CAIRN_NAMENODE_PAGES_FSCK_INTERNAL_H
#define CAIRN_NAMENODE_PAGES_FSCK_INTERNAL_H

#include "namenode/blocks/blocks.h"
#include "namenode/namespace/files.h"

struct fsck_options {
    bool files, blocks, locations, racks, details, upgrade_domains; /* what is shown */
    bool open_files, maintenance, policies, snapshots;
    bool delete, move, replicate;
    bool list_corrupt; /* nothing but damaged blocks and their files */
};
struct fsck_sums {
    uint64_t directories, symlinks, files, bytes, blocks;
    uint64_t open_files, open_bytes, open_blocks;
    uint64_t min_replicated, over, under, misplaced, missing, corrupt, missing_bytes, corrupt_bytes, damaged_files,
        under_min, queued;
    uint64_t replicas, replicas_expected, replicas_missing, decommissioned, decommissioning, entering_maintenance,
        in_maintenance;
    uint64_t listed; /* damaged blocks */
};
struct fsck_kind;
struct fsck {
    struct namenode *nn;
    struct fsck_options o;
    struct fsck_sums sums;
    struct fs_user user;
    size_t live_nodes, racks;
    struct txn t;
    struct buf *out;
    struct buf path;         /* of what is looked at */
    bool cut;                /* no more details fit */
    struct fsck_kind *kinds; /* -storagepolicies: blocks by policy and types of storage */
    size_t kind_count;
    bool lost_found_ready;
    bool failed; /* something could not be mended */
};

/* Looks at one file; takes the lock. as_of: the snapshot it lies in, 0: none. */
int fsck_file(struct fsck *f, uint64_t id, uint64_t as_of, struct err *reterr) MUST_CHECK;
void fsck_print_summary(struct fsck *f, const char *path, int64_t started_ms);
const char *fsck_date(char out[64]);
/* One or more ids, with spaces between. */
void fsck_blocks(struct fsck *f, const char *ids);
/* The file at f->path is damaged: what was asked for in that case. Not under the lock. */
void fsck_mend(struct fsck *f, uint16_t mode);

/* One block's replicas that a reader is told of. Under the lock. */
void fsck_count_policy(struct fsck *f, uint8_t policy, const struct block_location *l, size_t count);
void fsck_print_policies(const struct fsck *f);
void fsck_free_policies(struct fsck *f);

#endif
