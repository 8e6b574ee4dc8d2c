/* Checked arithmetic of whole numbers, row by row. Not for sums over rows: agg/ has those. */
#include "bin/integers.h"

static bool add(int64_t a, int64_t b, int64_t *out) {
    return vf__add_i64(a, b, out);
}

static bool subtract(int64_t a, int64_t b, int64_t *out) {
    return vf__sub_i64(a, b, out);
}

static bool multiply(int64_t a, int64_t b, int64_t *out) {
    return vf__mul_i64(a, b, out);
}

static bool negate(int64_t a, int64_t b, int64_t *out) {
    (void)b;
    return vf__sub_i64(0, a, out);
}

static bool absolute(int64_t a, int64_t b, int64_t *out) {
    *out = a;
    return a >= 0 || negate(a, b, out);
}

/* By squaring: no step takes a square that the result does not need, so what does not fit is the result itself. */
static bool power(int64_t base, int64_t exponent, int64_t *out) {
    int64_t result = 1;
    if (exponent < 0) return false;
    while (exponent > 0) {
        if ((exponent & 1) != 0 && !vf__mul_i64(result, base, &result)) return false;
        exponent >>= 1;
        if (exponent > 0 && !vf__mul_i64(base, base, &base)) return false;
    }
    *out = result;
    return true;
}

/* Rounded down, as Polars and Python divide. The divisor is not 0. */
static bool floor_divide(int64_t a, int64_t b, int64_t *out) {
    if (a == INT64_MIN && b == -1) return false;
    int64_t quotient = a / b;
    *out = quotient - (a % b != 0 && (a < 0) != (b < 0));
    return true;
}

typedef bool operation(int64_t a, int64_t b, int64_t *out);

int64_t vf__integers(enum vf_integer_op op, const int64_t *a, const int64_t *b, int64_t n, int64_t *out,
                     uint8_t *ok, int64_t *first) {
    static operation *const operations[] = {add, subtract, multiply, floor_divide, power, negate, absolute};
    operation *one = operations[op];
    bool unary = op == VF_INTEGER_NEG || op == VF_INTEGER_ABS;
    int64_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t other = unary ? 0 : b[i];
        out[i] = 0;
        if (op == VF_INTEGER_FLOOR_DIVIDE && other == 0) ok[i] = 0;
        if (!ok[i] || one(a[i], other, &out[i])) continue;
        out[i] = 0;
        if (bad++ == 0) *first = i;
    }
    return bad;
}
