/* Extended attributes, and POSIX ACLs, which are extended attributes with a meaning. */
#include "check.h"

#include <sys/xattr.h>

static bool has_value(const char *path, const char *name, const void *value, size_t length)
{
    char *buffer = malloc(XATTR_SIZE_MAX);
    ssize_t got = lgetxattr(path, name, buffer, XATTR_SIZE_MAX);
    bool same = got == (ssize_t)length && !memcmp(buffer, value, length);
    free(buffer);
    return same;
}

static bool is_listed(const char *path, const char *name)
{
    static char list[XATTR_LIST_MAX];
    ssize_t length = llistxattr(path, list, sizeof(list));
    for (ssize_t at = 0; at < length; at += strlen(list + at) + 1)
        if (!strcmp(list + at, name))
            return true;
    return false;
}

static void values_and_names(void)
{
    char buffer[100];
    put_file("f", "x");
    OK(setxattr("f", "user.a", "value", 5, 0));
    HOLDS(has_value("f", "user.a", "value", 5));
    OK(setxattr("f", "user.a", "other", 5, 0), "replaced");
    HOLDS(has_value("f", "user.a", "other", 5));
    OK(setxattr("f", "user.empty", "", 0, 0));
    HOLDS(has_value("f", "user.empty", "", 0));
    OK(setxattr("f", "user.binary", "\0\xff\n", 3, 0));
    HOLDS(has_value("f", "user.binary", "\0\xff\n", 3));
    HOLDS(is_listed("f", "user.a") && is_listed("f", "user.empty") && is_listed("f", "user.binary"));
    IS(5, getxattr("f", "user.a", NULL, 0), "its size");
    FAILS(ERANGE, getxattr("f", "user.a", buffer, 4));
    FAILS(ERANGE, listxattr("f", buffer, 1));
    HOLDS(listxattr("f", NULL, 0) >= 30, "the size of the list");
    FAILS(EEXIST, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
    OK(setxattr("f", "user.new", "x", 1, XATTR_CREATE));
    OK(setxattr("f", "user.new", "y", 1, XATTR_REPLACE));
    FAILS(ENODATA, setxattr("f", "user.none", "y", 1, XATTR_REPLACE));
    FAILS(EINVAL, setxattr("f", "user.a", "x", 1, 99));
    FAILS(ENODATA, getxattr("f", "user.none", buffer, 1));
    FAILS(ENODATA, removexattr("f", "user.none"));
    OK(removexattr("f", "user.new"));
    FAILS(ENODATA, getxattr("f", "user.new", buffer, 1));
    HOLDS(!is_listed("f", "user.new"), "removed");
    FAILS(EOPNOTSUPP, setxattr("f", "nonsense.a", "x", 1, 0));
    FAILS(EOPNOTSUPP, setxattr("f", "noprefix", "x", 1, 0));
    FAILS(EINVAL, setxattr("f", "user.", "x", 1, 0));
    FAILS(ERANGE, setxattr("f", "", "x", 1, 0));

    /* limits of the kernel */
    char *longest = repeated('n', XATTR_NAME_MAX), *longer = repeated('n', XATTR_NAME_MAX + 1);
    memcpy(longest, "user.", 5), memcpy(longer, "user.", 5);
    OK(setxattr("f", longest, "x", 1, 0), "a name of 255 bytes");
    HOLDS(has_value("f", longest, "x", 1), "a name of 255 bytes");
    FAILS(ERANGE, setxattr("f", longer, "x", 1, 0), "a name of 256 bytes");
    FAILS(E2BIG, setxattr("f", "user.big", repeated('v', XATTR_SIZE_MAX + 1), XATTR_SIZE_MAX + 1, 0));
    char *large = repeated('v', 2000);
    OK(setxattr("f", "user.large", large, 2000, 0));
    HOLDS(has_value("f", "user.large", large, 2000), "2000 bytes");
}

/* A file has room for so many; how many is the file system's to say. */
static void as_many_as_there_is_room_for(void)
{
    char name[32], *value = repeated('v', 1000);
    int set = 0, rc = 0;
    put_file("full", "x");
    while (rc == 0 && set < 100000) {
        snprintf(name, sizeof name, "user.%d", set);
        rc = setxattr("full", name, value, 1000, 0);
        set += rc == 0;
    }
    HOLDS(set > 0 && rc == -1 && errno == ENOSPC, "one attribute too many is ENOSPC");
    HOLDS(has_value("full", "user.0", value, 1000), "the others stay");
    OK(removexattr("full", "user.0"));
    OK(setxattr("full", "user.other", value, 1000, 0), "there is room again");
}

static void kinds_of_files(void)
{
    char buffer[10];
    MUST(mkdir("d", 0755));
    MUST(symlink("f", "s"));
    MUST(symlink("nowhere", "dangling"));
    MUST(mkfifo("fifo", 0666));
    OK(setxattr("d", "user.d", "x", 1, 0), "a directory");
    OK(setxattr("s", "user.s", "x", 1, 0), "follows symlinks");
    HOLDS(has_value("f", "user.s", "x", 1));
    FAILS(EPERM, lsetxattr("s", "user.s", "x", 1, 0), "user attributes of a symlink");
    FAILS(EPERM, setxattr("fifo", "user.p", "x", 1, 0), "user attributes of a FIFO");
    FAILS(ENOENT, setxattr("dangling", "user.x", "x", 1, 0));
    OK(lsetxattr("s", "trusted.s", "x", 1, 0), "a symlink");
    HOLDS(has_value("s", "trusted.s", "x", 1) && is_listed("s", "trusted.s"));
    HOLDS(!is_listed("f", "trusted.s"), "what is set of a symlink");
    OK(lsetxattr("dangling", "trusted.s", "x", 1, 0), "a symlink");
    OK(lsetxattr("dangling", "trusted.s", "yy", 2, XATTR_REPLACE), "a symlink");
    HOLDS(has_value("dangling", "trusted.s", "yy", 2) && !is_listed("dangling", "user.s"));
    OK(lremovexattr("dangling", "trusted.s"));
    HOLDS(!is_listed("dangling", "trusted.s"));
    int fd = MUST(open("f", O_RDONLY));
    OK(fsetxattr(fd, "user.fd", "x", 1, 0));
    IS(1, fgetxattr(fd, "user.fd", buffer, 9));
    HOLDS(flistxattr(fd, NULL, 0) > 0);
    OK(fremovexattr(fd, "user.fd"));
    FAILS(EBADF, fsetxattr(999, "user.fd", "x", 1, 0));
}

static void who_may(void)
{
    char buffer[10];
    OK(setxattr("f", "trusted.t", "secret", 6, 0));
    HOLDS(has_value("f", "trusted.t", "secret", 6) && is_listed("f", "trusted.t"));
    OK(setxattr("f", "security.cairn", "x", 1, 0));
    HOLDS(has_value("f", "security.cairn", "x", 1));
    MUST(chown("f", ALICE_ID, ALICE_ID));
    MUST(chmod("f", 0640));
    AS(ALICE)
    {
        OK(setxattr("f", "user.alice", "x", 1, 0), "the owner");
        FAILS(EPERM, setxattr("f", "trusted.t", "x", 1, 0));
        FAILS(ENODATA, getxattr("f", "trusted.t", buffer, 9));
        HOLDS(!is_listed("f", "trusted.t"), "trusted attributes are root's alone");
        FAILS(EPERM, setxattr("f", "security.cairn", "x", 1, 0));
        IS(1, getxattr("f", "security.cairn", buffer, 9), "anyone may read it");
    }
    AS(CAROL)
    {
        IS(1, getxattr("f", "user.alice", buffer, 9), "read permission");
        FAILS(EACCES, setxattr("f", "user.carol", "x", 1, 0));
        FAILS(EACCES, removexattr("f", "user.alice"));
    }
    AS(BOB)
    {
        FAILS(EACCES, getxattr("f", "user.alice", buffer, 9));
        FAILS(EACCES, setxattr("f", "user.bob", "x", 1, 0));
    }
    MUST(mkdir("t", 0777));
    MUST(chmod("t", 01777));
    AS(BOB) FAILS(EPERM, setxattr("t", "user.bob", "x", 1, 0), "a sticky directory of another");
}

void subject_xattr(void)
{
    char buffer[10];
    values_and_names();
    as_many_as_there_is_room_for();
    kinds_of_files();
    who_may();
    MUST(rename("f", "renamed"));
    HOLDS(has_value("renamed", "user.a", "other", 5), "they follow a rename");
    watch("renamed"), MUST(setxattr("renamed", "user.a", "z", 1, 0)), STAMPS(CTIME, "renamed", "setxattr");
    watch("renamed"), MUST(removexattr("renamed", "user.a")), STAMPS(CTIME, "renamed", "removexattr");
    watch("renamed"), (void)getxattr("renamed", "user.s", buffer, 9), STAMPS(0, "renamed", "getxattr");
}

/* ---- ACLs: entries as the kernel wants them, version 2, little endian ---- */
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
struct entry {
    uint16_t tag, perm;
    uint32_t id;
};
struct acl {
    uint32_t version;
    struct entry entries[8];
};
#define ANY UINT32_MAX
static const char access_name[] = "system.posix_acl_access", default_name[] = "system.posix_acl_default";

static long set_acl(const char *path, const char *name, int count, const struct entry *entries)
{
    struct acl acl = {.version = 2};
    memcpy(acl.entries, entries, count * sizeof(*entries));
    return setxattr(path, name, &acl, sizeof(uint32_t) + count * sizeof(*entries), 0);
}

static bool acl_is(const char *path, const char *name, int count, const struct entry *entries)
{
    struct acl acl;
    ssize_t got = getxattr(path, name, &acl, sizeof(acl));
    return got == (ssize_t)(sizeof(uint32_t) + count * sizeof(*entries)) && acl.version == 2 &&
           !memcmp(acl.entries, entries, count * sizeof(*entries));
}

#define SET(path, name, ...)                                                                                           \
    set_acl(path, name, sizeof((struct entry[]){__VA_ARGS__}) / sizeof(struct entry), (struct entry[]){__VA_ARGS__})
#define HAS(path, name, ...)                                                                                           \
    acl_is(path, name, sizeof((struct entry[]){__VA_ARGS__}) / sizeof(struct entry), (struct entry[]){__VA_ARGS__})

static bool may(const char *path, int mode)
{
    return !faccessat(AT_FDCWD, path, mode, AT_EACCESS);
}

static void access_acls(void)
{
    char buffer[100];
    put_file("f", "x");
    MUST(chown("f", 0, 0));
    MUST(chmod("f", 0640));
    FAILS(ENODATA, getxattr("f", access_name, buffer, sizeof(buffer)), "nothing beyond the mode");
    OK(SET("f", access_name, {USER_OBJ, 6, ANY}, {USER, 6, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {GROUP, 2, BOB_ID},
           {MASK, 6, ANY}, {OTHER, 0, ANY}),
       "with a user and a group");
    HOLDS(HAS("f", access_name, {USER_OBJ, 6, ANY}, {USER, 6, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {GROUP, 2, BOB_ID},
              {MASK, 6, ANY}, {OTHER, 0, ANY}),
          "read back");
    IS(0660, mode_of("f"), "the group bits are the mask");
    AS(ALICE) HOLDS(may("f", R_OK | W_OK) && open("f", O_RDWR) >= 0, "a named user");
    AS(BOB) HOLDS(may("f", W_OK) && !may("f", R_OK), "a named group");
    AS(CAROL) HOLDS(!may("f", R_OK), "another");
    OK(chmod("f", 0640), "the mask");
    HOLDS(HAS("f", access_name, {USER_OBJ, 6, ANY}, {USER, 6, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {GROUP, 2, BOB_ID},
              {MASK, 4, ANY}, {OTHER, 0, ANY}),
          "chmod of the group bits changes the mask");
    AS(ALICE) HOLDS(may("f", R_OK) && !may("f", W_OK), "the mask limits a named user");
    AS(BOB) HOLDS(!may("f", W_OK), "the mask limits a named group");
    OK(SET("f", access_name, {USER_OBJ, 6, ANY}, {GROUP_OBJ, 0, ANY}, {OTHER, 4, ANY}), "three entries are a mode");
    IS(0604, mode_of("f"));
    FAILS(ENODATA, getxattr("f", access_name, buffer, sizeof(buffer)), "three entries are a mode");
    MUST(SET("f", access_name, {USER_OBJ, 6, ANY}, {USER, 0, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {MASK, 4, ANY},
             {OTHER, 4, ANY}));
    AS(ALICE) HOLDS(!may("f", R_OK), "a named user with nothing, where others may read");
    OK(removexattr("f", access_name));
    IS(0644, mode_of("f"), "removed: the mode stays");
    AS(ALICE) HOLDS(may("f", R_OK), "removed");

    FAILS(EINVAL, SET("f", access_name, {USER_OBJ, 6, ANY}, {USER, 6, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {OTHER, 0, ANY}),
          "no mask");
    FAILS(EINVAL, SET("f", access_name, {USER_OBJ, 6, ANY}, {GROUP_OBJ, 4, ANY}), "no entry for others");
    FAILS(EINVAL, SET("f", access_name, {USER_OBJ, 15, ANY}, {GROUP_OBJ, 4, ANY}, {OTHER, 0, ANY}),
          "unknown permissions");
    FAILS(EINVAL, SET("f", access_name, {USER_OBJ, 6, ANY}, {OTHER, 0, ANY}, {GROUP_OBJ, 4, ANY}), "out of order");
    FAILS(EINVAL, SET("f", access_name, {USER_OBJ, 6, ANY}, {GROUP_OBJ, 4, ANY}, {99, 4, ANY}, {OTHER, 0, ANY}),
          "an unknown tag");
    FAILS(EINVAL, setxattr("f", access_name, "\2\0\0\0x", 5, 0), "half an entry");
    FAILS(EOPNOTSUPP, setxattr("f", access_name, "\1\0\0\0\1\0\6\0\xff\xff\xff\xff", 12, 0), "an unknown version");
    FAILS(EACCES, SET("f", default_name, {USER_OBJ, 6, ANY}, {GROUP_OBJ, 4, ANY}, {OTHER, 0, ANY}),
          "a default ACL of a file");
    AS(ALICE)
    FAILS(EPERM, SET("f", access_name, {USER_OBJ, 6, ANY}, {GROUP_OBJ, 4, ANY}, {OTHER, 6, ANY}), "not the owner");
    watch("f");
    MUST(SET("f", access_name, {USER_OBJ, 6, ANY}, {USER, 6, ALICE_ID}, {GROUP_OBJ, 4, ANY}, {MASK, 6, ANY},
             {OTHER, 0, ANY}));
    STAMPS(CTIME, "f", "setting its ACL");
}

static void default_acls(void)
{
    char buffer[100];
    MUST(mkdir("d", 0777));
    OK(SET("d", default_name, {USER_OBJ, 7, ANY}, {USER, 7, ALICE_ID}, {GROUP_OBJ, 5, ANY}, {MASK, 7, ANY},
           {OTHER, 0, ANY}),
       "a directory");
    FAILS(ENODATA, getxattr("d", access_name, buffer, sizeof(buffer)), "the default alone");
    umask(077);
    put_file("d/f", "x"); /* asks for 0644 */
    umask(022);
    HOLDS(HAS("d/f", access_name, {USER_OBJ, 6, ANY}, {USER, 7, ALICE_ID}, {GROUP_OBJ, 5, ANY}, {MASK, 4, ANY},
              {OTHER, 0, ANY}),
          "a file inherits it, cut by the mode and not by the umask");
    IS(0640, mode_of("d/f"));
    AS(ALICE) HOLDS(may("d/f", R_OK) && !may("d/f", W_OK), "an inherited entry");
    MUST(mkdir("d/sub", 0770));
    HOLDS(HAS("d/sub", access_name, {USER_OBJ, 7, ANY}, {USER, 7, ALICE_ID}, {GROUP_OBJ, 5, ANY}, {MASK, 7, ANY},
              {OTHER, 0, ANY}),
          "a directory inherits it for itself");
    HOLDS(HAS("d/sub", default_name, {USER_OBJ, 7, ANY}, {USER, 7, ALICE_ID}, {GROUP_OBJ, 5, ANY}, {MASK, 7, ANY},
              {OTHER, 0, ANY}),
          "and hands it on");
    AS(ALICE) HOLDS(may("d/sub", R_OK | W_OK | X_OK), "an inherited entry");
    MUST(symlink("x", "d/link"));
    IS(0777, mode_of("d/link"), "symlinks inherit nothing");
    MUST(mkfifo("d/fifo", 0666));
    IS(0660, mode_of("d/fifo"), "a FIFO, whatever the umask is");
    /* three entries: only a mode is inherited */
    MUST(mkdir("three", 0777));
    MUST(SET("three", default_name, {USER_OBJ, 7, ANY}, {GROUP_OBJ, 5, ANY}, {OTHER, 1, ANY}));
    umask(0);
    MUST(close(open("three/f", O_CREAT | O_WRONLY, 0666)));
    umask(022);
    IS(0640, mode_of("three/f"), "cut by a default ACL of three entries");
    FAILS(ENODATA, getxattr("three/f", access_name, buffer, sizeof(buffer)), "a default ACL of three entries");
    OK(removexattr("d", default_name));
    put_file("d/g", "x");
    FAILS(ENODATA, getxattr("d/g", access_name, buffer, sizeof(buffer)), "the default ACL was removed");
    IS(0644, mode_of("d/g"), "the umask counts again");
}

void subject_acl(void)
{
    access_acls();
    default_acls();
}
