#include "common/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "common/compiler.h"
#include "common/mem.h"

#define ROOM_FIRST_BYTES 4096
#define ROOM_MAX_BYTES   (64u << 20)

struct room {
    char *bytes;
    size_t size;
};

static struct room room_new(void)
{
    return (struct room){mem_alloc(ROOM_FIRST_BYTES), ROOM_FIRST_BYTES};
}

static void room_free(struct room *r)
{
    free(r->bytes);
}

/* Whether it is worth asking again. */
static bool room_grows(struct room *r, int errnum)
{
    if (errnum != ERANGE || r->size >= ROOM_MAX_BYTES)
        return false;
    free(r->bytes);
    r->size *= 4;
    r->bytes = mem_alloc(r->size);
    return true;
}

bool account_user(const char *name, uid_t *ret_uid, gid_t *ret_gid)
{
    AUTO(room_free) struct room room = room_new();
    struct passwd entry, *found;
    int errnum;
    do
        errnum = getpwnam_r(name, &entry, room.bytes, room.size, &found);
    while (room_grows(&room, errnum));
    if (errnum || !found)
        return false;
    if (ret_uid)
        *ret_uid = found->pw_uid;
    if (ret_gid)
        *ret_gid = found->pw_gid;
    return true;
}

bool account_group(const char *name, gid_t *ret)
{
    AUTO(room_free) struct room room = room_new();
    struct group entry, *found;
    int errnum;
    do
        errnum = getgrnam_r(name, &entry, room.bytes, room.size, &found);
    while (room_grows(&room, errnum));
    if (errnum || !found)
        return false;
    *ret = found->gr_gid;
    return true;
}

char *account_user_name(uid_t uid)
{
    AUTO(room_free) struct room room = room_new();
    struct passwd entry, *found;
    int errnum;
    do
        errnum = getpwuid_r(uid, &entry, room.bytes, room.size, &found);
    while (room_grows(&room, errnum));
    return errnum || !found ? NULL : mem_strdup(found->pw_name);
}

char *account_group_name(gid_t gid)
{
    AUTO(room_free) struct room room = room_new();
    struct group entry, *found;
    int errnum;
    do
        errnum = getgrgid_r(gid, &entry, room.bytes, room.size, &found);
    while (room_grows(&room, errnum));
    return errnum || !found ? NULL : mem_strdup(found->gr_name);
}
