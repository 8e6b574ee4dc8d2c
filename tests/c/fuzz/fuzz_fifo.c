/* Days of trades through the FIFO, in any cut and with calls in between that must be refused, against a plain and slow
   queue: another piece ends the program. Not for columns that are malformed (fuzz_arrow.c).

   Input: the options, then inventory, then rows; the bytes behind decide how the rows are handed over. */
#include "fuzz.h"

enum { MOST_ROWS = 3000, MOST_LOTS = 6, MOST_PIECES = 4 * MOST_ROWS + 64, COLUMNS = (1 << VF_FIFO_N_COLUMNS) - 1 };

/* ---- the day --------------------------------------------------------------------------------------------------- */

enum side { NO_TRADE, ENTRY, EXIT };
enum clock { SECONDS, REAL_SECONDS, STAMPS, DAYS };

struct row {
    int symbol; /* -1: null */
    enum side side;
    bool no_sort, no_time, no_quantity;
    int64_t sort, time; /* in the clock's unit; of REAL_SECONDS, quarters of one */
    double quantity;    /* whole numbers below 2^53 where quantities are integers */
    double price;       /* NaN: none */
};

static struct row rows[MOST_ROWS];
static int64_t n_rows;
static struct row lots[MOST_LOTS];
static int64_t n_lots;

static struct {
    enum vf_fifo_rows rows;
    enum vf_excess excess;
    unsigned columns;
    bool integers, text_symbols, text_sides, own_time;
    enum clock clock; /* of time, and of sort */
    uint32_t threads;
} ask;

static const char *const names[] = {"A", "BB", "", "a symbol longer than twelve"};

static double take_quantity(struct bytes *b) {
    static const double odd[] = {0, 0x1p-20, 0x3p-20, 0x1p-9, 1e9, 999999999, 0.25, 0.125, 0.5, 0.75, 1e6, 2.5, 16, 3, 1, 7};
    uint8_t kind = take_byte(b);
    if (ask.integers) return kind % 8 == 7 ? (double)(take_word(b, 8) >> 11) : kind % 8 == 6 ? 0 : (double)(kind % 40);
    if (kind < 128) return (double)(kind % 32) / 16;
    if (kind < 192) return (double)(kind % 64) / 8;
    return odd[kind % 16] * (kind >= 224 ? 3 : 1);
}

static double take_price(struct bytes *b) {
    uint8_t x = take_byte(b);
    return x == 255 ? (double)NAN : x == 254 ? 0 : x == 253 ? -1 : x == 252 ? 1e300 : x == 251 ? 5e-324 : (double)(x % 40) / 4;
}

static void take_row(struct bytes *b, struct row *row) {
    uint8_t x = take_byte(b), y = take_byte(b);
    *row = (struct row){.symbol = x % 4, .side = x % 64 / 4 < 7 ? ENTRY : x % 64 / 4 < 14 ? EXIT : NO_TRADE};
    if (x >= 252) row->symbol = -1;
    row->sort = y % 16;
    row->time = row->sort;
    if (ask.own_time) {
        uint8_t z = take_byte(b);
        row->time = z >= 248 ? (int8_t)(5 * z) : 3 * row->sort - 7; /* mostly it goes as sort does, and must */
    }
    row->no_sort = y >= 253;
    row->no_time = ask.own_time ? y == 252 : row->no_sort;
    row->no_quantity = y == 251;
    row->quantity = take_quantity(b);
    row->price = take_price(b);
    if (y == 250) row->quantity = -1;
    if (y == 249 && !ask.integers) row->quantity = (double)NAN;
    if (y == 248 && !ask.integers) row->quantity = (double)INFINITY;
}

static void take_day(struct bytes *b) {
    ask.rows = (enum vf_fifo_rows)take_between(b, 0, 2);
    ask.excess = (enum vf_excess)take_between(b, 0, 2);
    ask.clock = (enum clock)take_between(b, 0, 3);
    uint8_t bits = take_byte(b);
    ask.integers = bits & 1;
    ask.text_symbols = bits & 2;
    ask.text_sides = bits & 4;
    ask.own_time = bits & 8;
    ask.threads = (bits & 0xf0) == 0xf0 ? 2 : 1;
    ask.columns = take_chance(b, 4) ? (unsigned)take_word(b, 2) & COLUMNS : COLUMNS;
    n_lots = take_between(b, 0, 16) - 16 + MOST_LOTS;
    if (n_lots < 0) n_lots = 0;
    for (int64_t k = 0; k < n_lots; k++) {
        uint8_t x = take_byte(b);
        lots[k] = (struct row){.symbol = x >= 254 ? -1 : x % 4, .quantity = take_quantity(b), .price = take_price(b)};
        if (x >= 192) lots[k].quantity = -lots[k].quantity;
    }
    int64_t repeats = take_chance(b, 64) ? 50 : 1;
    size_t room = (size_t)(b->end - b->at) / 5;
    int64_t n = room < 60 ? (int64_t)room : 60;
    n_rows = 0;
    for (int64_t i = 0; i < n; i++)
        take_row(b, &rows[n_rows++]);
    for (int64_t k = 1; k < repeats; k++)
        for (int64_t i = 0; i < n; i++) {
            rows[n_rows] = rows[i];
            rows[n_rows].sort += 20 * k;
            rows[n_rows++].time += ask.own_time ? 60 * k : 20 * k;
        }
}

/* ---- the oracle: every lot of a symbol is looked at for every row ---------------------------------------------------- */

struct piece {
    int64_t entry, exit; /* rows; -1: none */
    bool trade, matched, no_holding;
    double quantity, entry_price, exit_price, markout, pnl; /* NaN: null */
    int64_t holding;
};

struct found {
    int64_t of;
    bool opens; /* what the row opened comes after what it closed */
    struct piece piece;
};
static struct found founds[MOST_PIECES];
static int64_t n_founds;

struct lot {
    const struct row *row;
    int64_t number; /* of the row; -1: inventory */
    double left;
    bool by_exit;
};

static bool bad_quantity(const struct row *row) {
    return row->no_quantity || !(row->quantity >= 0) || row->quantity > 1.7976931348623157e308;
}

/* What is no price is as if it were not there. */
static double price_of(const struct row *row) {
    return row->price > 0 && row->price < 1e300 ? row->price : (double)NAN;
}

static void found(int64_t of, bool opens, const struct lot *lot, int64_t closer, double quantity, bool on_entry) {
    struct piece p = {.entry = lot != NULL ? lot->number : -1,
                      .exit = closer,
                      .trade = true,
                      .no_holding = true,
                      .quantity = quantity,
                      .entry_price = lot != NULL ? price_of(lot->row) : (double)NAN,
                      .exit_price = closer >= 0 ? price_of(&rows[closer]) : (double)NAN,
                      .markout = (double)NAN,
                      .pnl = (double)NAN};
    if (lot != NULL && closer >= 0) {
        double sign = lot->by_exit ? -1 : 1, ratio = sign * (p.exit_price / p.entry_price - 1);
        p.matched = true;
        p.no_holding = lot->number < 0;
        if (lot->number >= 0) p.holding = rows[closer].time - lot->row->time;
        if (isfinite(ratio)) p.markout = ratio;
        double pnl = sign * ((p.exit_price - p.entry_price) * quantity);
        if (!on_entry && isfinite(pnl)) p.pnl = pnl;
    }
    REQUIRE(n_founds < MOST_PIECES);
    founds[n_founds++] = (struct found){.of = of, .opens = opens, .piece = p};
}

static int64_t n_over, first_over, n_back, first_back;

static void match_row(int64_t i, struct lot *open, size_t *n_open) {
    const struct row *row = &rows[i];
    bool is_exit = row->side == EXIT, shorts = ask.excess == VF_EXCESS_OPEN_SHORT;
    double left = row->quantity;
    struct lot own = {.row = row, .number = i, .left = left, .by_exit = is_exit};
    if (left == 0) {
        found(i, false, is_exit ? NULL : &own, is_exit ? i : -1, 0, false);
        return;
    }
    for (size_t k = 0; left > 0 && (shorts || is_exit) && k < *n_open; k++) {
        struct lot *lot = &open[k];
        if (lot->left == 0 || lot->by_exit == is_exit) continue;
        double take = lot->left < left ? lot->left : left;
        if (lot->number >= 0) found(lot->number, true, lot, i, take, true);
        found(i, false, lot, i, take, false);
        lot->left = lot->left - take; /* exact: all are multiples of 2^-20 below 2^30 */
        left = left - take;
    }
    own.left = left;
    if (left > 0 && (shorts || !is_exit))
        open[(*n_open)++] = own;
    else if (left > 0) {
        found(i, false, NULL, i, left, false);
        if (n_over++ == 0 || i < first_over) first_over = i;
    }
}

static void match_symbol(int symbol) {
    static struct lot open[MOST_ROWS + MOST_LOTS];
    static int64_t order[MOST_ROWS];
    size_t n_open = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < n_lots; k++)
        if (lots[k].symbol == symbol && lots[k].quantity != 0)
            open[n_open++] = (struct lot){
                .row = &lots[k], .number = -1, .left = fabs(lots[k].quantity), .by_exit = lots[k].quantity < 0};
    for (int64_t i = 0; i < n_rows; i++) {
        if (rows[i].symbol != symbol || rows[i].side == NO_TRADE) continue;
        int64_t at = n++;
        for (; at > 0 && rows[order[at - 1]].sort > rows[i].sort; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int64_t k = 0; k < n; k++) {
        match_row(order[k], open, &n_open);
        if (k == 0 || rows[order[k]].time >= rows[order[k - 1]].time) continue;
        if (n_back++ == 0 || order[k] < first_back) first_back = order[k];
    }
    for (size_t k = 0; k < n_open; k++)
        if (open[k].number >= 0 && open[k].left > 0) found(open[k].number, true, &open[k], -1, open[k].left, true);
}

static struct piece wants[MOST_PIECES];
static uint32_t want_counts[MOST_ROWS];
static int64_t n_wants;

/* What the row opened, in one piece: its closed part, and whether that is all of it. */
static void whole_piece(int64_t i) {
    struct piece p = {.entry = i,
                      .exit = -1,
                      .trade = true,
                      .matched = true,
                      .no_holding = true,
                      .entry_price = price_of(&rows[i]),
                      .exit_price = (double)NAN,
                      .markout = (double)NAN,
                      .pnl = (double)NAN};
    bool any = false;
    for (int64_t k = 0; k < n_founds; k++) {
        if (founds[k].of != i || !founds[k].opens) continue;
        any = true;
        if (founds[k].piece.matched)
            p.quantity += founds[k].piece.quantity;
        else
            p.matched = false;
    }
    if (any) wants[n_wants++] = p;
}

static void shape_row(int64_t i) {
    int64_t before = n_wants;
    if (rows[i].side == NO_TRADE) {
        if (ask.rows != VF_FIFO_LOTS) wants[n_wants++] = (struct piece){.entry = -1, .exit = -1, .no_holding = true, .quantity = (double)NAN, .entry_price = (double)NAN, .exit_price = (double)NAN, .markout = (double)NAN, .pnl = (double)NAN};
    } else {
        for (int64_t k = 0; k < n_founds; k++)
            if (founds[k].of == i && !founds[k].opens && (ask.rows != VF_FIFO_LOTS || founds[k].piece.quantity != 0))
                wants[n_wants++] = founds[k].piece;
        if (ask.rows == VF_FIFO_EXITS) whole_piece(i);
        for (int64_t k = 0; ask.rows != VF_FIFO_EXITS && k < n_founds; k++)
            if (founds[k].of == i && founds[k].opens && (ask.rows == VF_FIFO_BOTH || !founds[k].piece.matched))
                wants[n_wants++] = founds[k].piece;
    }
    want_counts[i] = (uint32_t)(n_wants - before);
}

/* The status that matching must have; of VF_ERROR_DATA also the row, -1 where there is none. */
static enum vf_status oracle(int64_t *row) {
    bool any_trade = false;
    *row = -1;
    n_founds = n_wants = n_over = n_back = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        const struct row *r = &rows[i];
        if (r->side == NO_TRADE) continue;
        any_trade = true;
        bool timed = ask.own_time || (ask.columns & VF_FIFO_HOLDING) != 0;
        if (*row < 0 && (r->symbol < 0 || r->no_sort || (timed && r->no_time) || bad_quantity(r))) *row = i;
    }
    if (*row >= 0 || (n_rows > 0 && !any_trade)) return VF_ERROR_DATA;
    for (int symbol = 0; symbol < 4; symbol++)
        match_symbol(symbol);
    if (ask.own_time && (ask.columns & VF_FIFO_HOLDING) != 0 && n_back > 0) {
        *row = first_back;
        return VF_ERROR_DATA;
    }
    *row = first_over;
    if (ask.excess == VF_EXCESS_RAISE && n_over > 0) return VF_ERROR_DATA;
    for (int64_t i = 0; i < n_rows; i++)
        shape_row(i);
    return VF_OK;
}

/* ---- columns of the day, in blocks of their own ------------------------------------------------------------------------ */

static struct blocks blocks;
static struct vf_error err;

struct column {
    struct ArrowSchema schema;
    struct ArrowArray arrays[2];
    const struct ArrowArray *chunks[2];
    const void *buffers[4];
    struct vf_series series;
};

/* n values in one block; two chunks of it where `cut` lies in between. */
static struct column *new_column(const char *format, const char *name, int64_t n, int64_t n_buffers, int64_t cut) {
    struct column *c = block_new(&blocks, sizeof *c);
    size_t bits = (size_t)(n + 7) / 8;
    uint8_t *validity = block_new(&blocks, bits);
    memset(validity, 0xff, bits);
    c->schema = (struct ArrowSchema){.format = format, .name = name, .flags = ARROW_FLAG_NULLABLE};
    c->buffers[0] = validity;
    if (cut < 0 || cut > n) cut = n;
    for (int k = 0; k < 2; k++) {
        c->arrays[k] = (struct ArrowArray){.length = k == 0 ? cut : n - cut,
                                           .offset = k == 0 ? 0 : cut,
                                           .null_count = -1,
                                           .n_buffers = n_buffers,
                                           .buffers = c->buffers};
        c->chunks[k] = &c->arrays[k];
    }
    c->series = (struct vf_series){.schema = &c->schema, .chunks = c->chunks, .n_chunks = cut == n ? 1 : 2};
    return c;
}

static void set_null(struct column *c, int64_t i) {
    ((uint8_t *)(uintptr_t)c->buffers[0])[i / 8] &= (uint8_t)~(1u << (i % 8));
}

/* layout 0: 32-bit offsets, 1: 64-bit offsets, else views. NULL: null. */
static struct column *text_column(const char *name, int64_t n, const char *const *texts, int layout, int64_t cut) {
    struct column *c = new_column(layout == 0 ? "u" : layout == 1 ? "U" : "vu", name, n, layout < 2 ? 3 : 4, cut);
    size_t bytes = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++)
        bytes += texts[i] != NULL ? strlen(texts[i]) : 0;
    char *data = block_new(&blocks, bytes);
    int32_t *narrow = block_new(&blocks, (size_t)(n + 1) * 4);
    int64_t *wide = block_new(&blocks, (size_t)(n + 1) * 8);
    uint8_t *views = block_new(&blocks, (size_t)n * 16);
    int64_t *size = block_new(&blocks, 8);
    for (int64_t i = 0; i < n; i++) {
        int32_t length = texts[i] != NULL ? (int32_t)strlen(texts[i]) : 0, offset = (int32_t)at;
        if (texts[i] == NULL) set_null(c, i);
        if (length > 0) memcpy(data + at, texts[i], (size_t)length);
        memcpy(views + 16 * i, &length, 4);
        if (length > 0) memcpy(views + 16 * i + 4, texts[i], length <= 12 ? (size_t)length : 4);
        if (length > 12) memcpy(views + 16 * i + 12, &offset, 4);
        at += length;
        narrow[i + 1] = (int32_t)at;
        wide[i + 1] = at;
    }
    *size = at;
    c->buffers[1] = layout == 0 ? (void *)narrow : layout == 1 ? (void *)wide : (void *)views;
    c->buffers[2] = data;
    c->buffers[3] = size;
    return c;
}

static struct column *whole_column(const char *name, int64_t n, const int64_t *values, const bool *null, bool narrow, int64_t cut) {
    struct column *c = new_column(narrow ? "c" : "l", name, n, 2, cut);
    int64_t *wide = block_new(&blocks, (size_t)n * 8);
    int8_t *bytes = block_new(&blocks, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        wide[i] = values[i];
        bytes[i] = (int8_t)values[i];
        if (null != NULL && null[i]) set_null(c, i);
    }
    c->buffers[1] = narrow ? (void *)bytes : (void *)wide;
    return c;
}

static struct column *time_column(const char *name, const struct row *first, int64_t n, bool sort, int64_t cut) {
    static const char *const formats[] = {"l", "g", "tsu:", "tdD"};
    struct column *c = new_column(formats[ask.clock], name, n, 2, cut);
    int64_t *wide = block_new(&blocks, (size_t)n * 8);
    double *real = block_new(&blocks, (size_t)n * 8);
    int32_t *days = block_new(&blocks, (size_t)n * 4);
    for (int64_t i = 0; i < n; i++) {
        wide[i] = sort ? first[i].sort : first[i].time;
        real[i] = (double)wide[i] / 4;
        days[i] = (int32_t)wide[i];
        if (sort ? first[i].no_sort : first[i].no_time) set_null(c, i);
    }
    c->buffers[1] = ask.clock == REAL_SECONDS ? (void *)real : ask.clock == DAYS ? (void *)days : (void *)wide;
    return c;
}

static struct column *number_column(const char *name, const struct row *first, int64_t n, bool price, int64_t cut) {
    bool whole = !price && ask.integers;
    struct column *c = new_column(whole ? "l" : "g", name, n, 2, cut);
    int64_t *integers = block_new(&blocks, (size_t)n * 8);
    double *numbers = block_new(&blocks, (size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        numbers[i] = price ? first[i].price : first[i].quantity;
        if (whole) integers[i] = (int64_t)numbers[i];
        if (price ? isnan(numbers[i]) && i % 2 == 0 : first[i].no_quantity) set_null(c, i);
    }
    c->buffers[1] = whole ? (void *)integers : (void *)numbers;
    return c;
}

static struct column *symbol_column(const struct row *first, int64_t n, int layout, int64_t cut) {
    const char **texts = block_new(&blocks, (size_t)n * sizeof *texts);
    int64_t *values = block_new(&blocks, (size_t)n * sizeof *values);
    bool *null = block_new(&blocks, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        null[i] = first[i].symbol < 0;
        texts[i] = null[i] ? NULL : names[first[i].symbol];
        values[i] = first[i].symbol - 1;
    }
    return ask.text_symbols ? text_column("symbol", n, texts, layout, cut)
                            : whole_column("symbol", n, values, null, layout == 1, cut);
}

static struct column *side_column(const struct row *first, int64_t n, int layout, int64_t cut) {
    static const char *const sides[] = {"cancel", "B", "a seller's side", NULL, "Buy"};
    static const int64_t codes[] = {0, 1, -1, 0, 2};
    const char **texts = block_new(&blocks, (size_t)n * sizeof *texts);
    int64_t *values = block_new(&blocks, (size_t)n * sizeof *values);
    bool *null = block_new(&blocks, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        int side = (int)first[i].side;
        if (side == NO_TRADE && i % 2 == 1) side = 3; /* null is no trade either */
        if (side == ENTRY && i % 3 == 2) side = 4;    /* and an entry has two names */
        texts[i] = sides[side];
        values[i] = codes[side];
        null[i] = side == 3;
    }
    return ask.text_sides ? text_column("side", n, texts, layout, cut)
                          : whole_column("side", n, values, null, layout == 1, cut);
}

/* Rows [from, from + n) as a batch, laid out as the bytes say. */
static struct vf_fifo_batch make_batch(struct bytes *b, int64_t from, int64_t n) {
    const struct row *first = rows + from;
    int layout = (int)take_between(b, 0, 2);
    int64_t cut = take_chance(b, 3) ? take_between(b, 0, n) : n;
    struct vf_fifo_batch batch = {.keys = &symbol_column(first, n, layout, cut)->series, .n_keys = 1,
                                  .sort = &time_column("sort", first, n, true, cut)->series,
                                  .side = &side_column(first, n, (layout + 1) % 3, n)->series,
                                  .quantity = &number_column("qty", first, n, false, cut)->series,
                                  .price = &number_column("price", first, n, true, n)->series};
    if (ask.own_time)
        batch.time = &time_column("time", first, n, false, cut)->series;
    else if ((ask.columns & VF_FIFO_HOLDING) != 0)
        batch.time = batch.sort;
    return batch;
}

/* ---- comparing ------------------------------------------------------------------------------------------------------------ */

static bool is_null(const struct vf_column *c, int64_t i) {
    const uint8_t *bits = c->array.buffers[0];
    return bits != NULL && (bits[i / 8] >> (i % 8) & 1) == 0;
}

static double number_at(const struct vf_column *c, int64_t i, bool integer) {
    if (is_null(c, i)) return (double)NAN;
    return integer ? (double)((const int64_t *)c->array.buffers[1])[i] : ((const double *)c->array.buffers[1])[i];
}

static bool same(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static void check_piece(const struct vf_column *c, unsigned column, int64_t i, const struct piece *p) {
    int64_t id = is_null(c, i) || (column & (VF_FIFO_ENTRY_ID | VF_FIFO_EXIT_ID)) == 0
                     ? -1
                     : (int64_t)((const uint32_t *)c->array.buffers[1])[i];
    switch (column) {
    case VF_FIFO_ENTRY_ID:
        REQUIRE(id == p->entry);
        return;
    case VF_FIFO_EXIT_ID:
        REQUIRE(id == p->exit);
        return;
    case VF_FIFO_QTY:
        REQUIRE(same(number_at(c, i, ask.integers), p->quantity));
        return;
    case VF_FIFO_HOLDING: {
        static const double units[] = {1, 0.25, 1, 86400e6};
        REQUIRE(same(number_at(c, i, ask.clock != REAL_SECONDS),
                     p->no_holding ? (double)NAN : (double)p->holding * units[ask.clock]));
        return;
    }
    case VF_FIFO_CLOSED:
        REQUIRE(is_null(c, i) == !p->trade);
        if (p->trade) REQUIRE((((const uint8_t *)c->array.buffers[1])[i / 8] >> (i % 8) & 1) == p->matched);
        return;
    case VF_FIFO_ENTRY_PRICE:
        REQUIRE(same(number_at(c, i, false), p->entry_price));
        return;
    case VF_FIFO_EXIT_PRICE:
        REQUIRE(same(number_at(c, i, false), p->exit_price));
        return;
    case VF_FIFO_CLOSE_MARKOUT:
        REQUIRE(same(number_at(c, i, false), p->markout));
        return;
    default:
        REQUIRE(same(number_at(c, i, false), p->pnl));
        return;
    }
}

/* Rows [from, from + n) of the answer; *place: where their pieces begin. */
static void check_rows(const struct vf_column *out, const uint32_t *counts, int64_t from, int64_t n, int64_t *place) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        REQUIRE(counts[i] == want_counts[from + i]);
        total += counts[i];
    }
    size_t column = 0;
    for (unsigned bit = 1; bit <= COLUMNS; bit <<= 1) {
        if ((ask.columns & bit) == 0) continue;
        REQUIRE(out[column].array.length == total);
        for (int64_t k = 0; k < total; k++)
            check_piece(&out[column], bit, k, &wants[*place + k]);
        column++;
    }
    *place += total;
}

/* ---- the calls -------------------------------------------------------------------------------------------------------------- */

/* False: refused, and then the object is as if it had not been asked. */
static bool give_inventory(struct vf_fifo *fifo, struct bytes *b) {
    bool good = true, long_lots[4] = {false}, short_lots[4] = {false};
    if (n_lots == 0) return true;
    for (int64_t k = 0; k < n_lots; k++) {
        double x = lots[k].quantity;
        if (lots[k].symbol < 0 || isinf(x) || (x < 0 && ask.excess != VF_EXCESS_OPEN_SHORT)) good = false;
        if (lots[k].symbol < 0 || x == 0) continue;
        (x < 0 ? short_lots : long_lots)[lots[k].symbol] = true;
    }
    for (int s = 0; s < 4; s++)
        good = good && !(long_lots[s] && short_lots[s]);
    int layout = (int)take_between(b, 0, 2);
    enum vf_status status = vf_fifo_inventory(fifo, &symbol_column(lots, n_lots, layout, n_lots)->series, 1,
                                              &number_column("held", lots, n_lots, false, n_lots)->series,
                                              &number_column("cost", lots, n_lots, true, n_lots)->series, &err);
    check_error(status, &err);
    REQUIRE(status == (good ? VF_OK : VF_ERROR_DATA));
    return good;
}

static void refused_update(struct vf_fifo *fifo, struct bytes *b) {
    int64_t n = n_rows < 3 ? n_rows : 3;
    if (n == 0) return;
    struct vf_fifo_batch batch = make_batch(b, 0, n);
    if (take_chance(b, 2))
        batch.quantity = &number_column("qty", rows, n + (n < n_rows ? 1 : -1), false, n)->series;
    else
        batch.side = &number_column("side", rows, n + (n < n_rows ? 1 : -1), true, n)->series;
    enum vf_status status = vf_fifo_update(fifo, &batch, &err);
    check_error(status, &err);
    REQUIRE(status == VF_ERROR_ARGUMENT || status == VF_ERROR_TYPE);
}

static void emit_all(struct vf_fifo *fifo, struct bytes *b, const uint32_t *changed) {
    int64_t place = 0;
    uint32_t *counts = block_new(&blocks, (size_t)n_rows * sizeof *counts);
    for (int64_t from = 0, n; from < n_rows; from += n) {
        struct vf_column out[VF_FIFO_N_COLUMNS] = {0};
        n = take_chance(b, 2) ? take_between(b, 1, n_rows - from) : n_rows - from;
        struct vf_fifo_batch batch = make_batch(b, from, n);
        if (take_chance(b, 32) && n_rows > 1) { /* out of order */
            int64_t wrong = from == 0 ? 1 : 0;
            REQUIRE(vf_fifo_emit(fifo, &batch, wrong, n, ask.columns, counts, out, &err) != VF_OK);
        }
        enum vf_status status = vf_fifo_emit(fifo, &batch, from, n, ask.columns, counts, out, &err);
        check_error(status, &err);
        if (changed != NULL && status == VF_ERROR_REPLAY) return;
        REQUIRE(status == VF_OK);
        if (changed == NULL) check_rows(out, counts, from, n, &place);
        for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
            vf_column_release(&out[c]);
    }
    if (changed != NULL) {
        REQUIRE(vf_fifo_replayed(fifo, &err) == VF_ERROR_REPLAY);
        return;
    }
    REQUIRE(place == n_wants && vf_fifo_rows_out(fifo) == n_wants && vf_fifo_rows_in(fifo) == n_rows);
    REQUIRE(vf_fifo_replayed(fifo, &err) == VF_OK);
}

/* The day again with one trade changed: never taken for the day that was learnt. */
static void emit_changed(struct vf_fifo *fifo, struct bytes *b) {
    for (uint32_t i = 0; i < n_rows; i++) {
        if (rows[i].side == NO_TRADE) continue;
        struct row kept = rows[i];
        if (take_chance(b, 2))
            rows[i].quantity += rows[i].quantity + 1;
        else
            rows[i].sort += 1;
        if (memcmp(&kept.quantity, &rows[i].quantity, 8) != 0 || kept.sort != rows[i].sort) emit_all(fifo, b, &i);
        rows[i] = kept;
        vf_fifo_rewind(fifo);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct vf_side text_sides[] = {{.text = "B", .length = 1, .entry = true},
                                                {.text = "Buy", .length = 3, .entry = true},
                                                {.text = "a seller's side", .length = 15}};
    static const struct vf_side whole_sides[] = {
        {.integer = 1, .entry = true}, {.integer = 2, .entry = true}, {.integer = -1}};
    struct bytes b = {.at = data, .end = data + size};
    struct vf_fifo *fifo = NULL;
    int64_t row;
    memset(&ask, 0, sizeof ask);
    err = (struct vf_error){0};
    take_day(&b);
    b.at = data; /* the same bytes once more, for how it is handed over */
    struct vf_fifo_options options = {.sides = ask.text_sides ? text_sides : whole_sides,
                                      .n_sides = 3,
                                      .rows = ask.rows,
                                      .on_excess = ask.excess,
                                      .columns = ask.columns};
    struct vf_context ctx = {.n_threads = ask.threads};
    REQUIRE(vf_fifo_open(&ctx, &options, &fifo, &err) == VF_OK);
    if (!give_inventory(fifo, &b)) n_lots = 0;
    for (int64_t from = 0, n; from < n_rows || from == 0; from += n) {
        n = take_chance(&b, 2) ? take_between(&b, 0, n_rows - from) : n_rows - from;
        if (n == 0 && n_rows > from) n = 1;
        struct vf_fifo_batch batch = make_batch(&b, from, n);
        if (take_chance(&b, 8)) refused_update(fifo, &b);
        REQUIRE(vf_fifo_update(fifo, &batch, &err) == VF_OK);
        if (n == 0) break;
    }
    enum vf_status want = oracle(&row), status = vf_fifo_match(fifo, &err);
    check_error(status, &err);
    REQUIRE(status == want);
    if (status == VF_OK) {
        if (take_chance(&b, 8)) emit_changed(fifo, &b);
        emit_all(fifo, &b, NULL);
        vf_fifo_rewind(fifo);
        emit_all(fifo, &b, NULL);
    } else {
        REQUIRE(err.row == row || row < 0);
        REQUIRE(vf_fifo_rows_out(fifo) == -1);
    }
    vf_fifo_close(fifo);
    blocks_free(&blocks);
    return 0;
}
