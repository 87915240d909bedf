/* Where records of CSV end (RFC 4180, as others write it: LF, CRLF or CR end a record outside quotes; a quote inside a
 * field that does not begin with one is a letter like others). No memory of its own; any piece of the file may come at
 * a time. */
#ifndef CAIRN_SCHEDULER_ENGINE_CSV_SCAN_H
#define CAIRN_SCHEDULER_ENGINE_CSV_SCAN_H

#include <stdbool.h>

#include "common/buf.h"

enum csv_state { CSV_FIELD_BEGIN = 0, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN, CSV_CR_SEEN };
struct csv_scan {
    enum csv_state state; /* zeroed: at the beginning of a record */
    char separator;       /* 0: a comma */
};
/* How many of the bytes belong to the current record; *ret_ended: it ends there, and the next byte begins another. A CR
 * at the end waits for what follows it. */
size_t csv_scan(struct csv_scan *s, struct slice bytes, bool *ret_ended);

/* Appends the fields of one record (without its end) as TAB-separated text: quotes taken off; TAB, LF, CR and backslash
 * in fields become \t, \n, \r and \\. */
void csv_to_tabs(struct slice record, char separator, struct buf *to);

#endif
