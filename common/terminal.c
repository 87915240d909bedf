#include "common/terminal.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 4096

struct guarded {
    int fd;
    int rest;     /* bytes to come of a character in UTF-8 */
    bool is_held; /* 0xC2 is: what follows may make it a control character */
};

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno != EINTR)
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool is_rest(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

static char plain(struct guarded *g, unsigned char c)
{
    bool expected = is_rest(c) && g->rest, is_control = (c < ' ' && c && c != '\n' && c != '\t') || c == 127;
    g->rest = expected ? g->rest - 1 : c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    return is_control || (is_rest(c) && !expected) ? '?' : (char)c;
}

/* What stands for the next byte: at most two. */
static size_t shown(struct guarded *g, unsigned char c, char out[2])
{
    size_t n = 0;
    if (g->is_held && is_rest(c)) {
        bool is_control = c < 0xA0;
        g->is_held = false;
        out[n++] = is_control ? '?' : (char)0xC2;
        if (!is_control)
            out[n++] = (char)c;
        return n;
    }
    if (g->is_held)
        out[n++] = '?';
    g->is_held = c == 0xC2;
    if (g->is_held)
        g->rest = 0;
    else
        out[n++] = plain(g, c);
    return n;
}

static ssize_t guarded_write(void *cookie, const char *bytes, size_t len)
{
    struct guarded *g = cookie;
    char piece[PIECE_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        used += shown(g, (unsigned char)bytes[i], piece + used);
        if (used + 2 > sizeof piece || i + 1 == len) {
            if (!write_all(g->fd, piece, used))
                return 0;
            used = 0;
        }
    }
    return (ssize_t)len;
}

void terminal_text(char *text)
{
    for (unsigned char *c = (unsigned char *)text; *c; c++) {
        bool is_c1 = *c == 0xC2 && is_rest(c[1]) && c[1] < 0xA0;
        if (*c < ' ' || *c == 127 || is_c1)
            *c = '?';
        if (is_c1)
            *++c = '?';
    }
}

void terminal_guard(FILE **stream)
{
    static struct guarded all[2];
    int fd = fileno(*stream);
    if (!isatty(fd))
        return;
    struct guarded *g = &all[*stream == stderr];
    *g = (struct guarded){.fd = fd};
    FILE *guarded = fopencookie(g, "w", (cookie_io_functions_t){.write = guarded_write});
    if (!guarded)
        return;
    setvbuf(guarded, NULL, *stream == stderr ? _IONBF : _IOLBF, BUFSIZ);
    *stream = guarded;
}
