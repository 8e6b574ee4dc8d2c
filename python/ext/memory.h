/* The context that the extension gives the library: see memory.c.
   Not for the library itself, which takes its allocator from the caller. */
#ifndef VF_EXT_MEMORY_H
#define VF_EXT_MEMORY_H

#include "vizflow/vizflow.h"

/* Polars' own allocator, as the capsule of that name gives it to plugins: sizes and alignments in bytes. */
#define POLARS_ALLOCATOR "polars.polars._allocator"
struct polars_allocator {
    void *(*allocate)(size_t size, size_t align);
    void (*release)(void *block, size_t size, size_t align);
    void *(*allocate_zeroed)(size_t size, size_t align);
    void *(*resize)(void *block, size_t size, size_t align, size_t new_size);
};

/* Takes large blocks from there from now on; NULL: from the library's default allocator. */
void take_memory_from(const struct polars_allocator *polars);

/* n_threads 0: one a core. */
struct vf_context extension_context(uint32_t n_threads);

#endif
