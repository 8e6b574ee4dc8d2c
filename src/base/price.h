/* What a price is. Not for what is done with one, and not for what a column's type makes of it: vf__read_prices
   knows of that. */
#ifndef VF_BASE_PRICE_H
#define VF_BASE_PRICE_H

#include <stdbool.h>

/* From here on a number says that there is no price: vendors write DBL_MAX. */
#define VF__NO_PRICE 1e300

/* Finite, above zero, and below 1e300. */
static inline bool vf__is_price(double price) {
    return price > 0 && price < VF__NO_PRICE;
}

#endif
