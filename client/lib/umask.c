#include <stdlib.h>

#include "client/lib/dfs.h"

#define UMASK_DEFAULT 022

static uint16_t umask_parse(const char *text)
{
    char *end;
    long octal = strtol(text, &end, 8);
    if (end != text && !*end && octal >= 0 && octal <= 0777)
        return (uint16_t)octal;
    unsigned allowed = 0;
    unsigned who = 0;
    bool granting = false;
    for (const char *at = text; *at; at++) {
        switch (*at) {
        case 'u': who |= 0700; break;
        case 'g': who |= 0070; break;
        case 'o': who |= 0007; break;
        case 'a': who |= 0777; break;
        case '=': granting = true; break;
        case 'r': allowed |= granting ? who & 0444 : 0; break;
        case 'w': allowed |= granting ? who & 0222 : 0; break;
        case 'x': allowed |= granting ? who & 0111 : 0; break;
        case ',':
            who = 0;
            granting = false;
            break;
        case '-': break;
        default: return UMASK_DEFAULT;
        }
    }
    return *text ? (uint16_t)(~allowed & 0777) : UMASK_DEFAULT;
}

uint16_t dfs_umask(const struct config *config)
{
    return umask_parse(config_str(config, "fs.permissions.umask-mode"));
}
