/* Asof: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <stdlib.h>

struct asof_object {
    PyObject_HEAD struct vf_asof *asof;
    size_t n_horizons;
};

static PyObject *asof_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"horizons_ns", "method", "tolerance_ns", "end_ns", "strict",
                            "past_last",   "unique", "n_threads",    NULL};
    struct vf_asof_options options = {0};
    struct vf_error err = {0};
    int64_t horizons[HORIZONS_MAX];
    PyObject *list;
    int method, strict, past_last, unique;
    long long tolerance, end;
    unsigned n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OiLLpppI", names, &list, &method, &tolerance, &end,
                                     &strict, &past_last, &unique, &n_threads))
        return NULL;
    if (!read_horizons(list, horizons, &options.n_horizons)) return NULL;
    options.horizons_ns = horizons;
    options.method = (enum vf_mark_method)method;
    options.tolerance_ns = tolerance;
    options.end_ns = end;
    options.strict = strict != 0;
    options.past_last = past_last != 0;
    options.unique = unique != 0;
    struct vf_context ctx = extension_context(n_threads);
    struct asof_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    self->n_horizons = options.n_horizons;
    return opened(self, vf_asof_open(&ctx, &options, &self->asof, &err), &err);
}

static void asof_dealloc(PyObject *self) {
    vf_asof_close(((struct asof_object *)self)->asof);
    free_object(self);
}

/* (time | None, key, ...) */
static bool asof_batch(const struct columns_in *in, struct vf_asof_batch *batch) {
    if (in->n < 1) return false;
    *batch = (struct vf_asof_batch){
        .keys = in->series + 1, .n_keys = in->n - 1, .time = in->items[0] != NULL ? &in->series[0] : NULL};
    return true;
}

static bool asof_columns(PyObject *sequence, struct columns_in *in, struct vf_asof_batch *batch) {
    if (!columns_in_new(sequence, in)) return false;
    if (asof_batch(in, batch)) return true;
    return refuse_columns(in, "a batch is (time, key, ...)") != NULL;
}

static PyObject *asof_observe(PyObject *self, PyObject *sequence) {
    struct columns_in in;
    struct vf_asof_batch batch;
    struct vf_error err = {0};
    enum vf_status status;
    if (!asof_columns(sequence, &in, &batch)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_observe(((struct asof_object *)self)->asof, &batch, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *asof_finish(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    enum vf_status status;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_finish(((struct asof_object *)self)->asof, &err);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *asof_find(PyObject *self, PyObject *sequence) {
    struct asof_object *object = (struct asof_object *)self;
    struct columns_in in;
    struct vf_asof_batch batch;
    struct vf_error err = {0};
    if (!asof_columns(sequence, &in, &batch)) return NULL;
    struct vf_column *out = calloc(object->n_horizons + 1, sizeof *out);
    if (out == NULL) {
        columns_in_free(&in);
        return PyErr_NoMemory();
    }
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_asof_find(object->asof, &batch, out, &err);
    columns_in_free(&in);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, out, object->n_horizons, &err);
    free(out);
    return list;
}

static PyMethodDef asof_methods[] = {
    {"observe", asof_observe, METH_O, "Rows to look up in: (time | None, key, ...)."},
    {"finish", asof_finish, METH_NOARGS, "Bring the observations together."},
    {"find", asof_find, METH_O, "Row numbers for rows (time | None, key, ...), a column a horizon."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(asof, "Asof", "Rows of one frame found for another's: see vf_asof_open.");
