/* A stranger to the library: every public function, in any order, with hostile columns, memory that is refused at random,
   outputs full of rubbish and a small stack; objects are used before they are ready, after they failed, and after their
   end, and are closed in the middle. What failed has written nothing but the error; what was given can be read to its
   last value; every block of memory comes back. Not for whether numbers are right.

   Calls come in episodes, each drawn from its number alone. VIZFLOW_STRANGER=n makes n calls in all,
   VIZFLOW_STRANGER_SEED=s others; an episode that fails is named, and VIZFLOW_STRANGER_EPISODE=e runs it alone. */
#define _XOPEN_SOURCE 700
#include "fuzz/columns.h"

#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { CALLS = 100000, SLOTS = 2, OUT = 80, KEYS = 2, VALUES = 3, STATES = 4, KINDS = 10 };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif
#if defined(SANITIZED) || !defined(__OPTIMIZE__) || defined(VF__SIZES_HUGE)
#define STACK ((size_t)1 << 21) /* frames are several times as large there */
#else
#define STACK ((size_t)128 << 10)
#endif
#if defined(NDEBUG) && defined(__OPTIMIZE__) && !defined(SANITIZED) && !defined(VF__SIZES_HUGE)
#define MOST_STACK ((size_t)64 << 10) /* what the header asks for, of the library as it is shipped */
#else
#define MOST_STACK STACK
#endif

/* ---- every function ---- */

/* Those that give a status, and those that do not. Held against the header below. */
#define STATUS_FUNCTIONS(X)                                                                                            \
    X(agg_finish) X(agg_merge) X(agg_number) X(agg_open) X(agg_states) X(agg_update) X(asof_find) X(asof_finish)       \
    X(asof_observe) X(asof_open) X(bin_index) X(calendar_columns) X(calendar_index) X(calendar_is_trading_day)         \
    X(calendar_next) X(calendar_open) X(calendar_open_days) X(calendar_prev)               \
    X(calendar_range) X(calendar_sessions) X(cast_float) X(cast_integer) X(clock_elapsed) X(clock_elapsed_on)          \
    X(clock_end_on) X(clock_left_on) X(clock_trading_day) X(clusters_error) X(column_expand) X(cube_add)               \
    X(cube_attach) X(cube_axis) X(cube_build) X(cube_finish) X(cube_learn) X(cube_learn_axis) X(cube_open) X(cube_part)   \
    X(cube_query)                                                                                                      \
    X(cube_shape) X(cube_size) X(cut_index) X(daily_finish) X(daily_open) X(daily_replayed) X(daily_return)            \
    X(daily_update) X(date_parse) X(fifo_emit) X(fifo_inventory) X(fifo_match) X(fifo_open) X(fifo_replayed)           \
    X(fifo_rests) X(fifo_update) X(file_commit) X(file_open) X(file_write) X(integer_arithmetic) X(mark_emit)          \
    X(mark_finish) X(mark_observe) X(mark_open) X(mark_replayed) X(mark_update) X(mid) X(moment_value) X(order_open)   \
    X(order_update) X(price_return) X(quantiles_cuts) X(quantiles_open) X(quantiles_pass) X(quantiles_update)          \
    X(sessions_check) X(side_sign)
#define OTHER_FUNCTIONS(X)                                                                                             \
    X(agg_close) X(agg_groups) X(agg_state_columns) X(asof_close) X(asof_rows) X(calendar_close) X(calendar_describe)  \
    X(calendar_variant) X(calendar_variants) X(clock_elapsed_format) X(column_release) X(cube_close) X(cube_n_parts)   \
    X(daily_close) X(daily_groups) X(fifo_close) X(fifo_doubt) X(fifo_rewind) X(fifo_rows_in) X(fifo_rows_out)         \
    X(fifo_trades_in)                                                                                                  \
    X(file_close) X(file_leftover) X(mark_close) X(mark_rewind) X(mark_rows) X(order_close) X(order_report)            \
    X(quantiles_close) X(sessions_elapsed_ns) X(sessions_length_ns) X(status_name) X(status_text) X(version)

enum function {
#define FUNCTION(name) N_##name,
    STATUS_FUNCTIONS(FUNCTION) N_OF_STATUS,
    BEFORE_OTHERS = N_OF_STATUS - 1,
    OTHER_FUNCTIONS(FUNCTION) N_FUNCTIONS
};
static const char *const function_names[] = {
#define FUNCTION_NAME(name) "vf_" #name,
    STATUS_FUNCTIONS(FUNCTION_NAME) OTHER_FUNCTIONS(FUNCTION_NAME)};

static long called[N_FUNCTIONS], succeeded[N_FUNCTIONS];
static enum function latest;

#define CALL(name, ...) (called[latest = N_##name]++, vf_##name(__VA_ARGS__))

/* The header's functions are those above, and each was called; those that can fail did, and did not. */
static void check_functions(bool all) {
    char path[512], line[256];
    const char *slash = strstr(__FILE__, "tests/c/unit/");
    REQUIRE(slash != NULL && snprintf(path, sizeof path, "%.*sinclude/vizflow/vizflow.h", (int)(slash - __FILE__), __FILE__) <
                                 (int)sizeof path);
    FILE *header = fopen(path, "r");
    REQUIRE(header != NULL);
    size_t n = 0, missing = 0;
    while (fgets(line, sizeof line, header) != NULL) {
        const char *end = strncmp(line, "VF_API ", 7) == 0 ? strchr(line, '(') : NULL, *name = end;
        if (end == NULL) continue;
        while (name > line && (isalnum((unsigned char)name[-1]) || name[-1] == '_'))
            name--;
        size_t known = 0, length = (size_t)(end - name);
        while (known < N_FUNCTIONS && (strlen(function_names[known]) != length || strncmp(function_names[known], name, length) != 0))
            known++;
        if (known == N_FUNCTIONS) fprintf(stderr, "%.*s is not among the functions to call\n", (int)length, name);
        missing += known == N_FUNCTIONS;
        n++;
    }
    (void)fclose(header);
    for (size_t f = 0; all && f < N_FUNCTIONS; f++) {
        bool both = called[f] > 0 && (f >= N_OF_STATUS || (succeeded[f] > 0 && succeeded[f] < called[f]));
        if (!both) fprintf(stderr, "%s: %ld calls, %ld of them VF_OK\n", function_names[f], called[f], succeeded[f]);
        missing += !both;
    }
    REQUIRE(missing == 0 && n == N_FUNCTIONS);
}

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

/* What calls write that is no column. */
struct answers {
    bool traded, more;
    int32_t day;
    int64_t number;
    const int32_t *days;
    const struct vf_session *sessions;
    size_t n;
    struct vf_clock_report clock;
    struct vf_quantiles_summary summary;
    struct vf_cube_size size;
    struct vf_cube_shape shape;
    uint32_t counts[64];
    double cuts[4096];
};

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
    size_t horizons[2][SLOTS]; /* of marks and look-ups */
    unsigned columns[SLOTS];   /* of matchings */
    size_t steps[KINDS][SLOTS];
    bool tame; /* an episode that for the most part does as the header says: so that it comes to the end */
    struct blocks blocks;
    uint8_t random[8192];
    struct bytes bytes;
    struct vf_error err;
    struct vf_column out[OUT];
    struct answers got;
    bool raw; /* what is given may hold what was broken in the input: only to be released */
    char folder[64], path[96];
    int loans; /* owners that were taken and not given back */
} w;

static void poison(void) {
    memset(w.out, 0xa5, sizeof w.out);
    memset(&w.err, 0xa5, sizeof w.err);
    memset(&w.got, 0xa5, sizeof w.got);
    w.raw = false;
    for (size_t i = 0; i < sizeof w.random; i += 8) {
        uint64_t word = chance();
        memcpy(w.random + i, &word, 8);
    }
    w.random[sizeof w.random - 1] = 0; /* its end is taken for a text, too */
    w.bytes = (struct bytes){w.random, w.random + sizeof w.random};
    refuse_every = one_in(w.tame ? 12 : 4) ? 1 + (long)below(9) : 0;
    refuse_from = atomic_load(&asked) + (long)below(30);
    if (w.ctx.n_threads > 1) { /* which thread asks first is no one's to say: all or nothing */
        refuse_every = refuse_every > 0;
        refuse_from = 0;
    }
}

static struct vf_error *err(void) {
    return one_in(16) ? NULL : &w.err;
}

static bool is_rubbish(const void *bytes, size_t n) {
    static const uint8_t rubbish[64] = {
        0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
        0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
        0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5,
        0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5, 0xa5};
    const uint8_t *at = bytes;
    for (; n >= sizeof rubbish; n -= sizeof rubbish, at += sizeof rubbish)
        if (memcmp(at, rubbish, sizeof rubbish) != 0) return false;
    return memcmp(at, rubbish, n) == 0;
}

/* The latest call's status, its error, and its n columns: all as they were where it failed. */
static bool ended(enum vf_status status, size_t n) {
    refuse_every = 0;
    REQUIRE(status >= VF_OK && status <= VF_ERROR_RANGE);
    if (status == VF_OK) REQUIRE(is_rubbish(&w.err, sizeof w.err));
    if (!is_rubbish(&w.err, sizeof w.err)) check_error(status, &w.err);
    memset(&w.err, 0xa5, sizeof w.err);
    succeeded[latest] += status == VF_OK;
    if (status != VF_OK) {
        n = 0;
        REQUIRE(is_rubbish(&w.got, sizeof w.got));
    }
    for (size_t i = 0; i < n; i++) {
        REQUIRE(w.out[i].array.release != NULL && w.out[i].schema.release != NULL && w.out[i].array.length >= 0);
        if (w.raw)
            (void)(called[N_column_release]++, vf_column_release(&w.out[i]), 0);
        else
            check_given(&w.out[i], -1);
        REQUIRE(w.out[i].array.release == NULL && w.out[i].schema.release == NULL);
        memset(&w.out[i], 0xa5, sizeof w.out[i]);
    }
    REQUIRE(is_rubbish(w.out, sizeof w.out));
    return status == VF_OK;
}

static struct vf_series column(int64_t rows, const char *format) {
    struct made made;
    w.bytes.at = w.random + below(4096);
    make_series(&w.bytes, &w.blocks, one_in(40) ? -1 : rows, one_in(12) ? NULL : format, &made);
    return made.series;
}

/* Text in every layout, now and then what is no UTF-8. */
static const void *text_values(int64_t rows, const void **data) {
    static const char *const words[] = {"B", "S", "buy", "", "2024-03-01", "09:30:00", "\xff\xc3", "600000.SH"};
    int32_t *offsets = block_new(&w.blocks, ((size_t)rows + 1) * sizeof *offsets);
    char *text = block_new(&w.blocks, (size_t)rows * 12 + 1);
    size_t word = below(8);
    for (int64_t i = 0; i < rows; i++) {
        if (one_in(2)) word = below(8);
        memcpy(text + offsets[i], words[word], strlen(words[word]));
        offsets[i + 1] = offsets[i] + (int32_t)strlen(words[word]);
    }
    *data = text;
    return offsets;
}

/* A well-made column: so that calls come further than their first check. Numbers are small, but for what vendors write
   where there is none. */
static struct vf_series plain(int64_t rows, const char *format) {
    static const double odd[] = {1.7976931348623157e308, 3.4028234663852886e38, 1e300, -1, 0, 0.1, NAN, INFINITY};
    static const int64_t odd_integers[] = {INT64_MAX, INT64_MIN, INT32_MAX, -1, 0, UINT32_MAX, 20240301, 34200};
    struct ArrowSchema *schema = block_new(&w.blocks, sizeof *schema);
    struct ArrowArray *array = block_new(&w.blocks, sizeof *array);
    const struct ArrowArray **chunk = block_new(&w.blocks, sizeof *chunk);
    const void **buffers = block_new(&w.blocks, 3 * sizeof *buffers);
    bool text = format[0] == 'u', odds = one_in(12), rising = one_in(2), parts = one_in(3);
    size_t width = format_of(format).width;
    *schema = (struct ArrowSchema){.format = format, .name = "x", .flags = 2, .release = no_release_schema};
    *array = (struct ArrowArray){.length = rows, .n_buffers = text ? 3 : 2, .buffers = buffers, .release = no_release_array};
    if (text) {
        buffers[1] = text_values(rows, &buffers[2]);
    } else {
        uint8_t *values = block_new(&w.blocks, (size_t)rows * (width < 8 ? 8 : width));
        for (int64_t i = 0; i < rows; i++) {
            int64_t small = (int64_t)below(2) + 1 + (rising && width == 8 ? i : 0) + (width == 4 && format[0] == 't' ? 19780 : 0);
            double real = parts && one_in(4) ? (double)small / 4 : (double)small;
            if (odds && one_in(4)) small = odd_integers[below(8)];
            if (odds && one_in(4)) real = odd[below(8)];
            memcpy(values + (size_t)i * width, format[0] == 'g' ? (void *)&real : (void *)&small, width < 8 ? width : 8);
        }
        buffers[1] = values;
    }
    *chunk = array;
    struct vf_series out = {schema, chunk, 1};
    if (one_in(200)) array->release = NULL; /* it was given back already, and what is in it may be anything */
    if (one_in(200)) schema->release = NULL;
    return out;
}

static struct vf_series some(int64_t rows, const char *format) {
    return one_in(3) ? column(rows, format) : plain(rows, format);
}

/* n columns of a batch of a kind, in w.kept; now and then those of the last batch again. */
static int64_t batch(size_t kind, size_t n, const char *const *formats_of) {
    if (w.kept[kind][0].chunks != NULL && (one_in(3) || (w.tame && !one_in(20)))) return w.rows[kind];
    int64_t rows = one_in(8) ? 0 : (int64_t)below(30);
    bool hostile = !w.tame && one_in(2);
    for (size_t i = 0; i < n; i++)
        w.kept[kind][i] = hostile ? some(rows, formats_of[i]) : plain(rows, formats_of[i]);
    return w.rows[kind] = rows;
}
static int64_t reread(size_t kind) {
    return one_in(12) ? (int64_t)below(40) - 3 : w.rows[kind];
}
/* The next call on an object: any of n, or what comes next in the order that the header asks for. */
static size_t next_of(size_t kind, size_t at, const char *order, size_t n) {
    if (!w.tame || one_in(10)) return below(n);
    return (size_t)(order[w.steps[kind][at]++ % strlen(order)] - 'a');
}
static const struct vf_series *or_none(const struct vf_series *series) {
    return one_in(10) ? NULL : series;
}
static const struct vf_series *seldom_none(const struct vf_series *series) {
    return one_in(60) ? NULL : series;
}

static const char *const fifo_types[] = {"l", "l", "l", "l", "l", "g", "l"};
static const char *const mark_types[] = {"l", "l", "g", "g"};
static const char *const daily_types[] = {"l", "l", "l", "g", "l"};
static const char *const agg_types[] = {"l", "i", "l", "g", "g", "l", "g", "g"};

static void call_calendar(struct vf_calendar **c);

/* ---- calls on single columns ---- */

static void let_go(void *owner) {
    (void)owner;
    w.loans--;
}

static const struct vf_session day[] = {{34200000000000, 41400000000000}, {46800000000000, 54000000000000}};
static const struct vf_side sides[] = {{.integer = 1, .entry = true}, {.integer = 2, .entry = false}};
static const struct vf_offset offsets[] = {{0, 28800000000000}, {INT64_C(1700000000000000000), VF_OFFSET_UNKNOWN}};

static struct vf_clock_options clock_options(void) {
    size_t n_offsets = below(3);
    return (struct vf_clock_options){.sessions = one_in(60) ? NULL : day,
                                     .n_sessions = one_in(8) ? below(3) : 2,
                                     .outside = (enum vf_outside)below(one_in(9) ? 5 : 3),
                                     .grace_ns = (int64_t)below(12) - (int64_t)one_in(9),
                                     .layout = (enum vf_time_layout)below(one_in(9) ? 16 : 14),
                                     .offsets = n_offsets > 0 || one_in(9) ? offsets : NULL,
                                     .n_offsets = n_offsets,
                                     .has_day = one_in(3),
                                     .day = 19783 + (int32_t)below(3),
                                     .calendar = w.calendar[below(SLOTS)],
                                     .whole = one_in(3)};
}

static void call_expand(const struct vf_context *ctx, int64_t n) {
    static const char *const kinds[] = {"l", "g", "u", "d:9,2", "b", "tdD"};
    uint32_t counts[64];
    for (size_t i = 0; i < 64; i++)
        counts[i] = (uint32_t)below(3);
    struct vf_series any = one_in(3) ? plain(n, kinds[below(3)]) : column(n, one_in(2) ? NULL : kinds[below(6)]);
    w.loans++;
    w.raw = true;
    enum vf_status status =
        CALL(column_expand, ctx, seldom_none(&any), counts, one_in(9) ? n + 1 : n, &w, let_go, w.out, err());
    if (status != VF_OK) w.loans--; /* it is not taken then */
    (void)ended(status, 1);
}

enum { COLUMN_CALLS = 20 };

static void call_columns(size_t which) {
    static const char *const times[] = {"l", "i", "u", "vu", "tsu:", "tsn:UTC", "ttn", "g", "tdD"};
    int64_t n = (int64_t)below(24);
    const char *format = which == 0 || which == 12 || which == 15 || which == 7 ? times[below(9)] : which % 2 || which == 2 ? "g" : "l";
    struct vf_series a = some(n, format), b = some(one_in(20) ? n + 1 : n, which == 12 || which == 14 ? "tdD" : "g");
    struct vf_series s[12];
    const struct vf_context *ctx = one_in(8) && w.ctx.n_threads == 1 ? NULL : &w.ctx;
    struct vf_clock_options options = clock_options();
    struct vf_clock_report *report = one_in(2) ? &w.got.clock : NULL;
    const struct vf_series *in = seldom_none(&a), *beside = seldom_none(&b);
    if (ctx == NULL) refuse_every = 0;
    struct vf_calendar *calendar = w.calendar[below(SLOTS)];
    if (calendar == NULL && which >= 12 && which <= 16 && !one_in(9)) {
        call_calendar(&w.calendar[below(SLOTS)]);
        return;
    }
    switch (which) {
    case 0:
        (void)ended(CALL(clock_elapsed, ctx, in, one_in(60) ? NULL : &options, w.out, report, err()), 1);
        break;
    case 1:
        (void)ended(CALL(bin_index, ctx, in, (double)below(3) / 2, one_in(2), w.out, err()), 1);
        break;
    case 2:
        (void)ended(CALL(cast_integer, ctx, in, one_in(9) ? "g" : one_in(60) ? NULL : "l", (double)below(3) / 4, w.out, err()), 1);
        break;
    case 3:
        a = some(n, "l");
        (void)ended(CALL(cast_float, ctx, in, w.out, err()), 1);
        break;
    case 4:
        (void)ended(CALL(mid, ctx, in, beside, w.out, err()), 1);
        break;
    case 5:
        (void)ended(CALL(price_return, ctx, in, beside, w.out, err()), 1);
        break;
    case 6:
        (void)ended(CALL(side_sign, ctx, in, one_in(60) ? NULL : sides, one_in(9) ? below(3) : 2, one_in(2), w.out, err()), 1);
        break;
    case 7:
        (void)ended(CALL(date_parse, ctx, in, w.out, err()), 1);
        break;
    case 8: {
        static const double cuts[] = {-1, 0, 1, 2, 2};
        (void)ended(CALL(cut_index, ctx, in, one_in(60) ? NULL : cuts, below(6), one_in(2), -INFINITY, (double)below(4),
                         (enum vf_cut_outside)below(4), w.out, err()), 1);
        break;
    }
    case 9:
        call_expand(ctx, n);
        break;
    case 10:
        a = some(n, "l");
        (void)ended(CALL(clusters_error, ctx, beside, or_none(&a), below(6), w.out, err()), 2);
        break;
    case 11: {
        static const size_t wanted[] = {4, 3, 6, 6, 8, 12, 3};
        enum vf_moment moment = (enum vf_moment)below(one_in(9) ? 8 : 7);
        size_t m = moment < 7 && !one_in(9) ? wanted[moment] : below(13);
        for (size_t i = 0; i < 12; i++)
            s[i] = one_in(9) ? some(n, "g") : plain(n, i + 2 >= m && moment != VF_MOMENT_PRODUCT ? "l" : moment == VF_MOMENT_MEAN_INT ? "l" : i == 2 ? "l" : "g");
        (void)ended(CALL(moment_value, ctx, moment, (uint32_t)below(3), one_in(60) ? NULL : s, m, w.out, err()), 1);
        break;
    }
    case 12:
        (void)ended(CALL(clock_elapsed_on, ctx, calendar, in, beside, &options, w.out, report, err()), 1);
        break;
    case 13:
        a = some(n, "tdD");
        (void)ended(CALL(clock_end_on, ctx, calendar, in, one_in(2) ? offsets : NULL, below(3), w.out, err()), 1);
        break;
    case 14:
        (void)ended(CALL(clock_left_on, ctx, calendar, in, beside, one_in(2) ? offsets : NULL, below(3), w.out, err()), 1);
        break;
    case 15:
        (void)ended(CALL(clock_trading_day, ctx, calendar, in, w.out, err()), 1);
        break;
    case 16:
        (void)ended(CALL(calendar_columns, ctx, calendar, w.out, err()), 4);
        break;
    case 17: {
        enum vf_integer_op op = (enum vf_integer_op)below(one_in(9) ? 9 : 7);
        bool one = op == VF_INTEGER_NEG || op == VF_INTEGER_ABS;
        a = some(one_in(9) ? 1 : n, "l");
        b = some(one_in(9) ? 1 : n, "i");
        s[0] = column(n, "b");
        (void)ended(CALL(integer_arithmetic, ctx, op, in, one == one_in(12) ? &b : NULL, one_in(2) ? NULL : &s[0], w.out,
                         err()), 1);
        break;
    }
    case 18: {
        int64_t elapsed = -1;
        REQUIRE(CALL(sessions_length_ns, day, below(3)) >= 0);
        if (!CALL(sessions_elapsed_ns, day, below(3), (int64_t)below(9) - 1, (int64_t)(chance() >> 18), &elapsed)) REQUIRE(elapsed == -1);
        (void)ended(CALL(sessions_check, one_in(9) ? NULL : day, below(3), err()), 0);
        break;
    }
    default:
        if (a.schema != NULL) (void)CALL(clock_elapsed_format, a.schema, options.layout);
        REQUIRE(CALL(status_name, (enum vf_status)below(20)) != NULL && CALL(status_text, (enum vf_status)below(20)) != NULL);
        called[latest = N_version]++;
        REQUIRE(strcmp(vf_version(), VF_VERSION) == 0);
        CALL(column_release, NULL);
        break;
    }
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
        REQUIRE(*(slot) != NULL);                                                                                      \
    } while (0)

static void call_calendar(struct vf_calendar **c) {
    static const char text[] = "calendar T\nfirst 2024-01-01\nlast 2024-12-31\nclosed\n2024 0101 0212-0216\n"
                               "hours 2024-01-01 ^2100-2300 0930-1130 1300-1500\nspecial 0930-1200\n2024 1224\n";
    if (*c == NULL) {
        struct vf_series days = some((int64_t)below(9), "tdD");
        char cut[sizeof text];
        memcpy(cut, text, sizeof text);
        if (one_in(4)) cut[below(sizeof text)] ^= (char)(1 << below(7));
        size_t length = one_in(6) ? below(sizeof text) : sizeof text - 1;
        enum vf_status status = one_in(3) ? CALL(calendar_open_days, &w.ctx, seldom_none(&days), c, err())
                                          : CALL(calendar_open, &w.ctx, one_in(60) ? NULL : cut, length, c, err());
        OPENED(c, status);
        return;
    }
    int32_t date = one_in(20) ? (int32_t)chance() : 19700 + (int32_t)below(500);
    int32_t other = one_in(20) ? (int32_t)chance() : date / 2 * 2 + (int32_t)below(9) - 3;
    struct vf_calendar_info info;
    switch (below(7)) {
    case 0:
        CALL(calendar_describe, *c, &info);
        check_text(info.name, sizeof info.name);
        break;
    case 1:
        if (ended(CALL(calendar_is_trading_day, *c, date, &w.got.traded, err()), 0)) REQUIRE(*(const uint8_t *)&w.got.traded <= 1);
        break;
    case 2:
        if (ended(CALL(calendar_next, *c, date, &w.got.day, err()), 0)) REQUIRE(w.got.day > date);
        break;
    case 3:
        if (ended(CALL(calendar_prev, *c, date, &w.got.day, err()), 0)) REQUIRE(w.got.day < date);
        break;
    case 4:
        if (ended(CALL(calendar_index, *c, date, &w.got.number, err()), 0)) REQUIRE(w.got.number >= 0);
        break;
    case 5:
        if (ended(CALL(calendar_range, *c, date, other, &w.got.days, &w.got.n, err()), 0))
            for (size_t i = 0; i < w.got.n; i++)
                REQUIRE(w.got.days[i] >= date && w.got.days[i] <= other);
        break;
    default:
        if (ended(CALL(calendar_sessions, *c, date, &w.got.sessions, &w.got.n, err()), 0) && w.got.n > 0)
            REQUIRE(vf_sessions_check(w.got.sessions, w.got.n, NULL) == VF_OK);
        for (size_t i = 0; i < CALL(calendar_variants, *c); i++) {
            CALL(calendar_variant, *c, i, &w.got.sessions, &w.got.n);
            REQUIRE(vf_sessions_check(w.got.sessions, w.got.n, NULL) == VF_OK);
        }
        break;
    }
}

static struct vf_fifo_batch fifo_batch(void) {
    struct vf_series *k = w.kept[0];
    bool two = one_in(12);
    if (two) k[1] = k[6]; /* of two keys the second lies behind the first */
    return (struct vf_fifo_batch){.keys = one_in(60) ? NULL : k,
                                  .n_keys = two ? 2 : one_in(12) ? 0 : 1,
                                  .sort = seldom_none(&k[1]),
                                  .time = or_none(&k[2]),
                                  .side = seldom_none(&k[3]),
                                  .quantity = seldom_none(&k[4]),
                                  .price = or_none(&k[5])};
}

static void call_fifo(size_t at) {
    enum { ALL = (1 << VF_FIFO_N_COLUMNS) - 1 };
    struct vf_fifo **f = &w.fifo[at];
    if (*f == NULL) {
        struct vf_fifo_options options = {.sides = one_in(60) ? NULL : sides,
                                          .n_sides = one_in(20) ? below(2) : 2,
                                          .rows = (enum vf_fifo_rows)below(one_in(20) ? 4 : 3),
                                          .on_excess = (enum vf_excess)below(one_in(20) ? 4 : 2),
                                          .columns = one_in(3) ? ALL : one_in(2) ? 1 + 8 : (unsigned)below(ALL + 1),
                                          .rests = one_in(2)};
        w.columns[at] = options.columns;
        OPENED(f, CALL(fifo_open, &w.ctx, one_in(60) ? NULL : &options, f, err()));
        return;
    }
    static const char *const quantities[] = {"l", "g", "d:9,2", "i", "f"};
    const char *types[7];
    memcpy(types, fifo_types, sizeof types);
    types[4] = quantities[one_in(2) ? 0 : below(5)];
    if (one_in(4)) types[0] = "u";
    if (one_in(4)) types[2] = types[1] = one_in(2) ? "g" : "tsu:";
    size_t which = next_of(0, at, "adaeigjhgjhj", 12);
    if (which < 4 || w.kept[0][0].chunks == NULL) (void)batch(0, 7, types);
    struct vf_fifo_batch in = fifo_batch();
    unsigned columns = !one_in(6) ? w.columns[at] : (unsigned)below(2 * ALL + 2);
    size_t given = 0;
    for (unsigned c = columns; c != 0; c &= c - 1)
        given++; /* one that there is not is refused */
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(CALL(fifo_update, *f, one_in(60) ? NULL : &in, err()), 0);
        break;
    case 3:
        (void)ended(CALL(fifo_inventory, *f, in.keys, in.n_keys, in.quantity, in.price, err()), 0);
        break;
    case 4:
    case 5:
        (void)ended(CALL(fifo_match, *f, err()), 0);
        break;
    case 6: {
        CALL(fifo_rewind, *f);
        const char *doubt = CALL(fifo_doubt, *f);
        if (doubt != NULL) check_text(doubt, strlen(doubt) + 1);
        break;
    }
    case 7:
        (void)ended(CALL(fifo_replayed, *f, err()), 0);
        REQUIRE(CALL(fifo_rows_in, *f) >= 0 && CALL(fifo_rows_out, *f) >= -1);
        REQUIRE(CALL(fifo_trades_in, *f) >= -1 && vf_fifo_trades_in(*f) <= vf_fifo_rows_in(*f));
        break;
    case 8:
        (void)ended(CALL(fifo_rests, *f, w.out, err()), VF_FIFO_N_REST_COLUMNS);
        break;
    default:
        (void)ended(CALL(fifo_emit, *f, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, reread(0), columns,
                         one_in(2) ? w.got.counts : NULL, w.out, err()), given);
        break;
    }
}

static void call_mark(size_t at) {
    static const int64_t horizons[] = {1000000000, 2000000000, 60000000000, 0};
    struct vf_mark **m = &w.mark[at];
    if (*m == NULL) {
        w.horizons[0][at] = 1 + below(3) + one_in(20);
        struct vf_mark_options options = {.horizons_ns = one_in(60) ? NULL : horizons,
                                          .n_horizons = w.horizons[0][at],
                                          .method = (enum vf_mark_method)below(one_in(20) ? 4 : 3),
                                          .tolerance_ns = (int64_t)below(3) - 1,
                                          .end_ns = INT64_MAX,
                                          .quotes = one_in(2),
                                          .gaps = one_in(2)};
        OPENED(m, CALL(mark_open, &w.ctx, one_in(60) ? NULL : &options, m, err()));
        return;
    }
    size_t which = next_of(1, at, "acehgfhh", 9);
    if (which < 4 || w.kept[1][0].chunks == NULL) (void)batch(1, 3, mark_types);
    struct vf_series *k = w.kept[1];
    struct vf_mark_batch in = {one_in(60) ? NULL : k, one_in(20) ? below(3) : 1, seldom_none(&k[1]), seldom_none(&k[2])};
    switch (which) {
    case 0:
    case 1:
        (void)ended(CALL(mark_observe, *m, one_in(60) ? NULL : &in, err()), 0);
        break;
    case 2:
    case 3:
        (void)ended(CALL(mark_update, *m, &in, err()), 0);
        break;
    case 4:
        (void)ended(CALL(mark_finish, *m, err()), 0);
        break;
    case 5:
        CALL(mark_rewind, *m);
        REQUIRE(CALL(mark_rows, *m) >= 0);
        break;
    case 6:
        (void)ended(CALL(mark_replayed, *m, err()), 0);
        break;
    default:
        (void)ended(CALL(mark_emit, *m, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, reread(1), w.out, err()),
                    w.horizons[0][at]);
        break;
    }
}

static void call_asof(size_t at) {
    static const int64_t horizons[] = {0, -1000000000, 60000000000, 1, 0};
    struct vf_asof **a = &w.asof[at];
    if (*a == NULL) {
        w.horizons[1][at] = 1 + below(3) + 2 * one_in(20);
        struct vf_asof_options options = {.horizons_ns = one_in(60) ? NULL : horizons,
                                          .n_horizons = w.horizons[1][at],
                                          .method = (enum vf_mark_method)below(one_in(20) ? 4 : 3),
                                          .tolerance_ns = (int64_t)below(3) - 1,
                                          .end_ns = INT64_MAX,
                                          .strict = one_in(2),
                                          .past_last = one_in(2),
                                          .unique = one_in(4)};
        OPENED(a, CALL(asof_open, &w.ctx, one_in(60) ? NULL : &options, a, err()));
        return;
    }
    (void)batch(2, 2, mark_types);
    struct vf_series *k = w.kept[2];
    struct vf_asof_batch in = {one_in(60) ? NULL : k, one_in(20) ? below(3) : 1, or_none(&k[1])};
    switch (next_of(2, at, "aacdddd", 5)) {
    case 0:
    case 1:
        (void)ended(CALL(asof_observe, *a, one_in(60) ? NULL : &in, err()), 0);
        break;
    case 2:
        (void)ended(CALL(asof_finish, *a, err()), 0);
        REQUIRE(CALL(asof_rows, *a) >= 0);
        break;
    default:
        (void)ended(CALL(asof_find, *a, &in, w.out, err()), w.horizons[1][at]);
        break;
    }
}

static void call_daily(size_t at) {
    struct vf_daily **d = &w.daily[at];
    if (*d == NULL) {
        struct vf_daily_options options = {one_in(2) ? INT64_MAX : 3000000000, one_in(2)};
        OPENED(d, CALL(daily_open, &w.ctx, one_in(60) ? NULL : &options, d, err()));
        return;
    }
    size_t which = next_of(3, at, "adegfgfggf", 8);
    if (which < 4 || w.kept[3][0].chunks == NULL) (void)batch(3, 5, daily_types);
    struct vf_series *k = w.kept[3];
    struct vf_daily_batch in = {one_in(60) ? NULL : k, one_in(20) ? below(3) : 1, seldom_none(&k[1]), or_none(&k[2]),
                                seldom_none(&k[3]), or_none(&k[4])};
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(CALL(daily_update, *d, one_in(60) ? NULL : &in, w.out, err()), 1);
        break;
    case 3:
        (void)ended(CALL(daily_update, *d, &in, NULL, err()), 0);
        break;
    case 4:
        (void)ended(CALL(daily_finish, *d, w.out, err()), VF_DAILY_COLUMNS);
        REQUIRE(CALL(daily_groups, *d) >= 0);
        break;
    case 5:
        (void)ended(CALL(daily_replayed, *d, err()), 0);
        break;
    default:
        (void)ended(CALL(daily_return, *d, &in, one_in(8) ? (int64_t)below(9) - 2 : 0, w.out, err()), 1);
        break;
    }
}

static void call_quantiles(size_t at) {
    struct vf_quantiles **q = &w.quantiles[at];
    if (*q == NULL) {
        OPENED(q, CALL(quantiles_open, &w.ctx, one_in(9) ? below(5000) : 4,
                       (enum vf_quantile_method)below(one_in(9) ? 3 : 2), q, err()));
        return;
    }
    static const char *const types[] = {"g"};
    if (w.kept[4][0].chunks == NULL || one_in(60)) (void)batch(4, 1, types);
    switch (next_of(4, at, "ababababcc", 3)) {
    case 0:
        (void)ended(CALL(quantiles_update, *q, seldom_none(w.kept[4]), err()), 0);
        break;
    case 1:
        if (ended(CALL(quantiles_pass, *q, &w.got.more, err()), 0)) REQUIRE(*(const uint8_t *)&w.got.more <= 1);
        break;
    default:
        (void)ended(CALL(quantiles_cuts, *q, w.got.cuts, one_in(2) ? &w.got.summary : NULL, err()), 0);
        break;
    }
}

static void call_agg(size_t at) {
    struct vf_agg **a = &w.agg[at];
    if (*a == NULL) {
        struct vf_agg_leaf leaves[8];
        size_t n = one_in(4) ? 0 : below(8);
        for (size_t i = 0; i < n; i++)
            leaves[i] = (struct vf_agg_leaf){(enum vf_agg_op)below(one_in(20) ? 18 : 12),
                                             (uint32_t)below(VALUES),
                                             one_in(90) ? NULL : "leaf",
                                             {(uint32_t)below(VALUES + 1), (uint32_t)below(VALUES + 1)}};
        OPENED(a, CALL(agg_open, &w.ctx, leaves, n, below(KEYS + 1), n == 0 ? 0 : VALUES, a, err()));
        return;
    }
    size_t which = next_of(5, at, "aafgadfge", 8);
    if (which < 4 || w.kept[5][0].chunks == NULL) (void)batch(5, KEYS + VALUES, agg_types);
    struct vf_series *k = w.kept[5];
    struct vf_agg *other = w.agg[1 - at];
    size_t columns = CALL(agg_state_columns, *a);
    REQUIRE(columns < OUT && CALL(agg_groups, *a) >= 0);
    switch (which) {
    case 0:
    case 1:
    case 2:
        (void)ended(CALL(agg_update, *a, one_in(60) ? NULL : k, one_in(60) ? NULL : k + KEYS, reread(5), err()), 0);
        break;
    case 3:
        (void)ended(CALL(agg_number, *a, k, reread(5), w.out, err()), 1);
        break;
    case 4:
        if (other != NULL) (void)ended(CALL(agg_merge, *a, one_in(60) ? *a : other, err()), 0);
        break;
    case 5: {
        enum vf_status status = CALL(agg_finish, *a, w.out, err());
        size_t n = 0;
        while (n < OUT && !is_rubbish(&w.out[n].array.release, sizeof w.out[n].array.release))
            n++;
        (void)ended(status, n);
        break;
    }
    default:
        (void)ended(CALL(agg_states, *a, w.out, err()), columns);
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
    struct vf_cube_query query = {.picks = one_in(2) ? picks : NULL,
                                  .kept = one_in(60) ? NULL : kept,
                                  .n_kept = one_in(4) ? below(4) : below(2),
                                  .memory_limit = one_in(4) ? below(9999) : 0};
    (void)ended(CALL(cube_query, cube, one_in(60) ? NULL : &query, w.out, err()), query.n_kept + CUBE_COLUMNS);
}

/* A word of a file that was damaged, or a part that was cut. */
static void damage(struct vf_column *part, const void **was) {
    struct ArrowArray *a = &part->array;
    size_t bytes = format_of(part->schema.format).width * (size_t)a->length;
    *was = a->n_buffers > 1 ? a->buffers[1] : NULL;
    if (a->n_buffers == 2 && bytes > 0 && !one_in(4)) {
        uint8_t *copy = block_new(&w.blocks, bytes);
        memcpy(copy, *was, bytes);
        if (one_in(2))
            copy[below(bytes)] ^= (uint8_t)(1 << below(8));
        else
            copy[below(bytes)] = (uint8_t)below(256);
        ((const void **)(uintptr_t)a->buffers)[1] = copy;
    }
    if (one_in(6)) a->length = (int64_t)below((size_t)a->length + 1);
}

/* Parts given, damaged, and attached: an error, or a cube that answers. */
static void attach_cube(const struct vf_cube *cube) {
    size_t n = CALL(cube_n_parts, cube), at = 0;
    struct vf_column *parts = block_new(&w.blocks, 64 * sizeof *parts);
    struct vf_series *series = block_new(&w.blocks, 64 * sizeof *series);
    const struct ArrowArray **chunks = block_new(&w.blocks, 64 * sizeof *chunks);
    bool all = n <= 64;
    for (; all && at < n; at += all) {
        enum vf_status status = CALL(cube_part, cube, at, &parts[at], err());
        all = ended(status, 0);
        refuse_every = 0;
        chunks[at] = &parts[at].array;
        series[at] = (struct vf_series){&parts[at].schema, &chunks[at], 1};
    }
    if (all && n > 0) {
        struct vf_cube *attached = NULL;
        struct vf_column *part = &parts[below(n)];
        int64_t length = part->array.length;
        const void *was = NULL;
        bool damaged = !one_in(4);
        if (damaged) damage(part, &was);
        w.loans++;
        if (one_in(4)) refuse_from = atomic_load(&asked) + (long)below(9) * (w.ctx.n_threads == 1), refuse_every = 1;
        if (ended(CALL(cube_attach, &w.ctx, cube_states, one_in(12) ? below(STATES) : STATES, series,
                       one_in(12) ? below(n) : n, &w, let_go, &attached, err()), 0)) {
            for (int q = 0; q < 4; q++)
                ask_cube(attached);
            CALL(cube_close, attached);
        } else {
            REQUIRE(attached == NULL);
            w.loans--;
        }
        part->array.length = length;
        if (was != NULL) ((const void **)(uintptr_t)part->array.buffers)[1] = was;
    }
    while (at-- > 0)
        vf_column_release(&parts[at]);
}

static void call_cube(size_t at) {
    struct vf_cube **c = &w.cube[at];
    if (*c == NULL) {
        OPENED(c, CALL(cube_open, &w.ctx, one_in(20) ? below(2) * 17 : KEYS, one_in(60) ? NULL : cube_states,
                       one_in(20) ? 0 : STATES, c, err()));
        return;
    }
    size_t which = next_of(6, at, "acdeghijkmnmkmkn", 14);
    if (which < 2 || w.kept[6][0].chunks == NULL) (void)batch(6, 8, cube_types);
    struct vf_series *k = w.kept[6];
    switch (which) {
    case 0:
    case 1:
        if (one_in(4))
            (void)ended(CALL(cube_learn_axis, *c, below(4), one_in(60) ? NULL : k, reread(6), err()), 0);
        else
            (void)ended(CALL(cube_learn, *c, one_in(60) ? NULL : k, k + KEYS, reread(6), err()), 0);
        break;
    case 2:
        (void)ended(CALL(cube_size, *c, &w.got.size, err()), 0);
        break;
    case 3:
        (void)ended(CALL(cube_build, *c, (enum vf_cube_layout)below(one_in(20) ? 4 : 3),
                         one_in(3) ? below(99999) : 1 << 26, err()), 0);
        break;
    case 4:
    case 5:
        (void)ended(CALL(cube_add, *c, k, one_in(60) ? NULL : k + KEYS, reread(6), err()), 0);
        break;
    case 6:
        (void)ended(CALL(cube_finish, *c, err()), 0);
        break;
    case 7:
        (void)ended(CALL(cube_shape, *c, &w.got.shape, err()), 0);
        break;
    case 8:
        (void)ended(CALL(cube_axis, *c, below(4), w.out, err()), 1);
        break;
    case 9:
        (void)ended(CALL(cube_part, *c, below(40), w.out, err()), 1);
        break;
    case 10:
    case 11:
        if (vf_cube_shape(*c, &w.got.shape, NULL) == VF_OK) {
            memset(&w.got, 0xa5, sizeof w.got);
            attach_cube(*c);
        }
        break;
    default:
        ask_cube(*c);
        break;
    }
}

static void call_order(struct vf_order **o) {
    struct vf_order_report report;
    if (*o == NULL) {
        OPENED(o, CALL(order_open, &w.ctx, o, err()));
        return;
    }
    (void)batch(7, 2, mark_types);
    (void)ended(CALL(order_update, *o, or_none(&w.kept[7][0]), seldom_none(&w.kept[7][1]), err()), 0);
    CALL(order_report, *o, &report);
    REQUIRE(report.n_rows >= 0 && report.n_late <= report.n_rows && report.first_late < report.n_rows);
}

static void call_file(struct vf_file **f) {
    if (*f == NULL) {
        (void)snprintf(w.path, sizeof w.path, "%s/%s", w.folder, one_in(5) ? "" : "file");
        OPENED(f, CALL(file_open, &w.ctx, one_in(60) ? NULL : w.path, f, err()));
        return;
    }
    if (one_in(4))
        (void)ended(CALL(file_commit, *f, err()), 0);
    else
        (void)ended(CALL(file_write, *f, w.random, below(64), err()), 0);
    (void)CALL(file_leftover, one_in(2) ? NULL : (const char *)w.random + 8000);
}

/* ---- any order ---- */

#define CLOSE(kind)                                                                                                    \
    do {                                                                                                               \
        CALL(kind##_close, w.kind[at]);                                                                                \
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
    case 1: call_fifo(at); break;
    case 2: call_mark(at); break;
    case 3: call_asof(at); break;
    case 4: call_daily(at); break;
    case 5: call_quantiles(at); break;
    case 6: call_agg(at); break;
    case 7: call_cube(at); break;
    case 8: call_order(&w.order[at]); break;
    default: call_file(&w.file[at]); break;
    }
}

/* A few kinds at a time, so that each comes far; files, which sync, seldom. */
static long episode(void) {
    size_t favourite = below(one_in(8) ? KINDS : KINDS - 1), place = below(SLOTS);
    long calls = 0;
    w.ctx.n_threads = one_in(16) ? 2 : 1;
    w.tame = one_in(2);
    memset(w.steps, 0, sizeof w.steps);
    memset(w.kept, 0, sizeof w.kept);
    memset(w.rows, 0, sizeof w.rows);
    for (long n = 10 + (long)below(50); calls < n && w.blocks.n < BLOCKS_MAX - 1200; calls++) {
        size_t kind = one_in(w.tame ? 10 : 4) ? below(one_in(20) ? KINDS : KINDS - 1) : favourite;
        poison();
        if (one_in(5))
            call_columns(below(COLUMN_CALLS));
        else
            call_any(kind, one_in(w.tame ? 10 : 4) ? below(SLOTS) : place);
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

/* ---- the run ---- */

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) {
    return "abort_on_error=1:print_stacktrace=1"; /* so that the episode is named */
}

static long seed, number, only, wanted, made;

static void say_which(void) {
    char text[128];
    int n = snprintf(text, sizeof text, "vf_%s failed: VIZFLOW_STRANGER_SEED=%ld VIZFLOW_STRANGER_EPISODE=%ld\n",
                     function_names[latest] + 3, seed, number);
    if (n > 0 && write(2, text, (size_t)n) != n) return;
}
static void on_signal(int which) {
    say_which();
    (void)signal(which, SIG_DFL);
    (void)raise(which);
}
#ifdef SANITIZED
void __sanitizer_set_death_callback(void (*callback)(void));
#define ON_DEATH() __sanitizer_set_death_callback(say_which)
#else
#define ON_DEATH() (void)signal(SIGFPE, on_signal)
#endif

static void *stranger(void *unused) {
#ifndef SANITIZED
    static uint8_t room[1 << 14]; /* for handling what overflows the stack */
    stack_t other = {.ss_sp = room, .ss_size = sizeof room};
    REQUIRE(sigaltstack(&other, NULL) == 0);
#endif
    for (number = only >= 0 ? only : 0; made < wanted; number++) {
        chance_state = ((uint64_t)seed << 32 ^ (uint64_t)number) * UINT64_C(0x9e3779b97f4a7c15) + 1;
        for (int i = 0; i < 4; i++)
            (void)chance();
        made += episode();
        if (only >= 0) break;
    }
    return unused;
}

static long number_of(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text != NULL ? strtol(text, NULL, 10) : otherwise;
}

int main(void) {
    pthread_t thread;
    pthread_attr_t attributes;
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    void *stack = NULL;
    wanted = number_of("VIZFLOW_STRANGER", CALLS);
    seed = number_of("VIZFLOW_STRANGER_SEED", 1);
    only = number_of("VIZFLOW_STRANGER_EPISODE", -1);
    ON_DEATH();
    REQUIRE(sigaction(SIGABRT, &action, NULL) == 0);
#ifndef SANITIZED
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
#endif
    w.ctx.allocator = (struct vf_allocator){get, again, put, NULL};
    (void)snprintf(w.folder, sizeof w.folder, "/tmp/vizflow_stranger_%ld", (long)getpid());
    REQUIRE(posix_memalign(&stack, 4096, STACK) == 0);
    memset(stack, 0x5a, STACK);
    REQUIRE(pthread_attr_init(&attributes) == 0);
    REQUIRE(pthread_attr_setstack(&attributes, stack, STACK) == 0);
    REQUIRE(pthread_create(&thread, &attributes, stranger, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    size_t untouched = 0;
    while (untouched < STACK && ((unsigned char *)stack)[untouched] == 0x5a)
        untouched++;
    free(stack);
    (void)snprintf(w.path, sizeof w.path, "%s/file", w.folder);
    (void)remove(w.path);
    (void)remove(w.folder);
    printf("stranger: %ld calls, %ld episodes, %zu of %zu KiB of stack\n", made, number, (STACK - untouched) >> 10, STACK >> 10);
    check_functions(only < 0 && wanted >= CALLS);
    REQUIRE(untouched > 0 && STACK - untouched <= MOST_STACK); /* below it lies no page that is forbidden */
    return 0;
}
