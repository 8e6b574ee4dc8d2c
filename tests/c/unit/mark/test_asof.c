/* As-of look-ups: cases by hand, and random frames against a look-up that scans all observations for each row.
   Not for running out of memory: tests/c/fault/test_returns_faults.c does that. */
#include "check.h"

#define S INT64_C(1000000000)
#define MAX_ROWS 60000
#define MAX_H 5
#define NONE (-1)

/* A frame in the test's own form. */
struct frame {
    int64_t n;
    int64_t key[MAX_ROWS], day[MAX_ROWS], time[MAX_ROWS];
    uint8_t key_valid[MAX_ROWS / 8 + 1], day_valid[MAX_ROWS / 8 + 1], time_valid[MAX_ROWS / 8 + 1];
};

static bool bit(const uint8_t *bits, int64_t i) {
    return (bits[i / 8] >> (i % 8)) & 1;
}

static void add(struct frame *f, int64_t key, int64_t day, int64_t time, bool valid) {
    int64_t i = f->n++;
    f->key[i] = key;
    f->day[i] = day;
    f->time[i] = time;
    if (i % 8 == 0) f->key_valid[i / 8] = f->day_valid[i / 8] = f->time_valid[i / 8] = 0xff;
    if (valid) return;
    uint8_t *which = i % 3 == 0 ? f->key_valid : i % 3 == 1 ? f->day_valid : f->time_valid;
    which[i / 8] = (uint8_t)(which[i / 8] & ~(1u << (i % 8)));
}

struct columns {
    struct check_column key, day, time;
    struct vf_series keys[2];
    struct vf_asof_batch batch;
};

static const struct vf_asof_batch *rows_of(struct columns *c, const struct frame *f, int64_t first,
                                           int64_t n) {
    (void)check_series(&c->key, "l", "symbol", n, f->key_valid, f->key, NULL);
    (void)check_series(&c->day, "l", "date", n, f->day_valid, f->day, NULL);
    (void)check_series(&c->time, "tDn", "elapsed", n, f->time_valid, f->time, NULL);
    c->key.array.offset = c->day.array.offset = c->time.array.offset = first;
    c->keys[0] = c->key.series;
    c->keys[1] = c->day.series;
    c->batch = (struct vf_asof_batch){.keys = c->keys, .n_keys = 2, .time = &c->time.series};
    return &c->batch;
}

/* ---- the slow way -------------------------------------------------------------------------------------- */

static bool alive(const struct frame *f, int64_t i) {
    return bit(f->key_valid, i) && bit(f->day_valid, i) && bit(f->time_valid, i);
}

/* The better of two observations for `target`, by what the header says. */
static bool better(const struct vf_asof_options *o, const struct frame *f, int64_t a, int64_t b,
                   int64_t target) {
    if (b == NONE) return true;
    int64_t ta = f->time[a], tb = f->time[b];
    if (ta == tb) return a > b;
    if (o->method == VF_MARK_BACKWARD) return ta > tb;
    if (o->method == VF_MARK_FORWARD) return ta < tb;
    int64_t da = ta < target ? target - ta : ta - target, db = tb < target ? target - tb : tb - target;
    return da != db ? da < db : ta < tb;
}

static int64_t slow(const struct vf_asof_options *o, const struct frame *rows, int64_t i,
                    const struct frame *seen, int64_t horizon) {
    if (!alive(rows, i)) return NONE;
    int64_t target = rows->time[i] + horizon, best = NONE, last = INT64_MIN;
    for (int64_t j = 0; j < seen->n; j++) {
        if (!alive(seen, j) || seen->key[j] != rows->key[i] || seen->day[j] != rows->day[i]) continue;
        if (seen->time[j] > last) last = seen->time[j];
        if (o->strict && seen->time[j] == target) continue;
        if (o->method == VF_MARK_BACKWARD && seen->time[j] > target) continue;
        if (o->method == VF_MARK_FORWARD && seen->time[j] < target) continue;
        if (better(o, seen, j, best, target)) best = j;
    }
    if (best == NONE || target > o->end_ns || (horizon > 0 && !o->past_last && target > last)) return NONE;
    int64_t off = seen->time[best] < target ? target - seen->time[best] : seen->time[best] - target;
    return o->tolerance_ns >= 0 && off > o->tolerance_ns ? NONE : best;
}

/* ---- both ---------------------------------------------------------------------------------------------- */

static struct vf_asof *learn(const struct vf_context *ctx, const struct vf_asof_options *o,
                             const struct frame *seen, int64_t cut) {
    static struct columns c;
    struct vf_asof *asof = NULL;
    CHECK_OK(vf_asof_open(ctx, o, &asof, &check_error));
    for (int64_t first = 0; first < seen->n || first == 0; first += cut) {
        int64_t n = seen->n - first < cut ? seen->n - first : cut;
        CHECK_OK(vf_asof_observe(asof, rows_of(&c, seen, first, n), &check_error));
    }
    CHECK_I64(vf_asof_rows(asof), seen->n);
    CHECK_OK(vf_asof_finish(asof, &check_error));
    return asof;
}

static void compare(const struct vf_asof_options *o, const struct frame *rows, const struct frame *seen,
                    uint32_t threads, int64_t cut) {
    static struct columns c;
    struct vf_context ctx = {.n_threads = threads};
    struct vf_column out[MAX_H];
    struct vf_asof *asof = learn(&ctx, o, seen, cut);
    for (int64_t first = 0; first < rows->n; first += cut) {
        int64_t n = rows->n - first < cut ? rows->n - first : cut;
        CHECK_OK(vf_asof_find(asof, rows_of(&c, rows, first, n), out, &check_error));
        for (size_t h = 0; h < o->n_horizons; h++) {
            CHECK_I64(out[h].array.length, n);
            for (int64_t i = 0; i < n; i++) {
                int64_t want = slow(o, rows, first + i, seen, o->horizons_ns[h]);
                CHECK_I64(check_valid(&out[h], i) ? (int64_t)check_u32(&out[h], i) : NONE, want);
            }
            vf_column_release(&out[h]);
        }
    }
    vf_asof_close(asof);
}

static uint64_t seed = 1;
static int64_t draw(int64_t n) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

static void fill(struct frame *f, int64_t n, bool sorted) {
    f->n = 0;
    for (int64_t i = 0; i < n; i++)
        add(f, draw(4), draw(2), sorted ? i / 2 * S / 2 : draw(60) * S / 2, draw(12) > 0);
}

static struct frame rows, quotes;

static void test_random(void) {
    const int64_t horizons[MAX_H] = {0, 3 * S, -4 * S, 500000000, -1};
    for (int round = 0; round < 160; round++) {
        fill(&rows, draw(60), round % 2 == 0);
        fill(&quotes, draw(60), round % 4 < 2);
        struct vf_asof_options o = {.horizons_ns = horizons,
                                    .n_horizons = 1 + (size_t)draw(MAX_H),
                                    .method = (enum vf_mark_method)draw(3),
                                    .tolerance_ns = draw(2) ? -1 : draw(4) * S,
                                    .end_ns = draw(2) ? INT64_MAX : draw(30) * S,
                                    .strict = draw(2) == 0,
                                    .past_last = draw(2) == 0};
        compare(&o, &rows, &quotes, 1 + (uint32_t)draw(3), 1 + draw(50));
    }
}

/* Many rows, several threads: the same as one thread, row by row. */
static void test_threads(void) {
    static struct columns c;
    const int64_t horizons[2] = {7 * S, -2 * S};
    struct vf_asof_options o = {
        .horizons_ns = horizons, .n_horizons = 2, .tolerance_ns = -1, .end_ns = INT64_MAX, .past_last = true};
    for (int sorted = 0; sorted < 2; sorted++) {
        fill(&rows, MAX_ROWS, sorted == 1);
        fill(&quotes, MAX_ROWS, sorted == 1);
        struct vf_column out[2][2];
        for (int t = 0; t < 2; t++) {
            struct vf_context ctx = {.n_threads = t == 0 ? 1 : 4};
            struct vf_asof *asof = learn(&ctx, &o, &quotes, 7777);
            CHECK_OK(vf_asof_find(asof, rows_of(&c, &rows, 0, rows.n), out[t], &check_error));
            vf_asof_close(asof);
        }
        for (size_t h = 0; h < 2; h++) {
            CHECK_I64(out[0][h].array.null_count, out[1][h].array.null_count);
            CHECK(memcmp(out[0][h].array.buffers[1], out[1][h].array.buffers[1], MAX_ROWS * 4) == 0);
            for (int64_t i = 0; i < 200; i++) {
                int64_t want = slow(&o, &rows, i * 211 % MAX_ROWS, &quotes, horizons[h]);
                int64_t at = i * 211 % MAX_ROWS;
                CHECK_I64(check_valid(&out[1][h], at) ? (int64_t)check_u32(&out[1][h], at) : NONE, want);
            }
            vf_column_release(&out[0][h]);
            vf_column_release(&out[1][h]);
        }
    }
}

/* ---- by hand ------------------------------------------------------------------------------------------- */

static const int64_t zero = 0;
static struct vf_asof_options plain(void) {
    return (struct vf_asof_options){
        .horizons_ns = &zero, .n_horizons = 1, .tolerance_ns = -1, .end_ns = INT64_MAX};
}

static void test_limits_of_time(void) {
    static struct columns c;
    const int64_t horizons[3] = {INT64_MAX, INT64_MIN, 1};
    struct vf_asof_options o = plain();
    struct vf_column out[3];
    o.horizons_ns = horizons;
    o.n_horizons = 3;
    o.method = VF_MARK_NEAREST;
    o.past_last = true;
    quotes.n = rows.n = 0;
    add(&quotes, 1, 1, INT64_MIN, true);
    add(&quotes, 1, 1, INT64_MAX, true);
    add(&rows, 1, 1, INT64_MAX, true);
    add(&rows, 1, 1, -1, true);
    add(&rows, 1, 1, INT64_MIN, true);
    struct vf_asof *asof = learn(NULL, &o, &quotes, 1);
    CHECK_OK(vf_asof_find(asof, rows_of(&c, &rows, 0, 3), out, &check_error));
    CHECK(check_valid(&out[0], 0) && check_u32(&out[0], 0) == 1); /* past int64, so past the last */
    CHECK(check_valid(&out[1], 0) &&
          check_u32(&out[1], 0) == 0); /* -1: 2^63 - 1 from the first, 2^63 from the last */
    CHECK(check_u32(&out[0], 1) == 1);
    CHECK(check_valid(&out[1], 1) && check_u32(&out[1], 1) == 0); /* before int64, so before the first */
    CHECK(check_valid(&out[1], 2) && check_u32(&out[1], 2) == 0);
    CHECK(check_u32(&out[0], 2) == 0); /* -1 again */
    CHECK(check_u32(&out[2], 2) == 0);
    for (size_t h = 0; h < 3; h++)
        vf_column_release(&out[h]);
    vf_asof_close(asof);
}

/* One row at `own`, observations at the two ends of int64: the one found for own + h, or -1. */
static int64_t beyond(struct vf_asof_options o, int64_t own, int64_t h) {
    static struct columns c;
    struct vf_column out;
    o.horizons_ns = &h;
    o.n_horizons = 1;
    quotes.n = rows.n = 0;
    add(&quotes, 1, 1, INT64_MIN + 1, true);
    add(&quotes, 1, 1, INT64_MAX - 1, true);
    add(&rows, 1, 1, own, true);
    struct vf_asof *asof = learn(NULL, &o, &quotes, 2);
    CHECK_OK(vf_asof_find(asof, rows_of(&c, &rows, 0, 1), &out, &check_error));
    int64_t found = check_valid(&out, 0) ? (int64_t)check_u32(&out, 0) : NONE;
    vf_column_release(&out);
    vf_asof_close(asof);
    return found;
}

static void test_what_lies_beyond_int64(void) {
    struct vf_asof_options o = plain();
    o.past_last = true;
    for (int strict = 0; strict < 2; strict++) {
        o.strict = strict == 1;
        o.method = VF_MARK_BACKWARD;
        CHECK_I64(beyond(o, INT64_MAX, 9), 1);
        CHECK_I64(beyond(o, INT64_MIN, -9), NONE);
        o.method = VF_MARK_FORWARD;
        CHECK_I64(beyond(o, INT64_MAX, 9), NONE);
        CHECK_I64(beyond(o, INT64_MIN, -9), 0);
        o.method = VF_MARK_NEAREST;
        CHECK_I64(beyond(o, INT64_MAX, 9), 1);
        CHECK_I64(beyond(o, INT64_MIN, -9), 0);
    }
    o.tolerance_ns = 10; /* max + 9 is 10 past max - 1 */
    CHECK_I64(beyond(o, INT64_MAX, 9), 1);
    CHECK_I64(beyond(o, INT64_MAX, 10), NONE);
    CHECK_I64(beyond(o, INT64_MAX, 11), NONE);
    CHECK_I64(beyond(o, INT64_MIN, -9), 0);
    CHECK_I64(beyond(o, INT64_MIN, -10), NONE);
    o.end_ns = INT64_MAX - 1;
    CHECK_I64(beyond(o, INT64_MAX, 9), NONE);
    CHECK_I64(beyond(o, INT64_MIN, -9), 0);
    o.end_ns = INT64_MAX;
    o.past_last = false;
    CHECK_I64(beyond(o, INT64_MAX, 9), NONE);
    CHECK_I64(beyond(o, INT64_MIN, -9), 0);
}

static void test_keys_alone(void) {
    struct check_column key;
    const int64_t seen[4] = {5, 7, 5, 9}, asked[4] = {5, 9, 1, 7};
    struct vf_asof_options o = plain();
    struct vf_asof_batch batch = {.n_keys = 1};
    struct vf_asof *asof = NULL;
    struct vf_column out;
    CHECK_OK(vf_asof_open(NULL, &o, &asof, &check_error));
    batch.keys = check_series(&key, "l", "symbol", 4, NULL, seen, NULL);
    CHECK_OK(vf_asof_observe(asof, &batch, &check_error));
    CHECK_OK(vf_asof_finish(asof, &check_error));
    batch.keys = check_series(&key, "l", "symbol", 4, NULL, asked, NULL);
    CHECK_OK(vf_asof_find(asof, &batch, &out, &check_error));
    CHECK(strcmp(out.schema.name, "row_0") == 0 && strcmp(out.schema.format, "I") == 0);
    CHECK_I64(check_u32(&out, 0), 2);
    CHECK_I64(check_u32(&out, 1), 3);
    CHECK(!check_valid(&out, 2));
    CHECK_I64(check_u32(&out, 3), 1);
    vf_column_release(&out);
    batch.time = batch.keys;
    CHECK_STATUS(vf_asof_find(asof, &batch, &out, &check_error), VF_ERROR_ARGUMENT);
    CHECK(strstr(check_error.message, "no time column") != NULL);
    vf_asof_close(asof);
}

/* So many groups that look-ups go without hints. */
static void test_many_groups(void) {
    enum { GROUPS = 300000 };
    static int64_t seen[2 * GROUPS], at[2 * GROUPS];
    struct check_column key, time;
    struct vf_series keys[1];
    struct vf_context ctx = {.n_threads = 64};
    struct vf_asof_options o = plain();
    struct vf_asof *asof = NULL;
    struct vf_column out;
    for (int64_t i = 0; i < 2 * GROUPS; i++) {
        seen[i] = i % GROUPS;
        at[i] = i / GROUPS * 10 + i % 7;
    }
    CHECK_OK(vf_asof_open(&ctx, &o, &asof, &check_error));
    keys[0] = *check_series(&key, "l", "symbol", 2 * GROUPS, NULL, seen, NULL);
    struct vf_asof_batch batch = {
        .keys = keys, .n_keys = 1, .time = check_series(&time, "tDn", "t", 2 * GROUPS, NULL, at, NULL)};
    CHECK_OK(vf_asof_observe(asof, &batch, &check_error));
    CHECK_OK(vf_asof_finish(asof, &check_error));
    CHECK_OK(vf_asof_find(asof, &batch, &out, &check_error));
    for (int64_t i = 0; i < 2 * GROUPS; i++)
        CHECK(check_valid(&out, i) && check_u32(&out, i) == (uint32_t)i);
    vf_column_release(&out);
    vf_asof_close(asof);
}

static void test_unique(void) {
    static struct columns c;
    struct vf_asof_options o = plain();
    struct vf_asof *asof = NULL;
    o.unique = true;
    quotes.n = 0;
    add(&quotes, 1, 1, 5, true);
    add(&quotes, 2, 1, 9, true);
    add(&quotes, 2, 1, 3, true);
    add(&quotes, 2, 1, 9, true);
    add(&quotes, 1, 1, 5, true);
    CHECK_OK(vf_asof_open(NULL, &o, &asof, &check_error));
    CHECK_OK(vf_asof_observe(asof, rows_of(&c, &quotes, 0, 5), &check_error));
    CHECK_STATUS(vf_asof_finish(asof, &check_error), VF_ERROR_DATA);
    CHECK_I64(check_error.row, 3);
    CHECK(strstr(check_error.message, "rows 1 and 3") != NULL);
    vf_asof_close(asof);
}

/* The first repeated row of all is named, whichever thread's group it is of. */
static void test_the_first_repeat_is_named(void) {
    static struct columns c;
    static const int64_t again[6] = {3, 1, 4, 0, 5, 2};
    struct vf_asof_options o = plain();
    o.unique = true;
    quotes.n = 0;
    for (int64_t key = 0; key < 6; key++)
        add(&quotes, key, 1, 7, true);
    for (int k = 0; k < 6; k++)
        add(&quotes, again[k], 1, 7, true);
    for (uint32_t n_threads = 1; n_threads <= 6; n_threads++) {
        struct vf_context ctx = {.n_threads = n_threads};
        struct vf_asof *asof = NULL;
        CHECK_OK(vf_asof_open(&ctx, &o, &asof, &check_error));
        CHECK_OK(vf_asof_observe(asof, rows_of(&c, &quotes, 0, 12), &check_error));
        CHECK_STATUS(vf_asof_finish(asof, &check_error), VF_ERROR_DATA);
        CHECK_I64(check_error.row, 6);
        CHECK(strstr(check_error.message, "rows 3 and 6") != NULL);
        vf_asof_close(asof);
    }
}

static void test_refusals(void) {
    static struct columns c;
    struct check_column text, number;
    static const int32_t offsets[2] = {0, 1};
    static const double price[1] = {1};
    int64_t twice[2] = {4, 4};
    struct vf_asof_options o = plain();
    struct vf_asof *asof = NULL;
    struct vf_column out;
    CHECK_STATUS(vf_asof_open(NULL, NULL, &asof, &check_error), VF_ERROR_ARGUMENT);
    o.n_horizons = 0;
    CHECK_STATUS(vf_asof_open(NULL, &o, &asof, &check_error), VF_ERROR_ARGUMENT);
    o.n_horizons = 2;
    o.horizons_ns = twice;
    CHECK_STATUS(vf_asof_open(NULL, &o, &asof, &check_error), VF_ERROR_ARGUMENT);
    o = plain();
    o.method = (enum vf_mark_method)7;
    CHECK_STATUS(vf_asof_open(NULL, &o, &asof, NULL), VF_ERROR_ARGUMENT);
    CHECK(asof == NULL);
    o = plain();
    CHECK_OK(vf_asof_open(NULL, &o, &asof, &check_error));
    quotes.n = 0;
    add(&quotes, 1, 1, 5, true);
    CHECK_STATUS(vf_asof_find(asof, rows_of(&c, &quotes, 0, 1), &out, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_asof_observe(asof, NULL, &check_error), VF_ERROR_ARGUMENT);
    CHECK_OK(vf_asof_observe(asof, rows_of(&c, &quotes, 0, 1), &check_error));
    struct vf_asof_batch batch = *rows_of(&c, &quotes, 0, 1);
    struct vf_series keys[2] = {*check_series(&text, "u", "symbol", 1, NULL, offsets, "x"), c.keys[1]};
    batch.keys = keys;
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_TYPE);
    keys[0] = *check_series(&number, "g", "price", 1, NULL, price, NULL);
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_TYPE);
    batch = *rows_of(&c, &quotes, 0, 1);
    batch.time = check_series(&text, "u", "elapsed", 1, NULL, offsets, "x");
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_TYPE);
    batch.time = check_series(&number, "tsn:", "elapsed", 1, NULL, quotes.time, NULL);
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_TYPE);
    batch = *rows_of(&c, &quotes, 0, 1);
    batch.n_keys = 1;
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_ARGUMENT);
    c.time.array.length = 0;
    batch.n_keys = 2;
    CHECK_STATUS(vf_asof_observe(asof, &batch, &check_error), VF_ERROR_ARGUMENT);
    CHECK_I64(vf_asof_rows(asof), 1);
    CHECK_OK(vf_asof_finish(asof, &check_error));
    CHECK_STATUS(vf_asof_finish(asof, &check_error), VF_ERROR_STATE);
    CHECK_STATUS(vf_asof_observe(asof, rows_of(&c, &quotes, 0, 1), &check_error), VF_ERROR_STATE);
    vf_asof_close(asof);
    vf_asof_close(NULL);
}

int main(void) {
    test_random();
    test_threads();
    test_limits_of_time();
    test_what_lies_beyond_int64();
    test_keys_alone();
    test_many_groups();
    test_unique();
    test_the_first_repeat_is_named();
    test_refusals();
    return check_report("test_asof");
}
