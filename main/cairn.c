/* Composition root: one executable, many subcommands; called as hdfs, hadoop or mapred it takes those programs' lines. */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "main/commands.h"

#define CAIRN_VERSION "0.1.0"

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* weak: a part that is not built in is not offered */
    const char *help;
    int daemon; /* logs at info */
};

#pragma weak namenode_main
#pragma weak datanode_main
#pragma weak scheduler_main
#pragma weak worker_main
#pragma weak mount_main
#pragma weak up_main
#pragma weak down_main
#pragma weak fs_main
#pragma weak dfsadmin_main
#pragma weak fsck_main
#pragma weak streaming_main
#pragma weak job_main
#pragma weak task_main

static const struct command commands[] = {
    {"up", up_main, "start a whole cluster on this machine", 1},
    {"down", down_main, "stop a cluster that `up` started", 0},
    {"fs", fs_main, "file commands, as `hadoop fs`", 0},
    {"dfs", fs_main, "the same, as `hdfs dfs`", 0},
    {"mount", mount_main, "mount the file system", 1},
    {"streaming", streaming_main, "run a Map/Reduce job, as Hadoop Streaming", 0},
    {"job", job_main, "list, inspect and kill jobs", 0},
    {"dfsadmin", dfsadmin_main, "cluster report and administration", 0},
    {"fsck", fsck_main, "check files and their blocks", 0},
    {"namenode", namenode_main, "daemon: the namespace and the block map", 1},
    {"datanode", datanode_main, "daemon: block storage and transfer", 1},
    {"scheduler", scheduler_main, "daemon: the Map/Reduce master", 1},
    {"worker", worker_main, "daemon: runs tasks beside a datanode", 1},
    {"task", task_main, NULL, 1},
};

static int usage(FILE *to)
{
    fprintf(to, "Usage: cairn COMMAND [generic options] [command options]\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].help && commands[i].run)
            fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nGeneric options of every command: -fs URI, -conf FILE, -D name=value.\n"
                "`cairn COMMAND -help` tells about one command.\n");
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error code, not a death */
    const char *called = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (argc < 2)
        return usage(stderr);
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h"))
        return usage(stdout);
    if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
        printf("Cairn " CAIRN_VERSION "\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(argv[1], commands[i].name) && commands[i].run) {
            log_level_from_env(commands[i].daemon ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
            return commands[i].run(argc - 1, argv + 1);
        }
    if (argc > 2 && strncmp(argv[1], "hdfs://", 7) == 0 && mount_main) /* as mount(8) calls a fuse.cairn file system */
        return mount_main(argc, argv);
    fprintf(stderr, "%s: '%s' is not a command; `cairn help` lists them\n", called, argv[1]);
    return 2;
}
