/* Integers to doubles, without losing a digit.
   Not for floats to integers: api_bin.c casts those that are near one. */
#include "arrow/build.h"
#include "arrow/read.h"

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

#define EXACT (INT64_C(1) << 53) /* every integer up to here is a double */

static bool is_exact(int64_t x) {
    if (x <= EXACT && x >= -EXACT) return true;
    double v = (double)x;
    return v < 0x1p63 && (int64_t)v == x;
}

/* Integers that no double holds: how many, and the first. */
struct lost {
    int64_t count, first_row, first;
};

static enum vf_status cast_block(struct vf__reader *reader, int64_t row, int64_t n, double *out,
                                 uint8_t *validity, struct lost *lost, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint8_t ok[BLOCK];
    const int64_t *x;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(reader, row, n, buffer, ok, &x, &valid, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++) {
        out[i] = 0;
        if (valid != NULL && !valid[i]) {
            vf__bit_clear(validity, row + i);
            continue;
        }
        out[i] = (double)x[i];
        if (VF__LIKELY(is_exact(x[i]))) continue;
        if (lost->count++ == 0) *lost = (struct lost){.count = 1, .first_row = row + i, .first = x[i]};
    }
    return VF_OK;
}

enum vf_status vf_cast_float(const struct vf_context *ctx, const struct vf_series *values,
                             struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader reader;
    struct vf_column column = {0};
    struct lost lost = {0};
    void *data = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = vf__reader_open(&reader, values, err);
    if (status != VF_OK) return status;
    if (!vf__type_is_integer(&reader.type) && reader.type.kind != VF__NULL)
        return vf__fail(err, VF_ERROR_TYPE, reader.name, -1, "column \"%s\" is %s; an integer is needed",
                        reader.name, vf__type_name(&reader.type));
    status =
        vf__column_new(&context, "g", reader.name, reader.n_rows, 8, true, &column, &data, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < reader.n_rows; row += BLOCK) {
        int64_t n = reader.n_rows - row < BLOCK ? reader.n_rows - row : BLOCK;
        status = cast_block(&reader, row, n, (double *)data + row, validity, &lost, err);
    }
    if (status == VF_OK && lost.count > 0) {
        status = vf__fail(
            err, VF_ERROR_DATA, reader.name, lost.first_row,
            "column \"%s\": %lld integers are past 2^53 and would lose digits as floats, the first in row "
            "%lld (%lld); keep the column as integer",
            reader.name, (long long)lost.count, (long long)lost.first_row, (long long)lost.first);
        if (err != NULL) err->count = lost.count;
    }
    return vf__column_give(status, &column, out);
}
