/* The cube: random cubes against a plain loop over their rows, both layouts, with every kind of state; sums to the last
   bit against exact accumulators; parts taken out and attached again, whole and damaged. Not the N-th-malloc loop. */
#include "../check.h"

#include "agg/cube.h"
#include "agg/fsum.h"

static uint64_t random_state = UINT64_C(0x2545f4914f6cdd1d);
static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

enum { MOST = 4000, AXES = 4, STATES = 9, VALUES = 14 };

static const struct vf_cube_state states[STATES] = {
    {VF_CUBE_ADD_INT, "n"},         {VF_CUBE_ADD_FLOAT, "x"},           {VF_CUBE_MIN, "least"},
    {VF_CUBE_MAX, "most"},          {VF_CUBE_FIRST, "first"},           {VF_CUBE_LAST, "last"},
    {VF_CUBE_PRODUCT_INT, "times"}, {VF_CUBE_PRODUCT_FLOAT, "product"}, {VF_CUBE_ADD_INT, "signed"}};

/* One data set: date, bin (nulls), side (text), third axis uint8; a column for each value. */
struct data {
    int64_t n;
    int32_t date[MOST];
    int64_t bin[MOST];
    uint8_t bin_valid[(MOST + 7) / 8], side_valid[(MOST + 7) / 8];
    int32_t side_offsets[MOST + 1];
    char side_text[MOST * 4];
    int side[MOST]; /* -1: null */
    uint8_t level[MOST];
    int64_t count[MOST], sign[MOST], order[MOST], whole[MOST], exponent[MOST], factor[MOST];
    double hi[MOST], lo[MOST], real[MOST], mantissa[MOST], zero[MOST];
    uint8_t real_valid[(MOST + 7) / 8], whole_valid[(MOST + 7) / 8], order_valid[(MOST + 7) / 8];
    struct check_column columns[AXES + VALUES];
    struct vf_series keys[AXES], values[VALUES];
};

static const char *const sides[] = {"B", "S", "cx", ""};

static double random_double(int kind) {
    uint64_t r = random_bits();
    if (kind == 0) return (double)(int64_t)(r % 2000001 - 1000000) / 100.0;
    if (kind == 1) return ldexp((double)(int64_t)(r >> 11) * (r & 1 ? 1 : -1), (int)(r % 120) - 100);
    static const double nasty[] = {1e300, -1e300, 1e-300, 5e-324, 1.0, -1.0, 1e16, 0.0};
    if (kind == 2) return nasty[r % 8];
    if (r % 50 == 0) return r % 100 == 0 ? (double)INFINITY : (double)NAN;
    return r % 77 == 0 ? -(double)INFINITY : (double)(r % 1000) * 0.1;
}

static void set_bit(uint8_t *bits, int64_t i, bool on) {
    if (on)
        bits[i >> 3] |= (uint8_t)(1u << (i & 7));
    else
        bits[i >> 3] &= (uint8_t)~(1u << (i & 7));
}
static bool bit(const uint8_t *bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}

static void fill(struct data *d, int64_t n, int kind, bool nulls) {
    int32_t at = 0;
    d->n = n;
    for (int64_t i = 0; i < n; i++) {
        uint64_t r = random_bits();
        d->date[i] = 20240100 + (int32_t)(r % 7) * 3;
        d->bin[i] = (int64_t)(r >> 8 & 15) - 7;
        d->side[i] = (int)(r >> 16 & 3);
        d->level[i] = (uint8_t)((r >> 20) % 3 + 1);
        bool bin_null = nulls && (r >> 24 & 15) == 0, side_null = nulls && (r >> 28 & 15) == 0;
        set_bit(d->bin_valid, i, !bin_null);
        set_bit(d->side_valid, i, !side_null);
        if (side_null) d->side[i] = -1;
        const char *text = side_null ? "" : sides[d->side[i]];
        d->side_offsets[i] = at;
        memcpy(d->side_text + at, text, strlen(text));
        at += (int32_t)strlen(text);
        d->side_offsets[i + 1] = at;
        d->count[i] = (int64_t)(r >> 32 & 7) + (kind == 1 ? 0 : 1);
        d->sign[i] = (int64_t)random_bits() >> 20;
        d->hi[i] = random_double(kind);
        d->lo[i] = isfinite(d->hi[i]) ? d->hi[i] * 0x1p-54 * (double)(r & 1) : 0;
        if (kind == 2) d->lo[i] = 0;
        d->real[i] = random_double(kind == 2 ? 3 : kind);
        set_bit(d->real_valid, i, (r >> 36 & 7) != 0);
        d->whole[i] = (int64_t)(random_bits() % 100) - 50;
        set_bit(d->whole_valid, i, (r >> 40 & 7) != 0);
        d->order[i] = (int64_t)(random_bits() % 1000000007);
        set_bit(d->order_valid, i, (r >> 44 & 15) != 0);
        d->factor[i] = r >> 48 & 1 ? 1 : (r >> 49 & 63) == 0 ? 0 : -1;
        int exponent;
        d->mantissa[i] = frexp(1.0 + (double)(r >> 50) * 0x1p-20, &exponent);
        d->exponent[i] = exponent;
        d->zero[i] = 0;
    }
}

static void columns(struct data *d) {
    struct check_column *c = d->columns;
    int64_t n = d->n;
    d->keys[0] = *check_series(c++, "i", "date", n, NULL, d->date, NULL);
    d->keys[1] = *check_series(c++, "l", "bin", n, d->bin_valid, d->bin, NULL);
    d->keys[2] = *check_series(c++, "u", "side", n, d->side_valid, d->side_offsets, d->side_text);
    d->keys[3] = *check_series(c++, "C", "level", n, NULL, d->level, NULL);
    struct vf_series *v = d->values;
    *v++ = *check_series(c++, "l", "n", n, NULL, d->count, NULL);
    *v++ = *check_series(c++, "g", "x.hi", n, NULL, d->hi, NULL);
    *v++ = *check_series(c++, "g", "x.lo", n, NULL, d->lo, NULL);
    *v++ = *check_series(c++, "g", "least", n, d->real_valid, d->real, NULL);
    *v++ = *check_series(c++, "l", "most", n, d->whole_valid, d->whole, NULL);
    *v++ = *check_series(c++, "g", "first", n, d->real_valid, d->real, NULL);
    *v++ = *check_series(c++, "l", "first.row", n, d->order_valid, d->order, NULL);
    *v++ = *check_series(c++, "l", "last", n, d->whole_valid, d->whole, NULL);
    *v++ = *check_series(c++, "l", "last.row", n, NULL, d->order, NULL);
    *v++ = *check_series(c++, "l", "times", n, NULL, d->factor, NULL);
    *v++ = *check_series(c++, "g", "product.hi", n, NULL, d->mantissa, NULL);
    *v++ = *check_series(c++, "g", "product.lo", n, NULL, d->zero, NULL);
    *v++ = *check_series(c++, "l", "product.exponent", n, NULL, d->exponent, NULL);
    *v++ = *check_series(c++, "l", "signed", n, NULL, d->sign, NULL);
}

static struct vf_context threads(uint32_t n) {
    return (struct vf_context){.n_threads = n};
}

/* Learnt and added in pieces of `step` rows. */
static struct vf_cube *make(struct data *d, enum vf_cube_layout layout, uint32_t n_threads, int64_t step) {
    struct vf_context ctx = threads(n_threads);
    struct vf_cube *cube = NULL;
    CHECK_OK(vf_cube_open(&ctx, AXES, states, STATES, &cube, &check_error));
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t first = 0; first == 0 || first < d->n; first += step) {
            int64_t n = d->n - first < step ? d->n - first : step;
            for (int c = 0; c < AXES + VALUES; c++) {
                d->columns[c].array.offset = first;
                d->columns[c].array.length = n;
            }
            if (pass == 0)
                CHECK_OK(vf_cube_learn(cube, d->keys, d->values, n, &check_error));
            else
                CHECK_OK(vf_cube_add(cube, d->keys, d->values, n, &check_error));
        }
        if (pass == 0) CHECK_OK(vf_cube_build(cube, layout, 0, &check_error));
    }
    CHECK_OK(vf_cube_finish(cube, &check_error));
    return cube;
}

/* ---- the plain loop ----------------------------------------------------------------------------------------------------- */

struct cell {
    bool some;
    int64_t n, sign, most, times;
    struct vf__fsum x;
    double least, first, product;
    bool has_least, has_most, first_valid, last_valid, has_first, has_last, has_times;
    int64_t first_key[2], last_key[2], last;
};

static int64_t axis_position(const struct vf_column *axis, int64_t value, bool valid) {
    const int64_t *values = axis->array.buffers[1];
    for (int64_t i = 0; i < axis->array.length; i++)
        if (check_valid(axis, i) == valid && (!valid || values[i] == value)) return i;
    return -1;
}
static int64_t text_position(const struct vf_column *axis, int side) {
    const int64_t *offsets = axis->array.buffers[1];
    const char *text = axis->array.buffers[2];
    for (int64_t i = 0; i < axis->array.length; i++) {
        if (check_valid(axis, i) != (side >= 0)) continue;
        if (side < 0) return i;
        size_t length = (size_t)(offsets[i + 1] - offsets[i]);
        if (length == strlen(sides[side]) && memcmp(text + offsets[i], sides[side], length) == 0) return i;
    }
    return -1;
}

static bool comes_before(const int64_t *a, const int64_t *b) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}

static void add_row(struct cell *c, const struct data *d, int64_t i, struct vf__spills *spills) {
    int64_t key[2] = {d->date[i], d->order[i]};
    double least = d->real[i];
    c->some = true;
    c->n += d->count[i];
    c->sign += d->sign[i];
    CHECK(vf__fsum_add(&c->x, d->hi[i], spills) && vf__fsum_add(&c->x, d->lo[i], spills));
    if (bit(d->real_valid, i) && (!c->has_least || isnan(c->least) || least < c->least)) {
        if (!(c->has_least && isnan(least))) c->least = least;
        c->has_least = true;
    }
    if (bit(d->whole_valid, i) && (!c->has_most || d->whole[i] > c->most))
        c->most = d->whole[i], c->has_most = true;
    if (bit(d->order_valid, i) && (!c->has_first || comes_before(key, c->first_key))) {
        memcpy(c->first_key, key, sizeof key);
        c->has_first = true;
        c->first_valid = bit(d->real_valid, i);
        c->first = d->real[i];
    }
    if (!c->has_last || !comes_before(key, c->last_key)) {
        memcpy(c->last_key, key, sizeof key);
        c->has_last = true;
        c->last_valid = bit(d->whole_valid, i);
        c->last = d->whole[i];
    }
    c->times = c->has_times ? c->times * d->factor[i] : d->factor[i];
    c->product = c->has_times ? c->product * ldexp(d->mantissa[i], (int)d->exponent[i])
                              : ldexp(d->mantissa[i], (int)d->exponent[i]);
    c->has_times = true;
}

static void compare(const struct vf_column *out, int64_t row, const struct cell *c,
                    struct vf__spills *spills) {
    double hi, lo;
    vf__fsum_split(&c->x, spills, &hi, &lo);
    CHECK_I64(check_i64(&out[0], row), c->n);
    CHECK_F64(check_f64(&out[1], row), hi);
    CHECK_F64(check_f64(&out[2], row), lo);
    CHECK(check_valid(&out[3], row) == c->has_least);
    if (c->has_least) CHECK_F64(check_f64(&out[3], row), c->least);
    CHECK(check_valid(&out[4], row) == c->has_most);
    if (c->has_most) CHECK_I64(check_i64(&out[4], row), c->most);
    CHECK(check_valid(&out[5], row) == (c->has_first && c->first_valid));
    if (c->has_first && c->first_valid) CHECK_F64(check_f64(&out[5], row), c->first);
    CHECK(check_valid(&out[6], row) == (c->has_last && c->last_valid));
    if (c->has_last && c->last_valid) CHECK_I64(check_i64(&out[6], row), c->last);
    CHECK(check_valid(&out[7], row) && check_valid(&out[8], row));
    CHECK_I64(check_i64(&out[7], row), c->has_times ? c->times : 1);
    double product = ldexp(check_f64(&out[8], row) + check_f64(&out[9], row), (int)check_i64(&out[10], row));
    if (!c->has_times) CHECK_F64(product, 1.0);
    if (c->has_times && isfinite(c->product)) CHECK(fabs(product / c->product - 1) < 1e-12);
    CHECK_I64(check_i64(&out[11], row), c->sign);
}

/* ---- random questions ------------------------------------------------------------------------------------------------------ */

enum { OUT = 12, MOST_CELLS = 16384 };

struct question {
    uint32_t positions[AXES][64], kept[AXES];
    struct vf_cube_pick picks[AXES];
    struct vf_cube_query query;
    int64_t place[AXES][64]; /* in the result, by position; -1: not picked */
    int64_t n_cells;
};

static void ask_at_random(struct question *q, const int64_t *lengths) {
    *q = (struct question){.query = {.picks = q->picks, .kept = q->kept}, .n_cells = 1};
    for (uint32_t a = 0; a < AXES; a++) {
        int kind = (int)(random_bits() % 5);
        size_t n = 0;
        int64_t from = (int64_t)(random_bits() % 64) % (lengths[a] + 1),
                to = from + (int64_t)(random_bits() % 9);
        for (int64_t i = 0; i < lengths[a]; i++) {
            bool take = kind == 0 || (kind == 1 && i >= from && i <= to) ||
                        (kind == 2 && (random_bits() & 1)) || (kind == 3 && i == from);
            q->place[a][i] = take || kind == 4 ? (int64_t)(kind == 4 ? (size_t)i : n) : -1;
            if (take) q->positions[a][n++] = (uint32_t)i;
        }
        q->picks[a] =
            (struct vf_cube_pick){kind == 4 ? NULL : q->positions[a], kind == 4 ? (size_t)lengths[a] : n};
    }
    uint32_t order[AXES] = {0, 1, 2, 3};
    for (uint32_t a = AXES; a-- > 1;) {
        uint32_t b = (uint32_t)(random_bits() % (a + 1)), other = order[a];
        order[a] = order[b];
        order[b] = other;
    }
    q->query.n_kept = random_bits() % (AXES + 1);
    for (size_t k = 0; k < q->query.n_kept; k++) {
        q->kept[k] = order[k];
        q->n_cells *= (int64_t)q->picks[order[k]].n;
    }
}

static int64_t cell_of(const struct question *q, const int64_t *positions) {
    int64_t cell = 0;
    for (int a = 0; a < AXES; a++)
        if (q->place[a][positions[a]] < 0) return -1;
    for (size_t k = 0; k < q->query.n_kept; k++)
        cell = cell * (int64_t)q->picks[q->kept[k]].n + q->place[q->kept[k]][positions[q->kept[k]]];
    return cell;
}

static void check_answer(const struct vf_cube *cube, const struct data *d, const struct vf_column *axes,
                         const struct question *q, struct vf__spills *spills) {
    static struct cell cells[MOST_CELLS];
    struct vf_column out[AXES + OUT] = {{{0}, {0}}};
    CHECK(q->n_cells <= MOST_CELLS);
    for (int64_t c = 0; c < q->n_cells; c++)
        cells[c] = (struct cell){.x = VF__FSUM_EMPTY};
    for (int64_t i = 0; i < d->n; i++) {
        int64_t positions[AXES] = {axis_position(&axes[0], d->date[i], true),
                                   axis_position(&axes[1], d->bin[i], bit(d->bin_valid, i)),
                                   text_position(&axes[2], d->side[i]),
                                   axis_position(&axes[3], d->level[i], true)};
        int64_t cell = cell_of(q, positions);
        if (cell >= 0) add_row(&cells[cell], d, i, spills);
    }
    CHECK_OK(vf_cube_query(cube, &q->query, out, &check_error));
    int64_t row = 0, n_kept = (int64_t)q->query.n_kept;
    for (int64_t c = 0; c < q->n_cells; c++) {
        if (!cells[c].some && n_kept > 0) continue;
        if (row >= out[n_kept].array.length) break;
        int64_t rest = c;
        for (int64_t k = n_kept; k-- > 0;) {
            const struct vf_cube_pick *pick = &q->picks[q->kept[k]];
            uint32_t at = (uint32_t)(rest % (int64_t)pick->n);
            CHECK_I64(check_u32(&out[k], row), pick->positions != NULL ? pick->positions[at] : at);
            rest /= (int64_t)pick->n;
        }
        compare(out + n_kept, row, &cells[c], spills);
        row++;
    }
    CHECK_I64(row, out[n_kept].array.length);
    for (size_t c = 0; c < q->query.n_kept + OUT; c++)
        vf_column_release(&out[c]);
}

static void get_axes(const struct vf_cube *cube, struct vf_column *axes, int64_t *lengths) {
    for (size_t a = 0; a < AXES; a++) {
        axes[a] = (struct vf_column){{0}, {0}};
        CHECK_OK(vf_cube_axis(cube, a, &axes[a], &check_error));
        lengths[a] = axes[a].array.length;
    }
}

static void ask(const struct vf_cube *cube, const struct data *d, int n_questions) {
    struct vf_context ctx = vf__context(NULL);
    struct vf__spills spills;
    struct vf_column axes[AXES];
    struct question *q = malloc(sizeof *q);
    int64_t lengths[AXES];
    get_axes(cube, axes, lengths);
    for (int i = 0; i < n_questions; i++) {
        vf__spills_init(&spills, &ctx);
        ask_at_random(q, lengths);
        check_answer(cube, d, axes, q, &spills);
        vf__spills_release(&spills);
    }
    for (size_t a = 0; a < AXES; a++)
        vf_column_release(&axes[a]);
    free(q);
}

static void test_against_the_plain_loop(void) {
    struct data *d = malloc(sizeof *d);
    static const int64_t sizes[] = {0, 1, 2, 60, 400, 4000};
    for (int round = 0; round < 48; round++) {
        int64_t n = sizes[round % 6];
        fill(d, n, round / 6 % 4, round % 2 == 0);
        columns(d);
        struct vf_cube *dense = make(d, VF_CUBE_DENSE, 1 + (uint32_t)round % 3, round % 5 == 0 ? 333 : MOST);
        struct vf_cube *sparse =
            make(d, VF_CUBE_SPARSE, 1 + (uint32_t)round % 3, round % 7 == 0 ? 101 : MOST);
        ask(dense, d, 12);
        ask(sparse, d, 12);
        struct vf_cube_shape shape;
        CHECK_OK(vf_cube_shape(dense, &shape, &check_error));
        CHECK(shape.layout == VF_CUBE_DENSE);
        CHECK_OK(vf_cube_shape(sparse, &shape, &check_error));
        CHECK(shape.layout == VF_CUBE_SPARSE && shape.n_rows <= (uint64_t)n);
        vf_cube_close(dense);
        vf_cube_close(sparse);
    }
    free(d);
}

/* ---- by hand ------------------------------------------------------------------------------------------------------------------ */

static const struct vf_cube_state sum_only[] = {{VF_CUBE_ADD_FLOAT, "x"}};

static struct vf_cube *make_small(const struct vf_cube_state *s, size_t n_states,
                                  const struct vf_series *keys, size_t n_axes, const struct vf_series *values,
                                  int64_t n, enum vf_cube_layout layout) {
    struct vf_cube *cube = NULL;
    CHECK_OK(vf_cube_open(NULL, n_axes, s, n_states, &cube, &check_error));
    CHECK_OK(vf_cube_learn(cube, keys, values, n, &check_error));
    CHECK_OK(vf_cube_build(cube, layout, 0, &check_error));
    CHECK_OK(vf_cube_add(cube, keys, values, n, &check_error));
    CHECK_OK(vf_cube_finish(cube, &check_error));
    return cube;
}

/* Running sums in doubles would give 0, and 1e16 + 1 - 1e16 the wrong digit. */
static void test_a_small_cell_beside_huge_ones_keeps_every_bit(void) {
    int64_t date[4] = {1, 2, 3, 4};
    double hi[4] = {1e300, 0.1, -1e300, 3e-310}, lo[4] = {1e280, 1e-18, 0, 0};
    struct check_column c[3];
    struct vf_series keys[1] = {*check_series(&c[0], "l", "date", 4, NULL, date, NULL)};
    struct vf_series values[2] = {*check_series(&c[1], "g", "x.hi", 4, NULL, hi, NULL),
                                  *check_series(&c[2], "g", "x.lo", 4, NULL, lo, NULL)};
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        struct vf_cube *cube = make_small(sum_only, 1, keys, 1, values, 4, (enum vf_cube_layout)layout);
        for (uint32_t i = 0; i < 4; i++) {
            struct vf_column out[2] = {{{0}, {0}}};
            struct vf_cube_pick pick = {&i, 1};
            struct vf_cube_query query = {.picks = &pick};
            CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
            CHECK_F64(check_f64(&out[0], 0), hi[i]);
            CHECK_F64(check_f64(&out[1], 0), lo[i]);
            vf_column_release(&out[0]);
            vf_column_release(&out[1]);
        }
        vf_cube_close(cube);
    }
}

static void test_integer_sums_that_leave_int64_are_told(void) {
    int64_t date[3] = {1, 2, 3}, x[3] = {INT64_MAX, INT64_MAX, -INT64_MAX};
    struct check_column c[2];
    struct vf_cube_state s[1] = {{VF_CUBE_ADD_INT, "qty"}};
    struct vf_series keys[1] = {*check_series(&c[0], "l", "date", 3, NULL, date, NULL)};
    struct vf_series values[1] = {*check_series(&c[1], "l", "qty", 3, NULL, x, NULL)};
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        struct vf_cube *cube = make_small(s, 1, keys, 1, values, 3, (enum vf_cube_layout)layout);
        struct vf_column out[1] = {{{0}, {0}}};
        struct vf_cube_query query = {.n_kept = 0};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK_I64(check_i64(&out[0], 0), INT64_MAX); /* a sum on the way does not count */
        vf_column_release(&out[0]);
        uint32_t two[] = {0, 1};
        struct vf_cube_pick pick = {two, 2};
        query.picks = &pick;
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_OVERFLOW);
        CHECK(strcmp(check_error.column, "qty") == 0 && out[0].array.release == NULL);
        vf_cube_close(cube);
    }
}

static void test_what_is_refused(void) {
    int64_t date[2] = {1, 2}, other[2] = {1, 3};
    double x[2] = {1, 2}, y[2] = {1, 2.5}, z[2] = {1, 64};
    uint8_t valid = 1;
    struct check_column c[8];
    struct vf_cube *cube = NULL;
    struct vf_cube_state bad[1] = {{(enum vf_cube_merge)9, "x"}}, sum[1] = {{VF_CUBE_ADD_FLOAT, "x"}};
    CHECK_STATUS(vf_cube_open(NULL, 0, sum, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 17, sum, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, sum, 0, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_open(NULL, 1, bad, 1, &cube, &check_error), VF_ERROR_ARGUMENT);
    CHECK(cube == NULL);
    CHECK_OK(vf_cube_open(NULL, 1, sum, 1, &cube, &check_error));
    struct vf_series dates = *check_series(&c[0], "l", "date", 2, NULL, date, NULL);
    struct vf_series others = *check_series(&c[1], "l", "date", 2, NULL, other, NULL);
    struct vf_series floats = *check_series(&c[2], "g", "date", 2, NULL, x, NULL);
    struct vf_series v[2] = {*check_series(&c[3], "g", "x.hi", 2, NULL, x, NULL),
                             *check_series(&c[4], "g", "x.lo", 2, NULL, x, NULL)};
    struct vf_series with_null[2] = {*check_series(&c[5], "g", "x.hi", 2, &valid, x, NULL), v[1]};
    struct vf_series finer[2] = {*check_series(&c[6], "g", "x.hi", 2, NULL, y, NULL), v[1]};
    struct vf_series larger[2] = {*check_series(&c[7], "g", "x.hi", 2, NULL, z, NULL), v[1]};
    struct vf_cube_query query = {.n_kept = 0};
    struct vf_column out[2] = {{{0}, {0}}};
    CHECK_STATUS(vf_cube_build(cube, VF_CUBE_AUTO, 0, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_add(cube, &dates, v, 2, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_finish(cube, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_learn(cube, &floats, v, 2, &check_error), VF_ERROR_TYPE);
    CHECK_STATUS(vf_cube_learn(cube, &dates, v, 3, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_cube_learn(cube, &dates, v, 2, &check_error));
    CHECK_STATUS(vf_cube_build(cube, VF_CUBE_AUTO, 10, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "the limit is 10 bytes") != NULL);
    CHECK_OK(vf_cube_build(cube, VF_CUBE_AUTO, 1000000, &check_error)); /* and it can be asked again */
    CHECK_STATUS(vf_cube_finish(cube, &check_error), VF_ERROR_REPLAY);
    CHECK_STATUS(vf_cube_add(cube, &others, v, 2, &check_error), VF_ERROR_REPLAY);
    CHECK_STATUS(vf_cube_add(cube, &dates, v, 2, &check_error), VF_ERROR_STATE); /* broken */
    vf_cube_close(cube);
    const struct vf_series *second[] = {finer, larger, with_null};
    const enum vf_status want[] = {VF_ERROR_REPLAY, VF_OK, VF_ERROR_DATA};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(vf_cube_open(NULL, 1, sum, 1, &cube, &check_error));
        CHECK_OK(vf_cube_learn(cube, &dates, v, 2, &check_error));
        CHECK_OK(vf_cube_build(cube, VF_CUBE_DENSE, 0, &check_error));
        CHECK_STATUS(vf_cube_add(cube, &dates, second[i], 2, &check_error), want[i]);
        if (want[i] == VF_OK) CHECK_STATUS(vf_cube_finish(cube, &check_error), VF_ERROR_REPLAY);
        vf_cube_close(cube);
    }
    CHECK_OK(vf_cube_open(NULL, 1, sum, 1, &cube, &check_error));
    CHECK_STATUS(vf_cube_learn(cube, &dates, with_null, 2, &check_error), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    vf_cube_close(cube);
}

static void test_a_query_is_checked(void) {
    struct data *d = malloc(sizeof *d);
    fill(d, 500, 0, true);
    columns(d);
    struct vf_cube *cube = make(d, VF_CUBE_AUTO, 1, MOST);
    struct vf_column out[AXES + OUT] = {{{0}, {0}}};
    uint32_t twice[] = {1, 1}, none[] = {7}, falling[] = {2, 1}, far[] = {1000}, state[] = {STATES};
    struct vf_cube_pick picks[AXES] = {{NULL, 0}};
    struct vf_cube_query query = {.kept = twice, .n_kept = 2};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    query = (struct vf_cube_query){.kept = none, .n_kept = 1};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    query = (struct vf_cube_query){.states = state, .n_states = 1};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    query = (struct vf_cube_query){.picks = picks};
    picks[0] = (struct vf_cube_pick){falling, 2};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    picks[0] = (struct vf_cube_pick){far, 1};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    query = (struct vf_cube_query){.kept = (uint32_t[]){0, 1, 2, 3}, .n_kept = 4, .memory_limit = 1000};
    CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "keep fewer axes") != NULL);
    CHECK(out[0].array.release == NULL);
    vf_cube_close(cube);
    free(d);
}

/* What is held never exceeds what was told before it was allocated; and the limit decides the layout. */
struct counted {
    uint64_t now, most;
};
static void *count_allocate(void *state, size_t size) {
    struct counted *c = state;
    c->now += size;
    if (c->now > c->most) c->most = c->now;
    return malloc(size);
}
static void *count_resize(void *state, void *block, size_t old_size, size_t new_size) {
    struct counted *c = state;
    c->now += new_size - old_size;
    if (c->now > c->most) c->most = c->now;
    return realloc(block, new_size);
}
static void count_release(void *state, void *block, size_t size) {
    ((struct counted *)state)->now -= size;
    free(block);
}

static void test_memory_is_within_what_was_told(void) {
    struct data *d = malloc(sizeof *d);
    fill(d, MOST, 1, true);
    columns(d);
    for (int layout = VF_CUBE_AUTO; layout <= VF_CUBE_SPARSE; layout++) {
        struct counted counted = {0, 0};
        struct vf_context ctx = {.allocator = {count_allocate, count_resize, count_release, &counted},
                                 .n_threads = 1};
        struct vf_cube *cube = NULL;
        struct vf_cube_size size;
        struct vf_cube_shape shape;
        CHECK_OK(vf_cube_open(&ctx, AXES, states, STATES, &cube, &check_error));
        CHECK_OK(vf_cube_learn(cube, d->keys, d->values, MOST, &check_error));
        uint64_t before = counted.now;
        CHECK_OK(vf_cube_size(cube, &size, &check_error));
        uint64_t limit = layout == VF_CUBE_AUTO ? size.dense_bytes - 1 : 0;
        uint64_t told = layout == VF_CUBE_DENSE ? size.dense_bytes : size.sparse_bytes;
        if (layout == VF_CUBE_AUTO && size.sparse_bytes > limit) limit = size.sparse_bytes;
        bool dense = layout == VF_CUBE_DENSE || (layout == VF_CUBE_AUTO && size.dense_bytes <= limit);
        counted.most = counted.now;
        CHECK_OK(vf_cube_build(cube, (enum vf_cube_layout)layout, limit, &check_error));
        CHECK_OK(vf_cube_add(cube, d->keys, d->values, MOST, &check_error));
        CHECK_OK(vf_cube_finish(cube, &check_error));
        CHECK_OK(vf_cube_shape(cube, &shape, &check_error));
        CHECK((shape.layout == VF_CUBE_DENSE) == dense);
        uint64_t small = 16384; /* an error's text for each axis and state, and the like */
        CHECK(counted.most - before <= (dense ? size.dense_bytes : told) + small);
        CHECK(shape.bytes <= size.sparse_kept || dense);
        if (dense) CHECK_I64(shape.bytes, size.dense_kept);
        vf_cube_close(cube);
        CHECK_I64(counted.now, 0);
    }
    free(d);
}

/* ---- parts ---------------------------------------------------------------------------------------------------------------------- */

enum { MOST_PARTS = 64 };

struct parts {
    size_t n;
    struct vf_column columns[MOST_PARTS];
    const struct ArrowArray *chunks[MOST_PARTS];
    struct vf_series series[MOST_PARTS];
    int released;
};

static void take_parts(const struct vf_cube *cube, struct parts *p) {
    memset(p, 0, sizeof *p);
    p->n = vf_cube_n_parts(cube);
    CHECK(p->n <= MOST_PARTS);
    for (size_t i = 0; i < p->n; i++) {
        CHECK_OK(vf_cube_part(cube, i, &p->columns[i], &check_error));
        p->chunks[i] = &p->columns[i].array;
        p->series[i] = (struct vf_series){&p->columns[i].schema, &p->chunks[i], 1};
    }
    struct vf_column none = {{0}, {0}};
    CHECK_STATUS(vf_cube_part(cube, p->n, &none, &check_error), VF_ERROR_ARGUMENT);
}

static void release_parts(void *parts) {
    struct parts *p = parts;
    for (size_t i = 0; i < p->n; i++)
        vf_column_release(&p->columns[i]);
    p->released++;
}

static void test_parts_are_a_cube_again(void) {
    struct data *d = malloc(sizeof *d);
    struct parts *p = malloc(sizeof *p), *again = malloc(sizeof *again);
    for (int round = 0; round < 8; round++) {
        struct vf_cube *cube = NULL, *copy = NULL;
        fill(d, round == 7 ? 0 : 700, round % 4, round % 2 == 0);
        columns(d);
        cube = make(d, round < 4 ? VF_CUBE_DENSE : VF_CUBE_SPARSE, 1, MOST);
        take_parts(cube, p);
        vf_cube_close(cube); /* the parts keep what they point to */
        CHECK_OK(
            vf_cube_attach(NULL, states, STATES, p->series, p->n, p, release_parts, &copy, &check_error));
        if (copy == NULL) continue;
        ask(copy, d, 10);
        take_parts(copy, again); /* parts of parts */
        CHECK_I64(again->n, p->n);
        vf_cube_close(copy);
        CHECK_I64(p->released, 0); /* still pointed to */
        release_parts(again);
        CHECK_I64(p->released, 1);
    }
    free(again);
    free(p);
    free(d);
}

/* Any number of the header, and any index, changed: refused, or a cube that reads nothing it must not (ASan looks). */
static void test_damaged_parts_are_refused(void) {
    struct data *d = malloc(sizeof *d);
    struct parts *p = malloc(sizeof *p);
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        fill(d, 60, 0, true);
        columns(d);
        struct vf_cube *cube = make(d, (enum vf_cube_layout)layout, 1, MOST), *copy;
        take_parts(cube, p);
        for (size_t i = 0; i < p->n; i++) {
            struct ArrowArray *array = &p->columns[i].array;
            const char *format = p->columns[i].schema.format;
            if (*format != 'l' && *format != 'L' && *format != 'I') continue;
            if (i > 0 && layout == VF_CUBE_DENSE) continue;
            for (int64_t at = 0; at < array->length; at += i == 0 ? 1 : 1 + array->length / 40) {
                static const int64_t changes[] = {-1, 1, 1000003, INT64_MIN, 0};
                for (int change = 0; change < 5; change++) {
                    int64_t *whole = (int64_t *)(uintptr_t)array->buffers[1] + at, old;
                    uint32_t *half = (uint32_t *)(uintptr_t)array->buffers[1] + at, old_half = 0;
                    bool narrow = *format == 'I';
                    old = narrow ? 0 : *whole;
                    if (narrow) old_half = *half;
                    if (narrow)
                        *half += (uint32_t)changes[change];
                    else
                        *whole =
                            changes[change] == 0 ? 0 : (int64_t)((uint64_t)old + (uint64_t)changes[change]);
                    copy = NULL;
                    p->released = 0;
                    size_t n = p->n;
                    struct parts shallow = *p;
                    shallow.n = 0; /* nothing to release */
                    enum vf_status status = vf_cube_attach(NULL, states, STATES, p->series, n, &shallow,
                                                           release_parts, &copy, &check_error);
                    if (i == 0) CHECK(status == VF_ERROR_DATA || *whole == old);
                    if (status == VF_OK) {
                        struct vf_column out[AXES + OUT] = {{{0}, {0}}};
                        struct vf_cube_query query = {.kept = (uint32_t[]){0, 1, 2, 3}, .n_kept = 4};
                        status = vf_cube_query(copy, &query, out, NULL);
                        for (size_t c = 0; c < AXES + OUT; c++)
                            vf_column_release(&out[c]);
                        vf_cube_close(copy);
                    } else {
                        CHECK_I64(shallow.released, 0);
                    }
                    if (narrow)
                        *half = old_half;
                    else
                        *whole = old;
                }
            }
        }
        size_t n = p->n;
        struct vf_cube_state fewer[] = {{VF_CUBE_ADD_INT, "n"}};
        copy = NULL;
        CHECK_STATUS(vf_cube_attach(NULL, fewer, 1, p->series, n, p, release_parts, &copy, &check_error),
                     VF_ERROR_DATA);
        CHECK_STATUS(
            vf_cube_attach(NULL, states, STATES, p->series, n - 1, p, release_parts, &copy, &check_error),
            VF_ERROR_DATA);
        CHECK(copy == NULL);
        release_parts(p);
        vf_cube_close(cube);
    }
    free(p);
    free(d);
}

/* 2^58 cells of 64 words are 2^64 words: no array of records at all was taken for enough of them. */
static void test_damaged_header_of_more_words_than_memory(void) {
    enum { N_AXES = 16, N = 16, RECORDS = 1 + N_AXES /* the part of that number */ };
    static int64_t keys[3][N], ones[N];
    struct check_column columns[N_AXES], value;
    struct vf_series axes[N_AXES], parts[RECORDS + 1];
    struct vf_column given[RECORDS + 1];
    const struct ArrowArray *chunks[RECORDS + 1];
    static const struct vf_cube_state state = {VF_CUBE_ADD_INT, "n"};
    struct vf_cube *cube = NULL, *copy = NULL;
    for (int64_t i = 0; i < N; i++) {
        keys[0][i] = i;
        keys[1][i] = i % 4;
        ones[i] = 1;
    }
    for (size_t a = 0; a < N_AXES; a++) /* 14 axes of 16 values, one of 4, one of 1 */
        axes[a] = *check_series(&columns[a], "l", "k", N, NULL, keys[a < 14 ? 0 : a - 13], NULL);
    struct vf_series values = *check_series(&value, "l", "n", N, NULL, ones, NULL);
    CHECK_OK(vf_cube_open(NULL, N_AXES, &state, 1, &cube, &check_error));
    CHECK_OK(vf_cube_learn(cube, axes, &values, N, &check_error));
    CHECK_OK(vf_cube_build(cube, VF_CUBE_SPARSE, 0, &check_error));
    CHECK_OK(vf_cube_add(cube, axes, &values, N, &check_error));
    CHECK_OK(vf_cube_finish(cube, &check_error));
    for (size_t i = 0; i <= RECORDS; i++) {
        CHECK_OK(vf_cube_part(cube, i, &given[i], &check_error));
        chunks[i] = &given[i].array;
        parts[i] = (struct vf_series){.schema = &given[i].schema, .chunks = &chunks[i], .n_chunks = 1};
    }
    int64_t *header = (int64_t *)(uintptr_t)given[0].array.buffers[1], n = given[0].array.length;
    header[1] = 1; /* dense */
    header[4] = INT64_C(1) << 58;
    header[5] = 0;
    header[6] = 64;
    header[n - 1] = (int64_t)vf__hash_bytes(header, (size_t)(n - 1) * sizeof *header);
    given[RECORDS].array.length = 0;
    struct parts nobody = {.n = 0};
    CHECK_STATUS(vf_cube_attach(NULL, &state, 1, parts, RECORDS + 1, &nobody, release_parts, &copy, &check_error),
                 VF_ERROR_DATA);
    vf_cube_close(copy);
    for (size_t i = 0; i <= RECORDS; i++)
        vf_column_release(&given[i]);
    vf_cube_close(cube);
}

/* Exponents that no product has, as a damaged file may hold them: they were added up past int64. */
static void test_exponents_past_any_product(void) {
    static int64_t keys[2] = {0, 0}, exponents[2] = {INT64_MAX, 46};
    static double hi[2] = {0.5, 0.75}, lo[2];
    struct check_column k, h, l, e;
    static const struct vf_cube_state state = {VF_CUBE_PRODUCT_FLOAT, "p"};
    for (int sign = 0; sign < 2; sign++) {
        struct vf_cube *cube = NULL;
        struct vf_column out[3];
        struct vf_series key = *check_series(&k, "l", "k", 2, NULL, keys, NULL), values[3];
        exponents[0] = sign ? INT64_MIN : INT64_MAX;
        exponents[1] = sign ? -46 : 46;
        values[0] = *check_series(&h, "g", "hi", 2, NULL, hi, NULL);
        values[1] = *check_series(&l, "g", "lo", 2, NULL, lo, NULL);
        values[2] = *check_series(&e, "l", "e", 2, NULL, exponents, NULL);
        CHECK_OK(vf_cube_open(NULL, 1, &state, 1, &cube, &check_error));
        CHECK_OK(vf_cube_learn(cube, &key, values, 2, &check_error));
        CHECK_OK(vf_cube_build(cube, VF_CUBE_DENSE, 0, &check_error));
        CHECK_OK(vf_cube_add(cube, &key, values, 2, &check_error));
        CHECK_OK(vf_cube_finish(cube, &check_error));
        struct vf_cube_query query = {.n_kept = 0};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK_F64(check_f64(&out[0], 0), 0.75);
        CHECK(sign ? check_i64(&out[2], 0) < -(INT64_C(1) << 59) : check_i64(&out[2], 0) > INT64_C(1) << 59);
        for (int c = 0; c < 3; c++)
            vf_column_release(&out[c]);
        vf_cube_close(cube);
    }
}

int main(void) {
    test_against_the_plain_loop();
    test_a_small_cell_beside_huge_ones_keeps_every_bit();
    test_integer_sums_that_leave_int64_are_told();
    test_what_is_refused();
    test_a_query_is_checked();
    test_memory_is_within_what_was_told();
    test_parts_are_a_cube_again();
    test_damaged_parts_are_refused();
    test_damaged_header_of_more_words_than_memory();
    test_exponents_past_any_product();
    return check_report("cube");
}
