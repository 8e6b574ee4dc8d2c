/* Between Python objects and the library's structs: Arrow capsules in and out, errors to exceptions.
   Not for arithmetic, and not for Polars in particular: any object with __arrow_c_stream__ is a column. */
#ifndef VF_EXT_CONVERT_H
#define VF_EXT_CONVERT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "vizflow/vizflow.h"

/* A zeroed object of a heap type, and tp_dealloc's last step. */
void *allocate_object(PyTypeObject *type);
void free_object(PyObject *self);

/* A column taken from Python; owns its chunks. */
struct column_in {
    struct vf_series series;
    struct ArrowSchema schema;
    struct ArrowArray *chunks;
    const struct ArrowArray **pointers;
};

/* NULL with an exception set. Freed with column_in_free, which needs no GIL (it is also the release callback
   of columns that go on pointing into it). */
struct column_in *column_in_new(PyObject *object);
void column_in_free(void *column);

/* A tuple or list of columns; NULL entries for None. Returns false with an exception set; otherwise *columns
   is to be freed with columns_in_free. */
struct columns_in {
    size_t n;
    struct column_in **items;
    struct vf_series *series; /* copies of the items' series, for calls that take arrays */
};
bool columns_in_new(PyObject *sequence, struct columns_in *out);
void columns_in_free(struct columns_in *columns);

struct module_state {
    PyTypeObject *column_type;
};

/* Wraps a column (which it takes) as an object with __arrow_c_stream__. */
PyObject *column_out(PyObject *module, struct vf_column *column);
/* A list of them; takes all, also on failure. */
PyObject *columns_out(PyObject *module, struct vf_column *columns, size_t n);

/* Sets vizflow's own exception for an error; always returns NULL. */
PyObject *raise_error(const struct vf_error *err);

extern PyType_Spec column_spec;
PyObject *py_leftover(PyObject *module, PyObject *name);
PyObject *run_rows(PyObject *module, PyObject *args);

#endif
