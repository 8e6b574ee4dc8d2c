/* Double-double arithmetic for moments; see moments.h. Not a general library of it: three operations.
   Sums carry 106 bits, of which a mean of 10^10 standard deviations takes 67 away: 39 are left for the variance.
   Source: T. J. Dekker, A floating-point technique for extending the available precision, 1971. */
#include "agg/moments.h"

#include <math.h>

#define NOISE 0x1p-100

static struct vf__pair two_sum(double a, double b) {
    double s = a + b, t = s - a;
    return (struct vf__pair){s, (a - (s - t)) + (b - t)};
}

static struct vf__pair quick_sum(double a, double b) { /* |a| >= |b| */
    double s = a + b;
    return (struct vf__pair){s, b - (s - a)};
}

static struct vf__pair multiply(struct vf__pair a, struct vf__pair b) {
    double p = a.hi * b.hi;
    return quick_sum(p, fma(a.hi, b.hi, -p) + (a.hi * b.lo + a.lo * b.hi));
}

static struct vf__pair divide(struct vf__pair a, double n) {
    double q = a.hi / n, r = fma(-q, n, a.hi) + a.lo;
    return quick_sum(q, r / n);
}

static struct vf__pair subtract(struct vf__pair a, struct vf__pair b) {
    struct vf__pair s = two_sum(a.hi, -b.hi), t = two_sum(a.lo, -b.lo);
    s = quick_sum(s.hi, s.lo + t.hi);
    return quick_sum(s.hi, s.lo + t.lo);
}

bool vf__pair_mean(struct vf__pair sum, uint64_t n, struct vf__spills *spills, double *mean) {
    struct vf__fsum exact = VF__FSUM_EMPTY;
    if (!vf__fsum_join(&exact, sum.hi, sum.lo, spills)) return false;
    *mean = vf__fsum_mean(&exact, spills, n);
    if (exact.spill != 0) spills->n = 0; /* used once: the room is there for the next */
    return true;
}

/* x and y are divided first, so that nothing overflows where sum x * y did not. */
double vf__co_moment(struct vf__pair x, struct vf__pair y, struct vf__pair xy, int64_t n) {
    struct vf__pair part = multiply(x, divide(y, (double)n));
    double rest = subtract(xy, part).hi;
    if (!isfinite(xy.hi) || !isfinite(part.hi)) return (double)NAN;
    return fabs(rest) <= NOISE * (fabs(xy.hi) + fabs(part.hi)) ? 0.0 : rest;
}

double vf__second_moment(struct vf__pair x, struct vf__pair xx, int64_t n) {
    double m = vf__co_moment(x, x, xx, n);
    return m < 0.0 ? 0.0 : m;
}
