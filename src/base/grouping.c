/* See grouping.h: a counting sort that looks only at the groups that are there. Not for order within a group. */
#include "base/grouping.h"

#include "base/keys.h"

#define FEW_ROWS VF__SIZED(4096, 2, 1 << 24) /* starting a thread costs more than they do */

void vf__grouping_init(struct vf__grouping *grouping, const struct vf_context *ctx) {
    *grouping = (struct vf__grouping){.ctx = *ctx};
}

void vf__grouping_release(struct vf__grouping *grouping) {
    struct vf_context ctx = grouping->ctx;
    vf__free(&ctx, grouping->groups, grouping->room, sizeof *grouping->groups);
    vf__free(&ctx, grouping->ends, grouping->room, sizeof *grouping->ends);
    vf__free(&ctx, grouping->rows, grouping->room, sizeof *grouping->rows);
    vf__free(&ctx, grouping->counts, grouping->counts_room, sizeof *grouping->counts);
    vf__grouping_init(grouping, &ctx);
}

static enum vf_status make_room(struct vf__grouping *grouping, size_t n, size_t n_groups, struct vf_error *err) {
    const struct vf_context *ctx = &grouping->ctx;
    if (n > grouping->room) {
        vf__grouping_release(grouping);
        grouping->groups = vf__alloc(ctx, n, sizeof *grouping->groups);
        grouping->ends = vf__alloc(ctx, n, sizeof *grouping->ends);
        grouping->rows = vf__alloc(ctx, n, sizeof *grouping->rows);
        grouping->room = n;
        if (grouping->groups == NULL || grouping->ends == NULL || grouping->rows == NULL) {
            vf__grouping_release(grouping);
            return vf__fail_memory(err, n * 3 * sizeof *grouping->rows);
        }
    }
    if (n_groups > grouping->counts_room) {
        size_t room = n_groups + n_groups / 2;
        vf__free(ctx, grouping->counts, grouping->counts_room, sizeof *grouping->counts);
        grouping->counts = vf__zalloc(ctx, room, sizeof *grouping->counts);
        grouping->counts_room = grouping->counts != NULL ? room : 0;
        if (grouping->counts == NULL) return vf__fail_memory(err, room * sizeof *grouping->counts);
    }
    return VF_OK;
}

enum vf_status vf__grouping_make(struct vf__grouping *grouping, const uint32_t *group, size_t n, size_t n_groups,
                                 struct vf_error *err) {
    enum vf_status status = make_room(grouping, n, n_groups, err);
    if (status != VF_OK) return status;
    uint32_t *counts = grouping->counts, *groups = grouping->groups, at = 0;
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++) {
        if (group[i] == VF__NO_KEY) continue;
        groups[n_found] = group[i]; /* overwritten unless it is the first of its group */
        n_found += counts[group[i]]++ == 0;
    }
    for (size_t k = 0; k < n_found; k++) {
        uint32_t count = counts[groups[k]];
        counts[groups[k]] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        if (group[i] != VF__NO_KEY) grouping->rows[counts[group[i]]++] = (uint32_t)i;
    for (size_t k = 0; k < n_found; k++) {
        grouping->ends[k] = counts[groups[k]];
        counts[groups[k]] = 0;
    }
    grouping->n_groups = n_found;
    return VF_OK;
}

size_t vf__grouping_cut(const struct vf__grouping *grouping, size_t n, size_t *from) {
    size_t n_groups = grouping->n_groups, n_rows = vf__grouping_start(grouping, n_groups), k = 0;
    if (n > VF__GROUPING_SHARES) n = VF__GROUPING_SHARES;
    if (n == 0 || n_rows < FEW_ROWS) n = 1;
    for (size_t i = 0; i < n; i++) {
        from[i] = k;
        while (k < n_groups && (i + 1 == n || (size_t)grouping->ends[k] * n <= n_rows * (i + 1)))
            k++;
    }
    from[n] = k;
    return n;
}
