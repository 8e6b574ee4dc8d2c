/* Moments of stored states, row by row: where Arrow columns meet moments.h.
   Not for grouping: each row is a cell that has its sums. */
#include "agg/moments.h"
#include "arrow/build.h"
#include "arrow/read.h"

#include <math.h>

#define BLOCK VF__SIZED(512, 8, 8192)
#define MOST_COLUMNS ((size_t)12)

/* A block of every column: doubles first, then `n_ints` columns of int64. */
struct block {
    int64_t n;
    const double *real[MOST_COLUMNS];
    const int64_t *whole[3];
    const uint8_t *valid[MOST_COLUMNS];
};

struct buffers {
    double real[MOST_COLUMNS][BLOCK];
    int64_t whole[3][BLOCK];
    uint8_t valid[MOST_COLUMNS][BLOCK];
};

struct call {
    uint32_t ddof;
    bool duration; /* MEAN_INT of durations: int64 */
    struct vf__spills *spills;
};

static struct vf__pair pair_at(const struct block *b, size_t p, int64_t i) {
    return (struct vf__pair){b->real[2 * p][i], b->real[2 * p + 1][i]};
}

/* Rows that are no nulls; 0 for counts that no rows can have. */
static int64_t without(int64_t rows, int64_t nulls) {
    int64_t n;
    return vf__sub_i64(rows, nulls, &n) && n > 0 ? n : 0;
}

static int64_t values_at(const struct block *b, int64_t i) {
    return without(b->whole[0][i], b->whole[1][i]);
}

/* Each gives row i into *real (or *whole); *valid says whether there is a value. False: no memory. */

static bool mean_at(const struct call *call, const struct block *b, int64_t i, double *real, int64_t *whole,
                    bool *valid) {
    int64_t n = values_at(b, i);
    (void)whole;
    *valid = n > 0;
    return n == 0 || vf__pair_mean(pair_at(b, 0, i), (uint64_t)n, call->spills, real);
}

static bool mean_int_at(const struct call *call, const struct block *b, int64_t i, double *real,
                        int64_t *whole, bool *valid) {
    int64_t sum = b->whole[0][i], n = without(b->whole[1][i], b->whole[2][i]);
    struct vf__wide wide = {(uint64_t)sum, sum < 0 ? UINT64_MAX : 0};
    *valid = n > 0;
    if (n == 0) return true;
    if (call->duration)
        *whole = vf__wide_divide(wide, (uint64_t)n);
    else
        *real = vf__fixed_divide((const uint64_t[]){wide.lo, wide.hi}, 2, 0, (uint64_t)n);
    return true;
}

static bool variance_at(const struct call *call, const struct block *b, int64_t i, double *real,
                        int64_t *whole, bool *valid) {
    int64_t n = values_at(b, i), free = n - (int64_t)call->ddof;
    (void)whole;
    *valid = n > 0 && free > 0;
    if (*valid) *real = vf__second_moment(pair_at(b, 0, i), pair_at(b, 1, i), n) / (double)free;
    return true;
}

static bool deviation_at(const struct call *call, const struct block *b, int64_t i, double *real,
                         int64_t *whole, bool *valid) {
    bool ok = variance_at(call, b, i, real, whole, valid);
    if (*valid) *real = sqrt(*real);
    return ok;
}

static bool covariance_at(const struct call *call, const struct block *b, int64_t i, double *real,
                          int64_t *whole, bool *valid) {
    int64_t n = values_at(b, i), free = n - (int64_t)call->ddof;
    (void)whole;
    *valid = n > 0 && free > 0;
    if (*valid) *real = vf__co_moment(pair_at(b, 0, i), pair_at(b, 1, i), pair_at(b, 2, i), n) / (double)free;
    return true;
}

static bool correlation_at(const struct call *call, const struct block *b, int64_t i, double *real,
                           int64_t *whole, bool *valid) {
    int64_t n = values_at(b, i);
    struct vf__pair x = pair_at(b, 0, i), y = pair_at(b, 1, i);
    (void)call;
    (void)whole;
    *valid = true;
    *real = (double)NAN;
    if (n == 0) return true;
    double xx = vf__second_moment(x, pair_at(b, 2, i), n), yy = vf__second_moment(y, pair_at(b, 3, i), n);
    double r = vf__co_moment(x, y, pair_at(b, 4, i), n) / (sqrt(xx) * sqrt(yy));
    *real = r > 1.0 ? 1.0 : r < -1.0 ? -1.0 : r;
    return true;
}

static bool product_at(const struct call *call, const struct block *b, int64_t i, double *real,
                       int64_t *whole, bool *valid) {
    double hi = b->real[0][i];
    int64_t e = b->whole[0][i];
    (void)call;
    (void)whole;
    *valid = true;
    *real = hi == 0.0 || !isfinite(hi) ? hi : ldexp(hi, e > 4096 ? 4096 : e < -4096 ? -4096 : (int)e);
    return true;
}

static const struct moment {
    size_t n_reals, n_ints;
    bool (*at)(const struct call *call, const struct block *b, int64_t i, double *real, int64_t *whole,
               bool *valid);
} moments[] = {
    [VF_MOMENT_MEAN] = {2, 2, mean_at},       [VF_MOMENT_MEAN_INT] = {0, 3, mean_int_at},
    [VF_MOMENT_VAR] = {4, 2, variance_at},    [VF_MOMENT_STD] = {4, 2, deviation_at},
    [VF_MOMENT_COV] = {6, 2, covariance_at},  [VF_MOMENT_CORR] = {10, 2, correlation_at},
    [VF_MOMENT_PRODUCT] = {2, 1, product_at},
};

static enum vf_status check(enum vf_moment moment, size_t n_columns, struct vf__reader *readers,
                            const struct vf_series *columns, struct vf_error *err) {
    if ((unsigned)moment >= sizeof moments / sizeof *moments)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%d is no moment", (int)moment);
    const struct moment *m = &moments[moment];
    if (n_columns != m->n_reals + m->n_ints)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu columns were given, %zu are needed", n_columns,
                        m->n_reals + m->n_ints);
    for (size_t c = 0; c < n_columns; c++) {
        enum vf_status status = vf__reader_open(&readers[c], &columns[c], err);
        if (status != VF_OK) return status;
        const struct vf__reader *r = &readers[c];
        bool duration = c == 0 && moment == VF_MOMENT_MEAN_INT && r->type.kind == VF__DURATION;
        if (!duration && r->type.kind != (c < m->n_reals ? VF__FLOAT : VF__INT))
            return vf__fail(err, VF_ERROR_TYPE, r->name, -1, "column \"%s\" is %s; %s is needed", r->name,
                            vf__type_name(&r->type), c < m->n_reals ? "Float64" : "Int64");
        if (r->n_rows != readers[0].n_rows)
            return vf__fail(err, VF_ERROR_ARGUMENT, r->name, -1, "column \"%s\" has %lld rows, not %lld",
                            r->name, (long long)r->n_rows, (long long)readers[0].n_rows);
    }
    return VF_OK;
}

static enum vf_status read_block(const struct moment *m, struct vf__reader *readers, int64_t row,
                                 struct buffers *buffers, struct block *b, struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (size_t c = 0; status == VF_OK && c < m->n_reals + m->n_ints; c++) {
        size_t w = c - m->n_reals;
        if (c < m->n_reals)
            status = vf__read_f64(&readers[c], row, b->n, buffers->real[c], buffers->valid[c], &b->real[c],
                                  &b->valid[c], err);
        else
            status = vf__read_i64(&readers[c], row, b->n, buffers->whole[w], buffers->valid[c], &b->whole[w],
                                  &b->valid[c], err);
    }
    return status;
}

static bool all_valid(const struct block *b, size_t n_columns, int64_t i) {
    for (size_t c = 0; c < n_columns; c++)
        if (b->valid[c] != NULL && b->valid[c][i] == 0) return false;
    return true;
}

static enum vf_status fill(const struct moment *m, const struct call *call, struct vf__reader *readers,
                           struct buffers *buffers, void *values, uint8_t *validity, struct vf_error *err) {
    int64_t n_rows = readers[0].n_rows;
    for (int64_t row = 0; row < n_rows; row += BLOCK) {
        struct block b = {.n = n_rows - row < BLOCK ? n_rows - row : BLOCK};
        enum vf_status status = read_block(m, readers, row, buffers, &b, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; i < b.n; i++) {
            double real = 0.0;
            int64_t whole = 0;
            bool valid = false;
            if (all_valid(&b, m->n_reals + m->n_ints, i) && !m->at(call, &b, i, &real, &whole, &valid))
                return vf__fail_memory(err, sizeof *call->spills->words);
            if (call->duration)
                ((int64_t *)values)[row + i] = whole;
            else
                ((double *)values)[row + i] = real;
            if (!valid) vf__bit_clear(validity, row + i);
        }
    }
    return VF_OK;
}

enum vf_status vf_moment_value(const struct vf_context *ctx, enum vf_moment moment, uint32_t ddof,
                               const struct vf_series *columns, size_t n_columns, struct vf_column *out,
                               struct vf_error *err) {
    struct vf_context own = vf__context(ctx);
    struct vf__reader readers[MOST_COLUMNS];
    struct vf__spills spills;
    struct vf_column column = {0};
    void *values;
    uint8_t *validity;
    enum vf_status status = check(moment, n_columns, readers, columns, err);
    if (status != VF_OK) return status;
    struct call call = {.ddof = ddof, .spills = &spills, .duration = readers[0].type.kind == VF__DURATION};
    struct buffers *buffers = vf__alloc(&own, 1, sizeof *buffers);
    vf__spills_init(&spills, &own);
    if (buffers == NULL) return vf__fail_memory(err, sizeof *buffers);
    status = vf__column_new(&own, call.duration ? readers[0].type.format : "g", readers[0].name,
                            readers[0].n_rows, 8, true, &column, &values, &validity, err);
    if (status == VF_OK) status = fill(&moments[moment], &call, readers, buffers, values, validity, err);
    if (status == VF_OK) {
        vf__column_done(&column);
        *out = column;
    } else {
        vf_column_release(&column);
    }
    vf__spills_release(&spills);
    vf__free(&own, buffers, 1, sizeof *buffers);
    return status;
}
