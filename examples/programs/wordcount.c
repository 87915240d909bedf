/* Counts words: `cairn streaming -program build/release/examples/programs/wordcount.so -input /in -output /out`.
 * Counts travel as eight bytes and are added up while the map runs (fold); the reduce writes them as text. */
#include <cairn/mapreduce.h>
#include <stdio.h>

/* Where the word ends that is at `at`: eight bytes at a time, of which a blank one becomes 0x80 and another one 0. */
static const char *word_end(const char *at, const char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint64_t ones = 0x0101010101010101u, low = 0x7f * ones;
    for (uint64_t x; end - at >= 8; at += 8) {
        memcpy(&x, at, sizeof x);
        uint64_t blanks = ~(((x & low) + (0x7f - ' ') * ones) | x | low);
        if (blanks)
            return at + __builtin_ctzll(blanks) / 8;
    }
#endif
    while (at < end && (unsigned char)*at > ' ')
        at++;
    return at;
}

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    (void)key;
    static const int64_t one = 1;
    const char *at = line.data, *end = at + line.size;
    while (at < end) {
        while (at < end && (unsigned char)*at <= ' ')
            at++;
        const char *word = at;
        at = word_end(at, end);
        if (at > word)
            cairn_emit(task, cairn_bytes(word, (size_t)(at - word)), cairn_bytes(&one, sizeof one));
    }
    return 0;
}

static void add(void *into, const void *from)
{
    int64_t sum, more;
    memcpy(&sum, into, sizeof sum);
    memcpy(&more, from, sizeof more);
    sum += more;
    memcpy(into, &sum, sizeof sum);
}

static int64_t total(struct cairn_task *task)
{
    int64_t sum = 0;
    struct cairn_bytes value;
    while (cairn_next(task, &value))
        add(&sum, value.data);
    return sum;
}

static int combine(struct cairn_task *task, struct cairn_bytes key)
{
    int64_t sum = total(task);
    cairn_emit(task, key, cairn_bytes(&sum, sizeof sum));
    return 0;
}

static int reduce(struct cairn_task *task, struct cairn_bytes key)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)total(task));
    cairn_emit(task, key, cairn_bytes(text, (size_t)n));
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .map = map,  .combine = combine,
                                            .reduce = reduce,    .fold = add, .fold_bytes = sizeof(int64_t)};
