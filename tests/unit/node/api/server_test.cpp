// The API server over a real Unix socket with a backend that only takes notes. An exception to the
// rule that unit tests open no socket: what is tested is what a socket's other end can do. Nothing
// waits for a fixed time; reads and conditions have a deadline that only a failure reaches.
#include "node/api/server.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <dirent.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/api/json.hpp"
#include "node/api/socket.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;
constexpr auto kPatience = 60s;  // the machine may be busy; a passing test never waits for it

/// Notes what the server asks, and lets the test wait for it.
class Notes final : public ApiBackend {
 public:
  void submit(Command command) override {
    const std::scoped_lock lock(mutex_);
    commands_.push_back(std::move(command));
    changed_.notify_all();
  }
  void start_share(RequestId request, ShareRequest share) override {
    const std::scoped_lock lock(mutex_);
    shares_.emplace_back(request, std::move(share));
    changed_.notify_all();
  }
  void cancel(RequestId request) override {
    const std::scoped_lock lock(mutex_);
    cancelled_.insert(request);
    changed_.notify_all();
  }
  void request_stop() override {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  Command next_command() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !commands_.empty(); })) {
      ADD_FAILURE() << "no command came";
      return {};
    }
    Command out = std::move(commands_.front());
    commands_.pop_front();
    return out;
  }
  RequestId next_share() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [this] { return !shares_.empty(); })) {
      ADD_FAILURE() << "no share came";
      return {};
    }
    const RequestId out = shares_.front().first;
    shares_.pop_front();
    return out;
  }
  bool wait_cancelled(RequestId request) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return cancelled_.count(request) > 0; });
  }
  bool wait_stopped() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [this] { return stopped_; });
  }
  std::size_t cancelled() {
    const std::scoped_lock lock(mutex_);
    return cancelled_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Command> commands_;
  std::deque<std::pair<RequestId, ShareRequest>> shares_;
  std::set<RequestId> cancelled_;
  bool stopped_ = false;
};

/// A client that speaks bytes.
class Peer {
 public:
  explicit Peer(const std::string& home) {
    auto connected = connect_api(home);
    if (connected) fd_ = std::move(*connected);
    EXPECT_TRUE(fd_) << "cannot connect";
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has closed: what it said is read later
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  void post(const std::string& command, const std::string& body) {
    send("POST /v1/" + command + " HTTP/1.1\r\nHost: k\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  void get_events() { send("GET /v1/events HTTP/1.1\r\nHost: k\r\n\r\n"); }
  /// False at the end of the connection.
  bool read_more() {
    pollfd wait{fd_.get(), POLLIN, 0};
    const int ms = static_cast<int>(std::chrono::milliseconds(kPatience).count());
    if (::poll(&wait, 1, ms) <= 0) {
      ADD_FAILURE() << "nothing came; so far: " << text_;
      return false;
    }
    char bytes[4096];
    const ssize_t size = ::read(fd_.get(), bytes, sizeof bytes);
    if (size <= 0) return false;
    text_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }
  /// All that comes until the connection ends.
  std::string read_all() {
    while (read_more()) {
    }
    return text_;
  }
  /// All that came, up to and with `wanted`.
  std::string read_until(std::string_view wanted) {
    while (text_.find(wanted) == std::string::npos && read_more()) {
    }
    return text_;
  }
  void shut_down_sending() { ::shutdown(fd_.get(), SHUT_WR); }
  void leave() { fd_.reset(); }

 private:
  UniqueFd fd_;
  std::string text_;
};

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class ApiServerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kith-api.XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    top_ = pattern;
    options_.home = top_;
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(top_);
  }
  void start() {
    server_ = std::make_unique<ApiServer>(notes_, options_);
    const auto started = server_->start();
    ASSERT_TRUE(started.has_value()) << to_string(started.error());
  }
  Peer peer() { return Peer(options_.home); }
  /// The server still does its work.
  void expect_alive() {
    Peer client = peer();
    client.post("list", "{}");
    const Command command = notes_.next_command();
    server_->deliver(Reply{command.request, Done(SharesAnswer{})});
    EXPECT_NE(client.read_all().find(R"({"v":1,"event":"done","shares":[]})"), std::string::npos);
  }
  std::string answer_to(std::string_view bytes) {
    Peer client = peer();
    client.send(bytes);
    return client.read_all();
  }

  std::string top_;
  ApiOptions options_;
  Notes notes_;
  std::unique_ptr<ApiServer> server_;
};

TEST_F(ApiServerTest, ACommandIsAnsweredAndTheConnectionEnds) {
  start();
  Peer client = peer();
  client.post("swarm-create", R"({"name":"lab"})");
  const Command command = notes_.next_command();
  EXPECT_EQ(std::get<CreateSwarm>(command.body).name, "lab");
  server_->deliver(Reply{command.request, Done(Ok{})});
  const std::string text = client.read_all();
  EXPECT_EQ(text.rfind("HTTP/1.1 200 OK\r\n", 0), 0u) << text;
  EXPECT_NE(text.find("\r\n17\r\n{\"v\":1,\"event\":\"done\"}\n\r\n0\r\n\r\n"), std::string::npos)
      << text;
  EXPECT_EQ(notes_.cancelled(), 0u);
}

TEST_F(ApiServerTest, ContentComesBetweenItsLengthAndTheLastLine) {
  start();
  SlabPool pool;
  const auto chunk =
      std::make_shared<const SlabChain>(SlabChain::from(pool, as_bytes("raw\nbytes")));
  Peer client = peer();
  client.post("read", R"({"share":"0123456789","path":"a/b","offset":3,"length":9})");
  const Command command = notes_.next_command();
  const auto& read = std::get<ReadFile>(command.body);
  EXPECT_EQ(read.path, "a/b");
  EXPECT_EQ(read.offset, 3U);
  EXPECT_EQ(read.length, 9U);
  server_->deliver(Reply{command.request, Done(FileRead{12, 3, {{chunk, 0, 9}}})});
  const std::string text = client.read_all();
  const std::size_t length = text.find("{\"v\":1,\"event\":\"data\",\"length\":9}\n");
  const std::size_t data = text.find("raw\nbytes");
  const std::size_t last = text.find("{\"v\":1,\"event\":\"done\",\"size\":12,\"offset\":3}\n");
  ASSERT_NE(last, std::string::npos) << text;
  EXPECT_LT(length, data);
  EXPECT_LT(data, last);
}

TEST_F(ApiServerTest, ManyWhoReadGetSmallerPortions) {
  start();
  std::vector<RequestId> requests;
  const auto length_for = [&](Peer& client) {
    client.post("read", R"({"share":"0123456789","path":"a"})");
    const Command command = notes_.next_command();
    requests.push_back(command.request);
    return std::size_t{std::get<ReadFile>(command.body).length};
  };
  std::deque<Peer> clients;
  std::size_t sum = 0;
  for (std::size_t i = 0; i + 1 < limits::kApiConnections; ++i) {
    const std::size_t length = length_for(clients.emplace_back(options_.home));
    if (i < 12) {
      EXPECT_EQ(length, kReadMax) << i;
    }
    EXPECT_GE(length, 64 * limits::kKiB) << i;
    sum += length;
  }
  EXPECT_LT(sum, 68 * limits::kMiB);
  clients.clear();
  for (const RequestId request : requests) EXPECT_TRUE(notes_.wait_cancelled(request));
  Peer client = peer();
  EXPECT_EQ(length_for(client), kReadMax);
}

TEST_F(ApiServerTest, TheSocketIsPrivateAndGoesAway) {
  start();
  struct stat info {};
  ASSERT_EQ(::stat((options_.home + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  server_->stop();
  EXPECT_NE(::stat((options_.home + "/run/api.sock").c_str(), &info), 0);
  EXPECT_EQ(connect_api(options_.home).error().code, Errc::kClosed);
}

TEST_F(ApiServerTest, ASocketOfAnEarlierNodeIsReplaced) {
  start();
  server_.reset();
  ASSERT_EQ(::mknod((options_.home + "/run/api.sock").c_str(), S_IFREG | 0600, 0), 0);
  start();
  expect_alive();
}

TEST_F(ApiServerTest, AHomeWithALongPath) {
  for (int i = 0; i < 3; ++i) options_.home += '/' + std::string(100, 'x');
  std::filesystem::create_directories(options_.home);
  start();
  expect_alive();
}

TEST_F(ApiServerTest, WrongArgumentsAreAnErrorLine) {
  start();
  Peer client = peer();
  client.post("swarm-create", R"({"nam":"lab"})");
  const std::string text = client.read_all();
  EXPECT_NE(text.find("200 OK"), std::string::npos);
  EXPECT_NE(text.find(R"("event":"error","code":"usage","exit":2)"), std::string::npos) << text;
  Peer other = peer();
  other.post("list", "[1,2");
  EXPECT_NE(other.read_all().find(R"("code":"malformed")"), std::string::npos);
  Peer third = peer();
  third.post("explode", "{}");
  EXPECT_NE(third.read_all().find(R"("code":"not-found")"), std::string::npos);
}

TEST_F(ApiServerTest, JunkGetsAStatusOrNothingAndTheServerLives) {
  start();
  EXPECT_EQ(answer_to("\x16\x03\x01\x02 no http at all\r\n\r\n").rfind("HTTP/1.1 400", 0), 0u);
  EXPECT_EQ(answer_to("GET / HTTP/1.1\r\n\r\n").rfind("HTTP/1.1 404", 0), 0u);
  EXPECT_EQ(answer_to("GET /v1/list HTTP/1.1\r\n\r\n").rfind("HTTP/1.1 405", 0), 0u);
  EXPECT_EQ(
      answer_to("POST /v1/events HTTP/1.1\r\nContent-Length: 0\r\n\r\n").rfind("HTTP/1.1 405", 0),
      0u);
  EXPECT_EQ(
      answer_to("POST /v1/list HTTP/1.0\r\nContent-Length: 0\r\n\r\n").rfind("HTTP/1.1 505", 0),
      0u);
  EXPECT_EQ(answer_to("GET /v1/events HTTP/1.1\r\n\r\nGET /v1/events HTTP/1.1\r\n\r\n")
                .rfind("HTTP/1.1 400", 0),
            0u);
  const std::string long_header = "X: " + std::string(limits::kApiHeaderMax, 'x') + "\r\n\r\n";
  EXPECT_EQ(answer_to("GET /v1/list HTTP/1.1\r\n" + long_header).rfind("HTTP/1.1 431", 0), 0u);
  EXPECT_EQ(answer_to("POST /v1/list HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n")
                .rfind("HTTP/1.1 413", 0),
            0u);
  Peer half = peer();
  half.send("POST /v1/list HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}");
  half.shut_down_sending();
  EXPECT_EQ(half.read_all(), "");
  expect_alive();
}

TEST_F(ApiServerTest, ARequestThatDoesNotComeEndsAtItsDeadline) {
  options_.session.request_time = 50ms;
  start();
  Peer silent = peer();
  EXPECT_EQ(silent.read_all(), "");
  Peer slow = peer();
  slow.send("POST /v1/list HTTP/1.1\r\nContent-");
  EXPECT_EQ(slow.read_all(), "");
}

TEST_F(ApiServerTest, TheDeadlineIsNotOneOfTheAnswer) {
  options_.session.request_time = 50ms;
  start();
  Peer client = peer();
  client.post("doctor", "{}");
  const Command command = notes_.next_command();
  Peer silent = peer();
  EXPECT_EQ(silent.read_all(), "");  // its deadline passes, and so would the first one's
  server_->deliver(Reply{command.request, Done(DoctorAnswer{})});
  EXPECT_NE(client.read_all().find("\"checks\":[]"), std::string::npos);
}

TEST_F(ApiServerTest, AClientThatLeavesCancelsItsCommand) {
  start();
  Peer client = peer();
  client.post("verify", "{}");
  const Command command = notes_.next_command();
  client.leave();
  EXPECT_TRUE(notes_.wait_cancelled(command.request));
  server_->deliver(Reply{command.request, Done(VerifyReport{})});  // too late: ignored
  Peer other = peer();
  other.post("verify", "{}");
  const Command second = notes_.next_command();
  other.shut_down_sending();
  EXPECT_TRUE(notes_.wait_cancelled(second.request));
  expect_alive();
}

TEST_F(ApiServerTest, ADetachedFetchIsAnsweredWhenItIsUnderWayAndNotCancelled) {
  start();
  Json body;
  Link link;
  link.share.bytes.fill(0xab);
  body["link"] = link.to_string();
  body["directory"] = "/data";
  body["detach"] = true;
  Peer client = peer();
  client.post("fetch", body.dump());
  const Command command = notes_.next_command();
  EXPECT_TRUE(std::get<Fetch>(command.body).detached);
  FetchProgress progress;
  progress.share = link.share;
  server_->deliver(Reply{command.request, Progress(progress)});
  EXPECT_NE(client.read_all().find("\"event\":\"done\",\"share\":\"" + link.share.hex() +
                                   "\",\"detached\":true"),
            std::string::npos);
  Peer told = peer();
  told.post("fetch", body.dump());
  ShareAnswer shown;
  shown.share.share = link.share;
  server_->deliver(Reply{notes_.next_command().request, Done(shown)});
  EXPECT_NE(told.read_all().find("\"detached\":true"), std::string::npos);
  Peer hasty = peer();
  hasty.post("fetch", body.dump());
  const Command second = notes_.next_command();
  hasty.leave();
  expect_alive();
  server_->deliver(Reply{second.request, Progress(progress)});
  expect_alive();
  EXPECT_EQ(notes_.cancelled(), 0u);
}

TEST_F(ApiServerTest, ASharesUpdatesAreLines) {
  start();
  Peer client = peer();
  client.post("share", R"({"path":"/data"})");
  const RequestId request = notes_.next_share();
  server_->deliver(request, ShareUpdate(BadEntry{"a", "a socket"}));
  server_->deliver(request, ShareUpdate(BadEntry{"b", "a device"}));
  server_->deliver(request, ShareUpdate(local_error(Errc::kConflict, "two entries are bad")));
  const std::string text = client.read_all();
  EXPECT_EQ(count_of(text, "\"event\":\"bad-entry\""), 2u);
  EXPECT_LT(text.find("a device"), text.find("two entries"));
}

TEST_F(ApiServerTest, ProgressIsReplacedByLaterProgress) {
  options_.session.progress_every = 1h;
  start();
  Peer client = peer();
  client.post("verify", "{}");
  const Command command = notes_.next_command();
  FetchProgress progress;
  for (int i = 0; i < 1'000; ++i) {
    progress.bytes_done = static_cast<std::uint64_t>(i);
    server_->deliver(Reply{command.request, Progress(progress)});
  }
  server_->deliver(Reply{command.request, Done(VerifyReport{})});
  const std::string text = client.read_all();
  // None at all where the end came before the server's thread had its turn.
  EXPECT_LE(count_of(text, "\"event\":\"progress\""), 1u);
  EXPECT_EQ(count_of(text, "\"event\":\"done\""), 1u);
}

TEST_F(ApiServerTest, TheLastProgressOfAPauseIsShownLater) {
  options_.session.progress_every = 20ms;
  start();
  Peer client = peer();
  client.post("verify", "{}");
  const Command command = notes_.next_command();
  FetchProgress progress;
  for (int i = 0; i < 100; ++i) {
    progress.bytes_done = static_cast<std::uint64_t>(i);
    server_->deliver(Reply{command.request, Progress(progress)});
  }
  EXPECT_NE(client.read_until("\"bytes_done\":99,").find("\"bytes_done\":99,"), std::string::npos);
}

TEST_F(ApiServerTest, EventsReachEveryListener) {
  start();
  Peer one = peer();
  Peer two = peer();
  one.get_events();
  two.get_events();
  one.read_until("\r\n\r\n");
  two.read_until("\r\n\r\n");
  server_->publish({"peer-connected", "connected", "nas"});
  EXPECT_NE(one.read_until("nas").find(R"("event":"node","kind":"peer-connected")"),
            std::string::npos);
  EXPECT_NE(two.read_until("nas").find("\"subject\":\"nas\""), std::string::npos);
  server_->stop();
  EXPECT_NE(one.read_all().find("\"code\":\"closed\""), std::string::npos);
}

TEST_F(ApiServerTest, AListenerThatDoesNotReadIsDroppedAndNobodyElseSuffers) {
  options_.session.backlog = 64 * 1024;
  start();
  Peer lazy = peer();
  Peer good = peer();
  lazy.get_events();
  good.get_events();
  lazy.read_until("\r\n\r\n");
  good.read_until("\r\n\r\n");
  const std::string filler(1'000, 'x');
  constexpr int kEvents = 2'000;  // 2 MB: more than backlog and socket buffer
  for (int i = 0; i < kEvents; ++i) {
    const std::string name = "event-" + std::to_string(i) + ".";
    server_->publish({"kind", filler, name});
    good.read_until(name);
  }
  const std::string text = lazy.read_all();
  EXPECT_EQ(text.find("event-" + std::to_string(kEvents - 1) + "."), std::string::npos);
  EXPECT_LT(text.size(), 1'500'000u);
  expect_alive();
}

TEST_F(ApiServerTest, ACommandWhoseClientDoesNotReadIsCancelled) {
  options_.session.backlog = 64 * 1024;
  start();
  Peer lazy = peer();
  lazy.post("share", R"({"path":"/data"})");
  const RequestId request = notes_.next_share();
  const std::string filler(1'000, 'x');
  for (int i = 0; i < 2'000; ++i) server_->deliver(request, ShareUpdate(BadEntry{filler, filler}));
  EXPECT_TRUE(notes_.wait_cancelled(request));
  expect_alive();
}

TEST_F(ApiServerTest, ProgressNeverPilesUp) {
  options_.session.backlog = 16 * 1024;
  options_.session.progress_every = 0ms;
  start();
  Peer lazy = peer();
  lazy.post("verify", "{}");
  const Command command = notes_.next_command();
  FetchProgress progress;
  progress.name = std::string(1'000, 'x');
  for (int i = 0; i < 3'000; ++i) server_->deliver(Reply{command.request, Progress(progress)});
  server_->deliver(Reply{command.request, Done(VerifyReport{})});
  EXPECT_NE(lazy.read_all().find("\"event\":\"done\""), std::string::npos);
  EXPECT_EQ(notes_.cancelled(), 0u);
}

TEST_F(ApiServerTest, ALongAnswerArrivesWhole) {
  options_.session.backlog = 64 * 1024;
  start();
  Peer client = peer();
  client.post("list", "{}");
  const Command command = notes_.next_command();
  SharesAnswer answer;
  answer.shares.resize(5'000);
  server_->deliver(Reply{command.request, Done(std::move(answer))});
  const std::string text = client.read_all();
  EXPECT_EQ(count_of(text, "\"swarm_name\""), 5'000u);
  EXPECT_EQ(text.substr(text.size() - 5), "0\r\n\r\n");
}

TEST_F(ApiServerTest, ConnectionsAreLimited) {
  start();
  std::deque<Peer> clients;
  for (std::size_t i = 0; i < limits::kApiConnections; ++i) {
    clients.emplace_back(options_.home);
    clients.back().get_events();
    clients.back().read_until("\r\n\r\n");
  }
  Peer refused = peer();
  EXPECT_EQ(refused.read_all().rfind("HTTP/1.1 503", 0), 0u);
  clients.pop_back();
  // The place is free when the server has seen the end; until then it refuses.
  for (;;) {
    Peer next = peer();
    next.get_events();
    const std::string text = next.read_until("\r\n\r\n");
    if (text.rfind("HTTP/1.1 200", 0) == 0) break;
    ASSERT_EQ(text.rfind("HTTP/1.1 503", 0), 0u) << text;
  }
}

TEST_F(ApiServerTest, StopIsAnsweredBeforeTheNodeEnds) {
  start();
  Peer client = peer();
  client.post("stop", "{}");
  EXPECT_TRUE(notes_.wait_stopped());
  server_->stop();
  EXPECT_NE(client.read_all().find("\"event\":\"done\""), std::string::npos);
}

TEST_F(ApiServerTest, WhatIsStillAskedWhenTheNodeEndsFails) {
  start();
  Peer client = peer();
  client.post("doctor", "{}");
  (void)notes_.next_command();
  Peer silent = peer();
  server_->stop();
  EXPECT_NE(client.read_all().find(R"("code":"closed","exit":3)"), std::string::npos);
  EXPECT_EQ(silent.read_all(), "");
  server_->stop();
}

TEST_F(ApiServerTest, AClientThatNeverReadsDoesNotKeepTheNodeFromEnding) {
  start();
  Peer lazy = peer();
  lazy.post("list", "{}");
  const Command command = notes_.next_command();
  SharesAnswer answer;
  answer.shares.resize(20'000);  // more than a socket takes
  server_->deliver(Reply{command.request, Done(std::move(answer))});
  server_->stop();
}

TEST_F(ApiServerTest, NoDescriptorIsLeftBehind) {
  const auto open_descriptors = [] {
    std::size_t count = 0;
    DIR* directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
  };
  const std::size_t before = open_descriptors();
  start();
  for (int i = 0; i < 20; ++i) expect_alive();
  {
    Peer silent = peer();
    server_.reset();
  }
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace kith::node
