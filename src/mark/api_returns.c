/* Element-wise helpers of returns over Arrow columns: the return between two prices, and the sign of a side.
   Not for looking prices up: api_asof.c and api_daily.c do. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "base/side.h"
#include "mark/daily.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { BLOCK = VF__SIZED(1024, 8, 8192), SHOWN = 6, SHOWN_BYTES = 40 };

/* ---- return between two prices ------------------------------------------------------------------------------------- */

static enum vf_status return_block(struct vf__reader *later, struct vf__reader *earlier, int64_t row,
                                   double *values, uint8_t *validity, struct vf_error *err) {
    double later_buffer[BLOCK], earlier_buffer[BLOCK];
    uint8_t ok[BLOCK], other[BLOCK];
    const double *a, *b;
    const uint8_t *valid_a, *valid_b;
    int64_t n = later->n_rows - row < BLOCK ? later->n_rows - row : BLOCK;
    enum vf_status status = vf__read_prices(later, row, n, later_buffer, ok, &a, &valid_a, err);
    if (status == VF_OK) status = vf__read_prices(earlier, row, n, earlier_buffer, other, &b, &valid_b, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++)
        ok[i] = (valid_a == NULL || valid_a[i]) && (valid_b == NULL || valid_b[i]);
    vf__price_return(a, b, (size_t)n, values + row, ok);
    vf__validity_clear(validity, row, n, ok);
    return VF_OK;
}

enum vf_status vf_price_return(const struct vf_context *ctx, const struct vf_series *later,
                               const struct vf_series *earlier, struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf__reader a, b;
    struct vf_column column = {0};
    void *values = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = vf__reader_open_decimal(&a, later, err);
    if (status == VF_OK) status = vf__reader_open_decimal(&b, earlier, err);
    if (status == VF_OK) status = vf__price_check(&a, err);
    if (status == VF_OK) status = vf__price_check(&b, err);
    if (status != VF_OK) return status;
    if (a.n_rows != b.n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, b.name, -1, "\"%s\" has %" PRId64 " rows and \"%s\" %" PRId64,
                        a.name, a.n_rows, b.name, b.n_rows);
    status = vf__column_new(&context, "g", a.name, a.n_rows, 8, true, &column, &values, &validity, err);
    for (int64_t row = 0; status == VF_OK && row < a.n_rows; row += BLOCK)
        status = return_block(&a, &b, row, values, validity, err);
    return vf__column_give(status, &column, out);
}

/* ---- sign of a side ------------------------------------------------------------------------------------------------ */

struct signs {
    struct vf__reader reader;
    const struct vf_side *sides;
    size_t n_sides;
    bool nulls_fail;
    struct vf__keys values; /* distinct values of the column */
    int8_t *sign;           /* of each; 0: none of the sides */
    size_t n_known, capacity;
    int64_t bad, first_bad;
    uint32_t shown[SHOWN]; /* values that are none of the sides, VF__NO_KEY for null, in order of rows */
    size_t n_shown;
};

static double float_of(const struct signs *s, uint32_t id) {
    double x;
    memcpy(&x, &s->values.values[id], sizeof x);
    return x;
}

static int8_t sign_of(const struct signs *s, uint32_t id) {
    for (size_t i = 0; i < s->n_sides; i++) {
        const struct vf_side *side = &s->sides[i];
        bool same;
        if (s->values.bytes) {
            size_t length;
            const uint8_t *text = vf__keys_text(&s->values, id, &length);
            same = side->text != NULL && vf__same_letters((const uint8_t *)side->text, side->length, text, length);
        } else if (s->reader.type.kind == VF__FLOAT) {
            same = side->text == NULL && vf__same_number(float_of(s, id), side->integer);
        } else {
            same = side->text == NULL && (uint64_t)side->integer == s->values.values[id];
        }
        if (same) return side->entry ? 1 : -1;
    }
    return 0;
}

static enum vf_status know_values(struct signs *s, struct vf_error *err) {
    if (s->values.n > s->capacity) {
        size_t capacity = s->values.n * 2;
        int8_t *sign = vf__resize(&s->values.ctx, s->sign, s->capacity, capacity, 1);
        if (sign == NULL) return vf__fail_memory(err, capacity);
        s->sign = sign;
        s->capacity = capacity;
    }
    for (; s->n_known < s->values.n; s->n_known++)
        s->sign[s->n_known] = sign_of(s, (uint32_t)s->n_known);
    return VF_OK;
}

static void note_bad(struct signs *s, uint32_t id, int64_t row) {
    if (s->bad++ == 0) s->first_bad = row;
    for (size_t i = 0; i < s->n_shown; i++)
        if (s->shown[i] == id) return;
    if (s->n_shown < SHOWN) s->shown[s->n_shown++] = id;
}

/* One key for both zeros, and one for every NaN. */
static uint64_t number_key(double x) {
    return vf__as_bits(x == x ? x + 0.0 : (double)NAN);
}

static enum vf_status float_keys(struct signs *s, int64_t row, int64_t n, uint32_t *ids, struct vf_error *err) {
    double buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const double *numbers;
    const uint8_t *valid;
    enum vf_status status = vf__read_f64(&s->reader, row, n, buffer, valid_buffer, &numbers, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        ids[i] = VF__NO_KEY;
        if (valid == NULL || valid[i])
            status = vf__keys_add(&s->values, number_key(numbers[i]), &ids[i], err);
    }
    return status;
}

static enum vf_status sign_block(struct signs *s, int64_t row, int64_t *values, uint8_t *validity,
                                 struct vf_error *err) {
    uint32_t ids[BLOCK];
    int64_t n = s->reader.n_rows - row < BLOCK ? s->reader.n_rows - row : BLOCK;
    enum vf_status status = VF_OK;
    if (s->reader.type.kind == VF__NULL)
        memset(ids, 0xff, sizeof ids);
    else if (s->reader.type.kind == VF__FLOAT)
        status = float_keys(s, row, n, ids, err);
    else
        status = vf__read_keys(&s->reader, row, n, &s->values, ids, err);
    if (status == VF_OK) status = know_values(s, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        bool null = ids[i] == VF__NO_KEY;
        int8_t sign = null ? 0 : s->sign[ids[i]];
        values[row + i] = sign;
        if (null) vf__bit_clear(validity, row + i);
        if (sign == 0 && (!null || s->nulls_fail)) note_bad(s, ids[i], row + i);
    }
    return status;
}

static size_t show_value(const struct signs *s, uint32_t id, char *out) {
    size_t length;
    int n;
    if (id == VF__NO_KEY) {
        n = snprintf(out, SHOWN_BYTES, "null");
    } else if (s->values.bytes) {
        const uint8_t *text = vf__keys_text(&s->values, id, &length);
        n = snprintf(out, SHOWN_BYTES, "'%.*s'", length > 24 ? 24 : (int)length,
                     text != NULL ? (const char *)text : "");
    } else if (s->reader.type.kind == VF__FLOAT) {
        double x = float_of(s, id);
        n = snprintf(out, SHOWN_BYTES, "%s", x == x ? vf__number(x).text : "NaN");
    } else {
        n = snprintf(out, SHOWN_BYTES, "%" PRId64, (int64_t)s->values.values[id]);
    }
    return n < SHOWN_BYTES ? (size_t)n : SHOWN_BYTES - 1;
}

static enum vf_status bad_values(const struct signs *s, struct vf_error *err) {
    char list[SHOWN * (SHOWN_BYTES + 2) + 8];
    size_t used = 0;
    for (size_t i = 0; i < s->n_shown; i++) {
        if (i > 0) {
            memcpy(list + used, ", ", 2);
            used += 2;
        }
        used += show_value(s, s->shown[i], list + used);
    }
    list[used] = '\0';
    enum vf_status status =
        vf__fail(err, VF_ERROR_DATA, s->reader.name, s->first_bad,
                 "column \"%s\": %" PRId64 " values are none of the sides given, the first in row %" PRId64
                 "; found: %s%s; name every value, or filter those rows out",
                 s->reader.name, s->bad, s->first_bad, list, s->n_shown == SHOWN ? " and perhaps more" : "");
    if (err != NULL) err->count = s->bad;
    return status;
}

static enum vf_status check_sides(const struct signs *s, struct vf_error *err) {
    bool plus = false, minus = false;
    for (size_t i = 0; i < s->n_sides; i++) {
        plus |= s->sides[i].entry;
        minus |= !s->sides[i].entry;
        for (size_t j = 0; j < i; j++) {
            const struct vf_side *a = &s->sides[i], *b = &s->sides[j];
            bool same = a->text == NULL || b->text == NULL
                            ? a->text == NULL && b->text == NULL && a->integer == b->integer
                            : vf__same_letters((const uint8_t *)a->text, a->length, (const uint8_t *)b->text, b->length);
            if (same && a->entry != b->entry)
                return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                                "side values %zu and %zu are the same (the case of letters does not matter)", j + 1, i + 1);
        }
    }
    if (!plus || !minus)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "both sides need a value: +1 and -1");
    if (vf__type_is_temporal(&s->reader.type))
        return vf__fail(err, VF_ERROR_TYPE, s->reader.name, -1,
                        "column \"%s\" is %s; as a side, a string, number or boolean is accepted",
                        s->reader.name, vf__type_name(&s->reader.type));
    return VF_OK;
}

enum vf_status vf_side_sign(const struct vf_context *ctx, const struct vf_series *side,
                            const struct vf_side *sides, size_t n_sides, bool nulls_fail,
                            struct vf_column *out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct signs s = {.sides = sides, .n_sides = sides != NULL ? n_sides : 0, .nulls_fail = nulls_fail};
    struct vf_column column = {0};
    void *values = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = vf__reader_open(&s.reader, side, err);
    if (status == VF_OK) status = check_sides(&s, err);
    if (status != VF_OK) return status;
    vf__keys_init(&s.values, &context, vf__reader_is_text(&s.reader));
    status = vf__column_new(&context, "l", s.reader.name, s.reader.n_rows, 8, true, &column, &values,
                            &validity, err);
    for (int64_t row = 0; status == VF_OK && row < s.reader.n_rows; row += BLOCK)
        status = sign_block(&s, row, values, validity, err);
    if (status == VF_OK && s.bad > 0) status = bad_values(&s, err);
    vf__free(&context, s.sign, s.capacity, 1);
    vf__keys_release(&s.values);
    return vf__column_give(status, &column, out);
}
