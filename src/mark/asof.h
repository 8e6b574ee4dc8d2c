/* As-of look-ups by group: which observation is the one at, before or after a time. Observations are learnt first and
   brought together by group; rows are looked up then in any order. Not for columns and not for what an observation
   holds: the answer is its row number. */
#ifndef VF_MARK_ASOF_H
#define VF_MARK_ASOF_H

#include "base/base.h"

#define VF__NO_ROW UINT32_MAX
#define VF__ASOF_MAX_ROWS ((size_t)UINT32_MAX - 1)

struct vf__asof_rule {
    enum vf_mark_method method;
    int64_t tolerance; /* < 0: none */
    int64_t end;       /* INT64_MAX: none */
    bool exact;        /* an observation at t + h counts */
    bool past_last;    /* h > 0 may look past the group's last observation */
};

struct vf__asof {
    struct vf_context ctx;
    /* as they came, until built; then by group, in time order, the last row of equal times */
    uint32_t *group; /* gone after the build */
    int64_t *time;
    uint32_t *row;
    size_t n, capacity;
    size_t n_rows; /* seen, those that are no observation included */
    bool built;
    size_t n_groups;
    uint32_t *base; /* n_groups: group g is [base[g], base[g] + kept[g]) */
    uint32_t *kept;
};

/* ctx as completed by vf__context. */
void vf__asof_init(struct vf__asof *asof, const struct vf_context *ctx);
void vf__asof_release(struct vf__asof *asof);

/* The next n rows, group VF__NO_KEY or invalid time: no observation. `valid` may be NULL. */
enum vf_status vf__asof_learn(struct vf__asof *asof, const uint32_t *group, const int64_t *time,
                              const uint8_t *valid, size_t n, struct vf_error *err);
/* Forgets rows learnt since there were n observations of n_rows rows. */
void vf__asof_back(struct vf__asof *asof, size_t n, size_t n_rows);

/* Brings groups together. `unique`: two observations of a group at one time are VF_ERROR_DATA; err->row is the second
   row, *other the first. If it fails nothing has changed. */
enum vf_status vf__asof_build(struct vf__asof *asof, size_t n_groups, bool unique, uint32_t *other,
                              struct vf_error *err);

/* Row of the observation for t + horizon, VF__NO_ROW where there is none, of each of n rows. hints: a number a group
   that the call keeps, zeroed before the first, which makes look-ups in time order quick and changes no result; NULL
   for none. Different threads need different hints. */
void vf__asof_find(const struct vf__asof *asof, const struct vf__asof_rule *rule, int64_t horizon,
                   const uint32_t *group, const int64_t *time, const uint8_t *valid, size_t n,
                   uint32_t *hints, uint32_t *out);

#endif
