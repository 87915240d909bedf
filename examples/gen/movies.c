/* A catalogue of films: CSV with quotes, doubled quotes and line breaks inside fields. */
#include <inttypes.h>
#include <stdio.h>

#include "gen.h"

static void release_date(uint64_t i)
{
    uint64_t kind = hash(1, i) % 1000;
    if (kind == 2)
        putchar('1');
    else if (kind > 2)
        printf("%" PRIu64 "-%02" PRIu64 "-%02" PRIu64, 1950 + hash(3, i) % 70, 1 + hash(4, i) % 12,
               1 + hash(5, i) % 28);
}

static void overview(uint64_t i)
{
    uint64_t kind = hash(2, i) % 100;
    printf("\"Plot of movie %" PRIu64 ", part one", i);
    if (kind < 2)
        printf("\nand a second line, %" PRIu64, i);
    else if (kind < 10)
        fputs(" says \"\"hello\"\"", stdout);
    putchar('"');
}

static void record(uint64_t i)
{
    printf("False,,%" PRIu64 ",\"[{'id': 16, 'name': 'Animation'}]\",,%" PRIu64 ",tt%07" PRIu64 ",en,Movie %06" PRIu64
           ",",
           hash(6, i) % 1000000, 862 + i, i, i);
    overview(i);
    printf(",%" PRIu64 ".%03" PRIu64 ",/p%" PRIu64 ".jpg,[],[],", hash(7, i) % 100, i % 1000, i);
    release_date(i);
    printf(",0,%" PRIu64 ".0,[],Released,,Movie %06" PRIu64 ",False,%" PRIu64 ".%" PRIu64 ",%" PRIu64 "\n",
           60 + hash(8, i) % 90, i, hash(9, i) % 10, i % 10, hash(10, i) % 5000);
}

void gen_movies(uint64_t records)
{
    puts("adult,belongs_to_collection,budget,genres,homepage,id,imdb_id,original_language,original_title,overview,"
         "popularity,"
         "poster_path,production_companies,production_countries,release_date,revenue,runtime,spoken_languages,status,"
         "tagline,"
         "title,video,vote_average,vote_count");
    for (uint64_t i = 0; i < records; i++)
        record(i);
}
