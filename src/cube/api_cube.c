/* A cube is made: rows are learnt, room is made, rows are added, running sums are taken.
   Not for asking it, nor for storing it: api_query.c and api_parts.c do that. */
#include "cube/api_cube.h"

#include "agg/states.h"

#include <stdlib.h>

#define PIECE VF__SIZED(512, 8, 4096) /* of a block, read at once */
#define MOST_STATES ((size_t)1024)

/* ---- open and close ------------------------------------------------------------------------------------------------ */

static enum vf_status check_states(size_t n_axes, const struct vf_cube_state *states, size_t n_states,
                                   struct vf_error *err) {
    if (n_axes == 0 || n_axes > VF__CUBE_MOST_AXES)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu axes; 1 to %d are accepted", n_axes,
                        VF__CUBE_MOST_AXES);
    if (n_states == 0 || n_states > MOST_STATES || states == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu states; 1 to %zu are accepted", n_states,
                        MOST_STATES);
    for (size_t s = 0; s < n_states; s++)
        if ((int)states[s].merge < 0 || states[s].merge > VF_CUBE_PRODUCT_FLOAT || states[s].name == NULL)
            return vf__fail(err, VF_ERROR_ARGUMENT, states[s].name, -1, "state %zu: %d is no way to merge", s,
                            (int)states[s].merge);
    return VF_OK;
}

enum vf_status vf__cube_new(const struct vf_context *ctx, size_t n_axes, const struct vf_cube_state *states,
                            size_t n_states, struct vf_cube **out, struct vf_error *err) {
    enum vf_status status = check_states(n_axes, states, n_states, err);
    if (status != VF_OK) return status;
    struct vf_cube *cube = vf__zalloc(ctx, 1, sizeof *cube);
    if (cube == NULL) return vf__fail_memory(err, sizeof *cube);
    cube->ctx = *ctx;
    atomic_init(&cube->references, 1);
    cube->n_axes = n_axes;
    cube->n_states = n_states;
    for (size_t a = 0; a < n_axes; a++)
        vf__keys_init(&cube->axes[a].keys, ctx, false);
    cube->states = vf__zalloc(ctx, n_states, sizeof *cube->states);
    cube->sums = vf__zalloc(ctx, n_states + 1, sizeof *cube->sums);
    cube->store.scans = vf__zalloc(ctx, n_states, sizeof *cube->store.scans);
    bool all = cube->states != NULL && cube->sums != NULL && cube->store.scans != NULL;
    for (size_t s = 0; all && s < n_states; s++) {
        struct vf__cube_state *state = &cube->states[s];
        state->merge = states[s].merge;
        state->value = cube->n_values;
        state->is = VF__CUBE_UNKNOWN;
        state->slot = vf__cube_adds(state->merge) ? cube->n_sums++ : cube->store.n_scans++;
        state->name = vf__text_copy(ctx, states[s].name);
        vf__cube_extent_init(&state->extent);
        vf__cube_extent_init(&state->again);
        cube->n_values += vf__cube_values(state->merge);
        all = state->name != NULL;
    }
    if (all) cube->readers = vf__zalloc(ctx, n_axes + cube->n_values, sizeof *cube->readers);
    if (!all || cube->readers == NULL) {
        vf_cube_close(cube);
        return vf__fail_memory(err, n_states * sizeof *cube->states);
    }
    *out = cube;
    return VF_OK;
}

enum vf_status vf_cube_open(const struct vf_context *ctx, size_t n_axes, const struct vf_cube_state *states,
                            size_t n_states, struct vf_cube **out, struct vf_error *err) {
    struct vf_context own = vf__context(ctx);
    return vf__cube_new(&own, n_axes, states, n_states, out, err);
}

static void release_arrays(struct vf_cube *cube) {
    const struct vf_context *ctx = &cube->ctx;
    vf__free(ctx, cube->keys, cube->store.n_rows, VF__CUBE_KEY_BYTES);
    cube->keys = NULL;
    if (cube->release_owner != NULL)
        cube->release_owner(cube->owner); /* the arrays are its */
    else
        vf__cube_store_release(&cube->store, ctx, cube->n_axes);
}

void vf_cube_close(struct vf_cube *cube) {
    if (cube == NULL || atomic_fetch_sub_explicit(&cube->references, 1, memory_order_acq_rel) > 1) return;
    struct vf_context ctx = cube->ctx;
    release_arrays(cube);
    for (size_t a = 0; a < cube->n_axes; a++) {
        struct vf__cube_axis *axis = &cube->axes[a];
        vf__free(&ctx, axis->position, axis->keys.n, sizeof *axis->position);
        vf__free(&ctx, axis->sorted, axis->keys.n, sizeof *axis->sorted);
        vf__keys_release(&axis->keys);
        vf__text_free(&ctx, axis->name);
        vf__text_free(&ctx, axis->format);
    }
    for (size_t s = 0; cube->states != NULL && s < cube->n_states; s++) {
        vf__text_free(&ctx, cube->states[s].name);
        vf__text_free(&ctx, cube->states[s].format);
    }
    vf__free(&ctx, cube->pieces, cube->n_states + 1, 4 * sizeof *cube->pieces);
    vf__free(&ctx, cube->store.scans, cube->n_states, sizeof *cube->store.scans);
    vf__free(&ctx, cube->sums, cube->n_states + 1, sizeof *cube->sums);
    vf__free(&ctx, cube->states, cube->n_states, sizeof *cube->states);
    vf__free(&ctx, cube->readers, cube->n_axes + cube->n_values, sizeof *cube->readers);
    vf__free(&ctx, cube, 1, sizeof *cube);
}

/* ---- columns that come in ------------------------------------------------------------------------------------------ */

static enum vf_status open_readers(struct vf_cube *cube, const struct vf_series *keys,
                                   const struct vf_series *values, int64_t n_rows, struct vf_error *err) {
    if (n_rows < 0 || keys == NULL || values == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "%lld rows, of %zu keys and %zu values; one is missing", (long long)n_rows,
                        cube->n_axes, cube->n_values);
    return vf__readers_open(cube->readers, keys, cube->n_axes, values, cube->n_values, n_rows, err);
}

static enum vf__cube_value value_is(const struct vf__type *type) {
    switch (type->kind) {
    case VF__BOOL:
    case VF__INT:
    case VF__DATE:
    case VF__TIME:
    case VF__TIMESTAMP:
    case VF__DURATION:
        return VF__CUBE_INT;
    case VF__UINT:
        return type->width == 8 ? VF__CUBE_UINT : VF__CUBE_INT;
    case VF__FLOAT:
        return VF__CUBE_FLOAT;
    case VF__TEXT:
    case VF__NULL:
    case VF__DECIMAL: /* never read here */
        break;
    }
    return VF__CUBE_UNKNOWN;
}

static bool accepts(enum vf_cube_merge merge, const struct vf__type *type) {
    bool whole = vf__type_is_integer(type) || type->kind == VF__BOOL;
    switch (merge) {
    case VF_CUBE_ADD_INT:
        return whole || type->kind == VF__DURATION;
    case VF_CUBE_PRODUCT_INT:
        return whole;
    case VF_CUBE_ADD_FLOAT:
    case VF_CUBE_PRODUCT_FLOAT:
        return type->kind == VF__FLOAT;
    default:
        return value_is(type) != VF__CUBE_UNKNOWN;
    }
}

static const char *wants(enum vf_cube_merge merge) {
    switch (merge) {
    case VF_CUBE_ADD_INT:
        return "an integer, a boolean or a duration";
    case VF_CUBE_PRODUCT_INT:
        return "an integer or a boolean";
    case VF_CUBE_ADD_FLOAT:
    case VF_CUBE_PRODUCT_FLOAT:
        return "a float";
    default:
        return "a number, a boolean, a date, a time or a duration";
    }
}

static enum vf_status check_state(const struct vf_cube *cube, const struct vf__cube_state *state,
                                  struct vf_error *err) {
    for (size_t c = 0; c < vf__cube_values(state->merge); c++) {
        const struct vf__reader *reader = &cube->readers[cube->n_axes + state->value + c];
        bool order = (c == 1 && vf__cube_ordered(state->merge)) || c == 2;
        if (order ? !vf__type_is_integer(&reader->type) : !accepts(state->merge, &reader->type))
            return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                            "state \"%s\": column \"%s\" is %s; %s is needed", state->name, reader->name,
                            vf__type_name(&reader->type), order ? "an integer" : wants(state->merge));
        if (c == 0 && state->format != NULL && strcmp(state->format, reader->type.format) != 0)
            return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                            "state \"%s\": column \"%s\" is %s ('%s'); in the first rows it was '%s'",
                            state->name, reader->name, vf__type_name(&reader->type), reader->type.format,
                            state->format);
    }
    return VF_OK;
}

static enum vf_status check_axis(const struct vf_cube *cube, size_t a, struct vf_error *err) {
    const struct vf__reader *reader = &cube->readers[a];
    const struct vf__cube_axis *axis = &cube->axes[a];
    if (reader->type.kind == VF__FLOAT)
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                        "axis \"%s\" is %s; floats are no axis: bin the column first", reader->name,
                        vf__type_name(&reader->type));
    if (axis->format == NULL) return VF_OK;
    bool text = vf__reader_is_text(reader);
    if (text != axis->text ||
        (text ? reader->type.utf8 != axis->utf8 : strcmp(axis->format, reader->type.format) != 0))
        return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                        "axis \"%s\" is %s ('%s'); in the first rows it was '%s'", reader->name,
                        vf__type_name(&reader->type), reader->type.format, axis->format);
    return VF_OK;
}

static enum vf_status check_columns(const struct vf_cube *cube, struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (size_t a = 0; status == VF_OK && a < cube->n_axes; a++)
        status = check_axis(cube, a, err);
    for (size_t s = 0; status == VF_OK && s < cube->n_states; s++)
        status = check_state(cube, &cube->states[s], err);
    return status;
}

static enum vf_status learn_types(struct vf_cube *cube, struct vf_error *err) {
    const struct vf_context *ctx = &cube->ctx;
    bool all = true;
    for (size_t a = 0; all && a < cube->n_axes; a++) {
        struct vf__cube_axis *axis = &cube->axes[a];
        if (axis->format != NULL) continue;
        axis->text = vf__reader_is_text(&cube->readers[a]);
        axis->utf8 = axis->text && cube->readers[a].type.utf8;
        vf__keys_init(&axis->keys, ctx, axis->text);
        if (axis->name == NULL) axis->name = vf__text_copy(ctx, cube->readers[a].name);
        if (axis->name != NULL) axis->format = vf__text_copy(ctx, cube->readers[a].type.format);
        all = axis->format != NULL;
    }
    for (size_t s = 0; all && s < cube->n_states; s++) {
        struct vf__cube_state *state = &cube->states[s];
        if (state->format != NULL) continue;
        state->is = value_is(&cube->readers[cube->n_axes + state->value].type);
        state->format = vf__text_copy(ctx, cube->readers[cube->n_axes + state->value].type.format);
        all = state->format != NULL;
    }
    return all ? VF_OK : vf__fail_memory(err, sizeof *cube->states);
}

enum vf_status vf__cube_check_phase(const struct vf_cube *cube, enum vf__cube_phase phase, const char *verb,
                                    struct vf_error *err) {
    static const char *const is[] = {"is learning", "is being filled", "is finished",
                                     "failed half-way and is to be closed"};
    if (cube->phase == phase) return VF_OK;
    return vf__fail(err, VF_ERROR_STATE, NULL, -1, "%s: this cube %s", verb, is[cube->phase]);
}

enum vf_status vf__cube_check_ready(const struct vf_cube *cube, struct vf_error *err) {
    return vf__cube_check_phase(cube, VF__CUBE_READY, "a question", err);
}

/* ---- columns side by side: each axis and each state is a task of its own ------------------------------------------- */

struct pass {
    struct vf_cube *cube;
    int64_t n_rows;
    int64_t first; /* of the block that is added */
    size_t count;
    uint32_t *places; /* n_axes blocks of positions */
    size_t *rows;     /* where each row of the block goes */
    struct outcome {
        enum vf_status status;
        struct vf_error error;
    } *outcomes; /* n_axes + n_states */
};

static enum vf_status open_pass(struct pass *pass, struct vf_cube *cube, int64_t n_rows,
                                struct vf_error *err) {
    *pass = (struct pass){.cube = cube, .n_rows = n_rows};
    size_t n = cube->n_axes + cube->n_states;
    pass->places = vf__alloc(&cube->ctx, cube->n_axes * (size_t)VF__CUBE_BLOCK, sizeof *pass->places);
    pass->rows = vf__alloc(&cube->ctx, (size_t)VF__CUBE_BLOCK, sizeof *pass->rows);
    pass->outcomes = vf__zalloc(&cube->ctx, n, sizeof *pass->outcomes);
    if (pass->places != NULL && pass->rows != NULL && pass->outcomes != NULL) return VF_OK;
    return vf__fail_memory(err, cube->n_axes * (size_t)VF__CUBE_BLOCK * sizeof *pass->places);
}

static void close_pass(struct pass *pass) {
    const struct vf_cube *cube = pass->cube;
    vf__free(&cube->ctx, pass->places, cube->n_axes * (size_t)VF__CUBE_BLOCK, sizeof *pass->places);
    vf__free(&cube->ctx, pass->rows, (size_t)VF__CUBE_BLOCK, sizeof *pass->rows);
    vf__free(&cube->ctx, pass->outcomes, cube->n_axes + cube->n_states, sizeof *pass->outcomes);
}

static enum vf_status first_failure(const struct pass *pass, int64_t n_before, struct vf_error *err) {
    for (size_t i = 0; i < pass->cube->n_axes + pass->cube->n_states; i++) {
        if (pass->outcomes[i].status == VF_OK) continue;
        if (err != NULL) *err = pass->outcomes[i].error;
        vf__fail_from(err, n_before);
        return pass->outcomes[i].status;
    }
    return VF_OK;
}

static enum vf_status no_null(const struct vf__cube_state *state, const struct vf__reader *reader,
                              const uint8_t *valid, int64_t first, int64_t n, struct vf_error *err) {
    for (int64_t i = 0; valid != NULL && i < n; i++)
        if (!valid[i])
            return vf__fail(err, VF_ERROR_DATA, reader->name, first + i,
                            "state \"%s\" is null; a sum is never null: nothing is 0", state->name);
    return VF_OK;
}

static enum vf_status learn_axis(struct vf_cube *cube, size_t a, int64_t n_rows, struct vf_error *err) {
    struct vf__cube_axis *axis = &cube->axes[a];
    uint32_t ids[PIECE];
    for (int64_t row = 0; row < n_rows; row += PIECE) {
        int64_t n = n_rows - row < PIECE ? n_rows - row : PIECE;
        enum vf_status status = vf__read_keys(&cube->readers[a], row, n, &axis->keys, ids, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; i < n; i++)
            axis->has_null |= ids[i] == VF__NO_KEY;
    }
    return VF_OK;
}

static enum vf_status learn_state(struct vf_cube *cube, struct vf__cube_state *state, int64_t n_rows,
                                  struct vf_error *err) {
    uint8_t valid_buffer[PIECE];
    union {
        int64_t ints[PIECE];
        double floats[PIECE];
    } buffer;
    for (size_t c = 0; vf__cube_adds(state->merge) && c < vf__cube_values(state->merge); c++) {
        struct vf__reader *reader = &cube->readers[cube->n_axes + state->value + c];
        for (int64_t row = 0; row < n_rows; row += PIECE) {
            int64_t n = n_rows - row < PIECE ? n_rows - row : PIECE;
            const uint8_t *valid;
            const int64_t *ints;
            const double *floats;
            bool real = state->merge == VF_CUBE_ADD_FLOAT;
            enum vf_status status =
                real ? vf__read_f64(reader, row, n, buffer.floats, valid_buffer, &floats, &valid, err)
                     : vf__read_i64(reader, row, n, buffer.ints, valid_buffer, &ints, &valid, err);
            if (status == VF_OK) status = no_null(state, reader, valid, row, n, err);
            if (status != VF_OK) return status;
            if (real)
                vf__cube_extent_add_f64(&state->extent, floats, (size_t)n);
            else
                vf__cube_extent_add_i64(&state->extent, ints, (size_t)n);
        }
    }
    return VF_OK;
}

static void learn_column(void *arg, size_t index) {
    struct pass *pass = arg;
    struct vf_cube *cube = pass->cube;
    struct outcome *outcome = &pass->outcomes[index];
    outcome->status = index < cube->n_axes ? learn_axis(cube, index, pass->n_rows, &outcome->error)
                                           : learn_state(cube, &cube->states[index - cube->n_axes],
                                                         pass->n_rows, &outcome->error);
}

enum vf_status vf_cube_learn(struct vf_cube *cube, const struct vf_series *keys,
                             const struct vf_series *values, int64_t n_rows, struct vf_error *err) {
    struct pass pass = {.cube = cube};
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_LEARNING, "learn", err);
    if (status == VF_OK) status = open_readers(cube, keys, values, n_rows, err);
    if (status == VF_OK) status = check_columns(cube, err);
    if (status == VF_OK) status = learn_types(cube, err);
    if (status != VF_OK) return status;
    status = open_pass(&pass, cube, n_rows, err);
    if (status == VF_OK) {
        vf__parallel(&cube->ctx, cube->n_axes + cube->n_states, learn_column, &pass);
        status = first_failure(&pass, cube->n_learnt, err);
        if (status != VF_OK) cube->phase = VF__CUBE_BROKEN;
        cube->n_learnt += n_rows;
    }
    close_pass(&pass);
    return status;
}

enum vf_status vf_cube_learn_axis(struct vf_cube *cube, size_t axis, const struct vf_series *values, int64_t n,
                                  struct vf_error *err) {
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_LEARNING, "learn_axis", err);
    if (status != VF_OK) return status;
    if (axis >= cube->n_axes || values == NULL || n < 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%lld values of axis %zu; there are %zu axes", (long long)n,
                        axis, cube->n_axes);
    if (cube->axes[axis].format == NULL)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1,
                        "no rows were learnt yet, so that the axes' types are not known; learning none tells them");
    status = vf__readers_open(&cube->readers[axis], values, 1, values, 0, n, err);
    if (status == VF_OK) status = check_axis(cube, axis, err);
    if (status != VF_OK) return status;
    status = learn_axis(cube, axis, n, err);
    if (status != VF_OK) cube->phase = VF__CUBE_BROKEN;
    return status;
}

/* ---- add ------------------------------------------------------------------------------------------------------------- */

static enum vf_status replayed(const char *column, int64_t row, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_REPLAY, column, row,
                    "column \"%s\" has a value that was not there when the rows were learnt", column);
}

static enum vf_status place_axis(struct pass *pass, size_t a, struct vf_error *err) {
    struct vf_cube *cube = pass->cube;
    struct vf__cube_axis *axis = &cube->axes[a];
    uint32_t *places = pass->places + a * (size_t)VF__CUBE_BLOCK;
    size_t known = axis->length - axis->has_null;
    enum vf_status status =
        vf__read_keys(&cube->readers[a], pass->first, (int64_t)pass->count, &axis->keys, places, err);
    for (size_t i = 0; status == VF_OK && i < pass->count; i++) {
        bool null = places[i] == VF__NO_KEY;
        if (null ? !axis->has_null : places[i] >= known)
            return replayed(axis->name, pass->first + (int64_t)i, err);
        places[i] = null ? 0 : axis->position[places[i]];
    }
    return status;
}

static void place_task(void *arg, size_t a) {
    struct pass *pass = arg;
    pass->outcomes[a].status = place_axis(pass, a, &pass->outcomes[a].error);
}

/* Rows of the store, and, where it is sparse, the keys they are sorted by. */
static void place_rows(struct pass *pass) {
    struct vf_cube *cube = pass->cube;
    for (size_t i = 0; i < pass->count; i++) {
        size_t cell = 0;
        for (size_t a = 1; a < cube->n_axes; a++)
            cell += pass->places[a * (size_t)VF__CUBE_BLOCK + i] * cube->shape.stride[a];
        uint32_t place = pass->places[i];
        if (cube->store.dense) {
            pass->rows[i] = place * cube->shape.slab + cell;
        } else {
            size_t row = (size_t)(cube->n_added + pass->first) + i;
            cube->keys[row] = (struct vf__cube_key){cell * cube->shape.length[0] + place, row};
            pass->rows[i] = row;
        }
    }
}

/* Rows [first, first + n) of the block. */
static enum vf_status add_sum(struct pass *pass, struct vf__cube_state *state, size_t first, size_t n,
                              struct vf_error *err) {
    struct vf_cube *cube = pass->cube;
    const struct vf__cube_sum *sum = &cube->sums[state->slot];
    uint64_t *records = cube->store.records;
    size_t words = cube->store.words;
    const size_t *rows = pass->rows + first;
    int64_t row = pass->first + (int64_t)first;
    uint8_t valid_buffer[PIECE];
    union {
        int64_t ints[PIECE];
        double floats[PIECE];
    } buffer;
    for (size_t c = 0; c < vf__cube_values(state->merge); c++) {
        struct vf__reader *reader = &cube->readers[cube->n_axes + state->value + c];
        const uint8_t *valid;
        const int64_t *ints = NULL;
        const double *floats = NULL;
        enum vf_status status =
            sum->real
                ? vf__read_f64(reader, row, (int64_t)n, buffer.floats, valid_buffer, &floats, &valid, err)
                : vf__read_i64(reader, row, (int64_t)n, buffer.ints, valid_buffer, &ints, &valid, err);
        if (status == VF_OK) status = no_null(state, reader, valid, row, (int64_t)n, err);
        if (status != VF_OK) return status;
        if (sum->real)
            vf__cube_extent_add_f64(&state->again, floats, n);
        else
            vf__cube_extent_add_i64(&state->again, ints, n);
        for (size_t i = 0; i < n; i++) {
            uint64_t *record = records + rows[i] * words;
            if (!sum->real)
                vf__cube_sum_add_i64(sum, record, ints[i]);
            else if (!vf__cube_sum_add_f64(sum, record, floats[i]))
                return replayed(reader->name, row + (int64_t)i, err);
        }
    }
    return VF_OK;
}

/* One column of a scan as words and tags: doubles by their bits, or by the rank that orders them. */
static enum vf_status read_scan(struct vf__reader *reader, int64_t row, size_t n, bool ranked, int64_t *words,
                                uint8_t *tags, struct vf_error *err) {
    uint8_t valid_buffer[PIECE];
    int64_t whole_buffer[PIECE];
    double buffer[PIECE];
    const uint8_t *valid = NULL;
    const int64_t *ints = NULL;
    const double *floats = NULL;
    struct vf__type type = reader->type;
    bool real = type.kind == VF__FLOAT, raw = ranked && type.kind == VF__UINT && type.width == 8;
    if (raw) reader->type.kind = VF__INT; /* the words of a uint64 */
    enum vf_status status =
        real ? vf__read_f64(reader, row, (int64_t)n, buffer, valid_buffer, &floats, &valid, err)
             : vf__read_i64(reader, row, (int64_t)n, whole_buffer, valid_buffer, &ints, &valid, err);
    reader->type = type;
    for (size_t i = 0; status == VF_OK && i < n; i++) {
        words[i] = 0;
        tags[i] = VF__TAG_NULL;
        if (valid != NULL && !valid[i]) continue;
        tags[i] = real && floats[i] != floats[i] ? VF__TAG_NAN : VF__TAG_VALUE;
        if (!real)
            words[i] = raw ? (int64_t)((uint64_t)ints[i] ^ VF__UINT_FLIP) : ints[i];
        else if (ranked)
            words[i] = vf__float_rank(floats[i]);
        else
            memcpy(&words[i], &floats[i], sizeof words[i]);
    }
    return status;
}

/* What a value's tag means for its state: only minima and maxima tell NaN apart, only firsts and lasts keep a null. */
static uint8_t tag_of(enum vf_cube_merge merge, uint8_t tag, uint8_t order_tag) {
    bool extreme = merge == VF_CUBE_MIN || merge == VF_CUBE_MAX;
    if (vf__cube_ordered(merge) && order_tag == VF__TAG_NULL) return VF__TAG_EMPTY; /* there was no row */
    if (tag == VF__TAG_NULL) return vf__cube_ordered(merge) ? VF__TAG_NULL : VF__TAG_EMPTY;
    return extreme ? tag : VF__TAG_VALUE;
}

static enum vf_status add_scan(struct pass *pass, const struct vf__cube_state *state, size_t first, size_t n,
                               struct vf_error *err) {
    struct vf_cube *cube = pass->cube;
    const struct vf__cube_scan *scan = &cube->store.scans[state->slot];
    int64_t words[VF__SCAN_WORDS][PIECE];
    uint8_t tags[VF__SCAN_WORDS][PIECE];
    size_t n_columns = vf__cube_values(state->merge);
    enum vf_status status = VF_OK;
    for (size_t c = 0; status == VF_OK && c < n_columns; c++)
        status = read_scan(&cube->readers[cube->n_axes + state->value + c], pass->first + (int64_t)first, n,
                           c == 0 && state->merge <= VF_CUBE_LAST, words[c], tags[c], err);
    for (size_t i = 0; status == VF_OK && i < n; i++) {
        struct vf__cube_best value = {.tag = tag_of(state->merge, tags[0][i], tags[n_columns - 1][i])};
        for (size_t c = 0; c < n_columns; c++)
            value.words[c] = words[c][i];
        vf__cube_scan_put(scan, pass->rows[first + i], &value);
    }
    return status;
}

static void add_task(void *arg, size_t s) {
    struct pass *pass = arg;
    struct vf_cube *cube = pass->cube;
    struct outcome *outcome = &pass->outcomes[cube->n_axes + s];
    struct vf__cube_state *state = &cube->states[s];
    for (size_t first = 0; outcome->status == VF_OK && first < pass->count; first += PIECE) {
        size_t n = pass->count - first < PIECE ? pass->count - first : PIECE;
        outcome->status = vf__cube_adds(state->merge) ? add_sum(pass, state, first, n, &outcome->error)
                                                      : add_scan(pass, state, first, n, &outcome->error);
    }
}

static enum vf_status add_block(struct pass *pass, struct vf_error *err) {
    struct vf_cube *cube = pass->cube;
    vf__parallel(&cube->ctx, cube->n_axes, place_task, pass);
    enum vf_status status = first_failure(pass, cube->n_added, err);
    if (status != VF_OK) return status;
    place_rows(pass);
    uint64_t *counts = cube->store.records + cube->sums[cube->present].offset;
    for (size_t i = 0; cube->counts_rows && i < pass->count; i++)
        counts[pass->rows[i] * cube->store.words]++;
    vf__parallel(&cube->ctx, cube->n_states, add_task, pass);
    return first_failure(pass, cube->n_added, err);
}

enum vf_status vf_cube_add(struct vf_cube *cube, const struct vf_series *keys, const struct vf_series *values,
                           int64_t n_rows, struct vf_error *err) {
    struct pass pass = {.cube = cube};
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_ADDING, "add", err);
    if (status == VF_OK) status = open_readers(cube, keys, values, n_rows, err);
    if (status == VF_OK) status = check_columns(cube, err);
    if (status == VF_OK && n_rows > cube->n_learnt - cube->n_added)
        status = vf__fail(err, VF_ERROR_REPLAY, NULL, -1, "%lld rows were learnt, and more are added",
                          (long long)cube->n_learnt);
    if (status != VF_OK) return status;
    status = open_pass(&pass, cube, n_rows, err);
    for (pass.first = 0; status == VF_OK && pass.first < n_rows; pass.first += VF__CUBE_BLOCK) {
        pass.count = (size_t)(n_rows - pass.first < VF__CUBE_BLOCK ? n_rows - pass.first : VF__CUBE_BLOCK);
        status = add_block(&pass, err);
        if (status != VF_OK) cube->phase = VF__CUBE_BROKEN;
    }
    if (status == VF_OK) cube->n_added += n_rows;
    close_pass(&pass);
    return status;
}

/* Sums were made long enough for what was learnt: what was added must be that. */
static enum vf_status check_again(const struct vf_cube *cube, struct vf_error *err) {
    if (cube->n_added != cube->n_learnt)
        return vf__fail(err, VF_ERROR_REPLAY, NULL, -1, "%lld rows were learnt, but %lld were added",
                        (long long)cube->n_learnt, (long long)cube->n_added);
    for (size_t s = 0; s < cube->n_states; s++) {
        const struct vf__cube_extent *first = &cube->states[s].extent, *again = &cube->states[s].again;
        if (!vf__cube_adds(cube->states[s].merge)) continue;
        if (again->magnitude > first->magnitude * (1 + 0x1p-20) || again->least < first->least)
            return vf__fail(err, VF_ERROR_REPLAY, cube->states[s].name, -1,
                            "state \"%s\": other values were added than were learnt", cube->states[s].name);
    }
    return VF_OK;
}

enum vf_status vf_cube_finish(struct vf_cube *cube, struct vf_error *err) {
    enum vf_status status = vf__cube_check_phase(cube, VF__CUBE_ADDING, "finish", err);
    if (status == VF_OK) status = check_again(cube, err);
    if (status != VF_OK) return status;
    if (cube->store.dense) {
        vf__cube_dense_sum(&cube->ctx, &cube->shape, &cube->whole, cube->store.records);
    } else {
        size_t n = cube->store.n_rows;
        status = vf__cube_sparse_build(&cube->store, &cube->ctx, &cube->shape, &cube->whole, cube->keys, err);
        vf__free(&cube->ctx, cube->keys, n, VF__CUBE_KEY_BYTES);
        cube->keys = NULL;
    }
    cube->phase = status == VF_OK ? VF__CUBE_READY : VF__CUBE_BROKEN;
    return status;
}
