/* A map that ran on this node has left its output in a folder beside ours: it is verified, and then merged from where
 * it lies. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "scheduler/engine/shuffle_internal.h"
#include "scheduler/ids.h"

#define VERIFY_BYTES (256u << 10)

/* OUTPUTDIR/../ATTEMPT/file.out; NULL: the attempt is none. What was parsed, and nothing else, becomes a path. */
static char *output_beside_ours(const struct task *t, const char *attempt)
{
    struct attempt_id id;
    char canonical[ATTEMPT_ID_MAX];
    const char *last = strrchr(t->spec->outputdir, '/');
    if (!last || !attempt_id_parse(attempt, &id) || !id.map || strcmp(id.job, t->job->jobid) != 0)
        return NULL;
    attempt_id_format(&id, canonical);
    return mem_printf("%.*s/%s/" SHUFFLE_OUTPUT_NAME, (int)(last - t->spec->outputdir), t->spec->outputdir, canonical);
}

static int verify(int fd, struct run_extent where, uint32_t partition, struct run_header *ret, struct err *reterr)
{
    uint8_t head[RUN_HEADER_BYTES];
    int rc = file_pread_full(fd, head, sizeof head, where.offset, reterr);
    if (rc == 0)
        rc = run_header_decode((struct slice){head, sizeof head}, ret, reterr);
    if (rc < 0)
        return rc;
    if (ret->partition != partition || (int64_t)ret->payload_bytes != where.bytes - RUN_HEADER_BYTES)
        return err_set(reterr, ERR_CHECKSUM, "the run's header and its index say different things");
    struct xxh3 *digest = xxh3_new();
    uint8_t *bytes = mem_alloc(VERIFY_BYTES);
    for (int64_t at = RUN_HEADER_BYTES; rc == 0 && at < where.bytes;) {
        size_t n = where.bytes - at < VERIFY_BYTES ? (size_t)(where.bytes - at) : VERIFY_BYTES;
        rc = file_pread_full(fd, bytes, n, where.offset + at, reterr);
        xxh3_update(digest, bytes, rc == 0 ? n : 0);
        at += (int64_t)n;
    }
    if (rc == 0 && xxh3_value(digest) != ret->xxh3)
        rc = err_set(reterr, ERR_CHECKSUM, "the run's digest does not match");
    xxh3_free(digest);
    free(bytes);
    return rc;
}

int shuffle_take_local(struct shuffle *s, const char *attempt, int64_t *ret_bytes, struct err *reterr)
{
    struct task *t = s->task;
    *ret_bytes = 0;
    if (s->maps > (uint32_t)t->sort_factor) /* many small ones are better merged in memory */
        return 0;
    struct run_extent where;
    struct run_header header = {0};
    char *path = output_beside_ours(t, attempt);
    int fd = path && run_index_read(path, t->spec->partition, &where, NULL) == 0
                 ? open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;
    int rc = fd < 0 ? 0 : verify(fd, where, t->spec->partition, &header, reterr);
    if (fd >= 0)
        close(fd);
    bool taken = fd >= 0 && rc == 0;
    *ret_bytes = taken ? where.bytes : 0;
    if (taken && header.records) {
        pthread_mutex_lock(&s->lock);
        shuffle_keep_run_locked(s, (struct fetched){.path = STEAL(path), .where = where, .is_lent = true});
        pthread_mutex_unlock(&s->lock);
    }
    free(path);
    return rc < 0 ? err_prefix(reterr, rc, "output of %s", attempt) : 0;
}
