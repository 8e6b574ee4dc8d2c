/* Standard errors from clustered draws.
   Not for reading columns: src/agg/api_clusters.c does that. */
#include "agg/clusters.h"

#include <math.h>

bool vf__clusters_add(struct vf__cluster *clusters, const double *x, const uint8_t *ok, const int64_t *group,
                      int64_t n, struct vf__spills *spills) {
    for (int64_t i = 0; i < n; i++) {
        if ((ok != NULL && !ok[i]) || !isfinite(x[i])) continue;
        struct vf__cluster *cluster = &clusters[group[i]];
        if (!vf__fsum_add(&cluster->squares, x[i] * x[i], spills)) return false;
        cluster->n++;
    }
    return true;
}

double vf__cluster_error(const struct vf__cluster *cluster, const struct vf__spills *spills) {
    if (cluster->n < 2) return (double)NAN;
    double n = (double)cluster->n;
    return sqrt(n / (n - 1) * vf__fsum_value(&cluster->squares, spills));
}
