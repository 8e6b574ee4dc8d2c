/* A batch's rows put in order of their groups, so that what belongs to a group is touched once a batch and not once a
   row: a day's rows take turns among thousands of groups, and each turn would be a cache miss.
   Not for rows beyond one batch. */
#ifndef VF_BASE_GROUPING_H
#define VF_BASE_GROUPING_H

#include "base/base.h"

#define VF__GROUPING_ROWS ((size_t)VF__SIZED(1 << 17, 16, 1 << 20)) /* a good number of rows at a time: what belongs to them fits the cache */

struct vf__grouping {
    struct vf_context ctx;
    size_t n_groups;  /* that have rows in this batch */
    uint32_t *groups; /* in order of their first row */
    uint32_t *ends;   /* rows of groups[k] are rows[ends[k - 1] .. ends[k]), or from 0 for k = 0 */
    uint32_t *rows;   /* in row order within a group */
    size_t room;      /* rows */
    uint32_t *counts; /* by group, all 0 between calls */
    size_t counts_room;
};

void vf__grouping_init(struct vf__grouping *grouping, const struct vf_context *ctx);
void vf__grouping_release(struct vf__grouping *grouping);

/* Rows of group VF__NO_KEY are left out; the others' groups are below n_groups. */
enum vf_status vf__grouping_make(struct vf__grouping *grouping, const uint32_t *group, size_t n, size_t n_groups,
                                 struct vf_error *err);

static inline size_t vf__grouping_start(const struct vf__grouping *grouping, size_t k) {
    return k > 0 ? grouping->ends[k - 1] : 0;
}

/* Cuts the groups into at most n <= VF__GROUPING_SHARES shares of about as many rows, for as many threads: share i is
   groups[from[i] .. from[i + 1]). Gives how many shares; one where there are few rows. */
#define VF__GROUPING_SHARES 16
size_t vf__grouping_cut(const struct vf__grouping *grouping, size_t n, size_t *from);

#endif
