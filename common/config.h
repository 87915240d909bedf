/* Settings by Hadoop's names, from (rising order): built-in defaults, $HADOOP_CONF_DIR/{core,hdfs,mapred}-site.xml,
 * environment (HDFS_CONF_dfs_replication=2, CORE_CONF_fs_defaultFS=...: "_" is ".", "__" is "_", "___" is "-"),
 * -conf FILE, -D name=value.
 *
 * One row in config_keys.c per setting we know: type, default, bounds, help. Known settings are checked when they are
 * set, so that a bad value stops the program at once with an error that names key, value and source; getters cannot
 * fail. Asking for a key that has no row is our bug (assert). Unknown keys are kept as text (config_get).
 * ${name} inside a value is replaced by that setting's value or environment variable (depth 20 at most).
 * Immutable after loading, then any thread may read. Strings are borrowed from the config. */
#ifndef CAIRN_COMMON_CONFIG_H
#define CAIRN_COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct config;

enum config_type {
    CONFIG_STRING,
    CONFIG_INT,  /* plain number */
    CONFIG_SIZE, /* bytes; suffixes k m g t p (powers of 1024) */
    CONFIG_BOOL, /* true | false */
    CONFIG_FLOAT,
    CONFIG_MS,      /* duration, number without suffix in ms; suffixes ns us ms s m h d */
    CONFIG_SECONDS, /* duration, number without suffix in s; config_ms() gives ms all the same */
    CONFIG_MINUTES,
};

struct config_key {
    const char *name;
    enum config_type type;
    const char *fallback; /* default, as text; NULL = unset */
    int64_t min, max;     /* for numbers, in the key's own unit; both 0 = any */
    const char *help;
};
extern const struct config_key config_keys[]; /* ends with name == NULL */

struct config *config_new(void); /* built-in defaults only */
struct config *config_copy(const struct config *c);
void config_free(struct config *c);
void config_freep(struct config **c);

int config_load_xml(struct config *c, const char *path, struct err *reterr) MUST_CHECK;
/* *-site.xml of a folder; files that are missing are fine, files that cannot be read are not. */
int config_load_dir(struct config *c, const char *dir, struct err *reterr) MUST_CHECK;
int config_load_env(struct config *c, struct err *reterr) MUST_CHECK;
/* source: for messages, e.g. "-D". A later set wins unless an XML file marked the property <final>. */
int config_set(struct config *c, const char *name, const char *value, const char *source,
               struct err *reterr) MUST_CHECK;

/* The same, saying whether later sets may change it (an XML file's <final>). */
int config_set_final(struct config *c, const char *name, const char *value, const char *source, bool final,
                     struct err *reterr) MUST_CHECK;

/* As if nobody had set it; what `source` set stays. */
void config_forget(struct config *c, const char *name, const char *source);

const char *config_get(const struct config *c, const char *name); /* any key; NULL if unset */
bool config_is_set(const struct config *c, const char *name);     /* by anyone but the built-in default */
const char *config_str(const struct config *c, const char *name); /* "" if unset; known keys only, as all below */
int64_t config_int(const struct config *c, const char *name);     /* INT */
int64_t config_size(const struct config *c, const char *name);    /* SIZE, bytes */
int64_t config_ms(const struct config *c, const char *name);      /* MS, SECONDS, MINUTES */
bool config_bool(const struct config *c, const char *name);
double config_float(const struct config *c, const char *name);
/* Every setting, known or not, with value and source, ordered by name. */
void config_each(const struct config *c, void (*fn)(const char *name, const char *value, const char *source, void *arg),
                 void *arg);

/* Parsers on their own (whole text must match). */
int config_parse_size(const char *text, int64_t *ret_bytes);
int config_parse_duration_ms(const char *text, enum config_type unit, int64_t *ret_ms);

#endif
