/* Calendars and columns: days in, days out, and dates however they are spelt.
   Not for the calendar itself: calendar.c. The clock of dated rows is in api_dated.c. */
#include "clock/calendar.h"

#include "arrow/build.h"
#include "arrow/read.h"
#include "clock/calendar_text.h"
#include "clock/dates.h"

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

/* ---- from a text ---- */

enum vf_status vf_calendar_open(const struct vf_context *ctx, const char *text, size_t length,
                                struct vf_calendar **out, struct vf_error *err) {
    struct vf_calendar *calendar = NULL;
    if (text == NULL || out == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar's text is missing");
    enum vf_status status = vf__calendar_new(ctx, &calendar, err);
    if (status == VF_OK) status = vf__calendar_read(calendar, text, length, err);
    if (status != VF_OK) {
        vf_calendar_close(calendar);
        return status;
    }
    *out = calendar;
    return VF_OK;
}

/* ---- from days ---- */

static enum vf_status check_date_column(struct vf__reader *reader, const struct vf_series *series,
                                        struct vf_error *err) {
    enum vf_status status = vf__reader_open(reader, series, err);
    if (status != VF_OK) return status;
    if (reader->type.kind != VF__DATE || reader->type.width != 4)
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; Date is accepted",
                        reader->name, vf__type_name(&reader->type));
    return VF_OK;
}

static enum vf_status read_days(struct vf__reader *reader, int32_t *days, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *values;
    const uint8_t *valid;
    for (int64_t row = 0; row < reader->n_rows; row += BLOCK) {
        int64_t n = reader->n_rows - row < BLOCK ? reader->n_rows - row : BLOCK;
        enum vf_status status = vf__read_i64(reader, row, n, buffer, valid_buffer, &values, &valid, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; i < n; i++) {
            bool ok = (valid == NULL || valid[i]) && values[i] >= VF__FIRST_DAY && values[i] <= VF__LAST_DAY;
            if (!ok)
                return vf__fail(
                    err, VF_ERROR_DATA, reader->name, row + i,
                    "column \"%s\", row %lld: a calendar's days are dates of years 1 to 9999, not null",
                    reader->name, (long long)(row + i));
            days[row + i] = (int32_t)values[i];
        }
    }
    return VF_OK;
}

enum vf_status vf_calendar_open_days(const struct vf_context *ctx, const struct vf_series *days,
                                     struct vf_calendar **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader reader;
    if (out == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "nowhere to put the calendar");
    enum vf_status status = check_date_column(&reader, days, err);
    if (status != VF_OK) return status;
    if (reader.n_rows == 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a calendar needs at least one day");
    int32_t *list = vf__alloc(&context, (size_t)reader.n_rows, sizeof *list);
    if (list == NULL) return vf__fail_memory(err, (size_t)reader.n_rows * sizeof *list);
    status = read_days(&reader, list, err);
    if (status == VF_OK) status = vf__calendar_from_days(&context, list, (size_t)reader.n_rows, out, err);
    vf__free(&context, list, (size_t)reader.n_rows, sizeof *list);
    return status;
}

/* ---- to columns ---- */

enum vf_status vf_calendar_columns(const struct vf_context *ctx, const struct vf_calendar *calendar,
                                   struct vf_column out[4], struct vf_error *err) {
    static const char *const names[4] = {"date", "prev_date", "next_date", "variant"};
    struct vf_context context = vf__context(ctx);
    struct vf_column columns[4] = {0};
    void *values[4] = {0};
    uint8_t *validity[4];
    if (calendar == NULL || out == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the calendar is missing");
    if (!calendar->info.has_days)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "calendar %s holds sessions only, no trading days",
                        calendar->info.name);
    int64_t n = (int64_t)calendar->n_days;
    enum vf_status status = VF_OK;
    for (size_t c = 0; c < 4 && status == VF_OK; c++)
        status = vf__column_new(&context, c < 3 ? "tdD" : "i", names[c], n, 4, true, &columns[c], &values[c],
                                &validity[c], err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        bool prev = i > 0, next = i + 1 < n;
        int32_t *variant = (int32_t *)values[3] + i;
        ((int32_t *)values[0])[i] = calendar->days[i];
        ((int32_t *)values[1])[i] = prev ? calendar->days[i - 1] : 0;
        ((int32_t *)values[2])[i] = next ? calendar->days[i + 1] : 0;
        if (!prev) vf__bit_clear(validity[1], i);
        if (!next) vf__bit_clear(validity[2], i);
        *variant = -1;
        if (calendar->n_periods > 0)
            status = vf__calendar_variant_on(calendar, calendar->days[i], variant, err);
    }
    for (size_t c = 0; c < 4; c++) {
        if (status != VF_OK) {
            vf_column_release(&columns[c]);
        } else {
            vf__column_done(&columns[c]);
            out[c] = columns[c];
        }
    }
    return status;
}

/* ---- dates however they are spelt ---- */

struct parse {
    struct vf__reader reader;
    int32_t *days;
    uint8_t *validity;
    int64_t n_bad, first_bad;
    char example[32]; /* the first bad value */
};

static void refuse(struct parse *parse, int64_t row, const char *text, size_t length) {
    parse->days[row] = 0;
    if (parse->n_bad++ > 0) return;
    parse->first_bad = row;
    size_t kept = length < sizeof parse->example - 1 ? length : sizeof parse->example - 1;
    memcpy(parse->example, text, kept);
    parse->example[kept] = '\0';
}

static void refuse_number(struct parse *parse, int64_t row, int64_t value) {
    char text[24];
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? UINT64_C(0) - (uint64_t)value : (uint64_t)value;
    do
        text[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0) text[--at] = '-';
    refuse(parse, row, text + at, sizeof text - at);
}

static enum vf_status text_block(struct parse *parse, int64_t row, int64_t n, struct vf_error *err) {
    struct vf__text text[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const uint8_t *valid;
    enum vf_status status = vf__read_text(&parse->reader, row, n, text, valid_buffer, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        parse->days[row + i] = 0;
        if (valid != NULL && !valid[i])
            vf__bit_clear(parse->validity, row + i);
        else if (!vf__day_from_text(text[i].data, text[i].length, &parse->days[row + i]))
            refuse(parse, row + i, (const char *)text[i].data, text[i].length);
    }
    return status;
}

static bool day_of(const struct vf__type *type, int64_t value, int32_t *out) {
    if (vf__type_is_integer(type))
        return value > 0 && value <= 99991231 &&
               vf__day_from_ymd(value / 10000, value / 100 % 100, value % 100, out);
    int64_t a_day = VF_DAY_NS / type->ns;
    int64_t day = value >= 0 ? value / a_day : -((-(value + 1)) / a_day) - 1;
    *out = (int32_t)day;
    return day >= VF__FIRST_DAY && day <= VF__LAST_DAY;
}

static enum vf_status number_block(struct parse *parse, int64_t row, int64_t n, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *values;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(&parse->reader, row, n, buffer, valid_buffer, &values, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        parse->days[row + i] = 0;
        if (valid != NULL && !valid[i])
            vf__bit_clear(parse->validity, row + i);
        else if (!day_of(&parse->reader.type, values[i], &parse->days[row + i]))
            refuse_number(parse, row + i, values[i]);
    }
    return status;
}

static enum vf_status check_dates(const struct vf__reader *reader, struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (type->kind == VF__TIMESTAMP && type->zoned)
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                        "column \"%s\" carries a time zone; convert it to the market's local time first",
                        reader->name);
    if (type->kind == VF__DATE || type->kind == VF__TIMESTAMP || type->kind == VF__TEXT ||
        type->kind == VF__NULL || vf__type_is_integer(type))
        return VF_OK;
    return vf__fail(
        err, VF_ERROR_TYPE, reader->name, -1,
        "column \"%s\" is %s; accepted are Date, Datetime, strings YYYYMMDD or YYYY-MM-DD, and integers "
        "YYYYMMDD",
        reader->name, vf__type_name(type));
}

enum vf_status vf_date_parse(const struct vf_context *ctx, const struct vf_series *dates,
                             struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct parse parse = {.first_bad = -1};
    struct vf_column column = {0};
    void *buffer = NULL;
    enum vf_status status = vf__reader_open(&parse.reader, dates, err);
    if (status == VF_OK) status = check_dates(&parse.reader, err);
    if (status != VF_OK) return status;
    int64_t n_rows = parse.reader.n_rows;
    status = vf__column_new(&context, "tdD", parse.reader.name, n_rows, 4, true, &column, &buffer,
                            &parse.validity, err);
    parse.days = buffer;
    bool null = parse.reader.type.kind == VF__NULL;
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK) {
        int64_t n = n_rows - row < BLOCK ? n_rows - row : BLOCK;
        for (int64_t i = 0; null && i < n; i++) {
            parse.days[row + i] = 0;
            vf__bit_clear(parse.validity, row + i);
        }
        if (!null)
            status = parse.reader.type.kind == VF__TEXT ? text_block(&parse, row, n, err)
                                                        : number_block(&parse, row, n, err);
    }
    if (status == VF_OK && parse.n_bad > 0) {
        status = vf__fail(
            err, VF_ERROR_DATA, parse.reader.name, parse.first_bad,
            "column \"%s\": %lld values are no day, the first, \"%s\", in row %lld; strings YYYYMMDD or "
            "YYYY-MM-DD and integers YYYYMMDD are accepted",
            parse.reader.name, (long long)parse.n_bad, parse.example, (long long)parse.first_bad);
        if (err != NULL) err->count = parse.n_bad;
    }
    return vf__column_give(status, &column, out);
}
