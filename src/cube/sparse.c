/* The sparse layout: only cells that hold something, sorted, and in each its dates with running sums.
   Not for cubes that fit densely: a query here looks at every cell. */
#include "cube/cube.h"

/* ---- sorting ------------------------------------------------------------------------------------------------------- */

#define DIGIT VF__SIZED(11, 1, 16)
#define BUCKETS ((size_t)1 << DIGIT)

/* Least digit first (Knuth 5.2.5): stable, and as many passes as the largest key has digits. */
void vf__cube_sort(struct vf__cube_key *keys, struct vf__cube_key *scratch, size_t n, uint64_t limit) {
    struct vf__cube_key *from = keys, *to = scratch;
    for (unsigned shift = 0; shift < 64 && (limit >> shift) != 0; shift += DIGIT) {
        size_t starts[BUCKETS + 1] = {0};
        for (size_t i = 0; i < n; i++)
            starts[(from[i].key >> shift & (BUCKETS - 1)) + 1]++;
        for (size_t b = 0; b < BUCKETS; b++)
            starts[b + 1] += starts[b];
        for (size_t i = 0; i < n; i++)
            to[starts[from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
        struct vf__cube_key *other = from;
        from = to;
        to = other;
    }
    if (from != keys) memcpy(keys, from, n * sizeof *keys);
}

/* ---- queries -------------------------------------------------------------------------------------------------------- */

/* What a cell's place in the result is, but for axis 0; VF__CUBE_NOT_PICKED when it is in none. */
static size_t place_of(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                       const size_t *const *tables, size_t cell) {
    size_t place = 0;
    for (size_t a = 1; a < shape->n_axes; a++) {
        size_t step = tables[a][sparse->index[a][cell]];
        if (step == VF__CUBE_NOT_PICKED) return VF__CUBE_NOT_PICKED;
        place += step;
    }
    return place;
}

/* The first row from `row` on, before `end`, whose place is at least `place`. */
static uint64_t first_from(const uint32_t *places, uint64_t row, uint64_t end, uint32_t place) {
    while (row < end) {
        uint64_t middle = row + (end - row) / 2;
        if (places[middle] < place)
            row = middle + 1;
        else
            end = middle;
    }
    return row;
}

struct walk {
    const struct vf__cube_sparse *sparse;
    const struct vf__cube_pieces *pieces;
    const uint64_t *records;
    const struct vf__cube_pick *first;
    const size_t *steps; /* of axis 0 */
};

/* Sums over axis 0: a run of positions is one difference. */
static void add_runs(const struct walk *w, uint64_t start, uint64_t end, uint64_t *to) {
    const struct vf__cube_pick *first = w->first;
    size_t words = w->pieces->words;
    for (size_t i = 0; i < first->n && start < end;) {
        size_t j = i + 1;
        while (j < first->n && first->positions[j] == first->positions[j - 1] + 1)
            j++;
        uint64_t from = first_from(w->sparse->place, start, end, first->positions[i]);
        uint64_t until = first_from(w->sparse->place, from, end, first->positions[j - 1] + 1);
        if (until > from) {
            vf__cube_add(w->pieces, to, w->records + (until - 1) * words);
            if (from > start) vf__cube_subtract(w->pieces, to, w->records + (from - 1) * words);
        }
        i = j;
    }
}

static void add_places(const struct walk *w, uint64_t start, uint64_t end, uint64_t *to) {
    size_t words = w->pieces->words, result = w->pieces->result_words;
    for (uint64_t row = start; row < end; row++) {
        size_t step = w->steps[w->sparse->place[row]];
        if (step == VF__CUBE_NOT_PICKED) continue;
        vf__cube_add(w->pieces, to + step * result, w->records + row * words);
        if (row > start) vf__cube_subtract(w->pieces, to + step * result, w->records + (row - 1) * words);
    }
}

static void add_cell(const struct walk *w, bool everything, size_t cell, uint64_t *to) {
    uint64_t start = w->sparse->starts[cell], end = w->sparse->starts[cell + 1];
    if (everything)
        vf__cube_add(w->pieces, to, w->records + (end - 1) * w->pieces->words);
    else if (w->first->kept)
        add_places(w, start, end, to);
    else
        add_runs(w, start, end, to);
}

static bool takes_all(const struct vf__cube_shape *shape, const struct vf__cube_pick *first) {
    return !first->kept && first->n == shape->length[0];
}

void vf__cube_sparse_query(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                           const struct vf__cube_pieces *pieces, const uint64_t *records,
                           const struct vf__cube_pick *first, const size_t *const *tables, uint64_t *result) {
    struct walk w = {sparse, pieces, records, first, tables[0]};
    bool everything = takes_all(shape, first);
    for (size_t cell = 0; cell < sparse->n_cells; cell++) {
        size_t place = place_of(shape, sparse, tables, cell);
        if (place != VF__CUBE_NOT_PICKED)
            add_cell(&w, everything, cell, result + place * pieces->result_words);
    }
}

size_t vf__cube_sparse_list(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                            bool kept, const size_t *const *tables, struct vf__cube_key *entries) {
    size_t n = 0;
    for (size_t cell = 0; cell < sparse->n_cells; cell++) {
        size_t place = place_of(shape, sparse, tables, cell);
        if (place == VF__CUBE_NOT_PICKED) continue;
        if (!kept) {
            if (entries != NULL) entries[n] = (struct vf__cube_key){place, cell};
            n++;
            continue;
        }
        for (uint64_t row = sparse->starts[cell]; row < sparse->starts[cell + 1]; row++) {
            size_t step = tables[0][sparse->place[row]];
            if (step == VF__CUBE_NOT_PICKED) continue;
            if (entries != NULL) entries[n] = (struct vf__cube_key){place + step, row};
            n++;
        }
    }
    return n;
}

/* The cell that a row is of. */
static size_t cell_of(const struct vf__cube_sparse *sparse, uint64_t row) {
    size_t low = 0, high = sparse->n_cells;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (sparse->starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void vf__cube_sparse_entry(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                           const struct vf__cube_pieces *pieces, const uint64_t *records,
                           const struct vf__cube_pick *first, uint64_t entry, uint64_t *result) {
    struct walk w = {sparse, pieces, records, first, NULL};
    if (!first->kept) {
        add_cell(&w, takes_all(shape, first), (size_t)entry, result);
        return;
    }
    vf__cube_add(pieces, result, records + entry * pieces->words);
    if (entry > sparse->starts[cell_of(sparse, entry)])
        vf__cube_subtract(pieces, result, records + (entry - 1) * pieces->words);
}

void vf__cube_sparse_entry_scan(const struct vf__cube_sparse *sparse, const size_t *first_table, bool kept,
                                const struct vf__cube_scan *scan, uint64_t entry,
                                struct vf__cube_best *result) {
    uint64_t start = kept ? entry : sparse->starts[entry], end = kept ? entry + 1 : sparse->starts[entry + 1];
    for (uint64_t row = start; row < end; row++)
        if (first_table[sparse->place[row]] != VF__CUBE_NOT_PICKED)
            vf__cube_scan_add(scan, result, (size_t)row, sparse->place[row]);
}

void vf__cube_sparse_scan(const struct vf__cube_shape *shape, const struct vf__cube_sparse *sparse,
                          const size_t *const *tables, const struct vf__cube_scan *scan,
                          struct vf__cube_best *result) {
    for (size_t cell = 0; cell < sparse->n_cells; cell++) {
        size_t place = place_of(shape, sparse, tables, cell);
        if (place == VF__CUBE_NOT_PICKED) continue;
        for (uint64_t row = sparse->starts[cell]; row < sparse->starts[cell + 1]; row++) {
            size_t step = tables[0][sparse->place[row]];
            if (step == VF__CUBE_NOT_PICKED) continue;
            vf__cube_scan_add(scan, &result[place + step], (size_t)row, sparse->place[row]);
        }
    }
}
