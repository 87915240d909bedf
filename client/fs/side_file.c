#include "client/fs/side_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/mem.h"

#define CHUNK_BYTES 512

struct side_file {
    FILE *file;
    char *path;
    uLong crc;
    size_t chunk_len;
};

char *side_file_path(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    return mem_printf("%.*s.%s.crc", (int)(name - path), path, name);
}

int side_file_open(const char *path, struct side_file **ret, struct err *reterr)
{
    char *side = side_file_path(path);
    FILE *file = fopen(side, "we");
    if (!file) {
        int rc = err_errno(reterr, errno, "%s", side);
        mem_freep(&side);
        return rc;
    }
    uint32_t chunk = htonl(CHUNK_BYTES);
    fwrite("crc", 1, 4, file);
    fwrite(&chunk, sizeof chunk, 1, file);
    struct side_file *s = mem_new(struct side_file);
    *s = (struct side_file){.file = file, .path = side, .crc = crc32(0, NULL, 0)};
    *ret = s;
    return 0;
}

static void chunk_end(struct side_file *s)
{
    uint32_t crc = htonl((uint32_t)s->crc);
    fwrite(&crc, sizeof crc, 1, s->file);
    s->crc = crc32(0, NULL, 0);
    s->chunk_len = 0;
}

int side_file_add(struct side_file *s, const void *bytes, size_t len, struct err *reterr)
{
    const unsigned char *at = bytes;
    while (len) {
        size_t n = CHUNK_BYTES - s->chunk_len < len ? CHUNK_BYTES - s->chunk_len : len;
        s->crc = crc32(s->crc, at, (uInt)n);
        s->chunk_len += n;
        at += n;
        len -= n;
        if (s->chunk_len == CHUNK_BYTES)
            chunk_end(s);
    }
    return ferror(s->file) ? err_set(reterr, ERR_IO, "write '%s' failed", s->path) : 0;
}

int side_file_close(struct side_file *s, struct err *reterr)
{
    if (s->chunk_len)
        chunk_end(s);
    bool failed = ferror(s->file);
    failed |= fclose(s->file) != 0;
    int rc = failed ? err_set(reterr, ERR_IO, "write '%s' failed", s->path) : 0;
    mem_freep(&s->path);
    mem_freep(&s);
    return rc;
}

void side_file_discard(struct side_file *s)
{
    fclose(s->file);
    (void)unlink(s->path); /* its file goes away too */
    mem_freep(&s->path);
    mem_freep(&s);
}
