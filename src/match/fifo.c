/* Walks all rows once, with a queue of open lots for each symbol; see fifo.h.
   Not a sorter: a day file comes in time order, and only the groups that do not are put in order first.

   How a symbol's queue and its records lie in memory
   - The records of a symbol are one stretch of `records`. A record ends a row: the closer's need, the opener's
     lot, or a rest that nothing more can happen to. So a symbol has at most as many records as it has trade rows
     and lots, and the stretch is cut before the walk.
   - The records of one row are next to each other, so a place is all it takes to find them. As a closer: they are written one after the other while the row is handled. As an opener: only the head
     of the queue is ever matched, and while a lot is the head every record of the symbol names it (an exit finds
     the queue not empty, so it has no unmatched part before the lot is gone; rows of the lot's own direction
     write nothing); its rest, if any, is the first record written at the end. As both (a row that closes shorts
     and opens a long with what is left): the queue is empty when it opens, so its lot is the head at once, and
     its next record follows the last one it closed. Inventory lots are rows that came first, so nothing changes.
   - Hence the next record of a symbol always belongs to the head of its queue, and a lot's place is known when it
     stops being the head. Until then the place is not needed, and holds the next lot of the queue: a queue costs
     no memory of its own. */
#include "match/fifo.h"

#include "base/rows.h"

#define NONE VF__MATCH_NONE
#define LANE_BYTES 64
#define FAR 40  /* rows ahead: fetch the lane */
#define NEAR 16 /* rows ahead: the lane is here, fetch what it points at */
#define DUST 1e-9

/* A symbol's queue. One cache line each, so that threads do not pull at each other's. */
struct lane {
    int64_t last;   /* first pass: the last sort key; then the head lot's time */
    uint64_t rest;  /* of the head lot */
    uint64_t whole; /* the head lot's full quantity */
    uint32_t head;  /* NONE: nothing is open */
    uint32_t next;  /* the lot behind the head, or NONE */
    uint32_t tail;
    uint32_t first;   /* the head row's first record ... */
    uint32_t closed;  /* ... and how many it has as a closer */
    uint32_t at;      /* next record */
    uint32_t end;     /* of the symbol's stretch */
    uint32_t count;   /* rows */
    uint32_t ordered; /* unsorted groups: where their sorted rows end */
    bool lot_exit;    /* the exit side opened the lots */
    bool unsorted;
    char pad[LANE_BYTES - 3 * 8 - 9 * 4 - 2];
};

_Static_assert(sizeof(struct lane) == LANE_BYTES, "a lane is a cache line");

struct tally {
    int64_t n_matched, n_from_inventory, n_open, n_over, n_opened, n_zero;
    uint32_t first_over;
};

struct job {
    const struct vf__match_input *in;
    struct vf__matches *out;
    struct vf__parts parts;
    bool cut; /* parts are in use; else one walk over all the rows */
    size_t n_parts;
    struct lane *lanes;
    void *lanes_block;
    uint32_t *order; /* rows to be put in order: of unsorted groups, group after group, or all */
    size_t n_order;
    uint32_t *scratch;
    size_t n_scratch; /* a part */
    uint32_t *open;   /* groups, part after part */
    size_t open_start[VF__MAX_PARTS + 1];
    bool any_unsorted[VF__MAX_PARTS];
    bool interleaved[VF__MAX_PARTS]; /* most rows are of another group than the row before */
    struct tally tallies[VF__MAX_PARTS];
};

/* ---- first pass: sizes and order ------------------------------------------------------------------------------ */

static size_t part_rows(const struct job *job, size_t part, const uint32_t **rows) {
    *rows = job->cut ? job->parts.rows + job->parts.start[part] : NULL;
    return job->cut ? job->parts.start[part + 1] - job->parts.start[part] : job->in->n_rows;
}

static size_t part_of(const struct job *job, size_t group) {
    return job->cut ? job->parts.part_of_group[group] : 0;
}

static void measure(void *arg, size_t part) {
    struct job *job = arg;
    const uint32_t *group = job->in->group, *rows;
    const int64_t *sort = job->in->sort;
    struct lane *lanes = job->lanes;
    size_t n = part_rows(job, part, &rows);
    bool unsorted = false;
    size_t changes = 0;
    uint32_t before = VF__NO_KEY;
    for (size_t i = 0; i < n; i++) {
        size_t row = rows != NULL ? rows[i] : i;
        uint32_t g = group[row];
        if (g == VF__NO_KEY) continue;
        changes += g != before;
        before = g;
        struct lane *lane = &lanes[g];
        bool back = sort[row] < lane->last;
        lane->count++;
        lane->unsorted |= back;
        unsorted |= back;
        lane->last = sort[row];
    }
    job->any_unsorted[part] = unsorted;
    job->interleaved[part] = changes > n / 2;
}

/* ---- the walk --------------------------------------------------------------------------------------------------- */

/* What a walk needs, side by side. */
struct walk {
    const uint64_t *quantity;
    const int64_t *time;
    struct vf__place *places;
    struct vf__record *records;
    uint32_t n_rows;
    enum vf_fifo_rows rows;
    bool shorts;
    struct tally tally;
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

static inline int64_t time_of(const struct walk *w, uint32_t row) {
    return w->time != NULL && row < w->n_rows ? w->time[row] : 0;
}

static inline void put(struct walk *w, struct lane *lane, uint32_t opener, uint32_t closer,
                       uint64_t quantity) {
    w->records[lane->at++] = (struct vf__record){.opener = opener, .closer = closer, .quantity = quantity};
}

static inline void put_match(struct walk *w, struct lane *lane, uint32_t closer, int64_t now,
                             uint64_t quantity) {
    struct vf__record record = {.opener = lane->head, .closer = closer, .quantity = quantity};
    /* a row's lot: fits, the caller looked at all times; an inventory lot: anything, nobody reads it */
    record.held = (int64_t)((uint64_t)now - (uint64_t)lane->last);
    w->records[lane->at++] = record;
    w->tally.n_matched++;
    w->tally.n_from_inventory += lane->head >= w->n_rows;
}

/* first: where the row's records begin; closed: how many it has as a closer. */
static inline void make_head(struct walk *w, struct lane *lane, uint32_t row, uint32_t first,
                             uint32_t closed) {
    lane->head = row;
    lane->first = first;
    lane->closed = closed;
    lane->rest = lane->whole = w->quantity[row] & ~VF__EXIT_SIDE;
    lane->last = time_of(w, row);
}

static inline void push(struct walk *w, struct lane *lane, uint32_t row) {
    if (lane->head == NONE) {
        make_head(w, lane, row, lane->at, 0);
        lane->next = NONE;
    } else if (lane->next == NONE) {
        lane->next = row;
    } else {
        w->places[lane->tail].start = row;
    }
    lane->tail = row;
    w->tally.n_opened += row < w->n_rows;
}

static inline void fetch_lot(const struct walk *w, uint32_t row) {
    VF__PREFETCH(&w->places[row]);
    VF__PREFETCH(&w->quantity[row]);
    if (w->time != NULL && row < w->n_rows) VF__PREFETCH(&w->time[row]);
}

/* The head lot is gone, and its last record is written. `rest`: that record is its rest at the end. */
static inline void pop(struct walk *w, struct lane *lane, bool rest) {
    uint32_t row = lane->next, count = lane->at - lane->first;
    if (w->rows != VF_FIFO_BOTH) count = lane->closed + (w->rows == VF_FIFO_EXITS || rest);
    w->places[lane->head] = (struct vf__place){.start = lane->first, .count = count};
    if (row == NONE) {
        lane->head = NONE;
        return;
    }
    lane->next = row == lane->tail ? NONE : w->places[row].start;
    make_head(w, lane, row, lane->at, 0);
    if (lane->next != NONE) fetch_lot(w, lane->next);
}

/* `left` of `row` has nothing to close; its records begin at `first`. */
static void exceed(struct walk *w, struct lane *lane, uint32_t row, uint32_t first, uint64_t left,
                   bool is_exit) {
    if (w->shorts) {
        make_head(w, lane, row, first, lane->at - first);
        lane->rest = left;
        lane->next = NONE;
        lane->tail = row;
        lane->lot_exit = is_exit;
        w->tally.n_opened++;
        return;
    }
    put(w, lane, NONE, row, left);
    w->places[row] = (struct vf__place){.start = first, .count = lane->at - first};
    w->tally.n_over++;
    if (row < w->tally.first_over) w->tally.first_over = row;
}

static void take_nothing(struct walk *w, uint32_t row, uint32_t mark) {
    w->places[row] = (struct vf__place){.start = mark, .count = w->rows != VF_FIFO_LOTS};
}

/* A row against the lots of the other side. */
static inline void close_lots(struct walk *w, struct lane *lane, uint32_t row, bool is_exit, bool is_float) {
    uint64_t whole = w->quantity[row] & ~VF__EXIT_SIDE, left = whole;
    uint64_t direction = lane->lot_exit ? VF__EXIT_SIDE : 0;
    uint32_t first = lane->at;
    int64_t now = time_of(w, row);
    while (lane->head != NONE) {
        uint64_t rest = lane->rest;
        if (rest > left) {
            put_match(w, lane, row, now, left | direction);
            lane->rest = subtract(rest, left, is_float);
            if (is_float && is_dust(lane->rest, lane->whole, true)) pop(w, lane, false);
            left = 0;
            break;
        }
        put_match(w, lane, row, now, rest | direction);
        pop(w, lane, false);
        left = subtract(left, rest, is_float);
        if (is_dust(left, whole, is_float)) {
            left = 0;
            break;
        }
    }
    if (left != 0)
        exceed(w, lane, row, first, left, is_exit);
    else
        w->places[row] = (struct vf__place){.start = first, .count = lane->at - first};
}

static inline void take(struct walk *w, struct lane *lane, uint32_t row, bool is_float) {
    bool is_exit = (w->quantity[row] & VF__EXIT_SIDE) != 0;
    if (VF__UNLIKELY((w->quantity[row] & ~VF__EXIT_SIDE) == 0)) {
        take_nothing(w, row, is_exit ? VF__START_ZERO_EXIT : VF__START_ZERO_ENTRY);
        w->tally.n_zero++;
        return;
    }
    if (w->shorts && lane->head == NONE) lane->lot_exit = is_exit;
    if (is_exit == lane->lot_exit)
        push(w, lane, row);
    else
        close_lots(w, lane, row, is_exit, is_float);
}

/* rows NULL: all rows from 0, and those of no group are marked. skip: leave unsorted groups out. */
static inline void walk_rows(const struct job *job, struct walk *w, const uint32_t *rows, size_t n, bool skip,
                             bool is_float) {
    const uint32_t *group = job->in->group;
    struct lane *lanes = job->lanes;
    for (size_t i = 0; i < n; i++) {
        if (i + FAR < n) {
            uint32_t g = group[rows != NULL ? rows[i + FAR] : i + FAR];
            VF__PREFETCH(&lanes[g != VF__NO_KEY ? g : 0]);
            g = group[rows != NULL ? rows[i + NEAR] : i + NEAR];
            const struct lane *soon = &lanes[g != VF__NO_KEY ? g : 0];
            VF__PREFETCH(&w->records[soon->at]);
            fetch_lot(w, soon->next != NONE ? soon->next : 0);
        }
        uint32_t row = rows != NULL ? rows[i] : (uint32_t)i;
        uint32_t g = group[row];
        if (VF__UNLIKELY(g == VF__NO_KEY)) {
            take_nothing(w, row, VF__START_NO_TRADE);
        } else if (!skip || !lanes[g].unsorted) {
            take(w, &lanes[g], row, is_float);
        }
    }
}

static void walk(const struct job *job, struct walk *w, const uint32_t *rows, size_t n, bool skip) {
    if (job->in->is_float)
        walk_rows(job, w, rows, n, skip, true);
    else
        walk_rows(job, w, rows, n, skip, false);
}

static void walk_lots(const struct job *job, struct walk *w, size_t part) {
    for (size_t k = 0; k < job->in->n_lots; k++) {
        uint32_t g = job->in->lot_group[k];
        if (part_of(job, g) == part)
            take(w, &job->lanes[g], (uint32_t)(job->in->n_rows + k), job->in->is_float);
    }
}

/* Interleaved groups that are not all in order, such as a day's with late prints: rows are put in order as a whole, so
   that the walk still goes through memory from one end to the other. Group after group would jump a page a row. */
static void walk_interleaved(struct job *job, struct walk *w, size_t part) {
    uint32_t *mine = job->cut ? job->parts.rows + job->parts.start[part] : job->order;
    size_t n = job->cut ? job->parts.start[part + 1] - job->parts.start[part] : 0;
    for (size_t row = 0; !job->cut && row < job->in->n_rows; row++) {
        if (job->in->group[row] == VF__NO_KEY)
            take_nothing(w, (uint32_t)row, VF__START_NO_TRADE);
        else
            mine[n++] = (uint32_t)row;
    }
    vf__rows_sort(job->in->sort, mine, job->scratch + part * job->n_scratch, n);
    walk(job, w, mine, n, false);
}

/* Puts the rows of each unsorted group in order, and walks them: good where a group's rows lie together. */
static void walk_unsorted(struct job *job, struct walk *w, size_t part) {
    const uint32_t *group = job->in->group, *rows;
    size_t n = part_rows(job, part, &rows);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = rows != NULL ? rows[i] : (uint32_t)i;
        struct lane *lane = group[row] != VF__NO_KEY ? &job->lanes[group[row]] : NULL;
        if (lane != NULL && lane->unsorted) job->order[lane->ordered++] = row;
    }
    uint32_t *scratch = job->scratch + part * job->n_scratch;
    for (size_t k = job->open_start[part]; k < job->open_start[part + 1]; k++) {
        const struct lane *lane = &job->lanes[job->open[k]];
        if (!lane->unsorted) continue;
        uint32_t *mine = job->order + lane->ordered - lane->count;
        vf__rows_sort(job->in->sort, mine, scratch, lane->count);
        walk(job, w, mine, lane->count, false);
    }
}

/* ---- the end of the day -------------------------------------------------------------------------------------------- */

/* Writes the head's rest; true when a lot is behind it. Inventory lots have no row for theirs. */
static inline bool close_head(struct walk *w, struct lane *lane) {
    if (lane->head < w->n_rows) {
        put(w, lane, lane->head, NONE, lane->rest | (lane->lot_exit ? VF__EXIT_SIDE : 0));
        w->tally.n_open++;
    }
    pop(w, lane, true);
    return lane->head != NONE;
}

/* One lot of every queue at a time: a queue is a chain of cache misses, but the queues do not wait for each
   other. `groups` is used up. */
static void close_queues(struct walk *w, struct lane *lanes, uint32_t *groups, size_t n) {
    size_t left = 0;
    for (size_t k = 0; k < n; k++)
        if (lanes[groups[k]].head != NONE) groups[left++] = groups[k];
    while (left > 0) {
        size_t keep = 0;
        for (size_t k = 0; k < left; k++) {
            groups[keep] = groups[k];
            keep += close_head(w, &lanes[groups[k]]);
        }
        left = keep;
    }
}

/* What lies behind a symbol's last record names no row. */
static void end_stretch(struct vf__record *records, const struct lane *lane) {
    for (uint32_t k = lane->at; k < lane->end && k < lane->at + 4; k++)
        records[k] = (struct vf__record){.opener = NONE, .closer = NONE};
}

static void match_part(void *arg, size_t part) {
    struct job *job = arg;
    struct walk w = {.quantity = job->in->quantity,
                     .time = job->in->time,
                     .places = job->out->places,
                     .records = job->out->records,
                     .n_rows = (uint32_t)job->in->n_rows,
                     .rows = job->in->rows,
                     .shorts = job->in->on_excess == VF_EXCESS_OPEN_SHORT,
                     .tally = {.first_over = NONE}};
    const uint32_t *rows;
    size_t n = part_rows(job, part, &rows), first = job->open_start[part], last = job->open_start[part + 1];
    walk_lots(job, &w, part);
    if (job->any_unsorted[part] && job->interleaved[part]) {
        walk_interleaved(job, &w, part);
    } else {
        walk(job, &w, rows, n, job->any_unsorted[part]);
        if (job->any_unsorted[part]) walk_unsorted(job, &w, part);
    }
    close_queues(&w, job->lanes, job->open + first, last - first);
    job->tallies[part] = w.tally;
}

/* ---- set-up --------------------------------------------------------------------------------------------------------- */

static enum vf_status make_lanes(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    size_t n = job->in->n_groups;
    job->lanes_block = vf__alloc(ctx, n + 2, sizeof *job->lanes);
    if (job->lanes_block == NULL) return vf__fail_memory(err, (n + 2) * sizeof *job->lanes);
    uintptr_t address = (uintptr_t)job->lanes_block;
    job->lanes = (struct lane *)((address + LANE_BYTES - 1) / LANE_BYTES * LANE_BYTES);
    for (size_t g = 0; g <= n; g++)
        job->lanes[g] = (struct lane){.last = INT64_MIN, .head = NONE, .next = NONE};
    return VF_OK;
}

/* Room that a part's interleaved rows need to be put in order. */
static void plan_interleaved(struct job *job, size_t *largest) {
    for (size_t p = 0; p < job->n_parts; p++) {
        if (!job->any_unsorted[p] || !job->interleaved[p]) continue;
        const uint32_t *rows;
        size_t n = part_rows(job, p, &rows);
        if (!job->cut) job->n_order = n;
        if (n / 2 + 1 > *largest) *largest = n / 2 + 1;
    }
}

/* Groups of each part, and how many rows must be put in order. */
static void plan_groups(struct job *job, size_t *largest) {
    size_t n = job->in->n_groups, at[VF__MAX_PARTS] = {0};
    for (size_t g = 0; g < n; g++)
        at[part_of(job, g)]++;
    for (size_t p = 0; p < job->n_parts; p++) {
        job->open_start[p + 1] = job->open_start[p] + at[p];
        at[p] = job->open_start[p];
    }
    for (size_t g = 0; g < n; g++)
        job->open[at[part_of(job, g)]++] = (uint32_t)g;
    *largest = 0;
    for (size_t g = 0; g < n; g++) {
        struct lane *lane = &job->lanes[g];
        if (!lane->unsorted || job->interleaved[part_of(job, g)]) continue;
        lane->ordered = (uint32_t)job->n_order;
        job->n_order += lane->count;
        if (lane->count > *largest) *largest = lane->count;
    }
    plan_interleaved(job, largest);
}

/* Cuts `records` into the symbols' stretches. */
static size_t plan_records(struct job *job) {
    size_t at = 0;
    for (size_t k = 0; k < job->in->n_lots; k++)
        job->lanes[job->in->lot_group[k]].end++;
    for (size_t g = 0; g < job->in->n_groups; g++) {
        struct lane *lane = &job->lanes[g];
        lane->at = (uint32_t)at;
        at += lane->count + (size_t)lane->end;
        lane->end = (uint32_t)at;
        job->out->n_no_trade -= lane->count;
    }
    job->lanes[job->in->n_groups].at =
        (uint32_t)at; /* the lane of rows of no group is looked at, never used */
    return at;
}

static enum vf_status make_room(struct job *job, const struct vf_context *ctx, struct vf_error *err) {
    struct vf__matches *out = job->out;
    size_t largest;
    job->open = vf__alloc(ctx, job->in->n_groups, sizeof *job->open);
    if (job->open == NULL) return vf__fail_memory(err, job->in->n_groups * sizeof *job->open);
    plan_groups(job, &largest);
    job->n_scratch = largest;
    if (largest > 0) {
        job->order = vf__alloc(ctx, job->n_order, sizeof *job->order);
        job->scratch = vf__alloc(ctx, job->n_parts * largest, sizeof *job->scratch);
        if (job->order == NULL || job->scratch == NULL)
            return vf__fail_memory(err, (job->n_order + job->n_parts * largest) * sizeof *job->order);
    }
    size_t n_records = plan_records(job) + 4;
    out->records = vf__alloc(ctx, n_records, sizeof *out->records);
    if (out->records == NULL) return vf__fail_memory(err, n_records * sizeof *out->records);
    out->n_records = n_records;
    for (size_t k = n_records - 4; k < n_records; k++)
        out->records[k] = (struct vf__record){.opener = NONE, .closer = NONE};
    out->places = vf__alloc(ctx, out->n_places, sizeof *out->places);
    if (out->places == NULL) return vf__fail_memory(err, out->n_places * sizeof *out->places);
    /* rows of no group are in no part: only a walk over all rows meets them */
    for (size_t k = 0; job->cut && k < out->n_places; k++)
        out->places[k] =
            (struct vf__place){.start = VF__START_NO_TRADE, .count = job->in->rows != VF_FIFO_LOTS};
    return VF_OK;
}

static void add_up(const struct job *job) {
    struct vf__matches *out = job->out;
    uint32_t first = NONE;
    for (size_t p = 0; p < job->n_parts; p++) {
        const struct tally *t = &job->tallies[p];
        out->n_matched += t->n_matched;
        out->n_from_inventory += t->n_from_inventory;
        out->n_open += t->n_open;
        out->n_over += t->n_over;
        out->n_opened += t->n_opened;
        out->n_zero += t->n_zero;
        if (t->first_over < first) first = t->first_over;
    }
    out->first_over = first != NONE ? (int64_t)first : -1;
    for (size_t g = 0; g < job->in->n_groups; g++)
        end_stretch(out->records, &job->lanes[g]);
}

enum vf_status vf__match_run(const struct vf_context *ctx, const struct vf__match_input *in,
                             struct vf__matches *out, struct vf_error *err) {
    struct job job = {.in = in, .out = out, .n_parts = 1};
    enum vf_status status = VF_OK;
    *out = (struct vf__matches){.ctx = *ctx,
                                .n_places = in->n_rows + in->n_lots,
                                .n_no_trade = (int64_t)in->n_rows,
                                .first_over = -1};
    if (in->n_rows > VF__MATCH_MAX_ROWS || in->n_lots > VF__MATCH_MAX_ROWS - in->n_rows)
        return vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u rows and inventory lots",
                        VF__MATCH_MAX_ROWS);
    job.cut = ctx->n_threads > 1 && in->n_groups > 1;
    if (job.cut) {
        status = vf__parts_init(&job.parts, ctx, in->group, in->n_rows, in->n_groups, err);
        if (status != VF_OK) {
            job.cut = false;
            goto done;
        }
        job.n_parts = job.parts.n_parts;
    }
    status = make_lanes(&job, ctx, err);
    if (status != VF_OK) goto done;
    vf__parallel(ctx, job.n_parts, measure, &job);
    status = make_room(&job, ctx, err);
    if (status != VF_OK) goto done;
    vf__parallel(ctx, job.n_parts, match_part, &job);
    add_up(&job);
done:
    vf__free(ctx, job.scratch, job.n_parts * job.n_scratch, sizeof *job.scratch);
    vf__free(ctx, job.order, job.n_order, sizeof *job.order);
    vf__free(ctx, job.open, in->n_groups, sizeof *job.open);
    vf__free(ctx, job.lanes_block, in->n_groups + 2, sizeof *job.lanes);
    if (job.cut) vf__parts_release(&job.parts);
    if (status != VF_OK) vf__matches_release(out);
    return status;
}

void vf__matches_release(struct vf__matches *matches) {
    vf__free(&matches->ctx, matches->places, matches->n_places, sizeof *matches->places);
    vf__free(&matches->ctx, matches->records, matches->n_records, sizeof *matches->records);
    matches->places = NULL;
    matches->records = NULL;
}
