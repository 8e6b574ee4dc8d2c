/* See calendar.h: the calendar itself, and what is asked of it.
   Not for its text: calendar_text.c reads that. */
#include "clock/calendar.h"

#include "clock/dates.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- opening and closing ---- */

void vf_calendar_close(struct vf_calendar *calendar) {
    if (calendar == NULL) return;
    struct vf_context ctx = calendar->ctx;
    vf__free(&ctx, calendar->days, calendar->days_room, sizeof *calendar->days);
    vf__free(&ctx, calendar->sessions, calendar->sessions_room, sizeof *calendar->sessions);
    vf__free(&ctx, calendar->variants, calendar->variants_room, sizeof *calendar->variants);
    vf__free(&ctx, calendar->periods, calendar->periods_room, sizeof *calendar->periods);
    vf__free(&ctx, calendar->specials, calendar->specials_room, sizeof *calendar->specials);
    vf__free(&ctx, calendar, 1, sizeof *calendar);
}

enum vf_status vf__calendar_new(const struct vf_context *ctx, struct vf_calendar **out,
                                struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf_calendar *calendar = vf__zalloc(&context, 1, sizeof *calendar);
    if (calendar == NULL) return vf__fail_memory(err, sizeof *calendar);
    calendar->ctx = context;
    *out = calendar;
    return VF_OK;
}

static int compare_days(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Takes n days over; sorts them and drops what is there twice. */
static enum vf_status fill_days(struct vf_calendar *calendar, const int32_t *days, size_t n,
                                struct vf_error *err) {
    calendar->days = vf__alloc(&calendar->ctx, n, sizeof *days);
    if (calendar->days == NULL) return vf__fail_memory(err, n * sizeof *days);
    calendar->days_room = n;
    memcpy(calendar->days, days, n * sizeof *days);
    qsort(calendar->days, n, sizeof *days, compare_days);
    size_t kept = 1;
    for (size_t i = 1; i < n; i++)
        if (calendar->days[i] != calendar->days[kept - 1]) calendar->days[kept++] = calendar->days[i];
    calendar->n_days = kept;
    (void)snprintf(calendar->info.name, sizeof calendar->info.name, "of the days given");
    calendar->info.has_days = true;
    calendar->info.first = calendar->days[0];
    calendar->info.last = calendar->info.verified = calendar->days[kept - 1];
    calendar->info.n_days = (int64_t)kept;
    return VF_OK;
}

enum vf_status vf__calendar_from_days(const struct vf_context *ctx, const int32_t *days, size_t n,
                                      struct vf_calendar **out, struct vf_error *err) {
    struct vf_calendar *calendar = NULL;
    enum vf_status status = vf__calendar_new(ctx, &calendar, err);
    if (status == VF_OK) status = fill_days(calendar, days, n, err);
    if (status != VF_OK) {
        vf_calendar_close(calendar);
        return status;
    }
    *out = calendar;
    return VF_OK;
}

/* ---- looking up ---- */

/* How many of n rising days come before `day`. */
static size_t before(const int32_t *days, size_t n, int32_t day) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (days[middle] < day)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool holds(const int32_t *days, size_t n, int32_t day) {
    size_t at = before(days, n, day);
    return at < n && days[at] == day;
}

static enum vf_status check_days(const struct vf_calendar *calendar, struct vf_error *err) {
    if (calendar == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar is missing");
    if (!calendar->info.has_days)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1,
                        "calendar %s holds sessions only, no trading days; use a calendar that has them",
                        calendar->info.name);
    return VF_OK;
}

static enum vf_status check_known(const struct vf_calendar *calendar, int32_t day, struct vf_error *err) {
    enum vf_status status = check_days(calendar, err);
    if (status != VF_OK) return status;
    if (day >= calendar->info.first && day <= calendar->info.last) return VF_OK;
    char text[16], first[16], last[16];
    vf__day_text(day, text);
    vf__day_text(calendar->info.first, first);
    vf__day_text(calendar->info.last, last);
    return vf__fail(
        err, VF_ERROR_RANGE, NULL, -1,
        "%s lies outside the calendar (%s), which knows %s to %s; extend it with calendar.generate, "
        "calendar.load or calendar.from_files",
        text, calendar->info.name, first, last);
}

void vf_calendar_describe(const struct vf_calendar *calendar, struct vf_calendar_info *out) {
    *out = calendar->info;
}

enum vf_status vf_calendar_is_trading_day(const struct vf_calendar *calendar, int32_t day, bool *out,
                                          struct vf_error *err) {
    enum vf_status status = check_known(calendar, day, err);
    if (status == VF_OK) *out = holds(calendar->days, calendar->n_days, day);
    return status;
}

static enum vf_status no_neighbour(const struct vf_calendar *calendar, int32_t day, const char *side,
                                   struct vf_error *err) {
    char text[16], edge[16];
    vf__day_text(day, text);
    vf__day_text(side[0] == 'a' ? calendar->info.last : calendar->info.first, edge);
    return vf__fail(
        err, VF_ERROR_RANGE, NULL, -1,
        "%s is at the edge of the calendar (%s), which is known to %s: no trading day %s it; extend it with "
        "calendar.generate, calendar.load or calendar.from_files",
        text, calendar->info.name, edge, side);
}

enum vf_status vf_calendar_next(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                struct vf_error *err) {
    enum vf_status status = check_known(calendar, day, err);
    if (status != VF_OK) return status;
    size_t at = before(calendar->days, calendar->n_days, day + 1); /* days lie in years 1 to 9999 */
    if (at == calendar->n_days) return no_neighbour(calendar, day, "after", err);
    *out = calendar->days[at];
    return VF_OK;
}

enum vf_status vf_calendar_prev(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                struct vf_error *err) {
    enum vf_status status = check_known(calendar, day, err);
    if (status != VF_OK) return status;
    size_t at = before(calendar->days, calendar->n_days, day);
    if (at == 0) return no_neighbour(calendar, day, "before", err);
    *out = calendar->days[at - 1];
    return VF_OK;
}

enum vf_status vf_calendar_index(const struct vf_calendar *calendar, int32_t day, int64_t *out,
                                 struct vf_error *err) {
    enum vf_status status = check_known(calendar, day, err);
    if (status == VF_OK) *out = (int64_t)before(calendar->days, calendar->n_days, day);
    return status;
}

enum vf_status vf_calendar_range(const struct vf_calendar *calendar, int32_t from, int32_t to,
                                 const int32_t **days, size_t *n, struct vf_error *err) {
    enum vf_status status = check_known(calendar, from, err);
    if (status == VF_OK) status = check_known(calendar, to, err);
    if (status != VF_OK) return status;
    if (to < from) {
        char a[16], b[16];
        vf__day_text(from, a);
        vf__day_text(to, b);
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the range starts on %s and ends before, on %s", a,
                        b);
    }
    size_t start = before(calendar->days, calendar->n_days, from);
    size_t end = before(calendar->days, calendar->n_days, to);
    end += end < calendar->n_days && calendar->days[end] == to;
    *days = calendar->days + start;
    *n = end - start;
    return VF_OK;
}

/* ---- sessions ---- */

/* The last of n rising entries at or before `day`; NULL when there is none. */
static const struct vf__hours *last_from(const struct vf__hours *hours, size_t n, int32_t day) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (hours[middle].day <= day)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &hours[low - 1] : NULL;
}

enum vf_status vf__calendar_variant_on(const struct vf_calendar *calendar, int32_t day, int32_t *out,
                                       struct vf_error *err) {
    bool traded = true;
    enum vf_status status = VF_OK;
    if (calendar == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar is missing");
    if (calendar->n_periods == 0)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "the calendar holds no sessions, only days");
    if (calendar->info.has_days) status = vf_calendar_is_trading_day(calendar, day, &traded, err);
    if (status != VF_OK) return status;
    const struct vf__hours *special = last_from(calendar->specials, calendar->n_specials, day);
    const struct vf__hours *period = last_from(calendar->periods, calendar->n_periods, day);
    if (special != NULL && special->day == day) period = special;
    if (period == NULL) period = &calendar->periods[0]; /* sessions only: the first known hold before, too */
    *out = traded ? (int32_t)period->variant : -1;
    return VF_OK;
}

enum vf_status vf_calendar_sessions(const struct vf_calendar *calendar, int32_t day,
                                    const struct vf_session **sessions, size_t *n, struct vf_error *err) {
    int32_t variant;
    enum vf_status status = vf__calendar_variant_on(calendar, day, &variant, err);
    if (status != VF_OK) return status;
    if (variant < 0) {
        *sessions = NULL;
        *n = 0;
    } else
        vf_calendar_variant(calendar, (size_t)variant, sessions, n);
    return VF_OK;
}

size_t vf_calendar_variants(const struct vf_calendar *calendar) {
    return calendar->n_variants;
}

void vf_calendar_variant(const struct vf_calendar *calendar, size_t i, const struct vf_session **sessions,
                         size_t *n) {
    *sessions = calendar->sessions + calendar->variants[i].start;
    *n = calendar->variants[i].n;
}

bool vf__calendar_night(const struct vf_calendar *calendar, int64_t *start_ns, int64_t *end_ns) {
    bool found = false;
    *start_ns = VF_DAY_NS;
    *end_ns = -1;
    for (size_t i = 0; i < calendar->n_variants; i++) {
        const struct vf_session *first = &calendar->sessions[calendar->variants[i].start];
        if (first->start_ns >= 0) continue;
        found = true;
        if (first->start_ns + VF_DAY_NS < *start_ns) *start_ns = first->start_ns + VF_DAY_NS;
        if (first->end_ns >= 0 && first->end_ns > *end_ns) *end_ns = first->end_ns;
    }
    return found;
}

static bool is_weekend(const struct vf_calendar *calendar, int32_t day) {
    bool traded = false;
    if ((day % 7 + 7 + 3) % 7 < 5) return false; /* 1970-01-01 was a Thursday */
    if (calendar != NULL && calendar->info.has_days)
        (void)vf_calendar_is_trading_day(calendar, day, &traded, NULL); /* an unknown day is not traded */
    return !traded;
}

struct vf__trading_day vf__trading_day_of(const struct vf_calendar *calendar, const struct vf_session *first,
                                          int32_t day) {
    struct vf__trading_day out = {.day = day, .first_evening = day, .next_night_ns = VF_DAY_NS + 1};
    int64_t start = first != NULL ? first->start_ns + VF_DAY_NS : VF_DAY_NS, end;
    bool night = calendar != NULL ? vf__calendar_night(calendar, &start, &end) : start < VF_DAY_NS;
    if (!night || day <= VF__FIRST_DAY || day > VF__LAST_DAY) return out;
    out.next_night_ns = start;
    out.first_evening = day - 1;
    while (is_weekend(calendar, out.first_evening) && out.first_evening > day - 7)
        out.first_evening--;
    return out;
}
