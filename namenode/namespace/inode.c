#include "namenode/namespace/inode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/store.pb-c.h"
#include "common/mem.h"
#include "proto/message.h"

static enum block_state state_from_disk(uint32_t state)
{
    switch (state) {
    case CAIRN__BLOCK_RECORD__STATE__BEING_WRITTEN: return BLOCK_UNDER_CONSTRUCTION;
    case CAIRN__BLOCK_RECORD__STATE__COMMITTED: return BLOCK_COMMITTED;
    default: return BLOCK_COMPLETE;
    }
}

static uint32_t state_to_disk(enum block_state state)
{
    switch (state) {
    case BLOCK_UNDER_CONSTRUCTION: return CAIRN__BLOCK_RECORD__STATE__BEING_WRITTEN;
    case BLOCK_COMMITTED: return CAIRN__BLOCK_RECORD__STATE__COMMITTED;
    default: return CAIRN__BLOCK_RECORD__STATE__COMPLETE;
    }
}

static void blocks_decode(const Cairn__InodeRecord *r, struct inode *n, struct arena *a)
{
    n->block_count = n->block_capacity = r->n_block_id;
    n->blocks = arena_array(a, struct file_block, n->block_count);
    for (size_t i = 0; i < n->block_count; i++)
        n->blocks[i] = (struct file_block){r->block_id[i], r->block_stamp[i], r->block_length[i],
                                           r->n_block_state ? state_from_disk(r->block_state[i]) : BLOCK_COMPLETE};
}

#define ACL_TYPE_SHIFT  3
#define ACL_SCOPE_SHIFT 5

static int attributes_decode(const Cairn__InodeRecord *r, struct inode *n, struct arena *a)
{
    n->acl_count = r->n_acl;
    n->acl = arena_array(a, struct acl_entry, n->acl_count);
    for (size_t i = 0; i < n->acl_count; i++) {
        uint32_t bits = r->acl[i]->bits;
        if (bits >> (ACL_SCOPE_SHIFT + 1))
            return ERR_IO;
        n->acl[i] = (struct acl_entry){(uint8_t)(bits >> ACL_SCOPE_SHIFT), (uint8_t)(bits >> ACL_TYPE_SHIFT & 3),
                                       (uint8_t)(bits & 7), r->acl[i]->name};
    }
    n->xattr_count = r->n_xattr;
    n->xattrs = arena_array(a, struct xattr, n->xattr_count);
    for (size_t i = 0; i < n->xattr_count; i++) {
        const Cairn__XAttrRecord *x = r->xattr[i];
        if (x->space >= XATTR_SPACES)
            return ERR_IO;
        n->xattrs[i] = (struct xattr){(enum xattr_space)x->space, x->name, x->has_value, {x->value.data, x->value.len}};
    }
    return 0;
}

static int quota_decode(const Cairn__InodeRecord *r, struct inode *n, struct arena *a)
{
    struct quota *q = arena_new(a, struct quota);
    q->names = r->has_namespace_quota ? (int64_t)r->namespace_quota : QUOTA_NONE;
    q->space = r->has_space_quota ? (int64_t)r->space_quota : QUOTA_NONE;
    for (size_t i = 0; i < STORAGE_TYPES; i++)
        q->types[i] = QUOTA_NONE;
    for (size_t i = 0; i < r->n_type_quota; i++) {
        if (r->type_quota[i]->type >= STORAGE_TYPES)
            return ERR_IO;
        q->types[r->type_quota[i]->type] = (int64_t)r->type_quota[i]->bytes;
    }
    n->quota = q;
    return 0;
}

struct snapshot_ref *snapshot_refs_decode(Cairn__SnapshotRefRecord *const *records, size_t count, struct arena *a)
{
    struct snapshot_ref *refs = arena_array(a, struct snapshot_ref, count);
    for (size_t i = 0; i < count; i++)
        refs[i] = (struct snapshot_ref){records[i]->dir, records[i]->after, records[i]->id};
    return refs;
}

Cairn__SnapshotRefRecord **snapshot_refs_encode(const struct snapshot_ref *refs, size_t count)
{
    if (!count)
        return NULL;
    Cairn__SnapshotRefRecord **pointers = mem_calloc(count, sizeof *pointers + sizeof **pointers);
    Cairn__SnapshotRefRecord *records = (void *)(pointers + count);
    for (size_t i = 0; i < count; i++) {
        cairn__snapshot_ref_record__init(&records[i]);
        records[i].dir = refs[i].dir;
        records[i].after = refs[i].after;
        records[i].id = refs[i].id;
        pointers[i] = &records[i];
    }
    return pointers;
}

static void lost_decode(const Cairn__InodeRecord *r, struct inode *n, struct arena *a)
{
    n->lost_count = r->n_lost_stream;
    n->lost = arena_array(a, struct lost_stream, n->lost_count);
    for (size_t i = 0; i < n->lost_count; i++) {
        const Cairn__LostStreamRecord *s = r->lost_stream[i];
        n->lost[i] = (struct lost_stream){s->session, s->length, s->saved};
    }
}

int inode_decode(uint64_t id, struct slice record, struct arena *a, struct inode **ret, struct err *reterr)
{
    ProtobufCMessage *message = NULL;
    int rc = message_unpack(&cairn__inode_record__descriptor, record, a, &message, reterr);
    if (rc)
        return err_prefix(reterr, rc, "metadata store: inode %llu is damaged", (unsigned long long)id);
    const Cairn__InodeRecord *r = (const Cairn__InodeRecord *)message;
    if (r->n_block_id != r->n_block_stamp || r->n_block_id != r->n_block_length ||
        (r->n_block_state && r->n_block_state != r->n_block_id) || (int)r->type < INODE_DIRECTORY ||
        (int)r->type > INODE_BLOCK_DEVICE || (r->type == (Cairn__InodeRecord__Type)INODE_SYMLINK && !r->has_target))
        return err_set(reterr, ERR_IO, "metadata store: inode %llu is damaged", (unsigned long long)id);
    struct inode *n = arena_new(a, struct inode);
    n->id = id;
    n->type = (enum inode_type)r->type;
    n->parent = r->parent;
    n->name = arena_strndup(a, (const char *)r->name.data, r->name.len);
    n->mode = (uint16_t)r->mode;
    n->owner = r->owner;
    n->group = r->group;
    n->mtime_ns = r->mtime_ns;
    n->atime_ns = r->atime_ns;
    n->ctime_ns = n->ctime_before = r->ctime_ns;
    n->rdev = r->rdev;
    n->more_links = r->more_links;
    n->is_held = r->held;
    n->child_count = r->child_count;
    n->subdir_count = r->subdir_count;
    n->replication = (uint16_t)r->replication;
    n->kept_replication = (uint16_t)r->kept_replication;
    n->block_bytes = r->block_bytes;
    blocks_decode(r, n, a);
    n->truncate_length = BLOCKS_NO_TRUNCATE;
    if (r->open) {
        n->is_open = true;
        n->client_name = r->open->client_name;
        n->client_machine = r->open->client_machine;
        n->recovery_stamp = r->open->recovery_stamp;
        if (r->open->has_truncate_length)
            n->truncate_length = r->open->truncate_length;
        n->truncate_source = r->open->truncate_source;
        n->written_ns = r->open->written_ns;
        n->session = r->open->session;
    }
    lost_decode(r, n, a);
    if (r->has_target)
        n->target = arena_strndup(a, (const char *)r->target.data, r->target.len);
    n->storage_policy = (uint8_t)r->storage_policy;
    if (((r->n_acl || r->n_xattr) && attributes_decode(r, n, a)) ||
        ((r->has_namespace_quota || r->has_space_quota || r->n_type_quota) && quota_decode(r, n, a)))
        return err_set(reterr, ERR_IO, "metadata store: inode %llu is damaged", (unsigned long long)id);
    n->entered = r->snapshot_entered;
    n->saved = r->has_snapshot_saved ? r->snapshot_saved : n->entered;
    n->floor_count = r->n_floor;
    n->floors = snapshot_refs_decode(r->floor, r->n_floor, a);
    n->is_snapshottable = r->snapshottable;
    n->snapshot_count = r->snapshot_count;
    *ret = n;
    return 0;
}

/* Four parallel arrays in one piece of memory; freed through r->block_id. */
static void blocks_encode(const struct inode *n, Cairn__InodeRecord *r)
{
    size_t count = n->block_count;
    uint64_t *numbers = mem_calloc(count, 3 * sizeof(uint64_t) + sizeof(uint32_t));
    r->block_id = numbers;
    r->block_stamp = numbers + count;
    r->block_length = numbers + 2 * count;
    r->block_state = (uint32_t *)(numbers + 3 * count);
    for (size_t i = 0; i < count; i++) {
        r->block_id[i] = n->blocks[i].id;
        r->block_stamp[i] = n->blocks[i].stamp;
        r->block_length[i] = n->blocks[i].length_bytes;
        r->block_state[i] = state_to_disk(n->blocks[i].state);
    }
    r->n_block_id = r->n_block_stamp = r->n_block_length = count;
    r->n_block_state = inode_all_complete(n) ? 0 : count;
}

/* As acl_encode. */
static void lost_encode(const struct inode *n, Cairn__InodeRecord *r)
{
    r->n_lost_stream = n->lost_count;
    r->lost_stream = mem_calloc(n->lost_count, sizeof *r->lost_stream + sizeof **r->lost_stream);
    Cairn__LostStreamRecord *records = (void *)(r->lost_stream + n->lost_count);
    for (size_t i = 0; i < n->lost_count; i++) {
        const struct lost_stream *s = &n->lost[i];
        cairn__lost_stream_record__init(&records[i]);
        records[i].session = s->session;
        records[i].length = s->length_bytes;
        records[i].has_saved = records[i].saved = s->is_saved;
        r->lost_stream[i] = &records[i];
    }
}

static void snapshots_encode(const struct inode *n, Cairn__InodeRecord *r)
{
    r->has_snapshot_entered = n->entered != 0;
    r->snapshot_entered = n->entered;
    r->has_snapshot_saved = n->saved != n->entered;
    r->snapshot_saved = n->saved;
    r->has_snapshottable = r->snapshottable = n->is_snapshottable;
    r->has_snapshot_count = n->snapshot_count != 0;
    r->snapshot_count = n->snapshot_count;
    r->n_floor = n->floor_count;
    r->floor = snapshot_refs_encode(n->floors, n->floor_count);
}

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* Records of a list and the pointers to them, in one piece of memory that is freed through the pointers. */
static void acl_encode(const struct inode *n, Cairn__InodeRecord *r)
{
    r->n_acl = n->acl_count;
    r->acl = mem_calloc(n->acl_count, sizeof *r->acl + sizeof **r->acl);
    Cairn__AclEntryRecord *records = (Cairn__AclEntryRecord *)(void *)(r->acl + n->acl_count);
    for (size_t i = 0; i < n->acl_count; i++) {
        const struct acl_entry *e = &n->acl[i];
        cairn__acl_entry_record__init(&records[i]);
        records[i].bits = (uint32_t)e->scope << ACL_SCOPE_SHIFT | (uint32_t)e->type << ACL_TYPE_SHIFT | e->rwx;
        records[i].name = (char *)(uintptr_t)e->name;
        r->acl[i] = &records[i];
    }
}

static void xattrs_encode(const struct inode *n, Cairn__InodeRecord *r)
{
    r->n_xattr = n->xattr_count;
    r->xattr = mem_calloc(n->xattr_count, sizeof *r->xattr + sizeof **r->xattr);
    Cairn__XAttrRecord *records = (Cairn__XAttrRecord *)(void *)(r->xattr + n->xattr_count);
    for (size_t i = 0; i < n->xattr_count; i++) {
        const struct xattr *x = &n->xattrs[i];
        cairn__xattr_record__init(&records[i]);
        records[i].space = x->space;
        records[i].name = (char *)(uintptr_t)x->name;
        records[i].has_value = x->has_value;
        records[i].value = (ProtobufCBinaryData){x->value.len, (uint8_t *)(uintptr_t)x->value.base};
        r->xattr[i] = &records[i];
    }
}

struct quota_message {
    Cairn__TypeQuotaRecord records[STORAGE_TYPES], *list[STORAGE_TYPES];
};

static void quota_encode(const struct quota *q, struct quota_message *m, Cairn__InodeRecord *r)
{
    r->has_namespace_quota = q->names >= 0;
    r->namespace_quota = (uint64_t)q->names;
    r->has_space_quota = q->space >= 0;
    r->space_quota = (uint64_t)q->space;
    r->type_quota = m->list;
    for (uint32_t type = 0; type < STORAGE_TYPES; type++) {
        if (q->types[type] < 0)
            continue;
        Cairn__TypeQuotaRecord *t = &m->records[r->n_type_quota];
        cairn__type_quota_record__init(t);
        t->type = type;
        t->bytes = (uint64_t)q->types[type];
        m->list[r->n_type_quota++] = t;
    }
}

void inode_encode(const struct inode *n, struct buf *to)
{
    struct quota_message quota;
    Cairn__InodeRecord r = CAIRN__INODE_RECORD__INIT;
    Cairn__OpenFileRecord open = CAIRN__OPEN_FILE_RECORD__INIT;
    r.type = (Cairn__InodeRecord__Type)n->type;
    r.parent = n->parent;
    r.name = bytes_of(n->name);
    r.mode = n->mode;
    r.owner = (char *)(uintptr_t)n->owner;
    r.group = (char *)(uintptr_t)n->group;
    r.mtime_ns = n->mtime_ns;
    r.atime_ns = n->atime_ns;
    r.ctime_ns = n->ctime_ns;
    if (inode_is_dir(n)) {
        r.has_child_count = r.has_subdir_count = 1;
        r.child_count = n->child_count;
        r.subdir_count = n->subdir_count;
    } else if (inode_is_file(n)) {
        r.has_replication = r.has_block_bytes = 1;
        r.replication = n->replication;
        r.has_kept_replication = n->kept_replication != 0;
        r.kept_replication = n->kept_replication;
        r.block_bytes = n->block_bytes;
        if (n->block_count)
            blocks_encode(n, &r);
    } else if (n->type == INODE_SYMLINK) {
        r.has_target = 1;
        r.target = bytes_of(n->target);
    }
    r.has_rdev = n->rdev != 0;
    r.rdev = n->rdev;
    r.has_more_links = n->more_links != 0;
    r.more_links = n->more_links;
    r.has_held = r.held = n->is_held;
    if (n->is_open) {
        open.client_name = (char *)(uintptr_t)n->client_name;
        open.client_machine = (char *)(uintptr_t)n->client_machine;
        open.has_recovery_stamp = n->recovery_stamp != 0;
        open.recovery_stamp = n->recovery_stamp;
        open.has_truncate_length = n->truncate_length != BLOCKS_NO_TRUNCATE;
        open.truncate_length = n->truncate_length;
        open.has_truncate_source = n->truncate_source != 0;
        open.truncate_source = n->truncate_source;
        open.has_written_ns = n->written_ns != 0;
        open.written_ns = n->written_ns;
        open.has_session = n->session != 0;
        open.session = n->session;
        r.open = &open;
    }
    r.has_storage_policy = n->storage_policy != POLICY_UNSPECIFIED;
    r.storage_policy = n->storage_policy;
    if (n->quota)
        quota_encode(n->quota, &quota, &r);
    if (n->acl_count)
        acl_encode(n, &r);
    if (n->xattr_count)
        xattrs_encode(n, &r);
    if (n->lost_count)
        lost_encode(n, &r);
    snapshots_encode(n, &r);
    message_pack(to, &r.base);
    free(r.block_id);
    free(r.acl);
    free(r.xattr);
    free(r.floor);
    free(r.lost_stream);
}

uint64_t inode_length(const struct inode *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n->block_count; i++)
        sum += n->blocks[i].length_bytes;
    return sum;
}

uint64_t inode_allocated(const struct inode *n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n->block_count; i++)
        sum += file_block_is_hole(&n->blocks[i]) ? 0 : n->blocks[i].length_bytes;
    return sum;
}

bool inode_all_complete(const struct inode *n)
{
    for (size_t i = n->block_count; i-- > 0;)
        if (n->blocks[i].state != BLOCK_COMPLETE)
            return false;
    return true;
}

struct file_block *inode_add_block(struct inode *n, struct arena *a)
{
    if (n->block_count == n->block_capacity) {
        size_t capacity = n->block_capacity ? n->block_capacity * 2 : 4;
        struct file_block *grown = arena_array(a, struct file_block, capacity);
        if (n->block_count)
            memcpy(grown, n->blocks, n->block_count * sizeof *grown);
        n->blocks = grown;
        n->block_capacity = capacity;
    }
    struct file_block *b = &n->blocks[n->block_count++];
    *b = (struct file_block){0};
    return b;
}

uint32_t inode_nlink(const struct inode *n)
{
    return inode_is_dir(n) ? (uint32_t)(n->subdir_count + 2) : n->more_links + (n->parent != INODE_NONE);
}

static const uint32_t formats[] = {
    [INODE_DIRECTORY] = S_IFDIR,    [INODE_FILE] = S_IFREG,    [INODE_SYMLINK] = S_IFLNK,
    [INODE_FIFO] = S_IFIFO,         [INODE_SOCKET] = S_IFSOCK, [INODE_CHARACTER_DEVICE] = S_IFCHR,
    [INODE_BLOCK_DEVICE] = S_IFBLK,
};

uint32_t inode_format(enum inode_type type)
{
    return formats[type];
}

bool inode_type_of(uint32_t format, enum inode_type *ret)
{
    for (int type = INODE_DIRECTORY; type <= INODE_BLOCK_DEVICE; type++)
        if (formats[type] == format) {
            *ret = (enum inode_type)type;
            return true;
        }
    return false;
}

void block_record_encode(const struct inode *n, const struct file_block *b, struct buf *to)
{
    Cairn__BlockRecord r = CAIRN__BLOCK_RECORD__INIT;
    r.inode = n->id;
    r.stamp = b->stamp;
    r.length = b->length_bytes;
    r.replication = inode_block_replication(n);
    r.state = (Cairn__BlockRecord__State)state_to_disk(b->state);
    message_pack(to, &r.base);
}

int block_record_decode(uint64_t id, struct slice record, struct block_record *ret, struct err *reterr)
{
    Cairn__BlockRecord *r = cairn__block_record__unpack(NULL, record.len, record.base);
    if (!r)
        return err_set(reterr, ERR_IO, "metadata store: the record of block %llu is damaged", (unsigned long long)id);
    *ret = (struct block_record){.block_id = id,
                                 .inode_id = r->inode,
                                 .gen_stamp = r->stamp,
                                 .bytes = r->length,
                                 .replication = (uint16_t)r->replication,
                                 .state = state_from_disk(r->state)};
    cairn__block_record__free_unpacked(r, NULL);
    return 0;
}
