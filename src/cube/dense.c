/* The dense layout: running sums along every axis, so that a box of any size costs two reads an axis.
   Not for choosing a layout, which api_build.c does. */
#include "cube/cube.h"

#define BLOCK_CELLS ((size_t)1 << 14) /* of one thread's piece of the sum along axis 0 */
#define AHEAD 3                       /* cells between the fetch of their corners and their use */
#define MOST_FETCHED 16               /* corners that are fetched ahead */

bool vf__cube_shape_set(struct vf__cube_shape *shape) {
    size_t cells = 1;
    for (size_t a = shape->n_axes; a-- > 0;) {
        shape->stride[a] = cells;
        if (!vf__mul_size(cells, shape->length[a], &cells) || cells > SIZE_MAX / 4) return false;
    }
    shape->n_cells = cells;
    shape->slab = shape->stride[0];
    return true;
}

/* ---- running sums ------------------------------------------------------------------------------------------------ */

struct summing {
    const struct vf__cube_shape *shape;
    const struct vf__cube_pieces *pieces;
    uint64_t *records;
};

/* Along axes a .. of one block of cells. What lies further in is summed first, so that it is added to the next while
   it is still in the caches. */
static void sum_inner(const struct summing *s, size_t a, uint64_t *block) {
    size_t words = s->pieces->words, step = s->shape->stride[a], line = step * words;
    for (size_t i = 0; i < s->shape->length[a]; i++) {
        uint64_t *here = block + i * line;
        if (a + 1 < s->shape->n_axes) sum_inner(s, a + 1, here);
        for (size_t cell = 0; i > 0 && cell < step; cell++)
            vf__cube_add(s->pieces, here + cell * words, here + cell * words - line);
    }
}

static void sum_slab(void *arg, size_t place) {
    const struct summing *s = arg;
    if (s->shape->n_axes > 1) sum_inner(s, 1, s->records + place * s->shape->slab * s->pieces->words);
}

/* Along axis 0, of one block of cells. */
static void sum_block(void *arg, size_t block) {
    const struct summing *s = arg;
    const struct vf__cube_shape *shape = s->shape;
    size_t words = s->pieces->words, first = block * BLOCK_CELLS, end = first + BLOCK_CELLS;
    if (end > shape->slab) end = shape->slab;
    for (size_t place = 1; place < shape->length[0]; place++) {
        uint64_t *slab = s->records + place * shape->slab * words;
        for (size_t cell = first; cell < end; cell++)
            vf__cube_add(s->pieces, slab + cell * words, slab + cell * words - shape->slab * words);
    }
}

void vf__cube_dense_sum(const struct vf_context *ctx, const struct vf__cube_shape *shape,
                        const struct vf__cube_pieces *pieces, uint64_t *records) {
    struct summing summing = {.shape = shape, .pieces = pieces, .records = records};
    if (shape->n_cells == 0) return;
    vf__parallel(ctx, shape->length[0], sum_slab, &summing);
    vf__parallel(ctx, (shape->slab + BLOCK_CELLS - 1) / BLOCK_CELLS, sum_block, &summing);
}

/* ---- places --------------------------------------------------------------------------------------------------------- */

size_t vf__cube_places_bound(const struct vf__cube_pick *pick) {
    return 2 * pick->n;
}

void vf__cube_places_set(const struct vf__cube_pick *pick, struct vf__cube_places *places) {
    places->n = 0;
    for (size_t i = 0; i < pick->n; i++) {
        uint32_t here = pick->positions[i];
        bool begins = here > 0 && (i == 0 || pick->positions[i - 1] + 1 != here);
        bool ends = i + 1 == pick->n || pick->positions[i + 1] != here + 1;
        if (begins) {
            places->at[places->n] = here - 1;
            if (pick->kept)
                places->given[places->n] = false;
            else
                places->sign[places->n] = -1;
            places->n++;
        }
        if (!pick->kept && !ends) continue;
        places->at[places->n] = here;
        if (pick->kept)
            places->given[places->n] = true;
        else
            places->sign[places->n] = 1;
        places->n++;
    }
}

/* ---- a query -------------------------------------------------------------------------------------------------------- */

struct query {
    const struct vf__cube_shape *shape;
    const struct vf__cube_pieces *pieces;
    struct vf__cube_places places[VF__CUBE_MOST_AXES];
    uint32_t summed[VF__CUBE_MOST_AXES];
    size_t n_summed;
    size_t *corners; /* of the axes that are summed over, in words */
    bool *minus;
    size_t n_corners;
    size_t *offsets; /* of the gathered cells, in words from a corner */
    size_t n_gathered;
    uint64_t *gathered; /* result_words each */
};

static void release_places(const struct vf_context *ctx, struct query *q, const struct vf__cube_pick *picks) {
    for (size_t a = 0; a < q->shape->n_axes; a++) {
        size_t bound = vf__cube_places_bound(&picks[a]);
        vf__free(ctx, q->places[a].at, bound, sizeof *q->places[a].at);
        vf__free(ctx, q->places[a].sign, bound, sizeof *q->places[a].sign);
        vf__free(ctx, q->places[a].given, bound, sizeof *q->places[a].given);
    }
}

static bool make_places(const struct vf_context *ctx, struct query *q, const struct vf__cube_pick *picks) {
    for (size_t a = 0; a < q->shape->n_axes; a++) {
        size_t bound = vf__cube_places_bound(&picks[a]);
        struct vf__cube_places *p = &q->places[a];
        p->at = vf__alloc(ctx, bound, sizeof *p->at);
        p->sign = vf__alloc(ctx, bound, sizeof *p->sign);
        p->given = vf__alloc(ctx, bound, sizeof *p->given);
        if (p->at == NULL || p->sign == NULL || p->given == NULL) return false;
        vf__cube_places_set(&picks[a], p);
        if (!picks[a].kept) q->summed[q->n_summed++] = (uint32_t)a;
    }
    return true;
}

/* Where each gathered cell lies, the first kept axis outermost. */
static void fill_offsets(struct query *q, const uint32_t *order, size_t n_kept) {
    size_t filled = 1;
    q->offsets[0] = 0;
    for (size_t k = 0; k < n_kept; k++) {
        const struct vf__cube_places *p = &q->places[order[k]];
        size_t step = q->shape->stride[order[k]] * q->pieces->words;
        for (size_t i = filled; i-- > 0;) { /* from the end, since each makes p->n */
            size_t base = q->offsets[i];
            for (size_t j = 0; j < p->n; j++)
                q->offsets[i * p->n + j] = base + p->at[j] * step;
        }
        filled *= p->n;
    }
}

/* The corners of the axes that are summed over: how far from the first gathered cell, in words, and with which sign;
   those to be added come first. */
static void fill_corners(struct query *q) {
    size_t filled = 1;
    q->corners[0] = 0;
    q->minus[0] = false;
    for (size_t s = 0; s < q->n_summed; s++) {
        const struct vf__cube_places *p = &q->places[q->summed[s]];
        size_t step = q->shape->stride[q->summed[s]] * q->pieces->words;
        for (size_t i = filled; i-- > 0;) { /* from the end, since each makes p->n */
            size_t base = q->corners[i];
            bool minus = q->minus[i];
            for (size_t j = 0; j < p->n; j++) {
                q->corners[i * p->n + j] = base + p->at[j] * step;
                q->minus[i * p->n + j] = minus != (p->sign[j] < 0);
            }
        }
        filled *= p->n;
    }
}

/* All corners of one cell before the next cell: they lie close together, but for those of axis 0. */
static void gather(const struct query *q, const uint64_t *records) {
    size_t words = q->pieces->result_words;
    bool few = q->n_corners <= MOST_FETCHED;
    for (size_t i = 0; i < q->n_gathered; i++) {
        const uint64_t *from = records + q->offsets[i];
        uint64_t *to = q->gathered + i * words;
        if (few && i + AHEAD < q->n_gathered)
            for (size_t c = 0; c < q->n_corners; c++)
                VF__PREFETCH(records + q->offsets[i + AHEAD] + q->corners[c]);
        for (size_t c = 0; c < q->n_corners; c++) {
            if (q->minus[c])
                vf__cube_subtract(q->pieces, to, from + q->corners[c]);
            else
                vf__cube_add(q->pieces, to, from + q->corners[c]);
        }
    }
}

/* Running sums along one kept axis become those of the places picked; the others go. Gives the cells left. */
static size_t take_differences(const struct query *q, const struct vf__cube_places *p, size_t outer,
                               size_t inner) {
    size_t words = q->pieces->result_words, line = inner * words, kept = 0;
    for (size_t o = 0; o < outer; o++) {
        uint64_t *first = q->gathered + o * p->n * line;
        for (size_t j = p->n; j-- > 1;) {
            uint64_t *here = first + j * line;
            if (!p->given[j] || p->at[j - 1] + 1 != p->at[j]) continue;
            for (size_t i = 0; i < line; i += words)
                vf__cube_subtract_result(q->pieces, here + i, here + i - line);
        }
        for (size_t j = 0; j < p->n; j++) {
            if (!p->given[j]) continue;
            uint64_t *to = q->gathered + kept * line;
            if (to != first + j * line) memmove(to, first + j * line, line * sizeof *to);
            kept++;
        }
    }
    return kept * inner;
}

/* Corners, cells that are gathered, and cells of the result; false where a size does not fit. */
static bool count_cells(struct query *q, const struct vf__cube_pick *picks, const uint32_t *order,
                        size_t n_kept, size_t *n_gathered, size_t *n_result) {
    *n_gathered = *n_result = q->n_corners = 1;
    for (size_t s = 0; s < q->n_summed; s++)
        if (!vf__mul_size(q->n_corners, q->places[q->summed[s]].n, &q->n_corners)) return false;
    for (size_t k = 0; k < n_kept; k++) {
        if (!vf__mul_size(*n_gathered, q->places[order[k]].n, n_gathered)) return false;
        *n_result *= picks[order[k]].n;
    }
    return true;
}

enum vf_status vf__cube_dense_query(const struct vf_context *ctx, const struct vf__cube_shape *shape,
                                    const struct vf__cube_pieces *pieces, const uint64_t *records,
                                    const struct vf__cube_pick *picks, const uint32_t *order, size_t n_kept,
                                    struct vf__cube_sums *out, struct vf_error *err) {
    struct query q = {.shape = shape, .pieces = pieces};
    size_t n_result = 0, n_words = 0, left;
    bool nothing = false;
    enum vf_status status = VF_OK;
    if (!make_places(ctx, &q, picks)) {
        status = vf__fail_memory(err, sizeof *q.places[0].at);
        goto done;
    }
    bool fits = count_cells(&q, picks, order, n_kept, &q.n_gathered, &n_result) &&
                vf__mul_size(q.n_gathered, pieces->result_words, &n_words);
    if (fits) {
        q.corners = vf__alloc(ctx, q.n_corners, sizeof *q.corners);
        q.minus = vf__alloc(ctx, q.n_corners, sizeof *q.minus);
        q.offsets = vf__alloc(ctx, q.n_gathered, sizeof *q.offsets);
        q.gathered = vf__zalloc(ctx, n_words, sizeof *q.gathered);
    }
    if (q.corners == NULL || q.minus == NULL || q.offsets == NULL || q.gathered == NULL) {
        status = vf__fail_memory(err, fits ? n_words * sizeof *q.gathered : SIZE_MAX);
        goto done;
    }
    for (size_t a = 0; a < shape->n_axes; a++)
        nothing |= q.places[a].n == 0;
    if (!nothing) {
        fill_offsets(&q, order, n_kept);
        fill_corners(&q);
        gather(&q, records);
        left = q.n_gathered;
        for (size_t k = 0, outer = 1; k < n_kept; k++) {
            const struct vf__cube_places *p = &q.places[order[k]];
            left = take_differences(&q, p, outer, left / outer / p->n);
            outer *= picks[order[k]].n;
        }
    }
    *out = (struct vf__cube_sums){.words = q.gathered, .capacity = n_words, .n = n_result};
done:
    if (status != VF_OK) vf__free(ctx, q.gathered, n_words, sizeof *q.gathered);
    vf__free(ctx, q.offsets, q.n_gathered, sizeof *q.offsets);
    vf__free(ctx, q.minus, q.n_corners, sizeof *q.minus);
    vf__free(ctx, q.corners, q.n_corners, sizeof *q.corners);
    release_places(ctx, &q, picks);
    return status;
}

/* ---- scans --------------------------------------------------------------------------------------------------------------- */

void vf__cube_dense_scan(const struct vf__cube_shape *shape, const struct vf__cube_pick *picks,
                         const struct vf__cube_scan *scan, struct vf__cube_best *result) {
    size_t at[VF__CUBE_MOST_AXES] = {0}, last = shape->n_axes - 1;
    const struct vf__cube_pick *inner = &picks[last];
    for (size_t a = 0; a < shape->n_axes; a++)
        if (picks[a].n == 0) return;
    for (;;) { /* axis 0 outermost: dates in their order */
        size_t cell = 0, to = 0, a = last;
        for (size_t i = 0; i < last; i++) {
            cell += picks[i].positions[at[i]] * shape->stride[i];
            to += at[i] * picks[i].result_step;
        }
        uint32_t place = picks[0].positions[at[0]];
        for (size_t j = 0; j < inner->n; j++)
            vf__cube_scan_add(scan, &result[to + j * inner->result_step], cell + inner->positions[j],
                              last > 0 ? place : inner->positions[j]);
        while (a > 0 && ++at[a - 1] == picks[a - 1].n)
            at[--a] = 0;
        if (a == 0) return;
    }
}
