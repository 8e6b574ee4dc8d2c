# What find_package(vizflow) reads: threads, which the static library needs, then the target vizflow::vizflow.
# Not for choosing between static and shared: a prefix holds the one that was built for it (BUILD_SHARED_LIBS).
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/vizflow-targets.cmake)
