/* Grouped aggregation: cases by hand, an exact oracle for float sums, and that order, cuts, threads and merge trees
   change no bit. Not the N-th-malloc loop, which is in fault/. */
#include "check.h"

#include "agg/fsum.h"
#include "agg/groups.h"

/* ---- an oracle for sums: one long integer, least bit 2^-1100, bit by bit where it can be ------------------------------ */

#define LIMBS 74 /* of 32 bits, two's complement */
#define LOWEST 1100

struct oracle {
    uint32_t limb[LIMBS];
    bool nan, plus, minus;
};

static void oracle_add(struct oracle *o, double x) {
    if (isnan(x)) o->nan = true;
    if (isinf(x)) *(x > 0 ? &o->plus : &o->minus) = true;
    if (!isfinite(x) || x == 0) return;
    int exponent;
    uint64_t m = (uint64_t)ldexp(fabs(frexp(x, &exponent)), 53);
    int at = exponent - 53 + LOWEST;
    uint32_t add[LIMBS] = {0};
    for (int i = 0; i < 53; i++)
        if (m >> i & 1) add[(at + i) / 32] |= UINT32_C(1) << (at + i) % 32;
    uint64_t carry = x < 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)o->limb[i] + (x < 0 ? ~add[i] : add[i]);
        o->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

/* |sum| / divisor as bits, most significant first, rounded half to even by looking at the rest. */
static double oracle_value(const struct oracle *o, uint64_t divisor) {
    uint32_t m[LIMBS + 4] = {0}; /* four limbs below for the quotient's fraction */
    bool negative = o->limb[LIMBS - 1] >> 31 != 0, rest = false;
    uint64_t carry = negative;
    if (o->nan || (o->plus && o->minus)) return (double)NAN;
    if (o->plus || o->minus) return o->plus ? (double)INFINITY : -(double)INFINITY;
    for (int i = 0; i < LIMBS; i++) {
        carry += negative ? ~o->limb[i] : o->limb[i];
        m[i + 4] = (uint32_t)carry;
        carry >>= 32;
    }
    uint64_t remainder = 0;
    for (int i = (LIMBS + 4) * 32; i-- > 0;) {
        remainder = remainder << 1 | (m[i / 32] >> i % 32 & 1);
        m[i / 32] &= ~(UINT32_C(1) << i % 32);
        if (remainder < divisor) continue;
        remainder -= divisor;
        m[i / 32] |= UINT32_C(1) << i % 32;
    }
    int top = (LIMBS + 4) * 32 - 1;
    while (top >= 0 && (m[top / 32] >> top % 32 & 1) == 0)
        top--;
    if (top < 0) return 0.0;
    int low = top - 52, denormal = 128 + LOWEST - 1074;
    if (low < denormal) low = denormal;
    double value = 0;
    for (int i = top; i >= low; i--)
        value = value * 2 + (m[i / 32] >> i % 32 & 1);
    bool half = (m[(low - 1) / 32] >> (low - 1) % 32 & 1) != 0;
    rest = remainder != 0;
    for (int i = 0; i < low - 1; i++)
        rest |= (m[i / 32] >> i % 32 & 1) != 0;
    if (half && (rest || fmod(value, 2) != 0)) value += 1;
    value = ldexp(value, low - 128 - LOWEST);
    return negative ? -value : value;
}

static uint64_t random_state = UINT64_C(0x9e3779b97f4a7c15);
static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static bool same_bits(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Doubles of a kind: 0 prices, 1 any finite bits, 2 huge and tiny that cancel, 3 denormals, 4 halves of an ulp. */
static double random_double(int kind) {
    uint64_t r = random_bits();
    double x;
    switch (kind) {
    case 0:
        return (double)(int64_t)(r % 2000001 - 1000000) / 100.0;
    case 1:
        if ((r >> 52 & 0x7ff) == 0x7ff) r ^= UINT64_C(1) << 62;
        memcpy(&x, &r, sizeof x);
        return x;
    case 2: {
        static const double nasty[] = {1e300, -1e300, 1e-300, 1e16, 1.0,   -1e16,
                                       -1.0,  5e-324, -0.0,   0.0,  1e308, 1.7e308};
        return nasty[r % 12] * (r >> 40 & 1 ? 1.0 : -1.0);
    }
    case 3:
        return ldexp((double)(int64_t)(r % 2001 - 1000), -1074);
    default:
        return ldexp((double)(r % 3), r >> 30 & 1 ? 0 : -53);
    }
}

static struct vf_context plain_context(uint32_t n_threads) {
    return vf__context(&(struct vf_context){.n_threads = n_threads});
}

static void test_fsum_against_oracle(void) {
    struct vf_context ctx = plain_context(1);
    struct vf__spills spills, other_spills;
    vf__spills_init(&spills, &ctx);
    vf__spills_init(&other_spills, &ctx);
    for (int round = 0; round < 3000; round++) {
        struct vf__fsum sum = VF__FSUM_EMPTY, half = VF__FSUM_EMPTY, back = VF__FSUM_EMPTY;
        struct oracle o = {0};
        double x[64], hi, lo;
        int n = 1 + (int)(random_bits() % 64), kind = round % 5;
        for (int i = 0; i < n; i++) {
            x[i] = random_double(round % 7 == 0 ? (int)(random_bits() % 5) : kind);
            if (kind == 1 && (round & 8)) x[i] = ldexp(frexp(x[i], &(int){0}), (int)(random_bits() % 90));
            oracle_add(&o, x[i]);
            CHECK(vf__fsum_add(&sum, x[i], &spills));
            CHECK(vf__fsum_add(i % 3 == 0 ? &half : &back, x[i], &other_spills));
        }
        CHECK_F64(vf__fsum_value(&sum, &spills), oracle_value(&o, 1));
        uint64_t divisor = round % 4 == 0 ? random_bits() >> 1 | 1 : (uint64_t)n;
        CHECK_F64(vf__fsum_mean(&sum, &spills, divisor), oracle_value(&o, divisor));
        CHECK(vf__fsum_merge(&half, &other_spills, true, &back, &other_spills));
        CHECK_F64(vf__fsum_value(&half, &other_spills), oracle_value(&o, 1));
        vf__fsum_split(&sum, &spills, &hi, &lo);
        CHECK_F64(hi, oracle_value(&o, 1));
        if (isfinite(hi)) {
            oracle_add(&o, -hi);
            double rest = oracle_value(&o, 1);
            CHECK(lo == rest || (hi + rest != hi && lo == nextafter(rest, 0.0)));
            CHECK_F64(hi + lo, hi);
            vf__fsum_clear(&sum, &spills);
            CHECK(same_bits(vf__fsum_value(&sum, &spills), 0.0));
            CHECK(vf__fsum_join(&sum, hi, lo, &spills));
            CHECK_F64(vf__fsum_value(&sum, &spills), hi);
        }
    }
    vf__spills_release(&spills);
    vf__spills_release(&other_spills);
}

/* The window's own overflow: more adds at its top than it has room for. */
static void test_fsum_window_overflow(void) {
    struct vf_context ctx = plain_context(1);
    struct vf__spills spills;
    vf__spills_init(&spills, &ctx);
    for (int sign = -1; sign <= 1; sign += 2) {
        struct vf__fsum sum = VF__FSUM_EMPTY;
        CHECK(vf__fsum_add(&sum, 0x1.8p-60, &spills));
        for (int i = 0; i < 100000; i++)
            CHECK(vf__fsum_add(&sum, sign * 0x1.fffffffffffffp-28, &spills));
        CHECK_F64(vf__fsum_value(&sum, &spills), fma(sign * 0x1.fffffffffffffp-28, 100000, 0x1.8p-60));
        for (int i = 0; i < 100000; i++)
            CHECK(vf__fsum_add(&sum, sign * -0x1.fffffffffffffp-28, &spills));
        CHECK_F64(vf__fsum_value(&sum, &spills), 0x1.8p-60);
    }
    vf__spills_release(&spills);
}

/* ---- the public interface ------------------------------------------------------------------------------------------------- */

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

static void test_by_hand(void) {
    const int64_t key[] = {7, -3, 7, 0, -3, 7}; /* row 3: null */
    const uint8_t key_valid[] = {0x37}, value_valid[] = {0x1f};
    const double x[] = {1.5, NAN, -2.5, -0.0, NAN, 9};
    const int32_t q[] = {2147483647, 5, 2147483647, -7, 6, 1};
    struct check_column k, vx, vq;
    struct vf_series keys[] = {*check_series(&k, "l", "bin", 6, key_valid, key, NULL)};
    struct vf_series values[] = {*check_series(&vx, "g", "x", 6, value_valid, x, NULL),
                                 *check_series(&vq, "i", "q", 6, NULL, q, NULL)};
    const struct vf_agg_leaf leaves[] = {
        {VF_AGG_LEN, 0, "n", {0, 0}},
        {VF_AGG_COUNT, 0, "x_n", {0, 0}},
        {VF_AGG_NULL_COUNT, 0, "x_null", {0, 0}},
        {VF_AGG_SUM, 0, "x_sum", {0, 0}},
        {VF_AGG_MEAN, 0, "x_mean", {0, 0}},
        {VF_AGG_MIN, 0, "x_min", {0, 0}},
        {VF_AGG_MAX, 0, "x_max", {0, 0}},
        {VF_AGG_SUM, 1, "q_sum", {0, 0}},
        {VF_AGG_MEAN, 1, "q_mean", {0, 0}},
        {VF_AGG_MIN, 1, "q_min", {0, 0}},
        {VF_AGG_MAX, 1, "q_max", {0, 0}},
        {VF_AGG_COUNT, 1, "q_n", {0, 0}},
    };
    struct vf_agg *agg = open_agg(1, leaves, 12, 1, 2);
    struct vf_column out[13];
    CHECK_OK(vf_agg_update(agg, keys, values, 6, &check_error));
    CHECK_I64(vf_agg_groups(agg), 3);
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK(strcmp(out[0].schema.format, "l") == 0 && strcmp(out[0].schema.name, "bin") == 0);
    CHECK(strcmp(out[1].schema.name, "n") == 0 && strcmp(out[4].schema.format, "g") == 0);
    CHECK(strcmp(out[10].schema.format, "i") == 0 && strcmp(out[8].schema.format, "l") == 0);
    /* groups in order of first row: 7, -3, null */
    CHECK_I64(check_i64(&out[0], 0), 7);
    CHECK_I64(check_i64(&out[0], 1), -3);
    CHECK(!check_valid(&out[0], 2) && out[0].array.null_count == 1);
    const int64_t n[] = {3, 2, 1}, x_n[] = {2, 2, 1}, x_null[] = {1, 0, 0}, q_sum[] = {4294967295, 11, -7};
    const double x_sum[] = {-1.0, NAN, 0.0}, x_mean[] = {-0.5, NAN, 0.0}, q_mean[] = {1431655765, 5.5, -7};
    for (int64_t g = 0; g < 3; g++) {
        CHECK_I64(check_i64(&out[1], g), n[g]);
        CHECK_I64(check_i64(&out[2], g), x_n[g]);
        CHECK_I64(check_i64(&out[3], g), x_null[g]);
        CHECK(same_bits(check_f64(&out[4], g), x_sum[g]));
        CHECK_F64(check_f64(&out[5], g), x_mean[g]);
        CHECK_I64(check_i64(&out[8], g), q_sum[g]);
        CHECK_F64(check_f64(&out[9], g), q_mean[g]);
        CHECK_I64(check_i64(&out[12], g), n[g]);
    }
    CHECK_F64(check_f64(&out[6], 0), -2.5);
    CHECK_F64(check_f64(&out[7], 0), 1.5);
    CHECK(isnan(check_f64(&out[6], 1)) && check_valid(&out[6], 1) && isnan(check_f64(&out[7], 1)));
    CHECK(same_bits(check_f64(&out[6], 2), -0.0));
    CHECK_I64(((const int32_t *)out[10].array.buffers[1])[0], 1);
    CHECK_I64(((const int32_t *)out[11].array.buffers[1])[0], 2147483647);
    release(out, 13);
    vf_agg_close(agg);
}

static void test_nothing(void) {
    const struct vf_agg_leaf leaves[] = {{VF_AGG_LEN, 0, "n", {0, 0}},  {VF_AGG_SUM, 0, "s", {0, 0}},
                                         {VF_AGG_MEAN, 0, "m", {0, 0}}, {VF_AGG_MIN, 0, "lo", {0, 0}},
                                         {VF_AGG_SUM, 1, "i", {0, 0}},  {VF_AGG_COUNT, 0, "c", {0, 0}}};
    struct check_column a, b, k;
    struct vf_series values[] = {*check_series(&a, "g", "a", 0, NULL, NULL, NULL),
                                 *check_series(&b, "l", "b", 0, NULL, NULL, NULL)};
    struct vf_series keys[] = {*check_series(&k, "tdD", "d", 0, NULL, NULL, NULL)};
    struct vf_column out[7];
    CHECK_POISON(out);
    struct vf_agg *agg = open_agg(2, leaves, 6, 0, 2);
    CHECK_I64(vf_agg_groups(agg), 1);
    CHECK_STATUS(vf_agg_finish(agg, out, &check_error), VF_ERROR_STATE);
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
    CHECK_OK(vf_agg_update(agg, NULL, values, 0, &check_error));
    CHECK_I64(vf_agg_groups(agg), 1);
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_I64(out[0].array.length, 1);
    CHECK_I64(check_i64(&out[0], 0), 0);
    CHECK(same_bits(check_f64(&out[1], 0), 0.0) && check_valid(&out[1], 0));
    CHECK(!check_valid(&out[2], 0) && !check_valid(&out[3], 0));
    CHECK_I64(check_i64(&out[4], 0), 0);
    CHECK_I64(check_i64(&out[5], 0), 0);
    release(out, 6);
    vf_agg_close(agg);
    agg = open_agg(2, leaves, 6, 1, 2);
    CHECK_OK(vf_agg_update(agg, keys, values, 0, &check_error));
    CHECK_I64(vf_agg_groups(agg), 0);
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_I64(out[0].array.length, 0);
    CHECK(strcmp(out[0].schema.format, "tdD") == 0);
    release(out, 7);
    vf_agg_close(agg);
    agg = open_agg(1, NULL, 0, 0, 0);
    CHECK_OK(vf_agg_update(agg, NULL, NULL, 5, &check_error));
    CHECK_OK(vf_agg_finish(agg, NULL, &check_error));
    vf_agg_close(agg);
    vf_agg_close(NULL);
}

static void test_no_keys(void) {
    const double x[] = {1e16, 1, -1e16, 1};
    const struct vf_agg_leaf leaves[] = {{VF_AGG_SUM, 0, "s", {0, 0}}, {VF_AGG_LEN, 0, "n", {0, 0}}};
    struct check_column a;
    struct vf_column out[2];
    struct vf_agg *agg = open_agg(2, leaves, 2, 0, 1);
    check_series(&a, "g", "a", 4, NULL, x, NULL);
    for (int i = 0; i < 3; i++)
        CHECK_OK(vf_agg_update(agg, NULL, &a.series, 4, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_F64(check_f64(&out[0], 0), 6);
    CHECK_I64(check_i64(&out[1], 0), 12);
    release(out, 2);
    vf_agg_close(agg);
}

static void test_infinities(void) {
    const double x[] = {INFINITY, 1, -INFINITY, INFINITY, 1e308, 1e308, -1e308, 1.7e308, 1.7e308, NAN, 2};
    const int8_t key[] = {0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4};
    const double sums[] = {INFINITY, NAN, 1e308, INFINITY, NAN},
                 means[] = {INFINITY, NAN, 1e308 / 3, 1.7e308, NAN};
    const double least[] = {1, -INFINITY, -1e308, 1.7e308, 2};
    const struct vf_agg_leaf leaves[] = {
        {VF_AGG_SUM, 0, "s", {0, 0}}, {VF_AGG_MEAN, 0, "m", {0, 0}}, {VF_AGG_MIN, 0, "lo", {0, 0}}};
    struct check_column k, a;
    struct vf_column out[4];
    struct vf_agg *agg = open_agg(1, leaves, 3, 1, 1);
    check_series(&k, "c", "k", 11, NULL, key, NULL);
    check_series(&a, "g", "a", 11, NULL, x, NULL);
    CHECK_OK(vf_agg_update(agg, &k.series, &a.series, 11, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    for (int64_t g = 0; g < 5; g++) {
        CHECK_F64(check_f64(&out[1], g), sums[g]);
        CHECK_F64(check_f64(&out[2], g), means[g]);
        CHECK_F64(check_f64(&out[3], g), least[g]);
    }
    release(out, 4);
    vf_agg_close(agg);
}

static void test_integer_sums(void) {
    const int64_t x[] = {INT64_MAX, INT64_MAX, -INT64_MAX, INT64_MIN, INT64_MIN, 5};
    const int64_t key[] = {0, 0, 0, 1, 1, 2};
    const struct vf_agg_leaf leaves[] = {{VF_AGG_SUM, 0, "total", {0, 0}}, {VF_AGG_MEAN, 0, "mean", {0, 0}}};
    struct check_column k, a;
    struct vf_column out[3];
    CHECK_POISON(out);
    struct vf_agg *agg = open_agg(1, leaves, 2, 1, 1);
    check_series(&k, "l", "k", 3, NULL, key, NULL);
    check_series(&a, "l", "a", 3, NULL, x, NULL);
    CHECK_OK(vf_agg_update(agg, &k.series, &a.series, 3, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error)); /* over and back is right */
    CHECK_I64(check_i64(&out[1], 0), INT64_MAX);
    release(out, 3);
    check_series(&k, "l", "k", 6, NULL, key, NULL);
    check_series(&a, "l", "a", 6, NULL, x, NULL);
    CHECK_OK(vf_agg_update(agg, &k.series, &a.series, 6, &check_error));
    CHECK_STATUS(vf_agg_finish(agg, out, &check_error), VF_ERROR_OVERFLOW);
    CHECK(strcmp(check_error.column, "total") == 0 && strstr(check_error.message, "total") != NULL);
    CHECK_I64(check_error.count, 2);
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
    vf_agg_close(agg);
    const uint64_t u[] = {UINT64_MAX, 1, UINT64_MAX - 1};
    const struct vf_agg_leaf unsigned_leaves[] = {{VF_AGG_MIN, 0, "lo", {0, 0}},
                                                  {VF_AGG_MAX, 0, "hi", {0, 0}},
                                                  {VF_AGG_MEAN, 0, "mean", {0, 0}},
                                                  {VF_AGG_SUM, 0, "total", {0, 0}}};
    agg = open_agg(1, unsigned_leaves, 3, 1, 1);
    check_series(&k, "L", "k", 3, NULL, u, NULL);
    check_series(&a, "L", "a", 3, NULL, u, NULL);
    CHECK_OK(vf_agg_update(agg, &k.series, &a.series, 3, &check_error));
    struct vf_column wide[4];
    CHECK_OK(vf_agg_finish(agg, wide, &check_error));
    CHECK(strcmp(wide[0].schema.format, "L") == 0 && strcmp(wide[1].schema.format, "L") == 0);
    for (int64_t g = 0; g < 3; g++) {
        CHECK((uint64_t)check_i64(&wide[0], g) == u[g]);
        CHECK((uint64_t)check_i64(&wide[1], g) == u[g]);
        CHECK_F64(check_f64(&wide[3], g), (double)u[g]);
    }
    release(wide, 4);
    vf_agg_close(agg);
    agg = open_agg(1, unsigned_leaves, 4, 0, 1);
    struct vf_column one[4];
    CHECK_POISON(one);
    CHECK_OK(vf_agg_update(agg, NULL, &a.series, 3, &check_error));
    CHECK_STATUS(vf_agg_finish(agg, one, &check_error), VF_ERROR_OVERFLOW);
    vf_agg_close(agg);
}

/* ---- key and value types ------------------------------------------------------------------------------------------------------ */

static void check_key_type(const char *format, const void *values, uint32_t width,
                           const char *timezone_free) {
    /* rows: a b a null b; two groups and the null one, types and values come back */
    const uint8_t valid[] = {0x17};
    struct check_column k;
    struct vf_column out[2];
    const struct vf_agg_leaf leaf = {VF_AGG_LEN, 0, "n", {0, 0}};
    struct vf_agg *agg = open_agg(1, &leaf, 1, 1, 0);
    check_series(&k, format, "key", 5, valid, values, NULL);
    CHECK_OK(vf_agg_update(agg, &k.series, NULL, 5, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK(strcmp(out[0].schema.format, timezone_free) == 0);
    CHECK_I64(out[0].array.length, 3);
    CHECK(check_valid(&out[0], 0) && check_valid(&out[0], 1) && !check_valid(&out[0], 2));
    const char *given = out[0].array.buffers[1], *source = values;
    if (width > 0)
        CHECK(memcmp(given, source, 2 * width) == 0);
    else
        CHECK_I64((given[0] ^ source[0]) & 3, 0);
    CHECK_I64(check_i64(&out[1], 0), 2);
    CHECK_I64(check_i64(&out[1], 2), 1);
    release(out, 2);
    vf_agg_close(agg);
}

static void test_key_types(void) {
    const int8_t i8[] = {-128, 127, -128, 1, 127};
    const int16_t i16[] = {-32768, 32767, -32768, 1, 32767};
    const int32_t i32[] = {INT32_MIN, INT32_MAX, INT32_MIN, 1, INT32_MAX};
    const int64_t i64[] = {INT64_MIN, INT64_MAX, INT64_MIN, 1, INT64_MAX};
    const uint8_t bits[] = {0x12};
    const char *const of8[] = {"l", "L", "ttu", "ttn", "tsn:Asia/Shanghai", "tsu:", "tsm:UTC", "tDn", "tdm"};
    const char *const of4[] = {"i", "I", "tdD", "tts", "ttm"};
    check_key_type("b", bits, 0, "b");
    check_key_type("c", i8, 1, "c");
    check_key_type("C", i8, 1, "C");
    check_key_type("s", i16, 2, "s");
    check_key_type("S", i16, 2, "S");
    for (size_t i = 0; i < sizeof of4 / sizeof *of4; i++)
        check_key_type(of4[i], i32, 4, of4[i]);
    for (size_t i = 0; i < sizeof of8 / sizeof *of8; i++)
        check_key_type(of8[i], i64, 8, of8[i]);
}

static void put_view(uint8_t *views, int64_t i, const char *text, int32_t at) {
    int32_t length = (int32_t)strlen(text), buffer = 0;
    memset(views + i * 16, 0, 16);
    memcpy(views + i * 16, &length, 4);
    memcpy(views + i * 16 + 4, text, length <= 12 ? (size_t)length : 4);
    if (length <= 12) return;
    memcpy(views + i * 16 + 8, &buffer, 4);
    memcpy(views + i * 16 + 12, &at, 4);
}

/* The same six texts as "u", "vu" and a dictionary, in three updates of one object: one set of groups. */
static void test_text_keys(void) {
    static const char long_text[] = "a symbol of more than twelve bytes";
    const char data[] = "BuySell"
                        "a symbol of more than twelve bytes"
                        "Buy";
    const int32_t offsets[] = {0, 3, 7, 41, 44, 44, 44}; /* Buy Sell long Buy "" null */
    const uint8_t valid[] = {0x1f}, index[] = {0, 1, 2, 0, 3, 4};
    const char *const texts[] = {"Buy", "Sell", long_text, "Buy", "", ""};
    const int64_t counts[] = {6, 3, 3, 3, 3};
    uint8_t views[6 * 16];
    const int64_t sizes[] = {sizeof long_text};
    struct check_column plain, view, dictionary, entries;
    struct vf_column out[2];
    const struct vf_agg_leaf leaf = {VF_AGG_LEN, 0, "n", {0, 0}};
    struct vf_agg *agg = open_agg(1, &leaf, 1, 1, 0);
    check_series(&plain, "u", "side", 6, valid, offsets, data);
    for (int64_t i = 0; i < 6; i++)
        put_view(views, i, texts[i], 0);
    check_series(&view, "vu", "side", 6, valid, views, NULL);
    const void *view_buffers[] = {valid, views, long_text, sizes};
    view.array.buffers = view_buffers;
    view.array.n_buffers = 4;
    const int32_t entry_offsets[] = {0, 3, 7, 41, 41, 41};
    const uint8_t entry_valid[] = {0x0f};
    check_series(&entries, "u", "", 5, entry_valid, entry_offsets, data);
    check_series(&dictionary, "C", "side", 6, NULL, index, NULL);
    dictionary.schema.dictionary = &entries.schema;
    dictionary.array.dictionary = &entries.array;
    CHECK_OK(vf_agg_update(agg, &plain.series, NULL, 6, &check_error));
    CHECK_OK(vf_agg_update(agg, &view.series, NULL, 6, &check_error));
    CHECK_OK(vf_agg_update(agg, &dictionary.series, NULL, 6, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK(strcmp(out[0].schema.format, "U") == 0);
    CHECK_I64(out[0].array.length, 5);
    const int64_t *at = out[0].array.buffers[1];
    const char *given = out[0].array.buffers[2];
    const char *const wanted[] = {"Buy", "Sell", long_text, "", NULL};
    for (int64_t g = 0; g < 5; g++) {
        CHECK_I64(check_i64(&out[1], g), counts[g]);
        CHECK(check_valid(&out[0], g) == (wanted[g] != NULL));
        if (wanted[g] == NULL) continue;
        CHECK_I64(at[g + 1] - at[g], strlen(wanted[g]));
        CHECK(strncmp(given + at[g], wanted[g], strlen(wanted[g])) == 0);
    }
    release(out, 2);
    ((uint8_t *)(uintptr_t)index)[2] = 9; /* an index outside the dictionary */
    CHECK_STATUS(vf_agg_update(agg, &dictionary.series, NULL, 6, &check_error), VF_ERROR_ARROW);
    CHECK_STATUS(vf_agg_update(agg, &plain.series, NULL, 6, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_agg_finish(agg, out, &check_error), VF_ERROR_STATE);
    vf_agg_close(agg);
}

static void test_value_types(void) {
    const uint8_t bits[] = {0x05}, bits_valid[] = {0x07};
    const float f[] = {1.5f, -0.0f, 0.0f, 16777216.0f};
    const int64_t d[] = {-7, 2, 1, -3};
    const int32_t days[] = {20000, -5, 3, 9};
    const int32_t offsets[] = {0, 1, 2, 3, 4};
    struct check_column b, vf, vd, vt, vs, vn;
    struct vf_series values[] = {*check_series(&b, "b", "b", 4, bits_valid, bits, NULL),
                                 *check_series(&vf, "f", "f", 4, NULL, f, NULL),
                                 *check_series(&vd, "tDu", "d", 4, NULL, d, NULL),
                                 *check_series(&vt, "tdD", "t", 4, NULL, days, NULL),
                                 *check_series(&vs, "u", "s", 4, bits_valid, offsets, "abcd"),
                                 *check_series(&vn, "n", "n", 4, NULL, NULL, NULL)};
    values[5].schema = &vn.schema;
    vn.array.n_buffers = 0;
    vn.array.null_count = 4;
    const struct vf_agg_leaf leaves[] = {
        {VF_AGG_SUM, 0, "b_sum", {0, 0}},   {VF_AGG_MEAN, 0, "b_mean", {0, 0}},
        {VF_AGG_MIN, 0, "b_min", {0, 0}},   {VF_AGG_MAX, 0, "b_max", {0, 0}},
        {VF_AGG_SUM, 1, "f_sum", {0, 0}},   {VF_AGG_MIN, 1, "f_min", {0, 0}},
        {VF_AGG_MAX, 1, "f_max", {0, 0}},   {VF_AGG_SUM, 2, "d_sum", {0, 0}},
        {VF_AGG_MEAN, 2, "d_mean", {0, 0}}, {VF_AGG_MIN, 3, "t_min", {0, 0}},
        {VF_AGG_COUNT, 4, "s_n", {0, 0}},   {VF_AGG_NULL_COUNT, 4, "s_0", {0, 0}},
        {VF_AGG_SUM, 5, "n_sum", {0, 0}},   {VF_AGG_MEAN, 5, "n_mean", {0, 0}},
        {VF_AGG_MAX, 5, "n_max", {0, 0}}};
    struct vf_agg *agg = open_agg(1, leaves, 15, 0, 6);
    struct vf_column out[15];
    CHECK_OK(vf_agg_update(agg, NULL, values, 4, &check_error));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_I64(check_i64(&out[0], 0), 2);
    CHECK_F64(check_f64(&out[1], 0), 2.0 / 3.0);
    CHECK(strcmp(out[2].schema.format, "b") == 0 && !check_bool(&out[2], 0) && check_bool(&out[3], 0));
    CHECK_F64(check_f64(&out[4], 0), 16777217.5);
    CHECK(strcmp(out[5].schema.format, "f") == 0 && signbit(((const float *)out[5].array.buffers[1])[0]));
    CHECK_F64(((const float *)out[6].array.buffers[1])[0], 16777216.0);
    CHECK(strcmp(out[7].schema.format, "tDu") == 0 && strcmp(out[8].schema.format, "tDu") == 0);
    CHECK_I64(check_i64(&out[7], 0), -7);
    CHECK_I64(check_i64(&out[8], 0), -1); /* -7 / 4, the fraction dropped as Polars does */
    CHECK(strcmp(out[9].schema.format, "tdD") == 0);
    CHECK_I64(((const int32_t *)out[9].array.buffers[1])[0], -5);
    CHECK_I64(check_i64(&out[10], 0), 3);
    CHECK_I64(check_i64(&out[11], 0), 1);
    CHECK_I64(check_i64(&out[12], 0), 0);
    CHECK(!check_valid(&out[13], 0));
    CHECK(strcmp(out[14].schema.format, "n") == 0 && out[14].array.null_count == 1);
    release(out, 15);
    vf_agg_close(agg);
}

static void test_refusals(void) {
    const double x[] = {1, 2};
    const int64_t i[] = {1, 2};
    const int32_t offsets[] = {0, 1, 2};
    struct check_column f, l, s, t;
    struct vf_agg *agg = NULL;
    struct vf_agg_leaf leaf = {VF_AGG_SUM, 0, "total", {0, 0}};
    struct vf_column out[2];
    check_series(&f, "g", "price", 2, NULL, x, NULL);
    check_series(&l, "l", "qty", 2, NULL, i, NULL);
    check_series(&s, "u", "name", 2, NULL, offsets, "ab");
    check_series(&t, "tsn:", "when", 2, NULL, i, NULL);
    agg = open_agg(1, &leaf, 1, 1, 1);
    CHECK_STATUS(vf_agg_update(agg, &f.series, &l.series, 2, &check_error), VF_ERROR_TYPE);
    CHECK(strstr(check_error.message, "bin it first") != NULL && strcmp(check_error.column, "price") == 0);
    CHECK_STATUS(vf_agg_update(agg, &l.series, &s.series, 2, &check_error), VF_ERROR_TYPE);
    CHECK(strstr(check_error.message, "total") != NULL);
    CHECK_STATUS(vf_agg_update(agg, &l.series, &t.series, 2, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_agg_update(agg, &l.series, &l.series, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_update(agg, &l.series, &l.series, -1, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_update(agg, NULL, &l.series, 2, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_agg_update(agg, &l.series, &l.series, 2, &check_error)); /* none of them changed anything */
    CHECK_STATUS(vf_agg_update(agg, &l.series, &f.series, 2, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_agg_update(agg, &t.series, &l.series, 2, &check_error), VF_ERROR_TYPE);
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_I64(out[0].array.length, 2);
    CHECK_I64(check_i64(&out[1], 1), 2);
    release(out, 2);
    struct vf_agg *other = open_agg(1, &leaf, 1, 1, 1);
    CHECK_OK(vf_agg_update(other, &l.series, &f.series, 2, &check_error));
    CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_agg_merge(agg, agg, &check_error), VF_ERROR_ARGUMENT);
    vf_agg_close(other);
    leaf.op = VF_AGG_MEAN;
    other = open_agg(1, &leaf, 1, 1, 1);
    CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_ARGUMENT);
    vf_agg_close(other);
    vf_agg_close(agg);
    leaf.op = VF_AGG_MIN;
    agg = open_agg(1, &leaf, 1, 0, 1);
    CHECK_STATUS(vf_agg_update(agg, NULL, &s.series, 2, &check_error), VF_ERROR_TYPE);
    vf_agg_close(agg);
    leaf.value = 1;
    CHECK_STATUS(vf_agg_open(NULL, &leaf, 1, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    leaf.op = (enum vf_agg_op)99;
    CHECK_STATUS(vf_agg_open(NULL, &leaf, 1, 0, 1, &agg, NULL), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_open(NULL, &leaf, 0, 65, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
}

/* ---- the same bits, however the rows come --------------------------------------------------------------------------------------- */

enum { MANY = 150000 };

static struct {
    int64_t bin[MANY], far[MANY], whole[MANY];
    uint8_t side[MANY * 16], valid[(MANY + 7) / 8];
    double x[MANY], y[MANY];
} many, shuffled;

static void fill_many(uint64_t n_bins, bool far) {
    static const char *const sides[] = {"Buy", "Sell", "Cancelled", "B"};
    memset(many.valid, 0, sizeof many.valid);
    for (int64_t i = 0; i < MANY; i++) {
        uint64_t r = random_bits();
        many.bin[i] = (int64_t)(r % n_bins) - 50;
        many.far[i] =
            far ? (int64_t)((r >> 20) % 3) * (INT64_MAX / 2) - (int64_t)(r % 2) : (int64_t)((r >> 20) % 11);
        many.whole[i] = (int64_t)random_bits() >> 20;
        many.x[i] = r >> 60 == 0 ? random_double((int)(r >> 50 & 3)) : random_double(0) * 1e-3;
        if (r % 100003 == 0) many.x[i] = r & 8 ? (double)NAN : (double)INFINITY;
        many.y[i] = random_double(1);
        put_view(many.side, i, sides[r >> 40 & 3], 0);
        if (r >> 33 & 7) many.valid[i >> 3] |= (uint8_t)(1u << (i & 7));
    }
}

static void shuffle_many(void) {
    shuffled = many;
    for (int64_t i = MANY - 1; i > 0; i--) {
        int64_t j = (int64_t)(random_bits() % (uint64_t)(i + 1));
#define SWAP(type, a)                                                                                        \
    do {                                                                                                     \
        type t = shuffled.a[i];                                                                              \
        shuffled.a[i] = shuffled.a[j];                                                                       \
        shuffled.a[j] = t;                                                                                   \
    } while (0)
        SWAP(int64_t, bin);
        SWAP(int64_t, far);
        SWAP(int64_t, whole);
        SWAP(double, x);
        SWAP(double, y);
        uint8_t view[16];
        memcpy(view, shuffled.side + i * 16, 16);
        memcpy(shuffled.side + i * 16, shuffled.side + j * 16, 16);
        memcpy(shuffled.side + j * 16, view, 16);
        bool vi = shuffled.valid[i >> 3] >> (i & 7) & 1, vj = shuffled.valid[j >> 3] >> (j & 7) & 1;
        if (vi != vj) {
            shuffled.valid[i >> 3] ^= (uint8_t)(1u << (i & 7));
            shuffled.valid[j >> 3] ^= (uint8_t)(1u << (j & 7));
        }
    }
}

static const struct vf_agg_leaf many_leaves[] = {
    {VF_AGG_LEN, 0, "n", {0, 0}},     {VF_AGG_SUM, 0, "x", {0, 0}},       {VF_AGG_MEAN, 0, "x_mean", {0, 0}},
    {VF_AGG_SUM, 1, "y", {0, 0}},     {VF_AGG_MIN, 1, "y_min", {0, 0}},   {VF_AGG_MAX, 0, "x_max", {0, 0}},
    {VF_AGG_SUM, 2, "w", {0, 0}},     {VF_AGG_MEAN, 2, "w_mean", {0, 0}}, {VF_AGG_MIN, 2, "w_min", {0, 0}},
    {VF_AGG_COUNT, 1, "y_n", {0, 0}}, {VF_AGG_MEAN, 1, "y_mean", {0, 0}}};
enum { MANY_LEAVES = 11, MANY_KEYS = 3, MANY_COLUMNS = 14 };

/* Rows [from, to) in chunks of `chunk` rows, in calls of `call` rows. */
static void feed(struct vf_agg *agg, const void *data, int64_t from, int64_t to, int64_t chunk,
                 int64_t call) {
    const unsigned char *base = data;
    static struct ArrowArray arrays[6][MANY / 997 + 8];
    static const struct ArrowArray *pointers[6][MANY / 997 + 8];
    static const void *buffers[6][3];
    static const int64_t no_sizes[1];
    const char *const formats[] = {"l", "vu", "l", "g", "g", "l"}, *const names[] = {"bin", "side", "far",
                                                                                     "x",   "y",    "w"};
    const unsigned char *lanes[] = {base,
                                    (const unsigned char *)((const int64_t *)(const void *)base + 3 * MANY),
                                    base + sizeof many.bin,
                                    NULL,
                                    NULL,
                                    base + 2 * sizeof many.bin};
    const uint8_t *valid = lanes[1] + sizeof many.side;
    const unsigned char *x = base + ((const unsigned char *)many.x - (const unsigned char *)&many);
    lanes[3] = x;
    lanes[4] = x + sizeof many.x;
    for (int64_t start = from; start < to; start += call) {
        int64_t n = to - start < call ? to - start : call;
        struct ArrowSchema schemas[6];
        struct vf_series series[6];
        for (int c = 0; c < 6; c++) {
            schemas[c] =
                (struct ArrowSchema){.format = formats[c], .name = names[c], .flags = ARROW_FLAG_NULLABLE};
            buffers[c][0] = c == 0 || c == 4 ? valid : NULL;
            buffers[c][1] = lanes[c];
            buffers[c][2] = no_sizes;
            size_t n_chunks = 0;
            for (int64_t at = 0; at < n; at += chunk, n_chunks++) {
                arrays[c][n_chunks] = (struct ArrowArray){.length = n - at < chunk ? n - at : chunk,
                                                          .null_count = buffers[c][0] != NULL ? -1 : 0,
                                                          .offset = start + at,
                                                          .n_buffers = c == 1 ? 3 : 2,
                                                          .buffers = buffers[c]};
                pointers[c][n_chunks] = &arrays[c][n_chunks];
            }
            series[c] =
                (struct vf_series){.schema = &schemas[c], .chunks = pointers[c], .n_chunks = n_chunks};
        }
        CHECK_OK(vf_agg_update(agg, series, series + 3, n, &check_error));
    }
}

/* Rows of `out` by key, so that two results can be compared whatever their order. */
struct keyed {
    int64_t bin, far;
    bool null;
    char side[12];
    int64_t row;
};

static int by_key(const void *a, const void *b) {
    const struct keyed *x = a, *y = b;
    if (x->null != y->null) return x->null ? 1 : -1;
    if (!x->null && x->bin != y->bin) return x->bin < y->bin ? -1 : 1;
    if (x->far != y->far) return x->far < y->far ? -1 : 1;
    return strcmp(x->side, y->side);
}

static struct keyed *keyed_rows(const struct vf_column *out) {
    int64_t n = out[0].array.length;
    struct keyed *rows = calloc((size_t)n + 1, sizeof *rows);
    const int64_t *at = out[1].array.buffers[1];
    for (int64_t g = 0; g < n; g++) {
        rows[g].null = !check_valid(&out[0], g);
        rows[g].bin = rows[g].null ? 0 : check_i64(&out[0], g);
        rows[g].far = check_i64(&out[2], g);
        memcpy(rows[g].side, (const char *)out[1].array.buffers[2] + at[g], (size_t)(at[g + 1] - at[g]));
        rows[g].row = g;
    }
    qsort(rows, (size_t)n, sizeof *rows, by_key);
    return rows;
}

static void check_equal(const struct vf_column *a, const struct vf_column *b, bool same_order) {
    CHECK_I64(a[0].array.length, b[0].array.length);
    if (a[0].array.length != b[0].array.length) return;
    struct keyed *ra = keyed_rows(a), *rb = keyed_rows(b);
    long bad = 0;
    for (int64_t g = 0; g < a[0].array.length; g++) {
        bad += by_key(&ra[g], &rb[g]) != 0;
        bad += same_order && ra[g].row != rb[g].row;
        for (int c = MANY_KEYS; c < MANY_COLUMNS; c++) {
            bool valid = check_valid(&a[c], ra[g].row);
            bad += valid != check_valid(&b[c], rb[g].row);
            if (valid && check_i64(&a[c], ra[g].row) != check_i64(&b[c], rb[g].row))
                bad += !(isnan(check_f64(&a[c], ra[g].row)) && isnan(check_f64(&b[c], rb[g].row)));
        }
    }
    CHECK_I64(bad, 0);
    free(ra);
    free(rb);
}

static struct vf_agg *open_many(uint32_t n_threads) {
    return open_agg(n_threads, many_leaves, MANY_LEAVES, MANY_KEYS, 3);
}

/* The float leaves of `out` against the oracle, group by group, on `many`. */
static void check_exact(const struct vf_column *out) {
    int64_t n = out[0].array.length;
    struct keyed *rows = keyed_rows(out);
    struct oracle *sums = calloc((size_t)n * 2, sizeof *sums);
    int64_t *counts = calloc((size_t)n * 2, sizeof *counts);
    for (int64_t i = 0; i < MANY; i++) {
        struct keyed key = {
            .bin = many.bin[i], .far = many.far[i], .null = !(many.valid[i >> 3] >> (i & 7) & 1)};
        int32_t length;
        memcpy(&length, many.side + i * 16, 4);
        memcpy(key.side, many.side + i * 16 + 4, (size_t)length);
        if (key.null) key.bin = 0;
        const struct keyed *found = bsearch(&key, rows, (size_t)n, sizeof *rows, by_key);
        CHECK(found != NULL);
        if (found == NULL) continue;
        oracle_add(&sums[found->row * 2], many.x[i]);
        counts[found->row * 2]++;
        if (key.null) continue; /* y has the same nulls */
        oracle_add(&sums[found->row * 2 + 1], many.y[i]);
        counts[found->row * 2 + 1]++;
    }
    for (int64_t g = 0; g < n; g++) {
        CHECK_I64(check_i64(&out[3], g), counts[g * 2]);
        CHECK_F64(check_f64(&out[4], g), oracle_value(&sums[g * 2], 1));
        CHECK_F64(check_f64(&out[5], g), oracle_value(&sums[g * 2], (uint64_t)counts[g * 2]));
        CHECK_F64(check_f64(&out[6], g), oracle_value(&sums[g * 2 + 1], 1));
        if (counts[g * 2 + 1] > 0)
            CHECK_F64(check_f64(&out[13], g), oracle_value(&sums[g * 2 + 1], (uint64_t)counts[g * 2 + 1]));
    }
    free(rows);
    free(sums);
    free(counts);
}

static void check_invariance(uint64_t n_bins, bool far, bool exact) {
    struct vf_column want[MANY_COLUMNS], got[MANY_COLUMNS];
    fill_many(n_bins, far);
    shuffle_many();
    struct vf_agg *agg = open_many(1);
    feed(agg, &many, 0, MANY, MANY, MANY);
    CHECK_OK(vf_agg_finish(agg, want, &check_error));
    vf_agg_close(agg);
    if (exact) check_exact(want);
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
        agg = open_many(n_threads); /* threads, chunks, cuts: the same rows in the same order */
        feed(agg, &many, 0, 7, 7, 1);
        feed(agg, &many, 7, 120000, 997, 70001);
        CHECK_OK(vf_agg_finish(agg, got, &check_error)); /* finishing in between changes nothing */
        release(got, MANY_COLUMNS);
        feed(agg, &many, 120000, 121000, 1, 33);
        feed(agg, &many, 121000, MANY, 1000, MANY);
        CHECK_OK(vf_agg_finish(agg, got, &check_error));
        check_equal(want, got, true);
        release(got, MANY_COLUMNS);
        vf_agg_close(agg);
        agg = open_many(n_threads); /* another order */
        feed(agg, &shuffled, 0, MANY, 1001, 100000);
        CHECK_OK(vf_agg_finish(agg, got, &check_error));
        check_equal(want, got, false);
        release(got, MANY_COLUMNS);
        vf_agg_close(agg);
    }
    for (int tree = 0; tree < 3;
         tree++) { /* 7 parts of consecutive rows: left to right, right to left, in pairs */
        struct vf_agg *parts[7];
        for (int64_t p = 0; p < 7; p++) {
            parts[p] = open_many(1 + (uint32_t)(p % 3));
            if (p != 3) feed(parts[p], &many, MANY / 7 * p, p == 6 ? MANY : MANY / 7 * (p + 1), 5003, 80000);
        }
        feed(parts[2], &many, MANY / 7 * 3, MANY / 7 * 4, MANY, MANY); /* part 3 stays without an update */
        if (tree == 0)
            for (int p = 1; p < 7; p++)
                CHECK_OK(vf_agg_merge(parts[0], parts[p], &check_error));
        if (tree == 1)
            for (int p = 6; p > 0; p--)
                CHECK_OK(vf_agg_merge(parts[p - 1], parts[p], &check_error));
        for (int step = 1; tree == 2 && step < 7; step *= 2)
            for (int p = 0; p + step < 7; p += 2 * step)
                CHECK_OK(vf_agg_merge(parts[p], parts[p + step], &check_error));
        CHECK_OK(vf_agg_finish(parts[0], got, &check_error));
        check_equal(want, got, true);
        release(got, MANY_COLUMNS);
        for (int p = 0; p < 7; p++)
            vf_agg_close(parts[p]);
    }
    release(want, MANY_COLUMNS);
}

/* ---- the three ways to a group ----------------------------------------------------------------------------------------------------- */

/* Keys that drift upwards, then jump: direct, packed, wide. */
static void test_group_modes(void) {
    struct vf_context ctx = plain_context(1);
    struct vf__groups groups;
    CHECK_OK(vf__groups_init(&groups, &ctx, 2, &check_error));
    int64_t a[8], b[8];
    uint8_t valid[8] = {1, 0, 1, 1, 1, 1, 1, 1};
    uint32_t ids[8], first[3][8];
    const int64_t jumps[] = {10, INT64_C(40000000), INT64_MAX / 3};
    enum vf__group_mode modes[] = {VF__GROUP_DIRECT, VF__GROUP_PACKED, VF__GROUP_WIDE};
    for (int step = 0; step < 3; step++) {
        for (int i = 0; i < 8; i++)
            a[i] = -jumps[step] + i % 4, b[i] = jumps[step] * (i % 2) - i % 2;
        struct vf__group_key keys[] = {{a, NULL}, {b, valid}};
        CHECK_OK(vf__groups_find(&groups, keys, 8, ids, &check_error));
        CHECK(groups.mode == modes[step]);
        memcpy(first[step], ids, sizeof ids);
        for (int back = 0; back <= step;
             back++) { /* what was found before is found again under the same number */
            for (int i = 0; i < 8; i++)
                a[i] = -jumps[back] + i % 4, b[i] = jumps[back] * (i % 2) - i % 2;
            CHECK_OK(vf__groups_find(&groups, keys, 8, ids, &check_error));
            CHECK(memcmp(ids, first[back], sizeof ids) == 0);
        }
    }
    int64_t value;
    CHECK(vf__groups_key(&groups, first[0][0], 0, &value) && value == -10);
    CHECK(!vf__groups_key(&groups, first[0][1], 1, &value));
    vf__groups_release(&groups);
}

static void test_very_many_groups(void) {
    enum { N = 300000 };
    static int64_t key[N], one[N];
    const struct vf_agg_leaf leaves[] = {{VF_AGG_SUM, 0, "s", {0, 0}}, {VF_AGG_LEN, 0, "n", {0, 0}}};
    for (uint32_t n_threads = 1; n_threads <= 2; n_threads++) {
        for (int sparse = 0; sparse < 2; sparse++) {
            struct check_column k, v;
            struct vf_column out[3];
            struct vf_agg *agg = open_agg(n_threads, leaves, 2, 1, 1);
            for (int64_t i = 0; i < N; i++) {
                key[i] = sparse ? (int64_t)vf__mix((uint64_t)(i % 200000)) : i % 200000;
                one[i] = i;
            }
            check_series(&k, "l", "k", N, NULL, key, NULL);
            check_series(&v, "l", "v", N, NULL, one, NULL);
            CHECK_OK(vf_agg_update(agg, &k.series, &v.series, N, &check_error));
            CHECK_I64(vf_agg_groups(agg), 200000);
            CHECK_OK(vf_agg_finish(agg, out, &check_error));
            long bad = 0;
            for (int64_t g = 0; g < 200000; g++) {
                bad += check_i64(&out[0], g) != key[g];
                bad += check_i64(&out[1], g) != (g < 100000 ? 2 * g + 200000 : g);
                bad += check_i64(&out[2], g) != (g < 100000 ? 2 : 1);
            }
            CHECK_I64(bad, 0);
            release(out, 3);
            vf_agg_close(agg);
        }
    }
}

/* Numbers go on over batches, are those of the groups that finish gives, and a text's do not depend on its layout. */
static void test_numbers(void) {
    const int64_t key[] = {7, -3, 7, 0, -3, 9};
    const uint8_t key_valid[] = {0x37}; /* row 3: null */
    const int32_t offsets[] = {0, 3, 6, 9, 12, 15, 18};
    const char text[] = "BuySelBuyBuySelBuy";
    const uint32_t first[] = {0, 1, 0, 2, 1, 3};
    const int64_t keys_out[] = {7, -3, 0, 9};
    struct check_column k, t, v;
    struct vf_series keys[] = {*check_series(&k, "l", "bin", 6, key_valid, key, NULL),
                               *check_series(&t, "u", "side", 6, NULL, offsets, text)};
    struct vf_agg *agg = open_agg(4, NULL, 0, 2, 0);
    struct vf_column out[2];
    CHECK_POISON(out);
    for (int turn = 0; turn < 2; turn++) { /* the second time all are known */
        CHECK_OK(vf_agg_number(agg, keys, 6, out, &check_error));
        CHECK(strcmp(out[0].schema.format, "I") == 0 && out[0].array.length == 6 && out[0].array.null_count == 0);
        for (int i = 0; i < 6; i++)
            CHECK_I64(((const uint32_t *)out[0].array.buffers[1])[i], first[i]);
        release(out, 1);
        CHECK_I64(vf_agg_groups(agg), 4);
    }
    const int64_t more[] = {4, 9};
    const int32_t ends[] = {0, 3, 6};
    struct vf_series later[] = {*check_series(&k, "l", "bin", 2, NULL, more, NULL),
                                *check_series(&t, "u", "side", 2, NULL, ends, "BuyBuy")};
    CHECK_OK(vf_agg_number(agg, later, 2, out, &check_error));
    CHECK_I64(((const uint32_t *)out[0].array.buffers[1])[0], 4);
    CHECK_I64(((const uint32_t *)out[0].array.buffers[1])[1], 3);
    release(out, 1);
    CHECK_STATUS(vf_agg_number(agg, later, 1, out, &check_error), VF_ERROR_ARGUMENT); /* they have two rows */
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
    struct vf_series other[] = {*check_series(&v, "i", "bin", 2, NULL, more, NULL), later[1]};
    CHECK_STATUS(vf_agg_number(agg, other, 2, out, &check_error), VF_ERROR_TYPE);
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
    CHECK_OK(vf_agg_finish(agg, out, &check_error));
    CHECK_I64(out[0].array.length, 5);
    for (int64_t g = 0; g < 4; g++)
        CHECK(g == 2 ? !check_valid(&out[0], g) : check_i64(&out[0], g) == keys_out[g]);
    release(out, 2);
    vf_agg_close(agg);
    const struct vf_agg_leaf leaf = {VF_AGG_LEN, 0, "n", {0, 0}};
    agg = open_agg(1, &leaf, 1, 2, 0);
    CHECK_STATUS(vf_agg_number(agg, keys, 6, out, &check_error), VF_ERROR_ARGUMENT);
    vf_agg_close(agg);
    agg = open_agg(1, NULL, 0, 0, 0); /* no keys: one group */
    CHECK_OK(vf_agg_number(agg, NULL, 3, out, &check_error));
    CHECK_I64(((const uint32_t *)out[0].array.buffers[1])[2], 0);
    release(out, 1);
    vf_agg_close(agg);
}

int main(void) {
    test_numbers();
    test_fsum_against_oracle();
    test_fsum_window_overflow();
    test_by_hand();
    test_nothing();
    test_no_keys();
    test_infinities();
    test_integer_sums();
    test_key_types();
    test_text_keys();
    test_value_types();
    test_refusals();
    test_group_modes();
    test_very_many_groups();
    check_invariance(40, false, true);
    check_invariance(40, true, false);
    check_invariance(70000, false, false);
    return check_report("agg");
}
