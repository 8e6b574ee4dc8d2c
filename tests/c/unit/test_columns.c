/* Every entry point that reads columns, and every column of it: encoded as a dictionary it gives the same bits; missing,
   broken in the middle, of a wrong type, of no type, or too short it is refused by name, with `err` and without, and
   nothing is given. Not for what the operations compute: each has its own file. */
#include "check.h"

enum { N = 1500, BAD_ROW = 1100, MOST = 8 };

/* ---- what a call gave, as a number -------------------------------------------------------------------------------- */

static uint64_t digest;

static void mix(uint64_t word) {
    digest = (digest ^ word) * UINT64_C(0x9fb21c651e98df25);
    digest ^= digest >> 29;
}

static size_t width_of(const char *format) {
    if (strcmp(format, "g") == 0 || strcmp(format, "l") == 0 || format[1] == 'D') return 8;
    return format[0] == 'b' ? 0 : 4;
}

/* Mixes the columns into the digest and releases them. */
static void take(struct vf_column *columns, size_t n) {
    for (size_t c = 0; c < n; c++) {
        if (columns[c].schema.format[0] == 'n') {
            mix((uint64_t)columns[c].array.length);
            check_release(&columns[c]);
            continue;
        }
        size_t width = width_of(columns[c].schema.format);
        for (int64_t i = 0; i < columns[c].array.length; i++) {
            uint64_t word = 0;
            bool valid = check_valid(&columns[c], i);
            if (valid && width > 0)
                memcpy(&word, (const uint8_t *)columns[c].array.buffers[1] + (size_t)i * width, width);
            if (valid && width == 0) word = check_bool(&columns[c], i);
            mix(word + (valid ? 1 : 0));
        }
        check_release(&columns[c]);
    }
}

static enum vf_status taken(enum vf_status status, struct vf_column *columns, size_t n) {
    if (status == VF_OK)
        take(columns, n);
    else
        for (size_t c = 0; c < n; c++)
            CHECK(check_is_rubbish(&columns[c], sizeof columns[c]));
    return status;
}

/* ---- the calls ---------------------------------------------------------------------------------------------------------- */

typedef const struct vf_series *const *series;

static struct vf_series sound_series[MOST]; /* of the probe in hand */
static struct vf_calendar *calendar;        /* 2024, CN hours */
static const struct vf_context one = {.n_threads = 1}, three = {.n_threads = 3};
static const struct vf_context *contexts[2] = {&one, &three}, *ctx = &one;
static const struct vf_session session = {INT64_C(34200000000000), INT64_C(41400000000000)};
static const struct vf_clock_options clock_options = {
    .sessions = &session, .n_sessions = 1, .layout = VF_LAYOUT_SECONDS};
static const struct vf_side sides[2] = {{.text = "B", .length = 1, .entry = true},
                                        {.text = "S", .length = 1}};

static enum vf_status elapsed(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_clock_elapsed(ctx, s[0], &clock_options, &out, NULL, err), &out, 1);
}
static enum vf_status elapsed_on(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_clock_elapsed_on(ctx, calendar, s[0], s[1], &clock_options, &out, NULL, err), &out, 1);
}
static enum vf_status end_on(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_clock_end_on(ctx, calendar, s[0], NULL, 0, &out, err), &out, 1);
}
static enum vf_status left_on(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_clock_left_on(ctx, calendar, s[0], s[1], NULL, 0, &out, err), &out, 1);
}
static enum vf_status trading_day(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_clock_trading_day(ctx, calendar, s[0], &out, err), &out, 1);
}
static enum vf_status open_days(series s, struct vf_error *err) {
    struct vf_calendar *days = NULL;
    enum vf_status status = vf_calendar_open_days(ctx, s[0], &days, err);
    CHECK((status == VF_OK) == (days != NULL));
    if (status == VF_OK) {
        struct vf_calendar_info info;
        vf_calendar_describe(days, &info);
        mix((uint64_t)info.n_days);
    }
    vf_calendar_close(days);
    return status;
}
static enum vf_status date_parse(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_date_parse(ctx, s[0], &out, err), &out, 1);
}
static enum vf_status bin_index(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_bin_index(ctx, s[0], 0.25, true, &out, err), &out, 1);
}
static enum vf_status cast_integer(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_cast_integer(ctx, s[0], "l", 1e-6, &out, err), &out, 1);
}
static enum vf_status cast_float(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_cast_float(ctx, s[0], &out, err), &out, 1);
}
static enum vf_status mid(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_mid(ctx, s[0], s[1], &out, err), &out, 1);
}
static enum vf_status price_return(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_price_return(ctx, s[0], s[1], &out, err), &out, 1);
}
static enum vf_status integers(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_integer_arithmetic(ctx, VF_INTEGER_MUL, s[0], s[1], NULL, &out, err), &out, 1);
}
static enum vf_status side_sign(series s, struct vf_error *err) {
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_side_sign(ctx, s[0], sides, 2, false, &out, err), &out, 1);
}
static enum vf_status cut_index(series s, struct vf_error *err) {
    static const double cuts[3] = {2, 3, 4};
    struct vf_column out;
    CHECK_POISON(out);
    return taken(vf_cut_index(ctx, s[0], cuts, 3, true, 0, 1e9, VF_CUT_CLIP, &out, err), &out, 1);
}
static enum vf_status quantiles(series s, struct vf_error *err) {
    struct vf_quantiles *q = NULL;
    double cuts[4];
    bool more = true;
    CHECK_OK(vf_quantiles_open(ctx, 5, VF_QUANTILE_LINEAR, &q, &check_error));
    enum vf_status status = VF_OK;
    while (status == VF_OK && more) {
        status = vf_quantiles_update(q, s[0], err);
        if (status == VF_OK) status = vf_quantiles_pass(q, &more, &check_error);
    }
    if (status == VF_OK) CHECK_OK(vf_quantiles_cuts(q, cuts, NULL, &check_error));
    for (int k = 0; status == VF_OK && k < 4; k++) {
        uint64_t word;
        memcpy(&word, &cuts[k], 8);
        mix(word);
    }
    vf_quantiles_close(q);
    return status;
}
static enum vf_status order(series s, struct vf_error *err) {
    struct vf_order *o = NULL;
    struct vf_order_report report;
    CHECK_OK(vf_order_open(ctx, &o, &check_error));
    enum vf_status status = vf_order_update(o, s[0], s[1], err);
    vf_order_report(o, &report);
    if (status == VF_OK) mix((uint64_t)report.n_late_of_key + (uint64_t)report.n_unknown);
    vf_order_close(o);
    return status;
}
static enum vf_status moment(series s, struct vf_error *err) {
    struct vf_series columns[4];
    struct vf_column out;
    CHECK_POISON(out);
    for (int c = 0; c < 4; c++)
        columns[c] = *s[c];
    return taken(vf_moment_value(ctx, VF_MOMENT_MEAN, 0, columns, 4, &out, err), &out, 1);
}

/* FIFO: symbol, sort, time, side, quantity, price; learnt, or learnt soundly and then replayed. */
static struct vf_fifo_batch fifo_batch(series s) {
    return (struct vf_fifo_batch){
        .keys = s[0], .n_keys = 1, .sort = s[1], .time = s[2], .side = s[3], .quantity = s[4], .price = s[5]};
}
static series sound(void) {
    static const struct vf_series *pointers[MOST];
    for (int c = 0; c < MOST; c++)
        pointers[c] = &sound_series[c];
    return pointers;
}
static struct vf_fifo *open_fifo(void) {
    const struct vf_fifo_options options = {
        .sides = sides, .n_sides = 2, .columns = (1u << VF_FIFO_N_COLUMNS) - 1};
    struct vf_fifo *fifo = NULL;
    CHECK_OK(vf_fifo_open(ctx, &options, &fifo, &check_error));
    return fifo;
}
static enum vf_status emit(struct vf_fifo *fifo, series s, struct vf_error *err) {
    struct vf_column out[VF_FIFO_N_COLUMNS];
    CHECK_POISON(out);
    struct vf_fifo_batch batch = fifo_batch(s);
    enum vf_status status = vf_fifo_emit(fifo, &batch, 0, N, (1u << VF_FIFO_N_COLUMNS) - 1, NULL, out, err);
    return taken(status, out, VF_FIFO_N_COLUMNS);
}
static enum vf_status fifo_learn(series s, struct vf_error *err) {
    struct vf_fifo *fifo = open_fifo();
    struct vf_fifo_batch batch = fifo_batch(s), good = fifo_batch(sound());
    enum vf_status status = vf_fifo_update(fifo, &batch, err);
    CHECK_I64(vf_fifo_rows_in(fifo), status == VF_OK ? N : 0);
    /* what was refused changed nothing: the same object takes the sound rows, and only those */
    if (status != VF_OK) CHECK_OK(vf_fifo_update(fifo, &good, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_OK(emit(fifo, status == VF_OK ? s : sound(), &check_error));
    CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    vf_fifo_close(fifo);
    return status;
}
static enum vf_status fifo_replay(series s, struct vf_error *err) {
    struct vf_fifo *fifo = open_fifo();
    struct vf_fifo_batch good = fifo_batch(sound());
    CHECK_OK(vf_fifo_update(fifo, &good, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    enum vf_status status = emit(fifo, s, err);
    if (status != VF_OK) CHECK_OK(emit(fifo, sound(), &check_error));
    CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    vf_fifo_close(fifo);
    return status;
}
static enum vf_status fifo_held(series s, struct vf_error *err) {
    struct vf_fifo *fifo = open_fifo();
    enum vf_status status = vf_fifo_inventory(fifo, s[0], 1, s[1], s[2], err);
    if (status != VF_OK) CHECK_OK(vf_fifo_inventory(fifo, sound()[0], 1, sound()[1], sound()[2], &check_error));
    vf_fifo_close(fifo);
    return status;
}

/* Marks: two keys, time, price. */
static struct vf_mark *open_mark(bool quotes) {
    static const int64_t horizons[3] = {INT64_C(5000000000), INT64_C(60000000000), INT64_C(1000000000)};
    const struct vf_mark_options options = {
        .horizons_ns = horizons, .n_horizons = 3, .tolerance_ns = -1, .end_ns = INT64_MAX, .quotes = quotes};
    struct vf_mark *mark = NULL;
    CHECK_OK(vf_mark_open(ctx, &options, &mark, &check_error));
    return mark;
}
static struct vf_mark_batch mark_batch(series s, struct vf_series keys[2]) {
    keys[0] = *s[0];
    keys[1] = *s[1];
    return (struct vf_mark_batch){.keys = keys, .n_keys = 2, .time = s[2], .price = s[3]};
}
static enum vf_status mark_emit(struct vf_mark *mark, series s, struct vf_error *err) {
    struct vf_column out[3];
    CHECK_POISON(out);
    struct vf_series keys[2];
    struct vf_mark_batch batch = mark_batch(s, keys);
    return taken(vf_mark_emit(mark, &batch, 0, N, out, err), out, 3);
}
static enum vf_status mark_learn(series s, struct vf_error *err) {
    struct vf_mark *mark = open_mark(false);
    struct vf_series keys[2], good_keys[2];
    struct vf_mark_batch batch = mark_batch(s, keys), good = mark_batch(sound(), good_keys);
    enum vf_status status = vf_mark_update(mark, &batch, err);
    CHECK_I64(vf_mark_rows(mark), status == VF_OK ? N : 0);
    if (status != VF_OK) CHECK_OK(vf_mark_update(mark, &good, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_OK(mark_emit(mark, status == VF_OK ? s : sound(), &check_error));
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    vf_mark_close(mark);
    return status;
}
static enum vf_status mark_observe(series s, struct vf_error *err) {
    struct vf_mark *mark = open_mark(true);
    struct vf_series keys[2], good_keys[2];
    struct vf_mark_batch batch = mark_batch(s, keys), good = mark_batch(sound(), good_keys);
    enum vf_status status = vf_mark_observe(mark, &batch, err);
    if (status != VF_OK) CHECK_OK(vf_mark_observe(mark, &good, &check_error));
    CHECK_OK(vf_mark_update(mark, &good, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    CHECK_OK(mark_emit(mark, sound(), &check_error));
    vf_mark_close(mark);
    return status;
}
static enum vf_status mark_replay(series s, struct vf_error *err) {
    struct vf_mark *mark = open_mark(false);
    struct vf_series keys[2];
    struct vf_mark_batch good = mark_batch(sound(), keys);
    CHECK_OK(vf_mark_update(mark, &good, &check_error));
    CHECK_OK(vf_mark_finish(mark, &check_error));
    enum vf_status status = mark_emit(mark, s, err);
    if (status != VF_OK) CHECK_OK(mark_emit(mark, sound(), &check_error));
    CHECK_OK(vf_mark_replayed(mark, &check_error));
    vf_mark_close(mark);
    return status;
}

/* As-of: key, time. */
static struct vf_asof *open_asof(void) {
    static const int64_t horizons[2] = {0, INT64_C(-5000000000)};
    const struct vf_asof_options options = {
        .horizons_ns = horizons, .n_horizons = 2, .tolerance_ns = -1, .end_ns = INT64_MAX};
    struct vf_asof *asof = NULL;
    CHECK_OK(vf_asof_open(ctx, &options, &asof, &check_error));
    return asof;
}
static enum vf_status asof_find(struct vf_asof *asof, series s, struct vf_error *err) {
    struct vf_column out[2];
    CHECK_POISON(out);
    struct vf_asof_batch batch = {.keys = s[0], .n_keys = 1, .time = s[1]};
    return taken(vf_asof_find(asof, &batch, out, err), out, 2);
}
static enum vf_status asof_observe(series s, struct vf_error *err) {
    struct vf_asof *asof = open_asof();
    struct vf_asof_batch batch = {.keys = s[0], .n_keys = 1, .time = s[1]};
    struct vf_asof_batch good = {.keys = &sound_series[0], .n_keys = 1, .time = &sound_series[1]};
    enum vf_status status = vf_asof_observe(asof, &batch, err);
    CHECK_I64(vf_asof_rows(asof), status == VF_OK ? N : 0);
    if (status != VF_OK) CHECK_OK(vf_asof_observe(asof, &good, &check_error));
    CHECK_OK(vf_asof_finish(asof, &check_error));
    CHECK_OK(asof_find(asof, sound(), &check_error));
    vf_asof_close(asof);
    return status;
}
static enum vf_status asof_look(series s, struct vf_error *err) {
    struct vf_asof *asof = open_asof();
    struct vf_asof_batch good = {.keys = &sound_series[0], .n_keys = 1, .time = &sound_series[1]};
    CHECK_OK(vf_asof_observe(asof, &good, &check_error));
    CHECK_OK(vf_asof_finish(asof, &check_error));
    enum vf_status status = asof_find(asof, s, err);
    if (status != VF_OK) CHECK_OK(asof_find(asof, sound(), &check_error));
    vf_asof_close(asof);
    return status;
}

/* Days: key, time, wall, price, volume. */
static struct vf_daily_batch daily_batch(series s) {
    return (struct vf_daily_batch){
        .keys = s[0], .n_keys = 1, .time = s[1], .wall = s[2], .price = s[3], .volume = s[4]};
}
static struct vf_daily *open_daily(void) {
    const struct vf_daily_options options = {.end_ns = INT64_MAX, .returns = true};
    struct vf_daily *daily = NULL;
    CHECK_OK(vf_daily_open(ctx, &options, &daily, &check_error));
    return daily;
}
static enum vf_status daily_add(series s, struct vf_error *err) {
    struct vf_daily *daily = open_daily();
    struct vf_daily_batch batch = daily_batch(s), good = daily_batch(sound());
    struct vf_column fresh, out[VF_DAILY_COLUMNS];
    CHECK_POISON(fresh);
    CHECK_POISON(out);
    enum vf_status status = vf_daily_update(daily, &batch, &fresh, err);
    (void)taken(status, &fresh, 1);
    if (status == VF_OK) {
        CHECK_OK(taken(vf_daily_finish(daily, out, &check_error), out, VF_DAILY_COLUMNS));
    } else { /* what names a row leaves a part counted, which is said */
        enum vf_status second = vf_daily_update(daily, &good, NULL, &check_error);
        CHECK(second == VF_ERROR_STATE || second == VF_OK);
        if (second == VF_OK)
            CHECK_OK(taken(vf_daily_finish(daily, out, &check_error), out, VF_DAILY_COLUMNS));
    }
    vf_daily_close(daily);
    return status;
}
static enum vf_status daily_return(series s, struct vf_error *err) {
    struct vf_daily *daily = open_daily();
    struct vf_daily_batch batch = daily_batch(s), good = daily_batch(sound());
    struct vf_column out;
    CHECK_POISON(out);
    CHECK_OK(vf_daily_update(daily, &good, NULL, &check_error));
    enum vf_status status = taken(vf_daily_return(daily, &batch, 0, &out, err), &out, 1);
    vf_daily_close(daily);
    return status;
}

/* Aggregation: a number key and a text key; a float, an integer, a boolean, a text. */
static int64_t groups; /* of the sound rows */
static enum vf_status aggregate(series s, struct vf_error *err) {
    static const struct vf_agg_leaf leaves[] = {
        {VF_AGG_LEN, 0, "n", {0, 0}},        {VF_AGG_SUM, 0, "sum", {0, 0}},
        {VF_AGG_MAX, 1, "max", {0, 0}},      {VF_AGG_FIRST, 0, "first", {3, 0}},
        {VF_AGG_DOT, 0, "dot", {2, 0}},      {VF_AGG_COUNT, 3, "texts", {0, 0}},
        {VF_AGG_PRODUCT, 0, "times", {0, 0}}};
    enum { LEAVES = sizeof leaves / sizeof *leaves };
    struct vf_agg *agg = NULL;
    struct vf_series keys[2] = {*s[0], *s[1]}, values[4] = {*s[2], *s[3], *s[4], *s[5]};
    struct vf_column out[2 + LEAVES];
    CHECK_POISON(out);
    CHECK_OK(vf_agg_open(ctx, leaves, LEAVES, 2, 4, &agg, &check_error));
    enum vf_status status = vf_agg_update(agg, keys, values, N, err);
    if (status == VF_OK) {
        groups = vf_agg_groups(agg);
        CHECK_OK(vf_agg_finish(agg, out, &check_error));
        check_release(&out[1]); /* texts are compared elsewhere */
        take(out, 1);
        take(out + 2, LEAVES);
    } else {
        struct vf_series good_keys[2] = {sound_series[0], sound_series[1]};
        enum vf_status second = vf_agg_update(agg, good_keys, &sound_series[2], N, &check_error);
        CHECK(second == VF_OK || second == VF_ERROR_STATE);
        if (second == VF_OK) CHECK_I64(vf_agg_groups(agg), groups);
    }
    vf_agg_close(agg);
    return status;
}

/* Cubes: two axes; a count, hi and lo, a minimum, a value and its order. */
static const struct vf_cube_state cube_states[4] = {
    {VF_CUBE_ADD_INT, "n"}, {VF_CUBE_ADD_FLOAT, "x"}, {VF_CUBE_MIN, "least"}, {VF_CUBE_FIRST, "first"}};
static void cube_columns(series s, struct vf_series keys[2], struct vf_series values[6]) {
    for (int a = 0; a < 2; a++)
        keys[a] = *s[a];
    for (int v = 0; v < 6; v++)
        values[v] = *s[2 + v];
}
static enum vf_status cube_learn(series s, struct vf_error *err) {
    struct vf_cube *cube = NULL;
    struct vf_series keys[2], values[6];
    struct vf_cube_size size;
    cube_columns(s, keys, values);
    CHECK_OK(vf_cube_open(ctx, 2, cube_states, 4, &cube, &check_error));
    enum vf_status status = vf_cube_learn(cube, keys, values, N, err);
    if (status == VF_OK) CHECK_OK(vf_cube_size(cube, &size, &check_error));
    if (status == VF_OK) mix(size.dense_cells * 64 + size.record_words);
    vf_cube_close(cube);
    return status;
}
static enum vf_status cube_add(series s, struct vf_error *err) {
    static const uint32_t kept[2] = {0, 1};
    const struct vf_cube_query everything = {.kept = kept, .n_kept = 2};
    struct vf_cube *cube = NULL;
    struct vf_series keys[2], values[6];
    struct vf_column out[7];
    CHECK_POISON(out);
    CHECK_OK(vf_cube_open(ctx, 2, cube_states, 4, &cube, &check_error));
    cube_columns(sound(), keys, values);
    CHECK_OK(vf_cube_learn(cube, keys, values, N, &check_error));
    CHECK_OK(vf_cube_build(cube, VF_CUBE_DENSE, 0, &check_error));
    cube_columns(s, keys, values);
    enum vf_status status = vf_cube_add(cube, keys, values, N, err);
    if (status == VF_OK) CHECK_OK(vf_cube_finish(cube, &check_error));
    if (status == VF_OK) CHECK_OK(taken(vf_cube_query(cube, &everything, out, &check_error), out, 7));
    vf_cube_close(cube);
    return status;
}

/* ---- the columns ---------------------------------------------------------------------------------------------------- */

/* By format, with a letter in front where the values matter: how values are made, and a type that is refused. */
struct need {
    const char *what;
    const char *wrong;
    bool optional; /* NULL is as good */
};

static const struct probe {
    const char *name;
    enum vf_status (*run)(series s, struct vf_error *err);
    bool by_value; /* its series come as an array: there is no NULL among them */
    struct need needs[MOST];
} probes[] = {
    {"elapsed", elapsed, false, {{"time", "b", false}}},
    {"elapsed_on", elapsed_on, false, {{"time", "b", false}, {"date", "l", false}}},
    {"end_on", end_on, false, {{"date", "l", false}}},
    {"left_on", left_on, false, {{"price", "u", false}, {"date", "l", false}}},
    {"trading_day", trading_day, false, {{"stamp", "g", false}}},
    {"open_days", open_days, false, {{"date", "l", false}}},
    {"date_parse", date_parse, false, {{"date", "g", false}}},
    {"date_parse", date_parse, false, {{"yyyymmdd", "b", false}}},
    {"bin_index", bin_index, false, {{"price", "u", false}}},
    {"cast_integer", cast_integer, false, {{"whole", "u", false}}},
    {"cast_float", cast_float, false, {{"count", "g", false}}},
    {"mid", mid, false, {{"price", "u", false}, {"price", "u", false}}},
    {"price_return", price_return, false, {{"price", "b", false}, {"price", "u", false}}},
    {"integers", integers, false, {{"count", "g", false}, {"count", "u", false}}},
    {"side_sign", side_sign, false, {{"side", NULL, false}}},
    {"cut_index", cut_index, false, {{"price", "u", false}}},
    {"quantiles", quantiles, false, {{"price", "u", false}}},
    {"order", order, false, {{"symbol", "g", true}, {"time", "u", false}}},
    {"moment",
     moment,
     true,
     {{"price", "l", false}, {"zero", "l", false}, {"count", "g", false}, {"none", "g", false}}},
    {"fifo_learn",
     fifo_learn,
     false,
     {{"symbol", "g", false},
      {"time", "u", false},
      {"time", "b", false},
      {"side", NULL, false},
      {"count", "u", false},
      {"price", "u", false}}},
    {"fifo_replay",
     fifo_replay,
     false,
     {{"symbol", "g", false},
      {"time", "u", false},
      {"time", "b", false},
      {"side", NULL, false},
      {"count", "u", false},
      {"price", "u", false}}},
    {"fifo_held", fifo_held, false, {{"symbol", "g", false}, {"count", "u", false}, {"price", "u", true}}},
    {"mark_learn",
     mark_learn,
     true,
     {{"symbol", "g", false}, {"key", "g", false}, {"time", "u", false}, {"price", "u", false}}},
    {"mark_observe",
     mark_observe,
     true,
     {{"symbol", "g", false}, {"key", "g", false}, {"time", "u", false}, {"price", "u", false}}},
    {"mark_replay",
     mark_replay,
     true,
     {{"symbol", "g", false}, {"key", "g", false}, {"time", "u", false}, {"price", "u", false}}},
    {"asof_observe", asof_observe, true, {{"symbol", "g", false}, {"time", "u", false}}},
    {"asof_look", asof_look, true, {{"symbol", "g", false}, {"time", "u", false}}},
    {"daily_add",
     daily_add,
     false,
     {{"symbol", "g", false},
      {"time", "u", false},
      {"time", "u", true},
      {"price", "u", false},
      {"count", "u", true}}},
    {"daily_return",
     daily_return,
     false,
     {{"symbol", "g", false}, {"time", "u", false}, {"time", NULL, true}, {"price", "u", false}}},
    {"aggregate",
     aggregate,
     true,
     {{"key", "g", false},
      {"symbol", "g", false},
      {"price", "u", false},
      {"count", "u", false},
      {"flag", "u", false},
      {"symbol", NULL, false}}},
    {"cube_learn",
     cube_learn,
     true,
     {{"key", "g", false},
      {"symbol", "g", false},
      {"count", "g", false},
      {"price", "l", false},
      {"zero", "l", false},
      {"price", "u", false},
      {"price", "u", false},
      {"count", "g", false}}},
    {"cube_add",
     cube_add,
     true,
     {{"key", "g", false},
      {"symbol", "g", false},
      {"count", "g", false},
      {"price", "l", false},
      {"zero", "l", false},
      {"price", "u", false},
      {"price", "u", false},
      {"count", "g", false}}},
};

struct buffers {
    int64_t whole[N];
    double real[N];
    int32_t days[N], offsets[N + 1];
    uint8_t bits[N / 8 + 1], validity[N / 8 + 1];
    char text[N * 4];
    uint32_t index[N];
    struct check_column values, keys;
};
static struct buffers room[MOST + 1];

static const char *fill(struct buffers *b, const char *what, const void **values, const void **text) {
    *text = NULL;
    *values = b->whole;
    memset(b->bits, 0, sizeof b->bits);
    for (int32_t i = 0; i < N; i++) {
        int n = 0;
        b->validity[i / 8] = i / 8 % 2 == 0 ? 0xff : 0xfb;
        b->real[i] = strcmp(what, "zero") == 0 ? 0 : strcmp(what, "whole") == 0 ? i * 3 : 1 + i % 13 * 0.5;
        b->days[i] = 19725 + i / 500; /* 2024-01-03, three trading days */
        b->whole[i] = strcmp(what, "time") == 0       ? 34200 + i
                      : strcmp(what, "count") == 0    ? 1 + i % 9
                      : strcmp(what, "key") == 0      ? i % 5
                      : strcmp(what, "none") == 0     ? 0
                      : strcmp(what, "yyyymmdd") == 0 ? 20240101 + i % 28
                                                      : 19725 * VF_DAY_NS + i * INT64_C(1000000000);
        if (i % 3 != 0) b->bits[i / 8] |= (uint8_t)(1u << (i % 8));
        if (strcmp(what, "side") == 0)
            n = snprintf(b->text + b->offsets[i], 4, "%s", i % 3 == 0 ? "S" : "B");
        else
            n = snprintf(b->text + b->offsets[i], 4, "s%d", i % 7);
        b->offsets[i + 1] = b->offsets[i] + n;
    }
    if (strcmp(what, "price") == 0 || strcmp(what, "zero") == 0 || strcmp(what, "whole") == 0)
        return *values = b->real, "g";
    if (strcmp(what, "date") == 0) return *values = b->days, "tdD";
    if (strcmp(what, "flag") == 0) return *values = b->bits, "b";
    if (strcmp(what, "symbol") == 0 || strcmp(what, "side") == 0)
        return *values = b->offsets, *text = b->text, "u";
    return strcmp(what, "stamp") == 0 ? "tsn:" : "l";
}

/* A column of n rows: plain, or a dictionary whose keys count up, of which that of `bad_row` may lead nowhere. */
static void make(struct buffers *b, const char *what, int64_t n, bool nulls, bool dictionary, int64_t bad_row,
                 struct vf_series *out) {
    const void *values, *text;
    const char *format = fill(b, what, &values, &text);
    const uint8_t *validity = nulls ? b->validity : NULL;
    *out = *check_series(&b->values, format, what, n, dictionary ? NULL : validity, values, text);
    if (!dictionary) return;
    for (uint32_t i = 0; i < N; i++)
        b->index[i] = i;
    if (bad_row >= 0) b->index[bad_row] = N + 7;
    (void)check_series(&b->keys, "I", what, n, validity, b->index, NULL);
    b->keys.schema.dictionary = &b->values.schema;
    b->keys.array.dictionary = &b->values.array;
    *out = b->keys.series;
}

static size_t n_needs(const struct probe *p) {
    size_t n = 0;
    while (n < MOST && p->needs[n].what != NULL)
        n++;
    return n;
}

/* Runs the probe with `changed` in the place of column j: the status, with err and without. */
static enum vf_status with(const struct probe *p, size_t j, const struct vf_series *changed) {
    const struct vf_series *pointers[MOST] = {0};
    for (size_t c = 0; c < n_needs(p); c++)
        pointers[c] = c == j ? changed : &sound_series[c];
    memset(&check_error, 0, sizeof check_error);
    struct vf_error error = {.row = -2};
    enum vf_status status = p->run(pointers, &error), silent = p->run(pointers, NULL);
    if (status != silent) fprintf(stderr, "%s, column %zu\n", p->name, j);
    CHECK_I64(silent, status);
    if (status != VF_OK) CHECK_I64(error.code, status);
    check_error = error;
    return status;
}

#define EXPECT(call, want)                                                                                   \
    do {                                                                                                     \
        enum vf_status got_ = (call);                                                                        \
        if (got_ != (want))                                                                                  \
            fprintf(stderr, "%s, column %zu \"%s\": %s\n", p->name, j, p->needs[j].what,                     \
                    check_error.message);                                                                    \
        CHECK_I64(got_, want);                                                                               \
    } while (0)

static void probe_one(const struct probe *p, bool nulls) {
    struct vf_series changed;
    size_t n = n_needs(p);
    bool null_fits = p->run != open_days && p->run != fifo_held && p->run != fifo_learn &&
                     p->run != fifo_replay && p->run != cube_learn && p->run != cube_add;
    for (size_t c = 0; c < n; c++)
        make(&room[c], p->needs[c].what, N, nulls && null_fits, false, -1, &sound_series[c]);
    const struct vf_series *pointers[MOST] = {0};
    for (size_t c = 0; c < n; c++)
        pointers[c] = &sound_series[c];
    digest = 0;
    size_t j = 0;
    EXPECT(p->run(pointers, &check_error), VF_OK);
    uint64_t plain = digest;
    for (j = 0; j < n; j++) {
        const struct need *need = &p->needs[j];
        struct buffers *b = &room[MOST];
        /* the same values behind a dictionary */
        make(b, need->what, N, nulls && null_fits, true, -1, &changed);
        pointers[j] = &changed;
        digest = 0;
        EXPECT(p->run(pointers, &check_error), VF_OK);
        CHECK(digest == plain);
        pointers[j] = &sound_series[j];
        if (p->run == daily_return && j == 2) continue; /* not looked at */
        /* a key of the dictionary that leads nowhere, in a row of the second block */
        make(b, need->what, N, nulls && null_fits, true, BAD_ROW, &changed);
        if (p->run == cube_learn && j >= 5) { /* what is no sum is read when it is added */
            EXPECT(with(p, j, &changed), VF_OK);
        } else {
            EXPECT(with(p, j, &changed), VF_ERROR_ARROW);
            CHECK_I64(check_error.row, BAD_ROW);
            CHECK(strcmp(check_error.column, need->what) == 0);
        }
        /* one row short, alone in the call or beside others */
        make(b, need->what, N - 1, false, false, -1, &changed);
        if (n > 1) EXPECT(with(p, j, &changed), VF_ERROR_ARGUMENT);
        /* not given; without a schema; of a type that nobody reads; of one that does not fit here */
        if (!p->by_value && !need->optional) EXPECT(with(p, j, NULL), VF_ERROR_ARGUMENT);
        changed.schema = NULL;
        EXPECT(with(p, j, &changed), VF_ERROR_ARROW);
        make(b, need->what, N, false, false, -1, &changed);
        b->values.schema.format = "+l";
        EXPECT(with(p, j, &changed), VF_ERROR_TYPE);
        if (need->wrong == NULL) continue;
        make(b,
             need->wrong[0] == 'u'   ? "symbol"
             : need->wrong[0] == 'b' ? "flag"
             : need->wrong[0] == 'g' ? "price"
                                     : "count",
             N, false, false, -1, &changed);
        EXPECT(with(p, j, &changed), VF_ERROR_TYPE);
    }
}

/* A column of the type that has nulls only is as good as one of any type in which all are null. */
static void probe_nulls(const struct probe *p) {
    static uint8_t none[N / 8 + 1];
    static enum vf_status (*const others[])(series, struct vf_error *) = {
        open_days,   quantiles,    fifo_learn, fifo_replay, fifo_held,
        mark_replay, daily_return, aggregate,  cube_learn,  cube_add};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (p->run == others[k]) return; /* nulls are refused there, or are others than those learnt */
    size_t n = n_needs(p);
    const struct vf_series *pointers[MOST] = {0};
    for (size_t c = 0; c < n; c++) {
        make(&room[c], p->needs[c].what, N, false, false, -1, &sound_series[c]);
        pointers[c] = &sound_series[c];
    }
    for (size_t j = 0; j < n; j++) {
        struct vf_series nulls, typed;
        struct check_column c;
        nulls = *check_series(&c, "n", p->needs[j].what, N, NULL, NULL, NULL);
        c.array.n_buffers = 0;
        c.array.null_count = N;
        make(&room[MOST], p->needs[j].what, N, true, false, -1, &typed);
        room[MOST].values.buffers[0] = none;
        pointers[j] = &typed;
        digest = 0;
        EXPECT(p->run(pointers, &check_error), VF_OK);
        uint64_t want = digest;
        pointers[j] = &nulls;
        digest = 0;
        enum vf_status status = p->run(pointers, &check_error);
        CHECK(status == VF_ERROR_TYPE || (status == VF_OK && digest == want));
        if (status != VF_OK && status != VF_ERROR_TYPE)
            fprintf(stderr, "%s %zu: %s\n", p->name, j, check_error.message);
        if (status == VF_OK && digest != want) fprintf(stderr, "%s %zu: other results\n", p->name, j);
        pointers[j] = &sound_series[j];
    }
}

int main(void) {
    static const char text[] =
        "calendar test\nfirst 2024-01-01\nlast 2024-12-31\nhours 2024-01-01 0930-1130 1300-1500\n";
    CHECK_OK(vf_calendar_open(NULL, text, sizeof text - 1, &calendar, &check_error));
    for (size_t p = 0; p < sizeof probes / sizeof *probes; p++)
        for (int k = 0; k < 4; k++) {
            ctx = contexts[k / 2];
            probe_one(&probes[p], k % 2 == 1);
        }
    for (size_t p = 0; p < sizeof probes / sizeof *probes; p++)
        probe_nulls(&probes[p]);
    vf_calendar_close(calendar);
    return check_report("columns");
}
