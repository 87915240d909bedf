/* radix_sort FILE OUTPUT: sorts lines of 100 bytes by their first ten, in memory, with one thread: a radix sort, least
 * digit first, of eight bytes of each key beside the record's number; what is equal there is put right afterwards. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES 100
#define KEY_BYTES    10
#define DIGIT_BITS   11
#define DIGITS       6 /* of 64 bits */
#define OUT_RECORDS  10000
#define AHEAD        16

struct entry {
    uint64_t prefix;
    uint32_t record;
};

static char *read_all(const char *path, size_t *ret_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return NULL;
    char *bytes = malloc((size_t)st.st_size + 1);
    for (*ret_bytes = 0; *ret_bytes < (size_t)st.st_size;) {
        ssize_t n = read(fd, bytes + *ret_bytes, (size_t)st.st_size - *ret_bytes);
        if (n <= 0)
            return NULL;
        *ret_bytes += (size_t)n;
    }
    close(fd);
    return bytes;
}

static struct entry *sort(struct entry *from, struct entry *to, size_t count)
{
    static size_t begins[DIGITS][1 << DIGIT_BITS];
    const uint64_t mask = (1 << DIGIT_BITS) - 1;
    for (size_t i = 0; i < count; i++)
        for (int d = 0; d < DIGITS; d++)
            begins[d][from[i].prefix >> d * DIGIT_BITS & mask]++;
    for (int d = 0; d < DIGITS; d++) {
        size_t at = 0;
        for (size_t v = 0; v <= mask; v++) {
            size_t n = begins[d][v];
            begins[d][v] = at;
            at += n;
        }
        for (size_t i = 0; i < count; i++)
            to[begins[d][from[i].prefix >> d * DIGIT_BITS & mask]++] = from[i];
        struct entry *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

/* The last two bytes of keys whose first eight are equal. */
static void put_right(struct entry *e, size_t count, const char *bytes)
{
    for (size_t i = 1; i < count; i++) {
        struct entry moving = e[i];
        size_t j = i;
        for (; j > 0 && e[j - 1].prefix == moving.prefix &&
               memcmp(bytes + (size_t)e[j - 1].record * RECORD_BYTES, bytes + (size_t)moving.record * RECORD_BYTES,
                      KEY_BYTES) > 0;
             j--)
            e[j] = e[j - 1];
        e[j] = moving;
    }
}

static int write_all(const char *path, const struct entry *e, size_t count, const char *bytes)
{
    FILE *out = fopen(path, "w");
    static char buffer[OUT_RECORDS * RECORD_BYTES];
    if (!out)
        return 1;
    setvbuf(out, NULL, _IONBF, 0);
    for (size_t done = 0; done < count;) {
        size_t n = count - done < OUT_RECORDS ? count - done : OUT_RECORDS;
        for (size_t i = 0; i < n; i++) {
            if (done + i + AHEAD < count) {
                const char *next = bytes + (size_t)e[done + i + AHEAD].record * RECORD_BYTES;
                __builtin_prefetch(next);
                __builtin_prefetch(next + 64);
            }
            memcpy(buffer + i * RECORD_BYTES, bytes + (size_t)e[done + i].record * RECORD_BYTES, RECORD_BYTES);
        }
        if (fwrite(buffer, RECORD_BYTES, n, out) != n)
            return 1;
        done += n;
    }
    return fclose(out) ? 1 : 0;
}

int main(int argc, char **argv)
{
    size_t size = 0;
    char *bytes = argc == 3 ? read_all(argv[1], &size) : NULL;
    if (!bytes)
        return 2;
    size_t count = size / RECORD_BYTES;
    struct entry *entries = malloc((count + 1) * sizeof *entries), *room = malloc((count + 1) * sizeof *room);
    for (size_t i = 0; i < count; i++) {
        uint64_t prefix;
        memcpy(&prefix, bytes + i * RECORD_BYTES, 8);
        entries[i] = (struct entry){__builtin_bswap64(prefix), (uint32_t)i};
    }
    struct entry *sorted = sort(entries, room, count);
    put_right(sorted, count, bytes);
    return write_all(argv[2], sorted, count, bytes);
}
