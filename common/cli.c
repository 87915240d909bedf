#include "common/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"

#define CLUSTER_JSON_MAX_BYTES (1 << 20)
#define CLUSTERS_SHOWN_MAX     16

/* ---- generic options ---- */

struct cli_options {
    const char *conf_dir; /* --config */
    const char *conf_file;
    struct {
        char *name, *value;
        const char *source;
    } sets[128];
    size_t set_count;
};

static int cli_add_set(struct cli_options *o, const char *name, size_t name_len, const char *value, const char *source,
                       struct err *reterr)
{
    if (o->set_count == ARRAY_COUNT(o->sets))
        return err_set(reterr, ERR_CONFIG, "more than %zu settings on the command line: put them into a -conf FILE",
                       ARRAY_COUNT(o->sets));
    o->sets[o->set_count].name = mem_strndup(name, name_len);
    o->sets[o->set_count].value = mem_strdup(value);
    o->sets[o->set_count++].source = source;
    return 0;
}

static int cli_add_define(struct cli_options *o, const char *text, struct err *reterr)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return err_set(reterr, ERR_CONFIG, "-D %s: want -D name=value", text);
    return cli_add_set(o, text, (size_t)(equals - text), equals + 1, "-D", reterr);
}

/* One option at argv[0]; *ret_used = how many words it took, 0 = not a generic option. */
static int cli_parse_one(struct cli_options *o, int argc, char **argv, int *ret_used, struct err *reterr)
{
    static const struct {
        const char *flag, *key;
    } keyed[] = {
        {"-fs", "fs.defaultFS"}, {"-jt", "cairn.scheduler.address"}, {"-scheduler", "cairn.scheduler.address"}};
    const char *word = argv[0];
    *ret_used = 0;
    if (strcmp(word, "--debug") == 0) {
        log_set_level(LOG_LEVEL_DEBUG);
        *ret_used = 1;
        return 0;
    }
    if (strncmp(word, "-D", 2) == 0 && word[2]) {
        *ret_used = 1;
        return cli_add_define(o, word + 2, reterr);
    }
    const char *key = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(keyed); i++)
        if (strcmp(word, keyed[i].flag) == 0)
            key = keyed[i].key;
    if (!key && strcmp(word, "-D") && strcmp(word, "-conf") && strcmp(word, "--config"))
        return 0;
    if (argc < 2)
        return err_set(reterr, ERR_CONFIG, "option %s needs a value", word);
    *ret_used = 2;
    if (key)
        return cli_add_set(o, key, strlen(key), argv[1], word, reterr);
    if (strcmp(word, "-D") == 0)
        return cli_add_define(o, argv[1], reterr);
    if (strcmp(word, "-conf") == 0)
        o->conf_file = argv[1];
    else
        o->conf_dir = argv[1];
    return 0;
}

/* Of a URI, without the path. */
static size_t fs_part(const char *uri)
{
    const char *authority = strstr(uri, "://");
    size_t len = authority ? (size_t)(authority - uri) + 3 : 0;
    return len + strcspn(uri + len, "/");
}

/* A file system, however it is written: without path, default port and the name of this machine. */
static char *fs_named(const char *uri)
{
    static const char local[] = "hdfs://localhost", port[] = ":8020";
    size_t len = fs_part(uri);
    if (len > strlen(port) && !strncmp(uri + len - strlen(port), port, strlen(port)))
        len -= strlen(port);
    size_t at = strlen(local);
    bool is_local = len >= at && !strncmp(uri, local, at) && (len == at || uri[at] == ':');
    return is_local ? mem_printf("hdfs://127.0.0.1%.*s", (int)(len - at), uri + at) : mem_strndup(uri, len);
}

/* Pages that the settings name are those of the file system that they name. */
static void forget_pages_of_others(struct config *c, const char *uri)
{
    if (!config_is_set(c, "fs.defaultFS"))
        return;
    AUTO(mem_freep) char *said = fs_named(config_str(c, "fs.defaultFS"));
    AUTO(mem_freep) char *meant = fs_named(uri);
    if (!strcmp(said, meant))
        return;
    config_forget(c, "cairn.namenode.http-address", "-D");
    config_forget(c, "dfs.namenode.http-address", "-D");
}

int cli_turn_to(struct config *c, const char *uri, struct err *reterr)
{
    AUTO(mem_freep) char *fs = mem_strndup(uri, fs_part(uri));
    forget_pages_of_others(c, fs);
    int rc = config_set(c, "fs.defaultFS", fs, "command line", reterr);
    return rc < 0 ? rc : cli_find_cluster(c, reterr);
}

static int cli_load_sources(struct cli_options *o, struct config *c, struct err *reterr)
{
    const char *dir = o->conf_dir ? o->conf_dir : getenv("HADOOP_CONF_DIR");
    int rc = 0;
    if (dir && *dir && access(dir, R_OK | X_OK) < 0)
        rc = err_errno(reterr, errno, "configuration folder '%s' (%s)", dir,
                       o->conf_dir ? "--config" : "$HADOOP_CONF_DIR");
    else if (dir && *dir)
        rc = config_load_dir(c, dir, reterr);
    if (rc == 0)
        rc = config_load_env(c, reterr);
    if (rc == 0 && o->conf_file)
        rc = config_load_xml(c, o->conf_file, reterr);
    for (size_t i = 0; rc == 0 && i < o->set_count; i++) {
        if (strcmp(o->sets[i].source, "-fs") == 0)
            forget_pages_of_others(c, o->sets[i].value);
        rc = config_set(c, o->sets[i].name, o->sets[i].value, o->sets[i].source, reterr);
    }
    return rc;
}

static int cli_load_options(int *argc, char **argv, bool anywhere, struct config **ret, struct err *reterr)
{
    struct cli_options o = {0};
    int kept = 1, at = 1, rc = 0;
    while (rc == 0 && at < *argc) {
        int used;
        rc = cli_parse_one(&o, *argc - at, argv + at, &used, reterr);
        if (rc == 0 && used == 0) {
            if (!anywhere || strcmp(argv[at], "--") == 0)
                break;
            argv[kept++] = argv[at];
            used = 1;
        }
        at += used;
    }
    while (rc == 0 && at < *argc)
        argv[kept++] = argv[at++];
    struct config *c = config_new();
    if (rc == 0) {
        argv[kept] = NULL;
        *argc = kept;
        rc = cli_load_sources(&o, c, reterr);
    }
    for (size_t i = 0; i < o.set_count; i++) {
        free(o.sets[i].name);
        free(o.sets[i].value);
    }
    if (rc < 0) {
        config_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

int cli_load_settings(int *argc, char **argv, struct config **ret, struct err *reterr)
{
    return cli_load_options(argc, argv, true, ret, reterr);
}

#define COMMAND_LINE_MAX_BYTES (1u << 20)
#define COMMAND_LINE_WORDS_MAX 1024

int cli_reload_settings(struct config **ret, struct err *reterr)
{
    AUTO(buf_free) struct buf text = {0};
    char *words[COMMAND_LINE_WORDS_MAX + 1];
    int count = 0;
    int rc = file_read("/proc/self/cmdline", COMMAND_LINE_MAX_BYTES, &text, reterr);
    if (rc < 0)
        return rc;
    buf_append(&text, "", 1);
    for (char *at = (char *)text.base, *end = at + text.len - 1; at < end && count < COMMAND_LINE_WORDS_MAX;
         at += strlen(at) + 1)
        words[count++] = at;
    words[count] = NULL;
    return cli_load_settings(&count, words, ret, reterr);
}

bool cli_asks_help(int argc, char **argv)
{
    return argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

int cli_load(int *argc, char **argv, struct config **ret, struct err *reterr)
{
    struct config *c = NULL;
    int rc = cli_load_options(argc, argv, false, &c, reterr);
    if (rc == 0 && !cli_asks_help(*argc, argv))
        rc = cli_find_cluster(c, reterr);
    if (rc < 0) {
        config_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

/* ---- the local cluster ---- */

static int cluster_use(struct config *c, const char *dir, struct err *reterr)
{
    static const struct {
        const char *field, *key, *also; /* also: Hadoop's name for the same, which is as good */
    } fields[] = {{"fs", "fs.defaultFS", NULL},
                  {"namenode_http", "cairn.namenode.http-address", "dfs.namenode.http-address"},
                  {"scheduler", "cairn.scheduler.address", NULL}};
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", dir);
    struct buf text = {0};
    int rc = file_read(path, CLUSTER_JSON_MAX_BYTES, &text, reterr);
    if (rc == ERR_NOT_FOUND)
        return err_set(reterr, rc,
                       "the local cluster in '%s' is not running, or not ready yet (there is no cluster.json)", dir);
    if (rc < 0)
        return rc;
    json_error_t why;
    json_t *root = json_loadb((const char *)text.base, text.len, 0, &why);
    buf_free(&text);
    if (!root)
        return err_set(reterr, ERR_CONFIG, "'%s' line %d: %s", path, why.line, why.text);
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(fields); i++) {
        const char *value = json_string_value(json_object_get(root, fields[i].field));
        bool given = config_is_set(c, fields[i].key) || (fields[i].also && config_is_set(c, fields[i].also));
        if (value && !given)
            rc = config_set(c, fields[i].key, value, path, reterr);
    }
    json_decref(root);
    return rc;
}

/* The same file system under two names: a local cluster runs at 127.0.0.1, which people call localhost. */
static bool uri_is(const char *uri, size_t len, const char *fs)
{
    static const char local[] = "hdfs://localhost", numeric[] = "hdfs://127.0.0.1";
    size_t local_len = strlen(local), numeric_len = strlen(numeric);
    bool is_local = len >= local_len && !strncmp(uri, local, local_len) && (len == local_len || uri[local_len] == ':');
    if (is_local && !strncmp(fs, numeric, numeric_len)) {
        uri += local_len;
        len -= local_len;
        fs += numeric_len;
    }
    return strlen(fs) == len && !strncmp(fs, uri, len);
}

/* Whether the cluster in dir serves this file system; an unreadable one does not. */
static bool cluster_serves(const char *dir, const char *fs_uri)
{
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", dir);
    json_t *root = json_load_file(path, 0, NULL);
    const char *fs = json_string_value(json_object_get(root, "fs"));
    size_t len = strlen(fs_uri);
    while (len && fs_uri[len - 1] == '/')
        len--;
    bool serves = fs && uri_is(fs_uri, len, fs);
    json_decref(root);
    return serves;
}

int cli_find_cluster(struct config *c, struct err *reterr)
{
    const char *fs_uri = config_is_set(c, "fs.defaultFS") ? config_str(c, "fs.defaultFS") : NULL;
    const char *chosen = getenv("CAIRN_DIR");
    if (chosen && *chosen)
        return !fs_uri || cluster_serves(chosen, fs_uri) ? cluster_use(c, chosen, reterr) : 0;
    FILE *f = fopen("/proc/net/unix", "re");
    if (!f)
        return 0;
    char *line = NULL, want[64], *dirs[CLUSTERS_SHOWN_MAX];
    size_t line_capacity = 0, count = 0;
    snprintf(want, sizeof want, "@" CLI_CLUSTER_SOCKET_PREFIX "%u:", (unsigned)getuid());
    while (getline(&line, &line_capacity, f) > 0 && count < CLUSTERS_SHOWN_MAX) {
        char *at = strstr(line, want);
        if (!at)
            continue;
        at += strlen(want);
        at[strcspn(at, "\n@")] = 0;
        if (!fs_uri || cluster_serves(at, fs_uri))
            dirs[count++] = mem_strdup(at);
    }
    free(line);
    fclose(f);
    int rc = 0;
    if (count == 1) {
        rc = cluster_use(c, dirs[0], reterr);
    } else if (count > 1) {
        struct buf names = {0};
        for (size_t i = 0; i < count; i++)
            buf_printf(&names, " %s", dirs[i]);
        rc = err_set(reterr, ERR_CONFIG, "several local clusters run; choose with -fs URI or CAIRN_DIR=DIR:%s",
                     buf_cstr(&names));
        buf_free(&names);
    }
    for (size_t i = 0; i < count; i++)
        free(dirs[i]);
    return rc;
}
