/* Files that fit into one packet: their block goes to all datanodes at once, and what can happen to any of them. */
#include "tests/unit/client/lib/file_checks.h"

#define SHORT_BYTES 5000

static uint8_t *short_bytes;

static void write_short(struct dfs *fs, size_t len)
{
    struct file_writer *w = create(fs);
    expect_write(w, short_bytes, len);
    expect_close(w);
}

static int setups(const struct fake_cluster *c)
{
    int count = 0;
    for (int i = 0; i < FAKE_NODES; i++)
        count += c->nodes[i].setups;
    return count;
}

/* Written whatever happens, with so many replicas; *ret_abandoned blocks on the way. */
static void expect_survival(struct fake_cluster *c, int replicas, int abandoned)
{
    struct dfs *fs = fake_connect(c);
    write_short(fs, SHORT_BYTES);
    expect_replicas(c, replicas);
    expect_content(fs, short_bytes, SHORT_BYTES);
    assert_int_equal(c->abandoned, abandoned);
    dfs_unref(fs);
    fake_stop(c);
}

static void each_datanode_has_a_pipeline_of_its_own(void **state)
{
    const size_t lengths[] = {1, 511, 512, 513, SHORT_BYTES, 50000};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        struct dfs *fs = fake_connect(c);
        write_short(fs, lengths[i]);
        assert_int_equal(setups(c), 3);
        for (int n = 0; n < 3; n++)
            assert_int_equal(c->nodes[n].setups, 1);
        assert_int_equal(c->block_count, 1);
        expect_replicas(c, 3);
        expect_content(fs, short_bytes, lengths[i]);
        dfs_unref(fs);
        fake_stop(c);
    }
}

static void longer_blocks_go_through_a_chain(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    write_short(fs, 70000);
    assert_int_equal(setups(c), 1);
    expect_replicas(c, 3);
    dfs_unref(fs);
    fake_stop(c);
}

/* Wherever exactly a packet is full. */
static void around_the_end_of_a_packet_nothing_is_lost(void **state)
{
    const size_t lengths[] = {4095, 4096, 4097, 4607, 4608, 4609, 5000, 8192, 9216, 9217};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        struct dfs *fs = fake_connect_with(c, "dfs.client-write-packet-size", "5000");
        write_short(fs, lengths[i]);
        int count = setups(c); /* more than 4096 bytes are one packet or two */
        assert_true(count == 3 || (count == 1 && lengths[i] > 4096));
        expect_replicas(c, 3);
        expect_content(fs, short_bytes, lengths[i]);
        dfs_unref(fs);
        fake_stop(c);
    }
}

static void so_do_all_where_it_is_turned_off(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect_with(c, "cairn.client.short.block.fan", "100");
    write_short(fs, 101);
    assert_int_equal(setups(c), 1);
    write_short(fs, 100);
    assert_int_equal(setups(c), 4);
    dfs_unref(fs);
    fake_stop(c);
}

static void what_was_flushed_does_too(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    struct file_writer *w = create(fs);
    expect_write(w, short_bytes, 100);
    assert_int_equal(file_writer_hflush(w, NULL), 0);
    expect_write(w, short_bytes + 100, SHORT_BYTES - 100);
    expect_close(w);
    assert_int_equal(setups(c), 1);
    expect_replicas(c, 3);
    expect_content(fs, short_bytes, SHORT_BYTES);
    dfs_unref(fs);
    fake_stop(c);
}

static void blocks_of_a_packet_each_follow_each_other(void **state)
{
    struct fake_cluster *c = fake_start(3, 4096);
    struct dfs *fs = fake_connect(c);
    struct file_create how = {.mode = 0644, .overwrite = true, .replication = 3, .block_bytes = 4096};
    struct file_writer *w;
    assert_int_equal(file_writer_create(fs, "/f", &how, &w, NULL), 0);
    expect_write(w, short_bytes, 3 * 4096 + 100);
    expect_close(w);
    assert_int_equal(c->block_count, 4);
    assert_int_equal(setups(c), 12);
    expect_replicas(c, 3);
    expect_content(fs, short_bytes, 3 * 4096 + 100);
    dfs_unref(fs);
    fake_stop(c);
}

static void a_node_may_die_at_any_packet(void **state)
{
    for (int victim = 0; victim < 3; victim++)
        for (int packet = 0; packet < 2; packet++) {
            struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
            c->nodes[victim].dies_at_packet = packet;
            expect_survival(c, 3, 1); /* the fourth node is taken instead */
        }
}

static void so_may_all_but_one(void **state)
{
    for (int survivor = 0; survivor < 3; survivor++)
        for (int packet = 0; packet < 2; packet++) {
            struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
            for (int i = 0; i < FAKE_NODES; i++)
                if (i == 3)
                    c->nodes[i].dead = true;
                else if (i != survivor)
                    c->nodes[i].dies_at_packet = packet;
            struct dfs *fs = fake_connect(c);
            write_short(fs, SHORT_BYTES);
            expect_replicas(c, 1);
            expect_content(fs, short_bytes, SHORT_BYTES);
            dfs_unref(fs);
            fake_stop(c);
        }
}

static void a_node_may_be_down_or_refuse(void **state)
{
    for (int victim = 0; victim < 3; victim++) {
        struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
        c->nodes[victim].dead = true;
        expect_survival(c, 3, 1);
        c = fake_start(3, BLOCK_BYTES);
        c->nodes[victim].refusals = 1;
        expect_survival(c, 3, 1);
        c = fake_start(3, BLOCK_BYTES);
        fake_close_door(&c->nodes[victim]);
        expect_survival(c, 3, 1);
    }
}

/* Those that failed are all seen at once, so one other block is enough. */
static void several_nodes_are_lost_at_a_time(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    fake_close_door(&c->nodes[0]);
    fake_close_door(&c->nodes[2]);
    expect_survival(c, 2, 1);
}

static void with_no_datanode_left_it_is_an_error(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    struct err e;
    for (int i = 0; i < FAKE_NODES; i++)
        c->nodes[i].dies_at_packet = 0;
    struct file_writer *w = create(fs);
    expect_write(w, short_bytes, SHORT_BYTES);
    assert_int_equal(file_writer_close(w, &e), ERR_IO);
    assert_false(c->complete);
    dfs_unref(fs);
    fake_stop(c);
}

static void false_answers_lose_nothing(void **state)
{
    for (enum fake_ack how = FAKE_ACK_WRONG_SEQNO; how <= FAKE_ACK_SILENCE; how++)
        for (int liar = 0; liar < 3; liar++) {
            struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
            c->nodes[liar].ack = how;
            expect_survival(c, 3, 1);
        }
}

static void a_silent_node_is_given_up(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    c->nodes[1].mute = true;
    expect_survival(c, 3, 1);
}

/* The three short files after the first one use connections of before, of which each node ends one at the worst time.
 */
static void connections_are_kept_and_may_be_stale(void **state)
{
    struct fake_cluster *c = fake_start(3, BLOCK_BYTES);
    struct dfs *fs = fake_connect(c);
    for (int i = 0; i < 4; i++) {
        write_short(fs, SHORT_BYTES);
        c->nodes[i % 3].hang_ups = 1;
    }
    assert_int_equal(c->nodes[0].hang_ups + c->nodes[1].hang_ups + c->nodes[2].hang_ups, 1); /* nobody came by */
    assert_int_equal(setups(c), 12);
    assert_int_equal(c->abandoned, 0);
    expect_replicas(c, 3);
    dfs_unref(fs);
    fake_stop(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_datanode_has_a_pipeline_of_its_own),
        cmocka_unit_test(longer_blocks_go_through_a_chain),
        cmocka_unit_test(around_the_end_of_a_packet_nothing_is_lost),
        cmocka_unit_test(so_do_all_where_it_is_turned_off),
        cmocka_unit_test(what_was_flushed_does_too),
        cmocka_unit_test(blocks_of_a_packet_each_follow_each_other),
        cmocka_unit_test(a_node_may_die_at_any_packet),
        cmocka_unit_test(so_may_all_but_one),
        cmocka_unit_test(a_node_may_be_down_or_refuse),
        cmocka_unit_test(several_nodes_are_lost_at_a_time),
        cmocka_unit_test(with_no_datanode_left_it_is_an_error),
        cmocka_unit_test(false_answers_lose_nothing),
        cmocka_unit_test(a_silent_node_is_given_up),
        cmocka_unit_test(connections_are_kept_and_may_be_stale),
    };
    short_bytes = pattern(100000);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(short_bytes);
    return failed;
}
