/* Sorts lines by their first bytes (-D sort.key.bytes=10, TeraSort's): with -partitioner TotalOrderPartitioner the part
 * files one after the other are the sorted whole. */
#include <cairn/mapreduce.h>
#include <stdlib.h>

static size_t key_bytes = 10;

static int setup(struct cairn_task *task)
{
    const char *text = cairn_setting(task, "sort.key.bytes");
    key_bytes = text ? (size_t)strtoul(text, NULL, 10) : key_bytes;
    return 0;
}

static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes line)
{
    (void)key;
    size_t n = line.size < key_bytes ? line.size : key_bytes;
    cairn_emit(task, cairn_bytes(line.data, n), cairn_bytes((const char *)line.data + n, line.size - n));
    return 0;
}

static int reduce(struct cairn_task *task, struct cairn_bytes key)
{
    struct cairn_bytes rest;
    while (cairn_next(task, &rest)) {
        cairn_write(task, key.data, key.size);
        cairn_write(task, rest.data, rest.size);
        cairn_write(task, "\n", 1);
    }
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .setup = setup, .map = map, .reduce = reduce};
