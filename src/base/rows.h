/* Lists of rows: cut by group for threads, and put in time order.
   Not for the rows' values: a list holds row numbers only. */
#ifndef VF_BASE_ROWS_H
#define VF_BASE_ROWS_H

#include "base/base.h"

#define VF__MAX_PARTS 64

/* Rows cut into parts such that a group's rows are all in one part, in row order. Rows of group VF__NO_KEY
   are in none. The cut follows the group sizes (largest group to the emptiest part), so it balances heavy
   tails. */
struct vf__parts {
    struct vf_context ctx;
    size_t n_parts;
    size_t start[VF__MAX_PARTS + 1]; /* part p is rows[start[p] .. start[p + 1]) */
    uint32_t *rows;
    size_t n_rows;
    uint8_t *part_of_group;
    size_t n_groups;
};

enum vf_status vf__parts_init(struct vf__parts *parts, const struct vf_context *ctx, const uint32_t *group,
                              size_t n_rows, size_t n_groups, struct vf_error *err);
void vf__parts_release(struct vf__parts *parts);

/* Sorts row numbers by key[row], stable; scratch has room for n. Costs one pass where they are in order. */
void vf__rows_sort(const int64_t *key, uint32_t *rows, uint32_t *scratch, size_t n);

#endif
