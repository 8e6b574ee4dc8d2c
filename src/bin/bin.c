/* See bin.h. Rounding by the 1.5 * 2^52 trick: half to even in two additions, without a call and on any
   x86-64. Not valid under -ffast-math, which no build of ours uses. */
#include "bin/bin.h"
#include "base/price.h"

#include <math.h>

#define ROUNDER 0x1.8p52
#define TRICK_BELOW 0x1p51
#define LIMIT 0x1p53
#define SNAP_BELOW 0x1p48 /* 4 ulp are an eighth there; four times further up they would reach the integers */
#define ALWAYS 1e-3

static inline double round_half_even(double q) {
    if (VF__LIKELY(fabs(q) < TRICK_BELOW)) return (q + ROUNDER) - ROUNDER;
    return rint(q);
}

/* A quotient within 4 ulp of a half is that half: 0.00015 / 1e-4 is 1.4999999999999998. */
static double snapped(double q) {
    double a = fabs(q), half = (double)(int64_t)a + 0.5, after;
    uint64_t bits;
    memcpy(&bits, &half, sizeof bits);
    bits++; /* nextafter without the call */
    memcpy(&after, &bits, sizeof after);
    return fabs(a - half) <= 4 * (after - half) ? copysign(half, q) : q;
}

int64_t vf__bin_index(const double *x, int64_t n, double width, bool snap, int64_t *out, uint8_t *ok,
                      int64_t *first) {
    int64_t beyond = 0;
    for (int64_t i = 0; i < n; i++) {
        double q = x[i] / width;
        if (snap && fabs(q) < SNAP_BELOW) q = snapped(q);
        bool fits = fabs(q) < LIMIT; /* false for NaN too */
        out[i] = fits && ok[i] ? (int64_t)round_half_even(q) : 0;
        if (VF__LIKELY(fits) || !ok[i]) continue;
        ok[i] = 0;
        if (!isfinite(x[i])) continue;
        if (beyond++ == 0) *first = i;
    }
    return beyond;
}

bool vf__near_integers(const double *x, int64_t n, double tolerance, const uint8_t *ok, int64_t *out) {
    const uint64_t most = vf__as_bits(tolerance > ALWAYS ? tolerance : ALWAYS), least = vf__as_bits(tolerance);
    const uint64_t rounder = vf__as_bits(ROUNDER);
    uint64_t far = 0; /* its top bit: one is */
    for (int64_t i = 0; i < n; i++) {
        double a = fabs(x[i]), moved = x[i] + ROUNDER;
        uint64_t off = vf__as_bits(fabs(x[i] - (moved - ROUNDER))), there = 0 - (uint64_t)ok[i];
        out[i] = (int64_t)((vf__as_bits(moved) - rounder) & there); /* where the trick holds, the integer's bits */
        far |= ((most - off) | ((least - off) & (vf__as_bits(tolerance * a) - off))) & there;
        far |= (vf__as_bits(TRICK_BELOW) - 1 - vf__as_bits(a)) & there;
    }
    return far >> 63 == 0;
}

int64_t vf__near_integer(const double *x, int64_t n, double tolerance, const uint8_t *ok, double *out,
                         int64_t *first) {
    int64_t bad = 0;
    /* relative, but a share of a large number must not swallow a fraction: 1e-6 of 1500000.5 is more than its half */
    const double most = tolerance > ALWAYS ? tolerance : ALWAYS;
    for (int64_t i = 0; i < n; i++) {
        double nearest = round_half_even(x[i]);
        double relative = tolerance * (fabs(x[i]) > 1 ? fabs(x[i]) : 1);
        double within = relative < most ? relative : most;
        out[i] = nearest;
        if (VF__LIKELY(fabs(x[i] - nearest) <= within) || !ok[i]) continue; /* false for NaN and infinities */
        if (bad++ == 0) *first = i;
    }
    return bad;
}

void vf__mid(const double *bid, const double *ask, int64_t n, double *out, uint8_t *ok) {
    const uint64_t most = vf__as_bits(VF__NO_PRICE) - 1; /* the largest price: two of them still have a sum */
    for (int64_t i = 0; i < n; i++) {
        uint64_t b = vf__as_bits(bid[i]), a = vf__as_bits(ask[i]);
        uint64_t none = b | (b - 1) | a | (a - 1) | (most - b) | (most - a); /* its top bit: vf__is_price says no */
        out[i] = (bid[i] + ask[i]) * 0.5;
        ok[i] &= (uint8_t)(1 ^ none >> 63);
    }
}
