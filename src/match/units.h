/* Quantities that are no whole numbers, made whole: floats as units of a decimal place. Not for matching them. */
#ifndef VF_MATCH_UNITS_H
#define VF_MATCH_UNITS_H

#include "base/base.h"

#define VF__PLACES 9 /* at most, behind the point */

/* How a column's quantities are given: whole numbers, floats (of 4 bytes: single), or decimals. */
enum vf__amounts { VF__AMOUNTS_WHOLE, VF__AMOUNTS_SINGLE, VF__AMOUNTS_DOUBLE, VF__AMOUNTS_DECIMAL };

static inline bool vf__amounts_float(enum vf__amounts amounts) {
    return amounts == VF__AMOUNTS_SINGLE || amounts == VF__AMOUNTS_DOUBLE;
}

/* The float x > 0 as *units of 10^-*place: the fewest places, of VF__PLACES at most, where x is the closest float to
   that decimal, or its neighbour and the decimal has digits to spare. False: there are none, or too many units. */
bool vf__units_of(double x, bool single, unsigned *place, uint64_t *units);

/* Whether x is that many units to the last bit, as 8388607.5 is and 0.1 is not. */
bool vf__units_exact(double x, unsigned place, uint64_t units);

/* Units of 10^-place, below 2^63, as the closest double; of single, the one that rounds to the closest float. */
double vf__units_double(uint64_t units, unsigned place, bool single);

/* One in the last place of x >= 0, as a float of its size. */
double vf__ulp(double x, bool single);

#endif
