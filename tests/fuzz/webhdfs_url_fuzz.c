/* What a stranger may write into a WebHDFS address: path, parameters and their values, tokens. A path that was taken
 * apart begins with "/" and, encoded again, is taken apart to itself. */
#include "common/arena.h"
#include "tests/fuzz/fuzz.h"
#include "webhdfs/params.h"
#include "webhdfs/token_text.h"
#include "webhdfs/url.h"

FUZZ_SEEDS(webhdfs_url)
{
    const char *const samples[] = {
        "/webhdfs/v1/a/b%20c+d?op=OPEN&offset=5&length=10&user.name=ada&noredirect=true",
        "/webhdfs/v1?op=LISTSTATUS_BATCH&startafter=%C3%BC&&=&x",
        "/webhdfs/v1/"
        "%F0%9F%98%80?op=CREATE&permission=1777&unmaskedpermission=-1&createflag=create,%20overwrite&blocksize=0x1",
        "/webhdfs/v1/f?op=SETACL&aclspec=user::rwx,default:group:staff:r-x,other::---#end",
        "/webhdfs/v1/f?op=SETXATTR&xattr.name=user.a&xattr.value=%22v%22&flag=CREATE,REPLACE&encoding=base64",
        "/webhdfs/v1/f?op=RENAME&destination=/g&renameoptions=OVERWRITE,TO_TRASH&fsaction=rw-&user.name=a$",
        "/webhdfs/v1/f?op=RENEWDELEGATIONTOKEN&token=AAAACQpXRUJIREZTX1Q&offset=99999999999999999999",
        "/webhdfs/v1/%zz%0",
        "/webhdfs/v2/",
    };
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++)
        fuzz_seed(seeds, samples[i], strlen(samples[i]));
}

static void check_path(const char *path, struct arena *a)
{
    struct webhdfs_url again;
    struct err err;
    const char *uri = arena_printf(a, WEBHDFS_PREFIX "%s?q=%s", url_encode_path(path, a), url_encode_value(path, a));
    if (path[0] != '/' || webhdfs_url_parse(uri, a, &again, &err) < 0 || strcmp(again.path, path) != 0 ||
        strcmp(webhdfs_url_get(&again, "q"), path) != 0)
        abort();
}

FUZZ_RUN(webhdfs_url)
{
    static const enum webhdfs_verb verbs[] = {VERB_GET, VERB_PUT, VERB_POST, VERB_DELETE};
    if (in.len > 32768)
        return;
    struct arena a;
    struct webhdfs_url url;
    struct webhdfs_params params;
    struct err err;
    arena_init(&a, 8 << 20);
    const char *text = arena_strndup(&a, in.base ? (const char *)in.base : "", in.len);
    if (webhdfs_url_parse(text, &a, &url, &err) == 0) {
        check_path(url.path, &a);
        for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
            (void)(webhdfs_params_parse(&url, verbs[i], &(struct webhdfs_patterns){0}, &params, &err) < 0);
        Hdfs__TokenProto token;
        const char *argument = webhdfs_url_get(&url, "token");
        if (argument && token_from_url_text(argument, &a, &token, &err) == 0) {
            struct buf back = {0};
            token_to_url_text(&token, &back);
            buf_free(&back);
        }
    }
    arena_free(&a);
}
