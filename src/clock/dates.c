/* See dates.h: proleptic Gregorian (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). Not for time zones. */
#include "clock/dates.h"

#include <stdio.h>

static int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    int64_t era = y / 400; /* years from 1 on */
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool vf__day_from_ymd(int64_t year, int64_t month, int64_t day, int32_t *out) {
    static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > lengths[month - 1] + (leap && month == 2)) return false;
    *out = (int32_t)days_from_civil(year, month, day);
    return true;
}

void vf__day_text(int32_t day, char out[16]) {
    int64_t z = (int64_t)day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t of_era = z - era * 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t mp = (5 * of_year + 2) / 153;
    int64_t d = of_year - (153 * mp + 2) / 5 + 1, m = mp < 10 ? mp + 3 : mp - 9;
    int64_t y = year_of_era + era * 400 + (m <= 2);
    if (y < 1 || y > 9999)
        (void)snprintf(out, 16, "day %ld", (long)day);
    else
        (void)snprintf(out, 16, "%04u-%02u-%02u", (unsigned)y % 10000, (unsigned)m % 100, (unsigned)d % 100);
}

bool vf__day_from_text(const uint8_t *text, size_t length, int32_t *out) {
    int64_t field[3] = {0, 0, 0};
    static const size_t widths[] = {4, 2, 2};
    size_t at = 0;
    if (length != 8 && length != 10) return false;
    for (size_t f = 0; f < 3; f++) {
        if (length == 10 && f > 0 && text[at++] != '-') return false;
        for (size_t i = 0; i < widths[f]; i++, at++) {
            if (text[at] < '0' || text[at] > '9') return false;
            field[f] = field[f] * 10 + (text[at] - '0');
        }
    }
    return vf__day_from_ymd(field[0], field[1], field[2], out);
}
