/* Columns of times to columns of elapsed trading time.
   Not for the rule itself: src/clock has it. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "clock/calendar.h"

enum { BLOCK = VF__SIZED(2048, 8, 16384), SLOW_BLOCK = BLOCK / 8 }; /* the slow way has more on the stack */

/* One set of sessions, ready for many look-ups. */
struct hours {
    struct vf__clock clock;
    struct vf__minutes minutes;
    bool by_minute; /* minutes is usable */
};

struct run {
    const struct hours *hours; /* of the rows at hand */
    struct vf__reader reader;
    enum vf_outside outside;
    int64_t grace_ns;
    enum vf_time_layout layout;
    bool whole_seconds; /* the output is int64 */
    struct vf_clock_report report;
    int64_t first_bad; /* first row that VF_OUTSIDE_RAISE refuses; -1 */
    int64_t n_bad;
    bool saw_hhmmss, saw_hhmmssmmm;
};

static bool is_time_of_day(const struct vf__type *type) {
    return type->kind == VF__TIME || (type->kind == VF__TIMESTAMP && !type->zoned) ||
           type->kind == VF__TEXT || vf__type_is_integer(type);
}

static bool carries_fractions(const struct vf__type *type, enum vf_time_layout layout) {
    if (vf__type_is_integer(type)) return layout == VF_LAYOUT_AUTO || layout == VF_LAYOUT_HHMMSSMMM;
    return type->kind == VF__TEXT || type->ns < VF__SECOND_NS;
}

const char *vf_clock_elapsed_format(const struct ArrowSchema *schema, enum vf_time_layout layout) {
    struct vf__type type;
    if (vf__type_parse(schema, &type, NULL) != VF_OK) return NULL;
    if (!is_time_of_day(&type) && type.kind != VF__NULL) return NULL;
    return carries_fractions(&type, layout) ? "g" : "l";
}

static enum vf_status check(struct run *run, const struct vf_series *time,
                            const struct vf_clock_options *options, struct vf_error *err) {
    enum vf_status status = vf__reader_open(&run->reader, time, err);
    if (status != VF_OK) return status;
    const struct vf__type *type = &run->reader.type;
    if (options->grace_ns < 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "grace is negative; seconds >= 0 are accepted");
    if ((unsigned)options->outside > VF_OUTSIDE_RAISE || (unsigned)options->layout > VF_LAYOUT_SECONDS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "unknown value of outside or layout");
    if (type->kind == VF__TIMESTAMP && type->zoned)
        return vf__fail(err, VF_ERROR_TYPE, run->reader.name, -1,
                        "column \"%s\" carries a time zone; convert it to the market's local time first",
                        run->reader.name);
    if (!is_time_of_day(type) && type->kind != VF__NULL)
        return vf__fail(
            err, VF_ERROR_TYPE, run->reader.name, -1,
            "column \"%s\" is %s; accepted are Datetime, Time, integers (HHMMSS, HHMMSSmmm) and ISO strings",
            run->reader.name, vf__type_name(type));
    run->whole_seconds = !carries_fractions(type, options->layout);
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

/* ---- integers ---- */

static enum vf_status ambiguous(const struct run *run, int64_t row, int64_t value, struct vf_error *err) {
    return vf__fail(
        err, VF_ERROR_DATA, run->reader.name, row,
        "column \"%s\", row %lld: %lld may be HHMMSS or HHMMSSmmm; say which with unit=\"HHMMSS\" or "
        "unit=\"HHMMSSmmm\"",
        run->reader.name, (long long)row, (long long)value);
}

/* The digit rule of VF_LAYOUT_AUTO; -1 for impossible digits. */
static enum vf_status auto_time(struct run *run, int64_t row, int64_t value, int64_t *time,
                                struct vf_error *err) {
    int64_t elapsed;
    if (value > 999999) {
        *time = vf__time_from_hhmmssmmm(value);
        run->saw_hhmmssmmm |= *time >= 0;
    } else {
        *time = vf__time_from_hhmmss(value);
        int64_t other = vf__time_from_hhmmssmmm(value);
        if (value != 0 && other >= 0 && vf__clock_place(&run->hours->clock, other, &elapsed) != VF__OUTSIDE)
            return ambiguous(run, row, value, err);
        run->saw_hhmmss |= *time > 0;
    }
    return run->saw_hhmmss && run->saw_hhmmssmmm ? ambiguous(run, row, value, err) : VF_OK;
}

static enum vf_status integer_times(struct run *run, int64_t row, int64_t n, int64_t *times,
                                    uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    const int64_t *values;
    enum vf_status status = vf__read_i64(&run->reader, row, n, times, valid_buffer, &values, valid, err);
    if (status != VF_OK) return status;
    switch (run->layout) {
    case VF_LAYOUT_HHMMSS:
        for (int64_t i = 0; i < n; i++)
            times[i] = vf__time_from_hhmmss(values[i]);
        break;
    case VF_LAYOUT_HHMMSSMMM:
        for (int64_t i = 0; i < n; i++)
            times[i] = vf__time_from_hhmmssmmm(values[i]);
        break;
    case VF_LAYOUT_SECONDS:
        for (int64_t i = 0; i < n; i++)
            times[i] = values[i] < 0 || values[i] > 86400 ? -1 : values[i] * VF__SECOND_NS;
        break;
    case VF_LAYOUT_AUTO:
        for (int64_t i = 0; i < n && status == VF_OK; i++)
            if (*valid == NULL || (*valid)[i]) status = auto_time(run, row + i, values[i], &times[i], err);
        break;
    }
    return status;
}

/* ---- the other types ---- */

static enum vf_status temporal_times(struct run *run, int64_t row, int64_t n, int64_t *times,
                                     uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    const int64_t *values;
    int64_t scale = run->reader.type.ns, day = VF_DAY_NS / scale;
    bool clock_only = run->reader.type.kind == VF__TIME;
    enum vf_status status = vf__read_i64(&run->reader, row, n, times, valid_buffer, &values, valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        int64_t v = values[i];
        if (clock_only) {
            times[i] = v < 0 || v > day ? -1 : v * scale;
        } else {
            v %= day;
            times[i] = (v < 0 ? v + day : v) * scale;
        }
    }
    return status;
}

static enum vf_status text_times(struct run *run, int64_t row, int64_t n, int64_t *times,
                                 uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    struct vf__text text[SLOW_BLOCK];
    enum vf_status status = vf__read_text(&run->reader, row, n, text, valid_buffer, valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        times[i] = vf__time_from_iso(text[i].data, text[i].length);
        if (times[i] == -2)
            status = vf__fail(
                err, VF_ERROR_DATA, run->reader.name, row + i,
                "column \"%s\", row %lld: \"%.*s\" carries a zone; parse it with str.to_datetime first",
                run->reader.name, (long long)(row + i), text[i].length < 40 ? (int)text[i].length : 40,
                (const char *)text[i].data);
    }
    return status;
}

static enum vf_status times_of_day(struct run *run, int64_t row, int64_t n, int64_t *times,
                                   uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    const struct vf__type *type = &run->reader.type;
    if (type->kind == VF__NULL) {
        memset(valid_buffer, 0, (size_t)n);
        memset(times, 0, (size_t)n * sizeof *times);
        *valid = valid_buffer;
        return VF_OK;
    }
    if (type->kind == VF__TEXT) return text_times(run, row, n, times, valid_buffer, valid, err);
    if (vf__type_is_integer(type)) return integer_times(run, row, n, times, valid_buffer, valid, err);
    return temporal_times(run, row, n, times, valid_buffer, valid, err);
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

/* Any row, the slow way. */
static void place_row(struct run *run, const struct output *out, int64_t row, int64_t time, bool valid) {
    int64_t elapsed = 0;
    if (!valid) {
        run->report.n_null++;
        refuse(run, out, row, false);
        return;
    }
    if (time < 0) {
        run->report.n_invalid++;
        refuse(run, out, row, true);
        return;
    }
    enum vf__place place = vf__clock_place(&run->hours->clock, time, &elapsed);
    run->report.n_outside += place != VF__INSIDE;
    if (place == VF__OUTSIDE && run->outside != VF_OUTSIDE_CLIP)
        refuse(run, out, row, run->outside == VF_OUTSIDE_RAISE);
    else
        store(run, out, row, elapsed);
}

static enum vf_status slow_rows(struct run *run, const struct output *out, int64_t row, int64_t n,
                                struct vf_error *err) {
    int64_t times[SLOW_BLOCK];
    uint8_t valid_buffer[SLOW_BLOCK];
    const uint8_t *valid;
    enum vf_status status = times_of_day(run, row, n, times, valid_buffer, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++)
        place_row(run, out, row + i, times[i], valid == NULL || valid[i]);
    return status;
}

static enum vf_status slow_block(struct run *run, const struct output *out, int64_t row, int64_t n,
                                 struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (int64_t i = 0; status == VF_OK && i < n; i += SLOW_BLOCK)
        status = slow_rows(run, out, row + i, n - i < SLOW_BLOCK ? n - i : SLOW_BLOCK, err);
    return status;
}

/* Digits of one layout in whole-millisecond sessions: 0 when the block must go the slow way. */
static uint32_t fast_unit(const struct run *run, const int64_t *digits, int64_t n) {
    if (!run->hours->by_minute) return 0;
    if (run->layout == VF_LAYOUT_HHMMSS) return 1000;
    if (run->layout == VF_LAYOUT_HHMMSSMMM) return 1;
    if (run->layout != VF_LAYOUT_AUTO || run->saw_hhmmss) return 0;
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
        place_row(run, out, row + i, time, true);
    }
    return VF_OK;
}

static enum vf_status raise_outside(const struct run *run, struct vf_error *err) {
    int64_t count = run->n_bad;
    enum vf_status status = vf__fail(
        err, VF_ERROR_DATA, run->reader.name, run->first_bad,
        "column \"%s\": %lld of %lld times are impossible or outside every session, the first in row %lld; "
        "outside=\"null\" or \"clip\", or grace=seconds, lets them through",
        run->reader.name, (long long)count, (long long)run->reader.n_rows, (long long)run->first_bad);
    if (err != NULL) err->count = count;
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
    if (status == VF_OK && run->outside == VF_OUTSIDE_RAISE && run->first_bad >= 0)
        status = raise_outside(run, err);
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
    struct run run = {.hours = &hours, .first_bad = -1};
    struct vf_column column = {0};
    struct output output = {0};
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "clock options are missing");
    enum vf_status status = vf_sessions_check(options->sessions, options->n_sessions, err);
    if (status == VF_OK) status = check(&run, time, options, err);
    if (status == VF_OK) status = prepare(&run, options->sessions, options->n_sessions, &hours, err);
    if (status != VF_OK) return status;
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
    struct hours **hours; /* by variant, made when first needed */
    bool has_day;
    int32_t day, variant; /* the day last looked up */
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
            place_row(run, out, row + k, 0, false);
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
    struct run run = {.first_bad = -1};
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

/* How long one day is traded; 0, and counted, when it is closed. */
static enum vf_status length_of_day(struct dated *dated, int64_t row, int64_t value, int64_t *length,
                                    struct vf_error *err) {
    const struct vf_session *sessions;
    size_t n;
    enum vf_status status = vf_calendar_sessions(dated->calendar, (int32_t)value, &sessions, &n, err);
    *length = 0;
    if (status != VF_OK) {
        if (status == VF_ERROR_RANGE && err != NULL) err->row = row;
        return status;
    }
    if (n == 0 && dated->n_closed++ == 0) {
        dated->first_closed = row;
        dated->closed_day = (int32_t)value;
    }
    for (size_t k = 0; k < n; k++)
        *length += sessions[k].end_ns - sessions[k].start_ns;
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
                               const struct vf_series *date, struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct dated dated = {.calendar = calendar};
    struct vf_column column = {0};
    uint8_t *validity;
    void *ends = NULL;
    enum vf_status status = check_dated(&dated, date, err);
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
                                struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct dated dated = {.calendar = calendar};
    struct vf__reader times;
    struct vf_column column = {0};
    uint8_t *validity;
    void *left = NULL;
    enum vf_status status = check_dated(&dated, date, err);
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

static enum vf_status trading_day(struct night *night, int32_t day, int64_t of_day_ns, int32_t *out,
                                  struct vf_error *err) {
    *out = day;
    if (!night->any) return VF_OK;
    if (of_day_ns >= night->start_ns) return next_day(night, day, out, err);
    if (of_day_ns > night->end_ns) return VF_OK;
    bool traded;
    enum vf_status status = vf_calendar_is_trading_day(night->calendar, day, &traded, err);
    return status != VF_OK || traded ? status : next_day(night, day, out, err);
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
            status = trading_day(night, (int32_t)day, rest * reader->type.ns, &days[row + i], err);
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
