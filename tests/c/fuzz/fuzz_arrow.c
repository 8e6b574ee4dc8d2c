/* Columns of any kind, sound and malformed, through every public function that takes one: it refuses them with an error,
   or gives what can be read back. Not for what results mean, but where a slow reading tells it (repeating rows, counting).

   Input: a byte that picks the function, its options, then the columns (columns.h says what they can be). */
#include "columns.h"

static struct blocks blocks;
static struct vf_error err;

static struct vf_context context(struct bytes *b) {
    return (struct vf_context){.n_threads = (uint32_t)take_between(b, 1, 2)};
}

/* The text columns' own checks come while values are read; all others when a column is opened. */
static void check_opened(enum vf_status status, const struct made *made, size_t n) {
    check_error(status, &err);
    for (size_t i = 0; i < n; i++)
        if (!made[i].typed || !made[i].format.read || made[i].refused) REQUIRE(status != VF_OK);
}

/* A column for a call of `rows` rows; now and then of another length. */
static void make(struct bytes *b, int64_t rows, const char *format, struct made *out) {
    make_series(b, &blocks, take_chance(b, 32) ? -1 : rows, format, out);
}

static int64_t take_rows(struct bytes *b) {
    return take_chance(b, 16) ? take_between(b, 0, 1200) : take_between(b, 0, 20);
}

static void give_all(enum vf_status status, struct vf_column *columns, size_t n, int64_t rows) {
    for (size_t i = 0; status == VF_OK && i < n; i++)
        check_given(&columns[i], rows);
}

/* ---- repeating rows ---- */

static int released;

static void release_owner(void *owner) {
    (void)owner;
    released++;
}

static bool any_broken(const struct vf_series *series, int64_t rows) {
    for (int64_t i = 0; i < rows; i++)
        if (!cell_at(series, i).there) return true;
    return false;
}

static void expand(struct bytes *b) {
    struct vf_context ctx = context(b);
    struct made made;
    struct vf_column out = {0};
    make_series(b, &blocks, take_rows(b), NULL, &made);
    int64_t n = made.rows + (take_chance(b, 32) ? 1 : 0), total = 0;
    uint32_t *counts = block_new(&blocks, (size_t)n * sizeof *counts);
    for (int64_t i = 0; i < n; i++)
        total += counts[i] = take_byte(b) % 4;
    released = 0;
    enum vf_status status =
        vf_column_expand(&ctx, &made.series, counts, n, &released, take_chance(b, 4) ? NULL : release_owner, &out, &err);
    check_error(status, &err);
    bool bad = !made.typed || !made.metadata_good || made.refused || n != made.rows;
    if (bad) REQUIRE(status != VF_OK);
    REQUIRE(released == 0);
    if (status != VF_OK) return;
    const struct ArrowArray *chunk = &out.array;
    struct vf_series given = {.schema = &out.schema, .chunks = &chunk, .n_chunks = 1};
    REQUIRE(out.array.length == total && strcmp(out.schema.format, made.series.schema->format) == 0);
    int64_t place = 0;
    for (int64_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < counts[i]; k++, place++) {
            struct cell in = cell_at(&made.series, i), again = cell_at(&given, place);
            REQUIRE(same_cell(&in, &again)); /* what is broken in a view or a dictionary's key stays broken */
        }
    vf_column_release(&out);
    REQUIRE(released <= 1);
}

/* ---- grouping ---- */

enum { LEAVES = 4, VALUES = 3, KEYS = 2 };

static void aggregate(struct bytes *b) {
    struct vf_context ctx = context(b);
    struct vf_agg_leaf leaves[LEAVES];
    struct vf_agg *agg = NULL, *other = NULL;
    struct made made[KEYS + VALUES];
    struct vf_series series[KEYS + VALUES];
    struct vf_column columns[KEYS + 3 * LEAVES];
    size_t n_leaves = (size_t)take_between(b, 1, LEAVES), n_keys = (size_t)take_between(b, 0, KEYS);
    for (size_t i = 0; i < n_leaves; i++)
        leaves[i] = (struct vf_agg_leaf){.op = (enum vf_agg_op)take_between(b, 0, 16),
                                         .value = take_byte(b) % (VALUES + (take_chance(b, 32) ? 1u : 0u)),
                                         .name = "leaf",
                                         .more = {take_byte(b) % (VALUES + 1), take_byte(b) % (VALUES + 1)}};
    enum vf_status status = vf_agg_open(&ctx, leaves, n_leaves, n_keys, VALUES, &agg, &err);
    check_error(status, &err);
    if (status != VF_OK) return;
    for (int round = 0; round < 2; round++) {
        static const char *const kinds[] = {"l", "u", "vu", "g", "tdD", "b", "tDu", NULL};
        int64_t rows = take_rows(b);
        for (size_t i = 0; i < n_keys + VALUES; i++) {
            make(b, rows, kinds[take_byte(b) % 8], &made[i]);
            series[i] = made[i].series;
        }
        status = vf_agg_update(agg, series, series + n_keys, rows, &err);
        check_opened(status, made, n_keys + VALUES);
        if (round > 0 || !take_chance(b, 4)) continue;
        other = agg;
        agg = NULL;
        REQUIRE(vf_agg_open(&ctx, leaves, n_leaves, n_keys, VALUES, &agg, &err) == VF_OK);
    }
    if (other != NULL) {
        status = vf_agg_merge(agg, other, &err);
        check_error(status, &err);
    }
    status = vf_agg_finish(agg, columns, &err);
    check_error(status, &err);
    give_all(status, columns, n_keys + n_leaves, vf_agg_groups(agg));
    status = vf_agg_states(agg, columns, &err);
    check_error(status, &err);
    give_all(status, columns, vf_agg_state_columns(agg), vf_agg_groups(agg));
    vf_agg_close(agg);
    vf_agg_close(other);
}

/* Rows, nulls and not-nulls of a column by a slow reading. */
static void count(struct bytes *b) {
    static const struct vf_agg_leaf leaves[] = {{.op = VF_AGG_LEN, .name = "rows"},
                                                {.op = VF_AGG_COUNT, .name = "values"},
                                                {.op = VF_AGG_NULL_COUNT, .name = "nulls"}};
    struct vf_context ctx = context(b);
    struct vf_agg *agg = NULL;
    struct made made;
    struct vf_column out[3];
    make_series(b, &blocks, take_rows(b), NULL, &made);
    REQUIRE(vf_agg_open(&ctx, leaves, 3, 0, 1, &agg, &err) == VF_OK);
    enum vf_status status = vf_agg_update(agg, NULL, &made.series, made.rows, &err);
    check_opened(status, &made, 1);
    if (status == VF_OK) {
        int64_t nulls = 0, got[3];
        for (int64_t i = 0; i < made.rows; i++) {
            struct cell cell = cell_at(&made.series, i);
            nulls += cell.there && cell.null; /* text that is broken is a value: it is not looked at */
        }
        REQUIRE(vf_agg_finish(agg, out, &err) == VF_OK);
        for (int i = 0; i < 3; i++) {
            got[i] = ((const int64_t *)out[i].array.buffers[1])[0];
            check_given(&out[i], 1);
        }
        REQUIRE(got[0] == made.rows && got[2] == nulls && got[1] == made.rows - nulls);
    } else {
        bool good = made.typed && made.format.read && !made.refused;
        REQUIRE(!good || any_broken(&made.series, made.rows));
    }
    vf_agg_close(agg);
}

/* ---- clocks and dates ---- */

static const char calendar_text[] = "calendar TEST\nfirst 2024-09-30\nlast 2024-12-31\nclosed\n2024 1001-1007\n"
                                    "hours 2024-09-30 ^2100-2300 0930-1130 1300-1500\nspecial 0930-1130\n2024 1224\n";

static void clock_of(struct bytes *b) {
    static const struct vf_session sessions[] = {{34200000000000, 41400000000000}, {46800000000000, 54000000000000}};
    static const char *const kinds[] = {"l", "i", "u", "vu", "tsu:", "tsn:", "ttn", "tdD", "g", "tDn", "tss:", NULL};
    struct vf_context ctx = context(b);
    struct vf_clock_options options = {.sessions = sessions,
                                       .n_sessions = 2,
                                       .outside = (enum vf_outside)take_between(b, 0, 3),
                                       .grace_ns = (int64_t)take_byte(b) * 1000000000,
                                       .layout = (enum vf_time_layout)take_between(b, 0, 4)};
    struct vf_calendar *calendar = NULL;
    struct vf_clock_report report;
    struct made made[2];
    struct vf_column out = {0};
    uint8_t which = take_byte(b) % 7;
    int64_t rows = take_rows(b);
    make(b, rows, kinds[take_byte(b) % 12], &made[0]);
    make(b, rows, take_chance(b, 8) ? kinds[take_byte(b) % 12] : "tdD", &made[1]);
    REQUIRE(vf_calendar_open(&ctx, calendar_text, sizeof calendar_text - 1, &calendar, &err) == VF_OK);
    const struct vf_series *time = &made[0].series, *date = &made[1].series;
    enum vf_status status;
    size_t n = 1;
    switch (which) {
    case 0:
        status = vf_clock_elapsed(&ctx, time, &options, &out, &report, &err);
        break;
    case 1:
        n = 2;
        status = vf_clock_elapsed_on(&ctx, calendar, time, date, &options, &out, &report, &err);
        break;
    case 2:
        status = vf_clock_end_on(&ctx, calendar, time, NULL, 0, &out, &err);
        break;
    case 3:
        n = 2;
        status = vf_clock_left_on(&ctx, calendar, time, date, NULL, 0, &out, &err);
        break;
    case 4:
        status = vf_clock_trading_day(&ctx, calendar, time, &out, &err);
        break;
    case 5:
        status = vf_date_parse(&ctx, time, &out, &err);
        break;
    default: {
        struct vf_calendar *days = NULL;
        status = vf_calendar_open_days(&ctx, date, &days, &err);
        check_opened(status, &made[1], 1);
        vf_calendar_close(days);
        vf_calendar_close(calendar);
        return;
    }
    }
    check_opened(status, made, n);
    if (status == VF_OK) {
        const char *format = which == 0 ? vf_clock_elapsed_format(time->schema, options.layout) : out.schema.format;
        REQUIRE(format != NULL && strcmp(format, out.schema.format) == 0);
        check_given(&out, made[0].rows);
    }
    vf_calendar_close(calendar);
}

/* ---- row by row ---- */

static void elementwise(struct bytes *b) {
    static const char *const kinds[] = {"g", "f", "l", "i", "L", "C", "b", NULL};
    static const struct vf_side sides[] = {{.text = "B", .length = 1, .entry = true},
                                           {.text = "a longer side", .length = 13},
                                           {.integer = 1, .entry = true},
                                           {.integer = -1}};
    static const double cuts[] = {-1, 0, 0.5, 1e18};
    struct vf_context ctx = context(b);
    struct made made[12];
    struct vf_series series[12];
    struct vf_column out = {0};
    uint8_t which = take_byte(b) % 11;
    int64_t rows = take_rows(b);
    size_t n = which == 3 || which == 4 || which == 10 ? 2 : which == 7 ? (size_t)take_between(b, 2, 12) : 1;
    for (size_t i = 0; i < n; i++) {
        make(b, rows, kinds[take_byte(b) % 8], &made[i]);
        series[i] = made[i].series;
    }
    char format[2] = {"cCsSiIlLgx"[take_byte(b) % 10], '\0'};
    enum vf_status status;
    switch (which) {
    case 0:
        status = vf_bin_index(&ctx, series, take_chance(b, 8) ? 1e-300 : 0.25, take_chance(b, 2), &out, &err);
        break;
    case 1:
        status = vf_cast_integer(&ctx, series, format, 1e-6, &out, &err);
        break;
    case 2:
        status = vf_cast_float(&ctx, series, &out, &err);
        break;
    case 3:
        status = vf_mid(&ctx, &series[0], &series[1], &out, &err);
        break;
    case 4:
        status = vf_price_return(&ctx, &series[0], &series[1], &out, &err);
        break;
    case 5:
        make_series(b, &blocks, rows, take_chance(b, 2) ? "vu" : "u", &made[0]);
        status = vf_side_sign(&ctx, &made[0].series, sides, 4, take_chance(b, 2), &out, &err);
        break;
    case 6:
        status = vf_cut_index(&ctx, series, cuts, 4, take_chance(b, 2), -INFINITY, INFINITY,
                              (enum vf_cut_outside)take_between(b, 0, 3), &out, &err);
        break;
    case 7:
        status = vf_moment_value(&ctx, (enum vf_moment)take_between(b, 0, 7), take_byte(b) % 3, series, n, &out, &err);
        break;
    case 10: { /* errors by cluster */
        struct vf_column errors[2];
        status = vf_clusters_error(&ctx, &series[0], take_chance(b, 4) ? NULL : &series[1], 128, errors, &err);
        check_opened(status, made, 1);
        give_all(status, errors, 2, 128);
        return;
    }
    default: {
        struct vf_quantiles *quantiles = NULL;
        double found[7];
        struct vf_quantiles_summary summary;
        bool more = true;
        REQUIRE(vf_quantiles_open(&ctx, 8, (enum vf_quantile_method)(which % 2), &quantiles, &err) == VF_OK);
        status = vf_quantiles_update(quantiles, series, &err);
        check_opened(status, made, 1);
        while (status == VF_OK && more) {
            status = vf_quantiles_pass(quantiles, &more, &err);
            check_error(status, &err);
            if (status == VF_OK && more) REQUIRE(vf_quantiles_update(quantiles, series, &err) == VF_OK);
        }
        if (status == VF_OK) {
            REQUIRE(vf_quantiles_cuts(quantiles, found, &summary, &err) == VF_OK);
            for (int i = 0; i < 7; i++)
                REQUIRE(found[i] >= summary.low && found[i] <= summary.high && (i == 0 || found[i - 1] <= found[i]));
            REQUIRE(summary.n + summary.n_null + summary.n_nan + summary.n_infinite == made[0].rows);
        }
        vf_quantiles_close(quantiles);
        return;
    }
    }
    check_opened(status, made, n);
    if (status == VF_OK) check_given(&out, made[0].rows);
}

/* ---- objects that learn a day and give it back ---- */

static const char *const day_kinds[] = {"l", "u", "vu", "i", "tdD", "b", "g", "tsu:", "ttn", "tDn", "f", NULL};

static void match(struct bytes *b) {
    static const struct vf_side sides[] = {{.text = "B", .length = 1, .entry = true},
                                           {.text = "S", .length = 1},
                                           {.text = "", .length = 0, .entry = true},
                                           {.integer = 1, .entry = true},
                                           {.integer = 0}};
    struct vf_context ctx = context(b);
    struct vf_fifo_options options = {.sides = sides,
                                      .n_sides = 5,
                                      .rows = (enum vf_fifo_rows)take_between(b, 0, 2),
                                      .on_excess = (enum vf_excess)take_between(b, 0, 2),
                                      .columns = (unsigned)take_between(b, 0, (1 << VF_FIFO_N_COLUMNS) - 1)};
    struct vf_fifo *fifo = NULL;
    struct made made[6];
    int64_t rows = take_rows(b);
    static const char *const usual[] = {"u", "l", "l", "u", "l", "g"};
    if (vf_fifo_open(&ctx, &options, &fifo, &err) != VF_OK) return;
    if (take_chance(b, 8)) {
        struct made lots[3];
        for (int i = 0; i < 3; i++)
            make(b, rows, i == 0 ? "u" : "l", &lots[i]);
        enum vf_status status =
            vf_fifo_inventory(fifo, &lots[0].series, 1, &lots[1].series, take_chance(b, 2) ? NULL : &lots[2].series, &err);
        check_opened(status, lots, 2);
    }
    for (int i = 0; i < 6; i++)
        make(b, rows, take_chance(b, 4) ? day_kinds[take_byte(b) % 12] : usual[i], &made[i]);
    bool timed = (options.columns & VF_FIFO_HOLDING) != 0 || take_chance(b, 2);
    struct vf_fifo_batch batch = {.keys = &made[0].series, .n_keys = 1,
                                  .sort = &made[1].series,
                                  .time = timed ? take_chance(b, 2) ? &made[1].series : &made[2].series : NULL,
                                  .side = &made[3].series,
                                  .quantity = &made[4].series,
                                  .price = &made[5].series};
    enum vf_status status = vf_fifo_update(fifo, &batch, &err);
    check_error(status, &err);
    if (status == VF_OK) REQUIRE(!made[0].refused && !made[1].refused && !made[3].refused && !made[4].refused);
    if (status == VF_OK) {
        status = vf_fifo_match(fifo, &err);
        check_error(status, &err);
    }
    if (status == VF_OK) {
        struct vf_column out[VF_FIFO_N_COLUMNS];
        uint32_t *counts = block_new(&blocks, (size_t)made[0].rows * sizeof *counts);
        size_t n = 0;
        int64_t given = 0;
        for (unsigned bits = options.columns; bits != 0; bits &= bits - 1)
            n++;
        status = vf_fifo_emit(fifo, &batch, 0, made[0].rows, options.columns, counts, out, &err);
        check_error(status, &err);
        REQUIRE(status == VF_OK && vf_fifo_replayed(fifo, &err) == VF_OK);
        for (int64_t i = 0; i < made[0].rows; i++)
            given += counts[i];
        REQUIRE(given == vf_fifo_rows_out(fifo));
        give_all(status, out, n, given);
    }
    vf_fifo_close(fifo);
}

static size_t make_keys(struct bytes *b, int64_t rows, struct made *made, struct vf_series *series) {
    size_t n = (size_t)take_between(b, 0, KEYS);
    for (size_t i = 0; i < n; i++) {
        make(b, rows, day_kinds[take_byte(b) % 12], &made[i]);
        series[i] = made[i].series;
    }
    return n;
}

static void mark(struct bytes *b) {
    static const int64_t horizons[] = {1000000000, 60000000000, 1};
    struct vf_context ctx = context(b);
    struct vf_mark_options options = {.horizons_ns = horizons,
                                      .n_horizons = (size_t)take_between(b, 1, 3),
                                      .method = (enum vf_mark_method)take_between(b, 0, 2),
                                      .tolerance_ns = (int64_t)take_byte(b) - 1,
                                      .end_ns = take_chance(b, 4) ? take_byte(b) : INT64_MAX,
                                      .quotes = take_chance(b, 4)};
    struct vf_mark *marks = NULL;
    struct made made[KEYS + 2];
    struct vf_series keys[KEYS];
    struct vf_column out[3];
    int64_t rows = take_rows(b);
    size_t n = make_keys(b, rows, made, keys);
    make(b, rows, take_chance(b, 4) ? day_kinds[take_byte(b) % 12] : "l", &made[n]);
    make(b, rows, take_chance(b, 4) ? day_kinds[take_byte(b) % 12] : "g", &made[n + 1]);
    struct vf_mark_batch batch = {
        .keys = keys, .n_keys = n, .time = &made[n].series, .price = &made[n + 1].series};
    REQUIRE(vf_mark_open(&ctx, &options, &marks, &err) == VF_OK);
    enum vf_status status = VF_OK;
    if (options.quotes) {
        status = vf_mark_observe(marks, &batch, &err);
        check_opened(status, made, n + 2);
    }
    if (status == VF_OK) {
        status = vf_mark_update(marks, &batch, &err);
        check_opened(status, made, n + 2);
    }
    if (status == VF_OK) {
        status = vf_mark_finish(marks, &err);
        check_error(status, &err);
    }
    if (status == VF_OK) {
        status = vf_mark_emit(marks, &batch, 0, vf_mark_rows(marks), out, &err);
        check_error(status, &err);
        REQUIRE(status == VF_OK && vf_mark_replayed(marks, &err) == VF_OK);
        give_all(status, out, options.n_horizons, vf_mark_rows(marks));
    }
    vf_mark_close(marks);
}

static void asof(struct bytes *b) {
    static const int64_t horizons[] = {0, 60000000000, -1};
    struct vf_context ctx = context(b);
    struct vf_asof_options options = {.horizons_ns = horizons,
                                      .n_horizons = (size_t)take_between(b, 1, 3),
                                      .method = (enum vf_mark_method)take_between(b, 0, 2),
                                      .tolerance_ns = -1,
                                      .end_ns = INT64_MAX,
                                      .strict = take_chance(b, 2),
                                      .past_last = take_chance(b, 2),
                                      .unique = take_chance(b, 4)};
    struct vf_asof *object = NULL;
    struct made made[KEYS + 1];
    struct vf_series keys[KEYS];
    struct vf_column out[3];
    REQUIRE(vf_asof_open(&ctx, &options, &object, &err) == VF_OK);
    enum vf_status status = VF_OK;
    bool timed = !take_chance(b, 4);
    for (int round = 0; status == VF_OK && round < 2; round++) {
        int64_t rows = take_rows(b);
        size_t n = make_keys(b, rows, made, keys);
        make(b, rows, take_chance(b, 4) ? day_kinds[take_byte(b) % 12] : "l", &made[n]);
        struct vf_asof_batch batch = {.keys = keys, .n_keys = n, .time = timed ? &made[n].series : NULL};
        if (!timed && n == 0) break;
        status = round == 0 ? vf_asof_observe(object, &batch, &err) : vf_asof_find(object, &batch, out, &err);
        check_opened(status, made, n + timed);
        if (round == 1)
            give_all(status, out, options.n_horizons, made[0].rows);
        else if (status == VF_OK) {
            status = vf_asof_finish(object, &err);
            check_error(status, &err);
        }
    }
    vf_asof_close(object);
}

static void daily(struct bytes *b) {
    struct vf_context ctx = context(b);
    struct vf_daily_options options = {.end_ns = INT64_MAX, .returns = take_chance(b, 2)};
    struct vf_daily *object = NULL;
    struct made made[KEYS + 4];
    struct vf_series keys[KEYS];
    struct vf_column out[VF_DAILY_COLUMNS], fresh = {0};
    int64_t rows = take_rows(b);
    size_t n = make_keys(b, rows, made, keys);
    static const char *const usual[] = {"l", "tsu:", "g", "l"};
    for (size_t i = 0; i < 4; i++)
        make(b, rows, take_chance(b, 4) ? day_kinds[take_byte(b) % 12] : usual[i], &made[n + i]);
    struct vf_daily_batch batch = {.keys = keys,
                                   .n_keys = n,
                                   .time = &made[n].series,
                                   .wall = take_chance(b, 2) ? NULL : &made[n + 1].series,
                                   .price = &made[n + 2].series,
                                   .volume = take_chance(b, 2) ? NULL : &made[n + 3].series};
    REQUIRE(vf_daily_open(&ctx, &options, &object, &err) == VF_OK);
    enum vf_status status = vf_daily_update(object, &batch, &fresh, &err);
    check_error(status, &err);
    if (status == VF_OK) {
        check_given(&fresh, vf_daily_groups(object));
        status = vf_daily_finish(object, out, &err);
        check_error(status, &err);
        give_all(status, out, VF_DAILY_COLUMNS, vf_daily_groups(object));
    }
    if (status == VF_OK) {
        status = vf_daily_return(object, &batch, 0, out, &err);
        check_error(status, &err);
        give_all(status, out, 1, made[n].rows);
    }
    vf_daily_close(object);
}

static void order(struct bytes *b) {
    struct vf_context ctx = context(b);
    struct vf_order *object = NULL;
    struct vf_order_report report;
    struct made made[2];
    int64_t rows = take_rows(b);
    bool keyed = take_chance(b, 2);
    make(b, rows, day_kinds[take_byte(b) % 12], &made[0]);
    make(b, rows, day_kinds[take_byte(b) % 12], &made[1]);
    REQUIRE(vf_order_open(&ctx, &object, &err) == VF_OK);
    enum vf_status status = vf_order_update(object, keyed ? &made[1].series : NULL, &made[0].series, &err);
    check_opened(status, made, keyed ? 2 : 1);
    vf_order_report(object, &report);
    if (status == VF_OK) REQUIRE(report.n_rows == made[0].rows && report.n_late <= report.n_rows - report.n_unknown);
    vf_order_close(object);
}

static void cube(struct bytes *b) {
    static const size_t widths[] = {1, 2, 1, 1, 2, 2, 1, 3};
    struct vf_context ctx = context(b);
    struct vf_cube_state states[2] = {{.merge = (enum vf_cube_merge)take_between(b, 0, 7), .name = "a"},
                                      {.merge = (enum vf_cube_merge)take_between(b, 0, 7), .name = "b"}};
    struct vf_cube *object = NULL;
    struct made made[8];
    struct vf_series series[8];
    struct vf_column out[8];
    size_t n_axes = (size_t)take_between(b, 1, 2), n = n_axes + widths[states[0].merge] + widths[states[1].merge];
    int64_t rows = take_rows(b);
    uint32_t kept[2] = {0, 1};
    for (size_t i = 0; i < n; i++) {
        static const char *const values[] = {"g", "l", "g", "tDu", "l", "b", "tdD", NULL};
        make(b, rows, i < n_axes ? day_kinds[take_byte(b) % 6] : values[take_byte(b) % 8], &made[i]);
        series[i] = made[i].series;
    }
    enum vf_status status = vf_cube_open(&ctx, n_axes, states, 2, &object, &err);
    check_error(status, &err);
    if (status == VF_OK) {
        status = vf_cube_learn(object, series, series + n_axes, rows, &err);
        check_opened(status, made, n);
    }
    if (status == VF_OK) {
        status = vf_cube_build(object, (enum vf_cube_layout)take_between(b, 0, 2), 1 << 24, &err);
        check_error(status, &err);
    }
    if (status == VF_OK) status = vf_cube_add(object, series, series + n_axes, rows, &err);
    if (status == VF_OK) status = vf_cube_finish(object, &err);
    check_error(status, &err);
    if (status == VF_OK) {
        struct vf_cube_query query = {.kept = kept, .n_kept = (size_t)take_between(b, 0, (int64_t)n_axes)};
        size_t given = query.n_kept;
        for (int s = 0; s < 2; s++)
            given += states[s].merge == VF_CUBE_FIRST || states[s].merge == VF_CUBE_LAST ? 1 : widths[states[s].merge];
        status = vf_cube_query(object, &query, out, &err);
        check_error(status, &err);
        give_all(status, out, given, -1);
    }
    vf_cube_close(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const calls[])(struct bytes *) = {expand, aggregate, count, clock_of, elementwise, match,
                                                    mark,   asof,      daily, order,    cube};
    struct bytes b = {.at = data, .end = data + size};
    err = (struct vf_error){0};
    calls[take_byte(&b) % (sizeof calls / sizeof calls[0])](&b);
    blocks_free(&blocks);
    return 0;
}
