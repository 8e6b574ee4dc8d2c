/* The FIFO and the row-expanding step when the n-th allocation fails: no leak, no half-changed object, and success
   once memory is there. Not for results: tests/c/unit has them. */
#include "../check.h"

#define ROWS 5000

static int64_t symbols[ROWS], times[ROWS], whens[ROWS], amounts[ROWS], large[2 * ROWS];
static double prices[ROWS];
static uint8_t side_views[ROWS * 16], symbol_views[ROWS * 16];
static uint32_t counts[ROWS];

static void make_rows(void) {
    for (int64_t i = 0; i < ROWS; i++) {
        const char *side = i % 3 == 0 ? "Sell" : "B";
        char name[16];
        uint32_t side_length = (uint32_t)strlen(side);
        uint32_t name_length = (uint32_t)snprintf(name, sizeof name, "S%d", (int)(i * 7 % 150));
        memcpy(side_views + 16 * i, &side_length, 4);
        memcpy(side_views + 16 * i + 4, side, side_length);
        memcpy(symbol_views + 16 * i, &name_length, 4);
        memcpy(symbol_views + 16 * i + 4, name, name_length);
        symbols[i] = i * 7 % 150;
        times[i] = i % 11 == 0 ? i - 1000 : i; /* some symbols are not in order */
        whens[i] = times[i];
        amounts[i] = 1 + i % 17;
        prices[i] = 10;
        counts[i] = (uint32_t)(i % 4);
    }
    for (int64_t i = 0; i < ROWS; i++)
        large[2 * i + 1] = i > 0 ? amounts[i] : 200; /* times 2^64 */
    amounts[0] = 200; /* a short that many rows close: more pieces than a batch of one row has room for at first */
}

static const struct vf_side sides[3] = {{.text = "B", .length = 1, .entry = true},
                                        {.text = "Sell", .length = 4, .entry = false},
                                        {.text = "a long name of a side", .length = 21, .entry = false}};

static struct vf_fifo_batch batch_of(struct check_column c[6], int64_t first, int64_t n, bool own_time,
                                     bool decimals) {
    return (struct vf_fifo_batch){
        .keys = check_series(&c[0], "vu", "symbol", n, NULL, symbol_views + 16 * first, ""), .n_keys = 1,
        .sort = check_series(&c[1], "l", "t", n, NULL, times + first, NULL),
        .time = own_time ? check_series(&c[2], "l", "when", n, NULL, whens + first, NULL) : &c[1].series,
        .side = check_series(&c[3], "vu", "side", n, NULL, side_views + 16 * first, ""),
        .quantity = decimals ? check_series(&c[4], "d:38,2", "qty", n, NULL, large + 2 * first, NULL)
                             : check_series(&c[4], "l", "qty", n, NULL, amounts + first, NULL),
        .price = check_series(&c[5], "g", "price", n, NULL, prices + first, NULL)};
}

/* Emits all rows once; the sum of the matched quantities, or -1. */
static int64_t emit_all(struct vf_fifo *fifo, bool decimals, enum vf_status *status) {
    struct check_column c[6];
    struct vf_column out[VF_FIFO_N_COLUMNS];
    int64_t sum = 0;
    CHECK_POISON(out);
    for (int64_t row = 0, n; row < ROWS; row += n) {
        n = row == 0 ? 1 : row == 1 ? 2499 : 2500;
        struct vf_fifo_batch again = batch_of(c, row, n, row >= 2500, decimals);
        enum vf_status first =
            vf_fifo_emit(fifo, &again, row, n, (1u << VF_FIFO_N_COLUMNS) - 1, counts, out, &check_error);
        if (first != VF_OK) {
            /* a call that failed has changed nothing: the same call goes on from the same place */
            *status = first;
            first = vf_fifo_emit(fifo, &again, row, n, (1u << VF_FIFO_N_COLUMNS) - 1, counts, out, &check_error);
        }
        if (first != VF_OK) return -1;
        for (int64_t k = 0; k < out[1].array.length; k++)
            sum += decimals ? ((const int64_t *)out[1].array.buffers[1])[2 * k + 1] : check_i64(&out[1], k);
        for (int k = 0; k < VF_FIFO_N_COLUMNS; k++)
            check_release(&out[k]);
    }
    return sum;
}

static enum vf_status keep(enum vf_status status, enum vf_status now) {
    return status != VF_OK ? status : now;
}

static enum vf_status scenario(const struct vf_context *ctx, uint32_t n_threads, size_t n_sides, bool decimals) {
    struct vf_context context = *ctx;
    struct vf_fifo_options options = {.sides = sides,
                                      .n_sides = n_sides,
                                      .on_excess = VF_EXCESS_OPEN_SHORT,
                                      .columns = (1u << VF_FIFO_N_COLUMNS) - 1,
                                      .rests = decimals};
    struct vf_column rests[VF_FIFO_N_REST_COLUMNS];
    struct vf_fifo *fifo = NULL;
    struct check_column c[6], held[3];
    context.n_threads = n_threads;
    enum vf_status status = vf_fifo_open(&context, &options, &fifo, &check_error), step;
    if (status != VF_OK) return status;
    const struct vf_series *symbol = check_series(&held[0], "vu", "s", 150, NULL, symbol_views, "");
    const struct vf_series *quantity = decimals ? check_series(&held[1], "d:38,1", "q", 150, NULL, large + 2, NULL)
                                                : check_series(&held[1], "l", "q", 150, NULL, amounts + 1, NULL);
    const struct vf_series *price = check_series(&held[2], "g", "p", 150, NULL, prices, NULL);
    step = vf_fifo_inventory(fifo, symbol, 1, quantity, price, &check_error);
    status = keep(status, step);
    if (step != VF_OK) step = vf_fifo_inventory(fifo, symbol, 1, quantity, price, &check_error);
    for (int64_t row = 0; step == VF_OK && row < ROWS; row += 2500) {
        struct vf_fifo_batch batch = batch_of(c, row, 2500, row > 0, decimals);
        step = vf_fifo_update(fifo, &batch, &check_error);
        status = keep(status, step);
        if (step != VF_OK) step = vf_fifo_update(fifo, &batch, &check_error);
        if (step == VF_OK) CHECK_I64(vf_fifo_rows_in(fifo), row + 2500);
        CHECK(vf_fifo_trades_in(fifo) <= vf_fifo_rows_in(fifo));
    }
    if (step == VF_OK) {
        step = vf_fifo_match(fifo, &check_error);
        status = keep(status, step);
        if (step != VF_OK) step = vf_fifo_match(fifo, &check_error);
        CHECK(vf_fifo_doubt(fifo) == NULL);
    }
    if (step == VF_OK) {
        int64_t want = 0, sum = emit_all(fifo, decimals, &status);
        for (int64_t i = 0; i < ROWS; i++)
            want += amounts[i];
        if (sum >= 0) CHECK_I64(sum, want);
        if (sum >= 0) CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    }
    if (step == VF_OK && decimals) {
        CHECK_POISON(rests);
        step = vf_fifo_rests(fifo, rests, &check_error);
        status = keep(status, step);
        if (step != VF_OK) step = vf_fifo_rests(fifo, rests, &check_error);
        for (int k = 0; step == VF_OK && k < VF_FIFO_N_REST_COLUMNS; k++)
            check_release(&rests[k]);
    }
    vf_fifo_close(fifo);
    return status;
}

static enum vf_status one_thread(const struct vf_context *ctx) {
    return scenario(ctx, 1, 2, false);
}
static enum vf_status three_threads(const struct vf_context *ctx) {
    return scenario(ctx, 3, 3, false);
}
static enum vf_status large_decimals(const struct vf_context *ctx) {
    return scenario(ctx, 2, 2, true);
}

/* ---- expanding -------------------------------------------------------------------------------------------------- */

static int owned;
static void release_owner(void *owner) {
    (*(int *)owner)--;
}

/* The owner is released with the column, and left alone when there is none. */
static enum vf_status expand(const struct vf_context *ctx, const struct vf_series *series) {
    struct vf_column out;
    CHECK_POISON(out);
    owned = 1;
    enum vf_status status =
        vf_column_expand(ctx, series, counts, ROWS, &owned, release_owner, &out, &check_error);
    CHECK_I64(owned, 1);
    if (status != VF_OK) return status;
    check_release(&out);
    CHECK_I64(owned, 0);
    return VF_OK;
}

static enum vf_status expand_types(const struct vf_context *ctx) {
    static const uint8_t validity[ROWS / 8 + 1] = {0x5a, 0xff, 0x0f};
    static const int32_t offsets[2][4] = {{0, 3, 7, 9}, {0, 4, 6, 9}};
    static int32_t text[ROWS + 1];
    static uint32_t keys[ROWS];
    struct check_column c, values[2];
    enum vf_status status = expand(ctx, check_series(&c, "l", "x", ROWS, validity, symbols, NULL));
    status = keep(status, expand(ctx, check_series(&c, "b", "x", ROWS, validity, symbols, NULL)));
    status = keep(status, expand(ctx, check_series(&c, "u", "x", ROWS, NULL, text, "")));
    c = (struct check_column){0};
    (void)check_series(&c, "vu", "x", ROWS, NULL, symbol_views, "");
    status = keep(status, expand(ctx, &c.series));
    /* two chunks with dictionaries of their own */
    struct ArrowArray second;
    const struct ArrowArray *chunks[2] = {&c.array, &second};
    (void)check_series(&c, "I", "x", ROWS / 2, validity, keys, NULL);
    (void)check_series(&values[0], "u", "", 3, NULL, offsets[0], "buysellno");
    (void)check_series(&values[1], "u", "", 3, NULL, offsets[1], "sellnobuy");
    c.schema.dictionary = &values[0].schema;
    c.array.dictionary = &values[0].array;
    second = c.array;
    second.dictionary = &values[1].array;
    c.series = (struct vf_series){.schema = &c.schema, .chunks = chunks, .n_chunks = 2};
    return keep(status, expand(ctx, &c.series));
}

int main(void) {
    make_rows();
    check_all_faults(one_thread);
    check_all_faults(three_threads);
    check_all_faults(large_decimals);
    check_all_faults(expand_types);
    return check_report("fifo_faults");
}
