/* Columns of keys and times to a report on their order.
   Not for the counting itself: order.c has it. */
#include "arrow/read.h"
#include "clock/order.h"

enum { BLOCK = VF__SIZED(1024, 8, 4096) };

struct vf_order {
    struct vf_context ctx;
    struct vf__order order;
    struct vf__keys keys;
    bool keyed, settled, broken; /* settled: whether there are keys, and of which kind, is known */
};

enum vf_status vf_order_open(const struct vf_context *ctx, struct vf_order **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    struct vf_order *order = vf__zalloc(&context, 1, sizeof *order);
    if (order == NULL) return vf__fail_memory(err, sizeof *order);
    order->ctx = context;
    vf__order_init(&order->order, &context);
    vf__keys_init(&order->keys, &context, false);
    *out = order;
    return VF_OK;
}

void vf_order_close(struct vf_order *order) {
    if (order == NULL) return;
    struct vf_context ctx = order->ctx;
    vf__order_release(&order->order);
    vf__keys_release(&order->keys);
    vf__free(&ctx, order, 1, sizeof *order);
}

static enum vf_status settle(struct vf_order *order, const struct vf__reader *key,
                             const struct vf__reader *time, struct vf_error *err) {
    bool text = key != NULL && vf__reader_is_text(key);
    if (key != NULL && key->n_rows != time->n_rows)
        return vf__fail(err, VF_ERROR_ARGUMENT, key->name, -1,
                        "column \"%s\" has %lld rows, and the times have %lld", key->name,
                        (long long)key->n_rows, (long long)time->n_rows);
    if (!order->settled) {
        vf__keys_init(&order->keys, &order->ctx, text);
        order->keyed = key != NULL;
        order->settled = true;
    } else if (order->keyed != (key != NULL) || (key != NULL && text != order->keys.bytes)) {
        return vf__fail(err, VF_ERROR_TYPE, key != NULL ? key->name : NULL, -1,
                        "the keys are of another type than those before");
    }
    return VF_OK;
}

static enum vf_status update_block(struct vf_order *order, struct vf__reader *key, struct vf__reader *time,
                                   int64_t row, int64_t n, struct vf_error *err) {
    int64_t buffer[BLOCK];
    uint32_t ids[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *times;
    const uint8_t *valid;
    enum vf_status status = vf__read_ns(time, row, n, buffer, valid_buffer, &times, &valid, err);
    if (status == VF_OK && key != NULL) status = vf__read_keys(key, row, n, &order->keys, ids, err);
    if (status == VF_OK) status = vf__order_keys(&order->order, key != NULL ? order->keys.n : 1, err);
    if (status == VF_OK) vf__order_rows(&order->order, key != NULL ? ids : NULL, times, valid, n);
    return status;
}

enum vf_status vf_order_update(struct vf_order *order, const struct vf_series *key,
                               const struct vf_series *time, struct vf_error *err) {
    struct vf__reader key_reader, time_reader;
    if (order->broken)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "an update failed half-way; open another report");
    enum vf_status status = vf__reader_open(&time_reader, time, err);
    if (status == VF_OK && key != NULL) status = vf__reader_open(&key_reader, key, err);
    struct vf__reader *keys = key != NULL ? &key_reader : NULL;
    if (status == VF_OK) status = settle(order, keys, &time_reader, err);
    int64_t before = order->order.report.n_rows, n_rows = status == VF_OK ? time_reader.n_rows : 0;
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK) {
        status =
            update_block(order, keys, &time_reader, row, n_rows - row < BLOCK ? n_rows - row : BLOCK, err);
        if (status != VF_OK) {
            vf__fail_from(err, before);
            order->broken = row > 0;
        }
    }
    return status;
}

void vf_order_report(const struct vf_order *order, struct vf_order_report *report) {
    *report = order->order.report;
}
