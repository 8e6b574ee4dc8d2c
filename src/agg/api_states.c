/* Gives the states of an aggregation as columns, to be stored and merged.
   Not for finished values (api_finish.c), nor for what follows from stored states (api_moments.c). */
#include "agg/api_shards.h"

#include "arrow/build.h"

static size_t n_stored(enum vf__stored stored) {
    switch (stored) {
    case VF__STORED_PAIR:
        return 2;
    case VF__STORED_PLACE:
    case VF__STORED_PARTS:
        return 3;
    default:
        return 1;
    }
}

static enum vf__stored stored_as(const struct vf_agg *agg, size_t l) {
    return vf__op_stored(agg->leaves[l].op, agg->leaves[l].kind);
}

size_t vf_agg_state_columns(const struct vf_agg *agg) {
    size_t n = agg->n_keys;
    for (size_t l = 0; l < agg->n_leaves; l++)
        n += n_stored(stored_as(agg, l));
    return agg->typed ? n : 0;
}

/* A fixed-width column of every group, named leaf + suffix. */
static enum vf_status new_column(const struct vf_agg *agg, size_t l, const char *suffix, const char *format,
                                 uint32_t width, struct vf_column *out, void **values, uint8_t **validity,
                                 struct vf_error *err) {
    size_t length = strlen(agg->names[l]), more = strlen(suffix) + 1;
    char *name = vf__alloc(&agg->ctx, length + more, 1);
    if (name == NULL) return vf__fail_memory(err, length + more);
    memcpy(name, agg->names[l], length);
    memcpy(name + length, suffix, more);
    enum vf_status status = vf__column_new(&agg->ctx, format, name, (int64_t)agg->shards[0].groups.n, width,
                                           true, out, values, validity, err);
    vf__free(&agg->ctx, name, length + more, 1);
    return status;
}

static enum vf_status done(struct vf_column *columns, size_t n, enum vf_status status) {
    for (size_t c = 0; status == VF_OK && c < n; c++)
        vf__column_done(&columns[c]);
    return status;
}

static enum vf_status give_pair(const struct vf_agg *agg, size_t l, struct vf_column *out,
                                struct vf_error *err) {
    void *hi = NULL, *lo = NULL;
    uint8_t *validity;
    enum vf_status status = new_column(agg, l, ".hi", "g", 8, &out[0], &hi, &validity, err);
    if (status == VF_OK) status = new_column(agg, l, ".lo", "g", 8, &out[1], &lo, &validity, err);
    for (size_t g = 0; status == VF_OK && g < agg->shards[0].groups.n; g++)
        vf__op_pair(&agg->leaves[l], &agg->shards[0].states, g, (double *)hi + g, (double *)lo + g);
    return done(out, 2, status);
}

static enum vf_status give_place(const struct vf_agg *agg, size_t l, struct vf_column *out,
                                 struct vf_error *err) {
    void *dates = NULL, *rows = NULL;
    uint8_t *dates_valid = NULL, *rows_valid = NULL;
    enum vf_status status = vf__agg_give_leaf(agg, l, agg->names[l], &out[0], err);
    if (status == VF_OK) status = new_column(agg, l, ".date", "tdD", 4, &out[1], &dates, &dates_valid, err);
    if (status == VF_OK) status = new_column(agg, l, ".row", "l", 8, &out[2], &rows, &rows_valid, err);
    for (size_t g = 0; status == VF_OK && g < agg->shards[0].groups.n; g++) {
        struct vf__at at = vf__op_place(&agg->leaves[l], &agg->shards[0].states, g);
        bool row = (at.has & VF__AT_ROW) != 0, date = row && at.part >= INT32_MIN;
        ((int32_t *)dates)[g] = date ? (int32_t)at.part : 0;
        ((int64_t *)rows)[g] = row ? at.row : 0;
        if (!date) vf__bit_clear(dates_valid, (int64_t)g);
        if (!row) vf__bit_clear(rows_valid, (int64_t)g);
    }
    return done(out + 1, 2, status);
}

static enum vf_status give_parts(const struct vf_agg *agg, size_t l, struct vf_column *out,
                                 struct vf_error *err) {
    void *hi = NULL, *lo = NULL, *e = NULL;
    uint8_t *validity;
    enum vf_status status = new_column(agg, l, ".hi", "g", 8, &out[0], &hi, &validity, err);
    if (status == VF_OK) status = new_column(agg, l, ".lo", "g", 8, &out[1], &lo, &validity, err);
    if (status == VF_OK) status = new_column(agg, l, ".exponent", "l", 8, &out[2], &e, &validity, err);
    for (size_t g = 0; status == VF_OK && g < agg->shards[0].groups.n; g++)
        vf__op_parts(&agg->leaves[l], &agg->shards[0].states, g, (double *)hi + g, (double *)lo + g,
                     (int64_t *)e + g);
    return done(out, 3, status);
}

static enum vf_status give_state(const struct vf_agg *agg, size_t l, struct vf_column *out,
                                 struct vf_error *err) {
    switch (stored_as(agg, l)) {
    case VF__STORED_PAIR:
        return give_pair(agg, l, out, err);
    case VF__STORED_PLACE:
        return give_place(agg, l, out, err);
    case VF__STORED_PARTS:
        return give_parts(agg, l, out, err);
    default:
        return vf__agg_give_leaf(agg, l, agg->names[l], out, err);
    }
}

enum vf_status vf_agg_states(struct vf_agg *agg, struct vf_column *out, struct vf_error *err) {
    for (size_t l = 0; l < agg->n_leaves; l++)
        if (agg->leaves[l].op == VF_AGG_MEAN)
            return vf__fail(err, VF_ERROR_ARGUMENT, agg->names[l], -1,
                            "leaf \"%s\": a mean is no state; sum, len and null_count together are",
                            agg->names[l]);
    enum vf_status status = vf__agg_gather(agg, err);
    if (status != VF_OK) return status;
    size_t n = vf_agg_state_columns(agg), at = agg->n_keys;
    struct vf_column *columns = vf__zalloc(&agg->ctx, n, sizeof *columns);
    if (columns == NULL) return vf__fail_memory(err, n * sizeof *columns);
    for (size_t k = 0; status == VF_OK && k < agg->n_keys; k++)
        status = vf__agg_give_key(agg, k, &columns[k], err);
    for (size_t l = 0; status == VF_OK && l < agg->n_leaves; l++) {
        status = give_state(agg, l, &columns[at], err);
        at += n_stored(stored_as(agg, l));
    }
    if (status == VF_OK && n > 0) memcpy(out, columns, n * sizeof *out);
    for (size_t c = 0; status != VF_OK && c < n; c++)
        vf_column_release(&columns[c]);
    vf__free(&agg->ctx, columns, n, sizeof *columns);
    return status;
}
