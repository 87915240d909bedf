/* A one-way stream of bytes between a task and the process of its C program: the bytes lie in shared memory, in a ring
 * of slots, and pipes only say that a slot is full or free again. So a slot costs two small writes, however full it is,
 * and whoever waits for a process that died sees the end of a pipe. One thread at each end. */
#ifndef CAIRN_SCHEDULER_ENGINE_CHANNEL_H
#define CAIRN_SCHEDULER_ENGINE_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

#define CHANNEL_SLOTS      4
#define CHANNEL_SLOT_BYTES (256u << 10)
#define CHANNEL_BYTES      (CHANNEL_SLOTS * CHANNEL_SLOT_BYTES)

struct channel {
    uint8_t *slots;
    int full, freed;  /* the pipes, this process's ends; -1: closed */
    size_t at, end;   /* in the current slot: next byte; reader: how many there are */
    uint32_t slot;    /* number of the current one */
    bool have;        /* there is a current one */
    uint32_t given;   /* writer: slots in use, at most CHANNEL_SLOTS */
    bool over;        /* writer: nobody reads any more; reader: no more bytes */
    struct buf carry; /* reader: what lay across slots */
};

/* memory: CHANNEL_BYTES that both processes have. */
void channel_init(struct channel *c, uint8_t *memory, int full_fd, int freed_fd);
void channel_close(struct channel *c); /* the pipes; the memory is the caller's */

/* ---- writing: when `over` gets set, the rest is not wanted and is dropped ---- */
/* Room for exactly len bytes in one piece, at most CHANNEL_SLOT_BYTES; NULL when over. */
uint8_t *channel_reserve(struct channel *c, size_t len);
void channel_write(struct channel *c, const void *bytes, size_t len);
void channel_flush(struct channel *c); /* what is there becomes readable */

/* ---- reading ---- */
/* The next bytes, as many as there are at once; len 0 = the end. Borrowed until the next call. */
struct slice channel_chunk(struct channel *c);
/* Exactly len bytes in one piece, borrowed until the next call; base NULL: the stream ended before. */
struct slice channel_take(struct channel *c, size_t len);

#endif
