/* What is held at the end, as Arrow columns. Not for pieces: api_emit.c. */
#include "arrow/build.h"
#include "match/api_fifo.h"

#include <math.h>

enum { ROW, LOT, QTY, SHORT, PRICE };

_Static_assert(PRICE + 1 == VF_FIFO_N_REST_COLUMNS, "a name a column");

struct rests {
    const struct vf_fifo *fifo;
    struct vf_column made[VF_FIFO_N_REST_COLUMNS];
    void *values[VF_FIFO_N_REST_COLUMNS];
    uint8_t *valid[VF_FIFO_N_REST_COLUMNS];
};

static enum vf_status make_columns(struct rests *r, struct vf_error *err) {
    const struct vf__fifo_known *quantity = &r->fifo->known[VF__FIFO_QUANTITY];
    const struct {
        const char *name, *format;
        uint32_t width;
        bool nullable;
    } columns[VF_FIFO_N_REST_COLUMNS] = {[ROW] = {"row", "I", 4, true},
                                         [LOT] = {"lot", "I", 4, true},
                                         [QTY] = {"qty", quantity->format, quantity->type.width, false},
                                         [SHORT] = {"short", "b", 0, false},
                                         [PRICE] = {"price", "g", 8, true}};
    enum vf_status status = VF_OK;
    for (int c = 0; c < VF_FIFO_N_REST_COLUMNS && status == VF_OK; c++)
        status = vf__column_new(&r->fifo->ctx, columns[c].format, columns[c].name, (int64_t)r->fifo->rests.n,
                                columns[c].width, columns[c].nullable, &r->made[c], &r->values[c], &r->valid[c], err);
    return status;
}

static void fill(const struct rests *r, size_t i) {
    const struct vf_fifo *fifo = r->fifo;
    const struct vf__rest *rest = &fifo->rests.data[i];
    bool is_row = rest->opener < fifo->n_rows;
    uint32_t row = 0, lot = 0;
    if (is_row)
        row = rest->opener;
    else
        lot = ((const struct vf__fifo_lot *)fifo->lot_amount.data)[rest->opener - (size_t)fifo->n_rows].row;
    memcpy((uint8_t *)r->values[ROW] + 4 * i, &row, sizeof row);
    memcpy((uint8_t *)r->values[LOT] + 4 * i, &lot, sizeof lot);
    vf__bit_clear(r->valid[is_row ? LOT : ROW], (int64_t)i);
    vf__fifo_put_quantity(fifo, rest->quantity & ~VF__EXIT_SIDE, r->values[QTY], i);
    if ((rest->quantity & VF__EXIT_SIDE) != 0) vf__bit_set(r->values[SHORT], (int64_t)i);
    double price = fifo->price.data != NULL ? ((const double *)fifo->price.data)[rest->opener] : (double)NAN;
    if (price != price) vf__bit_clear(r->valid[PRICE], (int64_t)i);
    price = price == price ? price : 0;
    memcpy((uint8_t *)r->values[PRICE] + 8 * i, &price, sizeof price);
}

enum vf_status vf_fifo_rests(struct vf_fifo *fifo, struct vf_column *out, struct vf_error *err) {
    if (!fifo->matched || !fifo->rests_kept)
        return vf__fail(err, VF_ERROR_STATE, NULL, -1, "what is held is known only after vf_fifo_match, and where the "
                                                         "options say that it is kept");
    if (out == NULL) return vf__fail(err, VF_ERROR_ARGUMENT, NULL, -1, "nowhere to put the columns");
    struct rests r = {.fifo = fifo};
    enum vf_status status = make_columns(&r, err);
    for (size_t i = 0; status == VF_OK && i < fifo->rests.n; i++)
        fill(&r, i);
    for (int c = 0; c < VF_FIFO_N_REST_COLUMNS; c++) {
        if (status != VF_OK) {
            vf_column_release(&r.made[c]);
            continue;
        }
        vf__column_done(&r.made[c]);
        out[c] = r.made[c];
    }
    return status;
}
