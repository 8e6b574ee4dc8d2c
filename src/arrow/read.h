/* Reads a column as plain arrays, whatever its type, chunks, offsets and nulls.
   Not for computing: every kernel gets its arrays from here and never sees Arrow. */
#ifndef VF_ARROW_READ_H
#define VF_ARROW_READ_H

#include "arrow/type.h"
#include "base/decimal.h"
#include "store/keys.h"

/* A checked series and a place in it. Errors carry the row within the series, in err->row only: a caller that reads
   batch after batch says where the batch began with vf__fail_from. Reading goes forward best; any row may be asked for. */
struct vf__reader {
    const struct vf_series *series;
    struct vf__type type;
    const char *name;
    int64_t n_rows;
    int64_t n_nulls; /* -1: not known */
    size_t chunk;    /* the chunk that holds `chunk_start` */
    int64_t chunk_start;
};

/* Checks one array: length, offset, count of nulls, and that the buffers its type needs are there, and no more (of views:
   up to as many texts as there are). `width`: bytes a value. VF_ERROR_ARROW says what is malformed. */
enum vf_status vf__array_check(const char *name, const struct ArrowArray *array, int64_t need, bool views,
                               uint32_t width, struct vf_error *err);
/* The same of an array of values of a type, which of dictionaries is that of their values. */
enum vf_status vf__values_check(const char *name, const struct ArrowArray *array, const struct vf__type *type,
                                struct vf_error *err);

/* Checks the type and every chunk (lengths, offsets, number of buffers, that buffers are there), and counts
   rows. Text offsets and view lengths are checked as they are read. */
enum vf_status vf__reader_open(struct vf__reader *reader, const struct vf_series *series,
                               struct vf_error *err);

/* The same of a column that may be of decimals too. */
enum vf_status vf__reader_open_decimal(struct vf__reader *reader, const struct vf_series *series,
                                       struct vf_error *err);

/* Opens n_keys + n_values readers, of keys and then of values; every column has n_rows rows, or VF_ERROR_ARGUMENT. */
enum vf_status vf__readers_open(struct vf__reader *readers, const struct vf_series *keys, size_t n_keys,
                                const struct vf_series *values, size_t n_values, int64_t n_rows,
                                struct vf_error *err);

/* Rows of one chunk: `start` counts within it, before its offset. */
struct vf__piece {
    const struct ArrowArray *array;
    int64_t start, n;
};

/* What of the rows [row, row + n) lies in the chunk that holds `row`: one row at least. row < n_rows, n > 0. */
struct vf__piece vf__reader_chunk(struct vf__reader *reader, int64_t row, int64_t n);

/* The 16 bytes a row of string views, where the column is one of them, without a dictionary, and the rows lie in one
   chunk, which is then *piece; else NULL. */
const uint8_t *vf__reader_views(struct vf__reader *reader, int64_t row, int64_t n, struct vf__piece *piece);

/* Values of the rows [row, row + n). *values and *valid point into the column where it already lies that way,
   else into the buffers the caller brings (room for n). *valid is a byte a row (1: a value), or NULL when
   none is null. What stands at a null is not defined, but may be read. */

/* Integers, booleans, dates, times, timestamps, durations, in their own unit. VF_ERROR_OVERFLOW for a uint64
   past int64; VF_ERROR_TYPE for others. */
enum vf_status vf__read_i64(struct vf__reader *reader, int64_t row, int64_t n, int64_t *value_buffer,
                            uint8_t *valid_buffer, const int64_t **values, const uint8_t **valid,
                            struct vf_error *err);

/* Any number (integers past 2^53 and decimals are rounded to the closest double), boolean as 0 and 1. */
enum vf_status vf__read_f64(struct vf__reader *reader, int64_t row, int64_t n, double *value_buffer,
                            uint8_t *valid_buffer, const double **values, const uint8_t **valid,
                            struct vf_error *err);

/* Prices: numbers as vf__read_f64 reads them, booleans excepted. The largest value of a 32 or 64 bit type is a vendor's
   "no price" and comes out as NaN; of doubles that is for vf__is_price to tell, of these as of all numbers. */
enum vf_status vf__read_prices(struct vf__reader *reader, int64_t row, int64_t n, double *value_buffer,
                               uint8_t *valid_buffer, const double **values, const uint8_t **valid,
                               struct vf_error *err);
/* Whether a column may be of prices: numbers, decimals, nothing but nulls. */
bool vf__reader_is_price(const struct vf__reader *reader);
/* VF_ERROR_TYPE, saying so, unless it is. */
enum vf_status vf__price_check(const struct vf__reader *reader, struct vf_error *err);

/* Decimals as they are: magnitudes, without the point, and which are below zero. What stands at a
   null is zero. */
struct vf__decimals {
    struct vf__u128 *magnitude;
    uint8_t *negative;
};
enum vf_status vf__read_decimals(struct vf__reader *reader, int64_t row, int64_t n, const struct vf__decimals *out,
                                 uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err);

struct vf__text {
    const uint8_t *data;
    size_t length;
};

/* Strings and binaries; dictionaries of them. Views of up to 12 bytes point into the view itself. */
enum vf_status vf__read_text(struct vf__reader *reader, int64_t row, int64_t n, struct vf__text *value_buffer,
                             uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err);

/* Only which rows hold a value: *valid is NULL when all do. */
enum vf_status vf__read_valid(struct vf__reader *reader, int64_t row, int64_t n, uint8_t *valid_buffer,
                              const uint8_t **valid, struct vf_error *err);

/* Times as int64 nanoseconds: integers and floats count as seconds (floats rounded to the nearest ns, half
   away from zero; NaN is null), temporal types by their unit. VF_ERROR_OVERFLOW past +-292 years. */
enum vf_status vf__read_ns(struct vf__reader *reader, int64_t row, int64_t n, int64_t *value_buffer,
                           uint8_t *valid_buffer, const int64_t **values, const uint8_t **valid,
                           struct vf_error *err);

/* Dense key numbers (see keys.h): integers, booleans, temporal types by value, texts by bytes, dictionaries
   by what they stand for; null gives VF__NO_KEY. The table is of bytes exactly when vf__reader_is_text says
   so. Floats: VF_ERROR_TYPE. */
bool vf__reader_is_text(const struct vf__reader *reader);
enum vf_status vf__read_keys(struct vf__reader *reader, int64_t row, int64_t n, struct vf__keys *keys,
                             uint32_t *ids, struct vf_error *err);

/* 64 bits that stand for each row's value in a replay check: equal values give equal words, null is a word of
   its own. Any type the library reads. */
enum vf_status vf__read_words(struct vf__reader *reader, int64_t row, int64_t n, uint64_t *words,
                              struct vf_error *err);

#endif
