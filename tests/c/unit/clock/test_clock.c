/* The clock by hand, and second by second against a plain formula: sessions, digits, ISO text, columns of every type.
   Not for reading Arrow as such (test_arrow), and not for markets' names (the Python tests). */
#include "clock/sessions.h"
#include "clock/stamps.h"

#include "check.h"

#define H(h, m) (INT64_C(1000000000) * 60 * ((h)*60 + (m)))
#define S INT64_C(1000000000)
#define MS INT64_C(1000000)

struct market {
    const char *name;
    size_t n;
    struct vf_session sessions[3];
    int64_t seconds;
};

static const struct market markets[] = {
    {"CN", 2, {{H(9, 30), H(11, 30)}, {H(13, 0), H(15, 0)}}, 14400},
    {"KR", 1, {{H(9, 0), H(15, 30)}}, 23400},
    {"HK", 2, {{H(9, 30), H(12, 0)}, {H(13, 0), H(16, 0)}}, 19800},
    {"HKEX_NORTHBOUND", 2, {{H(9, 30), H(11, 30)}, {H(13, 0), H(15, 0)}}, 14400},
    {"US", 1, {{H(9, 30), H(16, 0)}}, 23400},
    {"CRYPTO", 1, {{H(0, 0), H(24, 0)}}, 86400},
    {"night", 3, {{-H(3, 0), H(2, 30)}, {H(9, 0), H(11, 30)}, {H(13, 30), H(15, 0)}}, 34200},
    {"evening", 2, {{-H(3, 0), -H(1, 0)}, {H(9, 0), H(15, 0)}}, 28800},
    {"to midnight", 2, {{-H(3, 0), 0}, {H(9, 0), H(15, 0)}}, 32400}};
enum { MARKETS = sizeof markets / sizeof markets[0], CN = 0, CRYPTO = 5, NIGHT = 6 };

/* The plain formula: sessions lie on a line that may begin the evening before; elapsed time is how much of them lies
   before the time. Returns false when the time is in none. */
static bool formula(const struct market *market, int64_t time, int64_t *elapsed) {
    for (int day = 0; day < 2; day++) {
        int64_t at = time - day * VF_DAY_NS, sum = 0;
        bool inside = false;
        if (day == 1 && market->sessions[0].start_ns >= 0) break;
        for (size_t i = 0; i < market->n; i++) {
            const struct vf_session *s = &market->sessions[i];
            int64_t before = at - s->start_ns, length = s->end_ns - s->start_ns;
            inside |= before >= 0 && before <= length;
            sum += before < 0 ? 0 : before > length ? length : before;
        }
        if (!inside) continue;
        *elapsed = sum;
        return true;
    }
    return false;
}

static struct vf_clock_options options_of(const struct market *market, enum vf_outside outside,
                                          enum vf_time_layout layout) {
    return (struct vf_clock_options){
        .sessions = market->sessions, .n_sessions = market->n, .outside = outside, .layout = layout};
}

static int64_t hhmmss(int64_t second) {
    return second / 3600 * 10000 + second / 60 % 60 * 100 + second % 60;
}

/* ---- sessions ---- */

static void test_every_second(void) {
    for (size_t k = 0; k < MARKETS; k++) {
        const struct market *market = &markets[k];
        CHECK_OK(vf_sessions_check(market->sessions, market->n, &check_error));
        CHECK_I64(vf_sessions_length_ns(market->sessions, market->n), market->seconds * S);
        for (int64_t second = 0; second <= 86400; second++) {
            int64_t want = -7, got = -7;
            bool inside = formula(market, second * S, &want);
            CHECK(vf_sessions_elapsed_ns(market->sessions, market->n, 0, second * S, &got) == inside);
            CHECK_I64(got, want); /* outside: unchanged */
        }
    }
}

static void check_elapsed(const struct market *market, int64_t grace_ns, int64_t time_ns, int64_t want) {
    int64_t got = -1; /* want -1: outside */
    bool inside = vf_sessions_elapsed_ns(market->sessions, market->n, grace_ns, time_ns, &got);
    CHECK(inside == (want >= 0));
    CHECK_I64(got, want);
}

static void test_edges(void) {
    const struct market *cn = &markets[CN], *night = &markets[NIGHT], *evening = &markets[7],
                        *midnight = &markets[8];
    check_elapsed(cn, 0, H(9, 30), 0);
    check_elapsed(cn, 0, H(9, 30) - 1, -1);
    check_elapsed(cn, 0, H(11, 30), 7200 * S);
    check_elapsed(cn, 0, H(11, 30) + 1, -1);
    check_elapsed(cn, 0, H(13, 0) - 1, -1);
    check_elapsed(cn, 0, H(13, 0), 7200 * S);
    check_elapsed(cn, 0, H(13, 0) + 1, 7200 * S + 1);
    check_elapsed(cn, 0, H(15, 0), 14400 * S);
    check_elapsed(cn, 0, H(15, 0) + 1, -1);
    check_elapsed(cn, 0, -1, -1);
    check_elapsed(cn, INT64_MAX, VF_DAY_NS + 1, -1); /* no time of day at all */
    check_elapsed(cn, INT64_MAX, -1, -1);
    check_elapsed(cn, INT64_MAX, INT64_MIN, -1);
    /* grace, closed at its end as well */
    check_elapsed(cn, 300 * S, H(9, 25), 0);
    check_elapsed(cn, 300 * S, H(9, 25) - 1, -1);
    check_elapsed(cn, 300 * S, H(11, 35), 7200 * S);
    check_elapsed(cn, 300 * S, H(11, 35) + 1, -1);
    check_elapsed(cn, 300 * S, H(15, 5), 14400 * S);
    check_elapsed(cn, -1, H(9, 30), 0);
    /* a night session: 21:00 - 02:30 */
    check_elapsed(night, 0, H(21, 0), 0);
    check_elapsed(night, 0, H(21, 0) - 1, -1);
    check_elapsed(night, 0, H(24, 0), H(3, 0));
    check_elapsed(night, 0, 0, H(3, 0));
    check_elapsed(night, 0, H(2, 30), H(5, 30));
    check_elapsed(night, 0, H(2, 30) + 1, -1);
    check_elapsed(night, 0, H(9, 0), H(5, 30));
    check_elapsed(night, 60 * S, H(20, 59), 0);
    check_elapsed(night, 60 * S, H(20, 59) - 1, -1);
    /* one that ends the evening before: 21:00 - 23:00 */
    check_elapsed(evening, 0, H(23, 0), H(2, 0));
    check_elapsed(evening, 0, H(23, 0) + 1, -1);
    check_elapsed(evening, 0, H(24, 0), -1);
    check_elapsed(evening, 0, 0, -1);
    check_elapsed(evening, H(1, 0), H(24, 0), H(2, 0));
    check_elapsed(evening, H(1, 0), 0, H(2, 0));
    check_elapsed(evening, 60 * S, H(9, 0) - 60 * S, H(2, 0));
    check_elapsed(midnight, 0, H(24, 0), H(3, 0));
    check_elapsed(midnight, 0, 0, H(3, 0));
    check_elapsed(midnight, 0, 1, -1);
    /* a morning session that starts at midnight does not hold the next midnight */
    const struct market morning = {"morning", 1, {{0, H(12, 0)}}, 43200};
    check_elapsed(&morning, 0, 0, 0);
    check_elapsed(&morning, 0, VF_DAY_NS, -1);
}

static void check_refused(size_t n, struct vf_session a, struct vf_session b) {
    struct vf_session sessions[2] = {a, b};
    int64_t elapsed = 3;
    CHECK_STATUS(vf_sessions_check(sessions, n, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_sessions_check(sessions, n, NULL), VF_ERROR_ARGUMENT);
    CHECK_I64(vf_sessions_length_ns(sessions, n), 0);
    CHECK(!vf_sessions_elapsed_ns(sessions, n, INT64_MAX, H(10, 0), &elapsed));
    CHECK_I64(elapsed, 3);
}

static void test_sessions_refused(void) {
    const struct vf_session day = {H(9, 0), H(15, 0)};
    check_refused(0, day, day);
    CHECK_STATUS(vf_sessions_check(NULL, 1, &check_error), VF_ERROR_ARGUMENT);
    check_refused(1, (struct vf_session){H(9, 0), H(9, 0)}, day);
    check_refused(1, (struct vf_session){H(10, 0), H(9, 0)}, day);
    check_refused(1, (struct vf_session){H(9, 0), H(24, 0) + 1}, day);
    check_refused(1, (struct vf_session){-H(24, 0) - 1, H(1, 0)}, day);
    check_refused(1, (struct vf_session){INT64_MIN, INT64_MAX}, day);
    check_refused(1, (struct vf_session){INT64_MAX, INT64_MIN}, day);
    check_refused(2, (struct vf_session){H(9, 0), H(12, 0)}, (struct vf_session){H(11, 0), H(15, 0)});
    check_refused(2, (struct vf_session){H(9, 0), H(12, 0)},
                  (struct vf_session){H(12, 0), H(15, 0)}); /* share noon */
    check_refused(2, day, (struct vf_session){H(1, 0), H(2, 0)});
    check_refused(2, day, (struct vf_session){-H(3, 0), -H(2, 0)}); /* only the first may */
    check_refused(2, (struct vf_session){-H(3, 0), H(2, 0)},
                  (struct vf_session){H(9, 0), H(21, 0)}); /* shares 21:00 */
    check_refused(2, (struct vf_session){-H(3, 0), H(2, 0)}, (struct vf_session){H(9, 0), H(22, 0)});
    check_refused(1, (struct vf_session){-H(6, 0), H(18, 0)}, day); /* 18:00 is both its start and its end */
    struct vf_session many[65];
    for (int64_t i = 0; i < 65; i++)
        many[i] = (struct vf_session){i * 10 * S, i * 10 * S + 5 * S};
    CHECK_OK(vf_sessions_check(many, 64, &check_error));
    CHECK_I64(vf_sessions_length_ns(many, 64), 320 * S);
    int64_t elapsed;
    CHECK(vf_sessions_elapsed_ns(many, 64, 0, 633 * S, &elapsed) && elapsed == 318 * S);
    CHECK_STATUS(vf_sessions_check(many, 65, &check_error), VF_ERROR_ARGUMENT);
}

/* ---- digits and text ---- */

static void test_digits(void) {
    int64_t good = 0;
    for (int64_t d = -3; d < 1000000; d++) {
        int64_t h = d / 10000, m = d / 100 % 100, s = d % 100;
        bool time = d >= 0 && m < 60 && s < 60 && (h < 24 || d == 240000);
        CHECK_I64(vf__time_from_hhmmss(d), time ? (h * 3600 + m * 60 + s) * S : -1);
        good += time;
    }
    CHECK_I64(good, 86401);
    for (int64_t d = 0; d < 250000000; d += 997) {
        int64_t h = d / 10000000, m = d / 100000 % 100, s = d / 1000 % 100, ms = d % 1000;
        bool time = h < 24 && m < 60 && s < 60;
        CHECK_I64(vf__time_from_hhmmssmmm(d), time ? (h * 3600 + m * 60 + s) * S + ms * MS : -1);
    }
    CHECK_I64(vf__time_from_hhmmssmmm(93012145), H(9, 30) + 12 * S + 145 * MS);
    CHECK_I64(vf__time_from_hhmmssmmm(240000000), VF_DAY_NS);
    const int64_t bad[] = {240000001, 240001000,           999999999, -1,      INT64_MIN,
                           INT64_MAX, INT64_C(4294967296), 95960000,  96000000};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_I64(vf__time_from_hhmmssmmm(bad[i]), -1);
    CHECK_I64(vf__time_from_hhmmss(INT64_MIN), -1);
    CHECK_I64(vf__time_from_hhmmss(INT64_C(4294967296) + 93000), -1);
}

static int64_t iso(const char *text) {
    uint8_t copy[64]; /* right-sized, so that a sanitizer sees a read past the end */
    size_t length = strlen(text);
    uint8_t *exact = malloc(length != 0 ? length : 1);
    memcpy(copy, text, length);
    memcpy(exact, copy, length);
    int32_t day, again;
    struct vf__last_date last = {.length = 0};
    int64_t time = vf__time_from_text(exact, length, &last, &day);
    CHECK(vf__time_from_text(exact, length, &last, &again) == time && again == day); /* the date is known now */
    free(exact);
    return time;
}

static void test_iso(void) {
    const int64_t t = H(9, 30);
    CHECK_I64(iso("09:30:00"), t);
    CHECK_I64(iso("09:30"), t);
    CHECK_I64(iso("09:30:00.5"), t + S / 2);
    CHECK_I64(iso("09:30:00,5"), t + S / 2);
    CHECK_I64(iso("09:30:00.123456789"), t + 123456789);
    CHECK_I64(iso("09:30:00.000000001"), t + 1);
    CHECK_I64(iso("2024-10-01T09:30:00.5"), t + S / 2);
    CHECK_I64(iso("2024-10-01 09:30:00"), t);
    CHECK_I64(iso("2024-10-01 09:30"), t);
    CHECK_I64(iso("20241001T09:30:00"), t);
    CHECK_I64(iso("20241001 09:30"), t);
    CHECK_I64(iso("00:00"), 0);
    CHECK_I64(iso("23:59:59.999999999"), VF_DAY_NS - 1);
    CHECK_I64(iso("24:00"), VF_DAY_NS);
    CHECK_I64(iso("9:30"), t);
    CHECK_I64(iso("9:30:00"), t);
    CHECK_I64(iso("2024-10-01T9:30"), t);
    CHECK_I64(iso("2024/10/01 09:30"), t);
    CHECK_I64(iso("2023.01.03T09:30:00.5"), t + S / 2);
    CHECK_I64(iso("2023.01.03D09:30:00.000000001"), t + 1);
    CHECK_I64(iso("20230103-09:30:00.500"), t + S / 2);
    CHECK_I64(iso("20230103 093000"), t);
    CHECK_I64(iso("20230103T0930"), t);
    CHECK_I64(iso("24:00:00.000000000"), VF_DAY_NS);
    CHECK_I64(iso("  09:30:00"), t);
    CHECK_I64(iso("2024-10-01 09:30:00   "), t);
    static const char *const bad[] = {"",
                                      " ",
                                      "0930",
                                      "093000",
                                      "09:3",
                                      "09:30:",
                                      "09:30:0",
                                      "09:30:00.",
                                      "09:30:00.1234567891",
                                      "09:30:60",
                                      "23:59:60",
                                      "09:60",
                                      "25:00",
                                      "24:00:01",
                                      "24:01",
                                      "24:00:00.000000001",
                                      "99:99",
                                      "09:30 PM",
                                      "09: 30:00",
                                      "2024-10-01  09:30",
                                      "\t09:30:00",
                                      "09:30:00x",
                                      "09:30:00 Z",
                                      "aa:bb",
                                      "-9:30",
                                      "+9:30:00",
                                      "09.30.00",
                                      "2024-10-01",
                                      "2024-10-01T",
                                      "20241001",
                                      "2024-13-01T09:30",
                                      "2024-02-30T09:30",
                                      "2023-02-29T09:30:00",
                                      "2023-01-03-09:30",
                                      "2023/01-03 09:30",
                                      "2024-00-01T09:30",
                                      "2024-10-32T09:30",
                                      "2024-10-00T09:30",
                                      "2024-1-1 09:30",
                                      "2024-10-01x09:30",
                                      "01-10-2024 09:30",
                                      "2024-1001T09:30",
                                      "202410-01T09:30",
                                      "T09:30",
                                      ":",
                                      "::",
                                      "09:",
                                      "2024-10-01T:30"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (iso(bad[i]) != -1) {
            fprintf(stderr, "\"%s\"\n", bad[i]);
            CHECK_I64(iso(bad[i]), -1);
        }
    static const char *const zoned[] = {"2024-10-01T09:30:00Z", "2024-10-01T09:30:00+08:00", "09:30:00-05:00",
                                        "09:30z", "2024-10-01T09:30:00.5Z", "2024-10-01 09:30:00 -05:00"};
    for (size_t i = 0; i < 6; i++)
        CHECK_I64(iso(zoned[i]), -2);
    const char full[] = "2024-10-01T09:30:00.123456789";
    for (size_t n = 0; n < sizeof full; n++) { /* every prefix: a time or not, but no read past the end */
        char part[40] = {0};
        memcpy(part, full, n);
        int64_t got = iso(part);
        CHECK(got == -1 || (n >= 16 && got >= t && got < t + S));
    }
    int32_t day;
    struct vf__last_date last = {.length = 0};
    const char *const dates[] = {"2024-10-01 09:30", "2024-10-02 09:30", "20241003 09:30", "2024-10-02T09:30", "09:30"};
    const int32_t days[] = {19997, 19998, 19999, 19998, VF__NO_DAY};
    for (size_t i = 0; i < 5; i++) {
        CHECK_I64(vf__time_from_text((const uint8_t *)dates[i], strlen(dates[i]), &last, &day), t);
        CHECK_I64(day, days[i]);
    }
    CHECK_I64(vf__time_from_text((const uint8_t *)"09:30\0", 6, &last, &day), -1);
    CHECK_I64(vf__time_from_text((const uint8_t *)"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7", 9, &last, &day), -1);
}

/* ---- columns ---- */

enum { SECONDS = 86401 };

/* Every second of the day through one column: values, format, counts. times[i] is row i's ns since midnight. */
static void check_column(const struct market *market, struct check_column *c, enum vf_time_layout layout,
                         const int64_t *times, bool whole) {
    struct vf_clock_options options = options_of(market, VF_OUTSIDE_NULL, layout);
    struct vf_clock_report report;
    struct vf_column out;
    int64_t outside = 0, n = c->array.length;
    CHECK(strcmp(vf_clock_elapsed_format(&c->schema, layout), whole ? "l" : "g") == 0);
    CHECK_OK(vf_clock_elapsed(NULL, &c->series, &options, &out, &report, &check_error));
    CHECK(strcmp(out.schema.format, whole ? "l" : "g") == 0);
    CHECK_I64(out.array.length, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t want = 0;
        bool inside = formula(market, times[i], &want);
        outside += !inside;
        CHECK(check_valid(&out, i) == inside);
        if (inside && whole)
            CHECK_I64(check_i64(&out, i), want / S);
        else if (inside)
            CHECK_F64(check_f64(&out, i), (double)want / 1e9);
    }
    CHECK_I64(out.array.null_count, outside);
    CHECK(report.n_rows == n && report.n_null == 0 && report.n_unreadable == 0 && report.n_outside == outside);
    check_release(&out);
}

static void test_columns_of_every_second(void) {
    static int64_t times[SECONDS], values[SECONDS];
    static int32_t narrow[SECONDS];
    struct check_column c;
    for (size_t k = 0; k < MARKETS; k++) {
        const struct market *market = &markets[k];
        for (int64_t i = 0; i < SECONDS; i++)
            times[i] = i * S, values[i] = hhmmss(i), narrow[i] = (int32_t)values[i];
        check_series(&c, "l", "t", SECONDS, NULL, values, NULL);
        check_column(market, &c, VF_LAYOUT_HHMMSS, times, true);
        check_series(&c, "i", "t", SECONDS, NULL, narrow, NULL);
        check_column(market, &c, VF_LAYOUT_HHMMSS, times, true);
        check_series(&c, "I", "t", SECONDS, NULL, narrow, NULL);
        check_column(market, &c, VF_LAYOUT_HHMMSS, times, true);
        for (int64_t i = 0; i < SECONDS; i++)
            values[i] = i, narrow[i] = (int32_t)i;
        check_series(&c, "l", "t", SECONDS, NULL, values, NULL);
        check_column(market, &c, VF_LAYOUT_SECONDS, times, true);
        check_series(&c, "tts", "t", SECONDS, NULL, narrow, NULL);
        check_column(market, &c, VF_LAYOUT_AUTO, times, true);
        for (int64_t i = 0; i < SECONDS; i++) { /* a millisecond that differs from row to row */
            int64_t ms = i == 86400 ? 0 : i * 7 % 1000;
            times[i] = i * S + ms * MS;
            values[i] = hhmmss(i) * 1000 + ms;
            narrow[i] = (int32_t)values[i];
        }
        check_series(&c, "l", "t", SECONDS, NULL, values, NULL);
        check_column(market, &c, VF_LAYOUT_HHMMSSMMM, times, false);
        check_series(&c, "i", "t", SECONDS, NULL, narrow, NULL);
        check_column(market, &c, VF_LAYOUT_HHMMSSMMM, times, false);
    }
}

/* Timestamps of every unit, before and after 1970, count by their time of day; so do times. */
static void test_temporal_columns(void) {
    static const struct {
        const char *format;
        int64_t unit;
    } kinds[] = {{"tss:", S}, {"tsm:", MS}, {"tsu:", 1000}, {"tsn:", 1}, {"ttu", 1000}, {"ttn", 1}};
    static int64_t values[SECONDS], times[SECONDS];
    const int64_t days[] = {0, -1, 19997, -25000};
    struct check_column c;
    for (size_t k = 0; k < 6; k++)
        for (size_t d = 0; d < (kinds[k].format[1] == 't' ? 1u : 4u); d++)
            for (size_t m = 0; m < MARKETS; m += 3) {
                int64_t unit = kinds[k].unit, n = 86400;
                for (int64_t i = 0; i < n; i++) {
                    times[i] = i * S + (unit < S ? i * 7919 % (S / unit) * unit : 0);
                    values[i] = times[i] / unit + days[d] * (VF_DAY_NS / unit);
                }
                check_series(&c, kinds[k].format, "t", n, NULL, values, NULL);
                check_column(&markets[m], &c, VF_LAYOUT_AUTO, times, unit == S);
            }
    /* the ends of the type */
    struct vf_clock_options options = options_of(&markets[CRYPTO], VF_OUTSIDE_NULL, VF_LAYOUT_AUTO);
    struct vf_clock_report ends_report;
    struct vf_column out;
    int64_t ends[2] = {INT64_MIN, INT64_MAX};
    for (size_t k = 0; k < 4; k++) {
        check_series(&c, kinds[k].format, "t", 2, NULL, ends, NULL);
        CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &ends_report, &check_error));
        CHECK_I64(ends_report.n_unreadable, k == 3 ? 1 : 2); /* no year that there is; in ns, NaT */
        CHECK_I64(ends_report.first_unreadable, 0);
        if (k == 3) CHECK_F64(check_f64(&out, 1), 85636.854775807); /* 2262-04-11 23:47:16.854775807 */
        check_release(&out);
    }
    /* 24:00 is a time of day, one tick more or less than a day is none */
    int64_t odd[4] = {VF_DAY_NS, VF_DAY_NS + 1, -1, INT64_MAX};
    struct vf_clock_report report;
    options.outside = VF_OUTSIDE_CLIP;
    check_series(&c, "ttn", "t", 4, NULL, odd, NULL);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(check_valid(&out, 0) && !check_valid(&out, 1) && !check_valid(&out, 2) && !check_valid(&out, 3));
    CHECK_I64(report.n_unreadable, 3);
    CHECK_F64(check_f64(&out, 0), 86400);
    check_release(&out);
}

static void test_text_columns(void) {
    static char data[86400 * 29];
    static int32_t offsets[86401];
    static int64_t times[86400];
    struct check_column c;
    for (int32_t i = 0; i < 86400; i++) {
        char *to = data + offsets[i];
        int size = i % 3 == 0 ? snprintf(to, 30, "%02d:%02d:%02d", i / 3600, i / 60 % 60, i % 60)
                   : i % 3 == 1
                       ? snprintf(to, 30, "2024-10-%02dT%02d:%02d:%02d.%03d", 1 + i % 31, i / 3600,
                                  i / 60 % 60, i % 60, i % 1000)
                       : snprintf(to, 30, "20241001 %02d:%02d:%02d.%09d", i / 3600, i / 60 % 60, i % 60, i);
        times[i] = i * S + (i % 3 == 0 ? 0 : i % 3 == 1 ? i % 1000 * MS : i);
        offsets[i + 1] = offsets[i] + size;
    }
    for (size_t m = 0; m < MARKETS; m += 2) {
        check_series(&c, "u", "t", 86400, NULL, offsets, data);
        check_column(&markets[m], &c, VF_LAYOUT_AUTO, times, false);
    }
    struct vf_clock_options options = options_of(&markets[CN], VF_OUTSIDE_NULL, VF_LAYOUT_AUTO);
    struct vf_column out;
    const char zoned[] = "09:30:0009:30:00+08:00\xe4\xb8\xad";
    int32_t zoned_offsets[] = {0, 8, 22};
    check_series(&c, "u", "when", 2, NULL, zoned_offsets, zoned);
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 1 && strcmp(check_error.column, "when") == 0);
    CHECK(strstr(check_error.message, "09:30:00+08:00") != NULL);
    uint8_t first_only = 1; /* under a null it does not matter */
    check_series(&c, "u", "when", 2, &first_only, zoned_offsets, zoned);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error));
    CHECK(check_valid(&out, 0) && !check_valid(&out, 1) && check_f64(&out, 0) == 0);
    check_release(&out);
}

/* ---- outside, grace, counts ---- */

static void test_outside(void) {
    /*                  null    inside  lunch   before  invalid inside  after   noon */
    int64_t values[] = {93000, 100000, 121500, 92459, 996000, 140000, 150001, 121501};
    uint8_t bits = 0xfe;
    struct check_column c;
    struct vf_clock_report report = {.n_rows = -1};
    struct vf_column out;
    struct vf_clock_options options = options_of(&markets[CN], VF_OUTSIDE_NULL, VF_LAYOUT_HHMMSS);
    check_series(&c, "l", "tick", 8, &bits, values, NULL);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(report.n_rows == 8 && report.n_null == 1 && report.n_unreadable == 1 && report.n_outside == 4);
    CHECK_I64(((const uint8_t *)out.array.buffers[0])[0] & 0xff, 0x22);
    CHECK_I64(out.array.null_count, 6);
    CHECK(check_i64(&out, 1) == 1800 && check_i64(&out, 5) == 10800);
    CHECK(check_i64(&out, 0) == 0 && check_i64(&out, 3) == 0); /* the same bits whatever stood at a null */
    CHECK(strcmp(out.schema.name, "elapsed_seconds") == 0);
    check_release(&out);

    options.outside = VF_OUTSIDE_CLIP;
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(report.n_null == 1 && report.n_unreadable == 1 && report.n_outside == 4);
    const int64_t clipped[] = {-1, 1800, 7200, 0, -1, 10800, 14400, 7200};
    for (int64_t i = 0; i < 8; i++)
        CHECK_I64(check_valid(&out, i) ? check_i64(&out, i) : -1, clipped[i]);
    check_release(&out);

    options.outside = VF_OUTSIDE_RAISE;
    memset(&out, 0x5a, sizeof out);
    struct vf_column before = out;
    report.n_rows = -9;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2 && check_error.count == 5 && strcmp(check_error.column, "tick") == 0);
    CHECK(memcmp(&out, &before, sizeof out) == 0 && report.n_rows == -9); /* a rejected call writes nothing */
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, NULL), VF_ERROR_DATA);
    options.grace_ns = 1 * S; /* lets row 6 through, not the others */
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2 && check_error.count == 4);

    options.outside = VF_OUTSIDE_NULL;
    options.grace_ns = 301 * S;
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(check_valid(&out, 3) && check_i64(&out, 3) == 0 && check_valid(&out, 6) &&
          check_i64(&out, 6) == 14400);
    CHECK(!check_valid(&out, 2) && report.n_outside == 4);
    check_release(&out);
}

/* Ties and the two ends of a clip, on markets with a night. */
static void test_clip(void) {
    static const struct {
        size_t market;
        int64_t time, want; /* seconds */
    } cases[] = {{CN, 0, 0},
                 {CN, 86400, 14400},
                 {CN, 12 * 3600 + 900, 7200},
                 {NIGHT, 5 * 3600 + 2700, 5 * 3600 + 1800}, /* 05:45, as far from 02:30 as from 09:00 */
                 {NIGHT, 18 * 3600, 34200}, /* 18:00, as far from 15:00 as from 21:00: the earlier */
                 {NIGHT, 18 * 3600 + 1, 0},
                 {NIGHT, 12 * 3600, 8 * 3600},
                 {7, 23 * 3600 + 1800, 7200}, /* after the evening session */
                 {7, 60, 7200},
                 {7, 4 * 3600 - 1, 7200}, /* nearer to 23:00 than to 09:00 */
                 {7, 18 * 3600 + 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct check_column c;
        struct vf_column out;
        struct vf_clock_options options =
            options_of(&markets[cases[i].market], VF_OUTSIDE_CLIP, VF_LAYOUT_SECONDS);
        check_series(&c, "l", "t", 1, NULL, &cases[i].time, NULL);
        CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error));
        CHECK_I64(check_i64(&out, 0), cases[i].want);
        check_release(&out);
    }
}

/* ---- the digit rule ---- */

static enum vf_status auto_rule(const struct market *market, int64_t n, const int64_t *values,
                                int64_t grace_ns, double *got) {
    struct check_column c;
    struct vf_column out;
    struct vf_clock_options options = options_of(market, VF_OUTSIDE_NULL, VF_LAYOUT_AUTO);
    options.grace_ns = grace_ns;
    check_series(&c, "l", "t", n, NULL, values, NULL);
    enum vf_status status = vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++)
        got[i] = check_valid(&out, i) ? check_f64(&out, i) : -1;
    check_release(&out);
    return status;
}

static void test_auto(void) {
    const struct market *cn = &markets[CN], *crypto = &markets[CRYPTO], *night = &markets[NIGHT];
    double got[4];
    CHECK_OK(auto_rule(cn, 3, (int64_t[]){93000, 130000, 150001}, 0, got));
    CHECK(got[0] == 0 && got[1] == 7200 && got[2] == -1);
    CHECK_OK(auto_rule(cn, 3, (int64_t[]){93012145, 130000000, 150000001}, 0, got));
    CHECK(got[0] == 12.145 && got[1] == 7200 && got[2] == -1);
    CHECK_STATUS(auto_rule(cn, 2, (int64_t[]){93000, 93000000}, 0, got), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    CHECK_STATUS(auto_rule(cn, 3, (int64_t[]){93000000, 996099, 93000}, 0, got), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 2);
    CHECK_OK(auto_rule(cn, 3, (int64_t[]){0, 93000000, 0}, 0, got)); /* 0 is midnight either way */
    CHECK(got[0] == -1 && got[1] == 0);
    CHECK_OK(auto_rule(cn, 3, (int64_t[]){0, 93000, 999999}, 0, got));
    CHECK(got[0] == -1 && got[1] == 0 && got[2] == -1);
    CHECK_OK(auto_rule(cn, 3, (int64_t[]){-1, 1000000000, INT64_MAX}, 0, got));
    CHECK(got[0] == -1 && got[1] == -1 && got[2] == -1);
    /* where midnight is traded, few digits may be either */
    CHECK_STATUS(auto_rule(crypto, 1, (int64_t[]){100000}, 0, got), VF_ERROR_DATA);
    CHECK_STATUS(auto_rule(crypto, 2, (int64_t[]){0, 1}, 0, got), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    CHECK_OK(auto_rule(crypto, 3, (int64_t[]){0, 1000000, 240000000}, 0, got));
    CHECK(got[0] == 0 && got[1] == 600 && got[2] == 86400);
    CHECK_STATUS(auto_rule(night, 1, (int64_t[]){100000}, 0, got), VF_ERROR_DATA);
    CHECK_OK(auto_rule(night, 1, (int64_t[]){96100}, 0,
                       got)); /* 00:01:36.1 is a time, but 96 s are not: 60 - 99 */
    CHECK(got[0] == -1);
    /* grace makes midnight a place as well */
    const struct market early = {"early", 1, {{H(0, 30), H(8, 0)}}, 27000};
    CHECK_OK(auto_rule(&early, 1, (int64_t[]){93000}, 0, got));
    CHECK_STATUS(auto_rule(&early, 1, (int64_t[]){100000}, H(1, 0), got), VF_ERROR_DATA);
    /* kinds that meet only after many rows */
    enum { MANY = 5000 };
    static int64_t values[MANY];
    static double room[MANY];
    for (int64_t i = 0; i < MANY; i++)
        values[i] = 93000000 + i % 60 * 1000;
    CHECK_OK(auto_rule(cn, MANY, values, 0, room));
    values[4321] = 100000;
    CHECK_STATUS(auto_rule(cn, MANY, values, 0, room), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 4321);
    for (int64_t i = 0; i < MANY; i++)
        values[i] = 93000 + i % 60;
    values[4321] = 100000000;
    CHECK_STATUS(auto_rule(cn, MANY, values, 0, room), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 4321);
}

/* Nulls, chunks and offsets do not change a row's result: one column read as one chunk, and as many. */
static void test_chunks(void) {
    enum { ROWS = 9000, PIECES = 7 };
    static int64_t values[ROWS];
    static uint8_t bits[ROWS / 8 + 1];
    for (int64_t i = 0; i < ROWS; i++) {
        values[i] = hhmmss(i * 9) * 1000 + i % 1000;
        if (i * 2654435761u % 11 != 0) vf__bit_set(bits, i);
    }
    const enum vf_time_layout layouts[] = {VF_LAYOUT_HHMMSSMMM};
    const int64_t cuts[PIECES + 1] = {0, 1, 1, 2047, 2049, 2049, 6001, ROWS};
    struct check_column whole, parts[PIECES];
    const struct ArrowArray *chunks[PIECES];
    for (int with_nulls = 0; with_nulls < 2; with_nulls++)
        for (size_t m = 0; m < MARKETS; m++) {
            struct vf_clock_options options = options_of(&markets[m], VF_OUTSIDE_NULL, layouts[0]);
            struct vf_clock_report a_report, b_report;
            struct vf_column a, b;
            check_series(&whole, "l", "t", ROWS, with_nulls ? bits : NULL, values, NULL);
            for (size_t p = 0; p < PIECES; p++) {
                check_series(&parts[p], "l", "t", cuts[p + 1] - cuts[p], with_nulls ? bits : NULL, values,
                             NULL);
                parts[p].array.offset = cuts[p];
                chunks[p] = &parts[p].array;
            }
            struct vf_series series = {.schema = &whole.schema, .chunks = chunks, .n_chunks = PIECES};
            CHECK_OK(vf_clock_elapsed(NULL, &whole.series, &options, &a, &a_report, &check_error));
            CHECK_OK(vf_clock_elapsed(NULL, &series, &options, &b, &b_report, &check_error));
            CHECK(memcmp(&a_report, &b_report, sizeof a_report) == 0);
            CHECK(memcmp(a.array.buffers[1], b.array.buffers[1], ROWS * 8) == 0);
            CHECK_I64(a.array.null_count, b.array.null_count);
            for (int64_t i = 0; i < ROWS; i++) {
                CHECK(check_valid(&a, i) == check_valid(&b, i));
                if (with_nulls && !vf__bit(bits, i)) CHECK(!check_valid(&a, i));
            }
            check_release(&a);
            check_release(&b);
        }
}

/* ---- what is refused ---- */

static void test_refused(void) {
    int64_t values[2] = {93000, 93001};
    double reals[2] = {1, 2};
    struct check_column c;
    struct vf_column out;
    struct vf_clock_options options = options_of(&markets[CN], VF_OUTSIDE_NULL, VF_LAYOUT_HHMMSS), broken;
    check_series(&c, "l", "t", 2, NULL, values, NULL);
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, NULL, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clock_elapsed(NULL, NULL, &options, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    broken = options, broken.n_sessions = 0;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &broken, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    broken = options, broken.grace_ns = -1;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &broken, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    broken = options, broken.outside = (enum vf_outside)3;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &broken, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    broken = options, broken.layout = (enum vf_time_layout)14;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &broken, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    static const char *const types[] = {"g", "b", "tdD", "tDn", "tsn:UTC"};
    for (size_t i = 0; i < 5; i++) {
        check_series(&c, types[i], "t", 2, NULL, reals, NULL);
        CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_TYPE);
        CHECK(strcmp(check_error.column, "t") == 0);
        CHECK((vf_clock_elapsed_format(&c.schema, VF_LAYOUT_AUTO) == NULL) == (i < 4)); /* with offsets it is taken */
    }
    CHECK(vf_clock_elapsed_format(NULL, VF_LAYOUT_AUTO) == NULL);
    /* whole seconds cannot say where a session that starts between two of them is */
    const struct market half = {"half", 1, {{H(9, 0) + S / 2, H(15, 0)}}, 0};
    options = options_of(&half, VF_OUTSIDE_NULL, VF_LAYOUT_HHMMSS);
    check_series(&c, "l", "t", 2, NULL, values, NULL);
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    values[0] = 93000000;
    options.layout = VF_LAYOUT_HHMMSSMMM;
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error));
    CHECK_F64(check_f64(&out, 0), 1799.5);
    check_release(&out);
    /* a column of nulls only, and none at all */
    struct vf_clock_report report;
    check_series(&c, "n", "t", 2, NULL, NULL, NULL);
    c.array.n_buffers = 0;
    CHECK(strcmp(vf_clock_elapsed_format(&c.schema, VF_LAYOUT_HHMMSS), "g") == 0);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(strcmp(out.schema.format, "g") == 0 && out.array.null_count == 2 && report.n_null == 2);
    check_release(&out);
    check_series(&c, "l", "t", 0, NULL, NULL, NULL);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, &report, &check_error));
    CHECK(out.array.length == 0 && out.array.null_count == 0 && report.n_rows == 0);
    check_release(&out);
}

/* Sessions between minutes, between milliseconds, and two in a minute: the quick way and the plain one agree. */
static void test_odd_sessions(void) {
    static const struct market odd[] = {
        {"seconds", 2, {{H(9, 30) + 7 * S, H(9, 31) + 13 * S}, {H(9, 32), H(9, 32) + S}}, 0},
        {"one minute", 2, {{H(9, 30) + 7 * S, H(9, 30) + 13 * S}, {H(9, 30) + 20 * S, H(9, 30) + 40 * S}}, 0},
        {"milliseconds", 1, {{H(9, 30) + 7 * MS, H(9, 30) + 13 * S + 500 * MS}}, 0},
        {"nanoseconds", 1, {{H(9, 30) + 1, H(9, 32) - 1}}, 0},
        {"just before midnight", 2, {{-H(1, 0), -1 * MS}, {H(9, 30), H(9, 31)}}, 0},
        {"minutes before midnight", 2, {{-H(1, 0), -30 * S}, {H(9, 30), H(9, 31)}}, 0}};
    static int64_t values[400000], times[400000];
    for (size_t m = 0; m < sizeof odd / sizeof odd[0]; m++) {
        int64_t n = 0;
        for (int64_t second = 0; second < 86400; second++) {
            bool near = second % 3600 < 4 || (second >= 9 * 3600 + 1790 && second < 9 * 3600 + 1930) ||
                        second > 86360;
            for (int64_t ms = 0; ms < 1000; ms += !near ? 1000 : ms < 20 || ms > 490 ? 1 : 5) {
                if (n == 400000) break;
                times[n] = second * S + ms * MS;
                values[n++] = hhmmss(second) * 1000 + ms;
            }
        }
        struct check_column c;
        check_series(&c, "l", "t", n, NULL, values, NULL);
        check_column(&odd[m], &c, VF_LAYOUT_HHMMSSMMM, times, false);
    }
}

/* A block of impossible digits made a later HHMMSS "ambiguous", unless a null stood among them. */
static void test_impossible_digits_are_of_no_layout(void) {
    enum { N = 4096 };
    static int64_t values[N];
    static uint8_t validity[N / 8];
    for (int nulls = 0; nulls < 2; nulls++)
        for (int possible = 0; possible < 3; possible++) { /* none, outside the sessions, inside */
            static const int64_t among[] = {250000000, 80000000, 93000000};
            struct check_column c;
            struct vf_column out;
            CHECK_POISON(out);
            struct vf_clock_options options = options_of(&markets[CN], VF_OUTSIDE_NULL, VF_LAYOUT_AUTO);
            memset(validity, 0xff, sizeof validity);
            if (nulls) validity[0] = 0xfe;
            for (int64_t i = 0; i < N; i++)
                values[i] = i < N / 2 ? 250000000 : 93500;
            values[7] = among[possible];
            (void)check_series(&c, "l", "t", N, nulls ? validity : NULL, values, NULL);
            CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error),
                         possible == 0 ? VF_OK : VF_ERROR_DATA);
            if (possible > 0) CHECK_I64(check_error.row, N / 2);
            check_release(&out);
        }
}

/* ---- stamps that have a date ---- */

/* Elapsed seconds of one value, or -1 - what it was counted as: -1 null, -2 unreadable, -3 outside, -4 another date. */
static double one(const char *format, int64_t value, const struct vf_clock_options *options) {
    struct check_column c;
    struct vf_clock_report report;
    struct vf_column out;
    check_series(&c, format, "t", 1, NULL, &value, NULL);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, options, &out, &report, &check_error));
    bool is = check_valid(&out, 0);
    double found = !is ? -1.0
                   : strcmp(out.schema.format, "l") == 0 ? (double)check_i64(&out, 0)
                                                           : check_f64(&out, 0);
    check_release(&out);
    if (is) return found;
    return report.n_unreadable ? -2 : report.n_other_date ? -4 : report.n_outside ? -3 : -1;
}

static void test_days(void) {
    const int64_t monday = 19877; /* 2024-06-03 */
    struct vf_clock_options options = options_of(&markets[NIGHT], VF_OUTSIDE_CLIP, VF_LAYOUT_AUTO);
    options.has_day = true;
    options.day = (int32_t)monday;
    const struct {
        int64_t day, time;
        double want;
    } cases[] = {
        {monday - 3, H(21, 0), 0},         /* Friday's evening is Monday's night */
        {monday - 3, H(20, 59), -4},       /* and what comes before it Friday's, however it is clipped */
        {monday - 2, H(2, 30), 19800},     /* until Saturday's morning */
        {monday - 3, H(2, 0), -4},         /* Friday's morning is Friday's */
        {monday, H(9, 0), 19800},    {monday, H(1, 0), 14400},  {monday, H(15, 0), 34200},
        {monday, H(16, 0), 34200},         /* clipped */
        {monday, H(21, 0), -4},            /* Tuesday's night */
        {monday + 1, H(9, 0), -4},   {monday - 4, H(21, 0), -4}, {monday - 7, H(9, 0), -4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_F64(one("tsn:", cases[i].day * VF_DAY_NS + cases[i].time, &options), cases[i].want);
    options.day++; /* Tuesday's night is Monday's evening, and no other */
    CHECK_F64(one("tsn:", monday * VF_DAY_NS + H(21, 0), &options), 0);
    CHECK_F64(one("tsn:", (monday - 3) * VF_DAY_NS + H(21, 0), &options), -4);
    options.day = INT32_MIN;
    CHECK_F64(one("tsn:", monday * VF_DAY_NS, &options), -4);
    options.outside = VF_OUTSIDE_RAISE;
    struct check_column c;
    struct vf_column out;
    int64_t value = monday * VF_DAY_NS + H(10, 0);
    options.day = (int32_t)monday + 1;
    check_series(&c, "tsn:", "t", 1, NULL, &value, NULL);
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 0 && check_error.count == 1 && strstr(check_error.message, "dated 2024-06-03") != NULL);
    CHECK(strstr(check_error.message, "is 2024-06-04") != NULL);
}

static void test_layouts(void) {
    struct vf_offset utc = {.from_ns = -VF_DAY_NS, .offset_ns = 0};
    struct vf_clock_options options = options_of(&markets[CRYPTO], VF_OUTSIDE_NULL, VF_LAYOUT_SECONDS);
    options.offsets = &utc;
    options.n_offsets = 1;
    const struct {
        enum vf_time_layout layout;
        int64_t value;
        double want;
    } cases[] = {{VF_LAYOUT_SECONDS, 86400, 86400},
                 {VF_LAYOUT_SECONDS, 86401, -2},
                 {VF_LAYOUT_MILLISECONDS, 3723500, 3723.5},
                 {VF_LAYOUT_MICROSECONDS, 86400000001, -2},
                 {VF_LAYOUT_NANOSECONDS, 1, 1e-9},
                 {VF_LAYOUT_NANOSECONDS, -1, -2},
                 {VF_LAYOUT_YYYYMMDDHHMM, 202402291001, 36060},
                 {VF_LAYOUT_YYYYMMDDHHMM, 202302291001, -2},
                 {VF_LAYOUT_YYYYMMDDHHMMSS, 20240229100101, 36061},
                 {VF_LAYOUT_YYYYMMDDHHMMSS, 20240229100160, -2},
                 {VF_LAYOUT_YYYYMMDDHHMMSSMMM, 20240229100101500, 36061.5},
                 {VF_LAYOUT_YYYYMMDDHHMMSSMMM, INT64_MAX, -2},
                 {VF_LAYOUT_YYYYMMDDHHMMSSMMM, INT64_MIN, -2},
                 {VF_LAYOUT_EPOCH_S, 86400, 0},
                 {VF_LAYOUT_EPOCH_S, 86399, -2}, /* time since midnight */
                 {VF_LAYOUT_EPOCH_S, INT64_MAX, -2},
                 {VF_LAYOUT_EPOCH_MS, 86400001, 0.001},
                 {VF_LAYOUT_EPOCH_US, -1, 86399.999999},
                 {VF_LAYOUT_EPOCH_NS, INT64_MIN, -2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        options.layout = cases[i].layout;
        CHECK_F64(one("l", cases[i].value, &options), cases[i].want);
    }
    CHECK_F64(one("tsu:UTC", -86400000001, &options), -2); /* before what is known */
    CHECK_F64(one("tsu:Asia/Tokyo", 1, &options), 0.000001);
}

/* A zone whose clocks go forward by an hour at 02:00 local time on day 100, and back at 02:00 on day 200; by midnight,
   too, on days 300 (00:00 is 01:00) and 400 (24:00 is 23:00). Every half hour of those days against a walk from midnight. */
static void test_clocks_that_change(void) {
    const struct vf_offset offsets[] = {{0, H(8, 0)},
                                        {100 * VF_DAY_NS - H(6, 0), H(9, 0)},
                                        {200 * VF_DAY_NS - H(7, 0), H(8, 0)},
                                        {300 * VF_DAY_NS - H(8, 0), H(9, 0)},
                                        {401 * VF_DAY_NS - H(9, 0), H(8, 0)},
                                        {900 * VF_DAY_NS, VF_OFFSET_UNKNOWN}};
    struct vf_clock_options options = options_of(&markets[CRYPTO], VF_OUTSIDE_NULL, VF_LAYOUT_EPOCH_S);
    options.offsets = offsets;
    options.n_offsets = 6;
    const int64_t days[] = {50, 100, 200, 300, 400}, lengths[] = {24, 23, 25, 23, 25}, starts[] = {8, 8, 9, 8, 9};
    for (size_t d = 0; d < 5; d++) {
        int64_t midnight = days[d] * VF_DAY_NS - H(starts[d], 0);
        for (int dated = 0; dated < 2; dated++) {
            options.has_day = dated == 1;
            options.day = (int32_t)days[d];
            for (int64_t t = 0; t < lengths[d] * 2; t++)
                CHECK_F64(one("l", (midnight + t * H(0, 30)) / S, &options), (double)(t * 1800));
        }
        CHECK_F64(one("l", midnight / S - 1, &options), -4);
        CHECK_F64(one("l", midnight / S + lengths[d] * 3600, &options), -4);
    }
    const struct vf_session short_night = {0, H(1, 30)}; /* until the second 01:30, on the day that has two */
    options.sessions = &short_night;
    options.day = 200;
    int64_t midnight = 200 * VF_DAY_NS - H(9, 0);
    CHECK_F64(one("l", (midnight + H(2, 10)) / S, &options), 7800); /* 01:10 again */
    CHECK_F64(one("l", (midnight + H(2, 30)) / S, &options), 9000);
    CHECK_F64(one("l", (midnight + H(2, 31)) / S, &options), -3);
    options.sessions = markets[CRYPTO].sessions;
    CHECK_F64(one("l", 900 * VF_DAY_NS / S, &options), -2);
    CHECK_F64(one("l", INT64_C(86400) * 40000, &options), -2);
    struct vf_column out;
    struct check_column c;
    options.has_day = false;
    for (int64_t t = 1; t <= 48; t++) { /* a moment that is read after it, of an offset that is not known, is no matter */
        const int64_t both[] = {(900 * VF_DAY_NS - t * H(0, 30)) / S, 900 * VF_DAY_NS / S + 3600};
        double alone = one("l", both[0], &options);
        CHECK(alone >= 0);
        check_series(&c, "l", "t", 2, NULL, both, NULL);
        CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error));
        CHECK(check_valid(&out, 0) == (alone >= 0) && (alone < 0 || check_i64(&out, 0) == (int64_t)alone));
        vf_column_release(&out);
    }
    int64_t value = 0;
    struct vf_offset wrong[] = {{0, 0}, {0, S}};
    options.offsets = wrong;
    options.n_offsets = 2;
    check_series(&c, "l", "t", 1, NULL, &value, NULL);
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    wrong[1] = (struct vf_offset){1, VF_DAY_NS};
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    options.n_offsets = 0;
    CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_TYPE);
}

static void test_none_can_be_read(void) {
    const struct {
        int64_t value;
        const char *unit;
    } cases[] = {{1704159000, "\"s\""},
                 {1704159000123, "\"ms\""},
                 {1704159000123456, "\"us\""},
                 {1704159000123456789, "\"ns\""},
                 {202301031000, "\"YYYYMMDDHHMM\""},
                 {20230103100000, "\"YYYYMMDDHHMMSS\""},
                 {20230103100000500, "\"YYYYMMDDHHMMSSmmm\""},
                 {34275000, "\"midnight_ms\""},
                 {34275, "\"midnight_s\""},
                 {34275000001, "\"midnight_us\""},
                 {34275000000001, "\"midnight_ns\""}};
    struct vf_clock_options options = options_of(&markets[CN], VF_OUTSIDE_NULL, VF_LAYOUT_AUTO);
    struct check_column c;
    struct vf_column out;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        options.whole = true;
        check_series(&c, "l", "t", 1, NULL, &cases[i].value, NULL);
        CHECK_STATUS(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error), VF_ERROR_DATA);
        CHECK(strstr(check_error.message, cases[i].unit) != NULL);
        options.whole = false; /* a part of a column may be such */
        CHECK_F64(one("l", cases[i].value, &options), -2);
    }
    options.whole = true;
    int64_t mixed[] = {34275000, 93000000};
    check_series(&c, "l", "t", 2, NULL, mixed, NULL);
    CHECK_OK(vf_clock_elapsed(NULL, &c.series, &options, &out, NULL, &check_error));
    check_release(&out);
    static const char *const texts[][2] = {{"31/12/2024 10:00", "\"%d/%m/%Y %H:%M\""},
                                           {"12-31-2024 10:00:00", "\"%m-%d-%Y %H:%M:%S%.f\""},
                                           {"01.02.2024 10:00:00 PM", "\"%d.%m.%Y %I:%M:%S%.f %p\""},
                                           {"2024-01-02 10:00:00 AM", "\"%Y-%m-%d %I:%M:%S%.f %p\""},
                                           {"2024-02-30T09:30", "does not exist"},
                                           {"093000", "unit=\"HHMMSS\""},
                                           {"", "format="},
                                           {"1/2/", "format="}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char guess[200];
        vf__guess_text((const uint8_t *)texts[i][0], strlen(texts[i][0]), guess, sizeof guess);
        CHECK(strstr(guess, texts[i][1]) != NULL);
    }
}

int main(void) {
    test_every_second();
    test_edges();
    test_sessions_refused();
    test_digits();
    test_iso();
    test_columns_of_every_second();
    test_temporal_columns();
    test_text_columns();
    test_outside();
    test_clip();
    test_auto();
    test_chunks();
    test_refused();
    test_odd_sessions();
    test_impossible_digits_are_of_no_layout();
    test_days();
    test_layouts();
    test_clocks_that_change();
    test_none_can_be_read();
    return check_report("clock");
}
