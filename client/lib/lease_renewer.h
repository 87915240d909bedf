/* Keeps the lease of a client alive while it has files open for writing, and their datanode connections too: one
 * thread, started with the first open writer, gone a while after the last. */
#ifndef CAIRN_CLIENT_LIB_LEASE_RENEWER_H
#define CAIRN_CLIENT_LIB_LEASE_RENEWER_H

struct dfs;
struct file_writer;
struct lease_renewer;

struct lease_renewer *lease_renewer_new(struct dfs *fs); /* borrows fs */
void lease_renewer_free(struct lease_renewer *l);        /* no writer may be left; stops the thread; NULL is fine */
void lease_renewer_add(struct lease_renewer *l, struct file_writer *w);
void lease_renewer_remove(struct lease_renewer *l, struct file_writer *w); /* returns when the thread does not use w */

#endif
