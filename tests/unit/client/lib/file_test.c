/* Writing and reading files against a cluster that fails on demand. */
#include "tests/unit/check.h"

#include "client/lib/lost_nodes.h"
#include "common/clock.h"
#include "tests/unit/client/lib/file_checks.h"

static void what_is_written_is_read(void **state)
{
    const size_t lengths[] = {
        0, 1, 511, 512, 513, 64512, 64513, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES, 1000001};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        struct dfs *fs = fake_connect(c);
        uint8_t *bytes = pattern(lengths[i]);
        struct file_writer *w = create(fs);
        for (size_t at = 0; at < lengths[i]; at += 7777)
            expect_write(w, bytes + at, lengths[i] - at < 7777 ? lengths[i] - at : 7777);
        assert_int_equal(file_writer_tell(w), lengths[i]);
        expect_close(w);
        expect_replicas(c, 3);
        expect_content(fs, bytes, lengths[i]);
        dfs_unref(fs);
        fake_stop(c);
        free(bytes);
    }
}

static void flushes_leave_whole_chunks(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(1000000);
    struct file_writer *w = create(fs);
    size_t at = 0;
    for (size_t step = 1; at + step < 600000; step = step * 3 / 2 + 1) {
        expect_write(w, bytes + at, step);
        at += step;
        assert_int_equal(step % 2 ? file_writer_hflush(w, NULL) : file_writer_hsync(w, NULL), 0);
        assert_int_equal(file_writer_hflush(w, NULL), 0);
        assert_int_equal(file_writer_hsync(w, NULL), 0);
        int64_t stored = 0;
        for (size_t i = 0; i < c->block_count; i++)
            stored += (int64_t)c->blocks[i].replicas[2].data.len;
        assert_int_equal(stored, at);
    }
    expect_close(w);
    expect_replicas(c, 3);
    assert_true(c->fsyncs > 0 && c->fsyncs <= (int)c->block_count);
    expect_content(fs, bytes, at);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

/* What hsync answered for is on the disks, whichever block it is in. */
static void hsync_covers_the_blocks_before(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(4 * BLOCK_BYTES);
    struct file_writer *w = create(fs);
    expect_write(w, bytes, 2 * BLOCK_BYTES + 100);
    assert_int_equal(file_writer_hflush(w, NULL), 0);
    assert_int_equal(c->syncs_asked, 0);
    assert_int_equal(file_writer_hsync(w, NULL), 0);
    assert_int_equal(c->syncs_asked, 2 * 3);
    expect_write(w, bytes, 10);
    assert_int_equal(file_writer_hsync(w, NULL), 0);
    assert_int_equal(c->syncs_asked, 2 * 3); /* once each */
    expect_write(w, bytes, BLOCK_BYTES - 110);
    assert_int_equal(file_writer_hsync(w, NULL), 0); /* just at the end of one */
    assert_int_equal(c->syncs_asked, 3 * 3);
    expect_write(w, bytes, BLOCK_BYTES);
    c->sync_fails = true;
    struct err e;
    assert_int_equal(file_writer_hsync(w, &e), ERR_IO);
    assert_non_null(strstr(e.text, "the disk is broken"));
    file_writer_abort(w);
    c->sync_fails = false;
    c->knows_no_sync = true; /* then it is as in HDFS */
    c->syncs_asked = 0;
    w = create(fs);
    expect_write(w, bytes, 2 * BLOCK_BYTES + 100);
    assert_int_equal(file_writer_hsync(w, NULL), 0);
    expect_write(w, bytes, BLOCK_BYTES);
    assert_int_equal(file_writer_hsync(w, NULL), 0);
    assert_int_equal(c->syncs_asked, 1);
    expect_close(w);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void appends_go_on_where_the_file_ended(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(1000000);
    expect_close(create(fs));
    const size_t steps[] = {1, 0, 10, 500, 1, 512, 100000, 1024 - 512, BLOCK_BYTES, 300000, 7};
    size_t at = 0;
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        struct file_writer *w;
        struct err e;
        if (file_writer_append(fs, "/f", false, &w, &e) < 0)
            fail_msg("append: %s", e.text);
        assert_int_equal(file_writer_tell(w), at);
        expect_write(w, bytes + at, steps[i] / 2);
        if (i % 2)
            assert_int_equal(file_writer_hflush(w, NULL), 0);
        expect_write(w, bytes + at + steps[i] / 2, steps[i] - steps[i] / 2);
        at += steps[i];
        expect_close(w);
        expect_replicas(c, 3);
        expect_content(fs, bytes, at);
    }
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

/* Kills node `victim` at its `packet`-th packet. */
static void lose_one(int victim, int packet, bool flush)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    const size_t len = 3 * BLOCK_BYTES + 1000;
    uint8_t *bytes = pattern(len);
    c->nodes[victim].dies_at_packet = packet;
    struct file_writer *w = create(fs);
    for (size_t at = 0; at < len; at += 10000) {
        expect_write(w, bytes + at, len - at < 10000 ? len - at : 10000);
        if (flush && at % 50000 == 0)
            assert_int_equal(file_writer_hflush(w, NULL), 0);
    }
    expect_close(w);
    assert_true(c->nodes[victim].dead);
    /* Flushed: the lost one is replaced at once, unless the block was done but for its end. */
    expect_replicas(c, flush && !c->nodes[victim].died_at_end ? 3 : 2);
    expect_content(fs, bytes, len);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void a_lost_datanode_is_not_noticed(void **state)
{
    for (int victim = 0; victim < 3; victim++)
        for (int packet = 0; packet < 14; packet++)
            lose_one(victim, packet, false);
}

static void a_lost_datanode_of_a_flushed_file_is_replaced(void **state)
{
    for (int victim = 0; victim < 3; victim++)
        for (int packet = 1; packet < 20; packet += 3)
            lose_one(victim, packet, true);
}

static void all_but_one_may_be_lost(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(2 * BLOCK_BYTES);
    c->nodes[0].dies_at_packet = 2;
    c->nodes[2].dies_at_packet = 4;
    c->nodes[3].dead = true;
    struct file_writer *w = create(fs);
    expect_write(w, bytes, 2 * BLOCK_BYTES);
    expect_close(w);
    expect_replicas(c, 1);
    expect_content(fs, bytes, 2 * BLOCK_BYTES);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void with_no_datanode_left_the_error_names_them(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(2 * BLOCK_BYTES);
    for (int i = 0; i < FAKE_NODES; i++)
        c->nodes[i].dies_at_packet = 2;
    struct file_writer *w = create(fs);
    struct err e, again;
    int rc = file_writer_write(w, bytes, 2 * BLOCK_BYTES, &e);
    assert_int_equal(rc, ERR_IO);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%u", c->nodes[1].port);
    assert_non_null(strstr(e.text, address));
    assert_int_equal(file_writer_hflush(w, &again), rc);
    assert_string_equal(again.text, e.text);
    assert_int_equal(file_writer_close(w, &again), rc);
    assert_false(c->complete);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void a_node_that_is_down_at_the_start_is_avoided(void **state)
{
    for (int i = 0; i < 6; i++) {
        int victim = i % 3;
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        struct dfs *fs = fake_connect(c);
        uint8_t *bytes = pattern(3 * BLOCK_BYTES);
        c->nodes[victim].dead = true;
        c->links_by_name = i >= 3;
        struct file_writer *w = create(fs);
        expect_write(w, bytes, 3 * BLOCK_BYTES);
        expect_close(w);
        assert_int_equal(c->abandoned, 1); /* once for the file, not once per block */
        expect_replicas(c, 3);
        expect_content(fs, bytes, 3 * BLOCK_BYTES);
        dfs_unref(fs);
        fake_stop(c);
        free(bytes);
    }
}

/* In a small cluster that is being started again, there is nobody else to go to. */
static void nodes_that_are_just_being_started_are_waited_for(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(BLOCK_BYTES);
    for (int i = 0; i < FAKE_NODES; i++)
        c->nodes[i].refusals = 2;
    struct file_writer *w = create(fs);
    expect_write(w, bytes, BLOCK_BYTES);
    expect_close(w);
    assert_true(c->abandoned > FAKE_NODES);
    expect_content(fs, bytes, BLOCK_BYTES);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static int heartbeats_of(const struct fake_cluster *c)
{
    int sum = 0;
    for (int i = 0; i < FAKE_NODES; i++)
        sum += c->nodes[i].heartbeats;
    return sum;
}

/* A datanode waits no longer for a writer than dfs.client.socket-timeout says, which is 2 s here. */
static void an_idle_writer_is_heard_of_in_time(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(2000);
    struct file_writer *w = create(fs);
    expect_write(w, bytes, 1000);
    assert_int_equal(file_writer_hflush(w, NULL), 0);
    for (int64_t until = clock_mono_ms() + 20000; heartbeats_of(c) < 2 && clock_mono_ms() < until;)
        clock_sleep_ms(10);
    assert_true(heartbeats_of(c) >= 2);
    expect_write(w, bytes + 1000, 1000);
    expect_close(w);
    expect_content(fs, bytes, 2000);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void lost_nodes_are_kept_for_a_while_and_once(void **state)
{
    struct lost_nodes l = {0};
    struct dfs_datanode a = {.uuid = "a", .ip = "127.0.0.1", .host_name = "a", .rack = "/r"}, b = a;
    b.uuid = "b";
    lost_nodes_add(&l, &a);
    lost_nodes_add(&l, &b);
    lost_nodes_add(&l, &a);
    assert_int_equal(l.count, 2);
    lost_nodes_keep(&l, clock_mono_ms() - 10000);
    assert_int_equal(l.count, 2);
    l.since_ms[0] -= 10000;
    lost_nodes_keep(&l, clock_mono_ms() - 5000);
    assert_int_equal(l.count, 1);
    assert_string_equal(l.nodes[0].uuid, "a"); /* it was lost again, after b */
    lost_nodes_keep(&l, clock_mono_ms() + 1);
    assert_int_equal(l.count, 0);
    lost_nodes_add(&l, &b);
    assert_int_equal(l.count, 1);
    lost_nodes_clear(&l);
}

static void the_namenode_may_be_slow_to_agree(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    uint8_t *bytes = pattern(2 * BLOCK_BYTES);
    c->not_yet = 3;
    c->false_completes = 4;
    struct file_writer *w = create(fs);
    expect_write(w, bytes, 2 * BLOCK_BYTES);
    expect_close(w);
    expect_replicas(c, 3);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void false_acknowledgements_lose_nothing(void **state)
{
    for (enum fake_ack how = FAKE_ACK_WRONG_SEQNO; how <= FAKE_ACK_SILENCE; how++) {
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        struct dfs *fs = fake_connect(c);
        uint8_t *bytes = pattern(2 * BLOCK_BYTES);
        struct file_writer *w = create(fs);
        expect_write(w, bytes, BLOCK_BYTES / 2);
        assert_int_equal(file_writer_hflush(w, NULL), 0);
        c->nodes[0].ack = how;
        expect_write(w, bytes + BLOCK_BYTES / 2, BLOCK_BYTES * 3 / 2);
        expect_close(w);
        assert_true(c->updates > 0);
        expect_replicas(c, 2);
        expect_content(fs, bytes, 2 * BLOCK_BYTES);
        dfs_unref(fs);
        fake_stop(c);
        free(bytes);
    }
}

static struct fake_cluster *with_file(struct dfs **ret_fs, const uint8_t *bytes, size_t len)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    *ret_fs = fake_connect(c);
    struct file_writer *w = create(*ret_fs);
    expect_write(w, bytes, len);
    expect_close(w);
    return c;
}

static void readers_go_on_with_another_replica(void **state)
{
    const size_t len = 2 * BLOCK_BYTES + 5000;
    uint8_t *bytes = pattern(len);
    const enum fake_lie lies[] = {FAKE_FLIPPED_BYTE, FAKE_CUT_SHORT, FAKE_WRONG_SEQNO,
                                  FAKE_HUGE_PACKET,  FAKE_REFUSES,   FAKE_NO_DATA};
    for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
        struct dfs *fs;
        struct fake_cluster *c = with_file(&fs, bytes, len);
        c->nodes[0].lie = c->nodes[1].lie = lies[i];
        expect_content(fs, bytes, len);
        assert_true(c->nodes[0].reads > 0);
        assert_int_equal(c->bad_reports > 0, lies[i] == FAKE_FLIPPED_BYTE);
        if (lies[i] == FAKE_FLIPPED_BYTE)
            assert_in_range(c->bad_node, 0, 1);
        dfs_unref(fs);
        fake_stop(c);
    }
    free(bytes);
}

static void a_node_that_failed_once_is_avoided(void **state)
{
    const size_t len = 2 * BLOCK_BYTES;
    uint8_t *bytes = pattern(len), *got = mem_alloc(len);
    struct dfs *fs;
    struct fake_cluster *c = with_file(&fs, bytes, len);
    struct file_reader *r;
    size_t n;
    c->nodes[0].lie = FAKE_REFUSES;
    assert_int_equal(file_reader_open(fs, "/f", &r, NULL), 0);
    for (int i = 0; i < 10; i++)
        assert_int_equal(file_reader_pread(r, got, 1000, i * 5000, &n, NULL), 0);
    assert_int_equal(c->nodes[0].reads, 1);
    struct file_reader_stats s;
    file_reader_stats(r, &s);
    assert_int_equal(s.replica_failovers, 1);
    assert_int_equal(s.bytes_read, 10000);
    file_reader_close(r);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
    free(got);
}

static void when_all_replicas_are_bad_the_error_says_so(void **state)
{
    uint8_t *bytes = pattern(5000), got[5000];
    struct dfs *fs;
    struct fake_cluster *c = with_file(&fs, bytes, 5000);
    for (int i = 0; i < FAKE_NODES; i++)
        c->nodes[i].lie = FAKE_FLIPPED_BYTE;
    struct file_reader *r;
    struct err e;
    size_t n;
    assert_int_equal(file_reader_open(fs, "/f", &r, NULL), 0);
    assert_int_equal(file_reader_pread(r, got, sizeof got, 0, &n, &e), ERR_CHECKSUM);
    assert_non_null(strstr(e.text, "/f"));
    file_reader_close(r);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

/* By another client, which keeps the file: whoever asks again gets on. */
static void blocks_that_were_replaced_are_told_apart_from_lost_ones(void **state)
{
    uint8_t *bytes = pattern(5000), got[5000];
    struct dfs *fs;
    struct fake_cluster *c = with_file(&fs, bytes, 5000);
    struct file_reader *r;
    struct err e;
    size_t n;
    assert_int_equal(file_reader_open(fs, "/f", &r, NULL), 0);
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < FAKE_BLOCKS; i++)
        c->blocks[i].id += c->blocks[i].in_file ? 1000 : 0;
    pthread_mutex_unlock(&c->lock);
    assert_int_equal(file_reader_pread(r, got, sizeof got, 0, &n, &e), ERR_STALE);
    assert_non_null(strstr(e.text, "/f"));
    file_reader_close(r);
    expect_content(fs, bytes, 5000);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
}

static void any_place_can_be_read(void **state)
{
    const size_t len = 3 * BLOCK_BYTES + 777;
    uint8_t *bytes = pattern(len), *got = mem_alloc(len);
    struct dfs *fs;
    struct fake_cluster *c = with_file(&fs, bytes, len);
    struct file_reader *r;
    assert_int_equal(file_reader_open(fs, "/f", &r, NULL), 0);
    unsigned seed = 1;
    for (int i = 0; i < 500; i++) {
        int64_t offset = rand_r(&seed) % (int64_t)(len + 1);
        size_t want = (size_t)rand_r(&seed) % (i % 5 ? 3000 : len), n, left = len - (size_t)offset;
        size_t due = want < left ? want : left;
        assert_int_equal(file_reader_pread(r, got, want, offset, &n, NULL), 0);
        assert_int_equal(n, due);
        assert_memory_equal(got, bytes + offset, n);
        memset(got, 0, due);
        assert_int_equal(file_reader_seek(r, offset, NULL), 0);
        assert_int_equal(file_reader_read(r, got, want, &n, NULL), 0);
        assert_int_equal(n, due);
        assert_memory_equal(got, bytes + offset, n);
        assert_int_equal(file_reader_tell(r), offset + (int64_t)n);
    }
    assert_int_equal(file_reader_seek(r, (int64_t)len + 1, NULL), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(file_reader_seek(r, -1, NULL), ERR_ILLEGAL_ARGUMENT);
    file_reader_close(r);
    dfs_unref(fs);
    fake_stop(c);
    free(bytes);
    free(got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(flushes_leave_whole_chunks),
        cmocka_unit_test(hsync_covers_the_blocks_before),
        cmocka_unit_test(appends_go_on_where_the_file_ended),
        cmocka_unit_test(a_lost_datanode_is_not_noticed),
        cmocka_unit_test(a_lost_datanode_of_a_flushed_file_is_replaced),
        cmocka_unit_test(all_but_one_may_be_lost),
        cmocka_unit_test(with_no_datanode_left_the_error_names_them),
        cmocka_unit_test(a_node_that_is_down_at_the_start_is_avoided),
        cmocka_unit_test(nodes_that_are_just_being_started_are_waited_for),
        cmocka_unit_test(an_idle_writer_is_heard_of_in_time),
        cmocka_unit_test(lost_nodes_are_kept_for_a_while_and_once),
        cmocka_unit_test(the_namenode_may_be_slow_to_agree),
        cmocka_unit_test(false_acknowledgements_lose_nothing),
        cmocka_unit_test(readers_go_on_with_another_replica),
        cmocka_unit_test(a_node_that_failed_once_is_avoided),
        cmocka_unit_test(when_all_replicas_are_bad_the_error_says_so),
        cmocka_unit_test(blocks_that_were_replaced_are_told_apart_from_lost_ones),
        cmocka_unit_test(any_place_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
