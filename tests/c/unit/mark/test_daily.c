/* Days' prices, returns to the close, price returns and signs of sides, by hand.
   Not for running out of memory: tests/c/fault/test_returns_faults.c does that. */
#include "check.h"

#define S INT64_C(1000000000)

enum { N = 9 };

static const int64_t symbol[N] = {1, 1, 2, 1, 1, 2, 1, 3, 1};
static const int64_t seconds[N] = {7200, 0, 5, 7200, 60, 6, 7200, 9, 3};
static const int64_t wall[N] = {46800, 34200, 1, 41400, 34260, 1, 46800, 1, 1};
static const double price[N] = {12, 10, 50, 11, 9, 0, 13, 7, 8};
static const int64_t volume[N] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
static const uint8_t time_bits[2] = {0x7f, 0x01}; /* row 7's time is null */

struct columns {
    struct check_column symbol, time, wall, price, volume;
    struct vf_daily_batch batch;
};

static const struct vf_daily_batch *rows_of(struct columns *c, int64_t first, int64_t n) {
    c->batch =
        (struct vf_daily_batch){.keys = check_series(&c->symbol, "l", "symbol", n, NULL, symbol, NULL),
                                .n_keys = 1,
                                .time = check_series(&c->time, "l", "elapsed", n, time_bits, seconds, NULL),
                                .wall = check_series(&c->wall, "l", "wall", n, NULL, wall, NULL),
                                .price = check_series(&c->price, "g", "price", n, NULL, price, NULL),
                                .volume = check_series(&c->volume, "l", "volume", n, NULL, volume, NULL)};
    struct check_column *all[] = {&c->symbol, &c->time, &c->wall, &c->price, &c->volume};
    for (size_t i = 0; i < 5; i++)
        all[i]->array.offset = first;
    return &c->batch;
}

static struct vf_daily *day_of(const struct vf_daily_options *o, int64_t cut, uint32_t fresh_rows[3]) {
    static struct columns c;
    struct vf_daily *daily = NULL;
    size_t found = 0;
    CHECK_OK(vf_daily_open(NULL, o, &daily, &check_error));
    for (int64_t first = 0; first < N; first += cut) {
        struct vf_column fresh;
        CHECK_POISON(fresh);
        int64_t n = N - first < cut ? N - first : cut;
        CHECK_OK(vf_daily_update(daily, rows_of(&c, first, n), &fresh, &check_error));
        for (int64_t i = 0; i < fresh.array.length && found < 3; i++)
            fresh_rows[found++] = (uint32_t)first + check_u32(&fresh, i);
        check_release(&fresh);
    }
    CHECK_I64(found, 3);
    CHECK_I64(vf_daily_groups(daily), 3);
    return daily;
}

static void test_bars(void) {
    struct vf_daily_options o = {.end_ns = INT64_MAX};
    for (int64_t cut = 1; cut <= N; cut++) {
        uint32_t fresh[3] = {99, 99, 99};
        struct vf_column out[VF_DAILY_COLUMNS];
        struct vf_daily *daily = day_of(&o, cut, fresh);
        CHECK(fresh[0] == 0 && fresh[1] == 2 && fresh[2] == 7);
        CHECK_OK(vf_daily_finish(daily, out, &check_error));
        CHECK_F64(check_f64(&out[0], 0), 10);
        CHECK_F64(check_f64(&out[1], 0), 13);
        CHECK_F64(check_f64(&out[2], 0), 8);
        CHECK_F64(check_f64(&out[3], 0),
                  13); /* 41400 on the wall is before 46800, of which the last row closes */
        CHECK_I64(check_i64(&out[4], 0), 1 + 2 + 8 + 16 + 64 + 256);
        CHECK_I64(check_i64(&out[5], 0), 0);
        CHECK_I64(check_i64(&out[6], 0), 7200);
        CHECK_I64(check_i64(&out[7], 0), 6);
        CHECK_I64(check_i64(&out[7], 1), 1);
        CHECK_I64(check_i64(&out[9], 1), 1); /* price 0 */
        CHECK_I64(check_i64(&out[8], 2), 1); /* no time */
        CHECK(!check_valid(&out[0], 2) && !check_valid(&out[3], 2) && !check_valid(&out[5], 2));
        CHECK_I64(check_i64(&out[4], 2), 0);
        CHECK(strcmp(out[4].schema.format, "l") == 0 && strcmp(out[6].schema.name, "last_time") == 0);
        for (size_t i = 0; i < VF_DAILY_COLUMNS; i++)
            check_release(&out[i]);
        vf_daily_close(daily);
    }
}

static void test_end(void) {
    struct vf_daily_options o = {.end_ns = 60 * S};
    uint32_t fresh[3];
    struct vf_column out[VF_DAILY_COLUMNS];
    struct vf_daily *daily = day_of(&o, N, fresh);
    CHECK_OK(vf_daily_finish(daily, out, &check_error));
    CHECK_F64(check_f64(&out[3], 0), 9);
    CHECK_I64(check_i64(&out[7], 0), 3);
    CHECK_I64(check_i64(&out[8], 0), 3);
    for (size_t i = 0; i < VF_DAILY_COLUMNS; i++)
        check_release(&out[i]);
    vf_daily_close(daily);
}

static void test_returns(void) {
    static struct columns c;
    struct vf_daily_options o = {.end_ns = INT64_MAX, .returns = true};
    uint32_t fresh[3];
    struct vf_column out;
    struct vf_daily *daily = day_of(&o, 4, fresh);
    static const double want[N] = {13.0 / 12 - 1, 13.0 / 10 - 1, 0, 13.0 / 11 - 1, 13.0 / 9 - 1, -1, 0, -1,
                                   13.0 / 8 - 1};
    for (int again = 0; again < 2; again++) {
        for (int64_t first = 0; first < N; first += 5) {
            int64_t n = N - first < 5 ? N - first : 5;
            CHECK_OK(vf_daily_return(daily, rows_of(&c, first, n), first, &out, &check_error));
            for (int64_t i = 0; i < n; i++) {
                bool none = want[first + i] == -1;
                CHECK(check_valid(&out, i) == !none);
                CHECK_F64(check_f64(&out, i), none ? 0 : want[first + i]);
            }
            check_release(&out);
        }
        CHECK_OK(vf_daily_replayed(daily, &check_error));
    }
    CHECK_STATUS(vf_daily_update(daily, rows_of(&c, 0, 1), NULL, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_daily_return(daily, rows_of(&c, 1, 3), 1, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_daily_return(daily, rows_of(&c, 0, 8), 0, &out, &check_error));
    check_release(&out);
    CHECK_STATUS(vf_daily_replayed(daily, &check_error), VF_ERROR_REPLAY); /* row 8 did not come */
    CHECK_I64(check_error.row, 8);
    CHECK_OK(vf_daily_return(daily, rows_of(&c, 0, 8), 0, &out, &check_error));
    check_release(&out);
    CHECK_STATUS(vf_daily_return(daily, rows_of(&c, 7, 1), 8, &out, &check_error), VF_ERROR_REPLAY);
    CHECK_OK(vf_daily_return(daily, rows_of(&c, 8, 1), 8, &out,
                             &check_error)); /* the refused one changed nothing */
    check_release(&out);
    CHECK_STATUS(vf_daily_return(daily, rows_of(&c, 0, 1), 9, &out, &check_error), VF_ERROR_REPLAY);
    CHECK_OK(vf_daily_replayed(daily, &check_error));
    vf_daily_close(daily);
}

static void test_volumes(void) {
    static const int64_t key[2] = {1, 1}, time[2] = {0, 0}, large[2] = {INT64_MAX, 1}, negative[2] = {-1, 0};
    static const double one[2] = {1, 1}, tiny[2] = {0x1p53, 1}, bad[2] = {NAN, 1}, huge[2] = {1e308, 1.7e308};
    struct check_column k, t, p, v;
    struct vf_daily_options o = {.end_ns = INT64_MAX};
    const struct {
        const char *format;
        const void *values;
        enum vf_status status;
        int64_t row;
    } cases[] = {{"l", large, VF_ERROR_OVERFLOW, 1},
                 {"l", negative, VF_ERROR_DATA, 0},
                 {"g", bad, VF_ERROR_DATA, 0},
                 {"g", huge, VF_ERROR_OVERFLOW, 1},
                 {"g", tiny, VF_OK, -1},
                 {"u", large, VF_ERROR_TYPE, -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vf_daily *daily = NULL;
        struct vf_column out[VF_DAILY_COLUMNS];
        struct vf_daily_batch batch = {.keys = check_series(&k, "l", "symbol", 2, NULL, key, NULL),
                                       .n_keys = 1,
                                       .time = check_series(&t, "l", "t", 2, NULL, time, NULL),
                                       .price = check_series(&p, "g", "price", 2, NULL, one, NULL)};
        CHECK_OK(vf_daily_open(NULL, &o, &daily, &check_error));
        CHECK_OK(vf_daily_update(daily, &batch, NULL, &check_error));
        batch.volume = check_series(&v, cases[i].format, "volume", 2, NULL, cases[i].values,
                                    cases[i].format[0] == 'u' ? "x" : NULL);
        CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), cases[i].status);
        bool counted = cases[i].status == VF_ERROR_DATA || cases[i].status == VF_ERROR_OVERFLOW;
        if (counted) CHECK_I64(check_error.row, 2 + cases[i].row);
        for (int more = 0; cases[i].status == VF_OK && more < 2; more++)
            CHECK_OK(vf_daily_update(daily, &batch, NULL, &check_error));
        CHECK_STATUS(vf_daily_finish(daily, out, &check_error), counted ? VF_ERROR_STATE : VF_OK);
        if (cases[i].status == VF_OK) /* the ones are not lost */
            CHECK_F64(check_f64(&out[4], 0), 3 * 0x1p53 + 4);
        for (size_t c = 0; !counted && c < VF_DAILY_COLUMNS; c++)
            check_release(&out[c]);
        vf_daily_close(daily);
    }
}

static void test_refusals(void) {
    static struct columns c;
    struct vf_daily_options o = {.end_ns = INT64_MAX};
    struct vf_daily *daily = NULL;
    struct vf_daily_batch batch;
    struct check_column text;
    static const int32_t offsets[N + 1] = {0};
    CHECK_STATUS(vf_daily_open(NULL, NULL, &daily, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_daily_open(NULL, &o, &daily, &check_error));
    CHECK_STATUS(vf_daily_update(daily, NULL, NULL, &check_error), VF_ERROR_ARGUMENT);
    batch = *rows_of(&c, 0, N);
    batch.n_keys = 0;
    CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_ARGUMENT);
    batch = *rows_of(&c, 0, N);
    batch.price = check_series(&text, "u", "price", N, NULL, offsets, "");
    CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_TYPE);
    batch = *rows_of(&c, 0, N);
    c.price.array.length = 3;
    CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_daily_update(daily, rows_of(&c, 0, N), NULL, &check_error)); /* nothing of them was counted */
    batch = *rows_of(&c, 0, N);
    batch.volume = &c.price.series;
    CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_TYPE);
    batch.volume = NULL;
    batch.keys = check_series(&text, "u", "symbol", N, NULL, offsets, "");
    CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_TYPE);
    vf_daily_close(daily);
    vf_daily_close(NULL);
}

static void test_price_return(void) {
    static const double later[6] = {110, 0, NAN, 5, 9e299, 1e300}, earlier[6] = {100, 1, 1, -1, 1e-308, 1};
    struct check_column a, b;
    struct vf_column out;
    static const uint8_t bits = 0x3e;
    CHECK_POISON(out);
    CHECK_OK(vf_price_return(NULL, check_series(&a, "g", "open", 6, NULL, later, NULL),
                             check_series(&b, "g", "close", 6, NULL, earlier, NULL), &out, &check_error));
    CHECK_F64(check_f64(&out, 0), 110.0 / 100 - 1);
    for (int64_t i = 1; i < 6; i++)
        CHECK(!check_valid(&out, i)); /* no prices, and a quotient that leaves double */
    check_release(&out);
    CHECK_OK(vf_price_return(NULL, &a.series, check_series(&b, "g", "close", 6, &bits, earlier, NULL), &out,
                             &check_error));
    CHECK(!check_valid(&out, 0));
    check_release(&out);
    CHECK_STATUS(vf_price_return(NULL, &a.series, check_series(&b, "g", "close", 5, NULL, earlier, NULL),
                                 &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_price_return(NULL, &a.series, check_series(&b, "tDn", "close", 6, NULL, earlier, NULL),
                                 &out, &check_error),
                 VF_ERROR_TYPE);
}

static void test_side_sign(void) {
    static const int32_t offsets[6] = {0, 1, 2, 6, 6, 7};
    static const uint8_t bits = 0x17; /* row 3 is null */
    static const int64_t numbers[3] = {1, -1, 5};
    struct vf_side sides[3] = {
        {.text = "B", .length = 1, .entry = true}, {.text = "S", .length = 1}, {.text = "Sell", .length = 4}};
    struct check_column c;
    struct vf_column out;
    const struct vf_series *text = check_series(&c, "u", "side", 5, &bits, offsets, "BSSellB");
    CHECK_OK(vf_side_sign(NULL, text, sides, 3, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == 1 && check_i64(&out, 1) == -1 && check_i64(&out, 2) == -1 &&
          check_i64(&out, 4) == 1);
    CHECK(!check_valid(&out, 3));
    check_release(&out);
    CHECK_STATUS(vf_side_sign(NULL, text, sides, 3, true, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 3 && check_error.count == 1 && strstr(check_error.message, "null") != NULL);
    CHECK_STATUS(vf_side_sign(NULL, text, sides, 2, false, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2 && strstr(check_error.message, "'Sell'") != NULL);
    CHECK_STATUS(vf_side_sign(NULL, text, sides, 1, false, &out, &check_error), VF_ERROR_ARGUMENT);
    const struct vf_side again[4] = {sides[0], sides[1], sides[2], {.text = "SELL", .length = 4}};
    CHECK_OK(vf_side_sign(NULL, text, again, 4, false, &out, &check_error)); /* twice on one side is once */
    CHECK_I64(check_i64(&out, 2), -1);
    check_release(&out);
    sides[1] = (struct vf_side){.text = "b", .length = 1};
    CHECK_STATUS(vf_side_sign(NULL, text, sides, 3, false, &out, &check_error), VF_ERROR_ARGUMENT);
    const struct vf_series *number = check_series(&c, "l", "side", 3, NULL, numbers, NULL);
    struct vf_side whole[3] = {{.integer = 1, .entry = true}, {.integer = -1}, {.text = "5", .length = 1}};
    CHECK_STATUS(vf_side_sign(NULL, number, whole, 3, false, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2 && strstr(check_error.message, "found: 5") != NULL);
    static const double floats[3] = {1, -1, -NAN};
    const struct vf_series *real = check_series(&c, "g", "side", 3, NULL, floats, NULL);
    CHECK_STATUS(vf_side_sign(NULL, real, whole, 2, false, &out, &check_error), VF_ERROR_DATA);
    CHECK(check_error.row == 2 && strstr(check_error.message, "found: NaN") != NULL);
    real = check_series(&c, "g", "side", 2, NULL, floats, NULL);
    CHECK_OK(vf_side_sign(NULL, real, whole, 2, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == 1 && check_i64(&out, 1) == -1);
    check_release(&out);
    CHECK_STATUS(vf_side_sign(NULL, check_series(&c, "tsn:", "side", 3, NULL, numbers, NULL), whole, 2, false,
                              &out, &check_error),
                 VF_ERROR_TYPE);
}

/* Of rows at one time, on both clocks, the first opens and the last closes. */
static void test_ties(void) {
    static const int64_t one[4] = {1, 1, 1, 1}, when[4] = {5, 5, 9, 9}, clock[4] = {50, 50, 90, 90};
    static const double paid[4] = {10, 11, 12, 13};
    for (int walls = 0; walls < 2; walls++) {
        struct columns c;
        const struct vf_daily_options o = {.end_ns = INT64_MAX};
        struct vf_daily *daily = NULL;
        struct vf_column out[VF_DAILY_COLUMNS];
        struct vf_daily_batch batch = {.keys = check_series(&c.symbol, "l", "symbol", 4, NULL, one, NULL),
                                       .n_keys = 1,
                                       .time = check_series(&c.time, "l", "elapsed", 4, NULL, when, NULL),
                                       .wall = check_series(&c.wall, "l", "wall", 4, NULL, clock, NULL),
                                       .price = check_series(&c.price, "g", "price", 4, NULL, paid, NULL)};
        if (walls == 0) batch.wall = NULL;
        CHECK_OK(vf_daily_open(NULL, &o, &daily, &check_error));
        CHECK_OK(vf_daily_update(daily, &batch, NULL, &check_error));
        CHECK_OK(vf_daily_finish(daily, out, &check_error));
        CHECK_F64(check_f64(&out[0], 0), 10);
        CHECK_F64(check_f64(&out[3], 0), 13);
        for (size_t i = 0; i < VF_DAILY_COLUMNS; i++)
            check_release(&out[i]);
        vf_daily_close(daily);
    }
}

int main(void) {
    test_bars();
    test_end();
    test_returns();
    test_volumes();
    test_refusals();
    test_price_return();
    test_side_sign();
    test_ties();
    return check_report("test_daily");
}
