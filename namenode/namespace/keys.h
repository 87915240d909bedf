/* Keys of the namenode's store. Numbers are big endian, so that byte order is number order and a directory is one
 * contiguous range, ordered by name.
 *
 *   'b' block id            -> BlockRecord
 *   'c'                     -> CounterRecord
 *   'C' directive id        -> CacheDirectiveRecord; 'C' alone: the next id
 *   'd' parent inode, name  -> inode number (be64)
 *   'D' parent, name, 0, tag -> VersionRecord: what the entry was
 *   'i' inode               -> InodeRecord
 *   'I' inode, tag          -> VersionRecord: what the inode was
 *   'k' token               -> TokenRecord: a delegation token; 'k' alone: the next number
 *   'K' key                 -> TokenKeyRecord: what vouches for tokens; 'K' alone: the next id
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

#define KEY_NAME_MAX 255 /* bytes in a path component, unless dfs.namenode.fs-limits.max-component-length is less */

#define KEY_MAX (17 + 9 + KEY_NAME_MAX + 9) /* bytes: 'T' of a 'D' */

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
static inline struct key key_of(char table, uint64_t number)
{
    struct key k;
    k.len = 9;
    k.bytes[0] = (uint8_t)table;
    be64_put(k.bytes + 1, number);
    return k;
}
/* name_len <= KEY_NAME_MAX; name may be NULL if it is 0. */
static inline struct key key_of_dentry(uint64_t parent, const char *name, size_t name_len)
{
    struct key k = key_of('d', parent);
    if (name_len)
        memcpy(k.bytes + 9, name, name_len);
    k.len += name_len;
    return k;
}
static inline void key_add(struct key *k, uint64_t number)
{
    be64_put(k->bytes + k->len, number);
    k->len += 8;
}
/* The versions of an inode or an entry have keys that only differ in their last 8 bytes, the tag. */
static inline struct key key_of_inode_version(uint64_t inode, uint64_t tag)
{
    struct key k = key_of('I', inode);
    key_add(&k, tag);
    return k;
}
static inline struct key key_of_entry_version(uint64_t parent, const char *name, size_t name_len, uint64_t tag)
{
    struct key k = key_of_dentry(parent, name, name_len);
    k.bytes[0] = 'D';
    k.bytes[k.len++] = 0;
    key_add(&k, tag);
    return k;
}
static inline struct key key_of_saved_for(uint64_t dir, uint64_t tag, const struct key *version)
{
    struct key k = key_of('T', dir);
    key_add(&k, tag);
    if (version) {
        memcpy(k.bytes + k.len, version->bytes, version->len);
        k.len += version->len;
    }
    return k;
}
static inline struct key key_of_snapshot(uint64_t dir, const char *name, size_t name_len)
{
    struct key k = key_of_dentry(dir, name, name_len);
    k.bytes[0] = 'S';
    return k;
}

#endif
