/* Modes as `chmod` takes them in Hadoop: 3 or 4 octal digits, or clauses such as "u+rw,go-x,+X,+t". Pure. */
#ifndef CAIRN_CLIENT_FS_CHMOD_PARSE_H
#define CAIRN_CLIENT_FS_CHMOD_PARSE_H

#include <stdbool.h>
#include <stdint.h>

struct chmod_change {
    struct chmod_part {
        char how;      /* '+', '-', '=' */
        unsigned bits; /* rwx, and 8 for X */
    } user, group, others, sticky;
};
bool chmod_parse(const char *text, struct chmod_change *ret);
uint16_t chmod_apply(const struct chmod_change *c, uint16_t mode, bool is_dir);

#endif
