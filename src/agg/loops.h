/* What the loops over a block share: where a row's state stands, and how two states meet.
   Not for anyone outside agg/: states.h is what others see. */
#ifndef VF_AGG_LOOPS_H
#define VF_AGG_LOOPS_H

#include "agg/states.h"

/* One state's share of a block; `ids` can be read VF__STATES_AHEAD past the end. */
struct vf__run {
    unsigned char *row; /* where the state of group 0 stands */
    size_t stride, n;
    const uint32_t *ids;
    const uint8_t *valid;
};

/* The state of row i. Each loop fetches ahead: the first from far, the later ones from the second-level cache. */
static inline void *vf__state_at(const struct vf__run *r, size_t i) {
    VF__PREFETCH(r->row + r->ids[i + VF__STATES_AHEAD] * r->stride);
    return r->row + r->ids[i] * r->stride;
}

/* All ones where row i has a value: sums add 0 elsewhere, without a branch. */
static inline uint64_t vf__value_mask(const struct vf__run *r, size_t i) {
    return r->valid != NULL ? UINT64_C(0) - (uint64_t)(r->valid[i] != 0) : UINT64_MAX;
}

static inline bool vf__row_valid(const uint8_t *valid, size_t i) {
    return valid == NULL || valid[i] != 0;
}

/* How states of two tables are merged. */
struct vf__merging {
    struct vf__spills *to;
    const struct vf__spills *from;
    bool grow;
    int64_t rows_before; /* rows that come before those of `from` */
};

typedef bool vf__update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills);
typedef bool vf__merge(void *to, const void *from, const struct vf__merging *how);

/* products.c */
vf__update vf__int_product_update, vf__uint_product_update, vf__float_product_update,
    vf__parts_product_update;
vf__merge vf__int_product_merge, vf__float_product_merge;

/* places.c */
vf__update vf__first_int_update, vf__first_float_update, vf__last_int_update, vf__last_float_update;
vf__update vf__merged_first_int_update, vf__merged_first_float_update, vf__merged_last_int_update,
    vf__merged_last_float_update;
vf__merge vf__first_merge, vf__last_merge;

#endif
