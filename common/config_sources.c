/* Where settings come from: Hadoop's XML files and the environment. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config.h"
#include "common/file.h"
#include "common/mem.h"

#define CONFIG_FILE_MAX_BYTES (4 << 20)
#define CONFIG_XML_DEPTH_MAX  16

extern char **environ;

enum xml_field { FIELD_NAME, FIELD_VALUE, FIELD_FINAL, FIELD_COUNT, FIELD_NONE = FIELD_COUNT };
static const char *const xml_fields[FIELD_COUNT] = {"name", "value", "final"};

struct xml_reader {
    struct config *config;
    const char *path;
    XML_Parser parser;
    struct buf text[FIELD_COUNT];
    enum xml_field field;
    int depth; /* configuration 1, property 2, name/value/final 3 */
    int rc;
    struct err *reterr;
};

static void xml_stop(struct xml_reader *x, int rc)
{
    x->rc = rc;
    XML_StopParser(x->parser, XML_FALSE);
}

static void XMLCALL xml_on_start(void *arg, const char *element, const char **attributes)
{
    struct xml_reader *x = arg;
    (void)attributes;
    if (++x->depth > CONFIG_XML_DEPTH_MAX)
        return xml_stop(x, err_set(x->reterr, ERR_CONFIG, "'%s': nested too deeply", x->path));
    if (x->depth == 1 && strcmp(element, "configuration") != 0)
        return xml_stop(x, err_set(x->reterr, ERR_CONFIG, "'%s': the outermost element is <%s>, want <configuration>",
                                   x->path, element));
    if (x->depth == 2)
        for (int i = 0; i < FIELD_COUNT; i++)
            buf_clear(&x->text[i]);
    x->field = FIELD_NONE;
    for (int i = 0; x->depth == 3 && i < FIELD_COUNT; i++)
        if (strcmp(element, xml_fields[i]) == 0)
            x->field = (enum xml_field)i;
}

static void XMLCALL xml_on_text(void *arg, const char *text, int len)
{
    struct xml_reader *x = arg;
    if (x->field != FIELD_NONE)
        buf_append(&x->text[x->field], text, (size_t)len);
}

static char *trimmed(struct buf *b)
{
    char *text = buf_cstr(b), *end;
    text += strspn(text, " \t\r\n");
    for (end = text + strlen(text); end > text && strchr(" \t\r\n", end[-1]); end--)
        ;
    *end = 0;
    return text;
}

static void XMLCALL xml_on_end(void *arg, const char *element)
{
    struct xml_reader *x = arg;
    x->field = FIELD_NONE;
    if (x->depth-- != 2 || strcmp(element, "property") != 0)
        return;
    const char *name = trimmed(&x->text[FIELD_NAME]), *value = trimmed(&x->text[FIELD_VALUE]);
    bool final = strcmp(trimmed(&x->text[FIELD_FINAL]), "true") == 0;
    if (*name) {
        int rc = config_set_final(x->config, name, value, x->path, final, x->reterr);
        if (rc < 0)
            xml_stop(x, rc);
    }
}

int config_load_xml(struct config *c, const char *path, struct err *reterr)
{
    struct buf file = {0};
    int rc = file_read(path, CONFIG_FILE_MAX_BYTES, &file, reterr);
    if (rc < 0)
        return rc;
    struct xml_reader x = {.config = c, .path = path, .field = FIELD_NONE, .reterr = reterr};
    x.parser = XML_ParserCreate(NULL);
    XML_SetUserData(x.parser, &x);
    XML_SetElementHandler(x.parser, xml_on_start, xml_on_end);
    XML_SetCharacterDataHandler(x.parser, xml_on_text);
    if (XML_Parse(x.parser, (const char *)file.base, (int)file.len, 1) == XML_STATUS_ERROR && x.rc == 0)
        x.rc = err_set(reterr, ERR_CONFIG, "'%s' line %lu: %s", path, (unsigned long)XML_GetCurrentLineNumber(x.parser),
                       XML_ErrorString(XML_GetErrorCode(x.parser)));
    XML_ParserFree(x.parser);
    for (int i = 0; i < FIELD_COUNT; i++)
        buf_free(&x.text[i]);
    buf_free(&file);
    return x.rc;
}

int config_load_dir(struct config *c, const char *dir, struct err *reterr)
{
    static const char *const names[] = {"core-site.xml", "hdfs-site.xml", "mapred-site.xml", "cairn-site.xml"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        AUTO(mem_freep) char *path = mem_printf("%s/%s", dir, names[i]);
        if (access(path, F_OK) < 0 && errno == ENOENT)
            continue;
        int rc = config_load_xml(c, path, reterr);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* "___" is '-', "__" is '_', "_" is '.': the convention of the docker-hadoop images. */
static char *name_from_env(const char *text, size_t len)
{
    char *name = mem_alloc(len + 1), *to = name;
    for (size_t i = 0; i < len;) {
        size_t run = strspn(text + i, "_");
        if (run > len - i)
            run = len - i;
        if (run >= 3) {
            *to++ = '-';
            i += 3;
        } else if (run == 2) {
            *to++ = '_';
            i += 2;
        } else {
            *to++ = run ? '.' : text[i];
            i++;
        }
    }
    *to = 0;
    return name;
}

int config_load_env(struct config *c, struct err *reterr)
{
    static const char *const prefixes[] = {"CORE_CONF_", "HDFS_CONF_", "MAPRED_CONF_", "CAIRN_CONF_"};
    for (char **e = environ; *e; e++)
        for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++) {
            size_t skip = strlen(prefixes[i]);
            const char *equals = strchr(*e, '=');
            if (!equals || strncmp(*e, prefixes[i], skip) != 0 || equals <= *e + skip)
                continue;
            AUTO(mem_freep) char *source = mem_strndup(*e, (size_t)(equals - *e));
            AUTO(mem_freep) char *name = name_from_env(*e + skip, (size_t)(equals - *e) - skip);
            int rc = config_set(c, name, equals + 1, source, reterr);
            if (rc < 0)
                return rc;
        }
    return 0;
}
