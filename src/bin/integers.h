/* Checked arithmetic of whole numbers: an int64 that is right, or the row where there is none. Plain arrays.
   Not for sums over rows (agg/), and not for Arrow: api_integers.c reads and builds. */
#ifndef VF_BIN_INTEGERS_H
#define VF_BIN_INTEGERS_H

#include "base/base.h"

/* out[i] = a[i] op b[i] where ok[i] is 1 (b is not read for VF_INTEGER_NEG and VF_INTEGER_ABS). ok[i] becomes 0 where the
   divisor is 0. Returns the number of results that do not fit int64 (out is 0 there), or that have a negative exponent;
   *first is the first of them. */
int64_t vf__integers(enum vf_integer_op op, const int64_t *a, const int64_t *b, int64_t n, int64_t *out,
                     uint8_t *ok, int64_t *first);

#endif
