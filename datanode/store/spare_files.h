/* Files of deleted replicas, kept empty for those that come next.
 *
 * To make a file is cheap, but not soon after many were removed: ext4 leaves a removed file's inode alone for minutes
 * and passes over all of those one by one whenever it looks for a free one. That was two thirds of what a datanode did
 * for a small block, after a folder of small files was deleted.
 *
 * A stack of numbers, of one volume; block_store's lock guards it. What a number's file is called the store knows. */
#ifndef CAIRN_DATANODE_STORE_SPARE_FILES_H
#define CAIRN_DATANODE_STORE_SPARE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPARE_FILES_MAX 8192

struct spare_files { /* zeroed: none */
    uint64_t *numbers;
    size_t count, capacity;
};

/* false: there are enough. */
bool spare_files_want(const struct spare_files *s);
void spare_files_put(struct spare_files *s, uint64_t number);
/* false: there is none. */
bool spare_files_take(struct spare_files *s, uint64_t *ret);
void spare_files_free(struct spare_files *s);

/* Empties the file. false, and it is as it was: somebody has it open or mapped (a client that reads it by itself, say),
 * or it has another name or owner; or the file system cannot tell. */
bool spare_file_empty(const char *path);

#endif
