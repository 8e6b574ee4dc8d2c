/* What every Python type over an object of the library needs: its spec, and how its calls begin and end.
   Not for any one type: core_*.c has those. */
#ifndef VF_EXT_OBJECT_H
#define VF_EXT_OBJECT_H

#include "convert.h"

/* The type vizflow._core.NAME: made by noun_new, freed by noun_dealloc, with noun_methods. */
#define OBJECT_TYPE(noun, NAME, doc)                                                                         \
    static PyType_Slot noun##_slots[] = {{Py_tp_new, (void *)noun##_new},                                    \
                                         {Py_tp_dealloc, (void *)noun##_dealloc},                            \
                                         {Py_tp_methods, noun##_methods},                                    \
                                         {Py_tp_doc, (void *)doc},                                           \
                                         {0, NULL}};                                                         \
    PyType_Spec noun##_spec = {.name = "vizflow._core." NAME,                                                \
                               .basicsize = sizeof(struct noun##_object),                                    \
                               .flags = Py_TPFLAGS_DEFAULT,                                                  \
                               .slots = noun##_slots}

/* All of them, which add_objects puts into the module. */
extern PyType_Spec fifo_spec, mark_spec, agg_spec, asof_spec, daily_spec, quantiles_spec;
extern PyType_Spec calendar_spec, cube_spec, file_spec, order_spec;
int add_objects(PyObject *module);

/* names.c: the numbers of enums, which Python knows by name alone. */
int add_names(PyObject *module);

/* tp_new's last step: self, or on an error its exception; takes self. */
PyObject *opened(void *self, enum vf_status status, const struct vf_error *err);

/* What a method gives: None, a column, or a list of n columns, which are taken. */
PyObject *none_or_error(enum vf_status status, const struct vf_error *err);
PyObject *column_or_error(PyObject *self, enum vf_status status, struct vf_column *out,
                          const struct vf_error *err);
PyObject *columns_or_error(PyObject *self, enum vf_status status, struct vf_column *out, size_t n,
                           const struct vf_error *err);

/* The length of a list, or -1 with an exception: "65 sessions; at most 64 are accepted". */
Py_ssize_t length_of(PyObject *list, const char *what, Py_ssize_t most);

#define HORIZONS_MAX 1024
bool read_horizons(PyObject *list, int64_t horizons[HORIZONS_MAX], size_t *n);

/* Columns that are not what the method takes: frees them, raises ValueError, gives NULL. */
PyObject *refuse_columns(struct columns_in *in, const char *accepted);

/* (keys, values, n_rows), as many of each as `who` takes. False with an exception; else rows_in_free, which needs
   no GIL. */
struct rows_in {
    struct columns_in keys, values;
    int64_t n_rows;
};
bool rows_in_new(PyObject *args, const char *who, size_t n_keys, size_t n_values, struct rows_in *out);
void rows_in_free(struct rows_in *rows);

/* What a clock met, as a tuple. */
PyObject *clock_counts(const struct vf_clock_report *report);

#endif
