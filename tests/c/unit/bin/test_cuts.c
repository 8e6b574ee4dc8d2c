/* Quantile cuts against a sort, and bin numbers against a scan of the cuts.
   Not for running out of memory: tests/c/fault/test_returns_faults.c does that. */
#include "check.h"

enum { MAX_N = 5000, MAX_BINS = 40 };

static uint64_t seed = 7;
static uint64_t draw(void) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return seed ^ seed >> 29;
}

/* Values of every kind: few distinct, many, of any bits, and others to be passed over. */
static double value(int kind) {
    double x;
    uint64_t bits = draw();
    switch (kind) {
    case 0:
        return (double)(bits % 7) - 3;
    case 1:
        return (double)(bits % 100000) / 1000 - 50;
    default:
        memcpy(&x, &bits, sizeof x);
        return x;
    }
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void feed(struct vf_quantiles *q, const double *x, int64_t n, int64_t cut) {
    struct check_column c;
    for (int64_t first = 0; first < n; first += cut)
        CHECK_OK(vf_quantiles_update(
            q, check_series(&c, "g", "x", n - first < cut ? n - first : cut, NULL, x + first, NULL),
            &check_error));
}

static void test_quantiles(void) {
    static double x[MAX_N], sorted[MAX_N];
    for (int round = 0; round < 300; round++) {
        int64_t n = 1 + (int64_t)(draw() % (round % 10 == 0 ? MAX_N : 50)), m = 0, others = 0;
        size_t bins = 2 + (size_t)(draw() % (MAX_BINS - 1));
        enum vf_quantile_method method = (enum vf_quantile_method)(round % 2);
        for (int64_t i = 0; i < n; i++) {
            x[i] = value(round % 3);
            if (isfinite(x[i]))
                sorted[m++] = x[i] + 0.0;
            else
                others++;
        }
        qsort(sorted, (size_t)m, sizeof *sorted, ascending);
        struct vf_quantiles *q = NULL;
        struct vf_quantiles_summary s;
        double cuts[MAX_BINS];
        bool more = true;
        int passes = 0;
        CHECK_OK(vf_quantiles_open(NULL, bins, method, &q, &check_error));
        if (m == 0) {
            vf_quantiles_close(q);
            continue;
        }
        while (more) {
            feed(q, x, n, 1 + (int64_t)(draw() % 3000));
            CHECK_OK(vf_quantiles_pass(q, &more, &check_error));
            passes++;
        }
        CHECK_I64(passes, 5);
        CHECK_OK(vf_quantiles_cuts(q, cuts, &s, &check_error));
        CHECK(s.n == m && s.n_nan + s.n_infinite == others && s.low == sorted[0] && s.high == sorted[m - 1]);
        for (size_t k = 1; k < bins; k++) {
            size_t at = (size_t)(m - 1) * k, j = at / bins, up = ((size_t)m * k + bins - 1) / bins - 1;
            double g = (double)(at % bins) / (double)bins, a = sorted[j], b = g > 0 ? sorted[j + 1] : a;
            double linear = isfinite(b - a) ? a + g * (b - a) : a * (1 - g) + b * g;
            CHECK_F64(cuts[k - 1], method == VF_QUANTILE_INVERSE_CDF ? sorted[up] : linear);
        }
        vf_quantiles_close(q);
    }
}

static void test_replays(void) {
    static const double one[3] = {1, 2, 3}, other[3] = {1, 2, 4}, nothing[2] = {NAN, INFINITY};
    struct vf_quantiles *q = NULL;
    double cuts[1];
    bool more = false;
    CHECK_STATUS(vf_quantiles_open(NULL, 1, VF_QUANTILE_LINEAR, &q, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_quantiles_open(NULL, 4097, VF_QUANTILE_LINEAR, &q, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_quantiles_open(NULL, 2, (enum vf_quantile_method)2, &q, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_quantiles_open(NULL, 2, VF_QUANTILE_LINEAR, &q, &check_error));
    feed(q, one, 3, 3);
    CHECK_STATUS(vf_quantiles_cuts(q, cuts, NULL, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_quantiles_pass(q, &more, &check_error));
    feed(q, other, 3, 3);
    CHECK_STATUS(vf_quantiles_pass(q, &more, &check_error), VF_ERROR_REPLAY);
    CHECK_STATUS(vf_quantiles_pass(q, &more, &check_error), VF_ERROR_STATE);
    vf_quantiles_close(q);
    CHECK_OK(vf_quantiles_open(NULL, 2, VF_QUANTILE_LINEAR, &q, &check_error));
    feed(q, nothing, 2, 2);
    CHECK_STATUS(vf_quantiles_pass(q, &more, &check_error), VF_ERROR_DATA);
    vf_quantiles_close(q);
    CHECK_OK(vf_quantiles_open(NULL, 2, VF_QUANTILE_LINEAR, &q, &check_error));
    for (more = true; more;) {
        feed(q, one, 3, 1);
        CHECK_OK(vf_quantiles_pass(q, &more, &check_error));
    }
    CHECK_STATUS(vf_quantiles_pass(q, &more, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_quantiles_cuts(q, cuts, NULL, &check_error));
    CHECK_F64(cuts[0], 2);
    vf_quantiles_close(q);
    vf_quantiles_close(NULL);
}

static void test_cut_index(void) {
    static double x[MAX_N];
    static double cuts[300];
    struct check_column c;
    for (int round = 0; round < 60; round++) {
        size_t n_cuts = (size_t)(draw() % 300);
        bool left = round % 2 == 1;
        for (size_t i = 0; i < n_cuts; i++)
            cuts[i] = (double)i * 0.5 - 20;
        for (int64_t i = 0; i < MAX_N; i++)
            x[i] = i % 97 == 0 ? value(2) : (double)(draw() % 1200) * 0.25 - 100;
        struct vf_column out;
        CHECK_OK(vf_cut_index(NULL, check_series(&c, "g", "x", MAX_N, NULL, x, NULL), cuts, n_cuts, left,
                              -INFINITY, INFINITY, VF_CUT_CLIP, &out, &check_error));
        for (int64_t i = 0; i < MAX_N; i++) {
            int64_t want = 0;
            for (size_t k = 0; k < n_cuts; k++)
                want += left ? cuts[k] <= x[i] : cuts[k] < x[i];
            CHECK(check_valid(&out, i) == (isfinite(x[i]) != 0));
            if (isfinite(x[i])) CHECK_I64(check_i64(&out, i), want);
        }
        vf_column_release(&out);
    }
}

static void test_outside_and_refusals(void) {
    static const double x[4] = {-1, 0, 2, 3}, down[2] = {2, 1}, nan[1] = {NAN}, cut[1] = {1};
    struct check_column c;
    struct vf_column out;
    const struct vf_series *s = check_series(&c, "g", "x", 4, NULL, x, NULL);
    CHECK_OK(vf_cut_index(NULL, s, cut, 1, false, 0, 2, VF_CUT_NULL, &out, &check_error));
    CHECK(!check_valid(&out, 0) && check_i64(&out, 1) == 0 && check_i64(&out, 2) == 1 &&
          !check_valid(&out, 3));
    vf_column_release(&out);
    CHECK_STATUS(vf_cut_index(NULL, s, cut, 1, false, 0, 2, VF_CUT_RAISE, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.count == 2 && check_error.row == 0);
    CHECK_STATUS(vf_cut_index(NULL, s, down, 2, false, 0, 2, VF_CUT_CLIP, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cut_index(NULL, s, nan, 1, false, 0, 2, VF_CUT_CLIP, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cut_index(NULL, s, cut, 65536, false, 0, 2, VF_CUT_CLIP, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cut_index(NULL, s, NULL, 1, false, 0, 2, VF_CUT_CLIP, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cut_index(NULL, s, cut, 1, false, 2, 0, VF_CUT_CLIP, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cut_index(NULL, s, cut, 1, false, 0, 2, (enum vf_cut_outside)3, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    s = check_series(&c, "tDn", "x", 4, NULL, x, NULL);
    CHECK_STATUS(vf_cut_index(NULL, s, cut, 1, false, 0, 2, VF_CUT_CLIP, &out, &check_error), VF_ERROR_TYPE);
}

int main(void) {
    test_quantiles();
    test_replays();
    test_cut_index();
    test_outside_and_refusals();
    return check_report("test_cuts");
}
