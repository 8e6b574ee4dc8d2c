/* Days of the calendar that all use, as numbers and as text.
   Not for trading days: calendar.h. */
#ifndef VF_CLOCK_DATES_H
#define VF_CLOCK_DATES_H

#include "base/base.h"

/* 0001-01-01 and 9999-12-31. */
#define VF__FIRST_DAY (-719162)
#define VF__LAST_DAY 2932896

/* Days since 1970-01-01 of a day that exists, of years 1 to 9999. */
bool vf__day_from_ymd(int64_t year, int64_t month, int64_t day, int32_t *out);
/* "2024-10-01": 10 bytes and a NUL. */
void vf__day_text(int32_t day, char out[16]);
/* "YYYYMMDD" or "YYYY-MM-DD". */
bool vf__day_from_text(const uint8_t *text, size_t length, int32_t *out);

#endif
