#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "scheduler/engine/task.h"

#define FOLDER_MODE    0755
#define KEPT_BYTES_MAX (4u << 20) /* free memory that the next attempt may find */

/* We are the subreaper: whatever it left behind, however far away, is our child or below one. (The one that starts C
 * programs does not count: program_forker.h.) */
static bool nothing_runs(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    return pid < 0 && errno == ECHILD;
}

static bool is_job_file(const struct task *t, const char *name)
{
    char target[4096];
    ssize_t n = -1;
    for (size_t i = 0; i < t->job->n_files && n < 0; i++)
        if (!strcmp(t->job->files[i]->link, name))
            n = readlink(name, target, sizeof target);
    if (n <= 0)
        return false;
    char *cached = mem_printf("%s/files/%s", t->spec->jobdir, name);
    bool same = (size_t)n == strlen(cached) && !memcmp(target, cached, (size_t)n);
    free(cached);
    return same;
}

static bool is_plain_folder(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == FOLDER_MODE;
}

static bool empty(const struct task *t, const char *folder)
{
    bool top = !strcmp(folder, "."), done = is_plain_folder(folder);
    DIR *dir = done ? opendir(folder) : NULL;
    done = dir != NULL;
    for (struct dirent *e; done && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        char *path = mem_printf("%s/%s", folder, e->d_name);
        if (top && !strcmp(e->d_name, "tmp"))
            done = empty(t, path);
        else if (!top || !is_job_file(t, e->d_name))
            done = file_remove_tree(path, NULL) == 0;
        free(path);
    }
    if (dir)
        closedir(dir);
    return done;
}

bool task_tidy(const struct task *t)
{
    if (!nothing_runs() || !empty(t, "."))
        return false;
    if (mallinfo2().fordblks > KEPT_BYTES_MAX)
        malloc_trim(0);
    return true;
}
