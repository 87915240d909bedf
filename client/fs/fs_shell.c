/* `cairn fs`: finds the command, runs it, tells how it went. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/fs/shell.h"
#include "client/fs/shell_fs.h"
#include "common/cli.h"
#include "common/terminal.h"
#include "main/commands.h"

#define EXIT_MISUSE 255 /* -1 */

/* Runtime texts may hold a server's stack trace; people get the first line. */
static int first_line(const char *text)
{
    return (int)strcspn(text, "\n");
}

void shell_warn(struct shell *sh, const char *format, ...)
{
    char text[ERR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&sh->lock);
    fflush(stdout);
    fprintf(stderr, "%s: %.*s\n", sh->command->name, first_line(text), text);
    pthread_mutex_unlock(&sh->lock);
}

void shell_report(struct shell *sh, const struct err *e)
{
    shell_warn(sh, "%s", e->text);
    pthread_mutex_lock(&sh->lock);
    bool hint = e->code == ERR_CONNECT && !config_is_set(sh->config, "fs.defaultFS") && !sh->hinted;
    sh->hinted |= hint;
    sh->error_count++;
    pthread_mutex_unlock(&sh->lock);
    if (hint)
        shell_warn(sh,
                   "no file system was named and no local cluster runs: give -fs hdfs://host:port, set fs.defaultFS in "
                   "$HADOOP_CONF_DIR/core-site.xml, or start one with `cairn up`");
}

int shell_misuse(struct shell *sh, struct err *reterr, const char *format, ...)
{
    sh->misused = true;
    va_list args;
    va_start(args, format);
    struct err e; /* an argument may be reterr's own text */
    err_vset(&e, ERR_ILLEGAL_ARGUMENT, format, args);
    va_end(args);
    *reterr = e;
    return ERR_ILLEGAL_ARGUMENT;
}

int shell_options(struct shell *sh, struct args *a, size_t min, size_t max, struct option_flag *flags,
                  struct err *reterr)
{
    struct err why;
    if (options_parse(a, min, max, flags, false, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    return 0;
}

int shell_output_check(struct err *reterr)
{
    return ferror(stdout) ? err_set(reterr, ERR_IO, "Unable to write to output stream.") : 0;
}

int path_error(struct err *reterr, int code, const char *text, const char *message)
{
    return err_set(reterr, code, "`%s': %s", text, message);
}

int path_not_found(struct err *reterr, const char *text)
{
    return path_error(reterr, ERR_NOT_FOUND, text, "No such file or directory");
}

/* ---- usage and help ---- */

static const char usage_prefix[] = "Usage: hadoop fs [generic options]";

const struct shell_command *shell_command_find(const char *name)
{
    if (*name++ != '-')
        return NULL;
    for (const struct shell_command *c = shell_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

static void print_syntax(FILE *to, const struct shell_command *c)
{
    bool words = !c->replacement && *c->usage;
    fprintf(to, "-%s%s%s", c->name, words ? " " : "", words ? c->usage : "");
}

void shell_print_command_usage(FILE *to, const struct shell_command *c)
{
    fprintf(to, "%s ", usage_prefix);
    print_syntax(to, c);
    fputc('\n', to);
}

static void print_generic_options(FILE *to)
{
    fputs("\nGeneric options supported are:\n"
          "-conf <configuration file>        settings from a file in the format of core-site.xml\n"
          "-D <property=value>               one setting\n"
          "-fs <file:///|hdfs://namenode:port> the file system to use instead of fs.defaultFS\n"
          "-jt <host:port>                   the scheduler to use\n"
          "\n"
          "The general command line syntax is:\n"
          "command [genericOptions] [commandOptions]\n\n",
          to);
}

static void print_command_help(FILE *to, const struct shell_command *c)
{
    print_syntax(to, c);
    fputs(" :\n", to);
    if (c->replacement) {
        fprintf(to, "  (DEPRECATED) Same as '%s'\n", c->replacement);
        return;
    }
    for (const char *line = c->help; *line;) {
        int len = first_line(line);
        fprintf(to, "  %.*s\n", len, line);
        line += len + (line[len] == '\n');
    }
}

static void print_all(FILE *to, bool help)
{
    fprintf(to, "%s\n", usage_prefix);
    for (const struct shell_command *c = shell_commands; c->name; c++)
        if (!c->replacement) {
            fputs("\t[", to);
            print_syntax(to, c);
            fputs("]\n", to);
        }
    for (const struct shell_command *c = shell_commands; help && c->name; c++)
        if (!c->replacement) {
            fputc('\n', to);
            print_command_help(to, c);
        }
    print_generic_options(to);
}

void shell_print_usage(FILE *to)
{
    print_all(to, false);
}

static int about_run(struct shell *sh, struct args *args, bool help, struct err *reterr)
{
    if (!args->count)
        print_all(stdout, help);
    for (char *name; (name = args_shift(args));) {
        const struct shell_command *c =
            shell_command_find(arena_printf(&sh->arena, "-%s", *name == '-' ? name + 1 : name));
        if (!c)
            return shell_misuse(sh, reterr, "`%s': Unknown command", name);
        if (help)
            print_command_help(stdout, c);
        else
            shell_print_command_usage(stdout, c);
    }
    return 0;
}

int help_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return about_run(sh, args, true, reterr);
}

int usage_run(struct shell *sh, struct args *args, struct err *reterr)
{
    return about_run(sh, args, false, reterr);
}

/* ---- running ---- */

static void print_unknown(const char *name)
{
    char dashed[64];
    fprintf(stderr, "%s: Unknown command\n", name);
    snprintf(dashed, sizeof dashed, "-%s", name);
    if (*name != '-' && shell_command_find(dashed))
        fprintf(stderr, "Did you mean -%s?  This command begins with a dash.\n", name);
    shell_print_usage(stderr);
}

static int shell_run(struct shell *sh, struct args *args)
{
    struct err e = {0};
    if (sh->command->replacement)
        shell_warn(sh, "DEPRECATED: Please use '%s' instead.", sh->command->replacement);
    int rc = sh->command->run(sh, args, &e);
    if (rc < 0 && sh->misused) {
        fflush(stdout);
        fprintf(stderr, "-%s: %s\n", sh->command->name, e.text);
        shell_print_usage(stderr);
        shell_print_command_usage(stderr, sh->command);
        return EXIT_MISUSE;
    }
    if (rc < 0)
        shell_report(sh, &e);
    if (fflush(stdout) != 0 && !sh->error_count)
        shell_report(sh, &(struct err){.code = ERR_IO, .text = "Unable to write to output stream."});
    return sh->error_count ? 1 : sh->exit_code;
}

int fs_main(int argc, char **argv)
{
    struct config *config;
    struct err e;
    terminal_guard(&stdout);
    terminal_guard(&stderr);
    if (cli_load(&argc, argv, &config, &e) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], e.text);
        return EXIT_MISUSE;
    }
    if (argc < 2) {
        shell_print_usage(stderr);
        config_free(config);
        return EXIT_MISUSE;
    }
    struct shell sh = {.config = config, .command = shell_command_find(argv[1])};
    int code = EXIT_MISUSE;
    if (sh.command) {
        pthread_mutex_init(&sh.lock, NULL);
        arena_init(&sh.arena, ARENA_NO_BOUND); /* operands and what their patterns match */
        struct args args = {argv + 2, (size_t)(argc - 2)};
        code = shell_run(&sh, &args);
        shell_fs_close_all(&sh);
        arena_free(&sh.arena);
        pthread_mutex_destroy(&sh.lock);
    } else {
        print_unknown(argv[1]);
    }
    config_free(config);
    return code;
}
