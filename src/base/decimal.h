/* Whole numbers of 128 bits, and decimals as doubles. Not for signs: what is here is zero or more. */
#ifndef VF_BASE_DECIMAL_H
#define VF_BASE_DECIMAL_H

#include "base/base.h"

struct vf__u128 {
    uint64_t low, high;
};

static inline struct vf__u128 vf__u128_add(struct vf__u128 a, struct vf__u128 b) {
    struct vf__u128 sum = {.low = a.low + b.low, .high = a.high + b.high};
    sum.high += sum.low < a.low;
    return sum;
}

static inline struct vf__u128 vf__u128_sub(struct vf__u128 a, struct vf__u128 b) {
    return (struct vf__u128){.low = a.low - b.low, .high = a.high - b.high - (a.low < b.low)};
}

/* *a = *a * 10; false: it would not fit. And *a = *a / 10, with what is left over. */
bool vf__u128_times_ten(struct vf__u128 *a);
unsigned vf__u128_over_ten(struct vf__u128 *a);

/* a * 10^-scale, as the closest double. */
double vf__decimal_double(struct vf__u128 a, int32_t scale);

/* 10^k, exact for k in 0..22. */
double vf__ten_to(unsigned k);

#endif
