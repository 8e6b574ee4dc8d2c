/* Calendars against a plain count of days: texts read and refused, neighbours, ranges, sessions, dated clocks
   and dates however they are spelt. Not for failing memory (tests/c/fault) nor for what the bundled texts say (Python). */
#include "check.h"

#define H(h, m) (INT64_C(1000000000) * ((h) * 3600 + (m) * 60))

/* Days since 1970-01-01, counted one by one. */
static int32_t day(int year, int month, int d) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t n = 0;
    for (int y = 1970; y < year; y++)
        n += y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365;
    for (int y = year; y < 1970; y++)
        n -= y % 4 == 0 && (y % 100 != 0 || y % 400 == 0) ? 366 : 365;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (int m = 1; m < month; m++)
        n += lengths[m - 1] + (leap && m == 2);
    return n + d - 1;
}

static const char small[] = "# a comment\n"
                            "calendar small\n"
                            "first 2024-01-01\n"
                            "last 2024-03-01\n"
                            "verified 2024-02-01\n"
                            "closed\n"
                            "2024 0101 0212-0216\r\n"
                            "\n"
                            "adhoc\n"
                            "2024 0105\n"
                            "hours 2023-06-01 0930-1130 1300-1500\n"
                            "hours 2024-02-01 ^2100-2300 0900-1015\n"
                            "special 0930-1130\n"
                            "2024 0103 0205\n"
                            "special 2100-0230 0900-1015\n"
                            "2024 0205-0211 0229\n";

static struct vf_calendar *opened(const char *text) {
    struct vf_calendar *calendar = NULL;
    CHECK_OK(vf_calendar_open(NULL, text, strlen(text), &calendar, &check_error));
    return calendar;
}

static bool traded(int32_t d) {
    int32_t week = (d + 3) % 7; /* 0: Monday, as 1970-01-01 was a Thursday */
    bool holiday = d == day(2024, 1, 1) || (d >= day(2024, 2, 12) && d <= day(2024, 2, 16));
    return week < 5 && !holiday && d != day(2024, 1, 5);
}

static void test_days(void) {
    struct vf_calendar *c = opened(small);
    struct vf_calendar_info info;
    vf_calendar_describe(c, &info);
    CHECK(strcmp(info.name, "small") == 0 && info.has_days);
    CHECK_I64(info.first, day(2024, 1, 1));
    CHECK_I64(info.last, day(2024, 3, 1));
    CHECK_I64(info.verified, day(2024, 2, 1));
    int64_t n = 0;
    for (int32_t d = info.first; d <= info.last; d++) {
        bool is;
        int64_t index;
        int32_t found, want = d;
        CHECK_OK(vf_calendar_is_trading_day(c, d, &is, &check_error));
        CHECK(is == traded(d));
        CHECK_OK(vf_calendar_index(c, d, &index, &check_error));
        CHECK_I64(index, n);
        n += is;
        do
            want++;
        while (want <= info.last && !traded(want));
        CHECK_STATUS(vf_calendar_next(c, d, &found, &check_error),
                     want <= info.last ? VF_OK : VF_ERROR_RANGE);
        if (want <= info.last) CHECK_I64(found, want);
        want = d;
        do
            want--;
        while (want >= info.first && !traded(want));
        CHECK_STATUS(vf_calendar_prev(c, d, &found, &check_error),
                     want >= info.first ? VF_OK : VF_ERROR_RANGE);
        if (want >= info.first) CHECK_I64(found, want);
        for (int32_t to = d; to <= info.last; to += 5) {
            const int32_t *days;
            size_t k = 0, length;
            CHECK_OK(vf_calendar_range(c, d, to, &days, &length, &check_error));
            for (int32_t each = d; each <= to; each++)
                if (traded(each)) CHECK(k < length && days[k++] == each);
            CHECK_I64(length, k);
        }
    }
    CHECK_I64(info.n_days, n);
    vf_calendar_close(c);
}

static void test_outside(void) {
    struct vf_calendar *c = opened(small);
    bool is = true;
    int32_t found = 7;
    int64_t index = 7;
    const int32_t *days = NULL;
    const struct vf_session *sessions = NULL;
    size_t n = 7;
    const int32_t outside[] = {day(2023, 12, 31), day(2024, 3, 2), INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        CHECK_STATUS(vf_calendar_is_trading_day(c, outside[i], &is, &check_error), VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_next(c, outside[i], &found, &check_error), VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_prev(c, outside[i], &found, &check_error), VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_index(c, outside[i], &index, &check_error), VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_range(c, outside[i], day(2024, 1, 2), &days, &n, &check_error),
                     VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_range(c, day(2024, 1, 2), outside[i], &days, &n, &check_error),
                     VF_ERROR_RANGE);
        CHECK_STATUS(vf_calendar_sessions(c, outside[i], &sessions, &n, &check_error), VF_ERROR_RANGE);
        CHECK(strstr(check_error.message, "2024-03-01") != NULL &&
              strstr(check_error.message, "small") != NULL);
    }
    CHECK_STATUS(vf_calendar_range(c, day(2024, 1, 3), day(2024, 1, 2), &days, &n, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK(is && found == 7 && index == 7 && days == NULL && sessions == NULL && n == 7);
    vf_calendar_close(c);
    vf_calendar_close(NULL);
}

static void check_sessions(const struct vf_calendar *c, int32_t d, size_t n, const struct vf_session *want) {
    const struct vf_session *got = NULL;
    size_t n_got = 99;
    CHECK_OK(vf_calendar_sessions(c, d, &got, &n_got, &check_error));
    CHECK_I64(n_got, n);
    for (size_t i = 0; i < n && i < n_got; i++) {
        CHECK_I64(got[i].start_ns, want[i].start_ns);
        CHECK_I64(got[i].end_ns, want[i].end_ns);
    }
}

static void test_sessions(void) {
    static const struct vf_session day_hours[] = {{H(9, 30), H(11, 30)}, {H(13, 0), H(15, 0)}};
    static const struct vf_session evening[] = {{-H(3, 0), -H(1, 0)}, {H(9, 0), H(10, 15)}};
    static const struct vf_session night[] = {{-H(3, 0), H(2, 30)}, {H(9, 0), H(10, 15)}};
    struct vf_calendar *c = opened(small);
    check_sessions(c, day(2024, 1, 2), 2, day_hours);
    check_sessions(c, day(2024, 1, 3), 1, day_hours); /* special */
    check_sessions(c, day(2024, 1, 31), 2, day_hours);
    check_sessions(c, day(2024, 2, 1), 2, evening); /* from that day on */
    check_sessions(c, day(2024, 2, 5), 2, night);   /* the later line counts */
    check_sessions(c, day(2024, 2, 9), 2, night);   /* of a range, the days that are traded */
    check_sessions(c, day(2024, 2, 29), 2, night);
    check_sessions(c, day(2024, 3, 1), 2, evening);
    check_sessions(c, day(2024, 1, 1), 0, NULL); /* closed */
    check_sessions(c, day(2024, 1, 5), 0, NULL); /* at short notice */
    check_sessions(c, day(2024, 1, 6), 0, NULL); /* Saturday */
    CHECK_I64(vf_calendar_variants(c), 4);
    vf_calendar_close(c);
    /* sessions only: any day, and no answer about trading days */
    c = opened("calendar mine\nhours 0001-01-01 000000-235959\nspecial 0900-1000\n1969 1231\n2024 0229\n");
    static const struct vf_session whole[] = {{0, H(24, 0) - H(0, 0) - INT64_C(1000000000)}};
    static const struct vf_session hour[] = {{H(9, 0), H(10, 0)}};
    check_sessions(c, day(2024, 2, 28), 1, whole);
    check_sessions(c, day(2024, 2, 29), 1, hour);
    check_sessions(c, -1, 1, hour);
    check_sessions(c, INT32_MIN, 1, whole);
    check_sessions(c, INT32_MAX, 1, whole);
    bool is;
    struct vf_column out[4];
    CHECK_STATUS(vf_calendar_is_trading_day(c, 0, &is, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_calendar_columns(NULL, c, out, &check_error), VF_ERROR_STATE);
    vf_calendar_close(c);
}

static void refused(const char *text, const char *part) {
    struct vf_calendar *calendar = NULL;
    CHECK_STATUS(vf_calendar_open(NULL, text, strlen(text), &calendar, &check_error), VF_ERROR_ARGUMENT);
    CHECK(calendar == NULL);
    if (strstr(check_error.message, part) == NULL) {
        fprintf(stderr, "\"%s\" is not in: %s\n", part, check_error.message);
        CHECK(false);
    }
}

#define DAYS "calendar x\nfirst 2024-01-01\nlast 2024-12-31\n"
#define HOURS "hours 2024-01-01 0930-1500\n"

static void test_texts_refused(void) {
    refused("", "\"calendar\" is missing");
    refused("calendar x\n", "\"hours\" is missing");
    refused(HOURS, "\"calendar\" is missing");
    refused("calendar\n" HOURS, "a name");
    refused("calendar a b\n" HOURS, "line 1: \"b\"");
    refused("calendar aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" HOURS, "47 bytes");
    refused("calendar x\nfirst 2024-01-01\n" HOURS, "first and last");
    refused("calendar x\nlast 2024-01-01\n" HOURS, "first and last");
    refused("calendar x\nfirst 2024-01-01\nfirst 2024-01-01\n", "each line once");
    refused("calendar x\nfirst 2024-02-30\n", "\"2024-02-30\"");
    refused("calendar x\nfirst 2023-02-29\n", "a day");
    refused("calendar x\nfirst 20240101\n", "a day");
    refused("calendar x\nfirst 2024-01-02\nlast 2024-01-01\n" HOURS, "before first");
    refused("calendar x\nfirst 1024-01-02\nlast 2024-01-01\n" HOURS, "200 years");
    refused("calendar x\nclosed\n2024 0101\n" HOURS, "first and last");
    refused(DAYS "verified 2025-01-01\n" HOURS, "verified");
    refused(DAYS "week 12348\n" HOURS, "1 to 7");
    refused(DAYS "closed\n2024 0101\nweek 123\n" HOURS, "week before closed");
    refused(DAYS "closed\n2024 0101\nfirst 2024-01-01\n" HOURS, "closed, adhoc, hours or special");
    refused(DAYS "2024 0101\n" HOURS, "a year under one");
    refused(DAYS "clsed\n2024 0101\n" HOURS, "\"clsed\"");
    refused(DAYS "closed 2024\n" HOURS, "nothing more");
    refused(DAYS "closed\n24 0101\n" HOURS, "a year under one");
    refused(DAYS "closed\n2024 0132\n" HOURS, "a day MMDD");
    refused(DAYS "closed\n2024 101\n" HOURS, "a day MMDD");
    refused(DAYS "closed\n2024 0105-0102\n" HOURS, "a day MMDD");
    refused(DAYS "closed\n2024 0102-0132\n" HOURS, "a day MMDD");
    refused(DAYS "closed\n2025 0101\n" HOURS, "first .. last");
    refused(DAYS "closed\n2024 0106\n" HOURS, "line 5: \"0106\" where a day that is traded"); /* a Saturday */
    refused(DAYS "closed\n2024 0102 0102\n" HOURS, "traded otherwise");
    refused(DAYS "closed\n2024 0102\nadhoc\n2024 0102\n" HOURS, "traded otherwise");
    refused(DAYS "adhoc\n2024 0103 0102\n" HOURS, "not in order");
    refused(DAYS HOURS "closed\n2024 0102\n", "cannot change");
    refused(DAYS HOURS "special 0900-1000\n2024 0106\n", "traded otherwise");
    refused(DAYS "hours 2024-01-02 0930-1500\n", "hours of the first day");
    refused(DAYS HOURS HOURS, "after that of the hours before");
    refused(DAYS "hours 2024-01-01\n", "session");
    refused(DAYS "hours 0930-1500\n", "YYYY-MM-DD");
    static const char *const sessions[] = {"930-1500",
                                           "0930-2401",
                                           "0960-1500",
                                           "0930_1500",
                                           "^2100-0230",
                                           "0930-1130 2100-0230",
                                           "0930",
                                           "09300-15000",
                                           "0930-1130 ^2100-2200",
                                           "0930-1130 1100-1200",
                                           "093000-1500",
                                           "^"};
    for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++) {
        char text[160];
        (void)snprintf(text, sizeof text, DAYS "hours 2024-01-01 %s\n", sessions[i]);
        refused(text, "line 4");
    }
    struct vf_calendar *calendar;
    CHECK_STATUS(vf_calendar_open(NULL, NULL, 0, &calendar, &check_error), VF_ERROR_ARGUMENT);
    /* a text that is cut anywhere is read or refused, never half understood into other days */
    for (size_t length = 0; length < sizeof small - 1; length++) {
        calendar = NULL;
        if (vf_calendar_open(NULL, small, length, &calendar, &check_error) == VF_OK) {
            struct vf_calendar_info info;
            vf_calendar_describe(calendar, &info);
            CHECK_I64(info.last, day(2024, 3, 1));
            CHECK_I64(info.n_days, 38);
        }
        vf_calendar_close(calendar);
    }
}

static void test_of_days(void) {
    const int32_t days[] = {day(2024, 1, 5), day(2024, 1, 2), day(2024, 1, 3), day(2024, 1, 5)};
    const uint8_t bits[] = {0x0d};
    struct check_column column;
    struct vf_calendar *c;
    struct vf_column out[4];
    check_series(&column, "tdD", "date", 4, NULL, days, NULL);
    CHECK_STATUS(vf_calendar_open_days(NULL, &column.series, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_calendar_open_days(NULL, &column.series, &c, &check_error));
    CHECK_OK(vf_calendar_columns(NULL, c, out, &check_error));
    const int32_t want[3][3] = {{day(2024, 1, 2), day(2024, 1, 3), day(2024, 1, 5)},
                                {0, day(2024, 1, 2), day(2024, 1, 3)},
                                {day(2024, 1, 3), day(2024, 1, 5), 0}};
    static const char *const names[] = {"date", "prev_date", "next_date", "variant"};
    for (size_t k = 0; k < 4; k++) {
        CHECK_I64(out[k].array.length, 3);
        CHECK(strcmp(out[k].schema.name, names[k]) == 0 &&
              strcmp(out[k].schema.format, k < 3 ? "tdD" : "i") == 0);
        for (int64_t i = 0; i < 3; i++) {
            bool valid = !(k == 1 && i == 0) && !(k == 2 && i == 2);
            CHECK(check_valid(&out[k], i) == valid);
            if (valid) CHECK_I64(((const int32_t *)out[k].array.buffers[1])[i], k < 3 ? want[k][i] : -1);
        }
        check_release(&out[k]);
    }
    const struct vf_session *sessions;
    size_t n;
    CHECK_STATUS(vf_calendar_sessions(c, days[0], &sessions, &n, &check_error), VF_ERROR_STATE);
    vf_calendar_close(c);
    c = NULL;
    check_series(&column, "tdD", "date", 4, bits, days, NULL);
    CHECK_STATUS(vf_calendar_open_days(NULL, &column.series, &c, &check_error), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    check_series(&column, "tdD", "date", 0, NULL, days, NULL);
    CHECK_STATUS(vf_calendar_open_days(NULL, &column.series, &c, &check_error), VF_ERROR_ARGUMENT);
    check_series(&column, "i", "date", 4, NULL, days, NULL);
    CHECK_STATUS(vf_calendar_open_days(NULL, &column.series, &c, &check_error), VF_ERROR_TYPE);
    const int32_t far[] = {0, INT32_MAX};
    check_series(&column, "tdD", "date", 2, NULL, far, NULL);
    CHECK_STATUS(vf_calendar_open_days(NULL, &column.series, &c, &check_error), VF_ERROR_DATA);
    CHECK(c == NULL);
}

/* ---- dated clocks ---- */

enum { ROWS = 20000 };

static int32_t dates[ROWS];
static int64_t times[ROWS];
static uint8_t date_bits[ROWS / 8 + 1];

/* Every column that has its day looked up equals the clock of that day alone. */
static void check_dated(const struct vf_calendar *c, int64_t run_length, bool nulls) {
    const int32_t days[] = {day(2024, 1, 2), day(2024, 1, 3), day(2024, 2, 1), day(2024, 2, 5),
                            day(2024, 3, 1)};
    memset(date_bits, 0, sizeof date_bits);
    for (int64_t i = 0; i < ROWS; i++) {
        int64_t second = i * 7919 % 86401;
        dates[i] = days[i / run_length % 5];
        times[i] = second / 3600 * 10000 + second / 60 % 60 * 100 + second % 60;
        if (i % 3 != 0) date_bits[i / 8] |= (uint8_t)(1u << i % 8);
    }
    for (int outside = 0; outside < 2; outside++) {
        struct check_column date, time;
        struct vf_column got, alone, ends;
        struct vf_clock_options options = {
            .outside = (enum vf_outside)outside, .grace_ns = H(0, 5), .layout = VF_LAYOUT_HHMMSS};
        check_series(&date, "tdD", "date", ROWS, nulls ? date_bits : NULL, dates, NULL);
        check_series(&time, "l", "time", ROWS, NULL, times, NULL);
        struct vf_clock_report report, one, sum = {0};
        CHECK_OK(
            vf_clock_elapsed_on(NULL, c, &time.series, &date.series, &options, &got, &report, &check_error));
        CHECK_OK(vf_clock_end_on(NULL, c, &date.series, NULL, 0, &ends, &check_error));
        CHECK(strcmp(ends.schema.format, "tDn") == 0);
        for (size_t k = 0; k < 5; k++) {
            CHECK_OK(vf_calendar_sessions(c, days[k], &options.sessions, &options.n_sessions, &check_error));
            CHECK_OK(vf_clock_elapsed(NULL, &time.series, &options, &alone, &one, &check_error));
            for (int64_t i = 0; i < ROWS; i++) {
                if (dates[i] != days[k]) continue;
                bool known = !nulls || i % 3 != 0;
                CHECK(check_valid(&got, i) == (known && check_valid(&alone, i)));
                CHECK(check_valid(&ends, i) == known);
                if (known)
                    CHECK_I64(check_i64(&ends, i),
                              vf_sessions_length_ns(options.sessions, options.n_sessions));
                if (check_valid(&got, i)) CHECK_I64(check_i64(&got, i), check_i64(&alone, i));
                sum.n_null += !known;
            }
            check_release(&alone);
        }
        CHECK_I64(report.n_rows, ROWS);
        CHECK_I64(report.n_null, sum.n_null);
        check_release(&got);
        check_release(&ends);
    }
}

static void test_dated(void) {
    struct vf_calendar *c = opened(small);
    check_dated(c, ROWS, false);
    check_dated(c, 1000, false);
    check_dated(c, 3, false);
    check_dated(c, 1, true);
    check_dated(c, 2048, true);
    /* closed days are counted, unknown ones refused, and nothing is written */
    struct check_column date, time;
    struct vf_column out;
    CHECK_POISON(out);
    struct vf_clock_options options = {.layout = VF_LAYOUT_HHMMSS};
    const int32_t closed[] = {day(2024, 1, 2), day(2024, 1, 6), day(2024, 1, 6), day(2024, 1, 5)};
    const int32_t unknown[] = {day(2024, 1, 2), day(2024, 1, 2), day(2025, 1, 2), day(2024, 1, 2)};
    check_series(&time, "l", "time", 4, NULL, times, NULL);
    check_series(&date, "tdD", "date", 4, NULL, closed, NULL);
    CHECK_STATUS(vf_clock_elapsed_on(NULL, c, &time.series, &date.series, &options, &out, NULL, &check_error),
                 VF_ERROR_DATA);
    CHECK(check_error.row == 1 && check_error.count == 3 &&
          strstr(check_error.message, "2024-01-06") != NULL);
    CHECK_STATUS(vf_clock_end_on(NULL, c, &date.series, NULL, 0, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 1 && check_error.count == 3);
    check_series(&date, "tdD", "date", 4, NULL, unknown, NULL);
    CHECK_STATUS(vf_clock_elapsed_on(NULL, c, &time.series, &date.series, &options, &out, NULL, &check_error),
                 VF_ERROR_RANGE);
    CHECK_I64(check_error.row, 2);
    CHECK_STATUS(vf_clock_end_on(NULL, c, &date.series, NULL, 0, &out, &check_error), VF_ERROR_RANGE);
    CHECK_I64(check_error.row, 2);
    check_series(&date, "tdD", "date", 3, NULL, closed, NULL);
    CHECK_STATUS(vf_clock_elapsed_on(NULL, c, &time.series, &date.series, &options, &out, NULL, &check_error),
                 VF_ERROR_ARGUMENT);
    check_series(&date, "i", "date", 4, NULL, closed, NULL);
    CHECK_STATUS(vf_clock_elapsed_on(NULL, c, &time.series, &date.series, &options, &out, NULL, &check_error),
                 VF_ERROR_TYPE);
    CHECK_STATUS(
        vf_clock_elapsed_on(NULL, NULL, &time.series, &date.series, &options, &out, NULL, &check_error),
        VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clock_elapsed_on(NULL, c, &time.series, &date.series, NULL, &out, NULL, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clock_end_on(NULL, NULL, &date.series, NULL, 0, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK(check_is_rubbish(&out, sizeof out));
    vf_calendar_close(c);
}

/* ---- what is left of a day ---- */

static void check_left(const struct vf_calendar *c, const char *format, const void *elapsed, int64_t unit_ns) {
    const int32_t days[] = {day(2024, 1, 2), day(2024, 1, 2), day(2024, 2, 1), day(2024, 3, 1), day(2024, 1, 2)};
    static const uint8_t times_known = 0x17, days_known = 0x0f;
    struct check_column date, time;
    struct vf_column ends, left;
    check_series(&date, "tdD", "date", 5, &days_known, days, NULL);
    check_series(&time, format, "elapsed", 5, &times_known, elapsed, NULL);
    CHECK_OK(vf_clock_end_on(NULL, c, &date.series, NULL, 0, &ends, &check_error));
    CHECK_OK(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &left, &check_error));
    CHECK(strcmp(left.schema.format, "l") == 0);
    for (int64_t i = 0; i < 5; i++) {
        bool known = i < 3; /* row 3 has no time, row 4 no day */
        int64_t at = format[0] == 'g' ? (int64_t)((const double *)elapsed)[i] : ((const int64_t *)elapsed)[i];
        CHECK(check_valid(&left, i) == known);
        if (known) CHECK_I64(check_i64(&left, i), check_i64(&ends, i) - at * unit_ns);
    }
    check_release(&ends);
    check_release(&left);
}

static void test_left(void) {
    struct vf_calendar *c = opened(small);
    static const int64_t seconds[] = {0, 99999, 60, 1, 2};
    static const int64_t milliseconds[] = {0, -5000, 60001, 1, 2};
    static const double floats[] = {0, 99999, 60, 1, 2};
    check_left(c, "l", seconds, INT64_C(1000000000));
    check_left(c, "tDm", milliseconds, 1000000);
    check_left(c, "g", floats, INT64_C(1000000000));
    struct check_column date, time;
    struct vf_column out;
    CHECK_POISON(out);
    const int32_t days[] = {day(2024, 1, 2), day(2024, 1, 2)};
    const int32_t closed[] = {day(2024, 1, 2), day(2024, 1, 6)}, unknown[] = {day(2024, 1, 2), day(2025, 1, 2)};
    static const double fractions[] = {0.25, NAN};
    static const int64_t far[] = {INT64_MIN + 1, INT64_MAX};
    check_series(&date, "tdD", "date", 2, NULL, days, NULL);
    check_series(&time, "g", "elapsed", 2, NULL, fractions, NULL);
    CHECK_OK(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error));
    CHECK_I64(check_i64(&out, 0) % INT64_C(1000000000), 750000000);
    CHECK(!check_valid(&out, 1));
    check_release(&out);
    check_series(&time, "tDn", "elapsed", 2, NULL, far, NULL); /* the least and the most that there are */
    CHECK_OK(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error));
    CHECK_I64(check_i64(&out, 0), INT64_MAX);
    CHECK(check_i64(&out, 1) < 0);
    check_release(&out);
    CHECK_POISON(out);
    check_series(&time, "l", "elapsed", 2, NULL, seconds, NULL);
    check_series(&date, "tdD", "date", 2, NULL, closed, NULL);
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 1 && check_error.count == 1);
    check_series(&date, "tdD", "date", 2, NULL, unknown, NULL);
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error), VF_ERROR_RANGE);
    CHECK_I64(check_error.row, 1);
    check_series(&date, "tdD", "date", 1, NULL, days, NULL);
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error), VF_ERROR_ARGUMENT);
    check_series(&date, "tdD", "date", 2, NULL, days, NULL);
    CHECK_STATUS(vf_clock_left_on(NULL, NULL, &time.series, &date.series, NULL, 0, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    check_series(&time, "ttn", "elapsed", 2, NULL, far, NULL); /* a time of day is no elapsed time */
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error), VF_ERROR_TYPE);
    check_series(&time, "tsn:", "elapsed", 2, NULL, far, NULL);
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, NULL, 0, &out, &check_error), VF_ERROR_TYPE);
    CHECK(check_is_rubbish(&out, sizeof out));
    vf_calendar_close(c);
}

/* A day open for 24 hours, on which clocks go forward, back, and not at all. */
static void test_ends_where_clocks_change(void) {
    static const char text[] = "calendar always\nhours 0001-01-01 0000-2400\n";
    const struct vf_offset offsets[] = {{0, H(8, 0)},
                                        {100 * VF_DAY_NS - H(6, 0), H(9, 0)},
                                        {200 * VF_DAY_NS - H(7, 0), H(8, 0)},
                                        {900 * VF_DAY_NS, VF_OFFSET_UNKNOWN}};
    const struct vf_offset wrong[] = {{0, 0}, {0, H(1, 0)}};
    const int32_t days[] = {100, 200, 50, -5, 1000, 200, 100, 200, 2000000};
    const int64_t hours[] = {23, 25, 24, 24, 24, 25, 23, 25, 24}, elapsed[9] = {0};
    struct vf_calendar *c = opened(text);
    struct check_column date, time;
    struct vf_column out;
    check_series(&date, "tdD", "date", 9, NULL, days, NULL);
    check_series(&time, "l", "elapsed", 9, NULL, elapsed, NULL);
    for (size_t n = 4; n != SIZE_MAX; n = n == 4 ? 0 : SIZE_MAX) {
        CHECK_OK(vf_clock_end_on(NULL, c, &date.series, offsets, n, &out, &check_error));
        for (int64_t i = 0; i < 9; i++)
            CHECK_I64(check_i64(&out, i), H(n == 0 ? 24 : hours[i], 0));
        vf_column_release(&out);
    }
    CHECK_OK(vf_clock_left_on(NULL, c, &time.series, &date.series, offsets, 4, &out, &check_error));
    CHECK_I64(check_i64(&out, 1), H(25, 0));
    vf_column_release(&out);
    CHECK_STATUS(vf_clock_end_on(NULL, c, &date.series, wrong, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clock_end_on(NULL, c, &date.series, NULL, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clock_left_on(NULL, c, &time.series, &date.series, wrong, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    vf_calendar_close(c);
}

/* ---- trading days of moments ---- */

static void test_trading_day(void) {
    static const char text[] = "calendar night\nfirst 2024-05-27\nlast 2024-06-14\nclosed\n2024 0610\n"
                               "hours 2024-05-27 2100-0230 0900-1500\nspecial 0900-1500\n2024 0611\n";
    struct vf_calendar *c = opened(text);
    struct check_column column;
    struct vf_column out;
    CHECK_POISON(out);
    static int64_t micros[24 * 60 * 18];
    int64_t n = 0;
    for (int32_t d = day(2024, 5, 27); d < day(2024, 6, 14); d++)
        for (int64_t minute = 0; minute < 1440; minute++)
            micros[n++] = (d * INT64_C(1440) + minute) * 60000000;
    check_series(&column, "tsu:", "t", n, NULL, micros, NULL);
    CHECK_OK(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error));
    CHECK(strcmp(out.schema.format, "tdD") == 0);
    for (int64_t i = 0; i < n; i++) {
        int32_t d = (int32_t)(micros[i] / INT64_C(86400000000)), want = d;
        int64_t minute = i % 1440;
        bool closed = (d + 3) % 7 >= 5 || d == day(2024, 6, 10);
        if (minute >= 21 * 60 || (minute <= 150 && closed)) { /* forward to a day that is traded */
            do
                want++;
            while ((want + 3) % 7 >= 5 || want == day(2024, 6, 10));
        }
        CHECK_I64(((const int32_t *)out.array.buffers[1])[i], want);
    }
    check_release(&out);
    /* the night of the last known day is not known */
    const uint8_t bits[] = {0x05};
    const int64_t last[] = {0, 0, day(2024, 6, 14) * INT64_C(86400) + 21 * 3600};
    check_series(&column, "tss:", "t", 3, bits, last, NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_RANGE);
    CHECK_I64(check_error.row, 0); /* 1970 is not known either: its first hours may be a night's */
    check_series(&column, "tss:", "t", 1, NULL, &last[2], NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_RANGE);
    const int64_t far[] = {INT64_MAX};
    check_series(&column, "tss:", "t", 1, NULL, far, NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_DATA);
    check_series(&column, "tss:UTC", "t", 1, NULL, last, NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_TYPE);
    check_series(&column, "l", "t", 1, NULL, last, NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_clock_trading_day(NULL, NULL, &column.series, &out, &check_error), VF_ERROR_ARGUMENT);
    vf_calendar_close(c);
    c = opened("calendar mine\nhours 0001-01-01 0900-1000\n");
    check_series(&column, "tss:", "t", 1, NULL, last, NULL);
    CHECK_STATUS(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error), VF_ERROR_STATE);
    vf_calendar_close(c);
    /* without a night every time keeps its day, before 1970 too */
    c = opened("calendar day\nfirst 2024-05-27\nlast 2024-06-14\nhours 2024-05-27 0900-1000\n");
    const int64_t old[] = {-1, -86401, 86399};
    check_series(&column, "tss:", "t", 3, NULL, old, NULL);
    CHECK_OK(vf_clock_trading_day(NULL, c, &column.series, &out, &check_error));
    const int32_t *got = out.array.buffers[1];
    CHECK(got[0] == -1 && got[1] == -2 && got[2] == 0);
    check_release(&out);
    vf_calendar_close(c);
}

/* Texts with bytes changed at random are read or refused, and never touch memory that is not theirs (sanitizers). */
static void test_broken_texts(void) {
    static const char letters[] = "0123456789-^ \n\rcalendrfistvwkhoupm#";
    uint64_t state = 42;
    long read = 0;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof small];
        memcpy(text, small, sizeof small);
        for (int k = 0; k < 1 + round % 3; k++) {
            state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[(state >> 33) % (sizeof small - 1)] = letters[(state >> 20) % (sizeof letters - 1)];
        }
        struct vf_calendar *calendar = NULL;
        enum vf_status status = vf_calendar_open(NULL, text, sizeof small - 1, &calendar, &check_error);
        CHECK(status == VF_OK || status == VF_ERROR_ARGUMENT);
        read += status == VF_OK;
        vf_calendar_close(calendar);
    }
    CHECK(read > 100 && read < 19900);
}

/* ---- dates however they are spelt ---- */

static void test_dates(void) {
    static const char text[] = "202402291970-01-0119691231";
    static const int32_t offsets[] = {0, 8, 18, 26};
    static const int64_t numbers[] = {20240229, 19700101, 19691231};
    static const int64_t micros[] = {INT64_C(1709164800000000) + 1, 0, -1};
    static const int32_t days[] = {19782, 0, -1};
    struct check_column columns[4];
    check_series(&columns[0], "u", "d", 3, NULL, offsets, text);
    check_series(&columns[1], "l", "d", 3, NULL, numbers, NULL);
    check_series(&columns[2], "tsu:", "d", 3, NULL, micros, NULL);
    check_series(&columns[3], "tdD", "d", 3, NULL, days, NULL);
    for (size_t k = 0; k < 4; k++) {
        struct vf_column out;
        CHECK_OK(vf_date_parse(NULL, &columns[k].series, &out, &check_error));
        CHECK(strcmp(out.schema.format, "tdD") == 0 && strcmp(out.schema.name, "d") == 0);
        CHECK_I64(day(2024, 2, 29), 19782);
        for (int64_t i = 0; i < 3; i++)
            CHECK_I64(((const int32_t *)out.array.buffers[1])[i], days[i]);
        check_release(&out);
    }
    /* every day of eight hundred years, there and back */
    static int64_t all[292194];
    int64_t n = 0;
    for (int64_t y = 1600; y < 2400; y++)
        for (int64_t m = 1; m <= 12; m++)
            for (int64_t d = 1; d <= 31; d++) {
                static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
                bool leap = y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
                if (d <= lengths[m - 1] + (leap && m == 2)) all[n++] = y * 10000 + m * 100 + d;
            }
    CHECK_I64(n, 292194);
    struct check_column column;
    struct vf_column out;
    check_series(&column, "l", "d", n, NULL, all, NULL);
    CHECK_OK(vf_date_parse(NULL, &column.series, &out, &check_error));
    int32_t first = ((const int32_t *)out.array.buffers[1])[0];
    CHECK_I64(first, day(1600, 1, 1));
    for (int64_t i = 0; i < n; i++)
        CHECK_I64(((const int32_t *)out.array.buffers[1])[i], first + i);
    check_release(&out);
}

static void test_dates_refused(void) {
    static const int64_t bad[] = {20240230,  20231301, 20240100,  20230229, 0,
                                  -20240101, 2024010,  100000101, INT64_MIN};
    struct check_column column;
    struct vf_column out;
    CHECK_POISON(out);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const int64_t values[] = {20240101, bad[i], bad[i]};
        check_series(&column, "l", "d", 3, NULL, values, NULL);
        CHECK_STATUS(vf_date_parse(NULL, &column.series, &out, &check_error), VF_ERROR_DATA);
        char shown[24];
        (void)snprintf(shown, sizeof shown, "\"%" PRId64 "\"", bad[i]);
        CHECK(check_error.row == 1 && check_error.count == 2 && strstr(check_error.message, shown) != NULL);
    }
    static const char *const texts[] = {"",          "2024-1-01",  "2024/01/01", "2024-02-30",
                                        "20240101 ", "0000-01-01", "2024-01-1x", "xxxxxxxx"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const int32_t offsets[] = {0, (int32_t)strlen(texts[i])};
        check_series(&column, "u", "d", 1, NULL, offsets, texts[i]);
        CHECK_STATUS(vf_date_parse(NULL, &column.series, &out, &check_error), VF_ERROR_DATA);
    }
    static const char *const types[] = {"g", "tsn:UTC", "ttu", "b", "tDn"};
    static const int64_t zero[2];
    for (size_t i = 0; i < 5; i++) {
        check_series(&column, types[i], "d", 1, NULL, zero, NULL);
        CHECK_STATUS(vf_date_parse(NULL, &column.series, &out, &check_error), VF_ERROR_TYPE);
    }
    CHECK(check_is_rubbish(&out, sizeof out));
    const uint8_t none[] = {0};
    check_series(&column, "l", "d", 2, none, zero, NULL);
    CHECK_OK(vf_date_parse(NULL, &column.series, &out, &check_error));
    CHECK(out.array.null_count == 2);
    check_release(&out);
    check_series(&column, "n", "d", 2, NULL, NULL, NULL);
    column.array.n_buffers = 0;
    CHECK_OK(vf_date_parse(NULL, &column.series, &out, &check_error));
    CHECK(out.array.null_count == 2);
    check_release(&out);
}

/* Week lines, sessions twice the same, days of no year, and calendars that are not given. */
static void test_texts_more(void) {
    struct vf_calendar *c = opened("calendar x\nfirst 2024-01-01\nlast 2024-01-14\nweek 67\nhours 2024-01-01 0930-1130\n"
                                   "hours 2024-01-07 093000-113000\n");
    struct vf_calendar_info info;
    bool open = false;
    vf_calendar_describe(c, &info);
    CHECK_I64(info.n_days, 4);
    CHECK_OK(vf_calendar_is_trading_day(c, day(2024, 1, 6), &open, &check_error));
    CHECK(open);
    CHECK_OK(vf_calendar_is_trading_day(c, day(2024, 1, 8), &open, &check_error));
    CHECK(!open);
    CHECK_I64(vf_calendar_variants(c), 1); /* the same sessions are one set, however they are spelt */
    const int32_t *days;
    size_t n;
    CHECK_OK(vf_calendar_range(c, day(2024, 1, 7), day(2024, 1, 14), &days, &n, &check_error));
    CHECK(n == 3 && days[0] == day(2024, 1, 7) && days[2] == day(2024, 1, 14));
    CHECK_OK(vf_calendar_range(c, day(2024, 1, 8), day(2024, 1, 12), &days, &n, &check_error));
    CHECK_I64(n, 0);
    vf_calendar_close(c);
    refused("calendar x\nfirst 0000-01-01\n", "a day");
    refused(DAYS "week\n" HOURS, "days of the week");
    refused(DAYS "special 0930-1130\n2024 0103\nweek 123\n", "cannot change");
    refused(DAYS "hours 2024-01-01 09x0-1130\n", "a session");
    refused(DAYS "hours 2024-01-01 ^\n", "a session");
    refused(DAYS "hours 2024-01-01 9999-1130\n", "a session");
    CHECK_STATUS(vf_calendar_open(NULL, NULL, 3, &c, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_calendar_open(NULL, small, sizeof small - 1, NULL, &check_error), VF_ERROR_ARGUMENT);
    const struct vf_session *sessions;
    struct vf_column out[4];
    int32_t next;
    int64_t index;
    CHECK_STATUS(vf_calendar_sessions(NULL, 5, &sessions, &n, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_calendar_next(NULL, 5, &next, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_calendar_index(NULL, 5, &index, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_calendar_columns(NULL, NULL, out, &check_error), VF_ERROR_ARGUMENT);
}

/* Of several night sessions, the night starts with the first to start and ends with the last to end. */
static void test_nights_of_several_lengths(void) {
    static const char *const hours[2][3] = {{"2100-0230", "2000-2300", "2200-0100"}, {"2000-2300", "2200-0100", "2100-0230"}};
    for (int k = 0; k < 2; k++) {
        char text[400];
        int at = snprintf(text, sizeof text, "calendar x\nfirst 2024-01-01\nlast 2024-12-31\n");
        for (int i = 0; i < 3; i++)
            at += snprintf(text + at, sizeof text - (size_t)at, "hours 2024-0%d-01 ^%s 0900-1015\n", 1 + i, hours[k][i]);
        char *carets = text; /* those past midnight are written without it */
        for (char *c = text; (c = strstr(carets, "^2100")) != NULL || (c = strstr(carets, "^2200")) != NULL;)
            memmove(c, c + 1, strlen(c));
        struct vf_calendar *c = opened(text);
        /* Wednesday at 20:30, Thursday at 02:00, and what lies outside of both */
        const int64_t when[4] = {day(2024, 1, 10) * VF_DAY_NS + H(20, 30), day(2024, 1, 11) * VF_DAY_NS + H(2, 0),
                                 day(2024, 1, 11) * VF_DAY_NS + H(2, 31), day(2024, 1, 10) * VF_DAY_NS + H(19, 59)};
        const int32_t want[4] = {day(2024, 1, 11), day(2024, 1, 11), day(2024, 1, 11), day(2024, 1, 10)};
        struct check_column t;
        struct vf_column out;
        CHECK_OK(vf_clock_trading_day(NULL, c, check_series(&t, "tsn:", "t", 4, NULL, when, NULL), &out, &check_error));
        for (int64_t i = 0; i < 4; i++)
            CHECK_I64(((const int32_t *)out.array.buffers[1])[i], want[i]);
        check_release(&out);
        vf_calendar_close(c);
    }
}

int main(void) {
    test_days();
    test_outside();
    test_sessions();
    test_texts_refused();
    test_of_days();
    test_dated();
    test_left();
    test_ends_where_clocks_change();
    test_trading_day();
    test_broken_texts();
    test_dates();
    test_dates_refused();
    test_texts_more();
    test_nights_of_several_lengths();
    return check_report("calendar");
}
