/* The report on the order of rows: by hand, against a plain double loop, in any cut into batches, and what it refuses.
   Not for which times a day has: test_clock.c. */
#include "check.h"

static struct vf_order *opened(void) {
    struct vf_order *order = NULL;
    CHECK_OK(vf_order_open(NULL, &order, &check_error));
    return order;
}

static void by_hand(void) {
    static const int64_t keys[] = {1, 1, 2, 1, 2, 2, 1, 9}, times[] = {10, 12, 11, 12, 11, 7, 5, 0};
    static const uint8_t known[] = {0x7f}; /* the last time is null */
    struct check_column k, t;
    struct vf_order_report r;
    struct vf_order *order = opened();
    vf_order_report(order, &r);
    CHECK(r.n_rows == 0 && r.first_late == -1 && r.first_late_of_key == -1);
    check_series(&k, "l", "ukey", 8, NULL, keys, NULL);
    check_series(&t, "l", "t", 8, known, times, NULL);
    CHECK_OK(vf_order_update(order, &k.series, &t.series, &check_error));
    vf_order_report(order, &r);
    CHECK_I64(r.n_rows, 8);
    CHECK_I64(r.n_unknown, 1);
    CHECK_I64(r.n_late, 4); /* rows 2, 4, 5, 6, all after 12 */
    CHECK_I64(r.first_late, 2);
    CHECK_I64(r.most_late_ns, INT64_C(7000000000));
    CHECK_I64(r.n_late_of_key, 2);
    CHECK_I64(r.first_late_of_key, 5);
    CHECK_I64(r.most_late_of_key_ns, INT64_C(7000000000));
    CHECK_I64(r.n_equal_of_key, 2);
    vf_order_close(order);
}

enum { ROWS = 6000 };
static int64_t times[ROWS], text_keys[ROWS];
static double seconds[ROWS];
static int32_t offsets[ROWS + 1];
static char text[ROWS];
static uint8_t key_bits[ROWS / 8 + 1], time_bits[ROWS / 8 + 1];

static void fill(unsigned seed) {
    memset(key_bits, 0, sizeof key_bits);
    memset(time_bits, 0, sizeof time_bits);
    for (int i = 0; i < ROWS; i++) {
        seed = seed * 1664525u + 1013904223u;
        times[i] = i / 4 - (seed >> 28 == 0 ? (int64_t)(seed >> 20 & 31) : 0);
        seconds[i] = (double)times[i];
        text[i] = (char)('a' + (seed >> 8) % 17);
        text_keys[i] = text[i];
        offsets[i + 1] = i + 1;
        if (seed >> 12 & 15) key_bits[i / 8] |= (uint8_t)(1u << i % 8);
        if (seed >> 16 & 15) time_bits[i / 8] |= (uint8_t)(1u << i % 8);
    }
}

static bool bit(const uint8_t *bits, int i) {
    return bits[i / 8] >> i % 8 & 1;
}

static struct vf_order_report oracle(bool keyed) {
    struct vf_order_report r = {.n_rows = ROWS, .first_late = -1, .first_late_of_key = -1};
    for (int i = 0; i < ROWS; i++) {
        int64_t all = INT64_MIN, own = INT64_MIN;
        if (!bit(time_bits, i) || (keyed && !bit(key_bits, i))) {
            r.n_unknown++;
            continue;
        }
        for (int j = 0; j < i; j++) {
            if (!bit(time_bits, j) || (keyed && !bit(key_bits, j))) continue;
            if (times[j] > all) all = times[j];
            if ((!keyed || text[j] == text[i]) && times[j] > own) own = times[j];
        }
        if (times[i] < all) {
            if (r.n_late++ == 0) r.first_late = i;
            if ((all - times[i]) * 1000000000 > r.most_late_ns)
                r.most_late_ns = (all - times[i]) * 1000000000;
        }
        if (times[i] < own) {
            if (r.n_late_of_key++ == 0) r.first_late_of_key = i;
            if ((own - times[i]) * 1000000000 > r.most_late_of_key_ns)
                r.most_late_of_key_ns = (own - times[i]) * 1000000000;
        }
        r.n_equal_of_key += times[i] == own;
    }
    return r;
}

static void against_the_oracle(void) {
    for (unsigned seed = 1; seed < 4; seed++) {
        fill(seed);
        for (int keyed = 0; keyed < 3; keyed++) { /* no key, text, integers */
            struct vf_order_report want = oracle(keyed > 0), got;
            CHECK(want.n_late > 50 && (want.n_late_of_key > 5 || keyed == 0));
            for (int64_t cut = 1; cut <= ROWS; cut = cut < 100 ? cut * 33 : cut * 20) {
                struct vf_order *order = opened();
                for (int64_t row = 0; row < ROWS; row += cut) {
                    struct check_column k, t;
                    int64_t n = ROWS - row < cut ? ROWS - row : cut;
                    if (keyed == 1)
                        check_series(&k, "u", "symbol", ROWS, key_bits, offsets, text);
                    else
                        check_series(&k, "l", "symbol", ROWS, key_bits, text_keys, NULL);
                    if (seed % 2 == 0)
                        check_series(&t, "l", "t", ROWS, time_bits, times, NULL);
                    else
                        check_series(&t, "g", "t", ROWS, time_bits, seconds, NULL);
                    k.array.offset = t.array.offset = row;
                    k.array.length = t.array.length = n;
                    CHECK_OK(vf_order_update(order, keyed > 0 ? &k.series : NULL, &t.series, &check_error));
                }
                vf_order_report(order, &got);
                CHECK(memcmp(&got, &want, sizeof got) == 0);
                vf_order_close(order);
            }
        }
    }
}

static void refusals(void) {
    static const int64_t late[] = {INT64_MIN + 1, INT64_MAX};
    static const double fractions[] = {1, 2};
    struct check_column k, t, other;
    struct vf_order_report before, after;
    fill(1);
    struct vf_order *order = opened();
    check_series(&k, "l", "ukey", 10, NULL, text_keys, NULL);
    check_series(&t, "l", "t", 10, NULL, times, NULL);
    CHECK_OK(vf_order_update(order, &k.series, &t.series, &check_error));
    vf_order_report(order, &before);
    check_series(&other, "l", "t", 9, NULL, times, NULL);
    CHECK_STATUS(vf_order_update(order, &k.series, &other.series, &check_error), VF_ERROR_ARGUMENT);
    check_series(&other, "u", "ukey", 10, NULL, offsets, text);
    CHECK_STATUS(vf_order_update(order, &other.series, &t.series, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_order_update(order, NULL, &t.series, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_order_update(order, &k.series, &other.series, &check_error), VF_ERROR_TYPE);
    check_series(&other, "g", "ukey", 2, NULL, fractions, NULL);
    check_series(&t, "l", "t", 2, NULL, times, NULL);
    CHECK_STATUS(vf_order_update(order, &other.series, &t.series, &check_error), VF_ERROR_TYPE);
    check_series(&k, "l", "ukey", 2, NULL, text_keys, NULL);
    check_series(&t, "l", "t", 2, NULL, late, NULL);
    CHECK_STATUS(vf_order_update(order, &k.series, &t.series, &check_error), VF_ERROR_OVERFLOW);
    CHECK(check_error.row >= 10 && strcmp(check_error.column, "t") == 0); /* counted over all the rows */
    vf_order_report(order, &after);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    vf_order_close(order);
    vf_order_close(NULL);
    order = opened(); /* half-way through a batch, nothing more can be said */
    times[ROWS - 1] = INT64_MAX;
    check_series(&t, "l", "t", ROWS, NULL, times, NULL);
    CHECK_STATUS(vf_order_update(order, NULL, &t.series, &check_error), VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, ROWS - 1);
    CHECK_STATUS(vf_order_update(order, NULL, &t.series, &check_error), VF_ERROR_STATE);
    vf_order_close(order);
}

static void far_apart(void) {
    static const int64_t ns[] = {INT64_MAX, INT64_MIN};
    struct check_column t;
    struct vf_order_report r;
    struct vf_order *order = opened();
    check_series(&t, "tsn:", "t", 2, NULL, ns, NULL);
    CHECK_OK(vf_order_update(order, NULL, &t.series, &check_error));
    vf_order_report(order, &r);
    CHECK(r.n_late == 1 && r.most_late_ns == INT64_MAX);
    vf_order_close(order);
}

static enum vf_status scenario(const struct vf_context *ctx) {
    struct check_column k, t;
    struct vf_order *order = NULL;
    enum vf_status status = vf_order_open(ctx, &order, &check_error);
    check_series(&k, "l", "ukey", ROWS, NULL, times, NULL);
    check_series(&t, "l", "t", ROWS, NULL, times, NULL);
    if (status == VF_OK) status = vf_order_update(order, &k.series, &t.series, &check_error);
    vf_order_close(order);
    return status;
}

int main(void) {
    by_hand();
    against_the_oracle();
    refusals();
    far_apart();
    fill(1);
    check_all_faults(scenario);
    return check_report("order");
}
