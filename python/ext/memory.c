/* The extension's allocator: large blocks come from where Polars takes its own. It keeps pages for a while, so that a
   batch has those of the batch before it, whoever that was of; asked for from the kernel each time, with a mapping a
   block, the pages of two threads wait for each other.
   Not for small blocks, which malloc keeps as well. */
#include "memory.h"

#include "base/base.h"

#define LARGE_FROM ((size_t)256 << 10)
#define ALIGN ((size_t)64)                    /* as Arrow recommends */
#define LARGEST ((size_t)PTRDIFF_MAX - ALIGN) /* larger sizes are undefined behaviour to an allocator in Rust */

static bool is_large(size_t size) {
    return size >= LARGE_FROM;
}

static void *allocate(void *state, size_t size) {
    const struct polars_allocator *polars = state;
    if (!is_large(size)) return vf__default_allocator().allocate(NULL, size);
    return size <= LARGEST ? polars->allocate(size, ALIGN) : NULL;
}

static void release(void *state, void *block, size_t size) {
    const struct polars_allocator *polars = state;
    if (is_large(size))
        polars->release(block, size, ALIGN);
    else
        vf__default_allocator().release(NULL, block, size);
}

static void *resize(void *state, void *block, size_t old_size, size_t new_size) {
    const struct polars_allocator *polars = state;
    if (!is_large(old_size) && !is_large(new_size))
        return vf__default_allocator().resize(NULL, block, old_size, new_size);
    if (is_large(old_size) && is_large(new_size))
        return new_size <= LARGEST ? polars->resize(block, old_size, ALIGN, new_size) : NULL;
    void *moved = allocate(state, new_size);
    if (moved == NULL) return NULL;
    memcpy(moved, block, old_size < new_size ? old_size : new_size);
    release(state, block, old_size);
    return moved;
}

/* The one piece of state of the extension, set when it is imported. Blocks know theirs by their context. */
static struct vf_allocator taken;

void take_memory_from(const struct polars_allocator *polars) {
    taken = vf__default_allocator();
    if (polars != NULL)
        taken = (struct vf_allocator){
            .state = (void *)polars, .allocate = allocate, .resize = resize, .release = release};
}

struct vf_context extension_context(uint32_t n_threads) {
    if (taken.allocate == NULL) take_memory_from(NULL); /* the plugin without the module: a fuzz target's */
    return (struct vf_context){.allocator = taken, .n_threads = n_threads};
}
