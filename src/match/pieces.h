/* From matches back to rows: the pieces of a batch's rows, in the order of the rows, and columns of them.
   Not for Arrow columns: values come out in plain arrays, bits in plain bitmaps. */
#ifndef VF_MATCH_PIECES_H
#define VF_MATCH_PIECES_H

#include "match/fifo.h"

#define VF__PIECES VF__SIZED(1024, 8, 8192) /* of a block: a multiple of 8, so that blocks share no byte of a bitmap */

/* Pieces in output order. A row that is no trade has neither opener nor closer. */
struct vf__pieces {
    struct vf_context ctx;
    size_t n, room;
    uint32_t *opener, *closer;
    uint64_t *quantity;
    int64_t *held;  /* where times are asked for */
    uint32_t *row;  /* where `rows` */
    uint32_t *word; /* of bare tapes, in place of all these: as there, and VF__NO_PIECE of a row that is no trade */
    bool timed, rows, bare, is_float;
};

#define VF__NO_PIECE 0 /* nothing closed is of quantity zero */

void vf__pieces_init(struct vf__pieces *pieces, const struct vf_context *ctx, bool timed, bool rows);
void vf__pieces_release(struct vf__pieces *pieces);

/* The pieces of a batch's n rows in place of those that were there: row i is row first_row + i of all, and has counts[i].
   A row of no group gives `none` pieces, 0 or 1. *differs: a group has no row left, so that these are not the rows that
   were matched. Then, and when memory is refused, none of them counts as read. */
enum vf_status vf__pieces_read(struct vf__pieces *pieces, struct vf__tapes *tapes, const uint32_t *group, size_t n,
                               uint32_t first_row, uint32_t none, uint32_t *counts, bool *differs,
                               struct vf_error *err);

/* `n` of the pieces, from piece `from` on: not to be released. */
struct vf__pieces vf__pieces_part(const struct vf__pieces *pieces, size_t from, size_t n);

/* n flags of 0 or 1 to bits from bits[0] on; the last byte is filled up with zeros. */
void vf__pack_bits(const uint8_t *flags, size_t n, uint8_t *bits);

/* Columns of a block. Values of nulls are zero. Of bare tapes there are quantities and what is closed. */
void vf__pieces_ids(const struct vf__pieces *pieces, uint32_t n_rows, bool closer, uint32_t *out,
                    uint8_t *valid);
void vf__pieces_closed(const struct vf__pieces *pieces, uint8_t *bits, uint8_t *valid);
void vf__pieces_holding(const struct vf__pieces *pieces, uint32_t n_rows, int64_t *out, uint8_t *valid);

/* Magnitudes as they are (8 bytes), and which are there. */
void vf__pieces_quantity(const struct vf__pieces *pieces, uint64_t *out, uint8_t *valid);

/* What a piece's quantity is: a whole number, the bits of a double, or a decimal, which may be one of `large`. */
struct vf__amount_form {
    bool is_whole, is_float;
    int32_t scale;
    const struct vf__u128 *large;
};
static inline struct vf__u128 vf__amount_u128(const struct vf__amount_form *form, uint64_t magnitude) {
    if ((magnitude & VF__LARGE) != 0 && form->large != NULL) return form->large[magnitude & ~VF__LARGE];
    return (struct vf__u128){.low = magnitude};
}
double vf__amount_double(const struct vf__amount_form *form, uint64_t magnitude);

/* Prices (NaN: none) by row or inventory lot. */
void vf__pieces_price(const struct vf__pieces *pieces, size_t n_prices, const double *price, bool closer,
                      double *out, uint8_t *valid);
void vf__pieces_markout(const struct vf__pieces *pieces, size_t n_prices, const double *price, double *out,
                        uint8_t *valid);
void vf__pieces_pnl(const struct vf__pieces *pieces, size_t n_prices, const double *price,
                    const struct vf__amount_form *form, double *out, uint8_t *valid);

#endif
