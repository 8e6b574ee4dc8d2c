/* Forward returns over Arrow columns: reads batches for the kernel, checks replays, and gives the columns.
   Not for looking prices up: merge.c does. */
#include "arrow/build.h"
#include "arrow/keyed.h"
#include "arrow/read.h"
#include "mark/horizons.h"
#include "mark/mark.h"
#include "store/replay.h"
#include "store/turns.h"

#include <inttypes.h>
#include <math.h>

enum { BLOCK = VF__MARK_BATCH };
_Static_assert(VF__REPLAY_BLOCK % BLOCK == 0, "a block of rows lies within one block of the replay");

#define MAX_ROWS ((int64_t)UINT32_MAX - 1)
/* Rows that one task of emit reads: whole replay blocks. */
#define TASK_ROWS ((int64_t)VF__SIZED(8, 1, 64) * VF__REPLAY_BLOCK)

/* A part of a batch that was read and is to be kept. */
struct hand {
    int64_t row, n;  /* rows of the batch */
    size_t n_groups; /* there were when they were read */
    int64_t time[VF__TURN_ROWS];
    double price[VF__TURN_ROWS];
};

struct vf_mark {
    struct vf_context ctx;
    int64_t *horizons;
    char *names; /* n_horizons names one after another, each ended by '\0' */
    size_t name_bytes;
    struct vf__mark_rule rule;
    bool has_quotes, finished;
    bool gaps, row_gaps; /* observations, and rows, that have no price are kept */
    struct vf__keyed groups;
    enum vf__meaning time;
    int64_t n_rows;
    struct vf__chains rows, quotes;
    struct vf__mark_last last, last_quote, last_given;
    struct vf__replay replay;
    struct hand *hands; /* 2 */
    double *before; /* results of the row that was given last, and room to put them back */
};

/* ---- opening ------------------------------------------------------------------------------------------- */

enum vf_status vf_mark_open(const struct vf_context *ctx, const struct vf_mark_options *options,
                            struct vf_mark **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "options are missing");
    enum vf_status status =
        vf__horizons_check(options->horizons_ns, options->n_horizons, options->method, true, err);
    if (status != VF_OK) return status;
    struct vf_mark *mark = vf__alloc(&context, 1, sizeof *mark);
    if (mark == NULL) return vf__fail_memory(err, sizeof *mark);
    size_t n = options->n_horizons;
    *mark = (struct vf_mark){.ctx = context,
                             .has_quotes = options->quotes,
                             .gaps = options->gaps,
                             .row_gaps = options->gaps && !options->quotes};
    vf__keyed_init(&mark->groups, &context);
    vf__chains_init(&mark->rows, &context, vf__mark_stride(n));
    vf__chains_init(&mark->quotes, &context, sizeof(struct vf__cell));
    vf__replay_init(&mark->replay, &context);
    mark->last = mark->last_quote = mark->last_given = vf__mark_first();
    mark->rule = (struct vf__mark_rule){.n_horizons = n,
                                        .method = options->method,
                                        .tolerance = options->tolerance_ns,
                                        .end = options->end_ns};
    mark->horizons = vf__alloc(&context, n, sizeof *mark->horizons);
    mark->before = vf__zalloc(&context, 2 * n, sizeof *mark->before);
    mark->hands = vf__alloc(&context, 2, sizeof *mark->hands);
    if (mark->horizons == NULL || mark->before == NULL || mark->hands == NULL) {
        status = vf__fail_memory(err, n * sizeof *mark->horizons + 2 * sizeof *mark->hands);
        goto done;
    }
    memcpy(mark->horizons, options->horizons_ns, n * sizeof *mark->horizons);
    mark->rule.horizons = mark->horizons;
    status = vf__horizons_names(&context, mark->horizons, n, options->names, "return_", &mark->names,
                                &mark->name_bytes, err);
done:
    if (status == VF_OK)
        *out = mark;
    else
        vf_mark_close(mark);
    return status;
}

void vf_mark_close(struct vf_mark *mark) {
    if (mark == NULL) return;
    struct vf_context ctx = mark->ctx;
    vf__keyed_release(&mark->groups);
    vf__chains_release(&mark->rows);
    vf__chains_release(&mark->quotes);
    vf__free(&ctx, mark->hands, 2, sizeof *mark->hands);
    vf__replay_release(&mark->replay);
    vf__free(&ctx, mark->before, 2 * mark->rule.n_horizons, sizeof *mark->before);
    vf__free(&ctx, mark->names, mark->name_bytes, 1);
    vf__free(&ctx, mark->horizons, mark->rule.n_horizons, sizeof *mark->horizons);
    vf__free(&ctx, mark, 1, sizeof *mark);
}

/* ---- batches: types ------------------------------------------------------------------------------------ */

static struct vf__reader *time_of(const struct vf__keyed_batch *batch) {
    return &batch->readers[batch->n_keys];
}
static struct vf__reader *price_of(const struct vf__keyed_batch *batch) {
    return &batch->readers[batch->n_keys + 1];
}

static enum vf_status batch_open(const struct vf_mark *mark, const struct vf_mark_batch *in,
                                 struct vf__keyed_batch *out, struct vf_error *err) {
    if (in == NULL || (in->keys == NULL && in->n_keys > 0) || in->time == NULL || in->price == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a batch needs its key columns, time and price");
    const struct vf__keyed_other others[] = {{.series = in->time}, {.series = in->price, .decimals = true}};
    enum vf_status status = vf__keyed_batch_open(&mark->groups, in->keys, in->n_keys, others, 2, out, err);
    if (status != VF_OK) return status;
    status = vf__time_agrees(mark->time, time_of(out), err);
    if (status == VF_OK) status = vf__price_check(price_of(out), err);
    if (status != VF_OK) vf__keyed_batch_close(&mark->groups, out);
    return status;
}

static void settle(struct vf_mark *mark, const struct vf__keyed_batch *batch) {
    vf__keyed_settle(&mark->groups, batch->readers);
    if (mark->time == VF__MEANS_NOTHING) mark->time = vf__time_meaning(&time_of(batch)->type);
}

/* ---- batches: rows ------------------------------------------------------------------------------------- */

struct block {
    const int64_t *time;
    const double *price;
    const uint8_t *time_valid, *price_valid;
    int64_t time_buffer[BLOCK];
    double price_buffer[BLOCK];
    uint8_t time_ok[BLOCK], price_ok[BLOCK];
    uint64_t words[BLOCK];
};

/* Prices that are none become NaN, and no row is without one: it is there to be found. */
static void keep_gaps(struct block *block, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        bool there = (block->price_valid == NULL || block->price_valid[i]) && vf__is_price(block->price[i]);
        block->price_buffer[i] = there ? block->price[i] : (double)NAN;
    }
    block->price = block->price_buffer;
    block->price_valid = NULL;
}

static enum vf_status read_block(const struct vf__keyed_batch *batch, int64_t row, int64_t n, bool gaps,
                                 struct block *block, struct vf_error *err) {
    enum vf_status status = vf__read_ns(time_of(batch), row, n, block->time_buffer, block->time_ok,
                                        &block->time, &block->time_valid, err);
    if (status == VF_OK)
        status = vf__read_prices(price_of(batch), row, n, block->price_buffer, block->price_ok, &block->price,
                                 &block->price_valid, err);
    if (status == VF_OK && gaps) keep_gaps(block, n);
    return status;
}

/* A batch's rows as the kernel takes them, kept until the batch is done: so that all of it can be taken back. */
struct sorted_out {
    uint32_t *group;
    uint8_t *kind;
    size_t n;
};

static enum vf_status sorted_out_new(const struct vf_mark *mark, int64_t n, struct sorted_out *out,
                                     struct vf_error *err) {
    *out = (struct sorted_out){.n = (size_t)n};
    out->group = vf__alloc(&mark->ctx, out->n, sizeof *out->group);
    out->kind = vf__alloc(&mark->ctx, out->n, sizeof *out->kind);
    return out->group != NULL && out->kind != NULL ? VF_OK : vf__fail_memory(err, out->n * 5);
}

static void sorted_out_release(const struct vf_mark *mark, struct sorted_out *rows) {
    vf__free(&mark->ctx, rows->group, rows->n, sizeof *rows->group);
    vf__free(&mark->ctx, rows->kind, rows->n, sizeof *rows->kind);
}

/* Rows [row, row + n) of a batch, n <= BLOCK: what each is, and its words. */
static enum vf_status read_rows(struct vf_mark *mark, const struct vf__keyed_batch *batch, int64_t row,
                                int64_t n, bool gaps, struct vf__mark_last *last, uint32_t *group,
                                uint8_t *kind, struct block *block, struct vf_error *err) {
    enum vf_status status = read_block(batch, row, n, gaps, block, err);
    if (status == VF_OK) status = vf__keyed_read(&mark->groups, batch->readers, row, n, group, err);
    if (status != VF_OK) return status;
    vf__mark_sort_out(last, group, block->time, block->time_valid, block->price, block->price_valid, gaps, (size_t)n,
                      kind);
    vf__mark_words(group, block->time, block->price, (size_t)n, block->words);
    return VF_OK;
}

/* A batch on its way to the chains. */
struct learning {
    struct vf_mark *mark;
    const struct vf__keyed_batch *batch;
    struct vf__chains *to;
    struct vf__mark_last *last;
    bool gaps;
    struct sorted_out out;
};

static enum vf_status read_hand(void *arg, size_t which, int64_t row, int64_t n, struct vf_error *err) {
    const struct learning *l = arg;
    struct vf_mark *mark = l->mark;
    struct hand *hand = &mark->hands[which];
    struct block block;
    uint32_t *group = l->out.group + row;
    uint8_t *kind = l->out.kind + row;
    hand->row = row;
    hand->n = n;
    for (int64_t done = 0, k; done < n; done += k) {
        k = n - done < BLOCK ? n - done : BLOCK;
        enum vf_status status =
            read_rows(mark, l->batch, row + done, k, l->gaps, l->last, group + done, kind + done, &block, err);
        if (status != VF_OK) return status;
        memcpy(hand->time + done, block.time, (size_t)k * sizeof *hand->time);
        memcpy(hand->price + done, block.price, (size_t)k * sizeof *hand->price);
        if (l->to == &mark->rows) vf__replay_learn(&mark->replay, block.words, k);
    }
    hand->n_groups = vf__keyed_count(&mark->groups);
    return VF_OK;
}

static enum vf_status keep_hand(void *arg, size_t which, struct vf_error *err) {
    const struct learning *l = arg;
    const struct hand *hand = &l->mark->hands[which];
    enum vf_status status = vf__chains_reach(l->to, hand->n_groups, err);
    if (status != VF_OK) return status;
    return vf__mark_keep(l->to, l->out.group + hand->row, hand->time, hand->price, l->out.kind + hand->row,
                         (size_t)hand->n, err);
}

/* All of a batch or none of it: what was learnt of one that fails is taken back. */
static enum vf_status take(struct vf_mark *mark, const struct vf_mark_batch *in, struct vf__chains *to,
                           struct vf__mark_last *last, struct vf_error *err) {
    struct vf__keyed_batch batch;
    enum vf_status status = batch_open(mark, in, &batch, err);
    if (status != VF_OK) return status;
    bool rows = to == &mark->rows;
    struct learning l = {
        .mark = mark, .batch = &batch, .to = to, .last = last, .gaps = rows ? mark->row_gaps : mark->gaps};
    struct vf__mark_last last_before = *last;
    struct vf__replay_point replay_point = vf__replay_here(&mark->replay);
    int64_t first_row = rows ? mark->n_rows : 0;
    if (rows && batch.n_rows > MAX_ROWS - first_row) {
        status = vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %" PRId64 " rows", MAX_ROWS);
        goto done;
    }
    status = sorted_out_new(mark, batch.n_rows, &l.out, err);
    if (status == VF_OK) status = vf__keyed_prepare(&mark->groups, batch.readers, batch.n_keys, err);
    if (status == VF_OK && rows) status = vf__replay_reserve(&mark->replay, batch.n_rows, err);
    if (status != VF_OK) goto done;
    const struct vf__turns turns = {.ctx = &mark->ctx, .arg = &l, .read = read_hand, .keep = keep_hand};
    int64_t kept;
    status = vf__turns_take(&turns, batch.n_rows, &kept, err);
    if (status == VF_OK) {
        settle(mark, &batch);
        if (rows) mark->n_rows += batch.n_rows;
    } else {
        vf__fail_from(err, first_row);
        vf__mark_forget(to, l.out.group, l.out.kind, (size_t)kept);
        *last = last_before;
        vf__replay_back(&mark->replay, &replay_point);
    }
done:
    sorted_out_release(mark, &l.out);
    vf__keyed_batch_close(&mark->groups, &batch);
    return status;
}

static enum vf_status finished_already(struct vf_error *err) {
    return vf__fail(err, VF_ERROR_STATE, NULL, -1, "the returns are finished; open another vf_mark");
}

enum vf_status vf_mark_observe(struct vf_mark *mark, const struct vf_mark_batch *batch,
                               struct vf_error *err) {
    if (mark->finished) return finished_already(err);
    if (!mark->has_quotes)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1,
                        "opened without `quotes`, where the rows themselves are the observations");
    return take(mark, batch, &mark->quotes, &mark->last_quote, err);
}

enum vf_status vf_mark_update(struct vf_mark *mark, const struct vf_mark_batch *batch, struct vf_error *err) {
    if (mark->finished) return finished_already(err);
    return take(mark, batch, &mark->rows, &mark->last, err);
}

enum vf_status vf_mark_finish(struct vf_mark *mark, struct vf_error *err) {
    if (mark->finished) return finished_already(err);
    enum vf_status status = vf__chains_reach(&mark->rows, vf__keyed_count(&mark->groups), err);
    if (status == VF_OK) status = vf__chains_reach(&mark->quotes, vf__keyed_count(&mark->groups), err);
    if (status == VF_OK)
        status = vf__mark_all(&mark->rule, &mark->rows, mark->has_quotes ? &mark->quotes : NULL, err);
    if (status != VF_OK) return status;
    vf__chains_release(&mark->quotes);
    vf__keyed_freeze(&mark->groups);
    mark->finished = true;
    return VF_OK;
}

int64_t vf_mark_rows(const struct vf_mark *mark) {
    return mark->n_rows;
}

/* ---- giving -------------------------------------------------------------------------------------------- */

struct emission {
    struct vf_mark *mark;
    struct vf__reader *readers; /* a task's own copies */
    size_t n_keys, n_tasks;
    int64_t first_row, n;
    struct sorted_out rows;
    double **values; /* by horizon */
    uint8_t **validity;
    uint64_t *sums;             /* of the rows of each replay block, from that of first_row on */
    struct vf_error *errors;    /* by task */
    struct vf__mark_last *last; /* by task: its last row */
    struct vf_column *columns;
};

/* Rows [*from, *to) of the emission that a task reads: whole replay blocks, which are counted from row 0 of all. */
static void rows_of_task(const struct emission *e, size_t task, int64_t *from, int64_t *to) {
    int64_t start = (e->first_row / TASK_ROWS + (int64_t)task) * TASK_ROWS - e->first_row;
    *from = start < 0 ? 0 : start < e->n ? start : e->n;
    *to = e->n - start < TASK_ROWS ? e->n : start + TASK_ROWS;
}

static enum vf_status read_task(const struct emission *e, size_t task, struct vf_error *err) {
    struct vf__keyed_batch batch = {
        .readers = e->readers + task * (e->n_keys + 2), .n_keys = e->n_keys, .n_rows = e->n};
    struct vf__mark_last *last = &e->last[task];
    struct block block;
    enum vf_status status = VF_OK;
    int64_t from, to;
    rows_of_task(e, task, &from, &to);
    for (size_t h = 0; h < e->mark->rule.n_horizons; h++)
        vf__touch(e->values[h] + from, (size_t)(to - from) * sizeof **e->values);
    *last = e->mark->last_given;
    if (from > 0 && from < to) { /* whether the first row goes on with the run of the row before, another task's */
        uint32_t group;
        uint8_t kind;
        status = read_rows(e->mark, &batch, from - 1, 1, e->mark->row_gaps, last, &group, &kind, &block, err);
    }
    for (int64_t row = from, n; status == VF_OK && row < to; row += n) {
        int64_t absolute = e->first_row + row, room = BLOCK - absolute % BLOCK;
        n = to - row < room ? to - row : room;
        status = read_rows(e->mark, &batch, row, n, e->mark->row_gaps, last, e->rows.group + row, e->rows.kind + row,
                           &block, err);
        if (status == VF_OK)
            e->sums[absolute / VF__REPLAY_BLOCK - e->first_row / VF__REPLAY_BLOCK] +=
                vf__replay_sum(block.words, absolute, n);
    }
    return status;
}

static void run_task(void *arg, size_t task) {
    struct emission *e = arg;
    (void)read_task(e, task, &e->errors[task]);
}

static enum vf_status emission_new(struct emission *e, const struct vf__keyed_batch *again,
                                   struct vf_error *err) {
    const struct vf_mark *mark = e->mark;
    const struct vf_context *ctx = &mark->ctx;
    size_t n = mark->rule.n_horizons, n_readers = e->n_keys + 2;
    size_t blocks = (size_t)(e->n / VF__REPLAY_BLOCK) + 2;
    e->values = vf__alloc(ctx, n, sizeof *e->values);
    e->validity = vf__alloc(ctx, n, sizeof *e->validity);
    e->columns = vf__zalloc(ctx, n, sizeof *e->columns);
    e->errors = vf__zalloc(ctx, e->n_tasks, sizeof *e->errors);
    e->last = vf__alloc(ctx, e->n_tasks, sizeof *e->last);
    e->sums = vf__zalloc(ctx, blocks, sizeof *e->sums);
    e->readers = vf__alloc(ctx, e->n_tasks * n_readers, sizeof *e->readers);
    if (e->values == NULL || e->validity == NULL || e->columns == NULL || e->errors == NULL || e->last == NULL ||
        e->sums == NULL || e->readers == NULL)
        return vf__fail_memory(err, n * sizeof *e->columns + e->n_tasks * n_readers * sizeof *e->readers);
    for (size_t task = 0; task < e->n_tasks; task++)
        memcpy(e->readers + task * n_readers, again->readers, n_readers * sizeof *e->readers);
    enum vf_status status = sorted_out_new(mark, e->n, &e->rows, err);
    const char *name = mark->names;
    for (size_t h = 0; status == VF_OK && h < n; h++, name += strlen(name) + 1) {
        void *values = NULL;
        status = vf__column_new(ctx, "g", name, e->n, 8, true, &e->columns[h], &values, &e->validity[h], err);
        e->values[h] = values;
    }
    return status;
}

static void emission_release(struct emission *e) {
    const struct vf_context *ctx = &e->mark->ctx;
    size_t n = e->mark->rule.n_horizons;
    for (size_t h = 0; e->columns != NULL && h < n; h++)
        vf_column_release(&e->columns[h]);
    vf__free(ctx, e->columns, n, sizeof *e->columns);
    vf__free(ctx, e->values, n, sizeof *e->values);
    vf__free(ctx, e->validity, n, sizeof *e->validity);
    vf__free(ctx, e->errors, e->n_tasks, sizeof *e->errors);
    vf__free(ctx, e->last, e->n_tasks, sizeof *e->last);
    vf__free(ctx, e->sums, (size_t)(e->n / VF__REPLAY_BLOCK) + 2, sizeof *e->sums);
    vf__free(ctx, e->readers, e->n_tasks * (e->n_keys + 2), sizeof *e->readers);
    sorted_out_release(e->mark, &e->rows);
}

static enum vf_status other_rows(const struct vf_mark *mark, int64_t bad_row, struct vf_error *err) {
    int64_t last = mark->n_rows - bad_row < VF__REPLAY_BLOCK ? mark->n_rows
                                                                       : bad_row + VF__REPLAY_BLOCK;
    if (bad_row >= mark->n_rows)
        return vf__fail(err, VF_ERROR_REPLAY, NULL, bad_row,
                        "the second reading goes on after row %" PRId64 ", the last of the first reading",
                        mark->n_rows - 1);
    return vf__fail(
        err, VF_ERROR_REPLAY, NULL, bad_row,
        "key, time or price of the second reading differs from the first in one of the rows %" PRId64
        " to %" PRId64 "; the input must give the same rows in the same order each time",
        bad_row, last - 1);
}

static enum vf_status check_emit(const struct vf_mark *mark, const struct vf__keyed_batch *again,
                                 int64_t first_row, int64_t n, struct vf_error *err) {
    if (again->n_rows != n)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "%" PRId64 " rows to compare for %" PRId64 " rows to give", again->n_rows, n);
    if (first_row != mark->replay.next)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, first_row,
                        "rows are given in order: row %" PRId64 " comes next, not %" PRId64, mark->replay.next,
                        first_row);
    return n > mark->n_rows - first_row ? other_rows(mark, mark->n_rows, err) : VF_OK;
}

/* The results, rows and groups being known. Whatever fails here is as if it had not begun. */
static enum vf_status give(struct emission *e, struct vf_error *err) {
    struct vf_mark *mark = e->mark;
    size_t n_horizons = mark->rule.n_horizons;
    int64_t bad_row = e->first_row / VF__REPLAY_BLOCK * VF__REPLAY_BLOCK;
    memcpy(mark->before + n_horizons, mark->before, n_horizons * sizeof *mark->before);
    bool given = vf__mark_give(&mark->rows, n_horizons, e->rows.group, e->rows.kind, e->rows.n, mark->before, e->values,
                               e->validity);
    if (given && vf__replay_compare_sums(&mark->replay, e->sums, e->first_row, e->n, &bad_row)) return VF_OK;
    if (given) vf__mark_unread(&mark->rows, e->rows.group, e->rows.kind, e->rows.n);
    memcpy(mark->before, mark->before + n_horizons, n_horizons * sizeof *mark->before);
    return other_rows(mark, bad_row, err);
}

static enum vf_status emit(struct vf_mark *mark, const struct vf__keyed_batch *again, int64_t first_row,
                           int64_t n, struct vf_column *out, struct vf_error *err) {
    struct emission e = {.mark = mark, .n_keys = again->n_keys, .first_row = first_row, .n = n};
    e.n_tasks = (size_t)((first_row % TASK_ROWS + n + TASK_ROWS - 1) / TASK_ROWS);
    enum vf_status status = emission_new(&e, again, err);
    if (status != VF_OK) goto done;
    vf__parallel(&mark->ctx, e.n_tasks, run_task, &e);
    for (size_t task = 0; task < e.n_tasks; task++) {
        if (e.errors[task].code == VF_OK) continue;
        vf__fail_from(&e.errors[task], first_row);
        if (err != NULL) *err = e.errors[task];
        status = e.errors[task].code;
        goto done;
    }
    status = give(&e, err);
    if (status != VF_OK) goto done;
    if (e.n_tasks > 0) mark->last_given = e.last[e.n_tasks - 1];
    for (size_t h = 0; h < mark->rule.n_horizons; h++) {
        vf__column_done(&e.columns[h]);
        out[h] = e.columns[h];
        e.columns[h] = (struct vf_column){0};
    }
done:
    emission_release(&e);
    return status;
}

enum vf_status vf_mark_emit(struct vf_mark *mark, const struct vf_mark_batch *again, int64_t first_row,
                            int64_t n, struct vf_column *out, struct vf_error *err) {
    struct vf__keyed_batch batch = {0};
    if (!mark->finished)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "returns are given after vf_mark_finish");
    enum vf_status status = batch_open(mark, again, &batch, err);
    if (status != VF_OK) return status;
    status = check_emit(mark, &batch, first_row, n, err);
    if (status == VF_OK) status = emit(mark, &batch, first_row, n, out, err);
    vf__keyed_batch_close(&mark->groups, &batch);
    return status;
}

void vf_mark_rewind(struct vf_mark *mark) {
    if (!mark->finished) return; /* what is learnt lies where a replay would begin */
    vf__replay_rewind(&mark->replay);
    vf__chains_rewind(&mark->rows);
    mark->last_given = vf__mark_first();
}

enum vf_status vf_mark_replayed(const struct vf_mark *mark, struct vf_error *err) {
    if (mark->finished && vf__replay_finished(&mark->replay)) return VF_OK;
    if (!mark->finished)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "nothing is replayed before vf_mark_finish");
    return vf__fail(err, VF_ERROR_REPLAY, NULL, mark->replay.next,
                    "the second reading ended after %" PRId64 " of %" PRId64 " rows", mark->replay.next,
                    mark->replay.n_rows);
}
