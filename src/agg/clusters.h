/* Standard errors from clustered draws: sums of squares by group, the same bits in every order of the rows.
   Not for what a draw is: the caller has each cluster's influence. */
#ifndef VF_AGG_CLUSTERS_H
#define VF_AGG_CLUSTERS_H

#include "agg/fsum.h"

struct vf__cluster {
    struct vf__fsum squares;
    int64_t n;
};

/* Adds draws x[i] with ok[i] (NULL: all) to group[i]. False: no memory. */
bool vf__clusters_add(struct vf__cluster *clusters, const double *x, const uint8_t *ok, const int64_t *group,
                      int64_t n, struct vf__spills *spills);

/* sqrt(n / (n - 1) * sum of x^2); NaN with fewer than two draws. */
double vf__cluster_error(const struct vf__cluster *cluster, const struct vf__spills *spills);

#endif
