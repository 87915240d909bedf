/* `cairn fs`: one run of one command.
 *
 * A command is a row of the table in commands.c. Its run() reads its options, then walks over its operands (walk.h); an
 * operand that fails is reported as "name: text" on stderr and the others go on; the exit code is 1 then. Wrong usage
 * ends at once with the usage and exit code 255 (shell_misuse). Messages and codes are those of Hadoop's FsShell.
 *
 * One thread runs the command; copies may run on more (copy.h), and only shell_report and shell_warn are for them too.
 */
#ifndef CAIRN_CLIENT_FS_SHELL_H
#define CAIRN_CLIENT_FS_SHELL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "client/fs/options.h"
#include "common/arena.h"
#include "common/config.h"
#include "common/err.h"

struct shell_fs;
struct shell_command;

struct shell {
    const struct shell_command *command;
    const struct config *config;
    struct arena arena;           /* for what lives as long as the command */
    struct shell_fs *filesystems; /* opened so far */
    int exit_code;                /* when nothing failed */
    bool misused;                 /* the error that run() returned is about usage */
    pthread_mutex_t lock;         /* guards error_count and the order of messages */
    int error_count;
    bool hinted; /* at how to name a file system */
};

struct shell_command {
    const char *name;        /* without the dash */
    const char *usage;       /* what follows the name */
    const char *replacement; /* deprecated: what to use instead */
    int (*run)(struct shell *sh, struct args *args, struct err *reterr);
    const char *help; /* lines */
};
extern const struct shell_command shell_commands[]; /* by name, ends with name == NULL */

/* Reports a failure of one operand: "name: first line of the text" on stderr; the exit code becomes 1. */
void shell_report(struct shell *sh, const struct err *e);
void shell_warn(struct shell *sh, const char *format, ...) PRINTF_LIKE(2, 3);
/* Marks the command as misused: run() is to return this at once, the walker stops. */
int shell_misuse(struct shell *sh, struct err *reterr, const char *format, ...) PRINTF_LIKE(3, 4);
/* options_parse whose failure is misuse. */
int shell_options(struct shell *sh, struct args *a, size_t min, size_t max, struct option_flag *flags,
                  struct err *reterr) MUST_CHECK;
/* Output of this command cannot be written any more (closed pipe, full disk): time to stop. */
int shell_output_check(struct err *reterr) MUST_CHECK;

/* "`text': message" */
int path_error(struct err *reterr, int code, const char *text, const char *message);
int path_not_found(struct err *reterr, const char *text);

void shell_print_usage(FILE *to);
void shell_print_command_usage(FILE *to, const struct shell_command *c);
const struct shell_command *shell_command_find(const char *name_with_dash);

/* The families, one file each. */
int ls_run(struct shell *sh, struct args *args, struct err *reterr);
int lsr_run(struct shell *sh, struct args *args, struct err *reterr);
int mkdir_run(struct shell *sh, struct args *args, struct err *reterr);
int touchz_run(struct shell *sh, struct args *args, struct err *reterr);
int touch_run(struct shell *sh, struct args *args, struct err *reterr);
int put_run(struct shell *sh, struct args *args, struct err *reterr);
int move_from_local_run(struct shell *sh, struct args *args, struct err *reterr);
int move_to_local_run(struct shell *sh, struct args *args, struct err *reterr);
int get_run(struct shell *sh, struct args *args, struct err *reterr);
int cp_run(struct shell *sh, struct args *args, struct err *reterr);
int mv_run(struct shell *sh, struct args *args, struct err *reterr);
int getmerge_run(struct shell *sh, struct args *args, struct err *reterr);
int append_run(struct shell *sh, struct args *args, struct err *reterr);
int cat_run(struct shell *sh, struct args *args, struct err *reterr);
int text_run(struct shell *sh, struct args *args, struct err *reterr);
int head_run(struct shell *sh, struct args *args, struct err *reterr);
int tail_run(struct shell *sh, struct args *args, struct err *reterr);
int checksum_run(struct shell *sh, struct args *args, struct err *reterr);
int rm_run(struct shell *sh, struct args *args, struct err *reterr);
int rmr_run(struct shell *sh, struct args *args, struct err *reterr);
int rmdir_run(struct shell *sh, struct args *args, struct err *reterr);
int expunge_run(struct shell *sh, struct args *args, struct err *reterr);
int du_run(struct shell *sh, struct args *args, struct err *reterr);
int dus_run(struct shell *sh, struct args *args, struct err *reterr);
int df_run(struct shell *sh, struct args *args, struct err *reterr);
int count_run(struct shell *sh, struct args *args, struct err *reterr);
int stat_run(struct shell *sh, struct args *args, struct err *reterr);
int test_run(struct shell *sh, struct args *args, struct err *reterr);
int find_run(struct shell *sh, struct args *args, struct err *reterr);
int chmod_run(struct shell *sh, struct args *args, struct err *reterr);
int chown_run(struct shell *sh, struct args *args, struct err *reterr);
int chgrp_run(struct shell *sh, struct args *args, struct err *reterr);
int setrep_run(struct shell *sh, struct args *args, struct err *reterr);
int truncate_run(struct shell *sh, struct args *args, struct err *reterr);
int concat_run(struct shell *sh, struct args *args, struct err *reterr);
int getfacl_run(struct shell *sh, struct args *args, struct err *reterr);
int setfacl_run(struct shell *sh, struct args *args, struct err *reterr);
int getfattr_run(struct shell *sh, struct args *args, struct err *reterr);
int setfattr_run(struct shell *sh, struct args *args, struct err *reterr);
int create_snapshot_run(struct shell *sh, struct args *args, struct err *reterr);
int delete_snapshot_run(struct shell *sh, struct args *args, struct err *reterr);
int rename_snapshot_run(struct shell *sh, struct args *args, struct err *reterr);
int help_run(struct shell *sh, struct args *args, struct err *reterr);
int usage_run(struct shell *sh, struct args *args, struct err *reterr);

#endif
