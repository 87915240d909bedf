/* `cairn mount --status`: the mounts of this machine, and whether they answer. */
#ifndef CAIRN_FUSE_MOUNT_STATUS_H
#define CAIRN_FUSE_MOUNT_STATUS_H

/* target NULL: all. Prints a line for each; returns the exit code: 0 all answer, 1 some do not, 2 there is none. */
int mount_status(const char *target);

/* Asks a mount something in a process of its own, since one that waits for it in vain cannot be interrupted otherwise.
 * Returns what the question does, an errno below 256, or ETIMEDOUT after three seconds. */
int mount_ask(int (*question)(void *arg), void *arg);

#endif
