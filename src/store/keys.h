/* Keys to dense numbers: the n-th distinct key seen is n. One table for 64-bit keys, one for byte strings.
   Not a map with values: a caller keeps its values in arrays indexed by the dense number. */
#ifndef VF_STORE_KEYS_H
#define VF_STORE_KEYS_H

#include "base/base.h"

#define VF__NO_KEY UINT32_MAX
#define VF__FIBONACCI UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

struct vf__keys {
    struct vf_context ctx;
    uint32_t *slots;   /* dense number + 1; 0 is empty */
    size_t n_slots;    /* a power of two, or 0 */
    unsigned shift;    /* 64 - log2(n_slots): the top bits of a hash are its place */
    size_t n;          /* distinct keys */
    size_t capacity;   /* of the arrays below */
    uint64_t *values;  /* 64-bit tables: the keys; byte tables: their hashes */
    uint64_t *offsets; /* byte tables: at least n + 1 offsets into text */
    size_t n_offsets;  /* that there is room for */
    uint8_t *text;
    size_t text_capacity;
    bool bytes;
    bool frozen; /* adding what is not there gives VF__NO_KEY: many threads may look up at once */
};

/* ctx as completed by vf__context. */
void vf__keys_init(struct vf__keys *keys, const struct vf_context *ctx, bool bytes);
void vf__keys_release(struct vf__keys *keys);

/* Finds or adds. VF_ERROR_MEMORY, or VF_ERROR_OVERFLOW past 2^32 - 2 keys; the table stays as it was. */
enum vf_status vf__keys_add(struct vf__keys *keys, uint64_t key, uint32_t *id, struct vf_error *err);
enum vf_status vf__keys_add_bytes(struct vf__keys *keys, const void *data, size_t length, uint32_t *id,
                                  struct vf_error *err);

/* Finds only: VF__NO_KEY when it is not there. Inline, and hashed by one multiplication (Fibonacci hashing, Knuth
   6.4), since each row of a day comes through here. */
static inline uint32_t vf__keys_find(const struct vf__keys *keys, uint64_t key) {
    if (keys->n_slots == 0) return VF__NO_KEY;
    size_t mask = keys->n_slots - 1, at = (size_t)((key * VF__FIBONACCI) >> keys->shift);
    for (; keys->slots[at] != 0; at = (at + 1) & mask)
        if (keys->values[keys->slots[at] - 1] == key) return keys->slots[at] - 1;
    return VF__NO_KEY;
}
uint32_t vf__keys_find_bytes(const struct vf__keys *keys, const void *data, size_t length);

/* The bytes of key `id` of a byte table. */
const uint8_t *vf__keys_text(const struct vf__keys *keys, uint32_t id, size_t *length);

#endif
