/* flock, fcntl locks of processes and of open files: what is in the way of what, ranges, waiting, ends. */
#include "check.h"

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>

static const char *elsewhere = "f"; /* the file as the others open it: here, or through another mount */

static struct flock range(short type, off_t start, off_t length)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static long lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock wanted = range(type, start, length);
    return fcntl(fd, command, &wanted);
}

/* What F_GETLK says of a range: the type that is in the way, F_UNLCK if none. */
static struct flock in_the_way(int fd, int command, short type, off_t start, off_t length)
{
    struct flock wanted = range(type, start, length);
    MUST(fcntl(fd, command, &wanted));
    return wanted;
}

/* ---- what another process gets: an errno, 0 if it got the lock ---- */
static struct {
    bool whole;
    int type;
    off_t start, length;
} asked;

static int ask(void)
{
    int fd = open(elsewhere, O_RDWR);
    long got = asked.whole ? flock(fd, asked.type | LOCK_NB) : lock(fd, F_SETLK, asked.type, asked.start, asked.length);
    return got ? errno : 0;
}

static int other_gets(short type, off_t start, off_t length)
{
    asked.whole = false, asked.type = type, asked.start = start, asked.length = length;
    int error = in_process(ask);
    return error == EACCES ? EAGAIN : error; /* POSIX allows both */
}

static int other_flock(int type)
{
    asked.whole = true, asked.type = type;
    return in_process(ask);
}

/* Linux tells a FUSE file system of the last close when close(2) has returned already. */
static int other_flock_soon(int type)
{
    int error = other_flock(type);
    for (int tries = 0; error == EWOULDBLOCK && tries < 500; tries++) {
        usleep(10000);
        error = other_flock(type);
    }
    return error;
}

static void check_flock(void)
{
    int a = MUST(open("f", O_RDWR)), b = MUST(open(elsewhere, O_RDONLY));
    OK(flock(a, LOCK_EX));
    FAILS(EWOULDBLOCK, flock(b, LOCK_EX | LOCK_NB));
    FAILS(EWOULDBLOCK, flock(b, LOCK_SH | LOCK_NB));
    IS(EWOULDBLOCK, other_flock(LOCK_SH), "LOCK_EX is held");
    OK(flock(a, LOCK_SH), "down");
    OK(flock(b, LOCK_SH | LOCK_NB), "two share");
    IS(0, other_flock(LOCK_SH), "LOCK_SH is held");
    IS(EWOULDBLOCK, other_flock(LOCK_EX), "LOCK_SH is held");
    FAILS(EWOULDBLOCK, flock(a, LOCK_EX | LOCK_NB), "up, while another shares");
    OK(flock(b, LOCK_UN));
    OK(flock(a, LOCK_EX | LOCK_NB), "up");
    int copy = MUST(dup(a));
    MUST(close(a));
    IS(EWOULDBLOCK, other_flock(LOCK_EX), "a copy of the descriptor holds it");
    MUST(close(copy));
    IS(0, other_flock_soon(LOCK_EX), "the last copy was closed");
    FAILS(EINVAL, flock(b, 0));
    FAILS(EBADF, flock(999, LOCK_SH));
    OK(flock(MUST(open("d", O_RDONLY)), LOCK_EX), "a directory");
}

static void check_ranges(void)
{
    int fd = MUST(open("f", O_RDWR));
    OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
    IS(EAGAIN, other_gets(F_WRLCK, 10, 10), "the same range is locked");
    IS(EAGAIN, other_gets(F_RDLCK, 19, 1), "its last byte is locked");
    IS(EAGAIN, other_gets(F_RDLCK, 0, 0), "a byte up to infinity is locked");
    IS(0, other_gets(F_WRLCK, 0, 10), "before the range");
    IS(0, other_gets(F_WRLCK, 20, 0), "behind the range");
    OK(lock(fd, F_SETLK, F_UNLCK, 13, 3), "the middle");
    IS(0, other_gets(F_WRLCK, 13, 3), "the middle was unlocked");
    IS(EAGAIN, other_gets(F_WRLCK, 12, 1), "before the middle");
    IS(EAGAIN, other_gets(F_WRLCK, 16, 1), "behind the middle");
    OK(lock(fd, F_SETLK, F_RDLCK, 0, 100), "turned to shared, and longer");
    IS(0, other_gets(F_RDLCK, 0, 100), "shared");
    IS(EAGAIN, other_gets(F_WRLCK, 99, 1), "shared");
    OK(lock(fd, F_SETLK, F_WRLCK, 50, 1), "one byte turned to exclusive");
    IS(EAGAIN, other_gets(F_RDLCK, 50, 1), "one byte is exclusive");
    IS(0, other_gets(F_RDLCK, 49, 1), "beside the exclusive byte");
    int second = MUST(open("f", O_RDONLY));
    MUST(close(second));
    IS(0, other_gets(F_WRLCK, 0, 0), "any descriptor of the process closed: its locks are gone");
    MUST(lseek(fd, 30, SEEK_SET));
    struct flock relative = {.l_type = F_WRLCK, .l_whence = SEEK_CUR, .l_start = 5, .l_len = -5};
    OK(fcntl(fd, F_SETLK, &relative), "negative length, from the offset");
    IS(EAGAIN, other_gets(F_RDLCK, 30, 1));
    IS(0, other_gets(F_RDLCK, 35, 1));
    FAILS(EINVAL, lock(fd, F_SETLK, F_WRLCK, -1, 1));
    FAILS(EINVAL, lock(fd, F_SETLK, 99, 0, 1));
    FAILS(EBADF, lock(999, F_SETLK, F_WRLCK, 0, 1));
    FAILS(EBADF, lock(MUST(open("f2", O_RDONLY)), F_SETLK, F_WRLCK, 0, 1),
          "exclusive, by a descriptor that only reads");
    FAILS(EBADF, lock(MUST(open("f2", O_WRONLY)), F_SETLK, F_RDLCK, 0, 1), "shared, by a descriptor that only writes");
    MUST(close(fd));
}

static int test_other(void)
{
    int fd = open("f", O_RDWR);
    struct flock found = in_the_way(fd, F_GETLK, F_RDLCK, 0, 0);
    return found.l_type == F_WRLCK && found.l_pid == getppid() && found.l_start == 10 && found.l_len == 5;
}

static void check_open_file_locks(void)
{
    int a = MUST(open("f", O_RDWR)), b = MUST(open(elsewhere, O_RDWR));
    OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
    check_row(EAGAIN, EACCES, lock(b, F_OFD_SETLK, F_RDLCK, 5, 1), "another open file of the same process");
    OK(lock(b, F_OFD_SETLK, F_WRLCK, 10, 10));
    IS(F_WRLCK, in_the_way(b, F_OFD_GETLK, F_RDLCK, 0, 1).l_type);
    IS(-1, in_the_way(b, F_OFD_GETLK, F_RDLCK, 0, 1).l_pid, "an open file has no pid");
    IS(F_UNLCK, in_the_way(a, F_OFD_GETLK, F_WRLCK, 0, 10).l_type, "its own");
    IS(EAGAIN, other_gets(F_RDLCK, 5, 1), "a process's lock against an open file's");
    int c = MUST(open("f", O_RDONLY));
    MUST(close(c));
    IS(EAGAIN, other_gets(F_RDLCK, 5, 1), "another descriptor closed: it stays");
    MUST(close(a));
    int error = EAGAIN; /* FUSE says that the last descriptor is closed when it has been, and waits for nobody */
    for (int tries = 0; tries < 100 && error == EAGAIN; tries++)
        error = other_gets(F_RDLCK, 5, 1);
    IS(0, error, "its descriptor closed");
    struct flock with_pid = range(F_WRLCK, 0, 1);
    with_pid.l_pid = 1;
    FAILS(EINVAL, fcntl(b, F_OFD_SETLK, &with_pid), "a pid");
    MUST(close(b));
}

/* ---- waiting: a child asks for what the parent holds; both see each other through a page they share ---- */
static volatile struct {
    int waiting, got;
} * page;

static void interrupted(int number)
{
}

/* held: what the parent holds the lock by; the child must not hold it too. */
static pid_t child_waits(bool whole, int held)
{
    page->waiting = page->got = 0;
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (!pid) {
        struct sigaction action = {.sa_handler = interrupted}; /* without SA_RESTART */
        sigaction(SIGUSR1, &action, NULL);
        close(held);
        int fd = open(elsewhere, O_RDWR);
        page->waiting = 1;
        long result = whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLKW, F_WRLCK, 0, 1);
        page->got = result ? errno : -1;
        _exit(0);
    }
    return pid;
}

/* Until the process sleeps in the kernel. */
static void await_sleep(pid_t pid)
{
    char path[64], state = 0;
    sprintf(path, "/proc/%d/stat", pid);
    while (!page->waiting || (state != 'S' && state != 'D')) {
        FILE *file = fopen(path, "r");
        if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        if (file)
            fclose(file);
    }
}

static int result_of(pid_t pid)
{
    MUST(waitpid(pid, NULL, 0));
    return page->got;
}

static int deadlock_child(void)
{
    int fd = open("f", O_RDWR);
    lock(fd, F_SETLK, F_WRLCK, 1, 1);
    page->waiting = 1;
    return lock(fd, F_SETLKW, F_WRLCK, 0, 1) < 0 && errno == EDEADLK;
}

static void check_waiting(void)
{
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int whole = 0; whole < 2; whole++) {
        const char *kind = whole ? "flock" : "F_SETLKW";
        int fd = MUST(open("f", O_RDWR));
        MUST(whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLK, F_WRLCK, 0, 1));
        pid_t pid = child_waits(whole, fd);
        await_sleep(pid);
        check_row(0, 0, page->got ? -1 : 0, "%s waits while another holds the lock", kind);
        MUST(whole ? flock(fd, LOCK_UN) : lock(fd, F_SETLK, F_UNLCK, 0, 1));
        check_row(0, 0, result_of(pid) == -1 ? 0 : -1, "%s gets the lock that is released", kind);

        MUST(whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLK, F_WRLCK, 0, 1));
        pid = child_waits(whole, fd);
        await_sleep(pid);
        MUST(close(fd));
        check_row(0, 0, result_of(pid) == -1 ? 0 : -1, "%s gets the lock of a descriptor that is closed", kind);

        fd = MUST(open("f", O_RDWR));
        MUST(whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLK, F_WRLCK, 0, 1));
        pid = child_waits(whole, fd);
        await_sleep(pid);
        kill(pid, SIGUSR1);
        check_row(0, 0, result_of(pid) == EINTR ? 0 : -1, "%s is interrupted by a signal: EINTR", kind);

        pid_t holder = MUST(fork()); /* killed while it holds the lock */
        if (!holder) {
            close(fd);
            fd = open("f", O_RDWR);
            page->waiting = 2;
            MUST(whole ? flock(fd, LOCK_EX) : lock(fd, F_SETLKW, F_WRLCK, 0, 1));
            page->waiting = 3;
            pause();
        }
        MUST(close(fd));
        while (page->waiting != 3)
            sched_yield();
        pid = child_waits(whole, fd);
        await_sleep(pid);
        kill(holder, SIGKILL);
        check_row(0, 0, result_of(pid) == -1 ? 0 : -1, "%s gets the lock of a process that is killed", kind);
        waitpid(holder, NULL, 0);
    }
}

static void check_deadlock(void)
{
    int fd = MUST(open("f", O_RDWR));
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    page->waiting = 0;
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (!pid)
        _exit(deadlock_child());
    await_sleep(pid);
    /* Which of the two is told is open: a sleeping process need not be known to wait yet where locks are far away. */
    int status, told = lock(fd, F_SETLKW, F_WRLCK, 1, 1) < 0 && errno == EDEADLK;
    MUST(close(fd));
    MUST(waitpid(pid, &status, 0));
    IS(1, told + (WIFEXITED(status) && WEXITSTATUS(status) == 1), "one of two that wait for each other gets EDEADLK");
}

/* A process closes what it locked through, which its child goes on to have open, and locks again through another one:
 * the child's end is nothing to that lock, at once or a little later. */
static void check_inherited(void)
{
    int ends[2], fd = MUST(open("f", O_RDWR)), status, error = EAGAIN;
    MUST(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    MUST(pipe(ends));
    pid_t child = MUST(fork());
    if (child == 0) {
        char c;
        close(ends[1]);
        _exit(read(ends[0], &c, 1) != 0);
    }
    MUST(close(fd));
    IS(0, other_gets(F_WRLCK, 0, 0), "closed by who had locked");
    fd = MUST(open("f", O_RDWR));
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    MUST(close(ends[1]));
    MUST(waitpid(child, &status, 0));
    for (int tries = 0; tries < 30 && error == EAGAIN; tries++)
        error = other_gets(F_WRLCK, 0, 0);
    IS(EAGAIN, error, "another process has closed it");
    MUST(close(ends[0]));
    MUST(close(fd));
}

void subject_locks(void)
{
    put_file("f", "x");
    put_file("f2", "x");
    MUST(mkdir("d", 0755));
    check_flock();
    check_ranges();
    check_inherited();
    int fd = MUST(open("f", O_RDWR));
    MUST(lock(fd, F_SETLK, F_WRLCK, 10, 5));
    HOLDS(in_process(test_other) == 1, "F_GETLK tells type, range and process");
    IS(F_UNLCK, in_the_way(fd, F_GETLK, F_WRLCK, 10, 5).l_type, "the process's own");
    MUST(rename("f", "renamed"));
    put_file("f", "new");
    IS(0, other_gets(F_WRLCK, 10, 5), "a new file of the same name is another");
    MUST(rename("renamed", "f"));
    IS(EAGAIN, other_gets(F_WRLCK, 10, 5), "a lock follows a rename");
    MUST(close(fd));
    check_open_file_locks();
    check_waiting();
    check_deadlock();
}

void subject_locks_between_mounts(void)
{
    put_file("f", "x");
    put_file("f2", "x");
    MUST(mkdir("d", 0755));
    elsewhere = strdup(there("f"));
    check_flock();
    check_ranges();
    check_inherited();
    check_open_file_locks();
    check_waiting();
}
