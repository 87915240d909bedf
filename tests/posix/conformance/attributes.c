/* chmod, chown, what clears setuid and setgid, utimensat, stat and its relatives, permissions as several users. */
#include "check.h"

#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

void subject_chmod(void)
{
    put_file("f", "x");
    for (mode_t mode = 0; mode <= 07777; mode = mode * 2 + 1)
        check_row(0, 0, !chmod("f", mode) && mode_of("f") == mode ? 0 : -1, "chmod to %04o", mode);
    MUST(symlink("f", "s"));
    OK(chmod("s", 0640));
    IS(0640, mode_of("f"), "chmod follows symlinks");
    IS(0777, mode_of("s"));
    OK(fchmod(MUST(open("f", O_RDONLY)), 0444));
    IS(0444, mode_of("f"), "fchmod");
    OK(fchmodat(AT_FDCWD, "f", 0604, 0));
    OK(chmod(".", 01777), "a directory");
    FAILS(EBADF, fchmod(999, 0644));
    FAILS(ENOENT, chmod("none", 0644));

    put_file("alices", "x");
    MUST(chown("alices", ALICE_ID, BOB_ID));
    AS(BOB) FAILS(EPERM, chmod("alices", 0777), "not the owner");
    AS(ALICE)
    {
        OK(chmod("alices", 04755), "the owner");
        IS(04755, mode_of("alices"));
        OK(chmod("alices", 02755), "the owner, not in the group");
        IS(0755, mode_of("alices"), "setgid is not set by one who is not in the group");
    }
    MUST(chown("alices", ALICE_ID, ALICE_ID));
    AS(ALICE)
    {
        OK(chmod("alices", 02755), "the owner, in the group");
        IS(02755, mode_of("alices"));
        OK(chmod("alices", 01644), "sticky on a file");
    }
    watch("f"), MUST(chmod("f", 0600)), STAMPS(CTIME, "f", "chmod");
    watch("f"), MUST(chmod("f", 0600)), STAMPS(CTIME, "f", "chmod to the same mode");
    watch("f");
    AS(ALICE)(void) !chmod("f", 0777);
    STAMPS(0, "f", "chmod that failed");
}

static bool owned_by(const char *path, uid_t uid, gid_t gid)
{
    struct stat st = stat_of(path);
    return st.st_uid == uid && st.st_gid == gid;
}

void subject_chown(void)
{
    put_file("f", "x");
    MUST(symlink("f", "s"));
    OK(chown("f", ALICE_ID, BOB_ID));
    HOLDS(owned_by("f", ALICE_ID, BOB_ID));
    OK(chown("f", -1, ALICE_ID));
    HOLDS(owned_by("f", ALICE_ID, ALICE_ID), "the group only");
    OK(chown("f", BOB_ID, -1));
    HOLDS(owned_by("f", BOB_ID, ALICE_ID), "the owner only");
    OK(chown("s", 0, 0));
    HOLDS(owned_by("f", 0, 0), "chown follows symlinks");
    OK(lchown("s", ALICE_ID, BOB_ID));
    HOLDS(owned_by("f", 0, 0) && owned_by("s", ALICE_ID, BOB_ID), "lchown does not");
    OK(fchown(MUST(open("f", O_RDONLY)), 4000000000u, 4000000001u));
    HOLDS(owned_by("f", 4000000000u, 4000000001u), "large ids");
    OK(fchownat(AT_FDCWD, "f", CAROL_ID, CAROL_ID, 0));
    FAILS(EBADF, fchown(999, 0, 0));
    FAILS(ENOENT, chown("none", 0, 0));
    AS(ALICE) FAILS(EPERM, chown("f", -1, ALICE_ID), "not the owner");
    AS(CAROL)
    {
        FAILS(EPERM, chown("f", ALICE_ID, -1), "the owner may not give it away");
        FAILS(EPERM, chown("f", -1, BOB_ID), "a group that the owner is not in");
        OK(chown("f", -1, ALICE_ID), "a supplementary group of the owner");
        OK(chown("f", CAROL_ID, CAROL_ID), "to what it is");
        OK(chown("f", -1, -1), "to nothing");
    }
    watch("f"), MUST(chown("f", ALICE_ID, ALICE_ID)), STAMPS(CTIME, "f", "chown");
    watch("f");
    AS(BOB)(void) !chown("f", BOB_ID, -1);
    STAMPS(0, "f", "chown that failed");
}

/* The mode that is left of 06xxx after Alice, who owns it, did something. */
static mode_t left_of(mode_t mode, void (*change)(void), enum who who)
{
    put_file("t", "program");
    MUST(chown("t", ALICE_ID, ALICE_ID));
    MUST(chmod("t", mode));
    AS(who) change();
    return mode_of("t");
}
static void change_write(void)
{
    int fd = MUST(open("t", O_WRONLY));
    MUST(write(fd, "x", 1));
    MUST(close(fd));
}
static void change_truncate(void)
{
    MUST(truncate("t", 1));
}
static void change_open_truncate(void)
{
    MUST(close(open("t", O_WRONLY | O_TRUNC)));
}
static void change_group(void)
{
    MUST(chown("t", -1, ALICE_ID));
}
static void change_nothing(void)
{
    MUST(chown("t", -1, -1));
}
static void change_times(void)
{
    MUST(utimensat(AT_FDCWD, "t", NULL, 0));
}
static void change_copy(void)
{
    put_file("source", "source");
    off_t in = 0, out = 0;
    MUST(copy_file_range(MUST(open("source", O_RDONLY)), &in, MUST(open("t", O_WRONLY)), &out, 6, 0));
}
static void change_link(void)
{
    unlink("t2");
    MUST(link("t", "t2"));
}

void subject_setid_clearing(void)
{
    IS(0777, left_of(06777, change_write, ALICE), "write by its owner");
    IS(0777, left_of(06777, change_write, BOB), "write by another");
    IS(06777, left_of(06777, change_write, ROOT), "write by root");
    IS(02666, left_of(06666, change_write, ALICE), "write: setgid without group execute stays");
    IS(0777, left_of(06777, change_truncate, ALICE));
    IS(0777, left_of(06777, change_open_truncate, ALICE));
    IS(0777, left_of(06777, change_group, ALICE), "chown by its owner");
    IS(0777, left_of(06777, change_group, ROOT), "chown by root");
    IS(02666, left_of(06666, change_group, ALICE), "setgid without group execute stays");
    IS(0777, left_of(06777, change_nothing, ALICE), "chown of nothing, on Linux");
    IS(06777, left_of(06777, change_times, ALICE));
    IS(06777, left_of(06777, change_link, ALICE));
    IS(0777, left_of(06777, change_copy, ALICE));
    MUST(mkdir("d", 0755));
    MUST(chmod("d", 06777));
    MUST(chown("d", ALICE_ID, ALICE_ID));
    IS(06777, mode_of("d"), "chown of a directory clears nothing");
}

static bool time_is(struct timespec is, long long seconds, long nanoseconds)
{
    return is.tv_sec == seconds && is.tv_nsec == nanoseconds;
}

static void set_times(void)
{
    enum { C = AT_FDCWD };
    put_file("f", "x");
    MUST(symlink("f", "s"));
    struct timespec both[2] = {{1234567890, 123456789}, {1400000000, 987654321}};
    OK(utimensat(C, "f", both, 0));
    struct stat st = stat_of("f");
    HOLDS(time_is(st.st_atim, 1234567890, 123456789), "nanoseconds");
    HOLDS(time_is(st.st_mtim, 1400000000, 987654321), "nanoseconds");
    struct timespec omit_atime[2] = {{0, UTIME_OMIT}, {1500000000, 1}},
                    omit_mtime[2] = {{1500000001, 2}, {0, UTIME_OMIT}};
    OK(utimensat(C, "f", omit_atime, 0));
    OK(utimensat(C, "f", omit_mtime, 0));
    st = stat_of("f");
    HOLDS(time_is(st.st_atim, 1500000001, 2) && time_is(st.st_mtim, 1500000000, 1), "UTIME_OMIT");
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    time_t before = time(NULL);
    OK(utimensat(C, "f", now, 0));
    st = stat_of("f");
    HOLDS(st.st_atime >= before && time_is(st.st_mtim, 1500000000, 1), "UTIME_NOW");
    OK(utimensat(C, "f", NULL, 0));
    HOLDS(stat_of("f").st_mtime >= before, "no times: now");
    struct timespec edge[2] = {{0, 0}, {4294967296ll, 999999999}};
    OK(utimensat(C, "f", edge, 0), "1970 and 2106");
    st = stat_of("f");
    HOLDS(time_is(st.st_atim, 0, 0) && time_is(st.st_mtim, 4294967296ll, 999999999));
    struct timespec early[2] = {{-86400, 5}, {-1, 999999999}};
    OK(utimensat(C, "f", early, 0), "before 1970");
    st = stat_of("f");
    HOLDS(time_is(st.st_atim, -86400, 5) && time_is(st.st_mtim, -1, 999999999));
    OK(utimensat(C, "s", both, AT_SYMLINK_NOFOLLOW));
    HOLDS(time_is(stat_of("s").st_mtim, 1400000000, 987654321) && stat_of("f").st_mtime == -1, "of the symlink itself");
    OK(futimens(MUST(open("f", O_RDONLY)), both));
    HOLDS(time_is(stat_of("f").st_mtim, 1400000000, 987654321), "futimens");
    OK(utimensat(C, ".", both, 0), "a directory");

    struct timespec bad[2] = {{0, 1000000000}, {0, 0}}, negative[2] = {{0, 0}, {0, -1}};
    FAILS(EINVAL, utimensat(C, "f", bad, 0));
    FAILS(EINVAL, utimensat(C, "f", negative, 0));
    FAILS(EINVAL, utimensat(C, "f", both, 1 << 20), "flags");
    FAILS(EBADF, futimens(999, both));

    watch("f"), MUST(utimensat(C, "f", NULL, 0)), STAMPS(ATIME | MTIME | CTIME, "f", "utimensat");
    watch("f"), MUST(utimensat(C, "f", now, 0)), STAMPS(ATIME | CTIME, "f", "utimensat of atime");
    struct timespec omit_omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    watch("f"), MUST(utimensat(C, "f", omit_omit, 0)), STAMPS(0, "f", "utimensat of nothing");
}

/* "Now" needs write permission, given times need the owner. */
static void who_may_set_times(void)
{
    enum { C = AT_FDCWD };
    struct timespec both[2] = {{1234567890, 123456789}, {1400000000, 987654321}};
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    struct timespec now_now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, omit_omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    put_file("alices", "x");
    MUST(chown("alices", ALICE_ID, ALICE_ID));
    MUST(chmod("alices", 0444));
    AS(ALICE)
    {
        OK(utimensat(C, "alices", both, 0), "the owner");
        OK(utimensat(C, "alices", NULL, 0), "the owner, without write permission");
    }
    AS(BOB)
    {
        FAILS(EPERM, utimensat(C, "alices", both, 0), "not the owner");
        FAILS(EACCES, utimensat(C, "alices", NULL, 0), "no write permission");
        FAILS(EACCES, utimensat(C, "alices", now_now, 0), "no write permission");
        OK(utimensat(C, "alices", omit_omit, 0), "nothing to change");
    }
    MUST(chmod("alices", 0646));
    AS(BOB)
    {
        OK(utimensat(C, "alices", NULL, 0), "write permission");
        OK(utimensat(C, "alices", now_now, 0), "write permission");
        FAILS(EPERM, utimensat(C, "alices", both, 0), "write permission, not the owner");
        FAILS(EPERM, utimensat(C, "alices", now, 0), "one time only: not the owner");
    }
}

/* A read moves atime when it is not later than the last change, and not again soon after. */
static void check_relatime(void)
{
    struct timespec both[2] = {{1234567890, 123456789}, {1400000000, 987654321}};
    char buffer[2];
    put_file("r", "x");
    int fd = MUST(open("r", O_RDONLY));
    MUST(utimensat(AT_FDCWD, "r", both, 0));
    clock_moves();
    MUST(pread(fd, buffer, 1, 0));
    struct stat first = stat_of("r");
    HOLDS(first.st_atime > 1500000000, "relatime: read after a change");
    clock_moves();
    MUST(pread(fd, buffer, 1, 0));
    struct stat st = stat_of("r");
    HOLDS(time_is(st.st_atim, first.st_atim.tv_sec, first.st_atim.tv_nsec), "relatime: read again");
    fd = MUST(open("r", O_RDONLY | O_NOATIME));
    MUST(utimensat(AT_FDCWD, "r", both, 0));
    clock_moves();
    MUST(pread(fd, buffer, 1, 0));
    HOLDS(time_is(stat_of("r").st_atim, 1234567890, 123456789), "O_NOATIME");
}

void subject_utimens(void)
{
    set_times();
    who_may_set_times();
    check_relatime();
}

void subject_stat(void)
{
    struct stat a, b;
    put_file("f", "hello");
    MUST(symlink("f", "s"));
    OK(stat("s", &a));
    OK(lstat("f", &b));
    HOLDS(a.st_ino == b.st_ino && a.st_dev == b.st_dev, "stat follows symlinks");
    OK(lstat("s", &b));
    HOLDS(S_ISLNK(b.st_mode) && b.st_size == 1);
    OK(fstat(MUST(open("f", O_RDONLY)), &b));
    HOLDS(a.st_ino == b.st_ino && a.st_size == 5 && a.st_nlink == 1 && a.st_uid == 0 && a.st_gid == 0 &&
          S_ISREG(a.st_mode));
    HOLDS(a.st_blksize >= 512);
    HOLDS(a.st_blksize <= 65536, "what Python reads to look at one byte");
    FAILS(EBADF, fstat(999, &a));
    FAILS(EBADF, fstatat(999, "f", &a, 0));
    FAILS(EINVAL, fstatat(AT_FDCWD, "f", &a, 1 << 24), "flags");
    OK(fstatat(AT_FDCWD, "", &a, AT_EMPTY_PATH));
    FAILS(ENOTDIR, stat("f/", &a));
    FAILS(ENOTDIR, stat("f/.", &a));
    OK(stat("s/", &a) == -1 && errno == ENOTDIR ? 0 : -1, "a symlink to a file, with a slash");
    struct statx x;
    OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
    HOLDS((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS && x.stx_size == 5 && x.stx_ino == stat_of("f").st_ino);
    FAILS(EINVAL, statx(AT_FDCWD, "f", 0, 1u << 31, &x), "mask");
    HOLDS(stat_of("f").st_dev == stat_of(".").st_dev, "one device");
    clock_moves();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_file("new", "x");
    a = stat_of("new");
    HOLDS(a.st_atime >= now.tv_sec - 1 && a.st_mtime >= now.tv_sec - 1 && a.st_ctime <= now.tv_sec + 60,
          "times of a new file are now");
    watch("f"), MUST(stat("f", &a)), STAMPS(0, "f", "stat");
    AS(ALICE) OK(stat("f", &a), "no permission on the file is needed");

    struct statfs fs;
    struct statvfs vfs;
    OK(statfs("f", &fs));
    OK(fstatfs(MUST(open("f", O_RDONLY)), &fs));
    HOLDS(fs.f_bsize > 0 && fs.f_blocks > 0 && fs.f_bfree <= fs.f_blocks && fs.f_bavail <= fs.f_bfree &&
          fs.f_ffree <= fs.f_files);
    IS(NAME_MAX, fs.f_namelen);
    OK(statvfs(".", &vfs));
    HOLDS(vfs.f_frsize > 0 && vfs.f_blocks > 0);
    IS(NAME_MAX, vfs.f_namemax);
    FAILS(EBADF, fstatfs(999, &fs));
    IS(NAME_MAX, pathconf(".", _PC_NAME_MAX));
    IS(PATH_MAX, pathconf(".", _PC_PATH_MAX));
    HOLDS(pathconf("f", _PC_LINK_MAX) >= 8, "_POSIX_LINK_MAX");
    HOLDS(pathconf("f", _PC_FILESIZEBITS) >= 32 || pathconf("f", _PC_FILESIZEBITS) == -1);
    IS(1, pathconf("f", _PC_CHOWN_RESTRICTED));
    IS(1, pathconf("f", _PC_NO_TRUNC));
    FAILS(EINVAL, pathconf(".", 9999));
    FAILS(EBADF, fpathconf(999, _PC_NAME_MAX));
}

/* ---- the matrix: who may read, write and execute a file and a directory of Alice's with each mode ---- */
static bool allowed(mode_t mode, enum who who, int wanted, bool directory)
{
    if (who == ROOT)
        return directory || !(wanted & X_OK) || mode & 0111;
    int bits = who == ALICE ? mode >> 6 : who == CAROL ? mode >> 3 : mode;
    return (bits & wanted) == wanted;
}

static long wrong_modes(bool directory, enum who who)
{
    long wrong = 0;
    const char *path = directory ? "d" : "f";
    for (mode_t mode = 0; mode <= 0777; mode++) {
        MUST(chmod(path, mode));
        AS(who)
        for (int wanted = 1; wanted <= 7; wanted++) {
            bool may = !faccessat(AT_FDCWD, path, wanted, AT_EACCESS);
            wrong += may != allowed(mode, who, wanted, directory);
        }
        AS(who)
        {
            int flags[] = {O_RDONLY, O_WRONLY, O_RDWR}, bits[] = {R_OK, W_OK, R_OK | W_OK};
            for (int i = 0; i < (directory ? 1 : 3); i++) {
                int fd = open(path, flags[i]);
                wrong += (fd >= 0) != allowed(mode, who, bits[i], directory);
                if (fd >= 0)
                    close(fd);
            }
            if (directory) {
                struct stat st;
                wrong += !stat("d/in", &st) != allowed(mode, who, X_OK, true);
                bool made = !mknod("d/new", S_IFREG, 0);
                wrong += made != allowed(mode, who, W_OK | X_OK, true);
                wrong += !unlink("d/new") != made;
            }
        }
    }
    return wrong;
}

void subject_permissions(void)
{
    put_file("f", "#!/bin/true\n");
    MUST(mkdir("d", 0755));
    put_file("d/in", "x");
    MUST(chown("f", ALICE_ID, ALICE_ID));
    MUST(chown("d", ALICE_ID, ALICE_ID));
    IS(0, wrong_modes(false, ALICE), "all modes of a file, its owner");
    IS(0, wrong_modes(false, CAROL), "all modes of a file, one in its group");
    IS(0, wrong_modes(false, BOB), "all modes of a file, another");
    IS(0, wrong_modes(false, ROOT), "all modes of a file, root");
    IS(0, wrong_modes(true, ALICE), "all modes of a directory, its owner");
    IS(0, wrong_modes(true, CAROL), "all modes of a directory, one in its group");
    IS(0, wrong_modes(true, BOB), "all modes of a directory, another");
    IS(0, wrong_modes(true, ROOT), "all modes of a directory, root");
}
