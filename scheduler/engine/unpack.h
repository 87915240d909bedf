/* -cacheArchive: zip, jar, tar, with any compression, into a folder. */
#ifndef CAIRN_SCHEDULER_ENGINE_UNPACK_H
#define CAIRN_SCHEDULER_ENGINE_UNPACK_H

#include "common/err.h"

/* folder: exists, empty. Names and links that lead out of it are refused. */
int unpack_archive(const char *path, const char *folder, struct err *reterr) MUST_CHECK;

#endif
