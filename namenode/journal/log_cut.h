/* After a loss of power the end of a log that was not synced yet may have any of its pages and lack others before them.
 * LevelDB drops what is damaged and goes on behind it, at the next 32 KiB: a change would be there without those before
 * it, that made the directory it is in, say. So the namenode cuts its logs where the damage begins, before LevelDB
 * reads them. What follows was acknowledged to nobody, unless the disk has lost what was synced to it: each log that is
 * cut is kept, too. */
#ifndef CAIRN_NAMENODE_JOURNAL_LOG_CUT_H
#define CAIRN_NAMENODE_JOURNAL_LOG_CUT_H

#include "common/err.h"

#define LOG_CUT_SUFFIX ".cut" /* what LevelDB does not know it leaves alone */

/* Of the store in this folder (which may be missing), that nobody has open. */
int logs_cut(const char *folder, struct err *reterr) MUST_CHECK;

#endif
