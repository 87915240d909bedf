#include "scheduler/cli/splits.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "common/mem.h"
#include "scheduler/cli/fs_match.h"
#include "scheduler/engine/csv_scan.h"
#include "scheduler/engine/decompress.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/line_input.h"

#define SPLIT_SLOP_PERCENT 110 /* Hadoop: the last split may be 10 % larger instead of leaving a crumb */
#define SPLITS_MAX         200000
#define INPUT_DEPTH_MAX    64
#define SCAN_BYTES         (1u << 20)

struct split_plan {
    struct dfs *fs;
    Cairn__JobSpecProto *job;
    struct arena *arena;
    int64_t min_bytes, max_bytes, goal_bytes; /* goal 0 = none */
    bool recursive;
    const char *tag; /* of the input that is being looked at; NULL: none */
    size_t files, split_capacity, holder_capacity;
    /* first pass: what there is */
    struct planned_input {
        struct dfs_match file;
        const char *tag;
    } * inputs;
    size_t input_count, input_capacity;
};

static int plan_add_file(struct split_plan *p, const char *path, const struct dfs_status *status)
{
    if (p->input_count == p->input_capacity) {
        p->input_capacity = p->input_capacity ? 2 * p->input_capacity : 16;
        p->inputs = mem_realloc_array(p->inputs, p->input_capacity, sizeof *p->inputs);
    }
    p->inputs[p->input_count++] = (struct planned_input){{path, *status}, p->tag};
    return 0;
}

static int plan_add_dir(struct split_plan *p, const char *dir, int depth, struct err *reterr);

static int plan_add_entry(struct split_plan *p, const char *dir, const struct dfs_status *entry, int depth,
                          struct err *reterr)
{
    if (entry->name[0] == '_' || entry->name[0] == '.')
        return 0;
    const char *path = dfs_path_join(p->arena, dir, entry->name);
    if (entry->type != DFS_DIR)
        return plan_add_file(p, path, entry);
    if (!p->recursive)
        return err_set(reterr, ERR_IO,
                       "Not a file: %s%s (-D mapreduce.input.fileinputformat.input.dir.recursive=true reads folders "
                       "in folders)",
                       dfs_uri(p->fs), path);
    if (depth == INPUT_DEPTH_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "folders are nested more than %d deep: %s", INPUT_DEPTH_MAX, path);
    return plan_add_dir(p, path, depth + 1, reterr);
}

/* With the blocks, so that nobody asks for those of each file. */
static int plan_add_dir(struct split_plan *p, const char *dir, int depth, struct err *reterr)
{
    struct dfs_listing page = {.remaining = 1};
    int rc = 0;
    for (const char *after = NULL; rc == 0 && page.remaining;) {
        rc = dfs_list(p->fs, dir, after, true, p->arena, &page, reterr);
        for (size_t i = 0; rc == 0 && i < page.count; i++)
            rc = plan_add_entry(p, dir, &page.entries[i], depth, reterr);
        after = rc == 0 && page.count ? page.entries[page.count - 1].name : after;
    }
    return rc;
}

static int plan_add_input(struct split_plan *p, const char *text, struct err *reterr)
{
    const char *path, *uri;
    int rc = dfs_resolve(p->fs, text, p->arena, &path, &uri, reterr);
    if (rc < 0 || (rc = fs_must_match(p->fs, uri, "input", text, reterr)) < 0)
        return rc;
    struct dfs_match *matches;
    size_t count = 0;
    if ((rc = dfs_glob(p->fs, path, p->arena, &matches, &count, reterr)) < 0)
        return rc;
    if (count == 0)
        return dfs_glob_has_wildcard(path)
                   ? err_set(reterr, ERR_NOT_FOUND, "Input Pattern %s%s matches 0 files", dfs_uri(p->fs), path)
                   : err_set(reterr, ERR_NOT_FOUND, "Input path does not exist: %s%s", dfs_uri(p->fs), path);
    bool wild = dfs_glob_has_wildcard(path);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *name = dfs_path_name(matches[i].path);
        if (wild && (name[0] == '_' || name[0] == '.'))
            continue;
        rc = matches[i].status.type == DFS_DIR ? plan_add_dir(p, matches[i].path, 0, reterr)
                                               : plan_add_file(p, matches[i].path, &matches[i].status);
    }
    return rc;
}

/* "a,b{c,d}" is a and b{c,d}. */
static int plan_add_inputs(struct split_plan *p, const char *text, struct err *reterr)
{
    int rc = 0, braces = 0;
    const char *from = text;
    for (const char *c = text; rc == 0; c++) {
        braces += (*c == '{') - (*c == '}');
        if (*c && (*c != ',' || braces > 0))
            continue;
        if (c > from)
            rc = plan_add_input(p, arena_strndup(p->arena, from, (size_t)(c - from)), reterr);
        from = c + 1;
        if (!*c)
            break;
    }
    return rc;
}

/* ---- splits ---- */

static uint32_t plan_holder(struct split_plan *p, const struct dfs_datanode *node)
{
    Cairn__JobSpecProto *job = p->job;
    for (size_t i = 0; i < job->n_holders; i++)
        if (!strcmp(job->holders[i]->ip, node->ip) && !strcmp(job->holders[i]->hostname, node->host_name))
            return (uint32_t)i;
    if (job->n_holders == p->holder_capacity) {
        size_t capacity = p->holder_capacity ? 2 * p->holder_capacity : 16;
        Cairn__HolderProto **grown = arena_array(p->arena, Cairn__HolderProto *, capacity);
        if (job->n_holders)
            memcpy(grown, job->holders, job->n_holders * sizeof *grown);
        job->holders = grown;
        p->holder_capacity = capacity;
    }
    Cairn__HolderProto *h = arena_new(p->arena, Cairn__HolderProto);
    cairn__holder_proto__init(h);
    h->ip = arena_strdup(p->arena, node->ip);
    h->hostname = arena_strdup(p->arena, node->host_name);
    h->rack = node->rack && node->rack[0] ? arena_strdup(p->arena, node->rack) : NULL;
    job->holders[job->n_holders] = h;
    return (uint32_t)job->n_holders++;
}

/* Holders: of the block in which the middle of the split lies. */
static int plan_add_split(struct split_plan *p, const char *path, int64_t start, int64_t length, bool whole,
                          const struct dfs_blocks *blocks, struct err *reterr)
{
    Cairn__JobSpecProto *job = p->job;
    if (job->n_splits == SPLITS_MAX)
        return err_set(reterr, ERR_TOO_LARGE,
                       "more than %d splits; larger ones: -D mapreduce.input.fileinputformat.split.minsize=BYTES",
                       SPLITS_MAX);
    if (job->n_splits == p->split_capacity) {
        size_t capacity = p->split_capacity ? 2 * p->split_capacity : 64;
        Cairn__SplitProto **grown = arena_array(p->arena, Cairn__SplitProto *, capacity);
        if (job->n_splits)
            memcpy(grown, job->splits, job->n_splits * sizeof *grown);
        job->splits = grown;
        p->split_capacity = capacity;
    }
    Cairn__SplitProto *s = arena_new(p->arena, Cairn__SplitProto);
    cairn__split_proto__init(s);
    s->path = (char *)path;
    s->start = start;
    s->length = length;
    s->has_whole = s->whole = whole;
    s->tag = (char *)p->tag;
    int64_t middle = start + length / 2;
    for (size_t i = 0; i < blocks->count; i++) {
        const struct dfs_block *b = &blocks->blocks[i];
        if (middle < b->offset || middle >= b->offset + b->bytes)
            continue;
        s->holders = arena_array(p->arena, uint32_t, b->node_count);
        for (size_t k = 0; k < b->node_count; k++)
            s->holders[s->n_holders++] = plan_holder(p, &b->nodes[k]);
        break;
    }
    job->splits[job->n_splits++] = s;
    return 0;
}

static int read_file(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    return file_reader_read(context, bytes, len, ret_read, reterr);
}

/* NLineInputFormat: every split has so many lines, so the file is read once here. A split [start, end) has the lines
 * that begin in (start, end] (line_input.h), so its bounds lie one byte before the lines' beginnings, as in Hadoop. */
static int plan_split_by_lines(struct split_plan *p, const char *path, const struct dfs_status *status,
                               const struct dfs_blocks *blocks, struct err *reterr)
{
    int64_t lines_per_split = job_conf_int(p->job, "mapreduce.input.lineinputformat.linespermap", 1);
    struct file_reader *reader = NULL;
    int rc = file_reader_open(p->fs, path, &reader, reterr);
    if (rc < 0)
        return rc;
    struct line_input *in = line_input_new((struct byte_source){read_file, reader}, 0, -1, 0);
    int64_t begin = 0, lines = 0;
    while (rc == 0) {
        struct slice line;
        int64_t offset;
        bool more = false;
        if ((rc = line_input_line(in, &line, &offset, &more, reterr)) < 0 || !more)
            break;
        if (lines == lines_per_split) {
            rc = plan_add_split(p, path, begin, offset - 1 - begin, false, blocks, reterr);
            begin = offset - 1;
            lines = 0;
        }
        lines++;
    }
    if (rc == 0 && lines)
        rc = plan_add_split(p, path, begin, status->length - begin, false, blocks, reterr);
    line_input_free(in);
    file_reader_close(reader);
    return rc;
}

/* CSV: a block may begin inside quotes, and only what stands before it tells. So the file is read once here, and splits
 * begin with the first record that begins in their block. */
static int plan_split_by_records(struct split_plan *p, const char *path, const struct dfs_status *status, int64_t size,
                                 const struct dfs_blocks *blocks, struct err *reterr)
{
    struct file_reader *reader = NULL;
    int rc = file_reader_open(p->fs, path, &reader, reterr);
    if (rc < 0)
        return rc;
    const char *separator = job_conf_get(p->job, "cairn.csv.separator");
    struct csv_scan scan = {.separator = separator ? separator[0] : 0};
    uint8_t *bytes = mem_alloc(SCAN_BYTES);
    int64_t at = 0, begin = 0;
    for (size_t got = 1; rc == 0 && got;) {
        if ((rc = file_reader_read(reader, bytes, SCAN_BYTES, &got, reterr)) < 0)
            break;
        struct slice rest = {bytes, got};
        if (at == 0 && got >= 3 &&
            !memcmp(bytes, "\xef\xbb\xbf", 3)) { /* a byte order mark is no part of the first field */
            rest = (struct slice){bytes + 3, got - 3};
            at = 3;
        }
        while (rc == 0 && rest.len) {
            bool ended;
            size_t n = csv_scan(&scan, rest, &ended);
            at += (int64_t)n;
            rest = (struct slice){rest.base + n, rest.len - n};
            if (ended && at - begin >= size && at < status->length) {
                rc = plan_add_split(p, path, begin, at - begin, false, blocks, reterr);
                begin = at;
            }
        }
    }
    if (rc == 0 && begin < status->length)
        rc = plan_add_split(p, path, begin, status->length - begin, false, blocks, reterr);
    free(bytes);
    file_reader_close(reader);
    return rc;
}

static int plan_split_file(struct split_plan *p, const char *path, const struct dfs_status *status, struct err *reterr)
{
    size_t name = strlen(path);
    if (name > 4 && !strcmp(path + name - 4, ".lzo"))
        return err_set(reterr, ERR_UNSUPPORTED, "%s: input compressed with LZO cannot be read", path);
    struct dfs_blocks blocks = status->blocks ? *status->blocks : (struct dfs_blocks){0};
    int rc = status->length && !blocks.count
                 ? dfs_block_locations(p->fs, path, 0, status->length, p->arena, &blocks, reterr)
                 : 0;
    if (rc < 0)
        return rc;
    bool sequence = p->job->inputformat == CAIRN__INPUT_FORMAT__INPUT_SEQUENCE; /* compressed inside */
    if ((!sequence && decompressor_knows(path)) || p->job->inputformat == CAIRN__INPUT_FORMAT__INPUT_WHOLE_FILE)
        return plan_add_split(p, path, 0, status->length, true, &blocks, reterr);
    if (status->length == 0)
        return plan_add_split(p, path, 0, 0, false, &blocks, reterr);
    if (p->job->inputformat == CAIRN__INPUT_FORMAT__INPUT_NLINE)
        return plan_split_by_lines(p, path, status, &blocks, reterr);
    int64_t size = status->block_bytes > 0 ? status->block_bytes : status->length;
    if (p->goal_bytes && p->goal_bytes < size)
        size = p->goal_bytes;
    if (size > p->max_bytes)
        size = p->max_bytes;
    if (size < p->min_bytes)
        size = p->min_bytes;
    if (p->job->inputformat == CAIRN__INPUT_FORMAT__INPUT_CSV && status->length > size)
        return plan_split_by_records(p, path, status, size, &blocks, reterr);
    int64_t at = 0;
    while (rc == 0 && (double)(status->length - at) * 100 > (double)size * SPLIT_SLOP_PERCENT) {
        rc = plan_add_split(p, path, at, size, false, &blocks, reterr);
        at += size;
    }
    return rc < 0 || at == status->length ? rc
                                          : plan_add_split(p, path, at, status->length - at, false, &blocks, reterr);
}

/* "TAG=PATH" */
static int plan_add_tagged(struct split_plan *p, const char *text, struct err *reterr)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-taggedInput %s: tag=path is wanted", text);
    p->tag = arena_strndup(p->arena, text, (size_t)(equals - text));
    int rc = plan_add_inputs(p, equals + 1, reterr);
    p->tag = NULL;
    return rc;
}

int splits_compute(struct dfs *fs, const struct job_request *request, Cairn__JobSpecProto *job, struct arena *a,
                   size_t *ret_files, struct err *reterr)
{
    struct split_plan p = {.fs = fs, .job = job, .arena = a};
    p.min_bytes = job_conf_int(job, "mapreduce.input.fileinputformat.split.minsize", 1);
    p.min_bytes = p.min_bytes > 0 ? p.min_bytes : 1;
    p.max_bytes = job_conf_int(job, "mapreduce.input.fileinputformat.split.maxsize", INT64_MAX);
    p.recursive = job_conf_bool(job, "mapreduce.input.fileinputformat.input.dir.recursive", false);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < request->input_count; i++)
        rc = plan_add_inputs(&p, request->inputs[i], reterr);
    for (size_t i = 0; rc == 0 && i < request->tagged_count; i++)
        rc = plan_add_tagged(&p, request->tagged[i], reterr);
    int64_t total = 0, maps = job_conf_int(job, "mapreduce.job.maps", 0);
    for (size_t i = 0; i < p.input_count; i++)
        total += p.inputs[i].file.status.length;
    p.goal_bytes = maps > 0 ? total / maps : 0;
    if (maps > 0 && p.goal_bytes < 1)
        p.goal_bytes = 1;
    for (size_t i = 0; rc == 0 && i < p.input_count; i++) {
        p.tag = p.inputs[i].tag;
        rc = plan_split_file(&p, p.inputs[i].file.path, &p.inputs[i].file.status, reterr);
    }
    *ret_files = p.input_count;
    free(p.inputs);
    return rc;
}
