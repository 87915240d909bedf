#include <stdlib.h>

#include "client/lib/dfs.h"

/* What stays allowed, by class. */
static bool parse_symbolic(const char *text, unsigned *ret_allowed)
{
    unsigned who = 0;
    bool granting = false;
    *ret_allowed = 0;
    for (const char *at = text; *at; at++) {
        switch (*at) {
        case 'u': who |= 0700; break;
        case 'g': who |= 0070; break;
        case 'o': who |= 0007; break;
        case 'a': who |= 0777; break;
        case '+':
        case '=':
            granting = true;
            who = who ? who : 0777;
            break;
        case 'r': *ret_allowed |= granting ? who & 0444 : 0; break;
        case 'w': *ret_allowed |= granting ? who & 0222 : 0; break;
        case 'x': *ret_allowed |= granting ? who & 0111 : 0; break;
        case ',':
            who = 0;
            granting = false;
            break;
        case ' ':
        case '-': break;
        default: return false;
        }
    }
    return *text;
}

int dfs_umask(const struct config *config, uint16_t *ret, struct err *reterr)
{
    const char *text = config_str(config, "fs.permissions.umask-mode");
    char *end;
    unsigned allowed;
    long octal = strtol(text, &end, 8);
    if (end != text && !*end && octal >= 0 && octal <= 0777)
        *ret = (uint16_t)octal;
    else if (parse_symbolic(text, &allowed))
        *ret = (uint16_t)(~allowed & 0777);
    else /* no guess: what is made would be open to those whom it was meant to shut out */
        return err_set(reterr, ERR_CONFIG,
                       "Unable to parse configuration fs.permissions.umask-mode with value %s as octal or symbolic "
                       "umask.",
                       text);
    return 0;
}
