/* Matches symbol by symbol; see fifo.h. Not for what a row's pieces are: src/match/pieces.c.

   A symbol's trades are laid on a bench in time order, walked once with a queue of open lots, and its records go back
   to where the trades were.
   - A record ends a row: the closer's need, the opener's lot, or a rest that nothing more can happen to. So a symbol
     has at most as many records as it has trades and lots, and their cells have room for them.
   - The records of one row are next to each other, so a start is all it takes to find them. As a closer: they are
     written one after the other while the row is handled. As an opener: only the head of the queue is ever matched,
     and while a lot is the head every record of the symbol names it (an exit finds the queue not empty, so it has no
     unmatched part before the lot is gone; rows of the lot's own direction write nothing); its rest, if any, is the
     first record written at the end. As both (a row that closes shorts and opens a long with what is left): the queue
     is empty when it opens, so its lot is the head at once, and its next record follows the last one it closed.
     Inventory lots are rows that came first, so nothing changes. */
#include "match/fifo.h"

#include "base/rows.h"

#include <stdatomic.h>

#define NONE VF__MATCH_NONE
#define DUST 1e-9
#define MAX_WORKERS 64
#define GROUPS_AT_ONCE 16

/* A trade or lot on the bench. */
struct item {
    uint64_t quantity;
    int64_t time;
    uint32_t id;   /* row, or n_rows + lot */
    uint32_t cell; /* of its symbol; NONE for a lot */
};

/* A worker's room for one symbol, as large as the largest. */
struct bench {
    uint8_t *cells;
    struct item *items;         /* in time order, lots first */
    struct vf__record *records;
    uint32_t *starts;           /* by cell */
    uint32_t *queue;            /* items that are open lots */
    uint32_t *order, *scratch;  /* to put cells in order */
    int64_t *sort;
};

struct job {
    const struct vf__match_input *in;
    size_t stride;
    uint32_t *lots, *lot_start; /* lots by group; NULL where there are none */
    struct bench *benches;
    size_t n_benches, most, most_unsorted;
    bool dry; /* only looked at: nothing is stored */
    atomic_size_t next;
    struct vf__match_tally tallies[MAX_WORKERS];
};

/* ---- the walk over a symbol ------------------------------------------------------------------------------------- */

struct walk {
    const struct item *items;
    struct vf__record *records;
    uint32_t *starts, *queue;
    bool shorts;
    struct vf__match_tally *tally;
    uint32_t n;           /* records */
    uint32_t head, tail;  /* of the queue */
    uint32_t first;       /* the head lot's first record */
    bool lot_exit;        /* the exit side opened the lots */
    uint64_t rest, whole; /* of the head lot */
};

static inline double as_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t subtract(uint64_t a, uint64_t b, bool is_float) {
    if (!is_float) return a - b;
    double x = as_double(a) - as_double(b);
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Nothing is left of `whole`. 0.3 - 0.1 - 0.2 is not 0, and must be. */
static inline bool is_dust(uint64_t rest, uint64_t whole, bool is_float) {
    return rest == 0 || (is_float && as_double(rest) < DUST * as_double(whole));
}

static inline const struct item *head_of(const struct walk *w) {
    return &w->items[w->queue[w->head]];
}

static inline void make_head(struct walk *w, uint32_t first) {
    w->first = first;
    w->rest = w->whole = head_of(w)->quantity & ~VF__EXIT_SIDE;
}

static inline void push(struct walk *w, uint32_t i) {
    bool empty = w->head == w->tail;
    w->queue[w->tail++] = i;
    if (empty) make_head(w, w->n);
    w->tally->n_opened += w->items[i].cell != NONE;
}

/* The head lot is gone, and its last record is written. */
static inline void pop(struct walk *w) {
    const struct item *lot = head_of(w);
    if (lot->cell != NONE) w->starts[lot->cell] = w->first;
    w->head++;
    if (w->head != w->tail) make_head(w, w->n);
}

static inline void put(struct walk *w, uint32_t opener, uint32_t closer, uint64_t quantity, int64_t held) {
    w->records[w->n++] =
        (struct vf__record){.opener = opener, .closer = closer, .quantity = quantity, .held = held};
}

static inline void put_match(struct walk *w, const struct item *closer, uint64_t quantity) {
    const struct item *lot = head_of(w);
    /* of a row's lot: fits, the caller looked at all times; of an inventory lot: anything, nobody reads it */
    put(w, lot->id, closer->id, quantity, (int64_t)((uint64_t)closer->time - (uint64_t)lot->time));
    w->tally->n_matched++;
    w->tally->n_from_inventory += lot->cell == NONE;
}

/* `left` of item i has nothing to close; its records begin at `first`. */
static void exceed(struct walk *w, uint32_t i, uint32_t first, uint64_t left, bool is_exit) {
    const struct item *row = &w->items[i];
    if (w->shorts) {
        w->queue[w->tail++] = i;
        make_head(w, first);
        w->rest = left;
        w->lot_exit = is_exit;
        w->tally->n_opened++;
        return;
    }
    put(w, NONE, row->id, left, 0);
    w->starts[row->cell] = first;
    w->tally->n_over++;
    if (row->id < w->tally->first_over) w->tally->first_over = row->id;
}

/* A row against the lots of the other side. */
static inline void close_lots(struct walk *w, uint32_t i, bool is_exit, bool is_float) {
    const struct item *row = &w->items[i];
    uint64_t whole = row->quantity & ~VF__EXIT_SIDE, left = whole;
    uint64_t direction = w->lot_exit ? VF__EXIT_SIDE : 0;
    uint32_t first = w->n;
    while (w->head != w->tail) {
        uint64_t rest = w->rest;
        if (rest > left) {
            put_match(w, row, left | direction);
            w->rest = subtract(rest, left, is_float);
            if (is_float && is_dust(w->rest, w->whole, true)) pop(w);
            left = 0;
            break;
        }
        put_match(w, row, rest | direction);
        pop(w);
        left = subtract(left, rest, is_float);
        if (is_dust(left, whole, is_float)) {
            left = 0;
            break;
        }
    }
    if (left != 0)
        exceed(w, i, first, left, is_exit);
    else
        w->starts[row->cell] = first;
}

static inline void walk_items(struct walk *w, uint32_t n, bool is_float) {
    for (uint32_t i = 0; i < n; i++) {
        const struct item *item = &w->items[i];
        bool is_exit = (item->quantity & VF__EXIT_SIDE) != 0;
        if (VF__UNLIKELY((item->quantity & ~VF__EXIT_SIDE) == 0)) {
            w->starts[item->cell] = is_exit ? VF__START_ZERO_EXIT : VF__START_ZERO_ENTRY;
            w->tally->n_zero++;
            continue;
        }
        if (w->shorts && w->head == w->tail) w->lot_exit = is_exit;
        if (is_exit == w->lot_exit)
            push(w, i);
        else
            close_lots(w, i, is_exit, is_float);
    }
}

/* The end of the day: rests of rows. Inventory lots have no row for theirs. */
static void close_queue(struct walk *w) {
    while (w->head != w->tail) {
        const struct item *lot = head_of(w);
        if (lot->cell != NONE) {
            put(w, lot->id, NONE, w->rest | (w->lot_exit ? VF__EXIT_SIDE : 0), 0);
            w->tally->n_open++;
        }
        pop(w);
    }
}

/* ---- a symbol: to the bench and back ---------------------------------------------------------------------------- */

/* Order of a symbol's cells by (sort, row); NULL where they lie that way. */
static const uint32_t *order_of(const struct job *job, const struct bench *bench, const struct vf__lane *lane,
                                uint32_t n) {
    if (!lane->unsorted) return NULL;
    for (uint32_t i = 0; i < n; i++) {
        bench->order[i] = i;
        memcpy(&bench->sort[i], bench->cells + i * job->stride + offsetof(struct vf__trade, sort), sizeof(int64_t));
    }
    vf__rows_sort(bench->sort, bench->order, bench->scratch, n);
    return bench->order;
}

static uint32_t lay_lots(const struct job *job, const struct bench *bench, size_t group) {
    const struct vf__match_input *in = job->in;
    if (job->lots == NULL) return 0;
    uint32_t n = 0;
    for (uint32_t k = job->lot_start[group]; k < job->lot_start[group + 1]; k++) {
        uint32_t lot = job->lots[k];
        bench->items[n++] =
            (struct item){.quantity = in->lot_quantity[lot], .id = in->n_rows + lot, .cell = NONE};
    }
    return n;
}

static void lay_trades(const struct job *job, const struct bench *bench, const uint32_t *order, uint32_t n,
                       struct item *items) {
    size_t stride = job->stride, row_at = stride - sizeof(uint32_t);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t cell = order != NULL ? order[i] : i;
        const uint8_t *from = bench->cells + cell * stride;
        items[i].cell = cell;
        items[i].time = 0;
        memcpy(&items[i].quantity, from, sizeof(uint64_t));
        memcpy(&items[i].id, from + row_at, sizeof(uint32_t));
        if (job->in->timed) memcpy(&items[i].time, from + offsetof(struct vf__trade, time), sizeof(int64_t));
    }
}

/* Records and starts to the cells; what lies behind the last record names no row. */
static void store(const struct job *job, const struct bench *bench, const struct vf__lane *lane, uint32_t n_records) {
    const struct vf__record none = {.opener = NONE, .closer = NONE};
    size_t stride = job->stride, size = stride - sizeof(uint32_t);
    uint8_t *at = NULL;
    for (uint32_t done = 0, n; done < lane->n; done += n) {
        n = vf__chain_stretch(lane, done, &at);
        for (uint32_t i = 0; i < n; i++, at += stride) {
            const struct vf__record *record = done + i < n_records ? &bench->records[done + i] : &none;
            memcpy(at, record, offsetof(struct vf__record, held)); /* constant sizes */
            if (job->in->timed)
                memcpy(at + offsetof(struct vf__record, held), &record->held, sizeof record->held);
            memcpy(at + size, &bench->starts[done + i], sizeof(uint32_t));
        }
    }
}

static void match_group(const struct job *job, const struct bench *bench, size_t group,
                        struct vf__match_tally *tally) {
    const struct vf__match_input *in = job->in;
    const struct vf__lane *lane = &in->cells->lanes[group];
    if (lane->n == 0) return;
    uint32_t n_lots = lay_lots(job, bench, group), n = lane->n - n_lots;
    vf__chain_load(in->cells, lane, 0, job->stride, bench->cells);
    lay_trades(job, bench, order_of(job, bench, lane, n), n, bench->items + n_lots);
    struct walk w = {.items = bench->items,
                     .records = bench->records,
                     .starts = bench->starts,
                     .queue = bench->queue,
                     .shorts = in->on_excess == VF_EXCESS_OPEN_SHORT,
                     .tally = tally};
    tally->n_no_trade -= n;
    for (uint32_t i = n; i < lane->n; i++)
        bench->starts[i] = VF__START_NO_TRADE; /* the lots' cells are no rows' */
    if (in->is_float)
        walk_items(&w, n_lots + n, true);
    else
        walk_items(&w, n_lots + n, false);
    close_queue(&w);
    if (!job->dry) store(job, bench, lane, w.n);
}

static void match_groups(void *arg, size_t worker) {
    struct job *job = arg;
    size_t n_groups = job->in->cells->n_lanes;
    for (;;) {
        size_t group = atomic_fetch_add_explicit(&job->next, GROUPS_AT_ONCE, memory_order_relaxed);
        if (group >= n_groups) return;
        size_t end = n_groups - group < GROUPS_AT_ONCE ? n_groups : group + GROUPS_AT_ONCE;
        for (; group < end; group++)
            match_group(job, &job->benches[worker], group, &job->tallies[worker]);
    }
}

/* ---- set-up ----------------------------------------------------------------------------------------------------- */

/* Lots by group, in their order. */
static enum vf_status sort_lots(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    const struct vf__match_input *in = job->in;
    size_t n_groups = in->cells->n_lanes;
    if (in->n_lots == 0) return VF_OK;
    job->lots = vf__alloc(ctx, in->n_lots, sizeof *job->lots);
    job->lot_start = vf__zalloc(ctx, n_groups + 2, sizeof *job->lot_start);
    if (job->lots == NULL || job->lot_start == NULL) return vf__fail_memory(err, in->n_lots * sizeof *job->lots);
    uint32_t *at = job->lot_start + 1; /* one place on: filling moves each group's start to the next one's */
    for (size_t k = 0; k < in->n_lots; k++)
        at[in->lot_group[k] + 1]++;
    for (size_t g = 0; g < n_groups; g++)
        at[g + 1] += at[g];
    for (size_t k = 0; k < in->n_lots; k++)
        job->lots[at[in->lot_group[k]]++] = (uint32_t)k;
    return VF_OK;
}

static enum vf_status benches_new(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    for (size_t g = 0; g < job->in->cells->n_lanes; g++) {
        const struct vf__lane *lane = &job->in->cells->lanes[g];
        if (lane->n > job->most) job->most = lane->n;
        if (lane->unsorted && lane->n > job->most_unsorted) job->most_unsorted = lane->n;
    }
    job->n_benches = ctx->n_threads < MAX_WORKERS ? ctx->n_threads : MAX_WORKERS;
    job->benches = vf__zalloc(ctx, job->n_benches, sizeof *job->benches);
    if (job->benches == NULL) return vf__fail_memory(err, job->n_benches * sizeof *job->benches);
    for (size_t i = 0; i < job->n_benches; i++) {
        struct bench *b = &job->benches[i];
        b->cells = vf__alloc(ctx, job->most, job->stride);
        b->items = vf__alloc(ctx, job->most, sizeof *b->items);
        b->records = vf__alloc(ctx, job->most, sizeof *b->records);
        b->starts = vf__zalloc(ctx, job->most, sizeof *b->starts);
        b->queue = vf__alloc(ctx, job->most, sizeof *b->queue);
        b->order = vf__alloc(ctx, job->most_unsorted, sizeof *b->order);
        b->scratch = vf__alloc(ctx, job->most_unsorted, sizeof *b->scratch);
        b->sort = vf__alloc(ctx, job->most_unsorted, sizeof *b->sort);
        if (b->cells == NULL || b->items == NULL || b->records == NULL || b->starts == NULL || b->queue == NULL ||
            b->order == NULL || b->scratch == NULL || b->sort == NULL)
            return vf__fail_memory(err, job->most * sizeof *b->records);
    }
    return VF_OK;
}

static void release(struct job *job, const struct vf_context *ctx) {
    for (size_t i = 0; job->benches != NULL && i < job->n_benches; i++) {
        struct bench *b = &job->benches[i];
        vf__free(ctx, b->cells, job->most, job->stride);
        vf__free(ctx, b->items, job->most, sizeof *b->items);
        vf__free(ctx, b->records, job->most, sizeof *b->records);
        vf__free(ctx, b->starts, job->most, sizeof *b->starts);
        vf__free(ctx, b->queue, job->most, sizeof *b->queue);
        vf__free(ctx, b->order, job->most_unsorted, sizeof *b->order);
        vf__free(ctx, b->scratch, job->most_unsorted, sizeof *b->scratch);
        vf__free(ctx, b->sort, job->most_unsorted, sizeof *b->sort);
    }
    vf__free(ctx, job->benches, job->n_benches, sizeof *job->benches);
    vf__free(ctx, job->lots, job->in->n_lots, sizeof *job->lots);
    vf__free(ctx, job->lot_start, job->in->cells->n_lanes + 2, sizeof *job->lot_start);
}

static void add_up(const struct job *job, struct vf__match_tally *out) {
    *out = (struct vf__match_tally){.n_no_trade = job->in->n_rows, .first_over = NONE};
    for (size_t i = 0; i < job->n_benches; i++) {
        const struct vf__match_tally *t = &job->tallies[i];
        out->n_matched += t->n_matched;
        out->n_from_inventory += t->n_from_inventory;
        out->n_open += t->n_open;
        out->n_over += t->n_over;
        out->n_opened += t->n_opened;
        out->n_zero += t->n_zero;
        out->n_no_trade += t->n_no_trade;
        if (t->first_over < out->first_over) out->first_over = t->first_over;
    }
}

static void match_all(struct job *job, const struct vf_context *ctx, struct vf__match_tally *tally) {
    atomic_store(&job->next, 0);
    for (size_t i = 0; i < job->n_benches; i++)
        job->tallies[i] = (struct vf__match_tally){.first_over = NONE};
    vf__parallel(ctx, job->n_benches, match_groups, job);
    add_up(job, tally);
}

enum vf_status vf__match_run(const struct vf_context *ctx, const struct vf__match_input *in,
                             struct vf__match_tally *tally, struct vf_error *err) {
    struct job job = {.in = in, .stride = vf__match_stride(in->timed), .dry = in->on_excess == VF_EXCESS_RAISE};
    atomic_init(&job.next, 0);
    enum vf_status status = sort_lots(&job, ctx, err);
    if (status == VF_OK) status = benches_new(&job, ctx, err);
    if (status != VF_OK) goto done;
    match_all(&job, ctx, tally);
    if (job.dry && tally->n_over == 0) { /* nothing to raise: once more, and for good */
        job.dry = false;
        match_all(&job, ctx, tally);
    }
done:
    release(&job, ctx);
    return status;
}
