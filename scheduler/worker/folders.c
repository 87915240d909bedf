#include "scheduler/worker/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"

char *folders_job(const struct worker_daemon *w, const char *job_id)
{
    return mem_printf("%s/jobs/%s", w->dir, job_id);
}

char *folders_work(const struct worker_daemon *w, const char *job_id, const char *attempt_id)
{
    return mem_printf("%s/jobs/%s/work/%s", w->dir, job_id, attempt_id);
}

char *folders_output(const struct worker_daemon *w, const char *job_id, const char *attempt_id)
{
    return mem_printf("%s/jobs/%s/output/%s", w->dir, job_id, attempt_id);
}

char *folders_log(const struct worker_daemon *w, const char *job_id, const char *attempt_id)
{
    return mem_printf("%s/logs/%s/%s", w->dir, job_id, attempt_id);
}

static int give_to(const struct stage *stage, const char *path, struct err *reterr)
{
    if (stage->uid && lchown(path, stage->uid, stage->gid) < 0)
        return err_errno(reterr, errno, "give '%s' to %s", path, stage->user);
    return 0;
}

/* What tasks of a job share on this node. Only `files` is theirs: the folder above is ours, so nothing in it is renamed
 * or replaced under our hands. */
static int make_job(const struct worker_daemon *w, const char *job_id, const struct stage *stage, struct err *reterr)
{
    char *job_dir = folders_job(w, job_id);
    char *work = mem_printf("%s/work", job_dir), *output = mem_printf("%s/output", job_dir);
    char *files = mem_printf("%s/files", job_dir), *lock = mem_printf("%s/files.lock", job_dir);
    const char *dirs[] = {work, output, files};
    int rc = 0, fd = -1;
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(dirs); i++)
        rc = file_mkdirs(dirs[i], 0755, reterr);
    if (rc == 0 && (fd = open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644)) < 0)
        rc = err_errno(reterr, errno, "create '%s'", lock);
    if (rc == 0 && (rc = give_to(stage, files, reterr)) == 0)
        rc = give_to(stage, lock, reterr);
    if (fd >= 0)
        close(fd);
    free(job_dir);
    free(work);
    free(output);
    free(files);
    free(lock);
    return rc;
}

/* A folder below one of the job's. That of an attempt of the same name, whose worker was killed, is gone (daemon.c). */
static int make(const struct worker_daemon *w, const char *job_id, const char *path, const struct stage *stage,
                struct err *reterr)
{
    int rc = 0;
    if (mkdir(path, 0755) == 0)
        return 0;
    if (errno == ENOENT && (rc = make_job(w, job_id, stage, reterr)) == 0)
        return file_mkdirs(path, 0755, reterr);
    return rc < 0 || errno == EEXIST ? rc : err_errno(reterr, errno, "create '%s'", path);
}

int folders_make_work(const struct worker_daemon *w, const char *job_id, const char *work_dir,
                      const struct stage *stage, struct err *reterr)
{
    char *tmp = mem_printf("%s/tmp", work_dir);
    int rc = make(w, job_id, work_dir, stage, reterr);
    if (rc == 0 && mkdir(tmp, 0755) < 0 && errno != EEXIST)
        rc = err_errno(reterr, errno, "create '%s'", tmp);
    if (rc == 0)
        rc = give_to(stage, tmp, reterr);
    if (rc == 0)
        rc = give_to(stage, work_dir, reterr); /* at last: what we do in there, we do before anybody else can */
    free(tmp);
    return rc;
}

int folders_make_output(const struct worker_daemon *w, const char *job_id, const char *output_dir,
                        const struct stage *stage, struct err *reterr)
{
    int rc = make(w, job_id, output_dir, stage, reterr);
    return rc < 0 ? rc : give_to(stage, output_dir, reterr);
}

void folders_pass_log(const struct worker_daemon *w, const char *job_id, const char *from_attempt,
                      const char *to_attempt)
{
    char *from = folders_log(w, job_id, from_attempt), *to = folders_log(w, job_id, to_attempt);
    struct stat st;
    if (stat(from, &st) == 0 && st.st_size == 0)
        (void)rename(from, to); /* if not: it gets one of its own */
    free(from);
    free(to);
}

int folders_open_log(const struct worker_daemon *w, const char *job_id, const char *attempt_id, int *ret_fd,
                     struct err *reterr)
{
    char *path = folders_log(w, job_id, attempt_id), *logs = mem_printf("%s/logs/%s", w->dir, job_id);
    const int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int fd = open(path, how, 0644), rc = 0;
    if (fd < 0 && errno == ENOENT && (rc = file_mkdirs(logs, 0755, reterr)) == 0)
        fd = open(path, how, 0644);
    if (rc == 0 && fd < 0)
        rc = err_errno(reterr, errno, "create '%s'", path);
    *ret_fd = fd;
    free(path);
    free(logs);
    return rc;
}
