/* What has to outlive a mount process that dies, so that the next one goes on where it ended: memory shared by the
 * keeper (fuse/keeper.h) and the process that serves. Written by the serving process alone; every field makes sense at
 * every instant. */
#ifndef CAIRN_FUSE_POSIX_KEEPER_MEMORY_H
#define CAIRN_FUSE_POSIX_KEEPER_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fuse/posix/held_locks.h"

#define KEEPER_REQUESTS_MAX 1024
#define KEEPER_OPENS_MAX    65536 /* files open at once, for which handles are counted over a death */
#define KEEPER_INIT_MAX     256

struct keeper_request {
    _Atomic uint64_t unique; /* the kernel's number of it; 0: a free place */
    _Atomic uint64_t done;   /* what must not be done again, as its operation has it; 0: nothing yet */
    _Atomic uint32_t process;
    _Atomic uint32_t inode; /* of an append, the lower half */
};

struct keeper_memory {
    uint32_t layout;         /* first, and KEEPER_LAYOUT: another program may have made it */
    int32_t fd;              /* of this memory, in the keeper */
    _Atomic bool hands_over; /* the process that serves is to end, and another one goes on: see fuse/keeper.h */
    uint64_t root;           /* the inode that is mounted, */
    char cluster[64];        /* of this cluster */
    /* the kernel's first request, which it sends only once, and what was agreed on then */
    _Atomic uint32_t init_bytes;
    uint8_t init[KEEPER_INIT_MAX];
    uint32_t wanted;                                     /* fuse_conn_info.want */
    bool passes_through;                                 /* see backing.h */
    struct keeper_request requests[KEEPER_REQUESTS_MAX]; /* that were taken and not answered yet */
    uint32_t process;                                    /* how many have served so far, this one included */
    int64_t process_since_ms;
    _Atomic bool has_answered;  /* this process */
    uint32_t fruitless;         /* processes before it, one after another, that died at once and answered nothing */
    uint8_t caller[8];          /* random: the mount, among the namenode's RPC clients */
    _Atomic uint64_t session;   /* at the namenode; 0: none yet */
    _Atomic uint64_t handles;   /* given out so far */
    _Atomic uint64_t openings;  /* numbers of them, as the namenode is told (opens.h) */
    _Atomic bool has_uncounted; /* once there were more files open than are counted here */
    char staging_folder[256];
    struct held_locks locks;
    struct {
        _Atomic uint64_t inode; /* 0: free */
        _Atomic uint32_t opens;
        _Atomic int32_t backing; /* the kernel's number of what it reads by itself; 0: the mount reads it */
    } opens[KEEPER_OPENS_MAX];
};

#define KEEPER_LAYOUT                                                                                                  \
    (2u << 24 | (uint32_t)sizeof(struct keeper_memory)) /* the first part changes with what fields mean */
struct keeper_memory *keeper_memory_new(void); /* shared with processes that are forked later; NULL: no memory */
/* In a process that was executed: fd is the memory's. NULL: it is of a program that is too different. */
struct keeper_memory *keeper_memory_map(int fd);

/* ---- requests; any thread ---- */
/* Another process begins: what the one before the last took is not coming any more. */
void keeper_next_process(struct keeper_memory *k, int64_t now_ms);
/* Is it what is under way that kills them? */
bool keeper_is_fruitless(const struct keeper_memory *k);
/* Its place: with what was done by a process before, if that took it. NULL: there are too many. */
struct keeper_request *keeper_request_taken(struct keeper_memory *k, uint64_t unique, bool is_again);
void keeper_request_answered(struct keeper_memory *k, uint64_t unique);

/* ---- appends: .done says as far as the file went with it, and whether that is staged yet ---- */
void keeper_append_begins(struct keeper_request *r, uint64_t inode, int64_t end);
void keeper_append_staged(struct keeper_request *r);
bool keeper_append_is_done(const struct keeper_request *r);
/* After a death, before what is staged of the inode changes: that goes as far as `end`. Of an append that nothing is
 * staged of at all it is right that it is not done. */
void keeper_appends_settle(struct keeper_memory *k, uint64_t inode, int64_t end);

/* ---- handles ---- */
/* One handle more or less, or (0) none. *ret: how many there are now; false: it is not counted, there or at all. One
 * thread at a time. */
bool keeper_count_open(struct keeper_memory *k, uint64_t inode, int change, uint32_t *ret);
/* With which backing it is open, and how many handles there are; NULL: it is not counted. */
_Atomic int32_t *keeper_backing(struct keeper_memory *k, uint64_t inode, uint32_t *ret_opens);

#endif
