/* Marks frames that are in time order as a whole, as a day's file is: one walk along the rows, and for each
   horizon a front that walks h ahead of them and keeps each group's last price. Not for rows in another
   order, nor for looking forward: src/mark/grouped.c takes those.

   Everything is read in order, once, and little more than a table of last prices is written but the results,
   which take the place of the times and prices that are done with. Bringing groups together moves three times
   the memory, and memory is what this costs. */
#include "base/keys.h"
#include "mark/mark.h"

#include <math.h>

#define QUERIES                                                                                              \
    ((size_t)512) /* rows marked at a time: their results wait in the cache for the last horizon */
#define TASKS_PER_THREAD 4
#define MAX_TASKS 256
/* Behind a block's last run, and later than any target: a front stops there by itself. */
#define PAD_TIME INT64_MAX

/* Compiled once for each constant `timed`, which plain `inline` does not promise. */
#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Where one horizon's observations are, and each group's last price until there. Index n_groups of a table is
   where dead rows and untaken steps go. */
struct front {
    int64_t horizon;
    const struct vf__runs *seen;
    size_t block, n_blocks;
    size_t at, end; /* in the block */
    const uint32_t *group;
    const int64_t *time;
    const double *price;
    size_t n_groups;
    double *last;
    int64_t *last_time; /* NULL unless there is a tolerance */
};

struct stream {
    struct vf_context ctx;
    const struct vf__mark_rule *rule;
    const struct vf__runs *rows, *seen;
    size_t n_groups, n_tasks;
    int64_t *until; /* by group: the last observation's time, or the rule's end; INT64_MIN: no observation */
    double *prices; /* by task and group: the last price before the task's part of `seen` */
    int64_t *times; /* the same, of times */
    struct front *fronts; /* by task and horizon */
    double *last;         /* their tables */
    int64_t *last_time;
    double *results; /* by task and horizon: QUERIES */
    struct vf__marks *marks;
};

/* ---- fronts -------------------------------------------------------------------------------------------- */

static size_t runs_in_block(const struct vf__runs *runs, size_t block) {
    size_t rest = runs->last.n - (block << VF__RUN_BITS);
    return rest < VF__RUN_BLOCK ? rest : VF__RUN_BLOCK;
}

static void front_at(struct front *front, size_t block) {
    front->block = block;
    front->at = 0;
    front->end = runs_in_block(front->seen, block);
    front->group = front->seen->blocks[block].group;
    front->time = front->seen->blocks[block].time;
    front->price = front->seen->blocks[block].price;
}

/* yes ? a : b, of which compilers would make a branch: one in two is mispredicted here. */
INLINE size_t pick(bool yes, size_t a, size_t b) {
    return b ^ ((a ^ b) & (0 - (size_t)yes));
}

/* Two observations a step, each taken or not without a branch; that a third is due is rare enough to branch
 * on. */
INLINE void advance_in_block(struct front *front, int64_t target, bool timed) {
    size_t at = front->at, none = front->n_groups;
    do {
        bool one = front->time[at] <= target, two = front->time[at + 1] <= target;
        size_t first = pick(one, front->group[at], none), second = pick(two, front->group[at + 1], none);
        front->last[first] = front->price[at];
        front->last[second] = front->price[at + 1];
        if (timed) {
            front->last_time[first] = front->time[at];
            front->last_time[second] = front->time[at + 1];
        }
        at += (size_t)one + two;
    } while (VF__UNLIKELY(front->time[at] <= target));
    front->at = at;
}

INLINE void advance(struct front *front, int64_t target, bool timed) {
    advance_in_block(front, target, timed);
    while (VF__UNLIKELY(front->at == front->end) && front->block + 1 < front->n_blocks) {
        front_at(front, front->block + 1);
        advance_in_block(front, target, timed);
    }
}

static inline size_t place_of(uint32_t group, size_t n_groups) {
    return group < n_groups ? group : n_groups;
}

/* ---- marking ------------------------------------------------------------------------------------------- */

/* No observation yet is NaN in the table, and so is then the result. */
INLINE double mark_one(const struct vf__mark_rule *rule, struct front *front, int64_t time, double price,
                       size_t group, int64_t until, bool timed) {
    int64_t target = time + front->horizon;
    advance(front, target, timed);
    double result = front->last[group] / price - 1;
    if (target > until) result = NAN;
    if (timed && (uint64_t)target - (uint64_t)front->last_time[group] > (uint64_t)rule->tolerance)
        result = NAN;
    return result;
}

/* n <= QUERIES rows of one block. Two horizons side by side: each waits for its own loads only. */
INLINE void mark_rows(const struct stream *s, const struct vf__run_block *block, size_t from, size_t n,
                      struct front *fronts, double *results, bool timed) {
    size_t h = 0, n_horizons = s->rule->n_horizons;
    for (; h + 1 < n_horizons; h += 2) {
        struct front a = fronts[h], b = fronts[h + 1];
        double *first = results + h * QUERIES, *second = first + QUERIES;
        for (size_t i = 0; i < n; i++) {
            size_t group = place_of(block->group[from + i], s->n_groups);
            int64_t time = block->time[from + i], until = s->until[group];
            double price = block->price[from + i];
            first[i] = mark_one(s->rule, &a, time, price, group, until, timed);
            second[i] = mark_one(s->rule, &b, time, price, group, until, timed);
        }
        fronts[h] = a;
        fronts[h + 1] = b;
    }
    for (; h < n_horizons; h++) {
        struct front a = fronts[h];
        double *first = results + h * QUERIES;
        for (size_t i = 0; i < n; i++) {
            size_t group = place_of(block->group[from + i], s->n_groups);
            first[i] = mark_one(s->rule, &a, block->time[from + i], block->price[from + i], group,
                                s->until[group], timed);
        }
        fronts[h] = a;
    }
}

static size_t part_start(const struct vf__runs *runs, size_t n_parts, size_t part) {
    return (size_t)((uint64_t)runs->last.n * part / n_parts);
}

static int64_t time_at(const struct vf__runs *runs, size_t i) {
    return runs->blocks[i >> VF__RUN_BITS].time[i & (VF__RUN_BLOCK - 1)];
}

/* A task's front starts where the last part begins whose every predecessor is early enough for the task's
   first row; it walks the rest of its way with that row. */
static void front_open(const struct stream *s, size_t task, size_t h, int64_t first_time) {
    struct front *front = &s->fronts[task * s->rule->n_horizons + h];
    size_t table = s->n_groups + 1, part = 0, slot = task * s->rule->n_horizons + h;
    *front = (struct front){.horizon = s->rule->horizons[h],
                            .seen = s->seen,
                            .n_blocks = (s->seen->last.n + VF__RUN_BLOCK - 1) >> VF__RUN_BITS,
                            .n_groups = s->n_groups,
                            .last = s->last + slot * table};
    int64_t target = first_time + front->horizon;
    while (part + 1 < s->n_tasks && time_at(s->seen, part_start(s->seen, s->n_tasks, part + 1)) <= target)
        part++;
    memcpy(front->last, s->prices + part * table, table * sizeof *front->last);
    if (s->last_time != NULL) {
        front->last_time = s->last_time + slot * table;
        memcpy(front->last_time, s->times + part * table, table * sizeof *front->last_time);
    }
    size_t at = part_start(s->seen, s->n_tasks, part);
    front_at(front, at >> VF__RUN_BITS);
    front->at = at & (VF__RUN_BLOCK - 1);
}

/* Where horizon h's results of block b go: over the rows' times and prices unless there is a block for them.
 */
static void *result_block(const struct stream *s, size_t h, size_t b) {
    double *block = s->marks->blocks[h * s->marks->n_blocks + b];
    if (block != NULL) return block;
    return h == 0 ? (void *)s->rows->blocks[b].time : (void *)s->rows->blocks[b].price;
}

static void stream_task(void *arg, size_t task) {
    const struct stream *s = arg;
    size_t n_horizons = s->rule->n_horizons, n;
    size_t from = part_start(s->rows, s->n_tasks, task), to = part_start(s->rows, s->n_tasks, task + 1);
    double *results = s->results + task * n_horizons * QUERIES;
    if (from == to) return;
    for (size_t h = 0; h < n_horizons; h++)
        front_open(s, task, h, time_at(s->rows, from));
    for (size_t i = from; i < to; i += n) {
        size_t b = i >> VF__RUN_BITS, at = i & (VF__RUN_BLOCK - 1);
        n = to - i < VF__RUN_BLOCK - at ? to - i : VF__RUN_BLOCK - at;
        if (n > QUERIES) n = QUERIES;
        struct front *fronts = s->fronts + task * n_horizons;
        if (s->last_time == NULL)
            mark_rows(s, &s->rows->blocks[b], at, n, fronts, results, false);
        else
            mark_rows(s, &s->rows->blocks[b], at, n, fronts, results, true);
        for (size_t h = 0; h < n_horizons; h++)
            memcpy((char *)result_block(s, h, b) + at * sizeof *results, results + h * QUERIES,
                   n * sizeof *results);
    }
}

/* ---- tables of last prices ----------------------------------------------------------------------------- */

/* What part `task` of the observations says last of each group, NaN for nothing, into the table after it.
   Dead runs get a place in the tables, so that the fronts need not ask. */
static void survey_task(void *arg, size_t task) {
    const struct stream *s = arg;
    size_t table = s->n_groups + 1, to = part_start(s->seen, s->n_tasks, task + 1);
    double *prices = s->prices + (task + 1) * table;
    int64_t *times = s->times + (task + 1) * table;
    for (size_t g = 0; g < table; g++)
        prices[g] = NAN;
    for (size_t i = part_start(s->seen, s->n_tasks, task), n; i < to; i += n) {
        const struct vf__run_block *block = &s->seen->blocks[i >> VF__RUN_BITS];
        size_t at = i & (VF__RUN_BLOCK - 1);
        n = to - i < VF__RUN_BLOCK - at ? to - i : VF__RUN_BLOCK - at;
        for (size_t j = at; j < at + n; j++) {
            uint32_t g = block->group[j];
            if (VF__UNLIKELY(g == VF__NO_KEY)) block->group[j] = g = (uint32_t)s->n_groups;
            prices[g] = block->price[j];
            times[g] = block->time[j];
        }
    }
}

/* Tables of single parts become tables of all parts before. */
static void add_up(struct stream *s) {
    size_t table = s->n_groups + 1;
    for (size_t g = 0; g < table; g++) {
        s->prices[g] = NAN;
        s->times[g] = INT64_MIN;
    }
    for (size_t i = table; i < (s->n_tasks + 1) * table; i++) {
        if (s->prices[i] == s->prices[i]) continue;
        s->prices[i] = s->prices[i - table];
        s->times[i] = s->times[i - table];
    }
    for (size_t g = 0; g < table; g++) {
        bool seen = g < s->n_groups && s->prices[s->n_tasks * table + g] == s->prices[s->n_tasks * table + g];
        int64_t last = s->times[s->n_tasks * table + g];
        s->until[g] = !seen ? INT64_MIN : last < s->rule->end ? last : s->rule->end;
    }
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

bool vf__mark_streams(const struct vf__mark_rule *rule, const struct vf__runs *rows,
                      const struct vf__runs *seen) {
    if (rule->method != VF_MARK_BACKWARD || !rows->last.sorted || !seen->last.sorted) return false;
    if (seen->last.n == 0 || seen->last.time == PAD_TIME) return false;
    for (size_t h = 0; h < rule->n_horizons; h++) /* no target may reach the pad, or overflow */
        if (rows->last.time >= PAD_TIME - rule->horizons[h]) return false;
    return true;
}

static enum vf_status tables_new(struct stream *s, struct vf_error *err) {
    const struct vf_context *ctx = &s->ctx;
    size_t table = s->n_groups + 1, horizons = s->n_tasks * s->rule->n_horizons, n = horizons * table;
    s->until = vf__alloc(ctx, table, sizeof *s->until);
    s->prices = vf__alloc(ctx, (s->n_tasks + 1) * table, sizeof *s->prices);
    s->times = vf__alloc(ctx, (s->n_tasks + 1) * table, sizeof *s->times);
    s->fronts = vf__alloc(ctx, horizons, sizeof *s->fronts);
    s->last = vf__alloc(ctx, n, sizeof *s->last);
    if (s->rule->tolerance >= 0) s->last_time = vf__alloc(ctx, n, sizeof *s->last_time);
    s->results = vf__alloc(ctx, horizons * QUERIES, sizeof *s->results);
    if (s->until == NULL || s->prices == NULL || s->times == NULL || s->fronts == NULL || s->last == NULL ||
        s->results == NULL || (s->rule->tolerance >= 0 && s->last_time == NULL))
        return vf__fail_memory(err, n * sizeof *s->last);
    return VF_OK;
}

static void tables_release(struct stream *s) {
    const struct vf_context *ctx = &s->ctx;
    size_t table = s->n_groups + 1, horizons = s->n_tasks * s->rule->n_horizons;
    vf__free(ctx, s->until, table, sizeof *s->until);
    vf__free(ctx, s->prices, (s->n_tasks + 1) * table, sizeof *s->prices);
    vf__free(ctx, s->times, (s->n_tasks + 1) * table, sizeof *s->times);
    vf__free(ctx, s->fronts, horizons, sizeof *s->fronts);
    vf__free(ctx, s->last, horizons * table, sizeof *s->last);
    vf__free(ctx, s->last_time, horizons * table, sizeof *s->last_time);
    vf__free(ctx, s->results, horizons * QUERIES, sizeof *s->results);
}

/* With many groups there are fewer tasks, so that tables stay smaller than runs. */
static size_t tasks_for(const struct vf_context *ctx, size_t n_runs, size_t n_groups, size_t n_horizons) {
    size_t n = ctx->n_threads > 1 ? (size_t)ctx->n_threads * TASKS_PER_THREAD : 1;
    size_t most = 1 + n_runs / ((n_groups + QUERIES) * (n_horizons + 2) * 2);
    if (n > MAX_TASKS) n = MAX_TASKS;
    return n < most ? n : most;
}

enum vf_status vf__mark_stream(const struct vf__mark_rule *rule, struct vf__runs *rows,
                               struct vf__runs *quotes, size_t n_groups, struct vf__marks *out,
                               struct vf_error *err) {
    struct vf__marks marks = {.ctx = rows->ctx};
    struct stream s = {.ctx = rows->ctx,
                       .rule = rule,
                       .rows = rows,
                       .seen = quotes != NULL ? quotes : rows,
                       .n_groups = n_groups,
                       .n_tasks = tasks_for(&rows->ctx, rows->last.n, n_groups, rule->n_horizons),
                       .marks = &marks};
    /* one task may write over rows that no front comes back to; of several, one's rows are ahead of another's
     * front */
    bool apart = s.n_tasks > 1 && quotes == NULL;
    enum vf_status status = tables_new(&s, err);
    if (status == VF_OK) status = vf__marks_new(&s.ctx, rows, rule->n_horizons, apart ? 0 : 2, &marks, err);
    if (status != VF_OK) {
        vf__marks_release(&marks);
        goto done;
    }
    for (size_t b = 0; b << VF__RUN_BITS < s.seen->last.n; b++) {
        int64_t *pad = s.seen->blocks[b].time + runs_in_block(s.seen, b);
        pad[0] = pad[1] = PAD_TIME;
    }
    vf__parallel(&s.ctx, s.n_tasks, survey_task, &s);
    add_up(&s);
    vf__parallel(&s.ctx, s.n_tasks, stream_task, &s);
    vf__marks_take(&marks, rows);
    vf__runs_release_blocks(rows);
    if (quotes != NULL) vf__runs_release_blocks(quotes);
    *out = marks;
done:
    tables_release(&s);
    return status;
}
