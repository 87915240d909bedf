/* `cairn mount`'s command line, and mount(8)'s when it is called as mount.fuse.cairn. */
#ifndef CAIRN_FUSE_MOUNT_OPTIONS_H
#define CAIRN_FUSE_MOUNT_OPTIONS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/err.h"
#include "fuse/users.h"

#define MOUNT_RETRY_DEFAULT "60s"
#define MOUNT_TAKES_OVER    "--takes-over="

struct mount_options {
    const char *target, *path, *staging;
    char *uri; /* owned; NULL = fs.defaultFS */
    bool foreground, allow_other, pretend, status, reload, read_only, passthrough;
    const char *takes_over; /* "KERNEL_FD,MEMORY_FD": what a keeper adds when it executes the program's file again */
    struct users_how users;
    struct id_table *table; /* owned; users has it too */
    double cache_timeout_s; /* < 0: not said */
    size_t names_max_bytes; /* of memory, for names that are fetched ahead */
    struct buf fuse;        /* comma list for FUSE */
};

extern const char mount_usage[];

/* Borrows from argv, which it may cut into pieces. Settings go into config. On failure, too: mount_options_free. */
int mount_options_parse(int argc, char **argv, struct config *config, struct mount_options *ret,
                        struct err *reterr) MUST_CHECK;
void mount_options_free(struct mount_options *o);

#endif
