/* What a local client gets to read a replica by itself: two files that hold this replica and nothing else. */
#ifndef CAIRN_DATANODE_SERVE_PASSED_FILES_H
#define CAIRN_DATANODE_SERVE_PASSED_FILES_H

#include "datanode/store/block_store.h"

struct passed_files {
    int data_fd, meta_fd;
    bool made; /* of memory, for this client: a small replica shares its file with others' */
};
/* Borrows the reader's files if they are the replica's own. The client cannot change either kind. */
int passed_files_open(const struct replica_reader *r, struct passed_files *ret, struct err *reterr) MUST_CHECK;
void passed_files_close(struct passed_files *f);

#endif
