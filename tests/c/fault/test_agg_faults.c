/* Every aggregation call with the N-th allocation failing, once and from then on: nothing leaks, the status says so,
   and an object that was left half-way says so too. Not for results, which are in unit/. */
#include "../check.h"

enum { N = 700 };

static int64_t key[N], bits[N];
static uint8_t side[N * 16], valid[(N + 7) / 8];
static double x[N];
static int32_t offsets[N + 1];
static char text[N * 4];

static void fill(void) {
    for (int i = 0; i < N; i++) {
        const char *name = i % 3 == 0 ? "Buy" : i % 3 == 1 ? "Sell" : "Cancel";
        int32_t length = (int32_t)strlen(name);
        key[i] = (i * 37) % 500;
        bits[i] = (int64_t)((uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
        memcpy(side + i * 16, &length, 4);
        memcpy(side + i * 16 + 4, name, (size_t)length);
        x[i] = i % 5 == 0 ? 1e300 : i % 5 == 1 ? 1e-300 : i; /* long accumulators are allocated */
        memcpy(text + i * 4, "abcd", 4);
        offsets[i + 1] = offsets[i] + i % 4;
        if (i % 7 != 0) valid[i >> 3] |= (uint8_t)(1u << (i & 7));
    }
}

struct columns {
    struct check_column key, side, wide, name, x, y;
    struct vf_series keys[4], values[2];
};

static void make_columns(struct columns *c) {
    static const int64_t no_sizes[1];
    c->keys[0] = *check_series(&c->key, "l", "key", N, valid, key, NULL);
    c->keys[1] = *check_series(&c->side, "vu", "side", N, NULL, side, no_sizes);
    c->keys[2] = *check_series(&c->wide, "l", "wide", N, NULL, bits, NULL);
    c->keys[3] = *check_series(&c->name, "u", "name", N, valid, offsets, text);
    c->values[0] = *check_series(&c->x, "g", "x", N, valid, x, NULL);
    c->values[1] = *check_series(&c->y, "l", "y", N, NULL, key, NULL);
}

static const struct vf_agg_leaf leaves[] = {{VF_AGG_LEN, 0, "n", {0, 0}},  {VF_AGG_SUM, 0, "x", {0, 0}},
                                            {VF_AGG_MEAN, 1, "y", {0, 0}}, {VF_AGG_MIN, 0, "lo", {0, 0}},
                                            {VF_AGG_SUM, 1, "ys", {0, 0}}, {VF_AGG_COUNT, 0, "c", {0, 0}}};
enum { LEAVES = 6, MOST_COLUMNS = 10 };

static enum vf_status finish(struct vf_agg *agg, size_t n) {
    struct vf_column out[MOST_COLUMNS];
    CHECK_POISON(out);
    enum vf_status status = vf_agg_finish(agg, out, NULL);
    for (size_t i = 0; i < n; i++) {
        if (status != VF_OK) CHECK(check_is_rubbish(&out[i], sizeof out[i]));
        check_release(&out[i]);
    }
    return status;
}

/* A failed update or merge changed nothing or closed the object for good; a failed finish may be repeated. */
static enum vf_status whole_life(const struct vf_context *ctx, size_t n_keys) {
    struct columns c;
    struct vf_agg *one = NULL, *two = NULL;
    make_columns(&c);
    enum vf_status status = vf_agg_open(ctx, leaves, LEAVES, n_keys, 2, &one, &check_error);
    if (status == VF_OK) status = vf_agg_open(ctx, leaves, LEAVES, n_keys, 2, &two, NULL);
    if (status == VF_OK) status = vf_agg_update(one, c.keys, c.values, N, &check_error);
    if (status == VF_OK) status = vf_agg_update(one, c.keys, c.values, N, &check_error);
    if (status == VF_OK) status = finish(one, n_keys + LEAVES);
    if (status == VF_OK) status = vf_agg_merge(two, one, &check_error);
    if (status == VF_OK) status = vf_agg_merge(two, one, &check_error);
    if (status == VF_OK) {
        CHECK_I64(vf_agg_groups(two), vf_agg_groups(one));
        status = finish(two, n_keys + LEAVES);
        if (status == VF_ERROR_MEMORY) {
            enum vf_status again = finish(two, n_keys + LEAVES);
            CHECK(again == VF_OK || again == VF_ERROR_MEMORY);
        }
    }
    vf_agg_close(one);
    vf_agg_close(two);
    return status;
}

static enum vf_status no_keys(const struct vf_context *ctx) {
    return whole_life(ctx, 0);
}
static enum vf_status small_keys(const struct vf_context *ctx) {
    return whole_life(ctx, 2);
}
static enum vf_status wide_keys(const struct vf_context *ctx) {
    return whole_life(ctx, 4);
}

/* After a failed update the object either works as if nothing had been, or refuses. */
static enum vf_status goes_on(const struct vf_context *ctx) {
    struct columns c;
    struct vf_agg *agg = NULL;
    make_columns(&c);
    enum vf_status status = vf_agg_open(ctx, leaves, LEAVES, 2, 2, &agg, &check_error);
    if (status != VF_OK) return status;
    status = vf_agg_update(agg, c.keys, c.values, N, &check_error);
    if (status == VF_ERROR_MEMORY) {
        enum vf_status again = vf_agg_update(agg, c.keys, c.values, N, &check_error);
        CHECK(again == VF_OK || again == VF_ERROR_MEMORY || again == VF_ERROR_STATE);
        struct vf_column out[MOST_COLUMNS];
        CHECK_POISON(out);
        if (again == VF_OK && vf_agg_finish(agg, out, NULL) == VF_OK) {
            int64_t rows = 0;
            for (int64_t g = 0; g < out[2].array.length; g++)
                rows += check_i64(&out[2], g);
            CHECK_I64(rows, N);
            for (size_t i = 0; i < 2 + LEAVES; i++)
                check_release(&out[i]);
        }
    }
    vf_agg_close(agg);
    return status;
}

static enum vf_status numbers(const struct vf_context *ctx) {
    struct columns c;
    struct vf_agg *agg = NULL;
    struct vf_column out[2];
    CHECK_POISON(out);
    make_columns(&c);
    enum vf_status status = vf_agg_open(ctx, NULL, 0, 2, 0, &agg, &check_error);
    if (status != VF_OK) return status;
    for (int turn = 0; status == VF_OK && turn < 2; turn++) {
        status = vf_agg_number(agg, c.keys, N, out, &check_error);
        if (status != VF_OK) CHECK(check_is_rubbish(out, sizeof out));
        check_release(&out[0]);
    }
    if (status == VF_OK) status = finish(agg, 2);
    vf_agg_close(agg);
    return status;
}

int main(void) {
    fill();
    check_all_faults(numbers);
    check_all_faults(no_keys);
    check_all_faults(small_keys);
    check_all_faults(wide_keys);
    check_all_faults(goes_on);
    return check_report("agg faults");
}
