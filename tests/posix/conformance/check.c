/* The runner: options, one process per subject, the lines and the count at the end. */
#include "check.h"

#include <ftw.h>
#include <getopt.h>
#include <grp.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>

struct subject {
    const char *name;
    void (*run)(void);
};
#define SUBJECT_ROW(name) {#name, subject_##name},
static const struct subject subjects[] = {SUBJECTS(SUBJECT_ROW){NULL, NULL}};

enum { NAME_MAX_BYTES = 400, SEEN_MAX = 8192, KNOWN_MAX = 256, WATCHED_MAX = 8 };

static struct {
    unsigned ok, failed, known; /* shared with the processes of the subjects */
} * count;
static struct {
    char *name, *reason;
    bool *seen; /* shared too */
} known[KNOWN_MAX];
static size_t known_count;
static const char *subject_name;
static char *seen_names[SEEN_MAX];
static size_t seen_count;
static unsigned deadline_s = 60;
static char *second; /* the folder through another mount, or the same again */
static char work_there[PATH_MAX];

/* ---- checks ---- */
static void *shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return memory;
}

/* The same text again in a subject gets a number, so that a known difference names one check. */
static void make_unique(char *name)
{
    size_t length = strlen(name);
    unsigned times = 1;
    for (size_t i = 0; i < seen_count; i++)
        if (!strncmp(seen_names[i], name, length) && (!seen_names[i][length] || seen_names[i][length] == '#'))
            times++;
    if (times > 1)
        snprintf(name + length, NAME_MAX_BYTES - length, "#%u", times);
    if (seen_count < SEEN_MAX)
        seen_names[seen_count++] = strdup(name);
}

static bool report(bool ok, const char *text, const char *why, const char *seen)
{
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof(name) - 8, "%s: %s%s%s", subject_name, text, *why ? ", " : "", why);
    make_unique(name);
    size_t i = 0;
    while (i < known_count && strcmp(known[i].name, name))
        i++;
    unsigned number = count->ok + count->failed + count->known + 1;
    printf("%sok %u - %s", ok ? "" : "not ", number, name);
    if (i < known_count)
        *known[i].seen = true;
    if (i < known_count && ok)
        printf(" # listed as a known difference, but there is none");
    else if (i < known_count)
        printf(" # TODO %s", known[i].reason);
    printf("\n");
    if (!ok)
        printf("# %s\n", seen);
    if (i < known_count)
        ok ? count->failed++ : count->known++;
    else
        ok ? count->ok++ : count->failed++;
    fflush(stdout);
    return ok;
}

static const char *errno_name(int error)
{
    const char *name = strerrorname_np(error);
    return name ? name : "an unknown errno";
}

static bool check_result(int wanted, int other, long result, int error, const char *text, const char *why)
{
    char seen[200], full[NAME_MAX_BYTES];
    bool ok = wanted ? result == -1 && (error == wanted || (other && error == other)) : result != -1;
    snprintf(full, sizeof(full), "%s is %s%s%s", text, wanted ? errno_name(wanted) : "done", other ? " or " : "",
             other ? errno_name(other) : "");
    if (result == -1)
        snprintf(seen, sizeof(seen), "was %s", errno_name(error));
    else
        snprintf(seen, sizeof(seen), "was done: %ld", result);
    return report(ok, full, why, seen);
}

bool check_errno(int wanted, long result, const char *text, const char *why)
{
    return check_result(wanted, 0, result, errno, text, why);
}

bool check_row(int wanted, int other, long result, const char *format, ...)
{
    int error = errno;
    char text[NAME_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return check_result(wanted, other, result, error, text, "");
}

bool check_value(long long wanted, long long value, const char *text, const char *why)
{
    char seen[100];
    snprintf(seen, sizeof(seen), "was %lld, not %lld", value, wanted);
    return report(value == wanted, text, why, seen);
}

long check_must(long result, const char *text)
{
    if (result == -1) {
        check_result(0, 0, result, errno, text, "to begin with");
        _exit(1);
    }
    return result;
}

/* ---- users ---- */
int become(enum who who)
{
    static const uid_t ids[] = {0, ALICE_ID, BOB_ID, CAROL_ID};
    static const gid_t alices[] = {ALICE_ID};
    if (seteuid(0) || setgroups(who == CAROL ? 1 : 0, alices) || setegid(ids[who]) || seteuid(ids[who])) {
        perror("seteuid");
        _exit(1);
    }
    return 1;
}

/* ---- files ---- */
void put_file(const char *path, const char *text)
{
    int fd = MUST(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
    MUST(write(fd, text, strlen(text)));
    MUST(close(fd));
}

bool file_has(const char *path, const void *bytes, size_t length)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    char *buffer = malloc(length + 1);
    size_t got = 0;
    ssize_t n;
    while (got <= length && (n = pread(fd, buffer + got, length + 1 - got, got)) > 0)
        got += n;
    close(fd);
    bool same = got == length && !memcmp(buffer, bytes, length);
    free(buffer);
    return same;
}

struct stat stat_of(const char *path)
{
    struct stat st = {0};
    MUST(lstat(path, &st));
    return st;
}

mode_t mode_of(const char *path)
{
    return stat_of(path).st_mode & 07777;
}

bool exists(const char *path)
{
    struct stat st;
    return !lstat(path, &st);
}

char *repeated(char c, size_t length)
{
    char *text = malloc(length + 1);
    memset(text, c, length);
    text[length] = 0;
    return text;
}

const char *there(const char *name)
{
    static char path[PATH_MAX + NAME_MAX];
    snprintf(path, sizeof(path), "%s/%s", work_there, name);
    return path;
}

/* ---- time stamps ---- */
static struct {
    char path[64];
    struct stat before;
} watched[WATCHED_MAX];

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

void clock_moves(void)
{
    struct timespec start, now;
    clock_gettime(CLOCK_REALTIME, &start);
    do {
        sched_yield();
        clock_gettime(CLOCK_REALTIME_COARSE, &now); /* what file systems stamp with */
    } while (!is_later(now, start));
}

void watch(const char *path)
{
    struct timespec old[2] = {{1000000000, 111}, {1000000000, 222}};
    for (size_t i = 0; i < WATCHED_MAX; i++) {
        if (watched[i].path[0] && strcmp(watched[i].path, path))
            continue;
        MUST(utimensat(AT_FDCWD, path, old, AT_SYMLINK_NOFOLLOW));
        snprintf(watched[i].path, sizeof(watched[i].path), "%s", path);
        watched[i].before = stat_of(path);
        clock_moves();
        return;
    }
    abort();
}

void check_stamps(int which, const char *path, const char *after)
{
    size_t i = 0;
    while (i < WATCHED_MAX && strcmp(watched[i].path, path))
        i++;
    if (i == WATCHED_MAX)
        abort();
    struct stat was = watched[i].before, is = stat_of(path);
    watched[i].path[0] = 0;
    int changed = (is_later(is.st_atim, was.st_atim) ? ATIME : 0) | (is_later(is.st_mtim, was.st_mtim) ? MTIME : 0) |
                  (is_later(is.st_ctim, was.st_ctim) ? CTIME : 0);
    if (which & MAYBE_ATIME)
        which &= ~(MAYBE_ATIME | ATIME), changed &= ~ATIME;
    char text[200], seen[100];
    snprintf(text, sizeof(text), "time stamps of \"%s\" changed by %s:%s%s%s%s", path, after, which ? "" : " none",
             which & ATIME ? " atime" : "", which & MTIME ? " mtime" : "", which & CTIME ? " ctime" : "");
    snprintf(seen, sizeof(seen), "changed were:%s%s%s", changed & ATIME ? " atime" : "",
             changed & MTIME ? " mtime" : "", changed & CTIME ? " ctime" : "");
    report(changed == which, text, "", seen);
}

/* ---- processes ---- */
bool in_processes(int processes, bool (*work)(int number))
{
    bool all = true;
    fflush(stdout);
    for (int i = 0; i < processes; i++) {
        pid_t pid = MUST(fork());
        if (!pid)
            _exit(!work(i));
    }
    for (int i = 0; i < processes; i++) {
        int status = 1;
        wait(&status);
        all = all && !status;
    }
    return all;
}

int in_process(int (*work)(void))
{
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (!pid)
        _exit(work());
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the run ---- */
static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void run_subject(const struct subject *subject, const char *folder)
{
    char path[PATH_MAX];
    unsigned failed_before = count->failed;
    snprintf(path, sizeof(path), "%s/%s.%d", folder, subject->name, (int)getpid());
    snprintf(work_there, sizeof(work_there), "%s/%s.%d", second, subject->name, (int)getpid());
    subject_name = subject->name;
    MUST(mkdir(path, 0777));
    fflush(stdout);
    pid_t pid = MUST(fork());
    if (!pid) {
        alarm(deadline_s);
        MUST(chdir(path));
        MUST(chmod(".", 0777));
        subject->run();
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFSIGNALED(status) || (status && count->failed == failed_before)) {
        char seen[100];
        snprintf(seen, sizeof(seen), "ended by %s %d", WIFSIGNALED(status) ? "signal" : "exit code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        report(false, "comes to its end", "", seen);
    }
    if (count->failed == failed_before)
        remove_tree(path);
}

/* A line: the text of a check, " # ", the reason. */
static void read_known(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1000];
    if (!file) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = 0;
        if (!*line || *line == '#')
            continue;
        char *reason = strstr(line, " # ");
        if (!reason || known_count == KNOWN_MAX) {
            fprintf(stderr, "%s: not 'check # reason', or too many lines: %s\n", path, line);
            exit(2);
        }
        *reason = 0;
        known[known_count].name = strdup(line);
        known[known_count].reason = strdup(reason + 3);
        known[known_count++].seen = shared(sizeof(bool));
    }
    fclose(file);
}

static bool is_wanted(const char *name, char *const *only, int only_count)
{
    for (int i = 0; i < only_count; i++)
        if (!strcmp(only[i], name))
            return true;
    return !only_count;
}

/* A listed check of a subject that ran, and that did not take place, is as wrong as one that passes. */
static void report_unseen(char *const *only, int only_count)
{
    for (size_t i = 0; i < known_count; i++) {
        char subject[64];
        snprintf(subject, sizeof(subject), "%.*s", (int)strcspn(known[i].name, ":"), known[i].name);
        if (!*known[i].seen && is_wanted(subject, only, only_count)) {
            printf("not ok - %s # listed as a known difference, but there is no such check\n", known[i].name);
            count->failed++;
        }
    }
}

static int usage(void)
{
    fprintf(stderr, "usage: conformance [--list] [--only SUBJECT]... [--known FILE] [--deadline SECONDS] "
                    "[--second FOLDER] FOLDER\n");
    return 2;
}

static char *full_path(const char *path)
{
    char *full = realpath(path, NULL);
    if (!full) {
        perror(path);
        exit(2);
    }
    return full;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"list", no_argument, NULL, 'l'},         {"only", required_argument, NULL, 'o'},
        {"known", required_argument, NULL, 'k'},  {"deadline", required_argument, NULL, 'd'},
        {"second", required_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    char *only[64];
    int only_count = 0, option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'o' && only_count < 64)
            only[only_count++] = optarg;
        else if (option == 'k')
            read_known(optarg);
        else if (option == 'd')
            deadline_s = atoi(optarg);
        else if (option == 's')
            second = optarg;
        else if (option == 'l') {
            for (const struct subject *s = subjects; s->name; s++)
                puts(s->name);
            return 0;
        } else
            return usage();
    }
    if (optind != argc - 1)
        return usage();
    if (geteuid() != 0) {
        fprintf(stderr, "conformance: only root can become other users\n");
        return 2;
    }
    char *folder = full_path(argv[optind]);
    second = second ? full_path(second) : folder;
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    count = shared(sizeof(*count));
    int ran = 0;
    for (const struct subject *s = subjects; s->name; s++)
        if (is_wanted(s->name, only, only_count)) {
            run_subject(s, folder);
            ran++;
        }
    report_unseen(only, only_count);
    printf("1..%u\n# %u passed, %u failed, %u known differences\n", count->ok + count->failed + count->known, count->ok,
           count->failed, count->known);
    return !ran || count->failed ? 1 : 0;
}
