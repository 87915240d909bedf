/* The input formats that record_input.c chooses from. */
#ifndef CAIRN_SCHEDULER_ENGINE_INPUT_FORMATS_H
#define CAIRN_SCHEDULER_ENGINE_INPUT_FORMATS_H

#include "scheduler/engine/decompress.h"
#include "scheduler/engine/record_input.h"

struct input_split {
    struct byte_source source; /* at `start` */
    const char *name;          /* the file's */
    int64_t start, length;     /* length -1: to the end */
};

/* ---- lines (input_lines.c) ---- */
extern const struct record_format text_format;      /* bytes of lines */
extern const struct record_format offset_format;    /* key: the line's offset, in decimal */
extern const struct record_format key_value_format; /* key: up to the first separator */
void *line_format_new(const struct input_split *s, const Cairn__JobSpecProto *job);

#endif
