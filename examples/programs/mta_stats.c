/* Speeds and distances of buses: walks each vehicle's positions once, in the order of time. A line of output begins
 * with the name of the table it is for: average_speed, distance_traveled, speed_excesses, or day, what a vehicle adds
 * to a day's summary. examples/jobs/mta-stats/run makes tables of it.
 *
 *     -D mta.mode=global   a vehicle's first position is measured from the last one of the vehicle before; those are in
 *                          the file lasts (mta_lasts.c), ordered by vehicle
 *     -D mta.compat=true   least and greatest coordinates are those of text */
#include "mta.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { WINDOW_MINUTES = 5, PLACE_MAX = 32, LINE_MAX_BYTES = 1024 };
#define SPEED_LIMIT  11.176 /* m/s, 25 miles an hour */
#define EARTH_METRES 6371e3

struct mean {
    double sum;
    long count;
};

/* Five minutes, every minute; those that a position is in are told apart by the minute they begin, modulo five. */
struct window {
    long minute, reports;
    struct mean speed;
    double speed_min, speed_max;
    char least[2][PLACE_MAX], greatest[2][PLACE_MAX];
};

struct position {
    const char *vehicle, *time, *place[2], *stop;
    float at[2];
    long seconds;
};

struct before {
    bool known;
    float at[2];
    long seconds;
};

struct last {
    char *vehicle;
    struct before position;
};

struct state {
    bool global, compat, have_lasts, in_vehicle;
    struct last *lasts;
    size_t last_count;
    char vehicle[256], hour[16]; /* "2014-08-01 04" */
    struct before before;
    struct mean hour_speed, day_speed;
    double hour_distance, day_distance;
    long day_reports;
    char **stops; /* of the day, each as often as it was next */
    size_t stop_count, stop_room;
    struct window windows[WINDOW_MINUTES];
};

static void add(struct mean *m, double value)
{
    m->sum += value;
    m->count++;
}

/* As few digits as say the same number. No number: an empty field. */
static const char *mean_text(char text[32], struct mean m)
{
    double value = m.count ? m.sum / (double)m.count : 0;
    snprintf(text, 32, "%.15g", value);
    if (m.count && strtod(text, NULL) != value)
        snprintf(text, 32, "%.17g", value);
    if (!m.count)
        text[0] = 0;
    return text;
}

static const char *number_text(char text[32], double value)
{
    return mean_text(text, (struct mean){value, 1});
}

__attribute__((format(printf, 2, 3))) static void line(struct cairn_task *task, const char *format, ...)
{
    char text[LINE_MAX_BYTES]; /* names are bounded */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cairn_write(task, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- map ---- */

/* The whole record is the key: positions of one moment have an order too. */
static int map(struct cairn_task *task, struct cairn_bytes key, struct cairn_bytes record)
{
    static struct mta_text copy, out;
    char *f[MTA_FIELDS + 1];
    (void)key;
    if (!record.size || (record.size > 9 && !memcmp(record.data, "latitude\t", 9)))
        return 0;
    cairn_count(task, "mta-stats", "records_in", 1);
    if (!mta_parse(record, &copy, f)) {
        cairn_count(task, "mta-stats", "records_bad{incomplete}", 1);
        return 0;
    }
    size_t room = record.size + 8;
    int n = snprintf(mta_room(&out, room), room, "%s\t%s\t%s\t%s\t%s", f[MTA_VEHICLE], f[MTA_TIME], f[MTA_LATITUDE],
                     f[MTA_LONGITUDE], f[MTA_STOP]);
    cairn_emit(task, cairn_bytes(out.text, (size_t)n), cairn_bytes("", 0));
    cairn_count(task, "mta-stats", "records_out", 1);
    return 0;
}

/* ---- positions ---- */

static long seconds_of(const char *time)
{
    struct tm tm = {0};
    sscanf(time, "%4d-%2d-%2d %2d:%2d:%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    return (long)timegm(&tm);
}

static struct before before_of(const char *time, const char *latitude, const char *longitude)
{
    return (struct before){true, {strtof(latitude, NULL), strtof(longitude, NULL)}, seconds_of(time)};
}

static double radians(double degrees)
{
    return degrees * (M_PI / 180);
}

/* Coordinates, and their differences, are 32-bit floats, as in the application that this one stands for. */
static double metres(const float now[2], const float before[2])
{
    float latitude = now[0] - before[0], longitude = now[1] - before[1];
    double a = pow(sin(radians((double)latitude) / 2), 2) + pow(sin(radians((double)longitude) / 2), 2) *
                                                                cos(radians((double)now[0])) *
                                                                cos(radians((double)before[0]));
    return EARTH_METRES * 2 * atan2(sqrt(a), sqrt(1 - a));
}

/* ---- windows ---- */

static void window_end(struct cairn_task *task, const struct state *s, struct window *w)
{
    char mean[32], least[32], greatest[32];
    if (w->speed.count && w->speed.sum / (double)w->speed.count > SPEED_LIMIT)
        line(task, "speed_excesses\t%s\t%.10s\t%s:00:00\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%ld\n", s->vehicle, s->hour,
             s->hour, mean_text(mean, w->speed), number_text(least, w->speed_min), number_text(greatest, w->speed_max),
             w->least[0], w->least[1], w->greatest[0], w->greatest[1], w->reports);
    w->reports = 0;
}

static void windows_end(struct cairn_task *task, struct state *s)
{
    for (int i = 0; i < WINDOW_MINUTES; i++)
        if (s->windows[i].reports)
            window_end(task, s, &s->windows[i]);
}

static long floor_divide(long a, long b)
{
    return a / b - (a % b < 0);
}

static bool is_less(const struct state *s, const char *a, const char *b)
{
    return s->compat ? strcmp(a, b) < 0 : strtod(a, NULL) < strtod(b, NULL);
}

static void window_place(const struct state *s, struct window *w, const struct position *p)
{
    for (int i = 0; i < 2; i++) {
        if (!w->reports || is_less(s, p->place[i], w->least[i]))
            snprintf(w->least[i], PLACE_MAX, "%s", p->place[i]);
        if (!w->reports || is_less(s, w->greatest[i], p->place[i]))
            snprintf(w->greatest[i], PLACE_MAX, "%s", p->place[i]);
    }
    w->reports++;
}

static void windows_add(struct cairn_task *task, struct state *s, const struct position *p, bool has_speed,
                        double speed)
{
    long minute = floor_divide(p->seconds, 60);
    for (long start = minute - WINDOW_MINUTES + 1; start <= minute; start++) {
        struct window *w = &s->windows[start - WINDOW_MINUTES * floor_divide(start, WINDOW_MINUTES)];
        if (w->reports && w->minute != start)
            window_end(task, s, w);
        if (!w->reports)
            *w = (struct window){.minute = start};
        if (has_speed) {
            w->speed_min = w->speed.count && w->speed_min < speed ? w->speed_min : speed;
            w->speed_max = w->speed.count && w->speed_max > speed ? w->speed_max : speed;
            add(&w->speed, speed);
        }
        window_place(s, w, p);
    }
}

/* ---- ends of hours, days and vehicles ---- */

static void hour_end(struct cairn_task *task, struct state *s)
{
    char text[32];
    if (!s->in_vehicle)
        return;
    windows_end(task, s);
    line(task, "average_speed\t%s\t%.10s\t%s:00:00\t%s\n", s->vehicle, s->hour, s->hour,
         mean_text(text, s->hour_speed));
    line(task, "distance_traveled\t%s\t%.10s\t%s:00:00\t%s\n", s->vehicle, s->hour, s->hour,
         number_text(text, s->hour_distance));
    s->hour_speed = (struct mean){0};
    s->hour_distance = 0;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void write_stops(struct cairn_task *task, struct state *s)
{
    if (s->stop_count)
        qsort(s->stops, s->stop_count, sizeof *s->stops, compare_texts);
    for (size_t i = 0; i < s->stop_count; i++) {
        bool again = i + 1 < s->stop_count && !strcmp(s->stops[i], s->stops[i + 1]);
        if (!again) {
            cairn_write(task, s->stops[i], strlen(s->stops[i]));
            cairn_write(task, ",", 1);
        }
        free(s->stops[i]);
    }
    s->stop_count = 0;
}

static void day_end(struct cairn_task *task, struct state *s)
{
    char speed[32], distance[32];
    if (!s->in_vehicle)
        return;
    hour_end(task, s);
    line(task, "day\t%.10s\t%ld\t1\t%s\t%ld\t%s\t", s->hour, s->day_reports, number_text(speed, s->day_speed.sum),
         s->day_speed.count, number_text(distance, s->day_distance));
    write_stops(task, s);
    cairn_write(task, "\n", 1);
    s->day_speed = (struct mean){0};
    s->day_distance = 0;
    s->day_reports = 0;
}

/* ---- what is before a vehicle's first position ---- */

static int read_lasts(struct cairn_task *task, struct state *s)
{
    char *text = NULL, *f[5];
    size_t room = 0, text_room = 0;
    FILE *file = fopen("lasts", "r");
    if (!file)
        return cairn_fail(task, "lasts: the last position of each vehicle is wanted in this file");
    while (getline(&text, &text_room, file) > 0) {
        mta_split(text, f, 5);
        if (s->last_count == room)
            s->lasts = realloc(s->lasts, (room = room * 2 + 64) * sizeof *s->lasts);
        s->lasts[s->last_count++] = (struct last){strdup(f[0]), before_of(f[1], f[2], f[3])};
    }
    free(text);
    fclose(file);
    s->have_lasts = true;
    return 0;
}

/* Of the vehicle that comes before this one. */
static struct before last_before(const struct state *s)
{
    size_t low = 0, high = s->last_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->lasts[middle].vehicle, s->vehicle) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? s->lasts[low - 1].position : (struct before){0};
}

static int vehicle_begin(struct cairn_task *task, struct state *s, const char *vehicle)
{
    day_end(task, s);
    s->hour[0] = 0;
    s->in_vehicle = false;
    if (s->global && !s->have_lasts && read_lasts(task, s) != 0)
        return -1;
    if (snprintf(s->vehicle, sizeof s->vehicle, "%s", vehicle) >= (int)sizeof s->vehicle)
        return cairn_fail(task, "a vehicle of more than %zu characters", sizeof s->vehicle - 1);
    s->before = s->global ? last_before(s) : (struct before){0};
    return 0;
}

/* ---- reduce ---- */

static void position_add(struct cairn_task *task, struct state *s, const struct position *p)
{
    if (strncmp(s->hour, p->time, 13) != 0) {
        if (strncmp(s->hour, p->time, 10) != 0)
            day_end(task, s);
        else
            hour_end(task, s);
        snprintf(s->hour, sizeof s->hour, "%.13s", p->time);
    }
    s->in_vehicle = true;
    double distance = s->before.at[0] == 0 || s->before.at[1] == 0 ? 0 : metres(p->at, s->before.at);
    long seconds = s->before.known ? p->seconds - s->before.seconds : 0;
    double speed = seconds ? distance / (double)seconds : 0;
    if (seconds) {
        add(&s->hour_speed, speed);
        add(&s->day_speed, speed);
    }
    s->hour_distance += distance;
    s->day_distance += distance;
    s->day_reports++;
    if (s->stop_count == s->stop_room)
        s->stops = realloc(s->stops, (s->stop_room = s->stop_room * 2 + 1024) * sizeof *s->stops);
    if (*p->stop)
        s->stops[s->stop_count++] = strdup(p->stop);
    windows_add(task, s, p, seconds != 0, speed);
    s->before = (struct before){true, {p->at[0], p->at[1]}, p->seconds};
}

static int reduce(struct cairn_task *task, struct cairn_bytes key)
{
    static struct mta_text copy;
    struct state *s = task->user;
    struct cairn_bytes nothing;
    char *f[5];
    mta_split(mta_copy(&copy, key), f, 5);
    if ((!s->in_vehicle || strcmp(s->vehicle, f[0]) != 0) && vehicle_begin(task, s, f[0]) != 0)
        return -1;
    struct position p = {.vehicle = f[0], .time = f[1], .place = {f[2], f[3]}, .stop = f[4]};
    p.at[0] = strtof(f[2], NULL);
    p.at[1] = strtof(f[3], NULL);
    p.seconds = seconds_of(p.time);
    while (cairn_next(task, &nothing))
        position_add(task, s, &p);
    return 0;
}

static bool is_set(struct cairn_task *task, const char *name, const char *to)
{
    const char *value = cairn_setting(task, name);
    return value && !strcmp(value, to);
}

static int setup(struct cairn_task *task)
{
    struct state *s = task->user = calloc(1, sizeof(struct state));
    s->global = is_set(task, "mta.mode", "global");
    s->compat = is_set(task, "mta.compat", "true");
    return 0;
}

static int cleanup(struct cairn_task *task)
{
    day_end(task, task->user);
    return 0;
}

const struct cairn_program cairn_program = {CAIRN_MAPREDUCE_ABI, .setup = setup, .map = map, .reduce = reduce,
                                            .cleanup = cleanup};
