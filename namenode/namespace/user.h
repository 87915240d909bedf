/* Who is calling, and what mode bits and ACLs allow. Groups come from this machine's user database, but for the users
 * that hadoop.user.group.static.mapping.overrides names. */
#ifndef CAIRN_NAMENODE_NAMESPACE_USER_H
#define CAIRN_NAMENODE_NAMESPACE_USER_H

#include "namenode/namespace/txn.h"

#define USER_GROUPS_MAX 64
#define USER_NAME_MAX   128
#define NAME_KEPT_MAX   1024 /* bytes in a name of a user, group or client that comes into the store */

struct fs_user {
    const char *name;
    size_t group_count;
    char groups[USER_GROUPS_MAX][64];
    bool is_super; /* the namenode's own user, a member of the supergroup, or permissions are off */
};

/* Looks the groups up, outside the lock (the answer is kept for five minutes). name is borrowed. Any thread. */
void fs_user_load(struct fs_user *u, const struct fsdir *dir, const char *name);
bool fs_user_in_group(const struct fs_user *u, const char *group);
void fs_user_forget_groups(void); /* refreshUserToGroupsMappings */
/* Before the first fs_user_load(). The text is borrowed until the process ends. */
void fs_user_fix_groups(const char *overrides);

enum access { /* FsAction's numbers: the bits rwx */
              ACCESS_NONE = 0,
              ACCESS_EXECUTE = 1,
              ACCESS_WRITE = 2,
              ACCESS_WRITE_EXECUTE = 3,
              ACCESS_READ = 4,
              ACCESS_READ_EXECUTE = 5,
              ACCESS_READ_WRITE = 6,
              ACCESS_ALL = 7,
};
bool access_allowed(const struct fs_user *u, const struct inode *n, unsigned access);
/* ERR_ACCESS in Hadoop's words; path: of the inode, for the message. */
int access_check(const struct fs_user *u, const struct inode *n, unsigned access, const char *path,
                 struct err *reterr) MUST_CHECK;
int access_check_owner(const struct fs_user *u, const struct inode *n, const char *path, struct err *reterr) MUST_CHECK;
/* May `child` be removed from (or renamed out of) `parent`, as far as the sticky bit goes? */
int access_check_sticky(const struct fs_user *u, const struct inode *parent, const struct inode *child,
                        const char *path, struct err *reterr) MUST_CHECK;
int access_check_super(const struct fs_user *u, struct err *reterr) MUST_CHECK;

#endif
