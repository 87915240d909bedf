#include "scheduler/engine/job_conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
    {"mapreduce.map.failures.maxpercent", 0, INT32_MAX},
    {"mapreduce.reduce.failures.maxpercent", 0, INT32_MAX},
    {"cairn.program.fold.mb", 1, 1024},
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
    return text ? !strcmp(text, "true") : fallback;
}

enum block_codec job_conf_spill_codec(const Cairn__JobSpecProto *job)
{
    if (!job_conf_bool(job, "mapreduce.map.output.compress", true))
        return BLOCK_RAW;
    const char *codec = job_conf_get(job, "mapreduce.map.output.compress.codec");
    return codec && strstr(codec, "ZStandard") ? BLOCK_ZSTD : BLOCK_LZ4;
}

int job_conf_check(const Cairn__JobSpecProto *job, struct err *reterr)
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
