/* Grouped aggregation: where Arrow columns meet groups and states, and where threads are fed and folded.
   Not for arithmetic on values, which is in agg/. */
#include "agg/api_shards.h"

#include "arrow/build.h"

#define BLOCK ((int64_t)VF__GROUP_BLOCK)
#define PARALLEL_FROM ((int64_t)VF__SIZED(65536, 2, 1 << 24)) /* rows; below, starting a thread costs more than it saves */
#define ROWS_A_THREAD ((int64_t)VF__SIZED(32768, 1, 1 << 24))
#define MOST_LEAVES ((size_t)4096)
#define MOST_VALUES ((size_t)65536)
#define MANY_GROUPS ((size_t)1 << 20)
#define SHARED_BYTES ((size_t)1 << 30) /* what the threads' own states may hold together */

/* ---- small owned things ---------------------------------------------------------------------------------------------- */

static size_t n_columns(const struct vf_agg *agg) {
    return agg->n_keys + agg->n_values;
}

/* ---- open and close ----------------------------------------------------------------------------------------------------- */

static void close_shard(struct vf_agg *agg, struct shard *shard) {
    const struct vf_context *ctx = &agg->ctx;
    struct scratch *s = &shard->scratch;
    size_t keys_rows = agg->n_keys * (size_t)BLOCK;
    if (!shard->open) return;
    for (size_t k = 0; shard->texts != NULL && k < agg->n_keys; k++)
        vf__text_keys_release(&shard->texts[k]);
    vf__free(ctx, shard->texts, agg->n_keys, sizeof *shard->texts);
    vf__free(ctx, shard->global, shard->global_capacity, sizeof *shard->global);
    vf__free(ctx, s->readers, n_columns(agg), sizeof *s->readers);
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

static enum vf_status open_shard(struct vf_agg *agg, struct shard *shard, struct vf_error *err) {
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
    s->readers = vf__alloc(ctx, n_columns(agg), sizeof *s->readers);
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
    if (status != VF_OK) close_shard(agg, shard);
    return status;
}

static enum vf_status check_more(const struct vf_agg_leaf *leaf, const char *name, size_t n_values,
                                 struct vf_error *err) {
    size_t least = vf__op_least_more(leaf->op), most = vf__op_most_more(leaf->op);
    for (size_t i = 0; i < 2; i++) {
        bool there = leaf->more[i] != 0;
        if (there != (i < least) && (i >= most || i < least))
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1,
                            "leaf \"%s\": %s takes %zu to %zu further columns", name, vf__op_name(leaf->op),
                            least, most);
        if (there && leaf->more[i] > n_values)
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "leaf \"%s\": value column %u of %zu", name,
                            (unsigned)leaf->more[i] - 1, n_values);
    }
    return VF_OK;
}

static enum vf_status check_leaves(const struct vf_agg_leaf *leaves, size_t n_leaves, size_t n_keys,
                                   size_t n_values, struct vf_error *err) {
    if (n_leaves > MOST_LEAVES || (n_leaves > 0 && leaves == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu leaves; 0 to %zu are accepted", n_leaves,
                        MOST_LEAVES);
    if (n_keys > VF__MAX_KEYS)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu key columns; 0 to %d are accepted", n_keys,
                        VF__MAX_KEYS);
    if (n_values > MOST_VALUES)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu value columns; 0 to %zu are accepted",
                        n_values, MOST_VALUES);
    for (size_t l = 0; l < n_leaves; l++) {
        const char *name = leaves[l].name != NULL ? leaves[l].name : "";
        if (!vf__op_known(leaves[l].op))
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "leaf \"%s\": %d is no aggregation", name,
                            (int)leaves[l].op);
        if (vf__op_takes_value(leaves[l].op) && leaves[l].value >= n_values)
            return vf__fail(err, VF_ERROR_ARGUMENT, name, -1, "leaf \"%s\": value column %u of %zu", name,
                            (unsigned)leaves[l].value, n_values);
        enum vf_status status = check_more(&leaves[l], name, n_values, err);
        if (status != VF_OK) return status;
    }
    return VF_OK;
}

enum vf_status vf_agg_open(const struct vf_context *ctx, const struct vf_agg_leaf *leaves, size_t n_leaves,
                           size_t n_keys, size_t n_values, struct vf_agg **out, struct vf_error *err) {
    struct vf_context own = vf__context(ctx);
    enum vf_status status = check_leaves(leaves, n_leaves, n_keys, n_values, err);
    if (status != VF_OK) return status;
    struct vf_agg *agg = vf__zalloc(&own, 1, sizeof *agg);
    if (agg == NULL) return vf__fail_memory(err, sizeof *agg);
    agg->ctx = own;
    agg->n_leaves = n_leaves;
    agg->n_keys = n_keys;
    agg->n_values = n_values;
    agg->n_shards = own.n_threads < VF__MOST_SHARDS ? own.n_threads : VF__MOST_SHARDS;
    agg->leaves = vf__zalloc(&own, n_leaves, sizeof *agg->leaves);
    agg->names = vf__zalloc(&own, n_leaves, sizeof *agg->names);
    agg->types = vf__zalloc(&own, n_columns(agg), sizeof *agg->types);
    agg->readers = vf__zalloc(&own, n_columns(agg), sizeof *agg->readers);
    agg->reads = vf__zalloc(&own, n_values, sizeof *agg->reads);
    agg->layout.states = vf__zalloc(&own, vf__ops_most_states(n_leaves), sizeof *agg->layout.states);
    agg->shards = vf__zalloc(&own, agg->n_shards, sizeof *agg->shards);
    bool all = agg->leaves != NULL && agg->names != NULL && agg->types != NULL && agg->readers != NULL &&
               agg->reads != NULL && agg->layout.states != NULL && agg->shards != NULL;
    for (size_t l = 0; all && l < n_leaves; l++) {
        agg->leaves[l] = (struct vf__leaf){
            .op = leaves[l].op, .value = leaves[l].value, .more = {leaves[l].more[0], leaves[l].more[1]}};
        agg->names[l] = vf__text_copy(&own, leaves[l].name != NULL ? leaves[l].name : "");
        all = agg->names[l] != NULL;
    }
    if (!all) {
        vf_agg_close(agg);
        return vf__fail_memory(err, (n_keys + n_values) * sizeof *agg->types);
    }
    *out = agg;
    return VF_OK;
}

static void drop_types(struct vf_agg *agg) {
    for (size_t c = 0; agg->types != NULL && c < n_columns(agg); c++) {
        vf__text_free(&agg->ctx, agg->types[c].format);
        vf__text_free(&agg->ctx, agg->types[c].name);
        agg->types[c] = (struct column_type){0};
    }
}

void vf_agg_close(struct vf_agg *agg) {
    if (agg == NULL) return;
    struct vf_context ctx = agg->ctx;
    for (size_t s = 0; agg->shards != NULL && s < agg->n_shards; s++)
        close_shard(agg, &agg->shards[s]);
    for (size_t l = 0; agg->names != NULL && l < agg->n_leaves; l++)
        vf__text_free(&ctx, agg->names[l]);
    drop_types(agg);
    vf__free(&ctx, agg->leaves, agg->n_leaves, sizeof *agg->leaves);
    vf__free(&ctx, agg->names, agg->n_leaves, sizeof *agg->names);
    vf__free(&ctx, agg->types, n_columns(agg), sizeof *agg->types);
    vf__free(&ctx, agg->readers, n_columns(agg), sizeof *agg->readers);
    vf__free(&ctx, agg->reads, agg->n_values, sizeof *agg->reads);
    vf__free(&ctx, agg->layout.states, vf__ops_most_states(agg->n_leaves), sizeof *agg->layout.states);
    vf__free(&ctx, agg->shards, agg->n_shards, sizeof *agg->shards);
    vf__free(&ctx, agg, 1, sizeof *agg);
}

/* ---- types ------------------------------------------------------------------------------------------------------------------ */

static enum vf__value_kind value_kind(const struct vf__type *type) {
    switch (type->kind) {
    case VF__BOOL:
        return VF__VALUE_BOOL;
    case VF__INT:
        return VF__VALUE_INT;
    case VF__UINT:
        return type->width == 8 ? VF__VALUE_UINT64 : VF__VALUE_INT;
    case VF__FLOAT:
        return VF__VALUE_FLOAT;
    case VF__DURATION:
        return VF__VALUE_DURATION;
    case VF__DATE:
    case VF__TIME:
    case VF__TIMESTAMP:
        return VF__VALUE_TIME;
    case VF__TEXT:
        return VF__VALUE_TEXT;
    case VF__NULL:
    case VF__DECIMAL: /* never read here */
        break;
    }
    return VF__VALUE_NULL;
}

/* Equal where it matters: how texts lie in memory, and whether behind a dictionary, does not. */
static bool same_type(const struct column_type *a, const struct vf__type *b) {
    if (a->type.kind != b->kind) return false;
    if (a->type.kind == VF__TEXT) return a->type.utf8 == b->utf8;
    return strcmp(a->format, b->format) == 0;
}

static enum vf_status check_key(const struct vf__reader *reader, struct vf_error *err) {
    if (reader->type.kind != VF__FLOAT) return VF_OK;
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                    "key column \"%s\" is %s; floats are no keys: bin it first, or cast it to an integer",
                    reader->name, vf__type_name(&reader->type));
}

static enum vf_status refuse_leaf(const struct vf_agg *agg, size_t l, const struct vf__reader *reader,
                                  struct vf_error *err) {
    enum vf_agg_op op = agg->leaves[l].op;
    const char *advice =
        vf__op_accepts(op, VF__VALUE_TIME)
            ? "it takes numbers, booleans, dates, times and durations; put a string into the keys"
            : "it takes numbers, booleans and durations; cast it first";
    if (!vf__op_accepts(op, VF__VALUE_DURATION)) advice = "it takes numbers and booleans; cast it first";
    if (op > VF_AGG_LAST) advice = "cast it to Float64 first";
    if (op > VF_AGG_DOT) advice = "it takes the columns that vf_agg_states gives";
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                    "%s of column \"%s\" (leaf \"%s\"), which is %s: %s", vf__op_name(op), reader->name,
                    agg->names[l], vf__type_name(&reader->type), advice);
}

static enum vf_status check_leaf(const struct vf_agg *agg, size_t l, struct vf_error *err) {
    const struct vf__leaf *leaf = &agg->leaves[l];
    const struct vf__reader *values = agg->readers + agg->n_keys;
    if (!vf__op_accepts(leaf->op, value_kind(&values[leaf->value].type)))
        return refuse_leaf(agg, l, &values[leaf->value], err);
    for (size_t i = 0; i < 2 && leaf->more[i] != 0; i++) {
        const struct vf__reader *more = &values[leaf->more[i] - 1];
        if (!vf__op_accepts_more(leaf->op, i, value_kind(&more->type)))
            return vf__fail(err, VF_ERROR_TYPE, more->name, -1,
                            "column \"%s\", which is %s, is not what leaf \"%s\" (%s) takes as its %s column",
                            more->name, vf__type_name(&more->type), agg->names[l], vf__op_name(leaf->op),
                            i == 0 ? "second" : "third");
    }
    return VF_OK;
}

static enum vf_status check_types(const struct vf_agg *agg, struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (size_t c = 0; agg->typed && c < n_columns(agg); c++) {
        const struct vf__reader *reader = &agg->readers[c];
        if (!same_type(&agg->types[c], &reader->type))
            return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                            "column \"%s\" is %s ('%s'); in the first update it was %s ('%s')", reader->name,
                            vf__type_name(&reader->type), reader->type.format,
                            vf__type_name(&agg->types[c].type), agg->types[c].format);
    }
    for (size_t k = 0; status == VF_OK && k < agg->n_keys; k++)
        status = check_key(&agg->readers[k], err);
    for (size_t l = 0; status == VF_OK && l < agg->n_leaves; l++)
        if (vf__op_takes_value(agg->leaves[l].op)) status = check_leaf(agg, l, err);
    return status;
}

static void plan(struct vf_agg *agg) {
    for (size_t l = 0; l < agg->n_leaves; l++) {
        struct vf__leaf *leaf = &agg->leaves[l];
        leaf->kind = vf__op_takes_value(leaf->op) ? value_kind(&agg->types[agg->n_keys + leaf->value].type)
                                                  : VF__VALUE_NULL;
        agg->in_order |= vf__op_in_order(leaf->op, leaf->kind);
    }
    vf__ops_plan(agg->leaves, agg->n_leaves, agg->n_values, &agg->layout);
    for (size_t v = 0; v < agg->n_values; v++)
        agg->reads[v] = VF__READS_NOTHING;
    for (size_t s = 0; s < agg->layout.n_states; s++) {
        const struct vf__state *state = &agg->layout.states[s];
        enum vf__reads reads = vf__state_reads(state->kind);
        if (reads != VF__READS_NOTHING) agg->reads[state->value] |= (unsigned)reads;
    }
}

static enum vf_status copy_type(struct vf_agg *agg, size_t c, const struct vf__type *type, const char *name,
                                struct vf_error *err) {
    struct column_type *own = &agg->types[c];
    own->type = *type;
    own->format = vf__text_copy(&agg->ctx, type->format);
    own->name = vf__text_copy(&agg->ctx, name);
    own->type.format = own->format;
    return own->format != NULL && own->name != NULL ? VF_OK : vf__fail_memory(err, strlen(name));
}

/* Takes the types of the readers or, at a merge, of `like`. The one group of no keys begins here. */
static enum vf_status learn_types(struct vf_agg *agg, const struct vf_agg *like, struct vf_error *err) {
    enum vf_status status = VF_OK;
    for (size_t c = 0; status == VF_OK && c < n_columns(agg); c++) {
        if (like != NULL)
            status = copy_type(agg, c, &like->types[c].type, like->types[c].name, err);
        else
            status = copy_type(agg, c, &agg->readers[c].type, agg->readers[c].name, err);
    }
    if (status == VF_OK) plan(agg);
    if (status == VF_OK) status = open_shard(agg, &agg->shards[0], err);
    if (status == VF_OK && agg->n_keys == 0) {
        struct shard *shard = &agg->shards[0];
        status = vf__groups_find(&shard->groups, shard->scratch.keys, 1, shard->scratch.ids, err);
        if (status == VF_OK) status = vf__states_grow(&shard->states, 1, err);
    }
    if (status != VF_OK) {
        close_shard(agg, &agg->shards[0]);
        drop_types(agg);
        return status;
    }
    agg->typed = true;
    return VF_OK;
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

/* The groups of a block's rows, new ones included, to scratch.ids. */
static enum vf_status find_block(struct vf_agg *agg, struct shard *shard, int64_t row, int64_t n,
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
    enum vf_status status = find_block(agg, shard, row, n, err);
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

/* The batch's columns, read from their start. */
static void take_readers(struct vf_agg *agg, struct shard *shard) {
    if (n_columns(agg) > 0)
        memcpy(shard->scratch.readers, agg->readers, n_columns(agg) * sizeof *agg->readers);
    for (size_t k = 0; k < agg->n_keys; k++)
        vf__text_keys_forget(&shard->texts[k]);
}

struct run {
    struct vf_agg *agg;
    int64_t n_rows;
    size_t n_shards;
};

static void run_shard(void *arg, size_t index) {
    const struct run *run = arg;
    struct vf_agg *agg = run->agg;
    struct shard *shard = &agg->shards[index];
    int64_t share = run->n_rows / (int64_t)run->n_shards, first = share * (int64_t)index;
    int64_t end = index + 1 == run->n_shards ? run->n_rows : first + share;
    shard->status = VF_OK;
    take_readers(agg, shard);
    for (int64_t row = first; shard->status == VF_OK && row < end; row += BLOCK) {
        int64_t n = end - row < BLOCK ? end - row : BLOCK;
        shard->status = add_block(agg, shard, row, n, &shard->error);
    }
}

/* ---- groups of other shards and other objects -------------------------------------------------------------------------------------- */

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

/* The numbers in shard 0 of groups [first, end) of `from`; those it has not got are added in that order. */
static enum vf_status map_groups(struct vf_agg *agg, const struct shard *from, size_t first, size_t end,
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

/* Tells shard 0 of the groups that a shard met first. In order of the shards, which took the rows in order: so
   groups are numbered by first row, whatever the threads. */
static enum vf_status register_groups(struct vf_agg *agg, struct shard *shard, struct vf_error *err) {
    size_t n = shard->groups.n;
    if (n > shard->global_capacity) {
        size_t capacity = shard->global_capacity * 2 > n ? shard->global_capacity * 2 : n;
        uint32_t *global =
            vf__resize(&agg->ctx, shard->global, shard->global_capacity, capacity, sizeof *shard->global);
        if (global == NULL) return vf__fail_memory(err, capacity * sizeof *global);
        shard->global = global;
        shard->global_capacity = capacity;
    }
    enum vf_status status = map_groups(agg, shard, shard->n_global, n, shard->global + shard->n_global, err);
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

/* ---- update ------------------------------------------------------------------------------------------------------------------------- */

static enum vf_status check_usable(const struct vf_agg *agg, struct vf_error *err) {
    if (!agg->broken) return VF_OK;
    return vf__fail(
        err, VF_ERROR_STATE, NULL, -1,
        "an earlier update or merge failed half-way and left some rows counted: close this object and "
        "start over");
}

static enum vf_status open_readers(struct vf_agg *agg, const struct vf_series *keys,
                                   const struct vf_series *values, int64_t n_rows, struct vf_error *err) {
    if (n_rows < 0 || (agg->n_keys > 0 && keys == NULL) || (agg->n_values > 0 && values == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "%lld rows of %zu keys and %zu values: columns are missing", (long long)n_rows,
                        agg->n_keys, agg->n_values);
    return vf__readers_open(agg->readers, keys, agg->n_keys, values, agg->n_values, n_rows, err);
}

/* uint64 is read as raw words from here on; the states and the key columns that are given know what they are. */
static void read_raw(struct vf_agg *agg) {
    for (size_t c = 0; c < n_columns(agg); c++) {
        struct vf__type *type = &agg->readers[c].type;
        if (type->kind == VF__UINT && type->width == 8) type->kind = VF__INT;
    }
}

/* As many threads as rows keep busy and as memory allows: each may come to hold every group. */
static size_t choose_shards(const struct vf_agg *agg, int64_t n_rows) {
    size_t n = agg->n_shards, most = 1, n_groups = agg->shards[0].groups.n;
    if (n_rows < PARALLEL_FROM || agg->in_order) return 1;
    /* nearly every row a group: making groups is the work, and it would be done twice */
    if (n_groups > MANY_GROUPS && (int64_t)n_groups > agg->n_rows / 4) return 1;
    if ((int64_t)n > n_rows / ROWS_A_THREAD) n = (size_t)(n_rows / ROWS_A_THREAD);
    for (size_t s = 0; s < agg->n_shards; s++) {
        const struct shard *shard = &agg->shards[s];
        if (!shard->open) continue;
        size_t bytes = vf__states_bytes(&shard->states) +
                       shard->groups.n_slots * sizeof(struct vf__group_slot) +
                       shard->groups.capacity * (agg->n_keys + 1) * sizeof(uint64_t);
        if (bytes > most) most = bytes;
    }
    size_t fit = SHARED_BYTES / most < 2 ? 2 : SHARED_BYTES / most;
    return n < fit ? n : fit;
}

static enum vf_status run_shards(struct vf_agg *agg, size_t n_shards, int64_t n_rows, struct vf_error *err) {
    struct run run = {.agg = agg, .n_rows = n_rows, .n_shards = n_shards};
    if (n_shards == 1)
        run_shard(&run, 0);
    else
        vf__parallel(&agg->ctx, n_shards, run_shard, &run);
    agg->spread |= n_shards > 1;
    for (size_t s = 0; s < n_shards; s++) {
        const struct shard *shard = &agg->shards[s];
        if (shard->status == VF_OK) continue;
        if (err != NULL) *err = shard->error;
        vf__fail_from(err, agg->n_rows);
        return shard->status;
    }
    enum vf_status status = VF_OK;
    for (size_t s = 1; status == VF_OK && s < n_shards; s++)
        status = register_groups(agg, &agg->shards[s], err);
    return status;
}

static enum vf_status open_batch(struct vf_agg *agg, const struct vf_series *keys, const struct vf_series *values,
                                 int64_t n_rows, struct vf_error *err) {
    enum vf_status status = check_usable(agg, err);
    if (status == VF_OK) status = open_readers(agg, keys, values, n_rows, err);
    if (status == VF_OK) status = check_types(agg, err);
    if (status == VF_OK && !agg->typed) status = learn_types(agg, NULL, err);
    if (status == VF_OK) read_raw(agg);
    return status;
}

enum vf_status vf_agg_update(struct vf_agg *agg, const struct vf_series *keys, const struct vf_series *values,
                             int64_t n_rows, struct vf_error *err) {
    enum vf_status status = open_batch(agg, keys, values, n_rows, err);
    if (status != VF_OK || n_rows == 0) return status;
    size_t n_shards = choose_shards(agg, n_rows);
    for (size_t s = 0; status == VF_OK && s < n_shards; s++)
        status = open_shard(agg, &agg->shards[s], err);
    if (status != VF_OK) return status;
    status = run_shards(agg, n_shards, n_rows, err);
    agg->broken = status != VF_OK;
    agg->n_rows += n_rows;
    return status;
}

enum vf_status vf_agg_number(struct vf_agg *agg, const struct vf_series *keys, int64_t n_rows,
                             struct vf_column *out, struct vf_error *err) {
    struct vf_column column = {0};
    void *numbers;
    uint8_t *validity;
    if (agg->n_leaves > 0 || agg->n_values > 0)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "opened with %zu leaves and %zu values; groups are numbered where there are none",
                        agg->n_leaves, agg->n_values);
    enum vf_status status = open_batch(agg, keys, NULL, n_rows, err);
    if (status == VF_OK)
        status = vf__column_new(&agg->ctx, "I", "group", n_rows, 4, false, &column, &numbers, &validity, err);
    if (status != VF_OK) return status;
    struct shard *shard = &agg->shards[0];
    take_readers(agg, shard);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK) {
        int64_t n = n_rows - row < BLOCK ? n_rows - row : BLOCK;
        status = find_block(agg, shard, row, n, err);
        if (status == VF_OK) memcpy((uint32_t *)numbers + row, shard->scratch.ids, (size_t)n * sizeof(uint32_t));
    }
    if (status != VF_OK) vf__fail_from(err, agg->n_rows);
    agg->broken = status != VF_OK;
    agg->n_rows += n_rows;
    return vf__column_give(status, &column, out);
}

/* ---- merge ---------------------------------------------------------------------------------------------------------------------------- */

static enum vf_status check_alike(const struct vf_agg *agg, const struct vf_agg *other,
                                  struct vf_error *err) {
    bool same =
        agg->n_leaves == other->n_leaves && agg->n_keys == other->n_keys && agg->n_values == other->n_values;
    if (agg == other)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "an aggregation cannot be merged into itself");
    if (!same)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "%zu leaves, %zu keys and %zu values cannot be merged with %zu, %zu and %zu",
                        other->n_leaves, other->n_keys, other->n_values, agg->n_leaves, agg->n_keys,
                        agg->n_values);
    for (size_t l = 0; l < agg->n_leaves; l++) {
        const struct vf__leaf *a = &agg->leaves[l], *b = &other->leaves[l];
        bool value = vf__op_takes_value(a->op);
        bool more = memcmp(a->more, b->more, sizeof a->more) != 0;
        if (a->op != b->op || more || (value && a->value != b->value) ||
            strcmp(agg->names[l], other->names[l]) != 0)
            return vf__fail(err, VF_ERROR_ARGUMENT, agg->names[l], -1,
                            "leaf %zu is \"%s\" (%s of value %u) here and \"%s\" (%s of value %u) there", l,
                            agg->names[l], vf__op_name(a->op), (unsigned)a->value, other->names[l],
                            vf__op_name(b->op), (unsigned)b->value);
    }
    for (size_t c = 0; agg->typed && other->typed && c < n_columns(agg); c++)
        if (!same_type(&agg->types[c], &other->types[c].type))
            return vf__fail(err, VF_ERROR_TYPE, agg->types[c].name, -1,
                            "column \"%s\" is %s ('%s') here and %s ('%s') there", agg->types[c].name,
                            vf__type_name(&agg->types[c].type), agg->types[c].format,
                            vf__type_name(&other->types[c].type), other->types[c].format);
    return VF_OK;
}

/* numbers[g]: the number here of group g of other's shard 0. */
static enum vf_status merge_states(struct vf_agg *agg, const struct vf_agg *other, const uint32_t *numbers,
                                   struct vf_error *err) {
    struct shard *to = &agg->shards[0];
    for (size_t s = 0; s < other->n_shards; s++) {
        const struct shard *from = &other->shards[s];
        size_t n = !from->open ? 0 : s == 0 ? from->groups.n : from->n_global;
        for (size_t g = 0; g < n; g++) {
            uint32_t group = numbers[s == 0 ? g : from->global[g]];
            if (!vf__states_merge(&to->states, group, &from->states, g, agg->n_rows))
                return vf__fail_memory(err, sizeof *to->states.spills.words);
        }
    }
    return VF_OK;
}

enum vf_status vf_agg_merge(struct vf_agg *agg, const struct vf_agg *other, struct vf_error *err) {
    enum vf_status status = check_usable(agg, err);
    if (status == VF_OK) status = check_usable(other, err);
    if (status == VF_OK) status = check_alike(agg, other, err);
    if (status != VF_OK || !other->typed) return status;
    size_t n = other->shards[0].groups.n;
    uint32_t *numbers = vf__alloc(&agg->ctx, n, sizeof *numbers);
    if (numbers == NULL) return vf__fail_memory(err, n * sizeof *numbers);
    if (!agg->typed) status = learn_types(agg, other, err);
    if (status != VF_OK) goto done;
    status = map_groups(agg, &other->shards[0], 0, n, numbers, err);
    if (status == VF_OK) status = merge_states(agg, other, numbers, err);
    agg->broken = status != VF_OK;
    agg->n_rows += other->n_rows;
done:
    vf__free(&agg->ctx, numbers, n, sizeof *numbers);
    return status;
}

int64_t vf_agg_groups(const struct vf_agg *agg) {
    if (!agg->typed) return agg->n_keys == 0 ? 1 : 0;
    return (int64_t)agg->shards[0].groups.n;
}

/* ---- finish ------------------------------------------------------------------------------------------------------------------------------ */

static void put_whole(void *values, uint32_t width, size_t i, int64_t v) {
    switch (width) {
    case 0:
        if (v != 0) vf__bit_set(values, (int64_t)i);
        return;
    case 1:
        ((int8_t *)values)[i] = (int8_t)v;
        return;
    case 2:
        ((int16_t *)values)[i] = (int16_t)v;
        return;
    case 4:
        ((int32_t *)values)[i] = (int32_t)v;
        return;
    default:
        ((int64_t *)values)[i] = v;
        return;
    }
}

static enum vf_status give_nulls(const struct vf_agg *agg, const char *name, size_t n, struct vf_column *out,
                                 struct vf_error *err) {
    struct vf_column column = {0};
    enum vf_status status = vf__schema_new(&agg->ctx, "n", name, &column.schema, err);
    if (status == VF_OK) status = vf__array_new(&agg->ctx, 0, (int64_t)n, &column.array, err);
    if (status != VF_OK) {
        vf_column_release(&column);
        return status;
    }
    column.array.null_count = (int64_t)n;
    *out = column;
    return VF_OK;
}

static size_t text_bytes(const struct shard *shard, size_t k) {
    size_t bytes = 0, length;
    int64_t id;
    for (size_t g = 0; g < shard->groups.n; g++) {
        if (!vf__groups_key(&shard->groups, g, k, &id)) continue;
        (void)vf__keys_text(&shard->texts[k].keys, (uint32_t)id, &length);
        bytes += length;
    }
    return bytes;
}

static enum vf_status give_texts(const struct vf_agg *agg, size_t k, struct vf_column *out,
                                 struct vf_error *err) {
    const struct shard *shard = &agg->shards[0];
    const struct column_type *type = &agg->types[k];
    size_t n = shard->groups.n, at = 0;
    uint8_t *validity, *data;
    int64_t *offsets;
    enum vf_status status = vf__texts_new(&agg->ctx, type->type.utf8, type->name, n, text_bytes(shard, k), out,
                                          &validity, &offsets, &data, err);
    if (status != VF_OK) return status;
    for (size_t g = 0; g < n; g++) {
        int64_t id;
        size_t length;
        if (vf__groups_key(&shard->groups, g, k, &id)) {
            const uint8_t *text = vf__keys_text(&shard->texts[k].keys, (uint32_t)id, &length);
            if (length > 0) memcpy(data + at, text, length);
            at += length;
            vf__bit_set(validity, (int64_t)g);
        }
        offsets[g + 1] = (int64_t)at;
    }
    vf__column_done(out);
    return VF_OK;
}

enum vf_status vf__agg_give_key(const struct vf_agg *agg, size_t k, struct vf_column *out,
                                struct vf_error *err) {
    const struct shard *shard = &agg->shards[0];
    const struct column_type *type = &agg->types[k];
    size_t n = shard->groups.n;
    void *values;
    uint8_t *validity;
    if (type->type.kind == VF__NULL) return give_nulls(agg, type->name, n, out, err);
    if (type->type.kind == VF__TEXT) return give_texts(agg, k, out, err);
    enum vf_status status = vf__column_new(&agg->ctx, type->format, type->name, (int64_t)n, type->type.width,
                                           true, out, &values, &validity, err);
    if (status != VF_OK) return status;
    for (size_t g = 0; g < n; g++) {
        int64_t v;
        if (!vf__groups_key(&shard->groups, g, k, &v)) vf__bit_clear(validity, (int64_t)g);
        put_whole(values, type->type.width, g, v);
    }
    vf__column_done(out);
    return VF_OK;
}

/* Groups whose value did not fit; the rest is written. */
static int64_t write_leaf(const struct vf_agg *agg, size_t l, uint32_t width, bool real, void *values,
                          uint8_t *validity) {
    const struct shard *shard = &agg->shards[0];
    int64_t n_bad = 0;
    for (size_t g = 0; g < shard->groups.n; g++) {
        struct vf__result r;
        if (!vf__op_finish(&agg->leaves[l], &shard->states, g, &r)) n_bad++;
        if (!r.valid) vf__bit_clear(validity, (int64_t)g);
        if (!real)
            put_whole(values, width, g, r.whole);
        else if (width == 8)
            ((double *)values)[g] = r.real;
        else
            ((float *)values)[g] = (float)r.real;
    }
    return n_bad;
}

enum vf_status vf__agg_give_leaf(const struct vf_agg *agg, size_t l, const char *name, struct vf_column *out,
                                 struct vf_error *err) {
    const struct vf__leaf *leaf = &agg->leaves[l];
    const char *format = "l";
    uint32_t width = 8;
    void *values;
    uint8_t *validity;
    enum vf__gives gives = vf__op_gives(leaf->op, leaf->kind);
    bool real = gives == VF__GIVES_FLOAT;
    int64_t n = (int64_t)agg->shards[0].groups.n;
    if (gives == VF__GIVES_FLOAT) format = "g";
    if (gives == VF__GIVES_SAME) {
        const struct column_type *type = &agg->types[agg->n_keys + leaf->value];
        if (leaf->kind == VF__VALUE_NULL) return give_nulls(agg, name, (size_t)n, out, err);
        real = leaf->kind == VF__VALUE_FLOAT;
        format = type->format;
        width = type->type.width;
    }
    enum vf_status status =
        vf__column_new(&agg->ctx, format, name, n, width, true, out, &values, &validity, err);
    if (status != VF_OK) return status;
    int64_t n_bad = write_leaf(agg, l, width, real, values, validity);
    vf__column_done(out);
    if (n_bad == 0) return VF_OK;
    vf_column_release(out);
    status = vf__fail(
        err, VF_ERROR_OVERFLOW, agg->names[l], -1,
        "leaf \"%s\": the integer %s of %lld group(s) does not fit Int64; cast the column to Float64",
        agg->names[l], vf__op_name(leaf->op), (long long)n_bad);
    if (err != NULL) err->count = n_bad;
    return status;
}

enum vf_status vf__agg_gather(struct vf_agg *agg, struct vf_error *err) {
    enum vf_status status = check_usable(agg, err);
    if (status != VF_OK) return status;
    if (!agg->typed)
        return vf__fail(
            err, VF_ERROR_STATE, NULL, -1,
            "no update yet, so that the columns' types are not known; an update of no rows tells them");
    return fold(agg, err);
}

enum vf_status vf_agg_finish(struct vf_agg *agg, struct vf_column *out, struct vf_error *err) {
    size_t n = agg->n_keys + agg->n_leaves;
    enum vf_status status = vf__agg_gather(agg, err);
    if (status != VF_OK) return status;
    struct vf_column *columns = vf__zalloc(&agg->ctx, n, sizeof *columns);
    if (columns == NULL) return vf__fail_memory(err, n * sizeof *columns);
    for (size_t c = 0; status == VF_OK && c < n; c++) {
        size_t l = c - agg->n_keys;
        status = c < agg->n_keys ? vf__agg_give_key(agg, c, &columns[c], err)
                                 : vf__agg_give_leaf(agg, l, agg->names[l], &columns[c], err);
    }
    if (status == VF_OK && n > 0) memcpy(out, columns, n * sizeof *out);
    for (size_t c = 0; status != VF_OK && c < n; c++)
        vf_column_release(&columns[c]);
    vf__free(&agg->ctx, columns, n, sizeof *columns);
    return status;
}
