#include "scheduler/engine/channel.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void channel_init(struct channel *c, uint8_t *memory, int full_fd, int freed_fd)
{
    *c = (struct channel){.slots = memory, .full = full_fd, .freed = freed_fd};
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void channel_close(struct channel *c)
{
    close_fd(&c->full);
    close_fd(&c->freed);
    buf_free(&c->carry);
}

static bool pipe_put(int fd, const void *bytes, size_t len)
{
    ssize_t n;
    while ((n = write(fd, bytes, len)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)len; /* shorter than PIPE_BUF: all or nothing */
}

static bool pipe_get(int fd, void *bytes, size_t len)
{
    for (size_t have = 0; have < len;) {
        ssize_t n = read(fd, (uint8_t *)bytes + have, len - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

static uint8_t *current_slot(const struct channel *c)
{
    return c->slots + (size_t)(c->slot % CHANNEL_SLOTS) * CHANNEL_SLOT_BYTES;
}

/* ---- writing ---- */

static void writer_next_slot(struct channel *c)
{
    uint8_t token;
    if (c->given == CHANNEL_SLOTS) {
        if (!pipe_get(c->freed, &token, 1)) {
            c->over = true;
            return;
        }
        c->given--;
    }
    c->given++;
    c->have = true;
    c->at = 0;
}

void channel_flush(struct channel *c)
{
    if (!c->have || c->at == 0 || c->over)
        return;
    uint32_t len = (uint32_t)c->at;
    c->over = !pipe_put(c->full, &len, sizeof len);
    c->have = false;
    c->slot++;
}

uint8_t *channel_reserve(struct channel *c, size_t len)
{
    if (c->have && CHANNEL_SLOT_BYTES - c->at < len)
        channel_flush(c);
    if (!c->have && !c->over)
        writer_next_slot(c);
    if (c->over)
        return NULL;
    uint8_t *to = current_slot(c) + c->at;
    c->at += len;
    return to;
}

void channel_write(struct channel *c, const void *bytes, size_t len)
{
    for (const uint8_t *from = bytes; len && !c->over;) {
        size_t room = c->have ? CHANNEL_SLOT_BYTES - c->at : CHANNEL_SLOT_BYTES;
        size_t n = len < room || room == 0 ? len : room;
        n = n < CHANNEL_SLOT_BYTES ? n : CHANNEL_SLOT_BYTES;
        uint8_t *to = channel_reserve(c, n);
        if (to)
            memcpy(to, from, n);
        from += n;
        len -= n;
    }
}

/* ---- reading ---- */

/* False: the end. */
static bool reader_slot(struct channel *c)
{
    if (c->have && c->at < c->end)
        return true;
    if (c->have) {
        c->have = false;
        c->slot++;
        (void)pipe_put(c->freed, "", 1); /* a writer that is gone needs no room */
    }
    uint32_t len = 0;
    if (c->over || !pipe_get(c->full, &len, sizeof len) || len == 0 || len > CHANNEL_SLOT_BYTES) {
        c->over = true;
        return false;
    }
    c->have = true;
    c->at = 0;
    c->end = len;
    return true;
}

struct slice channel_chunk(struct channel *c)
{
    if (!reader_slot(c))
        return (struct slice){0};
    struct slice chunk = {current_slot(c) + c->at, c->end - c->at};
    c->at = c->end;
    return chunk;
}

struct slice channel_take(struct channel *c, size_t len)
{
    if (c->have && c->end - c->at >= len) {
        c->at += len;
        return (struct slice){current_slot(c) + c->at - len, len};
    }
    buf_clear(&c->carry);
    while (c->carry.len < len || len == 0) {
        if (!reader_slot(c))
            return (struct slice){0};
        size_t n = c->end - c->at, want = len - c->carry.len;
        n = n < want ? n : want;
        if (n == len) /* whole in the next slot */
            return channel_take(c, len);
        buf_append(&c->carry, current_slot(c) + c->at, n);
        c->at += n;
    }
    return (struct slice){c->carry.base, len};
}
