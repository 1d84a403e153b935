#include "node/runtime.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <future>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include "node/api/server.hpp"
#include "node/engine/engine.hpp"
#include "node/jobs/catalog_rows.hpp"
#include "node/jobs/jobs.hpp"
#include "node/runtime/home.hpp"
#include "node/runtime/import_driver.hpp"
#include "node/runtime/in_parallel.hpp"
#include "node/runtime/inbox.hpp"
#include "node/runtime/interfaces.hpp"
#include "node/runtime/listen.hpp"
#include "node/runtime/log.hpp"
#include "proto/crypto/random.hpp"
#include "storage/may_block.hpp"
#include "storage/posix_file_io.hpp"
#include "storage/schema.hpp"

namespace kith::node {
namespace {

using namespace std::chrono_literals;

// How long connections may take to say farewell.
constexpr auto kFarewell = 500ms;
constexpr const char* kPortSetting = "port";
constexpr std::size_t kOwnerDigits = 8;  // of the device's id, in the names of stagings
constexpr std::uint64_t kLowSpace = 256 * limits::kMiB;

Now now() {
  const auto mono = std::chrono::steady_clock::now().time_since_epoch();
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return {TimePoint(std::chrono::duration_cast<Duration>(mono)),
          UnixMillis(std::chrono::duration_cast<std::chrono::milliseconds>(wall).count())};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "device";
  const std::string text(name.data());
  return text.substr(0, limits::kDeviceNameMax);
}

bool is_network_job(const Job& job) {
  return !std::holds_alternative<VerifyChunkJob>(job) &&
         !std::holds_alternative<CopyChunkJob>(job) && !std::holds_alternative<ScanTreeJob>(job) &&
         !std::holds_alternative<CompareDestinationJob>(job) &&
         !std::holds_alternative<MoveCopyJob>(job) &&
         !std::holds_alternative<DiscardFetchJob>(job) &&
         !std::holds_alternative<CollectGarbageJob>(job);
}

bool is_repair(const Job& job) {
  return std::holds_alternative<MendChunkJob>(job) || std::holds_alternative<MendFromCopyJob>(job);
}

// These wait for the disk. In order, so that each syncs all that was written before it.
bool is_sync_job(const Job& job) {
  return std::holds_alternative<SyncJob>(job) || std::holds_alternative<FinishFetchJob>(job) ||
         std::holds_alternative<RenameFetchJob>(job) || is_repair(job);
}

DoctorCheck check_disk(storage::FileIo& io, const std::string& home) {
  const auto dir = io.open_root(home);
  if (!dir) return {"disk", "problem", "the home cannot be opened: " + to_string(dir.error()), {}};
  const auto info = io.file_system(*dir);
  if (!info) return {"disk", "problem", "the disk cannot be asked: " + to_string(info.error()), {}};
  const std::string free = std::to_string(info->free_bytes / limits::kMiB) + " MiB free at " + home;
  if (info->free_bytes >= kLowSpace) return {"disk", "ok", free, {}};
  return {"disk", "warning", free, "fetches stop when a disk is full; make room"};
}

/// Of whatever is wrong with the catalog: in one line, with the file, and what to do about it.
Result<storage::Catalog> open_catalog(const std::string& path) {
  auto catalog = storage::Catalog::open(path);
  if (catalog) return catalog;
  Error error = std::move(catalog).error();
  std::replace(error.what.begin(), error.what.end(), '\n', ' ');
  if (error.subject.empty()) error.subject = path;
  if (error.hint.empty()) error.hint = "restore it from a backup, or begin anew in another home";
  return error;
}

DoctorCheck check_versions() {
  return {"versions",
          "ok",
          "kith " KITH_VERSION ", protocol kith/1, catalog schema " +
              std::to_string(storage::schema_version()) +
              "; members of another protocol version would meet silence",
          {}};
}

// A reading connection to the catalog, for jobs.
struct CatalogReader {
  explicit CatalogReader(storage::Catalog opened) : catalog(std::move(opened)) {}
  storage::Catalog catalog;
  std::mutex mutex;

  Manifests::Source source() {
    // Manifests calls these one at a time; the mutex is for the copies' look-up, which does not.
    return {
        [this](const ShareId& share) -> Result<std::optional<Buffer>> {
          const std::lock_guard lock(mutex);
          KITH_TRY(auto record, catalog.share(share));
          if (!record) return std::optional<Buffer>();
          return std::optional(std::move(record->root));
        },
        [this](const ShareId& share) -> Result<std::optional<ChunkKey>> {
          const std::lock_guard lock(mutex);
          KITH_TRY(auto record, catalog.share(share));
          if (!record) return std::optional<ChunkKey>();
          return std::optional(record->key);
        },
        [this](const ShareId& share, std::uint32_t page) {
          const std::lock_guard lock(mutex);
          return catalog.page(share, page);
        },
        [this](CopyId copy, std::uint32_t page) {
          const std::lock_guard lock(mutex);
          return catalog.file_stats(copy, page);
        },
        [this](const ChunkId& id) {
          const std::lock_guard lock(mutex);
          return catalog.find_chunk(id);
        },
    };
  }

  CopyTable::Lookup lookup() {
    return [this](CopyId id) -> Result<std::optional<CopyTable::Place>> {
      const std::lock_guard lock(mutex);
      KITH_TRY(const auto copies, catalog.copies());
      for (const storage::CopyRecord& copy : copies) {
        if (copy.id != id) continue;
        const bool fetching = copy.state == storage::CopyState::kFetching;
        return std::optional(CopyTable::Place{copy.share, copy.path, fetching});
      }
      return std::optional<CopyTable::Place>();
    };
  }
};

}  // namespace

struct Runtime::Impl final : TcpEvents, ApiBackend {
  explicit Impl(RuntimeOptions given) : options(std::move(given)) {}
  ~Impl() override;

  Result<void> open();
  Result<void> open_sockets(std::uint16_t port);
  void make_engine(const DeviceKeys& keys);
  void make_threads(storage::Catalog writing);
  Result<void> begin(const SavedState& state);
  void run_network();
  void begin_stop();
  void finish_stop();
  void save_late_results();

  // T0: the engine's outputs
  template <class F>
  void turn(F&& input);
  void apply(Outbox& out);
  void dispatch(Job job);
  void answer(Reply reply);
  void collect_catalog(Reply reply);
  void arm_timer();

  // TcpEvents, on T0
  std::optional<ConnId> on_accepted(const Endpoint& from) override;
  void on_connected(ConnId conn, const Endpoint& local) override;
  void on_closed(ConnId conn, const Error& why) override;
  void read_plan(ConnId conn, std::vector<MutableBytes>& out) override {
    engine->read_plan(conn, out);
  }
  void on_read(ConnId conn, std::size_t n) override;
  void write_plan(ConnId conn, std::vector<Bytes>& out) override { engine->write_plan(conn, out); }
  void on_wrote(ConnId conn, std::size_t n) override;

  // ApiBackend, on the API's thread
  void submit(Command command) override { commands.put(std::move(command)); }
  void start_share(RequestId request, ShareRequest share) override;
  void cancel(RequestId request) override;
  void request_stop() override { begin_stop(); }

  RuntimeOptions options;
  SystemRng rng;
  SlabPool slabs;
  storage::PosixFileIo io;
  std::optional<Log> log;
  std::string boot;

  asio::io_context context{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  asio::steady_timer timer{context};
  asio::steady_timer farewell{context};
  std::unique_ptr<Engine> engine;
  std::unique_ptr<UdpDriver> udp;
  std::unique_ptr<BeaconDriver> beacons;
  std::unique_ptr<TcpDriver> tcp;
  std::vector<Endpoint> listening;
  std::optional<TimePoint> armed;
  Duration longest_turn{};
  int depth = 0;  // turns within turns: a driver called from apply() may call back
  std::atomic<bool> stopping = false;  // T0 sets it

  std::unique_ptr<CatalogReader> reader;
  std::unique_ptr<CatalogReader> index;
  std::unique_ptr<Jobs> jobs;
  std::unique_ptr<CatalogThread> catalog;
  std::unique_ptr<Pool> pool;
  std::unique_ptr<Worker> sync;
  std::unique_ptr<ImportDriver> imports;
  std::unique_ptr<ApiServer> api;

  Inbox<JobResult> results{
      context, [this](std::vector<JobResult> batch) {
        for (JobResult& result : batch) {
          turn([&](Outbox& out) { engine->handle_job(now(), std::move(result), out); });
        }
      }};
  Inbox<CatalogDone> saved{context, [this](std::vector<CatalogDone> batch) {
                             for (const CatalogDone& done : batch) {
                               turn([&](Outbox& out) { engine->handle_catalog(now(), done, out); });
                             }
                           }};
  Inbox<Command> commands{
      context, [this](std::vector<Command> batch) {
        for (Command& command : batch) {
          turn([&](Outbox& out) { engine->handle_command(now(), std::move(command), out); });
        }
      }};

  std::thread network;
  std::mutex state_mutex;
  std::condition_variable ended_signal;
  bool stop_requested = false;
  bool ended = false;
};

// --- beginning ---

Result<void> Runtime::Impl::open() {
  init_crypto();
  KITH_CHECK(storage::check_home_filesystem(io, options.home));
  ::mkdir((options.home + "/log").c_str(), 0700);
  KITH_TRY(log, Log::open(options.log_to_stderr ? "" : options.home + "/log/kith.log",
                          options.log_level));
  KITH_TRY(std::optional<DeviceKeys> keys, load_keys(options.home));
  KITH_TRY(storage::Catalog writing, open_catalog(catalog_path(options.home)));
  KITH_TRY(storage::Catalog reading, storage::Catalog::open_read_only(catalog_path(options.home)));
  KITH_TRY(storage::Catalog indexing, storage::Catalog::open_read_only(catalog_path(options.home)));
  reader = std::make_unique<CatalogReader>(std::move(reading));
  index = std::make_unique<CatalogReader>(std::move(indexing));
  boot = io.boot_id();
  KITH_CHECK(writing.remove_unused());
  KITH_TRY(const SavedState state, load_state(writing, boot));
  if (!keys) {
    KITH_TRY(keys, make_keys(options.home, state.swarms.empty(), rng));
  }
  KITH_TRY(const auto saved_port, writing.setting(kPortSetting));
  const int port = saved_port ? std::atoi(saved_port->c_str()) : kDefaultPort;
  KITH_CHECK(open_sockets(static_cast<std::uint16_t>(port)));
  make_engine(*keys);
  make_threads(std::move(writing));
  if (!options.listen && listening.front().port() != port) {
    const std::string used = std::to_string(listening.front().port());
    catalog->write({PutSetting{kPortSetting, used}, {}, false});
  }
  return begin(state);
}

Result<void> Runtime::Impl::open_sockets(std::uint16_t port) {
  udp = std::make_unique<UdpDriver>(context, [this](std::span<const ReceivedDatagram> batch) {
    turn([&](Outbox& out) {
      const Now at = now();
      for (const ReceivedDatagram& d : batch) engine->handle_datagram(at, d.from, d.bytes, out);
    });
  });
  tcp = std::make_unique<TcpDriver>(context, *this);
  KITH_TRY(const Endpoint bound, listen_on(*udp, *tcp, options.listen, port));
  listening = {bound};
  if (!options.lan) return {};
  beacons = std::make_unique<BeaconDriver>(context, [this](const Endpoint& from, Bytes bytes) {
    turn([&](Outbox& out) { engine->handle_beacon(now(), from, bytes, out); });
  });
  if (const auto opened = beacons->open(); !opened) {
    log->write(LogLevel::kWarning, "no LAN beacons: " + to_string(opened.error()));
  }
  return {};
}

void Runtime::Impl::make_engine(const DeviceKeys& keys) {
  const Endpoint& bound = listening.front();
  EngineConfig config;
  config.keys = keys;
  config.device_name = options.device_name.empty() ? host_name() : options.device_name;
  config.version = KITH_VERSION;
  config.home = options.home;
  config.pid = ::getpid();
  config.listening = listening;
  config.own = bound.is_unspecified() ? own_endpoints(bound.port()) : std::vector{bound};
  config.advertise = options.advertise;
  config.bootstrap = options.bootstrap;
  config.lan = options.lan;
  config.limit = options.limit;
  config.scrub = options.scrub;
  engine = std::make_unique<Engine>(std::move(config), rng, slabs);
}

void Runtime::Impl::make_threads(storage::Catalog writing) {
  jobs = std::make_unique<Jobs>(
      io, slabs, reader->source(), reader->lookup(),
      JobsOptions{options.home, options.min_free, engine->device().hex().substr(0, kOwnerDigits),
                  in_parallel,
                  [this](const auto& path) { return check_not_into_home(path, options.home); }});
  pool = std::make_unique<Pool>(std::max(2U, std::thread::hardware_concurrency()) + 1);
  sync = std::make_unique<Worker>();
  catalog = std::make_unique<CatalogThread>(
      std::move(writing), boot, [this](CatalogDone done) { saved.put(std::move(done)); },
      [this](const CatalogBody& body) { jobs->manifests().saved(body); });
  imports = std::make_unique<ImportDriver>(ImportDriver::Links{
      options.home, io, slabs, *pool, *catalog, jobs->manifests(), index->catalog,
      [] { return now().wall; }, [this](Command command) { submit(std::move(command)); },
      [this](RequestId request, ShareUpdate update) { api->deliver(request, std::move(update)); }});
  api = std::make_unique<ApiServer>(*this, ApiOptions{.home = options.home, .session = {}});
}

Result<void> Runtime::Impl::begin(const SavedState& state) {
  work.emplace(asio::make_work_guard(context));
  asio::post(context, [this, state] {
    turn([&](Outbox& out) { engine->start(now(), state, out); });
    udp->start();
    tcp->start();
    if (beacons) beacons->start();
  });
  KITH_CHECK(api->start());
  network = std::thread([this] { run_network(); });
  log->write(LogLevel::kInfo, "listening on " + listening.front().to_string());
  return {};
}

void Runtime::Impl::run_network() {
  storage::this_thread_must_not_block = true;
  context.run();
}

// --- turns ---

// One input to the engine and all that it leads to. What the drivers report while outputs are
// applied are turns of their own.
template <class F>
void Runtime::Impl::turn(F&& input) {
  const auto begin = std::chrono::steady_clock::now();
  Outbox out;
  ++depth;
  input(out);
  apply(out);
  if (--depth > 0) return;
  const Duration took = std::chrono::steady_clock::now() - begin;
  if (took > longest_turn) {
    longest_turn = took;
    engine->set_longest_turn(took);
  }
  arm_timer();
}

void Runtime::Impl::apply(Outbox& out) {
  for (const LogLine& line : out.log) log->write(line.level, line.text);
  for (const OutDatagram& datagram : out.datagrams) udp->send(datagram.to, datagram.bytes);
  if (beacons) {
    for (const OutBeacon& beacon : out.beacons) beacons->send(beacon.bytes);
  }
  for (CatalogWrite& write : out.catalog) catalog->write(std::move(write));
  for (Job& job : out.jobs) dispatch(std::move(job));
  for (Reply& reply : out.replies) answer(std::move(reply));
  for (NodeEvent& event : out.events) api->publish(std::move(event));
  for (const OutConnect& connect : out.connects) tcp->connect(connect.conn, connect.to);
  for (const ConnId conn : out.writable) tcp->writable(conn);
  for (const OutClose& close : out.closes) tcp->close(close.conn, close.flush);
}

void Runtime::Impl::dispatch(Job job) {
  const bool is_sync = is_sync_job(job);
  const auto kind = is_network_job(job) ? Pool::Kind::kNetwork : Pool::Kind::kBackground;
  // std::function must be copyable; jobs own slabs and are not.
  auto shared = std::make_shared<Job>(std::move(job));
  auto run = [this, shared] {
    // There may be many, and each waits for the disk: the next start looks for them again.
    if (stopping && is_repair(*shared)) return;
    results.put(jobs->run(std::move(*shared), now().wall));
  };
  if (is_sync) {
    sync->post(std::move(run));
  } else {
    pool->post(kind, std::move(run));
  }
}

void Runtime::Impl::answer(Reply reply) {
  if (imports->deliver(reply)) return;
  auto* done = std::get_if<Done>(&reply.body);
  if (done != nullptr && std::holds_alternative<GarbageReport>(*done)) {
    return collect_catalog(std::move(reply));
  }
  if (done == nullptr || !std::holds_alternative<DoctorAnswer>(*done)) {
    return api->deliver(std::move(reply));
  }
  // The other half of the doctor looks at the disk, which this thread must not.
  auto shared = std::make_shared<Reply>(std::move(reply));
  pool->post(Pool::Kind::kNetwork, [this, shared] {
    auto& checks = std::get<DoctorAnswer>(std::get<Done>(shared->body)).checks;
    checks.push_back(check_disk(io, options.home));
    checks.push_back(check_versions());
    api->deliver(std::move(*shared));
  });
}

// The other half of `kith gc`: the rows of what it took away were queued before.
void Runtime::Impl::collect_catalog(Reply reply) {
  auto shared = std::make_shared<Reply>(std::move(reply));
  auto& report = std::get<GarbageReport>(std::get<Done>(shared->body));
  catalog->give_back(report.dry_run, [this, shared, &report](std::uint64_t bytes) {
    report.catalog_bytes = bytes;
    api->deliver(std::move(*shared));
  });
}

void Runtime::Impl::arm_timer() {
  const auto at = engine->next_timeout();
  if (at == armed) return;
  armed = at;
  if (!at || stopping) return;
  timer.expires_at(std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(at->time_since_epoch())));
  timer.async_wait([this](const error_code& ec) {
    if (ec || stopping) return;
    armed.reset();
    turn([&](Outbox& out) { engine->handle_timeout(now(), out); });
  });
}

// --- TcpEvents ---

std::optional<ConnId> Runtime::Impl::on_accepted(const Endpoint& from) {
  std::optional<ConnId> conn;
  turn([&](Outbox& out) { conn = engine->handle_accepted(now(), from, out); });
  return conn;
}

void Runtime::Impl::on_connected(ConnId conn, const Endpoint& local) {
  turn([&](Outbox& out) { engine->handle_connected(now(), conn, local, out); });
}

void Runtime::Impl::on_closed(ConnId conn, const Error& why) {
  turn([&](Outbox& out) { engine->handle_closed(now(), conn, why, out); });
}

void Runtime::Impl::on_read(ConnId conn, std::size_t n) {
  turn([&](Outbox& out) { engine->handle_read(now(), conn, n, out); });
}

void Runtime::Impl::on_wrote(ConnId conn, std::size_t n) {
  turn([&](Outbox& out) { engine->handle_wrote(now(), conn, n, out); });
}

// --- ApiBackend ---

void Runtime::Impl::start_share(RequestId request, ShareRequest share) {
  imports->start(request, std::move(share));
}

void Runtime::Impl::cancel(RequestId request) {
  imports->cancel(request);
  submit({RequestId{0}, CancelRequest{request}});
}

// --- end ---

void Runtime::Impl::begin_stop() {
  {
    const std::lock_guard lock(state_mutex);
    if (std::exchange(stop_requested, true)) return;
  }
  asio::post(context, [this] {
    stopping = true;
    timer.cancel();
    tcp->stop_accepting();
    Outbox out;
    engine->shutdown(now(), out);
    apply(out);
    farewell.expires_after(kFarewell);
    farewell.async_wait([this](const error_code&) { finish_stop(); });
  });
}

// T0: the last thing that happens on it.
void Runtime::Impl::finish_stop() {
  tcp->close_all();
  udp->close();
  if (beacons) beacons->close();
  const std::lock_guard lock(state_mutex);
  ended = true;
  ended_signal.notify_all();
}

// What jobs did when T0 had ended: nobody acts on it any more, but the catalog is told. A repaired
// file, above all, would look like one that somebody changed.
void Runtime::Impl::save_late_results() {
  Outbox out;
  for (JobResult& result : results.take()) engine->handle_job(now(), std::move(result), out);
  engine->shutdown(now(), out);
  for (CatalogWrite& write : out.catalog) catalog->write(std::move(write));
}

// In an order in which nobody is told anything after it is gone. T0 uses all the others: it is the
// first to stop. What is posted to it later is never run; of that only the results of jobs are
// looked at. Imports use the pool and the catalog, and tell the API; the API's thread begins
// imports. The catalog comes last, so that it commits what all of them left.
Runtime::Impl::~Impl() {
  work.reset();
  context.stop();
  if (network.joinable()) network.join();
  if (imports) imports->stop();
  if (api) api->stop();
  imports.reset();
  pool.reset();
  sync.reset();
  if (engine && catalog) save_late_results();
  catalog.reset();
  // Results that nobody takes any more hold slabs; they go before the pool of slabs does.
  engine.reset();
}

namespace {

// Shares are read through descriptors that stay open for a while: as many as we may have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

// Pages and recorded file states come and go by the hundred. glibc would raise its threshold with
// the first of them, and keep what the later ones took: 100 MB more for a share of a million files.
void return_large_allocations() { (void)::mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

}  // namespace

Result<std::unique_ptr<Runtime>> Runtime::start(RuntimeOptions options) {
  raise_descriptor_limit();
  return_large_allocations();
  auto impl = std::make_unique<Impl>(std::move(options));
  KITH_CHECK(impl->open());
  return std::unique_ptr<Runtime>(new Runtime(std::move(impl)));
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Runtime::~Runtime() {
  stop();
  wait();
}

void Runtime::stop() { impl_->begin_stop(); }

void Runtime::wait() {
  std::unique_lock lock(impl_->state_mutex);
  impl_->ended_signal.wait(lock, [this] { return impl_->ended; });
}

std::vector<Endpoint> Runtime::listening() const { return impl_->listening; }

}  // namespace kith::node
