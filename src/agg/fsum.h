/* Exact sums of doubles: whatever the order of the values, one correctly rounded result.
   Not compensated summation, which is only nearly right and depends on the order. */
#ifndef VF_AGG_FSUM_H
#define VF_AGG_FSUM_H

#include "agg/fixed.h"

/* A 128-bit fixed-point window that lies over the values seen so far, in 24 bytes: the sum is
   (hi:lo) * 2^(base - 1075), plus a long accumulator of its own for the rare group whose values do not fit one
   window. `base` is the biased exponent of a double whose last bit is the window's bit 0. */
struct vf__fsum {
    uint64_t lo, hi;
    uint32_t spill; /* index + 1 of the long accumulator; 0: none */
    uint16_t base;
    uint16_t flags;
};

#define VF__FSUM_NAN 1u
#define VF__FSUM_PLUS_INF 2u
#define VF__FSUM_MINUS_INF 4u
#define VF__FSUM_NO_BASE UINT16_MAX
/* A window of this base reaches up to DBL_MAX, and keeps infinities and NaN (exponent 2047) out of the fast path. */
#define VF__FSUM_TOP_BASE 1983

#define VF__FSUM_EMPTY ((struct vf__fsum){.base = VF__FSUM_NO_BASE})

/* The long accumulators of many sums. */
struct vf__spills {
    struct vf_context ctx;
    uint64_t (*words)[VF__FIXED_WORDS];
    uint32_t n, capacity;
};

void vf__spills_init(struct vf__spills *spills, const struct vf_context *ctx);
void vf__spills_release(struct vf__spills *spills);

/* What does not go the fast way. False: no memory, and nothing was added. */
bool vf__fsum_add_slow(struct vf__fsum *sum, double x, struct vf__spills *spills);

/* Adds x exactly. False: no memory, and nothing was added. Without a branch but for the two that are never taken:
   signs and exponents of real data cannot be predicted. */
static inline bool vf__fsum_add(struct vf__fsum *sum, double x, struct vf__spills *spills) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint64_t exponent = bits >> 52 & 0x7ff;
    uint64_t size = (bits & UINT64_C(0xfffffffffffff)) | (uint64_t)(exponent != 0) << 52;
    uint64_t shift = size == 0 ? 0 : exponent - sum->base;
    if (VF__UNLIKELY(shift > 63)) return vf__fsum_add_slow(sum, x, spills);
    uint64_t minus = UINT64_C(0) - (bits >> 63);
    int64_t m = (int64_t)((size ^ minus) - minus);
    uint64_t add = (uint64_t)m << shift, lo = sum->lo + add;
    uint64_t add_hi =
        (uint64_t)(m >> 1 >> (63 - shift)) + (lo < add); /* small: the carry cannot overflow it */
    uint64_t hi = sum->hi + add_hi;
    if (VF__UNLIKELY((int64_t)((sum->hi ^ hi) & (add_hi ^ hi)) < 0)) return vf__fsum_add_slow(sum, x, spills);
    sum->lo = lo;
    sum->hi = hi;
    return true;
}

/* Adds what `from` holds (of `from_spills`) to `sum`. Without `grow` no new long accumulator is made, so that
   threads may merge into different sums of one `spills`. False changes nothing: no memory, or not to grow. */
bool vf__fsum_merge(struct vf__fsum *sum, struct vf__spills *spills, bool grow, const struct vf__fsum *from,
                    const struct vf__spills *from_spills);

/* Back to the sum of nothing; a long accumulator stays for the next use. */
void vf__fsum_clear(struct vf__fsum *sum, struct vf__spills *spills);

/* The sum, rounded once. +-inf past DBL_MAX; inf - inf and anything with NaN: NaN; an exact zero is +0.0. */
double vf__fsum_value(const struct vf__fsum *sum, const struct vf__spills *spills);

#define VF__FSUM_DOWN 64

/* hi = round(S), lo = round(S - hi): what a stored state holds. Where rounding lo would make hi + lo round to another
   double than hi, lo is one unit nearer to 0. So hi = round(hi + lo). An S past DBL_MAX is an infinite hi, and
   lo = round(S / 2^VF__FSUM_DOWN); of NaN and true infinities lo is 0. */
void vf__fsum_split(const struct vf__fsum *sum, const struct vf__spills *spills, double *hi, double *lo);

/* Adds a stored state back in. False: no memory, and nothing was added. */
bool vf__fsum_join(struct vf__fsum *sum, double hi, double lo, struct vf__spills *spills);

/* S / n, rounded once (n > 0): a mean never overflows where its values do not. */
double vf__fsum_mean(const struct vf__fsum *sum, const struct vf__spills *spills, uint64_t n);

#endif
