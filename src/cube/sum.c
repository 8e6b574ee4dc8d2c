/* The long integers that a cube's sums are kept in: their widths, values in, and one rounding out.
   Not for where they stand: dense.c and sparse.c have the layouts. */
#include "cube/cube.h"

#include <float.h>
#include <limits.h>
#include <math.h>

#define SPECIALS 3 /* words: NaN, +inf, -inf */

void vf__cube_extent_init(struct vf__cube_extent *extent) {
    *extent = (struct vf__cube_extent){.lowest = INT_MAX, .least = INT64_MAX};
}

void vf__cube_extent_add_i64(struct vf__cube_extent *extent, const int64_t *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        extent->magnitude += fabs((double)x[i]);
        if (x[i] < extent->least) extent->least = x[i];
        extent->n++;
    }
}

/* x = m * 2^exponent with an integer m; x is finite. */
static uint64_t take_apart(double x, int *exponent) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    int biased = (int)(bits >> 52 & 0x7ff);
    *exponent = (biased != 0 ? biased : 1) - 1075;
    return (bits & UINT64_C(0xfffffffffffff)) | (uint64_t)(biased != 0) << 52;
}

static int lowest_bit(double x) {
    int exponent;
    uint64_t m = take_apart(x, &exponent);
    return exponent + vf__top_bit(m & (~m + 1));
}

void vf__cube_extent_add_f64(struct vf__cube_extent *extent, const double *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        extent->n++;
        if (!isfinite(x[i])) {
            extent->specials = true;
            continue;
        }
        if (x[i] == 0) continue;
        double size = fabs(x[i]);
        extent->magnitude += size;
        if (size > extent->largest) extent->largest = size;
        int lowest = lowest_bit(x[i]);
        if (lowest < extent->lowest) extent->lowest = lowest;
    }
}

/* An exponent e with 2^e above the sum of all magnitudes, whatever the rounding of that sum was. */
static int top_exponent(const struct vf__cube_extent *extent) {
    int exponent;
    if (extent->n < INT64_C(1) << 40 && extent->magnitude <= DBL_MAX / 2) {
        (void)frexp(extent->magnitude,
                    &exponent); /* 2^40 roundings make it less by 2^-12 of itself at most */
        return exponent + 1;
    }
    (void)frexp(extent->largest, &exponent);
    return exponent + 64;
}

void vf__cube_sum_plan(struct vf__cube_sum *sum, const struct vf__cube_extent *extent, bool real) {
    *sum = (struct vf__cube_sum){.words = 1, .real = real, .specials = real && extent->specials};
    if (!real) {
        sum->words = extent->magnitude < 0x1p62 ? 1 : 2;
        return;
    }
    if (extent->lowest == INT_MAX) return; /* zeros only */
    sum->exponent = extent->lowest;
    int bits = top_exponent(extent) - extent->lowest + 1; /* and the sign */
    sum->words = (uint32_t)(bits + 63) / 64;
}

uint32_t vf__cube_sum_span(const struct vf__cube_sum *sum) {
    return sum->words + (sum->specials ? SPECIALS : 0);
}

void vf__cube_sum_add_i64(const struct vf__cube_sum *sum, uint64_t *record, int64_t x) {
    struct vf__wide v = {(uint64_t)x, x < 0 ? UINT64_MAX : 0};
    if (sum->words == 1)
        record[sum->offset] += (uint64_t)x;
    else
        vf__fixed_add(record + sum->offset, sum->words, v, 0);
}

bool vf__cube_sum_add_f64(const struct vf__cube_sum *sum, uint64_t *record, double x) {
    uint64_t *words = record + sum->offset;
    if (!isfinite(x)) {
        if (!sum->specials) return false;
        words[sum->words + (isnan(x) ? 0 : x > 0 ? 1 : 2)]++;
        return true;
    }
    if (x == 0) return true;
    int exponent;
    uint64_t m = take_apart(x, &exponent);
    int shift = exponent - sum->exponent;
    if (shift < 0) {
        if (shift <= -53 || (m & ((UINT64_C(1) << -shift) - 1)) != 0) return false;
        m >>= -shift;
        shift = 0;
    }
    struct vf__wide v = {m, 0};
    vf__fixed_add(words, sum->words, x < 0 ? vf__wide_negate(v) : v, (unsigned)shift);
    return true;
}

bool vf__cube_sum_i64(const struct vf__cube_sum *sum, const uint64_t *record, int64_t *out) {
    const uint64_t *words = record + sum->offset;
    *out = (int64_t)words[0];
    return sum->words == 1 || words[1] == (*out < 0 ? UINT64_MAX : 0);
}

static bool special(const struct vf__cube_sum *sum, const uint64_t *counts, double *value) {
    if (!sum->specials || (counts[0] | counts[1] | counts[2]) == 0) return false;
    if (counts[0] != 0 || (counts[1] != 0 && counts[2] != 0))
        *value = (double)NAN;
    else
        *value = counts[1] != 0 ? (double)INFINITY : -(double)INFINITY;
    return true;
}

void vf__cube_sum_f64(const struct vf__cube_sum *sum, const uint64_t *record, double *hi, double *lo) {
    const uint64_t *words = record + sum->offset;
    uint64_t rest[VF__FIXED_WORDS];
    *lo = 0.0;
    if (special(sum, words + sum->words, hi)) return;
    *hi = vf__fixed_round(words, sum->words, sum->exponent);
    if (*hi == 0.0 || isinf(*hi)) return;
    memcpy(rest, words, sum->words * sizeof *words);
    int exponent;
    uint64_t m = take_apart(*hi, &exponent);
    int shift = exponent - sum->exponent;
    if (shift < 0) { /* hi is a whole number of units: only zeros go */
        m >>= -shift;
        shift = 0;
    }
    struct vf__wide v = {m, 0};
    vf__fixed_add(rest, sum->words, *hi > 0 ? vf__wide_negate(v) : v, (unsigned)shift);
    *lo = vf__fixed_round(rest, sum->words, sum->exponent);
    if (*hi + *lo != *hi)
        *lo = nextafter(*lo, 0.0); /* rounded up to half a unit of hi: the pair would be another sum */
}
