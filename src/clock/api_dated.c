/* Columns of times beside columns of dates: elapsed time, and what is left of it, by the sessions of each row's own day; and
   the trading day of a moment. Not for how a time is read: api_clock.c. */
#include "clock/api_clock.h"

#include "arrow/build.h"
#include "clock/calendar.h"
#include "clock/dates.h"

/* ---- the sessions of each row's own day ---- */

struct dated {
    struct vf_context ctx;
    const struct vf_calendar *calendar;
    struct vf__reader dates;
    struct vf__zone zone; /* of the days' ends */
    struct vf__clock_hours **hours; /* by variant, made when first needed */
    bool has_day;
    int32_t day, variant; /* the day last looked up */
    struct vf__trading_day on;
    int64_t n_closed, first_closed;
    int32_t closed_day;
};

static enum vf_status look_up(struct dated *dated, const struct vf__clock_run *run, int64_t row, int64_t value,
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
    struct vf__clock_hours *hours = vf__alloc(&dated->ctx, 1, sizeof *hours);
    if (hours == NULL) return vf__fail_memory(err, sizeof *hours);
    dated->hours[dated->variant] = hours;
    return vf__clock_run_prepare(run, sessions, n, hours, err);
}

/* Rows of one day; on a closed one they are counted. */
static enum vf_status rows_of_day(struct dated *dated, struct vf__clock_run *run, const struct vf__clock_output *out,
                                  int64_t row,
                                  int64_t n, struct vf_error *err) {
    if (dated->variant >= 0) {
        run->hours = dated->hours[dated->variant];
        run->on = &dated->on;
        return vf__clock_run_block(run, out, row, n, err);
    }
    if (dated->n_closed == 0) {
        dated->first_closed = row;
        dated->closed_day = dated->day;
    }
    dated->n_closed += n;
    return VF_OK;
}

static enum vf_status dated_block(struct dated *dated, struct vf__clock_run *run, const struct vf__clock_output *out,
                                  int64_t row,
                                  int64_t n, struct vf_error *err) {
    int64_t buffer[VF__CLOCK_BLOCK];
    uint8_t valid_buffer[VF__CLOCK_BLOCK];
    const int64_t *days;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(&dated->dates, row, n, buffer, valid_buffer, &days, &valid, err);
    for (int64_t i = 0, end = 0; status == VF_OK && i < n; i = end) {
        bool known = valid == NULL || valid[i];
        for (end = i + 1;
             end < n && (valid == NULL || valid[end]) == known && (!known || days[end] == days[i]);)
            end++;
        for (int64_t k = i; !known && k < end; k++)
            vf__clock_run_null(run, out, row + k);
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
    struct vf__clock_run run = vf__clock_run_new();
    struct dated dated = {.ctx = vf__context(ctx), .calendar = calendar};
    struct vf_column column = {0};
    struct vf__clock_output output = {0};
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "clock options are missing");
    enum vf_status status = vf__clock_run_check(&run, time, options, err);
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
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += VF__CLOCK_BLOCK)
        status = dated_block(&dated, &run, &output, row,
                             n_rows - row < VF__CLOCK_BLOCK ? n_rows - row : VF__CLOCK_BLOCK, err);
    if (status == VF_OK && dated.n_closed > 0) status = raise_closed(&dated, err);
    for (size_t i = 0; i < calendar->n_variants; i++)
        vf__free(&dated.ctx, dated.hours[i], 1, sizeof **dated.hours);
    vf__free(&dated.ctx, dated.hours, calendar->n_variants, sizeof *dated.hours);
    return vf__clock_run_give(&run, status, &column, out, report, err);
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
    int64_t buffer[VF__CLOCK_BLOCK];
    uint8_t valid_buffer[VF__CLOCK_BLOCK];
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
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += VF__CLOCK_BLOCK)
        status = end_block(&dated, row, n_rows - row < VF__CLOCK_BLOCK ? n_rows - row : VF__CLOCK_BLOCK, ends,
                           validity, err);
    if (status == VF_OK && dated.n_closed > 0) status = raise_closed(&dated, err);
    return vf__column_give(status, &column, out);
}

/* The ends of some rows' days become what is left of them at the rows' times. */
static enum vf_status left_block(struct vf__reader *times, int64_t row, int64_t n, int64_t *ends,
                                 uint8_t *validity, struct vf_error *err) {
    int64_t buffer[VF__CLOCK_BLOCK];
    uint8_t valid_buffer[VF__CLOCK_BLOCK];
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
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += VF__CLOCK_BLOCK) {
        int64_t n = n_rows - row < VF__CLOCK_BLOCK ? n_rows - row : VF__CLOCK_BLOCK;
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
    int64_t buffer[VF__CLOCK_BLOCK];
    uint8_t valid_buffer[VF__CLOCK_BLOCK];
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
    for (int64_t row = 0; status == VF_OK && row < reader.n_rows; row += VF__CLOCK_BLOCK)
        status = night_block(&night, &reader, row,
                             reader.n_rows - row < VF__CLOCK_BLOCK ? reader.n_rows - row : VF__CLOCK_BLOCK,
                             days, validity, err);
    return vf__column_give(status, &column, out);
}
