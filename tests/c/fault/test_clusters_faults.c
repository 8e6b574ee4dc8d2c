/* Errors of clustered draws with every allocation failing in turn.
   Not for what the results are: tests/c/unit/agg/test_clusters.c has those. */
#include "../check.h"

static enum vf_status scenario(const struct vf_context *ctx) {
    /* Values too far apart for one window, so that sums need long accumulators. */
    static const double x[] = {1e150, 1e-150, 3, 1e150, 2, 1e-140};
    static const int32_t group[] = {0, 0, 0, 1, 1, 1};
    struct check_column draws, groups;
    struct vf_column out[2];
    CHECK_POISON(out);
    enum vf_status status =
        vf_clusters_error(ctx, check_series(&draws, "g", "influence", 6, NULL, x, NULL),
                          check_series(&groups, "i", "group", 6, NULL, group, NULL), 2, out, &check_error);
    if (status == VF_OK) {
        CHECK_I64(check_i64(&out[1], 0), 3);
        CHECK_F64(check_f64(&out[0], 0), sqrt(1.5 * (1e150 * 1e150)));
    }
    check_release(&out[0]);
    check_release(&out[1]);
    return status;
}

int main(void) {
    check_all_faults(scenario);
    return check_report("test_clusters_faults");
}
