#include "client/lib/dfs_path.h"

#include <string.h>

/* "scheme://authority" or "scheme:" at the front; 0 if there is none. A colon after the first slash belongs to a name.
 */
static size_t scheme_len(const char *text)
{
    size_t n = strcspn(text, ":/");
    if (text[n] != ':' || n == 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if (!letter && (i == 0 || !other))
            return 0;
    }
    return n + 1;
}

bool dfs_path_has_scheme(const char *text)
{
    return scheme_len(text) > 0;
}

/* Appends the components of `text` to the normalised absolute path out[0..*len), no slash at its end. */
static int append_normalised(char *out, size_t *len, const char *text, const char *whole, struct err *reterr)
{
    while (*(text += strspn(text, "/"))) {
        size_t n = strcspn(text, "/");
        if (n == 2 && text[0] == '.' && text[1] == '.') {
            if (*len == 0)
                return err_set(reterr, ERR_INVALID_PATH, "'%s' leads above the root directory", whole);
            while (out[--*len] != '/')
                ;
        } else if (n != 1 || text[0] != '.') {
            out[(*len)++] = '/';
            memcpy(out + *len, text, n);
            *len += n;
        }
        text += n;
    }
    return 0;
}

int dfs_path_resolve(const char *text, const char *home, struct arena *a, const char **ret_path, const char **ret_uri,
                     struct err *reterr)
{
    size_t scheme = scheme_len(text), authority = 0;
    if (scheme && strncmp(text + scheme, "//", 2) == 0)
        authority = 2 + strcspn(text + scheme + 2, "/");
    const char *path = text + scheme + authority;
    if (scheme && !authority && *path != '/')
        return err_set(reterr, ERR_INVALID_PATH, "'%s' is a relative path with a scheme", text);
    char *out = arena_try_alloc(a, strlen(path) + strlen(home) + 2);
    char *uri = scheme ? arena_try_alloc(a, scheme + authority + 1) : NULL;
    if (!out || (scheme && !uri))
        return err_set(reterr, ERR_NAME_TOO_LONG, "a path of %zu bytes", strlen(text));
    size_t len = 0;
    if (*path != '/' && !authority) {
        len = strlen(home);
        memcpy(out, home, len);
    }
    int rc = append_normalised(out, &len, path, text, reterr);
    if (rc < 0)
        return rc;
    if (len == 0)
        out[len++] = '/';
    out[len] = 0;
    *ret_path = out;
    if (uri) {
        memcpy(uri, text, scheme + authority);
        uri[scheme + authority] = 0;
    }
    *ret_uri = uri;
    return 0;
}

int dfs_resolve(const struct dfs *fs, const char *text, struct arena *a, const char **ret_path, const char **ret_uri,
                struct err *reterr)
{
    return dfs_path_resolve(text, dfs_home(fs, a), a, ret_path, ret_uri, reterr);
}

const char *dfs_path_join(struct arena *a, const char *dir, const char *name)
{
    if (!*name)
        return arena_strdup(a, dir);
    return arena_printf(a, "%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/", name);
}

const char *dfs_path_parent(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash || !slash[1])
        return NULL;
    return slash == path ? arena_strdup(a, "/") : arena_strndup(a, path, (size_t)(slash - path));
}

const char *dfs_path_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}
