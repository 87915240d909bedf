/* The order of keys. Everything below compares bytes; where a job wants another order (KeyFieldBasedComparator),
 * records travel with a key in front of theirs whose bytes have that order:
 *
 *   key:   sort key, key        value: value, length of the sort key (u32, big endian)
 *
 * Records that such an order takes for equal are ordered by the bytes of their keys, so equal keys stay together. */
#ifndef CAIRN_SCHEDULER_ENGINE_KEY_ORDER_H
#define CAIRN_SCHEDULER_ENGINE_KEY_ORDER_H

#include "cairn/scheduler.pb-c.h"
#include "scheduler/engine/key_fields.h"
#include "scheduler/engine/run_file.h"

struct key_order {
    bool by_fields; /* false: keys are as they are */
    struct key_fields fields;
    struct buf key, value; /* of the last record encoded */
};
/* mapreduce.job.output.key.comparator.class and mapreduce.partition.keycomparator.options. ERR_CONFIG, ERR_UNSUPPORTED.
 */
int key_order_open(const Cairn__JobSpecProto *job, struct key_order *ret, struct err *reterr) MUST_CHECK;
void key_order_close(struct key_order *o);
/* Borrowed from o until the next one. */
struct record key_order_encode(struct key_order *o, const struct record *r);
/* Of a record that was encoded; ERR_CHECKSUM if it was not. */
int key_order_decode(const struct key_order *o, struct record *r, struct err *reterr) MUST_CHECK;

/* Appends bytes that order as the part does, none of which begins another: for tests too. */
void sort_key_append(struct buf *to, struct slice part, bool numeric, bool reverse);

#endif
