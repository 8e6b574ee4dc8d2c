/* Bins between cuts: which bin a value is in, and the cuts at quantiles of a sample that is read several times.
   Not for columns, and not for bins of one width: src/bin/bin.h. */
#ifndef VF_BIN_CUTS_H
#define VF_BIN_CUTS_H

#include "base/base.h"

/* out[i] = how many of the n_cuts ascending cuts are below x[i] (`left_closed`: at or below); 0 where ok[i] is 0. */
void vf__cuts_index(const double *x, size_t n, const double *cuts, size_t n_cuts, bool left_closed,
                    const uint8_t *ok, int64_t *out);

/* ---- order statistics, a digit of the values' bits a pass ----------------------------------------------------------

   Doubles as unsigned integers in the same order; the first pass counts their top 16 bits, and each further one
   the next 12 bits of the values that share their bits so far with a rank that is sought. What is found is exact, does
   not depend on the order of values, and needs no memory for them. */

#define VF__RANK_PASSES 5
#define VF__RANK_TOP_BITS 16
#define VF__RANK_BITS 12

struct vf__ranks {
    struct vf_context ctx;
    const uint64_t *sought; /* ascending ranks, from 0 */
    size_t n_sought;
    unsigned pass; /* the one that runs */
    uint64_t *
        prefix; /* by node, ascending: bits that its values share. Twice n_sought: the next pass's are made behind */
    uint64_t *below; /* by node: values smaller than those; as long */
    size_t n_nodes;
    uint32_t *node;   /* by rank sought */
    uint64_t *counts; /* of digits: of all, then by node */
    size_t n_counts;
    uint64_t n, sum;         /* values of this pass, and a sum of them that any change of a value changes */
    uint64_t all_n, all_sum; /* of the first pass */
};

/* ctx as completed by vf__context. Ranks are given after the first pass, when it is known how many values there are. */
enum vf_status vf__ranks_init(struct vf__ranks *ranks, const struct vf_context *ctx, struct vf_error *err);
void vf__ranks_release(struct vf__ranks *ranks);

/* Values of the running pass, finite ones. */
void vf__ranks_add(struct vf__ranks *ranks, const double *x, const uint8_t *ok, size_t n);

/* False: this pass brought other values than the first. */
bool vf__ranks_same(const struct vf__ranks *ranks);

/* Goes on to the next pass; `sought` (kept by the caller) is taken after the first. When it
   fails, only vf__ranks_release may follow. After VF__RANK_PASSES passes values are found. */
enum vf_status vf__ranks_next(struct vf__ranks *ranks, const uint64_t *sought, size_t n,
                              struct vf_error *err);

/* The value of the i-th rank sought, after the last pass. */
double vf__ranks_value(const struct vf__ranks *ranks, size_t i);

#endif
