/* Opening the namespace: counters, settings, the root directory. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/store.pb-c.h"
#include "common/clock.h"
#include "common/mem.h"
#include "namenode/namespace/change_log.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/opens.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/protected.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/txn.h"
#include "proto/message.h"

#define BLOCK_ID_FIRST ((1ull << 30) + 1) /* Hadoop's first ids and stamps */
#define STAMP_FIRST    1001

void fsdir_options_from_config(struct fsdir_options *ret, const struct config *c)
{
    *ret = (struct fsdir_options){
        .permissions = config_bool(c, "dfs.permissions.enabled"),
        .acls = config_bool(c, "dfs.namenode.acls.enabled"),
        .posix_acl_inheritance = config_bool(c, "dfs.namenode.posix.acl.inheritance.enabled"),
        .xattrs = config_bool(c, "dfs.namenode.xattrs.enabled"),
        .storage_policies = config_bool(c, "dfs.storage.policy.enabled"),
        .atime_changes_in_snapshots = config_bool(c, "dfs.namenode.snapshot.skip.capture.accesstime-only-change"),
        .diffs_below_roots = config_bool(c, "dfs.namenode.snapshotdiff.allow.snap-root-descendant"),
        .owners_set_quotas = config_bool(c, "dfs.permissions.allow.owner.set.quota"),
        .default_policy = storage_policy_default(c),
        .protected_directories = config_str(c, "fs.protected.directories"),
        .protect_all_below = config_bool(c, "dfs.protected.subdirectories.enable"),
        .supergroup = config_str(c, "dfs.permissions.superusergroup"),
        .limits = {
            .component_bytes = (size_t)config_int(c, "dfs.namenode.fs-limits.max-component-length"),
            .children = (size_t)config_int(c, "dfs.namenode.fs-limits.max-directory-items"),
            .path_chars = PATH_CHARS_MAX,
            .depth = 1000,
            .list_entries = (size_t)config_int(c, "dfs.ls.limit"),
            .block_bytes_min = (uint64_t)config_size(c, "dfs.namenode.fs-limits.min-block-size"),
            .blocks_per_file = (uint64_t)config_int(c, "dfs.namenode.fs-limits.max-blocks-per-file"),
            .replication_min = (uint16_t)config_int(c, "dfs.namenode.replication.min"),
            .replication_max = (uint16_t)config_int(c, "dfs.replication.max"),
            .snapshots = (size_t)config_int(c, "dfs.namenode.snapshot.filesystem.limit"),
            .snapshots_per_dir = (size_t)config_int(c, "dfs.namenode.snapshot.max.limit"),
            .atime_precision_ns = (uint64_t)config_ms(c, "dfs.namenode.accesstime.precision") * 1000000,
            .xattrs = (size_t)config_int(c, "dfs.namenode.fs-limits.max-xattrs-per-inode"),
            .xattr_bytes = (size_t)config_size(c, "dfs.namenode.fs-limits.max-xattr-size"),
        }};
}

void fsdir_counters_put(const struct counters *c, const struct counters *before, struct store_batch *batch)
{
    if (!memcmp(c, before, sizeof *c))
        return;
    Cairn__CounterRecord r = CAIRN__COUNTER_RECORD__INIT;
    r.next_inode = c->next_inode;
    r.next_block = c->next_block;
    r.next_stamp = c->next_stamp;
    r.inode_count = c->inodes;
    r.directory_count = c->directories;
    r.has_symlink_count = 1;
    r.symlink_count = c->symlinks;
    r.block_count = c->blocks;
    r.complete_block_count = c->complete_blocks;
    r.has_quota_count = 1;
    r.quota_count = c->quotas;
    r.has_last_snapshot = c->last_snapshot != 0;
    r.last_snapshot = c->last_snapshot;
    r.has_quota_rules = c->quota_rules != 0;
    r.quota_rules = (uint32_t)c->quota_rules;
    struct buf record = {0};
    message_pack(&record, &r.base);
    store_batch_put(batch, "c", 1, record.base, record.len);
    buf_free(&record);
}

static int counters_read(struct fsdir *dir, struct err *reterr)
{
    AUTO(store_value_free) struct store_value v = {0};
    int rc = store_get(dir->store, NULL, "c", 1, &v, reterr);
    if (rc)
        return rc;
    Cairn__CounterRecord *r = cairn__counter_record__unpack(NULL, v.len, (const uint8_t *)v.base);
    if (!r)
        return err_set(reterr, ERR_IO, "%s: the counters are damaged", store_folder(dir->store));
    dir->counters = (struct counters){
        .next_inode = r->next_inode,
        .next_block = r->next_block,
        .next_stamp = r->next_stamp,
        .inodes = r->inode_count,
        .directories = r->directory_count,
        .symlinks = r->symlink_count,
        .blocks = r->block_count,
        .complete_blocks = r->complete_block_count,
        .quotas = r->quota_count,
        .last_snapshot = r->last_snapshot,
        .quota_rules = r->quota_rules,
    };
    cairn__counter_record__free_unpacked(r, NULL);
    return 0;
}

static int make_root(struct fsdir *dir, uint64_t now_ns, struct err *reterr)
{
    struct txn t;
    dir->counters = (struct counters){
        .next_inode = INODE_ROOT, .next_block = BLOCK_ID_FIRST, .next_stamp = STAMP_FIRST, .quota_rules = QUOTA_RULES};
    txn_begin(&t, dir, now_ns);
    struct inode *root = txn_new_inode(&t, INODE_DIRECTORY, 0755, dir->superuser, dir->supergroup);
    root->parent = root->id;
    int rc = txn_commit(&t, reterr);
    txn_end(&t);
    return rc;
}

int fsdir_open(struct store *s, struct journal *j, const struct fsdir_options *o, uint64_t now_ns, struct fsdir **ret,
               struct err *reterr)
{
    struct fsdir *dir = mem_new(struct fsdir);
    dir->store = s;
    dir->journal = j;
    store_set_soon_read(s, "di"); /* entries and inodes: what was made is looked at, completed, renamed */
    dir->limits = o->limits;
    if (!dir->limits.component_bytes || dir->limits.component_bytes > KEY_NAME_MAX)
        dir->limits.component_bytes = KEY_NAME_MAX;
    dir->permissions = o->permissions;
    dir->acls = o->acls;
    dir->posix_acl_inheritance = o->posix_acl_inheritance;
    dir->xattrs = o->xattrs;
    dir->storage_policies = o->storage_policies;
    dir->atime_changes_in_snapshots = o->atime_changes_in_snapshots;
    dir->diffs_below_roots = o->diffs_below_roots;
    dir->owners_set_quotas = o->owners_set_quotas;
    dir->default_policy = o->default_policy;
    dir->protected = protected_new(o->protected_directories, o->protect_all_below);
    snprintf(dir->superuser, sizeof dir->superuser, "%s", o->superuser);
    snprintf(dir->supergroup, sizeof dir->supergroup, "%s", o->supergroup);
    dir->changes = change_log_new(now_ns);
    dir->opens = opens_new();
    int rc = history_load(dir, reterr);
    rc = rc ? rc : retry_ring_load(s, (uint64_t)clock_mono_ms(), &dir->retries, reterr);
    rc = rc ? rc : counters_read(dir, reterr);
    if (rc == ERR_NOT_FOUND)
        rc = make_root(dir, now_ns, reterr);
    if (!rc && dir->counters.quota_rules != QUOTA_RULES)
        rc = quota_recount(dir, reterr);
    if (rc) {
        fsdir_free(dir);
        return rc;
    }
    *ret = dir;
    return 0;
}

void fsdir_free(struct fsdir *dir)
{
    if (dir) {
        protected_free(dir->protected);
        history_free(dir->history);
        change_log_free(dir->changes);
        opens_free(dir->opens);
        retry_ring_free(dir->retries);
    }
    free(dir);
}
