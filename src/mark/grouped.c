/* Marks frames in any order, by any method: brings each group's runs together, looks up within each group,
   and hands the results back in the order of the runs. Not for the look-up itself (src/mark/merge.c), nor for
   looking back in frames that are in time order as a whole (src/mark/stream.c).

   Bringing together costs two passes over memory and makes everything between them sequential; looking up in
   the order of the rows costs a cache miss a row and horizon. A run's cell first holds its time and price and
   then its results, and so does the memory of the runs' own times and prices, so that two horizons need 16
   bytes a run of scratch and nothing more that stays. */
#include "base/keys.h"
#include "base/rows.h"
#include "mark/mark.h"

#include <math.h>

#define MAX_RANGES 64
#define CHUNKS_PER_THREAD 16

/* What one range of runs has of one group. */
struct part {
    int64_t first, last; /* times */
    uint32_t count;
    bool unsorted;
};

union value {
    int64_t time;
    double price;
};

/* Runs by group. Range r of the runs has its cells of group g from starts[r * n_groups + g] on; cells of
   group g are [base[g], base[g + 1]), in the order of the runs until sorted. */
struct grouped {
    const struct vf__runs *runs;
    size_t n_ranges, n_groups, n_cells, n_chunks;
    struct part *parts;
    uint32_t *starts, *cursors; /* n_ranges * n_groups */
    uint32_t *base;             /* n_groups + 1 */
    uint8_t *unsorted;          /* by group */
    size_t largest;             /* unsorted group's size; 0: there is none */
    struct vf__cell *cells;
    uint32_t *order; /* of unsorted groups: the cell of the i-th run is base + order[base + i]; else NULL */
};

/* A worker's room to sort one group. */
struct bench {
    union value *values;
    uint32_t *rows, *scratch;
};

struct work {
    struct vf_context ctx;
    const struct vf__mark_rule *rule;
    struct grouped rows, quotes;
    struct grouped *sorting;
    const struct grouped *seen; /* the observations: &rows or &quotes */
    struct bench *benches;
    size_t n_benches, bench_size;
    struct vf__cell *other; /* results of all pairs of horizons but the last, which goes over the cells */
    struct vf__cell *out;
    size_t horizon; /* first of the pair that is being worked on */
    struct vf__marks marks;
};

/* ---- pieces of work ------------------------------------------------------------------------------------ */

/* Runs [first, last) of a range, and the piece of a block that run i begins. */
static size_t range_start(const struct grouped *g, size_t range) {
    return (size_t)((uint64_t)g->runs->last.n * range / g->n_ranges);
}

static size_t piece(size_t i, size_t end, size_t *at) {
    *at = i & (VF__RUN_BLOCK - 1);
    return end - i < VF__RUN_BLOCK - *at ? end - i : VF__RUN_BLOCK - *at;
}

/* The first group whose cells begin at `cell` or later: chunks of groups hold about as many cells each. */
static size_t chunk_start(const struct grouped *g, size_t chunk) {
    if (chunk == g->n_chunks) return g->n_groups;
    uint32_t cell = (uint32_t)((uint64_t)g->n_cells * chunk / g->n_chunks);
    size_t low = 0, high = g->n_groups;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->base[middle] < cell)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- survey: sizes of groups, and which are out of order ----------------------------------------------- */

static void survey_range(void *arg, size_t range) {
    struct grouped *g = arg;
    struct part *parts = g->parts + range * g->n_groups;
    size_t end = range_start(g, range + 1), at, n;
    for (size_t i = range_start(g, range); i < end; i += n) {
        n = piece(i, end, &at);
        const struct vf__run_block *block = &g->runs->blocks[i >> VF__RUN_BITS];
        for (size_t j = at; j < at + n; j++) {
            if (block->group[j] == VF__NO_KEY) continue;
            struct part *part = &parts[block->group[j]];
            int64_t time = block->time[j];
            if (part->count == 0) part->first = part->last = time;
            part->unsorted |= time < part->last;
            part->last = time;
            part->count++;
        }
    }
}

/* Where each range's cells of each group begin. */
static void lay_out(struct grouped *g) {
    uint32_t next = 0;
    for (size_t group = 0; group < g->n_groups; group++) {
        const struct part *before = NULL;
        bool unsorted = false;
        g->base[group] = next;
        for (size_t r = 0; r < g->n_ranges; r++) {
            const struct part *part = &g->parts[r * g->n_groups + group];
            g->starts[r * g->n_groups + group] = next;
            if (part->count == 0) continue;
            unsorted |= part->unsorted || (before != NULL && part->first < before->last);
            before = part;
            next += part->count;
        }
        g->unsorted[group] = unsorted;
        size_t size = next - g->base[group];
        if (unsorted && size > g->largest) g->largest = size;
    }
    g->base[g->n_groups] = next;
    g->n_cells = next;
}

static void grouped_release(const struct vf_context *ctx, struct grouped *g) {
    size_t table = g->n_ranges * g->n_groups;
    vf__free(ctx, g->parts, table, sizeof *g->parts);
    vf__free(ctx, g->starts, table, sizeof *g->starts);
    vf__free(ctx, g->cursors, table, sizeof *g->cursors);
    vf__free(ctx, g->base, g->n_groups + 1, sizeof *g->base);
    vf__free(ctx, g->unsorted, g->n_groups, sizeof *g->unsorted);
    vf__free(ctx, g->cells, g->n_cells, sizeof *g->cells);
    vf__free(ctx, g->order, g->n_cells, sizeof *g->order);
    *g = (struct grouped){0};
}

/* A range has a table by group: with many groups there are fewer ranges, so that tables stay smaller than
 * runs. */
static size_t ranges_for(const struct vf_context *ctx, size_t n_runs, size_t n_groups) {
    size_t n = ctx->n_threads < MAX_RANGES ? ctx->n_threads : MAX_RANGES,
           most = 1 + n_runs / (8 * n_groups + 4096);
    return n < most ? n : most;
}

static enum vf_status grouped_new(const struct vf_context *ctx, const struct vf__runs *runs, size_t n_groups,
                                  bool ordered, struct grouped *g, struct vf_error *err) {
    *g = (struct grouped){
        .runs = runs, .n_groups = n_groups, .n_ranges = ranges_for(ctx, runs->last.n, n_groups)};
    g->n_chunks = ctx->n_threads > 1 ? (size_t)ctx->n_threads * CHUNKS_PER_THREAD : 1;
    size_t table = g->n_ranges * n_groups;
    g->parts = vf__zalloc(ctx, table, sizeof *g->parts);
    g->starts = vf__alloc(ctx, table, sizeof *g->starts);
    g->base = vf__alloc(ctx, n_groups + 1, sizeof *g->base);
    g->unsorted = vf__alloc(ctx, n_groups, sizeof *g->unsorted);
    if (g->parts == NULL || g->starts == NULL || g->base == NULL || g->unsorted == NULL)
        return vf__fail_memory(err, table * (sizeof *g->parts + sizeof *g->starts));
    vf__parallel(ctx, g->n_ranges, survey_range, g);
    lay_out(g);
    vf__free(ctx, g->parts, table, sizeof *g->parts);
    g->parts = NULL;
    g->cursors = vf__alloc(ctx, table, sizeof *g->cursors);
    g->cells = vf__alloc(ctx, g->n_cells, sizeof *g->cells);
    if (ordered && g->largest > 0) g->order = vf__alloc(ctx, g->n_cells, sizeof *g->order);
    if (g->cursors == NULL || g->cells == NULL || (ordered && g->largest > 0 && g->order == NULL))
        return vf__fail_memory(err, g->n_cells * sizeof *g->cells);
    return VF_OK;
}

static uint32_t *cursors_of(struct grouped *g, size_t range) {
    uint32_t *cursors = g->cursors + range * g->n_groups;
    memcpy(cursors, g->starts + range * g->n_groups, g->n_groups * sizeof *cursors);
    return cursors;
}

/* ---- together ------------------------------------------------------------------------------------------ */

static void scatter_range(void *arg, size_t range) {
    struct grouped *g = arg;
    uint32_t *cursors = cursors_of(g, range);
    size_t end = range_start(g, range + 1), at, n;
    for (size_t i = range_start(g, range); i < end; i += n) {
        n = piece(i, end, &at);
        const struct vf__run_block *block = &g->runs->blocks[i >> VF__RUN_BITS];
        for (size_t j = at; j < at + n; j++) {
            if (block->group[j] == VF__NO_KEY) continue;
            struct vf__cell *cell = &g->cells[cursors[block->group[j]]++];
            cell->time = block->time[j];
            cell->price = block->price[j];
        }
    }
}

/* Stable: of equal times, the last row stays last and wins. */
static void sort_group(struct grouped *g, size_t group, const struct bench *bench) {
    struct vf__cell *cells = g->cells + g->base[group];
    size_t n = g->base[group + 1] - g->base[group];
    int64_t *times = &bench->values[0].time;
    for (size_t i = 0; i < n; i++) {
        bench->rows[i] = (uint32_t)i;
        times[i] = cells[i].time;
    }
    vf__rows_sort(times, bench->rows, bench->scratch, n);
    for (size_t i = 0; i < n; i++)
        cells[i].time = times[bench->rows[i]];
    double *prices = &bench->values[0].price;
    for (size_t i = 0; i < n; i++)
        prices[i] = cells[i].price;
    for (size_t i = 0; i < n; i++)
        cells[i].price = prices[bench->rows[i]];
    for (size_t i = 0; g->order != NULL && i < n; i++)
        g->order[g->base[group] + bench->rows[i]] = (uint32_t)i;
}

static void sort_some(void *arg, size_t worker) {
    struct work *work = arg;
    struct grouped *g = work->sorting;
    for (size_t chunk = worker; chunk < g->n_chunks; chunk += work->n_benches) {
        size_t end = chunk_start(g, chunk + 1);
        for (size_t group = chunk_start(g, chunk); group < end; group++)
            if (g->unsorted[group]) sort_group(g, group, &work->benches[worker]);
    }
}

static void bring_together(struct work *work, struct grouped *g) {
    vf__parallel(&work->ctx, g->n_ranges, scatter_range, g);
    if (g->largest == 0) return;
    work->sorting = g;
    vf__parallel(&work->ctx, work->n_benches, sort_some, work);
}

/* ---- mark, and back ------------------------------------------------------------------------------------ */

static void mark_chunk(void *arg, size_t chunk) {
    struct work *work = arg;
    const struct grouped *rows = &work->rows, *seen = work->seen;
    size_t n = work->rule->n_horizons - work->horizon, end = chunk_start(rows, chunk + 1);
    for (size_t group = chunk_start(rows, chunk); group < end; group++) {
        size_t row = rows->base[group], observation = seen->base[group];
        if (rows->base[group + 1] == row) continue;
        vf__mark_merge(work->rule, work->rule->horizons + work->horizon, n < 2 ? n : 2,
                       seen->cells + observation, seen->base[group + 1] - observation, rows->cells + row,
                       rows->base[group + 1] - row, work->out + row);
    }
}

/* One block's piece of a range: runs [at, at + n) of it. Gives one horizon where `second` is NULL. */
static inline void gather_piece(const struct work *work, const uint32_t *group, size_t at, size_t n,
                                uint32_t *cursors, double *first, double *second) {
    const struct grouped *g = &work->rows;
    const struct vf__cell *out = work->out;
    for (size_t j = at; j < at + n; j++) {
        if (group[j] == VF__NO_KEY) {
            first[j] = NAN;
            if (second != NULL) second[j] = NAN;
            continue;
        }
        size_t cell = cursors[group[j]]++;
        if (g->order != NULL && g->unsorted[group[j]]) cell = g->base[group[j]] + g->order[cell];
        first[j] = out[cell].first;
        if (second != NULL) second[j] = out[cell].second;
    }
}

static void gather_range(void *arg, size_t range) {
    struct work *work = arg;
    struct grouped *g = &work->rows;
    uint32_t *cursors = cursors_of(g, range);
    bool pair = work->rule->n_horizons - work->horizon > 1;
    double **firsts = work->marks.blocks + work->horizon * work->marks.n_blocks;
    double **seconds = pair ? firsts + work->marks.n_blocks : NULL;
    size_t end = range_start(g, range + 1), at, n;
    for (size_t i = range_start(g, range); i < end; i += n) {
        n = piece(i, end, &at);
        size_t b = i >> VF__RUN_BITS;
        gather_piece(work, g->runs->blocks[b].group, at, n, cursors, firsts[b], pair ? seconds[b] : NULL);
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

static enum vf_status benches_new(struct work *work, struct vf_error *err) {
    size_t size = work->rows.largest > work->quotes.largest ? work->rows.largest : work->quotes.largest;
    if (size == 0) return VF_OK;
    size_t n = work->ctx.n_threads < MAX_RANGES ? work->ctx.n_threads : MAX_RANGES;
    work->benches = vf__zalloc(&work->ctx, n, sizeof *work->benches);
    if (work->benches == NULL) return vf__fail_memory(err, n * sizeof *work->benches);
    work->n_benches = n;
    work->bench_size = size;
    for (size_t i = 0; i < n; i++) {
        struct bench *bench = &work->benches[i];
        bench->values = vf__alloc(&work->ctx, size, sizeof *bench->values);
        bench->rows = vf__alloc(&work->ctx, size, sizeof *bench->rows);
        bench->scratch = vf__alloc(&work->ctx, size, sizeof *bench->scratch);
        if (bench->values == NULL || bench->rows == NULL || bench->scratch == NULL)
            return vf__fail_memory(err, size * 16);
    }
    return VF_OK;
}

static void work_release(struct work *work) {
    const struct vf_context *ctx = &work->ctx;
    vf__free(ctx, work->other, work->rows.n_cells, sizeof *work->other);
    for (size_t i = 0; i < work->n_benches; i++) {
        vf__free(ctx, work->benches[i].values, work->bench_size, sizeof *work->benches[i].values);
        vf__free(ctx, work->benches[i].rows, work->bench_size, sizeof *work->benches[i].rows);
        vf__free(ctx, work->benches[i].scratch, work->bench_size, sizeof *work->benches[i].scratch);
    }
    vf__free(ctx, work->benches, work->n_benches, sizeof *work->benches);
    grouped_release(ctx, &work->rows);
    grouped_release(ctx, &work->quotes);
}

enum vf_status vf__mark_grouped(const struct vf__mark_rule *rule, struct vf__runs *rows,
                                struct vf__runs *quotes, size_t n_groups, struct vf__marks *out,
                                struct vf_error *err) {
    struct work work = {.ctx = rows->ctx, .rule = rule, .seen = quotes != NULL ? &work.quotes : &work.rows};
    enum vf_status status = grouped_new(&work.ctx, rows, n_groups, true, &work.rows, err);
    if (status == VF_OK && quotes != NULL)
        status = grouped_new(&work.ctx, quotes, n_groups, false, &work.quotes, err);
    if (status == VF_OK) status = benches_new(&work, err);
    if (status == VF_OK && rule->n_horizons > 2) {
        work.other = vf__alloc(&work.ctx, work.rows.n_cells, sizeof *work.other);
        if (work.other == NULL) status = vf__fail_memory(err, work.rows.n_cells * sizeof *work.other);
    }
    if (status == VF_OK) status = vf__marks_new(&work.ctx, rows, rule->n_horizons, 2, &work.marks, err);
    if (status != VF_OK) {
        vf__marks_release(&work.marks);
        goto done;
    }
    /* nothing below can fail, so what was learnt may go */
    if (quotes != NULL) {
        bring_together(&work, &work.quotes);
        vf__runs_release_blocks(quotes);
    }
    bring_together(&work, &work.rows);
    vf__marks_take(&work.marks, rows); /* their times and prices are in the cells */
    for (work.horizon = 0; work.horizon < rule->n_horizons; work.horizon += 2) {
        work.out = work.horizon + 2 < rule->n_horizons ? work.other : work.rows.cells;
        vf__parallel(&work.ctx, work.rows.n_chunks, mark_chunk, &work);
        vf__parallel(&work.ctx, work.rows.n_ranges, gather_range, &work);
    }
    vf__runs_release_blocks(rows);
    *out = work.marks;
done:
    work_release(&work);
    return status;
}
