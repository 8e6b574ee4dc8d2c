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

enum vf__start { VF__START_ZERO, VF__START_HIGH, VF__START_LOW, VF__START_FSUM };

/* All that is known of a state; it is defined beside its loops. */
struct vf__state_kind {
    size_t bytes;
    enum vf__start start;
    vf__update *update;
    vf__merge *merge;
    enum vf__reads reads, reads_more[2];
};

/* states.c: those that operations share. Extremes are int64: of uint64 with the top bit flipped, of doubles their rank,
   and NaN does not count. */
extern const struct vf__state_kind vf__rows_kind, vf__nulls_kind, vf__int_sum_kind, vf__uint_sum_kind,
    vf__float_sum_kind, vf__int_min_kind, vf__int_max_kind, vf__uint_min_kind, vf__uint_max_kind,
    vf__float_min_kind, vf__float_max_kind;
vf__merge vf__float_sum_merge; /* of any struct vf__fsum */

/* products.c */
extern const struct vf__state_kind vf__int_product_kind, vf__uint_product_kind, vf__float_product_kind,
    vf__parts_product_kind;

/* places.c: a value and where it stood; the merged ones are told where by columns */
extern const struct vf__state_kind vf__first_int_kind, vf__first_float_kind, vf__last_int_kind,
    vf__last_float_kind, vf__merged_first_int_kind, vf__merged_first_float_kind, vf__merged_last_int_kind,
    vf__merged_last_float_kind;

#endif
