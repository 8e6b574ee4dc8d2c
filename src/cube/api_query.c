/* A cube is asked: what counts, which axes stay, which states, and columns of the answer.
   Not for adding up: dense.c and sparse.c do that. */
#include "cube/api_cube.h"

#include "agg/states.h"
#include "arrow/build.h"

#include <math.h>

#define LIST_FROM ((size_t)VF__SIZED(1024, 1, 1 << 30)) /* cells of a result */

struct asking {
    const struct vf_cube *cube;
    struct vf__cube_pick picks[VF__CUBE_MOST_AXES];
    uint32_t *all; /* 0, 1, 2, ... as long as the longest axis, for picks of everything */
    size_t n_all;
    const uint32_t *kept;
    size_t n_kept, n_cells; /* of the result, empty ones too */
    uint32_t *states;
    size_t n_states;
    struct vf__cube_piece *pieces; /* presence, then those of the states asked for */
    struct vf__cube_pieces read;
    struct vf__cube_sum *sums; /* of the states asked for, placed in the result's record */
    struct vf__cube_sum present;
    struct vf__cube_sums result;
    struct vf__cube_best **bests; /* a state each; NULL for sums */
    size_t *tables[VF__CUBE_MOST_AXES];
    bool listed; /* few rows for many cells: the result is a list of slots, not an array of cells */
    struct vf__cube_key *entries, *scratch;
    size_t n_entries;
    size_t *places; /* cell of the result by slot; NULL where they are the same */
    size_t n_slots;
    size_t *rows; /* slots that are given */
    size_t n_rows;
};

/* ---- what is asked ------------------------------------------------------------------------------------------------------ */

static enum vf_status check_picks(const struct vf_cube *cube, const struct vf_cube_query *query,
                                  struct vf_error *err) {
    for (size_t a = 0; query->picks != NULL && a < cube->n_axes; a++) {
        const struct vf_cube_pick *pick = &query->picks[a];
        for (size_t i = 0; pick->positions != NULL && i < pick->n; i++)
            if (pick->positions[i] >= cube->axes[a].length ||
                (i > 0 && pick->positions[i] <= pick->positions[i - 1]))
                return vf__fail(
                    err, VF_ERROR_ARGUMENT, cube->axes[a].name, -1,
                    "position %u of axis \"%s\", which has %zu: positions are ascending and below that",
                    pick->positions[i], cube->axes[a].name, cube->axes[a].length);
    }
    return VF_OK;
}

static enum vf_status check_query(const struct vf_cube *cube, const struct vf_cube_query *query,
                                  struct vf_error *err) {
    uint32_t seen = 0;
    if (query == NULL || (query->n_kept > 0 && query->kept == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "the query, or its list of axes, is missing");
    if (query->n_kept > cube->n_axes)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu axes of a cube that has %zu", query->n_kept,
                        cube->n_axes);
    for (size_t k = 0; k < query->n_kept; k++) {
        uint32_t axis = query->kept[k];
        if (axis >= cube->n_axes || (seen >> axis & 1) != 0)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "axis %u is asked for twice, or is none of %zu",
                            axis, cube->n_axes);
        seen |= UINT32_C(1) << axis;
    }
    for (size_t s = 0; query->states != NULL && s < query->n_states; s++)
        if (query->states[s] >= cube->n_states)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "state %u of %zu", query->states[s],
                            cube->n_states);
    return check_picks(cube, query, err);
}

static enum vf_status set_picks(struct asking *ask, const struct vf_cube_query *query, struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    for (size_t a = 0; a < cube->n_axes; a++)
        if (cube->axes[a].length > ask->n_all) ask->n_all = cube->axes[a].length;
    ask->all = vf__alloc(&cube->ctx, ask->n_all, sizeof *ask->all);
    if (ask->all == NULL) return vf__fail_memory(err, ask->n_all * sizeof *ask->all);
    for (size_t i = 0; i < ask->n_all; i++)
        ask->all[i] = (uint32_t)i;
    for (size_t a = 0; a < cube->n_axes; a++) {
        const struct vf_cube_pick *pick = query->picks != NULL ? &query->picks[a] : NULL;
        bool everything = pick == NULL || pick->positions == NULL;
        ask->picks[a] = (struct vf__cube_pick){.positions = everything ? ask->all : pick->positions,
                                               .n = everything ? cube->axes[a].length : pick->n};
    }
    ask->kept = query->kept;
    ask->n_kept = query->n_kept;
    ask->n_cells = 1;
    for (size_t k = query->n_kept; k-- > 0;) {
        struct vf__cube_pick *pick = &ask->picks[query->kept[k]];
        pick->kept = true;
        pick->result_step = ask->n_cells;
        if (!vf__mul_size(ask->n_cells, pick->n, &ask->n_cells)) {
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                            "the result would have more cells than memory has bytes");
        }
    }
    return VF_OK;
}

/* Pieces of one sum, behind what the result's record has already. */
static struct vf__cube_sum place_sum(struct asking *ask, const struct vf__cube_sum *sum) {
    struct vf__cube_sum placed = *sum;
    uint32_t at = (uint32_t)ask->read.result_words;
    placed.offset = at;
    ask->pieces[ask->read.n++] = (struct vf__cube_piece){sum->offset, at, sum->words};
    for (uint32_t w = sum->words; w < vf__cube_sum_span(sum); w++)
        ask->pieces[ask->read.n++] = (struct vf__cube_piece){sum->offset + w, at + w, 1};
    ask->read.result_words += vf__cube_sum_span(sum);
    return placed;
}

static enum vf_status set_states(struct asking *ask, const struct vf_cube_query *query,
                                 struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    const struct vf_context *ctx = &cube->ctx;
    ask->n_states = query->states != NULL ? query->n_states : cube->n_states;
    ask->states = vf__alloc(ctx, ask->n_states, sizeof *ask->states);
    ask->sums = vf__zalloc(ctx, ask->n_states, sizeof *ask->sums);
    ask->pieces = vf__alloc(ctx, ask->n_states + 1, 4 * sizeof *ask->pieces);
    ask->bests = vf__zalloc(ctx, ask->n_states, sizeof *ask->bests);
    if (ask->states == NULL || ask->sums == NULL || ask->pieces == NULL || ask->bests == NULL)
        return vf__fail_memory(err, ask->n_states * 4 * sizeof *ask->pieces);
    ask->read = (struct vf__cube_pieces){.items = ask->pieces, .words = cube->store.words};
    ask->present = place_sum(ask, &cube->sums[cube->present]);
    for (size_t s = 0; s < ask->n_states; s++) {
        ask->states[s] = query->states != NULL ? query->states[s] : (uint32_t)s;
        const struct vf__cube_state *state = &cube->states[ask->states[s]];
        if (!vf__cube_adds(state->merge)) continue;
        if (state->slot == cube->present && !cube->counts_rows)
            ask->sums[s] = ask->present;
        else
            ask->sums[s] = place_sum(ask, &cube->sums[state->slot]);
    }
    return VF_OK;
}

/* Each kept axis is read at up to two places a position. */
static enum vf_status check_memory(const struct asking *ask, uint64_t limit, struct vf_error *err) {
    double cells = 1, scans = 0;
    if (limit == 0 || ask->listed) return VF_OK; /* a list is checked when its length is known */
    for (size_t a = 0; a < ask->cube->n_axes; a++) {
        const struct vf__cube_pick *pick = &ask->picks[a];
        double most =
            (double)(2 * pick->n < ask->cube->axes[a].length ? 2 * pick->n : ask->cube->axes[a].length);
        if (pick->kept) cells *= ask->cube->store.dense ? most : (double)pick->n;
    }
    for (size_t s = 0; s < ask->n_states; s++)
        if (!vf__cube_adds(ask->cube->states[ask->states[s]].merge)) scans += sizeof **ask->bests;
    double bytes = cells * ((double)ask->read.result_words * 8 + scans + 2 * sizeof(size_t));
    if (bytes <= (double)limit) return VF_OK;
    return vf__fail(
        err, VF_ERROR_ARGUMENT, NULL, -1,
        "a result of %zu cells would work in %.0f bytes, and the limit is %llu; keep fewer axes, or pick "
        "fewer positions of them",
        ask->n_cells, bytes, (unsigned long long)limit);
}

/* ---- the layouts are asked ------------------------------------------------------------------------------------------------ */

static enum vf_status set_tables(struct asking *ask, struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    for (size_t a = 0; a < cube->n_axes; a++) {
        const struct vf__cube_pick *pick = &ask->picks[a];
        size_t n = cube->axes[a].length;
        ask->tables[a] = vf__alloc(&cube->ctx, n, sizeof *ask->tables[a]);
        if (ask->tables[a] == NULL) return vf__fail_memory(err, n * sizeof *ask->tables[a]);
        for (size_t i = 0; i < n; i++)
            ask->tables[a][i] = VF__CUBE_NOT_PICKED;
        for (size_t i = 0; i < pick->n; i++)
            ask->tables[a][pick->positions[i]] = i * pick->result_step;
    }
    return VF_OK;
}

/* An array of cells is faster, and a list smaller where most of them would be empty. */
static bool wants_list(const struct asking *ask) {
    const struct vf__cube_store *store = &ask->cube->store;
    return !store->dense && ask->n_cells > LIST_FROM && ask->n_cells / 2 > store->n_rows;
}

static enum vf_status make_list(struct asking *ask, uint64_t limit, struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    const struct vf__cube_sparse *sparse = &cube->store.sparse;
    const size_t *const *tables = (const size_t *const *)ask->tables;
    bool kept = ask->picks[0].kept;
    size_t n = vf__cube_sparse_list(&cube->shape, sparse, kept, tables, NULL), slot = 0;
    uint64_t bytes = n * (2 * sizeof *ask->entries + 2 * sizeof(size_t) + ask->read.result_words * 8);
    if (limit != 0 && bytes > limit)
        return vf__fail(
            err, VF_ERROR_ARGUMENT, NULL, -1,
            "a result of up to %zu rows would work in %llu bytes, and the limit is %llu; keep fewer axes, "
            "or pick fewer positions of them",
            n, (unsigned long long)bytes, (unsigned long long)limit);
    ask->n_entries = n;
    ask->entries = vf__alloc(&cube->ctx, n, sizeof *ask->entries);
    ask->scratch = vf__alloc(&cube->ctx, n, sizeof *ask->scratch);
    ask->places = vf__alloc(&cube->ctx, n, sizeof *ask->places);
    if (ask->entries == NULL || ask->scratch == NULL || ask->places == NULL)
        return vf__fail_memory(err, n * sizeof *ask->entries);
    (void)vf__cube_sparse_list(&cube->shape, sparse, kept, tables, ask->entries);
    vf__cube_sort(ask->entries, ask->scratch, n, ask->n_cells);
    for (size_t i = 0; i < n; i++) { /* entries are known by their slot from here on */
        uint64_t place = ask->entries[i].key;
        slot += i > 0 && ask->places[slot] != place;
        ask->places[slot] = (size_t)place;
        ask->entries[i].key = slot;
    }
    ask->n_slots = n > 0 ? slot + 1 : 0;
    return VF_OK;
}

static void add_list(const struct asking *ask) {
    const struct vf_cube *cube = ask->cube;
    for (size_t i = 0; i < ask->n_entries; i++)
        vf__cube_sparse_entry(&cube->shape, &cube->store.sparse, &ask->read, cube->store.records,
                              &ask->picks[0], ask->entries[i].row,
                              ask->result.words + ask->entries[i].key * ask->read.result_words);
}

static enum vf_status add_up(struct asking *ask, uint64_t limit, struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    enum vf_status status;
    size_t n_words;
    ask->n_slots = ask->n_cells;
    if (cube->store.dense)
        return vf__cube_dense_query(&cube->ctx, &cube->shape, &ask->read, cube->store.records, ask->picks,
                                    ask->kept, ask->n_kept, &ask->result, err);
    status = set_tables(ask, err);
    if (status == VF_OK && ask->listed) status = make_list(ask, limit, err);
    if (status != VF_OK) return status;
    if (!vf__mul_size(ask->n_slots, ask->read.result_words, &n_words)) return vf__fail_memory(err, SIZE_MAX);
    ask->result.words = vf__zalloc(&cube->ctx, n_words, sizeof *ask->result.words);
    if (ask->result.words == NULL) return vf__fail_memory(err, n_words * sizeof *ask->result.words);
    ask->result.capacity = n_words;
    if (ask->listed)
        add_list(ask);
    else
        vf__cube_sparse_query(&cube->shape, &cube->store.sparse, &ask->read, cube->store.records,
                              &ask->picks[0], (const size_t *const *)ask->tables, ask->result.words);
    return VF_OK;
}

static enum vf_status scan(struct asking *ask, struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    const struct vf__cube_sparse *sparse = &cube->store.sparse;
    for (size_t s = 0; s < ask->n_states; s++) {
        const struct vf__cube_state *state = &cube->states[ask->states[s]];
        if (vf__cube_adds(state->merge)) continue;
        struct vf__cube_best *best = vf__zalloc(&cube->ctx, ask->n_slots, sizeof *best);
        if (best == NULL) return vf__fail_memory(err, ask->n_slots * sizeof *best);
        ask->bests[s] = best;
        const struct vf__cube_scan *of = &cube->store.scans[state->slot];
        for (size_t i = 0; ask->listed && i < ask->n_entries; i++)
            vf__cube_sparse_entry_scan(sparse, ask->tables[0], ask->picks[0].kept, of, ask->entries[i].row,
                                       &best[ask->entries[i].key]);
        if (cube->store.dense)
            vf__cube_dense_scan(&cube->shape, ask->picks, of, best);
        else if (!ask->listed)
            vf__cube_sparse_scan(&cube->shape, sparse, (const size_t *const *)ask->tables, of, best);
    }
    return VF_OK;
}

/* Cells that some row falls in; without kept axes the one there is. */
static enum vf_status choose_rows(struct asking *ask, struct vf_error *err) {
    ask->rows = vf__alloc(&ask->cube->ctx, ask->n_slots, sizeof *ask->rows);
    if (ask->rows == NULL) return vf__fail_memory(err, ask->n_slots * sizeof *ask->rows);
    for (size_t slot = 0; slot < ask->n_slots; slot++) {
        const uint64_t *record = ask->result.words + slot * ask->read.result_words + ask->present.offset;
        bool some = ask->n_kept == 0;
        for (uint32_t w = 0; w < ask->present.words; w++)
            some |= record[w] != 0;
        ask->rows[ask->n_rows] = slot; /* overwritten unless it counts */
        ask->n_rows += some;
    }
    return VF_OK;
}

/* ---- columns of the answer -------------------------------------------------------------------------------------------------- */

static enum vf_status give_positions(const struct asking *ask, size_t k, struct vf_column *out,
                                     struct vf_error *err) {
    const struct vf_cube *cube = ask->cube;
    const struct vf__cube_pick *pick = &ask->picks[ask->kept[k]];
    void *values;
    uint8_t *validity;
    enum vf_status status = vf__column_new(&cube->ctx, "I", cube->axes[ask->kept[k]].name,
                                           (int64_t)ask->n_rows, 4, false, out, &values, &validity, err);
    for (size_t i = 0; status == VF_OK && i < ask->n_rows; i++) {
        size_t cell = ask->places != NULL ? ask->places[ask->rows[i]] : ask->rows[i];
        ((uint32_t *)values)[i] = pick->positions[cell / pick->result_step % pick->n];
    }
    return status;
}

static enum vf_status overflow(const struct vf__cube_state *state, int64_t n_bad, struct vf_error *err) {
    enum vf_status status =
        vf__fail(err, VF_ERROR_OVERFLOW, state->name, -1,
                 "state \"%s\": the integer %s of %lld cell(s) does not fit Int64; aggregate it as Float64",
                 state->name, state->merge == VF_CUBE_ADD_INT ? "sum" : "product", (long long)n_bad);
    if (err != NULL) err->count = n_bad;
    return status;
}

static enum vf_status give_sum(const struct asking *ask, size_t s, struct vf_column *out,
                               struct vf_error *err) {
    const struct vf__cube_state *state = &ask->cube->states[ask->states[s]];
    const struct vf__cube_sum *sum = &ask->sums[s];
    void *first, *second = NULL;
    uint8_t *validity;
    int64_t n_bad = 0;
    enum vf_status status = vf__column_new(&ask->cube->ctx, sum->real ? "g" : "l", state->name,
                                           (int64_t)ask->n_rows, 8, false, &out[0], &first, &validity, err);
    if (status == VF_OK && sum->real)
        status = vf__column_new(&ask->cube->ctx, "g", state->name, (int64_t)ask->n_rows, 8, false, &out[1],
                                &second, &validity, err);
    for (size_t i = 0; status == VF_OK && i < ask->n_rows; i++) {
        const uint64_t *record = ask->result.words + ask->rows[i] * ask->read.result_words;
        if (sum->real)
            vf__cube_sum_f64(sum, record, &((double *)first)[i], &((double *)second)[i]);
        else
            n_bad += !vf__cube_sum_i64(sum, record, &((int64_t *)first)[i]);
    }
    return n_bad == 0 ? status : overflow(state, n_bad, err);
}

static int64_t word_of(const struct vf__cube_state *state, const struct vf__cube_best *best, size_t column) {
    double x = (double)NAN;
    int64_t word = best->words[column];
    if (state->merge == VF_CUBE_PRODUCT_FLOAT || state->is == VF__CUBE_INT) return word;
    if (state->is == VF__CUBE_UINT)
        return state->merge == VF_CUBE_PRODUCT_INT ? word : (int64_t)((uint64_t)word ^ VF__UINT_FLIP);
    if (best->tag == VF__TAG_VALUE) x = vf__float_of_rank(word);
    memcpy(&word, &x, sizeof word);
    return word;
}

static const char *format_of(const struct vf__cube_state *state, size_t column) {
    if (state->merge == VF_CUBE_PRODUCT_FLOAT) return column < 2 ? "g" : "l";
    if (state->merge == VF_CUBE_PRODUCT_INT || state->is == VF__CUBE_INT) return "l";
    return state->is == VF__CUBE_UINT ? "L" : "g";
}

/* The product of nothing is 1. */
static const struct vf__cube_best *product_or_nothing(const struct vf__cube_state *state,
                                                      const struct vf__cube_best *best) {
    static const struct vf__cube_best one = {.words = {1}, .tag = VF__TAG_VALUE};
    static const struct vf__cube_best real_one = {.words = {INT64_C(0x3fe0000000000000), 0, 1},
                                                  .tag = VF__TAG_VALUE};
    if (best->tag != VF__TAG_EMPTY) return best;
    if (state->merge == VF_CUBE_PRODUCT_INT) return &one;
    return state->merge == VF_CUBE_PRODUCT_FLOAT ? &real_one : best; /* 0.5 * 2^1 */
}

static enum vf_status give_scan(const struct asking *ask, size_t s, struct vf_column *out,
                                struct vf_error *err) {
    const struct vf__cube_state *state = &ask->cube->states[ask->states[s]];
    size_t n_columns = state->merge == VF_CUBE_PRODUCT_FLOAT ? 3 : 1;
    int64_t n_bad = 0;
    for (size_t c = 0; c < n_columns; c++) {
        void *values;
        uint8_t *validity;
        enum vf_status status =
            vf__column_new(&ask->cube->ctx, format_of(state, c), state->name, (int64_t)ask->n_rows, 8, true,
                           &out[c], &values, &validity, err);
        if (status != VF_OK) return status;
        for (size_t i = 0; i < ask->n_rows; i++) {
            const struct vf__cube_best *best = product_or_nothing(state, &ask->bests[s][ask->rows[i]]);
            bool has = best->tag == VF__TAG_VALUE || best->tag == VF__TAG_NAN;
            if (!has) vf__bit_clear(validity, (int64_t)i);
            n_bad += best->tag == VF__TAG_OVERFLOW;
            ((int64_t *)values)[i] = has ? word_of(state, best, c) : 0;
        }
        vf__column_done(&out[c]);
    }
    return n_bad == 0 ? VF_OK : overflow(state, n_bad, err);
}

static size_t columns_of(const struct vf__cube_state *state) {
    if (state->merge == VF_CUBE_PRODUCT_FLOAT) return 3;
    return state->merge == VF_CUBE_ADD_FLOAT ? 2 : 1;
}

static enum vf_status give(const struct asking *ask, struct vf_column *out, struct vf_error *err) {
    size_t n = ask->n_kept, at = ask->n_kept;
    for (size_t s = 0; s < ask->n_states; s++)
        n += columns_of(&ask->cube->states[ask->states[s]]);
    struct vf_column *columns = vf__zalloc(&ask->cube->ctx, n, sizeof *columns);
    if (columns == NULL) return vf__fail_memory(err, n * sizeof *columns);
    enum vf_status status = VF_OK;
    for (size_t k = 0; status == VF_OK && k < ask->n_kept; k++)
        status = give_positions(ask, k, &columns[k], err);
    for (size_t s = 0; status == VF_OK && s < ask->n_states; s++) {
        const struct vf__cube_state *state = &ask->cube->states[ask->states[s]];
        status = vf__cube_adds(state->merge) ? give_sum(ask, s, &columns[at], err)
                                             : give_scan(ask, s, &columns[at], err);
        at += columns_of(state);
    }
    if (status == VF_OK && n > 0) memcpy(out, columns, n * sizeof *out);
    for (size_t c = 0; status != VF_OK && c < n; c++)
        vf_column_release(&columns[c]);
    vf__free(&ask->cube->ctx, columns, n, sizeof *columns);
    return status;
}

static void release(struct asking *ask) {
    const struct vf_cube *cube = ask->cube;
    const struct vf_context *ctx = &cube->ctx;
    for (size_t a = 0; a < cube->n_axes; a++)
        vf__free(ctx, ask->tables[a], cube->axes[a].length, sizeof *ask->tables[a]);
    for (size_t s = 0; ask->bests != NULL && s < ask->n_states; s++)
        vf__free(ctx, ask->bests[s], ask->n_slots, sizeof **ask->bests);
    vf__free(ctx, ask->result.words, ask->result.capacity, sizeof *ask->result.words);
    vf__free(ctx, ask->rows, ask->n_slots, sizeof *ask->rows);
    vf__free(ctx, ask->places, ask->n_entries, sizeof *ask->places);
    vf__free(ctx, ask->scratch, ask->n_entries, sizeof *ask->scratch);
    vf__free(ctx, ask->entries, ask->n_entries, sizeof *ask->entries);
    vf__free(ctx, ask->bests, ask->n_states, sizeof *ask->bests);
    vf__free(ctx, ask->pieces, ask->n_states + 1, 4 * sizeof *ask->pieces);
    vf__free(ctx, ask->sums, ask->n_states, sizeof *ask->sums);
    vf__free(ctx, ask->states, ask->n_states, sizeof *ask->states);
    vf__free(ctx, ask->all, ask->n_all, sizeof *ask->all);
}

enum vf_status vf_cube_query(const struct vf_cube *cube, const struct vf_cube_query *query,
                             struct vf_column *out, struct vf_error *err) {
    struct asking ask = {.cube = cube};
    enum vf_status status = vf__cube_check_ready(cube, err);
    if (status == VF_OK) status = check_query(cube, query, err);
    if (status != VF_OK) return status;
    status = set_picks(&ask, query, err);
    if (status == VF_OK) status = set_states(&ask, query, err);
    ask.listed = status == VF_OK && wants_list(&ask);
    if (status == VF_OK) status = check_memory(&ask, query->memory_limit, err);
    if (status == VF_OK) status = add_up(&ask, query->memory_limit, err);
    if (status == VF_OK) status = scan(&ask, err);
    if (status == VF_OK) status = choose_rows(&ask, err);
    if (status == VF_OK) status = give(&ask, out, err);
    release(&ask);
    return status;
}
