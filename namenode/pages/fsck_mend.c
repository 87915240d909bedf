/* What fsck does about a damaged file: deletes it, or saves what can be read of it to /lost+found first. The data goes
 * through a client of our own; nothing here holds the lock while it waits for others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/journal/journal.h"
#include "namenode/namespace/tree.h"
#include "namenode/pages/fsck_internal.h"
#include "proto/zero_block.h"

#define LOST_FOUND  "/lost+found"
#define COPY_BYTES  (1u << 20)
#define ARENA_BYTES (256u << 20)

static void trouble(struct fsck *f, const char *doing, const struct err *why)
{
    f->failed = true;
    log_warn("fsck", "path=%s: cannot %s: %s", buf_cstr(&f->path), doing, why->text);
}

static void delete_file(struct fsck *f)
{
    struct txn t;
    struct file_op o = {f->nn, &t, (uint64_t)clock_mono_ms()};
    struct err why = {0};
    bool deleted = false;
    namenode_lock(f->nn);
    txn_begin(&t, f->nn->dir, (uint64_t)clock_wall_ns());
    int rc = blocks_in_safe_mode(f->nn->blocks) ? err_set(&why, ERR_SAFE_MODE, "Name node is in safe mode.")
                                                : tree_delete(&t, &f->user, buf_cstr(&f->path), false, &deleted, &why);
    rc = rc ? rc : file_commit(&o, &why);
    uint64_t seq = journal_latest(f->nn->journal);
    txn_end(&t);
    namenode_unlock(f->nn);
    if (rc)
        trouble(f, "delete it", &why);
    else
        journal_wait(f->nn->journal, seq);
}

/* ---- /lost+found ---- */

struct rescue {
    struct dfs *fs;
    struct file_reader *from;
    struct file_writer *to; /* NULL: the next readable block begins a new file */
    const char *folder;
    unsigned chains;
    void *memory;
};

static int begin_chain(struct rescue *r, struct err *reterr)
{
    char path[8192];
    struct file_create how = {.mode = 0644, .overwrite = true, .create_parent = true};
    snprintf(path, sizeof path, "%s/%u", r->folder, r->chains++);
    return file_writer_create(r->fs, path, &how, &r->to, reterr);
}

static int end_chain(struct rescue *r, struct err *reterr)
{
    struct file_writer *to = r->to;
    r->to = NULL;
    return to ? file_writer_close(to, reterr) : 0;
}

static int copy_block(struct rescue *r, const struct dfs_block *b, struct err *reterr)
{
    int rc = r->to ? 0 : begin_chain(r, reterr);
    for (int64_t done = 0; !rc && done < b->bytes;) {
        size_t want = b->bytes - done < (int64_t)COPY_BYTES ? (size_t)(b->bytes - done) : COPY_BYTES, got = 0;
        rc = file_reader_pread(r->from, r->memory, want, b->offset + done, &got, reterr);
        if (!rc && !got)
            rc = err_set(reterr, ERR_END_OF_FILE, "the block ends %lld bytes early", (long long)(b->bytes - done));
        rc = rc ? rc : file_writer_write(r->to, r->memory, got, reterr);
        done += (int64_t)got;
    }
    return rc;
}

/* Runs of readable blocks become files 0, 1, ... in the folder. A hole ends one: it may be longer than all disks. */
static void copy_blocks(struct fsck *f, struct rescue *r, const struct dfs_blocks *blocks)
{
    struct err why;
    for (size_t i = 0; i < blocks->count; i++) {
        int rc = 0;
        if (!blocks->blocks[i].node_count || blocks->blocks[i].block_id == ZERO_BLOCK_ID)
            rc = end_chain(r, &why);
        else if ((rc = copy_block(r, &blocks->blocks[i], &why)) && end_chain(r, NULL))
            r->to = NULL;
        if (rc)
            trouble(f, "copy a block to " LOST_FOUND, &why);
    }
    if (end_chain(r, &why))
        trouble(f, "copy a block to " LOST_FOUND, &why);
}

static int make_lost_found(struct fsck *f, struct dfs *fs, struct arena *a, struct err *reterr)
{
    struct dfs_status st;
    if (f->lost_found_ready)
        return 0;
    int rc = dfs_lstat(fs, LOST_FOUND, a, &st, reterr);
    if (rc == ERR_NOT_FOUND)
        rc = dfs_mkdirs(fs, LOST_FOUND, 0755, true, reterr);
    else if (!rc && st.type != DFS_DIR)
        rc = err_set(reterr, ERR_EXISTS, LOST_FOUND " is not a directory");
    f->lost_found_ready = !rc;
    return rc;
}

static int rescue_file(struct fsck *f, struct rescue *r, uint16_t mode, struct arena *a, struct err *reterr)
{
    const char *path = buf_cstr(&f->path);
    struct dfs_status st;
    struct dfs_blocks blocks;
    char uri[sizeof f->nn->address + 16];
    snprintf(uri, sizeof uri, "hdfs://%s", f->nn->address);
    int rc = dfs_connect(f->nn->config, uri, f->user.name, &r->fs, reterr);
    rc = rc ? rc : make_lost_found(f, r->fs, a, reterr);
    if (rc)
        return rc;
    r->folder = arena_printf(a, LOST_FOUND "%s", path);
    if (!dfs_lstat(r->fs, r->folder, a, &st, reterr)) {
        log_warn("fsck", "path=%s: %s is there already, nothing is copied", path, r->folder);
        return 0;
    }
    rc = dfs_mkdirs(r->fs, r->folder, mode, true, reterr);
    rc = rc ? rc : dfs_block_locations(r->fs, path, 0, INT64_MAX, a, &blocks, reterr);
    rc = rc ? rc : file_reader_open(r->fs, path, &r->from, reterr);
    if (!rc)
        copy_blocks(f, r, &blocks);
    return rc;
}

static void move_file(struct fsck *f, uint16_t mode)
{
    struct rescue r = {.memory = mem_alloc(COPY_BYTES)};
    struct arena a;
    struct err why;
    arena_init(&a, ARENA_BYTES);
    if (rescue_file(f, &r, mode, &a, &why))
        trouble(f, "copy what is left to " LOST_FOUND, &why);
    file_reader_close(r.from);
    dfs_unref(r.fs);
    arena_free(&a);
    free(r.memory);
}

void fsck_mend(struct fsck *f, uint16_t mode)
{
    if (f->o.move)
        move_file(f, mode);
    if (f->o.delete)
        delete_file(f);
}
