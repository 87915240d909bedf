#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "client/lib/libhdfs/hdfs_internal.h"
#include "common/cli.h"
#include "common/mem.h"

#define DEFAULT_PORT 8020

struct setting {
    char *key, *value;
    struct setting *next;
};
struct hdfsBuilder {
    char *namenode, *user;
    tPort port;
    struct setting *settings, **end;
};

/* ---- builder ---- */

static char *copy_or_null(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

struct hdfsBuilder *hdfsNewBuilder(void)
{
    struct hdfsBuilder *b = mem_new(struct hdfsBuilder);
    b->end = &b->settings;
    return b;
}

void hdfsFreeBuilder(struct hdfsBuilder *bld)
{
    if (!bld)
        return;
    for (struct setting *s = bld->settings; s;) {
        struct setting *next = s->next;
        free(s->key);
        free(s->value);
        free(s);
        s = next;
    }
    free(bld->namenode);
    free(bld->user);
    free(bld);
}

void hdfsBuilderSetForceNewInstance(struct hdfsBuilder *bld)
{
    (void)bld; /* every connection is one */
}

void hdfsBuilderSetNameNode(struct hdfsBuilder *bld, const char *nn)
{
    free(bld->namenode);
    bld->namenode = copy_or_null(nn);
}

void hdfsBuilderSetNameNodePort(struct hdfsBuilder *bld, tPort port)
{
    bld->port = port;
}

void hdfsBuilderSetUserName(struct hdfsBuilder *bld, const char *userName)
{
    free(bld->user);
    bld->user = copy_or_null(userName);
}

void hdfsBuilderSetKerbTicketCachePath(struct hdfsBuilder *bld, const char *kerbTicketCachePath)
{
    /* A cluster that wants Kerberos will say so when connected to; one that does not has no use for the path. */
    (void)bld, (void)kerbTicketCachePath;
}

int hdfsBuilderConfSetStr(struct hdfsBuilder *bld, const char *key, const char *val)
{
    if (!key || !val)
        return hdfs_fail_errno(EINVAL, "a setting needs a name and a value");
    struct setting *s = mem_new(struct setting);
    s->key = mem_strdup(key);
    s->value = mem_strdup(val);
    *bld->end = s;
    bld->end = &s->next;
    return 0;
}

/* ---- settings ---- */

int hdfs_config(struct config **ret, struct err *reterr)
{
    AUTO(config_freep) struct config *c = config_new();
    const char *dir = getenv("HADOOP_CONF_DIR");
    int rc = dir && *dir ? config_load_dir(c, dir, reterr) : 0;
    if (rc == 0)
        rc = config_load_env(c, reterr);
    if (rc < 0)
        return rc;
    *ret = STEAL(c);
    return 0;
}

int hdfsConfGetStr(const char *key, char **val)
{
    struct err why;
    AUTO(config_freep) struct config *c = NULL;
    int rc = hdfs_config(&c, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    *val = copy_or_null(config_get(c, key));
    return 0;
}

int hdfsConfGetInt(const char *key, int32_t *val)
{
    char *text, *end;
    if (hdfsConfGetStr(key, &text) < 0)
        return -1;
    if (!text)
        return 0;
    errno = 0;
    long number = strtol(text, &end, 0);
    bool bad = errno || !*text || *end || number < INT32_MIN || number > INT32_MAX;
    if (bad)
        (void)hdfs_fail_errno(EINVAL, "%s is '%s', which is no 32-bit number", key, text);
    else
        *val = (int32_t)number;
    free(text);
    return bad ? -1 : 0;
}

void hdfsConfStrFree(char *val)
{
    free(val);
}

/* ---- connecting ---- */

/* NULL: the configured file system. */
static char *uri_of(const char *namenode, tPort port)
{
    if (strcmp(namenode, "default") == 0)
        return NULL;
    const char *authority = strstr(namenode, "://"), *scheme = authority ? "" : "hdfs://";
    size_t least = authority ? (size_t)(authority - namenode) + 3 : 0, len = strlen(namenode);
    while (len > least && namenode[len - 1] == '/')
        len--;
    return port ? mem_printf("%s%.*s:%u", scheme, (int)len, namenode, port)
                : mem_printf("%s%.*s", scheme, (int)len, namenode);
}

static char *home_of(const struct dfs *dfs)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1u << 16);
    return mem_strdup(dfs_home(dfs, &a));
}

static int builder_connect(const struct hdfsBuilder *b, hdfsFS *ret, struct err *reterr)
{
    AUTO(config_freep) struct config *c = NULL;
    int rc = hdfs_config(&c, reterr);
    for (const struct setting *s = b->settings; rc == 0 && s; s = s->next)
        rc = config_set(c, s->key, s->value, "hdfsBuilderConfSetStr", reterr);
    if (rc < 0)
        return rc;
    if (!b->namenode)
        return err_set(reterr, ERR_UNSUPPORTED,
                       "no namenode is named, which would mean local files: open those directly");
    AUTO(mem_freep) char *uri = uri_of(b->namenode, b->port);
    if (!uri && !config_is_set(c, "fs.defaultFS"))
        rc = cli_find_cluster(c, reterr);
    uint16_t umask_bits;
    if (rc == 0)
        rc = dfs_umask(c, &umask_bits, reterr);
    struct dfs *dfs;
    if (rc == 0)
        rc = dfs_connect(c, uri, b->user, &dfs, reterr);
    if (rc < 0)
        return rc;
    hdfsFS fs = mem_new(struct hdfs_internal);
    fs->dfs = dfs;
    fs->umask = umask_bits;
    fs->working_dir = home_of(dfs);
    pthread_mutex_init(&fs->lock, NULL);
    *ret = fs;
    return 0;
}

hdfsFS hdfsBuilderConnect(struct hdfsBuilder *bld)
{
    struct err why = {0};
    hdfsFS fs = NULL;
    int rc = builder_connect(bld, &fs, &why);
    hdfsFreeBuilder(bld);
    if (rc < 0)
        (void)hdfs_fail(rc, &why);
    return fs;
}

hdfsFS hdfsConnectAsUser(const char *nn, tPort port, const char *user)
{
    struct hdfsBuilder *b = hdfsNewBuilder();
    hdfsBuilderSetNameNode(b, nn);
    hdfsBuilderSetNameNodePort(b, port);
    hdfsBuilderSetUserName(b, user);
    return hdfsBuilderConnect(b);
}

hdfsFS hdfsConnect(const char *nn, tPort port)
{
    return hdfsConnectAsUser(nn, port, NULL);
}

hdfsFS hdfsConnectNewInstance(const char *nn, tPort port)
{
    return hdfsConnectAsUser(nn, port, NULL);
}

hdfsFS hdfsConnectAsUserNewInstance(const char *nn, tPort port, const char *user)
{
    return hdfsConnectAsUser(nn, port, user);
}

int hdfsDisconnect(hdfsFS fs)
{
    if (!fs)
        return hdfs_fail_errno(EBADF, "no file system");
    dfs_unref(fs->dfs);
    pthread_mutex_destroy(&fs->lock);
    free(fs->working_dir);
    free(fs);
    return 0;
}

/* ---- paths ---- */

static bool same_authority(const char *a, const char *b) /* both "hdfs://..." */
{
    struct net_address x, y;
    if (strcmp(a, b) == 0)
        return true;
    return strncmp(a, "hdfs://", 7) == 0 && strncmp(b, "hdfs://", 7) == 0 &&
           net_parse(a + 7, DEFAULT_PORT, &x, NULL) == 0 && net_parse(b + 7, DEFAULT_PORT, &y, NULL) == 0 &&
           strcmp(x.host, y.host) == 0 && x.port == y.port;
}

/* uri is what stands in front of a path; without a host it means the one that is connected to. */
static bool names_this(const char *uri, const char *connected)
{
    size_t scheme = strcspn(uri, ":") + 1;
    const char *authority = uri + scheme;
    return strncmp(uri, connected, scheme) == 0 &&
           (!*authority || strcmp(authority, "//") == 0 || same_authority(uri, connected));
}

int hdfs_path(hdfsFS fs, const char *text, struct arena *a, const char **ret, struct err *reterr)
{
    if (!fs || !text || strlen(text) > 1u << 16)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "no file system, or no path");
    const char *uri, *path, *whole = text;
    if (text[0] != '/' && !dfs_path_has_scheme(text)) { /* relative to the working directory */
        pthread_mutex_lock(&fs->lock);
        whole = dfs_path_join(a, fs->working_dir, text);
        pthread_mutex_unlock(&fs->lock);
    }
    int rc = dfs_resolve(fs->dfs, whole, a, &path, &uri, reterr);
    if (rc < 0)
        return rc;
    if (uri && !names_this(uri, dfs_uri(fs->dfs)))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Wrong FS: %s, expected: %s", text, dfs_uri(fs->dfs));
    *ret = path;
    return 0;
}

char *hdfsGetWorkingDirectory(hdfsFS fs, char *buffer, size_t bufferSize)
{
    pthread_mutex_lock(&fs->lock);
    int n = snprintf(buffer, bufferSize, "%s%s", dfs_uri(fs->dfs), fs->working_dir);
    pthread_mutex_unlock(&fs->lock);
    if (n >= 0 && (size_t)n < bufferSize)
        return buffer;
    (void)hdfs_fail_errno(ENAMETOOLONG, "the working directory needs %d bytes", n + 1);
    return NULL;
}

int hdfsSetWorkingDirectory(hdfsFS fs, const char *path)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1u << 20);
    struct err why;
    const char *resolved;
    int rc = hdfs_path(fs, path, &a, &resolved, &why);
    if (rc < 0)
        return hdfs_fail(rc, &why);
    pthread_mutex_lock(&fs->lock);
    free(fs->working_dir);
    fs->working_dir = mem_strdup(resolved);
    pthread_mutex_unlock(&fs->lock);
    return 0;
}
