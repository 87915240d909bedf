/* Errors of the path itself, for every call that takes one; names and their lengths; a read-only file system. */
#include "check.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

/* ---- the calls. Each is tried on paths that must fail before anything is made or changed ---- */
static long call_open(const char *path)
{
    return open(path, O_RDONLY);
}
static long call_create(const char *path)
{
    return open(path, O_WRONLY | O_CREAT, 0644);
}
static long call_exclusive(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
}
static long call_mkdir(const char *path)
{
    return mkdir(path, 0755);
}
static long call_fifo(const char *path)
{
    return mkfifo(path, 0644);
}
static long call_device(const char *path)
{
    return mknod(path, S_IFREG | 0644, 0);
}
static long call_symlink(const char *path)
{
    return symlink("target", path);
}
static long call_link_to(const char *path)
{
    return link("file", path);
}
static long call_link_from(const char *path)
{
    return link(path, "new");
}
static long call_rename_to(const char *path)
{
    return rename("file", path);
}
static long call_rename_from(const char *path)
{
    return rename(path, "new");
}
static long call_unlink(const char *path)
{
    return unlink(path);
}
static long call_rmdir(const char *path)
{
    return rmdir(path);
}
static long call_chmod(const char *path)
{
    return chmod(path, 0600);
}
static long call_chown(const char *path)
{
    return chown(path, -1, -1);
}
static long call_lchown(const char *path)
{
    return lchown(path, -1, -1);
}
static long call_utimens(const char *path)
{
    return utimensat(AT_FDCWD, path, NULL, 0);
}
static long call_truncate(const char *path)
{
    return truncate(path, 0);
}
static long call_stat(const char *path)
{
    struct stat st;
    return stat(path, &st);
}
static long call_lstat(const char *path)
{
    struct stat st;
    return lstat(path, &st);
}
static long call_access(const char *path)
{
    return faccessat(AT_FDCWD, path, F_OK, AT_EACCESS);
}
static long call_readlink(const char *path)
{
    char target[10];
    return readlink(path, target, sizeof(target));
}
static long call_statfs(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs);
}
static long call_pathconf(const char *path)
{
    errno = 0;
    return pathconf(path, _PC_LINK_MAX);
}
static long call_chdir(const char *path)
{
    return chdir(path);
}
static long call_opendir(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY); /* opendir reads the path itself */
}
static long call_setxattr(const char *path)
{
    return setxattr(path, "user.x", "1", 1, 0);
}
static long call_getxattr(const char *path)
{
    return getxattr(path, "user.x", NULL, 0);
}
static long call_listxattr(const char *path)
{
    return listxattr(path, NULL, 0);
}
static long call_removexattr(const char *path)
{
    return removexattr(path, "user.x");
}

enum { MAKES = 1, CHANGES = 2 }; /* needs a name that is free; needs one that is there */
static const struct {
    const char *name;
    long (*call)(const char *path);
    int kind;
} calls[] = {
    {"open", call_open, 0},
    {"open O_CREAT", call_create, MAKES},
    {"open O_EXCL", call_exclusive, MAKES},
    {"mkdir", call_mkdir, MAKES},
    {"mkfifo", call_fifo, MAKES},
    {"mknod", call_device, MAKES},
    {"symlink", call_symlink, MAKES},
    {"link to", call_link_to, MAKES},
    {"link from", call_link_from, CHANGES},
    {"rename to", call_rename_to, MAKES},
    {"rename from", call_rename_from, CHANGES},
    {"unlink", call_unlink, CHANGES},
    {"rmdir", call_rmdir, CHANGES},
    {"chmod", call_chmod, CHANGES},
    {"chown", call_chown, CHANGES},
    {"lchown", call_lchown, CHANGES},
    {"utimensat", call_utimens, CHANGES},
    {"truncate", call_truncate, CHANGES},
    {"stat", call_stat, 0},
    {"lstat", call_lstat, 0},
    {"faccessat", call_access, 0},
    {"readlink", call_readlink, 0},
    {"statfs", call_statfs, 0},
    {"pathconf", call_pathconf, 0},
    {"chdir", call_chdir, 0},
    {"opendir", call_opendir, 0},
    {"setxattr", call_setxattr, CHANGES},
    {"getxattr", call_getxattr, 0},
    {"listxattr", call_listxattr, 0},
    {"removexattr", call_removexattr, CHANGES},
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

static char *joined(const char *first, const char *second)
{
    char *path = malloc(strlen(first) + strlen(second) + 1);
    return strcat(strcpy(path, first), second);
}

void subject_path_errors(void)
{
    put_file("file", "x");
    MUST(mkdir("closed", 0700));
    put_file("closed/file", "x");
    MUST(mkdir("alices", 0755));
    put_file("alices/file", "x");
    MUST(symlink("loop2", "loop"));
    MUST(symlink("loop", "loop2"));
    MUST(symlink("nowhere", "dangling"));
    char *long_name = repeated('n', NAME_MAX + 1), *long_path = repeated('/', PATH_MAX + 1);
    const struct {
        const char *what, *path;
        int error;
        enum who who;
    } bad[] = {
        {"the empty path", "", ENOENT, ROOT},
        {"a missing folder", "none/x", ENOENT, ROOT},
        {"a folder that is a dangling symlink", "dangling/x", ENOENT, ROOT},
        {"a file as a folder", "file/x", ENOTDIR, ROOT},
        {"a name of 256 bytes", long_name, ENAMETOOLONG, ROOT},
        {"a folder of 256 bytes", joined(long_name, "/x"), ENAMETOOLONG, ROOT},
        {"a path of more than PATH_MAX", joined(long_path, "x"), ENAMETOOLONG, ROOT},
        {"a folder in a loop of symlinks", "loop/x", ELOOP, ROOT},
        {"a folder without search permission", "closed/file", EACCES, ALICE},
        {"a bad address", (const char *)1, EFAULT, ROOT},
    };
    for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++)
        for (size_t c = 0; c < CALLS; c++)
            AS(bad[b].who)
    check_row(bad[b].error, 0, calls[c].call(bad[b].path), "%s: %s", calls[c].name, bad[b].what);
    /* A folder that may not be written: nothing is made there, nothing goes. */
    MUST(mkdir("bobs", 0777));
    MUST(chown("bobs", BOB_ID, BOB_ID));
    AS(BOB) put_file("bobs/file", "x");
    MUST(chmod("bobs", 0555));
    for (size_t c = 0; c < CALLS; c++)
        if (calls[c].kind == MAKES && calls[c].call != call_link_to && calls[c].call != call_rename_to)
            AS(BOB)
    check_row(EACCES, 0, calls[c].call("bobs/new"), "%s: a folder without write permission", calls[c].name);
    AS(BOB)
    {
        FAILS(EACCES, link("bobs/file", "bobs/new"));
        FAILS(EACCES, rename("bobs/file", "bobs/new"));
        FAILS(EACCES, unlink("bobs/file"));
    }
    MUST(chmod("bobs", 0777));
    AS(BOB) MUST(mkdir("bobs/d", 0777));
    MUST(chmod("bobs", 0555));
    AS(BOB) FAILS(EACCES, rmdir("bobs/d"));
}

void subject_names(void)
{
    char *longest = repeated('n', NAME_MAX);
    OK(close(creat(longest, 0644)), "name of 255 bytes");
    HOLDS(exists(longest));
    OK(mkdir(repeated('d', NAME_MAX), 0755), "name of 255 bytes");
    OK(rename(longest, repeated('r', NAME_MAX)), "names of 255 bytes");
    OK(link(repeated('r', NAME_MAX), longest), "names of 255 bytes");
    OK(symlink("x", repeated('s', NAME_MAX)), "name of 255 bytes");
    FAILS(ENAMETOOLONG, creat(repeated('n', NAME_MAX + 1), 0644), "name of 256 bytes");
    static const char *odd[] = {"with space", "-dash",     "new\nline", "\\back\\",  "*?[]",    "tab\t",
                                "\x01\x7f",   "\xc3\xa4",  "\xff\xfe",  "a:b",       ".hidden", "...",
                                "%s%n",       ".snapshot", "con",       "trailing.", "'\""};
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        check_row(0, 0, close(creat(odd[i], 0644)), "creat of odd name %zu", i);
        DIR *dir = opendir(".");
        bool found = false;
        for (struct dirent *e; dir && (e = readdir(dir));)
            found = found || !strcmp(e->d_name, odd[i]);
        check_row(0, 0, found ? 0 : -1, "readdir gives odd name %zu back", i);
        check_row(0, 0, unlink(odd[i]), "unlink of odd name %zu", i);
    }
    put_file("lower", "x");
    HOLDS(!exists("LOWER"), "names are case sensitive");

    /* The longest path: PATH_MAX counts the NUL. */
    char path[PATH_MAX + 1] = "";
    while (strlen(path) + 202 < PATH_MAX - 1) {
        strcat(strcat(path, *path ? "/" : ""), repeated('p', 200));
        MUST(mkdir(path, 0755));
    }
    strcat(path, "/");
    strcat(path, repeated('q', PATH_MAX - 1 - strlen(path)));
    OK(close(creat(path, 0644)), "path of PATH_MAX - 1 bytes");
    OK(unlink(path), "path of PATH_MAX - 1 bytes");
    FAILS(ENAMETOOLONG, creat(strcat(path, "q"), 0644), "path of PATH_MAX bytes");

    /* A chain of 40 symbolic links is followed, one of 41 is not. */
    put_file("chain0", "x");
    for (int i = 1; i <= 41; i++) {
        char from[20], to[20];
        sprintf(from, "chain%d", i - 1);
        sprintf(to, "chain%d", i);
        MUST(symlink(from, to));
    }
    OK(access("chain40", F_OK));
    FAILS(ELOOP, access("chain41", F_OK));
    FAILS(ELOOP, open("chain1", O_RDONLY | O_NOFOLLOW));
}

/* A read-only view of the same folder, in a mount namespace of its own. */
void subject_read_only(void)
{
    put_file("file", "x");
    MUST(mkdir("dir", 0755));
    MUST(setxattr("file", "user.x", "1", 1, 0));
    MUST(mkdir("view", 0755));
    MUST(unshare(CLONE_NEWNS));
    MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    MUST(mount(".", "view", NULL, MS_BIND, NULL));
    FAILS(EBUSY, rmdir("view"), "a mount point");
    FAILS(EBUSY, rename("view", "elsewhere"), "a mount point");
    FAILS(EXDEV, link("file", "view/new"), "another mount");
    FAILS(EXDEV, rename("file", "view/new"), "another mount");
    MUST(mount(NULL, "view", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
    MUST(chdir("view"));
    for (size_t c = 0; c < CALLS; c++) {
        if (calls[c].kind == MAKES)
            check_row(EROFS, 0, calls[c].call("new"), "%s on a read-only file system", calls[c].name);
        else if (calls[c].kind == CHANGES)
            check_row(EROFS, 0, calls[c].call(calls[c].call == call_rmdir ? "dir" : "file"),
                      "%s on a read-only file system", calls[c].name);
    }
    FAILS(EROFS, open("file", O_WRONLY));
    FAILS(EROFS, open("file", O_RDWR));
    FAILS(EROFS, open("file", O_RDONLY | O_TRUNC));
    FAILS(EROFS, open(".", O_RDWR | O_TMPFILE, 0600));
    FAILS(EROFS, access("file", W_OK));
    OK(open("file", O_RDONLY));
    OK(open("file", O_RDONLY | O_CREAT, 0644));
    MUST(chdir(".."));
    MUST(umount2("view", MNT_DETACH));
}
