/* Checked arithmetic of integer columns. Not for the arithmetic itself: integers.c has it. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "bin/integers.h"

#include <inttypes.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

/* A column, or one value that stands for every row: of a literal, or an aggregate. */
struct operand {
    struct vf__reader reader;
    bool there;
};

static enum vf_status open_operand(struct operand *operand, const struct vf_series *series, bool condition,
                                   struct vf_error *err) {
    operand->there = series != NULL;
    if (series == NULL) return VF_OK;
    enum vf_status status = vf__reader_open(&operand->reader, series, err);
    if (status != VF_OK) return status;
    const struct vf__type *type = &operand->reader.type;
    bool fits = type->kind == VF__NULL || type->kind == VF__BOOL || (!condition && vf__type_is_integer(type));
    if (fits) return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, operand->reader.name, -1, "column \"%s\" is %s; %s is accepted",
                    operand->reader.name, vf__type_name(type),
                    condition ? "a Boolean" : "an integer or a Boolean");
}

/* One length for all, but for operands of one row. False: there is none. */
static bool common_length(const struct operand *operands, size_t n, int64_t *rows) {
    *rows = 1;
    for (size_t i = 0; i < n; i++)
        if (operands[i].there && operands[i].reader.n_rows != 1) *rows = operands[i].reader.n_rows;
    for (size_t i = 0; i < n; i++)
        if (operands[i].there && operands[i].reader.n_rows != 1 && operands[i].reader.n_rows != *rows)
            return false;
    return true;
}

static enum vf_status read_block(struct operand *operand, int64_t row, int64_t n, int64_t *buffer,
                                 uint8_t *valid, const int64_t **values, const uint8_t **validity,
                                 struct vf_error *err) {
    *values = buffer;
    *validity = NULL;
    if (!operand->there) return VF_OK;
    if (operand->reader.type.kind == VF__NULL) {
        memset(buffer, 0, (size_t)n * sizeof *buffer);
        memset(valid, 0, (size_t)n);
        *validity = valid;
        return VF_OK;
    }
    if (operand->reader.n_rows != 1)
        return vf__read_i64(&operand->reader, row, n, buffer, valid, values, validity, err);
    enum vf_status status = vf__read_i64(&operand->reader, 0, 1, buffer, valid, values, validity, err);
    if (status != VF_OK) return status;
    int64_t value = **values;
    uint8_t there = *validity == NULL || **validity != 0;
    for (int64_t i = 0; i < n; i++) {
        buffer[i] = value;
        valid[i] = there;
    }
    *values = buffer;
    *validity = valid;
    return VF_OK;
}

struct result {
    enum vf_integer_op op;
    int64_t *values;
    uint8_t *validity;
    int64_t bad, first;
    int64_t a, b; /* operands of the first result that does not fit */
};

static enum vf_status block(struct operand *operands, int64_t row, int64_t n, struct result *result,
                            struct vf_error *err) {
    int64_t buffers[3][BLOCK];
    uint8_t valids[3][BLOCK], ok[BLOCK];
    const int64_t *values[3];
    const uint8_t *validity[3];
    for (size_t k = 0; k < 3; k++) {
        enum vf_status status = read_block(&operands[2 - k], row, n, buffers[2 - k], valids[2 - k],
                                           &values[2 - k], &validity[2 - k], err);
        if (status != VF_OK) return status;
    }
    for (int64_t i = 0; i < n; i++) {
        bool chosen = !operands[2].there || ((validity[2] == NULL || validity[2][i]) && values[2][i] != 0);
        ok[i] = chosen && (validity[0] == NULL || validity[0][i]) && (validity[1] == NULL || validity[1][i]);
    }
    int64_t first = 0;
    int64_t bad = vf__integers(result->op, values[0], operands[1].there ? values[1] : NULL, n,
                               result->values + row, ok, &first);
    if (bad > 0 && result->bad == 0) {
        result->first = row + first;
        result->a = values[0][first];
        result->b = operands[1].there ? values[1][first] : 0;
    }
    result->bad += bad;
    vf__validity_clear(result->validity, row, n, ok);
    return VF_OK;
}

static enum vf_status does_not_fit(const struct result *result, const char *name, struct vf_error *err) {
    static const char *const signs[] = {"+", "-", "*", "//", "**"};
    const char *more = result->bad > 1 ? "s" : "";
    if (err != NULL) err->count = result->bad;
    enum vf_status status;
    if (result->op == VF_INTEGER_POW && result->b < 0)
        status = vf__fail(err, VF_ERROR_DATA, name, result->first,
                          "%" PRId64 " ** %" PRId64 " is no whole number (%" PRId64
                          " row%s, first at row %" PRId64 "): cast to Float64 first",
                          result->a, result->b, result->bad, more, result->first);
    else if (result->op <= VF_INTEGER_POW)
        status = vf__fail(err, VF_ERROR_DATA, name, result->first,
                          "%" PRId64 " %s %" PRId64 " does not fit Int64 (%" PRId64
                          " row%s, first at row %" PRId64 "): cast to Float64 first",
                          result->a, signs[result->op], result->b, result->bad, more, result->first);
    else
        status = vf__fail(err, VF_ERROR_DATA, name, result->first,
                          "%s of %" PRId64 " does not fit Int64 (%" PRId64 " row%s, first at row %" PRId64
                          "): cast to Float64 first",
                          result->op == VF_INTEGER_NEG ? "the negative" : "the absolute value", result->a,
                          result->bad, more, result->first);
    if (err != NULL) err->count = result->bad;
    return status;
}

enum vf_status vf_integer_arithmetic(const struct vf_context *ctx, enum vf_integer_op op,
                                     const struct vf_series *a, const struct vf_series *b,
                                     const struct vf_series *where, struct vf_column *out,
                                     struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct operand operands[3];
    struct vf_column column = {0};
    struct result result = {.op = op};
    void *values = NULL;
    int64_t rows = 0;
    bool unary = op == VF_INTEGER_NEG || op == VF_INTEGER_ABS;
    if ((int)op < VF_INTEGER_ADD || op > VF_INTEGER_ABS || a == NULL || unary != (b == NULL))
        return vf__fail(
            err, VF_ERROR_ARGUMENT, NULL, -1,
            "an operation (VF_INTEGER_ADD to VF_INTEGER_ABS) and its one or two operands are needed");
    enum vf_status status = open_operand(&operands[0], a, false, err);
    if (status == VF_OK) status = open_operand(&operands[1], b, false, err);
    if (status == VF_OK) status = open_operand(&operands[2], where, true, err);
    if (status != VF_OK) return status;
    if (!common_length(operands, 3, &rows))
        return vf__fail(err, VF_ERROR_ARGUMENT, operands[0].reader.name, -1,
                        "the operands have other numbers of rows");
    status = vf__column_new(&context, "l", operands[0].reader.name, rows, 8, true, &column, &values,
                            &result.validity, err);
    result.values = values;
    for (int64_t row = 0; status == VF_OK && row < rows; row += BLOCK)
        status = block(operands, row, rows - row < BLOCK ? rows - row : BLOCK, &result, err);
    if (status == VF_OK && result.bad > 0) status = does_not_fit(&result, operands[0].reader.name, err);
    return vf__column_give(status, &column, out);
}
