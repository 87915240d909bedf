#include "scheduler/cli/fs_match.h"

#include <string.h>
#include <strings.h>

#define NAMENODE_PORT 8020

static bool same_place(const char *a, const char *b)
{
    static const char scheme[] = "hdfs://";
    struct net_address x, y;
    char ip_x[64], ip_y[64];
    if (strncmp(a, scheme, sizeof scheme - 1) || strncmp(b, scheme, sizeof scheme - 1))
        return false;
    if (net_parse(a + sizeof scheme - 1, NAMENODE_PORT, &x, NULL) < 0 ||
        net_parse(b + sizeof scheme - 1, NAMENODE_PORT, &y, NULL) < 0)
        return false;
    if (x.port != y.port)
        return false;
    if (!strcasecmp(x.host, y.host))
        return true;
    return net_resolve(x.host, ip_x, NULL) == 0 && net_resolve(y.host, ip_y, NULL) == 0 && !strcmp(ip_x, ip_y);
}

/* "hdfs:///path", "hdfs:/path": the default one. */
static bool names_no_place(const char *uri)
{
    return !strcmp(uri, "hdfs://") || !strcmp(uri, "hdfs:");
}

int fs_must_match(const struct dfs *fs, const char *uri, const char *what, const char *text, struct err *reterr)
{
    if (!uri || names_no_place(uri) || !strcmp(uri, dfs_uri(fs)) || same_place(uri, dfs_uri(fs)))
        return 0;
    return err_set(reterr, ERR_UNSUPPORTED, "%s %s is in another file system than the job's %s", what, text,
                   dfs_uri(fs));
}
