/* Kernels over one column of doubles: bin numbers, near-integers, the mid of a book.
   Not for quantile cuts of several columns, and not for Arrow: api_bin.c reads and builds. */
#ifndef VF_BIN_BIN_H
#define VF_BIN_BIN_H

#include "base/base.h"

/* out[i] = round_half_even(x[i] / width); ok[i] = 0 where x is not finite or ok[i] was 0 before (out is 0
   then). Returns the number of quotients of 2^53 or more, *first is the first of them. */
int64_t vf__bin_index(const double *x, int64_t n, double width, bool snap, int64_t *out, uint8_t *ok,
                      int64_t *first);

/* out[i] = the nearest integer (0 where ok[i] is), where all of the rows with ok[i] are within that of one and below 2^51;
   else false, and `out` is anything. */
bool vf__near_integers(const double *x, int64_t n, double tolerance, const uint8_t *ok, int64_t *out);

/* out[i] = the nearest integer, as a double (it may lie outside int64). Returns how many of the rows with
   ok[i] are not within min(tolerance * max(1, |x|), max(tolerance, 0.001)) of one, *first is the first of them. */
int64_t vf__near_integer(const double *x, int64_t n, double tolerance, const uint8_t *ok, double *out,
                         int64_t *first);

/* out[i] = (bid + ask) / 2; ok[i] = 0 where either is not finite and positive, or ok[i] was 0 before. */
void vf__mid(const double *bid, const double *ask, int64_t n, double *out, uint8_t *ok);

#endif
