/* Every call of a cube's life with the N-th allocation failing, once and from then on: nothing leaks, the status says
   so, and what was refused may be tried again or says that it cannot. Not for results, which are in unit/. */
#include "../check.h"

enum { N = 300, AXES = 3, STATES = 5 };

static int64_t date[N], bin[N], count[N], order[N];
static double hi[N], lo[N];
static int32_t offsets[N + 1];
static char text[N * 4];

static const struct vf_cube_state states[STATES] = {{VF_CUBE_ADD_INT, "n"},
                                                    {VF_CUBE_ADD_FLOAT, "x"},
                                                    {VF_CUBE_MIN, "least"},
                                                    {VF_CUBE_FIRST, "first"},
                                                    {VF_CUBE_PRODUCT_INT, "times"}};
enum { VALUES = 7, OUT = 6 };

static void fill(void) {
    for (int i = 0; i < N; i++) {
        date[i] = i % 7;
        bin[i] = i * 3;
        count[i] = 1;
        order[i] = i;
        hi[i] = i % 5 == 0 ? 1e300 : i * 0.1;
        lo[i] = 0;
        memcpy(text + i * 4, i % 2 == 0 ? "Buy " : "Sell", 4);
        offsets[i + 1] = offsets[i] + 4;
    }
}

struct columns {
    struct check_column c[AXES + VALUES];
    struct vf_series keys[AXES], values[VALUES];
};

static void make_columns(struct columns *c) {
    c->keys[0] = *check_series(&c->c[0], "l", "date", N, NULL, date, NULL);
    c->keys[1] = *check_series(&c->c[1], "u", "side", N, NULL, offsets, text);
    c->keys[2] = *check_series(&c->c[2], "l", "bin", N, NULL, bin, NULL);
    c->values[0] = *check_series(&c->c[3], "l", "n", N, NULL, count, NULL);
    c->values[1] = *check_series(&c->c[4], "g", "x.hi", N, NULL, hi, NULL);
    c->values[2] = *check_series(&c->c[5], "g", "x.lo", N, NULL, lo, NULL);
    c->values[3] = *check_series(&c->c[6], "g", "least", N, NULL, hi, NULL);
    c->values[4] = *check_series(&c->c[7], "g", "first", N, NULL, hi, NULL);
    c->values[5] = *check_series(&c->c[8], "l", "first.row", N, NULL, order, NULL);
    c->values[6] = *check_series(&c->c[9], "l", "times", N, NULL, count, NULL);
}

static enum vf_status query(const struct vf_cube *cube) {
    static const uint32_t some[] = {1, 2, 4}, kept[] = {1, 2};
    const struct vf_cube_pick picks[AXES] = {{some, 3}, {NULL, 0}, {some, 2}};
    static const uint32_t all[] = {0, 1, 2};
    const struct vf_cube_query asked[] = {{.picks = picks, .kept = kept, .n_kept = 2},
                                          {.kept = all, .n_kept = AXES}}; /* of a sparse cube as a list */
    enum vf_status status = VF_OK;
    for (int q = 0; status == VF_OK && q < 2; q++) {
        struct vf_column out[AXES + OUT];
        CHECK_POISON(out);
        status = vf_cube_query(cube, &asked[q], out, &check_error);
        if (status == VF_OK) CHECK_I64(out[2].array.length, q == 0 ? 2 : N);
        for (size_t i = 0; i < AXES + OUT; i++) {
            if (status != VF_OK) CHECK(check_is_rubbish(&out[i], sizeof out[i]));
            check_release(&out[i]);
        }
    }
    return status;
}

/* A failure before anything was read changes nothing; one after it is remembered. */
static enum vf_status again(enum vf_status status, struct vf_cube *cube, struct columns *c, bool adding) {
    if (status != VF_ERROR_MEMORY) return status;
    enum vf_status second = adding ? vf_cube_add(cube, c->keys, c->values, N, NULL)
                                   : vf_cube_learn(cube, c->keys, c->values, N, NULL);
    CHECK(second == VF_OK || second == VF_ERROR_MEMORY || second == VF_ERROR_STATE);
    return status;
}

static enum vf_status make(const struct vf_context *ctx, enum vf_cube_layout layout, struct vf_cube **cube) {
    struct columns c;
    make_columns(&c);
    struct vf_cube_size size;
    enum vf_status status = vf_cube_open(ctx, AXES, states, STATES, cube, &check_error);
    if (status != VF_OK) return status;
    status = again(vf_cube_learn(*cube, c.keys, c.values, N, &check_error), *cube, &c, false);
    if (status == VF_OK) { /* values of its own, so that the table of keys grows */
        static int64_t days[N];
        for (int i = 0; i < N; i++)
            days[i] = 7 + i;
        struct check_column more;
        status = vf_cube_learn_axis(*cube, 0, check_series(&more, "l", "date", N, NULL, days, NULL), N, &check_error);
        if (status == VF_ERROR_MEMORY)
            CHECK_I64(vf_cube_learn_axis(*cube, 0, c.keys, N, NULL), VF_ERROR_STATE);
    }
    if (status == VF_OK) status = vf_cube_size(*cube, &size, &check_error);
    if (status == VF_OK) {
        status = vf_cube_build(*cube, layout, 0, &check_error);
        if (status == VF_ERROR_MEMORY) { /* may be asked again */
            enum vf_status second = vf_cube_build(*cube, layout, 0, &check_error);
            CHECK(second == VF_OK || second == VF_ERROR_MEMORY);
        }
    }
    if (status == VF_OK)
        status = again(vf_cube_add(*cube, c.keys, c.values, N, &check_error), *cube, &c, true);
    if (status == VF_OK) status = vf_cube_finish(*cube, &check_error);
    return status;
}

static enum vf_status life(const struct vf_context *ctx, enum vf_cube_layout layout) {
    struct vf_cube *cube = NULL;
    struct vf_column axis;
    CHECK_POISON(axis);
    enum vf_status status = make(ctx, layout, &cube);
    if (status == VF_OK) status = query(cube);
    if (status == VF_ERROR_MEMORY && cube != NULL) {
        enum vf_status second = query(cube);
        CHECK(second == VF_OK || second == VF_ERROR_MEMORY || second == VF_ERROR_STATE);
    }
    for (size_t a = 0; status == VF_OK && a < AXES; a++) {
        status = vf_cube_axis(cube, a, &axis, &check_error);
        check_release(&axis);
    }
    vf_cube_close(cube);
    return status;
}

static enum vf_status dense(const struct vf_context *ctx) {
    return life(ctx, VF_CUBE_DENSE);
}
static enum vf_status sparse(const struct vf_context *ctx) {
    return life(ctx, VF_CUBE_SPARSE);
}

enum { MOST_PARTS = 32 };

struct parts {
    size_t n;
    struct vf_column columns[MOST_PARTS];
    const struct ArrowArray *chunks[MOST_PARTS];
    struct vf_series series[MOST_PARTS];
};

static void release_parts(void *parts) {
    struct parts *p = parts;
    for (size_t i = 0; i < p->n; i++)
        vf_column_release(&p->columns[i]);
}

static enum vf_status parts(const struct vf_context *ctx) {
    struct vf_context plain = {.n_threads = 1};
    struct vf_cube *cube = NULL, *copy = NULL;
    struct parts p = {.n = 0};
    CHECK(make(&plain, VF_CUBE_SPARSE, &cube) == VF_OK); /* parts are made with the cube's own allocator */
    struct vf_cube *faulty = NULL;
    enum vf_status status = make(ctx, VF_CUBE_SPARSE, &faulty);
    for (size_t i = 0; status == VF_OK && i < vf_cube_n_parts(faulty); i++) {
        status = vf_cube_part(faulty, i, &p.columns[i], &check_error);
        if (status != VF_OK) CHECK(p.columns[i].array.release == NULL);
        p.n = i + 1;
    }
    release_parts(&p);
    p.n = vf_cube_n_parts(cube);
    for (size_t i = 0; i < p.n; i++) {
        CHECK(vf_cube_part(cube, i, &p.columns[i], &check_error) == VF_OK);
        p.chunks[i] = &p.columns[i].array;
        p.series[i] = (struct vf_series){&p.columns[i].schema, &p.chunks[i], 1};
    }
    if (status == VF_OK)
        status = vf_cube_attach(ctx, states, STATES, p.series, p.n, &p, release_parts, &copy, &check_error);
    if (copy == NULL)
        release_parts(&p);
    else
        status = query(copy);
    vf_cube_close(copy);
    vf_cube_close(faulty);
    vf_cube_close(cube);
    return status;
}

int main(void) {
    fill();
    check_all_faults(dense);
    check_all_faults(sparse);
    check_all_faults(parts);
    return check_report("cube faults");
}
