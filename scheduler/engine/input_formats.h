/* The input formats that record_input.c chooses from. */
#ifndef CAIRN_SCHEDULER_ENGINE_INPUT_FORMATS_H
#define CAIRN_SCHEDULER_ENGINE_INPUT_FORMATS_H

#include "scheduler/engine/decompress.h"
#include "scheduler/engine/record_input.h"

struct input_split {
    struct byte_source source; /* at `start`; can seek unless it is compressed */
    const char *name;          /* the file's */
    int64_t start, length;     /* length -1: to the end */
};

/* ---- lines (input_lines.c) ---- */
extern const struct record_format text_format;      /* bytes of lines */
extern const struct record_format offset_format;    /* key: the line's offset, in decimal */
extern const struct record_format key_value_format; /* key: up to the first separator */
void *line_format_new(const struct input_split *s, const Cairn__JobSpecProto *job);

/* ---- whole files and CSV (input_files.c) ---- */
extern const struct record_format whole_text_format, whole_record_format; /* key: the path */
extern const struct record_format csv_text_format, csv_record_format;     /* no key */
void *whole_format_new(const struct input_split *s);
void *csv_format_new(const struct input_split *s, const Cairn__JobSpecProto *job);
/* cairn.csv.fields=tabs: records become TAB-separated lines. */
bool csv_wants_tabs(const Cairn__JobSpecProto *job);

/* ---- records between marks (input_marks.c) ---- */
extern const struct record_format xml_format;       /* key: from stream.recordreader.begin to .end; no value */
extern const struct record_format delimited_format; /* no key */
void *xml_format_new(const struct input_split *s, const Cairn__JobSpecProto *job);
int delimited_format_new(const struct input_split *s, const char *delimiter, void **ret, struct err *reterr) MUST_CHECK;

/* ---- SequenceFile (input_sequence.c): keys and values as text ---- */
extern const struct record_format sequence_format;
int sequence_format_new(const struct input_split *s, const Cairn__JobSpecProto *job, void **ret,
                        struct err *reterr) MUST_CHECK;

#endif
