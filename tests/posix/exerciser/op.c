#include "op.h"

#include <inttypes.h>
#include <string.h>

#define OP_NAME(kind, name, weight)   name,
#define OP_WEIGHT(kind, name, weight) weight,
static const char *const names[] = {FILE_OPS(OP_NAME) NAME_OPS(OP_NAME)};
static const unsigned weights[] = {FILE_OPS(OP_WEIGHT) NAME_OPS(OP_WEIGHT)};

uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static enum op_kind draw_kind(uint64_t *random, const struct op_limits *limits)
{
    unsigned weight[OP_KINDS], sum = 0;
    for (enum op_kind kind = 0; kind < OP_KINDS; kind++) {
        bool possible = op_is_on_files(kind) ? limits->files > 0 : limits->paths > 0;
        sum += weight[kind] = possible && !limits->without[kind] ? weights[kind] : 0;
    }
    uint64_t ticket = random_next(random) % sum;
    enum op_kind kind = 0;
    while (ticket >= weight[kind])
        ticket -= weight[kind++];
    return kind;
}

/* Short ones are more frequent, and edges of pages and blocks are where mistakes are. */
static uint64_t draw_number(uint64_t *random, uint64_t below)
{
    uint64_t number = random_next(random) % (random_next(random) % below + 1);
    uint64_t unit = 1ull << (random_next(random) % 6 ? 0 : 12 + random_next(random) % 4);
    return number - number % unit;
}

/* Of paths, the short ones come first and are drawn more often: much happens in few folders. */
static unsigned draw_choice(uint64_t *random, const struct op *op, unsigned choices)
{
    return random_next(random) % (op_is_on_files(op->kind) ? choices : random_next(random) % choices + 1);
}

struct op op_draw(uint64_t *random, const struct op_limits *limits)
{
    struct op op = {.kind = draw_kind(random, limits), .seed = (uint32_t)random_next(random)};
    unsigned choices = op_is_on_files(op.kind) ? limits->files : limits->paths;
    op.file = draw_choice(random, &op, choices);
    op.other = draw_choice(random, &op, choices);
    op.length = 1 + draw_number(random, limits->length);
    op.offset = random_next(random) % 2 ? draw_number(random, limits->size) : random_next(random) % limits->size;
    op.to = draw_number(random, limits->size);
    if (op.length > limits->size - op.offset)
        op.length = limits->size - op.offset;
    return op;
}

const char *op_name(enum op_kind kind)
{
    return names[kind];
}

enum op_kind op_kind_named(const char *name)
{
    enum op_kind kind = 0;
    while (kind < OP_KINDS && strcmp(names[kind], name))
        kind++;
    return kind;
}

void op_print(FILE *file, const struct op *op)
{
    fprintf(file, "%s file=%u other=%u offset=%" PRIu64 " length=%" PRIu64 " to=%" PRIu64 " seed=%" PRIu32 "\n",
            names[op->kind], op->file, op->other, op->offset, op->length, op->to, op->seed);
}

bool op_parse(FILE *file, const struct op_limits *limits, struct op *ret_op)
{
    char line[300], name[20];
    struct op op;
    do
        if (!fgets(line, sizeof(line), file))
            return false;
    while (*line == '#');
    int fields =
        sscanf(line, "%19s file=%u other=%u offset=%" SCNu64 " length=%" SCNu64 " to=%" SCNu64 " seed=%" SCNu32, name,
               &op.file, &op.other, &op.offset, &op.length, &op.to, &op.seed);
    op.kind = fields == 7 ? op_kind_named(name) : OP_KINDS;
    unsigned choices = op_is_on_files(op.kind) ? limits->files : limits->paths;
    if (op.kind == OP_KINDS || op.file >= choices || op.other >= choices || op.offset > limits->size ||
        op.length > limits->size - op.offset || op.to > limits->size) {
        fprintf(stderr, "no operation within --files and --size: %s", line);
        return false;
    }
    *ret_op = op;
    return true;
}
