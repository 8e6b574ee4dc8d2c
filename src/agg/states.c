/* The rows of states, and the loops that rows go through: of the kinds that operations share; see states.h.
   Not for groups. ops.c, products.c and places.c have the kinds that one operation has of its own. */
#include "agg/loops.h"

#include <float.h>
#include <math.h>

#define LINE ((size_t)64)

/* ---- updates ------------------------------------------------------------------------------------------------------ */

static bool rows_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    (void)b;
    (void)spills;
    for (size_t i = 0; i < r.n; i++)
        ++*(int64_t *)vf__state_at(&r, i);
    return true;
}

static bool nulls_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    (void)b;
    (void)spills;
    for (size_t i = 0; r.valid != NULL && i < r.n; i++)
        *(int64_t *)vf__state_at(&r, i) += r.valid[i] == 0;
    return true;
}

static bool int_sum_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    const int64_t *values = b->ints;
    (void)spills;
    for (size_t i = 0; i < r.n; i++) {
        struct vf__wide *sum = vf__state_at(&r, i);
        uint64_t v = (uint64_t)values[i] & vf__value_mask(&r, i), lo = sum->lo + v;
        sum->hi += (UINT64_C(0) - (v >> 63)) + (lo < v);
        sum->lo = lo;
    }
    return true;
}

static bool uint_sum_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    const int64_t *values = b->ints;
    (void)spills;
    for (size_t i = 0; i < r.n; i++) {
        struct vf__wide *sum = vf__state_at(&r, i);
        uint64_t v = (uint64_t)values[i] & vf__value_mask(&r, i), lo = sum->lo + v;
        sum->hi += lo < v;
        sum->lo = lo;
    }
    return true;
}

static inline bool float_sums(struct vf__run r, const double *values, struct vf__spills *spills) {
    bool ok = true;
    for (size_t i = 0; i < r.n; i++) {
        struct vf__fsum *sum = vf__state_at(&r, i);
        double x = values[i];
        if (r.valid != NULL) {
            uint64_t bits;
            memcpy(&bits, &x, sizeof bits);
            bits &= vf__value_mask(&r, i);
            memcpy(&x, &bits, sizeof x);
        }
        ok &= vf__fsum_add(sum, x, spills);
    }
    return ok;
}

/* Twice the same loop, so that a column without nulls does not ask for them. */
static bool float_sum_update(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {
    if (r.valid != NULL) return float_sums(r, b->floats, spills);
    r.valid = NULL;
    return float_sums(r, b->floats, spills);
}

/* The extremes compare int64: `rank` turns value x into one, `skip` says that x does not count. */
#define EXTREME(name, better, type, values, rank, skip)                                                      \
    static bool name(struct vf__run r, const struct vf__state_block *b, struct vf__spills *spills) {         \
        (void)spills;                                                                                        \
        for (size_t i = 0; i < r.n; i++) {                                                                   \
            int64_t *best = vf__state_at(&r, i);                                                             \
            type x = b->values[i];                                                                           \
            int64_t v = rank;                                                                                \
            if (v better * best && !(skip) && vf__value_mask(&r, i) != 0) *best = v;                         \
        }                                                                                                    \
        return true;                                                                                         \
    }

EXTREME(int_min_update, <, int64_t, ints, x, false)
EXTREME(int_max_update, >, int64_t, ints, x, false)
EXTREME(uint_min_update, <, int64_t, ints, (int64_t)((uint64_t)x ^ VF__UINT_FLIP), false)
EXTREME(uint_max_update, >, int64_t, ints, (int64_t)((uint64_t)x ^ VF__UINT_FLIP), false)
EXTREME(float_min_update, <, double, floats, vf__float_rank(x), isnan(x))
EXTREME(float_max_update, >, double, floats, vf__float_rank(x), isnan(x))

/* ---- merges: `from` is added to `to` ------------------------------------------------------------------------------- */

static bool count_merge(void *to, const void *from, const struct vf__merging *how) {
    (void)how;
    *(int64_t *)to += *(const int64_t *)from;
    return true;
}

static bool wide_merge(void *to, const void *from, const struct vf__merging *how) {
    struct vf__wide *sum = to;
    (void)how;
    (void)vf__wide_add(*sum, *(const struct vf__wide *)from, sum); /* 2^63 rows do not overflow 128 bits */
    return true;
}

bool vf__float_sum_merge(void *to, const void *from, const struct vf__merging *how) {
    return vf__fsum_merge(to, how->to, how->grow, from, how->from);
}

static bool min_merge(void *to, const void *from, const struct vf__merging *how) {
    (void)how;
    if (*(const int64_t *)from < *(int64_t *)to) *(int64_t *)to = *(const int64_t *)from;
    return true;
}

static bool max_merge(void *to, const void *from, const struct vf__merging *how) {
    (void)how;
    if (*(const int64_t *)from > *(int64_t *)to) *(int64_t *)to = *(const int64_t *)from;
    return true;
}

/* ---- the kinds ------------------------------------------------------------------------------------------------------ */

const struct vf__state_kind vf__rows_kind = {
    8, VF__START_ZERO, rows_update, count_merge, VF__READS_NOTHING, {0}};
const struct vf__state_kind vf__nulls_kind = {
    8, VF__START_ZERO, nulls_update, count_merge, VF__READS_VALID, {0}};
const struct vf__state_kind vf__int_sum_kind = {
    16, VF__START_ZERO, int_sum_update, wide_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__uint_sum_kind = {
    16, VF__START_ZERO, uint_sum_update, wide_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__float_sum_kind = {
    sizeof(struct vf__fsum), VF__START_FSUM, float_sum_update, vf__float_sum_merge, VF__READS_FLOATS, {0}};
const struct vf__state_kind vf__int_min_kind = {
    8, VF__START_HIGH, int_min_update, min_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__int_max_kind = {
    8, VF__START_LOW, int_max_update, max_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__uint_min_kind = {
    8, VF__START_HIGH, uint_min_update, min_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__uint_max_kind = {
    8, VF__START_LOW, uint_max_update, max_merge, VF__READS_INTS, {0}};
const struct vf__state_kind vf__float_min_kind = {
    8, VF__START_HIGH, float_min_update, min_merge, VF__READS_FLOATS, {0}};
const struct vf__state_kind vf__float_max_kind = {
    8, VF__START_LOW, float_max_update, max_merge, VF__READS_FLOATS, {0}};

enum vf__reads vf__state_reads(const struct vf__state_kind *kind) {
    return kind->reads;
}

enum vf__reads vf__state_reads_more(const struct vf__state_kind *kind, size_t i) {
    return kind->reads_more[i];
}

static void start_state(enum vf__start start, void *at) {
    switch (start) {
    case VF__START_ZERO:
        return; /* the row is zeroed before */
    case VF__START_HIGH:
        *(int64_t *)at = INT64_MAX;
        return;
    case VF__START_LOW:
        *(int64_t *)at = INT64_MIN;
        return;
    case VF__START_FSUM:
        *(struct vf__fsum *)at = VF__FSUM_EMPTY;
        return;
    }
}

/* Up to a cache line a row is a power of two, so that no group lies across two lines. */
void vf__layout_set(struct vf__layout *layout) {
    size_t bytes = 0, row = 8;
    for (size_t i = 0; i < layout->n_states; i++) {
        layout->states[i].offset = (uint32_t)bytes;
        bytes += layout->states[i].kind->bytes;
    }
    while (row < bytes && row < LINE)
        row *= 2;
    layout->row_bytes = bytes <= LINE ? row : (bytes + 31) / 32 * 32;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

void vf__states_init(struct vf__states *states, const struct vf_context *ctx,
                     const struct vf__layout *layout) {
    *states = (struct vf__states){.ctx = *ctx, .layout = layout};
    vf__spills_init(&states->spills, ctx);
}

void vf__states_release(struct vf__states *states) {
    vf__free(&states->ctx, states->block, states->block_bytes, 1);
    vf__spills_release(&states->spills);
    states->block = NULL;
    states->rows = NULL;
    states->n = states->capacity = states->block_bytes = 0;
}

/* Resized rather than copied: a large block is then moved by its pages, and fresh pages are what growth costs. */
static enum vf_status reserve(struct vf__states *states, size_t n_groups, struct vf_error *err) {
    size_t row_bytes = states->layout->row_bytes, bytes;
    if (n_groups <= states->capacity) return VF_OK;
    size_t capacity = states->capacity < 64 ? 64 : states->capacity * 2;
    if (capacity < n_groups) capacity = n_groups;
    if (!vf__mul_size(capacity, row_bytes, &bytes) || bytes > SIZE_MAX - LINE)
        return vf__fail_memory(err, SIZE_MAX);
    size_t before = states->block != NULL ? (size_t)(states->rows - (unsigned char *)states->block) : 0;
    unsigned char *block = vf__resize(&states->ctx, states->block, states->block_bytes, bytes + LINE, 1);
    if (block == NULL) return vf__fail_memory(err, bytes + LINE);
    size_t after = (LINE - (uintptr_t)block % LINE) % LINE;
    if (after != before && states->n > 0) memmove(block + after, block + before, states->n * row_bytes);
    states->block = block;
    states->block_bytes = bytes + LINE;
    states->rows = block + after;
    states->capacity = capacity;
    return VF_OK;
}

enum vf_status vf__states_grow(struct vf__states *states, size_t n_groups, struct vf_error *err) {
    const struct vf__layout *layout = states->layout;
    enum vf_status status = reserve(states, n_groups, err);
    if (status != VF_OK) return status;
    for (; states->n < n_groups; states->n++) {
        unsigned char *row = states->rows + states->n * layout->row_bytes;
        memset(row, 0, layout->row_bytes);
        for (size_t s = 0; s < layout->n_states; s++)
            start_state(layout->states[s].kind->start, row + layout->states[s].offset);
    }
    return VF_OK;
}

size_t vf__states_bytes(const struct vf__states *states) {
    return states->block_bytes + states->spills.capacity * sizeof *states->spills.words;
}

enum vf_status vf__states_update(struct vf__states *states, const struct vf__state *state,
                                 const struct vf__state_block *block, struct vf_error *err) {
    struct vf__run run = {.row = states->rows + state->offset,
                          .stride = states->layout->row_bytes,
                          .n = block->n,
                          .ids = block->groups,
                          .valid = block->valid};
    if (block->n == 0 || state->kind->update(run, block, &states->spills)) return VF_OK;
    return vf__fail_memory(err, sizeof *states->spills.words);
}

/* ---- merging --------------------------------------------------------------------------------------------------------- */

static bool merge_state(struct vf__states *states, size_t group, const struct vf__states *from,
                        size_t from_group, const struct vf__state *state, bool grow, int64_t rows_before) {
    size_t row_bytes = states->layout->row_bytes;
    struct vf__merging how = {
        .to = &states->spills, .from = &from->spills, .grow = grow, .rows_before = rows_before};
    return state->kind->merge(states->rows + group * row_bytes + state->offset,
                              from->rows + from_group * row_bytes + state->offset, &how);
}

bool vf__states_merge(struct vf__states *states, size_t group, const struct vf__states *from,
                      size_t from_group, int64_t rows_before) {
    for (size_t s = 0; s < states->layout->n_states; s++)
        if (!merge_state(states, group, from, from_group, &states->layout->states[s], true, rows_before))
            return false;
    return true;
}

bool vf__states_move(struct vf__states *states, size_t group, bool grow, struct vf__states *from,
                     size_t from_group) {
    for (size_t s = 0; s < states->layout->n_states; s++) {
        const struct vf__state *state = &states->layout->states[s];
        const struct vf__state_kind *kind = state->kind;
        unsigned char *at = from->rows + from_group * from->layout->row_bytes + state->offset;
        if (!merge_state(states, group, from, from_group, state, grow, 0)) return false;
        if (kind->start == VF__START_FSUM) {
            vf__fsum_clear((struct vf__fsum *)(void *)at, &from->spills);
            continue;
        }
        memset(at, 0, kind->bytes);
        start_state(kind->start, at);
    }
    return true;
}
