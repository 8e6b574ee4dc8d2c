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
#define HUGE_FROM ((size_t)8 << 20)

/* Advice only: a refusal changes nothing but speed. */
static void advise(void *block, size_t size) {
#if defined(__linux__)
    uintptr_t start = ((uintptr_t)block + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = (uintptr_t)block + size;
    if (size >= HUGE_FROM && start < end) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)block;
    (void)size;
#endif
}

static void *default_allocate(void *state, size_t size) {
    (void)state;
    void *block = malloc(size != 0 ? size : 1);
    if (block != NULL) advise(block, size);
    return block;
}

static void *default_resize(void *state, void *block, size_t old_size, size_t new_size) {
    (void)state;
    void *moved = realloc(block, new_size != 0 ? new_size : 1);
    if (moved != NULL && new_size > old_size) advise(moved, new_size);
    return moved;
}

static void default_release(void *state, void *block, size_t size) {
    (void)state;
    (void)size;
    free(block);
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
    if (out.allocator.allocate == NULL) {
        out.allocator.allocate = default_allocate;
        out.allocator.resize = default_resize;
        out.allocator.release = default_release;
        out.allocator.state = NULL;
    }
    if (out.n_threads == 0) out.n_threads = core_count();
    return out;
}

/* An empty block is asked for, and given back, as one byte: the allocator is told the same size both times. */
static size_t at_least_one(size_t bytes) {
    return bytes != 0 ? bytes : 1;
}

void *vf__alloc(const struct vf_context *ctx, size_t count, size_t size) {
    size_t bytes;
    if (!vf__mul_size(count, size, &bytes)) return NULL;
    return ctx->allocator.allocate(ctx->allocator.state, at_least_one(bytes));
}

void *vf__zalloc(const struct vf_context *ctx, size_t count, size_t size) {
    void *block = vf__alloc(ctx, count, size);
    if (block != NULL) memset(block, 0, count * size);
    return block;
}

void *vf__resize(const struct vf_context *ctx, void *block, size_t old_count, size_t new_count, size_t size) {
    size_t bytes;
    if (block == NULL) return vf__alloc(ctx, new_count, size);
    if (!vf__mul_size(new_count, size, &bytes)) return NULL;
    return ctx->allocator.resize(ctx->allocator.state, block, at_least_one(old_count * size),
                                 at_least_one(bytes));
}

void vf__free(const struct vf_context *ctx, void *block, size_t count, size_t size) {
    if (block != NULL) ctx->allocator.release(ctx->allocator.state, block, at_least_one(count * size));
}
