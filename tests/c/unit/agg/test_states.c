/* States that are stored and merged, and what follows from them: by hand, and against sums in another order.
   Not for grouping, which test_agg.c has. */
#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define LEAF(op, value, name, a, b)                                                                          \
    {                                                                                                        \
        op, value, name, {                                                                                   \
            a, b                                                                                             \
        }                                                                                                    \
    }

static bool same_bits(double a, double b) {
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static struct vf_agg *open_agg(uint32_t n_threads, const struct vf_agg_leaf *leaves, size_t n_leaves,
                               size_t n_keys, size_t n_values) {
    struct vf_agg *agg = NULL;
    struct vf_context ctx = {.n_threads = n_threads};
    CHECK_OK(vf_agg_open(&ctx, leaves, n_leaves, n_keys, n_values, &agg, &check_error));
    return agg;
}

static void release(struct vf_column *columns, size_t n) {
    for (size_t i = 0; i < n; i++)
        check_release(&columns[i]);
}

static int32_t i32_at(const struct vf_column *c, int64_t i) {
    return ((const int32_t *)c->array.buffers[1])[i];
}

/* One leaf over one float column, no keys: its value. */
static double value_of(enum vf_agg_op op, const double *x, int64_t n, struct vf_column *states) {
    const struct vf_agg_leaf leaf = LEAF(op, 0, "m", 0, 0);
    struct check_column a;
    struct vf_column out;
    struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 1);
    check_series(&a, "g", "x", n, NULL, x, NULL);
    CHECK_OK(vf_agg_update(agg, NULL, &a.series, n, &check_error));
    CHECK_OK(vf_agg_finish(agg, &out, &check_error));
    if (states != NULL) CHECK_OK(vf_agg_states(agg, states, &check_error));
    double value = check_f64(&out, 0);
    check_release(&out);
    vf_agg_close(agg);
    return value;
}

static void test_state_columns(void) {
    const double x[] = {1e16, 1.0, 1.0};
    struct vf_column s[2];
    CHECK_F64(value_of(VF_AGG_SUM, x, 3, s), 1e16 + 2);
    CHECK(strcmp(s[0].schema.name, "m.hi") == 0 && strcmp(s[1].schema.name, "m.lo") == 0);
    CHECK_F64(check_f64(&s[0], 0), 1e16 + 2);
    CHECK_F64(check_f64(&s[1], 0), 0.0);
    release(s, 2);
    const double y[] = {1e16, 1.0, -0x1p-60};
    CHECK_F64(value_of(VF_AGG_SUM, y, 3, s), 1e16);
    CHECK_F64(check_f64(&s[1], 0), 1.0); /* 2^-60 is below what the pair holds */
    release(s, 2);
}

/* A sum past DBL_MAX is stored so that a merge brings it back; true infinities stay. */
static void test_sum_past_the_largest_double(void) {
    const double x[] = {DBL_MAX, DBL_MAX}, y[] = {-DBL_MAX}, z[] = {INFINITY, 1.0};
    struct vf_column big[2], back[2], infinite[2];
    CHECK(value_of(VF_AGG_SUM, x, 2, big) == INFINITY && check_f64(&big[1], 0) == 2 * (DBL_MAX * 0x1p-64));
    CHECK(value_of(VF_AGG_SUM, y, 1, back) == -DBL_MAX);
    CHECK(value_of(VF_AGG_SUM, z, 2, infinite) == INFINITY && check_f64(&infinite[1], 0) == 0.0);
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_ADD_PAIR, 0, "m", 2, 0);
    const double hi[] = {check_f64(&big[0], 0), check_f64(&back[0], 0), check_f64(&infinite[0], 0)};
    const double lo[] = {check_f64(&big[1], 0), check_f64(&back[1], 0), check_f64(&infinite[1], 0)};
    for (int64_t n = 2; n <= 3; n++) {
        struct check_column a, b;
        struct vf_column out;
        struct vf_series values[] = {*check_series(&a, "g", "hi", n, NULL, hi, NULL),
                                     *check_series(&b, "g", "lo", n, NULL, lo, NULL)};
        struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 2);
        CHECK_OK(vf_agg_update(agg, NULL, values, n, &check_error));
        CHECK_OK(vf_agg_finish(agg, &out, &check_error));
        CHECK_F64(check_f64(&out, 0), n == 2 ? DBL_MAX : INFINITY);
        check_release(&out);
        vf_agg_close(agg);
    }
    release(big, 2);
    release(back, 2);
    release(infinite, 2);
}

static void test_squares_are_exact(void) {
    const double x[] = {1e8 + 1, 1e8 - 1, -1e8, 3.0};
    CHECK_F64(value_of(VF_AGG_SQUARES, x, 4, NULL), 3e16 + 11); /* 2e16 + 2 + 1e16 + 9, rounded once */
    const double y[] = {1.0 + 0x1p-40, -0x1p-80};
    struct vf_column s[2];
    (void)value_of(VF_AGG_SQUARES, y, 1, s);
    CHECK_F64(check_f64(&s[0], 0), 1.0 + 0x1p-39);
    CHECK_F64(check_f64(&s[1], 0), 0x1p-80);
    release(s, 2);
    const double large[] = {1e200, 1.0};
    CHECK(value_of(VF_AGG_SQUARES, large, 2, NULL) == INFINITY);
    const double nan[] = {NAN};
    CHECK(isnan(value_of(VF_AGG_SQUARES, nan, 1, NULL)));
}

static void test_dot_needs_both(void) {
    const double x[] = {1, 2, 3, 4}, y[] = {10, 20, 30, 40};
    const uint8_t x_valid[] = {0x0d}, y_valid[] = {0x0b}; /* x: rows 0, 2, 3; y: rows 0, 1, 3 */
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_DOT, 0, "xy", 2, 0);
    struct check_column a, b;
    struct vf_column out;
    struct vf_series values[] = {*check_series(&a, "g", "x", 4, x_valid, x, NULL),
                                 *check_series(&b, "g", "y", 4, y_valid, y, NULL)};
    struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 2);
    CHECK_OK(vf_agg_update(agg, NULL, values, 4, &check_error));
    CHECK_OK(vf_agg_finish(agg, &out, &check_error));
    CHECK_F64(check_f64(&out, 0), 170);
    check_release(&out);
    vf_agg_close(agg);
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

static enum vf_status int_product(const int64_t *x, int64_t n, const char *format, int64_t *value) {
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_PRODUCT, 0, "p", 0, 0);
    struct check_column a;
    struct vf_column out;
    CHECK_POISON(out);
    struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 1);
    check_series(&a, format, "x", n, NULL, x, NULL);
    CHECK_OK(vf_agg_update(agg, NULL, &a.series, n, &check_error));
    enum vf_status status = vf_agg_finish(agg, &out, &check_error);
    if (status == VF_OK) *value = check_i64(&out, 0);
    check_release(&out);
    vf_agg_close(agg);
    return status;
}

static void test_int_products(void) {
    int64_t v = 0;
    CHECK_OK(int_product(NULL, 0, "l", &v));
    CHECK_I64(v, 1);
    CHECK_OK(int_product((const int64_t[]){-3, 4, -5}, 3, "l", &v));
    CHECK_I64(v, 60);
    CHECK_OK(int_product((const int64_t[]){INT64_MIN, 1}, 2, "l", &v));
    CHECK_I64(v, INT64_MIN);
    CHECK_OK(int_product((const int64_t[]){INT64_C(1) << 32, INT64_C(1) << 32, 7, 0}, 4, "l", &v));
    CHECK_I64(v, 0); /* the order in which zero comes does not matter */
    CHECK_STATUS(int_product((const int64_t[]){INT64_MIN, -1}, 2, "l", &v), VF_ERROR_OVERFLOW);
    CHECK(strstr(check_error.message, "product") != NULL);
    CHECK_STATUS(int_product((const int64_t[]){-1, 1}, 2, "L", &v), VF_ERROR_OVERFLOW); /* 2^64 - 1 */
    CHECK_STATUS(int_product((const int64_t[]){INT64_C(1) << 32, INT64_C(1) << 32}, 2, "l", &v),
                 VF_ERROR_OVERFLOW);
}

static void test_float_products(void) {
    const double x[] = {1e200, 1e200, 1e-300, -2.0};
    struct vf_column s[3];
    CHECK_F64(value_of(VF_AGG_PRODUCT, x, 0, NULL), 1.0);
    CHECK(fabs(value_of(VF_AGG_PRODUCT, x, 4, s) / -2e100 - 1) < 1e-15); /* no overflow in between */
    CHECK(fabs(check_f64(&s[0], 0)) >= 0.5 && fabs(check_f64(&s[0], 0)) < 1.0);
    CHECK_F64(ldexp(check_f64(&s[0], 0), (int)check_i64(&s[2], 0)), value_of(VF_AGG_PRODUCT, x, 4, NULL));
    CHECK(strcmp(s[2].schema.name, "m.exponent") == 0);
    release(s, 3);
    const double zero[] = {0.0, 1e308}, nan[] = {NAN, 2.0}, mixed[] = {INFINITY, 0.0},
                 tiny[] = {1e-200, 1e-200};
    CHECK_F64(value_of(VF_AGG_PRODUCT, zero, 2, NULL), 0.0);
    CHECK(isnan(value_of(VF_AGG_PRODUCT, nan, 2, NULL)) && isnan(value_of(VF_AGG_PRODUCT, mixed, 2, NULL)));
    CHECK_F64(value_of(VF_AGG_PRODUCT, tiny, 2, s), 0.0); /* the value; the state goes on */
    CHECK(check_f64(&s[0], 0) > 0);
    release(s, 3);
}

static void test_merged_products(void) {
    const double hi[] = {0.5, 0.75, 0.0}, lo[] = {0.0, 0x1p-60, 0.0};
    const int64_t e[] = {2000, -1998, INT64_MAX};
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_MERGE_PRODUCT, 0, "p", 2, 3);
    for (int64_t n = 0; n <= 3; n++) {
        struct check_column a, b, c;
        struct vf_column out;
        struct vf_series values[] = {*check_series(&a, "g", "hi", n, NULL, hi, NULL),
                                     *check_series(&b, "g", "lo", n, NULL, lo, NULL),
                                     *check_series(&c, "l", "e", n, NULL, e, NULL)};
        struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 3);
        CHECK_OK(vf_agg_update(agg, NULL, values, n, &check_error));
        CHECK_OK(vf_agg_finish(agg, &out, &check_error));
        const double want[] = {1.0, INFINITY, 1.5, 0.0};
        CHECK_F64(check_f64(&out, 0), want[n]);
        check_release(&out);
        vf_agg_close(agg);
    }
}

/* ---- first and last -------------------------------------------------------------------------------------------------- */

enum { ROWS = 200000 };
static int64_t place_key[ROWS];
static double place_x[ROWS];
static uint8_t place_mask[ROWS / 8], place_valid[ROWS / 8];

/* Threads, and updates of any size, give what one pass gives. */
static void test_places(uint32_t n_threads, int64_t step) {
    const struct vf_agg_leaf leaves[] = {LEAF(VF_AGG_FIRST, 0, "f", 0, 0), LEAF(VF_AGG_LAST, 0, "l", 0, 0),
                                         LEAF(VF_AGG_FIRST, 0, "fm", 2, 0), LEAF(VF_AGG_LAST, 0, "lm", 2, 0)};
    struct vf_agg *agg = open_agg(n_threads, leaves, 4, 1, 2);
    for (int64_t at = 0; at < ROWS; at += step) {
        int64_t n = ROWS - at < step ? ROWS - at : step;
        struct check_column k, x, m;
        struct vf_series keys[] = {*check_series(&k, "l", "k", n, NULL, place_key + at, NULL)};
        struct vf_series values[] = {*check_series(&x, "g", "x", n, place_valid + at / 8, place_x + at, NULL),
                                     *check_series(&m, "b", "m", n, NULL, place_mask + at / 8, NULL)};
        CHECK_OK(vf_agg_update(agg, keys, values, n, &check_error));
    }
    CHECK_I64((int64_t)vf_agg_state_columns(agg), 13);
    struct vf_column out[13];
    CHECK_OK(vf_agg_states(agg, out, &check_error));
    for (int64_t g = 0; g < vf_agg_groups(agg); g++) {
        int64_t key = check_i64(&out[0], g), place[4] = {-1, -1, -1, -1};
        for (int64_t i = 0; i < ROWS; i++) {
            if (place_key[i] != key) continue;
            bool in = (place_mask[i / 8] >> (i & 7) & 1) != 0;
            if (place[0] < 0) place[0] = i;
            place[1] = i;
            if (in && place[2] < 0) place[2] = i;
            if (in) place[3] = i;
        }
        for (int l = 0; l < 4; l++) {
            const struct vf_column *value = &out[1 + 3 * l], *date = value + 1, *row = value + 2;
            int64_t i = place[l];
            bool valid = i >= 0 && (place_valid[i / 8] >> (i & 7) & 1) != 0;
            CHECK(check_valid(row, g) == (i >= 0) && !check_valid(date, g) && check_valid(value, g) == valid);
            if (i >= 0) CHECK_I64(check_i64(row, g), i);
            if (valid) CHECK_F64(check_f64(value, g), place_x[i]);
        }
    }
    release(out, 13);
    vf_agg_close(agg);
}

static void test_all_places(void) {
    for (int64_t i = 0; i < ROWS; i++) {
        place_key[i] = i * 7919 % 37;
        place_x[i] = (double)i;
        if (i * 31 % 10 > 7 && place_key[i] != 5) place_mask[i / 8] |= (uint8_t)(1u << (i & 7));
        if (i % 3 != 0) place_valid[i / 8] |= (uint8_t)(1u << (i & 7));
    }
    test_places(1, ROWS);
    test_places(3, ROWS);
    test_places(3, 70000);
    test_places(1, 1048);
}

static void test_merged_places(void) {
    const int32_t x[] = {10, 20, 30, 40, 50}, date[] = {5, 4, 4, 6, 3};
    const int64_t row[] = {0, 9, 2, 1, 7};
    const uint8_t row_valid[] = {0x0f}, x_valid[] = {0x1b},
                  date_valid[] = {0x1f}; /* row 2 has no value, 4 no row */
    const struct vf_agg_leaf leaves[] = {LEAF(VF_AGG_MERGE_FIRST, 0, "f", 2, 3),
                                         LEAF(VF_AGG_MERGE_LAST, 0, "l", 2, 3)};
    struct check_column a, b, c;
    struct vf_column out[6];
    struct vf_series values[] = {*check_series(&a, "i", "x", 5, x_valid, x, NULL),
                                 *check_series(&b, "tdD", "date", 5, date_valid, date, NULL),
                                 *check_series(&c, "l", "row", 5, row_valid, row, NULL)};
    struct vf_agg *agg = open_agg(1, leaves, 2, 0, 3);
    CHECK_OK(vf_agg_update(agg, NULL, values, 5, &check_error));
    CHECK_OK(vf_agg_states(agg, out, &check_error));
    CHECK(!check_valid(&out[0], 0)); /* date 4, row 2: a null is a first value too */
    CHECK_I64(i32_at(&out[1], 0), 4);
    CHECK_I64(check_i64(&out[2], 0), 2);
    CHECK_I64(i32_at(&out[3], 0), 40);
    CHECK_I64(i32_at(&out[4], 0), 6);
    release(out, 6);
    vf_agg_close(agg);
}

/* Rows of an object that is merged come after those that were there. */
static void test_places_of_merged_objects(void) {
    const struct vf_agg_leaf leaves[] = {LEAF(VF_AGG_FIRST, 0, "f", 0, 0), LEAF(VF_AGG_LAST, 0, "l", 0, 0)};
    const double x[] = {1, 2, 3}, y[] = {4, 5};
    struct check_column a, b;
    struct vf_column out[6];
    struct vf_agg *one = open_agg(1, leaves, 2, 0, 1), *two = open_agg(1, leaves, 2, 0, 1);
    check_series(&a, "g", "x", 3, NULL, x, NULL);
    check_series(&b, "g", "x", 2, NULL, y, NULL);
    CHECK_OK(vf_agg_update(one, NULL, &a.series, 3, &check_error));
    CHECK_OK(vf_agg_update(two, NULL, &b.series, 2, &check_error));
    CHECK_OK(vf_agg_merge(one, two, &check_error));
    CHECK_OK(vf_agg_states(one, out, &check_error));
    CHECK_F64(check_f64(&out[0], 0), 1);
    CHECK_F64(check_f64(&out[3], 0), 5);
    CHECK_I64(check_i64(&out[5], 0), 4);
    release(out, 6);
    vf_agg_close(one);
    vf_agg_close(two);
}

/* ---- merging pairs in any order ------------------------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 11;
}

static void merged(const double *hi, const double *lo, const int64_t *order, int64_t n, double *out) {
    double h[64], l[64];
    for (int64_t i = 0; i < n; i++)
        h[i] = hi[order[i]], l[i] = lo[order[i]];
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_ADD_PAIR, 0, "m", 2, 0);
    struct check_column a, b;
    struct vf_column s[2];
    struct vf_series values[] = {*check_series(&a, "g", "hi", n, NULL, h, NULL),
                                 *check_series(&b, "g", "lo", n, NULL, l, NULL)};
    struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 2);
    CHECK_OK(vf_agg_update(agg, NULL, values, n, &check_error));
    CHECK_OK(vf_agg_states(agg, s, &check_error));
    out[0] = check_f64(&s[0], 0);
    out[1] = check_f64(&s[1], 0);
    release(s, 2);
    vf_agg_close(agg);
}

static void test_order_of_merges_changes_no_bit(void) {
    uint64_t random = 1;
    for (int round = 0; round < 50; round++) {
        double hi[64], lo[64], first[2], again[2];
        int64_t order[64];
        for (int64_t i = 0; i < 64; i++) {
            hi[i] = ldexp((double)next_random(&random) - 0x1p52, (int)(next_random(&random) % 60));
            lo[i] = hi[i] * 0x1p-54;
            order[i] = i;
        }
        merged(hi, lo, order, 64, first);
        for (int64_t i = 63; i > 0; i--) {
            int64_t j = (int64_t)(next_random(&random) % (uint64_t)(i + 1)), keep = order[i];
            order[i] = order[j];
            order[j] = keep;
        }
        merged(hi, lo, order, 64, again);
        CHECK(same_bits(first[0], again[0]) && same_bits(first[1], again[1]));
        /* a tree of merges: two halves, and then those */
        double half[2][2];
        merged(hi, lo, order, 32, half[0]);
        merged(hi, lo, order + 32, 32, half[1]);
        merged((const double[]){half[0][0], half[1][0]}, (const double[]){half[0][1], half[1][1]},
               (const int64_t[]){0, 1}, 2, again);
        CHECK(fabs(again[0] - first[0]) <= 1e-15 * fabs(first[0]));
    }
}

/* ---- moments ---------------------------------------------------------------------------------------------------------------- */

static double moment(enum vf_moment which, uint32_t ddof, const double *reals, size_t n_reals,
                     const int64_t *ints, size_t n_ints, bool *valid) {
    struct check_column columns[12];
    struct vf_series series[12];
    struct vf_column out;
    for (size_t c = 0; c < n_reals; c++)
        series[c] = *check_series(&columns[c], "g", "x", 1, NULL, reals + c, NULL);
    for (size_t c = 0; c < n_ints; c++)
        series[n_reals + c] = *check_series(&columns[n_reals + c], "l", "n", 1, NULL, ints + c, NULL);
    CHECK_OK(vf_moment_value(NULL, which, ddof, series, n_reals + n_ints, &out, &check_error));
    *valid = check_valid(&out, 0);
    double value = check_f64(&out, 0);
    check_release(&out);
    return value;
}

static void test_means(void) {
    bool valid;
    CHECK_F64(
        moment(VF_MOMENT_MEAN, 0, (const double[]){1.0, 0x1p-54}, 2, (const int64_t[]){5, 2}, 2, &valid),
        0x1.5555555555556p-2); /* the low part decides the last bit */
    CHECK(valid);
    (void)moment(VF_MOMENT_MEAN, 0, (const double[]){0.0, 0.0}, 2, (const int64_t[]){3, 3}, 2, &valid);
    CHECK(!valid);
    /* the sum left float64, its mean did not */
    CHECK_F64(moment(VF_MOMENT_MEAN, 0, (const double[]){INFINITY, 3 * (DBL_MAX * 0x1p-64)}, 2,
                     (const int64_t[]){3, 0}, 2, &valid),
              DBL_MAX);
    CHECK_F64(moment(VF_MOMENT_MEAN_INT, 0, NULL, 0, (const int64_t[]){-7, 4, 2}, 3, &valid), -3.5);
    CHECK(
        isnan(moment(VF_MOMENT_MEAN, 0, (const double[]){NAN, 0.0}, 2, (const int64_t[]){3, 0}, 2, &valid)));
    CHECK(valid);
}

static void test_mean_of_durations(void) {
    const int64_t sum[] = {-7, 10, 5}, rows[] = {2, 3, 1}, nulls[] = {0, 0, 1};
    struct check_column a, b, c;
    struct vf_column out;
    struct vf_series series[] = {*check_series(&a, "tDu", "d", 3, NULL, sum, NULL),
                                 *check_series(&b, "l", "rows", 3, NULL, rows, NULL),
                                 *check_series(&c, "l", "nulls", 3, NULL, nulls, NULL)};
    CHECK_OK(vf_moment_value(NULL, VF_MOMENT_MEAN_INT, 0, series, 3, &out, &check_error));
    CHECK(strcmp(out.schema.format, "tDu") == 0 && !check_valid(&out, 2));
    CHECK_I64(check_i64(&out, 0), -3); /* the fraction is dropped */
    CHECK_I64(check_i64(&out, 1), 3);
    check_release(&out);
}

/* Var, std, cov and corr of rows, through states. */
static void states_of(const double *x, const double *y, int64_t n, double *pairs) {
    const struct vf_agg_leaf leaves[] = {
        LEAF(VF_AGG_SUM, 0, "x", 0, 0), LEAF(VF_AGG_SUM, 1, "y", 0, 0), LEAF(VF_AGG_SQUARES, 0, "xx", 0, 0),
        LEAF(VF_AGG_SQUARES, 1, "yy", 0, 0), LEAF(VF_AGG_DOT, 0, "xy", 2, 0)};
    struct check_column a, b;
    struct vf_column s[10];
    struct vf_series values[] = {*check_series(&a, "g", "x", n, NULL, x, NULL),
                                 *check_series(&b, "g", "y", n, NULL, y, NULL)};
    struct vf_agg *agg = open_agg(1, leaves, 5, 0, 2);
    CHECK_OK(vf_agg_update(agg, NULL, values, n, &check_error));
    CHECK_OK(vf_agg_states(agg, s, &check_error));
    for (int c = 0; c < 10; c++)
        pairs[c] = check_f64(&s[c], 0);
    release(s, 10);
    vf_agg_close(agg);
}

static double variance(const double *pairs, int64_t n, uint32_t ddof, bool *valid) {
    const double sums[] = {pairs[0], pairs[1], pairs[4], pairs[5]};
    return moment(VF_MOMENT_VAR, ddof, sums, 4, (const int64_t[]){n, 0}, 2, valid);
}

static void test_variance_far_from_zero(void) {
    enum { N = 4096 };
    static double x[N], y[N];
    double pairs[10];
    bool valid;
    for (double mean = 1.0; mean <= 1e10; mean *= 1e5) { /* sd is about 0.29 */
        long double m = 0, m2 = 0;
        uint64_t random = 7;
        for (int i = 0; i < N; i++) {
            x[i] = mean + (double)(next_random(&random) % 1000) / 1000;
            y[i] = -2 * x[i];
        }
        for (int i = 0; i < N; i++)
            m += (long double)x[i] / N;
        for (int i = 0; i < N; i++)
            m2 += ((long double)x[i] - m) * ((long double)x[i] - m);
        states_of(x, y, N, pairs);
        double var = variance(pairs, N, 1, &valid), want = (double)(m2 / (N - 1));
        CHECK(valid && fabs(var - want) <= 1e-9 * want);
        const double cov[] = {pairs[0], pairs[1], pairs[2], pairs[3], pairs[8], pairs[9]};
        CHECK(fabs(moment(VF_MOMENT_COV, 1, cov, 6, (const int64_t[]){N, 0}, 2, &valid) + 2 * want) <=
              4e-9 * want);
        CHECK(fabs(moment(VF_MOMENT_CORR, 0, pairs, 10, (const int64_t[]){N, 0}, 2, &valid) + 1) < 1e-9);
    }
}

static void test_variance_by_hand(void) {
    double pairs[10];
    bool valid;
    states_of((const double[]){1, 2, 4}, (const double[]){3, 3, 3}, 3, pairs);
    CHECK_F64(variance(pairs, 3, 0, &valid), 14.0 / 9);
    (void)variance(pairs, 3, 3, &valid);
    CHECK(!valid); /* n <= ddof */
    CHECK(isnan(moment(VF_MOMENT_CORR, 0, pairs, 10, (const int64_t[]){3, 0}, 2, &valid)) && valid);
    states_of((const double[]){0.1, 0.1, 0.1}, (const double[]){1, 1, 1}, 3, pairs);
    CHECK_F64(variance(pairs, 3, 1, &valid), 0.0); /* a constant, though 0.01 has no end in binary */
    states_of((const double[]){1e200, 1e200}, (const double[]){1, 2}, 2, pairs);
    CHECK(
        isnan(variance(pairs, 2, 1, &valid))); /* squares leave float64: no number rather than a wrong one */
    states_of((const double[]){INFINITY, 1}, (const double[]){1, 2}, 2, pairs);
    CHECK(isnan(variance(pairs, 2, 1, &valid)));
}

static void test_refused(void) {
    const double x[] = {1.0};
    const int64_t n[] = {1};
    struct check_column a, b, t;
    struct vf_column out;
    CHECK_POISON(out);
    struct vf_agg *agg = NULL;
    struct vf_series real[] = {*check_series(&a, "g", "x", 1, NULL, x, NULL)};
    struct vf_series whole[] = {*check_series(&b, "l", "n", 1, NULL, n, NULL)};
    const struct vf_agg_leaf mean = LEAF(VF_AGG_MEAN, 0, "m", 0, 0),
                             alone = LEAF(VF_AGG_ADD_PAIR, 0, "p", 0, 0),
                             outside = LEAF(VF_AGG_DOT, 0, "d", 3, 0), extra = LEAF(VF_AGG_SUM, 0, "s", 1, 0),
                             masked = LEAF(VF_AGG_FIRST, 0, "f", 1, 0),
                             text = LEAF(VF_AGG_FIRST, 0, "f", 0, 0);
    CHECK_STATUS(vf_agg_open(NULL, &alone, 1, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "add_pair takes 1 to 1") != NULL);
    CHECK_STATUS(vf_agg_open(NULL, &outside, 1, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_open(NULL, &extra, 1, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    agg = open_agg(1, &masked, 1, 0, 1);
    CHECK_STATUS(vf_agg_update(agg, NULL, real, 1, &check_error), VF_ERROR_TYPE); /* the mask is no boolean */
    CHECK(strstr(check_error.message, "second column") != NULL);
    CHECK_I64((int64_t)vf_agg_state_columns(agg), 0);
    CHECK_STATUS(vf_agg_states(agg, &out, &check_error), VF_ERROR_STATE);
    vf_agg_close(agg);
    agg = open_agg(1, &text, 1, 0, 1);
    static const int32_t offsets[] = {0, 1};
    struct vf_series texts[] = {*check_series(&t, "u", "t", 1, NULL, offsets, "a")};
    CHECK_STATUS(vf_agg_update(agg, NULL, texts, 1, &check_error), VF_ERROR_TYPE);
    vf_agg_close(agg);
    agg = open_agg(1, &mean, 1, 0, 1);
    CHECK_OK(vf_agg_update(agg, NULL, real, 1, &check_error));
    CHECK_STATUS(vf_agg_states(agg, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK(check_is_rubbish(&out, sizeof out));
    vf_agg_close(agg);
    CHECK_STATUS(vf_moment_value(NULL, VF_MOMENT_MEAN, 0, real, 1, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_moment_value(NULL, (enum vf_moment)99, 0, real, 1, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    struct vf_series wrong[] = {real[0], whole[0], whole[0], whole[0]};
    CHECK_STATUS(vf_moment_value(NULL, VF_MOMENT_MEAN, 0, wrong, 4, &out, &check_error), VF_ERROR_TYPE);
    CHECK(check_is_rubbish(&out, sizeof out));
}

/* Every operation that refuses a text says what to do instead, and what it says is its own. */
static void test_advice(void) {
    static const struct {
        enum vf_agg_op op;
        const char *advice;
        uint32_t more[2];
    } rows[] = {
        {VF_AGG_SUM,
         "sum of column \"t\" (leaf \"x\"), which is String: it takes numbers, booleans and durations",
         {0, 0}},
        {VF_AGG_MEAN, "it takes numbers, booleans and durations; cast it first", {0, 0}},
        {VF_AGG_MIN, "dates, times and durations; put a string into the keys", {0, 0}},
        {VF_AGG_MAX, "dates, times and durations; put a string into the keys", {0, 0}},
        {VF_AGG_PRODUCT, "it takes numbers and booleans; cast it first", {0, 0}},
        {VF_AGG_FIRST, "dates, times and durations; put a string into the keys", {0, 0}},
        {VF_AGG_LAST, "dates, times and durations; put a string into the keys", {0, 0}},
        {VF_AGG_SQUARES, "cast it to Float64 first", {0, 0}},
        {VF_AGG_DOT, "cast it to Float64 first", {1, 0}},
        {VF_AGG_ADD_PAIR, "it takes the columns that vf_agg_states gives", {1, 0}},
        {VF_AGG_MERGE_FIRST, "it takes the columns that vf_agg_states gives", {1, 1}},
        {VF_AGG_MERGE_LAST, "it takes the columns that vf_agg_states gives", {1, 1}},
        {VF_AGG_MERGE_PRODUCT, "it takes the columns that vf_agg_states gives", {1, 1}},
    };
    static const int32_t offsets[] = {0, 1};
    struct check_column t;
    const struct vf_series text = *check_series(&t, "u", "t", 1, NULL, offsets, "a");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct vf_agg_leaf leaf = {rows[i].op, 0, "x", {rows[i].more[0], rows[i].more[1]}};
        struct vf_agg *agg = open_agg(1, &leaf, 1, 0, 1);
        CHECK_STATUS(vf_agg_update(agg, NULL, &text, 1, &check_error), VF_ERROR_TYPE);
        CHECK(strstr(check_error.message, rows[i].advice) != NULL);
        vf_agg_close(agg);
    }
}

/* NaN is no extreme unless there is nothing else, of either sign. */
static void test_extremes_pass_over_nan(void) {
    const double x[] = {(double)NAN, 1, -(double)NAN, 2, (double)NAN}, y[] = {(double)NAN, -(double)NAN}, z[] = {-0.0, 0.0};
    CHECK_F64(value_of(VF_AGG_MAX, x, 5, NULL), 2);
    CHECK_F64(value_of(VF_AGG_MIN, x, 5, NULL), 1);
    CHECK(isnan(value_of(VF_AGG_MAX, y, 2, NULL)) && isnan(value_of(VF_AGG_MIN, y, 2, NULL)));
    CHECK(same_bits(value_of(VF_AGG_MAX, z, 2, NULL), 0.0) && same_bits(value_of(VF_AGG_MIN, z, 2, NULL), -0.0));
}

/* (1 + 2^-30)^3 = 1 + 3 * 2^-30 + 3 * 2^-60 + 2^-90: what does not fit hi is in lo, to the last bit. */
static void test_products_keep_106_bits(void) {
    const double x[] = {1 + 0x1p-30, 1 + 0x1p-30, 1 + 0x1p-30};
    struct vf_column s[3];
    CHECK_F64(value_of(VF_AGG_PRODUCT, x, 3, s), 1 + 3 * 0x1p-30);
    CHECK_F64(check_f64(&s[0], 0), (1 + 3 * 0x1p-30) / 2);
    CHECK_F64(check_f64(&s[1], 0), (3 * 0x1p-60 + 0x1p-90) / 2);
    CHECK_I64(check_i64(&s[2], 0), 1);
    release(s, 3);
}

/* Two metrics of one value and date, each with its own rows, are two. */
static void test_firsts_by_different_rows(void) {
    const double x[] = {10, 20};
    const int32_t date[] = {1, 1};
    const int64_t rows_a[] = {1, 2}, rows_b[] = {2, 1};
    const struct vf_agg_leaf leaves[] = {LEAF(VF_AGG_MERGE_FIRST, 0, "a", 2, 3), LEAF(VF_AGG_MERGE_FIRST, 0, "b", 2, 4)};
    struct check_column c[4];
    struct vf_column out[2];
    struct vf_series values[] = {*check_series(&c[0], "g", "x", 2, NULL, x, NULL),
                                 *check_series(&c[1], "tdD", "date", 2, NULL, date, NULL),
                                 *check_series(&c[2], "l", "a.row", 2, NULL, rows_a, NULL),
                                 *check_series(&c[3], "l", "b.row", 2, NULL, rows_b, NULL)};
    struct vf_agg *agg = open_agg(1, leaves, 2, 0, 4);
    CHECK_OK(vf_agg_update(agg, NULL, values, 2, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_F64(check_f64(&out[0], 0), 10);
    CHECK_F64(check_f64(&out[1], 0), 20);
    release(out, 2);
    vf_agg_close(agg);
}

/* One leaf over columns of any type, no keys, n rows at most 8; what is null is so by its bitmap. */
struct given {
    const char *format;
    const void *data;
    uint8_t valid;
};
static enum vf_status one_leaf(enum vf_agg_op op, const struct given *g, size_t n_columns, int64_t n, struct vf_column *out,
                               struct vf_column *states) {
    static const struct vf_agg_leaf alone = LEAF(VF_AGG_LEN, 0, "m", 0, 0);
    struct vf_agg_leaf leaf = alone;
    struct check_column c[3];
    struct vf_series values[3];
    leaf.op = op;
    for (size_t i = 0; i < n_columns; i++) {
        values[i] = *check_series(&c[i], g[i].format, "x", n, &g[i].valid, g[i].data, NULL);
        if (i > 0) leaf.more[i - 1] = (uint32_t)i + 1;
    }
    struct vf_agg *agg = open_agg(1, &leaf, 1, 0, n_columns);
    enum vf_status status = vf_agg_update(agg, NULL, values, n, &check_error);
    if (status == VF_OK) status = vf_agg_finish(agg, out, &check_error);
    if (status == VF_OK && states != NULL) status = vf_agg_states(agg, states, &check_error);
    vf_agg_close(agg);
    return status;
}

/* Rows 1 and 3 are null, and what stands there would change every result. */
static void test_nulls_are_passed_over(void) {
    static const int64_t whole[4] = {3, 0, -5, INT64_MIN}, row[4] = {7, 1, 3, 2};
    static const uint64_t raw[4] = {UINT64_MAX - 1, UINT64_MAX, 1, 0};
    static const double real[4] = {2, NAN, 0.5, INFINITY}, low[4] = {0, 5, 0, 5};
    static const int32_t date[4] = {1, 0, 1, 0};
    enum { SOME = 0x05, ALL = 0x0f };
    const struct {
        enum vf_agg_op op;
        struct given columns[3];
        size_t n_columns;
        double real;
        int64_t whole;
    } cases[] = {{VF_AGG_PRODUCT, {{"l", whole, SOME}}, 1, 0, -15},
                 {VF_AGG_MIN, {{"l", whole, SOME}}, 1, 0, -5},
                 {VF_AGG_MAX, {{"l", whole, SOME}}, 1, 0, 3},
                 {VF_AGG_MIN, {{"L", raw, SOME}}, 1, 0, 1},
                 {VF_AGG_MAX, {{"L", raw, SOME}}, 1, 0, -2},
                 {VF_AGG_FIRST, {{"l", whole, SOME}}, 1, 0, 3},
                 {VF_AGG_MERGE_LAST, {{"l", whole, ALL}, {"tdD", date, ALL}, {"l", row, SOME}}, 3, 0, 3},
                 {VF_AGG_MERGE_FIRST, {{"l", whole, ALL}, {"tdD", date, SOME}, {"l", row, ALL}}, 3, 0, 0},
                 {VF_AGG_PRODUCT, {{"g", real, SOME}}, 1, 1, 0},
                 {VF_AGG_SQUARES, {{"g", real, SOME}}, 1, 4.25, 0},
                 {VF_AGG_SUM, {{"g", real, SOME}}, 1, 2.5, 0},
                 {VF_AGG_ADD_PAIR, {{"g", real, SOME}, {"g", low, SOME}}, 2, 2.5, 0},
                 {VF_AGG_MERGE_PRODUCT, {{"g", real, SOME}, {"g", low, ALL}, {"l", row, ALL}}, 3, 1024, 0},
                 {VF_AGG_MERGE_PRODUCT, {{"g", real, ALL}, {"g", low, SOME}, {"l", row, ALL}}, 3, 1024, 0},
                 {VF_AGG_MERGE_PRODUCT, {{"g", real, ALL}, {"g", low, ALL}, {"l", row, SOME}}, 3, 1024, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct vf_column out;
        CHECK_POISON(out);
        CHECK_OK(one_leaf(cases[k].op, cases[k].columns, cases[k].n_columns, 4, &out, NULL));
        if (cases[k].columns[0].format[0] == 'g')
            CHECK_F64(check_f64(&out, 0), cases[k].real);
        else
            CHECK_I64(check_i64(&out, 0), cases[k].whole);
        check_release(&out);
    }
    /* of uint64, a product past int64 is told, of which the null would have been a factor */
    struct vf_column out;
    CHECK_POISON(out);
    const struct given huge[1] = {{"L", raw, 0x04}};
    CHECK_OK(one_leaf(VF_AGG_PRODUCT, huge, 1, 4, &out, NULL));
    CHECK_I64(check_i64(&out, 0), 1);
    check_release(&out);
}

/* A null date comes before all dates; of one place told twice there is one answer, whatever came first. */
static void test_places_that_are_nearly_one(void) {
    static const int64_t x[4] = {10, 20, 30, 40}, y[4] = {40, 30, 20, 10}, rows[4] = {5, 5, 5, 5}, later[4] = {5, 6, 5, 4};
    static const int32_t date[4] = {3, 3, 3, 3};
    for (int swap = 0; swap < 2; swap++) {
        struct vf_column out;
        CHECK_POISON(out);
        const struct given same[3] = {{"l", swap ? y : x, 0x0f}, {"tdD", date, 0x0f}, {"l", rows, 0x0f}};
        CHECK_OK(one_leaf(VF_AGG_MERGE_FIRST, same, 3, 4, &out, NULL));
        CHECK_I64(check_i64(&out, 0), 10);
        check_release(&out);
        CHECK_OK(one_leaf(VF_AGG_MERGE_LAST, same, 3, 4, &out, NULL));
        CHECK_I64(check_i64(&out, 0), 40);
        check_release(&out);
        const struct given some[3] = {{"l", swap ? y : x, swap ? 0x07 : 0x0e}, {"tdD", date, 0x0f}, {"l", rows, 0x0f}};
        CHECK_OK(one_leaf(VF_AGG_MERGE_FIRST, some, 3, 4, &out, NULL)); /* one of them is a null value */
        CHECK(!check_valid(&out, 0));
        check_release(&out);
        CHECK_OK(one_leaf(VF_AGG_MERGE_LAST, some, 3, 4, &out, NULL));
        CHECK(check_valid(&out, 0));
        check_release(&out);
    }
    struct vf_column out;
    CHECK_POISON(out);
    const struct given by_row[3] = {{"l", x, 0x0f}, {"tdD", date, 0x0d}, {"l", later, 0x0f}}; /* row 1 has no date */
    CHECK_OK(one_leaf(VF_AGG_MERGE_FIRST, by_row, 3, 4, &out, NULL));
    CHECK_I64(check_i64(&out, 0), 20);
    check_release(&out);
    CHECK_OK(one_leaf(VF_AGG_MERGE_LAST, by_row, 3, 4, &out, NULL));
    CHECK_I64(check_i64(&out, 0), 30); /* the second of the two rows 5, which are one place */
    check_release(&out);
}

/* Exponents past everything a double has: the value is 0 or infinite, and the state does not wrap. */
static void test_exponents_do_not_wrap(void) {
    static const double hi[2] = {0.5, -0.5}, lo[2] = {0, 0};
    static const int64_t tiny[2] = {INT64_MIN, INT64_MIN}, huge[2] = {INT64_MAX, INT64_MAX}, both[2] = {INT64_MAX, INT64_MIN};
    const int64_t *const exponents[3] = {tiny, huge, both};
    for (int k = 0; k < 3; k++) {
        struct vf_column out, states[3];
        CHECK_POISON(out);
        CHECK_POISON(states);
        const struct given g[3] = {{"g", hi, 3}, {"g", lo, 3}, {"l", exponents[k], 3}};
        CHECK_OK(one_leaf(VF_AGG_MERGE_PRODUCT, g, 3, 2, &out, states));
        double value = check_f64(&out, 0);
        CHECK(k == 0 ? value == 0 && signbit(value) : k == 1 ? value == -INFINITY : value == -0.25);
        int64_t e = check_i64(&states[2], 0);
        CHECK(k == 0 ? e < -(INT64_C(1) << 59) : k == 1 ? e > INT64_C(1) << 59 : e == -1);
        check_release(&out);
        release(states, 3);
    }
    /* of nothing the state is 1, and stays so when it is merged into another, or another into it */
    struct vf_column states[3], out;
    const struct vf_agg_leaf leaf = LEAF(VF_AGG_PRODUCT, 0, "p", 0, 0);
    const double x[1] = {3};
    struct check_column c;
    struct vf_agg *empty = open_agg(1, &leaf, 1, 0, 1), *full = open_agg(1, &leaf, 1, 0, 1);
    check_series(&c, "g", "x", 0, NULL, x, NULL);
    CHECK_OK(vf_agg_update(empty, NULL, &c.series, 0, &check_error));
    CHECK_OK(vf_agg_states(empty, states, &check_error));
    CHECK(check_f64(&states[0], 0) == 0.5 && check_f64(&states[1], 0) == 0 && check_i64(&states[2], 0) == 1);
    release(states, 3);
    check_series(&c, "g", "x", 1, NULL, x, NULL);
    CHECK_OK(vf_agg_update(full, NULL, &c.series, 1, &check_error));
    CHECK_OK(vf_agg_merge(full, empty, &check_error));
    CHECK_OK(vf_agg_merge(empty, full, &check_error));
    for (int k = 0; k < 2; k++) {
        CHECK_OK(vf_agg_finish(k == 0 ? full : empty, &out, &check_error));
        CHECK_F64(check_f64(&out, 0), 3);
        check_release(&out);
    }
    vf_agg_close(empty);
    vf_agg_close(full);
}

/* Only a key's nulls are known at first, then values at both ends of int64, which widen its range to the last. */
static void test_keys_at_the_ends_of_int64(void) {
    static const int64_t blocks[][2] = {{0, 0}, {INT64_MAX - 3, INT64_MAX - 2}, {INT64_MAX, INT64_MAX - 1},
                                        {INT64_MIN + 2, 5},         {INT64_MIN, INT64_MIN + 1}};
    static const uint8_t none[1] = {0}, all[1] = {3};
    static const int64_t second[2] = {1, 2};
    for (size_t first = 0; first < 4; first += 3) /* growing upwards from the maximum; downwards from the minimum */
        for (size_t n_keys = 1; n_keys <= 2; n_keys++) {
            const struct vf_agg_leaf leaf = LEAF(VF_AGG_LEN, 0, "n", 0, 0);
            struct vf_agg *agg = open_agg(1, &leaf, 1, n_keys, 0);
            size_t order[5] = {0, first == 0 ? 1 : 3, first == 0 ? 2 : 4, first == 0 ? 3 : 1, first == 0 ? 4 : 2};
            for (size_t b = 0; b < 5; b++)
                for (int again = 0; again < 2; again++) {
                    struct check_column c[2];
                    struct vf_series keys[2] = {
                        *check_series(&c[0], "l", "k", 2, order[b] == 0 ? none : all, blocks[order[b]], NULL),
                        *check_series(&c[1], "l", "j", 2, NULL, second, NULL)};
                    CHECK_OK(vf_agg_update(agg, keys, NULL, 2, &check_error));
                }
            CHECK_I64(vf_agg_groups(agg), n_keys == 1 ? 9 : 10);
            struct vf_column out[3];
            CHECK_OK(vf_agg_finish(agg, out, &check_error));
            int64_t wrong = 0;
            for (int64_t g = 0; g < out[0].array.length; g++) {
                bool null = !check_valid(&out[0], g);
                int64_t key = null ? 0 : check_i64(&out[0], g), n = check_i64(&out[n_keys], g), want = null && n_keys == 1 ? 4 : 2;
                bool known = null;
                for (size_t b = 1; b < 5; b++)
                    known |= !null && (key == blocks[b][0] || key == blocks[b][1]);
                wrong += !known || n != want;
            }
            CHECK_I64(wrong, 0);
            release(out, n_keys + 1);
            vf_agg_close(agg);
        }
}

int main(void) {
    test_state_columns();
    test_sum_past_the_largest_double();
    test_squares_are_exact();
    test_dot_needs_both();
    test_int_products();
    test_float_products();
    test_merged_products();
    test_all_places();
    test_merged_places();
    test_places_of_merged_objects();
    test_order_of_merges_changes_no_bit();
    test_means();
    test_mean_of_durations();
    test_variance_far_from_zero();
    test_variance_by_hand();
    test_refused();
    test_advice();
    test_extremes_pass_over_nan();
    test_products_keep_106_bits();
    test_firsts_by_different_rows();
    test_nulls_are_passed_over();
    test_places_that_are_nearly_one();
    test_exponents_do_not_wrap();
    test_keys_at_the_ends_of_int64();
    return check_report("states");
}
