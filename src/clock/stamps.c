/* See stamps.h. A hand-written reader, as strptime minds the locale.
   Not for columns. */
#include "clock/stamps.h"

#include "clock/dates.h"

#include <stdio.h>
#include <string.h>

#define MILLISECOND_NS INT64_C(1000000)

/* ---- digits ---- */

int64_t vf__time_from_hhmmss(int64_t digits) {
    if (digits < 0 || digits > 240000) return VF__UNREADABLE;
    uint32_t d = (uint32_t)digits;
    uint32_t s = d % 100, m = d / 100 % 100, h = d / 10000;
    if (s > 59 || m > 59) return VF__UNREADABLE;
    return (int64_t)(h * 3600 + m * 60 + s) * VF__SECOND_NS;
}

int64_t vf__time_from_hhmmssmmm(int64_t digits) {
    if (digits < 0 || digits > 240000000) return VF__UNREADABLE;
    uint32_t d = (uint32_t)digits;
    uint32_t ms = d % 1000;
    int64_t whole = vf__time_from_hhmmss((int64_t)(d / 1000));
    if (whole < 0) return VF__UNREADABLE;
    return whole + (int64_t)ms * MILLISECOND_NS;
}

int64_t vf__time_from_dated(int64_t digits, enum vf_time_layout layout, int32_t *day) {
    int64_t scale = layout == VF_LAYOUT_YYYYMMDDHHMM     ? 10000
                    : layout == VF_LAYOUT_YYYYMMDDHHMMSS ? 1000000
                                                         : 1000000000;
    *day = VF__NO_DAY;
    if (digits < 0) return VF__UNREADABLE;
    int64_t date = digits / scale, clock = digits % scale;
    if (!vf__day_from_ymd(date / 10000, date / 100 % 100, date % 100, day)) return VF__UNREADABLE;
    if (scale == 1000000000) return vf__time_from_hhmmssmmm(clock);
    return vf__time_from_hhmmss(scale == 10000 ? clock * 100 : clock);
}

/* ---- text ---- */

struct cursor {
    const uint8_t *at, *end;
};

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

/* Exactly `count` digits, or -1. */
static int64_t digits_of(struct cursor *c, int count) {
    int64_t value = 0;
    if (c->end - c->at < count) return -1;
    for (int i = 0; i < count; i++) {
        if (!is_digit(c->at[i])) return -1;
        value = value * 10 + (c->at[i] - '0');
    }
    c->at += count;
    return value;
}

static bool take(struct cursor *c, uint8_t byte) {
    if (c->at == c->end || *c->at != byte) return false;
    c->at++;
    return true;
}

/* A date and what separates it from its time. */
static bool take_date(struct cursor *c, int32_t *day) {
    int64_t year = digits_of(c, 4);
    if (year < 0 || c->at == c->end) return false;
    uint8_t mark = *c->at == '-' || *c->at == '/' || *c->at == '.' ? *c->at : 0;
    if (mark != 0) c->at++;
    int64_t month = digits_of(c, 2);
    if (month < 0 || (mark != 0 && !take(c, mark))) return false;
    int64_t of_month = digits_of(c, 2);
    if (of_month < 0 || !vf__day_from_ymd(year, month, of_month, day)) return false;
    return take(c, 'T') || take(c, ' ') || take(c, 'D') || (mark == 0 && take(c, '-'));
}

/* ".123" as nanoseconds; -1 when no digit, or more than nine, follow. */
static int64_t fraction(struct cursor *c) {
    int64_t value = 0;
    int count = 0;
    while (c->at < c->end && is_digit(*c->at)) {
        if (++count > 9) return -1;
        value = value * 10 + (*c->at++ - '0');
    }
    if (count == 0) return -1;
    while (count++ < 9)
        value *= 10;
    return value;
}

/* "HH:MM[:SS[.f]]" and, behind a date, "HHMM[SS[.f]]". */
static int64_t take_clock(struct cursor *c, bool dated) {
    bool short_hour = c->end - c->at > 1 && c->at[1] == ':';
    int64_t h = digits_of(c, short_hour ? 1 : 2), s = 0, ns = 0;
    bool colon = take(c, ':');
    if (h < 0 || h > 24 || (!colon && !dated)) return VF__UNREADABLE;
    int64_t m = digits_of(c, 2);
    if (m < 0 || m > 59) return VF__UNREADABLE;
    if (colon ? take(c, ':') : c->at < c->end && is_digit(*c->at)) {
        s = digits_of(c, 2);
        if (s < 0 || s > 59) return VF__UNREADABLE;
        if (take(c, '.') || take(c, ',')) ns = fraction(c);
        if (ns < 0) return VF__UNREADABLE;
    }
    if (c->at < c->end) {
        bool space = take(c, ' ');
        bool zone = c->at < c->end && (*c->at == '+' || *c->at == '-' || (!space && (*c->at == 'Z' || *c->at == 'z')));
        return zone ? VF__HAS_ZONE : VF__UNREADABLE;
    }
    int64_t time = ((h * 60 + m) * 60 + s) * VF__SECOND_NS + ns;
    return time > VF_DAY_NS ? VF__UNREADABLE : time;
}

int64_t vf__time_from_text(const uint8_t *text, size_t length, struct vf__last_date *last, int32_t *day) {
    *day = VF__NO_DAY;
    for (; length > 0 && text[0] == ' '; length--)
        text++;
    while (length > 0 && text[length - 1] == ' ')
        length--;
    struct cursor c = {.at = text, .end = text + length};
    if (length < 4) return VF__UNREADABLE;
    if (last->length > 0 && length > last->length && memcmp(text, last->text, last->length) == 0) {
        c.at += last->length;
        *day = last->day;
        return take_clock(&c, true);
    }
    bool dated = length > 8 && is_digit(text[0]) && is_digit(text[1]) && is_digit(text[2]);
    if (!dated) return take_clock(&c, false);
    int32_t found;
    if (!take_date(&c, &found)) return VF__UNREADABLE;
    *day = last->day = found;
    last->length = (size_t)(c.at - text);
    memcpy(last->text, text, last->length);
    return take_clock(&c, true);
}

/* ---- what a value looks like ---- */

static bool in_years(int64_t value, int64_t per_second) {
    const int64_t from = 631152000, to = 7258118400; /* 1990 to 2200 */
    return value >= from * per_second && value / per_second < to;
}

static bool is_dated(int64_t value, enum vf_time_layout layout) {
    int32_t day;
    return vf__time_from_dated(value, layout, &day) >= 0 && day > -25567 && day < 84006; /* 1900 to 2200 */
}

const char *vf__guess_integer(int64_t value) {
    if (is_dated(value, VF_LAYOUT_YYYYMMDDHHMM))
        return "a date and a time of 12 digits: give unit=\"YYYYMMDDHHMM\"";
    if (is_dated(value, VF_LAYOUT_YYYYMMDDHHMMSS))
        return "a date and a time of 14 digits: give unit=\"YYYYMMDDHHMMSS\"";
    if (is_dated(value, VF_LAYOUT_YYYYMMDDHHMMSSMMM))
        return "a date and a time of 17 digits: give unit=\"YYYYMMDDHHMMSSmmm\"";
    if (in_years(value, 1)) return "seconds since 1970: give unit=\"s\"";
    if (in_years(value, 1000)) return "milliseconds since 1970: give unit=\"ms\"";
    if (in_years(value, 1000000)) return "microseconds since 1970: give unit=\"us\"";
    if (in_years(value, VF__SECOND_NS)) return "nanoseconds since 1970: give unit=\"ns\"";
    bool short_digits = vf__time_from_hhmmss(value) >= 0, long_digits = vf__time_from_hhmmssmmm(value) >= 0;
    if (value >= 0 && value <= 86400)
        return short_digits ? "a time of day: give unit=\"HHMMSS\", or \"midnight_s\" for seconds since midnight"
                            : "seconds since midnight: give unit=\"midnight_s\"";
    if (short_digits) return "a time of day: give unit=\"HHMMSS\"";
    if (value > 0 && value <= 86400000)
        return long_digits && value > 999999
                   ? "a time of day: give unit=\"HHMMSSmmm\", or \"midnight_ms\" for milliseconds since midnight"
                   : "milliseconds since midnight: give unit=\"midnight_ms\"";
    if (long_digits) return "a time of day: give unit=\"HHMMSSmmm\"";
    if (value > 999999999 && value <= 86400 * INT64_C(1000000))
        return "microseconds since midnight: give unit=\"midnight_us\"";
    if (value > 999999999 && value <= VF_DAY_NS) return "nanoseconds since midnight: give unit=\"midnight_ns\"";
    return "no time that unit= has a name for: vf.parse_time's reference lists them";
}

/* The number before a mark, of one or two digits; -1 for others. */
static int64_t number_to(struct cursor *c, uint8_t mark) {
    int64_t value = 0;
    int count = 0;
    for (; c->at < c->end && is_digit(*c->at) && count < 3; count++)
        value = value * 10 + (*c->at++ - '0');
    return count > 0 && count < 3 && take(c, mark) ? value : -1;
}

/* The format of the time behind a date. */
static const char *clock_format(const uint8_t *text, size_t length) {
    int colons = 0;
    for (size_t i = 0; i < length; i++)
        colons += text[i] == ':';
    bool half = length > 0 && (text[length - 1] == 'M' || text[length - 1] == 'm');
    if (colons == 1) return half ? "%I:%M %p" : "%H:%M";
    return half ? "%I:%M:%S%.f %p" : "%H:%M:%S%.f";
}

static bool guess_day_first(const uint8_t *text, size_t length, char *out, size_t size) {
    const char *clock = clock_format(text, length);
    for (const char *mark = "/.-"; *mark != 0; mark++) {
        struct cursor c = {.at = text, .end = text + length};
        int64_t first = number_to(&c, (uint8_t)*mark);
        int64_t second = first >= 0 ? number_to(&c, (uint8_t)*mark) : -1;
        if (second < 0 || digits_of(&c, 4) < 0 || !take(&c, ' ')) continue;
        const char *a = first > 12 ? "%d" : "%m", *b = first > 12 ? "%m" : "%d";
        int n = snprintf(out, size, "a date that ends with its year: give format=\"%s%c%s%c%%Y %s\"", a, *mark, b, *mark,
                         clock);
        if (first <= 12 && second <= 12 && n > 0 && (size_t)n < size)
            (void)snprintf(out + n, size - (size_t)n, " or, the day being first, format=\"%%d%c%%m%c%%Y %s\"", *mark,
                           *mark, clock);
        return true;
    }
    return false;
}

/* How many of the first characters are a time, where more are behind it; 0: none are. */
static size_t readable_part(const uint8_t *text, size_t length) {
    struct vf__last_date last = {.length = 0};
    int32_t day;
    size_t n = length < 40 ? length : 40;
    while (n > 4 && vf__time_from_text(text, n, &last, &day) < 0)
        n--;
    if (n <= 4 || text[n] == ':') return 0; /* 09:30 of 09:30:60 is another time */
    while (text[n - 1] == ' ')
        n--;
    return n;
}

static bool is_clock(const uint8_t *text, size_t length) {
    size_t colon = length > 3 && text[1] == ':' ? 1 : 2;
    return length > 3 && is_digit(text[0]) && text[colon] == ':' && is_digit(text[colon - 1]) && is_digit(text[colon + 1]);
}

void vf__guess_text(const uint8_t *text, size_t length, char *out, size_t size) {
    int64_t value = 0;
    size_t n = 0;
    while (n < length && n < 18 && is_digit(text[n]))
        value = value * 10 + (text[n++] - '0');
    if (n > 0 && n == length) {
        (void)snprintf(out, size, "%s", vf__guess_integer(value));
        return;
    }
    bool half = length > 2 && (text[length - 1] == 'M' || text[length - 1] == 'm');
    size_t part = readable_part(text, length);
    bool dated = n == 4 && length >= 16 && (text[4] == '-' || text[4] == '/' || text[4] == '.') && text[7] == text[4];
    if (dated && half)
        (void)snprintf(out, size, "a time of a half day: give format=\"%%Y%c%%m%c%%d %s\"", text[4], text[4],
                       clock_format(text, length));
    else if (half && part > 0)
        (void)snprintf(out, size, "a time of a half day: give format=\"%s\"", clock_format(text, length));
    else if (part > 0)
        (void)snprintf(out, size, "a time with something behind it: str.head(%zu) of the column is read, as local time", part);
    else if (dated || is_clock(text, length))
        (void)snprintf(out, size, "a date or a time that does not exist, which no option reads");
    else if (!guess_day_first(text, length, out, size))
        (void)snprintf(out, size, "nothing that is read without format=: give it as for Polars' str.strptime, such as "
                                  "format=\"%%Y-%%m-%%d %%H:%%M:%%S%%.f\"");
}
