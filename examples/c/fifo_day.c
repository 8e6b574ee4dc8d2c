/* A day of seven rows matched first in, first out: which entry each exit closed, how long it was held and what it
   made. Uses the public header only; the columns are plain C arrays with Arrow's layout around them. */
#include <vizflow/vizflow.h>

#include <inttypes.h>
#include <stdio.h>

enum { ROWS = 7 };

/* A column of fixed-width values. It must not move once `series` points into it. */
struct column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct ArrowArray *chunk;
    const void *buffers[3];
    struct vf_series series;
};

static const struct vf_series *wrap(struct column *c, const char *format, const char *name,
                                    const void *values) {
    *c = (struct column){.schema = {.format = format, .name = name}, .buffers = {NULL, values}};
    c->array = (struct ArrowArray){.length = ROWS, .n_buffers = 2, .buffers = c->buffers};
    c->chunk = &c->array;
    c->series = (struct vf_series){.schema = &c->schema, .chunks = &c->chunk, .n_chunks = 1};
    return &c->series;
}

/* Text has a third buffer: text i is bytes offsets[i] to offsets[i + 1] of data. */
static const struct vf_series *wrap_text(struct column *c, const char *name, const int32_t *offsets,
                                         const char *data) {
    (void)wrap(c, "u", name, offsets);
    c->buffers[2] = data;
    c->array.n_buffers = 3;
    return &c->series;
}

static int is_known(const struct vf_column *c, int64_t i) {
    const uint8_t *bits = c->array.buffers[0];
    return bits == NULL || (bits[i / 8] >> i % 8 & 1);
}

/* Five columns were asked for; they come lowest bit first: entry id, quantity, holding period, closed, markout. */
static void print_pieces(const uint32_t *counts, const struct vf_column *out) {
    const uint32_t *entry = out[0].array.buffers[1];
    const int64_t *quantity = out[1].array.buffers[1], *holding = out[2].array.buffers[1];
    const uint8_t *closed = out[3].array.buffers[1];
    const double *markout = out[4].array.buffers[1];
    int64_t piece = 0; /* the pieces of row 0, then those of row 1, ...: counts[row] of them each */
    printf("row  entry_id   qty  holding_s  closed  close_markout\n");
    for (int64_t row = 0; row < ROWS; row++)
        for (uint32_t k = 0; k < counts[row]; k++, piece++) {
            printf("%3" PRId64, row);
            is_known(&out[0], piece) ? printf("%10" PRIu32, entry[piece]) : printf("%10s", "null");
            is_known(&out[1], piece) ? printf("%6" PRId64, quantity[piece]) : printf("%6s", "null");
            is_known(&out[2], piece) ? printf("%11" PRId64, holding[piece]) : printf("%11s", "null");
            const char *word = closed[piece / 8] >> piece % 8 & 1 ? "true" : "false";
            printf("%8s", is_known(&out[3], piece) ? word : "null");
            is_known(&out[4], piece) ? printf("%15.6f\n", markout[piece]) : printf("%15s\n", "null");
        }
}

int main(void) {
    /* B buys and opens, S sells and closes, C is a cancel: no trade, so it stays as it is. */
    const char sides_data[] = "BBSSBCS";
    const int32_t sides_offsets[ROWS + 1] = {0, 1, 2, 3, 4, 5, 6, 7};
    const int64_t seconds[ROWS] = {0, 60, 100, 160, 200, 210, 260};
    const int64_t quantities[ROWS] = {100, 50, 120, 80, 40, 10, 10};
    const double prices[ROWS] = {10.00, 10.10, 10.20, 9.90, 10.05, 10.00, 10.25};
    const int32_t symbols[ROWS] = {600519, 600519, 600519, 600519, 600519, 600519, 600519};
    struct column symbol, time, side, quantity, price;
    const struct vf_series *when = wrap(&time, "l", "elapsed_seconds", seconds);
    const struct vf_fifo_batch batch = {.keys = wrap(&symbol, "i", "symbol", symbols),
                                        .n_keys = 1,
                                        .sort = when,
                                        .time = when,
                                        .side = wrap_text(&side, "order_side", sides_offsets, sides_data),
                                        .quantity = wrap(&quantity, "l", "order_filled_qty", quantities),
                                        .price = wrap(&price, "g", "fill_price", prices)};
    const struct vf_side sides[] = {{.text = "B", .length = 1, .entry = true},
                                    {.text = "S", .length = 1, .entry = false}};
    const unsigned columns =
        VF_FIFO_ENTRY_ID | VF_FIFO_QTY | VF_FIFO_HOLDING | VF_FIFO_CLOSED | VF_FIFO_CLOSE_MARKOUT;
    const struct vf_fifo_options options = {
        .sides = sides, .n_sides = 2, .rows = VF_FIFO_BOTH, .columns = columns};

    /* Learn the rows (in as many batches as they come), match them, and bring the rows again to take their pieces, here
       all at once. Each step says whether it worked; the message names the column, the row and what would have been accepted. */
    struct vf_fifo *fifo = NULL;
    struct vf_column out[5] = {{{0}, {0}}};
    struct vf_error error;
    uint32_t counts[ROWS];
    enum vf_status status = vf_fifo_open(NULL, &options, &fifo, &error);
    if (status == VF_OK) status = vf_fifo_update(fifo, &batch, &error);
    if (status == VF_OK) status = vf_fifo_match(fifo, &error);
    if (status == VF_OK) status = vf_fifo_emit(fifo, &batch, 0, ROWS, columns, counts, out, &error);
    if (status == VF_OK)
        print_pieces(counts, out);
    else
        fprintf(stderr, "%s: %s\n", vf_status_name(status), error.message);
    for (int i = 0; i < 5; i++)
        vf_column_release(
            &out[i]); /* what the library gave; columns that were never given are fine as well */
    vf_fifo_close(fifo);
    return status == VF_OK ? 0 : 1;
}
