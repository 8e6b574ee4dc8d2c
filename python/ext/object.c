/* See object.h. */
#include "object.h"

int add_objects(PyObject *module) {
    PyType_Spec *specs[] = {&fifo_spec,      &mark_spec,     &agg_spec,  &asof_spec, &daily_spec,
                            &quantiles_spec, &calendar_spec, &cube_spec, &file_spec, &order_spec};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[i], NULL);
        int added = type != NULL ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
        Py_XDECREF(type);
        if (added != 0) return -1;
    }
    return 0;
}

PyObject *opened(void *self, enum vf_status status, const struct vf_error *err) {
    if (status == VF_OK) return self;
    Py_DECREF((PyObject *)self);
    return raise_error(err);
}

/* ---- what a method gives ---- */

/* The module that a heap type belongs to, for columns_out. */
static PyObject *module_of(PyObject *self) {
    return PyType_GetModule(Py_TYPE(self));
}

PyObject *none_or_error(enum vf_status status, const struct vf_error *err) {
    if (status != VF_OK) return raise_error(err);
    Py_RETURN_NONE;
}

PyObject *column_or_error(PyObject *self, enum vf_status status, struct vf_column *out,
                          const struct vf_error *err) {
    return status == VF_OK ? column_out(module_of(self), out) : raise_error(err);
}

PyObject *columns_or_error(PyObject *self, enum vf_status status, struct vf_column *out, size_t n,
                           const struct vf_error *err) {
    return status == VF_OK ? columns_out(module_of(self), out, n) : raise_error(err);
}

/* ---- what it takes ---- */

Py_ssize_t length_of(PyObject *list, const char *what, Py_ssize_t most) {
    Py_ssize_t n = PySequence_Size(list);
    if (n <= most) return n;
    PyErr_Format(PyExc_ValueError, "%zd %s; at most %zd are accepted", n, what, most);
    return -1;
}

bool read_horizons(PyObject *list, int64_t horizons[HORIZONS_MAX], size_t *n) {
    Py_ssize_t length = length_of(list, "horizons", HORIZONS_MAX);
    for (Py_ssize_t i = 0; i < length; i++) {
        PyObject *item = PySequence_GetItem(list, i);
        if (item == NULL) return false;
        horizons[i] = PyLong_AsLongLong(item);
        Py_DECREF(item);
        if (PyErr_Occurred()) return false;
    }
    *n = (size_t)length;
    return length >= 0;
}

PyObject *refuse_columns(struct columns_in *in, const char *accepted) {
    columns_in_free(in);
    PyErr_SetString(PyExc_ValueError, accepted);
    return NULL;
}

bool rows_in_new(PyObject *args, const char *who, size_t n_keys, size_t n_values, struct rows_in *out) {
    PyObject *keys, *values;
    long long n_rows;
    *out = (struct rows_in){.n_rows = 0};
    if (!PyArg_ParseTuple(args, "OOL", &keys, &values, &n_rows) || !columns_in_new(keys, &out->keys)) return false;
    if (columns_in_new(values, &out->values)) {
        out->n_rows = n_rows;
        if (out->keys.n == n_keys && out->values.n == n_values) return true;
        PyErr_Format(PyExc_ValueError, "%s takes %zu keys and %zu values", who, n_keys, n_values);
    }
    rows_in_free(out);
    return false;
}

void rows_in_free(struct rows_in *rows) {
    columns_in_free(&rows->keys);
    columns_in_free(&rows->values);
}
