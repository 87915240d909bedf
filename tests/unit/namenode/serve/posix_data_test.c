/* PosixProtocol's calls about blocks, over the wire: an edit waits for datanodes, and is done once. */
#include "tests/unit/namenode/serve/one_call.h"

#include "cairn/posix.pb-c.h"
#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/opens.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/sessions.h"
#include "tests/unit/namenode/namespace/nodes.h"

struct edit_call {
    Cairn__EditRequestProto request;
    Cairn__SpanProto span, *spans;
    Cairn__PieceProto piece, *pieces;
};

/* One piece more at the file's beginning. */
static void edit_call_init(struct edit_call *c, uint64_t session, uint64_t file, const struct file_block *b)
{
    cairn__edit_request_proto__init(&c->request);
    cairn__span_proto__init(&c->span);
    cairn__piece_proto__init(&c->piece);
    c->spans = &c->span;
    c->pieces = &c->piece;
    c->request.session = session;
    c->request.id = file;
    c->request.n_span = c->span.n_new_ = 1;
    c->request.span = &c->spans;
    c->span.new_ = &c->pieces;
    c->piece.length = b->length_bytes;
    c->piece.has_block_id = c->piece.has_stamp = !file_block_is_hole(b);
    c->piece.block_id = b->id;
    c->piece.stamp = b->stamp;
}

static uint64_t open_session(struct fixture *f)
{
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, session_put_new(f->nn.sessions, t, "mount", &id, ERR(f))), 0);
    sessions_add(f->nn.sessions, id, "mount", (uint64_t)clock_mono_ms());
    return id;
}

static struct file_block new_block(struct fixture *f, uint64_t session, uint64_t file, uint64_t bytes)
{
    struct file_block b = {0};
    assert_int_equal(IN_TXN(f, ({
                                struct inode *n = NULL;
                                struct new_block *made = NULL;
                                int rc = txn_inode(t, file, &n, ERR(f));
                                struct new_blocks_args args = {.file = n,
                                                               .session = session,
                                                               .client_name = "mount",
                                                               .client_ip = "127.0.0.1",
                                                               .lengths = &bytes,
                                                               .count = 1};
                                rc = rc ? rc : file_new_blocks(o, &args, &made, ERR(f));
                                if (!rc)
                                    b = *made->block;
                                rc;
                            })),
                     0);
    b.length_bytes = bytes;
    return b;
}

static bool says(const struct buf *answer, const char *text)
{
    return memmem(answer->base, answer->len, text, strlen(text)) != NULL;
}

static void test_an_edit_is_done_once(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    struct edit_call c;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5);
    struct file_block hole = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, 100, BLOCK_COMPLETE};
    edit_call_init(&c, open_session(f), file, &hole);
    one_call(f, 3, "edit", &c.request.base, &first);
    assert_int_equal(look(f, "/x").length, 105);
    fixture_reopen(f);
    nodes_up(f);
    one_call(f, 3, "edit", &c.request.base, &again);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.base, again.base, first.len);
    assert_int_equal(look(f, "/x").length, 105);
    one_call(f, 4, "edit", &c.request.base, &again); /* another call is another edit */
    assert_int_equal(look(f, "/x").length, 205);
}

static void test_an_end_over_the_wire(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    struct edit_call c;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5);
    struct file_block hole = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, 100, BLOCK_COMPLETE};
    edit_call_init(&c, open_session(f), file, &hole);
    c.span.has_at_end = c.span.at_end = 1; /* its index is 0 */
    one_call(f, 3, "edit", &c.request.base, &answer);
    assert_true(says(&answer, "ESTALE"));
    assert_int_equal(look(f, "/x").length, 5);
}

static void test_new_blocks_are_like_as_many_others_or_none(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    Cairn__NewBlocksRequestProto q = CAIRN__NEW_BLOCKS_REQUEST_PROTO__INIT;
    uint64_t lengths[] = {10, 20}, like[3] = {0};
    nodes_up(f);
    q.session = open_session(f);
    q.id = file_of(f, "/x", 5);
    q.client_name = "mount";
    q.length = lengths;
    q.n_length = 2;
    q.like = like;
    q.n_like = 3;
    one_call(f, 3, "newBlocks", &q.base, &answer);
    assert_true(says(&answer, "2 new blocks like 3 others"));
}

struct waiting {
    struct fixture *f;
    struct edit_call call;
    struct buf answer;
    _Atomic bool is_answered;
};

static void *edit_and_wait(void *arg)
{
    struct waiting *w = arg;
    one_call(w->f, 5, "edit", &w->call.request.base, &w->answer);
    w->is_answered = true;
    return NULL;
}

/* Calls, and what happens meanwhile: it happens when the call is parked. */
static void edit_while(struct fixture *f, struct waiting *w, void (*happens)(struct fixture *f, void *arg), void *arg)
{
    pthread_t thread;
    bool waits = false;
    w->is_answered = false;
    assert_int_equal(pthread_create(&thread, NULL, edit_and_wait, w), 0);
    while (!waits && !w->is_answered) {
        namenode_lock(&f->nn);
        waits = park_any(&f->nn);
        if (waits)
            happens(f, arg);
        namenode_unlock(&f->nn);
        sched_yield();
    }
    pthread_join(thread, NULL);
    assert_true(waits);
    assert_false(park_any(&f->nn));
}

/* No datanode has as much of it as the mount will say. */
static struct file_block short_block(struct fixture *f, uint64_t session, uint64_t file, uint64_t bytes)
{
    struct file_block b = new_block(f, session, file, bytes);
    for (int i = 0; i < NODES; i++)
        received(f, i, b.id, b.stamp, bytes - 1);
    return b;
}

static void a_datanode_reports(struct fixture *f, void *arg)
{
    const struct file_block *b = arg;
    received(f, 1, b->id, b->stamp, b->length_bytes);
}
static void the_time_is_over(struct fixture *f, void *arg)
{
    (void)arg;
    park_expire(&f->nn, UINT64_MAX);
}
static void the_file_changes(struct fixture *f, void *arg)
{
    struct file_block *b = arg;
    bool deleted = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/x", false, &deleted, ERR(f))), 0);
    received(f, 1, b->id, b->stamp, b->length_bytes);
}

static void test_an_edit_waits_for_datanodes(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5), session = open_session(f);
    struct file_block b = short_block(f, session, file, 50);
    struct waiting w = {.f = f};
    edit_call_init(&w.call, session, file, &b);
    edit_while(f, &w, the_time_is_over, NULL);
    assert_true(says(&w.answer, "NotReplicatedYetException"));
    assert_int_equal(look(f, "/x").length, 5);
    edit_while(f, &w, a_datanode_reports, &b);
    assert_false(says(&w.answer, "Exception"));
    assert_int_equal(look(f, "/x").length, 55);
    /* The file goes while the edit waits. */
    b = short_block(f, session, file, 60);
    edit_call_init(&w.call, session, file, &b);
    edit_while(f, &w, the_file_changes, &b);
    assert_true(says(&w.answer, "ESTALE"));
    buf_free(&w.answer);
}

static void test_who_may(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    struct edit_call c;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5), session = open_session(f);
    struct file_block b = new_block(f, session, file, 50);
    edit_call_init(&c, session + 1, file, &b); /* no such session */
    one_call(f, 3, "edit", &c.request.base, &answer);
    assert_true(says(&answer, "ESTALE"));
    uint64_t other = open_session(f);
    edit_call_init(&c, other, file, &b); /* another one's block */
    one_call(f, 4, "edit", &c.request.base, &answer);
    assert_true(says(&answer, "ReplicaNotFoundException"));
    Cairn__DropBlocksRequestProto drop = CAIRN__DROP_BLOCKS_REQUEST_PROTO__INIT;
    drop.session = other;
    drop.n_block_id = 1;
    drop.block_id = &b.id;
    one_call(f, 5, "dropBlocks", &drop.base, &answer);
    assert_non_null(detached_find(f->nn.detached, b.id));
    drop.session = session;
    one_call(f, 6, "dropBlocks", &drop.base, &answer);
    assert_null(detached_find(f->nn.detached, b.id));
    edit_call_init(&c, session, INODE_ROOT, &b);
    one_call(f, 7, "edit", &c.request.base, &answer);
    assert_true(says(&answer, "EINVAL"));
    assert_int_equal(look(f, "/x").length, 5);
}

static void make(struct fixture *f, int32_t id, const char *name, uint64_t session, uint64_t *dropped,
                 struct buf *answer)
{
    Cairn__MakeNodeRequestProto q = CAIRN__MAKE_NODE_REQUEST_PROTO__INIT;
    q.parent = INODE_ROOT;
    q.name = (ProtobufCBinaryData){strlen(name), (uint8_t *)(uintptr_t)name};
    q.mode = 0100644;
    q.owner = q.group = (char *)"root";
    q.has_session = q.has_block_length = 1;
    q.session = session;
    q.block_length = 1 << 10;
    q.block_client = (char *)"mount";
    q.n_drop_block_id = dropped ? 1 : 0;
    q.drop_block_id = dropped;
    one_call(f, id, "makeNode", &q.base, answer);
}

static void test_a_file_is_made_with_a_block(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    uint64_t session = open_session(f), other = open_session(f);
    make(f, 3, "alone", session, NULL, &answer); /* there are no datanodes yet */
    assert_false(says(&answer, "Exception"));
    assert_true(look(f, "/alone").exists);
    assert_int_equal(detached_count(f->nn.detached, session), 0);
    nodes_up(f);
    make(f, 4, "given", session, NULL, &answer);
    assert_false(says(&answer, "Exception"));
    assert_int_equal(detached_count(f->nn.detached, session), 1);
    uint64_t id = f->nn.dir->counters.next_block - 1;
    const struct detached_block *d = detached_find(f->nn.detached, id);
    assert_int_equal(d->room_bytes, 1 << 10);
    assert_int_equal(look(f, "/given").length, 0);
    struct edit_call c;
    struct file_block b = {id, d->stamp, 50, BLOCK_COMPLETE};
    received(f, 0, id, d->stamp, 50);
    edit_call_init(&c, session, look(f, "/given").id, &b);
    one_call(f, 5, "edit", &c.request.base, &answer);
    assert_int_equal(look(f, "/given").length, 50);
    make(f, 6, "second", session, NULL, &answer);
    id = f->nn.dir->counters.next_block - 1;
    make(f, 7, "third", other, &id, &answer); /* not its own */
    assert_non_null(detached_find(f->nn.detached, id));
    make(f, 8, "third", session, &id, &answer); /* which fails, and it is dropped all the same */
    assert_true(says(&answer, "Exception"));
    assert_null(detached_find(f->nn.detached, id));
}

/* Its number is the next file's. */
static void test_what_was_not_made_is_not_open(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    Cairn__MakeNodeRequestProto request = CAIRN__MAKE_NODE_REQUEST_PROTO__INIT;
    Cairn__HandlesProto handles = CAIRN__HANDLES_PROTO__INIT;
    nodes_up(f);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->root, "/d", 1, QUOTA_LEAVE, 0, ERR(f))), 0);
    request.parent = look(f, "/d").id;
    request.name = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "x"};
    request.mode = 0100644;
    request.owner = request.group = (char *)"ann";
    request.session = open_session(f);
    request.has_session = handles.has_opened = 1;
    request.handles = &handles;
    handles.opened = 1;
    one_call(f, 3, "makeNode", &request.base, &answer);
    assert_true(says(&answer, "QuotaExceeded"));
    assert_int_equal(opens_count(f->nn.dir->opens), 0);
    request.parent = INODE_ROOT;
    one_call(f, 4, "makeNode", &request.base, &answer);
    assert_int_equal(opens_count(f->nn.dir->opens), 1);
}

/* Programs write to files that they have removed already. */
static void test_a_file_without_a_name_is_edited_too(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf answer = {0};
    struct edit_call c;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5), session = open_session(f);
    Cairn__UnlinkRequestProto unlink = CAIRN__UNLINK_REQUEST_PROTO__INIT;
    unlink.parent = INODE_ROOT;
    unlink.name = (ProtobufCBinaryData){1, (uint8_t *)(uintptr_t) "x"};
    unlink.has_hold = unlink.hold = unlink.has_session = 1;
    unlink.session = session;
    one_call(f, 3, "unlink", &unlink.base, &answer);
    assert_false(look(f, "/x").exists);
    struct file_block b = new_block(f, session, file, 50);
    received(f, 0, b.id, b.stamp, 50);
    edit_call_init(&c, session, file, &b);
    one_call(f, 4, "edit", &c.request.base, &answer);
    assert_false(says(&answer, "Exception"));
    assert_int_equal(f->nn.dir->counters.blocks, 2);
    Cairn__ReleaseRequestProto release = CAIRN__RELEASE_REQUEST_PROTO__INIT;
    release.session = session;
    release.n_id = 1;
    release.id = &file;
    one_call(f, 5, "release", &release.base, &answer);
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.blocks, 0);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 0);
    one_call(f, 6, "edit", &c.request.base, &answer);
    assert_true(says(&answer, "ESTALE"));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {T(test_an_edit_is_done_once),
                                       T(test_an_edit_waits_for_datanodes),
                                       T(test_who_may),
                                       T(test_a_file_is_made_with_a_block),
                                       T(test_what_was_not_made_is_not_open),
                                       T(test_a_file_without_a_name_is_edited_too),
                                       T(test_an_end_over_the_wire),
                                       T(test_new_blocks_are_like_as_many_others_or_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
