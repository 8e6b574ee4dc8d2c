/* Arrow structures whose memory comes from the context's allocator; see build.h.
   Not for values: callers fill the buffers themselves. */
#include "arrow/build.h"

/* ---- schemas ---- */

struct schema_private {
    struct vf_context ctx;
    size_t bytes; /* of this block: the struct and the strings behind it */
};

static void schema_release(struct ArrowSchema *schema) {
    struct schema_private *own = schema->private_data;
    struct vf_context ctx = own->ctx;
    if (schema->dictionary != NULL) {
        if (schema->dictionary->release != NULL) schema->dictionary->release(schema->dictionary);
        vf__free(&ctx, schema->dictionary, 1, sizeof *schema->dictionary);
    }
    vf__free(&ctx, own, 1, own->bytes);
    schema->release = NULL;
}

static enum vf_status schema_make(const struct vf_context *ctx, const char *format, const char *name,
                                  const char *metadata, size_t metadata_bytes, struct ArrowSchema *out,
                                  struct vf_error *err) {
    size_t format_bytes = strlen(format) + 1, name_bytes = strlen(name) + 1;
    size_t bytes = sizeof(struct schema_private) + metadata_bytes + format_bytes + name_bytes;
    struct schema_private *own = vf__alloc(ctx, 1, bytes);
    if (own == NULL) return vf__fail_memory(err, bytes);
    *own = (struct schema_private){.ctx = *ctx, .bytes = bytes};
    char *text = (char *)(own + 1); /* metadata first: some readers load its lengths in place */
    if (metadata_bytes > 0) memcpy(text, metadata, metadata_bytes);
    memcpy(text + metadata_bytes, format, format_bytes);
    memcpy(text + metadata_bytes + format_bytes, name, name_bytes);
    *out = (struct ArrowSchema){.format = text + metadata_bytes,
                                .name = text + metadata_bytes + format_bytes,
                                .metadata = metadata_bytes > 0 ? text : NULL,
                                .flags = ARROW_FLAG_NULLABLE,
                                .release = schema_release,
                                .private_data = own};
    return VF_OK;
}

enum vf_status vf__schema_new(const struct vf_context *ctx, const char *format, const char *name,
                              struct ArrowSchema *out, struct vf_error *err) {
    return schema_make(ctx, format, name, NULL, 0, out, err);
}

/* Metadata is a count of pairs and then each pair's two texts, every length an int32. False: a negative one. */
static bool metadata_size(const char *metadata, size_t *bytes) {
    int32_t n_pairs, length;
    *bytes = 0;
    if (metadata == NULL) return true;
    memcpy(&n_pairs, metadata, 4);
    *bytes = 4;
    for (int64_t i = 0; i < 2 * (int64_t)n_pairs; i++) {
        memcpy(&length, metadata + *bytes, 4);
        if (length < 0) return false;
        *bytes += 4 + (size_t)length;
    }
    return n_pairs >= 0;
}

enum vf_status vf__schema_copy(const struct vf_context *ctx, const struct ArrowSchema *schema,
                               struct ArrowSchema *out, struct vf_error *err) {
    struct ArrowSchema copy;
    size_t bytes;
    const char *name = schema->name != NULL ? schema->name : "";
    if (!metadata_size(schema->metadata, &bytes))
        return vf__fail(err, VF_ERROR_ARROW, name, -1, "column \"%s\": malformed Arrow metadata", name);
    enum vf_status status = schema_make(ctx, schema->format, name, schema->metadata, bytes, &copy, err);
    if (status != VF_OK) return status;
    copy.flags = schema->flags | ARROW_FLAG_NULLABLE;
    if (schema->dictionary != NULL) {
        struct ArrowSchema *dictionary = vf__alloc(ctx, 1, sizeof *dictionary);
        status = dictionary == NULL ? vf__fail_memory(err, sizeof *dictionary)
                                    : vf__schema_copy(ctx, schema->dictionary, dictionary, err);
        if (status != VF_OK) {
            vf__free(ctx, dictionary, 1, sizeof *dictionary);
            copy.release(&copy);
            return status;
        }
        copy.dictionary = dictionary;
    }
    *out = copy;
    return VF_OK;
}

/* ---- arrays ---- */

struct owned {
    void *block; /* NULL where the buffer is borrowed */
    size_t bytes;
};

struct array_private {
    struct vf_context ctx;
    void *owner;
    void (*release_owner)(void *owner);
    int64_t n_buffers;
    struct owned *owned; /* n_buffers of each, in this block */
    const void **buffers;
};

static size_t private_bytes(int64_t n_buffers) {
    return sizeof(struct array_private) + (size_t)n_buffers * (sizeof(struct owned) + sizeof(void *));
}

static void array_release(struct ArrowArray *array) {
    struct array_private *own = array->private_data;
    struct vf_context ctx = own->ctx;
    for (int64_t i = 0; i < own->n_buffers; i++)
        vf__free(&ctx, own->owned[i].block, 1, own->owned[i].bytes);
    if (array->dictionary != NULL) {
        if (array->dictionary->release != NULL) array->dictionary->release(array->dictionary);
        vf__free(&ctx, array->dictionary, 1, sizeof *array->dictionary);
    }
    if (own->release_owner != NULL) own->release_owner(own->owner);
    vf__free(&ctx, own, 1, private_bytes(own->n_buffers));
    array->release = NULL;
}

enum vf_status vf__array_new(const struct vf_context *ctx, int64_t n_buffers, int64_t length,
                             struct ArrowArray *out, struct vf_error *err) {
    if (n_buffers < 0 || n_buffers > INT32_MAX)
        return vf__fail(err, VF_ERROR_ARROW, NULL, -1, "%lld buffers in one array", (long long)n_buffers);
    struct array_private *own = vf__zalloc(ctx, 1, private_bytes(n_buffers));
    if (own == NULL) return vf__fail_memory(err, private_bytes(n_buffers));
    own->ctx = *ctx;
    own->n_buffers = n_buffers;
    own->owned = (struct owned *)(own + 1);
    own->buffers = (const void **)(own->owned + n_buffers);
    *out = (struct ArrowArray){.length = length,
                               .n_buffers = n_buffers,
                               .buffers = own->buffers,
                               .release = array_release,
                               .private_data = own};
    return VF_OK;
}

void *vf__array_buffer(struct ArrowArray *array, int64_t index, size_t bytes, bool zero) {
    struct array_private *own = array->private_data;
    void *block = zero ? vf__zalloc(&own->ctx, 1, bytes) : vf__alloc(&own->ctx, 1, bytes);
    if (block == NULL) return NULL;
    own->owned[index] = (struct owned){.block = block, .bytes = bytes};
    own->buffers[index] = block;
    return block;
}

void vf__array_borrow(struct ArrowArray *array, int64_t index, const void *buffer) {
    struct array_private *own = array->private_data;
    own->buffers[index] = buffer;
}

void vf__array_own(struct ArrowArray *array, void *owner, void (*release_owner)(void *owner)) {
    struct array_private *own = array->private_data;
    own->owner = owner;
    own->release_owner = release_owner;
}

/* ---- columns ---- */

void vf_column_release(struct vf_column *column) {
    if (column == NULL) return;
    if (column->array.release != NULL) column->array.release(&column->array);
    if (column->schema.release != NULL) column->schema.release(&column->schema);
    memset(column, 0, sizeof *column);
}

enum vf_status vf__column_new(const struct vf_context *ctx, const char *format, const char *name, int64_t n,
                              uint32_t width, bool nullable, struct vf_column *out, void **values,
                              uint8_t **validity, struct vf_error *err) {
    struct vf_column column = {0};
    size_t bits = vf__bitmap_bytes(n), bytes = bits;
    enum vf_status status = VF_OK;
    if (width != 0 && !vf__mul_size((size_t)n, width, &bytes)) return vf__fail_memory(err, SIZE_MAX);
    status = vf__schema_new(ctx, format, name, &column.schema, err);
    if (status == VF_OK) status = vf__array_new(ctx, 2, n, &column.array, err);
    if (status != VF_OK) goto done;
    *values = vf__array_buffer(&column.array, 1, bytes, width == 0);
    *validity = nullable ? vf__array_buffer(&column.array, 0, bits, false) : NULL;
    if (*values == NULL || (nullable && *validity == NULL)) {
        status = vf__fail_memory(err, bytes);
        goto done;
    }
    if (nullable) memset(*validity, 0xff, bits);
    *out = column;
done:
    if (status != VF_OK) vf_column_release(&column);
    return status;
}

static int64_t count_zeros(const uint8_t *bits, int64_t n) {
    int64_t ones = 0, whole = n / 8;
    for (int64_t i = 0; i < whole; i++) {
        uint8_t b = bits[i];
        b = (uint8_t)(b - ((b >> 1) & 0x55));
        b = (uint8_t)((b & 0x33) + ((b >> 2) & 0x33));
        ones += (b + (b >> 4)) & 0x0f;
    }
    for (int64_t i = whole * 8; i < n; i++)
        ones += vf__bit(bits, i);
    return n - ones;
}

void vf__column_done(struct vf_column *column) {
    struct ArrowArray *array = &column->array;
    struct array_private *own = array->private_data;
    array->null_count = 0;
    if (array->buffers[0] == NULL) return;
    array->null_count = count_zeros(array->buffers[0], array->length);
    if (array->null_count > 0) return;
    vf__free(&own->ctx, own->owned[0].block, 1, own->owned[0].bytes);
    own->owned[0] = (struct owned){0};
    own->buffers[0] = NULL;
}

enum vf_status vf__column_give(enum vf_status status, struct vf_column *column, struct vf_column *out) {
    if (status != VF_OK) {
        vf_column_release(column);
        return status;
    }
    vf__column_done(column);
    *out = *column;
    return VF_OK;
}

void vf__validity_clear(uint8_t *validity, int64_t row, int64_t n, const uint8_t *ok) {
    int64_t i = 0;
    for (; i < n && (row + i) % 8 != 0; i++)
        if (!ok[i]) vf__bit_clear(validity, row + i);
    for (uint8_t *byte = validity + (row + i) / 8; i + 8 <= n; i += 8)
        *byte++ &= vf__bits_of_flags(ok + i);
    for (; i < n; i++)
        if (!ok[i]) vf__bit_clear(validity, row + i);
}

enum vf_status vf__texts_new(const struct vf_context *ctx, bool utf8, const char *name, size_t n, size_t bytes,
                             struct vf_column *out, uint8_t **validity, int64_t **offsets, uint8_t **data,
                             struct vf_error *err) {
    struct vf_column column = {0};
    enum vf_status status = vf__schema_new(ctx, utf8 ? "U" : "Z", name, &column.schema, err);
    if (status == VF_OK) status = vf__array_new(ctx, 3, (int64_t)n, &column.array, err);
    if (status != VF_OK) goto done;
    *validity = vf__array_buffer(&column.array, 0, vf__bitmap_bytes((int64_t)n), true);
    *offsets = vf__array_buffer(&column.array, 1, (n + 1) * sizeof **offsets, true);
    *data = vf__array_buffer(&column.array, 2, bytes, false);
    if (*validity == NULL || *offsets == NULL || *data == NULL)
        status = vf__fail_memory(err, (n + 1) * sizeof **offsets + bytes);
done:
    if (status == VF_OK)
        *out = column;
    else
        vf_column_release(&column);
    return status;
}
