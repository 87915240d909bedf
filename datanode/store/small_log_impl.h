/* Inside of small_log*.c only. */
#ifndef CAIRN_DATANODE_STORE_SMALL_LOG_IMPL_H
#define CAIRN_DATANODE_STORE_SMALL_LOG_IMPL_H

#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include "datanode/store/small_log.h"

struct small_segment {
    uint64_t salt;
    uint32_t number, length;
    uint32_t living, living_bytes;
    uint32_t synced_bytes; /* records and their marks */
    uint32_t safe_bytes;   /* records, whatever their marks; 0: perhaps not even the segment's name */
    uint32_t finished;     /* how many marks there were that must be synced, too */
    bool cannot_sync;      /* it was tried, and what the kernel could not write it has forgotten since */
    bool offered;          /* by small_log_sparse */
};
struct small_log {
    char *folder;              /* immutable */
    pthread_mutex_t sync_lock; /* taken before `lock`; held while a segment is synced */
    pthread_mutex_t lock;      /* guards what follows */
    struct small_segment *segments;
    size_t count, capacity; /* sorted by number */
    uint32_t newest;        /* that is appended to; 0: none */
    int fd;                 /* of it */
    struct stat file;       /* the same: which file it is */
};

void small_segment_path(const struct small_log *l, const struct small_segment *s, char out[PATH_MAX]);
struct small_segment *small_segment_add(struct small_log *l, uint32_t number, uint64_t salt);

#endif
