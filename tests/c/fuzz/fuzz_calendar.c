/* The text of a calendar, whatever it is: refused with its line, or a calendar whose answers agree with each other.
   Not for the clock inside a day (fuzz_clock.c).

   Input: the text; its last two bytes also pick the days that are asked for. */
#include "clock/calendar.h"

#include "fuzz.h"

/* The same days by walking one by one. */
static void check_days(const struct vf_calendar *c, const struct vf_calendar_info *info, int32_t from, int32_t to) {
    struct vf_error err;
    const int32_t *days;
    size_t n = 0, counted = 0;
    int64_t index, first_index = 0;
    bool traded;
    enum vf_status status = vf_calendar_range(c, from, to, &days, &n, &err);
    check_error(status, &err);
    if (from > to) {
        REQUIRE(status == VF_ERROR_ARGUMENT || status == VF_ERROR_RANGE);
        return;
    }
    bool known = from >= info->first && to <= info->last;
    REQUIRE(status == (known ? VF_OK : VF_ERROR_RANGE));
    if (!known) return;
    REQUIRE(vf_calendar_index(c, from, &first_index, &err) == VF_OK);
    for (int32_t day = from; day <= to; day++) {
        REQUIRE(vf_calendar_is_trading_day(c, day, &traded, &err) == VF_OK);
        REQUIRE(vf_calendar_index(c, day, &index, &err) == VF_OK && index == first_index + (int64_t)counted);
        if (!traded) continue;
        REQUIRE(counted < n && days[counted] == day);
        counted++;
    }
    REQUIRE(counted == n);
}

static void check_neighbours(const struct vf_calendar *c, int32_t day) {
    struct vf_error err;
    int32_t next, prev, back;
    enum vf_status status = vf_calendar_next(c, day, &next, &err);
    check_error(status, &err);
    if (status == VF_OK) {
        REQUIRE(next > day);
        REQUIRE(vf_calendar_prev(c, next, &back, &err) != VF_OK || back <= day);
    }
    status = vf_calendar_prev(c, day, &prev, &err);
    check_error(status, &err);
    if (status != VF_OK) return;
    REQUIRE(prev < day);
    status = vf_calendar_next(c, prev, &back, &err);
    check_error(status, &err);
    if (status == VF_OK) {
        REQUIRE(back >= day);
    } else { /* the last day of all is the one before */
        bool traded = true;
        REQUIRE(status == VF_ERROR_RANGE && vf_calendar_next(c, day, &next, &err) == VF_ERROR_RANGE);
        REQUIRE(vf_calendar_is_trading_day(c, day, &traded, &err) == VF_OK && !traded);
    }
}

static void check_sessions(const struct vf_calendar *c, int32_t day) {
    struct vf_error err;
    const struct vf_session *sessions;
    size_t n;
    bool traded = true;
    enum vf_status status = vf_calendar_sessions(c, day, &sessions, &n, &err);
    check_error(status, &err);
    if (status != VF_OK) return;
    (void)vf_calendar_is_trading_day(c, day, &traded, &err);
    REQUIRE((n > 0) == traded);
    if (n > 0) REQUIRE(vf_sessions_check(sessions, n, &err) == VF_OK);
}

static void check_calendar(const struct vf_calendar *c, uint16_t pick) {
    struct vf_error err;
    struct vf_calendar_info info;
    struct vf_column columns[4];
    vf_calendar_describe(c, &info);
    REQUIRE(memchr(info.name, '\0', sizeof info.name) != NULL);
    for (size_t i = 0; i < vf_calendar_variants(c); i++) {
        const struct vf_session *sessions;
        size_t n;
        vf_calendar_variant(c, i, &sessions, &n);
        REQUIRE(vf_sessions_check(sessions, n, &err) == VF_OK && vf_sessions_length_ns(sessions, n) > 0);
    }
    enum vf_status status = vf_calendar_columns(NULL, c, columns, &err);
    REQUIRE(status == (info.has_days ? VF_OK : VF_ERROR_STATE));
    for (size_t i = 0; status == VF_OK && i < 4; i++) {
        REQUIRE(columns[i].array.length == info.n_days);
        vf_column_release(&columns[i]);
    }
    int32_t day = info.has_days ? info.first + pick % 512 - 8 : pick;
    check_sessions(c, day);
    check_neighbours(c, day);
    if (info.has_days) {
        REQUIRE(info.first <= info.verified && info.verified <= info.last);
        check_days(c, &info, day, day + pick % 700);
        check_days(c, &info, info.last - pick % 64, info.last + (pick >> 15));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct vf_error err = {0};
    struct vf_calendar *calendar = NULL;
    struct vf_context ctx = {.n_threads = 1};
    char *text = malloc(size);
    REQUIRE(text != NULL || size == 0);
    if (size > 0) memcpy(text, data, size);
    enum vf_status status = vf_calendar_open(&ctx, text != NULL ? text : "", size, &calendar, &err);
    free(text); /* nothing points into it any more */
    check_error(status, &err);
    REQUIRE((status == VF_OK) == (calendar != NULL));
    if (status == VF_OK)
        check_calendar(calendar, (uint16_t)(size < 2 ? 0 : data[size - 2] | data[size - 1] << 8));
    else
        REQUIRE(status == VF_ERROR_ARGUMENT);
    vf_calendar_close(calendar);
    return 0;
}
