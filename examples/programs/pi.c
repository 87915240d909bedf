/* Pi by throwing darts: a line of input is "SEED SAMPLES", one line a map (NLineInputFormat). What is thrown depends on
 * the seed alone, so that the result is the same wherever a map runs, and however often. */
#include <cairn/mapreduce.h>
#include <inttypes.h>
#include <stdio.h>

struct darts {
    uint64_t inside, thrown;
};

static uint64_t mix(uint64_t x)
{
    uint64_t z = x + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* The i-th number from 0 to 1 of a seed's stream. */
static double number(uint64_t seed, uint64_t stream, uint64_t i)
{
    return (double)(mix(mix(mix(seed) + stream) + i) >> 11) / (double)(UINT64_C(1) << 53);
}

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    struct darts darts = {0};
    uint64_t seed;
    char text[64];
    (void)key;
    snprintf(text, sizeof text, "%.*s", (int)(line.size < sizeof text ? line.size : sizeof text),
             (const char *)line.data);
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &seed, &darts.thrown) != 2)
        return cairn_fail(task, "'%s': SEED SAMPLES is wanted", text);
    for (uint64_t i = 0; i < darts.thrown; i++) {
        double x = number(seed, 1, i), y = number(seed, 2, i);
        darts.inside += x * x + y * y < 1;
    }
    cairn_emit(task, cairn_bytes("pi", 2), cairn_bytes(&darts, sizeof darts));
    return 0;
}

static struct darts total(struct cairn_task *task)
{
    struct darts sum = {0}, more;
    struct cairn_bytes value;
    while (cairn_next(task, &value)) {
        memcpy(&more, value.data, sizeof more);
        sum.inside += more.inside;
        sum.thrown += more.thrown;
    }
    return sum;
}

static int combine(struct cairn_task *task, struct cairn_bytes key)
{
    struct darts sum = total(task);
    cairn_emit(task, key, cairn_bytes(&sum, sizeof sum));
    return 0;
}

static int reduce(struct cairn_task *task, struct cairn_bytes key)
{
    struct darts sum = total(task);
    char text[128];
    int n = snprintf(text, sizeof text, "%.10f\t%" PRIu64 "\t%" PRIu64, 4.0 * (double)sum.inside / (double)sum.thrown,
                     sum.inside, sum.thrown);
    cairn_emit(task, key, cairn_bytes(text, (size_t)n));
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .map = map, .combine = combine, .reduce = reduce};
