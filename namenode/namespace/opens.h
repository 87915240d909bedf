/* Which files mounts have open, as far as they said: who loses its last name meanwhile is held for them (txn_discard).
 * In memory, and bounded: what is one too many is not noted, and goes as if nobody had it open. A core: no I/O, no
 * clock; guarded by the namenode's lock.
 *
 * What is said arrives in any order: each opening has a number, which rises within its session, and a file is closed up
 * to a number. */
#ifndef CAIRN_NAMENODE_NAMESPACE_OPENS_H
#define CAIRN_NAMENODE_NAMESPACE_OPENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPENS_MAX 262144

struct opening {
    uint64_t session, number; /* the last one's */
};
struct opens;

struct opens *opens_new(void);
void opens_free(struct opens *o); /* NULL is fine, here and where one asks */
size_t opens_count(const struct opens *o);
bool opens_any(const struct opens *o, uint64_t inode);
bool opens_has(const struct opens *o, uint64_t session, uint64_t inode);
/* Who has it open: how many; *ret is good until the next change. */
size_t opens_of(const struct opens *o, uint64_t inode, const struct opening **ret);
void opens_add(struct opens *o, uint64_t session, uint64_t inode, uint64_t number);
/* Unless it was opened under a higher number. */
void opens_close(struct opens *o, uint64_t session, uint64_t inode, uint64_t until);
void opens_end_session(struct opens *o, uint64_t session, uint64_t until); /* the same, of all it has open */

#endif
