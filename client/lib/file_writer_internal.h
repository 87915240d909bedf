#ifndef CAIRN_CLIENT_LIB_FILE_WRITER_INTERNAL_H
#define CAIRN_CLIENT_LIB_FILE_WRITER_INTERNAL_H

struct file_writer;

/* For the lease renewer: keeps the connection of an idle writer alive. Never blocks. */
void file_writer_heartbeat(struct file_writer *w);

#endif
