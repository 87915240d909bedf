/* Compares disks and memory once in a while (dfs.datanode.directoryscan.interval), on a thread of its own. */
#ifndef CAIRN_DATANODE_STORE_DIRECTORY_SCANNER_H
#define CAIRN_DATANODE_STORE_DIRECTORY_SCANNER_H

#include "datanode/store/block_store.h"

struct directory_scanner;
struct directory_scanner_options {
    struct block_store *store;
    int64_t period_ms;
    /* Called on the scanner's thread. */
    void (*on_difference)(void *context, const struct store_difference *d);
    void (*on_sick)(void *context, size_t storage_index, const char *why);
    void *context;
};
int directory_scanner_start(const struct directory_scanner_options *options, struct directory_scanner **ret,
                            struct err *reterr) MUST_CHECK;
void directory_scanner_stop(struct directory_scanner *s); /* NULL is fine */

#endif
