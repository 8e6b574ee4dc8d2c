/* Columns of times to columns of elapsed trading time.
   Not for the rule itself (sessions.h), nor for sessions that change from row to row (api_dated.c). */
#include "clock/api_clock.h"

#include "arrow/build.h"
#include "clock/calendar.h"
#include "clock/dates.h"

#include <stdio.h>

enum { PART = VF__SIZED(256, 1, 2048) }; /* rows at a time: the slow way has more on the stack than a block */

struct vf__clock_run vf__clock_run_new(void) {
    return (struct vf__clock_run){.first_bad = -1,
                        .either_row = -1,
                        .report = {.first_unreadable = -1, .first_outside = -1, .first_other_date = -1}};
}

static bool is_epoch(enum vf_time_layout layout) {
    return layout >= VF_LAYOUT_EPOCH_S;
}

static bool is_time_of_day(const struct vf__type *type) {
    return type->kind == VF__TIME || type->kind == VF__TIMESTAMP || type->kind == VF__TEXT || vf__type_is_integer(type);
}

static bool carries_fractions(const struct vf__type *type, enum vf_time_layout layout) {
    if (vf__type_is_integer(type))
        return layout != VF_LAYOUT_HHMMSS && layout != VF_LAYOUT_SECONDS && layout != VF_LAYOUT_YYYYMMDDHHMM &&
               layout != VF_LAYOUT_YYYYMMDDHHMMSS && layout != VF_LAYOUT_EPOCH_S;
    return type->kind == VF__TEXT || type->ns < VF__SECOND_NS;
}

const char *vf_clock_elapsed_format(const struct ArrowSchema *schema, enum vf_time_layout layout) {
    struct vf__type type;
    if (vf__type_parse(schema, &type, NULL) != VF_OK) return NULL;
    if (!is_time_of_day(&type) && type.kind != VF__NULL) return NULL;
    return carries_fractions(&type, layout) ? "g" : "l";
}

/* Nanoseconds a unit of integers that count time; 0 for digits. */
static int64_t scale_of(enum vf_time_layout layout) {
    switch (layout) {
    case VF_LAYOUT_SECONDS:
    case VF_LAYOUT_EPOCH_S: return VF__SECOND_NS;
    case VF_LAYOUT_MILLISECONDS:
    case VF_LAYOUT_EPOCH_MS: return 1000000;
    case VF_LAYOUT_MICROSECONDS:
    case VF_LAYOUT_EPOCH_US: return 1000;
    case VF_LAYOUT_NANOSECONDS:
    case VF_LAYOUT_EPOCH_NS: return 1;
    default: return 0;
    }
}

static enum vf_status check_options(const struct vf_clock_options *options, struct vf_error *err) {
    if (options->grace_ns < 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "grace is negative; seconds >= 0 are accepted");
    if ((unsigned)options->outside > VF_OUTSIDE_RAISE || (unsigned)options->layout > VF_LAYOUT_EPOCH_NS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "unknown value of outside or layout");
    if (options->n_offsets > 0 && options->offsets == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the time zone's offsets are missing");
    return VF_OK;
}

enum vf_status vf__clock_run_check(struct vf__clock_run *run, const struct vf_series *time,
                                   const struct vf_clock_options *options, struct vf_error *err) {
    enum vf_status status = vf__reader_open(&run->reader, time, err);
    if (status == VF_OK) status = check_options(options, err);
    if (status == VF_OK) status = vf__zone_init(&run->zone, options->offsets, options->n_offsets, err);
    if (status != VF_OK) return status;
    const struct vf__type *type = &run->reader.type;
    bool integer = vf__type_is_integer(type);
    run->utc = type->kind == VF__TIMESTAMP ? type->zoned : integer && is_epoch(options->layout);
    if (run->utc && run->zone.n == 0)
        return vf__fail(err, VF_ERROR_TYPE, run->reader.name, -1,
                        "column \"%s\" %s; give the market's time zone, or convert it to local time first",
                        run->reader.name, integer ? "counts from 1970" : "carries a time zone");
    if (!is_time_of_day(type) && type->kind != VF__NULL)
        return vf__fail(
            err, VF_ERROR_TYPE, run->reader.name, -1,
            "column \"%s\" is %s; accepted are Datetime, Time, integers (HHMMSS, HHMMSSmmm) and ISO strings",
            run->reader.name, vf__type_name(type));
    run->scale = integer ? scale_of(options->layout) : type->ns;
    run->dated = type->kind == VF__TIMESTAMP || type->kind == VF__TEXT ||
                 (integer && options->layout >= VF_LAYOUT_YYYYMMDDHHMM);
    run->whole_seconds = !carries_fractions(type, options->layout);
    run->whole = options->whole;
    run->outside = options->outside;
    run->grace_ns = options->grace_ns;
    run->layout = options->layout;
    return VF_OK;
}

enum vf_status vf__clock_run_prepare(const struct vf__clock_run *run, const struct vf_session *sessions, size_t n,
                                     struct vf__clock_hours *hours, struct vf_error *err) {
    for (size_t i = 0; run->whole_seconds && i < n; i++)
        if (sessions[i].start_ns % VF__SECOND_NS != 0 || sessions[i].end_ns % VF__SECOND_NS != 0)
            return vf__fail(
                err, VF_ERROR_ARGUMENT, NULL, -1,
                "session %zu starts or ends between two seconds, and column \"%s\" gives whole seconds; "
                "give the column as Datetime(ms) or finer",
                i + 1, run->reader.name);
    vf__clock_init(&hours->clock, sessions, n, run->outside, run->grace_ns);
    hours->by_minute =
        vf__type_is_integer(&run->reader.type) && vf__minutes_init(&hours->minutes, &hours->clock);
    return VF_OK;
}

/* Rows read: times of day, or what stands in place of one, and the days of those that have one. */
struct stamps {
    int64_t times[PART];
    int64_t utc[PART]; /* of moments */
    int32_t days[PART];
    uint8_t valid_buffer[PART];
    const uint8_t *valid; /* NULL: all are */
};

/* ---- integers ---- */

static enum vf_status ambiguous(const struct vf__clock_run *run, int64_t row, int64_t value, const char *a,
                                const char *b,
                                struct vf_error *err) {
    return vf__fail(err, VF_ERROR_DATA, run->reader.name, row,
                    "column \"%s\", row %lld: %lld may be %s or %s; say which with unit=\"%s\" or unit=\"%s\"",
                    run->reader.name, (long long)row, (long long)value, a, b, a, b);
}

/* Notes whether digits, read as `time` (below 0: impossible), might be `other_ns` since midnight as well. */
static void weigh(struct vf__clock_run *run, int64_t row, int64_t value, int64_t time, int64_t other_ns) {
    int64_t elapsed;
    if (other_ns > VF_DAY_NS)
        run->sure |= time >= 0;
    else if (run->either_row < 0 && value > 0 &&
             vf__clock_place(&run->hours->clock, other_ns, &elapsed) == VF__INSIDE) {
        run->either_row = row;
        run->either = value;
    }
}

/* The digit rule of VF_LAYOUT_AUTO. */
static enum vf_status auto_time(struct vf__clock_run *run, int64_t row, int64_t value, int64_t *time,
                                struct vf_error *err) {
    int64_t elapsed;
    if (value > 999999) {
        *time = vf__time_from_hhmmssmmm(value);
        run->saw_hhmmssmmm |= *time >= 0;
        weigh(run, row, value, *time, value > 86400000 ? INT64_MAX : value * 1000000);
    } else {
        *time = vf__time_from_hhmmss(value);
        int64_t other = vf__time_from_hhmmssmmm(value);
        if (value != 0 && other >= 0 && vf__clock_place(&run->hours->clock, other, &elapsed) != VF__OUTSIDE)
            return ambiguous(run, row, value, "HHMMSS", "HHMMSSmmm", err);
        run->saw_hhmmss |= *time > 0;
        weigh(run, row, value, *time, value < 0 ? 0 : value * VF__SECOND_NS);
    }
    return run->saw_hhmmss && run->saw_hhmmssmmm ? ambiguous(run, row, value, "HHMMSS", "HHMMSSmmm", err) : VF_OK;
}

/* Whether the digits of the whole column may all be time since midnight. */
static enum vf_status settle(const struct vf__clock_run *run, struct vf_error *err) {
    if (run->sure || run->either_row < 0) return VF_OK;
    bool fine = run->either > 999999;
    return ambiguous(run, run->either_row, run->either, fine ? "HHMMSSmmm" : "HHMMSS",
                     fine ? "midnight_ms" : "midnight_s", err);
}

static enum vf_status digit_times(struct vf__clock_run *run, int64_t row, int64_t n, const int64_t *values,
                                  struct stamps *out,
                                  struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (int64_t i = 0; i < n; i++)
        out->days[i] = VF__NO_DAY;
    switch (run->layout) {
    case VF_LAYOUT_HHMMSS:
        for (int64_t i = 0; i < n; i++)
            out->times[i] = vf__time_from_hhmmss(values[i]);
        break;
    case VF_LAYOUT_HHMMSSMMM:
        for (int64_t i = 0; i < n; i++)
            out->times[i] = vf__time_from_hhmmssmmm(values[i]);
        break;
    case VF_LAYOUT_AUTO:
        for (int64_t i = 0; i < n && status == VF_OK; i++)
            if (out->valid == NULL || out->valid[i])
                status = auto_time(run, row + i, values[i], &out->times[i], err);
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            out->times[i] = vf__time_from_dated(values[i], run->layout, &out->days[i]);
    }
    return status;
}

/* ---- what counts in units of time ---- */

static void clock_times(const struct vf__clock_run *run, int64_t n, const int64_t *values, struct stamps *out) {
    int64_t most = VF_DAY_NS / run->scale;
    for (int64_t i = 0; i < n; i++) {
        out->times[i] = values[i] < 0 || values[i] > most ? VF__UNREADABLE : values[i] * run->scale;
        out->days[i] = VF__NO_DAY;
    }
}

/* A day that rows lie in, one after the other: no division while it is the same. */
struct same_day {
    int64_t day, start; /* in the column's unit */
};

static inline int64_t rest_of_day(struct same_day *same, int64_t a_day, int64_t value) {
    int64_t rest;
    if (!vf__sub_i64(value, same->start, &rest) || rest < 0 || rest >= a_day) {
        rest = value % a_day;
        if (rest < 0) rest += a_day;
        same->day = value / a_day - (value % a_day < 0);
        if (!vf__sub_i64(value, rest, &same->start)) same->start = 0; /* at the type's end; looked up again */
    }
    return rest;
}

static void local_stamps(const struct vf__clock_run *run, int64_t n, const int64_t *values, struct stamps *out) {
    int64_t a_day = VF_DAY_NS / run->scale;
    struct same_day same = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = rest_of_day(&same, a_day, values[i]);
        bool exists = same.day >= VF__FIRST_DAY && same.day <= VF__LAST_DAY && values[i] != INT64_MIN; /* numpy's NaT */
        out->times[i] = exists ? rest * run->scale : VF__UNREADABLE;
        out->days[i] = exists ? (int32_t)same.day : VF__NO_DAY;
    }
}

/* Moments to local time. */
static void moments(struct vf__clock_run *run, int64_t n, const int64_t *values, struct stamps *out) {
    const int64_t most = INT64_MAX / 2 / run->scale; /* 146 years */
    const int64_t least = is_epoch(run->layout) && vf__type_is_integer(&run->reader.type) ? VF_DAY_NS / run->scale : 0;
    struct same_day same = {0, 0};
    for (int64_t i = 0; i < n; i++) {
        int64_t value = values[i], offset = 0;
        out->times[i] = VF__UNREADABLE;
        out->days[i] = VF__NO_DAY;
        if (value > most || value < -most || (value >= 0 && value < least)) continue;
        out->utc[i] = value * run->scale;
        if (!vf__zone_offset(&run->zone, out->utc[i], &offset)) continue;
        out->times[i] = rest_of_day(&same, VF_DAY_NS, out->utc[i] + offset);
        out->days[i] = (int32_t)same.day;
    }
}

/* ---- any type ---- */

static enum vf_status raise_zone(const struct vf__clock_run *run, int64_t row, const struct vf__text *text,
                                 struct vf_error *err) {
    bool iso = text->length > 15 && text->data[4] == '-' && (text->data[10] == 'T' || text->data[10] == ' ');
    bool dated = text->length > 5 && text->data[1] != ':' && text->data[2] != ':';
    char way[96];
    size_t colons = 0, at = 11;
    for (; iso && at < text->length && strchr("+-Zz ", text->data[at]) == NULL; at++)
        colons += text->data[at] == ':';
    bool space = iso && at < text->length && text->data[at] == ' ';
    if (iso && colons > 0)
        (void)snprintf(way, sizeof way, "format=\"%%Y-%%m-%%d%c%%H:%%M%s%s%%#z\" reads it", text->data[10],
                       colons > 1 ? ":%S%.f" : "", space ? " " : "");
    else
        (void)snprintf(way, sizeof way, dated ? "parse it with str.to_datetime first"
                                              : "without its date it cannot be converted: cut the zone off");
    return vf__fail(err, VF_ERROR_DATA, run->reader.name, row, "column \"%s\", row %lld: \"%.*s\" carries a zone; %s",
                    run->reader.name, (long long)row, text->length < 40 ? (int)text->length : 40,
                    (const char *)text->data, way);
}

static enum vf_status text_times(struct vf__clock_run *run, int64_t row, int64_t n, struct stamps *out,
                                 struct vf_error *err) {
    struct vf__text text[PART];
    enum vf_status status = vf__read_text(&run->reader, row, n, text, out->valid_buffer, &out->valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        if (out->valid != NULL && !out->valid[i]) continue;
        out->times[i] = vf__time_from_text(text[i].data, text[i].length, &run->last, &out->days[i]);
        if (out->times[i] == VF__HAS_ZONE) status = raise_zone(run, row + i, &text[i], err);
    }
    return status;
}

static enum vf_status read_stamps(struct vf__clock_run *run, int64_t row, int64_t n, struct stamps *out,
                                  struct vf_error *err) {
    const struct vf__type *type = &run->reader.type;
    const int64_t *values;
    if (type->kind == VF__NULL) {
        memset(out->valid_buffer, 0, (size_t)n);
        memset(out->times, 0, (size_t)n * sizeof *out->times);
        out->valid = out->valid_buffer;
        return VF_OK;
    }
    if (type->kind == VF__TEXT) return text_times(run, row, n, out, err);
    enum vf_status status =
        vf__read_i64(&run->reader, row, n, out->times, out->valid_buffer, &values, &out->valid, err);
    if (status != VF_OK) return status;
    if (run->scale == 0) return digit_times(run, row, n, values, out, err);
    if (run->utc)
        moments(run, n, values, out);
    else if (run->dated)
        local_stamps(run, n, values, out);
    else
        clock_times(run, n, values, out);
    return VF_OK;
}

/* ---- placing ---- */

static void store(const struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row,
                  int64_t elapsed_ns) {
    if (run->whole_seconds)
        ((int64_t *)out->values)[row] = elapsed_ns / VF__SECOND_NS;
    else
        ((double *)out->values)[row] = (double)elapsed_ns / 1e9;
}

static void refuse(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row, bool bad) {
    vf__bit_clear(out->validity, row);
    store(run, out, row, 0);
    if (!bad) return;
    if (run->first_bad < 0) run->first_bad = row;
    run->n_bad++;
}

static void count(int64_t *n, int64_t *first, int64_t row) {
    if ((*n)++ == 0) *first = row;
}

/* A time of day, or a stamp, that was read. */
static void place_time(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row, int64_t time,
                       int32_t day, int64_t utc) {
    const struct vf__clock *clock = &run->hours->clock;
    struct vf_clock_report *report = &run->report;
    int64_t elapsed = 0, offset;
    if (run->utc) (void)vf__zone_offset(&run->zone, utc, &offset); /* the row's own, where others were read after it */
    const struct vf__zone *zone = run->utc && !vf__zone_is_steady(&run->zone, utc) ? &run->zone : NULL;
    bool dated = day != VF__NO_DAY && (run->on != NULL || zone != NULL);
    enum vf__place place = dated ? vf__clock_place_on(clock, run->on, zone, day, time, utc, &elapsed)
                                 : vf__clock_place(clock, time, &elapsed);
    if (place == VF__OTHER_DATE) {
        if (report->n_other_date == 0) {
            run->bad_day = day;
            run->wanted_day = run->on->day;
        }
        count(&report->n_other_date, &report->first_other_date, row);
    } else if (place != VF__INSIDE) {
        count(&report->n_outside, &report->first_outside, row);
    }
    if (place == VF__OTHER_DATE || (place == VF__OUTSIDE && run->outside != VF_OUTSIDE_CLIP))
        refuse(run, out, row, run->outside == VF_OUTSIDE_RAISE);
    else
        store(run, out, row, elapsed);
}

void vf__clock_run_null(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row) {
    run->report.n_null++;
    refuse(run, out, row, false);
}

static void place_unreadable(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row) {
    count(&run->report.n_unreadable, &run->report.first_unreadable, row);
    refuse(run, out, row, true);
}

/* Any rows, the slow way. */
static enum vf_status slow_part(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row, int64_t n,
                                struct vf_error *err) {
    struct stamps stamps;
    enum vf_status status = read_stamps(run, row, n, &stamps, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        int64_t elapsed;
        bool read = (stamps.valid == NULL || stamps.valid[i]) && stamps.times[i] >= 0;
        const struct vf__trading_day *on = run->on;
        bool own = on == NULL || (stamps.days[i] == on->day && stamps.times[i] < on->next_night_ns);
        if (read && own && !run->utc &&
            vf__clock_place(&run->hours->clock, stamps.times[i], &elapsed) == VF__INSIDE)
            store(run, out, row + i, elapsed); /* most rows */
        else if (stamps.valid != NULL && !stamps.valid[i])
            vf__clock_run_null(run, out, row + i);
        else if (stamps.times[i] < 0)
            place_unreadable(run, out, row + i);
        else
            place_time(run, out, row + i, stamps.times[i], stamps.days[i], run->utc ? stamps.utc[i] : 0);
    }
    return status;
}

static enum vf_status slow_block(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row, int64_t n,
                                 struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (int64_t i = 0; status == VF_OK && i < n; i += PART)
        status = slow_part(run, out, row + i, n - i < PART ? n - i : PART, err);
    return status;
}

/* Digits of one layout in whole-millisecond sessions: 0 when the block must go the slow way. */
static uint32_t fast_unit(const struct vf__clock_run *run, const int64_t *digits, int64_t n) {
    if (!run->hours->by_minute) return 0;
    if (run->layout == VF_LAYOUT_HHMMSS) return 1000;
    if (run->layout == VF_LAYOUT_HHMMSSMMM) return 1;
    if (run->layout != VF_LAYOUT_AUTO || run->saw_hhmmss || !run->sure) return 0;
    int64_t least = INT64_MAX;
    for (int64_t i = 0; i < n; i++)
        least = digits[i] < least ? digits[i] : least;
    return least > 999999 ? 1 : 0;
}

static enum vf_status integer_block(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row,
                                    int64_t n,
                                    struct vf_error *err) {
    int64_t buffer[VF__CLOCK_BLOCK];
    int32_t others[VF__CLOCK_BLOCK];
    uint8_t valid_buffer[VF__CLOCK_BLOCK];
    const int64_t *digits;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(&run->reader, row, n, buffer, valid_buffer, &digits, &valid, err);
    if (status != VF_OK) return status;
    uint32_t unit = valid == NULL ? fast_unit(run, digits, n) : 0;
    if (unit == 0) return slow_block(run, out, row, n, err);
    int64_t n_others = vf__minutes_place(&run->hours->minutes, digits, n, unit, (uint64_t *)out->values + row, others);
    run->saw_hhmmssmmm |= unit == 1 && n_others < n;
    for (int64_t k = 0; k < n_others; k++) {
        int64_t i = others[k];
        int64_t time = unit == 1 ? vf__time_from_hhmmssmmm(digits[i]) : vf__time_from_hhmmss(digits[i]);
        run->saw_hhmmssmmm |= unit == 1 && time >= 0; /* impossible digits are of no layout */
        if (time < 0)
            place_unreadable(run, out, row + i);
        else
            place_time(run, out, row + i, time, VF__NO_DAY, 0);
    }
    return VF_OK;
}

static enum vf_status raise_outside(const struct vf__clock_run *run, struct vf_error *err) {
    int64_t n = run->n_bad;
    const char *name = run->reader.name;
    enum vf_status status;
    if (run->report.first_other_date >= 0) {
        char found[16], wanted[16];
        vf__day_text(run->bad_day, found);
        vf__day_text(run->wanted_day, wanted);
        status = vf__fail(err, VF_ERROR_DATA, name, run->first_bad,
                          "column \"%s\": %lld of %lld times cannot be read, are outside every session or of another "
                          "trading day, the first in row %lld; %lld are of another day: row %lld is dated %s, and the "
                          "trading day is %s; outside=\"null\" makes them null",
                          name, (long long)n, (long long)run->reader.n_rows, (long long)run->first_bad,
                          (long long)run->report.n_other_date, (long long)run->report.first_other_date, found, wanted);
    } else {
        status = vf__fail(
            err, VF_ERROR_DATA, name, run->first_bad,
            "column \"%s\": %lld of %lld times are impossible or outside every session, the first in row %lld; "
            "outside=\"null\" or \"clip\", or grace=seconds, lets them through",
            name, (long long)n, (long long)run->reader.n_rows, (long long)run->first_bad);
    }
    if (err != NULL) err->count = n;
    return status;
}

/* Text of which what reads it before us, a format or the digits of a unit, made nothing. */
static enum vf_status raise_unspelt(const struct vf__clock_run *run, struct vf_error *err) {
    long long n = (long long)run->report.n_unreadable, row = (long long)run->report.first_unreadable;
    enum vf_status status =
        vf__fail(err, VF_ERROR_DATA, run->reader.name, row,
                 "column \"%s\": none of its %lld values is spelt as the unit or the format that is given says, the first "
                 "of them in row %lld; without either, what they look like is told here",
                 run->reader.name, n, row);
    if (err != NULL) err->count = n;
    return status;
}

/* What the first value looks like, where none of a column is a time. */
static enum vf_status raise_unreadable(struct vf__clock_run *run, struct vf_error *err) {
    int64_t row = run->report.first_unreadable, buffer;
    uint8_t valid_buffer;
    const uint8_t *valid;
    const char *name = run->reader.name;
    char shown[48], guess[200];
    if (run->reader.type.kind == VF__TEXT) {
        struct vf__text text;
        enum vf_status status = vf__read_text(&run->reader, row, 1, &text, &valid_buffer, &valid, err);
        if (status != VF_OK) return status;
        (void)snprintf(shown, sizeof shown, "\"%.*s\"", text.length < 40 ? (int)text.length : 40,
                       (const char *)text.data);
        vf__guess_text(text.data, text.length, guess, sizeof guess);
    } else {
        const int64_t *value;
        enum vf_status status = vf__read_i64(&run->reader, row, 1, &buffer, &valid_buffer, &value, &valid, err);
        if (status != VF_OK) return status;
        if (*value == INT64_MIN) return raise_unspelt(run, err);
        (void)snprintf(shown, sizeof shown, "%lld", (long long)*value);
        (void)snprintf(guess, sizeof guess, "%s",
                       vf__type_is_integer(&run->reader.type) ? vf__guess_integer(*value)
                                                              : "a moment outside what is known");
    }
    enum vf_status status =
        vf__fail(err, VF_ERROR_DATA, name, row,
                 "column \"%s\": none of its %lld values can be read as a time%s; the first, %s in row %lld, looks "
                 "like %s",
                 name, (long long)run->report.n_unreadable, run->layout == VF_LAYOUT_AUTO ? "" : " of the unit given",
                 shown, (long long)row, guess);
    if (err != NULL) err->count = run->report.n_unreadable;
    return status;
}

/* What only the whole column can tell. */
static enum vf_status judge(struct vf__clock_run *run, struct vf_error *err) {
    const struct vf_clock_report *report = &run->report;
    bool none = report->n_unreadable > 0 && report->n_unreadable + report->n_null == run->reader.n_rows;
    if (run->whole && none) return raise_unreadable(run, err);
    enum vf_status status = run->whole ? settle(run, err) : VF_OK;
    if (status == VF_OK && run->outside == VF_OUTSIDE_RAISE && run->first_bad >= 0) status = raise_outside(run, err);
    return status;
}

enum vf_status vf__clock_run_block(struct vf__clock_run *run, const struct vf__clock_output *out, int64_t row,
                                   int64_t n,
                                   struct vf_error *err) {
    return vf__type_is_integer(&run->reader.type) ? integer_block(run, out, row, n, err)
                                                  : slow_block(run, out, row, n, err);
}

enum vf_status vf__clock_run_give(struct vf__clock_run *run, enum vf_status status, struct vf_column *column,
                                  struct vf_column *out, struct vf_clock_report *report, struct vf_error *err) {
    if (status == VF_OK) status = judge(run, err);
    status = vf__column_give(status, column, out);
    if (status != VF_OK) return status;
    run->report.n_rows = run->reader.n_rows;
    if (report != NULL) *report = run->report;
    return VF_OK;
}

enum vf_status vf_clock_elapsed(const struct vf_context *ctx, const struct vf_series *time,
                                const struct vf_clock_options *options, struct vf_column *out,
                                struct vf_clock_report *report, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__clock_hours hours;
    struct vf__trading_day on;
    struct vf__clock_run run = vf__clock_run_new();
    struct vf_column column = {0};
    struct vf__clock_output output = {0};
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "clock options are missing");
    enum vf_status status = vf_sessions_check(options->sessions, options->n_sessions, err);
    if (status == VF_OK) status = vf__clock_run_check(&run, time, options, err);
    if (status == VF_OK) status = vf__clock_run_prepare(&run, options->sessions, options->n_sessions, &hours, err);
    if (status != VF_OK) return status;
    run.hours = &hours;
    if (options->has_day) {
        on = vf__trading_day_of(options->calendar, options->sessions, options->day);
        run.on = &on;
    }
    int64_t n_rows = run.reader.n_rows;
    status = vf__column_new(&context, run.whole_seconds ? "l" : "g", "elapsed_seconds", n_rows, 8, true,
                            &column, &output.values, &output.validity, err);
    if (status == VF_OK) vf__touch(output.values, (size_t)n_rows * 8);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += VF__CLOCK_BLOCK)
        status = vf__clock_run_block(&run, &output, row,
                                     n_rows - row < VF__CLOCK_BLOCK ? n_rows - row : VF__CLOCK_BLOCK, err);
    return vf__clock_run_give(&run, status, &column, out, report, err);
}
