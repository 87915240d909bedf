/* Which groups a user is in: those that hadoop.user.group.static.mapping.overrides gives him, else those of this
 * machine's user database. Of the process, as the database is; answers are kept for five minutes. Any thread. */
#ifndef CAIRN_COMMON_USER_GROUPS_H
#define CAIRN_COMMON_USER_GROUPS_H

#include <stdbool.h>
#include <stddef.h>

#define USER_GROUPS_MAX 64

struct user_groups {
    size_t count;
    char names[USER_GROUPS_MAX][64];
};

/* Asks the database, which may take its time, unless the answer is still known. */
void user_groups_load(struct user_groups *ret, const char *name);
bool user_groups_has(const struct user_groups *g, const char *group);
void user_groups_forget(void); /* refreshUserToGroupsMappings */
/* Before the first user_groups_load(). The text is borrowed until the process ends. */
void user_groups_fix(const char *overrides);

#endif
