/* Decodes Arrow arrays into plain ones, chunk by chunk; see read.h. Not for trusting them: every length, offset and
   index that comes from outside is checked here, so that no kernel has to. */
#include "arrow/read_pieces.h"
#include "base/price.h"

#include <float.h>
#include <math.h>

/* ---- opening ---- */

static enum vf_status malformed(const char *name, const char *what, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_ARROW, name, -1, "column \"%s\": malformed Arrow array: %s", name, what);
}

enum vf_status vf__array_check(const char *name, const struct ArrowArray *array, int64_t need, bool views,
                               uint32_t width, struct vf_error *err) {
    /* past this position a byte count would not fit int64 */
    int64_t end, most_end = INT64_MAX / (width > 16 ? width : 16) - 1;
    if (array == NULL) return malformed(name, "a chunk is missing", err);
    if (array->length < 0 || array->offset < 0 || !vf__add_i64(array->length, array->offset, &end) ||
        end > most_end)
        return malformed(name, "negative or impossible length or offset", err);
    if (array->null_count < -1 || array->null_count > array->length)
        return malformed(name, "impossible null count", err);
    /* null columns have no buffer, but Polars and older producers give them an empty one */
    int64_t most = views ? INT32_MAX : need == 0 ? 1 : need;
    if (array->n_buffers < need || array->n_buffers > most)
        return malformed(name, "wrong number of buffers", err);
    if (need == 0 || array->length == 0) return VF_OK;
    if (array->buffers == NULL || array->buffers[1] == NULL)
        return malformed(name, "a buffer is missing", err);
    if (array->null_count > 0 && array->buffers[0] == NULL)
        return malformed(name, "nulls without a bitmap", err);
    if (views && array->n_buffers > 3 && array->buffers[array->n_buffers - 1] == NULL)
        return malformed(name, "the sizes of the text buffers are missing", err);
    return VF_OK;
}

enum vf_status vf__values_check(const char *name, const struct ArrowArray *array, const struct vf__type *type,
                                struct vf_error *err) {
    bool views = type->kind == VF__TEXT && type->layout == VF__VIEWS;
    int64_t need = type->kind == VF__TEXT ? 3 : type->kind == VF__NULL ? 0 : 2;
    return vf__array_check(name, array, need, views, type->width, err);
}

static enum vf_status check_chunk(const struct vf__reader *reader, const struct ArrowArray *array,
                                  struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (!type->dictionary) return vf__values_check(reader->name, array, type, err);
    enum vf_status status = vf__array_check(reader->name, array, 2, false, type->index_width, err);
    return status != VF_OK ? status : vf__values_check(reader->name, array->dictionary, type, err);
}

static int64_t nulls_of(const struct vf__type *type, const struct ArrowArray *array) {
    if (type->kind == VF__NULL) return array->length;
    if (array->length == 0 || array->buffers[0] == NULL) return 0;
    return array->null_count;
}

/* Nulls of a chunk: where the dictionary has any, how many rows point at them is not known. */
static int64_t chunk_nulls(const struct vf__type *type, const struct ArrowArray *array) {
    if (type->kind != VF__NULL && type->dictionary && nulls_of(type, array->dictionary) != 0) return -1;
    return nulls_of(type, array);
}

static enum vf_status open_reader(struct vf__reader *reader, const struct vf_series *series, bool decimals,
                                  struct vf_error *err) {
    *reader = (struct vf__reader){.series = series};
    if (series == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a column that the operation needs was not given");
    reader->name = vf__schema_name(series->schema);
    enum vf_status status = decimals ? vf__type_parse_decimal(series->schema, &reader->type, err)
                                     : vf__type_parse(series->schema, &reader->type, err);
    if (status == VF_OK && series->chunks == NULL && series->n_chunks > 0)
        return malformed(reader->name, "the chunks are missing", err);
    for (size_t c = 0; status == VF_OK && c < series->n_chunks; c++) {
        const struct ArrowArray *array = series->chunks[c];
        status = check_chunk(reader, array, err);
        if (status != VF_OK) break;
        if (!vf__add_i64(reader->n_rows, array->length, &reader->n_rows))
            return malformed(reader->name, "the chunks' lengths overflow", err);
        int64_t nulls = chunk_nulls(&reader->type, array);
        reader->n_nulls = nulls < 0 || reader->n_nulls < 0 ? -1 : reader->n_nulls + nulls;
    }
    return status;
}

enum vf_status vf__reader_open(struct vf__reader *reader, const struct vf_series *series,
                               struct vf_error *err) {
    return open_reader(reader, series, false, err);
}

enum vf_status vf__reader_open_decimal(struct vf__reader *reader, const struct vf_series *series,
                                       struct vf_error *err) {
    return open_reader(reader, series, true, err);
}

enum vf_status vf__readers_open(struct vf__reader *readers, const struct vf_series *keys, size_t n_keys,
                                const struct vf_series *values, size_t n_values, int64_t n_rows,
                                struct vf_error *err) {
    for (size_t c = 0; c < n_keys + n_values; c++) {
        struct vf__reader *reader = &readers[c];
        enum vf_status status = vf__reader_open(reader, c < n_keys ? &keys[c] : &values[c - n_keys], err);
        if (status != VF_OK) return status;
        if (reader->n_rows != n_rows)
            return vf__fail(err, VF_ERROR_ARGUMENT, reader->name, -1, "column \"%s\" has %lld rows, not %lld",
                            reader->name, (long long)reader->n_rows, (long long)n_rows);
    }
    return VF_OK;
}

/* ---- walking the chunks ---- */

struct vf__piece vf__reader_chunk(struct vf__reader *reader, int64_t row, int64_t n) {
    if (row < reader->chunk_start) {
        reader->chunk = 0;
        reader->chunk_start = 0;
    }
    for (;;) {
        const struct ArrowArray *array = reader->series->chunks[reader->chunk];
        int64_t start = row - reader->chunk_start;
        if (start < array->length) {
            int64_t room = array->length - start;
            return (struct vf__piece){.array = array, .start = start, .n = n < room ? n : room};
        }
        reader->chunk_start += array->length;
        reader->chunk++;
    }
}

const uint8_t *vf__reader_views(struct vf__reader *reader, int64_t row, int64_t n, struct vf__piece *piece) {
    const struct vf__type *type = &reader->type;
    if (type->kind != VF__TEXT || type->dictionary || type->layout != VF__VIEWS || n == 0) return NULL;
    *piece = vf__reader_chunk(reader, row, n);
    if (piece->n < n) return NULL;
    return (const uint8_t *)piece->array->buffers[1] + (size_t)(piece->array->offset + piece->start) * 16;
}

enum vf_status vf__check_range(const struct vf__reader *reader, int64_t row, int64_t n,
                               struct vf_error *err) {
    if (row >= 0 && n >= 0 && row <= reader->n_rows && n <= reader->n_rows - row) return VF_OK;
    return vf__fail(err, VF_ERROR_ARGUMENT, reader->name, row,
                    "column \"%s\" has %lld rows; %lld from row %lld on were asked for", reader->name,
                    (long long)reader->n_rows, (long long)n, (long long)row);
}

/* Eight bits to eight bytes of 0 or 1, the first bit first (little-endian hosts; others take the slow loop).
 */
static void spread_bits(const uint8_t *bits, int64_t first, int64_t n, uint8_t *out) {
    int64_t i = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; i < n && ((first + i) & 7) != 0; i++)
        out[i] = vf__bit(bits, first + i);
    for (; i + 8 <= n; i += 8) {
        uint64_t byte = bits[(first + i) >> 3];
        uint64_t spread = ((byte * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201)) +
                           UINT64_C(0x7f7f7f7f7f7f7f7f)) >>
                              7 &
                          UINT64_C(0x0101010101010101);
        /* a lane holds 0 or its own bit, and the added 0x7f carries it into the lane's bit 7 */
        memcpy(out + i, &spread, 8);
    }
#endif
    for (; i < n; i++)
        out[i] = vf__bit(bits, first + i);
}

bool vf__piece_valid(const struct vf__type *type, const struct vf__piece *p, uint8_t *out) {
    const struct ArrowArray *a = p->array;
    if (type->kind == VF__NULL && !type->dictionary) {
        memset(out, 0, (size_t)p->n);
        return p->n > 0;
    }
    if (a->buffers[0] == NULL || a->null_count == 0) {
        memset(out, 1, (size_t)p->n);
        return false;
    }
    spread_bits(a->buffers[0], a->offset + p->start, p->n, out);
    return true;
}

/* ---- widening ---- */

/* Arrow recommends aligned buffers but does not promise them, and a plain load from a misaligned one is undefined;
   where it is aligned, memcpy compiles to that load. */
#define WIDEN(source, target)                                                                                \
    do {                                                                                                     \
        const uint8_t *from = (const uint8_t *)a->buffers[1] + (size_t)at * sizeof(source);                  \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            source value;                                                                                    \
            memcpy(&value, from + (size_t)i * sizeof value, sizeof value);                                   \
            out[i] = (target)value;                                                                          \
        }                                                                                                    \
    } while (0)

/* Integers of any width, and whatever is one underneath. */
#define WIDEN_INTEGERS(target)                                                                               \
    switch (type->kind == VF__UINT ? type->width : SIGNED + type->width) {                                   \
    case 1:                                                                                                  \
        WIDEN(uint8_t, target);                                                                              \
        return;                                                                                              \
    case 2:                                                                                                  \
        WIDEN(uint16_t, target);                                                                             \
        return;                                                                                              \
    case 4:                                                                                                  \
        WIDEN(uint32_t, target);                                                                             \
        return;                                                                                              \
    case 8:                                                                                                  \
        WIDEN(uint64_t, target);                                                                             \
        return;                                                                                              \
    case SIGNED + 1:                                                                                         \
        WIDEN(int8_t, target);                                                                               \
        return;                                                                                              \
    case SIGNED + 2:                                                                                         \
        WIDEN(int16_t, target);                                                                              \
        return;                                                                                              \
    case SIGNED + 4:                                                                                         \
        WIDEN(int32_t, target);                                                                              \
        return;                                                                                              \
    default:                                                                                                 \
        WIDEN(int64_t, target);                                                                              \
        return;                                                                                              \
    }
#define SIGNED 16u

/* n integers from position `at` (offset included); a uint64 past int64 comes out negative. */
static void widen_i64(const struct vf__type *type, const struct ArrowArray *a, int64_t at, int64_t n,
                      int64_t *out) {
    if (type->kind == VF__BOOL) {
        for (int64_t i = 0; i < n; i++)
            out[i] = vf__bit(a->buffers[1], at + i);
        return;
    }
    WIDEN_INTEGERS(int64_t)
}

/* The decimal at position `at`: its magnitude; true where it is below zero. */
static bool decimal_at(const struct ArrowArray *a, int64_t at, struct vf__u128 *out) {
    const uint8_t *from = (const uint8_t *)a->buffers[1] + (size_t)at * 16;
    uint64_t word[2];
    memcpy(word, from, sizeof word);
    *out = (struct vf__u128){.low = word[0], .high = word[1]};
    if ((out->high >> 63) == 0) return false;
    *out = vf__u128_sub((struct vf__u128){0}, *out);
    return true;
}

static void widen_f64(const struct vf__type *type, const struct ArrowArray *a, int64_t at, int64_t n,
                      double *out) {
    if (type->kind == VF__FLOAT) {
        if (type->width == 4)
            WIDEN(float, double);
        else
            WIDEN(double, double);
        return;
    }
    if (type->kind == VF__BOOL) {
        for (int64_t i = 0; i < n; i++)
            out[i] = vf__bit(a->buffers[1], at + i) ? 1.0 : 0.0;
        return;
    }
    if (type->kind == VF__DECIMAL) {
        for (int64_t i = 0; i < n; i++) {
            struct vf__u128 magnitude;
            bool negative = decimal_at(a, at + i, &magnitude);
            double x = vf__decimal_double(magnitude, type->scale);
            out[i] = negative ? -x : x;
        }
        return;
    }
    WIDEN_INTEGERS(double)
}

/* ---- dictionaries ---- */

enum vf_status vf__read_indexes(const struct vf__reader *reader, const struct vf__piece *p, int64_t row,
                                int64_t *index, uint8_t *valid, bool *any_null, struct vf_error *err) {
    const struct ArrowArray *dictionary = p->array->dictionary;
    const uint8_t *bits = nulls_of(&reader->type, dictionary) != 0 && reader->type.kind != VF__NULL
                              ? dictionary->buffers[0]
                              : NULL;
    *any_null = vf__piece_valid(&reader->type, p, valid) || bits != NULL || reader->type.kind == VF__NULL;
    struct vf__type keys = {.kind = reader->type.index_signed ? VF__INT : VF__UINT,
                            .width = reader->type.index_width};
    widen_i64(&keys, p->array, p->array->offset + p->start, p->n,
              index); /* a uint64 past int64 comes out negative */
    for (int64_t i = 0; i < p->n; i++) {
        if (!valid[i]) {
            index[i] = 0;
            continue;
        }
        if (index[i] < 0 || index[i] >= dictionary->length)
            return vf__fail(err, VF_ERROR_ARROW, reader->name, row + i,
                            "column \"%s\": dictionary index %lld of %lld", reader->name, (long long)index[i],
                            (long long)dictionary->length);
        if (reader->type.kind == VF__NULL || (bits != NULL && !vf__bit(bits, dictionary->offset + index[i])))
            valid[i] = 0;
    }
    return VF_OK;
}

/* ---- numbers ---- */

enum vf_status vf__wrong_type(const struct vf__reader *reader, const char *wanted, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; %s", reader->name,
                    vf__type_name(&reader->type), wanted);
}

static enum vf_status too_large(const struct vf__reader *reader, int64_t row, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_OVERFLOW, reader->name, row,
                    "column \"%s\": a UInt64 value does not fit Int64", reader->name);
}

/* Where [row, row + n) is in one chunk that already holds plain values of `width` bytes: a pointer to them.
 */
static const void *in_place(struct vf__reader *reader, int64_t row, int64_t n, uint32_t width,
                            struct vf__piece *p) {
    if (n == 0 || reader->type.dictionary || reader->type.width != width) return NULL;
    *p = vf__reader_chunk(reader, row, n);
    if (p->n < n) return NULL;
    const uint8_t *at = (const uint8_t *)p->array->buffers[1] + (size_t)(p->array->offset + p->start) * width;
    return (uintptr_t)at % width == 0 ? at : NULL;
}

/* strict: a uint64 past int64 is an error; else its bits come out. */
static enum vf_status piece_i64(const struct vf__reader *reader, const struct vf__piece *p, int64_t row,
                                bool strict, int64_t *out, uint8_t *valid, bool *any_null,
                                struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    enum vf_status status = VF_OK;
    if (type->dictionary) {
        status = vf__read_indexes(reader, p, row, out, valid, any_null, err);
        const struct ArrowArray *d = p->array->dictionary;
        for (int64_t i = 0; status == VF_OK && i < p->n; i++) {
            int64_t value = 0;
            if (valid[i]) widen_i64(type, d, d->offset + out[i], 1, &value);
            out[i] = value;
        }
    } else {
        *any_null = vf__piece_valid(type, p, valid);
        if (type->kind == VF__NULL)
            memset(out, 0, (size_t)p->n * sizeof *out);
        else
            widen_i64(type, p->array, p->array->offset + p->start, p->n, out);
    }
    if (!strict || type->kind != VF__UINT || type->width != 8 || status != VF_OK) return status;
    int64_t all = 0;
    for (int64_t i = 0; i < p->n; i++)
        all |= out[i];
    if (all >= 0) return VF_OK;
    for (int64_t i = 0; status == VF_OK && i < p->n; i++)
        if (out[i] < 0 && valid[i]) status = too_large(reader, row + i, err);
    return status;
}

enum vf_status vf__read_integers(struct vf__reader *reader, int64_t row, int64_t n, bool strict,
                                 int64_t *value_buffer, uint8_t *valid_buffer, const int64_t **values,
                                 const uint8_t **valid, struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (type->kind == VF__FLOAT || type->kind == VF__TEXT || type->kind == VF__DECIMAL)
        return vf__wrong_type(reader, "an integer, boolean or temporal type is needed", err);
    enum vf_status status = vf__check_range(reader, row, n, err);
    if (status != VF_OK) return status;
    struct vf__piece p;
    bool any = false;
    const void *direct = type->kind == VF__UINT && strict ? NULL : in_place(reader, row, n, 8, &p);
    if (direct != NULL) {
        any = vf__piece_valid(type, &p, valid_buffer);
        *values = direct;
    } else {
        *values = value_buffer;
        for (int64_t done = 0; done < n; done += p.n) {
            bool some;
            p = vf__reader_chunk(reader, row + done, n - done);
            status = piece_i64(reader, &p, row + done, strict, value_buffer + done, valid_buffer + done,
                               &some, err);
            if (status != VF_OK) return status;
            any |= some;
        }
    }
    *valid = any ? valid_buffer : NULL;
    return VF_OK;
}

enum vf_status vf__read_i64(struct vf__reader *reader, int64_t row, int64_t n, int64_t *value_buffer,
                            uint8_t *valid_buffer, const int64_t **values, const uint8_t **valid,
                            struct vf_error *err) {
    return vf__read_integers(reader, row, n, true, value_buffer, valid_buffer, values, valid, err);
}

static enum vf_status piece_f64(const struct vf__reader *reader, const struct vf__piece *p, int64_t row,
                                double *out, uint8_t *valid, bool *any_null, struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (!type->dictionary) {
        *any_null = vf__piece_valid(type, p, valid);
        if (type->kind == VF__NULL)
            memset(out, 0, (size_t)p->n * sizeof *out);
        else
            widen_f64(type, p->array, p->array->offset + p->start, p->n, out);
        return VF_OK;
    }
    int64_t index[256];
    uint8_t *v = valid;
    *any_null = false;
    for (int64_t done = 0; done < p->n; done += 256) {
        int64_t k = p->n - done < 256 ? p->n - done : 256;
        struct vf__piece part = {.array = p->array, .start = p->start + done, .n = k};
        bool some;
        enum vf_status status = vf__read_indexes(reader, &part, row + done, index, v + done, &some, err);
        if (status != VF_OK) return status;
        *any_null |= some;
        const struct ArrowArray *d = p->array->dictionary;
        for (int64_t i = 0; i < k; i++) {
            out[done + i] = 0.0;
            if (v[done + i]) widen_f64(type, d, d->offset + index[i], 1, out + done + i);
        }
    }
    return VF_OK;
}

enum vf_status vf__read_f64(struct vf__reader *reader, int64_t row, int64_t n, double *value_buffer,
                            uint8_t *valid_buffer, const double **values, const uint8_t **valid,
                            struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (!vf__type_is_number(type) && type->kind != VF__BOOL && type->kind != VF__NULL && type->kind != VF__DECIMAL)
        return vf__wrong_type(reader, "a number is needed", err);
    enum vf_status status = vf__check_range(reader, row, n, err);
    if (status != VF_OK) return status;
    struct vf__piece p;
    bool any = false;
    const void *direct = type->kind == VF__FLOAT ? in_place(reader, row, n, 8, &p) : NULL;
    if (direct != NULL) {
        any = vf__piece_valid(type, &p, valid_buffer);
        *values = direct;
    } else {
        *values = value_buffer;
        for (int64_t done = 0; done < n; done += p.n) {
            bool some;
            p = vf__reader_chunk(reader, row + done, n - done);
            status = piece_f64(reader, &p, row + done, value_buffer + done, valid_buffer + done, &some, err);
            if (status != VF_OK) return status;
            any |= some;
        }
    }
    *valid = any ? valid_buffer : NULL;
    return VF_OK;
}

bool vf__reader_is_price(const struct vf__reader *reader) {
    const struct vf__type *type = &reader->type;
    return vf__type_is_number(type) || type->kind == VF__DECIMAL || type->kind == VF__NULL;
}

enum vf_status vf__price_check(const struct vf__reader *reader, struct vf_error *err) {
    if (vf__reader_is_price(reader)) return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; as price, a number is accepted",
                    reader->name, vf__type_name(&reader->type));
}

/* The smallest number of a type that is no price, as a double: of integers and floats of 32 or 64 bits their largest,
   which vendors write where there is none; and what is rounded to it. */
static double no_price_from(const struct vf__type *type) {
    bool wide = type->width == 8;
    if (type->width < 4) return VF__NO_PRICE;
    switch (type->kind) {
    case VF__INT:
        return wide ? 0x1p63 : 0x1p31 - 1;
    case VF__UINT:
        return wide ? 0x1p64 : 0x1p32 - 1;
    case VF__FLOAT:
        return wide ? VF__NO_PRICE : (double)FLT_MAX;
    default:
        return VF__NO_PRICE;
    }
}

enum vf_status vf__read_prices(struct vf__reader *reader, int64_t row, int64_t n, double *value_buffer,
                               uint8_t *valid_buffer, const double **values, const uint8_t **valid,
                               struct vf_error *err) {
    enum vf_status status = vf__read_f64(reader, row, n, value_buffer, valid_buffer, values, valid, err);
    const double none = no_price_from(&reader->type);
    if (status != VF_OK || none == VF__NO_PRICE) return status; /* nothing beyond what vf__is_price says */
    for (int64_t i = 0; i < n; i++)
        if (value_buffer[i] >= none) value_buffer[i] = (double)NAN; /* they are copies: of no doubles */
    return VF_OK;
}

enum vf_status vf__read_decimals(struct vf__reader *reader, int64_t row, int64_t n, const struct vf__decimals *out,
                                 uint8_t *valid_buffer, const uint8_t **valid, struct vf_error *err) {
    if (reader->type.kind != VF__DECIMAL) return vf__wrong_type(reader, "a decimal is needed", err);
    enum vf_status status = vf__check_range(reader, row, n, err);
    bool any = false;
    struct vf__piece p;
    for (int64_t done = 0; status == VF_OK && done < n; done += p.n) {
        p = vf__reader_chunk(reader, row + done, n - done);
        any |= vf__piece_valid(&reader->type, &p, valid_buffer + done);
        for (int64_t i = 0; i < p.n; i++) {
            struct vf__u128 *magnitude = &out->magnitude[done + i];
            out->negative[done + i] = decimal_at(p.array, p.array->offset + p.start + i, magnitude);
            if (valid_buffer[done + i]) continue;
            *magnitude = (struct vf__u128){0};
            out->negative[done + i] = 0;
        }
    }
    if (status == VF_OK) *valid = any ? valid_buffer : NULL;
    return status;
}

enum vf_status vf__read_valid(struct vf__reader *reader, int64_t row, int64_t n, uint8_t *valid_buffer,
                              const uint8_t **valid, struct vf_error *err) {
    enum vf_status status = vf__check_range(reader, row, n, err);
    bool any = false;
    int64_t index[256];
    struct vf__piece p;
    for (int64_t done = 0; status == VF_OK && done < n; done += p.n) {
        bool some;
        p = vf__reader_chunk(reader, row + done, n - done);
        if (!reader->type.dictionary) {
            some = vf__piece_valid(&reader->type, &p, valid_buffer + done);
        } else {
            if (p.n > 256) p.n = 256;
            status = vf__read_indexes(reader, &p, row + done, index, valid_buffer + done, &some, err);
        }
        any |= some;
    }
    if (status == VF_OK) *valid = any ? valid_buffer : NULL;
    return status;
}

/* ---- times ---- */

static enum vf_status no_such_time(const struct vf__reader *reader, int64_t row, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_OVERFLOW, reader->name, row,
                    "column \"%s\": a time beyond the +-292 years that int64 nanoseconds hold; numbers are "
                    "read as seconds",
                    reader->name);
}

#define SMALL 0x1p51
#define ROUNDER 0x1.8p52                /* moves a double's integer part to its lowest bits */
#define BELOW_HALF 0x1.fffffffffffffp-2 /* 0.49999999999999994 must not become 1 */

/* Seconds to nanoseconds, halves away from zero. False: one of them is NaN or reaches 2^51. */
static bool all_to_ns(const double *seconds, int64_t n, int64_t *out) {
    const uint64_t rounder = vf__as_bits(ROUNDER);
    uint64_t large = 0; /* its top bit: one is */
    for (int64_t i = 0; i < n; i++) {
        double ns = seconds[i] * 1e9, a = fabs(ns) + BELOW_HALF, near = (a + ROUNDER) - ROUNDER;
        uint64_t up = (vf__as_bits(a) - vf__as_bits(near)) >> 63, negative = 0 - (vf__as_bits(ns) >> 63);
        uint64_t floor = vf__as_bits(near + ROUNDER) - rounder - up; /* where the trick holds, the integer's bits */
        out[i] = (int64_t)((floor ^ negative) - negative);
        large |= vf__as_bits(SMALL) - 1 - vf__as_bits(fabs(ns));
    }
    return large >> 63 == 0;
}

/* Of one row, which is not null; *valid becomes 0 where it is NaN. */
static enum vf_status one_to_ns(const struct vf__reader *reader, int64_t row, double seconds, int64_t *out,
                                uint8_t *valid, struct vf_error *err) {
    double ns = seconds * 1e9;
    *out = 0;
    if (isnan(ns))
        *valid = 0;
    else if (fabs(ns) < SMALL)
        *out = (int64_t)(ns + copysign(BELOW_HALF, ns));
    else if (fabs(ns) < 0x1p63)
        *out = (int64_t)llround(ns);
    else
        return no_such_time(reader, row, err);
    return VF_OK;
}

static enum vf_status floats_to_ns(struct vf__reader *reader, int64_t row, int64_t n, int64_t *out,
                                   uint8_t *valid, const uint8_t **valid_out, struct vf_error *err) {
    enum { BLOCK = VF__SIZED(512, 8, 8192) };
    double buffer[BLOCK];
    bool any = false;
    for (int64_t done = 0; done < n; done += BLOCK) {
        int64_t k = n - done < BLOCK ? n - done : BLOCK;
        const double *seconds;
        const uint8_t *ok;
        enum vf_status status = vf__read_f64(reader, row + done, k, buffer, valid + done, &seconds, &ok, err);
        if (status != VF_OK) return status;
        if (ok == NULL) memset(valid + done, 1, (size_t)k);
        any |= ok != NULL;
        if (all_to_ns(seconds, k, out + done)) continue;
        any = true;
        for (int64_t i = 0; status == VF_OK && i < k; i++)
            if (valid[done + i])
                status = one_to_ns(reader, row + done + i, seconds[i], &out[done + i], &valid[done + i], err);
        if (status != VF_OK) return status;
    }
    *valid_out = any ? valid : NULL;
    return VF_OK;
}

enum vf_status vf__read_ns(struct vf__reader *reader, int64_t row, int64_t n, int64_t *value_buffer,
                           uint8_t *valid_buffer, const int64_t **values, const uint8_t **valid,
                           struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    *values = value_buffer;
    if (type->kind == VF__FLOAT) return floats_to_ns(reader, row, n, value_buffer, valid_buffer, valid, err);
    if (!vf__type_is_integer(type) && !vf__type_is_temporal(type) && type->kind != VF__NULL)
        return vf__wrong_type(reader, "a time is needed: seconds, Time, Datetime, Duration or Date", err);
    const int64_t *read;
    enum vf_status status = vf__read_i64(reader, row, n, value_buffer, valid_buffer, &read, valid, err);
    int64_t scale = vf__type_is_temporal(type) ? type->ns : INT64_C(1000000000);
    if (status != VF_OK) return status;
    if (scale == 1) {
        *values = read;
        return VF_OK;
    }
    int64_t limit = INT64_MAX / scale;
    for (int64_t i = 0; i < n; i++) {
        int64_t v = read[i];
        if (VF__UNLIKELY(v > limit || v < -limit)) {
            if (*valid == NULL || (*valid)[i]) return no_such_time(reader, row + i, err);
            v = 0;
        }
        value_buffer[i] = v * scale;
    }
    return VF_OK;
}
