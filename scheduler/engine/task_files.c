#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "scheduler/engine/task.h"
#include "scheduler/engine/unpack.h"

#define COPY_BYTES (256u << 10)

static int download(struct task *t, const Cairn__JobFileProto *file, int fd, struct err *reterr)
{
    struct file_reader *reader = NULL;
    int rc = file_reader_open(t->fs, file->path, &reader, reterr);
    if (rc < 0)
        return rc;
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    struct xxh3 *digest = xxh3_new();
    int64_t at = 0;
    for (size_t got = 1; rc == 0 && got;) {
        rc = file_reader_read(reader, bytes, COPY_BYTES, &got, reterr);
        if (rc == 0 && got) {
            xxh3_update(digest, bytes, got);
            rc = file_pwrite_full(fd, bytes, got, at, reterr);
            at += (int64_t)got;
        }
    }
    if (rc == 0 && file->xxh3 && (at != file->length || xxh3_value(digest) != file->xxh3))
        rc = err_set(reterr, ERR_CHECKSUM, "%s is not the file that was submitted with the job", file->path);
    xxh3_free(digest);
    free(bytes);
    file_reader_close(reader);
    return rc;
}

/* The archive becomes a folder: beside it first, so that what is there is whole. */
static int unpack_in_place(const char *cached, struct err *reterr)
{
    char *folder = mem_printf("%s.unpacked", cached);
    int rc = file_remove_tree(folder, reterr);
    if (rc == 0 || rc == ERR_NOT_FOUND)
        rc = file_mkdirs(folder, 0755, reterr);
    if (rc == 0)
        rc = unpack_archive(cached, folder, reterr);
    if (rc == 0 && (unlink(cached) < 0 || rename(folder, cached) < 0))
        rc = err_errno(reterr, errno, "put '%s' in place", cached);
    free(folder);
    return rc;
}

static int fetch_into_cache(struct task *t, const Cairn__JobFileProto *file, const char *cached, struct err *reterr)
{
    char *temporary = mem_printf("%s.tmp", cached);
    int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int rc = fd < 0 ? err_errno(reterr, errno, "create '%s'", temporary) : download(t, file, fd, reterr);
    if (rc == 0 && file->archive)
        rc = unpack_in_place(temporary, reterr);
    if (rc == 0 &&
        ((!file->archive && fchmod(fd, file->executable ? 0755 : 0644) < 0) || rename(temporary, cached) < 0))
        rc = err_errno(reterr, errno, "put '%s' in place", cached);
    if (fd >= 0)
        close(fd);
    free(temporary);
    return rc;
}

int task_files_localize(struct task *t, struct err *reterr)
{
    if (t->job->n_files == 0)
        return 0;
    char *dir = mem_printf("%s/files", t->spec->jobdir), *lock = mem_printf("%s/files.lock", t->spec->jobdir);
    int rc = file_mkdirs(dir, 0755, reterr);
    AUTO(net_closep) int lock_fd = rc < 0 ? -1 : open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (rc == 0 && (lock_fd < 0 || flock(lock_fd, LOCK_EX) < 0)) /* the first attempt on this node fetches for all */
        rc = err_errno(reterr, errno, "lock '%s'", lock);
    for (size_t i = 0; rc == 0 && i < t->job->n_files; i++) {
        const Cairn__JobFileProto *file = t->job->files[i];
        if (!file->link[0] || strchr(file->link, '/') || !strcmp(file->link, "..") || !strcmp(file->link, ".")) {
            rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "job file name '%s' is not a plain name", file->link);
            break;
        }
        char *cached = mem_printf("%s/%s", dir, file->link);
        if (access(cached, F_OK) < 0)
            rc = fetch_into_cache(t, file, cached, reterr);
        if (rc == 0 && symlink(cached, file->link) < 0 && errno != EEXIST)
            rc = err_errno(reterr, errno, "link '%s'", file->link);
        free(cached);
    }
    free(dir);
    free(lock);
    return rc < 0 ? err_prefix(reterr, rc, "job files") : 0;
}
