/* One fetch: HTTP GET of a run into memory if it is small and there is room, else into a file; verified before it
 * counts. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/http.h"
#include "common/mem.h"
#include "scheduler/engine/shuffle_internal.h"

#define FETCH_TIMEOUT_MS 30000

struct fetch {
    struct shuffle *shuffle;
    struct buf bytes; /* header, and the payload if it goes to memory */
    bool have_header, in_memory;
    struct run_header header;
    size_t reserved;
    int fd;
    char *path;
    int64_t received;
    struct xxh3 *digest;
};

static int fetch_begin(struct fetch *f, struct err *reterr)
{
    struct shuffle *s = f->shuffle;
    int rc = run_header_decode(buf_slice(&f->bytes), &f->header, reterr);
    if (rc < 0)
        return rc;
    if (f->header.partition != s->task->spec->partition)
        return err_set(reterr, ERR_CHECKSUM, "the run is of partition %u", f->header.partition);
    if (f->header.payload_bytes > INT64_MAX / 2)
        return err_set(reterr, ERR_CHECKSUM, "the run's header says %llu bytes",
                       (unsigned long long)f->header.payload_bytes);
    f->have_header = true;
    uint64_t whole = f->header.payload_bytes + RUN_HEADER_BYTES, need = whole + RUN_BLOCK_BYTES;
    pthread_mutex_lock(&s->lock);
    f->in_memory = whole <= s->memory_max / 4 && s->memory_used + need <= s->memory_max;
    f->reserved = f->in_memory ? need : 0;
    s->memory_used += f->reserved;
    uint32_t number = f->in_memory ? 0 : s->files++;
    pthread_mutex_unlock(&s->lock);
    if (f->in_memory) {
        buf_reserve(&f->bytes, whole - f->bytes.len);
        return 0;
    }
    f->path = mem_printf("%s/fetched%u.run", s->task->local_dir, number);
    f->fd = open(f->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f->fd < 0)
        return err_errno(reterr, errno, "create '%s'", f->path);
    f->digest = xxh3_new();
    return file_pwrite_full(f->fd, f->bytes.base, RUN_HEADER_BYTES, 0, reterr);
}

static int fetch_sink(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    struct fetch *f = arg;
    const uint8_t *from = bytes;
    int rc = 0;
    if (!f->have_header) {
        size_t need = RUN_HEADER_BYTES - f->bytes.len, take = len < need ? len : need;
        buf_append(&f->bytes, from, take);
        from += take;
        len -= take;
        if (f->bytes.len < RUN_HEADER_BYTES)
            return 0;
        if ((rc = fetch_begin(f, reterr)) < 0)
            return rc;
    }
    if (f->received + (int64_t)len > (int64_t)f->header.payload_bytes)
        return err_set(reterr, ERR_CHECKSUM, "more bytes came than the run's header says");
    if (f->in_memory) {
        buf_append(&f->bytes, from, len);
    } else if (len) {
        xxh3_update(f->digest, from, len);
        rc = file_pwrite_full(f->fd, from, len, RUN_HEADER_BYTES + f->received, reterr);
    }
    f->received += (int64_t)len;
    task_report_alive(f->shuffle->task->report);
    return rc;
}

static int fetch_verify(struct fetch *f, struct err *reterr)
{
    if (!f->have_header || f->received != (int64_t)f->header.payload_bytes)
        return err_set(reterr, ERR_IO, "the run is cut short");
    uint64_t got =
        f->in_memory ? xxh3_of(f->bytes.base + RUN_HEADER_BYTES, (size_t)f->received) : xxh3_value(f->digest);
    if (got != f->header.xxh3)
        return err_set(reterr, ERR_CHECKSUM, "the run's digest does not match");
    return 0;
}

static int fetch_remote(struct shuffle *s, const char *attempt, const struct net_address *address, int64_t *ret_bytes,
                        struct err *reterr)
{
    struct fetch f = {.shuffle = s, .fd = -1};
    char url[512];
    snprintf(url, sizeof url, "/shuffle?job=%s&map=%s&reduce=%u", s->task->job->jobid, attempt,
             s->task->spec->partition);
    int rc = http_get(address, url, FETCH_TIMEOUT_MS, fetch_sink, &f, reterr);
    if (rc == 0)
        rc = fetch_verify(&f, reterr);
    int64_t bytes = f.received + RUN_HEADER_BYTES;
    pthread_mutex_lock(&s->lock);
    if (rc == 0 && f.header.records == 0) { /* nothing in it */
        s->memory_used -= f.reserved;
        buf_free(&f.bytes);
        if (f.path)
            unlink(f.path);
    } else if (rc == 0) {
        struct fetched run = {.where = {0, bytes}, .reserved = f.reserved};
        run.path = STEAL(f.path);
        if (f.in_memory)
            run.bytes = f.bytes;
        else
            buf_free(&f.bytes);
        f.bytes = (struct buf){0};
        shuffle_keep_run_locked(s, run);
    } else {
        s->memory_used -= f.reserved;
        if (f.path)
            unlink(f.path);
    }
    pthread_mutex_unlock(&s->lock);
    buf_free(&f.bytes);
    free(f.path);
    xxh3_free(f.digest);
    if (f.fd >= 0)
        close(f.fd);
    *ret_bytes = bytes;
    return rc < 0 ? err_prefix(reterr, rc, "output of %s", attempt) : 0;
}

int shuffle_fetch(struct shuffle *s, const char *attempt, const struct net_address *address, struct err *reterr)
{
    int64_t bytes = 0;
    int rc = shuffle_take_local(s, attempt, &bytes, reterr);
    if (rc == 0 && bytes == 0)
        rc = fetch_remote(s, attempt, address, &bytes, reterr);
    if (rc == 0) {
        counters_add(s->task->counters, COUNTER_SHUFFLED_MAPS, 1);
        counters_add(s->task->counters, COUNTER_REDUCE_SHUFFLE_BYTES, bytes);
    }
    return rc;
}
