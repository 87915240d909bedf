/* Values that were read or written lately, in front of LevelDB: the upper directories of every path are read again and
 * again, and a LevelDB lookup costs more than all the rest of looking at a file.
 *
 * Bounded in bytes; what was not used since the clock's hand came by last goes first. Any thread. */
#ifndef CAIRN_NAMENODE_JOURNAL_STORE_CACHE_H
#define CAIRN_NAMENODE_JOURNAL_STORE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_cache;
struct store_cache *store_cache_new(size_t bytes_max);
void store_cache_free(struct store_cache *c); /* NULL is fine */

/* A copy in memory of its own (free()). On a miss *ret_turn is what store_cache_fill wants to have. */
bool store_cache_get(struct store_cache *c, const void *key, size_t key_len, char **ret_value, size_t *ret_len,
                     uint64_t *ret_turn);
/* Keeps what was read after a miss, unless something was written since then: it could be older than that. */
void store_cache_fill(struct store_cache *c, uint64_t turn, const void *key, size_t key_len, const void *value,
                      size_t value_len);
/* After a batch was written, for each of its keys: one that is kept gets its new value (NULL: removed); with
 * is_soon_read any other is kept from now on, too. */
void store_cache_write(struct store_cache *c, const void *key, size_t key_len, const void *value, size_t value_len,
                       bool is_soon_read);

#endif
