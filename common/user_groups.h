/* Which groups a user is in: those that hadoop.user.group.static.mapping.overrides gives him, else those of this
 * machine's user database. Of the process, as the database is; answers are kept for five minutes. Any thread. */
#ifndef CAIRN_COMMON_USER_GROUPS_H
#define CAIRN_COMMON_USER_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#define USER_GROUPS_BYTES 16384 /* about a thousand names; what has no room is left out */

struct user_groups {
    size_t count, len;
    char names[USER_GROUPS_BYTES]; /* of len bytes: one behind the other, each with its NUL; the first is the primary */
};

/* Asks the database, which may take its time, unless the answer is still known. */
void user_groups_load(struct user_groups *ret, const char *name);
bool user_groups_has(const struct user_groups *g, const char *group);
/* The name behind `name`; of NULL the first. NULL: there are no more. */
const char *user_groups_next(const struct user_groups *g, const char *name);
void user_groups_forget(void); /* refreshUserToGroupsMappings */
/* Before the first user_groups_load(). The text is borrowed until the process ends. */
void user_groups_fix(const char *overrides);

#endif
