// libvizflow from C++17: bins of four prices, an error that is told, and memory that goes back by itself.
// Not an example of good C++: it is what `make test-install` links and runs.
#include <vizflow/vizflow.h>
#include <vizflow/vizflow.h> // twice: the guard holds

#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace {

struct Release {
    void operator()(vf_column *column) const {
        vf_column_release(column);
        delete column;
    }
};

int failed(const char *what) {
    std::fprintf(stderr, "%s\n", what);
    return 1;
}

} // namespace

int main() {
    const std::vector<double> prices{0.0, 0.26, -0.74, 12.5};
    const void *buffers[] = {nullptr, prices.data()};
    ArrowSchema schema{};
    schema.format = "g";
    schema.name = "price";
    ArrowArray array{};
    array.length = static_cast<int64_t>(prices.size());
    array.n_buffers = 2;
    array.buffers = buffers;
    const ArrowArray *chunk = &array;
    const vf_series series{&schema, &chunk, 1};

    std::unique_ptr<vf_column, Release> bins(new vf_column{});
    vf_error error{};
    if (vf_bin_index(nullptr, &series, 0.25, false, bins.get(), &error) != VF_OK) return failed(error.message);
    const auto *values = static_cast<const int64_t *>(bins->array.buffers[1]);
    const int64_t expected[] = {0, 1, -3, 50};
    for (int i = 0; i < 4; i++)
        if (values[i] != expected[i]) return failed("a bin is wrong");

    vf_column none{};
    if (vf_bin_index(nullptr, &series, -1.0, false, &none, &error) != VF_ERROR_ARGUMENT)
        return failed("a negative width was accepted");
    if (none.array.release != nullptr || std::strlen(error.message) == 0)
        return failed("the refusal says nothing, or gave a column");
    if (std::strcmp(vf_version(), VF_VERSION) != 0) return failed("header and library are of two versions");
    std::printf("C++: 4 bins, 1 refusal: %s\n", vf_status_name(error.code));
    return 0;
}
