/* Columns of times to columns of elapsed trading time.
   Not for the rule itself: src/clock has it. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "clock/calendar.h"
#include "clock/stamps.h"

#include <stdio.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192), PART = VF__SIZED(256, 1, 2048) }; /* the slow way has more on the stack */

/* One set of sessions, ready for many look-ups. */
struct hours {
    struct vf__clock clock;
    struct vf__minutes minutes;
    bool by_minute; /* minutes is usable */
};

struct run {
    const struct hours *hours;        /* of the rows at hand */
    const struct vf__trading_day *on; /* of the rows at hand; NULL: not known */
    struct vf__reader reader;
    struct vf__zone zone;
    struct vf__last_date last; /* of text */
    bool whole;
    enum vf_outside outside;
    int64_t grace_ns;
    enum vf_time_layout layout;
    int64_t scale;      /* of what counts in units of time: ns a unit */
    bool utc;           /* moments, not local times */
    bool dated;         /* values have a date, or may have one */
    bool whole_seconds; /* the output is int64 */
    struct vf_clock_report report;
    int64_t first_bad; /* first row that VF_OUTSIDE_RAISE refuses; -1 */
    int64_t n_bad;
    int32_t bad_day, wanted_day;            /* of the first row of another day */
    bool saw_hhmmss, saw_hhmmssmmm;         /* by the digit rule, as the next three */
    bool sure;                              /* some value can be nothing else */
    int64_t either_row, either;             /* the first that may be time since midnight; row -1 */
};

static struct run new_run(void) {
    return (struct run){.first_bad = -1,
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

static enum vf_status check(struct run *run, const struct vf_series *time,
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

/* Makes sessions, which were checked, ready. */
static enum vf_status prepare(const struct run *run, const struct vf_session *sessions, size_t n,
                              struct hours *hours, struct vf_error *err) {
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

static enum vf_status ambiguous(const struct run *run, int64_t row, int64_t value, const char *a, const char *b,
                                struct vf_error *err) {
    return vf__fail(err, VF_ERROR_DATA, run->reader.name, row,
                    "column \"%s\", row %lld: %lld may be %s or %s; say which with unit=\"%s\" or unit=\"%s\"",
                    run->reader.name, (long long)row, (long long)value, a, b, a, b);
}

/* Notes whether digits, read as `time` (below 0: impossible), might be `other_ns` since midnight as well. */
static void weigh(struct run *run, int64_t row, int64_t value, int64_t time, int64_t other_ns) {
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
static enum vf_status auto_time(struct run *run, int64_t row, int64_t value, int64_t *time,
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
static enum vf_status settle(const struct run *run, struct vf_error *err) {
    if (run->sure || run->either_row < 0) return VF_OK;
    bool fine = run->either > 999999;
    return ambiguous(run, run->either_row, run->either, fine ? "HHMMSSmmm" : "HHMMSS",
                     fine ? "midnight_ms" : "midnight_s", err);
}

static enum vf_status digit_times(struct run *run, int64_t row, int64_t n, const int64_t *values, struct stamps *out,
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

static void clock_times(const struct run *run, int64_t n, const int64_t *values, struct stamps *out) {
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

static void local_stamps(const struct run *run, int64_t n, const int64_t *values, struct stamps *out) {
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
static void moments(struct run *run, int64_t n, const int64_t *values, struct stamps *out) {
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

static enum vf_status raise_zone(const struct run *run, int64_t row, const struct vf__text *text,
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

static enum vf_status text_times(struct run *run, int64_t row, int64_t n, struct stamps *out, struct vf_error *err) {
    struct vf__text text[PART];
    enum vf_status status = vf__read_text(&run->reader, row, n, text, out->valid_buffer, &out->valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        if (out->valid != NULL && !out->valid[i]) continue;
        out->times[i] = vf__time_from_text(text[i].data, text[i].length, &run->last, &out->days[i]);
        if (out->times[i] == VF__HAS_ZONE) status = raise_zone(run, row + i, &text[i], err);
    }
    return status;
}

static enum vf_status read_stamps(struct run *run, int64_t row, int64_t n, struct stamps *out,
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

struct output {
    void *values; /* float64 or int64 seconds */
    uint8_t *validity;
};

static void store(const struct run *run, const struct output *out, int64_t row, int64_t elapsed_ns) {
    if (run->whole_seconds)
        ((int64_t *)out->values)[row] = elapsed_ns / VF__SECOND_NS;
    else
        ((double *)out->values)[row] = (double)elapsed_ns / 1e9;
}

static void refuse(struct run *run, const struct output *out, int64_t row, bool bad) {
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
static void place_time(struct run *run, const struct output *out, int64_t row, int64_t time, int32_t day, int64_t utc) {
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

static void place_null(struct run *run, const struct output *out, int64_t row) {
    run->report.n_null++;
    refuse(run, out, row, false);
}

static void place_unreadable(struct run *run, const struct output *out, int64_t row) {
    count(&run->report.n_unreadable, &run->report.first_unreadable, row);
    refuse(run, out, row, true);
}

/* Any rows, the slow way. */
static enum vf_status slow_part(struct run *run, const struct output *out, int64_t row, int64_t n,
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
            place_null(run, out, row + i);
        else if (stamps.times[i] < 0)
            place_unreadable(run, out, row + i);
        else
            place_time(run, out, row + i, stamps.times[i], stamps.days[i], run->utc ? stamps.utc[i] : 0);
    }
    return status;
}

static enum vf_status slow_block(struct run *run, const struct output *out, int64_t row, int64_t n,
                                 struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (int64_t i = 0; status == VF_OK && i < n; i += PART)
        status = slow_part(run, out, row + i, n - i < PART ? n - i : PART, err);
    return status;
}

/* Digits of one layout in whole-millisecond sessions: 0 when the block must go the slow way. */
static uint32_t fast_unit(const struct run *run, const int64_t *digits, int64_t n) {
    if (!run->hours->by_minute) return 0;
    if (run->layout == VF_LAYOUT_HHMMSS) return 1000;
    if (run->layout == VF_LAYOUT_HHMMSSMMM) return 1;
    if (run->layout != VF_LAYOUT_AUTO || run->saw_hhmmss || !run->sure) return 0;
    int64_t least = INT64_MAX;
    for (int64_t i = 0; i < n; i++)
        least = digits[i] < least ? digits[i] : least;
    return least > 999999 ? 1 : 0;
}

static enum vf_status integer_block(struct run *run, const struct output *out, int64_t row, int64_t n,
                                    struct vf_error *err) {
    int64_t buffer[BLOCK];
    int32_t others[BLOCK];
    uint8_t valid_buffer[BLOCK];
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

static enum vf_status raise_outside(const struct run *run, struct vf_error *err) {
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
static enum vf_status raise_unspelt(const struct run *run, struct vf_error *err) {
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
static enum vf_status raise_unreadable(struct run *run, struct vf_error *err) {
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
static enum vf_status judge(struct run *run, struct vf_error *err) {
    const struct vf_clock_report *report = &run->report;
    bool none = report->n_unreadable > 0 && report->n_unreadable + report->n_null == run->reader.n_rows;
    if (run->whole && none) return raise_unreadable(run, err);
    enum vf_status status = run->whole ? settle(run, err) : VF_OK;
    if (status == VF_OK && run->outside == VF_OUTSIDE_RAISE && run->first_bad >= 0) status = raise_outside(run, err);
    return status;
}

/* A block of rows that share their hours. */
static enum vf_status any_block(struct run *run, const struct output *out, int64_t row, int64_t n,
                                struct vf_error *err) {
    return vf__type_is_integer(&run->reader.type) ? integer_block(run, out, row, n, err)
                                                  : slow_block(run, out, row, n, err);
}

/* The end of both forms: what was refused is raised, or the column given. */
static enum vf_status give(struct run *run, enum vf_status status, struct vf_column *column,
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
    struct hours hours;
    struct vf__trading_day on;
    struct run run = new_run();
    struct vf_column column = {0};
    struct output output = {0};
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "clock options are missing");
    enum vf_status status = vf_sessions_check(options->sessions, options->n_sessions, err);
    if (status == VF_OK) status = check(&run, time, options, err);
    if (status == VF_OK) status = prepare(&run, options->sessions, options->n_sessions, &hours, err);
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
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK)
        status = any_block(&run, &output, row, n_rows - row < BLOCK ? n_rows - row : BLOCK, err);
    return give(&run, status, &column, out, report, err);
}

/* ---- the sessions of each row's own day ---- */

struct dated {
    struct vf_context ctx;
    const struct vf_calendar *calendar;
    struct vf__reader dates;
    struct vf__zone zone; /* of the days' ends */
    struct hours **hours; /* by variant, made when first needed */
    bool has_day;
    int32_t day, variant; /* the day last looked up */
    struct vf__trading_day on;
    int64_t n_closed, first_closed;
    int32_t closed_day;
};

static enum vf_status look_up(struct dated *dated, const struct run *run, int64_t row, int64_t value,
                              struct vf_error *err) {
    if (dated->has_day && value == dated->day) return VF_OK;
    int32_t day = value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : (int32_t)value;
    enum vf_status status = vf__calendar_variant_on(dated->calendar, day, &dated->variant, err);
    if (status != VF_OK) {
        if (err != NULL && status == VF_ERROR_RANGE) err->row = row;
        return status;
    }
    dated->has_day = true;
    dated->day = day;
    dated->on = vf__trading_day_of(dated->calendar, NULL, day);
    if (dated->variant < 0 || dated->hours[dated->variant] != NULL) return VF_OK;
    const struct vf_session *sessions;
    size_t n;
    vf_calendar_variant(dated->calendar, (size_t)dated->variant, &sessions, &n);
    struct hours *hours = vf__alloc(&dated->ctx, 1, sizeof *hours);
    if (hours == NULL) return vf__fail_memory(err, sizeof *hours);
    dated->hours[dated->variant] = hours;
    return prepare(run, sessions, n, hours, err);
}

/* Rows of one day; on a closed one they are counted. */
static enum vf_status rows_of_day(struct dated *dated, struct run *run, const struct output *out, int64_t row,
                                  int64_t n, struct vf_error *err) {
    if (dated->variant >= 0) {
        run->hours = dated->hours[dated->variant];
        run->on = &dated->on;
        return any_block(run, out, row, n, err);
    }
    if (dated->n_closed == 0) {
        dated->first_closed = row;
        dated->closed_day = dated->day;
    }
    dated->n_closed += n;
    return VF_OK;
}

static enum vf_status dated_block(struct dated *dated, struct run *run, const struct output *out, int64_t row,
                                  int64_t n, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *days;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(&dated->dates, row, n, buffer, valid_buffer, &days, &valid, err);
    for (int64_t i = 0, end = 0; status == VF_OK && i < n; i = end) {
        bool known = valid == NULL || valid[i];
        for (end = i + 1;
             end < n && (valid == NULL || valid[end]) == known && (!known || days[end] == days[i]);)
            end++;
        for (int64_t k = i; !known && k < end; k++)
            place_null(run, out, row + k);
        if (known) status = look_up(dated, run, row + i, days[i], err);
        if (known && status == VF_OK) status = rows_of_day(dated, run, out, row + i, end - i, err);
    }
    return status;
}

static enum vf_status check_dated(struct dated *dated, const struct vf_series *date, struct vf_error *err) {
    if (dated->calendar == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar is missing");
    enum vf_status status = vf__reader_open(&dated->dates, date, err);
    if (status != VF_OK) return status;
    if (dated->dates.type.kind != VF__DATE || dated->dates.type.width != 4)
        return vf__fail(err, VF_ERROR_TYPE, dated->dates.name, -1, "column \"%s\" is %s; Date is accepted",
                        dated->dates.name, vf__type_name(&dated->dates.type));
    return VF_OK;
}

static enum vf_status raise_closed(const struct dated *dated, struct vf_error *err) {
    char text[16];
    vf__day_text(dated->closed_day, text);
    enum vf_status status = vf__fail(
        err, VF_ERROR_DATA, dated->dates.name, dated->first_closed,
        "column \"%s\": %lld rows lie on days that calendar %s says are not traded, the first, %s, in row "
        "%lld; another market, or a calendar of your own, may be what is needed",
        dated->dates.name, (long long)dated->n_closed, dated->calendar->info.name, text,
        (long long)dated->first_closed);
    if (err != NULL) err->count = dated->n_closed;
    return status;
}

enum vf_status vf_clock_elapsed_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                   const struct vf_series *time, const struct vf_series *date,
                                   const struct vf_clock_options *options, struct vf_column *out,
                                   struct vf_clock_report *report, struct vf_error *err) {
    struct run run = new_run();
    struct dated dated = {.ctx = vf__context(ctx), .calendar = calendar};
    struct vf_column column = {0};
    struct output output = {0};
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "clock options are missing");
    enum vf_status status = check(&run, time, options, err);
    if (status == VF_OK) status = check_dated(&dated, date, err);
    if (status != VF_OK) return status;
    int64_t n_rows = run.reader.n_rows;
    if (dated.dates.n_rows != n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, dated.dates.name, -1,
                        "column \"%s\" has %lld rows, the times have %lld", dated.dates.name,
                        (long long)dated.dates.n_rows, (long long)n_rows);
    dated.hours = vf__zalloc(&dated.ctx, calendar->n_variants, sizeof *dated.hours);
    if (dated.hours == NULL) return vf__fail_memory(err, calendar->n_variants * sizeof *dated.hours);
    status = vf__column_new(&dated.ctx, run.whole_seconds ? "l" : "g", "elapsed_seconds", n_rows, 8, true,
                            &column, &output.values, &output.validity, err);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK)
        status = dated_block(&dated, &run, &output, row, n_rows - row < BLOCK ? n_rows - row : BLOCK, err);
    if (status == VF_OK && dated.n_closed > 0) status = raise_closed(&dated, err);
    for (size_t i = 0; i < calendar->n_variants; i++)
        vf__free(&dated.ctx, dated.hours[i], 1, sizeof **dated.hours);
    vf__free(&dated.ctx, dated.hours, calendar->n_variants, sizeof *dated.hours);
    return give(&run, status, &column, out, report, err);
}

static enum vf_status open_zone(struct dated *dated, const struct vf_offset *offsets, size_t n, struct vf_error *err) {
    if (n > 0 && offsets == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the time zone's offsets are missing");
    return vf__zone_init(&dated->zone, offsets, n, err);
}

/* How long one day is traded; 0, and counted, when it is closed. */
static enum vf_status length_of_day(struct dated *dated, int64_t row, int64_t value, int64_t *length,
                                    struct vf_error *err) {
    const struct vf_session *sessions;
    size_t n;
    enum vf_status status = vf_calendar_sessions(dated->calendar, (int32_t)value, &sessions, &n, err);
    if (status != VF_OK) {
        if (status == VF_ERROR_RANGE && err != NULL) err->row = row;
        return status;
    }
    if (n == 0 && dated->n_closed++ == 0) {
        dated->first_closed = row;
        dated->closed_day = (int32_t)value;
    }
    *length = vf__sessions_length_on(sessions, n, (int32_t)value, &dated->zone);
    return VF_OK;
}

static enum vf_status end_block(struct dated *dated, int64_t row, int64_t n, int64_t *ends, uint8_t *validity,
                                struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *days;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(&dated->dates, row, n, buffer, valid_buffer, &days, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        bool known = valid == NULL || valid[i];
        bool again = i > 0 && known && (valid == NULL || valid[i - 1]) && days[i] == days[i - 1] &&
                     ends[row + i - 1] > 0;
        ends[row + i] = again ? ends[row + i - 1] : 0;
        if (!known) vf__bit_clear(validity, row + i);
        if (known && !again) status = length_of_day(dated, row + i, days[i], &ends[row + i], err);
    }
    return status;
}

enum vf_status vf_clock_end_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                               const struct vf_series *date, const struct vf_offset *offsets, size_t n_offsets,
                               struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct dated dated = {.calendar = calendar};
    struct vf_column column = {0};
    uint8_t *validity;
    void *ends = NULL;
    enum vf_status status = check_dated(&dated, date, err);
    if (status == VF_OK) status = open_zone(&dated, offsets, n_offsets, err);
    if (status != VF_OK) return status;
    int64_t n_rows = dated.dates.n_rows;
    status = vf__column_new(&context, "tDn", "end", n_rows, 8, true, &column, &ends, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK)
        status = end_block(&dated, row, n_rows - row < BLOCK ? n_rows - row : BLOCK, ends, validity, err);
    if (status == VF_OK && dated.n_closed > 0) status = raise_closed(&dated, err);
    return vf__column_give(status, &column, out);
}

/* The ends of some rows' days become what is left of them at the rows' times. */
static enum vf_status left_block(struct vf__reader *times, int64_t row, int64_t n, int64_t *ends,
                                 uint8_t *validity, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *elapsed;
    const uint8_t *valid;
    enum vf_status status = vf__read_ns(times, row, n, buffer, valid_buffer, &elapsed, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        bool dated = vf__bit(validity, row + i);
        bool known = dated && (valid == NULL || valid[i]);
        if (!known) {
            vf__bit_clear(validity, row + i);
            ends[row + i] = 0;
        } else if (!vf__sub_i64(ends[row + i], elapsed[i], &ends[row + i])) {
            ends[row + i] = INT64_MAX; /* some 292 years before the open */
        }
    }
    return status;
}

static enum vf_status check_elapsed(struct vf__reader *times, const struct vf_series *elapsed,
                                    const struct dated *dated, struct vf_error *err) {
    enum vf_status status = vf__reader_open(times, elapsed, err);
    if (status != VF_OK) return status;
    const struct vf__type *type = &times->type;
    if (!vf__type_is_number(type) && type->kind != VF__DURATION && type->kind != VF__NULL)
        return vf__fail(err, VF_ERROR_TYPE, times->name, -1,
                        "column \"%s\" is %s; as elapsed time, seconds or Duration is accepted", times->name,
                        vf__type_name(type));
    if (dated->dates.n_rows != times->n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, dated->dates.name, -1,
                        "column \"%s\" has %lld rows, the times have %lld", dated->dates.name,
                        (long long)dated->dates.n_rows, (long long)times->n_rows);
    return VF_OK;
}

enum vf_status vf_clock_left_on(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                const struct vf_series *elapsed, const struct vf_series *date,
                                const struct vf_offset *offsets, size_t n_offsets, struct vf_column *out,
                                struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct dated dated = {.calendar = calendar};
    struct vf__reader times;
    struct vf_column column = {0};
    uint8_t *validity;
    void *left = NULL;
    enum vf_status status = check_dated(&dated, date, err);
    if (status == VF_OK) status = open_zone(&dated, offsets, n_offsets, err);
    if (status == VF_OK) status = check_elapsed(&times, elapsed, &dated, err);
    if (status != VF_OK) return status;
    int64_t n_rows = dated.dates.n_rows;
    status = vf__column_new(&context, "l", "left", n_rows, 8, true, &column, &left, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK) {
        int64_t n = n_rows - row < BLOCK ? n_rows - row : BLOCK;
        status = end_block(&dated, row, n, left, validity, err);
        if (status == VF_OK) status = left_block(&times, row, n, left, validity, err);
    }
    if (status == VF_OK && dated.n_closed > 0) status = raise_closed(&dated, err);
    if (status != VF_OK) {
        vf_column_release(&column);
        return status;
    }
    vf__column_done(&column);
    *out = column;
    return VF_OK;
}

/* ---- the trading day of a moment ---- */

struct night {
    const struct vf_calendar *calendar;
    bool any;
    int64_t start_ns, end_ns;
    bool has_day; /* the last day that a next one was looked up for */
    int32_t day, next;
};

static enum vf_status next_day(struct night *night, int32_t day, int32_t *out, struct vf_error *err) {
    if (!night->has_day || night->day != day) {
        enum vf_status status = vf_calendar_next(night->calendar, day, &night->next, err);
        if (status != VF_OK) return status;
        night->has_day = true;
        night->day = day;
    }
    *out = night->next;
    return VF_OK;
}

/* *has: whether there is one. */
static enum vf_status trading_day(struct night *night, int32_t day, int64_t of_day_ns, int32_t *out, bool *has,
                                  struct vf_error *err) {
    *out = day;
    *has = true;
    if (!night->any) return VF_OK;
    bool evening = of_day_ns >= night->start_ns, traded = false;
    if (!evening && of_day_ns > night->end_ns) return VF_OK;
    enum vf_status status = evening ? VF_OK : vf_calendar_is_trading_day(night->calendar, day, &traded, err);
    if (status != VF_OK || traded) return status;
    status = next_day(night, day, out, err);
    if (status == VF_OK)
        *has = vf__trading_day_of(night->calendar, NULL, *out).first_evening <= (evening ? day : day - 1);
    return status;
}

static enum vf_status night_block(struct night *night, struct vf__reader *reader, int64_t row, int64_t n,
                                  int32_t *days, uint8_t *validity, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *values;
    const uint8_t *valid;
    int64_t a_day = VF_DAY_NS / reader->type.ns;
    enum vf_status status = vf__read_i64(reader, row, n, buffer, valid_buffer, &values, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        int64_t day = values[i] / a_day, rest = values[i] % a_day;
        if (rest < 0) {
            day--;
            rest += a_day;
        }
        days[row + i] = 0;
        if (valid != NULL && !valid[i]) {
            vf__bit_clear(validity, row + i);
        } else if (day < VF__FIRST_DAY || day > VF__LAST_DAY) {
            status = vf__fail(err, VF_ERROR_DATA, reader->name, row + i,
                              "column \"%s\", row %lld: a time outside years 1 to 9999; is its unit right?",
                              reader->name, (long long)(row + i));
        } else {
            bool has;
            status = trading_day(night, (int32_t)day, rest * reader->type.ns, &days[row + i], &has, err);
            if (!has) vf__bit_clear(validity, row + i);
            if (status == VF_ERROR_RANGE && err != NULL) err->row = row + i;
        }
    }
    return status;
}

enum vf_status vf_clock_trading_day(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                    const struct vf_series *time, struct vf_column *out,
                                    struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader reader;
    struct vf_column column = {0};
    uint8_t *validity;
    void *days = NULL;
    if (calendar == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar is missing");
    if (!calendar->info.has_days)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "calendar %s holds sessions only, no trading days",
                        calendar->info.name);
    enum vf_status status = vf__reader_open(&reader, time, err);
    if (status != VF_OK) return status;
    if (reader.type.kind != VF__TIMESTAMP || reader.type.zoned)
        return vf__fail(err, VF_ERROR_TYPE, reader.name, -1,
                        "column \"%s\" is %s; Datetime without a time zone is accepted", reader.name,
                        reader.type.kind == VF__TIMESTAMP ? "Datetime with a zone"
                                                          : vf__type_name(&reader.type));
    struct night night = {.calendar = calendar};
    night.any = vf__calendar_night(calendar, &night.start_ns, &night.end_ns);
    status =
        vf__column_new(&context, "tdD", reader.name, reader.n_rows, 4, true, &column, &days, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < reader.n_rows; row += BLOCK)
        status = night_block(&night, &reader, row, reader.n_rows - row < BLOCK ? reader.n_rows - row : BLOCK,
                             days, validity, err);
    return vf__column_give(status, &column, out);
}
