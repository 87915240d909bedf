/* Bus positions that count for statistics: what mta_lasts.c and mta_stats.c both read. */
#ifndef CAIRN_EXAMPLES_MTA_H
#define CAIRN_EXAMPLES_MTA_H

#include <cairn/mapreduce.h>
#include <ctype.h>
#include <stdlib.h>

enum { MTA_LATITUDE, MTA_LONGITUDE, MTA_TIME, MTA_VEHICLE, MTA_DISTANCE, MTA_STOP_DISTANCE = 9, MTA_STOP, MTA_FIELDS };

/* Text of any length; kept from one record to the next. */
struct mta_text {
    char *text;
    size_t room;
};

static inline char *mta_room(struct mta_text *t, size_t size)
{
    if (t->room < size && !(t->text = realloc(t->text, t->room = 2 * size)))
        abort();
    return t->text;
}

static inline char *mta_copy(struct mta_text *t, struct cairn_bytes bytes)
{
    char *copy = mta_room(t, bytes.size + 1);
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = 0;
    return copy;
}

/* Splits a line at TABs, in place; a short one has empty fields at its end. More fields than `count`: the last has
 * the rest. */
static inline void mta_split(char *line, char **fields, int count)
{
    for (int i = 0; i < count; i++) {
        fields[i] = line;
        char *tab = i < count - 1 ? strchr(line, '\t') : NULL;
        line = tab ? tab + 1 : line + strlen(line);
        if (tab)
            *tab = 0;
    }
}

static inline bool mta_number(const char *text, double bound, double *ret)
{
    char *end;
    *ret = strtod(text, &end);
    return *text && !*end && strspn(text, "+-.0123456789eE") == strlen(text) && *ret >= -bound && *ret <= bound;
}

static inline bool mta_is_there(const char *text)
{
    return *text && strcmp(text, "NULL") != 0;
}

/* "2014-08-01 04:00:00" */
static inline bool mta_is_time(const char *text)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd";
    for (size_t i = 0; i < sizeof form; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i])
            return false;
    return true;
}

/* The fields of a line that counts; false: it does not. `copy` is what they lie in. */
static inline bool mta_parse(struct cairn_bytes line, struct mta_text *copy, char *fields[MTA_FIELDS + 1])
{
    double latitude, longitude;
    mta_split(mta_copy(copy, line), fields, MTA_FIELDS + 1);
    return mta_number(fields[MTA_LATITUDE], 90, &latitude) && mta_number(fields[MTA_LONGITUDE], 180, &longitude) &&
           (latitude != 0 || longitude != 0) && mta_is_there(fields[MTA_DISTANCE]) &&
           mta_is_there(fields[MTA_STOP_DISTANCE]) && mta_is_time(fields[MTA_TIME]);
}

#endif
