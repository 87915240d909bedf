/* O_TMPFILE: files that have no name, and get one, or never. */
#include "check.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/xattr.h>

static nlink_t links_of(int fd)
{
    struct stat st;
    MUST(fstat(fd, &st));
    return st.st_nlink;
}

static bool holds(int fd, const char *text)
{
    char buffer[64];
    ssize_t length = pread(fd, buffer, sizeof(buffer), 0);
    return length == (ssize_t)strlen(text) && !memcmp(buffer, text, length);
}

/* The way without CAP_DAC_READ_SEARCH. */
static int name_it(int fd, const char *name)
{
    char path[64];
    sprintf(path, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static void bytes(void)
{
    int fd;
    struct stat st;
    char path[64];
    MUST(mkdir("empty", 0755));
    watch("empty");
    OK(fd = open("empty", O_RDWR | O_TMPFILE, 0640));
    STAMPS(0, "empty", "O_TMPFILE in it");
    OK(fstat(fd, &st));
    HOLDS(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0640 && st.st_nlink == 0 && st.st_size == 0, "O_TMPFILE");
    IS(7, write(fd, "unnamed", 7));
    OK(ftruncate(fd, 2));
    IS(3, pwrite(fd, "end", 3, 4));
    char buffer[8];
    IS(7, pread(fd, buffer, sizeof(buffer), 0), "without a name");
    HOLDS(!memcmp(buffer, "un\0\0end", 7), "without a name");
    char *mapped = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    OK(mapped == MAP_FAILED ? -1 : 0, "mmap of a file without a name");
    memcpy(mapped + 2, "--", 2);
    OK(msync(mapped, 7, MS_SYNC));
    OK(munmap(mapped, 7));
    HOLDS(holds(fd, "un--end"), "written through a mapping");
    OK(fsync(fd), "without a name");
    OK(fchmod(fd, 0604));
    OK(fsetxattr(fd, "user.x", "1", 1, 0), "without a name");
    IS(1, fgetxattr(fd, "user.x", buffer, sizeof(buffer)), "without a name");
    OK(flock(fd, LOCK_EX), "without a name");
    sprintf(path, "/proc/self/fd/%d", fd);
    int again = OK(again = open(path, O_RDWR)) ? again : -1;
    int second = dup(fd);
    OK(close(fd));
    OK(close(second));
    HOLDS(holds(again, "un--end"), "another descriptor is open");
    OK(fstat(again, &st));
    HOLDS(st.st_size == 7 && (st.st_mode & 07777) == 0604 && st.st_nlink == 0, "another descriptor is open");
    OK(rmdir("empty"), "an O_TMPFILE of it is open");
    IS(3, pwrite(again, "END", 3, 4), "its folder is gone");
    HOLDS(holds(again, "un--END"), "its folder is gone");
    OK(close(again));
    OK(fd = open(".", O_WRONLY | O_TMPFILE, 0));
    IS(1, write(fd, "x", 1), "O_TMPFILE with mode 0");
    OK(close(fd));
}

static void naming(void)
{
    int fd, other;
    MUST(mkdir("d", 0755));
    put_file("there", "x");
    OK(fd = open(".", O_RDWR | O_TMPFILE, 0600));
    IS(3, write(fd, "tmp", 3), "O_TMPFILE");
    FAILS(EEXIST, linkat(fd, "", AT_FDCWD, "there", AT_EMPTY_PATH), "O_TMPFILE");
    IS(0, links_of(fd), "it has got no name");
    watch("d");
    OK(linkat(fd, "", AT_FDCWD, "d/linked", AT_EMPTY_PATH), "O_TMPFILE");
    STAMPS(MTIME | CTIME, "d", "linkat of an O_TMPFILE");
    IS(1, links_of(fd), "it has a name");
    struct stat st;
    MUST(fstat(fd, &st));
    IS(st.st_ino, stat_of("d/linked").st_ino, "linkat of an O_TMPFILE");
    HOLDS(file_has("d/linked", "tmp", 3), "O_TMPFILE");
    IS(1, pwrite(fd, "T", 1, 0), "it has a name");
    OK(close(fd));
    HOLDS(file_has("d/linked", "Tmp", 3), "O_TMPFILE, closed");
    OK(link("d/linked", "second"));
    IS(2, stat_of("second").st_nlink, "an O_TMPFILE with two names");

    /* it had a name: without one it gets no other */
    OK(fd = open(".", O_RDWR | O_TMPFILE, 0600));
    IS(3, write(fd, "new", 3), "O_TMPFILE");
    OK(name_it(fd, "name"), "by /proc/self/fd");
    OK(unlink("name"));
    HOLDS(links_of(fd) == 0 && holds(fd, "new"), "an O_TMPFILE whose name went again");
    FAILS(ENOENT, name_it(fd, "name2"), "an O_TMPFILE whose name went again");
    OK(close(fd));

    OK(fd = open(".", O_RDWR | O_TMPFILE | O_EXCL, 0600));
    FAILS(ENOENT, linkat(fd, "", AT_FDCWD, "linked2", AT_EMPTY_PATH), "O_TMPFILE with O_EXCL");
    FAILS(ENOENT, name_it(fd, "linked2"), "O_TMPFILE with O_EXCL, by /proc/self/fd");
    OK(close(fd));

    OK(fd = open(".", O_RDWR | O_TMPFILE, 0600));
    OK(other = open(".", O_RDWR | O_TMPFILE, 0600));
    IS(1, write(fd, "1", 1), "two at once");
    IS(1, write(other, "2", 1), "two at once");
    OK(name_it(fd, "one"));
    OK(name_it(other, "two"));
    OK(close(fd));
    OK(close(other));
    HOLDS(file_has("one", "1", 1) && file_has("two", "2", 1), "two at once");
}

static void owners_and_modes(void)
{
    struct stat st;
    int fd;
    umask(027);
    OK(fd = open(".", O_RDWR | O_TMPFILE, 0666));
    OK(name_it(fd, "masked"));
    IS(0640, mode_of("masked"), "O_TMPFILE with umask 027");
    umask(0);
    OK(fd = open(".", O_RDWR | O_TMPFILE, 04755));
    OK(name_it(fd, "special"));
    IS(04755, mode_of("special"), "O_TMPFILE");
    umask(022);
    MUST(mkdir("setgid", 0777));
    MUST(chown("setgid", -1, ALICE_ID));
    MUST(chmod("setgid", 02777));
    AS(BOB)
    {
        OK(fd = open("setgid", O_RDWR | O_TMPFILE, 0666));
        OK(fstat(fd, &st));
        HOLDS(st.st_uid == BOB_ID && st.st_gid == ALICE_ID, "O_TMPFILE in a setgid directory");
        IS(0644, st.st_mode & 07777, "O_TMPFILE in a setgid directory");
        OK(name_it(fd, "setgid/bobs"), "of his own");
    }
    IS(BOB_ID, stat_of("setgid/bobs").st_uid, "O_TMPFILE");

    /* user::rwx, group::rwx, mask::rwx, other::r-x, and ALICE rwx, of a directory for what is made in it */
    static const struct {
        uint32_t version;
        struct {
            uint16_t tag, perm;
            uint32_t id;
        } entries[5];
    } acl = {2, {{1, 7, -1}, {2, 7, ALICE_ID}, {4, 7, -1}, {16, 7, -1}, {32, 5, -1}}};
    MUST(mkdir("acl", 0777));
    MUST(setxattr("acl", "system.posix_acl_default", &acl, sizeof(acl), 0));
    OK(fd = open("acl", O_RDWR | O_TMPFILE, 0660));
    OK(name_it(fd, "acl/f"));
    IS(0660, mode_of("acl/f"), "O_TMPFILE below a default ACL");
    char got[sizeof(acl)];
    IS(sizeof(acl), getxattr("acl/f", "system.posix_acl_access", got, sizeof(got)), "O_TMPFILE below a default ACL");
}

static void errors(void)
{
    put_file("f", "hello");
    MUST(symlink(".", "link"));
    MUST(mkdir("mine", 0755));
    FAILS(EINVAL, open(".", O_RDONLY | O_TMPFILE, 0600));
    FAILS(EINVAL, open(".", O_RDWR | O_TMPFILE | O_CREAT, 0600));
    FAILS(ENOENT, open("none", O_RDWR | O_TMPFILE, 0600));
    FAILS(ENOTDIR, open("f", O_RDWR | O_TMPFILE, 0600));
    OK(open("link", O_RDWR | O_TMPFILE, 0600), "a link to a directory");
    AS(ALICE)
    {
        FAILS(EACCES, open("mine", O_RDWR | O_TMPFILE, 0600));
    }
}

void subject_tmpfile(void)
{
    bytes();
    naming();
    owners_and_modes();
    errors();
}
