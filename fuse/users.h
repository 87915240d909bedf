/* Who is asking: uid and gid <-> names, and one dfs object per user (permissions are the namenode's to check). Caches
 * are bounded; any thread may call. */
#ifndef CAIRN_FUSE_USERS_H
#define CAIRN_FUSE_USERS_H

#include <sys/types.h>

#include "client/lib/dfs.h"
#include "fuse/id_table.h"

struct users;

struct users_how {                /* names and numbers */
    bool as_numbers;              /* the accounts of this machine do not matter: numbers are names */
    const struct id_table *table; /* comes before either; borrowed for the life of users, NULL: none */
};
/* config borrowed for the life of users; uri NULL = fs.defaultFS. */
struct users *users_new(const struct config *config, const char *uri, const struct users_how *how);
void users_free(struct users *u);

/* A reference (dfs_unref) to the file system as that user; the mount's own user keeps its $HADOOP_USER_NAME. */
int users_dfs(struct users *u, uid_t uid, struct dfs **ret, struct err *reterr) MUST_CHECK;

/* Names without an account are numbers in both directions; unknown text becomes nobody/nogroup (65534). */
uid_t users_uid(struct users *u, const char *name);
gid_t users_gid(struct users *u, const char *name);
const char *users_uid_name(struct users *u, uid_t uid, struct arena *a);
const char *users_gid_name(struct users *u, gid_t gid, struct arena *a);

#endif
