/* Which group a row belongs to, with a quick way for the symbols most day files have: string views of up to 12 bytes.
   Not a key table: a symbol seen for the first time gets its number from vf__keyed, as all others do. */
#include "match/api_fifo.h"

#define SHIFT VF__SIZED(49, 62, 44) /* 2^15 slots, of the hash's upper bits */

static inline uint32_t slot_of(uint64_t low, uint64_t high) {
    uint64_t h = (low ^ (high << 29 | high >> 35)) * UINT64_C(0x9fb21c651e98df25);
    return (uint32_t)((h ^ (h << 32)) * UINT64_C(0x9e3779b97f4a7c15) >> SHIFT);
}

/* A symbol that the slots do not show yet; it takes the first of its two that is free, or the first. */
static enum vf_status meet(struct vf_fifo *fifo, const struct vf__view *view, uint32_t slot, uint32_t *group,
                           struct vf_error *err) {
    uint8_t text[16];
    uint32_t length, *slots = fifo->view_slots.data;
    memcpy(text, view, 16);
    memcpy(&length, text, 4);
    struct vf__keys *values = &fifo->groups.keys[fifo->view_key].values;
    enum vf_status status = vf__keys_add_bytes(values, text + 4, length, group, err);
    if (status == VF_OK)
        status = vf__array_grow(&fifo->ctx, &fifo->views, (size_t)*group + 1, sizeof(struct vf__view), err);
    if (status != VF_OK) return status;
    ((struct vf__view *)fifo->views.data)[*group] = *view;
    if (slots[slot] != 0 && slots[slot + 1] == 0) slot++;
    slots[slot] = *group + 1;
    return VF_OK;
}

/* Bytes behind the text are the producer's, and must not make a symbol another one: the mask of a view of n bytes of
   text is the 16 bytes from ones[12 - n] on. */
static const uint8_t ones[28] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static enum vf_status group_views(struct vf_fifo *fifo, const uint8_t *data, const uint8_t *valid, int64_t n,
                                  uint32_t *group, struct vf_error *err) {
    const uint32_t *slots = fifo->view_slots.data;
    for (int64_t i = 0; i < n; i++) {
        const struct vf__view *known = fifo->views.data;
        struct vf__view view, mask;
        uint32_t length;
        if (VF__UNLIKELY(valid != NULL && !valid[i])) {
            group[i] = VF__NO_KEY;
            continue;
        }
        memcpy(&view, data + 16 * i, 16);
        memcpy(&length, data + 16 * i, 4);
        memcpy(&mask, ones + 12 - length, 16);
        view.low &= mask.low;
        view.high &= mask.high;
        uint32_t slot = slot_of(view.low, view.high), first = slots[slot], second = slots[slot + 1];
        if (VF__LIKELY(first != 0 && known[first - 1].low == view.low &&
                       known[first - 1].high == view.high)) {
            group[i] = first - 1;
        } else if (second != 0 && known[second - 1].low == view.low && known[second - 1].high == view.high) {
            group[i] = second - 1;
        } else {
            enum vf_status status = meet(fifo, &view, slot, &group[i], err);
            if (status != VF_OK) return status;
        }
    }
    return VF_OK;
}

static bool all_short(const uint8_t *data, int64_t n) {
    uint32_t longest = 0, length;
    for (int64_t i = 0; i < n; i++) {
        memcpy(&length, data + 16 * i, 4);
        longest = length > longest ? length : longest;
    }
    return longest <= 12;
}

/* The views of rows [row, row + n) where they lie in one chunk and are all short; else NULL. */
static const uint8_t *short_views(struct vf__reader *reader, int64_t row, int64_t n) {
    struct vf__piece p;
    const uint8_t *data = vf__reader_views(reader, row, n, &p);
    return data != NULL && all_short(data, n) ? data : NULL;
}

/* Numbers of the values of key column k, by the quick way where it serves: for one column, the first that it can be. */
static enum vf_status read_ids(struct vf_fifo *fifo, size_t k, struct vf__reader *reader, int64_t row,
                               int64_t n, uint32_t *ids, struct vf_error *err) {
    bool mine = fifo->view_slots.data == NULL || fifo->view_key == k;
    const uint8_t *data = mine ? short_views(reader, row, n) : NULL, *valid = NULL;
    if (data == NULL) return vf__keyed_values(&fifo->groups, k, reader, row, n, ids, err);
    enum vf_status status = VF_OK;
    if (fifo->view_slots.data == NULL) {
        size_t n_slots = ((size_t)1 << (64 - SHIFT)) + 1;
        void *slots = vf__zalloc(&fifo->ctx, n_slots, sizeof(uint32_t));
        if (slots == NULL) return vf__fail_memory(err, n_slots * sizeof(uint32_t));
        fifo->view_slots = (struct vf__array){.data = slots, .capacity = n_slots};
        fifo->view_key = k;
    }
    if (reader->n_nulls != 0) status = vf__read_valid(reader, row, n, fifo->scratch->valid, &valid, err);
    if (status != VF_OK) return status;
    return group_views(fifo, data, valid, n, ids, err);
}

enum vf_status vf__fifo_read_groups(struct vf_fifo *fifo, struct vf__fifo_readers *readers, int64_t row,
                                    int64_t n, uint32_t *group, struct vf_error *err) {
    enum vf_status status = VF_OK;
    if (readers->n_keys == 0) memset(group, 0, (size_t)n * sizeof *group);
    for (size_t k = 0; status == VF_OK && k < readers->n_keys; k++) {
        uint32_t *ids = k == 0 ? group : fifo->scratch->ids;
        status = read_ids(fifo, k, &readers->keys[k], row, n, ids, err);
        if (status == VF_OK && k > 0) status = vf__keyed_combine(&fifo->groups, k, ids, n, group, err);
    }
    return status;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

void vf__fifo_keys_close(const struct vf_fifo *fifo, struct vf__reader *keys, size_t n_keys) {
    vf__free(&fifo->ctx, keys, n_keys, sizeof *keys);
}

enum vf_status vf__fifo_keys_open(const struct vf_fifo *fifo, const struct vf_series *keys, size_t n_keys,
                                  struct vf__reader **out, struct vf_error *err) {
    if ((keys == NULL && n_keys > 0) || n_keys > INT32_MAX)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no key columns, and their number is %zu", n_keys);
    struct vf__reader *readers = vf__alloc(&fifo->ctx, n_keys, sizeof *readers);
    if (readers == NULL) return vf__fail_memory(err, n_keys * sizeof *readers);
    enum vf_status status = VF_OK;
    for (size_t k = 0; status == VF_OK && k < n_keys; k++) {
        status = vf__reader_open(&readers[k], &keys[k], err);
        if (status == VF_OK && readers[k].n_rows != readers[0].n_rows)
            status = vf__fail(err, VF_ERROR_ARGUMENT, readers[k].name, -1,
                              "column \"%s\" has %lld rows and \"%s\" has %lld", readers[k].name,
                              (long long)readers[k].n_rows, readers[0].name, (long long)readers[0].n_rows);
    }
    if (status == VF_OK) status = vf__keyed_check(&fifo->groups, readers, n_keys, err);
    if (status == VF_OK)
        *out = readers;
    else
        vf__fifo_keys_close(fifo, readers, n_keys);
    return status;
}

/* What the slots show of a column whose table is made anew, because only batches that failed brought values, is not so. */
enum vf_status vf__fifo_keys_prepare(struct vf_fifo *fifo, const struct vf__reader *keys, size_t n_keys,
                                     struct vf_error *err) {
    const struct vf__keyed *groups = &fifo->groups;
    bool stale = fifo->view_slots.data != NULL &&
                 (!groups->settled || groups->keys[fifo->view_key].meaning == VF__MEANS_NOTHING);
    if (stale) {
        vf__free(&fifo->ctx, fifo->view_slots.data, fifo->view_slots.capacity, sizeof(uint32_t));
        vf__free(&fifo->ctx, fifo->views.data, fifo->views.capacity, sizeof(struct vf__view));
        fifo->view_slots = fifo->views = (struct vf__array){0};
    }
    return vf__keyed_prepare(&fifo->groups, keys, n_keys, err);
}
