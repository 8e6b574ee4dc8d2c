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

/* ---- the table ----------------------------------------------------------------------------------------------------------- */

#define NEED(x) (1u << VF__NEED_##x)
#define KIND(x) (1u << VF__VALUE_##x)
#define NUMBERS (KIND(NULL) | KIND(BOOL) | KIND(INT) | KIND(UINT64) | KIND(FLOAT) | KIND(DURATION))

static const struct op {
    const char *name;
    unsigned needs, accepts;
    enum vf__gives gives;
    bool (*finish)(const struct finish *f, struct vf__result *r);
} ops[] = {
    [VF_AGG_LEN] = {"len", NEED(ROWS), 0, VF__GIVES_INT, finish_len},
    [VF_AGG_COUNT] = {"count", NEED(ROWS) | NEED(NULLS), UINT_MAX, VF__GIVES_INT, finish_count},
    [VF_AGG_NULL_COUNT] = {"null_count", NEED(NULLS), UINT_MAX, VF__GIVES_INT, finish_null_count},
    [VF_AGG_SUM] = {"sum", NEED(SUM), NUMBERS, VF__GIVES_INT, finish_sum},
    [VF_AGG_MEAN] = {"mean", NEED(SUM) | NEED(ROWS) | NEED(NULLS), NUMBERS, VF__GIVES_FLOAT, finish_mean},
    [VF_AGG_MIN] = {"min", NEED(MIN) | NEED(ROWS) | NEED(NULLS), NUMBERS | KIND(TIME), VF__GIVES_SAME,
                    finish_extreme},
    [VF_AGG_MAX] = {"max", NEED(MAX) | NEED(ROWS) | NEED(NULLS), NUMBERS | KIND(TIME), VF__GIVES_SAME,
                    finish_extreme},
};

bool vf__op_known(enum vf_agg_op op) {
    return (unsigned)op < sizeof ops / sizeof *ops && ops[op].name != NULL;
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

enum vf__gives vf__op_gives(enum vf_agg_op op, enum vf__value_kind kind) {
    bool totals = op == VF_AGG_SUM || op == VF_AGG_MEAN;
    if (totals && kind == VF__VALUE_DURATION) return VF__GIVES_SAME;
    if (op == VF_AGG_SUM && kind == VF__VALUE_FLOAT) return VF__GIVES_FLOAT;
    return ops[op].gives;
}

bool vf__op_finish(const struct vf__leaf *leaf, const struct vf__states *states, size_t group,
                   struct vf__result *result) {
    struct finish f = {.leaf = leaf, .row = vf__states_row(states, group), .spills = &states->spills};
    *result = (struct vf__result){.valid = true};
    return ops[leaf->op].finish(&f, result);
}

/* ---- states ---------------------------------------------------------------------------------------------------------------- */

size_t vf__ops_most_states(size_t n_leaves) {
    return n_leaves * VF__N_NEEDS;
}

static enum vf__state_kind state_kind(enum vf__need need, enum vf__value_kind kind) {
    bool real = kind == VF__VALUE_FLOAT, raw = kind == VF__VALUE_UINT64;
    switch (need) {
    case VF__NEED_NULLS:
        return VF__STATE_NULLS;
    case VF__NEED_SUM:
        return real ? VF__STATE_FLOAT_SUM : raw ? VF__STATE_UINT_SUM : VF__STATE_INT_SUM;
    case VF__NEED_MIN:
        return real ? VF__STATE_FLOAT_MIN : raw ? VF__STATE_UINT_MIN : VF__STATE_INT_MIN;
    case VF__NEED_MAX:
        return real ? VF__STATE_FLOAT_MAX : raw ? VF__STATE_UINT_MAX : VF__STATE_INT_MAX;
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
        return VF__READS_FLOATS;
    default:
        return VF__READS_INTS;
    }
}

static size_t state_index(struct vf__layout *layout, enum vf__state_kind kind, uint32_t value) {
    size_t s = 0;
    for (; s < layout->n_states; s++)
        if (layout->states[s].kind == kind && layout->states[s].value == value) return s;
    layout->states[s] = (struct vf__state){.kind = kind, .value = value};
    layout->n_states++;
    return s;
}

/* Rows are a state of no column: they come first, under a column of their own. */
static void plan_column(struct vf__leaf *leaves, size_t n_leaves, uint32_t value, bool rows,
                        struct vf__layout *layout) {
    for (size_t l = 0; l < n_leaves; l++)
        for (int need = 0; need < VF__N_NEEDS; need++) {
            bool wanted = (ops[leaves[l].op].needs >> need & 1) != 0;
            if (!wanted || rows != (need == VF__NEED_ROWS) || (!rows && leaves[l].value != value)) continue;
            leaves[l].at[need] =
                (uint32_t)state_index(layout, state_kind((enum vf__need)need, leaves[l].kind), value);
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
