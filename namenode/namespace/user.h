/* Who is calling, and what mode bits and ACLs allow. */
#ifndef CAIRN_NAMENODE_NAMESPACE_USER_H
#define CAIRN_NAMENODE_NAMESPACE_USER_H

#include "common/user_groups.h"
#include "namenode/namespace/txn.h"

#define NAME_KEPT_MAX 1024 /* bytes in a name of a user, group or client that comes into the store */

struct fs_user {
    const char *name;
    struct user_groups groups;
    bool is_super; /* the namenode's own user, a member of the supergroup, or permissions are off */
};

/* Looks the groups up, so outside the lock. name is borrowed. Any thread. */
void fs_user_load(struct fs_user *u, const struct fsdir *dir, const char *name);
bool fs_user_in_group(const struct fs_user *u, const char *group);

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
