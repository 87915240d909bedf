/* A segment of small replicas, as start-up reads it: any bytes are passed over or found, each record within the file,
 * and in order. The salt is known here, so that records can be made. */
#include <sys/mman.h>

#include "common/digest.h"
#include "datanode/store/meta_file.h"
#include "datanode/store/small_record.h"
#include "tests/fuzz/fuzz.h"

#define SALT 0

static void small_log_add(struct buf *segment, uint64_t block_id, uint32_t len, enum small_state state)
{
    struct small_record r = {.block_id = block_id,
                             .gen_stamp = 1001,
                             .meta_bytes = META_HEADER_BYTES + META_TRAILER_BYTES,
                             .data_bytes = len,
                             .state = state};
    uint32_t bytes = small_record_bytes(&r);
    uint8_t *at = buf_reserve(segment, bytes);
    memset(at, (int)block_id, bytes);
    small_record_encode(&r, SALT, (uint32_t)segment->len, at);
    segment->len += bytes;
}

FUZZ_SEEDS(small_log)
{
    struct buf segment = {0};
    for (uint64_t id = 1; id <= 6; id++)
        small_log_add(&segment, id, (uint32_t)(id * 50), (enum small_state)(id % 3));
    fuzz_seed(seeds, segment.base, segment.len);
    fuzz_seed(seeds, segment.base, segment.len - 100); /* torn */
    memset(segment.base + 128, 0, 64);                 /* damaged */
    fuzz_seed(seeds, segment.base, segment.len);
    fuzz_seed(seeds, segment.base + 64, segment.len - 64); /* nothing is where it was */
    buf_free(&segment);
}

static void small_log_walk(struct slice in)
{
    int fd = memfd_create("segment", MFD_CLOEXEC);
    if (fd < 0 || write(fd, in.base, in.len) != (ssize_t)in.len)
        abort();
    struct small_walk w = {.fd = fd, .salt = SALT, .length = (uint32_t)in.len};
    struct small_record r;
    uint32_t offset, end = 0, found = 0;
    int rc;
    while ((rc = small_walk_next(&w, &r, &offset, NULL)) > 0) {
        if (offset < end || offset % SMALL_ALIGN || small_record_bytes(&r) > in.len - offset)
            abort();
        end = offset + small_record_bytes(&r);
        found += end - offset;
    }
    if (rc < 0 || w.at > in.len || (uint64_t)found + w.damaged_bytes > in.len)
        abort();
    close(fd);
}

/* As they are; and with the right checksum in each header that a mark begins, so that what is in it counts. */
FUZZ_RUN(small_log)
{
    if (!in.len)
        return;
    small_log_walk(in);
    struct buf mended = {0};
    buf_append(&mended, in.base, in.len);
    for (size_t at = 0; at + SMALL_HEADER_BYTES <= in.len; at += SMALL_ALIGN)
        small_record_seal(mended.base + at, SALT, (uint32_t)at);
    small_log_walk(buf_slice(&mended));
    buf_free(&mended);
}
