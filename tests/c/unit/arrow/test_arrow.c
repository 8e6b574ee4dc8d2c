/* src/arrow by hand: every format string, every type read through chunks, offsets and nulls, and what is malformed
   refused. Not for what the operations do with the values (test_clock, test_bin, test_fifo, ...). */
#include "arrow/build.h"
#include "arrow/read.h"

#include "check.h"

/* ---- types ---- */

static struct vf__type parsed(const char *format, const char *dictionary, enum vf_status want) {
    struct ArrowSchema values = {.format = dictionary}, schema = {.format = format, .name = "c"};
    struct vf__type type;
    if (dictionary != NULL) schema.dictionary = &values;
    CHECK_STATUS(vf__type_parse(&schema, &type, &check_error), want);
    if (want != VF_OK) CHECK(strcmp(check_error.column, "c") == 0 && check_error.code == want);
    return type;
}

static void test_formats(void) {
    static const struct {
        const char *format;
        enum vf__kind kind;
        uint32_t width;
        int64_t ns;
        const char *name;
    } good[] = {{"n", VF__NULL, 0, 0, "Null"},
                {"b", VF__BOOL, 0, 0, "Boolean"},
                {"c", VF__INT, 1, 0, "Int8"},
                {"C", VF__UINT, 1, 0, "UInt8"},
                {"s", VF__INT, 2, 0, "Int16"},
                {"S", VF__UINT, 2, 0, "UInt16"},
                {"i", VF__INT, 4, 0, "Int32"},
                {"I", VF__UINT, 4, 0, "UInt32"},
                {"l", VF__INT, 8, 0, "Int64"},
                {"L", VF__UINT, 8, 0, "UInt64"},
                {"f", VF__FLOAT, 4, 0, "Float32"},
                {"g", VF__FLOAT, 8, 0, "Float64"},
                {"u", VF__TEXT, 4, 0, "String"},
                {"U", VF__TEXT, 8, 0, "String"},
                {"vu", VF__TEXT, 16, 0, "String"},
                {"z", VF__TEXT, 4, 0, "Binary"},
                {"Z", VF__TEXT, 8, 0, "Binary"},
                {"vz", VF__TEXT, 16, 0, "Binary"},
                {"tdD", VF__DATE, 4, VF_DAY_NS, "Date"},
                {"tdm", VF__DATE, 8, 1000000, "Date"},
                {"tts", VF__TIME, 4, 1000000000, "Time"},
                {"ttm", VF__TIME, 4, 1000000, "Time"},
                {"ttu", VF__TIME, 8, 1000, "Time"},
                {"ttn", VF__TIME, 8, 1, "Time"},
                {"tss:", VF__TIMESTAMP, 8, 1000000000, "Datetime"},
                {"tsm:", VF__TIMESTAMP, 8, 1000000, "Datetime"},
                {"tsu:", VF__TIMESTAMP, 8, 1000, "Datetime"},
                {"tsn:", VF__TIMESTAMP, 8, 1, "Datetime"},
                {"tsn:Asia/Shanghai", VF__TIMESTAMP, 8, 1, "Datetime with time zone"},
                {"tDs", VF__DURATION, 8, 1000000000, "Duration"},
                {"tDm", VF__DURATION, 8, 1000000, "Duration"},
                {"tDu", VF__DURATION, 8, 1000, "Duration"},
                {"tDn", VF__DURATION, 8, 1, "Duration"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        for (int as_dictionary = 0; as_dictionary < 2; as_dictionary++) {
            struct vf__type type =
                as_dictionary ? parsed("S", good[i].format, VF_OK) : parsed(good[i].format, NULL, VF_OK);
            CHECK(type.kind == good[i].kind && type.width == good[i].width && type.ns == good[i].ns);
            CHECK(strcmp(vf__type_name(&type), good[i].name) == 0 &&
                  strcmp(type.format, good[i].format) == 0);
            CHECK(type.dictionary == (as_dictionary != 0) && type.index_width == (as_dictionary ? 2u : 0u));
            CHECK(vf__type_is_integer(&type) == (type.kind == VF__INT || type.kind == VF__UINT));
            CHECK(vf__type_is_number(&type) == (vf__type_is_integer(&type) || type.kind == VF__FLOAT));
            CHECK(vf__type_is_temporal(&type) == (type.ns != 0));
            CHECK(type.zoned == (strlen(good[i].format) > 4));
        }
    }
    CHECK(parsed("u", NULL, VF_OK).utf8 && !parsed("z", NULL, VF_OK).utf8 && !parsed("vz", NULL, VF_OK).utf8);
    CHECK(parsed("U", NULL, VF_OK).layout == VF__OFFSETS64 && parsed("vu", NULL, VF_OK).layout == VF__VIEWS);
    static const char *const indexes[] = {"c", "C", "s", "S", "i", "I", "l", "L"};
    for (size_t i = 0; i < 8; i++) {
        struct vf__type type = parsed(indexes[i], "u", VF_OK);
        CHECK(type.index_width == 1u << (i / 2) && type.index_signed == (i % 2 == 0));
    }
    static const char *const bad[] = {"",     "x",    "cc",  "e",   "d:10,2", "w:16", "+s",  "+l",   "+r",
                                      "+vl",  "v",    "vx",  "vU",  "vuu",    "uu",   "t",   "td",   "tdx",
                                      "tdDD", "tds",  "tt",  "ttx", "ttsx",   "ts",   "tss", "tsx:", "tD",
                                      "tDx",  "tDss", "tiM", "tiD", "tin",    " l"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        (void)parsed(bad[i], NULL, VF_ERROR_TYPE);
        (void)parsed("i", bad[i], VF_ERROR_TYPE);
    }
    (void)parsed(NULL, NULL, VF_ERROR_ARROW);
    static const char *const not_indexes[] = {"f", "u", "b", "tdD", "n", ""};
    for (size_t i = 0; i < sizeof not_indexes / sizeof not_indexes[0]; i++)
        (void)parsed(not_indexes[i], "u", VF_ERROR_ARROW);
    struct ArrowSchema inner = {.format = "u"}, middle = {.format = "i", .dictionary = &inner},
                       outer = {.format = "i", .dictionary = &middle}, empty = {0},
                       half = {.format = "i", .dictionary = &empty};
    struct vf__type type;
    CHECK_STATUS(vf__type_parse(&outer, &type, &check_error), VF_ERROR_ARROW);
    CHECK_STATUS(vf__type_parse(&half, &type, &check_error), VF_ERROR_ARROW);
    CHECK_STATUS(vf__type_parse(NULL, &type, &check_error), VF_ERROR_ARROW);
    CHECK(strcmp(vf__schema_name(NULL), "") == 0 && strcmp(vf__schema_name(&inner), "") == 0);
}

/* ---- columns of many chunks ---- */

enum { N = 700, MAX_CHUNKS = 40, ROOM = N + 64 * MAX_CHUNKS };

/* N values of `width` bytes (0: bits) cut into chunks of uneven sizes, empty ones among them, each with an offset
   of its own into its own buffers. */
struct many {
    struct ArrowSchema schema, dictionary_schema;
    struct ArrowArray arrays[MAX_CHUNKS];
    const struct ArrowArray *chunks[MAX_CHUNKS];
    const void *buffers[MAX_CHUNKS][3];
    uint8_t *memory[MAX_CHUNKS][2];
    struct vf_series series;
};

static uint32_t mixed(uint32_t x) {
    x = (x ^ (x >> 16)) * 0x45d9f3bu;
    return x ^ (x >> 13);
}

/* shift: bytes by which each value buffer is moved off its alignment. null_count: what the chunks claim, -1 not
   known, -2 the truth. */
static const struct vf_series *cut(struct many *m, const char *format, const void *values, size_t width,
                                   const uint8_t *valid, uint32_t seed, size_t shift, int64_t null_count) {
    memset(m, 0, sizeof *m);
    m->schema = (struct ArrowSchema){.format = format, .name = "col"};
    size_t n_chunks = 0;
    for (int64_t row = 0; row < N || n_chunks < 3;) {
        int64_t length = n_chunks % 4 == 1 ? 0 : 1 + (int64_t)(mixed(seed + (uint32_t)n_chunks) % 60);
        if (length > N - row || n_chunks == MAX_CHUNKS - 2) length = N - row;
        int64_t offset = (int64_t)((seed + 5 * n_chunks) % 17);
        size_t bytes = width != 0 ? (size_t)(offset + length) * width : (size_t)(offset + length + 7) / 8;
        uint8_t *data = calloc(1, bytes + shift + 1), *bits = calloc(1, (size_t)(offset + length + 8) / 8);
        int64_t nulls = 0;
        for (int64_t i = 0; i < length; i++) {
            if (width != 0)
                memcpy(data + shift + (size_t)(offset + i) * width,
                       (const uint8_t *)values + (size_t)(row + i) * width, width);
            else if (((const uint8_t *)values)[row + i])
                vf__bit_set(data + shift, offset + i);
            if (valid == NULL || valid[row + i])
                vf__bit_set(bits, offset + i);
            else
                nulls++;
        }
        m->memory[n_chunks][0] = bits;
        m->memory[n_chunks][1] = data;
        m->buffers[n_chunks][0] = valid != NULL ? bits : NULL;
        m->buffers[n_chunks][1] = data + shift;
        m->arrays[n_chunks] =
            (struct ArrowArray){.length = length,
                                .null_count = null_count == -2 || valid == NULL ? nulls : null_count,
                                .offset = offset,
                                .n_buffers = 2,
                                .buffers = m->buffers[n_chunks]};
        if (length == 0) m->arrays[n_chunks].buffers = n_chunks % 8 == 1 ? NULL : m->buffers[n_chunks];
        m->chunks[n_chunks] = &m->arrays[n_chunks];
        n_chunks++;
        row += length;
    }
    m->series = (struct vf_series){.schema = &m->schema, .chunks = m->chunks, .n_chunks = n_chunks};
    return &m->series;
}

static void uncut(struct many *m) {
    for (size_t c = 0; c < MAX_CHUNKS; c++) {
        free(m->memory[c][0]);
        free(m->memory[c][1]);
    }
}

/* Every way of asking: all at once, row by row, in pieces, and backwards. */
static void check_reads(const struct vf_series *series, const int64_t *i64, const double *f64,
                        const uint8_t *valid) {
    static int64_t ibuf[N];
    static double fbuf[N];
    static uint8_t vbuf[N];
    struct vf__reader reader;
    CHECK_OK(vf__reader_open(&reader, series, &check_error));
    CHECK_I64(reader.n_rows, N);
    const int64_t steps[] = {N, 1, 7, 64, 257};
    for (size_t s = 0; s < 5; s++)
        for (int backwards = 0; backwards < 2; backwards++)
            for (int64_t at = 0; at < N; at += steps[s]) {
                int64_t n = N - at < steps[s] ? N - at : steps[s], row = backwards ? N - at - n : at;
                const int64_t *ivals = NULL;
                const double *fvals = NULL;
                const uint8_t *v;
                if (i64 != NULL) {
                    CHECK_OK(vf__read_i64(&reader, row, n, ibuf, vbuf, &ivals, &v, &check_error));
                    for (int64_t i = 0; i < n; i++) {
                        bool ok = v == NULL || v[i];
                        CHECK(ok == (valid == NULL || valid[row + i]));
                        if (ok) CHECK_I64(ivals[i], i64[row + i]);
                    }
                }
                if (f64 != NULL) {
                    CHECK_OK(vf__read_f64(&reader, row, n, fbuf, vbuf, &fvals, &v, &check_error));
                    for (int64_t i = 0; i < n; i++) {
                        bool ok = v == NULL || v[i];
                        CHECK(ok == (valid == NULL || valid[row + i]));
                        if (ok) CHECK_F64(fvals[i], f64[row + i]);
                    }
                }
                CHECK_OK(vf__read_valid(&reader, row, n, vbuf, &v, &check_error));
                for (int64_t i = 0; i < n; i++)
                    CHECK((v == NULL || v[i] == 1) == (valid == NULL || valid[row + i]));
            }
}

static void some_nulls(uint8_t *valid, uint32_t seed) {
    for (uint32_t i = 0; i < N; i++)
        valid[i] = mixed(i * 7 + seed) % 3 != 0;
}

#define CHECK_NUMBER(type, format, expression)                                                               \
    do {                                                                                                     \
        static type values[N];                                                                               \
        static int64_t i64[N];                                                                               \
        static double f64[N];                                                                                \
        bool is_float = (format)[0] == 'f' || (format)[0] == 'g', is_time = (format)[0] == 't';              \
        for (int64_t i = 0; i < N; i++) {                                                                    \
            values[i] = (type)(expression);                                                                  \
            i64[i] = is_float ? 0 : (int64_t)values[i];                                                      \
            f64[i] = (double)values[i];                                                                      \
        }                                                                                                    \
        for (uint32_t seed = 0; seed < 6; seed++) {                                                          \
            uint8_t valid[N];                                                                                \
            some_nulls(valid, seed);                                                                         \
            struct many m;                                                                                   \
            const uint8_t *v = seed % 2 ? valid : NULL;                                                      \
            cut(&m, format, values, sizeof(type), v, seed, seed % 3, seed % 4 == 1 ? -1 : -2);               \
            check_reads(&m.series, is_float ? NULL : i64, is_time ? NULL : f64, v);                          \
            uncut(&m);                                                                                       \
        }                                                                                                    \
    } while (0)

static void test_numbers(void) {
    CHECK_NUMBER(int8_t, "c", i - 350);
    CHECK_NUMBER(uint8_t, "C", i);
    CHECK_NUMBER(int16_t, "s", i * 97 - 32000);
    CHECK_NUMBER(uint16_t, "S", i * 97);
    CHECK_NUMBER(int32_t, "i", i == 3 ? INT32_MIN : i * 3000000 - 1000000000);
    CHECK_NUMBER(uint32_t, "I", i == 3 ? UINT32_MAX : (uint32_t)i * 3000000u);
    CHECK_NUMBER(int64_t, "l", i == 3 ? INT64_MIN : i == 4 ? INT64_MAX : i * INT64_C(1000000007));
    CHECK_NUMBER(uint64_t, "L", i == 3 ? INT64_MAX : i * INT64_C(1000000007));
    CHECK_NUMBER(float, "f", (double)i / 3 - 5);
    CHECK_NUMBER(double, "g", i == 3 ? (double)NAN : i == 4 ? -(double)INFINITY : (double)i / 3 - 5);
    CHECK_NUMBER(int32_t, "tdD", i - 300);
    CHECK_NUMBER(int64_t, "tdm", i - 300);
    CHECK_NUMBER(int32_t, "tts", i);
    CHECK_NUMBER(int64_t, "ttn", i);
    CHECK_NUMBER(int64_t, "tsu:", i * 1000000 - 77);
    CHECK_NUMBER(int64_t, "tDn", -i);
}

static void test_booleans_and_nulls(void) {
    static uint8_t bits[N], none[N];
    static int64_t i64[N];
    static double f64[N];
    for (uint32_t i = 0; i < N; i++)
        f64[i] = (double)(i64[i] = bits[i] = mixed(i) % 2);
    for (uint32_t seed = 0; seed < 6; seed++) {
        uint8_t valid[N];
        struct many m;
        some_nulls(valid, seed);
        cut(&m, "b", bits, 0, seed % 2 ? valid : NULL, seed, 0, -1);
        check_reads(&m.series, i64, f64, seed % 2 ? valid : NULL);
        uncut(&m);
    }
    /* null columns come without buffers, or (Polars) with one that is empty */
    for (int64_t n_buffers = 0; n_buffers < 2; n_buffers++) {
        const void *buffer = NULL;
        struct ArrowSchema schema = {.format = "n", .name = "nothing"};
        struct ArrowArray array = {.length = N, .null_count = N, .n_buffers = n_buffers, .buffers = &buffer};
        const struct ArrowArray *chunk = &array;
        struct vf_series series = {.schema = &schema, .chunks = &chunk, .n_chunks = 1};
        check_reads(&series, i64, f64, none);
    }
}

/* Bitmaps sliced at every bit, with garbage around them. */
static void test_bitmap_offsets(void) {
    uint8_t bits[40];
    int64_t values[300] = {0};
    for (uint32_t i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)mixed(i + 3);
    for (int64_t offset = 0; offset < 16; offset++)
        for (int64_t n = 0; n < 200; n += n < 20 ? 1 : 37) {
            struct check_column c;
            struct vf__reader reader;
            int64_t buffer[300];
            uint8_t valid_buffer[301];
            const int64_t *read;
            const uint8_t *valid;
            check_series(&c, "l", "x", n, bits, values, NULL);
            c.array.offset = offset;
            valid_buffer[n] = 77;
            CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
            CHECK_I64(reader.n_nulls, n == 0 ? 0 : -1);
            CHECK_OK(vf__read_i64(&reader, 0, n, buffer, valid_buffer, &read, &valid, &check_error));
            for (int64_t i = 0; i < n; i++)
                CHECK_I64(valid == NULL || valid[i], vf__bit(bits, offset + i));
            CHECK_I64(valid_buffer[n], 77);
        }
}

/* A plain column is not copied; one that lies askew is. */
static void test_in_place(void) {
    int64_t values[20], buffer[20];
    uint8_t valid_buffer[20];
    const int64_t *read;
    const uint8_t *valid;
    struct check_column c;
    struct vf__reader reader;
    for (int64_t i = 0; i < 20; i++)
        values[i] = i;
    check_series(&c, "l", "x", 10, NULL, values, NULL);
    c.array.offset = 5;
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_OK(vf__read_i64(&reader, 3, 4, buffer, valid_buffer, &read, &valid, &check_error));
    CHECK(read == values + 8 && valid == NULL);
    uint8_t askew[20 * 8 + 8];
    memcpy(askew + 3, values, sizeof values);
    c.buffers[1] = askew + 3;
    CHECK_OK(vf__read_i64(&reader, 3, 4, buffer, valid_buffer, &read, &valid, &check_error));
    CHECK(read == buffer && read[0] == 8 && read[3] == 11);
    CHECK_STATUS(vf__read_i64(&reader, 7, 4, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf__read_i64(&reader, -1, 1, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf__read_i64(&reader, 0, INT64_MAX, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_ARGUMENT);
    CHECK_STATUS(
        vf__read_i64(&reader, INT64_MAX, INT64_MAX, buffer, valid_buffer, &read, &valid, &check_error),
        VF_ERROR_ARGUMENT);
    CHECK_OK(vf__read_i64(&reader, 10, 0, buffer, valid_buffer, &read, &valid, &check_error));
}

static void test_uint64(void) {
    uint64_t values[4] = {1, UINT64_MAX, 3, (uint64_t)INT64_MAX + 1};
    uint8_t bits = 0x05, valid_buffer[4];
    int64_t buffer[4];
    double f64_buffer[4];
    const int64_t *read;
    const double *f64;
    const uint8_t *valid;
    uint64_t words[4];
    struct check_column c;
    struct vf__reader reader;
    check_series(&c, "L", "big", 4, NULL, values, NULL);
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_STATUS(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_OVERFLOW);
    CHECK(check_error.row == 1 && strcmp(check_error.column, "big") == 0);
    CHECK_STATUS(vf__read_i64(&reader, 2, 2, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, 3);
    CHECK_OK(vf__read_f64(&reader, 0, 4, f64_buffer, valid_buffer, &f64, &valid, &check_error));
    CHECK_F64(f64[1], 0x1p64);
    CHECK_OK(vf__read_words(&reader, 0, 4, words, &check_error)); /* any type: nothing overflows a word */
    CHECK(words[0] != words[1] && words[1] != words[3]);
    check_series(&c, "L", "big", 4, &bits, values, NULL); /* under a null, anything may stand */
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_OK(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &valid, &check_error));
    CHECK(read[0] == 1 && read[2] == 3 && valid != NULL && !valid[1] && !valid[3]);
    c.array.null_count = 0; /* the producer says that there are no nulls: then there are none */
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_STATUS(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &valid, &check_error),
                 VF_ERROR_OVERFLOW);
}

/* ---- texts ---- */

static const char *word(uint32_t i, size_t *length) {
    static char text[80];
    static const size_t sizes[] = {0, 1, 11, 12, 13, 40}; /* around the 12 bytes that a view holds itself */
    *length = sizes[mixed(i) % 6];
    for (size_t k = 0; k < *length; k++)
        text[k] = (char)(k == 3 ? 0 : 'a' + (i + k) % 26);
    return text;
}

struct texts {
    int32_t offsets32[N + 20];
    int64_t offsets64[N + 20];
    uint8_t views[(N + 20) * 16];
    uint8_t data[N * 40 + 64];
    uint8_t *second; /* views: every other long text lies in a second buffer */
    int64_t sizes[2];
    uint8_t bits[N / 8 + 8];
    const void *buffers[5];
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct ArrowArray *chunk;
    struct vf_series series;
};

static void make_texts(struct texts *t, const char *format, int64_t offset, const uint8_t *valid) {
    memset(t, 0, sizeof *t);
    t->second = t->data + sizeof t->data / 2;
    size_t used = 0, used_second = 0;
    for (int64_t i = 0; i < offset; i++) {
        memset(t->views + 16 * i, 0xff, 16); /* before the offset: garbage that nobody may read */
        t->offsets32[i] = -5;
        t->offsets64[i] = -5;
    }
    for (int64_t i = 0; i < N; i++) {
        size_t length;
        const char *text = word((uint32_t)i, &length);
        uint8_t *view = t->views + 16 * (offset + i);
        bool views = format[0] == 'v', far = views && i % 2 == 0;
        uint8_t *to = far ? t->second + used_second : t->data + used;
        int32_t length32 = (int32_t)length, buffer = far, at = (int32_t)(far ? used_second : used);
        if (valid != NULL && !valid[i] && views) {
            memset(view, 0xfe, 16); /* under a null, too */
        } else {
            memcpy(view, &length32, 4);
            if (length <= 12) {
                memcpy(view + 4, text, length);
            } else {
                memcpy(view + 4, text, 4);
                memcpy(view + 8, &buffer, 4);
                memcpy(view + 12, &at, 4);
            }
        }
        memcpy(to, text, length);
        t->offsets32[offset + i] = (int32_t)used;
        t->offsets64[offset + i] = (int64_t)used;
        if (far)
            used_second += length;
        else
            used += length;
        t->offsets32[offset + i + 1] = (int32_t)used;
        t->offsets64[offset + i + 1] = (int64_t)used;
        if (valid == NULL || valid[i]) vf__bit_set(t->bits, offset + i);
    }
    bool wide = format[0] == 'U' || format[0] == 'Z';
    t->schema = (struct ArrowSchema){.format = format, .name = "text"};
    t->sizes[0] = (int64_t)used;
    t->sizes[1] = (int64_t)used_second;
    t->buffers[0] = valid != NULL ? t->bits : NULL;
    t->buffers[1] = format[0] == 'v' ? (const void *)t->views
                    : wide           ? (const void *)t->offsets64
                                     : (const void *)t->offsets32;
    t->buffers[2] = t->data;
    t->buffers[3] = t->second;
    t->buffers[4] = t->sizes;
    t->array = (struct ArrowArray){.length = N,
                                   .null_count = valid != NULL ? -1 : 0,
                                   .offset = offset,
                                   .n_buffers = format[0] == 'v' ? 5 : 3,
                                   .buffers = t->buffers};
    t->chunk = &t->array;
    t->series = (struct vf_series){.schema = &t->schema, .chunks = &t->chunk, .n_chunks = 1};
}

static void test_texts(void) {
    static const char *const formats[] = {"u", "U", "vu", "z", "Z", "vz"};
    static struct texts t;
    static struct vf__text read[N];
    static uint8_t valid_buffer[N];
    static uint32_t ids[N];
    static uint64_t words[N], want_words[N];
    for (size_t f = 0; f < 6; f++)
        for (uint32_t seed = 0; seed < 4; seed++) {
            uint8_t nulls[N], *valid = seed % 2 ? nulls : NULL;
            const uint8_t *v;
            struct vf__reader reader;
            some_nulls(nulls, seed);
            make_texts(&t, formats[f], (int64_t)seed * 3, valid);
            CHECK_OK(vf__reader_open(&reader, &t.series, &check_error));
            CHECK(vf__reader_is_text(&reader));
            for (int64_t step = 1; step <= N; step += step < 3 ? 1 : 233)
                for (int64_t row = 0; row < N; row += step) {
                    int64_t n = N - row < step ? N - row : step;
                    CHECK_OK(vf__read_text(&reader, row, n, read, valid_buffer, &v, &check_error));
                    for (int64_t i = 0; i < n; i++) {
                        size_t length;
                        const char *want = word((uint32_t)(row + i), &length);
                        CHECK((v == NULL || v[i]) == (valid == NULL || valid[row + i]));
                        if (valid == NULL || valid[row + i])
                            CHECK(read[i].length == length && memcmp(read[i].data, want, length) == 0);
                        else
                            CHECK(read[i].length == 0 && read[i].data != NULL);
                    }
                }
            struct vf_context ctx = vf__context(NULL);
            struct vf__keys keys;
            vf__keys_init(&keys, &ctx, true);
            CHECK_OK(vf__read_keys(&reader, 0, N, &keys, ids, &check_error));
            for (int64_t i = 0; i < N; i++) {
                size_t length;
                const char *want = word((uint32_t)i, &length);
                bool there = valid == NULL || valid[i];
                CHECK_I64(ids[i], there ? vf__keys_find_bytes(&keys, want, length) : VF__NO_KEY);
                CHECK(!there || ids[i] != VF__NO_KEY);
            }
            vf__keys_release(&keys);
            CHECK_OK(vf__read_words(&reader, 0, N, words, &check_error));
            if (f == 0 && seed == 0) memcpy(want_words, words, sizeof words);
            for (int64_t i = 0; i < N; i++) /* the same text gives the same word however it is stored */
                CHECK((words[i] == want_words[i]) == (valid == NULL || valid[i]));
            int64_t number;
            double real;
            const int64_t *numbers;
            const double *reals;
            CHECK_STATUS(vf__read_i64(&reader, 0, 1, &number, valid_buffer, &numbers, &v, &check_error),
                         VF_ERROR_TYPE);
            CHECK_STATUS(vf__read_f64(&reader, 0, 1, &real, valid_buffer, &reals, &v, &check_error),
                         VF_ERROR_TYPE);
            CHECK_STATUS(vf__read_ns(&reader, 0, 1, &number, valid_buffer, &numbers, &v, &check_error),
                         VF_ERROR_TYPE);
        }
}

static enum vf_status text_status(struct texts *t) {
    struct vf__reader reader;
    static struct vf__text read[N];
    static uint8_t valid_buffer[N];
    const uint8_t *v;
    enum vf_status status = vf__reader_open(&reader, &t->series, &check_error);
    return status != VF_OK ? status
                           : vf__read_text(&reader, 0, t->array.length, read, valid_buffer, &v, &check_error);
}

static void set_view(struct texts *t, int64_t i, int32_t length, int32_t buffer, int32_t offset) {
    memcpy(t->views + 16 * i, &length, 4);
    memcpy(t->views + 16 * i + 8, &buffer, 4);
    memcpy(t->views + 16 * i + 12, &offset, 4);
}

static void test_malformed_texts(void) {
    static struct texts t;
    make_texts(&t, "vu", 0, NULL);
    const int32_t length = (int32_t)t.sizes[0],
                  bad[][3] = {{-1, 0, 0},           {INT32_MIN, 0, 0},         {13, -1, 0},
                              {13, 2, 0},           {13, INT32_MAX, 0},        {13, 0, -1},
                              {13, 0, length - 12}, {INT32_MAX, 0, INT32_MAX}, {length + 1, 0, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        make_texts(&t, "vu", 0, NULL);
        set_view(&t, 5, bad[i][0], bad[i][1], bad[i][2]);
        CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
        CHECK(check_error.row == 5 && strcmp(check_error.column, "text") == 0);
    }
    set_view(&t, 5, 13, 0, length - 13); /* up to the buffer's last byte is fine */
    CHECK_OK(text_status(&t));
    t.buffers[2] = NULL;
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    make_texts(&t, "vu", 0, NULL);
    t.buffers[4] = NULL;
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    t.array.n_buffers = 2; /* views have at least the sizes' buffer */
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);

    make_texts(&t, "u", 0, NULL);
    t.offsets32[7] = t.offsets32[8] + 1;
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    CHECK_I64(check_error.row, 7);
    make_texts(&t, "u", 0, NULL);
    t.offsets32[0] = -1;
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    make_texts(&t, "U", 0, NULL);
    t.offsets64[9] = INT64_MIN;
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    CHECK_I64(check_error.row, 8);
    make_texts(&t, "u", 0, NULL);
    t.buffers[2] = NULL; /* a text that has bytes needs them */
    CHECK_STATUS(text_status(&t), VF_ERROR_ARROW);
    memset(t.offsets32, 0, sizeof t.offsets32); /* empty texts do not */
    CHECK_OK(text_status(&t));
}

/* ---- dictionaries ---- */

struct dictionary {
    struct texts texts;
    uint8_t index_bytes[8 * (N + 20)];
    uint8_t index_bits[N / 8 + 8];
    const void *buffers[2];
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct ArrowArray *chunk;
    struct vf_series series;
};

/* Row i stands for dictionary entry mixed(i) % n_values, written in `format`'s integers. */
static void make_dictionary(struct dictionary *d, const char *format, const char *values, int64_t n_values,
                            int64_t offset, const uint8_t *value_valid, const uint8_t *row_valid) {
    make_texts(&d->texts, values, 2, value_valid);
    d->texts.array.length = n_values;
    memset(d->index_bits, 0, sizeof d->index_bits);
    size_t width = strchr("cC", *format) ? 1 : strchr("sS", *format) ? 2 : strchr("iI", *format) ? 4 : 8;
    for (int64_t i = 0; i < N; i++) {
        uint64_t index =
            mixed((uint32_t)i) % (uint64_t)n_values; /* little-endian hosts: the low bytes come first */
        bool there = row_valid == NULL || row_valid[i];
        if (!there) index = UINT64_MAX; /* under a null, anything may stand */
        memcpy(d->index_bytes + width * (size_t)(offset + i), &index, width);
        if (there) vf__bit_set(d->index_bits, offset + i);
    }
    d->buffers[0] = row_valid != NULL ? d->index_bits : NULL;
    d->buffers[1] = d->index_bytes;
    d->schema = (struct ArrowSchema){.format = format, .name = "dict", .dictionary = &d->texts.schema};
    d->array = (struct ArrowArray){.length = N,
                                   .null_count = row_valid != NULL ? -1 : 0,
                                   .offset = offset,
                                   .n_buffers = 2,
                                   .buffers = d->buffers,
                                   .dictionary = &d->texts.array};
    d->chunk = &d->array;
    d->series = (struct vf_series){.schema = &d->schema, .chunks = &d->chunk, .n_chunks = 1};
}

static void test_dictionaries(void) {
    static const char *const indexes[] = {"c", "C", "s", "S", "i", "I", "l", "L"};
    static struct dictionary d;
    static struct vf__text read[N];
    static uint8_t valid_buffer[N];
    static uint32_t ids[N];
    for (uint32_t k = 0; k < 16; k++) {
        uint8_t value_nulls[N], row_nulls[N];
        const uint8_t *value_valid = k % 2 ? value_nulls : NULL, *row_valid = k % 4 > 1 ? row_nulls : NULL,
                      *v;
        some_nulls(value_nulls, k);
        some_nulls(row_nulls, k + 1);
        make_dictionary(&d, indexes[k % 8], k < 8 ? "vu" : "u", 100, k, value_valid, row_valid);
        struct vf__reader reader;
        CHECK_OK(vf__reader_open(&reader, &d.series, &check_error));
        CHECK_I64(reader.n_nulls, value_valid != NULL || row_valid != NULL ? -1 : 0);
        struct vf_context ctx = vf__context(NULL);
        struct vf__keys keys;
        vf__keys_init(&keys, &ctx, true);
        CHECK_OK(vf__read_keys(&reader, 0, N, &keys, ids, &check_error));
        for (int64_t step = 1; step <= N; step += 233)
            for (int64_t row = 0; row < N; row += step) {
                int64_t n = N - row < step ? N - row : step;
                CHECK_OK(vf__read_text(&reader, row, n, read, valid_buffer, &v, &check_error));
                for (int64_t i = 0; i < n; i++) {
                    size_t length;
                    uint32_t entry = mixed((uint32_t)(row + i)) % 100;
                    const char *want = word(entry, &length);
                    bool there = (row_valid == NULL || row_valid[row + i]) &&
                                 (value_valid == NULL || value_valid[entry]);
                    CHECK((v == NULL || v[i]) == there);
                    if (there) CHECK(read[i].length == length && memcmp(read[i].data, want, length) == 0);
                    CHECK_I64(ids[row + i], there ? vf__keys_find_bytes(&keys, want, length) : VF__NO_KEY);
                }
                CHECK_OK(vf__read_valid(&reader, row, n, valid_buffer, &v, &check_error));
                for (int64_t i = 0; i < n; i++) {
                    uint32_t entry = mixed((uint32_t)(row + i)) % 100;
                    bool there = (row_valid == NULL || row_valid[row + i]) &&
                                 (value_valid == NULL || value_valid[entry]);
                    CHECK((v == NULL || v[i]) == there);
                }
            }
        vf__keys_release(&keys);
    }
    /* known nulls of rows, unknown ones through the dictionary: together not known */
    uint8_t one_null[N];
    memset(one_null, 1, sizeof one_null);
    one_null[3] = 0;
    make_dictionary(&d, "i", "u", 100, 0, one_null, one_null);
    d.array.null_count = 1;
    d.texts.array.null_count = 1;
    struct vf__reader reader;
    CHECK_OK(vf__reader_open(&reader, &d.series, &check_error));
    CHECK_I64(reader.n_nulls, -1);
}

static void test_dictionary_indexes(void) {
    static struct dictionary d;
    struct vf__reader reader;
    struct vf__text read[4];
    uint8_t valid_buffer[4];
    const uint8_t *v;
    static const int64_t bad[] = {-1, 3, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            make_dictionary(&d, is_signed ? "l" : "L", "u", 3, 0, NULL, NULL);
            memcpy(d.index_bytes + 16, &bad[i], 8);
            CHECK_OK(vf__reader_open(&reader, &d.series, &check_error));
            CHECK_STATUS(vf__read_text(&reader, 0, 4, read, valid_buffer, &v, &check_error), VF_ERROR_ARROW);
            CHECK_I64(check_error.row, 2);
            CHECK_STATUS(vf__read_valid(&reader, 0, 4, valid_buffer, &v, &check_error), VF_ERROR_ARROW);
        }
    make_dictionary(&d, "c", "u", 3, 0, NULL, NULL);
    d.texts.array.length = 0; /* an empty dictionary: every index is out of range */
    d.texts.array.buffers = NULL;
    CHECK_OK(vf__reader_open(&reader, &d.series, &check_error));
    CHECK_STATUS(vf__read_text(&reader, 0, 1, read, valid_buffer, &v, &check_error), VF_ERROR_ARROW);
    d.array.dictionary = NULL;
    CHECK_STATUS(vf__reader_open(&reader, &d.series, &check_error), VF_ERROR_ARROW);
}

/* Dictionaries of numbers: reached through i64 and f64, a uint64 too large and a null type among them. */
static void test_dictionary_numbers(void) {
    int16_t index[4] = {2, 0, 1, 2};
    uint64_t big[3] = {7, UINT64_MAX, 9};
    double real[3] = {0.5, NAN, -2};
    uint8_t value_bits = 0x05, valid_buffer[4];
    struct check_column c, values;
    struct vf__reader reader;
    int64_t buffer[4];
    double f64_buffer[4];
    const int64_t *read;
    const double *f64;
    const uint8_t *v;
    check_series(&values, "L", "v", 3, NULL, big, NULL);
    check_series(&c, "s", "d", 4, NULL, index, NULL);
    c.schema.dictionary = &values.schema;
    c.array.dictionary = &values.array;
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_STATUS(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &v, &check_error),
                 VF_ERROR_OVERFLOW);
    CHECK_I64(check_error.row, 2);
    values.buffers[0] = &value_bits;
    values.array.null_count = 1;
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_OK(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &v, &check_error));
    CHECK(v != NULL && v[0] && v[1] && !v[2] && v[3] && read[0] == 9 && read[1] == 7 && read[3] == 9);
    values.array.null_count =
        0; /* a bitmap that the producer calls empty counts for nothing, here as elsewhere */
    CHECK_STATUS(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &v, &check_error),
                 VF_ERROR_OVERFLOW);
    check_series(&values, "g", "v", 3, NULL, real, NULL);
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_OK(vf__read_f64(&reader, 0, 4, f64_buffer, valid_buffer, &f64, &v, &check_error));
    CHECK(f64[0] == -2 && f64[1] == 0.5 && isnan(f64[2]));
    check_series(&values, "n", "v", 3, NULL, NULL, NULL);
    values.array.n_buffers = 0;
    CHECK_OK(vf__reader_open(&reader, &c.series, &check_error));
    CHECK_OK(vf__read_i64(&reader, 0, 4, buffer, valid_buffer, &read, &v, &check_error));
    CHECK(v != NULL && !v[0] && !v[3]);
}

/* ---- nanoseconds, keys, words ---- */

static enum vf_status read_one_ns(const char *format, const void *value, int64_t *ns, bool *valid) {
    struct check_column c;
    struct vf__reader reader;
    uint8_t valid_buffer;
    const int64_t *read;
    const uint8_t *v;
    check_series(&c, format, "t", 1, NULL, value, NULL);
    enum vf_status status = vf__reader_open(&reader, &c.series, &check_error);
    if (status == VF_OK) status = vf__read_ns(&reader, 0, 1, ns, &valid_buffer, &read, &v, &check_error);
    if (status == VF_OK) *ns = *read;
    *valid = status == VF_OK && (v == NULL || *v);
    return status;
}

static void check_ns_i64(const char *format, int64_t value, int64_t want) {
    int64_t ns;
    bool valid;
    CHECK_OK(read_one_ns(format, &value, &ns, &valid));
    CHECK(valid);
    CHECK_I64(ns, want);
}

static void check_ns_f64(double value, int64_t want) {
    int64_t ns;
    bool valid;
    CHECK_OK(read_one_ns("g", &value, &ns, &valid));
    CHECK(valid);
    CHECK_I64(ns, want);
}

static void test_nanoseconds(void) {
    int64_t ns;
    bool valid;
    check_ns_i64("l", -3, INT64_C(-3000000000));
    check_ns_i64("tsn:", INT64_MIN, INT64_MIN);
    check_ns_i64("tsu:", -1, -1000);
    check_ns_i64("tsm:Asia/Seoul", 5, 5000000);
    check_ns_i64("tss:", 9223372036, INT64_C(9223372036000000000));
    check_ns_i64("tDm", 7, 7000000);
    int32_t day = 2;
    CHECK_OK(read_one_ns("tdD", &day, &ns, &valid));
    CHECK_I64(ns, 2 * VF_DAY_NS);
    int64_t late = 9223372037;
    CHECK_STATUS(read_one_ns("tss:", &late, &ns, &valid), VF_ERROR_OVERFLOW);
    CHECK_STATUS(read_one_ns("l", &late, &ns, &valid), VF_ERROR_OVERFLOW);
    late = -late;
    CHECK_STATUS(read_one_ns("tss:", &late, &ns, &valid), VF_ERROR_OVERFLOW);
    uint8_t yes = 1;
    CHECK_STATUS(read_one_ns("b", &yes, &ns, &valid), VF_ERROR_TYPE);

    check_ns_f64(34200.000000001, INT64_C(34200000000001));
    check_ns_f64(0.1, 100000000);
    check_ns_f64(2.5e-9, 3); /* half away from zero */
    check_ns_f64(-2.5e-9, -3);
    check_ns_f64(0x1.fffffffffffffp-2 / 1e9,
                 llround(0x1.fffffffffffffp-2 / 1e9 * 1e9)); /* just below a half */
    check_ns_f64(0.49e-9, 0);
    check_ns_f64(-0.0, 0);
    check_ns_f64(9e9, INT64_C(9000000000000000000));
    for (int64_t i = 1; i < 20000; i++) {
        double seconds = (double)(i * INT64_C(7919177) % INT64_C(4000000000)) / 1e3 + (double)i / 3e9;
        check_ns_f64(seconds, llround(seconds * 1e9));
        check_ns_f64(-seconds, llround(-seconds * 1e9));
    }
    double strange = NAN;
    CHECK_OK(read_one_ns("g", &strange, &ns, &valid));
    CHECK(!valid);
    const double beyond[] = {INFINITY, -INFINITY, 9.3e9, -9.3e9, 1e300};
    for (size_t i = 0; i < 5; i++)
        CHECK_STATUS(read_one_ns("g", &beyond[i], &ns, &valid), VF_ERROR_OVERFLOW);
    float half = 0.5f;
    CHECK_OK(read_one_ns("f", &half, &ns, &valid));
    CHECK_I64(ns, 500000000);

    /* impossible values under a null do not matter; many rows, in blocks */
    static int64_t times[N], buffer[N];
    static uint8_t nulls[N], valid_buffer[N];
    some_nulls(nulls, 9);
    for (int64_t i = 0; i < N; i++)
        times[i] = nulls[i] ? i : INT64_MIN;
    struct many m;
    struct vf__reader reader;
    const int64_t *read;
    const uint8_t *v;
    CHECK_OK(vf__reader_open(&reader, cut(&m, "tss:", times, 8, nulls, 2, 0, -2), &check_error));
    CHECK_OK(vf__read_ns(&reader, 0, N, buffer, valid_buffer, &read, &v, &check_error));
    for (int64_t i = 0; i < N; i++)
        if (nulls[i]) CHECK_I64(read[i], i * 1000000000);
    uncut(&m);
}

static void test_keys_and_words(void) {
    static int64_t values[N];
    static uint32_t ids[N];
    static uint64_t words[N], again[N];
    uint8_t nulls[N];
    some_nulls(nulls, 4);
    for (int64_t i = 0; i < N; i++)
        values[i] =
            mixed((uint32_t)i / 3) % 50 == 0 ? INT64_MIN : (int64_t)(mixed((uint32_t)i / 3) % 40) - 20;
    struct many m;
    struct vf__reader reader;
    struct vf__keys keys;
    struct vf_context ctx = vf__context(NULL);
    vf__keys_init(&keys, &ctx, false);
    CHECK_OK(vf__reader_open(&reader, cut(&m, "l", values, 8, nulls, 3, 0, -1), &check_error));
    CHECK(!vf__reader_is_text(&reader));
    CHECK_OK(vf__read_keys(&reader, 0, N, &keys, ids, &check_error));
    CHECK_OK(vf__read_words(&reader, 0, N, words, &check_error));
    uint32_t next = 0;
    for (int64_t i = 0; i < N; i++) {
        CHECK_I64(ids[i], nulls[i] ? vf__keys_find(&keys, (uint64_t)values[i]) : VF__NO_KEY);
        if (!nulls[i]) continue;
        CHECK(ids[i] <= next); /* dense, numbered as first seen */
        next += ids[i] == next;
        for (int64_t k = i > 30 ? i - 30 : 0; k < i; k++)
            CHECK((words[k] == words[i]) == (nulls[k] && values[k] == values[i]));
    }
    for (int64_t i = 0; i < N; i += 100) /* a word does not depend on where reading starts */
        CHECK_OK(vf__read_words(&reader, i, 100, again + i, &check_error));
    CHECK(memcmp(words, again, sizeof words) == 0);
    uncut(&m);
    static double reals[N];
    CHECK_OK(vf__reader_open(&reader, cut(&m, "g", reals, 8, nulls, 3, 0, -1), &check_error));
    CHECK_STATUS(vf__read_keys(&reader, 0, N, &keys, ids, &check_error), VF_ERROR_TYPE);
    CHECK_OK(vf__read_words(&reader, 0, N, words, &check_error));
    uncut(&m);
    vf__keys_release(&keys);
}

/* ---- malformed arrays ---- */

static enum vf_status open_status(struct check_column *c) {
    struct vf__reader reader;
    return vf__reader_open(&reader, &c->series, &check_error);
}

static void test_malformed(void) {
    int64_t values[4] = {0};
    uint8_t bits = 0xff;
    struct check_column c;
    struct vf__reader reader;
#define BROKEN(change)                                                                                       \
    do {                                                                                                     \
        check_series(&c, "l", "x", 4, &bits, values, NULL);                                                  \
        change;                                                                                              \
        CHECK_STATUS(open_status(&c), VF_ERROR_ARROW);                                                       \
    } while (0)
    BROKEN(c.array.length = -1);
    BROKEN(c.array.offset = -1);
    BROKEN((c.array.length = INT64_MAX, c.array.offset = 1));
    BROKEN((c.array.length = INT64_MAX / 8));
    BROKEN(c.array.null_count = -2);
    BROKEN(c.array.null_count = 5);
    BROKEN(c.array.n_buffers = 1);
    BROKEN(c.array.n_buffers = 3);
    BROKEN(c.array.buffers = NULL);
    BROKEN(c.buffers[1] = NULL);
    BROKEN((c.array.null_count = 1, c.buffers[0] = NULL));
    BROKEN(c.chunk = NULL);
    BROKEN(c.series.chunks = NULL);
    BROKEN(c.series.schema = NULL);
    BROKEN(c.schema.format = NULL);
    BROKEN((c.schema.format = "n", c.array.n_buffers = 2));
#undef BROKEN
    CHECK_STATUS(vf__reader_open(&reader, NULL, &check_error), VF_ERROR_ARGUMENT);
    check_series(&c, "l", "x", 0, NULL, NULL, NULL); /* an empty chunk needs no buffers */
    c.array.buffers = NULL;
    CHECK_OK(open_status(&c));
    c.series.n_chunks = 0; /* nor does a column need chunks */
    c.series.chunks = NULL;
    CHECK_OK(open_status(&c));
    struct ArrowArray halves[2] = {{.length = INT64_MAX / 17}, {.length = INT64_MAX / 17}};
    const struct ArrowArray *chunks[40]; /* lengths that overflow only together */
    for (size_t i = 0; i < 40; i++)
        chunks[i] = &halves[i % 2];
    struct ArrowSchema nothing = {.format = "n"};
    struct vf_series series = {.schema = &nothing, .chunks = chunks, .n_chunks = 40};
    CHECK_STATUS(vf__reader_open(&reader, &series, &check_error), VF_ERROR_ARROW);
}

/* ---- building ---- */

static void test_column_new(void) {
    struct check_faults heap = {0};
    struct vf_context ctx = check_context(&heap);
    struct vf_column column;
    void *values;
    uint8_t *validity;
    for (int64_t n = 0; n < 40; n++) {
        CHECK_OK(vf__column_new(&ctx, "i", "name", n, 4, true, &column, &values, &validity, &check_error));
        CHECK(strcmp(column.schema.format, "i") == 0 && strcmp(column.schema.name, "name") == 0);
        CHECK(column.schema.flags == ARROW_FLAG_NULLABLE && column.array.length == n &&
              column.array.n_buffers == 2);
        CHECK(column.array.buffers[1] == values && column.array.buffers[0] == validity);
        int64_t nulls = 0;
        for (int64_t i = 0; i < n; i++) {
            ((int32_t *)values)[i] = (int32_t)i;
            CHECK(vf__bit(validity, i));
            if (mixed((uint32_t)(i + n)) % 3 == 0) {
                vf__bit_clear(validity, i);
                nulls++;
            }
        }
        vf__column_done(&column);
        CHECK_I64(column.array.null_count, nulls);
        CHECK((column.array.buffers[0] == NULL) == (nulls == 0));
        struct vf_column moved = column; /* Arrow: the struct may be moved before it is released */
        memset(&column, 0, sizeof column);
        vf_column_release(&moved);
        CHECK(moved.array.release == NULL && moved.schema.release == NULL && moved.array.length == 0);
        vf_column_release(&moved);
        CHECK_I64(heap.live, 0);
    }
    CHECK_OK(vf__column_new(&ctx, "b", "flag", 11, 0, false, &column, &values, &validity, &check_error));
    CHECK(validity == NULL && ((uint8_t *)values)[0] == 0 && ((uint8_t *)values)[1] == 0);
    vf__column_done(&column);
    CHECK_I64(column.array.null_count, 0);
    vf_column_release(&column);
    CHECK_STATUS(
        vf__column_new(&ctx, "l", "x", INT64_MAX, 8, true, &column, &values, &validity, &check_error),
        VF_ERROR_MEMORY);
    vf_column_release(NULL);
    CHECK_I64(heap.live, 0);
}

static int owners_released;
static void release_owner(void *owner) {
    CHECK(owner == &owners_released);
    owners_released++;
}

static void test_array(void) {
    struct check_faults heap = {0};
    struct vf_context ctx = check_context(&heap);
    struct ArrowArray array;
    static const int64_t borrowed[2] = {1, 2};
    CHECK_OK(vf__array_new(&ctx, 4, 5, &array, &check_error));
    for (int i = 0; i < 4; i++)
        CHECK(array.buffers[i] == NULL);
    uint8_t *zeros = vf__array_buffer(&array, 1, 100, true);
    CHECK(zeros != NULL && zeros[0] == 0 && zeros[99] == 0 && array.buffers[1] == zeros);
    CHECK(vf__array_buffer(&array, 3, 0, false) != NULL);
    vf__array_borrow(&array, 2, borrowed);
    vf__array_own(&array, &owners_released, release_owner);
    CHECK(array.buffers[2] == borrowed);
    CHECK_I64(owners_released, 0);
    struct ArrowArray moved = array;
    moved.release(&moved);
    CHECK(moved.release == NULL);
    CHECK_I64(owners_released, 1);
    CHECK_I64(heap.live, 0);
    CHECK_STATUS(vf__array_new(&ctx, -1, 0, &array, &check_error), VF_ERROR_ARROW);
    CHECK_STATUS(vf__array_new(&ctx, INT64_MAX, 0, &array, &check_error), VF_ERROR_ARROW);
    CHECK_OK(vf__array_new(&ctx, 0, 3, &array, &check_error));
    array.release(&array);
    CHECK_I64(heap.live, 0);
}

static const char *metadata(size_t *length) {
    static char text[100];
    const int32_t numbers[] = {2, 3, 5, 0, 7}; /* 2 pairs: "key" = "value", "" = "a\0b, ok" */
    char *p = text;
    memcpy(p, &numbers[0], 4), p += 4;
    memcpy(p, &numbers[1], 4), p += 4;
    memcpy(p, "key", 3), p += 3;
    memcpy(p, &numbers[2], 4), p += 4;
    memcpy(p, "value", 5), p += 5;
    memcpy(p, &numbers[3], 4), p += 4;
    memcpy(p, &numbers[4], 4), p += 4;
    memcpy(p, "a\0b, ok", 7), p += 7;
    *length = (size_t)(p - text);
    return text;
}

static void test_schema_copy(void) {
    struct check_faults heap = {0};
    struct vf_context ctx = check_context(&heap);
    size_t length;
    struct ArrowSchema values = {.format = "vu", .name = NULL, .flags = 0};
    struct ArrowSchema schema = {.format = "I",
                                 .name = "sym",
                                 .metadata = metadata(&length),
                                 .flags = ARROW_FLAG_DICTIONARY_ORDERED,
                                 .dictionary = &values};
    struct ArrowSchema copy;
    CHECK_OK(vf__schema_copy(&ctx, &schema, &copy, &check_error));
    CHECK(copy.format != schema.format && strcmp(copy.format, "I") == 0 && strcmp(copy.name, "sym") == 0);
    CHECK(copy.flags == (ARROW_FLAG_DICTIONARY_ORDERED | ARROW_FLAG_NULLABLE));
    CHECK(copy.metadata != schema.metadata && memcmp(copy.metadata, schema.metadata, length) == 0);
    CHECK(copy.dictionary != &values && strcmp(copy.dictionary->format, "vu") == 0);
    CHECK(strcmp(copy.dictionary->name, "") == 0 && copy.dictionary->metadata == NULL &&
          copy.n_children == 0);
    copy.release(&copy);
    CHECK(copy.release == NULL);
    CHECK_I64(heap.live, 0);
    int32_t negative[2] = {1, -4};
    schema.metadata = (const char *)negative;
    CHECK_STATUS(vf__schema_copy(&ctx, &schema, &copy, &check_error), VF_ERROR_ARROW);
    negative[0] = -1;
    CHECK_STATUS(vf__schema_copy(&ctx, &schema, &copy, &check_error), VF_ERROR_ARROW);
    CHECK_I64(heap.live, 0);
}

static enum vf_status copy_scenario(const struct vf_context *ctx) {
    size_t length;
    struct ArrowSchema values = {.format = "u"}, copy;
    struct ArrowSchema schema = {
        .format = "i", .name = "d", .metadata = metadata(&length), .dictionary = &values};
    enum vf_status status = vf__schema_copy(ctx, &schema, &copy, &check_error);
    if (status == VF_OK) copy.release(&copy);
    return status;
}

static enum vf_status column_scenario(const struct vf_context *ctx) {
    struct vf_column column;
    void *values;
    uint8_t *validity;
    enum vf_status status =
        vf__column_new(ctx, "l", "x", 100, 8, true, &column, &values, &validity, &check_error);
    if (status == VF_OK) vf_column_release(&column);
    return status;
}

int main(void) {
    test_formats();
    test_numbers();
    test_booleans_and_nulls();
    test_bitmap_offsets();
    test_in_place();
    test_uint64();
    test_texts();
    test_malformed_texts();
    test_dictionaries();
    test_dictionary_indexes();
    test_dictionary_numbers();
    test_nanoseconds();
    test_keys_and_words();
    test_malformed();
    test_column_new();
    test_array();
    test_schema_copy();
    check_all_faults(copy_scenario);
    check_all_faults(column_scenario);
    return check_report("arrow");
}
