/* Data sets from one stateless hash: every row can be made without the others. */
#ifndef CAIRN_EXAMPLES_GEN_H
#define CAIRN_EXAMPLES_GEN_H

#include <stdint.h>

/* hash(k, i): i-th number of stream k, for the seed given to hash_seed. */
void hash_seed(uint64_t seed);
uint64_t hash(uint64_t stream, uint64_t index);

void gen_mta(uint64_t rows, uint64_t vehicles); /* 0 vehicles: the usual number */
void gen_listen1(uint64_t users);
void gen_listen2(uint64_t events, uint64_t users); /* 0 users: the usual number */
void gen_wdi(uint64_t rows, uint64_t countries);   /* 0 countries: 266 */
void gen_movies(uint64_t records);
void gen_tera(uint64_t records, uint64_t first);

#endif
