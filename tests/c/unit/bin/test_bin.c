/* Bin numbers, near-integer casts and mids: against nearbyint and long double on many values, and edge by edge.
   Not for reading Arrow as such (test_arrow). */
#include "bin/bin.h"

#include "check.h"

#include <fenv.h>

static uint64_t random_state = 7;
static uint64_t next_random(void) {
    return vf__mix(random_state += UINT64_C(0x9e3779b97f4a7c15));
}
static double uniform(void) {
    return (double)(next_random() >> 11) * 0x1p-53;
}

/* ---- bins ---- */

static enum vf_status bin(const double *x, int64_t n, double width, bool snap, struct vf_column *out) {
    struct check_column c;
    check_series(&c, "g", "x", n, NULL, x, NULL);
    return vf_bin_index(NULL, &c.series, width, snap, out, &check_error);
}

static void check_bins(const double *x, int64_t n, double width) {
    struct vf_column out;
    CHECK_OK(bin(x, n, width, false, &out));
    int64_t wrong = 0, nulls = 0;
    for (int64_t i = 0; i < n; i++) {
        bool finite = isfinite(x[i]);
        nulls += !finite;
        wrong += check_valid(&out, i) != finite;
        wrong += finite && check_i64(&out, i) != (int64_t)nearbyint(x[i] / width);
    }
    CHECK_I64(wrong, 0);
    CHECK_I64(out.array.null_count, nulls);
    vf_column_release(&out);
}

static void test_a_million(void) {
    enum { MANY = 1000000 };
    double *x = malloc(MANY * sizeof *x);
    const double widths[] = {1, 1e-4, 0.5, 3, 1e-300, 1e300, 0x1p-1074, 7.3};
    CHECK_I64(fegetround(), FE_TONEAREST);
    for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
        for (int64_t i = 0; i < MANY; i++) {
            double sign = next_random() & 1 ? 1 : -1;
            switch (i % 6) {
            case 0:
                x[i] = sign * (floor(uniform() * 1e6) + 0.5) * widths[w];
                break; /* halves */
            case 1:
                x[i] = sign * uniform() * 0x1p53 * widths[w] * 0.999;
                break; /* all of the range */
            case 2:
                x[i] = sign * (0x1p51 + floor(uniform() * 0x1p10) * 0.5) * widths[w];
                break;
            case 3:
                x[i] = sign * (0x1p52 + floor(uniform() * 0x1p10)) * widths[w];
                break;
            case 4:
                x[i] = sign * uniform() * 10 * widths[w];
                break;
            default:
                x[i] = i % 60 == 5    ? NAN
                       : i % 60 == 11 ? sign * INFINITY
                       : i % 60 == 17 ? sign * 0.0
                                      : sign * uniform() * widths[w];
            }
            if (isfinite(x[i]) && fabs(x[i] / widths[w]) >= 0x1p53) x[i] = 0;
        }
        check_bins(x, MANY, widths[w]);
    }
    free(x);
}

static void test_bin_edges(void) {
    double near[] = {0.5,
                     1.5,
                     2.5,
                     -0.5,
                     -1.5,
                     -2.5,
                     0x1.fffffffffffffp-2,
                     -0x1.fffffffffffffp-2,
                     0x1p51 - 0.5,
                     0x1p51 - 0.25,
                     0x1p51 + 0.5,
                     0x1p51 + 1.5,
                     0x1p52 - 0.5,
                     0x1p52 + 1,
                     0x1p53 - 1,
                     -0x1p51 + 0.5,
                     -0x1p51 - 0.5,
                     -0x1p52 + 0.5,
                     -0x1p53 + 1,
                     0x1p-1074,
                     -0.0};
    int64_t want[] = {0,
                      2,
                      2,
                      0,
                      -2,
                      -2,
                      0,
                      0,
                      INT64_C(1) << 51,
                      INT64_C(1) << 51,
                      INT64_C(1) << 51,
                      (INT64_C(1) << 51) + 2,
                      INT64_C(1) << 52,
                      (INT64_C(1) << 52) + 1,
                      (INT64_C(1) << 53) - 1,
                      -(INT64_C(1) << 51),
                      -(INT64_C(1) << 51),
                      -(INT64_C(1) << 52),
                      -(INT64_C(1) << 53) + 1,
                      0,
                      0};
    const int64_t n = sizeof near / sizeof near[0];
    struct vf_column out;
    CHECK_OK(bin(near, n, 1, false, &out));
    for (int64_t i = 0; i < n; i++)
        CHECK_I64(check_i64(&out, i), want[i]);
    CHECK(strcmp(out.schema.format, "l") == 0 && strcmp(out.schema.name, "x") == 0 &&
          out.array.null_count == 0);
    vf_column_release(&out);
}

static void test_bin_overflow(void) {
    const double beyond[] = {0x1p53, -0x1p53, 1e300, -1e300};
    struct vf_column out;
    for (size_t i = 0; i < 4; i++) {
        double x[5000] = {0};
        x[4000] = beyond[i];
        x[4500] = NAN;
        x[4999] = -beyond[i];
        memset(&out, 0x5a, sizeof out);
        struct vf_column before = out;
        CHECK_STATUS(bin(x, 5000, 1, false, &out), VF_ERROR_OVERFLOW);
        CHECK(check_error.row == 4000 && check_error.count == 2 && strcmp(check_error.column, "x") == 0);
        CHECK(memcmp(&out, &before, sizeof out) == 0);
    }
    double x[1] = {1};
    CHECK_STATUS(bin(x, 1, 0x1p-53, false, &out), VF_ERROR_OVERFLOW);
    CHECK_STATUS(bin(x, 1, 0x1p-1074, true, &out),
                 VF_ERROR_OVERFLOW); /* the quotient is infinite, x is not */
    const double widths[] = {0, -0.0, -1, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 6; i++)
        CHECK_STATUS(bin(x, 1, widths[i], false, &out), VF_ERROR_ARGUMENT);
    uint8_t none = 0; /* under a null, anything may stand */
    struct check_column c;
    x[0] = 1e300;
    check_series(&c, "g", "x", 1, &none, x, NULL);
    CHECK_OK(vf_bin_index(NULL, &c.series, 1, true, &out, &check_error));
    CHECK(!check_valid(&out, 0) && check_i64(&out, 0) == 0);
    vf_column_release(&out);
}

static void test_bin_types(void) {
    int8_t i8[] = {-128, 127};
    uint64_t u64[] = {3, UINT64_C(9007199254740993)};
    int64_t i64[] = {-25, 35};
    float f32[] = {0.25f, -0.75f};
    uint8_t flags = 0x02, nulls = 0x02;
    struct check_column c;
    struct vf_column out;
    CHECK_OK(vf_bin_index(NULL, check_series(&c, "c", "x", 2, NULL, i8, NULL), 2, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == -64 && check_i64(&out, 1) == 64);
    vf_column_release(&out);
    CHECK_OK(
        vf_bin_index(NULL, check_series(&c, "l", "x", 2, &nulls, i64, NULL), 10, false, &out, &check_error));
    CHECK(!check_valid(&out, 0) && check_i64(&out, 1) == 4);
    vf_column_release(&out);
    CHECK_STATUS(
        vf_bin_index(NULL, check_series(&c, "L", "x", 2, NULL, u64, NULL), 1, false, &out, &check_error),
        VF_ERROR_OVERFLOW);
    CHECK_OK(
        vf_bin_index(NULL, check_series(&c, "f", "x", 2, NULL, f32, NULL), 0.5, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == 0 && check_i64(&out, 1) == -2);
    vf_column_release(&out);
    CHECK_OK(
        vf_bin_index(NULL, check_series(&c, "b", "x", 2, NULL, &flags, NULL), 1, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == 0 && check_i64(&out, 1) == 1);
    vf_column_release(&out);
    static const char *const types[] = {"u", "tsn:", "tdD", "ttn", "tDn"};
    static const int32_t offsets[3] = {0};
    for (size_t i = 0; i < 5; i++) {
        check_series(&c, types[i], "x", 2, NULL, i == 0 ? (const void *)offsets : i64, i == 0 ? "" : NULL);
        CHECK_STATUS(vf_bin_index(NULL, &c.series, 1, false, &out, &check_error), VF_ERROR_TYPE);
    }
    CHECK_STATUS(vf_bin_index(NULL, NULL, 1, false, &out, &check_error), VF_ERROR_ARGUMENT);
    check_series(&c, "g", "x", 0, NULL, NULL, NULL);
    CHECK_OK(vf_bin_index(NULL, &c.series, 1, false, &out, &check_error));
    CHECK_I64(out.array.length, 0);
    vf_column_release(&out);
}

static int64_t one_bin(double x, double width, bool snap) {
    struct vf_column out;
    CHECK_OK(bin(&x, 1, width, snap, &out));
    int64_t got = check_i64(&out, 0);
    vf_column_release(&out);
    return got;
}

static double steps(double x, int n) {
    for (; n != 0; n -= n > 0 ? 1 : -1)
        x = nextafter(x, n > 0 ? INFINITY : -INFINITY);
    return x;
}

static void test_snap(void) {
    CHECK_I64(one_bin(0.00015, 1e-4, false), 1);
    CHECK_I64(one_bin(0.00015, 1e-4, true), 2);
    CHECK_I64(one_bin(-0.00015, 1e-4, true), -2);
    /* ulps as of the half itself; below a power of two they are half as wide, above it twice */
    const double halves[] = {1.5,   2.5,       3.5,          4.5,          100.5,
                             101.5, 1e6 + 0.5, 0x1p40 + 0.5, 0x1p47 - 0.5, 0x1p47 + 0.5};
    for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        int64_t even = (int64_t)nearbyint(halves[i]);
        for (int sign = -1; sign < 2; sign += 2)
            for (int n = -6; n < 7; n++) {
                double q = sign * steps(halves[i], n);
                int64_t plain = (int64_t)nearbyint(q);
                CHECK_I64(one_bin(q, 1, true), n >= -4 && n <= 4 ? sign * even : plain);
                CHECK_I64(one_bin(q, 1, false), plain);
            }
    }
    CHECK_I64(one_bin(0.49999999999999994, 1, true), 0);
    CHECK_I64(one_bin(0.5000000000000001, 1, true), 0);
    CHECK_I64(one_bin(0.50000000000001, 1, true), 1);
    /* an integer stays the integer that it is, however large */
    for (int e = 40; e < 53; e++)
        for (int64_t k = 0; k < 4; k++) {
            int64_t whole = (INT64_C(1) << e) + k;
            CHECK_I64(one_bin((double)whole, 1, true), whole);
            CHECK_I64(one_bin(-(double)whole, 1, true), -whole);
        }
    for (int64_t i = 0; i < 200000; i++) { /* away from the halves, snap changes nothing */
        double x = (uniform() - 0.5) * 1e6;
        double part = fabs(x) - floor(fabs(x));
        if (fabs(part - 0.5) > 1e-9) CHECK(one_bin(x, 1, true) == (int64_t)nearbyint(x));
    }
}

/* ---- near-integer cast ---- */

static enum vf_status cast(double x, const char *format, double tolerance, struct vf_column *out) {
    struct check_column c;
    check_series(&c, "g", "qty", 1, NULL, &x, NULL);
    return vf_cast_integer(NULL, &c.series, format, tolerance, out, &check_error);
}

static const struct {
    const char *format;
    size_t width;
    double low, high; /* the outermost doubles that fit */
    double below, above;
} targets[] = {{"c", 1, -128, 127, -129, 128},
               {"C", 1, 0, 255, -1, 256},
               {"s", 2, -32768, 32767, -32769, 32768},
               {"S", 2, 0, 65535, -1, 65536},
               {"i", 4, -0x1p31, 0x1p31 - 1, -0x1p31 - 1, 0x1p31},
               {"I", 4, 0, 0x1p32 - 1, -1, 0x1p32},
               {"l", 8, -0x1p63, 0x1p63 - 1024, -0x1p63 - 2048, 0x1p63},
               {"L", 8, 0, 0x1p64 - 2048, -1, 0x1p64}};

static void check_cast(double x, size_t t, double tolerance, double want) {
    struct vf_column out;
    enum vf_status status = cast(x, targets[t].format, tolerance, &out);
    CHECK_STATUS(status, VF_OK);
    if (status != VF_OK) return;
    uint64_t bits = 0, expect = want < 0 ? (uint64_t)(int64_t)want : (uint64_t)want;
    memcpy(&bits, out.array.buffers[1], targets[t].width); /* little-endian hosts */
    CHECK(bits == (targets[t].width == 8 ? expect : expect & ((UINT64_C(1) << 8 * targets[t].width) - 1)));
    CHECK(strcmp(out.schema.format, targets[t].format) == 0 && strcmp(out.schema.name, "qty") == 0);
    CHECK_I64(out.array.null_count, 0);
    vf_column_release(&out);
}

static void test_cast_ranges(void) {
    struct vf_column out;
    for (size_t t = 0; t < 8; t++) {
        check_cast(0.0, t, 1e-6, 0);
        check_cast(-0.0, t, 0, 0);
        check_cast(-0.4, t, 0.45, 0);
        check_cast(-1e-7, t, 1e-6, 0);
        check_cast(1, t, 0, 1);
        check_cast(100.0000001, t, 1e-6, 100);
        check_cast(targets[t].low, t, 0, targets[t].low);
        check_cast(targets[t].high, t, 0, targets[t].high);
        CHECK_STATUS(cast(targets[t].below, targets[t].format, 0, &out), VF_ERROR_OVERFLOW);
        CHECK_STATUS(cast(targets[t].above, targets[t].format, 0, &out), VF_ERROR_OVERFLOW);
        CHECK(check_error.row == 0 && check_error.count == 1 && strcmp(check_error.column, "qty") == 0);
        CHECK_STATUS(cast(1e300, targets[t].format, 0.1, &out), VF_ERROR_OVERFLOW);
        CHECK_STATUS(cast(-1e300, targets[t].format, 0.1, &out), VF_ERROR_OVERFLOW);
        CHECK_STATUS(cast(NAN, targets[t].format, 0.4, &out), VF_ERROR_DATA);
        CHECK_STATUS(cast(INFINITY, targets[t].format, 0.4, &out), VF_ERROR_DATA);
        CHECK_STATUS(cast(-INFINITY, targets[t].format, 0.4, &out), VF_ERROR_DATA);
        CHECK_STATUS(cast(1.5, targets[t].format, 0.499, &out), VF_ERROR_DATA);
    }
    check_cast(0x1p53 + 2, 6, 0, 0x1p53 + 2); /* past the rounding trick */
    check_cast(0x1p52 + 1, 6, 0, 0x1p52 + 1);
    check_cast(-0x1p51, 6, 0, -0x1p51);
}

/* Each side of the tolerance. Relative up to a thousandth, then no longer: a fraction stays a fraction. */
static void test_cast_tolerance(void) {
    struct vf_column out;
    check_cast(5.0000049, 6, 1e-6, 5);
    CHECK_STATUS(cast(5.0000051, "l", 1e-6, &out), VF_ERROR_DATA);
    check_cast(4.9999951, 6, 1e-6, 5);
    CHECK_STATUS(cast(4.9999949, "l", 1e-6, &out), VF_ERROR_DATA);
    check_cast(0.0000009, 6, 1e-6, 0); /* below 1 it is absolute */
    CHECK_STATUS(cast(0.0000011, "l", 1e-6, &out), VF_ERROR_DATA);
    check_cast(-3.25, 6, 0.25, -3);
    CHECK_STATUS(cast(-0.26, "l", 0.25, &out), VF_ERROR_DATA);
    CHECK_STATUS(cast(0x1.0000000000001p0, "l", 0, &out), VF_ERROR_DATA);
    check_cast(1000.00099, 6, 1e-6, 1000);
    check_cast(1500000.0009, 6, 1e-6, 1500000);
    const double fractions[] = {1500000.5, 1500000.25, 1e9 + 0.5, 1e12 + 0.5, -4000000.75, 1500000.0011};
    for (size_t i = 0; i < 6; i++)
        CHECK_STATUS(cast(fractions[i], "l", 1e-6, &out), VF_ERROR_DATA);
    check_cast(1500000.25, 6, 0.25, 1500000); /* a caller who wants it can say so */
    CHECK_STATUS(cast(1500000.26, "l", 0.25, &out), VF_ERROR_DATA);
    check_cast(0x1p51 + 1, 6, 1e-6, 0x1p51 + 1);
    CHECK_STATUS(cast(0x1p51 + 0.5, "l", 1e-6, &out), VF_ERROR_DATA);
    const double bad[] = {-1e-9, 0.5, 1, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < 6; i++)
        CHECK_STATUS(cast(1, "l", bad[i], &out), VF_ERROR_ARGUMENT);
    static const char *const formats[] = {"g", "u", "", "ll", "b", "tdD", "tsn:"};
    for (size_t i = 0; i < 7; i++)
        CHECK_STATUS(cast(1, formats[i], 0, &out), VF_ERROR_ARGUMENT);
    CHECK_STATUS(cast(1, NULL, 0, &out), VF_ERROR_ARGUMENT);
}

static void test_cast_columns(void) {
    enum { ROWS = 6000 };
    static double x[ROWS];
    static uint8_t bits[ROWS / 8 + 1];
    for (int64_t i = 0; i < ROWS; i++) {
        bool null = i % 7 == 3;
        x[i] = null ? (i % 2 ? (double)NAN : 0.5) : (double)(i * 1001 - 2000) + 1e-9;
        if (!null) vf__bit_set(bits, i);
    }
    struct check_column c;
    struct vf_column out;
    check_series(&c, "g", "qty", ROWS, bits, x, NULL);
    CHECK_OK(vf_cast_integer(NULL, &c.series, "l", 1e-6, &out, &check_error));
    for (int64_t i = 0; i < ROWS; i++) {
        CHECK(check_valid(&out, i) == (i % 7 != 3));
        if (i % 7 != 3) CHECK_I64(check_i64(&out, i), i * 1001 - 2000);
    }
    vf_column_release(&out);
    CHECK_STATUS(vf_cast_integer(NULL, &c.series, "s", 1e-6, &out, &check_error), VF_ERROR_OVERFLOW);
    int64_t too_large = 0, first = -1;
    for (int64_t i = 0; i < ROWS; i++)
        if (i % 7 != 3 && i * 1001 - 2000 > 32767) too_large++, first = first < 0 ? i : first;
    CHECK(check_error.row == first && check_error.count == too_large);
    x[5000] = 0.3, x[2500] = NAN, bits[2500 / 8] |= (uint8_t)(1u << 2500 % 8),
    bits[5000 / 8] |= (uint8_t)(1u << 5000 % 8);
    CHECK_STATUS(vf_cast_integer(NULL, &c.series, "s", 1e-6, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2500 && check_error.count == 2); /* what is no integer at all comes first */
    float f32[] = {3.0f, 16777216.0f};
    check_series(&c, "f", "qty", 2, NULL, f32, NULL);
    CHECK_OK(vf_cast_integer(NULL, &c.series, "I", 1e-6, &out, &check_error));
    CHECK(check_u32(&out, 0) == 3 && check_u32(&out, 1) == 16777216);
    vf_column_release(&out);
    check_series(&c, "n", "qty", 3, NULL, NULL, NULL);
    c.array.n_buffers = 0;
    CHECK_OK(vf_cast_integer(NULL, &c.series, "C", 1e-6, &out, &check_error));
    CHECK_I64(out.array.null_count, 3);
    vf_column_release(&out);
    int64_t i64[1] = {1};
    CHECK_STATUS(
        vf_cast_integer(NULL, check_series(&c, "l", "qty", 1, NULL, i64, NULL), "i", 0, &out, &check_error),
        VF_ERROR_TYPE);
    CHECK_STATUS(vf_cast_integer(NULL, NULL, "i", 0, &out, &check_error), VF_ERROR_ARGUMENT);
}

/* ---- mid ---- */

static void test_mid(void) {
    const double big = 9.99e299, tiny = 0x1p-1074;
    const struct {
        double bid, ask, want; /* want 0: null */
    } cases[] = {{10, 11, 10.5},
                 {11, 10, 10.5}, /* a crossed book has a mid; judging it is the caller's */
                 {1e299, 1e299, 1e299},
                 {big, big, big},
                 {big, tiny, big / 2},
                 {1e299, 1.5e299, 1.25e299},
                 {tiny, tiny, tiny},
                 {tiny, 3 * tiny, 2 * tiny},
                 {2 * tiny, 3 * tiny, 2 * tiny}, /* 2.5 of the smallest, to even */
                 {0x1p-1022, 0x1p-1022, 0x1p-1022},
                 {0.1, 0.2, (0.1 + 0.2) / 2},
                 {0, 10, 0},
                 {10, 0, 0},
                 {-0.0, 10, 0},
                 {-1, 10, 0},
                 {10, -1, 0},
                 {-1, -1, 0},
                 {NAN, 10, 0},
                 {10, NAN, 0},
                 {INFINITY, 10, 0},
                 {10, INFINITY, 0},
                 {-INFINITY, INFINITY, 0},
                 {INFINITY, INFINITY, 0},
                 {3520, 1.7976931348623157e308, 0}, /* a vendor's "no price" */
                 {1.7976931348623157e308, 1.7976931348623157e308, 0},
                 {10, 1e300, 0},
                 {1e300, 10, 0},
                 {9.9e299, 9.9e299, 9.9e299}};
    enum { CASES = sizeof cases / sizeof cases[0] };
    double bid[CASES], ask[CASES];
    for (int i = 0; i < CASES; i++)
        bid[i] = cases[i].bid, ask[i] = cases[i].ask;
    struct check_column b, a;
    struct vf_column out;
    check_series(&b, "g", "bid", CASES, NULL, bid, NULL);
    check_series(&a, "g", "ask", CASES, NULL, ask, NULL);
    CHECK_POISON(out);
    CHECK_OK(vf_mid(NULL, &b.series, &a.series, &out, &check_error));
    for (int64_t i = 0; i < CASES; i++) {
        CHECK(check_valid(&out, i) == (cases[i].want != 0));
        if (cases[i].want != 0) CHECK_F64(check_f64(&out, i), cases[i].want);
    }
    CHECK(strcmp(out.schema.format, "g") == 0 && strcmp(out.schema.name, "mid") == 0);
    vf_column_release(&out);

    /* nulls of either side; chunks that do not line up; another type on each side */
    enum { ROWS = 5000 };
    static int32_t bids[ROWS];
    static float asks[ROWS];
    static uint8_t bid_bits[ROWS / 8 + 1], ask_bits[ROWS / 8 + 1];
    for (int64_t i = 0; i < ROWS; i++) {
        bids[i] = (int32_t)i, asks[i] = (float)i + 1;
        if (i % 5 != 0) vf__bit_set(bid_bits, i);
        if (i % 3 != 0) vf__bit_set(ask_bits, i);
    }
    struct check_column second;
    check_series(&b, "i", "bid", ROWS, bid_bits, bids, NULL);
    check_series(&a, "f", "ask", 1234, ask_bits, asks, NULL);
    check_series(&second, "f", "ask", ROWS - 1234, ask_bits, asks, NULL);
    second.array.offset = 1234;
    const struct ArrowArray *chunks[] = {&a.array, &second.array};
    struct vf_series ask_series = {.schema = &a.schema, .chunks = chunks, .n_chunks = 2};
    CHECK_OK(vf_mid(NULL, &b.series, &ask_series, &out, &check_error));
    for (int64_t i = 0; i < ROWS; i++) {
        CHECK(check_valid(&out, i) == (i % 5 != 0 && i % 3 != 0));
        if (check_valid(&out, i)) CHECK_F64(check_f64(&out, i), (double)i + 0.5);
    }
    vf_column_release(&out);
    CHECK_STATUS(vf_mid(NULL, &b.series, &a.series, &out, &check_error),
                 VF_ERROR_ARGUMENT); /* 5000 and 1234 rows */
    CHECK_STATUS(vf_mid(NULL, NULL, &a.series, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mid(NULL, &b.series, NULL, &out, &check_error), VF_ERROR_ARGUMENT);
    static const int32_t offsets[2] = {0};
    check_series(&a, "u", "ask", 1, NULL, offsets, "");
    check_series(&b, "i", "bid", 1, NULL, bids, NULL);
    CHECK_STATUS(vf_mid(NULL, &b.series, &a.series, &out, &check_error), VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "ask") == 0);
    for (int64_t i = 0; i < 100000; i++) { /* one rounding, as in long double */
        double p = ldexp(uniform() + 0.5, (int)(next_random() % 1980) - 990), q = p * (1 + uniform()), got;
        uint8_t ok = 1;
        vf__mid(&p, &q, 1, &got, &ok);
        CHECK(ok == 1 && got == (double)(((long double)p + (long double)q) / 2));
    }
}

int main(void) {
    test_a_million();
    test_bin_edges();
    test_bin_overflow();
    test_bin_types();
    test_snap();
    test_cast_ranges();
    test_cast_tolerance();
    test_cast_columns();
    test_mid();
    return check_report("bin");
}
