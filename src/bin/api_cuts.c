/* Quantile bins over Arrow columns: bin numbers between cuts, and the passes that find cuts at quantiles.
   Not for bins of one width: api_bin.c. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "bin/cuts.h"

#include <inttypes.h>
#include <math.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

#define MAX_CUTS ((size_t)65535)
#define MIN_BINS ((size_t)2)
#define MAX_BINS ((size_t)4096)

static enum vf_status check_numeric(const struct vf__reader *reader, struct vf_error *err) {
    if (vf__type_is_number(&reader->type) || reader->type.kind == VF__NULL) return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; a number is needed",
                    reader->name, vf__type_name(&reader->type));
}

/* ---- bin numbers --------------------------------------------------------------------------------------------------- */

struct cutting {
    struct vf__reader reader;
    const double *cuts;
    size_t n_cuts;
    bool left_closed;
    double low, high;
    enum vf_cut_outside outside;
    int64_t bad, first_bad;
    double first_value;
};

static enum vf_status check_cuts(const struct cutting *c, struct vf_error *err) {
    const char *name = c->reader.name;
    if (c->n_cuts > MAX_CUTS || (c->n_cuts > 0 && c->cuts == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "%zu cuts; at most %zu are accepted", c->n_cuts,
                        MAX_CUTS);
    for (size_t i = 0; i < c->n_cuts; i++) {
        if (!isfinite(c->cuts[i]))
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "cut %zu is %g; finite cuts are accepted",
                            i + 1, c->cuts[i]);
        if (i > 0 && !(c->cuts[i - 1] < c->cuts[i]))
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1,
                            "cut %zu is %s after %s; cuts that ascend strictly are accepted", i + 1,
                            vf__number(c->cuts[i]).text, vf__number(c->cuts[i - 1]).text);
    }
    if (!(c->low <= c->high))
        return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "limits %g and %g; low <= high is accepted", c->low,
                        c->high);
    if (c->outside != VF_CUT_CLIP && c->outside != VF_CUT_NULL && c->outside != VF_CUT_RAISE)
        return vf__fail(err, VF_ERROR_ARGUMENT, name, -1,
                        "outside %d; clip (0), null (1) and raise (2) are accepted", (int)c->outside);
    return check_numeric(&c->reader, err);
}

static enum vf_status cut_block(struct cutting *c, int64_t row, int64_t *values, uint8_t *validity,
                                struct vf_error *err) {
    double buffer[BLOCK];
    uint8_t ok[BLOCK];
    const double *x;
    const uint8_t *valid;
    int64_t n = c->reader.n_rows - row < BLOCK ? c->reader.n_rows - row : BLOCK;
    enum vf_status status = vf__read_f64(&c->reader, row, n, buffer, ok, &x, &valid, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++) {
        ok[i] = (valid == NULL || valid[i]) && isfinite(x[i]);
        if (!ok[i] || c->outside == VF_CUT_CLIP || (x[i] >= c->low && x[i] <= c->high)) continue;
        ok[i] = 0;
        if (c->outside == VF_CUT_NULL || c->bad++ > 0) continue;
        c->first_bad = row + i;
        c->first_value = x[i];
    }
    vf__cuts_index(x, (size_t)n, c->cuts, c->n_cuts, c->left_closed, ok, values + row);
    vf__validity_clear(validity, row, n, ok);
    return VF_OK;
}

static enum vf_status beyond(const struct cutting *c, struct vf_error *err) {
    enum vf_status status = vf__fail(
        err, VF_ERROR_DATA, c->reader.name, c->first_bad,
        "column \"%s\": %" PRId64 " values lie outside %s to %s, the first in row %" PRId64 " (%s)",
        c->reader.name, c->bad, vf__number(c->low).text, vf__number(c->high).text, c->first_bad,
        vf__number(c->first_value).text);
    if (err != NULL) err->count = c->bad;
    return status;
}

enum vf_status vf_cut_index(const struct vf_context *ctx, const struct vf_series *values, const double *cuts,
                            size_t n_cuts, bool left_closed, double low, double high,
                            enum vf_cut_outside outside, struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct cutting c = {.cuts = cuts,
                        .n_cuts = n_cuts,
                        .left_closed = left_closed,
                        .low = low,
                        .high = high,
                        .outside = outside};
    struct vf_column column = {0};
    void *data = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = vf__reader_open(&c.reader, values, err);
    if (status == VF_OK) status = check_cuts(&c, err);
    if (status != VF_OK) return status;
    status = vf__column_new(&context, "l", c.reader.name, c.reader.n_rows, 8, true, &column, &data, &validity,
                            err);
    for (int64_t row = 0; status == VF_OK && row < c.reader.n_rows; row += BLOCK)
        status = cut_block(&c, row, data, validity, err);
    if (status == VF_OK && c.bad > 0) status = beyond(&c, err);
    return vf__column_give(status, &column, out);
}

/* ---- cuts at quantiles --------------------------------------------------------------------------------------------- */

struct vf_quantiles {
    struct vf_context ctx;
    size_t n_bins;
    enum vf_quantile_method method;
    struct vf__ranks ranks;
    uint64_t *sought; /* of each cut rank j, and j + 1 where there is a fraction: ascending, each once */
    size_t n_sought;
    struct vf_quantiles_summary summary; /* of the first pass */
    bool broken;
};

enum vf_status vf_quantiles_open(const struct vf_context *ctx, size_t n_bins, enum vf_quantile_method method,
                                 struct vf_quantiles **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    if (n_bins < MIN_BINS || n_bins > MAX_BINS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu bins; %zu to %zu are accepted", n_bins,
                        MIN_BINS, MAX_BINS);
    if (method != VF_QUANTILE_LINEAR && method != VF_QUANTILE_INVERSE_CDF)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "method %d; linear (0) and inverse_cdf (1) are accepted", (int)method);
    struct vf_quantiles *q = vf__alloc(&context, 1, sizeof *q);
    if (q == NULL) return vf__fail_memory(err, sizeof *q);
    *q = (struct vf_quantiles){
        .ctx = context, .n_bins = n_bins, .method = method, .summary = {.low = INFINITY, .high = -INFINITY}};
    enum vf_status status = vf__ranks_init(&q->ranks, &context, err);
    q->sought = vf__alloc(&context, 2 * n_bins, sizeof *q->sought);
    if (status == VF_OK && q->sought == NULL) status = vf__fail_memory(err, 2 * n_bins * sizeof *q->sought);
    if (status == VF_OK)
        *out = q;
    else
        vf_quantiles_close(q);
    return status;
}

void vf_quantiles_close(struct vf_quantiles *q) {
    if (q == NULL) return;
    struct vf_context ctx = q->ctx;
    vf__ranks_release(&q->ranks);
    vf__free(&ctx, q->sought, 2 * q->n_bins, sizeof *q->sought);
    vf__free(&ctx, q, 1, sizeof *q);
}

static enum vf_status runs(const struct vf_quantiles *q, struct vf_error *err) {
    if (q->broken) return vf__fail(err, VF_ERROR_STATE, NULL, -1, "a pass failed; open another vf_quantiles");
    if (q->ranks.pass < VF__RANK_PASSES) return VF_OK;
    return vf__fail(err, VF_ERROR_STATE, NULL, -1, "the cuts are found; open another vf_quantiles");
}

/* Which values count, and in the first pass what the others are. */
static void look(struct vf_quantiles *q, const double *x, const uint8_t *valid, int64_t n, uint8_t *ok) {
    struct vf_quantiles_summary *s = &q->summary;
    for (int64_t i = 0; i < n; i++) {
        bool null = valid != NULL && !valid[i];
        ok[i] = !null && isfinite(x[i]);
        if (q->ranks.pass > 0) continue;
        s->n_null += null;
        s->n_nan += !null && isnan(x[i]);
        s->n_infinite += !null && isinf(x[i]);
        s->n += ok[i];
        if (ok[i] && x[i] < s->low) s->low = x[i] + 0.0; /* -0 is 0 */
        if (ok[i] && x[i] > s->high) s->high = x[i] + 0.0;
    }
}

enum vf_status vf_quantiles_update(struct vf_quantiles *q, const struct vf_series *values,
                                   struct vf_error *err) {
    struct vf__reader reader;
    double buffer[BLOCK];
    uint8_t valid_buffer[BLOCK], ok[BLOCK];
    enum vf_status status = runs(q, err);
    if (status == VF_OK) status = vf__reader_open(&reader, values, err);
    if (status == VF_OK) status = check_numeric(&reader, err);
    if (status != VF_OK) return status;
    for (int64_t row = 0; status == VF_OK && row < reader.n_rows; row += BLOCK) {
        int64_t n = reader.n_rows - row < BLOCK ? reader.n_rows - row : BLOCK;
        const double *x;
        const uint8_t *valid;
        status = vf__read_f64(&reader, row, n, buffer, valid_buffer, &x, &valid, err);
        if (status != VF_OK) break;
        look(q, x, valid, n, ok);
        vf__ranks_add(&q->ranks, x, ok, (size_t)n);
    }
    q->broken |= status != VF_OK;
    return status;
}

/* Rank j and the numerator (over n_bins) of the fraction of cut k = 1 .. n_bins - 1. */
static uint64_t rank_of(const struct vf_quantiles *q, size_t k, uint64_t *fraction) {
    uint64_t n = (uint64_t)q->summary.n, bins = q->n_bins;
    *fraction = 0;
    if (q->method == VF_QUANTILE_INVERSE_CDF) return (n * k + bins - 1) / bins - 1;
    *fraction = (n - 1) * k % bins;
    return (n - 1) * k / bins;
}

static enum vf_status seek(struct vf_quantiles *q, struct vf_error *err) {
    if (q->summary.n == 0)
        return vf__fail(err, VF_ERROR_DATA, NULL, -1,
                        "there is no finite value to learn cuts from: %" PRId64 " null, %" PRId64
                        " NaN, %" PRId64 " infinite",
                        q->summary.n_null, q->summary.n_nan, q->summary.n_infinite);
    if (q->summary.n > INT64_MAX / (int64_t)MAX_BINS)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "%" PRId64 " values are too many", q->summary.n);
    for (size_t k = 1; k < q->n_bins; k++) {
        uint64_t fraction, rank = rank_of(q, k, &fraction);
        for (uint64_t r = rank; r <= rank + (fraction > 0);
             r++) /* ranks of a cut never fall below the last cut's */
            if (q->n_sought == 0 || r > q->sought[q->n_sought - 1]) q->sought[q->n_sought++] = r;
    }
    return VF_OK;
}

enum vf_status vf_quantiles_pass(struct vf_quantiles *q, bool *more, struct vf_error *err) {
    enum vf_status status = runs(q, err);
    if (status != VF_OK) return status;
    if (!vf__ranks_same(&q->ranks))
        status = vf__fail(
            err, VF_ERROR_REPLAY, NULL, -1,
            "reading %u of the column brought other values than the first; the input must give the same "
            "rows each time",
            q->ranks.pass + 1);
    if (status == VF_OK && q->ranks.pass == 0) status = seek(q, err);
    if (status == VF_OK) status = vf__ranks_next(&q->ranks, q->sought, q->n_sought, err);
    q->broken |= status != VF_OK;
    if (status == VF_OK) *more = q->ranks.pass < VF__RANK_PASSES;
    return status;
}

static double value_of(const struct vf_quantiles *q, uint64_t rank) {
    size_t low = 0, high = q->n_sought - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->sought[middle] < rank)
            low = middle + 1;
        else
            high = middle;
    }
    return vf__ranks_value(&q->ranks, low);
}

/* a + fraction * (b - a), between them. */
static double between(double a, double b, double fraction) {
    double x = isfinite(b - a) ? a + fraction * (b - a) : a * (1 - fraction) + b * fraction;
    return x < a ? a : x > b ? b : x;
}

enum vf_status vf_quantiles_cuts(const struct vf_quantiles *q, double *cuts,
                                 struct vf_quantiles_summary *summary, struct vf_error *err) {
    if (q->broken || q->ranks.pass < VF__RANK_PASSES)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "cuts are given after the last pass");
    for (size_t k = 1; k < q->n_bins; k++) {
        uint64_t fraction, rank = rank_of(q, k, &fraction);
        double a = value_of(q, rank), b = value_of(q, rank + (fraction > 0));
        cuts[k - 1] = between(a, b, (double)fraction / (double)q->n_bins);
    }
    if (summary != NULL) *summary = q->summary;
    return VF_OK;
}
