/* Times of day, with their dates where they have them, from what files hold: digits and text.
   Not for columns, and not for sessions. */
#ifndef VF_CLOCK_STAMPS_H
#define VF_CLOCK_STAMPS_H

#include "clock/zone.h"

#define VF__NO_DAY INT32_MIN   /* a time without a date */
#define VF__UNREADABLE (-1)    /* in place of a time: it cannot be read */
#define VF__HAS_ZONE (-2)      /* in place of a time: text that carries a zone */

/* HHMMSS and HHMMSSmmm digits to ns since midnight; VF__UNREADABLE for impossible ones. 240000 is the day's end. */
int64_t vf__time_from_hhmmss(int64_t digits);
int64_t vf__time_from_hhmmssmmm(int64_t digits);

/* YYYYMMDDHHMM, YYYYMMDDHHMMSS and YYYYMMDDHHMMSSmmm digits; a date that does not exist is not readable. */
int64_t vf__time_from_dated(int64_t digits, enum vf_time_layout layout, int32_t *day);

/* The date that was read last, with what separates it from the time: rows mostly share it. */
struct vf__last_date {
    uint8_t text[11];
    size_t length; /* 0: none */
    int32_t day;
};

/* "[date]HH:MM[:SS[.f{1,9}]]". The date is YYYY-MM-DD, YYYY/MM/DD, YYYY.MM.DD or YYYYMMDD, then T, D (kdb+), a space, or
   of YYYYMMDD - (FIX); behind a date HHMM[SS[.f]] is read, too. */
int64_t vf__time_from_text(const uint8_t *text, size_t length, struct vf__last_date *last, int32_t *day);

/* What a value looks like, and the option that would read it: "milliseconds since 1970: give unit=\"ms\"". Of integers
   a static string. */
const char *vf__guess_integer(int64_t value);
void vf__guess_text(const uint8_t *text, size_t length, char *out, size_t size);

#endif
