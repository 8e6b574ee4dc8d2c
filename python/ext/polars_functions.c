/* The functions of the Polars expression plugin, each over the public C API: arguments read, the library called, the type of
   what is given told. Not for how Polars calls: polars_abi.h. */
#include "polars_abi.h"
#include "tally.h"

#include "base/base.h"

#include <stdio.h>

/* ---- the functions ---- */

/* The offsets of `zone`, where that is given; offsets: room for OFFSETS_MAX. */
static enum vf_status zone_kwarg(const struct kwargs *kwargs, struct vf_offset *offsets, size_t *n, struct vf_error *err) {
    const char *zone = NULL;
    size_t length = 0;
    enum vf_status status = kwargs_has(kwargs, "zone") ? kwargs_view(kwargs, "zone", &zone, &length, err) : VF_OK;
    *n = zone != NULL ? offsets_read(zone, length, offsets) : 0;
    return status;
}

/* offsets: room for OFFSETS_MAX. tally: the one that wants to know what was met; 0: none. */
static enum vf_status clock_kwargs(const struct kwargs *kwargs, struct vf_clock_options *options,
                                   struct vf_offset *offsets, int64_t *tally, struct vf_error *err) {
    int64_t outside = 0, layout = 0, entire = 0;
    enum vf_status status = kwargs_int(kwargs, "outside", &outside, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "layout", &layout, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "entire", &entire, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "grace_ns", &options->grace_ns, err);
    if (status == VF_OK) status = zone_kwarg(kwargs, offsets, &options->n_offsets, err);
    if (status == VF_OK && kwargs_has(kwargs, "tally")) status = kwargs_int(kwargs, "tally", tally, err);
    options->outside = (enum vf_outside)outside;
    options->layout = (enum vf_time_layout)layout;
    options->whole = entire != 0;
    options->offsets = offsets;
    return status;
}

static enum vf_status session_kwargs(const struct kwargs *kwargs, struct vf_session *sessions,
                                     struct vf_clock_options *options, struct vf_error *err) {
    const int64_t *bounds = NULL;
    size_t n = 0;
    enum vf_status status = kwargs_list(kwargs, "sessions", &bounds, &n, err);
    for (size_t i = 0; status == VF_OK && i + 1 < n; i += 2)
        sessions[i / 2] = (struct vf_session){.start_ns = bounds[i], .end_ns = bounds[i + 1]};
    options->sessions = sessions;
    options->n_sessions = n / 2;
    return status;
}

/* Opened anew for every batch: a calendar's text takes some microseconds to read, and nothing global is kept. */
static enum vf_status calendar_kwarg(const struct kwargs *kwargs, struct vf_context *ctx,
                                     struct vf_calendar **out, struct vf_error *err) {
    const char *text = NULL;
    size_t length = 0;
    enum vf_status status = kwargs_view(kwargs, "calendar", &text, &length, err);
    return status != VF_OK ? status : vf_calendar_open(ctx, text, length, out, err);
}

static enum vf_status clock_elapsed(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                    struct vf_column *out, struct vf_error *err) {
    (void)n;
    struct vf_session sessions[KWARGS_LIST_MAX / 2];
    struct vf_offset offsets[OFFSETS_MAX];
    struct vf_clock_options options = {0};
    struct vf_calendar *calendar = NULL;
    struct vf_context ctx = one_thread();
    struct vf_clock_report report;
    int64_t day = 0, tally = 0;
    enum vf_status status = clock_kwargs(kwargs, &options, offsets, &tally, err);
    if (status == VF_OK) status = session_kwargs(kwargs, sessions, &options, err);
    options.has_day = kwargs_has(kwargs, "day");
    if (status == VF_OK && options.has_day) status = kwargs_int(kwargs, "day", &day, err);
    options.day = (int32_t)day;
    if (status == VF_OK && kwargs_has(kwargs, "calendar")) status = calendar_kwarg(kwargs, &ctx, &calendar, err);
    options.calendar = calendar;
    if (status == VF_OK) status = vf_clock_elapsed(&ctx, &in[0], &options, out, &report, err);
    if (status == VF_OK) tally_add(tally, &report, out->array.null_count);
    vf_calendar_close(calendar);
    return status;
}

static enum vf_status clock_elapsed_on(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                       struct vf_column *out, struct vf_error *err) {
    (void)n;
    struct vf_offset offsets[OFFSETS_MAX];
    struct vf_clock_options options = {0};
    struct vf_calendar *calendar = NULL;
    struct vf_context ctx = one_thread();
    struct vf_clock_report report;
    int64_t tally = 0;
    enum vf_status status = clock_kwargs(kwargs, &options, offsets, &tally, err);
    if (status == VF_OK) status = calendar_kwarg(kwargs, &ctx, &calendar, err);
    if (status == VF_OK)
        status = vf_clock_elapsed_on(&ctx, calendar, &in[0], &in[1], &options, out, &report, err);
    if (status == VF_OK) tally_add(tally, &report, out->array.null_count);
    vf_calendar_close(calendar);
    return status;
}

/* When the days in[0] end; or, with `left`, what is left at in[0] of the days in[1]. */
static enum vf_status day_ends(const struct vf_series *in, bool left, const struct kwargs *kwargs,
                               struct vf_column *out, struct vf_error *err) {
    struct vf_offset offsets[OFFSETS_MAX];
    size_t n_offsets = 0;
    struct vf_calendar *calendar = NULL;
    struct vf_context ctx = one_thread();
    enum vf_status status = zone_kwarg(kwargs, offsets, &n_offsets, err);
    if (status == VF_OK) status = calendar_kwarg(kwargs, &ctx, &calendar, err);
    if (status == VF_OK)
        status = left ? vf_clock_left_on(&ctx, calendar, &in[0], &in[1], offsets, n_offsets, out, err)
                      : vf_clock_end_on(&ctx, calendar, &in[0], offsets, n_offsets, out, err);
    vf_calendar_close(calendar);
    return status;
}

static enum vf_status clock_end_on(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                   struct vf_column *out, struct vf_error *err) {
    (void)n;
    return day_ends(in, false, kwargs, out, err);
}

static enum vf_status clock_left_on(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                    struct vf_column *out, struct vf_error *err) {
    (void)n;
    return day_ends(in, true, kwargs, out, err);
}

static enum vf_status clock_trading_day(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                        struct vf_column *out, struct vf_error *err) {
    (void)n;
    struct vf_calendar *calendar = NULL;
    struct vf_context ctx = one_thread();
    enum vf_status status = calendar_kwarg(kwargs, &ctx, &calendar, err);
    if (status == VF_OK) status = vf_clock_trading_day(&ctx, calendar, &in[0], out, err);
    vf_calendar_close(calendar);
    return status;
}

static enum vf_status date_parse(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                 struct vf_column *out, struct vf_error *err) {
    (void)n;
    (void)kwargs;
    struct vf_context ctx = one_thread();
    return vf_date_parse(&ctx, &in[0], out, err);
}

static enum vf_status bin_index(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                struct vf_column *out, struct vf_error *err) {
    (void)n;
    double width = 0;
    int64_t snap = 0;
    enum vf_status status = kwargs_float(kwargs, "width", &width, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "snap", &snap, err);
    struct vf_context ctx = one_thread();
    return status != VF_OK ? status : vf_bin_index(&ctx, &in[0], width, snap != 0, out, err);
}

static enum vf_status cast_integer(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                   struct vf_column *out, struct vf_error *err) {
    (void)n;
    char format[4];
    double tolerance = 0;
    enum vf_status status = kwargs_text(kwargs, "format", format, sizeof format, err);
    if (status == VF_OK) status = kwargs_float(kwargs, "tolerance", &tolerance, err);
    struct vf_context ctx = one_thread();
    return status != VF_OK ? status : vf_cast_integer(&ctx, &in[0], format, tolerance, out, err);
}

static enum vf_status cast_float(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                 struct vf_column *out, struct vf_error *err) {
    (void)n;
    (void)kwargs;
    struct vf_context ctx = one_thread();
    return vf_cast_float(&ctx, &in[0], out, err);
}

static enum vf_status mid(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                          struct vf_column *out, struct vf_error *err) {
    (void)n;
    (void)kwargs;
    struct vf_context ctx = one_thread();
    return vf_mid(&ctx, &in[0], &in[1], out, err);
}

/* What follows from stored states; the number of columns tells the moment's own check. */
static enum vf_status moment(enum vf_moment which, const struct vf_series *in, size_t n,
                             const struct kwargs *kwargs, struct vf_column *out, struct vf_error *err) {
    bool free_rows = which == VF_MOMENT_VAR || which == VF_MOMENT_STD || which == VF_MOMENT_COV;
    int64_t ddof = 0;
    enum vf_status status = free_rows ? kwargs_int(kwargs, "ddof", &ddof, err) : VF_OK;
    struct vf_context ctx = one_thread();
    return status != VF_OK ? status : vf_moment_value(&ctx, which, (uint32_t)ddof, in, n, out, err);
}

#define MOMENT(name, which)                                                                                  \
    static enum vf_status name(const struct vf_series *in, size_t n, const struct kwargs *kwargs,            \
                               struct vf_column *out, struct vf_error *err) {                                \
        return moment(which, in, n, kwargs, out, err);                                                       \
    }

MOMENT(state_mean, VF_MOMENT_MEAN)
MOMENT(state_mean_int, VF_MOMENT_MEAN_INT)
MOMENT(state_var, VF_MOMENT_VAR)
MOMENT(state_std, VF_MOMENT_STD)
MOMENT(state_cov, VF_MOMENT_COV)
MOMENT(state_corr, VF_MOMENT_CORR)
MOMENT(state_product, VF_MOMENT_PRODUCT)

static void elapsed_field(const struct ArrowSchema *in, size_t n, struct ArrowSchema *out,
                          const uint8_t *kwargs, size_t length) {
    struct vf_error err = {0};
    struct kwargs values;
    int64_t layout = 0;
    enum vf_status status = kwargs_read(kwargs, length, &values, &err);
    if (status == VF_OK) status = kwargs_int(&values, "layout", &layout, &err);
    if (status != VF_OK) {
        keep_error(&err);
        return;
    }
    const char *format = n > 0 ? vf_clock_elapsed_format(&in[0], (enum vf_time_layout)layout) : NULL;
    give_field(in, n, format != NULL ? format : "g", out); /* a type it does not take fails when it runs */
}

PLUGIN(clock_elapsed, 2); /* the other one tells Python of the day, in the plan */
PLUGIN_FIELD(clock_elapsed) {
    elapsed_field(in, n, out, kwargs, length);
}

PLUGIN(clock_elapsed_on, 2);
PLUGIN_FIELD(clock_elapsed_on) {
    elapsed_field(in, n, out, kwargs, length);
}

PLUGIN(clock_end_on, 1);
PLUGIN_FIELD(clock_end_on) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "tDn", out);
}

PLUGIN(clock_left_on, 2);
PLUGIN_FIELD(clock_left_on) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "l", out);
}

PLUGIN(clock_trading_day, 1);
PLUGIN_FIELD(clock_trading_day) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "tdD", out);
}

PLUGIN(date_parse, 1);
PLUGIN_FIELD(date_parse) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "tdD", out);
}

PLUGIN(bin_index, 2); /* the other one tells Python of the width, in the plan */
PLUGIN_FIELD(bin_index) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "l", out);
}

/* ---- returns between two prices, signs of sides, quantile bins ---- */

static enum vf_status price_return(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                   struct vf_column *out, struct vf_error *err) {
    (void)n;
    (void)kwargs;
    struct vf_context ctx = one_thread();
    return vf_price_return(&ctx, &in[0], &in[1], out, err);
}

PLUGIN(price_return, 2);
PLUGIN_FIELD(price_return) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "g", out);
}

#define SIDES_MAX 64

/* "texts": each ended by '\0'; "integers"; "signs": 1 or -1 of the texts, then of the integers. */
static enum vf_status side_sign(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                struct vf_column *out, struct vf_error *err) {
    (void)n;
    struct vf_side sides[SIDES_MAX];
    const char *texts = NULL;
    const int64_t *integers = NULL, *signs = NULL;
    size_t length = 0, n_integers = 0, n_signs = 0, n_sides = 0;
    int64_t nulls_fail = 0;
    enum vf_status status = kwargs_view(kwargs, "texts", &texts, &length, err);
    if (status == VF_OK) status = kwargs_list(kwargs, "integers", &integers, &n_integers, err);
    if (status == VF_OK) status = kwargs_list(kwargs, "signs", &signs, &n_signs, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "nulls_fail", &nulls_fail, err);
    if (status != VF_OK) return status;
    for (size_t from = 0, to; from < length && n_sides < SIDES_MAX; from = to + 1) {
        for (to = from; to < length && texts[to] != '\0';)
            to++;
        sides[n_sides++] = (struct vf_side){.text = texts + from, .length = to - from};
    }
    for (size_t i = 0; i < n_integers && n_sides < SIDES_MAX; i++)
        sides[n_sides++] = (struct vf_side){.integer = integers[i]};
    if (n_sides != n_signs)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu side values with %zu signs; at most %d are accepted",
                        n_sides, n_signs, SIDES_MAX);
    for (size_t i = 0; i < n_sides; i++)
        sides[i].entry = signs[i] > 0;
    struct vf_context ctx = one_thread();
    return vf_side_sign(&ctx, &in[0], sides, n_sides, nulls_fail != 0, out, err);
}

PLUGIN(side_sign, 1);
PLUGIN_FIELD(side_sign) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "l", out);
}

/* 16 hexadecimal digits: a double's bits. False: not that. */
static bool read_bits(const char *text, double *out) {
    uint64_t bits = 0;
    for (int i = 0; i < 16; i++) {
        char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
        bits = bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    memcpy(out, &bits, sizeof *out);
    return true;
}

static enum vf_status cut_index(const struct vf_series *in, size_t n, const struct kwargs *kwargs,
                                struct vf_column *out, struct vf_error *err) {
    (void)n;
    const char *text = NULL;
    size_t length = 0;
    int64_t left_closed = 0, outside = 0;
    double low = 0, high = 0;
    enum vf_status status = kwargs_view(kwargs, "cuts", &text, &length, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "left_closed", &left_closed, err);
    if (status == VF_OK) status = kwargs_int(kwargs, "outside", &outside, err);
    if (status == VF_OK) status = kwargs_float(kwargs, "low", &low, err);
    if (status == VF_OK) status = kwargs_float(kwargs, "high", &high, err);
    if (status != VF_OK) return status;
    struct vf_context ctx = one_thread();
    size_t n_cuts = length / 16;
    double *cuts = vf__alloc(&ctx, n_cuts, sizeof *cuts);
    if (cuts == NULL) return vf__fail_memory(err, n_cuts * sizeof *cuts);
    bool read = length % 16 == 0;
    for (size_t i = 0; read && i < n_cuts; i++)
        read = read_bits(text + 16 * i, &cuts[i]);
    status = read ? vf_cut_index(&ctx, &in[0], cuts, n_cuts, left_closed != 0, low, high,
                                 (enum vf_cut_outside)outside, out, err)
                  : vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "cuts are not written in hexadecimal digits");
    vf__free(&ctx, cuts, n_cuts, sizeof *cuts);
    return status;
}

PLUGIN(cut_index, 2); /* the other one tells Python of the edges, in the plan */
PLUGIN_FIELD(cut_index) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "l", out);
}

/* ---- checked integers: operands, then the rows' condition where there is one ---- */

/* "what" names the metric in an error. */
static enum vf_status integers(const struct vf_series *in, bool binary, bool chosen,
                               const struct kwargs *kwargs, struct vf_column *out, struct vf_error *err) {
    const char *what = NULL;
    size_t length = 0;
    int64_t op = 0;
    enum vf_status status = kwargs_int(kwargs, "op", &op, err);
    if (status == VF_OK) status = kwargs_view(kwargs, "what", &what, &length, err);
    if (status != VF_OK) return status;
    struct vf_context ctx = one_thread();
    status = vf_integer_arithmetic(&ctx, (enum vf_integer_op)op, &in[0], binary ? &in[1] : NULL,
                                   chosen ? &in[binary ? 2 : 1] : NULL, out, err);
    if (status != VF_OK) {
        struct vf_error told = *err;
        (void)snprintf(err->message, sizeof err->message, "%.*s: %.300s", (int)(length < 200 ? length : 200),
                       what, told.message);
    }
    return status;
}

#define INTEGERS(name, n_inputs, binary, chosen)                                                             \
    static enum vf_status name(const struct vf_series *in, size_t n, const struct kwargs *kwargs,            \
                               struct vf_column *out, struct vf_error *err) {                                \
        (void)n;                                                                                             \
        return integers(in, binary, chosen, kwargs, out, err);                                               \
    }                                                                                                        \
    PLUGIN(name, n_inputs);                                                                                  \
    PLUGIN_FIELD(name) {                                                                                     \
        (void)kwargs;                                                                                        \
        (void)length;                                                                                        \
        give_field(in, n, "l", out);                                                                         \
    }

INTEGERS(integer_one, 1, false, false)
INTEGERS(integer_two, 2, true, false)
INTEGERS(integer_one_where, 2, false, true)
INTEGERS(integer_two_where, 3, true, true)

/* ---- casts and mids ---- */

PLUGIN(cast_integer, 1);
PLUGIN_FIELD(cast_integer) {
    struct vf_error err = {0};
    struct kwargs values;
    char format[4] = "l";
    enum vf_status status = kwargs_read(kwargs, length, &values, &err);
    if (status == VF_OK) status = kwargs_text(&values, "format", format, sizeof format, &err);
    if (status != VF_OK)
        keep_error(&err);
    else
        give_field(in, n, format, out);
}

PLUGIN(cast_float, 1);
PLUGIN_FIELD(cast_float) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "g", out);
}

PLUGIN(mid, 2);
PLUGIN_FIELD(mid) {
    (void)kwargs;
    (void)length;
    give_field(in, n, "g", out);
}

#define MOMENT_PLUGIN(function, n_inputs)                                                                    \
    PLUGIN(function, n_inputs);                                                                              \
    PLUGIN_FIELD(function) {                                                                                 \
        (void)kwargs;                                                                                        \
        (void)length;                                                                                        \
        give_field(in, n, "g", out);                                                                         \
    }

MOMENT_PLUGIN(state_mean, 4)
MOMENT_PLUGIN(state_var, 6)
MOMENT_PLUGIN(state_std, 6)
MOMENT_PLUGIN(state_cov, 8)
MOMENT_PLUGIN(state_corr, 12)
MOMENT_PLUGIN(state_product, 3)

PLUGIN(state_mean_int, 3);
PLUGIN_FIELD(state_mean_int) {
    (void)kwargs;
    (void)length;
    bool duration = n > 0 && in[0].format != NULL && strncmp(in[0].format, "tD", 2) == 0;
    give_field(in, n, duration ? in[0].format : "g", out);
}
