/* Long binary integers read as fixed-point numbers, and their one rounding to a double.
   Not for adding up values: fsum.h does that and only ends here. */
#ifndef VF_AGG_FIXED_H
#define VF_AGG_FIXED_H

#include "base/base.h"

/* Covers every sum of 2^77 doubles: bit 0 weighs 2^-1074. */
#define VF__FIXED_WORDS 34
#define VF__FIXED_EXPONENT (-1074)

/* 128 bits, two's complement, on compilers with and without such a type. */
struct vf__wide {
    uint64_t lo, hi;
};

/* words += value * 2^shift, modulo the length of words (two's complement, least word first). */
void vf__fixed_add(uint64_t *words, size_t n, struct vf__wide value, unsigned shift);

/* words * 2^exponent to the nearest double, ties to even; an infinity past DBL_MAX. n <= VF__FIXED_WORDS. */
double vf__fixed_round(const uint64_t *words, size_t n, int exponent);

/* words * 2^exponent / divisor (> 0) to the nearest double: one rounding. */
double vf__fixed_divide(const uint64_t *words, size_t n, int exponent, uint64_t divisor);

/* value / divisor (> 0) as an integer, the fraction dropped. */
int64_t vf__wide_divide(struct vf__wide value, uint64_t divisor);

/* Number of the highest bit that is set; -1 for none. */
static inline int vf__top_bit(uint64_t x) {
#if defined(__GNUC__) || defined(__clang__)
    return x != 0 ? 63 - __builtin_clzll(x) : -1;
#else
    int bit = -1;
    for (int step = 32; step > 0; step /= 2)
        if (x >> step != 0) x >>= step, bit += step;
    return x != 0 ? bit + 1 : -1;
#endif
}

static inline bool vf__wide_zero(struct vf__wide v) {
    return (v.lo | v.hi) == 0;
}

static inline bool vf__wide_negative(struct vf__wide v) {
    return (v.hi >> 63) != 0;
}

/* False on signed overflow. */
static inline bool vf__wide_add(struct vf__wide a, struct vf__wide b, struct vf__wide *out) {
    struct vf__wide r;
    r.lo = a.lo + b.lo;
    r.hi = a.hi + b.hi + (r.lo < a.lo);
    *out = r;
    return (((a.hi ^ r.hi) & (b.hi ^ r.hi)) >> 63) == 0;
}

static inline struct vf__wide vf__wide_negate(struct vf__wide v) {
    v.lo = ~v.lo + 1;
    v.hi = ~v.hi + (v.lo == 0);
    return v;
}

#endif
