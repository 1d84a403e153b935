// One chunk while it is being received: what was announced of it and the slabs that came. Sections
// of a chunk come in order and without gaps; anything else is the sender's fault.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "proto/result.hpp"
#include "proto/slab.hpp"
#include "proto/wire/frames.hpp"
#include "transfer/outbox.hpp"

namespace kith::transfer {

class ReceiveAssembly {
 public:
  /// `expected`: the chunk's length where it is known. `limit`: what is reserved for it.
  ReceiveAssembly(std::optional<std::uint32_t> expected, std::uint32_t limit)
      : expected_(expected), limit_(limit) {}

  /// Checks the announcement of the next section. Errors: kMalformed or kLimit, blame peer.
  [[nodiscard]] Result<void> announce(const ChunkFrame& frame) {
    if (expected_ && frame.size != *expected_) return fault("a chunk of the wrong length");
    if (frame.size == 0 || frame.size > limit_) return fault("a chunk that is too long");
    if (frame.offset != received_) return fault("a section out of order");
    if (frame.length == 0 || frame.length > frame.size - frame.offset) {
      return fault("a section past the end of its chunk");
    }
    const bool last = frame.length == frame.size - frame.offset;
    if (!last && frame.length % kRecordBytes != 0) return fault("a section of broken records");
    expected_ = frame.size;  // the first section settles it
    return {};
  }

  /// Takes in the section that was announced last.
  void append(const ReceivedSection& section, SlabChain&& sealed) {
    received_ += section.length;
    sections_.push_back(section);
    sealed_.append(std::move(sealed));
  }
  /// The same when its bytes are not wanted any more.
  void skip(std::uint32_t length) { received_ += length; }
  /// Frees the slabs collected so far.
  void discard() {
    sealed_ = SlabChain{};
    sections_.clear();
  }

  /// All sections came, wanted or skipped.
  [[nodiscard]] bool complete() const { return expected_ && received_ == *expected_; }
  /// Content bytes that came: where the next section must begin.
  [[nodiscard]] std::uint32_t received() const { return received_; }
  /// The records of all sections, one per slab, and what each section was announced as. Once.
  [[nodiscard]] SlabChain take_sealed() { return std::move(sealed_); }
  [[nodiscard]] std::vector<ReceivedSection> take_sections() { return std::move(sections_); }

 private:
  static Error fault(const char* what) { return peer_error(Errc::kMalformed, what); }

  std::optional<std::uint32_t> expected_;
  std::uint32_t limit_;
  std::uint32_t received_ = 0;
  SlabChain sealed_;
  std::vector<ReceivedSection> sections_;
};

}  // namespace kith::transfer
