/* Gives the finished values of an aggregation: a column a key and a column a leaf.
   Not for its states (api_states.c), and not for arithmetic: ops.c finishes a value. */
#include "agg/api_shards.h"

#include "arrow/build.h"

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
