#include "scheduler/engine/command_line.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int command_split(const char *text, struct arena *a, char ***ret_words, struct err *reterr)
{
    size_t len = strlen(text), count = 0, used = 0;
    char **words = arena_array(a, char *, len / 2 + 2);
    char *out = arena_alloc(a, len + 1);
    char quote = 0;
    bool in_word = false;
    char *word = out;
    for (const char *p = text;; p++) {
        bool blank = !quote && (*p == ' ' || *p == '\t' || *p == '\n' || *p == 0);
        if (*p == 0 && quote)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "command '%s': a %c is not closed", text, quote);
        if (blank && in_word) {
            out[used++] = 0;
            words[count++] = word;
            word = out + used;
            in_word = false;
        }
        if (*p == 0)
            break;
        if (blank)
            continue;
        in_word = true;
        if (!quote && (*p == '\'' || *p == '"'))
            quote = *p;
        else if (quote == *p)
            quote = 0;
        else
            out[used++] = *p;
    }
    if (count == 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "the command is empty");
    *ret_words = words;
    return 0;
}

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

int command_find(const char *word, struct arena *a, const char **ret_path, struct err *reterr)
{
    struct stat st;
    *ret_path = word;
    if (word[0] == '/') {
        if (stat(word, &st) < 0)
            return err_set(reterr, ERR_NOT_FOUND, "command '%s' does not exist on this node", word);
        return 0;
    }
    if (stat(word, &st) == 0 && S_ISREG(st.st_mode)) {
        (void)chmod(word, (st.st_mode | 0111) & 07777); /* not ours: exec will say so */
        *ret_path = strchr(word, '/') ? word : arena_printf(a, "./%s", word);
        return 0;
    }
    if (!strchr(word, '/')) {
        const char *path = getenv("PATH");
        path = path ? path : "/usr/local/bin:/usr/bin:/bin";
        while (*path) {
            size_t n = strcspn(path, ":");
            const char *candidate = arena_printf(a, "%.*s/%s", (int)n, n ? path : ".", word);
            if (is_program(candidate)) {
                *ret_path = candidate;
                return 0;
            }
            path += n + (path[n] == ':');
        }
    }
    return err_set(reterr, ERR_NOT_FOUND,
                   "command '%s' is neither among the job's files nor on this node's PATH; ship it with -file %s", word,
                   word);
}
