/* The cube: random cubes against a plain loop over their rows, both layouts, with every kind of state; sums to the last
   bit against exact accumulators; parts taken out and attached again, whole and damaged. Not the N-th-malloc loop. */
#include "check.h"

#include "agg/fsum.h"
#include "cube/cube.h"

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
    q->query.n_kept = (size_t)random_bits() % (AXES + 1);
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
    struct vf_column out[AXES + OUT];
    CHECK_POISON(out);
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
        check_release(&out[c]);
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
        check_release(&axes[a]);
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
            struct vf_column out[2];
            CHECK_POISON(out);
            struct vf_cube_pick pick = {&i, 1};
            struct vf_cube_query query = {.picks = &pick};
            CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
            CHECK_F64(check_f64(&out[0], 0), hi[i]);
            CHECK_F64(check_f64(&out[1], 0), lo[i]);
            check_release(&out[0]);
            check_release(&out[1]);
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
        struct vf_column out[1];
        CHECK_POISON(out);
        struct vf_cube_query query = {.n_kept = 0};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK_I64(check_i64(&out[0], 0), INT64_MAX); /* a sum on the way does not count */
        check_release(&out[0]);
        uint32_t two[] = {0, 1};
        struct vf_cube_pick pick = {two, 2};
        query.picks = &pick;
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_OVERFLOW);
        CHECK(strcmp(check_error.column, "qty") == 0 && check_is_rubbish(&out[0], sizeof out[0]));
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
    struct vf_column out[2];
    CHECK_POISON(out);
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
    struct vf_column out[AXES + OUT];
    CHECK_POISON(out);
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
    CHECK(check_is_rubbish(&out[0], sizeof out[0]));
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
    struct vf_column none;
    CHECK_POISON(none);
    CHECK_STATUS(vf_cube_part(cube, p->n, &none, &check_error), VF_ERROR_ARGUMENT);
}

static void release_parts(void *parts) {
    struct parts *p = parts;
    for (size_t i = 0; i < p->n; i++)
        check_release(&p->columns[i]);
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
                        struct vf_column out[AXES + OUT];
                        CHECK_POISON(out);
                        struct vf_cube_query query = {.kept = (uint32_t[]){0, 1, 2, 3}, .n_kept = 4};
                        status = vf_cube_query(copy, &query, out, NULL);
                        for (size_t c = 0; c < AXES + OUT; c++)
                            check_release(&out[c]);
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

/* A header whose sum over the others is right, as somebody would write who means it: what it says is still checked. */
static enum vf_status attach_forged(struct parts *p, const struct vf_cube_state *s, size_t n_states, struct vf_cube **out) {
    int64_t *header = (int64_t *)(uintptr_t)p->columns[0].array.buffers[1];
    size_t n = (size_t)p->columns[0].array.length;
    static struct parts nothing;
    header[n - 1] = (int64_t)vf__hash_bytes(header, (n - 1) * sizeof *header);
    *out = NULL;
    return vf_cube_attach(NULL, s, n_states, p->series, p->n, &nothing, release_parts, out, &check_error);
}

static void test_forged_headers_are_refused(void) {
    struct data *d = malloc(sizeof *d);
    struct parts *p = malloc(sizeof *p);
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        fill(d, 300, 3, true);
        columns(d);
        struct vf_cube *cube = make(d, (enum vf_cube_layout)layout, 1, MOST), *copy;
        take_parts(cube, p);
        int64_t *header = (int64_t *)(uintptr_t)p->columns[0].array.buffers[1], refused = 0, taken = 0;
        size_t n = (size_t)p->columns[0].array.length - 1;
        CHECK_OK(attach_forged(p, states, STATES, &copy));
        vf_cube_close(copy);
        for (size_t at = 0; at < n; at++) {
            int64_t old = header[at];
            const int64_t forged[] = {0, 1, 2, 3, -1, old + 1, old - 1, old + 64, INT64_MIN, INT64_MAX, UINT32_MAX, 65};
            for (size_t k = 0; k < sizeof forged / sizeof *forged; k++) {
                if (forged[k] == old) continue;
                header[at] = forged[k];
                enum vf_status status = attach_forged(p, states, STATES, &copy);
                CHECK(status == VF_OK || status == VF_ERROR_DATA);
                /* the first numbers are what the parts' lengths must be: none can be another, but that a dense cube
                   has no list of cells to count */
                if (at < 8 && (at != 5 || layout == VF_CUBE_SPARSE)) CHECK_I64(status, VF_ERROR_DATA);
                refused += status != VF_OK;
                taken += status == VF_OK;
                if (status != VF_OK) continue;
                struct vf_column out[AXES + OUT];
                CHECK_POISON(out);
                struct vf_cube_query query = {.kept = (uint32_t[]){0, 1, 2, 3}, .n_kept = 4};
                (void)vf_cube_query(copy, &query, out, NULL); /* anything, but nothing that is not the cube's */
                for (size_t c = 0; c < AXES + OUT; c++)
                    check_release(&out[c]);
                vf_cube_close(copy);
            }
            header[at] = old;
        }
        CHECK(refused > 8 * taken);
        /* a number more, a number less */
        p->columns[0].array.length--;
        CHECK_STATUS(attach_forged(p, states, STATES, &copy), VF_ERROR_DATA);
        p->columns[0].array.length = 5;
        CHECK_STATUS(attach_forged(p, states, STATES, &copy), VF_ERROR_DATA);
        vf_cube_close(cube);
        release_parts(p);
    }
    free(p);
    free(d);
}

/* 2^59 cells of 32 words are 2^64 words, and 0 when the product wraps: an array of nothing must not pass for them. */
static void test_more_words_than_can_be_counted_are_refused(void) {
    if (sizeof(size_t) < 8) return; /* an address space of 32 bits refuses the axes themselves */
    enum { MANY_AXES = 15, VALUES_OF_EACH = 16 };
    int64_t keys_of[VALUES_OF_EACH], halves[VALUES_OF_EACH], ones[VALUES_OF_EACH];
    struct check_column c[MANY_AXES + 1];
    struct vf_series keys[MANY_AXES], values[1];
    const struct vf_cube_state count[1] = {{VF_CUBE_ADD_INT, "n"}};
    struct parts *p = malloc(sizeof *p);
    for (int i = 0; i < VALUES_OF_EACH; i++) {
        keys_of[i] = i;
        halves[i] = i / 2;
        ones[i] = 1;
    }
    for (int a = 0; a < MANY_AXES; a++)
        keys[a] = *check_series(&c[a], "l", "key", VALUES_OF_EACH, NULL, a == 0 ? halves : keys_of, NULL);
    values[0] = *check_series(&c[MANY_AXES], "l", "n", VALUES_OF_EACH, NULL, ones, NULL);
    struct vf_cube *cube = make_small(count, 1, keys, MANY_AXES, values, VALUES_OF_EACH, VF_CUBE_SPARSE), *copy;
    take_parts(cube, p);
    int64_t *header = (int64_t *)(uintptr_t)p->columns[0].array.buffers[1];
    header[1] = 1; /* dense */
    header[4] = INT64_C(1) << 59;
    header[5] = 0;
    header[6] = 32;
    size_t n = p->n;
    p->n = 2 + MANY_AXES;
    p->series[1 + MANY_AXES].n_chunks = 0;
    CHECK_STATUS(attach_forged(p, count, 1, &copy), VF_ERROR_DATA);
    if (copy != NULL) {
        struct vf_column out[1];
        CHECK_POISON(out);
        const struct vf_cube_query query = {.n_kept = 0};
        (void)vf_cube_query(copy, &query, out, NULL);
        check_release(&out[0]);
        vf_cube_close(copy);
    }
    p->n = n;
    vf_cube_close(cube);
    release_parts(p);
    free(p);
}

/* Parts of another type, in pieces, with nulls, out of step with memory, or not given. */
static void test_parts_of_another_form_are_refused(void) {
    struct data *d = malloc(sizeof *d);
    struct parts *p = malloc(sizeof *p);
    fill(d, 300, 0, true);
    columns(d);
    struct vf_cube *cube = make(d, VF_CUBE_SPARSE, 1, MOST), *copy = NULL;
    take_parts(cube, p);
    static const uint8_t all[8192];
    for (size_t i = 0; i < p->n; i++) {
        struct ArrowArray *array = &p->columns[i].array;
        struct ArrowSchema *schema = &p->columns[i].schema;
        const struct vf_series whole = p->series[i];
        bool axis = i >= 1 && i <= AXES;
#define REFUSED(want)                                                                                        \
    CHECK_STATUS(vf_cube_attach(NULL, states, STATES, p->series, p->n, p, release_parts, &copy, &check_error), want); \
    CHECK(copy == NULL)
        const char *format = schema->format;
        schema->format = *format == 'l' ? "g" : *format == 'U' ? "l" : "l";
        if (!axis || *format == 'l') {
            REFUSED(VF_ERROR_DATA);
        }
        schema->format = NULL;
        REFUSED(VF_ERROR_ARROW);
        schema->format = format;
        if (!axis) {
            struct ArrowArray halves[2] = {*array, *array};
            const struct ArrowArray *both[2] = {&halves[0], &halves[1]};
            halves[0].length = array->length / 2;
            halves[1].offset = array->length / 2;
            halves[1].length = array->length - array->length / 2;
            p->series[i] = (struct vf_series){schema, both, 2};
            REFUSED(VF_ERROR_DATA);
            p->series[i] = whole;
            const void *nulls[2] = {all, array->buffers[1]}, *odd[2] = {NULL, (const char *)array->buffers[1] + 1};
            struct ArrowArray changed = *array;
            const struct ArrowArray *one[1] = {&changed};
            p->series[i] = (struct vf_series){schema, one, 1};
            changed.buffers = nulls;
            changed.null_count = -1;
            REFUSED(VF_ERROR_DATA);
            changed.null_count = 0;
            changed.buffers = odd;
            if (*format != 'C' && i > 0) { /* the header's numbers would be others, which its sum tells first */
                REFUSED(VF_ERROR_DATA);
            }
            p->series[i] = whole;
        }
        if (array->length > 0) {
            array->length--;
            REFUSED(VF_ERROR_DATA);
            array->length++;
        }
        p->series[i].n_chunks = 0;
        REFUSED(VF_ERROR_DATA);
        p->series[i] = whole;
    }
    /* tags that say nothing that a tag says */
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->columns[i].schema.format, "C") != 0) continue;
        uint8_t *tags = (uint8_t *)(uintptr_t)p->columns[i].array.buffers[1], old = tags[3];
        tags[3] = 77;
        REFUSED(VF_ERROR_DATA);
        tags[3] = old;
    }
    /* an axis of which a value comes twice */
    int64_t *axis = (int64_t *)(uintptr_t)p->columns[1].array.buffers[1], first = axis[1];
    axis[1] = axis[2];
    REFUSED(VF_ERROR_DATA);
    axis[1] = first;
#undef REFUSED
    CHECK_STATUS(vf_cube_attach(NULL, states, STATES, p->series, 0, p, release_parts, &copy, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_attach(NULL, states, STATES, NULL, p->n, p, release_parts, &copy, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_attach(NULL, states, STATES, p->series, p->n, p, NULL, &copy, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_cube_attach(NULL, states, STATES, p->series, 3, p, release_parts, &copy, &check_error), VF_ERROR_DATA);
    CHECK_STATUS(vf_cube_attach(NULL, NULL, STATES, p->series, p->n, p, release_parts, &copy, &check_error), VF_ERROR_ARGUMENT);
    CHECK_I64(p->released, 0);
    struct vf_column none;
    CHECK_POISON(none);
    struct vf_cube *young = NULL;
    struct vf_cube_shape shape;
    CHECK_STATUS(vf_cube_axis(cube, AXES, &none, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_cube_open(NULL, AXES, states, STATES, &young, &check_error));
    CHECK_STATUS(vf_cube_axis(young, 0, &none, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_part(young, 0, &none, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_cube_shape(young, &shape, &check_error), VF_ERROR_STATE);
    vf_cube_close(young);
    vf_cube_close(cube);
    release_parts(p);
    free(p);
    free(d);
}

/* ---- few rows in many cells ------------------------------------------------------------------------------------------------- */

enum { WIDE = 300, DATES = 6, FEW = 900 };

struct wide_cell {
    int64_t n, last, last_order, product;
    uint64_t least;
    double sum, most;
    uint32_t last_date;
    int64_t last_cell;
};

static const struct vf_cube_state wide_states[] = {{VF_CUBE_ADD_INT, "n"},      {VF_CUBE_ADD_FLOAT, "x"},
                                                   {VF_CUBE_MIN, "least"},      {VF_CUBE_MAX, "most"},
                                                   {VF_CUBE_LAST, "last"},      {VF_CUBE_PRODUCT_INT, "times"}};
enum { WIDE_STATES = 6, WIDE_OUT = 7 };

struct wide {
    int64_t date[FEW], a[FEW], b[FEW], n[FEW], order[FEW], last[FEW], factor[FEW];
    uint64_t least[FEW];
    double x[FEW], zero[FEW], most[FEW];
    struct check_column c[3 + 8];
    struct vf_series keys[3], values[8];
};

static void fill_wide(struct wide *w) {
    for (int64_t i = 0; i < FEW; i++) {
        w->date[i] = (i * 5 + i / 300) % DATES;
        w->a[i] = i % WIDE;
        w->b[i] = i * 7 % WIDE;
        w->n[i] = 1 + i % 3;
        w->order[i] = i % 10; /* often the same */
        w->last[i] = i;
        w->factor[i] = i % 97 == 0 ? 2 : i % 4 == 0 ? -1 : 1;
        w->least[i] = UINT64_MAX - (uint64_t)(i * 7919 % 1000); /* past int64 */
        w->x[i] = (double)(i % 100) * 0.25;
        w->zero[i] = 0;
        w->most[i] = i % 50 == 0 ? (double)NAN : (double)(i * 31 % 1000) - 500;
    }
    struct check_column *c = w->c;
    w->keys[0] = *check_series(c++, "l", "date", FEW, NULL, w->date, NULL);
    w->keys[1] = *check_series(c++, "l", "a", FEW, NULL, w->a, NULL);
    w->keys[2] = *check_series(c++, "l", "b", FEW, NULL, w->b, NULL);
    w->values[0] = *check_series(c++, "l", "n", FEW, NULL, w->n, NULL);
    w->values[1] = *check_series(c++, "g", "x.hi", FEW, NULL, w->x, NULL);
    w->values[2] = *check_series(c++, "g", "x.lo", FEW, NULL, w->zero, NULL);
    w->values[3] = *check_series(c++, "L", "least", FEW, NULL, w->least, NULL);
    w->values[4] = *check_series(c++, "g", "most", FEW, NULL, w->most, NULL);
    w->values[5] = *check_series(c++, "l", "last", FEW, NULL, w->last, NULL);
    w->values[6] = *check_series(c++, "l", "last.row", FEW, NULL, w->order, NULL);
    w->values[7] = *check_series(c++, "l", "times", FEW, NULL, w->factor, NULL);
}

static bool picked(const struct vf_cube_pick *pick, int64_t value) {
    for (size_t i = 0; pick->positions != NULL && i < pick->n; i++)
        if (pick->positions[i] == (uint32_t)value) return true;
    return pick->positions == NULL;
}

static void add_wide(struct wide_cell *cell, const struct wide *w, int64_t i) {
    uint32_t date = (uint32_t)w->date[i];
    if (cell->n == 0) *cell = (struct wide_cell){.least = UINT64_MAX, .most = (double)NAN, .product = 1, .last_order = -1};
    /* of equal order, what lies in a later cell, and in one cell what was added later */
    int64_t lies = w->a[i] * WIDE + w->b[i];
    bool equal = date == cell->last_date && w->order[i] == cell->last_order;
    bool later = cell->n == 0 || date > cell->last_date || (date == cell->last_date && w->order[i] > cell->last_order) ||
                 (equal && lies >= cell->last_cell);
    cell->n += w->n[i];
    cell->sum += w->x[i];
    cell->product *= w->factor[i];
    if (w->least[i] < cell->least) cell->least = w->least[i];
    if (isnan(cell->most) || w->most[i] > cell->most) cell->most = w->most[i];
    if (!later) return;
    cell->last = w->last[i];
    cell->last_order = w->order[i];
    cell->last_date = date;
    cell->last_cell = lies;
}

static void ask_wide(const struct vf_cube *cube, const struct wide *w, const struct vf_cube_pick *picks,
                     const uint32_t *kept, size_t n_kept) {
    static struct wide_cell cells[DATES * WIDE * WIDE];
    const int64_t *keys[3] = {w->date, w->a, w->b}, lengths[3] = {DATES, WIDE, WIDE};
    struct vf_column out[3 + WIDE_OUT];
    CHECK_POISON(out);
    const struct vf_cube_query query = {.picks = picks, .kept = kept, .n_kept = n_kept};
    int64_t n_cells = 0, wrong = 0, before = -1;
    memset(cells, 0, sizeof cells);
    for (int64_t i = 0; i < FEW; i++) {
        int64_t at = 0;
        bool counts = true;
        for (int a = 0; a < 3; a++)
            counts &= picked(&picks[a], keys[a][i]);
        for (size_t k = 0; k < n_kept; k++)
            at = at * lengths[kept[k]] + keys[kept[k]][i];
        if (!counts) continue;
        n_cells += cells[at].n == 0;
        add_wide(&cells[at], w, i);
    }
    CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
    CHECK_I64(out[0].array.length, n_cells);
    for (int64_t row = 0; row < out[0].array.length; row++) {
        int64_t at = 0;
        for (size_t k = 0; k < n_kept; k++)
            at = at * lengths[kept[k]] + check_u32(&out[k], row);
        const struct wide_cell *cell = &cells[at];
        double most = check_f64(&out[n_kept + 4], row);
        wrong += at <= before; /* in the order of the cells */
        before = at;
        wrong += check_i64(&out[n_kept], row) != cell->n;
        wrong += check_f64(&out[n_kept + 1], row) != cell->sum || check_f64(&out[n_kept + 2], row) != 0;
        wrong += (uint64_t)check_i64(&out[n_kept + 3], row) != cell->least;
        wrong += !(most == cell->most || (isnan(most) && isnan(cell->most)));
        wrong += check_i64(&out[n_kept + 5], row) != cell->last;
        wrong += check_i64(&out[n_kept + 6], row) != cell->product;
    }
    CHECK_I64(wrong, 0);
    for (size_t c = 0; c < n_kept + WIDE_OUT; c++)
        check_release(&out[c]);
}

static void test_few_rows_in_many_cells(void) {
    static struct wide w;
    static const uint32_t some_dates[] = {1, 2, 4}, last_date[] = {5}, some[] = {0, 1, 2, 50, 51, 299}, none[] = {0};
    static const uint32_t orders[][3] = {{1, 2, 0}, {0, 1, 2}, {2, 1, 0}, {2, 0, 1}};
    fill_wide(&w);
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        struct vf_cube *cube = make_small(wide_states, WIDE_STATES, w.keys, 3, w.values, FEW, (enum vf_cube_layout)layout);
        const struct vf_cube_pick picks[][3] = {{{NULL, 0}, {NULL, 0}, {NULL, 0}},
                                                {{some_dates, 3}, {NULL, 0}, {NULL, 0}},
                                                {{last_date, 1}, {some, 6}, {NULL, 0}},
                                                {{some_dates, 3}, {some, 6}, {some, 6}},
                                                {{NULL, 0}, {NULL, 0}, {some, 6}},
                                                {{none, 0}, {NULL, 0}, {NULL, 0}}};
        for (size_t p = 0; p < sizeof picks / sizeof *picks; p++)
            for (int order = 0; order < 4; order++)
                for (size_t n_kept = 1; n_kept <= 3; n_kept++)
                    ask_wide(cube, &w, picks[p], orders[order], n_kept);
        /* limits: an array of cells is told before, a list when it is known how long it is */
        struct vf_column out[3 + WIDE_OUT];
        CHECK_POISON(out);
        struct vf_cube_query query = {.kept = orders[0], .n_kept = 3, .memory_limit = 100};
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
        CHECK(strstr(check_error.message, "the limit is 100") != NULL);
        query.memory_limit = UINT64_C(1) << 30;
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK_I64(out[0].array.length, FEW);
        for (size_t c = 0; c < 3 + WIDE_OUT; c++)
            check_release(&out[c]);
        query = (struct vf_cube_query){.kept = orders[0], .n_kept = 1, .memory_limit = 100};
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
        query.n_kept = 4;
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_ARGUMENT);
        /* states in an order of the caller's, one of them twice, and none */
        static const uint32_t chosen[] = {2, 0, 2};
        query = (struct vf_cube_query){.states = chosen, .n_states = 3};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK(strcmp(out[0].schema.name, "least") == 0 && strcmp(out[0].schema.format, "L") == 0);
        CHECK(check_i64(&out[0], 0) == check_i64(&out[2], 0) && check_i64(&out[1], 0) == 2 * FEW);
        for (size_t c = 0; c < 3; c++)
            check_release(&out[c]);
        query = (struct vf_cube_query){.states = chosen, .n_states = 0};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        vf_cube_close(cube);
    }
}

/* One date and cell, row after row; what joins must not depend on the layout, nor on whether it joined when it was added
   or when it was asked for. */
static void test_what_joins_by_hand(void) {
    enum { ROWS = 5 };
    static const int64_t one_date[ROWS] = {1, 1, 1, 1, 1}, dates[ROWS] = {1, 2, 3, 4, 5}, order[ROWS] = {7, 7, 3, 7, 5},
                         value[ROWS] = {10, 20, 30, 40, 50}, big[ROWS] = {INT64_MAX, 2, 0, 5, 7},
                         big_later[ROWS] = {INT64_MAX, 2, 1, 5, 0}, too_big[ROWS] = {INT64_MAX, -2, 1, 1, 1}, one[ROWS] = {1, 1, 1, 1, 1};
    static const double nan_first[ROWS] = {-(double)NAN, 3, 2, (double)NAN, 4}, only_nan[ROWS] = {NAN, NAN, NAN, NAN, NAN},
                        half[ROWS] = {0.5, -0.75, 0.5, 0.5, 0.5}, with_zero[ROWS] = {0.5, 0, 0.5, 0.5, 0.5},
                        with_inf[ROWS] = {0.5, INFINITY, -0.5, 0.5, 0.5}, zeros[ROWS] = {0};
    static const uint8_t some[1] = {0x16}; /* rows 1, 2, 4 */
    static const struct vf_cube_state s[] = {
        {VF_CUBE_MIN, "min"},           {VF_CUBE_MAX, "max"},          {VF_CUBE_MIN, "nans"},
        {VF_CUBE_FIRST, "first"},       {VF_CUBE_LAST, "last"},        {VF_CUBE_LAST, "known"},
        {VF_CUBE_PRODUCT_INT, "zero"},  {VF_CUBE_PRODUCT_INT, "late"}, {VF_CUBE_PRODUCT_FLOAT, "halves"},
        {VF_CUBE_PRODUCT_FLOAT, "none"}, {VF_CUBE_PRODUCT_FLOAT, "inf"}};
    enum { S = sizeof s / sizeof *s };
    for (int round = 0; round < 4; round++) {
        struct check_column c[32], *at = c;
        bool apart = round >= 2;
        struct vf_series keys[1] = {*check_series(at++, "l", "date", ROWS, NULL, apart ? dates : one_date, NULL)}, v[24];
        size_t n = 0;
        v[n++] = *check_series(at++, "g", "min", ROWS, NULL, nan_first, NULL);
        v[n++] = *check_series(at++, "g", "max", ROWS, NULL, nan_first, NULL);
        v[n++] = *check_series(at++, "g", "nans", ROWS, NULL, only_nan, NULL);
        for (int k = 0; k < 3; k++) {
            v[n++] = *check_series(at++, "l", "value", ROWS, NULL, value, NULL);
            v[n++] = *check_series(at++, "l", "order", ROWS, k == 2 ? some : NULL, order, NULL);
        }
        v[n++] = *check_series(at++, "l", "zero", ROWS, NULL, big, NULL);
        v[n++] = *check_series(at++, "l", "late", ROWS, NULL, big_later, NULL);
        const double *const mantissas[3] = {half, with_zero, with_inf};
        for (int k = 0; k < 3; k++) {
            v[n++] = *check_series(at++, "g", "hi", ROWS, NULL, mantissas[k], NULL);
            v[n++] = *check_series(at++, "g", "lo", ROWS, NULL, zeros, NULL);
            v[n++] = *check_series(at++, "l", "e", ROWS, NULL, one, NULL);
        }
        struct vf_cube *cube = make_small(s, S, keys, 1, v, ROWS, round % 2 == 0 ? VF_CUBE_DENSE : VF_CUBE_SPARSE);
        struct vf_column out[S + 6];
        CHECK_POISON(out);
        const struct vf_cube_query query = {.n_kept = 0};
        CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
        CHECK_F64(check_f64(&out[0], 0), 2);
        CHECK_F64(check_f64(&out[1], 0), 4);
        CHECK(check_valid(&out[2], 0) && isnan(check_f64(&out[2], 0)));
        CHECK_I64(check_i64(&out[3], 0), apart ? 10 : 30); /* the least (date, order) */
        CHECK_I64(check_i64(&out[4], 0), apart ? 50 : 40); /* the greatest; of equal ones the one added last */
        CHECK_I64(check_i64(&out[5], 0), apart ? 50 : 20); /* of the rows that are there */
        CHECK_I64(check_i64(&out[6], 0), 0);               /* a zero forgives what left int64 before */
        CHECK_I64(check_i64(&out[7], 0), 0);
        /* 0.5 * -0.75 * 0.5 * 0.5 * 0.5 = -3 * 2^-6, times 2^5 */
        CHECK_F64(ldexp(check_f64(&out[8], 0), (int)check_i64(&out[10], 0)), -1.5);
        CHECK_F64(check_f64(&out[11], 0), 0);
        CHECK_F64(check_f64(&out[14], 0), -INFINITY);
        for (size_t k = 0; k < S + 6; k++)
            check_release(&out[k]);
        vf_cube_close(cube);
        struct vf_cube_state product[1] = {{VF_CUBE_PRODUCT_INT, "product"}};
        struct vf_series factors[1] = {*check_series(at++, "l", "product", ROWS, NULL, too_big, NULL)};
        cube = make_small(product, 1, keys, 1, factors, ROWS, round % 2 == 0 ? VF_CUBE_DENSE : VF_CUBE_SPARSE);
        CHECK_STATUS(vf_cube_query(cube, &query, out, &check_error), VF_ERROR_OVERFLOW);
        CHECK(strstr(check_error.message, "the integer product of 1 cell") != NULL);
        CHECK_I64(vf_cube_query(cube, &query, out, NULL), VF_ERROR_OVERFLOW);
        vf_cube_close(cube);
    }
}

/* More cells in a date than one thread's piece of the running sums: each is summed over the dates. */
static void test_slabs_of_more_than_one_block(void) {
    enum { CELLS = 40000 };
    static int64_t date[2 * CELLS], key[2 * CELLS], n[2 * CELLS];
    struct check_column c[3];
    for (int64_t i = 0; i < 2 * CELLS; i++) {
        date[i] = i / CELLS;
        key[i] = i % CELLS;
        n[i] = 1 + i % 5;
    }
    struct vf_series keys[2] = {*check_series(&c[0], "l", "date", 2 * CELLS, NULL, date, NULL),
                                *check_series(&c[1], "l", "key", 2 * CELLS, NULL, key, NULL)};
    struct vf_series values[1] = {*check_series(&c[2], "l", "n", 2 * CELLS, NULL, n, NULL)};
    const struct vf_cube_state count[1] = {{VF_CUBE_ADD_INT, "n"}};
    struct vf_cube *cube = make_small(count, 1, keys, 2, values, 2 * CELLS, VF_CUBE_DENSE);
    static const uint32_t kept[1] = {1};
    const struct vf_cube_query query = {.kept = kept, .n_kept = 1};
    struct vf_column out[2];
    int64_t wrong = 0;
    CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
    CHECK_I64(out[0].array.length, CELLS);
    for (int64_t i = 0; i < out[0].array.length; i++)
        wrong += check_u32(&out[0], i) != i || check_i64(&out[1], i) != n[i] + n[i + CELLS];
    CHECK_I64(wrong, 0);
    check_release(&out[0]);
    check_release(&out[1]);
    vf_cube_close(cube);
}

/* Sums that fill their words to the last bit, of both signs; and values of which nothing is finite. */
static void test_sums_that_fill_their_words(void) {
    static const int64_t date[2] = {1, 2};
    static const double zeros[2] = {0, 0};
    static const struct {
        double x[2], hi, lo;
    } cases[] = {{{0x1p63, 1}, 0x1p63, 1},
                 {{-0x1p63, -1}, -0x1p63, -1},
                 {{0x1p64, -1}, 0x1p64, -1},
                 {{0x1p127, -1}, 0x1p127, -1},
                 {{1.7e308, 1.7e308}, INFINITY, 0},
                 {{INFINITY, 1}, INFINITY, 0},
                 {{-INFINITY, -INFINITY}, -INFINITY, 0},
                 {{-INFINITY, INFINITY}, NAN, 0},
                 {{NAN, 1}, NAN, 0},
                 {{0, 0}, 0, 0},
                 {{5e-324, -5e-324}, 0, 0},
                 {{5e-324, 5e-324}, 1e-323, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
            struct check_column c[3];
            struct vf_series keys[1] = {*check_series(&c[0], "l", "date", 2, NULL, date, NULL)};
            struct vf_series values[2] = {*check_series(&c[1], "g", "x.hi", 2, NULL, cases[k].x, NULL),
                                          *check_series(&c[2], "g", "x.lo", 2, NULL, zeros, NULL)};
            struct vf_cube *cube = make_small(sum_only, 1, keys, 1, values, 2, (enum vf_cube_layout)layout);
            struct vf_column out[2];
            const struct vf_cube_query query = {.n_kept = 0};
            CHECK_OK(vf_cube_query(cube, &query, out, &check_error));
            CHECK_F64(check_f64(&out[0], 0), cases[k].hi);
            CHECK_F64(check_f64(&out[1], 0), cases[k].lo);
            check_release(&out[0]);
            check_release(&out[1]);
            vf_cube_close(cube);
        }
}

/* A second reading that brings what the first did not: a value finer than the words reach, or not finite. */
static void test_values_that_were_not_learnt(void) {
    static const int64_t date[2] = {1, 2};
    static const double learnt[2] = {2, 4}, zeros[2] = {0, 0};
    static const double others[][2] = {{1, 4}, {2, INFINITY}, {NAN, 4}, {0x1p-70, 4}, {2, 4e300}};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
        struct check_column c[4];
        struct vf_series keys[1] = {*check_series(&c[0], "l", "date", 2, NULL, date, NULL)};
        struct vf_series values[2] = {*check_series(&c[1], "g", "x.hi", 2, NULL, learnt, NULL),
                                      *check_series(&c[2], "g", "x.lo", 2, NULL, zeros, NULL)};
        struct vf_cube *cube = NULL;
        CHECK_OK(vf_cube_open(NULL, 1, sum_only, 1, &cube, &check_error));
        CHECK_OK(vf_cube_learn(cube, keys, values, 2, &check_error));
        CHECK_OK(vf_cube_build(cube, VF_CUBE_DENSE, 0, &check_error));
        values[0] = *check_series(&c[3], "g", "x.hi", 2, NULL, others[k], NULL);
        enum vf_status status = vf_cube_add(cube, keys, values, 2, &check_error);
        if (status == VF_OK) status = vf_cube_finish(cube, &check_error);
        CHECK_I64(status, VF_ERROR_REPLAY);
        vf_cube_close(cube);
    }
}

/* A day without rows is on the axis of dates, in both layouts, and its cell is empty; no row is counted for it. */
static void test_values_without_rows(void) {
    static const int64_t date[2] = {1, 3}, count[2] = {4, 5}, days[3] = {2, 3, 9};
    static const uint8_t valid[1] = {0x3};
    static const struct vf_cube_state state = {VF_CUBE_ADD_INT, "n"};
    static const uint32_t kept[1] = {0}, at[1] = {2};
    for (int layout = VF_CUBE_DENSE; layout <= VF_CUBE_SPARSE; layout++) {
        struct check_column c[4];
        struct vf_cube_size size;
        struct vf_column axis, out[2];
        struct vf_series keys = *check_series(&c[0], "l", "date", 2, NULL, date, NULL);
        struct vf_series values = *check_series(&c[1], "l", "n", 2, NULL, count, NULL);
        struct vf_series more = *check_series(&c[2], "l", "date", 3, valid, days, NULL);
        struct vf_series other = *check_series(&c[3], "i", "date", 3, NULL, days, NULL);
        struct vf_cube *cube = NULL;
        CHECK_OK(vf_cube_open(NULL, 1, &state, 1, &cube, &check_error));
        CHECK_I64(vf_cube_learn_axis(cube, 0, &more, 3, &check_error), VF_ERROR_STATE); /* no types yet */
        CHECK_OK(vf_cube_learn(cube, &keys, &values, 2, &check_error));
        CHECK_I64(vf_cube_learn_axis(cube, 1, &more, 3, &check_error), VF_ERROR_ARGUMENT);
        CHECK_I64(vf_cube_learn_axis(cube, 0, NULL, 3, &check_error), VF_ERROR_ARGUMENT);
        CHECK_I64(vf_cube_learn_axis(cube, 0, &more, -1, &check_error), VF_ERROR_ARGUMENT);
        CHECK_I64(vf_cube_learn_axis(cube, 0, &more, 2, &check_error), VF_ERROR_ARGUMENT);
        CHECK_I64(vf_cube_learn_axis(cube, 0, &other, 3, &check_error), VF_ERROR_TYPE);
        CHECK_OK(vf_cube_learn_axis(cube, 0, &more, 3, &check_error)); /* 2, 3, null */
        CHECK_OK(vf_cube_size(cube, &size, &check_error));
        CHECK_I64(size.n_rows, 2);
        CHECK_I64((int64_t)size.lengths[0], 4);
        CHECK_OK(vf_cube_build(cube, (enum vf_cube_layout)layout, 0, &check_error));
        CHECK_I64(vf_cube_learn_axis(cube, 0, &more, 3, &check_error), VF_ERROR_STATE);
        CHECK_OK(vf_cube_add(cube, &keys, &values, 2, &check_error));
        CHECK_OK(vf_cube_finish(cube, &check_error));
        CHECK_OK(vf_cube_axis(cube, 0, &axis, &check_error));
        CHECK_I64(axis.array.length, 4);
        vf_column_release(&axis);
        struct vf_cube_query all = {.kept = kept, .n_kept = 1};
        CHECK_OK(vf_cube_query(cube, &all, out, &check_error));
        CHECK_I64(out[0].array.length, 2);
        CHECK_I64(check_i64(&out[1], 0), 4);
        CHECK_I64(check_i64(&out[1], 1), 5);
        for (int i = 0; i < 2; i++)
            vf_column_release(&out[i]);
        const struct vf_cube_pick pick = {at, 1};
        struct vf_cube_query one = {.picks = &pick};
        CHECK_OK(vf_cube_query(cube, &one, out, &check_error));
        CHECK_I64(check_i64(&out[0], 0), 0);
        vf_column_release(&out[0]);
        vf_cube_close(cube);
    }
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
            check_release(&out[c]);
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
    test_forged_headers_are_refused();
    test_more_words_than_can_be_counted_are_refused();
    test_parts_of_another_form_are_refused();
    test_few_rows_in_many_cells();
    test_what_joins_by_hand();
    test_slabs_of_more_than_one_block();
    test_sums_that_fill_their_words();
    test_values_that_were_not_learnt();
    test_values_without_rows();
    test_exponents_past_any_product();
    return check_report("cube");
}
