/* The FIFO's life: open, inventory, update, match, replay, close.
   Not for decoding batches (api_rows.c), sides (api_sides.c) or giving columns (api_emit.c). */
#include "match/api_fifo.h"
#include "base/price.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

/* ---- open and close ---------------------------------------------------------------------------------------------- */

static enum vf_status check_options(const struct vf_fifo_options *options, struct vf_error *err) {
    if (options == NULL || (options->sides == NULL && options->n_sides > 0))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no options were given");
    if ((unsigned)options->rows > VF_FIFO_LOTS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "rows is %d; accepted: 0 (both), 1 (exits), 2 (lots)", (int)options->rows);
    if ((unsigned)options->on_excess > VF_EXCESS_RAISE)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "on_excess is %d; accepted: 0 (unclosed), 1 (open short), 2 (raise)",
                        (int)options->on_excess);
    if (options->columns >> VF_FIFO_N_COLUMNS != 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "columns has bits beyond the %d there are",
                        VF_FIFO_N_COLUMNS);
    return VF_OK;
}

enum vf_status vf_fifo_open(const struct vf_context *ctx, const struct vf_fifo_options *options,
                            struct vf_fifo **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    enum vf_status status = check_options(options, err);
    if (status != VF_OK) return status;
    struct vf_fifo *fifo = vf__zalloc(&context, 1, sizeof *fifo);
    if (fifo == NULL) return vf__fail_memory(err, sizeof *fifo);
    fifo->ctx = context;
    fifo->rows = options->rows;
    fifo->on_excess = options->on_excess;
    fifo->columns = options->columns;
    fifo->rests_kept = options->rests;
    fifo->rows_out = -1;
    vf__pieces_init(&fifo->pieces, &context, vf__fifo_timed(fifo), (fifo->columns & VF_FIFO_PNL) != 0);
    vf__chains_init(&fifo->cells, &context, vf__match_stride(vf__fifo_timed(fifo)));
    vf__keyed_init(&fifo->groups, &context);
    vf__replay_init(&fifo->replay, &context);
    status = vf__sides_init(&fifo->sides, &context, options, err);
    if (status != VF_OK) goto done;
    fifo->scratch = vf__alloc(&context, 1, sizeof *fifo->scratch);
    if (fifo->scratch == NULL) status = vf__fail_memory(err, sizeof *fifo->scratch);
done:
    if (status != VF_OK)
        vf_fifo_close(fifo);
    else
        *out = fifo;
    return status;
}

static void drop_lots(struct vf_fifo *fifo) {
    const struct vf_context *ctx = &fifo->ctx;
    vf__array_drop(ctx, &fifo->lot_group, sizeof(uint32_t));
    vf__array_drop(ctx, &fifo->lot_amount, sizeof(struct vf__fifo_lot));
    vf__array_drop(ctx, &fifo->lot_price, sizeof(double));
}

void vf_fifo_close(struct vf_fifo *fifo) {
    if (fifo == NULL) return;
    struct vf_context ctx = fifo->ctx;
    drop_lots(fifo);
    vf__array_drop(&ctx, &fifo->price, sizeof(double));
    vf__array_drop(&ctx, &fifo->large, sizeof(struct vf__u128));
    vf__free(&ctx, fifo->rests.data, fifo->rests.room, sizeof *fifo->rests.data);
    vf__array_drop(&ctx, &fifo->view_slots, sizeof(uint32_t));
    vf__array_drop(&ctx, &fifo->views, sizeof(struct vf__view));
    vf__array_drop(&ctx, &fifo->group, sizeof(uint32_t));
    vf__array_drop(&ctx, &fifo->counts, sizeof(uint32_t));
    vf__chains_release(&fifo->cells);
    vf__tapes_release(&fifo->tapes);
    vf__pieces_release(&fifo->pieces);
    vf__keyed_release(&fifo->groups);
    vf__sides_release(&fifo->sides, &ctx);
    vf__replay_release(&fifo->replay);
    vf__free(&ctx, fifo->scratch, 1, sizeof *fifo->scratch);
    vf__free(&ctx, fifo, 1, sizeof *fifo);
}

static void remember(struct vf__fifo_known *known, const struct vf__reader *reader) {
    if (known->known) return;
    known->known = true;
    (void)snprintf(known->name, sizeof known->name, "%s", reader->name);
    known->type = reader->type;
    (void)snprintf(known->format, sizeof known->format, "%s", reader->type.format);
    known->type.format = NULL;
}

static enum vf_status learning(const struct vf_fifo *fifo, struct vf_error *err) {
    if (!fifo->matched) return VF_OK;
    return vf__fail(err, VF_ERROR_STATE, NULL, -1,
                    "the rows were matched already; open another object for more");
}

/* ---- inventory ------------------------------------------------------------------------------------------------------ */

struct lots {
    struct vf__reader *keys, quantity, price;
    size_t n_keys;
    int64_t n;
    bool has_price;
};

static enum vf_status check_lots(struct vf_fifo *fifo, struct lots *lots, const struct vf_series *price,
                                 struct vf_error *err) {
    const struct vf__type *quantity = &lots->quantity.type;
    lots->n = lots->quantity.n_rows;
    if (!vf__type_is_number(quantity) && quantity->kind != VF__DECIMAL)
        return vf__fail(err, VF_ERROR_TYPE, lots->quantity.name, -1,
                        "inventory: quantities must be integers, floats or decimals");
    if (fifo->lot_quantity.known &&
        (fifo->lot_quantity.type.kind != quantity->kind || fifo->lot_quantity.type.scale != quantity->scale))
        return vf__fail(err, VF_ERROR_TYPE, lots->quantity.name, -1, "inventory: other types than before");
    lots->has_price = price != NULL && (fifo->columns & VF__FIFO_PRICES) != 0;
    if (lots->has_price && !vf__type_is_number(&lots->price.type) && lots->price.type.kind != VF__DECIMAL &&
        lots->price.type.kind != VF__NULL)
        return vf__fail(err, VF_ERROR_TYPE, lots->price.name, -1, "inventory: prices must be numbers");
    if ((lots->n_keys > 0 && lots->keys[0].n_rows != lots->n) || (price != NULL && lots->price.n_rows != lots->n))
        return vf__fail(err, VF_ERROR_ARGUMENT, lots->quantity.name, -1,
                        "inventory: the columns do not have the same number of rows");
    if (lots->n > (int64_t)(VF__MATCH_MAX_ROWS - fifo->n_lot_rows))
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u rows and lots", VF__MATCH_MAX_ROWS);
    return VF_OK;
}

static enum vf_status bad_lot(const struct vf__reader *reader, int64_t row, const char *what,
                              struct vf_error *err) {
    return vf__fail(err, VF_ERROR_DATA, reader->name, row, "inventory column \"%s\", row %lld: %s",
                    reader->name, (long long)row, what);
}

/* One lot's amount, of any type. */
static enum vf_status read_amount(struct lots *lots, int64_t row, bool shorts, struct vf__fifo_lot *out,
                                  struct vf_error *err) {
    struct vf__reader *reader = &lots->quantity;
    const struct vf__decimals decimals = {.magnitude = &out->magnitude, .negative = &(uint8_t){0}};
    double number = 0;
    int64_t integer = 0;
    const double *numbers = &number;
    const int64_t *integers = &integer;
    uint8_t buffer;
    const uint8_t *valid;
    bool is_float = reader->type.kind == VF__FLOAT, is_decimal = reader->type.kind == VF__DECIMAL;
    enum vf_status status = is_decimal ? vf__read_decimals(reader, row, 1, &decimals, &buffer, &valid, err)
                            : is_float ? vf__read_f64(reader, row, 1, &number, &buffer, &numbers, &valid, err)
                                       : vf__read_i64(reader, row, 1, &integer, &buffer, &integers, &valid, err);
    if (status != VF_OK) return status;
    number = *numbers, integer = *integers;
    if (valid != NULL && !valid[0]) return bad_lot(reader, row, "the quantity is null", err);
    if (is_float && !isfinite(number)) return bad_lot(reader, row, "the quantity is not finite", err);
    if (integer == INT64_MIN) return bad_lot(reader, row, "the quantity is beyond int64", err);
    out->is_short = is_decimal ? decimals.negative[0] != 0 : is_float ? number < 0 : integer < 0;
    if (out->is_short && !shorts)
        return bad_lot(reader, row,
                       "a negative quantity is a short lot, which needs on_excess=\"open_short\"", err);
    if (is_float)
        out->magnitude = (struct vf__u128){.low = vf__as_bits(fabs(number))};
    else if (!is_decimal)
        out->magnitude = (struct vf__u128){.low = (uint64_t)(integer < 0 ? -integer : integer)};
    return VF_OK;
}

/* All lots of a symbol must be on one side: with both, which of them come first is not for us to say. */
static enum vf_status check_directions(const struct vf_fifo *fifo, const struct lots *lots, size_t n_lots,
                                       struct vf_error *err) {
    const uint32_t *group = fifo->lot_group.data;
    const struct vf__fifo_lot *amount = fifo->lot_amount.data;
    size_t n_groups = vf__keyed_count(&fifo->groups);
    uint8_t *sides = vf__zalloc(&fifo->ctx, n_groups, 1);
    enum vf_status status = VF_OK;
    if (sides == NULL) return vf__fail_memory(err, n_groups);
    for (size_t k = 0; k < n_lots && status == VF_OK; k++) {
        sides[group[k]] |= amount[k].is_short ? 2 : 1;
        if (sides[group[k]] == 3)
            status =
                vf__fail(err, VF_ERROR_DATA, lots->quantity.name, -1,
                         "inventory column \"%s\": a symbol has both long and short lots; net them first",
                         lots->quantity.name);
    }
    vf__free(&fifo->ctx, sides, n_groups, 1);
    return status;
}

static enum vf_status bad_key(struct lots *lots, int64_t row, struct vf_error *err) {
    size_t k = 0;
    uint8_t buffer;
    const uint8_t *valid;
    while (k + 1 < lots->n_keys && vf__read_valid(&lots->keys[k], row, 1, &buffer, &valid, err) == VF_OK &&
           (valid == NULL || valid[0]))
        k++;
    return bad_lot(&lots->keys[k], row, "the key is null", err);
}

/* Lots go behind the ones there are; none of no quantity. */
static enum vf_status read_lots(struct vf_fifo *fifo, struct lots *lots, size_t *n_lots,
                                struct vf_error *err) {
    uint32_t *group = fifo->lot_group.data;
    struct vf__fifo_lot *amount = fifo->lot_amount.data;
    double *price = fifo->lot_price.data;
    size_t at = fifo->n_lots;
    for (int64_t row = 0; row < lots->n; row++) {
        double number = 0;
        const double *numbers = &number;
        uint8_t buffer;
        const uint8_t *valid = NULL;
        enum vf_status status =
            read_amount(lots, row, fifo->on_excess == VF_EXCESS_OPEN_SHORT, &amount[at], err);
        if (status == VF_OK) status = vf__keyed_read(&fifo->groups, lots->keys, row, 1, &group[at], err);
        if (status == VF_OK && lots->has_price)
            status = vf__read_prices(&lots->price, row, 1, &number, &buffer, &numbers, &valid, err);
        if (status != VF_OK) return status;
        if (group[at] == VF__NO_KEY) return bad_key(lots, row, err);
        bool priced = lots->has_price && (valid == NULL || valid[0]) && vf__is_price(*numbers);
        price[at] = priced ? *numbers : (double)NAN;
        amount[at].row = (uint32_t)(fifo->n_lot_rows + (size_t)row);
        if ((amount[at].magnitude.low | amount[at].magnitude.high) != 0) at++;
    }
    *n_lots = at;
    return VF_OK;
}

enum vf_status vf_fifo_inventory(struct vf_fifo *fifo, const struct vf_series *keys, size_t n_keys,
                                 const struct vf_series *quantity, const struct vf_series *price,
                                 struct vf_error *err) {
    struct lots lots = {.n_keys = n_keys};
    enum vf_status status = learning(fifo, err);
    if (status != VF_OK) return status;
    if (fifo->known[VF__FIFO_KEYS].known)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "inventory must be given before the first rows");
    status = vf__fifo_keys_open(fifo, keys, n_keys, &lots.keys, err);
    if (status == VF_OK) status = vf__reader_open_decimal(&lots.quantity, quantity, err);
    if (status == VF_OK && price != NULL) status = vf__reader_open_decimal(&lots.price, price, err);
    if (status == VF_OK) status = check_lots(fifo, &lots, price, err);
    if (status != VF_OK) goto done;
    size_t room = fifo->n_lots + (size_t)lots.n + 1, n_lots = fifo->n_lots;
    status = vf__array_grow(&fifo->ctx, &fifo->lot_group, room, sizeof(uint32_t), err);
    if (status == VF_OK) status = vf__array_grow(&fifo->ctx, &fifo->lot_amount, room, sizeof(struct vf__fifo_lot), err);
    if (status == VF_OK) status = vf__array_grow(&fifo->ctx, &fifo->lot_price, room, sizeof(double), err);
    if (status == VF_OK) status = vf__fifo_keys_prepare(fifo, lots.keys, n_keys, err);
    if (status == VF_OK) status = read_lots(fifo, &lots, &n_lots, err);
    if (status == VF_OK) status = check_directions(fifo, &lots, n_lots, err);
    if (status != VF_OK) goto done;
    fifo->n_lots = n_lots;
    fifo->n_lot_rows += (size_t)lots.n;
    vf__keyed_settle(&fifo->groups, lots.keys);
    remember(&fifo->lot_quantity, &lots.quantity);
done:
    vf__fifo_keys_close(fifo, lots.keys, n_keys);
    return status;
}

/* ---- update ------------------------------------------------------------------------------------------------------------ */

static enum vf_status check_update(const struct vf_fifo *fifo, const struct vf__fifo_readers *readers,
                                   struct vf_error *err) {
    if (readers->n_rows > (int64_t)VF__MATCH_MAX_ROWS - (int64_t)fifo->n_lots - fifo->n_rows)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u rows and inventory lots",
                        VF__MATCH_MAX_ROWS);
    return VF_OK;
}

static enum vf_status make_room(struct vf_fifo *fifo, const struct vf__fifo_readers *readers,
                                struct vf_error *err) {
    const struct vf_context *ctx = &fifo->ctx;
    size_t rows = (size_t)(fifo->n_rows + readers->n_rows);
    enum vf_status status = vf__array_grow(ctx, &fifo->group, (size_t)readers->n_rows, sizeof(uint32_t), err);
    if (status == VF_OK && (fifo->columns & VF__FIFO_PRICES) != 0)
        status = vf__array_grow(ctx, &fifo->price, rows + fifo->n_lots, sizeof(double), err);
    if (status == VF_OK) status = vf__replay_reserve(&fifo->replay, readers->n_rows, err);
    return status;
}

/* Takes back the cells of n rows. */
static void forget(struct vf_fifo *fifo, const uint32_t *group, int64_t n) {
    while (n-- > 0)
        if (group[n] != VF__NO_KEY) vf__chain_pop(&fifo->cells, &fifo->cells.lanes[group[n]]);
}

/* The rows in hand to their symbols' chains; VF_ERROR_MEMORY: none of them. */
static inline enum vf_status keep(struct vf_fifo *fifo, const struct vf__fifo_hand *hand, bool timed,
                                  struct vf_error *err) {
    struct vf__chains *cells = &fifo->cells;
    const uint32_t *group = (const uint32_t *)fifo->group.data + hand->row;
    uint32_t first_row = (uint32_t)(fifo->n_rows + hand->row);
    size_t n = (size_t)hand->n, row_at = cells->stride - sizeof(uint32_t);
    for (size_t i = 0; i < n; i++) {
        vf__chains_fetch(cells, group, i, n);
        if (group[i] == VF__NO_KEY) continue;
        struct vf__lane *lane = &cells->lanes[group[i]];
        uint8_t *cell = vf__chain_push(cells, lane);
        if (VF__UNLIKELY(cell == NULL)) {
            forget(fifo, group, (int64_t)i);
            return vf__fail_memory(err, cells->stride);
        }
        uint32_t row = first_row + (uint32_t)i;
        memcpy(cell, &hand->quantity[i], sizeof(uint64_t)); /* struct vf__trade, by its fields: constant sizes */
        memcpy(cell + offsetof(struct vf__trade, sort), &hand->sort[i], sizeof(int64_t));
        if (timed) memcpy(cell + offsetof(struct vf__trade, time), &hand->time[i], sizeof(int64_t));
        memcpy(cell + row_at, &row, sizeof row);
        lane->unsorted |= hand->sort[i] < lane->last; /* of what is taken back it may stay: it costs a look */
        lane->last = hand->sort[i];
    }
    return VF_OK;
}

struct learning {
    struct vf_fifo *fifo;
    struct vf__fifo_readers *readers;
};

static enum vf_status keep_hand(void *arg, size_t hand, struct vf_error *err) {
    struct vf_fifo *fifo = ((const struct learning *)arg)->fifo;
    const struct vf__fifo_hand *in = &fifo->scratch->hands[hand];
    enum vf_status status = vf__chains_reach(&fifo->cells, in->n_groups, err);
    if (status != VF_OK) return status;
    return vf__fifo_timed(fifo) ? keep(fifo, in, true, err) : keep(fifo, in, false, err);
}

/* Rows [row, row + n) of the batch, decoded. */
static enum vf_status read_hand(void *arg, size_t which, int64_t row, int64_t n, struct vf_error *err) {
    const struct learning *l = arg;
    struct vf_fifo *fifo = l->fifo;
    struct vf__fifo_hand *hand = &fifo->scratch->hands[which];
    uint32_t *group = (uint32_t *)fifo->group.data + row;
    bool priced = (fifo->columns & VF__FIFO_PRICES) != 0;
    hand->row = row;
    hand->n = n;
    for (int64_t done = 0, k; done < n; done += k) {
        int64_t row_in = fifo->n_rows + row + done;
        k = n - done < VF__FIFO_BLOCK ? n - done : VF__FIFO_BLOCK;
        const struct vf__fifo_target target = {.group = group + done,
                                               .quantity = hand->quantity + done,
                                               .sort = hand->sort + done,
                                               .time = vf__fifo_timed(fifo) ? hand->time + done : NULL,
                                               .price = priced ? (double *)fifo->price.data + row_in : NULL};
        enum vf_status status = vf__fifo_decode(fifo, l->readers, row + done, row_in, k, &target, true, err);
        if (status != VF_OK) return status;
        vf__replay_learn(&fifo->replay, fifo->scratch->words, k);
    }
    hand->n_groups = vf__keyed_count(&fifo->groups);
    return VF_OK;
}

static enum vf_status learn_rows(struct vf_fifo *fifo, struct vf__fifo_readers *readers, struct vf_error *err) {
    struct learning l = {.fifo = fifo, .readers = readers};
    const struct vf__turns turns = {.ctx = &fifo->ctx, .arg = &l, .read = read_hand, .keep = keep_hand};
    int64_t kept;
    enum vf_status status = vf__turns_take(&turns, readers->n_rows, &kept, err);
    if (status != VF_OK) forget(fifo, fifo->group.data, kept);
    return status;
}

enum vf_status vf_fifo_update(struct vf_fifo *fifo, const struct vf_fifo_batch *batch, struct vf_error *err) {
    struct vf__fifo_readers readers = {0};
    struct vf__fifo_problem problems[VF__FIFO_ROLES];
    enum vf_status status = learning(fifo, err);
    if (status == VF_OK && batch == NULL)
        status = vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no batch was given");
    if (status == VF_OK) status = vf__fifo_readers_open(fifo, batch, &readers, err);
    if (status == VF_OK) status = check_update(fifo, &readers, err);
    if (status == VF_OK) status = make_room(fifo, &readers, err);
    if (status == VF_OK) status = vf__fifo_keys_prepare(fifo, readers.keys, readers.n_keys, err);
    if (status != VF_OK) goto done;
    struct vf__replay_point point = vf__replay_here(&fifo->replay);
    struct vf__side_seen seen = fifo->sides.seen;
    int64_t n_trades = fifo->n_trades;
    size_t n_large = fifo->n_large;
    struct vf__fifo_wide wide = fifo->wide;
    memcpy(problems, fifo->problems, sizeof problems);
    fifo->sides.dictionary = NULL;
    status = learn_rows(fifo, &readers, err);
    if (status != VF_OK) {
        vf__fail_from(err, fifo->n_rows);
        vf__replay_back(&fifo->replay, &point);
        fifo->sides.seen = seen;
        fifo->n_trades = n_trades;
        fifo->n_large = n_large;
        fifo->wide = wide;
        memcpy(fifo->problems, problems, sizeof problems);
        goto done;
    }
    fifo->n_rows += readers.n_rows;
    fifo->time_apart |= readers.used[VF__FIFO_TIME] && !readers.time_is_sort;
    fifo->known[VF__FIFO_KEYS].known = true;
    vf__keyed_settle(&fifo->groups, readers.keys);
    for (int role = VF__FIFO_SORT; role < VF__FIFO_ROLES; role++)
        if (readers.used[role]) remember(&fifo->known[role], &readers.reader[role]);
done:
    vf__fifo_readers_close(fifo, &readers);
    return status;
}

/* ---- match ------------------------------------------------------------------------------------------------------------- */

/* The problem whose first row comes first. */
static enum vf_status check_problems(const struct vf_fifo *fifo, struct vf_error *err) {
    int worst = -1;
    for (int role = 0; role < VF__FIFO_ROLES; role++) {
        const struct vf__fifo_problem *p = &fifo->problems[role];
        if (p->count > 0 && (worst < 0 || p->first < fifo->problems[worst].first)) worst = role;
    }
    if (worst < 0) return VF_OK;
    const struct vf__fifo_problem *p = &fifo->problems[worst];
    const char *name = fifo->known[worst].name;
    enum vf_status status =
        vf__fail(err, VF_ERROR_DATA, name, p->first,
                 "column \"%s\": %lld trade row%s with %s; the first is row %lld, which is %s; filter such rows out, or "
                 "give them a side that is not listed",
                 name,
                 (long long)p->count, p->count == 1 ? "" : "s",
                 worst == VF__FIFO_QUANTITY ? "a quantity that is negative, null, NaN or infinite" : "no value",
                 (long long)p->first, p->what);
    if (err != NULL) err->count = p->count;
    return status;
}

static enum vf_status check_sides(const struct vf_fifo *fifo, struct vf_error *err) {
    if (fifo->n_rows == 0 || fifo->n_trades > 0) return VF_OK;
    char text[400];
    vf__sides_describe(&fifo->sides, text, sizeof text);
    return vf__fail(err, VF_ERROR_DATA, fifo->known[VF__FIFO_SIDE].name, -1,
                    "no row of column \"%s\" carries a listed side; %s", fifo->known[VF__FIFO_SIDE].name,
                    text);
}

struct span {
    int64_t least, most;
    uint32_t row; /* of the most */
};

static struct span times_of(const struct vf__chains *cells) {
    struct span span = {.least = INT64_MAX, .most = INT64_MIN};
    for (size_t g = 0; g < cells->n_lanes; g++) {
        const struct vf__lane *lane = &cells->lanes[g];
        uint8_t *at = NULL;
        for (uint32_t done = 0, n; done < lane->n; done += n) {
            n = vf__chain_stretch(lane, done, &at);
            for (uint32_t i = 0; i < n; i++, at += cells->stride) {
                struct vf__trade trade;
                memcpy(&trade, at, sizeof trade);
                if (trade.time < span.least) span.least = trade.time;
                if (trade.time <= span.most) continue;
                span.most = trade.time;
                memcpy(&span.row, at + sizeof trade, sizeof span.row);
            }
        }
    }
    return span;
}

/* Every difference of two trade rows' times must fit int64 in the unit that is given. */
static enum vf_status check_times(const struct vf_fifo *fifo, struct vf_error *err) {
    if (!fifo->wide.times || fifo->n_trades == 0) return VF_OK;
    struct span span = times_of(&fifo->cells);
    int64_t scale = vf__fifo_time_scale(&fifo->known[VF__FIFO_TIME].type), difference;
    if (vf__sub_i64(span.most, span.least, &difference) && difference <= INT64_MAX / scale) return VF_OK;
    return vf__fail(
        err, VF_ERROR_OVERFLOW, fifo->known[VF__FIFO_TIME].name, span.row,
        "column \"%s\": times from %lld to %lld (row %lld) are too far apart for a holding period",
        fifo->known[VF__FIFO_TIME].name, (long long)span.least, (long long)span.most, (long long)span.row);
}

static enum vf_status unfit_lot(const struct vf_fifo *fifo, const struct vf__fifo_lot *lot, struct vf_error *err) {
    const struct vf__fifo_known *from = &fifo->lot_quantity, *to = &fifo->known[VF__FIFO_QUANTITY];
    double x;
    memcpy(&x, &lot->magnitude.low, sizeof x);
    if (!vf__fifo_is_float(from)) x = vf__decimal_double(lot->magnitude, from->type.scale);
    return vf__fail(err, VF_ERROR_DATA, from->name, lot->row,
                    "inventory column \"%s\", row %lld: %s is not %s, and column \"%s\" is %s", from->name,
                    (long long)lot->row, vf__number(x).text,
                    to->type.kind == VF__DECIMAL ? "a decimal of so many places and digits" : "an integer", to->name,
                    vf__type_name(&to->type));
}

/* Units of 10^-from as units of 10^-to. False: they are no whole ones, or beyond 128 bits. */
static bool rescale(struct vf__u128 *units, int32_t from, int32_t to) {
    for (; from < to; from++)
        if (!vf__u128_times_ten(units)) return false;
    for (; from > to; from--)
        if (vf__u128_over_ten(units) != 0) return false;
    return (units->high >> 63) == 0;
}

/* The decimal of `scale` places that a float is the closest one to. */
static bool float_as_decimal(double x, int32_t scale, struct vf__u128 *out) {
    unsigned place;
    uint64_t units;
    if (!vf__units_of(x, false, &place, &units)) return false;
    *out = (struct vf__u128){.low = units};
    return rescale(out, (int32_t)place, scale);
}

/* A lot's quantity as a row's would be. */
static enum vf_status convert_lot(struct vf_fifo *fifo, const struct vf__fifo_lot *lot, uint64_t *out,
                                  struct vf_error *err) {
    enum vf__amounts from = vf__fifo_amounts(&fifo->lot_quantity), to = vf__fifo_amounts(&fifo->known[VF__FIFO_QUANTITY]);
    int32_t from_scale = fifo->lot_quantity.type.scale, to_scale = fifo->known[VF__FIFO_QUANTITY].type.scale;
    struct vf__u128 units = lot->magnitude;
    double x;
    memcpy(&x, &units.low, sizeof x);
    if (vf__amounts_float(to)) {
        if (!vf__amounts_float(from)) x = vf__decimal_double(units, from_scale);
        if (to == VF__AMOUNTS_SINGLE) x = (double)(float)x;
        if (!(x <= DBL_MAX)) return unfit_lot(fifo, lot, err);
        *out = vf__as_bits(x);
        return VF_OK;
    }
    if (vf__amounts_float(from) && to == VF__AMOUNTS_WHOLE) {
        if (!(x < 0x1p63) || x != floor(x)) return unfit_lot(fifo, lot, err);
        *out = (uint64_t)x;
        return VF_OK;
    }
    if (vf__amounts_float(from) ? !float_as_decimal(x, to_scale, &units) : !rescale(&units, from_scale, to_scale))
        return unfit_lot(fifo, lot, err);
    if (to == VF__AMOUNTS_DECIMAL) return vf__fifo_decimal(fifo, units, out, err);
    if (units.high != 0 || units.low > (uint64_t)INT64_MAX) return unfit_lot(fifo, lot, err);
    *out = units.low;
    return VF_OK;
}

/* The lots' quantities in the type of the rows', and their prices behind the rows'. */
static enum vf_status convert_lots(struct vf_fifo *fifo, uint64_t *out, struct vf_error *err) {
    const struct vf__fifo_lot *lots = fifo->lot_amount.data;
    for (size_t k = 0; k < fifo->n_lots; k++) {
        enum vf_status status = convert_lot(fifo, &lots[k], &out[k], err);
        if (status != VF_OK) return status;
        out[k] |= lots[k].is_short ? VF__EXIT_SIDE : 0;
        if (fifo->price.data != NULL)
            ((double *)fifo->price.data)[(size_t)fifo->n_rows + k] = ((double *)fifo->lot_price.data)[k];
    }
    return VF_OK;
}

static enum vf_status check_excess(const struct vf_fifo *fifo, const struct vf__match_tally *tally,
                                   struct vf_error *err) {
    if (fifo->on_excess != VF_EXCESS_RAISE || tally->n_over == 0) return VF_OK;
    const char *name = fifo->known[VF__FIFO_QUANTITY].name;
    enum vf_status status = vf__fail(
        err, VF_ERROR_DATA, name, tally->first_over,
        "column \"%s\": %lld exit%s beyond the inventory; the first is row %lld; give the lots that are held at the open, or "
        "choose another on_excess",
        name, (long long)tally->n_over, tally->n_over == 1 ? " goes" : "s go", (long long)tally->first_over);
    if (err != NULL) err->count = tally->n_over;
    return status;
}

static enum vf_status check_forward(const struct vf_fifo *fifo, const struct vf__match_tally *tally,
                                    struct vf_error *err) {
    if (tally->n_back == 0) return VF_OK;
    const char *name = fifo->known[VF__FIFO_TIME].name;
    enum vf_status status = vf__fail(
        err, VF_ERROR_DATA, name, tally->first_back,
        "column \"%s\": %lld trade row%s earlier than the one before in the order of \"%s\", so that a holding period may "
        "be negative; the first is row %lld; let \"%s\" be the time, sort by \"%s\", or keep days apart by a date column",
        name, (long long)tally->n_back, tally->n_back == 1 ? " is" : "s are", fifo->known[VF__FIFO_SORT].name,
        (long long)tally->first_back, fifo->known[VF__FIFO_SORT].name, name);
    if (err != NULL) err->count = tally->n_back;
    return status;
}

static enum vf_status match(struct vf_fifo *fifo, const uint64_t *lot_quantity, struct vf_error *err) {
    enum vf__amounts amounts = vf__fifo_amounts(&fifo->known[VF__FIFO_QUANTITY]);
    bool is_float = vf__amounts_float(amounts);
    bool narrow = !fifo->wide.quantities && vf__match_narrow(lot_quantity, fifo->n_lots, is_float);
    bool few = (fifo->columns & ~(unsigned)(VF_FIFO_QTY | VF_FIFO_CLOSED)) == 0;
    const struct vf__match_input in = {.cells = &fifo->cells,
                                       .form = {.timed = vf__fifo_timed(fifo),
                                                .narrow = narrow,
                                                .bare = narrow && few,
                                                .units = is_float && !narrow},
                                       .rows = fifo->rows,
                                       .n_rows = (uint32_t)fifo->n_rows,
                                       .lot_group = fifo->lot_group.data,
                                       .lot_quantity = lot_quantity,
                                       .n_lots = fifo->n_lots,
                                       .amounts = amounts,
                                       .large = fifo->large.data,
                                       .n_large = fifo->n_large,
                                       .on_excess = fifo->on_excess,
                                       .forward = fifo->time_apart && vf__fifo_timed(fifo),
                                       .rests = fifo->rests_kept};
    struct vf__match_tally tally;
    enum vf_status status = vf__chains_reach(&fifo->cells, vf__keyed_count(&fifo->groups), err);
    if (status == VF_OK) status = vf__match_run(&fifo->ctx, &in, &fifo->tapes, &fifo->rests, &tally, err);
    if (status == VF_OK) status = check_forward(fifo, &tally, err);
    if (status == VF_OK) status = check_excess(fifo, &tally, err);
    if (status != VF_OK) {
        vf__tapes_release(&fifo->tapes);
        vf__free(&fifo->ctx, fifo->rests.data, fifo->rests.room, sizeof *fifo->rests.data);
        fifo->rests = (struct vf__rests){0};
        return status;
    }
    fifo->rows_out = vf__match_pieces(&tally, fifo->rows);
    if (!fifo->rests_kept) drop_lots(fifo);
    vf__array_drop(&fifo->ctx, &fifo->large, sizeof(struct vf__u128));
    fifo->matched = true;
    return VF_OK;
}

enum vf_status vf_fifo_match(struct vf_fifo *fifo, struct vf_error *err) {
    enum vf_status status = learning(fifo, err);
    if (status == VF_OK && !fifo->known[VF__FIFO_KEYS].known)
        status =
            vf__fail(err, VF_ERROR_STATE, NULL, -1, "no batch was learnt: the columns' types are not known");
    if (status == VF_OK) status = check_problems(fifo, err);
    if (status == VF_OK) status = check_sides(fifo, err);
    if (status == VF_OK) status = check_times(fifo, err);
    if (status != VF_OK) return status;
    size_t n_lots = fifo->n_lots, n_large = fifo->n_large;
    uint64_t *lot_quantity = vf__alloc(&fifo->ctx, n_lots, sizeof *lot_quantity);
    if (lot_quantity == NULL) return vf__fail_memory(err, n_lots * sizeof *lot_quantity);
    status = convert_lots(fifo, lot_quantity, err);
    if (status == VF_OK) status = match(fifo, lot_quantity, err);
    vf__free(&fifo->ctx, lot_quantity, n_lots, sizeof *lot_quantity);
    if (status != VF_OK) {
        fifo->n_large = n_large;
        return status;
    }
    vf__sides_doubt(&fifo->sides, fifo->known[VF__FIFO_SIDE].name, fifo->doubt, sizeof fifo->doubt);
    vf__tidy(fifo->doubt); /* it shows what the column holds, which may be no text at all */
    return VF_OK;
}

const char *vf_fifo_doubt(const struct vf_fifo *fifo) {
    return fifo->doubt[0] != '\0' ? fifo->doubt : NULL;
}

int64_t vf_fifo_rows_in(const struct vf_fifo *fifo) {
    return fifo->n_rows;
}

int64_t vf_fifo_trades_in(const struct vf_fifo *fifo) {
    return fifo->n_trades;
}

int64_t vf_fifo_rows_out(const struct vf_fifo *fifo) {
    return fifo->rows_out;
}

/* ---- replay ------------------------------------------------------------------------------------------------------------ */

void vf_fifo_rewind(struct vf_fifo *fifo) {
    vf__replay_rewind(&fifo->replay);
    if (fifo->matched) vf__tapes_rewind(&fifo->tapes);
}

enum vf_status vf_fifo_replayed(const struct vf_fifo *fifo, struct vf_error *err) {
    if (vf__replay_finished(&fifo->replay)) return VF_OK;
    return vf__fail(err, VF_ERROR_REPLAY, NULL, fifo->replay.next,
                    "the second reading ended after %lld of %lld rows; the input changed in between",
                    (long long)fifo->replay.next, (long long)fifo->n_rows);
}
