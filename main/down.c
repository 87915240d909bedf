/* `cairn down`: asks the supervisor of a local cluster to stop it, and ends what a killed supervisor left behind. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "main/cluster.h"
#include "main/commands.h"

#define DOWN_TIMEOUT_MS     60000
#define DOWN_POLL_MS        20
#define DOWN_JSON_MAX_BYTES (1 << 20)

/* Is that process one of ours for this folder? A pid alone may have been given to somebody else since. */
static bool down_is_ours(pid_t pid, const char *word)
{
    char path[64], line[8192];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    for (ssize_t i = 0; i < n; i++)
        if (line[i] == 0)
            line[i] = ' ';
    line[n] = 0;
    return strstr(line, word) != NULL;
}

static bool down_wait(pid_t pid, const char *word, int timeout_ms)
{
    for (int64_t deadline = clock_mono_ms() + timeout_ms; down_is_ours(pid, word); clock_sleep_ms(DOWN_POLL_MS))
        if (clock_mono_ms() > deadline)
            return false;
    return true;
}

static int down_cluster(const char *dir, const char *path, json_t *root)
{
    pid_t supervisor = (pid_t)json_integer_value(json_object_get(root, "supervisor"));
    int socket_fd = -1;
    /* Whoever holds the folder's socket is its supervisor; cluster.json has its pid. */
    bool supervised = cluster_hold_socket(dir, &socket_fd, NULL) == ERR_BUSY;
    if (socket_fd >= 0)
        close(socket_fd);
    if (supervised && supervisor > 1) {
        kill(supervisor, SIGTERM);
        if (!down_wait(supervisor, " up ", DOWN_TIMEOUT_MS)) {
            fprintf(stderr, "cairn down: the supervisor (pid %d) does not end; see %s/logs/up.log\n", (int)supervisor,
                    dir);
            return 1;
        }
    }
    AUTO(mem_freep) char *mark = mem_printf("--config %s/conf ", dir); /* what `up` starts every daemon with */
    size_t i;
    json_t *daemon;
    json_array_foreach(json_object_get(root, "daemons"), i, daemon)
    {
        pid_t pid = (pid_t)json_integer_value(json_object_get(daemon, "pid"));
        if (pid > 1 && down_is_ours(pid, mark)) {
            kill(pid, SIGTERM);
            if (!down_wait(pid, mark, DOWN_TIMEOUT_MS / 6))
                kill(pid, SIGKILL);
        }
    }
    (void)unlink(path); /* the supervisor removed it already if it could */
    return 0;
}

int down_main(int argc, char **argv)
{
    const char *given = "cairn-cluster";
    if (argc == 2 && cli_asks_help(argc, argv))
        return printf("Usage: cairn down [--dir DIR]\n"
                      "  --dir DIR      of the cluster that `cairn up` started (default ./cairn-cluster)\n") < 0;
    if (argc == 3 && strcmp(argv[1], "--dir") == 0) {
        given = argv[2];
    } else if (argc != 1) {
        fprintf(stderr, "Usage: cairn down [--dir DIR]\n");
        return 2;
    }
    AUTO(mem_freep) char *dir = realpath(given, NULL);
    if (!dir) {
        fprintf(stderr, "cairn down: --dir '%s': %s\n", given, strerror(errno));
        return 1;
    }
    struct err err = {0};
    struct buf text = {0};
    json_error_t why;
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", dir);
    int rc = file_read(path, DOWN_JSON_MAX_BYTES, &text, &err);
    if (rc == ERR_NOT_FOUND) {
        fprintf(stderr, "cairn down: no cluster runs in '%s' (there is no cluster.json)\n", dir);
        return 1;
    }
    if (rc < 0) {
        fprintf(stderr, "cairn down: %s\n", err.text);
        return 1;
    }
    json_t *root = json_loadb((const char *)text.base, text.len, 0, &why);
    buf_free(&text);
    if (!root) {
        fprintf(stderr, "cairn down: '%s' line %d: %s\n", path, why.line, why.text);
        return 1;
    }
    int code = down_cluster(dir, path, root);
    json_decref(root);
    return code;
}
