/* Repeats the values of rows by counts: what makes an expanded frame out of a frame and its pieces.
   Not for Arrow arrays: a kernel gets one stretch of rows and one stretch of output. */
#ifndef VF_ARROW_REPEAT_H
#define VF_ARROW_REPEAT_H

#include "base/base.h"

/* Every kernel: row i of n is given counts[i] times, of which row 0 has had `skip` already; no more than `room` are
   given. Returns how many were. Nothing is written past them. */
int64_t vf__repeat_fixed(uint32_t width, const uint8_t *values, const uint32_t *counts, int64_t n,
                         uint32_t skip, uint8_t *out, int64_t room);

/* Views (16 bytes); those of more than 12 bytes of text have `shift` added to their buffer number. Where `valid` (a
   bitmap from bit `first`, or NULL) has a 0, the view is empty. -1 for a number that is none of n_buffers: it would name
   another chunk's text. */
int64_t vf__repeat_views(const uint8_t *views, const uint8_t *valid, int64_t first, uint32_t n_buffers, uint32_t shift,
                         const uint32_t *counts, int64_t n, uint32_t skip, uint8_t *out, int64_t room);

/* Dictionary keys of `width` bytes, each replaced by keys[key]; 0 where `valid` has a 0. -1 for a key that is none of
   n_keys. */
int64_t vf__repeat_keys(uint32_t width, const uint8_t *values, const uint8_t *valid, int64_t first,
                        const uint32_t *keys, size_t n_keys, const uint32_t *counts, int64_t n, uint32_t skip,
                        uint8_t *out, int64_t room);

/* Bits, put behind one another; whole words go out as they are full. */
struct vf__bit_writer {
    uint8_t *out;
    uint64_t word;
    unsigned used; /* bits of word */
};
/* bits NULL: all ones. */
int64_t vf__repeat_bits(const uint8_t *bits, int64_t first, const uint32_t *counts, int64_t n, uint32_t skip,
                        struct vf__bit_writer *writer, int64_t room);
void vf__bits_flush(struct vf__bit_writer *writer);

#endif
