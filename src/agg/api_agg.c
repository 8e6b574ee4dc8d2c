/* Grouped aggregation: what is asked for, the columns that come in, and who takes their rows.
   Not for a thread's rows and groups (api_shards.c), nor for what is given (api_finish.c, api_states.c). */
#include "agg/api_shards.h"

#include "arrow/build.h"

#define BLOCK ((int64_t)VF__GROUP_BLOCK)
#define PARALLEL_FROM ((int64_t)VF__SIZED(65536, 2, 1 << 24)) /* rows; below, starting a thread costs more than it saves */
#define ROWS_A_THREAD ((int64_t)VF__SIZED(32768, 1, 1 << 24))
#define MOST_LEAVES ((size_t)4096)
#define MOST_VALUES ((size_t)65536)
#define MANY_GROUPS ((size_t)1 << 20)
#define SHARED_BYTES ((size_t)1 << 30) /* what the threads' own states may hold together */

/* ---- open and close ----------------------------------------------------------------------------------------------------- */

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
    agg->types = vf__zalloc(&own, vf__agg_columns(agg), sizeof *agg->types);
    agg->readers = vf__zalloc(&own, vf__agg_columns(agg), sizeof *agg->readers);
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
    for (size_t c = 0; agg->types != NULL && c < vf__agg_columns(agg); c++) {
        vf__text_free(&agg->ctx, agg->types[c].format);
        vf__text_free(&agg->ctx, agg->types[c].name);
        agg->types[c] = (struct column_type){0};
    }
}

void vf_agg_close(struct vf_agg *agg) {
    if (agg == NULL) return;
    struct vf_context ctx = agg->ctx;
    for (size_t s = 0; agg->shards != NULL && s < agg->n_shards; s++)
        vf__shard_close(agg, &agg->shards[s]);
    for (size_t l = 0; agg->names != NULL && l < agg->n_leaves; l++)
        vf__text_free(&ctx, agg->names[l]);
    drop_types(agg);
    vf__free(&ctx, agg->leaves, agg->n_leaves, sizeof *agg->leaves);
    vf__free(&ctx, agg->names, agg->n_leaves, sizeof *agg->names);
    vf__free(&ctx, agg->types, vf__agg_columns(agg), sizeof *agg->types);
    vf__free(&ctx, agg->readers, vf__agg_columns(agg), sizeof *agg->readers);
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
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                    "%s of column \"%s\" (leaf \"%s\"), which is %s: %s", vf__op_name(op), reader->name,
                    agg->names[l], vf__type_name(&reader->type), vf__op_advice(op));
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
    for (size_t c = 0; agg->typed && c < vf__agg_columns(agg); c++) {
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
    for (size_t c = 0; status == VF_OK && c < vf__agg_columns(agg); c++) {
        if (like != NULL)
            status = copy_type(agg, c, &like->types[c].type, like->types[c].name, err);
        else
            status = copy_type(agg, c, &agg->readers[c].type, agg->readers[c].name, err);
    }
    if (status == VF_OK) plan(agg);
    if (status == VF_OK) status = vf__shard_open(agg, &agg->shards[0], err);
    if (status == VF_OK && agg->n_keys == 0) {
        struct shard *shard = &agg->shards[0];
        status = vf__groups_find(&shard->groups, shard->scratch.keys, 1, shard->scratch.ids, err);
        if (status == VF_OK) status = vf__states_grow(&shard->states, 1, err);
    }
    if (status != VF_OK) {
        vf__shard_close(agg, &agg->shards[0]);
        drop_types(agg);
        return status;
    }
    agg->typed = true;
    return VF_OK;
}

/* ---- update ------------------------------------------------------------------------------------------------------------------------- */

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
    for (size_t c = 0; c < vf__agg_columns(agg); c++) {
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
    struct vf__shard_rows run = {.agg = agg, .n_rows = n_rows, .n_shards = n_shards};
    if (n_shards == 1)
        vf__shard_run(&run, 0);
    else
        vf__parallel(&agg->ctx, n_shards, vf__shard_run, &run);
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
        status = vf__agg_register_groups(agg, &agg->shards[s], err);
    return status;
}

static enum vf_status open_batch(struct vf_agg *agg, const struct vf_series *keys, const struct vf_series *values,
                                 int64_t n_rows, struct vf_error *err) {
    enum vf_status status = vf__agg_check_usable(agg, err);
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
        status = vf__shard_open(agg, &agg->shards[s], err);
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
    vf__shard_take_readers(agg, shard);
    for (int64_t row = 0; status == VF_OK && row < n_rows; row += BLOCK) {
        int64_t n = n_rows - row < BLOCK ? n_rows - row : BLOCK;
        status = vf__shard_find(agg, shard, row, n, err);
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
    for (size_t c = 0; agg->typed && other->typed && c < vf__agg_columns(agg); c++)
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
    enum vf_status status = vf__agg_check_usable(agg, err);
    if (status == VF_OK) status = vf__agg_check_usable(other, err);
    if (status == VF_OK) status = check_alike(agg, other, err);
    if (status != VF_OK || !other->typed) return status;
    size_t n = other->shards[0].groups.n;
    uint32_t *numbers = vf__alloc(&agg->ctx, n, sizeof *numbers);
    if (numbers == NULL) return vf__fail_memory(err, n * sizeof *numbers);
    if (!agg->typed) status = learn_types(agg, other, err);
    if (status != VF_OK) goto done;
    status = vf__agg_map_groups(agg, &other->shards[0], 0, n, numbers, err);
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
