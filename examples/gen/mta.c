/* Bus positions of New York as transit agencies publish them: tab separated, with the dirt of real files. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "gen.h"

enum {
    ROW_ZERO = 1,
    ROW_BAD_LATITUDE = 2,
    ROW_BAD_LONGITUDE = 3,
    ROW_NULL_LAST = 13,
    ROW_SHORT = 14,
    ROW_EMPTY = 15,
    ROW_CRLF = 16
};
#define START_TIME 1406865600 /* 2014-08-01 04:00:00 UTC */

static void micro(char out[32], int64_t value)
{
    uint64_t size = value < 0 ? (uint64_t)-value : (uint64_t)value;
    snprintf(out, 32, "%s%" PRIu64 ".%06" PRIu64, value < 0 ? "-" : "", size / 1000000, size % 1000000);
}

static void coordinates(uint64_t kind, uint64_t v, uint64_t step, uint64_t off, char latitude[32], char longitude[32])
{
    micro(latitude, 40500000 + (int64_t)(hash(2, v) % 400000 + off * step));
    micro(longitude, -74200000 + (int64_t)(hash(3, v) % 450000 + off * (step / 3)));
    if (kind <= ROW_ZERO) {
        snprintf(latitude, 32, "0.000000");
        snprintf(longitude, 32, "0.000000");
    } else if (kind == ROW_BAD_LATITUDE) {
        snprintf(latitude, 32, "95.123456");
    } else if (kind == ROW_BAD_LONGITUDE) {
        snprintf(longitude, 32, "-200.500000");
    }
}

static void trip(uint64_t i, uint64_t v, uint64_t t, uint64_t off)
{
    uint64_t along = off * 137500000 + hash(6, i) % 1000000, stop = hash(7, i) % 400000000, route = 1 + v % 90;
    printf("\t%" PRIu64 ".%06" PRIu64 "\t%" PRIu64 "\t%s\tMTA NYCT_B%" PRIu64, along / 1000000, along % 1000000,
           t / 20 % 2, off == 0 || off == 20 ? "LAYOVER_DURING" : "IN_PROGRESS", route);
    printf("\tMTA NYCT_JG_C4-Weekday-%06" PRIu64 "_B%" PRIu64 "_%" PRIu64, t / 40 % 1000000, route, v);
    printf("\t%" PRIu64 ".%06" PRIu64 "\tMTA_%" PRIu64, stop / 1000000, stop % 1000000, 300000 + v % 90 * 100 + off);
}

static void row(uint64_t i, uint64_t vehicles)
{
    uint64_t v = i % vehicles, t = i / vehicles, kind = hash(5, i) % 1000;
    if (kind == ROW_EMPTY) {
        putchar('\n');
        return;
    }
    uint64_t speed = hash(4, v), step = v % 10 == 7 ? 4000 + speed % 1500 : 200 + speed % 1800;
    uint64_t phase = t % 40, off = phase <= 20 ? phase : 40 - phase;
    char latitude[32], longitude[32], when[32];
    coordinates(kind, v, step, off, latitude, longitude);
    time_t at = (time_t)(START_TIME + 30 * t + hash(1, i) % 15);
    struct tm tm;
    gmtime_r(&at, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    printf("%s\t%s\t%s\t%" PRIu64, latitude, longitude, when, 1000 + v);
    if (kind > ROW_BAD_LONGITUDE && kind <= ROW_NULL_LAST)
        fputs("\tNULL\tNULL\tDEADHEAD_DURING\tNULL\tNULL\tNULL\tNULL", stdout);
    else if (kind != ROW_SHORT)
        trip(i, v, t, off);
    fputs(kind == ROW_CRLF ? "\r\n" : "\n", stdout);
}

void gen_mta(uint64_t rows, uint64_t vehicles)
{
    if (!vehicles)
        vehicles = rows / 1000 < 5 ? 5 : rows / 1000 > 5000 ? 5000 : rows / 1000;
    puts("latitude\tlongitude\ttime_received\tvehicle_id\tdistance_along_trip\tinferred_direction_id\tinferred_phase\t"
         "inferred_route_id\tinferred_trip_id\tnext_scheduled_stop_distance\tnext_scheduled_stop_id");
    for (uint64_t i = 0; i < rows; i++)
        row(i, vehicles);
}
