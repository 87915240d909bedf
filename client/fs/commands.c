/* The table of shell commands, by name. The syntax is Hadoop's; the help is ours. */
#include <stddef.h>

#include "client/fs/shell.h"

#define COPY_HELP                                                                                                      \
    "-f: replaces a destination file that exists.\n"                                                                   \
    "-p: keeps times, owner, group and mode.\n"                                                                        \
    "-t <thread count>: copies this many files at once.\n"                                                             \
    "-q <thread pool queue size>: accepted; the queue needs no tuning.\n"
#define CLUSTER_COPY_HELP "-d: writes under the final name at once, not as <dst>._COPYING_ first.\n"

const struct shell_command shell_commands[] = {
    {"appendToFile", "[-n] <localsrc> ... <dst>", NULL, append_run,
     "Adds local files, or standard input (-), to the end of dst, which is created if it is missing.\n"
     "-n: begins a new block."},
    {"cat", "[-ignoreCrc] <src> ...", NULL, cat_run, "Writes files to standard output."},
    {"checksum", "[-v] <src> ...", NULL, checksum_run,
     "Prints a checksum per file. It depends on content, block size and checksum settings.\n"
     "-v: shows the block size too."},
    {"chgrp", "[-R] GROUP PATH...", NULL, chgrp_run, "Changes the group. -R: with everything below."},
    {"chmod", "[-R] <MODE[,MODE]... | OCTALMODE> PATH...", NULL, chmod_run,
     "Changes permissions. MODE: letters rwxXt, such as +t,a+r,g-w. OCTALMODE: three digits, or four with 0 or 1 "
     "(sticky)\n"
     "in front. No umask applies. -R: with everything below."},
    {"chown", "[-R] [OWNER][:[GROUP]] PATH...", NULL, chown_run, "Changes owner and group. -R: with everything below."},
    {"concat", "<target path> <src path> <src path> ...", NULL, concat_run,
     "Moves the blocks of the sources to the end of target, without copying. The sources are gone then."},
    {"copyFromLocal", "[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>",
     NULL, put_run, "The same as -put."},
    {"copyToLocal",
     "[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] <src> ... <localdst>", NULL,
     get_run, "The same as -get."},
    {"count", "[-q] [-h] [-v] [-t [<storage type>]] [-u] [-x] [-e] [-s] <path> ...", NULL, count_run,
     "Counts directories, files and bytes: DIR_COUNT FILE_COUNT CONTENT_SIZE PATHNAME\n"
     "-q: quotas first: QUOTA REM_QUOTA SPACE_QUOTA REM_SPACE_QUOTA\n"
     "-u: quotas only.\n"
     "-t [types]: with -q or -u: quotas by storage type (comma-separated, or all).\n"
     "-h: sizes for people. -v: a header. -x: without snapshots. -s: what snapshots hold. -e: erasure coding policy."},
    {"cp", "[-f] [-p | -p[topax]] [-d] [-t <thread count>] [-q <thread pool queue size>] <src> ... <dst>", NULL, cp_run,
     "Copies files and directories within and between file systems.\n"
     "-p[top]: keeps only times, owner, permission.\n" COPY_HELP CLUSTER_COPY_HELP},
    {"createSnapshot", "<snapshotDir> [<snapshotName>]", NULL, create_snapshot_run,
     "Takes a snapshot of a directory: snapshotDir/.snapshot/snapshotName stays as it is now. Default name: the time."},
    {"deleteSnapshot", "<snapshotDir> <snapshotName>", NULL, delete_snapshot_run, "Deletes a snapshot."},
    {"df", "[-h] [<path> ...]", NULL, df_run, "Shows capacity, used and free space. -h: sizes for people."},
    {"du", "[-s] [-h] [-v] [-x] <path> ...", NULL, du_run,
     "Shows size, space used by all replicas, and name, of each entry of a directory.\n"
     "-s: one line per path. -h: sizes for people. -v: a header. -x: without what only snapshots hold."},
    {"dus", "", "du -s", dus_run, ""},
    {"expunge", "[-immediate] [-fs <path>]", NULL, expunge_run,
     "Removes old trash and begins a new checkpoint. -immediate: removes all of it. -fs: in that file system."},
    {"find", "<path> ... <expression> ...", NULL, find_run,
     "Walks down and prints what matches.\n"
     "-name pattern, -iname pattern: the last component matches (-iname: whatever its case).\n"
     "-print, -print0: prints the path and a newline, or a NUL. -a, -and: both (also without the word)."},
    {"get", "[-f] [-p] [-crc] [-ignoreCrc] [-t <thread count>] [-q <thread pool queue size>] <src> ... <localdst>",
     NULL, get_run,
     "Copies to the local file system; - is standard output.\n" COPY_HELP
     "-crc: writes .name.crc files too. -ignoreCrc: accepted; checksums are always verified."},
    {"getfacl", "[-R] <path>", NULL, getfacl_run,
     "Shows the access control list of a path, and a directory's default one. -R: with everything below."},
    {"getfattr", "[-R] {-n name | -d} [-e en] <path>", NULL, getfattr_run,
     "Shows extended attributes: one (-n) or all (-d). -R: with everything below.\n"
     "-e: values as text (in quotes), hex (after 0x) or base64 (after 0s)."},
    {"getmerge", "[-nl] [-skip-empty-file] <src> <localdst>", NULL, getmerge_run,
     "Puts all files of the source directories, sorted by name, into one local file.\n"
     "-nl: a newline after each. -skip-empty-file: but not after empty ones."},
    {"head", "<file>", NULL, head_run, "Shows the first KiB."},
    {"help", "[cmd ...]", NULL, help_run, "Explains commands."},
    {"ls", "[-C] [-d] [-h] [-q] [-R] [-t] [-S] [-r] [-u] [-e] [<path> ...]", NULL, ls_run,
     "Lists directories: permissions, replication, owner, group, size, time, path.\n"
     "-C: paths only. -d: a directory itself. -h: sizes for people. -q: ? for control characters.\n"
     "-R: with everything below. -t: newest first. -S: largest first. -r: reversed. -u: time of access.\n"
     "-e: erasure coding policy."},
    {"lsr", "", "ls -R", lsr_run, ""},
    {"mkdir", "[-p] <path> ...", NULL, mkdir_run, "Makes directories. -p: and their parents; one that exists is fine."},
    {"moveFromLocal", "[-f] [-p] [-l] [-d] <localsrc> ... <dst>", NULL, move_from_local_run,
     "As -put, and removes the source."},
    {"moveToLocal", "<src> <localdst>", NULL, move_to_local_run, "Not implemented, as in Hadoop."},
    {"mv", "<src> ... <dst>", NULL, mv_run, "Renames, within one file system."},
    {"put", "[-f] [-p] [-l] [-d] [-t <thread count>] [-q <thread pool queue size>] <localsrc> ... <dst>", NULL, put_run,
     "Copies local files and directories; - is standard input.\n" COPY_HELP
     "-l: one replica, which may be in memory at first.\n" CLUSTER_COPY_HELP},
    {"renameSnapshot", "<snapshotDir> <oldName> <newName>", NULL, rename_snapshot_run,
     "Gives a snapshot another name."},
    {"rm", "[-f] [-r|-R] [-skipTrash] [-safely] <src> ...", NULL, rm_run,
     "Removes files.\n"
     "-f: a path that is missing is fine. -r, -R: directories with everything below.\n"
     "-skipTrash: at once, not through the trash. -safely: asks before removing a directory of many files."},
    {"rmdir", "[--ignore-fail-on-non-empty] <dir> ...", NULL, rmdir_run, "Removes empty directories."},
    {"rmr", "", "-rm -r", rmr_run, ""},
    {"setfacl", "[-R] [{-b|-k} {-m|-x <acl_spec>} <path>]|[--set <acl_spec> <path>]", NULL, setfacl_run,
     "Changes the access control list of a path. -R: with everything below.\n"
     "-b: removes all but what the mode says. -k: removes the default entries.\n"
     "-m: adds or changes these entries. -x: removes these. --set: these instead of those there are.\n"
     "acl_spec: [default:]user|group|mask|other:[name]:rwx, separated by commas; without :rwx after -x."},
    {"setfattr", "{-n name [-v value] | -x name} <path>", NULL, setfattr_run,
     "Sets (-n) or removes (-x) an extended attribute.\n"
     "-v: the value; in double quotes, or hexadecimal after 0x, or base64 after 0s, or as it is."},
    {"setrep", "[-R] [-w] <rep> <path> ...", NULL, setrep_run,
     "Sets how many replicas files have. -w: waits until they have them. -R: accepted."},
    {"stat", "[format] <path> ...", NULL, stat_run,
     "Prints what format says: %a octal mode, %A mode, %b bytes, %F type, %g group, %n name, %o block size,\n"
     "%r replication, %u owner, %x %X time of access, %y %Y time of modification (UTC, and ms since 1970). Default "
     "%y."},
    {"tail", "[-f] [-s <sleep interval>] <file>", NULL, tail_run,
     "Shows the last KiB. -f: and what is added. -s: looking every so many milliseconds."},
    {"test", "-[defswrz] <path>", NULL, test_run,
     "Exit code 0 if path is a directory (-d), exists (-e), is a file (-f), is not empty (-s), may be written (-w) or\n"
     "read (-r), has no bytes (-z)."},
    {"text", "[-ignoreCrc] <src> ...", NULL, text_run, "As -cat, and unpacks gzip and zlib data."},
    {"touch", "[-a] [-m] [-t TIMESTAMP (yyyyMMdd:HHmmss) ] [-c] <path> ...", NULL, touch_run,
     "Sets times to now and creates what is missing.\n"
     "-a: access time only. -m: modification time only. -t: to this time. -c: creates nothing."},
    {"touchz", "<path> ...", NULL, touchz_run, "Creates empty files."},
    {"truncate", "[-w] <length> <path> ...", NULL, truncate_run, "Cuts files to a length. -w: waits until it is done."},
    {"usage", "[cmd ...]", NULL, usage_run, "Shows the syntax of commands."},
    {0},
};
