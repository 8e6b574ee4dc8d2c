/* A cube as flat columns that a file can hold, and a cube over such columns, where they lie.
   Not for files: whoever calls brings and takes Arrow columns. */
#include "cube/api_cube.h"

#include "arrow/build.h"

#include <limits.h>

#define MAGIC INT64_C(0x5646435542450001) /* "VFCUBE" and the layout's version */
#define BLOCK VF__SIZED(1024, 8, 8192)
#define HEADER_FIRST 10
#define HEADER_AXIS 4
#define HEADER_STATE 2
#define HEADER_SUM 5

/* ---- which part is what ---------------------------------------------------------------------------------------------- */

enum part_kind {
    PART_HEADER,
    PART_AXIS,
    PART_RECORDS,
    PART_WORDS,
    PART_TAGS,
    PART_STARTS,
    PART_INDEX,
    PART_PLACE,
    PART_NONE
};

struct part {
    enum part_kind kind;
    size_t at, word; /* axis, or scan and its word */
};

static struct part part_of(enum part_kind kind, size_t at, size_t word) {
    return (struct part){kind, at, word};
}

/* PART_NONE past the last. The order is the file's. */
static struct part find_part(const struct vf_cube *cube, size_t number) {
    size_t n_axes = cube->n_axes;
    if (number == 0) return part_of(PART_HEADER, 0, 0);
    if (number <= n_axes) return part_of(PART_AXIS, number - 1, 0);
    if (number == n_axes + 1) return part_of(PART_RECORDS, 0, 0);
    number -= n_axes + 2;
    for (size_t s = 0; s < cube->store.n_scans; s++) {
        size_t words = vf__cube_scan_words(cube->store.scans[s].kind);
        if (number < words) return part_of(PART_WORDS, s, number);
        if (number == words) return part_of(PART_TAGS, s, 0);
        number -= words + 1;
    }
    if (cube->store.dense || number > n_axes) return part_of(PART_NONE, 0, 0);
    if (number == 0) return part_of(PART_STARTS, 0, 0);
    return number < n_axes ? part_of(PART_INDEX, number, 0) : part_of(PART_PLACE, 0, 0);
}

/* How an array's values are told, where they stand, and how many they are. */
static const void *array_of(const struct vf_cube *cube, const struct part *part, const char **format,
                            size_t *n) {
    const struct vf__cube_store *store = &cube->store;
    *n = store->n_rows;
    switch (part->kind) {
    case PART_WORDS:
        *format = "l";
        return store->scans[part->at].words[part->word];
    case PART_TAGS:
        *format = "C";
        return store->scans[part->at].tags;
    case PART_STARTS:
        *format = "L";
        *n = store->sparse.n_cells + 1;
        return store->sparse.starts;
    case PART_INDEX:
        *format = "I";
        *n = store->sparse.n_cells;
        return store->sparse.index[part->at];
    case PART_PLACE:
        *format = "I";
        return store->sparse.place;
    default:
        *format = "L";
        *n = store->n_rows * store->words;
        return store->records;
    }
}

size_t vf_cube_n_parts(const struct vf_cube *cube) {
    size_t n = 0;
    while (find_part(cube, n).kind != PART_NONE)
        n++;
    return n;
}

/* ---- given ---------------------------------------------------------------------------------------------------------------- */

/* A changed number of the header would be another width or another unit, and so another result. */
static int64_t check_sum(const int64_t *header, size_t n) {
    return (int64_t)vf__hash_bytes(header, n * sizeof *header);
}

static enum vf_status give_header(const struct vf_cube *cube, struct vf_column *out, struct vf_error *err) {
    size_t n =
        HEADER_FIRST + cube->n_axes * HEADER_AXIS + cube->n_states * HEADER_STATE + cube->n_sums * HEADER_SUM;
    n += 1; /* the sum over the others, last */
    void *values;
    uint8_t *validity;
    enum vf_status status =
        vf__column_new(&cube->ctx, "l", "header", (int64_t)n, 8, false, out, &values, &validity, err);
    if (status != VF_OK) return status;
    int64_t *to = values;
    const int64_t first[HEADER_FIRST] = {MAGIC,
                                         cube->store.dense,
                                         (int64_t)cube->n_axes,
                                         (int64_t)cube->n_states,
                                         (int64_t)cube->store.n_rows,
                                         (int64_t)cube->store.sparse.n_cells,
                                         (int64_t)cube->store.words,
                                         (int64_t)cube->n_sums,
                                         (int64_t)cube->present,
                                         cube->counts_rows};
    memcpy(to, first, sizeof first);
    to += HEADER_FIRST;
    for (size_t a = 0; a < cube->n_axes; a++, to += HEADER_AXIS) {
        const struct vf__cube_axis *axis = &cube->axes[a];
        to[0] = axis->text;
        to[1] = axis->utf8;
        to[2] = axis->has_null;
        to[3] = (int64_t)axis->length;
    }
    for (size_t s = 0; s < cube->n_states; s++, to += HEADER_STATE) {
        to[0] = cube->states[s].merge;
        to[1] = cube->states[s].is;
    }
    for (size_t i = 0; i < cube->n_sums; i++, to += HEADER_SUM) {
        const struct vf__cube_sum *sum = &cube->sums[i];
        to[0] = sum->offset;
        to[1] = sum->words;
        to[2] = sum->exponent;
        to[3] = sum->real;
        to[4] = sum->specials;
    }
    *to = check_sum(values, n - 1);
    return VF_OK;
}

static enum vf_status give_texts(const struct vf_cube *cube, const struct vf__cube_axis *axis,
                                 struct vf_column *out, struct vf_error *err) {
    size_t n = axis->length, bytes = 0, at = 0, length;
    uint8_t *validity, *data;
    int64_t *offsets;
    for (size_t i = axis->has_null; i < n; i++) {
        (void)vf__keys_text(&axis->keys, axis->sorted[i - axis->has_null], &length);
        bytes += length;
    }
    enum vf_status status = vf__texts_new(&cube->ctx, axis->utf8, axis->name, n, bytes, out, &validity, &offsets,
                                          &data, err);
    if (status != VF_OK) return status;
    for (size_t i = axis->has_null; i < n; i++) {
        const uint8_t *text = vf__keys_text(&axis->keys, axis->sorted[i - axis->has_null], &length);
        if (length > 0) memcpy(data + at, text, length);
        at += length;
        vf__bit_set(validity, (int64_t)i);
        offsets[i + 1] = (int64_t)at;
    }
    vf__column_done(out);
    return VF_OK;
}

static enum vf_status give_axis(const struct vf_cube *cube, size_t a, struct vf_column *out,
                                struct vf_error *err) {
    const struct vf__cube_axis *axis = &cube->axes[a];
    void *values;
    uint8_t *validity;
    if (axis->text) return give_texts(cube, axis, out, err);
    enum vf_status status = vf__column_new(&cube->ctx, "l", axis->name, (int64_t)axis->length, 8, true, out,
                                           &values, &validity, err);
    if (status != VF_OK) return status;
    int64_t *to = values;
    if (axis->has_null) {
        *to++ = 0;
        vf__bit_clear(validity, 0);
    }
    for (size_t i = 0; i < axis->length - axis->has_null; i++)
        to[i] = (int64_t)axis->keys.values[axis->sorted[i]];
    vf__column_done(out);
    return VF_OK;
}

enum vf_status vf_cube_axis(const struct vf_cube *cube, size_t axis, struct vf_column *out,
                            struct vf_error *err) {
    enum vf_status status = vf__cube_check_ready(cube, err);
    if (status != VF_OK) return status;
    if (axis >= cube->n_axes)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "axis %zu of %zu", axis, cube->n_axes);
    return give_axis(cube, axis, out, err);
}

static void let_go(void *cube) {
    vf_cube_close(cube);
}

enum vf_status vf_cube_part(const struct vf_cube *cube, size_t number, struct vf_column *out,
                            struct vf_error *err) {
    struct vf_column column = {0};
    enum vf_status status = vf__cube_check_ready(cube, err);
    if (status != VF_OK) return status;
    struct part part = find_part(cube, number);
    if (part.kind == PART_NONE)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "part %zu of %zu", number, vf_cube_n_parts(cube));
    if (part.kind == PART_HEADER) return give_header(cube, out, err);
    if (part.kind == PART_AXIS) return give_axis(cube, part.at, out, err);
    const char *format;
    size_t n;
    const void *values = array_of(cube, &part, &format, &n);
    status = vf__schema_new(&cube->ctx, format, "", &column.schema, err);
    if (status == VF_OK) status = vf__array_new(&cube->ctx, 2, (int64_t)n, &column.array, err);
    if (status != VF_OK) {
        vf_column_release(&column);
        return status;
    }
    struct vf_cube *shared = (struct vf_cube *)cube; /* its count of references changes, nothing else */
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
    vf__array_borrow(&column.array, 1, values);
    vf__array_own(&column.array, shared, let_go);
    *out = column;
    return VF_OK;
}

enum vf_status vf_cube_shape(const struct vf_cube *cube, struct vf_cube_shape *out, struct vf_error *err) {
    enum vf_status status = vf__cube_check_ready(cube, err);
    if (status != VF_OK) return status;
    *out = (struct vf_cube_shape){.layout = cube->store.dense ? VF_CUBE_DENSE : VF_CUBE_SPARSE,
                                  .n_rows = cube->store.n_rows};
    for (size_t i = 1 + cube->n_axes; i < vf_cube_n_parts(cube); i++) {
        struct part part = find_part(cube, i);
        const char *format;
        size_t n;
        (void)array_of(cube, &part, &format, &n);
        out->bytes += n * (*format == 'C' ? 1u : *format == 'I' ? 4u : 8u);
    }
    return VF_OK;
}

/* ---- attached ------------------------------------------------------------------------------------------------------------ */

static enum vf_status damaged(const char *what, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_DATA, NULL, -1, "the cube's %s is damaged, or of another version", what);
}

/* One chunk of the format asked for, without nulls; NULL and *n = 0 for no chunk. */
static enum vf_status flat(const struct vf_series *series, const char *format, const void **values, size_t *n,
                           struct vf_error *err) {
    struct vf__reader reader;
    enum vf_status status = vf__reader_open(&reader, series, err);
    if (status != VF_OK) return status;
    if (strcmp(reader.type.format, format) != 0 || reader.type.dictionary)
        return damaged("type of a part", err);
    *n = (size_t)reader.n_rows;
    *values = NULL;
    for (size_t c = 0; c < series->n_chunks; c++) {
        const struct ArrowArray *chunk = series->chunks[c];
        size_t width = *format == 'C' ? 1 : *format == 'I' ? 4 : 8;
        if (chunk->length == 0) continue;
        if ((size_t)chunk->length != *n) return damaged("part, which has more than one chunk,", err);
        if (chunk->null_count != 0 && chunk->buffers[0] != NULL)
            return damaged("part, which has nulls,", err);
        *values = (const char *)chunk->buffers[1] + (size_t)chunk->offset * width;
        if ((uintptr_t)*values % width != 0) return damaged("part, which is not aligned,", err);
    }
    return VF_OK;
}

struct header {
    const int64_t *values;
    size_t n;
};

/* A number of the header within bounds. */
static bool take(struct header *header, int64_t least, int64_t most, int64_t *out) {
    if (header->n == 0 || *header->values < least || *header->values > most) return false;
    *out = *header->values;
    header->values++;
    header->n--;
    return true;
}

static bool read_axis(struct header *h, struct vf__cube_axis *axis) {
    int64_t text, utf8, has_null, length;
    if (!take(h, 0, 1, &text) || !take(h, 0, 1, &utf8) || !take(h, 0, 1, &has_null) ||
        !take(h, has_null, UINT32_MAX - 1, &length))
        return false;
    axis->text = text != 0;
    axis->utf8 = utf8 != 0;
    axis->has_null = has_null != 0;
    axis->length = (size_t)length;
    return true;
}

static bool read_sum(struct header *h, struct vf__cube_sum *sum, bool real, size_t words) {
    int64_t offset, n, exponent, is_real, specials;
    if (!take(h, 0, (int64_t)words, &offset) || !take(h, 1, real ? VF__FIXED_WORDS : 2, &n) ||
        !take(h, real ? VF__FIXED_EXPONENT : 0, real ? 1023 : 0, &exponent) ||
        !take(h, real, real, &is_real) || !take(h, 0, real, &specials))
        return false;
    *sum = (struct vf__cube_sum){.offset = (uint32_t)offset,
                                 .words = (uint32_t)n,
                                 .exponent = (int32_t)exponent,
                                 .real = real,
                                 .specials = specials != 0};
    return (size_t)offset + vf__cube_sum_span(sum) <= words;
}

static bool read_states(struct header *h, struct vf_cube *cube) {
    int64_t merge, is;
    for (size_t s = 0; s < cube->n_states; s++) {
        struct vf__cube_state *state = &cube->states[s];
        if (!take(h, state->merge, state->merge, &merge) || !take(h, VF__CUBE_INT, VF__CUBE_FLOAT, &is))
            return false;
        state->is = (enum vf__cube_value)is;
        if (!vf__cube_adds(state->merge)) cube->store.scans[state->slot].kind = vf__cube_scan_of(state);
    }
    return true;
}

static bool read_sums(struct header *h, struct vf_cube *cube) {
    bool real[1025] = {false};
    for (size_t s = 0; s < cube->n_states; s++)
        if (vf__cube_adds(cube->states[s].merge))
            real[cube->states[s].slot] = cube->states[s].merge == VF_CUBE_ADD_FLOAT;
    for (size_t i = 0; i < cube->n_sums; i++)
        if (!read_sum(h, &cube->sums[i], real[i], cube->store.words)) return false;
    return !cube->sums[cube->present].real;
}

static enum vf_status read_header(struct vf_cube *cube, const struct vf_series *part, size_t n_adding,
                                  struct vf_error *err) {
    int64_t x[HEADER_FIRST];
    const void *values;
    struct header h;
    size_t n_words;
    enum vf_status status = flat(part, "l", &values, &h.n, err);
    if (status != VF_OK) return status;
    h.values = values;
    if (h.n == 0 || h.values[h.n - 1] != check_sum(h.values, h.n - 1)) return damaged("header", err);
    h.n--;
    const int64_t most[HEADER_FIRST] = {MAGIC,
                                        1,
                                        (int64_t)cube->n_axes,
                                        (int64_t)cube->n_states,
                                        INT64_MAX / 8,
                                        INT64_MAX / 8,
                                        INT64_C(1) << 20,
                                        (int64_t)n_adding + 1,
                                        (int64_t)n_adding,
                                        1};
    const int64_t least[HEADER_FIRST] = {MAGIC, 0, most[2], most[3], 0, 0, 1, (int64_t)n_adding, 0, 0};
    bool good = true;
    for (size_t i = 0; good && i < HEADER_FIRST; i++)
        good = take(&h, least[i], most[i], &x[i]);
    if (!good) return damaged("header", err);
    cube->store.dense = x[1] != 0;
    cube->store.n_rows = (size_t)x[4];
    cube->store.sparse.n_cells = (size_t)x[5];
    cube->store.sparse.n_rows = (size_t)x[4];
    cube->store.words = (size_t)x[6];
    cube->n_sums = (size_t)x[7];
    cube->present = (size_t)x[8];
    cube->counts_rows = x[9] != 0;
    good = cube->n_sums == n_adding + cube->counts_rows && cube->present < cube->n_sums &&
           x[4] <= INT64_MAX / 8 / x[6]; /* the records' bytes can be counted */
    for (size_t a = 0; good && a < cube->n_axes; a++)
        good = read_axis(&h, &cube->axes[a]);
    good = good && read_states(&h, cube) && read_sums(&h, cube) && h.n == 0;
    for (size_t a = 0; good && a < cube->n_axes; a++)
        cube->shape.length[a] = cube->axes[a].length;
    cube->shape.n_axes = cube->n_axes;
    good = good && vf__cube_shape_set(&cube->shape) &&
           vf__mul_size(cube->store.n_rows, cube->store.words, &n_words); /* else none would pass for all */
    if (good && cube->store.dense) good = cube->store.n_rows == cube->shape.n_cells;
    return good ? VF_OK : damaged("header", err);
}

static enum vf_status attach_axis(struct vf_cube *cube, size_t a, const struct vf_series *part,
                                  struct vf_error *err) {
    struct vf__cube_axis *axis = &cube->axes[a];
    struct vf__reader reader;
    uint32_t ids[BLOCK];
    enum vf_status status = vf__reader_open(&reader, part, err);
    if (status != VF_OK) return status;
    if ((size_t)reader.n_rows != axis->length || vf__reader_is_text(&reader) != axis->text ||
        reader.type.kind == VF__FLOAT)
        return damaged("axis", err);
    vf__keys_init(&axis->keys, &cube->ctx, axis->text);
    axis->name = vf__text_copy(&cube->ctx, reader.name);
    if (axis->name == NULL) return vf__fail_memory(err, strlen(reader.name));
    for (int64_t row = 0; row < reader.n_rows; row += BLOCK) {
        int64_t n = reader.n_rows - row < BLOCK ? reader.n_rows - row : BLOCK;
        status = vf__read_keys(&reader, row, n, &axis->keys, ids, err);
        if (status != VF_OK) return status;
        for (int64_t i = 0; i < n; i++) { /* each once, null first */
            bool null = axis->has_null && row + i == 0;
            if (ids[i] != (null ? VF__NO_KEY : (uint32_t)(row + i) - axis->has_null))
                return damaged("axis", err);
        }
    }
    axis->sorted = vf__alloc(&cube->ctx, axis->keys.n, sizeof *axis->sorted);
    if (axis->sorted == NULL) return vf__fail_memory(err, axis->keys.n * sizeof *axis->sorted);
    for (size_t i = 0; i < axis->keys.n; i++)
        axis->sorted[i] = (uint32_t)i;
    return VF_OK;
}

/* The arrays are read only; the store's pointers are not const because a cube that is made writes them. */
static void set_array(struct vf_cube *cube, const struct part *part, const void *values) {
    struct vf__cube_store *store = &cube->store;
    void *to = (void *)(uintptr_t)values;
    switch (part->kind) {
    case PART_WORDS:
        store->scans[part->at].words[part->word] = to;
        return;
    case PART_TAGS:
        store->scans[part->at].tags = to;
        return;
    case PART_STARTS:
        store->sparse.starts = to;
        return;
    case PART_INDEX:
        store->sparse.index[part->at] = to;
        return;
    case PART_PLACE:
        store->sparse.place = to;
        return;
    default:
        store->records = to;
        return;
    }
}

static enum vf_status check_sparse(const struct vf_cube *cube, struct vf_error *err) {
    const struct vf__cube_sparse *sparse = &cube->store.sparse;
    bool good = sparse->starts[0] == 0 && sparse->starts[sparse->n_cells] == sparse->n_rows;
    for (size_t cell = 0; good && cell < sparse->n_cells; cell++) {
        uint64_t start = sparse->starts[cell], end = sparse->starts[cell + 1];
        good = start < end && end <= sparse->n_rows;
        for (size_t a = 1; good && a < cube->n_axes; a++)
            good = sparse->index[a][cell] < cube->axes[a].length;
        for (uint64_t row = start; good && row < end; row++)
            good = sparse->place[row] < cube->axes[0].length &&
                   (row == start || sparse->place[row] > sparse->place[row - 1]);
    }
    return good ? VF_OK : damaged("index", err);
}

static enum vf_status attach_arrays(struct vf_cube *cube, const struct vf_series *parts, size_t n_parts,
                                    struct vf_error *err) {
    if (vf_cube_n_parts(cube) != n_parts) return damaged("number of parts", err);
    for (size_t i = 1 + cube->n_axes; i < n_parts; i++) {
        struct part part = find_part(cube, i);
        const char *format;
        const void *values;
        size_t n, found;
        (void)array_of(cube, &part, &format, &n);
        enum vf_status status = flat(&parts[i], format, &values, &found, err);
        if (status != VF_OK) return status;
        if (found != n) return damaged("number of cells", err);
        set_array(cube, &part, values);
        for (size_t row = 0; part.kind == PART_TAGS && row < n; row++)
            if (cube->store.scans[part.at].tags[row] > VF__TAG_OVERFLOW) return damaged("tags", err);
    }
    return cube->store.dense ? VF_OK : check_sparse(cube, err);
}

enum vf_status vf_cube_attach(const struct vf_context *ctx, const struct vf_cube_state *states,
                              size_t n_states, const struct vf_series *parts, size_t n_parts, void *owner,
                              void (*release_owner)(void *owner), struct vf_cube **out,
                              struct vf_error *err) {
    struct vf_context own = vf__context(ctx);
    struct vf_cube *cube = NULL;
    const void *header;
    size_t n = 0, n_adding = 0;
    if (n_parts < 1 || parts == NULL || release_owner == NULL)
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "%zu parts, or no one to own them", n_parts);
    enum vf_status status = flat(&parts[0], "l", &header, &n, err);
    if (status != VF_OK) return status;
    const int64_t *first = header;
    if (n < HEADER_FIRST || first[0] != MAGIC || first[2] < 1 || first[2] > VF__CUBE_MOST_AXES ||
        n_parts < 1 + (size_t)first[2])
        return damaged("header", err);
    status = vf__cube_new(&own, (size_t)first[2], states, n_states, &cube, err);
    if (status != VF_OK) return status;
    for (size_t s = 0; s < n_states; s++)
        n_adding += vf__cube_adds(states[s].merge);
    status = read_header(cube, &parts[0], n_adding, err);
    for (size_t a = 0; status == VF_OK && a < cube->n_axes; a++)
        status = attach_axis(cube, a, &parts[1 + a], err);
    if (status == VF_OK) status = attach_arrays(cube, parts, n_parts, err);
    if (status == VF_OK) status = vf__cube_set_pieces(cube, err);
    cube->release_owner = release_owner; /* from here on the arrays are not freed as the cube's own */
    cube->owner = owner;
    if (status != VF_OK) {
        static const struct vf__cube_store none;
        struct vf__cube_scan *scans = cube->store.scans;
        cube->store = none;
        cube->store.scans = scans;
        cube->release_owner = NULL;
        vf_cube_close(cube);
        return status;
    }
    cube->phase = VF__CUBE_READY;
    *out = cube;
    return VF_OK;
}
