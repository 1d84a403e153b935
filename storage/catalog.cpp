#include "storage/catalog.hpp"

#include <algorithm>

#include "storage/schema.hpp"

namespace kith::storage {
namespace {

// Up to this size a start checks the whole file (some tenths of a second); beyond, `doctor` does.
constexpr std::int64_t kCheckAtStartMax = 32 * 1024 * 1024;
constexpr std::int64_t kPlacesMax = 8;
// In one row of hash_run, and swept in one step.
constexpr std::size_t kRunHashes = 2048;
// A catalog of an earlier version keeps its free pages to itself. Up to this size it is written
// anew at a start (in less than a tenth of a second), so that it gives them back from then on.
constexpr std::int64_t kRewriteMax = 4 * 1024 * 1024;
constexpr std::int64_t kIncremental = 2;  // as SQLite numbers it
constexpr std::int64_t kFlagDetached = 1, kFlagReplace = 2, kFlagSafeLinks = 4;

std::int64_t first8(Bytes id) { return static_cast<std::int64_t>(load_be<std::uint64_t>(id)); }
std::int64_t number(CopyId copy) { return static_cast<std::int64_t>(copy); }
std::int64_t number(std::uint64_t bits) { return static_cast<std::int64_t>(bits); }

Error damaged(const char* what) {
  return local_error(Errc::kIo, std::string("the catalog is damaged (") + what + ")");
}

// u8 count, then per endpoint u8 length and its compact form.
Buffer encode_endpoints(const std::vector<Endpoint>& endpoints) {
  Buffer out;
  for (const Endpoint& endpoint : endpoints) {
    const Buffer compact = endpoint.compact();
    out.push_back(static_cast<std::uint8_t>(compact.size()));
    append(out, compact);
  }
  return out;
}

Result<std::vector<Endpoint>> decode_endpoints(Bytes in) {
  std::vector<Endpoint> out;
  while (!in.empty()) {
    const std::size_t size = in[0];
    if (in.size() - 1 < size) return damaged("an address");
    const auto endpoint = Endpoint::from_compact(in.subspan(1, size));
    if (!endpoint) return damaged("an address");
    out.push_back(*endpoint);
    in = in.subspan(1 + size);
  }
  return out;
}

std::vector<std::int64_t> decode_hashes(Bytes blob) {
  std::vector<std::int64_t> out;
  for (; blob.size() >= 8; blob = blob.subspan(8)) out.push_back(first8(blob));
  return out;
}

// Globs hold no NUL: each is followed by one.
std::string join_globs(const std::vector<std::string>& globs) {
  std::string out;
  for (const std::string& glob : globs) out.append(glob).push_back('\0');
  return out;
}

std::vector<std::string> split_globs(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t end = 0; (end = text.find('\0')) != std::string_view::npos;) {
    out.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return out;
}

std::int64_t flags_of(const CopyRecord& copy) {
  return (copy.detached ? kFlagDetached : 0) | (copy.replace ? kFlagReplace : 0) |
         (copy.safe_links ? kFlagSafeLinks : 0);
}

ShareRecord read_share(const Stmt& row) {
  return {row.fixed<ShareId>(0), row.fixed<SwarmId>(1), std::string(row.text(2)),
          row.fixed<ChunkKey>(3), to_buffer(row.blob(4))};
}

Result<CopyRecord> read_copy(const Stmt& row) {
  const std::int64_t state = row.integer(2);
  if (state < 0 || state > static_cast<std::int64_t>(CopyState::kShared)) return damaged("a copy");
  CopyRecord copy;
  copy.id = CopyId(row.integer(0));
  copy.share = row.fixed<ShareId>(1);
  copy.state = static_cast<CopyState>(state);
  copy.detached = (row.integer(3) & kFlagDetached) != 0;
  copy.replace = (row.integer(3) & kFlagReplace) != 0;
  copy.safe_links = (row.integer(3) & kFlagSafeLinks) != 0;
  copy.directory = row.text(4);
  copy.name = row.text(5);
  copy.path = row.text(6);
  copy.dev = static_cast<std::uint64_t>(row.integer(7));
  copy.inode = static_cast<std::uint64_t>(row.integer(8));
  copy.part = split_globs(row.text(9));
  copy.swarm = row.fixed<SwarmId>(10);
  return copy;
}

}  // namespace

Result<Catalog> Catalog::open_db(const std::string& path, DbMode mode) {
  KITH_TRY(auto db, Db::open(path, mode));
  if (mode == DbMode::kReadOnly) {
    KITH_CHECK(check_schema(*db));
    return Catalog(std::move(db));
  }
  // Of a new file; for another one it takes a VACUUM to come into force.
  KITH_CHECK(db->exec("PRAGMA auto_vacuum=INCREMENTAL"));
  KITH_CHECK(migrate(*db));
  if (mode == DbMode::kReadWrite) KITH_CHECK(db->exec("PRAGMA journal_mode=WAL"));
  return Catalog(std::move(db));
}

Result<Catalog> Catalog::open(const std::string& path) {
  auto catalog = open_db(path, DbMode::kReadWrite);
  if (!catalog) {
    Error error = std::move(catalog).error();
    error.subject = path;
    return error;
  }
  KITH_TRY(const auto pages, catalog->db_->query_integer("PRAGMA page_count"));
  KITH_TRY(const auto size, catalog->db_->query_integer("PRAGMA page_size"));
  if (pages * size <= kCheckAtStartMax) KITH_CHECK(catalog->check());
  catalog->db_->accept_file();
  KITH_CHECK(catalog->make_shrinkable(pages * size));
  return catalog;
}

// What cannot be written anew, for want of room perhaps, stays as it is: that is no reason not to
// open it.
Result<void> Catalog::make_shrinkable(std::int64_t bytes) {
  KITH_TRY(std::int64_t kind, db_->query_integer("PRAGMA auto_vacuum"));
  if (kind != kIncremental && bytes <= kRewriteMax) {
    static_cast<void>(db_->exec("VACUUM").has_value());
    KITH_TRY(kind, db_->query_integer("PRAGMA auto_vacuum"));
  }
  shrinks_ = kind == kIncremental;
  return db_->exec("PRAGMA journal_size_limit=4194304");
}

Result<Catalog> Catalog::open_read_only(const std::string& path) {
  return open_db(path, DbMode::kReadOnly);
}

Result<Catalog> Catalog::open_in_memory() { return open_db(":memory:", DbMode::kMemory); }

Result<Catalog::Use> Catalog::stmt(const char* sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) {
    return Use(&found->second);
  }
  KITH_TRY(Stmt prepared, db_->prepare(sql));
  return Use(&statements_.emplace(sql, std::move(prepared)).first->second);
}

Result<void> Catalog::begin() { return db_->exec("BEGIN IMMEDIATE"); }

Result<void> Catalog::commit() { return db_->exec("COMMIT"); }

Result<void> Catalog::commit_full() {
  // SQLite does not let `synchronous` change inside a transaction, and the group may have begun
  // before it was known that it must be durable. A second, tiny transaction made with FULL syncs
  // the whole log, and with it everything that was committed before.
  KITH_CHECK(db_->exec("COMMIT"));
  KITH_CHECK(db_->exec("PRAGMA synchronous=FULL"));
  auto synced = db_->exec(
      "INSERT INTO setting(name, value) VALUES('synced', x'') "
      "ON CONFLICT(name) DO UPDATE SET value = CASE value WHEN x'' THEN x'00' ELSE x'' END");
  KITH_CHECK(db_->exec("PRAGMA synchronous=NORMAL"));
  return synced;
}

void Catalog::roll_back() {
  if (db_->in_transaction()) (void)db_->exec("ROLLBACK");
}

Result<void> Catalog::put_setting(std::string_view name, std::string_view value) {
  KITH_TRY(const Use put, stmt("INSERT INTO setting(name, value) VALUES(?1, ?2) "
                               "ON CONFLICT(name) DO UPDATE SET value = excluded.value"));
  return put->bind_text(1, name).bind_blob(2, as_bytes(value)).run();
}

Result<std::optional<std::string>> Catalog::setting(std::string_view name) {
  KITH_TRY(const Use get, stmt("SELECT value FROM setting WHERE name = ?1"));
  KITH_TRY(const bool found, get->bind_text(1, name).step());
  if (!found) return std::optional<std::string>();
  return std::optional(std::string(get->text(0)));
}

Result<void> Catalog::put_swarm(const SwarmRecord& swarm) {
  KITH_TRY(const Use put, stmt("INSERT INTO swarm(id, secret) VALUES(?1, ?2) "
                               "ON CONFLICT(id) DO UPDATE SET secret = excluded.secret"));
  return put->bind_blob(1, swarm.id.view()).bind_blob(2, swarm.secret.view()).run();
}

Result<std::vector<SwarmRecord>> Catalog::swarms() {
  std::vector<SwarmRecord> out;
  KITH_TRY(const Use get, stmt("SELECT id, secret FROM swarm ORDER BY rowid"));
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    if (get->blob(1).size() != Secret::kSize) return damaged("a swarm");
    out.push_back({get->fixed<SwarmId>(0), Secret(get->blob(1))});
  }
}

Result<void> Catalog::remove_swarm(const SwarmId& swarm) {
  for (const char* sql :
       {"DELETE FROM swarm WHERE id = ?1", "DELETE FROM roster_op WHERE swarm = ?1",
        "DELETE FROM wraps WHERE swarm = ?1", "DELETE FROM peer WHERE swarm = ?1"}) {
    KITH_TRY(const Use remove, stmt(sql));
    KITH_CHECK(remove->bind_blob(1, swarm.view()).run());
  }
  return {};
}

Result<void> Catalog::put_op(const SwarmId& swarm, const OpId& id, Bytes op) {
  KITH_TRY(const Use put, stmt("INSERT INTO roster_op(swarm, id, op) VALUES(?1, ?2, ?3) "
                               "ON CONFLICT(swarm, id) DO NOTHING"));
  return put->bind_blob(1, swarm.view()).bind_blob(2, id.view()).bind_blob(3, op).run();
}

Result<std::vector<Buffer>> Catalog::ops(const SwarmId& swarm) {
  std::vector<Buffer> out;
  KITH_TRY(const Use get, stmt("SELECT op FROM roster_op WHERE swarm = ?1 ORDER BY seq"));
  get->bind_blob(1, swarm.view());
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    out.push_back(to_buffer(get->blob(0)));
  }
}

Result<void> Catalog::put_wraps(const SwarmId& swarm, const OpId& epoch, Bytes wraps) {
  KITH_TRY(const Use put, stmt("INSERT INTO wraps(swarm, epoch, wraps) VALUES(?1, ?2, ?3) "
                               "ON CONFLICT(swarm, epoch) DO UPDATE SET wraps = excluded.wraps"));
  return put->bind_blob(1, swarm.view()).bind_blob(2, epoch.view()).bind_blob(3, wraps).run();
}

Result<std::optional<Buffer>> Catalog::wraps(const SwarmId& swarm, const OpId& epoch) {
  KITH_TRY(const Use get, stmt("SELECT wraps FROM wraps WHERE swarm = ?1 AND epoch = ?2"));
  KITH_TRY(const bool found, get->bind_blob(1, swarm.view()).bind_blob(2, epoch.view()).step());
  if (!found) return std::optional<Buffer>();
  return std::optional(to_buffer(get->blob(0)));
}

Result<void> Catalog::put_peer(const PeerRecord& peer) {
  KITH_TRY(const Use put,
           stmt("INSERT INTO peer(swarm, device, endpoints, seen) VALUES(?1, ?2, ?3, ?4) "
                "ON CONFLICT(swarm, device) DO UPDATE "
                "SET endpoints = excluded.endpoints, seen = excluded.seen"));
  put->bind_blob(1, peer.swarm.view()).bind_blob(2, peer.device.view());
  return put->bind_blob(3, encode_endpoints(peer.endpoints)).bind(4, count(peer.seen)).run();
}

Result<std::vector<PeerRecord>> Catalog::peers(const SwarmId& swarm, std::size_t limit) {
  std::vector<PeerRecord> out;
  KITH_TRY(const Use get, stmt("SELECT device, endpoints, seen FROM peer WHERE swarm = ?1 "
                               "ORDER BY seen DESC, device LIMIT ?2"));
  get->bind_blob(1, swarm.view()).bind(2, number(limit));
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    KITH_TRY(auto endpoints, decode_endpoints(get->blob(1)));
    out.push_back(
        {swarm, get->fixed<DeviceId>(0), std::move(endpoints), UnixMillis(get->integer(2))});
  }
}

Result<void> Catalog::put_share(const ShareRecord& share) {
  KITH_TRY(const Use put, stmt("INSERT INTO share(id, swarm, name, key, root) "
                               "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO NOTHING"));
  put->bind_blob(1, share.id.view()).bind_blob(2, share.swarm.view()).bind_text(3, share.name);
  return put->bind_blob(4, share.key.view()).bind_blob(5, share.root).run();
}

Result<std::optional<ShareRecord>> Catalog::share(const ShareId& id) {
  KITH_TRY(const Use get, stmt("SELECT id, swarm, name, key, root FROM share WHERE id = ?1"));
  KITH_TRY(const bool found, get->bind_blob(1, id.view()).step());
  if (!found) return std::optional<ShareRecord>();
  return std::optional(read_share(*get));
}

Result<std::vector<ShareRecord>> Catalog::shares() {
  std::vector<ShareRecord> out;
  KITH_TRY(const Use get, stmt("SELECT id, swarm, name, key, root FROM share ORDER BY number"));
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    out.push_back(read_share(*get));
  }
}

Result<void> Catalog::remove_share(const ShareId& id) {
  KITH_TRY(const Use remove, stmt("DELETE FROM share WHERE id = ?1"));
  return remove->bind_blob(1, id.view()).run();
}

Result<std::int64_t> Catalog::share_number(const ShareId& id) {
  KITH_TRY(const Use get, stmt("SELECT number FROM share WHERE id = ?1"));
  KITH_TRY(const bool found, get->bind_blob(1, id.view()).step());
  if (!found) return local_error(Errc::kNotFound, "the catalog has no such share", id.hex());
  return get->integer(0);
}

Result<void> Catalog::put_page(const ShareId& share, std::uint32_t page, Bytes ciphertext) {
  KITH_TRY(const std::int64_t owner, share_number(share));
  KITH_TRY(const Use put, stmt("INSERT INTO page(share, number, ciphertext) VALUES(?1, ?2, ?3) "
                               "ON CONFLICT(share, number) DO NOTHING"));
  return put->bind(1, owner).bind(2, page).bind_blob(3, ciphertext).run();
}

Result<std::optional<Buffer>> Catalog::page(const ShareId& share, std::uint32_t page) {
  KITH_TRY(const Use get,
           stmt("SELECT ciphertext FROM page JOIN share ON share.number = page.share "
                "WHERE share.id = ?1 AND page.number = ?2"));
  KITH_TRY(const bool found, get->bind_blob(1, share.view()).bind(2, page).step());
  if (!found) return std::optional<Buffer>();
  return std::optional(to_buffer(get->blob(0)));
}

Result<std::vector<std::uint32_t>> Catalog::pages(const ShareId& share) {
  std::vector<std::uint32_t> out;
  KITH_TRY(const Use get,
           stmt("SELECT page.number FROM page JOIN share ON share.number = page.share "
                "WHERE share.id = ?1 ORDER BY page.number"));
  get->bind_blob(1, share.view());
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    out.push_back(static_cast<std::uint32_t>(get->integer(0)));
  }
}

Result<void> Catalog::put_copy(const CopyRecord& copy) {
  KITH_TRY(const std::int64_t share, share_number(copy.share));
  KITH_TRY(const Use put,
           stmt("INSERT OR REPLACE INTO copy"
                "(id, share, state, flags, directory, name, path, dev, inode, "
                "part, swarm) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"));
  put->bind(1, number(copy.id)).bind(2, share).bind(3, static_cast<std::int64_t>(copy.state));
  put->bind(4, flags_of(copy)).bind_blob(5, as_bytes(copy.directory));
  put->bind_blob(6, as_bytes(copy.name)).bind_blob(7, as_bytes(copy.path));
  put->bind(8, number(copy.dev)).bind(9, number(copy.inode));
  put->bind_blob(10, as_bytes(join_globs(copy.part)));
  return put->bind_blob(11, copy.swarm.view()).run();
}

Result<void> Catalog::set_copy_state(CopyId copy, CopyState state, std::string_view path) {
  KITH_TRY(const Use set, stmt("UPDATE copy SET state = ?2, path = ?3 WHERE id = ?1"));
  set->bind(1, number(copy)).bind(2, static_cast<std::int64_t>(state));
  KITH_CHECK(set->bind_blob(3, as_bytes(path)).run());
  if (db_->changes() == 0) return local_error(Errc::kNotFound, "the catalog has no such copy");
  return {};
}

Result<std::vector<CopyRecord>> Catalog::copies() {
  std::vector<CopyRecord> out;
  KITH_TRY(
      const Use get,
      stmt("SELECT copy.id, share.id, state, flags, directory, copy.name, path, dev, inode, "
           "part, copy.swarm FROM copy JOIN share ON share.number = copy.share ORDER BY copy.id"));
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    KITH_TRY(auto copy, read_copy(*get));
    out.push_back(std::move(copy));
  }
}

Result<void> Catalog::remove_copy(CopyId copy) {
  for (const char* sql : {"DELETE FROM have WHERE copy = ?1", "DELETE FROM scrub WHERE copy = ?1",
                          "DELETE FROM copy WHERE id = ?1"}) {
    KITH_TRY(const Use remove, stmt(sql));
    KITH_CHECK(remove->bind(1, number(copy)).run());
  }
  removed_copies_.push_back(copy);
  return {};
}

Result<void> Catalog::put_have(CopyId copy, const HaveRow& row) {
  KITH_CHECK(check_have_row(row));
  KITH_TRY(const Use put, stmt("INSERT INTO have(copy, durable, number, boot, bits) "
                               "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(copy, durable, number) "
                               "DO UPDATE SET boot = excluded.boot, bits = excluded.bits"));
  put->bind(1, number(copy)).bind(2, row.durable ? 1 : 0).bind(3, row.first / kHaveRowBits);
  return put->bind_text(4, row.boot).bind_blob(5, row.bits).run();
}

Result<std::vector<HaveRow>> Catalog::have(CopyId copy) {
  std::vector<HaveRow> out;
  KITH_TRY(const Use get, stmt("SELECT durable, number, boot, bits FROM have WHERE copy = ?1 "
                               "ORDER BY durable, number"));
  get->bind(1, number(copy));
  while (true) {
    KITH_TRY(const bool found, get->step());
    if (!found) return out;
    const std::int64_t row_number = get->integer(1);
    if (row_number < 0 || row_number > UINT32_MAX / kHaveRowBits) return damaged("a have-set");
    HaveRow row{static_cast<ChunkIndex>(row_number) * kHaveRowBits, to_buffer(get->blob(3)),
                get->integer(0) != 0, std::string(get->text(2))};
    if (!check_have_row(row)) return damaged("a have-set");
    out.push_back(std::move(row));
  }
}

Result<void> Catalog::put_file_stats(CopyId copy, std::uint32_t page, Bytes stats) {
  KITH_TRY(const Use put, stmt("INSERT INTO filestat(copy, page, stats) VALUES(?1, ?2, ?3) "
                               "ON CONFLICT(copy, page) DO UPDATE SET stats = excluded.stats"));
  return put->bind(1, number(copy)).bind(2, page).bind_blob(3, stats).run();
}

Result<std::optional<Buffer>> Catalog::file_stats(CopyId copy, std::uint32_t page) {
  KITH_TRY(const Use get, stmt("SELECT stats FROM filestat WHERE copy = ?1 AND page = ?2"));
  KITH_TRY(const bool found, get->bind(1, number(copy)).bind(2, page).step());
  if (!found) return std::optional<Buffer>();
  return std::optional(to_buffer(get->blob(0)));
}

Result<void> Catalog::put_scrub(CopyId copy, const ScrubRecord& scrub) {
  // A pass may have gone on for a moment when its copy was removed.
  KITH_TRY(const Use put,
           stmt("INSERT INTO scrub(copy, next, ended, damaged, repaired) "
                "SELECT id, ?2, ?3, ?4, ?5 FROM copy WHERE id = ?1 "
                "ON CONFLICT(copy) DO UPDATE SET next = excluded.next, ended = excluded.ended, "
                "damaged = excluded.damaged, repaired = excluded.repaired"));
  return put->bind(1, number(copy))
      .bind(2, scrub.next)
      .bind(3, count(scrub.ended))
      .bind(4, static_cast<std::int64_t>(scrub.damaged))
      .bind(5, static_cast<std::int64_t>(scrub.repaired))
      .run();
}

Result<std::optional<ScrubRecord>> Catalog::scrub(CopyId copy) {
  KITH_TRY(const Use get, stmt("SELECT next, ended, damaged, repaired FROM scrub WHERE copy = ?1"));
  KITH_TRY(const bool found, get->bind(1, number(copy)).step());
  if (!found) return std::optional<ScrubRecord>();
  return std::optional(ScrubRecord{
      static_cast<ChunkIndex>(get->integer(0)), UnixMillis(get->integer(1)),
      static_cast<std::uint64_t>(get->integer(2)), static_cast<std::uint64_t>(get->integer(3))});
}

Result<void> Catalog::index_chunks(const ShareId& share, std::uint32_t first,
                                   std::span<const ChunkId> ids) {
  std::vector<std::int64_t> hashes;
  hashes.reserve(ids.size());
  for (const ChunkId& id : ids) hashes.push_back(first8(id.view()));
  return index_hashes(HashKind::kChunk, share, first, hashes);
}

Result<void> Catalog::index_plain(const ShareId& share, std::uint32_t first,
                                  std::span<const PlainHash> plain) {
  std::vector<std::int64_t> hashes;
  hashes.reserve(plain.size());
  for (const PlainHash& hash : plain) hashes.push_back(first8(hash.view()));
  return index_hashes(HashKind::kPlain, share, first, hashes);
}

// In ascending order of the hashes: neighbours lie on one page, and a large share would otherwise
// read and write a page for each of its chunks.
Result<void> Catalog::index_hashes(HashKind kind, const ShareId& share, std::uint32_t first,
                                   std::span<const std::int64_t> hashes) {
  KITH_TRY(const std::int64_t owner, share_number(share));
  for (std::size_t at = 0; at < hashes.size(); at += kRunHashes) {
    const auto run = hashes.subspan(at, std::min(kRunHashes, hashes.size() - at));
    KITH_CHECK(put_run(kind, owner, first + static_cast<std::uint32_t>(at), run));
  }
  std::vector<std::pair<std::int64_t, std::uint32_t>> rows;
  rows.reserve(hashes.size());
  for (const std::int64_t hash : hashes) rows.emplace_back(hash, first++);
  std::ranges::sort(rows);
  const char* const sql = kind == HashKind::kChunk
                              ? "INSERT OR IGNORE INTO chunk_index(id8, share, chunk) "
                                "VALUES(?1, ?2, ?3)"
                              : "INSERT OR IGNORE INTO plain_index(plain8, share, chunk) "
                                "VALUES(?1, ?2, ?3)";
  for (const auto& [hash, chunk] : rows) {
    KITH_TRY(const Use put, stmt(sql));
    KITH_CHECK(put->bind(1, hash).bind(2, owner).bind(3, chunk).run());
  }
  return {};
}

Result<void> Catalog::put_run(HashKind kind, std::int64_t share, std::uint32_t first,
                              std::span<const std::int64_t> hashes) {
  Buffer blob;
  for (const std::int64_t hash : hashes) append_be(blob, static_cast<std::uint64_t>(hash));
  // A share that is fetched comes page by page; one that is shared is cut otherwise.
  KITH_TRY(const Use put, stmt("INSERT INTO hash_run(share, kind, first, hashes) "
                               "VALUES(?1, ?2, ?3, ?4) ON CONFLICT(share, kind, first) DO UPDATE "
                               "SET hashes = excluded.hashes "
                               "WHERE length(excluded.hashes) > length(hashes)"));
  put->bind(1, share).bind(2, static_cast<std::int64_t>(kind)).bind(3, first);
  return put->bind_blob(4, blob).run();
}

Result<void> Catalog::copy_plain(const ShareId& earlier, std::uint32_t from, const ShareId& share,
                                 std::uint32_t to, std::uint32_t count) {
  KITH_TRY(const std::int64_t owner, share_number(earlier));
  struct Run {
    std::uint32_t first;
    std::vector<std::int64_t> hashes;
  };
  std::vector<Run> runs;
  {
    KITH_TRY(const Use get,
             stmt("SELECT first, hashes FROM hash_run WHERE share = ?1 AND kind = 1 "
                  "AND first < ?3 AND first + length(hashes) / 8 > ?2 ORDER BY first"));
    get->bind(1, owner).bind(2, from).bind(3, std::int64_t{from} + count);
    while (true) {
      KITH_TRY(const bool row, get->step());
      if (!row) break;
      runs.push_back({static_cast<std::uint32_t>(get->integer(0)), decode_hashes(get->blob(1))});
    }
  }
  for (const Run& run : runs) {
    const auto end = static_cast<std::uint32_t>(run.first + run.hashes.size());
    const std::uint32_t begin = std::max(run.first, from);
    const std::span<const std::int64_t> part(run.hashes.data() + (begin - run.first),
                                             std::min(end, from + count) - begin);
    KITH_CHECK(index_hashes(HashKind::kPlain, share, to + (begin - from), part));
  }
  return {};
}

Result<std::vector<ChunkPlace>> Catalog::find_places(const char* sql, std::int64_t id8) {
  std::vector<ChunkPlace> out;
  KITH_TRY(const Use get, stmt(sql));
  get->bind(1, id8).bind(2, kPlacesMax);
  while (true) {
    KITH_TRY(const bool row, get->step());
    if (!row) return out;
    out.push_back({get->fixed<ShareId>(0), static_cast<std::uint32_t>(get->integer(1))});
  }
}

Result<std::vector<ChunkPlace>> Catalog::find_chunk(const ChunkId& id) {
  return find_places(
      "SELECT share.id, chunk FROM chunk_index JOIN share "
      "ON share.number = chunk_index.share WHERE id8 = ?1 "
      "ORDER BY chunk_index.share, chunk LIMIT ?2",
      first8(id.view()));
}

Result<std::vector<ChunkPlace>> Catalog::find_plain(const PlainHash& hash) {
  return find_places(
      "SELECT share.id, chunk FROM plain_index JOIN share "
      "ON share.number = plain_index.share WHERE plain8 = ?1 "
      "ORDER BY plain_index.share, chunk LIMIT ?2",
      first8(hash.view()));
}

Result<void> Catalog::remove_unused() {
  KITH_CHECK(begin());
  KITH_CHECK(db_->exec("DELETE FROM share WHERE number NOT IN (SELECT share FROM copy)"));
  for (std::int64_t copy = INT64_MIN;;) {
    KITH_TRY(const Use next,
             stmt("SELECT copy FROM filestat WHERE copy > ?1 ORDER BY copy LIMIT 1"));
    KITH_TRY(const bool found, next->bind(1, copy).step());
    if (!found) return commit();
    copy = next->integer(0);
    KITH_TRY(const Use known, stmt("SELECT 1 FROM copy WHERE id = ?1"));
    KITH_TRY(const bool is_known, known->bind(1, copy).step());
    if (is_known) continue;
    KITH_TRY(const Use remove, stmt("DELETE FROM filestat WHERE copy = ?1"));
    KITH_CHECK(remove->bind(1, copy).run());
  }
}

// The first share that is gone and still has rows in the table that `next_sql` goes through. Looks
// at one row per share, not at all of them.
Result<std::optional<std::int64_t>> Catalog::leftover(const char* next_sql) {
  for (std::int64_t share = INT64_MIN;;) {
    KITH_TRY(const Use next, stmt(next_sql));
    KITH_TRY(const bool found, next->bind(1, share).step());
    if (!found) return std::optional<std::int64_t>();
    share = next->integer(0);
    KITH_TRY(const Use alive, stmt("SELECT 1 FROM share WHERE number = ?1"));
    KITH_TRY(const bool is_alive, alive->bind(1, share).step());
    if (!is_alive) return std::optional(share);
  }
}

// Some rows per call, so that a commit in between waits for some tens of milliseconds at most.
Result<bool> Catalog::sweep() {
  if (!removed_copies_.empty()) {
    KITH_TRY(const bool more, sweep_stats(removed_copies_.back()));
    if (!more) removed_copies_.pop_back();
    return true;
  }
  KITH_TRY(const auto pages,
           leftover("SELECT share FROM page WHERE share > ?1 ORDER BY share LIMIT 1"));
  if (pages) {
    KITH_TRY(const Use remove, stmt("DELETE FROM page WHERE rowid IN "
                                    "(SELECT rowid FROM page WHERE share = ?1 LIMIT 64)"));
    KITH_CHECK(remove->bind(1, *pages).run());
    return true;
  }
  KITH_TRY(const auto runs,
           leftover("SELECT share FROM hash_run WHERE share > ?1 ORDER BY share LIMIT 1"));
  if (!runs) return give_back();
  KITH_CHECK(sweep_run(*runs));
  return true;
}

// Pages from the end of the file move to where one is free: some megabytes are read and written.
Result<bool> Catalog::give_back() {
  if (!shrinks_) return false;
  KITH_TRY(const Use count, stmt("PRAGMA freelist_count"));
  KITH_TRY(const bool any, count->step());
  if (!any || count->integer(0) == 0) return false;
  count->reset();
  KITH_CHECK(db_->exec("PRAGMA incremental_vacuum(256)"));
  return true;
}

Result<void> Catalog::checkpoint() { return db_->exec("PRAGMA wal_checkpoint(PASSIVE)"); }

Result<Catalog::Size> Catalog::size() {
  KITH_TRY(const std::int64_t page, db_->query_integer("PRAGMA page_size"));
  KITH_TRY(const std::int64_t pages, db_->query_integer("PRAGMA page_count"));
  KITH_TRY(const std::int64_t free, db_->query_integer("PRAGMA freelist_count"));
  return Size{static_cast<std::uint64_t>(page * pages), static_cast<std::uint64_t>(page * free)};
}

// States of files of a copy that is gone: those of a million files are tens of megabytes. False: no
// more of them, or its removal was rolled back.
Result<bool> Catalog::sweep_stats(CopyId copy) {
  KITH_TRY(const Use known, stmt("SELECT 1 FROM copy WHERE id = ?1"));
  KITH_TRY(const bool is_known, known->bind(1, number(copy)).step());
  if (is_known) return false;
  KITH_TRY(const Use remove, stmt("DELETE FROM filestat WHERE rowid IN "
                                  "(SELECT rowid FROM filestat WHERE copy = ?1 LIMIT 32)"));
  KITH_CHECK(remove->bind(1, number(copy)).run());
  KITH_TRY(const Use rest, stmt("SELECT 1 FROM filestat WHERE copy = ?1 LIMIT 1"));
  return rest->bind(1, number(copy)).step();
}

// One run of a share that is gone, and what the indexes hold of it.
Result<void> Catalog::sweep_run(std::int64_t share) {
  std::int64_t kind = 0, first = 0;
  std::vector<std::int64_t> hashes;
  {
    KITH_TRY(const Use get,
             stmt("SELECT kind, first, hashes FROM hash_run WHERE share = ?1 LIMIT 1"));
    KITH_TRY(const bool found, get->bind(1, share).step());
    if (!found) return {};
    kind = get->integer(0);
    first = get->integer(1);
    hashes = decode_hashes(get->blob(2));
  }
  const char* const sql =
      kind == 0 ? "DELETE FROM chunk_index WHERE id8 = ?1 AND share = ?2 AND chunk = ?3"
                : "DELETE FROM plain_index WHERE plain8 = ?1 AND share = ?2 AND chunk = ?3";
  std::int64_t chunk = first;
  for (const std::int64_t hash : hashes) {
    KITH_TRY(const Use remove, stmt(sql));
    KITH_CHECK(remove->bind(1, hash).bind(2, share).bind(3, chunk++).run());
  }
  KITH_TRY(const Use remove,
           stmt("DELETE FROM hash_run WHERE share = ?1 AND kind = ?2 AND first = ?3"));
  return remove->bind(1, share).bind(2, kind).bind(3, first).run();
}

Result<void> Catalog::check() {
  KITH_TRY(Stmt check, db_->prepare("PRAGMA quick_check(1)"));
  KITH_TRY(const bool row, check.step());
  if (row && check.text(0) == "ok") return {};
  return damaged(row ? std::string(check.text(0)).c_str() : "no answer to quick_check");
}

Result<void> check_home_filesystem(FileIo& io, const std::string& home) {
  KITH_TRY(const Dir dir, io.open_root(home));
  KITH_TRY(const FileSystemInfo info, io.file_system(dir));
  const char* const foreign = foreign_file_system(info.type);
  if (foreign == nullptr) return {};
  return local_error(Errc::kUnsupported,
                     std::string("the home is on ") + foreign + ", where kith's data are not safe",
                     home, "choose a directory on a local disk with --home");
}

}  // namespace kith::storage
