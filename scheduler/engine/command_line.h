/* A streaming command as typed: words separated by blanks, '...' and "..." keep blanks together, no shell. */
#ifndef CAIRN_SCHEDULER_ENGINE_COMMAND_LINE_H
#define CAIRN_SCHEDULER_ENGINE_COMMAND_LINE_H

#include "common/arena.h"
#include "common/err.h"

/* NULL-terminated words in the arena. ERR_ILLEGAL_ARGUMENT: nothing there, or a quote without its end. */
int command_split(const char *text, struct arena *a, char ***ret_words, struct err *reterr) MUST_CHECK;
/* What to execute for words[0]: as it is when absolute; else the file in the working directory (made executable), else
 * the one on PATH. ERR_NOT_FOUND names the command. */
int command_find(const char *word, struct arena *a, const char **ret_path, struct err *reterr) MUST_CHECK;

#endif
