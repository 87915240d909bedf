/* Hadoop's SequenceFile, versions 4 to 6, read and written: header, and records or compressed blocks of records,
 * between which the file's own sync marker stands now and then.
 *
 *   header: "SEQ" version, key class, value class (Text: vint length, bytes), compressed u8, in blocks u8, codec class
 * (from version 5, if compressed), metadata (from 6: count u32, pairs of Text), sync marker 16 bytes record: length u32
 * of key and value, length u32 of the key, key, value (compressed by itself, if so) sync:   -1 u32, sync marker block:
 * sync, vint count, four times vint length and as many bytes, compressed: key lengths (vints), keys, value lengths,
 * values
 *
 * Numbers are big endian. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_SEQUENCE_FILE_H
#define CAIRN_SCHEDULER_ENGINE_SEQUENCE_FILE_H

#include <stdbool.h>

#include "common/rd.h"
#include "scheduler/engine/byte_source.h"
#include "scheduler/engine/run_file.h"

#define SEQUENCE_SYNC_BYTES 16

/* ---- values ---- */
int64_t rd_java_vint(struct rd *r);
void wr_java_vint(struct buf *b, int64_t value);
void java_double_append(struct buf *to, double value); /* as Java's Double.toString */
/* Appends a serialized Writable as its toString() has it (BytesWritable: its bytes, or with hex as toString has them).
 * ERR_UNSUPPORTED: an unknown class; ERR_IO: it is cut short. */
int sequence_text(const char *class, struct slice bytes, bool hex, struct buf *to, struct err *reterr) MUST_CHECK;

/* ---- reading ---- */
struct sequence_reader;
/* at_start: the source is at the file's beginning; the header is read at once. Borrows name. */
int sequence_reader_new(struct byte_source at_start, const char *name, struct sequence_reader **ret,
                        struct err *reterr) MUST_CHECK;
void sequence_reader_free(struct sequence_reader *r); /* NULL is fine */
/* The source was moved to `offset`: goes on after the first sync marker from there on. */
int sequence_reader_sync(struct sequence_reader *r, int64_t offset, struct err *reterr) MUST_CHECK;
/* Serialized key and value, borrowed until the next call. Ends before the first sync marker at or after `end`
 * (INT64_MAX: at the end of the file). */
int sequence_reader_next(struct sequence_reader *r, int64_t end, struct record *ret, bool *ret_more,
                         struct err *reterr) MUST_CHECK;
const char *sequence_reader_class(const struct sequence_reader *r, bool key);

/* ---- writing: Text and Text ---- */
struct sequence_writer;
/* codec_class: NULL: as they are; else in blocks compressed by it, which codec_suffix must know. seed: the sync marker
 * is made of it. */
struct sequence_writer *sequence_writer_new(const char *codec_class, uint64_t seed);
void sequence_writer_add(struct sequence_writer *w, const struct record *r, struct buf *to); /* appends what is ready */
void sequence_writer_end(struct sequence_writer *w, struct buf *to);
void sequence_writer_free(struct sequence_writer *w);

#endif
