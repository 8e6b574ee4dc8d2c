/* The FIFO read a second time: rows with far more pieces than rows usually have, rows that are not those that were
   learnt, and calls that are made again after they failed. Not for what the pieces are: test_fifo.c has that. */
#include "check.h"

enum { N = 6000 };

static int64_t symbols[N], sides[N], times[N], amounts[N];
static uint32_t counts[N];
static const struct vf_side numbers[2] = {{.integer = 1, .entry = true}, {.integer = 2, .entry = false}};

struct columns {
    struct check_column c[4];
    struct vf_fifo_batch batch;
};

static const struct vf_fifo_batch *rows_in(struct columns *c, const int64_t *symbol, const int64_t *time,
                                           const int64_t *side, const int64_t *amount, int64_t n) {
    c->batch = (struct vf_fifo_batch){.keys = check_series(&c->c[0], "l", "symbol", n, NULL, symbol, NULL), .n_keys = 1,
                                      .sort = check_series(&c->c[1], "l", "t", n, NULL, time, NULL),
                                      .time = check_series(&c->c[1], "l", "t", n, NULL, time, NULL),
                                      .side = check_series(&c->c[2], "l", "side", n, NULL, side, NULL),
                                      .quantity = check_series(&c->c[3], "l", "qty", n, NULL, amount, NULL)};
    return &c->batch;
}

static const struct vf_fifo_batch *rows_of(struct columns *c, const int64_t *symbol, int64_t first,
                                           int64_t n) {
    return rows_in(c, symbol + first, times + first, sides + first, amounts + first, n);
}

static struct vf_fifo *matched(uint32_t n_threads, enum vf_fifo_rows rows, int64_t n, unsigned columns) {
    struct vf_context ctx = {.n_threads = n_threads};
    const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .rows = rows, .columns = columns};
    struct vf_fifo *fifo = NULL;
    struct columns c;
    CHECK_OK(vf_fifo_open(&ctx, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, rows_of(&c, symbols, 0, n), &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    return fifo;
}

/* ---- many pieces ---------------------------------------------------------------------------------------------------- */

/* For each of 3 symbols 900 entries of 1 and an exit of 900; emitted in slices of which one holds little else. Then a
   symbol of one entry that 900 exits close. */
static int64_t make_crowd(void) {
    int64_t n = 0;
    for (int64_t symbol = 0; symbol < 3; symbol++)
        for (int64_t i = 0; i <= 900; i++, n++) {
            symbols[n] = symbol;
            sides[n] = i < 900 ? 1 : 2;
            amounts[n] = i < 900 ? 1 : 900;
            times[n] = n;
        }
    for (int64_t i = 0; i <= 900; i++, n++) {
        symbols[n] = 3;
        sides[n] = i == 0 ? 1 : 2;
        amounts[n] = i == 0 ? 901 : 1; /* 1 stays open */
        times[n] = n;
    }
    return n;
}

static int64_t pieces_of_row(enum vf_fifo_rows rows, int64_t row, int64_t crowd) {
    int64_t symbol = row / 901, i = row % 901;
    bool entry = symbol < 3 ? i < 900 : i == 0;
    if (symbol == 3 && i == 0) return rows == VF_FIFO_BOTH ? 901 : 1;
    if (!entry) return symbol < 3 ? 900 : 1;
    (void)crowd;
    return rows == VF_FIFO_LOTS ? 0 : 1;
}

static void test_rows_of_many_pieces(void) {
    static const enum vf_fifo_rows modes[3] = {VF_FIFO_BOTH, VF_FIFO_EXITS, VF_FIFO_LOTS};
    static const int64_t slices[4] = {1, 7, 901, N};
    int64_t n = make_crowd();
    for (int m = 0; m < 3; m++)
        for (int s = 0; s < 4; s++)
            for (uint32_t n_threads = 1; n_threads <= 2; n_threads++) {
                struct columns c;
                unsigned columns = VF_FIFO_QTY | (n_threads == 2 ? VF_FIFO_HOLDING : 0);
                struct vf_fifo *fifo = matched(n_threads, modes[m], n, columns);
                int64_t bad = 0, closed = 0, held = 0, want_held = 0;
                for (int64_t row = 0; row < n; row += slices[s]) {
                    struct vf_column out[2];
                    int64_t k = n - row < slices[s] ? n - row : slices[s], at = 0;
                    CHECK_OK(vf_fifo_emit(fifo, rows_of(&c, symbols, row, k), row, k, columns, counts, out,
                                          &check_error));
                    for (int64_t i = 0; i < k; i++) {
                        bad += counts[i] != pieces_of_row(modes[m], row + i, n);
                        for (uint32_t p = 0; p < counts[i]; p++, at++) {
                            if (sides[row + i] != 2) continue;
                            closed += check_i64(&out[0], at);
                            if (n_threads == 2) held += check_i64(&out[1], at);
                        }
                    }
                    for (int j = 0; j < (n_threads == 2 ? 2 : 1); j++)
                        check_release(&out[j]);
                }
                for (int64_t i = 1; i <= 900; i++)
                    want_held += 3 * i + i;
                CHECK_I64(bad, 0);
                CHECK_I64(closed, 4 * 900);
                if (n_threads == 2) CHECK_I64(held, want_held);
                CHECK_OK(vf_fifo_replayed(fifo, &check_error));
                vf_fifo_close(fifo);
            }
}

/* More pieces than the usual numbers count: MANY entries that one exit closes, then an entry that MANY exits close; in
   quantities that are kept in 4 bytes, and in those that are not. */
enum { MANY = 70000, CROWD = 2 * (MANY + 1) };
static int64_t crowd_symbol[CROWD], crowd_side[CROWD], crowd_time[CROWD], crowd_amount[CROWD];
static uint32_t crowd_counts[CROWD];

static const struct vf_fifo_batch *crowd_rows(struct columns *c, int64_t first, int64_t n) {
    return rows_in(c, crowd_symbol + first, crowd_time + first, crowd_side + first, crowd_amount + first, n);
}

static void check_crowd(unsigned columns, int64_t unit) {
    const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .columns = columns};
    struct vf_fifo *fifo = NULL;
    struct columns c;
    int64_t closed = 0, held = 0, want_held = 0, slice = 30000;
    for (int64_t i = 0; i < CROWD; i++) {
        int64_t k = i % (MANY + 1);
        bool first = i <= MANY, alone = first ? k == MANY : k == 0;
        crowd_symbol[i] = first;
        crowd_side[i] = first == alone ? 2 : 1;
        crowd_amount[i] = alone ? unit * MANY : unit;
        crowd_time[i] = i;
    }
    for (int64_t k = 1; k <= MANY; k++)
        want_held += 2 * k;
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, crowd_rows(&c, 0, CROWD), &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_I64(vf_fifo_rows_out(fifo), 4 * MANY);
    for (int64_t row = 0; row < CROWD; row += slice) {
        struct vf_column out[2];
        int64_t n = CROWD - row < slice ? CROWD - row : slice, at = 0;
        CHECK_OK(vf_fifo_emit(fifo, crowd_rows(&c, row, n), row, n, columns, crowd_counts + row, out, &check_error));
        for (int64_t i = row; i < row + n; i++)
            for (uint32_t p = 0; p < crowd_counts[i]; p++, at++) {
                if (crowd_side[i] != 2) continue;
                closed += check_i64(&out[0], at) / unit;
                if ((columns & VF_FIFO_HOLDING) != 0) held += check_i64(&out[1], at);
            }
        CHECK_I64(out[0].array.length, at);
        check_release(&out[0]);
        if ((columns & VF_FIFO_HOLDING) != 0) check_release(&out[1]);
    }
    CHECK_I64(crowd_counts[MANY], MANY);
    CHECK_I64(crowd_counts[MANY + 1], MANY);
    CHECK_I64(closed, 2 * MANY);
    if ((columns & VF_FIFO_HOLDING) != 0) CHECK_I64(held, want_held);
    CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    vf_fifo_close(fifo);
}

static void test_rows_of_more_pieces_than_16_bits_count(void) {
    check_crowd(VF_FIFO_QTY, 1);
    check_crowd(VF_FIFO_QTY, INT64_C(1) << 40);
    check_crowd(VF_FIFO_QTY | VF_FIFO_HOLDING, 1);
    check_crowd(VF_FIFO_QTY | VF_FIFO_HOLDING, INT64_C(1) << 40);
}

/* ---- other rows ------------------------------------------------------------------------------------------------------ */

static void make_day(void) {
    for (int64_t i = 0; i < N; i++) {
        symbols[i] = i % 11;
        sides[i] = i % 7 == 0 ? 3 : 1 + i / 11 % 2;
        amounts[i] = 1 + i % 5;
        times[i] = i;
    }
}

/* A symbol that has more rows than it had: found out before the block's sum could tell. The call gave nothing and left
   nothing behind, so that the rows that were learnt follow. */
static void test_more_rows_of_a_symbol_than_were_learnt(void) {
    static int64_t others[N];
    make_day();
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++)
        for (int kind = 0; kind < 3; kind++) {
            struct columns c;
            struct vf_column out;
            CHECK_POISON(out);
            struct vf_fifo *fifo = matched(n_threads, VF_FIFO_BOTH, N, VF_FIFO_QTY);
            memcpy(others, symbols, sizeof others);
            for (int64_t i = 0; i < N; i++) {
                if (kind == 0) others[i] = 4;              /* all of one symbol */
                if (kind == 1 && i > 4500) others[i] = 10; /* late, so that shares before it were found */
                if (kind == 2 && symbols[i] == 10) others[i] = 1000; /* a symbol never seen */
            }
            memset(&check_error, 0, sizeof check_error);
            CHECK_STATUS(
                vf_fifo_emit(fifo, rows_of(&c, others, 0, N), 0, N, VF_FIFO_QTY, counts, &out, &check_error),
                VF_ERROR_REPLAY);
            CHECK(check_error.row >= 0 && check_is_rubbish(&out, sizeof out));
            CHECK_STATUS(vf_fifo_emit(fifo, rows_of(&c, others, 0, N), 0, N, VF_FIFO_QTY, counts, &out, NULL),
                         VF_ERROR_REPLAY);
            CHECK_STATUS(vf_fifo_replayed(fifo, &check_error), VF_ERROR_REPLAY);
            CHECK_OK(vf_fifo_emit(fifo, rows_of(&c, symbols, 0, N), 0, N, VF_FIFO_QTY, counts, &out,
                                  &check_error));
            CHECK_I64(out.array.length, vf_fifo_rows_out(fifo));
            check_release(&out);
            CHECK_OK(vf_fifo_replayed(fifo, &check_error));
            vf_fifo_close(fifo);
        }
}

/* The same after rows were given, in a block that is not judged yet: those that the failed call had read are looked for
   again, behind the given ones. */
static void test_failures_after_rows_were_given(void) {
    static int64_t others[N];
    enum { GIVEN = 4096, MORE = 1500 };
    make_day();
    for (int64_t i = 0; i < N; i++)
        others[i] = i < GIVEN + 700 ? symbols[i] : 4;
    for (unsigned timed = 0; timed < 2; timed++) {
        unsigned columns = VF_FIFO_QTY | (timed ? VF_FIFO_HOLDING : 0);
        struct vf_fifo *fifo[2] = {matched(2, VF_FIFO_BOTH, N, columns), matched(2, VF_FIFO_BOTH, N, columns)};
        struct columns c;
        struct vf_column out[2][2];
        for (int k = 0; k < 2; k++) {
            CHECK_OK(vf_fifo_emit(fifo[k], rows_of(&c, symbols, 0, GIVEN), 0, GIVEN, columns, counts, out[k], &check_error));
            for (unsigned i = 0; i <= timed; i++)
                check_release(&out[k][i]);
            if (k == 1)
                CHECK_STATUS(vf_fifo_emit(fifo[k], rows_of(&c, others, GIVEN, MORE), GIVEN, MORE, columns, counts, out[k],
                                          &check_error),
                             VF_ERROR_REPLAY);
            CHECK_OK(vf_fifo_emit(fifo[k], rows_of(&c, symbols, GIVEN, N - GIVEN), GIVEN, N - GIVEN, columns, counts, out[k],
                                  &check_error));
            CHECK_OK(vf_fifo_replayed(fifo[k], &check_error));
            vf_fifo_close(fifo[k]);
        }
        for (unsigned i = 0; i <= timed; i++) {
            int64_t bad = 0, n = out[0][i].array.length;
            CHECK_I64(out[1][i].array.length, n);
            for (int64_t k = 0; k < n && k < out[1][i].array.length; k++)
                bad += check_valid(&out[0][i], k) != check_valid(&out[1][i], k) ||
                       check_i64(&out[0][i], k) != check_i64(&out[1][i], k);
            CHECK_I64(bad, 0);
            check_release(&out[0][i]);
            check_release(&out[1][i]);
        }
    }
}

/* Fewer rows than are compared at a time: nothing but the symbol's own count can tell. */
static void test_a_symbol_is_used_up_within_a_block(void) {
    static int64_t others[N];
    make_day();
    for (int64_t i = 0; i < N; i++)
        others[i] = i < 100 ? symbols[i] : 4;
    for (uint32_t n_threads = 1; n_threads <= 2; n_threads++) {
        struct columns c;
        struct vf_column out;
        CHECK_POISON(out);
        struct vf_fifo *fifo = matched(n_threads, VF_FIFO_BOTH, N, VF_FIFO_QTY);
        for (int again = 0; again < 2; again++)
            CHECK_STATUS(vf_fifo_emit(fifo, rows_of(&c, others, 0, 3000), 0, 3000, VF_FIFO_QTY, counts, &out,
                                      &check_error),
                         VF_ERROR_REPLAY);
        CHECK(check_is_rubbish(&out, sizeof out));
        CHECK_OK(
            vf_fifo_emit(fifo, rows_of(&c, symbols, 0, N), 0, N, VF_FIFO_QTY, counts, &out, &check_error));
        CHECK_I64(out.array.length, vf_fifo_rows_out(fifo));
        check_release(&out);
        CHECK_OK(vf_fifo_replayed(fifo, &check_error));
        vf_fifo_close(fifo);
    }
}

/* ---- a batch that cannot be learnt -------------------------------------------------------------------------------------- */

/* A symbol broken in the last rows: the rows before it were learnt and are forgotten; then the sound batch is as if the
   broken one had never come. */
static void test_a_broken_batch_is_forgotten(void) {
    static uint32_t index[N];
    struct columns c;
    struct check_column values, keys;
    struct vf_column out;
    make_day();
    for (int where = 0; where < 3; where++) {
        struct vf_fifo *fifo = NULL;
        const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .columns = VF_FIFO_QTY};
        CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
        for (uint32_t i = 0; i < N; i++)
            index[i] = i;
        index[where == 0 ? 10 : where == 1 ? 1500 : N - 1] = N;
        (void)rows_of(&c, symbols, 0, N);
        (void)check_series(&values, "l", "", N, NULL, symbols, NULL);
        (void)check_series(&keys, "I", "symbol", N, NULL, index, NULL);
        keys.schema.dictionary = &values.schema;
        keys.array.dictionary = &values.array;
        c.batch.keys = &keys.series;
        CHECK_STATUS(vf_fifo_update(fifo, &c.batch, &check_error), VF_ERROR_ARROW);
        CHECK_I64(check_error.row, where == 0 ? 10 : where == 1 ? 1500 : N - 1);
        CHECK_I64(vf_fifo_rows_in(fifo), 0);
        for (int again = 0; again < 2; again++) /* a second time, the row is counted over all batches */
            if (again == 0)
                CHECK_OK(vf_fifo_update(fifo, rows_of(&c, symbols, 0, N), &check_error));
            else {
                c.batch.keys = &keys.series;
                CHECK_STATUS(vf_fifo_update(fifo, &c.batch, &check_error), VF_ERROR_ARROW);
                CHECK_I64(check_error.row, N + (where == 0 ? 10 : where == 1 ? 1500 : N - 1));
            }
        CHECK_OK(vf_fifo_match(fifo, &check_error));
        struct vf_fifo *want = matched(1, VF_FIFO_BOTH, N, VF_FIFO_QTY);
        CHECK_I64(vf_fifo_rows_out(fifo), vf_fifo_rows_out(want));
        CHECK_OK(vf_fifo_emit(fifo, rows_of(&c, symbols, 0, N), 0, N, VF_FIFO_QTY, NULL, &out, &check_error));
        check_release(&out);
        vf_fifo_close(want);
        vf_fifo_close(fifo);
    }
}

/* ---- times far apart ------------------------------------------------------------------------------------------------------ */

/* Times past what is sure to fit, on both ends or on one: what counts is whether every difference fits. */
static void test_times_far_apart(void) {
    static const struct {
        const char *format;
        int64_t first, last;
        enum vf_status status;
    } cases[] = {{"l", INT64_MAX - 10, INT64_MAX, VF_OK},
                 {"l", INT64_MIN, INT64_MIN + 10, VF_OK},
                 {"l", INT64_MIN, 0, VF_ERROR_OVERFLOW},
                 {"l", -1, INT64_MAX, VF_ERROR_OVERFLOW},
                 {"l", 0, INT64_MAX, VF_OK}};
    static const int64_t one[2] = {1, 1}, side[2] = {1, 2};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int64_t when[2] = {cases[k].first, cases[k].last};
        struct check_column c[4];
        struct vf_column out;
        const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .columns = VF_FIFO_HOLDING};
        struct vf_fifo *fifo = NULL;
        struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 2, NULL, one, NULL), .n_keys = 1,
                                      .sort = check_series(&c[1], cases[k].format, "t", 2, NULL, when, NULL),
                                      .time = &c[1].series,
                                      .side = check_series(&c[2], "l", "side", 2, NULL, side, NULL),
                                      .quantity = check_series(&c[3], "l", "qty", 2, NULL, one, NULL)};
        CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
        CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
        CHECK_STATUS(vf_fifo_match(fifo, &check_error), cases[k].status);
        if (cases[k].status == VF_OK) {
            CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 2, VF_FIFO_HOLDING, NULL, &out, &check_error));
            CHECK_I64(check_i64(&out, 1), cases[k].last - cases[k].first);
            check_release(&out);
        }
        vf_fifo_close(fifo);
    }
    /* rows of which none is a trade have no holding periods to fit */
    int64_t when[2] = {INT64_MIN, INT64_MAX}, none[2] = {3, 3};
    struct check_column c[4];
    const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .columns = VF_FIFO_HOLDING};
    struct vf_fifo *fifo = NULL;
    struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 2, NULL, one, NULL), .n_keys = 1,
                                  .sort = check_series(&c[1], "l", "t", 2, NULL, when, NULL),
                                  .time = &c[1].series,
                                  .side = check_series(&c[2], "l", "side", 2, NULL, none, NULL),
                                  .quantity = check_series(&c[3], "l", "qty", 2, NULL, one, NULL)};
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_STATUS(vf_fifo_match(fifo, &check_error),
                 VF_ERROR_DATA); /* no side was found, which is told first */
    vf_fifo_close(fifo);
    /* float seconds of days long past: more than a double's 53 bits of nanoseconds */
    double far[2] = {-9e9, 9e8 + 0.25};
    (void)check_series(&c[1], "g", "t", 2, NULL, far, NULL);
    (void)check_series(&c[2], "l", "side", 2, NULL, side, NULL);
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    enum vf_status status = vf_fifo_match(fifo, &check_error);
    CHECK(status == VF_ERROR_OVERFLOW);
    vf_fifo_close(fifo);
    far[0] = -8e8 - 0.5;
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    struct vf_column out;
    CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 2, VF_FIFO_HOLDING, NULL, &out, &check_error));
    CHECK_F64(check_f64(&out, 1), 17e8 + 0.75);
    check_release(&out);
    vf_fifo_close(fifo);
}

int main(void) {
    test_rows_of_many_pieces();
    test_rows_of_more_pieces_than_16_bits_count();
    test_more_rows_of_a_symbol_than_were_learnt();
    test_failures_after_rows_were_given();
    test_a_symbol_is_used_up_within_a_block();
    test_a_broken_batch_is_forgotten();
    test_times_far_apart();
    return check_report("fifo_replay");
}
