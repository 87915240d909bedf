/* The users and groups of this machine. A group comes with all of its members, so it may be of any size: an entry that
 * is larger than what was expected is asked for again. */
#ifndef CAIRN_COMMON_ACCOUNTS_H
#define CAIRN_COMMON_ACCOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

/* false: there is no such account, or the database does not answer. */
bool account_user(const char *name, uid_t *ret_uid, gid_t *ret_gid); /* either may be NULL */
bool account_group(const char *name, gid_t *ret);
/* The caller's to free; NULL: ditto. */
char *account_user_name(uid_t uid);
char *account_group_name(gid_t gid);

#endif
