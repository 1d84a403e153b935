// The bound: what a fetch would cost if there were nothing but its passes over the content.
//
//   kith_bound SOURCE TARGET WORKERS
//
// One process reads chunks, enciphers and seals them and writes them to a TCP connection over
// loopback; another one reads them, opens, hashes and deciphers them and writes them to TARGET. The
// chunks are those into which kith cuts SOURCE (found before the clock starts: a sharing node knows
// them), the records and the code of the ciphers are kith's. No requests, no manifest, no catalog.
//
// WORKERS 0: each process does everything in one thread. Otherwise a thread for the network and
// that many for the rest, as in a node. Prints one line of JSON: bytes, chunks, seconds and
// cpu_seconds of both processes together.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fcntl.h>
#include <functional>
#include <mutex>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "proto/content/chunking.hpp"
#include "proto/crypto/bulk.hpp"
#include "proto/crypto/content_cipher.hpp"
#include "tools/benchmark/bound_io.hpp"

namespace kith::bound {
namespace {

// Chunks at workers and in the queue behind or before them, in each process.
constexpr std::size_t kWindow = 8;

struct Chunk {
  std::uint64_t number;
  std::uint64_t offset;
  std::size_t length;
};

std::vector<Chunk> cut(int fd) {
  std::vector<Chunk> chunks;
  std::vector<std::uint8_t> buffer(std::size_t{4} << 20);
  FastCdc cutter{Chunking{}};
  std::uint64_t position = 0, begin = 0;
  const auto end_at = [&](std::uint64_t end) {
    chunks.push_back({chunks.size(), begin, static_cast<std::size_t>(end - begin)});
    begin = end;
  };
  for (;;) {
    const ssize_t n = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(position));
    if (n < 0) fail("read");
    if (n == 0) break;
    Bytes data(buffer.data(), static_cast<std::size_t>(n));
    while (!data.empty()) {
      const std::size_t used = cutter.next_cut(data);
      position += used == 0 ? data.size() : used;
      if (used == 0) break;
      data = data.subspan(used);
      end_at(position);
    }
  }
  if (begin < position) end_at(position);
  return chunks;
}

ChunkKey key_of(const Chunk& chunk) {
  ChunkKey key;
  for (std::size_t i = 0; i < 8; ++i) {
    key.bytes[i] = static_cast<std::uint8_t>(chunk.number >> (8 * i));
  }
  return key;
}

/// Chunks on their way between the thread of the network and the workers. Bounded: push waits.
class Queue {
 public:
  void push(const Chunk& chunk, SlabChain data) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_.size() < kWindow; });
    waiting_.emplace_back(chunk, std::move(data));
    changed_.notify_all();
  }
  void close() {
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }
  /// False: closed and empty.
  [[nodiscard]] bool pop(std::pair<Chunk, SlabChain>& out) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return false;
    out = std::move(waiting_.front());
    waiting_.pop_front();
    changed_.notify_all();
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::pair<Chunk, SlabChain>> waiting_;
  bool closed_ = false;
};

/// Chunks that become ready in any order and leave in theirs.
class Sequence {
 public:
  explicit Sequence(std::size_t total) : total_(total) {}
  /// The number of the chunk that the caller is to make; `total` when there is none left.
  [[nodiscard]] std::size_t next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return begun_ == total_ || begun_ < left_ + kWindow; });
    return begun_ == total_ ? total_ : begun_++;
  }
  void put(std::size_t number, SlabChain data) {
    const std::scoped_lock lock(mutex_);
    ready_[number % kWindow] = std::move(data);
    changed_.notify_all();
  }
  [[nodiscard]] SlabChain get(std::size_t number) {
    std::unique_lock lock(mutex_);
    SlabChain& slot = ready_[number % kWindow];
    changed_.wait(lock, [&] { return !slot.empty(); });
    left_ = number + 1;
    changed_.notify_all();
    return std::move(slot);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SlabChain> ready_{kWindow};
  std::size_t total_, begun_ = 0, left_ = 0;
};

/// Both ends of the transfer: the same passes, whoever runs them.
class Transfer {
 public:
  Transfer(int file, int connection, const std::vector<Chunk>& chunks)
      : file_(file), connection_(connection), chunks_(chunks) {}

  void send(std::size_t workers) {
    if (workers == 0) {
      for (const Chunk& chunk : chunks_) {
        SlabChain data = sealed(chunk);
        send_records(connection_, data);
      }
      return;
    }
    Sequence sequence(chunks_.size());
    auto threads = start(workers, [&] {
      for (auto i = sequence.next(); i < chunks_.size(); i = sequence.next()) {
        sequence.put(i, sealed(chunks_[i]));
      }
    });
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      SlabChain data = sequence.get(i);
      send_records(connection_, data);
    }
    for (auto& thread : threads) thread.join();
  }

  void receive(std::size_t workers) {
    Queue queue;
    auto threads = start(workers, [&] {
      std::pair<Chunk, SlabChain> next;
      while (queue.pop(next)) store(next.first, next.second);
    });
    for (const Chunk& chunk : chunks_) {
      SlabChain data(slabs_, chunk.length);
      receive_records(connection_, data);
      if (workers == 0) {
        store(chunk, data);
      } else {
        queue.push(chunk, std::move(data));
      }
    }
    queue.close();
    for (auto& thread : threads) thread.join();
  }

 private:
  static std::vector<std::thread> start(std::size_t count, const std::function<void()>& work) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
    return threads;
  }

  SlabChain sealed(const Chunk& chunk) {
    SlabChain data(slabs_, chunk.length);
    read_file(file_, data, chunk.offset);
    chunk_cipher(key_of(chunk), 0, data);
    seal_section(bulk_, chunk.number, data);
    return data;
  }

  void store(const Chunk& chunk, SlabChain& data) {
    if (!open_section(bulk_, chunk.number, data, 0, chunk.length)) fail("a record does not open");
    // Nobody knows the id here to compare with: tools/bench compares the files instead.
    static_cast<void>(chunk_id(data));
    chunk_cipher(key_of(chunk), 0, data);
    write_file(file_, data, chunk.offset);
  }

  SlabPool slabs_;
  BulkKey bulk_;
  int file_, connection_;
  const std::vector<Chunk>& chunks_;
};

double cpu_seconds(const rusage& use) {
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

double own_cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  return cpu_seconds(use);
}

// The other process: sends when the receiver gives the sign.
[[noreturn]] void run_sender(int source, std::uint16_t port, const std::vector<Chunk>& chunks,
                             std::size_t workers) {
  const int connection = connect_to_loopback(port);
  char sign = 0;
  if (read(connection, &sign, 1) != 1) fail("wait for the receiver");
  Transfer(source, connection, chunks).send(workers);
  std::exit(0);
}

int run(const char* source_path, const char* target_path, std::size_t workers) {
  const int source = open(source_path, O_RDONLY | O_CLOEXEC);
  if (source < 0) fail(source_path);
  const std::vector<Chunk> chunks = cut(source);
  std::uint16_t port = 0;
  const int listener = listen_on_loopback(port);
  const pid_t sender = fork();
  if (sender < 0) fail("fork");
  if (sender == 0) run_sender(source, port, chunks, workers);
  const int connection = accept_one(listener);

  const double cpu_before = own_cpu_seconds();
  const auto begin = std::chrono::steady_clock::now();
  const int target = open(target_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (target < 0) fail(target_path);
  if (write(connection, "!", 1) != 1) fail("start the sender");
  Transfer(target, connection, chunks).receive(workers);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;

  int status = 0;
  rusage sender_use{};
  if (wait4(sender, &status, 0, &sender_use) != sender || status != 0) fail("the sender");
  const double cpu = own_cpu_seconds() - cpu_before + cpu_seconds(sender_use);
  const std::uint64_t bytes = chunks.empty() ? 0 : chunks.back().offset + chunks.back().length;
  std::printf("{\"bytes\":%llu,\"chunks\":%zu,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n",
              static_cast<unsigned long long>(bytes), chunks.size(), took.count(), cpu);
  return 0;
}

}  // namespace
}  // namespace kith::bound

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: kith_bound SOURCE TARGET WORKERS\n");
    return 2;
  }
  return kith::bound::run(argv[1], argv[2], std::strtoul(argv[3], nullptr, 10));
}
