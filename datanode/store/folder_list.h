/* The files of replicas in one folder, by their names. */
#ifndef CAIRN_DATANODE_STORE_FOLDER_LIST_H
#define CAIRN_DATANODE_STORE_FOLDER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct found {
    uint64_t block_id;
    uint64_t gen_stamp; /* meta */
    uint64_t bytes;     /* data */
    uint64_t names;     /* data: of the same file, wherever they are */
    bool is_meta;
};
struct folder_list { /* sorted: of one block the data file first, then meta files by stamp */
    struct found *items;
    size_t count, capacity;
};

/* Replaces what the list held; its memory is used again. */
int folder_list_read(const char *dir, struct folder_list *list, struct err *reterr) MUST_CHECK;
const struct found *folder_list_meta(const struct folder_list *list, uint64_t block_id); /* the newest, or NULL */
void folder_list_free(struct folder_list *list);

#endif
