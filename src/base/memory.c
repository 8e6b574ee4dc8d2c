/* Memory by way of the caller's allocator, with counts checked before they are multiplied.
   Not for pools or arenas: a layer that wants one builds it from these calls. */
#if defined(__linux__)
#define _GNU_SOURCE
#endif
#include "base/base.h"

#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#ifdef VF__HUGE_FROM /* `make memcheck`: valgrind loses track of blocks that mremap moved */
#define HUGE_FROM VF__HUGE_FROM
#else
#define HUGE_FROM ((size_t)VF__SIZED(32 << 20, 1 << 16, 1 << 30))
#endif

/* ---- large blocks ------------------------------------------------------------------------------------------------
   On Linux they are mappings of their own, aligned for huge pages: a page fault costs microseconds, and 4 KiB at a
   time they were a third of the running time. Growing moves page tables, never bytes, and keeps the alignment. */

#if defined(__linux__)
/* Address space of `size` bytes that starts on a huge page; no memory yet where `access` is PROT_NONE. */
static void *map_aligned(size_t size, int access) {
    if (size > SIZE_MAX - HUGE_PAGE) return NULL;
    uint8_t *base = mmap(NULL, size + HUGE_PAGE, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return NULL;
    size_t skip = (HUGE_PAGE - (uintptr_t)base % HUGE_PAGE) % HUGE_PAGE;
    if (skip > 0) (void)munmap(base, skip);
    (void)munmap(base + skip + size, HUGE_PAGE - skip);
    return base + skip;
}

/* Whole huge pages, so that the pieces cut off above and the ends of mappings are whole pages. */
static size_t whole(size_t size) {
    return size > SIZE_MAX - HUGE_PAGE ? 0 : (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

static void *large_allocate(size_t size) {
    size_t bytes = whole(size);
    void *block = bytes != 0 ? map_aligned(bytes, PROT_READ | PROT_WRITE) : NULL;
    if (block != NULL) (void)madvise(block, bytes, MADV_HUGEPAGE); /* advice only: a refusal costs speed */
    return block;
}

static void *large_resize(void *block, size_t old_size, size_t new_size) {
    size_t from = whole(old_size), to = whole(new_size);
    if (to == 0) return NULL;
    if (from == to) return block;
    if (mremap(block, from, to, 0) != MAP_FAILED) return block;
    void *target = map_aligned(to, PROT_NONE);
    if (target == NULL) return NULL;
    void *moved = mremap(block, from, to, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    if (moved != MAP_FAILED) return moved;
    (void)munmap(target, to);
    return NULL;
}

static void large_release(void *block, size_t size) {
    (void)munmap(block, whole(size));
}
#else
static void *large_allocate(size_t size) {
    return malloc(size);
}
static void *large_resize(void *block, size_t old_size, size_t new_size) {
    (void)old_size;
    return realloc(block, new_size);
}
static void large_release(void *block, size_t size) {
    (void)size;
    free(block);
}
#endif

/* ---- the default allocator ---------------------------------------------------------------------------------------- */

static void *default_allocate(void *state, size_t size) {
    (void)state;
    return size < HUGE_FROM ? malloc(size != 0 ? size : 1) : large_allocate(size);
}

static void default_release(void *state, void *block, size_t size) {
    (void)state;
    if (size < HUGE_FROM)
        free(block);
    else
        large_release(block, size);
}

static void *default_resize(void *state, void *block, size_t old_size, size_t new_size) {
    if (old_size < HUGE_FROM && new_size < HUGE_FROM) return realloc(block, new_size != 0 ? new_size : 1);
    if (old_size >= HUGE_FROM && new_size >= HUGE_FROM) return large_resize(block, old_size, new_size);
    void *moved = default_allocate(state, new_size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    default_release(state, block, old_size);
    return moved;
}

struct vf_allocator vf__default_allocator(void) {
    return (struct vf_allocator){
        .allocate = default_allocate, .resize = default_resize, .release = default_release};
}

static uint32_t core_count(void) {
#if defined(_SC_NPROCESSORS_ONLN)
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (n > 0) return n > 256 ? 256u : (uint32_t)n;
#endif
    return 1;
}

struct vf_context vf__context(const struct vf_context *ctx) {
    struct vf_context out = {0};
    if (ctx != NULL) out = *ctx;
    if (out.allocator.allocate == NULL) out.allocator = vf__default_allocator();
    if (out.n_threads == 0) out.n_threads = core_count();
    return out;
}

/* An empty block is asked for, and given back, as one byte: the allocator is told the same size both times. */
static size_t at_least_one(size_t bytes) {
    return bytes != 0 ? bytes : 1;
}

void *vf__alloc(const struct vf_context *ctx, size_t count, size_t size) {
    size_t bytes = 0;
    if (!vf__mul_size(count, size, &bytes)) return NULL;
    return ctx->allocator.allocate(ctx->allocator.state, at_least_one(bytes));
}

void *vf__zalloc(const struct vf_context *ctx, size_t count, size_t size) {
    void *block = vf__alloc(ctx, count, size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

void *vf__resize(const struct vf_context *ctx, void *block, size_t old_count, size_t new_count, size_t size) {
    size_t bytes = 0;
    if (block == NULL) return vf__alloc(ctx, new_count, size);
    if (!vf__mul_size(new_count, size, &bytes)) return NULL;
    return ctx->allocator.resize(ctx->allocator.state, block, at_least_one(old_count * size),
                                 at_least_one(bytes));
}

void vf__free(const struct vf_context *ctx, void *block, size_t count, size_t size) {
    if (block != NULL) ctx->allocator.release(ctx->allocator.state, block, at_least_one(count * size));
}

#if defined(__linux__)
#ifndef MADV_POPULATE_WRITE /* Linux 5.14; older ones refuse it */
#define MADV_POPULATE_WRITE 23
#endif
#define TOUCH_PAGE ((uintptr_t)4096)
#define TOUCH_FROM ((size_t)VF__SIZED(1 << 16, 1 << 12, 1 << 16))

void vf__touch(void *block, size_t bytes) {
    if (bytes < TOUCH_FROM) return;
    uintptr_t from = ((uintptr_t)block + TOUCH_PAGE - 1) & ~(TOUCH_PAGE - 1);
    uintptr_t to = ((uintptr_t)block + bytes) & ~(TOUCH_PAGE - 1);
    if (to > from) (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE); /* refused: pages come as they are met */
}
#else
void vf__touch(void *block, size_t bytes) {
    (void)block, (void)bytes;
}
#endif

char *vf__text_copy(const struct vf_context *ctx, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = vf__alloc(ctx, bytes, 1);
    if (copy != NULL) memcpy(copy, text, bytes);
    return copy;
}

void vf__text_free(const struct vf_context *ctx, char *text) {
    if (text != NULL) vf__free(ctx, text, strlen(text) + 1, 1);
}
