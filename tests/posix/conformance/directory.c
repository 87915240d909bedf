/* readdir and its cookies, sticky and setgid directories. */
#include "check.h"

#include <dirent.h>
#include <sys/syscall.h>

enum { MANY = 3000, KEPT = 100 };

static void name_of(char *name, int i)
{
    sprintf(name, "entry-%05d-with-a-name-of-some-length", i);
}

/* How often each entry of `many` comes from where the stream stands: seen[i] counts. Returns names that are none of
 * them. */
static int read_entries(DIR *dir, unsigned char *seen)
{
    int others = 0, i;
    for (struct dirent *e; (e = readdir(dir));) {
        if (sscanf(e->d_name, "entry-%d-", &i) == 1 && i >= 0 && i < 2 * MANY)
            seen[i]++;
        else
            others++;
    }
    return others;
}

static int not_once(const unsigned char *seen, int from, int to, int step)
{
    int wrong = 0;
    for (int i = from; i < to; i += step)
        wrong += seen[i] != 1;
    return wrong;
}

static void change_while_reading(void)
{
    char name[80];
    unsigned char seen[2 * MANY] = {0};
    DIR *dir = opendir("many");
    for (int i = 0; i < MANY / 3; i++) {
        struct dirent *e = readdir(dir);
        int number;
        if (e && sscanf(e->d_name, "entry-%d-", &number) == 1)
            seen[number]++;
    }
    for (int i = 0; i < MANY; i += 2) { /* the even ones go, others come */
        name_of(name, i);
        MUST(unlinkat(dirfd(dir), name, 0));
        name_of(name, MANY + i);
        MUST(mknodat(dirfd(dir), name, S_IFREG | 0644, 0));
    }
    read_entries(dir, seen);
    IS(0, not_once(seen, 1, MANY, 2), "entries that stayed are seen once, while others come and go");
    int twice = 0;
    for (int i = 0; i < 2 * MANY; i++)
        twice += seen[i] > 1;
    IS(0, twice, "no entry is seen twice");
    memset(seen, 0, sizeof(seen));
    rewinddir(dir);
    read_entries(dir, seen);
    IS(0, not_once(seen, 1, MANY, 2) + not_once(seen, MANY, 2 * MANY, 2),
       "rewinddir sees everything that is there now");
    int gone = 0;
    for (int i = 0; i < MANY; i += 2)
        gone += seen[i];
    IS(0, gone, "rewinddir sees nothing that is gone");
    closedir(dir);
}

/* As many entries at a time as fit into `room`, and these go before the next ones are asked for. */
static void remove_while_reading(size_t room)
{
    struct entry {
        uint64_t inode, cookie;
        uint16_t length;
        uint8_t type;
        char name[];
    };
    char *entries = malloc(room), name[80];
    MUST(mkdir("emptied", 0755));
    int fd = MUST(open("emptied", O_RDONLY | O_DIRECTORY));
    for (int i = 0; i < MANY; i++) {
        sprintf(name, "%05d", i);
        MUST(mknodat(fd, name, S_IFREG | 0644, 0));
    }
    for (long length; (length = MUST(syscall(SYS_getdents64, fd, entries, room))) > 0;)
        for (char *at = entries; at < entries + length; at += ((struct entry *)at)->length)
            if (((struct entry *)at)->name[0] != '.')
                MUST(unlinkat(fd, ((struct entry *)at)->name, 0));
    MUST(close(fd));
    OK(rmdir("emptied"), "all that was there was listed, though what was listed before went meanwhile");
    free(entries);
}

static void seek_back(void)
{
    static struct {
        long cookie;
        char name[80];
    } kept[KEPT];
    unsigned char seen[2 * MANY] = {0};
    DIR *dir = opendir("many");
    for (int i = 0; i < KEPT; i++) {
        for (int skip = 0; skip < 7; skip++)
            MUST(readdir(dir) ? 0 : -1);
        kept[i].cookie = telldir(dir);
        struct dirent *e = readdir(dir);
        strcpy(kept[i].name, e->d_name);
    }
    read_entries(dir, seen);
    int wrong = 0;
    for (int i = KEPT - 1; i >= 0; i--) {
        seekdir(dir, kept[i].cookie);
        struct dirent *e = readdir(dir);
        wrong += !e || strcmp(e->d_name, kept[i].name);
    }
    IS(0, wrong, "seekdir leads to the entry that telldir stood before");
    /* cookies stay good while the directory changes, and in another stream of it */
    for (int i = 0; i < KEPT; i++)
        MUST(close(openat(dirfd(dir), repeated('z', 10 + i), O_CREAT | O_WRONLY, 0644)));
    DIR *other = opendir("many");
    wrong = 0;
    for (int i = 0; i < KEPT; i++) {
        seekdir(dir, kept[i].cookie);
        struct dirent *e = readdir(dir);
        wrong += !e || strcmp(e->d_name, kept[i].name);
    }
    IS(0, wrong, "cookies are good after others were made");
    wrong = 0;
    for (int i = 0; i < KEPT; i++) {
        seekdir(other, kept[i].cookie);
        struct dirent *e = readdir(other);
        wrong += !e || strcmp(e->d_name, kept[i].name);
    }
    IS(0, wrong, "cookies are good in another stream, as they must be for one who resumes: more than POSIX asks");
    for (int i = 0; i < KEPT; i++)
        MUST(unlinkat(dirfd(dir), repeated('z', 10 + i), 0));
    closedir(dir);
    closedir(other);
}

void subject_readdir(void)
{
    char name[80];
    unsigned char seen[2 * MANY] = {0};
    MUST(mkdir("many", 0755));
    for (int i = 0; i < MANY; i++) {
        char path[100] = "many/";
        name_of(path + 5, i);
        MUST(mknod(path, S_IFREG | 0644, 0));
    }
    DIR *dir = opendir("many");
    HOLDS(dir != NULL);
    IS(2, read_entries(dir, seen), ". and .. are entries too");
    IS(0, not_once(seen, 0, MANY, 1), "every entry is seen once");
    errno = 0;
    HOLDS(!readdir(dir) && !errno, "the end is no error");
    closedir(dir);
    seek_back();
    change_while_reading();
    remove_while_reading(167 * 160); /* 1002 of these are six times as much: a thousand names, "." and ".." */
    remove_while_reading(4096);

    /* what an entry says of its file */
    MUST(mkdir("kinds", 0755));
    put_file("kinds/file", "x");
    MUST(mkdir("kinds/dir", 0755));
    MUST(symlink("x", "kinds/symlink"));
    MUST(mkfifo("kinds/pipe", 0644));
    dir = opendir("kinds");
    int wrong = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        MUST(fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
        wrong += st.st_ino != e->d_ino && strcmp(e->d_name, "..");
        wrong += e->d_type != DT_UNKNOWN && e->d_type != IFTODT(st.st_mode);
    }
    IS(0, wrong, "d_ino and d_type are those of stat");
    closedir(dir);
    MUST(mkdir("empty", 0755));
    dir = opendir("empty");
    IS(2, read_entries(dir, seen), "an empty directory");
    closedir(dir);
    dir = opendir("empty");
    MUST(rmdir("empty"));
    IS(0, read_entries(dir, seen), "a directory that was removed");
    FAILS(ENOTDIR, opendir("kinds/file") ? 0 : -1);
    FAILS(EBADF, fdopendir(999) ? 0 : -1);
    FAILS(ENOTDIR, fdopendir(MUST(open("kinds/file", O_RDONLY))) ? 0 : -1);
    MUST(chmod("kinds", 0711));
    AS(ALICE)
    {
        FAILS(EACCES, opendir("kinds") ? 0 : -1);
        OK(access("kinds/file", F_OK), "search permission is enough to look a name up");
    }
    name_of(name, 1);
    watch("many");
    dir = opendir("many");
    readdir(dir);
    STAMPS(ATIME, "many", "readdir");
    closedir(dir);
}

/* In a sticky directory an entry goes only by the owner of the entry, the owner of the directory, or root. */
static void sticky_case(uid_t dir_owner, uid_t file_owner, enum who who, bool may)
{
    static const char *names[] = {"root", "Alice", "Bob", "Carol"};
    const char *of[] = {dir_owner == ALICE_ID ? "Alice" : "root", file_owner == ALICE_ID ? "Alice"
                                                                  : file_owner == BOB_ID ? "Bob"
                                                                                         : "root"};
    int error = may ? 0 : EPERM;
    put_file("t/file", "x");
    put_file("t/target", "x");
    MUST(mkdir("t/dir", 0777));
    put_file("outside/file", "x");
    MUST(chown("t", dir_owner, 0));
    MUST(chown("t/file", file_owner, 0));
    MUST(chown("t/target", file_owner, 0));
    MUST(chown("t/dir", file_owner, 0));
    MUST(chown("outside/file", who == BOB ? BOB_ID : who == ALICE ? ALICE_ID : 0, 0));
    AS(who)
    {
        check_row(error, may ? 0 : EACCES, rename("t/file", "outside/moved"),
                  "sticky: %s renames %s's file out of %s's directory", names[who], of[1], of[0]);
        (void)!rename("outside/moved", "t/file");
        check_row(error, may ? 0 : EACCES, rename("outside/file", "t/target"),
                  "sticky: %s renames over %s's file in %s's directory", names[who], of[1], of[0]);
        check_row(error, may ? 0 : EACCES, unlink("t/target"), "sticky: %s unlinks %s's file in %s's directory",
                  names[who], of[1], of[0]);
        check_row(error, may ? 0 : EACCES, rmdir("t/dir"), "sticky: %s removes %s's directory in %s's directory",
                  names[who], of[1], of[0]);
    }
    unlink("t/target"), rmdir("t/dir"), unlink("t/file"), unlink("outside/file"), unlink("outside/moved");
}

void subject_sticky(void)
{
    MUST(mkdir("t", 0777));
    MUST(chmod("t", 01777));
    MUST(mkdir("outside", 0777));
    MUST(chmod("outside", 0777));
    sticky_case(0, 0, ROOT, true);
    sticky_case(ALICE_ID, BOB_ID, ROOT, true);
    sticky_case(0, 0, BOB, false);
    sticky_case(0, ALICE_ID, BOB, false);
    sticky_case(0, BOB_ID, ALICE, false);
    sticky_case(ALICE_ID, BOB_ID, ALICE, true);
    sticky_case(ALICE_ID, 0, ALICE, true);
    sticky_case(ALICE_ID, ALICE_ID, BOB, false);
    AS(BOB)
    {
        OK(close(creat("t/bobs", 0644)), "anyone may make an entry");
        OK(rename("t/bobs", "t/renamed"), "his own");
        OK(unlink("t/renamed"), "his own");
    }
    MUST(chmod("t", 0777));
    put_file("t/f", "x");
    AS(BOB) OK(unlink("t/f"), "the bit is gone");
}

void subject_setgid_directory(void)
{
    MUST(mkdir("d", 0777));
    MUST(chown("d", 0, BOB_ID));
    MUST(chmod("d", 02777));
    AS(ALICE)
    {
        OK(close(creat("d/f", 0644)));
        OK(mkdir("d/sub", 0755));
        OK(mkfifo("d/fifo", 0644));
        OK(symlink("x", "d/link"));
        OK(close(open("d/setgid", O_CREAT | O_WRONLY, 02775)));
    }
    HOLDS(stat_of("d/f").st_gid == BOB_ID && stat_of("d/f").st_uid == ALICE_ID);
    HOLDS(stat_of("d/sub").st_gid == BOB_ID);
    IS(02755, mode_of("d/sub"), "directories inherit the bit");
    IS(0644, mode_of("d/f"), "files do not");
    IS(BOB_ID, stat_of("d/fifo").st_gid);
    IS(BOB_ID, stat_of("d/link").st_gid);
    IS(0755, mode_of("d/setgid"), "setgid is not set by one who is not in the group");
    AS(ALICE) OK(mkdir("d/sub/sub", 0700));
    HOLDS(stat_of("d/sub/sub").st_gid == BOB_ID && mode_of("d/sub/sub") == 02700, "and so on below");
    AS(ALICE)
    {
        MUST(mkdir("d/moved", 0755));
        MUST(close(creat("d/moved/f", 0644)));
    }
    MUST(mkdir("plain", 0777));
    MUST(chmod("plain", 0777));
    AS(ALICE) OK(close(creat("plain/f", 0644)));
    IS(ALICE_ID, stat_of("plain/f").st_gid, "without the bit: the group of who made it");
    MUST(rename("plain/f", "d/renamed"));
    IS(ALICE_ID, stat_of("d/renamed").st_gid, "rename keeps the group");
}
