/* The library's enums as dicts of the module, name to number, from the lists that the enums are made of.
   Not for values that are no list of the header: a number that stands in Python by hand is a mistake. */
#include "object.h"

struct row {
    const char *name;
    long value;
};

#define ROW(constant, value, text) {text, value},
#define END {NULL, 0}

static const struct {
    const char *name;
    const struct row *rows;
} lists[] = {
    {"AGG_OPS", (const struct row[]){VF_AGG_OP_MAP(ROW) END}},
    {"CUBE_LAYOUTS", (const struct row[]){VF_CUBE_LAYOUT_MAP(ROW) END}},
    {"CUBE_MERGES", (const struct row[]){VF_CUBE_MERGE_MAP(ROW) END}},
    {"CUT_OUTSIDE", (const struct row[]){VF_CUT_OUTSIDE_MAP(ROW) END}},
    {"EXCESS", (const struct row[]){VF_EXCESS_MAP(ROW) END}},
    {"FIFO_COLUMNS", (const struct row[]){VF_FIFO_COLUMN_MAP(ROW) END}},
    {"FIFO_ROWS", (const struct row[]){VF_FIFO_ROWS_MAP(ROW) END}},
    {"INTEGER_OPS", (const struct row[]){VF_INTEGER_OP_MAP(ROW) END}},
    {"LEFTOVERS", (const struct row[]){VF_LEFTOVER_MAP(ROW) END}},
    {"MARK_METHODS", (const struct row[]){VF_MARK_METHOD_MAP(ROW) END}},
    {"OUTSIDE", (const struct row[]){VF_OUTSIDE_MAP(ROW) END}},
    {"QUANTILE_METHODS", (const struct row[]){VF_QUANTILE_METHOD_MAP(ROW) END}},
    {"TIME_LAYOUTS", (const struct row[]){VF_TIME_LAYOUT_MAP(ROW) END}},
};

static PyObject *dict_of(const struct row *rows) {
    PyObject *dict = PyDict_New();
    for (; dict != NULL && rows->name != NULL; rows++) {
        PyObject *value = PyLong_FromLong(rows->value);
        if (value == NULL || PyDict_SetItemString(dict, rows->name, value) != 0) Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

int add_names(PyObject *module) {
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        PyObject *dict = dict_of(lists[i].rows);
        PyObject *fixed = dict != NULL ? PyDictProxy_New(dict) : NULL;
        int failed = fixed == NULL || PyModule_AddObjectRef(module, lists[i].name, fixed) != 0;
        Py_XDECREF(dict);
        Py_XDECREF(fixed);
        if (failed) return -1;
    }
    return 0;
}
