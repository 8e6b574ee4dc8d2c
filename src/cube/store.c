/* The arrays of a cube: allocated, released, and brought into the order of the sparse layout.
   Not for reading them: dense.c and sparse.c do. */
#include "cube/cube.h"

#define ZERO_BYTES ((size_t)16 << 20) /* of one thread's piece */

struct zeroing {
    unsigned char *block;
    size_t bytes;
};

static void zero_piece(void *arg, size_t index) {
    const struct zeroing *z = arg;
    size_t first = index * ZERO_BYTES, left = z->bytes - first;
    memset(z->block + first, 0, left < ZERO_BYTES ? left : ZERO_BYTES);
}

/* Zeroed by all threads: the first touch of a page is what making a large array costs. */
static void *zeroed(const struct vf_context *ctx, size_t n, size_t size) {
    struct zeroing zeroing = {.block = vf__alloc(ctx, n, size), .bytes = n * size};
    if (zeroing.block != NULL)
        vf__parallel(ctx, (n * size + ZERO_BYTES - 1) / ZERO_BYTES, zero_piece, &zeroing);
    return zeroing.block;
}

/* Words and tags of n rows, zeroed. False: no memory; what there is stays for release_scan. */
static bool make_scan(struct vf__cube_scan *scan, const struct vf_context *ctx, size_t n) {
    bool all = true;
    for (size_t w = 0; w < vf__cube_scan_words(scan->kind); w++) {
        scan->words[w] = zeroed(ctx, n, sizeof *scan->words[w]);
        all &= scan->words[w] != NULL;
    }
    scan->tags = zeroed(ctx, n, sizeof *scan->tags);
    return all && scan->tags != NULL;
}

static void release_scan(struct vf__cube_scan *scan, const struct vf_context *ctx, size_t n) {
    for (size_t w = 0; w < VF__SCAN_WORDS; w++)
        vf__free(ctx, scan->words[w], n, sizeof *scan->words[w]);
    vf__free(ctx, scan->tags, n, sizeof *scan->tags);
    *scan = (struct vf__cube_scan){.kind = scan->kind};
}

enum vf_status vf__cube_store_init(struct vf__cube_store *store, const struct vf_context *ctx, size_t n_rows,
                                   struct vf_error *err) {
    size_t n_words;
    bool fits = vf__mul_size(n_rows, store->words, &n_words);
    store->n_rows = n_rows;
    store->records = fits ? zeroed(ctx, n_words, sizeof *store->records) : NULL;
    bool all = store->records != NULL;
    for (size_t s = 0; all && s < store->n_scans; s++)
        all = make_scan(&store->scans[s], ctx, n_rows);
    if (all) return VF_OK;
    vf__cube_store_release(store, ctx, 0);
    return vf__fail_memory(err, fits ? n_words * sizeof *store->records : SIZE_MAX);
}

void vf__cube_store_release(struct vf__cube_store *store, const struct vf_context *ctx, size_t n_axes) {
    struct vf__cube_sparse *sparse = &store->sparse;
    vf__free(ctx, store->records, store->n_rows * store->words, sizeof *store->records);
    store->records = NULL;
    for (size_t s = 0; store->scans != NULL && s < store->n_scans; s++)
        release_scan(&store->scans[s], ctx, store->n_rows);
    vf__free(ctx, sparse->starts, sparse->n_cells + 1, sizeof *sparse->starts);
    vf__free(ctx, sparse->place, sparse->n_rows, sizeof *sparse->place);
    for (size_t a = 1; a < n_axes; a++)
        vf__free(ctx, sparse->index[a], sparse->n_cells, sizeof *sparse->index[a]);
    *sparse = (struct vf__cube_sparse){0};
    store->n_rows = 0;
}

/* ---- into order ------------------------------------------------------------------------------------------------------ */

/* From `store` to `sorted`, array by array: what has been moved is freed at once. */
struct move {
    const struct vf_context *ctx;
    struct vf__cube_store *store, *sorted;
    const struct vf__cube_key *keys;
};

static enum vf_status move_records(const struct move *m, const struct vf__cube_pieces *pieces,
                                   struct vf_error *err) {
    size_t words = m->store->words, n_unique = m->sorted->n_rows, n = m->store->n_rows, to = 0;
    m->sorted->records = zeroed(m->ctx, n_unique * words, sizeof *m->sorted->records);
    if (m->sorted->records == NULL)
        return vf__fail_memory(err, n_unique * words * sizeof *m->sorted->records);
    for (size_t i = 0; i < n; i++) {
        to += i > 0 && m->keys[i].key != m->keys[i - 1].key;
        vf__cube_add(pieces, m->sorted->records + to * words, m->store->records + m->keys[i].row * words);
    }
    vf__free(m->ctx, m->store->records, n * words, sizeof *m->store->records);
    m->store->records = NULL;
    return VF_OK;
}

static enum vf_status move_scan(const struct move *m, size_t s, struct vf_error *err) {
    struct vf__cube_scan *from = &m->store->scans[s], *sorted = &m->sorted->scans[s];
    size_t n_unique = m->sorted->n_rows, n = m->store->n_rows, to = 0;
    sorted->kind = from->kind;
    if (!make_scan(sorted, m->ctx, n_unique))
        return vf__fail_memory(err, n_unique * sizeof *sorted->words[0]);
    for (size_t i = 0; i < n; i++) {
        to += i > 0 && m->keys[i].key != m->keys[i - 1].key;
        struct vf__cube_best value = vf__cube_scan_at(from, (size_t)m->keys[i].row, 0);
        vf__cube_scan_put(sorted, to, &value);
    }
    release_scan(from, m->ctx, n);
    return VF_OK;
}

/* Drops the repeats of keys; gives how many are left, and counts cells. */
static size_t unique_keys(struct vf__cube_key *keys, size_t n, size_t n_places, size_t *n_cells) {
    size_t kept = 0;
    *n_cells = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && keys[i].key == keys[kept - 1].key) continue;
        *n_cells += kept == 0 || keys[i].key / n_places != keys[kept - 1].key / n_places;
        keys[kept++] = keys[i];
    }
    return kept;
}

static size_t count_unique(const struct vf__cube_key *keys, size_t n) {
    size_t unique = n > 0;
    for (size_t i = 1; i < n; i++)
        unique += keys[i].key != keys[i - 1].key;
    return unique;
}

static enum vf_status index_cells(struct vf__cube_store *store, const struct vf_context *ctx,
                                  const struct vf__cube_shape *shape, const struct vf__cube_key *keys,
                                  size_t n_cells, struct vf_error *err) {
    struct vf__cube_sparse *sparse = &store->sparse;
    size_t n_places = shape->length[0];
    sparse->n_cells = n_cells;
    sparse->n_rows = store->n_rows;
    sparse->starts = vf__zalloc(ctx, n_cells + 1, sizeof *sparse->starts);
    sparse->place = vf__zalloc(ctx, store->n_rows, sizeof *sparse->place);
    bool all = sparse->starts != NULL && sparse->place != NULL;
    for (size_t a = 1; a < shape->n_axes; a++) {
        sparse->index[a] = vf__zalloc(ctx, n_cells, sizeof *sparse->index[a]);
        all &= sparse->index[a] != NULL;
    }
    if (!all) return vf__fail_memory(err, n_cells * sizeof *sparse->starts);
    size_t cell = 0;
    for (size_t i = 0; i < store->n_rows; i++) {
        uint64_t code = keys[i].key / n_places;
        sparse->place[i] = (uint32_t)(keys[i].key % n_places);
        if (i > 0 && code == keys[i - 1].key / n_places) continue;
        sparse->starts[cell] = i;
        for (size_t a = 1; a < shape->n_axes; a++)
            sparse->index[a][cell] = (uint32_t)(code / shape->stride[a] % shape->length[a]);
        cell++;
    }
    sparse->starts[cell] = store->n_rows;
    return VF_OK;
}

static void sum_within_cells(const struct vf__cube_store *store, const struct vf__cube_pieces *pieces) {
    size_t words = store->words;
    for (size_t cell = 0; cell < store->sparse.n_cells; cell++)
        for (uint64_t row = store->sparse.starts[cell] + 1; row < store->sparse.starts[cell + 1]; row++)
            vf__cube_add(pieces, store->records + row * words, store->records + (row - 1) * words);
}

enum vf_status vf__cube_sparse_build(struct vf__cube_store *store, const struct vf_context *ctx,
                                     const struct vf__cube_shape *shape, const struct vf__cube_pieces *pieces,
                                     struct vf__cube_key *keys, struct vf_error *err) {
    struct vf__cube_store sorted = {.words = store->words, .n_scans = store->n_scans};
    size_t n = store->n_rows, n_cells;
    struct vf__cube_key *scratch = vf__alloc(ctx, n, sizeof *scratch);
    if (scratch == NULL) return vf__fail_memory(err, n * sizeof *scratch);
    vf__cube_sort(keys, scratch, n, shape->n_cells);
    vf__free(ctx, scratch, n, sizeof *scratch);
    sorted.n_rows = count_unique(keys, n);
    sorted.scans = vf__zalloc(ctx, store->n_scans, sizeof *sorted.scans);
    if (sorted.scans == NULL) return vf__fail_memory(err, store->n_scans * sizeof *sorted.scans);
    struct move move = {.ctx = ctx, .store = store, .sorted = &sorted, .keys = keys};
    enum vf_status status = move_records(&move, pieces, err);
    for (size_t s = 0; status == VF_OK && s < store->n_scans; s++)
        status = move_scan(&move, s, err);
    if (status == VF_OK) {
        (void)unique_keys(keys, n, shape->length[0], &n_cells);
        status = index_cells(&sorted, ctx, shape, keys, n_cells, err);
    }
    if (status == VF_OK) {
        struct vf__cube_scan *scans = store->scans;
        memcpy(scans, sorted.scans, store->n_scans * sizeof *scans);
        vf__free(ctx, sorted.scans, store->n_scans, sizeof *scans);
        *store = sorted;
        store->scans = scans;
        sum_within_cells(store, pieces);
    } else {
        vf__cube_store_release(&sorted, ctx, shape->n_axes);
        vf__free(ctx, sorted.scans, store->n_scans, sizeof *sorted.scans);
    }
    return status;
}
