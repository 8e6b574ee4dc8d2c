/* A cube's size and layout, and room for it, once all rows are learnt.
   Not for learning or adding rows: api_cube.c. */
#include "cube/api_cube.h"

#include <stdlib.h>

/* ---- sizes ---------------------------------------------------------------------------------------------------------- */

/* Saturating: what is that large fits nowhere. */
static uint64_t times(uint64_t a, uint64_t b) {
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}
static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static size_t axis_length(const struct vf__cube_axis *axis) {
    return axis->keys.n + axis->has_null;
}

/* The sums' widths, and which of them says that a cell has rows: one is added where no state does. */
static void plan_sums(const struct vf_cube *cube, struct vf__cube_sum *sums, size_t *n_sums, size_t *present,
                      size_t *words) {
    *n_sums = *words = 0;
    *present = SIZE_MAX;
    for (size_t s = 0; s < cube->n_states; s++) {
        const struct vf__cube_state *state = &cube->states[s];
        if (!vf__cube_adds(state->merge)) continue;
        vf__cube_sum_plan(&sums[*n_sums], &state->extent, state->merge == VF_CUBE_ADD_FLOAT);
        if (state->merge == VF_CUBE_ADD_INT && state->extent.least > 0 && *present == SIZE_MAX)
            *present = *n_sums;
        *n_sums += 1;
    }
    if (*present == SIZE_MAX) {
        *present = *n_sums;
        sums[(*n_sums)++] = (struct vf__cube_sum){.words = 1};
    }
    for (size_t i = 0; i < *n_sums; i++) {
        sums[i].offset = (uint32_t)*words;
        *words += vf__cube_sum_span(&sums[i]);
    }
}

enum vf__cube_scan_kind vf__cube_scan_of(const struct vf__cube_state *state) {
    switch (state->merge) {
    case VF_CUBE_MIN:
        return VF__SCAN_MIN;
    case VF_CUBE_MAX:
        return VF__SCAN_MAX;
    case VF_CUBE_FIRST:
        return VF__SCAN_FIRST;
    case VF_CUBE_LAST:
        return VF__SCAN_LAST;
    case VF_CUBE_PRODUCT_FLOAT:
        return VF__SCAN_PRODUCT_FLOAT;
    default:
        return VF__SCAN_PRODUCT_INT;
    }
}

static uint32_t scan_bytes(const struct vf_cube *cube) {
    uint32_t bytes = 0;
    for (size_t s = 0; s < cube->n_states; s++)
        if (!vf__cube_adds(cube->states[s].merge))
            bytes += 1 + 8 * (uint32_t)vf__cube_scan_words(vf__cube_scan_of(&cube->states[s]));
    return bytes;
}

static enum vf_status measure(const struct vf_cube *cube, struct vf_cube_size *out, struct vf_error *err) {
    size_t n_sums, present, words;
    struct vf__cube_sum *sums = vf__alloc(&cube->ctx, cube->n_states + 1, sizeof *sums);
    if (sums == NULL) return vf__fail_memory(err, (cube->n_states + 1) * sizeof *sums);
    plan_sums(cube, sums, &n_sums, &present, &words);
    vf__free(&cube->ctx, sums, cube->n_states + 1, sizeof *sums);
    uint64_t cells = 1, slab = 1, rows = (uint64_t)cube->n_learnt, record = words * 8,
             scans = scan_bytes(cube);
    uint64_t block =
        (uint64_t)VF__CUBE_BLOCK * (cube->n_axes * sizeof(uint32_t) + sizeof(size_t)); /* while rows are added */
    for (size_t a = 0; a < cube->n_axes; a++) {
        block += axis_length(&cube->axes[a]) * 4 * sizeof(uint64_t); /* and while an axis is sorted */
        cells = times(cells, axis_length(&cube->axes[a]));
        if (a > 0) slab = times(slab, axis_length(&cube->axes[a]));
    }
    uint64_t most = slab < rows ? slab : rows, moved = record > scans ? record : scans;
    if (moved < VF__CUBE_KEY_BYTES) moved = VF__CUBE_KEY_BYTES; /* while keys are sorted */
    uint64_t index = plus(times(rows, 4), plus(8, times(most, 8 + 4 * (cube->n_axes - 1))));
    *out = (struct vf_cube_size){
        .n_rows = cube->n_learnt,
        .dense_cells = cells,
        .dense_bytes = plus(times(cells, record + scans), block),
        .dense_kept = times(cells, record + scans),
        .sparse_bytes = plus(times(rows, record + scans + VF__CUBE_KEY_BYTES + moved), plus(index, block)),
        .sparse_kept = plus(times(rows, record + scans), index),
        .record_words = (uint32_t)words,
        .scan_bytes = (uint32_t)scans};
    for (size_t a = 0; a < cube->n_axes; a++)
        out->lengths[a] = axis_length(&cube->axes[a]);
    return VF_OK;
}

enum vf_status vf_cube_size(const struct vf_cube *cube, struct vf_cube_size *out, struct vf_error *err) {
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_LEARNING, "size", err);
    return status == VF_OK ? measure(cube, out, err) : status;
}

/* ---- build ---------------------------------------------------------------------------------------------------------- */

struct by_value {
    int64_t value;
    uint32_t id;
};

static int compare_values(const void *a, const void *b) {
    const struct by_value *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

struct by_text {
    const uint8_t *text;
    size_t length;
    uint32_t id;
};

static int compare_texts(const void *a, const void *b) {
    const struct by_text *x = a, *y = b;
    size_t n = x->length < y->length ? x->length : y->length;
    int order = n > 0 ? memcmp(x->text, y->text, n) : 0;
    return order != 0 ? order : x->length < y->length ? -1 : x->length > y->length;
}

static enum vf_status sort_axis(const struct vf_context *ctx, struct vf__cube_axis *axis,
                                struct vf_error *err) {
    size_t n = axis->keys.n, size = axis->text ? sizeof(struct by_text) : sizeof(struct by_value);
    void *items = vf__alloc(ctx, n, size);
    axis->position = vf__alloc(ctx, n, sizeof *axis->position);
    axis->sorted = vf__alloc(ctx, n, sizeof *axis->sorted);
    if (items == NULL || axis->position == NULL || axis->sorted == NULL) {
        vf__free(ctx, items, n, size);
        return vf__fail_memory(err, n * size);
    }
    for (size_t i = 0; i < n; i++) {
        struct by_text *text = (struct by_text *)items + i;
        if (axis->text) {
            text->id = (uint32_t)i;
            text->text = vf__keys_text(&axis->keys, (uint32_t)i, &text->length);
        } else {
            ((struct by_value *)items)[i] = (struct by_value){(int64_t)axis->keys.values[i], (uint32_t)i};
        }
    }
    if (n > 1) qsort(items, n, size, axis->text ? compare_texts : compare_values);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = axis->text ? ((struct by_text *)items)[i].id : ((struct by_value *)items)[i].id;
        axis->sorted[i] = id;
        axis->position[id] = (uint32_t)i + axis->has_null;
    }
    axis->length = n + axis->has_null;
    vf__free(ctx, items, n, size);
    return VF_OK;
}

static void unsort_axes(struct vf_cube *cube) {
    for (size_t a = 0; a < cube->n_axes; a++) {
        struct vf__cube_axis *axis = &cube->axes[a];
        vf__free(&cube->ctx, axis->position, axis->keys.n, sizeof *axis->position);
        vf__free(&cube->ctx, axis->sorted, axis->keys.n, sizeof *axis->sorted);
        axis->position = axis->sorted = NULL;
    }
}

enum vf_status vf__cube_set_pieces(struct vf_cube *cube, struct vf_error *err) {
    size_t n = 0;
    if (cube->pieces == NULL)
        cube->pieces = vf__alloc(&cube->ctx, cube->n_states + 1, 4 * sizeof *cube->pieces);
    if (cube->pieces == NULL) return vf__fail_memory(err, (cube->n_states + 1) * 4 * sizeof *cube->pieces);
    for (size_t i = 0; i < cube->n_sums; i++) {
        const struct vf__cube_sum *sum = &cube->sums[i];
        uint32_t at = sum->offset, end = at + vf__cube_sum_span(sum);
        cube->pieces[n++] = (struct vf__cube_piece){at, at, sum->words};
        for (at += sum->words; at < end; at++)
            cube->pieces[n++] = (struct vf__cube_piece){at, at, 1};
    }
    cube->whole = (struct vf__cube_pieces){cube->pieces, n, cube->store.words, cube->store.words};
    return VF_OK;
}

static enum vf_status choose(const struct vf_cube *cube, enum vf_cube_layout layout, uint64_t limit,
                             bool *dense, struct vf_error *err) {
    struct vf_cube_size size;
    enum vf_status status = measure(cube, &size, err);
    if (status != VF_OK) return status;
    if (limit == 0) limit = UINT64_MAX - 1;
    *dense = layout == VF_CUBE_DENSE || (layout == VF_CUBE_AUTO && size.dense_bytes <= limit);
    if (*dense ? size.dense_bytes <= limit : size.sparse_bytes <= limit) return VF_OK;
    return vf__fail(
        err, VF_ERROR_ARGUMENT, NULL, -1,
        "the limit is %llu bytes; a dense cube of %llu cells holds %llu, a sparse one of %lld rows %llu",
        (unsigned long long)limit, (unsigned long long)size.dense_cells, (unsigned long long)size.dense_bytes,
        (long long)size.n_rows, (unsigned long long)size.sparse_bytes);
}

static enum vf_status set_shape(struct vf_cube *cube, struct vf_error *err) {
    cube->shape.n_axes = cube->n_axes;
    for (size_t a = 0; a < cube->n_axes; a++)
        cube->shape.length[a] = cube->axes[a].length;
    if (vf__cube_shape_set(&cube->shape)) return VF_OK;
    return vf__fail(
        err, VF_ERROR_ARGUMENT, NULL, -1,
        "the product of the axes' lengths is more than 2^62 cells; take fewer axes, or wider bins");
}

static enum vf_status allocate(struct vf_cube *cube, bool dense, struct vf_error *err) {
    enum vf_status status = vf__cube_set_pieces(cube, err);
    size_t n = dense ? cube->shape.n_cells : (size_t)cube->n_learnt;
    cube->store.dense = dense;
    for (size_t s = 0; s < cube->n_states; s++)
        if (!vf__cube_adds(cube->states[s].merge))
            cube->store.scans[cube->states[s].slot].kind = vf__cube_scan_of(&cube->states[s]);
    if (status == VF_OK) status = vf__cube_store_init(&cube->store, &cube->ctx, n, err);
    if (status != VF_OK || dense) return status;
    cube->keys = vf__alloc(&cube->ctx, n, VF__CUBE_KEY_BYTES);
    if (cube->keys != NULL) return VF_OK;
    vf__cube_store_release(&cube->store, &cube->ctx, cube->n_axes);
    return vf__fail_memory(err, n * VF__CUBE_KEY_BYTES);
}

enum vf_status vf_cube_build(struct vf_cube *cube, enum vf_cube_layout layout, uint64_t memory_limit,
                             struct vf_error *err) {
    bool dense = false;
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_LEARNING, "build", err);
    if (status != VF_OK) return status;
    if ((int)layout < 0 || layout > VF_CUBE_SPARSE)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%d is no layout", (int)layout);
    if (cube->states[0].format == NULL)
        return vf__fail(
            err, VF_ERROR_STATE, NULL, -1,
            "nothing was learnt, so that the columns' types are not known; learning no rows tells them");
    status = choose(cube, layout, memory_limit, &dense, err);
    for (size_t a = 0; status == VF_OK && a < cube->n_axes; a++)
        status = sort_axis(&cube->ctx, &cube->axes[a], err);
    if (status == VF_OK) status = set_shape(cube, err);
    if (status == VF_OK) {
        size_t n_adding = 0;
        for (size_t s = 0; s < cube->n_states; s++)
            n_adding += vf__cube_adds(cube->states[s].merge);
        plan_sums(cube, cube->sums, &cube->n_sums, &cube->present, &cube->store.words);
        cube->counts_rows = cube->n_sums > n_adding;
        status = allocate(cube, dense, err);
    }
    if (status == VF_OK)
        cube->phase = VF__CUBE_ADDING;
    else
        unsort_axes(cube);
    return status;
}
