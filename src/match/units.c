/* See units.h. 0.3 has no float, and is what 0.30000000000000004 - an ulp away - was meant to be; so a float stands for
   the shortest decimal beside it. Not where every float has a decimal that close: there only the closest will do. */
#include "match/units.h"

#include "base/decimal.h"

#include <float.h>
#include <math.h>

/* Decimals of fewer units than this are 64 ulps apart or more: hardly a float is next to one by chance. */
#define SPARE_DOUBLE (UINT64_C(1) << 46)
#define SPARE_SINGLE (UINT64_C(1) << 17)

static uint32_t single_bits(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Floats from one to the other. */
static uint64_t steps(double a, double b, bool single) {
    uint64_t from = single ? single_bits(a) : vf__as_bits(a), to = single ? single_bits(b) : vf__as_bits(b);
    return from < to ? to - from : from - to;
}

bool vf__units_of(double x, bool single, unsigned *place, uint64_t *units) {
    const uint64_t spare = single ? SPARE_SINGLE : SPARE_DOUBLE;
    for (unsigned k = 0; k <= VF__PLACES; k++) {
        double y = x * vf__ten_to(k);
        if (y >= 0x1p63) return false;
        uint64_t n = y < 0x1p52 ? (uint64_t)(y + 0.5) : (uint64_t)y;
        if (n == 0 || steps(vf__units_double(n, k, single), x, single) > (n < spare)) continue;
        *place = k;
        *units = n;
        return true;
    }
    return false;
}

bool vf__units_exact(double x, unsigned place, uint64_t units) {
    double y = x * vf__ten_to(place);
    return y == (double)units && fma(x, vf__ten_to(place), -y) == 0;
}

double vf__units_double(uint64_t units, unsigned place, bool single) {
    double high = (double)units, ten = vf__ten_to(place);
    if (!single && units <= UINT64_C(1) << 53) return high / ten;
    double low = (double)(int64_t)(units - (uint64_t)high); /* both exact, and |low| an ulp of high at most */
    double x = high / ten;
    double left = fma(-x, ten, high) + low; /* x is `left / ten` too small */
    x += left / ten;
    if (!single || left == 0) return x;
    /* halfway between two floats only after rounding: to the side where it was */
    return (vf__as_bits(x) & 0x1fffffff) == 0x10000000 ? nextafter(x, left > 0 ? INFINITY : 0) : x;
}

double vf__ulp(double x, bool single) {
    double least = single ? 0x1p-149 : 0x1p-1074, power;
    uint64_t bits = vf__as_bits(x) & UINT64_C(0x7ff0000000000000);
    memcpy(&power, &bits, sizeof power);
    double ulp = power * (single ? FLT_EPSILON : DBL_EPSILON);
    return ulp > least ? ulp : least;
}
