/* A thread's rows of Arrow columns into its own groups and states, and all threads' into the first's.
   Not for arithmetic on values: groups.c and states.c. */
#include "agg/api_shards.h"

#define BLOCK ((int64_t)VF__GROUP_BLOCK)

/* ---- open and close ----------------------------------------------------------------------------------------------------- */

void vf__shard_close(struct vf_agg *agg, struct shard *shard) {
    const struct vf_context *ctx = &agg->ctx;
    struct scratch *s = &shard->scratch;
    size_t keys_rows = agg->n_keys * (size_t)BLOCK;
    if (!shard->open) return;
    for (size_t k = 0; shard->texts != NULL && k < agg->n_keys; k++)
        vf__text_keys_release(&shard->texts[k]);
    vf__free(ctx, shard->texts, agg->n_keys, sizeof *shard->texts);
    vf__free(ctx, shard->global, shard->global_capacity, sizeof *shard->global);
    vf__free(ctx, s->readers, vf__agg_columns(agg), sizeof *s->readers);
    vf__free(ctx, s->keys, agg->n_keys, sizeof *s->keys);
    vf__free(ctx, s->key_values, keys_rows, sizeof *s->key_values);
    vf__free(ctx, s->key_valid, keys_rows, sizeof *s->key_valid);
    vf__free(ctx, s->ints, (size_t)BLOCK, sizeof *s->ints);
    vf__free(ctx, s->floats, (size_t)BLOCK, sizeof *s->floats);
    vf__free(ctx, s->valid, (size_t)BLOCK, sizeof *s->valid);
    for (size_t i = 0; i < 2; i++) {
        vf__free(ctx, s->more[i].ints, (size_t)BLOCK, sizeof *s->more[i].ints);
        vf__free(ctx, s->more[i].floats, (size_t)BLOCK, sizeof *s->more[i].floats);
        vf__free(ctx, s->more[i].valid, (size_t)BLOCK, sizeof *s->more[i].valid);
    }
    vf__free(ctx, s->ids, (size_t)BLOCK + VF__STATES_AHEAD, sizeof *s->ids);
    vf__groups_release(&shard->groups);
    vf__states_release(&shard->states);
    *shard = (struct shard){0};
}

enum vf_status vf__shard_open(struct vf_agg *agg, struct shard *shard, struct vf_error *err) {
    const struct vf_context *ctx = &agg->ctx;
    struct scratch *s = &shard->scratch;
    size_t keys_rows = agg->n_keys * (size_t)BLOCK;
    if (shard->open) return VF_OK;
    *shard = (struct shard){.open = true};
    vf__states_init(&shard->states, ctx, &agg->layout);
    enum vf_status status = vf__groups_init(&shard->groups, ctx, agg->n_keys, err);
    shard->texts = vf__alloc(ctx, agg->n_keys, sizeof *shard->texts);
    for (size_t k = 0; shard->texts != NULL && k < agg->n_keys; k++)
        vf__text_keys_init(&shard->texts[k], ctx);
    s->readers = vf__alloc(ctx, vf__agg_columns(agg), sizeof *s->readers);
    s->keys = vf__alloc(ctx, agg->n_keys, sizeof *s->keys);
    s->key_values = vf__alloc(ctx, keys_rows, sizeof *s->key_values);
    s->key_valid = vf__alloc(ctx, keys_rows, sizeof *s->key_valid);
    s->ints = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->ints);
    s->floats = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->floats);
    s->valid = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->valid);
    bool more = true;
    for (size_t i = 0; i < 2; i++) {
        s->more[i].ints = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->more[i].ints);
        s->more[i].floats = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->more[i].floats);
        s->more[i].valid = vf__alloc(ctx, (size_t)BLOCK, sizeof *s->more[i].valid);
        more &= s->more[i].ints != NULL && s->more[i].floats != NULL && s->more[i].valid != NULL;
    }
    s->ids = vf__zalloc(ctx, (size_t)BLOCK + VF__STATES_AHEAD, sizeof *s->ids);
    bool all = shard->texts != NULL && s->readers != NULL && s->keys != NULL && s->key_values != NULL &&
               s->key_valid != NULL && s->ints != NULL && s->floats != NULL && s->valid != NULL && more &&
               s->ids != NULL;
    if (status == VF_OK && !all) status = vf__fail_memory(err, keys_rows * sizeof *s->key_values);
    if (status != VF_OK) vf__shard_close(agg, shard);
    return status;
}

/* ---- a thread's rows ----------------------------------------------------------------------------------------------------------- */

static enum vf_status read_key(struct vf_agg *agg, struct shard *shard, size_t k, int64_t row, int64_t n,
                               struct vf_error *err) {
    struct scratch *s = &shard->scratch;
    struct vf__group_key *key = &s->keys[k];
    int64_t *values = s->key_values + k * (size_t)BLOCK;
    uint8_t *valid = s->key_valid + k * (size_t)BLOCK;
    if (agg->types[k].type.kind != VF__TEXT)
        return vf__read_i64(&s->readers[k], row, n, values, valid, &key->values, &key->valid, err);
    key->values = values;
    return vf__text_keys_read(&shard->texts[k], &s->readers[k], row, n, values, valid, &key->valid, err);
}

static enum vf_status read_value(struct vf_agg *agg, struct shard *shard, size_t v, int64_t row,
                                 struct vf__state_block *block, struct vf_error *err) {
    struct scratch *s = &shard->scratch;
    struct vf__reader *reader = &s->readers[agg->n_keys + v];
    int64_t n = (int64_t)block->n;
    enum vf_status status = VF_OK;
    if ((agg->reads[v] & VF__READS_FLOATS) != 0)
        status = vf__read_f64(reader, row, n, s->floats, s->valid, &block->floats, &block->valid, err);
    if (status == VF_OK && (agg->reads[v] & VF__READS_INTS) != 0)
        status = vf__read_i64(reader, row, n, s->ints, s->valid, &block->ints, &block->valid, err);
    if (agg->reads[v] == VF__READS_VALID)
        status = vf__read_valid(reader, row, n, s->valid, &block->valid, err);
    return status;
}

/* The further columns of a state, if it has any. */
static enum vf_status read_more(struct vf_agg *agg, struct shard *shard, const struct vf__state *state,
                                int64_t row, struct vf__state_block *block, struct vf_error *err) {
    struct scratch *s = &shard->scratch;
    enum vf_status status = VF_OK;
    memset(block->more, 0, sizeof block->more);
    for (size_t i = 0; status == VF_OK && i < 2 && state->more[i] != 0; i++) {
        struct vf__reader *reader = &s->readers[agg->n_keys + state->more[i] - 1];
        int64_t n = (int64_t)block->n;
        if (vf__state_reads_more(state->kind, i) == VF__READS_FLOATS)
            status = vf__read_f64(reader, row, n, s->more[i].floats, s->more[i].valid, &block->more[i].floats,
                                  &block->more[i].valid, err);
        else
            status = vf__read_i64(reader, row, n, s->more[i].ints, s->more[i].valid, &block->more[i].ints,
                                  &block->more[i].valid, err);
    }
    return status;
}

enum vf_status vf__shard_find(struct vf_agg *agg, struct shard *shard, int64_t row, int64_t n,
                              struct vf_error *err) {
    struct scratch *s = &shard->scratch;
    enum vf_status status = VF_OK;
    for (size_t k = 0; status == VF_OK && k < agg->n_keys; k++)
        status = read_key(agg, shard, k, row, n, err);
    if (status == VF_OK) status = vf__groups_find(&shard->groups, s->keys, (size_t)n, s->ids, err);
    return status == VF_OK ? vf__states_grow(&shard->states, shard->groups.n, err) : status;
}

static enum vf_status add_block(struct vf_agg *agg, struct shard *shard, int64_t row, int64_t n,
                                struct vf_error *err) {
    struct scratch *s = &shard->scratch;
    struct vf__state_block block = {.groups = s->ids, .n = (size_t)n, .first_row = agg->n_rows + row};
    enum vf_status status = vf__shard_find(agg, shard, row, n, err);
    uint32_t loaded = UINT32_MAX;
    for (size_t i = 0; status == VF_OK && i < agg->layout.n_states; i++) {
        const struct vf__state *state = &agg->layout.states[i];
        if (state->value != loaded && vf__state_reads(state->kind) != VF__READS_NOTHING) {
            loaded = state->value;
            status = read_value(agg, shard, loaded, row, &block, err);
        }
        if (status == VF_OK && state->more[0] != 0) status = read_more(agg, shard, state, row, &block, err);
        if (status == VF_OK) status = vf__states_update(&shard->states, state, &block, err);
        if (state->more[0] != 0) memset(block.more, 0, sizeof block.more);
    }
    return status;
}

void vf__shard_take_readers(struct vf_agg *agg, struct shard *shard) {
    if (vf__agg_columns(agg) > 0)
        memcpy(shard->scratch.readers, agg->readers, vf__agg_columns(agg) * sizeof *agg->readers);
    for (size_t k = 0; k < agg->n_keys; k++)
        vf__text_keys_forget(&shard->texts[k]);
}

void vf__shard_run(void *arg, size_t index) {
    const struct vf__shard_rows *run = arg;
    struct vf_agg *agg = run->agg;
    struct shard *shard = &agg->shards[index];
    int64_t share = run->n_rows / (int64_t)run->n_shards, first = share * (int64_t)index;
    int64_t end = index + 1 == run->n_shards ? run->n_rows : first + share;
    shard->status = VF_OK;
    vf__shard_take_readers(agg, shard);
    for (int64_t row = first; shard->status == VF_OK && row < end; row += BLOCK) {
        int64_t n = end - row < BLOCK ? end - row : BLOCK;
        shard->status = add_block(agg, shard, row, n, &shard->error);
    }
}

/* ---- groups of other shards and other objects ---- */

/* Key k of `n` groups of `from`, told in the numbers of agg's shard 0. */
static enum vf_status translate_key(struct vf_agg *agg, size_t k, const struct shard *from, size_t first,
                                    size_t n, struct vf_error *err) {
    struct scratch *s = &agg->shards[0].scratch;
    int64_t *values = s->key_values + k * (size_t)BLOCK;
    uint8_t *valid = s->key_valid + k * (size_t)BLOCK;
    bool text = agg->types[k].type.kind == VF__TEXT;
    s->keys[k] = (struct vf__group_key){.values = values, .valid = valid};
    for (size_t i = 0; i < n; i++) {
        valid[i] = vf__groups_key(&from->groups, first + i, k, &values[i]);
        if (!text || valid[i] == 0) continue;
        size_t length;
        uint32_t id;
        const uint8_t *data = vf__keys_text(&from->texts[k].keys, (uint32_t)values[i], &length);
        enum vf_status status = vf__keys_add_bytes(&agg->shards[0].texts[k].keys, data, length, &id, err);
        if (status != VF_OK) return status;
        values[i] = id;
    }
    return VF_OK;
}

enum vf_status vf__agg_map_groups(struct vf_agg *agg, const struct shard *from, size_t first, size_t end,
                                  uint32_t *numbers, struct vf_error *err) {
    struct shard *to = &agg->shards[0];
    enum vf_status status = VF_OK;
    for (size_t g = first; status == VF_OK && g < end; g += (size_t)BLOCK) {
        size_t n = end - g < (size_t)BLOCK ? end - g : (size_t)BLOCK;
        for (size_t k = 0; status == VF_OK && k < agg->n_keys; k++)
            status = translate_key(agg, k, from, g, n, err);
        if (status == VF_OK)
            status = vf__groups_find(&to->groups, to->scratch.keys, n, numbers + (g - first), err);
    }
    return status == VF_OK ? vf__states_grow(&to->states, to->groups.n, err) : status;
}

enum vf_status vf__agg_register_groups(struct vf_agg *agg, struct shard *shard, struct vf_error *err) {
    size_t n = shard->groups.n;
    if (n > shard->global_capacity) {
        size_t capacity = shard->global_capacity * 2 > n ? shard->global_capacity * 2 : n;
        uint32_t *global =
            vf__resize(&agg->ctx, shard->global, shard->global_capacity, capacity, sizeof *shard->global);
        if (global == NULL) return vf__fail_memory(err, capacity * sizeof *global);
        shard->global = global;
        shard->global_capacity = capacity;
    }
    enum vf_status status = vf__agg_map_groups(agg, shard, shard->n_global, n, shard->global + shard->n_global, err);
    if (status == VF_OK) shard->n_global = n;
    return status;
}

struct fold {
    struct vf_agg *agg;
    size_t n_slices;
    bool *left; /* of a slice: something needs memory, and has to wait */
};

/* Moves the states of the groups of one slice of shard 0 from all shards: no two threads meet in a state. */
static void fold_slice(void *arg, size_t index) {
    const struct fold *fold = arg;
    struct shard *to = &fold->agg->shards[0];
    size_t n = to->groups.n, first = n / fold->n_slices * index;
    size_t end = index + 1 == fold->n_slices ? n : first + n / fold->n_slices;
    for (size_t s = 1; s < fold->agg->n_shards; s++) {
        struct shard *from = &fold->agg->shards[s];
        for (size_t g = 0; from->open && g < from->n_global; g++) {
            size_t group = from->global[g];
            if (group >= first && group < end &&
                !vf__states_move(&to->states, group, false, &from->states, g))
                fold->left[index] = true;
        }
    }
}

static enum vf_status fold_rest(struct vf_agg *agg, struct vf_error *err) {
    struct shard *to = &agg->shards[0];
    for (size_t s = 1; s < agg->n_shards; s++) {
        struct shard *from = &agg->shards[s];
        for (size_t g = 0; from->open && g < from->n_global; g++)
            if (!vf__states_move(&to->states, from->global[g], true, &from->states, g))
                return vf__fail_memory(err, sizeof *to->states.spills.words);
    }
    return VF_OK;
}

/* Brings every state to shard 0. May be called again where it failed. */
static enum vf_status fold(struct vf_agg *agg, struct vf_error *err) {
    bool left[VF__MOST_SHARDS] = {false}, any = false;
    struct fold job = {.agg = agg, .n_slices = agg->n_shards, .left = left};
    if (!agg->spread) return VF_OK;
    if (agg->shards[0].groups.n < VF__SIZED(4096, 2, 1 << 24)) job.n_slices = 1;
    vf__parallel(&agg->ctx, job.n_slices, fold_slice, &job);
    for (size_t i = 0; i < job.n_slices; i++)
        any |= left[i];
    enum vf_status status = any ? fold_rest(agg, err) : VF_OK;
    if (status == VF_OK) agg->spread = false;
    return status;
}

/* ---- all of them ---- */

enum vf_status vf__agg_check_usable(const struct vf_agg *agg, struct vf_error *err) {
    if (!agg->broken) return VF_OK;
    return vf__fail(
        err, VF_ERROR_STATE, NULL, -1,
        "an earlier update or merge failed half-way and left some rows counted: close this object and "
        "start over");
}

enum vf_status vf__agg_gather(struct vf_agg *agg, struct vf_error *err) {
    enum vf_status status = vf__agg_check_usable(agg, err);
    if (status != VF_OK) return status;
    if (!agg->typed)
        return vf__fail(
            err, VF_ERROR_STATE, NULL, -1,
            "no update yet, so that the columns' types are not known; an update of no rows tells them");
    return fold(agg, err);
}
