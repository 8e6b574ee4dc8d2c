/* One pass over plain arrays with the latest time so far, of all rows and of each key; see order.h.
   Not for Arrow: api_order.c reads the columns. */
#include "clock/order.h"

void vf__order_init(struct vf__order *order, const struct vf_context *ctx) {
    *order = (struct vf__order){.ctx = *ctx, .latest_ns = INT64_MIN};
    order->report.first_late = order->report.first_late_of_key = -1;
}

void vf__order_release(struct vf__order *order) {
    vf__free(&order->ctx, order->of_key, order->capacity, sizeof *order->of_key);
    order->of_key = NULL;
}

enum vf_status vf__order_keys(struct vf__order *order, size_t n, struct vf_error *err) {
    if (n > order->capacity) {
        size_t capacity = order->capacity != 0 ? order->capacity : 64;
        while (capacity < n)
            capacity *= 2;
        int64_t *grown =
            vf__resize(&order->ctx, order->of_key, order->capacity, capacity, sizeof *order->of_key);
        if (grown == NULL) return vf__fail_memory(err, capacity * sizeof *order->of_key);
        order->of_key = grown;
        order->capacity = capacity;
    }
    for (; order->n_keys < n; order->n_keys++)
        order->of_key[order->n_keys] = INT64_MIN;
    return VF_OK;
}

/* How much earlier, without overflow. */
static int64_t behind(int64_t latest, int64_t time) {
    int64_t out;
    return vf__sub_i64(latest, time, &out) ? out : INT64_MAX;
}

void vf__order_rows(struct vf__order *order, const uint32_t *ids, const int64_t *times_ns,
                    const uint8_t *valid, int64_t n) {
    struct vf_order_report *report = &order->report;
    for (int64_t i = 0; i < n; i++) {
        int64_t time = times_ns[i], row = report->n_rows + i;
        if ((valid != NULL && !valid[i]) || (ids != NULL && ids[i] == UINT32_MAX)) {
            report->n_unknown++;
            continue;
        }
        if (time < order->latest_ns) {
            if (report->n_late++ == 0) report->first_late = row;
            int64_t late = behind(order->latest_ns, time);
            if (late > report->most_late_ns) report->most_late_ns = late;
        } else {
            order->latest_ns = time;
        }
        int64_t *latest = &order->of_key[ids != NULL ? ids[i] : 0];
        if (time < *latest) {
            if (report->n_late_of_key++ == 0) report->first_late_of_key = row;
            int64_t late = behind(*latest, time);
            if (late > report->most_late_of_key_ns) report->most_late_of_key_ns = late;
        } else {
            report->n_equal_of_key += time == *latest;
            *latest = time;
        }
    }
    report->n_rows += n;
}
