/* Three ways from a tuple of keys to its group, chosen by the ranges of the keys; see groups.h. Not for states.
   The choice changes speed only: groups are numbered by first row in each of them. */
#include "agg/groups.h"

/* A table of this many codes is always taken, a larger one where enough groups share its cost: looking a code up is
   one memory access, a hash two or three. */
#define SMALL_DIRECT ((uint64_t)VF__SIZED(1 << 20, 256, 1 << 22))
#define LARGE_DIRECT ((uint64_t)VF__SIZED(1 << 24, 1024, 1 << 26))
#define CODES_A_GROUP 64
#define FIRST_SLOTS ((size_t)VF__SIZED(1024, 2, 1 << 16))
#define AHEAD 16 /* rows between the prefetch of a slot and its use */

enum vf_status vf__groups_init(struct vf__groups *groups, const struct vf_context *ctx, size_t n_keys,
                               struct vf_error *err) {
    *groups = (struct vf__groups){.ctx = *ctx, .n_keys = n_keys};
    groups->codes = vf__alloc(ctx, VF__GROUP_BLOCK, sizeof *groups->codes);
    groups->n_direct = 1;
    groups->direct = vf__zalloc(ctx, 1, sizeof *groups->direct);
    if (groups->codes != NULL && groups->direct != NULL) return VF_OK;
    vf__groups_release(groups);
    return vf__fail_memory(err, VF__GROUP_BLOCK * sizeof *groups->codes);
}

void vf__groups_release(struct vf__groups *groups) {
    size_t width = groups->n_keys + 1;
    vf__free(&groups->ctx, groups->tuples, groups->capacity, width * sizeof *groups->tuples);
    vf__free(&groups->ctx, groups->direct, groups->n_direct, sizeof *groups->direct);
    vf__free(&groups->ctx, groups->slots, groups->n_slots, sizeof *groups->slots);
    vf__free(&groups->ctx, groups->codes, VF__GROUP_BLOCK, sizeof *groups->codes);
    *groups = (struct vf__groups){.ctx = groups->ctx, .n_keys = groups->n_keys};
}

/* ---- one tuple --------------------------------------------------------------------------------------------------- */

static inline bool has_key(const struct vf__group_key *key, size_t row) {
    return key->valid == NULL || key->valid[row] != 0;
}

static void write_tuple(uint64_t *tuple, const struct vf__group_key *keys, size_t n_keys, size_t row) {
    uint64_t nulls = 0;
    for (size_t k = 0; k < n_keys; k++) {
        bool valid = has_key(&keys[k], row);
        tuple[k] = valid ? (uint64_t)keys[k].values[row] : 0;
        nulls |= (uint64_t)!valid << k;
    }
    tuple[n_keys] = nulls;
}

static bool same_tuple(const uint64_t *tuple, const struct vf__group_key *keys, size_t n_keys, size_t row) {
    for (size_t k = 0; k < n_keys; k++) {
        bool valid = has_key(&keys[k], row);
        if ((tuple[n_keys] >> k & 1) == (uint64_t)valid) return false;
        if (valid && tuple[k] != (uint64_t)keys[k].values[row]) return false;
    }
    return true;
}

#define NULL_WORD UINT64_C(0x9ae16a3b2f90404f)

static inline uint64_t hash_step(uint64_t hash, uint64_t word) {
    return vf__mix(hash ^ word) + UINT64_C(0x9e3779b97f4a7c15);
}

/* The word under which the tables know a group: its code, or in wide mode the tuple's hash. */
static uint64_t word_of(const struct vf__group_range *range, enum vf__group_mode mode, const uint64_t *tuple,
                        size_t n_keys) {
    uint64_t word = 0;
    for (size_t k = 0; k < n_keys; k++) {
        bool null = (tuple[n_keys] >> k & 1) != 0;
        if (mode == VF__GROUP_WIDE)
            word = hash_step(word, null ? NULL_WORD : tuple[k]);
        else if (!null)
            word += (tuple[k] - (uint64_t)range[k].low + 1) * range[k].stride;
    }
    return mode == VF__GROUP_PACKED ? vf__mix(word) : word;
}

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static void put(struct vf__group_slot *slots, size_t n_slots, uint64_t word, uint32_t group) {
    size_t at = (size_t)word & (n_slots - 1);
    while (slots[at].group != 0)
        at = (at + 1) & (n_slots - 1);
    slots[at] = (struct vf__group_slot){.word = word, .group = group + 1};
}

/* Makes the table of `mode` under new ranges, with every group in it, and only then drops the old one. */
static enum vf_status rebuild(struct vf__groups *groups, enum vf__group_mode mode, uint64_t n_codes,
                              size_t n_slots, struct vf__group_range *range, struct vf_error *err) {
    const struct vf_context *ctx = &groups->ctx;
    uint32_t *direct = NULL;
    struct vf__group_slot *slots = NULL;
    size_t width = groups->n_keys + 1;
    if (mode == VF__GROUP_DIRECT)
        direct = vf__zalloc(ctx, (size_t)n_codes, sizeof *direct);
    else
        slots = vf__zalloc(ctx, n_slots, sizeof *slots);
    if (direct == NULL && slots == NULL) return vf__fail_memory(err, n_slots * sizeof *slots);
    for (size_t g = 0; g < groups->n; g++) {
        uint64_t word = word_of(range, mode, groups->tuples + g * width, groups->n_keys);
        if (mode == VF__GROUP_DIRECT)
            direct[word] = (uint32_t)g + 1;
        else
            put(slots, n_slots, word, (uint32_t)g);
    }
    vf__free(ctx, groups->direct, groups->n_direct, sizeof *groups->direct);
    vf__free(ctx, groups->slots, groups->n_slots, sizeof *groups->slots);
    groups->direct = direct;
    groups->n_direct = direct != NULL ? (size_t)n_codes : 0;
    groups->slots = slots;
    groups->n_slots = slots != NULL ? n_slots : 0;
    groups->mode = mode;
    groups->n_codes = n_codes;
    if (range != groups->range) memcpy(groups->range, range, sizeof groups->range);
    return VF_OK;
}

static size_t slots_for(size_t n_groups) {
    size_t n_slots = FIRST_SLOTS;
    while (n_slots < n_groups * 2)
        n_slots *= 2;
    return n_slots;
}

/* ---- ranges ---------------------------------------------------------------------------------------------------------- */

/* Lets the range hold the column's values of this block, and a quarter more on the side that grew: keys that drift
   (times, new symbols) must not rebuild the table at each block. False: it does not fit 63 bits. */
static bool widen(struct vf__group_range *range, const struct vf__group_key *key, size_t n) {
    int64_t low = 0, high = 0;
    bool any = range->known;
    if (any) {
        low = range->low;
        high = (int64_t)((uint64_t)range->low + range->span);
    }
    int64_t old_low = low, old_high = high;
    for (size_t i = 0; i < n; i++) {
        if (!has_key(key, i)) continue;
        int64_t v = key->values[i];
        if (!any) low = high = v;
        any = true;
        if (v < low) low = v;
        if (v > high) high = v;
    }
    if (!any) return true;
    uint64_t span = (uint64_t)high - (uint64_t)low;
    if (span > (uint64_t)INT64_MAX - 2) return false;
    int64_t more = (int64_t)(span / 4);
    if ((!range->known || low < old_low) && !vf__sub_i64(low, more, &low)) low = INT64_MIN;
    if ((!range->known || high > old_high) && !vf__add_i64(high, more, &high)) high = INT64_MAX;
    range->low = low;
    range->span = (uint64_t)high - (uint64_t)low;
    range->known = true;
    return range->span <= (uint64_t)INT64_MAX - 2;
}

static bool direct_pays(uint64_t n_codes, size_t n_groups) {
    return n_codes <= SMALL_DIRECT || (n_codes <= LARGE_DIRECT && n_codes / CODES_A_GROUP <= n_groups);
}

/* New ranges that hold this block too, and the table that goes with them. */
static enum vf_status repack(struct vf__groups *groups, const struct vf__group_key *keys, size_t n,
                             struct vf_error *err) {
    struct vf__group_range range[VF__MAX_KEYS];
    memcpy(range, groups->range, sizeof range);
    enum vf__group_mode mode = groups->mode;
    uint64_t n_codes = 1;
    for (size_t k = 0; k < groups->n_keys && mode != VF__GROUP_WIDE; k++) {
        if (!widen(&range[k], &keys[k], n)) mode = VF__GROUP_WIDE;
        uint64_t codes = range[k].known ? range[k].span + 2 : 1;
        range[k].stride = n_codes;
        if (n_codes > (uint64_t)INT64_MAX / codes) mode = VF__GROUP_WIDE;
        n_codes *= codes;
    }
    if (mode != VF__GROUP_WIDE) mode = direct_pays(n_codes, groups->n) ? VF__GROUP_DIRECT : VF__GROUP_PACKED;
    return rebuild(groups, mode, n_codes, slots_for(groups->n), range, err);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------ */

/* One key's part of the codes of n rows; false: a value out of range. `first`, `small` (all codes are below 2^32) and
   whether `valid` is NULL are constants where this is called. Without a branch, and multiplied as 32 bits, it is compiled
   to vectors. */
static VF__INLINE bool code_loop(const struct vf__group_range *range, const int64_t *values, const uint8_t *valid, size_t n,
                                 bool first, bool small, uint64_t *codes) {
    uint64_t low = (uint64_t)range->low, span = range->span, stride = range->stride;
    uint64_t outside = 0; /* its top bit; the span has none */
    for (size_t i = 0; i < n; i++) {
        uint64_t at = (uint64_t)values[i] - low, beyond = at | (span - at);
        uint64_t code = small ? (uint64_t)(uint32_t)(at + 1) * (uint32_t)stride : (at + 1) * stride;
        uint64_t there = valid == NULL || valid[i] != 0 ? UINT64_MAX : 0;
        outside |= beyond & there;
        codes[i] = (first ? 0 : codes[i]) + (code & there);
    }
    return outside >> 63 == 0;
}

static VF__INLINE bool codes_of(const struct vf__group_range *range, const struct vf__group_key *key, size_t n, bool first,
                                bool small, uint64_t *codes) {
    return key->valid != NULL ? code_loop(range, key->values, key->valid, n, first, small, codes)
                              : code_loop(range, key->values, NULL, n, first, small, codes);
}

static bool add_codes(const struct vf__group_range *range, const struct vf__group_key *key, size_t n, bool first,
                      bool small, uint64_t *codes) {
    if (!range->known) { /* nothing but nulls so far */
        for (size_t i = 0; i < n; i++)
            if (has_key(key, i)) return false;
        if (first) memset(codes, 0, n * sizeof *codes);
        return true;
    }
    if (first) return small ? codes_of(range, key, n, true, true, codes) : codes_of(range, key, n, true, false, codes);
    return small ? codes_of(range, key, n, false, true, codes) : codes_of(range, key, n, false, false, codes);
}

static bool all_codes(struct vf__groups *groups, const struct vf__group_key *keys, size_t n) {
    bool small = groups->mode == VF__GROUP_DIRECT;
    for (size_t k = 0; k < groups->n_keys; k++)
        if (!add_codes(&groups->range[k], &keys[k], n, k == 0, small, groups->codes)) return false;
    if (groups->n_keys == 0) memset(groups->codes, 0, n * sizeof *groups->codes);
    return true;
}

static void all_hashes(struct vf__groups *groups, const struct vf__group_key *keys, size_t n) {
    memset(groups->codes, 0, n * sizeof *groups->codes);
    for (size_t k = 0; k < groups->n_keys; k++)
        for (size_t i = 0; i < n; i++) {
            uint64_t word = has_key(&keys[k], i) ? (uint64_t)keys[k].values[i] : NULL_WORD;
            groups->codes[i] = hash_step(groups->codes[i], word);
        }
}

static enum vf_status add_group(struct vf__groups *groups, const struct vf__group_key *keys, size_t row,
                                struct vf_error *err) {
    size_t width = groups->n_keys + 1;
    if (groups->n >= UINT32_MAX - 1)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u groups", UINT32_MAX - 1);
    if (groups->n == groups->capacity) {
        size_t capacity = groups->capacity < 64 ? 64 : groups->capacity * 2;
        uint64_t *tuples =
            vf__resize(&groups->ctx, groups->tuples, groups->capacity, capacity, width * sizeof *tuples);
        if (tuples == NULL) return vf__fail_memory(err, capacity * width * sizeof *tuples);
        groups->tuples = tuples;
        groups->capacity = capacity;
    }
    write_tuple(groups->tuples + groups->n * width, keys, groups->n_keys, row);
    groups->n++;
    return VF_OK;
}

static enum vf_status find_direct(struct vf__groups *groups, const struct vf__group_key *keys, size_t n,
                                  uint32_t *ids, struct vf_error *err) {
    uint32_t *direct = groups->direct;
    const uint64_t *codes = groups->codes;
    for (size_t i = 0; i < n; i++) {
        uint32_t group = direct[codes[i]];
        if (VF__UNLIKELY(group == 0)) {
            enum vf_status status = add_group(groups, keys, i, err);
            if (status != VF_OK) return status;
            group = direct[codes[i]] = (uint32_t)groups->n;
        }
        ids[i] = group - 1;
    }
    return VF_OK;
}

/* The slot's word of a packed code is the code itself, mixed one to one; of a tuple it is a hash, to be verified. */
static enum vf_status find_hashed(struct vf__groups *groups, const struct vf__group_key *keys, size_t n,
                                  uint32_t *ids, struct vf_error *err) {
    size_t width = groups->n_keys + 1;
    bool wide = groups->mode == VF__GROUP_WIDE;
    uint64_t *words = groups->codes;
    for (size_t i = 0; i < n; i++) {
        if (i + AHEAD < n) VF__PREFETCH(&groups->slots[words[i + AHEAD] & (groups->n_slots - 1)]);
        size_t mask = groups->n_slots - 1, at = (size_t)words[i] & mask;
        const struct vf__group_slot *slot = &groups->slots[at];
        for (; slot->group != 0; slot = &groups->slots[at = (at + 1) & mask])
            if (slot->word == words[i] &&
                (!wide || same_tuple(groups->tuples + (slot->group - 1) * width, keys, groups->n_keys, i)))
                break;
        if (VF__LIKELY(slot->group != 0)) {
            ids[i] = slot->group - 1;
            continue;
        }
        enum vf_status status = VF_OK;
        if (groups->n * 2 >= groups->n_slots)
            status = rebuild(groups, groups->mode, groups->n_codes, groups->n_slots * 2, groups->range, err);
        if (status == VF_OK) status = add_group(groups, keys, i, err);
        if (status != VF_OK) return status;
        ids[i] = (uint32_t)groups->n - 1;
        put(groups->slots, groups->n_slots, words[i], ids[i]);
    }
    return VF_OK;
}

enum vf_status vf__groups_find(struct vf__groups *groups, const struct vf__group_key *keys, size_t n,
                               uint32_t *ids, struct vf_error *err) {
    enum vf_status status = VF_OK;
    if (groups->mode == VF__GROUP_PACKED && direct_pays(groups->n_codes, groups->n))
        status = rebuild(groups, VF__GROUP_DIRECT, groups->n_codes, 0, groups->range, err);
    if (status != VF_OK) return status;
    if (groups->mode != VF__GROUP_WIDE && !all_codes(groups, keys, n)) {
        status = repack(groups, keys, n, err);
        if (status == VF_OK && groups->mode != VF__GROUP_WIDE) (void)all_codes(groups, keys, n);
    }
    if (status != VF_OK) return status;
    if (groups->mode == VF__GROUP_DIRECT) return find_direct(groups, keys, n, ids, err);
    if (groups->mode == VF__GROUP_WIDE) {
        all_hashes(groups, keys, n);
    } else {
        for (size_t i = 0; i < n; i++)
            groups->codes[i] = vf__mix(groups->codes[i]);
    }
    return find_hashed(groups, keys, n, ids, err);
}
