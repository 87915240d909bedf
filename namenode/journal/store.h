/* The namenode's table on disk: ordered bytes -> bytes, on LevelDB. Nothing above this file knows LevelDB.
 *
 * Any thread may read. Writing is one batch at a time under the namenode's lock; a batch is in the kernel when
 * store_write returns (it survives kill -9 of the process) but not yet on the disk: journal.h does that.
 * Errors: ERR_IO with what LevelDB said; ERR_BUSY: another process has the folder. */
#ifndef CAIRN_NAMENODE_JOURNAL_STORE_H
#define CAIRN_NAMENODE_JOURNAL_STORE_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

struct store;
int store_open(const char *folder, struct store **ret, struct err *reterr) MUST_CHECK; /* created if missing */
void store_close(struct store *s); /* NULL is fine; iterators and snapshots must be gone */
const char *store_folder(const struct store *s);
/* Keys that begin with one of these bytes are likely to be read soon after they were written: their values stay in
 * memory at once, not only after the first look. Before the first store_write; the text is kept. */
void store_set_soon_read(struct store *s, const char *first_bytes);

/* ERR_NOT_FOUND, else the value in memory of its own: store_value_free. snapshot may be NULL. */
struct store_snapshot;
struct store_value {
    char *base;
    size_t len;
};
int store_get(struct store *s, const struct store_snapshot *snapshot, const void *key, size_t key_len,
              struct store_value *ret, struct err *reterr) MUST_CHECK;
void store_value_free(struct store_value *v); /* AUTO(store_value_free) struct store_value v = {0}; */

const struct store_snapshot *store_snapshot_take(struct store *s);
void store_snapshot_drop(struct store *s, const struct store_snapshot *snapshot);

/* Entries from a key on, in byte order, as of when it was made (or of the snapshot). Key and value are borrowed until
 * the next move. cached: false for long walks that should not push others out of the block cache. */
struct store_iter;
struct store_iter *store_iter_new(struct store *s, const struct store_snapshot *snapshot, bool cached);
void store_iter_free(struct store_iter *it);
void store_iter_freep(struct store_iter **it);
void store_iter_seek(struct store_iter *it, const void *key, size_t key_len); /* first entry with a key >= this one */
void store_iter_seek_before(struct store_iter *it, const void *key,
                            size_t key_len); /* last one with a key < this one */
void store_iter_next(struct store_iter *it);
bool store_iter_valid(const struct store_iter *it);
struct slice store_iter_key(const struct store_iter *it);
struct slice store_iter_value(const struct store_iter *it);
int store_iter_status(const struct store_iter *it, struct err *reterr) MUST_CHECK; /* after !valid: end, or damage? */

/* Changes that happen together or not at all. */
struct store_batch;
struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b);
void store_batch_put(struct store_batch *b, const void *key, size_t key_len, const void *value, size_t value_len);
void store_batch_delete(struct store_batch *b, const void *key, size_t key_len);
int store_write(struct store *s, struct store_batch *b, struct err *reterr) MUST_CHECK;
/* Between these nothing is appended to the store's log; store_write waits. */
void store_writes_stop(struct store *s);
void store_writes_go_on(struct store *s);

#endif
