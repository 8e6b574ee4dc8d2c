/* Quantiles: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <stdlib.h>

struct quantiles_object {
    PyObject_HEAD struct vf_quantiles *quantiles;
    size_t n_bins;
};

static PyObject *quantiles_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"n_bins", "method", NULL};
    struct vf_error err = {0};
    unsigned n_bins;
    int method;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ii", names, &n_bins, &method)) return NULL;
    struct vf_context ctx = extension_context(1);
    struct quantiles_object *self = allocate_object(type);
    if (self == NULL) return NULL;
    self->n_bins = n_bins;
    return opened(self, vf_quantiles_open(&ctx, n_bins, (enum vf_quantile_method)method, &self->quantiles, &err), &err);
}

static void quantiles_dealloc(PyObject *self) {
    vf_quantiles_close(((struct quantiles_object *)self)->quantiles);
    free_object(self);
}

static PyObject *quantiles_update(PyObject *self, PyObject *column) {
    struct vf_error err = {0};
    enum vf_status status;
    struct column_in *in = column_in_new(column);
    if (in == NULL) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_quantiles_update(((struct quantiles_object *)self)->quantiles, &in->series, &err);
    column_in_free(in);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

static PyObject *quantiles_pass(PyObject *self, PyObject *unused) {
    struct vf_error err = {0};
    bool more = false;
    (void)unused;
    if (vf_quantiles_pass(((struct quantiles_object *)self)->quantiles, &more, &err) != VF_OK)
        return raise_error(&err);
    return PyBool_FromLong(more);
}

static PyObject *quantiles_cuts(PyObject *self, PyObject *unused) {
    struct quantiles_object *object = (struct quantiles_object *)self;
    struct vf_quantiles_summary summary;
    struct vf_error err = {0};
    (void)unused;
    double *cuts = calloc(object->n_bins, sizeof *cuts);
    if (cuts == NULL) return PyErr_NoMemory();
    PyObject *list = NULL;
    if (vf_quantiles_cuts(object->quantiles, cuts, &summary, &err) != VF_OK)
        raise_error(&err);
    else
        list = PyList_New(0);
    for (size_t i = 0; list != NULL && i + 1 < object->n_bins; i++) {
        PyObject *number = PyFloat_FromDouble(cuts[i]);
        if (number == NULL || PyList_Append(list, number) != 0) Py_CLEAR(list);
        Py_XDECREF(number);
    }
    free(cuts);
    if (list == NULL) return NULL;
    return Py_BuildValue("N(ddLLLL)", list, summary.low, summary.high, (long long)summary.n,
                         (long long)summary.n_null, (long long)summary.n_nan, (long long)summary.n_infinite);
}

static PyMethodDef quantiles_methods[] = {
    {"update", quantiles_update, METH_O, "The next values of a pass."},
    {"end_pass", quantiles_pass, METH_NOARGS, "End a pass; True: another one is needed."},
    {"cuts", quantiles_cuts, METH_NOARGS, "(cuts, (low, high, finite, null, nan, infinite))."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(quantiles, "Quantiles", "Cuts at quantiles: see vf_quantiles_open.");
