/* A terminal obeys what is written to it, and names come from whoever made the files: of text that goes to one, control
 * characters are shown as "?". What goes to a file or a pipe stays as it is. */
#ifndef CAIRN_COMMON_TERMINAL_H
#define CAIRN_COMMON_TERMINAL_H

#include <stdio.h>

/* &stdout or &stderr, before anything is written; nothing changes unless it is a terminal. */
void terminal_guard(FILE **stream);
/* The same for text that is written past it. */
void terminal_text(char *text);

#endif
