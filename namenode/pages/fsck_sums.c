/* fsck's summary, in the lines that Hadoop's tool and scripts look for. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "namenode/pages/fsck_internal.h"

/* As Java prints a float that is not negative: as many digits as tell it from its neighbours, at least one of them
 * behind the point. */
static const char *java_float(float value, char out[32])
{
    int digits = 1;
    do
        snprintf(out, 32, "%.*e", digits - 1, (double)value);
    while (strtof(out, NULL) != value && digits++ < 9);
    int exponent = (int)strtol(strchr(out, 'e') + 1, NULL, 10);
    int decimals = digits - 1 - exponent > 1 ? digits - 1 - exponent : 1;
    if (value == 0 || (exponent >= -3 && exponent < 7)) {
        snprintf(out, 32, "%.*f", decimals, (double)value);
        return out;
    }
    char mantissa[32];
    snprintf(mantissa, sizeof mantissa, "%.*s", (int)strcspn(out, "e"), out);
    snprintf(out, 32, "%.20s%sE%d", mantissa, strchr(mantissa, '.') ? "" : ".0", exponent);
    return out;
}

static void print_share(struct buf *b, uint64_t part, uint64_t whole)
{
    char text[32];
    if (whole)
        buf_printf(b, " (%s %%)", java_float((float)part * 100 / (float)whole, text));
}

static void print_line(struct buf *b, const char *name, uint64_t value, uint64_t whole)
{
    buf_printf(b, "\n %s%" PRIu64, name, value);
    print_share(b, value, whole);
}

static void print_replicated(const struct fsck *f, struct buf *b)
{
    const struct fsck_sums *s = &f->sums;
    buf_printf(b, " Total size:\t%" PRIu64 " B", s->bytes);
    if (s->open_bytes)
        buf_printf(b, " (Total open files size: %" PRIu64 " B)", s->open_bytes);
    buf_printf(b, "\n Total files:\t%" PRIu64, s->files);
    if (s->open_files)
        buf_printf(b, " (Files currently being written: %" PRIu64 ")", s->open_files);
    buf_printf(b, "\n Total blocks (validated):\t%" PRIu64, s->blocks);
    if (s->blocks)
        buf_printf(b, " (avg. block size %" PRIu64 " B)", s->bytes / s->blocks);
    if (s->open_blocks)
        buf_printf(b, " (Total open file blocks (not validated): %" PRIu64 ")", s->open_blocks);
    if (s->damaged_files || s->under_min) {
        static const char stars[] = "\n  ********************************";
        buf_append_str(b, stars);
        if (s->under_min) {
            buf_printf(b, "\n  UNDER MIN REPL'D BLOCKS:\t%" PRIu64, s->under_min);
            print_share(b, s->under_min, s->blocks);
            buf_printf(b, "\n  MINIMAL BLOCK REPLICATION:\t%u", f->nn->dir->limits.replication_min);
        }
        if (s->damaged_files)
            buf_printf(b, "\n  CORRUPT FILES:\t%" PRIu64, s->damaged_files);
        if (s->missing)
            buf_printf(b, "\n  MISSING BLOCKS:\t%" PRIu64 "\n  MISSING SIZE:\t\t%" PRIu64 " B", s->missing,
                       s->missing_bytes);
        if (s->corrupt)
            buf_printf(b, "\n  CORRUPT BLOCKS: \t%" PRIu64 "\n  CORRUPT SIZE:\t\t%" PRIu64 " B", s->corrupt,
                       s->corrupt_bytes);
        buf_append_str(b, stars);
    }
    print_line(b, "Minimally replicated blocks:\t", s->min_replicated, s->blocks);
    print_line(b, "Over-replicated blocks:\t", s->over, s->blocks);
    print_line(b, "Under-replicated blocks:\t", s->under, s->blocks);
    print_line(b, "Mis-replicated blocks:\t\t", s->misplaced, s->blocks);
    char average[32];
    java_float(s->blocks ? (float)s->replicas / (float)s->blocks : 0, average);
    buf_printf(b,
               "\n Default replication factor:\t%lld\n Average block replication:\t%s\n Missing blocks:\t\t%" PRIu64
               "\n Corrupt blocks:\t\t%" PRIu64,
               (long long)config_int(f->nn->config, "dfs.replication"), average, s->missing, s->corrupt);
    print_line(b, "Missing replicas:\t\t", s->replicas_missing, s->replicas ? s->replicas_expected : 0);
    if (s->decommissioned)
        print_line(b, "DecommissionedReplicas:\t", s->decommissioned, 0);
    if (s->decommissioning)
        print_line(b, "DecommissioningReplicas:\t", s->decommissioning, 0);
    if (s->entering_maintenance)
        print_line(b, "EnteringMaintenanceReplicas:\t", s->entering_maintenance, 0);
    if (s->in_maintenance)
        print_line(b, "InMaintenanceReplicas:\t", s->in_maintenance, 0);
    print_line(b, "Blocks queued for replication:\t", s->queued, 0);
    buf_append_str(b, "\n");
}

const char *fsck_date(char out[64])
{
    time_t now = time(NULL);
    struct tm tm;
    strftime(out, 64, "%a %b %d %H:%M:%S %Z %Y", localtime_r(&now, &tm));
    return out;
}

void fsck_print_summary(struct fsck *f, const char *path, int64_t started_ms)
{
    char date[64];
    bool healthy = !f->sums.damaged_files;
    buf_printf(f->out,
               "\nStatus: %s\n Number of data-nodes:\t%zu\n Number of racks:\t\t%zu\n Total dirs:\t\t\t%" PRIu64
               "\n Total symlinks:\t\t%" PRIu64 "\n\nReplicated Blocks:\n",
               healthy ? "HEALTHY" : "CORRUPT", f->live_nodes, f->racks, f->sums.directories, f->sums.symlinks);
    print_replicated(f, f->out);
    buf_append_str(
        f->out,
        "\nErasure Coded Block Groups:\n Total size:\t0 B\n Total files:\t0\n Total block groups (validated):\t0\n"
        " Minimally erasure-coded block groups:\t0\n Over-erasure-coded block groups:\t0\n"
        " Under-erasure-coded block groups:\t0\n Unsatisfactory placement block groups:\t0\n"
        " Average block group size:\t0.0\n Missing block groups:\t\t0\n Corrupt block groups:\t\t0\n"
        " Missing internal blocks:\t0\n Blocks queued for replication:\t0\n");
    if (f->o.policies)
        fsck_print_policies(f);
    buf_printf(f->out, "FSCK ended at %s in %lld milliseconds\n", fsck_date(date),
               (long long)(clock_mono_ms() - started_ms));
    if (f->failed)
        buf_printf(f->out, "fsck encountered internal errors!\n\n\nFsck on path '%s' FAILED", path);
    else
        buf_printf(f->out, "\n\nThe filesystem under path '%s' is %s", path, healthy ? "HEALTHY" : "CORRUPT");
}
