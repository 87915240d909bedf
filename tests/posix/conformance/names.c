/* link, symlink, unlink, mkdir, rmdir, mknod, rename, renameat2, and files that are open while their names go. */
#include "check.h"

#include <dirent.h>
#include <sys/sysmacros.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool same_file(const char *a, const char *b)
{
    return stat_of(a).st_ino == stat_of(b).st_ino;
}

/* A free name on another file system. */
/* A name on another device that nobody has: a file system that copies instead of refusing leaves one. */
static const char *other_device(void)
{
    static char path[64];
    const char *folder = stat_of("/dev/shm").st_dev != stat_of(".").st_dev ? "/dev/shm" : "/var/tmp";
    snprintf(path, sizeof path, "%s/cairn-conformance-%d", folder, getpid());
    unlink(path);
    return path;
}

void subject_link(void)
{
    put_file("f", "linked");
    MUST(mkdir("d", 0755));
    MUST(symlink("f", "s"));
    MUST(mkfifo("fifo", 0644));
    OK(link("f", "d/g"));
    IS(2, stat_of("f").st_nlink);
    HOLDS(same_file("f", "d/g"));
    int fd = MUST(open("d/g", O_WRONLY | O_APPEND));
    MUST(write(fd, "!", 1));
    HOLDS(file_has("f", "linked!", 7), "written through the other name");
    MUST(chmod("f", 0600));
    IS(0600, mode_of("d/g"), "changed through the other name");
    OK(unlink("f"));
    IS(1, stat_of("d/g").st_nlink, "one name is gone");
    OK(link("d/g", "f"), "back");
    OK(link("s", "s2"));
    HOLDS(S_ISLNK(stat_of("s2").st_mode) && same_file("s", "s2"), "link does not follow a symlink");
    OK(linkat(AT_FDCWD, "s", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    HOLDS(same_file("followed", "f"), "AT_SYMLINK_FOLLOW");
    OK(link("fifo", "fifo2"));
    int dir = MUST(open("d", O_RDONLY));
    OK(linkat(dir, "g", dir, "h", 0));
    FAILS(EEXIST, link("f", "d/g"));
    FAILS(EEXIST, link("f", "d"));
    FAILS(EEXIST, link("f", "s"), "a symlink");
    FAILS(EPERM, link("d", "e"), "a directory");
    FAILS(ENOENT, link("none", "new"));
    FAILS(EINVAL, linkat(AT_FDCWD, "f", AT_FDCWD, "new", 1 << 20), "flags");
    FAILS(EBADF, linkat(999, "f", AT_FDCWD, "new", 0));
    FAILS(ENOTDIR, linkat(fd, "f", AT_FDCWD, "new", 0));
    FAILS(EXDEV, link("f", other_device()));
    MUST(unlink("followed"));
    watch("f"), watch("."), watch("d");
    MUST(link("f", "d/new"));
    STAMPS(CTIME, "f", "link");
    STAMPS(MTIME | CTIME, "d", "link into it");
    STAMPS(0, ".", "link from it");
    watch("f"), (void)!link("f", "d/new"), STAMPS(0, "f", "link that failed");
}

void subject_symlink(void)
{
    char buffer[PATH_MAX + 1], *long_target = repeated('t', PATH_MAX - 1);
    OK(symlink("some/where", "s"));
    IS(10, stat_of("s").st_size);
    IS(0777, mode_of("s"));
    IS(10, readlink("s", buffer, sizeof(buffer)));
    HOLDS(!memcmp(buffer, "some/where", 10));
    IS(4, readlink("s", buffer, 4), "cut to the buffer");
    FAILS(EINVAL, readlink("s", buffer, 0));
    OK(symlink(long_target, "long"));
    IS(PATH_MAX - 1, readlink("long", buffer, sizeof(buffer)));
    HOLDS(!memcmp(buffer, long_target, PATH_MAX - 1));
    FAILS(ENAMETOOLONG, symlink(repeated('t', PATH_MAX), "longer"));
    FAILS(ENOENT, symlink("", "empty"));
    FAILS(EEXIST, symlink("x", "s"));
    put_file("f", "x");
    FAILS(EEXIST, symlink("x", "f"));
    FAILS(EINVAL, readlink("f", buffer, 10), "a file");
    FAILS(EINVAL, readlink(".", buffer, 10), "a directory");
    FAILS(ENOENT, readlink("none", buffer, 10));
    MUST(mkdir("d", 0755));
    MUST(symlink("d", "to_d"));
    put_file("to_d/x", "x");
    HOLDS(exists("d/x"), "made through a symlink to a folder");
    MUST(symlink("../f", "d/up"));
    HOLDS(file_has("d/up", "x", 1), "relative to the folder of the symlink");
    AS(ALICE) IS(10, readlink("s", buffer, sizeof(buffer)), "anyone may read it");
    watch(".");
    MUST(symlink("x", "new"));
    STAMPS(MTIME | CTIME, ".", "symlink");
    watch("new"), MUST(readlink("new", buffer, 10)), STAMPS(ATIME, "new", "readlink");
}

void subject_unlink(void)
{
    put_file("f", "x");
    MUST(mkdir("d", 0755));
    MUST(symlink("d", "s"));
    MUST(mkfifo("fifo", 0644));
    check_row(EISDIR, EPERM, unlink("d"), "unlink of a directory");
    FAILS(ENOTDIR, rmdir("s"), "a symlink to a directory");
    OK(unlink("s"), "a symlink");
    HOLDS(exists("d"), "unlink of a symlink to it");
    OK(unlink("fifo"), "a FIFO");
    OK(unlink("f"));
    HOLDS(!exists("f"));
    FAILS(ENOENT, unlink("f"), "it is gone");
    put_file("g", "x");
    FAILS(ENOTDIR, unlink("g/"));
    FAILS(EINVAL, unlinkat(AT_FDCWD, "g", 1), "flags");
    OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    MUST(link("g", "h"));
    watch("h"), watch(".");
    MUST(unlink("g"));
    STAMPS(CTIME, "h", "unlink of its other name");
    STAMPS(MTIME | CTIME, ".", "unlink");
    watch("."), (void)!unlink("none"), STAMPS(0, ".", "unlink that failed");
}

void subject_directories(void)
{
    OK(mkdir("d", 0750));
    HOLDS(S_ISDIR(stat_of("d").st_mode));
    IS(0750, mode_of("d"));
    umask(077);
    OK(mkdir("masked", 0777), "umask 077");
    IS(0700, mode_of("masked"));
    umask(022);
    OK(mkdir("sticky", 01777));
    IS(01755, mode_of("sticky"));
    IS(2, stat_of("d").st_nlink, "an empty directory");
    OK(mkdir("d/e", 0755));
    IS(3, stat_of("d").st_nlink, "with one below");
    OK(mkdir("d/f", 0755));
    IS(4, stat_of("d").st_nlink, "with two below");
    put_file("d/g", "x");
    IS(4, stat_of("d").st_nlink, "files do not count");
    HOLDS(same_file("d", "d/.") && same_file("d", "d/e/.."), ". and ..");
    check_row(ENOTEMPTY, EEXIST, rmdir("d"), "rmdir of a directory that is not empty");
    check_row(ENOTEMPTY, EEXIST, rmdir("d/e/.."), "rmdir of ..");
    FAILS(EINVAL, rmdir("d/e/."));
    FAILS(ENOTDIR, rmdir("d/g"));
    FAILS(ENOENT, rmdir("none"));
    FAILS(EEXIST, mkdir("d", 0755));
    FAILS(EEXIST, mkdir("d/g", 0755), "a file");
    FAILS(EEXIST, mkdir("d/.", 0755));
    MUST(symlink("nowhere", "dangling"));
    FAILS(EEXIST, mkdir("dangling", 0755));
    OK(mkdir("slash/", 0755));
    OK(rmdir("slash/"));
    OK(rmdir("d/e"));
    IS(3, stat_of("d").st_nlink, "one below is gone");
    OK(rename("d/f", "moved"));
    IS(2, stat_of("d").st_nlink, "the last below was moved away");
    HOLDS(same_file("moved/..", "."), ".. follows a rename");

    watch(".");
    MUST(mkdir("new", 0755));
    STAMPS(MTIME | CTIME, ".", "mkdir");
    watch("."), MUST(rmdir("new")), STAMPS(MTIME | CTIME, ".", "rmdir");
    watch("d"), (void)!mkdir("d/g", 0755), STAMPS(0, "d", "mkdir that failed");
    AS(ALICE) MUST(mkdir("alices", 0755));
    HOLDS(stat_of("alices").st_uid == ALICE_ID && stat_of("alices").st_gid == ALICE_ID,
          "owner and group of who made it");

    /* a directory that was removed while it is open and the working directory */
    MUST(mkdir("here", 0755));
    int fd = MUST(open("here", O_RDONLY));
    MUST(chdir("here"));
    MUST(rmdir("../here"));
    FAILS(ENOENT, creat("x", 0644), "in a directory that was removed");
    FAILS(ENOENT, mkdirat(fd, "x", 0755), "in a directory that was removed");
    struct stat st;
    OK(fstat(fd, &st), "a directory that was removed");
    IS(0, st.st_nlink, "a directory that was removed");
}

static long bind_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, sizeof(address));
}

static bool talk_through_fifo(int number)
{
    char buffer[6] = "";
    int fd = open("fifo", number ? O_RDONLY : O_WRONLY); /* waits for the other */
    return number ? read(fd, buffer, 5) == 5 && !strcmp(buffer, "hello") : write(fd, "hello", 5) == 5;
}

void subject_mknod(void)
{
    OK(mkfifo("fifo", 0666));
    HOLDS(S_ISFIFO(stat_of("fifo").st_mode));
    IS(0644, mode_of("fifo"), "umask 022");
    HOLDS(in_processes(2, talk_through_fifo));
    OK(mknod("file", S_IFREG | 0600, 0));
    HOLDS(S_ISREG(stat_of("file").st_mode));
    OK(mknod("char", S_IFCHR | 0600, makedev(1, 3)));
    HOLDS(S_ISCHR(stat_of("char").st_mode));
    IS(makedev(1, 3), stat_of("char").st_rdev);
    OK(mknod("block", S_IFBLK | 0600, makedev(259, 1048575)));
    HOLDS(S_ISBLK(stat_of("block").st_mode));
    IS(makedev(259, 1048575), stat_of("block").st_rdev);
    OK(mknod("node_socket", S_IFSOCK | 0600, 0));
    HOLDS(S_ISSOCK(stat_of("node_socket").st_mode));
    OK(bind_socket("socket"));
    HOLDS(S_ISSOCK(stat_of("socket").st_mode), "bind");
    FAILS(EEXIST, mknod("fifo", S_IFIFO | 0644, 0));
    FAILS(EEXIST, mkfifo("file", 0644));
    FAILS(EPERM, mknod("dir", S_IFDIR | 0755, 0), "a directory");
    FAILS(EINVAL, mknod("odd", S_IFLNK | 0755, 0), "a symlink");
    AS(ALICE)
    {
        FAILS(EPERM, mknod("c2", S_IFCHR | 0600, makedev(1, 3)), "not root");
        FAILS(EPERM, mknod("b2", S_IFBLK | 0600, makedev(1, 3)), "not root");
        OK(mkfifo("alices", 0644), "not root");
        IS(ALICE_ID, stat_of("alices").st_uid);
    }
    int fd = open("char", O_WRONLY);
    HOLDS(fd < 0 ? errno == EACCES : write(fd, "x", 1) == 1, "/dev/null by another name, unless mounted nodev");
    FAILS(ENOTDIR, openat(MUST(open("file", O_RDONLY)), "x", O_RDONLY));
    watch("."), MUST(mkfifo("new", 0644)), STAMPS(MTIME | CTIME, ".", "mkfifo");
}

/* ---- rename ---- */
/* A name of each kind, made anew: f a file, e an empty directory, n one that is not empty, s a symlink, p a FIFO. */
static void make_kind(char kind, const char *path)
{
    char below[64];
    snprintf(below, sizeof(below), "%s/x", path);
    if (kind == 'f')
        put_file(path, "x");
    else if (kind == 's')
        MUST(symlink("nowhere", path));
    else if (kind == 'p')
        MUST(mkfifo(path, 0644));
    else
        MUST(mkdir(path, 0755));
    if (kind == 'n')
        put_file(below, "x");
}

static void remove_kind(const char *path)
{
    char below[64];
    snprintf(below, sizeof(below), "%s/x", path);
    unlink(below);
    (void)remove(path);
}

static void rename_kinds(void)
{
    static const char kinds[] = "fenps",
                      *names[] = {"a file", "an empty directory", "a full directory", "a FIFO", "a symlink"};
    for (int from = 0; kinds[from]; from++)
        for (int to = 0; kinds[to]; to++) {
            bool from_dir = from == 1 || from == 2, to_dir = to == 1 || to == 2;
            int error = from_dir && !to_dir ? ENOTDIR : !from_dir && to_dir ? EISDIR : to == 2 ? ENOTEMPTY : 0;
            make_kind(kinds[from], "from");
            make_kind(kinds[to], "to");
            ino_t ino = stat_of("from").st_ino;
            check_row(error, error == ENOTEMPTY ? EEXIST : 0, rename("from", "to"), "rename of %s over %s", names[from],
                      names[to]);
            check_row(0, 0,
                      stat_of(error ? "from" : "to").st_ino == ino && exists("to") && exists("from") == !!error ? 0
                                                                                                                : -1,
                      "what is there after a rename of %s over %s", names[from], names[to]);
            remove_kind("from");
            remove_kind("to");
        }
}

void subject_rename(void)
{
    rename_kinds();
    put_file("f", "x");
    MUST(mkdir("d", 0755));
    MUST(mkdir("d/e", 0755));
    ino_t ino = stat_of("f").st_ino;
    OK(rename("f", "d/g"));
    HOLDS(!exists("f") && stat_of("d/g").st_ino == ino);
    FAILS(ENOENT, rename("f", "h"), "it is gone");
    FAILS(EINVAL, rename("d", "d/e/below"));
    FAILS(EINVAL, rename("d", "d/below"));
    check_row(EISDIR, ENOTEMPTY, rename("d/g", "d"), "rename of a file over its folder");
    check_row(EINVAL, EBUSY, rename("d/.", "x"), "rename of .");
    check_row(EINVAL, EBUSY, rename("d/e/..", "x"), "rename of ..");
    FAILS(EXDEV, rename("d/g", other_device()));
    FAILS(ENOTDIR, rename("d/g", "new/"));
    OK(rename("d/e", "e/"), "a directory to a name with a slash");
    OK(rename("e", "e"), "to itself");
    MUST(mkdir("over", 0755));
    int over = MUST(open("over", O_RDONLY));
    struct stat st = {.st_nlink = 9};
    OK(rename("e", "over"), "a directory over an empty one");
    OK(fstat(over, &st), "a directory that was replaced");
    IS(0, st.st_nlink, "a directory that was replaced");
    MUST(link("d/g", "other"));
    OK(rename("d/g", "other"), "two links to one file");
    HOLDS(exists("d/g") && exists("other"), "rename of one link over the other does nothing");
    IS(2, stat_of("other").st_nlink);
    put_file("replaced", "old");
    int fd = MUST(open("replaced", O_RDONLY));
    MUST(link("replaced", "replaced2"));
    OK(rename("d/g", "replaced"));
    IS(1, stat_of("replaced2").st_nlink, "its other name was replaced");
    char buffer[4];
    IS(3, read(fd, buffer, 4), "a replaced file that is open");
    MUST(symlink("replaced2", "s"));
    OK(rename("s", "s2"));
    HOLDS(S_ISLNK(stat_of("s2").st_mode), "rename does not follow symlinks");

    MUST(mkdir("to", 0755));
    MUST(mkdir("to/old", 0755));
    MUST(mkdir("moving", 0755));
    IS(3, stat_of("to").st_nlink);
    MUST(rename("moving", "to/old"));
    IS(3, stat_of("to").st_nlink, "a directory replaced one in it");
    put_file("f", "x");
    watch("f"), watch("."), watch("d");
    MUST(rename("f", "d/f"));
    STAMPS(MTIME | CTIME, ".", "rename out of it");
    STAMPS(MTIME | CTIME, "d", "rename into it");
    MUST(rename("d/f", "f"));
    STAMPS(CTIME, "f", "rename");
    watch("to"), MUST(rename("to", "to2")), MUST(rename("to2", "to")), STAMPS(CTIME, "to", "rename of a directory");
    watch("d"), (void)!rename("d/none", "d/x"), STAMPS(0, "d", "rename that failed");
}

void subject_renameat2(void)
{
    enum { C = AT_FDCWD };
    put_file("a", "aaa");
    put_file("b", "b");
    MUST(mkdir("d", 0755));
    put_file("d/x", "x");
    FAILS(EEXIST, renameat2(C, "a", C, "b", RENAME_NOREPLACE));
    HOLDS(file_has("a", "aaa", 3) && file_has("b", "b", 1), "after NOREPLACE was refused");
    FAILS(EEXIST, renameat2(C, "a", C, "a", RENAME_NOREPLACE));
    OK(renameat2(C, "a", C, "c", RENAME_NOREPLACE));
    HOLDS(file_has("c", "aaa", 3) && !exists("a"));
    FAILS(ENOENT, renameat2(C, "none", C, "x", RENAME_NOREPLACE));
    OK(renameat2(C, "b", C, "c", RENAME_EXCHANGE));
    HOLDS(file_has("b", "aaa", 3) && file_has("c", "b", 1), "exchanged");
    OK(renameat2(C, "b", C, "d", RENAME_EXCHANGE), "a file and a directory");
    HOLDS(file_has("d", "aaa", 3) && file_has("b/x", "x", 1));
    MUST(mkdir("deep", 0755));
    MUST(mkdir("deep/e", 0755));
    IS(3, stat_of("deep").st_nlink);
    OK(renameat2(C, "deep/e", C, "d", RENAME_EXCHANGE), "between folders");
    IS(2, stat_of("deep").st_nlink, "its directory was exchanged for a file");
    HOLDS(same_file("d/..", "."), ".. follows an exchange");
    FAILS(ENOENT, renameat2(C, "b", C, "none", RENAME_EXCHANGE));
    FAILS(ENOENT, renameat2(C, "none", C, "b", RENAME_EXCHANGE));
    FAILS(EINVAL, renameat2(C, "b", C, "c", RENAME_EXCHANGE | RENAME_NOREPLACE));
    FAILS(EINVAL, renameat2(C, "b", C, "b/x", RENAME_EXCHANGE), "a directory and what is below it");
    FAILS(EINVAL, renameat2(C, "b/x", C, "b", RENAME_EXCHANGE), "what is below it and a directory");
    FAILS(EINVAL, renameat2(C, "b", C, "c", 1 << 10), "flags");
    OK(renameat2(C, "c", C, "c", RENAME_EXCHANGE), "with itself");
    put_file("m", "m");
    put_file("n", "n");
    watch("m"), watch("n"), watch(".");
    MUST(renameat2(C, "m", C, "n", RENAME_EXCHANGE));
    STAMPS(MTIME | CTIME, ".", "exchange");
    STAMPS(CTIME, "m", "exchange");
    STAMPS(CTIME, "n", "exchange");
}

static bool is_whiteout(const char *path)
{
    struct stat st = stat_of(path);
    return S_ISCHR(st.st_mode) && (st.st_mode & 07777) == 0 && st.st_rdev == 0 && st.st_nlink == 1;
}

/* What overlayfs wants of the file system of its upper layer. */
void subject_whiteout(void)
{
    enum { C = AT_FDCWD };
    put_file("a", "a");
    put_file("b", "b");
    MUST(mkdir("d", 0755));
    MUST(mkdir("e", 0755));
    OK(renameat2(C, "a", C, "c", RENAME_WHITEOUT));
    HOLDS(file_has("c", "a", 1) && is_whiteout("a"));
    OK(renameat2(C, "c", C, "b", RENAME_WHITEOUT), "over another file");
    HOLDS(file_has("b", "a", 1) && is_whiteout("c"), "over another file");
    OK(renameat2(C, "b", C, "d/b", RENAME_WHITEOUT | RENAME_NOREPLACE), "into a folder");
    HOLDS(file_has("d/b", "a", 1) && is_whiteout("b"), "into a folder");
    OK(renameat2(C, "d", C, "e", RENAME_WHITEOUT), "a folder over an empty one");
    HOLDS(file_has("e/b", "a", 1) && is_whiteout("d"), "a folder over an empty one");
    FAILS(EEXIST, renameat2(C, "e", C, "a", RENAME_WHITEOUT | RENAME_NOREPLACE));
    FAILS(EINVAL, renameat2(C, "a", C, "b", RENAME_WHITEOUT | RENAME_EXCHANGE));
    FAILS(ENOENT, renameat2(C, "none", C, "b", RENAME_WHITEOUT));
    put_file("f", "f");
    put_file("open", "still here");
    int fd = MUST(open("open", O_RDONLY));
    OK(renameat2(C, "f", C, "open", RENAME_WHITEOUT), "over an open file");
    char bytes[16];
    IS(10, read(fd, bytes, sizeof bytes), "it was replaced by what left a whiteout");
    MUST(close(fd));
}

/* ---- open, and without a name ---- */
void subject_open_unlinked(void)
{
    put_file("f", "still here");
    int reader = MUST(open("f", O_RDONLY)), writer = MUST(open("f", O_RDWR));
    MUST(unlink("f"));
    HOLDS(!exists("f"));
    struct stat st;
    OK(fstat(reader, &st));
    IS(0, st.st_nlink);
    char buffer[32] = "";
    IS(10, read(reader, buffer, sizeof(buffer)));
    IS(6, pwrite(writer, " after", 6, 10));
    IS(16, pread(reader, buffer, sizeof(buffer), 0), "written after it was unlinked");
    OK(ftruncate(writer, 5));
    OK(fchmod(writer, 0600));
    OK(fsync(writer));
    OK(fstat(reader, &st));
    HOLDS(st.st_size == 5 && (st.st_mode & 07777) == 0600);
    put_file("f", "new");
    HOLDS(stat_of("f").st_ino != st.st_ino, "a new file of the same name is another");
    IS(5, pread(reader, buffer, sizeof(buffer), 0), "a new file has its name");
    FAILS(ENOENT, linkat(writer, "", AT_FDCWD, "again", AT_EMPTY_PATH));
    char path[64];
    sprintf(path, "/proc/self/fd/%d", reader);
    OK(open(path, O_RDONLY), "opened again through /proc");
    MUST(close(reader));
    IS(5, pread(writer, buffer, sizeof(buffer), 0), "another descriptor was closed");
    MUST(close(writer));

    /* its folder may go too */
    MUST(mkdir("d", 0755));
    put_file("d/f", "x");
    int fd = MUST(open("d/f", O_RDWR));
    MUST(unlink("d/f"));
    DIR *dir = opendir("d");
    int entries = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        entries += e->d_name[0] != '.' || e->d_name[1] > '.';
    IS(0, entries, "nothing hidden stays in the folder");
    OK(rmdir("d"));
    IS(1, pwrite(fd, "y", 1, 0), "its folder is gone");
    IS(1, pread(fd, buffer, 2, 0), "its folder is gone");
}
