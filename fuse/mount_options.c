#include "fuse/mount_options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"

#define MOUNT_RETRY_HARD     "3650d"
#define MOUNT_STAGING_FOLDER "/var/tmp"
#define MOUNT_NAMES_BYTES    (4u << 20)
#define MOUNT_NAMES_MAX_MIB  (64 << 10)

const char mount_usage[] =
    "Usage: cairn mount [generic options] [hdfs://HOST:PORT/PATH] TARGET [--path P] [--foreground] [-o OPTION,...]\n"
    "       cairn mount --status [TARGET]\n"
    "       cairn mount --reload TARGET     its process is of the program's file as it is now\n"
    "  --path P         show this folder of the file system (default /)\n"
    "  --foreground, -f stay in the foreground\n"
    "  -o cache=SECONDS how long names and attributes are believed (default 1, on a Cairn namenode 30)\n"
    "  -o names=MIB     memory for names that are fetched ahead of being asked for (default 4; Cairn namenodes only)\n"
    "  -o retry=TIME    how long requests wait for a namenode that is away (default " MOUNT_RETRY_DEFAULT ")\n"
    "  -o staging=FOLDER local disk for what is written elsewhere than at the end (default " MOUNT_STAGING_FOLDER ")\n"
    "  -o hard, soft    requests wait for ever; or for " MOUNT_RETRY_DEFAULT ", and then fail\n"
    "  -o ids=WHAT      names (default): owners are accounts of this machine; numbers; or a FILE of `uid NAME NUMBER` "
    "and\n"
    "                   `gid NAME NUMBER` lines that come first\n"
    "  -o conf=FILE     settings, as -conf\n"
    "  -o ro,passthrough the kernel reads files of one block that are on this machine by itself, unverified\n"
    "  -o ro, allow_other, ... go to FUSE (allow_other is the default for root)\n"
    "Also as: mount -t fuse.cairn hdfs://HOST:PORT/PATH TARGET [-o OPTION,...]\n";

/* Words of fstab that say when and by whom something is mounted, and what every FUSE file system does anyway: libfuse
 * does not know them. */
static bool is_for_mount8(const char *word)
{
    static const char *const words[] = {"_netdev",    "nofail",        "auto",     "noauto",     "user",
                                        "nouser",     "users",         "owner",    "group",      "defaults",
                                        "relatime",   "nostrictatime", "diratime", "nodiratime", "lazytime",
                                        "nolazytime", "norelatime",    "loud",     "silent",     "nomand"};
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return strncmp(word, "x-", 2) == 0 || strncmp(word, "X-", 2) == 0 || strncmp(word, "comment=", 8) == 0;
}

static int mount_option(struct mount_options *o, struct config *config, char *word, struct err *reterr)
{
    if (strncmp(word, "cache=", 6) == 0) {
        char *end;
        o->cache_timeout_s = strtod(word + 6, &end);
        if (end == word + 6 || *end || o->cache_timeout_s < 0)
            return err_set(reterr, ERR_CONFIG, "-o %s: want a number of seconds", word);
        return 0;
    }
    if (strncmp(word, "names=", 6) == 0) {
        char *end;
        unsigned long mib = strtoul(word + 6, &end, 10);
        if (end == word + 6 || *end || word[6] == '-' || mib > MOUNT_NAMES_MAX_MIB)
            return err_set(reterr, ERR_CONFIG, "-o %s: want a number of MiB, at most %d", word, MOUNT_NAMES_MAX_MIB);
        o->names_max_bytes = mib << 20;
        return 0;
    }
    if (strncmp(word, "retry=", 6) == 0)
        return config_set(config, "cairn.client.retry-for", word + 6, "-o retry", reterr);
    if (strncmp(word, "ids=", 4) == 0) {
        id_table_free(o->table);
        o->users.table = o->table = NULL;
        o->users.as_numbers = strcmp(word + 4, "numbers") == 0;
        int rc = o->users.as_numbers || strcmp(word + 4, "names") == 0 ? 0 : id_table_load(word + 4, &o->table, reterr);
        o->users.table = o->table;
        return rc;
    }
    if (strcmp(word, "hard") == 0 || strcmp(word, "soft") == 0)
        return config_set(config, "cairn.client.retry-for", word[0] == 'h' ? MOUNT_RETRY_HARD : MOUNT_RETRY_DEFAULT,
                          word, reterr);
    if (strncmp(word, "staging=", 8) == 0) {
        o->staging = word + 8;
        return 0;
    }
    if (strncmp(word, "conf=", 5) == 0)
        return config_load_xml(config, word + 5, reterr);
    if (strncmp(word, "path=", 5) == 0) {
        o->path = word + 5;
        return 0;
    }
    if (strcmp(word, "allow_other") == 0)
        o->allow_other = true;
    else if (strcmp(word, "passthrough") == 0)
        o->passthrough = true;
    else if (strcmp(word, "remount") == 0)
        return err_set(reterr, ERR_CONFIG,
                       "-o remount: what is mounted cannot be changed; umount it, and mount it anew");
    else if (!is_for_mount8(word))
        buf_printf(&o->fuse, ",%s", word);
    if (strcmp(word, "ro") == 0 || strcmp(word, "rw") == 0)
        o->read_only = word[1] == 'o';
    return 0;
}

static int mount_option_list(struct mount_options *o, struct config *config, char *list, struct err *reterr)
{
    char *save = NULL;
    int rc = 0;
    for (char *word = strtok_r(list, ",", &save); rc == 0 && word; word = strtok_r(NULL, ",", &save))
        rc = mount_option(o, config, word, reterr);
    return rc;
}

static bool is_source(const char *word)
{
    return strncmp(word, "hdfs://", 7) == 0 || strncmp(word, "viewfs://", 9) == 0;
}

/* "hdfs://host:port/path" splits into the file system and the folder. */
static void mount_source(struct mount_options *o, const char *source)
{
    const char *authority = strstr(source, "://") + 3, *slash = strchr(authority, '/');
    bool names_none = !*authority || slash == authority;
    if (!names_none || source[0] != 'h') /* hdfs:/// is the default one, as everywhere */
        o->uri = slash ? mem_strndup(source, (size_t)(slash - source)) : mem_strdup(source);
    if (slash && slash[1])
        o->path = slash;
}

/* What mount(8) gives its helpers, mount.fuse.cairn among them; -f is "only pretend" there. */
static bool mount8_flag(struct mount_options *o, const char *word)
{
    static const char *const ignored[] = {"-n", "-s", "-v", "-t"};
    o->pretend |= strcmp(word, "-f") == 0;
    for (size_t i = 0; i < ARRAY_COUNT(ignored); i++)
        if (strcmp(word, ignored[i]) == 0)
            return true;
    return strcmp(word, "-f") == 0;
}

int mount_options_parse(int argc, char **argv, struct config *config, struct mount_options *o, struct err *reterr)
{
    int rc = 0;
    const char *called = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    bool as_helper = strncmp(called, "mount.", 6) == 0;
    o->cache_timeout_s = -1;
    o->names_max_bytes = MOUNT_NAMES_BYTES;
    o->staging = MOUNT_STAGING_FOLDER;
    o->allow_other = geteuid() == 0;
    for (int i = 1; rc == 0 && i < argc; i++) {
        char *word = argv[i];
        bool wants_value = !strcmp(word, "--path") || !strcmp(word, "-o");
        if (wants_value && i + 1 == argc)
            rc = err_set(reterr, ERR_CONFIG, "option %s needs a value", word);
        else if (strcmp(word, "--path") == 0)
            o->path = argv[++i];
        else if (strcmp(word, "-o") == 0)
            rc = mount_option_list(o, config, argv[++i], reterr);
        else if (as_helper && mount8_flag(o, word))
            i += strcmp(word, "-t") == 0;
        else if (strcmp(word, "--status") == 0)
            o->status = true;
        else if (strcmp(word, "--reload") == 0)
            o->reload = true;
        else if (strncmp(word, MOUNT_TAKES_OVER, strlen(MOUNT_TAKES_OVER)) == 0)
            o->takes_over = word + strlen(MOUNT_TAKES_OVER);
        else if (strcmp(word, "--foreground") == 0 || strcmp(word, "-f") == 0)
            o->foreground = true;
        else if (word[0] == '-')
            rc = err_set(reterr, ERR_CONFIG, "unknown option '%s'\n%s", word, mount_usage);
        else if (is_source(word) && !o->uri)
            mount_source(o, word);
        else if (!o->target)
            o->target = word;
        else
            rc = err_set(reterr, ERR_CONFIG, "one mount point is enough: '%s' and '%s'\n%s", o->target, word,
                         mount_usage);
    }
    if (rc == 0 && !o->target && !o->status)
        rc = err_set(reterr, ERR_CONFIG, "a mount point is needed\n%s", mount_usage);
    if (rc == 0 && o->passthrough && !o->read_only)
        rc = err_set(
            reterr, ERR_CONFIG,
            "-o passthrough is for read-only mounts: what the kernel reads by itself cannot be written meanwhile. "
            "Say -o ro,passthrough");
    if (o->fuse.len)
        buf_cstr(&o->fuse);
    return rc;
}

void mount_options_free(struct mount_options *o)
{
    buf_free(&o->fuse);
    id_table_free(o->table);
    free(o->uri);
}
