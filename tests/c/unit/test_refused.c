/* What calls refuse: columns and options that are missing, batches that agree in nothing with those before, values that
   no result can be made of; by name, with the count, and without an error to fill. Not for columns that are broken, which
   test_columns.c sends to every call. */
#include "check.h"

static struct vf_calendar *calendar; /* 2024, CN hours */
static const struct vf_session session = {INT64_C(34200000000000), INT64_C(41400000000000)};
static const struct vf_clock_options clock_options = {
    .sessions = &session, .n_sessions = 1, .layout = VF_LAYOUT_SECONDS};
static const struct vf_side sides[2] = {{.text = "B", .length = 1, .entry = true},
                                        {.text = "S", .length = 1}};
static const int64_t horizon_ns = 5;

static struct vf_mark *open_mark(void) {
    const struct vf_mark_options options = {
        .horizons_ns = &horizon_ns, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
    struct vf_mark *mark = NULL;
    CHECK_OK(vf_mark_open(NULL, &options, &mark, &check_error));
    return mark;
}

static struct vf_asof *open_asof(void) {
    const struct vf_asof_options options = {
        .horizons_ns = &horizon_ns, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
    struct vf_asof *asof = NULL;
    CHECK_OK(vf_asof_open(NULL, &options, &asof, &check_error));
    return asof;
}

static struct vf_daily *open_daily(void) {
    const struct vf_daily_options options = {.end_ns = INT64_MAX, .returns = true};
    struct vf_daily *daily = NULL;
    CHECK_OK(vf_daily_open(NULL, &options, &daily, &check_error));
    return daily;
}

/* What is not given at all: keys and columns that a call needs, more of them than there can be, and batches that agree in
   nothing with those before. */
static void test_arguments_that_are_missing(void) {
    static const int64_t whole[3] = {1, 2, 3};
    static const double real[3] = {1, 2, 3};
    struct check_column c[6];
    struct vf_column out;
    CHECK_POISON(out);
    const struct vf_series *number = check_series(&c[0], "l", "number", 3, NULL, whole, NULL);
    const struct vf_series *price = check_series(&c[1], "g", "price", 3, NULL, real, NULL);
    const struct vf_series *stamps = check_series(&c[2], "tsn:", "stamp", 3, NULL, whole, NULL);
    const struct vf_series *zoned = check_series(&c[3], "tsn:Asia/Shanghai", "stamp", 3, NULL, whole, NULL);
    const struct vf_series *coarse = check_series(&c[4], "tsu:", "stamp", 3, NULL, whole, NULL);
    const struct vf_series *dates = check_series(&c[5], "tdm", "date", 3, NULL, whole, NULL);
#define REFUSED(call, want)                                                                                  \
    CHECK_STATUS(call, want);                                                                                \
    CHECK(check_is_rubbish(&out, sizeof out))
    /* marks */
    struct vf_mark *mark = open_mark();
    struct vf_mark_batch marks[] = {
        {.keys = NULL, .n_keys = 1, .time = number, .price = price},
        {.keys = number, .n_keys = 1, .time = NULL, .price = price},
        {.keys = number, .n_keys = 1, .time = number, .price = NULL},
        {.keys = number, .n_keys = (size_t)INT32_MAX + 1, .time = number, .price = price}};
    for (size_t k = 0; k < 4; k++)
        CHECK_STATUS(vf_mark_update(mark, &marks[k], &check_error), VF_ERROR_ARGUMENT);
    /* what keys and times mean must stay: stamps are not zoned ones, nor of another unit, nor is a time a length */
    struct vf_mark_batch first = {.keys = stamps, .n_keys = 1, .time = stamps, .price = price};
    CHECK_OK(vf_mark_update(mark, &first, &check_error));
    const struct vf_series *const other_keys[] = {number, zoned, coarse, dates}, *const other_times[] = {
                                                                                     number, zoned};
    for (size_t k = 0; k < 4; k++) {
        first.keys = other_keys[k];
        CHECK_STATUS(vf_mark_update(mark, &first, &check_error), VF_ERROR_TYPE);
    }
    first.keys = stamps;
    for (size_t k = 0; k < 2; k++) {
        first.time = other_times[k];
        CHECK_STATUS(vf_mark_update(mark, &first, &check_error), VF_ERROR_TYPE);
    }
    first.time = dates; /* a date is a moment, too */
    CHECK_OK(vf_mark_update(mark, &first, &check_error));
    CHECK_I64(vf_mark_rows(mark), 6);
    vf_mark_close(mark);
    const struct vf_mark_options none = {
        .n_horizons = 1, .horizons_ns = NULL, .tolerance_ns = -1, .end_ns = INT64_MAX};
    struct vf_mark *not_made = NULL;
    CHECK_STATUS(vf_mark_open(NULL, &none, &not_made, &check_error), VF_ERROR_ARGUMENT);
    const int64_t horizon = 1;
    const struct vf_mark_options many = {.n_horizons = (size_t)INT32_MAX + 1, .horizons_ns = &horizon};
    CHECK_STATUS(vf_mark_open(NULL, &many, &not_made, &check_error), VF_ERROR_ARGUMENT);
    /* as-of */
    struct vf_asof *asof = open_asof();
    const struct vf_asof_batch rows[] = {{.keys = NULL, .n_keys = 1, .time = number},
                                         {.keys = NULL, .n_keys = 0, .time = NULL},
                                         {.keys = number, .n_keys = (size_t)INT32_MAX + 1, .time = number}};
    for (size_t k = 0; k < 3; k++)
        CHECK_STATUS(vf_asof_observe(asof, &rows[k], &check_error), VF_ERROR_ARGUMENT);
    const struct vf_asof_batch keys_only = {.keys = number, .n_keys = 1},
                               both = {.keys = number, .n_keys = 1, .time = number};
    CHECK_OK(vf_asof_observe(asof, &keys_only, &check_error));
    CHECK_STATUS(vf_asof_observe(asof, &both, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "had no time column") != NULL);
    vf_asof_close(asof);
    asof = open_asof();
    CHECK_OK(vf_asof_observe(asof, &both, &check_error));
    CHECK_STATUS(vf_asof_observe(asof, &keys_only, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "had a time column") != NULL);
    vf_asof_close(asof);
    /* days */
    struct vf_daily *daily = open_daily();
    const struct vf_daily_batch days[] = {
        {.keys = NULL, .n_keys = 1, .time = number, .price = price},
        {.keys = number, .n_keys = 1, .time = NULL, .price = price},
        {.keys = number, .n_keys = 1, .time = number, .price = NULL},
        {.keys = number, .n_keys = (size_t)INT32_MAX + 1, .time = number, .price = price}};
    for (size_t k = 0; k < 4; k++)
        CHECK_STATUS(vf_daily_update(daily, &days[k], NULL, &check_error), VF_ERROR_ARGUMENT);
    vf_daily_close(daily);
    /* cubes */
    const struct vf_cube_state named[1] = {{VF_CUBE_ADD_INT, "n"}}, unnamed[1] = {{VF_CUBE_ADD_INT, NULL}},
                               below[1] = {{(enum vf_cube_merge) - 1, "n"}},
                               above[1] = {{(enum vf_cube_merge)8, "n"}};
    struct vf_cube *cube = NULL;
    CHECK_STATUS(vf_cube_open(NULL, 1, NULL, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, unnamed, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, below, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, above, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, named, 100000, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_cube_open(NULL, 1, named, 1, &cube, &check_error));
    CHECK_STATUS(vf_cube_learn(cube, NULL, number, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_learn(cube, number, NULL, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_learn(cube, number, number, -1, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_cube_learn(cube, number, number, 3, &check_error));
    CHECK_STATUS(vf_cube_learn(cube, stamps, number, 3, &check_error), VF_ERROR_TYPE); /* another axis */
    CHECK_STATUS(vf_cube_build(cube, (enum vf_cube_layout) - 1, 0, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_build(cube, (enum vf_cube_layout)3, 0, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_cube_build(cube, VF_CUBE_DENSE, 0, &check_error));
    struct vf_cube_size size;
    CHECK_STATUS(vf_cube_size(cube, &size, &check_error), VF_ERROR_STATE);
    CHECK_OK(vf_cube_add(cube, number, number, 3, &check_error));
    CHECK_STATUS(vf_cube_add(cube, number, number, 3, &check_error),
                 VF_ERROR_REPLAY); /* more than were learnt */
    vf_cube_close(cube);
    /* aggregations */
    const struct vf_agg_leaf leaf[1] = {{VF_AGG_SUM, 0, NULL, {0, 0}}};
    struct vf_agg *agg = NULL;
    CHECK_STATUS(vf_agg_open(NULL, NULL, 1, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_open(NULL, leaf, SIZE_MAX, 0, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_open(NULL, leaf, 1, 0, SIZE_MAX, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_open(NULL, leaf, 1, 65, 1, &agg, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_agg_open(NULL, leaf, 1, 1, 1, &agg, &check_error));
    CHECK_STATUS(vf_agg_update(agg, NULL, number, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_update(agg, number, NULL, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_agg_update(agg, number, number, -1, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_agg_update(agg, number, price, 3, &check_error));
    struct vf_column columns[2];
    CHECK_OK(vf_agg_finish(agg, columns, &check_error));
    CHECK(columns[1].schema.name[0] == '\0'); /* a leaf without a name */
    check_release(&columns[0]);
    check_release(&columns[1]);
    vf_agg_close(agg);
    /* moments, casts and returns of columns that are none of theirs */
    REFUSED(vf_moment_value(NULL, (enum vf_moment)99, 0, number, 1, &out, &check_error), VF_ERROR_ARGUMENT);
    REFUSED(vf_moment_value(NULL, VF_MOMENT_MEAN, 0, number, 1, &out, &check_error), VF_ERROR_ARGUMENT);
    REFUSED(vf_cast_float(NULL, check_series(&c[5], "b", "flag", 3, NULL, whole, NULL), &out, &check_error),
            VF_ERROR_TYPE);
    REFUSED(vf_clock_elapsed(NULL, number, NULL, &out, NULL, &check_error), VF_ERROR_ARGUMENT);
    REFUSED(vf_clock_elapsed_on(NULL, calendar, number, number, NULL, &out, NULL, &check_error),
            VF_ERROR_ARGUMENT);
    REFUSED(vf_clock_end_on(NULL, NULL, number, NULL, 0, &out, &check_error), VF_ERROR_ARGUMENT);
    REFUSED(vf_clock_trading_day(NULL, NULL, stamps, &out, &check_error), VF_ERROR_ARGUMENT);
    REFUSED(vf_clock_trading_day(NULL, calendar, zoned, &out, &check_error), VF_ERROR_TYPE);
#undef REFUSED
}

/* A merge needs the same leaves, in the same order, over the same columns. */
static void test_merges_of_what_is_not_alike(void) {
    static const struct vf_agg_leaf mine[2] = {{VF_AGG_SUM, 0, "a", {0, 0}}, {VF_AGG_DOT, 0, "b", {2, 0}}};
    const struct vf_agg_leaf others[][2] = {{{VF_AGG_MIN, 0, "a", {0, 0}}, mine[1]},
                                            {{VF_AGG_SUM, 1, "a", {0, 0}}, mine[1]},
                                            {{VF_AGG_SUM, 0, "other", {0, 0}}, mine[1]},
                                            {mine[0], {VF_AGG_DOT, 0, "b", {1, 0}}}};
    static const double x[2] = {1, 2};
    static const int64_t keys[2] = {1, 2};
    struct check_column c[3];
    struct vf_agg *agg = NULL, *other = NULL;
    struct vf_series key = *check_series(&c[0], "l", "k", 2, NULL, keys, NULL);
    struct vf_series values[2] = {*check_series(&c[1], "g", "x", 2, NULL, x, NULL),
                                  *check_series(&c[2], "g", "y", 2, NULL, x, NULL)};
    CHECK_OK(vf_agg_open(NULL, mine, 2, 1, 2, &agg, &check_error));
    CHECK_STATUS(vf_agg_merge(agg, agg, &check_error), VF_ERROR_ARGUMENT);
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        CHECK_OK(vf_agg_open(NULL, others[k], 2, 1, 2, &other, &check_error));
        CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_ARGUMENT);
        vf_agg_close(other);
    }
    const size_t counts[][3] = {{1, 1, 2}, {2, 0, 2}, {2, 1, 3}};
    for (size_t k = 0; k < 3; k++) {
        CHECK_OK(vf_agg_open(NULL, mine, counts[k][0], counts[k][1], counts[k][2], &other, &check_error));
        CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_ARGUMENT);
        CHECK(strstr(check_error.message, "cannot be merged with") != NULL);
        vf_agg_close(other);
    }
    /* of another type; of one that broke; and at last of one that is alike, from which nothing is lost */
    CHECK_OK(vf_agg_update(agg, &key, values, 2, &check_error));
    CHECK_OK(vf_agg_open(NULL, mine, 2, 1, 2, &other, &check_error));
    key = *check_series(&c[0], "i", "k", 2, NULL, keys, NULL);
    CHECK_OK(vf_agg_update(other, &key, values, 2, &check_error));
    CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_TYPE);
    vf_agg_close(other);
    static const uint32_t nowhere[2] = {0, 9};
    struct check_column broken;
    (void)check_series(&broken, "I", "k", 2, NULL, nowhere, NULL);
    (void)check_series(&c[0], "l", "", 2, NULL, keys, NULL);
    broken.schema.dictionary = &c[0].schema;
    broken.array.dictionary = &c[0].array;
    CHECK_OK(vf_agg_open(NULL, mine, 2, 1, 2, &other, &check_error));
    CHECK_STATUS(vf_agg_update(other, &broken.series, values, 2, &check_error), VF_ERROR_ARROW);
    CHECK_STATUS(vf_agg_merge(agg, other, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_agg_merge(other, agg, &check_error), VF_ERROR_STATE);
    vf_agg_close(other);
    CHECK_OK(vf_agg_open(NULL, mine, 2, 1, 2, &other, &check_error));
    CHECK_OK(vf_agg_merge(agg, other, &check_error)); /* of nothing */
    CHECK_OK(vf_agg_merge(other, agg, &check_error)); /* which learns the types by it */
    CHECK_I64(vf_agg_groups(other), 2);
    struct vf_column out[3];
    CHECK_OK(vf_agg_finish(other, out, &check_error));
    CHECK(check_f64(&out[1], 0) == 1 && check_f64(&out[1], 1) == 2 && check_f64(&out[2], 1) == 4);
    for (int k = 0; k < 3; k++)
        check_release(&out[k]);
    vf_agg_close(other);
    vf_agg_close(agg);
}

/* Sides that none of those given is: each found value once, a few of them, long ones cut; and sides that contradict. */
static void test_signs_that_are_refused(void) {
    static char text[400];
    static int32_t offsets[13];
    static const uint8_t some[2] = {0x7f, 0x0f}; /* row 7 is null */
    static const char *const names[12] = {
        "B", "x", "x", "", "a value that is longer than a message shows", "x", "y", "", "z", "u", "v", "w"};
    for (int i = 0; i < 12; i++) {
        memcpy(text + offsets[i], names[i], strlen(names[i]));
        offsets[i + 1] = offsets[i] + (int32_t)strlen(names[i]);
    }
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    const struct vf_series *column = check_series(&c, "u", "side", 12, some, offsets, text);
    CHECK_STATUS(vf_side_sign(NULL, column, sides, 2, true, &out, &check_error), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    CHECK_I64(check_error.count, 11);
    CHECK(strstr(check_error.message,
                 "found: 'x', '', 'a value that is longer t', 'y', null, 'z' and perhaps more;") != NULL);
    CHECK_I64(vf_side_sign(NULL, column, sides, 2, true, &out, NULL), VF_ERROR_DATA);
    static const int64_t numbers[3] = {1, 7, 7};
    static const struct vf_side whole[2] = {{.integer = 1, .entry = true}, {.integer = 2}};
    CHECK_STATUS(vf_side_sign(NULL, check_series(&c, "l", "side", 3, NULL, numbers, NULL), whole, 2, false,
                              &out, &check_error),
                 VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "found: 7;") != NULL);
    const struct vf_side contradictions[][2] = {
        {{.integer = 1, .entry = true}, {.integer = 1}},
        {{.text = "B", .length = 1, .entry = true}, {.text = "B", .length = 1}}};
    for (size_t k = 0; k < 2; k++)
        CHECK_STATUS(vf_side_sign(NULL, &c.series, contradictions[k], 2, false, &out, &check_error),
                     VF_ERROR_ARGUMENT);
    const struct vf_side entries[2] = {{.integer = 1, .entry = true},
                                       {.text = "B", .length = 1, .entry = true}};
    CHECK_STATUS(vf_side_sign(NULL, &c.series, entries, 2, false, &out, &check_error), VF_ERROR_ARGUMENT);
    const struct vf_side empty[3] = {
        {.text = "", .length = 0, .entry = true}, {.integer = 1}, {.text = "x", .length = 1}};
    column = check_series(&c, "u", "side", 3, NULL, (const int32_t[]){0, 0, 1, 1}, "x");
    CHECK_OK(vf_side_sign(NULL, column, empty, 3, false, &out, &check_error));
    CHECK(check_i64(&out, 0) == 1 && check_i64(&out, 1) == -1 && check_i64(&out, 2) == 1);
    check_release(&out);
    CHECK(check_is_rubbish(&out, sizeof out));
}

/* Values that are refused are refused without an error to fill, too; and the count is what it was. */
static void test_values_that_are_refused(void) {
    static const double numbers[4] = {0.5, 1e300, (double)NAN, 3};
    static const int64_t far[4] = {1, (INT64_C(1) << 53) + 1, 2, INT64_MAX},
                         days[4] = {20240101, 20240230, 20240102, 0};
    static const double cuts[1] = {1};
    struct check_column c;
    struct vf_column out;
    CHECK_POISON(out);
    const struct vf_series *real = check_series(&c, "g", "x", 4, NULL, numbers, NULL);
#define REFUSED(call, silent, want, rows)                                                                    \
    CHECK_STATUS(call, want);                                                                                \
    CHECK_I64(check_error.count, rows);                                                                      \
    CHECK_I64(silent, want);                                                                                 \
    CHECK(check_is_rubbish(&out, sizeof out))
    REFUSED(vf_bin_index(NULL, real, 1, false, &out, &check_error),
            vf_bin_index(NULL, real, 1, false, &out, NULL), VF_ERROR_OVERFLOW, 1);
    REFUSED(vf_cast_integer(NULL, real, "l", 1e-6, &out, &check_error),
            vf_cast_integer(NULL, real, "l", 1e-6, &out, NULL), VF_ERROR_DATA, 2);
    REFUSED(vf_cut_index(NULL, real, cuts, 1, false, 0, 10, VF_CUT_RAISE, &out, &check_error),
            vf_cut_index(NULL, real, cuts, 1, false, 0, 10, VF_CUT_RAISE, &out, NULL), VF_ERROR_DATA, 1);
    static const double large[3] = {1, 300, 1e10};
    real = check_series(&c, "g", "x", 3, NULL, large, NULL);
    REFUSED(vf_cast_integer(NULL, real, "c", 0, &out, &check_error),
            vf_cast_integer(NULL, real, "c", 0, &out, NULL), VF_ERROR_OVERFLOW, 2);
    const struct vf_series *whole = check_series(&c, "l", "x", 4, NULL, far, NULL);
    REFUSED(vf_cast_float(NULL, whole, &out, &check_error), vf_cast_float(NULL, whole, &out, NULL),
            VF_ERROR_DATA, 2);
    whole = check_series(&c, "l", "x", 4, NULL, days, NULL);
    REFUSED(vf_date_parse(NULL, whole, &out, &check_error), vf_date_parse(NULL, whole, &out, NULL),
            VF_ERROR_DATA, 2);
    static const int64_t seconds[4] = {-1, 86400, 86401, 34200};
    struct vf_clock_options options = clock_options;
    options.outside = VF_OUTSIDE_RAISE;
    whole = check_series(&c, "l", "t", 4, NULL, seconds, NULL);
    CHECK_STATUS(vf_clock_elapsed(NULL, whole, &options, &out, NULL, &check_error), VF_ERROR_DATA);
    CHECK_I64(check_error.count, 3);
    CHECK_I64(vf_clock_elapsed(NULL, whole, &options, &out, NULL, NULL), VF_ERROR_DATA);
    /* days that are closed, and days that nobody knows, with the row */
    static const int32_t closed[3] = {19725, 19728, 19729}, unknown[3] = {19725, 30000, 19725};
    static const int64_t noon[3] = {36000, 36000, 36000};
    struct check_column d;
    whole = check_series(&c, "l", "t", 3, NULL, noon, NULL);
    for (int k = 0; k < 2; k++) {
        const struct vf_series *date =
            check_series(&d, "tdD", "date", 3, NULL, k == 0 ? closed : unknown, NULL);
        enum vf_status want = k == 0 ? VF_ERROR_DATA : VF_ERROR_RANGE;
        CHECK_STATUS(
            vf_clock_elapsed_on(NULL, calendar, whole, date, &clock_options, &out, NULL, &check_error), want);
        CHECK_I64(check_error.row, 1);
        CHECK_I64(vf_clock_elapsed_on(NULL, calendar, whole, date, &clock_options, &out, NULL, NULL), want);
        CHECK_STATUS(vf_clock_end_on(NULL, calendar, date, NULL, 0, &out, &check_error), want);
        CHECK_I64(check_error.row, 1);
        CHECK_I64(vf_clock_end_on(NULL, calendar, date, NULL, 0, &out, NULL), want);
        CHECK_I64(vf_clock_left_on(NULL, calendar, whole, date, NULL, 0, &out, NULL), want);
    }
    static const double product_hi[6] = {0.5, 0.75, 0, INFINITY, 0.5, -0.5}, product_lo[6] = {0};
    static const int64_t exponents[6] = {1, 3, 7, 7, INT64_MAX, INT64_MIN}, ones[6] = {1, 2, 2, 2, 2, 2},
                         none[6] = {0, 0, 2, 0, 0, 1};
    static const double want_product[6] = {1, 6, 0, INFINITY, INFINITY, 0};
    struct check_column m[8];
    struct vf_series parts[3] = {*check_series(&m[0], "g", "hi", 6, NULL, product_hi, NULL),
                                 *check_series(&m[1], "g", "lo", 6, NULL, product_lo, NULL),
                                 *check_series(&m[2], "l", "e", 6, NULL, exponents, NULL)};
    CHECK_OK(vf_moment_value(NULL, VF_MOMENT_PRODUCT, 0, parts, 3, &out, &check_error));
    for (int64_t i = 0; i < 6; i++)
        CHECK_F64(check_f64(&out, i), want_product[i]);
    check_release(&out);
    /* spreads of one value, of two, and of none: sums 0.5 .. with sums of squares that they follow from */
    struct vf_series moments[8] = {parts[0],
                                   parts[1],
                                   parts[0],
                                   parts[1],
                                   parts[0],
                                   parts[1],
                                   *check_series(&m[3], "l", "rows", 6, NULL, ones, NULL),
                                   *check_series(&m[4], "l", "nulls", 6, NULL, none, NULL)};
    CHECK_OK(vf_moment_value(NULL, VF_MOMENT_COV, 1, moments, 8, &out, &check_error));
    CHECK(!check_valid(&out, 0) && !check_valid(&out, 2) && !check_valid(&out, 5));
    CHECK_F64(check_f64(&out, 1), 0.75 - 0.75 * 0.75 / 2); /* (sum xy - sum x * sum y / n) / (n - 1) */
    check_release(&out);
    struct vf_series spread[6] = {parts[0], parts[1], parts[0], parts[1], moments[6], moments[7]};
    CHECK_OK(vf_moment_value(NULL, VF_MOMENT_STD, 1, spread, 6, &out, &check_error));
    CHECK(!check_valid(&out, 0) && !check_valid(&out, 2));
    CHECK_F64(check_f64(&out, 1), sqrt(0.75 - 0.75 * 0.75 / 2));
    check_release(&out);
    CHECK_OK(vf_moment_value(NULL, VF_MOMENT_VAR, 2, spread, 6, &out, &check_error));
    CHECK(!check_valid(&out, 1)); /* as many are taken away as there are */
    check_release(&out);
    /* counts that no rows can have are of no rows */
    static const int64_t past[6] = {INT64_MAX, INT64_MIN, 1, INT64_MAX, INT64_MIN, 0},
                         below[6] = {-1, 1, INT64_MIN, -2, INT64_MAX, 1};
    spread[4] = *check_series(&m[5], "l", "rows", 6, NULL, past, NULL);
    spread[5] = *check_series(&m[6], "l", "nulls", 6, NULL, below, NULL);
    const struct vf_series counted[3] = {spread[4], spread[4], spread[5]};
    for (int which = 0; which < 3; which++) {
        CHECK_OK(which == 0   ? vf_moment_value(NULL, VF_MOMENT_VAR, 1, spread, 6, &out, &check_error)
                 : which == 1 ? vf_moment_value(NULL, VF_MOMENT_MEAN, 0, spread + 2, 4, &out, &check_error)
                              : vf_moment_value(NULL, VF_MOMENT_MEAN_INT, 0, counted, 3, &out, &check_error));
        CHECK_I64(out.array.null_count, 6);
        check_release(&out);
    }
#undef REFUSED
}

/* Days of float and of absolute times, which come back as they are; volumes of which one is of no kind yet. */
static void test_days_of_other_times(void) {
    static const int64_t key[2] = {1, 1}, stamp[2] = {1700000000000000005, 1700000000000000003},
                         volume[2] = {3, 4};
    static const double seconds[2] = {1.5, 0.25}, price[2] = {10, 11}, bad_volume[2] = {1, -1},
                        no_volume[2] = {1, (double)NAN}, huge_volume[2] = {1.7e308, 1.7e308};
    for (int kind = 0; kind < 2; kind++) {
        struct check_column c[5];
        struct vf_column out[VF_DAILY_COLUMNS];
        struct vf_daily *daily = open_daily();
        struct vf_daily_batch batch = {.keys = check_series(&c[0], "l", "k", 2, NULL, key, NULL),
                                       .n_keys = 1,
                                       .time = kind == 0
                                                   ? check_series(&c[1], "g", "t", 2, NULL, seconds, NULL)
                                                   : check_series(&c[1], "tsn:", "t", 2, NULL, stamp, NULL),
                                       .price = check_series(&c[2], "g", "p", 2, NULL, price, NULL)};
        batch.volume = check_series(&c[3], "n", "v", 2, NULL, NULL, NULL);
        c[3].array.n_buffers = 0;
        CHECK_OK(vf_daily_update(daily, &batch, NULL, &check_error));
        batch.volume = check_series(&c[4], "l", "v", 2, NULL, volume, NULL);
        CHECK_OK(vf_daily_update(daily, &batch, NULL, &check_error));
        CHECK_OK(vf_daily_finish(daily, out, &check_error));
        CHECK_F64(check_f64(&out[0], 0), 11);
        CHECK_F64(check_f64(&out[3], 0), 10);
        CHECK_I64(check_i64(&out[4], 0), 7);
        if (kind == 0) {
            CHECK_F64(check_f64(&out[5], 0), 0.25);
            CHECK_F64(check_f64(&out[6], 0), 1.5);
        } else {
            CHECK_I64(check_i64(&out[5], 0), stamp[1]);
            CHECK_I64(check_i64(&out[6], 0), stamp[0]);
        }
        for (int k = 0; k < VF_DAILY_COLUMNS; k++)
            check_release(&out[k]);
        vf_daily_close(daily);
        const double *const volumes[3] = {bad_volume, no_volume, huge_volume};
        for (int k = 0; k < 3; k++) {
            daily = open_daily();
            batch.volume = check_series(&c[4], "g", "v", 2, NULL, volumes[k], NULL);
            CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error),
                         k == 2 ? VF_ERROR_OVERFLOW : VF_ERROR_DATA);
            CHECK_I64(check_error.row, 1);
            CHECK_STATUS(vf_daily_update(daily, &batch, NULL, &check_error), VF_ERROR_STATE);
            CHECK_STATUS(vf_daily_finish(daily, out, &check_error), VF_ERROR_STATE);
            struct vf_column returns;
            CHECK_POISON(returns);
            CHECK_STATUS(vf_daily_return(daily, &batch, 0, &returns, &check_error), VF_ERROR_STATE);
            CHECK_STATUS(vf_daily_replayed(daily, &check_error), VF_ERROR_STATE);
            vf_daily_close(daily);
        }
    }
}

int main(void) {
    static const char text[] =
        "calendar test\nfirst 2024-01-01\nlast 2024-12-31\nhours 2024-01-01 0930-1130 1300-1500\n";
    CHECK_OK(vf_calendar_open(NULL, text, sizeof text - 1, &calendar, &check_error));
    test_arguments_that_are_missing();
    test_merges_of_what_is_not_alike();
    test_signs_that_are_refused();
    test_values_that_are_refused();
    test_days_of_other_times();
    vf_calendar_close(calendar);
    return check_report("refused");
}
