// The bytes of one connection between the engine and the socket. The socket's driver asks where
// bytes go (plan) and says how many came or left (commit, wrote); nothing is copied but what
// control records and the first bytes of a section share.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "proto/bytes.hpp"
#include "proto/slab.hpp"

namespace kith::node {

/// What is to be written, in order: control bytes and sealed sections.
class SendQueue {
 public:
  /// Control bytes, copied.
  void push(Bytes control);
  /// A sealed section: the content of slab i is followed by its tag.
  void push(SlabChain sealed);

  /// Appends the next bytes to write, at most `bytes_max` in at most `runs_max` runs.
  void plan(std::vector<Bytes>& out, std::size_t bytes_max, std::size_t runs_max) const;
  /// The first n planned bytes were written. Returns slabs to their pool as they empty.
  void wrote(std::size_t n);

  /// Bytes queued and not written, tags included; and those of them that are control.
  [[nodiscard]] std::size_t unsent() const { return unsent_; }
  [[nodiscard]] std::size_t unsent_control() const { return unsent_control_; }
  [[nodiscard]] bool empty() const { return unsent_ == 0; }

 private:
  struct Item {
    Buffer control;
    SlabChain sealed;        // empty for control
    std::size_t slab = 0;    // first slab not wholly written
    std::size_t offset = 0;  // bytes of it (or of control) that are written
  };
  std::deque<Item> items_;
  std::size_t unsent_ = 0;
  std::size_t unsent_control_ = 0;
};

/// What was read: control bytes until expect_section(), then exactly one section, then control
/// again.
class ReceiveBuffer {
 public:
  /// Where the next bytes go: the rest of the current section's slabs, then control space; at most
  /// `bytes_max`. Valid until the next call of any other function.
  void plan(std::vector<MutableBytes>& out, std::size_t bytes_max);
  /// The first n planned bytes came.
  void commit(std::size_t n);

  /// Control bytes not consumed yet; empty while a section is being received.
  [[nodiscard]] MutableBytes control();
  /// The first n control bytes were dealt with.
  void consume(std::size_t n);

  /// The next section_wire_bytes(length) bytes are records of one section. Control bytes that came
  /// already move into it.
  void expect_section(SlabPool& pool, std::size_t length);
  [[nodiscard]] bool in_section() const { return section_left_ > 0; }
  /// The section, if it is complete: records as they came, one per slab.
  [[nodiscard]] bool section_complete() const { return !section_.empty() && section_left_ == 0; }
  /// Of a complete one. Control follows then.
  [[nodiscard]] SlabChain take_section();
  /// Forgets all that came: of a connection that is being closed nothing is read any more.
  void discard();

 private:
  /// Wire bytes of the section already received, as a position: slab and offset in it.
  void plan_section(std::vector<MutableBytes>& out, std::size_t& budget);
  std::size_t record_bytes(std::size_t slab) const { return section_.slab_size(slab) + kTagBytes; }
  void advance_section(std::size_t n);

  std::vector<std::uint8_t> control_;  // [begin_, end_) is unconsumed
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  SlabChain section_;
  std::size_t section_left_ = 0;  // wire bytes still to come
  std::size_t slab_ = 0;          // of the next wire byte
  std::size_t slab_offset_ = 0;
};

}  // namespace kith::node
