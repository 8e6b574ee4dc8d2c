/* The row loop of rules written in Python: builds each row's dict, calls the rules, gathers what they give.
   Not for types or order: the face brings a symbol's rows in order and checks what comes out. */
#include "convert.h"

struct loop {
    PyObject *names;     /* tuple of str: input columns */
    PyObject *columns;   /* tuple of lists, one a name */
    PyObject *processes; /* tuple of callables */
    PyObject *outputs;   /* tuple of tuples of str, one a callable */
    PyObject *rows;      /* list of int: each row's number in the input, for messages */
    PyObject *state;
    PyObject *values;     /* tuple of lists, one an output column of all the rules, in order */
    PyObject *counts;     /* list of int: output rows of each row */
    Py_ssize_t expanding; /* the rule that gave a list; -1: none yet */
};

static PyObject *row_dict(const struct loop *loop, Py_ssize_t row) {
    PyObject *dict = PyDict_New();
    Py_ssize_t n = PyTuple_Size(loop->names);
    for (Py_ssize_t i = 0; dict != NULL && i < n; i++) {
        PyObject *value = PyList_GetItem(PyTuple_GetItem(loop->columns, i), row); /* borrowed */
        if (value == NULL || PyDict_SetItem(dict, PyTuple_GetItem(loop->names, i), value) != 0)
            Py_CLEAR(dict);
    }
    return dict;
}

static int unknown_keys(PyObject *outputs, PyObject *result, Py_ssize_t row) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(result, &at, &key, &value)) {
        int known = PySequence_Contains(outputs, key);
        if (known < 0) return -1;
        if (known) continue;
        PyErr_Format(PyExc_KeyError,
                     "row %zd: a rule gave the column %R, which is not one of its output_columns %R", row,
                     key, outputs);
        return -1;
    }
    return 0;
}

/* Puts a rule's values into the row; a column it left out is None. */
static int merge(PyObject *dict, PyObject *outputs, PyObject *result, Py_ssize_t row) {
    if (!PyDict_Check(result)) {
        PyErr_Format(PyExc_TypeError, "row %zd: process gave %R; a dict, or a list of dicts, is accepted",
                     row, result);
        return -1;
    }
    Py_ssize_t found = 0, n = PyTuple_Size(outputs);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *name = PyTuple_GetItem(outputs, i);
        PyObject *value = PyDict_GetItemWithError(result, name); /* borrowed */
        if (value == NULL && PyErr_Occurred()) return -1;
        found += value != NULL;
        if (PyDict_SetItem(dict, name, value != NULL ? value : Py_None) != 0) return -1;
    }
    return found == PyDict_Size(result) ? 0 : unknown_keys(outputs, result, row);
}

static int expand(PyObject *dict, PyObject *outputs, PyObject *results, Py_ssize_t row, PyObject *next) {
    Py_ssize_t n = PyList_Size(results);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *copy = PyDict_Copy(dict);
        int failed = copy == NULL || merge(copy, outputs, PyList_GetItem(results, i), row) != 0 ||
                     PyList_Append(next, copy) != 0;
        Py_XDECREF(copy);
        if (failed) return -1;
    }
    return 0;
}

static int may_expand(struct loop *loop, Py_ssize_t rule, Py_ssize_t row) {
    if (loop->expanding < 0) loop->expanding = rule;
    if (loop->expanding == rule) return 0;
    PyErr_Format(PyExc_TypeError, "row %zd: rules %zd and %zd both expand rows; one of an Enricher may", row,
                 loop->expanding, rule);
    return -1;
}

/* One rule over the rows that one input row has become so far; gives the new list. */
static PyObject *apply_rule(struct loop *loop, Py_ssize_t rule, PyObject *current, Py_ssize_t row) {
    PyObject *process = PyTuple_GetItem(loop->processes, rule);
    PyObject *outputs = PyTuple_GetItem(loop->outputs, rule);
    PyObject *next = PyList_New(0);
    Py_ssize_t n = PyList_Size(current);
    for (Py_ssize_t i = 0; next != NULL && i < n; i++) {
        PyObject *dict = PyList_GetItem(current, i);
        PyObject *result = PyObject_CallFunctionObjArgs(process, dict, loop->state, NULL);
        int failed = result == NULL;
        if (!failed && PyList_Check(result))
            failed = may_expand(loop, rule, row) != 0 || expand(dict, outputs, result, row, next) != 0;
        else if (!failed)
            failed = merge(dict, outputs, result, row) != 0 || PyList_Append(next, dict) != 0;
        Py_XDECREF(result);
        if (failed) Py_CLEAR(next);
    }
    return next;
}

static int gather(const struct loop *loop, PyObject *current) {
    Py_ssize_t n = PyList_Size(current), n_rules = PyTuple_Size(loop->outputs);
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *dict = PyList_GetItem(current, i);
        Py_ssize_t column = 0;
        for (Py_ssize_t rule = 0; rule < n_rules; rule++) {
            PyObject *outputs = PyTuple_GetItem(loop->outputs, rule);
            for (Py_ssize_t o = 0; o < PyTuple_Size(outputs); o++, column++) {
                PyObject *value = PyDict_GetItemWithError(dict, PyTuple_GetItem(outputs, o));
                if (value == NULL && PyErr_Occurred()) return -1;
                if (PyList_Append(PyTuple_GetItem(loop->values, column), value != NULL ? value : Py_None) !=
                    0)
                    return -1;
            }
        }
    }
    PyObject *count = PyLong_FromSsize_t(n);
    int failed = count == NULL || PyList_Append(loop->counts, count) != 0;
    Py_XDECREF(count);
    return failed ? -1 : 0;
}

static int run_row(struct loop *loop, Py_ssize_t row) {
    Py_ssize_t number = PyLong_AsSsize_t(PyList_GetItem(loop->rows, row));
    PyObject *dict = row_dict(loop, row);
    PyObject *current = dict != NULL ? PyList_New(0) : NULL;
    if (current != NULL && PyList_Append(current, dict) != 0) Py_CLEAR(current);
    Py_XDECREF(dict);
    for (Py_ssize_t rule = 0; current != NULL && rule < PyTuple_Size(loop->processes); rule++) {
        PyObject *next = apply_rule(loop, rule, current, number);
        Py_DECREF(current);
        current = next;
    }
    int failed = current == NULL || gather(loop, current) != 0;
    Py_XDECREF(current);
    return failed ? -1 : 0;
}

PyObject *run_rows(PyObject *module, PyObject *args) {
    struct loop loop = {0};
    Py_ssize_t start, stop;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!O!O!O!OnnO!O!n", &PyTuple_Type, &loop.names, &PyTuple_Type,
                          &loop.columns, &PyTuple_Type, &loop.processes, &PyTuple_Type, &loop.outputs,
                          &PyList_Type, &loop.rows, &loop.state, &start, &stop, &PyTuple_Type, &loop.values,
                          &PyList_Type, &loop.counts, &loop.expanding))
        return NULL;
    for (Py_ssize_t row = start; row < stop; row++)
        if (run_row(&loop, row) != 0) return NULL;
    return PyLong_FromSsize_t(loop.expanding);
}
