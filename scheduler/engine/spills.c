#include "scheduler/engine/spills.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/merge.h"

static void spill_path(const struct spills *s, uint32_t spill, char out[4096])
{
    snprintf(out, 4096, "%s/spill%u.out", s->dir, spill);
}

void spills_remove(struct spills *s, uint32_t before)
{
    for (; s->first < before; s->first++) {
        char path[4096], index[4200];
        spill_path(s, s->first, path);
        snprintf(index, sizeof index, "%s.index", path);
        unlink(path);
        unlink(index);
    }
}

/* ---- writing ---- */

static int end_writer(struct spills *s, struct run_writer *w, int rc, struct err *reterr)
{
    if (rc < 0) {
        run_writer_abort(w);
        return rc;
    }
    int64_t records = (int64_t)run_writer_records(w), bytes = 0;
    rc = run_writer_finish(w, &bytes, reterr);
    counters_add(s->task->counters, COUNTER_SPILLED_RECORDS, records);
    counters_add(s->task->counters, COUNTER_FILE_BYTES_WRITTEN, bytes);
    return rc;
}

static int next_writer(struct spills *s, struct run_writer **ret, struct err *reterr)
{
    char path[4096];
    spill_path(s, s->count, path);
    int rc = run_writer_new(path, s->partitions, s->task->spill_codec, ret, reterr);
    s->count += rc == 0;
    return rc;
}

int spill_buffer(struct spills *s, struct sort_buffer *buffer, struct err *reterr)
{
    struct run_writer *w = NULL;
    int rc = next_writer(s, &w, reterr);
    if (rc < 0)
        return rc;
    for (size_t i = 0, n = sort_buffer_count(buffer); i < n && rc == 0; i++) {
        uint32_t partition;
        struct record r = sort_buffer_at(buffer, i, &partition);
        rc = run_writer_add(w, partition, &r, reterr);
    }
    sort_buffer_clear(buffer);
    return end_writer(s, w, rc, reterr);
}

int spill_alone(struct spills *s, uint32_t partition, const struct record *r, struct err *reterr)
{
    struct run_writer *w = NULL;
    int rc = next_writer(s, &w, reterr);
    return rc < 0 ? rc : end_writer(s, w, run_writer_add(w, partition, r, reterr), reterr);
}

/* ---- merging ---- */

struct spill_merge {
    const struct spills *spills;
    uint32_t from, to, partition;
    int *fds;
    struct merge *merge; /* of `partition`; NULL between partitions */
};

int spill_merge_new(const struct spills *s, uint32_t from, uint32_t to, struct spill_merge **ret, struct err *reterr)
{
    struct spill_merge *m = mem_new(struct spill_merge);
    *m = (struct spill_merge){.spills = s, .from = from, .to = from, .fds = mem_calloc(to - from, sizeof *m->fds)};
    for (; m->to < to; m->to++) {
        char path[4096];
        spill_path(s, m->to, path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            spill_merge_free(m);
            return err_errno(reterr, errno, "open '%s'", path);
        }
        m->fds[m->to - from] = fd;
    }
    *ret = m;
    return 0;
}

void spill_merge_free(struct spill_merge *m)
{
    if (!m)
        return;
    merge_free(m->merge);
    for (uint32_t i = m->from; i < m->to; i++)
        close(m->fds[i - m->from]);
    free(m->fds);
    free(m);
}

static int begin_partition(struct spill_merge *m, struct err *reterr)
{
    struct task *t = m->spills->task;
    uint32_t runs = m->to - m->from, opened = 0;
    struct run_reader **readers = mem_calloc(runs, sizeof *readers);
    size_t buffer = merge_buffer_bytes(t->sort_bytes, runs);
    int rc = 0;
    for (; rc == 0 && opened < runs; opened += rc == 0) {
        char path[4096];
        struct run_extent where = {0};
        spill_path(m->spills, m->from + opened, path);
        rc = run_index_read(path, m->partition, &where, reterr);
        if (rc == 0)
            rc = run_reader_file(m->fds[opened], where, buffer, &readers[opened], reterr);
        counters_add(t->counters, COUNTER_FILE_BYTES_READ, rc == 0 ? where.bytes : 0);
    }
    if (rc == 0) {
        rc = merge_new(readers, runs, &m->merge, reterr);
    } else {
        for (uint32_t i = 0; i < opened; i++)
            run_reader_free(readers[i]);
    }
    free(readers);
    task_report_alive(t->report);
    return rc;
}

int spill_merge_next(struct spill_merge *m, uint32_t *ret_partition, struct record *ret, bool *ret_more,
                     struct err *reterr)
{
    for (; m->partition < m->spills->partitions; m->partition++) {
        int rc = m->merge ? 0 : begin_partition(m, reterr);
        if (rc < 0 || (rc = merge_next(m->merge, ret, ret_more, reterr)) < 0)
            return rc;
        *ret_partition = m->partition;
        if (*ret_more)
            return 0;
        merge_free(m->merge);
        m->merge = NULL;
    }
    *ret_more = false;
    return 0;
}

/* Spills [first, to) into the file that w writes. */
static int merge_into(struct spills *s, uint32_t to, struct run_writer *w, struct err *reterr)
{
    struct spill_merge *m = NULL;
    int rc = spill_merge_new(s, s->first, to, &m, reterr);
    for (bool more = true; rc == 0;) {
        uint32_t partition;
        struct record r;
        if ((rc = spill_merge_next(m, &partition, &r, &more, reterr)) < 0 || !more)
            break;
        rc = run_writer_add(w, partition, &r, reterr);
    }
    spill_merge_free(m);
    return end_writer(s, w, rc, reterr);
}

int spills_reduce(struct spills *s, struct err *reterr)
{
    uint32_t factor = (uint32_t)s->task->sort_factor;
    int rc = 0;
    while (rc == 0 && s->count - s->first > factor) {
        uint32_t to = s->first + factor;
        struct run_writer *w = NULL;
        if ((rc = next_writer(s, &w, reterr)) == 0 && (rc = merge_into(s, to, w, reterr)) == 0)
            spills_remove(s, to);
    }
    return rc;
}

static int rename_run_file(const char *from, const char *to, struct err *reterr)
{
    char from_index[4200], to_index[4200];
    snprintf(from_index, sizeof from_index, "%s.index", from);
    snprintf(to_index, sizeof to_index, "%s.index", to);
    if (rename(from, to) < 0 || rename(from_index, to_index) < 0)
        return err_errno(reterr, errno, "rename '%s' to '%s'", from, to);
    return 0;
}

int spills_finish(struct spills *s, struct err *reterr)
{
    char target[4096], path[4096];
    snprintf(target, sizeof target, "%s/" SHUFFLE_OUTPUT_NAME, s->dir);
    int rc = spills_reduce(s, reterr);
    if (rc < 0)
        return rc;
    if (s->count - s->first == 1) {
        spill_path(s, s->first, path);
        return rename_run_file(path, target, reterr);
    }
    struct run_writer *w = NULL;
    rc = run_writer_new(target, s->partitions, s->task->spill_codec, &w, reterr);
    return rc < 0 ? rc : merge_into(s, s->count, w, reterr);
}
