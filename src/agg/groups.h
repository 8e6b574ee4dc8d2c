/* Rows to dense group numbers: the n-th distinct tuple of keys seen is group n.
   Not for what is kept of a group (states.h), and blind to what a key's 64 bits stand for. */
#ifndef VF_AGG_GROUPS_H
#define VF_AGG_GROUPS_H

#include "base/base.h"

#define VF__MAX_KEYS 64
#define VF__GROUP_BLOCK VF__SIZED(1024, 8, 8192) /* rows a call: what a block touches stays in the caches */

/* One key column of a block of rows: any 64 bits, and which rows have a key (NULL: all). */
struct vf__group_key {
    const int64_t *values;
    const uint8_t *valid;
};

/* How tuples are found. Small ranges of keys (bins, sides) are counted through: a tuple is one number, and its
   group stands in a plain table. Where that table would be large, the number is hashed; where the ranges do not even
   fit 64 bits, the tuple is. */
enum vf__group_mode { VF__GROUP_DIRECT, VF__GROUP_PACKED, VF__GROUP_WIDE };

/* The values of one key that have a code: value - low + 1 where that is at most span + 1; null is 0. */
struct vf__group_range {
    int64_t low;
    uint64_t span;   /* high - low */
    uint64_t stride; /* product of the codes of the keys before */
    bool known;
};

struct vf__group_slot {
    uint64_t word;  /* mixed code, or hash of the tuple */
    uint32_t group; /* + 1; 0: empty */
};

struct vf__groups {
    struct vf_context ctx;
    size_t n_keys;
    size_t n;         /* groups */
    uint64_t *tuples; /* n_keys words and a word of null bits, a group */
    size_t capacity;
    enum vf__group_mode mode;
    uint64_t n_codes; /* product of the ranges; means nothing in wide mode */
    struct vf__group_range range[VF__MAX_KEYS];
    uint32_t *direct; /* group + 1 by code */
    size_t n_direct;
    struct vf__group_slot *slots;
    size_t n_slots;  /* a power of two, or 0 */
    uint64_t *codes; /* of a block */
};

/* ctx as completed by vf__context. n_keys <= VF__MAX_KEYS. */
enum vf_status vf__groups_init(struct vf__groups *groups, const struct vf_context *ctx, size_t n_keys,
                               struct vf_error *err);
void vf__groups_release(struct vf__groups *groups);

/* Finds or adds the groups of n <= VF__GROUP_BLOCK rows, in row order. Numbers of groups that are there never
   change. VF_ERROR_MEMORY, or VF_ERROR_OVERFLOW past 2^32 - 2 groups; those added until then stay. */
enum vf_status vf__groups_find(struct vf__groups *groups, const struct vf__group_key *keys, size_t n,
                               uint32_t *ids, struct vf_error *err);

/* Key k of a group; false: null. */
static inline bool vf__groups_key(const struct vf__groups *groups, size_t group, size_t k, int64_t *value) {
    const uint64_t *tuple = groups->tuples + group * (groups->n_keys + 1);
    *value = (int64_t)tuple[k];
    return (tuple[groups->n_keys] >> k & 1) == 0;
}

#endif
