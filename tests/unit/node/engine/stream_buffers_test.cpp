// A stream of control records and sections goes through both buffers in random portions and must
// come out as it went in.
#include "node/engine/stream_buffers.hpp"

#include <gtest/gtest.h>

#include "proto/crypto/bulk.hpp"
#include "proto/crypto/random.hpp"

namespace kith::node {
namespace {

Buffer random_bytes(SeededRng& rng, std::size_t size) {
  Buffer out(size);
  rng.fill(out);
  return out;
}

// A chain whose records (content and tag) are random bytes, and those bytes in a row.
SlabChain random_section(SlabPool& pool, SeededRng& rng, std::size_t length, Buffer& flat) {
  SlabChain chain(pool, length);
  for (std::size_t i = 0; i < chain.slab_count(); ++i) {
    const MutableBytes record = chain.raw(i).first(chain.slab_size(i) + kTagBytes);
    rng.fill(record);
    append(flat, record);
  }
  return chain;
}

Buffer flatten(SlabChain& chain) {
  Buffer out;
  for (std::size_t i = 0; i < chain.slab_count(); ++i) {
    append(out, chain.raw(i).first(chain.slab_size(i) + kTagBytes));
  }
  return out;
}

std::size_t random_length(SeededRng& rng) {
  switch (rng.uniform(4)) {
    case 0:
      return 1 + rng.uniform(100);
    case 1:
      return kRecordBytes * (1 + rng.uniform(3));
    case 2:
      return kRecordBytes * (1 + rng.uniform(3)) + 1;
    default:
      return 1 + rng.uniform(5 * kRecordBytes);
  }
}

TEST(SendQueue, WritesEverythingInOrderWhateverThePortions) {
  SeededRng rng(5);
  SlabPool pool;
  for (int round = 0; round < 30; ++round) {
    SendQueue queue;
    Buffer expected, got;
    for (int i = 0; i < 10; ++i) {
      if (rng.chance(1, 2)) {
        const Buffer control = random_bytes(rng, 1 + rng.uniform(3000));
        append(expected, control);
        queue.push(control);
      } else {
        queue.push(random_section(pool, rng, random_length(rng), expected));
      }
    }
    EXPECT_EQ(queue.unsent(), expected.size());
    while (!queue.empty()) {
      std::vector<Bytes> plan;
      queue.plan(plan, 1 + rng.uniform(100'000), 1 + rng.uniform(8));
      std::size_t planned = 0;
      for (const Bytes run : plan) planned += run.size();
      ASSERT_GT(planned, 0u);
      const std::size_t n = 1 + rng.uniform(planned);
      std::size_t taken = 0;
      for (const Bytes run : plan) {
        const std::size_t part = std::min(n - taken, run.size());
        append(got, run.first(part));
        taken += part;
      }
      queue.wrote(n);
    }
    ASSERT_EQ(got, expected) << "round " << round;
    EXPECT_EQ(queue.unsent_control(), 0u);
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(ReceiveBuffer, SectionsAndControlComeOutWhateverThePortions) {
  SeededRng rng(6);
  SlabPool pool;
  for (int round = 0; round < 30; ++round) {
    // Stream: [u16 length ‖ control] and, every second time, a section directly behind.
    Buffer stream;
    std::vector<Buffer> controls, sections;
    std::vector<std::size_t> lengths;
    for (int i = 0; i < 8; ++i) {
      controls.push_back(random_bytes(rng, 1 + rng.uniform(i == 3 ? 60'000 : 500)));
      append_be<std::uint16_t>(stream, static_cast<std::uint16_t>(controls.back().size()));
      append(stream, controls.back());
      lengths.push_back(i % 2 == 0 ? random_length(rng) : 0);
      Buffer flat;
      if (lengths.back() > 0) static_cast<void>(random_section(pool, rng, lengths.back(), flat));
      append(stream, flat);
      sections.push_back(std::move(flat));
    }
    ReceiveBuffer buffer;
    std::size_t at = 0, item = 0;
    bool in_section = false;
    while (item < controls.size()) {
      std::vector<MutableBytes> plan;
      buffer.plan(plan, 1 + rng.uniform(200'000));
      std::size_t n = 0;
      const std::size_t most = std::min(1 + rng.uniform(50'000), stream.size() - at);
      for (const MutableBytes run : plan) {
        const std::size_t part = std::min(run.size(), most - n);
        std::copy_n(stream.begin() + static_cast<std::ptrdiff_t>(at + n), part, run.begin());
        n += part;
      }
      at += n;
      buffer.commit(n);
      for (bool more = true; more && item < controls.size();) {
        more = false;
        if (in_section) {
          if (!buffer.section_complete()) break;
          SlabChain chain = buffer.take_section();
          ASSERT_EQ(flatten(chain), sections[item]) << "round " << round;
          in_section = false;
          ++item;
          more = true;
          continue;
        }
        const MutableBytes control = buffer.control();
        if (control.size() < 2) break;
        const std::size_t length = load_be<std::uint16_t>(control);
        if (control.size() < 2 + length) break;
        ASSERT_TRUE(equal(control.subspan(2, length), controls[item])) << "round " << round;
        buffer.consume(2 + length);
        more = true;
        if (lengths[item] == 0) {
          ++item;
          continue;
        }
        buffer.expect_section(pool, lengths[item]);
        in_section = true;
      }
    }
    EXPECT_EQ(at, stream.size());
  }
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace kith::node
