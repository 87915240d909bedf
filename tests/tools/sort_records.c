/* Records of 100 bytes for sorting: ten random characters (the key), a blank, a number, filling, a line's end.
 *
 *   sort_records make SEED FIRST COUNT    writes them, and their sum to stderr
 *   sort_records check                    reads them: says how many there are, their sum, and whether their keys ascend
 *
 * The sum is that of a hash of every record, so it is the same in any order, and not if one is lost, doubled or
 * changed. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES 100
#define KEY_BYTES    10

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t record_hash(const char *record)
{
    uint64_t h = 0, word;
    for (size_t at = 0; at < RECORD_BYTES; at += sizeof word) {
        size_t n = RECORD_BYTES - at < sizeof word ? RECORD_BYTES - at : sizeof word;
        word = 0;
        memcpy(&word, record + at, n);
        h = mix(h ^ word);
    }
    return h;
}

static void make_record(char *to, uint64_t seed, uint64_t number)
{
    uint64_t random = mix(seed ^ mix(number));
    for (int i = 0; i < KEY_BYTES; i++) {
        to[i] = (char)('!' + random % 94);
        random = i == 4 ? mix(random) : random / 94;
    }
    char text[32];
    snprintf(text, sizeof text, " %020" PRIu64 " ", number);
    memcpy(to + KEY_BYTES, text, 22);
    memset(to + KEY_BYTES + 22, (int)('A' + number % 26), RECORD_BYTES - KEY_BYTES - 23);
    to[RECORD_BYTES - 1] = '\n';
}

static int make(uint64_t seed, uint64_t first, uint64_t count)
{
    uint64_t sum = 0;
    char record[RECORD_BYTES];
    for (uint64_t i = first; i < first + count; i++) {
        make_record(record, seed, i);
        sum += record_hash(record);
        if (fwrite(record, RECORD_BYTES, 1, stdout) != 1)
            return EXIT_FAILURE;
    }
    fprintf(stderr, "%" PRIu64 " %" PRIu64 "\n", count, sum);
    return fflush(stdout) ? EXIT_FAILURE : 0;
}

static int check(void)
{
    uint64_t sum = 0, count = 0;
    char record[RECORD_BYTES], before[KEY_BYTES] = {0};
    bool sorted = true;
    size_t n;
    while ((n = fread(record, 1, RECORD_BYTES, stdin)) == RECORD_BYTES) {
        sorted &= memcmp(before, record, KEY_BYTES) <= 0;
        memcpy(before, record, KEY_BYTES);
        sum += record_hash(record);
        count++;
    }
    printf("%" PRIu64 " %" PRIu64 " %s\n", count, sum, n ? "cut" : sorted ? "sorted" : "unsorted");
    return 0;
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    setvbuf(argc == 2 ? stdin : stdout, buffer, _IOFBF, sizeof buffer);
    if (argc == 2 && !strcmp(argv[1], "check"))
        return check();
    if (argc == 5 && !strcmp(argv[1], "make"))
        return make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    fprintf(stderr, "usage: sort_records make SEED FIRST COUNT | check\n");
    return EXIT_FAILURE;
}
