/* Input of the section mapreduce, on stdout:
 *
 *   mr_input words BYTES      lines of 12 words, 30,000 different ones with the frequencies of a natural text (Zipf)
 *   mr_input records COUNT    lines of 100 bytes as TeraGen's: a random key of ten characters, a TAB, number and filler
 *   mr_input check            reads records and says "COUNT SUM ordered" or "... unordered": the sum of a hash of each,
 *                             which is the same in any order */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS        30000
#define WORD_MAX     12
#define WORDS_A_LINE 12
#define RECORD_BYTES 100
#define KEY_BYTES    10
#define BUFFER_BYTES (1 << 20)

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((next_random() >> 32) * n >> 32);
}

/* ---- words ---- */

/* Walker's alias method: a column is chosen, and then it or its alias. */
static struct {
    char text[WORD_MAX];
    uint8_t length;
    uint32_t alias;
    double share;
} words[WORDS];

static void make_words(void)
{
    static uint32_t small[WORDS], large[WORDS];
    uint32_t small_count = 0, large_count = 0;
    double sum = 0;
    for (int i = 0; i < WORDS; i++)
        sum += 1.0 / (i + 1);
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i].length = (uint8_t)(2 + below(10));
        for (int c = 0; c < words[i].length; c++)
            words[i].text[c] = (char)('a' + below(26));
        words[i].share = WORDS / (i + 1.0) / sum;
        words[i].alias = i;
        if (words[i].share < 1)
            small[small_count++] = i;
        else
            large[large_count++] = i;
    }
    while (small_count && large_count) {
        uint32_t s = small[--small_count], l = large[large_count - 1];
        words[s].alias = l;
        words[l].share -= 1 - words[s].share;
        if (words[l].share < 1) {
            large_count--;
            small[small_count++] = l;
        }
    }
}

static void put_words(int64_t bytes)
{
    make_words();
    while (bytes > 0) {
        char line[WORDS_A_LINE * (WORD_MAX + 1)];
        size_t n = 0;
        for (int i = 0; i < WORDS_A_LINE; i++) {
            uint32_t w = below(WORDS);
            w = (double)(uint32_t)next_random() / UINT32_MAX < words[w].share ? w : words[w].alias;
            memcpy(line + n, words[w].text, WORD_MAX);
            n += words[w].length;
            line[n++] = i + 1 < WORDS_A_LINE ? ' ' : '\n';
        }
        fwrite(line, 1, n, stdout);
        bytes -= (int64_t)n;
    }
}

/* ---- records ---- */

static void put_records(int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        char r[RECORD_BYTES + 1];
        for (int c = 0; c < KEY_BYTES; c++)
            r[c] = (char)('!' + below(94));
        snprintf(r + KEY_BYTES, sizeof r - KEY_BYTES, "\t%032llX  ", (unsigned long long)i);
        uint64_t filler = next_random();
        for (int c = 45; c < RECORD_BYTES - 1; c++)
            r[c] = (char)('A' + (filler >> (c - 45) / 4 * 4 & 15));
        r[RECORD_BYTES - 1] = '\n';
        fwrite(r, 1, RECORD_BYTES, stdout);
    }
}

static uint64_t hash_of(const char *record)
{
    uint64_t h = 0, x;
    for (int i = 0; i + 8 <= RECORD_BYTES; i += 8) {
        memcpy(&x, record + i, 8);
        h = (h ^ x) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    uint32_t last;
    memcpy(&last, record + RECORD_BYTES - 4, 4);
    return (h ^ last) * 0xBF58476D1CE4E5B9u;
}

static int check(void)
{
    char r[RECORD_BYTES], last[KEY_BYTES] = {0};
    unsigned long long count = 0, sum = 0;
    int ordered = 1;
    size_t n;
    for (; (n = fread(r, 1, RECORD_BYTES, stdin)) == RECORD_BYTES; count++) {
        ordered &= memcmp(last, r, KEY_BYTES) <= 0;
        memcpy(last, r, KEY_BYTES);
        sum += hash_of(r);
    }
    printf("%llu %llu %s\n", count, sum, n == 0 && ordered ? "ordered" : "unordered");
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOFBF, BUFFER_BYTES);
    setvbuf(stdin, NULL, _IOFBF, BUFFER_BYTES);
    if (argc == 2 && !strcmp(argv[1], "check"))
        check();
    else if (argc == 3 && !strcmp(argv[1], "words"))
        put_words(atoll(argv[2]));
    else if (argc == 3 && !strcmp(argv[1], "records"))
        put_records(atoll(argv[2]));
    else
        return 2;
    return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
