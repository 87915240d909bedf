/* One replica of a block on this node: its state, and every rule about which states it may go through.
 *
 *     TEMPORARY --complete--> FINALIZED --append--> RBW --close--> FINALIZED
 *         `----transfer-----> RBW --restart--> RWR
 *     RBW, RWR, RUR, FINALIZED --block recovery--> RUR --agreed--> FINALIZED
 *
 * Pure: no I/O, no clock, no locks. block_store guards replicas with its lock and does what is decided here.
 *
 * Lengths: disk_bytes are in the data file with their checksums in the meta file; acked_bytes of them are held by every
 * node of the pipeline, and that is what readers may see while the block is being written. */
#ifndef CAIRN_DATANODE_STORE_REPLICA_H
#define CAIRN_DATANODE_STORE_REPLICA_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

enum replica_state { /* Hadoop's numbers */
                     REPLICA_FINALIZED = 0,
                     REPLICA_RBW = 1,       /* being written */
                     REPLICA_RWR = 2,       /* was being written when the daemon ended; waits for recovery */
                     REPLICA_RUR = 3,       /* under recovery */
                     REPLICA_TEMPORARY = 4, /* a copy that is coming in; nobody knows of it yet */
                     REPLICA_STATE_COUNT
};
const char *replica_state_name(enum replica_state state);

#define REPLICA_NOT_READABLE (-1) /* visible length in RWR and TEMPORARY */

/* What only replicas need that are not simply finalized. */
struct replica_work {
    uint64_t acked_bytes;
    enum checksum_type checksum_type; /* of the meta file */
    uint32_t bytes_per_checksum;
    uint32_t tail_checksum; /* of the last, partial chunk of disk_bytes */
    struct xxh3 *digest;    /* of the first digest_bytes; NULL if they were changed */
    uint64_t digest_bytes;
    uint64_t reserved_bytes;           /* of the volume's free space */
    uint64_t recovery_id;              /* RUR */
    enum replica_state original_state; /* RUR: before */
    bool in_rbw;                       /* where the files are: rbw/ (or tmp/), else finalized/ */
    bool in_memory;                    /* there are none yet: its writer holds all that came */
    /* The one who may change the replica and its files. */
    bool claimed;
    bool stop_asked;
    int owner_fds[2]; /* shut down to wake the owner; -1 */
};

struct replica {
    uint64_t block_id, gen_stamp;
    uint64_t disk_bytes;
    uint64_t xxh3; /* 0: not known yet */
    struct replica *next;
    struct replica_work *work; /* NULL for most finalized replicas */
    uint64_t volume : 16, state : 8;
    /* Where it is in its volume's log of small replicas (small_log.h), offset in units of SMALL_ALIGN; segment 0: it
     * has files of its own. */
    uint64_t small_segment : 22, small_unit : 18;
};
static_assert(sizeof(struct replica) <= 56, "there are millions of them, and malloc gives them 64 bytes");

/* The only way to change a state. ERR_BAD_STATE. */
int replica_move(struct replica *r, enum replica_state to, struct err *reterr) MUST_CHECK;
int64_t replica_visible_bytes(const struct replica *r);

/* May it ...? Each names block, state and what was expected. gen_stamp: the block's, as the caller knows it. */
int replica_check_read(const struct replica *r, uint64_t gen_stamp, struct err *reterr) MUST_CHECK;
int replica_check_append(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp, uint64_t expected_bytes,
                         struct err *reterr) MUST_CHECK;
/* Recovery of an append or of a close: everything written must have been acknowledged. */
int replica_check_recover_append(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp,
                                 uint64_t expected_bytes, struct err *reterr) MUST_CHECK;
/* Recovery of a stream: the client knows of min_bytes acknowledged and has sent max_bytes. */
int replica_check_recover_stream(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp,
                                 uint64_t min_bytes, uint64_t max_bytes, struct err *reterr) MUST_CHECK;
int replica_check_init_recovery(const struct replica *r, uint64_t gen_stamp, uint64_t recovery_id,
                                struct err *reterr) MUST_CHECK;
int replica_check_update_recovery(const struct replica *r, uint64_t recovery_id, uint64_t old_bytes, uint64_t new_bytes,
                                  struct err *reterr) MUST_CHECK;
/* May a new replica take the place of this one? ERR_REPLICA_EXISTS. */
enum replica_replace {
    REPLACE_NOTHING,
    REPLACE_UNFINISHED, /* by one of the same stamp or a newer one: the client sets its pipeline up again */
    REPLACE_STALE,      /* unfinished and older: a copy of the block as it is now */
    REPLACE_OLDER,      /* in any state, but older: the client wants it for its pipeline */
};
int replica_check_replace(const struct replica *r, enum replica_replace what, uint64_t new_gen_stamp,
                          struct err *reterr) MUST_CHECK;

#endif
