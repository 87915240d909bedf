/* The exerciser: random operations on files and names, held against a model in memory.
 *
 *   exerciser [--seed N] [--ops N] [--files N] [--size BYTES] [--length BYTES] [--names] [--without OP]...
 *             [--second FOLDER] [--log FILE] [--replay FILE] [--shorten N] FOLDER
 *
 * The same seed and options draw the same operations. What fails is cut to a shorter sequence that still fails (in at
 * most
 * --shorten runs), written to --log, and can be run again with --replay and the same --files, --size and --second. */
#include "model.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct op_limits limits = {.files = 2, .size = 256 << 10, .length = 64 << 10};
static const char *folders[2], *log_path = "exerciser.log";
static unsigned side_count = 1, runs;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

/* Runs the operations in a new folder. Returns how many were done when one failed (it included), or 0. */
static size_t run(const struct op *ops, size_t count, struct finding *ret_finding)
{
    char paths[2][PATH_MAX];
    struct place place = {.side_count = side_count};
    for (unsigned i = 0; i < side_count; i++) {
        snprintf(paths[i], PATH_MAX, "%s/exerciser.%d.%u", folders[i], (int)getpid(), runs);
        place.sides[i] = paths[i];
    }
    runs++;
    ret_finding->text[0] = 0;
    if (mkdir(paths[0], 0755)) {
        found(ret_finding, "%s: %s", paths[0], strerror(errno));
        return 1;
    }
    struct files *files = limits.files ? files_open(&place, &limits, ret_finding) : NULL;
    struct tree *tree = limits.paths ? tree_open(&place, ret_finding) : NULL;
    size_t done = 0;
    while (done < count && !*ret_finding->text) {
        const struct op *op = &ops[done++];
        op_is_on_files(op->kind) ? files_do(files, op, ret_finding) : tree_do(tree, op, ret_finding);
    }
    if (!*ret_finding->text && files)
        files_check_all(files, ret_finding);
    if (!*ret_finding->text && tree)
        tree_check_all(tree, ret_finding);
    files_close(files);
    tree_close(tree);
    (void)nftw(paths[0], remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    return *ret_finding->text ? done : 0;
}

/* Leaves away ever smaller pieces, as long as what remains still fails. */
static size_t shorten(struct op *ops, size_t count, unsigned runs_max)
{
    struct finding finding;
    struct op *part = malloc(count * sizeof(*part));
    size_t failed_at = run(ops, count, &finding);
    if (!failed_at)
        fprintf(stderr, "a second run of the same operations did not fail: they are written as they were\n");
    for (size_t piece = failed_at / 2; piece && runs < runs_max; piece /= 2) {
        for (size_t at = 0; at < count && runs < runs_max;) {
            size_t cut = piece < count - at ? piece : count - at;
            memcpy(part, ops, at * sizeof(*ops));
            memcpy(part + at, ops + at + cut, (count - at - cut) * sizeof(*ops));
            failed_at = run(part, count - cut, &finding);
            if (failed_at)
                memcpy(ops, part, (count = failed_at) * sizeof(*ops));
            else
                at += cut;
        }
        if (piece > count)
            piece = count;
    }
    free(part);
    return count;
}

static void write_log(const struct op *ops, size_t count, const struct finding *finding)
{
    FILE *file = fopen(log_path, "w");
    if (!file) {
        perror(log_path);
        return;
    }
    fprintf(file, "# --files %u --size %llu%s%s\n# %s\n", limits.files, (unsigned long long)limits.size,
            limits.paths ? " --names" : "", side_count > 1 ? " --second FOLDER" : "", finding->text);
    for (size_t i = 0; i < count; i++)
        op_print(file, &ops[i]);
    fclose(file);
    fprintf(stderr, "%zu operations that fail are in %s\n", count, log_path);
}

static struct op *read_log(const char *path, size_t *ret_count)
{
    FILE *file = fopen(path, "r");
    struct op *ops = NULL, op;
    *ret_count = 0;
    while (file && op_parse(file, &limits, &op)) {
        ops = realloc(ops, (*ret_count + 1) * sizeof(*ops));
        ops[(*ret_count)++] = op;
    }
    if (!file)
        perror(path);
    else
        fclose(file);
    return ops;
}

static struct op *draw(uint64_t seed, size_t count)
{
    struct op *ops = malloc(count * sizeof(*ops));
    for (size_t i = 0; i < count; i++)
        ops[i] = op_draw(&seed, &limits);
    return ops;
}

static int usage(const char *what)
{
    fprintf(stderr,
            "exerciser: %s\nusage: exerciser [--seed N] [--ops N] [--files N] [--size BYTES] [--length BYTES] "
            "[--names] [--without OP]...\n"
            "                 [--second FOLDER] [--log FILE] [--replay FILE] [--shorten N] FOLDER\n",
            what);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", 1, 0, 's'},   {"ops", 1, 0, 'o'},    {"files", 1, 0, 'f'},   {"size", 1, 0, 'z'},
        {"length", 1, 0, 'l'}, {"names", 0, 0, 'n'},  {"without", 1, 0, 'w'}, {"second", 1, 0, '2'},
        {"log", 1, 0, 'g'},    {"replay", 1, 0, 'r'}, {"shorten", 1, 0, 'h'}, {0, 0, 0, 0},
    };
    uint64_t seed = 1;
    size_t count = 10000;
    unsigned shorten_runs = 500;
    const char *replay = NULL;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long long number = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case 's': seed = number; break;
        case 'o': count = number; break;
        case 'f': limits.files = number; break;
        case 'z': limits.size = number; break;
        case 'l': limits.length = number; break;
        case 'n': limits.paths = TREE_PATHS; break;
        case '2': folders[1] = optarg, side_count = 2; break;
        case 'g': log_path = optarg; break;
        case 'r': replay = optarg; break;
        case 'h': shorten_runs = number; break;
        case 'w':
            if (op_kind_named(optarg) == OP_KINDS)
                return usage("no such operation to leave out");
            limits.without[op_kind_named(optarg)] = true;
            break;
        default: return usage("unknown option");
        }
    }
    if (optind != argc - 1 || !count || limits.size < 16 || limits.size > 1u << 30 || !limits.length ||
        limits.length > limits.size || limits.files > 100 || (!limits.files && !limits.paths))
        return usage("one folder, at least one operation, and something to do them on");
    folders[0] = argv[optind];
    struct op *ops = replay ? read_log(replay, &count) : draw(seed, count);
    if (!ops)
        return 2;
    struct finding finding;
    size_t failed_at = run(ops, count, &finding);
    if (!failed_at) {
        printf("%zu operations, nothing wrong\n", count);
        free(ops);
        return 0;
    }
    fprintf(stderr, "operation %zu: %s", failed_at, finding.text);
    fprintf(stderr, "\nthis was: ");
    op_print(stderr, &ops[failed_at - 1]);
    write_log(ops, shorten_runs ? shorten(ops, failed_at, runs + shorten_runs) : failed_at, &finding);
    free(ops);
    return 1;
}
