/* Open addressing with linear probing over dense numbers; see keys.h.
   Not resistant to chosen keys: the data are the caller's own. */
#include "store/keys.h"

#define FIRST_SLOTS ((size_t)VF__SIZED(64, 2, 1 << 16))
#define FIRST_SHIFT VF__SIZED(58, 63, 48)

void vf__keys_init(struct vf__keys *keys, const struct vf_context *ctx, bool bytes) {
    *keys = (struct vf__keys){.ctx = *ctx, .bytes = bytes};
}

void vf__keys_release(struct vf__keys *keys) {
    vf__free(&keys->ctx, keys->slots, keys->n_slots, sizeof *keys->slots);
    vf__free(&keys->ctx, keys->values, keys->capacity, sizeof *keys->values);
    vf__free(&keys->ctx, keys->offsets, keys->n_offsets, sizeof *keys->offsets);
    vf__free(&keys->ctx, keys->text, keys->text_capacity, 1);
    *keys = (struct vf__keys){.ctx = keys->ctx, .bytes = keys->bytes};
}

/* A place: a byte table's values are hashes already. */
static size_t place_of(const struct vf__keys *keys, uint64_t value) {
    return (size_t)((keys->bytes ? value : value * VF__FIBONACCI) >> keys->shift);
}

static enum vf_status grow_slots(struct vf__keys *keys, struct vf_error *err) {
    size_t n_slots = keys->n_slots != 0 ? keys->n_slots * 2 : FIRST_SLOTS;
    uint32_t *slots = vf__zalloc(&keys->ctx, n_slots, sizeof *slots);
    if (slots == NULL) return vf__fail_memory(err, n_slots * sizeof *slots);
    vf__free(&keys->ctx, keys->slots, keys->n_slots, sizeof *keys->slots);
    keys->slots = slots;
    keys->shift = keys->n_slots != 0 ? keys->shift - 1 : FIRST_SHIFT;
    keys->n_slots = n_slots;
    for (size_t i = 0; i < keys->n; i++) {
        size_t at = place_of(keys, keys->values[i]);
        while (slots[at] != 0)
            at = (at + 1) & (n_slots - 1);
        slots[at] = (uint32_t)i + 1;
    }
    return VF_OK;
}

static enum vf_status grow_values(struct vf__keys *keys, struct vf_error *err) {
    size_t capacity = keys->capacity != 0 ? keys->capacity * 2 : FIRST_SLOTS;
    if (keys->bytes && keys->n_offsets < capacity + 1) {
        uint64_t *offsets =
            vf__resize(&keys->ctx, keys->offsets, keys->n_offsets, capacity + 1, sizeof *offsets);
        if (offsets == NULL) return vf__fail_memory(err, (capacity + 1) * sizeof *offsets);
        if (keys->offsets == NULL) offsets[0] = 0;
        keys->offsets = offsets;
        keys->n_offsets = capacity + 1; /* stays, should the values get no memory */
    }
    uint64_t *values = vf__resize(&keys->ctx, keys->values, keys->capacity, capacity, sizeof *values);
    if (values == NULL) return vf__fail_memory(err, capacity * sizeof *values);
    keys->values = values;
    keys->capacity = capacity;
    return VF_OK;
}

/* Room for one more key, with at most half of the slots taken. */
static enum vf_status reserve(struct vf__keys *keys, struct vf_error *err) {
    enum vf_status status = VF_OK;
    if (keys->n >= UINT32_MAX - 1)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u distinct keys", UINT32_MAX - 1);
    if (keys->n == keys->capacity) status = grow_values(keys, err);
    if (status == VF_OK && keys->n * 2 >= keys->n_slots) status = grow_slots(keys, err);
    return status;
}

static uint32_t find_hashed(const struct vf__keys *keys, uint64_t hash, const void *data, size_t length) {
    if (keys->n_slots == 0) return VF__NO_KEY;
    size_t mask = keys->n_slots - 1;
    for (size_t at = place_of(keys, hash); keys->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t id = keys->slots[at] - 1;
        if (keys->values[id] != hash) continue;
        size_t have;
        const uint8_t *text = vf__keys_text(keys, id, &have);
        if (have == length && (length == 0 || memcmp(text, data, length) == 0)) return id;
    }
    return VF__NO_KEY;
}

uint32_t vf__keys_find_bytes(const struct vf__keys *keys, const void *data, size_t length) {
    return find_hashed(keys, vf__hash_bytes(data, length), data, length);
}

static void put(struct vf__keys *keys, uint64_t value, uint32_t *id) {
    size_t mask = keys->n_slots - 1;
    size_t at = place_of(keys, value);
    while (keys->slots[at] != 0)
        at = (at + 1) & mask;
    keys->values[keys->n] = value;
    keys->slots[at] = (uint32_t)keys->n + 1;
    *id = (uint32_t)keys->n++;
}

enum vf_status vf__keys_add(struct vf__keys *keys, uint64_t key, uint32_t *id, struct vf_error *err) {
    *id = vf__keys_find(keys, key);
    if (VF__LIKELY(*id != VF__NO_KEY) || keys->frozen) return VF_OK;
    enum vf_status status = reserve(keys, err);
    if (status == VF_OK) put(keys, key, id);
    return status;
}

enum vf_status vf__keys_add_bytes(struct vf__keys *keys, const void *data, size_t length, uint32_t *id,
                                  struct vf_error *err) {
    uint64_t hash = vf__hash_bytes(data, length);
    *id = find_hashed(keys, hash, data, length);
    if (VF__LIKELY(*id != VF__NO_KEY) || keys->frozen) return VF_OK;
    enum vf_status status = reserve(keys, err);
    if (status != VF_OK) return status;
    size_t used = (size_t)keys->offsets[keys->n];
    if (length > keys->text_capacity - used) {
        if (length > SIZE_MAX / 2 - keys->text_capacity) return vf__fail_memory(err, SIZE_MAX);
        size_t capacity = (keys->text_capacity + length) * 2;
        uint8_t *text = vf__resize(&keys->ctx, keys->text, keys->text_capacity, capacity, 1);
        if (text == NULL) return vf__fail_memory(err, capacity);
        keys->text = text;
        keys->text_capacity = capacity;
    }
    if (length > 0) memcpy(keys->text + used, data, length);
    keys->offsets[keys->n + 1] = used + length;
    put(keys, hash, id);
    return VF_OK;
}

const uint8_t *vf__keys_text(const struct vf__keys *keys, uint32_t id, size_t *length) {
    *length = (size_t)(keys->offsets[id + 1] - keys->offsets[id]);
    return keys->text != NULL ? keys->text + keys->offsets[id] : NULL;
}
