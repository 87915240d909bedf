/* What takes set-id bits and a capability from a file: every way to change its bytes, and its owner; by its owner, by
 * another, by one of its group, by root. attributes.c has the simplest of it. */
#include "check.h"

#include <linux/capability.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/xattr.h>

enum { PAGE = 4096 };

static char page[PAGE] __attribute__((aligned(PAGE)));

static bool change_write(int fd)
{
    return write(fd, "x", 1) == 1;
}
static bool change_pwrite(int fd)
{
    return pwrite(fd, "x", 1, 100) == 1;
}
static bool change_writev(int fd)
{
    struct iovec two[] = {{"x", 1}, {"y", 1}};
    return writev(fd, two, 2) == 2;
}
static bool change_append(int fd)
{
    return fcntl(fd, F_SETFL, O_APPEND) == 0 && write(fd, "x", 1) == 1;
}
static bool change_direct(int fd)
{
    return fcntl(fd, F_SETFL, O_DIRECT) == 0 && pwrite(fd, page, PAGE, 0) == PAGE;
}
static bool change_truncate(int fd)
{
    return ftruncate(fd, 3) == 0;
}
static bool change_truncate_to_same(int fd)
{
    return ftruncate(fd, PAGE) == 0;
}
static bool change_grow(int fd)
{
    return fallocate(fd, 0, 0, 3 * PAGE) == 0;
}
static bool change_punch(int fd)
{
    return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 100) == 0;
}
static bool change_copy(int fd)
{
    off_t in = 0, out = 0;
    int from = open("source", O_RDONLY);
    bool done = copy_file_range(from, &in, fd, &out, 6, 0) == 6;
    close(from);
    return done;
}
static bool change_mapped(int fd)
{
    char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return false;
    map[7] = 'M';
    return msync(map, PAGE, MS_SYNC) == 0 && munmap(map, PAGE) == 0;
}

static const struct change {
    const char *name;
    bool (*make)(int fd);
} changes[] = {{"write", change_write},
               {"pwrite", change_pwrite},
               {"writev", change_writev},
               {"append", change_append},
               {"direct write", change_direct},
               {"ftruncate", change_truncate},
               {"ftruncate to what it is", change_truncate_to_same},
               {"fallocate", change_grow},
               {"punching a hole", change_punch},
               {"copy_file_range", change_copy}};
enum { CHANGES = sizeof changes / sizeof *changes };
static const char *const who_name[] = {"root", "its owner", "another", "one of its group"};

/* Alice's, and open before it is somebody else who changes it: so that it is the change alone that counts. */
static int open_with(mode_t mode)
{
    unlink("t");
    int fd = MUST(open("t", O_RDWR | O_CREAT, 0644));
    MUST(write(fd, page, PAGE));
    MUST(chown("t", ALICE_ID, ALICE_ID));
    MUST(chmod("t", mode));
    return fd;
}

/* Of the open file, and nothing else of it asked: what the kernel knows of it must be right at once. */
static mode_t mode_of_open(int fd)
{
    struct statx st = {.stx_mode = 0};
    MUST(statx(fd, "", AT_EMPTY_PATH, STATX_MODE, &st));
    return st.stx_mode & 07777;
}

static void check_mode_left(mode_t mode, mode_t wanted, const struct change *change, enum who who)
{
    bool done = false;
    int fd = open_with(mode);
    AS(who) done = change->make(fd);
    mode_t left = mode_of_open(fd);
    check_row(0, 0, done && left == wanted ? 0 : -1, "%s by %s leaves %04o of %04o", change->name, who_name[who],
              (unsigned)wanted, (unsigned)mode);
    if (left == wanted && mode_of("t") != wanted)
        check_row(0, 0, -1, "%s by %s: stat by name", change->name, who_name[who]);
    close(fd);
    if (mode_of("t") != wanted)
        check_row(0, 0, -1, "%s by %s: stat when it is closed", change->name, who_name[who]);
}

static void set_id_bits(void)
{
    put_file("source", "source");
    for (int i = 0; i < CHANGES; i++) {
        check_mode_left(06777, 0777, &changes[i], ALICE);
        check_mode_left(06777, 0777, &changes[i], BOB);
        check_mode_left(06777, 06777, &changes[i], ROOT);
        check_mode_left(06766, 02766, &changes[i], CAROL);
        check_mode_left(02666, 02666, &changes[i], ALICE);
        check_mode_left(02666, 02666, &changes[i], CAROL);
        check_mode_left(02666, 0666, &changes[i], BOB);
        check_mode_left(04711, 0711, &changes[i], BOB);
    }
    struct change mapped = {"writing a mapping", change_mapped};
    check_mode_left(06777, 06777, &mapped, BOB);
}

/* What was a program when it was opened is none, however often it was written to, and made one again. */
static void again_and_again(void)
{
    int fd = open_with(0755);
    AS(BOB) MUST(write(fd, "x", 1));
    for (int i = 0; i < 3; i++) {
        MUST(chmod("t", 06755));
        AS(BOB) MUST(write(fd, "x", 1));
        IS(0755, mode_of_open(fd));
        AS(BOB) MUST(write(fd, "x", 1));
        IS(0755, mode_of("t"));
    }
    MUST(fchmod(fd, 02744));
    AS(ALICE) MUST(write(fd, "x", 1));
    IS(02744, mode_of_open(fd), "without group execute, by one of the group");
    AS(BOB) MUST(write(fd, "x", 1));
    IS(0744, mode_of_open(fd), ".. and then by one who is not");
    MUST(fchmod(fd, 06755));
    AS(BOB)
    {
        MUST(fsync(fd));
        IS(06755, mode_of_open(fd), "fsync");
    }
    close(fd);
    AS(BOB)
    {
        fd = MUST(open("new", O_WRONLY | O_CREAT | O_EXCL, 06777));
        IS(06755, mode_of("new"));
        MUST(write(fd, "x", 1));
        IS(0755, mode_of("new"), "a new file, and open");
        close(fd);
        IS(0755, mode_of("new"), "a new file");
    }
}

static mode_t mode_after_chown(const char *path, mode_t mode, uid_t uid, gid_t gid, enum who who)
{
    MUST(lchown(path, ALICE_ID, ALICE_ID));
    MUST(chmod(path, mode));
    AS(who) MUST(lchown(path, uid, gid));
    return mode_of(path);
}

static void owners(void)
{
    put_file("f", "x");
    IS(0755, mode_after_chown("f", 06755, BOB_ID, -1, ROOT), "the user, by root");
    IS(0755, mode_after_chown("f", 06755, -1, BOB_ID, ROOT), "the group, by root");
    IS(0755, mode_after_chown("f", 06755, ALICE_ID, ALICE_ID, ROOT), "to what they are, by root");
    IS(0755, mode_after_chown("f", 06755, -1, ALICE_ID, ALICE), "by its owner");
    IS(02745, mode_after_chown("f", 06745, BOB_ID, BOB_ID, ROOT), "without group execute");
    MUST(chown("f", ALICE_ID, BOB_ID));
    MUST(chmod("f", 06745));
    AS(ALICE) MUST(chown("f", -1, ALICE_ID));
    IS(0745, mode_of("f"), "without group execute, by an owner who is not in the group");
    IS(01755, mode_after_chown("f", 07755, BOB_ID, BOB_ID, ROOT), "the sticky bit");
    int fd = MUST(open("f", O_RDWR | O_CREAT, 0644));
    MUST(fchmod(fd, 06755));
    MUST(fchown(fd, BOB_ID, BOB_ID));
    IS(0755, mode_of_open(fd), "fchown");
    MUST(close(fd));
    fd = MUST(open("fresh", O_RDWR | O_CREAT | O_EXCL, 0755));
    MUST(write(fd, "x", 1));
    MUST(fchmod(fd, 06755));
    MUST(fchown(fd, BOB_ID, BOB_ID));
    IS(0755, mode_of_open(fd), "fchown of a new file");
    MUST(close(fd));
    IS(0755, mode_of("fresh"), "fchown of a new file, and closed");
    MUST(mkfifo("fifo", 0644));
    IS(0755, mode_after_chown("fifo", 06755, BOB_ID, BOB_ID, ROOT), "a FIFO");
    MUST(mkdir("d", 0755));
    IS(06755, mode_after_chown("d", 06755, BOB_ID, BOB_ID, ROOT), "a directory");
    IS(06755, mode_after_chown("d", 06755, -1, ALICE_ID, ALICE), "a directory, by its owner");
    IS(06755, mode_after_chown("d", 06755, -1, -1, ALICE), "a directory, to nothing");
}

static void make_capable(const char *path)
{
    struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                               .data = {{.permitted = 1u << CAP_NET_RAW}}};
    MUST(setxattr(path, "security.capability", &cap, sizeof cap, 0));
}

static bool is_capable(const char *path)
{
    struct vfs_cap_data cap;
    return getxattr(path, "security.capability", &cap, sizeof cap) > 0;
}

/* told: the kernel has seen that there was none. */
static void check_capability(bool left, bool told, const struct change *change, enum who who)
{
    bool done = false;
    int fd = open_with(0777);
    if (told)
        MUST(pwrite(fd, "w", 1, 5)), MUST(pwrite(fd, "w", 1, 6));
    make_capable("t");
    AS(who) done = change->make(fd);
    check_row(0, 0, done && is_capable("t") == left ? 0 : -1, "%s by %s%s and a capability", change->name,
              who_name[who], told ? ", once written," : "");
    close(fd);
}

static void capabilities(void)
{
    for (int i = 0; i < CHANGES; i++) {
        check_capability(false, false, &changes[i], ROOT);
        check_capability(false, false, &changes[i], BOB);
        check_capability(false, true, &changes[i], ROOT);
        check_capability(false, true, &changes[i], BOB);
    }
    struct change mapped = {"writing a mapping", change_mapped};
    check_capability(true, false, &mapped, BOB);
    put_file("f", "x");
    MUST(chmod("f", 0666));
    make_capable("f");
    MUST(chmod("f", 0777));
    HOLDS(is_capable("f"), "chmod leaves it");
    MUST(chown("f", ALICE_ID, -1));
    HOLDS(!is_capable("f"), "chown");
    make_capable("f");
    AS(BOB) MUST(truncate("f", 0));
    HOLDS(!is_capable("f"), "truncate");
    make_capable("f");
    AS(BOB) MUST(close(MUST(open("f", O_WRONLY | O_TRUNC))));
    HOLDS(!is_capable("f"), "O_TRUNC");
    int fd = open_with(06755);
    make_capable("t");
    MUST(write(fd, "x", 1));
    IS(06755, mode_of("t"), "root takes the capability alone");
    HOLDS(!is_capable("t"));
    make_capable("t");
    AS(BOB) MUST(write(fd, "x", 1));
    IS(0755, mode_of("t"), "another takes both");
    HOLDS(!is_capable("t"));
}

void subject_privileges(void)
{
    set_id_bits();
    again_and_again();
    owners();
    capabilities();
}
