/* Acknowledgements: order, whose status stands where, and what is said when a node fails. */
#include "tests/unit/check.h"

#include "datanode/serve/pipeline_ack.h"

static struct ack_queue queue;
static struct ack_out out;

static int teardown(void **state)
{
    ack_queue_free(&queue);
    return 0;
}

static void push(int64_t seqno, uint64_t end_offset, bool last)
{
    assert_int_equal(ack_queue_push(&queue, &(struct pending_ack){seqno, end_offset, last}, NULL), 0);
}

static Hdfs__PipelineAckProto ack_of(int64_t seqno, Hdfs__Status *replies, size_t count)
{
    Hdfs__PipelineAckProto ack = HDFS__PIPELINE_ACK_PROTO__INIT;
    ack.seqno = seqno;
    ack.reply = replies;
    ack.n_reply = count;
    return ack;
}

static void the_last_node_says_only_its_own(void **state)
{
    struct pending_ack done;
    push(5, 512, false);
    ack_queue_pop_own(&queue, &done, &out);
    assert_int_equal(done.end_offset, 512);
    assert_int_equal(out.seqno, 5);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.replies[0], HDFS__STATUS__SUCCESS);
    assert_null(ack_queue_first(&queue));
}

static void own_status_stands_before_those_downstream(void **state)
{
    Hdfs__Status replies[] = {HDFS__STATUS__SUCCESS, HDFS__STATUS__SUCCESS};
    struct pending_ack done;
    bool failed = true;
    push(0, 512, false);
    push(1, 1024, true);
    for (int64_t seqno = 0; seqno < 2; seqno++) {
        Hdfs__PipelineAckProto ack = ack_of(seqno, replies, 2);
        assert_int_equal(ack_queue_downstream(&queue, &ack, &done, &out, &failed, NULL), 0);
        assert_false(failed);
        assert_int_equal(out.seqno, seqno);
        assert_int_equal(out.count, 3);
        assert_int_equal(done.last, seqno == 1);
    }
}

static void a_failure_downstream_is_passed_on_in_its_place(void **state)
{
    Hdfs__Status replies[] = {HDFS__STATUS__SUCCESS, HDFS__STATUS__ERROR_CHECKSUM};
    Hdfs__PipelineAckProto ack = ack_of(0, replies, 2);
    struct pending_ack done;
    bool failed = false;
    push(0, 512, false);
    assert_int_equal(ack_queue_downstream(&queue, &ack, &done, &out, &failed, NULL), 0);
    assert_true(failed);
    assert_int_equal(out.replies[0], HDFS__STATUS__SUCCESS);
    assert_int_equal(out.replies[2], HDFS__STATUS__ERROR_CHECKSUM);
}

static void flags_are_believed_before_replies(void **state)
{
    Hdfs__Status replies[] = {HDFS__STATUS__SUCCESS};
    uint32_t flags[] = {HDFS__STATUS__ERROR | 1 << 5}; /* congestion bits are none of ours */
    Hdfs__PipelineAckProto ack = ack_of(0, replies, 1);
    ack.flag = flags;
    ack.n_flag = 1;
    struct pending_ack done;
    bool failed = false;
    push(0, 512, false);
    assert_int_equal(ack_queue_downstream(&queue, &ack, &done, &out, &failed, NULL), 0);
    assert_true(failed);
    assert_int_equal(out.replies[1], HDFS__STATUS__ERROR);
}

static void an_answer_about_another_packet_is_refused(void **state)
{
    Hdfs__Status replies[] = {HDFS__STATUS__SUCCESS};
    Hdfs__PipelineAckProto ack = ack_of(8, replies, 1), empty = ack_of(7, replies, 0);
    struct pending_ack done;
    bool failed;
    assert_int_equal(ack_queue_downstream(&queue, &ack, &done, &out, &failed, NULL), ERR_PROTOCOL);
    push(7, 512, false);
    assert_int_equal(ack_queue_downstream(&queue, &ack, &done, &out, &failed, NULL), ERR_PROTOCOL);
    assert_int_equal(ack_queue_downstream(&queue, &empty, &done, &out, &failed, NULL), ERR_PROTOCOL);
    assert_int_equal(ack_queue_first(&queue)->seqno, 7);
}

static void a_failure_is_told_with_the_oldest_packet(void **state)
{
    push(3, 512, false);
    push(4, 1024, false);
    ack_queue_fail(&queue, HDFS__STATUS__SUCCESS, true, 4, &out); /* the node behind us is lost */
    assert_int_equal(out.seqno, 3);
    assert_int_equal(out.count, 2);
    assert_int_equal(out.replies[0], HDFS__STATUS__SUCCESS);
    assert_int_equal(out.replies[1], HDFS__STATUS__ERROR);
    ack_queue_fail(&queue, HDFS__STATUS__ERROR, true, 4, &out); /* we are */
    assert_int_equal(out.replies[0], HDFS__STATUS__ERROR);
    assert_int_equal(out.replies[1], HDFS__STATUS__SUCCESS);
    ack_queue_free(&queue);
    ack_queue_fail(&queue, HDFS__STATUS__ERROR_CHECKSUM, false, 9, &out);
    assert_int_equal(out.seqno, 9);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.replies[0], HDFS__STATUS__ERROR_CHECKSUM);
}

static void many_packets_may_wait_but_not_without_end(void **state)
{
    struct pending_ack done;
    for (int64_t i = 0; i < 100; i++) { /* the ring turns while it grows */
        push(i, 0, false);
        if (i % 3 == 0)
            ack_queue_pop_own(&queue, &done, &out);
    }
    int64_t expected = done.seqno;
    while (ack_queue_first(&queue)) {
        ack_queue_pop_own(&queue, &done, &out);
        assert_int_equal(done.seqno, ++expected);
    }
    assert_int_equal(expected, 99);
    for (int64_t i = 0; i < PIPELINE_PENDING_MAX; i++)
        push(i, 0, false);
    assert_int_equal(ack_queue_push(&queue, &(struct pending_ack){0}, NULL), ERR_PROTOCOL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_last_node_says_only_its_own),
        TEST(own_status_stands_before_those_downstream),
        TEST(a_failure_downstream_is_passed_on_in_its_place),
        TEST(flags_are_believed_before_replies),
        TEST(an_answer_about_another_packet_is_refused),
        TEST(a_failure_is_told_with_the_oldest_packet),
        TEST(many_packets_may_wait_but_not_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
