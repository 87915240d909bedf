/* What every command does first: Hadoop's generic options, settings, and which cluster is meant. */
#ifndef CAIRN_COMMON_CLI_H
#define CAIRN_COMMON_CLI_H

#include "common/config.h"

#define EXIT_USAGE 255 /* what `hadoop fs` exits with (-1) on bad usage */

/* Takes -fs URI, -conf FILE, -D name=value (or -Dname=value), -jt/-scheduler HOST:PORT, --config DIR out of argv (only
 * before the first operand that is not an option; argc/argv shrink in place, argv[0] stays), loads the settings in
 * their order, and finds the local cluster that this user has running and means (see cli_find_cluster). Also takes our
 * own --debug. Errors are ready to print after "argv0: ". */
int cli_load(int *argc, char **argv, struct config **ret, struct err *reterr) MUST_CHECK;

/* -help, --help or -h comes first: for that, cli_load looks for no cluster. */
bool cli_asks_help(int argc, char **argv);

/* For daemons and `cairn up`: the same sources, the generic options may stand anywhere before "--", and no cluster is
 * looked for. */
int cli_load_settings(int *argc, char **argv, struct config **ret, struct err *reterr) MUST_CHECK;

/* What cli_load_settings found when this process began, read again: files and environment as they are now, the same
 * command line. */
int cli_reload_settings(struct config **ret, struct err *reterr) MUST_CHECK;

/* `cairn up` holds an abstract UNIX socket named cairn-cluster:<uid>:<DIR>; /proc/net/unix lists them, so nothing is
 * written outside DIR. One running => its DIR/cluster.json sets fs.defaultFS, cairn.namenode.http-address and
 * cairn.scheduler.address where nobody did. None: leaves things alone (returns 0). Several: ERR_CONFIG naming them,
 * unless $CAIRN_DIR chooses. When fs.defaultFS was set by someone, only clusters that serve it count (to find the pages
 * and the scheduler that belong to `-fs URI`). */
int cli_find_cluster(struct config *c, struct err *reterr) MUST_CHECK;
/* The file system meant is that of this URI from now on: what the settings say of another one's pages does not count
 * for it (only -D does), and cli_find_cluster looks for those it has here. cli_load does that for -fs. */
int cli_turn_to(struct config *c, const char *uri, struct err *reterr) MUST_CHECK;
#define CLI_CLUSTER_SOCKET_PREFIX "cairn-cluster:"

#endif
