/* Columns out of fuzz bytes, sound and malformed, and a slow reader of one value. Every buffer is a block of its own, of
   exactly the size that its array claims. Not for calling the library: the targets do.

   What the C Data Interface cannot show a consumer is kept out by construction, since no reader could refuse it:
   - a buffer that is shorter than length + offset say (sizes of buffers are not handed over), so lengths that memory
     could not hold come only where they are past any address (2^59 values) and must be refused;
   - text offsets past the end of the text (its size is not handed over; of views it is, and there they do come);
   - n_buffers or n_children other than the pointers that are there, but for negative ones, and too many or too few for
     the type; pointers that are not NULL and point nowhere; text that is no UTF-8 where its column says so;
   - metadata whose lengths run past its end: only negative ones show. */
#ifndef VF_TESTS_FUZZ_COLUMNS_H
#define VF_TESTS_FUZZ_COLUMNS_H

#include "fuzz.h"

/* ---- formats, read strictly by the specification ---- */

enum shape { S_UNKNOWN, S_NULL, S_BITS, S_FIXED, S_TEXT32, S_TEXT64, S_VIEWS };

struct format {
    enum shape shape;
    size_t width;  /* of S_FIXED */
    bool read;     /* the library computes with it, rather than only carries it along */
    bool integer;
};

static inline bool only_digits(const char *text, long *value) {
    *value = 0;
    if (*text == '\0') return false;
    for (; *text >= '0' && *text <= '9' && *value < 100000000; text++)
        *value = *value * 10 + (*text - '0');
    return *text == '\0';
}

static inline bool carried_format(const char *f, struct format *out) {
    long n;
    out->shape = S_FIXED;
    if (strcmp(f, "e") == 0) return out->width = 2, true;
    if (strcmp(f, "tiM") == 0) return out->width = 4, true;
    if (strcmp(f, "tiD") == 0) return out->width = 8, true;
    if (strcmp(f, "tin") == 0) return out->width = 16, true;
    if (strncmp(f, "w:", 2) == 0 && only_digits(f + 2, &n) && n > 0 && n <= 1 << 20) return out->width = (size_t)n, true;
    if (strncmp(f, "d:", 2) == 0) {
        char text[32];
        long precision, scale, bits = 128;
        char *part[3] = {text, NULL, NULL};
        int parts = 1;
        if (strlen(f + 2) >= sizeof text) return false;
        strcpy(text, f + 2);
        for (char *c = text; *c != '\0'; c++) {
            if (*c != ',') continue;
            if (parts == 3) return false;
            *c = '\0';
            part[parts++] = c + 1;
        }
        if (parts < 2 || !only_digits(part[0], &precision)) return false;
        if (!only_digits(part[1] + (part[1][0] == '-'), &scale)) return false;
        if (parts == 3 && !only_digits(part[2], &bits)) return false;
        out->width = (size_t)bits / 8;
        return bits == 32 || bits == 64 || bits == 128 || bits == 256;
    }
    return false;
}

static inline struct format format_of(const char *f) {
    static const char letters[] = "cCsSiIlLfg";
    static const size_t widths[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
    struct format out = {.shape = S_FIXED, .read = true};
    const char *at = f[0] != '\0' && f[1] == '\0' ? strchr(letters, f[0]) : NULL;
    if (at != NULL) {
        out.width = widths[at - letters];
        out.integer = at - letters < 8;
        return out;
    }
    out.width = 8;
    if (strcmp(f, "n") == 0) return out.shape = S_NULL, out;
    if (strcmp(f, "b") == 0) return out.shape = S_BITS, out;
    if (strcmp(f, "u") == 0 || strcmp(f, "z") == 0) return out.shape = S_TEXT32, out;
    if (strcmp(f, "U") == 0 || strcmp(f, "Z") == 0) return out.shape = S_TEXT64, out;
    if (strcmp(f, "vu") == 0 || strcmp(f, "vz") == 0) return out.shape = S_VIEWS, out;
    if (strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0) return out.width = 4, out;
    if (strcmp(f, "tdm") == 0 || strcmp(f, "ttu") == 0 || strcmp(f, "ttn") == 0) return out;
    if (strncmp(f, "ts", 2) == 0 && f[2] != '\0' && strchr("smun", f[2]) != NULL && f[3] == ':') return out;
    if (strncmp(f, "tD", 2) == 0 && f[2] != '\0' && strchr("smun", f[2]) != NULL && f[3] == '\0') return out;
    out.read = false;
    if (carried_format(f, &out)) return out;
    out.shape = S_UNKNOWN;
    return out;
}

static const char *const formats[] = {
    "l",    "g",    "u",    "vu",   "i",    "b",    "U",     "z",      "Z",   "vz",  "n",   "c",   "C",   "s",
    "S",    "I",    "L",    "f",    "tdD",  "tdm",  "tts",   "ttm",    "ttu", "ttn", "tss:", "tsm:", "tsu:", "tsn:",
    "tsu:UTC", "tDs", "tDm", "tDu", "tDn",  "e",    "w:3",   "d:9,2",  "d:9,2,64", "d:76,0,256", "tiM", "tiD", "tin", "+s",
    "+l",   "+w:2", "",     "ti",   "tiX",  "tiMM", "w:",    "w:0",    "w:-1", "w:4x", "d:",  "d:9", "d:9,2,65", "d:9,2,64x",
    "d:x,64,64", "ts",  "tsn", "tdX", "tDn:", "vU",   "ll",
};
#define N_FORMATS (sizeof formats / sizeof formats[0])

/* A text in a block of its own, ended by NUL. */
static inline char *take_text(struct bytes *b, struct blocks *blocks, size_t most) {
    size_t n = (size_t)take_between(b, 0, (int64_t)most), length = 0;
    char text[256];
    REQUIRE(most < sizeof text);
    while (length < n && b->at < b->end && *b->at != '\0')
        text[length++] = (char)*b->at++;
    char *out = block_new(blocks, length + 1);
    memcpy(out, text, length);
    return out;
}

static inline const char *take_format(struct bytes *b, struct blocks *blocks) {
    size_t pick = take_byte(b);
    return pick < N_FORMATS ? formats[pick] : pick < 200 ? formats[pick % 5] : take_text(b, blocks, 12);
}

/* ---- schemas ---- */

/* Number of pairs, then lengths and bytes of each key and value. *sound is cleared when a length is negative. */
static inline const char *take_metadata(struct bytes *b, struct blocks *blocks, bool *sound) {
    uint8_t text[256];
    size_t at = 4;
    int32_t pairs = (int32_t)take_between(b, 0, 3);
    if (take_chance(b, 16)) pairs = -1 - (int32_t)take_word(b, 3);
    if (pairs < 0) *sound = false;
    memcpy(text, &pairs, 4);
    for (int32_t i = 0; i < 2 * pairs; i++) {
        int32_t length = (int32_t)take_between(b, 0, 9);
        bool bad = take_chance(b, 16);
        if (bad) length = -1 - (int32_t)take_word(b, 3);
        memcpy(text + at, &length, 4);
        at += 4;
        if (bad) {
            *sound = false;
            break;
        }
        for (int32_t k = 0; k < length; k++)
            text[at++] = take_byte(b);
    }
    char *out = block_new(blocks, at);
    memcpy(out, text, at);
    return out;
}

static inline void no_release_schema(struct ArrowSchema *schema) {
    schema->release = NULL;
}
static inline void no_release_array(struct ArrowArray *array) {
    array->release = NULL;
}

/* A column: what it claims, and what its maker knows of it. */
struct made {
    struct vf_series series;
    struct format format; /* of the values */
    bool typed;           /* the schema is one of the specification, and not nested */
    bool metadata_good;
    bool refused; /* some chunk is malformed in a way that opening must see */
    int64_t rows;
};

static inline struct ArrowSchema *new_schema(struct bytes *b, struct blocks *blocks, const char *format, bool *good) {
    struct ArrowSchema *s = block_new(blocks, sizeof *s);
    *s = (struct ArrowSchema){.format = format, .name = "x", .flags = take_byte(b), .release = no_release_schema};
    if (take_chance(b, 8)) s->name = take_chance(b, 4) ? NULL : take_text(b, blocks, 200);
    if (take_chance(b, 8)) s->metadata = take_metadata(b, blocks, good);
    if (take_chance(b, 16)) { /* children: none is asked for by any type that is read */
        s->n_children = (int64_t)take_word(b, 8);
        if (s->n_children >= 0) {
            s->n_children = 1;
            s->children = block_new(blocks, sizeof *s->children);
            s->children[0] = take_chance(b, 2) ? s : NULL; /* its own child: as deep as one likes to go */
        }
    }
    return s;
}

/* ---- arrays ---- */

static inline void fill_bytes(struct bytes *b, uint8_t *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = take_byte(b);
}

/* Values that are worth a look: small ones, the edges, and any bits. */
static inline void fill_fixed(struct bytes *b, uint8_t *to, size_t width, size_t n, bool is_float) {
    uint8_t style = take_byte(b);
    for (size_t i = 0; i < n; i++, to += width) {
        if (style % 4 == 0 || (width != 4 && width != 8)) {
            memset(to, 0, width);
            to[0] = take_byte(b);
            if (style % 8 == 4) fill_bytes(b, to, width);
            if (is_float && width == 8) {
                double x = (double)(int8_t)to[0] / 4;
                memcpy(to, &x, 8);
            }
            continue;
        }
        if (style % 4 == 3) {
            fill_bytes(b, to, width);
            continue;
        }
        static const int64_t edges[] = {0, -1, 1, INT64_MAX, INT64_MIN, INT32_MAX, INT32_MIN, 93000, 93000000, 20241001,
                                        86400, INT64_C(1) << 53, 1727775000000000000, 19997, 240000, 113000};
        static const double real_edges[] = {0, -0.0, 1, NAN, INFINITY, -INFINITY, 5e-324, 1.7e308, 0x1p53, 0.5, -1.5,
                                            1e-9, 34200.5, 0x1p63, -0x1p63, 1e18};
        uint8_t pick = take_byte(b) % 16;
        if (is_float && width == 8)
            memcpy(to, &real_edges[pick], 8);
        else if (is_float) {
            float x = (float)real_edges[pick];
            if (pick == 7) x = 3e38f;
            memcpy(to, &x, 4);
        } else
            memcpy(to, &edges[pick], width); /* little-endian hosts; others see other values */
    }
}

static inline void fill_offsets(struct bytes *b, uint8_t *to, size_t width, size_t n, int64_t size) {
    int64_t at = 0;
    bool any = take_chance(b, 8);
    for (size_t i = 0; i < n; i++) {
        if (any) { /* any number below the end: also negative, also going down */
            at = width == 8 ? (int64_t)take_word(b, 8) : (int32_t)take_word(b, 4);
            if (take_chance(b, 2)) at = take_byte(b);
        } else
            at += take_byte(b) % 7;
        if (at > size) at = size;
        memcpy(to + i * width, &at, width);
    }
}

/* validity, views, n_data buffers of text, their sizes */
static inline void fill_views(struct bytes *b, struct blocks *blocks, const void **buffers, size_t n, int64_t n_data,
                              bool *missing) {
    size_t shift = take_chance(b, 16) ? 1 : 0; /* buffers that are not aligned */
    uint8_t *sizes = (uint8_t *)block_new(blocks, (size_t)n_data * 8 + shift) + shift;
    for (int64_t i = 0; i < n_data; i++) {
        int64_t size = take_between(b, 0, 40);
        uint8_t *text = block_new(blocks, (size_t)size);
        fill_bytes(b, text, (size_t)size);
        buffers[2 + i] = take_chance(b, 16) ? NULL : text;
        if (take_chance(b, 16)) size = -1 - (int64_t)(take_word(b, 8) >> 1); /* never more than there is */
        memcpy(sizes + 8 * i, &size, 8);
    }
    buffers[2 + n_data] = take_chance(b, 32) ? NULL : sizes;
    *missing |= n_data > 0 && buffers[2 + n_data] == NULL;
    uint8_t *views = (uint8_t *)block_new(blocks, n * 16 + shift) + shift;
    for (size_t i = 0; i < n; i++) {
        uint8_t view[16] = {0};
        int32_t length = (int32_t)(take_between(b, 0, 30) % 20), number = 0, offset = 0;
        if (take_chance(b, 32)) length = (int32_t)take_word(b, 4);
        memcpy(view, &length, 4);
        if (length >= 0 && length <= 12) {
            fill_bytes(b, view + 4, (size_t)length);
        } else {
            number = n_data > 0 ? (int32_t)take_between(b, 0, n_data - 1) : 0;
            offset = take_byte(b) % 24;
            if (take_chance(b, 16)) number = (int32_t)take_word(b, 4);
            if (take_chance(b, 16)) offset = (int32_t)take_word(b, 4);
            memcpy(view + 8, &number, 4);
            memcpy(view + 12, &offset, 4);
        }
        memcpy(views + i * 16, view, 16);
    }
    if (buffers[1] != NULL) buffers[1] = views;
}

static inline size_t bytes_for_bits(size_t n) {
    return (n + 7) / 8;
}

/* Buffers of an array of `end` values in all; *missing: one that must be there is not. */
static inline const void **new_buffers(struct bytes *b, struct blocks *blocks, const struct format *format,
                                       const char *name, size_t end, int64_t n_buffers, bool whole, bool *missing) {
    const void **buffers = block_new(blocks, (size_t)n_buffers * sizeof *buffers);
    bool views = format->shape == S_VIEWS;
    bool skip = take_chance(b, 32) && !whole;
    if (n_buffers > 0 && (whole || take_chance(b, 3))) {
        uint8_t *bits = block_new(blocks, bytes_for_bits(end));
        fill_bytes(b, bits, bytes_for_bits(end));
        buffers[0] = bits;
    }
    if (n_buffers < 2 || skip || format->shape == S_UNKNOWN || format->shape == S_NULL) {
        *missing |= skip && format->shape != S_NULL;
        return buffers;
    }
    size_t text_width = format->shape == S_TEXT64 ? 8 : 4;
    switch (format->shape) {
    case S_BITS: {
        uint8_t *bits = block_new(blocks, bytes_for_bits(end));
        fill_bytes(b, bits, bytes_for_bits(end));
        buffers[1] = bits;
        break;
    }
    case S_TEXT32:
    case S_TEXT64: {
        int64_t size = take_between(b, 0, 100);
        size_t shift = take_chance(b, 16) ? 1 : 0;
        uint8_t *text = block_new(blocks, (size_t)size);
        uint8_t *offsets = (uint8_t *)block_new(blocks, (end + 1) * text_width + shift) + shift;
        fill_bytes(b, text, (size_t)size);
        fill_offsets(b, offsets, text_width, end + 1, n_buffers > 2 ? size : 0);
        buffers[1] = offsets;
        if (n_buffers > 2 && !take_chance(b, 32)) buffers[2] = text;
        break;
    }
    case S_VIEWS:
        buffers[1] = buffers; /* something */
        if (n_buffers >= 3) fill_views(b, blocks, buffers, end, n_buffers - 3, missing);
        break;
    default: {
        size_t shift = take_chance(b, 8) ? 1 : 0; /* a buffer that is not aligned */
        uint8_t *values = block_new(blocks, end * format->width + shift);
        fill_fixed(b, values + shift, format->width, end, name[0] == 'f' || name[0] == 'g');
        buffers[1] = values + shift;
        break;
    }
    }
    if (views && n_buffers < 3) buffers[1] = NULL;
    return buffers;
}

/* An array of `length` rows of the format, or one that only claims to be. */
static inline struct ArrowArray *new_array(struct bytes *b, struct blocks *blocks, const struct format *format,
                                           const char *name, int64_t length, bool *refused) {
    struct ArrowArray *a = block_new(blocks, sizeof *a);
    int64_t offset = take_chance(b, 4) ? take_between(b, 0, 11) : 0;
    int64_t need = format->shape == S_NULL ? 0 : format->shape == S_TEXT32 || format->shape == S_TEXT64 ? 3 : 2;
    if (format->shape == S_VIEWS) need = 3 + take_between(b, 0, 2);
    int64_t n_buffers = need;
    uint8_t lie = take_byte(b);
    bool missing = false;
    if (lie == 255) n_buffers = take_between(b, 0, 6);
    if (format->shape == S_VIEWS ? n_buffers < 3 : format->shape == S_NULL ? n_buffers > 1 : n_buffers != need)
        *refused = true;
    *a = (struct ArrowArray){.length = length, .offset = offset, .n_buffers = n_buffers, .release = no_release_array};
    a->buffers =
        new_buffers(b, blocks, format, name, (size_t)(length + offset), n_buffers, lie == 254, &missing);
    if (missing && length > 0) *refused = true;
    bool bitmap = n_buffers > 0 && a->buffers[0] != NULL && format->shape != S_NULL;
    a->null_count = format->shape == S_NULL ? length : bitmap ? -1 : 0;
    switch (lie) {
    case 253:
        a->length = -1 - (int64_t)(take_word(b, 8) >> 1);
        *refused = true;
        break;
    case 252:
        a->offset = -1 - (int64_t)(take_word(b, 8) >> 1);
        *refused = true;
        break;
    case 251:
        a->length = INT64_MAX / 16 + (int64_t)(take_word(b, 8) >> 5);
        *refused = true;
        break;
    case 250:
        a->offset = INT64_MAX - (int64_t)take_between(b, 0, 20);
        *refused = true;
        break;
    case 249:
        a->null_count = (int64_t)take_word(b, 8);
        if (a->null_count < -1 || a->null_count > length) *refused = true;
        if (a->null_count > 0 && !bitmap && format->shape != S_NULL && length > 0) *refused = true;
        break;
    case 248:
        a->n_buffers = -1 - (int64_t)(take_word(b, 8) >> 1);
        *refused = true;
        break;
    case 247:
        a->buffers = NULL;
        if (length > 0 && need > 0) *refused = true;
        break;
    case 246:
        if (bitmap && length > 0) a->null_count = take_between(b, 0, length < 255 ? length : 255);
        break;
    case 245:
        a->n_children = (int64_t)take_word(b, 8); /* children that nobody asks for */
        break;
    default:
        break;
    }
    return a;
}

/* rows < 0: any number. */
static inline void make_series(struct bytes *b, struct blocks *blocks, int64_t rows, const char *wanted, struct made *out) {
    const char *name = wanted != NULL && !take_chance(b, 16) ? wanted : take_format(b, blocks);
    struct format format = format_of(name), index = {0};
    struct ArrowSchema *dictionary = NULL;
    *out = (struct made){.format = format, .metadata_good = true, .typed = format.shape != S_UNKNOWN};
    struct ArrowSchema *schema = new_schema(b, blocks, name, &out->metadata_good);
    if (take_chance(b, 6)) {
        static const char *const indexes[] = {"I", "C", "l", "L", "i", "c", "S", "s"};
        const char *key = take_chance(b, 16) ? take_format(b, blocks) : indexes[take_byte(b) % 8];
        dictionary = new_schema(b, blocks, name, &out->metadata_good);
        schema->format = key;
        schema->dictionary = dictionary;
        index = format_of(key);
        if (!index.integer) out->typed = false;
        if (take_chance(b, 16)) {
            dictionary->dictionary = new_schema(b, blocks, "l", &out->metadata_good);
            out->typed = false;
        }
    }
    if (take_chance(b, 64)) {
        schema->format = NULL;
        out->typed = false;
    }
    size_t n_chunks = 1;
    if (take_chance(b, 3)) n_chunks = (size_t)take_between(b, 0, 4);
    struct ArrowArray **chunks = block_new(blocks, n_chunks * sizeof *chunks);
    if (rows < 0) rows = take_chance(b, 16) ? take_between(b, 0, 1200) : take_between(b, 0, 20);
    int64_t left = n_chunks > 0 ? rows : 0;
    out->rows = left;
    for (size_t c = 0; c < n_chunks; c++) {
        int64_t n = c + 1 == n_chunks ? left : take_between(b, 0, left);
        left -= n;
        if (dictionary == NULL) {
            chunks[c] = new_array(b, blocks, &format, name, n, &out->refused);
        } else {
            int64_t size = take_between(b, 0, 12);
            bool none = take_chance(b, 64);
            chunks[c] = new_array(b, blocks, &index, schema->format != NULL ? schema->format : "l", n, &out->refused);
            if (!none) chunks[c]->dictionary = new_array(b, blocks, &format, name, size, &out->refused);
            if (none) out->refused = true;
        }
        if (take_chance(b, 128)) {
            chunks[c] = NULL;
            out->refused = true;
        }
    }
    out->series = (struct vf_series){
        .schema = schema, .chunks = (const struct ArrowArray *const *)chunks, .n_chunks = n_chunks};
    if (take_chance(b, 128)) {
        out->series.chunks = NULL;
        if (n_chunks > 0) out->refused = true;
    }
    if (take_chance(b, 128)) {
        out->series.schema = NULL;
        out->typed = false;
    }
}

/* ---- one value, read slowly ---- */

struct cell {
    bool there;  /* the row could be read at all */
    bool null;
    const uint8_t *data;
    size_t length;
    bool bit; /* of booleans, which have no data */
};

static inline bool bit_at(const void *bits, int64_t i) {
    return (((const uint8_t *)bits)[i / 8] >> (i % 8)) & 1;
}

static inline void read_cell(const struct ArrowSchema *schema, const struct ArrowArray *a, int64_t row, struct cell *out) {
    struct format format = format_of(schema->format);
    int64_t at = row + a->offset;
    out->there = true;
    out->null = format.shape == S_NULL ||
                (a->buffers[0] != NULL && a->null_count != 0 && !bit_at(a->buffers[0], at));
    if (out->null) return;
    const uint8_t *values = a->buffers[1];
    int64_t from, to, size;
    int32_t view[4], offsets[2];
    if (schema->dictionary != NULL) {
        int64_t key = 0;
        memcpy(&key, values + (size_t)at * format.width, format.width);
        if (strchr("csi", schema->format[0]) != NULL) {
            unsigned shift = 64 - 8 * (unsigned)format.width;
            key = (int64_t)((uint64_t)key << shift) >> shift;
        }
        out->there = key >= 0 && key < a->dictionary->length;
        if (out->there) read_cell(schema->dictionary, a->dictionary, key, out);
        return;
    }
    switch (format.shape) {
    case S_BITS:
        out->bit = bit_at(values, at);
        return;
    case S_TEXT32:
        memcpy(offsets, values + at * 4, 8);
        from = offsets[0];
        to = offsets[1];
        break;
    case S_TEXT64:
        memcpy(&from, values + at * 8, 8);
        memcpy(&to, values + at * 8 + 8, 8);
        break;
    case S_VIEWS:
        memcpy(view, values + at * 16, 16);
        out->there = view[0] >= 0;
        if (!out->there) return;
        out->length = (size_t)view[0];
        out->data = values + at * 16 + 4;
        if (view[0] <= 12) return;
        out->there = view[2] >= 0 && view[2] < a->n_buffers - 3 && view[3] >= 0;
        if (!out->there) return;
        memcpy(&size, (const uint8_t *)a->buffers[a->n_buffers - 1] + view[2] * 8, 8);
        out->there = a->buffers[2 + view[2]] != NULL && (int64_t)view[3] + view[0] <= size;
        if (out->there) out->data = (const uint8_t *)a->buffers[2 + view[2]] + view[3];
        return;
    default:
        out->data = values + (size_t)at * format.width;
        out->length = format.width;
        return;
    }
    out->there = from >= 0 && to >= from && (to == from || a->buffers[2] != NULL);
    if (!out->there) return;
    out->length = (size_t)(to - from);
    out->data = out->length > 0 ? (const uint8_t *)a->buffers[2] + from : (const uint8_t *)"";
}

static inline struct cell cell_at(const struct vf_series *series, int64_t row) {
    struct cell out = {0};
    for (size_t c = 0; c < series->n_chunks; c++) {
        if (row < series->chunks[c]->length) {
            read_cell(series->schema, series->chunks[c], row, &out);
            return out;
        }
        row -= series->chunks[c]->length;
    }
    return out;
}

static inline bool same_cell(const struct cell *a, const struct cell *b) {
    if (a->there != b->there || a->null != b->null) return false;
    if (!a->there || a->null) return true;
    return a->bit == b->bit && a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0);
}

/* A column that the library gave: every value of it can be read, and its count of nulls is right. Gives it back. */
static inline void check_given(struct vf_column *column, int64_t rows) {
    const struct ArrowArray *chunk = &column->array;
    struct vf_series series = {.schema = &column->schema, .chunks = &chunk, .n_chunks = 1};
    REQUIRE(column->schema.release != NULL && column->array.release != NULL);
    REQUIRE(rows < 0 || column->array.length == rows);
    int64_t nulls = 0;
    uint8_t sum = 0;
    for (int64_t i = 0; i < column->array.length; i++) {
        struct cell cell = cell_at(&series, i);
        REQUIRE(cell.there);
        nulls += cell.null;
        for (size_t k = 0; !cell.null && k < cell.length; k++)
            sum ^= cell.data[k];
    }
    REQUIRE(column->array.null_count == -1 || column->schema.dictionary != NULL || column->array.null_count == nulls);
    volatile uint8_t sink = sum;
    (void)sink;
    vf_column_release(column);
}

#endif
