/* Every public entry of clock, bins, casts and mids with the n-th allocation failing, once and from then on: the call
   says VF_ERROR_MEMORY, leaves nothing behind and its outputs alone. Not for results (tests/c/unit). */
#include "check.h"

enum { ROWS = 5000 };

static const struct vf_session sessions[] = {{INT64_C(34200000000000), INT64_C(41400000000000)},
                                             {INT64_C(46800000000000), INT64_C(54000000000000)}};
static int64_t digits[ROWS];
static double numbers[ROWS];
static uint8_t bits[ROWS / 8 + 1];
static int32_t offsets[ROWS + 1];
static char text[ROWS * 8];

static void fill(void) {
    for (int i = 0; i < ROWS; i++) {
        int second = i * 17;
        digits[i] = second / 3600 * 10000 + second / 60 % 60 * 100 + second % 60;
        numbers[i] = i + 1;
        if (i % 3 != 0) bits[i / 8] |= (uint8_t)(1u << i % 8);
        char time[16];
        (void)snprintf(time, sizeof time, "%02d:%02d:%02d", second / 3600 % 24, second / 60 % 60,
                       second % 60);
        memcpy(text + 8 * i, time, 8);
        offsets[i + 1] = offsets[i] + 8;
    }
}

/* A failed call writes nothing; what a good one gave is released. */
static enum vf_status settle(enum vf_status status, struct vf_column *out) {
    if (status == VF_OK)
        check_release(out);
    else
        CHECK(check_is_rubbish(out, sizeof *out) && check_error.code == status);
    return status;
}

static enum vf_status clock_with(const struct vf_context *ctx, const struct vf_series *time,
                                 enum vf_outside outside) {
    struct vf_clock_options options = {
        .sessions = sessions, .n_sessions = 2, .outside = outside, .layout = VF_LAYOUT_HHMMSS};
    struct vf_clock_report report = {.n_rows = -1};
    struct vf_column out;
    CHECK_POISON(out);
    enum vf_status status = vf_clock_elapsed(ctx, time, &options, &out, &report, &check_error);
    CHECK_I64(report.n_rows, status == VF_OK ? ROWS : -1);
    return settle(status, &out);
}

static enum vf_status clock_digits(const struct vf_context *ctx) {
    struct check_column c;
    return clock_with(ctx, check_series(&c, "l", "t", ROWS, bits, digits, NULL), VF_OUTSIDE_NULL);
}

static enum vf_status clock_text(const struct vf_context *ctx) {
    struct check_column c;
    return clock_with(ctx, check_series(&c, "u", "t", ROWS, NULL, offsets, text), VF_OUTSIDE_CLIP);
}

/* The other way to fail: the result is given back before the error is reported. */
static enum vf_status clock_raises(const struct vf_context *ctx) {
    struct check_column c;
    enum vf_status status =
        clock_with(ctx, check_series(&c, "l", "t", ROWS, NULL, digits, NULL), VF_OUTSIDE_RAISE);
    CHECK(status == VF_ERROR_DATA || status == VF_ERROR_MEMORY);
    return status == VF_ERROR_DATA ? VF_OK : status;
}

static enum vf_status bins(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "g", "x", ROWS, bits, numbers, NULL);
    return settle(vf_bin_index(ctx, &c.series, 0.5, true, &out, &check_error), &out);
}

static enum vf_status bins_overflow(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "g", "x", ROWS, bits, numbers, NULL);
    enum vf_status status = settle(vf_bin_index(ctx, &c.series, 0x1p-52, true, &out, &check_error), &out);
    CHECK(status == VF_ERROR_OVERFLOW || status == VF_ERROR_MEMORY);
    return status == VF_ERROR_OVERFLOW ? VF_OK : status;
}

static enum vf_status casts(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "g", "x", ROWS, bits, numbers, NULL);
    return settle(vf_cast_integer(ctx, &c.series, "S", 1e-6, &out, &check_error), &out);
}

static enum vf_status casts_refused(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "g", "x", ROWS, bits, numbers, NULL);
    enum vf_status status = settle(vf_cast_integer(ctx, &c.series, "c", 1e-6, &out, &check_error), &out);
    CHECK(status == VF_ERROR_OVERFLOW || status == VF_ERROR_MEMORY);
    return status == VF_ERROR_OVERFLOW ? VF_OK : status;
}

static enum vf_status mids(const struct vf_context *ctx) {
    struct check_column bid, ask;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&bid, "g", "bid", ROWS, bits, numbers, NULL);
    check_series(&ask, "l", "ask", ROWS, NULL, digits, NULL);
    return settle(vf_mid(ctx, &bid.series, &ask.series, &out, &check_error), &out);
}

int main(void) {
    fill();
    check_all_faults(clock_digits);
    check_all_faults(clock_text);
    check_all_faults(clock_raises);
    check_all_faults(bins);
    check_all_faults(bins_overflow);
    check_all_faults(casts);
    check_all_faults(casts_refused);
    check_all_faults(mids);
    return check_report("column_faults");
}
