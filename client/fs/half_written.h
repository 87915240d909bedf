/* Files under a temporary name, which a signal that ends the command must not leave behind: Ctrl-C, `kill` and a closed
 * terminal remove them before the command dies of the signal; a second signal does not wait for that. */
#ifndef CAIRN_CLIENT_FS_HALF_WRITTEN_H
#define CAIRN_CLIENT_FS_HALF_WRITTEN_H

#include "client/fs/shell_fs.h"

struct half_written {
    struct shell_fs *fs;
    const char *path; /* borrowed from begin to end */
    struct half_written *next;
};

/* From before the file is made until it has another name or is gone. Any thread. */
void half_written_begin(struct shell *sh, struct half_written *h);
void half_written_end(struct half_written *h);

#endif
