/* Forward returns: cases by hand, and random frames against a look-up that scans all rows for each.
   Not for running out of memory: tests/c/fault/test_mark_faults.c does that. */
#include "check.h"

#define S INT64_C(1000000000)
#define MAX_ROWS 40000
#define MAX_H 5

/* A frame in the test's own form. A NaN price is given as null half of the time. */
struct frame {
    int64_t n;
    int64_t key[MAX_ROWS], day[MAX_ROWS], time[MAX_ROWS]; /* NULL_VALUE: null */
    double price[MAX_ROWS];
};
#define NULL_VALUE INT64_MIN

static void add(struct frame *f, int64_t key, int64_t time, double price) {
    f->key[f->n] = key;
    f->day[f->n] = 1;
    f->time[f->n] = time;
    f->price[f->n] = price;
    f->n++;
}

/* ---- the frame as columns ------------------------------------------------------------------------------ */

/* One column cut into chunks of `chunk` rows, each an array with an offset into the same buffers. */
struct chunked {
    struct ArrowSchema schema;
    struct ArrowArray arrays[MAX_ROWS + 1];
    const struct ArrowArray *pointers[MAX_ROWS + 1];
    const void *buffers[2];
    uint8_t validity[MAX_ROWS / 8 + 1];
    struct vf_series series;
};

static void chunked_set(struct chunked *c, const char *format, const char *name, const void *values,
                        int64_t first, int64_t n, int64_t chunk) {
    memset(&c->schema, 0, sizeof c->schema);
    c->schema.format = format;
    c->schema.name = name;
    c->buffers[0] = c->validity;
    c->buffers[1] = values;
    size_t k = 0;
    for (int64_t at = 0; at < n; at += chunk, k++) {
        c->arrays[k] = (struct ArrowArray){.length = n - at < chunk ? n - at : chunk,
                                           .null_count = -1,
                                           .offset = first + at,
                                           .n_buffers = 2,
                                           .buffers = c->buffers};
        c->pointers[k] = &c->arrays[k];
    }
    c->series = (struct vf_series){.schema = &c->schema, .chunks = c->pointers, .n_chunks = k};
}

struct columns {
    struct chunked key, day, time, price;
    struct vf_series keys[2];
    struct vf_mark_batch batch;
};

static void put_bit(uint8_t *bits, int64_t i, bool on) {
    bits[i / 8] = (uint8_t)(on ? bits[i / 8] | 1u << (i % 8) : bits[i / 8] & ~(1u << (i % 8)));
}

/* Rows [first, first + n) of the frame; n_keys 2 puts the day first. */
static const struct vf_mark_batch *columns_of(struct columns *c, const struct frame *f, int64_t first,
                                              int64_t n, int64_t chunk, size_t n_keys) {
    for (int64_t i = first; i < first + n; i++) {
        put_bit(c->key.validity, i, f->key[i] != NULL_VALUE);
        put_bit(c->day.validity, i, f->day[i] != NULL_VALUE);
        put_bit(c->time.validity, i, f->time[i] != NULL_VALUE);
        put_bit(c->price.validity, i, !isnan(f->price[i]) || i % 2 == 0);
    }
    chunked_set(&c->key, "l", "symbol", f->key, first, n, chunk);
    chunked_set(&c->day, "l", "date", f->day, first, n, chunk + 1);
    chunked_set(&c->time, "tDn", "elapsed", f->time, first, n, chunk);
    chunked_set(&c->price, "g", "price", f->price, first, n, chunk + 2);
    c->keys[0] = n_keys == 2 ? c->day.series : c->key.series;
    c->keys[1] = c->key.series;
    c->batch = (struct vf_mark_batch){
        .keys = c->keys, .n_keys = n_keys, .time = &c->time.series, .price = &c->price.series};
    return &c->batch;
}

struct how {
    int64_t cut, chunk; /* rows a call, rows a chunk */
    uint32_t threads;
    size_t n_keys;
};
static const struct how plain = {.cut = 1000000, .chunk = 1000000, .threads = 1, .n_keys = 1};

/* Opens, learns, finishes, and emits with every row compared; NaN for null in out[h * n + i]. */
static void run(const struct frame *rows, const struct frame *quotes, const struct vf_mark_options *options,
                struct how how, double *out) {
    static struct columns columns;
    struct vf_context ctx = {.n_threads = how.threads};
    struct vf_mark *mark = NULL;
    struct vf_column given[MAX_H];
    CHECK_OK(vf_mark_open(&ctx, options, &mark, &check_error));
    for (int64_t i = 0; quotes != NULL && i < quotes->n; i += how.cut) {
        int64_t n = quotes->n - i < how.cut ? quotes->n - i : how.cut;
        CHECK_OK(
            vf_mark_observe(mark, columns_of(&columns, quotes, i, n, how.chunk, how.n_keys), &check_error));
    }
    for (int64_t i = 0; i < rows->n; i += how.cut) {
        int64_t n = rows->n - i < how.cut ? rows->n - i : how.cut;
        CHECK_OK(vf_mark_update(mark, columns_of(&columns, rows, i, n, how.chunk, how.n_keys), &check_error));
    }
    CHECK_I64(vf_mark_rows(mark), rows->n);
    CHECK_OK(vf_mark_finish(mark, &check_error));
    int64_t step = how.cut * 2 + 1;
    for (int64_t i = 0; i < rows->n; i += step) {
        int64_t n = rows->n - i < step ? rows->n - i : step;
        CHECK_OK(vf_mark_emit(mark, columns_of(&columns, rows, i, n, how.chunk + 3, how.n_keys), i, n, given,
                              &check_error));
        for (size_t h = 0; h < options->n_horizons; h++) {
            CHECK_I64(given[h].array.length, n);
            for (int64_t j = 0; j < n; j++)
                out[(int64_t)h * rows->n + i + j] = check_valid(&given[h], j) ? check_f64(&given[h], j) : NAN;
            check_release(&given[h]);
        }
    }
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    vf_mark_close(mark);
}

/* ---- the oracle: every observation is looked at for every row ------------------------------------------ */

static bool is_price(double price) {
    return isfinite(price) && price > 0 && price < 1e300;
}

static bool observes(const struct frame *f, int64_t i, bool days, bool gaps) {
    return f->key[i] != NULL_VALUE && (!days || f->day[i] != NULL_VALUE) && f->time[i] != NULL_VALUE &&
           (gaps || is_price(f->price[i]));
}

static double slow(const struct frame *rows, const struct frame *seen, int64_t i, int64_t h,
                   const struct vf_mark_options *o, bool days) {
    if (!observes(rows, i, days, false)) return NAN;
#if defined(__SIZEOF_INT128__)
    __extension__ typedef __int128 wide;
#else
    typedef long double wide; /* 64 bits and a sign, where it is more than double: enough for these */
#endif
    wide target = (wide)rows->time[i] + h;
    int64_t before = -1, after = -1;
    wide last = 0;
    bool any = false;
    for (int64_t j = 0; j < seen->n; j++) {
        if (!observes(seen, j, days, o->gaps) || seen->key[j] != rows->key[i] ||
            (days && seen->day[j] != rows->day[i]))
            continue;
        if (!any || seen->time[j] > last) last = seen->time[j];
        any = true;
        if (seen->time[j] <= target && (before < 0 || seen->time[j] >= seen->time[before])) before = j;
        if (seen->time[j] >= target && (after < 0 || seen->time[j] <= seen->time[after])) after = j;
    }
    if (!any || target > last || (o->end_ns != INT64_MAX && target > o->end_ns)) return NAN;
    int64_t match = before;
    if (o->method == VF_MARK_FORWARD) match = after;
    if (o->method == VF_MARK_NEAREST &&
        (before < 0 || target - seen->time[before] > (wide)seen->time[after] - target))
        match = after;
    if (match < 0) return NAN;
    wide off = target - seen->time[match];
    if (off < 0) off = -off;
    if (o->tolerance_ns >= 0 && off > o->tolerance_ns) return NAN;
    double found = is_price(seen->price[match]) ? seen->price[match] / rows->price[i] - 1 : NAN;
    return isfinite(found) ? found : NAN;
}

static uint64_t random_state;
static int64_t below(int64_t n) {
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random_state;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((x ^ (x >> 31)) % (uint64_t)n);
}

enum order { BY_TIME, BY_GROUP, JITTER, SHUFFLED };

static double random_price(void) {
    switch (below(40)) {
    case 0:
        return NAN;
    case 1:
        return 0.0;
    case 2:
        return -5.0;
    case 3:
        return INFINITY;
    case 4:
        return -INFINITY;
    case 5:
        return 1.7976931348623157e308;
    case 6:
        return 1e300;
    default:
        return 100 + (double)below(50) / 10;
    }
}

/* Many equal times, runs of equal rows, some nulls; keys with a heavy tail. */
static void random_frame(struct frame *f, int64_t n, int64_t n_keys, int64_t span, enum order order) {
    f->n = 0;
    int64_t time = below(5) - 3;
    for (int64_t i = 0; i < n; i++) {
        int64_t key = below(n_keys);
        key = key * below(n_keys) / n_keys;
        int64_t time_step = below(span);
        if (order == BY_GROUP) {
            key = i * n_keys / n;
            if (i > 0 && key != f->key[i - 1]) time = below(5);
        }
        time += time_step;
        int64_t t = order == SHUFFLED ? below(span * n / 2 + 1)
                    : order == JITTER ? time + below(3 * span)
                                      : time;
        if (below(50) == 0) key = NULL_VALUE;
        if (below(50) == 0) t = NULL_VALUE;
        add(f, key, t, random_price());
        f->day[i] = below(60) == 0 ? NULL_VALUE : below(2);
        for (int64_t copies = below(4); copies > 1 && i + 1 < n; copies--, i++) {
            add(f, f->key[i], f->time[i], f->price[i]);
            f->day[i + 1] = f->day[i];
        }
    }
}

static void compare(const struct frame *rows, const struct frame *quotes, const struct vf_mark_options *o,
                    struct how how) {
    static double got[2000 * MAX_H];
    const struct frame *seen = quotes != NULL ? quotes : rows;
    run(rows, quotes, o, how, got);
    for (size_t h = 0; h < o->n_horizons; h++)
        for (int64_t i = 0; i < rows->n; i++) {
            double want = slow(rows, seen, i, o->horizons_ns[h], o, how.n_keys == 2);
            double have = got[(int64_t)h * rows->n + i];
            if (!(want == have || (isnan(want) && isnan(have))))
                fprintf(stderr, "row %lld, horizon %lld, method %d, tolerance %lld, end %lld, keys %zu\n",
                        (long long)i, (long long)o->horizons_ns[h], (int)o->method,
                        (long long)o->tolerance_ns, (long long)o->end_ns, how.n_keys);
            CHECK_F64(have, want);
        }
}

static void test_random(void) {
    static struct frame rows, quotes;
    for (int64_t trial = 0; trial < 400; trial++) {
        random_state = (uint64_t)trial * 77 + 1;
        /* one draw a statement: C leaves the order within an initializer open */
        int64_t n = trial % 20 == 0 ? 1500 : below(200);
        int64_t span = 1 + below(6);
        int64_t keys = 1 + below(12);
        int64_t horizons[MAX_H] = {0, 0, 0, 61, 62};
        struct vf_mark_options o = {.horizons_ns = horizons, .method = (enum vf_mark_method)(trial % 3)};
        struct how how = {0};
        horizons[0] = 1 + below(20);
        horizons[1] = 21 + below(40);
        horizons[2] = 70 + below(500);
        o.n_horizons = (size_t)(1 + below(MAX_H));
        o.gaps = below(2) == 0;
        o.tolerance_ns = below(2) == 0 ? -1 : below(8);
        o.end_ns = below(3) == 0 ? below(n * span + 1) : INT64_MAX;
        random_frame(&rows, n, keys, span, (enum order)below(4));
        how.cut = below(2) == 0 ? 1 + below(50) : 1 + below(350);
        how.chunk = 1 + below(40);
        how.threads = (uint32_t)(1 + below(4));
        how.n_keys = (size_t)(1 + below(2));
        compare(&rows, NULL, &o, how);
        o.quotes = true;
        int64_t n_quotes = below(4) == 0 ? below(3) : below(300);
        random_frame(&quotes, n_quotes, keys, span, (enum order)below(4));
        compare(&rows, &quotes, &o, how);
    }
}

/* The same bits for every cut, chunking and number of threads, on enough rows for several ranges and tasks. */
static void test_invariance(void) {
    static struct frame rows, quotes;
    static double first[MAX_ROWS * 3], other[MAX_ROWS * 3];
    int64_t horizons[3] = {40, 7, 3000};
    for (int trial = 0; trial < 12; trial++) {
        random_state = 5 + (uint64_t)trial;
        enum order order = (enum order)(trial % 4);
        random_frame(&rows, MAX_ROWS, 9, 3, order);
        random_frame(&quotes, MAX_ROWS / 2, 11, 5, trial < 8 ? order : BY_TIME);
        struct vf_mark_options o = {.horizons_ns = horizons,
                                    .n_horizons = 3,
                                    .method = trial % 8 < 6 ? VF_MARK_BACKWARD : VF_MARK_NEAREST,
                                    .tolerance_ns = trial % 3 == 0 ? 4 : -1,
                                    .end_ns = INT64_MAX,
                                    .quotes = trial % 2 == 1};
        const struct frame *seen = o.quotes ? &quotes : NULL;
        run(&rows, seen, &o, plain, first);
        const struct how hows[] = {{640, 1, 1, 1}, {1063, 7, 2, 1}, {500, 64, 3, 1}, {9997, 100, 16, 1}};
        for (size_t k = 0; k < sizeof hows / sizeof hows[0]; k++) {
            run(&rows, seen, &o, hows[k], other);
            CHECK(memcmp(first, other, (size_t)rows.n * 3 * sizeof *first) == 0);
        }
    }
}

/* ---- by hand ------------------------------------------------------------------------------------------- */

/* One horizon of 10 ns; every result as price / price - 1 of the given prices, 0 for null. */
static void expect(const struct frame *rows, const struct frame *quotes, enum vf_mark_method method,
                   int64_t tolerance, int64_t end, const double *want) {
    static double got[MAX_ROWS];
    int64_t h = 10;
    struct vf_mark_options o = {.horizons_ns = &h,
                                .n_horizons = 1,
                                .method = method,
                                .tolerance_ns = tolerance,
                                .end_ns = end,
                                .quotes = quotes != NULL};
    run(rows, quotes, &o, plain, got);
    for (int64_t i = 0; i < rows->n; i++)
        CHECK_F64(got[i], want[i] == 0 ? NAN : want[i] / rows->price[i] - 1);
    for (int64_t i = 0; i < rows->n; i++)
        CHECK_F64(got[i], slow(rows, quotes != NULL ? quotes : rows, i, h, &o, false));
}

static void test_methods(void) {
    static struct frame f;
    f.n = 0;
    int64_t times[] = {0, 4, 9, 14, 17, 30};
    for (int i = 0; i < 6; i++)
        add(&f, 7, times[i], 100 + i);
    /* targets: 10, 14, 19, 24, 27, 40 */
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){102, 103, 104, 104, 104, 0});
    expect(&f, NULL, VF_MARK_FORWARD, -1, INT64_MAX, (double[]){103, 103, 105, 105, 105, 0});
    expect(&f, NULL, VF_MARK_NEAREST, -1, INT64_MAX, (double[]){102, 103, 104, 105, 105, 0});
    /* distances backward: 1, 0, 2, 7, 10; at the tolerance is within it */
    expect(&f, NULL, VF_MARK_BACKWARD, 2, INT64_MAX, (double[]){102, 103, 104, 0, 0, 0});
    expect(&f, NULL, VF_MARK_BACKWARD, 1, INT64_MAX, (double[]){102, 103, 0, 0, 0, 0});
    expect(&f, NULL, VF_MARK_BACKWARD, 0, INT64_MAX, (double[]){0, 103, 0, 0, 0, 0});
    expect(&f, NULL, VF_MARK_FORWARD, 4, INT64_MAX, (double[]){103, 103, 0, 0, 105, 0});
    expect(&f, NULL, VF_MARK_NEAREST, 3, INT64_MAX, (double[]){102, 103, 104, 0, 105, 0});
    /* the end counts for t + h, and is within */
    expect(&f, NULL, VF_MARK_BACKWARD, -1, 19, (double[]){102, 103, 104, 0, 0, 0});
    expect(&f, NULL, VF_MARK_FORWARD, -1, 18, (double[]){103, 103, 0, 0, 0, 0});
    expect(&f, NULL, VF_MARK_BACKWARD, -1, 9, (double[]){0, 0, 0, 0, 0, 0});
}

static void test_ties(void) {
    static struct frame f;
    f.n = 0;
    add(&f, 1, 0, 100);
    add(&f, 1, 0, 101);
    add(&f, 1, 5, 102);
    add(&f, 1, 10, 103);
    add(&f, 1, 10, 104);
    add(&f, 1, 15, 105);
    add(&f, 1, 15,
        106); /* t + h of row 2, exactly the last observation: there, and the last row of that time */
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){104, 104, 106, 0, 0, 0, 0});
    expect(&f, NULL, VF_MARK_FORWARD, 0, INT64_MAX, (double[]){104, 104, 106, 0, 0, 0, 0});
    expect(&f, NULL, VF_MARK_NEAREST, 0, INT64_MAX, (double[]){104, 104, 106, 0, 0, 0, 0});
    static struct frame g;
    g.n = 0;
    add(&g, 1, 0, 100);
    add(&g, 1, 8, 101);
    add(&g, 1, 8, 102);
    add(&g, 1, 12, 103);
    add(&g, 1, 12, 104);
    expect(&g, NULL, VF_MARK_NEAREST, -1, INT64_MAX,
           (double[]){102, 0, 0, 0, 0}); /* 8 and 12 are as close: earlier */
    expect(&g, NULL, VF_MARK_FORWARD, -1, INT64_MAX, (double[]){104, 0, 0, 0, 0});
}

/* An own row is an observation too: nothing traded since means a return of 0, as long as something trades later. */
static void test_quiet(void) {
    static struct frame f;
    f.n = 0;
    add(&f, 1, 0, 100);
    add(&f, 1, 100, 120);
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){100, 0});
    expect(&f, NULL, VF_MARK_BACKWARD, 9, INT64_MAX, (double[]){0, 0});
    expect(&f, NULL, VF_MARK_NEAREST, -1, INT64_MAX, (double[]){100, 0});
}

static void test_bad_prices(void) {
    double bad[] = {0.0, -1.0, INFINITY, -INFINITY, NAN, NAN, 1e300, 1.7976931348623157e308};
    for (int i = 0; i < 8; i++) {
        static struct frame f;
        f.n = 0;
        if (i == 5) add(&f, 2, 0, 50); /* moves the NaN to an odd row: null in one case, a NaN in the other */
        add(&f, 1, 0, 100);
        add(&f, 1, 10, bad[i]);
        add(&f, 1, 30, 110);
        add(&f, 1, 40, bad[i]); /* not the last observation either */
        const double *want = i == 5 ? (double[]){0, 100, 0, 0, 0} : (double[]){100, 0, 0, 0};
        expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, want);
        want = i == 5 ? (double[]){0, 110, 0, 0, 0} : (double[]){110, 0, 0, 0};
        expect(&f, NULL, VF_MARK_FORWARD, -1, INT64_MAX, want);
    }
    static struct frame f;
    f.n = 0; /* denormal and huge prices count, and a quotient that leaves double is null */
    add(&f, 1, 0, 5e-324);
    add(&f, 1, 10, 9.99e299);
    add(&f, 1, 20, 1);
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){0, 1, 0});
}

/* ---- prices of other types, and gaps ------------------------------------------------------------------- */

/* Returns over 10 ns of rows 10 ns apart, their prices a column of any type; -9 where null. */
static void check_returns(const char *format, const void *prices, int64_t n, bool gaps, const double *want) {
    static const int64_t times[] = {0, 10, 20, 30};
    const int64_t h = 10;
    const struct vf_mark_options o = {
        .horizons_ns = &h, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX, .gaps = gaps};
    struct check_column time, price;
    struct vf_column out;
    struct vf_mark *mark;
    CHECK_POISON(out);
    CHECK_POISON(mark);
    struct vf_mark_batch all = {.time = check_series(&time, "tDn", "t", n, NULL, times, NULL),
                                .price = check_series(&price, format, "price", n, NULL, prices, NULL)};
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_OK(vf_mark_update(mark, &all, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_OK(vf_mark_emit(mark, &all, 0, n, &out, &check_error));
    for (int64_t i = 0; i < n; i++)
        CHECK_F64(check_valid(&out, i) ? check_f64(&out, i) : -9, want[i]);
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    check_release(&out);
    vf_mark_close(mark);
}

static void test_no_price_of_each_type(void) {
    const double bridged[] = {0, -9, 0.1 + 1 - 1, -9}, gaps[] = {-9, -9, 0.1 + 1 - 1, -9};
    const int32_t i32[] = {10, INT32_MAX, 10, 11};
    const int64_t i64[] = {10, INT64_MAX, 10, 11}, least[] = {10, INT64_MIN, 10, 11};
    const uint32_t u32[] = {10, UINT32_MAX, 10, 11};
    const uint64_t u64[] = {10, UINT64_MAX, 10, 11};
    const float f32[] = {10, 3.4028234663852886e38F, 10, 11};
    const double f64[] = {10, 1.7976931348623157e308, 10, 11};
    const uint64_t decimal[] = {1000, 0, 0, 0, 1000, 0, 1100, 0}; /* 10.00, 0.00, 10.00, 11.00 */
    const struct {
        const char *format;
        const void *prices;
    } columns[] = {{"i", i32}, {"l", i64}, {"l", least}, {"I", u32}, {"L", u64}, {"f", f32}, {"g", f64}, {"d:10,2", decimal}};
    for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
        check_returns(columns[c].format, columns[c].prices, 4, false, bridged);
        check_returns(columns[c].format, columns[c].prices, 4, true, gaps);
    }
    const int16_t i16[] = {10, INT16_MAX, 10, 11}; /* so small a type has no room to spare: 32767 is a price */
    check_returns("s", i16, 4, false, (const double[]){32767.0 / 10 - 1, 10 / 32767.0 - 1, 0.1 + 1 - 1, -9});
}

static void test_nulls(void) {
    static struct frame f;
    f.n = 0;
    add(&f, NULL_VALUE, 0, 100);
    add(&f, NULL_VALUE, 10, 101);
    add(&f, 1, NULL_VALUE, 102);
    add(&f, 1, 0, 103);
    add(&f, 1, NULL_VALUE, 104);
    add(&f, 1, 10, 105);
    add(&f, 1, NULL_VALUE, 106);
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){0, 0, 0, 105, 0, 0, 0});
    static struct frame empty;
    empty.n = 0;
    expect(&empty, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, NULL);
    static struct frame dead;
    dead.n = 0;
    for (int i = 0; i < 200; i++)
        add(&dead, 1, i, NAN);
    expect(&dead, NULL, VF_MARK_FORWARD, -1, INT64_MAX, (double[200]){0});
}

static void test_unsorted(void) {
    static struct frame f;
    f.n = 0;
    add(&f, 1, 20, 102);
    add(&f, 1, 0, 100);
    add(&f, 2, 0, 50);
    add(&f, 1, 10, 101);
    add(&f, 2, 10, 51);
    add(&f, 1, 0, 99); /* later row, same time as row 1 */
    add(&f, 1, 10, 103);
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){0, 103, 51, 102, 0, 103, 102});
}

static void test_extremes(void) {
    static struct frame f;
    f.n = 0;
    add(&f, 1, INT64_MIN + 1, 100);
    add(&f, 1, INT64_MIN + 11, 101);
    add(&f, 1, 0, 102);
    add(&f, 1, INT64_MAX - 10, 103);
    add(&f, 1, INT64_MAX - 5, 104);
    add(&f, 1, INT64_MAX, 105);
    expect(&f, NULL, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){101, 101, 102, 105, 0, 0});
    expect(&f, NULL, VF_MARK_FORWARD, -1, INT64_MAX, (double[]){101, 102, 103, 105, 0, 0});
    expect(&f, NULL, VF_MARK_NEAREST, INT64_MAX, INT64_MAX, (double[]){101, 101, 102, 105, 0, 0});
    int64_t h = INT64_MAX;
    double got[6];
    struct vf_mark_options o = {.horizons_ns = &h, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
    run(&f, NULL, &o, plain, got);
    for (int i = 0; i < 6; i++)
        CHECK_F64(got[i], slow(&f, &f, i, h, &o, false));
    CHECK_F64(got[0], 102.0 / 100 - 1);
}

static void test_quotes(void) {
    static struct frame trades, quotes;
    trades.n = quotes.n = 0;
    add(&trades, 1, 0, 100);
    add(&trades, 2, 0, 200);
    add(&trades, 3, 0, 300); /* never quoted */
    add(&trades, 1, 5, 101);
    add(&trades, 1, 10, 999); /* not looked up */
    add(&quotes, 1, 8, 110);
    add(&quotes, 2, 12, 210);
    add(&quotes, 9, 0, 1);
    add(&quotes, 1, 10, 0.0);
    add(&quotes, 1, 15, 111);
    expect(&trades, &quotes, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){110, 0, 0, 111, 0});
    expect(&trades, &quotes, VF_MARK_FORWARD, -1, INT64_MAX, (double[]){111, 210, 0, 111, 0});
    expect(&trades, &quotes, VF_MARK_NEAREST, -1, INT64_MAX, (double[]){110, 210, 0, 111, 0});
    static struct frame empty;
    empty.n = 0;
    expect(&trades, &empty, VF_MARK_BACKWARD, -1, INT64_MAX, (double[]){0, 0, 0, 0, 0});
    expect(&empty, &quotes, VF_MARK_BACKWARD, -1, INT64_MAX, NULL);
}

/* Two days in one frame, the same elapsed times: a day must never be priced with the other. */
static void test_days(void) {
    static struct frame f;
    double got[40];
    int64_t h = 10;
    struct vf_mark_options o = {.horizons_ns = &h, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
    f.n = 0;
    for (int i = 0; i < 40; i++) {
        add(&f, 1, i / 2 * 10, i % 2 == 0 ? 100 : 200);
        f.day[i] = i % 2;
    }
    run(&f, NULL, &o, (struct how){.cut = 7, .chunk = 3, .threads = 2, .n_keys = 2}, got);
    for (int i = 0; i < 40; i++)
        CHECK_F64(got[i], i < 38 ? 0.0 : NAN);
}

/* ---- types --------------------------------------------------------------------------------------------- */

static int64_t one_second = S;

static struct vf_mark_options one_horizon(void) {
    return (struct vf_mark_options){
        .horizons_ns = &one_second, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
}

/* Three rows at 0, 1 and 2.5 seconds (2 where the type has whole ones only), prices 10, 11, 12, from any columns. */
static void expect_typed(const struct vf_series *key, const struct vf_series *time,
                         const struct vf_series *price, const char *name) {
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    struct vf_mark_batch batch = {.keys = key, .n_keys = 1, .time = time, .price = price};
    struct vf_column out;
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_OK(vf_mark_emit(mark, &batch, 0, 3, &out, &check_error));
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    CHECK(strcmp(out.schema.format, "g") == 0);
    CHECK(strcmp(out.schema.name, name) == 0);
    CHECK_F64(check_f64(&out, 0), 11.0 / 10 - 1);
    CHECK(check_valid(&out, 1));
    CHECK(!check_valid(&out, 2));
    CHECK_I64(out.array.null_count, 1);
    CHECK_F64(check_f64(&out, 2), 0.0); /* what stands at a null is always the same */
    check_release(&out);
    vf_mark_close(mark);
}

static void test_types(void) {
    struct check_column key, time, price;
    const struct vf_series *keys = check_series(&key, "s", "k", 3, NULL, (int16_t[]){5, 5, 5}, NULL);
    const struct vf_series *prices = check_series(&price, "g", "p", 3, NULL, (double[]){10, 11, 12}, NULL);
    expect_typed(keys, check_series(&time, "l", "t", 3, NULL, (int64_t[]){0, 1, 2}, NULL), prices,
                 "return_1");
    expect_typed(keys, check_series(&time, "i", "t", 3, NULL, (int32_t[]){0, 1, 2}, NULL), prices,
                 "return_1");
    expect_typed(keys, check_series(&time, "g", "t", 3, NULL, (double[]){0, 1, 2.5}, NULL), prices,
                 "return_1");
    expect_typed(keys, check_series(&time, "f", "t", 3, NULL, (float[]){0, 1, 2.5f}, NULL), prices,
                 "return_1");
    expect_typed(keys, check_series(&time, "tDu", "t", 3, NULL, (int64_t[]){0, 1000000, 2500000}, NULL),
                 prices, "return_1");
    expect_typed(keys, check_series(&time, "tsm:", "t", 3, NULL, (int64_t[]){0, 1000, 2500}, NULL), prices,
                 "return_1");
    expect_typed(
        keys, check_series(&time, "tsn:Asia/Shanghai", "t", 3, NULL, (int64_t[]){0, S, 2 * S + S / 2}, NULL),
        prices, "return_1");
    expect_typed(keys, check_series(&time, "ttn", "t", 3, NULL, (int64_t[]){0, S, 2 * S + S / 2}, NULL),
                 prices, "return_1");
    const struct vf_series *times = check_series(&time, "g", "t", 3, NULL, (double[]){0, 1, 2.5}, NULL);
    expect_typed(keys, times, check_series(&price, "i", "p", 3, NULL, (int32_t[]){10, 11, 12}, NULL),
                 "return_1");
    expect_typed(keys, times, check_series(&price, "f", "p", 3, NULL, (float[]){10, 11, 12}, NULL),
                 "return_1");
    prices = check_series(&price, "g", "p", 3, NULL, (double[]){10, 11, 12}, NULL);
    keys = check_series(&key, "u", "k", 3, NULL, (int32_t[]){0, 1, 2, 3}, "AAA");
    expect_typed(keys, times, prices, "return_1");
    keys = check_series(&key, "b", "k", 3, NULL, (uint8_t[]){7}, NULL);
    expect_typed(keys, times, prices, "return_1");
    keys = check_series(&key, "tdD", "k", 3, NULL, (int32_t[]){20000, 20000, 20000}, NULL);
    expect_typed(keys, times, prices, "return_1");
}

static void test_wrong_types(void) {
    struct check_column key, time, price;
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    struct vf_mark_batch batch = {.keys = check_series(&key, "g", "k", 3, NULL, (double[]){1, 1, 1}, NULL),
                                  .n_keys = 1,
                                  .time = check_series(&time, "l", "t", 3, NULL, (int64_t[]){0, 1, 2}, NULL),
                                  .price =
                                      check_series(&price, "g", "p", 3, NULL, (double[]){10, 11, 12}, NULL)};
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "k") == 0);
    batch.keys = check_series(&key, "l", "k", 3, NULL, (int64_t[]){1, 1, 1}, NULL);
    batch.time = check_series(&time, "b", "t", 3, NULL, (uint8_t[]){1}, NULL);
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "t") == 0);
    batch.time = check_series(&time, "l", "t", 3, NULL, (int64_t[]){0, 1, 2}, NULL);
    batch.price = check_series(&price, "u", "p", 3, NULL, (int32_t[]){0, 1, 2, 3}, "123");
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "p") == 0);
    batch.price = check_series(&price, "g", "p", 2, NULL, (double[]){10, 11}, NULL);
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_ARGUMENT);
    batch.price = NULL;
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_update(mark, NULL, NULL), VF_ERROR_ARGUMENT);
    CHECK_I64(vf_mark_rows(mark), 0);
    /* nothing of that is remembered: a text key is as good as any now */
    batch.price = check_series(&price, "g", "p", 3, NULL, (double[]){10, 11, 12}, NULL);
    batch.keys = check_series(&key, "u", "k", 3, NULL, (int32_t[]){0, 1, 2, 3}, "AAA");
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    /* from here on keys are texts, one of them, and times are lengths */
    batch.keys = check_series(&key, "l", "k", 3, NULL, (int64_t[]){1, 1, 1}, NULL);
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_TYPE);
    batch.keys = check_series(&key, "u", "k", 3, NULL, (int32_t[]){0, 1, 2, 3}, "AAA");
    batch.n_keys = 0;
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_ARGUMENT);
    batch.n_keys = 1;
    batch.time = check_series(&time, "tsn:", "t", 3, NULL, (int64_t[]){0, 1, 2}, NULL);
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_TYPE);
    batch.time = check_series(&time, "tDn", "t", 3, NULL, (int64_t[]){0, 1, 2}, NULL);
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    CHECK_I64(vf_mark_rows(mark), 6);
    vf_mark_close(mark);
}

/* A batch that fails in its last row leaves nothing behind, not even half a run. */
static void test_rollback(void) {
    enum { N = 5000 };
    static int64_t keys[N], times[N];
    static double prices[N];
    struct check_column key, time, price;
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    for (int i = 0; i < N; i++) {
        keys[i] = i % 3;
        times[i] = i / 100;
        prices[i] = 100 + i % 3 + i / 100;
    }
    struct vf_mark_batch batch = {.keys = check_series(&key, "l", "k", N, NULL, keys, NULL),
                                  .n_keys = 1,
                                  .time = check_series(&time, "l", "t", N, NULL, times, NULL),
                                  .price = check_series(&price, "g", "p", N, NULL, prices, NULL)};
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    times[N - 1] = INT64_MAX / 2;
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, N - 1);
    CHECK_I64(vf_mark_rows(mark), 0);
    times[N - 1] = times[N - 2];
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    times[N - 1] = INT64_MAX / 2;
    CHECK_STATUS(vf_mark_update(mark, &batch, &check_error), VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, 2 * N - 1);
    CHECK_I64(vf_mark_rows(mark), N);
    times[N - 1] = times[N - 2];
    CHECK_OK(vf_mark_finish(mark, &check_error));
    struct vf_column out;
    CHECK_OK(vf_mark_emit(mark, &batch, 0, N, &out, &check_error));
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    for (int i = 0; i < N; i++) {
        CHECK(check_valid(&out, i) == (i / 100 < 49));
        CHECK_F64(check_f64(&out, i), i / 100 < 49 ? (prices[i] + 1) / prices[i] - 1 : 0.0);
    }
    check_release(&out);
    vf_mark_close(mark);
}

/* ---- options, states, replays -------------------------------------------------------------------------- */

static void refused(const int64_t *horizons, size_t n, enum vf_mark_method method, const char *text) {
    struct vf_mark *mark = (struct vf_mark *)&one_second;
    struct vf_mark_options o = {
        .horizons_ns = horizons, .n_horizons = n, .method = method, .tolerance_ns = -1};
    CHECK_STATUS(vf_mark_open(NULL, &o, &mark, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, text) != NULL);
    CHECK(mark == (struct vf_mark *)&one_second);
}

static void test_options(void) {
    struct vf_mark *mark = NULL;
    refused(NULL, 0, VF_MARK_BACKWARD, "no horizon");
    refused(&one_second, 0, VF_MARK_BACKWARD, "no horizon");
    refused((int64_t[]){5, 0}, 2, VF_MARK_BACKWARD, "horizon 2 is 0 ns");
    refused((int64_t[]){-5}, 1, VF_MARK_BACKWARD, "horizon 1 is -5 ns");
    refused((int64_t[]){5, 6, 5}, 3, VF_MARK_BACKWARD, "horizons 1 and 3");
    refused((int64_t[]){5}, 1, (enum vf_mark_method)3, "method 3");
    CHECK_STATUS(vf_mark_open(NULL, NULL, &mark, NULL), VF_ERROR_ARGUMENT);
    vf_mark_close(NULL);
}

static void test_names(void) {
    static struct columns columns;
    static struct frame f;
    int64_t horizons[] = {60 * S, S / 2, 1, 1500 * S / 1000, INT64_MAX, 10 * S};
    const char *want[] = {
        "return_60", "return_0.5", "return_0.000000001", "return_1.5", "return_9223372036.854775807",
        "return_10"};
    struct vf_mark_options o = {
        .horizons_ns = horizons, .n_horizons = 6, .tolerance_ns = -1, .end_ns = INT64_MAX};
    for (int named = 0; named < 2; named++) {
        struct vf_mark *mark = NULL;
        struct vf_column out[6];
        o.names = named ? "a\0b\0c\0d\0e\0f" : NULL;
        CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
        CHECK_OK(vf_mark_finish(mark, &check_error));
        CHECK_OK(vf_mark_emit(mark, columns_of(&columns, &f, 0, 0, 10, 1), 0, 0, out, &check_error));
        for (int i = 0; i < 6; i++) {
            CHECK(strcmp(out[i].schema.name, named ? (char[]){(char)('a' + i), 0} : want[i]) == 0);
            CHECK_I64(out[i].array.length, 0);
            check_release(&out[i]);
        }
        CHECK_OK(vf_mark_replayed(mark, &check_error));
        vf_mark_close(mark);
    }
}

static void test_states(void) {
    static struct columns columns;
    static struct frame f;
    f.n = 0;
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    struct vf_column out;
    add(&f, 1, 0, 100);
    add(&f, 1, S, 101);
    const struct vf_mark_batch *batch = columns_of(&columns, &f, 0, 2, 10, 1);
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_STATUS(vf_mark_observe(mark, batch, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_mark_emit(mark, batch, 0, 2, &out, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_mark_replayed(mark, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_mark_update(mark, batch, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_STATUS(vf_mark_finish(mark, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_mark_update(mark, batch, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_mark_observe(mark, batch, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_mark_emit(mark, NULL, 0, 0, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, batch, -1, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, batch, 0, -1, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, batch, 1, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, batch, INT64_MAX, 2, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, batch, 0, 1, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_emit(mark, columns_of(&columns, &f, 0, 1, 10, 1), 1, 1, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_mark_replayed(mark, &check_error), VF_ERROR_REPLAY);
    /* again and again, each time from row 0 */
    for (int round = 0; round < 2; round++) {
        vf_mark_rewind(mark);
        for (int i = 0; i < 2; i++) {
            CHECK_OK(vf_mark_emit(mark, columns_of(&columns, &f, i, 1, 10, 1), i, 1, &out, &check_error));
            CHECK(check_valid(&out, 0) == (i == 0));
            check_release(&out);
        }
        CHECK_OK(vf_mark_replayed(mark, &check_error));
    }
    vf_mark_close(mark);
}

/* A second reading with one row changed, swapped, missing or too many is noticed, wherever it is. */
static void test_replay(void) {
    enum { N = 3 * 4096 + 100 };
    static int64_t keys[N + 1], times[N + 1];
    static double prices[N + 1];
    struct check_column key, time, price;
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    struct vf_column out;
    for (int i = 0; i <= N; i++) {
        keys[i] = i % 7;
        times[i] = i / 50;
        prices[i] = 100 + i % 11;
    }
    struct vf_mark_batch batch = {.keys = check_series(&key, "l", "k", N, NULL, keys, NULL),
                                  .n_keys = 1,
                                  .time = check_series(&time, "l", "t", N, NULL, times, NULL),
                                  .price = check_series(&price, "g", "p", N, NULL, prices, NULL)};
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    vf_mark_rewind(mark); /* before there is anything to read again: what was learnt stays */
    CHECK_STATUS(vf_mark_replayed(mark, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_mark_finish(mark, &check_error));
    for (int at = 0; at < N; at += 1023) {
        keys[at] += 7;
        vf_mark_rewind(mark);
        CHECK_STATUS(vf_mark_emit(mark, &batch, 0, N, &out, &check_error), VF_ERROR_REPLAY);
        CHECK_I64(check_error.row, at / 4096 * 4096);
        keys[at] -= 7;
        times[at]++;
        CHECK_STATUS(vf_mark_emit(mark, &batch, 0, N, &out, &check_error), VF_ERROR_REPLAY);
        times[at]--;
        prices[at] += 0.5;
        CHECK_STATUS(vf_mark_emit(mark, &batch, 0, N, &out, &check_error), VF_ERROR_REPLAY);
        prices[at] -= 0.5;
        int64_t k = keys[at];
        keys[at] = keys[at + 1];
        keys[at + 1] = k;
        CHECK_STATUS(vf_mark_emit(mark, &batch, 0, N, &out, &check_error), VF_ERROR_REPLAY);
        keys[at + 1] = keys[at];
        keys[at] = k;
        /* a refused comparison has not moved on: the right rows are still welcome */
        CHECK_OK(vf_mark_emit(mark, &batch, 0, N, &out, &check_error));
        check_release(&out);
        CHECK_OK(vf_mark_replayed(mark, &check_error));
    }
    vf_mark_rewind(mark);
    for (int64_t at = 0; at < N - 1;) { /* in pieces, the last row missing */
        int64_t n = 1 + at / 3 < N - 1 - at ? 1 + at / 3 : N - 1 - at;
        key.array.offset = time.array.offset = price.array.offset = at;
        key.array.length = time.array.length = price.array.length = n;
        CHECK_OK(vf_mark_emit(mark, &batch, at, n, &out, &check_error));
        check_release(&out);
        at += n;
    }
    CHECK_STATUS(vf_mark_replayed(mark, &check_error), VF_ERROR_REPLAY);
    key.array.offset = time.array.offset = price.array.offset = N - 1;
    key.array.length = time.array.length = price.array.length = 2;
    CHECK_STATUS(vf_mark_emit(mark, &batch, N - 1, 2, &out, &check_error), VF_ERROR_REPLAY);
    CHECK_I64(check_error.row, N);
    vf_mark_close(mark);
}

/* No key columns: one instrument. */
static void test_no_keys(void) {
    struct check_column time, price;
    struct vf_mark *mark = NULL;
    struct vf_mark_options o = one_horizon();
    struct vf_column out;
    struct vf_mark_batch batch = {.time = check_series(&time, "l", "t", 3, NULL, (int64_t[]){0, 1, 1}, NULL),
                                  .price =
                                      check_series(&price, "g", "p", 3, NULL, (double[]){10, 11, 12}, NULL)};
    CHECK_OK(vf_mark_open(NULL, &o, &mark, &check_error));
    CHECK_OK(vf_mark_update(mark, &batch, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_OK(vf_mark_emit(mark, &batch, 0, 3, &out, &check_error));
    CHECK_F64(check_f64(&out, 0), 12.0 / 10 - 1);
    CHECK_I64(out.array.null_count, 2);
    check_release(&out);
    vf_mark_close(mark);
}

/* More runs than one block of 2^20 holds: first blocks that are full, runs that go on across the border, ranges and
   chunks of several threads. Each key's price doubles every second. */
static void test_blocks(void) {
    enum { BATCH = 1 << 16, N = 37 * BATCH, KEYS = 37 };
    static int32_t keys[BATCH];
    static double times[BATCH], prices[BATCH];
    struct check_column key, time, price;
    struct vf_mark *mark = NULL;
    int64_t horizons[] = {S, 3 * S};
    struct vf_mark_options o = {
        .horizons_ns = horizons, .n_horizons = 2, .tolerance_ns = -1, .end_ns = INT64_MAX};
    struct vf_mark_batch batch = {.keys = check_series(&key, "i", "k", BATCH, NULL, keys, NULL),
                                  .n_keys = 1,
                                  .time = check_series(&time, "g", "t", BATCH, NULL, times, NULL),
                                  .price = check_series(&price, "g", "p", BATCH, NULL, prices, NULL)};
    struct vf_context ctx = {.n_threads = 4};
    CHECK_OK(vf_mark_open(&ctx, &o, &mark, &check_error));
    for (int pass = 0; pass < 2; pass++) {
        int64_t wrong = 0, nulls[2] = {0, 0};
        for (int64_t first = 0; first < N; first += BATCH) {
            for (int64_t i = 0; i < BATCH; i++) {
                int64_t row = (first + i) / 2; /* runs of two rows */
                keys[i] = (int32_t)(row % KEYS);
                times[i] = (double)(row / KEYS / 1000);
                prices[i] = ldexp(1 + keys[i], (int)times[i]);
            }
            if (pass == 0) {
                CHECK_OK(vf_mark_update(mark, &batch, &check_error));
                continue;
            }
            struct vf_column out[2];
            CHECK_OK(vf_mark_emit(mark, &batch, first, BATCH, out, &check_error));
            for (int h = 0; h < 2; h++) {
                nulls[h] += out[h].array.null_count;
                for (int64_t i = 0; i < BATCH; i++)
                    wrong += check_valid(&out[h], i) && check_f64(&out[h], i) != (h == 0 ? 1.0 : 7.0);
                check_release(&out[h]);
            }
        }
        if (pass == 0) {
            CHECK_OK(vf_mark_finish(mark, &check_error));
            continue;
        }
        CHECK_I64(wrong, 0);
        int64_t last =
            (N / 2 - 1) / KEYS / 1000; /* seconds that were begun; the last row has not reached all keys */
        CHECK_I64(nulls[0], N - last * 1000 * KEYS * 2);
        CHECK_I64(nulls[1], N - (last - 2) * 1000 * KEYS * 2);
        CHECK_OK(vf_mark_replayed(mark, &check_error));
    }
    vf_mark_close(mark);
}

/* A run of equal rows, none of which has an answer, goes on over the border of a block and of a call: null all along. */
static void test_a_null_run_over_a_border(void) {
    enum { ROWS = 140000, RUN = 130000 }; /* over row 2^17, up to which rows are put in order at a time */
    static int64_t time[ROWS], horizon[1] = {10};
    static double price[ROWS];
    for (int64_t i = 0; i < ROWS; i++) {
        time[i] = i > RUN ? 2 * ROWS : i;
        price[i] = i > RUN ? 5 : 4 + (double)(i % 7);
    }
    for (int64_t slice = 45000; slice <= ROWS; slice += 95000) {
        const struct vf_mark_options options = {
            .horizons_ns = horizon, .n_horizons = 1, .tolerance_ns = 100, .end_ns = INT64_MAX};
        struct vf_mark *mark = NULL;
        struct check_column c[2];
        int64_t wrong = 0, nulls = 0;
        CHECK_OK(vf_mark_open(NULL, &options, &mark, &check_error));
        struct vf_mark_batch batch = {.time = check_series(&c[0], "tDn", "t", ROWS, NULL, time, NULL),
                                      .price = check_series(&c[1], "g", "price", ROWS, NULL, price, NULL)};
        CHECK_OK(vf_mark_update(mark, &batch, &check_error));
        CHECK_OK(vf_mark_finish(mark, &check_error));
        for (int64_t row = 0; row < ROWS; row += slice) {
            int64_t n = ROWS - row < slice ? ROWS - row : slice;
            struct vf_column out;
            (void)check_series(&c[0], "tDn", "t", n, NULL, time + row, NULL);
            (void)check_series(&c[1], "g", "price", n, NULL, price + row, NULL);
            CHECK_OK(vf_mark_emit(mark, &batch, row, n, &out, &check_error));
            for (int64_t i = 0; i < n; i++) {
                wrong += row + i > RUN && check_valid(&out, i); /* nothing is later */
                wrong += row + i <= RUN - 10 && !check_valid(&out, i);
                nulls += !check_valid(&out, i);
            }
            check_release(&out);
        }
        CHECK_I64(wrong, 0);
        CHECK(nulls >= ROWS - RUN - 1);
        CHECK_OK(vf_mark_replayed(mark, &check_error));
        vf_mark_close(mark);
    }
}

/* Rows of another key than those learnt, fewer than are compared at a time: the key has no row left, and says so; then the
   rows that were learnt come, as if nothing had been. */
static void test_a_key_is_used_up_within_a_block(void) {
    enum { ROWS = 6000 };
    static int64_t key[ROWS], other[ROWS], time[ROWS], horizons[3] = {10, 20, 30};
    static double price[ROWS];
    for (int64_t i = 0; i < ROWS; i++) {
        key[i] = i % 9;
        other[i] = i < 100 ? key[i] : 4;
        time[i] = i;
        price[i] = 1 + (double)(i % 7);
    }
    for (size_t n_horizons = 1; n_horizons <= 3; n_horizons++) {
        const struct vf_mark_options options = {
            .horizons_ns = horizons, .n_horizons = n_horizons, .tolerance_ns = -1, .end_ns = INT64_MAX};
        struct vf_mark *mark = NULL;
        struct check_column c[3];
        struct vf_column out[3];
        CHECK_POISON(out);
        CHECK_OK(vf_mark_open(NULL, &options, &mark, &check_error));
        struct vf_mark_batch batch = {.keys = check_series(&c[2], "l", "k", ROWS, NULL, key, NULL),
                                      .n_keys = 1,
                                      .time = check_series(&c[0], "tDn", "t", ROWS, NULL, time, NULL),
                                      .price = check_series(&c[1], "g", "price", ROWS, NULL, price, NULL)};
        CHECK_OK(vf_mark_update(mark, &batch, &check_error));
        CHECK_OK(vf_mark_finish(mark, &check_error));
        (void)check_series(&c[2], "l", "k", ROWS, NULL, other, NULL);
        for (int k = 0; k < 3; k++)
            c[k].array.length = 3000;
        CHECK_STATUS(vf_mark_emit(mark, &batch, 0, 3000, out, &check_error), VF_ERROR_REPLAY);
        CHECK_I64(check_error.row, 0);
        CHECK_I64(vf_mark_emit(mark, &batch, 0, 3000, out, NULL), VF_ERROR_REPLAY);
        CHECK(check_is_rubbish(&out[0], sizeof out[0]));
        (void)check_series(&c[2], "l", "k", ROWS, NULL, key, NULL);
        for (int k = 0; k < 3; k++)
            c[k].array.length = ROWS;
        CHECK_OK(vf_mark_emit(mark, &batch, 0, ROWS, out, &check_error));
        int64_t wrong = 0;
        for (int64_t i = 0; i + 40 < ROWS; i++) /* the last row of the key at or before i + 10 is row i + 9 */
            wrong += check_f64(&out[0], i) != price[i + 9] / price[i] - 1;
        CHECK_I64(wrong, 0);
        CHECK_OK(vf_mark_replayed(mark, &check_error));
        for (size_t k = 0; k < n_horizons; k++)
            check_release(&out[k]);
        vf_mark_close(mark);
    }
}

int main(void) {
    test_methods();
    test_ties();
    test_quiet();
    test_bad_prices();
    test_no_price_of_each_type();
    test_nulls();
    test_unsorted();
    test_extremes();
    test_quotes();
    test_days();
    test_types();
    test_wrong_types();
    test_rollback();
    test_options();
    test_names();
    test_states();
    test_replay();
    test_no_keys();
    test_blocks();
    test_random();
    test_invariance();
    test_a_null_run_over_a_border();
    test_a_key_is_used_up_within_a_block();
    return check_report("test_mark");
}
