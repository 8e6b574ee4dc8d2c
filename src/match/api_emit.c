/* Gives the pieces of a range of rows as Arrow columns, after comparing the rows read again.
   Not for reading pieces: pieces.c does. */
#include "arrow/build.h"
#include "match/api_fifo.h"

#define FILL_ROWS ((int64_t)VF__SIZED(1 << 16, 8, 1 << 22)) /* pieces a filling task gives: whole bytes of every bitmap */

struct emit {
    const struct vf_fifo *fifo;
    size_t n_prices;
    int64_t total;
    unsigned columns;
    void *values[VF_FIFO_N_COLUMNS];
    uint8_t *valid[VF_FIFO_N_COLUMNS];
    uint32_t width[VF_FIFO_N_COLUMNS]; /* 0: bits */
};

/* ---- filling ----------------------------------------------------------------------------------------------------- */

static double seconds(int64_t ns) {
    const int64_t second = INT64_C(1000000000);
    if (ns < (INT64_C(1) << 53) && ns > -(INT64_C(1) << 53)) return (double)ns / 1e9;
    return (double)(ns / second) + (double)(ns % second) / 1e9;
}

void vf__fifo_put_quantity(const struct vf_fifo *fifo, uint64_t quantity, void *values, size_t i) {
    const struct vf__fifo_known *known = &fifo->known[VF__FIFO_QUANTITY];
    uint32_t width = known->type.width;
    uint8_t *at = (uint8_t *)values + i * width;
    if (known->type.kind == VF__DECIMAL) {
        const struct vf__amount_form form = vf__fifo_amount_form(fifo);
        const struct vf__u128 units = vf__amount_u128(&form, quantity);
        memcpy(at, &units.low, sizeof units.low);
        memcpy(at + sizeof units.low, &units.high, sizeof units.high);
    } else if (known->type.kind == VF__FLOAT && width == 4) {
        double x;
        memcpy(&x, &quantity, sizeof x);
        float narrow = (float)x;
        memcpy(at, &narrow, sizeof narrow);
    } else {
        const uint8_t one = (uint8_t)quantity; /* a piece is no larger than its row: it fits, signed or not */
        const uint16_t two = (uint16_t)quantity;
        const uint32_t four = (uint32_t)quantity;
        memcpy(at, width == 1 ? (const void *)&one : width == 2 ? (const void *)&two : width == 4 ? (const void *)&four : &quantity, width);
    }
}

#define NARROW(type)                                                                                         \
    do {                                                                                                     \
        type *narrow = (type *)values + place;                                                               \
        for (size_t i = 0; i < n; i++)                                                                       \
            narrow[i] = (type)quantity[i];                                                                   \
    } while (0)

static void fill_quantity(const struct emit *emit, const struct vf__pieces *pieces, void *values,
                          int64_t place, uint8_t *valid) {
    const struct vf__fifo_known *known = &emit->fifo->known[VF__FIFO_QUANTITY];
    size_t n = pieces->n;
    if (known->type.width == 8) {
        vf__pieces_quantity(pieces, (uint64_t *)values + place, valid);
        return;
    }
    uint64_t quantity[VF__PIECES];
    vf__pieces_quantity(pieces, quantity, valid);
    if (known->type.kind == VF__DECIMAL || vf__fifo_is_float(known)) {
        for (size_t i = 0; i < n; i++)
            vf__fifo_put_quantity(emit->fifo, quantity[i], values, (size_t)place + i);
    } else if (known->type.width == 1) {
        NARROW(uint8_t); /* a piece is no larger than its row: it fits, signed or not */
    } else if (known->type.width == 2) {
        NARROW(uint16_t);
    } else {
        NARROW(uint32_t);
    }
}

static void fill_holding(const struct emit *emit, const struct vf__pieces *pieces, void *values,
                         int64_t place, uint8_t *valid) {
    const struct vf__fifo_known *known = &emit->fifo->known[VF__FIFO_TIME];
    int64_t *out = (int64_t *)values + place, scale = vf__fifo_time_scale(&known->type);
    vf__pieces_holding(pieces, (uint32_t)emit->fifo->n_rows, out, valid);
    if (vf__fifo_is_float(known)) {
        for (size_t i = 0; i < pieces->n; i++) {
            double x = seconds(out[i]);
            memcpy(&out[i], &x, sizeof x);
        }
    } else if (scale != 1) {
        for (size_t i = 0; i < pieces->n; i++)
            out[i] *= scale;
    }
}

static void fill_block(const struct emit *emit, const struct vf__pieces *p, int64_t place) {
    const double *price = emit->fifo->price.data;
    uint32_t n_rows = (uint32_t)emit->fifo->n_rows;
    const struct vf__amount_form form = vf__fifo_amount_form(emit->fifo);
    for (int c = 0; c < VF_FIFO_N_COLUMNS; c++) {
        if ((emit->columns >> c & 1) == 0) continue;
        void *values = emit->values[c];
        uint8_t *valid = emit->valid[c] + place / 8;
        switch (1 << c) {
        case VF_FIFO_ENTRY_ID:
            vf__pieces_ids(p, n_rows, false, (uint32_t *)values + place, valid);
            break;
        case VF_FIFO_QTY:
            fill_quantity(emit, p, values, place, valid);
            break;
        case VF_FIFO_HOLDING:
            fill_holding(emit, p, values, place, valid);
            break;
        case VF_FIFO_CLOSED:
            vf__pieces_closed(p, (uint8_t *)values + place / 8, valid);
            break;
        case VF_FIFO_EXIT_ID:
            vf__pieces_ids(p, n_rows, true, (uint32_t *)values + place, valid);
            break;
        case VF_FIFO_ENTRY_PRICE:
            vf__pieces_price(p, emit->n_prices, price, false, (double *)values + place, valid);
            break;
        case VF_FIFO_EXIT_PRICE:
            vf__pieces_price(p, emit->n_prices, price, true, (double *)values + place, valid);
            break;
        case VF_FIFO_CLOSE_MARKOUT:
            vf__pieces_markout(p, emit->n_prices, price, (double *)values + place, valid);
            break;
        default:
            vf__pieces_pnl(p, emit->n_prices, price, &form, (double *)values + place, valid);
            break;
        }
    }
}

static void fill_rows(void *arg, size_t index) {
    struct emit *emit = arg;
    int64_t place = (int64_t)index * FILL_ROWS;
    int64_t last = emit->total - place < FILL_ROWS ? emit->total : place + FILL_ROWS;
    for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
        if (emit->width[c] > 0)
            vf__touch((uint8_t *)emit->values[c] + (size_t)place * emit->width[c], (size_t)(last - place) * emit->width[c]);
    for (int64_t n; place < last; place += n) {
        n = last - place < (int64_t)VF__PIECES ? last - place : (int64_t)VF__PIECES;
        struct vf__pieces part = vf__pieces_part(&emit->fifo->pieces, (size_t)place, (size_t)n);
        fill_block(emit, &part, place);
    }
}

/* ---- columns ------------------------------------------------------------------------------------------------------- */

#define COLUMN_NAME(constant, value, text) text,
static const char *const column_names[VF_FIFO_N_COLUMNS] = {VF_FIFO_COLUMN_MAP(COLUMN_NAME)};

static void column_format(const struct vf_fifo *fifo, int c, char *format, uint32_t *width) {
    const struct vf__fifo_known *time = &fifo->known[VF__FIFO_TIME];
    *width = 8;
    memcpy(format, "g", 2);
    switch (1 << c) {
    case VF_FIFO_ENTRY_ID:
    case VF_FIFO_EXIT_ID:
        memcpy(format, "I", 2);
        *width = 4;
        break;
    case VF_FIFO_QTY:
        memcpy(format, fifo->known[VF__FIFO_QUANTITY].format, sizeof fifo->known[VF__FIFO_QUANTITY].format);
        *width = fifo->known[VF__FIFO_QUANTITY].type.width;
        break;
    case VF_FIFO_CLOSED:
        memcpy(format, "b", 2);
        *width = 0;
        break;
    case VF_FIFO_HOLDING:
        if (vf__fifo_is_float(time)) break;
        memcpy(format, "l", 2);
        if (!vf__type_is_temporal(&time->type)) break;
        memcpy(format, "tDu", 4);
        if (time->type.kind == VF__DATE && time->type.width == 4) break;
        format[2] = time->type.ns == 1         ? 'n'
                    : time->type.ns == 1000    ? 'u'
                    : time->type.ns == 1000000 ? 'm'
                                               : 's';
        break;
    default:
        break;
    }
}

static enum vf_status make_columns(struct emit *emit, struct vf_column *made, struct vf_error *err) {
    size_t at = 0;
    for (int c = 0; c < VF_FIFO_N_COLUMNS; c++) {
        if ((emit->columns >> c & 1) == 0) continue;
        char format[VF__FIFO_FORMAT];
        uint32_t width;
        column_format(emit->fifo, c, format, &width);
        enum vf_status status = vf__column_new(&emit->fifo->ctx, format, column_names[c], emit->total, width,
                                               true, &made[at++], &emit->values[c], &emit->valid[c], err);
        if (status != VF_OK) return status;
        emit->width[c] = width;
    }
    return VF_OK;
}

/* ---- the rows read again ---------------------------------------------------------------------------------------- */

static enum vf_status differs(const struct vf_fifo *fifo, int64_t bad_row, struct vf_error *err) {
    if (bad_row >= fifo->n_rows)
        return vf__fail(err, VF_ERROR_REPLAY, NULL, bad_row,
                        "the second reading has more than the %lld rows of the first",
                        (long long)fifo->n_rows);
    return vf__fail(
        err, VF_ERROR_REPLAY, NULL, bad_row,
        "rows %lld to %lld read a second time are not the rows read first: the input must give the same "
        "rows in the same order each time it is read",
        (long long)bad_row,
        (long long)(bad_row + VF__REPLAY_BLOCK < fifo->n_rows ? bad_row + VF__REPLAY_BLOCK : fifo->n_rows) -
            1);
}

static enum vf_status open_again(struct vf_fifo *fifo, const struct vf_fifo_batch *again, int64_t first_row,
                                 int64_t n, struct vf__fifo_readers *readers, struct vf_error *err) {
    enum vf_status status = vf__fifo_readers_open(fifo, again, readers, err);
    if (status != VF_OK) return status;
    if (first_row != fifo->replay.next)
        status = vf__fail(err, VF_ERROR_STATE, NULL, first_row,
                          "rows read again must come in order: row %lld is next, not %lld",
                          (long long)fifo->replay.next, (long long)first_row);
    else if (readers->n_rows != n)
        status = vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%lld rows were asked for and %lld were read again",
                          (long long)n, (long long)readers->n_rows);
    else if (n > fifo->n_rows - first_row)
        status = differs(fifo, fifo->n_rows, err);
    else
        status = vf__fifo_keys_prepare(fifo, readers->keys, readers->n_keys, err);
    if (status != VF_OK) vf__fifo_readers_close(fifo, readers);
    return status;
}

/* The groups of a batch's rows, after comparing them. */
static enum vf_status compare(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t first_row,
                              uint32_t *group, struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    struct vf__fifo_hand *room = &s->hands[0];
    bool priced = (fifo->columns & VF__FIFO_PRICES) != 0;
    fifo->sides.dictionary = NULL;
    for (int64_t row = 0, n; row < readers->n_rows; row += n) {
        const struct vf__fifo_target target = {.group = group + row,
                                               .quantity = room->quantity,
                                               .sort = room->sort,
                                               .time = vf__fifo_timed(fifo) ? room->time : NULL,
                                               .price = priced ? s->price : NULL};
        int64_t row_in = first_row + row, bad_row = row_in / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK;
        n = readers->n_rows - row < VF__FIFO_BLOCK ? readers->n_rows - row : VF__FIFO_BLOCK;
        enum vf_status status = vf__fifo_decode(fifo, readers, row, row_in, n, &target, false, err);
        if (status != VF_OK) {
            vf__fail_from(err, first_row);
            return status;
        }
        if (!vf__replay_compare(&fifo->replay, s->words, row_in, n, &bad_row)) return differs(fifo, bad_row, err);
        for (int64_t i = 0; i < n; i++)
            if (target.group[i] != VF__NO_KEY && target.group[i] >= fifo->tapes.n) /* a new symbol */
                return differs(fifo, bad_row, err);
    }
    return VF_OK;
}

/* All pieces of a batch's rows into fifo->pieces. On failure the rows are yet to be read. */
static enum vf_status find_pieces(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t first_row,
                                  struct vf_error *err) {
    size_t n = (size_t)readers->n_rows;
    bool other;
    enum vf_status status = vf__array_grow(&fifo->ctx, &fifo->counts, n, sizeof(uint32_t), err);
    if (status == VF_OK) status = vf__array_grow(&fifo->ctx, &fifo->group, n, sizeof(uint32_t), err);
    if (status == VF_OK) status = compare(fifo, readers, first_row, fifo->group.data, err);
    if (status == VF_OK)
        status = vf__pieces_read(&fifo->pieces, &fifo->tapes, fifo->group.data, n, (uint32_t)first_row,
                                 fifo->rows != VF_FIFO_LOTS, fifo->counts.data, &other, err);
    if (status != VF_OK || !other) return status;
    return differs(fifo, first_row / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK, err);
}

/* ---- emit ---------------------------------------------------------------------------------------------------------- */

static enum vf_status check_emit(const struct vf_fifo *fifo, const struct vf_fifo_batch *again, int64_t first_row,
                                 int64_t n, unsigned columns, const struct vf_column *out, struct vf_error *err) {
    if (!fifo->matched)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "pieces are there only after vf_fifo_match");
    if (again == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the rows must be read again: no batch was given");
    if ((columns & ~fifo->columns) != 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a column was asked for that open was not told of");
    if (columns != 0 && out == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "nowhere to put the columns");
    if (first_row < 0 || n < 0 || first_row > fifo->n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, first_row, "rows %lld and %lld more, of %lld",
                        (long long)first_row, (long long)n, (long long)fifo->n_rows);
    return VF_OK;
}

enum vf_status vf_fifo_emit(struct vf_fifo *fifo, const struct vf_fifo_batch *again, int64_t first_row,
                            int64_t n, unsigned columns, uint32_t *counts, struct vf_column *out,
                            struct vf_error *err) {
    struct vf_column made[VF_FIFO_N_COLUMNS] = {0};
    struct vf__fifo_readers readers;
    enum vf_status status = check_emit(fifo, again, first_row, n, columns, out, err);
    if (status == VF_OK) status = open_again(fifo, again, first_row, n, &readers, err);
    if (status != VF_OK) return status;
    struct vf__replay_point point = vf__replay_here(&fifo->replay);
    struct emit emit = {.fifo = fifo, .n_prices = (size_t)fifo->n_rows + fifo->n_lots, .columns = columns};
    status = find_pieces(fifo, &readers, first_row, err);
    if (status == VF_OK) {
        emit.total = (int64_t)fifo->pieces.n;
        status = make_columns(&emit, made, err);
        if (status != VF_OK) vf__tapes_unread(&fifo->tapes, fifo->group.data, (size_t)n);
    }
    vf__fifo_readers_close(fifo, &readers);
    if (status == VF_OK && columns != 0)
        vf__parallel(&fifo->ctx, (size_t)((emit.total + FILL_ROWS - 1) / FILL_ROWS), fill_rows, &emit);
    if (status != VF_OK) {
        vf__replay_back(&fifo->replay, &point);
        for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
            vf_column_release(&made[c]);
        return status;
    }
    if (counts != NULL && n > 0) memcpy(counts, fifo->counts.data, (size_t)n * sizeof *counts);
    for (int c = 0, at = 0; c < VF_FIFO_N_COLUMNS; c++) {
        if ((columns >> c & 1) == 0) continue;
        vf__column_done(&made[at]);
        out[at] = made[at];
        at++;
    }
    return VF_OK;
}
