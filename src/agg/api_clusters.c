/* Standard errors of clustered draws over Arrow columns.
   Not for the arithmetic: clusters.c has it. */
#include "agg/clusters.h"
#include "arrow/build.h"
#include "arrow/read.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

struct clustering {
    struct vf__reader influence, group;
    struct vf__cluster *clusters;
    size_t n_groups;
    struct vf__spills spills;
};

static enum vf_status check_groups(const struct clustering *c, const int64_t *groups, const uint8_t *valid,
                                   int64_t row, int64_t n, struct vf_error *err) {
    for (int64_t i = 0; i < n; i++)
        if ((valid != NULL && !valid[i]) || groups[i] < 0 || (uint64_t)groups[i] >= c->n_groups)
            return vf__fail(err, VF_ERROR_DATA, c->group.name, row + i,
                            "column \"%s\": row %" PRId64 " is in no group; numbers below %zu are accepted",
                            c->group.name, row + i, c->n_groups);
    return VF_OK;
}

static enum vf_status add_block(struct clustering *c, int64_t row, int64_t n, struct vf_error *err) {
    double x_buffer[BLOCK];
    int64_t group_buffer[BLOCK];
    uint8_t x_valid[BLOCK], group_valid[BLOCK];
    const double *x;
    const int64_t *groups;
    const uint8_t *ok, *valid;
    enum vf_status status = vf__read_f64(&c->influence, row, n, x_buffer, x_valid, &x, &ok, err);
    if (status != VF_OK) return status;
    if (c->group.series == NULL) {
        memset(group_buffer, 0, sizeof group_buffer);
        groups = group_buffer;
    } else {
        status = vf__read_i64(&c->group, row, n, group_buffer, group_valid, &groups, &valid, err);
        if (status == VF_OK) status = check_groups(c, groups, valid, row, n, err);
    }
    if (status == VF_OK && !vf__clusters_add(c->clusters, x, ok, groups, n, &c->spills))
        status = vf__fail_memory(err, sizeof *c->spills.words);
    return status;
}

static enum vf_status give(const struct vf_context *ctx, const struct clustering *c, struct vf_column out[2],
                           struct vf_error *err) {
    struct vf_column errors = {{0}, {0}}, counts = {{0}, {0}};
    void *error = NULL, *count = NULL;
    uint8_t *validity = NULL, *none = NULL;
    int64_t n = (int64_t)c->n_groups;
    enum vf_status status = vf__column_new(ctx, "g", "error", n, 8, true, &errors, &error, &validity, err);
    if (status == VF_OK)
        status = vf__column_new(ctx, "l", "clusters", n, 8, false, &counts, &count, &none, err);
    if (status != VF_OK) {
        vf_column_release(&errors);
        return status;
    }
    for (int64_t i = 0; i < n; i++) {
        double value = vf__cluster_error(&c->clusters[i], &c->spills);
        uint8_t known = isfinite(value) != 0;
        ((double *)error)[i] = known ? value : 0.0;
        ((int64_t *)count)[i] = c->clusters[i].n;
        vf__validity_clear(validity, i, 1, &known);
    }
    (void)vf__column_give(VF_OK, &errors, &out[0]);
    return vf__column_give(VF_OK, &counts, &out[1]);
}

enum vf_status vf_clusters_error(const struct vf_context *ctx, const struct vf_series *influence,
                                 const struct vf_series *group, size_t n_groups, struct vf_column out[2],
                                 struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct clustering c = {.n_groups = n_groups};
    enum vf_status status = vf__reader_open(&c.influence, influence, err);
    if (status == VF_OK && group != NULL) status = vf__reader_open(&c.group, group, err);
    if (status != VF_OK) return status;
    if (group == NULL && n_groups == 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, c.influence.name, -1, "0 groups; the draws are in group 0");
    if (group != NULL && c.influence.n_rows != c.group.n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, c.group.name, -1,
                        "column \"%s\" has %" PRId64 " rows, and the draws have %" PRId64, c.group.name,
                        c.group.n_rows, c.influence.n_rows);
    vf__spills_init(&c.spills, &context);
    c.clusters = vf__alloc(&context, n_groups, sizeof *c.clusters);
    if (c.clusters == NULL) status = vf__fail_memory(err, n_groups * sizeof *c.clusters);
    for (size_t i = 0; status == VF_OK && i < n_groups; i++)
        c.clusters[i] = (struct vf__cluster){.squares = VF__FSUM_EMPTY};
    int64_t n_rows = c.influence.n_rows;
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK)
        status = add_block(&c, row, n_rows - row < BLOCK ? n_rows - row : BLOCK, err);
    if (status == VF_OK) status = give(&context, &c, out, err);
    vf__free(&context, c.clusters, n_groups, sizeof *c.clusters);
    vf__spills_release(&c.spills);
    return status;
}
