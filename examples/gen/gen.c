/* Writes a generated data set to stdout: gen mta|listen1|listen2|wdi|movies|tera N [M] [seed]. */
#include "gen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed_mixed;

static uint64_t mix(uint64_t x)
{
    uint64_t z = x + 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

void hash_seed(uint64_t seed)
{
    seed_mixed = mix(seed);
}

uint64_t hash(uint64_t stream, uint64_t index)
{
    return mix(mix(seed_mixed + stream) + index);
}

static int usage(void)
{
    fprintf(stderr, "Usage: gen mta N [VEHICLES] | listen1 USERS | listen2 N [USERS] | wdi N [COUNTRIES] | movies N | "
                    "tera N [FIRST]\n"
                    "A last word seed=S chooses other data (default seed=42).\n");
    return 2;
}

static int parse_number(const char *text, uint64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoull(text, &end, 10);
    return *end || end == text || text[0] == '-' || errno ? -1 : 0;
}

int main(int argc, char **argv)
{
    static char buffer[1 << 20];
    uint64_t n = 0, m = 0, seed = 42;
    if (argc > 2 && !strncmp(argv[argc - 1], "seed=", 5) && parse_number(argv[--argc] + 5, &seed) < 0)
        return usage();
    if (argc < 3 || argc > 4 || parse_number(argv[2], &n) < 0 || (argc == 4 && parse_number(argv[3], &m) < 0))
        return usage();
    hash_seed(seed);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (!strcmp(argv[1], "mta"))
        gen_mta(n, m);
    else if (!strcmp(argv[1], "listen1"))
        gen_listen1(n);
    else if (!strcmp(argv[1], "listen2"))
        gen_listen2(n, m);
    else if (!strcmp(argv[1], "wdi"))
        gen_wdi(n, m);
    else if (!strcmp(argv[1], "movies"))
        gen_movies(n);
    else if (!strcmp(argv[1], "tera"))
        gen_tera(n, m);
    else
        return usage();
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "gen: write to stdout: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}
