/* A map attempt: split -> lines -> mapper -> sorted map output, or with no reduces -> part file.
 * One thread feeds the mapper while this one takes what it writes, so neither waits for the other's buffers. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/line_input.h"
#include "scheduler/engine/map_output.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/engine/stream_child.h"

#define FEED_BYTES (256u << 10)

struct map_feed {
    struct task *task;
    struct stream_child *child;
    struct file_reader *reader;
    struct err err;
    int rc;
};

static int read_dfs(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    return file_reader_read(context, bytes, len, ret_read, reterr);
}

static void feed_progress(struct map_feed *feed, struct line_input *in, int64_t *counted)
{
    struct task *t = feed->task;
    int64_t lines = line_input_count(in);
    counters_add(t->counters, COUNTER_MAP_INPUT_RECORDS, lines - *counted);
    *counted = lines;
    int64_t done = file_reader_tell(feed->reader) - t->spec->split->start;
    if (t->spec->split->length > 0)
        task_report_progress(t->report,
                             (float)done / (float)t->spec->split->length * (t->job->reduces ? 0.667f : 1.0f));
}

/* TextInputFormat: the key (an offset) is dropped, the bytes go through as they are. */
static int feed_text(struct map_feed *feed, struct line_input *in)
{
    int64_t counted = 0;
    for (bool open = true; open;) {
        struct slice chunk;
        int rc = line_input_chunk(in, &chunk, &feed->err);
        if (rc < 0)
            return rc;
        if (chunk.len == 0)
            break;
        rc = stream_child_write(feed->child, chunk.base, chunk.len, &open, &feed->err);
        if (rc < 0)
            return rc;
        feed_progress(feed, in, &counted);
    }
    return 0;
}

/* KeyValueTextInputFormat, NLineInputFormat: key<TAB>value. */
static int feed_records(struct map_feed *feed, struct line_input *in)
{
    const Cairn__JobSpecProto *job = feed->task->job;
    bool key_value = job->inputformat == CAIRN__INPUT_FORMAT__INPUT_KEY_VALUE;
    const char *separator = job_conf_get(job, "mapreduce.input.keyvaluelinerecordreader.key.value.separator");
    separator = separator && separator[0] ? separator : "\t";
    const char *between = job_conf_get(job, "stream.map.input.field.separator");
    between = between ? between : "\t";
    bool ignore_key = job_conf_bool(job, "stream.map.input.ignoreKey", false);
    struct buf out = {0};
    int64_t counted = 0;
    int rc = 0;
    for (bool more = true, open = true; rc == 0 && more && open;) {
        struct slice line;
        int64_t offset = 0;
        if ((rc = line_input_line(in, &line, &offset, &more, &feed->err)) < 0)
            break;
        if (more && key_value) {
            struct record r = record_of_line(line, separator[0], 1);
            if (!ignore_key) {
                buf_append(&out, r.key, r.key_len);
                buf_append_str(&out, between);
            }
            buf_append(&out, r.value, r.value_len);
        } else if (more) {
            if (!ignore_key)
                buf_printf(&out, "%lld%s", (long long)offset, between);
            buf_append(&out, line.base, line.len);
        }
        if (more)
            buf_append(&out, "\n", 1);
        if (out.len >= FEED_BYTES || !more) {
            rc = stream_child_write(feed->child, out.base, out.len, &open, &feed->err);
            buf_clear(&out);
            feed_progress(feed, in, &counted);
        }
    }
    buf_free(&out);
    return rc;
}

static void feed_stats(struct map_feed *feed)
{
    struct file_reader_stats stats;
    file_reader_stats(feed->reader, &stats);
    struct counters *c = feed->task->counters;
    counters_add(c, COUNTER_HDFS_BYTES_READ, stats.bytes_read);
    counters_add(c, COUNTER_BYTES_READ, stats.bytes_read);
    counters_add(c, COUNTER_BYTES_LOCAL, stats.bytes_local);
    counters_add(c, COUNTER_BYTES_REMOTE, stats.bytes_read - stats.bytes_local);
}

static void *feed_thread(void *arg)
{
    struct map_feed *feed = arg;
    const Cairn__SplitProto *split = feed->task->spec->split;
    struct byte_source source = {read_dfs, feed->reader};
    struct gunzip *gunzip = split->whole ? gunzip_new(source, split->path) : NULL;
    struct line_input *in =
        line_input_new(gunzip ? gunzip_source(gunzip) : source, split->start, split->whole ? -1 : split->length, 0);
    bool text = feed->task->job->inputformat == CAIRN__INPUT_FORMAT__INPUT_TEXT &&
                job_conf_bool(feed->task->job, "stream.map.input.ignoreKey", true);
    feed->rc = text ? feed_text(feed, in) : feed_records(feed, in);
    if (feed->rc < 0)
        err_prefix(&feed->err, feed->rc, "input %s", split->path);
    feed_stats(feed);
    line_input_free(in);
    gunzip_free(gunzip);
    stream_child_close_in(feed->child);
    return NULL;
}

static int collect(struct task *t, struct stream_child *child, struct err *reterr)
{
    struct map_output *output = NULL;
    int rc = map_output_new(t, t->spec->outputdir, &output, reterr);
    struct stream_lines lines = {.child = child};
    const char *separator_text = job_conf_get(t->job, "stream.map.output.field.separator");
    char separator = separator_text && separator_text[0] ? separator_text[0] : '\t';
    int key_fields = (int)job_conf_int(t->job, "stream.num.map.output.key.fields", 1);
    int64_t records = 0, bytes = 0;
    while (rc == 0) {
        struct slice line;
        bool more = false;
        if ((rc = stream_lines_next(&lines, &line, &more, reterr)) < 0 || !more)
            break;
        struct record r = record_of_line(line, separator, key_fields);
        rc = map_output_add(output, &r, reterr);
        bytes += (int64_t)line.len;
        if ((++records & 0xffff) == 0) {
            counters_add(t->counters, COUNTER_MAP_OUTPUT_RECORDS, 0x10000);
            records = 0;
        }
    }
    counters_add(t->counters, COUNTER_MAP_OUTPUT_RECORDS, records);
    counters_add(t->counters, COUNTER_MAP_OUTPUT_BYTES, bytes);
    stream_lines_free(&lines);
    if (rc == 0)
        rc = map_output_finish(output, reterr);
    map_output_free(output);
    return rc;
}

static int write_part(struct task *t, struct stream_child *child, struct err *reterr)
{
    struct part_file *part = NULL;
    int rc = part_file_new(t, &part, reterr);
    if (rc == 0)
        rc = part_file_copy(part, child, COUNTER_MAP_OUTPUT_RECORDS, reterr);
    if (rc < 0) {
        part_file_abort(part);
        return rc;
    }
    return part_file_finish(part, reterr);
}

int map_task_run(struct task *t, struct err *reterr)
{
    const Cairn__SplitProto *split = t->spec->split;
    struct map_feed feed = {.task = t};
    int rc = file_reader_open(t->fs, split->path, &feed.reader, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "input %s", split->path);
    if ((rc = file_reader_seek(feed.reader, split->start, reterr)) < 0 ||
        (rc = stream_child_start(t, "mapper", t->job->mapper, &feed.child, reterr)) < 0) {
        file_reader_close(feed.reader);
        return rc;
    }
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, feed_thread, &feed);
    if (errnum) {
        stream_child_kill(feed.child);
        file_reader_close(feed.reader);
        return err_errno(reterr, errnum, "start a thread");
    }
    rc = t->job->reduces ? collect(t, feed.child, reterr) : write_part(t, feed.child, reterr);
    if (rc < 0) /* nobody reads any more: the mapper must not keep its feeder waiting */
        stream_child_signal(feed.child);
    pthread_join(thread, NULL);
    struct err child_err = {0};
    int child_rc = stream_child_finish(feed.child, &child_err);
    file_reader_close(feed.reader);
    if (rc == 0 && (rc = feed.rc) < 0 && reterr)
        *reterr = feed.err;
    if (rc == 0 && (rc = child_rc) < 0 && reterr)
        *reterr = child_err;
    return rc;
}
