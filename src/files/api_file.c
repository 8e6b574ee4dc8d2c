/* The public way to write a file: on the operating system's disk.
   Not for how: src/files/file.c has it. */
#include "files/file.h"

enum vf_status vf_file_open(const struct vf_context *ctx, const char *path, struct vf_file **out,
                            struct vf_error *err) {
    return vf__file_open(ctx, &vf__io_system, path, out, err);
}
