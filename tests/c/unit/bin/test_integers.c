/* Checked arithmetic of integer columns: every operation, at the ends of int64, with nulls, conditions, one row for all. */
#include "check.h"

static struct check_column a, b, w;
static struct vf_column out;

static enum vf_status run(enum vf_integer_op op, const struct vf_series *x, const struct vf_series *y,
                          const struct vf_series *where) {
    memset(&out, 0xee, sizeof out);
    enum vf_status status = vf_integer_arithmetic(NULL, op, x, y, where, &out, &check_error);
    if (status == VF_OK) CHECK(strcmp(out.schema.format, "l") == 0);
    return status;
}

static const struct vf_series *one(struct check_column *c, const int64_t *value) {
    return check_series(c, "l", c == &a ? "a" : "b", 1, NULL, value, NULL);
}

static void check_value(enum vf_integer_op op, int64_t x, int64_t y, int64_t expected) {
    bool unary = op == VF_INTEGER_NEG || op == VF_INTEGER_ABS;
    CHECK_OK(run(op, one(&a, &x), unary ? NULL : one(&b, &y), NULL));
    CHECK(check_valid(&out, 0));
    CHECK(check_i64(&out, 0) == expected);
    vf_column_release(&out);
}

static void check_refused(enum vf_integer_op op, int64_t x, int64_t y) {
    bool unary = op == VF_INTEGER_NEG || op == VF_INTEGER_ABS;
    CHECK_STATUS(run(op, one(&a, &x), unary ? NULL : one(&b, &y), NULL), VF_ERROR_DATA);
    CHECK(check_error.row == 0 && check_error.count == 1 && strcmp(check_error.column, "a") == 0);
    enum vf_status silent =
        vf_integer_arithmetic(NULL, op, &a.series, unary ? NULL : &b.series, NULL, &out, NULL);
    CHECK(silent == VF_ERROR_DATA);
}

static void test_values(void) {
    check_value(VF_INTEGER_ADD, INT64_MAX - 1, 1, INT64_MAX);
    check_refused(VF_INTEGER_ADD, INT64_MAX, 1);
    check_value(VF_INTEGER_SUB, INT64_MIN + 1, 1, INT64_MIN);
    check_refused(VF_INTEGER_SUB, INT64_MIN, 1);
    check_value(VF_INTEGER_MUL, INT64_C(3037000499), INT64_C(3037000499), INT64_C(9223372030926249001));
    check_refused(VF_INTEGER_MUL, INT64_C(3037000500), INT64_C(3037000500));
    check_refused(VF_INTEGER_MUL, INT64_MIN, -1);
    check_value(VF_INTEGER_FLOOR_DIVIDE, -7, 2, -4);
    check_value(VF_INTEGER_FLOOR_DIVIDE, 7, -2, -4);
    check_value(VF_INTEGER_FLOOR_DIVIDE, -8, 2, -4);
    check_refused(VF_INTEGER_FLOOR_DIVIDE, INT64_MIN, -1);
    check_value(VF_INTEGER_POW, -2, 63, INT64_MIN);
    check_value(VF_INTEGER_POW, 0, 0, 1);
    check_value(VF_INTEGER_POW, -1, INT64_MAX, -1);
    check_value(VF_INTEGER_POW, 1, INT64_MAX, 1);
    check_refused(VF_INTEGER_POW, 2, 63);
    check_refused(VF_INTEGER_POW, 2, -1);
    check_value(VF_INTEGER_NEG, INT64_MAX, 0, -INT64_MAX);
    check_refused(VF_INTEGER_NEG, INT64_MIN, 0);
    check_value(VF_INTEGER_ABS, -5, 0, 5);
    check_refused(VF_INTEGER_ABS, INT64_MIN, 0);
}

static void test_columns(void) {
    static const int32_t x[4] = {2000000000, 7, -3, 5};
    static const int64_t y[4] = {2000000000, 0, 2, INT64_MAX}, two = 2;
    static const uint8_t valid = 0x0b, chosen = 0x05;
    const struct vf_series *xs = check_series(&a, "i", "a", 4, &valid, x, NULL);
    const struct vf_series *ys = check_series(&b, "l", "b", 4, NULL, y, NULL);
    CHECK_OK(run(VF_INTEGER_FLOOR_DIVIDE, xs, ys, NULL));
    CHECK(check_valid(&out, 0) && check_i64(&out, 0) == 1);
    CHECK(!check_valid(&out, 1) && !check_valid(&out, 2)); /* a divisor of 0, a null */
    vf_column_release(&out);
    CHECK_STATUS(run(VF_INTEGER_MUL, xs, ys, NULL), VF_ERROR_DATA);
    CHECK(check_error.row == 3 && check_error.count == 1);
    CHECK_OK(run(VF_INTEGER_MUL, xs, ys, check_series(&w, "b", "w", 4, NULL, &chosen, NULL)));
    CHECK(check_valid(&out, 0) && check_i64(&out, 0) == INT64_C(4000000000000000000));
    CHECK(!check_valid(&out, 1) && !check_valid(&out, 3)); /* not chosen: nothing is computed there */
    vf_column_release(&out);
    CHECK_OK(run(VF_INTEGER_MUL, xs, one(&b, &two), NULL));
    CHECK(out.array.length == 4 && check_i64(&out, 0) == INT64_C(4000000000) && check_i64(&out, 3) == 10);
    vf_column_release(&out);
}

static void test_refused(void) {
    static const int64_t y[4] = {1, 2, 3, 4};
    static const uint64_t large[1] = {UINT64_MAX};
    const struct vf_series *ys = check_series(&b, "l", "b", 4, NULL, y, NULL);
    CHECK_STATUS(run(VF_INTEGER_ADD, ys, NULL, NULL), VF_ERROR_ARGUMENT);
    CHECK_STATUS(run(VF_INTEGER_NEG, ys, ys, NULL), VF_ERROR_ARGUMENT);
    CHECK_STATUS(run(VF_INTEGER_ADD, NULL, ys, NULL), VF_ERROR_ARGUMENT);
    CHECK_STATUS(run((enum vf_integer_op)7, ys, ys, NULL), VF_ERROR_ARGUMENT);
    CHECK_STATUS(run(VF_INTEGER_ADD, check_series(&a, "l", "a", 3, NULL, y, NULL), ys, NULL),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(run(VF_INTEGER_ADD, check_series(&a, "g", "a", 4, NULL, y, NULL), ys, NULL), VF_ERROR_TYPE);
    CHECK_STATUS(run(VF_INTEGER_ADD, ys, ys, ys), VF_ERROR_TYPE);
    CHECK_STATUS(run(VF_INTEGER_ADD, check_series(&a, "L", "a", 1, NULL, large, NULL), ys, NULL),
                 VF_ERROR_OVERFLOW);
}

int main(void) {
    test_values();
    test_columns();
    test_refused();
    return check_report("test_integers");
}
