/* Trading days and the sessions of each, read from a short text or made of a list of days.
   Not for columns (api_calendar.c), and not for the clock inside a day (sessions.h). */
#ifndef VF_CLOCK_CALENDAR_H
#define VF_CLOCK_CALENDAR_H

#include "clock/sessions.h"

/* Sessions [start, start + n) of the calendar's list. */
struct vf__variant {
    uint32_t start, n;
};

/* From that day on, or on that day: the sessions of a variant. */
struct vf__hours {
    int32_t day;
    uint32_t variant;
};

struct vf_calendar {
    struct vf_context ctx;
    struct vf_calendar_info info;
    int32_t *days; /* trading days, rising */
    size_t n_days, days_room;
    struct vf_session *sessions;
    size_t n_sessions, sessions_room;
    struct vf__variant *variants;
    size_t n_variants, variants_room;
    struct vf__hours *periods; /* rising */
    size_t n_periods, periods_room;
    struct vf__hours *specials; /* rising, each day once */
    size_t n_specials, specials_room;
};

/* Makes a calendar of days from VF__FIRST_DAY to VF__LAST_DAY, which need not be sorted and are copied. n > 0. */
enum vf_status vf__calendar_from_days(const struct vf_context *ctx, const int32_t *days, size_t n,
                                      struct vf_calendar **out, struct vf_error *err);

/* One that knows no days and no sessions yet. */
enum vf_status vf__calendar_new(const struct vf_context *ctx, struct vf_calendar **out, struct vf_error *err);

/* The variant of a day's sessions; -1 on a day that is not traded. */
enum vf_status vf__calendar_variant_on(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                       struct vf_error *err);

/* When the night sessions among a calendar's begin and end, in ns of the day: the evening's from *start_ns on, the
   morning's up to *end_ns (-1: the night ends before midnight). False when there is none. */
bool vf__calendar_night(const struct vf_calendar *calendar, int64_t *start_ns, int64_t *end_ns);

/* Which stamps are of a trading day. Its night is the evening before, or over a weekend the Friday's; where a day of the
   week between is closed, what was traded before it is not this day's, lest a calendar that lacks a session folds that
   onto the next. `calendar` may be NULL, `first` is then the market's first session. */
struct vf__trading_day vf__trading_day_of(const struct vf_calendar *calendar, const struct vf_session *first,
                                          int32_t day);

#endif
