/* The extension's allocator: whatever grows or shrinks over the size from which blocks are Polars', each side gets back
   what it gave, told the same size, and a refusal keeps the block. Not for Polars' allocator itself. */
#include "../../../../python/ext/memory.c"

#include "check.h"

/* ---- an allocator as Polars gives it, which keeps the one size that each block was asked for ---- */

enum { HEADER = 64 };
static long held, calls;
static bool refusing;

static void *give(size_t size, size_t align) {
    calls++;
    CHECK(size >= LARGE_FROM && size <= LARGEST && align == 64);
    if (refusing) return NULL;
    uint8_t *block = malloc(HEADER + size);
    if (block == NULL) abort();
    memcpy(block, &size, sizeof size);
    held++;
    return block + HEADER;
}

static void take_back(void *block, size_t size, size_t align) {
    size_t asked;
    memcpy(&asked, (uint8_t *)block - HEADER, sizeof asked);
    CHECK(asked == size && align == 64);
    held--;
    free((uint8_t *)block - HEADER);
}

static void *give_zeroed(size_t size, size_t align) {
    void *block = give(size, align);
    return block != NULL ? memset(block, 0, size) : NULL;
}

static void *move(void *block, size_t size, size_t align, size_t new_size) {
    void *moved = give(new_size, align);
    if (moved == NULL) return NULL;
    memcpy(moved, block, size < new_size ? size : new_size);
    take_back(block, size, align);
    return moved;
}

static const struct polars_allocator polars = {
    .allocate = give, .release = take_back, .allocate_zeroed = give_zeroed, .resize = move};

static void fill(uint8_t *block, size_t size) {
    for (size_t i = 0; i < size; i += 997)
        block[i] = (uint8_t)(i / 997);
}
static bool is_filled(const uint8_t *block, size_t size) {
    for (size_t i = 0; i < size; i += 997)
        if (block[i] != (uint8_t)(i / 997)) return false;
    return true;
}

/* ---- tests ---- */

static const size_t sizes[] = {1,          1000,           LARGE_FROM - 1,         LARGE_FROM,
                               LARGE_FROM + 1, 3 * LARGE_FROM, (size_t)33 << 20};
enum { N = sizeof sizes / sizeof sizes[0] };

static void test_sizes(const struct vf_context *ctx, bool theirs_take_part) {
    for (size_t from = 0; from < N; from++)
        for (size_t to = 0; to < N; to++) {
            size_t least = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
            uint8_t *block = vf__alloc(ctx, sizes[from], 1);
            CHECK_I64(held, theirs_take_part && sizes[from] >= LARGE_FROM);
            fill(block, sizes[from]);
            block = vf__resize(ctx, block, sizes[from], sizes[to], 1);
            CHECK_I64(held, theirs_take_part && sizes[to] >= LARGE_FROM);
            CHECK(is_filled(block, least));
            vf__free(ctx, block, sizes[to], 1);
            CHECK_I64(held, 0);
        }
}

static void test_refused(const struct vf_context *ctx) {
    refusing = true;
    CHECK(vf__alloc(ctx, LARGE_FROM, 1) == NULL);
    uint8_t *small = vf__alloc(ctx, 1000, 1);
    fill(small, 1000);
    CHECK(vf__resize(ctx, small, 1000, LARGE_FROM, 1) == NULL);
    CHECK(is_filled(small, 1000));
    vf__free(ctx, small, 1000, 1);
    refusing = false;
    uint8_t *large = vf__alloc(ctx, LARGE_FROM, 1);
    fill(large, LARGE_FROM);
    refusing = true;
    CHECK(vf__resize(ctx, large, LARGE_FROM, 2 * LARGE_FROM, 1) == NULL);
    refusing = false;
    CHECK(is_filled(large, LARGE_FROM));
    long before = calls; /* what no allocator in Rust may be asked for is not */
    CHECK(vf__alloc(ctx, LARGEST + 1, 1) == NULL);
    CHECK(vf__alloc(ctx, SIZE_MAX, 1) == NULL);
    CHECK(vf__resize(ctx, large, LARGE_FROM, SIZE_MAX, 1) == NULL);
    CHECK_I64(calls, before);
    vf__free(ctx, large, LARGE_FROM, 1);
    CHECK_I64(held, 0);
}

/* A result keeps where it came from, and is given back there by whoever releases it, in whatever thread. */
static void test_column(const struct vf_context *ctx) {
    enum { ROWS = 1 << 16 };
    static double values[ROWS];
    struct check_column c;
    struct vf_column out = {0};
    values[ROWS - 1] = 7;
    const struct vf_series *series = check_series(&c, "g", "x", ROWS, NULL, values, NULL);
    CHECK_OK(vf_bin_index(ctx, series, 2, false, &out, &check_error));
    CHECK_I64(held, 1);
    take_memory_from(NULL);
    CHECK_I64(check_i64(&out, ROWS - 1), 4);
    vf_column_release(&out);
    CHECK_I64(held, 0);
    take_memory_from(&polars);
    refusing = true;
    CHECK_STATUS(vf_bin_index(ctx, series, 2, false, &out, &check_error), VF_ERROR_MEMORY);
    refusing = false;
    CHECK_I64(held, 0);
}

int main(void) {
    struct vf_context plain = extension_context(3);
    test_sizes(&plain, false);
    take_memory_from(&polars);
    struct vf_context ctx = extension_context(3);
    CHECK_I64(ctx.n_threads, 3);
    test_sizes(&ctx, true);
    test_refused(&ctx);
    test_column(&ctx);
    take_memory_from(NULL);
    CHECK(extension_context(0).allocator.allocate == plain.allocator.allocate);
    return check_report("memory");
}
