/* The same folder through another mount (--second; without it, the same folder again): what was closed here is there
 * when it is opened there, and names and attributes follow within a moment. */
#include "check.h"

#include <sys/mman.h>

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
