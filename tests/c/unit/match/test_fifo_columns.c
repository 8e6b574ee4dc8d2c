/* The FIFO's columns in every form that Arrow has for them: the same rows give the same pieces, whether sides and symbols
   come as numbers, texts, views or dictionaries, and however they are cut. And what is refused of them, of the inventory
   and of options. Not for matching, which test_fifo.c has. */
#include "check.h"

enum { N = 6000, ALL = (1 << VF_FIFO_N_COLUMNS) - 1 };

/* ---- the rows ----------------------------------------------------------------------------------------------------- */

static int64_t symbols[N], sides[N], times[N], amounts[N]; /* side: 1 entry, 2 exit, 3 neither */
static double prices[N];

static uint64_t seed = 1;
static int64_t draw(int64_t below) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((seed >> 33) % (uint64_t)below);
}

static void make_rows(int64_t n_symbols) {
    seed = 7;
    for (int64_t i = 0; i < N; i++) {
        symbols[i] = draw(n_symbols);
        sides[i] = draw(8) == 0 ? 3 : 1 + draw(2);
        times[i] = i + draw(3) - 1; /* hardly in order */
        amounts[i] = draw(50);
        prices[i] = 10 + (double)draw(100) * 0.01;
    }
}

/* ---- one run --------------------------------------------------------------------------------------------------------- */

/* Columns of a run: what is NULL comes from the rows above, as plain numbers. Each is cut by moving offsets and lengths. */
struct run {
    struct check_column symbol, sort, time, side, quantity, price;
    struct vf_series *by_chunks[6]; /* chunks of the whole column; one slice, then */
    const struct vf_side *sides;
    size_t n_sides;
    enum vf_fifo_rows rows;
    enum vf_excess on_excess;
    unsigned columns;
    uint32_t n_threads;
    int64_t batch, slice;
};

static const struct vf_side numbers[2] = {{.integer = 1, .entry = true}, {.integer = 2, .entry = false}};

static void plain(struct run *r) {
    *r = (struct run){.sides = numbers, .n_sides = 2, .columns = ALL, .n_threads = 2, .batch = 2500, .slice = 1700};
    (void)check_series(&r->symbol, "l", "symbol", N, NULL, symbols, NULL);
    (void)check_series(&r->sort, "l", "t", N, NULL, times, NULL);
    (void)check_series(&r->time, "l", "t", N, NULL, times, NULL);
    (void)check_series(&r->side, "l", "side", N, NULL, sides, NULL);
    (void)check_series(&r->quantity, "l", "qty", N, NULL, amounts, NULL);
    (void)check_series(&r->price, "g", "price", N, NULL, prices, NULL);
}

static struct vf_fifo_batch slice_of(struct run *r, int64_t first, int64_t n) {
    struct check_column *all[6] = {&r->symbol, &r->sort, &r->time, &r->side, &r->quantity, &r->price};
    const struct vf_series *series[6];
    for (int c = 0; c < 6; c++) {
        all[c]->array.offset = first;
        all[c]->array.length = n;
        all[c]->array.null_count = all[c]->buffers[0] != NULL ? -1 : 0;
        series[c] = r->by_chunks[c] != NULL ? r->by_chunks[c] : &all[c]->series;
    }
    return (struct vf_fifo_batch){.keys = series[0], .n_keys = 1,
                                  .sort = series[1],
                                  .time = series[2],
                                  .side = series[3],
                                  .quantity = series[4],
                                  .price = series[5]};
}

static void mix(uint64_t *digest, uint64_t word) {
    *digest = (*digest ^ word) * UINT64_C(0xd6e8feb86659fd93) + 1;
    *digest ^= *digest >> 31;
}

static uint64_t digests[VF_FIFO_N_COLUMNS + 1]; /* of the last run: one a column, so that slices do not matter; counts */

/* All pieces as one number; 0 when the run fails, whose status goes to *status. */
static uint64_t pieces_of(struct run *r, enum vf_status *status) {
    struct vf_context ctx = {.n_threads = r->n_threads};
    const struct vf_fifo_options options = {.sides = r->sides,
                                            .n_sides = r->n_sides,
                                            .rows = r->rows,
                                            .on_excess = r->on_excess,
                                            .columns = r->columns};
    static uint32_t counts[N];
    uint64_t digest = 0;
    struct vf_fifo *fifo = NULL;
    *status = vf_fifo_open(&ctx, &options, &fifo, &check_error);
    for (int64_t row = 0; *status == VF_OK && row < N; row += r->batch) {
        struct vf_fifo_batch batch = slice_of(r, row, N - row < r->batch ? N - row : r->batch);
        *status = vf_fifo_update(fifo, &batch, &check_error);
    }
    if (*status == VF_OK) *status = vf_fifo_match(fifo, &check_error);
    for (int again = 0; *status == VF_OK && again < 2;
         again++) { /* twice: a replay starts from the first chunk */
        vf_fifo_rewind(fifo);
        memset(digests, 0, sizeof digests);
        for (int64_t row = 0; *status == VF_OK && row < N; row += r->slice) {
            struct vf_column out[VF_FIFO_N_COLUMNS];
            int64_t n = N - row < r->slice ? N - row : r->slice;
            struct vf_fifo_batch batch = slice_of(r, row, n);
            *status = vf_fifo_emit(fifo, &batch, row, n, r->columns, counts, out, &check_error);
            if (*status != VF_OK) break;
            for (int64_t i = 0; i < n; i++)
                mix(&digests[VF_FIFO_N_COLUMNS], counts[i]);
            for (int c = 0, at = 0; c < VF_FIFO_N_COLUMNS; c++) {
                size_t width = c == 3 ? 0 : c == 0 || c == 4 ? 4 : 8;
                if ((r->columns >> c & 1) == 0) continue;
                for (int64_t k = 0; k < out[at].array.length; k++) {
                    uint64_t word = 0;
                    if (!check_valid(&out[at], k))
                        word = UINT64_MAX;
                    else if (width == 0)
                        word = check_bool(&out[at], k);
                    else
                        memcpy(&word, (const uint8_t *)out[at].array.buffers[1] + (size_t)k * width, width);
                    mix(&digests[c], word);
                }
                vf_column_release(&out[at++]);
            }
        }
        if (*status == VF_OK) CHECK_OK(vf_fifo_replayed(fifo, &check_error));
    }
    vf_fifo_close(fifo);
    for (int c = 0; *status == VF_OK && c <= VF_FIFO_N_COLUMNS; c++)
        mix(&digest, digests[c]);
    return digest;
}

static uint64_t want; /* of the plain run */

static void check_same(struct run *r, const char *what) {
    enum vf_status status;
    uint64_t got = pieces_of(r, &status);
    if (got != want)
        fprintf(stderr, "%s: %s\n", what, status == VF_OK ? "other pieces" : check_error.message);
    CHECK(got == want);
}

static enum vf_status status_of(struct run *r) {
    enum vf_status status;
    memset(&check_error, 0, sizeof check_error);
    (void)pieces_of(r, &status);
    return status;
}

/* Which columns are asked for decides how pieces are kept, and nothing of what they say: of small and large quantities, whole
   and not, in every mode. */
static void test_few_columns(void) {
    static const unsigned few[4] = {VF_FIFO_QTY, VF_FIFO_CLOSED, VF_FIFO_QTY | VF_FIFO_CLOSED,
                                    VF_FIFO_QTY | VF_FIFO_ENTRY_ID};
    static int64_t whole[N];
    static double floats[N];
    for (int kind = 0; kind < 4; kind++)
        for (unsigned mode = 0; mode < 6; mode++) {
            struct run r;
            uint64_t all[VF_FIFO_N_COLUMNS + 1];
            enum vf_status status;
            int64_t unit = kind % 2 == 0 ? 1 : INT32_MAX / 49 + 1; /* 49 of these are no int32 */
            for (int64_t i = 0; i < N; i++) {
                whole[i] = amounts[i] == 49 && kind == 0 ? INT32_MAX : amounts[i] * unit;
                floats[i] = (double)whole[i] + (kind == 3 ? 0.5 : 0);
            }
            plain(&r);
            (void)check_series(&r.quantity, kind < 2 ? "l" : "g", "qty", N, NULL, kind < 2 ? (const void *)whole : floats, NULL);
            r.rows = (enum vf_fifo_rows)(mode % 3);
            r.on_excess = mode < 3 ? VF_EXCESS_UNCLOSED : VF_EXCESS_OPEN_SHORT;
            (void)pieces_of(&r, &status);
            CHECK_OK(status);
            memcpy(all, digests, sizeof all);
            for (int f = 0; f < 4; f++) {
                r.columns = few[f];
                (void)pieces_of(&r, &status);
                CHECK_OK(status);
                CHECK(digests[VF_FIFO_N_COLUMNS] == all[VF_FIFO_N_COLUMNS]);
                for (int c = 0; c < VF_FIFO_N_COLUMNS; c++)
                    CHECK((few[f] >> c & 1) == 0 || digests[c] == all[c]);
            }
        }
}

/* ---- texts ------------------------------------------------------------------------------------------------------------ */

struct texts {
    int32_t offsets[N + 1];
    int64_t long_offsets[N + 1];
    uint8_t views[N * 16], valid[N / 8 + 1];
    char data[N * 40];
    const void *buffers[4];
    int64_t sizes[1];
};

static void set_text(struct texts *t, int64_t i, const char *text) {
    uint32_t length = (uint32_t)strlen(text), buffer = 0, at = (uint32_t)t->offsets[i];
    uint8_t *view = t->views + 16 * i;
    memcpy(t->data + at, text, length);
    t->offsets[i + 1] = (int32_t)(at + length);
    t->long_offsets[i + 1] = t->offsets[i + 1];
    t->sizes[0] = t->offsets[i + 1];
    memset(view, 0x5a, 16); /* what lies behind a short text is nobody's business */
    memcpy(view, &length, 4);
    if (length <= 12) {
        memcpy(view + 4, text, length);
    } else {
        memcpy(view + 4, text, 4);
        memcpy(view + 8, &buffer, 4);
        memcpy(view + 12, &at, 4);
    }
    t->valid[i / 8] = (uint8_t)(t->valid[i / 8] | 1u << (i % 8));
}

static void as_column(struct texts *t, const char *format, const char *name, int64_t n, bool nulls,
                      struct check_column *c) {
    const uint8_t *valid = nulls ? t->valid : NULL;
    if (format[0] == 'v') {
        (void)check_series(c, format, name, n, valid, t->views, t->data);
        t->buffers[0] = valid;
        t->buffers[1] = t->views;
        t->buffers[2] = t->data;
        t->buffers[3] = t->sizes;
        c->array.buffers = t->buffers;
        c->array.n_buffers = 4;
    } else if (format[0] == 'U' || format[0] == 'Z') {
        (void)check_series(c, format, name, n, valid, t->long_offsets, t->data);
    } else {
        (void)check_series(c, format, name, n, valid, t->offsets, t->data);
    }
}

static const char *const layouts[5] = {"u", "U", "vu", "vz", "z"};
static struct texts side_texts, symbol_texts, values;

/* Rows that are neither side may be null instead. */
static void fill_sides(const char *const names[3], bool nulls) {
    memset(&side_texts, 0, sizeof side_texts);
    for (int64_t i = 0; i < N; i++) {
        set_text(&side_texts, i, names[sides[i] - 1]);
        if (nulls && sides[i] == 3 && i % 2 == 0)
            side_texts.valid[i / 8] = (uint8_t)(side_texts.valid[i / 8] & ~(1u << (i % 8)));
    }
}

static void test_sides_as_texts(void) {
    static const char *const names[][3] = {
        {"B", "S", "x"},
        {"buy", "sell", "sellx"},
        {"entry", "leave", "leav"},
        {"twelve bytes", "eleven byte", "twelve byte"},
        {"a long name of a side", "a long name of a side!", "a long name of a sidf"},
        {"", "S", "nothing"}};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct vf_side two[4] = {{.text = names[k][0], .length = strlen(names[k][0]), .entry = true},
                                 {.text = names[k][1], .length = strlen(names[k][1]), .entry = false},
                                 {.text = "never seen", .length = 10, .entry = true},
                                 {.integer = 1, .entry = true}};
        for (int form = 0; form < 30; form++) {
            struct run r;
            plain(&r);
            fill_sides(names[k], form % 2 == 1);
            as_column(&side_texts, layouts[form / 2 % 5], "side", N, form % 2 == 1, &r.side);
            r.sides = two;
            r.n_sides = 2 + (size_t)(form / 10); /* two patterns, three, and one that is no text */
            check_same(&r, names[k][0]);
        }
    }
}

/* Every width of a dictionary's keys, with values in an order of their own, some of them null. */
static void test_sides_in_dictionaries(void) {
    static const char *const formats[8] = {"c", "C", "s", "S", "i", "I", "l", "L"};
    static uint8_t index[N * 8];
    static const uint8_t value_valid[1] = {0x1f}; /* the sixth value is null */
    static const struct vf_side text_sides[2] = {{.text = "Buy", .length = 3, .entry = true},
                                                 {.text = "Sell it all today", .length = 17, .entry = false}};
    memset(&values, 0, sizeof values);
    static const char *const names[6] = {"", "Sell it all today", "Bu", "Buy", "Sell", "Buy"};
    for (int64_t v = 0; v < 6; v++)
        set_text(&values, v, names[v]);
    for (int form = 0; form < 32; form++) {
        struct run r;
        struct check_column dictionary;
        size_t width = (size_t)1 << (form % 8 / 2);
        bool nulls = form >= 8, beyond = form >= 16;
        memset(side_texts.valid, 0xff, sizeof side_texts.valid);
        for (int64_t i = 0; i < N; i++) {
            int64_t key = sides[i] == 1   ? 3
                          : sides[i] == 2 ? 1
                          : i % 4 == 0    ? 0
                          : i % 4 == 1    ? 2
                          : i % 4 == 2    ? 4
                                          : 5;
            if (nulls && sides[i] == 3 && i % 3 == 0) {
                side_texts.valid[i / 8] = (uint8_t)(side_texts.valid[i / 8] & ~(1u << (i % 8)));
                key = beyond ? 100 : 1; /* a null's key is nobody's business, wherever it leads */
            }
            memcpy(index + (size_t)i * width, &key, width);
        }
        plain(&r);
        as_column(&values, "u", "", 6, false, &dictionary);
        dictionary.buffers[0] = value_valid;
        dictionary.array.null_count = 1;
        (void)check_series(&r.side, formats[form % 8], "side", N, nulls ? side_texts.valid : NULL, index,
                           NULL);
        r.side.schema.dictionary = &dictionary.schema;
        r.side.array.dictionary = &dictionary.array;
        r.sides = text_sides;
        if (form >= 24) r.batch = r.slice = N;
        check_same(&r, formats[form % 8]);
        /* a key that leads nowhere where it counts */
        int64_t key = 6;
        memcpy(index + (size_t)3000 * width, &key, width);
        side_texts.valid[3000 / 8] |= 1u << (3000 % 8);
        CHECK_STATUS(status_of(&r), VF_ERROR_ARROW);
        CHECK_I64(check_error.row, 3000);
        CHECK(strcmp(check_error.column, "side") == 0);
    }
}

/* Chunks that begin and end anywhere, empty ones among them, each with a dictionary of its own. */
static void test_chunks(void) {
    enum { CHUNKS = 6 };
    static const int64_t cuts[CHUNKS + 1] = {0, 700, 700, 1024, 3333, 3333, N};
    static const struct vf_side text_sides[2] = {{.text = "B", .length = 1, .entry = true},
                                                 {.text = "S", .length = 1, .entry = false}};
    static uint32_t index[N];
    static const char *const names[2][3] = {{"B", "S", "x"}, {"x", "B", "S"}};
    static struct texts orders[2];
    for (int k = 0; k < 2; k++) {
        memset(&orders[k], 0, sizeof orders[k]);
        for (int v = 0; v < 3; v++)
            set_text(&orders[k], v, names[k][v]);
    }
    for (int form = 0; form < 4;
         form++) { /* views, texts, dictionaries, dictionaries too large to be learnt whole */
        struct run r;
        struct check_column symbol, dictionary[2], large;
        struct ArrowArray arrays[2][CHUNKS];
        const struct ArrowArray *chunks[2][CHUNKS];
        struct vf_series by_chunks[2];
        const char *format = form == 0 ? "vu" : "u";
        plain(&r);
        r.batch = r.slice = N;
        r.sides = text_sides;
        fill_sides(names[0], false);
        as_column(&side_texts, format, "side", N, false, &r.side);
        if (form >= 2) {
            for (int64_t i = 0; i < N; i++)
                index[i] = (uint32_t)(sides[i] - 1 + (form == 2 && i >= cuts[3] && sides[i] < 4 ? 1 : 0)) % 3;
            as_column(&orders[0], "u", "", 3, false, &dictionary[0]);
            as_column(&orders[1], "u", "", 3, false, &dictionary[1]);
            (void)check_series(&r.side, "I", "side", N, NULL, index, NULL);
            r.side.schema.dictionary = &dictionary[0].schema;
            if (form == 3) {
                as_column(&side_texts, "u", "", N, false, &large);
                for (uint32_t i = 0; i < N; i++)
                    index[i] = i;
            }
        }
        memset(&symbol_texts, 0, sizeof symbol_texts);
        for (int64_t i = 0; i < N; i++) {
            char text[16];
            (void)snprintf(text, sizeof text, i > 2000 && i < 2100 ? "%lld, a long one" : "%lld",
                           (long long)symbols[i]);
            set_text(&symbol_texts, i, text);
        }
        as_column(&symbol_texts, format, "symbol", N, false, &symbol);
        for (int c = 0; c < 2; c++)
            for (int k = 0; k < CHUNKS; k++) {
                arrays[c][k] = c == 0 ? symbol.array : r.side.array;
                arrays[c][k].offset = cuts[k];
                arrays[c][k].length = cuts[k + 1] - cuts[k];
                if (c == 1 && form >= 2)
                    arrays[c][k].dictionary = form == 3 ? &large.array : &dictionary[k >= 3].array;
                chunks[c][k] = &arrays[c][k];
            }
        by_chunks[0] = (struct vf_series){.schema = &symbol.schema, .chunks = chunks[0], .n_chunks = CHUNKS};
        by_chunks[1] = (struct vf_series){.schema = &r.side.schema, .chunks = chunks[1], .n_chunks = CHUNKS};
        r.by_chunks[3] = &by_chunks[1];
        check_same(&r, "sides in chunks");
        /* a hundred rows have symbols of another name: another day, but the same one however it is cut */
        r.by_chunks[3] = NULL;
        (void)check_series(&r.side, "l", "side", N, NULL, sides, NULL);
        r.sides = numbers;
        as_column(&symbol_texts, format, "symbol", N, false, &r.symbol);
        enum vf_status status;
        uint64_t uncut = pieces_of(&r, &status);
        CHECK(status == VF_OK && uncut != want);
        r.by_chunks[0] = &by_chunks[0];
        CHECK(pieces_of(&r, &status) == uncut);
    }
}

/* Symbols of which many share a place in the table of short views; nulls only where no trade is. */
static void test_symbols(void) {
    for (int form = 0; form < 20; form++) {
        struct run r;
        plain(&r);
        memset(&symbol_texts, 0, sizeof symbol_texts);
        for (int64_t i = 0; i < N; i++) {
            char text[40];
            (void)snprintf(text, sizeof text, form / 10 == 0 ? "%lld" : "%lld, a name too long for a view",
                           (long long)symbols[i]);
            set_text(&symbol_texts, i, text);
            if (form % 2 == 1 && sides[i] == 3)
                symbol_texts.valid[i / 8] = (uint8_t)(symbol_texts.valid[i / 8] & ~(1u << (i % 8)));
        }
        as_column(&symbol_texts, layouts[form / 2 % 5], "symbol", N, form % 2 == 1, &r.symbol);
        check_same(&r, layouts[form / 2 % 5]);
    }
    struct run r;
    static uint8_t nowhere[N / 8 + 1];
    plain(&r);
    as_column(&symbol_texts, "vu", "symbol", N, false, &r.symbol);
    r.symbol.buffers[0] = nowhere;
    symbol_texts.buffers[0] = nowhere; /* every symbol is null */
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "symbol") == 0 && strstr(check_error.message, "null") != NULL);
}

/* ---- times -------------------------------------------------------------------------------------------------------------- */

/* Rows go by the sort column; the other one only tells how long, and must not fall along it. */
static void test_two_times(void) {
    static const int64_t one[4] = {5, 5, 5, 5}, side[4] = {2, 1, 1, 2}, sort[4] = {40, 10, 20, 30},
                         when[4] = {400, 100, 100, 300}, falling[4] = {400, 200, 100, 300}, quantity[4] = {1, 1, 1, 1};
    /* by sort: row 1 opens, row 2 opens, row 3 closes row 1, row 0 closes row 2 */
    static const int64_t entry[4] = {2, 1, 2, 1}, holding[4] = {300, 200, 300, 200};
    struct check_column c[5];
    struct vf_column out[2];
    const struct vf_fifo_options options = {
        .sides = numbers, .n_sides = 2, .columns = VF_FIFO_ENTRY_ID | VF_FIFO_HOLDING};
    struct vf_fifo *fifo = NULL;
    struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 4, NULL, one, NULL), .n_keys = 1,
                                  .sort = check_series(&c[1], "l", "sort", 4, NULL, sort, NULL),
                                  .time = check_series(&c[2], "l", "when", 4, NULL, when, NULL),
                                  .side = check_series(&c[3], "l", "side", 4, NULL, side, NULL),
                                  .quantity = check_series(&c[4], "l", "qty", 4, NULL, quantity, NULL)};
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 4, options.columns, NULL, out, &check_error));
    for (int64_t k = 0; k < 4; k++) {
        CHECK_I64(check_u32(&out[0], k), entry[k]);
        CHECK_I64(check_i64(&out[1], k), holding[k]);
    }
    vf_column_release(&out[0]);
    vf_column_release(&out[1]);
    vf_fifo_close(fifo);
    batch.time = check_series(&c[2], "l", "when", 4, NULL, falling, NULL);
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    for (int again = 0; again < 2; again++) { /* and stays as it was */
        CHECK_STATUS(vf_fifo_match(fifo, &check_error), VF_ERROR_DATA);
        CHECK(strcmp(check_error.column, "when") == 0);
        CHECK_I64(check_error.row, 2);
        CHECK_I64(check_error.count, 1);
    }
    vf_fifo_close(fifo);
}

/* Two keys: what differs in either does not mix; a null in one is told of that one. */
static void test_two_keys(void) {
    static const int64_t symbol[6] = {7, 7, 7, 8, 8, 7}, side[6] = {1, 1, 2, 2, 1, 2}, sort[6] = {0, 1, 2, 3, 4, 5},
                         quantity[6] = {1, 1, 1, 1, 1, 1};
    static const int32_t date[6] = {1, 2, 2, 1, 1, 3};
    static const uint8_t none[1] = {0x2f}; /* row 4 is null */
    static const bool closed[6] = {false, true, true, false, false, false};
    struct check_column c[6];
    struct vf_column out;
    struct vf_series keys[2];
    const struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .columns = VF_FIFO_CLOSED};
    struct vf_fifo *fifo = NULL;
    keys[0] = *check_series(&c[0], "l", "symbol", 6, NULL, symbol, NULL);
    keys[1] = *check_series(&c[1], "tdD", "date", 6, NULL, date, NULL);
    struct vf_fifo_batch batch = {.keys = keys,
                                  .n_keys = 2,
                                  .sort = check_series(&c[2], "l", "sort", 6, NULL, sort, NULL),
                                  .side = check_series(&c[3], "l", "side", 6, NULL, side, NULL),
                                  .quantity = check_series(&c[4], "l", "qty", 6, NULL, quantity, NULL)};
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    batch.n_keys = 1;
    CHECK_STATUS(vf_fifo_update(fifo, &batch, &check_error), VF_ERROR_ARGUMENT);
    batch.n_keys = 2;
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 6, options.columns, NULL, &out, &check_error));
    CHECK_I64(out.array.length, 6);
    for (int64_t k = 0; k < 6; k++)
        CHECK_I64(check_bool(&out, k), closed[k]);
    vf_column_release(&out);
    vf_fifo_close(fifo);
    keys[1] = *check_series(&c[1], "tdD", "date", 6, none, date, NULL);
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_STATUS(vf_fifo_match(fifo, &check_error), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "date") == 0);
    CHECK_I64(check_error.row, 4);
    CHECK_I64(check_error.count, 1);
    vf_fifo_close(fifo);
    /* lots by two keys: a null is told of its own column, lengths must be the same, a lot is of its own day */
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_STATUS(vf_fifo_inventory(fifo, keys, 2, batch.quantity, NULL, &check_error), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "date") == 0);
    CHECK_I64(check_error.row, 4);
    CHECK_STATUS(vf_fifo_inventory(fifo, NULL, 2, batch.quantity, NULL, &check_error), VF_ERROR_ARGUMENT);
    keys[1] = *check_series(&c[1], "tdD", "date", 5, NULL, date, NULL);
    CHECK_STATUS(vf_fifo_inventory(fifo, keys, 2, batch.quantity, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strcmp(check_error.column, "date") == 0);
    keys[0] = *check_series(&c[0], "l", "symbol", 1, NULL, symbol, NULL);
    keys[1] = *check_series(&c[1], "tdD", "date", 1, NULL, date + 5, NULL);
    struct check_column held;
    CHECK_OK(vf_fifo_inventory(fifo, keys, 2, check_series(&held, "l", "qty", 1, NULL, quantity, NULL), NULL,
                               &check_error));
    keys[0] = *check_series(&c[0], "l", "symbol", 6, NULL, symbol, NULL);
    keys[1] = *check_series(&c[1], "tdD", "date", 6, NULL, date, NULL);
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 6, options.columns, NULL, &out, &check_error));
    for (int64_t k = 0; k < 6; k++)
        CHECK_I64(check_bool(&out, k), closed[k] || k == 5);
    vf_column_release(&out);
    vf_fifo_close(fifo);
    batch.n_keys = 0; /* one instrument */
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_I64(vf_fifo_rows_out(fifo), 6);
    vf_fifo_close(fifo);
}

/* A time column that lies where the sort column lies is the same one; all others are read for themselves. */
static void test_a_time_that_may_be_the_sort_column(void) {
    static int64_t copy[N];
    static uint32_t index[N];
    static uint8_t valid[N / 8 + 1];
    memcpy(copy, times, sizeof copy);
    memset(valid, 0xff, sizeof valid);
    for (uint32_t i = 0; i < N; i++)
        index[i] = i;
    for (int form = 0; form < 6; form++) {
        struct run r;
        struct check_column dictionary[2];
        struct ArrowArray halves[2], wholes[1];
        const struct ArrowArray *cut[2] = {&halves[0], &halves[1]}, *uncut[1] = {&wholes[0]};
        struct vf_series by_cut, by_uncut;
        plain(&r);
        if (form == 1) (void)check_series(&r.time, "l", "t", N, NULL, copy, NULL);
        if (form == 2) (void)check_series(&r.time, "l", "t", N, valid, times, NULL);
        if (form == 3 || form == 4) {
            for (int k = 0; k < 2; k++) {
                struct check_column *c = k == 0 ? &r.time : &r.sort;
                if (k == 1 && form == 3) break;
                (void)check_series(&dictionary[k], "l", "", N, NULL, k == 0 ? copy : times, NULL);
                (void)check_series(c, "I", "t", N, NULL, index, NULL);
                c->schema.dictionary = &dictionary[k].schema;
                c->array.dictionary = &dictionary[k].array;
            }
        }
        if (form == 5) { /* the same memory, cut in another way */
            r.batch = r.slice = N;
            wholes[0] = halves[0] = halves[1] = r.time.array;
            halves[0].length = 1000;
            halves[1].offset = 1000;
            halves[1].length = N - 1000;
            by_cut = (struct vf_series){.schema = &r.time.schema, .chunks = cut, .n_chunks = 2};
            by_uncut = (struct vf_series){.schema = &r.time.schema, .chunks = uncut, .n_chunks = 1};
            r.by_chunks[1] = &by_uncut;
            r.by_chunks[2] = &by_cut;
        }
        check_same(&r, "time");
    }
}

/* ---- prices that are not there ---------------------------------------------------------------------------------------- */

static void test_null_prices_are_no_prices(void) {
    static double holes[N];
    static uint8_t valid[N / 8 + 1];
    enum vf_status status;
    struct run r;
    memset(valid, 0xff, sizeof valid);
    for (int64_t i = 0; i < N; i++) {
        holes[i] = i % 5 == 0 ? (double)NAN : prices[i];
        if (i % 5 == 0) valid[i / 8] = (uint8_t)(valid[i / 8] & ~(1u << (i % 8)));
    }
    plain(&r);
    (void)check_series(&r.price, "g", "price", N, NULL, holes, NULL);
    uint64_t nan = pieces_of(&r, &status);
    CHECK(status == VF_OK && nan != want);
    (void)check_series(&r.price, "g", "price", N, valid, prices, NULL);
    CHECK(pieces_of(&r, &status) == nan);
    (void)check_series(&r.price, "n", "price", N, NULL, NULL, NULL);
    r.price.array.n_buffers = 0;
    CHECK(pieces_of(&r, &status) != nan && status == VF_OK);
}

/* ---- what is wrong with quantities ---------------------------------------------------------------------------------------- */

static void test_quantities_that_are_refused(void) {
    static double numbers_of[N];
    static int64_t integers[N];
    static const double bad[3] = {NAN, -1, INFINITY};
    static const char *const says[3] = {"which is NaN", "which is negative", "which is infinite"};
    for (int64_t i = 0; i < N; i++)
        numbers_of[i] = (double)(integers[i] = amounts[i]);
    int64_t trade = 4000;
    while (sides[trade] == 3)
        trade++;
    for (int k = 0; k < 3; k++) {
        struct run r;
        plain(&r);
        numbers_of[trade] = bad[k];
        numbers_of[trade + 1000] = NAN; /* a later one, of another kind: the first is named */
        (void)check_series(&r.quantity, "g", "qty", N, NULL, numbers_of, NULL);
        CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
        CHECK_I64(check_error.row, trade);
        CHECK(strstr(check_error.message, says[k]) != NULL);
    }
    struct run r;
    plain(&r);
    integers[trade] = -5;
    (void)check_series(&r.quantity, "l", "qty", N, NULL, integers, NULL);
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK_I64(check_error.row, trade);
    CHECK_I64(check_error.count, 1);
    CHECK(strstr(check_error.message, "which is negative") != NULL);
    /* of two columns the one whose first row comes first, though it is the later column */
    static uint8_t valid[N / 8 + 1];
    memset(valid, 0xff, sizeof valid);
    int64_t late = trade + 1;
    while (sides[late] == 3)
        late++;
    valid[late / 8] = (uint8_t)(valid[late / 8] & ~(1u << (late % 8)));
    (void)check_series(&r.sort, "l", "t", N, valid, times, NULL);
    (void)check_series(&r.time, "l", "when", N, valid, times, NULL);
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "qty") == 0);
    integers[trade] = 5;
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK(strcmp(check_error.column, "t") == 0);
    CHECK_I64(check_error.row, late);
}

/* The first row of all that goes too far, whichever symbol it is of and whichever thread sees it. */
static void test_excess_names_the_first_row(void) {
    static const int64_t symbol[6] = {1, 2, 2, 1, 3, 3}, side[6] = {1, 1, 2, 2, 1, 2},
                         time[6] = {0, 1, 2, 3, 4, 5}, quantity[6] = {1, 1, 5, 5, 1, 1};
    struct check_column c[4];
    for (uint32_t n_threads = 1; n_threads <= 3; n_threads++) {
        struct vf_context ctx = {.n_threads = n_threads};
        struct vf_fifo_options options = {.sides = numbers, .n_sides = 2, .on_excess = VF_EXCESS_RAISE};
        struct vf_fifo *fifo = NULL;
        struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 6, NULL, symbol, NULL), .n_keys = 1,
                                      .sort = check_series(&c[1], "l", "sort", 6, NULL, time, NULL),
                                      .side = check_series(&c[2], "l", "side", 6, NULL, side, NULL),
                                      .quantity = check_series(&c[3], "l", "qty", 6, NULL, quantity, NULL)};
        CHECK_OK(vf_fifo_open(&ctx, &options, &fifo, &check_error));
        CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
        for (int again = 0; again < 2; again++) { /* the object is as it was */
            CHECK_STATUS(vf_fifo_match(fifo, &check_error), VF_ERROR_DATA);
            CHECK_I64(check_error.row, 2);
            CHECK_I64(check_error.count, 2);
            CHECK(strstr(check_error.message, "2 exits go") != NULL);
            CHECK_STATUS(vf_fifo_match(fifo, NULL), VF_ERROR_DATA);
            CHECK_I64(vf_fifo_rows_out(fifo), -1);
        }
        vf_fifo_rewind(fifo); /* before there is anything to read again */
        vf_fifo_close(fifo);
    }
}

/* ---- inventory -------------------------------------------------------------------------------------------------------- */

static struct vf_fifo *opened(enum vf_excess on_excess, unsigned columns) {
    const struct vf_fifo_options options = {
        .sides = numbers, .n_sides = 2, .on_excess = on_excess, .columns = columns};
    struct vf_fifo *fifo = NULL;
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    return fifo;
}

/* One exit of 4 against a lot of 3 at a price of 8, quantities of both kinds; the first piece's entry price. */
static enum vf_status close_held(const char *held_as, const void *held, const char *qty_as, const void *qty,
                                 const char *price_as, const void *price, double *first_price,
                                 int64_t *n_out) {
    static const int64_t symbol[1] = {5}, two[1] = {2}, time[1] = {0};
    static const double at[1] = {10};
    struct check_column c[8];
    struct vf_column out;
    struct vf_fifo *fifo = opened(VF_EXCESS_UNCLOSED, VF_FIFO_ENTRY_PRICE);
    struct vf_fifo_batch batch = {.keys = check_series(&c[0], "l", "symbol", 1, NULL, symbol, NULL), .n_keys = 1,
                                  .sort = check_series(&c[1], "l", "sort", 1, NULL, time, NULL),
                                  .side = check_series(&c[2], "l", "side", 1, NULL, two, NULL),
                                  .quantity = check_series(&c[3], qty_as, "qty", 1, NULL, qty, NULL),
                                  .price = check_series(&c[4], "g", "price", 1, NULL, at, NULL)};
    CHECK_OK(vf_fifo_inventory(
        fifo, &c[0].series, 1, check_series(&c[5], held_as, "held", 1, NULL, held, NULL),
        price_as != NULL ? check_series(&c[6], price_as, "cost", 1, NULL, price, NULL) : NULL, &check_error));
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    enum vf_status status = vf_fifo_match(fifo, &check_error);
    if (status == VF_OK) {
        CHECK_OK(vf_fifo_emit(fifo, &batch, 0, 1, VF_FIFO_ENTRY_PRICE, NULL, &out, &check_error));
        *n_out = out.array.length;
        *first_price = check_valid(&out, 0) ? check_f64(&out, 0) : (double)NAN;
        vf_column_release(&out);
    }
    vf_fifo_close(fifo);
    return status;
}

static void test_inventory_of_other_numbers(void) {
    static const int64_t three[1] = {3}, four[1] = {4}, eight[1] = {8};
    static const double three_real[1] = {3}, four_real[1] = {4}, half[1] = {2.5}, huge[1] = {0x1p63},
                        cost[1] = {8};
    double price = 0;
    int64_t n = 0;
    const struct {
        const char *held_as, *qty_as, *price_as;
        const void *held, *qty, *price;
        double want;
    } forms[] = {{"l", "l", "g", three, four, cost, 8},
                 {"g", "l", "g", three_real, four, cost, 8},
                 {"l", "g", "l", three, four_real, eight, 8},
                 {"g", "g", "g", three_real, four_real, cost, 8},
                 {"l", "l", NULL, three, four, NULL, NAN}};
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        CHECK_OK(close_held(forms[k].held_as, forms[k].held, forms[k].qty_as, forms[k].qty, forms[k].price_as,
                            forms[k].price, &price, &n));
        CHECK_F64(price, forms[k].want);
        CHECK_I64(n, 2); /* 3 matched, 1 in excess */
    }
    CHECK_STATUS(close_held("g", half, "l", four, NULL, NULL, &price, &n), VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "2.5 is not an integer") != NULL);
    CHECK_STATUS(close_held("g", huge, "l", four, NULL, NULL, &price, &n), VF_ERROR_DATA);
}

static void test_inventory_that_is_refused(void) {
    static const int64_t symbol[3] = {1, 2, 2}, held[3] = {1, 2, 3}, least[3] = {1, INT64_MIN, 2},
                         mixed[3] = {1, 2, -3};
    static const double real[3] = {1, NAN, INFINITY}, cost[3] = {1, 2, 3};
    static const uint8_t some[1] = {0x05};
    struct check_column s, q, p;
    struct vf_fifo *fifo = opened(VF_EXCESS_OPEN_SHORT, VF_FIFO_ENTRY_PRICE);
    const struct vf_series *good = check_series(&s, "l", "symbol", 3, NULL, symbol, NULL);
    const struct vf_series *price = check_series(&p, "g", "cost", 3, NULL, cost, NULL);
#define REFUSED(symbol, quantity, price, status)                                                             \
    CHECK_STATUS(vf_fifo_inventory(fifo, symbol, 1, quantity, price, &check_error), status);                    \
    CHECK_I64(vf_fifo_inventory(fifo, symbol, 1, quantity, price, NULL), status)
    REFUSED(good, check_series(&q, "l", "held", 3, some, held, NULL), price, VF_ERROR_DATA);
    CHECK_I64(check_error.row, 1);
    CHECK(strstr(check_error.message, "null") != NULL);
    REFUSED(good, check_series(&q, "g", "held", 3, NULL, real, NULL), price, VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "not finite") != NULL);
    REFUSED(good, check_series(&q, "l", "held", 3, NULL, least, NULL), price, VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "beyond int64") != NULL);
    REFUSED(good, check_series(&q, "l", "held", 3, NULL, mixed, NULL), price, VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "long and short") != NULL);
    (void)check_series(&q, "l", "held", 3, NULL, held, NULL);
    REFUSED(check_series(&s, "l", "symbol", 3, some, symbol, NULL), &q.series, price, VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "key is null") != NULL);
    REFUSED(check_series(&s, "g", "symbol", 3, NULL, cost, NULL), &q.series, price, VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "symbol") == 0);
    (void)check_series(&s, "l", "symbol", 3, NULL, symbol, NULL);
    REFUSED(&s.series, check_series(&q, "b", "held", 3, NULL, held, NULL), price, VF_ERROR_TYPE);
    CHECK(strcmp(check_error.column, "held") == 0);
    REFUSED(&s.series, check_series(&q, "l", "held", 2, NULL, held, NULL), price, VF_ERROR_ARGUMENT);
    (void)check_series(&q, "l", "held", 3, NULL, held, NULL);
    REFUSED(&s.series, &q.series, check_series(&p, "g", "cost", 2, NULL, cost, NULL), VF_ERROR_ARGUMENT);
    REFUSED(&s.series, &q.series, check_series(&p, "b", "cost", 3, NULL, cost, NULL), VF_ERROR_TYPE);
    /* a null cost is none; then more lots, of the same kind only */
    CHECK_OK(vf_fifo_inventory(fifo, &s.series, 1, &q.series, check_series(&p, "g", "cost", 3, some, cost, NULL),
                               &check_error));
    CHECK_OK(vf_fifo_inventory(fifo, check_series(&s, "i", "symbol", 1, NULL, symbol, NULL), 1,
                               check_series(&q, "s", "held", 1, NULL, held, NULL), NULL, &check_error));
    REFUSED(check_series(&s, "tdD", "symbol", 1, NULL, symbol, NULL), &q.series, NULL, VF_ERROR_TYPE);
    REFUSED(check_series(&s, "l", "symbol", 1, NULL, symbol, NULL),
            check_series(&q, "g", "held", 1, NULL, cost, NULL), NULL, VF_ERROR_TYPE);
#undef REFUSED
    /* the rows' symbols must be of the lots' kind */
    struct run r;
    plain(&r);
    (void)check_series(&r.symbol, "tdD", "symbol", N, NULL, symbols, NULL);
    struct vf_fifo_batch batch = slice_of(&r, 0, 10);
    CHECK_STATUS(vf_fifo_update(fifo, &batch, &check_error), VF_ERROR_TYPE);
    CHECK(strstr(check_error.message, "another kind of key") != NULL);
    CHECK_STATUS(vf_fifo_update(fifo, NULL, &check_error), VF_ERROR_ARGUMENT);
    vf_fifo_close(fifo);
}

/* ---- options and what is told --------------------------------------------------------------------------------------------- */

static void test_options(void) {
    struct vf_fifo *fifo = NULL;
    struct vf_fifo_options options = {.n_sides = 2};
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error),
                 VF_ERROR_ARGUMENT); /* two sides that are nowhere */
    options = (struct vf_fifo_options){.sides = numbers, .n_sides = 2, .on_excess = (enum vf_excess)3};
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "on_excess is 3") != NULL);
    const struct vf_side only_exit[1] = {{.integer = 2, .entry = false}};
    options = (struct vf_fifo_options){.sides = only_exit, .n_sides = 1};
    CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "entry side") != NULL);
    /* one value on both sides, as a number, and as a long text of which the message shows a part */
    static const char name[] = "a value of a side that is longer than any message would show";
    for (int k = 0; k < 2; k++) {
        const struct vf_side both[2] = {
            {.text = k == 0 ? NULL : name, .length = sizeof name - 1, .integer = 7, .entry = true},
            {.text = k == 0 ? NULL : name, .length = sizeof name - 1, .integer = 7}};
        options = (struct vf_fifo_options){.sides = both, .n_sides = 2};
        CHECK_STATUS(vf_fifo_open(NULL, &options, &fifo, &check_error), VF_ERROR_ARGUMENT);
        CHECK(strstr(check_error.message,
                     k == 0 ? "side 7 is listed" : "\"a value of a side that is longer than an\" is") !=
              NULL);
    }
    /* the same value twice on one side, and a text beside a number, are no contradiction */
    const struct vf_side twice[4] = {{.integer = 1, .entry = true},
                                     {.integer = 1, .entry = true},
                                     {.text = "1", .length = 1, .entry = false},
                                     {.integer = 2, .entry = false}};
    options = (struct vf_fifo_options){.sides = twice, .n_sides = 4};
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    vf_fifo_close(fifo);
    CHECK(fifo != NULL);
    fifo = opened(VF_EXCESS_UNCLOSED, VF_FIFO_QTY);
    struct run r;
    struct vf_column out;
    plain(&r);
    struct vf_fifo_batch batch = slice_of(&r, 0, N);
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    CHECK_STATUS(vf_fifo_emit(fifo, &batch, 0, N, VF_FIFO_QTY, NULL, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_emit(fifo, &batch, -1, N, VF_FIFO_QTY, NULL, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK_STATUS(vf_fifo_emit(fifo, &batch, 0, -1, VF_FIFO_QTY, NULL, &out, &check_error), VF_ERROR_ARGUMENT);
    vf_fifo_close(fifo);
}

/* When no row has a listed side, the message shows which are listed and which were found: a few, each once, cut short
   between characters. */
static void test_what_was_found(void) {
    struct run r;
    plain(&r);
    memset(&side_texts, 0, sizeof side_texts);
    for (int64_t i = 0; i < N; i++) {
        char text[64];
        (void)snprintf(text, sizeof text,
                       i % 3 == 0 ? "one"
                       : i % 3 == 1
                           ? ""
                           : "a value of a side \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4");
        if (i >= 3000) (void)snprintf(text, sizeof text, "n%lld", (long long)(i % 12));
        set_text(&side_texts, i, text);
    }
    side_texts.valid[0] = 0xf7;
    as_column(&side_texts, "u", "side", N, true, &r.side);
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "listed: entry 1, exit 2") != NULL);
    CHECK(strstr(check_error.message,
                 "found: \"one\", \"\", \"a value of a side \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4") != NULL);
    CHECK(strstr(check_error.message, ", null, ") != NULL);
    CHECK(strstr(check_error.message, ", ...") != NULL);
    /* more of them, and longer, than a message holds */
    struct vf_side many[12];
    static char names[12][48];
    for (int k = 0; k < 12; k++) {
        (void)snprintf(names[k], sizeof names[k], "side number %2d, which nobody uses", k);
        many[k] = (struct vf_side){.text = names[k], .length = strlen(names[k]), .entry = k < 6};
    }
    r.sides = many;
    r.n_sides = 12;
    CHECK_STATUS(status_of(&r), VF_ERROR_DATA);
    CHECK(strstr(check_error.message, "side number  7") != NULL &&
          strstr(check_error.message, "side number  8") == NULL);
    CHECK(strlen(check_error.message) < sizeof check_error.message);
}

/* What is doubted of three rows with these sides, "Buy" and "Sell" being listed; "" for nothing. */
static const char *doubt_of(const char *const given[3]) {
    static const int64_t symbol[3] = {5, 5, 5}, time[3] = {0, 1, 2}, qty[3] = {1, 1, 1};
    static const struct vf_side listed[3] = {{.text = "Buy", .length = 3, .entry = true},
                                             {.text = "Sell", .length = 4},
                                             {.integer = 3}};
    static char text[1024];
    const struct vf_fifo_options options = {.sides = listed, .n_sides = 3, .columns = VF_FIFO_QTY};
    struct check_column c[4];
    struct vf_fifo *fifo = NULL;
    CHECK_OK(vf_fifo_open(NULL, &options, &fifo, &check_error));
    memset(&side_texts, 0, sizeof side_texts);
    for (int64_t i = 0; i < 3; i++)
        set_text(&side_texts, i, given[i] != NULL ? given[i] : "");
    for (int64_t i = 0; i < 3; i++)
        if (given[i] == NULL) side_texts.valid[0] = (uint8_t)(side_texts.valid[0] & ~(1u << i));
    as_column(&side_texts, "vu", "side", 3, true, &c[0]);
    struct vf_fifo_batch batch = {.keys = check_series(&c[1], "l", "symbol", 3, NULL, symbol, NULL), .n_keys = 1,
                                  .sort = check_series(&c[2], "l", "sort", 3, NULL, time, NULL),
                                  .side = &c[0].series,
                                  .quantity = check_series(&c[3], "l", "qty", 3, NULL, qty, NULL)};
    CHECK_OK(vf_fifo_update(fifo, &batch, &check_error));
    CHECK(vf_fifo_doubt(fifo) == NULL);
    CHECK_OK(vf_fifo_match(fifo, &check_error));
    const char *doubt = vf_fifo_doubt(fifo);
    (void)snprintf(text, sizeof text, "%s", doubt != NULL ? doubt : "");
    vf_fifo_close(fifo);
    return text;
}

static void test_a_side_that_looks_misspelt(void) {
    CHECK(strcmp(doubt_of((const char *const[3]){"b", "Sell", "Cancel"}),
                 "no row of column \"side\" carries a listed entry side; listed: entry \"Buy\", exit \"Sell\", exit 3; "
                 "also found: \"b\", \"Cancel\"; not listed, and like a side: \"b\" (1 row)") == 0);
    CHECK(strcmp(doubt_of((const char *const[3]){NULL, "Sells", "Buy"}),
                 "no row of column \"side\" carries a listed exit side; listed: entry \"Buy\", exit \"Sell\", exit 3; "
                 "also found: null, \"Sells\"") == 0);
    CHECK(strcmp(doubt_of((const char *const[3]){"Buy", "Sell", "b"}),
                 "column \"side\": 1 row has a side that is not listed, and passes as no trade: \"b\" (1 row); listed: "
                 "entry \"Buy\", exit \"Sell\", exit 3; list them too, or filter such rows out") == 0);
    CHECK(strcmp(doubt_of((const char *const[3]){"BUY", "sell", "Cancel"}), "") == 0); /* case does not matter */
    CHECK(strcmp(doubt_of((const char *const[3]){"Buy", "Buy", "Cancel"}), "") == 0); /* a day may have one side */
    CHECK(strcmp(doubt_of((const char *const[3]){"Sell", NULL, ""}), "") == 0);
    CHECK(strstr(doubt_of((const char *const[3]){"S ", "Buy", "S "}), "\"S \" (2 rows)") != NULL);
}

int main(void) {
    enum vf_status status;
    struct run r;
    make_rows(300);
    plain(&r);
    want = pieces_of(&r, &status);
    CHECK_OK(status);
    test_few_columns();
    test_sides_as_texts();
    test_sides_in_dictionaries();
    test_chunks();
    test_symbols();
    test_two_times();
    test_two_keys();
    test_a_time_that_may_be_the_sort_column();
    test_null_prices_are_no_prices();
    test_quantities_that_are_refused();
    test_excess_names_the_first_row();
    test_inventory_of_other_numbers();
    test_inventory_that_is_refused();
    test_options();
    test_what_was_found();
    test_a_side_that_looks_misspelt();
    make_rows(4500); /* more symbols than there are places without a neighbour */
    plain(&r);
    want = pieces_of(&r, &status);
    CHECK_OK(status);
    test_symbols();
    return check_report("fifo_columns");
}
