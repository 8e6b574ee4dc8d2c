/* Marks group by group: lays a group's cells on a bench, puts them in time order where they are not, looks up, and
   puts the results where the cells were. Not for the look-up itself: merge.c.

   A bench is as large as the largest group, so that what a group needs is in the cache while it is worked on. */
#include "mark/mark.h"
#include "store/rows.h"

#include <stdatomic.h>

#define MAX_WORKERS 64
#define GROUPS_AT_ONCE 16

struct bench {
    struct vf__cell *rows, *quotes; /* in time order */
    struct vf__cell *out;           /* results of a pair of horizons */
    struct vf__cell *spare;         /* cells while they are put in order */
    int64_t *times;
    uint32_t *order, *scratch; /* order: where the i-th of the sorted was */
};

struct work {
    struct vf_context ctx;
    const struct vf__mark_rule *rule;
    struct vf__chains *rows;
    const struct vf__chains *quotes;
    struct bench *benches;
    size_t n_benches, most_rows, most_quotes, most_unsorted;
    atomic_size_t next;
};

/* ---- a group ------------------------------------------------------------------------------------------- */

/* Stable: of equal times, the last row stays last and wins. Afterwards bench->order holds where each came from. */
static void put_in_order(const struct bench *bench, struct vf__cell *cells, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bench->order[i] = (uint32_t)i;
        bench->times[i] = cells[i].time;
    }
    vf__rows_sort(bench->times, bench->order, bench->scratch, n);
    memcpy(bench->spare, cells, n * sizeof *cells);
    for (size_t i = 0; i < n; i++)
        cells[i] = bench->spare[bench->order[i]];
}

static size_t lay_out(const struct bench *bench, const struct vf__chains *chains, size_t group,
                      struct vf__cell *cells) {
    const struct vf__lane *lane = &chains->lanes[group];
    vf__chain_load(chains, lane, 0, sizeof *cells, cells);
    if (lane->unsorted) put_in_order(bench, cells, lane->n);
    return lane->n;
}

/* Results in time order back to where the rows were. */
static const struct vf__cell *in_row_order(const struct bench *bench, const struct vf__cell *out, size_t n,
                                           bool unsorted) {
    if (!unsorted) return out;
    for (size_t i = 0; i < n; i++)
        bench->spare[bench->order[i]] = out[i];
    return bench->spare;
}

static void mark_group(const struct work *work, const struct bench *bench, size_t group) {
    const struct vf__mark_rule *rule = work->rule;
    const struct vf__lane *lane = &work->rows->lanes[group];
    const struct vf__cell *seen = bench->rows;
    if (lane->n == 0) return;
    size_t n_seen = 0, n;
    if (work->quotes != NULL) { /* first: the rows' order is needed afterwards */
        n_seen = lay_out(bench, work->quotes, group, bench->quotes);
        seen = bench->quotes;
    }
    n = lay_out(bench, work->rows, group, bench->rows);
    if (work->quotes == NULL) n_seen = n;
    for (size_t h = 0; h < rule->n_horizons; h += 2) {
        size_t pair = rule->n_horizons - h < 2 ? 1 : 2;
        struct vf__cell *out = h + 2 < rule->n_horizons ? bench->out : bench->rows; /* the last may write over them */
        vf__mark_merge(rule, rule->horizons + h, pair, seen, n_seen, bench->rows, n, out);
        vf__chain_store(work->rows, lane, h / 2 * sizeof *out, sizeof *out,
                        in_row_order(bench, out, n, lane->unsorted));
    }
}

static void mark_groups(void *arg, size_t worker) {
    struct work *work = arg;
    size_t n_groups = work->rows->n_lanes;
    for (;;) {
        size_t group = atomic_fetch_add_explicit(&work->next, GROUPS_AT_ONCE, memory_order_relaxed);
        if (group >= n_groups) return;
        size_t end = n_groups - group < GROUPS_AT_ONCE ? n_groups : group + GROUPS_AT_ONCE;
        for (; group < end; group++)
            mark_group(work, &work->benches[worker], group);
    }
}

/* ---- benches ------------------------------------------------------------------------------------------- */

static void measure(struct work *work, const struct vf__chains *chains, size_t *most) {
    for (size_t g = 0; g < chains->n_lanes; g++) {
        const struct vf__lane *lane = &chains->lanes[g];
        if (lane->n > *most) *most = lane->n;
        if (lane->unsorted && lane->n > work->most_unsorted) work->most_unsorted = lane->n;
    }
}

static enum vf_status benches_new(struct work *work, struct vf_error *err) {
    const struct vf_context *ctx = &work->ctx;
    bool more = work->rule->n_horizons > 2;
    work->n_benches = ctx->n_threads < MAX_WORKERS ? ctx->n_threads : MAX_WORKERS;
    work->benches = vf__zalloc(ctx, work->n_benches, sizeof *work->benches);
    if (work->benches == NULL) return vf__fail_memory(err, work->n_benches * sizeof *work->benches);
    for (size_t i = 0; i < work->n_benches; i++) {
        struct bench *b = &work->benches[i];
        b->rows = vf__alloc(ctx, work->most_rows, sizeof *b->rows);
        b->quotes = vf__alloc(ctx, work->most_quotes, sizeof *b->quotes);
        b->out = vf__alloc(ctx, more ? work->most_rows : 0, sizeof *b->out);
        b->spare = vf__alloc(ctx, work->most_unsorted, sizeof *b->spare);
        b->times = vf__alloc(ctx, work->most_unsorted, sizeof *b->times);
        b->order = vf__alloc(ctx, work->most_unsorted, sizeof *b->order);
        b->scratch = vf__alloc(ctx, work->most_unsorted, sizeof *b->scratch);
        if (b->rows == NULL || b->quotes == NULL || b->out == NULL || b->spare == NULL || b->times == NULL ||
            b->order == NULL || b->scratch == NULL)
            return vf__fail_memory(err, work->most_rows * sizeof *b->rows);
    }
    return VF_OK;
}

static void benches_release(struct work *work) {
    const struct vf_context *ctx = &work->ctx;
    for (size_t i = 0; work->benches != NULL && i < work->n_benches; i++) {
        struct bench *b = &work->benches[i];
        vf__free(ctx, b->rows, work->most_rows, sizeof *b->rows);
        vf__free(ctx, b->quotes, work->most_quotes, sizeof *b->quotes);
        vf__free(ctx, b->out, work->rule->n_horizons > 2 ? work->most_rows : 0, sizeof *b->out);
        vf__free(ctx, b->spare, work->most_unsorted, sizeof *b->spare);
        vf__free(ctx, b->times, work->most_unsorted, sizeof *b->times);
        vf__free(ctx, b->order, work->most_unsorted, sizeof *b->order);
        vf__free(ctx, b->scratch, work->most_unsorted, sizeof *b->scratch);
    }
    vf__free(ctx, work->benches, work->n_benches, sizeof *work->benches);
}

enum vf_status vf__mark_all(const struct vf__mark_rule *rule, struct vf__chains *rows, const struct vf__chains *quotes,
                            struct vf_error *err) {
    struct work work = {.ctx = rows->ctx, .rule = rule, .rows = rows, .quotes = quotes};
    atomic_init(&work.next, 0);
    measure(&work, rows, &work.most_rows);
    if (quotes != NULL) measure(&work, quotes, &work.most_quotes);
    enum vf_status status = benches_new(&work, err);
    if (status == VF_OK) vf__parallel(&work.ctx, work.n_benches, mark_groups, &work);
    if (status == VF_OK) vf__chains_rewind(rows);
    benches_release(&work);
    return status;
}
