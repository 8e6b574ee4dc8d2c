/* The extension's allocator: the library's default one, with large blocks kept for the next batch.
   A day goes through in hundreds of batches of the same size; without this, a tenth of the time went into the kernel
   zeroing the pages of blocks that had just been given back. Not for small blocks, and not for the C library, which
   takes its allocator from the caller. */
#include "pool.h"

#include "base/base.h"

#include <pthread.h>

#define LARGE_FROM ((size_t)256 << 10)
#define LARGE_TO ((size_t)64 << 20)  /* larger ones are not batches */
#define KEPT_MAX ((size_t)192 << 20) /* bytes kept in all */
#define CLASSES 40                   /* four to a doubling of size */

/* The one piece of state of the extension: it belongs to the process, as malloc's own does. */
static struct {
    pthread_mutex_t lock;
    void *first[CLASSES]; /* of the blocks kept: each names the next one in its first bytes */
    size_t kept;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Sizes are rounded up to 4, 5, 6 or 7 eighths of a power of two, so that batches of nearly the same size share. */
static size_t class_size(size_t size, unsigned *class) {
    size_t step = LARGE_FROM / 4, top = LARGE_FROM;
    *class = 0;
    while (top * 2 <= size) {
        top *= 2;
        step *= 2;
        *class += 4;
    }
    size_t over = (size - top + step - 1) / step;
    *class += (unsigned)over;
    return top + over * step;
}

static bool is_pooled(size_t size) {
    return size >= LARGE_FROM && size <= LARGE_TO;
}

static void *pool_allocate(void *state, size_t size) {
    (void)state;
    struct vf_allocator plain = vf__default_allocator();
    if (!is_pooled(size)) return plain.allocate(NULL, size);
    unsigned class;
    size_t rounded = class_size(size, &class);
    void *block = NULL;
    (void)pthread_mutex_lock(&pool.lock);
    block = pool.first[class];
    if (block != NULL) {
        memcpy(&pool.first[class], block, sizeof block);
        pool.kept -= rounded;
    }
    (void)pthread_mutex_unlock(&pool.lock);
    return block != NULL ? block : plain.allocate(NULL, rounded);
}

static void pool_release(void *state, void *block, size_t size) {
    struct vf_allocator plain = vf__default_allocator();
    (void)state;
    if (is_pooled(size)) {
        unsigned class;
        size = class_size(size, &class);
        (void)pthread_mutex_lock(&pool.lock);
        if (pool.kept + size <= KEPT_MAX) {
            memcpy(block, &pool.first[class], sizeof block);
            pool.first[class] = block;
            pool.kept += size;
            block = NULL;
        }
        (void)pthread_mutex_unlock(&pool.lock);
    }
    if (block != NULL) plain.release(NULL, block, size);
}

/* What the default allocator is told of a block: pooled ones are rounded up, so that it is always the same. */
static size_t told_size(size_t size) {
    unsigned class;
    return is_pooled(size) ? class_size(size, &class) : size;
}

static void *pool_resize(void *state, void *block, size_t old_size, size_t new_size) {
    struct vf_allocator plain = vf__default_allocator();
    size_t from = told_size(old_size), to = told_size(new_size);
    (void)state;
    return from == to ? block : plain.resize(NULL, block, from, to);
}

struct vf_context pool_context(uint32_t n_threads) {
    return (struct vf_context){
        .allocator = {.allocate = pool_allocate, .resize = pool_resize, .release = pool_release},
        .n_threads = n_threads};
}
