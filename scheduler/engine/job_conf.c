#include "scheduler/engine/job_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    int64_t min, max;
} job_numbers[] = {
    {"mapreduce.task.io.sort.mb", 1, 2047},
    {"mapreduce.task.io.sort.factor", 2, 1000},
    {"mapreduce.task.timeout", 0, INT64_MAX},
    {"mapreduce.map.maxattempts", 1, 100},
    {"mapreduce.reduce.maxattempts", 1, 100},
    {"mapreduce.reduce.shuffle.parallelcopies", 1, 100},
    {"mapreduce.input.lineinputformat.linespermap", 1, INT32_MAX},
    {"mapreduce.input.fileinputformat.split.minsize", 0, INT64_MAX},
    {"mapreduce.input.fileinputformat.split.maxsize", 1, INT64_MAX},
    {"mapreduce.map.memory.mb", 0, 1 << 24},
    {"mapreduce.reduce.memory.mb", 0, 1 << 24},
    {"mapreduce.map.cpu.vcores", 0, 1024},
    {"mapreduce.reduce.cpu.vcores", 0, 1024},
    {"mapreduce.job.maxtaskfailures.per.tracker", 1, 1000000},
    {"cairn.task.max-cpu-seconds", 0, INT32_MAX},
    {"cairn.task.max-file-mb", 0, INT32_MAX},
    {"cairn.task.max-processes", 0, INT32_MAX},
    {"cairn.task.max-seconds", 0, INT32_MAX},
    {"stream.num.map.output.key.fields", 1, 1000},
    {"stream.num.reduce.output.key.fields", 1, 1000},
    {"mapreduce.map.combine.minspills", 1, INT32_MAX},
    {"mapreduce.map.failures.maxpercent", 0, 100},
    {"mapreduce.reduce.failures.maxpercent", 0, 100},
    {"mapreduce.job.maps", 0, INT32_MAX},
    {"mapreduce.job.reduces", 0, 100000},
    {"cairn.program.fold.mb", 1, 1024},
};

/* Of those that are words, all that there are. */
#define WORDS_MAX 3
static const struct {
    const char *name, *words[WORDS_MAX];
} job_words[] = {
    {"mapreduce.map.speculative", {"true", "false"}},
    {"mapreduce.reduce.speculative", {"true", "false"}},
    {"mapreduce.map.output.compress", {"true", "false"}},
    {"mapreduce.output.fileoutputformat.compress", {"true", "false"}},
    {"mapreduce.input.fileinputformat.input.dir.recursive", {"true", "false"}},
    {"stream.non.zero.exit.is.failure", {"true", "false"}},
    {"cairn.output.exactly-as-hadoop", {"true", "false"}},
    {"cairn.task.reuse-process", {"true", "false"}},
    {"cairn.job.replace", {"true", "false", "keep"}},
    {"cairn.csv.fields", {"tabs"}},
};

const char *job_conf_get(const Cairn__JobSpecProto *job, const char *name)
{
    for (size_t i = job->n_properties; i-- > 0;)
        if (!strcmp(job->properties[i]->name, name))
            return job->properties[i]->value;
    return NULL;
}

static bool parse_whole_number(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno)
        return false;
    *ret = value;
    return true;
}

int64_t job_conf_int(const Cairn__JobSpecProto *job, const char *name, int64_t fallback)
{
    const char *text = job_conf_get(job, name);
    int64_t value = fallback;
    return text && parse_whole_number(text, &value) ? value : fallback;
}

bool job_conf_bool(const Cairn__JobSpecProto *job, const char *name, bool fallback)
{
    const char *text = job_conf_get(job, name);
    return text && *text ? !strcasecmp(text, "true") : fallback;
}

enum block_codec job_conf_spill_codec(const Cairn__JobSpecProto *job)
{
    if (!job_conf_bool(job, "mapreduce.map.output.compress", true))
        return BLOCK_RAW;
    const char *codec = job_conf_get(job, "mapreduce.map.output.compress.codec");
    return codec && strstr(codec, "ZStandard") ? BLOCK_ZSTD : BLOCK_LZ4;
}

/* "HIGH", or a number; false: neither. */
static bool parse_priority(const char *text, int32_t *ret)
{
    static const char *const names[] = {"VERY_LOW", "LOW", "NORMAL", "HIGH", "VERY_HIGH"};
    int64_t value;
    for (int32_t i = 0; i < 5; i++)
        if (!strcasecmp(text, names[i])) {
            *ret = i - 2;
            return true;
        }
    bool is_number = parse_whole_number(text, &value) && value >= -1000000 && value <= 1000000;
    *ret = is_number ? (int32_t)value : 0;
    return is_number;
}

int32_t job_conf_priority(const Cairn__JobSpecProto *job)
{
    const char *text = job_conf_get(job, "mapreduce.job.priority");
    int32_t priority = 0;
    return text && parse_priority(text, &priority) ? priority : 0;
}

static bool parse_share(const char *text, double *ret)
{
    char *end;
    *ret = strtod(text, &end);
    return end != text && !*end && *ret >= 0 && *ret <= 1;
}

double job_conf_share(const Cairn__JobSpecProto *job, const char *name, double fallback)
{
    const char *text = job_conf_get(job, name);
    double share = fallback;
    return text && parse_share(text, &share) ? share : fallback;
}

static int check_numbers(const Cairn__JobSpecProto *job, struct err *reterr)
{
    for (size_t i = 0; i < sizeof job_numbers / sizeof job_numbers[0]; i++) {
        const char *text = job_conf_get(job, job_numbers[i].name);
        int64_t value = 0;
        if (text && (!parse_whole_number(text, &value) || value < job_numbers[i].min || value > job_numbers[i].max))
            return err_set(reterr, ERR_CONFIG, "%s is '%s'; a number from %lld to %lld is wanted", job_numbers[i].name,
                           text, (long long)job_numbers[i].min, (long long)job_numbers[i].max);
    }
    return 0;
}

static int check_words(const Cairn__JobSpecProto *job, struct err *reterr)
{
    for (size_t i = 0; i < ARRAY_COUNT(job_words); i++) {
        const char *text = job_conf_get(job, job_words[i].name), *const *words = job_words[i].words;
        bool is_known = !text || !*text;
        for (size_t w = 0; w < WORDS_MAX && words[w] && !is_known; w++)
            is_known = !strcasecmp(text, words[w]);
        if (!is_known)
            return err_set(reterr, ERR_CONFIG, "%s is '%s'; %s%s%s%s%s is wanted", job_words[i].name, text, words[0],
                           words[1] ? " or " : "", words[1] ? words[1] : "", words[2] ? " or " : "",
                           words[2] ? words[2] : "");
    }
    return 0;
}

int job_conf_check(const Cairn__JobSpecProto *job, struct err *reterr)
{
    const char *priority = job_conf_get(job, "mapreduce.job.priority");
    const char *share = job_conf_get(job, "mapreduce.job.reduce.slowstart.completedmaps");
    int32_t level;
    double part;
    if (priority && !parse_priority(priority, &level))
        return err_set(reterr, ERR_CONFIG,
                       "mapreduce.job.priority is '%s'; VERY_HIGH, HIGH, NORMAL, LOW, VERY_LOW or a number is wanted",
                       priority);
    if (share && !parse_share(share, &part))
        return err_set(reterr, ERR_CONFIG,
                       "mapreduce.job.reduce.slowstart.completedmaps is '%s'; a number from 0 to 1 is wanted", share);
    int rc = check_numbers(job, reterr);
    return rc < 0 ? rc : check_words(job, reterr);
}
