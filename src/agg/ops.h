/* What a leaf is: an operation on a column, the states it needs and what it gives from them.
   Not for rows: those only meet states. A new operation is a new line of the table in ops.c. */
#ifndef VF_AGG_OPS_H
#define VF_AGG_OPS_H

#include "agg/states.h"

/* What matters of a value column's type. */
enum vf__value_kind {
    VF__VALUE_NULL, /* a column that has no type, nulls only */
    VF__VALUE_BOOL,
    VF__VALUE_INT,
    VF__VALUE_UINT64, /* read as raw words */
    VF__VALUE_FLOAT,
    VF__VALUE_DURATION,
    VF__VALUE_TIME, /* dates, times, timestamps */
    VF__VALUE_TEXT
};

/* The states that operations are made of. OWN: one that no other operation shares. */
enum vf__need {
    VF__NEED_ROWS,
    VF__NEED_NULLS,
    VF__NEED_SUM,
    VF__NEED_MIN,
    VF__NEED_MAX,
    VF__NEED_OWN,
    VF__N_NEEDS
};

enum vf__gives {
    VF__GIVES_INT,
    VF__GIVES_FLOAT,
    VF__GIVES_SAME
}; /* int64, float64, the type of the values */

struct vf__leaf {
    enum vf_agg_op op;
    enum vf__value_kind kind;
    uint32_t value;
    uint32_t more[2];         /* index + 1, or 0 */
    uint32_t at[VF__N_NEEDS]; /* where the states stand in a group's row */
};

/* Of a group: `real` for floats, `whole` for all others. */
struct vf__result {
    bool valid;
    int64_t whole;
    double real;
};

bool vf__op_known(enum vf_agg_op op);
const char *vf__op_name(enum vf_agg_op op); /* "sum" */
bool vf__op_takes_value(enum vf_agg_op op);
bool vf__op_accepts(enum vf_agg_op op, enum vf__value_kind kind);
/* Further columns of an operation: how many it may have, how many it must, and whether column i of type `kind` will do. */
size_t vf__op_most_more(enum vf_agg_op op);
size_t vf__op_least_more(enum vf_agg_op op);
bool vf__op_accepts_more(enum vf_agg_op op, size_t i, enum vf__value_kind kind);
/* Whether the result depends on the order of the rows, so that threads may not share them. */
bool vf__op_in_order(enum vf_agg_op op, enum vf__value_kind kind);
/* What to do about a column whose type is refused; NULL where none is. */
const char *vf__op_advice(enum vf_agg_op op);
/* Whether the result is a double follows from both: VF__GIVES_SAME of floats is one. */
enum vf__gives vf__op_gives(enum vf_agg_op op, enum vf__value_kind kind);

/* Most states that n_leaves need. */
size_t vf__ops_most_states(size_t n_leaves);

/* Lists the states that the leaves need, each once, in layout->states (room for vf__ops_most_states), sets the
   layout, and tells each leaf where its states stand. */
void vf__ops_plan(struct vf__leaf *leaves, size_t n_leaves, size_t n_values, struct vf__layout *layout);

/* How a leaf is stored. */
enum vf__stored { VF__STORED_NOT, VF__STORED_VALUE, VF__STORED_PAIR, VF__STORED_PLACE, VF__STORED_PARTS };
enum vf__stored vf__op_stored(enum vf_agg_op op, enum vf__value_kind kind);

/* The leaf's state for one group: the sum's pair, the place, the product's parts. */
void vf__op_pair(const struct vf__leaf *leaf, const struct vf__states *states, size_t group, double *hi,
                 double *lo);
struct vf__at vf__op_place(const struct vf__leaf *leaf, const struct vf__states *states, size_t group);
void vf__op_parts(const struct vf__leaf *leaf, const struct vf__states *states, size_t group, double *hi,
                  double *lo, int64_t *exponent);

/* The leaf's value for one group. False: it does not fit int64. */
bool vf__op_finish(const struct vf__leaf *leaf, const struct vf__states *states, size_t group,
                   struct vf__result *result);

#endif
