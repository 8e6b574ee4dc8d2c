/* The pickled keyword arguments of a plugin call, whatever bytes they are, and what the plugin's functions make of them.
   Not for the columns of a call, which are sound here: fuzz_arrow.c brings others.

   Input: a byte that picks the function, then the arguments as Polars hands them on. */
#include "../../../python/ext/kwargs.c"
#include "../../../python/ext/polars_abi.c"
#include "../../../python/ext/polars_functions.c"
#include "../../../python/ext/memory.c"
#include "../../../python/ext/tally.c"

#include "fuzz.h"

enum { ROWS = 4 };

typedef void plugin(struct SeriesExport *in, size_t n, const uint8_t *kwargs, size_t length, struct SeriesExport *out,
                    void *context);
typedef void plugin_field(const struct ArrowSchema *in, size_t n, struct ArrowSchema *out, const uint8_t *kwargs,
                          size_t length);

/* formats: of the columns, a letter each: i int64, f float64, t timestamp, d date, s text */
struct function {
    plugin *run;
    plugin_field *field;
    const char *columns;
};
#define FUNCTION(name, columns) {_polars_plugin_##name, _polars_plugin_field_##name, columns}

static const struct function functions[] = {
    FUNCTION(clock_elapsed, "i"),
    FUNCTION(clock_elapsed, "t"),
    FUNCTION(clock_elapsed, "s"),
    FUNCTION(clock_elapsed_on, "td"),
    FUNCTION(clock_elapsed_on, "id"),
    FUNCTION(clock_end_on, "d"),
    FUNCTION(clock_left_on, "fd"),
    FUNCTION(clock_trading_day, "t"),
    FUNCTION(date_parse, "i"),
    FUNCTION(bin_index, "fs"),
    FUNCTION(cast_integer, "f"),
    FUNCTION(cast_float, "i"),
    FUNCTION(integer_one, "i"),
    FUNCTION(integer_two, "ii"),
    FUNCTION(integer_one_where, "ii"),
    FUNCTION(integer_two_where, "iii"),
    FUNCTION(mid, "ff"),
    FUNCTION(price_return, "ff"),
    FUNCTION(side_sign, "s"),
    FUNCTION(side_sign, "i"),
    FUNCTION(cut_index, "fs"),
    FUNCTION(state_mean, "ffii"),
    FUNCTION(state_mean_int, "iii"),
    FUNCTION(state_var, "ffffii"),
    FUNCTION(state_std, "ffffii"),
    FUNCTION(state_cov, "ffffffii"),
    FUNCTION(state_corr, "ffffffffffii"),
    FUNCTION(state_product, "ffi"),
};
#define N_FUNCTIONS (sizeof functions / sizeof functions[0])

/* ---- columns that are sound ---- */

static const int64_t longs[ROWS] = {93000, 0, 113000500, -7};
static const double floats[ROWS] = {1.5, 1e-4, -0.0, 1e300};
static const int64_t stamps[ROWS] = {1727775000000000, 1727740800000000, -1, 1727798400000000};
static const int32_t days[ROWS] = {19997, 0, 19998, -719162};
static const int32_t offsets[ROWS + 1] = {0, 1, 1, 9, 12};
static const char texts[] = "B09:30:00Buy";

struct column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ArrowArray *pointer;
    const void *buffers[3];
};

static void make_column(struct column *c, char kind, struct SeriesExport *out) {
    static const char *const formats[] = {"l", "g", "tsu:", "tdD", "u"};
    static const void *const values[] = {longs, floats, stamps, days, offsets};
    size_t which = (size_t)(strchr("iftds", kind) - "iftds");
    *c = (struct column){.schema = {.format = formats[which], .name = "x", .flags = ARROW_FLAG_NULLABLE},
                         .array = {.length = ROWS, .n_buffers = kind == 's' ? 3 : 2},
                         .buffers = {NULL, values[which], texts}};
    c->array.buffers = c->buffers;
    c->pointer = &c->array;
    *out = (struct SeriesExport){.field = &c->schema, .arrays = &c->pointer, .len = 1};
}

/* ---- what the reader promises ---- */

static void check_kwargs(const uint8_t *data, size_t size) {
    struct kwargs kwargs;
    struct vf_error err = {0};
    enum vf_status status = kwargs_read(data, size, &kwargs, &err);
    check_error(status, &err);
    REQUIRE(kwargs.n <= KWARGS_MAX && kwargs.list_length <= KWARGS_LIST_MAX);
    REQUIRE(status == VF_OK || (status == VF_ERROR_ARGUMENT && kwargs.n == 0));
    for (size_t i = 0; i < kwargs.n; i++) {
        const struct kwarg *item = &kwargs.items[i];
        char name[64], text[8];
        int64_t integer;
        double number;
        const char *view;
        const int64_t *list;
        size_t n;
        REQUIRE(item->key >= data && item->key_length <= (size_t)(data + size - item->key));
        if (item->kind == KWARG_TEXT)
            REQUIRE(item->text >= data && item->text_length <= (size_t)(data + size - item->text));
        if (item->kind == KWARG_LIST)
            REQUIRE(item->list_start <= kwargs.list_length &&
                    item->list_length <= kwargs.list_length - item->list_start);
        if (item->key_length >= sizeof name) continue;
        memcpy(name, item->key, item->key_length);
        name[item->key_length] = '\0';
        check_error(kwargs_int(&kwargs, name, &integer, &err), &err);
        check_error(kwargs_float(&kwargs, name, &number, &err), &err);
        check_error(kwargs_text(&kwargs, name, text, sizeof text, &err), &err);
        check_error(kwargs_view(&kwargs, name, &view, &n, &err), &err);
        check_error(kwargs_list(&kwargs, name, &list, &n, &err), &err);
    }
}

/* Either a column of as many rows, or an error's text. */
static void check_call(const struct function *function, const uint8_t *data, size_t size) {
    struct column columns[INPUTS_MAX];
    struct SeriesExport in[INPUTS_MAX], out = {0};
    struct ArrowSchema schemas[INPUTS_MAX], field = {0};
    size_t n = strlen(function->columns);
    for (size_t i = 0; i < n; i++) {
        make_column(&columns[i], function->columns[i], &in[i]);
        schemas[i] = columns[i].schema;
    }
    last_error[0] = '\0';
    function->field(schemas, n, &field, data, size);
    REQUIRE((field.release != NULL) != (last_error[0] != '\0'));
    last_error[0] = '\0';
    function->run(in, n, data, size, &out, NULL);
    REQUIRE((out.private_data != NULL) != (last_error[0] != '\0'));
    if (out.private_data != NULL) {
        REQUIRE(out.len == 1 && out.arrays[0]->length == ROWS);
        REQUIRE(field.release == NULL || strcmp(field.format, out.field->format) == 0);
        struct ArrowArray array = *out.arrays[0]; /* as Polars does */
        out.release(&out);
        array.release(&array);
    }
    if (field.release != NULL) field.release(&field);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    uint8_t *copy = malloc(size - 1); /* by itself: the byte behind it is no one's */
    REQUIRE(copy != NULL || size == 1);
    if (size > 1) memcpy(copy, data + 1, size - 1);
    check_kwargs(copy, size - 1);
    check_call(&functions[data[0] % N_FUNCTIONS], copy, size - 1);
    free(copy);
    return 0;
}
