/* open and its flags, creat, O_APPEND and O_EXCL from many processes. */
#include "check.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static void access_modes_and_creation(void)
{
    char buffer[16];
    int fd = MUST(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    IS(0640, mode_of("f"));
    IS(0, stat_of("f").st_size, "made by open");
    IS(5, write(fd, "hello", 5));
    OK(close(fd));

    /* access modes */
    fd = MUST(open("f", O_RDONLY));
    FAILS(EBADF, write(fd, "x", 1), "O_RDONLY");
    FAILS(EINVAL, ftruncate(fd, 0), "O_RDONLY");
    IS(5, read(fd, buffer, sizeof(buffer)), "O_RDONLY");
    MUST(close(fd));
    fd = MUST(open("f", O_WRONLY));
    FAILS(EBADF, read(fd, buffer, 1), "O_WRONLY");
    MUST(close(fd));
    fd = MUST(open("f", O_PATH));
    FAILS(EBADF, read(fd, buffer, 1), "O_PATH");
    FAILS(EBADF, fchmod(fd, 0600), "O_PATH");
    MUST(close(fd));

    /* creation: mode and umask, what is there already */
    umask(027);
    MUST(close(open("masked", O_WRONLY | O_CREAT, 0666)));
    IS(0640, mode_of("masked"), "umask 027");
    umask(0);
    MUST(close(open("special", O_WRONLY | O_CREAT, 07777)));
    IS(07777, mode_of("special"));
    umask(022);
    fd = OK(fd = open("none", O_RDWR | O_CREAT, 0)) ? fd : -1;
    IS(1, write(fd, "x", 1), "made with mode 0");
    IS(0, mode_of("none"));
    FAILS(EEXIST, open("f", O_WRONLY | O_CREAT | O_EXCL, 0644));
    OK(close(open("f", O_WRONLY | O_CREAT, 0777)), "it exists");
    IS(0640, mode_of("f"), "O_CREAT of an existing file");
    HOLDS(file_has("f", "hello", 5), "O_CREAT of an existing file");
    OK(close(open("f", O_WRONLY | O_TRUNC)));
    IS(0, stat_of("f").st_size, "O_TRUNC");
    put_file("f", "again");
    OK(close(creat("f", 0777)));
    IS(0, stat_of("f").st_size, "creat");
}

static void links_and_directories(void)
{
    int fd;
    char buffer[16];
    put_file("f", "hello");
    MUST(symlink("f", "link"));
    MUST(symlink("made", "dangling"));
    FAILS(EEXIST, open("link", O_WRONLY | O_CREAT | O_EXCL, 0644));
    FAILS(EEXIST, open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644));
    FAILS(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
    FAILS(ENOENT, open("dangling", O_RDONLY));
    OK(close(open("dangling", O_WRONLY | O_CREAT, 0644)));
    HOLDS(exists("made"), "O_CREAT through a dangling symlink");
    OK(fd = open("link", O_PATH | O_NOFOLLOW));
    IS(1, readlinkat(fd, "", buffer, sizeof(buffer)), "of an O_PATH descriptor");

    MUST(mkdir("d", 0755));
    OK(fd = open("d", O_RDONLY | O_DIRECTORY));
    OK(close(openat(fd, "in", O_WRONLY | O_CREAT, 0644)));
    HOLDS(exists("d/in"));
    FAILS(EISDIR, read(fd, buffer, 1), "a directory");
    FAILS(ENOTDIR, openat(MUST(open("f", O_RDONLY)), "x", O_RDONLY));
    FAILS(EBADF, openat(999, "x", O_RDONLY));
}

static void other_flags(void)
{
    int fd;
    OK(fd = open("f", O_RDWR | O_SYNC));
    IS(3, write(fd, "syn", 3), "O_SYNC");
    OK(fd = open("f", O_RDWR | O_DSYNC));
    IS(3, write(fd, "SYN", 3), "O_DSYNC");
    HOLDS(file_has("f", "SYNlo", 5));
    void *aligned = aligned_alloc(4096, 8192);
    memset(aligned, 'D', 8192);
    OK(fd = open("direct", O_RDWR | O_CREAT | O_DIRECT, 0644));
    IS(8192, write(fd, aligned, 8192), "O_DIRECT");
    memset(aligned, 0, 8192);
    IS(4096, pread(fd, aligned, 4096, 4096), "O_DIRECT");
    HOLDS(*(char *)aligned == 'D', "read by O_DIRECT");
}

void subject_open_flags(void)
{
    access_modes_and_creation();
    links_and_directories();
    other_flags();
    watch(".");
    MUST(close(open("new", O_WRONLY | O_CREAT, 0644)));
    STAMPS(MTIME | CTIME, ".", "open O_CREAT of a new file");
    watch("."), watch("f");
    MUST(close(open("f", O_WRONLY | O_CREAT, 0644)));
    STAMPS(0, ".", "open O_CREAT of an existing file");
    STAMPS(0, "f", "open O_CREAT of an existing file");
    watch("f");
    MUST(close(open("f", O_WRONLY | O_TRUNC)));
    STAMPS(MTIME | CTIME, "f", "open O_TRUNC");
}

static long bind_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return bind(MUST(socket(AF_UNIX, SOCK_STREAM, 0)), (struct sockaddr *)&address, sizeof(address));
}

void subject_open_errors(void)
{
    put_file("f", "hello");
    MUST(mkdir("d", 0755));
    FAILS(ENOENT, open("none", O_RDWR));
    FAILS(EISDIR, open("d", O_WRONLY));
    FAILS(EISDIR, open("d", O_RDWR));
    FAILS(EISDIR, open("d", O_RDONLY | O_CREAT, 0644));
    FAILS(EISDIR, open("d", O_WRONLY | O_TRUNC));
    FAILS(EEXIST, open("d", O_RDONLY | O_CREAT | O_EXCL, 0644));
    FAILS(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
    FAILS(ENOTDIR, open("f/", O_RDONLY));
    FAILS(EISDIR, open("new/", O_WRONLY | O_CREAT, 0644));
    FAILS(EINVAL, open("new2", O_RDONLY | O_CREAT | O_DIRECTORY, 0644));
    MUST(symlink("loop", "loop"));
    FAILS(ELOOP, open("loop", O_RDONLY));
    FAILS(ELOOP, open("loop", O_RDWR | O_CREAT, 0644));

    MUST(mkfifo("fifo", 0644));
    FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
    OK(open("fifo", O_RDONLY | O_NONBLOCK));
    OK(open("fifo", O_WRONLY | O_NONBLOCK), "it has a reader");
    OK(bind_socket("socket"));
    FAILS(ENXIO, open("socket", O_RDONLY));
    FAILS(EADDRINUSE, bind_socket("socket"));
    MUST(mknod("device", S_IFCHR | 0600, 0xfff00 | 0xff)); /* a number that no driver has */
    check_row(ENXIO, EACCES, open("device", O_RDONLY), "open of a device without driver, EACCES if mounted nodev");
    MUST(mknod("null", S_IFCHR | 0666, 0x103));

    /* a program that runs is not written, one that is written does not run */
    MUST(system("cp /bin/sleep program"));
    pid_t pid = MUST(fork());
    if (!pid) {
        execl("./program", "program", "1000", (char *)NULL);
        _exit(1);
    }
    char exe[64], target[PATH_MAX] = "";
    sprintf(exe, "/proc/%d/exe", pid);
    while (!strstr(target, "/program"))
        memset(target, 0, sizeof(target)), MUST(readlink(exe, target, sizeof(target) - 1));
    FAILS(ETXTBSY, open("program", O_WRONLY));
    FAILS(ETXTBSY, truncate("program", 0));
    OK(open("program", O_RDONLY));
    kill(pid, 9);
    in_processes(0, NULL);
    MUST(system("cp /bin/sleep program2"));
    int fd = MUST(open("program2", O_WRONLY));
    FAILS(ETXTBSY, execl("./program2", "program2", "0", (char *)NULL));
    MUST(close(fd));

    AS(ALICE)
    {
        FAILS(EPERM, open("f", O_RDONLY | O_NOATIME), "not the owner");
        FAILS(EACCES, open("f", O_WRONLY));
        FAILS(EACCES, open("f", O_RDONLY | O_TRUNC));
        FAILS(EACCES, open("f", O_WRONLY | O_CREAT, 0644));
    }
    IS(5, stat_of("f").st_size, "after O_TRUNC was refused");
    struct rlimit few = {8, 8}, before;
    getrlimit(RLIMIT_NOFILE, &before);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){few.rlim_cur, before.rlim_max});
    int error = 0;
    while (!error)
        error = open("f", O_RDONLY) < 0 ? errno : 0;
    IS(EMFILE, error, "too many open files");
    FAILS(EMFILE, open("made", O_WRONLY | O_CREAT, 0644));
    HOLDS(!exists("made"), "after EMFILE");
}

/* ---- many processes ---- */
enum { WRITERS = 8, LINES = 200, LINE = 53 };

static bool append_lines(int number)
{
    int fd = open("log", O_WRONLY | O_APPEND);
    char line[LINE + 1];
    bool ok = fd >= 0;
    for (int i = 0; ok && i < LINES; i++) {
        snprintf(line, sizeof(line), "writer %d line %-*d\n", number, LINE - 15, i);
        ok = lseek(fd, 0, SEEK_SET) == 0 && write(fd, line, LINE) == LINE;
    }
    return ok;
}

void subject_append(void)
{
    put_file("f", "12345");
    int fd = MUST(open("f", O_RDWR | O_APPEND));
    IS(0, lseek(fd, 0, SEEK_CUR), "at first");
    IS(1, write(fd, "6", 1));
    IS(6, lseek(fd, 0, SEEK_CUR), "after appending");
    MUST(truncate("f", 3));
    MUST(lseek(fd, 0, SEEK_SET));
    IS(1, write(fd, "4", 1), "after another truncated");
    HOLDS(file_has("f", "1234", 4));
    MUST(pwrite(fd, "5", 1, 0));
    HOLDS(file_has("f", "12345", 5), "pwrite to an O_APPEND descriptor appends, on Linux");
    MUST(fcntl(fd, F_SETFL, 0));
    IS(1, pwrite(fd, "X", 1, 0), "O_APPEND was taken away");
    HOLDS(file_has("f", "X2345", 5));
    put_file("f", "ab");
    int other = MUST(open("f", O_WRONLY | O_APPEND));
    MUST(fcntl(fd, F_SETFL, O_APPEND));
    MUST(write(fd, "1", 1));
    MUST(write(other, "2", 1));
    MUST(write(fd, "3", 1));
    HOLDS(file_has("f", "ab123", 5), "two descriptors in turn");

    put_file("log", "");
    HOLDS(in_processes(WRITERS, append_lines));
    IS(WRITERS * LINES * LINE, stat_of("log").st_size, "after many processes appended");
    FILE *file = fopen("log", "r");
    char line[200];
    int next[WRITERS] = {0}, writer, number, torn = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (strlen(line) != LINE || sscanf(line, "writer %d line %d", &writer, &number) != 2 || writer >= WRITERS ||
            number != next[writer])
            torn++;
        else
            next[writer]++;
    }
    IS(0, torn, "lines that are torn, lost or out of order");
}

enum { RACES = 50 };

static bool race(int number)
{
    char name[32], mine[32];
    for (int i = 0; i < RACES; i++) {
        sprintf(name, "race%d", i);
        sprintf(mine, "won%d.%d", i, number);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0 && errno != EEXIST)
            return false;
        if (fd >= 0)
            close(creat(mine, 0644)), close(fd);
    }
    return true;
}

void subject_exclusive(void)
{
    HOLDS(in_processes(WRITERS, race), "O_EXCL is done or EEXIST");
    int winners[RACES] = {0}, race_number, wrong = 0;
    DIR *dir = opendir(".");
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (sscanf(e->d_name, "won%d.", &race_number) == 1)
            winners[race_number]++;
    for (int i = 0; i < RACES; i++)
        wrong += winners[i] != 1;
    IS(0, wrong, "O_EXCL races with another number of winners than one");
}
