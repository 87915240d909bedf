/* What changed lately, for mounts that keep things in memory: a bounded ring, filled by commits. Kept only while
 * somebody listens. A core: no I/O, no clock, guarded by the namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_CHANGE_LOG_H
#define CAIRN_NAMENODE_NAMESPACE_CHANGE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANGE_LOG_MAX 16384

struct change_log;

struct change {
    uint64_t session; /* whose it was; 0: nobody's who listens */
    uint64_t id;      /* the inode; with a name: the directory */
    const char *name; /* an entry, else NULL. Borrowed from the ring */
    bool content;     /* of the inode: its bytes */
};

/* first_cursor: above all that was given out before the restart, such as a clock's nanoseconds. */
struct change_log *change_log_new(uint64_t first_cursor);
void change_log_free(struct change_log *c); /* NULL is fine */
void change_log_listeners(struct change_log *c, size_t count);
bool change_log_is_wanted(const struct change_log *c);
/* name is copied. */
void change_log_add(struct change_log *c, uint64_t session, uint64_t id, const char *name, bool content);
/* Who waits for changes: somebody has to be woken when another than they did something. */
void change_log_wait(struct change_log *c, uint64_t session);
void change_log_wait_end(struct change_log *c, uint64_t session);
bool change_log_wakes(const struct change_log *c, uint64_t session); /* what this one did */
uint64_t change_log_cursor(const struct change_log *c);              /* behind the last one */
/* Is there something behind the cursor that this session did not do? Also when what was there is lost. *cursor moves
 * up to that. */
bool change_log_any(const struct change_log *c, uint64_t *cursor, uint64_t session);
/* Up to max of them. *cursor moves on. *ret_lost: it is too far back, or not of this run; then it is at the end. */
size_t change_log_take(const struct change_log *c, uint64_t *cursor, uint64_t session, struct change *ret, size_t max,
                       bool *ret_lost);

#endif
