/* `cairn doctor [-json] [-write] [-timeout SECONDS] [URI]`: finds what is wrong with a file system and says what mends
 * it. */
#include "client/admin/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/mem.h"
#include "main/commands.h"

#define TIMEOUT_DEFAULT_MS 3000
#define EXIT_SICK          1

static const char *const severity_names[] = {"ok", "note", "warning", "error"};

void doctor_say(struct doctor *d, enum severity severity, const char *code, const char *remedy, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort(); /* out of memory */
    va_end(args);
    pthread_mutex_lock(&d->lock);
    d->findings = mem_realloc_array(d->findings, d->finding_count + 1, sizeof *d->findings);
    d->findings[d->finding_count++] = (struct finding){severity, code, text, remedy ? mem_strdup(remedy) : NULL};
    pthread_mutex_unlock(&d->lock);
}

static void examine(struct doctor *d)
{
    doctor_check_settings(d);
    doctor_check_host(d);
    for (size_t i = 0; i < d->finding_count; i++)
        if (!strcmp(d->findings[i].code, "default-fs"))
            return;
    if (!doctor_check_namenode(d))
        return;
    doctor_check_safe_mode(d);
    doctor_check_datanodes(d);
    doctor_check_blocks(d);
    doctor_check_folders(d);
    if (d->write_test)
        doctor_test_write(d);
}

/* ---- telling ---- */

static size_t count_of(const struct doctor *d, enum severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < d->finding_count; i++)
        count += d->findings[i].severity == severity;
    return count;
}

static void print_text(const struct doctor *d)
{
    static const char *const marks[] = {"ok     ", "note   ", "WARNING", "ERROR  "};
    for (int severity = SEVERITY_ERROR; severity >= SEVERITY_OK; severity--)
        for (size_t i = 0; i < d->finding_count; i++) {
            const struct finding *f = &d->findings[i];
            if ((int)f->severity != severity)
                continue;
            printf("%s  %s\n", marks[f->severity], f->text);
            if (f->remedy)
                printf("         -> %s\n", f->remedy);
        }
    size_t errors = count_of(d, SEVERITY_ERROR), warnings = count_of(d, SEVERITY_WARNING);
    if (errors || warnings)
        printf("%s: %zu error(s), %zu warning(s)\n", d->uri, errors, warnings);
    else
        printf("%s is well\n", d->uri);
}

static void print_json(const struct doctor *d)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->finding_count; i++) {
        const struct finding *f = &d->findings[i];
        json_t *text = json_string(f->text);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:s?}", "severity", severity_names[f->severity], "code",
                                              f->code, "text", text ? text : json_string("(not UTF-8)"), "remedy",
                                              f->remedy));
    }
    json_t *root = json_pack("{s:s, s:i, s:i, s:o}", "fileSystem", d->uri, "errors", (int)count_of(d, SEVERITY_ERROR),
                             "warnings", (int)count_of(d, SEVERITY_WARNING), "findings", list);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    puts(text ? text : "{}");
    free(text);
    json_decref(root);
}

/* ---- the command ---- */

static int usage(FILE *to)
{
    fputs("Usage: cairn doctor [generic options] [-json] [-write] [-timeout SECONDS] [hdfs://HOST:PORT]\n"
          "Looks at a file system, ours or Apache's, from this machine: finds what is wrong and says what mends it.\n"
          "  -write             also writes, reads and deletes a small file\n"
          "  -json              the findings as JSON\n"
          "  -timeout SECONDS   for each connection that is tried (default 3)\n"
          "Exit code: 0 no errors (there may be warnings), 1 errors, 255 wrong usage.\n",
          to);
    return to == stdout ? 0 : EXIT_USAGE;
}

static int doctor_run(struct doctor *d, bool json)
{
    pthread_mutex_init(&d->lock, NULL);
    arena_init(&d->arena, 256 << 20);
    examine(d);
    if (json)
        print_json(d);
    else
        print_text(d);
    int code = count_of(d, SEVERITY_ERROR) ? EXIT_SICK : 0;
    for (size_t i = 0; i < d->finding_count; i++) {
        free(d->findings[i].text);
        free(d->findings[i].remedy);
    }
    free(d->findings);
    json_decref(d->info);
    dfs_unref(d->fs);
    arena_free(&d->arena);
    pthread_mutex_destroy(&d->lock);
    return code;
}

int doctor_main(int argc, char **argv)
{
    AUTO(config_freep) struct config *config = NULL;
    struct err why;
    struct doctor d = {.timeout_ms = TIMEOUT_DEFAULT_MS};
    bool json = false;
    if (cli_load_settings(&argc, argv, &config, &why) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], why.text);
        return EXIT_SICK;
    }
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-json")) {
            json = true;
        } else if (!strcmp(argv[i], "-write")) {
            d.write_test = true;
        } else if (!strcmp(argv[i], "-timeout") && i + 1 < argc && atoi(argv[i + 1]) > 0 && atoi(argv[i + 1]) <= 600) {
            d.timeout_ms = 1000 * atoi(argv[++i]);
        } else if (!strcmp(argv[i], "-help") || !strcmp(argv[i], "--help")) {
            return usage(stdout);
        } else if (argv[i][0] == '-' || d.uri) {
            fprintf(stderr, "doctor: '%s' is not understood\n", argv[i]);
            return usage(stderr);
        } else {
            d.uri = argv[i];
        }
    }
    int rc = d.uri ? cli_turn_to(config, d.uri, &why) : cli_find_cluster(config, &why); /* for its pages */
    char connect_ms[16];
    snprintf(connect_ms, sizeof connect_ms, "%d", d.timeout_ms);
    if (rc == 0)
        rc = config_set(config, "ipc.client.connect.timeout", connect_ms, "-timeout", &why);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], why.text);
        return EXIT_SICK;
    }
    d.config = config;
    d.uri = d.uri ? d.uri : config_str(config, "fs.defaultFS");
    return doctor_run(&d, json);
}
