/* The context that the extension gives the library: see pool.c.
   Not for the library itself. */
#ifndef VF_EXT_POOL_H
#define VF_EXT_POOL_H

#include "vizflow/vizflow.h"

/* n_threads 0: one a core. */
struct vf_context pool_context(uint32_t n_threads);

#endif
