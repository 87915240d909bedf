/* Data files that several replicas share, as names of one inode. A replica that is finalized is never written to, so
 * nothing can tell; whoever changes one first gives it a file of its own. The file system counts the names, and they
 * are all that is kept of it: a restart finds it as it was.
 *
 * Each replica's length counts as used, so what is shared is counted beside it, once less than there are names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "datanode/store/store_impl.h"

static bool has_other_names(const char *path, struct stat *st)
{
    return stat(path, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink > 1;
}

bool store_shares_data(const char *path)
{
    struct stat st;
    return has_other_names(path, &st);
}

int store_link_data(struct block_store *s, struct volume *v, const char *from, const char *to, struct err *reterr)
{
    struct stat st;
    pthread_mutex_lock(&s->links_lock);
    int rc =
        link(from, to) < 0 || stat(to, &st) < 0 ? err_errno(reterr, errno, "cannot link '%s' to '%s'", to, from) : 0;
    if (rc == 0)
        atomic_fetch_add(&v->shared_bytes, (int64_t)st.st_size);
    pthread_mutex_unlock(&s->links_lock);
    return rc;
}

bool store_unlink_shared(struct block_store *s, struct volume *v, const char *path)
{
    struct stat st;
    pthread_mutex_lock(&s->links_lock);
    bool gone = has_other_names(path, &st) && unlink(path) == 0;
    if (gone)
        atomic_fetch_sub(&v->shared_bytes, (int64_t)st.st_size);
    pthread_mutex_unlock(&s->links_lock);
    return gone;
}

int store_own_data(struct block_store *s, struct volume *v, uint64_t block_id, const char *path, struct err *reterr)
{
    struct stat st;
    if (!has_other_names(path, &st))
        return 0;
    AUTO(mem_freep) char *tmp = mem_printf("%stmp/own_%" PRId64, v->pool, (int64_t)block_id);
    int rc = store_copy_file(path, tmp, reterr);
    pthread_mutex_lock(&s->links_lock);
    bool shared = has_other_names(path, &st); /* the others may be gone by now */
    if (rc == 0 && rename(tmp, path) < 0)
        rc = err_errno(reterr, errno, "cannot rename '%s' to '%s'", tmp, path);
    if (rc == 0 && shared)
        atomic_fetch_sub(&v->shared_bytes, (int64_t)st.st_size);
    pthread_mutex_unlock(&s->links_lock);
    if (rc < 0)
        (void)unlink(tmp);
    return rc;
}

void store_note_shared(struct volume *v, uint64_t bytes, uint64_t names)
{
    if (names > 1)
        atomic_fetch_add(&v->shared_bytes, (int64_t)(bytes - bytes / names));
}
