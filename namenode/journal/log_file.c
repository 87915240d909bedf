#include "namenode/journal/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

#define NEAR_BYTES (64 << 10) /* as far before the end of the zeros the next ones are written */
#define LOOK_BYTES 4096

bool log_file_is_name(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && len < sizeof((struct log_file *)0)->name && !strcmp(name + len - 4, ".log");
}

int log_file_open(struct log_file *log, int folder_fd, const char *name)
{
    int fd = openat(folder_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    *log = (struct log_file){.fd = fd};
    memcpy(log->name, name, strlen(name) + 1);
    (void)fallocate(fd, 0, 0, LOG_RESERVED_BYTES);
    return 0;
}

void log_file_close(struct log_file *log)
{
    close(log->fd);
}

/* The bytes of `at` up to its last one that is not zero. */
static size_t used_bytes(const uint8_t *at, size_t len)
{
    static const uint8_t zeros[LOOK_BYTES];
    while (len >= sizeof zeros && !memcmp(at + len - sizeof zeros, zeros, sizeof zeros))
        len -= sizeof zeros;
    while (len && !at[len - 1])
        len--;
    return len;
}

/* A record that has nothing but zeros just here is overlooked, and this log gets no more steps. */
static bool is_near_the_end(const struct log_file *log)
{
    uint8_t look[LOOK_BYTES];
    if (!log->zeroed)
        return true;
    ssize_t n = pread(log->fd, look, sizeof look, log->zeroed - NEAR_BYTES);
    return n > 0 && used_bytes(look, (size_t)n) > 0;
}

/* Where LevelDB is in the file nobody tells. But what it wrote ends with the last byte that is not a zero, or with
 * zeros: writing zeros behind that changes nothing, if it does not write at the same time. */
static bool step(struct log_file *log, uint8_t *buffer)
{
    ssize_t n = pread(log->fd, buffer, LOG_ZEROS_BYTES, log->zeroed);
    if (n < 0)
        return false;
    size_t used = used_bytes(buffer, (size_t)n), left = LOG_ZEROS_BYTES - used;
    memset(buffer, 0, left);
    if (pwrite(log->fd, buffer, left, log->zeroed + (int64_t)used) != (ssize_t)left)
        return false;
    log->zeroed += LOG_ZEROS_BYTES;
    return true;
}

void log_file_zero_ahead(struct log_file *log, struct store *store)
{
    if (log->zeroed >= LOG_RESERVED_BYTES || !is_near_the_end(log))
        return;
    uint8_t *buffer = mem_alloc(LOG_ZEROS_BYTES);
    do {
        store_writes_stop(store);
        bool done = step(log, buffer);
        store_writes_go_on(store);
        if (!done)
            log->zeroed = LOG_RESERVED_BYTES; /* a full disk, say: no more of it */
    } while (log->zeroed < LOG_RESERVED_BYTES && is_near_the_end(log));
    free(buffer);
}
