/* The folder of dfs.namenode.name.dir: made on the first start, identified, locked against a second namenode.
 *
 *     in_use.lock   locked while a namenode runs
 *     VERSION       which version wrote it, and the cluster's ids
 *     meta/         the store
 *     formatting    there while a new folder is being made; a start that finds it begins again */
#ifndef CAIRN_NAMENODE_NAME_FOLDER_H
#define CAIRN_NAMENODE_NAME_FOLDER_H

#include "namenode/namenode.h"

struct name_folder {
    char path[4096];
    int lock_fd;
    bool is_new; /* made by this start */
};

struct format_options {
    bool force;             /* -force: an existing file system is thrown away without a question */
    bool ask;               /* may ask on the terminal */
    const char *cluster_id; /* NULL: a new one */
};
/* address: of the namenode, for the block pool's id. ERR_CONFIG, ERR_BUSY: messages name the folder and the remedy. */
int name_folder_open(const struct config *c, const char *address, struct name_folder *ret, struct namenode_ids *ret_ids,
                     struct err *reterr) MUST_CHECK;
int name_folder_format(const struct config *c, const char *address, const struct format_options *o,
                       struct namenode_ids *ret_ids, struct err *reterr) MUST_CHECK;
/* The store is in place: from now on it is an error if it is missing. */
int name_folder_finish(struct name_folder *f, const struct namenode_ids *ids, struct err *reterr) MUST_CHECK;
void name_folder_close(struct name_folder *f);
/* Is this the name of one of the files above? */
bool name_folder_needs(const char *name);
void name_folder_store_path(const struct name_folder *f, char *out, size_t out_size);

#endif
