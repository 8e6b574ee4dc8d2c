/* Lists of rows, put in time order.
   Not for the rows' values: a list holds row numbers only. */
#ifndef VF_STORE_ROWS_H
#define VF_STORE_ROWS_H

#include "base/base.h"

/* Sorts row numbers by key[row], stable; scratch has room for n. Costs one pass where they are in order. */
void vf__rows_sort(const int64_t *key, uint32_t *rows, uint32_t *scratch, size_t n);

#endif
