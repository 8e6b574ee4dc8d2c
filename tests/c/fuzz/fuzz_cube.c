/* A cube as a file holds it: parts of a sound cube, damaged in ways that a check sum would not show, are refused or can be
   asked, and parts that are not damaged give the cube's own answers. Not for how cubes are made (fuzz_arrow.c has that).

   Input: what the cube is of, then its rows, then what is damaged. The header's sum is made right again after damage: it
   is there against accidents, and everything behind it must hold without it. */
#include "base/base.h"

#include "columns.h"

enum { MOST_ROWS = 24, MOST_AXES = 3, MOST_STATES = 3, MOST_PARTS = 32, MOST_GIVEN = MOST_AXES + 3 * MOST_STATES };

static struct blocks blocks;
static struct vf_error err;

static const size_t widths[] = {1, 2, 1, 1, 2, 2, 1, 3}; /* value columns by enum vf_cube_merge */

struct spec {
    size_t n_axes, n_states;
    struct vf_cube_state states[MOST_STATES];
    enum vf_cube_layout layout;
};

/* ---- columns of one chunk ---- */

static void plain(struct vf_series *out, const char *format, int64_t n, const void *validity, const void *values,
                  const void *text) {
    struct ArrowSchema *schema = block_new(&blocks, sizeof *schema);
    struct ArrowArray *array = block_new(&blocks, sizeof *array);
    const void **buffers = block_new(&blocks, 3 * sizeof *buffers);
    const struct ArrowArray **chunks = block_new(&blocks, sizeof *chunks);
    *schema = (struct ArrowSchema){.format = format, .name = "x"};
    buffers[0] = validity;
    buffers[1] = values;
    buffers[2] = text;
    *array = (struct ArrowArray){.length = n,
                                 .null_count = validity != NULL ? -1 : 0,
                                 .n_buffers = text != NULL ? 3 : 2,
                                 .buffers = buffers};
    chunks[0] = array;
    *out = (struct vf_series){.schema = schema, .chunks = chunks, .n_chunks = 1};
}

static double take_real(struct bytes *b) {
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 5e-324, 0x1p53, -0.0};
    uint8_t x = take_byte(b);
    return x < 8 ? odd[x] : (double)(int8_t)x / 4;
}

/* hi and lo, and where they stand for a product an exponent. */
static void pair_columns(struct bytes *b, struct vf_series *out, int64_t n, bool product) {
    double *hi = block_new(&blocks, (size_t)n * 8), *lo = block_new(&blocks, (size_t)n * 8);
    int64_t *exponent = block_new(&blocks, (size_t)n * 8);
    for (int64_t i = 0; i < n; i++) {
        hi[i] = take_real(b);
        if (!product) continue;
        exponent[i] = (int8_t)take_byte(b);
        if (hi[i] != 0 && isfinite(hi[i])) {
            int e;
            hi[i] = frexp(hi[i], &e);
            exponent[i] += e;
        } else
            exponent[i] = 0;
    }
    plain(&out[0], "g", n, NULL, hi, NULL);
    plain(&out[1], "g", n, NULL, lo, NULL);
    if (product) plain(&out[2], "l", n, NULL, exponent, NULL);
}

static void whole_column(struct bytes *b, struct vf_series *out, int64_t n, bool nulls) {
    int64_t *values = block_new(&blocks, (size_t)n * 8);
    uint8_t *validity = block_new(&blocks, (size_t)(n + 7) / 8);
    for (int64_t i = 0; i < n; i++) {
        uint8_t x = take_byte(b);
        values[i] = x == 255 ? INT64_MAX : x == 254 ? INT64_MIN : (int8_t)x;
        if (x % 8 != 7) validity[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    plain(out, "l", n, nulls ? validity : NULL, values, NULL);
}

static void key_column(struct bytes *b, struct vf_series *out, int64_t n, bool text) {
    if (!text) {
        int32_t *days = block_new(&blocks, (size_t)n * 4);
        uint8_t *validity = block_new(&blocks, (size_t)(n + 7) / 8);
        for (int64_t i = 0; i < n; i++) {
            uint8_t x = take_byte(b);
            days[i] = x % 5;
            if (x < 250) validity[i / 8] |= (uint8_t)(1u << (i % 8));
        }
        plain(out, "tdD", n, validity, days, NULL);
        return;
    }
    int32_t *offsets = block_new(&blocks, (size_t)(n + 1) * 4);
    char *data = block_new(&blocks, (size_t)n * 2 + 1);
    for (int64_t i = 0; i < n; i++) {
        uint8_t x = take_byte(b) % 4;
        memset(data + offsets[i], 'a' + x, x % 3);
        offsets[i + 1] = offsets[i] + x % 3;
    }
    plain(out, "u", n, NULL, offsets, data);
}

/* ---- a cube that is sound ---- */

static void take_spec(struct bytes *b, struct spec *s) {
    *s = (struct spec){.n_axes = (size_t)take_between(b, 1, MOST_AXES),
                       .n_states = (size_t)take_between(b, 1, MOST_STATES),
                       .layout = (enum vf_cube_layout)take_between(b, 1, 2)};
    for (size_t i = 0; i < s->n_states; i++)
        s->states[i] = (struct vf_cube_state){.merge = (enum vf_cube_merge)take_between(b, 0, 7), .name = "state"};
}

static struct vf_cube *make_cube(struct bytes *b, const struct spec *s) {
    struct vf_context ctx = {.n_threads = 1};
    struct vf_series keys[MOST_AXES], values[3 * MOST_STATES];
    struct vf_cube *cube = NULL;
    int64_t n = take_between(b, 0, MOST_ROWS);
    size_t at = 0;
    for (size_t a = 0; a < s->n_axes; a++)
        key_column(b, &keys[a], n, a > 0 && take_chance(b, 2));
    for (size_t i = 0; i < s->n_states; at += widths[s->states[i++].merge]) {
        switch (s->states[i].merge) {
        case VF_CUBE_ADD_FLOAT:
            pair_columns(b, &values[at], n, false);
            break;
        case VF_CUBE_PRODUCT_FLOAT:
            pair_columns(b, &values[at], n, true);
            break;
        case VF_CUBE_FIRST:
        case VF_CUBE_LAST:
            whole_column(b, &values[at], n, true);
            whole_column(b, &values[at + 1], n, true);
            break;
        default:
            whole_column(b, &values[at], n, s->states[i].merge != VF_CUBE_ADD_INT);
            break;
        }
    }
    REQUIRE(vf_cube_open(&ctx, s->n_axes, s->states, s->n_states, &cube, &err) == VF_OK);
    enum vf_status status = vf_cube_learn(cube, keys, values, n, &err);
    if (status == VF_OK) status = vf_cube_build(cube, s->layout, 0, &err);
    if (status == VF_OK) status = vf_cube_add(cube, keys, values, n, &err);
    if (status == VF_OK) status = vf_cube_finish(cube, &err);
    check_error(status, &err);
    if (status == VF_OK) return cube;
    vf_cube_close(cube);
    return NULL;
}

/* ---- parts, each buffer in a block of its own ---- */

struct part {
    const char *format;
    int64_t n;
    size_t width;
    uint8_t *values, *validity, *text; /* text: of axes of texts */
    size_t text_size;
};

static size_t width_of(const char *format) {
    return *format == 'C' ? 1 : *format == 'I' ? 4 : 8;
}

static uint8_t *copy(const void *from, size_t size) {
    uint8_t *to = block_new(&blocks, size);
    if (size > 0) memcpy(to, from, size);
    return to;
}

static void copy_part(struct vf_column *column, struct part *p) {
    static const char *const known[] = {"l", "L", "I", "C", "U"};
    const struct ArrowArray *a = &column->array;
    *p = (struct part){.n = a->length, .width = width_of(column->schema.format)};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i], column->schema.format) == 0) p->format = known[i];
    REQUIRE(p->format != NULL && a->offset == 0);
    bool text = *p->format == 'U';
    p->values = copy(a->buffers[1], (size_t)(p->n + text) * p->width);
    if (a->buffers[0] != NULL) p->validity = copy(a->buffers[0], (size_t)(p->n + 7) / 8);
    if (text) {
        p->text_size = (size_t)((const int64_t *)a->buffers[1])[p->n];
        p->text = copy(a->buffers[2], p->text_size);
    }
    vf_column_release(column);
}

/* Numbers that a header or an index may be wrong by. */
static uint64_t take_wrong(struct bytes *b, uint64_t was) {
    static const uint64_t odd[] = {0,          1,          2,          UINT32_MAX, UINT64_MAX,  INT64_MAX,       UINT64_C(1) << 63,
                                   1ull << 60, 1ull << 58, 1ull << 32, 1ull << 20, (1ull << 60) - 1, 64, 35, 1023, 0x7ff0000000000000};
    uint8_t x = take_byte(b);
    if (x < 16) return odd[x];
    if (x < 64) return was + x - 40;
    if (x < 128) return (uint64_t)1 << (x - 64);
    return x < 160 ? take_word(b, 8) : x - 160u;
}

static void damage_value(struct bytes *b, struct part *p) {
    bool text = *p->format == 'U';
    int64_t n = p->n + text;
    if (n == 0) return;
    int64_t at = take_between(b, 0, n - 1);
    uint64_t word = 0;
    memcpy(&word, p->values + (size_t)at * p->width, p->width);
    word = take_wrong(b, word);
    if (text && (int64_t)word > (int64_t)p->text_size) word = p->text_size; /* no reader could know */
    memcpy(p->values + (size_t)at * p->width, &word, p->width);
}

/* Another number of values; offsets keep pointing into the text. */
static void damage_length(struct bytes *b, struct part *p) {
    int64_t n = take_chance(b, 4) ? 0 : p->n + take_between(b, 0, 6) - 3;
    size_t extra = *p->format == 'U' ? 1 : 0, had = (size_t)p->n + extra;
    if (n < 0) n = 0;
    uint8_t *values = block_new(&blocks, ((size_t)n + extra) * p->width);
    size_t kept = (size_t)n + extra < had ? (size_t)n + extra : had;
    memcpy(values, p->values, kept * p->width);
    if (p->validity != NULL) p->validity = block_new(&blocks, (size_t)(n + 7) / 8);
    p->values = values;
    p->n = n;
}

static void damage_validity(struct bytes *b, struct part *p) {
    size_t size = (size_t)(p->n + 7) / 8;
    p->validity = block_new(&blocks, size);
    for (size_t i = 0; i < size; i++)
        p->validity[i] = take_byte(b);
}

static bool damage(struct bytes *b, struct part *parts, size_t *n) {
    uint8_t how = take_byte(b);
    if (how == 0) return false;
    struct part *p = &parts[take_byte(b) % 2 == 0 ? 0 : take_byte(b) % *n];
    static const char *const others[] = {"l", "L", "I", "C", "U", "g", "tdD"};
    if (how < 180)
        damage_value(b, p);
    else if (how < 225)
        damage_length(b, p);
    else if (how < 235)
        damage_validity(b, p);
    else if (how < 245 && *p->format != 'U' && width_of(others[how % 7]) <= p->width && how % 7 != 4)
        p->format = others[how % 7];
    else if (how < 250 && *n > 1)
        (*n)--;
    else if (*n < MOST_PARTS) {
        parts[*n] = *p;
        (*n)++;
    }
    return true;
}

static void make_series_of(const struct part *p, struct vf_series *out) {
    plain(out, p->format, p->n, p->validity, p->values, *p->format == 'U' ? p->text : NULL);
}

/* ---- asked ---- */

static int owners;

static void let_go(void *owner) {
    (void)owner;
    owners--;
}

static size_t n_given(const struct spec *s, size_t n_kept) {
    for (size_t i = 0; i < s->n_states; i++) {
        enum vf_cube_merge merge = s->states[i].merge;
        n_kept += merge == VF_CUBE_FIRST || merge == VF_CUBE_LAST ? 1 : widths[merge];
    }
    return n_kept;
}

static void check_same(const struct vf_column *a, const struct vf_column *b) {
    const struct ArrowArray *x = &a->array, *y = &b->array;
    struct vf_series one = {.schema = &a->schema, .chunks = &x, .n_chunks = 1};
    struct vf_series two = {.schema = &b->schema, .chunks = &y, .n_chunks = 1};
    REQUIRE(a->array.length == b->array.length && strcmp(a->schema.format, b->schema.format) == 0);
    for (int64_t i = 0; i < a->array.length; i++) {
        struct cell c = cell_at(&one, i), d = cell_at(&two, i);
        REQUIRE(same_cell(&c, &d));
    }
}

/* The same question to both; `like` is NULL where the answers need not agree. */
static void ask(struct bytes *b, const struct spec *s, const struct vf_cube *cube, const struct vf_cube *like) {
    struct vf_column out[MOST_GIVEN], want[MOST_GIVEN];
    struct vf_cube_pick picks[MOST_AXES] = {0};
    uint32_t kept[MOST_AXES], positions[MOST_AXES][2], n_kept = 0;
    for (uint32_t a = 0; a < s->n_axes; a++) {
        uint8_t x = take_byte(b);
        if (x & 1) kept[n_kept++] = a;
        positions[a][0] = x >> 2 & 3;
        positions[a][1] = positions[a][0] + 1 + (x >> 4 & 3);
        if (x & 2) picks[a] = (struct vf_cube_pick){.positions = positions[a], .n = x >> 6 & 3 ? 1 + (x >> 7) : 0};
    }
    struct vf_cube_query query = {.picks = picks, .kept = kept, .n_kept = n_kept, .memory_limit = 1 << 24};
    size_t n = n_given(s, n_kept);
    enum vf_status status = vf_cube_query(cube, &query, out, &err);
    check_error(status, &err);
    if (like != NULL) {
        enum vf_status wanted = vf_cube_query(like, &query, want, &err);
        check_error(wanted, &err);
        REQUIRE(status == wanted);
        for (size_t i = 0; status == VF_OK && i < n; i++) {
            check_same(&out[i], &want[i]);
            vf_column_release(&want[i]);
        }
    }
    for (size_t i = 0; status == VF_OK && i < n; i++)
        check_given(&out[i], -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bytes b = {.at = data, .end = data + size};
    struct vf_context ctx = {.n_threads = 1};
    struct spec spec;
    struct part parts[MOST_PARTS];
    struct vf_series series[MOST_PARTS];
    err = (struct vf_error){0};
    take_spec(&b, &spec);
    struct vf_cube *cube = make_cube(&b, &spec), *again = NULL;
    if (cube == NULL) {
        blocks_free(&blocks);
        return 0;
    }
    size_t n = vf_cube_n_parts(cube);
    REQUIRE(n <= MOST_PARTS);
    for (size_t i = 0; i < n; i++) {
        struct vf_column column;
        REQUIRE(vf_cube_part(cube, i, &column, &err) == VF_OK);
        copy_part(&column, &parts[i]);
    }
    bool damaged = false;
    for (int k = 0; k < 6 && damage(&b, parts, &n); k++)
        damaged = true;
    if (parts[0].n > 0 && parts[0].width == 8) {
        size_t body = (size_t)(parts[0].n - 1) * 8;
        uint64_t sum = vf__hash_bytes(parts[0].values, body);
        memcpy(parts[0].values + body, &sum, 8);
    }
    for (size_t i = 0; i < n; i++)
        make_series_of(&parts[i], &series[i]);
    owners = 1;
    enum vf_status status = vf_cube_attach(&ctx, spec.states, spec.n_states, series, n, &owners, let_go, &again, &err);
    check_error(status, &err);
    REQUIRE(damaged || status == VF_OK);
    if (status == VF_OK) {
        ask(&b, &spec, again, damaged ? NULL : cube);
        ask(&b, &spec, again, damaged ? NULL : cube);
        struct vf_cube_shape shape;
        REQUIRE(vf_cube_shape(again, &shape, &err) == VF_OK);
        for (size_t i = 0; i < vf_cube_n_parts(again); i++) {
            struct vf_column column;
            status = vf_cube_part(again, i, &column, &err);
            check_error(status, &err);
            if (status == VF_OK) check_given(&column, -1);
        }
    }
    REQUIRE(owners == 1);
    vf_cube_close(again);
    REQUIRE(owners == (again != NULL ? 0 : 1));
    vf_cube_close(cube);
    blocks_free(&blocks);
    return 0;
}
