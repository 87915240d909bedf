/* The entry of every subcommand, implemented by its own folder: argv[0] is the subcommand's name; the return value is
 * the process's exit code. */
#ifndef CAIRN_MAIN_COMMANDS_H
#define CAIRN_MAIN_COMMANDS_H

int namenode_main(int argc, char **argv);             /* namenode/daemon.c */
int datanode_main(int argc, char **argv);             /* datanode/daemon.c */
int httpfs_main(int argc, char **argv);               /* webhdfs/gateway.c */
int scheduler_main(int argc, char **argv);            /* scheduler/master/daemon.c */
int worker_main(int argc, char **argv);               /* scheduler/worker/daemon.c */
int mount_main(int argc, char **argv);                /* fuse/mount.c */
int up_main(int argc, char **argv);                   /* main/up.c */
int down_main(int argc, char **argv);                 /* main/down.c */
int fs_main(int argc, char **argv);                   /* client/fs/fs_shell.c */
int dfsadmin_main(int argc, char **argv);             /* client/admin/dfsadmin.c */
int fsck_main(int argc, char **argv);                 /* client/admin/fsck.c */
int getconf_main(int argc, char **argv);              /* client/admin/getconf.c */
int ls_snapshottable_dir_main(int argc, char **argv); /* client/admin/snapshot_cmd.c, and the next two */
int ls_snapshot_main(int argc, char **argv);
int snapshot_diff_main(int argc, char **argv);
int groups_main(int argc, char **argv);          /* client/admin/getconf.c */
int haadmin_main(int argc, char **argv);         /* client/admin/haadmin.c */
int storagepolicies_main(int argc, char **argv); /* client/admin/storagepolicies.c */
int debug_main(int argc, char **argv);           /* client/admin/debug.c */
int doctor_main(int argc, char **argv);          /* client/admin/doctor/doctor.c */
int streaming_main(int argc, char **argv);       /* scheduler/cli/streaming.c */
int job_main(int argc, char **argv);             /* scheduler/cli/job.c */
int spawner_main(int argc, char **argv);         /* scheduler/worker/spawner.c: forks attempts */
int attempt_main(int argc, char **argv);         /* scheduler/worker/stage.c: becomes a user, then task_main */
int task_main(int argc, char **argv);            /* scheduler/engine/task.c: one attempt, started by a worker */

#endif
