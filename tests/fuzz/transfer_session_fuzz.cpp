// A live transfer manager under arbitrary frames, job results, time and churn.
#include "tests/unit/transfer/session_model.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  kith::transfer::test::SessionModel({data, size}).run();
  return 0;
}
