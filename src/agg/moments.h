/* What follows from stored sums: means, variances, covariances, correlations.
   Not for adding up: a sum is a pair of doubles here, hi + lo. */
#ifndef VF_AGG_MOMENTS_H
#define VF_AGG_MOMENTS_H

#include "agg/fsum.h"

struct vf__pair {
    double hi, lo;
};

/* (hi + lo) / n, rounded once (n > 0). `spills` is where a sum that is far from its rest may need room; false: none. */
bool vf__pair_mean(struct vf__pair sum, uint64_t n, struct vf__spills *spills, double *mean);

/* Sum of (x - mean x) * (y - mean y) from n, sum x, sum y and sum x * y, in double-double arithmetic; 0 where it is
   below 2^-100 of what was subtracted, which is what the sums' own rounding can make of nothing. n > 0. */
double vf__co_moment(struct vf__pair x, struct vf__pair y, struct vf__pair xy, int64_t n);

/* The same for x = y: never negative. */
double vf__second_moment(struct vf__pair x, struct vf__pair xx, int64_t n);

#endif
