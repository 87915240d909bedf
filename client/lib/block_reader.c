#include "client/lib/block_reader.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/datanode.h"
#include "client/lib/local_reader.h"
#include "client/lib/remote_reader.h"
#include "common/mem.h"

struct block_reader {
    struct dfs *fs;
    const struct dfs_block *block;
    const struct dfs_datanode *node;
    int64_t end;
    struct local_reader *local; /* one of the two, or a hole */
    struct remote_reader *remote;
    int64_t zeros_left;
};

int block_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                      int64_t len, struct block_reader **ret, struct err *reterr)
{
    struct block_reader r = {.fs = fs, .block = b, .node = d, .end = offset + len};
    int rc = -1;
    if (is_hole(b)) {
        r.zeros_left = len;
        rc = 0;
    }
    if (rc < 0 && datanode_is_local(fs, d))
        rc = local_reader_open(fs, b, d, offset, len, &r.local, NULL);
    if (rc < 0)
        rc = remote_reader_open(fs, b, d, offset, len, &r.remote, reterr);
    if (rc < 0)
        return rc;
    *ret = mem_new(struct block_reader);
    **ret = r;
    return 0;
}

/* The files fail us, or are no longer what the block is: the datanode itself knows more. */
static int go_remote(struct block_reader *r, struct err *reterr)
{
    int64_t left = local_reader_left(r->local);
    local_reader_discard(r->local);
    local_reader_close(r->local);
    r->local = NULL;
    return remote_reader_open(r->fs, r->block, r->node, r->end - left, left, &r->remote, reterr);
}

int block_reader_read(struct block_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    if (is_hole(r->block)) {
        *ret_read = (int64_t)len < r->zeros_left ? len : (size_t)r->zeros_left;
        memset(bytes, 0, *ret_read);
        r->zeros_left -= (int64_t)*ret_read;
        return 0;
    }
    if (r->local && local_reader_read(r->local, bytes, len, ret_read, NULL) == 0)
        return 0;
    int rc = r->local ? go_remote(r, reterr) : 0;
    return rc < 0 ? rc : remote_reader_read(r->remote, bytes, len, ret_read, reterr);
}

int block_reader_map(struct block_reader *r, size_t len, const void **ret, size_t *ret_bytes, struct err *reterr)
{
    if (r->local && local_reader_map(r->local, len, ret, ret_bytes, NULL) == 0)
        return 0;
    return err_set(reterr, ERR_UNSUPPORTED, "this block cannot be mapped: no datanode of this host passes its files");
}

int64_t block_reader_left(const struct block_reader *r)
{
    return r->local ? local_reader_left(r->local) : r->remote ? remote_reader_left(r->remote) : r->zeros_left;
}

bool block_reader_is_short_circuit(const struct block_reader *r)
{
    return r->local != NULL;
}

void block_reader_close(struct block_reader *r)
{
    if (!r)
        return;
    if (r->local)
        local_reader_close(r->local);
    remote_reader_close(r->remote);
    free(r);
}
