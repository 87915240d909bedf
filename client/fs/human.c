#include "client/fs/human.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* Adds one to the last digit of a decimal text such as "9.96" (skipping the point). */
static void decimal_round_up(char *text)
{
    size_t i = strlen(text);
    while (i-- > 0) {
        if (text[i] == '.' || text[i] == '-')
            continue;
        if (text[i] != '9') {
            text[i]++;
            return;
        }
        text[i] = '0';
    }
    size_t sign = text[0] == '-';
    memmove(text + sign + 1, text + sign, strlen(text + sign) + 1);
    text[sign] = '1';
}

const char *human_fixed(double value, int decimals, char out[HUMAN_MAX])
{
    if (isnan(value) || isinf(value) || fabs(value) > 1e18) {
        snprintf(out, HUMAN_MAX, isnan(value) ? "NaN" : "%g", value);
        return out;
    }
    /* The shortest text that reads back as value tells which way a tie goes: 0.15 is a tie for us although the binary
     * number is a little less. */
    char shortest[HUMAN_MAX];
    int digits = 0;
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(shortest, sizeof shortest, "%.*e", precision - 1, value);
        digits = precision;
        if (strtod(shortest, NULL) == value)
            break;
    }
    int exponent = atoi(strchr(shortest, 'e') + 1);
    int fraction_digits = digits - 1 - exponent;
    if (fraction_digits <= decimals) {
        snprintf(out, HUMAN_MAX, "%.*f", decimals, value);
        return out;
    }
    char exact[HUMAN_MAX];
    snprintf(exact, sizeof exact, "%.*f", fraction_digits > 40 ? 40 : fraction_digits, value);
    char *point = strchr(exact, '.');
    bool up = point && point[1 + decimals] >= '5';
    if (point)
        point[decimals ? decimals + 1 : 0] = '\0';
    if (up)
        decimal_round_up(exact);
    snprintf(out, HUMAN_MAX, "%s", exact);
    return out;
}

const char *human_prefixed(int64_t n, const char *unit, int decimals, char out[HUMAN_MAX])
{
    static const char symbols[] = "KMGTPE";
    const char *space = *unit ? " " : "";
    const char *sign = n < 0 ? "-" : "";
    uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    if (size < 1024) {
        snprintf(out, HUMAN_MAX, "%s%" PRIu64 "%s%s", sign, size, space, unit);
        return out;
    }
    int i = 0;
    while (i < 5 && size >= (uint64_t)1 << (10 * (i + 2)))
        i++;
    uint64_t value = (uint64_t)1 << (10 * (i + 1));
    if (size % value == 0) {
        snprintf(out, HUMAN_MAX, "%s%" PRIu64 " %c%s", sign, size / value, symbols[i], unit);
        return out;
    }
    char number[HUMAN_MAX];
    human_fixed((double)size / (double)value, decimals, number);
    if (!strncmp(number, "1024", 4) && i < 5) {
        i++;
        human_fixed((double)size / (double)(value << 10), decimals, number);
    }
    snprintf(out, HUMAN_MAX, "%s%.40s %c%s", sign, number, symbols[i], unit);
    return out;
}

const char *human_size(int64_t n, bool human, char out[HUMAN_MAX])
{
    if (human)
        return human_prefixed(n, "", 1, out);
    snprintf(out, HUMAN_MAX, "%" PRId64, n);
    return out;
}

const char *human_bytes(int64_t n, char out[HUMAN_MAX])
{
    return human_prefixed(n, "B", 2, out);
}

const char *human_percent(double fraction, int decimals, char out[HUMAN_MAX])
{
    char number[HUMAN_MAX];
    snprintf(out, HUMAN_MAX, "%.60s%%", human_fixed(fraction * 100, decimals, number));
    return out;
}

int human_parse_prefixed(const char *text, int64_t *ret, struct err *reterr)
{
    while (isspace((unsigned char)*text))
        text++;
    static const char symbols[] = "kmgtpe";
    char *end, last = *text ? text[strlen(text) - 1] : '0';
    const char *symbol = isdigit((unsigned char)last) ? NULL : strchr(symbols, tolower((unsigned char)last));
    if (!symbol && !isdigit((unsigned char)last))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                       "Invalid size prefix '%c' in '%s'. Allowed prefixes are k, m, g, t, p, e(case insensitive)",
                       last, text);
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno || *(symbol ? end + 1 : end))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "For input string: \"%.*s\"", (int)strlen(text) - (symbol != NULL),
                       text);
    int shift = symbol ? 10 * (int)(symbol - symbols + 1) : 0;
    if (n > INT64_MAX >> shift || n < INT64_MIN >> shift)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s does not fit in a Long", text);
    *ret = (int64_t)((uint64_t)n << shift);
    return 0;
}

const char *mode_symbols(uint16_t mode, char out[10])
{
    for (int i = 0; i < 9; i++)
        out[i] = mode & (0400 >> i) ? "rwx"[i % 3] : '-';
    if (mode & 01000)
        out[8] = mode & 01 ? 't' : 'T';
    out[9] = '\0';
    return out;
}

void table_init(struct table *t, size_t columns)
{
    *t = (struct table){.columns = columns};
    arena_init(&t->arena, ARENA_NO_BOUND); /* what the user asked to see; its size is the listing's */
}

void table_row(struct table *t, const char *const *cells)
{
    if (t->rows == t->rows_max) {
        t->rows_max = t->rows_max ? t->rows_max * 2 : 64;
        t->cells = mem_realloc_array(t->cells, t->rows_max * t->columns, sizeof *t->cells);
    }
    for (size_t i = 0; i < t->columns; i++)
        t->cells[t->rows * t->columns + i] = arena_strdup(&t->arena, cells[i]);
    t->rows++;
}

/* Columns are counted in characters, as Java does, not in bytes. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += (*text & 0xC0) != 0x80;
    return width;
}

void table_print(struct table *t, FILE *to)
{
    if (t->rows > (t->header ? 1 : 0)) {
        int width[8] = {0};
        for (size_t i = 0; i < t->rows * t->columns; i++) {
            int w = text_width(t->cells[i]);
            if (w > width[i % t->columns])
                width[i % t->columns] = w;
        }
        for (size_t i = 0; i < t->rows * t->columns; i++) {
            size_t column = i % t->columns;
            int pad = width[column] - text_width(t->cells[i]);
            bool last = column == t->columns - 1;
            if (t->right[column])
                fprintf(to, "%*s%s", pad, "", t->cells[i]);
            else
                fprintf(to, "%s%*s", t->cells[i], last ? 0 : pad, "");
            fputs(last ? "\n" : "  ", to);
        }
    }
    free(t->cells);
    arena_free(&t->arena);
    *t = (struct table){0};
}
