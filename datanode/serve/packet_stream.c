#include "datanode/serve/packet_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/mem.h"

#define BUFFER_AT_FIRST (16u << 10)  /* all of a small block, and malloc has it at hand */
#define BUFFER_THEN     (256u << 10) /* four packets of Hadoop's clients: fewer calls and wake-ups; one of ours */
#define PAGE_BYTES      4096

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
    s->missing = 0;
    if (s->start == s->end)
        return 0;
    struct slice in = {s->base + s->start, s->end - s->start};
    int head = packet_header_decode(in, &p.header, reterr);
    if (head <= 0)
        return head;
    size_t total = (size_t)head + p.header.checksum_bytes + p.header.data_bytes;
    if (in.len < total) {
        s->missing = total - in.len;
        return 0;
    }
    p.raw = (struct slice){in.base, total};
    p.checksums = in.base + head;
    p.data = p.checksums + p.header.checksum_bytes;
    s->start += total;
    s->last = total;
    *ret = p;
    return 1;
}

/* Full with one packet: as much more as that takes, but no more than what has come already. */
static size_t larger(const struct packet_stream *s)
{
    if (s->capacity < BUFFER_THEN)
        return s->capacity ? BUFFER_THEN : BUFFER_AT_FIRST;
    size_t needed = (s->end + s->missing + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    size_t most = s->capacity * 2;
    return needed > s->capacity && needed < most ? needed : most;
}

static void grow(struct packet_stream *s)
{
    s->capacity = larger(s);
    s->base = mem_realloc(s->base, s->capacity);
}

static void make_room(struct packet_stream *s)
{
    if (s->start == s->end)
        s->start = s->end = 0;
    size_t room = s->capacity - s->end;
    if (s->start > 0 && (room == 0 || room < s->missing)) {
        memmove(s->base, s->base + s->start, s->end - s->start);
        s->end -= s->start;
        s->start = 0;
    }
    if (s->end == s->capacity)
        grow(s);
}

/* Packets of one size fill the buffer up to the end of one of them: what begins behind it would have to be moved. */
static size_t amount(const struct packet_stream *s)
{
    size_t room = s->capacity - s->end;
    size_t whole = s->last && s->last <= s->capacity ? s->capacity - s->capacity % s->last : 0;
    size_t some = whole > s->end ? whole - s->end : 0;
    if (some < s->missing)
        some = s->missing;
    return some && some < room ? some : room;
}

static int fill(struct packet_stream *s, int flags, struct err *reterr)
{
    make_room(s);
    for (;;) {
        ssize_t n = recv(s->fd, s->base + s->end, amount(s), flags);
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
