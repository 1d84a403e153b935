// The quota and `kith gc`, as users ask for them. What they do stands in copies_space.cpp.
#include <charconv>

#include "node/engine/engine.hpp"

namespace kith::node {
namespace {

Result<std::uint64_t> decode_quota(const std::string& text) {
  std::uint64_t bytes = 0;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, bytes);
  if (error == std::errc() && at == end) return bytes;
  return local_error(Errc::kMalformed, "the quota in the catalog is damaged");
}

}  // namespace

void Engine::restore_space(Turn& turn, const SavedState& saved) {
  if (!saved.quota.empty()) {
    const auto quota = decode_quota(saved.quota);
    if (!quota) turn.log(LogLevel::kError, to_string(quota.error()));
    if (quota) copies_.set_quota(*quota);
  }
  auto leftovers = decode_leftovers(saved.leftovers);
  if (!leftovers) return turn.log(LogLevel::kError, to_string(leftovers.error()));
  copies_.restore_leftovers(turn, std::move(*leftovers));
}

void Engine::on_command(Turn& turn, RequestId request, const ChangeQuota& command) {
  if (command.bytes) copies_.set_quota(*command.bytes);
  const QuotaAnswer answer{copies_.quota(), copies_.fetched_bytes()};
  if (!command.bytes) return turn.done(request, answer);
  turn.save_full(PutSetting{kQuotaSetting, std::to_string(*command.bytes)});
  turn.done_when_saved(request, answer);
}

void Engine::on_command(Turn& turn, RequestId request, const CollectGarbage& command) {
  copies_.collect_garbage(turn, request, command.dry_run);
}

}  // namespace kith::node
