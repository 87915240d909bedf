/* Parts of keys, as sort's -k names them: Hadoop's KeyFieldBasedPartitioner and KeyFieldBasedComparator. */
#ifndef CAIRN_SCHEDULER_ENGINE_KEY_FIELDS_H
#define CAIRN_SCHEDULER_ENGINE_KEY_FIELDS_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

#define KEY_SPECS_MAX 16
struct key_spec { /* fields and characters count from 1; end_char 0 = the field's last */
    int begin_field, begin_char, end_field, end_char; /* end_field 0 = to the end of the key */
    bool numeric, reverse;
};
struct key_fields {
    struct slice separator;
    struct key_spec specs[KEY_SPECS_MAX];
    int count;
};
/* "-k2.3,4 -k1,1nr", and -n, -r for those without letters of their own. ERR_CONFIG names what `text` belongs to. */
int key_fields_parse(const char *text, const char *name, struct key_fields *ret, struct err *reterr) MUST_CHECK;
/* Empty if the key has no such field. */
struct slice key_part(struct slice key, struct slice separator, const struct key_spec *spec);
/* A separator as a setting names it, of any length; TAB without one. */
struct slice separator_of(const char *setting);
const uint8_t *separator_find(const uint8_t *from, const uint8_t *end, struct slice separator); /* or NULL */

#endif
