/* Times and dates however they are spelt, and the trading clock, against readings that are slow and plain: another answer
   ends the program. Not for calendars (fuzz_calendar.c), nor for columns that are malformed (fuzz_arrow.c).

   Input: a byte that picks what is read; then the text itself, or numbers. */
#include "clock/calendar.h"
#include "clock/dates.h"
#include "clock/sessions.h"
#include "clock/stamps.h"

#include "fuzz.h"

#define SECOND INT64_C(1000000000)
#define MOST_ROWS 5000

/* ---- slow and plain ---- */

/* A pattern of digits (#) and other bytes at the start of the text; numbers of the groups of digits go to field[]. */
static bool matches(const char *text, size_t length, const char *pattern, int64_t *field) {
    size_t n = strlen(pattern);
    int f = -1;
    if (length < n) return false;
    for (size_t i = 0; i < n; i++) {
        if (pattern[i] != '#') {
            if (text[i] != pattern[i]) return false;
            continue;
        }
        if (text[i] < '0' || text[i] > '9') return false;
        if (i == 0 || pattern[i - 1] != '#') field[++f] = 0;
        field[f] = field[f] * 10 + text[i] - '0';
    }
    return true;
}

static bool leap(int64_t y) {
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int64_t month_days(int64_t year, int64_t month) {
    return month == 2 ? 28 + leap(year) : 30 + (month + month / 8) % 2;
}

/* -1: no time; -2: a time with something behind it that begins a zone. */
static int64_t slow_iso(const char *text, size_t length) {
    static const char *const dates[] = {"####-##-##T", "####-##-## ", "####-##-##D", "####/##/##T", "####/##/## ",
                                        "####/##/##D", "####.##.##T", "####.##.## ", "####.##.##D", "########T",
                                        "######## ",   "########D",   "########-"};
    static const char *const clocks[] = {"##:##:##", "##:##", "#:##:##", "#:##", "######", "####"};
    int64_t f[3] = {0};
    size_t at = 0;
    for (int d = 0; at == 0 && length > 8 && d < 13; d++) {
        if (!matches(text, length, dates[d], f)) continue;
        int64_t year = d < 9 ? f[0] : f[0] / 10000;
        int64_t month = d < 9 ? f[1] : f[0] / 100 % 100, day = d < 9 ? f[2] : f[0] % 100;
        if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_days(year, month)) return -1;
        at = strlen(dates[d]);
    }
    const char *rest = text + at;
    int form = -1;
    length -= at;
    int64_t ns = 0;
    for (int c = 0; form < 0 && c < (at > 0 ? 6 : 4); c++) {
        f[1] = f[2] = 0;
        if (matches(rest, length, clocks[c], f)) form = c;
    }
    if (form < 0) return -1;
    if (form == 4) f[2] = f[0] % 100, f[1] = f[0] / 100 % 100, f[0] /= 10000;
    if (form == 5) f[1] = f[0] % 100, f[0] /= 100;
    at = strlen(clocks[form]);
    bool seconds = form == 0 || form == 2 || form == 4;
    if (f[0] > 24 || f[1] > 59 || f[2] > 59) return -1;
    if (seconds && length > at && (rest[at] == '.' || rest[at] == ',')) {
        int64_t unit = SECOND;
        for (at++; length > at && rest[at] >= '0' && rest[at] <= '9'; at++) {
            if (unit == 1) return -1;
            unit /= 10;
            ns += (rest[at] - '0') * unit;
        }
        if (unit == SECOND) return -1;
    }
    if (length > at) return strchr("Zz+-", rest[at]) != NULL && rest[at] != '\0' ? -2 : -1;
    int64_t time = (f[0] * 3600 + f[1] * 60 + f[2]) * SECOND + ns;
    return time > 24 * 3600 * SECOND ? -1 : time;
}

static int64_t slow_digits(int64_t digits, bool with_ms) {
    char text[32];
    if (digits < 0 || digits > 999999999) return -1;
    int width = with_ms ? 9 : 6;
    if (snprintf(text, sizeof text, "%0*lld", width, (long long)digits) != width) return -1;
    int64_t f[1] = {0}, h, m, s, ms = 0;
    REQUIRE(matches(text, (size_t)width, with_ms ? "#########" : "######", f));
    if (with_ms) ms = f[0] % 1000, f[0] /= 1000;
    h = f[0] / 10000, m = f[0] / 100 % 100, s = f[0] % 100;
    if (m > 59 || s > 59 || h > 24 || (h == 24 && m + s + ms > 0)) return -1;
    return (h * 3600 + m * 60 + s) * SECOND + ms * 1000000;
}

static bool slow_day(int64_t y, int64_t m, int64_t d, int32_t *out) {
    static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (y < 1 || y > 9999 || m < 1 || m > 12 || d < 1) return false;
    if (d > lengths[m - 1] + (m == 2 && leap(y))) return false;
    int64_t day = d - 1 - 719162; /* since 0001-01-01 */
    for (int64_t year = 1; year < y; year++)
        day += 365 + leap(year);
    for (int64_t month = 1; month < m; month++)
        day += lengths[month - 1] + (month == 2 && leap(y));
    *out = (int32_t)day;
    return true;
}

/* Elapsed time at `time`; false: outside, and then that of the nearest end of a session, the earlier of two. */
static bool slow_elapsed(const struct vf_session *sessions, size_t n, int64_t time, int64_t *elapsed, int64_t *distance) {
    int64_t offset = 0, nearest = INT64_MAX;
    *distance = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        int64_t length = sessions[i].end_ns - sessions[i].start_ns;
        for (int evening = 0; evening < 2; evening++) {
            if (evening == 1 && sessions[i].start_ns >= 0) break;
            int64_t start = sessions[i].start_ns + evening * VF_DAY_NS, end = start + length;
            if (time >= start && time <= end) {
                *elapsed = offset + time - start;
                return true;
            }
            int64_t points[2] = {start, end};
            for (int p = 0; p < 2; p++) {
                int64_t away = time > points[p] ? time - points[p] : points[p] - time;
                if (away > *distance || (away == *distance && points[p] >= nearest)) continue;
                *distance = away;
                nearest = points[p];
                *elapsed = offset + (p == 0 ? 0 : length);
            }
        }
        offset += length;
    }
    return false;
}

/* ---- columns that are sound ---- */

static struct vf_error err;

struct column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    const void *buffers[3];
    const struct ArrowArray *chunk;
    struct vf_series series;
};

static void make_column(struct column *c, const char *format, int64_t n, const void *validity, const void *values,
                        const void *text) {
    *c = (struct column){.schema = {.format = format, .name = "t"},
                         .array = {.length = n, .null_count = validity != NULL ? -1 : 0, .n_buffers = text ? 3 : 2},
                         .buffers = {validity, values, text}};
    c->array.buffers = c->buffers;
    c->chunk = &c->array;
    c->series = (struct vf_series){.schema = &c->schema, .chunks = &c->chunk, .n_chunks = 1};
}

static bool is_valid(const struct vf_column *c, int64_t i) {
    const uint8_t *bits = c->array.buffers[0];
    return bits == NULL || (bits[i / 8] >> (i % 8) & 1);
}

/* ---- text ---- */

static const struct vf_session whole_day[] = {{0, VF_DAY_NS}};

static void read_iso(struct bytes *b) {
    size_t n = (size_t)(b->end - b->at);
    char *text = calloc(n, 1);
    REQUIRE(text != NULL || n == 0);
    if (n > 0) memcpy(text, b->at, n);
    int64_t want = n > 0 ? slow_iso(text, n) : -1;
    int32_t day;
    struct vf__last_date last = {.length = 0};
    REQUIRE(vf__time_from_text((const uint8_t *)text, n, &last, &day) == want);
    int64_t offsets[2] = {0, (int64_t)n};
    struct column c;
    struct vf_clock_options options = {.sessions = whole_day, .n_sessions = 1};
    struct vf_column out = {0};
    make_column(&c, "U", 1, NULL, offsets, n > 0 ? text : "");
    enum vf_status status = vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &err);
    check_error(status, &err);
    REQUIRE(status == (want == -2 ? VF_ERROR_DATA : VF_OK));
    if (status == VF_OK) {
        REQUIRE(is_valid(&out, 0) == (want >= 0));
        if (want >= 0) REQUIRE(((const double *)out.array.buffers[1])[0] == (double)want / 1e9);
        vf_column_release(&out);
    }
    free(text);
}

static void read_date(struct bytes *b) {
    size_t n = (size_t)(b->end - b->at);
    char *text = calloc(n, 1);
    REQUIRE(text != NULL || n == 0);
    if (n > 0) memcpy(text, b->at, n);
    int64_t f[3] = {0};
    int32_t want = 0, got = 0;
    bool good = false;
    if (n == 10 && matches(text, n, "####-##-##", f)) good = slow_day(f[0], f[1], f[2], &want);
    if (n == 8 && matches(text, n, "########", f)) good = slow_day(f[0] / 10000, f[0] / 100 % 100, f[0] % 100, &want);
    REQUIRE(vf__day_from_text((const uint8_t *)text, n, &got) == good && (!good || got == want));
    int64_t offsets[2] = {0, (int64_t)n};
    struct column c;
    struct vf_column out = {0};
    make_column(&c, "U", 1, NULL, offsets, n > 0 ? text : "");
    enum vf_status status = vf_date_parse(NULL, &c.series, &out, &err);
    check_error(status, &err);
    REQUIRE(status == (good ? VF_OK : VF_ERROR_DATA));
    if (good) {
        char back[16];
        REQUIRE(((const int32_t *)out.array.buffers[1])[0] == want);
        vf_column_release(&out);
        vf__day_text(want, back);
        REQUIRE(n == 8 || memcmp(back, text, 10) == 0);
    }
    free(text);
}

static void read_name(struct bytes *b) {
    size_t n = (size_t)(b->end - b->at);
    char *name = malloc(n + 1);
    REQUIRE(name != NULL);
    memcpy(name, b->at, n);
    name[n] = '\0';
    enum vf_leftover leftover = vf_file_leftover(name);
    REQUIRE(leftover >= VF_LEFTOVER_NONE && leftover <= VF_LEFTOVER_ELSEWHERE);
    size_t length = strlen(name);
    bool ours = length > 6 && name[0] == '.' && strcmp(name + length - 6, ".vftmp") == 0;
    REQUIRE(ours || leftover == VF_LEFTOVER_NONE);
    free(name);
}

/* ---- numbers ---- */

static int64_t take_number(struct bytes *b) {
    switch (take_byte(b) % 8) {
    case 0:
        return (int64_t)take_word(b, 8);
    case 1:
        return (int64_t)take_word(b, 4) % 250000000;
    case 2:
        return take_between(b, 85000, 155000);
    case 3:
        return take_between(b, 0, 400);
    case 4:
        return take_between(b, 240000000 - 3, 240000000 + 3);
    case 5:
        return take_between(b, 999990, 1000010);
    default: { /* a time that there is, with its milliseconds */
        int64_t h = take_between(b, 0, 24), m = take_between(b, 0, 60), s = take_between(b, 0, 60);
        return ((h * 100 + m) * 100 + s) * 1000 + take_between(b, 0, 999);
    }
    }
}

static void read_digits(struct bytes *b) {
    while (b->at < b->end) {
        int64_t x = take_number(b);
        REQUIRE(vf__time_from_hhmmss(x) == slow_digits(x, false));
        REQUIRE(vf__time_from_hhmmssmmm(x) == slow_digits(x, true));
        int32_t want = 0, got = 0;
        bool good = x > 0 && x <= 99999999 && slow_day(x / 10000, x / 100 % 100, x % 100, &want);
        struct column c;
        struct vf_column out = {0};
        make_column(&c, "l", 1, NULL, &x, NULL);
        enum vf_status status = vf_date_parse(NULL, &c.series, &out, &err);
        check_error(status, &err);
        REQUIRE((status == VF_OK) == good);
        if (!good) continue;
        got = ((const int32_t *)out.array.buffers[1])[0];
        vf_column_release(&out);
        REQUIRE(got == want);
    }
}

/* ---- the clock ---- */

static size_t take_sessions(struct bytes *b, struct vf_session *sessions) {
    static const int64_t units[] = {60 * SECOND, SECOND, 1000000, 1};
    size_t n = (size_t)take_between(b, 1, 5);
    int64_t unit = units[take_byte(b) % 4], at = take_between(b, 0, 12) * 3600 * SECOND;
    if (take_chance(b, 4)) at -= 20 * 3600 * SECOND;
    for (size_t i = 0; i < n; i++) {
        at += (int64_t)take_byte(b) * unit + (i > 0 ? (int64_t)take_byte(b) * 30 * SECOND : 0);
        sessions[i].start_ns = at;
        at += (int64_t)take_byte(b) * unit + (int64_t)take_byte(b) * 60 * SECOND;
        sessions[i].end_ns = at;
    }
    return n;
}

/* What the header says of digits whose layout is not given; *ambiguous: they are to be refused. */
static int64_t slow_auto(const struct vf_session *sessions, size_t n, int64_t grace, int64_t x, bool *seen, bool *ambiguous) {
    int64_t elapsed, distance, time = slow_digits(x, x > 999999), other = slow_digits(x, true);
    if (x > 999999) {
        seen[1] |= time >= 0;
    } else {
        if (x != 0 && other >= 0)
            *ambiguous |= slow_elapsed(sessions, n, other, &elapsed, &distance) || distance <= grace;
        seen[0] |= time > 0;
    }
    *ambiguous |= seen[0] && seen[1];
    return time;
}

struct want {
    bool null;
    int64_t elapsed;
};

static void read_column(struct bytes *b) {
    static const char *const kinds[] = {"l", "l", "l", "l", "tsu:", "ttn", "tss:", "tts"};
    static int64_t x[MOST_ROWS];
    static struct want wants[MOST_ROWS];
    static uint8_t validity[MOST_ROWS / 8 + 1];
    static int32_t narrow[MOST_ROWS];
    struct vf_session sessions[5];
    size_t n_sessions = take_sessions(b, sessions);
    struct vf_clock_options options = {.sessions = sessions,
                                       .n_sessions = n_sessions,
                                       .outside = (enum vf_outside)take_between(b, 0, 2),
                                       .grace_ns = take_chance(b, 2) ? (int64_t)take_byte(b) * SECOND : 0};
    int kind = (int)take_between(b, 0, 7);
    if (kind < 4) options.layout = (enum vf_time_layout)kind;
    bool nulls = take_chance(b, 4), whole = kind == 1 || kind == 3 || kind >= 6;
    int64_t n = 0, often = take_chance(b, 16) ? 2048 : 1;
    while (b->at < b->end && n + often <= MOST_ROWS) {
        x[n] = kind < 4 ? take_number(b) : kind == 6 ? (int64_t)take_word(b, 5) : kind == 7 ? (int32_t)take_word(b, 3) : (int64_t)take_word(b, 6);
        if (kind == 3) x[n] %= 90000;
        for (int64_t k = 1; k < often; k++)
            x[n + k] = x[n];
        n += often;
    }
    memset(validity, 0xff, sizeof validity);
    for (int64_t i = 0; nulls && i < n; i += 3)
        validity[i / 8] &= (uint8_t)~(1u << (i % 8));
    enum vf_status want = vf_sessions_check(sessions, n_sessions, &err);
    check_error(want, &err);
    for (size_t i = 0; whole && want == VF_OK && i < n_sessions; i++)
        if (sessions[i].start_ns % SECOND != 0 || sessions[i].end_ns % SECOND != 0) want = VF_ERROR_ARGUMENT;
    struct vf_clock_report slow = {.n_rows = n};
    bool seen[2] = {false, false}, ambiguous = false;
    int64_t n_bad = 0, first_bad = -1;
    for (int64_t i = 0; want == VF_OK && i < n; i++) {
        static const int64_t scales[] = {0, 0, 0, 0, 1000, 1, SECOND, SECOND};
        int64_t time, distance;
        wants[i] = (struct want){.null = true};
        if (nulls && i % 3 == 0) {
            slow.n_null++;
            continue;
        }
        if (kind == 0)
            time = slow_auto(sessions, n_sessions, options.grace_ns, x[i], seen, &ambiguous);
        else if (kind < 3)
            time = slow_digits(x[i], kind == 2);
        else if (kind == 3)
            time = x[i] < 0 || x[i] > 86400 ? -1 : x[i] * SECOND;
        else if (kind == 5 || kind == 7)
            time = x[i] < 0 || x[i] > VF_DAY_NS / scales[kind] ? -1 : x[i] * scales[kind];
        else if (x[i] / (VF_DAY_NS / scales[kind]) > VF__LAST_DAY)
            time = -1; /* past the year 9999 */
        else
            time = (x[i] % (VF_DAY_NS / scales[kind]) + VF_DAY_NS / scales[kind]) % (VF_DAY_NS / scales[kind]) * scales[kind];
        bool bad = time < 0;
        if (time < 0) {
            slow.n_unreadable++;
        } else {
            bool inside = slow_elapsed(sessions, n_sessions, time, &wants[i].elapsed, &distance);
            slow.n_outside += !inside;
            bad = !inside && distance > options.grace_ns && options.outside != VF_OUTSIDE_CLIP;
            wants[i].null = bad;
        }
        if (!bad) continue;
        if (n_bad++ == 0) first_bad = i;
    }
    if (ambiguous || (want == VF_OK && options.outside == VF_OUTSIDE_RAISE && n_bad > 0)) want = VF_ERROR_DATA;
    struct column c;
    struct vf_column out = {0};
    struct vf_clock_report report;
    for (int64_t i = 0; kind == 7 && i < n; i++)
        narrow[i] = (int32_t)x[i];
    make_column(&c, kinds[kind], n, nulls ? validity : NULL, kind == 7 ? (const void *)narrow : x, NULL);
    enum vf_status status = vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &err);
    check_error(status, &err);
    if (status != want) fprintf(stderr, "%s, not %s; kind %d, %d rows, %s\n", vf_status_name(status), vf_status_name(want), kind, (int)n, status != VF_OK ? err.message : "");
    REQUIRE(status == want);
    if (status == VF_ERROR_DATA && !ambiguous) REQUIRE(err.row == first_bad && err.count == n_bad);
    if (status != VF_OK) return;
    REQUIRE(report.n_rows == slow.n_rows && report.n_null == slow.n_null && report.n_unreadable == slow.n_unreadable &&
            report.n_outside == slow.n_outside);
    REQUIRE(strcmp(out.schema.format, whole ? "l" : "g") == 0);
    for (int64_t i = 0; i < n; i++) {
        REQUIRE(is_valid(&out, i) == !wants[i].null);
        if (wants[i].null) continue;
        if (whole)
            REQUIRE(((const int64_t *)out.array.buffers[1])[i] == wants[i].elapsed / SECOND);
        else
            REQUIRE(((const double *)out.array.buffers[1])[i] == (double)wants[i].elapsed / 1e9);
    }
    vf_column_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const calls[])(struct bytes *) = {read_iso, read_date, read_name, read_digits, read_column};
    struct bytes b = {.at = data, .end = data + size};
    err = (struct vf_error){0};
    calls[take_byte(&b) % 5](&b);
    return 0;
}
