/* Agg: the library's object as a Python type, one method a C function.
   Not for choices: defaults, names and checks of options are the face's, checks of data the library's. */
#include "object.h"

#include "memory.h"

#include <stdlib.h>

struct agg_object {
    PyObject_HEAD struct vf_agg *agg;
    size_t n_keys, n_values, n_leaves;
};

#define LEAVES_MAX 1024

static PyObject *agg_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"leaves", "n_keys", "n_values", "n_threads", NULL};
    struct vf_error err = {0};
    PyObject *list;
    unsigned n_keys, n_values, n_threads;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OIII", names, &list, &n_keys, &n_values, &n_threads))
        return NULL;
    Py_ssize_t n = length_of(list, "leaves", LEAVES_MAX);
    if (n < 0) return NULL;
    struct vf_leaves {
        struct vf_agg_leaf items[LEAVES_MAX];
    } *leaves = calloc(1, sizeof *leaves);
    struct agg_object *self = leaves != NULL ? allocate_object(type) : NULL;
    if (leaves == NULL) return PyErr_NoMemory();
    bool ok = self != NULL;
    for (Py_ssize_t i = 0; ok && i < n; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        int op = 0;
        ok = item != NULL &&
             PyArg_ParseTuple(item, "iIs|II", &op, &leaves->items[i].value, &leaves->items[i].name,
                              &leaves->items[i].more[0], &leaves->items[i].more[1]);
        leaves->items[i].op = (enum vf_agg_op)op;
        Py_XDECREF(item); /* the list keeps it, and its name */
    }
    if (ok) {
        struct vf_context ctx = extension_context(n_threads);
        self->n_keys = n_keys;
        self->n_values = n_values;
        self->n_leaves = (size_t)n;
        ok = vf_agg_open(&ctx, leaves->items, (size_t)n, n_keys, n_values, &self->agg, &err) == VF_OK;
        if (!ok) raise_error(&err);
    }
    free(leaves);
    if (!ok) Py_CLEAR(self);
    return (PyObject *)self;
}

static void agg_dealloc(PyObject *self) {
    vf_agg_close(((struct agg_object *)self)->agg);
    free_object(self);
}

PyDoc_STRVAR(agg_update_doc, "update($self, keys, values, n_rows, /)\n--\n\nAdd rows.");

static PyObject *agg_update(PyObject *self, PyObject *args) {
    struct agg_object *object = (struct agg_object *)self;
    struct rows_in rows;
    struct vf_error err = {0};
    enum vf_status status;
    if (!rows_in_new(args, "update", object->n_keys, object->n_values, &rows)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_agg_update(object->agg, rows.keys.series, rows.values.series, rows.n_rows, &err);
    rows_in_free(&rows);
    Py_END_ALLOW_THREADS;
    return none_or_error(status, &err);
}

PyDoc_STRVAR(agg_number_doc, "number($self, keys, values, n_rows, /)\n--\n\n"
                             "The number of each row's group, as finish gives groups; there are no values.");

static PyObject *agg_number(PyObject *self, PyObject *args) {
    struct agg_object *object = (struct agg_object *)self;
    struct rows_in rows;
    struct vf_error err = {0};
    struct vf_column out = {0};
    enum vf_status status;
    if (!rows_in_new(args, "number", object->n_keys, object->n_values, &rows)) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = vf_agg_number(object->agg, rows.keys.series, rows.n_rows, &out, &err);
    rows_in_free(&rows);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, &out, 1, &err);
    PyObject *column = list != NULL ? PySequence_GetItem(list, 0) : NULL;
    Py_XDECREF(list);
    return column;
}

typedef enum vf_status agg_give(struct vf_agg *agg, struct vf_column *out, struct vf_error *err);

static PyObject *give_columns(PyObject *self, agg_give *give, size_t n) {
    struct vf_error err = {0};
    struct vf_column *out = calloc(n + 1, sizeof *out);
    if (out == NULL) return PyErr_NoMemory();
    enum vf_status status;
    Py_BEGIN_ALLOW_THREADS;
    status = give(((struct agg_object *)self)->agg, out, &err);
    Py_END_ALLOW_THREADS;
    PyObject *list = columns_or_error(self, status, out, n, &err);
    free(out);
    return list;
}

static PyObject *agg_finish(PyObject *self, PyObject *unused) {
    struct agg_object *object = (struct agg_object *)self;
    (void)unused;
    return give_columns(self, vf_agg_finish, object->n_keys + object->n_leaves);
}

static PyObject *agg_states(PyObject *self, PyObject *unused) {
    (void)unused;
    return give_columns(self, vf_agg_states, vf_agg_state_columns(((struct agg_object *)self)->agg));
}

static PyObject *agg_groups(PyObject *self, PyObject *unused) {
    (void)unused;
    return PyLong_FromLongLong(vf_agg_groups(((struct agg_object *)self)->agg));
}

static PyMethodDef agg_methods[] = {
    {"update", agg_update, METH_VARARGS, agg_update_doc},
    {"number", agg_number, METH_VARARGS, agg_number_doc},
    {"finish", agg_finish, METH_NOARGS, "Columns: the keys, then the leaves."},
    {"states", agg_states, METH_NOARGS,
     "Columns: the keys, then the leaves' states, to be stored and merged."},
    {"groups", agg_groups, METH_NOARGS, "Groups so far."},
    {NULL, NULL, 0, NULL}};

OBJECT_TYPE(agg, "Agg", "Grouped states: see vf_agg_open.");
