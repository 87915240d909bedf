/* `cairn mount --status`: the mounts of this machine, and whether they answer. */
#ifndef CAIRN_FUSE_MOUNT_STATUS_H
#define CAIRN_FUSE_MOUNT_STATUS_H

/* target NULL: all. Prints a line for each; returns the exit code: 0 all answer, 1 some do not, 2 there is none. */
int mount_status(const char *target);

#endif
