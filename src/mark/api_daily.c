/* Days' prices over Arrow columns: reads batches for the kernel, checks replays, and gives the columns.
   Not for what a day is: daily.c adds the rows up. */
#include "arrow/build.h"
#include "arrow/keyed.h"
#include "mark/daily.h"
#include "store/replay.h"

#include <inttypes.h>

enum { BLOCK = VF__KEYED_BLOCK / 2 }; /* ten columns of it are on the stack */

#define FIRST_CAPACITY ((size_t)VF__SIZED(256, 1, 1 << 16))

struct vf_daily {
    struct vf_context ctx;
    struct vf_daily_options options;
    struct vf__keyed groups;
    struct vf__day *days;
    size_t n, capacity;
    int64_t n_rows; /* added */
    enum vf__meaning time, wall;
    enum vf__kind time_kind, volume; /* VF__NULL: not known; volume: VF__INT or VF__FLOAT */
    bool broken, returning;
    struct vf__replay replay;
};

/* ---- opening ------------------------------------------------------------------------------------------------------- */

enum vf_status vf_daily_open(const struct vf_context *ctx, const struct vf_daily_options *options,
                             struct vf_daily **out, struct vf_error *err) {
    struct vf_context context = vf__context(ctx);
    if (options == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "options are missing");
    struct vf_daily *daily = vf__alloc(&context, 1, sizeof *daily);
    if (daily == NULL) return vf__fail_memory(err, sizeof *daily);
    *daily = (struct vf_daily){.ctx = context, .options = *options};
    vf__keyed_init(&daily->groups, &context);
    vf__replay_init(&daily->replay, &context);
    *out = daily;
    return VF_OK;
}

void vf_daily_close(struct vf_daily *daily) {
    if (daily == NULL) return;
    struct vf_context ctx = daily->ctx;
    vf__keyed_release(&daily->groups);
    vf__replay_release(&daily->replay);
    vf__free(&ctx, daily->days, daily->capacity, sizeof *daily->days);
    vf__free(&ctx, daily, 1, sizeof *daily);
}

/* ---- batches ------------------------------------------------------------------------------------------------------- */

enum { TIME, WALL, PRICE, VOLUME, N_OTHERS }; /* a batch's columns beside the keys */

static enum vf_status wrong_number(const struct vf__reader *reader, const char *use, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1, "column \"%s\" is %s; as %s, a number is accepted",
                    reader->name, vf__type_name(&reader->type), use);
}

static enum vf_status check_types(const struct vf_daily *daily, const struct vf__keyed_batch *batch,
                                  struct vf_error *err) {
    const struct vf__reader *wall = batch->others[WALL], *volume = batch->others[VOLUME];
    enum vf_status status = vf__time_agrees(daily->time, batch->others[TIME], err);
    if (status == VF_OK && wall != NULL) status = vf__time_agrees(daily->wall, wall, err);
    if (status == VF_OK) status = vf__price_check(batch->others[PRICE], err);
    if (status != VF_OK || volume == NULL || volume->type.kind == VF__NULL) return status;
    if (!vf__type_is_number(&volume->type)) return wrong_number(volume, "volume", err);
    if (daily->volume != VF__NULL && (volume->type.kind == VF__FLOAT) != (daily->volume == VF__FLOAT))
        return vf__fail(err, VF_ERROR_TYPE, volume->name, -1,
                        "column \"%s\" is %s after batches with another kind of number", volume->name,
                        vf__type_name(&volume->type));
    return VF_OK;
}

static enum vf_status batch_open(const struct vf_daily *daily, const struct vf_daily_batch *in,
                                 struct vf__keyed_batch *out, struct vf_error *err) {
    if (in == NULL || in->keys == NULL || in->time == NULL || in->price == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a batch needs its key columns, time and price");
    if (in->n_keys == 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no key column; one or more are accepted");
    const struct vf__keyed_other others[N_OTHERS] = {[TIME] = {.series = in->time},
                                                     [WALL] = {.series = in->wall},
                                                     [PRICE] = {.series = in->price, .decimals = true},
                                                     [VOLUME] = {.series = in->volume}};
    enum vf_status status =
        vf__keyed_batch_open(&daily->groups, in->keys, in->n_keys, others, N_OTHERS, out, err);
    if (status != VF_OK) return status;
    status = check_types(daily, out, err);
    if (status != VF_OK) vf__keyed_batch_close(&daily->groups, out);
    return status;
}

/* One block of rows as plain arrays. */
struct block {
    struct vf__day_rows rows;
    uint32_t group[BLOCK];
    uint8_t counted[BLOCK];
    int64_t time[BLOCK], wall[BLOCK];
    double price[BLOCK];
    uint8_t time_ok[BLOCK], wall_ok[BLOCK], price_ok[BLOCK];
};

static enum vf_status read_block(struct vf_daily *daily, struct vf__keyed_batch *batch, int64_t row,
                                 int64_t n, struct block *block, struct vf_error *err) {
    struct vf__day_rows *rows = &block->rows;
    *rows = (struct vf__day_rows){0};
    enum vf_status status = vf__keyed_read(&daily->groups, batch->readers, row, n, block->group, err);
    if (status == VF_OK)
        status = vf__read_ns(batch->others[TIME], row, n, block->time, block->time_ok, &rows->time,
                             &rows->time_valid, err);
    if (status == VF_OK && batch->others[WALL] != NULL)
        status = vf__read_ns(batch->others[WALL], row, n, block->wall, block->wall_ok, &rows->wall,
                             &rows->wall_valid, err);
    if (status == VF_OK)
        status = vf__read_prices(batch->others[PRICE], row, n, block->price, block->price_ok, &rows->price,
                                 &rows->price_valid, err);
    return status;
}

/* Odd, without a pattern: a change of time must not be made up for by one of price. */
#define TIME_STEP UINT64_C(0xd6e8feb86659fd93)
#define PRICE_STEP UINT64_C(0xa0761d6478bd642f)

/* A word a row from what its return depends on. */
static enum vf_status read_words(struct vf__keyed_batch *batch, int64_t row, int64_t n,
                                 const struct vf__day_rows *rows, uint64_t *words, struct vf_error *err) {
    enum vf_status status = vf__keyed_words(batch->readers, batch->n_keys, row, n, words, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++) {
        bool timed = rows->time_valid == NULL || rows->time_valid[i];
        bool priced = rows->price_valid == NULL || rows->price_valid[i];
        uint64_t bits;
        memcpy(&bits, &rows->price[i], sizeof bits);
        words[i] = (words[i] ^ (timed ? (uint64_t)rows->time[i] : ~TIME_STEP)) * TIME_STEP;
        words[i] = (words[i] ^ (priced ? bits : ~PRICE_STEP)) * PRICE_STEP;
    }
    return status;
}

/* ---- adding -------------------------------------------------------------------------------------------------------- */

static enum vf_status grow(struct vf_daily *daily, size_t n, struct vf_error *err) {
    if (n > daily->capacity) {
        size_t capacity = daily->capacity != 0 ? daily->capacity * 2 : FIRST_CAPACITY;
        if (capacity < n) capacity = n;
        struct vf__day *days = vf__resize(&daily->ctx, daily->days, daily->capacity, capacity, sizeof *days);
        if (days == NULL) return vf__fail_memory(err, capacity * sizeof *days);
        daily->days = days;
        daily->capacity = capacity;
    }
    if (n > daily->n) memset(daily->days + daily->n, 0, (n - daily->n) * sizeof *daily->days);
    if (n > daily->n) daily->n = n;
    return VF_OK;
}

static enum vf_status bad_volume(enum vf__volume_fault fault, const struct vf__reader *reader, int64_t row,
                                 struct vf_error *err) {
    if (fault == VF__VOLUME_BAD)
        return vf__fail(err, VF_ERROR_DATA, reader->name, row,
                        "column \"%s\": a volume is negative, NaN or infinite", reader->name);
    return vf__fail(err, VF_ERROR_OVERFLOW, reader->name, row, "column \"%s\": the sum does not fit %s",
                    reader->name, reader->type.kind == VF__FLOAT ? "Float64" : "Int64");
}

static enum vf_status add_volume(struct vf_daily *daily, struct vf__reader *reader, int64_t row, int64_t n,
                                 const struct block *block, struct vf_error *err) {
    enum vf__volume_fault fault = VF__VOLUME_FINE;
    enum vf_status status;
    uint8_t valid_buffer[BLOCK];
    const uint8_t *valid;
    size_t at = 0;
    if (reader == NULL || reader->type.kind == VF__NULL) return VF_OK;
    if (reader->type.kind == VF__FLOAT) {
        double buffer[BLOCK];
        const double *values;
        status = vf__read_f64(reader, row, n, buffer, valid_buffer, &values, &valid, err);
        if (status == VF_OK)
            fault =
                vf__days_volume_f64(daily->days, block->group, block->counted, values, valid, (size_t)n, &at);
    } else {
        int64_t buffer[BLOCK];
        const int64_t *values;
        status = vf__read_i64(reader, row, n, buffer, valid_buffer, &values, &valid, err);
        if (status == VF_OK)
            fault =
                vf__days_volume_i64(daily->days, block->group, block->counted, values, valid, (size_t)n, &at);
    }
    if (status == VF_OK && fault != VF__VOLUME_FINE) return bad_volume(fault, reader, row + (int64_t)at, err);
    return status;
}

static enum vf_status add_block(struct vf_daily *daily, struct vf__keyed_batch *batch, int64_t row,
                                struct vf_error *err) {
    struct block block;
    uint64_t words[BLOCK];
    int64_t n = batch->n_rows - row < BLOCK ? batch->n_rows - row : BLOCK;
    enum vf_status status = read_block(daily, batch, row, n, &block, err);
    if (status == VF_OK) status = grow(daily, vf__keyed_count(&daily->groups), err);
    if (status != VF_OK) return status;
    vf__days_add(daily->days, block.group, &block.rows, (size_t)n, daily->options.end_ns, block.counted);
    status = add_volume(daily, batch->others[VOLUME], row, n, &block, err);
    if (status == VF_OK && daily->options.returns) {
        status = read_words(batch, row, n, &block.rows, words, err);
        if (status == VF_OK) vf__replay_learn(&daily->replay, words, n);
    }
    return status;
}

/* The rows with which groups from number n_before on begin. Group numbers are dense and given in order of rows. */
static enum vf_status give_fresh(struct vf_daily *daily, struct vf__keyed_batch *batch, size_t n_before,
                                 struct vf_column *out, struct vf_error *err) {
    struct vf_column column = {0}; /* `out` is the caller's until all went well */
    size_t n = vf__keyed_count(&daily->groups) - n_before, found = 0;
    uint32_t group[BLOCK];
    void *values = NULL;
    uint8_t *validity;
    enum vf_status status =
        vf__column_new(&daily->ctx, "I", "row", (int64_t)n, 4, false, &column, &values, &validity, err);
    for (int64_t row = 0; status == VF_OK && found < n && row < batch->n_rows; row += BLOCK) {
        int64_t m = batch->n_rows - row < BLOCK ? batch->n_rows - row : BLOCK;
        status = vf__keyed_read(&daily->groups, batch->readers, row, m, group, err);
        for (int64_t i = 0; status == VF_OK && i < m; i++)
            if (group[i] != VF__NO_KEY && group[i] == n_before + found)
                ((uint32_t *)values)[found++] = (uint32_t)(row + i);
    }
    if (status == VF_OK) {
        vf__column_done(&column);
        *out = column;
    } else {
        vf_column_release(&column);
    }
    return status;
}

static void settle(struct vf_daily *daily, const struct vf__keyed_batch *batch) {
    vf__keyed_settle(&daily->groups, batch->readers);
    if (daily->time == VF__MEANS_NOTHING) {
        daily->time = vf__time_meaning(&batch->others[TIME]->type);
        daily->time_kind = batch->others[TIME]->type.kind;
    }
    if (batch->others[WALL] != NULL && daily->wall == VF__MEANS_NOTHING)
        daily->wall = vf__time_meaning(&batch->others[WALL]->type);
    if (batch->others[VOLUME] != NULL && daily->volume == VF__NULL)
        daily->volume = batch->others[VOLUME]->type.kind;
}

static enum vf_status usable(const struct vf_daily *daily, struct vf_error *err) {
    if (!daily->broken) return VF_OK;
    return vf__fail(err, VF_ERROR_STATE, NULL, -1, "an update failed half-way; open another vf_daily");
}

enum vf_status vf_daily_update(struct vf_daily *daily, const struct vf_daily_batch *in,
                               struct vf_column *fresh, struct vf_error *err) {
    struct vf__keyed_batch batch;
    enum vf_status status = usable(daily, err);
    if (status == VF_OK && daily->returning)
        status = vf__fail(err, VF_ERROR_STATE, NULL, -1,
                          "returns were given; open another vf_daily for other rows");
    if (status == VF_OK) status = batch_open(daily, in, &batch, err);
    if (status != VF_OK) return status;
    size_t n_before = daily->n;
    if (batch.n_rows > UINT32_MAX - 1)
        status = vf__fail(err, VF_ERROR_OVERFLOW, NULL, -1, "more than %u rows in one batch", UINT32_MAX - 1);
    if (status == VF_OK) status = vf__keyed_prepare(&daily->groups, batch.readers, batch.n_keys, err);
    if (status == VF_OK && daily->options.returns)
        status = vf__replay_reserve(&daily->replay, batch.n_rows, err);
    if (status != VF_OK) goto done;
    for (int64_t row = 0; status == VF_OK && row < batch.n_rows; row += BLOCK) {
        status = add_block(daily, &batch, row, err);
        if (status != VF_OK) vf__fail_from(err, daily->n_rows);
    }
    if (status == VF_OK && fresh != NULL) status = give_fresh(daily, &batch, n_before, fresh, err);
    if (status == VF_OK) {
        settle(daily, &batch);
        daily->n_rows += batch.n_rows;
    } else {
        daily->broken = true;
    }
done:
    vf__keyed_batch_close(&daily->groups, &batch);
    return status;
}

int64_t vf_daily_groups(const struct vf_daily *daily) {
    return (int64_t)daily->n;
}

/* ---- giving the days ----------------------------------------------------------------------------------------------- */

#define SECOND_NS INT64_C(1000000000)

static double price_at(const struct vf__day *day, size_t column) {
    switch (column) {
    case 0:
        return day->open;
    case 1:
        return day->high;
    case 2:
        return day->low;
    default:
        return day->close;
    }
}

static void put_volume(const struct vf_daily *daily, void *values) {
    for (size_t i = 0; i < daily->n; i++) {
        if (daily->volume == VF__FLOAT)
            ((double *)values)[i] = daily->days[i].sum + daily->days[i].rest;
        else
            ((int64_t *)values)[i] = daily->days[i].volume;
    }
}

static void put_time(const struct vf_daily *daily, bool last, void *values, uint8_t *validity) {
    for (size_t i = 0; i < daily->n; i++) {
        const struct vf__day *day = &daily->days[i];
        int64_t ns = last ? day->last_time : day->first_time;
        if (daily->time_kind == VF__FLOAT)
            ((double *)values)[i] = (double)ns / 1e9;
        else
            ((int64_t *)values)[i] =
                daily->time_kind == VF__INT || daily->time_kind == VF__UINT ? ns / SECOND_NS : ns;
        if (day->n == 0) vf__bit_clear(validity, (int64_t)i);
    }
}

static void put_column(const struct vf_daily *daily, size_t c, void *values, uint8_t *validity) {
    for (size_t i = 0; c < 4 && i < daily->n; i++) {
        ((double *)values)[i] = price_at(&daily->days[i], c);
        if (daily->days[i].n == 0) vf__bit_clear(validity, (int64_t)i);
    }
    if (c == 4) put_volume(daily, values);
    if (c == 5 || c == 6) put_time(daily, c == 6, values, validity);
    for (size_t i = 0; c > 6 && i < daily->n; i++) {
        const struct vf__day *day = &daily->days[i];
        ((int64_t *)values)[i] = c == 7 ? day->n : c == 8 ? day->n_outside : day->n_invalid;
    }
}

enum vf_status vf_daily_finish(struct vf_daily *daily, struct vf_column *out, struct vf_error *err) {
    static const char *const names[VF_DAILY_COLUMNS] = {
        "open", "high", "low", "close", "volume", "first_time", "last_time", "n", "n_outside", "n_invalid"};
    struct vf_column columns[VF_DAILY_COLUMNS] = {{{0}, {0}}};
    enum vf_status status = usable(daily, err);
    for (size_t c = 0; status == VF_OK && c < VF_DAILY_COLUMNS; c++) {
        bool is_float = c < 4 || (c == 4 && daily->volume == VF__FLOAT) ||
                        ((c == 5 || c == 6) && daily->time_kind == VF__FLOAT);
        bool nullable = c < 4 || c == 5 || c == 6;
        void *values = NULL;
        uint8_t *validity = NULL;
        status = vf__column_new(&daily->ctx, is_float ? "g" : "l", names[c], (int64_t)daily->n, 8, nullable,
                                &columns[c], &values, &validity, err);
        if (status != VF_OK) break;
        put_column(daily, c, values, validity);
        vf__column_done(&columns[c]);
    }
    for (size_t c = 0; c < VF_DAILY_COLUMNS; c++) {
        if (status == VF_OK)
            out[c] = columns[c];
        else
            vf_column_release(&columns[c]);
    }
    return status;
}

/* ---- returns to the close ------------------------------------------------------------------------------------------ */

static enum vf_status other_rows(const struct vf_daily *daily, int64_t bad_row, struct vf_error *err) {
    if (bad_row >= daily->replay.n_rows)
        return vf__fail(err, VF_ERROR_REPLAY, NULL, bad_row,
                        "the second reading goes on after row %" PRId64 ", the last of the first reading",
                        daily->replay.n_rows - 1);
    int64_t left = daily->replay.n_rows - bad_row;
    return vf__fail(
        err, VF_ERROR_REPLAY, NULL, bad_row,
        "key, time or price of the second reading differs from the first in one of the rows %" PRId64
        " to %" PRId64 "; the input must give the same rows in the same order each time",
        bad_row, bad_row + (left < VF__REPLAY_BLOCK ? left : VF__REPLAY_BLOCK) - 1);
}

static enum vf_status return_block(struct vf_daily *daily, struct vf__keyed_batch *batch, int64_t row,
                                   int64_t first_row, double *values, uint8_t *validity,
                                   struct vf_error *err) {
    struct block block;
    uint64_t words[BLOCK];
    uint8_t ok[BLOCK];
    int64_t n = batch->n_rows - row < BLOCK ? batch->n_rows - row : BLOCK, bad_row;
    enum vf_status status = read_block(daily, batch, row, n, &block, err);
    if (status == VF_OK && daily->options.returns) {
        status = read_words(batch, row, n, &block.rows, words, err);
        if (status == VF_OK && !vf__replay_compare(&daily->replay, words, first_row + row, n, &bad_row))
            return other_rows(daily, bad_row, err);
    }
    if (status != VF_OK) return status;
    vf__days_return(daily->days, daily->n, block.group, &block.rows, (size_t)n, daily->options.end_ns,
                    values + row, ok);
    vf__validity_clear(validity, row, n, ok);
    return VF_OK;
}

enum vf_status vf_daily_return(struct vf_daily *daily, const struct vf_daily_batch *in, int64_t first_row,
                               struct vf_column *out, struct vf_error *err) {
    struct vf__keyed_batch batch;
    struct vf_column column = {0};
    void *values = NULL;
    uint8_t *validity = NULL;
    enum vf_status status = usable(daily, err);
    if (status == VF_OK) status = batch_open(daily, in, &batch, err);
    if (status != VF_OK) return status;
    struct vf__replay_point point = vf__replay_here(&daily->replay);
    if (daily->options.returns && first_row != daily->replay.next)
        status = vf__fail(err, VF_ERROR_ARGUMENT, NULL, first_row,
                          "rows are compared in order: row %" PRId64 " comes next, not %" PRId64,
                          daily->replay.next, first_row);
    daily->returning |= status == VF_OK;
    if (status == VF_OK) status = vf__keyed_prepare(&daily->groups, batch.readers, batch.n_keys, err);
    if (status == VF_OK)
        status = vf__column_new(&daily->ctx, "g", "close_return", batch.n_rows, 8, true, &column, &values,
                                &validity, err);
    for (int64_t row = 0; status == VF_OK && row < batch.n_rows; row += BLOCK)
        status = return_block(daily, &batch, row, first_row, values, validity, err);
    if (status == VF_OK) {
        settle(daily, &batch);
        vf__column_done(&column);
        *out = column;
    } else {
        vf__replay_back(&daily->replay, &point);
        vf_column_release(&column);
    }
    vf__keyed_batch_close(&daily->groups, &batch);
    return status;
}

enum vf_status vf_daily_replayed(struct vf_daily *daily, struct vf_error *err) {
    enum vf_status status = usable(daily, err);
    if (status == VF_OK && daily->options.returns && !vf__replay_finished(&daily->replay))
        status = vf__fail(err, VF_ERROR_REPLAY, NULL, daily->replay.next,
                          "the second reading ended after %" PRId64 " of %" PRId64 " rows",
                          daily->replay.next, daily->replay.n_rows);
    vf__replay_rewind(&daily->replay);
    return status;
}
