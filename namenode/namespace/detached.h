/* Blocks that belong to no file yet: a mount writes them, and then swaps them in (files_edit.c). The block map has them
 * as being written, for the file that they are meant for; the store knows only that their numbers were given out. So
 * they live as long as this process and the mount's session, and datanodes are told to delete what is left of them, as
 * of any block that nobody knows. Guarded by the namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_DETACHED_H
#define CAIRN_NAMENODE_NAMESPACE_DETACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct namenode;

struct detached_block {
    uint64_t id, stamp, session, inode;
    uint64_t room_bytes;  /* it may get so long */
    uint64_t known_bytes; /* .. and is at least so long */
    uint16_t replication; /* as the block map has it */
    bool is_committed;    /* an edit named its length, known_bytes: that is final */
    char *client_name;    /* who writes it */
};

#define DETACHED_PER_SESSION_MAX 16384

struct detached;
struct detached *detached_new(void);
void detached_free(struct detached *d); /* NULL is fine */
/* The strings are copied. The block must not be there yet. */
void detached_add(struct detached *d, const struct detached_block *b);
struct detached_block *detached_find(const struct detached *d, uint64_t block_id); /* NULL: no such */
size_t detached_count(const struct detached *d, uint64_t session);
/* Only forgotten here: it is its file's now. */
void detached_remove(struct detached *d, uint64_t block_id);
/* It goes from the block map, too. */
void detached_drop(struct namenode *nn, uint64_t block_id);
/* All of sessions that are no more. */
void detached_drop_dead(struct namenode *nn, bool (*is_alive)(struct namenode *nn, uint64_t session));

#endif
