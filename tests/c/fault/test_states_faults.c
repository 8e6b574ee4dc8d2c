/* Storing and merging states, and moments, with the N-th allocation failing, once and from then on.
   Not for results, which are in unit/agg/test_states.c. */
#include "../check.h"

#include <float.h>

enum { N = 300 };

static int64_t key[N], e[N], rows[N], nulls[N];
static int32_t date[N];
static uint8_t mask[(N + 7) / 8];
static double x[N], y[N];

static void fill(void) {
    for (int i = 0; i < N; i++) {
        key[i] = i % 50;
        x[i] = i % 3 == 0 ? 1e150 : i % 3 == 1 ? 1e-150 : i;
        y[i] = i % 7 == 0 ? 1e-140 : 3.0;
        e[i] = i % 9;
        date[i] = i % 11;
        rows[i] = i;
        if (i % 2 == 0) mask[i >> 3] |= (uint8_t)(1u << (i & 7));
    }
}

static enum vf_status states(struct vf_agg *agg, enum vf_status status) {
    struct vf_column out[32];
    CHECK_POISON(out);
    if (status != VF_OK) return status;
    status = vf_agg_states(agg, out, &check_error);
    for (size_t i = 0; i < 32; i++) {
        if (status != VF_OK) CHECK(check_is_rubbish(&out[i], sizeof out[i]));
        check_release(&out[i]);
    }
    return status;
}

static enum vf_status stored(const struct vf_context *ctx) {
    static const struct vf_agg_leaf leaves[] = {
        {VF_AGG_LEN, 0, "n", {0, 0}},     {VF_AGG_SUM, 0, "s", {0, 0}},   {VF_AGG_SQUARES, 0, "q", {0, 0}},
        {VF_AGG_DOT, 0, "d", {2, 0}},     {VF_AGG_FIRST, 0, "f", {3, 0}}, {VF_AGG_LAST, 1, "l", {0, 0}},
        {VF_AGG_PRODUCT, 0, "p", {0, 0}}, {VF_AGG_MIN, 0, "m", {0, 0}}};
    struct check_column k, a, b, c;
    struct vf_agg *agg = NULL, *other = NULL;
    struct vf_series keys[] = {*check_series(&k, "l", "k", N, NULL, key, NULL)};
    struct vf_series values[] = {*check_series(&a, "g", "x", N, NULL, x, NULL),
                                 *check_series(&b, "g", "y", N, NULL, y, NULL),
                                 *check_series(&c, "b", "m", N, NULL, mask, NULL)};
    enum vf_status status = vf_agg_open(ctx, leaves, 8, 1, 3, &agg, &check_error);
    if (status == VF_OK) status = vf_agg_open(ctx, leaves, 8, 1, 3, &other, &check_error);
    if (status == VF_OK) status = vf_agg_update(agg, keys, values, N, &check_error);
    if (status == VF_OK) status = vf_agg_merge(other, agg, &check_error);
    status = states(other, states(agg, status));
    if (agg != NULL && status == VF_ERROR_MEMORY) {
        enum vf_status again = states(agg, VF_OK);
        CHECK(again == VF_OK || again == VF_ERROR_MEMORY || again == VF_ERROR_STATE);
    }
    vf_agg_close(agg);
    vf_agg_close(other);
    return status;
}

static enum vf_status merges(const struct vf_context *ctx) {
    static const struct vf_agg_leaf leaves[] = {{VF_AGG_ADD_PAIR, 0, "s", {2, 0}},
                                                {VF_AGG_MERGE_FIRST, 0, "f", {3, 4}},
                                                {VF_AGG_MERGE_PRODUCT, 0, "p", {2, 5}}};
    struct check_column k, a, b, c, d, f;
    struct vf_agg *agg = NULL;
    double large[N];
    for (int i = 0; i < N; i++)
        large[i] = i == 7 ? 1.0 / 0.0 : x[i]; /* an infinite hi with a lo: a long accumulator */
    struct vf_series keys[] = {*check_series(&k, "l", "k", N, NULL, key, NULL)};
    struct vf_series values[] = {
        *check_series(&a, "g", "hi", N, NULL, large, NULL), *check_series(&b, "g", "lo", N, NULL, y, NULL),
        *check_series(&c, "tdD", "date", N, NULL, date, NULL),
        *check_series(&d, "l", "row", N, NULL, rows, NULL), *check_series(&f, "l", "e", N, NULL, e, NULL)};
    enum vf_status status = vf_agg_open(ctx, leaves, 3, 1, 5, &agg, &check_error);
    if (status == VF_OK) status = vf_agg_update(agg, keys, values, N, &check_error);
    status = states(agg, status);
    vf_agg_close(agg);
    return status;
}

static enum vf_status moments(const struct vf_context *ctx) {
    struct check_column c[12];
    struct vf_series series[12];
    struct vf_column out;
    CHECK_POISON(out);
    for (int i = 0; i < 10; i++)
        series[i] = *check_series(&c[i], "g", "x", N, NULL, i % 2 == 0 ? x : y, NULL);
    series[10] = *check_series(&c[10], "l", "rows", N, NULL, rows, NULL);
    series[11] = *check_series(&c[11], "l", "nulls", N, NULL, nulls, NULL);
    enum vf_status status = vf_moment_value(ctx, VF_MOMENT_CORR, 0, series, 12, &out, &check_error);
    if (status == VF_OK) {
        check_release(&out);
        struct vf_series mean[] = {series[0], series[1], series[10], series[11]};
        status = vf_moment_value(ctx, VF_MOMENT_MEAN, 0, mean, 4, &out, &check_error);
    }
    CHECK(status == VF_OK || check_is_rubbish(&out, sizeof out));
    check_release(&out);
    return status;
}

int main(void) {
    fill();
    check_all_faults(stored);
    check_all_faults(merges);
    check_all_faults(moments);
    return check_report("states faults");
}
