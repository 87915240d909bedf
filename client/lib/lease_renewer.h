/* Keeps the lease of a client alive while it has files open for writing, and their datanode connections too: a thread
 * for each, started with the first open writer, gone a while after the last. */
#ifndef CAIRN_CLIENT_LIB_LEASE_RENEWER_H
#define CAIRN_CLIENT_LIB_LEASE_RENEWER_H

#include <stdint.h>

struct file_writer;
struct lease_renewer;

struct lease_renewer_options {
    int (*renew)(void *context); /* may block; < 0: it is tried again soon */
    void *context;
    void (*heartbeat)(struct file_writer *w); /* does not block */
    int64_t renew_every_ms, heartbeat_every_ms;
};
struct lease_renewer *lease_renewer_new(const struct lease_renewer_options *options);
void lease_renewer_free(struct lease_renewer *l); /* no writer may be left; stops the threads; NULL is fine */
void lease_renewer_add(struct lease_renewer *l, struct file_writer *w);
void lease_renewer_remove(struct lease_renewer *l, struct file_writer *w); /* returns when no thread uses w */

#endif
