/* Keys of the namenode's store. Numbers are big endian, so that byte order is number order and a directory is one
 * contiguous range, ordered by name.
 *
 *   'b' block id            -> BlockRecord
 *   'c'                     -> CounterRecord
 *   'C' directive id        -> CacheDirectiveRecord; 'C' alone: the next id
 *   'd' parent inode, name  -> inode number (be64)
 *   'D' parent, name, 0, tag -> VersionRecord: what the entry was
 *   'g' block id            -> nothing: edited out of its file, to be freed after a grace
 *   'G' directory, inode    -> nothing: gone, but snapshots hold something of it, which counts here (history_held.h)
 *   'h' inode, session      -> nothing: the session has it open, and it has no name any more
 *   'H' session             -> SessionRecord; 'H' alone: the next number
 *   'i' inode               -> InodeRecord
 *   'I' inode, tag          -> VersionRecord: what the inode was
 *   'k' token               -> TokenRecord: a delegation token; 'k' alone: the next number
 *   'K' key                 -> TokenKeyRecord: what vouches for tokens; 'K' alone: the next id
 *   'l' inode, parent, name -> another name of it (be64: the newest snapshot there was when it got it)
 *   'o' inode               -> nothing: the file is under construction (start-up reads only these)
 *   'P' pool name           -> CachePoolRecord
 *   'q' inode               -> QuotaRecord: what a directory with a quota and all below it use
 *   'r' inode               -> nothing: cut off the tree, to be taken apart by the reaper
 *   'S' directory           -> nothing: snapshots of it may be taken
 *   'S' directory, name     -> SnapshotRecord
 *   'T' directory, tag, key -> nothing: the version under this key ('D' or 'I') was saved for a snapshot of the
 * directory 'X' snapshot            -> directory (be64): deleted, its versions are to be taken apart by the reaper 'y'
 * slot (be32)         -> a call that was done, retry_ring.h */
#ifndef CAIRN_NAMENODE_NAMESPACE_KEYS_H
#define CAIRN_NAMENODE_NAMESPACE_KEYS_H

#include <stdint.h>
#include <string.h>

/* Of new paths, in characters; of a component, in bytes, unless dfs.namenode.fs-limits.max-component-length is less. */
#define PATH_CHARS_MAX 8000
#define KEY_NAME_MAX   (PATH_CHARS_MAX - 1)
#define KEY_MAX        (17 + 9 + KEY_NAME_MAX + 9) /* bytes: 'T' of a 'D' */

/* Too large to be copied without need. */
struct key {
    size_t len;
    uint8_t bytes[KEY_MAX];
};

static inline void be64_put(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (56 - 8 * i));
}
static inline uint64_t be64_get(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}
static inline void key_add(struct key *k, uint64_t number)
{
    be64_put(k->bytes + k->len, number);
    k->len += 8;
}
static inline void key_of(struct key *ret, char table, uint64_t number)
{
    ret->bytes[0] = (uint8_t)table;
    ret->len = 1;
    key_add(ret, number);
}
/* name_len <= KEY_NAME_MAX; name may be NULL if it is 0. */
static inline void key_of_named(struct key *ret, char table, uint64_t number, const char *name, size_t name_len)
{
    key_of(ret, table, number);
    if (name_len)
        memcpy(ret->bytes + ret->len, name, name_len);
    ret->len += name_len;
}
static inline void key_of_dentry(struct key *ret, uint64_t parent, const char *name, size_t name_len)
{
    key_of_named(ret, 'd', parent, name, name_len);
}
/* The versions of an inode or an entry have keys that only differ in their last 8 bytes, the tag. */
static inline void key_of_inode_version(struct key *ret, uint64_t inode, uint64_t tag)
{
    key_of(ret, 'I', inode);
    key_add(ret, tag);
}
static inline void key_of_entry_version(struct key *ret, uint64_t parent, const char *name, size_t name_len,
                                        uint64_t tag)
{
    key_of_named(ret, 'D', parent, name, name_len);
    ret->bytes[ret->len++] = 0;
    key_add(ret, tag);
}
static inline void key_of_saved_for(struct key *ret, uint64_t dir, uint64_t tag, const struct key *version)
{
    key_of(ret, 'T', dir);
    key_add(ret, tag);
    if (version) {
        memcpy(ret->bytes + ret->len, version->bytes, version->len);
        ret->len += version->len;
    }
}
/* name NULL: what all links of the inode begin with. */
static inline void key_of_link(struct key *ret, uint64_t inode, uint64_t parent, const char *name)
{
    key_of(ret, 'l', inode);
    if (!name)
        return;
    key_add(ret, parent);
    size_t len = strlen(name);
    memcpy(ret->bytes + ret->len, name, len);
    ret->len += len;
}
static inline void key_of_gone(struct key *ret, uint64_t dir, uint64_t inode)
{
    key_of(ret, 'G', dir);
    key_add(ret, inode);
}
static inline void key_of_hold(struct key *ret, uint64_t inode, uint64_t session)
{
    key_of(ret, 'h', inode);
    key_add(ret, session);
}
static inline void key_of_snapshot(struct key *ret, uint64_t dir, const char *name, size_t name_len)
{
    key_of_named(ret, 'S', dir, name, name_len);
}

#endif
