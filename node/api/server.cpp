#include "node/api/server.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <utility>

#include "node/api/json.hpp"
#include "node/api/routes.hpp"
#include "node/api/session.hpp"
#include "node/api/socket.hpp"

namespace kith::node {
namespace {

namespace net = boost::asio;
using Protocol = net::local::stream_protocol;
using Ec = boost::system::error_code;

constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when descriptors run out
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 21\r\n\r\n"
    "too many connections\n";

/// Of the content that all clients together asked for and did not take yet, about.
constexpr std::size_t kReadMemory = 64 * limits::kMiB;
/// Everybody may read so much at a time, whatever others hold.
constexpr std::size_t kPortionMin = 64 * limits::kKiB;

/// The share of a fetch that the engine has begun, or leaves to itself.
const ShareId* share_under_way(const Reply& reply) {
  if (const auto* progress = std::get_if<Progress>(&reply.body)) {
    const auto* fetch = std::get_if<FetchProgress>(progress);
    return fetch == nullptr ? nullptr : &fetch->share;
  }
  const auto* done = std::get_if<Done>(&reply.body);
  const auto* shown = done == nullptr ? nullptr : std::get_if<ShareAnswer>(done);
  return shown == nullptr ? nullptr : &shown->share.share;
}

Line last_line(const Error& error) { return {LineKind::kLast, to_json(error)}; }

}  // namespace

/// Everything but start(), stop() and the posting functions runs on the API thread.
class ApiServer::Impl final : public SessionHandler {
 public:
  Impl(ApiBackend& backend, ApiOptions options)
      : backend_(backend),
        options_(std::move(options)),
        work_(io_.get_executor()),
        acceptor_(io_),
        pause_(io_),
        flush_(io_) {}
  ~Impl() override { stop(); }

  Result<void> start() {
    KITH_TRY(UniqueFd fd, listen_api(options_.home));
    Ec error;
    acceptor_.assign(Protocol(), fd.get(), error);
    if (error) return local_error(Errc::kIo, "cannot serve the API: " + error.message());
    (void)fd.release();
    net::post(io_, [this] { accept(); });
    thread_ = std::thread([this] { io_.run(); });
    return {};
  }

  void stop() {
    if (!thread_.joinable()) return;
    net::post(io_, [this] { begin_stop(); });
    thread_.join();
    remove_api_socket(options_.home);
  }

  void deliver(Reply reply) {
    net::post(io_, [this, reply = std::move(reply)] { answer(reply); });
  }

  void deliver(RequestId request, ShareUpdate update) {
    net::post(io_,
              [this, request, update = std::move(update)] { answer(request, to_line(update)); });
  }

  void publish(NodeEvent event) {
    if (listeners_ == 0) return;
    net::post(io_, [this, event = std::move(event)] { tell(event); });
  }

 private:
  struct Client {
    std::shared_ptr<Session> session;
    std::optional<RequestId> request;  // not yet answered
    bool detached = false;
    bool listens = false;
    std::size_t portion = 0;  // bytes of content asked for; they are held until it goes
  };

  // --- connections ---

  void accept() {
    if (stopping_) return;
    acceptor_.async_accept([this](const Ec& error, Protocol::socket socket) {
      if (error == net::error::operation_aborted) return;
      if (error) return pause_accepting();
      admit(std::move(socket));
      accept();
    });
  }

  /// Out of descriptors, most likely: the connection stays in the queue, so asking again at once
  /// would only turn in circles.
  void pause_accepting() {
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](const Ec& error) {
      if (!error) accept();
    });
  }

  void admit(Protocol::socket socket) {
    if (!is_same_user(socket.native_handle())) return;
    if (clients_.size() >= options_.connections) {
      // Fits the socket's buffer, or the client is told by the end of the connection.
      (void)::send(socket.native_handle(), kFull.data(), kFull.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      return;
    }
    auto session = make_session(std::move(socket), options_.session, *this);
    Client client;
    client.session = session;
    clients_.emplace(session.get(), std::move(client));
    session->start();
  }

  void on_end(Session& session) override {
    const auto at = clients_.find(&session);
    if (at == clients_.end()) return;
    const Client client = std::move(at->second);
    clients_.erase(at);
    if (client.listens) --listeners_;
    if (client.request) {
      requests_.erase(*client.request);
      if (!client.detached) backend_.cancel(*client.request);
    }
    if (stopping_ && clients_.empty()) io_.stop();
  }

  // --- requests ---

  void on_command(Session& session, const std::string& name, const std::string& body) override {
    auto arguments = parse_arguments(body);
    if (!arguments) return session.write(last_line(arguments.error()));
    auto request = parse_request(name, *arguments);
    if (!request) return session.write(last_line(request.error()));
    if (stopping_) return session.write(last_line(ending()));
    const auto id = RequestId{next_request_++};
    Client& client = clients_.at(&session);
    client.request = id;
    client.detached = request->detached;
    requests_.emplace(id, &session);
    if (auto* command = std::get_if<CommandBody>(&request->body)) limit_read(client, *command);
    std::visit([&](auto& command) { run(id, std::move(command)); }, request->body);
  }

  /// A quarter of what is left for all: a client that does not read leaves enough for the next one.
  void limit_read(Client& client, CommandBody& command) const {
    auto* read = std::get_if<ReadFile>(&command);
    if (read == nullptr) return;
    std::size_t held = 0;
    for (const auto& [session, other] : clients_) held += other.portion;
    const std::size_t most = (kReadMemory - std::min(held, kReadMemory)) / 4;
    client.portion = std::min<std::size_t>(read->length, std::max(most, kPortionMin));
    read->length = static_cast<std::uint32_t>(client.portion);
  }

  void run(RequestId id, CommandBody command) { backend_.submit({id, std::move(command)}); }
  void run(RequestId id, ShareRequest share) { backend_.start_share(id, std::move(share)); }
  void run(RequestId id, StopRequest) {
    answer(id, {LineKind::kLast, done_line()});
    backend_.request_stop();
  }

  void on_events(Session& session) override {
    clients_.at(&session).listens = true;
    ++listeners_;
    if (stopping_) session.write(last_line(ending()));
  }

  // --- answers ---

  void answer(const Reply& reply) {
    if (requests_.count(reply.request) == 0) return;
    answer(reply.request, detach(reply).value_or(to_line(reply)));
  }

  /// The client of a detached fetch has its answer as soon as the fetch is under way.
  std::optional<Line> detach(const Reply& reply) {
    const ShareId* share = share_under_way(reply);
    if (share == nullptr || !clients_.at(requests_.at(reply.request)).detached) return {};
    return Line{LineKind::kLast, detached_line(*share)};
  }

  void answer(RequestId id, Line line) {
    const auto at = requests_.find(id);
    if (at == requests_.end()) return;
    Session* session = at->second;
    if (line.kind == LineKind::kLast) {
      clients_.at(session).request.reset();
      requests_.erase(at);
    }
    session->write(std::move(line));
  }

  void tell(const NodeEvent& event) {
    const Json json = to_json(event);
    for (const auto& [session, client] : clients_) {
      if (client.listens) session->write({LineKind::kItem, json});
    }
  }

  // --- the end ---

  static Error ending() { return local_error(Errc::kClosed, "the node is stopping"); }

  void begin_stop() {
    stopping_ = true;
    acceptor_.close();
    pause_.cancel();
    if (clients_.empty()) return io_.stop();
    for (const auto& [session, client] : clients_) session->write(last_line(ending()));
    requests_.clear();
    for (auto& [session, client] : clients_) client.request.reset();
    flush_.expires_after(limits::kApiFlushTime);
    flush_.async_wait([this](const Ec&) { io_.stop(); });
  }

  ApiBackend& backend_;
  const ApiOptions options_;
  net::io_context io_{1};
  net::executor_work_guard<net::io_context::executor_type> work_;
  Protocol::acceptor acceptor_;
  net::steady_timer pause_;
  net::steady_timer flush_;
  std::map<Session*, Client> clients_;
  std::map<RequestId, Session*> requests_;
  std::uint64_t next_request_ = 1;
  std::atomic<int> listeners_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

ApiServer::ApiServer(ApiBackend& backend, ApiOptions options)
    : impl_(std::make_unique<Impl>(backend, std::move(options))) {}
ApiServer::~ApiServer() = default;
Result<void> ApiServer::start() { return impl_->start(); }
void ApiServer::deliver(Reply reply) { impl_->deliver(std::move(reply)); }
void ApiServer::deliver(RequestId request, ShareUpdate update) {
  impl_->deliver(request, std::move(update));
}
void ApiServer::publish(NodeEvent event) { impl_->publish(std::move(event)); }
void ApiServer::stop() { impl_->stop(); }

}  // namespace kith::node
