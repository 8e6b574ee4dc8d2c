/* Columns in, columns out for the element-wise kernels: bin numbers, near-integer casts, mids.
   Not for their arithmetic: bin.c has it. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "bin/bin.h"

#include <math.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192) };

/* One block of a column as doubles, with a validity byte a row that the caller may change. */
static enum vf_status read_block(struct vf__reader *reader, int64_t row, int64_t n, double *buffer,
                                 uint8_t *ok, const double **x, struct vf_error *err) {
    const uint8_t *valid;
    enum vf_status status = vf__read_f64(reader, row, n, buffer, ok, x, &valid, err);
    if (status == VF_OK && valid == NULL) memset(ok, 1, (size_t)n);
    return status;
}

static void count_bad(int64_t bad, int64_t row, int64_t first, int64_t *total, int64_t *first_row) {
    if (bad > 0 && *total == 0) *first_row = row + first;
    *total += bad;
}

/* The value at a row, for a message. */
static double value_at(struct vf__reader *reader, int64_t row) {
    double buffer = 0;
    uint8_t ok;
    const double *x = &buffer;
    const uint8_t *valid;
    (void)vf__read_f64(reader, row, 1, &buffer, &ok, &x, &valid, NULL);
    return *x;
}

/* ---- bins ---- */

enum vf_status vf_bin_index(const struct vf_context *ctx, const struct vf_series *values, double width,
                            bool snap, struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader reader;
    struct vf_column column = {0};
    void *data = NULL;
    uint8_t *validity = NULL, ok[BLOCK];
    double buffer[BLOCK];
    int64_t beyond = 0, first_row = -1;
    enum vf_status status = vf__reader_open_decimal(&reader, values, err);
    if (status != VF_OK) return status;
    if (!(width > 0) || !isfinite(width))
        return vf__fail(err, VF_ERROR_ARGUMENT, reader.name, -1,
                        "bin width of \"%s\" is %g; a finite width > 0 is accepted", reader.name, width);
    status =
        vf__column_new(&context, "l", reader.name, reader.n_rows, 8, true, &column, &data, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < reader.n_rows; row += BLOCK) {
        int64_t n = reader.n_rows - row < BLOCK ? reader.n_rows - row : BLOCK, first = 0;
        const double *x;
        status = read_block(&reader, row, n, buffer, ok, &x, err);
        if (status != VF_OK) break;
        int64_t bad = vf__bin_index(x, n, width, snap, (int64_t *)data + row, ok, &first);
        count_bad(bad, row, first, &beyond, &first_row);
        vf__validity_clear(validity, row, n, ok);
    }
    if (status == VF_OK && beyond > 0) {
        status = vf__fail(
            err, VF_ERROR_OVERFLOW, reader.name, first_row,
            "column \"%s\": %lld values divided by the bin width %g reach 2^53, the first in row %lld "
            "(%g); take a wider bin",
            reader.name, (long long)beyond, width, (long long)first_row, value_at(&reader, first_row));
        if (err != NULL) err->count = beyond;
    }
    return vf__column_give(status, &column, out);
}

/* ---- near-integer cast ---- */

struct target {
    const char *format;
    uint32_t width;
    double low, past_high; /* low <= value < past_high: every bound is exact in a double */
};

static const struct target *find_target(const char *format) {
    static const struct target targets[] = {
        {"c", 1, -0x1p7, 0x1p7},   {"C", 1, 0, 0x1p8},  {"s", 2, -0x1p15, 0x1p15}, {"S", 2, 0, 0x1p16},
        {"i", 4, -0x1p31, 0x1p31}, {"I", 4, 0, 0x1p32}, {"l", 8, -0x1p63, 0x1p63}, {"L", 8, 0, 0x1p64}};
    for (size_t i = 0; format != NULL && i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i].format, format) == 0) return &targets[i];
    return NULL;
}

/* Stores integers that are in range; returns how many rows with ok[] are not, *first the first of them. */
static int64_t store_integers(const struct target *target, const double *x, int64_t n, const uint8_t *ok,
                              int64_t row, void *data, int64_t *first) {
    int64_t bad = 0;
    for (int64_t i = 0; i < n; i++) {
        bool fits = x[i] >= target->low && x[i] < target->past_high;
        if (VF__UNLIKELY(!fits && ok[i]) && bad++ == 0) *first = i;
        double v = fits ? x[i] : 0;
        uint64_t bits = v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
        switch (target->width) {
        case 1:
            ((uint8_t *)data)[row + i] = (uint8_t)bits;
            break;
        case 2:
            ((uint16_t *)data)[row + i] = (uint16_t)bits;
            break;
        case 4:
            ((uint32_t *)data)[row + i] = (uint32_t)bits;
            break;
        default:
            ((uint64_t *)data)[row + i] = bits;
            break;
        }
    }
    return bad;
}

#define NARROW(type)                                                                                         \
    do {                                                                                                     \
        type *narrow = (type *)data + row;                                                                   \
        for (int64_t i = 0; i < n; i++)                                                                      \
            narrow[i] = (type)x[i];                                                                          \
    } while (0)

/* Stores integers below 2^51 where all of them are in range; false: none of them, whatever was written. */
static bool store_all(const struct target *target, const int64_t *x, int64_t n, int64_t row, void *data) {
    int64_t least = 0, most = 0;
    for (int64_t i = 0; i < n; i++) {
        least = x[i] < least ? x[i] : least;
        most = x[i] > most ? x[i] : most;
    }
    if ((double)least < target->low || (double)most >= target->past_high) return false;
    if (target->width == 1)
        NARROW(uint8_t);
    else if (target->width == 2)
        NARROW(uint16_t);
    else if (target->width == 4)
        NARROW(uint32_t);
    else
        memcpy((uint64_t *)data + row, x, (size_t)n * sizeof *x);
    return true;
}

struct cast {
    struct vf__reader reader;
    const struct target *target;
    double tolerance;
    int64_t off, first_off;     /* not near an integer */
    int64_t large, first_large; /* near one that does not fit */
};

/* A block of which some row is no integer, does not fit, or is large. */
static void cast_block(struct cast *cast, const double *x, const uint8_t *ok, int64_t row, int64_t n, void *data) {
    double nearest[BLOCK];
    int64_t first = 0;
    int64_t bad = vf__near_integer(x, n, cast->tolerance, ok, nearest, &first);
    count_bad(bad, row, first, &cast->off, &cast->first_off);
    if (cast->off > 0) return; /* only counted from here on */
    bad = store_integers(cast->target, nearest, n, ok, row, data, &first);
    count_bad(bad, row, first, &cast->large, &cast->first_large);
}

static enum vf_status cast_rows(struct cast *cast, void *data, uint8_t *validity, struct vf_error *err) {
    double buffer[BLOCK];
    int64_t whole[BLOCK];
    uint8_t ok[BLOCK];
    for (int64_t row = 0; row < cast->reader.n_rows; row += BLOCK) {
        int64_t n = cast->reader.n_rows - row < BLOCK ? cast->reader.n_rows - row : BLOCK;
        const double *x;
        enum vf_status status = read_block(&cast->reader, row, n, buffer, ok, &x, err);
        if (status != VF_OK) return status;
        if (!vf__near_integers(x, n, cast->tolerance, ok, whole) || !store_all(cast->target, whole, n, row, data))
            cast_block(cast, x, ok, row, n, data);
        vf__validity_clear(validity, row, n, ok);
    }
    return VF_OK;
}

static enum vf_status cast_errors(struct cast *cast, struct vf_error *err) {
    const char *name = cast->reader.name;
    enum vf_status status = VF_OK;
    if (cast->off > 0) {
        status = vf__fail(
            err, VF_ERROR_DATA, name, cast->first_off,
            "column \"%s\": %lld values are not integers within %g (relative), the first in row %lld "
            "(%s); keep the column as float, or raise `tolerance`",
            name, (long long)cast->off, cast->tolerance, (long long)cast->first_off,
            vf__number(value_at(&cast->reader, cast->first_off)).text);
        if (err != NULL) err->count = cast->off;
    } else if (cast->large > 0) {
        status = vf__fail(
            err, VF_ERROR_OVERFLOW, name, cast->first_large,
            "column \"%s\": %lld values do not fit the integer type, the first in row %lld (%s)", name,
            (long long)cast->large, (long long)cast->first_large,
            vf__number(value_at(&cast->reader, cast->first_large)).text);
        if (err != NULL) err->count = cast->large;
    }
    return status;
}

enum vf_status vf_cast_integer(const struct vf_context *ctx, const struct vf_series *values,
                               const char *format, double tolerance, struct vf_column *out,
                               struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct cast cast = {.target = find_target(format), .tolerance = tolerance};
    struct vf_column column = {0};
    void *data = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = vf__reader_open(&cast.reader, values, err);
    if (status != VF_OK) return status;
    if (cast.target == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, cast.reader.name, -1, "'%s' is not an Arrow integer format",
                        format != NULL ? format : "");
    if (!(tolerance >= 0) || !(tolerance < 0.5))
        return vf__fail(err, VF_ERROR_ARGUMENT, cast.reader.name, -1,
                        "tolerance %g; 0 <= tolerance < 0.5 is accepted", tolerance);
    if (cast.reader.type.kind != VF__FLOAT && cast.reader.type.kind != VF__NULL)
        return vf__fail(err, VF_ERROR_TYPE, cast.reader.name, -1, "column \"%s\" is %s; a float is needed",
                        cast.reader.name, vf__type_name(&cast.reader.type));
    status = vf__column_new(&context, format, cast.reader.name, cast.reader.n_rows, cast.target->width, true,
                            &column, &data, &validity, err);
    if (status == VF_OK) status = cast_rows(&cast, data, validity, err);
    if (status == VF_OK) status = cast_errors(&cast, err);
    return vf__column_give(status, &column, out);
}

/* ---- mid ---- */

static enum vf_status price_block(struct vf__reader *reader, int64_t row, int64_t n, double *buffer, uint8_t *ok,
                                  const double **x, struct vf_error *err) {
    const uint8_t *valid;
    enum vf_status status = vf__read_prices(reader, row, n, buffer, ok, x, &valid, err);
    if (status == VF_OK && valid == NULL) memset(ok, 1, (size_t)n);
    return status;
}

enum vf_status vf_mid(const struct vf_context *ctx, const struct vf_series *bid, const struct vf_series *ask,
                      struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader bids, asks;
    struct vf_column column = {0};
    void *data = NULL;
    uint8_t *validity = NULL, ok[BLOCK], ok_ask[BLOCK];
    double bid_buffer[BLOCK], ask_buffer[BLOCK];
    enum vf_status status = vf__reader_open_decimal(&bids, bid, err);
    if (status == VF_OK) status = vf__reader_open_decimal(&asks, ask, err);
    if (status == VF_OK) status = vf__price_check(&bids, err);
    if (status == VF_OK) status = vf__price_check(&asks, err);
    if (status != VF_OK) return status;
    if (bids.n_rows != asks.n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, asks.name, -1, "\"%s\" has %lld rows and \"%s\" %lld",
                        bids.name, (long long)bids.n_rows, asks.name, (long long)asks.n_rows);
    status = vf__column_new(&context, "g", "mid", bids.n_rows, 8, true, &column, &data, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < bids.n_rows; row += BLOCK) {
        int64_t n = bids.n_rows - row < BLOCK ? bids.n_rows - row : BLOCK;
        const double *b, *a;
        status = price_block(&bids, row, n, bid_buffer, ok, &b, err);
        if (status == VF_OK) status = price_block(&asks, row, n, ask_buffer, ok_ask, &a, err);
        if (status != VF_OK) break;
        for (int64_t i = 0; i < n; i++)
            ok[i] = (uint8_t)(ok[i] & ok_ask[i]);
        vf__mid(b, a, n, (double *)data + row, ok);
        vf__validity_clear(validity, row, n, ok);
    }
    return vf__column_give(status, &column, out);
}
