/* The table of operations; see ops.h.
   Not for how a state is kept: finishing reads it, and only float sums know more than their own bytes. */
#include "agg/ops.h"

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

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

#define NEED(x) (1u << VF__NEED_##x)
#define KIND(x) (1u << VF__VALUE_##x)
#define WHOLE (KIND(NULL) | KIND(BOOL) | KIND(INT) | KIND(UINT64))
#define NUMBERS (WHOLE | KIND(FLOAT) | KIND(DURATION))
#define FLOATS                                                                                               \
    (KIND(NULL) | KIND(BOOL) | KIND(INT) | KIND(FLOAT)) /* read as doubles; uint64 is read as raw words */
#define FIXED (NUMBERS | KIND(TIME))

static const struct op {
    const char *name;
    unsigned needs, accepts;
    enum vf__gives gives;
    bool (*finish)(const struct finish *f, struct vf__result *r);
    unsigned least_more, accepts_more[2];
} ops[] = {
    [VF_AGG_LEN] = {"len", NEED(ROWS), 0, VF__GIVES_INT, finish_len, 0, {0, 0}},
    [VF_AGG_COUNT] = {"count", NEED(ROWS) | NEED(NULLS), UINT_MAX, VF__GIVES_INT, finish_count, 0, {0, 0}},
    [VF_AGG_NULL_COUNT] = {"null_count", NEED(NULLS), UINT_MAX, VF__GIVES_INT, finish_null_count, 0, {0, 0}},
    [VF_AGG_SUM] = {"sum", NEED(SUM), NUMBERS, VF__GIVES_INT, finish_sum, 0, {0, 0}},
    [VF_AGG_MEAN] =
        {"mean", NEED(SUM) | NEED(ROWS) | NEED(NULLS), NUMBERS, VF__GIVES_FLOAT, finish_mean, 0, {0, 0}},
    [VF_AGG_MIN] =
        {"min", NEED(MIN) | NEED(ROWS) | NEED(NULLS), FIXED, VF__GIVES_SAME, finish_extreme, 0, {0, 0}},
    [VF_AGG_MAX] =
        {"max", NEED(MAX) | NEED(ROWS) | NEED(NULLS), FIXED, VF__GIVES_SAME, finish_extreme, 0, {0, 0}},
    [VF_AGG_PRODUCT] = {"product", NEED(OWN), WHOLE | KIND(FLOAT), VF__GIVES_INT, finish_product, 0, {0, 0}},
    [VF_AGG_FIRST] = {"first", NEED(OWN), FIXED, VF__GIVES_SAME, finish_place, 0, {KIND(BOOL), 0}},
    [VF_AGG_LAST] = {"last", NEED(OWN), FIXED, VF__GIVES_SAME, finish_place, 0, {KIND(BOOL), 0}},
    [VF_AGG_SQUARES] = {"squares", NEED(OWN), FLOATS, VF__GIVES_FLOAT, finish_own_sum, 0, {0, 0}},
    [VF_AGG_DOT] = {"dot", NEED(OWN), FLOATS, VF__GIVES_FLOAT, finish_own_sum, 1, {FLOATS, 0}},
    [VF_AGG_ADD_PAIR] =
        {"add_pair", NEED(OWN), KIND(FLOAT), VF__GIVES_FLOAT, finish_own_sum, 1, {KIND(FLOAT), 0}},
    [VF_AGG_MERGE_FIRST] =
        {"merge_first", NEED(OWN), FIXED, VF__GIVES_SAME, finish_place, 2, {KIND(TIME), KIND(INT)}},
    [VF_AGG_MERGE_LAST] =
        {"merge_last", NEED(OWN), FIXED, VF__GIVES_SAME, finish_place, 2, {KIND(TIME), KIND(INT)}},
    [VF_AGG_MERGE_PRODUCT] = {"merge_product",
                              NEED(OWN),
                              KIND(FLOAT),
                              VF__GIVES_FLOAT,
                              finish_product,
                              2,
                              {KIND(FLOAT), KIND(INT)}},
};

bool vf__op_known(enum vf_agg_op op) {
    return (unsigned)op < sizeof ops / sizeof *ops;
}

const char *vf__op_name(enum vf_agg_op op) {
    return ops[op].name;
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
    return op == VF_AGG_MERGE_PRODUCT || (op == VF_AGG_PRODUCT && kind == VF__VALUE_FLOAT);
}

enum vf__gives vf__op_gives(enum vf_agg_op op, enum vf__value_kind kind) {
    bool totals = op == VF_AGG_SUM || op == VF_AGG_MEAN, product = op == VF_AGG_PRODUCT;
    if (totals && kind == VF__VALUE_DURATION) return VF__GIVES_SAME;
    if ((op == VF_AGG_SUM || product) && kind == VF__VALUE_FLOAT) return VF__GIVES_FLOAT;
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
    switch (op) {
    case VF_AGG_MEAN:
        return VF__STORED_NOT;
    case VF_AGG_SUM:
        return kind == VF__VALUE_FLOAT ? VF__STORED_PAIR : VF__STORED_VALUE;
    case VF_AGG_SQUARES:
    case VF_AGG_DOT:
    case VF_AGG_ADD_PAIR:
        return VF__STORED_PAIR;
    case VF_AGG_FIRST:
    case VF_AGG_LAST:
    case VF_AGG_MERGE_FIRST:
    case VF_AGG_MERGE_LAST:
        return VF__STORED_PLACE;
    case VF_AGG_PRODUCT:
        return kind == VF__VALUE_FLOAT ? VF__STORED_PARTS : VF__STORED_VALUE;
    case VF_AGG_MERGE_PRODUCT:
        return VF__STORED_PARTS;
    default:
        return VF__STORED_VALUE;
    }
}

static const void *own_state(const struct vf__leaf *leaf, const struct vf__states *states, size_t group) {
    enum vf__need need = leaf->op == VF_AGG_SUM ? VF__NEED_SUM : VF__NEED_OWN;
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

static enum vf__state_kind own_kind(enum vf_agg_op op, bool real, bool raw) {
    switch (op) {
    case VF_AGG_PRODUCT:
        return real ? VF__STATE_FLOAT_PRODUCT : raw ? VF__STATE_UINT_PRODUCT : VF__STATE_INT_PRODUCT;
    case VF_AGG_MERGE_PRODUCT:
        return VF__STATE_PARTS_PRODUCT;
    case VF_AGG_FIRST:
        return real ? VF__STATE_FIRST_FLOAT : VF__STATE_FIRST_INT;
    case VF_AGG_LAST:
        return real ? VF__STATE_LAST_FLOAT : VF__STATE_LAST_INT;
    case VF_AGG_MERGE_FIRST:
        return real ? VF__STATE_MERGED_FIRST_FLOAT : VF__STATE_MERGED_FIRST_INT;
    case VF_AGG_MERGE_LAST:
        return real ? VF__STATE_MERGED_LAST_FLOAT : VF__STATE_MERGED_LAST_INT;
    case VF_AGG_SQUARES:
        return VF__STATE_SQUARES;
    case VF_AGG_DOT:
        return VF__STATE_DOT;
    default:
        return VF__STATE_PAIR;
    }
}

static enum vf__state_kind state_kind(enum vf__need need, const struct vf__leaf *leaf) {
    bool real = leaf->kind == VF__VALUE_FLOAT, raw = leaf->kind == VF__VALUE_UINT64;
    switch (need) {
    case VF__NEED_NULLS:
        return VF__STATE_NULLS;
    case VF__NEED_SUM:
        return real ? VF__STATE_FLOAT_SUM : raw ? VF__STATE_UINT_SUM : VF__STATE_INT_SUM;
    case VF__NEED_MIN:
        return real ? VF__STATE_FLOAT_MIN : raw ? VF__STATE_UINT_MIN : VF__STATE_INT_MIN;
    case VF__NEED_MAX:
        return real ? VF__STATE_FLOAT_MAX : raw ? VF__STATE_UINT_MAX : VF__STATE_INT_MAX;
    case VF__NEED_OWN:
        return own_kind(leaf->op, real, raw);
    default:
        return VF__STATE_ROWS;
    }
}

enum vf__reads vf__state_reads(enum vf__state_kind kind) {
    switch (kind) {
    case VF__STATE_ROWS:
        return VF__READS_NOTHING;
    case VF__STATE_NULLS:
        return VF__READS_VALID;
    case VF__STATE_FLOAT_SUM:
    case VF__STATE_FLOAT_MIN:
    case VF__STATE_FLOAT_MAX:
    case VF__STATE_SQUARES:
    case VF__STATE_DOT:
    case VF__STATE_PAIR:
    case VF__STATE_FLOAT_PRODUCT:
    case VF__STATE_PARTS_PRODUCT:
    case VF__STATE_FIRST_FLOAT:
    case VF__STATE_LAST_FLOAT:
    case VF__STATE_MERGED_FIRST_FLOAT:
    case VF__STATE_MERGED_LAST_FLOAT:
        return VF__READS_FLOATS;
    default:
        return VF__READS_INTS;
    }
}

enum vf__reads vf__state_reads_more(enum vf__state_kind kind, size_t i) {
    bool parts = kind == VF__STATE_PARTS_PRODUCT && i == 0;
    return kind == VF__STATE_DOT || kind == VF__STATE_PAIR || parts ? VF__READS_FLOATS : VF__READS_INTS;
}

static size_t state_index(struct vf__layout *layout, enum vf__state_kind kind, uint32_t value,
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
