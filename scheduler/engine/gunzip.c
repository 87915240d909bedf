#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#include "common/mem.h"
#include "scheduler/engine/byte_source.h"

#define GUNZIP_BUFFER_BYTES (256 << 10)

struct gunzip {
    struct byte_source from;
    const char *name;
    z_stream z;
    bool in_member, at_end;
    uint8_t buffer[GUNZIP_BUFFER_BYTES];
};

struct gunzip *gunzip_new(struct byte_source compressed, const char *name_for_errors)
{
    struct gunzip *g = mem_new(struct gunzip);
    g->from = compressed;
    g->name = name_for_errors;
    if (inflateInit2(&g->z, 15 + 16) != Z_OK)
        mem_alloc(SIZE_MAX); /* only memory can be missing here: say so and abort like every allocation */
    return g;
}

static int gunzip_fill(struct gunzip *g, struct err *reterr)
{
    size_t got = 0;
    int rc = g->from.read(g->from.context, g->buffer, sizeof g->buffer, &got, reterr);
    if (rc < 0)
        return rc;
    g->z.next_in = g->buffer;
    g->z.avail_in = (uInt)got;
    if (got == 0) {
        if (g->in_member)
            return err_set(reterr, ERR_IO, "%s: the gzip data is cut short", g->name);
        g->at_end = true;
    }
    return 0;
}

static int gunzip_read(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct gunzip *g = context;
    g->z.next_out = bytes;
    g->z.avail_out = (uInt)len;
    while (g->z.avail_out == (uInt)len && !g->at_end) {
        if (g->z.avail_in == 0) {
            int rc = gunzip_fill(g, reterr);
            if (rc < 0)
                return rc;
            continue;
        }
        g->in_member = true;
        int z = inflate(&g->z, Z_NO_FLUSH);
        if (z == Z_STREAM_END) {
            g->in_member = false;
            inflateReset(&g->z);
        } else if (z != Z_OK && z != Z_BUF_ERROR) {
            return err_set(reterr, ERR_IO, "%s: broken gzip data: %s", g->name, g->z.msg ? g->z.msg : zError(z));
        }
    }
    *ret_read = len - g->z.avail_out;
    return 0;
}

struct byte_source gunzip_source(struct gunzip *g)
{
    return (struct byte_source){gunzip_read, g};
}

void gunzip_free(struct gunzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->z);
    free(g);
}
