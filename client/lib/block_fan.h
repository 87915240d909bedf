/* A short block, all of which is at hand, to all of its datanodes at once: each gets a pipeline of its own that ends
 * with it, op and packets in one piece, and then everybody's answers are gathered. In a chain the bytes and the answers
 * wait for a process to wake up at every node, one after the other; here all nodes work at the same time. It costs the
 * client's link the bytes as often as there are nodes, which is why it is for short blocks, and can be turned off.
 *
 * Nothing is repaired: if a node fails, the block is to be given up and its bytes written to another one. The nodes
 * that were seen to fail are among the lost ones then. Replicas that were finished all the same are those of a block
 * that nobody knows, and datanodes are told to remove them. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_FAN_H
#define CAIRN_CLIENT_LIB_BLOCK_FAN_H

#include "client/lib/block_writer.h"

/* Is a block of so many bytes to be written so? */
bool block_fan_suits(const struct dfs *fs, const struct packet_pool *pool, int64_t length);
/* packets: sealed, numbered from 0, the last one is the empty one that ends the block; all stay the caller's. Returns
 * when all nodes have the block. */
int block_fan_write(const struct block_writer_options *options, const struct dfs_block *b,
                    const struct write_packet *packets, struct err *reterr) MUST_CHECK;
/* The same with a block that the namenode is asked for; after a failure it is abandoned. previous: NULL or the one
 * before with its final length. *ret, in the arena, has its length. */
int block_fan_create(const struct block_writer_options *options, const struct dfs_block *previous,
                     const struct write_packet *packets, struct arena *a, struct dfs_block *ret,
                     struct err *reterr) MUST_CHECK;

#endif
