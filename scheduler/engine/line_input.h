/* The lines of one split of a text file, as Hadoop's LineRecordReader gives them:
 * - a line ends in LF, CRLF or CR; the last one may lack its end;
 * - a split [start, end) has the lines that begin in (start, end], the first split also the one that begins at 0. So
 *   every line of a file belongs to exactly one split, whatever the block size, even when it is longer than a block;
 * - a UTF-8 byte order mark at the beginning of the file is dropped.
 * Lines come out in chunks with LF as the only line end. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_LINE_INPUT_H
#define CAIRN_SCHEDULER_ENGINE_LINE_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "scheduler/engine/byte_source.h"

struct line_input;

/* source: positioned at `start`, where it must stay until line_input_free. length -1 = to the end of the source.
 * buffer_bytes: read size (0 => 1 MiB). */
struct line_input *line_input_new(struct byte_source source, int64_t start, int64_t length, size_t buffer_bytes);
void line_input_free(struct line_input *in);

/* The next bytes of the split's lines, LF-ended; a line may span chunks, the last chunk ends in LF. *ret_chunk.len 0 =
 * no more. Borrowed until the next call. */
int line_input_chunk(struct line_input *in, struct slice *ret_chunk, struct err *reterr) MUST_CHECK;
/* One line at a time, without its end, and where it begins in the file; *ret_more false = no more. Not to be mixed with
 * line_input_chunk. Lines over line_bytes_max: ERR_TOO_LARGE. */
#define LINE_BYTES_MAX (1u << 30)
int line_input_line(struct line_input *in, struct slice *ret_line, int64_t *ret_offset, bool *ret_more,
                    struct err *reterr) MUST_CHECK;
/* So far. */
int64_t line_input_count(const struct line_input *in);
int64_t line_input_bytes_read(const struct line_input *in);

size_t count_newlines(const uint8_t *bytes, size_t len);

#endif
