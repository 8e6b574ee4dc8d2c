/* vf_column_expand against the plain loop "value i, counts[i] times", for every type and cut into chunks.
   Not for memory faults nor for who calls it. */
#include "check.h"

#define ROWS 700
#define MAX_TOTAL 200000

static uint64_t seed = 7;
static uint64_t draw(uint64_t below) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % below;
}

static uint32_t counts[ROWS];
static int64_t source[MAX_TOTAL], total; /* the row that each output row comes from */

/* long_rows: some counts in the thousands, so that a row crosses tasks. */
static void draw_counts(int64_t n, bool long_rows) {
    total = 0;
    for (int64_t i = 0; i < n; i++) {
        counts[i] = (uint32_t)(draw(3) == 0 ? draw(9) : draw(3));
        if (long_rows && draw(40) == 0) counts[i] = (uint32_t)draw(9000);
        for (uint32_t k = 0; k < counts[i] && total < MAX_TOTAL; k++)
            source[total++] = i;
    }
}

/* ---- a column of up to eight chunks, each sliced out of something larger -------------------------------------------- */

#define MAX_CHUNKS 8
struct chunked {
    struct ArrowSchema schema, values_schema;
    struct ArrowArray arrays[MAX_CHUNKS], dictionaries[MAX_CHUNKS];
    const struct ArrowArray *pointers[MAX_CHUNKS];
    const void *buffers[MAX_CHUNKS][5], *values_buffers[MAX_CHUNKS][5];
    struct vf_series series;
};

static uint8_t valid_bits[ROWS / 8 + 9];
static bool is_valid(int64_t row) {
    return (valid_bits[row >> 3] >> (row & 7)) & 1;
}

/* All chunks look into the same buffers at their own offset; the last buffer may be given later. */
static void cut(struct chunked *c, const char *format, int64_t n, size_t n_chunks, bool nulls,
                const void *values, int64_t n_buffers) {
    memset(c, 0, sizeof *c);
    c->schema.format = format;
    c->schema.name = "x";
    for (size_t k = 0; k < n_chunks; k++) {
        int64_t first = n * (int64_t)k / (int64_t)n_chunks, last = n * (int64_t)(k + 1) / (int64_t)n_chunks;
        c->buffers[k][0] = nulls ? valid_bits : NULL;
        c->buffers[k][1] = values;
        c->arrays[k].length = last - first;
        c->arrays[k].offset = first;
        c->arrays[k].null_count = nulls ? -1 : 0;
        c->arrays[k].n_buffers = n_buffers;
        c->arrays[k].buffers = c->buffers[k];
        c->pointers[k] = &c->arrays[k];
    }
    c->series.schema = &c->schema;
    c->series.chunks = c->pointers;
    c->series.n_chunks = n_chunks;
}

static int released;
static void count_release(void *owner) {
    *(int *)owner += 1;
}

static bool expand(const struct chunked *c, int64_t n, uint32_t n_threads, struct vf_column *out) {
    struct vf_context ctx = {.n_threads = n_threads};
    released = 0;
    CHECK_OK(vf_column_expand(&ctx, &c->series, counts, n, &released, count_release, out, &check_error));
    CHECK_I64(out->array.length, total);
    CHECK_I64(released, 0);
    CHECK(strcmp(out->schema.format, c->schema.format) == 0);
    CHECK(strcmp(out->schema.name, "x") == 0);
    return out->array.length == total;
}

static void finish(struct vf_column *out) {
    vf_column_release(out);
    CHECK_I64(released, 1);
}

static void check_validity(const struct vf_column *out, bool nulls) {
    int64_t n = 0, bad = 0;
    for (int64_t k = 0; k < total; k++) {
        bool want = !nulls || is_valid(source[k]);
        n += !want;
        bad += check_valid(out, k) != want;
    }
    CHECK_I64(bad, 0);
    CHECK_I64(out->array.null_count, n);
    CHECK((out->array.buffers[0] == NULL) == (n == 0));
}

/* ---- types --------------------------------------------------------------------------------------------------------- */

static void test_fixed(int64_t n, size_t n_chunks, bool nulls, uint32_t n_threads) {
    static const struct {
        const char *format;
        size_t width;
    } types[] = {{"c", 1},   {"C", 1},    {"s", 2},      {"e", 2},          {"i", 4},   {"f", 4},
                 {"tdD", 4}, {"l", 8},    {"g", 8},      {"tsn:UTC", 8},    {"tDu", 8}, {"ttn", 8},
                 {"tiM", 4}, {"tin", 16}, {"d:9,2", 16}, {"d:9,2,256", 32}, {"w:3", 3}, {"w:12", 12}};
    static uint8_t values[ROWS * 32];
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (uint8_t)draw(256);
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        struct chunked c;
        struct vf_column out;
        size_t width = types[t].width;
        int64_t bad = 0;
        cut(&c, types[t].format, n, n_chunks, nulls, values, 2);
        if (!expand(&c, n, n_threads, &out)) continue;
        for (int64_t k = 0; k < total; k++)
            bad += memcmp((const uint8_t *)out.array.buffers[1] + (size_t)k * width,
                          values + (size_t)source[k] * width, width) != 0;
        CHECK_I64(bad, 0);
        check_validity(&out, nulls);
        finish(&out);
    }
}

static void test_bits(int64_t n, size_t n_chunks, bool nulls, uint32_t n_threads) {
    static uint8_t bits[ROWS / 8 + 9];
    struct chunked c;
    struct vf_column out;
    int64_t bad = 0;
    for (size_t i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)draw(256);
    cut(&c, "b", n, n_chunks, nulls, bits, 2);
    if (!expand(&c, n, n_threads, &out)) return;
    for (int64_t k = 0; k < total; k++)
        bad += check_bool(&out, k) != ((bits[source[k] >> 3] >> (source[k] & 7)) & 1);
    CHECK_I64(bad, 0);
    check_validity(&out, nulls);
    finish(&out);
}

static void test_null(int64_t n, size_t n_chunks) {
    struct chunked c;
    struct vf_column out;
    cut(&c, "n", n, n_chunks, false, NULL, 0);
    if (!expand(&c, n, 1, &out)) return;
    CHECK_I64(out.array.null_count, total);
    CHECK_I64(out.array.n_buffers, 0);
    finish(&out);
}

/* Texts of 0 to 30 bytes in every layout; long ones of the views lie in two buffers. */
static char text_of[ROWS][32], text_data[2][ROWS * 32];
static int32_t text32[ROWS + 1];
static int64_t text64[ROWS + 1];
static uint8_t text_views[ROWS * 16];
static int64_t text_sizes[2];

static void draw_texts(void) {
    text_sizes[0] = text_sizes[1] = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        uint32_t length = (uint32_t)draw(31), buffer = (uint32_t)draw(2);
        for (uint32_t k = 0; k < length; k++)
            text_of[i][k] = (char)('a' + draw(26));
        text_of[i][length] = '\0';
        memcpy(text_data[0] + text32[i], text_of[i], length);
        text32[i + 1] = text32[i] + (int32_t)length;
        text64[i + 1] = text32[i + 1];
        (void)buffer;
    }
}

static void make_views(void) {
    static char packed[2][ROWS * 32];
    for (int64_t i = 0; i < ROWS; i++) {
        uint32_t length = (uint32_t)strlen(text_of[i]), buffer = (uint32_t)(i % 2), offset;
        uint8_t *view = text_views + 16 * i;
        memset(view, 0, 16);
        memcpy(view, &length, 4);
        if (length <= 12) {
            memcpy(view + 4, text_of[i], length);
            continue;
        }
        offset = (uint32_t)text_sizes[buffer];
        memcpy(packed[buffer] + offset, text_of[i], length);
        text_sizes[buffer] += length;
        memcpy(view + 4, text_of[i], 4);
        memcpy(view + 8, &buffer, 4);
        memcpy(view + 12, &offset, 4);
    }
    memcpy(text_data, packed, sizeof packed);
}

/* Whether row k of a text array (not of a dictionary array) is `text`. */
static bool text_is(const char *format, const struct ArrowArray *a, int64_t k, const char *text) {
    size_t length = strlen(text);
    k += a->offset;
    if (format[0] == 'v') {
        const uint8_t *view = (const uint8_t *)a->buffers[1] + 16 * k;
        int32_t have, buffer, offset;
        memcpy(&have, view, 4);
        if ((size_t)have != length) return false;
        if (length <= 12) return memcmp(view + 4, text, length) == 0;
        memcpy(&buffer, view + 8, 4);
        memcpy(&offset, view + 12, 4);
        if (buffer < 0 || buffer >= a->n_buffers - 3) return false;
        if (offset + have > ((const int64_t *)a->buffers[a->n_buffers - 1])[buffer]) return false;
        return memcmp((const uint8_t *)a->buffers[2 + buffer] + offset, text, length) == 0;
    }
    int64_t from =
        format[0] == 'U' ? ((const int64_t *)a->buffers[1])[k] : ((const int32_t *)a->buffers[1])[k];
    int64_t to =
        format[0] == 'U' ? ((const int64_t *)a->buffers[1])[k + 1] : ((const int32_t *)a->buffers[1])[k + 1];
    return (size_t)(to - from) == length && memcmp((const uint8_t *)a->buffers[2] + from, text, length) == 0;
}

static void test_texts(int64_t n, size_t n_chunks, bool nulls, uint32_t n_threads) {
    static const char *const formats[3] = {"u", "U", "vu"};
    memset(text32, 0, sizeof text32);
    draw_texts();
    for (int f = 0; f < 3; f++) {
        struct chunked c;
        struct vf_column out;
        int64_t bad = 0;
        const void *values = f == 0   ? (const void *)text32
                             : f == 1 ? (const void *)text64
                                      : (const void *)text_views;
        cut(&c, formats[f], n, n_chunks, nulls, values, f == 2 ? 5 : 3);
        if (f == 2) make_views();
        for (size_t k = 0; k < n_chunks; k++) {
            c.buffers[k][2] = text_data[0];
            c.buffers[k][3] = text_data[1];
            c.buffers[k][4] = text_sizes;
        }
        if (!expand(&c, n, n_threads, &out)) continue;
        if (f == 2) CHECK_I64(out.array.n_buffers, n == 0 ? 3 : 5); /* slices share their buffers */
        for (int64_t k = 0; k < total; k++)
            if (!nulls || is_valid(source[k])) bad += !text_is(formats[f], &out.array, k, text_of[source[k]]);
        CHECK_I64(bad, 0);
        check_validity(&out, nulls);
        finish(&out);
    }
}

/* Views of chunks with buffers of their own: the numbers in the views must move. */
static void test_view_buffers(void) {
    static uint8_t views[3][2 * 16];
    static const char *const texts[6] = {"first text of chunk 0",  "short", "first text of chunk 1",
                                         "second text of chunk 1", "",      "a text of the last chunk"};
    static char data[3][64];
    static int64_t sizes[3];
    struct chunked c;
    struct vf_column out;
    cut(&c, "vu", 6, 3, false, NULL, 4);
    for (int k = 0; k < 3; k++) {
        c.arrays[k].offset = 0;
        c.buffers[k][1] = views[k];
        c.buffers[k][2] = data[k];
        c.buffers[k][3] = &sizes[k];
        for (int i = 0; i < 2; i++) {
            const char *text = texts[2 * k + i];
            uint32_t length = (uint32_t)strlen(text), offset = (uint32_t)sizes[k];
            memcpy(views[k] + 16 * i, &length, 4);
            memcpy(views[k] + 16 * i + 4, text, length <= 12 ? length : 4);
            if (length <= 12) continue;
            memcpy(data[k] + offset, text, length);
            memcpy(views[k] + 16 * i + 12, &offset, 4);
            sizes[k] += length;
        }
    }
    draw_counts(6, false);
    if (!expand(&c, 6, 2, &out)) return;
    CHECK_I64(out.array.n_buffers, 6);
    for (int64_t k = 0; k < total; k++)
        CHECK(text_is("vu", &out.array, k, texts[source[k]]));
    finish(&out);
}

/* ---- dictionaries ----------------------------------------------------------------------------------------------------- */

static const char *const words[6] = {"buy", "sell", "a long word of a side", "", "cancel", "x"};
static int32_t word_offsets[2][7];
static char word_data[2][64];

/* Dictionary d holds the words in order, or in reverse. */
static void make_words(void) {
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < 6; i++) {
            const char *word = words[d == 0 ? i : 5 - i];
            memcpy(word_data[d] + word_offsets[d][i], word, strlen(word));
            word_offsets[d][i + 1] = word_offsets[d][i] + (int32_t)strlen(word);
        }
}

static void test_dictionaries(int64_t n, size_t n_chunks, bool nulls, bool different) {
    static uint16_t keys[ROWS];
    struct chunked c;
    struct vf_column out;
    int64_t bad = 0;
    for (int64_t i = 0; i < ROWS; i++)
        keys[i] = (uint16_t)draw(6);
    cut(&c, "S", n, n_chunks, nulls, keys, 2);
    c.values_schema.format = "u";
    c.values_schema.name = "";
    c.schema.dictionary = &c.values_schema;
    for (size_t k = 0; k < n_chunks; k++) {
        int d = different ? (int)(k % 2) : 0;
        c.values_buffers[k][1] = word_offsets[d];
        c.values_buffers[k][2] = word_data[d];
        c.dictionaries[k] = (struct ArrowArray){.length = 6, .n_buffers = 3, .buffers = c.values_buffers[k]};
        c.arrays[k].dictionary = &c.dictionaries[k];
    }
    if (!expand(&c, n, 2, &out)) return;
    CHECK(out.schema.dictionary != NULL && out.array.dictionary != NULL);
    CHECK_I64(out.array.dictionary->length, 6);
    for (int64_t k = 0; k < total; k++) {
        int64_t row = source[k];
        size_t chunk = 0;
        if (nulls && !is_valid(row)) continue;
        while (row >= c.arrays[chunk].offset + c.arrays[chunk].length)
            chunk++;
        uint16_t key = different && chunk % 2 == 1 ? (uint16_t)(5 - keys[row]) : keys[row];
        bad += !text_is("u", out.array.dictionary, ((const uint16_t *)out.array.buffers[1])[k], words[key]);
    }
    CHECK_I64(bad, 0);
    check_validity(&out, nulls);
    finish(&out);
    if (!different || n == 0) return;
    /* the same with views in the dictionaries and with keys that are too narrow */
    static uint8_t views[6 * 16];
    for (uint32_t i = 0; i < 6; i++) {
        uint32_t length = (uint32_t)strlen(words[i]), offset = (uint32_t)word_offsets[0][i];
        memcpy(views + 16 * i, &length, 4);
        memcpy(views + 16 * i + 4, words[i], length <= 12 ? length : 4);
        if (length > 12) memcpy(views + 16 * i + 12, &offset, 4);
    }
    static const int64_t size = 64;
    static uint8_t others[6 * 16];
    memcpy(others, views + 16, 5 * 16);
    memcpy(others + 5 * 16, views, 16);
    c.values_schema.format = "vu";
    for (size_t k = 0; k < n_chunks; k++) {
        c.values_buffers[k][1] = k % 2 == 0 ? views : others;
        c.values_buffers[k][2] = word_data[0];
        c.values_buffers[k][3] = &size;
        c.dictionaries[k].n_buffers = 4;
    }
    if (!expand(&c, n, 1, &out)) return;
    for (int64_t k = 0; k < total; k++) {
        int64_t row = source[k];
        size_t chunk = 0;
        if (nulls && !is_valid(row)) continue;
        while (row >= c.arrays[chunk].offset + c.arrays[chunk].length)
            chunk++;
        int key = chunk % 2 == 1 ? (keys[row] + 1) % 6 : keys[row];
        bad += !text_is("vu", out.array.dictionary, ((const uint16_t *)out.array.buffers[1])[k], words[key]);
    }
    CHECK_I64(bad, 0);
    finish(&out);
}

static void test_dictionary_limits(void) {
    static int32_t offsets[2][201];
    static char data[2][800];
    static uint8_t keys[4] = {0, 199, 5, 7};
    static int64_t numbers[2][2] = {{1, 2}, {3, 4}};
    struct chunked c;
    struct vf_column out;
    for (int d = 0; d < 2; d++)
        for (int i = 0; i < 200; i++)
            offsets[d][i + 1] = offsets[d][i] + snprintf(data[d] + offsets[d][i], 8, "%d", i + 200 * d);
    draw_counts(4, false);
    cut(&c, "C", 4, 2, false, keys, 2);
    c.values_schema.format = "u";
    c.schema.dictionary = &c.values_schema;
    for (int k = 0; k < 2; k++) {
        c.values_buffers[k][1] = offsets[k];
        c.values_buffers[k][2] = data[k];
        c.dictionaries[k] =
            (struct ArrowArray){.length = 200, .n_buffers = 3, .buffers = c.values_buffers[k]};
        c.arrays[k].dictionary = &c.dictionaries[k];
    }
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, &released, count_release, &out, &check_error),
                 VF_ERROR_OVERFLOW);
    c.values_schema.format = "l";
    for (int k = 0; k < 2; k++) {
        c.values_buffers[k][1] = numbers[k];
        c.dictionaries[k].length = 2;
        c.dictionaries[k].n_buffers = 2;
    }
    keys[1] = 1, keys[2] = keys[3] = 0;
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, &released, count_release, &out, &check_error),
                 VF_ERROR_TYPE);
    c.series.n_chunks = 1;
    CHECK_OK(vf_column_expand(NULL, &c.series, counts, 2, NULL, NULL, &out, &check_error));
    vf_column_release(&out);
}

/* ---- what is refused --------------------------------------------------------------------------------------------------- */

static void test_refusals(void) {
    struct chunked c;
    struct vf_column out;
    int64_t values[4] = {1, 2, 3, 4};
    int32_t offsets[5] = {0, 3, 1, 4, 5};
    draw_counts(4, false);
    for (int k = 0; k < 4; k++)
        counts[k] = 1;
    released = 0;
    cut(&c, "l", 4, 2, false, values, 2);
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 3, &released, count_release, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_column_expand(NULL, NULL, counts, 4, NULL, NULL, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_column_expand(NULL, &c.series, NULL, 4, NULL, NULL, &out, &check_error),
                 VF_ERROR_ARGUMENT);
    c.schema.format = "+s";
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, &released, count_release, &out, &check_error),
                 VF_ERROR_TYPE);
    c.schema.format = "l";
    c.arrays[1].n_buffers = 1;
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, &released, count_release, &out, &check_error),
                 VF_ERROR_ARROW);
    cut(&c, "u", 4, 1, false, offsets, 3);
    c.buffers[0][2] = "abcde";
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, &released, count_release, &out, &check_error),
                 VF_ERROR_ARROW);
    CHECK_I64(released, 0);
    counts[0] =
        UINT32_MAX; /* 3 bytes each: more text than 32-bit offsets reach, found out before it is copied */
    counts[1] = counts[2] = counts[3] = 0;
    offsets[2] = 3;
    struct check_faults faults = {0};
    struct vf_context ctx = check_context(&faults);
    enum vf_status status =
        vf_column_expand(&ctx, &c.series, counts, 4, &released, count_release, &out, &check_error);
    CHECK(status == VF_ERROR_OVERFLOW);
    CHECK_I64(faults.live, 0);
}

/* ---- malformed columns ---------------------------------------------------------------------------------------------- */

static enum vf_status expand_status(const struct vf_series *series, int64_t n) {
    struct vf_column out = {{0}, {0}};
    enum vf_status status = vf_column_expand(NULL, series, counts, n, NULL, NULL, &out, &check_error);
    CHECK((status == VF_OK) == (out.array.release != NULL));
    CHECK_I64(vf_column_expand(NULL, series, counts, n, NULL, NULL, NULL, NULL) == VF_OK, false);
    vf_column_release(&out);
    return status;
}

static void test_malformed_chunks(void) {
    static const int64_t values[4] = {1, 2, 3, 4};
    static const int32_t offsets[5] = {0, 1, 2, 3, 4}, backwards[5] = {0, 1, 3, 2, 4}, negative[5] = {-1, 1, 2, 3, 4};
    static const int64_t sizes[1] = {64};
    struct chunked c;
    for (int64_t i = 0; i < 8; i++)
        counts[i] = 1;
#define REFUSED(format, data, n_buffers, change)                                                             \
    cut(&c, format, 4, 1, false, data, n_buffers);                                                           \
    change;                                                                                                  \
    CHECK_STATUS(expand_status(&c.series, 4), VF_ERROR_ARROW);                                               \
    CHECK(strcmp(check_error.column, "x") == 0)
    REFUSED("l", values, 2, c.pointers[0] = NULL);
    REFUSED("l", values, 2, c.arrays[0].length = -1);
    REFUSED("l", values, 2, c.arrays[0].offset = -1);
    REFUSED("l", values, 2, (c.arrays[0].offset = INT64_MAX, c.arrays[0].length = 4));
    REFUSED("l", values, 1, (void)0);
    REFUSED("l", values, 3, (void)0);
    REFUSED("u", offsets, 2, (void)0);
    REFUSED("vu", values, 2, (void)0);
    REFUSED("l", values, 2, c.arrays[0].buffers = NULL);
    REFUSED("l", NULL, 2, (void)0);
    REFUSED("l", values, 2, c.arrays[0].null_count = 1);
    REFUSED("vu", values, 4, (c.buffers[0][2] = sizes, c.buffers[0][3] = NULL));
    REFUSED("I", values, 2, c.schema.dictionary = &c.values_schema; c.values_schema.format = "u");
    REFUSED("u", offsets, 3, (void)0); /* no text */
    REFUSED("u", backwards, 3, c.buffers[0][2] = "texts");
    REFUSED("u", negative, 3, c.buffers[0][2] = "texts");
    CHECK(strstr(check_error.message, "string offsets") != NULL);
    /* a dictionary column of no rows still has a dictionary to give */
    cut(&c, "I", 0, 1, false, values, 2);
    c.schema.dictionary = &c.values_schema;
    c.values_schema.format = "u";
    CHECK_STATUS(expand_status(&c.series, 0), VF_ERROR_ARROW);
    c.series.n_chunks = 0;
    CHECK_STATUS(expand_status(&c.series, 0), VF_ERROR_ARROW);
    CHECK(strstr(check_error.message, "without a chunk") != NULL);
    /* more rows than can be counted */
    cut(&c, "n", 4, 2, false, NULL, 0);
    c.arrays[0].length = c.arrays[1].length = INT64_MAX;
    c.arrays[0].offset = c.arrays[1].offset = 0;
    CHECK_STATUS(expand_status(&c.series, 4), VF_ERROR_ARROW);
#undef REFUSED
    cut(&c, "l", 4, 1, false, values, 2);
    CHECK_STATUS(expand_status(&c.series, 3), VF_ERROR_ARGUMENT);
    CHECK_STATUS(expand_status(&c.series, -1), VF_ERROR_ARGUMENT);
    CHECK_STATUS(expand_status(NULL, 4), VF_ERROR_ARGUMENT);
    struct vf_column out;
    CHECK_STATUS(vf_column_expand(NULL, &c.series, NULL, 4, NULL, NULL, &out, &check_error), VF_ERROR_ARGUMENT);
    c.series.schema = NULL;
    CHECK_STATUS(expand_status(&c.series, 4), VF_ERROR_ARROW);
}

/* Types that are carried without being read: their widths, and what only looks like them. */
static void test_carried_types(void) {
    static const struct {
        const char *format;
        int64_t width; /* 0: refused */
    } types[] = {{"e", 2},         {"ex", 0},          {"tiM", 4},        {"tiD", 8},      {"tin", 16},     {"ti", 0},
                 {"w:4", 4},       {"w:1048576", 1048576}, {"w:1048577", 0}, {"w:0", 0},   {"w:-4", 0},     {"w", 0},
                 {"d:9,2", 16},    {"d:9,2,32", 4},    {"d:9,2,64", 8},   {"d:9,2,128", 16}, {"d:9,2,256", 32}, {"d:9,2,512", 0},
                 {"d:9", 0},       {"d", 0},           {"x:4", 0},        {"+l", 0}};
    static uint8_t values[2 * 1048576];
    counts[0] = counts[1] = 1;
    for (size_t i = 0; i < sizeof values; i++)
        values[i] = (uint8_t)draw(256);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        struct chunked c;
        struct vf_column out = {{0}, {0}};
        cut(&c, types[t].format, 2, 1, false, values, 2);
        CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 2, NULL, NULL, &out, &check_error),
                     types[t].width > 0 ? VF_OK : VF_ERROR_TYPE);
        if (types[t].width > 0)
            CHECK(memcmp(out.array.buffers[1], values, (size_t)types[t].width * 2) == 0);
        vf_column_release(&out);
        c.schema.n_children = 1; /* a nested type, whatever its format says */
        CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 2, NULL, NULL, &out, &check_error), VF_ERROR_TYPE);
    }
}

/* Two chunks whose dictionaries differ in one way each: the values that come out are those that went in. */
static void test_dictionaries_that_are_nearly_one(void) {
    static const int32_t offsets[5] = {0, 1, 2, 3, 4};
    static const uint32_t keys[4] = {0, 1, 1, 0};
    static const uint8_t all[1] = {0xff};
    for (int i = 0; i < 4; i++)
        counts[i] = 1;
    for (int kind = 0; kind < 5; kind++) {
        struct chunked c;
        struct vf_column out;
        cut(&c, "I", 4, 2, false, keys, 2);
        c.schema.dictionary = &c.values_schema;
        c.values_schema.format = "u";
        for (int k = 0; k < 2; k++) {
            c.values_buffers[k][1] = offsets;
            c.values_buffers[k][2] = "wxyz";
            c.dictionaries[k] = (struct ArrowArray){.length = 2, .n_buffers = 3, .buffers = c.values_buffers[k]};
            c.arrays[k].dictionary = &c.dictionaries[k];
        }
        if (kind == 1) c.dictionaries[1].length = 3;
        if (kind == 2) c.dictionaries[1].offset = 1;
        if (kind == 3) c.values_buffers[1][0] = all;
        if (kind == 4) c.arrays[1].dictionary = &c.dictionaries[0];
        CHECK_OK(vf_column_expand(NULL, &c.series, counts, 4, NULL, NULL, &out, &check_error));
        const struct ArrowArray *d = out.array.dictionary;
        CHECK_I64(d->length, kind == 1 || kind == 2 ? 3 : 2);
        for (int64_t i = 0; i < 4; i++) {
            uint32_t key = check_u32(&out, i);
            char want = "wxyz"[keys[i] + (kind == 2 && i >= 2 ? 1 : 0)];
            CHECK(((const char *)d->buffers[2])[((const int32_t *)d->buffers[1])[d->offset + key]] == want);
        }
        vf_column_release(&out);
    }
    /* views share what they show, though their sizes are listed anew; and a dictionary that cannot be read */
    static const int64_t sizes[2][1] = {{40}, {40}};
    static const uint8_t views[32] = {1, 0, 0, 0, 'w', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'x'};
    struct chunked c;
    struct vf_column out;
    cut(&c, "I", 4, 2, false, keys, 2);
    c.schema.dictionary = &c.values_schema;
    c.values_schema.format = "vu";
    for (int k = 0; k < 2; k++) {
        c.values_buffers[k][1] = views;
        c.values_buffers[k][2] = "some text of forty bytes, none of it used";
        c.values_buffers[k][3] = sizes[k];
        c.dictionaries[k] = (struct ArrowArray){.length = 2, .n_buffers = 4, .buffers = c.values_buffers[k]};
        c.arrays[k].dictionary = &c.dictionaries[k];
    }
    CHECK_OK(vf_column_expand(NULL, &c.series, counts, 4, NULL, NULL, &out, &check_error));
    CHECK(out.array.dictionary->buffers[1] == views);
    vf_column_release(&out);
    c.dictionaries[1].n_buffers = 2;
    CHECK_STATUS(vf_column_expand(NULL, &c.series, counts, 4, NULL, NULL, &out, &check_error), VF_ERROR_ARROW);
}

static void refuse(const struct chunked *c, enum vf_status want) {
    struct vf_column out;
    struct vf_context ctx = {.n_threads = 1};
    released = 0;
    CHECK_STATUS(vf_column_expand(&ctx, &c->series, counts, 4, &released, count_release, &out, &check_error), want);
    CHECK_I64(released, 0);
}

static void four_ones(void) {
    for (int k = 0; k < 4; k++)
        counts[k] = 1;
}

/* Chunks that are not there, counts of nulls and offsets past any memory: read where nothing is, before. */
static void test_impossible_chunks_are_not_read(void) {
    struct chunked c;
    int64_t values[4] = {1, 2, 3, 4};
    four_ones();
    cut(&c, "l", 4, 1, false, values, 2);
    c.series.chunks = NULL;
    refuse(&c, VF_ERROR_ARROW);
    cut(&c, "l", 4, 1, false, values, 2);
    c.arrays[0].offset = INT64_MAX - 4;
    refuse(&c, VF_ERROR_ARROW);
    cut(&c, "l", 4, 1, false, values, 2);
    c.arrays[0].null_count = 5;
    refuse(&c, VF_ERROR_ARROW);
    cut(&c, "n", 4, 1, false, NULL, 3);
    refuse(&c, VF_ERROR_ARROW);
}

static void give_dictionary(struct chunked *c, const void *const *buffers) {
    c->values_schema.format = "l";
    c->schema.dictionary = &c->values_schema;
    for (int k = 0; k < 2; k++) {
        c->dictionaries[k] = (struct ArrowArray){.length = 2, .n_buffers = 2, .buffers = (const void **)buffers};
        c->arrays[k].dictionary = &c->dictionaries[k];
    }
}

/* Dictionaries whose own array is malformed; one of no values needs no buffers. */
static void test_malformed_dictionaries_are_not_read(void) {
    struct chunked c;
    struct vf_column out;
    uint8_t keys[4] = {0, 1, 0, 1};
    int64_t values[2] = {7, 8};
    const void *buffers[2] = {NULL, values};
    four_ones();
    cut(&c, "C", 4, 2, false, keys, 2);
    give_dictionary(&c, buffers);
    c.dictionaries[0].buffers = NULL;
    refuse(&c, VF_ERROR_ARROW);
    give_dictionary(&c, buffers);
    c.dictionaries[1].n_buffers = -1;
    refuse(&c, VF_ERROR_ARROW);
    cut(&c, "C", 0, 2, false, keys, 2);
    give_dictionary(&c, NULL);
    c.dictionaries[0].length = c.dictionaries[1].length = 0;
    CHECK_OK(vf_column_expand(NULL, &c.series, counts, 0, NULL, NULL, &out, &check_error));
    vf_column_release(&out);
}

/* Keys past the end of their own chunk's dictionary became the common dictionary's first value. */
static void test_broken_key_is_not_another_value(void) {
    struct chunked c;
    uint8_t keys[4] = {0, 1, 0, 6};
    four_ones();
    cut(&c, "C", 4, 2, false, keys, 2);
    c.values_schema.format = "u";
    c.schema.dictionary = &c.values_schema;
    for (int k = 0; k < 2; k++) {
        c.values_buffers[k][1] = word_offsets[k];
        c.values_buffers[k][2] = word_data[k];
        c.dictionaries[k] = (struct ArrowArray){.length = 6, .n_buffers = 3, .buffers = c.values_buffers[k]};
        c.arrays[k].dictionary = &c.dictionaries[k];
    }
    refuse(&c, VF_ERROR_ARROW);
}

/* Views that name no buffer of their chunk named one of another chunk once the chunks' buffers were put together. */
static void test_broken_view_is_not_another_text(void) {
    static const char *const text = "sixteen bytes of text here";
    static const int64_t size = 26;
    for (uint32_t wrong = 0; wrong < 4; wrong++) {
        struct chunked c;
        uint32_t views[16] = {0};
        four_ones();
        for (int i = 0; i < 4; i++) {
            views[4 * i] = 26;
            views[4 * i + 2] = (uint32_t)i == wrong ? wrong < 2 ? 1 : UINT32_MAX : 0;
        }
        cut(&c, "vu", 4, 2, false, views, 4);
        for (int k = 0; k < 2; k++) {
            c.buffers[k][2] = text + k; /* two buffers in all */
            c.buffers[k][3] = &size;
        }
        refuse(&c, VF_ERROR_ARROW);
    }
}

/* Formats that are none: before, an interval of unit X had 16 bytes a value. */
static void test_unknown_formats_are_not_carried(void) {
    static const char *const formats[] = {"tiX", "tiMM", "ti", "w:4x", "w:", "w:-1", "w:0", "w: 4", "d:", "d:9",
                                          "d:9,2,65", "d:9,2,64x", "d:x,64,64", "d:9,,64", "d:9,2,", "d:9,2,64,64"};
    static uint8_t values[4 * 32];
    four_ones();
    for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
        struct chunked c;
        cut(&c, formats[f], 4, 1, false, values, 2);
        refuse(&c, VF_ERROR_TYPE);
    }
}

/* Undefined where a plain load needs its alignment (UndefinedBehaviorSanitizer shows it). */
static void test_unaligned_offsets(void) {
    static const int32_t offsets[5] = {0, 2, 2, 3, 5};
    static uint8_t shifted[5 * 8 + 1];
    for (int wide = 0; wide < 2; wide++) {
        struct chunked c;
        struct vf_column out;
        for (int i = 0; i < 5; i++) {
            int64_t at = offsets[i];
            memcpy(shifted + 1 + i * (wide ? 8 : 4), &at, wide ? 8 : 4);
        }
        four_ones();
        cut(&c, wide ? "U" : "u", 4, 1, false, shifted + 1, 3);
        c.buffers[0][2] = "abcde";
        CHECK_OK(vf_column_expand(NULL, &c.series, counts, 4, NULL, NULL, &out, &check_error));
        CHECK(text_is(wide ? "U" : "u", &out.array, 0, "ab"));
        CHECK(text_is(wide ? "U" : "u", &out.array, 3, "de"));
        vf_column_release(&out);
    }
    static uint8_t sizes[9] = {0, 26};
    uint32_t views[16] = {26, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 26};
    struct chunked c;
    struct vf_column out;
    cut(&c, "vu", 4, 1, false, views, 4);
    c.buffers[0][2] = "sixteen bytes of text here";
    c.buffers[0][3] = sizes + 1;
    CHECK_OK(vf_column_expand(NULL, &c.series, counts, 4, NULL, NULL, &out, &check_error));
    CHECK(text_is("vu", &out.array, 3, "sixteen bytes of text here"));
    vf_column_release(&out);
}

int main(void) {
    make_words();
    static const int64_t sizes[4] = {0, 1, 97, ROWS};
    for (int round = 0; round < 16; round++) {
        int64_t n = sizes[round % 4];
        size_t n_chunks = round < 4 ? 1 : 1 + (size_t)draw(MAX_CHUNKS);
        bool nulls = round % 3 == 1;
        for (size_t i = 0; i < sizeof valid_bits; i++)
            valid_bits[i] = (uint8_t)(draw(256) | draw(256));
        draw_counts(n, round > 8);
        test_fixed(n, n_chunks, nulls, 1 + (uint32_t)(round % 3));
        test_bits(n, n_chunks, nulls, 1 + (uint32_t)(round % 3));
        test_texts(n, n_chunks, nulls, 1 + (uint32_t)(round % 3));
        test_null(n, n_chunks);
        if (round < 8)
            test_dictionaries(n, n_chunks, nulls, round % 2 == 1);
        else
            test_dictionaries(n, n_chunks, nulls, n_chunks > 1);
    }
    test_view_buffers();
    test_dictionary_limits();
    test_refusals();
    test_malformed_chunks();
    test_carried_types();
    test_dictionaries_that_are_nearly_one();
    test_impossible_chunks_are_not_read();
    test_malformed_dictionaries_are_not_read();
    test_broken_key_is_not_another_value();
    test_broken_view_is_not_another_text();
    test_unknown_formats_are_not_carried();
    test_unaligned_offsets();
    return check_report("expand");
}
