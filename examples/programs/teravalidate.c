/* Whether lines are in the order of their first bytes (-D sort.key.bytes=10), over all files in the order of their
 * names: sort.c's counterpart. Run with one reduce. Output: records<TAB>N, checksum<TAB>the sum of the records' CRC-32,
 * which does not depend on their order, and a line error<TAB>FILE<TAB>... for each place where the order is wrong. */
#include <cairn/mapreduce.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_MAX        256
#define NAME_MAX_BYTES 8192

/* Of one split; the value that travels. */
struct part {
    uint64_t records, checksum, wrong; /* wrong: records that are before the one they follow */
    uint64_t first_size, last_size;
    char first[KEY_MAX], last[KEY_MAX];
};

struct state {
    size_t key_bytes;
    bool maps, reduces;
    uint32_t crc[256];
    struct part part; /* map: of the split; reduce: of everything */
};

static int compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
    int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

static uint32_t crc32_of(const struct state *s, const unsigned char *data, size_t size)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < size; i++)
        crc = s->crc[(crc ^ data[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    struct state *s = task->user;
    struct part *p = &s->part;
    (void)key;
    size_t n = line.size < s->key_bytes ? line.size : s->key_bytes;
    if (p->records && compare(line.data, n, p->last, p->last_size) < 0)
        p->wrong++;
    memcpy(p->last, line.data, p->last_size = n);
    if (!p->records++)
        memcpy(p->first, line.data, p->first_size = n);
    p->checksum += crc32_of(s, line.data, line.size);
    s->maps = true;
    return 0;
}

/* One split, in the order of files and of splits in them. */
static int reduce(struct cairn_task *task, struct cairn_bytes place)
{
    struct state *s = task->user;
    struct part *all = &s->part, p;
    struct cairn_bytes value;
    char text[NAME_MAX_BYTES];
    s->reduces = true;
    while (cairn_next(task, &value)) {
        if (value.size != sizeof p)
            return cairn_fail(task, "a value of %zu bytes", value.size);
        memcpy(&p, value.data, sizeof p);
        bool before = all->records && compare(p.first, p.first_size, all->last, all->last_size) < 0;
        if (before || p.wrong)
            cairn_write(task, text,
                        (size_t)snprintf(text, sizeof text, "error\t%.*s\t%" PRIu64 " records out of order%s\n",
                                         (int)(place.size < 4096 ? place.size : 4096), (const char *)place.data,
                                         p.wrong + before, before ? ", the first of the split too" : ""));
        all->records += p.records;
        all->checksum += p.checksum;
        memcpy(all->last, p.last, all->last_size = p.last_size);
    }
    return 0;
}

static int setup(struct cairn_task *task)
{
    struct state *s = task->user = calloc(1, sizeof *s);
    const char *text = cairn_setting(task, "sort.key.bytes");
    s->key_bytes = text ? (size_t)strtoul(text, NULL, 10) : 10;
    if (s->key_bytes > KEY_MAX)
        return cairn_fail(task, "sort.key.bytes=%s: at most %d", text, KEY_MAX);
    for (uint32_t i = 0; i < 256; i++) {
        s->crc[i] = i;
        for (int bit = 0; bit < 8; bit++)
            s->crc[i] = s->crc[i] & 1 ? 0xEDB88320u ^ s->crc[i] >> 1 : s->crc[i] >> 1;
    }
    return 0;
}

static int cleanup(struct cairn_task *task)
{
    const struct state *s = task->user;
    char text[NAME_MAX_BYTES];
    if (s->reduces) {
        int n = snprintf(text, sizeof text, "records\t%" PRIu64 "\nchecksum\t%016" PRIx64 "\n", s->part.records,
                         s->part.checksum);
        cairn_write(task, text, (size_t)n);
    } else if (s->maps) {
        const char *file = cairn_setting(task, "mapreduce.map.input.file");
        const char *start = cairn_setting(task, "mapreduce.map.input.start");
        int n = snprintf(text, sizeof text, "%s\t%020llu", file ? file : "", start ? strtoull(start, NULL, 10) : 0);
        if (n >= (int)sizeof text)
            return cairn_fail(task, "a name of %d bytes", n);
        cairn_emit(task, cairn_bytes(text, (size_t)n), cairn_bytes(&s->part, sizeof s->part));
    }
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .setup = setup, .map = map, .reduce = reduce,
                                            .cleanup = cleanup};
