/* World development indicators: quoted CSV with a column per year. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gen.h"

enum { YEAR_FIRST = 1960, YEAR_LAST = 2024, INDICATORS_NAMED = 6, INDICATOR_DEATHS = 5 };

static const char *const country_names[] = {"Côte d'Ivoire", "Korea, Rep.", "São Tomé and Príncipe", "Congo, Dem. Rep.",
                                            "Türkiye",       "Lao PDR",     "Bahamas, The",          "Curaçao"};
static const char *const indicators[INDICATORS_NAMED][2] = {
    {"Life expectancy at birth, female (years)", "SP.DYN.LE00.FE.IN"},
    {"Life expectancy at birth, male (years)", "SP.DYN.LE00.MA.IN"},
    {"Life expectancy at birth, total (years)", "SP.DYN.LE00.IN"},
    {"Mortality rate, adult, female (per 1,000 female adults)", "SP.DYN.AMRT.FE"},
    {"Mortality rate, adult, male (per 1,000 male adults)", "SP.DYN.AMRT.MA"},
    {"Number of infant deaths", "SH.DTH.IMRT"},
};

static void field(const char *text)
{
    printf(strchr(text, ',') ? "\"%s\"" : "%s", text);
}

static uint64_t missing_percent(uint64_t country, int year)
{
    if (year < 1990)
        return 60;
    if (year < 2013)
        return 20;
    if (year == YEAR_LAST)
        return country % 2 ? 100 : 0;
    return country % 7 == 3 ? 10 : 0;
}

static int64_t milli_value(uint64_t series, uint64_t k, uint64_t n, int year)
{
    static const struct {
        uint64_t base, range;
        int64_t trend;
    } kinds[] = {{45000, 25000, 150}, {60000, 300000, -500}, {1000000, 90000000, -1000}, {0, 1000000000, 7}};
    int kind = k < 3 ? 0 : k < 5 ? 1 : k == INDICATOR_DEATHS ? 2 : 3;
    return (int64_t)(kinds[kind].base + hash(1, series) % kinds[kind].range) + (year - YEAR_FIRST) * kinds[kind].trend +
           (int64_t)(hash(2, n) % 500);
}

static void cells(uint64_t country, uint64_t k, uint64_t series)
{
    for (int year = YEAR_FIRST; year <= YEAR_LAST; year++) {
        uint64_t n = series * 100 + (uint64_t)(year - YEAR_FIRST);
        putchar(',');
        if (hash(3, n) % 100 < missing_percent(country, year))
            continue;
        int64_t milli = milli_value(series, k, n, year);
        printf("%" PRId64, milli / 1000);
        if (k != INDICATOR_DEATHS)
            printf(".%03" PRId64, milli % 1000);
    }
    putchar('\n');
}

static void row(uint64_t country, uint64_t k, uint64_t indicator_count)
{
    char name[64];
    snprintf(name, sizeof name, "Country %04" PRIu64, country);
    field(country < sizeof country_names / sizeof country_names[0] ? country_names[country] : name);
    printf(",C%03" PRIX64 ",", country);
    if (k < INDICATORS_NAMED) {
        field(indicators[k][0]);
        printf(",%s", indicators[k][1]);
    } else {
        snprintf(name, sizeof name, "Synthetic indicator %06" PRIu64 " (unit, %" PRIu64 ")", k, k % 7);
        field(name);
        printf(",SYN.%06" PRIu64, k);
    }
    cells(country, k, country * indicator_count + k);
}

void gen_wdi(uint64_t rows, uint64_t countries)
{
    countries = countries ? countries : 266;
    uint64_t count = rows / countries < INDICATORS_NAMED ? INDICATORS_NAMED : rows / countries;
    fputs("Country Name,Country Code,Indicator Name,Indicator Code", stdout);
    for (int year = YEAR_FIRST; year <= YEAR_LAST; year++)
        printf(",%d", year);
    putchar('\n');
    for (uint64_t c = 0; c < countries; c++)
        for (uint64_t k = 0; k < count; k++)
            row(c, k, count);
}
