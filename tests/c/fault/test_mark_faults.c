/* Forward returns with every allocation failing in turn: the call says so, changes nothing, and works when it is
   made again. Not for what the returns are: tests/c/unit/mark/test_mark.c. */
#include "../check.h"

#define S INT64_C(1000000000)

enum { N = 6000, HALF = 3500 };

static int64_t symbols[N], times[N];
static double prices[N];
static int32_t offsets[N + 1];
static char text[N];

struct variant {
    bool quotes, sorted, named;
    enum vf_mark_method method;
    size_t n_horizons, n_keys;
    uint32_t n_threads;
};
static struct variant variant;

struct columns {
    struct check_column date, symbol, time, price;
    struct vf_series keys[2];
    struct vf_mark_batch batch;
};

/* Rows [first, first + n): keys date (text) and symbol, or symbol alone. */
static const struct vf_mark_batch *columns_of(struct columns *c, int first, int n) {
    (void)check_series(&c->date, "u", "date", n, NULL, offsets + first, text);
    (void)check_series(&c->symbol, "l", "symbol", n, NULL, symbols + first, NULL);
    c->keys[0] = variant.n_keys == 2 ? c->date.series : c->symbol.series;
    c->keys[1] = c->symbol.series;
    c->batch =
        (struct vf_mark_batch){.keys = c->keys,
                               .n_keys = variant.n_keys,
                               .time = check_series(&c->time, "tDn", "time", n, NULL, times + first, NULL),
                               .price = check_series(&c->price, "g", "price", n, NULL, prices + first, NULL)};
    return &c->batch;
}

/* Row i is at i / 10 seconds (or mirrored in pieces of 20), of symbol i % 5, at a price that says where it is. */
static void fill(void) {
    for (int i = 0; i < N; i++) {
        int at = variant.sorted ? i : i / 20 * 20 + 19 - i % 20;
        symbols[i] = at % 5;
        times[i] = at * (S / 10);
        prices[i] = 100 + at;
        offsets[i] = i;
        text[i] = 'd';
    }
    offsets[N] = N;
}

static void check_rows(const struct vf_column *out, size_t h, int first, int n) {
    int ahead = h == 0 ? 100 : h == 1 ? 50 : 200; /* rows of 0.1 s; a multiple of the number of symbols */
    for (int i = 0; i < n; i++) {
        double at = prices[first + i];
        bool there = at - 100 + ahead <= (double)(N - 5 + symbols[first + i]); /* its symbol's last row */
        CHECK(check_valid(out, i) == there);
        CHECK_F64(check_f64(out, i), there ? (at + ahead) / at - 1 : 0.0);
    }
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

static enum vf_status scenario(const struct vf_context *given) {
    struct vf_context ctx = *given;
    ctx.n_threads = variant.n_threads; /* allocations stay with the calling thread */
    int64_t horizons[3] = {10 * S, 5 * S, 20 * S};
    struct vf_mark_options o = {.horizons_ns = horizons,
                                .n_horizons = variant.n_horizons,
                                .method = variant.method,
                                .tolerance_ns = 0,
                                .end_ns = INT64_MAX,
                                .quotes = variant.quotes,
                                .names = variant.named ? "x\0y\0z" : NULL};
    struct vf_mark *mark = NULL;
    struct vf_column out[3];
    CHECK_POISON(out);
    struct columns c;
    bool refused = false;
    enum vf_status status;
    TRY(vf_mark_open(&ctx, &o, &mark, &check_error));
    if (variant.quotes) TRY(vf_mark_observe(mark, columns_of(&c, 0, N), &check_error));
    TRY(vf_mark_update(mark, columns_of(&c, 0, HALF), &check_error));
    TRY(vf_mark_update(mark, columns_of(&c, HALF, N - HALF), &check_error));
    CHECK_I64(vf_mark_rows(mark), N);
    TRY(vf_mark_finish(mark, &check_error));
    for (int first = 0; first < N; first += HALF) {
        int n = N - first < HALF ? N - first : HALF;
        TRY(vf_mark_emit(mark, columns_of(&c, first, n), first, n, out, &check_error));
        for (size_t h = 0; h < variant.n_horizons; h++) {
            check_rows(&out[h], h, first, n);
            check_release(&out[h]);
        }
    }
    CHECK_OK(vf_mark_replayed(mark, &check_error));
done:
    vf_mark_close(mark);
    return status == VF_OK && refused ? VF_ERROR_MEMORY : status;
}

int main(void) {
    const struct variant variants[] = {
        {.sorted = true, .n_horizons = 2, .n_keys = 2, .n_threads = 1},
        {.sorted = true, .n_horizons = 3, .n_keys = 1, .n_threads = 3, .named = true},
        {.sorted = true, .n_horizons = 1, .n_keys = 2, .n_threads = 2, .quotes = true},
        {.sorted = false, .n_horizons = 1, .n_keys = 1, .n_threads = 1},
        {.sorted = false, .n_horizons = 3, .n_keys = 2, .n_threads = 2, .quotes = true},
        {.sorted = true, .n_horizons = 2, .n_keys = 1, .n_threads = 2, .method = VF_MARK_FORWARD},
        {.sorted = false,
         .n_horizons = 3,
         .n_keys = 2,
         .n_threads = 1,
         .method = VF_MARK_NEAREST,
         .quotes = true},
    };
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        variant = variants[i];
        fill();
        check_all_faults(scenario);
    }
    return check_report("test_mark_faults");
}
