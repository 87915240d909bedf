/* One of LevelDB's logs, as the journal sees it: a file that someone else appends to, and that has to be on the disk.
 *
 * Its length is reserved when it is found, and zeros are written ahead of what LevelDB appends, step by step. Then a
 * sync finds blocks that the disk has already: it writes the records, but neither the file's length nor that blocks,
 * reserved and never written, are in use now, which costs as much as the records. */
#ifndef CAIRN_NAMENODE_JOURNAL_LOG_FILE_H
#define CAIRN_NAMENODE_JOURNAL_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "namenode/journal/store.h"

/* About what LevelDB writes to a log before it starts the next (its write buffer's size). It skips the zeros that are
 * left at the end. */
#define LOG_RESERVED_BYTES (8 << 20)
#define LOG_ZEROS_BYTES    (256 << 10) /* one step */

struct log_file {
    char name[32];
    int fd;
    int64_t zeroed; /* up to here every block was written once */
};

bool log_file_is_name(const char *name);
/* 0 or an errno. */
int log_file_open(struct log_file *log, int folder_fd, const char *name);
void log_file_close(struct log_file *log);

/* Makes the next step if LevelDB is near the end of the one before; `store` is not written meanwhile. Where this is not
 * possible, syncs are slower, no more. */
void log_file_zero_ahead(struct log_file *log, struct store *store);

#endif
