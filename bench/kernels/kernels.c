/* Runs one kernel once, on the same data every time and in one thread, for gate.py to count its instructions.
   Not a timing, and not a test of results: the answer is printed so that a kernel that does other work is noticed.

   Only what runs below measured() is counted; data is made and answers are hashed outside it. Kernels are called through
   the public header, batch by batch, with the types that the Python face hands them. */
#include "vizflow/vizflow.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 131072, BATCH = 32768, SYMBOLS = 500, CELLS = 24000, MOST = 64 };

#define SECOND_NS INT64_C(1000000000)
static const struct vf_session china[] = {{34200 * SECOND_NS, 41400 * SECOND_NS},
                                          {46800 * SECOND_NS, 54000 * SECOND_NS}};
static const struct vf_context one_thread = {.n_threads = 1};
static struct vf_error error;

static void must(enum vf_status status) {
    if (status == VF_OK) return;
    fprintf(stderr, "%s: %s\n", vf_status_name(status), error.message);
    exit(1);
}

/* ---- columns: views of static arrays, cut into batches by moving their window ---- */

struct column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct ArrowArray *chunk;
    const void *buffers[3];
    struct vf_series series;
};

static void view(struct column *c, const char *format, int64_t n, const void *values, const void *data) {
    *c = (struct column){.schema = {.format = format, .name = "x"}, .buffers = {NULL, values, data}};
    c->array = (struct ArrowArray){.length = n, .n_buffers = data != NULL ? 3 : 2, .buffers = c->buffers};
    c->chunk = &c->array;
    c->series = (struct vf_series){.schema = &c->schema, .chunks = &c->chunk, .n_chunks = 1};
}

static const struct vf_series *cut(struct column *c, int64_t first) {
    c->array.offset = first;
    c->array.length = BATCH;
    return &c->series;
}

/* ---- data: a day in time order, with some late prints, a few busy symbols and many quiet ones ---- */

static uint64_t seed = 20240102;

static uint64_t random_bits(void) { /* splitmix64 */
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static double random_unit(void) {
    return (double)(random_bits() >> 11) * 0x1p-53;
}

static int64_t symbols[ROWS], ticks[ROWS], quantities[ROWS], sizes[ROWS];
static double seconds[ROWS], prices[ROWS], bids[ROWS], asks[ROWS], alphas[ROWS], changes[ROWS], noisy[ROWS];
static int32_t days[ROWS], offsets[ROWS + 1];
static char sides[ROWS][16], texts[ROWS * 23 + 1];
static uint32_t counts[ROWS];
static struct column symbol, tick, second, side, quantity, price, bid, ask, alpha, change, noise, day, text, size;

static void set_text(char view16[16], const char *value) {
    int32_t length = (int32_t)strlen(value); /* up to 12 bytes lie in the view itself */
    memset(view16, 0, 16);
    memcpy(view16, &length, sizeof length);
    memcpy(view16 + 4, value, (size_t)length);
}

static void make_day(void) {
    static double level[SYMBOLS];
    for (int s = 0; s < SYMBOLS; s++)
        level[s] = 5 + 100 * random_unit();
    for (int64_t i = 0; i < ROWS; i++) {
        double u = random_unit();
        int64_t s = (int64_t)(u * u * u * SYMBOLS), ms = i * 14400000 / ROWS;
        if (random_bits() % 1000 == 0 && ms > 200) ms -= 200;
        int64_t wall = ms + (ms < 7200000 ? 34200000 : 39600000);
        level[s] *= 1 + 1e-4 * (random_unit() - 0.5);
        uint64_t kind = random_bits() % 20;
        symbols[i] = 600000 + s;
        seconds[i] = (double)ms / 1000;
        ticks[i] = wall / 3600000 * 10000000 + wall / 60000 % 60 * 100000 + wall % 60000;
        set_text(sides[i], kind < 9 ? "Buy" : kind < 18 ? "Sell" : "Cancel");
        quantities[i] = (int64_t)(random_bits() % 20 + 1) * 100;
        noisy[i] = (double)quantities[i] + 1e-8 * (random_unit() - 0.5);
        bids[i] = floor(level[s] * 100) / 100;
        asks[i] = random_bits() % 200 == 0 ? 0 : bids[i] + 0.01;
        prices[i] = bids[i] + 0.005;
        alphas[i] = round(1e2 * (random_unit() + random_unit() + random_unit() - 1.5)) / 1e5; /* halves of bins, too */
        changes[i] = 2e-3 * (random_unit() + random_unit() + random_unit() - 1.5);
        days[i] = 19359 + (int32_t)(random_bits() % 4); /* 2023-01-02 to 05, all traded below */
        sizes[i] = (int64_t)(random_bits() % 1000);
        counts[i] = (uint32_t)(random_bits() % 4);
    }
    view(&symbol, "l", ROWS, symbols, NULL);
    view(&tick, "l", ROWS, ticks, NULL);
    view(&second, "g", ROWS, seconds, NULL);
    view(&side, "vu", ROWS, sides, "");
    view(&quantity, "l", ROWS, quantities, NULL);
    view(&price, "g", ROWS, prices, NULL);
    view(&bid, "g", ROWS, bids, NULL);
    view(&ask, "g", ROWS, asks, NULL);
    view(&alpha, "g", ROWS, alphas, NULL);
    view(&change, "g", ROWS, changes, NULL);
    view(&noise, "g", ROWS, noisy, NULL);
    view(&day, "tdD", ROWS, days, NULL);
    view(&size, "l", ROWS, sizes, NULL);
}

/* ---- what kernels give; hashed when the counting is over ---- */

static struct vf_column given[MOST];
static size_t n_given;
static int64_t number; /* where the answer is one */

static struct vf_column *room(size_t n) {
    n_given += n;
    if (n_given > MOST) abort();
    return given + n_given - n;
}

static uint64_t mix(uint64_t hash, const void *data, size_t bytes) { /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static size_t width_of(const char *format) {
    if (format[0] == 't' && strcmp(format, "tdD") != 0) return 8;
    switch (format[0]) {
    case 'c':
    case 'C': return 1;
    case 's':
    case 'S': return 2;
    case 'i':
    case 'I':
    case 'f':
    case 't': return 4;
    case 'v': return 16;
    default: return 8;
    }
}

static uint64_t hash_column(uint64_t hash, const struct vf_column *c) {
    const struct ArrowArray *a = &c->array;
    const uint8_t *valid = a->buffers[0];
    const bool is_bits = c->schema.format[0] == 'b', is_text = c->schema.format[0] == 'U';
    for (int64_t i = a->offset; i < a->offset + a->length; i++) {
        uint8_t known = valid == NULL || (valid[i >> 3] >> (i & 7) & 1);
        hash = mix(hash, &known, 1);
        if (!known) continue;
        const uint8_t *values = a->buffers[1];
        if (is_bits) {
            uint8_t bit = values[i >> 3] >> (i & 7) & 1;
            hash = mix(hash, &bit, 1);
        } else if (is_text) {
            const int64_t *at = a->buffers[1];
            hash = mix(hash, (const char *)a->buffers[2] + at[i], (size_t)(at[i + 1] - at[i]));
        } else {
            size_t width = width_of(c->schema.format);
            hash = mix(hash, values + (size_t)i * width, width);
        }
    }
    return hash;
}

/* ---- clock and calendar ---- */

static const struct vf_clock_options hours = {.sessions = china,
                                              .n_sessions = 2,
                                              .grace_ns = 300 * SECOND_NS,
                                              .layout = VF_LAYOUT_HHMMSSMMM};

static void run_clock_digits(void) {
    must(vf_clock_elapsed(&one_thread, &tick.series, &hours, room(1), NULL, &error));
}
static void write_texts(void) {
    for (int64_t i = 0; i < ROWS; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "2024-01-02T%02d:%02d:%02d.%03d", (int)(ticks[i] / 10000000),
                       (int)(ticks[i] / 100000 % 100), (int)(ticks[i] / 1000 % 100), (int)(ticks[i] % 1000));
        memcpy(texts + offsets[i], line, 23);
        offsets[i + 1] = offsets[i] + 23;
    }
    view(&text, "u", ROWS, offsets, texts);
}
static void run_clock_text(void) {
    must(vf_clock_elapsed(&one_thread, &text.series, &hours, room(1), NULL, &error));
}

static struct vf_calendar *calendar;
static char calendar_text[1 << 16];

/* Twenty years with five closed stretches each; four short days a year. */
static void make_calendar_text(void) {
    size_t at = 0;
#define SAY(...) at += (size_t)snprintf(calendar_text + at, sizeof calendar_text - at, __VA_ARGS__)
    SAY("calendar demo\nfirst 2005-01-03\nlast 2024-12-31\nclosed\n");
    for (int year = 2005; year < 2025; year++)
        SAY("%d 0210-0216 0501-0507 0617-0620 0920-0923 1001-1007\n", year);
    SAY("hours 2005-01-03 0930-1130 1300-1500\nspecial 0930-1130\n");
    for (int year = 2005; year < 2025; year++)
        SAY("%d 1223-1226\n", year);
#undef SAY
}
static void open_calendar(void) {
    must(vf_calendar_open(&one_thread, calendar_text, strlen(calendar_text), &calendar, &error));
}
static void prepare_calendar(void) {
    make_calendar_text();
    open_calendar();
}
static void run_calendar_days(void) {
    for (int32_t i = 12787; i < 20000; i++) { /* 2005-01-04 and on */
        int32_t next;
        int64_t index;
        must(vf_calendar_next(calendar, i, &next, &error));
        must(vf_calendar_index(calendar, next, &index, &error));
        number = number * 31 + next + index;
    }
}
static void run_calendar_clock(void) {
    must(vf_clock_elapsed_on(&one_thread, calendar, &tick.series, &day.series, &hours, room(1), NULL, &error));
}

/* ---- bins, casts, mids, quantiles ---- */

static void run_bin_index(void) {
    must(vf_bin_index(&one_thread, &alpha.series, 1e-4, false, room(1), &error));
}
static void run_bin_snap(void) {
    must(vf_bin_index(&one_thread, &alpha.series, 1e-4, true, room(1), &error));
}
static void run_bin_integer(void) {
    must(vf_cast_integer(&one_thread, &noise.series, "l", 1e-6, room(1), &error));
}
static void run_bin_mid(void) {
    must(vf_mid(&one_thread, &bid.series, &ask.series, room(1), &error));
}
static void run_bin_quantiles(void) {
    struct vf_quantiles *quantiles = NULL;
    double cuts[9];
    must(vf_quantiles_open(&one_thread, 10, VF_QUANTILE_LINEAR, &quantiles, &error));
    for (bool more = true; more;) {
        for (int64_t first = 0; first < ROWS; first += BATCH)
            must(vf_quantiles_update(quantiles, cut(&alpha, first), &error));
        must(vf_quantiles_pass(quantiles, &more, &error));
    }
    must(vf_quantiles_cuts(quantiles, cuts, NULL, &error));
    vf_quantiles_close(quantiles);
    for (int i = 0; i < 9; i++)
        number = number * 31 + (int64_t)(cuts[i] * 1e12);
}

/* ---- match, and the expansion of rows ---- */

static const struct vf_side trade_sides[] = {{.text = "Buy", .length = 3, .entry = true},
                                             {.text = "Sell", .length = 4}};
enum { FIFO_COLUMNS = VF_FIFO_ENTRY_ID | VF_FIFO_QTY | VF_FIFO_HOLDING | VF_FIFO_CLOSED };
static struct vf_fifo *fifo;

static struct vf_fifo_batch fifo_batch(int64_t first) {
    return (struct vf_fifo_batch){.keys = cut(&symbol, first), .n_keys = 1,
                                  .sort = cut(&second, first),
                                  .time = &second.series,
                                  .side = cut(&side, first),
                                  .quantity = cut(&quantity, first)};
}
static void open_fifo(void) {
    const struct vf_fifo_options options = {.sides = trade_sides, .n_sides = 2, .columns = FIFO_COLUMNS};
    must(vf_fifo_open(&one_thread, &options, &fifo, &error));
}
static void run_fifo_learn(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_fifo_batch batch = fifo_batch(first);
        must(vf_fifo_update(fifo, &batch, &error));
    }
}
static void prepare_fifo_match(void) {
    open_fifo();
    run_fifo_learn();
}
static void run_fifo_match(void) {
    must(vf_fifo_match(fifo, &error));
    number = vf_fifo_rows_out(fifo);
}
static void prepare_fifo_emit(void) {
    prepare_fifo_match();
    run_fifo_match();
}
static void run_fifo_emit(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_fifo_batch batch = fifo_batch(first);
        must(vf_fifo_emit(fifo, &batch, first, BATCH, FIFO_COLUMNS, counts + first, room(4), &error));
    }
    must(vf_fifo_replayed(fifo, &error));
}
static void run_expand_numbers(void) {
    must(vf_column_expand(&one_thread, &price.series, counts, ROWS, NULL, NULL, room(1), &error));
}
static void run_expand_texts(void) {
    must(vf_column_expand(&one_thread, &side.series, counts, ROWS, NULL, NULL, room(1), &error));
}

/* ---- mark, as-of, days ---- */

static const int64_t horizons[] = {60 * SECOND_NS, 300 * SECOND_NS};
static struct vf_mark *mark;
static struct vf_asof *asof;
static struct vf_series keys[3];

static struct vf_mark_batch mark_batch(int64_t first) {
    keys[0] = *cut(&symbol, first);
    return (struct vf_mark_batch){
        .keys = keys, .n_keys = 1, .time = cut(&second, first), .price = cut(&price, first)};
}
static void open_mark(void) {
    const struct vf_mark_options options = {
        .horizons_ns = horizons, .n_horizons = 2, .tolerance_ns = -1, .end_ns = INT64_MAX};
    must(vf_mark_open(&one_thread, &options, &mark, &error));
}
static void run_mark_learn(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_mark_batch batch = mark_batch(first);
        must(vf_mark_update(mark, &batch, &error));
    }
    number = vf_mark_rows(mark);
}
static void prepare_mark_finish(void) {
    open_mark();
    run_mark_learn();
}
static void run_mark_finish(void) {
    must(vf_mark_finish(mark, &error));
}
static void prepare_mark_emit(void) {
    prepare_mark_finish();
    run_mark_finish();
}
static void run_mark_emit(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_mark_batch batch = mark_batch(first);
        must(vf_mark_emit(mark, &batch, first, BATCH, room(2), &error));
    }
    must(vf_mark_replayed(mark, &error));
}

static struct vf_asof_batch asof_batch(int64_t first) {
    keys[0] = *cut(&symbol, first);
    return (struct vf_asof_batch){.keys = keys, .n_keys = 1, .time = cut(&second, first)};
}
static void open_asof(void) {
    const struct vf_asof_options options = {
        .horizons_ns = horizons, .n_horizons = 2, .tolerance_ns = -1, .end_ns = INT64_MAX, .past_last = true};
    must(vf_asof_open(&one_thread, &options, &asof, &error));
}
static void run_asof_learn(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_asof_batch batch = asof_batch(first);
        must(vf_asof_observe(asof, &batch, &error));
    }
    must(vf_asof_finish(asof, &error));
    number = vf_asof_rows(asof);
}
static void prepare_asof_find(void) {
    open_asof();
    run_asof_learn();
}
static void run_asof_find(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        const struct vf_asof_batch batch = asof_batch(first);
        must(vf_asof_find(asof, &batch, room(2), &error));
    }
}

static void run_daily(void) {
    struct vf_daily *daily = NULL;
    const struct vf_daily_options options = {.end_ns = INT64_MAX};
    must(vf_daily_open(&one_thread, &options, &daily, &error));
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        keys[0] = *cut(&symbol, first);
        const struct vf_daily_batch batch = {.keys = keys,
                                             .n_keys = 1,
                                             .time = cut(&second, first),
                                             .price = cut(&price, first),
                                             .volume = cut(&quantity, first)};
        must(vf_daily_update(daily, &batch, NULL, &error));
    }
    must(vf_daily_finish(daily, room(VF_DAILY_COLUMNS), &error));
    vf_daily_close(daily);
}

/* ---- agg: the job's own grouping, an exact sum of floats, states that merge ---- */

static const struct vf_agg_leaf leaves[] = {{.op = VF_AGG_LEN, .name = "n"},
                                            {.op = VF_AGG_SUM, .value = 0, .name = "qty"},
                                            {.op = VF_AGG_SUM, .value = 1, .name = "notional"}};
static const struct vf_agg_leaf sums[] = {{.op = VF_AGG_SUM, .value = 0, .name = "a"},
                                          {.op = VF_AGG_SQUARES, .value = 0, .name = "aa"}};
static struct vf_column alpha_bins, change_bins;
static struct vf_agg *agg, *merged;
static struct column bin_columns[2];
static struct vf_column states[MOST];

static void open_agg(void) {
    must(vf_bin_index(&one_thread, &alpha.series, 1e-4, false, &alpha_bins, &error));
    must(vf_bin_index(&one_thread, &change.series, 1e-4, false, &change_bins, &error));
    view(&bin_columns[0], "l", ROWS, alpha_bins.array.buffers[1], NULL);
    view(&bin_columns[1], "l", ROWS, change_bins.array.buffers[1], NULL);
    must(vf_agg_open(&one_thread, leaves, 3, 3, 2, &agg, &error));
}
static void run_agg_update(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH) {
        keys[0] = *cut(&bin_columns[0], first);
        keys[1] = *cut(&bin_columns[1], first);
        keys[2] = *cut(&side, first);
        const struct vf_series values[] = {*cut(&quantity, first), *cut(&price, first)};
        must(vf_agg_update(agg, keys, values, BATCH, &error));
    }
    number = vf_agg_groups(agg);
}
static void prepare_agg_finish(void) {
    open_agg();
    run_agg_update();
}
static void run_agg_finish(void) {
    must(vf_agg_finish(agg, room(6), &error));
}
static void open_sums(void) {
    must(vf_agg_open(&one_thread, sums, 2, 0, 1, &agg, &error));
}
static void run_agg_fsum(void) {
    for (int64_t first = 0; first < ROWS; first += BATCH)
        must(vf_agg_update(agg, NULL, cut(&change, first), BATCH, &error));
    must(vf_agg_finish(agg, room(2), &error));
}
static void prepare_agg_merge(void) {
    static const struct vf_agg_leaf merges[] = {{.op = VF_AGG_SUM, .value = 0, .name = "n"},
                                                {.op = VF_AGG_SUM, .value = 1, .name = "qty"},
                                                {.op = VF_AGG_ADD_PAIR, .value = 2, .more = {4}, .name = "notional"}};
    prepare_agg_finish();
    if (vf_agg_state_columns(agg) != 7) abort();
    must(vf_agg_states(agg, states, &error));
    must(vf_agg_open(&one_thread, merges, 3, 3, 4, &merged, &error));
}
static void run_agg_merge(void) { /* the states of ten dates, all alike */
    static struct vf_series columns[7];
    static const struct ArrowArray *chunks[7];
    for (int i = 0; i < 7; i++) {
        chunks[i] = &states[i].array;
        columns[i] = (struct vf_series){.schema = &states[i].schema, .chunks = &chunks[i], .n_chunks = 1};
    }
    for (int date = 0; date < 10; date++)
        must(vf_agg_update(merged, columns, columns + 3, states[0].array.length, &error));
    must(vf_agg_finish(merged, room(6), &error));
}

/* ---- cube: 12 dates of 40 x 25 x 2 cells, most of which hold something ---- */

static int32_t cell_day[CELLS];
static int64_t cell_keys[3][CELLS], cell_count[CELLS];
static double cell_hi[CELLS], cell_lo[CELLS];
static struct column cell_columns[7];
static struct vf_cube *cube;
static const struct vf_cube_state cube_states[] = {{VF_CUBE_ADD_INT, "n"}, {VF_CUBE_ADD_FLOAT, "notional"}};

static void learn_cells(void) {
    int64_t n = 0;
    for (int64_t cell = 0; cell < CELLS; cell++) {
        if (random_bits() % 10 == 0) continue;
        cell_day[n] = 19359 + (int32_t)(cell / 2000);
        cell_keys[0][n] = cell % 40;
        cell_keys[1][n] = cell / 40 % 25;
        cell_keys[2][n] = cell / 1000 % 2;
        cell_count[n] = (int64_t)(random_bits() % 1000);
        cell_hi[n] = floor(1e6 * random_unit()) / 100;
        cell_lo[n++] = 0;
    }
    view(&cell_columns[0], "tdD", n, cell_day, NULL);
    for (int axis = 0; axis < 3; axis++)
        view(&cell_columns[1 + axis], "l", n, cell_keys[axis], NULL);
    view(&cell_columns[4], "l", n, cell_count, NULL);
    view(&cell_columns[5], "g", n, cell_hi, NULL);
    view(&cell_columns[6], "g", n, cell_lo, NULL);
}
static void make_cube(enum vf_cube_layout layout) {
    struct vf_series columns[7];
    for (int i = 0; i < 7; i++)
        columns[i] = cell_columns[i].series;
    const int64_t n = cell_columns[0].array.length;
    must(vf_cube_open(&one_thread, 4, cube_states, 2, &cube, &error));
    must(vf_cube_learn(cube, columns, columns + 4, n, &error));
    must(vf_cube_build(cube, layout, 0, &error));
    must(vf_cube_add(cube, columns, columns + 4, n, &error));
    must(vf_cube_finish(cube, &error));
}
static void run_cube_make(void) {
    make_cube(VF_CUBE_DENSE);
    number = cell_columns[0].array.length;
}
static void prepare_dense(void) {
    learn_cells();
    make_cube(VF_CUBE_DENSE);
}
static void prepare_sparse(void) {
    learn_cells();
    make_cube(VF_CUBE_SPARSE);
}
static void run_cube_query(void) { /* a heatmap, two curves and a total, of windows that grow */
    static const uint32_t kept[][2] = {{1, 2}, {1, 0}, {0, 0}, {0, 0}}, first_dates[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const size_t n_kept[] = {2, 1, 1, 0};
    for (size_t dates = 5; dates <= 8; dates++)
        for (int view_of = 0; view_of < 4; view_of++) {
            const struct vf_cube_pick picks[4] = {{first_dates, dates}, {0}, {0}, {0}};
            const struct vf_cube_query query = {
                .picks = picks, .kept = kept[view_of], .n_kept = n_kept[view_of]};
            struct vf_column out[5];
            must(vf_cube_query(cube, &query, out, &error));
            if (dates == 8) /* the others would not fit; they are like these */
                memcpy(room(n_kept[view_of] + 3), out, (n_kept[view_of] + 3) * sizeof *out);
            else
                for (size_t i = 0; i < n_kept[view_of] + 3; i++)
                    vf_column_release(&out[i]);
        }
}

/* ---- the list ---- */

static void nothing(void) {}

static const struct kernel {
    const char *name; /* family-part: a family is raised together */
    void (*prepare)(void);
    void (*run)(void);
} kernels[] = {
    {"clock-digits", nothing, run_clock_digits},
    {"clock-text", write_texts, run_clock_text},
    {"calendar-open", make_calendar_text, open_calendar},
    {"calendar-days", prepare_calendar, run_calendar_days},
    {"calendar-clock", prepare_calendar, run_calendar_clock},
    {"bin-index", nothing, run_bin_index},
    {"bin-snap", nothing, run_bin_snap},
    {"bin-integer", nothing, run_bin_integer},
    {"bin-mid", nothing, run_bin_mid},
    {"bin-quantiles", nothing, run_bin_quantiles},
    {"fifo-learn", open_fifo, run_fifo_learn},
    {"fifo-match", prepare_fifo_match, run_fifo_match},
    {"fifo-emit", prepare_fifo_emit, run_fifo_emit},
    {"expand-numbers", nothing, run_expand_numbers},
    {"expand-texts", nothing, run_expand_texts},
    {"mark-learn", open_mark, run_mark_learn},
    {"mark-finish", prepare_mark_finish, run_mark_finish},
    {"mark-emit", prepare_mark_emit, run_mark_emit},
    {"asof-learn", open_asof, run_asof_learn},
    {"asof-find", prepare_asof_find, run_asof_find},
    {"daily", nothing, run_daily},
    {"agg-update", open_agg, run_agg_update},
    {"agg-finish", prepare_agg_finish, run_agg_finish},
    {"agg-fsum", open_sums, run_agg_fsum},
    {"agg-merge", prepare_agg_merge, run_agg_merge},
    {"cube-make", learn_cells, run_cube_make},
    {"cube-dense", prepare_dense, run_cube_query},
    {"cube-sparse", prepare_sparse, run_cube_query},
};

/* The only function whose instructions are counted, callees included: gate.py tells callgrind its name. */
__attribute__((noinline)) void measured(const struct kernel *kernel);
void measured(const struct kernel *kernel) {
    kernel->run();
}

static const char toolchain[] =
#if defined(__clang__)
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif

int main(int argc, char **argv) {
    const size_t n = sizeof kernels / sizeof *kernels;
    if (argc == 2 && strcmp(argv[1], "--compiler") == 0) return puts(toolchain) < 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < n; i++)
            puts(kernels[i].name);
        return 0;
    }
    for (size_t i = 0; argc == 2 && i < n; i++)
        if (strcmp(kernels[i].name, argv[1]) == 0) {
            make_day();
            kernels[i].prepare();
            n_given = 0;
            number = 0;
            measured(&kernels[i]);
            uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), &number, sizeof number);
            for (size_t c = 0; c < n_given; c++)
                hash = hash_column(hash, &given[c]);
            printf("%016" PRIx64 "\n", hash);
            return 0;
        }
    fprintf(stderr, "usage: kernels --list | --compiler | KERNEL\n");
    return 2;
}
