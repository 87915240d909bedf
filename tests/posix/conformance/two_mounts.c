/* The same folder through another mount (--second; without it, the same folder again): what was closed here is there
 * when it is opened there, and names and attributes follow within a moment. */
#include "check.h"

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/xattr.h>

enum { PATIENCE_S = 10, RACES = 40, RACERS = 4, ROUNDS = 30 };

/* Asks again until the text is what `path` has, or for PATIENCE_S: of what is no new open. */
static bool soon(bool (*holds)(const char *path), const char *path)
{
    for (time_t end = time(NULL) + PATIENCE_S; time(NULL) < end;)
        if (holds(path))
            return true;
    return holds(path);
}

static bool is_gone(const char *path)
{
    return !exists(path);
}

static bool is_private(const char *path)
{
    return mode_of(path) == 0600;
}

static bool has_two_links(const char *path)
{
    return stat_of(path).st_nlink == 2;
}

static void contents(void)
{
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) { /* to and fro, shorter and longer */
        char *text = repeated('a' + i % 26, 1 + i * 7919 % 50000);
        put_file(i % 2 ? there("f") : "f", text);
        wrong += !file_has(i % 2 ? "f" : there("f"), text, strlen(text));
        free(text);
    }
    IS(0, wrong, "files that were closed on one side and opened on the other with another content");
    put_file("f", "0123456789");
    int fd = MUST(open(there("f"), O_RDWR));
    MUST(pwrite(fd, "XY", 2, 4));
    MUST(fsync(fd));
    HOLDS(file_has("f", "0123XY6789", 10), "fsync there, opened here");
    MUST(ftruncate(fd, 6));
    MUST(close(fd));
    HOLDS(file_has("f", "0123XY", 6), "truncated there");
    fd = MUST(open("f", O_WRONLY | O_APPEND));
    MUST(write(fd, "end", 3));
    MUST(close(fd));
    HOLDS(file_has(there("f"), "0123XYend", 9), "appended here");
    fd = MUST(open(there("f"), O_RDWR));
    char *map = mmap(NULL, 9, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    HOLDS(map != MAP_FAILED);
    if (map != MAP_FAILED) {
        memcpy(map, "MAP", 3);
        MUST(munmap(map, 9));
    }
    MUST(close(fd));
    HOLDS(file_has("f", "MAP3XYend", 9), "written by mmap there, and closed");
}

static void names(void)
{
    put_file("made", "x");
    HOLDS(soon(exists, there("made")), "made here");
    MUST(mkdir(there("folder"), 0755));
    HOLDS(soon(exists, "folder"), "made there");
    MUST(rename("made", "folder/moved"));
    HOLDS(soon(exists, there("folder/moved")), "renamed here: the new name");
    HOLDS(soon(is_gone, there("made")), "renamed here: the old name");
    MUST(chmod(there("folder/moved"), 0600));
    HOLDS(soon(is_private, "folder/moved"), "chmod there");
    MUST(link("folder/moved", "linked"));
    HOLDS(soon(has_two_links, there("linked")), "linked here");
    MUST(unlink(there("linked")));
    HOLDS(soon(is_gone, "linked"), "unlinked there");
    FAILS(EEXIST, mkdir(there("folder"), 0755));
    FAILS(ENOTEMPTY, rmdir(there("folder")));
    FAILS(ENOENT, unlink("linked"));
}

static int open_file;

static bool is_setid(const char *path)
{
    return mode_of(path) == 06755;
}

static bool is_plain(const char *path)
{
    return mode_of(path) == 0755;
}

static bool write_takes_bits(const char *path)
{
    AS(BOB) MUST(pwrite(open_file, "p", 1, 0));
    return is_plain(there(path));
}

/* By the open file: who looks by name may have the kernel ask for its attributes. */
static bool open_is_capable(void)
{
    struct vfs_cap_data cap;
    return fgetxattr(open_file, "security.capability", &cap, sizeof cap) > 0;
}

static bool write_takes_it(const char *path)
{
    MUST(pwrite(open_file, "p", 1, 0));
    return !open_is_capable();
}

static bool truncate_takes_it(const char *path)
{
    MUST(ftruncate(open_file, 5));
    return !open_is_capable();
}

static bool is_not_capable(const char *path)
{
    struct vfs_cap_data cap;
    return getxattr(path, "security.capability", &cap, sizeof cap) < 0 && errno == ENODATA;
}

/* The kernel has seen here that there are none, and writes on. */
static void privileges(void)
{
    struct vfs_cap_data cap = {.magic_etc = VFS_CAP_REVISION_2, .data = {{.permitted = 1u << CAP_NET_RAW}}};
    put_file("program", "program");
    MUST(chmod("program", 0755));
    open_file = MUST(open("program", O_RDWR));
    AS(BOB) MUST(write(open_file, "prog", 4));
    MUST(chmod(there("program"), 06755));
    HOLDS(soon(is_setid, "program"), "made setuid there");
    AS(BOB) MUST(write(open_file, "ram", 3));
    HOLDS(is_plain("program"), "made setuid there, written here");
    HOLDS(soon(is_plain, there("program")), "made setuid there, written here: seen there");
    MUST(fsync(open_file));
    MUST(chmod(there("program"), 06755));
    HOLDS(soon(write_takes_bits, "program"), "made setuid there, and never looked at here");
    for (int i = 0; i < 2; i++) {
        MUST(pwrite(open_file, "p", 1, 0));
        MUST(pwrite(open_file, "p", 1, 0));
        MUST(setxattr(there("program"), "security.capability", &cap, sizeof cap, 0));
        HOLDS(soon(i ? truncate_takes_it : write_takes_it, "program"), "given a capability there, changed here");
        HOLDS(soon(is_not_capable, there("program")), "given a capability there, changed here: seen there");
    }
    MUST(close(open_file));
}

static int open_handle_of(const char *path, int flags)
{
    static char bytes[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    struct file_handle *handle = (struct file_handle *)bytes;
    int mount_id, here = MUST(open(".", O_RDONLY | O_DIRECTORY));
    handle->handle_bytes = MAX_HANDLE_SZ;
    MUST(name_to_handle_at(AT_FDCWD, path, handle, &mount_id, 0));
    if (flags < 0)
        MUST(unlink(path));
    int fd = open_by_handle_at(here, handle, flags < 0 ? O_RDONLY : flags);
    int error = errno;
    MUST(close(here));
    errno = error;
    return fd;
}

/* As NFS servers do: this kernel has not seen them. */
static void handles(void)
{
    char bytes[8] = "";
    int fd;
    MUST(mkdir(there("by"), 0755));
    put_file(there("by/handle"), "handle");
    put_file(there("by/gone"), "gone");
    OK(fd = open_handle_of(there("by/handle"), O_RDWR), "a file");
    IS(6, read(fd, bytes, sizeof bytes), "opened by its handle");
    IS(2, pwrite(fd, "HA", 2, 0), "opened by its handle");
    OK(close(fd));
    HOLDS(file_has("by/handle", "HAndle", 6), "written by its handle");
    OK(fd = open_handle_of(there("by"), O_RDONLY | O_DIRECTORY), "a directory");
    OK(faccessat(fd, "handle", R_OK, 0), "below a directory that was opened by its handle");
    OK(faccessat(fd, "../by", R_OK, 0), "above a directory that was opened by its handle");
    FAILS(ESTALE, open_handle_of(there("by/gone"), -1), "of what was removed");
}

static bool race(int number)
{
    char name[32], mine[32];
    for (int i = 0; i < RACES; i++) {
        sprintf(name, "race%d", i);
        sprintf(mine, "won%d.%d", i, number);
        int fd = open(number % 2 ? there(name) : name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0 && errno != EEXIST)
            return false;
        if (fd >= 0)
            close(creat(mine, 0644)), close(fd);
    }
    return true;
}

void subject_two_mounts(void)
{
    contents();
    names();
    privileges();
    handles();
    HOLDS(in_processes(RACERS, race), "O_EXCL from both sides is done or EEXIST");
    int wrong = 0;
    for (int i = 0; i < RACES; i++) {
        int winners = 0;
        for (int number = 0; number < RACERS; number++) {
            char name[32];
            sprintf(name, "won%d.%d", i, number);
            winners += exists(name);
        }
        wrong += winners != 1;
    }
    IS(0, wrong, "O_EXCL races of both sides with another number of winners than one");
}
