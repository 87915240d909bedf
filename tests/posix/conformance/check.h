/* What every subject of the conformance suite uses.
 *
 * A subject is a function that makes calls in a directory of its own, its working directory, as root with umask 022. It
 * runs in a process of its own with a deadline. Each check prints one line, "ok N - subject: what was checked"; the
 * text is made from the call itself, with `why` where the same call stands in several situations. */
#ifndef CAIRN_TESTS_POSIX_CHECK_H
#define CAIRN_TESTS_POSIX_CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

// clang-format off
#define SUBJECTS(X) \
    X(path_errors) X(read_only) X(names) X(open_flags) X(open_errors) X(append) X(exclusive) X(read_write) X(splice) X(seek) \
    X(truncate) X(fallocate) X(mmap) X(sync) X(copy_range) X(link) X(symlink) X(unlink) X(directories) X(mknod) \
    X(rename) X(renameat2) X(whiteout) X(open_unlinked) X(tmpfile) X(chmod) X(chown) X(setid_clearing) X(privileges) \
    X(utimens) X(stat) X(permissions) X(readdir) X(sticky) X(setgid_directory) X(xattr) X(acl) X(locks) X(locks_between_mounts) \
    X(two_mounts)
// clang-format on
#define SUBJECT_DECLARE(name) void subject_##name(void);
SUBJECTS(SUBJECT_DECLARE)

/* ---- checks. `why` is a string literal and may be left out ---- */
#define OK(call, ...)           check_errno(0, (long)(call), #call, "" __VA_ARGS__)
#define FAILS(error, call, ...) check_errno(error, (long)(call), #call, "" __VA_ARGS__)
#define IS(wanted, value, ...)  check_value((long long)(wanted), (long long)(value), #value, "" __VA_ARGS__)
#define HOLDS(condition, ...)   check_value(1, !!(condition), #condition, "" __VA_ARGS__)
/* What a subject needs before it can check anything: when it fails, so does the subject, and ends. */
#define MUST(call) check_must((long)(call), #call)

/* wanted 0: the result is not -1; else it is -1 with this errno. True when it was as wanted. */
bool check_errno(int wanted, long result, const char *text, const char *why);
bool check_value(long long wanted, long long value, const char *text, const char *why);
long check_must(long result, const char *text);
/* Like check_errno, with a text that a table's row makes; `other` is a second errno that POSIX allows, or 0. */
bool check_row(int wanted, int other, long result, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- users. Nobody knows their names; CAROL is also in ALICE's group ---- */
enum who { ROOT, ALICE, BOB, CAROL };
enum { ALICE_ID = 70001, BOB_ID = 70002, CAROL_ID = 70003 };
int become(enum who who); /* 1 */
#define AS(who) for (int as_ = become(who); as_; as_ = become(ROOT) - 1)

/* ---- files ---- */
void put_file(const char *path, const char *text);                 /* made or replaced, mode 0644 */
bool file_has(const char *path, const void *bytes, size_t length); /* exactly these */
mode_t mode_of(const char *path); /* 07777; of a symbolic link itself, like all of these */
struct stat stat_of(const char *path);
bool exists(const char *path);
char *repeated(char c, size_t count); /* a string for as long as the process lives */

/* The path of a name of the working directory through the other mount; good until the next call. */
const char *there(const char *name);

/* ---- time stamps. watch() makes atime and mtime old and lets the clock move on; stamps() checks that exactly
 * these changed since. Up to eight paths are watched at a time; a path is watched until its stamps are checked ---- */
enum { ATIME = 1, MTIME = 2, CTIME = 4, MAYBE_ATIME = 8 };
void watch(const char *path);
#define STAMPS(which, path, after) check_stamps(which, path, after)
void check_stamps(int which, const char *path, const char *after);
void clock_moves(void); /* returns when a later change gets a later time stamp */

/* ---- processes ---- */
/* Runs work(number) in `count` processes at once and waits for all; true if each returned true. */
bool in_processes(int count, bool (*work)(int number));
/* What calling work() in a process of its own returned; -1 if it died. */
int in_process(int (*work)(void));

#endif
