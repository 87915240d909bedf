/* Group commit: many callers share one sync, and nobody syncs under the namenode's lock.
 *
 * LevelDB has hand-written log files (NNNNNN.log). leveldb_write without sync has put the record into the kernel with
 * write(2) when it returns: every record is flushed from LevelDB's own buffer. What is missing is fdatasync, and that
 * we do ourselves, in one thread: leveldb_write with sync would do it inside LevelDB's writer queue, and so make the
 * next writer, who holds the namenode's lock, wait for the disk. Where one client asks for one thing after another, the
 * thread that handled its call does it (journal_batch_ends).
 *
 * One round: take all who wait, open the folder's *.log that are new (and sync the folder, for a log's name has to
 * survive too), fdatasync each, answer all. The folder is listed only when inotify says that it changed. A log that
 * vanished between was turned into a table, which LevelDB syncs before it removes the log. Logs stay open until LevelDB
 * removes them.
 *
 * If a sync fails, nobody knows what is on the disk: the process stops with a message, unanswered clients try again. */
#ifndef CAIRN_NAMENODE_JOURNAL_JOURNAL_H
#define CAIRN_NAMENODE_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct journal;
struct store;

struct journal_stats {
    uint64_t syncs, mutations;
};

/* The store has to stay open until journal_stop. answering, if not NULL, is called by the journal's thread before and
 * after the done() calls of a round, so that their answers can go out together. */
int journal_start(struct store *store, void (*answering)(bool begins), struct journal **ret,
                  struct err *reterr) MUST_CHECK;
/* Syncs what is left and answers all who wait. Nobody may come any more. NULL is fine. */
void journal_stop(struct journal *j);

/* After a batch was written, under the namenode's lock: its number. */
uint64_t journal_written(struct journal *j);
uint64_t journal_latest(const struct journal *j); /* the number of the newest batch */

/* Calls done(arg) once batch `seq` and all before it are on the disk: at once if they are, else from the journal's
 * thread. done must not block. */
void journal_when_synced(struct journal *j, uint64_t seq, void (*done)(void *arg), void *arg);
void journal_wait(struct journal *j, uint64_t seq); /* blocks; not from a done() */

/* For threads that handle calls: around those that came together. If it was just one (alone), and it has to wait, and
 * nobody else has come for a while, and the disk is quick, then the sync and done() are this thread's to do when the
 * batch ends: to wake another thread for it would take a third of the time of both. */
void journal_batch_begins(struct journal *j, bool alone);
void journal_batch_ends(struct journal *j);
struct journal_stats journal_stats(const struct journal *j);

#endif
