/* Whether rows come in the order of their times, over all and within each key: how many are late, and by how much.
   Not for sorting them: whoever needs an order sorts for itself. */
#ifndef VF_CLOCK_ORDER_H
#define VF_CLOCK_ORDER_H

#include "base/base.h"

struct vf__order {
    struct vf_context ctx;
    struct vf_order_report report;
    int64_t latest_ns; /* of all rows so far; INT64_MIN: none */
    int64_t *of_key;   /* the same of each key */
    size_t n_keys, capacity;
};

void vf__order_init(struct vf__order *order,
                    const struct vf_context *ctx); /* ctx as completed by vf__context */
void vf__order_release(struct vf__order *order);

/* Makes room for keys numbered below n. On failure nothing has changed. */
enum vf_status vf__order_keys(struct vf__order *order, size_t n, struct vf_error *err);

/* The next n rows: ids[i] below the number of keys, or UINT32_MAX where the key is null; valid NULL: every time is
   known. ids NULL: one key. */
void vf__order_rows(struct vf__order *order, const uint32_t *ids, const int64_t *times_ns,
                    const uint8_t *valid, int64_t n);

#endif
