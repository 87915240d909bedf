/* Keys of the namenode's store. Numbers are big endian, so that byte order is number order and a directory is one
 * contiguous range, ordered by name.
 *
 *   'b' block id            -> BlockRecord
 *   'c'                     -> CounterRecord
 *   'd' parent inode, name  -> inode number (be64)
 *   'i' inode               -> InodeRecord
 *   'o' inode               -> nothing: the file is under construction (start-up reads only these)
 *   'q' inode               -> QuotaRecord: what a directory with a quota and all below it use
 *   'r' inode               -> nothing: cut off the tree, to be taken apart by the reaper */
#ifndef CAIRN_NAMENODE_NAMESPACE_KEYS_H
#define CAIRN_NAMENODE_NAMESPACE_KEYS_H

#include <stdint.h>
#include <string.h>

#define KEY_NAME_MAX 255 /* bytes in a path component, unless dfs.namenode.fs-limits.max-component-length is less */

struct key {
    size_t len;
    uint8_t bytes[9 + KEY_NAME_MAX];
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

#endif
