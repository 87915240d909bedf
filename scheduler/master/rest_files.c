#include "scheduler/master/rest_files.h"

#include <string.h>

#define FILES_MAX 1000

static bool is_taken(const Cairn__JobSpecProto *job, const char *link)
{
    for (size_t i = 0; i < job->n_files; i++)
        if (!strcmp(job->files[i]->link, link))
            return true;
    return false;
}

static int take_file(const char *text, bool archive, struct dfs *fs, struct arena *a, Cairn__JobSpecProto *job,
                     struct err *reterr)
{
    const char *hash = strrchr(text, '#');
    const char *path = hash ? arena_strndup(a, text, (size_t)(hash - text)) : arena_strdup(a, text);
    const char *slash = strrchr(path, '/'), *link = hash ? arena_strdup(a, hash + 1) : slash ? slash + 1 : path;
    if (path[0] != '/' || !link[0] || strchr(link, '/') || !strcmp(link, ".") || !strcmp(link, ".."))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "file '%s': /PATH or /PATH#NAME in the file system is wanted",
                       text);
    if (is_taken(job, link))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "two files are to be '%s' for the tasks", link);
    struct dfs_status status;
    int rc = dfs_stat(fs, path, a, &status, reterr);
    if (rc == 0 && status.type != DFS_FILE)
        rc = err_set(reterr, ERR_NOT_FOUND, "'%s' is not a file", path);
    if (rc < 0)
        return rc;
    Cairn__JobFileProto *file = arena_new(a, Cairn__JobFileProto);
    cairn__job_file_proto__init(file);
    file->link = (char *)link;
    file->path = (char *)path;
    file->length = status.length;
    file->has_executable = file->executable = true;
    file->has_archive = true;
    file->archive = archive;
    job->files[job->n_files++] = file;
    return 0;
}

int rest_take_files(json_t *root, struct dfs *fs, struct arena *a, Cairn__JobSpecProto *job, struct err *reterr)
{
    static const char *const names[] = {"files", "archives"};
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        count += json_array_size(json_object_get(root, names[i]));
    if (count > FILES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a job has at most %d files", FILES_MAX);
    job->files = arena_array(a, Cairn__JobFileProto *, count);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(names); i++) {
        json_t *list = json_object_get(root, names[i]), *item;
        size_t k;
        if (list && !json_is_array(list))
            rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: an array is wanted", names[i]);
        json_array_foreach(list, k, item)
        {
            if (rc == 0 && !json_is_string(item))
                rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s: texts are wanted", names[i]);
            if (rc == 0)
                rc = take_file(json_string_value(item), i == 1, fs, a, job, reterr);
        }
    }
    return rc;
}
