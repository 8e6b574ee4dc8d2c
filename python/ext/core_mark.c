/* Mark: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <stdlib.h>

struct mark_object {
    PyObject_HEAD struct vf_mark *mark;
    size_t n_horizons;
};

static PyObject *mark_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"horizons_ns", "method", "tolerance_ns", "end_ns",
                            "quotes",      "gaps",   "names",        "n_threads", NULL};
    struct vf_mark_options options = {0};
    struct vf_error err = {0};
    int64_t horizons[HORIZONS_MAX];
    PyObject *list;
    int method, quotes, gaps;
    long long tolerance, end;
    const char *texts;
    Py_ssize_t texts_length;
    unsigned n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiLLppy#I", names, &list, &method, &tolerance, &end,
                                     &quotes, &gaps, &texts, &texts_length, &n_threads))
        return NULL;
    size_t n;
    if (!read_horizons(list, horizons, &n)) return NULL;
    options = (struct vf_mark_options){.horizons_ns = horizons,
                                       .n_horizons = n,
                                       .method = (enum vf_mark_method)method,
                                       .tolerance_ns = tolerance,
                                       .end_ns = end,
                                       .quotes = quotes != 0,
                                       .gaps = gaps != 0,
                                       .names = texts};
    struct vf_context ctx = extension_context(n_threads);
    struct mark_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    self->n_horizons = n;
    return opened(self, vf_mark_open(&ctx, &options, &self->mark, &err), &err);
}

static void mark_dealloc(PyObject *self) {
    vf_mark_close(((struct mark_object *)self)->mark);
    free_object(self);
}

/* (time, price, key, key, ...) */
static bool mark_batch(const struct columns_in *in, struct vf_mark_batch *batch) {
    if (in->n < 3) return false;
    *batch = (struct vf_mark_batch){
        .keys = in->series + 2, .n_keys = in->n - 2, .time = &in->series[0], .price = &in->series[1]};
    return true;
}

typedef enum vf_status mark_feed(struct vf_mark *, const struct vf_mark_batch *, struct vf_error *);

static PyObject *feed(PyObject *self, PyObject *sequence, mark_feed *function) {
    struct columns_in in;
    struct vf_mark_batch batch;
    struct vf_error err = {0};
    enum vf_status status;
    if (!columns_in_new(sequence, &in)) return NULL;
    if (!mark_batch(&in, &batch)) return refuse_columns(&in, "a batch is (time, price, key, ...)");
    Py_BEGIN_ALLOW_THREADS;
    status = function(((struct mark_object *)self)->mark, &batch, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *mark_update(PyObject *self, PyObject *sequence) {
    return feed(self, sequence, vf_mark_update);
}
static PyObject *mark_observe(PyObject *self, PyObject *sequence) {
    return feed(self, sequence, vf_mark_observe);
}

static PyObject *mark_finish(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_mark_finish(((struct mark_object *)self)->mark, &err);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

PyDoc_STRVAR(mark_emit_doc,
             "emit($self, first_row, n, again, /)\n--\n\nReturns of n rows, a column a horizon.");

static PyObject *mark_emit(PyObject *self, PyObject *args) {
    struct mark_object *object = (struct mark_object *)self;
    struct columns_in again = {0};
    struct vf_mark_batch batch;
    struct vf_error err = {0};
    PyObject *sequence;
    long long first_row, n;
    if (!PyArg_ParseTuple(args, "LLO", &first_row, &n, &sequence)) return NULL;
    if (sequence != Py_None && !columns_in_new(sequence, &again)) return NULL;
    struct vf_column *out = calloc(object->n_horizons + 1, sizeof *out);
    if (out == NULL) {
        columns_in_free(&again);
        return PyErr_NoMemory();
    }
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_mark_emit(object->mark, again.n > 0 && mark_batch(&again, &batch) ? &batch : NULL, first_row,
                          n, out, &err);
    columns_in_free(&again);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, out, object->n_horizons, &err);
    free(out);
    return list;
}

static PyObject *mark_replayed(PyObject *self, PyObject *unused) {
    struct vf_mark *mark = ((struct mark_object *)self)->mark;
    struct vf_error err = {0};
    (void)unused;
    enum vf_status status = vf_mark_replayed(mark, &err);
    vf_mark_rewind(mark);
    return none_or_error(status, &err);
}

static PyObject *mark_rows(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLongLong(vf_mark_rows(((struct mark_object *)self)->mark));
}

static PyMethodDef mark_methods[] = {
    {"update", mark_update, METH_O, "The next rows to be marked: (time, price, key, ...)."},
    {"observe", mark_observe, METH_O, "Observations to look up in: (time, price, key, ...)."},
    {"finish", mark_finish, METH_NOARGS, "Look everything up."},
    {"emit", mark_emit, METH_VARARGS, mark_emit_doc},
    {"replayed", mark_replayed, METH_NOARGS, "Raise unless the replay has seen every row; then rewind it."},
    {"rows", mark_rows, METH_NOARGS, "Rows learnt."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(mark, "Mark", "Prices at other times: see vf_mark_open.");
