/* Records of the sort benchmark: 100 bytes each, a random key of 10 characters, the record's number, filler, LF. */
#include <inttypes.h>
#include <stdio.h>

#include "gen.h"

enum { KEY_CHARACTERS = 10, FILLER_CHARACTERS = 53, CHARACTERS = '~' - ' ' + 1 };

void gen_tera(uint64_t records, uint64_t first)
{
    for (uint64_t i = first; i < first + records; i++) {
        char key[KEY_CHARACTERS + 1] = {0}, filler[FILLER_CHARACTERS + 1] = {0};
        for (int at = 0; at < KEY_CHARACTERS;) {
            uint64_t number = hash((uint64_t)(1 + at / 5), i);
            for (int end = at + 5; at < end; number /= CHARACTERS)
                key[at++] = (char)(' ' + number % CHARACTERS);
        }
        for (int at = 0; at < FILLER_CHARACTERS; at++)
            filler[at] = (char)('A' + (i + (uint64_t)at) % 26);
        printf("%s  %032" PRIX64 "  %s\n", key, i, filler);
    }
}
