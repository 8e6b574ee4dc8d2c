/* The row-expanding step over one column of any type that a trade frame may carry.
   Not for what the counts mean: vf_fifo_emit, or the caller, made them. */
#include "arrow/build.h"
#include "arrow/read.h"
#include "arrow/repeat.h"

#define TASK_ROWS ((int64_t)VF__SIZED(1 << 16, 64, 1 << 24)) /* of output: whole words of every bitmap */

enum layout { NOTHING, FIXED, BITS, OFFSETS32, OFFSETS64, VIEWS, DICTIONARY };

struct chunk {
    const struct ArrowArray *array;
    int64_t first;        /* row */
    const uint8_t *valid; /* NULL: no nulls */
    int32_t shift;        /* of views' buffer numbers */
    uint32_t *keys;       /* dictionary keys to those of the common dictionary, or NULL: they stay */
    size_t n_keys;
};

struct expand {
    struct vf_context ctx;
    const struct vf_series *series;
    const char *name;
    enum layout layout;
    uint32_t width;
    struct vf__type type; /* not of types that are only carried along */
    struct chunk *chunks; /* those that have rows */
    size_t n_chunks;
    const uint32_t *counts;
    int64_t n, total;
    int64_t *rows;  /* the row that each task's output begins in ... */
    uint32_t *skip; /* ... and how often it was given before */
    int64_t *bytes;  /* of text before each task's */
    int64_t n_texts; /* of views: text buffers of all chunks */
    bool *broken;    /* a task met a view or a key that names nothing */
    size_t n_tasks;
    uint8_t *values, *validity, *text;
};

/* ---- types ---------------------------------------------------------------------------------------------------- */

/* Digits, then `after`; -1 where that is not what stands there. */
static int64_t number(const char **at, char after) {
    int64_t value = 0;
    if (**at < '0' || **at > '9') return -1;
    for (; **at >= '0' && **at <= '9'; (*at)++)
        if (value < INT32_MAX) value = value * 10 + (**at - '0');
    return *(*at)++ == after ? value : -1;
}

/* "d:precision,scale" and, where they are not 128, ",bits". */
static bool decimal_type(const char *f, uint32_t *width) {
    if (number(&f, ',') < 0) return false;
    if (*f == '-') f++; /* scales may be negative */
    bool has_bits = strchr(f, ',') != NULL;
    if (number(&f, has_bits ? ',' : '\0') < 0) return false;
    int64_t bits = has_bits ? number(&f, '\0') : 128;
    *width = (uint32_t)(bits / 8);
    return bits == 32 || bits == 64 || bits == 128 || bits == 256;
}

/* Types the other operations do not read, but that a frame may carry along. */
static bool carried_type(const char *f, uint32_t *width) {
    if (strcmp(f, "e") == 0) return *width = 2, true;
    if (strcmp(f, "tiM") == 0) return *width = 4, true;
    if (strcmp(f, "tiD") == 0) return *width = 8, true;
    if (strcmp(f, "tin") == 0) return *width = 16, true;
    if (strncmp(f, "d:", 2) == 0) return decimal_type(f + 2, width);
    if (strncmp(f, "w:", 2) != 0) return false;
    f += 2;
    int64_t bytes = number(&f, '\0');
    *width = (uint32_t)bytes;
    return bytes > 0 && bytes <= 1 << 20;
}

static enum vf_status find_layout(struct expand *e, struct vf_error *err) {
    const struct ArrowSchema *schema = e->series->schema;
    if (schema != NULL && schema->format != NULL && schema->dictionary == NULL && schema->n_children == 0 &&
        carried_type(schema->format, &e->width)) {
        e->layout = FIXED;
        return VF_OK;
    }
    enum vf_status status = vf__type_parse(schema, &e->type, err);
    if (status != VF_OK) return status;
    const struct vf__type *type = &e->type;
    e->width = type->dictionary ? type->index_width : type->width;
    if (type->dictionary)
        e->layout = DICTIONARY;
    else if (type->kind == VF__NULL)
        e->layout = NOTHING;
    else if (type->kind == VF__BOOL)
        e->layout = BITS;
    else if (type->kind != VF__TEXT)
        e->layout = FIXED;
    else if (type->layout == VF__VIEWS)
        e->layout = VIEWS;
    else
        e->layout = type->layout == VF__OFFSETS64 ? OFFSETS64 : OFFSETS32;
    return VF_OK;
}

/* ---- chunks ----------------------------------------------------------------------------------------------------- */

static enum vf_status malformed(const struct expand *e, const char *what, struct vf_error *err) {
    return vf__fail(err, VF_ERROR_ARROW, e->name, -1, "column \"%s\": malformed Arrow array: %s", e->name,
                    what);
}

static enum vf_status check_chunk(const struct expand *e, const struct ArrowArray *a, struct vf_error *err) {
    static const int64_t needs[] = {[NOTHING] = 0,   [FIXED] = 2, [BITS] = 2,      [OFFSETS32] = 3,
                                    [OFFSETS64] = 3, [VIEWS] = 3, [DICTIONARY] = 2};
    enum vf_status status = vf__array_check(e->name, a, needs[e->layout], e->layout == VIEWS, e->width, err);
    if (status != VF_OK || e->layout != DICTIONARY) return status;
    return vf__values_check(e->name, a->dictionary, &e->type, err);
}

static enum vf_status find_chunks(struct expand *e, struct vf_error *err) {
    e->chunks = vf__zalloc(&e->ctx, e->series->n_chunks, sizeof *e->chunks);
    if (e->chunks == NULL) return vf__fail_memory(err, e->series->n_chunks * sizeof *e->chunks);
    if (e->series->chunks == NULL && e->series->n_chunks > 0) return malformed(e, "the chunks are missing", err);
    int64_t row = 0;
    for (size_t c = 0; c < e->series->n_chunks; c++) {
        const struct ArrowArray *a = e->series->chunks[c];
        enum vf_status status = check_chunk(e, a, err);
        if (status != VF_OK) return status;
        if (a->length == 0) continue;
        e->chunks[e->n_chunks++] =
            (struct chunk){.array = a,
                           .first = row,
                           .valid = e->layout != NOTHING && a->null_count != 0 ? a->buffers[0] : NULL};
        if (!vf__add_i64(row, a->length, &row)) return malformed(e, "the chunks' lengths overflow", err);
    }
    if (row == e->n) return VF_OK;
    return vf__fail(err, VF_ERROR_ARGUMENT, e->name, -1,
                    "column \"%s\" has %lld rows and %lld counts were given", e->name, (long long)row,
                    (long long)e->n);
}

/* ---- tasks ---------------------------------------------------------------------------------------------------------- */

static enum vf_status cut_tasks(struct expand *e, struct vf_error *err) {
    for (int64_t i = 0; i < e->n; i++)
        e->total += e->counts[i];
    e->n_tasks = (size_t)((e->total + TASK_ROWS - 1) / TASK_ROWS);
    e->rows = vf__alloc(&e->ctx, e->n_tasks, sizeof *e->rows);
    e->skip = vf__alloc(&e->ctx, e->n_tasks, sizeof *e->skip);
    e->bytes = vf__zalloc(&e->ctx, e->n_tasks + 1, sizeof *e->bytes);
    e->broken = vf__zalloc(&e->ctx, e->n_tasks, sizeof *e->broken);
    if (e->rows == NULL || e->skip == NULL || e->bytes == NULL || e->broken == NULL)
        return vf__fail_memory(err, e->n_tasks * sizeof *e->rows);
    int64_t place = 0;
    size_t task = 0;
    for (int64_t i = 0; i < e->n && task < e->n_tasks; i++) {
        for (; task < e->n_tasks && (int64_t)task * TASK_ROWS < place + e->counts[i]; task++) {
            e->rows[task] = i;
            e->skip[task] = (uint32_t)((int64_t)task * TASK_ROWS - place);
        }
        place += e->counts[i];
    }
    return VF_OK;
}

/* The stretches of one task: rows of one chunk each. */
struct stretch {
    const struct chunk *chunk;
    int64_t start; /* row within the chunk */
    int64_t n;
    uint32_t skip;
    int64_t place, room; /* of output */
};

static int64_t task_room(const struct expand *e, size_t task) {
    int64_t place = (int64_t)task * TASK_ROWS;
    return e->total - place < TASK_ROWS ? e->total - place : TASK_ROWS;
}

static const struct chunk *chunk_of(const struct expand *e, int64_t row) {
    size_t low = 0, high = e->n_chunks;
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        if (e->chunks[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return &e->chunks[low];
}

static struct stretch first_stretch(const struct expand *e, size_t task) {
    const struct chunk *chunk = chunk_of(e, e->rows[task]);
    int64_t start = e->rows[task] - chunk->first;
    return (struct stretch){.chunk = chunk,
                            .start = start,
                            .n = chunk->array->length - start,
                            .skip = e->skip[task],
                            .place = (int64_t)task * TASK_ROWS,
                            .room = task_room(e, task)};
}

static void next_stretch(struct stretch *s, int64_t given) {
    s->place += given;
    s->room -= given;
    if (s->room == 0) return;
    s->chunk++;
    s->start = 0;
    s->n = s->chunk->array->length;
    s->skip = 0;
}

static const uint32_t *counts_of(const struct expand *e, const struct stretch *s) {
    return e->counts + s->chunk->first + s->start;
}

static int64_t texts_of(const struct chunk *c) { /* of views */
    return c->array->n_buffers - 3;
}

/* ---- kernels, task by task -------------------------------------------------------------------------------------------- */

static void bits_task(const struct expand *e, size_t task, bool values, uint8_t *out) {
    struct vf__bit_writer w = {.out = out + task * (TASK_ROWS / 8)};
    int64_t given;
    for (struct stretch s = first_stretch(e, task); s.room > 0; next_stretch(&s, given)) {
        const uint8_t *bits = values ? s.chunk->array->buffers[1] : s.chunk->valid;
        given = vf__repeat_bits(bits, s.chunk->array->offset + s.start, counts_of(e, &s), s.n, s.skip, &w,
                                s.room);
    }
    vf__bits_flush(&w);
}

static void values_task(const struct expand *e, size_t task) {
    int64_t given;
    for (struct stretch s = first_stretch(e, task); s.room > 0; next_stretch(&s, given)) {
        int64_t at = s.chunk->array->offset + s.start;
        const uint8_t *in = (const uint8_t *)s.chunk->array->buffers[1] + (size_t)at * e->width;
        uint8_t *out = e->values + (size_t)s.place * e->width;
        const uint32_t *counts = counts_of(e, &s);
        bool alone = e->layout == VIEWS && texts_of(s.chunk) == e->n_texts; /* every text is its own: nothing to shift */
        if (e->layout == VIEWS && (!alone || s.chunk->valid != NULL))
            given = vf__repeat_views(in, s.chunk->valid, at, (uint32_t)texts_of(s.chunk), (uint32_t)s.chunk->shift,
                                     counts, s.n, s.skip, out, s.room);
        else if (s.chunk->keys != NULL)
            given = vf__repeat_keys(e->width, in, s.chunk->valid, at, s.chunk->keys, s.chunk->n_keys, counts,
                                    s.n, s.skip, out, s.room);
        else
            given = vf__repeat_fixed(e->width, in, counts, s.n, s.skip, out, s.room);
        if (given < 0) {
            e->broken[task] = true;
            return;
        }
    }
}

static void run_task(void *arg, size_t task) {
    const struct expand *e = arg;
    size_t place = task * (size_t)TASK_ROWS, n = (size_t)task_room(e, task);
    if (e->layout != BITS && e->values != NULL) vf__touch(e->values + place * e->width, n * e->width);
    if (e->validity != NULL) bits_task(e, task, false, e->validity);
    if (e->layout == BITS)
        bits_task(e, task, true, e->values);
    else if (e->values != NULL)
        values_task(e, task);
}

/* ---- strings with offsets ------------------------------------------------------------------------------------------------ */

static void text_bounds(const struct expand *e, const struct ArrowArray *a, int64_t at, int64_t *from,
                        int64_t *to) {
    int64_t wide[2];
    int32_t narrow[2]; /* copied: offsets need not be aligned */
    if (e->layout == OFFSETS64) {
        memcpy(wide, (const uint8_t *)a->buffers[1] + (size_t)at * 8, sizeof wide);
        *from = wide[0];
        *to = wide[1];
    } else {
        memcpy(narrow, (const uint8_t *)a->buffers[1] + (size_t)at * 4, sizeof narrow);
        *from = narrow[0];
        *to = narrow[1];
    }
}

static void put_offset(const struct expand *e, int64_t place, int64_t offset) {
    if (e->layout == OFFSETS64)
        ((int64_t *)(void *)e->values)[place] = offset;
    else
        ((int32_t *)(void *)e->values)[place] = (int32_t)offset;
}

/* copy false: only adds up the bytes. -1: malformed offsets. */
static int64_t text_stretch(const struct expand *e, const struct stretch *s, int64_t offset, bool copy) {
    const uint32_t *counts = counts_of(e, s);
    const struct ArrowArray *a = s->chunk->array;
    int64_t given = 0, from, to;
    for (int64_t i = 0; i < s->n && given < s->room; i++) {
        int64_t times = (int64_t)counts[i] - (i == 0 ? s->skip : 0);
        if (times > s->room - given) times = s->room - given;
        text_bounds(e, a, a->offset + s->start + i, &from, &to);
        if (from < 0 || to < from || (to > from && a->buffers[2] == NULL)) return -1;
        if (!vf__valid(s->chunk->valid, a->offset + s->start + i)) to = from;
        for (int64_t k = 0; copy && k < times; k++) {
            put_offset(e, s->place + given + k, offset + k * (to - from));
            if (to > from)
                memcpy(e->text + offset + k * (to - from), (const uint8_t *)a->buffers[2] + from,
                       (size_t)(to - from));
        }
        offset += times * (to - from);
        given += times;
    }
    return offset;
}

static int64_t text_given(const struct expand *e, const struct stretch *s) {
    const uint32_t *counts = counts_of(e, s);
    int64_t given = -(int64_t)s->skip;
    for (int64_t i = 0; i < s->n && given < s->room; i++)
        given += counts[i];
    return given < s->room ? given : s->room;
}

static void measure_text(void *arg, size_t task) {
    struct expand *e = arg;
    int64_t bytes = 0;
    for (struct stretch s = first_stretch(e, task); s.room > 0 && bytes >= 0;
         next_stretch(&s, text_given(e, &s)))
        bytes = text_stretch(e, &s, bytes, false);
    e->bytes[task + 1] = bytes;
}

static void copy_text(void *arg, size_t task) {
    const struct expand *e = arg;
    int64_t offset = e->bytes[task];
    for (struct stretch s = first_stretch(e, task); s.room > 0; next_stretch(&s, text_given(e, &s)))
        offset = text_stretch(e, &s, offset, true);
    if (e->validity != NULL) bits_task(e, task, false, e->validity);
}

static enum vf_status expand_text(struct expand *e, struct ArrowArray *array, struct vf_error *err) {
    size_t width = e->layout == OFFSETS64 ? 8 : 4;
    vf__parallel(&e->ctx, e->n_tasks, measure_text, e);
    for (size_t task = 0; task < e->n_tasks; task++) {
        if (e->bytes[task + 1] < 0) return malformed(e, "string offsets", err);
        if (!vf__add_i64(e->bytes[task], e->bytes[task + 1], &e->bytes[task + 1]))
            return vf__fail(err, VF_ERROR_OVERFLOW, e->name, -1, "column \"%s\": too much text", e->name);
    }
    int64_t bytes = e->bytes[e->n_tasks];
    if (e->layout == OFFSETS32 && bytes > INT32_MAX)
        return vf__fail(
            err, VF_ERROR_OVERFLOW, e->name, -1,
            "column \"%s\": %lld bytes of text do not fit 32-bit offsets; expand fewer rows at a time, or "
            "cast to large_string or string_view",
            e->name, (long long)bytes);
    e->values = vf__array_buffer(array, 1, ((size_t)e->total + 1) * width, false);
    e->text = vf__array_buffer(array, 2, (size_t)bytes, false);
    if (e->values == NULL || e->text == NULL)
        return vf__fail_memory(err, (size_t)bytes + (size_t)e->total * width);
    put_offset(e, e->total, bytes);
    vf__parallel(&e->ctx, e->n_tasks, copy_text, e);
    return VF_OK;
}

/* ---- views --------------------------------------------------------------------------------------------------------------- */

static bool same_texts(const struct chunk *a, const struct chunk *b) {
    if (texts_of(a) != texts_of(b)) return false;
    for (int64_t k = 0; k < texts_of(a); k++)
        if (a->array->buffers[2 + k] != b->array->buffers[2 + k]) return false;
    return true;
}

/* Where each chunk's text buffers stand among all; slices of one array share theirs. */
static int64_t number_texts(struct expand *e) {
    int64_t n = 0, start = 0;
    for (size_t c = 0; c < e->n_chunks; c++) {
        if (c > 0 && same_texts(&e->chunks[c - 1], &e->chunks[c])) {
            e->chunks[c].shift = e->chunks[c - 1].shift;
            continue;
        }
        start = n;
        n += texts_of(&e->chunks[c]);
        if (n > INT32_MAX - 3) return -1;
        e->chunks[c].shift = (int32_t)start;
    }
    return n;
}

static enum vf_status new_views(struct expand *e, struct ArrowArray *array, struct vf_error *err) {
    int64_t n = e->n_texts = number_texts(e);
    if (n < 0)
        return vf__fail(err, VF_ERROR_OVERFLOW, e->name, -1, "column \"%s\": too many text buffers", e->name);
    enum vf_status status = vf__array_new(&e->ctx, n + 3, e->total, array, err);
    if (status != VF_OK) return status;
    int64_t *sizes = vf__array_buffer(array, n + 2, (size_t)n * sizeof *sizes, true);
    if (sizes == NULL) return vf__fail_memory(err, (size_t)n * sizeof *sizes);
    for (size_t c = 0; c < e->n_chunks; c++) {
        const struct chunk *chunk = &e->chunks[c];
        int64_t n_texts = texts_of(chunk);
        for (int64_t k = 0; k < n_texts; k++)
            vf__array_borrow(array, 2 + chunk->shift + k, chunk->array->buffers[2 + k]);
        if (n_texts > 0)
            memcpy(sizes + chunk->shift, chunk->array->buffers[2 + n_texts], (size_t)n_texts * sizeof *sizes);
    }
    return VF_OK;
}

/* ---- dictionaries ---------------------------------------------------------------------------------------------------------- */

static bool same_dictionary(const struct ArrowArray *a, const struct ArrowArray *b) {
    if (a == b) return true;
    if (a->length != b->length || a->offset != b->offset || a->n_buffers != b->n_buffers) return false;
    if (a->buffers == NULL || b->buffers == NULL) return a->buffers == b->buffers; /* of no values */
    for (int64_t k = 0; k < a->n_buffers; k++) {
        bool sizes =
            a->n_buffers > 3 && k == a->n_buffers - 1; /* of views: may be made anew for each export */
        if (!sizes && a->buffers[k] != b->buffers[k]) return false;
    }
    return true;
}

static bool one_dictionary(const struct expand *e) {
    for (size_t c = 1; c < e->n_chunks; c++)
        if (!same_dictionary(e->chunks[0].array->dictionary, e->chunks[c].array->dictionary)) return false;
    return true;
}

/* An array that shows what `source` holds and owns none of it. */
static enum vf_status borrow_array(const struct vf_context *ctx, const struct ArrowArray *source,
                                   struct ArrowArray *out, struct vf_error *err) {
    enum vf_status status = vf__array_new(ctx, source->n_buffers, source->length, out, err);
    if (status != VF_OK) return status;
    out->offset = source->offset;
    out->null_count = source->null_count;
    for (int64_t k = 0; source->buffers != NULL && k < source->n_buffers; k++)
        vf__array_borrow(out, k, source->buffers[k]);
    return VF_OK;
}

/* Adds one chunk's dictionary to the common one. */
static enum vf_status add_dictionary(struct expand *e, struct chunk *chunk, struct vf__keys *common,
                                     struct vf_error *err) {
    const struct ArrowArray *dictionary = chunk->array->dictionary;
    const struct vf_series series = {
        .schema = e->series->schema->dictionary, .chunks = &dictionary, .n_chunks = 1};
    struct vf__reader reader;
    enum vf_status status = vf__reader_open(&reader, &series, err);
    if (status != VF_OK) return status;
    chunk->n_keys = (size_t)reader.n_rows;
    chunk->keys = vf__alloc(&e->ctx, chunk->n_keys, sizeof *chunk->keys);
    if (chunk->keys == NULL) return vf__fail_memory(err, chunk->n_keys * sizeof *chunk->keys);
    status = vf__read_keys(&reader, 0, reader.n_rows, common, chunk->keys, err);
    for (size_t k = 0; status == VF_OK && k < chunk->n_keys; k++)
        if (chunk->keys[k] == VF__NO_KEY)
            status = vf__fail(
                err, VF_ERROR_TYPE, e->name, -1,
                "column \"%s\" has chunks with dictionaries of their own, one of which holds a null; cast "
                "it to String first",
                e->name);
    return status;
}

/* The common dictionary in the layout of the schema's. */
static enum vf_status build_dictionary(struct expand *e, const struct vf__keys *common,
                                       const struct vf__type *type, struct ArrowArray *out,
                                       struct vf_error *err) {
    size_t n = common->n, bytes = n > 0 ? (size_t)common->offsets[n] : 0;
    bool views = type->layout == VF__VIEWS;
    if (bytes > INT32_MAX && type->layout != VF__OFFSETS64)
        return vf__fail(err, VF_ERROR_OVERFLOW, e->name, -1,
                        "column \"%s\": too much text in its dictionaries", e->name);
    enum vf_status status = vf__array_new(&e->ctx, views ? 4 : 3, (int64_t)n, out, err);
    if (status != VF_OK) return status;
    uint8_t *values = vf__array_buffer(out, 1, (n + !views) * type->width, true);
    uint8_t *text = vf__array_buffer(out, 2, bytes, false);
    int64_t *sizes = views ? vf__array_buffer(out, 3, sizeof *sizes, false) : NULL;
    if (values == NULL || text == NULL || (views && sizes == NULL)) return vf__fail_memory(err, bytes);
    if (bytes > 0) memcpy(text, common->text, bytes);
    if (views) *sizes = (int64_t)bytes;
    for (size_t k = 0; k < n; k++) {
        uint64_t from = common->offsets[k], to = common->offsets[k + 1];
        uint32_t length = (uint32_t)(to - from), offset = (uint32_t)from;
        if (!views) {
            uint32_t narrow = (uint32_t)to;
            memcpy(values + (k + 1) * type->width, type->width == 8 ? (void *)&to : (void *)&narrow,
                   type->width);
            continue;
        }
        memcpy(values + 16 * k, &length, 4);
        if (length <= 12) {
            if (length > 0) memcpy(values + 16 * k + 4, text + from, length);
        } else {
            memcpy(values + 16 * k + 4, text + from, 4);
            memcpy(values + 16 * k + 12, &offset, 4);
        }
    }
    return VF_OK;
}

static enum vf_status unify(struct expand *e, struct ArrowArray *out, struct vf_error *err) {
    const struct vf__type *type = &e->type;
    struct vf__keys common;
    enum vf_status status = VF_OK;
    if (type->kind != VF__TEXT)
        return vf__fail(
            err, VF_ERROR_TYPE, e->name, -1,
            "column \"%s\" has chunks with different dictionaries of %s; cast it to that type first", e->name,
            vf__type_name(type));
    vf__keys_init(&common, &e->ctx, true);
    for (size_t c = 0; status == VF_OK && c < e->n_chunks; c++)
        status = add_dictionary(e, &e->chunks[c], &common, err);
    uint64_t limit = type->index_width >= 4 ? UINT32_MAX : (UINT64_C(1) << (8 * type->index_width));
    if (type->index_signed) limit /= 2;
    if (status == VF_OK && common.n > limit)
        status = vf__fail(
            err, VF_ERROR_OVERFLOW, e->name, -1,
            "column \"%s\": the chunks' dictionaries hold %zu values together, more than its keys can "
            "number; cast it to String first",
            e->name, common.n);
    if (status == VF_OK) status = build_dictionary(e, &common, type, out, err);
    vf__keys_release(&common);
    return status;
}

static enum vf_status give_dictionary(struct expand *e, struct ArrowArray *array, struct vf_error *err) {
    if (e->n_chunks == 0 && e->series->n_chunks == 0)
        return vf__fail(err, VF_ERROR_ARROW, e->name, -1,
                        "column \"%s\": a dictionary column without a chunk", e->name);
    struct ArrowArray *dictionary = vf__zalloc(&e->ctx, 1, sizeof *dictionary);
    if (dictionary == NULL) return vf__fail_memory(err, sizeof *dictionary);
    array->dictionary = dictionary; /* released with the array, half made or not */
    const struct ArrowArray *any = e->n_chunks > 0 ? e->chunks[0].array : e->series->chunks[0];
    if (one_dictionary(e)) return borrow_array(&e->ctx, any->dictionary, dictionary, err);
    return unify(e, dictionary, err);
}

/* ---- the column ------------------------------------------------------------------------------------------------------------- */

static bool any_nulls(const struct expand *e) {
    for (size_t c = 0; c < e->n_chunks; c++)
        if (e->chunks[c].valid != NULL) return true;
    return false;
}

static enum vf_status make_array(struct expand *e, struct ArrowArray *array, struct vf_error *err) {
    bool text = e->layout == OFFSETS32 || e->layout == OFFSETS64;
    enum vf_status status = e->layout == VIEWS ? new_views(e, array, err)
                                               : vf__array_new(&e->ctx,
                                                               e->layout == NOTHING ? 0
                                                               : text               ? 3
                                                                                    : 2,
                                                               e->total, array, err);
    if (status != VF_OK || e->layout == NOTHING) return status;
    size_t bits = vf__bitmap_bytes(e->total), bytes = bits;
    if (any_nulls(e)) {
        e->validity = vf__array_buffer(array, 0, bits, false);
        if (e->validity == NULL) return vf__fail_memory(err, bits);
    }
    if (text) return expand_text(e, array, err);
    if (e->layout == DICTIONARY) status = give_dictionary(e, array, err);
    if (status != VF_OK) return status;
    if (e->layout != BITS && !vf__mul_size((size_t)e->total, e->width, &bytes))
        return vf__fail_memory(err, SIZE_MAX);
    e->values = vf__array_buffer(array, 1, bytes, false);
    if (e->values == NULL) return vf__fail_memory(err, bytes);
    vf__parallel(&e->ctx, e->n_tasks, run_task, e);
    for (size_t task = 0; task < e->n_tasks; task++)
        if (e->broken[task])
            return malformed(e, e->layout == VIEWS ? "a view names no text buffer" : "dictionary index", err);
    return VF_OK;
}

static void release(struct expand *e) {
    for (size_t c = 0; c < e->n_chunks; c++)
        vf__free(&e->ctx, e->chunks[c].keys, e->chunks[c].n_keys, sizeof *e->chunks[c].keys);
    vf__free(&e->ctx, e->chunks, e->series->n_chunks, sizeof *e->chunks);
    vf__free(&e->ctx, e->rows, e->n_tasks, sizeof *e->rows);
    vf__free(&e->ctx, e->skip, e->n_tasks, sizeof *e->skip);
    vf__free(&e->ctx, e->bytes, e->n_tasks + 1, sizeof *e->bytes);
    vf__free(&e->ctx, e->broken, e->n_tasks, sizeof *e->broken);
}

enum vf_status vf_column_expand(const struct vf_context *ctx, const struct vf_series *series,
                                const uint32_t *counts, int64_t n, void *owner,
                                void (*release_owner)(void *owner), struct vf_column *out,
                                struct vf_error *err) {
    if (series == NULL || n < 0 || (n > 0 && counts == NULL))
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no column or no counts were given");
    struct vf_column column = {0};
    struct expand e = {.ctx = vf__context(ctx),
                       .series = series,
                       .name = vf__schema_name(series->schema),
                       .counts = counts,
                       .n = n};
    enum vf_status status = find_layout(&e, err);
    if (status == VF_OK) status = find_chunks(&e, err);
    if (status == VF_OK) status = cut_tasks(&e, err);
    if (status == VF_OK) status = vf__schema_copy(&e.ctx, series->schema, &column.schema, err);
    if (status == VF_OK) status = make_array(&e, &column.array, err);
    release(&e);
    if (status != VF_OK) {
        vf_column_release(&column);
        return status;
    }
    if (e.layout == NOTHING)
        column.array.null_count = e.total;
    else
        vf__column_done(&column);
    vf__array_own(&column.array, owner, release_owner);
    *out = column;
    return VF_OK;
}
