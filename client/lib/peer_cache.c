#include "client/lib/peer_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/net.h"

#define PEERS_MAX 32

struct peer {
    char address[NET_ADDRESS_MAX];
    int fd;
    int64_t since_ms;
};
struct peer_cache {
    pthread_mutex_t lock;
    struct peer peers[PEERS_MAX]; /* oldest first */
    size_t count;
};

struct peer_cache *peer_cache_new(void)
{
    struct peer_cache *c = mem_new(struct peer_cache);
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void peer_cache_free(struct peer_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        close(c->peers[i].fd);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static int peer_cache_remove(struct peer_cache *c, size_t i)
{
    int fd = c->peers[i].fd;
    memmove(&c->peers[i], &c->peers[i + 1], (--c->count - i) * sizeof c->peers[0]);
    return fd;
}

static void peer_cache_expire(struct peer_cache *c, int64_t now_ms)
{
    while (c->count && now_ms - c->peers[0].since_ms > PEER_KEEP_MS)
        close(peer_cache_remove(c, 0));
}

int peer_cache_take(struct peer_cache *c, const char *address)
{
    int fd = -1;
    pthread_mutex_lock(&c->lock);
    peer_cache_expire(c, clock_mono_ms());
    for (size_t i = c->count; i-- > 0 && fd < 0;) /* the freshest */
        if (strcmp(c->peers[i].address, address) == 0)
            fd = peer_cache_remove(c, i);
    pthread_mutex_unlock(&c->lock);
    char byte; /* end of stream, or bytes that nobody asked for: not usable */
    if (fd >= 0 && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
        close(fd);
        return -1;
    }
    return fd;
}

void peer_cache_put(struct peer_cache *c, const char *address, int fd)
{
    if (strlen(address) >= NET_ADDRESS_MAX) {
        close(fd);
        return;
    }
    pthread_mutex_lock(&c->lock);
    int64_t now_ms = clock_mono_ms();
    peer_cache_expire(c, now_ms);
    if (c->count == PEERS_MAX)
        close(peer_cache_remove(c, 0));
    struct peer *p = &c->peers[c->count++];
    strcpy(p->address, address);
    p->fd = fd;
    p->since_ms = now_ms;
    pthread_mutex_unlock(&c->lock);
}
