/* Which side a row is on: patterns against text, numbers and booleans, a block at a time. The case of ASCII letters does
   not matter. Not for what a side does, nor for what looks like one and is not listed: api_doubt.c. */
#include "match/api_fifo.h"

#include <stdio.h>

#define INLINE_BYTES 12

/* ---- patterns -------------------------------------------------------------------------------------------------- */

static void make_view(struct vf__side_pattern *p) {
    uint8_t view[16] = {0}, mask[16] = {0};
    uint32_t length = (uint32_t)p->length;
    memcpy(view, &length, 4);
    memset(mask, 0xff, 4 + p->length);
    for (size_t i = 0; i < p->length; i++) { /* the bit that tells large letters from small ones is not looked at */
        if (vf__is_letter(p->text[i])) mask[4 + i] = 0xdf;
        view[4 + i] = p->text[i] & mask[4 + i];
    }
    memcpy(&p->low, view, 8);
    memcpy(&p->high, view + 8, 8);
    memcpy(&p->low_mask, mask, 8);
    memcpy(&p->high_mask, mask + 8, 8);
}

static bool same_value(const struct vf__side_pattern *a, const struct vf__side_pattern *b) {
    if ((a->text == NULL) != (b->text == NULL)) return false;
    if (a->text == NULL) return a->integer == b->integer;
    return vf__same_letters(a->text, a->length, b->text, b->length);
}

void vf__side_describe(const struct vf__side_pattern *p, char *out, size_t size) {
    if (p->text == NULL)
        (void)snprintf(out, size, "%lld", (long long)p->integer);
    else
        (void)snprintf(out, size, "\"%.*s\"", (int)(p->length < 40 ? p->length : 40), (const char *)p->text);
}

static enum vf_status add_pattern(struct vf__sides *sides, const struct vf_context *ctx,
                                  const struct vf_side *side, struct vf_error *err) {
    struct vf__side_pattern p = {.integer = side->integer,
                                 .code = side->entry ? VF__SIDE_ENTRY : VF__SIDE_EXIT};
    if (side->text != NULL) {
        p.length = side->length;
        if (p.length > INT32_MAX)
            return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "a side of %zu bytes", p.length);
        p.text = vf__alloc(ctx, p.length, 1);
        if (p.text == NULL) return vf__fail_memory(err, p.length);
        memcpy(p.text, side->text, p.length);
        if (p.length <= INLINE_BYTES)
            make_view(&p);
        else
            sides->any_long = true;
    }
    sides->patterns[sides->n++] = p;
    for (size_t k = 0; k + 1 < sides->n; k++) {
        if (!same_value(&sides->patterns[k], &p) || sides->patterns[k].code == p.code) continue;
        char text[64];
        vf__side_describe(&p, text, sizeof text);
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1,
                        "side %s is listed both as entry and as exit (the case of letters does not matter)", text);
    }
    return VF_OK;
}

enum vf_status vf__sides_init(struct vf__sides *sides, const struct vf_context *ctx,
                              const struct vf_fifo_options *options, struct vf_error *err) {
    bool has[2] = {false, false};
    for (size_t k = 0; options->sides != NULL && k < options->n_sides; k++)
        has[options->sides[k].entry] = true;
    if (!has[0] || !has[1])
        return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "no value is listed for the %s side",
                        has[1] ? "exit" : "entry");
    sides->patterns = vf__alloc(ctx, options->n_sides, sizeof *sides->patterns);
    if (sides->patterns == NULL) return vf__fail_memory(err, options->n_sides * sizeof *sides->patterns);
    sides->room = options->n_sides;
    for (size_t k = 0; k < options->n_sides; k++) {
        enum vf_status status = add_pattern(sides, ctx, &options->sides[k], err);
        if (status == VF_OK) continue;
        vf__sides_release(sides, ctx);
        return status;
    }
    return VF_OK;
}

void vf__sides_release(struct vf__sides *sides, const struct vf_context *ctx) {
    for (size_t k = 0; k < sides->n; k++)
        vf__free(ctx, sides->patterns[k].text, sides->patterns[k].length, 1);
    vf__free(ctx, sides->patterns, sides->room, sizeof *sides->patterns);
    sides->patterns = NULL;
    sides->n = sides->room = 0;
}

bool vf__sides_readable(const struct vf__type *type) {
    return type->kind == VF__TEXT || vf__type_is_number(type) || type->kind == VF__BOOL ||
           type->kind == VF__NULL;
}

/* ---- rows to codes ------------------------------------------------------------------------------------------------ */

static void match_views(const struct vf__sides *sides, const uint8_t *views, int64_t n, uint8_t *codes) {
    for (size_t k = 0; k < sides->n; k++) {
        const struct vf__side_pattern p = sides->patterns[k];
        if (p.text == NULL) continue;
        if (p.high_mask == 0) {
            for (int64_t i = 0; i < n; i++) {
                uint64_t low;
                memcpy(&low, views + 16 * i, 8);
                codes[i] |= (low & p.low_mask) == p.low ? p.code : 0;
            }
            continue;
        }
        for (int64_t i = 0; i < n; i++) {
            uint64_t low, high;
            memcpy(&low, views + 16 * i, 8);
            memcpy(&high, views + 16 * i + 8, 8);
            codes[i] |= (((low & p.low_mask) ^ p.low) | ((high & p.high_mask) ^ p.high)) == 0 ? p.code : 0;
        }
    }
}

/* The usual two values of up to four bytes in one go: a view's first eight bytes are its length and those. */
static bool match_two(const struct vf__sides *sides, const uint8_t *views, int64_t n, uint8_t *codes) {
    const struct vf__side_pattern a = sides->patterns[0], b = sides->patterns[sides->n - 1];
    if (sides->n != 2 || a.text == NULL || b.text == NULL || (a.high_mask | b.high_mask) != 0) return false;
    for (int64_t i = 0; i < n; i++) {
        uint64_t low;
        memcpy(&low, views + 16 * i, 8);
        uint8_t first = (low & a.low_mask) == a.low ? a.code : 0,
                second = (low & b.low_mask) == b.low ? b.code : 0;
        codes[i] = first | second;
    }
    return true;
}

static enum vf_status read_views(const struct vf__sides *sides, struct vf__reader *reader, int64_t row,
                                 int64_t n, struct vf__side_room *room, uint8_t *codes,
                                 struct vf_error *err) {
    const uint8_t *valid = NULL;
    if (reader->n_nulls != 0) {
        enum vf_status status = vf__read_valid(reader, row, n, room->valid, &valid, err);
        if (status != VF_OK) return status;
    }
    memset(codes, 0, (size_t)n);
    for (int64_t done = 0; done < n;) {
        struct vf__piece p = vf__reader_chunk(reader, row + done, n - done);
        const uint8_t *views =
            (const uint8_t *)p.array->buffers[1] + (size_t)(p.array->offset + p.start) * 16;
        if (!match_two(sides, views, p.n, codes + done)) match_views(sides, views, p.n, codes + done);
        done += p.n;
    }
    for (int64_t i = 0; valid != NULL && i < n; i++)
        codes[i] = (uint8_t)(codes[i] & -valid[i]);
    return VF_OK;
}

static uint8_t code_of_text(const struct vf__sides *sides, const struct vf__text *text) {
    for (size_t k = 0; k < sides->n; k++) {
        const struct vf__side_pattern *p = &sides->patterns[k];
        if (p->text != NULL && vf__same_letters(p->text, p->length, text->data, text->length)) return p->code;
    }
    return VF__SIDE_NONE;
}

static enum vf_status read_texts(const struct vf__sides *sides, struct vf__reader *reader, int64_t row,
                                 int64_t n, struct vf__side_room *room, uint8_t *codes,
                                 struct vf_error *err) {
    const uint8_t *valid;
    enum vf_status status = vf__read_text(reader, row, n, room->text, room->valid, &valid, err);
    for (int64_t i = 0; status == VF_OK && i < n; i++)
        codes[i] = valid == NULL || valid[i] ? code_of_text(sides, &room->text[i]) : (uint8_t)VF__SIDE_NONE;
    return status;
}

static enum vf_status read_integers(const struct vf__sides *sides, struct vf__reader *reader, int64_t row,
                                    int64_t n, struct vf__side_room *room, uint8_t *codes,
                                    struct vf_error *err) {
    const int64_t *values;
    const uint8_t *valid;
    enum vf_status status = vf__read_i64(reader, row, n, room->values, room->valid, &values, &valid, err);
    if (status != VF_OK) return status;
    memset(codes, 0, (size_t)n);
    for (size_t k = 0; k < sides->n; k++) {
        const struct vf__side_pattern p = sides->patterns[k];
        for (int64_t i = 0; p.text == NULL && i < n; i++)
            codes[i] |= values[i] == p.integer ? p.code : 0;
    }
    for (int64_t i = 0; valid != NULL && i < n; i++)
        codes[i] = (uint8_t)(codes[i] & -valid[i]);
    return VF_OK;
}

static enum vf_status read_floats(const struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                                  struct vf__side_room *room, uint8_t *codes, struct vf_error *err) {
    const double *values;
    const uint8_t *valid;
    enum vf_status status = vf__read_f64(reader, row, n, room->numbers, room->valid, &values, &valid, err);
    if (status != VF_OK) return status;
    memset(codes, 0, (size_t)n);
    for (size_t k = 0; k < sides->n; k++)
        for (int64_t i = 0; sides->patterns[k].text == NULL && i < n; i++)
            codes[i] |= vf__same_number(values[i], sides->patterns[k].integer) ? sides->patterns[k].code : 0;
    for (int64_t i = 0; valid != NULL && i < n; i++)
        codes[i] = (uint8_t)(codes[i] & -valid[i]);
    return VF_OK;
}

/* ---- dictionaries ------------------------------------------------------------------------------------------------- */

/* Sides of the dictionary's own values; false when there are too many of them or they cannot be read, and then the
   plain way says what is wrong. */
static bool learn_dictionary(struct vf__sides *sides, const struct ArrowSchema *schema,
                             const struct ArrowArray *dictionary, struct vf__side_room *room) {
    if (dictionary == sides->dictionary) return true;
    if (dictionary->length > VF__FIFO_DICTIONARY) return false;
    const struct vf_series series = {.schema = schema->dictionary, .chunks = &dictionary, .n_chunks = 1};
    struct vf__reader reader;
    sides->dictionary = NULL;
    if (vf__reader_open(&reader, &series, NULL) != VF_OK) return false;
    for (int64_t done = 0; done < reader.n_rows; done += VF__FIFO_BLOCK) {
        int64_t n = reader.n_rows - done < VF__FIFO_BLOCK ? reader.n_rows - done : VF__FIFO_BLOCK;
        if (read_texts(sides, &reader, done, n, room, sides->codes + done, NULL) != VF_OK) return false;
    }
    sides->dictionary = dictionary;
    return true;
}

#define LOOK_UP(type)                                                                                        \
    do {                                                                                                     \
        const uint8_t *from = (const uint8_t *)a->buffers[1] + (size_t)at * sizeof(type);                    \
        for (int64_t i = 0; i < n; i++) {                                                                    \
            type index; /* copied: keys need not be aligned */                                               \
            memcpy(&index, from + (size_t)i * sizeof index, sizeof index);                                   \
            uint64_t k = (uint64_t)index;                                                                    \
            codes[i] = k < size ? sides->codes[k] : 0;                                                       \
            beyond |= k >= size;                                                                             \
        }                                                                                                    \
    } while (0)

/* One chunk's rows; an index beyond the dictionary is only harmless at a null. */
static bool look_up(const struct vf__sides *sides, const struct vf__type *type, const struct ArrowArray *a,
                    int64_t at, int64_t n, uint8_t *codes) {
    uint64_t size = (uint64_t)a->dictionary->length;
    bool beyond = false;
    switch (type->index_width) {
    case 1:
        if (type->index_signed)
            LOOK_UP(int8_t);
        else
            LOOK_UP(uint8_t);
        break;
    case 2:
        if (type->index_signed)
            LOOK_UP(int16_t);
        else
            LOOK_UP(uint16_t);
        break;
    case 4:
        if (type->index_signed)
            LOOK_UP(int32_t);
        else
            LOOK_UP(uint32_t);
        break;
    default:
        LOOK_UP(uint64_t);
        break;
    }
    if (a->buffers[0] == NULL || a->null_count == 0) return !beyond;
    for (int64_t i = 0; i < n; i++)
        if (!vf__bit(a->buffers[0], at + i)) codes[i] = 0;
    return !beyond;
}

static bool read_dictionary(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                            struct vf__side_room *room, uint8_t *codes) {
    for (int64_t done = 0; done < n;) {
        struct vf__piece p = vf__reader_chunk(reader, row + done, n - done);
        const struct ArrowArray *a = p.array;
        if (!learn_dictionary(sides, reader->series->schema, a->dictionary, room)) return false;
        if (!look_up(sides, &reader->type, a, a->offset + p.start, p.n, codes + done)) return false;
        done += p.n;
    }
    return true;
}

enum vf_status vf__sides_read(struct vf__sides *sides, struct vf__reader *reader, int64_t row, int64_t n,
                              struct vf__side_room *room, uint8_t *codes, struct vf_error *err) {
    const struct vf__type *type = &reader->type;
    if (type->kind == VF__FLOAT) return read_floats(sides, reader, row, n, room, codes, err);
    if (type->kind != VF__TEXT) return read_integers(sides, reader, row, n, room, codes, err);
    if (type->dictionary && read_dictionary(sides, reader, row, n, room, codes)) return VF_OK;
    if (!type->dictionary && type->layout == VF__VIEWS && !sides->any_long)
        return read_views(sides, reader, row, n, room, codes, err);
    return read_texts(sides, reader, row, n, room, codes, err);
}
