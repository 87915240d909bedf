/* The loop of a mount of any HDFS, and its end. */
#include "common/log.h"
#include "fuse/plain/plain_mount.h"
#include "fuse/plain/write_stream.h"

static void finish_stream(struct inode *inode, void *arg)
{
    struct err err = {0};
    pthread_mutex_lock(&inode->lock);
    if (stream_finish(inode, &err) < 0)
        log_error("mount", "lost at unmount: err=%s", err.text);
    pthread_mutex_unlock(&inode->lock);
}

int plain_mount_serve(struct mount *m, struct fuse_session *session, unsigned threads)
{
    struct fuse_loop_config *loop = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(loop, 1);
    fuse_loop_cfg_set_max_threads(loop, threads);
    fuse_loop_cfg_set_idle_threads(loop, threads);
    int rc = fuse_session_loop_mt(session, loop);
    fuse_loop_cfg_destroy(loop);
    inode_each(m->inodes, finish_stream, NULL);
    open_handles_end(&m->handles, m);
    return rc < 0 ? 1 : 0;
}
