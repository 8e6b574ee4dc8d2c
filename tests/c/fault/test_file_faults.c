/* Writing a file with each allocation failing: nothing is left, in memory or on the disk.
   Not for the disk's own failures: unit/files/test_file.c. */
#include "disk.h"

static struct disk disk;

static enum vf_status save(const struct vf_context *ctx) {
    struct vf_file *file = NULL;
    memset(&disk, 0, sizeof disk);
    struct vf__io io = disk_io(&disk);
    enum vf_status status = vf__file_open(ctx, &io, "a/b/day.parquet", &file, &check_error);
    if (status == VF_OK) status = vf_file_write(file, "text", 4, &check_error);
    if (status == VF_OK) status = vf_file_commit(file, &check_error);
    vf_file_close(file);
    CHECK(disk_holds(&disk, "a/b/day.parquet", status == VF_OK ? "text" : NULL));
    CHECK_I64(disk_open_handles(&disk), 0);
    CHECK_I64(disk.names.n, status == VF_OK ? 3 : 0);
    return status;
}

int main(void) {
    check_all_faults(save);
    return check_report("file_faults");
}
