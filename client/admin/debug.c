/* `hdfs debug recoverLease`: closes a file that its writer left open. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/admin/admin.h"
#include "common/cli.h"
#include "common/clock.h"
#include "main/commands.h"

#define RETRY_PAUSE_MS 5000 /* as Hadoop's, between tries that are asked for */
#define CLOSED_POLL_MS 100
#define FAILED         1

static int usage(FILE *to)
{
    fputs("Usage: hdfs debug recoverLease -path <path> [-retries <num-retries>]\n"
          "Closes a file whose writer is gone: its last block gets the length that its replicas agree on.\n",
          to);
    return to == stdout ? 0 : FAILED;
}

/* Whether the file was closed before the next try is due. */
static bool closed_meanwhile(struct dfs *fs, const char *path)
{
    bool closed = false;
    for (int64_t end_ms = clock_mono_ms() + RETRY_PAUSE_MS; !closed && clock_mono_ms() < end_ms;
         clock_sleep_ms(CLOSED_POLL_MS))
        if (dfs_is_closed(fs, path, &closed, NULL) < 0)
            closed = false; /* the next try tells what is wrong */
    return closed;
}

static int recover(struct dfs *fs, const char *path, long retries)
{
    struct err why = {0};
    bool closed = false;
    int rc = 0;
    for (long i = 0; i <= retries && !closed; i++) {
        if (i) {
            puts("Retrying...");
            fflush(stdout);
        }
        rc = dfs_recover_lease(fs, path, &closed, &why);
        if (rc < 0)
            printf("recoverLease got exception: %.*s\n", (int)strcspn(why.text, "\n"), why.text);
        else if (!closed)
            puts("recoverLease returned false.");
        closed = closed || (rc == 0 && i < retries && closed_meanwhile(fs, path));
    }
    if (closed)
        printf("recoverLease SUCCEEDED on %s\n", path);
    else
        fprintf(stderr, "Giving up on recoverLease for %s after %ld %s.\n", path, retries + 1,
                retries ? "tries" : "try");
    return closed ? 0 : FAILED;
}

int debug_main(int argc, char **argv)
{
    AUTO(config_freep) struct config *config = NULL;
    AUTO(dfs_unrefp) struct dfs *fs = NULL;
    AUTO(arena_free) struct arena a;
    struct err why;
    const char *text = NULL, *path, *uri;
    long retries = 0;
    arena_init(&a, 1 << 20);
    if (cli_load(&argc, argv, &config, &why) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], why.text);
        return FAILED;
    }
    if (argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "help")))
        return usage(stdout);
    if (argc < 2 || strcmp(argv[1], "recoverLease"))
        return usage(stderr);
    for (int i = 2; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "-path"))
            text = argv[i + 1];
        else if (!strcmp(argv[i], "-retries"))
            retries = strtol(argv[i + 1], NULL, 10);
        else
            return usage(stderr);
    }
    if (!text || argc % 2 || retries < 0 || retries > 1000) {
        fputs("You must supply a -path argument to recoverLease.\n", stderr);
        return usage(stderr);
    }
    int rc = dfs_path_resolve(text, "/", &a, &path, &uri, &why);
    if (rc == 0)
        rc = dfs_connect(config, uri, NULL, &fs, &why);
    if (rc == 0) /* now that it is known where relative paths begin */
        rc = dfs_resolve(fs, text, &a, &path, &uri, &why);
    if (rc == 0)
        return recover(fs, path, retries);
    fprintf(stderr, "recoverLease: %s\n", why.text);
    return FAILED;
}
