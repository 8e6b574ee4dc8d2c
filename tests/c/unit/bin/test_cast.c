/* Integers to doubles: exact or refused.
   Not for floats to integers: test_bin.c. */
#include "check.h"

enum { ROWS = 5000 };
static int64_t numbers[ROWS];

static void exact(void) {
    static const int64_t x[] = {0, -1, INT64_C(1) << 53, -(INT64_C(1) << 53), INT64_MIN, INT64_C(1) << 62, 7};
    static const uint8_t known[] = {0x3f};
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "l", "id", 7, known, x, NULL);
    CHECK_OK(vf_cast_float(NULL, &c.series, &out, &check_error));
    CHECK(strcmp(out.schema.format, "g") == 0 && out.array.length == 7 && out.array.null_count == 1);
    for (int i = 0; i < 6; i++)
        CHECK(check_valid(&out, i) && check_f64(&out, i) == (double)x[i]);
    CHECK(!check_valid(&out, 6));
    check_release(&out);
    static const int8_t small[] = {-128, 127};
    check_series(&c, "c", "id", 2, NULL, small, NULL);
    CHECK_OK(vf_cast_float(NULL, &c.series, &out, &check_error));
    CHECK(check_f64(&out, 0) == -128 && check_f64(&out, 1) == 127 && out.array.buffers[0] == NULL);
    check_release(&out);
}

static void refused(void) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    static const int64_t none[] = {(INT64_C(1) << 53) + 1, -(INT64_C(1) << 53) - 1, INT64_MAX,
                                   (INT64_C(1) << 62) + 1};
    for (int i = 0; i < 4; i++) {
        memset(numbers, 0, sizeof numbers);
        numbers[4000] = numbers[4999] = none[i];
        check_series(&c, "l", "id", ROWS, NULL, numbers, NULL);
        CHECK_STATUS(vf_cast_float(NULL, &c.series, &out, &check_error), VF_ERROR_DATA);
        CHECK(check_error.row == 4000 && check_error.count == 2 && strcmp(check_error.column, "id") == 0);
        CHECK(check_is_rubbish(&out, sizeof out));
    }
    static const uint64_t large[] = {UINT64_MAX};
    check_series(&c, "L", "id", 1, NULL, large, NULL);
    CHECK_STATUS(vf_cast_float(NULL, &c.series, &out, &check_error), VF_ERROR_OVERFLOW);
    static const double real[] = {1};
    check_series(&c, "g", "id", 1, NULL, real, NULL);
    CHECK_STATUS(vf_cast_float(NULL, &c.series, &out, &check_error), VF_ERROR_TYPE);
    CHECK(check_is_rubbish(&out, sizeof out));
}

static enum vf_status scenario(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    check_series(&c, "l", "id", ROWS, NULL, numbers, NULL);
    enum vf_status status = vf_cast_float(ctx, &c.series, &out, &check_error);
    check_release(&out);
    return status;
}

int main(void) {
    exact();
    refused();
    memset(numbers, 0, sizeof numbers);
    check_all_faults(scenario);
    return check_report("cast");
}
