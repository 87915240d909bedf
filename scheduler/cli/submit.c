#include "scheduler/cli/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/lib/dfs_path.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/net.h"
#include "scheduler/cli/fs_match.h"
#include "scheduler/cli/sample.h"
#include "scheduler/cli/splits.h"
#include "scheduler/engine/command_line.h"
#include "scheduler/engine/compress.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/partition.h"
#include "scheduler/sink/sink.h"
#include "scheduler/engine/program.h"

#define COPY_BYTES    (256u << 10)
#define STAGING_ROOT  "/tmp/hadoop-yarn/staging"
#define JOB_FILES_MAX 1000
#define REDUCES_MAX   100000

/* ---- properties ---- */

/* Names from Hadoop 1 that scripts still use. */
static const char *const old_names[][2] = {
    {"mapred.reduce.tasks", "mapreduce.job.reduces"},
    {"mapred.map.tasks", "mapreduce.job.maps"},
    {"mapred.job.name", "mapreduce.job.name"},
    {"mapred.task.timeout", "mapreduce.task.timeout"},
    {"io.sort.mb", "mapreduce.task.io.sort.mb"},
    {"io.sort.factor", "mapreduce.task.io.sort.factor"},
    {"mapred.map.max.attempts", "mapreduce.map.maxattempts"},
    {"mapred.reduce.max.attempts", "mapreduce.reduce.maxattempts"},
    {"mapred.min.split.size", "mapreduce.input.fileinputformat.split.minsize"},
    {"mapred.max.split.size", "mapreduce.input.fileinputformat.split.maxsize"},
    {"mapred.input.dir.recursive", "mapreduce.input.fileinputformat.input.dir.recursive"},
    {"mapred.line.input.format.linespermap", "mapreduce.input.lineinputformat.linespermap"},
    {"key.value.separator.in.input.line", "mapreduce.input.keyvaluelinerecordreader.key.value.separator"},
    {"mapred.reduce.slowstart.completed.maps", "mapreduce.job.reduce.slowstart.completedmaps"},
    {"mapred.output.compress", "mapreduce.output.fileoutputformat.compress"},
    {"mapred.output.compression.codec", "mapreduce.output.fileoutputformat.compress.codec"},
    {"mapred.compress.map.output", "mapreduce.map.output.compress"},
    {"mapred.map.output.compression.codec", "mapreduce.map.output.compress.codec"},
    {"mapred.reduce.parallel.copies", "mapreduce.reduce.shuffle.parallelcopies"},
};
/* What would change the result if it were ignored. */
static const char *const refused_settings[] = {
    "mapreduce.job.output.group.comparator.class",
    "mapred.output.value.groupfn.class",
    "stream.map.input.writer.class",
    "stream.map.output.reader.class",
    "stream.reduce.input.writer.class",
    "stream.reduce.output.reader.class",
};

struct property_list {
    Cairn__JobSpecProto *job;
    struct arena *arena;
    size_t capacity;
};

static void add_property(struct property_list *list, const char *name, const char *value)
{
    Cairn__JobSpecProto *job = list->job;
    if (job->n_properties == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        Cairn__PropertyProto **grown = arena_array(list->arena, Cairn__PropertyProto *, capacity);
        if (job->n_properties)
            memcpy(grown, job->properties, job->n_properties * sizeof *grown);
        job->properties = grown;
        list->capacity = capacity;
    }
    Cairn__PropertyProto *p = arena_new(list->arena, Cairn__PropertyProto);
    cairn__property_proto__init(p);
    p->name = arena_strdup(list->arena, name);
    p->value = arena_strdup(list->arena, value);
    job->properties[job->n_properties++] = p;
}

static void add_set_property(const char *name, const char *value, const char *source, void *arg)
{
    if (!strcmp(source, "default"))
        return;
    for (size_t i = 0; i < ARRAY_COUNT(old_names); i++)
        if (!strcmp(name, old_names[i][0]) && !job_conf_get(((struct property_list *)arg)->job, old_names[i][1]))
            add_property(arg, old_names[i][1], value);
    add_property(arg, name, value);
}

static int check_properties(const Cairn__JobSpecProto *job, struct err *reterr)
{
    for (size_t i = 0; i < ARRAY_COUNT(refused_settings); i++)
        if (job_conf_get(job, refused_settings[i]))
            return err_set(reterr, ERR_UNSUPPORTED, "-D %s is not supported", refused_settings[i]);
    static const char *const codecs[] = {"mapreduce.output.fileoutputformat.compress.codec",
                                         "mapreduce.map.output.compress.codec"};
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        const char *codec = job_conf_get(job, codecs[i]);
        if (codec && !codec_suffix(codec))
            return err_set(reterr, ERR_UNSUPPORTED, "-D %s: codec %s is not known", codecs[i], codec);
    }
    return job_conf_check(job, reterr);
}

/* ---- job files ---- */

static int upload(struct dfs *fs, const char *local, const char *target, Cairn__JobFileProto *file, struct err *reterr)
{
    AUTO(net_closep) int fd = open(local, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno == ENOENT ? err_set(reterr, ERR_ILLEGAL_ARGUMENT, "File: %s does not exist.", local)
                               : err_errno(reterr, errno, "File: %s", local);
    if (!S_ISREG(st.st_mode))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "File: %s is not a regular file (folders cannot be shipped)",
                       local);
    struct file_writer *writer = NULL;
    struct file_create how = {.mode = 0644, .overwrite = true, .create_parent = true};
    int rc = file_writer_create(fs, target, &how, &writer, reterr);
    if (rc < 0)
        return rc;
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    struct xxh3 *digest = xxh3_new();
    ssize_t n;
    while (rc == 0 && (n = read(fd, bytes, COPY_BYTES)) != 0) {
        if (n < 0) {
            rc = err_errno(reterr, errno, "read '%s'", local);
        } else {
            xxh3_update(digest, bytes, (size_t)n);
            file->length += n;
            rc = file_writer_write(writer, bytes, (size_t)n, reterr);
        }
    }
    file->xxh3 = xxh3_value(digest);
    file->has_executable = true;
    file->executable = st.st_mode & 0111;
    xxh3_free(digest);
    free(bytes);
    if (rc < 0) {
        file_writer_abort(writer);
        return rc;
    }
    return file_writer_close(writer, reterr);
}

struct file_list {
    struct dfs *fs;
    Cairn__JobSpecProto *job;
    struct arena *arena;
    const char **sources; /* of job->files */
    size_t given;         /* so many of them by name; the others because a command is a file here */
};

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return !strcmp(a, b) || (stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* "path", "path#name" or "hdfs://.../path#name". */
static int ship(struct file_list *list, const char *text, bool archive, struct err *reterr)
{
    Cairn__JobSpecProto *job = list->job;
    struct arena *a = list->arena;
    const char *hash = strrchr(text, '#');
    char *path = hash ? arena_strndup(a, text, (size_t)(hash - text)) : arena_strdup(a, text);
    const char *slash = strrchr(path, '/');
    const char *name = hash ? hash + 1 : slash ? slash + 1 : path;
    if (!strncmp(path, "file:", 5))
        path += !strncmp(path, "file://", 7) ? 7 : 5;
    for (size_t i = 0; i < job->n_files; i++)
        if (!strcmp(job->files[i]->link, name))
            return is_same_file(list->sources[i], path)
                       ? 0 /* given twice */
                       : err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                                 "%s and %s are both called %s where tasks run; -file PATH#NAME gives one another name",
                                 list->sources[i], path, name);
    if (job->n_files == JOB_FILES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "more than %d files are to be shipped", JOB_FILES_MAX);
    Cairn__JobFileProto *file = arena_new(a, Cairn__JobFileProto);
    cairn__job_file_proto__init(file);
    file->link = arena_strdup(a, name);
    file->has_archive = file->archive = archive;
    int rc = 0;
    if (!strncmp(path, "hdfs://", 7)) {
        const char *resolved, *uri;
        rc = dfs_resolve(list->fs, path, a, &resolved, &uri, reterr);
        if (rc == 0)
            rc = fs_must_match(list->fs, uri, "file", path, reterr);
        struct dfs_status status;
        if (rc == 0 && (rc = dfs_stat(list->fs, resolved, a, &status, reterr)) == 0) {
            file->path = (char *)resolved;
            file->length = status.length;
            file->has_executable = file->executable = true;
        }
    } else {
        file->path = arena_printf(a, "%s/files/%s", job->stagingdir, name);
        rc = upload(list->fs, path, file->path, file, reterr);
    }
    if (rc < 0)
        return rc;
    list->sources[job->n_files] = path;
    job->files[job->n_files++] = file;
    return 0;
}

/* Whether `word`, of a command, means file i where tasks run: it is that file, or "./name" of one that was given, or a
 * local copy of one that is in the cluster. */
static bool means_file(const struct file_list *list, size_t i, const char *word)
{
    bool in_place = !strncmp(word, "./", 2) && !strchr(word + 2, '/');
    return is_same_file(list->sources[i], word) ||
           (access(word, F_OK) == 0 && ((i < list->given && in_place) || !strncmp(list->sources[i], "hdfs://", 7)));
}

/* `-mapper ./m.py` works without -file: a relative name of a file that is here is shipped, and called by its last part.
 */
static int ship_command(struct file_list *list, char **command, struct err *reterr)
{
    char **words;
    if (!*command)
        return 0;
    int rc = command_split(*command, list->arena, &words, reterr);
    if (rc < 0)
        return rc;
    struct stat st;
    const char *slash = strrchr(words[0], '/'), *name = slash ? slash + 1 : words[0];
    for (size_t i = 0; i < list->job->n_files; i++) /* shipped by -file, perhaps named by its local path */
        if (!strcmp(list->job->files[i]->link, name) && (!slash || means_file(list, i, words[0]))) {
            const char *rest = strstr(*command, words[0]);
            if (rest)
                *command = arena_printf(list->arena, "%s%s", name, rest + strlen(words[0]));
            return 0;
        }
    if (words[0][0] == '/' || stat(words[0], &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    if ((rc = ship(list, words[0], false, reterr)) < 0)
        return rc;
    const char *rest = strstr(*command, words[0]);
    if (rest)
        *command = arena_printf(list->arena, "%s%s", name, rest + strlen(words[0]));
    return 0;
}

/* Each of the texts may be several, with commas. */
static int ship_list(struct file_list *list, const char *const *texts, size_t count, bool archive, struct err *reterr)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        for (const char *from = texts[i]; rc == 0 && *from;) {
            size_t n = strcspn(from, ",");
            if (n)
                rc = ship(list, arena_strndup(list->arena, from, n), archive, reterr);
            from += n + (from[n] == ',');
        }
    return rc;
}

static int ship_all(struct file_list *list, const struct job_request *request, struct err *reterr)
{
    list->job->files = arena_array(list->arena, Cairn__JobFileProto *, JOB_FILES_MAX);
    list->sources = arena_array(list->arena, const char *, JOB_FILES_MAX);
    int rc = ship_list(list, request->files, request->file_count, false, reterr);
    if (rc == 0)
        rc = ship_list(list, request->archives, request->archive_count, true, reterr);
    list->given = list->job->n_files;
    char **commands[] = {&list->job->mapper, &list->job->combiner, &list->job->reducer};
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(commands); i++)
        rc = ship_command(list, commands[i], reterr);
    return rc;
}

/* ---- the request ---- */

static const char *class_name(const char *text)
{
    const char *dot = strrchr(text, '.');
    return dot ? dot + 1 : text;
}

static bool is_java_class(const char *text)
{
    return !strncmp(text, "org.apache.", 11) && !strchr(text, ' ');
}

/* Of Java's classes those that a command can stand for. */
static int check_command(const char *what, char **command, struct err *reterr)
{
    static const char *const identities[] = {"IdentityMapper", "IdentityReducer"};
    if (!*command || !is_java_class(*command))
        return 0;
    for (size_t i = 0; i < ARRAY_COUNT(identities); i++)
        if (!strcmp(class_name(*command), identities[i])) {
            *command = "cat";
            return 0;
        }
    return err_set(reterr, ERR_UNSUPPORTED,
                   "-%s %s: Java classes cannot run here; give a command (cat does what the Identity classes do)", what,
                   *command);
}

struct format_name {
    const char *name;
    int format;
};

static int find_format(const char *option, const char *class, const struct format_name *known, size_t count, int *ret,
                       struct err *reterr)
{
    struct buf names = {0};
    for (size_t i = 0; class && i < count; i++) {
        if (!strcmp(class_name(class), known[i].name)) {
            *ret = known[i].format;
            buf_free(&names);
            return 0;
        }
        buf_printf(&names, "%s%s", i ? ", " : "", known[i].name);
    }
    int rc = class ? err_set(reterr, ERR_UNSUPPORTED, "-%s : class not found : %s (known: %s)", option, class,
                             buf_cstr(&names))
                   : 0;
    buf_free(&names);
    return rc;
}

enum { PARTITION_HASH, PARTITION_FIELDS, PARTITION_ORDER };

static int fill_formats(const struct job_request *request, Cairn__JobSpecProto *job, struct err *reterr)
{
    static const struct format_name inputs[] = {{"TextInputFormat", CAIRN__INPUT_FORMAT__INPUT_TEXT},
                                                {"KeyValueTextInputFormat", CAIRN__INPUT_FORMAT__INPUT_KEY_VALUE},
                                                {"NLineInputFormat", CAIRN__INPUT_FORMAT__INPUT_NLINE},
                                                {"WholeFileInputFormat", CAIRN__INPUT_FORMAT__INPUT_WHOLE_FILE},
                                                {"CSVInputFormat", CAIRN__INPUT_FORMAT__INPUT_CSV},
                                                {"SequenceFileInputFormat", CAIRN__INPUT_FORMAT__INPUT_SEQUENCE},
                                                {"SequenceFileAsTextInputFormat", CAIRN__INPUT_FORMAT__INPUT_SEQUENCE}};
    static const struct format_name outputs[] = {{"TextOutputFormat", CAIRN__OUTPUT_FORMAT__OUTPUT_TEXT},
                                                 {"SequenceFileOutputFormat", CAIRN__OUTPUT_FORMAT__OUTPUT_SEQUENCE}};
    static const struct format_name partitioners[] = {{"HashPartitioner", PARTITION_HASH},
                                                      {"KeyFieldBasedPartitioner", PARTITION_FIELDS},
                                                      {"TotalOrderPartitioner", PARTITION_ORDER}};
    int input = CAIRN__INPUT_FORMAT__INPUT_TEXT, output = CAIRN__OUTPUT_FORMAT__OUTPUT_TEXT, partition = PARTITION_HASH;
    int rc = find_format("inputformat", request->input_format, inputs, ARRAY_COUNT(inputs), &input, reterr);
    if (rc == 0)
        rc = find_format("outputformat", request->output_format, outputs, ARRAY_COUNT(outputs), &output, reterr);
    if (rc == 0)
        rc = find_format("partitioner", request->partitioner, partitioners, ARRAY_COUNT(partitioners), &partition,
                         reterr);
    if (rc < 0)
        return rc;
    job->inputformat = (Cairn__InputFormat)input;
    job->has_outputformat = true;
    job->outputformat = (Cairn__OutputFormat)output;
    job->has_fieldpartitioner = job->has_totalorder = true;
    job->fieldpartitioner = partition == PARTITION_FIELDS;
    job->totalorder = partition == PARTITION_ORDER;
    struct partitioner ignored;
    struct key_order order;
    if ((rc = partitioner_open(job, &ignored, reterr)) == 0)
        rc = key_order_open(job, &order, reterr);
    return rc;
}

/* "StreamXmlRecord,begin=<page>,end=</page>" */
static int fill_reader(const struct job_request *request, struct property_list *list, struct err *reterr)
{
    if (!request->input_reader)
        return 0;
    char *text = arena_strdup(list->arena, request->input_reader), *save = NULL;
    const char *class = strtok_r(text, ",", &save);
    bool begin = false, end = false;
    if (!class || strncmp(class_name(class), "StreamXmlRecord", 15))
        return err_set(reterr, ERR_UNSUPPORTED, "-inputreader %s is not known (known: StreamXmlRecord)",
                       request->input_reader);
    for (char *part; (part = strtok_r(NULL, ",", &save));) {
        char *equals = strchr(part, '=');
        if (!equals || !equals[1])
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-inputreader %s: name=value is wanted",
                           request->input_reader);
        *equals = 0;
        begin |= !strcmp(part, "begin");
        end |= !strcmp(part, "end");
        add_property(list, arena_printf(list->arena, "stream.recordreader.%s", part), equals + 1);
    }
    if (!begin || !end)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-inputreader %s: begin and end are wanted",
                       request->input_reader);
    list->job->inputformat = CAIRN__INPUT_FORMAT__INPUT_XML;
    return 0;
}

static int fill_environment(const struct job_request *request, Cairn__JobSpecProto *job, struct arena *a,
                            struct err *reterr)
{
    job->environment = arena_array(a, Cairn__PropertyProto *, request->cmdenv_count);
    for (size_t i = 0; i < request->cmdenv_count; i++) {
        const char *equals = strchr(request->cmdenv[i], '=');
        if (!equals || equals == request->cmdenv[i])
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-cmdenv %s: name=value is wanted", request->cmdenv[i]);
        Cairn__PropertyProto *p = arena_new(a, Cairn__PropertyProto);
        cairn__property_proto__init(p);
        p->name = arena_strndup(a, request->cmdenv[i], (size_t)(equals - request->cmdenv[i]));
        p->value = arena_strdup(a, equals + 1);
        job->environment[job->n_environment++] = p;
    }
    return 0;
}

static int fill_reduces(const struct job_request *request, Cairn__JobSpecProto *job, struct err *reterr)
{
    int64_t reduces = request->reduces >= 0 ? request->reduces : job_conf_int(job, "mapreduce.job.reduces", 1);
    if (reduces > REDUCES_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-numReduceTasks %lld: at most %d", (long long)reduces,
                       REDUCES_MAX);
    if (request->reducer && !strcmp(request->reducer, "NONE"))
        reduces = 0;
    job->reduces = (uint32_t)reduces;
    if (reduces == 0)
        job->reducer = job->combiner = NULL;
    return 0;
}

/* -program: mapper, and combiner and reducer if it has them. Asked in a process of its own, as its code runs when
 * loaded. */
static int fill_program(struct job_request *request, struct err *reterr)
{
    const char *program = request->program;
    if (!program)
        return 0;
    if (!program_is_library(program))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-program %s: a file that ends in .so is wanted", program);
    unsigned has = 0;
    int rc = program_ask(program, &has, reterr);
    if (rc < 0)
        return rc;
    if (!request->mapper && !(has & PROGRAM_HAS_MAP))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-program %s has no map; a -mapper is wanted too", program);
    request->mapper = request->mapper ? request->mapper : program;
    if (!request->combiner && (has & PROGRAM_HAS_COMBINE))
        request->combiner = program;
    if (!request->reducer)
        request->reducer = has & PROGRAM_HAS_REDUCE ? program : "NONE";
    return 0;
}

static int job_fill(struct job_request *request, const struct config *config, struct dfs *fs, Cairn__JobSpecProto *job,
                    struct arena *a, struct err *reterr)
{
    struct property_list properties = {.job = job, .arena = a};
    config_each(config, add_set_property, &properties);
    int rc = check_properties(job, reterr);
    if (rc == 0)
        rc = fill_program(request, reterr);
    if (rc < 0)
        return rc;
    job->user = (char *)dfs_user(fs);
    job->fsuri = (char *)dfs_uri(fs);
    job->mapper = (char *)request->mapper;
    job->combiner = (char *)request->combiner;
    job->reducer = request->reducer ? (char *)request->reducer : "cat"; /* IdentityReducer */
    const char *name = job_conf_get(job, "mapreduce.job.name");
    job->name = name ? (char *)name : arena_printf(a, "streaming: %.60s", request->mapper);
    job->has_lazyoutput = true;
    job->lazyoutput = request->lazy_output;
    if (job->reducer && !strcmp(job->reducer, PROGRAM_AGGREGATE) && !job->combiner)
        job->combiner = PROGRAM_AGGREGATE; /* as in Hadoop */
    if (rc == 0 && (rc = check_command("mapper", &job->mapper, reterr)) == 0 &&
        (rc = check_command("combiner", &job->combiner, reterr)) == 0 &&
        (rc = check_command("reducer", &job->reducer, reterr)) == 0 &&
        (rc = fill_environment(request, job, a, reterr)) == 0 && (rc = fill_reduces(request, job, reterr)) == 0)
        rc = fill_formats(request, job, reterr);
    if (rc == 0)
        rc = fill_reader(request, &properties, reterr);
    if (rc == 0 && request->input_format && !strcmp(class_name(request->input_format), "SequenceFileAsTextInputFormat"))
        add_property(&properties, "cairn.sequence.bytes", "hex");
    return rc;
}

static int check_output(struct dfs *fs, const char *text, bool may_exist, struct arena *a, char **ret_path,
                        struct err *reterr)
{
    const char *path, *uri;
    int rc = dfs_resolve(fs, text, a, &path, &uri, reterr);
    if (rc < 0 || (rc = fs_must_match(fs, uri, "output", text, reterr)) < 0)
        return rc;
    struct dfs_status status;
    struct err err = {0};
    rc = dfs_stat(fs, path, a, &status, &err);
    if (rc == 0 && !may_exist)
        return err_set(reterr, ERR_EXISTS, "Output directory %s%s already exists", dfs_uri(fs), path);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        if (reterr)
            *reterr = err;
        return rc;
    }
    *ret_path = (char *)path;
    return 0;
}

/* The folder of all users' staging folders may have to be made by whoever comes first: open to all, like /tmp. */
static int make_staging_root(struct dfs *fs, const char *root, struct arena *a, struct err *reterr)
{
    for (const char *at = root + 1;; at++) {
        if (*at && *at != '/')
            continue;
        const char *dir = arena_strndup(a, root, (size_t)(at - root));
        struct dfs_status status;
        struct err err = {0};
        int rc = dfs_stat(fs, dir, a, &status, &err);
        if (rc == ERR_NOT_FOUND) {
            rc = dfs_mkdirs(fs, dir, 01777, false, reterr);
            if (rc < 0)
                return rc;
        }
        if (!*at)
            return 0;
    }
}

static int make_staging(struct dfs *fs, Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    const char *root = job_conf_get(job, "yarn.app.mapreduce.am.staging-dir");
    root = root && root[0] == '/' ? root : STAGING_ROOT;
    int rc = make_staging_root(fs, root, a, reterr);
    job->stagingdir = arena_printf(a, "%s/%s/.staging/%s", root, dfs_user(fs), job->jobid);
    return rc < 0 ? rc : dfs_mkdirs(fs, job->stagingdir, 0700, true, reterr);
}

static void remove_quietly(struct dfs *fs, const char *path)
{
    bool deleted;
    struct err ignored;
    if (path && dfs_delete(fs, path, true, &deleted, &ignored) < 0)
        fprintf(stderr, "cairn: %s stays behind: %s\n", path, ignored.text);
}

/* ---- later, again, instead ---- */

/* Into a table: the rows are collected in a folder of the staging place. */
static int fill_sink(struct dfs *fs, const char *url, Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    struct sink sink;
    int rc = sink_parse(url, a, &sink, reterr);
    if (rc == 0)
        rc = sink_check(&sink, reterr);
    const char *root = job_conf_get(job, "yarn.app.mapreduce.am.staging-dir");
    job->sink = (char *)url;
    job->output = arena_printf(a, "%s/%s/.staging/rows", root && root[0] == '/' ? root : STAGING_ROOT, dfs_user(fs));
    return rc;
}

static bool is_later(const Cairn__JobSpecProto *job)
{
    return job_conf_get(job, "cairn.job.after") || job_conf_get(job, "cairn.job.schedule");
}

/* true, or keep: what is replaced stays beside it until the next time. */
static bool replaces(const Cairn__JobSpecProto *job)
{
    const char *how = job_conf_get(job, "cairn.job.replace");
    return (how && !strcasecmp(how, "keep")) || job_conf_bool(job, "cairn.job.replace", false);
}

/* The output takes the place of a folder when it is complete; until then it has a name of its own beside it. */
static void fill_replacement(Cairn__JobSpecProto *job, struct arena *a)
{
    if (!replaces(job))
        return;
    const char *slash = strrchr(job->output, '/');
    job->replaces = job->output;
    job->output = arena_printf(a, "%.*s/_replacing_%s", (int)(slash - job->output), job->output, slash + 1);
    if (!job_conf_get(job, "cairn.job.schedule")) /* each run of which adds its own */
        job->output = arena_printf(a, "%s.%s", job->output, job->jobid);
}

static int submit_schedule(struct job_client *client, Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    Cairn__ScheduleProto schedule = CAIRN__SCHEDULE_PROTO__INIT;
    int64_t next_ms;
    char when[32];
    struct tm tm;
    schedule.name = job->name;
    schedule.cron = (char *)job_conf_get(job, "cairn.job.schedule");
    schedule.job = job;
    int rc = job_client_schedule(client, &schedule, a, &next_ms, reterr);
    if (rc < 0)
        return rc;
    time_t next = (time_t)(next_ms / 1000);
    localtime_r(&next, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
    fprintf(stderr, "Recurring job '%s' is kept; it runs for the first time at %s.\n", job->name, when);
    return 0;
}

static int make_and_submit(struct dfs *fs, struct job_client *client, Cairn__JobSpecProto *job, struct arena *a,
                           const char **ret_job_id, const char **ret_url, struct err *reterr)
{
    if (job_conf_get(job, "cairn.job.schedule"))
        return submit_schedule(client, job, a, reterr);
    int rc = dfs_mkdirs(fs, arena_printf(a, "%s/_temporary/0", job->output), 0755, true, reterr);
    if (rc < 0)
        return rc;
    if ((rc = job_client_submit(client, job, a, ret_url, reterr)) < 0)
        remove_quietly(fs, job->output);
    else
        *ret_job_id = job->jobid;
    return rc;
}

int job_submit(struct dfs *fs, struct job_client *client, const struct config *config, struct job_request *request,
               struct arena *a, const char **ret_job_id, const char **ret_url, struct err *reterr)
{
    Cairn__JobSpecProto job = CAIRN__JOB_SPEC_PROTO__INIT;
    const char *id;
    size_t files = 0;
    int rc = job_fill(request, config, fs, &job, a, reterr);
    job.inputs = (char **)request->inputs;
    job.n_inputs = request->input_count;
    job.taggedinputs = (char **)request->tagged;
    job.n_taggedinputs = request->tagged_count;
    job.has_planlater = job.planlater = is_later(&job);
    *ret_job_id = NULL;
    if (rc == 0 && sink_is_url(request->output))
        rc = fill_sink(fs, request->output, &job, a, reterr);
    else if (rc == 0)
        rc = check_output(fs, request->output, replaces(&job), a, &job.output, reterr);
    if (rc == 0 && job.planlater && job.totalorder)
        rc = err_set(reterr, ERR_UNSUPPORTED, "TotalOrderPartitioner looks at the input, which is not there yet");
    if (rc == 0 && !job.planlater)
        rc = splits_compute(fs, request, &job, a, &files, reterr);
    if (rc == 0 && job.totalorder && job.reduces > 1)
        rc = sample_partition_points(fs, &job, a, reterr);
    if (rc == 0)
        rc = job_client_new_id(client, a, &id, reterr);
    if (rc < 0)
        return rc;
    job.jobid = (char *)id;
    if (job.sink && !job_conf_get(&job, "cairn.job.schedule")) /* each run of which adds its own */
        job.output = arena_printf(a, "%s.%s", job.output, id);
    else if (!job.sink)
        fill_replacement(&job, a);
    if (!job.planlater)
        fprintf(stderr, "Total input files to process : %zu\nnumber of splits:%zu\n", files, job.n_splits);
    struct file_list list = {.fs = fs, .job = &job, .arena = a};
    if ((rc = make_staging(fs, &job, a, reterr)) < 0)
        return rc;
    rc = ship_all(&list, request, reterr);
    if (rc == 0)
        rc = make_and_submit(fs, client, &job, a, ret_job_id, ret_url, reterr);
    if (rc < 0)
        remove_quietly(fs, job.stagingdir);
    return rc;
}
