/* The results: their memory, which way they are worked out, and the rows made of them again.
   Not for working them out. */
#include "mark/mark.h"

enum vf_status vf__mark_all(const struct vf__mark_rule *rule, struct vf__runs *rows, struct vf__runs *quotes,
                            size_t n_groups, struct vf__marks *out, struct vf_error *err) {
    if (vf__mark_streams(rule, rows, quotes != NULL ? quotes : rows))
        return vf__mark_stream(rule, rows, quotes, n_groups, out, err);
    return vf__mark_grouped(rule, rows, quotes, n_groups, out, err);
}

/* ---- memory ------------------------------------------------------------------------------------------- */

void vf__marks_release(struct vf__marks *marks) {
    for (size_t h = 0; marks->blocks != NULL && h < marks->n_horizons; h++)
        for (size_t b = 0; b < marks->n_blocks; b++)
            vf__free(&marks->ctx, marks->blocks[h * marks->n_blocks + b], marks->capacity[b], sizeof(double));
    vf__free(&marks->ctx, marks->blocks, marks->n_horizons * marks->n_blocks, sizeof *marks->blocks);
    vf__free(&marks->ctx, marks->capacity, marks->n_blocks, sizeof *marks->capacity);
    *marks = (struct vf__marks){.ctx = marks->ctx};
}

enum vf_status vf__marks_new(const struct vf_context *ctx, const struct vf__runs *rows, size_t n_horizons,
                             size_t from, struct vf__marks *marks, struct vf_error *err) {
    *marks = (struct vf__marks){.ctx = *ctx, .n_horizons = n_horizons, .n_blocks = rows->n_blocks};
    size_t n;
    if (!vf__mul_size(n_horizons, rows->n_blocks, &n)) return vf__fail_memory(err, SIZE_MAX);
    marks->capacity = vf__alloc(ctx, rows->n_blocks, sizeof *marks->capacity);
    if (marks->capacity != NULL) marks->blocks = vf__zalloc(ctx, n, sizeof *marks->blocks);
    if (marks->blocks == NULL) return vf__fail_memory(err, n * sizeof *marks->blocks);
    for (size_t b = 0; b < rows->n_blocks; b++)
        marks->capacity[b] = rows->blocks[b].capacity;
    for (size_t i = from * marks->n_blocks; i < n; i++) {
        size_t capacity = marks->capacity[i % marks->n_blocks];
        marks->blocks[i] = vf__alloc(ctx, capacity, sizeof(double));
        if (marks->blocks[i] == NULL) return vf__fail_memory(err, capacity * sizeof(double));
    }
    return VF_OK;
}

void vf__marks_take(struct vf__marks *marks, struct vf__runs *rows) {
    for (size_t b = 0; b < rows->n_blocks; b++) {
        if (marks->blocks[b] != NULL) continue;
        marks->blocks[b] = (double *)(void *)rows->blocks[b].time;
        rows->blocks[b].time = NULL;
        if (marks->n_horizons < 2) continue;
        marks->blocks[marks->n_blocks + b] = rows->blocks[b].price;
        rows->blocks[b].price = NULL;
    }
}

/* ---- rows again ---------------------------------------------------------------------------------------- */

static size_t ones(uint64_t x) {
    x -= (x >> 1) & UINT64_C(0x5555555555555555);
    x = (x & UINT64_C(0x3333333333333333)) + ((x >> 2) & UINT64_C(0x3333333333333333));
    x = (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (size_t)((x * UINT64_C(0x0101010101010101)) >> 56);
}

/* Runs begun before `row`. */
static size_t runs_before(const struct vf__runs *runs, size_t row) {
    size_t line = row / VF__ROWS_PER_LINE, n = runs->ranks[line], word = line * (VF__ROWS_PER_LINE / 64);
    for (; word < row / 64; word++)
        n += ones(runs->starts[word]);
    if (row % 64 != 0) n += ones(runs->starts[word] & ((UINT64_C(1) << (row % 64)) - 1));
    return n;
}

/* The 64 bits from `row` on; what lies past the last row is 0. */
static uint64_t starts_from(const struct vf__runs *runs, size_t row) {
    size_t word = row / 64, bit = row % 64, words = ((size_t)runs->last.n_rows + 63) / 64;
    uint64_t bits = runs->starts[word] >> bit;
    if (bit != 0 && word + 1 < words) bits |= runs->starts[word + 1] << (64 - bit);
    return bits;
}

/* NaN stands for null: bits of the values that are there, and 0 for the others. Most words have no null at
   all, and that is asked of 64 values at once. */
static inline uint64_t take_nulls(double *values, size_t n) {
    uint64_t valid = 0;
    for (size_t i = 0; i < n; i++) {
        bool there = values[i] == values[i];
        valid |= (uint64_t)there << i;
        if (!there) values[i] = 0.0;
    }
    return valid;
}

/* 64 rows whose runs lie in one block; `at` may start one before it, when the first bit moves it on. */
static inline uint64_t expand_word(const double *block, size_t at, uint64_t starts, double *values) {
    if (starts == UINT64_MAX) {
        memcpy(values, block + (at + 1), 64 * sizeof *values);
    } else {
        for (size_t i = 0; i < 64; i++) {
            at += starts & 1;
            starts >>= 1;
            values[i] = block[at];
        }
    }
    uint64_t nulls = 0;
    for (size_t i = 0; i < 64; i++)
        nulls |= (uint64_t)(values[i] != values[i]);
    return nulls == 0 ? UINT64_MAX : take_nulls(values, 64);
}

/* The same, wherever the runs lie: `run` is the run of the row before. */
static uint64_t expand_apart(double *const *blocks, size_t run, uint64_t starts, size_t n, double *values) {
    for (size_t i = 0; i < n; i++) {
        run += (starts >> i) & 1;
        values[i] = blocks[run >> VF__RUN_BITS][run & (VF__RUN_BLOCK - 1)];
    }
    return take_nulls(values, n);
}

void vf__mark_expand(const struct vf__runs *rows, const struct vf__marks *marks, size_t h, int64_t first,
                     int64_t n, double *values, uint8_t *validity) {
    double *const *blocks = marks->blocks + h * marks->n_blocks;
    size_t run = n > 0 ? runs_before(rows, (size_t)first) - 1 : 0; /* SIZE_MAX before the first row */
    for (size_t i = 0; i < (size_t)n; i += 64) {
        size_t k = (size_t)n - i < 64 ? (size_t)n - i : 64;
        uint64_t starts = starts_from(rows, (size_t)first + i), valid;
        if (k < 64) starts &= (UINT64_C(1) << k) - 1;
        size_t from = run + (starts & 1), to = run + ones(starts), block = from >> VF__RUN_BITS;
        if (to >> VF__RUN_BITS == block && k == 64)
            valid =
                expand_word(blocks[block], (from & (VF__RUN_BLOCK - 1)) - (starts & 1), starts, values + i);
        else
            valid = expand_apart(blocks, run, starts, k, values + i);
        for (size_t b = 0; b * 8 < k; b++)
            validity[i / 8 + b] = (uint8_t)(valid >> (8 * b));
        run = to;
    }
}
