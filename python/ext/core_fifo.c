/* Fifo: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <string.h>

struct fifo_object {
    PyObject_HEAD struct vf_fifo *fifo;
};

#define SIDES_MAX 64
#define FIFO_COLUMNS 5 /* before the keys */

/* (value, is_entry) with value str, bytes, int or bool. Texts stay owned by the tuple. */
static bool read_side(PyObject *item, struct vf_side *side) {
    PyObject *value;
    int entry;
    if (!PyArg_ParseTuple(item, "Op", &value, &entry)) return false;
    *side = (struct vf_side){.entry = entry != 0};
    if (PyUnicode_Check(value)) {
        Py_ssize_t length;
        side->text = PyUnicode_AsUTF8AndSize(value, &length);
        side->length = (size_t)length;
        return side->text != NULL;
    }
    side->integer = PyLong_AsLongLong(value);
    return side->integer != -1 || PyErr_Occurred() == NULL;
}

static PyObject *fifo_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"sides", "rows", "on_excess", "columns", "n_threads", "rests", NULL};
    struct vf_side sides[SIDES_MAX];
    struct vf_fifo_options options = {.sides = sides};
    struct vf_error err = {0};
    PyObject *list;
    int rows, on_excess, rests = 0;
    unsigned columns, n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiiII|p", names, &list, &rows, &on_excess, &columns,
                                     &n_threads, &rests))
        return NULL;
    Py_ssize_t n = length_of(list, "side values", SIDES_MAX);
    if (n < 0) return NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        bool ok = item != NULL && read_side(item, &sides[i]);
        Py_XDECREF(item); /* the list keeps it */
        if (!ok) return NULL;
    }
    options.n_sides = (size_t)n;
    options.rows = (enum vf_fifo_rows)rows;
    options.on_excess = (enum vf_excess)on_excess;
    options.columns = columns;
    options.rests = rests != 0;
    struct vf_context ctx = extension_context(n_threads);
    struct fifo_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    return opened(self, vf_fifo_open(&ctx, &options, &self->fifo, &err), &err);
}

static void fifo_dealloc(PyObject *self) {
    vf_fifo_close(((struct fifo_object *)self)->fifo);
    free_object(self);
}

PyDoc_STRVAR(fifo_inventory_doc,
             "inventory($self, columns, /)\n--\n\nLots held at the open: (quantity, price | None, key, ...).");

static PyObject *fifo_inventory(PyObject *self, PyObject *sequence) {
    struct columns_in in;
    struct vf_error err = {0};
    enum vf_status status;
    if (!columns_in_new(sequence, &in)) return NULL;
    if (in.n < 2 || in.items[0] == NULL) return refuse_columns(&in, "inventory takes (quantity, price, key, ...)");
    Py_BEGIN_ALLOW_THREADS;
    status = vf_fifo_inventory(((struct fifo_object *)self)->fifo, in.series + 2, in.n - 2, &in.series[0],
                               in.items[1] != NULL ? &in.series[1] : NULL, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

/* (sort, time, side, quantity, price, key, ...); time None: the sort column; price None: none. */
static bool fifo_batch(const struct columns_in *in, struct vf_fifo_batch *batch) {
    if (in->n < FIFO_COLUMNS || in->items[0] == NULL || in->items[2] == NULL || in->items[3] == NULL) return false;
    *batch = (struct vf_fifo_batch){.keys = in->series + FIFO_COLUMNS,
                                    .n_keys = in->n - FIFO_COLUMNS,
                                    .sort = &in->series[0],
                                    .time = in->items[1] != NULL ? &in->series[1] : &in->series[0],
                                    .side = &in->series[2],
                                    .quantity = &in->series[3],
                                    .price = in->items[4] != NULL ? &in->series[4] : NULL};
    return true;
}

PyDoc_STRVAR(fifo_update_doc, "update($self, columns, /)\n--\n\n"
                              "Learn rows: (sort, time | None, side, quantity, price | None, key, ...).");

static PyObject *fifo_update(PyObject *self, PyObject *sequence) {
    struct columns_in in;
    struct vf_fifo_batch batch;
    struct vf_error err = {0};
    enum vf_status status;
    if (!columns_in_new(sequence, &in)) return NULL;
    if (!fifo_batch(&in, &batch)) return refuse_columns(&in, "a batch is (sort, time, side, quantity, price, key, ...)");
    Py_BEGIN_ALLOW_THREADS;
    status = vf_fifo_update(((struct fifo_object *)self)->fifo, &batch, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

PyDoc_STRVAR(fifo_match_doc, "match($self, /)\n--\n\nMatch all that was learnt; what is doubtful of its sides, or None.");

static PyObject *fifo_match(PyObject *self, PyObject *unused) {
    struct vf_fifo *fifo = ((struct fifo_object *)self)->fifo;
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_fifo_match(fifo, &err);
    Py_END_ALLOW_THREADS;
    const char *doubt = status == VF_OK ? vf_fifo_doubt(fifo) : NULL;
    if (doubt == NULL) return none_or_error(status, &err);
    return PyUnicode_DecodeUTF8(doubt, (Py_ssize_t)strlen(doubt), "replace");
}

PyDoc_STRVAR(fifo_emit_doc, "emit($self, first_row, n, columns, again, /)\n--\n\n"
                            "Pieces of n rows: ([match columns asked for], how many pieces each row has, for expand).");

static PyObject *fifo_emit(PyObject *self, PyObject *args) {
    struct vf_fifo *fifo = ((struct fifo_object *)self)->fifo;
    struct vf_column out[VF_FIFO_N_COLUMNS] = {{{0}, {0}}};
    struct vf_error err = {0};
    struct vf_fifo_batch batch;
    struct columns_in in;
    PyObject *again;
    unsigned columns;
    long long first_row, n;
    if (!PyArg_ParseTuple(args, "LLIO", &first_row, &n, &columns, &again)) return NULL;
    if (n < 0 || (size_t)n > PY_SSIZE_T_MAX / sizeof(uint32_t))
        return PyErr_Format(PyExc_ValueError, "%lld rows", n);
    PyObject *counts = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((size_t)n * sizeof(uint32_t)));
    if (counts == NULL || !columns_in_new(again, &in)) {
        Py_XDECREF(counts);
        return NULL;
    }
    const struct vf_fifo_batch *rows = fifo_batch(&in, &batch) ? &batch : NULL;
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_fifo_emit(fifo, rows, first_row, n, columns, (uint32_t *)(void *)PyBytes_AsString(counts), out, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    size_t n_columns = 0;
    for (unsigned bits = columns; bits != 0; bits &= bits - 1)
        n_columns++;
    PyObject *list = columns_or_error(self, status, out, n_columns, &err);
    if (list != NULL) return Py_BuildValue("NN", list, counts);
    Py_DECREF(counts);
    return NULL;
}

PyDoc_STRVAR(fifo_replayed_doc,
             "replayed($self, /)\n--\n\nRaise unless the replay has seen every row; then rewind it.");

static PyObject *fifo_replayed(PyObject *self, PyObject *unused) {
    struct vf_fifo *fifo = ((struct fifo_object *)self)->fifo;
    struct vf_error err = {0};
    (void)unused;
    enum vf_status status = vf_fifo_replayed(fifo, &err);
    vf_fifo_rewind(fifo);
    return none_or_error(status, &err);
}

PyDoc_STRVAR(fifo_rests_doc, "rests($self, /)\n--\n\nWhat is held at the end: (row, lot, qty, short, price).");

static PyObject *fifo_rests(PyObject *self, PyObject *unused) {
    struct vf_fifo *fifo = ((struct fifo_object *)self)->fifo;
    struct vf_column out[VF_FIFO_N_REST_COLUMNS] = {{{0}, {0}}};
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_fifo_rests(fifo, out, &err);
    Py_END_ALLOW_THREADS;
    return columns_or_error(self, status, out, VF_FIFO_N_REST_COLUMNS, &err);
}

static PyObject *fifo_rewind(PyObject *self, PyObject *unused) {
    (void)unused;
    vf_fifo_rewind(((struct fifo_object *)self)->fifo);
    Py_RETURN_NONE;
}

static PyObject *fifo_rows_in(PyObject *self, PyObject *unused) {
    const struct vf_fifo *fifo = ((struct fifo_object *)self)->fifo;
    (void)unused;
    return Py_BuildValue("(LL)", (long long)vf_fifo_rows_in(fifo), (long long)vf_fifo_trades_in(fifo));
}

static PyObject *fifo_rows_out(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLongLong(vf_fifo_rows_out(((struct fifo_object *)self)->fifo));
}

static PyMethodDef fifo_methods[] = {{"inventory", fifo_inventory, METH_O, fifo_inventory_doc},
                                     {"update", fifo_update, METH_O, fifo_update_doc},
                                     {"match", fifo_match, METH_NOARGS, fifo_match_doc},
                                     {"emit", fifo_emit, METH_VARARGS, fifo_emit_doc},
                                     {"replayed", fifo_replayed, METH_NOARGS, fifo_replayed_doc},
                                     {"rests", fifo_rests, METH_NOARGS, fifo_rests_doc},
                                     {"rewind", fifo_rewind, METH_NOARGS, "Start the replay again."},
                                     {"rows_in", fifo_rows_in, METH_NOARGS, "Rows learnt, and those that are trades."},
                                     {"rows_out", fifo_rows_out, METH_NOARGS, "Rows that emit gives in all."},
                                     {NULL, NULL, 0, NULL}};

OBJECT_TYPE(fifo, "Fifo", "First-in-first-out matching: see vf_fifo_open.");
