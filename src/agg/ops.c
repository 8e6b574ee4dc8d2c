/* The table of operations; see ops.h.
   Not for how a state is kept: finishing reads it, and only float sums know more than their own bytes. */
#include "agg/ops.h"

#include "agg/loops.h"

#include <float.h>
#include <limits.h>
#include <math.h>

/* ---- finishing --------------------------------------------------------------------------------------------------------- */

struct finish {
    const struct vf__leaf *leaf;
    const unsigned char *row;
    const struct vf__spills *spills;
};

static const void *state_of(const struct finish *f, enum vf__need need) {
    return f->row + f->leaf->at[need];
}

static int64_t count_of(const struct finish *f, enum vf__need need) {
    int64_t n;
    memcpy(&n, state_of(f, need), sizeof n);
    return n;
}

static int64_t values_of(const struct finish *f) {
    return count_of(f, VF__NEED_ROWS) - count_of(f, VF__NEED_NULLS);
}

static bool finish_len(const struct finish *f, struct vf__result *r) {
    r->whole = count_of(f, VF__NEED_ROWS);
    return true;
}

static bool finish_count(const struct finish *f, struct vf__result *r) {
    r->whole = values_of(f);
    return true;
}

static bool finish_null_count(const struct finish *f, struct vf__result *r) {
    r->whole = count_of(f, VF__NEED_NULLS);
    return true;
}

static bool finish_sum(const struct finish *f, struct vf__result *r) {
    struct vf__wide sum;
    if (f->leaf->kind == VF__VALUE_FLOAT) {
        r->real = vf__fsum_value(state_of(f, VF__NEED_SUM), f->spills);
        return true;
    }
    memcpy(&sum, state_of(f, VF__NEED_SUM), sizeof sum);
    r->whole = (int64_t)sum.lo;
    return sum.hi == (r->whole < 0 ? UINT64_MAX : 0);
}

static bool finish_mean(const struct finish *f, struct vf__result *r) {
    int64_t n = values_of(f);
    struct vf__wide sum;
    r->valid = n > 0;
    if (n <= 0) return true;
    if (f->leaf->kind == VF__VALUE_FLOAT) {
        r->real = vf__fsum_mean(state_of(f, VF__NEED_SUM), f->spills, (uint64_t)n);
        return true;
    }
    memcpy(&sum, state_of(f, VF__NEED_SUM), sizeof sum);
    if (f->leaf->kind == VF__VALUE_DURATION)
        r->whole = vf__wide_divide(sum, (uint64_t)n);
    else
        r->real = vf__fixed_divide((const uint64_t[]){sum.lo, sum.hi}, 2, 0, (uint64_t)n);
    return true;
}

static bool finish_extreme(const struct finish *f, struct vf__result *r) {
    bool least = f->leaf->op == VF_AGG_MIN;
    int64_t best;
    memcpy(&best, state_of(f, least ? VF__NEED_MIN : VF__NEED_MAX), sizeof best);
    r->valid = values_of(f) > 0;
    if (!r->valid) return true;
    if (f->leaf->kind == VF__VALUE_FLOAT)
        r->real = best == (least ? INT64_MAX : INT64_MIN) ? (double)NAN : vf__float_of_rank(best);
    else
        r->whole = f->leaf->kind == VF__VALUE_UINT64 ? (int64_t)((uint64_t)best ^ VF__UINT_FLIP) : best;
    return true;
}

static bool finish_product(const struct finish *f, struct vf__result *r) {
    if (f->leaf->kind != VF__VALUE_FLOAT) return vf__int_product_value(state_of(f, VF__NEED_OWN), &r->whole);
    r->real = vf__float_product_value(state_of(f, VF__NEED_OWN));
    return true;
}

static bool finish_place(const struct finish *f, struct vf__result *r) {
    const struct vf__at *at = state_of(f, VF__NEED_OWN);
    r->valid = (at->has & VF__AT_VALUE) != 0;
    r->whole = at->word;
    memcpy(&r->real, &at->word, sizeof r->real);
    return true;
}

static bool finish_own_sum(const struct finish *f, struct vf__result *r) {
    r->real = vf__fsum_value(state_of(f, VF__NEED_OWN), f->spills);
    return true;
}

/* ---- states of one operation alone: what a row adds to them -------------------------------------------------------- */

/* Adds x * y exactly, as two doubles. Where the product leaves float64 there is nothing to add to it. */
static inline bool add_product(struct vf__fsum *sum, double x, double y, struct vf__spills *spills) {
    double product = x * y;
    if (!vf__fsum_add(sum, product, spills)) return false;
    return !isfinite(product) || vf__fsum_add(sum, fma(x, y, -product), spills);
}

static inline double value_or_zero(const struct vf__run *r, const double *values, size_t i) {
    return r->valid == NULL || r->valid[i] != 0 ? values[i] : 0.0;
}

static bool squares_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    bool ok = true;
    for (size_t i = 0; i < r.n; i++) {
        double x = value_or_zero(&r, b->floats, i);
        ok &= add_product(vf__state_at(&r, i), x, x, spills);
    }
    return ok;
}

static bool dot_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    bool ok = true;
    for (size_t i = 0; i < r.n; i++) {
        bool both = vf__row_valid(r.valid, i) && vf__row_valid(b->more[0].valid, i);
        ok &= add_product(vf__state_at(&r, i), both ? b->floats[i] : 0.0, both ? b->more[0].floats[i] : 0.0,
                          spills);
    }
    return ok;
}

/* hi and lo, but for an infinite hi, whose lo is something else. */
static bool pair_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    const double *hi = b->floats, *lo = b->more[0].floats;
    bool ok = true;
    for (size_t i = 0; i < r.n; i++) {
        struct vf__fsum *sum = vf__state_at(&r, i);
        if (VF__UNLIKELY(!vf__row_valid(r.valid, i))) continue;
        double low = vf__row_valid(b->more[0].valid, i) ? lo[i] : 0.0;
        if (VF__UNLIKELY(!(fabs(hi[i]) <= DBL_MAX)))
            ok &= vf__fsum_join(sum, hi[i], low, spills);
        else
            ok &= vf__fsum_add(sum, hi[i], spills) && vf__fsum_add(sum, low, spills);
    }
    return ok;
}

static const struct vf__state_kind squares_kind = {
    sizeof(struct vf__fsum), VF__START_FSUM, squares_update, vf__float_sum_merge, VF__READS_FLOATS, {0}};
static const struct vf__state_kind dot_kind = {
    sizeof(struct vf__fsum), VF__START_FSUM, dot_update, vf__float_sum_merge, VF__READS_FLOATS,
    {VF__READS_FLOATS}};
static const struct vf__state_kind pair_kind = {
    sizeof(struct vf__fsum), VF__START_FSUM, pair_update, vf__float_sum_merge, VF__READS_FLOATS,
    {VF__READS_FLOATS}};

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

#define NEED(x) (1u << VF__NEED_##x)
#define KIND(x) (1u << VF__VALUE_##x)
#define WHOLE (KIND(NULL) | KIND(BOOL) | KIND(INT) | KIND(UINT64))
#define NUMBERS (WHOLE | KIND(FLOAT) | KIND(DURATION))
#define FLOATS                                                                                               \
    (KIND(NULL) | KIND(BOOL) | KIND(INT) | KIND(FLOAT)) /* read as doubles; uint64 is read as raw words */
#define FIXED (NUMBERS | KIND(TIME))

/* Of a column of whole numbers (booleans, dates and times too), of one of uint64, of one of doubles. */
enum width { WIDTH_WHOLE, WIDTH_RAW, WIDTH_REAL, N_WIDTHS };
#define ALL(x)                                                                                               \
    { x, x, x }
#define CAST_FIRST "it takes numbers and booleans; cast it first"
#define CAST_OR_DURATION "it takes numbers, booleans and durations; cast it first"
#define CAST_TO_FLOAT "cast it to Float64 first"
#define NO_TEXT "it takes numbers, booleans, dates, times and durations; put a string into the keys"
#define ONLY_STATES "it takes the columns that vf_agg_states gives"

/* One line an operation: all that is known of it but the loops, which its state kinds have (states.c). */
static const struct op {
    unsigned needs, accepts; /* states, as bits; types of its column, as bits: 0 takes none */
    bool (*finish)(const struct finish *f, struct vf__result *r);
    enum vf__gives gives;
    bool same_of_durations; /* whatever `gives` says, a duration gives a duration */
    bool real_of_reals;     /* and a double a double */
    enum vf__stored stored[N_WIDTHS];
    const struct vf__state_kind *own[N_WIDTHS]; /* what VF__NEED_OWN stands for */
    unsigned in_order;                          /* types whose result depends on the order of the rows */
    const char *advice;                         /* what to do about a type that is refused */
    unsigned least_more, accepts_more[2];
} ops[] = {
    [VF_AGG_LEN] = {NEED(ROWS), 0, finish_len, VF__GIVES_INT, .stored = ALL(VF__STORED_VALUE)},
    [VF_AGG_COUNT] = {NEED(ROWS) | NEED(NULLS), UINT_MAX, finish_count, VF__GIVES_INT,
                      .stored = ALL(VF__STORED_VALUE)},
    [VF_AGG_NULL_COUNT] = {NEED(NULLS), UINT_MAX, finish_null_count, VF__GIVES_INT,
                           .stored = ALL(VF__STORED_VALUE)},
    [VF_AGG_SUM] = {NEED(SUM), NUMBERS, finish_sum, VF__GIVES_INT, true, true,
                    .stored = {VF__STORED_VALUE, VF__STORED_VALUE, VF__STORED_PAIR},
                    .advice = CAST_OR_DURATION},
    [VF_AGG_MEAN] = {NEED(SUM) | NEED(ROWS) | NEED(NULLS), NUMBERS, finish_mean, VF__GIVES_FLOAT, true,
                     .stored = ALL(VF__STORED_NOT), .advice = CAST_OR_DURATION},
    [VF_AGG_MIN] = {NEED(MIN) | NEED(ROWS) | NEED(NULLS), FIXED, finish_extreme, VF__GIVES_SAME,
                    .stored = ALL(VF__STORED_VALUE), .advice = NO_TEXT},
    [VF_AGG_MAX] = {NEED(MAX) | NEED(ROWS) | NEED(NULLS), FIXED, finish_extreme, VF__GIVES_SAME,
                    .stored = ALL(VF__STORED_VALUE), .advice = NO_TEXT},
    [VF_AGG_PRODUCT] = {NEED(OWN), WHOLE | KIND(FLOAT), finish_product, VF__GIVES_INT, .real_of_reals = true,
                        .stored = {VF__STORED_VALUE, VF__STORED_VALUE, VF__STORED_PARTS},
                        .own = {&vf__int_product_kind, &vf__uint_product_kind, &vf__float_product_kind},
                        .in_order = KIND(FLOAT), .advice = CAST_FIRST},
    [VF_AGG_FIRST] = {NEED(OWN), FIXED, finish_place, VF__GIVES_SAME, .stored = ALL(VF__STORED_PLACE),
                      .own = {&vf__first_int_kind, &vf__first_int_kind, &vf__first_float_kind},
                      .advice = NO_TEXT, .accepts_more = {KIND(BOOL)}},
    [VF_AGG_LAST] = {NEED(OWN), FIXED, finish_place, VF__GIVES_SAME, .stored = ALL(VF__STORED_PLACE),
                     .own = {&vf__last_int_kind, &vf__last_int_kind, &vf__last_float_kind}, .advice = NO_TEXT,
                     .accepts_more = {KIND(BOOL)}},
    [VF_AGG_SQUARES] = {NEED(OWN), FLOATS, finish_own_sum, VF__GIVES_FLOAT, .stored = ALL(VF__STORED_PAIR),
                        .own = ALL(&squares_kind), .advice = CAST_TO_FLOAT},
    [VF_AGG_DOT] = {NEED(OWN), FLOATS, finish_own_sum, VF__GIVES_FLOAT, .stored = ALL(VF__STORED_PAIR),
                    .own = ALL(&dot_kind), .advice = CAST_TO_FLOAT, .least_more = 1,
                    .accepts_more = {FLOATS}},
    [VF_AGG_ADD_PAIR] = {NEED(OWN), KIND(FLOAT), finish_own_sum, VF__GIVES_FLOAT,
                         .stored = ALL(VF__STORED_PAIR), .own = ALL(&pair_kind), .advice = ONLY_STATES,
                         .least_more = 1, .accepts_more = {KIND(FLOAT)}},
    [VF_AGG_MERGE_FIRST] = {NEED(OWN), FIXED, finish_place, VF__GIVES_SAME, .stored = ALL(VF__STORED_PLACE),
                            .own = {&vf__merged_first_int_kind, &vf__merged_first_int_kind,
                                    &vf__merged_first_float_kind},
                            .advice = ONLY_STATES, .least_more = 2, .accepts_more = {KIND(TIME), KIND(INT)}},
    [VF_AGG_MERGE_LAST] = {NEED(OWN), FIXED, finish_place, VF__GIVES_SAME, .stored = ALL(VF__STORED_PLACE),
                           .own = {&vf__merged_last_int_kind, &vf__merged_last_int_kind,
                                   &vf__merged_last_float_kind},
                           .advice = ONLY_STATES, .least_more = 2, .accepts_more = {KIND(TIME), KIND(INT)}},
    [VF_AGG_MERGE_PRODUCT] = {NEED(OWN), KIND(FLOAT), finish_product, VF__GIVES_FLOAT,
                              .stored = ALL(VF__STORED_PARTS), .own = ALL(&vf__parts_product_kind),
                              .in_order = KIND(FLOAT), .advice = ONLY_STATES, .least_more = 2,
                              .accepts_more = {KIND(FLOAT), KIND(INT)}},
};

/* The states that operations share. */
static const struct vf__state_kind *const shared[VF__NEED_OWN][N_WIDTHS] = {
    [VF__NEED_ROWS] = ALL(&vf__rows_kind),
    [VF__NEED_NULLS] = ALL(&vf__nulls_kind),
    [VF__NEED_SUM] = {&vf__int_sum_kind, &vf__uint_sum_kind, &vf__float_sum_kind},
    [VF__NEED_MIN] = {&vf__int_min_kind, &vf__uint_min_kind, &vf__float_min_kind},
    [VF__NEED_MAX] = {&vf__int_max_kind, &vf__uint_max_kind, &vf__float_max_kind},
};

static enum width width_of(enum vf__value_kind kind) {
    return kind == VF__VALUE_FLOAT ? WIDTH_REAL : kind == VF__VALUE_UINT64 ? WIDTH_RAW : WIDTH_WHOLE;
}

#define NAME(constant, value, text) [value] = text,
static const char *const names[] = {VF_AGG_OP_MAP(NAME)};
_Static_assert(sizeof names / sizeof *names == sizeof ops / sizeof *ops, "each operation has its line");

bool vf__op_known(enum vf_agg_op op) {
    return (unsigned)op < sizeof ops / sizeof *ops;
}

const char *vf__op_name(enum vf_agg_op op) {
    return names[op];
}

bool vf__op_takes_value(enum vf_agg_op op) {
    return ops[op].needs != NEED(ROWS);
}

bool vf__op_accepts(enum vf_agg_op op, enum vf__value_kind kind) {
    return (ops[op].accepts >> kind & 1) != 0;
}

size_t vf__op_most_more(enum vf_agg_op op) {
    return (size_t)(ops[op].accepts_more[0] != 0) + (ops[op].accepts_more[1] != 0);
}

size_t vf__op_least_more(enum vf_agg_op op) {
    return ops[op].least_more;
}

bool vf__op_accepts_more(enum vf_agg_op op, size_t i, enum vf__value_kind kind) {
    return (ops[op].accepts_more[i] >> kind & 1) != 0;
}

bool vf__op_in_order(enum vf_agg_op op, enum vf__value_kind kind) {
    return (ops[op].in_order >> kind & 1) != 0;
}

const char *vf__op_advice(enum vf_agg_op op) {
    return ops[op].advice;
}

enum vf__gives vf__op_gives(enum vf_agg_op op, enum vf__value_kind kind) {
    if (ops[op].same_of_durations && kind == VF__VALUE_DURATION) return VF__GIVES_SAME;
    if (ops[op].real_of_reals && kind == VF__VALUE_FLOAT) return VF__GIVES_FLOAT;
    return ops[op].gives;
}

bool vf__op_finish(const struct vf__leaf *leaf, const struct vf__states *states, size_t group,
                   struct vf__result *result) {
    struct finish f = {.leaf = leaf, .row = vf__states_row(states, group), .spills = &states->spills};
    *result = (struct vf__result){.valid = true};
    return ops[leaf->op].finish(&f, result);
}

/* ---- what is stored ------------------------------------------------------------------------------------------------------- */

enum vf__stored vf__op_stored(enum vf_agg_op op, enum vf__value_kind kind) {
    return ops[op].stored[width_of(kind)];
}

static const void *own_state(const struct vf__leaf *leaf, const struct vf__states *states, size_t group) {
    enum vf__need need = (ops[leaf->op].needs & NEED(OWN)) != 0 ? VF__NEED_OWN : VF__NEED_SUM;
    return vf__states_row(states, group) + leaf->at[need];
}

void vf__op_pair(const struct vf__leaf *leaf, const struct vf__states *states, size_t group, double *hi,
                 double *lo) {
    vf__fsum_split(own_state(leaf, states, group), &states->spills, hi, lo);
}

struct vf__at vf__op_place(const struct vf__leaf *leaf, const struct vf__states *states, size_t group) {
    return *(const struct vf__at *)own_state(leaf, states, group);
}

void vf__op_parts(const struct vf__leaf *leaf, const struct vf__states *states, size_t group, double *hi,
                  double *lo, int64_t *exponent) {
    vf__float_product_parts(own_state(leaf, states, group), hi, lo, exponent);
}

/* ---- states ---------------------------------------------------------------------------------------------------------------- */

size_t vf__ops_most_states(size_t n_leaves) {
    return n_leaves * VF__N_NEEDS;
}

static const struct vf__state_kind *state_kind(enum vf__need need, const struct vf__leaf *leaf) {
    enum width width = width_of(leaf->kind);
    return need == VF__NEED_OWN ? ops[leaf->op].own[width] : shared[need][width];
}

static size_t state_index(struct vf__layout *layout, const struct vf__state_kind *kind, uint32_t value,
                          const uint32_t *more) {
    size_t s = 0;
    for (; s < layout->n_states; s++) {
        const struct vf__state *state = &layout->states[s];
        if (state->kind == kind && state->value == value && state->more[0] == more[0] &&
            state->more[1] == more[1])
            return s;
    }
    layout->states[s] = (struct vf__state){.kind = kind, .value = value, .more = {more[0], more[1]}};
    layout->n_states++;
    return s;
}

/* Rows are a state of no column: they come first, under a column of their own. */
static void plan_column(struct vf__leaf *leaves, size_t n_leaves, uint32_t value, bool rows,
                        struct vf__layout *layout) {
    static const uint32_t none[2] = {0, 0};
    for (size_t l = 0; l < n_leaves; l++)
        for (int need = 0; need < VF__N_NEEDS; need++) {
            bool wanted = (ops[leaves[l].op].needs >> need & 1) != 0;
            if (!wanted || rows != (need == VF__NEED_ROWS) || (!rows && leaves[l].value != value)) continue;
            leaves[l].at[need] = (uint32_t)state_index(layout, state_kind((enum vf__need)need, &leaves[l]),
                                                       value, need == VF__NEED_OWN ? leaves[l].more : none);
        }
}

void vf__ops_plan(struct vf__leaf *leaves, size_t n_leaves, size_t n_values, struct vf__layout *layout) {
    layout->n_states = 0;
    plan_column(leaves, n_leaves, UINT32_MAX, true, layout);
    for (size_t v = 0; v < n_values; v++)
        plan_column(leaves, n_leaves, (uint32_t)v, false, layout);
    vf__layout_set(layout);
    for (size_t l = 0; l < n_leaves; l++)
        for (int need = 0; need < VF__N_NEEDS; need++)
            if ((ops[leaves[l].op].needs >> need & 1) != 0)
                leaves[l].at[need] = layout->states[leaves[l].at[need]].offset;
}
