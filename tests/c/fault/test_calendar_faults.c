/* Every public entry of calendars with the n-th allocation failing, once and from then on: the call says
   VF_ERROR_MEMORY, leaves nothing behind and its outputs alone. Not for results (tests/c/unit). */
#include "check.h"

static const char home[] =
    "calendar cn\nfirst 2024-01-01\nlast 2024-12-31\nclosed\n2024 0101 0212-0216\nadhoc\n2024 0105\n"
    "hours 2024-01-01 0930-1130 1300-1500\nhours 2024-06-03 0930-1500\nspecial 0930-1130\n"
    "2024 0103 0201-0229\nspecial 1000-1500\n2024 0301\n";

static struct vf_calendar *calendar; /* opened without faults */

static enum vf_status open_text(const struct vf_context *ctx) {
    struct vf_calendar *c = NULL;
    enum vf_status status = vf_calendar_open(ctx, home, sizeof home - 1, &c, &check_error);
    CHECK((c != NULL) == (status == VF_OK));
    vf_calendar_close(c);
    return status;
}

static enum vf_status open_days(const struct vf_context *ctx) {
    static const int32_t days[] = {3, 1, 2, 3, 5};
    struct check_column column;
    struct vf_calendar *c = NULL;
    check_series(&column, "tdD", "date", 5, NULL, days, NULL);
    enum vf_status status = vf_calendar_open_days(ctx, &column.series, &c, &check_error);
    CHECK((c != NULL) == (status == VF_OK));
    vf_calendar_close(c);
    return status;
}

static enum vf_status columns(const struct vf_context *ctx) {
    struct vf_column out[4];
    CHECK_POISON(out);
    enum vf_status status = vf_calendar_columns(ctx, calendar, out, &check_error);
    if (status != VF_OK) CHECK(check_is_rubbish(out, sizeof out));
    for (size_t i = 0; i < 4; i++)
        check_release(&out[i]);
    return status;
}

static enum vf_status settle(enum vf_status status, struct vf_column *out) {
    if (status == VF_OK)
        check_release(out);
    else
        CHECK(check_is_rubbish(out, sizeof *out) && check_error.code == status);
    return status;
}

static enum vf_status parse(const struct vf_context *ctx) {
    static const int64_t days[] = {20240102, 20240103};
    struct check_column column;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&column, "l", "date", 2, NULL, days, NULL);
    return settle(vf_date_parse(ctx, &column.series, &out, &check_error), &out);
}

static enum vf_status dated(const struct vf_context *ctx) {
    static const int32_t days[] = {19724, 19725, 19900, 19783};
    static const int64_t times[] = {93000, 100000, 120000, 235959};
    struct check_column date, time;
    struct vf_column out;
    CHECK_POISON(out);
    struct vf_clock_options options = {.layout = VF_LAYOUT_HHMMSS};
    check_series(&date, "tdD", "date", 4, NULL, days, NULL);
    check_series(&time, "l", "time", 4, NULL, times, NULL);
    return settle(
        vf_clock_elapsed_on(ctx, calendar, &time.series, &date.series, &options, &out, NULL, &check_error),
        &out);
}

static enum vf_status ends(const struct vf_context *ctx) {
    static const int32_t days[] = {19724, 19725, 19900, 19783};
    struct check_column date;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&date, "tdD", "date", 4, NULL, days, NULL);
    return settle(vf_clock_end_on(ctx, calendar, &date.series, NULL, 0, &out, &check_error), &out);
}

static enum vf_status left(const struct vf_context *ctx) {
    static const int32_t days[] = {19724, 19725, 19900, 19783};
    static const int64_t elapsed[] = {0, 60, 3600, 99999};
    struct check_column date, time;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&date, "tdD", "date", 4, NULL, days, NULL);
    check_series(&time, "l", "elapsed", 4, NULL, elapsed, NULL);
    return settle(vf_clock_left_on(ctx, calendar, &time.series, &date.series, NULL, 0, &out, &check_error), &out);
}

static enum vf_status trading_days(const struct vf_context *ctx) {
    static const int64_t seconds[] = {INT64_C(1709164800), INT64_C(1709251200)};
    struct check_column time;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&time, "tss:", "time", 2, NULL, seconds, NULL);
    return settle(vf_clock_trading_day(ctx, calendar, &time.series, &out, &check_error), &out);
}

int main(void) {
    CHECK_OK(vf_calendar_open(NULL, home, sizeof home - 1, &calendar, &check_error));
    check_all_faults(open_text);
    check_all_faults(open_days);
    check_all_faults(columns);
    check_all_faults(parse);
    check_all_faults(dated);
    check_all_faults(ends);
    check_all_faults(left);
    check_all_faults(trading_days);
    vf_calendar_close(calendar);
    return check_report("calendar_faults");
}
