/* A stranger to the library: every public function that takes an object or a column, in any order, with hostile columns,
   memory that is refused at random, outputs full of rubbish and a small stack; objects are closed in the middle.
   VIZFLOW_STRANGER=n makes n calls, VIZFLOW_STRANGER_SEED=s others. Not for whether numbers are right. */
#include "fuzz/columns.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { CALLS = 100000, SLOTS = 2, OUT = 80, KEYS = 2, VALUES = 3, STATES = 4, KINDS = 10 };
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
#define STACK ((size_t)1 << 20) /* frames are several times as large there */
#else
#define STACK ((size_t)128 << 10) /* what a thread has under musl */
#endif

/* ---- chance ---- */

static uint64_t chance_state;

static uint64_t chance(void) {
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return chance_state * UINT64_C(0x2545f4914f6cdd1d);
}
static size_t below(size_t n) {
    return (size_t)((chance() >> 33) % n);
}
static bool one_in(size_t n) {
    return below(n) == 0;
}

/* ---- memory that is refused ---- */

static atomic_long live, asked;
static long refuse_from, refuse_every; /* 0: never */

static bool refused(void) {
    long n = atomic_fetch_add(&asked, 1);
    return refuse_every != 0 && n >= refuse_from && (n - refuse_from) % refuse_every == 0;
}
static void *get(void *state, size_t size) {
    (void)state;
    if (refused()) return NULL;
    uint8_t *block = malloc(size);
    REQUIRE(block != NULL);
    memset(block, 0xa5, size < 4096 ? size : 4096);
    live++;
    return block;
}
static void *again(void *state, void *block, size_t old_size, size_t size) {
    (void)state, (void)old_size;
    return refused() ? NULL : realloc(block, size);
}
static void put(void *state, void *block, size_t size) {
    (void)state, (void)size;
    live--;
    free(block);
}

/* ---- the world ---- */

static struct world {
    struct vf_context ctx;
    struct vf_calendar *calendar[SLOTS];
    struct vf_fifo *fifo[SLOTS];
    struct vf_mark *mark[SLOTS];
    struct vf_asof *asof[SLOTS];
    struct vf_daily *daily[SLOTS];
    struct vf_quantiles *quantiles[SLOTS];
    struct vf_agg *agg[SLOTS];
    struct vf_cube *cube[SLOTS];
    struct vf_order *order[SLOTS];
    struct vf_file *file[SLOTS];
    /* the columns of the last batch of each kind, to be read again */
    struct vf_series kept[KINDS][8];
    int64_t rows[KINDS];
    size_t horizons;
    struct blocks blocks;
    uint8_t random[8192];
    struct bytes bytes;
    struct vf_error err;
    struct vf_column out[OUT];
    uint32_t counts[2048];
    double cuts[4096];
    char folder[64], path[96];
    int loans; /* owners that were taken and not given back */
} w;

static void poison(void) {
    memset(w.out, 0xa5, sizeof w.out);
    memset(&w.err, 0xa5, sizeof w.err);
    memset(w.counts, 0xa5, sizeof w.counts);
    memset(w.cuts, 0xa5, sizeof w.cuts);
    for (size_t i = 0; i < sizeof w.random; i++)
        w.random[i] = (uint8_t)(chance() >> 40);
    w.bytes = (struct bytes){w.random, w.random + sizeof w.random};
    refuse_every = one_in(4) ? 1 + (long)below(9) : 0;
    refuse_from = atomic_load(&asked) + (long)below(30);
    w.ctx.n_threads = one_in(32) ? 2 : 1;
}

/* A call's status, its error, and its n columns: as they were where it failed. */
static bool ended(enum vf_status status, size_t n) {
    refuse_every = 0;
    check_error(status, &w.err);
    if (status != VF_OK) n = 0;
    for (size_t i = 0; i < n; i++) {
        REQUIRE(w.out[i].array.release != NULL && w.out[i].schema.release != NULL && w.out[i].array.length >= 0);
        vf_column_release(&w.out[i]);
        memset(&w.out[i], 0xa5, sizeof w.out[i]);
    }
    for (size_t i = 0; i < sizeof w.out; i++)
        REQUIRE(((const uint8_t *)w.out)[i] == 0xa5);
    return status == VF_OK;
}

static struct vf_series column(int64_t rows, const char *format) {
    struct made made;
    w.bytes.at = w.random + below(4096);
    make_series(&w.bytes, &w.blocks, one_in(40) ? -1 : rows, one_in(12) ? NULL : format, &made);
    return made.series;
}

/* A well-made column: so that calls come further than their first check. */
static struct vf_series plain(int64_t rows, const char *format) {
    struct ArrowSchema *schema = block_new(&w.blocks, sizeof *schema);
    struct ArrowArray *array = block_new(&w.blocks, sizeof *array);
    const struct ArrowArray **chunk = block_new(&w.blocks, sizeof *chunk);
    const void **buffers = block_new(&w.blocks, 3 * sizeof *buffers);
    size_t width = format_of(format).width;
    uint8_t *values = block_new(&w.blocks, (size_t)rows * 8 + 8);
    for (int64_t i = 0; i < rows; i++) {
        int64_t small = (int64_t)below(5) + 1;
        double real = (double)small;
        memcpy(values + (size_t)i * width, format[0] == 'g' ? (void *)&real : (void *)&small, width < 8 ? width : 8);
    }
    buffers[1] = values;
    *schema = (struct ArrowSchema){.format = format, .name = "x", .flags = 2, .release = no_release_schema};
    *array = (struct ArrowArray){.length = rows, .n_buffers = 2, .buffers = buffers, .release = no_release_array};
    *chunk = array;
    return (struct vf_series){schema, chunk, 1};
}

static struct vf_series some(int64_t rows, const char *format) {
    return one_in(3) ? column(rows, format) : plain(rows, format);
}

/* n columns of a batch of a kind, in w.kept; now and then those of the last batch again. */
static int64_t batch(size_t kind, size_t n, const char *const *formats_of) {
    if (one_in(3)) return w.rows[kind];
    int64_t rows = one_in(8) ? 0 : (int64_t)below(30);
    bool hostile = one_in(2);
    for (size_t i = 0; i < n; i++)
        w.kept[kind][i] = hostile ? some(rows, formats_of[i]) : plain(rows, formats_of[i]);
    return w.rows[kind] = rows;
}
static int64_t reread(size_t kind) {
    return one_in(12) ? (int64_t)below(40) - 3 : w.rows[kind];
}
static const struct vf_series *or_none(const struct vf_series *series) {
    return one_in(10) ? NULL : series;
}

static const char *const fifo_types[] = {"l", "l", "l", "l", "l", "g"};
static const char *const mark_types[] = {"l", "l", "g", "g"};
static const char *const daily_types[] = {"l", "l", "l", "g", "l"};
static const char *const agg_types[] = {"l", "i", "l", "g", "g", "l", "g", "g"};

/* ---- calls on single columns ---- */

static void let_go(void *owner) {
    (void)owner;
    w.loans--;
}

static const struct vf_session day[] = {{34200000000000, 41400000000000}, {46800000000000, 54000000000000}};
static const struct vf_side sides[] = {{.integer = 1, .entry = true}, {.integer = 2, .entry = false}};

static void call_columns(size_t which) {
    int64_t n = (int64_t)below(24);
    struct vf_series a = some(n, which % 2 ? "g" : "l"), b = some(one_in(20) ? n + 1 : n, "g");
    struct vf_series s[8];
    const struct vf_context *ctx = one_in(8) ? NULL : &w.ctx;
    struct vf_clock_options options = {day, below(3), (enum vf_outside)below(4), (int64_t)below(3) - 1,
                                       (enum vf_time_layout)below(5)};
    struct vf_clock_report report;
    for (size_t i = 0; i < 8; i++)
        s[i] = i < 6 || which == 11 ? some(n, i % 2 ? "g" : "l") : a;
    if (ctx == NULL) refuse_every = 0;
    enum vf_status status = VF_OK;
    size_t given = 1;
    struct vf_calendar *calendar = w.calendar[below(SLOTS)];
    if (calendar == NULL && which >= 12) which -= 12;
    switch (which) {
    case 0:
        status = vf_clock_elapsed(ctx, &a, &options, w.out, one_in(2) ? &report : NULL, &w.err);
        break;
    case 1:
        status = vf_bin_index(ctx, &a, (double)below(3) / 2, one_in(2), w.out, &w.err);
        break;
    case 2:
        status = vf_cast_integer(ctx, &a, one_in(9) ? "g" : "l", (double)below(3) / 4, w.out, &w.err);
        break;
    case 3:
        status = vf_cast_float(ctx, &a, w.out, &w.err);
        break;
    case 4:
        status = vf_mid(ctx, &a, &b, w.out, &w.err);
        break;
    case 5:
        status = vf_price_return(ctx, &a, &b, w.out, &w.err);
        break;
    case 6:
        status = vf_side_sign(ctx, &a, sides, below(3), one_in(2), w.out, &w.err);
        break;
    case 7:
        status = vf_date_parse(ctx, &a, w.out, &w.err);
        break;
    case 8: {
        static const double cuts[] = {-1, 0, 1, 2, 2};
        status = vf_cut_index(ctx, &a, cuts, below(6), one_in(2), -INFINITY, (double)below(4), (enum vf_cut_outside)below(4),
                              w.out, &w.err);
        break;
    }
    case 9: {
        uint32_t counts[64];
        for (size_t i = 0; i < 64; i++)
            counts[i] = (uint32_t)below(3);
        struct vf_series any = column(n, NULL);
        w.loans++;
        status = vf_column_expand(ctx, &any, counts, one_in(9) ? n + 1 : n, &w, let_go, w.out, &w.err);
        if (status != VF_OK) w.loans--; /* it is not taken then */
        break;
    }
    case 10:
        given = 2;
        status = vf_clusters_error(ctx, &b, or_none(&a), below(6), w.out, &w.err);
        break;
    case 11:
        status = vf_moment_value(ctx, (enum vf_moment)below(8), (uint32_t)below(3), s, below(9), w.out, &w.err);
        break;
    case 12:
        status = vf_clock_elapsed_on(ctx, calendar, &a, &b, &options, w.out, &report, &w.err);
        break;
    case 13:
        status = vf_clock_end_on(ctx, calendar, &a, NULL, 0, w.out, &w.err);
        break;
    case 14:
        status = vf_clock_left_on(ctx, calendar, &b, &a, NULL, 0, w.out, &w.err);
        break;
    case 15:
        status = vf_clock_trading_day(ctx, calendar, &a, w.out, &w.err);
        break;
    case 16:
        given = 4;
        status = vf_calendar_columns(ctx, calendar, w.out, &w.err);
        break;
    default:
        (void)vf_clock_elapsed_format(a.schema, options.layout);
        status = vf_sessions_check(day, below(3), &w.err);
        given = 0;
        break;
    }
    (void)ended(status, given);
}

/* ---- calls on objects; each opens what is not there ---- */

/* What open gave is there only where it did not fail. */
#define OPENED(slot, call)                                                                                             \
    do {                                                                                                               \
        void *before = *(slot);                                                                                        \
        if (!ended((call), 0)) {                                                                                       \
            REQUIRE(*(slot) == before);                                                                                \
            return;                                                                                                    \
        }                                                                                                              \
    } while (0)

static void call_calendar(struct vf_calendar **c) {
    static const char text[] = "calendar T\nfirst 2024-01-01\nlast 2024-12-31\nclosed\n2024 0101 0212-0216\n"
                               "hours 2024-01-01 0930-1130 1300-1500\nspecial 0930-1200\n2024 1224\n";
    if (*c == NULL) {
        struct vf_series days = some((int64_t)below(9), "tdD");
        char cut[sizeof text];
        memcpy(cut, text, sizeof text);
        cut[below(sizeof text)] ^= one_in(2) ? 0 : (char)(1 << below(7));
        size_t length = one_in(3) ? below(sizeof text) : sizeof text - 1;
        enum vf_status status = one_in(3) ? vf_calendar_open_days(&w.ctx, &days, c, &w.err)
                                          : vf_calendar_open(&w.ctx, cut, length, c, &w.err);
        OPENED(c, status);
        return;
    }
    int32_t date = 19700 + (int32_t)below(500), other = date + (int32_t)below(9) - 3;
    const int32_t *list;
    const struct vf_session *sessions;
    struct vf_calendar_info info;
    bool traded;
    int64_t index;
    size_t n;
    struct vf_calendar *north = NULL;
    switch (below(8)) {
    case 0:
        vf_calendar_describe(*c, &info);
        break;
    case 1:
        (void)ended(vf_calendar_is_trading_day(*c, date, &traded, &w.err), 0);
        break;
    case 2:
        (void)ended(vf_calendar_next(*c, date, &other, &w.err), 0);
        break;
    case 3:
        (void)ended(vf_calendar_prev(*c, date, &other, &w.err), 0);
        break;
    case 4:
        (void)ended(vf_calendar_index(*c, date, &index, &w.err), 0);
        break;
    case 5:
        (void)ended(vf_calendar_range(*c, date, other, &list, &n, &w.err), 0);
        break;
    case 6:
        (void)ended(vf_calendar_sessions(*c, date, &sessions, &n, &w.err), 0);
        for (size_t i = 0; i < vf_calendar_variants(*c); i++)
            vf_calendar_variant(*c, i, &sessions, &n);
        break;
    default:
        if (w.calendar[0] == NULL || w.calendar[1] == NULL) return;
        if (ended(vf_calendar_open_northbound(&w.ctx, w.calendar[0], w.calendar[1], date, other, &north, &w.err), 0))
            vf_calendar_close(north);
        break;
    }
}

static struct vf_fifo_batch fifo_batch(void) {
    struct vf_series *k = w.kept[0];
    return (struct vf_fifo_batch){.symbol = &k[0], .sort = &k[1], .time = or_none(&k[2]), .side = &k[3],
                                  .quantity = &k[4], .price = or_none(&k[5])};
}

static void call_fifo(struct vf_fifo **f) {
    enum { ALL = (1 << VF_FIFO_N_COLUMNS) - 1 };
    if (*f == NULL) {
        struct vf_fifo_options options = {sides, one_in(20) ? below(2) : 2, (enum vf_fifo_rows)below(one_in(20) ? 4 : 3),
                                          (enum vf_excess)below(one_in(20) ? 4 : 3),
                                          one_in(3) ? ALL : (unsigned)below(ALL + 1)};
        OPENED(f, vf_fifo_open(&w.ctx, &options, f, &w.err));
        return;
    }
    size_t which = below(10);
    if (which < 3) (void)batch(0, 6, fifo_types);
    struct vf_fifo_batch in = fifo_batch();
    unsigned columns = one_in(2) ? VF_FIFO_ENTRY_ID | VF_FIFO_CLOSED : (unsigned)below(ALL + 1);
    size_t given = 0;
    for (unsigned c = columns; c != 0; c &= c - 1)
        given++;
    if (w.kept[0][0].schema == NULL) return;
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(vf_fifo_update(*f, &in, &w.err), 0);
        break;
    case 3:
        (void)ended(vf_fifo_inventory(*f, in.symbol, in.quantity, in.price, &w.err), 0);
        break;
    case 4:
    case 5:
        (void)ended(vf_fifo_match(*f, &w.err), 0);
        break;
    case 6:
        vf_fifo_rewind(*f);
        (void)vf_fifo_doubt(*f);
        break;
    case 7:
        (void)ended(vf_fifo_replayed(*f, &w.err), 0);
        REQUIRE(vf_fifo_rows_in(*f) >= 0 && vf_fifo_rows_out(*f) >= -1);
        break;
    default:
        (void)ended(vf_fifo_emit(*f, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, reread(0), columns,
                                 one_in(2) ? w.counts : NULL, w.out, &w.err), given);
        break;
    }
}

static void call_mark(struct vf_mark **m) {
    static const int64_t horizons[] = {1000000000, 2000000000, 60000000000, 0};
    size_t n_keys = 1;
    if (*m == NULL) {
        struct vf_mark_options options = {.horizons_ns = horizons, .n_horizons = w.horizons, .method = (enum vf_mark_method)
                                          below(one_in(20) ? 4 : 3), .tolerance_ns = (int64_t)below(3) - 1,
                                          .end_ns = INT64_MAX, .quotes = one_in(2)};
        OPENED(m, vf_mark_open(&w.ctx, &options, m, &w.err));
        return;
    }
    size_t which = below(9);
    if (which < 4) (void)batch(1, 3, mark_types);
    struct vf_series *k = w.kept[1];
    if (k[0].schema == NULL) return;
    if (one_in(20)) n_keys = 0;
    struct vf_mark_batch in = {k, n_keys, &k[1], &k[2]};
    switch (which) {
    case 0:
    case 1:
        (void)ended(vf_mark_observe(*m, &in, &w.err), 0);
        break;
    case 2:
    case 3:
        (void)ended(vf_mark_update(*m, &in, &w.err), 0);
        break;
    case 4:
        (void)ended(vf_mark_finish(*m, &w.err), 0);
        break;
    case 5:
        vf_mark_rewind(*m);
        REQUIRE(vf_mark_rows(*m) >= 0);
        break;
    case 6:
        (void)ended(vf_mark_replayed(*m, &w.err), 0);
        break;
    default:
        (void)ended(vf_mark_emit(*m, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, reread(1), w.out, &w.err), w.horizons);
        break;
    }
}

static void call_asof(struct vf_asof **a) {
    static const int64_t horizons[] = {0, -1000000000, 60000000000, 1};
    if (*a == NULL) {
        struct vf_asof_options options = {.horizons_ns = horizons, .n_horizons = w.horizons, .method = (enum vf_mark_method)
                                          below(one_in(20) ? 4 : 3), .tolerance_ns = (int64_t)below(3) - 1,
                                          .end_ns = INT64_MAX, .strict = one_in(2), .past_last = one_in(2),
                                          .unique = one_in(4)};
        OPENED(a, vf_asof_open(&w.ctx, &options, a, &w.err));
        return;
    }
    (void)batch(2, 2, mark_types);
    struct vf_series *k = w.kept[2];
    if (k[0].schema == NULL) return;
    struct vf_asof_batch in = {k, one_in(20) ? 0 : 1, or_none(&k[1])};
    switch (below(5)) {
    case 0:
    case 1:
        (void)ended(vf_asof_observe(*a, &in, &w.err), 0);
        break;
    case 2:
        (void)ended(vf_asof_finish(*a, &w.err), 0);
        REQUIRE(vf_asof_rows(*a) >= 0);
        break;
    default:
        (void)ended(vf_asof_find(*a, &in, w.out, &w.err), w.horizons);
        break;
    }
}

static void call_daily(struct vf_daily **d) {
    if (*d == NULL) {
        struct vf_daily_options options = {one_in(2) ? INT64_MAX : 3000000000, one_in(2)};
        OPENED(d, vf_daily_open(&w.ctx, &options, d, &w.err));
        return;
    }
    size_t which = below(8);
    if (which < 4) (void)batch(3, 5, daily_types);
    struct vf_series *k = w.kept[3];
    if (k[0].schema == NULL) return;
    struct vf_daily_batch in = {k, 1, &k[1], or_none(&k[2]), &k[3], or_none(&k[4])};
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(vf_daily_update(*d, &in, w.out, &w.err), 1);
        break;
    case 3:
        (void)ended(vf_daily_update(*d, &in, NULL, &w.err), 0);
        break;
    case 4:
        (void)ended(vf_daily_finish(*d, w.out, &w.err), VF_DAILY_COLUMNS);
        REQUIRE(vf_daily_groups(*d) >= 0);
        break;
    case 5:
        (void)ended(vf_daily_replayed(*d, &w.err), 0);
        break;
    default:
        (void)ended(vf_daily_return(*d, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, w.out, &w.err), 1);
        break;
    }
}

static void call_quantiles(struct vf_quantiles **q) {
    struct vf_quantiles_summary summary;
    bool more;
    if (*q == NULL) {
        OPENED(q, vf_quantiles_open(&w.ctx, one_in(9) ? below(5000) : 4, (enum vf_quantile_method)below(one_in(9) ? 3 : 2),
                                    q, &w.err));
        return;
    }
    static const char *const types[] = {"g"};
    if (one_in(4)) (void)batch(4, 1, types);
    if (w.kept[4][0].schema == NULL) return;
    switch (below(3)) {
    case 0:
        (void)ended(vf_quantiles_update(*q, w.kept[4], &w.err), 0);
        break;
    case 1:
        (void)ended(vf_quantiles_pass(*q, &more, &w.err), 0);
        break;
    default:
        (void)ended(vf_quantiles_cuts(*q, w.cuts, one_in(2) ? &summary : NULL, &w.err), 0);
        break;
    }
}

static void call_agg(struct vf_agg **a) {
    if (*a == NULL) {
        struct vf_agg_leaf leaves[8];
        size_t n = one_in(8) ? 0 : below(8);
        for (size_t i = 0; i < n; i++)
            leaves[i] = (struct vf_agg_leaf){(enum vf_agg_op)below(one_in(20) ? 18 : 12), (uint32_t)below(VALUES), "leaf",
                                             {(uint32_t)below(VALUES + 1), (uint32_t)below(VALUES + 1)}};
        OPENED(a, vf_agg_open(&w.ctx, leaves, n, below(KEYS + 1), n == 0 ? 0 : VALUES, a, &w.err));
        return;
    }
    size_t which = below(8);
    if (which < 4) (void)batch(5, KEYS + VALUES, agg_types);
    struct vf_series *k = w.kept[5];
    if (k[0].schema == NULL) return;
    struct vf_agg *other = w.agg[a == &w.agg[0]];
    size_t columns = vf_agg_state_columns(*a);
    REQUIRE(columns < OUT && vf_agg_groups(*a) >= 0);
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(vf_agg_update(*a, k, k + KEYS, reread(5), &w.err), 0);
        break;
    case 3:
        (void)ended(vf_agg_number(*a, k, reread(5), w.out, &w.err), 1);
        break;
    case 4:
        if (other != NULL) (void)ended(vf_agg_merge(*a, other, &w.err), 0);
        break;
    case 5: {
        enum vf_status status = vf_agg_finish(*a, w.out, &w.err);
        size_t n = 0;
        while (n < OUT && memcmp(&w.out[n].array.release, "\xa5\xa5\xa5\xa5\xa5\xa5\xa5\xa5", sizeof(void *)) != 0)
            n++;
        (void)ended(status, n);
        break;
    }
    default:
        (void)ended(vf_agg_states(*a, w.out, &w.err), columns);
        break;
    }
}

static const struct vf_cube_state cube_states[STATES] = {{VF_CUBE_ADD_INT, "n"}, {VF_CUBE_ADD_FLOAT, "sum"},
                                                         {VF_CUBE_MIN, "least"}, {VF_CUBE_FIRST, "first"}};
static const char *const cube_types[] = {"i", "l", "l", "g", "g", "g", "g", "l"};
enum { CUBE_COLUMNS = 1 + 2 + 1 + 1 };

static void ask_cube(const struct vf_cube *cube) {
    uint32_t kept[3] = {(uint32_t)below(3), (uint32_t)below(3), (uint32_t)below(3)}, positions[2] = {0, 1};
    struct vf_cube_pick picks[KEYS] = {{positions, below(3)}, {NULL, 0}};
    struct vf_cube_query query = {one_in(2) ? picks : NULL, kept, below(4), NULL, 0, one_in(4) ? below(9999) : 0};
    (void)ended(vf_cube_query(cube, &query, w.out, &w.err), query.n_kept + CUBE_COLUMNS);
}

/* Parts given, damaged, and attached: an error, or a cube that answers. */
static void attach_cube(const struct vf_cube *cube) {
    size_t n = vf_cube_n_parts(cube), at = 0;
    struct vf_column *parts = block_new(&w.blocks, 64 * sizeof *parts);
    struct vf_series *series = block_new(&w.blocks, 64 * sizeof *series);
    const struct ArrowArray **chunks = block_new(&w.blocks, 64 * sizeof *chunks);
    bool all = n <= 64;
    for (; all && at < n; at += all) {
        all = vf_cube_part(cube, at, &parts[at], &w.err) == VF_OK;
        chunks[at] = &parts[at].array;
        series[at] = (struct vf_series){&parts[at].schema, &chunks[at], 1};
    }
    if (all && n > 0) {
        size_t i = below(n);
        struct ArrowArray *a = &parts[i].array;
        size_t width = format_of(parts[i].schema.format).width;
        size_t bytes = width * (size_t)a->length;
        uint8_t *copy = block_new(&w.blocks, bytes + 8);
        const void **buffers = (const void **)(uintptr_t)a->buffers, *was = buffers[1];
        if (a->n_buffers == 2 && bytes > 0 && !one_in(4)) { /* words of a damaged file */
            memcpy(copy, was, bytes);
            if (one_in(2))
                copy[below(bytes)] ^= (uint8_t)(1 << below(8));
            else
                memset(copy + below(bytes), (int)below(256), 1);
            buffers[1] = copy;
        }
        int64_t length = a->length;
        if (one_in(6)) a->length = (int64_t)below((size_t)length + 1);
        struct vf_cube *attached = NULL;
        w.loans++;
        if (ended(vf_cube_attach(&w.ctx, cube_states, one_in(9) ? below(STATES) : STATES, series, one_in(9) ? below(n) : n, &w,
                                 let_go, &attached, &w.err), 0)) {
            for (int q = 0; q < 4; q++)
                ask_cube(attached);
            vf_cube_close(attached);
        } else {
            REQUIRE(attached == NULL);
            w.loans--;
        }
        a->length = length;
        buffers[1] = was;
    }
    while (at-- > 0)
        vf_column_release(&parts[at]);
}

static void call_cube(struct vf_cube **c) {
    if (*c == NULL) {
        OPENED(c, vf_cube_open(&w.ctx, one_in(20) ? below(18) : KEYS, cube_states, one_in(20) ? below(2) : STATES, c, &w.err));
        return;
    }
    size_t which = below(12);
    if (which < 2) (void)batch(6, 8, cube_types);
    struct vf_series *k = w.kept[6];
    if (k[0].schema == NULL) return;
    struct vf_cube_size size;
    struct vf_cube_shape shape;
    switch (which) {
    case 0:
    case 1:
        (void)ended(vf_cube_learn(*c, k, k + KEYS, reread(6), &w.err), 0);
        break;
    case 2:
        (void)ended(vf_cube_size(*c, &size, &w.err), 0);
        break;
    case 3:
        (void)ended(vf_cube_build(*c, (enum vf_cube_layout)below(one_in(20) ? 4 : 3), one_in(3) ? below(99999) : 1 << 26, &w.err), 0);
        break;
    case 4:
    case 5:
        (void)ended(vf_cube_add(*c, k, k + KEYS, reread(6), &w.err), 0);
        break;
    case 6:
        (void)ended(vf_cube_finish(*c, &w.err), 0);
        break;
    case 7:
        (void)ended(vf_cube_shape(*c, &shape, &w.err), 0);
        break;
    case 8:
        (void)ended(vf_cube_axis(*c, below(4), w.out, &w.err), 1);
        break;
    case 9:
        if (vf_cube_shape(*c, &shape, &w.err) == VF_OK) attach_cube(*c);
        break;
    default:
        ask_cube(*c);
        break;
    }
}

static void call_order(struct vf_order **o) {
    struct vf_order_report report;
    if (*o == NULL) {
        OPENED(o, vf_order_open(&w.ctx, o, &w.err));
        return;
    }
    (void)batch(7, 2, mark_types);
    if (w.kept[7][0].schema == NULL) return;
    (void)ended(vf_order_update(*o, or_none(&w.kept[7][0]), &w.kept[7][1], &w.err), 0);
    vf_order_report(*o, &report);
}

static void call_file(struct vf_file **f) {
    if (*f == NULL) {
        (void)snprintf(w.path, sizeof w.path, "%s/%s", w.folder, one_in(5) ? "" : "file");
        OPENED(f, vf_file_open(&w.ctx, w.path, f, &w.err));
        return;
    }
    if (one_in(4))
        (void)ended(vf_file_commit(*f, &w.err), 0);
    else
        (void)ended(vf_file_write(*f, w.random, below(64), &w.err), 0);
    (void)vf_file_leftover(one_in(2) ? NULL : (const char *)"x");
}

/* ---- any order ---- */

#define CLOSE(kind)                                                                                                    \
    do {                                                                                                               \
        vf_##kind##_close(w.kind[at]);                                                                                 \
        w.kind[at] = NULL;                                                                                             \
    } while (0)

static void close_one(size_t kind, size_t at) {
    switch (kind) {
    case 0: CLOSE(calendar); break;
    case 1: CLOSE(fifo); break;
    case 2: CLOSE(mark); break;
    case 3: CLOSE(asof); break;
    case 4: CLOSE(daily); break;
    case 5: CLOSE(quantiles); break;
    case 6: CLOSE(agg); break;
    case 7: CLOSE(cube); break;
    case 8: CLOSE(order); break;
    default: CLOSE(file); break;
    }
}

static void call_any(size_t kind, size_t at) {
    switch (kind) {
    case 0: call_calendar(&w.calendar[at]); break;
    case 1: call_fifo(&w.fifo[at]); break;
    case 2: call_mark(&w.mark[at]); break;
    case 3: call_asof(&w.asof[at]); break;
    case 4: call_daily(&w.daily[at]); break;
    case 5: call_quantiles(&w.quantiles[at]); break;
    case 6: call_agg(&w.agg[at]); break;
    case 7: call_cube(&w.cube[at]); break;
    case 8: call_order(&w.order[at]); break;
    default: call_file(&w.file[at]); break;
    }
}

/* A few kinds at a time, so that each comes far; files, which sync, seldom. */
static long episode(void) {
    size_t favourite = below(KINDS - 1);
    long calls = 0;
    w.horizons = 1 + below(3);
    memset(w.kept, 0, sizeof w.kept);
    memset(w.rows, 0, sizeof w.rows);
    for (long n = 10 + (long)below(50); calls < n && w.blocks.n < BLOCKS_MAX - 1200; calls++) {
        size_t kind = one_in(4) ? below(one_in(20) ? KINDS : KINDS - 1) : favourite;
        poison();
        if (one_in(5))
            call_columns(below(18));
        else
            call_any(kind, below(SLOTS));
        if (one_in(40)) close_one(kind, below(SLOTS));
    }
    refuse_every = 0;
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t at = 0; at < SLOTS; at++)
            close_one(kind, at);
    REQUIRE(w.loans == 0);
    REQUIRE(atomic_load(&live) == 0);
    blocks_free(&w.blocks);
    return calls;
}

static long wanted, made;

static void *stranger(void *unused) {
    while (made < wanted)
        made += episode();
    return unused;
}

static long number_of(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

int main(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    unsigned char *stack;
    wanted = number_of("VIZFLOW_STRANGER", CALLS);
    chance_state = (uint64_t)number_of("VIZFLOW_STRANGER_SEED", 1) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w.ctx.allocator = (struct vf_allocator){get, again, put, NULL};
    (void)snprintf(w.folder, sizeof w.folder, "/tmp/vizflow_stranger_%ld", (long)getpid());
    REQUIRE(posix_memalign((void **)&stack, 4096, STACK) == 0);
    memset(stack, 0x5a, STACK);
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, stack, STACK) == 0);
    REQUIRE(pthread_create(&thread, &attributes, stranger, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    size_t untouched = 0;
    while (untouched < STACK && stack[untouched] == 0x5a)
        untouched++;
    free(stack);
    (void)snprintf(w.path, sizeof w.path, "%s/file", w.folder);
    (void)remove(w.path);
    (void)remove(w.folder);
    printf("stranger: %ld calls, %zu KiB of stack\n", made, (STACK - untouched) >> 10);
    REQUIRE(untouched > 0);
    return 0;
}
