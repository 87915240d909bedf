#include "datanode/serve/packet_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/mem.h"

#define BUFFER_AT_FIRST                                                                                                \
    (256u << 10) /* almost four packets of Hadoop's clients: a busy writer costs fewer calls and wake-ups */

void packet_stream_init(struct packet_stream *s, int fd)
{
    *s = (struct packet_stream){.fd = fd};
}

void packet_stream_free(struct packet_stream *s)
{
    mem_freep(&s->base);
    *s = (struct packet_stream){.fd = -1};
}

int packet_stream_next(struct packet_stream *s, struct packet *ret, struct err *reterr)
{
    struct packet p;
    if (s->start == s->end)
        return 0;
    struct slice in = {s->base + s->start, s->end - s->start};
    int head = packet_header_decode(in, &p.header, reterr);
    if (head <= 0)
        return head;
    size_t total = (size_t)head + p.header.checksum_bytes + p.header.data_bytes;
    if (in.len < total)
        return 0;
    p.raw = (struct slice){in.base, total};
    p.checksums = in.base + head;
    p.data = p.checksums + p.header.checksum_bytes;
    s->start += total;
    *ret = p;
    return 1;
}

static void make_room(struct packet_stream *s)
{
    if (s->start == s->end)
        s->start = s->end = 0;
    if (s->end < s->capacity)
        return;
    if (s->start > 0) {
        memmove(s->base, s->base + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
        return;
    }
    s->capacity = s->capacity ? s->capacity * 2 : BUFFER_AT_FIRST;
    s->base = mem_realloc(s->base, s->capacity); /* full with one packet, so at most twice PACKET_MAX_BYTES */
}

static int fill(struct packet_stream *s, int flags, struct err *reterr)
{
    make_room(s);
    for (;;) {
        ssize_t n = recv(s->fd, s->base + s->end, s->capacity - s->end, flags);
        if (n > 0) {
            s->end += (size_t)n;
            return 0;
        }
        if (n < 0 && errno == EAGAIN && flags & MSG_DONTWAIT)
            return 0;
        if (n == 0)
            return err_set(reterr, ERR_CLOSED, "the writer closed the connection");
        if (errno == EAGAIN)
            return err_set(reterr, ERR_TIMEOUT, "the writer is silent");
        if (errno != EINTR)
            return err_errno(reterr, errno, "receive from the writer");
    }
}

int packet_stream_fill(struct packet_stream *s, struct err *reterr)
{
    return fill(s, 0, reterr);
}

int packet_stream_fill_now(struct packet_stream *s, struct err *reterr)
{
    return fill(s, MSG_DONTWAIT, reterr);
}
