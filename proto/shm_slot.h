/* Shared memory between a datanode and a client that reads its replicas through descriptors: a segment of slots, one
 * per replica that the client has open. Only the first word of a slot is used, in the machine's byte order:
 *
 *     bit 63      VALID: set by the client before it asks for the replica, cleared by the datanode when the replica
 * goes away or is changed bit 62      ANCHORABLE: set by the datanode while it holds the replica in memory bits 0..30
 * anchors: how many of the client's readers rely on that
 *
 * Either side may write anything at any time, so every access is atomic and nothing is believed but these bits. */
#ifndef CAIRN_PROTO_SHM_SLOT_H
#define CAIRN_PROTO_SHM_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SHM_SEGMENT_BYTES   8192
#define SHM_SLOT_BYTES      64
#define SHM_SLOTS           (SHM_SEGMENT_BYTES / SHM_SLOT_BYTES)
#define SHM_SLOT_VALID      (UINT64_C(1) << 63)
#define SHM_SLOT_ANCHORABLE (UINT64_C(1) << 62)

static inline uint64_t *shm_slot_word(void *segment, unsigned index)
{
    return (uint64_t *)((char *)segment + index * SHM_SLOT_BYTES);
}
static inline bool shm_slot_is_valid(void *segment, unsigned index)
{
    return (__atomic_load_n(shm_slot_word(segment, index), __ATOMIC_ACQUIRE) & SHM_SLOT_VALID) != 0;
}
static inline void shm_slot_set(void *segment, unsigned index, uint64_t word)
{
    __atomic_store_n(shm_slot_word(segment, index), word, __ATOMIC_RELEASE);
}
static inline void shm_slot_set_bits(void *segment, unsigned index, uint64_t bits)
{
    __atomic_fetch_or(shm_slot_word(segment, index), bits, __ATOMIC_ACQ_REL);
}
static inline void shm_slot_clear_bits(void *segment, unsigned index, uint64_t bits)
{
    __atomic_fetch_and(shm_slot_word(segment, index), ~bits, __ATOMIC_ACQ_REL);
}

/* Besides dfs.domain.socket.path, a datanode listens at an abstract name made of its uuid, which every client learns
 * with a block's locations: no path to agree on, none too long for a socket, none left behind. Returns the length of
 * the address. */
static inline socklen_t datanode_abstract_address(const char *uuid, struct sockaddr_un *ret)
{
    static const char prefix[] = "cairn-datanode-";
    size_t len = strnlen(uuid, sizeof ret->sun_path - sizeof prefix - 1);
    memset(ret, 0, sizeof *ret);
    ret->sun_family = AF_UNIX;
    memcpy(ret->sun_path + 1, prefix, sizeof prefix - 1);
    memcpy(ret->sun_path + sizeof prefix, uuid, len);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof prefix + len);
}

#endif
