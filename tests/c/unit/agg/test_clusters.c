/* Errors of clustered draws against their formula, in every order and with every kind of bad row.
   Not for running out of memory: tests/c/fault/test_clusters_faults.c does that. */
#include "check.h"

enum { N = 6000, GROUPS = 7 };

static double x[N];
static int32_t group[N];
static uint8_t valid[(N + 7) / 8];

static enum vf_status errors_of(int n, size_t n_groups, struct vf_column out[2]) {
    struct check_column draws, groups;
    return vf_clusters_error(NULL, check_series(&draws, "g", "influence", n, valid, x, NULL),
                             check_series(&groups, "i", "group", n, NULL, group, NULL), n_groups, out,
                             &check_error);
}

static void release(struct vf_column out[2]) {
    check_release(&out[0]);
    check_release(&out[1]);
}

static void test_by_hand(void) {
    /* Group 0: 3 and 4, error sqrt(2 / 1 * 25); group 1: one draw and a null; group 2: none; group 3: one draw and a NaN. */
    const double draws[] = {3, 9, 4, 5, NAN, 1};
    const int32_t of[] = {0, 1, 0, 1, 3, 3};
    struct vf_column out[2];
    CHECK_POISON(out);
    memcpy(x, draws, sizeof draws);
    memcpy(group, of, sizeof of);
    valid[0] = 0xff & ~(1 << 1);
    CHECK_OK(errors_of(6, 4, out));
    CHECK_I64(out[0].array.length, 4);
    CHECK_F64(check_f64(&out[0], 0), sqrt(50));
    CHECK(!check_valid(&out[0], 1) && !check_valid(&out[0], 2));
    CHECK(!check_valid(&out[0], 3));
    const int64_t clusters[] = {2, 1, 0, 1};
    for (int i = 0; i < 4; i++)
        CHECK_I64(check_i64(&out[1], i), clusters[i]);
    CHECK(out[1].array.null_count == 0);
    release(out);
}

static void test_every_order(void) {
    struct vf_column forward[2], backward[2];
    CHECK_POISON(forward);
    CHECK_POISON(backward);
    long double want[GROUPS] = {0}, n[GROUPS] = {0};
    uint64_t seed = 11;
    memset(valid, 0xff, sizeof valid);
    for (int i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        group[i] = (int32_t)(seed >> 33) % GROUPS;
        x[i] = ldexp((double)(int64_t)seed, -60 - (int)(seed >> 20 & 63));
        want[group[i]] += (long double)(x[i] * x[i]);
        n[group[i]]++;
    }
    CHECK_OK(errors_of(N, GROUPS, forward));
    for (int i = 0; i < N / 2; i++) {
        double y = x[i];
        int32_t g = group[i];
        x[i] = x[N - 1 - i], group[i] = group[N - 1 - i];
        x[N - 1 - i] = y, group[N - 1 - i] = g;
    }
    CHECK_OK(errors_of(N, GROUPS, backward));
    for (int g = 0; g < GROUPS; g++) {
        double error = sqrt((double)(n[g] / (n[g] - 1) * want[g]));
        CHECK(fabs(check_f64(&forward[0], g) - error) <= 1e-14 * error);
        CHECK_F64(check_f64(&backward[0], g), check_f64(&forward[0], g));
        CHECK_I64(check_i64(&forward[1], g), n[g]);
    }
    release(forward);
    release(backward);
}

static void test_one_group(void) {
    struct check_column draws;
    struct vf_column alone[2], named[2];
    CHECK_POISON(alone);
    CHECK_POISON(named);
    memset(group, 0, sizeof group);
    CHECK_OK(errors_of(N, 1, named));
    CHECK_OK(vf_clusters_error(NULL, check_series(&draws, "g", "influence", N, NULL, x, NULL), NULL, 1, alone,
                               &check_error));
    CHECK_F64(check_f64(&alone[0], 0), check_f64(&named[0], 0));
    CHECK_I64(check_i64(&alone[1], 0), N);
    release(alone);
    release(named);
}

static void test_bad_input(void) {
    struct check_column draws, groups;
    struct vf_column out[2];
    CHECK_POISON(out);
    memset(valid, 0xff, sizeof valid);
    memset(group, 0, sizeof group);
    CHECK_OK(errors_of(0, 0, out));
    CHECK_I64(out[0].array.length, 0);
    release(out);
    group[5000] = 3;
    CHECK_STATUS(errors_of(N, 3, out), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 5000);
    CHECK(strcmp(check_error.column, "group") == 0);
    group[5000] = -1;
    CHECK_STATUS(errors_of(N, 3, out), VF_ERROR_DATA);
    group[5000] = 0;
    uint8_t gap = 0xfb;
    CHECK_STATUS(vf_clusters_error(NULL, check_series(&draws, "g", "influence", 8, NULL, x, NULL),
                                   check_series(&groups, "i", "group", 8, &gap, group, NULL), 1, out, &check_error),
                 VF_ERROR_DATA);
    CHECK_I64(check_error.row, 2);
    CHECK_STATUS(vf_clusters_error(NULL, check_series(&draws, "g", "influence", 8, NULL, x, NULL),
                                   check_series(&groups, "i", "group", 7, NULL, group, NULL), 1, out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_clusters_error(NULL, check_series(&draws, "u", "influence", 0, NULL, group, x),
                                   check_series(&groups, "i", "group", 0, NULL, group, NULL), 1, out, &check_error),
                 VF_OK); /* no rows, nothing to read */
    release(out);
    CHECK_STATUS(vf_clusters_error(NULL, check_series(&draws, "g", "influence", 8, NULL, x, NULL), NULL, 0, out,
                                   &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
}

int main(void) {
    test_by_hand();
    test_every_order();
    test_one_group();
    test_bad_input();
    return check_report("test_clusters");
}
