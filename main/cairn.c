/* Composition root: one executable, many subcommands; called as hdfs, hadoop or mapred it takes those programs' lines.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "main/commands.h"

#define CAIRN_VERSION "0.1.0"
#define HADOOP_VERSION                                                                                                 \
    "3.4.1" /* whose protocol and command lines these are; programs read it from `hadoop version`                      \
             */

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* weak: a part that is not built in is not offered */
    const char *help;
    int daemon; /* logs at info */
};

#pragma weak namenode_main
#pragma weak datanode_main
#pragma weak httpfs_main
#pragma weak scheduler_main
#pragma weak worker_main
#pragma weak mount_main
#pragma weak up_main
#pragma weak down_main
#pragma weak fs_main
#pragma weak dfsadmin_main
#pragma weak fsck_main
#pragma weak getconf_main
#pragma weak groups_main
#pragma weak haadmin_main
#pragma weak debug_main
#pragma weak storagepolicies_main
#pragma weak ls_snapshottable_dir_main
#pragma weak ls_snapshot_main
#pragma weak snapshot_diff_main
#pragma weak doctor_main
#pragma weak streaming_main
#pragma weak job_main
#pragma weak task_main
#pragma weak attempt_main
#pragma weak spawner_main

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
    {"getconf", getconf_main, "show a setting, as `hdfs getconf`", 0},
    {"lsSnapshottableDir", ls_snapshottable_dir_main, "directories that snapshots may be taken of", 0},
    {"lsSnapshot", ls_snapshot_main, "snapshots of a directory", 0},
    {"snapshotDiff", snapshot_diff_main, "what changed between snapshots", 0},
    {"groups", groups_main, "the groups the namenode sees a user in", 0},
    {"haadmin", haadmin_main, "the state of the namenodes of a nameservice, as `hdfs haadmin`", 0},
    {"debug", debug_main, "close a file that its writer left open, as `hdfs debug recoverLease`", 0},
    {"doctor", doctor_main, "find out what is wrong, and what mends it", 0},
    {"storagepolicies", storagepolicies_main, "on which types of storage files are kept", 0},
    {"namenode", namenode_main, "daemon: the namespace and the block map", 1},
    {"datanode", datanode_main, "daemon: block storage and transfer", 1},
    {"httpfs", httpfs_main, "daemon: the whole file system over HTTP, on one port", 1},
    {"scheduler", scheduler_main, "daemon: the Map/Reduce master", 1},
    {"worker", worker_main, "daemon: runs tasks beside a datanode", 1},
    {"task", task_main, NULL, 1},
    {"attempt", attempt_main, NULL, 1},
    {"spawner", spawner_main, NULL, 1},
};

/* Called by another program's name, this is that program: its words for our commands. */
static const struct {
    const char *program, *word, *command;
} aliases[] = {
    {"hdfs", "dfs", "fs"},
    {"hdfs", "dfsadmin", "dfsadmin"},
    {"hdfs", "fsck", "fsck"},
    {"hdfs", "getconf", "getconf"},
    {"hdfs", "lsSnapshottableDir", "lsSnapshottableDir"},
    {"hdfs", "lsSnapshot", "lsSnapshot"},
    {"hdfs", "snapshotDiff", "snapshotDiff"},
    {"hdfs", "groups", "groups"},
    {"hdfs", "haadmin", "haadmin"},
    {"hdfs", "debug", "debug"},
    {"hdfs", "storagepolicies", "storagepolicies"},
    {"hdfs", "namenode", "namenode"},
    {"hdfs", "datanode", "datanode"},
    {"hdfs", "httpfs", "httpfs"},
    {"hadoop", "fs", "fs"},
    {"hadoop", "dfs", "fs"},
    {"hadoop", "jar", "streaming"}, /* the only jar we have is Hadoop Streaming */
    {"mapred", "job", "job"},
    {"mapred", "streaming", "streaming"},
};
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COUNT(commands); i++)
        if (!strcmp(name, commands[i].name) && commands[i].run)
            return &commands[i];
    return NULL;
}

static int command_run(const struct command *c, int argc, char **argv)
{
    log_level_from_env(c->daemon ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
    return c->run(argc, argv);
}

static int usage(FILE *to)
{
    fprintf(to, "Usage: cairn COMMAND [generic options] [command options]\n\nCommands:\n");
    for (size_t i = 0; i < COUNT(commands); i++)
        if (commands[i].help && commands[i].run)
            fprintf(to, "  %-18s %s\n", commands[i].name, commands[i].help);
    fprintf(to, "\nGeneric options of every command: -fs URI, -conf FILE, -D name=value.\n"
                "`cairn COMMAND -help` tells about one command.\n");
    return to == stdout ? 0 : 2;
}

static bool is_alias_program(const char *called)
{
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (!strcmp(called, aliases[i].program))
            return true;
    return false;
}

static int alias_usage(const char *called, FILE *to)
{
    fprintf(to, "Usage: %s [--config DIR] COMMAND [generic options] [command options]\n\nCommands:\n", called);
    for (size_t i = 0; i < COUNT(aliases); i++)
        if (!strcmp(called, aliases[i].program) && command_find(aliases[i].command))
            fprintf(to, "  %-18s %s\n", aliases[i].word, command_find(aliases[i].command)->help);
    fprintf(to, "  %-18s %s\n", "version", "the version");
    return to == stdout ? 0 : 1;
}

/* `hadoop jar /path/hadoop-streaming-3.4.1.jar -input ...`: the jar names the program. */
static int jar_check(int argc, char **argv)
{
    const char *jar = argc > 2 ? argv[2] : "";
    const char *name = strrchr(jar, '/') ? strrchr(jar, '/') + 1 : jar;
    if (strstr(name, "streaming"))
        return 0;
    fprintf(stderr, "%s jar: '%s' cannot be run: only Hadoop Streaming jobs run without a JVM\n", argv[0], jar);
    return 1;
}

static int alias_main(const char *called, int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "--config")) { /* stands before the command there */
        setenv("HADOOP_CONF_DIR", argv[2], 1);
        argv += 2;
        argc -= 2;
    }
    const char *word = argc > 1 ? argv[1] : "";
    if (!strcmp(word, "version") || !strcmp(word, "--version")) {
        printf("Hadoop " HADOOP_VERSION "\nCairn " CAIRN_VERSION ", which speaks its protocols\n");
        return 0;
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-help") || !strcmp(word, "-h") || !strcmp(word, "help"))
        return alias_usage(called, stdout);
    for (size_t i = 0; i < COUNT(aliases); i++) {
        const struct command *c = command_find(aliases[i].command);
        if (strcmp(called, aliases[i].program) || strcmp(word, aliases[i].word) || !c)
            continue;
        int skip = 1;
        if (!strcmp(word, "jar")) {
            if (jar_check(argc, argv))
                return 255;
            skip = 2;
        }
        argv[skip] = (char *)c->name;
        return command_run(c, argc - skip, argv + skip);
    }
    if (*word)
        fprintf(stderr, "ERROR: %s is not COMMAND nor fully qualified CLASSNAME.\n", word);
    return alias_usage(called, stderr);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a peer that went away is an error code, not a death */
    const char *called = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    if (is_alias_program(called))
        return alias_main(called, argc, argv);
    if (!strcmp(called, "mount.fuse.cairn") && mount_main) {
        log_level_from_env(LOG_LEVEL_INFO);
        return mount_main(argc, argv);
    }
    if (argc < 2)
        return usage(stderr);
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h"))
        return usage(stdout);
    if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version")) {
        printf("Cairn " CAIRN_VERSION "\n");
        return 0;
    }
    const struct command *c = command_find(argv[1]);
    if (c)
        return command_run(c, argc - 1, argv + 1);
    if (argc > 2 && strncmp(argv[1], "hdfs://", 7) == 0 && mount_main) /* as mount(8) calls a fuse.cairn file system */
        return mount_main(argc, argv);
    fprintf(stderr, "%s: '%s' is not a command; `cairn help` lists them\n", called, argv[1]);
    return 2;
}
