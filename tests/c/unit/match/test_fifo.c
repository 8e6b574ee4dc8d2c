/* The FIFO against cases worked out by hand, and against a plain queue a symbol on pseudo-random days.
   Not for memory faults (tests/c/fault) nor for speed. */
#include "check.h"

#define MAX_OUT 60000
#define ALL_COLUMNS ((1u << VF_FIFO_N_COLUMNS) - 1)
#define NULL_ID (-1)

/* ---- a day, and what is asked of it --------------------------------------------------------------------------- */

struct day {
    int64_t n;
    const int64_t *symbol;
    const int64_t *side; /* 1 entry, 2 exit, else no trade */
    const int64_t *time;
    const double *quantity;
    const double *price;
    int64_t n_lots;
    const int64_t *lot_symbol;
    const double *lot_quantity;
    const double *lot_price;
    double unit; /* quantities are whole multiples of 1 / unit; 0: of 1 */
};

struct ask {
    enum vf_fifo_rows rows;
    enum vf_excess on_excess;
    bool integers; /* quantities as Int64 */
    uint32_t n_threads;
    int64_t batch, slice; /* rows an update, rows an emit */
};

struct piece {
    int64_t row, entry, exit, holding;                      /* INT64_MIN: null */
    int closed;                                             /* -1: null */
    double quantity, entry_price, exit_price, markout, pnl; /* NaN: null */
};

static const struct vf_side plain_sides[2] = {{.integer = 1, .entry = true}, {.integer = 2, .entry = false}};

/* ---- the library ------------------------------------------------------------------------------------------------- */

static double number_at(const struct vf_column *c, int64_t i, bool integer) {
    if (!check_valid(c, i)) return NAN;
    return integer ? (double)check_i64(c, i) : check_f64(c, i);
}

static void collect(const struct vf_column *c, const uint32_t *counts, int64_t first, int64_t n,
                    bool integers, struct piece *out, int64_t *n_out) {
    int64_t at = 0;
    for (int64_t row = 0; row < n; row++)
        for (uint32_t k = 0; k < counts[row]; k++, at++)
            out[(*n_out)++] =
                (struct piece){.row = first + row,
                               .entry = check_valid(&c[0], at) ? (int64_t)check_u32(&c[0], at) : NULL_ID,
                               .quantity = number_at(&c[1], at, integers),
                               .holding = check_valid(&c[2], at) ? check_i64(&c[2], at) : INT64_MIN,
                               .closed = check_valid(&c[3], at) ? check_bool(&c[3], at) : -1,
                               .exit = check_valid(&c[4], at) ? (int64_t)check_u32(&c[4], at) : NULL_ID,
                               .entry_price = number_at(&c[5], at, false),
                               .exit_price = number_at(&c[6], at, false),
                               .markout = number_at(&c[7], at, false),
                               .pnl = number_at(&c[8], at, false)};
    CHECK_I64(c[0].array.length, at);
}

struct batch {
    struct check_column symbol, side, time, quantity, price;
    struct vf_fifo_batch series;
};

static void make_batch(struct batch *b, const struct day *day, const int64_t *whole, int64_t first,
                       int64_t n) {
    b->series.keys = check_series(&b->symbol, "l", "symbol", n, NULL, day->symbol + first, NULL);
    b->series.n_keys = 1;
    b->series.side = check_series(&b->side, "l", "side", n, NULL, day->side + first, NULL);
    b->series.sort = check_series(&b->time, "l", "t", n, NULL, day->time + first, NULL);
    b->series.time = b->series.sort;
    b->series.quantity = whole != NULL
                             ? check_series(&b->quantity, "l", "qty", n, NULL, whole + first, NULL)
                             : check_series(&b->quantity, "g", "qty", n, NULL, day->quantity + first, NULL);
    b->series.price = check_series(&b->price, "g", "price", n, NULL, day->price + first, NULL);
}

static int64_t *to_whole(const double *x, int64_t n) {
    int64_t *out = malloc((size_t)(n + 1) * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        out[i] = (int64_t)x[i];
    return out;
}

static enum vf_status give_inventory(struct vf_fifo *fifo, const struct day *day, bool integers) {
    struct check_column symbol, quantity, price;
    if (day->n_lots == 0) return VF_OK;
    int64_t *whole = integers ? to_whole(day->lot_quantity, day->n_lots) : NULL;
    const void *amounts = integers ? (const void *)whole : (const void *)day->lot_quantity;
    (void)check_series(&symbol, "l", "symbol", day->n_lots, NULL, day->lot_symbol, NULL);
    (void)check_series(&quantity, integers ? "l" : "g", "held", day->n_lots, NULL, amounts, NULL);
    (void)check_series(&price, "g", "cost", day->n_lots, NULL, day->lot_price, NULL);
    enum vf_status status =
        vf_fifo_inventory(fifo, &symbol.series, 1, &quantity.series, &price.series, &check_error);
    free(whole);
    return status;
}

/* Matches the day and gives all its pieces; the status is that of the first call that fails. */
static enum vf_status run(const struct day *day, const struct ask *ask, struct piece *out, int64_t *n_out) {
    struct vf_context ctx = {.n_threads = ask->n_threads};
    struct vf_fifo_options options = {.sides = plain_sides,
                                      .n_sides = 2,
                                      .rows = ask->rows,
                                      .on_excess = ask->on_excess,
                                      .columns = ALL_COLUMNS};
    struct vf_fifo *fifo = NULL;
    struct batch b;
    int64_t *whole = ask->integers ? to_whole(day->quantity, day->n) : NULL;
    uint32_t *counts = malloc((size_t)(ask->slice + 1) * sizeof *counts);
    enum vf_status status = vf_fifo_open(&ctx, &options, &fifo, &check_error);
    *n_out = 0;
    if (status == VF_OK) status = give_inventory(fifo, day, ask->integers);
    for (int64_t row = 0; status == VF_OK && (row < day->n || row == 0); row += ask->batch) {
        make_batch(&b, day, whole, row, day->n - row < ask->batch ? day->n - row : ask->batch);
        status = vf_fifo_update(fifo, &b.series, &check_error);
    }
    if (status == VF_OK) CHECK_I64(vf_fifo_rows_out(fifo), -1);
    if (status == VF_OK) status = vf_fifo_match(fifo, &check_error);
    for (int64_t row = 0; status == VF_OK && row < day->n; row += ask->slice) {
        struct vf_column columns[VF_FIFO_N_COLUMNS];
        int64_t n = day->n - row < ask->slice ? day->n - row : ask->slice;
        make_batch(&b, day, whole, row, n);
        status = vf_fifo_emit(fifo, &b.series, row, n, ALL_COLUMNS, counts, columns, &check_error);
        if (status != VF_OK) break;
        collect(columns, counts, row, n, ask->integers, out, n_out);
        for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
            vf_column_release(&columns[c]);
    }
    if (status == VF_OK) {
        CHECK_I64(vf_fifo_rows_in(fifo), day->n);
        CHECK_I64(vf_fifo_rows_out(fifo), *n_out);
        CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    }
    vf_fifo_close(fifo);
    free(counts);
    free(whole);
    return status;
}

/* ---- the oracle: a queue a symbol, pieces kept by row ---------------------------------------------------------------- */

struct lot {
    int64_t row; /* -1 - k: inventory lot k */
    double left;
    bool is_short;
};

struct found {
    int64_t of_row, order; /* pieces of a row in this order */
    struct piece piece;
    bool open_leg;
};

static struct found founds[MAX_OUT];
static int64_t n_founds;

static const struct day *the_day;

static double price_of(int64_t row) {
    double price = row >= 0 ? the_day->price[row] : the_day->lot_price[-1 - row];
    return price > 0 && price < 1e300 ? price : (double)NAN;
}

static void found(int64_t of_row, bool open_leg, int64_t opener, int64_t closer, double quantity,
                  bool is_short) {
    struct piece p = {.row = of_row,
                      .entry = NULL_ID,
                      .exit = NULL_ID,
                      .holding = INT64_MIN,
                      .closed = 0,
                      .quantity = quantity,
                      .entry_price = NAN,
                      .exit_price = NAN,
                      .markout = NAN,
                      .pnl = NAN};
    bool has_opener = opener != INT64_MIN, has_closer = closer != INT64_MIN;
    if (has_opener && opener >= 0) p.entry = opener;
    if (has_closer) p.exit = closer;
    if (has_opener) p.entry_price = price_of(opener);
    if (has_closer) p.exit_price = price_of(closer);
    if (has_opener && has_closer) {
        double sign = is_short ? -1 : 1;
        p.closed = 1;
        if (opener >= 0) p.holding = the_day->time[closer] - the_day->time[opener];
        if (p.entry_price > 0) p.markout = sign * (p.exit_price / p.entry_price - 1);
        if (!open_leg) p.pnl = sign * ((p.exit_price - p.entry_price) * quantity);
    }
    founds[n_founds] = (struct found){.of_row = of_row, .order = n_founds, .piece = p, .open_leg = open_leg};
    n_founds++;
}

/* In the oracle quantities are counted in units. */
static double units(double quantity) {
    return the_day->unit > 0 ? rint(quantity * the_day->unit) : quantity;
}

static double from_units(double n) {
    return the_day->unit > 0 ? n / the_day->unit : n;
}

static void oracle_trade(struct lot *queue, int64_t *head, int64_t *tail, int64_t row,
                         const struct ask *ask) {
    bool is_exit = the_day->side[row] == 2;
    double left = units(the_day->quantity[row]);
    if (left == 0) {
        found(row, false, is_exit ? INT64_MIN : row, is_exit ? row : INT64_MIN, 0, false);
        founds[n_founds - 1].piece.closed = 0;
        founds[n_founds - 1].open_leg = false;
        return;
    }
    bool adds = ask->on_excess == VF_EXCESS_OPEN_SHORT ? *head == *tail || queue[*head].is_short == is_exit
                                                       : !is_exit;
    while (!adds && left > 0 && *head < *tail) {
        struct lot *lot = &queue[*head];
        double take = lot->left < left ? lot->left : left;
        if (lot->row >= 0) found(lot->row, true, lot->row, row, from_units(take), lot->is_short);
        found(row, false, lot->row, row, from_units(take), lot->is_short);
        lot->left -= take;
        left -= take;
        if (lot->left == 0) (*head)++;
    }
    if (left == 0) return;
    if (adds || ask->on_excess == VF_EXCESS_OPEN_SHORT)
        queue[(*tail)++] = (struct lot){.row = row, .left = left, .is_short = is_exit};
    else
        found(row, false, INT64_MIN, row, from_units(left), false);
}

static int by_row(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    if (x->of_row != y->of_row) return x->of_row < y->of_row ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* As `rows` wants it: 0 keeps the piece, 1 drops it, 2 adds it to the summary of what the row opened. */
static int fate(const struct found *f, enum vf_fifo_rows rows) {
    bool trade = f->piece.closed >= 0, open_rest = !f->open_leg ? false : f->piece.closed == 0;
    if (rows == VF_FIFO_BOTH) return 0;
    if (rows == VF_FIFO_LOTS) {
        if (!trade || f->piece.quantity == 0) return 1;
        return f->open_leg && !open_rest ? 1 : 0;
    }
    return f->open_leg ? 2 : 0;
}

static int64_t shape(enum vf_fifo_rows rows, struct piece *out) {
    int64_t n = 0, summary = -1;
    for (int64_t k = 0; k < n_founds; k++) {
        const struct found *f = &founds[k];
        int what = fate(f, rows);
        if (what == 1) continue;
        if (what == 0) {
            out[n++] = f->piece;
            continue;
        }
        if (summary < 0 || out[summary].row != f->of_row) {
            summary = n++;
            out[summary] = (struct piece){.row = f->of_row,
                                          .entry = f->of_row,
                                          .exit = NULL_ID,
                                          .holding = INT64_MIN,
                                          .closed = 1,
                                          .entry_price = price_of(f->of_row),
                                          .exit_price = NAN,
                                          .markout = NAN,
                                          .pnl = NAN};
        }
        if (f->piece.closed == 1)
            out[summary].quantity = from_units(units(out[summary].quantity) + units(f->piece.quantity));
        else
            out[summary].closed = 0;
    }
    return n;
}

static int64_t oracle(const struct day *day, const struct ask *ask, struct piece *out) {
    struct lot *queue = malloc((size_t)(day->n + day->n_lots + 1) * sizeof *queue);
    int64_t *rows = malloc((size_t)(day->n + 1) * sizeof *rows);
    bool *done = calloc((size_t)day->n + 1, 1);
    the_day = day;
    n_founds = 0;
    for (int64_t i = 0; i < day->n; i++) {
        if (done[i]) continue;
        if (day->side[i] != 1 && day->side[i] != 2) {
            found(i, false, INT64_MIN, INT64_MIN, NAN, false);
            founds[n_founds - 1].piece.closed = -1;
            continue;
        }
        int64_t n = 0, head = 0, tail = 0;
        for (int64_t k = 0; k < day->n_lots; k++)
            if (day->lot_symbol[k] == day->symbol[i] && day->lot_quantity[k] != 0)
                queue[tail++] = (struct lot){.row = -1 - k,
                                             .left = units(fabs(day->lot_quantity[k])),
                                             .is_short = day->lot_quantity[k] < 0};
        for (int64_t j = i; j < day->n; j++) {
            if (day->symbol[j] != day->symbol[i] || (day->side[j] != 1 && day->side[j] != 2)) continue;
            done[j] = true;
            int64_t at = n++;
            for (; at > 0 && day->time[rows[at - 1]] > day->time[j]; at--)
                rows[at] = rows[at - 1];
            rows[at] = j;
        }
        for (int64_t k = 0; k < n; k++)
            oracle_trade(queue, &head, &tail, rows[k], ask);
        for (; head < tail; head++)
            if (queue[head].row >= 0)
                found(queue[head].row, true, queue[head].row, INT64_MIN, from_units(queue[head].left),
                      queue[head].is_short);
    }
    qsort(founds, (size_t)n_founds, sizeof *founds, by_row);
    free(queue);
    free(rows);
    free(done);
    return shape(ask->rows, out);
}

/* ---- comparing -------------------------------------------------------------------------------------------------------- */

static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static bool same_piece(const struct piece *a, const struct piece *b) {
    return a->row == b->row && a->entry == b->entry && a->exit == b->exit && a->holding == b->holding &&
           a->closed == b->closed && same_number(a->quantity, b->quantity) &&
           same_number(a->entry_price, b->entry_price) && same_number(a->exit_price, b->exit_price) &&
           same_number(a->markout, b->markout) && same_number(a->pnl, b->pnl);
}

static void print_piece(const char *who, const struct piece *p) {
    fprintf(stderr,
            "  %s: row %" PRId64 " entry %" PRId64 " exit %" PRId64 " qty %.17g hold %" PRId64 " closed %d "
            "prices %g %g markout %g pnl %g\n",
            who, p->row, p->entry, p->exit, p->quantity, p->holding, p->closed, p->entry_price, p->exit_price,
            p->markout, p->pnl);
}

/* EXACT, all nine columns. */
static bool same_pieces(const struct piece *got, int64_t n_got, const struct piece *want, int64_t n_want) {
    CHECK_I64(n_got, n_want);
    for (int64_t k = 0; k < n_got && k < n_want; k++) {
        bool same = same_piece(&got[k], &want[k]);
        CHECK(same);
        if (same) continue;
        print_piece("got ", &got[k]);
        print_piece("want", &want[k]);
        return false;
    }
    return n_got == n_want;
}

static struct piece got[MAX_OUT], want[MAX_OUT];

/* (row, entry, quantity, holding, closed) as the specification writes them; -1: null. */
struct line {
    int64_t row, entry;
    double quantity;
    int64_t holding;
    int closed;
};

static void check_lines(const struct day *day, const struct ask *ask, const struct line *lines,
                        int64_t n_lines) {
    int64_t n = 0, n_want;
    CHECK_OK(run(day, ask, got, &n));
    CHECK_I64(n, n_lines);
    for (int64_t k = 0; k < n && k < n_lines; k++) {
        CHECK_I64(got[k].row, lines[k].row);
        CHECK_I64(got[k].entry, lines[k].entry);
        CHECK_F64(got[k].quantity, lines[k].quantity < 0 ? NAN : lines[k].quantity);
        CHECK_I64(got[k].holding, lines[k].holding < 0 ? INT64_MIN : lines[k].holding);
        CHECK_I64(got[k].closed, lines[k].closed);
    }
    n_want = oracle(day, ask, want);
    (void)same_pieces(got, n, want, n_want);
}

#define LINES(...)                                                                                           \
    (const struct line[]){__VA_ARGS__},                                                                      \
        (int64_t)(sizeof((const struct line[]){__VA_ARGS__}) / sizeof(struct line))

/* ---- by hand ------------------------------------------------------------------------------------------------------------ */

static const int64_t ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static const double prices[16] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};

static const int64_t spec_side[7] = {1, 1, 2, 2, 1, 7, 2}, spec_time[7] = {0, 60, 100, 160, 200, 210, 260};
static const double spec_quantity[7] = {100, 50, 120, 80, 40, 10, 10};
static const struct day spec_day = {
    .n = 7, .symbol = ones, .side = spec_side, .time = spec_time, .quantity = spec_quantity, .price = prices};

static void test_specification(void) {
    for (int integers = 0; integers < 2; integers++) {
        struct ask ask = {.integers = integers != 0, .n_threads = 1, .batch = 7, .slice = 7};
        check_lines(&spec_day, &ask,
                    LINES({0, 0, 100, 100, 1}, {1, 1, 20, 40, 1}, {1, 1, 30, 100, 1}, {2, 0, 100, 100, 1},
                          {2, 1, 20, 40, 1}, {3, 1, 30, 100, 1}, {3, -1, 50, -1, 0}, {4, 4, 10, 60, 1},
                          {4, 4, 30, -1, 0}, {5, -1, -1, -1, -1}, {6, 4, 10, 60, 1}));
        ask.rows = VF_FIFO_EXITS;
        check_lines(&spec_day, &ask,
                    LINES({0, 0, 100, -1, 1}, {1, 1, 50, -1, 1}, {2, 0, 100, 100, 1}, {2, 1, 20, 40, 1},
                          {3, 1, 30, 100, 1}, {3, -1, 50, -1, 0}, {4, 4, 10, -1, 0}, {5, -1, -1, -1, -1},
                          {6, 4, 10, 60, 1}));
        ask.rows = VF_FIFO_LOTS;
        check_lines(&spec_day, &ask,
                    LINES({2, 0, 100, 100, 1}, {2, 1, 20, 40, 1}, {3, 1, 30, 100, 1}, {3, -1, 50, -1, 0},
                          {4, 4, 30, -1, 0}, {6, 4, 10, 60, 1}));
    }
    CHECK_F64(got[0].entry_price, 10); /* the last run: row 2 closes row 0 */
    CHECK_F64(got[0].exit_price, 12);
    CHECK_F64(got[0].markout, 12.0 / 10.0 - 1);
    CHECK_F64(got[0].pnl, 200);
}

/* Long 10, sell 25 (15 short), buy 20 (15 close, 5 long), sell 5. */
static void test_open_short(void) {
    static const int64_t side[5] = {1, 2, 1, 2, 2}, time[5] = {0, 10, 30, 60, 61};
    static const double quantity[5] = {10, 25, 20, 5, 3};
    struct day day = {
        .n = 5, .symbol = ones, .side = side, .time = time, .quantity = quantity, .price = prices};
    struct ask ask = {
        .on_excess = VF_EXCESS_OPEN_SHORT, .integers = true, .n_threads = 1, .batch = 2, .slice = 3};
    check_lines(&day, &ask,
                LINES({0, 0, 10, 10, 1}, {1, 0, 10, 10, 1}, {1, 1, 15, 20, 1}, {2, 1, 15, 20, 1},
                      {2, 2, 5, 30, 1}, {3, 2, 5, 30, 1}, {4, 4, 3, -1, 0}));
    CHECK_I64(got[3].exit, 2);
    CHECK_F64(got[3].pnl, -(12.0 - 11.0) * 15); /* sold at 11, bought back at 12 */
    CHECK_F64(got[3].markout, -(12.0 / 11.0 - 1));
    CHECK_F64(got[2].pnl, NAN); /* the opening leg */
    ask.rows = VF_FIFO_EXITS;
    check_lines(&day, &ask,
                LINES({0, 0, 10, -1, 1}, {1, 0, 10, 10, 1}, {1, 1, 15, -1, 1}, {2, 1, 15, 20, 1},
                      {2, 2, 5, -1, 1}, {3, 2, 5, 30, 1}, {4, 4, 0, -1, 0}));
    ask.rows = VF_FIFO_LOTS;
    check_lines(&day, &ask, LINES({1, 0, 10, 10, 1}, {2, 1, 15, 20, 1}, {3, 2, 5, 30, 1}, {4, 4, 3, -1, 0}));
}

static void test_inventory(void) {
    static const int64_t side[4] = {2, 1, 2, 2}, time[4] = {5, 6, 7, 8}, held[3] = {1, 9, 1};
    static const double quantity[4] = {30, 10, 45, 4}, amounts[3] = {40, 7, 20}, costs[3] = {5, 6, NAN};
    struct day day = {.n = 4,
                      .symbol = ones,
                      .side = side,
                      .time = time,
                      .quantity = quantity,
                      .price = prices,
                      .n_lots = 3,
                      .lot_symbol = held,
                      .lot_quantity = amounts,
                      .lot_price = costs};
    struct ask ask = {.n_threads = 1, .batch = 9, .slice = 9};
    check_lines(&day, &ask,
                LINES({0, -1, 30, -1, 1}, {1, 1, 10, 1, 1}, {2, -1, 10, -1, 1}, {2, -1, 20, -1, 1},
                      {2, 1, 10, 1, 1}, {2, -1, 5, -1, 0}, {3, -1, 4, -1, 0}));
    CHECK_F64(got[0].entry_price, 5);
    CHECK_F64(got[0].pnl, (10.0 - 5.0) * 30);
    CHECK_F64(got[3].entry_price, NAN);
    CHECK_I64(got[5].exit, 2);
    ask.on_excess = VF_EXCESS_RAISE;
    int64_t n;
    CHECK_STATUS(run(&day, &ask, got, &n), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 2);
    CHECK_I64(check_error.count, 2);
    CHECK(strcmp(check_error.column, "qty") == 0);

    static const double both[3] = {40, 7, -20}, shorts[3] = {-40, 7, -20};
    day.lot_quantity = both;
    ask.on_excess = VF_EXCESS_UNCLOSED;
    CHECK_STATUS(run(&day, &ask, got, &n), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 2);
    ask.on_excess = VF_EXCESS_OPEN_SHORT;
    CHECK_STATUS(run(&day, &ask, got, &n), VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "both long and short") != NULL);
    day.lot_quantity = shorts;
    check_lines(&day, &ask,
                LINES({0, 0, 30, -1, 0}, {1, -1, 10, -1, 1}, {2, 2, 45, -1, 0}, {3, 3, 4, -1, 0}));
    CHECK_F64(got[1].pnl, -(11.0 - 5.0) * 10);
}

static void test_zero_quantities(void) {
    static const int64_t side[5] = {1, 1, 2, 2, 2}, time[5] = {1, 2, 3, 4, 5};
    static const double quantity[5] = {0, 5, 0, 5, -0.0};
    struct day day = {
        .n = 5, .symbol = ones, .side = side, .time = time, .quantity = quantity, .price = prices};
    for (int integers = 0; integers < 2; integers++) {
        struct ask ask = {.integers = integers != 0, .n_threads = 1, .batch = 5, .slice = 5};
        check_lines(
            &day, &ask,
            LINES({0, 0, 0, -1, 0}, {1, 1, 5, 2, 1}, {2, -1, 0, -1, 0}, {3, 1, 5, 2, 1}, {4, -1, 0, -1, 0}));
        CHECK_I64(got[2].exit, 2);
        ask.rows = VF_FIFO_EXITS;
        check_lines(
            &day, &ask,
            LINES({0, 0, 0, -1, 0}, {1, 1, 5, -1, 1}, {2, -1, 0, -1, 0}, {3, 1, 5, 2, 1}, {4, -1, 0, -1, 0}));
        ask.rows = VF_FIFO_LOTS;
        check_lines(&day, &ask, LINES({3, 1, 5, 2, 1}));
    }
}

/* 0.3 - 0.1 - 0.2 leaves 2.8e-17, which is nothing; what is a lot of its own is something, however small. */
static void test_fractions(void) {
    static const int64_t side[4] = {1, 2, 2, 2}, time[4] = {1, 2, 3, 4};
    static const double quantity[4] = {0.3, 0.1, 0.2, 0.5};
    struct day day = {
        .n = 4, .symbol = ones, .side = side, .time = time, .quantity = quantity, .price = prices, .unit = 10};
    struct ask ask = {.n_threads = 1, .batch = 5, .slice = 5};
    check_lines(&day, &ask,
                LINES({0, 0, 0.1, 1, 1}, {0, 0, 0.2, 2, 1}, {1, 0, 0.1, 1, 1}, {2, 0, 0.2, 2, 1}, {3, -1, 0.5, -1, 0}));
    static const double billion[4] = {1e9, 999999999, 0.25, 0.25};
    day.quantity = billion;
    day.unit = 4;
    check_lines(&day, &ask,
                LINES({0, 0, 999999999, 1, 1}, {0, 0, 0.25, 2, 1}, {0, 0, 0.25, 3, 1}, {0, 0, 0.5, -1, 0},
                      {1, 0, 999999999, 1, 1}, {2, 0, 0.25, 2, 1}, {3, 0, 0.25, 3, 1}));
    static const double last[4] = {1.0, 0.9, 0.09999999, 1e-8};
    day.quantity = last;
    day.unit = 1e8;
    check_lines(&day, &ask,
                LINES({0, 0, 0.9, 1, 1}, {0, 0, 0.09999999, 2, 1}, {0, 0, 1e-8, 3, 1}, {1, 0, 0.9, 1, 1},
                      {2, 0, 0.09999999, 2, 1}, {3, 0, 1e-8, 3, 1}));
    static const double tiny[4] = {5e-324, 5e-324, 1e-300, 1.7e308};
    day.quantity = tiny;
    day.unit = 0;
    check_lines(
        &day, &ask,
        LINES({0, 0, 5e-324, 1, 1}, {1, 0, 5e-324, 1, 1}, {2, -1, 1e-300, -1, 0}, {3, -1, 1.7e308, -1, 0}));
}

static void test_order(void) {
    static const int64_t symbol[6] = {1, 2, 1, 2, 1, 2}, side[6] = {2, 1, 1, 2, 1, 2},
                         time[6] = {9, 1, 3, 1, 3, 1};
    static const double quantity[6] = {5, 4, 3, 2, 7, 2};
    struct day day = {
        .n = 6, .symbol = symbol, .side = side, .time = time, .quantity = quantity, .price = prices};
    struct ask ask = {.integers = true, .n_threads = 2, .batch = 1, .slice = 2};
    check_lines(&day, &ask,
                LINES({0, 2, 3, 6, 1}, {0, 4, 2, 6, 1}, {1, 1, 2, 0, 1}, {1, 1, 2, 0, 1}, {2, 2, 3, 6, 1},
                      {3, 1, 2, 0, 1}, {4, 4, 2, 6, 1}, {4, 4, 5, -1, 0}, {5, 1, 2, 0, 1}));
}

static void test_no_rows(void) {
    struct day day = {.n = 0,
                      .symbol = ones,
                      .side = spec_side,
                      .time = spec_time,
                      .quantity = spec_quantity,
                      .price = prices};
    struct ask ask = {.n_threads = 2, .batch = 5, .slice = 5};
    check_lines(&day, &ask, NULL, 0);
    day.n = 1;
    check_lines(&day, &ask, LINES({0, 0, 100, -1, 0}));
}

/* ---- pseudo-random days ------------------------------------------------------------------------------------------------- */

static uint64_t seed;
static int64_t draw(int64_t below) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((seed >> 33) % (uint64_t)below);
}

#define DAY 3000
static int64_t r_symbol[DAY], r_side[DAY], r_time[DAY], r_lot_symbol[40];
static double r_quantity[DAY], r_price[DAY], r_lot_quantity[40], r_lot_price[40];

static struct day random_day(int64_t n, int64_t n_symbols, int flavour) {
    bool sorted = (flavour & 1) == 0, fractions = (flavour & 2) != 0, held = (flavour & 4) != 0;
    int64_t exits = 1 + draw(9);
    for (int64_t i = 0; i < n; i++) {
        r_symbol[i] = draw(n_symbols) * draw(n_symbols) / n_symbols;
        r_side[i] = draw(12) == 0 ? 3 : draw(10) < exits ? 2 : 1;
        r_time[i] = sorted ? i / 3 : r_symbol[i] % 3 == 0 ? draw(50) : i / 2;
        r_quantity[i] = draw(25) == 0 ? 0 : fractions ? (double)(1 + draw(30)) / 10 : (double)(1 + draw(30));
        r_price[i] = draw(20) == 0 ? NAN : draw(50) == 0 ? 0 : 10 + (double)draw(100) / 100;
    }
    for (int64_t k = 0; k < 40; k++) {
        r_lot_symbol[k] = draw(n_symbols + 2);
        r_lot_quantity[k] = (double)draw(20);
        r_lot_price[k] = 9 + (double)draw(10);
    }
    return (struct day){.n = n,
                        .symbol = r_symbol,
                        .side = r_side,
                        .time = r_time,
                        .quantity = r_quantity,
                        .price = r_price,
                        .n_lots = held ? 40 : 0,
                        .lot_symbol = r_lot_symbol,
                        .lot_quantity = r_lot_quantity,
                        .lot_price = r_lot_price,
                        .unit = fractions ? 10 : 0};
}

/* Pieces of a trade row add up to its quantity, up to rounding. */
static void check_sums(const struct day *day, int64_t n) {
    int64_t k = 0;
    for (int64_t row = 0; row < day->n; row++) {
        double sum = 0;
        bool trade = day->side[row] == 1 || day->side[row] == 2;
        for (; k < n && got[k].row == row; k++) {
            sum += trade ? got[k].quantity : 0;
            if (got[k].holding != INT64_MIN) CHECK(got[k].holding >= 0);
        }
        if (trade) CHECK(fabs(sum - day->quantity[row]) <= 1e-8 * day->quantity[row]);
    }
}

/* The day's n pieces in got[], which are those of the oracle; else the trial is named. */
static bool check_trial(const struct day *day, const struct ask *ask, int trial, int64_t *n) {
    CHECK_OK(run(day, ask, got, n));
    int64_t n_want = oracle(day, ask, want);
    if (same_pieces(got, *n, want, n_want)) return true;
    fprintf(stderr, "trial %d\n", trial);
    return false;
}

static void test_random_days(void) {
    for (int trial = 0; trial < 240; trial++) {
        seed = (uint64_t)trial * 977 + 5;
        struct day day = random_day(1 + draw(trial < 200 ? 300 : DAY), 1 + draw(40), trial % 8);
        struct ask ask = {.rows = (enum vf_fifo_rows)(trial % 3),
                          .on_excess = draw(2) != 0 ? VF_EXCESS_OPEN_SHORT : VF_EXCESS_UNCLOSED,
                          .integers = (trial & 2) == 0,
                          .n_threads = (uint32_t)(1 + draw(3)),
                          .batch = 1 + draw(200),
                          .slice = 1 + draw(400)};
        int64_t n;
        if (!check_trial(&day, &ask, trial, &n)) return;
        if (ask.rows == VF_FIFO_BOTH) check_sums(&day, n);
    }
}

/* The same bits for 1, 2 and 7 threads, and for every cut into updates and emits. */
static void test_cuts(void) {
    for (int rows = 0; rows < 3; rows++) {
        seed = (uint64_t)rows + 77;
        struct day day = random_day(DAY, 50, 7);
        struct ask ask = {.rows = (enum vf_fifo_rows)rows,
                          .on_excess = VF_EXCESS_OPEN_SHORT,
                          .n_threads = 1,
                          .batch = DAY,
                          .slice = DAY};
        int64_t n, n_want;
        CHECK_OK(run(&day, &ask, want, &n_want));
        static const int64_t cuts[4] = {1, 13, 1024, DAY};
        static const uint32_t threads[3] = {1, 2, 7};
        for (int t = 0; t < 3; t++)
            for (int c = 0; c < 4; c++) {
                ask.n_threads = threads[t];
                ask.batch = cuts[c];
                ask.slice = cuts[3 - c];
                CHECK_OK(run(&day, &ask, got, &n));
                if (!same_pieces(got, n, want, n_want)) return;
            }
    }
}

/* A single exit of many lots, and a lot of many exits: pieces of one row across blocks of 1024. */
static void test_many_pieces(void) {
    for (int64_t i = 0; i < DAY; i++) {
        r_symbol[i] = 1;
        r_time[i] = i;
        r_price[i] = 10;
        r_side[i] = i < DAY - 1 ? 1 : 2;
        r_quantity[i] = i < DAY - 1 ? 1 : DAY;
    }
    struct day day = {.n = DAY,
                      .symbol = r_symbol,
                      .side = r_side,
                      .time = r_time,
                      .quantity = r_quantity,
                      .price = r_price};
    int64_t n, n_want;
    for (int rows = 0; rows < 3; rows++) {
        struct ask ask = {.rows = (enum vf_fifo_rows)rows, .n_threads = 2, .batch = 500, .slice = 2999};
        CHECK_OK(run(&day, &ask, got, &n));
        n_want = oracle(&day, &ask, want);
        (void)same_pieces(got, n, want, n_want);
        for (int64_t i = 0; i < DAY; i++) {
            r_side[i] = i > 0 ? 2 : 1;
            r_quantity[i] = i > 0 ? 1 : DAY + 7;
        }
        CHECK_OK(run(&day, &ask, got, &n));
        n_want = oracle(&day, &ask, want);
        (void)same_pieces(got, n, want, n_want);
    }
}

/* Quantities about 2^31, from which on they take more room, in integers, floats and the inventory. */
static void test_large_quantities(void) {
    static const double add[] = {0, 0x1p31 - 1, 0x1p31, 0x1p31 + 1, 0x1p40};
    for (int trial = 0; trial < 40; trial++) {
        seed = (uint64_t)trial * 31 + 9;
        struct day day = random_day(300, 5, trial % 4);
        struct ask ask = {.rows = (enum vf_fifo_rows)(trial % 3),
                          .on_excess = (trial & 4) != 0 ? VF_EXCESS_OPEN_SHORT : VF_EXCESS_UNCLOSED,
                          .integers = (trial & 1) == 0,
                          .n_threads = 2,
                          .batch = 70,
                          .slice = 45};
        for (int64_t i = 0; i < day.n; i++)
            r_quantity[i] = floor(r_quantity[i]) + (i % 50 == 7 ? add[trial % 5] : 0);
        int64_t n;
        if (!check_trial(&day, &ask, trial, &n)) return;
    }
}

/* Doubling every quantity, or cutting every row in two of half the size, changes nothing but the sizes. */
static void test_laws(void) {
    seed = 4242;
    struct day day = random_day(400, 5, 0);
    struct ask ask = {.integers = true, .n_threads = 1, .batch = 400, .slice = 400};
    int64_t n, n_want;
    CHECK_OK(run(&day, &ask, want, &n_want));
    for (int64_t i = 0; i < day.n; i++)
        r_quantity[i] *= 2;
    CHECK_OK(run(&day, &ask, got, &n));
    for (int64_t k = 0; k < n_want; k++) {
        want[k].quantity *= 2;
        want[k].pnl *= 2;
    }
    (void)same_pieces(got, n, want, n_want);

    double closed = 0, halves = 0;
    for (int64_t k = 0; k < n; k++)
        closed += got[k].closed == 1 ? got[k].quantity * (double)got[k].holding : 0;
    for (int64_t i = day.n; i-- > 0;) {
        r_symbol[2 * i] = r_symbol[2 * i + 1] = r_symbol[i];
        r_side[2 * i] = r_side[2 * i + 1] = r_side[i];
        r_time[2 * i] = r_time[2 * i + 1] = r_time[i];
        r_price[2 * i] = r_price[2 * i + 1] = r_price[i];
        r_quantity[2 * i] = r_quantity[2 * i + 1] = r_quantity[i] / 2;
    }
    day.n *= 2;
    CHECK_OK(run(&day, &ask, got, &n));
    for (int64_t k = 0; k < n; k++)
        halves += got[k].closed == 1 ? got[k].quantity * (double)got[k].holding : 0;
    CHECK_F64(halves, closed);
}

/* ---- types ----------------------------------------------------------------------------------------------------------------- */

/* The specification's day with columns of the caller's types; gives the columns of all rows. */
struct columns {
    struct check_column symbol, sort, time, side, quantity, price;
};

static enum vf_status match_columns(struct columns *c, const struct vf_side *sides, size_t n_sides,
                                    unsigned bits, struct vf_column *out) {
    struct vf_fifo_options options = {.sides = sides, .n_sides = n_sides, .columns = bits};
    struct vf_fifo_batch batch = {.keys = &c->symbol.series, .n_keys = 1,
                                  .sort = &c->sort.series,
                                  .time = &c->time.series,
                                  .side = &c->side.series,
                                  .quantity = &c->quantity.series,
                                  .price = c->price.series.schema != NULL ? &c->price.series : NULL};
    struct vf_fifo *fifo = NULL;
    enum vf_status status = vf_fifo_open(NULL, &options, &fifo, &check_error);
    if (status == VF_OK) status = vf_fifo_update(fifo, &batch, &check_error);
    if (status == VF_OK) status = vf_fifo_match(fifo, &check_error);
    uint32_t counts[64];
    if (status == VF_OK)
        status = vf_fifo_emit(fifo, &batch, 0, c->symbol.array.length, bits, counts, out, &check_error);
    vf_fifo_close(fifo);
    return status;
}

static const struct vf_side text_sides[3] = {
    {.text = "B", .length = 1, .entry = true},
    {.text = "Sell", .length = 4, .entry = false},
    {.text = "a side longer than a view", .length = 25, .entry = false}};

/* B, B, Sell, Sell, B, C, Sell as one string column in the layout asked for. */
struct text_column {
    int32_t offsets32[9];
    int64_t offsets64[9];
    uint8_t views[8 * 16];
    char data[64];
    uint32_t indexes[8];
};

static void fill_texts(struct text_column *t, const char *const *texts, int64_t n) {
    memset(t, 0, sizeof *t);
    for (int64_t i = 0; i < n; i++) {
        size_t length = strlen(texts[i]);
        uint32_t length32 = (uint32_t)length;
        memcpy(t->data + t->offsets32[i], texts[i], length);
        t->offsets32[i + 1] = t->offsets32[i] + (int32_t)length;
        t->offsets64[i + 1] = t->offsets32[i + 1];
        memcpy(t->views + 16 * i, &length32, 4);
        memset(t->views + 16 * i + 4, 0x55, 12); /* what lies behind a short text must not matter */
        memcpy(t->views + 16 * i + 4, texts[i], length);
    }
}

static void spec_columns(struct columns *c) {
    static const int64_t whole[7] = {100, 50, 120, 80, 40, 10, 10};
    memset(c, 0, sizeof *c);
    (void)check_series(&c->symbol, "l", "symbol", 7, NULL, ones, NULL);
    (void)check_series(&c->sort, "l", "t", 7, NULL, spec_time, NULL);
    (void)check_series(&c->time, "l", "t", 7, NULL, spec_time, NULL);
    (void)check_series(&c->side, "l", "side", 7, NULL, spec_side, NULL);
    (void)check_series(&c->quantity, "l", "qty", 7, NULL, whole, NULL);
}

static void check_spec_quantities(const struct vf_column *c) {
    static const int64_t quantities[11] = {100, 20, 30, 100, 20, 30, 50, 10, 30, 0, 10};
    CHECK_I64(c->array.length, 11);
    for (int64_t k = 0; k < 11; k++) {
        CHECK(check_valid(c, k) == (k != 9));
        if (k == 9) continue;
        const void *data = c->array.buffers[1];
        double x = 0;
        switch (c->schema.format[0]) {
        case 'c':
            x = ((const int8_t *)data)[k];
            break;
        case 'C':
            x = ((const uint8_t *)data)[k];
            break;
        case 's':
            x = ((const int16_t *)data)[k];
            break;
        case 'S':
            x = ((const uint16_t *)data)[k];
            break;
        case 'i':
            x = ((const int32_t *)data)[k];
            break;
        case 'I':
            x = ((const uint32_t *)data)[k];
            break;
        case 'l':
            x = (double)((const int64_t *)data)[k];
            break;
        case 'L':
            x = (double)((const uint64_t *)data)[k];
            break;
        case 'f':
            x = (double)((const float *)data)[k];
            break;
        default:
            x = ((const double *)data)[k];
            break;
        }
        CHECK_F64(x, (double)quantities[k]);
    }
}

static void test_side_types(void) {
    static const char *const texts[7] = {"B", "B", "Sell", "Sell", "B", "C", "Sell"};
    static const char *const values[4] = {"x", "B", "C", "Sell"};
    static const uint8_t all[1] = {0x7f};
    struct text_column t, d;
    struct columns c;
    struct vf_column out;
    for (size_t n_sides = 2; n_sides <= 3; n_sides++) {
        for (int layout = 0; layout < 4; layout++) {
            spec_columns(&c);
            fill_texts(&t, texts, 7);
            if (layout == 0) (void)check_series(&c.side, "u", "side", 7, all, t.offsets32, t.data);
            if (layout == 1) (void)check_series(&c.side, "U", "side", 7, NULL, t.offsets64, t.data);
            if (layout == 2) (void)check_series(&c.side, "vu", "side", 7, all, t.views, "");
            struct check_column dictionary;
            if (layout == 3) {
                static const uint32_t indexes[7] = {1, 1, 3, 3, 1, 2, 3};
                fill_texts(&d, values, 4);
                (void)check_series(&dictionary, "vu", "", 4, NULL, d.views, "");
                (void)check_series(&c.side, "I", "side", 7, NULL, indexes, NULL);
                c.side.schema.dictionary = &dictionary.schema;
                c.side.array.dictionary = &dictionary.array;
            }
            CHECK_OK(match_columns(&c, text_sides, n_sides, VF_FIFO_QTY, &out));
            check_spec_quantities(&out);
            CHECK(strcmp(out.schema.name, "matched_qty") == 0);
            vf_column_release(&out);
        }
    }
    /* booleans: true enters; a null side is no trade */
    static const uint8_t bits[1] = {0x13}, valid[1] = {0x5f};
    static const struct vf_side truth[3] = {{.integer = 1, .entry = true},
                                            {.integer = 0, .entry = false},
                                            {.text = "B", .length = 1, .entry = true}};
    spec_columns(&c);
    (void)check_series(&c.side, "b", "side", 7, valid, bits, NULL);
    CHECK_OK(match_columns(&c, truth, 3, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
    static const uint8_t bytes[7] = {1, 1, 0, 0, 1, 9, 0};
    spec_columns(&c);
    (void)check_series(&c.side, "C", "side", 7, valid, bytes, NULL);
    CHECK_OK(match_columns(&c, truth, 3, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
    static const double floats[7] = {1, 1, 2, 2, 1, 0, 2};
    static const int32_t days[7] = {1, 1, 2, 2, 1, 0, 2};
    spec_columns(&c);
    (void)check_series(&c.side, "g", "side", 7, NULL, floats, NULL);
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
    (void)check_series(&c.side, "tdD", "side", 7, NULL, days, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_TYPE);
}

/* Decimals of 128 bits, tenths of the specification's quantities; other widths are refused. */
static void test_decimals(void) {
    int64_t words[14] = {0};
    struct columns c;
    struct vf_column out;
    for (int i = 0; i < 7; i++)
        words[2 * i] = (int64_t)spec_quantity[i] * 10;
    spec_columns(&c);
    (void)check_series(&c.quantity, "d:12,1", "qty", 7, NULL, words, NULL);
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
    CHECK(strcmp(out.schema.format, "d:12,1") == 0);
    const int64_t *got_words = out.array.buffers[1];
    static const int64_t tenths[11] = {1000, 200, 300, 1000, 200, 300, 500, 100, 300, 0, 100};
    for (int i = 0; i < 11; i++) {
        CHECK_I64(got_words[2 * i], tenths[i]);
        CHECK_I64(got_words[2 * i + 1], 0);
    }
    vf_column_release(&out);
    static const char *const others[4] = {"d:50,1,256", "d:9,1,32", "d:0,0", "d:12"};
    for (int i = 0; i < 4; i++) {
        (void)check_series(&c.quantity, others[i], "qty", 7, NULL, words, NULL);
        CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_TYPE);
    }
}

/* What is held: of two lots of 4 and 6 and a purchase of 10, twelve are sold; and of a symbol without rows. */
static void test_rests(void) {
    static const int64_t held_symbol[4] = {1, 2, 1, 3}, held[4] = {4, 7, 6, 0}, symbol[2] = {1, 1}, time[2] = {1, 2};
    static const int64_t side[2] = {1, 2}, quantity[2] = {10, 12};
    static const double price[2] = {20, 21}, held_price[4] = {10, 11, 12, 13};
    struct vf_fifo_options options = {
        .sides = plain_sides, .n_sides = 2, .columns = VF_FIFO_ENTRY_PRICE, .rests = true};
    struct check_column c[6];
    struct vf_column out[VF_FIFO_N_REST_COLUMNS];
    struct vf_fifo *fifo = NULL;
    memset(out, 0x5a, sizeof out);
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_inventory(fifo, check_series(&c[0], "l", "symbol", 4, NULL, held_symbol, NULL), 1,
                               check_series(&c[1], "l", "qty", 4, NULL, held, NULL),
                               check_series(&c[2], "g", "price", 4, NULL, held_price, NULL), &check_error));
    struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 2, NULL, symbol, NULL),
                                  .n_keys = 1,
                                  .sort = check_series(&c[1], "l", "t", 2, NULL, time, NULL),
                                  .side = check_series(&c[2], "l", "side", 2, NULL, side, NULL),
                                  .quantity = check_series(&c[3], "l", "qty", 2, NULL, quantity, NULL),
                                  .price = check_series(&c[4], "g", "price", 2, NULL, price, NULL)};
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_STATUS(vf_fifo_rests(fifo, out, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_STATUS(vf_fifo_rests(fifo, NULL, &check_error), VF_ERROR_ARGUMENT);
    for (int again = 0; again < 2; again++) {
        CHECK_OK(vf_fifo_rests(fifo, out, &check_error));
        CHECK_I64(out[0].array.length, 2);
        CHECK_I64(((const uint8_t *)out[1].array.buffers[0])[0] & 3, 2);
        CHECK_I64(((const uint32_t *)out[0].array.buffers[1])[0], 0); /* row 0: 8 of 10 */
        CHECK_I64(((const uint32_t *)out[1].array.buffers[1])[1], 1); /* the second lot, whole */
        CHECK_I64(((const int64_t *)out[2].array.buffers[1])[0], 8);
        CHECK_I64(((const int64_t *)out[2].array.buffers[1])[1], 7);
        CHECK_I64(((const uint8_t *)out[3].array.buffers[1])[0], 0);
        CHECK_F64(((const double *)out[4].array.buffers[1])[0], 20);
        CHECK_F64(((const double *)out[4].array.buffers[1])[1], 11);
        for (int i = 0; i < VF_FIFO_N_REST_COLUMNS; i++)
            vf_column_release(&out[i]);
    }
    vf_fifo_close(fifo);
    options.rests = false;
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_STATUS(vf_fifo_rests(fifo, out, &check_error), VF_ERROR_STATE);
    vf_fifo_close(fifo);
}

static void test_quantity_types(void) {
    static const char *const formats[10] = {"c", "C", "s", "S", "i", "I", "l", "L", "f", "g"};
    for (int f = 0; f < 10; f++) {
        uint8_t data[7 * 8];
        struct columns c;
        struct vf_column out;
        for (int i = 0; i < 7; i++) {
            double x = spec_quantity[i];
            int64_t whole = (int64_t)x;
            float single = (float)x;
            size_t width = f < 2 ? 1 : f < 4 ? 2 : f < 6 || f == 8 ? 4 : 8;
            const void *from = f == 8   ? (const void *)&single
                               : f == 9 ? (const void *)&x
                                        : (const void *)&whole;
            memcpy(data + (size_t)i * width, from, width);
        }
        spec_columns(&c);
        (void)check_series(&c.quantity, formats[f], "qty", 7, NULL, data, NULL);
        CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
        CHECK(strcmp(out.schema.format, formats[f]) == 0);
        check_spec_quantities(&out);
        vf_column_release(&out);
    }
    static const uint64_t huge[7] = {1, 2, UINT64_C(1) << 63, 0, 0, 0, 0};
    struct columns c;
    struct vf_column out;
    spec_columns(&c);
    (void)check_series(&c.quantity, "L", "qty", 7, NULL, huge, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, 2);
    (void)check_series(&c.quantity, "b", "qty", 7, NULL, huge, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_TYPE);
}

static void check_holding(const char *format, const void *times, const char *want_format, double unit) {
    static const int64_t holdings[11] = {100, 40, 100, 100, 40, 100, -1, 60, -1, -1, 60};
    for (int shared = 0; shared < 2; shared++) {
        struct columns c;
        struct vf_column out;
        spec_columns(&c);
        (void)check_series(&c.time, format, "when", 7, NULL, times, NULL);
        if (shared != 0) (void)check_series(&c.sort, format, "when", 7, NULL, times, NULL);
        CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_HOLDING, &out));
        CHECK(strcmp(out.schema.format, want_format) == 0);
        for (int64_t k = 0; k < 11 && out.array.length == 11; k++) {
            CHECK(check_valid(&out, k) == (holdings[k] >= 0));
            if (holdings[k] < 0) continue;
            double x = want_format[0] == 'g' ? check_f64(&out, k) : (double)check_i64(&out, k);
            CHECK_F64(x, (double)holdings[k] * unit);
        }
        vf_column_release(&out);
    }
}

static void test_time_types(void) {
    int32_t narrow[7];
    int64_t days[7];
    double floats[7];
    float singles[7];
    for (int i = 0; i < 7; i++) {
        narrow[i] = (int32_t)spec_time[i];
        days[i] = spec_time[i] + 20000;
        floats[i] = (double)spec_time[i] + 0.25;
        singles[i] = (float)floats[i];
    }
    check_holding("l", spec_time, "l", 1);
    check_holding("i", narrow, "l", 1);
    check_holding("I", narrow, "l", 1);
    check_holding("g", floats, "g", 1);
    check_holding("f", singles, "g", 1);
    check_holding("tsn:", days, "tDn", 1);
    check_holding("tsu:Asia/Shanghai", days, "tDu", 1);
    check_holding("tsm:", days, "tDm", 1);
    check_holding("tss:", days, "tDs", 1);
    check_holding("ttn", days, "tDn", 1);
    check_holding("ttm", narrow, "tDm", 1);
    check_holding("tts", narrow, "tDs", 1);
    check_holding("tDu", days, "tDu", 1);
    check_holding("tdD", narrow, "tDu", 86400e6);
    check_holding("tdm", days, "tDm", 1);
    struct columns c;
    struct vf_column out;
    static const int64_t far[7] = {INT64_MIN, 60, 100, 160, 200, INT64_MAX, INT64_MAX};
    spec_columns(&c);
    (void)check_series(&c.time, "l", "when", 7, NULL, far, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_HOLDING, &out), VF_ERROR_OVERFLOW);
    CHECK(strcmp(check_error.column, "when") == 0);
    CHECK_I64(check_error.row, 6);
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out)); /* not asked for, not in the way */
    vf_column_release(&out);
    /* from the time that is shared to one that is not, in the middle of the day */
    struct vf_fifo_options options = {.sides = plain_sides, .n_sides = 2, .columns = VF_FIFO_HOLDING};
    struct vf_fifo *fifo = NULL;
    struct check_column when;
    (void)check_series(&c.time, "l", "t", 7, NULL, spec_time, NULL);
    for (int64_t i = 0; i < 7; i++)
        days[i] = spec_time[i] + 5;
    (void)check_series(&when, "l", "t", 7, NULL, days, NULL);
    struct vf_fifo_batch batch = {.keys = &c.symbol.series, .n_keys = 1,
                                  .sort = &c.sort.series,
                                  .time = &c.sort.series,
                                  .side = &c.side.series,
                                  .quantity = &c.quantity.series};
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    batch.time = &when.series;
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    uint32_t counts[14];
    batch.time = &c.sort.series;
    CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 7, VF_FIFO_HOLDING, counts, &out, &check_error));
    CHECK_I64(check_i64(&out, 0), 100);
    int64_t given = out.array.length;
    vf_column_release(&out);
    batch.time = &when.series;
    CHECK_OK(vf_fifo_emit(fifo, &batch, 7, 7, VF_FIFO_HOLDING, counts, &out, &check_error));
    /* row 4 was open with 30 when the day began anew at time 0: rows sort by t, so 0, 7, 1, 8, ... */
    CHECK(given + out.array.length > 14);
    vf_column_release(&out);
    vf_fifo_close(fifo);
}

static void test_symbol_types(void) {
    static const char *const names[7] = {"600000", "600000", "600000", "600000", "600000", "x", "600000"};
    struct text_column t;
    struct columns c;
    struct vf_column out;
    fill_texts(&t, names, 7);
    spec_columns(&c);
    (void)check_series(&c.symbol, "vu", "symbol", 7, NULL, t.views, "");
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
    (void)check_series(&c.symbol, "u", "symbol", 7, NULL, t.offsets32, t.data);
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
    (void)check_series(&c.symbol, "g", "symbol", 7, NULL, prices, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_TYPE);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------------- */

static void test_bad_values(void) {
    struct columns c;
    struct vf_column out;
    static const double bad[7] = {100, 50, 120, NAN, -40, -10, INFINITY};
    static const uint8_t some[1] = {0x5b}; /* rows 2 and 5 are null */
    spec_columns(&c);
    (void)check_series(&c.quantity, "g", "volume", 7, NULL, bad, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "volume") == 0);
    CHECK_I64(check_error.row, 3);
    CHECK_I64(check_error.count, 3); /* row 5 is no trade */
    CHECK(strstr(check_error.message, "NaN") != NULL);
    (void)check_series(&c.quantity, "g", "volume", 7, some, spec_quantity, NULL);
    CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 2);
    CHECK_I64(check_error.count, 1);
    CHECK(strstr(check_error.message, "is null") != NULL);
    for (int k = 0; k < 3; k++) {
        struct check_column *columns[3];
        static const char *const names[3] = {"symbol", "t", "when"};
        spec_columns(&c);
        (void)check_series(&c.time, "l", "when", 7, NULL, spec_time, NULL);
        columns[0] = &c.symbol, columns[1] = &c.sort, columns[2] = &c.time;
        (void)check_series(columns[k], "l", names[k], 7, some, k == 0 ? ones : spec_time, NULL);
        CHECK_STATUS(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_DATA);
        CHECK(strcmp(check_error.column, names[k]) == 0);
        CHECK_I64(check_error.row, 2);
        CHECK_I64(check_error.count, 1);
    }
    /* a null at a row that is no trade is nobody's business */
    static const uint8_t others[1] = {0x5f};
    spec_columns(&c);
    (void)check_series(&c.symbol, "l", "symbol", 7, others, ones, NULL);
    (void)check_series(&c.sort, "l", "t", 7, others, spec_time, NULL);
    (void)check_series(&c.quantity, "g", "qty", 7, others, spec_quantity, NULL);
    CHECK_OK(match_columns(&c, plain_sides, 2, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
}

static void test_no_side_found(void) {
    static const char *const texts[7] = {
        "Buy", "Buy", "Verkauf", "Buy", "", "a long value of a side \xc3\xa4\xc3\xa4\xc3\xa4", "Buy"};
    struct text_column t;
    struct columns c;
    struct vf_column out;
    static const uint8_t valid[1] = {0x3f};
    fill_texts(&t, texts, 5);
    spec_columns(&c);
    (void)check_series(&c.side, "vu", "side", 5, valid, t.views, "");
    c.symbol.array.length = c.sort.array.length = c.time.array.length = c.quantity.array.length = 5;
    CHECK_STATUS(match_columns(&c, text_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "side") == 0);
    CHECK(strstr(check_error.message, "listed: entry \"B\", exit \"Sell\"") != NULL);
    CHECK(strstr(check_error.message, "found: \"Buy\", \"Verkauf\", \"\"") != NULL);
    spec_columns(&c);
    CHECK_STATUS(match_columns(&c, text_sides, 2, VF_FIFO_QTY, &out), VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "found: 1, 2, 7") != NULL);
}

static void test_options(void) {
    struct vf_fifo *fifo = NULL;
    struct vf_fifo_options options = {.sides = plain_sides, .n_sides = 1};
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_open(NULL, NULL, &fifo, &check_error), VF_ERROR_ARGUMENT);
    const struct vf_side twice[3] = {
        text_sides[0], text_sides[1], {.text = "B", .length = 1, .entry = false}};
    options.sides = twice;
    options.n_sides = 3;
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "\"B\"") != NULL);
    options.n_sides = 2;
    options.columns = 1u << VF_FIFO_N_COLUMNS;
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    options.columns = 0;
    options.rows = (enum vf_fifo_rows)9;
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    CHECK(fifo == NULL);
    vf_fifo_close(NULL);
}

static void test_states_and_replay(void) {
    static int64_t changed[DAY];
    seed = 99;
    struct day day = random_day(DAY, 9, 0);
    memcpy(changed, r_time, sizeof changed);
    struct vf_fifo_options options = {.sides = plain_sides, .n_sides = 2, .columns = VF_FIFO_QTY};
    struct vf_fifo *fifo = NULL;
    struct batch b;
    struct vf_column out;
    uint32_t counts[DAY];
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_STATUS(vf_fifo_match(fifo, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_fifo_emit(fifo, NULL, 0, 0, 0, counts, NULL, &check_error), VF_ERROR_STATE);
    make_batch(&b, &day, NULL, 0, DAY);
    b.series.price = NULL;
    b.series.sort = NULL;
    CHECK_STATUS(vf_fifo_update(fifo, &b.series, &check_error), VF_ERROR_ARGUMENT);
    b.series.sort = b.series.time;
    b.quantity.array.length--;
    CHECK_STATUS(vf_fifo_update(fifo, &b.series, &check_error), VF_ERROR_ARGUMENT);
    CHECK_I64(vf_fifo_rows_in(fifo), 0);
    CHECK_I64(vf_fifo_trades_in(fifo), 0);
    b.quantity.array.length++;
    CHECK_OK(vf_fifo_update(fifo, &b.series, &check_error));
    int64_t trades = 0;
    for (int64_t i = 0; i < DAY; i++)
        trades += day.side[i] == plain_sides[0].integer || day.side[i] == plain_sides[1].integer;
    CHECK_I64(vf_fifo_trades_in(fifo), trades);
    CHECK(trades > 0 && trades < DAY);
    b.quantity.schema.format = "l";
    CHECK_STATUS(vf_fifo_update(fifo, &b.series, &check_error), VF_ERROR_TYPE);
    b.quantity.schema.format = "g";
    CHECK_STATUS(vf_fifo_inventory(fifo, b.series.keys, 1, b.series.quantity, NULL, &check_error),
                 VF_ERROR_STATE);
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_STATUS(vf_fifo_match(fifo, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_fifo_update(fifo, &b.series, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_fifo_emit(fifo, &b.series, 0, DAY, VF_FIFO_HOLDING, counts, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_emit(fifo, NULL, 0, DAY, VF_FIFO_QTY, counts, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_emit(fifo, &b.series, DAY + 1, DAY, VF_FIFO_QTY, counts, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_replayed(fifo, &check_error), VF_ERROR_REPLAY);
    make_batch(&b, &day, NULL, 5, 10);
    CHECK_STATUS(vf_fifo_emit(fifo, &b.series, 5, 10, 0, counts, NULL, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_fifo_emit(fifo, &b.series, 0, 9, 0, counts, NULL, &check_error), VF_ERROR_ARGUMENT);
    make_batch(&b, &day, NULL, 0, DAY);
    changed[1234]++;
    day.time = changed;
    for (int64_t row = 0; row < DAY; row += 1500) {
        make_batch(&b, &day, NULL, row, 1500);
        CHECK_STATUS(vf_fifo_emit(fifo, &b.series, row, 1500, 0, counts, NULL, &check_error),
                     row == 0 ? VF_OK : VF_ERROR_REPLAY);
    }
    CHECK_I64(check_error.row, 0);
    vf_fifo_rewind(fifo);
    day.time = r_time;
    make_batch(&b, &day, NULL, 0, DAY);
    CHECK_OK(vf_fifo_emit(fifo, &b.series, 0, DAY, 0, NULL, NULL, &check_error));
    CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    make_batch(&b, &day, NULL, 0, 1);
    CHECK_STATUS(vf_fifo_emit(fifo, &b.series, DAY, 1, 0, counts, NULL, &check_error), VF_ERROR_REPLAY);
    CHECK_I64(check_error.row, DAY);
    vf_fifo_close(fifo);
}

/* Keys of a side's dictionary were loaded as if they were aligned (UndefinedBehaviorSanitizer shows it). */
static void test_sides_of_unaligned_keys(void) {
    static const char *const values[4] = {"x", "B", "C", "Sell"};
    static const uint32_t indexes[7] = {1, 1, 3, 3, 1, 2, 3};
    static uint8_t shifted[sizeof indexes + 1];
    struct text_column d;
    struct columns c;
    struct vf_column out;
    struct check_column dictionary;
    memcpy(shifted + 1, indexes, sizeof indexes);
    spec_columns(&c);
    fill_texts(&d, values, 4);
    (void)check_series(&dictionary, "vu", "", 4, NULL, d.views, "");
    (void)check_series(&c.side, "I", "side", 7, NULL, shifted + 1, NULL);
    c.side.schema.dictionary = &dictionary.schema;
    c.side.array.dictionary = &dictionary.array;
    CHECK_OK(match_columns(&c, text_sides, 2, VF_FIFO_QTY, &out));
    check_spec_quantities(&out);
    vf_column_release(&out);
}

/* The table of symbols stayed of the kind that a refused call had: texts were looked up among integers. */
static void test_symbols_after_a_refused_call(void) {
    static const int64_t numbers[2] = {1, 1}, held[2] = {5, -5}, side[2] = {1, 2}, time[2] = {1, 2}, quantity[2] = {3, 3};
    static const int32_t offsets[3] = {0, 1, 2};
    struct vf_fifo_options options = {.sides = plain_sides, .n_sides = 2, .columns = VF_FIFO_ENTRY_ID};
    for (int text_first = 0; text_first < 2; text_first++) {
        struct check_column texts, whole, lots, s, t, q;
        struct vf_column out;
        struct vf_fifo *fifo = NULL;
        (void)check_series(&texts, "u", "symbol", 2, NULL, offsets, "AA");
        (void)check_series(&whole, "l", "symbol", 2, NULL, numbers, NULL);
        (void)check_series(&lots, "l", "held", 2, NULL, held, NULL);
        struct vf_series *first = text_first ? &texts.series : &whole.series;
        struct vf_fifo_batch batch = {.keys = text_first ? &whole.series : &texts.series, .n_keys = 1,
                                      .sort = check_series(&t, "l", "t", 2, NULL, time, NULL),
                                      .side = check_series(&s, "l", "side", 2, NULL, side, NULL),
                                      .quantity = check_series(&q, "l", "qty", 2, NULL, quantity, NULL)};
        CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
        CHECK_STATUS(vf_fifo_inventory(fifo, first, 1, &lots.series, NULL, &check_error), VF_ERROR_DATA);
        CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
        CHECK_OK(vf_fifo_match(fifo, &check_error));
        CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 2, VF_FIFO_ENTRY_ID, NULL, &out, &check_error));
        CHECK_I64(out.array.length, 2);
        CHECK_I64(check_u32(&out, 0), 0);
        CHECK_I64(check_u32(&out, 1), 0);
        vf_column_release(&out);
        vf_fifo_close(fifo);
    }
}

int main(void) {
    test_specification();
    test_open_short();
    test_inventory();
    test_zero_quantities();
    test_fractions();
    test_order();
    test_no_rows();
    test_random_days();
    test_cuts();
    test_many_pieces();
    test_large_quantities();
    test_laws();
    test_side_types();
    test_quantity_types();
    test_decimals();
    test_rests();
    test_time_types();
    test_symbol_types();
    test_bad_values();
    test_no_side_found();
    test_options();
    test_states_and_replay();
    test_sides_of_unaligned_keys();
    test_symbols_after_a_refused_call();
    return check_report("fifo");
}
