#include "datanode/serve/shm_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/net.h"
#include "proto/shm_slot.h"

struct segment {
    struct segment *next;
    struct shm_id id;
    void *base;
    bool used[SHM_SLOTS];
    uint64_t block_ids[SHM_SLOTS];
};
struct shm_registry {
    pthread_mutex_t lock;
    struct segment *segments; /* guarded by lock */
};

struct shm_registry *shm_registry_new(void)
{
    struct shm_registry *r = mem_new(struct shm_registry);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void segment_free(struct segment *s)
{
    if (s->base)
        munmap(s->base, SHM_SEGMENT_BYTES);
    mem_freep(&s);
}

void shm_registry_free(struct shm_registry *r)
{
    if (!r)
        return;
    for (struct segment *s = r->segments, *next; s; s = next) {
        next = s->next;
        segment_free(s);
    }
    pthread_mutex_destroy(&r->lock);
    mem_freep(&r);
}

static struct segment *find(const struct shm_registry *r, struct shm_id id)
{
    struct segment *s = r->segments;
    while (s && (s->id.hi != id.hi || s->id.lo != id.lo))
        s = s->next;
    return s;
}

/* Its size is sealed: a client that cuts it would have us die of SIGBUS. */
static int make_memory(void **ret_base, int *ret_fd, struct err *reterr)
{
    AUTO(net_closep) int fd = memfd_create("cairn-short-circuit", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, SHM_SEGMENT_BYTES) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_errno(reterr, errno, "cannot make a segment of shared memory");
    void *base = mmap(NULL, SHM_SEGMENT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return err_errno(reterr, errno, "cannot map a segment of shared memory");
    *ret_base = base;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

int shm_registry_add(struct shm_registry *r, struct shm_id *ret_id, int *ret_fd, struct err *reterr)
{
    struct segment *s = mem_new(struct segment);
    int rc = make_memory(&s->base, ret_fd, reterr);
    if (rc == 0 && getrandom(&s->id, sizeof s->id, 0) != (ssize_t)sizeof s->id) {
        rc = err_errno(reterr, errno, "no random numbers");
        net_closep(ret_fd);
    }
    if (rc < 0) {
        segment_free(s);
        return rc;
    }
    *ret_id = s->id;
    pthread_mutex_lock(&r->lock);
    s->next = r->segments;
    r->segments = s;
    pthread_mutex_unlock(&r->lock);
    return 0;
}

void shm_registry_remove(struct shm_registry *r, struct shm_id id)
{
    pthread_mutex_lock(&r->lock);
    struct segment *s = find(r, id);
    for (struct segment **at = &r->segments; s && *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    pthread_mutex_unlock(&r->lock);
    if (!s)
        return;
    for (unsigned i = 0; i < SHM_SLOTS; i++) /* the client may still map it */
        shm_slot_clear_bits(s->base, i, SHM_SLOT_VALID);
    segment_free(s);
}

static int find_slot_locked(const struct shm_registry *r, struct shm_id id, int32_t index, struct segment **ret,
                            struct err *reterr)
{
    struct segment *s = find(r, id);
    if (!s)
        return err_set(reterr, ERR_INVALID_REQUEST,
                       "there is no shared memory segment registered with shmId %016" PRIx64 "%016" PRIx64,
                       (uint64_t)id.hi, (uint64_t)id.lo);
    if (index < 0 || index >= SHM_SLOTS)
        return err_set(reterr, ERR_INVALID_REQUEST, "slot %" PRId32 " is not one of the %d of its segment", index,
                       SHM_SLOTS);
    *ret = s;
    return 0;
}

int shm_registry_register(struct shm_registry *r, struct shm_id id, int32_t index, uint64_t block_id, bool in_memory,
                          struct err *reterr)
{
    struct segment *s = NULL;
    pthread_mutex_lock(&r->lock);
    int rc = find_slot_locked(r, id, index, &s, reterr);
    if (rc == 0 && s->used[index])
        rc = err_set(reterr, ERR_INVALID_REQUEST, "slot %" PRId32 " is already in use", index);
    if (rc == 0 && !shm_slot_is_valid(s->base, (unsigned)index))
        rc = err_set(reterr, ERR_INVALID_REQUEST, "slot %" PRId32 " is not marked as valid", index);
    if (rc == 0) {
        s->used[index] = true;
        s->block_ids[index] = block_id;
        if (in_memory)
            shm_slot_set_bits(s->base, (unsigned)index, SHM_SLOT_ANCHORABLE);
        else
            shm_slot_clear_bits(s->base, (unsigned)index, SHM_SLOT_ANCHORABLE);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

int shm_registry_unregister(struct shm_registry *r, struct shm_id id, int32_t index, struct err *reterr)
{
    struct segment *s = NULL;
    pthread_mutex_lock(&r->lock);
    int rc = find_slot_locked(r, id, index, &s, reterr);
    if (rc == 0 && !s->used[index])
        rc = err_set(reterr, ERR_INVALID_REQUEST, "slot %" PRId32 " is not in use", index);
    if (rc == 0) {
        s->used[index] = false;
        shm_slot_clear_bits(s->base, (unsigned)index, SHM_SLOT_VALID);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static void clear_bits(struct shm_registry *r, uint64_t block_id, uint64_t bits)
{
    pthread_mutex_lock(&r->lock);
    for (struct segment *s = r->segments; s; s = s->next)
        for (unsigned i = 0; i < SHM_SLOTS; i++)
            if (s->used[i] && s->block_ids[i] == block_id)
                shm_slot_clear_bits(s->base, i, bits);
    pthread_mutex_unlock(&r->lock);
}

void shm_registry_unanchor(struct shm_registry *r, uint64_t block_id)
{
    clear_bits(r, block_id, SHM_SLOT_ANCHORABLE);
}

void shm_registry_invalidate(struct shm_registry *r, uint64_t block_id)
{
    clear_bits(r, block_id, SHM_SLOT_VALID | SHM_SLOT_ANCHORABLE);
}
