/* What sockets and disks alone let three copies be written at: a client sends 256 KiB at a time over loopback to the
 * first of COPIES processes; each writes what comes to a file and hands it to the next, and the last one's word that it
 * has all goes back the same way. No checksum, no metadata. copy_chain FOLDER COPIES MIB [fsync]     with fsync, each
 * has its file on the disk before it says so Prints MiB per second. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COPIES_MAX  8
#define PIECE_BYTES (256 << 10)

static char piece[PIECE_BYTES];

static void die(const char *what)
{
    fprintf(stderr, "copy_chain: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void put(int fd, const char *bytes, size_t len, const char *what)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n <= 0)
            die(what);
        done += (size_t)n;
    }
}

/* 0: the sender has ended. */
static size_t take(int fd, char *bytes, size_t len)
{
    ssize_t n = recv(fd, bytes, len, MSG_WAITALL);
    if (n < 0)
        die("recv");
    return (size_t)n;
}

static int listen_on_loopback(struct sockaddr_in *ret)
{
    socklen_t len = sizeof *ret;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || bind(fd, (void *)ret, sizeof *ret) < 0 || listen(fd, 1) < 0 || getsockname(fd, (void *)ret, &len) < 0)
        die("listen");
    return fd;
}

static int connect_to(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const void *)to, sizeof *to) < 0)
        die("connect");
    return fd;
}

static void await_done(int fd)
{
    char done;
    if (take(fd, &done, 1) != 1)
        die("the next one ended");
}

static void keep(const char *path, int listen_fd, const struct sockaddr_in *next, int sync)
{
    int in = accept(listen_fd, NULL, NULL), out = next ? connect_to(next) : -1;
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (in < 0 || file < 0)
        die(path);
    for (size_t n; (n = take(in, piece, PIECE_BYTES)) > 0;) {
        if (out >= 0)
            put(out, piece, n, "send");
        put(file, piece, n, path);
    }
    if (out >= 0)
        shutdown(out, SHUT_WR);
    if (sync && fsync(file) < 0)
        die(path);
    if (out >= 0)
        await_done(out);
    put(in, "!", 1, "answer");
    exit(0);
}

static void send_all(int fd, long mib)
{
    memset(piece, 42, PIECE_BYTES);
    for (long i = 0; i < mib * ((1 << 20) / PIECE_BYTES); i++)
        put(fd, piece, PIECE_BYTES, "send");
    shutdown(fd, SHUT_WR);
    await_done(fd);
}

int main(int argc, char **argv)
{
    int copies = argc >= 4 ? atoi(argv[2]) : 0, sync = argc == 5 && strcmp(argv[4], "fsync") == 0;
    long mib = argc >= 4 ? atol(argv[3]) : 0;
    if (copies < 1 || copies > COPIES_MAX || mib < 1 || (argc == 5 && !sync) || argc > 5) {
        fprintf(stderr, "usage: copy_chain FOLDER COPIES MIB [fsync]  (COPIES 1 to %d)\n", COPIES_MAX);
        return 2;
    }
    char paths[COPIES_MAX][PATH_MAX];
    struct sockaddr_in addresses[COPIES_MAX];
    for (int i = copies - 1; i >= 0; i--) {
        int listen_fd = listen_on_loopback(&addresses[i]);
        snprintf(paths[i], sizeof paths[i], "%s/copy-%d", argv[1], i);
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0)
            keep(paths[i], listen_fd, i + 1 < copies ? &addresses[i + 1] : NULL, sync);
        close(listen_fd);
    }
    int first = connect_to(&addresses[0]);
    double start = now_s();
    send_all(first, mib);
    double took_s = now_s() - start;
    for (int i = 0, status; i < copies; i++)
        if (wait(&status) < 0 || status != 0)
            return 1;
    for (int i = 0; i < copies; i++)
        unlink(paths[i]);
    printf("%.3f\n", (double)mib / took_s);
    return 0;
}
