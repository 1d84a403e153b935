// kith: share files directly between machines that trust each other.
#include "tools/kith/app.hpp"

int main(int argc, char** argv) { return kith::cli::run(argc, argv); }
