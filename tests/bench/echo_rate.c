/* What sockets alone cost: an event loop that answers every request at once with the same few bytes, as many clients as
 * metadata_rate has, requests and answers of the size that metadata's have.
 *   echo_rate THREADS COUNT
 * Prints calls per second, and CPU seconds of the clients and of the server. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX   256
#define REQUEST_BYTES 150
#define ANSWER_BYTES  100

static struct sockaddr_in address;
static int calls_each;
static double server_cpu_s;

static void die(const char *doing)
{
    perror(doing);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void answer_at_once(int fd)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die("TCP_NODELAY");
}

static void take_all(int fd, char *bytes, size_t len)
{
    if (recv(fd, bytes, len, MSG_WAITALL) != (ssize_t)len)
        die("recv");
}

static void watch(int epoll_fd, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* Until every client that came has gone. */
static void *serve(void *arg)
{
    int listen_fd = *(int *)arg, epoll_fd = epoll_create1(0), open_count = 0, gone_count = 0;
    char bytes[REQUEST_BYTES];
    watch(epoll_fd, listen_fd);
    while (!gone_count || open_count) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll_fd, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listen_fd) {
                int accepted = accept(listen_fd, NULL, NULL);
                if (accepted < 0)
                    die("accept");
                answer_at_once(accepted);
                watch(epoll_fd, accepted);
                open_count++;
            } else if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) <= 0) {
                close(fd);
                open_count--;
                gone_count++;
            } else if (send(fd, bytes, ANSWER_BYTES, MSG_NOSIGNAL) != ANSWER_BYTES) {
                die("send");
            }
        }
    }
    close(epoll_fd);
    server_cpu_s = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void *call(void *arg)
{
    int fd = *(int *)arg;
    char bytes[REQUEST_BYTES] = {0};
    for (int i = 0; i < calls_each; i++) {
        if (send(fd, bytes, REQUEST_BYTES, MSG_NOSIGNAL) != REQUEST_BYTES)
            die("send");
        take_all(fd, bytes, ANSWER_BYTES);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int threads = argc == 3 ? atoi(argv[1]) : 0, count = argc == 3 ? atoi(argv[2]) : 0;
    if (threads < 1 || threads > THREADS_MAX || count < threads) {
        fprintf(stderr, "usage: echo_rate THREADS COUNT (THREADS 1 to %d)\n", THREADS_MAX);
        return 2;
    }
    static pthread_t clients[THREADS_MAX], server;
    static int fds[THREADS_MAX];
    socklen_t len = sizeof address;
    int listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    calls_each = count / threads;
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (listen_fd < 0 || bind(listen_fd, (void *)&address, sizeof address) < 0 || listen(listen_fd, THREADS_MAX) < 0 ||
        getsockname(listen_fd, (void *)&address, &len) < 0)
        die("listen");
    if (pthread_create(&server, NULL, serve, &listen_fd))
        die("pthread_create");
    for (int i = 0; i < threads; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (fds[i] < 0 || connect(fds[i], (void *)&address, sizeof address) < 0)
            die("connect");
        answer_at_once(fds[i]);
    }
    double start = seconds_of(CLOCK_MONOTONIC);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&clients[i], NULL, call, &fds[i]))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(clients[i], NULL);
    double took_s = seconds_of(CLOCK_MONOTONIC) - start;
    for (int i = 0; i < threads; i++)
        close(fds[i]);
    pthread_join(server, NULL);
    printf("%.1f %.6f %.6f\n", calls_each * threads / took_s, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - server_cpu_s,
           server_cpu_s);
    return 0;
}
