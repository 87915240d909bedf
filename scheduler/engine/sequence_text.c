#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wr.h"
#include "scheduler/engine/sequence_file.h"

int64_t rd_java_vint(struct rd *r)
{
    int8_t first = (int8_t)rd_u8(r);
    if (first >= -112)
        return first;
    bool negative = first < -120;
    int bytes = negative ? -120 - first : -112 - first;
    uint64_t value = rd_be(r, (size_t)bytes);
    return negative ? (int64_t)~value : (int64_t)value;
}

void wr_java_vint(struct buf *b, int64_t value)
{
    if (value >= -112 && value <= 127) {
        wr_u8(b, (uint8_t)value);
        return;
    }
    uint64_t bits = value < 0 ? ~(uint64_t)value : (uint64_t)value;
    int bytes = 8;
    while (bytes > 1 && !(bits >> (8 * bytes - 8)))
        bytes--;
    wr_u8(b, (uint8_t)((value < 0 ? -120 : -112) - bytes));
    for (int i = bytes - 1; i >= 0; i--)
        wr_u8(b, (uint8_t)(bits >> 8 * i));
}

/* Java's Double.toString: as few digits as tell it from its neighbours, an exponent below 0.001 and from 10^7 on. */
static void put_floating(struct buf *to, double value, bool single)
{
    char text[40] = "";
    int digits = 1;
    if (isnan(value) || isinf(value)) {
        buf_append_str(to, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
        return;
    }
    for (; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, value);
        if (single ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
            break;
    }
    const char *e = strchr(text, 'e');
    int exponent = e ? atoi(e + 1) : 0;
    if (value == 0 || (exponent >= -3 && exponent < 7)) {
        int places = digits - 1 - exponent;
        buf_printf(to, "%.*f", places < 1 ? 1 : places, value);
        return;
    }
    buf_append(to, text, (size_t)(e - text));
    if (digits == 1)
        buf_append_str(to, ".0");
    buf_printf(to, "E%d", exponent);
}

void java_double_append(struct buf *to, double value)
{
    put_floating(to, value, false);
}

static void put_hex(struct buf *to, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_printf(to, i ? " %02x" : "%02x", bytes.base[i]);
}

static void put_bytes(struct buf *to, struct slice bytes)
{
    if (bytes.len)
        buf_append(to, bytes.base, bytes.len);
}

int sequence_text(const char *class, struct slice bytes, bool hex, struct buf *to, struct err *reterr)
{
    static const char prefix[] = "org.apache.hadoop.io.";
    const char *name = strncmp(class, prefix, sizeof prefix - 1) ? "" : class + sizeof prefix - 1;
    struct rd rd = rd_of(bytes);
    if (!strcmp(name, "Text")) {
        int64_t len = rd_java_vint(&rd);
        put_bytes(to, rd_slice(&rd, len < 0 ? SIZE_MAX : (size_t)len));
    } else if (!strcmp(name, "BytesWritable")) {
        struct slice content = rd_slice(&rd, rd_u32be(&rd));
        if (hex)
            put_hex(to, content);
        else
            put_bytes(to, content);
    } else if (!strcmp(name, "IntWritable")) {
        buf_printf(to, "%d", (int)rd_u32be(&rd));
    } else if (!strcmp(name, "LongWritable")) {
        buf_printf(to, "%lld", (long long)rd_u64be(&rd));
    } else if (!strcmp(name, "ShortWritable")) {
        buf_printf(to, "%d", (int16_t)rd_u16be(&rd));
    } else if (!strcmp(name, "ByteWritable")) {
        buf_printf(to, "%d", (int8_t)rd_u8(&rd));
    } else if (!strcmp(name, "BooleanWritable")) {
        buf_append_str(to, rd_u8(&rd) ? "true" : "false");
    } else if (!strcmp(name, "VIntWritable") || !strcmp(name, "VLongWritable")) {
        buf_printf(to, "%lld", (long long)rd_java_vint(&rd));
    } else if (!strcmp(name, "FloatWritable")) {
        uint32_t bits = rd_u32be(&rd);
        float value;
        memcpy(&value, &bits, sizeof value);
        put_floating(to, value, true);
    } else if (!strcmp(name, "DoubleWritable")) {
        uint64_t bits = rd_u64be(&rd);
        double value;
        memcpy(&value, &bits, sizeof value);
        put_floating(to, value, false);
    } else if (!strcmp(name, "NullWritable")) {
        buf_append_str(to, "(null)");
    } else {
        return err_set(reterr, ERR_UNSUPPORTED, "values of class %s cannot be read as text", class);
    }
    return rd.bad ? err_set(reterr, ERR_IO, "a %s is cut short", name) : 0;
}
