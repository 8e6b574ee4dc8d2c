/* Gives the pieces of a range of rows as Arrow columns, after comparing the rows read again.
   Not for finding pieces: src/match/pieces.c does, a block of 1024 at a time. */
#include "api/fifo.h"
#include "arrow/build.h"

#define COUNT_ROWS ((int64_t)VF__SIZED(1 << 12, 2, 1 << 20)) /* rows that one of the offsets stands for */
#define FILL_ROWS ((int64_t)VF__SIZED(1 << 16, 8, 1 << 22)) /* pieces a filling task gives: whole bytes of every bitmap */

struct emit {
    const struct vf_fifo *fifo;
    size_t n_prices;
    uint32_t first_row;
    int64_t n, total;
    int64_t *offsets; /* pieces before each COUNT_ROWS rows */
    size_t n_offsets;
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
    if (vf__fifo_is_float(known)) {
        for (size_t i = 0; i < n; i++) {
            double x;
            memcpy(&x, &quantity[i], sizeof x);
            ((float *)values)[(size_t)place + i] = (float)x;
        }
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
    bool is_float = vf__fifo_is_float(&emit->fifo->known[VF__FIFO_QUANTITY]);
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
            vf__pieces_pnl(p, emit->n_prices, price, is_float, (double *)values + place, valid);
            break;
        }
    }
}

/* The row and its piece that stand at `place` in the output. */
static struct vf__piece_cursor find_place(const struct emit *emit, int64_t place) {
    const uint32_t *counts = emit->fifo->counts.data;
    size_t k = 0;
    while (k + 1 < emit->n_offsets && emit->offsets[k + 1] <= place)
        k++;
    int64_t row = (int64_t)k * COUNT_ROWS, left = place - emit->offsets[k];
    while (left >= counts[row])
        left -= counts[row++];
    return (struct vf__piece_cursor){.row = row, .piece = (uint32_t)left};
}

static void fill_rows(void *arg, size_t index) {
    struct emit *emit = arg;
    const struct vf_fifo *fifo = emit->fifo;
    int64_t place = (int64_t)index * FILL_ROWS;
    int64_t last = emit->total - place < FILL_ROWS ? emit->total : place + FILL_ROWS;
    struct vf__piece_cursor cursor = find_place(emit, place);
    struct vf__pieces pieces;
    for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
        if (emit->width[c] > 0)
            vf__touch((uint8_t *)emit->values[c] + (size_t)place * emit->width[c], (size_t)(last - place) * emit->width[c]);
    while (place < last) {
        vf__pieces_next(&fifo->pieces, fifo->piece_at.data, fifo->counts.data, emit->first_row, emit->n, &cursor,
                        &pieces);
        fill_block(emit, &pieces, place);
        place += (int64_t)pieces.n;
    }
}

static enum vf_status count_pieces(struct emit *emit, struct vf_error *err) {
    const uint32_t *counts = emit->fifo->counts.data;
    emit->n_offsets = (size_t)(emit->n / COUNT_ROWS) + 1;
    emit->offsets = vf__alloc(&emit->fifo->ctx, emit->n_offsets, sizeof *emit->offsets);
    if (emit->offsets == NULL) return vf__fail_memory(err, emit->n_offsets * sizeof *emit->offsets);
    for (int64_t row = 0; row < emit->n; row++) {
        if (row % COUNT_ROWS == 0) emit->offsets[row / COUNT_ROWS] = emit->total;
        emit->total += counts[row];
    }
    if (emit->n % COUNT_ROWS == 0) emit->offsets[emit->n / COUNT_ROWS] = emit->total;
    return VF_OK;
}

/* ---- columns ------------------------------------------------------------------------------------------------------- */

static const char *const column_names[VF_FIFO_N_COLUMNS] = {
    "matched_entry_id", "matched_qty", "holding_period", "is_closed",   "matched_exit_id",
    "entry_price",      "exit_price",  "close_markout",  "realized_pnl"};

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
        format[0] = fifo->known[VF__FIFO_QUANTITY].format;
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
        char format[4];
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
        return vf__fail(err, VF_ERROR_STATE, NULL, first_row,
                        "rows read again must come in order: row %lld is next, not %lld",
                        (long long)fifo->replay.next, (long long)first_row);
    if (readers->n_rows != n)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%lld rows were asked for and %lld were read again",
                        (long long)n, (long long)readers->n_rows);
    return n > fifo->n_rows - first_row ? differs(fifo, fifo->n_rows, err) : VF_OK;
}

/* Rows that had been read are so no longer. */
static void unread(struct vf_fifo *fifo, const uint32_t *group, int64_t n) {
    while (n-- > 0)
        if (group[n] != VF__NO_KEY) vf__chain_back(&fifo->cells, &fifo->cells.lanes[group[n]]);
}

/* n rows from batch row `row` on: their groups, after comparing them. */
static enum vf_status compare(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t first_row, int64_t row,
                              int64_t n, uint32_t *group, struct vf_error *err) {
    struct vf__fifo_scratch *s = fifo->scratch;
    struct vf__fifo_hand *hand = &s->hands[0];
    bool priced = (fifo->columns & VF__FIFO_PRICES) != 0;
    for (int64_t done = 0, k; done < n; done += k) {
        const struct vf__fifo_target target = {.group = group + done,
                                               .quantity = hand->quantity,
                                               .sort = hand->sort,
                                               .time = vf__fifo_timed(fifo) ? hand->time : NULL,
                                               .price = priced ? s->price : NULL};
        int64_t row_in = first_row + row + done, bad_row = row_in / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK;
        k = n - done < VF__FIFO_BLOCK ? n - done : VF__FIFO_BLOCK;
        enum vf_status status = vf__fifo_decode(fifo, readers, row + done, row_in, k, &target, false, err);
        if (status != VF_OK) {
            vf__fail_from(err, first_row);
            return status;
        }
        if (!vf__replay_compare(&fifo->replay, s->words, row_in, k, &bad_row)) return differs(fifo, bad_row, err);
        for (int64_t i = 0; i < k; i++)
            if (target.group[i] != VF__NO_KEY && target.group[i] >= fifo->cells.n_lanes) /* a new symbol */
                return differs(fifo, bad_row, err);
    }
    return VF_OK;
}

/* Pieces of n rows from batch row `row` on, group by group. On failure none of them counts as read. */
static enum vf_status find_some(struct vf_fifo *fifo, int64_t first_row, int64_t row, int64_t n, const uint32_t *group,
                                struct vf_error *err) {
    const struct vf__piece_finder finder = {.cells = &fifo->cells,
                                            .timed = vf__fifo_timed(fifo),
                                            .rows = fifo->rows,
                                            .is_float = vf__fifo_is_float(&fifo->known[VF__FIFO_QUANTITY])};
    struct vf__grouping *grouping = &fifo->scratch->hands[0].grouping;
    uint32_t *at = (uint32_t *)fifo->piece_at.data + row, *counts = (uint32_t *)fifo->counts.data + row;
    enum vf_status status = vf__grouping_make(grouping, group, (size_t)n, fifo->cells.n_lanes, err);
    if (status != VF_OK) return status;
    for (int64_t i = 0; i < n; i++) { /* what stays for the rows that are no trade */
        at[i] = 0;
        counts[i] = fifo->rows != VF_FIFO_LOTS;
    }
    bool other;
    status = vf__pieces_find(&finder, grouping, (uint32_t)(first_row + row), fifo->find_room.data, at, counts,
                             &fifo->pieces, &other, err);
    if (status != VF_OK || !other) return status;
    return differs(fifo, (first_row + row) / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK, err);
}

/* All pieces of a batch's rows into fifo->pieces. On failure the rows are yet to be read. */
static enum vf_status find_pieces(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t first_row,
                                  struct vf_error *err) {
    const struct vf_context *ctx = &fifo->ctx;
    size_t n_rows = (size_t)readers->n_rows;
    enum vf_status status = vf__fifo_grow(ctx, &fifo->counts, n_rows, sizeof(uint32_t), err);
    if (status == VF_OK) status = vf__fifo_grow(ctx, &fifo->piece_at, n_rows, sizeof(uint32_t), err);
    if (status == VF_OK) status = vf__fifo_grow(ctx, &fifo->group, n_rows, sizeof(uint32_t), err);
    if (status == VF_OK)
        status = vf__fifo_grow(ctx, &fifo->find_room, 2 * VF__GROUPING_ROWS, sizeof(uint32_t), err);
    if (status == VF_OK) status = vf__piece_lists_start(&fifo->pieces, err);
    if (status != VF_OK) return status;
    uint32_t *group = fifo->group.data;
    fifo->sides.dictionary = NULL;
    for (int64_t row = 0, n; row < readers->n_rows; row += n) {
        n = readers->n_rows - row < (int64_t)VF__GROUPING_ROWS ? readers->n_rows - row : (int64_t)VF__GROUPING_ROWS;
        status = compare(fifo, readers, first_row, row, n, group + row, err);
        if (status == VF_OK) status = find_some(fifo, first_row, row, n, group + row, err);
        if (status == VF_OK) continue;
        unread(fifo, group, row);
        return status;
    }
    return VF_OK;
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
    struct emit emit = {.fifo = fifo,
                        .n_prices = (size_t)fifo->n_rows + fifo->n_lots,
                        .first_row = (uint32_t)first_row,
                        .n = n,
                        .columns = columns};
    status = find_pieces(fifo, &readers, first_row, err);
    if (status == VF_OK) {
        status = count_pieces(&emit, err);
        if (status == VF_OK) status = make_columns(&emit, made, err);
        if (status == VF_OK && columns != 0)
            vf__parallel(&fifo->ctx, (size_t)((emit.total + FILL_ROWS - 1) / FILL_ROWS), fill_rows, &emit);
        vf__free(&fifo->ctx, emit.offsets, emit.n_offsets, sizeof *emit.offsets);
        if (status != VF_OK) unread(fifo, fifo->group.data, n);
    }
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
