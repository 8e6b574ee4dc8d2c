/* See keyed.h: each key column has a table of its values, and each but the first one of pairs with the group so far.
   Not for output: the tables do not know what order their caller wants. */
#include "arrow/keyed.h"

enum { BLOCK = VF__KEYED_BLOCK };

enum vf__meaning vf__meaning_of(const struct vf__type *type) {
    switch (type->kind) {
    case VF__NULL:
        return VF__MEANS_NOTHING;
    case VF__BOOL:
        return VF__MEANS_BOOLEAN;
    case VF__INT:
    case VF__UINT:
    case VF__FLOAT:
        return VF__MEANS_NUMBER;
    case VF__TEXT:
        return VF__MEANS_TEXT;
    case VF__DATE:
        return VF__MEANS_DAYS;
    case VF__TIME:
        return VF__MEANS_CLOCK;
    case VF__TIMESTAMP:
        return type->zoned ? VF__MEANS_ZONED : VF__MEANS_NAIVE;
    case VF__DURATION:
        return VF__MEANS_LENGTH;
    case VF__DECIMAL:
        break;
    }
    return VF__MEANS_NOTHING;
}

enum vf__meaning vf__time_meaning(const struct vf__type *type) {
    enum vf__meaning meaning = vf__meaning_of(type);
    if (meaning == VF__MEANS_LENGTH) return VF__MEANS_NUMBER; /* from the open, say */
    if (meaning == VF__MEANS_DAYS) return VF__MEANS_NAIVE;
    return meaning;
}

static enum vf_status differs(const struct vf__reader *reader, const char *use, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                    "column \"%s\" is %s; batches before had another kind of %s, whose values do not compare",
                    reader->name, vf__type_name(&reader->type), use);
}

enum vf_status vf__time_agrees(enum vf__meaning before, const struct vf__reader *time, struct vf_error *err) {
    const struct vf__type *type = &time->type;
    if (!vf__type_is_number(type) && !vf__type_is_temporal(type) && type->kind != VF__NULL)
        return vf__fail(err, VF_ERROR_TYPE, time->name, -1,
                        "column \"%s\" is %s; as time, seconds, Duration, Time, Datetime or Date is accepted",
                        time->name, vf__type_name(type));
    enum vf__meaning meaning = vf__time_meaning(type);
    if (meaning != VF__MEANS_NOTHING && before != VF__MEANS_NOTHING && meaning != before)
        return differs(time, "time", err);
    return VF_OK;
}

void vf__keyed_init(struct vf__keyed *groups, const struct vf_context *ctx) {
    *groups = (struct vf__keyed){.ctx = *ctx};
}

void vf__keyed_release(struct vf__keyed *groups) {
    for (size_t k = 0; k < groups->n_keys; k++) {
        vf__keys_release(&groups->keys[k].values);
        vf__keys_release(&groups->keys[k].pairs);
    }
    vf__free(&groups->ctx, groups->keys, groups->n_keys, sizeof *groups->keys);
    groups->keys = NULL;
    groups->n_keys = 0;
    groups->settled = false;
}

enum vf_status vf__keyed_check(const struct vf__keyed *groups, const struct vf__reader *readers,
                               size_t n_keys, struct vf_error *err) {
    if (groups->settled && n_keys != groups->n_keys)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu key columns after batches with %zu", n_keys,
                        groups->n_keys);
    for (size_t k = 0; k < n_keys; k++) {
        const struct vf__reader *reader = &readers[k];
        if (reader->type.kind == VF__FLOAT)
            return vf__fail(err, VF_ERROR_TYPE, reader->name, -1,
                            "column \"%s\" is %s; as a key, an integer, boolean, string or temporal type is "
                            "accepted; cast it first",
                            reader->name, vf__type_name(&reader->type));
        if (!groups->settled) continue;
        const struct vf__keyed_column *key = &groups->keys[k];
        enum vf__meaning meaning = vf__meaning_of(&reader->type);
        if (meaning == VF__MEANS_NOTHING || key->meaning == VF__MEANS_NOTHING) continue;
        if (meaning != key->meaning || reader->type.ns != key->ns) return differs(reader, "key", err);
    }
    return VF_OK;
}

static enum vf_status open_columns(const struct vf_series *keys, const struct vf__keyed_other *others,
                                   size_t n_others, struct vf__keyed_batch *batch, struct vf_error *err) {
    size_t at = 0;
    for (size_t i = 0; i < batch->n_keys + n_others; i++) {
        const struct vf__keyed_other *other = i < batch->n_keys ? NULL : &others[i - batch->n_keys];
        const struct vf_series *series = other != NULL ? other->series : &keys[i];
        if (series == NULL) continue;
        struct vf__reader *reader = &batch->readers[at++];
        enum vf_status status = other != NULL && other->decimals
                                    ? vf__reader_open_decimal(reader, series, err)
                                    : vf__reader_open(reader, series, err);
        if (status != VF_OK) return status;
        if (at > 1 && reader->n_rows != batch->n_rows)
            return vf__fail(err, VF_ERROR_ARGUMENT, reader->name, -1,
                            "column \"%s\" has %lld rows, \"%s\" has %lld", reader->name,
                            (long long)reader->n_rows, batch->readers[0].name, (long long)batch->n_rows);
        batch->n_rows = reader->n_rows;
        if (other != NULL) batch->others[i - batch->n_keys] = reader;
    }
    return VF_OK;
}

enum vf_status vf__keyed_batch_open(const struct vf__keyed *groups, const struct vf_series *keys,
                                    size_t n_keys, const struct vf__keyed_other *others, size_t n_others,
                                    struct vf__keyed_batch *out, struct vf_error *err) {
    *out = (struct vf__keyed_batch){0};
    if (n_keys > INT32_MAX)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu key columns are too many", n_keys);
    struct vf__keyed_batch batch = {.n_keys = n_keys, .n_readers = n_keys + n_others};
    batch.readers = vf__alloc(&groups->ctx, batch.n_readers, sizeof *batch.readers);
    if (batch.readers == NULL) return vf__fail_memory(err, batch.n_readers * sizeof *batch.readers);
    enum vf_status status = open_columns(keys, others, n_others, &batch, err);
    if (status == VF_OK) status = vf__keyed_check(groups, batch.readers, n_keys, err);
    if (status == VF_OK)
        *out = batch;
    else
        vf__keyed_batch_close(groups, &batch);
    return status;
}

void vf__keyed_batch_close(const struct vf__keyed *groups, struct vf__keyed_batch *batch) {
    vf__free(&groups->ctx, batch->readers, batch->n_readers, sizeof *batch->readers);
}

/* A table whose column has not been settled holds nothing that is in use. */
enum vf_status vf__keyed_prepare(struct vf__keyed *groups, const struct vf__reader *readers, size_t n_keys,
                                 struct vf_error *err) {
    if (!groups->settled && groups->keys != NULL) vf__keyed_release(groups);
    if (groups->keys == NULL) {
        struct vf__keyed_column *keys = vf__zalloc(&groups->ctx, n_keys, sizeof *keys);
        if (keys == NULL) return vf__fail_memory(err, n_keys * sizeof *keys);
        groups->keys = keys;
        groups->n_keys = n_keys;
        for (size_t k = 0; k < n_keys; k++) {
            vf__keys_init(&keys[k].values, &groups->ctx, false);
            vf__keys_init(&keys[k].pairs, &groups->ctx, false);
        }
    }
    for (size_t k = 0; k < n_keys; k++) {
        if (groups->keys[k].meaning != VF__MEANS_NOTHING) continue;
        vf__keys_release(&groups->keys[k].values);
        vf__keys_init(&groups->keys[k].values, &groups->ctx, vf__reader_is_text(&readers[k]));
    }
    return VF_OK;
}

void vf__keyed_settle(struct vf__keyed *groups, const struct vf__reader *readers) {
    groups->settled = true;
    for (size_t k = 0; k < groups->n_keys; k++) {
        if (groups->keys[k].meaning != VF__MEANS_NOTHING) continue;
        groups->keys[k].meaning = vf__meaning_of(&readers[k].type);
        groups->keys[k].ns = readers[k].type.ns;
    }
}

void vf__keyed_freeze(struct vf__keyed *groups) {
    for (size_t k = 0; k < groups->n_keys; k++)
        groups->keys[k].values.frozen = groups->keys[k].pairs.frozen = true;
}

size_t vf__keyed_count(const struct vf__keyed *groups) {
    if (groups->n_keys == 0) return 1;
    const struct vf__keyed_column *last = &groups->keys[groups->n_keys - 1];
    return groups->n_keys == 1 ? last->values.n : last->pairs.n;
}

/* Neighbours are often the same pair. */
enum vf_status vf__keyed_combine(struct vf__keyed *groups, size_t k, const uint32_t *ids, int64_t n,
                                 uint32_t *group, struct vf_error *err) {
    struct vf__keys *pairs = &groups->keys[k].pairs;
    uint32_t a = VF__NO_KEY, b = VF__NO_KEY, number = VF__NO_KEY;
    for (int64_t i = 0; i < n; i++) {
        if (group[i] != a || ids[i] != b) {
            a = group[i];
            b = ids[i];
            number = VF__NO_KEY;
            if (a != VF__NO_KEY && b != VF__NO_KEY) {
                enum vf_status status = vf__keys_add(pairs, (uint64_t)a << 32 | b, &number, err);
                if (status != VF_OK) return status;
            }
        }
        group[i] = number;
    }
    return VF_OK;
}

enum vf_status vf__keyed_values(struct vf__keyed *groups, size_t k, struct vf__reader *reader, int64_t row,
                                int64_t n, uint32_t *ids, struct vf_error *err) {
    if (reader->type.kind != VF__NULL)
        return vf__read_keys(reader, row, n, &groups->keys[k].values, ids, err);
    for (int64_t i = 0; i < n; i++)
        ids[i] = VF__NO_KEY;
    return VF_OK;
}

enum vf_status vf__keyed_read(struct vf__keyed *groups, struct vf__reader *readers, int64_t row, int64_t n,
                              uint32_t *group, struct vf_error *err) {
    uint32_t ids[BLOCK];
    if (groups->n_keys == 0) memset(group, 0, (size_t)n * sizeof *group);
    for (int64_t done = 0; groups->n_keys > 0 && done < n; done += BLOCK) {
        int64_t m = n - done < BLOCK ? n - done : BLOCK;
        for (size_t k = 0; k < groups->n_keys; k++) {
            uint32_t *to = k == 0 ? group + done : ids;
            enum vf_status status = vf__keyed_values(groups, k, &readers[k], row + done, m, to, err);
            if (status == VF_OK && k > 0) status = vf__keyed_combine(groups, k, ids, m, group + done, err);
            if (status != VF_OK) return status;
        }
    }
    return VF_OK;
}

enum vf_status vf__keyed_words(struct vf__reader *readers, size_t n_keys, int64_t row, int64_t n,
                               uint64_t *words, struct vf_error *err) {
    uint64_t more[BLOCK];
    enum vf_status status = VF_OK;
    if (n_keys == 0) memset(words, 0, (size_t)n * sizeof *words);
    for (size_t k = 0; status == VF_OK && k < n_keys; k++) {
        status = vf__read_words(&readers[k], row, n, k == 0 ? words : more, err);
        for (int64_t i = 0; status == VF_OK && k > 0 && i < n; i++)
            words[i] = words[i] * UINT64_C(0xe7037ed1a0b428db) + more[i];
    }
    return status;
}
