/* Decodes batches for the FIFO: columns of any accepted type to one compact row, and what is wrong with it.
   Not for storing: rows go where the caller says, in learning as in replaying. */
#include "base/price.h"
#include "match/api_fifo.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* ---- types ---------------------------------------------------------------------------------------------------- */

bool vf__fifo_is_float(const struct vf__fifo_known *known) {
    return known->type.kind == VF__FLOAT;
}

enum vf__amounts vf__fifo_amounts(const struct vf__fifo_known *known) {
    if (known->type.kind == VF__DECIMAL) return VF__AMOUNTS_DECIMAL;
    if (known->type.kind != VF__FLOAT) return VF__AMOUNTS_WHOLE;
    return known->type.width == 4 ? VF__AMOUNTS_SINGLE : VF__AMOUNTS_DOUBLE;
}

struct vf__amount_form vf__fifo_amount_form(const struct vf_fifo *fifo) {
    enum vf__amounts amounts = vf__fifo_amounts(&fifo->known[VF__FIFO_QUANTITY]);
    return (struct vf__amount_form){.is_whole = amounts == VF__AMOUNTS_WHOLE,
                                    .is_float = vf__amounts_float(amounts),
                                    .scale = fifo->known[VF__FIFO_QUANTITY].type.scale,
                                    .large = fifo->tapes.large};
}

int64_t vf__fifo_time_scale(const struct vf__type *type) {
    return type->kind == VF__DATE && type->width == 4 ? VF_DAY_NS / 1000 : 1;
}

static bool role_takes(enum vf__fifo_role role, const struct vf__type *type) {
    switch (role) {
    case VF__FIFO_SORT:
    case VF__FIFO_TIME:
        return vf__type_is_number(type) || vf__type_is_temporal(type) || type->kind == VF__NULL;
    case VF__FIFO_SIDE:
        return vf__sides_readable(type);
    case VF__FIFO_QUANTITY:
        return vf__type_is_number(type) || type->kind == VF__DECIMAL;
    case VF__FIFO_PRICE:
        return vf__type_is_number(type) || type->kind == VF__DECIMAL || type->kind == VF__NULL;
    case VF__FIFO_KEYS:
    case VF__FIFO_ROLES:
        break;
    }
    return false;
}

static const char *role_wants(enum vf__fifo_role role) {
    switch (role) {
    case VF__FIFO_SORT:
        return "rows are put in order by a number, date, time, timestamp or duration";
    case VF__FIFO_TIME:
        return "holding periods need a number, date, time, timestamp or duration";
    case VF__FIFO_SIDE:
        return "the side must be a string, number or boolean column";
    case VF__FIFO_QUANTITY:
        return "the quantity must be an integer, float or decimal column";
    case VF__FIFO_PRICE:
        return "the price must be an integer, float or decimal column";
    case VF__FIFO_KEYS:
    case VF__FIFO_ROLES:
        break;
    }
    return "";
}

/* Texts in any layout, and integers of any width as sides, are the same to the operation. */
static bool same_type(enum vf__fifo_role role, const struct vf__type *a, const struct vf__type *b) {
    bool loose = role == VF__FIFO_SIDE || role == VF__FIFO_PRICE;
    if (a->kind == VF__TEXT && b->kind == VF__TEXT) return true;
    if (loose && vf__type_is_number(a) && vf__type_is_number(b)) return true;
    return a->kind == b->kind && a->width == b->width && a->ns == b->ns && a->scale == b->scale;
}

static enum vf_status check_type(const struct vf__fifo_known *known, enum vf__fifo_role role,
                                 const struct vf__reader *reader, struct vf_error *err) {
    if (!role_takes(role, &reader->type))
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; %s", reader->name,
                        vf__type_name(&reader->type), role_wants(role));
    if (known->known && !same_type(role, &known->type, &reader->type))
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s now and was %s before",
                        reader->name, vf__type_name(&reader->type), vf__type_name(&known->type));
    return VF_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static bool same_buffers(const struct ArrowArray *a, const struct ArrowArray *b) {
    if (a == b) return true;
    if (a->length != b->length) return false;
    if (a->length == 0) return true;
    return a->offset == b->offset && a->n_buffers == 2 && b->n_buffers == 2 &&
           a->buffers[0] == b->buffers[0] && a->buffers[1] == b->buffers[1] && a->dictionary == NULL &&
           b->dictionary == NULL;
}

/* Two readings of one column, checked by where it lies. */
static bool same_column(const struct vf__reader *a, const struct vf__reader *b) {
    if (a->series == b->series) return true;
    if (a->series->n_chunks != b->series->n_chunks || !same_type(VF__FIFO_SORT, &a->type, &b->type))
        return false;
    if (a->type.dictionary || b->type.dictionary) return false;
    for (size_t c = 0; c < a->series->n_chunks; c++)
        if (!same_buffers(a->series->chunks[c], b->series->chunks[c])) return false;
    return true;
}

static enum vf_status open_role(struct vf_fifo *fifo, struct vf__fifo_readers *readers,
                                enum vf__fifo_role role, const struct vf_series *series,
                                struct vf_error *err) {
    struct vf__reader *reader = &readers->reader[role];
    bool decimals = role == VF__FIFO_QUANTITY || role == VF__FIFO_PRICE;
    enum vf_status status =
        decimals ? vf__reader_open_decimal(reader, series, err) : vf__reader_open(reader, series, err);
    if (status == VF_OK) status = check_type(&fifo->known[role], role, reader, err);
    if (status != VF_OK) return status;
    readers->used[role] = true;
    const struct vf__reader *first = readers->n_keys > 0 ? readers->keys : &readers->reader[VF__FIFO_SORT];
    readers->n_rows = first->n_rows;
    if (reader->n_rows != readers->n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, reader->name, -1,
                        "column \"%s\" has %lld rows and \"%s\" has %lld", reader->name,
                        (long long)reader->n_rows, first->name, (long long)readers->n_rows);
    return VF_OK;
}

void vf__fifo_readers_close(const struct vf_fifo *fifo, struct vf__fifo_readers *readers) {
    vf__fifo_keys_close(fifo, readers->keys, readers->n_keys);
    readers->keys = NULL;
}

static enum vf_status open_roles(struct vf_fifo *fifo, const struct vf_fifo_batch *batch,
                                 struct vf__fifo_readers *readers, struct vf_error *err) {
    const struct vf_series *series[VF__FIFO_ROLES] = {NULL,        batch->sort,     batch->time,
                                                      batch->side, batch->quantity, batch->price};
    static const char *const names[VF__FIFO_ROLES] = {"", "sort", "time", "side", "quantity", "price"};
    bool needed[VF__FIFO_ROLES] = {false, true, (fifo->columns & VF_FIFO_HOLDING) != 0,
                                   true,  true, (fifo->columns & VF__FIFO_PRICES) != 0};
    for (int role = VF__FIFO_SORT; role < VF__FIFO_ROLES; role++) {
        if (series[role] == NULL && needed[role])
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the batch has no %s column, which is needed",
                            names[role]);
        /* a price that no column is made of is not looked at; a time still has to be there on trade rows */
        if (series[role] == NULL || (role == VF__FIFO_PRICE && !needed[role])) continue;
        enum vf_status status = open_role(fifo, readers, (enum vf__fifo_role)role, series[role], err);
        if (status != VF_OK) return status;
    }
    readers->time_is_sort = readers->used[VF__FIFO_TIME] &&
                            same_column(&readers->reader[VF__FIFO_SORT], &readers->reader[VF__FIFO_TIME]);
    return VF_OK;
}

enum vf_status vf__fifo_readers_open(struct vf_fifo *fifo, const struct vf_fifo_batch *batch,
                                     struct vf__fifo_readers *readers, struct vf_error *err) {
    *readers = (struct vf__fifo_readers){.n_keys = batch->n_keys};
    enum vf_status status = vf__fifo_keys_open(fifo, batch->keys, batch->n_keys, &readers->keys, err);
    if (status == VF_OK) status = open_roles(fifo, batch, readers, err);
    if (status != VF_OK) vf__fifo_readers_close(fifo, readers);
    return status;
}

/* ---- columns ---------------------------------------------------------------------------------------------------- */

/* Nanoseconds for floats, else the type's own unit. *valid is NULL when none is null. */
static enum vf_status read_time(struct vf__reader *reader, int64_t row, int64_t n, int64_t *out,
                                uint8_t *buffer, const uint8_t **valid, struct vf_error *err) {
    const int64_t *values;
    enum vf_status status = reader->type.kind == VF__FLOAT
                                ? vf__read_ns(reader, row, n, out, buffer, &values, valid, err)
                                : vf__read_i64(reader, row, n, out, buffer, &values, valid, err);
    if (status != VF_OK) return status;
    if (values != out) memcpy(out, values, (size_t)n * sizeof *out);
    for (int64_t i = 0; *valid != NULL && i < n; i++)
        if (!(*valid)[i])
            out[i] = 0; /* what stands at a null is anything, and must be the same in a replay */
    return VF_OK;
}

/* A problem at trade rows whose ok[] is 0. */
static void note_problem(struct vf__fifo_problem *problem, const uint8_t *codes, const uint8_t *ok, int64_t n,
                         int64_t row_in, const char *what) {
    for (int64_t i = 0; i < n; i++) {
        if (codes[i] == VF__SIDE_NONE || ok[i]) continue;
        if (problem->count++ > 0) continue;
        problem->first = row_in + i;
        problem->what = what;
    }
}

static bool any_missing(const uint8_t *codes, const uint8_t *ok, int64_t n) {
    unsigned missing = 0;
    for (int64_t i = 0; ok != NULL && i < n; i++)
        missing |= (codes[i] != 0) & !ok[i];
    return missing != 0;
}

static const char *no_time(const struct vf__reader *reader) {
    return reader->type.kind == VF__FLOAT ? "null or NaN" : "null";
}

static enum vf_status read_times(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row,
                                 int64_t row_in, int64_t n, const struct vf__fifo_target *target, bool learn,
                                 struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    const uint8_t *valid;
    enum vf_status status =
        read_time(&readers->reader[VF__FIFO_SORT], row, n, target->sort, s->valid, &valid, err);
    if (status != VF_OK) return status;
    if (learn && any_missing(s->codes, valid, n))
        note_problem(&fifo->problems[VF__FIFO_SORT], s->codes, valid, n, row_in, no_time(&readers->reader[VF__FIFO_SORT]));
    if (!readers->used[VF__FIFO_TIME]) return VF_OK;
    if (readers->time_is_sort) {
        if (target->time != NULL) memcpy(target->time, target->sort, (size_t)n * sizeof *target->time);
        return VF_OK;
    }
    if (target->time == NULL && !learn) return VF_OK;
    int64_t *out = target->time != NULL ? target->time : s->time;
    status = read_time(&readers->reader[VF__FIFO_TIME], row, n, out, s->valid, &valid, err);
    if (status == VF_OK && learn && any_missing(s->codes, valid, n))
        note_problem(&fifo->problems[VF__FIFO_TIME], s->codes, valid, n, row_in, no_time(&readers->reader[VF__FIFO_TIME]));
    return status;
}

/* A time so large that the difference of two such might not fit. */
static bool any_wide(const int64_t *time, int64_t n, int64_t scale) {
    const uint64_t limit = (uint64_t)(INT64_MAX / scale / 2);
    unsigned wide = 0;
    for (int64_t i = 0; i < n; i++)
        wide |= (uint64_t)time[i] + limit > 2 * limit;
    return wide != 0;
}

/* ---- quantities ---------------------------------------------------------------------------------------------------- */

static const char *what_is_wrong(bool valid, double quantity) {
    if (!valid) return "null";
    if (isnan(quantity)) return "NaN";
    return quantity < 0 ? "negative" : "infinite";
}

/* Magnitude under the side's bit, 0 for rows that are no trade; by side code. */
static const uint64_t keep_bits[3] = {0, ~VF__EXIT_SIDE, ~VF__EXIT_SIDE};
static const uint64_t side_bits[3] = {0, 0, VF__EXIT_SIDE};

/* Whether all are usable as they are; the common case, and quick to see. */
static bool all_usable(const double *numbers, const int64_t *integers, int64_t n) {
    if (integers != NULL) {
        int64_t sign = 0;
        for (int64_t i = 0; i < n; i++)
            sign |= integers[i];
        return sign >= 0;
    }
    int bad = 0;
    for (int64_t i = 0; i < n; i++)
        bad |= !((numbers[i] >= 0) & (numbers[i] <= DBL_MAX));
    return bad == 0;
}

/* numbers or integers; valid NULL: all are there. ok[] becomes: a quantity that can be used. True when all are. */
static bool sign_quantities(const double *numbers, const int64_t *integers, const uint8_t *codes,
                            const uint8_t *valid, int64_t n, uint8_t *ok, uint64_t *out) {
    const void *values = numbers != NULL ? (const void *)numbers : (const void *)integers;
    bool all = valid == NULL && all_usable(numbers, integers, n);
    memcpy(out, values, (size_t)n * sizeof *out);
    if (!all) {
        for (int64_t i = 0; i < n; i++) {
            bool fits = numbers != NULL ? (numbers[i] >= 0) & (numbers[i] <= DBL_MAX) : integers[i] >= 0;
            ok[i] = fits && (valid == NULL || valid[i]);
            if (!ok[i]) out[i] = 0;
        }
    }
    for (int64_t i = 0; i < n; i++)
        out[i] = (out[i] & keep_bits[codes[i]]) | side_bits[codes[i]];
    return all;
}

enum vf_status vf__fifo_decimal(struct vf_fifo *fifo, struct vf__u128 magnitude, uint64_t *out, struct vf_error *err) {
    *out = magnitude.low;
    if (magnitude.high == 0 && magnitude.low < VF__LARGE) return VF_OK;
    enum vf_status status = vf__array_grow(&fifo->ctx, &fifo->large, fifo->n_large + 1, sizeof magnitude, err);
    if (status != VF_OK) return status;
    ((struct vf__u128 *)fifo->large.data)[fifo->n_large] = magnitude;
    *out = fifo->n_large++ | VF__LARGE;
    return VF_OK;
}

/* Decimals as words, and scratch->amount: what stands for them in the replay. *all: each can be used. */
static enum vf_status decimal_quantities(struct vf_fifo *fifo, struct vf__reader *reader, int64_t row, int64_t n,
                                         uint64_t *out, bool learn, bool *all, struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    const struct vf__decimals decimals = {.magnitude = s->magnitude, .negative = s->negative};
    const uint8_t *there;
    enum vf_status status = vf__read_decimals(reader, row, n, &decimals, s->valid, &there, err);
    *all = there == NULL;
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        struct vf__u128 magnitude = s->magnitude[i];
        uint8_t code = s->codes[i];
        s->valid[i] = !s->negative[i] && (there == NULL || there[i]);
        *all &= s->valid[i];
        out[i] = s->amount[i] = 0;
        if (code == VF__SIDE_NONE) continue;
        s->amount[i] = magnitude.low ^ magnitude.high * UINT64_C(0x9fb21c651e98df25) ^ side_bits[code];
        out[i] = side_bits[code];
        if (!learn || !s->valid[i]) continue;
        status = vf__fifo_decimal(fifo, magnitude, &out[i], err);
        out[i] |= side_bits[code];
    }
    return status;
}

/* The first quantity that cannot be used, and how many. */
static enum vf_status note_quantities(struct vf_fifo *fifo, struct vf__reader *reader, int64_t row, int64_t row_in,
                                      int64_t n, struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    struct vf__fifo_problem *problem = &fifo->problems[VF__FIFO_QUANTITY];
    int64_t before = problem->count;
    const uint8_t *there;
    const double *number;
    double buffer;
    note_problem(problem, s->codes, s->valid, n, row_in, "null");
    if (before > 0) return VF_OK;
    enum vf_status status = vf__read_f64(reader, row + problem->first - row_in, 1, &buffer, s->valid, &number, &there, err);
    if (status == VF_OK) problem->what = what_is_wrong(there == NULL || there[0], *number);
    return status;
}

static enum vf_status read_quantities(struct vf_fifo *fifo, struct vf__reader *reader, int64_t row,
                                      int64_t row_in, int64_t n, uint64_t *out, bool learn,
                                      struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    bool is_float = reader->type.kind == VF__FLOAT, all;
    const double *numbers = NULL;
    const int64_t *integers = NULL;
    const uint8_t *there = NULL;
    enum vf_status status;
    if (reader->type.kind == VF__DECIMAL) {
        status = decimal_quantities(fifo, reader, row, n, out, learn, &all, err);
        if (status != VF_OK) return status;
    } else {
        status = is_float ? vf__read_f64(reader, row, n, s->numbers, s->valid, &numbers, &there, err)
                          : vf__read_i64(reader, row, n, s->values, s->valid, &integers, &there, err);
        if (status != VF_OK) return status;
        all = sign_quantities(numbers, integers, s->codes, there, n, s->valid, out);
    }
    if (learn && !fifo->wide.quantities) fifo->wide.quantities = !vf__match_narrow(out, (size_t)n, is_float);
    if (all || !learn || !any_missing(s->codes, s->valid, n)) return VF_OK;
    return note_quantities(fifo, reader, row, row_in, n, err);
}

static enum vf_status read_prices(struct vf_fifo *fifo, struct vf__reader *reader, int64_t row, int64_t n,
                                  double *out, struct vf_error *err) {
    const double *values;
    const uint8_t *there;
    enum vf_status status = vf__read_prices(reader, row, n, out, fifo->scratch->valid, &values, &there, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++)
        out[i] = vf__is_price(values[i]) ? values[i] : (double)NAN; /* one NaN, for the replay */
    for (int64_t i = 0; there != NULL && i < n; i++)
        if (!there[i]) out[i] = (double)NAN;
    return VF_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

/* Trade rows without a key. They count for one column: the one that is null in the first of them. */
static enum vf_status note_keys(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row, int64_t row_in,
                                int64_t n, const uint32_t *group, struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    struct vf__fifo_problem *problem = &fifo->problems[VF__FIFO_KEYS];
    const uint8_t *valid = NULL;
    enum vf_status status = VF_OK;
    int64_t i = 0;
    while (i < n && (s->codes[i] == VF__SIDE_NONE || group[i] != VF__NO_KEY))
        i++;
    if (i == n) return VF_OK; /* of rows that are no trades nothing is asked */
    for (size_t k = 0; problem->count == 0 && k < readers->n_keys; k++) {
        status = vf__read_valid(&readers->keys[k], row + i, 1, s->valid, &valid, err);
        if (status != VF_OK) return status;
        if (valid == NULL || valid[0]) continue;
        fifo->problem_key = k;
        (void)snprintf(fifo->known[VF__FIFO_KEYS].name, sizeof fifo->known->name, "%s", readers->keys[k].name);
        break;
    }
    status = vf__read_valid(&readers->keys[fifo->problem_key], row, n, s->valid, &valid, err);
    if (status == VF_OK && valid != NULL) note_problem(problem, s->codes, valid, n, row_in, "null");
    return status;
}

static enum vf_status read_groups(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row,
                                  int64_t row_in, int64_t n, uint32_t *group, bool learn,
                                  struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    enum vf_status status =
        vf__sides_read(&fifo->sides, &readers->reader[VF__FIFO_SIDE], row, n, &s->room, s->codes, err);
    if (status != VF_OK) return status;
    status = vf__fifo_read_groups(fifo, readers, row, n, group, err);
    if (status != VF_OK) return status;
    uint32_t trades = 0, missing = 0;
    for (int64_t i = 0; i < n; i++)
        missing |= group[i] == VF__NO_KEY;
    if (missing != 0 && learn) status = note_keys(fifo, readers, row, row_in, n, group, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++) {
        uint32_t trade = s->codes[i] != 0;
        trades += trade;
        group[i] |= trade - 1; /* VF__NO_KEY is all ones */
    }
    if (!learn) return VF_OK;
    fifo->n_trades += trades;
    vf__sides_note(&fifo->sides, &readers->reader[VF__FIFO_SIDE], row, n, &s->room, s->codes);
    return VF_OK;
}

/* What of a row must come again; the replay mixes it well. */
static void make_words(const struct vf__fifo_target *t, int64_t n, uint64_t *words) {
    for (int64_t i = 0; i < n; i++)
        words[i] = (uint64_t)t->group[i] * UINT64_C(0x9fb21c651e98df25) +
                   t->quantity[i] * UINT64_C(0xd6e8feb86659fd93) +
                   (uint64_t)t->sort[i] * UINT64_C(0xa0761d6478bd642f);
    for (int64_t i = 0; t->time != NULL && i < n; i++)
        words[i] += (uint64_t)t->time[i] * UINT64_C(0xe7037ed1a0b428db);
    for (int64_t i = 0; t->price != NULL && i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &t->price[i], sizeof bits);
        words[i] += bits * UINT64_C(0x8ebc6af09c88c6e3);
    }
}

enum vf_status vf__fifo_decode(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row,
                               int64_t row_in, int64_t n, const struct vf__fifo_target *target, bool learn,
                               struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    struct vf__fifo_target words = *target;
    bool holding = (fifo->columns & VF_FIFO_HOLDING) != 0;
    enum vf_status status = read_groups(fifo, readers, row, row_in, n, target->group, learn, err);
    if (status == VF_OK) status = read_times(fifo, readers, row, row_in, n, target, learn, err);
    if (status == VF_OK)
        status = read_quantities(fifo, &readers->reader[VF__FIFO_QUANTITY], row, row_in, n, target->quantity,
                                 learn, err);
    if (status == VF_OK && target->price != NULL)
        status = read_prices(fifo, &readers->reader[VF__FIFO_PRICE], row, n, target->price, err);
    if (status != VF_OK) return status;
    if (readers->reader[VF__FIFO_QUANTITY].type.kind == VF__DECIMAL) words.quantity = s->amount;
    if (holding && words.time == NULL) words.time = target->sort;
    if (holding && learn)
        fifo->wide.times |=
            any_wide(words.time, n, vf__fifo_time_scale(&readers->reader[VF__FIFO_TIME].type));
    make_words(&words, n, s->words);
    return VF_OK;
}
