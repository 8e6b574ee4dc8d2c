/* As-of look-ups, days, quantiles, cuts, signs and price returns with every allocation failing in turn: the call says
   so and gives nothing, and where the object lives on, the same call works when it is made again.
   Not for what the results are: tests/c/unit has those. */
#include "../check.h"

enum { N = 9000, HALF = 5000 };

static int64_t symbols[N], times[N];
static double prices[N];
static int32_t offsets[N + 1];
static char text[N];
static bool sorted;
static uint32_t threads;

static void fill(void) {
    for (int i = 0; i < N; i++) {
        int at = sorted ? i : i / 20 * 20 + 19 - i % 20;
        symbols[i] = at % 700;
        times[i] = at;
        prices[i] = 100 + at;
        offsets[i] = i;
        text[i] = i % 3 == 0 ? 'S' : 'B';
    }
    offsets[N] = N;
}

/* Makes the call a second time when memory was refused; a second refusal ends the scenario. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status == VF_ERROR_MEMORY) {                                                                     \
            refused = true;                                                                                  \
            status = (call);                                                                                 \
        }                                                                                                    \
        if (status != VF_OK) goto done;                                                                      \
    } while (0)

/* For objects that a refusal ends. */
#define ONCE(call)                                                                                           \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status != VF_OK) goto done;                                                                      \
    } while (0)

struct columns {
    struct check_column date, symbol, time, price;
    struct vf_series keys[2];
};

static void columns_of(struct columns *c, int first, int n) {
    (void)check_series(&c->date, "u", "date", n, NULL, offsets + first, text);
    (void)check_series(&c->symbol, "l", "symbol", n, NULL, symbols + first, NULL);
    (void)check_series(&c->time, "tDn", "time", n, NULL, times + first, NULL);
    (void)check_series(&c->price, "g", "price", n, NULL, prices + first, NULL);
    c->keys[0] = c->date.series;
    c->keys[1] = c->symbol.series;
}

static enum vf_status asof_scenario(const struct vf_context *given) {
    static struct columns c;
    struct vf_context ctx = *given;
    ctx.n_threads = threads; /* allocations stay with the calling thread */
    const int64_t horizons[3] = {0, 5, -7};
    struct vf_asof_options o = {
        .horizons_ns = horizons, .n_horizons = 3, .tolerance_ns = -1, .end_ns = INT64_MAX, .unique = true};
    struct vf_asof *asof = NULL;
    struct vf_column out[3];
    CHECK_POISON(out);
    bool refused = false;
    enum vf_status status;
    TRY(vf_asof_open(&ctx, &o, &asof, &check_error));
    for (int first = 0; first < N; first += HALF) {
        columns_of(&c, first, N - first < HALF ? N - first : HALF);
        struct vf_asof_batch batch = {.keys = c.keys, .n_keys = 2, .time = &c.time.series};
        TRY(vf_asof_observe(asof, &batch, &check_error));
    }
    CHECK_I64(vf_asof_rows(asof), N);
    TRY(vf_asof_finish(asof, &check_error));
    columns_of(&c, 0, N);
    struct vf_asof_batch batch = {.keys = c.keys, .n_keys = 2, .time = &c.time.series};
    TRY(vf_asof_find(asof, &batch, out, &check_error));
    for (int i = 0; i < N; i++)
        CHECK(check_valid(&out[0], i) && check_u32(&out[0], i) == (uint32_t)i);
    for (size_t h = 0; h < 3; h++)
        check_release(&out[h]);
done:
    vf_asof_close(asof);
    return status == VF_OK && refused ? VF_ERROR_MEMORY : status;
}

static enum vf_status daily_scenario(const struct vf_context *ctx) {
    static struct columns c;
    struct vf_daily_options o = {.end_ns = INT64_MAX, .returns = true};
    struct vf_daily *daily = NULL;
    struct vf_column out[VF_DAILY_COLUMNS], one;
    CHECK_POISON(out);
    CHECK_POISON(one);
    bool refused = false;
    enum vf_status status;
    TRY(vf_daily_open(ctx, &o, &daily, &check_error));
    for (int first = 0; first < N; first += HALF) {
        columns_of(&c, first, N - first < HALF ? N - first : HALF);
        struct vf_daily_batch batch = {.keys = c.keys,
                                       .n_keys = 2,
                                       .time = &c.time.series,
                                       .price = &c.price.series,
                                       .volume = &c.price.series};
        status = vf_daily_update(daily, &batch, &one, &check_error);
        if (status != VF_OK) {
            CHECK(check_is_rubbish(&one, sizeof one));
            enum vf_status after = vf_daily_finish(daily, out, &check_error);
            CHECK(after == VF_ERROR_STATE || after == VF_OK || after == VF_ERROR_MEMORY);
            for (size_t i = 0; after == VF_OK && i < VF_DAILY_COLUMNS; i++)
                check_release(&out[i]);
            goto done;
        }
        check_release(&one);
    }
    TRY(vf_daily_finish(daily, out, &check_error));
    for (size_t i = 0; i < VF_DAILY_COLUMNS; i++)
        check_release(&out[i]);
    for (int first = 0; first < N; first += HALF) {
        columns_of(&c, first, N - first < HALF ? N - first : HALF);
        struct vf_daily_batch batch = {
            .keys = c.keys, .n_keys = 2, .time = &c.time.series, .price = &c.price.series};
        TRY(vf_daily_return(daily, &batch, first, &one, &check_error));
        check_release(&one);
    }
    CHECK_OK(vf_daily_replayed(daily, &check_error));
done:
    vf_daily_close(daily);
    return status == VF_OK && refused ? VF_ERROR_MEMORY : status;
}

static enum vf_status quantiles_scenario(const struct vf_context *ctx) {
    struct check_column c;
    struct vf_quantiles *q = NULL;
    double cuts[9];
    bool more = true, refused = false;
    enum vf_status status;
    TRY(vf_quantiles_open(ctx, 10, VF_QUANTILE_LINEAR, &q, &check_error));
    while (more) {
        ONCE(vf_quantiles_update(q, check_series(&c, "g", "x", N, NULL, prices, NULL), &check_error));
        status = vf_quantiles_pass(q, &more, &check_error);
        if (status != VF_OK) {
            CHECK_STATUS(vf_quantiles_pass(q, &more, &check_error), VF_ERROR_STATE);
            goto done;
        }
    }
    ONCE(vf_quantiles_cuts(q, cuts, NULL, &check_error));
    CHECK_F64(cuts[4], 100 + (N - 1) / 2.0);
done:
    vf_quantiles_close(q);
    return status == VF_OK && refused ? VF_ERROR_MEMORY : status;
}

static enum vf_status columns_scenario(const struct vf_context *ctx) {
    struct check_column c, side;
    const struct vf_side sides[2] = {{.text = "B", .length = 1, .entry = true}, {.text = "S", .length = 1}};
    const double cuts[2] = {200, 300};
    struct vf_column out;
    CHECK_POISON(out);
    const struct vf_series *price = check_series(&c, "g", "price", N, NULL, prices, NULL);
    bool refused = false;
    enum vf_status status;
    TRY(vf_price_return(ctx, price, price, &out, &check_error));
    check_release(&out);
    const struct vf_series *whole = check_series(&side, "l", "time", N, NULL, times, NULL);
    TRY(vf_integer_arithmetic(ctx, VF_INTEGER_SUB, whole, whole, NULL, &out, &check_error));
    check_release(&out);
    TRY(vf_side_sign(ctx, check_series(&side, "u", "side", N, NULL, offsets, text), sides, 2, true, &out,
                     &check_error));
    check_release(&out);
    TRY(vf_cut_index(ctx, price, cuts, 2, true, 0, 1e9, VF_CUT_RAISE, &out, &check_error));
    check_release(&out);
done:
    return status == VF_OK && refused ? VF_ERROR_MEMORY : status;
}

int main(void) {
    for (int i = 0; i < 4; i++) {
        sorted = i % 2 == 0;
        threads = i < 2 ? 1 : 3;
        fill();
        check_all_faults(asof_scenario);
    }
    check_all_faults(daily_scenario);
    check_all_faults(quantiles_scenario);
    check_all_faults(columns_scenario);
    return check_report("test_returns_faults");
}
