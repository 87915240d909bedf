/* Block id -> what memory knows of the block, compactly: 40 bytes, about 51 with the table's slack.
 *
 * 256 open-addressing shards by hash, so that growing one is a bounded piece of work and a sweep can go shard by shard.
 * Pointers to a struct block are good until the next insert or remove. */
#ifndef CAIRN_NAMENODE_BLOCKS_BLOCK_TABLE_H
#define CAIRN_NAMENODE_BLOCKS_BLOCK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum replica_flag {
    REPLICA_CORRUPT = 1, /* bytes are bad, or length or stamp is not the block's */
    REPLICA_EXCESS = 2,  /* more than wanted: its deletion is under way */
    REPLICA_AGREES = 4,  /* its digest is the block's */
    REPLICA_QUEUED = 8,  /* its deletion has been queued */
};
struct replica {
    uint16_t storage; /* index into blocks.storages */
    uint8_t flags;    /* enum replica_flag */
    uint8_t epoch;    /* of the storage's full report that last named it */
};

#define REPLICAS_INLINE 3
#define REPLICAS_MAX    64
#define EXPECTED_MAX    511
#define PRIORITY_NONE   7

struct block {
    uint64_t block_id;
    uint32_t gen_stamp_low, bytes_low; /* 48 bits each; see block_gen_stamp() */
    uint16_t gen_stamp_high, bytes_high;
    uint32_t digest; /* XXH3-64 folded; 0 = not known */
    unsigned replica_count : 7;
    unsigned expected : 9; /* replication wanted */
    unsigned priority : 3; /* queue it waits in, or PRIORITY_NONE */
    unsigned queued : 5;   /* bit k: physically in ring k */
    unsigned complete : 1;
    unsigned available : 1;                                     /* counted: has a live replica */
    unsigned safe : 1;                                          /* counted: has replication.min of them */
    unsigned has_corrupt : 1;                                   /* counted */
    unsigned used : 1;                                          /* the slot is taken */
    unsigned pending : 1;                                       /* copies under way (blocks.pending has it) */
    unsigned missing : 1;                                       /* counted: had replicas, has none now */
    unsigned confirmed : 1;                                     /* at least two replicas had this digest */
    uint8_t replicas[REPLICAS_INLINE * sizeof(struct replica)]; /* or a pointer to an array when there are more */
};
_Static_assert(sizeof(struct replica) == 4, "replicas are packed");
_Static_assert(sizeof(struct block) == 40, "the memory budget of the block map");

static inline uint64_t block_gen_stamp(const struct block *blk)
{
    return (uint64_t)blk->gen_stamp_high << 32 | blk->gen_stamp_low;
}
static inline uint64_t block_bytes(const struct block *blk)
{
    return (uint64_t)blk->bytes_high << 32 | blk->bytes_low;
}
static inline void block_set_version(struct block *blk, uint64_t gen_stamp, uint64_t bytes)
{
    blk->gen_stamp_low = (uint32_t)gen_stamp;
    blk->gen_stamp_high = (uint16_t)(gen_stamp >> 32);
    blk->bytes_low = (uint32_t)bytes;
    blk->bytes_high = (uint16_t)(bytes >> 32);
}
/* replica_count of them, good until the block's replicas change. */
struct replica *block_replicas(const struct block *blk);
/* NULL when REPLICAS_MAX are there. */
struct replica *block_replica_add(struct block *blk, uint16_t storage);
void block_replica_remove(struct block *blk, size_t index);

#define BLOCK_SHARDS 256
struct block_shard {
    struct block *slots;
    uint32_t capacity, count;
};
struct block_table {
    struct block_shard shards[BLOCK_SHARDS];
    uint64_t count;
};
struct block *block_table_find(const struct block_table *t, uint64_t block_id);
struct block *block_table_insert(struct block_table *t, uint64_t block_id); /* must not be there yet */
void block_table_remove(struct block_table *t, uint64_t block_id);
void block_table_free(struct block_table *t);
uint64_t block_table_memory(const struct block_table *t);

#endif
