/* See decimal.h. Not quick where numbers are beyond 2^53: those are rare. */
#include "base/decimal.h"

#include <stdio.h>
#include <stdlib.h>

double vf__ten_to(unsigned k) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    return powers[k];
}

/* Four parts of 32 bits, the lowest first. */
static void take_apart(struct vf__u128 a, uint64_t part[4]) {
    part[0] = a.low & UINT32_MAX;
    part[1] = a.low >> 32;
    part[2] = a.high & UINT32_MAX;
    part[3] = a.high >> 32;
}

static struct vf__u128 put_together(const uint64_t part[4]) {
    return (struct vf__u128){.low = part[0] | part[1] << 32, .high = part[2] | part[3] << 32};
}

bool vf__u128_times_ten(struct vf__u128 *a) {
    uint64_t part[4], carry = 0;
    take_apart(*a, part);
    for (int i = 0; i < 4; i++) {
        carry += part[i] * 10;
        part[i] = carry & UINT32_MAX;
        carry >>= 32;
    }
    if (carry != 0) return false;
    *a = put_together(part);
    return true;
}

unsigned vf__u128_over_ten(struct vf__u128 *a) {
    uint64_t part[4], left = 0;
    take_apart(*a, part);
    for (int i = 3; i >= 0; i--) {
        left = left << 32 | part[i];
        part[i] = left / 10;
        left %= 10;
    }
    *a = put_together(part);
    return (unsigned)left;
}

double vf__decimal_double(struct vf__u128 a, int32_t scale) {
    char text[64];
    size_t at = 40;
    if (a.high == 0 && a.low <= UINT64_C(1) << 53 && scale >= 0 && scale <= 22)
        return (double)a.low / vf__ten_to((unsigned)scale);
    /* digits and an exponent, without a point, mean the same in every locale */
    (void)snprintf(text + at, sizeof text - at, "e%d", (int)-scale);
    do {
        text[--at] = (char)('0' + vf__u128_over_ten(&a));
    } while ((a.low | a.high) != 0);
    return strtod(text + at, NULL);
}
