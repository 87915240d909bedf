#include "client/fs/shell_fs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"

static struct shell_fs *fs_add(struct shell *sh, struct shell_fs fs)
{
    struct shell_fs *added = arena_new(&sh->arena, struct shell_fs);
    *added = fs;
    added->config = sh->config;
    added->next = sh->filesystems;
    sh->filesystems = added;
    return added;
}

struct shell_fs *shell_fs_local(struct shell *sh)
{
    for (struct shell_fs *fs = sh->filesystems; fs; fs = fs->next)
        if (!fs->dfs)
            return fs;
    char *cwd = getcwd(NULL, 0);
    struct shell_fs *fs = fs_add(sh, (struct shell_fs){
                                         .ops = &local_fs_ops,
                                         .scheme = "file",
                                         .uri = "file:///",
                                         .qualifier = "file://",
                                         .working_dir = arena_strdup(&sh->arena, cwd ? cwd : "/"),
                                     });
    free(cwd);
    return fs;
}

static int dfs_get(struct shell *sh, const char *uri, struct shell_fs **ret, struct err *reterr)
{
    size_t scheme_len = strcspn(uri, ":");
    for (struct shell_fs *fs = sh->filesystems; fs; fs = fs->next)
        if (fs->dfs && !strncmp(fs->scheme, uri, scheme_len) && !strcmp(fs->authority, uri + scheme_len + 3)) {
            *ret = fs;
            return 0;
        }
    struct dfs *dfs;
    int rc = dfs_connect(sh->config, uri, NULL, &dfs, reterr);
    if (rc < 0)
        return rc;
    *ret = fs_add(sh, (struct shell_fs){
                          .ops = &dfs_fs_ops,
                          .dfs = dfs,
                          .scheme = arena_strndup(&sh->arena, uri, scheme_len),
                          .authority = arena_strdup(&sh->arena, uri + scheme_len + 3),
                          .uri = dfs_uri(dfs),
                          .qualifier = dfs_uri(dfs),
                          .working_dir = dfs_home(dfs, &sh->arena),
                      });
    return 0;
}

static int default_get(struct shell *sh, struct shell_fs **ret, struct err *reterr)
{
    const char *uri = config_str(sh->config, "fs.defaultFS");
    if (!strncmp(uri, "file:", 5)) {
        *ret = shell_fs_local(sh);
        return 0;
    }
    if (!strncmp(uri, "viewfs://", 9))
        return dfs_get(sh, arena_strndup(&sh->arena, uri, strcspn(uri + 9, "/") + 9), ret, reterr);
    if (strncmp(uri, "hdfs://", 7) || !uri[7] || uri[7] == '/')
        return err_set(reterr, ERR_CONFIG, "fs.defaultFS is '%s': hdfs://host:port or file:/// is expected", uri);
    size_t len = strcspn(uri + 7, "/") + 7;
    return dfs_get(sh, arena_strndup(&sh->arena, uri, len), ret, reterr);
}

int shell_fs_get(struct shell *sh, const char *scheme, const char *authority, struct shell_fs **ret, struct err *reterr)
{
    if (scheme && !strcmp(scheme, "file")) {
        *ret = shell_fs_local(sh);
        return 0;
    }
    if (scheme && !strcmp(scheme, "viewfs"))
        return dfs_get(sh, arena_printf(&sh->arena, "viewfs://%s", authority ? authority : ""), ret, reterr);
    if (scheme && strcmp(scheme, "hdfs"))
        return err_set(reterr, ERR_UNSUPPORTED, "No FileSystem for scheme \"%s\"", scheme);
    if (!scheme)
        return default_get(sh, ret, reterr);
    if (authority)
        return dfs_get(sh, arena_printf(&sh->arena, "hdfs://%s", authority), ret, reterr);
    int rc = default_get(sh, ret, reterr);
    if (rc == 0 && !(*ret)->dfs)
        return err_set(reterr, ERR_CONFIG, "Incomplete HDFS URI, no host: hdfs:///");
    return rc;
}

void shell_fs_close_all(struct shell *sh)
{
    for (struct shell_fs *fs = sh->filesystems; fs; fs = fs->next)
        dfs_unref(fs->dfs);
    sh->filesystems = NULL;
}

int shell_fs_mode(const struct shell_fs *fs, unsigned all, uint16_t *ret, struct err *reterr)
{
    uint16_t umask_bits = 0;
    int rc = dfs_umask(fs->config, &umask_bits, reterr);
    *ret = (uint16_t)(all & ~umask_bits);
    return rc;
}

int shell_fs_exists(struct shell_fs *fs, const char *path, bool *ret_exists, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, 16 << 20);
    struct dfs_status status;
    int rc = fs->ops->stat(fs, path, &a, &status, reterr);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    *ret_exists = rc == 0;
    return 0;
}
