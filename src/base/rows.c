/* See rows.h. Merge sort rather than radix: a day's rows come almost in order, and then a merge is one
   compare. Not for sorting values. */
#include "base/rows.h"

#include "base/keys.h"

#include <stdlib.h>

struct sized {
    uint64_t count;
    uint32_t group;
};

static int larger_first(const void *a, const void *b) {
    const struct sized *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return x->group < y->group ? -1 : 1;
}

struct fill {
    struct vf__parts *parts;
    const uint32_t *group;
};

static void fill_part(void *arg, size_t p) {
    struct fill *fill = arg;
    struct vf__parts *parts = fill->parts;
    uint32_t *out = parts->rows + parts->start[p];
    size_t n = 0, room = parts->start[p + 1] - parts->start[p];
    for (size_t i = 0; i < parts->n_rows && n < room; i++) {
        uint32_t g = fill->group[i];
        out[n] = (uint32_t)i; /* overwritten unless it counts: no branch to mispredict */
        n += g != VF__NO_KEY && parts->part_of_group[g] == p;
    }
}

static void assign(struct vf__parts *parts, struct sized *sizes) {
    uint64_t load[VF__MAX_PARTS] = {0};
    qsort(sizes, parts->n_groups, sizeof *sizes, larger_first);
    for (size_t i = 0; i < parts->n_groups; i++) {
        size_t least = 0;
        for (size_t p = 1; p < parts->n_parts; p++)
            if (load[p] < load[least]) least = p;
        parts->part_of_group[sizes[i].group] = (uint8_t)least;
        load[least] += sizes[i].count;
    }
    for (size_t p = 0; p < parts->n_parts; p++)
        parts->start[p + 1] = parts->start[p] + (size_t)load[p];
}

enum vf_status vf__parts_init(struct vf__parts *parts, const struct vf_context *ctx, const uint32_t *group,
                              size_t n_rows, size_t n_groups, struct vf_error *err) {
    *parts = (struct vf__parts){.ctx = *ctx, .n_rows = n_rows, .n_groups = n_groups};
    parts->n_parts = ctx->n_threads < VF__MAX_PARTS ? ctx->n_threads : VF__MAX_PARTS;
    if (parts->n_parts > n_groups) parts->n_parts = n_groups != 0 ? n_groups : 1;
    enum vf_status status = VF_OK;
    if (n_rows > UINT32_MAX || n_groups > UINT32_MAX)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "%zu rows in %zu groups; at most %u are accepted",
                        n_rows, n_groups, UINT32_MAX);
    struct sized *sizes = vf__alloc(ctx, n_groups, sizeof *sizes);
    parts->rows = vf__alloc(ctx, n_rows, sizeof *parts->rows);
    parts->part_of_group = vf__alloc(ctx, n_groups, sizeof *parts->part_of_group);
    if (sizes == NULL || parts->rows == NULL || parts->part_of_group == NULL) {
        status = vf__fail_memory(err, n_rows * sizeof *parts->rows);
        goto done;
    }
    for (size_t g = 0; g < n_groups; g++)
        sizes[g] = (struct sized){.count = 0, .group = (uint32_t)g};
    for (size_t i = 0; i < n_rows; i++)
        if (group[i] != VF__NO_KEY) sizes[group[i]].count++;
    assign(parts, sizes);
    vf__parallel(ctx, parts->n_parts, fill_part, &(struct fill){.parts = parts, .group = group});
done:
    vf__free(ctx, sizes, n_groups, sizeof *sizes);
    if (status != VF_OK) vf__parts_release(parts);
    return status;
}

void vf__parts_release(struct vf__parts *parts) {
    vf__free(&parts->ctx, parts->rows, parts->n_rows, sizeof *parts->rows);
    vf__free(&parts->ctx, parts->part_of_group, parts->n_groups, sizeof *parts->part_of_group);
    parts->rows = NULL;
    parts->part_of_group = NULL;
}

#define SMALL 24

static void insertion_sort(const int64_t *key, uint32_t *rows, size_t n) {
    for (size_t i = 1; i < n; i++) {
        uint32_t row = rows[i];
        size_t j = i;
        for (; j > 0 && key[rows[j - 1]] > key[row]; j--)
            rows[j] = rows[j - 1];
        rows[j] = row;
    }
}

/* First position in rows[0 .. n) whose key is greater than `bound`; looks near the end first. */
static size_t first_above(const int64_t *key, const uint32_t *rows, size_t n, int64_t bound) {
    size_t step = 1, low = 0, high = n;
    while (high > 0 && key[rows[high - 1]] > bound) {
        size_t back = step < high ? step : high;
        if (key[rows[high - back]] <= bound) {
            low = high - back;
            break;
        }
        high -= back;
        step *= 2;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key[rows[middle]] > bound)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* First position in rows[0 .. n) whose key is at least `bound`; looks near the start first. */
static size_t first_at_least(const int64_t *key, const uint32_t *rows, size_t n, int64_t bound) {
    size_t step = 1, low = 0, high = 0;
    while (high < n && key[rows[high]] < bound) {
        low = high + 1;
        high = step < n - high ? high + step : n;
        step *= 2;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key[rows[middle]] < bound)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void vf__rows_sort(const int64_t *key, uint32_t *rows, uint32_t *scratch, size_t n) {
    if (n <= SMALL) {
        insertion_sort(key, rows, n);
        return;
    }
    size_t half = n / 2;
    vf__rows_sort(key, rows, scratch, half);
    vf__rows_sort(key, rows + half, scratch, n - half);
    int64_t last = key[rows[half - 1]], next = key[rows[half]];
    if (last <= next) return;
    /* only the rows that overlap are merged: a late print costs its lateness, not the day */
    size_t from = first_above(key, rows, half, next);
    size_t to = half + first_at_least(key, rows + half, n - half, last);
    size_t left = half - from;
    memcpy(scratch, rows + from, left * sizeof *rows);
    size_t a = 0, b = half, out = from;
    while (a < left && b < to)
        rows[out++] = key[scratch[a]] <= key[rows[b]] ? scratch[a++] : rows[b++];
    memcpy(rows + out, scratch + a, (left - a) * sizeof *rows);
}
