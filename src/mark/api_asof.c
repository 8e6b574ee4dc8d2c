/* As-of look-ups over Arrow columns: reads batches for the kernel and gives the rows found as uint32 columns.
   Not for looking up, which asof.c does, and not for gathering what the rows hold. */
#include "arrow/build.h"
#include "arrow/keyed.h"
#include "mark/asof.h"
#include "mark/horizons.h"

enum { BLOCK = VF__KEYED_BLOCK };

#define MAX_TASKS 64
#define TASK_ROWS ((int64_t)VF__SIZED(16384, 8, 1 << 24))           /* fewer are not worth a thread; whole bytes of bitmaps */
#define HINTS_MAX ((size_t)VF__SIZED(16 * 1024 * 1024, 0, 1 << 30)) /* numbers; past it look-ups do without */

struct vf_asof {
    struct vf_context ctx;
    int64_t *horizons;
    size_t n_horizons;
    char *names; /* n_horizons names one after another, each ended by '\0' */
    size_t name_bytes;
    struct vf__asof_rule rule;
    bool unique, timed;
    enum vf__meaning time;
    struct vf__keyed groups;
    struct vf__asof index;
    uint32_t *hints; /* by task, horizon and group; NULL: none */
    size_t n_hints, n_tasks;
};

/* ---- opening ------------------------------------------------------------------------------------------------------- */

enum vf_status vf_asof_open(const struct vf_context *ctx, const struct vf_asof_options *options,
                            struct vf_asof **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "options are missing");
    enum vf_status status =
        vf__horizons_check(options->horizons_ns, options->n_horizons, options->method, false, err);
    if (status != VF_OK) return status;
    struct vf_asof *asof = vf__alloc(&context, 1, sizeof *asof);
    if (asof == NULL) return vf__fail_memory(err, sizeof *asof);
    *asof = (struct vf_asof){.ctx = context,
                             .n_horizons = options->n_horizons,
                             .unique = options->unique,
                             .rule = {.method = options->method,
                                      .tolerance = options->tolerance_ns,
                                      .end = options->end_ns,
                                      .exact = !options->strict,
                                      .past_last = options->past_last}};
    vf__keyed_init(&asof->groups, &context);
    vf__asof_init(&asof->index, &context);
    asof->horizons = vf__alloc(&context, asof->n_horizons, sizeof *asof->horizons);
    if (asof->horizons == NULL) {
        status = vf__fail_memory(err, asof->n_horizons * sizeof *asof->horizons);
        goto done;
    }
    memcpy(asof->horizons, options->horizons_ns, asof->n_horizons * sizeof *asof->horizons);
    status = vf__horizons_names(&context, asof->horizons, asof->n_horizons, options->names, "row_", &asof->names,
                                &asof->name_bytes, err);
done:
    if (status == VF_OK)
        *out = asof;
    else
        vf_asof_close(asof);
    return status;
}

void vf_asof_close(struct vf_asof *asof) {
    if (asof == NULL) return;
    struct vf_context ctx = asof->ctx;
    vf__keyed_release(&asof->groups);
    vf__asof_release(&asof->index);
    vf__free(&ctx, asof->hints, asof->n_hints, sizeof *asof->hints);
    vf__free(&ctx, asof->names, asof->name_bytes, 1);
    vf__free(&ctx, asof->horizons, asof->n_horizons, sizeof *asof->horizons);
    vf__free(&ctx, asof, 1, sizeof *asof);
}

/* ---- batches ------------------------------------------------------------------------------------------------------- */

static struct vf__reader *time_of(const struct vf__keyed_batch *batch) {
    return batch->others[0];
}

static enum vf_status check_time(const struct vf_asof *asof, const struct vf__reader *time,
                                 struct vf_error *err) {
    if (asof->groups.settled && (time != NULL) != asof->timed)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "batches before had %s time column",
                        asof->timed ? "a" : "no");
    return time != NULL ? vf__time_agrees(asof->time, time, err) : VF_OK;
}

static enum vf_status batch_open(const struct vf_asof *asof, const struct vf_asof_batch *in,
                                 struct vf__keyed_batch *out, struct vf_error *err) {
    if (in == NULL || (in->keys == NULL && in->n_keys > 0) || (in->n_keys == 0 && in->time == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a batch needs key columns, a time, or both");
    const struct vf__keyed_other time = {.series = in->time};
    enum vf_status status = vf__keyed_batch_open(&asof->groups, in->keys, in->n_keys, &time, 1, out, err);
    if (status != VF_OK) return status;
    status = check_time(asof, time_of(out), err);
    if (status != VF_OK) vf__keyed_batch_close(&asof->groups, out);
    return status;
}

/* Times of rows in nanoseconds; 0 for all where there is no time column. */
static enum vf_status read_times(struct vf__reader *time, int64_t row, int64_t n, int64_t *buffer,
                                 uint8_t *valid_buffer, const int64_t **values, const uint8_t **valid,
                                 struct vf_error *err) {
    if (time != NULL) return vf__read_ns(time, row, n, buffer, valid_buffer, values, valid, err);
    memset(buffer, 0, (size_t)n * sizeof *buffer);
    *values = buffer;
    *valid = NULL;
    return VF_OK;
}

static void settle(struct vf_asof *asof, const struct vf__keyed_batch *batch) {
    const struct vf__reader *time = time_of(batch);
    vf__keyed_settle(&asof->groups, batch->readers);
    asof->timed = time != NULL;
    if (time != NULL && asof->time == VF__MEANS_NOTHING) asof->time = vf__time_meaning(&time->type);
}

static enum vf_status learn(struct vf_asof *asof, const struct vf__keyed_batch *batch, int64_t row,
                            struct vf_error *err) {
    uint32_t group[BLOCK];
    int64_t time_buffer[BLOCK], n = batch->n_rows - row < BLOCK ? batch->n_rows - row : BLOCK;
    uint8_t valid_buffer[BLOCK];
    const int64_t *time;
    const uint8_t *valid;
    enum vf_status status = read_times(time_of(batch), row, n, time_buffer, valid_buffer, &time, &valid, err);
    if (status == VF_OK) status = vf__keyed_read(&asof->groups, batch->readers, row, n, group, err);
    if (status == VF_OK) status = vf__asof_learn(&asof->index, group, time, valid, (size_t)n, err);
    return status;
}

enum vf_status vf_asof_observe(struct vf_asof *asof, const struct vf_asof_batch *in, struct vf_error *err) {
    struct vf__keyed_batch batch;
    if (asof->index.built)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "the observations are finished; open another vf_asof");
    enum vf_status status = batch_open(asof, in, &batch, err);
    if (status != VF_OK) return status;
    size_t n = asof->index.n, n_rows = asof->index.n_rows;
    status = vf__keyed_prepare(&asof->groups, batch.readers, batch.n_keys, err);
    for (int64_t row = 0; status == VF_OK && row < batch.n_rows; row += BLOCK) {
        status = learn(asof, &batch, row, err);
        if (status != VF_OK) vf__fail_from(err, (int64_t)n_rows);
    }
    if (status == VF_OK)
        settle(asof, &batch);
    else
        vf__asof_back(&asof->index, n, n_rows);
    vf__keyed_batch_close(&asof->groups, &batch);
    return status;
}

int64_t vf_asof_rows(const struct vf_asof *asof) {
    return (int64_t)asof->index.n_rows;
}

enum vf_status vf_asof_finish(struct vf_asof *asof, struct vf_error *err) {
    uint32_t other = 0, *hints = NULL;
    if (asof->index.built)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "the observations are finished already");
    size_t n_groups = vf__keyed_count(&asof->groups);
    size_t n_tasks = asof->ctx.n_threads < MAX_TASKS ? asof->ctx.n_threads : MAX_TASKS;
    size_t n_hints = n_tasks * asof->n_horizons * n_groups;
    if (n_groups <= HINTS_MAX && asof->n_horizons <= HINTS_MAX / (n_groups + 1) && n_hints <= HINTS_MAX) {
        hints = vf__zalloc(&asof->ctx, n_hints, sizeof *hints);
        if (hints == NULL) return vf__fail_memory(err, n_hints * sizeof *hints);
    }
    enum vf_status status = vf__asof_build(&asof->index, n_groups, asof->unique, &other, err);
    if (status != VF_OK) {
        vf__free(&asof->ctx, hints, n_hints, sizeof *hints);
        return status;
    }
    asof->hints = hints;
    asof->n_hints = hints != NULL ? n_hints : 0;
    asof->n_tasks = n_tasks;
    return VF_OK;
}

/* ---- looking up ---------------------------------------------------------------------------------------------------- */

struct search {
    const struct vf_asof *asof;
    const struct vf__keyed_batch *batch;
    const uint32_t *group;
    size_t n_tasks;
    uint32_t **found; /* by horizon */
    uint8_t **validity;
    struct vf_error *errors; /* by task */
};

static void search_rows(struct search *s, struct vf__reader *reader, size_t task, int64_t row, int64_t n) {
    const struct vf_asof *asof = s->asof;
    size_t n_groups = asof->index.n_groups;
    int64_t time_buffer[BLOCK];
    uint8_t valid_buffer[BLOCK];
    const int64_t *time;
    const uint8_t *valid;
    if (read_times(reader, row, n, time_buffer, valid_buffer, &time, &valid, &s->errors[task]) != VF_OK)
        return;
    for (size_t h = 0; h < asof->n_horizons; h++) {
        uint32_t *hints = asof->hints != NULL ? asof->hints + (task * asof->n_horizons + h) * n_groups : NULL;
        uint32_t *out = s->found[h] + row;
        vf__asof_find(&asof->index, &asof->rule, asof->horizons[h], s->group + row, time, valid, (size_t)n,
                      hints, out);
        for (int64_t i = 0; i < n; i++) {
            if (out[i] != VF__NO_ROW) continue;
            out[i] = 0;
            vf__bit_clear(s->validity[h], row + i);
        }
    }
}

static void search_task(void *arg, size_t task) {
    struct search *s = arg;
    int64_t n_rows = s->batch->n_rows, blocks = (n_rows + BLOCK - 1) / BLOCK;
    int64_t from = blocks * (int64_t)task / (int64_t)s->n_tasks * BLOCK;
    int64_t to = blocks * (int64_t)(task + 1) / (int64_t)s->n_tasks * BLOCK;
    struct vf__reader own = {0}, *time = time_of(s->batch);
    if (time != NULL) own = *time;
    if (to > n_rows) to = n_rows;
    for (int64_t row = from; row < to && s->errors[task].code == VF_OK; row += BLOCK)
        search_rows(s, time != NULL ? &own : NULL, task, row, to - row < BLOCK ? to - row : BLOCK);
}

static enum vf_status search(const struct vf_asof *asof, const struct vf__keyed_batch *batch,
                             const uint32_t *group, struct vf_column *out, struct vf_error *err) {
    size_t n = asof->n_horizons;
    struct search s = {.asof = asof, .batch = batch, .group = group, .n_tasks = asof->n_tasks};
    while (s.n_tasks > 1 && (int64_t)s.n_tasks * TASK_ROWS > batch->n_rows)
        s.n_tasks--;
    enum vf_status status = VF_OK;
    struct vf_column *columns = vf__zalloc(&asof->ctx, n, sizeof *columns);
    s.found = vf__alloc(&asof->ctx, n, sizeof *s.found);
    s.validity = vf__alloc(&asof->ctx, n, sizeof *s.validity);
    s.errors = vf__zalloc(&asof->ctx, asof->n_tasks, sizeof *s.errors);
    if (columns == NULL || s.found == NULL || s.validity == NULL || s.errors == NULL) {
        status = vf__fail_memory(err, n * sizeof *columns);
        goto done;
    }
    const char *name = asof->names;
    for (size_t h = 0; status == VF_OK && h < n; h++, name += strlen(name) + 1) {
        void *values = NULL;
        status = vf__column_new(&asof->ctx, "I", name, batch->n_rows, 4, true, &columns[h], &values,
                                &s.validity[h], err);
        s.found[h] = values;
    }
    if (status != VF_OK) goto done;
    vf__parallel(&asof->ctx, s.n_tasks, search_task, &s);
    for (size_t task = 0; status == VF_OK && task < s.n_tasks; task++) {
        if (s.errors[task].code == VF_OK) continue;
        status = s.errors[task].code;
        if (err != NULL) *err = s.errors[task];
    }
    for (size_t h = 0; status == VF_OK && h < n; h++) {
        vf__column_done(&columns[h]);
        out[h] = columns[h];
        columns[h] = (struct vf_column){0};
    }
done:
    for (size_t h = 0; columns != NULL && h < n; h++)
        vf_column_release(&columns[h]);
    vf__free(&asof->ctx, columns, n, sizeof *columns);
    vf__free(&asof->ctx, s.found, n, sizeof *s.found);
    vf__free(&asof->ctx, s.validity, n, sizeof *s.validity);
    vf__free(&asof->ctx, s.errors, asof->n_tasks, sizeof *s.errors);
    return status;
}

enum vf_status vf_asof_find(struct vf_asof *asof, const struct vf_asof_batch *in, struct vf_column *out,
                            struct vf_error *err) {
    struct vf__keyed_batch batch;
    if (!asof->index.built)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "rows are looked up after vf_asof_finish");
    enum vf_status status = batch_open(asof, in, &batch, err);
    if (status != VF_OK) return status;
    size_t n = (size_t)batch.n_rows;
    uint32_t *group = vf__alloc(&asof->ctx, n, sizeof *group);
    if (group == NULL) status = vf__fail_memory(err, n * sizeof *group);
    /* keys that no observation has are added to the table: they find nothing, now and later */
    if (status == VF_OK) status = vf__keyed_prepare(&asof->groups, batch.readers, batch.n_keys, err);
    if (status == VF_OK) status = vf__keyed_read(&asof->groups, batch.readers, 0, batch.n_rows, group, err);
    if (status == VF_OK) settle(asof, &batch);
    if (status == VF_OK) status = search(asof, &batch, group, out, err);
    vf__free(&asof->ctx, group, n, sizeof *group);
    vf__keyed_batch_close(&asof->groups, &batch);
    return status;
}
