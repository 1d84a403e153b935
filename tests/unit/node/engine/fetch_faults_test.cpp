// A fetch whose source does something wrong at every step: at each frame and section that it sends
// in turn, cut off, altered, withheld, or contradicting itself. Whatever it was: the connection
// ends with the right reason or goes on, all memory comes back, and another source completes the
// fetch.
#include <gmock/gmock.h>

#include "tests/unit/node/engine/support.hpp"

namespace kith::node::test {
namespace {

using storage::test::Shared;
using storage::test::Tree;

// Some chunks with one section, some with several.
const Chunking kChunking = Chunking::tiny(16);

const Tree& tree() {
  static const Tree kTree = {{"", storage::test::directory()},
                             {"large", storage::test::file(storage::test::noise(1, 300'000))},
                             {"small", storage::test::file("a few words")},
                             {"zeros", storage::test::file(std::string(20'000, '\0'))}};
  return kTree;
}

// The share as every source holds it: each index enciphered, as it is sent.
struct Content {
  Content() {
    storage::test::write_tree(disk, "/tree", tree());
    shared = storage::test::share(disk, slabs, "/tree", storage::test::import_options(kChunking));
    bytes.push_back(shared->import.root_ciphertext);
    for (const auto& page : shared->import.pages) bytes.push_back(page.ciphertext);
    std::vector<ChunkKey> keys;
    for (std::uint32_t i = 0; i < shared->import.pages.size(); ++i) {
      for (const ChunkRow& row : shared->page(i).rows) keys.push_back(row.key);
    }
    for (std::size_t i = 0; i < keys.size(); ++i) {
      bytes.push_back(shared->chunks[i]);
      chunk_cipher(keys[i], 0, bytes.back());
    }
  }
  [[nodiscard]] Link link(const SwarmId& swarm) const {
    Link out;
    std::copy_n(swarm.bytes.begin(), out.swarm_prefix.size(), out.swarm_prefix.begin());
    out.share = shared->import.share;
    out.key = shared->import.key;
    return out;
  }
  storage::MemoryFileIo disk;
  SlabPool slabs;
  std::unique_ptr<Shared> shared;
  std::vector<Buffer> bytes;
};

const Content& content() {
  static const Content kContent;
  return kContent;
}

// Something to send: a have-set, or one section.
struct Step {
  Handle handle = 0;
  std::optional<ChunkFrame> section;
};

class Source {
 public:
  explicit Source(Device connected) : device(std::move(connected)) {}

  void listen() {
    for (const Buffer& frame : device.frames()) hear(frame);
  }

  // What the node waits for next.
  std::optional<Step> next() {
    listen();
    if (steps_.empty()) return std::nullopt;
    const Step step = steps_.front();
    steps_.pop_front();
    return step;
  }

  void send(const Step& step) {
    if (step.section) return device.send_section(*step.section, part(*step.section));
    device.send(have_set(step.handle).encode());
  }

  void send_all() {
    while (const auto step = next()) send(*step);
  }

  static Bytes part(const ChunkFrame& frame) {
    return Bytes(content().bytes[frame.index]).subspan(frame.offset, frame.length);
  }

  static HaveSetFrame have_set(Handle handle) {
    const auto total = static_cast<ChunkIndex>(content().bytes.size());
    HaveSetFrame out{handle, 0, total, Buffer((total + 7) / 8, 0xff)};
    if (total % 8 != 0) out.bits.back() = static_cast<std::uint8_t>(0xff00U >> (total % 8));
    return out;
  }

  Device device;
  bool pongs = true;
  // What the node said.
  std::optional<ChunkIndex> told_bad;
  std::optional<std::string> farewell;

 private:
  void hear(const Buffer& frame) {
    switch (type_of(frame)) {
      case FrameType::kWatch:
        steps_.push_back({decoded<WatchFrame>(frame).handle, std::nullopt});
        break;
      case FrameType::kWant:
        add_sections(decoded<WantFrame>(frame));
        break;
      case FrameType::kPing:
        if (pongs) device.send(PongFrame{decoded<PingFrame>(frame).number}.encode());
        break;
      case FrameType::kBad:
        told_bad = decoded<BadFrame>(frame).index;
        break;
      case FrameType::kClose:
        farewell = decoded<CloseFrame>(frame).reason;
        break;
      default:
        break;
    }
  }

  void add_sections(const WantFrame& want) {
    const auto size = static_cast<std::uint32_t>(content().bytes[want.index].size());
    for (std::uint32_t offset = 0; offset < size; offset += kRecordBytes) {
      const auto length = std::min<std::uint32_t>(kRecordBytes, size - offset);
      steps_.push_back(
          {want.handle, ChunkFrame{want.handle, want.index, offset, length, size, sections_++}});
    }
  }

  std::deque<Step> steps_;
  kith::Section sections_ = 0;
};

// What goes wrong instead of a step.
struct Fault {
  std::string name;
  /// False: it cannot go wrong at such a step.
  std::function<bool(Source&, const Step&)> apply;
  /// What the node says when it closes the connection: empty for nothing, absent if it does not.
  std::optional<std::string> reason;
};

constexpr const char* kUnasked = "a chunk that nobody asked for";

// A section that is announced in another way than it should be, where it can be.
Fault announced(std::string name, std::string reason, std::function<bool(ChunkFrame&)> alter) {
  return {std::move(name),
          [=](Source& source, const Step& step) {
            if (!step.section) return false;
            ChunkFrame frame = *step.section;
            if (!alter(frame)) return false;
            source.device.send(frame.encode());
            return true;
          },
          std::move(reason)};
}

// Another have-set than the right one.
Fault told(std::string name, std::optional<std::string> reason,
           std::function<void(HaveSetFrame&)> alter) {
  return {std::move(name),
          [=](Source& source, const Step& step) {
            if (step.section) return false;
            HaveSetFrame frame = Source::have_set(step.handle);
            alter(frame);
            source.device.send(frame.encode());
            return true;
          },
          std::move(reason)};
}

Buffer sealed(Source& source, const Step& step) {
  return source.device.sealed(step.section ? step.section->encode()
                                           : Source::have_set(step.handle).encode());
}

// Faults that may come at any step.
std::vector<Fault> anywhere() {
  return {
      {"cut",
       [](Source& source, const Step&) {
         source.device.wire().cut();
         return true;
       },
       ""},
      {"cut within the record",
       [](Source& source, const Step& step) {
         const Buffer record = sealed(source, step);
         source.device.wire().write(Bytes(record).first(record.size() / 2));
         source.device.wire().cut();
         return true;
       },
       ""},
      {"a byte of the record altered",
       [](Source& source, const Step& step) {
         Buffer record = sealed(source, step);
         record[record.size() / 2] ^= 1;
         source.device.wire().write(record);
         return true;
       },
       ""},
      {"silence",
       [](Source& source, const Step&) {
         source.pongs = false;
         source.device.wire().node().pass(limits::kIdleClose + kBeat);
         return true;
       },
       "nothing was heard for a minute"},
      {"a sign of life, and nothing else",
       [](Source& source, const Step&) {
         Node& node = source.device.wire().node();
         for (int i = 0; i < 60; ++i) {
           node.pass(10s);
           source.device.send(PingFrame{1}.encode());
           static_cast<void>(source.device.frames());
         }
         EXPECT_FALSE(source.device.wire().is_closed());
         EXPECT_LE(node.engine().receive_memory(), limits::kReceiveBudget);
         return true;
       },
       std::nullopt},
      {"a refusal of something else",
       [](Source& source, const Step& step) {
         source.device.send(RefuseFrame{step.handle, 4'000}.encode());
         return true;
       },
       "a refusal of what was not asked for"},
      {"a farewell",
       [](Source& source, const Step&) {
         source.device.send(CloseFrame{"I go"}.encode());
         return true;
       },
       ""},
  };
}

std::vector<Fault> of_have_sets() {
  return {
      told("a have-set for another handle", "a handle that was never given",
           [](HaveSetFrame& f) { f.handle += 7; }),
      told("a have-set of a share that is too long", "frame: over the limit: have_set: total",
           [](HaveSetFrame& f) { f.total = limits::kIndicesMax + 1; }),
      told("a have-set past its end", "frame: missing or wrong: have_set: range",
           [](HaveSetFrame& f) { f.bits.resize(f.bits.size() + 4); }),
      told("a have-set of another length", std::nullopt, [](HaveSetFrame& f) { f.total += 8; }),
      told("a have-set without anything", std::nullopt,
           [](HaveSetFrame& f) { std::ranges::fill(f.bits, std::uint8_t{0}); }),
      told("a have-set of nothing", std::nullopt,
           [](HaveSetFrame& f) {
             f.total = 0;
             f.bits.clear();
           }),
  };
}

std::vector<Fault> of_announcements() {
  const auto always = [](auto alter) {
    return [alter](ChunkFrame& frame) {
      alter(frame);
      return true;
    };
  };
  return {
      announced("another chunk", kUnasked, always([](ChunkFrame& f) { f.index += 100; })),
      announced("another handle", kUnasked, always([](ChunkFrame& f) { f.handle += 1; })),
      announced("a section is left out", "a section out of order",
                [](ChunkFrame& f) {
                  if (f.size - f.offset <= kRecordBytes) return false;
                  f.offset += kRecordBytes;
                  f.length = std::min<std::uint32_t>(f.size - f.offset, kRecordBytes);
                  return true;
                }),
      announced("the first section again", "a section out of order",
                [](ChunkFrame& f) {
                  f.length = kRecordBytes;
                  return std::exchange(f.offset, 0U) > 0;
                }),
      announced("the chunk grows", "a chunk of the wrong length",
                [](ChunkFrame& f) {
                  f.size += 2 * kRecordBytes;
                  f.length = kRecordBytes;
                  return f.index > 0;  // the root's length is not known before
                }),
      announced("a root of 4 MiB", "a chunk that is too long",
                [](ChunkFrame& f) {
                  f.size = 4 << 20;
                  f.length = kRecordBytes;
                  return f.index == 0;
                }),
      announced("an empty section", "frame: missing or wrong: chunk: length",
                always([](ChunkFrame& f) { f.length = 0; })),
      announced("past its end", "frame: missing or wrong: chunk: range",
                always([](ChunkFrame& f) { f.length = f.size + 1; })),
      announced("64 MiB", "frame: over the limit: chunk: size",
                always([](ChunkFrame& f) { f.size = 64 << 20; })),
      announced("broken records", "frame: missing or wrong: chunk: not whole records",
                always([](ChunkFrame& f) {
                  f.length = 1;
                  f.size = f.offset + kRecordBytes;
                })),
  };
}

std::vector<Fault> of_sections() {
  return {
      {"a section of which half comes",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         source.device.send(step.section->encode());
         source.device.wire().write(Buffer(step.section->length / 2));
         source.pongs = false;
         source.device.wire().node().pass(limits::kIdleClose + kBeat);
         return true;
       },
       "nothing was heard for a minute"},
      {"a section that is cut off",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         source.device.send(step.section->encode());
         source.device.wire().write(Buffer(step.section->length / 2));
         source.device.wire().cut();
         return true;
       },
       ""},
      {"records that do not open",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         source.device.send(step.section->encode());
         source.device.wire().write(Buffer(section_wire_bytes(step.section->length), 0x77));
         source.send_all();  // they are opened when the chunk is whole
         return true;
       },
       "a record did not open"},
      {"a refusal",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         source.device.send(RefuseFrame{step.handle, step.section->index}.encode());
         return true;
       },
       std::nullopt},
      {"a section twice",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         const bool last = step.section->offset + step.section->length == step.section->size;
         if (!last) return false;
         source.send(step);
         source.send(step);
         return true;
       },
       kUnasked},
      {"a wrong chunk",
       [](Source& source, const Step& step) {
         if (!step.section) return false;
         Buffer wrong = to_buffer(Source::part(*step.section));
         wrong[wrong.size() / 2] ^= 0x10;
         source.device.send_section(*step.section, wrong);
         source.send_all();
         EXPECT_EQ(source.told_bad, step.section->index);
         return true;
       },
       std::nullopt},
  };
}

class FetchFaults : public testing::Test {
 protected:
  // The whole fetch, with the fault at step number `at`. False: it does not come so far.
  static bool run(const Fault& fault, std::size_t at) {
    Founder node;
    const Member first = join(node);
    const Member second = join(node);
    const auto swarm = std::get<SwarmsAnswer>(*node.ask(ListSwarms{})).swarms.front().id;
    Fetch command;
    command.link = content().link(swarm);
    command.directory = "/fetched";
    command.name = "it";
    command.wait = true;
    const RequestId fetch = node.begin(command);

    Source bad(connect(node, first));
    std::optional<Step> step = bad.next();
    for (std::size_t i = 0; i < at && step; ++i) {
      bad.send(*step);
      step = bad.next();
    }
    if (!step) return false;
    SCOPED_TRACE(testing::Message() << fault.name << " at step " << at);
    if (fault.apply(bad, *step)) expect_end(bad, fault);
    bad.device.wire().cut();
    EXPECT_EQ(node.engine().receive_memory(), 0U);
    EXPECT_EQ(node.slabs().in_use(), 0U);

    Source good(connect(node, second));
    good.send_all();
    const Result<Done>* done = node.answer(fetch);
    EXPECT_TRUE(done != nullptr && done->has_value());
    EXPECT_EQ(storage::test::read_tree(node.disk(), "/fetched/it"), tree());
    good.device.wire().cut();
    node.expect_baseline();
    return true;
  }

  static void expect_end(Source& source, const Fault& fault) {
    if (!fault.reason) {
      EXPECT_TRUE(source.device.is_alive());
      return;
    }
    source.listen();
    EXPECT_EQ(source.farewell.value_or(""), *fault.reason);
    EXPECT_TRUE(source.device.wire().is_closed());
  }

  static void run_all(const std::vector<Fault>& faults) {
    for (const Fault& fault : faults) {
      std::size_t at = 0;
      while (run(fault, at) && !HasFailure()) ++at;
      if (HasFailure()) return;
      EXPECT_GT(at, 10U) << "so few steps?";
    }
  }
};

TEST_F(FetchFaults, AnythingAtEveryStep) { run_all(anywhere()); }
TEST_F(FetchFaults, WrongHaveSets) { run_all(of_have_sets()); }
TEST_F(FetchFaults, WrongAnnouncementsAtEverySection) { run_all(of_announcements()); }
TEST_F(FetchFaults, WrongSectionsAtEveryStep) { run_all(of_sections()); }

}  // namespace
}  // namespace kith::node::test
