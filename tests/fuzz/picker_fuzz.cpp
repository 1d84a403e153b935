// The chunk picker and its availability counts against a naive model.
#include "tests/unit/transfer/picker_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kith::transfer::test::PickerModel({data, size}).run();
  return 0;
}
